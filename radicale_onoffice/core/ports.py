"""What the core needs of the outside: a store, a CRM, and somebody who renders DAV text.

An adapter that would have to answer "not supported" to one of these methods means that the method does not belong here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from radicale_onoffice.core.lists import Lists
from radicale_onoffice.core.model import (
    Actor,
    Attempts,
    AuditLine,
    Device,
    Door,
    Failure,
    HistoryLine,
    Identity,
    Kind,
    Leftovers,
    PageSession,
    Record,
    Tenant,
    User,
    Value,
)
from radicale_onoffice.core.origins import UNTOLD, Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Head of a feed (design: the numbered log of what one reader may see of one kind).

    ``seq`` is that of the newest entry, ``change`` the tenant's change number up to which it is refreshed, ``valid_until`` when
    time alone makes it stale (POSIX seconds), ``basis`` what else it was computed from (rights, groups, options): a different
    basis means computing it anew. ``epoch`` is new whenever old cursors must die. ``oldest`` is the lowest seq a cursor may
    hold: below it, entries that are gone have been pruned. ``live`` is how many records are offered.
    """

    id: int
    epoch: str
    seq: int
    change: int
    valid_until: int
    basis: str
    oldest: int = 0
    live: int = 0


class Entry(NamedTuple):
    """One record's place in a feed: its name and etag as offered, live or gone, at the seq of its last change."""

    record_id: str
    name: str
    etag: str
    live: bool
    seq: int
    live_since: int  # seq at which it last came to life
    gone_since: int  # seq at which it was last gone; 0 = never gone
    gone_at: int  # POSIX seconds of that, for pruning; 0 = never
    born: int  # seq at which it first came to life; a pruned record that comes again is born again


class Member(NamedTuple):
    """What deciding membership of a feed needs of a record, from columns only."""

    record_id: str
    name: str  # as this reader sees it: the reader's alias if there is one
    etag: str
    starts: int
    ends: int
    recurring: bool
    mark: str  # Summary.mark
    owner: str  # Summary.owner
    version: int = 0
    change: int = 0  # the tenant's change number at this version


class Offer(NamedTuple):
    """A record in the form that a listing needs; everything comes from stored columns."""

    record_id: str
    version: int
    name: str
    uid: str
    etag: str
    text: str
    starts: int
    ends: int
    recurring: bool
    modified: int  # POSIX seconds


class Sought(NamedTuple):
    """What a contact is listed under and found by: ``words`` are folded texts, each behind a line feed."""

    name: str
    company: str
    sort_key: str
    words: str


class Summary(NamedTuple):
    """What the core says of a value for its columns, so that windows and feeds need not load values.

    ``audience`` are the principals that the record concerns: "u:NAME" for a user, "g:NAME" for a group. ``mark`` is one word that
    decides whether it is offered at all: "", "archived", "cancelled", "completed", "done:DAY"; ``owner`` the only user who may see
    it if it is private, else "".
    """

    audience: frozenset[str]
    mark: str
    owner: str
    starts: int
    ends: int
    recurring: bool
    sought: Sought | None = None  # of a contact


class Transaction(Lists, Protocol):
    """One unit of work. Everything read in it is of one moment; everything written becomes visible together, or not at all."""

    # ---- tenants, users, doors
    def tenant(self, name: str) -> Tenant | None: ...
    def tenants(self) -> Sequence[Tenant]: ...
    def save_tenant(self, tenant: Tenant) -> None: ...
    def user(self, identity: Identity, *, lock: bool = False) -> User | None:
        """The user; with ``lock``, which a ``save_user`` of what was read needs, nobody else changes it until commit.

        Users are locked before a change number is drawn (``next_change``), several of them by login, so that nobody waits in a circle.
        """

    def account(self, identity: Identity) -> tuple[Tenant, User] | None:
        """A user with the tenant; None without either."""

    def visitor(self, identity: Identity, door: Door) -> tuple[tuple[Tenant, User] | None, Attempts]:
        """What a sign-in is decided by: the account, and the attempts at the door, which an unknown login has, too."""

    def users(self, tenant: str) -> Sequence[User]: ...
    def save_user(self, user: User) -> None: ...
    def remove_user(self, identity: Identity) -> bool:
        """Remove the user with attempts, sessions, feeds, aliases, folder properties and devices; records stay. False if there was none."""

    def attempts(self, identity: Identity, door: Door, place: str = "") -> Attempts:
        """Wrong passwords from anywhere, or those that were counted for a place."""

    def locked(self, tenant: str, door: Door) -> Sequence[tuple[Identity, Attempts]]: ...
    def add_failure(self, identity: Identity, door: Door, at: datetime, address: str, place: str = "") -> Attempts:
        """Count one wrong password, atomically also against other processes, and return the new state."""

    def lock(self, identity: Identity, door: Door, at: datetime) -> bool:
        """Set ``locked_at`` if it is not set; True for the one caller that set it."""

    def clear_attempts(self, identity: Identity, door: Door, place: str = "") -> bool:
        """Forget failures and lock, or the failures of a place; True if the door was locked."""

    def clear_places(self, identity: Identity, door: Door) -> int:
        """Forget the failures from anywhere and of all places; the most that one of these counts had."""

    def prune_places(self, identity: Identity, door: Door, most: int) -> None:
        """Keep the places from which failures came last only."""

    def page_session(self, token_digest: str) -> PageSession | None: ...
    def save_page_session(self, session: PageSession) -> None: ...
    def remove_page_session(self, token_digest: str) -> None: ...
    def remove_page_sessions(self, identity: Identity, *, keep: str = "") -> int:
        """End all of a user's sessions but the one with the digest ``keep``; how many that were."""

    def prune_page_sessions(self, now: datetime) -> None: ...
    def setting(self, key: str) -> str | None:
        """A value of the whole installation, e.g. "maintenance"."""

    def save_setting(self, key: str, value: str | None) -> None: ...
    def add_audit(self, line: AuditLine, *, of_users: bool = False) -> None:
        """Keep a line; with ``of_users`` only if there is such a user, at the same cost."""

    def prune_audit(self, before: datetime) -> int:
        """Drop lines older than that; number dropped."""

    def audit(self, tenant: str, limit: int, *, login: str | None = None, event: str | None = None) -> Sequence[AuditLine]:
        """The newest lines first; optionally those about one login, or of one event."""

    def folder_properties(self, identity: Identity, kind: Kind) -> Mapping[str, str]: ...
    def save_folder_properties(self, identity: Identity, kind: Kind, properties: Mapping[str, str]) -> None: ...

    # ---- records
    def change(self, tenant: str) -> int:
        """The tenant's change number, 0 before the first change."""

    def next_change(self, tenant: str, *, everybody: bool = False) -> int:
        """Grow the change number by one; holds the tenant's counter until commit, so that number order is commit order.

        With ``everybody`` the change is none of a record but of what is offered at all (gates, rights, devices): whoever waits is woken.
        """

    def record(self, tenant: str, record_id: str) -> Record | None:
        """The record, also a deleted one."""

    def records(self, tenant: str, record_ids: Iterable[str]) -> Sequence[Record]: ...
    def all_records(self, tenant: str, kind: Kind) -> Iterable[Record]:
        """Every record that is not deleted, by id, in batches from the database."""

    def save_record(self, record: Record, summary: Summary, action: str, actor: Actor) -> None:
        """Insert or replace the record and its columns, move its audience rows to ``record.change``, add a history line.

        An audience row that no longer applies stays, inactive, so that ``changed`` can tell its reader.
        Raises Conflict if the stored version is not ``record.version - 1`` (0 = must not exist).
        """

    def named(self, identity: Identity, kind: Kind, name: str) -> str | None:
        """Record id behind a resource name as this user knows it: the user's alias first, else the record of that name."""

    def name_taken(self, tenant: str, kind: Kind, name: str) -> bool: ...
    def save_alias(self, identity: Identity, kind: Kind, name: str, record_id: str) -> None: ...
    def concerns(self, tenant: str, record_id: str, principals: Iterable[str]) -> bool | None:
        """True if an audience row of these principals is active, False if there are only inactive ones, None without any."""

    def with_uid(self, tenant: str, kind: Kind, principals: Iterable[str], uid: str) -> Sequence[str]:
        """Ids of the records with this UID, not deleted, whose audience rows of these principals exist (active or not)."""

    def members(
        self,
        identity: Identity,
        kind: Kind,
        principals: Iterable[str],
        *,
        starts_before: int | None = None,
        ends_after: int | None = None,
        record_ids: Iterable[str] | None = None,
    ) -> Sequence[Member]:
        """The records, not deleted, that concern these principals, by id; optionally only those with
        ``starts < starts_before and ends > ends_after`` or of the given ids."""

    def changed(self, tenant: str, kind: Kind, principals: Iterable[str], since: int) -> Sequence[str]:
        """Ids of records whose audience rows of these principals moved after change number ``since``."""

    def offers(self, identity: Identity, kind: Kind, record_ids: Iterable[str]) -> Sequence[Offer]:
        """Stored forms of these records (not deleted), named as this user knows them, by id."""

    def history(self, tenant: str, record_id: str) -> Sequence[HistoryLine]:
        """All kept versions, oldest first."""

    def version_at(self, tenant: str, record_id: str, change: int) -> HistoryLine | None:
        """The newest kept version with a change number up to ``change``; None if the record is younger, or that version is kept no more."""

    def prune_history(self, before: datetime) -> int:
        """Drop versions older than that, but never a record's newest; number dropped."""

    # ---- feeds
    def feed(self, identity: Identity, kind: Kind, scope: str, *, lock: bool = False) -> Feed | None:
        """The feed's head; with ``lock`` nobody else refreshes it until commit."""

    def feed_and_change(self, identity: Identity, kind: Kind, scope: str) -> tuple[Feed | None, int]:
        """The feed's head, and the tenant's change number, by which it is told whether the feed is up to date."""

    def create_feed(self, identity: Identity, kind: Kind, scope: str, epoch: str) -> Feed:
        """An empty feed with seq 0 and change 0; if somebody else created it meanwhile, that one."""

    def save_feed(self, feed: Feed) -> None: ...
    def reset_feeds(self, identity: Identity, kind: Kind | None, epoch: str) -> None:
        """Drop entries and give a new epoch: all cursors of these feeds are invalid from now on."""

    def feed_entries(self, feed_id: int) -> Sequence[Entry]: ...
    def feed_entries_of(self, feed_id: int, record_ids: Iterable[str]) -> Sequence[Entry]: ...
    def save_feed_entries(self, feed_id: int, entries: Sequence[Entry]) -> None:
        """Insert or replace by record id."""

    def prune_feed_entries(self, feed_id: int, gone_before: int) -> int:
        """Drop gone entries with ``gone_at < gone_before``; returns the highest seq dropped, 0 if none."""

    def feed_names(self, feed_id: int, since: int | None, limit: int | None = None) -> Sequence[Entry]:
        """Entries with seq > since, in seq order; with ``since`` None all that are live."""

    def feed_offers(self, feed_id: int, names: Iterable[str] | None = None) -> Sequence[Offer]:
        """Stored forms of the live entries (of these names, or all), in name order."""

    # ---- a CRM that is elsewhere
    def link(self, tenant: str, record_id: str) -> Link | None: ...
    def linked(self, tenant: str, kind: Kind, crm_ids: Iterable[str]) -> Mapping[str, tuple[str, Link]]:
        """Record id and link by the CRM's id, of those that are known."""

    def links(self, tenant: str, kind: Kind) -> Mapping[str, str]:
        """Record ids by the CRM's ids, all of a kind that are not deleted: for a sweep."""

    def save_link(self, tenant: str, kind: Kind, record_id: str, link: Link) -> None:
        """Keep how a CRM elsewhere calls a record; a link without an id forgets it."""

    def remove_links(self, tenant: str) -> None:
        """Forget what a CRM elsewhere calls this tenant's records, also the deleted ones."""

    def mirror_state(self, tenant: str, name: str) -> str | None:
        """What the mirror remembers under a name, as JSON."""

    def save_mirror_state(self, tenant: str, name: str, text: str | None) -> None: ...
    def lease(self, name: str, holder: str, now: datetime, until: datetime) -> bool:
        """Take or renew a lease that nobody else holds at ``now``; True if it is the holder's until then."""

    def renew_leases(self, holder: str, now: datetime, until: datetime) -> None:
        """Renew all leases that are the holder's at ``now``."""

    def end_lease(self, name: str, holder: str) -> None: ...
    def add_errand(self, errand: Errand) -> int:
        """Keep a write that the CRM is to get; returns its number. Numbers grow."""

    def errands(self, tenant: str, record_id: str | None = None) -> Sequence[Errand]:
        """All that are not done, or those of one record, by number."""

    def errand(self, tenant: str, number: int, *, lock: bool = False) -> Errand | None:
        """The errand; with ``lock`` nobody else changes it until commit."""

    def save_errand(self, errand: Errand) -> None: ...
    def remove_errand(self, number: int) -> None: ...

    # ---- devices
    def device(self, identity: Identity, device_id: str, *, lock: bool = False) -> Device | None:
        """The device; with ``lock`` nobody else changes it until commit."""

    def devices(self, tenant: str, user: str | None = None) -> Sequence[Device]:
        """A tenant's or a user's devices, by user and id."""

    def users_of_device(self, tenant: str, device_id: str) -> Sequence[str]:
        """Logins that have a device of this id, in order: they may share one, or one was sold."""

    def save_device(self, device: Device) -> None: ...
    def remove_device(self, identity: Identity, device_id: str) -> bool:
        """Remove the device with sync states, client ids and failures; False if there was none."""

    def sync_state(self, identity: Identity, device_id: str, collection: str) -> tuple[str, bytes] | None:
        """JSON text of a collection's state, and the last answer."""

    def save_sync_state(self, identity: Identity, device_id: str, collection: str, text: str, answer: bytes) -> None: ...
    def remove_sync_states(self, identity: Identity, device_id: str, collection: str | None = None) -> None:
        """Forget the states, and the client ids with them, of one collection or of all."""

    def client_ids(self, identity: Identity, device_id: str, collection: str) -> Mapping[tuple[int, str], str]:
        """(number of the key that the request used, ClientId) → id of the record that became of the Add."""

    def save_client_id(self, identity: Identity, device_id: str, collection: str, number: int, client_id: str, record_id: str) -> None: ...
    def prune_client_ids(self, identity: Identity, device_id: str, collection: str, below: int) -> None:
        """Forget those of keys with a smaller number."""

    def failures(self, identity: Identity, device_id: str) -> Sequence[Failure]:
        """The device's failing items, the newest first; of each device only the newest few hundred are kept."""

    def save_failure(self, failure: Failure) -> None:
        """Insert or replace by device, collection and item."""

    def clear_failure(self, identity: Identity, device_id: str, collection: str, item: str) -> None: ...

    # ---- encoded items
    def fragments(self, tenant: str, flavour: str, record_ids: Iterable[str]) -> Mapping[str, tuple[int, bytes]]:
        """Record id → (version that was encoded, the encoding), of those that are kept in this flavour."""

    def save_fragments(self, tenant: str, flavour: str, rows: Iterable[tuple[str, int, bytes]]) -> None:
        """Keep encodings: record id, version, bytes; an older version never replaces a newer one.

        A cache: it is dropped with its record, and with its flavour when the tenant has too many of them. To be called in a writing
        transaction of its own, so that nothing waits for it; it locks no record and grows no number.
        """

    def counts(self, tenant: str) -> Mapping[str, int]:
        """How many records of each kind, deleted ones apart, and how many history lines and feeds: for `check` and metrics."""


class Store(Protocol):
    """Where everything is kept. Transactions of one thread do not nest."""

    def reading(self) -> AbstractContextManager[Transaction]: ...
    def writing(self, *, lasting: bool = True) -> AbstractContextManager[Transaction]:
        """A transaction that commits at the end of the block and rolls back if the block raises.

        What is not ``lasting`` may be lost if the machine loses its power: right for a cache, for it does not wait for the disk.
        """

    def migrate(self) -> None: ...
    def schema_is_current(self) -> bool: ...
    def verify(self, *, deep: bool) -> Sequence[str]:
        """Problems found, in words for the administrator; ``deep`` re-reads every record, audience row and feed entry."""

    def close(self) -> None: ...


class Link(NamedTuple):
    """How a record is called in a CRM that is elsewhere, and what it was like there when it was last read.

    ``stamp`` is the CRM's own mark of its last change, ``digest`` one of all that was read.
    """

    crm_id: str
    stamp: str = ""
    digest: str = ""


class ErrandState(StrEnum):
    """How far a write has come on its way to the CRM."""

    WAITING = "waiting"  # committed here, to be sent when the CRM is back
    SENT = "sent"  # perhaps done: whether it was is found out by reading, before anything of the record is sent again
    REFUSED = "refused"  # the CRM said no, ``reason`` tells why; the administrator decides


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A write that a CRM elsewhere is to get, kept so that neither a crash nor an outage loses or repeats it.

    ``before`` is None for a new record, ``after`` for one to be deleted. ``tries`` counts how often a write was sent that had been
    acknowledged before: while it is 0, somebody who was not told of a success waits for the answer, and will repeat what is not done.
    ``origin`` tells by what that repetition of a new record is known.
    """

    number: int = 0
    actor: Actor
    kind: Kind
    record_id: str
    before: Value | None
    after: Value | None
    state: ErrandState
    at: datetime
    tries: int = 0
    reason: str = ""
    origin: Origin = UNTOLD


class Held(NamedTuple):
    """What the CRM holds after a write, or will hold; the rest is saved in the commit of the record.

    ``link`` is None if nothing is to be saved: the store is the CRM, or the link stays as it is. ``done`` is the number of the errand
    that this write was, ``errand`` one that is still to be done.
    """

    value: Value
    link: Link | None = None
    done: int = 0
    errand: Errand | None = None


class Found(NamedTuple):
    """A record that was read in a CRM elsewhere: its link, and what its value is on top of the one that is stored (None: of none)."""

    link: Link
    value: Callable[[Value | None], Value]


class Crm(Protocol):
    """The CRM behind the store. Called before the commit and outside of any transaction; may raise UpstreamDown or Refused.

    ``update`` and ``delete`` raise Conflict if the CRM's own record has changed since it was adopted; it has been adopted anew then, so that
    a write that carries no expected version is merged and tried again. ``update`` raises ChangedBefore if what was found is the same actor's
    own earlier change, of which nobody knew what became. ``create`` raises MadeBefore if an earlier ``create`` of the same
    origin, of which nobody knew what became, made the record after all with other values; it is stored then. ``settle`` finds out what became
    of earlier writes of a record of which nobody knows, for a device that wants nothing new, and raises as ``update``. ``take_back`` undoes a
    ``create`` that the store could not keep, as far as that can be undone; it raises nothing, because the store has refused already.
    """

    def new_id(self, tenant: str, kind: Kind) -> str: ...
    def create(self, actor: Actor, kind: Kind, record_id: str, value: Value, origin: Origin) -> Held: ...
    def update(self, actor: Actor, record: Record, value: Value) -> Held: ...
    def delete(self, actor: Actor, record: Record) -> Held: ...
    def settle(self, actor: Actor, record: Record) -> None: ...
    def take_back(self, actor: Actor, kind: Kind, record_id: str, held: Held) -> None: ...


class Rendered(NamedTuple):
    """The DAV form of a record."""

    text: str
    etag: str


class Renderer(Protocol):
    """Makes the DAV text of a value; implemented by ``formats`` and handed in by ``wiring``."""

    def __call__(
        self, kind: Kind, value: Value, leftovers: Leftovers, *, uid: str, modified: datetime, zone: ZoneInfo, region: str
    ) -> Rendered: ...
