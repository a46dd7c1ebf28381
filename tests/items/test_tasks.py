"""Tasks: each field there and back, four dates, and coarser values that come back ([MS-ASTASK], rules 77-85)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from activesync_bridge.items import Ghosting, tasks
from activesync_bridge.items.patching import holds
from activesync_bridge.wbxml.codepages import AirSyncBase, Tasks
from activesync_bridge.wbxml.element import Element
from radicale_onoffice import formats
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import Actor, Base, Face, Identity, Kind, Leftovers, Task, TaskStatus
from tests.items.building import ALL, BERLIN, FLAVOUR, NOTHING, body, data, first, named, replaced

NOW = datetime(2026, 3, 15, 8, 30, tzinfo=UTC)
TODO = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//EN
BEGIN:VTODO
UID:u1
DTSTAMP:20260315T083000Z
SUMMARY:Anrufen
DESCRIPTION:Erste Zeile\\nzweite
DTSTART;VALUE=DATE:20260401
DUE;X-A=b;TZID=Europe/Berlin:20260402T100000
PRIORITY:3
STATUS:IN-PROCESS
PERCENT-COMPLETE:50
CLASS:PRIVATE
CATEGORIES:Telefon,Extra
X-CUSTOM:keep
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:Mein Wecker
TRIGGER;VALUE=DATE-TIME:20260402T060000Z
X-WR-ALARMUID:w
END:VALARM
BEGIN:VALARM
ACTION:EMAIL
TRIGGER:-P1D
END:VALARM
END:VTODO
END:VCALENDAR
""".replace("\n", "\r\n")


def dumped(text=TODO):
    return tasks.dump(text, "u1", FLAVOUR)


def changed(*changes, text=TODO, ghosting=ALL):
    return tasks.patch(text, replaced(dumped(text), *changes), FLAVOUR, ghosting)


def difference(new, old=TODO):
    before, after = new.split("\r\n"), old.split("\r\n")
    return [one for one in after if one not in before], [one for one in before if one not in after]


def loaded(value: Task, *changes, ghosting=ALL) -> Task:
    """What the core is asked for when a phone changes a task that the CRM made."""
    text = formats.render(Kind.TASKS, value, Leftovers(), uid="u", modified=NOW, zone=BERLIN, region="DE").text
    new = changed(*changes, text=text, ghosting=ghosting)
    draft = formats.load(Kind.TASKS, new, Base(value=value, text=text), zone=BERLIN, region="DE")
    return draft.value


def test_the_fields_of_a_task():
    """All four dates: wall time of the tenant's zone as if it were UTC, and the moment; midnight for a day."""
    assert {
        "Subject": "Anrufen",
        "Importance": "2",
        "UtcStartDate": "2026-03-31T22:00:00.000Z",
        "StartDate": "2026-04-01T00:00:00.000Z",
        "UtcDueDate": "2026-04-02T08:00:00.000Z",
        "DueDate": "2026-04-02T10:00:00.000Z",
        "Complete": "0",
        "Sensitivity": "2",
        "ReminderSet": "1",
        "ReminderTime": "2026-04-02T06:00:00.000Z",
    } == named(dumped())
    assert ["Telefon", "Extra"] == [word.text for word in first(dumped(), Tasks.Categories).children]
    assert "Erste Zeile\r\nzweite" == first(dumped(), AirSyncBase.Body).text_of(AirSyncBase.Data)


def test_a_no_op_change_is_byte_identical():
    """With Supported, without, and for a client that omits what ghosting keeps."""
    assert TODO == changed()
    assert TODO == changed(ghosting=NOTHING)
    assert TODO == tasks.patch(TODO, data((Tasks.Subject, "Anrufen")), FLAVOUR, NOTHING)


@pytest.mark.parametrize(
    ("changes", "gone", "came"),
    [
        ([(Tasks.Subject, "Neu")], ["SUMMARY:Anrufen"], ["SUMMARY:Neu"]),
        ([(Tasks.Importance, "0")], ["PRIORITY:3"], ["PRIORITY:9"]),
        ([(Tasks.Sensitivity, "0")], ["CLASS:PRIVATE"], []),
        ([(Tasks.Sensitivity, "1")], ["CLASS:PRIVATE"], ["CLASS:X-PERSONAL"]),
        ([(Tasks.Sensitivity, "3")], ["CLASS:PRIVATE"], ["CLASS:CONFIDENTIAL"]),
        ([(Tasks.OrdinalDate, "2026-01-01T00:00:00.000Z")], [], ["X-EAS-ORDINAL-DATE:2026-01-01T00:00:00.000Z"]),
        ([(Tasks.SubOrdinalDate, "5")], [], ["X-EAS-SUB-ORDINAL-DATE:5"]),
        (
            [(Tasks.ReminderTime, "2026-04-02T05:00:00.000Z")],
            ["TRIGGER;VALUE=DATE-TIME:20260402T060000Z"],
            ["TRIGGER;VALUE=DATE-TIME:20260402T050000Z"],
        ),
    ],
)
def test_one_field_change_alters_the_lines_of_that_field(changes, gone, came):
    """And the phone holds what is stored then; the second alarm and the first one's own lines survive."""
    new = changed(*changes)
    assert (gone, came) == difference(new)
    assert holds(replaced(dumped(), *changes), dumped(new), ALL)


def test_a_deleted_reminder_leaves_the_other_alarms():
    """ReminderSet 0; its time says nothing then."""
    new = changed((Tasks.ReminderSet, "0"))
    assert "Mein Wecker" not in new
    assert "ACTION:EMAIL" in new
    assert "0" == named(dumped(new))["ReminderSet"]


def test_a_new_reminder():
    """A canonical alarm."""
    text = changed((Tasks.ReminderSet, "0"))
    new = changed((Tasks.ReminderSet, "1"), (Tasks.ReminderTime, "2026-05-01T07:00:00Z"), text=text)
    assert "TRIGGER;VALUE=DATE-TIME:20260501T070000Z" in new
    assert text == changed((Tasks.ReminderSet, "1"), text=text)  # without a time there is nothing to set


@pytest.mark.parametrize("word", ["2", "-1", "yes"])
def test_r252_reminder_set_is_0_or_1(word):
    """R249. Else status 6; so for Complete (R119)."""
    with pytest.raises(BadRequest):
        changed((Tasks.ReminderSet, word))
    with pytest.raises(BadRequest):
        changed((Tasks.Complete, word))


@pytest.mark.parametrize("tag", [Tasks.Importance, Tasks.ReminderSet, Tasks.ReminderTime, Tasks.Complete, AirSyncBase.Body])
def test_r369_and_r370_some_elements_are_never_deleted_by_omission(tag):
    """Importance, the reminder, completion, notes."""
    assert TODO == changed((tag, None))


@pytest.mark.parametrize("tags", [(Tasks.UtcDueDate, Tasks.DueDate), (Tasks.UtcStartDate, Tasks.StartDate), (Tasks.Categories,)])
def test_r5912_others_are(tags):
    """MS-ASCMD R5912: both elements of a date; one of them alone still tells it."""
    new = changed(*((tag, None) for tag in tags))
    assert all(first(dumped(new), tag) is None for tag in tags)
    assert TODO == changed(*((tag, None) for tag in tags), ghosting=Ghosting(managed=frozenset({Tasks.Subject})))
    if len(tags) > 1:
        assert TODO == changed((tags[0], None))


def test_r436_an_empty_categories_removes_them():
    """And the task's type with it."""
    assert "CATEGORIES" not in changed(Element(Tasks.Categories))


@pytest.mark.parametrize(
    ("utc", "local", "due"),
    [
        ("2026-04-02T22:00:00.000Z", "2026-04-03T00:00:00.000Z", "DUE;VALUE=DATE:20260403"),  # a day, sent from Berlin
        ("2026-04-03T04:00:00.000Z", "2026-04-03T00:00:00.000Z", "DUE;VALUE=DATE:20260403"),  # from New York
        ("2026-04-02T22:00:00.000Z", "2026-04-02T22:00:00.000Z", "DUE;VALUE=DATE:20260403"),  # the moment in both
        ("2026-04-03T12:30:00.000Z", "2026-04-03T14:30:00.000Z", "DUE;TZID=Europe/Berlin:20260403T143000"),
        ("2026-04-03T12:30:00.000Z", "2026-04-03T08:30:00.000Z", "DUE;TZID=Europe/Berlin:20260403T143000"),  # New York: the moment counts
        (None, "2026-04-03T14:30:00.000Z", "DUE;TZID=Europe/Berlin:20260403T143000"),
        ("2026-04-03T12:30:00.000Z", None, "DUE;TZID=Europe/Berlin:20260403T143000"),
        ("2026-04-02T08:00:00.000Z", "2026-04-03T14:30:00.000Z", "DUE;TZID=Europe/Berlin:20260403T143000"),  # only one was changed
    ],
)
def test_a_changed_due_date(utc, local, due):
    """Two elements, one date."""
    assert [due] == [one for one in difference(changed((Tasks.UtcDueDate, utc), (Tasks.DueDate, local)))[1] if one.startswith("DUE")]


def test_rule_84_a_client_that_knows_days_only_keeps_the_time():
    """The same day at midnight is no change."""
    assert TODO == changed((Tasks.UtcDueDate, "2026-04-01T22:00:00.000Z"), (Tasks.DueDate, "2026-04-02T00:00:00.000Z"))


def test_a_due_date_told_as_a_length_does_not_move_with_the_start():
    """DURATION becomes DUE when the phone moves the start."""
    text = TODO.replace("DTSTART;VALUE=DATE:20260401", "DTSTART:20260401T080000Z").replace(
        "DUE;X-A=b;TZID=Europe/Berlin:20260402T100000", "DURATION:PT2H"
    )
    assert "2026-04-01T10:00:00.000Z" == named(dumped(text))["UtcDueDate"]
    assert text == changed(text=text)
    new = changed((Tasks.UtcStartDate, "2026-04-01T07:00:00Z"), (Tasks.StartDate, "2026-04-01T09:00:00Z"), text=text)
    assert ("2026-04-01T07:00:00.000Z", "2026-04-01T10:00:00.000Z") == tuple(
        named(dumped(new))[name] for name in ("UtcStartDate", "UtcDueDate")
    )


def test_a_date_that_is_none_is_refused():
    """Status 6."""
    for tag in (Tasks.DueDate, Tasks.UtcStartDate, Tasks.ReminderTime):
        with pytest.raises(BadRequest):
            changed((tag, "tomorrow"))


def test_r124_what_is_complete_has_its_date():
    """From COMPLETED, else from the lines that date the text."""
    done = TODO.replace("STATUS:IN-PROCESS", "STATUS:COMPLETED")
    assert ("1", "2026-03-15T08:30:00.000Z") == tuple(named(dumped(done))[name] for name in ("Complete", "DateCompleted"))
    dated = done.replace("X-CUSTOM", "COMPLETED:20260310T101500Z\r\nX-CUSTOM")
    assert "2026-03-10T10:15:00.000Z" == named(dumped(dated))["DateCompleted"]
    assert dated == changed((Tasks.DateCompleted, "2026-03-10T00:00:00.000Z"), text=dated)
    assert dated == changed((Tasks.DateCompleted, None), text=dated)


def test_rule_80_completing_sets_both_marks_and_reopening_goes_back():
    """Through the core: progress 100 and the moment; reopened it is in process at 75."""
    open_task = Task(subject="a", status=TaskStatus.IN_PROCESS, progress=50)
    done = loaded(open_task, (Tasks.Complete, "1"), (Tasks.DateCompleted, "2026-03-20T09:00:00.000Z"))
    assert (True, TaskStatus.COMPLETED, 100, datetime(2026, 3, 20, 9, tzinfo=UTC)) == (
        done.done,
        done.status,
        done.progress,
        done.completed_at,
    )
    again = loaded(done, (Tasks.Complete, "0"))
    assert (False, TaskStatus.IN_PROCESS, 75, None) == (again.done, again.status, again.progress, again.completed_at)


@pytest.mark.parametrize(("priority", "importance"), [(1, "2"), (2, "2"), (3, "1"), (4, "0"), (5, "0")])
def test_rule_84_a_coarser_importance_coming_back_keeps_the_finer_priority(priority, importance):
    """An edit of the subject alone changes the subject alone."""
    task = Task(subject="a", priority=priority, status=TaskStatus.NEEDS_CLARIFICATION, progress=25)
    text = formats.render(Kind.TASKS, task, Leftovers(), uid="u", modified=NOW, zone=BERLIN, region="DE").text
    assert importance == named(dumped(text))["Importance"]
    assert replace(task, subject="b") == loaded(task, (Tasks.Subject, "b"))


def test_r550_an_importance_without_meaning_comes_back_as_it_was_sent():
    """And is normal for everybody else."""
    new = changed((Tasks.Importance, "7"))
    assert "7" == named(dumped(new))["Importance"]
    assert 3 == loaded(Task(subject="a", priority=1), (Tasks.Importance, "7")).priority
    assert "X-EAS-IMPORTANCE" not in changed((Tasks.Importance, "2"), text=new)


def test_the_sensitivity_is_0_to_3():
    """R259; without the element it is normal."""
    with pytest.raises(BadRequest):
        changed((Tasks.Sensitivity, "4"))
    assert "CLASS" not in changed((Tasks.Sensitivity, None))


def recurrence(*children):
    return Element(Tasks.Recurrence, tuple(Element(*one) for one in children))


START = (Tasks.Start, "2026-04-01T00:00:00.000Z")


@pytest.mark.parametrize(
    ("children", "rule"),
    [
        ([(Tasks.Type, "0"), START], "FREQ=DAILY"),
        ([(Tasks.Type, "0"), START, (Tasks.DayOfWeek, "62")], "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ([(Tasks.Type, "1"), START, (Tasks.Interval, "2"), (Tasks.DayOfWeek, "2")], "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"),
        ([(Tasks.Type, "2"), START, (Tasks.DayOfMonth, "15"), (Tasks.Occurrences, "3")], "FREQ=MONTHLY;BYMONTHDAY=15;COUNT=3"),
        ([(Tasks.Type, "3"), START, (Tasks.WeekOfMonth, "5"), (Tasks.DayOfWeek, "32")], "FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1"),
        ([(Tasks.Type, "5"), START, (Tasks.DayOfMonth, "1"), (Tasks.MonthOfYear, "4")], "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=1"),
        (
            [(Tasks.Type, "6"), START, (Tasks.WeekOfMonth, "2"), (Tasks.DayOfWeek, "4"), (Tasks.MonthOfYear, "4")],
            "FREQ=YEARLY;BYMONTH=4;BYDAY=TU;BYSETPOS=2",
        ),
        (
            [(Tasks.Type, "0"), START, (Tasks.Until, "2026-05-01T00:00:00.000Z"), (Tasks.Regenerate, "1")],
            "FREQ=DAILY;UNTIL=20260501T000000Z",
        ),
        ([(Tasks.Type, "0"), START, (Tasks.Until, "2026-05-01T00:00:00Z"), (Tasks.Occurrences, "4")], "FREQ=DAILY;COUNT=4"),  # R37013
        ([(Tasks.Type, "0"), START, (Tasks.DeadOccur, "1")], ""),
    ],
)
def test_rule_85_a_recurrence_is_handed_to_the_core(children, rule):
    """Which keeps the first task, and the rule for the record's history."""
    assert rule == tasks.rule_of(recurrence(*children))
    text = tasks.patch(None, data((Tasks.Subject, "a"), recurrence(*children)), FLAVOUR, ALL, uid="n")
    draft = formats.load(Kind.TASKS, text, None, zone=BERLIN, region="DE")
    assert (bool(rule), f"RRULE:{rule}" if rule else "") == (draft.occurs, draft.leftovers.rule)


@pytest.mark.parametrize(
    "children",
    [
        [START],  # R289: no Type
        [(Tasks.Type, "0")],  # R37011: no Start
        [(Tasks.Type, "4"), START],  # R292
        [(Tasks.Type, "0"), START, (Tasks.CalendarType, "1")],  # R81
        [(Tasks.Type, "0"), START, (Tasks.Interval, "1000")],
        [(Tasks.Type, "2"), START, (Tasks.DayOfMonth, "x")],
        [(Tasks.Type, "0"), (Tasks.Start, "now")],
        *([(Tasks.Type, "2"), START, (Tasks.DayOfMonth, word)] for word in ("0", "32")),  # R525
        *([(Tasks.Type, "1"), START, (Tasks.DayOfWeek, word)] for word in ("0", "128")),  # R141
        [(Tasks.Type, "1"), START, (Tasks.FirstDayOfWeek, "7")],  # R170, R171
        [(Tasks.Type, "3"), START, (Tasks.DayOfWeek, "2"), (Tasks.WeekOfMonth, "6")],  # R317
        *([(Tasks.Type, "5"), START, (Tasks.MonthOfYear, word)] for word in ("0", "13")),  # R210
        *([(Tasks.Type, "2"), START, (Tasks.CalendarType, word)] for word in ("13", "16", "17", "18", "19", "21")),  # R84
        [(Tasks.Type, "2"), START, (Tasks.IsLeapMonth, "2")],  # R201
        [(Tasks.Type, "0"), START, (Tasks.Regenerate, "2")],  # R4221
    ],
)
def test_r289_and_r37011_a_recurrence_that_is_none_is_refused(children):
    """Status 6; so no calendar is taken that must not be used (R382, R384, R386, R388, R390)."""
    with pytest.raises(BadRequest):
        changed(recurrence(*children))


def test_a_new_task_from_a_phone(office):
    """U37: it goes to its maker, with a binding deadline; the phone holds what is stored."""
    sent = data(
        (Tasks.Subject, "Neu"),
        body("Notiz"),
        (Tasks.Importance, "1"),
        (Tasks.UtcDueDate, "2026-04-02T22:00:00.000Z"),
        (Tasks.DueDate, "2026-04-03T00:00:00.000Z"),
        (Tasks.Complete, "0"),
        (Tasks.Sensitivity, "0"),
        (Tasks.ReminderSet, "0"),
    )
    text = tasks.patch(None, sent, FLAVOUR, ALL, uid="n")
    draft = formats.load(Kind.TASKS, text, None, zone=BERLIN, region="DE")
    phone = Actor(identity=Identity("t", "anna"), face=Face.EAS, device="d")
    record = office.records.put(phone, Kind.TASKS, draft, uid="n")
    assert ("Neu", "Notiz", date(2026, 4, 3), True, "anna") == (
        record.value.subject,
        record.value.description,
        record.value.deadline,
        record.value.deadline_strict,
        record.value.responsible,
    )
    assert holds(sent, dumped(record.text), ALL)
