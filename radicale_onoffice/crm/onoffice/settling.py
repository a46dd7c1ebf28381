"""Finds out what became of a write whose answer never came: by reading, never by doing it again.

A change was done if the record says what was wanted. A new record was made if onOffice has one that changed since, says all that was wanted,
and belongs to no record of ours. That something is *not* there proves nothing for a while: a request may be carried out after we gave up
waiting for it. onOffice refuses what was signed more than 120 s ago, so after ``LATE`` what is not there will not come any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from radicale_onoffice.core.errors import Refused
from radicale_onoffice.core.model import AppointmentStatus, Contact, EntryKind, Kind, Task, TaskStatus, Value
from radicale_onoffice.core.ports import Errand
from radicale_onoffice.core.slots import normalised
from radicale_onoffice.crm.onoffice import appointments, contacts, fields, rows, sending, tasks
from radicale_onoffice.crm.onoffice.connections import Connection
from radicale_onoffice.crm.onoffice.protocol import MAX_ROWS, Action
from radicale_onoffice.crm.onoffice.protocol import Row as Record

LATE = timedelta(seconds=150)
OVERLAP = timedelta(minutes=5)  # clocks differ
# What a create says that may read otherwise: onOffice may set it itself, and entries are compared as numbers
UNSURE = frozenset({"von", "Art", "Land", "location", "reminderTypes", "relatedAddressId", "relatedProjectIds", "responsibilityByGroup"})


# --------------------------------------------------------------- comparisons


def is_done(kind: Kind, row: Record, before: Value, after: Value, connection: Connection) -> bool:
    """True if a row says all that a change was to say; ``before`` is what it said until then, as far as it is known."""
    account = connection.account()
    holds = sending.load(kind, row, connection, after)
    if not isinstance(holds, Contact) or not isinstance(before, Contact) or not isinstance(after, Contact):
        return not rows.modify(row.id, holds, after, account)
    if fields.parameters(contacts.TABLE, kind, holds, after, account) or holds.sync_users != after.sync_users:
        return False
    had, wants = _numbers(before, connection), _numbers(after, connection)
    says = _numbers(holds, connection)
    return wants - had <= says and not (had - wants) & says


def _numbers(contact: Contact, connection: Connection) -> set[tuple[EntryKind, str]]:
    return {(entry.kind, normalised(entry.kind, entry.value, connection.tenant.region)) for entry in contact.entries}


def says_all(kind: Kind, row: Record, wanted: Value, connection: Connection) -> bool:
    """True if a row says all that the creation of a record said."""
    asked = _said(kind, wanted, connection)
    try:
        holds = sending.load(kind, row, connection, None)
        told = _said(kind, holds, connection)
    except Refused:
        return False  # it cannot be understood, or names somebody whom nobody knows
    if any(told.get(key) != value for key, value in asked.items()):
        return False
    return not isinstance(wanted, Contact) or not isinstance(holds, Contact) or _first(wanted, connection) <= _numbers(holds, connection)


def _said(kind: Kind, value: Value, connection: Connection) -> Mapping[str, Any]:
    """The fields of the action that makes a record, spaces apart."""
    said = dict(rows.create(value, connection.account()).parameters) if kind is not Kind.CONTACTS else {}
    if isinstance(value, Contact):
        said = fields.parameters(contacts.TABLE, kind, None, value, connection.account())
        said.pop("Status2Adr", None)
    flat = {**said.pop("data", {}), **said}
    return {key: " ".join(one.split()) if isinstance(one, str) else one for key, one in flat.items() if key not in UNSURE}


def _first(contact: Contact, connection: Connection) -> set[tuple[EntryKind, str]]:
    """The numbers that the creation itself takes along: the rest may be missing yet."""
    sent = {value for value in contacts.create(contact, connection.account()).parameters.values() if isinstance(value, str)}
    region = connection.tenant.region
    return {(entry.kind, normalised(entry.kind, entry.value, region)) for entry in contact.entries if entry.value in sent}


def is_repeated(one: Errand, other: Errand) -> bool:
    """True if both are to make the same item of a user: what its device calls it tells, and if nothing is known of that, equal values."""
    if (one.kind, one.actor.identity) != (other.kind, other.actor.identity):
        return False
    told = one.origin.is_same(other.origin, same_device=one.actor.device == other.actor.device)
    return told if told is not None else one.actor == other.actor and same_value(one, other)


def same_value(one: Errand, other: Errand) -> bool:
    """True if both are to leave the same."""
    return _timeless(one.after) == _timeless(other.after)


def taken_out(value: Value) -> Value:
    """What onOffice holds of a record that was removed, as far as it is known without a look; an appointment is marked, though it is gone."""
    if isinstance(value, Contact):
        return replace(value, archived=True)
    return (
        replace(value, status=TaskStatus.CANCELLED, done=True)
        if isinstance(value, Task)
        else replace(value, status=AppointmentStatus.CANCELLED)
    )


def is_undone(errand: Errand) -> bool:
    """True if this takes a removal back."""
    before, after = errand.before, errand.after
    return before is not None and after is not None and before == taken_out(before) and after != taken_out(after)


def _timeless(value: Value | None) -> Value | None:
    """Without the moment that we note ourselves when a task is completed."""
    return replace(value, completed_at=None) if isinstance(value, Task) else value


# ----------------------------------------------------------------- searching


def changed_since(connection: Connection, kind: Kind, moment: datetime) -> list[Record]:
    """All records of a kind that changed since; stamps whose zone is not documented are taken for the earlier one. Raises UpstreamDown."""
    moment -= OVERLAP
    account = connection.account()
    told = min(fields.wall(moment, account.zone), moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"))
    if kind is Kind.APPOINTMENTS:
        return list(_ask(connection, appointments.read_changed(moment)))
    if kind is Kind.TASKS:
        return _tasks(connection, told[:10], 1, tasks.LAST_NUMBER)
    found: list[Record] = []
    while True:
        page = _ask(connection, contacts.read_page(account, len(found), since=told))
        found += page
        if len(page) < MAX_ROWS:
            return found


def _tasks(connection: Connection, since: str, first: int, last: int) -> list[Record]:
    """There is no paging: a full answer is asked for in halves, the newer one first."""
    page = _ask(connection, tasks.read_range(first, last, connection.account(), since=since))
    if len(page) < MAX_ROWS or first >= last:
        return list(page)
    middle = (first + last) // 2
    return [*_tasks(connection, since, middle + 1, last), *_tasks(connection, since, first, middle)]


def _ask(connection: Connection, action: Action) -> Sequence[Record]:
    return rows.demanded([action], connection.call([action]))[0].rows


def made_by(connection: Connection, errand: Errand) -> list[str]:
    """Ids of the records that an errand may have made, the oldest first. Raises UpstreamDown."""
    assert errand.after is not None
    changed = changed_since(connection, errand.kind, errand.at)
    found = {row.id for row in changed if says_all(errand.kind, row, errand.after, connection)}
    return sorted(found, key=lambda one: (len(one), one))


def unfinished(connection: Connection, kind: Kind, row: Record, wanted: Value) -> list[Action]:
    """What is still to be said of a record that was made, perhaps not wholly."""
    holds = sending.load(kind, row, connection, wanted)
    if isinstance(holds, Contact) and isinstance(wanted, Contact):
        says = _numbers(holds, connection)
        region = connection.tenant.region
        missing = [entry for entry in wanted.entries if (entry.kind, normalised(entry.kind, entry.value, region)) not in says]
        wanted = replace(wanted, entries=(*holds.entries, *missing))
    return rows.modify(row.id, holds, wanted, connection.account())
