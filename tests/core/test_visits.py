"""Which clients come with a login, and which of them still use an old password (rules 86, 90)."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from radicale_onoffice.core import visits
from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.clients import Client, LastSync, client_of
from radicale_onoffice.core.errors import SignInRefused, Unavailable
from radicale_onoffice.core.model import Face, Identity, Kind
from radicale_onoffice.core.visits import last_syncs
from tests.conftest import START

ANNA, NOBODY = Identity("t", "anna"), Identity("t", "nobody")
PHONE = Caller(address="192.0.2.7", face=Face.EAS, device="APPL1", label="iPhone")
TABLET = Caller(address="192.0.2.8", face=Face.EAS, device="APPL2", label="iPad")
DAVX5 = Caller(address="192.0.2.9", face=Face.DAV, device="DAVx5/4.3.13-ose (2024/01/03; dav4jvm; okhttp/4.12.0) Android/14")


@pytest.fixture
def office(make_office):
    return make_office()


def come(office, caller=PHONE, password="secret", login="anna"):
    return office.accounts.sign_in(login, password, caller)


def fail(office, caller=PHONE, times=1, login="anna"):
    for _ in range(times):
        with pytest.raises(SignInRefused):
            come(office, caller, "wrong", login)


def change_password(office, password="new-secret"):
    with office.store.reading() as tx:
        user = tx.user(ANNA)
    office.accounts.save_user(user, password, "test")


@contextmanager
def statements(office):
    """What is asked of the database in the block."""
    found = []

    def said(_connection, _cursor, statement, *_):
        found.append(statement)

    sqlalchemy.event.listen(office.store.engine, "before_cursor_execute", said)
    yield found
    sqlalchemy.event.remove(office.store.engine, "before_cursor_execute", said)


USER_AGENTS = [
    ("iOS/17.2 (21C62) dataaccessd/1.0", "iOS", "iOS 17.2"),
    ("macOS/14.1 (23B74) AddressBookCore/2651.200.23", "macOS", "macOS 14.1"),
    ("Mac+OS+X/10.15.7 (19H2) CalendarAgent/930.5.1", "Mac OS X", "Mac OS X 10.15.7"),
    (DAVX5.device, "DAVx5", "DAVx5 4.3.13-ose"),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.4.1", "Thunderbird", "Thunderbird 115.4.1"),
    ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0 Safari/537.36", "Chrome", "Chrome 119.0"),
    ("vdirsyncer", "vdirsyncer", "vdirsyncer"),
]


@pytest.mark.parametrize(("agent", "id", "label"), USER_AGENTS)
def test_a_dav_client_goes_by_its_product(agent, id, label):
    """Without the version, so that an update makes no other client of it, and without what it says in brackets."""
    assert Client(Face.DAV, id, label) == client_of("dav", agent)


@pytest.mark.parametrize(
    ("face", "device"), [("dav", ""), ("dav", "((("), ("dav", "Mozilla/5.0 (X11)"), ("eas", " "), ("page", "Firefox/1"), ("", "x")]
)
def test_who_says_nothing_of_itself_is_no_client(face, device):
    """Nor is the page."""
    assert client_of(face, device) is None


@given(st.sampled_from(["dav", "eas"]), st.text(max_size=3000), st.text(max_size=300))
def test_whatever_a_client_says_is_bounded_and_printable(face, device, label):
    """It stands in a table that people read."""
    found = client_of(face, device, label)
    assert found is None or (0 < len(found.id) <= 64 and len(found.label) <= 100 and (found.id + found.label).isprintable())


def test_a_client_is_noted_with_its_address_and_when_it_came(office, clock):
    """The one that came last stands first."""
    come(office)
    clock.now += timedelta(minutes=1)
    come(office, DAVX5)
    dav, eas = office.visits.of(ANNA)
    assert ("DAVx5", "DAVx5 4.3.13-ose", "192.0.2.9", START + timedelta(minutes=1)) == (dav.client, dav.label, dav.address, dav.last_ok)
    assert (Face.EAS, "APPL1", "iPhone", START, START, None, 0) == (
        eas.face, eas.client, eas.label, eas.first_seen, eas.last_ok, eas.last_failed, eas.failures,
    )  # fmt: skip
    assert () == office.visits.of(Identity("t", "bert"))


def test_a_success_is_noted_every_ten_minutes(office, clock):
    """What is in between costs what it cost before: one reading of the account."""
    come(office)
    with statements(office) as found:
        for _ in range(3):
            clock.now += timedelta(minutes=3)
            come(office)
    assert [] == [one for one in found if "visits" in one]
    assert START == office.visits.of(ANNA)[0].last_ok
    clock.now += timedelta(minutes=1)
    come(office)
    assert START + timedelta(minutes=10) == office.visits.of(ANNA)[0].last_ok


def test_wrong_passwords_are_counted_per_client_until_the_right_one_comes(office, clock):
    """Which is noted at once, whatever was noted last."""
    come(office)
    fail(office, times=2)
    fail(office, TABLET)
    assert {"APPL1": 2, "APPL2": 1} == {one.client: one.failures for one in office.visits.of(ANNA)}
    clock.now += timedelta(seconds=1)
    come(office)
    phone, tablet = office.visits.of(ANNA)
    assert (0, START, START + timedelta(seconds=1)) == (phone.failures, phone.last_failed, phone.last_ok)
    assert (1, None) == (tablet.failures, tablet.last_ok)


def test_rule_90_the_clients_with_an_old_password_are_told(office, clock):
    """Those that last came with it, and those that have tried it since; not a stranger, and not one that was corrected."""
    for caller in (PHONE, TABLET, DAVX5):
        come(office, caller)
    assert () == office.visits.with_old_password(ANNA)
    clock.now += timedelta(hours=1)
    change_password(office)
    assert {"APPL1", "APPL2", "DAVx5"} == {one.client for one in office.visits.with_old_password(ANNA)}
    come(office, PHONE, "new-secret")
    fail(office, TABLET)
    fail(office, Caller(face=Face.EAS, device="STRANGER"))
    assert {"APPL2", "DAVx5"} == {one.client for one in office.visits.with_old_password(ANNA)}
    come(office, TABLET, "new-secret")
    come(office, DAVX5, "new-secret")
    assert () == office.visits.with_old_password(ANNA)


def test_an_unknown_login_leaves_nothing_and_asks_the_same(office):
    """Statement by statement, so that nobody learns who exists."""
    fail(office, times=1)
    with statements(office) as known:
        fail(office, times=1)
    fail(office, times=1, login="nobody")
    with statements(office) as unknown:
        fail(office, times=1, login="nobody")
    assert () == office.visits.of(NOBODY)
    writes = ("INSERT", "UPDATE", "DELETE")
    assert [one for one in known if one.startswith(writes)] == [one for one in unknown if one.startswith(writes)]


def test_a_locked_login_notes_nothing(office):
    """Its passwords are not looked at."""
    come(office)
    fail(office, times=5)
    with statements(office) as found:
        fail(office, times=3)
        fail(office, TABLET)
    assert [] == [one for one in found if "visits" in one]


def test_strangers_push_no_client_out_and_are_bounded(make_office, office, clock, monkeypatch):
    """Who tries passwords under ever new names fills nothing."""
    monkeypatch.setattr(visits, "MAX_KNOWN", 3)
    monkeypatch.setattr(visits, "MAX_STRANGERS", 2)
    for number in range(4):
        clock.now += timedelta(minutes=1)
        come(office, Caller(face=Face.EAS, device=f"MINE{number}"))
    for number in range(4):
        clock.now += timedelta(minutes=1)
        fail(office, Caller(face=Face.EAS, device=f"FOREIGN{number}"))
    assert ["FOREIGN3", "FOREIGN2", "MINE3", "MINE2", "MINE1"] == [one.client for one in office.visits.of(ANNA)]


def test_what_a_client_synchronises_is_noted_per_kind(office, clock):
    """With how many clients did so lately."""
    for caller in (PHONE, TABLET):
        come(office, caller)
        office.visits.synced(ANNA, caller.client, Kind.CONTACTS)
    clock.now += timedelta(minutes=12)
    office.visits.synced(ANNA, PHONE.client, Kind.CONTACTS)
    office.visits.synced(ANNA, PHONE.client, Kind.TASKS)
    assert {Kind.CONTACTS: LastSync(clock.now, 2), Kind.TASKS: LastSync(clock.now, 1)} == last_syncs(office.visits.of(ANNA), clock.now)
    clock.now += timedelta(days=31)
    assert 0 == last_syncs(office.visits.of(ANNA), clock.now)[Kind.CONTACTS].clients


def test_a_sync_is_noted_every_ten_minutes(office, clock):
    """In between nothing is asked of the database."""
    come(office)
    office.visits.synced(ANNA, PHONE.client, Kind.CONTACTS)
    clock.now += timedelta(minutes=9)
    with statements(office) as found:
        office.visits.synced(ANNA, PHONE.client, Kind.CONTACTS)
        office.visits.synced(ANNA, None, Kind.CONTACTS)
    assert [] == found


def test_a_database_that_cannot_be_written_keeps_nobody_out(office, monkeypatch, caplog):
    """The visit is not noted, and the client comes in."""
    monkeypatch.setattr(type(office.store), "writing", lambda *_, **__: (_ for _ in ()).throw(Unavailable("full", 1)))
    assert ANNA == come(office).identity
    assert "not noted" in caplog.text


def test_visits_go_with_the_user_and_a_phones_with_the_phone(office):
    """What is removed leaves nothing behind."""
    come(office)
    come(office, DAVX5)
    office.devices.seen(ANNA, "APPL1")
    office.devices.remove(ANNA, "APPL1", "test")
    assert ["DAVx5"] == [one.client for one in office.visits.of(ANNA)]
    office.accounts.remove_user(ANNA, "test")
    assert () == office.visits.of(ANNA)


def test_a_client_that_is_forgotten_is_no_longer_told_and_comes_again_as_a_new_one(office, clock):
    """Its password need not be corrected any more."""
    program = Caller(address="192.0.2.8", face=Face.DAV, device="DAVx5/4.4")
    office.accounts.sign_in("anna", "secret", program)
    office.visits.forget(ANNA, Face.DAV, "DAVx5")
    assert () == office.visits.of(ANNA)
    clock.now += timedelta(minutes=1)
    office.accounts.sign_in("anna", "secret", program)
    assert [clock.now] == [one.first_seen for one in office.visits.of(ANNA)]
