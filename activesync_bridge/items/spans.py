"""When an appointment is: Timezone, AllDayEvent, StartTime and EndTime ([MS-ASCAL]) against DTSTART, DTEND and DURATION.

Whole days have no zone in iCalendar and in 16.x (R2005-R2008); up to 14.1 they are midnights of the zone that the item names, in UTC.
A phone elsewhere sends its own midnights, so days are compared, never moments. Single moments are compared as moments: the zone that a
phone names beside them is only how it shows them (MS-ASDTYPE R54). A series recurs in its zone, so there the zone counts, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from activesync_bridge.items import timezone
from activesync_bridge.items.patching import Context, Elements, Row, compact, moment, nearest_day, put
from activesync_bridge.items.recurrence import FIRST_YEAR, NO_END_YEAR
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import Calendar
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.formats import times
from radicale_onoffice.formats.lines import Component, Line, with_value

Start = datetime | date
Span = tuple[Start, Start]  # start and end; of whole days the end is exclusive
HALF_HOUR = timedelta(minutes=30)
DAY = timedelta(days=1)


def span_of(component: Component, context: Context) -> Span | None:
    """Start and end of a component, the end never before the start; None without a DTSTART."""
    known = context.memo.get("span")
    if known is not None:
        return cast(Span, known)
    first = component.first("DTSTART")
    if first is None:
        return None
    start = times.moment(first, context.dav)
    last, length = component.first("DTEND"), component.first("DURATION")
    if last is not None:
        end = times.moment(last, context.dav)
    elif length is not None:
        end = times.plus(start, times.duration(length.value))
    else:
        end = start if isinstance(start, datetime) else start + DAY
    return clamped(start, end)


def remember(component: Component, context: Context) -> None:
    """Read the span once for a component that is only read."""
    context.memo["span"] = span_of(component, context)


def told_moment(text: str) -> datetime:
    """A moment that a client tells, in UTC; raises BadRequest, also beyond the years that clients and CRMs can handle."""
    when = moment(text)
    if not FIRST_YEAR <= when.year < NO_END_YEAR:
        raise BadRequest(f"{text[:40]!r} lies beyond the calendar.")
    return when


def clamped(start: Start, end: Start) -> Span:
    """The span with an end that is not before the start; whole days last one at least."""
    if isinstance(start, datetime):
        return start, end if isinstance(end, datetime) and end > start else start
    last = end.date() if isinstance(end, datetime) else end
    return start, max(last, start + DAY)


def naive(when: Start) -> datetime:
    """The wall time, for lengths that hold across a change of clocks."""
    return when.replace(tzinfo=None) if isinstance(when, datetime) else datetime.combine(when, time())


def later(when: Start, length: timedelta) -> Start:
    """A later wall time, or day."""
    return when + length


def is_same(one: Span, other: Span, *, recurring: bool) -> bool:
    """True if two spans mean the same; of a series the zone counts, too."""
    (first, _), (second, _) = one, other
    if not isinstance(first, datetime) or not isinstance(second, datetime):
        return one == other and not isinstance(first, datetime) and not isinstance(second, datetime)
    return one == other and (not recurring or first.tzinfo == second.tzinfo)


def recurs(component: Component) -> bool:
    """True for a series."""
    return component.first("RRULE") is not None


def zone_of(start: Start, component: Component, context: Context) -> ZoneInfo:
    """The zone that an event lies in; a single one in UTC is shown in the tenant's."""
    zone = start.tzinfo if isinstance(start, datetime) else None
    if not isinstance(zone, ZoneInfo) or (zone == times.UTC_ZONE and not recurs(component)):
        return context.flavour.zone
    return zone


def is_literal(context: Context) -> bool:
    """True where whole days are dates without a zone (16.x)."""
    return context.flavour.version >= Version.V16_0


def instant(when: Start, context: Context) -> str:
    """A moment, or the midnight that stands for a day, as the version writes it."""
    if isinstance(when, datetime) or is_literal(context):
        return compact(when)
    return compact(midnight(when, context))


def midnight(day: date, context: Context) -> datetime:
    """The midnight at which a day begins in the tenant's zone."""
    return datetime.combine(day, time(), context.flavour.zone)


def whole_day(when: datetime, context: Context, *, is_end: bool = False) -> date:
    """The day of an all-day event that a client's moment means, by the Timezone that it sent; the day after the last one at its end."""
    at_midnight = when.hour == when.minute == 0
    if is_literal(context) and at_midnight:
        return when.date()
    wall = timezone.wall(timing(context).blob, when)
    if wall is None:
        return nearest_day(when)
    if at_midnight and wall.time() != time():
        return when.date()
    return wall.date() + DAY if is_end and wall.time() != time() else wall.date()


def until_day(when: datetime, context: Context) -> date:
    """The day that the Until of an all-day series means: the last minute of a day is not yet the next one, however near."""
    is_last_minute = (when.hour, when.minute) == (23, 59) and timezone.wall(timing(context).blob, when) is None
    return when.date() if is_last_minute else whole_day(when, context)


# ------------------------------------------------------------------------ row


@dataclass(frozen=True, slots=True)
class Timing:
    """What a change means for an event's times; kept in a context's memo, because several rows follow it."""

    blob: str = ""  # the Timezone that the client sent, "" for none
    recurring: bool = False  # the event is a series after the change
    had: Span | None = None
    told: Span | None = None  # None: the client says nothing of times


def timing(context: Context) -> Timing:
    """The change that is being made."""
    found = context.memo.get("timing")
    return found if isinstance(found, Timing) else Timing()


def plan(component: Component, data: Element, context: Context, *, recurring: bool) -> Timing:
    """Find out what a client's elements mean for a component's times, and keep it in the context. Raises BadRequest."""
    had = span_of(component, context)
    blob = data.text_of(Calendar.Timezone).strip() or timing(context).blob
    context.memo["timing"] = Timing(blob, recurring, had)
    context.memo["timing"] = Timing(blob, recurring, had, _told(data, had, component, context))
    return timing(context)


def _told(data: Element, had: Span | None, component: Component, context: Context) -> Span | None:
    first, last = data.text_of(Calendar.StartTime).strip(), data.text_of(Calendar.EndTime).strip()
    is_day = data.text_of(Calendar.AllDayEvent).strip().lower() in ("1", "true")
    was_day = had is not None and not isinstance(had[0], datetime)
    if data.first(Calendar.AllDayEvent) is None:
        is_day = was_day and not (first and context.ghosting.deletes(Calendar.AllDayEvent))
    if not first and not last and is_day == was_day:
        begins_to_recur = timing(context).recurring and not recurs(component)
        if begins_to_recur and had is not None and isinstance(had[0], datetime) and had[0].tzinfo == times.UTC_ZONE:
            return _moments("", "", had, component, context)  # what recurs needs a zone to recur in
        return None
    if had is None and not first:
        return None
    if is_day:
        start = whole_day(told_moment(first), context) if first else _first_day(had, context)
        end = whole_day(told_moment(last), context, is_end=True) if last else _last_day(had, context)
        return clamped(start, max(start, end))
    return _moments(first, last, had, component, context)


def _moments(first: str, last: str, had: Span | None, component: Component, context: Context) -> Span:
    start = told_moment(first) if first else _moment(had, 0, context)
    end = told_moment(last) if last else _moment(had, 1, context)
    stored = zone_of(had[0], component, context) if had is not None and isinstance(had[0], datetime) else None
    now = timing(context)
    zone = timezone.resolve(now.blob, start, stored=stored, tenant=context.flavour.zone, recurring=now.recurring)
    return clamped(start.astimezone(zone), end.astimezone(zone))


def _moment(had: Span | None, index: int, context: Context) -> datetime:
    """A time that the client left out: the event's own; a day's midnight."""
    if had is None:
        return datetime.min.replace(tzinfo=UTC) + DAY  # no end was told: clamped to the start
    when = had[index]
    return when if isinstance(when, datetime) else midnight(when, context)


def _first_day(had: Span | None, context: Context) -> date:
    assert had is not None
    return had[0].date() if isinstance(had[0], datetime) else had[0]


def _last_day(had: Span | None, context: Context) -> date:
    """The exclusive end of the whole days that the event's own end lies in."""
    if had is None:
        return date.min
    end = had[1]
    if not isinstance(end, datetime):
        return end
    return end.date() if end.time() == time() else end.date() + DAY


def _read(component: Component, context: Context) -> Elements:
    span = span_of(component, context)
    if span is None:
        return ()
    start, end = span
    is_day = not isinstance(start, datetime)
    elements = (
        Element(Calendar.AllDayEvent, "1" if is_day else "0"),
        Element(Calendar.StartTime, instant(start, context)),
        Element(Calendar.EndTime, instant(end, context)),
    )
    if is_day and is_literal(context):
        return elements
    return (Element(Calendar.Timezone, timezone.dump(zone_of(start, component, context).key, start.year)), *elements)


def has_moved(context: Context) -> bool:
    """True if the client wants other times, or of a series another zone."""
    now = timing(context)
    if now.told is None or now.had is None:
        return now.told is not None
    return not is_same(now.had, now.told, recurring=now.recurring)


def _write(component: Component, _: Elements, context: Context) -> None:
    now = timing(context)
    assert now.told is not None
    start, end = now.told
    first = component.first("DTSTART")
    put(component, [first] if first else [], [_stamped("DTSTART", first, start, context)])
    after = span_of(component, context)
    last = component.lines("DTEND", "DURATION")
    if after is None or after[1] != end or len(last) != 1 or _kind(last[0], context) not in (_key(end), "DURATION"):
        old = component.first("DTEND")
        put(component, last, [_stamped("DTEND", old, end, context)])


def _key(when: Start) -> str:
    return getattr(when.tzinfo, "key", "UTC") if isinstance(when, datetime) else ""


def _kind(old: Line, context: Context) -> str:
    """The zone of a line's moment, "" for a day."""
    return "DURATION" if old.name == "DURATION" else _key(times.moment(old, context.dav))


def _stamped(name: str, old: Line | None, when: Start, context: Context) -> Line:
    """A line of a moment; worded as the old one where that has the same zone."""
    if old is None or _kind(old, context) != _key(when):
        return times.stamp(name, when)
    if not isinstance(when, datetime):
        return with_value(old, f"{when:%Y%m%d}")
    return with_value(old, f"{when:%Y%m%dT%H%M%S}{'Z' if old.value.strip().endswith('Z') else ''}")


SPAN_ROW = Row(
    tags=(Calendar.Timezone, Calendar.AllDayEvent, Calendar.StartTime, Calendar.EndTime),
    fields=("start", "end"),
    keeps=True,
    read=_read,
    write=_write,
    same=lambda _sent, _had, context: not has_moved(context),
)


# -------------------------------------------------------------- missing times


def completed(data: Element, now: datetime | None) -> Element:
    """A new event's data with the times that it lacks, made from the present as 3.2.4.4 tells. Raises BadRequest."""
    first, last = data.text_of(Calendar.StartTime).strip(), data.text_of(Calendar.EndTime).strip()
    if first and last:
        return data
    if now is None:
        raise BadRequest("The event has no StartTime, or no EndTime.")
    rounded = now.replace(minute=0, second=0, microsecond=0)
    while rounded < now:
        rounded += HALF_HOUR
    if not first and last and told_moment(last) < rounded:
        raise BadRequest("The event has no StartTime, and its EndTime is past.")  # R52515, R5251611
    if first and told_moment(first) > now:
        raise BadRequest("The event has no EndTime, and its StartTime is to come.")  # R52518
    more = [
        *([] if first else [Element(Calendar.StartTime, compact(rounded))]),
        *([] if last else [Element(Calendar.EndTime, compact(rounded + HALF_HOUR))]),
    ]
    kept = tuple(child for child in data.children if child.text or child.tag not in (Calendar.StartTime, Calendar.EndTime))
    return Element(data.tag, (*kept, *more))
