"""The contacts of a tenant as a person works with them on a page: who is on the phone, and which number in which field (rules 16-33).

A page stands for the CRM's own: whoever may read contacts there sees all of the tenant's, and whoever may modify them sets the Sync flag, which
is one per user, and the Sync assignment, which is the contact's (U8). Archived contacts are left out unless they are synchronised (U9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from radicale_onoffice.core import folders, rights, slots
from radicale_onoffice.core.assignment import Wanted, filled_in
from radicale_onoffice.core.bulk import BulkRecords
from radicale_onoffice.core.contacts import display_name
from radicale_onoffice.core.errors import BadRequest, Conflict, NotFound, Refused
from radicale_onoffice.core.folding import needles
from radicale_onoffice.core.lists import Listed, Only, offset_of
from radicale_onoffice.core.model import Actor, AuditLine, Contact, Entry, Face, Identity, Kind, Record, Right, Slot, Value
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Store, Transaction

PAGE_SIZE = 50
MAX_BULK = 500  # contacts of one change
NEVER = "-"  # a mark that no contact has


@dataclass(frozen=True, slots=True, kw_only=True)
class PeoplePage:
    """``total`` is how many contacts the search finds in all."""

    rows: tuple[Listed, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One field of the phone and what it will show; by fallback if no entry of the kind has a slot (rule 30)."""

    slot: Slot
    entry: Entry
    is_fallback: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A contact as its page shows it. ``version`` is what a change has to expect; ``shown`` what the phone shows or would show."""

    record_id: str
    version: int
    name: str
    contact: Contact
    is_synced: bool
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A contact after its table was saved; ``lost`` are the entries that were to have a slot which another one has now (rule 24)."""

    card: Card
    lost: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagged:
    """How many flags were changed, and why others could not be: pairs of record id and reason. The rest was as it should be."""

    changed: int
    failed: tuple[tuple[str, str], ...]


class AddressList:
    """Looks people up and sets what is synchronised of them; safe to share between threads."""

    def __init__(self, store: Store, records: BulkRecords, policy: Policy, clock: Callable[[], datetime]):
        self._store, self._records, self._policy, self._clock = store, records, policy, clock

    def search(self, identity: Identity, text: str = "", *, only: Only = Only.ALL, page: int = 0, size: int = PAGE_SIZE) -> PeoplePage:
        """Contacts by last name whose name, company, town, number or address, or a word of it, begins with the text.

        Pages are counted from 0. Raises BadRequest, and Refused or GateClosed without the right to read.
        """
        offset = offset_of(page, size, text, most=PAGE_SIZE)
        with self._store.reading() as tx:
            who = self._reader(tx, identity, Right.READ)
            archived = NEVER if self._policy.include_archived else "archived"
            wanted = needles(text, who.tenant.region)
            total, rows = tx.people_page(identity, wanted, only, archived, offset, size)
        return PeoplePage(rows=tuple(rows), total=total)

    def card(self, identity: Identity, record_id: str) -> Card:
        """One contact; raises NotFound, and Refused or GateClosed without the right to read."""
        with self._store.reading() as tx:
            self._reader(tx, identity, Right.READ)
            record, contact = _demand_contact(tx.record(identity.tenant, record_id), record_id)
        return card_of(record, contact, identity)

    def set_synced(self, identity: Identity, record_ids: Iterable[str], is_synced: bool, *, by: str) -> Flagged:
        """Put contacts on the user's devices, or take them off; the contacts stay in the CRM (rules 16-18).

        One commit and one line in the log. Raises BadRequest for none or too many, and Refused or GateClosed without the right to modify.
        """
        wanted = list(dict.fromkeys(record_ids))
        if not 0 < len(wanted) <= MAX_BULK:
            raise BadRequest(f"Choose 1 to {MAX_BULK} contacts at once, not {len(wanted)}.")
        with self._store.reading() as tx:
            self._reader(tx, identity, Right.MODIFY)

        def edit(value: Value) -> Value:
            assert isinstance(value, Contact)
            others = {user for user in value.sync_users if user != identity.user}
            return replace(value, sync_users=tuple(sorted(others | {identity.user} if is_synced else others)))

        def also(tx: Transaction, changed: int) -> None:
            if changed:
                event = "contacts synchronised" if is_synced else "contacts no longer synchronised"
                line = AuditLine(at=self._clock(), tenant=identity.tenant, login=identity.user, actor=by, event=event, detail=str(changed))
                tx.add_audit(line)

        written = self._records.write_all(_actor(identity), Kind.CONTACTS, dict.fromkeys(wanted, edit), also)
        failed = tuple((record_id, str(written.failed[record_id])) for record_id in wanted if record_id in written.failed)
        return Flagged(changed=written.changed, failed=failed)

    def give_slot(self, identity: Identity, record_id: str, entry_id: int, slot: Slot | None, *, expect: int) -> Card:
        """Set the Sync assignment of a number or address, taking the slot from the entry that had it (rule 24); None takes it away.

        ``expect`` is the version that the page showed. Raises Conflict, NotFound, BadRequest, UpstreamDown, and Refused or GateClosed without
        the right to modify.
        """
        return self.assign(identity, record_id, {entry_id: slot}, expect=expect).card

    def assign(self, identity: Identity, record_id: str, wanted: Wanted, *, expect: int) -> Assigned:
        """``give_slot`` for a whole table at once (``assignment.filled_in``); equal to what is stored writes nothing. Raises the same."""
        with self._store.reading() as tx:
            self._reader(tx, identity, Right.MODIFY)
            current, contact = _demand_contact(tx.record(identity.tenant, record_id), record_id)
        if current.version != expect:
            raise Conflict(expect, current.version)
        table = filled_in(contact, wanted)
        record = self._records.write(_actor(identity), Kind.CONTACTS, table.contact, record_id=record_id, expect=expect)
        return Assigned(card=card_of(*_demand_contact(record, record_id), identity), lost=table.lost)

    def seen(self, identity: Identity, record_id: str, version: int) -> Contact | None:
        """The contact as of an earlier version, None if that is not kept; raises NotFound, and Refused or GateClosed like ``card``."""
        self.card(identity, record_id)
        values = (line.value for line in self._records.history(identity.tenant, record_id) if line.version == version)
        return next((value for value in values if isinstance(value, Contact)), None)

    def may_change(self, identity: Identity) -> bool:
        """True if the user may set flags and slots."""
        try:
            with self._store.reading() as tx:
                self._reader(tx, identity, Right.MODIFY)
        except Refused:
            return False
        return True

    @staticmethod
    def _reader(tx: Transaction, identity: Identity, right: Right) -> folders.Reader:
        who = folders.reader(tx, identity)
        rights.demand_in_the_crm(who.tenant, who.user, Kind.CONTACTS, right)
        return who


def card_of(record: Record, contact: Contact, identity: Identity) -> Card:
    """A contact as this user sees it."""
    return Card(
        record_id=record.id,
        version=record.version,
        name=display_name(contact),
        contact=contact,
        is_synced=identity.user in contact.sync_users,
        shown=preview(contact),
    )


def preview(contact: Contact) -> tuple[Shown, ...]:
    """What the phone shows of a contact's numbers and addresses, in the order of the slots (rules 26, 30)."""
    offered = slots.offered(contact)
    return tuple(Shown(slot=slot, entry=offered[slot], is_fallback=offered[slot].slot is None) for slot in Slot if slot in offered)


def _demand_contact(record: Record | None, record_id: str) -> tuple[Record, Contact]:
    if record is None or record.deleted or not isinstance(record.value, Contact):
        raise NotFound(f"There is no contact {record_id!r}.")
    return record, record.value


def _actor(identity: Identity) -> Actor:
    return Actor(identity=identity, face=Face.PAGE)
