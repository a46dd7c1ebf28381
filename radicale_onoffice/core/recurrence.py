"""Recurrence: what onOffice can hold of a client's rule, and when a series takes place (rules 67-74).

onOffice holds a pattern of days, weeks, months or years, an interval of 1 to 999, an end date and exception dates, anchored at the
appointment's start. Everything else is *degraded* by the table of rule 74: never refused, always with the start that the client gave.
A month without the start's day, and a year without 29 February, are skipped (U32).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from radicale_onoffice.core.drafts import Series, Weekday
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import FOREVER, Appointment, Frequency, Recurrence
from radicale_onoffice.core.policy import OnIncompatibleSeries, Policy

MAX_INTERVAL = 999  # rule 68
MAX_EXCEPTIONS = 2000  # exception dates of one series
MAX_COUNT = 100_000  # a COUNT beyond is as good as open-ended: 273 years of days
LAST_YEAR = 2200  # no occurrence is looked for beyond

FREQUENCIES = {"DAILY": Frequency.DAY, "WEEKLY": Frequency.WEEK, "MONTHLY": Frequency.MONTH, "YEARLY": Frequency.YEAR}


@dataclass(frozen=True, slots=True)
class Degraded:
    """What is stored of a client's rule (None: a single appointment), and how that deviates, in a sentence ("" = not)."""

    recurrence: Recurrence | None
    deviation: str = ""


def degrade(series: Series, start: datetime | date, policy: Policy) -> Degraded:
    """The table of rule 74. Raises BadRequest for more exceptions than are kept."""
    if len(series.exceptions) > MAX_EXCEPTIONS:
        raise BadRequest(f"The series has {len(series.exceptions)} exceptions; at most {MAX_EXCEPTIONS} are kept.")
    frequency = FREQUENCIES.get(series.frequency)
    if frequency is None or series.several:
        asked = "several rules or extra dates" if series.several else f"repetition {series.frequency}"
        return Degraded(None, f"onOffice cannot hold {asked}; only the first appointment is stored.")
    deviation = _deviation(series, frequency, _day(start))
    if deviation and policy.incompatible_series is OnIncompatibleSeries.SINGLE:
        return Degraded(None, f"{deviation}; only the first appointment is stored.")
    interval = min(max(series.interval, 1), MAX_INTERVAL)
    until = _until(series, start, Recurrence(frequency=frequency, interval=interval))
    stored = Recurrence(frequency=frequency, interval=interval, until=until, exceptions=tuple(sorted(set(series.exceptions))))
    return Degraded(stored, f"{deviation}; stored is {describe(stored, _day(start))}." if deviation else "")


def _deviation(series: Series, frequency: Frequency, start: date) -> str:
    """What of the rule onOffice cannot hold, as the beginning of a sentence; "" if it holds it exactly."""
    if series.other_parts:
        return f"onOffice cannot hold {', '.join(series.other_parts)} in a repetition"
    if any(position for position, _ in series.by_day):
        return "onOffice cannot hold a repetition on the n-th weekday"
    if series.by_day and (frequency is not Frequency.WEEK or series.by_day != ((0, Weekday(start.weekday())),)):
        return "onOffice cannot hold a repetition on chosen weekdays"
    by_day_of_month = frequency in (Frequency.MONTH, Frequency.YEAR)
    if series.by_month_day and not (by_day_of_month and series.by_month_day == (start.day,)):
        return "onOffice cannot hold a repetition on other days of the month than the first appointment's"
    if series.by_month and not (frequency is Frequency.YEAR and series.by_month == (start.month,)):
        return "onOffice cannot hold a repetition in chosen months"
    if frequency is Frequency.YEAR and series.by_month_day and not series.by_month:
        return "onOffice cannot hold a yearly repetition in every month"
    return f"onOffice cannot hold an interval of {series.interval}" if series.interval > MAX_INTERVAL else ""


def describe(recurrence: Recurrence, start: date) -> str:
    """A stored recurrence in words, for logs and pages."""
    unit = {Frequency.DAY: "day", Frequency.WEEK: "week", Frequency.MONTH: "month", Frequency.YEAR: "year"}[recurrence.frequency]
    every = f"every {unit}" if recurrence.interval == 1 else f"every {recurrence.interval} {unit}s"
    return f"{every} from {start.isoformat()}" + (f" until {recurrence.until.isoformat()}" if recurrence.until else "")


def _until(series: Series, start: datetime | date, stored: Recurrence) -> date | None:
    """COUNT becomes the day of its last occurrence, exact for the stored rule; UNTIL the last day it admits."""
    if series.count is not None:
        if series.count > MAX_COUNT:
            return None
        last = _day(start)
        for number, day in enumerate(occurrence_days(stored, _day(start)), 1):
            last = day
            if number >= series.count:
                break
        return last
    if not isinstance(series.until, datetime) or not isinstance(start, datetime):
        return _day(series.until) if series.until is not None else None
    local = series.until.astimezone(start.tzinfo)
    # An UNTIL before the time of day of the start excludes that day's occurrence.
    return local.date() if local.time() >= start.time() else local.date() - timedelta(days=1)


def _day(moment: datetime | date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def occurrence_days(recurrence: Recurrence, start: date, since: date | None = None) -> Iterator[date]:
    """Days on which the rule places an occurrence, exceptions included, from ``since`` on; jumps there without counting."""
    since = max(since or start, start)
    steps = (
        _days(recurrence, start, since) if recurrence.frequency in (Frequency.DAY, Frequency.WEEK) else _months(recurrence, start, since)
    )
    for day in steps:
        if recurrence.until is not None and day > recurrence.until:
            return
        yield day


def _days(recurrence: Recurrence, start: date, since: date) -> Iterator[date]:
    step = recurrence.interval * (7 if recurrence.frequency is Frequency.WEEK else 1)
    day = start + timedelta(days=-(-(since - start).days // step) * step)
    while day.year <= LAST_YEAR:
        yield day
        day += timedelta(days=step)


def _months(recurrence: Recurrence, start: date, since: date) -> Iterator[date]:
    step = recurrence.interval * (12 if recurrence.frequency is Frequency.YEAR else 1)
    first = start.year * 12 + start.month - 1
    month = first + max(0, ((since.year * 12 + since.month - 1) - first) // step) * step
    while month // 12 <= LAST_YEAR:
        year, index = divmod(month, 12)
        if start.day <= monthrange(year, index + 1)[1]:
            day = date(year, index + 1, start.day)
            if day >= since:
                yield day
        month += step


def occurrences(appointment: Appointment, zone: ZoneInfo, after: int, before: int) -> Iterator[tuple[int, int]]:
    """POSIX spans, end exclusive, of the occurrences that overlap [after, before), in order.

    Occurrences recur at the local time of the start, so that a series keeps its hour across a change of clocks; an occurrence of no
    length counts at its start. Works for a single appointment, too.
    """
    if appointment.recurrence is None:
        days: Iterator[date] = iter((_day(appointment.start),))
    else:
        length = _length(appointment)
        earliest = datetime.fromtimestamp(max(after, 0), zone).date() - timedelta(days=length.days + 2)
        days = occurrence_days(appointment.recurrence, _day(appointment.start), earliest)
    exceptions = set(appointment.recurrence.exceptions) if appointment.recurrence else set()
    for day in days:
        start, end = _span_on(appointment, day, zone)
        if start >= before:
            return
        if day not in exceptions and (end > after or start == end >= after):
            yield start, end


def _length(appointment: Appointment) -> timedelta:
    if isinstance(appointment.start, datetime) and isinstance(appointment.end, datetime):
        return max(appointment.end - appointment.start, timedelta())
    return _day(appointment.end) - _day(appointment.start) + timedelta(days=1)


def _span_on(appointment: Appointment, day: date, zone: ZoneInfo) -> tuple[int, int]:
    if isinstance(appointment.start, datetime):
        assert isinstance(appointment.end, datetime)
        start = int(datetime.combine(day, appointment.start.time(), appointment.start.tzinfo).timestamp())
        return start, start + max(0, int(appointment.end.timestamp()) - int(appointment.start.timestamp()))
    start = int(datetime.combine(day, time(), zone).timestamp())
    return start, int(datetime.combine(day + _length(appointment), time(), zone).timestamp())


def bounds(appointment: Appointment, zone: ZoneInfo) -> tuple[int, int]:
    """POSIX start of the first and end of the last occurrence; FOREVER for an open-ended series."""
    assert appointment.recurrence is not None
    start, _ = _span_on(appointment, _day(appointment.start), zone)
    until = appointment.recurrence.until
    if until is None:
        return start, FOREVER
    last = max(until, _day(appointment.start))
    # The rule's last day is at or before ``until``; a bound may be wide, never narrow.
    return start, max(start, _span_on(appointment, last, zone)[1])
