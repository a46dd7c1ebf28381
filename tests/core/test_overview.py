"""What a user is shown of the own synchronisation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.clients import LastSync
from radicale_onoffice.core.errors import NotFound, SignInRefused
from radicale_onoffice.core.model import Actor, AuditLine, Contact, Face, Identity, Kind
from radicale_onoffice.core.rights import Gate
from tests.conftest import START

ANNA = Identity("t", "anna")
CRM = Actor(identity=ANNA, face=Face.CRM)
PHONE = Caller(address="192.0.2.7", face=Face.EAS, device="APPL1", label="iPhone")


@pytest.fixture
def office(make_office):
    return make_office()


def status(office, kind=Kind.CONTACTS):
    return next(one for one in office.overview.kinds(ANNA) if one.kind is kind)


def add_contacts(office, number):
    for index in range(number):
        office.records.write(CRM, Kind.CONTACTS, Contact(last_name=f"A{index}", sync_users=("anna",)))


def test_a_kind_says_how_many_records_are_offered_and_when_they_were_fetched(office, clock):
    """Contacts: on, 3 contacts, last synchronised 3 minutes ago by one device."""
    add_contacts(office, 3)
    office.records.write(CRM, Kind.CONTACTS, Contact(last_name="Not mine", sync_users=("bert",)))
    office.accounts.sign_in("anna", "secret", PHONE)
    office.visits.synced(ANNA, PHONE.client, Kind.CONTACTS)
    clock.now += timedelta(minutes=3)
    found = status(office)
    assert (True, 3, LastSync(START, 1)) == (found.is_offered, found.count, found.last_sync)
    assert (0, None) == (status(office, Kind.TASKS).count, status(office, Kind.TASKS).last_sync)


def test_a_closed_gate_is_told_and_nothing_is_counted(office):
    """Each kind for itself."""
    add_contacts(office, 1)
    office.settings.set_gate(ANNA, Gate.OTHER_CHANNEL, Kind.CONTACTS, False, "test")
    office.settings.set_gate(ANNA, Gate.SWITCH, Kind.CONTACTS, False, "test")
    found = status(office)
    assert ((Gate.SWITCH, Gate.OTHER_CHANNEL), False, 0) == (found.gates, found.is_offered, found.count)
    assert status(office, Kind.TASKS).is_offered


def test_a_missing_right_is_told_apart_from_the_gates(office):
    """The administrator mends it, not the user."""
    with office.store.reading() as tx:
        user = tx.user(ANNA)
    office.accounts.save_user(replace(user, rights=user.rights - {"contacts.read"}), None, "test")
    found = status(office)
    assert ((), False, False) == (found.gates, found.is_readable, found.is_offered)


def test_a_lock_tells_since_when_and_which_device_did_it(office, clock):
    """The user has to correct that one, and unlock then (rule 90)."""
    assert office.overview.user(ANNA).lock is None
    for device in ("OTHER", "APPL1", "APPL1", "APPL1", "APPL1"):
        clock.now += timedelta(minutes=1)
        with pytest.raises(SignInRefused):
            office.accounts.sign_in("anna", "old", replace(PHONE, device=device))
    lock = office.overview.user(ANNA).lock
    assert (START + timedelta(minutes=5), 5, "192.0.2.7", "APPL1") == (lock.since, lock.failures, lock.address, lock.client.client)
    office.accounts.unlock(ANNA, "test")
    assert office.overview.user(ANNA).lock is None


def test_maintenance_and_old_passwords_are_told(office, clock):
    """One look has everything."""
    office.accounts.sign_in("anna", "secret", PHONE)
    office.accounts.set_maintenance("new disks")
    clock.now += timedelta(minutes=1)
    with office.store.reading() as tx:
        user = tx.user(ANNA)
    office.accounts.save_user(user, "new-secret", "test")
    found = office.overview.user(ANNA)
    assert ("new disks", ["APPL1"]) == (str(found.maintenance), [one.client for one in found.with_old_password])


def test_deviations_and_refusals_of_the_last_month_are_told(office, clock):
    """The newest first, and only the user's own."""
    events = ("deviation", "refused", "unlocked", "deviation")
    for days, event in enumerate(events):
        line = AuditLine(at=START - timedelta(days=days * 12), tenant="t", login="anna", actor="eas", event=event, detail=f"{days}")
        with office.store.writing() as tx:
            tx.add_audit(line)
            tx.add_audit(replace(line, login="bert"))
    assert ["0", "1"] == [line.detail for line in office.overview.user(ANNA).told]


def test_who_does_not_exist_has_no_status(office):
    """Not even an empty one."""
    with pytest.raises(NotFound):
        office.overview.kinds(Identity("t", "nobody"))
    with pytest.raises(NotFound):
        office.overview.user(Identity("t", "nobody"))
