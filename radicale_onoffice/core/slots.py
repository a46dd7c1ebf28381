"""Slots: which entry of a contact fills which field of a client, and what a change on a device means (rules 22-47).

The state machine in short. An entry with a slot is offered in it; a slot is unique within the contact (24). If no entry of a kind has a
slot, the kind's default entry is offered by *fallback* (30), which is never stored (33). A device's change of a field makes a *new* entry
that takes the slot, and the old one stays without (27, 28); emptying a field takes the slot from its entry, which stays (29). A value
that the contact already has is not added again: its entry moves to the slot (44), so that a swap moves two slots (45). Another
notation of the same number is no change (43). What a device did not change keeps what the CRM has, even if the CRM changed it
meanwhile (40).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace

import phonenumbers

from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import Contact, Entry, EntryKind, EntryType, Slot
from radicale_onoffice.core.policy import Policy

MAX_VALUE = 200  # characters of one number or address; E.164 and RFC 5321 need far less
MAX_ENTRIES = 500  # entries of one contact

# U4: the type of an entry that a device makes follows from its slot
TYPE_OF_SLOT: Mapping[Slot, EntryType] = {
    Slot.BUSINESS: EntryType.BUSINESS,
    Slot.BUSINESS2: EntryType.BUSINESS,
    Slot.ASSISTANT: EntryType.BUSINESS,
    Slot.COMPANY_MAIN: EntryType.BUSINESS,
    Slot.BUSINESS_FAX: EntryType.BUSINESS,
    Slot.HOME: EntryType.PRIVATE,
    Slot.HOME2: EntryType.PRIVATE,
    Slot.HOME_FAX: EntryType.PRIVATE,
    Slot.MOBILE: EntryType.MOBILE,
}


def offered(contact: Contact) -> dict[Slot, Entry]:
    """What a client sees: the entries with a slot, and per kind without any the default entry (rules 26, 30)."""
    shown = {entry.slot: entry for entry in contact.entries if entry.slot is not None}
    for kind in EntryKind:
        if not any(slot.kind is kind for slot in shown):
            default = _default(contact.entries, kind)
            if default is not None:
                shown[fallback_slot(contact, default)] = default
    return shown


def _default(entries: Iterable[Entry], kind: EntryKind) -> Entry | None:
    return next((entry for entry in entries if entry.kind is kind and entry.default), None)


def fallback_slot(contact: Contact, entry: Entry) -> Slot:
    """The slot that an entry without one is offered in (U2)."""
    if entry.kind is EntryKind.EMAIL:
        return Slot.EMAIL1
    if entry.kind is EntryKind.FAX:
        return Slot.HOME_FAX if entry.type is EntryType.PRIVATE else Slot.BUSINESS_FAX
    if entry.type is EntryType.PLAIN:
        is_company = bool(contact.company) and not (contact.first_name or contact.last_name)
        return Slot.BUSINESS if is_company else Slot.HOME
    return {EntryType.MOBILE: Slot.MOBILE, EntryType.BUSINESS: Slot.BUSINESS, EntryType.PRIVATE: Slot.HOME}[entry.type]


def give_slot(contact: Contact, entry_id: int, slot: Slot | None) -> Contact:
    """The CRM's pop-up: give an entry a slot, taking it from the entry that had it (rule 24). Raises BadRequest."""
    target = next((entry for entry in contact.entries if entry.id == entry_id), None)
    if target is None:
        raise BadRequest(f"The contact has no entry {entry_id}.")
    if slot is not None and slot.kind is not target.kind:
        raise BadRequest(f"The slot {slot} is of the kind {slot.kind}, the entry of the kind {target.kind}.")
    return replace(contact, entries=_moved(contact.entries, entry_id, slot))


def _moved(entries: tuple[Entry, ...], entry_id: int, slot: Slot | None) -> tuple[Entry, ...]:
    def place(entry: Entry) -> Entry:
        if entry.id == entry_id:
            return replace(entry, slot=slot)
        return replace(entry, slot=None) if slot is not None and entry.slot is slot else entry

    return tuple(place(entry) for entry in entries)


def assign(
    contact: Contact,
    base: Contact,
    sent: Mapping[Slot, str],
    touched: frozenset[Slot],
    *,
    region: str,
    policy: Policy,
    device_wins: bool = False,
) -> Contact:
    """The contact with the device's numbers applied.

    ``contact`` is the current one, ``base`` the one that the device had, ``sent`` what its fields hold now; fields outside of ``touched``
    say nothing (rule 41). A slot that somebody else filled meanwhile stays as it is unless the device wins (U46): its number is kept without
    a slot, because nothing that was typed is lost. Raises BadRequest for values that are no number or address at all.
    """
    had = offered(base)
    wanted = {slot: value.strip() for slot, value in sent.items() if value.strip()}
    for value in wanted.values():
        if len(value) > MAX_VALUE:
            raise BadRequest(f"A number or address has {len(value)} characters; at most {MAX_VALUE} are accepted.")
    entries = contact.entries
    for kind in EntryKind:
        changed = [
            slot
            for slot in Slot
            if slot.kind is kind and slot in touched and _is_changed(slot, had.get(slot), wanted.get(slot, ""), region)
        ]
        taken = [] if device_wins else [slot for slot in changed if _is_taken(contact.entries, slot, had.get(slot))]
        for slot in taken:
            entries = _noted(entries, slot, wanted.get(slot, ""), region)
        changed = [slot for slot in changed if slot not in taken]
        if changed:
            entries = _apply(contact, entries, changed, {slot: wanted.get(slot, "") for slot in changed}, had, region, policy)
    if len(entries) > MAX_ENTRIES and len(entries) > len(contact.entries):
        raise BadRequest(f"The contact would have {len(entries)} numbers and addresses; at most {MAX_ENTRIES} are kept.")
    return replace(contact, entries=entries)


def _is_taken(entries: Iterable[Entry], slot: Slot, before: Entry | None) -> bool:
    """True if another entry, or another value, has been put into the slot since the device saw it."""
    now = next((entry for entry in entries if entry.slot is slot), None)
    return now is not None and (before is None or (now.id, now.value) != (before.id, before.value))


def _noted(entries: tuple[Entry, ...], slot: Slot, value: str, region: str) -> tuple[Entry, ...]:
    """The entries with a number that no field has, unless it is there."""
    if not value or any(entry.kind is slot.kind and same_value(slot.kind, entry.value, value, region) for entry in entries):
        return entries
    new_id = max(entry.id for entry in entries) + 1
    return (*entries, Entry(id=new_id, kind=slot.kind, value=value, type=_type_of(slot, value, region)))


def _is_changed(slot: Slot, before: Entry | None, now: str, region: str) -> bool:
    if before is None:
        return bool(now)
    return not now or not same_value(slot.kind, before.value, now, region)


def _apply(
    contact: Contact,
    entries: tuple[Entry, ...],
    changed: list[Slot],
    wanted: Mapping[Slot, str],
    had: Mapping[Slot, Entry],
    region: str,
    policy: Policy,
) -> tuple[Entry, ...]:
    kind = changed[0].kind
    in_fallback = not any(entry.slot is not None for entry in entries if entry.kind is kind)
    if in_fallback and policy.fallback_pin_on_add:
        entries = _pinned(contact, entries, changed, kind)
    for slot in changed:
        # Only the entry that the device saw there loses the slot: the CRM may have put another one in since (rule 40).
        before = had.get(slot)
        if before is not None:
            entries = tuple(replace(entry, slot=None) if entry.id == before.id and entry.slot is slot else entry for entry in entries)
    for slot in changed:
        if wanted[slot]:
            entries = _placed(entries, slot, wanted[slot], region, policy)
    return entries


def _pinned(contact: Contact, entries: tuple[Entry, ...], changed: list[Slot], kind: EntryKind) -> tuple[Entry, ...]:
    """U3: a device that adds a number beside the fallback keeps the default number, in the slot it was shown in."""
    default = _default(entries, kind)
    if default is None:
        return entries
    slot = fallback_slot(contact, default)
    return entries if slot in changed else _moved(entries, default.id, slot)


def _placed(entries: tuple[Entry, ...], slot: Slot, value: str, region: str, policy: Policy) -> tuple[Entry, ...]:
    twin = next((entry for entry in entries if entry.kind is slot.kind and same_value(slot.kind, entry.value, value, region)), None)
    if twin is not None and policy.reuse_existing_number:
        return _moved(entries, twin.id, slot)
    new_id = max((entry.id for entry in entries), default=0) + 1
    is_first = not any(entry.kind is slot.kind for entry in entries)
    entry = Entry(id=new_id, kind=slot.kind, value=value, type=_type_of(slot, value, region), default=is_first)
    return _moved((*entries, entry), new_id, slot)


def _type_of(slot: Slot, value: str, region: str) -> EntryType:
    """U4; a mobile number gets the type "mobile" whatever field it came in (rule 36)."""
    if slot.kind is EntryKind.PHONE and _is_mobile(value, region):
        return EntryType.MOBILE
    return TYPE_OF_SLOT.get(slot, EntryType.PLAIN)


def same_value(kind: EntryKind, one: str, other: str, region: str) -> bool:
    """True if two values mean the same number or address, whatever their notation (rule 43)."""
    return one.strip() == other.strip() or normalised(kind, one, region) == normalised(kind, other, region)


def key(entry: Entry, region: str) -> tuple[EntryKind, str]:
    """What entries that mean the same number or address have in common."""
    return entry.kind, normalised(entry.kind, entry.value, region)


@functools.lru_cache(maxsize=16384)
def normalised(kind: EntryKind, value: str, region: str) -> str:
    """A number in E.164 where it can be read as one, else its digits; an address in lower case."""
    value = value.strip()
    if kind is EntryKind.EMAIL:
        return value.removeprefix("mailto:").casefold()
    value = value.removeprefix("tel:")
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return "".join(character for character in value if not character.isspace()).casefold()
    extension = f";ext={number.extension}" if number.extension else ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) + extension


def _is_mobile(value: str, region: str) -> bool:
    try:
        number = phonenumbers.parse(value.removeprefix("tel:"), region)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE
