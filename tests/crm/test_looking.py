"""A change is written with the look at what was there in one request; what somebody else had changed is put back, as if the look came first."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import date, timedelta
from unittest import mock

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radicale_onoffice.core.errors import Conflict, Refused, UpstreamDown
from radicale_onoffice.core.model import AppointmentStatus, Frequency, Kind, Recurrence, Slot, TaskStatus
from radicale_onoffice.core.policy import OnOutage, Policy
from radicale_onoffice.core.ports import ErrandState
from radicale_onoffice.crm.onoffice import rows
from tests.crm.desks import NUMBERS, PHONE, START, TABLES, VALUES
from tests.crm.test_exactly_once import failing_commit

KINDS = list(Kind)
# What both sides change: column, onOffice's value, the device's field, its value, how onOffice's reads
BOTH = {
    Kind.CONTACTS: ("Ort", "Bonn", "city", "Köln"),
    Kind.APPOINTMENTS: ("note", "vom Büro", "note", "vom Gerät"),
    Kind.TASKS: ("Aufgabe", "vom Büro", "description", "vom Gerät"),
}
STAMPS = {"modified", "modified_day", "Kommentar"}


def requests(at) -> int:
    return at.control.counters()["requests"]


def without_stamps(row):
    return {name: value for name, value in row.items() if name not in STAMPS}


LOOK_FIRST = [
    (Kind.CONTACTS, {"sent": {**NUMBERS, Slot.HOME: "0241 77"}}),
    (Kind.APPOINTMENTS, {"location": "Garten"}),
    (Kind.APPOINTMENTS, {"status": AppointmentStatus.CANCELLED}),
    (Kind.TASKS, {"status": TaskStatus.COMPLETED, "done": True}),
]
AT_ONCE = [
    (Kind.CONTACTS, {"city": "Köln", "birthday": date(1990, 1, 2)}),
    (Kind.APPOINTMENTS, {"start": START + timedelta(hours=2), "end": START + timedelta(hours=4), "subject": "Später"}),
    (Kind.TASKS, {"deadline": date(2026, 5, 1), "priority": 1, "progress": 50}),
]


@pytest.mark.parametrize(("kind", "changes"), LOOK_FIRST)
def test_what_cannot_be_put_back_is_looked_at_first(desk, kind, changes):
    """Numbers, series, places, what sets a process off: two requests."""
    at = desk()
    record = at.add(kind)
    at.control.reset_counters()
    at.edit(record, **changes)
    assert 2 == requests(at)


@pytest.mark.parametrize(("kind", "changes"), AT_ONCE)
def test_a_plain_change_is_one_request(desk, kind, changes):
    """Texts, days and times."""
    at = desk()
    record = at.add(kind)
    at.control.reset_counters()
    changed = at.edit(record, **changes)
    assert (1, replace(record.value, **changes), []) == (requests(at), changed.value, at.errands())


def test_a_series_is_changed_after_a_look(desk):
    """Also its start, which is its anchor."""
    at = desk()
    record = at.add(Kind.APPOINTMENTS)
    for changes in (
        {"recurrence": Recurrence(frequency=Frequency.WEEK)},
        {"start": START + timedelta(hours=2), "end": START + timedelta(hours=4)},
    ):
        at.control.reset_counters()
        record = at.office.records.write(PHONE, Kind.APPOINTMENTS, replace(record.value, **changes), record_id=record.id)
        assert 2 == requests(at)


def test_taking_a_contact_off_a_device_is_one_request(desk):
    """A flag is there or not."""
    at = desk()
    record = at.add(Kind.CONTACTS)
    at.control.reset_counters()
    at.remove(record)
    assert (1, []) == (requests(at), at.row(record)["links"]["address:user:sync"] if at.row(record)["links"] else [])


@pytest.mark.parametrize("kind", KINDS)
def test_what_both_changed_stays_as_it_is_in_onoffice(desk, kind):
    """U46: onOffice's stands, there and here, and its edit is a version of its own; what only the device changed is written."""
    at = desk()
    record = at.add(kind)
    column, theirs, field, ours = BOTH[kind]
    at.control.edit(TABLES[kind], at.number(record), **{column: theirs})
    other = {Kind.CONTACTS: {"company": "Neu"}, Kind.APPOINTMENTS: {"subject": "Neu"}, Kind.TASKS: {"subject": "Neu"}}[kind]
    changed = at.edit(record, **{field: ours}, **other)
    assert (theirs, replace(record.value, **{field: theirs}, **other), []) == (at.row(record)[column], changed.value, at.errands())
    actors = [str(line.actor.face) for line in at.office.records.history("t", record.id)]
    assert ["dav", "crm", "dav"] == actors


SAME = [
    *((kind, {BOTH[kind][0]: "gleich"}, {BOTH[kind][2]: "gleich"}) for kind in KINDS),
    (Kind.APPOINTMENTS, {"status": "canceled"}, {"status": AppointmentStatus.CANCELLED}),
]


@pytest.mark.parametrize(("kind", "columns", "changes"), SAME)
def test_who_wants_what_is_there_already_is_told_of_no_conflict(desk, kind, columns, changes):
    """Also a client that insists on its version: it has what it wants, and nobody's change is lost."""
    at = desk()
    record = at.add(kind)
    at.control.edit(TABLES[kind], at.number(record), **columns)
    changed = at.edit(record, expect=record.version, **changes)
    assert (2, replace(record.value, **changes), []) == (changed.version, at.stored(record).value, at.errands())


class Blind(httpx.BaseTransport):
    """Hides what the reading before the next change finds, or after it, or both."""

    def __init__(self, inner: httpx.BaseTransport, hidden: str):
        self._inner, self._hidden = inner, hidden

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        answer = json.loads(response.read())
        results = answer["response"]["results"]
        written = [place for place, one in enumerate(results) if "modify" in one["actionid"]]
        if not written or not self._hidden:
            return httpx.Response(response.status_code, json=answer)
        for place, one in enumerate(results):
            if (place < written[0] and self._hidden in ("before", "both")) or (place > written[-1] and self._hidden in ("after", "both")):
                one["data"]["records"] = []
        self._hidden = ""
        return httpx.Response(response.status_code, json=answer)


@pytest.mark.parametrize("hidden", ["before", "after", "both"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_hidden_for_a_moment_while_it_is_changed_is_not_gone(desk, kind, hidden):
    """onOffice took the change: it is looked up and acknowledged, and the record stays."""
    at = desk()
    record, _ = at.add(kind), at.add(kind, uid="other", name="b.item")
    column, _, field, ours = BOTH[kind]
    at.emulated.wires["t"]._inner = Blind(at.emulated.wires["t"]._inner, hidden)
    changed = at.edit(record, expect=record.version, **{field: ours})
    assert (2, False, ours, []) == (changed.version, at.stored(record).deleted, at.row(record)[column], at.errands())


def test_what_is_hidden_for_longer_is_looked_for_again(desk):
    """A right hides one task and lets it be changed: the device comes again, and is told of its change when the right is back."""
    at = desk()
    record, _ = at.add(Kind.TASKS), at.add(Kind.TASKS, uid="other", name="b.item")
    api = at.emulator.account.user("api")
    at.control.set_right(api, "task", "read", allowed=False, record=at.number(record))
    with pytest.raises(UpstreamDown, match="rights"):
        at.edit(record, description="vom Gerät")
    assert (False, 1) == (at.stored(record).deleted, len(at.errands()))
    at.control.set_right(api, "task", "read", allowed=True, record=at.number(record))
    changed = at.edit(record, description="vom Gerät")
    assert (2, "vom Gerät", []) == (changed.version, at.row(record)["Aufgabe"], at.errands())


@pytest.mark.parametrize("on_outage", OnOutage)
@pytest.mark.parametrize("kind", KINDS)
def test_an_outage_before_it_is_put_back(desk, kind, on_outage):
    """The queue has what is to be put back, and sends it before anything else of this record."""
    at = desk(Policy(writes_during_outage=on_outage))
    record = at.add(kind)
    column, theirs, field, ours = BOTH[kind]
    at.control.edit(TABLES[kind], at.number(record), **{column: theirs})
    at.fault(kind="pass", verb="modify")
    at.fault(kind="status", status=429, times=10**6)
    if on_outage is OnOutage.REFUSE:
        with pytest.raises(UpstreamDown):
            at.edit(record, **{field: ours})
        at.recover()
        with pytest.raises(UpstreamDown, match="Earlier changes"):
            at.edit(record, **{field: ours})
    else:
        at.edit(record, **{field: ours})
    assert (ours, ErrandState.WAITING) == (at.row(record)[column], at.errands()[0].state)
    at.recover()
    at.drain()
    assert (theirs, theirs, []) == (at.row(record)[column], getattr(at.stored(record).value, field), at.errands())


@pytest.mark.parametrize("commit", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_a_crash_while_it_is_put_back(desk, kind, commit):
    """Before anything is sent, and with what is to be put back noted, sent, done: onOffice's stands. Only between is nothing known of it."""
    at = desk()
    record = at.add(kind)
    column, theirs, field, ours = BOTH[kind]
    at.control.edit(TABLES[kind], at.number(record), **{column: theirs})
    with failing_commit(at, commit + (kind is Kind.APPOINTMENTS)):  # whose feed is brought up to date first
        at.edit(record, **{field: ours})
    at.drain()
    at.wait(minutes=5)
    at.drain()
    changed = at.edit(record, **{field: ours})
    assert [] == at.errands()
    assert at.row(record)[column] == getattr(changed.value, field)
    if commit != 2:  # there the process ended between onOffice's answer and the note of what it said
        assert theirs == at.row(record)[column]


def test_what_onoffice_does_not_take_back_is_told(desk):
    """The device's value stands then, on both sides."""
    at = desk()
    record = at.add(Kind.TASKS)
    at.control.edit("task", at.number(record), Aufgabe="vom Büro")
    at.fault(kind="pass", verb="modify")
    at.fault(kind="error", verb="modify", resourcetype="task", code=255, message="No.")
    changed = at.edit(record, description="vom Gerät")
    assert ("vom Gerät", "vom Gerät", []) == (at.row(record)["Aufgabe"], changed.value.description, at.errands())
    assert any("could not be put back" in line for line in at.told())


# ------------------------------------------------- the same as with a look first

words = st.sampled_from(["", "A", "B"])
COLUMNS = {
    Kind.CONTACTS: {"Vorname": words, "Ort": words, "Zusatz1": words, "Geburtsdatum": st.sampled_from(["", "1985-12-10"])},
    Kind.APPOINTMENTS: {"description": words, "note": words, "private": st.booleans(), "end_dt": st.just("2026-04-01 12:30:00")},
    Kind.TASKS: {"Betreff": words, "Aufgabe": words, "Prio": st.sampled_from(["1", "5"]), "Stand": st.sampled_from([0, 50])},
}
FIELDS = {
    Kind.CONTACTS: {"first_name": words, "city": words, "company": words, "birthday": st.sampled_from([None, date(1990, 1, 2)])},
    Kind.APPOINTMENTS: {"subject": words, "note": words, "private": st.booleans(), "end": st.just(START + timedelta(hours=3))},
    Kind.TASKS: {"subject": words, "description": words, "priority": st.sampled_from([1, 4]), "progress": st.sampled_from([25, 50])},
}
walk = settings(deadline=None, max_examples=12)


@pytest.mark.parametrize("kind", KINDS)
def test_looking_along_comes_to_the_same_as_looking_first(desk, kind):
    """Random edits on both sides at once: the same rows in onOffice, the same record here, the same answer to a client that insists."""

    at, numbers = desk(), itertools.count()

    def outcome(look_first: bool, columns, changes, insists):
        number = next(numbers)
        record = at.add(kind, uid=f"u{number}", name=f"{number}.item")
        at.control.edit(TABLES[kind], at.number(record), **columns)
        said = ""
        with mock.patch.object(rows, "can_be_put_back", (lambda *_: False) if look_first else rows.can_be_put_back):
            try:
                at.edit(record, expect=record.version if insists else None, **changes)
            except Conflict:
                said = "conflict"
        row = {name: one for name, one in without_stamps(at.row(record)).items() if one and name not in ("id", "entries", "KdNr", "uuid")}
        value = at.stored(record).value
        return said, row, replace(value, entries=()) if kind is Kind.CONTACTS else value, at.errands()

    @walk
    @given(
        st.fixed_dictionaries({}, optional=COLUMNS[kind]),
        st.fixed_dictionaries({}, optional=FIELDS[kind]).filter(bool),
        st.booleans(),
    )
    def same(columns, changes, insists):
        assert outcome(True, columns, changes, insists) == outcome(False, columns, changes, insists)

    same()


@pytest.mark.parametrize(("kind", "least"), [(Kind.CONTACTS, 2), (Kind.APPOINTMENTS, 1), (Kind.TASKS, 1)])
def test_a_new_record_is_read_along(desk, kind, least):
    """A contact's flag needs its number first, and so does the first task of a process; what is stored is what onOffice made of it."""
    at = desk()
    at.add(kind, uid="first", name="first.item")
    at.control.reset_counters()
    record = at.add(kind)
    assert least == requests(at)
    at.control.reset_counters()
    assert record.value == at.edit(record).value
    changed = at.edit(record, **{BOTH[kind][2]: BOTH[kind][3]})
    assert (BOTH[kind][3], 1) == (at.row(changed)[BOTH[kind][0]], requests(at))


@pytest.mark.parametrize("kind", [Kind.APPOINTMENTS, Kind.TASKS])
def test_reading_a_new_record_along_does_not_grow_with_what_there_is(desk, kind):
    """Of hundreds that have just been made, onOffice shows the new one only."""
    at = desk()
    for number in range(5):
        changes = {} if kind is Kind.TASKS else {"start": START + timedelta(hours=number), "end": START + timedelta(hours=number + 1)}
        at.add(kind, uid=f"u{number}", name=f"{number}.ics", changes=changes)
    (request,) = at.control.requests(1)
    *_, shown = json.loads(request["answered"])["response"]["results"]
    assert 1 == len(shown["data"]["records"])


def test_a_new_record_that_is_not_read_along_is_read_by_its_number(desk):
    """Too many start in the same second."""
    at = desk(calendar_default_limit=1)
    other = at.add(Kind.APPOINTMENTS, uid="other", name="other.ics")
    assert 1 == at.number(other)
    record = at.add(Kind.APPOINTMENTS)
    assert (at.number(record), 2) == (at.rows(Kind.APPOINTMENTS)[-1]["id"], len(at.rows(Kind.APPOINTMENTS)))


def test_a_task_with_links_is_read_with_them(desk):
    """Only what names none has none."""
    at = desk()
    at.add(Kind.TASKS, uid="first", name="first.ics")
    address = at.control.add("address", {"Name": "A"})
    record = at.office.records.write(PHONE, Kind.TASKS, replace(VALUES[Kind.TASKS], responsible="anna", addresses=(str(address),)))
    assert (str(address),) == record.value.addresses


def test_a_look_that_cannot_be_understood_leaves_nothing_written(desk):
    """Somebody broke the appointment in onOffice: the device is refused, and what was written with the look is taken back."""
    at = desk()
    record = at.add(Kind.APPOINTMENTS)
    at.control.edit("calendar", at.number(record), start_dt="0000-00-00 00:00:00")
    with pytest.raises(Refused, match="Mend it there"):
        at.edit(record, note="Schlüssel")
    assert ("", []) == (at.row(record)["note"], at.errands())
