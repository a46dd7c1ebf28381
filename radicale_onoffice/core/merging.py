"""Three-way merge: what a device changed, on top of what somebody else changed meanwhile (U46)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from radicale_onoffice.core import slots
from radicale_onoffice.core.model import Appointment, Base, Contact, Entry, Leftovers, Record, Recurrence, Slot, Task, Value

V = TypeVar("V", Contact, Appointment, Task)


# What says one thing in two fields: taken from one side as a whole, because halves of two wishes are nobody's
PAIRS = (("start", "end"), ("location", "location_link"), ("deadline", "deadline_strict"), ("picture", "picture_type"))
PARTNERS = {name: pair for pair in PAIRS for name in pair}


def merge(base: V, device: V, current: V, *, device_wins: bool = False) -> V:
    """``current`` with the fields that only the device changed; where both changed the same field, ``current`` wins (U46).

    ``device_wins`` is what a device may ask for instead ([MS-ASCMD] 2.2.3.34, Conflict 0).
    """
    if base == current:
        return device
    mine: dict[str, Any] = {}
    for field in fields(base):
        names = PARTNERS.get(field.name, (field.name,))
        if not _differs(base, device, names):
            continue
        if device_wins or not _differs(base, current, names):
            mine[field.name] = getattr(device, field.name)
        elif field.name == "recurrence":
            mine[field.name] = _series(*(getattr(one, field.name) for one in (base, device, current)))
    return replace(current, **mine)


def _differs(one: V, other: V, names: Iterable[str]) -> bool:
    return any(getattr(one, name) != getattr(other, name) for name in names)


def _series(base: Recurrence | None, device: Recurrence | None, current: Recurrence | None) -> Recurrence | None:
    """Of a series that both changed, the days on which it does not take place are each a thing of its own."""
    if base is None or device is None or current is None:
        return current
    had, mine = set(base.exceptions), set(device.exceptions)
    return replace(current, exceptions=tuple(sorted((set(current.exceptions) | (mine - had)) - (had - mine))))


def overlaid(base: Value, before: Value, after: Value) -> Value:
    """``base`` with the change that led from ``before`` to ``after``: what a device shows that had ``base`` and made that change.

    Of a contact's numbers it is each slot for itself.
    """
    if isinstance(base, Contact):
        assert isinstance(before, Contact)
        assert isinstance(after, Contact)
        merged = merge(replace(before, entries=base.entries), replace(after, entries=base.entries), base, device_wins=True)
        return replace(merged, entries=_with_slots(base, before, after))
    if isinstance(base, Appointment):
        assert isinstance(before, Appointment)
        assert isinstance(after, Appointment)
        return merge(before, after, base, device_wins=True)
    assert isinstance(before, Task)
    assert isinstance(after, Task)
    return merge(before, after, base, device_wins=True)


def _with_slots(base: Contact, before: Contact, after: Contact) -> tuple[Entry, ...]:
    was, now = slots.offered(before), slots.offered(after)
    changed = {slot for slot in Slot if was.get(slot) != now.get(slot)}
    if not changed:
        return base.entries
    new = [replace(entry, slot=slot) for slot, entry in now.items() if slot in changed]
    kept = [replace(one, slot=None) if one.slot in changed else one for one in base.entries if one.id not in {entry.id for entry in new}]
    return (*kept, *new)


def merge_leftovers(base: Base | None, device: Leftovers, current: Record | Base | None) -> Leftovers:
    """The same by property for what the CRM cannot hold: ``device`` is the whole object as the device wants it."""
    if base is None or current is None or base.leftovers == current.leftovers:
        return device
    had, now = lines_of(base.text), lines_of(current.text)
    lines = _merged(_units(had), _units(device.lines), _units(now), device_wins=base.device_wins)
    rule = device.rule if device.rule != base.leftovers.rule else current.leftovers.rule
    return Leftovers(lines=tuple(line for unit in lines for line in unit), rule=rule)


def lines_of(text: str) -> tuple[str, ...]:
    """Unfolded content lines (RFC 5545 3.1, RFC 6350 3.2) of a text that was rendered here."""
    return tuple(line for line in text.replace("\r\n ", "").split("\r\n") if line)


Unit = tuple[str, ...]  # a property's line, or a component in a component from BEGIN to END


def _units(lines: Iterable[str]) -> list[tuple[str, Unit]]:
    """The object's lines by property name; a component within the object's main component is one unit."""
    found: list[tuple[str, Unit]] = []
    depth, block = 0, list[str]()
    lines = list(lines)
    outer = 2 if lines[:1] and lines[0].upper() == "BEGIN:VCALENDAR" else 1
    for line in lines:
        head = line.upper()
        depth += head.startswith("BEGIN:")
        if depth > outer:
            block.append(line)
        else:
            found.append((_name(line), (line,)))
        if head.startswith("END:"):
            depth -= 1
            if block and depth == outer:
                found.append((_name(block[0]) + block[0].upper(), tuple(block)))
                block = []
    return found


def _name(line: str) -> str:
    head = line.partition(":")[0].partition(";")[0].upper()
    return line.upper() if head in ("BEGIN", "END") else head


def _merged(
    base: Sequence[tuple[str, Unit]], device: Sequence[tuple[str, Unit]], current: Sequence[tuple[str, Unit]], *, device_wins: bool
) -> list[Unit]:
    """``current`` in its order, with those names' units replaced that the device changed."""

    def of(units: Sequence[tuple[str, Unit]], name: str) -> list[Unit]:
        return [unit for key, unit in units if key == name]

    changed = {
        name
        for name, _ in (*base, *device)
        if of(device, name) != of(base, name)
        and (device_wins or of(current, name) == of(base, name))
        and not name.startswith(("END:", "BEGIN:"))
    }
    merged: list[Unit] = []
    pending = {name: of(device, name) for name, _ in device if name in changed}
    for name, unit in current:
        if name.startswith("END:") and pending:
            # What is new stands at the end of the innermost component that is open first: the object's main one.
            merged += [new for news in pending.values() for new in news]
            pending = {}
        if name not in changed:
            merged.append(unit)
        elif name in pending:
            merged += pending.pop(name)
    return merged
