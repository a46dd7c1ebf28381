"""Feeds: the numbered log of what one reader may see of one kind, from which both faces answer sync.

A change log of records is not enough, because windows slide, caps evict, and flags and rights come and go. A feed has one entry
per record: live or gone, at the ``seq`` of its last change. ``refresh`` brings the entries up to date under a lock on the feed's head,
so that seq order is commit order; when the tenant's change number and the feed's validity have not moved, it costs two indexed
reads. A cursor is a position in a feed: everything with a higher seq is news to its holder. Paging and change use the same number, so
nothing is lost or sent twice. Gone entries are pruned after ``Policy.feed_days``; an older cursor is invalid.

A reader has one feed per kind and scope. The scope is a fixed word for what a client may ask for: how far back, or open tasks only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from radicale_onoffice.core import recurrence, tasks, window
from radicale_onoffice.core.errors import BadRequest, CursorInvalid
from radicale_onoffice.core.folders import Reader, reader
from radicale_onoffice.core.model import FOREVER, Appointment, Identity, Kind, Record, Task
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Entry, Feed, Member, Offer, Store, Transaction

PERIODS = 32  # answers to time-range queries that are remembered until something of the tenant changes
DEFAULT = ""  # the scope of a client that names no period
STANDING = "standing"  # tasks that are not cancelled: what a client is offered that has no word for cancelled (rule 84)
OPEN = "open"  # tasks that are neither completed nor cancelled ([MS-ASCMD] FilterType 8)
# Appointments from so far back on ([MS-ASCMD] FilterType 4 to 7), in the words of ISO 8601
PASTS: Mapping[str, window.Past] = {
    "P14D": window.Past(days=14),
    "P1M": window.Past(months=1),
    "P3M": window.Past(months=3),
    "P6M": window.Past(months=6),
}
SCOPES: Mapping[Kind, tuple[str, ...]] = {
    Kind.CONTACTS: (DEFAULT,),
    Kind.APPOINTMENTS: (DEFAULT, *PASTS),
    Kind.TASKS: (DEFAULT, STANDING, OPEN),
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in a feed, as a face's token wraps it."""

    epoch: str
    seq: int


class News(NamedTuple):
    """What changed in a feed, in seq order, and the position behind the last of it.

    ``more`` tells that a limit cut it off. ``change`` is the tenant's change number as of which the entries are what they are.
    ``live`` are the etags of those of the records that were asked about which are offered now.
    """

    cursor: Cursor
    entries: Sequence[Entry]
    more: bool
    change: int
    live: Mapping[str, str] = MappingProxyType({})


class Feeds:
    """Reads and refreshes feeds; safe to share between threads."""

    def __init__(self, store: Store, policy: Policy, clock: Callable[[], datetime], new_epoch: Callable[[], str]):
        self._store, self._policy, self._clock, self._new_epoch = store, policy, clock, new_epoch
        self._periods: dict[object, Sequence[Offer]] = {}

    # ------------------------------------------------------------- reading

    def cursor(self, identity: Identity, kind: Kind, scope: str = DEFAULT) -> Cursor:
        """The newest position; equal cursors mean that nothing changed for this reader."""
        feed = self.refresh(identity, kind, scope)
        return Cursor(feed.epoch, feed.seq)

    def changes(
        self, identity: Identity, kind: Kind, since: Cursor | None, *, scope: str = DEFAULT, limit: int | None = None
    ) -> tuple[Cursor, Sequence[Entry]]:
        """Entries that changed after ``since`` in seq order, and the cursor behind the last of them; raises CursorInvalid."""
        found = self.news(identity, kind, since, scope=scope, limit=limit)
        return found.cursor, found.entries

    def news(
        self,
        identity: Identity,
        kind: Kind,
        since: Cursor | None,
        *,
        scope: str = DEFAULT,
        limit: int | None = None,
        watch: Iterable[str] = (),
    ) -> News:
        """What changed after ``since``; without it all that is live. ``watch`` are records of which it is to be told whether they are live.

        Raises CursorInvalid, and BadRequest for an unknown scope.
        """
        entries: Sequence[Entry] = ()
        with self._fresh(identity, kind, scope) as (tx, feed):
            is_known = since is None or (since.epoch == feed.epoch and feed.oldest <= since.seq <= feed.seq)
            if is_known and since != Cursor(feed.epoch, feed.seq):
                entries = tx.feed_names(feed.id, since.seq if since else None, None if limit is None else limit + 1)
            live = {entry.record_id: entry.etag for entry in tx.feed_entries_of(feed.id, watch) if entry.live}
        if not is_known:
            raise CursorInvalid("The sync position is unknown or too old; synchronise from the beginning.")
        more = limit is not None and len(entries) > limit
        entries = entries[:limit]
        # A limit of nothing leaves the cursor where it was, which without a cursor is the beginning.
        reached = (entries[-1].seq if entries else since.seq if since else 0) if more else feed.seq
        return News(Cursor(feed.epoch, reached), entries, more, feed.change, live)

    def entries(self, identity: Identity, kind: Kind, scope: str = DEFAULT) -> tuple[Cursor, Sequence[Entry]]:
        """All entries, live and gone, by record id: for a device that moves from one scope to another."""
        self.refresh(identity, kind, scope)
        with self._store.reading() as tx:
            feed = tx.feed(identity, kind, scope)
            assert feed is not None
            return Cursor(feed.epoch, feed.seq), tx.feed_entries(feed.id)

    def still_theirs(self, identity: Identity, kind: Kind, record_ids: Iterable[str]) -> frozenset[str]:
        """Those of these records that the reader may still see: what is gone of them left the window only (rule 54)."""
        with self._store.reading() as tx:
            return frozenset(self.visible(tx, reader(tx, identity), kind, list(record_ids)))

    def visible(self, tx: Transaction, who: Reader, kind: Kind, record_ids: Sequence[str]) -> dict[str, Member]:
        """Those of these records that concern the reader and are not kept back, in or out of the window, by id."""
        members = tx.members(who.identity, kind, who.principals(kind, self._policy), record_ids=record_ids) if record_ids else []
        return {member.record_id: member for member in members if self.is_offerable(who, kind, member)}

    def listing(self, identity: Identity, kind: Kind, scope: str = DEFAULT) -> Sequence[Offer]:
        """All that is offered now, in the stored form."""
        feed = self.refresh(identity, kind, scope)
        with self._store.reading() as tx:
            return tx.feed_offers(feed.id)

    def count(self, identity: Identity, kind: Kind, scope: str = DEFAULT) -> int:
        """How many records are offered now."""
        return self.refresh(identity, kind, scope).live

    def offers(self, identity: Identity, kind: Kind, names: Iterable[str], scope: str = DEFAULT) -> Sequence[Offer]:
        """The stored forms of those of these names that are offered."""
        feed = self.refresh(identity, kind, scope)
        with self._store.reading() as tx:
            return tx.feed_offers(feed.id, names)

    def is_live(self, identity: Identity, kind: Kind, record_id: str, scope: str = DEFAULT) -> bool:
        """True if the record is offered; the stored feed is asked first, so that the usual case needs no refresh."""
        with self._store.reading() as tx:
            feed = tx.feed(identity, kind, scope)
            is_today = feed is not None and self._clock().timestamp() < feed.valid_until
            if feed is not None and is_today and any(entry.live for entry in tx.feed_entries_of(feed.id, [record_id])):
                return True
        with self._fresh(identity, kind, scope) as (tx, feed):
            return any(entry.live for entry in tx.feed_entries_of(feed.id, [record_id]))

    # ---------------------------------------------------------- refreshing

    def refresh(self, identity: Identity, kind: Kind, scope: str = DEFAULT) -> Feed:
        """Bring the feed up to date and return its head; raises NotFound for an unknown user, BadRequest for an unknown scope."""
        with self._fresh(identity, kind, scope) as (_, feed):
            return feed

    @contextmanager
    def _fresh(self, identity: Identity, kind: Kind, scope: str) -> Iterator[tuple[Transaction, Feed]]:
        """A transaction in which the feed is up to date, and its head: entries that are read in it are of the head's moment."""
        if scope not in SCOPES[kind]:
            raise BadRequest(f"There is no scope {scope!r} of {kind}; there are {', '.join(map(repr, SCOPES[kind]))}.")
        now = self._clock()
        with self._store.reading() as tx:
            who = reader(tx, identity)
            basis = self._basis(who, kind)
            feed, change = tx.feed_and_change(identity, kind, scope)
            if feed is not None and self._is_fresh(feed, change, basis, now):
                yield tx, feed
                return
        with self._store.writing() as tx:
            feed = tx.feed(identity, kind, scope, lock=True)
            if feed is None:
                tx.create_feed(identity, kind, scope, self._new_epoch())
                feed = tx.feed(identity, kind, scope, lock=True)
                assert feed is not None
            # The number is read before the members: what commits in between is merely looked at twice.
            change = tx.change(identity.tenant)
            if not self._is_fresh(feed, change, basis, now):
                feed = self._bring_up_to_date(tx, feed, who, kind, scope, change, basis, now)
            yield tx, feed

    def touch(self, identity: Identity, kind: Kind, record_id: str, scope: str = DEFAULT) -> None:
        """Send a live record again, to a client that believes it deleted what it could not (rule 54)."""
        self.refresh(identity, kind, scope)
        with self._store.writing() as tx:
            feed = tx.feed(identity, kind, scope, lock=True)
            entries = tx.feed_entries_of(feed.id, [record_id]) if feed else []
            if feed and entries and entries[0].live:
                tx.save_feed_entries(feed.id, [entries[0]._replace(seq=feed.seq + 1)])
                tx.save_feed(replace(feed, seq=feed.seq + 1))

    def announce(self, tx: Transaction, identity: Identity, record: Record, name: str) -> None:
        """Note what a client without a state of its own here has just written, in the transaction that stores it: it has this version now.

        Else the client would never hear of it if the record were taken away again, or set back, before the feed is looked at; nor of what it
        makes that is not offered to it (too old, say), which is stored, and gone with the next sync as on a phone. ``name`` is what it calls it.
        """
        feed = tx.feed(identity, record.kind, DEFAULT, lock=True)
        if feed is None:
            return
        entry = next(iter(tx.feed_entries_of(feed.id, [record.id])), None)
        if entry is not None and entry.live and entry.etag == record.etag:
            return
        was_live = entry is not None and entry.live
        seq, now, is_offered = feed.seq + 1, int(self._clock().timestamp()), self._is_offered(reader(tx, identity), record)
        if entry is None:
            entry = Entry(record.id, name, record.etag, is_offered, seq, seq, 0 if is_offered else seq, 0 if is_offered else now, seq)
        elif not is_offered:
            entry = entry._replace(live=False, seq=seq, gone_since=seq, gone_at=now)
        else:
            entry = entry._replace(etag=record.etag, live=True, seq=seq, live_since=entry.live_since if entry.live else seq)
        tx.save_feed_entries(feed.id, [entry])
        tx.save_feed(replace(feed, seq=seq, live=feed.live + entry.live - was_live))

    def _is_offered(self, who: Reader, record: Record) -> bool:
        """True if nothing but a cap keeps a record of this reader's from being offered."""
        now = self._clock()
        if isinstance(record.value, Task):
            mark = tasks.summary(record.value, who.zone).mark
            return not tasks.is_dropped(mark, now.astimezone(who.zone).date(), self._policy.task_completed_days)
        if isinstance(record.value, Appointment):
            return window.candidate(record.id, record.value, who.zone, window.window(now, who.zone, self._policy, None)) is not None
        return True

    def _basis(self, who: Reader, kind: Kind) -> str:
        policy = self._policy
        numbers = {
            Kind.CONTACTS: (policy.include_archived,),
            Kind.APPOINTMENTS: (
                policy.window_past_months,
                policy.window_future_months,
                policy.client_past_max_months,
                policy.max_appointments,
                policy.include_cancelled,
                policy.include_completed,
            ),
            Kind.TASKS: (policy.max_tasks, policy.task_completed_days),
        }
        return f"{who.tenant.timezone} {numbers[kind]} {sorted(who.principals(kind, policy))}"

    @staticmethod
    def _is_fresh(feed: Feed, change: int, basis: str, now: datetime) -> bool:
        return feed.change == change and feed.basis == basis and now.timestamp() < feed.valid_until

    def _bring_up_to_date(
        self, tx: Transaction, feed: Feed, who: Reader, kind: Kind, scope: str, change: int, basis: str, now: datetime
    ) -> Feed:
        wanted: Mapping[str, Member]
        if kind is Kind.CONTACTS and feed.change and feed.basis == basis:
            changed = tx.changed(who.identity.tenant, kind, who.principals(kind, self._policy), feed.change)
            wanted = self._contacts(tx, who, changed)
            known = tx.feed_entries_of(feed.id, changed)
        else:
            wanted = self._wanted(tx, who, kind, scope, now)
            known = tx.feed_entries(feed.id)
        moved = difference(known, wanted, feed.seq, int(now.timestamp()))
        tx.save_feed_entries(feed.id, moved)
        seq = moved[-1].seq if moved else feed.seq
        oldest = feed.oldest
        if now.timestamp() >= feed.valid_until:
            pruned = tx.prune_feed_entries(feed.id, int((now - timedelta(days=self._policy.feed_days)).timestamp()))
            oldest = max(oldest, pruned)
        valid_until = window.next_midnight(now, who.zone)
        moved_ids = {entry.record_id for entry in moved}
        live = feed.live + sum(entry.live for entry in moved) - sum(entry.live for entry in known if entry.record_id in moved_ids)
        fresh = replace(feed, seq=seq, change=change, valid_until=valid_until, basis=basis, oldest=oldest, live=live)
        if fresh != feed:
            tx.save_feed(fresh)
        return fresh

    # ---------------------------------------------------------- membership

    def _wanted(self, tx: Transaction, who: Reader, kind: Kind, scope: str, now: datetime) -> Mapping[str, Member]:
        if kind is Kind.CONTACTS:
            return self._contacts(tx, who, None)
        return self._appointments(tx, who, scope, now) if kind is Kind.APPOINTMENTS else self._tasks(tx, who, scope, now)

    def _contacts(self, tx: Transaction, who: Reader, record_ids: Sequence[str] | None) -> Mapping[str, Member]:
        members = tx.members(who.identity, Kind.CONTACTS, who.principals(Kind.CONTACTS, self._policy), record_ids=record_ids)
        return {member.record_id: member for member in members if self.is_offerable(who, Kind.CONTACTS, member)}

    def _appointments(self, tx: Transaction, who: Reader, scope: str, now: datetime) -> Mapping[str, Member]:
        span = window.window(now, who.zone, self._policy, PASTS.get(scope))
        return {member.record_id: member for member in self._in_window(tx, who, span)}

    def _in_window(self, tx: Transaction, who: Reader, span: window.Window) -> list[Member]:
        """The members that rules 48-55 choose for this window, at most ``max_appointments``."""
        # U18 wants both edges inclusive; the columns are half-open, and an appointment of no length has to count, too.
        found = tx.members(
            who.identity,
            Kind.APPOINTMENTS,
            who.principals(Kind.APPOINTMENTS, self._policy),
            starts_before=span.ends + 1,
            ends_after=span.begins - 1,
        )
        by_id = {member.record_id: member for member in found if self.is_offerable(who, Kind.APPOINTMENTS, member)}
        series = [member.record_id for member in by_id.values() if member.recurring]
        candidates = [window.Candidate(m.record_id, m.starts, m.ends) for m in by_id.values() if not m.recurring]
        for record in tx.records(who.identity.tenant, series):
            assert isinstance(record.value, Appointment)
            candidate = window.candidate(record.id, record.value, who.zone, span)
            if candidate is not None:
                candidates.append(candidate)
        return [by_id[record_id] for record_id in window.select(candidates, span, self._policy.max_appointments)]

    def _tasks(self, tx: Transaction, who: Reader, scope: str, now: datetime) -> Mapping[str, Member]:
        members = tx.members(who.identity, Kind.TASKS, who.principals(Kind.TASKS, self._policy))
        today = now.astimezone(who.zone).date()
        offered = [
            member
            for member in members
            if self.is_offerable(who, Kind.TASKS, member)
            and not tasks.is_dropped(member.mark, today, self._policy.task_completed_days)
            and not (scope == OPEN and member.mark)
            and not (scope == STANDING and member.mark == "cancelled")
        ]
        # Open tasks before completed ones, then the nearest due first: what a cap must not take away (U35).
        offered.sort(key=lambda member: (member.mark != "", member.ends, member.record_id))
        return {member.record_id: member for member in offered[: self._policy.max_tasks]}

    def is_offerable(self, who: Reader, kind: Kind, member: Member) -> bool:
        """True unless what the record is keeps it from this reader: archived, cancelled, private of another (U9, U20-U22)."""
        if member.owner not in ("", who.identity.user):
            return False
        policy = self._policy
        hidden = {
            Kind.CONTACTS: {"archived": not policy.include_archived},
            Kind.APPOINTMENTS: {"cancelled": not policy.include_cancelled, "completed": not policy.include_completed},
            Kind.TASKS: {"cancelled": False},
        }
        return not hidden[kind].get(member.mark, False)

    # -------------------------------------------------------------- period

    def period(self, identity: Identity, after: int, before: int) -> Sequence[Offer]:
        """Appointments with an occurrence in [after, before): a client that names a period (rule 49).

        POSIX seconds. Answered from the records, with the same rights, the same cap and the same far edge as the window.
        """
        now = self._clock()
        with self._store.reading() as tx:
            who = reader(tx, identity)
            edges = window.window(now, who.zone, self._policy, None)
            # Clients ask for the same months again and again; nothing but these can change the answer.
            key = (identity, after, before, edges, tx.change(identity.tenant), self._basis(who, Kind.APPOINTMENTS))
            known = self._periods.get(key)
            if known is None:
                known = self._periods[key] = self._in_period(tx, who, edges, after, before)
                # A copy of the keys: other threads add and drop answers meanwhile.
                for oldest in list(self._periods)[:-PERIODS]:
                    self._periods.pop(oldest, None)
            return known

    def _in_period(self, tx: Transaction, who: Reader, edges: window.Window, after: int, before: int) -> Sequence[Offer]:
        span = window.Window(begins=max(after, 0), ends=min(before, edges.ends + 1, FOREVER) - 1, today=edges.today)
        chosen = [member.record_id for member in self._in_window(tx, who, span)]
        offers = tx.offers(who.identity, Kind.APPOINTMENTS, chosen)
        series = {r.id: r.value for r in tx.records(who.identity.tenant, [o.record_id for o in offers if o.recurring])}
        return [offer for offer in offers if self._takes_place(offer, series, who, after, before)]

    @staticmethod
    def _takes_place(offer: Offer, series: Mapping[str, object], who: Reader, after: int, before: int) -> bool:
        """RFC 4791 9.9 for VEVENT: overlap, an occurrence of no length counts at its start."""
        if not offer.recurring:
            return offer.starts < before and (offer.ends > after or offer.starts == offer.ends >= after)
        value = series[offer.record_id]
        assert isinstance(value, Appointment)
        return next(recurrence.occurrences(value, who.zone, after, before), None) is not None


def difference(known: Iterable[Entry], wanted: Mapping[str, Member], seq: int, now: int) -> list[Entry]:
    """Entries that turn what is known into what is wanted, numbered from ``seq`` + 1 on, in the order of record ids."""
    before = {entry.record_id: entry for entry in known}
    moved: list[Entry] = []
    for record_id in sorted(before.keys() | wanted.keys()):
        old, new = before.get(record_id), wanted.get(record_id)
        entry = _moved(old, new, seq + len(moved) + 1, now)
        if entry is not None:
            moved.append(entry)
    return moved


def _moved(old: Entry | None, new: Member | None, seq: int, now: int) -> Entry | None:
    if new is None:
        if old is None or not old.live:
            return None
        return old._replace(live=False, seq=seq, gone_since=seq, gone_at=now)
    if old is None:
        return Entry(new.record_id, new.name, new.etag, True, seq, seq, 0, 0, seq)
    if not old.live:
        return old._replace(name=new.name, etag=new.etag, live=True, seq=seq, live_since=seq)
    return None if old.etag == new.etag else old._replace(etag=new.etag, seq=seq)
