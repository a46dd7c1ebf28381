"""The window: which appointments are offered, how far back, how far ahead, and at most how many (rules 48-55)."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from radicale_onoffice.core import recurrence
from radicale_onoffice.core.model import Appointment
from radicale_onoffice.core.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """POSIX seconds: first and last moment of the window, both inclusive (U18), and the midnight at which today began."""

    begins: int
    ends: int
    today: int


class Past(NamedTuple):
    """How far back a client wants to see, counted from the beginning of today (rule 49)."""

    months: int = 0
    days: int = 0


class Candidate(NamedTuple):
    """An appointment in the window with the POSIX span, end exclusive, of the occurrence that counts."""

    record_id: str
    start: int
    end: int


def months_from(day: date, months: int) -> date:
    """The same day ``months`` later (negative: earlier), clamped to the end of a shorter month (U14)."""
    year, index = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, index + 1, min(day.day, monthrange(year, index + 1)[1]))


def midnight(day: date, zone: ZoneInfo) -> int:
    """POSIX seconds at which the day begins in the zone."""
    return int(datetime.combine(day, time(), zone).timestamp())


def window(now: datetime, zone: ZoneInfo, policy: Policy, past: Past | None = None) -> Window:
    """The window around ``now``, in whole days of the zone; ``past`` is what a client asked for (rule 49, U14-U16)."""
    today = now.astimezone(zone).date()
    first = months_from(today, -policy.window_past_months)
    if past is not None:
        asked = months_from(today, -past.months) - timedelta(days=past.days)
        first = max(asked, months_from(today, -policy.client_past_max_months))
    far = months_from(today, policy.window_future_months)
    return Window(
        begins=midnight(first, zone),
        ends=midnight(far + timedelta(days=1), zone) - 1,
        today=midnight(today, zone),
    )


def next_midnight(now: datetime, zone: ZoneInfo) -> int:
    """POSIX seconds at which the next day begins in the zone: when every window moves."""
    return midnight(now.astimezone(zone).date() + timedelta(days=1), zone)


def candidate(record_id: str, appointment: Appointment, zone: ZoneInfo, span: Window) -> Candidate | None:
    """A series by the occurrence that is nearest: the next one in the window, else its last; None if none lies in it (rule 55)."""
    last: tuple[int, int] | None = None
    for start, end in recurrence.occurrences(appointment, zone, span.begins, span.ends + 1):
        last = (start, end)
        if is_upcoming(start, end, span):
            break
    return Candidate(record_id, *last) if last else None


def is_upcoming(start: int, end: int, span: Window) -> bool:
    """True unless it was over before today began; the whole of today counts, so that the choice holds all day."""
    return max(start, end - 1) >= span.today


def select(candidates: Iterable[Candidate], span: Window, cap: int) -> list[str]:
    """Ids of at most ``cap`` appointments: upcoming ones by start, then the newest past ones, ties by id (U17)."""
    inside = [one for one in candidates if one.start <= span.ends and max(one.start, one.end - 1) >= span.begins]
    upcoming = sorted((one for one in inside if is_upcoming(one.start, one.end, span)), key=lambda one: (one.start, one.record_id))
    past = sorted((one for one in inside if not is_upcoming(one.start, one.end, span)), key=lambda one: (-one.start, one.record_id))
    return [one.record_id for one in (*upcoming, *past)][:cap]
