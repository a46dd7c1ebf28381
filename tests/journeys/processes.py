"""Server processes without sockets: several applications over one database in this interpreter, each of which can lose requests and die.

A process has its own engine, Office and application, as a process of its own would; a request is one call of the ASGI application.
``Fault`` is what a bad network and a bad day do to it. A killed process dies at one of its commits, which then does not happen: nothing
runs in it any more, and a new one is started over the same database.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import shutil
import sqlite3
import threading
import uuid
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import event

from radicale_onoffice import asgi, manual, wiring
from radicale_onoffice.configuration import load_configuration
from radicale_onoffice.core.model import Identity, Tenant, User
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Store
from radicale_onoffice.crm.onoffice.connections import Connections
from radicale_onoffice.crm.onoffice.writing import OnOffice
from radicale_onoffice.pulling import Puller
from radicale_onoffice.stores.sql import open_store
from tests import worlds
from tests.emulation import Emulated
from tests.serving import quiet_logging

USERS = ("anna", "bert")
NAMED = "sqlite:////var/lib/radicale-onoffice/office.db"


class Killed(BaseException):
    """The process is dead."""


class NoAnswer(Exception):
    """The client got no answer: it cannot know whether the request did anything."""


@dataclass(frozen=True)
class Fault:
    """What happens to one request. ``at`` is the byte where it is cut, or the number of the commit that kills."""

    kind: str = ""  # "", "request lost", "answer lost", "cut", "truncated", "killed"
    at: int = 0


FINE = Fault()


class Database:
    """An empty office that can be copied quickly: a SQLite file, or a PostgreSQL database as a template.

    With onOffice as its CRM, each copy has an emulated one, too, which outlives its processes.
    """

    def __init__(self, directory: Path, socket: str = "", crm: str = "embedded"):
        self.directory, self._socket, self.crm = directory, socket, crm
        self.emulated: dict[str, Emulated] = {}  # by URL
        self._images: dict[str, bytes] = {}
        self._template = f"m{uuid.uuid4().hex}"
        self._hasher = wiring.Hasher(argon2__memory_cost=8, argon2__time_cost=1, argon2__parallelism=1)
        if socket:
            self._admin(f"CREATE DATABASE {self._template}")
        self._fill(self._url(self._template))
        self.prepared: object = None  # what belongs to the template, for whoever keeps one

    def _url(self, name: str) -> str:
        return worlds.postgres_url(self._socket, name) if self._socket else f"sqlite:///{self.directory}/{name}.db"

    def _admin(self, statement: str) -> None:
        worlds.administer(self._socket, statement)

    def _fill(self, url: str) -> None:
        store = open_store(url)
        store.migrate()
        office = wiring.assemble(store, policy=Policy(), default_tenant="t", hasher=self._hasher)
        with store.writing() as tx:
            tx.save_tenant(Tenant(name="t"))
        for name in USERS:
            office.accounts.save_user(User(identity=Identity("t", name)), "secret", "test")
        if self.crm == "onoffice":
            self._images = self._connect(store)
        store.close()

    def _connect(self, store: Store) -> dict[str, bytes]:
        """An account at an emulated onOffice, which knows the store's users."""
        emulated = Emulated(store, wiring.utc_now)
        with store.writing() as tx:
            emulated.give_account(tx, "t")
        connection = emulated.connections.to("t")
        assert connection is not None
        connection.account()
        images = emulated.images()
        emulated.close()
        return images

    @contextmanager
    def copied(self):
        """The URL of a fresh copy, which is dropped in the end."""
        name = f"c{uuid.uuid4().hex}"
        if self._socket:
            self._admin(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        else:
            shutil.copy(self.directory / f"{self._template}.db", self.directory / f"{name}.db")
        yield self._url(name)
        emulated = self.emulated.pop(self._url(name), None)
        if emulated is not None:
            emulated.close()
        if self._socket:
            self._admin(f"DROP DATABASE {name} WITH (FORCE)")
        for path in self.directory.glob(f"{name}.db*"):
            path.unlink()

    def keep(self, url: str, prepared: object) -> None:
        """Make a copy the template of all copies to come."""
        name = self._template = f"m{uuid.uuid4().hex}"
        self._images = self.emulated[url].images() if url in self.emulated else {}
        if self._socket:
            source = url.partition("@/")[2].partition("?")[0]
            self._admin(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{source}'")  # noqa: S608 - our own names
            self._admin(f"CREATE DATABASE {name} TEMPLATE {source}")
        else:
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
                connection.execute("VACUUM INTO ?", (str(self.directory / f"{name}.db"),))
        self.prepared = prepared

    def process(self, url: str, clock) -> Process:
        """A new process over a database."""
        config = self.directory / f"{uuid.uuid4().hex}.config"
        text = manual.sample().replace(NAMED, url).replace("onoffice_tenant = default", "onoffice_tenant = t")
        config.write_text(re.sub(r"^level = .*$", "level = warning", text, flags=re.MULTILINE))
        try:
            return Process(url, str(config), clock, self._hasher, lambda store: self._connections(url, store, clock))
        finally:
            config.unlink()

    def _connections(self, url: str, store: Store, clock) -> Connections | None:
        """A process's own, to the onOffice of this copy."""
        if self.crm != "onoffice":
            return None
        if url not in self.emulated:
            self.emulated[url] = Emulated(store, clock, self._images)
        return self.emulated[url].connect(store)


class Process:
    """One server process."""

    loop = asyncio.new_event_loop()  # of this interpreter: an idle loop costs three files

    def __init__(self, url: str, config: str, clock, hasher, connect: Callable[[Store], Connections | None]):
        store = open_store(url)
        if url.startswith("sqlite"):
            # What is tested is what a dead process leaves, not what a dead machine does: no need to wait for the disk.
            event.listen(store.engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous = OFF").close())
        event.listen(store.engine, "commit", self._commit)
        self._connections = connect(store)
        self.office = wiring.assemble(store, policy=Policy(), default_tenant="t", clock=clock, hasher=hasher, connections=self._connections)
        self._ticks = itertools.count(step=1000)
        self.puller = self._puller()
        self._commits_left = 0
        wiring.adopt(url, self.office)
        with quiet_logging():
            self._application = asgi.application(load_configuration(config))
        wiring.forget(url)  # the application keeps it; the next process over this database gets one of its own

    def _commit(self, connection) -> None:
        if self._commits_left and connection.info.get("writing"):
            self._commits_left -= 1
            if not self._commits_left:
                raise Killed

    def _puller(self) -> Puller | None:
        """The thread that a server has for onOffice; here it runs when it is told to (``Puller.round``)."""
        if not isinstance(self.office.crm, OnOffice):
            return None
        return Puller(
            self.office,
            self.office.crm,
            1,
            holder=f"process {uuid.uuid4().hex}",
            monotonic=lambda: next(self._ticks),
            begin=threading.Thread.run,
        )

    def pull(self, fault: Fault = FINE) -> None:
        """Send what waits, and bring the mirror up to date. Raises Killed."""
        if self.puller is None:
            return
        self._commits_left = fault.at if fault.kind == "killed" else 0
        try:
            self.puller.round()
        finally:
            self._commits_left = 0

    def close(self) -> None:
        """End the process."""
        if self._connections is not None:
            self._connections.close()
        self.office.store.close()

    def exchange(self, method: str, path: str, headers: dict[str, str], body: bytes, fault: Fault = FINE):
        """Status, headers and body of the answer. Raises NoAnswer, and Killed if the process died of it."""
        if fault.kind == "request lost":
            raise NoAnswer
        sent = body[: fault.at % len(body)] if fault.kind in ("cut", "truncated") and body else body
        self._commits_left = fault.at if fault.kind == "killed" else 0
        try:
            answer = self.loop.run_until_complete(self._call(method, path, headers, sent, is_cut=fault.kind == "cut"))
        finally:
            self._commits_left = 0
        if answer is None or fault.kind == "answer lost":
            raise NoAnswer
        return answer

    async def _call(self, method: str, path: str, headers: dict[str, str], body: bytes, *, is_cut: bool):
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("192.0.2.1", 1),
            "server": ("office.example", 443),
        }
        messages = [{"type": "http.request", "body": body, "more_body": is_cut}]
        sent: list[dict] = []

        async def receive():
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        await self._application(scope, receive, send)
        if not sent:
            return None
        answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], answered, b"".join(message.get("body", b"") for message in sent[1:])
