"""Our users follow onOffice's: locked there is closed here, groups and language come from there, and what is set here by hand stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radicale_onoffice.core.folders import reader
from radicale_onoffice.core.model import Identity, Kind, User, UserState
from radicale_onoffice.core.rights import Gate, closed_gates
from radicale_onoffice.crm.onoffice.tenants import Access
from tests.crm.pulled import Pulled

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")


@pytest.fixture
def followed(pulled):
    """Filled, with a third user, so that one of them is not everybody."""

    def make(access: Access = Access(), **switches) -> Pulled:  # noqa: B008 - frozen
        made = pulled(**switches)
        made.onoffice.carla = made.control.add_user("carla", "Carla", "Conrad")
        made.office.accounts.save_user(User(identity=Identity("t", "carla")), "secret", "test")
        made.mirror = made.another("one", access)
        made.meeting("Besichtigung")
        made.mirror.turn()
        return made

    return make


def user(made: Pulled, identity: Identity = ANNA) -> User:
    with made.office.store.reading() as tx:
        return tx.user(identity)


def gates(made: Pulled, identity: Identity = ANNA) -> tuple[Gate, ...]:
    with made.office.store.reading() as tx:
        who = reader(tx, identity)
    return closed_gates(who.tenant, who.user, Kind.APPOINTMENTS)


def told(made: Pulled, login: str = "anna") -> list[tuple[str, str, str]]:
    with made.office.store.reading() as tx:
        return [(one.actor, one.event, one.detail) for one in tx.audit("t", 20, login=login) if one.event.startswith("gate")]


def look(made: Pulled, minutes: int = 6) -> None:
    made.pass_time(minutes=minutes)
    assert "polled" == made.mirror.turn()


# ---------------------------------------------------------------------- states


@pytest.mark.parametrize("state", ["locked", "deactivated"])
def test_a_user_who_is_locked_in_onoffice_cannot_synchronise(followed, state, caplog):
    """Rule 8: within minutes, told in the log and in the audit log; and again when the lock is lifted."""
    made = followed()
    made.control.edit("user", made.onoffice.anna, online=state)
    look(made)
    assert ((Gate.USER_STATE,), UserState.SUSPENDED, ()) == (gates(made), user(made).state, gates(made, BERT))
    assert ("onOffice", "gate closed: user_state", f"onOffice says '{state}'") == told(made)[0]
    assert f"login=anna tenant=t: onOffice says '{state}'" in caplog.text
    made.control.edit("user", made.onoffice.anna, online="active")
    look(made)
    assert ((), ("onOffice", "gate opened: user_state", "onOffice says 'active'")) == (gates(made), told(made)[0])


def test_a_closed_gate_reaches_the_devices_at_once(followed):
    """The change number moves for everybody, as with any gate."""
    made = followed()
    with made.office.store.reading() as tx:
        before = tx.change("t")
    made.control.edit("user", made.onoffice.anna, online="locked")
    look(made)
    with made.office.store.reading() as tx:
        assert tx.change("t") > before


def test_what_the_administrator_deactivated_here_stays_so(followed):
    """Whatever onOffice says, before and after; and who was let in here in spite of onOffice's lock is suspended again."""
    made = followed()
    made.office.settings.set_gate(ANNA, Gate.USER_STATE, None, False, "admin")
    for state in ("locked", "active"):
        made.control.edit("user", made.onoffice.anna, online=state)
        look(made)
        assert UserState.DEACTIVATED is user(made).state
    made.control.edit("user", made.onoffice.anna, online="locked")
    made.office.settings.set_gate(ANNA, Gate.USER_STATE, None, True, "admin")
    look(made)
    assert UserState.SUSPENDED is user(made).state
    made.office.settings.set_gate(ANNA, Gate.USER_STATE, None, False, "admin")
    made.control.edit("user", made.onoffice.anna, online="active")
    look(made)
    assert UserState.DEACTIVATED is user(made).state


def test_a_user_who_is_gone_from_onoffice_is_suspended(followed):
    """One who was never there, whom only we have, is not."""
    made = followed()
    made.office.accounts.save_user(User(identity=Identity("t", "ours")), "secret", "test")
    made.control.delete("user", made.onoffice.anna)
    look(made)
    assert (UserState.SUSPENDED, UserState.ACTIVE) == (user(made).state, user(made, Identity("t", "ours")).state)
    assert "onOffice does not have this user any more" == told(made)[0][2]


def test_an_api_user_who_may_not_read_users_suspends_nobody(followed):
    """Code 170, from the start or of a sudden: names are known, states are not."""
    made = followed()
    made.control.set_right(made.onoffice.emulator.account.user("api"), "user", "read", allowed=False)
    made.control.edit("user", made.onoffice.anna, online="locked")
    made.control.delete("user", made.onoffice.bert)
    look(made)
    made.mirror = made.another("one")
    look(made)
    assert ([UserState.ACTIVE] * 2, []) == ([user(made).state, user(made, BERT).state], told(made))


def test_that_everybody_is_locked_at_once_is_not_believed(followed):
    """Nobody is suspended, an alarm is raised; who knows better says so, and a good answer ends it."""
    made = followed()
    everybody = (made.onoffice.anna, made.onoffice.bert, made.onoffice.carla)
    for number in everybody:
        made.control.edit("user", number, online="locked")
    made.control.edit("group", made.onoffice.group, users=[made.onoffice.anna])
    look(made)
    assert (UserState.ACTIVE, ()) == (user(made).state, user(made, BERT).groups)  # groups are another matter
    assert "3 of 3 users who may synchronise" in made.mirror.memory().people_alarm
    made.mirror.accept()
    assert (UserState.SUSPENDED, "") == (user(made).state, made.mirror.memory().people_alarm)
    for number in everybody:
        made.control.edit("user", number, online="active")
    look(made)
    assert (UserState.ACTIVE, "") == (user(made).state, made.mirror.memory().people_alarm)


def test_that_everybody_is_gone_is_doubted_until_somebody_knows_better(followed):
    """The alarm lasts from look to look, and `mirror accept` suspends who is gone."""
    made = followed()
    for number in (made.onoffice.anna, made.onoffice.bert, made.onoffice.carla):
        made.control.delete("user", number)
    for _ in range(3):
        look(made)
        assert UserState.ACTIVE is user(made).state
        assert "3 of 3 users who may synchronise" in made.mirror.memory().people_alarm
    made.mirror.accept()
    assert ([UserState.SUSPENDED] * 2, "") == ([user(made).state, user(made, BERT).state], made.mirror.memory().people_alarm)
    made.control.add_user("anna", "Anna", "Alt")
    look(made)
    assert [UserState.ACTIVE, UserState.SUSPENDED] == [user(made).state, user(made, BERT).state]


def test_an_empty_answer_changes_nobody(followed):
    """It reads as success."""
    made = followed()
    made.control.fault(kind="empty")
    look(made)
    assert (UserState.ACTIVE, ("Miete",)) == (user(made).state, user(made).groups)


def test_numbers_are_states_only_if_the_administrator_says_which(followed):
    """How ``online`` reads is not documented."""
    made = followed(online_values="numbers")
    made.control.edit("user", made.onoffice.anna, online="locked")
    look(made)
    assert UserState.ACTIVE is user(made).state
    made.mirror = made.another("one", Access(closed_states="0, -1"))
    look(made)
    assert (UserState.SUSPENDED, UserState.ACTIVE) == (user(made).state, user(made, BERT).state)


def test_an_account_that_does_not_tell_states_is_read_all_the_same(followed, caplog):
    """One unknown key would fail the whole call (141)."""
    made = followed()
    made.control.drop_field("user", "online")
    made.mirror = made.another("one")
    look(made)
    assert ("does not tell who is locked" in caplog.text, ("Miete",)) == (True, user(made).groups)


def test_more_users_than_an_answer_holds_are_followed_all_the_same(followed):
    """By pages; and their flags are asked for by 500 users at once, more is refused (302)."""
    made = followed()
    for number in range(498):
        made.control.add_user(f"u{number}")
    last = made.control.add_user("zoe")
    made.office.accounts.save_user(User(identity=Identity("t", "zoe")), "secret", "test")
    contact = made.address("Beispiel", sync=[last])
    made.mirror = made.another("one")
    look(made)
    assert "filled" == made.mirror.turn()  # the first contact that it sees
    assert (1, "") == (
        len(made.office.feeds.entries(Identity("t", "zoe"), Kind.CONTACTS, "")[1]),
        made.mirror.memory().alarm_of(Kind.CONTACTS),
    )
    made.control.edit("user", last, online="locked")
    made.control.edit("address", contact, Name="Neu")
    look(made)
    assert (UserState.SUSPENDED, ["Neu"]) == (user(made, Identity("t", "zoe")).state, made.subjects(Kind.CONTACTS))


def test_users_are_looked_at_every_few_minutes_in_the_same_request(followed):
    """Not with each poll; they cost no request of their own."""
    made = followed()
    made.control.reset_counters()
    for _ in range(10):
        look(made, minutes=1)
    counters = made.control.counters()
    assert (10, 2, 2) == (counters["requests"], counters["actions"]["read user"], counters["actions"]["get groups"])


# ----------------------------------------------------------- groups, language


def test_groups_follow_and_the_last_one_may_be_left(followed):
    """Rules 53 and U33: what concerns a group reaches whoever is in it."""
    made = followed()
    assert (("Miete",), ("Miete",)) == (user(made).groups, user(made, BERT).groups)
    made.control.edit("group", made.onoffice.group, users=[made.onoffice.carla])
    look(made)
    assert ((), (), ("Miete",)) == (user(made).groups, user(made, BERT).groups, user(made, Identity("t", "carla")).groups)


def test_that_all_groups_are_gone_is_not_believed(followed):
    """States go on being followed meanwhile."""
    made = followed()
    made.control.delete("group", made.onoffice.group)
    made.control.edit("user", made.onoffice.bert, online="locked")
    look(made)
    assert (("Miete",), UserState.SUSPENDED) == (user(made).groups, user(made, BERT).state)
    assert "2 of 2 memberships of groups" in made.mirror.memory().people_alarm


def test_a_group_that_is_called_otherwise_keeps_its_appointments(followed):
    """Rows name it by its number, so that they did not change."""
    made = followed()
    made.control.add(
        "calendar",
        {"description": "Runde", "start_dt": "2026-03-21 09:00:00", "end_dt": "2026-03-21 10:00:00"},
        groups=[made.onoffice.group],
    )
    look(made)
    made.control.edit("group", made.onoffice.group, name="Vermietung")
    look(made)
    look(made, minutes=1)
    entries = made.office.feeds.entries(BERT, Kind.APPOINTMENTS, "")[1]
    assert (("Vermietung",), 1) == (user(made, BERT).groups, len(entries))


def test_somebody_who_is_new_gets_what_was_read_before_the_name_was_known(followed):
    """An appointment may be here sooner than its participant."""
    made = followed()
    dora = made.control.add_user("dora", "Dora", "Dorn")
    made.control.add("calendar", {"description": "Neu", "start_dt": "2026-03-21 09:00:00", "end_dt": "2026-03-21 10:00:00"}, users=[dora])
    look(made, minutes=1)
    look(made)
    look(made, minutes=1)
    assert ("dora",) in [value.participants for value in made.values(Kind.APPOINTMENTS)]


def test_the_language_follows_what_onoffice_tells_anew(followed):
    """One that was set here stays until onOffice tells another one; a language that we do not speak changes nothing."""
    made = followed()
    made.control.edit("user", made.onoffice.anna, Sprache="ENG")
    look(made)
    assert "en" == user(made).language
    with made.office.store.writing() as tx:
        tx.save_user(replace(user(made), language="it"))
    look(made)
    assert "it" == user(made).language
    made.control.edit("user", made.onoffice.anna, Sprache="HRV")
    look(made)
    assert "it" == user(made).language
    made.control.edit("user", made.onoffice.anna, Sprache="DEU")
    look(made)
    assert "de" == user(made).language
