"""Two who change the same record: what stands, and what a device is taken to show (U46, rule 40)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from radicale_onoffice.core import merging, slots
from radicale_onoffice.core.drafts import ContactDraft, TaskDraft
from radicale_onoffice.core.model import (
    Actor,
    Appointment,
    Base,
    Contact,
    Entry,
    EntryKind,
    Face,
    Frequency,
    Identity,
    Kind,
    Recurrence,
    Slot,
    Task,
    TaskStatus,
)
from radicale_onoffice.core.policy import Policy

ANNA = Identity("t", "anna")
CRM = Actor(identity=ANNA, face=Face.CRM)
PHONE = Actor(identity=ANNA, face=Face.EAS, device="p")
TEN = datetime(2026, 4, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_start_and_end_are_taken_from_one_side_as_a_whole():
    """The CRM makes it longer while the device moves it: half of each would be an appointment that nobody wanted, or ends before it starts."""
    base = Appointment(subject="s", start=TEN, end=TEN + HOUR)
    device = replace(base, start=TEN + 5 * HOUR, end=TEN + 6 * HOUR, subject="d")
    current = replace(base, end=TEN + 2 * HOUR)
    assert replace(current, subject="d") == merging.merge(base, device, current)
    assert replace(device) == merging.merge(base, device, current, device_wins=True)


def test_rule_80_a_deadline_and_whether_it_holds_are_one_thing():
    """A device that sets a deadline, while the CRM notes an inactive one, does not make that one active."""
    base = Task(subject="s")
    current = replace(base, deadline=TEN)
    assert current == merging.merge(base, replace(base, deadline=TEN + HOUR, deadline_strict=True), current)


def test_days_that_are_left_out_of_a_series_add_up():
    """Each is a thing of its own: else an occurrence that stands alone now would take place in the series, too (rule 72)."""
    first, second, third = (date(2026, 4, day) for day in (8, 15, 22))

    def series(*days: date, until: date | None = None) -> Appointment:
        return Appointment(start=TEN, end=TEN + HOUR, recurrence=Recurrence(frequency=Frequency.WEEK, until=until, exceptions=days))

    merged = merging.merge(series(first), series(first, second), series(first, third, until=date(2026, 7, 1)))
    assert series(first, second, third, until=date(2026, 7, 1)) == merged
    assert series(third) == merging.merge(series(first), series(), series(first, third))


def number(entry_id: int, value: str, slot: Slot | None) -> Entry:
    return Entry(id=entry_id, kind=EntryKind.PHONE, value=value, slot=slot)


def assigned(current: Contact, base: Contact, **how) -> dict[str, Slot | None]:
    after = slots.assign(current, base, {Slot.MOBILE: "0151 3"}, frozenset({Slot.MOBILE}), region="DE", policy=Policy(), **how)
    return {entry.value: entry.slot for entry in after.entries}


def test_u46_a_slot_that_the_crm_filled_meanwhile_is_the_crms():
    """The device's number is kept without a slot: nothing that was typed is lost."""
    base = Contact(entries=(number(1, "0151 1", Slot.MOBILE),))
    current = Contact(entries=(number(1, "0151 1", None), number(2, "0151 2", Slot.MOBILE)))
    assert {"0151 1": None, "0151 2": Slot.MOBILE, "0151 3": None} == assigned(current, base)
    assert {"0151 1": None, "0151 2": None, "0151 3": Slot.MOBILE} == assigned(current, base, device_wins=True)
    assert {"0151 3": Slot.MOBILE} == assigned(Contact(entries=(number(1, "0151 3", Slot.MOBILE),)), base)


def test_what_a_device_wrote_itself_lies_on_top_of_what_it_had(office):
    """Also if it never got an answer: its own words are not somebody else's, and what others wrote it does not have."""
    made = office.records.write(CRM, Kind.CONTACTS, Contact(last_name="A", city="Aachen", sync_users=("anna",)))
    office.records.write(CRM, Kind.CONTACTS, replace(made.value, city="Bonn"), record_id=made.id)
    had = office.records.base("t", made.id, 1, by=PHONE)
    office.records.put(PHONE, Kind.CONTACTS, ContactDraft(value=replace(made.value, last_name="B")), record_id=made.id, base=had)
    shown = office.records.base("t", made.id, 1, by=PHONE)
    assert ("B", "Aachen") == (shown.value.last_name, shown.value.city)
    assert "Aachen" in shown.text
    assert "Bonn" not in shown.text
    assert ("B", "Bonn") == (office.records.get("t", made.id).value.last_name, office.records.get("t", made.id).value.city)
    assert ("A", "Aachen") == (had.value.last_name, had.value.city)


def test_a_record_that_is_younger_than_the_device_knows_is_shown_in_its_first_version(office):
    """It can only have got it in a page since; so its edit is compared with the oldest that it may have."""
    made = office.records.write(CRM, Kind.CONTACTS, Contact(last_name="A", sync_users=("anna",)))
    office.records.write(CRM, Kind.CONTACTS, replace(made.value, last_name="B"), record_id=made.id)
    assert "A" == office.records.base("t", made.id, 0, by=PHONE).value.last_name
    assert None is office.records.base("t", made.id, 0)


def test_a_number_that_a_device_set_itself_is_in_its_slot_in_what_it_shows():
    """And of the numbers that others set, none is."""
    base = Contact(entries=(number(1, "0151 1", Slot.MOBILE),))
    before = Contact(entries=(number(1, "0151 1", Slot.MOBILE), number(2, "0241 2", Slot.HOME)))
    after = Contact(entries=(number(1, "0151 1", None), number(2, "0241 2", Slot.HOME), number(3, "0151 3", Slot.MOBILE)))
    shown = slots.offered(merging.overlaid(base, before, after))
    assert {Slot.MOBILE: "0151 3"} == {slot: entry.value for slot, entry in shown.items()}


@pytest.mark.parametrize("change", [{"done": True}, {"status": TaskStatus.COMPLETED}])
def test_rule_80_a_task_that_a_device_completes_without_saying_when_is_completed_now(office, change):
    """In the tenant's zone, as every moment is kept; found by the fuzzer: it could not be stored at all."""
    record = office.records.put(PHONE, Kind.TASKS, TaskDraft(value=Task(subject="s", **change)))
    stored = office.records.get("t", record.id).value
    assert (office.clock(), "Europe/Berlin") == (stored.completed_at, stored.completed_at.tzinfo.key)


def test_leftovers_of_a_device_lie_on_top_too():
    """By property, as in every merge of theirs."""
    base = Base(value=Contact())
    assert base.leftovers == merging.merge_leftovers(base, base.leftovers, base)
