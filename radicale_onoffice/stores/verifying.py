"""Checks of a database's inner agreement, each told in a sentence for the administrator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256

from sqlalchemy import Connection, and_, exists, func, select

from radicale_onoffice.core.model import Kind
from radicale_onoffice.stores import tables
from radicale_onoffice.stores.devices import device_from
from radicale_onoffice.stores.records import record_from

records, audience, history, counters, feeds, entries = (
    tables.records,
    tables.audience,
    tables.history,
    tables.counters,
    tables.feeds,
    tables.feed_entries,
)
flavours, fragments = tables.flavours, tables.fragments
BATCH = 500


def problems(connection: Connection, *, deep: bool) -> list[str]:
    """What does not agree; empty = all is well."""
    found = list(_integrity(connection))
    if deep:
        for check in (
            _decodable,
            _history_agrees,
            _audience_agrees,
            _numbers_agree,
            _feeds_agree,
            _devices_agree,
            _fragments_agree,
            _people_agree,
        ):
            found += check(connection)
    return found


def _integrity(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        for (line,) in connection.exec_driver_sql("PRAGMA quick_check"):
            if line != "ok":
                yield f"SQLite finds its file damaged: {line}. Restore it from a backup."


def _decodable(connection: Connection) -> Iterator[str]:
    query = select(records).order_by(records.c.tenant, records.c.id).execution_options(yield_per=BATCH)
    for row in connection.execute(query):
        try:
            record = record_from(row)
        except (ValueError, TypeError, KeyError) as error:
            yield f"Record {row.id} of {row.tenant} cannot be read: {error}."
            continue
        if record.etag != f'"{sha256(record.text.encode()).hexdigest()[:32]}"':
            yield f"Record {row.id} of {row.tenant} has an etag that is not that of its text."


def _history_agrees(connection: Connection) -> Iterator[str]:
    newest = (
        select(history.c.tenant, history.c.record_id, func.max(history.c.version).label("version"))
        .group_by(history.c.tenant, history.c.record_id)
        .subquery()
    )
    query = (
        select(records.c.tenant, records.c.id, records.c.version, newest.c.version.label("kept"))
        .select_from(records.outerjoin(newest, and_(newest.c.tenant == records.c.tenant, newest.c.record_id == records.c.id)))
        .where(records.c.version != func.coalesce(newest.c.version, -1))
    )
    for row in connection.execute(query):
        yield f"Record {row.id} of {row.tenant} is at version {row.version}, its history at {row.kept}."


def _audience_agrees(connection: Connection) -> Iterator[str]:
    query = (
        select(audience.c.tenant, audience.c.record_id, audience.c.principal)
        .select_from(audience.outerjoin(records, and_(records.c.tenant == audience.c.tenant, records.c.id == audience.c.record_id)))
        .where(
            (records.c.id.is_(None))
            | (records.c.change != audience.c.change)
            | (records.c.kind != audience.c.kind)
            | (audience.c.active & records.c.deleted)
        )
    )
    for row in connection.execute(query):
        yield f"The audience row {row.principal} of record {row.record_id} of {row.tenant} does not agree with the record."


def _numbers_agree(connection: Connection) -> Iterator[str]:
    query = (
        select(records.c.tenant, records.c.id, records.c.change)
        .select_from(records.outerjoin(counters, counters.c.tenant == records.c.tenant))
        .where(records.c.change > func.coalesce(counters.c.change, 0))
    )
    for row in connection.execute(query):
        yield f"Record {row.id} of {row.tenant} has change number {row.change}, above the tenant's counter."
    # A version without a number is older than the numbers' keeping.
    versions = (
        select(records.c.tenant, records.c.id, history.c.version, history.c.change)
        .join(history, and_(history.c.tenant == records.c.tenant, history.c.record_id == records.c.id))
        .where((history.c.change > records.c.change) | ((history.c.version == records.c.version) & (history.c.change != records.c.change)))
    )
    for line in connection.execute(versions):
        yield f"Version {line.version} of record {line.id} of {line.tenant} has change number {line.change}, which is not the record's."
    everybody = select(counters.c.tenant).where(counters.c.everybody > counters.c.change)
    for (tenant,) in connection.execute(everybody):
        yield f"The counter of {tenant} knows a change for everybody that it has not come to."


def _feeds_agree(connection: Connection) -> Iterator[str]:
    ahead = select(entries.c.feed_id, entries.c.record_id).join(feeds, feeds.c.id == entries.c.feed_id).where(entries.c.seq > feeds.c.seq)
    for row in connection.execute(ahead):
        yield f"Entry {row.record_id} of feed {row.feed_id} is ahead of its feed."
    unborn = select(entries.c.feed_id, entries.c.record_id).where(
        (entries.c.born > entries.c.live_since) | (entries.c.live_since > entries.c.seq)
    )
    for row in connection.execute(unborn):
        yield f"Entry {row.record_id} of feed {row.feed_id} is older than its birth."
    twins = select(entries.c.feed_id, entries.c.seq).group_by(entries.c.feed_id, entries.c.seq).having(func.count() > 1)
    for row in connection.execute(twins):
        yield f"Feed {row.feed_id} has number {row.seq} twice."
    names = (
        select(entries.c.feed_id, entries.c.name)
        .where(entries.c.live.is_(True))
        .group_by(entries.c.feed_id, entries.c.name)
        .having(func.count() > 1)
    )
    for row in connection.execute(names):
        yield f"Feed {row.feed_id} offers two records as {row.name}."
    live = select(func.count()).where(entries.c.feed_id == feeds.c.id, entries.c.live.is_(True)).scalar_subquery()
    for row in connection.execute(select(feeds.c.id, feeds.c.live, live.label("found")).where(feeds.c.live != live)):
        yield f"Feed {row.id} says that it offers {row.live} records, and offers {row.found}."
    fresh = (
        select(entries.c.feed_id, entries.c.record_id)
        .select_from(
            entries.join(feeds, feeds.c.id == entries.c.feed_id)
            .join(counters, and_(counters.c.tenant == feeds.c.tenant, counters.c.change == feeds.c.change))
            .outerjoin(records, and_(records.c.tenant == feeds.c.tenant, records.c.id == entries.c.record_id))
        )
        .where(entries.c.live.is_(True), (records.c.id.is_(None)) | records.c.deleted | (records.c.etag != entries.c.etag))
    )
    for row in connection.execute(fresh):
        yield f"Feed {row.feed_id} offers record {row.record_id}, which is not as the feed says."


def _devices_agree(connection: Connection) -> Iterator[str]:
    for row in connection.execute(select(tables.devices)):
        try:
            device_from(row)
        except (ValueError, TypeError, KeyError) as error:
            yield f"Device {row.id} of {row.login}@{row.tenant} cannot be read: {error}. Remove it with `device remove`."
    for row in connection.execute(select(tables.sync_states)):
        try:
            json.loads(row.text)
        except ValueError as error:
            yield f"What device {row.device_id} of {row.login}@{row.tenant} has of {row.collection} cannot be read: {error}. Resync it."


def _fragments_agree(connection: Connection) -> Iterator[str]:
    query = (
        select(fragments.c.record_id, flavours.c.tenant, flavours.c.name)
        .select_from(
            fragments.join(flavours, flavours.c.id == fragments.c.flavour_id).outerjoin(
                records, and_(records.c.tenant == flavours.c.tenant, records.c.id == fragments.c.record_id)
            )
        )
        .where((records.c.id.is_(None)) | (fragments.c.version > records.c.version))
    )
    for row in connection.execute(query):
        yield f"Record {row.record_id} of {row.tenant} is encoded ({row.name}) in a version that it never had."


def _people_agree(connection: Connection) -> Iterator[str]:
    is_contact = (records.c.kind == Kind.CONTACTS.value) & records.c.deleted.is_(False)
    both = and_(records.c.tenant == tables.people.c.tenant, records.c.id == tables.people.c.record_id)
    missing = select(records.c.tenant, records.c.id).where(is_contact, ~exists().where(both))
    for row in connection.execute(missing):
        yield f"Contact {row.id} of {row.tenant} cannot be found in lists; save it again."
    left = select(tables.people.c.tenant, tables.people.c.record_id).where(~exists().where(both, is_contact))
    for row in connection.execute(left):
        yield f"Lists of {row.tenant} have the contact {row.record_id}, which is none."
