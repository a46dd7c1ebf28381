"""Our store follows the emulated onOffice: fill, poll, sweep, and what is never believed."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from radicale_onoffice.core.errors import UpstreamDown
from radicale_onoffice.core.model import Actor, Face, Identity, Kind, Slot, Task
from radicale_onoffice.core.ports import Errand, ErrandState
from radicale_onoffice.crm.onoffice import walks
from tests.crm.pulled import DAY, TABLES, Pulled

ADMIN = Actor(identity=Identity("t", "admin"), face=Face.CRM)


DIALECTS = [
    {},
    {"address_stamp_zone": "utc", "task_stamp_zone": "utc", "log_zone": "utc"},
    {"task_stamp_precision": "day", "old_read_series": "occurrences", "old_window_tests": "anchor", "entry_ids": "fresh"},
]


@pytest.fixture(params=DIALECTS, ids=lambda switches: ",".join(switches) or "defaults")
def filled(request, pulled):
    """With one record of each kind, filled."""
    made = pulled(**request.param)
    made.numbers = {
        Kind.CONTACTS: made.address("Beispiel"),
        Kind.APPOINTMENTS: made.meeting("Besichtigung"),
        Kind.TASKS: made.task("Rückruf"),
    }
    assert "filled" == made.mirror.turn()
    return made


# ----------------------------------------------------------------------- fill


def test_everything_is_filled_in(filled):
    """Records of all kinds, with whom they concern, and links between them."""
    assert [["Beispiel"], ["Besichtigung"], ["Rückruf"]] == [filled.subjects(kind) for kind in Kind]
    (contact,), (meeting,), (task,) = (filled.values(kind) for kind in Kind)
    assert (("anna",), ("anna",), "anna") == (contact.sync_users, meeting.participants, task.responsible)


def test_a_users_devices_are_offered_what_was_filled_in(filled):
    """Feeds follow as with any other change."""
    assert [1, 1, 1] == [len(filled.office.feeds.entries(Identity("t", "anna"), kind, "")[1]) for kind in Kind]
    assert [0, 0, 0] == [len(filled.office.feeds.entries(Identity("t", "bert"), kind, "")[1]) for kind in Kind]


def test_rule_77_a_private_task_concerns_its_responsible_and_its_creator(pulled):
    """Not its processor; who is what is onOffice's to say."""
    made = pulled()
    for subject, more in (("responsible", {"Verantwortung": "anna"}), ("processor", {"Bearbeiter": "anna"}), ("creator", {"von": "anna"})):
        made.control.add("task", {"Betreff": subject, "Verantwortung": "bert", "Privat": True, **more})
    made.mirror.turn()
    listed = made.office.feeds.listing(Identity("t", "anna"), Kind.TASKS)
    assert {"responsible", "creator"} == {made.office.records.get("t", offer.record_id).value.subject for offer in listed}


def test_a_fill_takes_as_few_requests_as_pages_allow(pulled):
    """500 rows an answer; flags and links ride along."""
    made = pulled()
    made.control.add_many("address", [{"data": {"Name": f"A{number}"}} for number in range(1200)])
    made.control.add_many("task", [{"data": {"Betreff": f"T{number}"}} for number in range(1100)])
    times = {"start_dt": f"{DAY} 09:00:00", "end_dt": f"{DAY} 10:00:00"}
    made.control.add_many("calendar", [{"data": {"description": f"C{number}", **times}} for number in range(300)])
    made.mirror.account()
    made.control.reset_counters()
    made.mirror.turn()
    assert [1200, 300, 1100] == [len(made.values(kind)) for kind in Kind]
    assert made.control.counters()["requests"] <= 3 + 1 + 3  # as many as there are pages, several of which go in one request


def test_a_crowded_month_is_asked_for_in_parts(pulled):
    """500 rows may mean more: the period is halved until they fit."""
    made = pulled()
    days = [f"2026-03-{day:02}" for day in range(1, 29)]
    rows = [
        {"data": {"description": f"{day} {hour}", "start_dt": f"{day} 09:00:00", "end_dt": f"{day} 10:00:00"}}
        for day in days
        for hour in range(40)
    ]
    made.control.add_many("calendar", rows)
    made.mirror.turn()
    assert 28 * 40 == len(made.values(Kind.APPOINTMENTS))


def test_sparse_numbers_of_tasks_are_found(pulled):
    """Deleted ones leave gaps; ranges grow over them."""
    made = pulled()
    for number in (1, 700, 90_000, 90_001):
        made.onoffice.emulator.account.query("INSERT OR REPLACE INTO counter VALUES ('task', ?)", number - 1)
        made.task(f"T{number}")
    made.mirror.turn()
    assert ["T1", "T700", "T90000", "T90001"] == made.subjects(Kind.TASKS)


def test_a_series_that_began_years_ago_is_filled_in(pulled):
    """Even where an account looks for it only on its first day (rule 55)."""
    made = pulled(old_window_tests="anchor")
    series = {
        "rp_flag": True,
        "rp_type": "w",
        "rp_tage": 1,
        "rp_beginn_datum": "2020-01-06",
        "rp_ende_datum": "2099-12-31",
        "rp_ende_status": "1",
    }
    made.meeting("Jour fixe", "2020-01-06", **series)
    made.mirror.turn()
    assert ["Jour fixe"] == made.subjects(Kind.APPOINTMENTS)


def test_a_series_that_is_shown_with_each_occurrence_is_one(pulled):
    """By its first day, whichever of them comes first."""
    made = pulled(old_read_series="occurrences")
    series = {
        "rp_flag": True,
        "rp_type": "w",
        "rp_tage": 1,
        "rp_beginn_datum": "2026-01-05",
        "rp_ende_datum": "2026-12-31",
        "rp_ende_status": "1",
    }
    made.meeting("Jour fixe", "2026-01-05", **series)
    made.mirror.turn()
    made.mirror.sweep()
    assert ["2026-01-05"] == [value.start.date().isoformat() for value in made.values(Kind.APPOINTMENTS)]


def test_a_fill_that_is_cut_off_goes_on_where_it_was(pulled):
    """Each page is a commit with the place after it."""
    made = pulled()
    made.control.add_many("address", [{"data": {"Name": f"A{number}"}} for number in range(1800)])
    made.mirror.account()
    made.control.fault(kind="pass")
    made.control.fault(kind="status", status=502, times=100)
    with pytest.raises(UpstreamDown):
        made.mirror.turn()
    assert 1500 == len(made.values(Kind.CONTACTS))
    made.control.clear_faults()
    made.onoffice.waited += 10
    made.control.reset_counters()
    restarted = made.another("one")
    restarted.account()
    made.control.reset_counters()
    assert "filled" == restarted.turn()
    assert 3 == made.control.counters()["actions"]["read address"]
    assert 1800 == len(made.values(Kind.CONTACTS))


def test_who_fills_is_told_how_far_it_is(pulled):
    """For a progress bar."""
    made = pulled()
    made.address("A")
    told = []
    made.mirror.turn(lambda kind, number: told.append((kind, number)))
    assert (Kind.CONTACTS, 1) in told


# ----------------------------------------------------------------------- poll


@pytest.mark.parametrize("kind", list(Kind))
def test_an_edit_in_the_crm_arrives_with_the_next_poll(filled, kind):
    """Whatever zone and precision its stamps have."""
    table, column = TABLES[kind]
    filled.pass_time(minutes=3)
    filled.control.edit(table, filled.numbers[kind], **{column: "Neu"})
    filled.pass_time(minutes=1)
    assert "polled" == filled.mirror.turn()
    assert ["Neu"] == filled.subjects(kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_new_record_arrives_with_the_next_poll(filled, kind):
    """With its links."""
    filled.pass_time(minutes=3)
    {Kind.CONTACTS: filled.address, Kind.APPOINTMENTS: filled.meeting, Kind.TASKS: filled.task}[kind]("Zweite")
    filled.mirror.turn()
    assert 2 == len(filled.values(kind))
    assert 2 == len(filled.office.feeds.entries(Identity("t", "anna"), kind, "")[1])


def test_a_quiet_poll_is_one_request_and_writes_no_record(filled):
    """Digests sort out what the overlap brings again; tasks of today are read with their links."""
    filled.mirror.turn()
    before = [filled.record(filled.numbers[kind], kind).version for kind in Kind]
    filled.pass_time(minutes=5)
    filled.control.reset_counters()
    filled.mirror.turn()
    assert filled.control.counters()["requests"] <= 2
    filled.pass_time(days=1, hours=-8)  # a day later, before the sweep's hour
    filled.mirror.turn()
    assert before == [filled.record(filled.numbers[kind], kind).version for kind in Kind]


def test_a_bulk_change_arrives_with_one_poll(filled):
    """More appointments than an answer holds, changed at several moments: halves of halves."""
    times = {"start_dt": f"{DAY} 09:00:00", "end_dt": f"{DAY} 10:00:00"}
    for _ in range(5):
        filled.pass_time(seconds=20)
        filled.control.add_many("calendar", [{"data": {"description": "C", **times}} for _ in range(300)])
    filled.mirror.turn()
    assert 1 + 5 * 300 == len(filled.values(Kind.APPOINTMENTS))


def test_a_flag_given_or_taken_in_the_crm_arrives(filled):
    """Whether it raises the address's stamp or not (rule 18)."""
    number = filled.numbers[Kind.CONTACTS]
    filled.control.link("address:user:sync", number, filled.onoffice.bert)
    filled.mirror.turn()
    assert ("anna", "bert") == filled.record(number, Kind.CONTACTS).value.sync_users
    filled.control.unlink("address:user:sync", number, filled.onoffice.anna)
    filled.mirror.turn()
    assert ("bert",) == filled.record(number, Kind.CONTACTS).value.sync_users


def test_what_only_we_know_survives_every_poll(filled):
    """A slot that was given here (rule 39)."""
    number = filled.numbers[Kind.CONTACTS]
    filled.control.add_entry(number, "phone", "+49 241 1")
    filled.mirror.turn()
    record = filled.record(number, Kind.CONTACTS)
    slotted = replace(record.value, entries=(replace(record.value.entries[0], slot=Slot.CAR),))
    filled.office.records.write(ADMIN, Kind.CONTACTS, slotted, record_id=record.id)
    filled.control.edit("address", number, Ort="Köln")
    filled.mirror.turn()
    value = filled.record(number, Kind.CONTACTS).value
    assert ("Köln", Slot.CAR) == (value.city, value.entries[0].slot)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_delete_in_the_crm_arrives_by_the_log(filled, kind):
    """Where the API user may read it."""
    filled.pass_time(minutes=1)
    filled.control.delete(TABLES[kind][0], filled.numbers[kind], by="anna")
    filled.mirror.turn()
    assert [] == filled.values(kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_without_the_log_a_delete_arrives_by_the_sweep(filled, kind):
    """At night, if it is not the only one; polls go on without the log, and do not ask for it again."""
    {Kind.CONTACTS: filled.address, Kind.APPOINTMENTS: filled.meeting, Kind.TASKS: filled.task}[kind]("Bleibt")
    filled.mirror.turn()
    filled.control.set_right(filled.onoffice.emulator.account.user("api"), "log", "read", allowed=False)
    filled.control.delete(TABLES[kind][0], filled.numbers[kind])
    filled.mirror.turn()
    filled.control.reset_counters()
    filled.mirror.turn()
    assert "read log" not in filled.control.counters()["actions"]
    filled.clock.now = datetime(2026, 3, 16, 2, 30, tzinfo=UTC)
    assert "swept" == filled.mirror.turn()
    assert ["Bleibt"] == filled.subjects(kind)
    assert "polled" == filled.mirror.turn()


@pytest.mark.parametrize(
    ("kind", "removed", "back"),
    [
        (Kind.TASKS, {"Status": 5, "erledigt": 1}, {"Status": 1, "erledigt": 0}),
        (Kind.CONTACTS, {"Status2Adr": "status2adr_archive"}, {"Status2Adr": "status2adr_active"}),
    ],
)
def test_what_was_deleted_here_does_not_come_back_because_its_remains_change(pulled, kind, removed, back):
    """No call deletes a task or an address, so its row stays; who opens it again in onOffice has it back."""
    made = pulled()
    number = {Kind.TASKS: made.task, Kind.CONTACTS: made.address}[kind]("Weg")
    made.mirror.turn()
    made.office.records.remove(Actor(identity=Identity("t", "anna"), face=Face.DAV), made.record(number, kind).id)
    made.pass_time(minutes=1)
    for changes in (removed, {TABLES[kind][1]: "Weg!"}):
        made.control.edit(TABLES[kind][0], number, **changes)
        made.mirror.turn()
        assert ([], True) == (made.values(kind), made.record(number, kind).deleted)
    made.control.edit(TABLES[kind][0], number, **back)
    made.mirror.turn()
    assert ["Weg!"] == made.subjects(kind)


def test_what_no_stamp_tells_is_found_by_the_sweep(pulled):
    """A number that was changed without raising the address's stamp."""
    made = pulled(entry_raises_stamp=False)
    number = made.address("A", entries=[{"what": "phone", "value": "1"}])
    made.mirror.turn()
    made.pass_time(hours=5)
    made.mirror.turn()
    made.control.add_entry(number, "phone", "2")
    made.pass_time(hours=5)
    made.mirror.turn()
    assert 1 == len(made.record(number, Kind.CONTACTS).value.entries)
    made.mirror.sweep()
    assert 2 == len(made.record(number, Kind.CONTACTS).value.entries)


def test_what_changes_here_while_onoffice_is_asked_is_read_again(filled):
    """A device's own write must not be undone by a row that is older."""
    number = filled.numbers[Kind.TASKS]
    record = filled.record(number, Kind.TASKS)
    filled.control.edit("task", number, Betreff="Im CRM")

    def device_writes():
        filled.control.edit("task", number, Aufgabe="vom Gerät")  # as a write-through does: onOffice first, then the store
        filled.office.records.write(ADMIN, Kind.TASKS, replace(record.value, description="vom Gerät"), record_id=record.id)

    filled.onoffice.before_the_next_answer(device_writes)
    filled.mirror.turn()
    history = [(line.value.subject, line.value.description) for line in filled.office.records.history("t", record.id)]
    assert [("Rückruf", ""), ("Rückruf", "vom Gerät"), ("Im CRM", "vom Gerät")] == history


def test_a_page_that_waited_its_turn_is_no_newer_than_its_request(pulled):
    """Several pages come in one answer; what a device writes while the first is stored is newer than the second."""
    made = pulled()
    numbers = made.control.add_many("address", [{"data": {"Name": f"A{number}"}} for number in range(600)])
    made.mirror.turn()
    made.control.edit("address", numbers[0], Ort="Köln")
    made.control.edit("address", numbers[-1], Ort="Köln")
    record = made.record(numbers[-1], Kind.CONTACTS)

    def device_writes():
        made.control.edit("address", numbers[-1], Strasse="Gerätestr. 1")
        value = replace(record.value, street="Gerätestr. 1")
        made.office.records.write(ADMIN, Kind.CONTACTS, value, record_id=record.id)

    made.onoffice.before_the_next_answer(device_writes)
    made.mirror.sweep()
    assert ("Köln", "Köln") == (made.record(numbers[0], Kind.CONTACTS).value.city, made.record(numbers[-1], Kind.CONTACTS).value.city)
    streets = [line.value.street for line in made.office.records.history("t", record.id)]
    assert ["", "Gerätestr. 1", "Gerätestr. 1"] == streets


def test_the_mirror_runs_on_each_engine(make_office, database_url, onoffice, clock):
    """Fill, edit, flag, delete."""
    made = Pulled(make_office(url=database_url), onoffice(), clock)
    first, second = made.address("A"), made.address("B", sync=[])
    made.mirror.turn()
    made.control.edit("address", first, Name="Neu")
    made.control.link("address:user:sync", second, made.onoffice.anna)
    made.mirror.turn()
    assert [("B", ("anna",)), ("Neu", ("anna",))] == sorted((value.last_name, value.sync_users) for value in made.values(Kind.CONTACTS))
    made.control.delete("address", second)
    made.mirror.turn()
    assert ["Neu"] == made.subjects(Kind.CONTACTS)


def errand(kind, record_id, before, after, state=ErrandState.SENT) -> Errand:
    return Errand(
        actor=ADMIN, kind=kind, record_id=record_id, before=before, after=after, state=state, at=datetime(2026, 3, 15, tzinfo=UTC)
    )


def test_a_record_with_an_errand_on_its_way_is_left_alone(filled):
    """What was changed here is not in onOffice yet; read again when the errand is done."""
    number = filled.numbers[Kind.TASKS]
    record = filled.record(number, Kind.TASKS)
    with filled.office.store.writing() as tx:
        waiting = tx.add_errand(errand(Kind.TASKS, record.id, record.value, record.value, ErrandState.WAITING))
    filled.control.edit("task", number, Betreff="Im CRM")
    filled.mirror.turn()
    assert ["Rückruf"] == filled.subjects(Kind.TASKS)
    with filled.office.store.writing() as tx:
        tx.remove_errand(waiting)
    filled.mirror.turn()
    assert ["Im CRM"] == filled.subjects(Kind.TASKS)


def test_a_record_that_is_just_being_made_from_here_is_not_made_twice(filled):
    """It is in onOffice, and its link not yet here."""
    with filled.office.store.writing() as tx:
        making = tx.add_errand(errand(Kind.TASKS, "new", None, Task(subject="Neu")))
    filled.task("Neu")
    filled.mirror.turn()
    assert ["Rückruf"] == filled.subjects(Kind.TASKS)
    with filled.office.store.writing() as tx:
        tx.remove_errand(making)
    filled.mirror.turn()
    assert ["Neu", "Rückruf"] == filled.subjects(Kind.TASKS)


def test_rows_that_wait_for_their_links_are_as_old_as_their_own_request(pulled):
    """Links of tasks come with the request after."""
    made = pulled()
    made.task("T")
    marks = itertools.count(1)
    (page,) = walks.walk_tasks(walks.Asking(made.onoffice.client, lambda: next(marks)), made.mirror.account())
    assert (1, 1, 3) == (len(page.records), page.since, next(marks))


def test_groups_of_users_follow_onoffice(filled):
    """Surveyed once a day."""
    with filled.office.store.reading() as tx:
        assert ("Miete",) == tx.user(Identity("t", "anna")).groups


# --------------------------------------------------------------------- outage


def test_an_outage_keeps_everything_and_loses_no_change(filled):
    """The poll after it asks from before it."""
    filled.control.fault(kind="status", status=503, times=1000)
    filled.control.edit("task", filled.numbers[Kind.TASKS], Betreff="Neu")
    with pytest.raises(UpstreamDown):
        filled.mirror.turn()
    assert ["Rückruf"] == filled.subjects(Kind.TASKS)
    filled.control.clear_faults()
    filled.pass_time(days=1, hours=-9)
    filled.onoffice.waited += 10
    filled.mirror.turn()
    assert ["Neu"] == filled.subjects(Kind.TASKS)


def test_one_process_pulls(pulled):
    """The others find the lease taken, until it ends or is given back."""
    made = pulled()
    other = made.another("two")
    assert ("filled", "") == (made.mirror.turn(), other.turn())
    made.pass_time(minutes=6)
    assert ("polled", "") == (other.turn(), made.mirror.turn())
    other.release()
    assert "polled" == made.mirror.turn()


def test_a_series_anchored_at_zero_is_left_as_it_was(pulled, caplog):
    """The trap of rule 73, made by somebody else: told to the administrator, and the rest is mirrored."""
    made = pulled()
    number = made.meeting("Gut")
    made.mirror.turn()
    made.control.edit("calendar", number, start_dt="0000-00-00 00:00:00")
    made.mirror.turn()
    assert ["Gut"] == made.subjects(Kind.APPOINTMENTS)
    assert "cannot be read and is left as it was" in caplog.text


def test_a_number_is_known_again_by_the_region_of_its_tenant(pulled):
    """An Austrian office: onOffice writes a number with the country's code, under another id; it keeps the field of the phone."""
    made = pulled()
    with made.office.store.writing() as tx:
        tx.save_tenant(replace(tx.tenant("t"), region="AT"))
    number = made.address("Huber")
    old = made.control.add_entry(number, "phone", "0664 1234567", type="mobile")
    made.mirror.turn()
    record = made.record(number, Kind.CONTACTS)
    slotted = tuple(replace(entry, slot=Slot.MOBILE) for entry in record.value.entries)
    made.office.records.write(ADMIN, Kind.CONTACTS, replace(record.value, entries=slotted), record_id=record.id)
    made.control.remove_entry(old)
    made.control.add_entry(number, "phone", "+43 664 1234567", type="mobile")
    made.pass_time(minutes=1)
    made.mirror.turn()
    entries = made.record(number, Kind.CONTACTS).value.entries
    assert [("+43 664 1234567", Slot.MOBILE)] == [(entry.value, entry.slot) for entry in entries]
