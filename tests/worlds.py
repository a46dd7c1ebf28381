"""The worlds that behaviour is tested in: either CRM, over either database engine.

Every test of these suites that has an office runs in each world, unchanged (``conftest.world``). Where CRMs differ in something that
a test counts or is told, it asks the world (``World.of``); a claim that one CRM cannot hold is marked ``crm(…, reason=…)``.

``ONOFFICE_TEST_WORLDS`` names some of them, for who is in a hurry, e.g. ``onoffice-postgresql,embedded-sqlite``.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psycopg

from radicale_onoffice.stores.sql import open_store

T = TypeVar("T")
Copied = Callable[[], AbstractContextManager[str]]  # a database that is migrated already and dropped in the end; its URL


@dataclass(frozen=True, slots=True)
class World:
    """A CRM and an engine."""

    crm: str
    engine: str

    def __str__(self) -> str:
        return f"{self.crm}-{self.engine}"

    def of(self, *, embedded: T, onoffice: T) -> T:
        """What is expected of this world's CRM."""
        return onoffice if self.crm == "onoffice" else embedded


DEFAULT = World("embedded", "sqlite")
ALL = tuple(World(crm, engine) for engine in ("sqlite", "postgresql") for crm in ("embedded", "onoffice"))
SUITES = ("core", "dav", "journeys", "eas")  # the folders whose tests run in all worlds


def chosen(suite: str) -> tuple[World, ...]:
    """The worlds that a suite runs in; none for one that has a world of its own."""
    if suite not in SUITES:
        return ()
    wanted = os.environ.get("ONOFFICE_TEST_WORLDS", "")
    return tuple(world for world in ALL if str(world) in wanted.split(",")) if wanted else ALL


def administer(socket: str, statement: str) -> None:
    """Carry out a statement that no transaction may hold, on the tests' cluster."""
    with psycopg.connect(host=socket, user="onoffice", dbname="postgres", autocommit=True) as connection:
        connection.execute(statement)


def postgres_url(socket: str, name: str) -> str:
    """Where a database of the tests' cluster is."""
    return f"postgresql://onoffice@/{name}?host={socket}"


def migrated(url: str) -> None:
    """Bring a database to the newest schema."""
    store = open_store(url)
    store.migrate()
    store.close()


def sqlite_copies(directory: Path) -> Copied:
    """Copies of a file that is migrated once."""
    template = directory / "template.db"
    migrated(f"sqlite:///{directory}/migrated.db")
    with closing(sqlite3.connect(directory / "migrated.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(template),))
    template.chmod(0o600)  # as a store makes its own

    @contextmanager
    def copied() -> Iterator[str]:
        name = f"c{uuid.uuid4().hex}.db"
        shutil.copy(template, directory / name)
        yield f"sqlite:///{directory}/{name}"
        for path in directory.glob(f"{name}*"):
            path.unlink()

    return copied


def postgres_copies(socket: str) -> Copied:
    """Copies of a database that is migrated once."""
    template = f"m{uuid.uuid4().hex}"
    administer(socket, f"CREATE DATABASE {template}")
    migrated(postgres_url(socket, template))

    @contextmanager
    def copied() -> Iterator[str]:
        name = f"c{uuid.uuid4().hex}"
        administer(socket, f"CREATE DATABASE {name} TEMPLATE {template}")
        yield postgres_url(socket, name)
        administer(socket, f"DROP DATABASE {name} WITH (FORCE)")

    return copied
