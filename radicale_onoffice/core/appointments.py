"""What is particular to appointments: reminders, where they lie in time, and whom they concern."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from radicale_onoffice.core import recurrence
from radicale_onoffice.core.model import Appointment, AppointmentStatus
from radicale_onoffice.core.ports import Summary

HOUR, DAY, WEEK = 60, 24 * 60, 7 * 24 * 60
# Minutes before the start that onOffice knows (rule 60)
REMINDERS = (0, 5, 15, 30, HOUR, 2 * HOUR, 3 * HOUR, 12 * HOUR, 15 * HOUR, DAY, 2 * DAY, 3 * DAY, WEEK, 3 * WEEK)


def snap_reminder(minutes: int | None) -> int | None:
    """The next longer reminder that onOffice knows; after the start becomes 0, beyond three weeks three weeks (U27)."""
    if minutes is None:
        return None
    return next((allowed for allowed in REMINDERS if allowed >= minutes), REMINDERS[-1])


def posix(moment: datetime | date, zone: ZoneInfo) -> int:
    """POSIX seconds of a moment, or of the midnight at which a day begins in the zone."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), zone)
    return int(moment.timestamp())


def span(appointment: Appointment, zone: ZoneInfo) -> tuple[int, int]:
    """POSIX start and end, end exclusive, of the (first) occurrence; days of an all-day one lie in the zone (U28)."""
    start = posix(appointment.start, zone)
    if appointment.all_day:
        return start, posix(appointment.end + timedelta(days=1), zone)
    return start, max(start, posix(appointment.end, zone))


def audience(appointment: Appointment) -> frozenset[str]:
    """Participants, directly or by group; the creator of one without any (U19)."""
    people = {f"u:{user}" for user in appointment.participants} | {f"g:{group}" for group in appointment.groups}
    return frozenset(people or ({f"u:{appointment.creator}"} if appointment.creator else ()))


def owner(appointment: Appointment) -> str:
    """The only user who may see it, "" if it is not private (U22)."""
    if not appointment.private:
        return ""
    return appointment.creator or next(iter(appointment.participants), "")


MARKS = {AppointmentStatus.CANCELLED: "cancelled", AppointmentStatus.COMPLETED: "completed"}


def summary(appointment: Appointment, zone: ZoneInfo) -> Summary:
    """Columns of an appointment; a series spans from its first to its last occurrence."""
    starts, ends = span(appointment, zone)
    if appointment.recurrence is not None:
        starts, ends = recurrence.bounds(appointment, zone)
    return Summary(
        audience=audience(appointment),
        mark=MARKS.get(appointment.status, ""),
        owner=owner(appointment),
        starts=starts,
        ends=ends,
        recurring=appointment.recurrence is not None,
    )
