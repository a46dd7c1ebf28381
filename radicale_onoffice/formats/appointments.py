"""VEVENT (RFC 5545 3.6.1) as an appointment; rules 56-74.

No ATTENDEE or ORGANIZER is ever made here, so that no client mails anybody (rule 76); those that a client sent stay its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from radicale_onoffice.core import recurrence as rules
from radicale_onoffice.core.drafts import AppointmentDraft, Override, Series, Weekday
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import Appointment, AppointmentStatus, Base, Frequency, Leftovers
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.formats import calendars, times
from radicale_onoffice.formats import leftovers as patching
from radicale_onoffice.formats.leftovers import Context, Part, line
from radicale_onoffice.formats.lines import Component, Line, dump, text_of, unfold

UNMAPPED = {
    "travel_before": "outside of start and end (rule 62); no iCalendar property means it",
    "travel_after": "as travel_before",
    "participants": "not exported, so that no client mails anybody (U25, rule 76)",
    "groups": "as participants",
    "creator": "an ORGANIZER would make clients send mail (rule 76)",
    "resources": "links inside the CRM (rule 65)",
    "addresses": "links inside the CRM (rule 65, U26)",
    "estate": "links inside the CRM (rule 65, U26)",
    "project": "links inside the CRM (rule 65)",
}
STATUS = "X-ONOFFICE-STATUS"
RULE_NAMES = ("RRULE", "RDATE", "EXRULE")
WORDS = {Frequency.DAY: "DAILY", Frequency.WEEK: "WEEKLY", Frequency.MONTH: "MONTHLY", Frequency.YEAR: "YEARLY"}
MAX_OVERRIDES = 1000


# ----------------------------------------------------------------------- times


def _span(component: Component, context: Context) -> tuple[datetime | date, datetime | date]:
    """Start and end as the model has them: an all-day end is the last day, inclusive (U28). Raises BadRequest."""
    first = component.first("DTSTART")
    if first is None:
        raise BadRequest("The event has no DTSTART.")
    start = times.moment(first, context)
    last, length = component.first("DTEND"), component.first("DURATION")
    if last is not None:
        end = times.moment(last, context)
    elif length is not None:
        end = times.plus(start, times.duration(length.value))
    else:
        end = start if isinstance(start, datetime) else times.plus(start, timedelta(days=1))
    if isinstance(start, datetime) != isinstance(end, datetime):
        raise BadRequest("DTSTART and DTEND must both be dates, or both be times (RFC 5545 3.8.2.2).")
    if not isinstance(start, datetime):
        assert not isinstance(end, datetime)
        return start, max(start, end - timedelta(days=1))
    assert isinstance(end, datetime)
    if component.first("RRULE") is None:
        start, end = _local(start, context), _local(end, context)
    return start, max(start, end)


def _local(moment: datetime, context: Context) -> datetime:
    """A single time in UTC is shown in the tenant's zone by the CRM; a series keeps the zone that it recurs in."""
    return moment.astimezone(context.zone) if moment.tzinfo == times.UTC_ZONE else moment


def _write_span(value: Appointment, component: Component, _: Context) -> Sequence[Line]:
    exclusive = value.end if isinstance(value.end, datetime) else value.end + timedelta(days=1)
    return [times.stamp("DTSTART", value.start), times.stamp("DTEND", exclusive)]


# ---------------------------------------------------------------------- status


def _status(component: Component, _: Context) -> AppointmentStatus:
    word = text_of(component.first("STATUS")).upper()
    if word == "CANCELLED":
        return AppointmentStatus.CANCELLED
    if text_of(component.first("TRANSP")).upper() == "TRANSPARENT":
        return AppointmentStatus.AVAILABLE
    return AppointmentStatus.COMPLETED if text_of(component.first(STATUS)) == "completed" else AppointmentStatus.ACTIVE


def _write_status(value: Appointment, _component: Component, _: Context) -> Sequence[Line]:
    word = "CANCELLED" if value.status is AppointmentStatus.CANCELLED else "CONFIRMED"
    lines = [line("STATUS", word), line("TRANSP", "TRANSPARENT" if value.status is AppointmentStatus.AVAILABLE else "OPAQUE")]
    return [*lines, line(STATUS, "completed")] if value.status is AppointmentStatus.COMPLETED else lines


# -------------------------------------------------------------------- recurrence


def _series(calendar: Component | None, component: Component, context: Context) -> Series | None:
    """The recurrence as the client words it; None if it does not recur. Raises BadRequest."""
    found = component.lines("RRULE")
    extra = component.lines("RDATE", "EXRULE")
    if not found and not extra:
        return None
    series = _rule(found[0], context) if found else Series(frequency="")
    return replace(
        series,
        several=len(found) > 1 or bool(extra),
        exceptions=_exceptions(component, context),
        text="\n".join(part.raw for part in (*found, *extra)),
        overrides=_overrides(calendar, component, context) if calendar else (),
    )


def _rule(rule: Line, context: Context) -> Series:
    parts: dict[str, str] = {}
    for piece in rule.value.strip().upper().split(";"):
        key, _, word = piece.partition("=")
        if key:
            parts[key] = word
    if parts.get("UNTIL", "").startswith("9999"):
        del parts["UNTIL"]  # some clients' word for a series without end
    try:
        until = times.moment(rule, context, parts.pop("UNTIL")) if "UNTIL" in parts else None
        series = Series(
            frequency=parts.pop("FREQ", ""),
            interval=int(parts.pop("INTERVAL", "1")),
            count=int(parts.pop("COUNT")) if "COUNT" in parts else None,
            until=until,
            by_day=tuple(_weekday(word) for word in _words(parts.pop("BYDAY", ""))),
            by_month_day=tuple(int(word) for word in _words(parts.pop("BYMONTHDAY", ""))),
            by_month=tuple(int(word) for word in _words(parts.pop("BYMONTH", ""))),
        )
    except (ValueError, KeyError):
        raise BadRequest(f"The rule {rule.value[:80]!r} is no recurrence rule (RFC 5545 3.3.10).") from None
    if not series.frequency or series.interval < 1 or (series.count is not None and series.count < 1):
        raise BadRequest(f"The rule {rule.value[:80]!r} needs FREQ, and INTERVAL and COUNT of 1 or more.")
    parts.pop("WKST", None)
    return replace(series, other_parts=tuple(sorted(parts)))


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _weekday(word: str) -> tuple[int, Weekday]:
    return int(word[:-2] or "0"), Weekday[word[-2:]]


def _exceptions(component: Component, context: Context) -> tuple[date, ...]:
    first = component.first("DTSTART")
    start = times.moment(first, context) if first else None
    days = set()
    for found in component.lines("EXDATE"):
        for word in found.value.split(","):
            days.add(_start_day(times.moment(found, context, word), start))
    return tuple(sorted(days))


def _start_day(moment: datetime | date, start: datetime | date | None) -> date:
    """The day of an occurrence in the zone that the series recurs in."""
    if isinstance(moment, datetime):
        return moment.astimezone(start.tzinfo).date() if isinstance(start, datetime) else moment.date()
    return moment


def _overrides(calendar: Component, component: Component, context: Context) -> tuple[Override, ...]:
    found = [part for part in calendar.components("VEVENT") if part.first("RECURRENCE-ID") is not None and part is not component]
    if len(found) > MAX_OVERRIDES:
        raise BadRequest(f"The series has {len(found)} changed occurrences; at most {MAX_OVERRIDES} are accepted.")
    first = component.first("DTSTART")
    start = times.moment(first, context) if first else None
    return tuple(_override(calendar, part, start, context) for part in found)


def _override(calendar: Component, part: Component, start: datetime | date | None, context: Context) -> Override:
    changed = part.first("RECURRENCE-ID")
    assert changed is not None
    alone = Component("VEVENT", [other for other in part.parts if other.name not in ("RECURRENCE-ID", "UID", *RULE_NAMES, "EXDATE")])
    around = Component("VCALENDAR", [other for other in calendar.parts if other.name != "VEVENT"] + [alone])
    blank = Appointment(start=date.min, end=date.min)
    value = patching.load(FIELDS, alone, None, blank, context, context)
    return Override(
        day=_start_day(times.moment(changed, context), start), appointment=value, leftovers=Leftovers(lines=tuple(around.raw_lines()))
    )


def _stored_rule(component: Component, context: Context) -> Any:
    """What the rule lines mean in onOffice's terms, without exceptions; text if they mean nothing that it can hold."""
    series = _series(None, component, context)
    if series is None:
        return None
    degraded = rules.degrade(replace(series, exceptions=()), _span(component, context)[0], Policy())
    return series.text if degraded.deviation else degraded.recurrence


def _write_rule(value: Appointment, _component: Component, _: Context) -> Sequence[Line]:
    stored = value.recurrence
    if stored is None:
        return []
    words = [f"FREQ={WORDS[stored.frequency]}", *([f"INTERVAL={stored.interval}"] if stored.interval != 1 else [])]
    if stored.until is not None:
        words.append(f"UNTIL={_until(value, stored.until)}")
    return [line("RRULE", ";".join(words))]


def _until(value: Appointment, until: date) -> str:
    """UNTIL in the value type of DTSTART: a day, or the UTC moment at which that day's occurrence starts (RFC 5545 3.3.10)."""
    if not isinstance(value.start, datetime):
        return f"{until:%Y%m%d}"
    return f"{datetime.combine(until, value.start.time(), value.start.tzinfo).astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _write_exceptions(value: Appointment, _component: Component, _: Context) -> Sequence[Line]:
    if value.recurrence is None:
        return []
    return [times.stamp("EXDATE", _occurrence(value, day)) for day in value.recurrence.exceptions]


def _occurrence(value: Appointment, day: date) -> datetime | date:
    return datetime.combine(day, value.start.time(), value.start.tzinfo) if isinstance(value.start, datetime) else day


# ----------------------------------------------------------------------- the table


def _with_location(value: Appointment, text: str) -> Appointment:
    """A changed place becomes free text; an unchanged one is never patched, so its link stays (rule 61)."""
    return replace(value, location=text, location_link="")


FIELDS: tuple[Part[Appointment], ...] = (
    Part(
        fields=("start", "end"),
        names=("DTSTART", "DTEND", "DURATION"),
        read=lambda component, context: _span(component, context) if component.first("DTSTART") else None,
        want=lambda value, _: (value.start, value.end),
        write=_write_span,
        patch=lambda value, span: replace(value, start=span[0], end=span[1]),
    ),
    calendars.text_row("SUMMARY", "subject", Appointment),
    calendars.text_row("DESCRIPTION", "note", Appointment),
    Part(
        fields=("location", "location_link"),
        names=("LOCATION",),
        read=lambda component, _: text_of(component.first("LOCATION")),
        want=lambda value, _: value.location.strip(),
        write=lambda value, component, context: calendars.text_row("LOCATION", "location", Appointment).write(value, component, context),
        patch=_with_location,
    ),
    Part(
        fields=("status",),
        names=("STATUS", "TRANSP", STATUS),
        read=_status,
        want=lambda value, _: value.status,
        write=_write_status,
        patch=lambda value, status: replace(value, status=status),
    ),
    calendars.private_row(Appointment),
    calendars.type_row(Appointment),
    Part(
        fields=("recurrence",),
        names=RULE_NAMES,
        read=_stored_rule,
        want=lambda value, _: replace(value.recurrence, exceptions=()) if value.recurrence else None,
        write=_write_rule,
    ),
    Part(
        fields=(),
        names=("EXDATE",),
        read=_exceptions,
        want=lambda value, _: value.recurrence.exceptions if value.recurrence else (),
        write=_write_exceptions,
    ),
    Part(
        fields=("reminder",),
        names=("VALARM",),
        picks=lambda component, part: part is times.main_alarm(component),
        read=lambda component, _: times.trigger_minutes(times.main_alarm(component)),
        want=lambda value, _: value.reminder,
        write=lambda value, component, _: _write_reminder(value, component),
        patch=lambda value, minutes: replace(value, reminder=minutes),
    ),
)


def _write_reminder(value: Appointment, component: Component) -> Sequence[Component]:
    if value.reminder is None:
        return []
    trigger = line("TRIGGER", times.minutes_duration(value.reminder))
    old = times.main_alarm(component)
    if old is None:
        return [times.alarm(trigger)]
    return [Component("VALARM", [trigger if part.name == "TRIGGER" else part for part in old.parts])]


def load(text: str, base: Base | None, context: Context) -> AppointmentDraft:
    """What an event asks for; raises BadRequest."""
    calendar = calendars.calendar_of(text, "VEVENT")
    component = calendars.main(calendar, "VEVENT")
    sent = replace(context, calendar=calendar)
    _span(component, sent)
    _exceptions(component, sent)  # of a single appointment, too: rendering reads them
    had_component, had = None, context
    if base and base.text:
        had_calendar = calendars.calendar_of(base.text, "VEVENT")
        had_component, had = calendars.main(had_calendar, "VEVENT"), replace(context, calendar=had_calendar)
    value = base.value if base else Appointment(start=date.min, end=date.min)
    assert isinstance(value, Appointment)
    value = patching.load(FIELDS, component, had_component, value, sent, had)
    series = _series(calendar, component, sent)
    return AppointmentDraft(
        value=value, series=series, leftovers=Leftovers(lines=tuple(unfold(text)), rule=_original_rule(series, component, sent, base))
    )


def _original_rule(series: Series | None, component: Component, context: Context, base: Base | None) -> str:
    """The rule that onOffice could not hold, kept as long as the client leaves the stored form as it is (rule 74)."""
    if series is None:
        return ""
    stored = _stored_rule(component, context)
    if isinstance(stored, str) or stored is None:
        return series.text
    if base is None or not isinstance(base.value, Appointment) or base.value.recurrence is None:
        return ""
    return base.leftovers.rule if stored == replace(base.value.recurrence, exceptions=()) else ""


def render(value: Appointment, kept: Leftovers, context: Context) -> str:
    """The event's text."""
    calendar, component = calendars.opened(kept, "VEVENT", context)
    patching.apply(FIELDS, component, value, replace(context, calendar=calendar))
    calendars.closed(calendar)
    return dump([calendar])
