"""A series: its Recurrence, and the occurrences that are left out of it or changed ([MS-ASCAL]), against RRULE, EXDATE and overrides.

What is sent of exceptions are the days that are left out: a changed occurrence is an appointment of its own (rule 72).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from activesync_bridge.items import Ghosting, patching, recurrence, spans
from activesync_bridge.items.patching import Context, Elements, Row, Table, compact, put, with_text
from activesync_bridge.items.recurrence import Pattern
from activesync_bridge.wbxml.codepages import AirSyncBase, Calendar
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.formats import times
from radicale_onoffice.formats.lines import Component

MAX_EXCEPTIONS: Final = 256  # R24311
RULES = ("RRULE", "RDATE", "EXRULE")
CLIENT_UID = "X-EAS-CLIENTUID"
NOT_INHERITED = (*RULES, "EXDATE", "RECURRENCE-ID", "DTSTART", "DTEND", "DURATION", CLIENT_UID)


def pattern_of(component: Component, start: spans.Start) -> Pattern | None:
    """What the one RRULE says; None if there is none, or if EAS cannot say it."""
    found = component.lines(*RULES)
    return recurrence.from_rule(found[0].value, start) if len(found) == 1 and found[0].name == "RRULE" else None


def _read_recurrence(component: Component, context: Context) -> Elements:
    span = spans.span_of(component, context)
    pattern = pattern_of(component, span[0]) if span else None
    if span is None or pattern is None:
        return ()
    zone = None if spans.is_literal(context) else context.flavour.zone
    return (recurrence.dump(pattern, span[0], context.flavour.version, zone),)


@dataclass(frozen=True, slots=True)
class Repeating:
    """What a change means for a series; kept in a context's memo."""

    had: Pattern | None = None
    told: Pattern | None = None  # None: nothing is said of it, or it ends
    days: frozenset[date] = frozenset()  # that were left out before


def _repeating(context: Context) -> Repeating:
    found = context.memo.get("repeating")
    return found if isinstance(found, Repeating) else Repeating()


def plan(component: Component, data: Element, context: Context) -> None:
    """Find out, before anything is written, what the change means for times and recurrence. Raises BadRequest."""
    sent = data.first(Calendar.Recurrence)
    stays = sent is None and spans.recurs(component) and not context.ghosting.deletes(Calendar.Recurrence)
    now = spans.plan(component, data, context, recurring=stays or bool(sent and sent.children))
    had = pattern_of(component, now.had[0]) if now.had else None
    span = now.told or now.had
    told = None
    if sent is not None and span is not None:
        told = recurrence.load(sent, span[0], had, context.flavour.version, lambda when: spans.until_day(when, context))
        until = [one.text_of(Calendar.Until).strip() for one in (sent, *_read_recurrence(component, context))]
        if told is not None and had is not None and len(until) == 2 and until[0] == until[1] != "":
            told = replace(told, until=had.until)  # the last day that the client was told, whatever the time of day is now
    context.memo["repeating"] = Repeating(had, told, left_out(component, context))


def _same_recurrence(sent: Elements, had: Elements, context: Context) -> bool:
    now = _repeating(context)
    return not had if not sent else now.told is None or now.told == now.had


def _write_recurrence(component: Component, sent: Elements, context: Context) -> None:
    now, old = _repeating(context), component.lines(*RULES)
    span = spans.span_of(component, context)
    if not sent or now.told is None or span is None:
        put(component, [*old, *component.lines("EXDATE")], [])
        return
    rule = component.first("RRULE")
    put(component, old, [with_text(rule, "RRULE", recurrence.to_rule(now.told, span[0]))])


def left_out(component: Component, context: Context) -> frozenset[date]:
    """The days of EXDATE, in the zone that the series recurs in."""
    span = spans.span_of(component, context)
    if span is None:
        return frozenset()
    found = (times.moment(one, context.dav, word) for one in component.lines("EXDATE") for word in one.value.split(","))
    return frozenset(_day_of(when, span[0]) for when in found)


def _day_of(when: spans.Start, start: spans.Start) -> date:
    """The day on which an occurrence starts."""
    if not isinstance(when, datetime):
        return when
    return when.astimezone(start.tzinfo).date() if isinstance(start, datetime) else when.date()


def _read_exceptions(component: Component, context: Context) -> Elements:
    days, span = left_out(component, context), spans.span_of(component, context)
    if not days or span is None or not spans.recurs(component):
        return ()
    tag = AirSyncBase.InstanceId if spans.is_literal(context) else Calendar.ExceptionStartTime
    shown = [spans.instant(_occurrence(day, span[0]), context) for day in sorted(days)[-MAX_EXCEPTIONS:]]
    return (
        Element(
            Calendar.Exceptions,
            tuple(Element(Calendar.Exception, (Element(Calendar.Deleted, "1"), Element(tag, when))) for when in shown),
        ),
    )


def _occurrence(day: date, start: spans.Start) -> spans.Start:
    return datetime.combine(day, start.time(), start.tzinfo) if isinstance(start, datetime) else day


ROWS: Final[Table] = (
    Row(
        tags=(Calendar.Recurrence,),
        names=frozenset(RULES),
        fields=("recurrence",),
        read=_read_recurrence,
        write=_write_recurrence,
        same=_same_recurrence,
    ),
    Row(
        tags=(Calendar.Exceptions,),
        names=frozenset({"EXDATE"}),
        keeps=True,  # R541, R54111
        read=_read_exceptions,
        write=lambda *_: None,  # one by one, after the series itself: `apply`
        same=lambda *_: True,
    ),
)


def follow(component: Component, context: Context) -> None:
    """What a series' new times or pattern mean for its end and for the days that it leaves out."""
    now, repeating, after = spans.timing(context), _repeating(context), spans.span_of(component, context)
    if now.had is None or after is None or not spans.recurs(component):
        return
    has_moved = spans.has_moved(context)
    pattern, had = pattern_of(component, after[0]), repeating.had
    rule = component.first("RRULE")
    if has_moved and rule and had and had.until and pattern and repeating.told in (None, had) and pattern.until != had.until:
        put(component, [rule], [with_text(rule, "RRULE", recurrence.with_until(rule.value, had.until, after[0]))])
    if not repeating.days:
        return
    is_other = repeating.told is not None and had is not None and not _differ_in_end_only(repeating.told, had)
    if spans.is_literal(context) and (now.had != after or is_other):
        put(component, component.lines("EXDATE"), [])  # R2097, R2180, R2202
    elif has_moved:
        days = sorted(repeating.days)
        put(component, component.lines("EXDATE"), [times.stamp("EXDATE", _occurrence(day, after[0])) for day in days])


def _differ_in_end_only(one: Pattern, other: Pattern) -> bool:
    return replace(one, count=None, until=None) == replace(other, count=None, until=None)


def is_deleted(exception: Element) -> bool:
    """True if an Exception leaves its occurrence out (R210)."""
    return exception.text_of(Calendar.Deleted).strip().lower() in ("1", "true")


def told_day(when: datetime, start: spans.Start, context: Context) -> date:
    """The day of the occurrence that an ExceptionStartTime or InstanceId names."""
    return when.astimezone(start.tzinfo).date() if isinstance(start, datetime) else spans.whole_day(when, context)


def apply(calendar: Component, component: Component, exception: Element, table: Table, context: Context) -> bool:
    """Apply an Exception; one that is left out already stays as it is (R542)."""
    text = exception.text_of(Calendar.ExceptionStartTime).strip() or exception.text_of(AirSyncBase.InstanceId).strip()
    span = spans.span_of(component, context)
    if not text:
        raise BadRequest("An Exception has no ExceptionStartTime.")
    if span is None or not spans.recurs(component):
        return False  # EAS-4-TbSync#355: what does not recur has no exceptions
    day = told_day(spans.told_moment(text), span[0], context)
    if is_deleted(exception):
        return leave_out(component, day, context)
    return day not in left_out(component, context) and override(calendar, component, day, exception, table, context)


def leave_out(component: Component, day: date, context: Context) -> bool:
    """Leave a day out of a series; False if it is left out already."""
    span = spans.span_of(component, context)
    if span is None or day in left_out(component, context):
        return False
    old = component.lines("EXDATE")
    put(component, old, [*old, times.stamp("EXDATE", _occurrence(day, span[0]))])
    return True


def override(calendar: Component, master: Component, day: date, data: Element, table: Table, context: Context) -> bool:
    """Add a changed occurrence: the series' own elements, and what the client says of this one (R82 and its like). False if nothing."""
    span = spans.span_of(master, context)
    assert span is not None
    start = _occurrence(day, span[0])
    length = spans.naive(span[1]) - spans.naive(span[0])
    end = spans.later(start, length)
    kept = [part for part in master.parts if part.name not in NOT_INHERITED]
    named = times.stamp("RECURRENCE-ID", start)
    own = Component("VEVENT", [named, times.stamp("DTSTART", start), times.stamp("DTEND", end), *kept])
    inner = Context(flavour=context.flavour, ghosting=Ghosting(frozenset()), calendar=calendar)
    inner.memo.update(context.memo)
    first = data.text_of(Calendar.StartTime).strip()
    if first and not data.text_of(Calendar.EndTime).strip():
        shifted = Element(Calendar.EndTime, compact(spans.later(spans.told_moment(first), length)))
        data = Element(data.tag, (*(child for child in data.children if child.tag != Calendar.EndTime), shifted))
    spans.plan(own, data, inner, recurring=False)
    if not patching.patch(table, own, data, inner):
        return False
    calendar.parts.append(own)
    return True
