"""What a device asks for, before the rules of its kind have decided what becomes of it (``rules.apply``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum

from radicale_onoffice.core.model import Appointment, Contact, Leftovers, Slot, Task

NOTHING = Leftovers()


class Weekday(IntEnum):
    """Days of the week as RFC 5545 3.3.10 abbreviates them; the numbers are ``date.weekday()``'s."""

    MO = 0
    TU = 1
    WE = 2
    TH = 3
    FR = 4
    SA = 5
    SU = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One occurrence that a device changed (RECURRENCE-ID, EAS Exception): rule 72 makes it an appointment of its own."""

    day: date  # start day of the occurrence in the series
    appointment: Appointment
    leftovers: Leftovers = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A recurrence as a client words it, richer than onOffice can hold; ``recurrence.degrade`` decides (rule 74)."""

    frequency: str  # RFC 5545 FREQ, e.g. "WEEKLY"
    interval: int = 1
    count: int | None = None
    until: datetime | date | None = None
    by_day: tuple[tuple[int, Weekday], ...] = ()  # (0, MO) = every Monday, (2, TU) = second Tuesday, (-1, FR) = last Friday
    by_month_day: tuple[int, ...] = ()
    by_month: tuple[int, ...] = ()
    other_parts: tuple[str, ...] = ()  # BYSETPOS, BYHOUR, BYYEARDAY, ... by name: never exact
    several: bool = False  # more than one RRULE, or an RDATE: only the first occurrence is kept
    exceptions: tuple[date, ...] = ()
    overrides: tuple[Override, ...] = ()
    text: str = ""  # the original lines, for Leftovers.rule


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactDraft:
    """A contact as a device wants it.

    ``value`` is the base with the device's plain fields patched in and the base's ``entries`` untouched; ``sent`` is what each
    slot holds on the device now. ``touched`` names the slots that the device speaks about: a slot outside of it keeps what it has
    (EAS ghosting, rule 41); CardDAV speaks about all of them (rule 42).
    """

    value: Contact
    sent: Mapping[Slot, str] = field(default_factory=dict)
    touched: frozenset[Slot] = frozenset(Slot)
    leftovers: Leftovers = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointmentDraft:
    """An appointment as a device wants it; ``series`` None means not recurring, whatever ``value.recurrence`` says."""

    value: Appointment
    series: Series | None = None
    leftovers: Leftovers = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDraft:
    """A task as a device wants it. ``occurs`` tells that the device sent a recurrence, of which the first instance is kept (rule 85)."""

    value: Task
    occurs: bool = False
    leftovers: Leftovers = NOTHING


Draft = ContactDraft | AppointmentDraft | TaskDraft
