"""What the parts of a transaction share: moments, chunks, and insert-or-replace in either dialect."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
CHUNK = 500  # ids in one IN list; SQLite of old takes 999 parameters


def to_micros(moment: datetime | None) -> int | None:
    """POSIX microseconds of an aware moment."""
    if moment is None:
        return None
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_micros(micros: int | None) -> datetime | None:
    """The UTC moment of POSIX microseconds."""
    if micros is None:
        return None
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def chunks(items: Iterable[T]) -> Iterator[Sequence[T]]:
    """The items in lists of at most CHUNK."""
    everything = list(items)
    for start in range(0, len(everything), CHUNK):
        yield everything[start : start + CHUNK]


def insert(table: Table, *, is_sqlite: bool) -> sqlite.Insert | postgresql.Insert:
    """The dialect's INSERT, which can say what to do about a row that is there."""
    return sqlite.insert(table) if is_sqlite else postgresql.insert(table)


@functools.cache
def upsert(table: Table, keys: tuple[str, ...], *, is_sqlite: bool) -> Insert:
    """INSERT that replaces the row with the same keys."""
    statement = insert(table, is_sqlite=is_sqlite)
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=list(keys), set_=changed)


class Part:
    """Base of the parts: the connection and its dialect."""

    _connection: Connection
    _is_sqlite: bool
    grew: bool  # has a change number grown: somebody may wait for that

    def _save(self, table: Table, keys: tuple[str, ...], row: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        self._connection.execute(upsert(table, keys, is_sqlite=self._is_sqlite), row)
