"""Records, their audience, names and history in SQL."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, case, delete, exists, func, literal, select, update

from radicale_onoffice.core.errors import Conflict
from radicale_onoffice.core.model import Actor, Face, HistoryLine, Identity, Kind, Record
from radicale_onoffice.core.ports import Member, Offer, Summary
from radicale_onoffice.stores import tables
from radicale_onoffice.stores.devices import DROP_FRAGMENTS
from radicale_onoffice.stores.statements import Part, chunks, from_micros, insert, to_micros
from radicale_onoffice.stores.values import dump_leftovers, dump_value, load_leftovers, load_value

records, audience, aliases, history, counters = tables.records, tables.audience, tables.aliases, tables.history, tables.counters
BATCH = 500
CHANNEL = "onoffice_change"  # PostgreSQL tells those who listen at commit; the payload is the tenant

CHANGE = select(counters.c.change).where(counters.c.tenant == bindparam("tenant"))
COUNTERS = select(counters.c.tenant, counters.c.change, counters.c.everybody)
MOVED = (
    select(audience.c.kind, audience.c.principal)
    .distinct()
    .where(audience.c.tenant == bindparam("tenant"), audience.c.change > bindparam("since"))
)
RECORD = select(records).where(records.c.tenant == bindparam("tenant"), records.c.id == bindparam("id"))
RECORDS = (
    select(records)
    .where(records.c.tenant == bindparam("tenant"), records.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(records.c.id)
)
PAGE = (
    select(records)
    .where(
        records.c.tenant == bindparam("tenant"),
        records.c.kind == bindparam("kind"),
        records.c.id > bindparam("after"),
        records.c.deleted.is_(False),
    )
    .order_by(records.c.id)
    .limit(BATCH)
)
# The name by which a user knows a record: the user's own alias, else the record's name.
ALIAS = and_(
    aliases.c.tenant == records.c.tenant,
    aliases.c.login == bindparam("login"),
    aliases.c.kind == records.c.kind,
    aliases.c.record_id == records.c.id,
)
NAME = func.coalesce(aliases.c.name, records.c.name).label("name")
CONCERNS = exists().where(
    audience.c.tenant == records.c.tenant,
    audience.c.record_id == records.c.id,
    audience.c.principal.in_(bindparam("principals", expanding=True)),
    audience.c.active.is_(True),
)
MEMBERS = (
    select(
        records.c.id,
        NAME,
        records.c.etag,
        records.c.starts,
        records.c.ends,
        records.c.recurring,
        records.c.mark,
        records.c.owner,
        records.c.version,
        records.c.change,
    )
    .select_from(records.outerjoin(aliases, ALIAS))
    .where(records.c.tenant == bindparam("tenant"), records.c.kind == bindparam("kind"), records.c.deleted.is_(False), CONCERNS)
    .order_by(records.c.id)
)
MEMBERS_BETWEEN = MEMBERS.where(records.c.starts < bindparam("starts_before"), records.c.ends > bindparam("ends_after"))
MEMBERS_OF = MEMBERS.where(records.c.id.in_(bindparam("ids", expanding=True)))
OFFERS = (
    select(
        records.c.id,
        records.c.version,
        NAME,
        records.c.uid,
        records.c.etag,
        records.c.text,
        records.c.starts,
        records.c.ends,
        records.c.recurring,
        records.c.modified,
    )
    .select_from(records.outerjoin(aliases, ALIAS))
    .where(records.c.tenant == bindparam("tenant"), records.c.kind == bindparam("kind"), records.c.deleted.is_(False))
    .where(records.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(records.c.id)
)
CHANGED = (
    select(audience.c.record_id)
    .distinct()
    .where(
        audience.c.tenant == bindparam("tenant"),
        audience.c.kind == bindparam("kind"),
        audience.c.principal.in_(bindparam("principals", expanding=True)),
        audience.c.change > bindparam("since"),
    )
)
AUDIENCE_OF = select(audience.c.principal, audience.c.active).where(
    audience.c.tenant == bindparam("tenant"),
    audience.c.record_id == bindparam("id"),
    audience.c.principal.in_(bindparam("principals", expanding=True)),
)
# By EXISTS, not by a join: SQLite would walk through the reader's whole audience to find one UID.
WITH_UID = select(records.c.id).where(
    records.c.tenant == bindparam("tenant"),
    records.c.kind == bindparam("kind"),
    records.c.uid == bindparam("uid"),
    records.c.deleted.is_(False),
    exists().where(
        audience.c.tenant == records.c.tenant,
        audience.c.record_id == records.c.id,
        audience.c.principal.in_(bindparam("principals", expanding=True)),
    ),
)
ALIASED = select(aliases.c.record_id).where(
    aliases.c.tenant == bindparam("tenant"),
    aliases.c.login == bindparam("login"),
    aliases.c.kind == bindparam("kind"),
    aliases.c.name == bindparam("name"),
)
NAMED = select(records.c.id).where(
    records.c.tenant == bindparam("tenant"), records.c.kind == bindparam("kind"), records.c.name == bindparam("name")
)
VERSION_AT = (
    select(history)
    .where(history.c.tenant == bindparam("tenant"), history.c.record_id == bindparam("id"), history.c.change <= bindparam("change"))
    .order_by(history.c.version.desc())
    .limit(1)
)
HISTORY = history.insert()
DROP_PERSON = delete(tables.people).where(
    tables.people.c.tenant == bindparam("tenant"), tables.people.c.record_id == bindparam("record_id")
)
AUDIENCE = (
    update(audience)
    .where(audience.c.tenant == bindparam("of_tenant"), audience.c.record_id == bindparam("of_record"))
    .values(
        change=bindparam("at_change"), active=case((audience.c.principal.in_(bindparam("principals", expanding=True)), True), else_=False)
    )
)
SAVE = update(records).where(
    records.c.tenant == bindparam("of_tenant"), records.c.id == bindparam("of_id"), records.c.version == bindparam("of_version")
)


@functools.cache
def _grow(*, everybody: bool, is_sqlite: bool) -> Any:
    """The statement that grows a tenant's change number and returns it."""
    first = insert(counters, is_sqlite=is_sqlite).values(tenant=bindparam("of_tenant"), change=1, everybody=int(everybody))
    changed = {"change": counters.c.change + 1, **({"everybody": counters.c.change + 1} if everybody else {})}
    statement = first.on_conflict_do_update(index_elements=["tenant"], set_=changed).returning(counters.c.change)
    if is_sqlite:
        return statement
    grown = statement.cte("grown")
    return select(grown.c.change, func.pg_notify(literal(CHANNEL), bindparam("of_tenant")))


@functools.cache
def _add(*, is_sqlite: bool) -> Any:
    """The statement that adds a record and returns its id, or nothing if there is one with that id."""
    statement = insert(records, is_sqlite=is_sqlite).on_conflict_do_nothing(index_elements=["tenant", "id"])
    return statement.returning(records.c.id)


def record_from(row: Row) -> Record:
    """The record in a row of the records table."""
    modified, created = from_micros(row.modified), from_micros(row.created)
    assert modified is not None
    assert created is not None
    kind = Kind(row.kind)
    return Record(
        tenant=row.tenant,
        id=row.id,
        kind=kind,
        version=row.version,
        change=row.change,
        name=row.name,
        uid=row.uid,
        value=load_value(kind, row.value),
        leftovers=load_leftovers(row.leftovers),
        text=row.text,
        etag=row.etag,
        starts=row.starts,
        ends=row.ends,
        recurring=row.recurring,
        modified=modified,
        created=created,
        deleted=row.deleted,
    )


def _row_of(record: Record, summary: Summary) -> dict[str, Any]:
    return {
        "tenant": record.tenant,
        "id": record.id,
        "kind": record.kind.value,
        "version": record.version,
        "change": record.change,
        "name": record.name,
        "uid": record.uid,
        "value": dump_value(record.value),
        "leftovers": dump_leftovers(record.leftovers),
        "text": record.text,
        "etag": record.etag,
        "mark": summary.mark,
        "owner": summary.owner,
        "starts": record.starts,
        "ends": record.ends,
        "recurring": record.recurring,
        "modified": to_micros(record.modified),
        "created": to_micros(record.created),
        "deleted": record.deleted,
    }


def _offer(row: Sequence[Any]) -> Offer:
    return Offer(*row[:9], row[9] // 1_000_000)


class RecordsPart(Part):
    """Everything about what is kept."""

    def change(self, tenant: str) -> int:
        return self._connection.execute(CHANGE, {"tenant": tenant}).scalar_one_or_none() or 0

    def next_change(self, tenant: str, *, everybody: bool = False) -> int:
        self.grew = True
        grown = self._connection.execute(_grow(everybody=everybody, is_sqlite=self._is_sqlite), {"of_tenant": tenant})
        return int(grown.scalar_one())

    def counters(self) -> Mapping[str, tuple[int, int]]:
        """Each tenant's change number, and that of the last change that concerned everybody; for those who wait."""
        return {row.tenant: (row.change, row.everybody) for row in self._connection.execute(COUNTERS).all()}

    def moved(self, tenant: str, since: int) -> Sequence[tuple[Kind, str]]:
        """Kinds and principals that records with a change number above ``since`` concern, or concerned until then."""
        return [(Kind(row.kind), row.principal) for row in self._connection.execute(MOVED, {"tenant": tenant, "since": since}).all()]

    def record(self, tenant: str, record_id: str) -> Record | None:
        row = self._connection.execute(RECORD, {"tenant": tenant, "id": record_id}).one_or_none()
        return record_from(row) if row else None

    def records(self, tenant: str, record_ids: Iterable[str]) -> Sequence[Record]:
        return [
            record_from(row)
            for ids in chunks(sorted(set(record_ids)))
            for row in self._connection.execute(RECORDS, {"tenant": tenant, "ids": ids}).all()
        ]

    def all_records(self, tenant: str, kind: Kind) -> Iterator[Record]:
        after = ""
        while rows := self._connection.execute(PAGE, {"tenant": tenant, "kind": kind.value, "after": after}).all():
            yield from map(record_from, rows)
            after = rows[-1].id

    def save_record(self, record: Record, summary: Summary, action: str, actor: Actor) -> None:
        row = _row_of(record, summary)
        if record.version == 1:
            self._insert(record, row)
        else:
            key = {"of_tenant": record.tenant, "of_id": record.id, "of_version": record.version - 1}
            if not self._connection.execute(SAVE, {**key, **row}).rowcount:
                self._refuse(record)
        self._save_audience(record, summary)
        self._save_person(record, summary)
        self._save_history(record, row, action, actor)
        if record.deleted:
            this = {"tenant": record.tenant, "record_id": record.id}
            self._connection.execute(DROP_FRAGMENTS, this)
            self._connection.execute(DROP_PERSON, this)

    def _insert(self, record: Record, row: Mapping[str, Any]) -> None:
        if self._connection.execute(_add(is_sqlite=self._is_sqlite), row).one_or_none() is None:
            self._refuse(record)

    def _refuse(self, record: Record) -> None:
        stored = self.record(record.tenant, record.id)
        raise Conflict(record.version - 1, stored.version if stored else None)

    def _save_audience(self, record: Record, summary: Summary) -> None:
        if record.version > 1:
            moved = {"of_tenant": record.tenant, "of_record": record.id, "at_change": record.change}
            self._connection.execute(AUDIENCE, {**moved, "principals": sorted(summary.audience)})
        rows = [
            {
                "tenant": record.tenant,
                "record_id": record.id,
                "principal": principal,
                "kind": record.kind.value,
                "active": True,
                "change": record.change,
            }
            for principal in sorted(summary.audience)
        ]
        if rows:
            self._save(audience, ("tenant", "record_id", "principal"), rows)

    def _save_person(self, record: Record, summary: Summary) -> None:
        if summary.sought is not None and not record.deleted:
            row = {"tenant": record.tenant, "record_id": record.id, "mark": summary.mark, **summary.sought._asdict()}
            self._save(tables.people, ("tenant", "record_id"), row)

    def _save_history(self, record: Record, row: Mapping[str, Any], action: str, actor: Actor) -> None:
        line = {
            "tenant": record.tenant,
            "record_id": record.id,
            "version": record.version,
            "kind": record.kind.value,
            "at": row["modified"],
            "actor_tenant": actor.identity.tenant,
            "actor_login": actor.identity.user,
            "face": actor.face.value,
            "device": actor.device,
            "action": action,
            "value": row["value"],
            "leftovers": row["leftovers"],
            "change": record.change,
        }
        self._connection.execute(HISTORY, line)

    # ------------------------------------------------------------------ names

    def named(self, identity: Identity, kind: Kind, name: str) -> str | None:
        key = {"tenant": identity.tenant, "login": identity.user, "kind": kind.value, "name": name}
        alias = self._connection.execute(ALIASED, key).scalar_one_or_none()
        if alias is not None:
            return alias
        return self._connection.execute(NAMED, {"tenant": identity.tenant, "kind": kind.value, "name": name}).scalar_one_or_none()

    def name_taken(self, tenant: str, kind: Kind, name: str) -> bool:
        return self._connection.execute(NAMED, {"tenant": tenant, "kind": kind.value, "name": name}).scalar_one_or_none() is not None

    def save_alias(self, identity: Identity, kind: Kind, name: str, record_id: str) -> None:
        row = {"tenant": identity.tenant, "login": identity.user, "kind": kind.value, "name": name, "record_id": record_id}
        self._save(aliases, ("tenant", "login", "kind", "name"), row)

    # --------------------------------------------------------------- audience

    def concerns(self, tenant: str, record_id: str, principals: Iterable[str]) -> bool | None:
        rows = self._connection.execute(AUDIENCE_OF, {"tenant": tenant, "id": record_id, "principals": sorted(principals)}).all()
        return any(row.active for row in rows) if rows else None

    def with_uid(self, tenant: str, kind: Kind, principals: Iterable[str], uid: str) -> Sequence[str]:
        key = {"tenant": tenant, "kind": kind.value, "principals": sorted(principals), "uid": uid}
        return sorted(self._connection.execute(WITH_UID, key).scalars())

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
        key: dict[str, Any] = {"tenant": identity.tenant, "login": identity.user, "kind": kind.value, "principals": sorted(principals)}
        if record_ids is not None:
            return [
                Member(*row)
                for ids in chunks(sorted(set(record_ids)))
                for row in self._connection.execute(MEMBERS_OF, {**key, "ids": ids}).all()
            ]
        query: Select[Any] = MEMBERS
        if starts_before is not None and ends_after is not None:
            query, key = MEMBERS_BETWEEN, {**key, "starts_before": starts_before, "ends_after": ends_after}
        return [Member(*row) for row in self._connection.execute(query, key).all()]

    def changed(self, tenant: str, kind: Kind, principals: Iterable[str], since: int) -> Sequence[str]:
        key = {"tenant": tenant, "kind": kind.value, "principals": sorted(principals), "since": since}
        return sorted(self._connection.execute(CHANGED, key).scalars())

    def offers(self, identity: Identity, kind: Kind, record_ids: Iterable[str]) -> Sequence[Offer]:
        key = {"tenant": identity.tenant, "login": identity.user, "kind": kind.value}
        return [
            _offer(row) for ids in chunks(sorted(set(record_ids))) for row in self._connection.execute(OFFERS, {**key, "ids": ids}).all()
        ]

    # ---------------------------------------------------------------- history

    def history(self, tenant: str, record_id: str) -> Sequence[HistoryLine]:
        query = select(history).where(history.c.tenant == tenant, history.c.record_id == record_id).order_by(history.c.version)
        return [_history_line(row) for row in self._connection.execute(query).all()]

    def version_at(self, tenant: str, record_id: str, change: int) -> HistoryLine | None:
        row = self._connection.execute(VERSION_AT, {"tenant": tenant, "id": record_id, "change": change}).one_or_none()
        return _history_line(row) if row else None

    def prune_history(self, before: datetime) -> int:
        newer = history.alias()
        has_newer = exists().where(
            newer.c.tenant == history.c.tenant, newer.c.record_id == history.c.record_id, newer.c.version > history.c.version
        )
        return self._connection.execute(delete(history).where(history.c.at < to_micros(before), has_newer)).rowcount

    def counts(self, tenant: str) -> Mapping[str, int]:
        kept = select(records.c.kind, func.count()).where(records.c.tenant == tenant, records.c.deleted.is_(False)).group_by(records.c.kind)
        found = {kind.value: 0 for kind in Kind} | {row[0]: row[1] for row in self._connection.execute(kept).all()}
        for name, table in (("history", history), ("feeds", tables.feeds)):
            found[name] = self._connection.execute(select(func.count()).select_from(table).where(table.c.tenant == tenant)).scalar_one()
        return found


def _history_line(row: Row) -> HistoryLine:
    at = from_micros(row.at)
    assert at is not None
    return HistoryLine(
        record_id=row.record_id,
        version=row.version,
        change=row.change,
        at=at,
        actor=Actor(identity=Identity(row.actor_tenant, row.actor_login), face=Face(row.face), device=row.device),
        action=row.action,
        value=load_value(Kind(row.kind), row.value),
        leftovers=load_leftovers(row.leftovers),
    )
