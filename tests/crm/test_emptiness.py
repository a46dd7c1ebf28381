"""What onOffice shows of a sudden as nothing is not believed: no device loses a record because a right was lost."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import event

from radicale_onoffice.core.model import Identity, Kind
from radicale_onoffice.crm.onoffice.contacts import SYNC
from radicale_onoffice.crm.onoffice.memory import save_memory
from tests.crm.pulled import TABLES


@pytest.mark.parametrize("kind", list(Kind))
def test_a_lost_right_removes_nothing(pulled, kind, caplog):
    """Everything reads as empty: the mirror stays, an alarm is raised, and recovery needs no hand."""
    made = pulled()
    for number in range(3):
        {Kind.CONTACTS: made.address, Kind.APPOINTMENTS: made.meeting, Kind.TASKS: made.task}[kind](f"N{number}")
    made.mirror.turn()
    api = made.onoffice.emulator.account.user("api")
    made.control.set_right(api, TABLES[kind][0], "read", allowed=False)
    made.clock.now = datetime(2026, 3, 16, 2, 30, tzinfo=UTC)
    assert "swept" == made.mirror.turn()
    assert 3 == len(made.values(kind))
    assert f"3 of 3 {kind} have vanished" in made.mirror.memory().alarms[f"sweep {kind}"]
    assert "Does the API user still have its rights?" in caplog.text
    assert "polled" == made.mirror.turn()
    assert made.mirror.memory().alarms
    made.control.set_right(api, TABLES[kind][0], "read", allowed=True)
    assert ["polled", "looked again"] == [made.mirror.turn(), made.mirror.turn()]
    assert "" == made.mirror.memory().alarm_of(kind)
    assert 3 == len(made.office.feeds.entries(Identity("t", "anna"), kind, "")[1])


def test_flags_that_vanish_all_at_once_are_not_believed(pulled):
    """No contact leaves a device because an answer was empty; the next good answer ends the alarm and brings what changed meanwhile."""
    made = pulled()
    numbers = [made.address(f"N{number}") for number in range(3)]
    made.mirror.turn()
    made.control.edit("address", numbers[0], Name="Neu")
    made.control.fault(kind="empty")
    made.mirror.turn()
    assert 3 == len(made.office.feeds.entries(Identity("t", "anna"), Kind.CONTACTS, "")[1])
    assert "onOffice shows none of its contacts" in made.mirror.memory().alarms["poll contacts"]
    made.mirror.turn()
    assert "" == made.mirror.memory().alarm_of(Kind.CONTACTS)
    assert ["N1", "N2", "Neu"] == made.subjects(Kind.CONTACTS)


def test_flags_go_without_an_alarm_with_the_contacts_that_the_log_calls_deleted(pulled):
    """A user's last contacts are all deleted in onOffice: nobody has lost a right."""
    made = pulled()
    numbers = [made.address(f"N{number}") for number in range(8)]
    made.mirror.turn()
    for number in numbers:
        made.control.delete("address", number)
    made.control.add("address", {"Name": "Von niemandem"})
    assert "polled" == made.mirror.turn()
    assert ("", ["Von niemandem"]) == (made.mirror.memory().alarm_of(Kind.CONTACTS), made.subjects(Kind.CONTACTS))


@pytest.mark.parametrize("kind", list(Kind))
def test_the_only_record_of_a_kind_is_kept_with_a_lost_right(pulled, kind):
    """One of one is all, for a poll and at night; what the log calls deleted goes, at night, too."""
    made = pulled()
    make(made, kind, "Einzige")
    made.mirror.turn()
    api, table = made.onoffice.emulator.account.user("api"), TABLES[kind][0]
    made.control.set_right(api, table, "read", allowed=False)
    assert "polled" == made.mirror.turn()
    assert "shows none of its" in made.mirror.memory().alarm_of(kind)
    made.mirror.sweep()
    assert (["Einzige"], True) == (made.subjects(kind), "1 of 1" in made.mirror.memory().alarm_of(kind))
    made.control.set_right(api, table, "read", allowed=True)
    made.control.delete(table, made.control.rows(table)[0]["id"])
    made.mirror.sweep()
    assert ([], "") == (made.values(kind), made.mirror.memory().alarm_of(kind))


def test_a_record_that_a_walk_missed_is_asked_for_before_it_is_dropped(pulled):
    """One of many is no emptiness; but it is there."""
    made = pulled()
    numbers = [made.task(f"N{number}") for number in range(3)]
    made.mirror.turn()
    made.control.set_right(made.onoffice.emulator.account.user("api"), "task", "read", allowed=False, record=numbers[0])
    walk = made.mirror._walk

    def seen_late(*words):
        yield from walk(*words)
        made.control.set_right(made.onoffice.emulator.account.user("api"), "task", "read", allowed=True, record=numbers[0])

    made.mirror._walk = seen_late
    made.mirror.sweep()
    assert ["N0", "N1", "N2"] == made.subjects(Kind.TASKS)


def test_contacts_are_not_adopted_with_flags_that_cannot_be_believed(pulled):
    """The address's row is good, the relations' answer is not; the change arrives when both are, however much later."""
    made = pulled()
    numbers = [made.address(f"N{number}") for number in range(6)]
    made.mirror.turn()
    relations = made.onoffice.emulator.account.query("SELECT type, parent, child FROM relation")
    made.onoffice.emulator.account.query("DELETE FROM relation")
    made.pass_time(minutes=10)
    made.control.edit("address", numbers[0], Name="Neu")
    made.pass_time(hours=3)  # longer than any overlap
    made.mirror.turn()
    assert "6 of 6 Sync flags" in made.mirror.memory().alarm_of(Kind.CONTACTS)
    assert 6 == len(made.office.feeds.entries(Identity("t", "anna"), Kind.CONTACTS, "")[1])
    made.pass_time(hours=6)
    for relation in relations:
        made.onoffice.emulator.account.link(*relation)
    made.mirror.turn()
    assert ["N1", "N2", "N3", "N4", "N5", "Neu"] == made.subjects(Kind.CONTACTS)


def test_a_few_flags_may_be_taken_away_at_once(pulled):
    """Both of an office's two: no alarm, and what changes of contacts goes on arriving."""
    made = pulled()
    numbers = [made.address("N0"), made.address("N1")]
    made.address("N2", sync=[])
    made.mirror.turn()
    for number in numbers:
        made.control.unlink(SYNC, number, made.onoffice.anna)
    made.control.edit("address", numbers[0], Name="Neu")
    made.mirror.turn()
    assert "" == made.mirror.memory().alarm_of(Kind.CONTACTS)
    assert ([], ["N1", "N2", "Neu"]) == (
        made.office.feeds.entries(Identity("t", "anna"), Kind.CONTACTS, "")[1],
        made.subjects(Kind.CONTACTS),
    )


def test_an_administrator_may_know_better(pulled):
    """Everything was really deleted, and the log is not readable."""
    made = pulled()
    made.control.set_right(made.onoffice.emulator.account.user("api"), "log", "read", allowed=False)
    numbers = [made.task(f"N{number}") for number in range(3)]
    made.mirror.turn()
    for number in numbers:
        made.control.delete("task", number)
    made.mirror.sweep()
    assert 3 == len(made.values(Kind.TASKS))
    made.mirror.accept()
    assert ([], {}) == (made.values(Kind.TASKS), made.mirror.memory().alarms)


def test_a_record_that_was_hidden_for_a_while_comes_back(pulled):
    """Under the name that devices knew it by."""
    made = pulled()
    number, _ = made.task("N0"), made.task("N1")
    made.mirror.turn()
    name = made.record(number, Kind.TASKS).name
    api = made.onoffice.emulator.account.user("api")
    made.control.set_right(api, "task", "read", allowed=False, record=number)
    made.mirror.sweep()
    assert made.record(number, Kind.TASKS).deleted
    made.control.set_right(api, "task", "read", allowed=True, record=number)
    made.mirror.sweep()
    assert (False, name) == (made.record(number, Kind.TASKS).deleted, made.record(number, Kind.TASKS).name)


def make(made, kind: Kind, *subjects: str) -> None:
    for subject in subjects:
        {Kind.CONTACTS: made.address, Kind.APPOINTMENTS: made.meeting, Kind.TASKS: made.task}[kind](subject)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_poll_notices_a_lost_right(pulled, kind):
    """Without waiting for the night; what is changed meanwhile comes when the right does, and the other kinds go on."""
    made = pulled()
    for one in Kind:
        make(made, one, "A", "B")
    made.mirror.turn()
    api, table, name = made.onoffice.emulator.account.user("api"), *TABLES[kind]
    made.control.set_right(api, table, "read", allowed=False)
    for what in ("polled", "looked again", "polled"):  # an hour later, once more and thoroughly
        assert what == made.mirror.turn()
        made.pass_time(minutes=30 if what == "looked again" else 60)
    assert {kind} == {one for one in Kind if made.mirror.memory().alarm_of(one)}
    made.control.edit(table, made.control.rows(table)[0]["id"], **{name: "Neu"})
    made.pass_time(hours=3)
    for one in Kind:
        make(made, one, "C")
    assert ["looked again", "polled"] == [made.mirror.turn(), made.mirror.turn()]
    assert [["A", "B"] if one is kind else ["A", "B", "C"] for one in Kind] == [made.subjects(one) for one in Kind]
    made.pass_time(minutes=30)
    made.control.set_right(api, table, "read", allowed=True)
    assert ["polled", "looked again"] == [made.mirror.turn(), made.mirror.turn()]
    assert (["B", "C", "Neu"], {}) == (made.subjects(kind), made.mirror.memory().alarms)


def test_that_the_newest_appointments_are_deleted_is_no_emptiness(pulled):
    """Those are asked for to see whether any can be seen; without the log nothing else tells of them, and others do."""
    made = pulled()
    made.control.set_right(made.onoffice.emulator.account.user("api"), "log", "read", allowed=False)
    numbers = [made.meeting(f"N{number}") for number in range(5)]
    made.mirror.turn()
    for number in numbers[2:]:
        made.control.delete("calendar", number)
    made.pass_time(minutes=30)
    assert ("polled", "") == (made.mirror.turn(), made.mirror.memory().alarm_of(Kind.APPOINTMENTS))
    assert ["N0", "N1"] == made.subjects(Kind.APPOINTMENTS)


def test_an_answer_that_is_empty_by_mistake_hides_no_change(pulled):
    """What changed is asked for once more together with whether anything can be seen."""
    made = pulled()
    number, _ = made.meeting("A"), made.meeting("B")
    made.mirror.turn()
    made.control.edit("calendar", number, description="Neu")
    made.control.fault(kind="empty", verb="read", resourcetype="calendar")
    made.mirror.turn()
    assert (["B", "Neu"], "") == (made.subjects(Kind.APPOINTMENTS), made.mirror.memory().alarm_of(Kind.APPOINTMENTS))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("is_filled", [True, False])
def test_a_refused_read_of_one_kind_is_an_alarm_of_that_kind(pulled, kind, is_filled):
    """Code 156, from the start or of a sudden: the other kinds are filled, polled and swept; recovery needs no hand."""
    made = pulled()
    for one in Kind:
        make(made, one, "A", "B")
    if is_filled:
        made.mirror.turn()
    made.control.fault(kind="error", code=156, message="Access violation", verb="read", resourcetype=TABLES[kind][0], times=100)
    assert ("polled" if is_filled else "filled") == made.mirror.turn()
    for one in Kind:
        make(made, one, "C")
    made.pass_time(minutes=30)
    assert "polled" == made.mirror.turn()
    made.mirror.sweep()
    here = ["A", "B"] if is_filled else []
    assert [here if one is kind else ["A", "B", "C"] for one in Kind] == [made.subjects(one) for one in Kind]
    assert {kind} == {one for one in Kind if "156" in made.mirror.memory().alarm_of(one)}
    made.control.clear_faults()
    for _ in range(3):
        made.mirror.turn()
    assert (["A", "B", "C"], {}) == (made.subjects(kind), made.mirror.memory().alarms)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_right_that_was_missing_from_the_start_is_told_of(pulled, kind, caplog):
    """A kind that is filled with nothing is doubted, once, and is no alarm; as soon as anything can be seen it is filled, without a hand."""
    made = pulled()
    for one in Kind:
        make(made, one, "A", "B")
    api = made.onoffice.emulator.account.user("api")
    made.control.set_right(api, TABLES[kind][0], "read", allowed=False)
    made.mirror.turn()
    told = f"onOffice shows no {kind} at all; if it has some, the API user lacks the right to read them"
    assert ({f"fill {kind}": told}, "", told) == (
        made.mirror.memory().alarms,
        made.mirror.memory().alarm_of(kind),
        made.mirror.memory().doubt_of(kind),
    )
    made.pass_time(days=3)
    assert ["swept", "polled"] == [made.mirror.turn(), made.mirror.turn()]
    assert [("WARNING", f"mirror of t: {told}")] == [
        (one.levelname, one.getMessage()) for one in caplog.records if one.name.endswith("onoffice.mirror")
    ]
    made.control.set_right(api, TABLES[kind][0], "read", allowed=True)
    assert ["polled", "filled"] == [made.mirror.turn(), made.mirror.turn()]
    assert (["A", "B"], {}) == (made.subjects(kind), made.mirror.memory().alarms)


def test_an_office_that_has_no_tasks_says_so_once(pulled):
    """`mirror accept` ends the doubt for good, also if another kind is filled anew; the first task is no surprise."""
    made = pulled()
    make(made, Kind.CONTACTS, "A")
    make(made, Kind.APPOINTMENTS, "A")
    made.mirror.turn()
    made.mirror.accept()
    with made.office.store.writing() as tx:
        memory = made.mirror.memory()
        del memory.places[Kind.CONTACTS]
        save_memory(tx, "t", memory)
    assert ["filled", "polled", {}] == [made.mirror.turn(), made.mirror.turn(), made.mirror.memory().alarms]
    make(made, Kind.TASKS, "Erste")
    assert "polled" == made.mirror.turn()
    assert (["Erste"], {}) == (made.subjects(Kind.TASKS), made.mirror.memory().alarms)


def test_many_records_go_in_few_commits(pulled):
    """A purge in the CRM of which the log tells: 450 records are three commits, not 450."""
    made = pulled()
    numbers = made.control.add_many("task", [{"data": {"Betreff": f"N{n}", "Verantwortung": "anna"}} for n in range(460)])
    made.mirror.turn()
    for number in numbers[:450]:
        made.control.delete("task", number)
    commits = []
    event.listen(made.office.store.engine, "commit", lambda connection: commits.append(connection))
    made.mirror.turn()
    assert 10 == len(made.values(Kind.TASKS))
    assert len(commits) < 60  # reading transactions count, too
