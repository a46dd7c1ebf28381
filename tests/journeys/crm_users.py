"""Who works in the CRM itself while the convergence machine runs: through the core where it is embedded, in onOffice behind our back else.

What is done in onOffice comes by polling only. Until then a device may write over a record that was changed there: ``Ledger.foreign`` knows
which elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any, Protocol

from activesync_bridge.wbxml.codepages import AirSyncBase, Calendar, Contacts, Tasks
from radicale_onoffice.core.model import (
    Actor,
    Appointment,
    AppointmentStatus,
    Contact,
    Entry,
    EntryKind,
    Face,
    Frequency,
    Identity,
    Kind,
    Recurrence,
    Task,
    Value,
)
from tests.emulator import Emulator
from tests.journeys.ledger import WHOSE, everything
from tests.journeys.makings import BERLIN, mark_of

CRM = Actor(identity=Identity("t", "anna"), face=Face.CRM)
STAMP = "%Y-%m-%d %H:%M:%S"
KINDS = {Kind.CONTACTS: "address", Kind.APPOINTMENTS: "calendar", Kind.TASKS: "task"}
NUMBERS = frozenset(
    {
        *(Contacts.MobilePhoneNumber, Contacts.HomePhoneNumber, Contacts.BusinessPhoneNumber),
        *(Contacts.Home2PhoneNumber, Contacts.Business2PhoneNumber, Contacts.CarPhoneNumber, Contacts.PagerNumber),
    }
)
SPAN = frozenset({Calendar.StartTime, Calendar.EndTime})
TOUCHES = {  # what phones show of a field
    "last_name": frozenset({Contacts.LastName}),
    "city": frozenset({Contacts.HomeAddressCity}),
    "entries": NUMBERS,
    "subject": frozenset({Calendar.Subject, Tasks.Subject}),
    "location": frozenset({Calendar.Location, AirSyncBase.Location}),
    "note": frozenset({AirSyncBase.Body}),
    "description": frozenset({AirSyncBase.Body}),
    "start": SPAN,
    "end": SPAN,
    "status": frozenset({Calendar.BusyStatus}),
    "deadline": frozenset({Tasks.UtcDueDate, Tasks.DueDate}),
}


@dataclass(frozen=True)
class Thing:
    """A record as the CRM user sees it; ``id`` is the CRM's."""

    kind: Kind
    id: str
    value: Value

    @property
    def mark(self) -> str:
        return mark_of(self.value)


class CrmUser(Protocol):
    """What a person does there."""

    def things(self) -> Sequence[Thing]:
        """All records with a mark, always in the same order."""

    def make(self, number: int, kind: Kind, value: Value) -> None:
        """A new one; ``number`` is the process that does it, where one is needed."""

    def change(self, number: int, thing: Thing, value: Value) -> frozenset[int]:
        """Write fields that differ; the elements that devices hear of later only."""

    def concern(self, thing: Thing, whose: tuple[str, ...]) -> frozenset[int]:
        """Say whom it concerns; as ``change``."""

    def delete(self, thing: Thing) -> None:
        """Delete it."""


class InTheCore:
    """Of an embedded CRM."""

    def __init__(self, machine):
        self._machine = machine

    def things(self) -> Sequence[Thing]:
        found = [one for one in everything(self._machine.office) if not one.deleted and mark_of(one.value)]
        return [Thing(one.kind, one.id, one.value) for one in sorted(found, key=lambda one: one.id)]

    def make(self, number: int, kind: Kind, value: Value) -> None:
        self._machine.processes[number].office.records.write(CRM, kind, value)

    def change(self, number: int, thing: Thing, value: Value) -> frozenset[int]:
        self._machine.processes[number].office.records.write(CRM, thing.kind, value, record_id=thing.id)
        return frozenset()

    def concern(self, thing: Thing, whose: tuple[str, ...]) -> frozenset[int]:
        value = thing.value
        if isinstance(value, Contact):
            value = replace(value, sync_users=() if whose == value.sync_users else whose)
        elif isinstance(value, Task):
            value = replace(value, responsible=whose[0], processor=whose[-1], unsynced_by=())
        else:
            value = replace(value, participants=whose)
        self._machine.office.records.write(CRM, thing.kind, value, record_id=thing.id)
        return frozenset()

    def delete(self, thing: Thing) -> None:
        self._machine.office.records.remove(CRM, thing.id)


class InOnOffice:
    """Of an emulated onOffice."""

    def __init__(self, emulator: Emulator):
        self._control = emulator.control
        self._users = {name: self._control.user(name) for name in ("anna", "bert")}

    def things(self) -> Sequence[Thing]:
        rows = [(kind, row) for kind, table in KINDS.items() for row in self._control.rows(table)]
        found = [Thing(kind, str(row["id"]), _value(kind, row)) for kind, row in rows if _is_live(kind, row)]
        return [one for one in found if one.mark]

    def make(self, number: int, kind: Kind, value: Value) -> None:
        links: dict[str, Any] = {}
        if isinstance(value, Contact):
            links["sync"] = [self._users[name] for name in value.sync_users]
            links["entries"] = [{"what": "phone", "type": "mobile", "value": entry.value} for entry in value.entries]
        elif isinstance(value, Appointment):
            links["users"] = [self._users[name] for name in value.participants]
        self._control.add(KINDS[kind], _columns(value), by="anna", **links)

    def change(self, number: int, thing: Thing, value: Value) -> frozenset[int]:
        changed = [one.name for one in fields(value) if getattr(value, one.name) != getattr(thing.value, one.name)]
        if "entries" in changed:
            assert isinstance(value, Contact)
            self._control.add_entry(int(thing.id), "phone", value.entries[-1].value, type="mobile", default=True)
        elif changed:
            before = _columns(thing.value)
            columns = {name: one for name, one in _columns(value).items() if one != before.get(name)}
            self._control.edit(KINDS[thing.kind], int(thing.id), by="anna", **columns)
        return frozenset().union(*(TOUCHES[name] for name in changed))

    def concern(self, thing: Thing, whose: tuple[str, ...]) -> frozenset[int]:
        number = int(thing.id)
        if thing.kind is Kind.CONTACTS:
            had = {child for parent, child in self._control.linked("address:user:sync") if parent == number}
            wanted = {self._users[name] for name in whose}
            wanted = set() if had == wanted else wanted
            for user in wanted - had:
                self._control.link("address:user:sync", number, user)
            for user in had - wanted:
                self._control.unlink("address:user:sync", number, user)
        elif thing.kind is Kind.TASKS:
            self._control.edit("task", number, by="anna", Verantwortung=whose[0], Bearbeiter=whose[-1])
        else:
            self._control.edit("calendar", number, by="anna", users=[self._users[name] for name in whose])
        return frozenset({WHOSE})

    def delete(self, thing: Thing) -> None:
        self._control.delete(KINDS[thing.kind], int(thing.id), by="anna")


# ------------------------------------------------------------------ onOffice's words


def _is_live(kind: Kind, row: dict[str, Any]) -> bool:
    """False of an address in the archive and a task that was given up: no call deletes them."""
    if kind is Kind.CONTACTS:
        return row.get("Status2Adr") != "status2adr_archive"
    return kind is Kind.APPOINTMENTS or int(row.get("Status") or 1) != 5


def _value(kind: Kind, row: dict[str, Any]) -> Value:
    """As much of a row as ``Makings.changed`` looks at."""
    if kind is Kind.CONTACTS:
        entries = tuple(Entry(id=one["id"], kind=EntryKind.PHONE, value=one["value"]) for one in row["entries"] if one["what"] == "phone")
        return Contact(first_name=row.get("Vorname", ""), last_name=row.get("Name", ""), city=row.get("Ort", ""), entries=entries)
    if kind is Kind.TASKS:
        return Task(subject=row.get("Betreff", ""), description=row.get("Aufgabe", ""))
    start, end = (datetime.strptime(row[key], STAMP).replace(tzinfo=BERLIN) for key in ("start_dt", "end_dt"))
    return Appointment(
        subject=row["description"],
        start=start.date() if row["ganztags"] else start,
        end=end.date() if row["ganztags"] else end,
        status=AppointmentStatus.CANCELLED if row["status"] == "canceled" else AppointmentStatus.ACTIVE,
        recurrence=Recurrence(frequency=Frequency(row["rp_type"])) if row["rp_flag"] else None,
    )


def _columns(value: Value) -> dict[str, Any]:
    """A value of ``Makings`` as a person fills the pages in."""
    if isinstance(value, Contact):
        return {"Vorname": value.first_name, "Name": value.last_name, "Ort": value.city}
    if isinstance(value, Task):
        people = {"Verantwortung": value.responsible, "Bearbeiter": value.processor} if value.responsible else {}
        due = value.deadline
        told = {"Deadline": f"{due:%Y-%m-%d %H:%M:%S}", "Deadline_Zeit": f"{due:%H:%M:%S}", "Deadline_strikt": True} if due else {}
        return {"Betreff": value.subject, "Aufgabe": value.description, **people, **told}
    series = {"rp_flag": value.recurrence is not None}
    if value.recurrence is not None:
        series |= {
            "rp_type": value.recurrence.frequency.value,
            "rp_tage": 1,
            "rp_beginn_datum": f"{value.start:%Y-%m-%d}",
            "rp_ende_status": "2",
        }
    return {
        "description": value.subject,
        "note": value.note,
        "location": {"sonstiges": value.location} if value.location else {"keine Angaben": ""},
        "status": "canceled" if value.status is AppointmentStatus.CANCELLED else "active",
        **_times(value.start, value.end),
        **series,
    }


def _times(start: datetime | date, end: datetime | date) -> dict[str, Any]:
    if isinstance(start, datetime):
        return {"start_dt": start.strftime(STAMP), "end_dt": end.strftime(STAMP), "ganztags": False}
    return {"start_dt": f"{start} 00:00:00", "end_dt": f"{end} 23:59:59", "ganztags": True}


def marks_in(emulator: Emulator) -> list[str]:
    """The marks of all that onOffice has."""
    return [one.mark for one in InOnOffice(emulator).things()]
