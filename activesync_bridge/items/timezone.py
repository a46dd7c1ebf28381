"""The TimeZone structure of [MS-ASDTYPE] 2.7.4 and IANA zones.

172 bytes in base64: a bias in minutes (UTC = local time + bias), and the yearly moments at which standard and daylight time begin.

Out: the zone's own changes of the event's year, with the name that Windows gives to the zone, by which most clients know it.
In: names lie and rules fit many zones, so what an event has already is preferred, then names whose offset fits, then rules, then the tenant.
A change is told apart by the moments at which the clocks move in that year, not by its wording: the fourth Sunday may be the last one.
"""

from __future__ import annotations

import base64
import binascii
import functools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from activesync_bridge.items.windows_zones import IANA, WINDOWS
from radicale_onoffice.formats import timezones

# Bias, StandardName, StandardDate, StandardBias, DaylightName, DaylightDate, DaylightBias
BLOB = struct.Struct("<i64s16si64s16si")
# SYSTEMTIME of [MS-DTYP] 2.3.13; the day of the week stands BEFORE the day, which is the week of the month where the year is 0
SYSTEMTIME = struct.Struct("<8H")
LAST_WEEK = 5
FIRST_YEAR, LAST_YEAR = 1970, 2200
MINUTE = timedelta(minutes=1)
# Tried first where only the rules are known: where most people live, as far as onOffice's customers go
POPULOUS = (
    "Europe/Berlin",
    "Europe/London",
    "Europe/Athens",
    "Europe/Istanbul",
    "Europe/Moscow",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
)

# Offset from UTC in minutes as the year begins, then (minutes since 1970 in UTC, offset) of each change of clocks within the local year
Year = tuple[int, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True)
class Moment:
    """The wall time at which the clocks change: a weekday (0 = Sunday) of the n-th week, or a day of the month if ``absolute``."""

    month: int
    weekday: int
    week: int  # 1-5, 5 = the last
    hour: int = 0
    minute: int = 0
    second: int = 0
    absolute: int = 0  # the year, 0 = each year

    def in_year(self, year: int) -> datetime:
        """The wall time, naive and rounded to minutes (Windows says 23:59:59.999 for midnight). Raises ValueError."""
        if self.absolute:
            day = date(year, self.month, self.week)
        else:
            first = date(year, self.month, 1)
            day = first + timedelta(days=(self.weekday - first.isoweekday()) % 7 + 7 * (self.week - 1))
            while day.month != self.month:
                day -= timedelta(days=7)
        late = self.second >= 30
        return datetime(day.year, day.month, day.day, self.hour, self.minute) + (MINUTE if late else timedelta())  # noqa: DTZ001

    def packed(self) -> bytes:
        """SYSTEMTIME."""
        return SYSTEMTIME.pack(self.absolute, self.month, self.weekday, self.week, self.hour, self.minute, self.second, 0)


NEVER = bytes(SYSTEMTIME.size)


@dataclass(frozen=True, slots=True)
class Rules:
    """A TimeZone structure; offsets are minutes from UTC, the biases' negative."""

    standard: int
    daylight: int
    standard_at: Moment | None = None
    daylight_at: Moment | None = None
    name: str = ""

    @property
    def changes(self) -> bool:
        """False if the clocks never change."""
        return self.standard_at is not None and self.daylight_at is not None

    @property
    def is_blank(self) -> bool:
        """All zero: it tells nothing, not even UTC."""
        return not (self.standard or self.daylight or self.changes or self.name)

    @property
    def is_undecidable(self) -> bool:
        """Daylight time without a date: one of two offsets holds, nobody knows which (EAS-4-TbSync#272)."""
        return not self.changes and self.standard != self.daylight

    def year(self, year: int) -> Year:
        """What the structure says of a year."""
        if self.standard_at is None or self.daylight_at is None or self.standard == self.daylight:
            return self.standard, ()
        moves = sorted(
            [
                (self.standard_at.in_year(year), self.daylight, self.standard),
                (self.daylight_at.in_year(year), self.standard, self.daylight),
            ]
        )
        start = datetime(year, 1, 1)  # noqa: DTZ001
        offset = moves[0][1]
        if moves[0][0] == start:
            offset = moves.pop(0)[2]
        return offset, tuple((_minutes(wall.replace(tzinfo=UTC)) - before, after) for wall, before, after in moves)

    def packed(self) -> str:
        """The structure in base64."""
        named = self.name.encode("utf-16-le")[:62]
        daylight = self.name.replace("Standard Time", "Daylight Time").encode("utf-16-le")[:62] if self.changes else b""
        standard_at = self.standard_at.packed() if self.standard_at else NEVER
        daylight_at = self.daylight_at.packed() if self.daylight_at else NEVER
        return base64.b64encode(
            BLOB.pack(-self.standard, named, standard_at, 0, daylight, daylight_at, self.standard - self.daylight)
        ).decode()


def _minutes(moment: datetime) -> int:
    return int(moment.timestamp()) // 60


# ------------------------------------------------------------------------ out


@functools.lru_cache(maxsize=4096)
def year_of(key: str, year: int) -> Year:
    """What an IANA zone does in a (local) year."""
    zone = ZoneInfo(key)
    start, end = (datetime(number, 1, 1, tzinfo=zone).astimezone(UTC) for number in (year, year + 1))
    return _offset(zone, start), tuple((_minutes(moment), _offset(zone, moment)) for moment in _changes(zone, start, end))


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    return int((moment.astimezone(zone).utcoffset() or timedelta()).total_seconds()) // 60


def _changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Moments in (start, end) at which the offset is another one than the minute before."""
    early = start
    while early < end - MINUTE:
        late = min(early + timedelta(days=7), end - MINUTE)
        if _offset(zone, early) != _offset(zone, late):
            before, after = early, late
            while after - before > MINUTE:
                middle = before + MINUTE * ((after - before) // MINUTE // 2)
                before, after = (middle, after) if _offset(zone, middle) == _offset(zone, early) else (before, middle)
            yield after
        early = late


@functools.lru_cache(maxsize=4096)
def rules_of(key: str, year: int) -> Rules:
    """An IANA zone's rules of a year; more than two changes a year cannot be said, the last ones are."""
    offset, moves = year_of(key, year)
    name = WINDOWS.get(key, key)
    if not moves:
        return Rules(offset, offset, name=name)
    before = [offset, *(after for _, after in moves)]
    if len(moves) == 1 or before[-1] != before[-3]:
        # The offset moved for good: the other one began with the year.
        walls = [(_first_of(year), before[-2]), (_wall(moves[-1][0], before[-2]), before[-1])]
    else:
        walls = [(_wall(moves[-2][0], before[-3]), before[-2]), (_wall(moves[-1][0], before[-2]), before[-1])]
    moments = {after: _worded(key, wall) for wall, after in walls}
    standard, daylight = min(moments), max(moments)
    return Rules(standard, daylight, moments[standard], moments[daylight], name)


def _wall(minutes: int, offset: int) -> datetime:
    return datetime.fromtimestamp((minutes + offset) * 60, UTC).replace(tzinfo=None)


def _first_of(year: int) -> datetime:
    return datetime(year, 1, 1)  # noqa: DTZ001


def _worded(key: str, wall: datetime) -> Moment:
    """The n-th or the last weekday of the month, whichever the years around agree with: clients repeat the rule for years."""
    weekday, week = wall.isoweekday() % 7, (wall.day - 1) // 7 + 1
    exact = Moment(wall.month, weekday, week, wall.hour, wall.minute)
    last = Moment(wall.month, weekday, LAST_WEEK, wall.hour, wall.minute)
    if last.in_year(wall.year) != wall:
        return exact
    return max((last, exact), key=lambda moment: sum(_moves_at(key, moment.in_year(wall.year + ahead)) for ahead in range(-2, 5)))


def _moves_at(key: str, wall: datetime) -> bool:
    offset, moves = year_of(key, wall.year)
    return any(wall == _wall(at, before) for (at, _), before in zip(moves, [offset, *(after for _, after in moves)], strict=False))


@functools.lru_cache(maxsize=4096)
def dump(key: str, year: int) -> str:
    """The Timezone element's text for an IANA zone in the year of an event."""
    return rules_of(key, _steady(year)).packed()


def _steady(year: int) -> int:
    """The year, or the nearest one of which the zones' rules tell something."""
    return min(max(year, FIRST_YEAR), LAST_YEAR)


# ------------------------------------------------------------------------- in


@functools.lru_cache(maxsize=1024)
def load(text: str) -> Rules | None:
    """What a Timezone element says; None if it is no TimeZone structure."""
    try:
        data = base64.b64decode(text.strip(), validate=False)
        bias, name, standard, standard_bias, _, daylight, daylight_bias = BLOB.unpack(data)
        rules = Rules(-bias - standard_bias, -bias - daylight_bias, _moment(standard), _moment(daylight), _text(name))
        rules.year(2000)
    except (binascii.Error, struct.error, ValueError, OverflowError):
        return None
    return rules if max(abs(rules.standard), abs(rules.daylight)) < 24 * 60 else None


def _moment(data: bytes) -> Moment | None:
    year, month, weekday, day, hour, minute, second, _ = SYSTEMTIME.unpack(data)
    if not month:
        return None
    if not (weekday < 7 and 1 <= day <= (31 if year else LAST_WEEK)):
        raise ValueError
    # 24:00 is what some clients write for the midnight at which the day ends.
    hour, minute, second = (23, 59, 59) if hour == 24 else (hour, minute, second)
    return Moment(month, weekday, day, hour, minute, second, year)


def _text(data: bytes) -> str:
    return data.decode("utf-16-le", "replace").split("\0")[0].strip()


def resolve(text: str, start: datetime, *, stored: ZoneInfo | None, tenant: ZoneInfo, recurring: bool) -> ZoneInfo:
    """The zone that a Timezone element ("" = absent) means for an event at ``start`` (aware).

    ``stored`` is the zone that the event has already. A recurring event never comes to lie in UTC by a guess: it would drift with each
    change of clocks.
    """
    rules = load(text) if text else None
    if rules is None or rules.is_blank:
        return stored or tenant
    year = _steady((start.astimezone(UTC) + timedelta(minutes=rules.standard)).year)
    if stored is not None and rules.year(year) in (year_of(stored.key, year), rules_of(stored.key, year).year(year)):
        return stored
    named = _named(rules, year, tenant)
    found = named if named and year_of(named.key, year) == rules.year(year) else _fitting(rules, start, year, (stored, named, tenant))
    if recurring and found != stored and year_of(found.key, year) == (0, ()) and WINDOWS.get(found.key, "UTC") == "UTC":
        return tenant
    return found


def _named(rules: Rules, year: int, tenant: ZoneInfo) -> ZoneInfo | None:
    """The zone that the structure names; the tenant's own where Windows calls that by the same name."""
    if rules.name and WINDOWS.get(tenant.key) == rules.name and year_of(tenant.key, year) == rules.year(year):
        return tenant
    return timezones.named(IANA.get(rules.name, rules.name)) if rules.name else None


def _offsets_at(rules: Rules, start: datetime, year: int) -> set[int]:
    """The offset that holds at a moment; both if the structure leaves it open."""
    if rules.is_undecidable:
        return {rules.standard, rules.daylight}
    offset, moves = rules.year(year)
    return {next((after for at, after in reversed(moves) if at <= _minutes(start)), offset)}


def _fitting(rules: Rules, start: datetime, year: int, preferred: tuple[ZoneInfo | None, ...]) -> ZoneInfo:
    """A zone by the rules: the tenant's (the last of the preferred), then a populous one; else the preferred one whose offset fits."""
    tenant = preferred[-1]
    assert tenant is not None
    told = rules.year(year)
    is_told = told != (0, ())  # an offset of 0 is what clients write that know no zone
    if is_told and not rules.is_undecidable:
        for key in (tenant.key, *_candidates()):
            if year_of(key, year) == told:
                return ZoneInfo(key)
    for zone in preferred:
        if zone is not None and _offset(zone, start) in _offsets_at(rules, start, year):
            return zone
    fixed = (key for key in _candidates() if is_told and year_of(key, year) == (rules.standard, ()))
    return next((ZoneInfo(key) for key in fixed), preferred[0] or tenant)


@functools.cache
def _candidates() -> tuple[str, ...]:
    """All zones that Windows knows and this machine has, the populous ones first."""
    names = dict.fromkeys((*POPULOUS, *IANA.values(), *WINDOWS))
    return tuple(name for name in names if timezones.named(name) is not None)


def wall(text: str, moment: datetime) -> datetime | None:
    """The (naive) wall time of a moment by a Timezone element; None if that tells nothing."""
    rules = load(text) if text else None
    if rules is None or rules.is_blank:
        return None
    year = _steady((moment.astimezone(UTC) + timedelta(minutes=rules.standard)).year)
    shown = [_wall(_minutes(moment), offset) for offset in sorted(_offsets_at(rules, moment, year))]
    return next((one for one in shown if one.hour == one.minute == 0), shown[0])
