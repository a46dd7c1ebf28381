"""Values go to onOffice and come back: our client against the emulator, which shares no code with it.

Each walk is a write in one request with the reading back of what onOffice made of it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest

from radicale_onoffice.core.errors import NotFound, Refused, UpstreamDown
from radicale_onoffice.core.model import (
    Appointment,
    Contact,
    Entry,
    EntryKind,
    EntryType,
    Frequency,
    Kind,
    Recurrence,
    Slot,
    Task,
    TaskStatus,
)
from radicale_onoffice.crm.onoffice import appointments, rows
from radicale_onoffice.crm.onoffice.tenants import Access
from tests.conftest import START
from tests.crm.accounts import BERLIN
from tests.crm.conftest import OnOffice

PHONE = EntryKind.PHONE
# Every way in which an account may show numbers, dates and names; defaults first
DIALECTS = [
    {},
    {"typed_keys": "underscore", "default_keys": "plain", "booleans": "number", "empty_dates": "text"},
    {"default_keys": "bare", "booleans": "bool", "error_shape": "a", "several_entry_types": True},
    {"entry_ids": "fresh", "entry_order": "reversed", "error_shape": "c"},
    {"task_status_read": "number", "task_people_read": "login", "task_stamp_precision": "day", "status_in_old_read": False},
    {"old_read_series": "occurrences", "relation_duplicates": True, "address_stamp_readable": False, "task_comment_read": False},
]


@pytest.fixture(params=DIALECTS, ids=lambda switches: ",".join(switches) or "defaults")
def office(request, onoffice):
    return onoffice(**request.param)


def make(office: OnOffice, account, value):
    """Create, say what a create cannot say, read back."""
    record_id = office.client.ask(rows.create(value, account)).new_id
    kind = next(
        kind for kind in Kind if isinstance(value, {Kind.CONTACTS: Contact, Kind.APPOINTMENTS: Appointment, Kind.TASKS: Task}[kind])
    )
    return record_id, change(office, account, kind, record_id, value, rows.after_create(record_id, value, account), ours=_ids(value))


def edit(office: OnOffice, account, record_id, before, after):
    """Modify and read back."""
    kind = next(kind for kind, type_ in zip(Kind, (Contact, Appointment, Task), strict=True) if isinstance(after, type_))
    return change(office, account, kind, record_id, after, rows.modify(record_id, before, after, account), ours=_ids(after) - _ids(before))


def change(office, account, kind, record_id, after, actions, *, ours=frozenset()):
    reading = rows.reads(kind, record_id, account)
    results = office.client.call([*actions, *reading])
    rows.demanded(actions, results[: len(actions)])
    record = rows.whole(kind, record_id, reading, results[len(actions) :])
    return rows.load(kind, record, account, after, ours)


def _ids(value) -> frozenset[int]:
    return frozenset(entry.id for entry in value.entries) if isinstance(value, Contact) else frozenset()


def without_ids(contact: Contact):
    """A contact whose entries' ids say nothing: onOffice gives its own."""
    return replace(contact, entries=tuple(sorted((replace(entry, id=0) for entry in contact.entries), key=repr)))


ADA = Contact(
    salutation="Frau",
    first_name="Ada",
    last_name="Beispiel",
    company="Beispiel & Söhne",
    street="Hauptstr. 5",
    zip_code="52062",
    city="Aachen",
    country="Deutschland",
    birthday=date(1985, 12, 10),
    picture=b"\xff\xd8",
    picture_type="jpeg",
    entries=(
        Entry(id=1, kind=PHONE, value="+49 241 900100", type=EntryType.BUSINESS, default=True, slot=Slot.BUSINESS),
        Entry(id=2, kind=PHONE, value="+49 241 900101", type=EntryType.BUSINESS),
        Entry(id=3, kind=PHONE, value="+49 171 5550001", type=EntryType.MOBILE, slot=Slot.MOBILE),
        Entry(id=4, kind=EntryKind.EMAIL, value="ada@example.org", default=True, slot=Slot.EMAIL1),
    ),
    sync_users=("anna", "bert"),
)


def test_a_contact_comes_back_as_it_was_made(office):
    """With two numbers of one type, the flags of two users, and what only our store knows."""
    _, made = make(office, office.survey(), ADA)
    assert without_ids(ADA) == without_ids(made)


def test_a_devices_number_is_added_and_nothing_else_changes(office):
    """Rules 27 and 38: the old entry stays; the slot moves in our store."""
    account = office.survey()
    record_id, made = make(office, account, ADA)
    old = next(entry for entry in made.entries if entry.slot is Slot.MOBILE)
    entries = tuple(replace(entry, slot=None) if entry is old else entry for entry in made.entries)
    new = Entry(id=max(entry.id for entry in entries) + 1, kind=PHONE, value="+49 171 5550009", type=EntryType.MOBILE, slot=Slot.MOBILE)
    wanted = replace(made, entries=(*entries, new))
    assert without_ids(wanted) == without_ids(edit(office, account, record_id, made, wanted))


@pytest.mark.parametrize("default_keys", ["prefixed", "plain", "bare"])
@pytest.mark.parametrize("typed_keys", ["glued", "underscore", "untyped", "bare"])
def test_main_entries_are_known_without_the_plain_fields(onoffice, typed_keys, default_keys):
    """Asked for by keys of their own, whose notation may be that of any other entry, or have no id."""
    office = onoffice(typed_keys=typed_keys, default_keys=default_keys)
    for field in ("Telefon1", "Telefax1", "Email"):
        office.control.drop_field("address", field)
    address = office.control.add(
        "address", {"Name": "A"}, entries=[{"what": "phone", "value": "1"}, {"what": "phone", "value": "2", "type": "business"}]
    )
    office.control.add_entry(address, "phone", "3", "private", default=True)
    account = office.survey()
    (record,) = rows.fetch(office.client, account, Kind.CONTACTS, [str(address)]).values()
    entries = rows.load(Kind.CONTACTS, record, account).entries
    assert {"1", "2", "3"} >= {entry.value for entry in entries} >= {"1", "3"}
    if default_keys != "plain":  # there the default's key cannot be told from another's
        assert ["3"] == [entry.value for entry in entries if entry.default]


def test_a_number_edited_in_the_crm_keeps_its_slot(onoffice):
    """Rule 39, on the reading that follows: onOffice's ids were taken over when the contact was made."""
    office = onoffice()
    account = office.survey()
    record_id, made = make(office, account, ADA)
    mobile = next(entry for entry in made.entries if entry.slot is Slot.MOBILE)
    office.control.edit_entry(mobile.id, value="+49 171 5559999")
    (record,) = rows.fetch(office.client, account, Kind.CONTACTS, [record_id]).values()
    again = rows.load(Kind.CONTACTS, record, account, made)
    assert replace(mobile, value="+49 171 5559999") in again.entries


def test_a_second_reading_is_the_same(office):
    """Otherwise each poll would be a change for every device."""
    account = office.survey()
    record_id, made = make(office, account, ADA)
    (record,) = rows.fetch(office.client, account, Kind.CONTACTS, [record_id]).values()
    assert made == rows.load(Kind.CONTACTS, record, account, made)


def test_a_flag_is_taken_away(office):
    """Only the user's own (rule 18)."""
    account = office.survey()
    record_id, made = make(office, account, ADA)
    assert ("bert",) == edit(office, account, record_id, made, replace(made, sync_users=("bert",))).sync_users


MEETING = Appointment(
    subject="Besichtigung",
    type="Besichtigung",
    note="Schlüssel mitnehmen",
    start=datetime(2026, 5, 4, 9, 0, tzinfo=BERLIN),
    end=datetime(2026, 5, 4, 9, 45, tzinfo=BERLIN),
    location="Hauptstr. 5",
    travel_before=20,
    participants=("anna", "bert"),
    groups=("Miete",),
    creator="anna",
    private=True,
    reminder=60,
)
SERIES = replace(
    MEETING, recurrence=Recurrence(frequency=Frequency.WEEK, interval=2, until=date(2026, 12, 31), exceptions=(date(2026, 5, 18),))
)


@pytest.mark.parametrize(
    "value", [MEETING, SERIES, replace(SERIES, recurrence=replace(SERIES.recurrence, until=None))], ids=["single", "series", "endless"]
)
def test_an_appointment_comes_back_as_it_was_made(office, value):
    """Times, people, series."""
    _, made = make(office, office.survey(), value)
    assert value == made


def test_whole_days_come_back(office):
    """First and last day, both inclusive."""
    value = Appointment(subject="Messe", start=date(2026, 5, 4), end=date(2026, 5, 6), participants=("anna",), creator="anna")
    assert value == make(office, office.survey(), value)[1]


def test_a_single_appointment_becomes_a_series_and_is_seen(office):
    """The trap of rule 73: without its start it would vanish from every window."""
    account = office.survey()
    record_id, made = make(office, account, MEETING)
    assert SERIES == edit(office, account, record_id, made, SERIES)
    shown = office.client.ask(appointments.read_window(date(2026, 5, 25), date(2026, 6, 2))).rows
    assert {record_id} == {row.id for row in shown}


def test_links_that_a_device_does_not_know_stay(onoffice):
    """Addresses, estate, project, resources, travel time, type: none is named, none is lost (rule 65)."""
    office = onoffice()
    control = office.control
    address, estate, project = control.add("address", {"Name": "Beispiel"}), control.add("estate", {}), control.add("project", {})
    resource = control.add("resource", {"name": "Beamer", "active": True})
    account = office.survey()
    record_id, made = make(office, account, MEETING)
    control.edit("calendar", int(record_id), ressources=[str(resource)], transitTimePost="00:10:00")
    for relation, parent, child in (
        ("calendar:address", record_id, address),
        ("calendar:estate", record_id, estate),
        ("project:calendar", project, record_id),
    ):
        control.link(relation, int(parent), int(child))
    (record,) = rows.fetch(office.client, account, Kind.APPOINTMENTS, [record_id]).values()
    linked = rows.load(Kind.APPOINTMENTS, record, account, made)
    assert ((str(address),), str(estate), str(project), (str(resource),), 10) == (
        linked.addresses,
        linked.estate,
        linked.project,
        linked.resources,
        linked.travel_after,
    )
    wanted = replace(
        linked, subject="Neu", start=datetime(2026, 5, 5, 9, tzinfo=BERLIN), end=datetime(2026, 5, 5, 10, tzinfo=BERLIN), reminder=None
    )
    assert wanted == edit(office, account, record_id, linked, wanted)


def test_a_deleted_appointment_is_gone(office):
    """And gone again is not found."""
    account = office.survey()
    record_id, _ = make(office, account, MEETING)
    (action,) = rows.remove(Kind.APPOINTMENTS, record_id, account)
    office.client.ask(action)
    assert {} == rows.fetch(office.client, account, Kind.APPOINTMENTS, [record_id])
    with pytest.raises(NotFound):
        office.client.ask(action)


CALL = Task(
    subject="Rückruf",
    description="Wegen des Vertrags",
    responsible="anna",
    processor="bert",
    priority=2,
    status=TaskStatus.IN_PROCESS,
    progress=25,
    deadline=datetime(2026, 5, 8, 17, tzinfo=BERLIN),
    deadline_strict=True,
    deferred_until=date(2026, 5, 4),
    reminder=datetime(2026, 5, 8, 9, tzinfo=BERLIN),
    unsynced_by=("carla",),
)


def test_a_task_comes_back_as_it_was_made(office):
    """The creator is the API user, whatever was wished."""
    _, made = make(office, office.survey(), CALL)
    assert replace(CALL, creator="api") == made


def test_a_group_may_be_responsible(office):
    """Its name, with the mark."""
    value = Task(subject="Aushang", responsible="Miete", responsible_is_group=True)
    assert replace(value, creator="api") == make(office, office.survey(), value)[1]


def test_a_task_is_completed_and_opened_again(office):
    """Both marks, progress, and the moment of it."""
    account = office.survey()
    record_id, made = make(office, account, CALL)
    done = replace(made, status=TaskStatus.COMPLETED, done=True, progress=100, completed_at=START.astimezone(BERLIN))
    closed = edit(office, account, record_id, made, done)
    assert done == closed
    assert made == edit(office, account, record_id, closed, made)


def test_links_of_a_task_are_read_and_written(onoffice):
    """By relations, in the same request as the rest."""
    office = onoffice()
    one, other = (str(office.control.add("address", {"Name": name})) for name in ("A", "B"))
    estate, project = str(office.control.add("estate", {})), str(office.control.add("project", {}))
    account = office.survey()
    record_id, made = make(office, account, replace(CALL, addresses=(one, other), estate=estate, project=project))
    assert ((one, other), estate, project) == (made.addresses, made.estate, made.project)
    less = replace(made, addresses=(other,), estate="", project="")
    assert less == edit(office, account, record_id, made, less)


def test_a_type_that_the_account_demands_is_the_administrators(onoffice):
    """No call gives the ids of types; without one the create is refused with onOffice's words."""
    office = onoffice(task_type_needed=True)
    with pytest.raises(Refused, match="254"):
        make(office, office.survey(), CALL)
    assert "167" == make(office, office.survey(Access(task_type="167")), CALL)[1].type


# ------------------------------------------------------------- faults on the way


@pytest.mark.parametrize(
    "fault",
    [{"kind": "status", "status": 429}, {"kind": "status", "status": 502}, {"kind": "reset"}, {"kind": "truncate", "when": "after"}],
)
def test_readings_get_through(onoffice, fault):
    """Tried again until they do."""
    office = onoffice()
    account = office.survey()
    record_id, _ = make(office, account, CALL)
    office.control.fault(times=3, **fault)
    assert [record_id] == list(rows.fetch(office.client, account, Kind.TASKS, [record_id]))


def test_a_missing_right_is_no_error_but_nothing(onoffice):
    """Which is why emptiness must not delete anything."""
    office = onoffice()
    account = office.survey()
    record_id, _ = make(office, account, CALL)
    office.control.set_right(office.emulator.account.user("api"), "task", "read", allowed=False)
    assert {} == rows.fetch(office.client, account, Kind.TASKS, [record_id])


def test_a_wrong_clock_is_an_outage(onoffice):
    """Code 136: ours to mend."""
    office = onoffice(clock_skew=300)
    with pytest.raises(UpstreamDown, match="136"):
        office.survey()
