"""The numbers and choices that a deployment may turn, with the defaults of onoffice-rules table U."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from radicale_onoffice.core.model import Kind


class OnContactDelete(StrEnum):
    """What deleting a contact on a device means (U11)."""

    UNSYNC = "unsync"  # the user's flag is cleared, the address stays
    DELETE = "delete"
    IGNORE = "ignore"  # refused: it comes back


class OnTaskDelete(StrEnum):
    """What deleting a task on a device means (U36)."""

    UNSYNC = "unsync"
    DELETE = "delete"


class Direction(StrEnum):
    """Which way a kind is synchronised (U48, rule 99)."""

    BOTH = "both"
    TO_DEVICE = "to_device"


class OnOutage(StrEnum):
    """What a device's change becomes while the CRM does not answer."""

    REFUSE = "refuse"  # the device is told to come again
    QUEUE = "queue"  # it is kept here, and sent when the CRM is back


class OnIncompatibleSeries(StrEnum):
    """What a recurrence becomes that onOffice cannot hold (U30)."""

    NEAREST = "nearest"
    SINGLE = "single"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All rule options; ``options.py`` fills it from the configuration file."""

    window_past_months: int = 1  # rule 49, U14
    window_future_months: int = 6  # rule 50
    client_past_max_months: int = 6  # U15
    max_appointments: int = 500  # rule 48
    include_cancelled: bool = False  # U20
    include_completed: bool = True  # U21
    default_type: str = ""  # Art of an appointment made on a device (U23)
    incompatible_series: OnIncompatibleSeries = OnIncompatibleSeries.NEAREST
    max_tasks: int = 500  # U35
    task_completed_days: int = 30  # U34
    group_tasks: bool = False  # U33
    task_delete: OnTaskDelete = OnTaskDelete.UNSYNC
    include_archived: bool = False  # U9
    contact_delete: OnContactDelete = OnContactDelete.UNSYNC
    fallback_pin_on_add: bool = False  # U3
    reuse_existing_number: bool = True  # U5
    lock_after: int = 5  # U38
    lock_minutes: int = 0  # U39; 0 = until unlocked
    password_max_age_days: int = 0  # U45; 0 = never
    feed_days: int = 90  # how long a gone entry is remembered
    history_days: int = 365
    max_devices: int = 10  # phones of one user over ActiveSync
    full_wipe: bool = False  # may a whole phone be erased; else only the account on it
    writes_during_outage: OnOutage = OnOutage.REFUSE
    direction: dict[Kind, Direction] = field(default_factory=lambda: dict.fromkeys(Kind, Direction.BOTH))
