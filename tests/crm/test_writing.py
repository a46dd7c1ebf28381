"""A device's change goes to onOffice first: made, changed, taken away, merged with what changed there, refused in onOffice's words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from radicale_onoffice.core.drafts import AppointmentDraft, Override, Series
from radicale_onoffice.core.errors import Conflict, NotFound, Refused, UpstreamDown
from radicale_onoffice.core.model import Actor, Face, Kind, Slot, User
from radicale_onoffice.core.policy import OnContactDelete, OnTaskDelete, Policy
from tests.crm.desks import ANNA, CHANGES, COLUMNS, NUMBERS, PHONE, START, TABLES, VALUES, entry, numbers, of_kind, shown

KINDS = list(Kind)
STAMPS = {"modified", "modified_day", "Kommentar"}
CRM = Actor(identity=ANNA, face=Face.CRM)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_device_makes_is_in_onoffice_and_here(desk, kind):
    """With the link between them, and nothing left to do."""
    at = desk()
    record = at.add(kind)
    column, value, _, _ = COLUMNS[kind]
    assert ([value], []) == ([row[column] for row in at.rows(kind)], at.errands())
    assert at.rows(kind)[0]["id"] == at.number(record)


def test_a_new_contact_has_its_numbers_and_the_flag_of_its_user(desk):
    """Slots are ours (rule 39); the ids of the entries are onOffice's from the start."""
    at = desk()
    record = at.add(Kind.CONTACTS)
    row = at.row(record)
    assert (sorted([NUMBERS[Slot.BUSINESS], NUMBERS[Slot.MOBILE]]), NUMBERS) == (numbers(row), shown(record.value))
    assert [at.emulator.account.user("anna")] == row["links"]["address:user:sync"]
    assert {one["id"] for one in row["entries"]} == {one.id for one in record.value.entries}


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_changed_is_sent(desk, kind):
    """Rule 81; one request looks, writes and reads back."""
    at = desk()
    record = at.add(kind)
    before = at.row(record)
    at.control.reset_counters()
    changed = at.edit(record, **CHANGES[kind])
    counters = at.control.counters()
    *_, column, value = COLUMNS[kind]
    after = at.row(record)
    assert (1, 1, value) == (counters["requests"], counters["actions"][f"modify {TABLES[kind]}"], str(after[column]))
    differing = {name for name in {**before, **after} if before.get(name) != after.get(name)}
    assert {column} >= differing - STAMPS
    assert ([], 2) == (at.errands(), changed.version)


def test_what_is_ours_alone_needs_no_request(desk):
    """A slot that moves, a task that a device took away: onOffice has no field for it."""
    at = desk()
    contact, task = at.add(Kind.CONTACTS), at.add(Kind.TASKS, name="b.item")
    at.control.reset_counters()
    sent = {Slot.HOME: NUMBERS[Slot.BUSINESS], Slot.MOBILE: NUMBERS[Slot.MOBILE], Slot.EMAIL1: NUMBERS[Slot.EMAIL1]}
    assert sent == shown(at.edit(contact, sent=sent).value)
    at.remove(task)
    assert ({"anna"}, 0) == ({*at.stored(task).value.unsynced_by}, at.control.counters()["requests"])


# ------------------------------------------------------------------------ slots


def test_t1_a_changed_number_is_a_new_one_and_the_old_one_stays(desk):
    """Rules 27, 28 and 38 on onOffice's own rows."""
    at = desk()
    record = at.add(Kind.CONTACTS)
    changed = at.edit(record, sent={**NUMBERS, Slot.BUSINESS: "+49 241 12399"})
    assert sorted(["+49 241 900100", "+49 241 12399", "+49 171 5550001"]) == numbers(at.row(record))
    assert {"+49 241 900100": None, "+49 241 12399": Slot.BUSINESS, "+49 171 5550001": Slot.MOBILE} == of_kind(changed.value)


def test_t2_a_deleted_number_stays_in_onoffice(desk):
    """Rule 29: it only loses its slot."""
    at = desk()
    record = at.add(Kind.CONTACTS)
    before = at.row(record)
    changed = at.edit(record, sent={Slot.MOBILE: NUMBERS[Slot.MOBILE], Slot.EMAIL1: NUMBERS[Slot.EMAIL1]})
    assert (before, None) == (at.row(record), of_kind(changed.value)[NUMBERS[Slot.BUSINESS]])


def test_t3_the_last_number_comes_back_by_fallback(desk):
    """Rules 30 and 31."""
    at = desk()
    record = at.add(Kind.CONTACTS)
    changed = at.edit(record, sent={})
    assert ({}, 3) == (shown(changed.value), len(at.row(record)["entries"]))
    at.edit(changed, sent={Slot.BUSINESS: NUMBERS[Slot.BUSINESS]})
    assert 3 == len(at.row(record)["entries"])


def test_a_slot_survives_an_edit_in_onoffice(desk):
    """Rule 39: the entry is known by its id; the device's next change meets the new value."""
    at = desk()
    record = at.add(Kind.CONTACTS)
    at.control.edit_entry(entry(record.value, Slot.BUSINESS).id, value="+49 241 77")
    changed = at.edit(record, city="Bonn")
    assert ({**NUMBERS, Slot.BUSINESS: "+49 241 77"}, "Bonn") == (shown(changed.value), at.row(record)["Ort"])


# -------------------------------------------------------------------- conflicts

THEIRS = {
    Kind.CONTACTS: ({"Vorname": "Eva"}, {"first_name": "Eva"}),
    Kind.APPOINTMENTS: ({"description": "Abnahme"}, {"subject": "Abnahme"}),
    Kind.TASKS: ({"Betreff": "Brief"}, {"subject": "Brief"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_changed_in_onoffice_meanwhile_is_merged(desk, kind):
    """Field by field: both changes stand, on both sides."""
    at = desk()
    record = at.add(kind)
    columns, fields = THEIRS[kind]
    at.control.edit(TABLES[kind], at.number(record), **columns)
    changed = at.edit(record, **CHANGES[kind])
    assert (replace(record.value, **fields, **CHANGES[kind]), []) == (changed.value, at.errands())
    row = at.row(record)
    assert {**columns, COLUMNS[kind][2]: COLUMNS[kind][3]} == {name: str(row[name]) for name in (*columns, COLUMNS[kind][2])}


@pytest.mark.parametrize("kind", KINDS)
def test_a_device_that_insists_on_its_version_is_told_of_the_change(desk, kind):
    """If-Match: the newer state is here afterwards, and onOffice has what it had."""
    at = desk()
    record = at.add(kind)
    columns, fields = THEIRS[kind]
    at.control.edit(TABLES[kind], at.number(record), **columns)
    before = {name: value for name, value in at.row(record).items() if name not in STAMPS}
    with pytest.raises(Conflict):
        at.office.records.delete(PHONE, kind, record.id, expect=record.version) if kind is Kind.APPOINTMENTS else at.office.crm.update(
            PHONE, record, replace(record.value, **CHANGES[kind])
        )
    assert before == {name: value for name, value in at.row(record).items() if name not in STAMPS}
    assert replace(record.value, **fields) == at.stored(record).value


def test_a_record_that_is_gone_is_dropped(desk):
    """As long as onOffice shows others; the device is told that it does not exist."""
    at = desk()
    record, other = at.add(Kind.APPOINTMENTS), at.add(Kind.APPOINTMENTS, uid="other", name="b.item")
    at.control.delete("calendar", at.number(record))
    with pytest.raises(NotFound):
        at.edit(record, note="x")
    assert (True, False) == (at.stored(record).deleted, at.stored(other).deleted)


def test_sudden_emptiness_is_no_deletion(desk):
    """A lost right looks the same: devices come again, and when the right is back it goes on."""
    at = desk()
    record, _ = at.add(Kind.TASKS), at.add(Kind.TASKS, uid="other", name="b.item")
    api = at.emulator.account.user("api")
    at.control.set_right(api, "task", "read", allowed=False)
    with pytest.raises(UpstreamDown, match="rights"):
        at.edit(record, priority=1)
    assert (False, [record.id]) == (at.stored(record).deleted, [errand.record_id for errand in at.errands()]), "it may have been done"
    at.control.set_right(api, "task", "read", allowed=True)
    assert (1, []) == (at.edit(record, priority=1).value.priority, at.errands())


# --------------------------------------------------------------------- removals


def test_a_deleted_contact_stays_and_loses_the_flag(desk):
    """Rule 21: of this user only."""
    at = desk()
    record = at.add(Kind.CONTACTS)
    at.control.link("address:user:sync", at.number(record), at.emulator.account.user("bert"))
    at.remove(record)
    assert {"address:user:sync": [at.emulator.account.user("bert")]} == at.row(record)["links"]
    assert ("bert",) == at.stored(record).value.sync_users


def test_a_deleted_appointment_is_deleted(desk):
    """By the API's own call; who deletes it again is not told of an error of onOffice."""
    at = desk()
    record = at.add(Kind.APPOINTMENTS)
    at.remove(record)
    assert ([], True, []) == (at.rows(Kind.APPOINTMENTS), at.stored(record).deleted, at.errands())


def test_what_no_call_deletes_is_put_away(desk):
    """Only if the administrator chose to have devices delete: the address is archived, the task cancelled and closed."""
    at = desk(Policy(contact_delete=OnContactDelete.DELETE, task_delete=OnTaskDelete.DELETE))
    contact, task = at.add(Kind.CONTACTS), at.add(Kind.TASKS, name="b.item")
    at.remove(contact)
    at.remove(task)
    assert ("status2adr_archive", 5, []) == (at.row(contact)["Status2Adr"], at.row(task)["Status"], at.errands())


def test_an_undone_deletion_is_a_new_record_in_onoffice(desk):
    """The same here, under another id there."""
    at = desk()
    record = at.add(Kind.APPOINTMENTS)
    at.remove(record)
    back = at.office.records.restore(CRM, record.id, 1)
    assert ([at.number(record)], False) == ([row["id"] for row in at.rows(Kind.APPOINTMENTS)], back.deleted)
    assert "x" == at.row(at.edit(back, note="x"))["note"]


# -------------------------------------------------------------------- refusals

WRITES = {Kind.CONTACTS: "address", Kind.APPOINTMENTS: "calendar", Kind.TASKS: "task"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", [77, 131, 156, 217, 254, 4711])
def test_a_new_record_that_is_refused_is_nowhere(desk, kind, code):
    """Neither there nor here; also for a code that nobody knows."""
    at = desk()
    at.fault(kind="error", verb="create", resourcetype=WRITES[kind], code=code, message="No.")
    with pytest.raises(Refused, match=f"No. .onOffice code {code}"):
        at.add(kind)
    assert ([], [], []) == (at.rows(kind), at.all_stored(kind), at.errands())
    assert 1 == len(at.told())
    at.add(kind)
    assert 1 == len(at.rows(kind))


@pytest.mark.parametrize(("code", "error"), [(168, Refused), (156, Refused), (155, UpstreamDown)])
def test_a_refused_deletion_deletes_nothing(desk, code, error):
    """The item comes again on the device."""
    at = desk()
    record = at.add(Kind.APPOINTMENTS)
    at.fault(kind="error", verb="delete", resourcetype="calendar", code=code, message="No.", times=99)
    with pytest.raises(error):
        at.remove(record)
    assert (1, False) == (len(at.rows(Kind.APPOINTMENTS)), at.stored(record).deleted)


def test_a_change_that_is_taken_in_part_is_stored_in_part(desk):
    """Fields yes, the number no: the device is refused, and both sides have the same."""
    at = desk(several_entry_types=False)
    record = at.add(Kind.CONTACTS)
    at.fault(kind="error", verb="create", resourcetype="relation", code=217, message="Flag is off.")
    wanted = replace(record.value, city="Bonn", sync_users=("anna", "bert"))
    with pytest.raises(Refused, match="Flag is off"):
        at.office.crm.update(PHONE, record, wanted)
    assert ("Bonn", ("anna",), "Bonn") == (at.stored(record).value.city, at.stored(record).value.sync_users, at.row(record)["Ort"])


def test_a_user_who_is_new_in_onoffice_is_found(desk):
    """Users and groups are asked for again when a name is not known."""
    at = desk()
    at.add(Kind.TASKS)
    at.office.accounts.save_user(User(identity=replace(ANNA, user="carla")), "secret", "test")
    record = at.add(Kind.TASKS, uid="u2", name="b.item", changes={"responsible": "carla"})
    assert "carla" == record.value.responsible
    with pytest.raises(Refused, match="no user 'nobody'"):
        at.add(Kind.TASKS, uid="u3", name="c.item", changes={"responsible": "nobody"})


def test_a_tenant_without_an_account_keeps_its_records_here(desk):
    """Until it gets one; the next change takes the record along."""
    from radicale_onoffice.crm.onoffice import tenants

    at = desk()
    with at.office.store.writing() as tx:
        known = tenants.access(tx, "t")
        tenants.save_access(tx, "t", None)
    record = at.add(Kind.TASKS)
    assert [] == at.rows(Kind.TASKS)
    with at.office.store.writing() as tx:
        tenants.save_access(tx, "t", known)
    at.edit(record, priority=1)
    assert ["1"] == [str(row["Prio"]) for row in at.rows(Kind.TASKS)]


def weekly(*moved: tuple[int, str]) -> AppointmentDraft:
    """A series of which occurrences, so many days later, are called otherwise and are later."""
    plain = VALUES[Kind.APPOINTMENTS]
    overrides = tuple(
        Override(
            day=(START + timedelta(days=days)).date(),
            appointment=replace(
                plain, subject=word, start=START + timedelta(days=days, hours=3), end=START + timedelta(days=days, hours=4)
            ),
        )
        for days, word in moved
    )
    return AppointmentDraft(value=plain, series=Series(frequency="WEEKLY", overrides=overrides, text="RRULE:FREQ=WEEKLY"))


def test_a_changed_occurrence_is_an_appointment_of_its_own_also_there(desk):
    """Rule 72; a failure between the two writes loses neither, and repeating doubles neither."""
    at, draft = desk(), weekly((7, "verlegt"))
    at.fault(kind="pass", verb="create", resourcetype="calendar")
    at.fault(kind="reset", verb="create", resourcetype="calendar")  # the second creation: nothing was done
    with pytest.raises(UpstreamDown):
        at.office.records.put(PHONE, Kind.APPOINTMENTS, draft, uid="s", name="s.ics")
    at.wait(minutes=3)
    at.office.records.put(PHONE, Kind.APPOINTMENTS, draft, uid="s", name="s.ics")
    assert (["Besichtigung", "verlegt"], []) == (sorted(row["description"] for row in at.rows(Kind.APPOINTMENTS)), at.errands())


@pytest.mark.parametrize(("verb", "after"), [("create", 1), ("modify", 0)])
def test_a_refused_series_leaves_nothing_of_it_in_onoffice(desk, verb, after):
    """Whether the second of its moved occurrences is refused, or the series itself after them: the first ones are taken back."""
    at = desk()
    record = at.office.records.put(PHONE, Kind.APPOINTMENTS, weekly(), uid="s", name="s.ics")
    draft = weekly((7, "verlegt"), (14, "verschoben"))
    if after:
        at.fault(kind="pass", verb=verb, resourcetype="calendar")
    at.fault(kind="error", verb=verb, resourcetype="calendar", code=255, message="No.")
    with pytest.raises(Refused):
        at.office.records.put(PHONE, Kind.APPOINTMENTS, draft, record_id=record.id)
    assert (["Besichtigung"], []) == ([row["description"] for row in at.rows(Kind.APPOINTMENTS)], at.errands())
    at.office.records.put(PHONE, Kind.APPOINTMENTS, draft, record_id=record.id)
    assert ["Besichtigung", "verlegt", "verschoben"] == sorted(row["description"] for row in at.rows(Kind.APPOINTMENTS))
