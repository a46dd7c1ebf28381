"""VTODO (RFC 5545 3.6.2) as a task; rules 77-85."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from radicale_onoffice.core import tasks as rules
from radicale_onoffice.core.drafts import TaskDraft
from radicale_onoffice.core.model import Base, Leftovers, Task
from radicale_onoffice.formats import calendars, times
from radicale_onoffice.formats import leftovers as patching
from radicale_onoffice.formats.leftovers import Context, Part, line
from radicale_onoffice.formats.lines import Component, Line, dump, text_of, unfold

UNMAPPED = {
    "responsible": "whose list the task is in; a client cannot name users (rule 80)",
    "responsible_is_group": "as responsible",
    "processor": "as responsible",
    "public_description": "for onOffice's customers, not for the agent",
    "comment": "onOffice's own log of the task (rule 81)",
    "creator": "as responsible",
    "effort_planned": "no iCalendar property means it",
    "effort_extra": "no iCalendar property means it",
    "addresses": "links inside the CRM",
    "estate": "links inside the CRM",
    "project": "links inside the CRM",
    "unsynced_by": "decides to whom the task is offered (U36)",
}
RECURRENCE = ("RRULE", "RDATE", "EXRULE", "EXDATE")


def moment_of(component: Component, name: str, context: Context) -> datetime | date | None:
    """The moment or day of a property, in the tenant's zone if it was in UTC."""
    found = component.first(name)
    if found is None:
        return None
    when = times.moment(found, context)
    return when.astimezone(context.zone) if isinstance(when, datetime) and when.tzinfo == times.UTC_ZONE else when


def due_of(component: Component, context: Context) -> datetime | date | None:
    """The due moment or day, also where it is told as a duration."""
    start, length = moment_of(component, "DTSTART", context), component.first("DURATION")
    if length is not None and start is not None and component.first("DUE") is None:
        return times.plus(start, times.duration(length.value))
    return moment_of(component, "DUE", context)


def _with_due(task: Task, due: datetime | date | None) -> Task:
    """A due date is binding (U37); taking it away only makes the CRM's deadline inactive, which loses nothing."""
    return replace(task, deadline=due, deadline_strict=True) if due is not None else replace(task, deadline_strict=False)


def status_of(component: Component, _: Context) -> rules.ClientStatus:
    """The state that the lines tell, with or without a STATUS."""
    word = text_of(component.first("STATUS")).upper()
    if word in {status.value for status in rules.ClientStatus}:
        return rules.ClientStatus(word)
    done = component.first("COMPLETED") is not None or _percent(component) == 100
    return rules.ClientStatus.COMPLETED if done else rules.ClientStatus.NEEDS_ACTION


def completed_of(component: Component, context: Context) -> datetime | None:
    """When it was completed."""
    when = moment_of(component, "COMPLETED", context)
    return when if isinstance(when, datetime) else None


def _number(component: Component, name: str) -> int:
    word = text_of(component.first(name))
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else 0


def _percent(component: Component) -> int:
    return _number(component, "PERCENT-COMPLETE")


def _with_percent(task: Task, percent: int) -> Task:
    """A full hundred is what completing makes of a task, not the other way round (rule 80)."""
    return replace(task, progress=rules.snap_progress(percent) if rules.is_completed(task) else min(75, rules.snap_progress(percent)))


def _priority(component: Component, _: Context) -> int:
    return rules.priority_from_client(min(_number(component, "PRIORITY"), 9))


def _write_stamp(name: str, when: datetime | date | None) -> Sequence[Line]:
    return [times.stamp(name, when)] if when is not None else []


def _write_completed(task: Task) -> Sequence[Line]:
    return [line("COMPLETED", f"{task.completed_at.astimezone(UTC):%Y%m%dT%H%M%SZ}")] if task.completed_at else []


def reminder_of(component: Component, context: Context) -> datetime | None:
    """The moment of the record's one alarm, None for one that cannot be told."""
    found = times.main_alarm(component)
    trigger = found.first("TRIGGER") if found else None
    if trigger is None:
        return None
    if "DATE-TIME" in trigger.param("VALUE") or not trigger.value.strip().lstrip("+-").startswith("P"):
        when: Any = times.moment(trigger, context)
    else:
        anchor = (
            due_of(component, context)
            if "END" in trigger.param("RELATED")
            else moment_of(component, "DTSTART", context) or due_of(component, context)
        )
        if not isinstance(anchor, datetime):
            return None
        when = times.plus(anchor, times.duration(trigger.value))
    return when.astimezone(context.zone) if isinstance(when, datetime) else None


def _write_reminder(task: Task, component: Component, _: Context) -> Sequence[Component]:
    if task.reminder is None:
        # An alarm whose moment cannot be told without a time of day stays the client's own.
        old = times.main_alarm(component)
        return [old] if old is not None and old.first("TRIGGER") is None else []
    trigger = line("TRIGGER", f"{task.reminder.astimezone(UTC):%Y%m%dT%H%M%SZ}", VALUE="DATE-TIME")
    old = times.main_alarm(component)
    if old is None:
        return [times.alarm(trigger)]
    return [Component("VALARM", [trigger if part.name == "TRIGGER" else part for part in old.parts])]


def _whole_second(when: datetime | None) -> datetime | None:
    return when.replace(microsecond=0) if when else None


FIELDS: tuple[Part[Task], ...] = (
    calendars.text_row("SUMMARY", "subject", Task),
    calendars.text_row("DESCRIPTION", "description", Task),
    Part(
        fields=("deferred_until",),
        names=("DTSTART",),
        read=lambda component, context: moment_of(component, "DTSTART", context),
        want=lambda task, _: task.deferred_until,
        write=lambda task, _component, _context: _write_stamp("DTSTART", task.deferred_until),
        patch=lambda task, when: replace(task, deferred_until=when),
    ),
    Part(
        fields=("deadline", "deadline_strict"),
        names=("DUE", "DURATION"),
        read=due_of,
        want=lambda task, _: task.deadline if task.deadline_strict else None,
        write=lambda task, _component, _context: _write_stamp("DUE", task.deadline if task.deadline_strict else None),
        patch=_with_due,
    ),
    Part(
        fields=("priority",),
        names=("PRIORITY",),
        read=_priority,
        want=lambda task, _: task.priority,
        write=lambda task, _component, _context: [line("PRIORITY", str(rules.PRIORITIES[task.priority]))],
        patch=lambda task, priority: replace(task, priority=priority),
    ),
    Part(
        fields=("status", "done"),
        names=("STATUS",),
        read=status_of,
        want=lambda task, _: rules.client_status(task),
        write=lambda task, _component, _context: [line("STATUS", rules.client_status(task).value)],
        patch=rules.with_client_status,
    ),
    Part(
        fields=("completed_at",),
        names=("COMPLETED",),
        read=completed_of,
        want=lambda task, _: _whole_second(task.completed_at),
        write=lambda task, _component, _context: _write_completed(task),
        patch=lambda task, when: replace(task, completed_at=when),
    ),
    Part(
        fields=("progress",),
        names=("PERCENT-COMPLETE",),
        read=lambda component, _: rules.snap_progress(_percent(component)),
        want=lambda task, _: task.progress,
        write=lambda task, _component, _context: [line("PERCENT-COMPLETE", str(task.progress))] if task.progress else [],
        patch=_with_percent,
    ),
    calendars.private_row(Task),
    calendars.type_row(Task),
    Part(
        fields=("reminder",),
        names=("VALARM",),
        picks=lambda component, part: part is times.main_alarm(component),
        read=reminder_of,
        want=lambda task, _: _whole_second(task.reminder),
        write=_write_reminder,
        patch=lambda task, when: replace(task, reminder=when),
    ),
    # onOffice has no recurring tasks: the first one is kept, and said so (rule 85)
    Part(
        fields=(),
        names=RECURRENCE,
        read=lambda component, _: bool(component.lines(*RECURRENCE)),
        want=lambda _task, _: False,
        write=lambda _task, _component, _context: [],
    ),
)


def load(text: str, base: Base | None, context: Context) -> TaskDraft:
    """What a to-do asks for; raises BadRequest."""
    calendar = calendars.calendar_of(text, "VTODO")
    component = calendars.main(calendar, "VTODO")
    had_component, had = None, context
    if base and base.text:
        had_calendar = calendars.calendar_of(base.text, "VTODO")
        had_component, had = calendars.main(had_calendar, "VTODO"), replace(context, calendar=had_calendar)
    value = base.value if base else Task()
    assert isinstance(value, Task)
    value = patching.load(FIELDS, component, had_component, value, replace(context, calendar=calendar), had)
    rule = "\n".join(part.raw for part in component.lines(*RECURRENCE))
    kept_rule = rule or (base.leftovers.rule if base else "")
    return TaskDraft(value=value, occurs=bool(rule), leftovers=Leftovers(lines=tuple(unfold(text)), rule=kept_rule))


def render(task: Task, kept: Leftovers, context: Context) -> str:
    """The to-do's text."""
    calendar, component = calendars.opened(kept, "VTODO", context)
    patching.apply(FIELDS, component, task, replace(context, calendar=calendar))
    calendars.closed(calendar)
    return dump([calendar])
