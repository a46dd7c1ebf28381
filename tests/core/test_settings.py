"""What a user switches: kinds, the other channel, a new start, the language (rules 1-3, 14, 97; U43)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.errors import BadRequest, CursorInvalid, NotFound, SignInRefused
from radicale_onoffice.core.model import Face, Identity, Kind
from radicale_onoffice.core.rights import Gate

ANNA, NOBODY = Identity("t", "anna"), Identity("t", "nobody")


@pytest.fixture
def office(make_office):
    return make_office()


def closed(office, kind):
    return next(one.gates for one in office.overview.kinds(ANNA) if one.kind is kind)


def audited(office):
    with office.store.reading() as tx:
        return [line.event for line in tx.audit("t", 9, login="anna") if line.actor == "page anna"]


def test_rule_2_a_switch_is_one_per_kind(office):
    """The others go on."""
    office.settings.set_switch(ANNA, Kind.TASKS, False, "page anna")
    assert ((Gate.SWITCH,), ()) == (closed(office, Kind.TASKS), closed(office, Kind.CONTACTS))
    office.settings.set_switch(ANNA, Kind.TASKS, True, "page anna")
    assert () == closed(office, Kind.TASKS)
    assert ["gate opened: switch tasks", "gate closed: switch tasks"] == audited(office)


@pytest.mark.parametrize(("gate", "kind"), [(Gate.SWITCH, Kind.TASKS), (Gate.SYNC_RIGHT, None), (Gate.MODULE, None)])
def test_what_is_off_already_is_not_switched_off_again(office, gate, kind):
    """A form that is sent twice lets no cursor die a second time, wakes nobody, and leaves no line in the log."""
    office.settings.set_gate(ANNA, gate, kind, False, "page anna")
    with office.store.reading() as tx:
        before = tx.change("t")
    cursor = office.feeds.cursor(ANNA, Kind.TASKS)
    office.settings.set_gate(ANNA, gate, kind, False, "page anna")
    with office.store.reading() as tx:
        assert before == tx.change("t")
    assert (cursor, 1) == (office.feeds.cursor(ANNA, Kind.TASKS), len(audited(office)))


def test_rule_14_another_channel_keeps_ours_away(office):
    """Else every appointment would be there twice."""
    office.settings.set_other_channel(ANNA, Kind.APPOINTMENTS, True, "page anna")
    assert (Gate.OTHER_CHANNEL,) == closed(office, Kind.APPOINTMENTS)
    office.settings.set_other_channel(ANNA, Kind.APPOINTMENTS, False, "page anna")
    assert () == closed(office, Kind.APPOINTMENTS)


def test_u43_a_restart_lets_every_cursor_die_and_the_lock_stay(office):
    """Of the kinds that are on; it is one line in the log."""
    for _ in range(5):
        with pytest.raises(SignInRefused):
            office.accounts.sign_in("anna", "wrong", Caller(face=Face.EAS, device="APPL1"))
    office.settings.set_switch(ANNA, Kind.TASKS, False, "test")
    before = {kind: office.feeds.cursor(ANNA, kind) for kind in Kind}
    assert (Kind.CONTACTS, Kind.APPOINTMENTS) == office.settings.restart(ANNA, Kind, "page anna")
    for kind in (Kind.CONTACTS, Kind.APPOINTMENTS):
        with pytest.raises(CursorInvalid):
            office.feeds.changes(ANNA, kind, before[kind])
    assert before[Kind.TASKS] == office.feeds.cursor(ANNA, Kind.TASKS)
    assert office.accounts.is_locked(ANNA)
    assert ["restarted: contacts, appointments"] == audited(office)


def test_what_is_switched_off_is_not_restarted(office):
    """It is switched on instead."""
    office.settings.set_switch(ANNA, Kind.TASKS, False, "test")
    with pytest.raises(BadRequest):
        office.settings.restart(ANNA, [Kind.TASKS], "page anna")
    assert (Gate.SWITCH,) == closed(office, Kind.TASKS)


def test_the_language_is_one_that_there_is(office):
    """Saved once, with a line in the log."""
    for language in ("it", "it"):
        office.settings.set_language(ANNA, language, "page anna")
    with office.store.reading() as tx:
        assert "it" == tx.user(ANNA).language
    with pytest.raises(BadRequest):
        office.settings.set_language(ANNA, "xx", "page anna")
    assert ["language: it"] == audited(office)


def test_who_does_not_exist_has_nothing_to_switch(office):
    """Whatever it is."""
    for change in (
        lambda: office.settings.set_switch(NOBODY, Kind.TASKS, True, "test"),
        lambda: office.settings.restart(NOBODY, Kind, "test"),
        lambda: office.settings.set_language(NOBODY, "de", "test"),
    ):
        with pytest.raises(NotFound):
            change()


def test_the_log_tells_what_of_a_user_was_changed(office):
    """Given and taken, but never a password."""
    with office.store.reading() as tx:
        user = tx.user(ANNA)
    changed = replace(user, rights=user.rights - {"tasks.delete"}, admin=True, groups=("sales",))
    office.accounts.save_user(changed, "another secret", "cli root")
    with office.store.reading() as tx:
        line = tx.audit("t", 1)[0]
    assert ("password changed", "rights: -tasks.delete; groups: +sales; admin: no to yes") == (line.event, line.detail)


def test_maintenance_is_logged_with_who_did_it(office):
    """On and off."""
    office.accounts.set_maintenance("new disks", 300, "page anna")
    office.accounts.set_maintenance(None, by="cli root")
    with office.store.reading() as tx:
        found = [(line.event, line.actor, line.detail) for line in tx.audit("t", 2)]
    assert [("maintenance off", "cli root", ""), ("maintenance on", "page anna", "new disks")] == found


@pytest.mark.parametrize(("message", "retry_after"), [("", 60), ("a\nb", 60), ("x" * 501, 60), ("new disks", 0), ("new disks", 86_401)])
def test_a_maintenance_that_cannot_be_told_is_refused(office, message, retry_after):
    """It stands in a header and on pages."""
    with pytest.raises(BadRequest):
        office.accounts.set_maintenance(message, retry_after)
