"""Recurrence elements ([MS-ASCAL] 2.2.2.37) and RRULE values (RFC 5545 3.3.10).

A ``Pattern`` is what both can say, in one form: sent elements and stored rules compare by meaning, so that a client which sends the
recurrence that it was given leaves the RRULE as it is written. What EAS cannot say (several days of a month, the fifth Monday, hours)
is no pattern; a stored event has none of that, because onOffice holds only days, weeks, months and years (rule 68).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from activesync_bridge.items.patching import compact, moment
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import Calendar
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import Frequency, Recurrence
from radicale_onoffice.core.recurrence import occurrence_days

DAILY, WEEKLY, MONTHLY, MONTHLY_NTH, YEARLY, YEARLY_NTH = 0, 1, 2, 3, 5, 6  # Type, R454-R459
FREQUENCIES = {
    DAILY: "DAILY",
    WEEKLY: "WEEKLY",
    MONTHLY: "MONTHLY",
    MONTHLY_NTH: "MONTHLY",
    YEARLY: "YEARLY",
    YEARLY_NTH: "YEARLY",
}
DAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")  # bit n of DayOfWeek, and FirstDayOfWeek n
EVERY_DAY, WORKDAYS, WEEKEND = 127, 62, 65
LAST = 5  # WeekOfMonth
MONDAY = 1
MAX_INTERVAL = MAX_COUNT = 999  # R28311, R345
FIRST_YEAR, NO_END_YEAR = 1601, 4500  # Windows' first year; Outlook's year of what never ends
RESERVED_CALENDARS = {13, 16, 17, 18, 19, 21, 22, 23}  # R53913
# Calendars whose months are not the Gregorian ones; RSCALE (RFC 7529) says so, and the core tells what it cannot hold (rule 74)
SCALES = {6: "ISLAMIC", 8: "HEBREW", 14: "CHINESE", 15: "CHINESE", 20: "CHINESE"}
# Children that may stand beside a Type only, R53916-R53919
PLACES = {
    Calendar.DayOfMonth: {MONTHLY, YEARLY},
    Calendar.DayOfWeek: {DAILY, WEEKLY, MONTHLY_NTH, YEARLY_NTH},
    Calendar.MonthOfYear: {YEARLY, YEARLY_NTH},
    Calendar.WeekOfMonth: {MONTHLY_NTH, YEARLY_NTH},
}
# Bounds of each number; 0 is what some clients write for "not set"
BOUNDS = {
    Calendar.Type: (0, 6),
    Calendar.Interval: (0, MAX_INTERVAL),
    Calendar.Occurrences: (0, 65535),
    Calendar.DayOfMonth: (1, 31),
    Calendar.DayOfWeek: (1, 127),
    Calendar.WeekOfMonth: (1, LAST),
    Calendar.MonthOfYear: (1, 12),
    Calendar.CalendarType: (0, 23),
    Calendar.FirstDayOfWeek: (0, 6),
    Calendar.IsLeapMonth: (0, 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A recurrence that Recurrence elements and RRULEs can both say; equal patterns have the same occurrences."""

    type: int
    interval: int = 1
    days: int = 0  # bits of DayOfWeek; weekly and n-th ones
    day: int = 0  # of the month; monthly and yearly ones
    week: int = 0  # 1-4, 5 = the last; n-th ones
    month: int = 0  # yearly ones
    count: int | None = None
    until: date | None = None  # the last day that may have an occurrence, in the event's zone
    scale: str = ""  # calendar that is not Gregorian
    first_day: int | None = None  # 0 = Sunday; only where it matters: every n-th week on several days


Start = datetime | date  # of the event: wall time in its zone, or the first day


def _day(start: Start) -> date:
    return start.date() if isinstance(start, datetime) else start


def _bit(day: date) -> int:
    return 1 << day.isoweekday() % 7


def _settled(pattern: Pattern, start: Start) -> Pattern:
    """The one form of patterns that mean the same, with what is not told taken from the start."""
    first, kind = _day(start), pattern.type
    if kind == DAILY and pattern.days not in (0, EVERY_DAY):
        kind = WEEKLY  # R3892312
    if kind == WEEKLY and pattern.days == EVERY_DAY and pattern.interval == 1:
        kind = DAILY
    if kind in (MONTHLY_NTH, YEARLY_NTH) and pattern.days == EVERY_DAY and pattern.week < LAST:
        kind = MONTHLY if kind == MONTHLY_NTH else YEARLY  # the n-th day of the month, R3893714
        pattern = replace(pattern, day=pattern.week)
    is_nth = kind in (MONTHLY_NTH, YEARLY_NTH)
    days = pattern.days or _bit(first) if kind == WEEKLY or is_nth else 0
    first_day = MONDAY if pattern.first_day is None else pattern.first_day
    return replace(
        pattern,
        type=kind,
        days=days,
        day=(pattern.day or first.day) if kind in (MONTHLY, YEARLY) else 0,
        week=(pattern.week or 1) if is_nth else 0,
        month=(pattern.month or first.month) if kind in (YEARLY, YEARLY_NTH) else 0,
        first_day=first_day if kind == WEEKLY and pattern.interval > 1 and days & (days - 1) else None,
        until=None if pattern.count is not None else pattern.until,
    )


# ------------------------------------------------------------------- elements


def load(element: Element, start: Start, had: Pattern | None, version: Version, whole_day: Callable[[datetime], date]) -> Pattern | None:
    """What a client's Recurrence says; None for an empty one, which makes a single event (R2180002). Raises BadRequest.

    ``start`` is the event's new start, ``had`` the pattern that the client had: 16.x may leave the Type, and with it the rest, away
    (R2180001). ``whole_day`` tells the day that a moment means in an all-day event.
    """
    if not element.children:
        return None
    numbers = _numbers(element)
    kind = numbers.get(Calendar.Type)
    if kind is None:
        if version < Version.V16_0 or had is None:
            raise BadRequest("The Recurrence has no Type.")
        numbers = _numbers(dump(had, start, version, None)) | numbers
        kind = numbers[Calendar.Type]
        if element.first(Calendar.Until) is not None:
            numbers.pop(Calendar.Occurrences, None)
    if kind not in FREQUENCIES:
        raise BadRequest(f"A Recurrence of Type {kind} does not exist.")
    for tag, places in PLACES.items():
        if tag in numbers and kind not in places:
            raise BadRequest(f"{Element(tag).name} has no place in a Recurrence of Type {kind}.")
    until = element.first(Calendar.Until)
    return _settled(
        Pattern(
            type=kind,
            interval=numbers.get(Calendar.Interval) or 1,
            days=numbers.get(Calendar.DayOfWeek, 0),
            day=numbers.get(Calendar.DayOfMonth, 0),
            week=numbers.get(Calendar.WeekOfMonth, 0),
            month=numbers.get(Calendar.MonthOfYear, 0),
            count=numbers.get(Calendar.Occurrences) or None,
            until=_last_day(until.text.strip(), start, whole_day) if until is not None and until.text.strip() else None,
            scale=SCALES.get(numbers.get(Calendar.CalendarType, 0), ""),
            first_day=numbers.get(Calendar.FirstDayOfWeek, had.first_day if had else None),
        ),
        start,
    )


def _numbers(element: Element) -> dict[int, int]:
    found: dict[int, int] = {}
    for child in element.children:
        if child.tag not in BOUNDS or not child.text.strip():
            continue
        low, high = BOUNDS[child.tag]
        text = child.text.strip()
        if child.tag in found:
            raise BadRequest(f"The Recurrence has more than one {child.name}.")  # R53912
        if not re.fullmatch(r"[0-9]{1,6}", text) or not low <= int(text) <= high:
            raise BadRequest(f"{child.name} must be from {low} to {high}, not {text[:20]!r}.")
        found[child.tag] = int(text)
    if found.get(Calendar.CalendarType) in RESERVED_CALENDARS:
        raise BadRequest(f"The CalendarType {found[Calendar.CalendarType]} is reserved.")
    return found


def _last_day(text: str, start: Start, whole_day: Callable[[datetime], date]) -> date | None:
    """The day that an Until means, None for no end (Outlook's is in the year 4500).

    Exchange keeps a day only, so a midnight, in UTC (AOSP Android) or in the event's zone, is one.
    """
    until = moment(text)
    if until.year >= NO_END_YEAR:
        return None
    if until.year < FIRST_YEAR:
        raise BadRequest(f"Until lies beyond the calendar: {text[:40]!r}.")
    if not isinstance(start, datetime):
        return whole_day(until)
    local = until.astimezone(start.tzinfo)
    if local.time() == start.time():
        return local.date()
    if until.hour == until.minute == until.second == 0:
        return until.date()
    if local.hour == local.minute == local.second == 0 or local.time() > start.time():
        return local.date()
    return local.date() - timedelta(days=1)


def dump(pattern: Pattern, start: Start, version: Version, zone: ZoneInfo | None) -> Element:
    """The Recurrence element. ``zone`` places the midnight of an all-day event's Until (≤ 14.1); None: days are literal (16.x)."""
    is_dated = pattern.type in (MONTHLY, YEARLY)
    numbers: list[tuple[int, int | None]] = [
        (Calendar.Type, pattern.type),
        (Calendar.Occurrences, pattern.count),
        (Calendar.Interval, pattern.interval),
        (Calendar.WeekOfMonth, pattern.week or None),
        # Not with Type 0, whatever R204111 says: it would mean weekly (R3892312)
        (Calendar.DayOfWeek, pattern.days or None),
        (Calendar.MonthOfYear, pattern.month or None),
        (Calendar.DayOfMonth, pattern.day if is_dated else None),
        (Calendar.CalendarType, 0 if version >= Version.V14_0 and pattern.type not in (DAILY, WEEKLY) else None),
        (
            Calendar.FirstDayOfWeek,
            (MONDAY if pattern.first_day is None else pattern.first_day) if version >= Version.V14_1 and pattern.type == WEEKLY else None,
        ),
    ]
    children = [Element(tag, str(number)) for tag, number in numbers if number is not None]
    if pattern.until is not None:
        children.insert(1, Element(Calendar.Until, compact(_occurrence(pattern.until, start, zone))))
    return Element(Calendar.Recurrence, tuple(children))


def _occurrence(day: date, start: Start, zone: ZoneInfo | None) -> datetime | date:
    if isinstance(start, datetime):
        return datetime.combine(day, start.time(), start.tzinfo)
    return datetime(day.year, day.month, day.day, tzinfo=zone) if zone is not None else day


# ---------------------------------------------------------------------- RRULE


def from_rule(value: str, start: Start) -> Pattern | None:
    """What an RRULE of an event with this start says; None if EAS cannot say it."""
    parts = dict(piece.partition("=")[::2] for piece in value.strip().upper().split(";") if piece)
    try:
        pattern = _parsed(parts, start)
    except (ValueError, KeyError, BadRequest):
        return None
    if pattern is None or not 1 <= pattern.interval <= MAX_INTERVAL:
        return None
    settled = _settled(pattern, start)
    return settled if settled.count is None or settled.count <= MAX_COUNT else _counted(settled, start)


KNOWN_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"}
WEEKS = {"1": 1, "2": 2, "3": 3, "4": 4, "-1": LAST}


def _parsed(parts: Mapping[str, str], start: Start) -> Pattern | None:
    if not parts.keys() <= KNOWN_PARTS:
        return None
    kind = {"DAILY": DAILY, "WEEKLY": WEEKLY, "MONTHLY": MONTHLY, "YEARLY": YEARLY}[parts["FREQ"]]
    month_day, month, position = parts.get("BYMONTHDAY", ""), parts.get("BYMONTH", ""), parts.get("BYSETPOS", "")
    days, week = _days(parts["BYDAY"], position) if "BYDAY" in parts else (0, 0)
    interval = int(parts.get("INTERVAL", "1"))
    if kind in (DAILY, WEEKLY):
        if month_day or month or week or (kind == DAILY and days and interval != 1):
            return None
    elif days:
        if month_day or not week or not _is_nth(days) or bool(month) != (kind == YEARLY):
            return None
        kind = MONTHLY_NTH if kind == MONTHLY else YEARLY_NTH
    elif position or (kind == MONTHLY and month) or (kind == YEARLY and month_day and not month):
        return None
    elif month_day == "-1":
        kind, days, week = (MONTHLY_NTH if kind == MONTHLY else YEARLY_NTH), EVERY_DAY, LAST
    day = int(month_day) if kind in (MONTHLY, YEARLY) and month_day else 0
    if day < 0 or day > 31:
        return None
    return Pattern(
        type=kind,
        interval=interval,
        days=days,
        day=day,
        week=week,
        month=int(month) if month else 0,
        count=int(parts["COUNT"]) if "COUNT" in parts else None,
        until=_rule_until(parts["UNTIL"], start) if "UNTIL" in parts else None,
        first_day=DAYS.index(parts.get("WKST", "MO")),
    )


def _is_nth(days: int) -> bool:
    """The sets of days that Type 3 and 6 know: one, or one of the named ones."""
    return days in (WORKDAYS, WEEKEND, EVERY_DAY) or days & (days - 1) == 0


def _days(value: str, position: str) -> tuple[int, int]:
    """Bits and week of BYDAY with BYSETPOS; the week is 0 without any position. Raises ValueError, KeyError."""
    words = [word for word in value.split(",") if word]
    bits, weeks = 0, set()
    for word in words:
        bits |= 1 << DAYS.index(word[-2:])
        weeks.add(word[:-2].removeprefix("+"))
    if weeks == {""}:
        return bits, WEEKS[position] if position else 0
    if len(words) != 1 or position:
        raise ValueError(value)
    return bits, WEEKS[weeks.pop()]


def _rule_until(value: str, start: Start) -> date:
    """The last day that an UNTIL admits: one before the start's time of day excludes its day (RFC 5545 3.3.10)."""
    found = moment(value)
    if "T" not in value or not isinstance(start, datetime):
        return found.date()
    local = found.astimezone(start.tzinfo) if value.endswith("Z") else found.replace(tzinfo=start.tzinfo)
    return local.date() if local.time() >= start.time() else local.date() - timedelta(days=1)


UNITS = {DAILY: Frequency.DAY, WEEKLY: Frequency.WEEK, MONTHLY: Frequency.MONTH, YEARLY: Frequency.YEAR}


def _plain(pattern: Pattern, start: Start) -> Recurrence | None:
    """The pattern in onOffice's terms, without its count; None if it is more than repeating the start (rule 68)."""
    plain = _settled(Pattern(type=pattern.type, interval=pattern.interval, count=pattern.count, until=pattern.until), start)
    if pattern != plain or pattern.type not in UNITS:
        return None
    return Recurrence(frequency=UNITS[pattern.type], interval=pattern.interval, until=pattern.until)


def _counted(pattern: Pattern, start: Start) -> Pattern | None:
    """A count beyond what EAS can say as the day of the last occurrence."""
    rule = _plain(pattern, start)
    if rule is None or pattern.count is None:
        return None
    last = next(islice(occurrence_days(rule, _day(start)), pattern.count - 1, None), None)
    return replace(pattern, count=None, until=last)


def to_rule(pattern: Pattern, start: Start) -> str:
    """The RRULE value, without the parts that the start tells."""
    first = _day(start)
    words = [f"FREQ={FREQUENCIES[pattern.type]}", *([f"INTERVAL={pattern.interval}"] if pattern.interval != 1 else [])]
    if pattern.scale:
        words.insert(0, f"RSCALE={pattern.scale}")
    if pattern.type in (YEARLY, YEARLY_NTH) and (pattern.month != first.month or pattern.type == YEARLY_NTH or pattern.day != first.day):
        words.append(f"BYMONTH={pattern.month}")
    if pattern.type in (MONTHLY, YEARLY) and (pattern.day != first.day or pattern.month not in (0, first.month)):
        words.append(f"BYMONTHDAY={pattern.day}")
    names = [name for number, name in enumerate(DAYS) if pattern.days & 1 << number]
    position = -1 if pattern.week == LAST else pattern.week
    if pattern.type == WEEKLY and pattern.days != _bit(first):
        words.append(f"BYDAY={','.join(names)}")
    if pattern.week and pattern.days == EVERY_DAY:
        words.append("BYMONTHDAY=-1")
    elif pattern.week:
        words.append(f"BYDAY={position}{names[0]}" if len(names) == 1 else f"BYDAY={','.join(names)};BYSETPOS={position}")
    if pattern.first_day not in (None, MONDAY):
        words.append(f"WKST={DAYS[pattern.first_day or 0]}")
    if pattern.count is not None:
        words.append(f"COUNT={pattern.count}")
    elif pattern.until is not None:
        words.append(f"UNTIL={until_text(pattern.until, start)}")
    return ";".join(words)


def until_text(day: date, start: Start) -> str:
    """UNTIL in the value type of DTSTART: a day, or the moment of that day's occurrence (RFC 5545 3.3.10)."""
    if not isinstance(start, datetime):
        return f"{day:%Y%m%d}"
    return f"{datetime.combine(day, start.time(), start.tzinfo).astimezone(UTC):%Y%m%dT%H%M%SZ}"


def with_until(value: str, day: date, start: Start) -> str:
    """The rule with another UNTIL and nothing else changed."""
    return re.sub(r"(?i)(UNTIL=)[^;]*", lambda found: found[1] + until_text(day, start), value)


def may_occur(pattern: Pattern, start: Start, day: date) -> bool:
    """False if the series has certainly no occurrence on a day."""
    first = _day(start)
    if day < first or (pattern.until is not None and day > pattern.until):
        return False
    rule = _plain(pattern, start)
    return rule is None or next(occurrence_days(rule, first, since=day), None) == day
