"""What administrators see and do, and who is none."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy

from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.administration import Access
from radicale_onoffice.core.errors import BadRequest, Maintenance, NotFound, Refused, SignInRefused
from radicale_onoffice.core.lists import Show
from radicale_onoffice.core.model import (
    Actor,
    AuditLine,
    Contact,
    Door,
    Face,
    Failure,
    Identity,
    Kind,
    Tenant,
    User,
    UserState,
)
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.rights import Gate
from tests.conftest import START

ANNA, BERT, BOSS = Identity("t", "anna"), Identity("t", "bert"), Identity("t", "boss")
PHONE = Caller(address="192.0.2.7", face=Face.EAS, device="APPL1", label="iPhone")


@pytest.fixture
def office(make_office):
    office = make_office(Policy(full_wipe=True))
    office.settings.save_tenant(Tenant(name="other"), "test")
    for identity in (BOSS, Identity("other", "chief")):
        office.accounts.save_user(User(identity=identity, admin=True), "secret", "test")
    office.accounts.save_user(User(identity=Identity("other", "olga")), "secret", "test")
    return office


@pytest.fixture
def boss(office):
    return office.administration.as_user(BOSS)


def user(office, identity=ANNA):
    with office.store.reading() as tx:
        return tx.user(identity)


def lock(office, login="anna"):
    for _ in range(5):
        with pytest.raises(SignInRefused):
            office.accounts.sign_in(login, "wrong", PHONE)


def logins(page):
    return [row.user.identity.user for row in page.rows]


def audited(office, count=1, tenant="t"):
    with office.store.reading() as tx:
        return [(line.login, line.actor, line.event) for line in tx.audit(tenant, count)]


@contextmanager
def counting(office):
    statements = []

    def said(_connection, _cursor, statement, *_):
        statements.append(statement)

    sqlalchemy.event.listen(office.store.engine, "before_cursor_execute", said)
    yield statements
    sqlalchemy.event.remove(office.store.engine, "before_cursor_execute", said)


# ---------------------------------------------------------------------- who


def save_admin(office, who, login: str, *, is_admin: bool) -> bool:
    """Save the form about a user with everything as it comes for a new one, but for the right to administer."""
    fresh = User(identity=Identity(who.tenant, login))
    access = Access(
        active=True,
        sync_right=fresh.sync_right,
        switches=fresh.switches,
        other_channels=fresh.other_channels,
        rights=fresh.rights,
        admin=is_admin,
    )
    return office.administration.save_access(who, login, access)


def test_who_is_no_administrator_is_refused(office):
    """Nobody, an ordinary user, and one who has been deactivated or has lost the right."""
    for identity in (ANNA, Identity("t", "nobody"), Identity("nowhere", "boss")):
        with pytest.raises(Refused):
            office.administration.as_user(identity)
    office.accounts.save_user(replace(user(office, BOSS), state=UserState.DEACTIVATED), None, "test")
    with pytest.raises(Refused):
        office.administration.as_user(BOSS)


def test_an_administrator_reaches_the_own_tenant_only(office, boss):
    """Whatever is asked for or done, a user of another tenant does not exist."""
    assert ["anna", "bert", "boss"] == logins(office.administration.users(boss))
    office.devices.seen(Identity("other", "olga"), "DEV1")
    assert 0 == office.administration.devices(boss).total
    assert {"t"} == {line.tenant for line in office.administration.export_audit(boss)}
    for act in (
        lambda: office.administration.user(boss, "olga"),
        lambda: office.administration.identity_of(boss, "olga"),
        lambda: office.administration.unlock(boss, ["olga"]),
        lambda: office.administration.set_gate(boss, ["anna", "olga"], Gate.SYNC_RIGHT, None, False),
        lambda: office.administration.set_rights(boss, ["olga"], []),
        lambda: save_admin(office, boss, "olga", is_admin=True),
        lambda: office.administration.end_sessions(boss, "olga"),
    ):
        with pytest.raises(NotFound):
            act()
    assert user(office).sync_right


def test_what_concerns_all_tenants_is_for_the_default_ones_administrators(office, boss):
    """Maintenance is what concerns all."""
    chief = office.administration.as_user(Identity("other", "chief"))
    with pytest.raises(Refused):
        office.administration.set_maintenance(chief, "new disks")
    office.administration.set_maintenance(boss, "new disks", 300)
    with pytest.raises(Maintenance):
        office.accounts.sign_in("anna", "secret", PHONE)
    assert [("", "page boss", "maintenance on")] == audited(office)
    office.administration.set_maintenance(boss, None)


def test_the_operator_may_do_it_for_any_tenant(office):
    """Who can read the configuration file needs no user."""
    operator = office.administration.as_operator("other", "cli root")
    assert ["chief", "olga"] == logins(office.administration.users(operator))
    assert save_admin(office, operator, "olga", is_admin=True)
    assert [("olga", "cli root", "changed")] == audited(office, tenant="other")


# -------------------------------------------------------------------- users


def test_a_row_tells_what_keeps_a_user_from_synchronising(office, boss, clock):
    """Gates, lock, when somebody last came, with how many clients, what fails, and how much is offered."""
    office.accounts.sign_in("anna", "secret", PHONE)
    office.accounts.sign_in("anna", "secret", Caller(face=Face.DAV, device="DAVx5/4"))
    for _ in range(2):
        office.records.write(Actor(identity=ANNA, face=Face.CRM), Kind.CONTACTS, Contact(last_name="A", sync_users=("anna",)))
    office.feeds.refresh(ANNA, Kind.CONTACTS)
    office.settings.set_switch(ANNA, Kind.TASKS, False, "test")
    office.devices.seen(ANNA, "APPL1")
    with office.store.writing() as tx:
        tx.save_failure(Failure(identity=ANNA, device_id="APPL1", collection="contacts", item="x", reason="why", at=START))
    clock.now += timedelta(minutes=1)
    lock(office)
    row = office.administration.user(boss, "anna")
    assert (clock.now, 5, START, 2, 1) == (row.locked_since, row.failures, row.last_seen, row.clients, row.failing)
    assert {Kind.CONTACTS: (), Kind.APPOINTMENTS: (), Kind.TASKS: (Gate.SWITCH,)} == row.gates
    assert {Kind.CONTACTS: 2, Kind.APPOINTMENTS: 0, Kind.TASKS: 0} == row.offered
    quiet = office.administration.user(boss, "bert")
    assert (None, 0, None, 0, 0) == (quiet.locked_since, quiet.failures, quiet.last_seen, quiet.clients, quiet.failing)


def test_users_are_searched_and_paged(office, boss):
    """By any part of the login, whatever the case; a wildcard is a character."""
    for number in range(5):
        office.accounts.save_user(User(identity=Identity("t", f"Sales_{number}")), None, "test")
    page = office.administration.users(boss, text="sales", page=1, size=2)
    assert (["Sales_2", "Sales_3"], 5) == (logins(page), page.total)
    assert 0 == office.administration.users(boss, text="s%4").total
    assert ([], 8) == (logins(office.administration.users(boss, page=9)), office.administration.users(boss, page=9).total)


def test_users_are_shown_by_what_is_wrong(office, boss):
    """Locked, with a gate of their own closed, deactivated, and administrators."""
    lock(office, "bert")
    office.settings.set_other_channel(ANNA, Kind.TASKS, True, "test")
    shown = {show: logins(office.administration.users(boss, show=show)) for show in Show}
    assert {"all": ["anna", "bert", "boss"], "locked": ["bert"], "closed": ["anna"], "deactivated": [], "admins": ["boss"]} == shown
    office.administration.set_gate(boss, ["bert"], Gate.USER_STATE, None, False)
    assert ["bert"] == logins(office.administration.users(boss, show=Show.DEACTIVATED))
    assert ["anna", "bert"] == logins(office.administration.users(boss, show=Show.CLOSED))


def test_a_lock_that_has_run_out_is_none(make_office, clock):
    """With lock_minutes (U39)."""
    office = make_office(Policy(lock_minutes=30))
    operator = office.administration.as_operator("t", "cli")
    lock(office)
    assert ["anna"] == logins(office.administration.users(operator, show=Show.LOCKED))
    clock.now += timedelta(minutes=30)
    assert [] == logins(office.administration.users(operator, show=Show.LOCKED))
    assert office.administration.user(operator, "anna").locked_since is None


@pytest.mark.parametrize("wrong", [{"page": -1}, {"page": 10**9}, {"size": 0}, {"size": 101}, {"text": "x" * 101}, {"text": "\0"}])
def test_a_list_that_cannot_be_asked_for_is_refused(office, boss, wrong):
    """Numbers come out of an address line."""
    for ask in (office.administration.users, office.administration.devices):
        with pytest.raises(BadRequest):
            ask(boss, **wrong)


def test_a_page_of_users_costs_the_same_for_500_as_for_5(office, boss):
    """So many statements, whoever is on it."""
    found = []
    for size in (5, 500):
        with office.store.writing() as tx:
            for number in range(size):
                tx.save_user(User(identity=Identity("t", f"u{size}-{number}")))
        with counting(office) as statements:
            page = office.administration.users(boss, size=100)
        found.append(len(statements))
    assert (100, 508) == (len(page.rows), page.total)
    assert found[0] == found[1] <= 7


# -------------------------------------------------------------------- doing


def test_a_gate_is_closed_for_many_in_one_commit(office, boss):
    """With a line for each whom it concerns, and none for whom it was closed already."""
    office.administration.set_gate(boss, ["bert"], Gate.SYNC_RIGHT, None, False)
    assert 1 == office.administration.set_gate(boss, ["anna", "bert"], Gate.SYNC_RIGHT, None, False)
    assert [("anna", "page boss", "gate closed: sync_right"), ("bert", "page boss", "gate closed: sync_right")] == audited(office, 2)
    assert (Gate.SYNC_RIGHT,) == office.administration.user(boss, "anna").gates[Kind.TASKS]
    assert 2 == office.administration.set_gate(boss, ["anna", "bert"], Gate.SYNC_RIGHT, None, True)


@pytest.mark.parametrize("is_open", [True, False])
def test_whom_the_crm_suspended_only_the_crm_lets_in_again(office, boss, is_open):
    """To activate many at once ends what administrators did; deactivated, the user stays out whatever the CRM says next."""
    with office.store.writing() as tx:
        tx.save_user(replace(user(office), state=UserState.SUSPENDED))
        tx.save_user(replace(user(office, BERT), state=UserState.DEACTIVATED))
    assert 1 == office.administration.set_gate(boss, ["anna", "bert"], Gate.USER_STATE, None, is_open)  # the other one is so already
    states = {True: (UserState.SUSPENDED, UserState.ACTIVE), False: (UserState.DEACTIVATED, UserState.DEACTIVATED)}
    assert states[is_open] == (user(office).state, user(office, BERT).state)


def test_all_are_changed_or_none(office, boss):
    """An unknown login in the middle."""
    with pytest.raises(NotFound):
        office.administration.set_gate(boss, ["anna", "nobody", "bert"], Gate.SWITCH, Kind.TASKS, False)
    assert Kind.TASKS in user(office).switches


@pytest.mark.parametrize(("gate", "error"), [(Gate.MODULE, Refused), (Gate.SWITCH, BadRequest), (Gate.OTHER_CHANNEL, BadRequest)])
def test_a_gate_that_is_not_one_of_a_user_is_refused(office, boss, gate, error):
    """The tenant's, or one of no kind."""
    with pytest.raises(error):
        office.administration.set_gate(boss, ["anna"], gate, None, False)


@pytest.mark.parametrize("count", [0, 501])
def test_so_many_users_at_once_are_refused(office, boss, count):
    """At most 500."""
    with pytest.raises(BadRequest):
        office.administration.unlock(boss, [f"u{number}" for number in range(count)])


def test_nobody_locks_the_own_door(office, boss):
    """An administrator can neither deactivate the own user nor give the right away; another one can."""
    with pytest.raises(Refused):
        office.administration.set_gate(boss, ["anna", "boss"], Gate.USER_STATE, None, False)
    with pytest.raises(Refused):
        save_admin(office, boss, "boss", is_admin=False)
    assert save_admin(office, boss, "anna", is_admin=True)
    assert not save_admin(office, boss, "anna", is_admin=True)
    assert save_admin(office, office.administration.as_user(ANNA), "boss", is_admin=False)
    with pytest.raises(Refused):
        office.administration.as_user(BOSS)


def test_rights_are_set_for_many(office, boss):
    """They are words that there are; the log tells what was taken."""
    assert 2 == office.administration.set_rights(boss, ["anna", "bert"], ["contacts.read"])
    assert frozenset({"contacts.read"}) == user(office).rights
    with office.store.reading() as tx:
        assert "-contacts.modify" in tx.audit("t", 1)[0].detail
    with pytest.raises(BadRequest):
        office.administration.set_rights(boss, ["anna"], ["contacts.fly"])


def test_u42_an_administrator_unlocks(office, boss):
    """Those who are locked, with a line for each of them."""
    lock(office)
    assert 1 == office.administration.unlock(boss, ["anna", "bert"])
    assert not office.accounts.is_locked(ANNA)
    assert [("anna", "page boss", "unlocked")] == audited(office)


def test_sessions_of_a_user_are_ended(office, boss):
    """Of somebody who has left, say."""
    office.accounts.open_page_session(office.accounts.sign_in("anna", "secret", Caller(), door=Door.PAGE))
    assert 1 == office.administration.end_sessions(boss, "anna")
    assert [("anna", "page boss", "page sessions ended")] == audited(office)


# ------------------------------------------------------------------ devices


def test_devices_of_all_are_listed_with_what_fails(office, boss):
    """Searched by whose they are, or what they say of themselves."""
    for identity, device in ((ANNA, "APPL1"), (BERT, "ANDR1")):
        office.devices.seen(identity, device, "iPhone" if device == "APPL1" else "Android")
    office.devices.update(BERT, "ANDR1", information=(("Model", "Pixel 8"),))
    with office.store.writing() as tx:
        tx.save_failure(Failure(identity=BERT, device_id="ANDR1", collection="contacts", item="x", reason="why", at=START))
    page = office.administration.devices(boss)
    assert ([("APPL1", 0), ("ANDR1", 1)], 2) == ([(device.id, failing) for device, failing in page.rows], page.total)
    for text in ("bert", "pixel", "andr1", "android"):
        assert ["ANDR1"] == [device.id for device, _ in office.administration.devices(boss, text=text).rows], text


# -------------------------------------------------------------------- audit


def test_the_log_is_filtered_and_paged(office, boss):
    """By login, by how the event begins, by any text; a page goes on where the one before ended."""
    with office.store.writing() as tx:
        for number in range(5):
            line = AuditLine(
                at=START, tenant="t", login=f"u{number % 2}", actor="cli", event="gate closed: switch", detail=f"Line {number}"
            )
            tx.add_audit(line)
    ask = office.administration.audit
    first = ask(boss, event="gate", size=2)
    assert ["Line 4", "Line 3"] == [one.line.detail for one in first]
    assert ["Line 2", "Line 1"] == [one.line.detail for one in ask(boss, event="gate", before=first[-1].number, size=2)]
    assert ["Line 3", "Line 1"] == [one.line.detail for one in ask(boss, login="u1")]
    assert ["Line 3"] == [one.line.detail for one in ask(boss, text="line 3")]
    assert [] == list(ask(boss, text="line_3"))
    assert ["Line 4", "Line 2", "Line 0"] == [line.detail for line in office.administration.export_audit(boss, login="u0")]


def test_an_export_is_complete_and_read_in_pieces(office, boss, monkeypatch):
    """Whatever its length."""
    monkeypatch.setattr("radicale_onoffice.core.administration.EXPORTED_AT_ONCE", 4)
    with office.store.writing() as tx:
        for number in range(12):
            tx.add_audit(AuditLine(at=START, tenant="t", login="u", actor="cli", event="x", detail=str(number)))
    assert [str(number) for number in reversed(range(12))] == [line.detail for line in office.administration.export_audit(boss, login="u")]
