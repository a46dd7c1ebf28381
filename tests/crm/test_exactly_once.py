"""Whatever happens on the way, a device that repeats until it is told of a success has its change in onOffice once."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from radicale_onoffice.core.drafts import ContactDraft
from radicale_onoffice.core.errors import Conflict, DuplicateUid, MadeBefore, NotFound, OfficeError, UpstreamDown
from radicale_onoffice.core.model import Actor, Base, Face, Kind, Slot, TaskStatus
from radicale_onoffice.core.policy import OnOutage, Policy
from radicale_onoffice.crm.onoffice.draining import Drain
from tests.crm.desks import ANNA, CHANGES, COLUMNS, DRAFTS, NUMBERS, PHONE, TABLES, VALUES, Desk, numbers

KINDS = list(Kind)
# What happened, and whether onOffice did what it was sent
FAULTS = {
    "429": {"kind": "status", "status": 429},
    "502 before": {"kind": "status", "status": 502},
    "502 after": {"kind": "status", "status": 502, "when": "after"},
    "503 after": {"kind": "status", "status": 503, "when": "after"},
    "reset before": {"kind": "reset"},
    "reset after": {"kind": "reset", "when": "after"},
    "timeout after": {"kind": "delay", "seconds": 60.0, "when": "after"},
    "truncated": {"kind": "truncate", "when": "after"},
    "a result missing": {"kind": "drop", "when": "after"},
}
DONE = {"502 after", "503 after", "reset after", "timeout after", "truncated", "a result missing"}
DIALECTS = [
    {},
    {"rewrite_numbers": True, "address_stamp_zone": "utc", "task_stamp_zone": "utc"},
    {"entry_ids": "fresh", "error_shape": "a"},
]


class PowerFailure(Exception):
    """The process ends here."""


def insist(at, write, tries: int = 8):
    """Repeat as devices do, a minute later each time, until it succeeds."""
    for _ in range(tries):
        try:
            return write()
        except UpstreamDown:
            at.wait(minutes=1)
    raise AssertionError("it never succeeded")


@contextmanager
def failing_commit(at, number: int = 1):
    """The store fails at its nth commit from now on, once; that the account was surveyed is stored before."""
    at.emulated.connections.to("t").account()
    store, made = at.office.store, type(at.office.store)
    writing, left = made.writing, [number]

    @contextmanager
    def torn(self, *, lasting=True):
        with writing(self, lasting=lasting) as tx:
            yield tx
            left[0] -= self is store
            if self is store and left[0] == 0:
                raise PowerFailure

    made.writing = torn
    try:
        with suppress(PowerFailure):
            yield
    finally:
        made.writing = writing


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: ",".join(one) or "defaults")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_record_is_made_once(desk, kind, fault, dialect):
    """The creation meets the fault; if it was done all the same, that is found without a repetition by the device."""
    at = desk(**dialect)
    at.fault(verb="create", resourcetype=TABLES[kind], **FAULTS[fault])
    tries = 1 if fault in DONE or fault == "429" else 8
    record = insist(at, lambda: at.add(kind), tries)
    assert (1, [], 1) == (len(at.rows(kind)), at.errands(), len(at.all_stored(kind)))
    assert at.rows(kind)[0]["id"] == at.number(record)
    if kind is Kind.CONTACTS:
        row = at.row(record)
        assert (2, 1, [at.emulator.account.user("anna")]) == (
            len(numbers(row)),
            len(numbers(row, "email")),
            row["links"]["address:user:sync"],
        )


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_creation_could_not_say_is_said_once(desk, fault):
    """The second request of a new contact, with the further number and the flag, meets the fault."""
    at = desk()
    more = {Slot.HOME: "0241 1", Slot.HOME2: "0241 2", **NUMBERS}
    at.fault(verb="modify", resourcetype="address", **FAULTS[fault])
    draft = ContactDraft(value=VALUES[Kind.CONTACTS], sent=more)
    record = insist(at, lambda: at.office.records.put(PHONE, Kind.CONTACTS, draft, uid="u", name="u.vcf"))
    row = at.row(record)
    assert (sorted(["0241 1", "0241 2", NUMBERS[Slot.BUSINESS], NUMBERS[Slot.MOBILE]]), 1) == (numbers(row), len(at.rows(Kind.CONTACTS)))
    assert ([at.emulator.account.user("anna")], []) == (row["links"]["address:user:sync"], at.errands())


@pytest.mark.parametrize("insists", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_made_once(desk, kind, fault, insists):
    """A number that is added stands there once; so does everything else. Nobody who insists on a version (If-Match) is told of its own change."""
    at = desk()
    record = at.add(kind)
    at.fault(verb="modify", resourcetype=TABLES[kind], **FAULTS[fault])
    more = {"sent": {**NUMBERS, Slot.HOME: "0241 77"}} if kind is Kind.CONTACTS else {}
    insist(at, lambda: at.edit(record, expect=record.version if insists else None, **CHANGES[kind], **more))
    *_, column, value = COLUMNS[kind]
    row = at.row(record)
    assert (value, []) == (str(row[column]), at.errands())
    if kind is Kind.CONTACTS:
        assert sorted([NUMBERS[Slot.BUSINESS], NUMBERS[Slot.MOBILE], "0241 77"]) == numbers(row)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("kind", "change"), [(Kind.CONTACTS, {"city": "Köln"}), (Kind.TASKS, {"description": "neu", "priority": 1})])
def test_a_change_in_one_request_is_acknowledged_with_the_first_answer(desk, kind, change, fault):
    """The client's own repetition looks at what the try before it wrote, and that is nobody else's change: one version, as if nothing had been."""
    at = desk()
    record = at.add(kind)
    at.fault(verb="modify", resourcetype=TABLES[kind], **FAULTS[fault])
    changed = insist(at, lambda: at.edit(record, expect=record.version, **change), 1 if fault in DONE else 8)
    assert (2, [], replace(record.value, **change)) == (changed.version, at.errands(), at.stored(record).value)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_removal_is_done_once(desk, fault):
    """And the device that repeats it is not told of an error."""
    at = desk()
    record, _ = at.add(Kind.APPOINTMENTS), at.add(Kind.APPOINTMENTS, uid="other", name="b.ics")
    at.fault(verb="delete", resourcetype="calendar", **FAULTS[fault])
    with suppress(NotFound):
        insist(at, lambda: at.remove(record))
    assert (1, True, []) == (len(at.rows(Kind.APPOINTMENTS)), at.stored(record).deleted, at.errands())


def test_a_request_that_is_carried_out_late_makes_no_twin(desk):
    """We gave up waiting, the device came again, and only then onOffice got to it: the repetition had waited for that."""
    at = desk()
    at.fault(verb="create", resourcetype="task", kind="delay", seconds=60.0)
    with pytest.raises(UpstreamDown):
        at.add(Kind.TASKS)
    at.wait(minutes=1)
    with pytest.raises(UpstreamDown):
        at.add(Kind.TASKS)
    assert 1 == at.control.settle()
    at.add(Kind.TASKS)
    assert (1, []) == (len(at.rows(Kind.TASKS)), at.errands())


# ----------------------------------------------------------------------- crashes


@pytest.mark.parametrize("commit", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_crash_while_a_record_is_made(desk, kind, commit):
    """Before it is sent, or after it was done and before that is stored."""
    at = desk()
    with failing_commit(at, commit):
        at.add(kind)
    assert (commit - 1, []) == (len(at.rows(kind)), at.all_stored(kind))
    record = insist(at, lambda: at.add(kind), 1)
    assert (1, [], at.number(record)) == (len(at.rows(kind)), at.errands(), at.rows(kind)[0]["id"])


@pytest.mark.parametrize("commit", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_crash_while_a_record_is_changed(desk, kind, commit):
    """The same for a change with a new number."""
    at = desk()
    record = at.add(kind)
    more = {"sent": {**NUMBERS, Slot.HOME: "0241 77"}} if kind is Kind.CONTACTS else {}
    with failing_commit(at, commit):
        at.edit(record, **CHANGES[kind], **more)
    assert record == at.stored(record)
    changed = insist(at, lambda: at.edit(record, **CHANGES[kind], **more), 1)
    *_, column, value = COLUMNS[kind]
    assert (value, [], changed) == (str(at.row(record)[column]), at.errands(), at.stored(record))
    if kind is Kind.CONTACTS:
        assert (3, "0241 77") == (len(numbers(at.row(record))), {one.slot: one.value for one in changed.value.entries}[Slot.HOME])


@pytest.mark.parametrize("commit", [1, 2])
def test_a_crash_while_a_record_is_deleted(desk, commit):
    """It is gone on both sides in the end."""
    at = desk()
    record, _ = at.add(Kind.APPOINTMENTS), at.add(Kind.APPOINTMENTS, uid="other", name="b.ics")
    with failing_commit(at, commit):
        at.remove(record)
    assert not at.stored(record).deleted
    at.remove(record)
    assert (1, True, []) == (len(at.rows(Kind.APPOINTMENTS)), at.stored(record).deleted, at.errands())


def test_an_unsettled_change_holds_up_the_next_one(desk):
    """Nobody may write over what is perhaps still on its way; another record is not held up."""
    at = desk()
    record, other = at.add(Kind.CONTACTS), at.add(Kind.CONTACTS, uid="other", name="b.vcf")
    at.fault(verb="modify", resourcetype="address", kind="delay", seconds=60.0)
    with pytest.raises(UpstreamDown):
        at.edit(record, sent={**NUMBERS, Slot.HOME: "0241 77"})
    with pytest.raises(UpstreamDown, match="not known yet") as caught:
        at.edit(record, city="Bonn")
    assert 30 <= caught.value.retry_after <= 150
    assert "Bonn" == at.edit(other, city="Bonn").value.city
    at.control.settle()
    changed = at.edit(record, city="Bonn")
    assert (3, "Bonn", []) == (len(numbers(at.row(changed))), changed.value.city, at.errands())


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_no_device_repeats_is_cleared_up(desk, kind, done):
    """A crash, and the phone was thrown away: what was made is adopted, what was not is forgotten."""
    at = desk()
    with failing_commit(at, 2):
        at.add(kind)
    if not done:
        at.control.delete(TABLES[kind], at.rows(kind)[0]["id"])
    assert 1 == at.drain().left
    at.wait(minutes=20)
    assert (1, 0) == (at.drain().done, at.drain().left)
    assert (done, []) == (len(at.all_stored(kind)) == 1, at.errands())
    if done:
        assert at.number(at.all_stored(kind)[0]) == at.rows(kind)[0]["id"]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("on_outage", OnOutage)
def test_chaos(desk, seed, on_outage):
    """A fifth of all requests fails in some way: each acknowledged write is there once, and both sides are equal in the end."""
    at = desk(Policy(writes_during_outage=on_outage))
    at.add(Kind.TASKS, uid="first", name="first.ics")
    at.control.chaos(0.2, seed)
    records = [
        insist(at, lambda n=n: at.add(Kind.TASKS, uid=f"u{n}", name=f"{n}.ics", changes={"subject": f"Aufgabe {n}"}), 40) for n in range(12)
    ]
    for n, record in enumerate(records):
        insist(at, lambda n=n, record=record: at.edit(record, description=f"Neu {n}"), 40)
    for _ in range(40):
        at.wait(minutes=3)
        with suppress(OfficeError):
            at.drain()
    at.control.clear_faults()
    at.wait(minutes=20)
    at.drain()
    assert [] == at.errands()
    expected = {f"Aufgabe {n}": f"Neu {n}" for n in range(12)}
    assert 13 == len(at.rows(Kind.TASKS))
    assert expected == {row["Betreff"]: row["Aufgabe"] for row in at.rows(Kind.TASKS) if row["Betreff"] != "Rückruf"}
    assert expected == {one.value.subject: one.value.description for one in at.all_stored(Kind.TASKS) if one.value.subject != "Rückruf"}


def test_two_devices_that_make_the_same_make_two(desk):
    """Only the same device's repetition is one."""
    at = desk()
    with failing_commit(at, 2):
        at.add(Kind.TASKS)
    at.add(Kind.TASKS, replace(PHONE, device="tablet"), uid="other", name="b.ics")
    at.add(Kind.TASKS)
    assert (2, []) == (len(at.rows(Kind.TASKS)), at.errands())


GONE = {Kind.CONTACTS: ("Status2Adr", "status2adr_archive"), Kind.TASKS: ("Status", 5), Kind.APPOINTMENTS: ("status", "nowhere")}


ANNAS = {Kind.CONTACTS: {"sync_users": ("anna",)}, Kind.APPOINTMENTS: {"participants": ("anna",)}, Kind.TASKS: {"responsible": "anna"}}


@pytest.mark.parametrize("kind", KINDS)
def test_a_uid_that_somebody_else_took_meanwhile_leaves_one_record(desk, make_office, kind):
    """Over two processes: whoever is stored second is told that the UID is taken, and what it made in onOffice is taken back."""
    at, other = desk(), make_office(crm="onoffice")
    at.add(kind, uid="earlier", name="earlier.item")
    value = replace(VALUES[kind], **CHANGES[kind], **ANNAS[kind])
    user = Actor(identity=ANNA, face=Face.CRM)
    at.emulated.wires["t"].then = lambda: other.records.write(user, kind, value, uid="of-the-device", name="b.item")
    with pytest.raises(DuplicateUid):
        at.add(kind)
    name, gone = GONE[kind]
    assert 2 == len([row for row in at.rows(kind) if row.get(name) != gone])
    assert ([], 2) == (at.errands(), len(at.all_stored(kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_repetition_that_overtakes_the_first_try_stays(desk, make_office, kind):
    """A device that waits no longer edits and comes again, to another process, while the first try is still under way: the edit stands."""
    at, other = desk(), make_office(crm="onoffice")

    def come_again() -> None:
        how = {"uid": "of-the-device", "name": "a.item"}
        with pytest.raises(MadeBefore) as told:
            other.records.put(PHONE, kind, DRAFTS[kind](value=replace(VALUES[kind], **CHANGES[kind])), **how)
        made = other.records.get("t", told.value.record_id)
        assert ("of-the-device", "a.item") == (made.uid, made.name)
        had = Base(value=made.value, leftovers=made.leftovers, text=made.text)
        draft = DRAFTS[kind](value=replace(made.value, **CHANGES[kind]))
        other.records.put(PHONE, kind, draft, record_id=made.id, base=had)

    at.emulated.connections.to("t").account()
    at.emulated.wires["t"].then = come_again
    with pytest.raises(DuplicateUid):
        at.add(kind)
    *_, column, value = COLUMNS[kind]
    (row,), (stored,) = at.rows(kind), at.all_stored(kind)
    assert ([], value, row["id"]) == (at.errands(), str(row[column]), at.number(stored))


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_that_was_read_before_another_process_wrote_is_not_stored_over_it(desk, make_office, kind):
    """Somebody edits in onOffice; while our look at that is on its way, another process changes the record, and acknowledges it."""
    at, other = desk(), make_office(crm="onoffice")
    record = at.add(kind)
    column, _, name, theirs = COLUMNS[kind]
    at.control.edit(TABLES[kind], at.number(record), **{column: "im Büro"})
    tablet = replace(PHONE, device="tablet")
    at.emulated.wires["t"].then = lambda: Desk(other, at.emulated, at.clock).edit(record, tablet, **CHANGES[kind])
    looks_first = {Kind.CONTACTS: {"sent": {**NUMBERS, Slot.HOME: "0241 77"}}, Kind.APPOINTMENTS: {"location": "Garten"}}
    with pytest.raises(Conflict):
        at.edit(record, expect=record.version, **looks_first.get(kind, {"status": TaskStatus.COMPLETED, "done": True}))
    stored = at.stored(record).value
    assert {**CHANGES[kind], "office": "im Büro"} == {
        **{field: getattr(stored, field) for field in CHANGES[kind]},
        "office": stored.last_name if kind is Kind.CONTACTS else stored.subject,
    }
    assert (theirs, []) == (str(at.row(record)[name]), at.errands())


@pytest.mark.parametrize("kind", KINDS)
def test_what_another_process_is_just_writing_is_left_to_it(desk, make_office, kind):
    """A turn that begins while the answer to a change is on its way clears nothing up: the client is not told of its own change (If-Match)."""
    at, other = desk(), make_office(crm="onoffice")
    record = at.add(kind)
    left = []
    at.emulated.wires["t"].then = lambda: left.append(Drain(other.crm, other.store, at.clock, "two")("t").left)
    changed = at.edit(record, expect=record.version, **CHANGES[kind])
    assert (2, [1], []) == (changed.version, left, at.errands())
