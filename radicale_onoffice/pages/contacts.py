"""My contacts: who is on the devices, and which number goes into which of their fields (rules 16-35)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from radicale_onoffice.core import assignment, slots
from radicale_onoffice.core.contacts import display_name
from radicale_onoffice.core.errors import Conflict
from radicale_onoffice.core.folders import Reader
from radicale_onoffice.core.model import Actor, Contact, Entry, EntryKind, Face, Record, Slot
from radicale_onoffice.pages.exchange import Answer, Fields

if TYPE_CHECKING:
    from radicale_onoffice.pages.site import Visit

NAMED = 5  # entries that a notice names
PREFIX = "slot-"  # of the fields of the assignment table, followed by the entry's id


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: the entry, what is chosen for it, and whether somebody else changed it while the form was open."""

    entry: Entry
    chosen: Slot | None
    is_new: bool = False


def show_contact(visit: Visit, contact: str) -> Answer:
    """One contact with its table."""
    return _contact_page(visit, visit.office.assignments.contact(_who(visit), contact))


def assign(visit: Visit, contact: str) -> Answer:
    """Save the table; if the contact has changed meanwhile, show what is new beside what was chosen, and save nothing."""
    wanted, version = _wanted(visit.form), visit.form.number("version", 0)
    who = _who(visit)
    try:
        saved = visit.office.assignments.save(_actor(visit), who, contact, wanted, expect=version)
    except Conflict:
        record = visit.office.assignments.contact(who, contact)
        return _contact_page(visit, record, before=visit.office.assignments.seen(who, contact, version), wanted=wanted)
    where = f"/contacts/{contact}"
    if saved.lost:
        return visit.go(where, "assignment_saved_lost", entries=", ".join(entry.value for entry in saved.lost[:NAMED]))
    return visit.go(where, "assignment_saved" if saved.is_changed else "assignment_unchanged")


def preview(visit: Visit, contact: str) -> Answer:
    """What a device would show with the table of the query: a part of a page, for the script."""
    who = _who(visit)
    record = visit.office.assignments.contact(who, contact)
    filled = assignment.filled_in(_value(record), _wanted(visit.request.query)).contact
    return visit.page("contact_preview.html", HTTPStatus.OK, **_preview(who, filled))


def _contact_page(
    visit: Visit, record: Record, *, before: Contact | None = None, wanted: Mapping[int, Slot | None] | None = None
) -> Answer:
    """The page, after a conflict with the newer values marked and what was wanted still chosen."""
    who, value = _who(visit), _value(record)
    is_conflict = wanted is not None
    chosen = _still_wanted(before, value, wanted or {})
    new = assignment.changed_since(before, value) if before is not None else frozenset()
    rows = [Row(entry, chosen.get(entry.id, entry.slot), entry.id in new) for entry in value.entries]
    gone = [entry.value for entry in before.entries if entry.id not in {one.id for one in value.entries}] if before else []
    values: dict[str, object] = {
        "record": record,
        "name": display_name(value),
        "contact": value,
        "tables": [(kind, [row for row in rows if row.entry.kind is kind]) for kind in EntryKind],
        "slots_of": assignment.slots_of,
        "may_change": visit.office.assignments.may_change(who),
        "is_conflict": is_conflict,
        "gone": gone,
    }
    status = HTTPStatus.CONFLICT if is_conflict else HTTPStatus.OK
    return visit.page("contact.html", status, **values, **_preview(who, assignment.filled_in(value, chosen).contact))


def _still_wanted(before: Contact | None, now: Contact, wanted: Mapping[int, Slot | None]) -> dict[int, Slot | None]:
    """What the visitor had changed, of the entries that are still there; all that was sent where it is not known what was shown."""
    had = {entry.id: entry.slot for entry in before.entries} if before is not None else {}
    here = {entry.id for entry in now.entries}
    return {one: slot for one, slot in wanted.items() if one in here and (one not in had or had[one] is not slot)}


def _preview(who: Reader, contact: Contact) -> dict[str, object]:
    shown = slots.offered(contact)
    return {
        "shown": [(slot, shown[slot]) for slot in Slot if slot in shown],
        "is_synced": who.identity.user in contact.sync_users,
    }


def _wanted(fields: Fields) -> dict[int, Slot | None]:
    """Raises BadRequest."""
    pairs = ((name.removeprefix(PREFIX), fields.one(name)) for name in fields if name.startswith(PREFIX))
    return assignment.parse_slots(pairs)


def _value(record: Record) -> Contact:
    assert isinstance(record.value, Contact)
    return record.value


def _actor(visit: Visit) -> Actor:
    return Actor(identity=visit.identity, face=Face.CRM, device="page")


def _who(visit: Visit) -> Reader:
    assert visit.who is not None
    return visit.who
