"""My contacts: who is on the devices, and which number goes into which of their fields (rules 16-35)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from radicale_onoffice.core import assignment, folders
from radicale_onoffice.core.address_list import MAX_BULK, PAGE_SIZE, Card, Flagged
from radicale_onoffice.core.address_list import preview as preview_of
from radicale_onoffice.core.errors import Conflict
from radicale_onoffice.core.lists import MAX_PAGES, MAX_TEXT, Only
from radicale_onoffice.core.model import Contact, Entry, EntryKind, Kind, Slot
from radicale_onoffice.pages import tables
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


@dataclass(frozen=True, slots=True)
class Search:
    """What a list is asked for; pages are counted from 1, as people do."""

    text: str
    only: Only
    page: int

    @staticmethod
    def of(fields: Fields) -> Search:
        """Out of a query or a form; anything that is none is left out."""
        word = fields.one("only")
        only = Only(word) if word in list(Only) else Only.ALL
        return Search(fields.one("search")[:MAX_TEXT], only, fields.number("page", 1, least=1, most=MAX_PAGES))

    def listed(self, total: int = 0) -> tables.Listed:
        """The list, of so many contacts in all."""
        return tables.Listed("/contacts", {"search": self.text, "only": self.only.value}, self.page, total, PAGE_SIZE)

    @property
    def here(self) -> str:
        """The address of the page of the list that is asked for, below the pages' own."""
        return self.listed().url(self.page)


def show(visit: Visit) -> Answer:
    """The list, searched and by the page."""
    asked = Search.of(visit.request.query)
    found = visit.office.address_list.search(visit.identity, asked.text, only=asked.only, page=asked.page - 1)
    assert visit.who is not None
    return visit.page(
        "contacts.html",
        rows=found.rows,
        total=found.total,
        search=asked.text,
        only=asked.only,
        choices=list(Only),
        listed=asked.listed(found.total),
        most=MAX_BULK,
        may_change=visit.office.address_list.may_change(visit.identity),
        is_offered=Kind.CONTACTS in folders.offered_kinds(visit.who),
    )


def flag(visit: Visit) -> Answer:
    """Put the chosen contacts on the devices, or take them off; or all that the search finds."""
    asked, is_on = Search.of(visit.form), visit.form.one("sync") == "on"
    chosen = list(_found(visit, asked)) if visit.form.one("found") else list(visit.form.all("contact"))
    if not chosen:
        return visit.go(asked.here, "flag_none")
    return _flagged(visit, asked.here, visit.office.address_list.set_synced(visit.identity, chosen, is_on, by=visit.by), is_on)


def flag_contact(visit: Visit, contact: str) -> Answer:
    """Put one contact on the devices, or take it off."""
    visit.office.address_list.card(visit.identity, contact)
    is_on = visit.form.one("sync") == "on"
    return _flagged(
        visit, f"/contacts/{quote(contact)}", visit.office.address_list.set_synced(visit.identity, [contact], is_on, by=visit.by), is_on
    )


def show_contact(visit: Visit, contact: str) -> Answer:
    """One contact with its table."""
    return _contact_page(visit, visit.office.address_list.card(visit.identity, contact))


def assign(visit: Visit, contact: str) -> Answer:
    """Save the table; if the contact has changed meanwhile, show what is new beside what was chosen, and save nothing."""
    contacts, wanted, version = visit.office.address_list, _wanted(visit.form), visit.form.number("version", 0)
    try:
        saved = contacts.assign(visit.identity, contact, wanted, expect=version)
    except Conflict:
        card = contacts.card(visit.identity, contact)
        return _contact_page(visit, card, before=contacts.seen(visit.identity, contact, version), wanted=wanted)
    where = f"/contacts/{quote(contact)}"
    if saved.lost:
        return visit.go(where, "assignment_saved_lost", entries=", ".join(entry.value for entry in saved.lost[:NAMED]))
    return visit.go(where, "assignment_saved" if saved.card.version != version else "assignment_unchanged")


def preview(visit: Visit, contact: str) -> Answer:
    """What a device would show with the table of the query: a part of a page, for the script."""
    card = visit.office.address_list.card(visit.identity, contact)
    filled = assignment.filled_in(card.contact, _wanted(visit.request.query)).contact
    return visit.page("contact_preview.html", shown=preview_of(filled), is_synced=card.is_synced)


def _found(visit: Visit, asked: Search) -> Iterator[str]:
    """All that a search finds, one more than may be changed at most."""
    for page in range(MAX_BULK // PAGE_SIZE + 1):
        found = visit.office.address_list.search(visit.identity, asked.text, only=asked.only, page=page)
        yield from (row.record_id for row in found.rows)


def _flagged(visit: Visit, where: str, flagged: Flagged, is_on: bool) -> Answer:
    if flagged.failed:
        return visit.go(where, "flag_failed", n=len(flagged.failed), changed=flagged.changed, reason=flagged.failed[0][1])
    return visit.go(where, "flagged_on" if is_on else "flagged_off", n=flagged.changed)


def _contact_page(visit: Visit, card: Card, *, before: Contact | None = None, wanted: Mapping[int, Slot | None] | None = None) -> Answer:
    """The page, after a conflict with the newer values marked and what was wanted still chosen."""
    entries, is_conflict = card.contact.entries, wanted is not None
    chosen = _still_wanted(before, card.contact, wanted or {})
    new = assignment.changed_since(before, card.contact) if before is not None else frozenset()
    rows = [Row(entry, chosen.get(entry.id, entry.slot), entry.id in new) for entry in entries]
    here = {entry.id for entry in entries}
    return visit.page(
        "contact.html",
        HTTPStatus.CONFLICT if is_conflict else HTTPStatus.OK,
        card=card,
        tables=[(kind, [row for row in rows if row.entry.kind is kind]) for kind in EntryKind],
        slots_of=assignment.slots_of,
        may_change=visit.office.address_list.may_change(visit.identity),
        is_conflict=is_conflict,
        gone=[entry.value for entry in before.entries if entry.id not in here][:NAMED] if before is not None else [],
        shown=preview_of(assignment.filled_in(card.contact, chosen).contact),
        is_synced=card.is_synced,
    )


def _still_wanted(before: Contact | None, now: Contact, wanted: Mapping[int, Slot | None]) -> dict[int, Slot | None]:
    """What the visitor had changed, of the entries that are still there; all that was sent where it is not known what was shown."""
    had = {entry.id: entry.slot for entry in before.entries} if before is not None else {}
    here = {entry.id: entry.kind for entry in now.entries}
    return {
        one: slot
        for one, slot in wanted.items()
        if one in here and (slot is None or slot.kind is here[one]) and (one not in had or had[one] is not slot)
    }


def _wanted(fields: Fields) -> dict[int, Slot | None]:
    """Raises BadRequest."""
    pairs = ((name.removeprefix(PREFIX), fields.one(name)) for name in fields if name.startswith(PREFIX))
    return assignment.parse_slots(pairs)
