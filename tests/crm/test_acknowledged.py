"""What a device was told of as done while onOffice was down is done once when it is back, as it would have been without the outage."""

from __future__ import annotations

from contextlib import suppress

import pytest

from radicale_onoffice.core.errors import OfficeError
from radicale_onoffice.core.model import Actor, Face, Identity, Kind, Slot, User
from radicale_onoffice.core.policy import OnOutage, OnTaskDelete, Policy
from radicale_onoffice.core.ports import ErrandState, Link
from radicale_onoffice.mirrors import Mirrors
from tests.crm.desks import ANNA, CHANGES, NUMBERS, TABLES, numbers, shown
from tests.crm.test_exactly_once import failing_commit

QUEUE = Policy(writes_during_outage=OnOutage.QUEUE, task_delete=OnTaskDelete.DELETE)
KINDS = list(Kind)
WITH_HOME = {**NUMBERS, Slot.HOME: "0241 77"}
THREE = sorted([NUMBERS[Slot.BUSINESS], NUMBERS[Slot.MOBILE], "0241 77"])


def drained(at, times: int = 4) -> None:
    """Turns of the queue, minutes apart; what cannot be done now is no error."""
    for _ in range(times):
        at.wait(minutes=5)
        with suppress(OfficeError):
            at.drain()


# ------------------------------------------------------ refused, and nobody refuses it


def test_a_queued_write_is_sent_with_the_newest_names(desk):
    """A colleague who came to onOffice during the outage takes part."""
    at = desk(QUEUE)
    at.add(Kind.APPOINTMENTS, uid="before", name="before.item")
    at.outage()
    at.office.accounts.save_user(User(identity=Identity("t", "carl")), "secret", "test")
    at.control.add_user("carl")
    at.add(Kind.APPOINTMENTS, changes={"participants": ("anna", "carl")})
    at.recover()
    drained(at)
    assert ([], 2) == (at.errands(), len(at.rows(Kind.APPOINTMENTS)))


def test_a_queued_write_does_without_a_field_that_is_gone(desk):
    """The administrator dropped it during the outage."""
    at = desk(QUEUE)
    record = at.add(Kind.CONTACTS)
    at.outage()
    at.edit(record, city="Köln")
    at.control.drop_field("address", "Zusatz2")
    at.recover()
    drained(at)
    assert ([], "Köln") == (at.errands(), at.row(record)["Ort"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_of_before_the_tenant_was_connected_is_made(desk, kind):
    """It has no number in onOffice: its change makes it there, when it was queued, too."""
    at = desk(QUEUE)
    at.add(kind, uid="before", name="before.item")
    record = at.add(kind)
    at.control.delete(TABLES[kind], at.number(record))
    with at.office.store.writing() as tx:
        tx.save_link("t", kind, record.id, Link(""))
    at.outage()
    at.edit(record, **CHANGES[kind])
    at.recover()
    drained(at)
    assert ([], 2) == (at.errands(), len(at.rows(kind)))


def test_an_undone_deletion_whose_creation_meets_the_outage_is_made(desk):
    """An appointment that a user takes back on the page."""
    at = desk(QUEUE)
    at.add(Kind.APPOINTMENTS, uid="before", name="before.item")
    record = at.add(Kind.APPOINTMENTS)
    at.remove(record)
    at.fault(verb="create", resourcetype="calendar", kind="status", status=429, times=10**6)
    at.office.records.restore(Actor(identity=ANNA, face=Face.CRM), record.id, 1)
    at.recover()
    drained(at)
    assert ([], 2) == (at.errands(), len(at.rows(Kind.APPOINTMENTS)))


@pytest.mark.parametrize("both", [False, True], ids=["undone in the outage", "removed in the outage, too"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_undone_deletion_is_undone_in_onoffice(desk, kind, both):
    """It is there once, not archived and not cancelled."""
    at = desk(QUEUE)
    at.add(kind, uid="before", name="before.item")
    record, actor = at.add(kind), Actor(identity=ANNA, face=Face.CRM)
    if both:
        at.outage()
    at.office.records.remove(actor, record.id)
    at.outage()
    at.office.records.restore(actor, record.id, 1)
    at.recover()
    drained(at)
    assert ([], [], 2) == (at.errands(), at.told(), len(at.rows(kind)))
    first, again = ([str(row.get(key) or "") for key in ("Status", "Status2Adr", "erledigt")] for row in at.rows(kind))
    assert (first, record.value) == (again, at.stored(record).value)


def test_a_refused_new_record_is_made_as_its_device_mends_it_during_an_outage(desk):
    """And no retry of its first form undoes that: there is none any more."""
    at = desk(QUEUE)
    at.add(Kind.CONTACTS, uid="before", name="before.item")
    at.outage()
    record = at.add(Kind.CONTACTS)
    at.recover()
    at.fault(kind="error", verb="create", resourcetype="address", code=82, message="bad value")
    at.drain()
    at.outage()
    at.edit(at.stored(record), city="Bonn")
    at.recover()
    drained(at)
    assert ([], ["Aachen", "Bonn"]) == (at.errands(), sorted(row["Ort"] for row in at.rows(Kind.CONTACTS)))


# ------------------------------------------------------------------------ numbers


def test_a_number_of_a_change_that_was_done_stands_there_once(desk):
    """The answer was lost, and what somebody edited meanwhile hides that the change was done."""
    at = desk(QUEUE)
    record = at.add(Kind.CONTACTS)
    at.outage()
    at.edit(record, sent=WITH_HOME)
    at.recover()
    at.fault(kind="reset", when="after", verb="modify", resourcetype="address")
    with suppress(OfficeError):
        at.drain()
    at.control.edit("address", at.number(record), Plz="52062")
    drained(at)
    assert (THREE, []) == (numbers(at.row(record)), at.errands())


def test_a_number_that_somebody_added_during_the_outage_too_stands_there_once(desk):
    """In another notation, and with the slot that the device gave it."""
    at = desk(QUEUE)
    record = at.add(Kind.CONTACTS)
    at.outage()
    at.edit(record, sent=WITH_HOME)
    at.control.add_entry(at.number(record), "phone", "(0241) 77", "private")
    at.recover()
    drained(at)
    assert (3, set(WITH_HOME)) == (len(numbers(at.row(record))), set(shown(at.stored(record).value)))


def test_a_number_of_a_change_that_a_kill_interrupted_stands_there_once(desk):
    """Done, the process killed before that was stored, and repeated by the device while onOffice is down."""
    at = desk(QUEUE)
    record = at.add(Kind.CONTACTS)
    with failing_commit(at, 2):
        at.edit(record, sent=WITH_HOME)
    at.outage()
    at.edit(record, sent=WITH_HOME)
    at.recover()
    drained(at)
    assert (THREE, []) == (numbers(at.row(record)), at.errands())


def test_a_contact_that_is_made_and_edited_in_an_outage_keeps_its_slots(desk):
    """Where onOffice writes numbers its own way, too."""
    at = desk(QUEUE, rewrite_numbers=True)
    at.add(Kind.CONTACTS, uid="before", name="before.item")
    at.outage()
    record = at.edit(at.add(Kind.CONTACTS), sent={**NUMBERS, Slot.BUSINESS: "0241 77"})
    at.recover()
    drained(at)
    assert set(shown(record.value)) == set(shown(at.stored(record).value))


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize("commit", range(1, 7))
def test_a_refusal_is_finished_after_a_kill(desk, commit):
    """Whatever was stored last: both sides say the same, and the user is told once."""
    at = desk(QUEUE)
    record = at.add(Kind.TASKS)
    at.outage()
    at.edit(record, priority=1)
    at.recover()
    at.fault(kind="error", verb="modify", resourcetype="task", code=156, message="Access violation", times=99)
    with failing_commit(at, commit):
        at.drain()
    drained(at)
    assert ("3", 3) == (str(at.row(record)["Prio"]), at.stored(record).value.priority)
    assert ([ErrandState.REFUSED], 1) == ([one.state for one in at.errands()], len(at.told()))


def test_a_refusal_is_finished_after_an_outage(desk):
    """onOffice refuses to remove an appointment and does not answer then: the appointment comes back to the device later."""
    at = desk(QUEUE)
    record, _ = at.add(Kind.APPOINTMENTS), at.add(Kind.APPOINTMENTS, uid="other", name="b.ics")
    at.outage()
    at.remove(record)
    at.recover()
    wire, no_right = at.emulated.wires["t"], {"kind": "error", "verb": "delete", "resourcetype": "calendar", "code": 168, "times": 99}
    at.fault(**no_right)
    wire.then = lambda: setattr(wire, "then", lambda: (at.control.clear_faults(), at.outage()))  # behind the second answer
    with suppress(OfficeError):
        at.drain()
    at.recover()
    at.fault(**no_right)
    drained(at)
    assert (2, False, 1) == (len(at.rows(Kind.APPOINTMENTS)), at.stored(record).deleted, len(at.told()))


def test_a_refused_change_of_what_cannot_be_understood_is_taken_back_when_it_can(desk):
    """Somebody broke the appointment in onOffice, and mends it later to what it was."""
    at = desk(QUEUE)
    record = at.add(Kind.APPOINTMENTS)
    mirror = Mirrors(at.office, at.office.crm, "m").of("t")
    mirror.turn()
    at.outage()
    at.edit(record, note="Schlüssel")
    at.recover()
    at.control.edit("calendar", at.number(record), start_dt="0000-00-00 00:00:00")
    at.drain()
    assert [ErrandState.REFUSED] == [one.state for one in at.errands()]
    at.control.edit("calendar", at.number(record), start_dt="2026-04-01 10:00:00")
    at.wait(minutes=5)
    mirror.turn()
    assert record.value == at.stored(record).value


def test_what_follows_a_refused_change_is_sent_without_it(desk):
    """A field that was changed twice gets its last value, and nobody is told of a change in onOffice that there was not."""
    at = desk(QUEUE)
    record = at.add(Kind.TASKS)
    at.outage()
    at.edit(at.edit(record, priority=1, description="erst"), priority=2)
    at.recover()
    at.fault(kind="error", verb="modify", resourcetype="task", code=82, message="no such value")
    drained(at)
    assert ("2", "Wegen des Vertrags", 1) == (str(at.row(record)["Prio"]), at.row(record)["Aufgabe"], len(at.told()))
    assert (2, "Wegen des Vertrags") == ((stored := at.stored(record).value).priority, stored.description)


def test_a_number_after_a_refused_number_is_added_alone(desk):
    """Two numbers for one field, one after the other; the first is refused."""
    at = desk(QUEUE)
    record = at.add(Kind.CONTACTS)
    at.outage()
    at.edit(at.edit(record, sent={**NUMBERS, Slot.HOME: "0241 1"}), sent=WITH_HOME)
    at.recover()
    at.fault(kind="error", verb="modify", resourcetype="address", code=82, message="no such value")
    drained(at)
    assert (THREE, WITH_HOME) == (numbers(at.row(record)), shown(at.stored(record).value))


def test_a_change_after_a_refused_creation_makes_the_record(desk):
    """As it would, had the refusal come before the change."""
    at = desk(QUEUE)
    at.add(Kind.CONTACTS, uid="before", name="before.item")
    at.outage()
    at.edit(at.edit(at.add(Kind.CONTACTS), city="Bonn"), zip_code="53111")
    at.recover()
    at.fault(kind="error", verb="create", resourcetype="address", code=82, message="bad value")
    drained(at)
    assert ([], [("Aachen", ""), ("Bonn", "53111")]) == (
        at.errands(),
        sorted((row["Ort"], row.get("Plz", "")) for row in at.rows(Kind.CONTACTS)),
    )


# ---------------------------------------------------------------------- removals


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_made_and_removed_in_an_outage_is_removed(desk, kind):
    """That onOffice gave it ids and a creator, and wrote numbers its own way, is no change by somebody else."""
    at = desk(QUEUE, rewrite_numbers=True)
    at.add(kind, uid="before", name="before.item")
    at.outage()
    more = {"private": True} if kind is not Kind.CONTACTS else {"sent": {**NUMBERS, Slot.BUSINESS: "0241 77"}}
    record = at.edit(at.add(kind), **more)
    at.office.records.remove(Actor(identity=ANNA, face=Face.CRM), record.id)
    at.recover()
    drained(at)
    assert ([], True) == ([one for one in at.told() if "stays although" in one], at.stored(record).deleted)
    left = [row["Status"] for row in at.rows(kind) if kind is not Kind.APPOINTMENTS and row["id"] == at.number(record)]
    assert {Kind.CONTACTS: ["0"], Kind.APPOINTMENTS: [], Kind.TASKS: ["5"]}[kind] == [str(one) for one in left]
    assert kind is not Kind.APPOINTMENTS or 1 == len(at.rows(kind))


def test_a_number_that_somebody_added_keeps_a_contact_from_being_removed(desk):
    """It is a change like others."""
    at = desk(QUEUE)
    record = at.add(Kind.CONTACTS)
    at.outage()
    at.office.records.remove(Actor(identity=ANNA, face=Face.CRM), record.id)
    at.control.add_entry(at.number(record), "phone", "0241 9")
    at.recover()
    drained(at)
    assert (False, 1) == (at.stored(record).deleted, len(at.told()))


def test_what_onoffice_refused_to_change_is_removed(desk):
    """It has it as the device knew it before."""
    at = desk(QUEUE)
    record, _ = at.add(Kind.APPOINTMENTS), at.add(Kind.APPOINTMENTS, uid="other", name="b.ics")
    at.outage()
    at.remove(at.edit(record, note="Schlüssel"))
    at.recover()
    at.fault(kind="error", verb="modify", resourcetype="calendar", code=82, message="no such value")
    drained(at)
    assert (1, True, 1) == (len(at.rows(Kind.APPOINTMENTS)), at.stored(record).deleted, len(at.told()))


@pytest.mark.parametrize("kind", KINDS)
def test_what_onoffice_refused_to_make_is_removed(desk, kind):
    """There is nothing to do in onOffice, and nothing that an administrator could send again."""
    at = desk(QUEUE)
    at.add(kind, uid="before", name="before.item")
    at.outage()
    record = at.add(kind)
    at.office.records.remove(Actor(identity=ANNA, face=Face.CRM), record.id)
    at.recover()
    at.fault(kind="error", verb="create", resourcetype=TABLES[kind], code=82, message="bad value")
    drained(at)
    assert ([], 1, True) == (at.errands(), len(at.rows(kind)), at.stored(record).deleted)


# ----------------------------------------------------------------------- reports


def test_a_conflict_is_told_once(desk):
    """Whatever the sending meets before it is done."""
    at = desk(QUEUE)
    record = at.add(Kind.TASKS)
    at.outage()
    at.edit(record, priority=1, description="vom Telefon")
    at.control.edit("task", at.number(record), Aufgabe="aus onOffice")
    at.recover()
    at.fault(kind="status", status=429, verb="modify", resourcetype="task", times=10)
    drained(at)
    assert (1, "aus onOffice", "1") == (len(at.told()), at.row(record)["Aufgabe"], str(at.row(record)["Prio"]))
