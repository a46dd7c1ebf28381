"""An office over an emulated onOffice, and what devices do there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from radicale_onoffice.core.drafts import AppointmentDraft, ContactDraft, TaskDraft
from radicale_onoffice.core.errors import ChangedBefore
from radicale_onoffice.core.model import Actor, Appointment, Base, Contact, Entry, EntryKind, Face, Identity, Kind, Record, Slot, Task
from radicale_onoffice.core.office import Office
from radicale_onoffice.core.reports import DEVIATION, REFUSED
from radicale_onoffice.crm.onoffice.draining import Drain, Drained
from tests.crm.accounts import BERLIN
from tests.emulation import Emulated
from tests.emulator import Emulator

ANNA = Identity("t", "anna")
PHONE = Actor(identity=ANNA, face=Face.DAV, device="phone")
TABLES = {Kind.CONTACTS: "address", Kind.APPOINTMENTS: "calendar", Kind.TASKS: "task"}
START = datetime(2026, 4, 1, 10, tzinfo=BERLIN)
DRAFTS = {Kind.CONTACTS: ContactDraft, Kind.APPOINTMENTS: AppointmentDraft, Kind.TASKS: TaskDraft}
NUMBERS = {Slot.BUSINESS: "+49 241 900100", Slot.MOBILE: "+49 171 5550001", Slot.EMAIL1: "ada@example.org"}
VALUES = {
    Kind.CONTACTS: Contact(first_name="Ada", last_name="Beispiel", city="Aachen"),
    Kind.APPOINTMENTS: Appointment(subject="Besichtigung", start=START, end=START + timedelta(hours=1), location="Hauptstr. 5"),
    Kind.TASKS: Task(subject="Rückruf", description="Wegen des Vertrags"),
}
CHANGES = {Kind.CONTACTS: {"city": "Köln"}, Kind.APPOINTMENTS: {"note": "Schlüssel"}, Kind.TASKS: {"priority": 1}}
COLUMNS = {
    Kind.CONTACTS: ("Name", "Beispiel", "Ort", "Köln"),
    Kind.APPOINTMENTS: ("description", "Besichtigung", "note", "Schlüssel"),
    Kind.TASKS: ("Betreff", "Rückruf", "Prio", "1"),
}


class Desk:
    """The office, the emulator, and short words for what happens."""

    def __init__(self, office: Office, emulated: Emulated, clock):
        self.office, self.emulated, self.clock = office, emulated, clock
        self.emulator: Emulator = emulated.emulators["t"]
        self.control = self.emulator.control

    def add(self, kind: Kind, actor: Actor = PHONE, **how) -> Record:
        """What a device makes, under a UID of its own."""
        more = {"sent": NUMBERS} if kind is Kind.CONTACTS else {}
        value = replace(VALUES[kind], **how.pop("changes", {}))
        return self.office.records.put(actor, kind, DRAFTS[kind](value=value, **more), **{"uid": "of-the-device", "name": "a.item", **how})

    def edit(self, record: Record, actor: Actor = PHONE, *, sent=None, expect: int | None = None, **changes) -> Record:
        """What a device changes of what it was told last; ``expect`` is the version that it insists on."""
        kind = record.kind
        more = {"sent": shown(record.value) if sent is None else sent} if kind is Kind.CONTACTS else {}
        draft = DRAFTS[kind](value=replace(record.value, **changes), **more)
        had = Base(value=record.value, leftovers=record.leftovers, text=record.text)
        try:
            return self.office.records.put(actor, kind, draft, record_id=record.id, base=had, expect=expect)
        except ChangedBefore:  # a face makes the draft again
            now = self.stored(record)
            assert now is not None
            return self.edit(now, actor, sent=sent, **changes)

    def remove(self, record: Record, actor: Actor = PHONE) -> None:
        self.office.records.delete(actor, record.kind, record.id)

    def rows(self, kind: Kind):
        """What the emulator has, stamps apart."""
        return self.control.rows(TABLES[kind])

    def row(self, record: Record):
        return self.control.get(TABLES[record.kind], self.number(record))

    def number(self, record: Record) -> int:
        with self.office.store.reading() as tx:
            link = tx.link("t", record.id)
        assert link is not None
        return int(link.crm_id)

    def stored(self, record: Record) -> Record | None:
        with self.office.store.reading() as tx:
            return tx.record("t", record.id)

    def all_stored(self, kind: Kind) -> list[Record]:
        with self.office.store.reading() as tx:
            return list(tx.all_records("t", kind))

    def errands(self):
        with self.office.store.reading() as tx:
            return list(tx.errands("t"))

    def told(self) -> list[str]:
        """What the user's page says."""
        with self.office.store.reading() as tx:
            lines = [line for event in (DEVIATION, REFUSED) for line in tx.audit("t", 20, event=event)]
        return [line.detail for line in sorted(lines, key=lambda line: line.at, reverse=True)]

    def fault(self, **what) -> None:
        self.control.fault(**what)

    def outage(self) -> None:
        """Every request meets a bad gateway that did nothing, until ``recover``."""
        self.control.fault(kind="status", status=429, times=10**6)

    def recover(self) -> None:
        self.control.clear_faults()
        self.emulated.waited += 3600

    def wait(self, **much) -> None:
        """Time passes, here and over there."""
        self.clock.now += timedelta(**much)
        self.emulated.waited += timedelta(**much).total_seconds()

    def drain(self, holder: str = "test") -> Drained:
        return Drain(self.office.crm, self.office.store, self.clock, holder)("t")


def shown(contact: Contact) -> dict[Slot, str]:
    return {entry.slot: entry.value for entry in contact.entries if entry.slot is not None}


def entry(contact: Contact, slot: Slot) -> Entry:
    return next(one for one in contact.entries if one.slot is slot)


def numbers(row, what: str = "phone"):
    """Values of the emulator's entries of a kind."""
    return sorted(one["value"] for one in row["entries"] if one["what"] == what)


def of_kind(contact: Contact, kind: EntryKind = EntryKind.PHONE) -> dict[str, Slot | None]:
    return {one.value: one.slot for one in contact.entries if one.kind is kind}
