"""Dates, times, durations and alarms of iCalendar as values of the core, and back (RFC 5545 3.3.4-3.3.6, 3.6.6)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.formats import timezones
from radicale_onoffice.formats.leftovers import Context, line
from radicale_onoffice.formats.lines import Component, Line, text_of

STAMP = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})(Z?))?")
DURATION = re.compile(r"([+-]?)P(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?")
UTC_ZONE = ZoneInfo("UTC")
YEARS = range(2, 9999)  # a day further, and another zone's clock would lie beyond the calendar


def moment(line_: Line, context: Context, value: str | None = None) -> datetime | date:
    """The moment or day of a DATE-TIME or DATE; floating times lie in the tenant's zone. Raises BadRequest."""
    text = (line_.value if value is None else value).strip()
    found = STAMP.fullmatch(text)
    if found is None:
        raise BadRequest(f"{line_.name} is no date: {text[:40]!r}.")
    year, month, day, hour, minute, second, is_utc = found.groups()
    if int(year) not in YEARS:
        raise BadRequest(f"{line_.name} is no date of the calendar: {text[:40]!r}.")
    try:
        if hour is None:
            return date(int(year), int(month), int(day))
        zone = UTC_ZONE if is_utc else _zone_of(line_, context)
        # RFC 5545 3.3.12: a leap second is 60; clocks here have none.
        return datetime(int(year), int(month), int(day), int(hour), int(minute), min(int(second), 59), tzinfo=zone)
    except (ValueError, OverflowError):
        raise BadRequest(f"{line_.name} is no date of the calendar: {text[:40]!r}.") from None


def _zone_of(line_: Line, context: Context) -> ZoneInfo:
    tzid = next(iter(line_.param("TZID")), "")
    return timezones.resolve(tzid, context.calendar, context.zone) if tzid else context.zone


def duration(text: str) -> timedelta:
    """The length of a DURATION; raises BadRequest."""
    found = DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()[1:]):
        raise BadRequest(f"{text[:40]!r} is no duration.")
    sign, *numbers = found.groups()
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in numbers)
    try:
        length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise BadRequest(f"{text[:40]!r} is too long a duration.") from None
    return -length if sign == "-" else length


def plus(start: datetime | date, length: timedelta) -> datetime | date:
    """A moment later by absolute time, or a day later by days; raises BadRequest beyond the calendar."""
    try:
        if isinstance(start, datetime):
            return (start.astimezone(UTC) + length).astimezone(start.tzinfo)
        return start + timedelta(days=length.days)
    except OverflowError:
        raise BadRequest("The duration leads beyond the calendar.") from None


def stamp(name: str, when: datetime | date) -> Line:
    """A canonical line of a moment (TZID, or Z for UTC) or a day."""
    if not isinstance(when, datetime):
        return line(name, f"{when:%Y%m%d}", VALUE="DATE")
    key = getattr(when.tzinfo, "key", "UTC")
    if key == "UTC":
        return line(name, f"{when:%Y%m%dT%H%M%S}Z")
    return line(name, f"{when:%Y%m%dT%H%M%S}", TZID=key)


def minutes_duration(minutes: int) -> str:
    """``-PT15M`` and its like, in the largest unit that fits."""
    if minutes and minutes % 1440 == 0:
        return f"-P{minutes // 1440}D"
    if minutes and minutes % 60 == 0:
        return f"-PT{minutes // 60}H"
    return f"-PT{minutes}M"


def main_alarm(component: Component) -> Component | None:
    """The alarm that is the record's one reminder: the first that shows or sounds; the others are the client's own (rule 60)."""
    alarms = component.components("VALARM")
    return next((alarm for alarm in alarms if text_of(alarm.first("ACTION")).upper() in ("DISPLAY", "AUDIO", "")), None)


def alarm(trigger: Line) -> Component:
    """A canonical alarm."""
    return Component("VALARM", [line("ACTION", "DISPLAY"), line("DESCRIPTION", "Reminder"), trigger])


def trigger_minutes(found: Component | None) -> int | None:
    """Minutes before the start of an alarm; absolute ones and those after the start are 0 (U27)."""
    trigger = found.first("TRIGGER") if found else None
    if trigger is None:
        return None
    if "DATE-TIME" in trigger.param("VALUE") or not trigger.value.strip().lstrip("+-").startswith("P"):
        return 0
    if "END" in trigger.param("RELATED"):
        return 0
    return max(0, int(-duration(trigger.value).total_seconds()) // 60)


def ensure_definitions(calendar: Component) -> None:
    """Give each zone that is referred to and not defined its VTIMEZONE (RFC 5545 3.2.19)."""
    defined = {text_of(tz.first("TZID")) for tz in calendar.components("VTIMEZONE")}
    used = {
        tzid
        for component in calendar.components("VEVENT", "VTODO")
        for part in component.parts
        if isinstance(part, Line)
        for tzid in part.param("TZID")
    }
    position = next((index for index, part in enumerate(calendar.parts) if isinstance(part, Component)), len(calendar.parts))
    missing = [timezones.definition(zone.key) for tzid in sorted(used - defined) if (zone := timezones.named(tzid)) and zone.key == tzid]
    calendar.parts[position:position] = missing
