"""From a draft to the value that is stored: the rules of each kind, in the one place that ``records`` calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

from radicale_onoffice.core import appointments, merging, recurrence, slots, tasks
from radicale_onoffice.core.drafts import AppointmentDraft, ContactDraft, Draft, TaskDraft
from radicale_onoffice.core.errors import Refused
from radicale_onoffice.core.folders import Reader
from radicale_onoffice.core.model import Appointment, Base, Contact, Leftovers, Record, Recurrence, Task, TaskStatus, Value
from radicale_onoffice.core.policy import OnContactDelete, OnTaskDelete, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a draft becomes: the value, how it deviates from what was asked ("" = not), and occurrences that stand alone now."""

    value: Value
    deviation: str = ""
    stand_alone: tuple[tuple[str, Appointment, Leftovers], ...] = ()  # (day as YYYYMMDD, value, leftovers)


def apply(
    draft: Draft, current: Record | None, base: Base | None, who: Reader, policy: Policy, now: datetime, *, returning: bool
) -> Outcome:
    """Decide what a device's draft makes of the current record (None: a new one).

    ``returning`` tells that the reader had taken the record off the device and now puts it back.
    """
    stored = current.value if current else None
    had = base.value if base else stored
    wins = base is not None and base.device_wins
    if isinstance(draft, ContactDraft):
        assert isinstance(had, Contact | None)
        assert isinstance(stored, Contact | None)
        return _contact(draft, stored, had, who, policy, returning, wins)
    if isinstance(draft, AppointmentDraft):
        assert isinstance(had, Appointment | None)
        assert isinstance(stored, Appointment | None)
        return _appointment(draft, stored, had, who, policy, returning, wins)
    assert isinstance(had, Task | None)
    assert isinstance(stored, Task | None)
    return _task(draft, stored, had, who, now, returning, wins)


def _contact(
    draft: ContactDraft, current: Contact | None, had: Contact | None, who: Reader, policy: Policy, returning: bool, wins: bool
) -> Outcome:
    user = who.identity.user
    if current is None or had is None:
        fresh = replace(draft.value, entries=(), sync_users=(user,))
        merged, had = fresh, Contact()
    else:
        merged = merging.merge(had, draft.value, current, device_wins=wins)
        merged = replace(merged, entries=current.entries, sync_users=current.sync_users, archived=current.archived)
    if returning:
        merged = replace(merged, sync_users=tuple(sorted({*merged.sync_users, user})))
    return Outcome(value=slots.assign(merged, had, draft.sent, draft.touched, region=who.tenant.region, policy=policy, device_wins=wins))


def _appointment(
    draft: AppointmentDraft, current: Appointment | None, had: Appointment | None, who: Reader, policy: Policy, returning: bool, wins: bool
) -> Outcome:
    user = who.identity.user
    deviation = ""
    series: Recurrence | None = None
    if draft.series is not None:
        degraded = recurrence.degrade(draft.series, draft.value.start, policy)
        series, deviation = degraded.recurrence, degraded.deviation
    value = replace(draft.value, recurrence=series, reminder=appointments.snap_reminder(draft.value.reminder))
    known_days = set(current.recurrence.exceptions) if current and current.recurrence else set()
    overrides = draft.series.overrides if draft.series and series else ()
    if overrides and series:
        series = replace(series, exceptions=tuple(sorted({*series.exceptions, *(override.day for override in overrides)})))
        value = replace(value, recurrence=series)
    if current is None or had is None:
        value = replace(value, creator=user, participants=value.participants or (user,), type=value.type or policy.default_type)
    else:
        value = merging.merge(had, value, current, device_wins=wins)
    if returning:
        value = replace(value, participants=tuple(sorted({*value.participants, user})))
    stand_alone = tuple(
        (f"{override.day:%Y%m%d}", _of_series(override.appointment, value), override.leftovers)
        for override in overrides
        if override.day not in known_days
    )
    # Told once: a device that sends the stored form back, or leaves the rule alone, asks for nothing new.
    unchanged = had is not None and had.recurrence == value.recurrence
    return Outcome(value=value, deviation="" if unchanged else deviation, stand_alone=stand_alone)


def _of_series(occurrence: Appointment, series: Appointment) -> Appointment:
    """A changed occurrence with the CRM's links of the series that it came from (rule 65)."""
    return replace(
        occurrence,
        recurrence=None,
        creator=series.creator,
        participants=series.participants,
        groups=series.groups,
        resources=series.resources,
        addresses=series.addresses,
        estate=series.estate,
        project=series.project,
        type=occurrence.type or series.type,
        reminder=appointments.snap_reminder(occurrence.reminder),
    )


def _task(draft: TaskDraft, current: Task | None, had: Task | None, who: Reader, now: datetime, returning: bool, wins: bool) -> Outcome:
    user = who.identity.user
    deviation = "A recurring task was sent; onOffice has none, so only the first one is stored." if draft.occurs else ""
    if current is None or had is None:
        value = draft.value
        value = replace(value, creator=user, responsible=value.responsible or user, processor=value.processor or user)
    else:
        value = merging.merge(had, draft.value, current, device_wins=wins)
    if returning:
        value = replace(value, unsynced_by=tuple(name for name in value.unsynced_by if name != user))
    return Outcome(value=tasks.settle(value, now.astimezone(who.zone)), deviation=deviation)


def normalise(value: Value) -> Value:
    """A value of the CRM's side in the form that equal things are equal in: sorted names, an allowed reminder."""
    if isinstance(value, Contact):
        return replace(value, sync_users=tuple(sorted(set(value.sync_users))))
    if isinstance(value, Appointment):
        return replace(
            value,
            participants=tuple(sorted(set(value.participants))),
            groups=tuple(sorted(set(value.groups))),
            reminder=appointments.snap_reminder(value.reminder),
        )
    return replace(value, unsynced_by=tuple(sorted(set(value.unsynced_by))))


def after_delete(value: Value, who: Reader, policy: Policy) -> Value | None:
    """What stays of a record that a device deleted; None: it goes from the CRM, too. Raises Refused."""
    user = who.identity.user
    if isinstance(value, Contact):
        if policy.contact_delete is OnContactDelete.IGNORE:
            raise Refused("Contacts are taken off a device in onOffice, by clearing their Sync flag.")
        if policy.contact_delete is OnContactDelete.DELETE:
            return None
        return replace(value, sync_users=tuple(name for name in value.sync_users if name != user))
    if isinstance(value, Task):
        return None if policy.task_delete is OnTaskDelete.DELETE else replace(value, unsynced_by=tuple(sorted({*value.unsynced_by, user})))
    others = tuple(name for name in value.participants if name != user)
    if not others and not value.groups:
        return None
    if user not in value.participants:
        raise Refused("You take part in this appointment through a group; leave it in onOffice.")
    return replace(value, participants=others)


VOLATILE = ("PRODID", "DTSTAMP", "LAST-MODIFIED", "REV", "SEQUENCE", "CREATED")


def is_removed(value: Value) -> bool:
    """True if a record is as far out of a CRM as one gets that deletes nothing: an archived contact, a task that is cancelled and done."""
    if isinstance(value, Contact):
        return value.archived
    return isinstance(value, Task) and value.done and value.status is TaskStatus.CANCELLED


def same_text(one: str, other: str) -> bool:
    """True if two DAV texts carry the same lines but for those that every client rewrites, in whatever order."""
    return one == other or _significant(one) == _significant(other)


def _significant(text: str) -> Counter[str]:
    return Counter(line for line in text.splitlines() if not line.upper().startswith(VOLATILE))
