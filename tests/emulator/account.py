"""One customer's account: its rows in SQLite, its clock, its switches, who may do what, and the log.

Times are stored as UTC text ``YYYY-MM-DD HH:MM:SS``; the zone in which a field is shown is the business of who shows it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from .fields import STANDARD_FIELDS, STANDARD_KINDS
from .switches import Switches, Value

Row = dict[str, Any]
SCHEMA = """
CREATE TABLE IF NOT EXISTS record (kind TEXT, id INTEGER, data TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (kind TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY AUTOINCREMENT, address INTEGER NOT NULL, what TEXT NOT NULL, type TEXT NOT NULL,
    value TEXT NOT NULL, comment TEXT NOT NULL DEFAULT '', standard INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS entry_address ON entry (address);
CREATE TABLE IF NOT EXISTS relation (type TEXT, parent INTEGER, child INTEGER, info TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (type, parent, child)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS relation_child ON relation (type, child);
CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, module TEXT NOT NULL, action TEXT NOT NULL,
    user INTEGER NOT NULL, resource INTEGER NOT NULL, target_table TEXT NOT NULL DEFAULT '', target INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS denied (user INTEGER, module TEXT, action TEXT, record INTEGER, PRIMARY KEY (user, module, action, record));
CREATE TABLE IF NOT EXISTS api_user (token TEXT PRIMARY KEY, secret TEXT NOT NULL, user INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS request (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, actions TEXT NOT NULL, http INTEGER NOT NULL,
    codes TEXT NOT NULL, fault TEXT NOT NULL, asked TEXT NOT NULL, answered TEXT NOT NULL);
"""
KEPT_REQUESTS = 2000
STAMP = "%Y-%m-%d %H:%M:%S"


def system_clock() -> datetime:
    return datetime.now(UTC)


class Account:
    """The database of one customer; every method may be called from any thread."""

    def __init__(
        self,
        path: str | Path = ":memory:",
        *,
        clock: Callable[[], datetime] = system_clock,
        switches: Mapping[str, Value] | None = None,
        zone: str = "Europe/Berlin",
        image: bytes = b"",
    ):
        """``image`` is what the account begins with: ``image()`` of another one."""
        self.lock = threading.RLock()
        self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        if image:
            self.connection.deserialize(image)
        self.connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + SCHEMA)
        self.clock, self.zone = clock, ZoneInfo(zone)
        self.base = "https://emulator.example"  # of links to pictures
        self.switches = Switches({**self.setting("switches", {}), **(switches or {})})
        self.fields: dict[str, dict[str, Row]] = self.setting("fields", STANDARD_FIELDS)
        self.kinds: list[Row] = self.setting("kinds", STANDARD_KINDS)

    def close(self) -> None:
        self.connection.close()

    def image(self) -> bytes:
        """All that is stored."""
        with self.lock:
            return self.connection.serialize()

    # ------------------------------------------------------------------ SQL

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.lock:
            return self.connection.execute(sql, values).fetchall()

    @contextmanager
    def action(self) -> Iterator[None]:
        """All of it or nothing; one at a time."""
        with self.lock:
            self.connection.execute("SAVEPOINT action")
            try:
                yield
            except BaseException:
                self.connection.execute("ROLLBACK TO action")
                raise
            finally:
                self.connection.execute("RELEASE action")

    def setting(self, name: str, default: Any) -> Any:
        found = self.query("SELECT value FROM setting WHERE name = ?", name)
        return json.loads(found[0][0] if found else json.dumps(default))

    def keep_setting(self, name: str, value: Any) -> None:
        self.query("INSERT OR REPLACE INTO setting VALUES (?, ?)", name, json.dumps(value))

    # -------------------------------------------------------------- records

    def row(self, kind: str, number: int) -> Row | None:
        found = self.query("SELECT data FROM record WHERE kind = ? AND id = ?", kind, number)
        return json.loads(found[0][0]) if found else None

    def rows(self, kind: str, where: str = "1", values: tuple[Any, ...] = (), *, order: str = "id", limit: int = -1, offset: int = 0):
        """Numbers and data; ``where`` and ``order`` are SQL over ``record``, made by ``filters``."""
        sql = f"SELECT id, data FROM record WHERE kind = ? AND {where} ORDER BY {order} LIMIT ? OFFSET ?"
        return [(number, json.loads(data)) for number, data in self.query(sql, kind, *values, limit, offset)]

    def count(self, kind: str, where: str = "1", values: tuple[Any, ...] = ()) -> int:
        return self.query(f"SELECT count(*) FROM record WHERE kind = ? AND {where}", kind, *values)[0][0]

    def insert(self, kind: str, data: Row, number: int = 0) -> int:
        """A number is never used twice."""
        with self.lock:
            last = (self.query("SELECT last FROM counter WHERE kind = ?", kind) or [(0,)])[0][0]
            number = number or last + 1
            self.query("INSERT OR REPLACE INTO counter VALUES (?, ?)", kind, max(last, number))
            self.query("INSERT INTO record VALUES (?, ?, ?)", kind, number, json.dumps(data))
        return number

    def update(self, kind: str, number: int, data: Row) -> None:
        self.query("UPDATE record SET data = ? WHERE kind = ? AND id = ?", json.dumps(data), kind, number)

    def remove(self, kind: str, number: int) -> None:
        self.query("DELETE FROM record WHERE kind = ? AND id = ?", kind, number)

    # ------------------------------------------------------------ relations

    def children(self, kind: str, parent: int) -> list[int]:
        return [row[0] for row in self.query("SELECT child FROM relation WHERE type = ? AND parent = ? ORDER BY child", kind, parent)]

    def parents(self, kind: str, child: int) -> list[int]:
        return [row[0] for row in self.query("SELECT parent FROM relation WHERE type = ? AND child = ? ORDER BY parent", kind, child)]

    def link(self, kind: str, parent: int, child: int, info: Row | None = None) -> None:
        self.query("INSERT OR REPLACE INTO relation VALUES (?, ?, ?, ?)", kind, parent, child, json.dumps(info or {}))

    def unlink(self, kind: str, parent: int, child: int) -> None:
        self.query("DELETE FROM relation WHERE type = ? AND parent = ? AND child = ?", kind, parent, child)

    # ---------------------------------------------------------------- times

    def now(self) -> datetime:
        """The service's time, UTC."""
        return self.clock().astimezone(UTC) + timedelta(seconds=float(self.switches["clock_skew"]))

    def stamp(self) -> str:
        return self.now().strftime(STAMP)

    def shown(self, stamp: str, zone: Value) -> str:
        """A stored stamp as the switch for its zone wants it."""
        if zone == "utc" or not stamp:
            return stamp
        return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC).astimezone(self.zone).strftime(STAMP)

    def stored(self, text: str, zone: Value) -> str:
        """The reverse of ``shown``, for values of filters; a date is its midnight."""
        full = text if len(text) > 10 else f"{text} 00:00:00"
        if zone == "utc":
            return full
        return datetime.strptime(full, STAMP).replace(tzinfo=self.zone).astimezone(UTC).strftime(STAMP)

    def utc(self, wall: str) -> datetime:
        """An appointment's wall time in UTC."""
        return datetime.strptime(wall, STAMP).replace(tzinfo=self.zone).astimezone(UTC)

    # --------------------------------------------------------------- rights

    def deny(self, user: int, module: str, action: str, record: int = 0) -> None:
        self.query("INSERT OR IGNORE INTO denied VALUES (?, ?, ?, ?)", user, module, action, record)

    def allow(self, user: int, module: str, action: str, record: int = 0) -> None:
        self.query("DELETE FROM denied WHERE user = ? AND module = ? AND action = ? AND record = ?", user, module, action, record)

    def may(self, user: int, module: str, action: str, record: int = 0) -> bool:
        sql = "SELECT 1 FROM denied WHERE user = ? AND module = ? AND action = ? AND record IN (0, ?)"
        return not self.query(sql, user, module, action, record)

    def readable(self, user: int, module: str) -> tuple[str, tuple[Any, ...]]:
        """SQL that holds for the records that the user may read."""
        if not self.may(user, module, "read"):
            return "0", ()
        return "id NOT IN (SELECT record FROM denied WHERE user = ? AND module = ? AND action = 'read')", (user, module)

    # ------------------------------------------------------------------ log

    def write_log(self, module: str, action: str, user: int, resource: int, target_table: str = "", target: int = 0) -> None:
        sql = "INSERT INTO log (at, module, action, user, resource, target_table, target) VALUES (?, ?, ?, ?, ?, ?, ?)"
        self.query(sql, self.stamp(), module, action, user, resource, target_table, target)

    def write_request(self, actions: str, http: int, codes: str, fault: str, asked: str, answered: str) -> None:
        sql = "INSERT INTO request (at, actions, http, codes, fault, asked, answered) VALUES (?, ?, ?, ?, ?, ?, ?)"
        self.query(sql, self.stamp(), actions, http, codes, fault, asked, answered)
        self.query("DELETE FROM request WHERE id <= (SELECT max(id) FROM request) - ?", KEPT_REQUESTS)

    # ---------------------------------------------------------------- people

    def user(self, name: str) -> int:
        """The number of the user with this login, or 0."""
        found = self.query("SELECT id FROM record WHERE kind = 'user' AND json_extract(data, '$.Name') = ?", name)
        return found[0][0] if found else 0

    def login(self, number: int) -> str:
        return (self.row("user", number) or {}).get("Name", "")

    def groups_of(self, user: int) -> set[int]:
        return {number for number, group in self.rows("group") if user in group["users"]}
