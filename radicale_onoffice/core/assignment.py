"""The assignment table of a contact, as a person fills it in: which entry goes into which field of a device (rules 22-26, 30)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from radicale_onoffice.core import rights, slots
from radicale_onoffice.core.errors import BadRequest, Conflict, NotFound
from radicale_onoffice.core.folders import Reader
from radicale_onoffice.core.model import Actor, Contact, Entry, Kind, Record, Right, Slot
from radicale_onoffice.core.ports import Store
from radicale_onoffice.core.records import Records

Wanted = Mapping[int, Slot | None]  # by entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A contact after a table was filled in; ``lost`` are the entries that wanted a slot and have none, as another one took it (rule 24)."""

    contact: Contact
    lost: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What saving a table came to."""

    record: Record
    lost: tuple[Entry, ...]
    is_changed: bool


def filled_in(contact: Contact, wanted: Wanted) -> Table:
    """The contact with these slots. Of entries that want the same one, an entry that is moved beats one that has it, and a later one an
    earlier. Raises BadRequest for an entry that there is not, or a slot of another kind."""
    before = {entry.id: entry.slot for entry in contact.entries}
    unknown = sorted(wanted.keys() - before.keys())
    if unknown:
        raise BadRequest(f"The contact has no entry {unknown[0]}.")
    moved = [(entry_id, slot) for entry_id, slot in wanted.items() if slot is not before[entry_id]]
    for entry_id, slot in moved:
        contact = slots.give_slot(contact, entry_id, slot)
    lost = tuple(entry for entry in contact.entries if wanted.get(entry.id) is not None and entry.slot is not wanted[entry.id])
    return Table(contact=contact, lost=lost)


def changed_since(before: Contact, now: Contact) -> frozenset[int]:
    """The entries of now that are new, or have another slot, value, type or default mark."""
    known = {entry.id: entry for entry in before.entries}
    return frozenset(entry.id for entry in now.entries if known.get(entry.id) != entry)


def slots_of(entry: Entry) -> Sequence[Slot]:
    """The slots that an entry may have."""
    return tuple(slot for slot in Slot if slot.kind is entry.kind)


class Assignments:
    """Reads and saves tables; safe to share between threads."""

    def __init__(self, store: Store, records: Records):
        self._store, self._records = store, records

    def contact(self, who: Reader, record_id: str) -> Record:
        """A contact that the reader may see in the CRM, synchronised or not; raises NotFound and Refused."""
        rights.demand_in_crm(who.user, Kind.CONTACTS, Right.READ)
        record = self._records.get(who.identity.tenant, record_id)
        if record.kind is not Kind.CONTACTS:
            raise NotFound(f"There is no contact {record_id!r}.")
        return record

    def may_change(self, who: Reader) -> bool:
        """True if the reader may fill in tables."""
        return rights.may_in_crm(who.user, Kind.CONTACTS, Right.MODIFY)

    def seen(self, who: Reader, record_id: str, version: int) -> Contact | None:
        """The contact as of an earlier version; None if it is not kept."""
        self.contact(who, record_id)
        lines = self._records.history(who.identity.tenant, record_id)
        values = (line.value for line in lines if line.version == version)
        return next((value for value in values if isinstance(value, Contact)), None)

    def save(self, actor: Actor, who: Reader, record_id: str, wanted: Wanted, *, expect: int) -> Saved:
        """Fill the table in. Raises NotFound, Refused, BadRequest, and Conflict if the contact is no longer at the version ``expect``."""
        record = self.contact(who, record_id)
        rights.demand_in_crm(who.user, Kind.CONTACTS, Right.MODIFY)
        if record.version != expect:
            raise Conflict(expect, record.version)
        assert isinstance(record.value, Contact)
        table = filled_in(record.value, wanted)
        stored = self._records.write(actor, Kind.CONTACTS, table.contact, record_id=record_id, expect=expect)
        return Saved(record=stored, lost=table.lost, is_changed=stored.version != record.version)


def parse_slots(words: Iterable[tuple[str, str]]) -> dict[int, Slot | None]:
    """Slots by entry out of pairs of words, "" for none; raises BadRequest for what is neither."""
    found: dict[int, Slot | None] = {}
    for entry, slot in words:
        if not (entry.isascii() and entry.isdigit() and len(entry) < 10) or (slot and slot not in list(Slot)):
            raise BadRequest("This is no assignment of a number.")
        found[int(entry)] = Slot(slot) if slot else None
    return found
