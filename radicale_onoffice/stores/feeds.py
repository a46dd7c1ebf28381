"""Feeds and their entries in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, select, update

from radicale_onoffice.core.model import Identity, Kind
from radicale_onoffice.core.ports import Entry, Feed, Offer
from radicale_onoffice.stores import tables
from radicale_onoffice.stores.statements import Part, chunks, insert

feeds, entries, records, counters = tables.feeds, tables.feed_entries, tables.records, tables.counters

FEED = select(
    feeds.c.id, feeds.c.epoch, feeds.c.seq, feeds.c.change, feeds.c.valid_until, feeds.c.basis, feeds.c.oldest, feeds.c.live
).where(
    feeds.c.tenant == bindparam("tenant"),
    feeds.c.login == bindparam("login"),
    feeds.c.kind == bindparam("kind"),
    feeds.c.scope == bindparam("scope"),
)
FEED_AND_CHANGE = FEED.with_only_columns(
    *FEED.selected_columns, select(counters.c.change).where(counters.c.tenant == bindparam("tenant")).scalar_subquery().label("now")
)
FEED_COLUMNS = tuple(FEED.selected_columns.keys())
ENTRY = (
    entries.c.record_id,
    entries.c.name,
    entries.c.etag,
    entries.c.live,
    entries.c.seq,
    entries.c.live_since,
    entries.c.gone_since,
    entries.c.gone_at,
    entries.c.born,
)
ENTRIES = select(*ENTRY).where(entries.c.feed_id == bindparam("feed_id")).order_by(entries.c.record_id)
ENTRIES_OF = select(*ENTRY).where(entries.c.feed_id == bindparam("feed_id"), entries.c.record_id.in_(bindparam("ids", expanding=True)))
SINCE = select(*ENTRY).where(entries.c.feed_id == bindparam("feed_id"), entries.c.seq > bindparam("since")).order_by(entries.c.seq)
LIVE = SINCE.where(entries.c.live.is_(True))
OFFERS = (
    select(
        records.c.id,
        records.c.version,
        entries.c.name,
        records.c.uid,
        records.c.etag,
        records.c.text,
        records.c.starts,
        records.c.ends,
        records.c.recurring,
        records.c.modified,
    )
    .select_from(
        feeds.join(entries, and_(entries.c.feed_id == feeds.c.id, entries.c.live.is_(True))).join(
            records, and_(records.c.tenant == feeds.c.tenant, records.c.id == entries.c.record_id, records.c.deleted.is_(False))
        )
    )
    .where(feeds.c.id == bindparam("feed_id"))
)
OFFERS_NAMED = OFFERS.where(entries.c.name.in_(bindparam("names", expanding=True)))
OFFERS_ALL = OFFERS.order_by(entries.c.name)
SAVE = update(feeds).where(feeds.c.id == bindparam("of_id"))


class FeedsPart(Part):
    """Everything about who has seen what."""

    def feed(self, identity: Identity, kind: Kind, scope: str, *, lock: bool = False) -> Feed | None:
        key = {"tenant": identity.tenant, "login": identity.user, "kind": kind.value, "scope": scope}
        # SQLite's writing transaction holds the whole database already.
        query = FEED.with_for_update() if lock and not self._is_sqlite else FEED
        row = self._connection.execute(query, key).one_or_none()
        return Feed(**row._asdict()) if row else None

    def feed_and_change(self, identity: Identity, kind: Kind, scope: str) -> tuple[Feed | None, int]:
        key = {"tenant": identity.tenant, "login": identity.user, "kind": kind.value, "scope": scope}
        row = self._connection.execute(FEED_AND_CHANGE, key).one_or_none()
        if row is None:
            return None, 0
        columns = row._asdict()
        return Feed(**{name: columns[name] for name in FEED_COLUMNS}), columns["now"] or 0

    def create_feed(self, identity: Identity, kind: Kind, scope: str, epoch: str) -> Feed:
        row = {"tenant": identity.tenant, "login": identity.user, "kind": kind.value, "scope": scope, "epoch": epoch}
        numbers = {"seq": 0, "change": 0, "valid_until": 0, "basis": "", "oldest": 0, "live": 0}
        self._connection.execute(
            insert(feeds, is_sqlite=self._is_sqlite).on_conflict_do_nothing(index_elements=["tenant", "login", "kind", "scope"]),
            row | numbers,
        )
        feed = self.feed(identity, kind, scope)
        assert feed is not None
        return feed

    def save_feed(self, feed: Feed) -> None:
        row = asdict(feed)
        self._connection.execute(SAVE, {"of_id": row.pop("id"), **row})

    def reset_feeds(self, identity: Identity, kind: Kind | None, epoch: str) -> None:
        mine = [feeds.c.tenant == identity.tenant, feeds.c.login == identity.user, *([feeds.c.kind == kind.value] if kind else [])]
        self._connection.execute(delete(entries).where(entries.c.feed_id.in_(select(feeds.c.id).where(*mine))))
        self._connection.execute(update(feeds).where(*mine).values(epoch=epoch, seq=0, change=0, valid_until=0, basis="", oldest=0, live=0))

    def feed_entries(self, feed_id: int) -> Sequence[Entry]:
        return [Entry(*row) for row in self._connection.execute(ENTRIES, {"feed_id": feed_id}).all()]

    def feed_entries_of(self, feed_id: int, record_ids: Iterable[str]) -> Sequence[Entry]:
        return [
            Entry(*row)
            for ids in chunks(sorted(set(record_ids)))
            for row in self._connection.execute(ENTRIES_OF, {"feed_id": feed_id, "ids": ids}).all()
        ]

    def save_feed_entries(self, feed_id: int, moved: Sequence[Entry]) -> None:
        if moved:
            self._save(entries, ("feed_id", "record_id"), [{"feed_id": feed_id, **entry._asdict()} for entry in moved])

    def prune_feed_entries(self, feed_id: int, gone_before: int) -> int:
        old = (entries.c.feed_id == feed_id, entries.c.live.is_(False), entries.c.gone_at < gone_before)
        highest = self._connection.execute(select(func.max(entries.c.seq)).where(*old)).scalar_one_or_none() or 0
        if highest:
            self._connection.execute(delete(entries).where(*old))
        return highest

    def feed_names(self, feed_id: int, since: int | None, limit: int | None = None) -> Sequence[Entry]:
        query: Any = LIVE if since is None else SINCE
        if limit is not None:
            query = query.limit(limit)
        return [Entry(*row) for row in self._connection.execute(query, {"feed_id": feed_id, "since": since or 0}).all()]

    def feed_offers(self, feed_id: int, names: Iterable[str] | None = None) -> Sequence[Offer]:
        key = {"feed_id": feed_id}
        if names is None:
            rows: Iterable[Any] = self._connection.execute(OFFERS_ALL, key).all()
        else:
            rows = (
                row for some in chunks(sorted(set(names))) for row in self._connection.execute(OFFERS_NAMED, {**key, "names": some}).all()
            )
        return [Offer(*row[:9], row[9] // 1_000_000) for row in rows]
