"""Time zones of iCalendar: VTIMEZONE texts of IANA zones, and what a client's TZID means (RFC 5545 3.6.5, RFC 7808)."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from radicale_onoffice.formats.lines import Component, build, text_of

FIRST_YEAR, LAST_YEAR = 2007, 2037  # transitions that a VTIMEZONE tells; rules of Europe and North America are steady since 2007
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

# Names that Windows and Outlook use (CLDR windowsZones), for the zones of onOffice's customers and their holidays
WINDOWS = {
    "W. Europe Standard Time": "Europe/Berlin",
    "Central Europe Standard Time": "Europe/Budapest",
    "Central European Standard Time": "Europe/Warsaw",
    "Romance Standard Time": "Europe/Paris",
    "GMT Standard Time": "Europe/London",
    "Greenwich Standard Time": "Atlantic/Reykjavik",
    "E. Europe Standard Time": "Europe/Chisinau",
    "FLE Standard Time": "Europe/Kiev",
    "GTB Standard Time": "Europe/Bucharest",
    "Turkey Standard Time": "Europe/Istanbul",
    "Russian Standard Time": "Europe/Moscow",
    "Israel Standard Time": "Asia/Jerusalem",
    "Arabian Standard Time": "Asia/Dubai",
    "India Standard Time": "Asia/Kolkata",
    "China Standard Time": "Asia/Shanghai",
    "Tokyo Standard Time": "Asia/Tokyo",
    "AUS Eastern Standard Time": "Australia/Sydney",
    "South Africa Standard Time": "Africa/Johannesburg",
    "Eastern Standard Time": "America/New_York",
    "Central Standard Time": "America/Chicago",
    "Mountain Standard Time": "America/Denver",
    "Pacific Standard Time": "America/Los_Angeles",
    "UTC": "UTC",
    "Coordinated Universal Time": "UTC",
}


@functools.lru_cache(maxsize=1024)
def named(tzid: str) -> ZoneInfo | None:
    """The zone of an IANA name, a Windows name, or a vendor's path that ends in an IANA name; None if it is none of these."""
    name = WINDOWS.get(tzid.strip(), tzid.strip())
    pieces = name.strip("/").split("/")
    for length in (len(pieces), 3, 2, 1):
        candidate = "/".join(pieces[-length:])
        try:
            if candidate and "." not in candidate:
                return ZoneInfo(candidate)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return None


def resolve(tzid: str, calendar: Component | None, default: ZoneInfo) -> ZoneInfo:
    """The zone that a TZID means: by name, by its VTIMEZONE's own hint, else the default if its offsets agree, else one that has them."""
    zone = named(tzid)
    if zone is not None:
        return zone
    definition = next((tz for tz in calendar.components("VTIMEZONE") if text_of(tz.first("TZID")) == tzid), None) if calendar else None
    if definition is None:
        return default
    hint = named(text_of(definition.first("X-LIC-LOCATION"))) if definition.first("X-LIC-LOCATION") else None
    if hint is not None:
        return hint
    wanted = {text_of(part.first("TZOFFSETTO"))[:5] for part in definition.components("STANDARD", "DAYLIGHT")}
    for candidate in (default, *(ZoneInfo(name) for name in WINDOWS.values())):
        if wanted == _offsets(candidate.key):
            return candidate
    return default


@functools.lru_cache(maxsize=256)
def _offsets(key: str) -> frozenset[str]:
    zone = ZoneInfo(key)
    return frozenset(_offset(datetime(2026, month, 1, 12, tzinfo=UTC).astimezone(zone).utcoffset()) for month in (1, 7))


def _offset(delta: timedelta | None) -> str:
    minutes = int((delta or timedelta()).total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


@functools.lru_cache(maxsize=256)
def _definition(key: str) -> tuple[str, ...]:
    zone = ZoneInfo(key)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{key}"]
    transitions = list(_transitions(zone))
    if not transitions:
        offset = datetime(2026, 1, 1, tzinfo=zone)
        lines += _observance(
            "STANDARD", "19700101T000000", _offset(offset.utcoffset()), _offset(offset.utcoffset()), offset.tzname() or key, ""
        )
    for is_dst in (False, True):
        group = [(local, before, after) for local, before, after in transitions if bool(after.dst()) is is_dst]
        if group:
            lines += _observances("DAYLIGHT" if is_dst else "STANDARD", group)
    return (*lines, "END:VTIMEZONE")


def definition(key: str) -> Component:
    """The VTIMEZONE of an IANA zone."""
    return build(_definition(key))[0]


def _observances(name: str, group: list[tuple[datetime, datetime, datetime]]) -> Iterator[str]:
    rules = {_rule(local) for local, _, _ in group}
    offsets = {(_offset(before.utcoffset()), _offset(after.utcoffset()), after.tzname() or "") for _, before, after in group}
    if len(rules) == 1 and len(offsets) == 1 and len(group) > (LAST_YEAR - FIRST_YEAR) // 2:
        yield from _observance(name, f"{group[0][0]:%Y%m%dT%H%M%S}", *offsets.pop(), rules.pop())
        return
    for local, before, after in group:
        yield from _observance(
            name, f"{local:%Y%m%dT%H%M%S}", _offset(before.utcoffset()), _offset(after.utcoffset()), after.tzname() or "", ""
        )


def _observance(name: str, start: str, before: str, after: str, tzname: str, rule: str) -> Iterable[str]:
    return [
        f"BEGIN:{name}",
        f"DTSTART:{start}",
        f"TZOFFSETFROM:{before}",
        f"TZOFFSETTO:{after}",
        f"TZNAME:{tzname}",
        *([rule] if rule else []),
        f"END:{name}",
    ]


def _rule(local: datetime) -> str:
    """The yearly rule that a transition looks like: the n-th or the last weekday of its month."""
    is_last = (local + timedelta(days=7)).month != local.month
    position = -1 if is_last else (local.day - 1) // 7 + 1
    return f"RRULE:FREQ=YEARLY;BYMONTH={local.month};BYDAY={position}{WEEKDAYS[local.weekday()]}"


def _transitions(zone: ZoneInfo) -> Iterator[tuple[datetime, datetime, datetime]]:
    """(wall time before the change of clocks, last moment before, first after) of each transition."""
    moment, end = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
    while moment < end:
        later = moment + timedelta(days=7)
        if moment.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            first = _first_after(zone, moment, later)
            before = (first - timedelta(seconds=1)).astimezone(zone)
            yield (before + timedelta(seconds=1)).replace(tzinfo=None), before, first.astimezone(zone)
        moment = later


def _first_after(zone: ZoneInfo, early: datetime, late: datetime) -> datetime:
    old = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=int((late - early).total_seconds()) // 2)
        early, late = (middle, late) if middle.astimezone(zone).utcoffset() == old else (early, middle)
    return late
