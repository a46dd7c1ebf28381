"""The assignment table of a contact, as a person fills it in: which entry goes into which field of a device (rules 22-26). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from radicale_onoffice.core import slots
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import Contact, Entry, Slot

Wanted = Mapping[int, Slot | None]  # by entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A contact after a table was filled in; ``lost`` are the entries that wanted a slot and have none, as another one took it (rule 24)."""

    contact: Contact
    lost: tuple[Entry, ...] = ()


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


def parse_slots(words: Iterable[tuple[str, str]]) -> dict[int, Slot | None]:
    """Slots by entry out of pairs of words, "" for none; raises BadRequest for what is neither."""
    found: dict[int, Slot | None] = {}
    for entry, slot in words:
        if not (entry.isascii() and entry.isdigit() and len(entry) < 10) or (slot and slot not in list(Slot)):
            raise BadRequest("This is no assignment of a number.")
        found[int(entry)] = Slot(slot) if slot else None
    return found
