"""Tasks: [MS-ASTASK] as a second syntax of the stored VTODO; rules 77-85 are the core's.

``StartDate`` and ``DueDate`` are wall times of the tenant's zone, ``UtcStartDate`` and ``UtcDueDate`` the same moments in UTC; all four are
sent, because clients read different ones. A coarser value that comes back (importance, midnight of a day) never replaces a finer one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from activesync_bridge.items import Flavour, Ghosting
from activesync_bridge.items.body import body_row
from activesync_bridge.items.patching import (
    Context,
    Elements,
    Row,
    categories_row,
    dashed,
    moment,
    put,
    text_row,
    text_sent,
)
from activesync_bridge.items.patching import dump as read_all
from activesync_bridge.items.patching import patch as write_changes
from activesync_bridge.wbxml.codepages import Tasks
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.tasks import ClientStatus
from radicale_onoffice.formats import calendars, times
from radicale_onoffice.formats import tasks as todos
from radicale_onoffice.formats.leftovers import line
from radicale_onoffice.formats.lines import Component, Line, escape, text_of
from radicale_onoffice.formats.lines import dump as text_from

UNMAPPED: Mapping[str, str] = {
    **todos.UNMAPPED,
    "progress": "[MS-ASTASK] has no percentage; PERCENT-COMPLETE stays as it is",
}


# -------------------------------------------------------------------- dates


def _wall(when: datetime | date, zone: ZoneInfo) -> datetime:
    """The wall time in the tenant's zone, written as if it were UTC; a day begins at midnight."""
    if not isinstance(when, datetime):
        return datetime(when.year, when.month, when.day, tzinfo=UTC)
    try:
        return when.astimezone(zone).replace(tzinfo=UTC, microsecond=0)
    except OverflowError:
        raise BadRequest("The date lies beyond the calendar.") from None


def _instant(when: datetime | date, zone: ZoneInfo) -> datetime:
    moment_of = when if isinstance(when, datetime) else datetime(when.year, when.month, when.day, tzinfo=zone)
    return moment_of.astimezone(UTC)


Told = Callable[[Component, Context], datetime | date | None]


def _date_row(utc: int, local: int, name: str, told: Told, fields: tuple[str, ...]) -> Row:
    """A row for the two elements of one date."""

    def read(component: Component, context: Context) -> Elements:
        when = told(component, context)
        if when is None:
            return ()
        zone = context.flavour.zone
        return (Element(utc, dashed(_instant(when, zone))), Element(local, dashed(_wall(when, zone))))

    def same(sent: Elements, had: Elements, _: Context) -> bool:
        ours = {one.tag: moment(one.text) for one in had}
        return bool(sent) == bool(had) and all(moment(one.text) == ours.get(one.tag) for one in sent)

    def write(component: Component, elements: Elements, context: Context) -> None:
        old, rings = told(component, context), todos.reminder_of(component, context.dav)
        if name == "DTSTART" and component.first("DUE") is None and component.first("DURATION") is not None:
            due = _due(component, context)  # told as a length: it must not move with the start
            put(component, component.lines("DURATION"), [times.stamp("DUE", due)] if due is not None else [])
        sent = {one.tag: moment(one.text) for one in elements}
        new = _meant(sent.get(utc), sent.get(local), old, context.flavour.zone)
        if new != old or type(new) is not type(old):
            names = ("DUE", "DURATION") if name == "DUE" else (name,)
            put(component, component.lines(*names), [times.stamp(name, new)] if new is not None else [])
        if rings is not None and todos.reminder_of(component, context.dav) != rings:
            _ring(component, rings.astimezone(UTC))  # a phone's reminder is a moment: nor must it move

    names = frozenset({"DTSTART"} if name == "DTSTART" else {"DUE", "DURATION"})
    return Row(tags=(utc, local), names=names, fields=fields, read=read, write=write, same=same)


def _meant(utc: datetime | None, local: datetime | None, old: datetime | date | None, zone: ZoneInfo) -> datetime | date | None:
    """The moment or day that the two elements mean, given what is stored: most clients know days only, sent as midnight."""
    if utc is None and local is None:
        return None
    wall = local if local is not None else _wall(utc, zone) if utc is not None else None
    assert wall is not None
    stale = utc is not None and old is not None and utc == _instant(old, zone)
    when = utc if utc is not None and not stale else wall.replace(tzinfo=zone)
    # The day is the local element's; some clients write the moment into both, then it is the one whose midnight the moment is.
    day = next((one.date() for one in (wall, _wall(when, zone)) if (one.hour, one.minute, one.second) == (0, 0, 0)), None)
    if day is not None:
        is_that_day = isinstance(old, datetime) and old.astimezone(zone).date() == day
        return old if is_that_day else day  # rule 84: the stored time is kept if the day is
    return when.astimezone(old.tzinfo if isinstance(old, datetime) else zone)


def _start(component: Component, context: Context) -> datetime | date | None:
    return todos.moment_of(component, "DTSTART", context.dav)


def _due(component: Component, context: Context) -> datetime | date | None:
    return todos.due_of(component, context.dav)


# --------------------------------------------------------- states and flags


def _flag(elements: Elements, tag: int, default: str = "0") -> str:
    """A 0 or 1 (R119, R252); raises BadRequest."""
    word = next((one.text.strip() for one in elements if one.tag == tag), default)
    if word not in ("0", "1"):
        raise BadRequest(f"{Element(tag).name} is neither 0 nor 1: {word[:20]!r}.")
    return word


def _time(elements: Elements, tag: int) -> datetime | None:
    return next((moment(one.text) for one in elements if one.tag == tag), None)


def _complete(component: Component, context: Context) -> Elements:
    """Complete, and with it DateCompleted (R124)."""
    if todos.status_of(component, context.dav) is not ClientStatus.COMPLETED:
        return (Element(Tasks.Complete, "0"),)
    when: datetime | date | None = todos.completed_of(component, context.dav)
    for name in ("LAST-MODIFIED", "DTSTAMP"):
        when = when if when is not None else todos.moment_of(component, name, context.dav)
    return (Element(Tasks.Complete, "1"), Element(Tasks.DateCompleted, dashed(when if when is not None else date(1970, 1, 1))))


def _same_completion(sent: Elements, had: Elements, context: Context) -> bool:
    """A client that knows days only returns the day of the moment it was sent."""
    if _flag(sent, Tasks.Complete) != _flag(had, Tasks.Complete):
        return False
    one, other = _time(sent, Tasks.DateCompleted), _time(had, Tasks.DateCompleted)
    if _flag(sent, Tasks.Complete) == "0" or one is None or other is None:
        return True
    is_day = (one.hour, one.minute, one.second) == (0, 0, 0)
    return one == other or (is_day and one.date() in (other.date(), other.astimezone(context.flavour.zone).date()))


def _write_completion(component: Component, elements: Elements, _: Context) -> None:
    """The state only: what becomes of progress is the core's (rule 84)."""
    is_done = _flag(elements, Tasks.Complete) == "1"
    when = _time(elements, Tasks.DateCompleted)
    put(component, component.lines("STATUS"), [line("STATUS", "COMPLETED" if is_done else "NEEDS-ACTION")])
    put(component, component.lines("COMPLETED"), [line("COMPLETED", f"{when:%Y%m%dT%H%M%SZ}")] if is_done and when else [])


ODD_IMPORTANCE: Final = "X-EAS-IMPORTANCE"
PRIORITIES: Final[Mapping[str, str]] = {"0": "9", "1": "5", "2": "1"}


def _importance(component: Component, _: Context) -> Elements:
    word = text_of(component.first("PRIORITY"))
    priority = int(word) if word.isascii() and word.isdigit() and len(word) < 4 else 0
    known = "1" if priority in (0, 5) else "2" if priority < 5 else "0"
    odd = text_of(component.first(ODD_IMPORTANCE)) if known == "1" else ""
    return (Element(Tasks.Importance, odd or known),)


def _write_importance(component: Component, elements: Elements, _: Context) -> None:
    """A value of no meaning is returned as it was sent (R550), and is normal for everybody else."""
    word = text_sent(elements)
    odd = [line(ODD_IMPORTANCE, escape(word[:20]))] if word and word not in PRIORITIES else []
    put(component, component.lines(ODD_IMPORTANCE), odd)
    put(component, component.lines("PRIORITY"), [line("PRIORITY", PRIORITIES.get(word, "5"))])


CLASSES: Final[Mapping[str, str]] = {"0": "PUBLIC", "1": "X-PERSONAL", "2": "PRIVATE", "3": "CONFIDENTIAL"}


def _sensitivity(component: Component, _: Context) -> Elements:
    word = text_of(component.first("CLASS")).upper()
    return (Element(Tasks.Sensitivity, next((number for number, name in CLASSES.items() if name == word), "0")),)


def _write_sensitivity(component: Component, elements: Elements, _: Context) -> None:
    word = text_sent(elements) or "0"
    if word not in CLASSES:
        raise BadRequest(f"The sensitivity is none of 0 to 3: {word[:20]!r}.")
    put(component, component.lines("CLASS"), [line("CLASS", CLASSES[word])] if word != "0" else [])


def _reminder(component: Component, context: Context) -> Elements:
    when = todos.reminder_of(component, context.dav)
    if when is None:
        return (Element(Tasks.ReminderSet, "0"),)
    return (Element(Tasks.ReminderSet, "1"), Element(Tasks.ReminderTime, dashed(when)))


def _same_reminder(sent: Elements, had: Elements, _: Context) -> bool:
    """Without a reminder its time says nothing; without a time the reminder is the one that is there."""
    if _flag(sent, Tasks.ReminderSet) != _flag(had, Tasks.ReminderSet):
        return False
    when = _time(sent, Tasks.ReminderTime)
    return _flag(sent, Tasks.ReminderSet) == "0" or when is None or when == _time(had, Tasks.ReminderTime)


def _write_reminder(component: Component, elements: Elements, _: Context) -> None:
    old, when = times.main_alarm(component), _time(elements, Tasks.ReminderTime)
    if _flag(elements, Tasks.ReminderSet) == "0":
        put(component, [old] if old is not None else [], [])
    elif when is not None:
        _ring(component, when)


def _ring(component: Component, when: datetime) -> None:
    """Set the record's one alarm to a UTC moment; its other lines stay."""
    old, trigger = times.main_alarm(component), line("TRIGGER", f"{when:%Y%m%dT%H%M%SZ}", VALUE="DATE-TIME")
    parts: list[Line | Component] = [trigger if part.name == "TRIGGER" else part for part in old.parts] if old else []
    put(component, [old] if old is not None else [], [Component("VALARM", parts) if trigger in parts else times.alarm(trigger)])


# -------------------------------------------------------------- recurrences

DAYS: Final = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
FREQUENCIES: Final[Mapping[str, str]] = {"0": "DAILY", "1": "WEEKLY", "2": "MONTHLY", "3": "MONTHLY", "5": "YEARLY", "6": "YEARLY"}


BOUNDS: Final[Mapping[int, Collection[int]]] = {
    Tasks.DayOfMonth: range(1, 32),  # R525
    Tasks.DayOfWeek: range(1, 128),  # R141
    Tasks.FirstDayOfWeek: range(7),  # R170, R171
    Tasks.WeekOfMonth: range(1, 6),  # R317
    Tasks.MonthOfYear: range(1, 13),  # R210
    Tasks.CalendarType: (*range(13), 14, 15, 20),  # R84
    Tasks.IsLeapMonth: range(2),  # R201
    Tasks.Regenerate: range(2),  # R4221
    Tasks.DeadOccur: range(2),
}


def _demand_bounds(recurrence: Element) -> None:
    for child in recurrence.children:
        word = child.text.strip()
        if child.tag in BOUNDS and word and not (word.isascii() and word.isdigit() and len(word) < 6 and int(word) in BOUNDS[child.tag]):
            raise BadRequest(f"{child.name} cannot be {word[:20]!r}.")


def _number(recurrence: Element, tag: int, most: int) -> int:
    """A child's number from 1, 0 if it is absent; raises BadRequest."""
    word = recurrence.text_of(tag).strip()
    if not word:
        return 0
    if not (word.isascii() and word.isdigit() and len(word) < 6 and int(word) <= most):
        raise BadRequest(f"{Element(tag).name} is no number up to {most}: {word[:20]!r}.")
    return int(word)


def rule_of(recurrence: Element) -> str:
    """The RRULE of a task's Recurrence, "" for a dead occurrence; raises BadRequest (R81, R289, R292, R37011)."""
    kind = recurrence.text_of(Tasks.Type).strip()
    if kind not in FREQUENCIES:
        raise BadRequest(f"The recurrence's Type is missing or unknown: {kind[:20]!r}.")
    if not recurrence.text_of(Tasks.Start).strip():
        raise BadRequest("The recurrence has no Start.")
    moment(recurrence.text_of(Tasks.Start))
    if kind in ("0", "1") and recurrence.first(Tasks.CalendarType) is not None:
        raise BadRequest("A CalendarType belongs to monthly and yearly recurrences only.")
    _demand_bounds(recurrence)
    if recurrence.text_of(Tasks.DeadOccur).strip() == "1":
        return ""
    mask = _number(recurrence, Tasks.DayOfWeek, 127)
    days = ",".join(day for bit, day in enumerate(DAYS) if mask >> bit & 1)
    parts = [f"FREQ={'WEEKLY' if kind == '0' and days else FREQUENCIES[kind]}"]
    parts += [f"INTERVAL={interval}"] if (interval := _number(recurrence, Tasks.Interval, 999)) > 1 else []
    parts += [f"BYMONTH={month}"] if kind in ("5", "6") and (month := _number(recurrence, Tasks.MonthOfYear, 12)) else []
    parts += [f"BYMONTHDAY={day}"] if kind in ("2", "5") and (day := _number(recurrence, Tasks.DayOfMonth, 31)) else []
    parts += [f"BYDAY={days}"] if kind not in ("2", "5") and days else []
    week = _number(recurrence, Tasks.WeekOfMonth, 5) if kind in ("3", "6") else 0
    parts += [f"BYSETPOS={week if week < 5 else -1}"] if week else []
    count, until = _number(recurrence, Tasks.Occurrences, 999), recurrence.text_of(Tasks.Until).strip()
    if count:  # R37013: Occurrences wins
        parts.append(f"COUNT={count}")
    elif until:
        parts.append(f"UNTIL={moment(until):%Y%m%dT%H%M%SZ}")
    return ";".join(parts)


def _write_recurrence(component: Component, elements: Elements, _: Context) -> None:
    """The rule is handed to the core, which keeps the first task and says so (rule 85)."""
    rule = rule_of(elements[0]) if elements else ""
    if rule:
        put(component, component.lines(*todos.RECURRENCE), [line("RRULE", rule)])


# ----------------------------------------------------------------- the table

FIELDS: Final[tuple[Row, ...]] = (
    text_row(Tasks.Subject, "SUMMARY", fields=("subject",)),
    body_row("DESCRIPTION", fields=("description",)),
    Row(tags=(Tasks.Importance,), fields=("priority",), read=_importance, write=_write_importance, keeps=True),  # R369
    _date_row(Tasks.UtcStartDate, Tasks.StartDate, "DTSTART", _start, ("deferred_until",)),
    _date_row(Tasks.UtcDueDate, Tasks.DueDate, "DUE", _due, ("deadline", "deadline_strict")),
    categories_row(Tasks.Categories, Tasks.Category, fields=("type",)),
    Row(tags=(Tasks.Recurrence,), read=lambda _component, _context: (), write=_write_recurrence),
    Row(
        tags=(Tasks.Complete, Tasks.DateCompleted),
        fields=("status", "done", "completed_at"),
        read=_complete,
        write=_write_completion,
        same=_same_completion,
        keeps=True,
    ),
    Row(
        tags=(Tasks.Sensitivity,),
        fields=("private",),
        read=_sensitivity,
        write=_write_sensitivity,
        same=lambda sent, had, _: (text_sent(sent) or "0") == (text_sent(had) or "0"),
    ),
    Row(
        tags=(Tasks.ReminderSet, Tasks.ReminderTime),
        fields=("reminder",),
        read=_reminder,
        write=_write_reminder,
        same=_same_reminder,
        keeps=True,  # R370
    ),
    text_row(Tasks.OrdinalDate, "X-EAS-ORDINAL-DATE"),
    text_row(Tasks.SubOrdinalDate, "X-EAS-SUB-ORDINAL-DATE"),
)


def dump(text: str, uid: str, flavour: Flavour) -> tuple[Element, ...]:
    """The children of ApplicationData of a stored VTODO."""
    calendar = calendars.calendar_of(text, "VTODO")
    return read_all(FIELDS, calendars.main(calendar, "VTODO"), Context(flavour=flavour, calendar=calendar, uid=uid))


def patch(text: str | None, data: Element, flavour: Flavour, ghosting: Ghosting, *, uid: str = "") -> str:
    """The VTODO that says what the client wants of ``text`` (None: a new task); raises BadRequest."""
    calendar = calendars.calendar_of(text, "VTODO") if text is not None else _new_calendar(uid)
    had = list(calendar.raw_lines())
    context = Context(flavour=flavour, ghosting=ghosting, calendar=calendar, uid=uid)
    write_changes(FIELDS, calendars.main(calendar, "VTODO"), data, context)
    if text is not None and list(calendar.raw_lines()) == had:
        return text
    return text_from([calendar])


def _new_calendar(uid: str) -> Component:
    identity: list[Line | Component] = [line("UID", escape(uid))] if uid else []
    return Component("VCALENDAR", [line("VERSION", "2.0"), line("PRODID", "-//radicale-onoffice//EN"), Component("VTODO", identity)])
