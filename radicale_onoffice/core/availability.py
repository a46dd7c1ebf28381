"""When somebody has no time, as digits and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from radicale_onoffice.core import recurrence
from radicale_onoffice.core.model import Appointment, AppointmentStatus

INTERVAL = 30 * 60  # seconds that one digit stands for
FREE, BUSY = "0", "2"  # [MS-ASCMD] MergedFreeBusy; onOffice knows neither tentative (1) nor out of office (3)
NO_CLASH = (AppointmentStatus.CANCELLED, AppointmentStatus.AVAILABLE)  # rule 58


def merged(appointments: Iterable[Appointment], zone: ZoneInfo, after: int, before: int) -> str:
    """A digit per half hour from ``after`` on, the last one perhaps for less; POSIX seconds.

    An interval is busy if any second of it is. Travel lies outside of an appointment, as in what is exported (rule 62).
    """
    busy = bytearray(-(-(before - after) // INTERVAL))
    for appointment in appointments:
        if appointment.status in NO_CLASH:
            continue
        for start, end in recurrence.occurrences(appointment, zone, after, before):
            start, end = max(start, after), min(end, before)
            if start < end:
                first, last = (start - after) // INTERVAL, (end - 1 - after) // INTERVAL
                busy[first : last + 1] = b"\1" * (last + 1 - first)
    return "".join(BUSY if one else FREE for one in busy)
