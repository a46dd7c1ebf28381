"""Who waits for changes, and how a commit reaches them: thousands of phones in one asyncio loop, none of which polls.

A waiter takes a ticket before it looks at its feeds, so that nothing falls between the look and the wait. A signal says only that some
tenant's change number may have grown: it comes from a commit of this process at once (``SqlStore.listeners``), from those of others by one
thread, which on SQLite asks for the file's data version and on PostgreSQL listens to what ``next_change`` notifies. Then the counters
are read, and of each that has grown the audience rows that moved, and exactly the tickets whose principals they name are woken; a change
that is none of a record (gates, rights, devices) wakes the whole tenant. Being woken without news is possible, and harmless.
"""

from __future__ import annotations

import asyncio
import logging
import selectors
import socket
import threading
from collections.abc import Callable, Collection, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from radicale_onoffice.core.errors import Unavailable
from radicale_onoffice.core.model import Kind
from radicale_onoffice.stores.records import CHANNEL
from radicale_onoffice.stores.sql import SqlStore
from radicale_onoffice.stores.transaction import SqlTransaction

logger = logging.getLogger(__name__)

POLL = 0.25  # seconds between two looks at SQLite's data version
RETRY = 1.0  # seconds until a lost database is tried again
NEVER = (0, 0)  # numbers of a tenant that has not changed yet
GRACE = 5.0  # seconds that a closing hub waits for its listener
ALIVE = 30.0  # seconds of silence after which PostgreSQL is asked whether it is still there


class Ticket:
    """One waiter's place; to be used in the hub's loop only."""

    __slots__ = ("_future", "_hub", "_is_over", "_is_woken", "keys", "tenant")

    def __init__(self, hub: Hub, tenant: str, keys: tuple[tuple[Kind, str], ...]):
        self._hub, self.tenant, self.keys = hub, tenant, keys
        self._is_woken = self._is_over = False
        self._future: asyncio.Future[None] | None = None

    async def wait(self, timeout: float) -> bool:
        """True as soon as something changed since the ticket was taken or last said so; False after ``timeout`` seconds or a cancel.

        Who is told True looks again, and may wait again with the same ticket.
        """
        if not self._is_woken and not self._is_over and timeout > 0:
            loop = asyncio.get_running_loop()
            self._future = loop.create_future()
            clock = loop.call_later(timeout, _resolve, self._future)
            try:
                await self._future
            finally:
                clock.cancel()
                self._future = None
        woken = self._is_woken and not self._is_over
        self._is_woken = False
        return woken

    def cancel(self) -> None:
        """Give the place up; whoever waits is told False. May be called again."""
        self._is_over = True
        self._hub.forget(self)
        self._ring()

    def wake(self) -> None:
        """Tell that something changed."""
        self._is_woken = True
        self._ring()

    def _ring(self) -> None:
        if self._future is not None:
            _resolve(self._future)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Hub:
    """Tickets by whom they wait for; all but ``_signal`` and ``_read`` run in the loop."""

    def __init__(self, store: SqlStore):
        self._store = store
        self._tickets: dict[str, dict[Ticket, None]] = {}
        self._by_key: dict[tuple[str, Kind, str], dict[Ticket, None]] = {}
        self._seen: Mapping[str, tuple[int, int]] = {}
        self._is_open = False
        self._is_signalled = threading.Event()

    def start(self) -> None:
        """Begin to listen, in the running loop; raises Unavailable if the database does not answer."""
        self._loop = asyncio.get_running_loop()
        with self._store.reading() as tx:
            self._seen = tx.counters()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="wake-reader")
        self._listener = _listener(self._store.engine, self._signal)
        self._store.listeners = (*self._store.listeners, self._signal)
        self._is_open = True
        self._listener.start()

    def close(self) -> None:
        """Stop listening; whoever waits is told False."""
        if not self._is_open:
            return
        self._is_open = False
        self._store.listeners = tuple(one for one in self._store.listeners if one != self._signal)
        self._listener.stop()
        self._reader.shutdown(wait=True)
        for tickets in list(self._tickets.values()):
            for ticket in list(tickets):
                ticket.cancel()

    def watch(self, tenant: str, principals: frozenset[str], kinds: frozenset[Kind]) -> Ticket:
        """A place among those who wait, to be taken before looking at the feeds and to be given up by ``cancel``."""
        ticket = Ticket(self, tenant, tuple((kind, principal) for kind in kinds for principal in principals))
        if not self._is_open:
            ticket.cancel()
            return ticket
        self._tickets.setdefault(tenant, {})[ticket] = None
        for kind, principal in ticket.keys:
            self._by_key.setdefault((tenant, kind, principal), {})[ticket] = None
        return ticket

    def forget(self, ticket: Ticket) -> None:
        """Take a ticket out of the books."""
        _drop(self._tickets, ticket.tenant, ticket)
        for kind, principal in ticket.keys:
            _drop(self._by_key, (ticket.tenant, kind, principal), ticket)

    @property
    def waiting(self) -> int:
        """How many tickets are out; for metrics."""
        return sum(map(len, self._tickets.values()))

    # -------------------------------------------------------------- signals

    def _signal(self) -> None:
        """Something may have changed; from any thread, and many at once make one reading."""
        if self._is_signalled.is_set():
            return
        self._is_signalled.set()
        try:
            self._reader.submit(self._read)
        except RuntimeError:
            logger.debug("a commit was signalled to a hub that is closed")

    def _read(self) -> None:
        """Runs in the reader's only thread, so that what was seen grows in order."""
        # Cleared before reading: a commit that the reading may miss signals again.
        self._is_signalled.clear()
        try:
            with self._store.reading() as tx:
                counters = tx.counters()
                # Asked after the counters were read: whoever took a ticket before one of these changes is among them.
                grown = [name for name, numbers in counters.items() if numbers > self._seen.get(name, NEVER) and name in self._tickets]
                moved = {name: _moved(tx, name, counters[name], self._seen.get(name, NEVER)) for name in grown}
        except Unavailable as error:
            logger.warning("those who wait cannot be told of changes: %s", error)
            self._in_loop(self._loop.call_later, RETRY, self._signal)
            return
        self._seen = counters
        if moved:
            self._in_loop(self._wake, moved)

    def _in_loop(self, call: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            logger.debug("the loop has ended before those who wait could be told")

    def _wake(self, moved: Mapping[str, Collection[tuple[Kind, str]] | None]) -> None:
        for tenant, concerned in moved.items():
            if concerned is None:
                for ticket in self._tickets.get(tenant, ()):
                    ticket.wake()
                continue
            for kind, principal in concerned:
                for ticket in self._by_key.get((tenant, kind, principal), ()):
                    ticket.wake()


def _moved(tx: SqlTransaction, tenant: str, now: tuple[int, int], seen: tuple[int, int]) -> Collection[tuple[Kind, str]] | None:
    """The kinds and principals that a tenant's changes concern; None: everybody."""
    return None if now[1] > seen[1] else tx.moved(tenant, seen[0])


def _drop(books: dict[Any, dict[Ticket, None]], key: Hashable, ticket: Ticket) -> None:
    tickets = books.get(key)
    if tickets is not None:
        tickets.pop(ticket, None)
        if not tickets:
            del books[key]


# ------------------------------------------------------------ other processes


class Listener(threading.Thread):
    """The one thread that hears of other processes' commits."""

    def __init__(self, engine: Engine, signal: Callable[[], None]):
        super().__init__(name="wake-listener", daemon=True)
        self._engine, self._signal = engine, signal
        self._ends, self._end = socket.socketpair()  # readable = to end; a poll can wait for it beside the database's socket

    def run(self) -> None:
        """Listen, and begin anew when the database is lost."""
        pause = 0.0
        while not self._is_over(pause):
            try:
                with closing(self._connection()) as connection:
                    self._listen(connection)
            except (DBAPIError, PoolTimeout, self._engine.dialect.loaded_dbapi.Error) as error:
                logger.warning("the connection that hears of changes was lost, trying again: %s", error)
            pause = RETRY

    def _connection(self) -> Any:
        """A connection of the driver's that the pool knows no more."""
        pooled = self._engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        return connection

    def _listen(self, connection: Any) -> None:
        """Signal whenever something may have changed, until the end or an error of the driver."""
        raise NotImplementedError

    def _is_over(self, timeout: float, *others: int) -> bool:
        """Wait until it is over, one of the other descriptors can be read, or the time is up; no select(), which ends at 1,024 of them."""
        with selectors.DefaultSelector() as selector:
            for source in (self._ends.fileno(), *others):
                selector.register(source, selectors.EVENT_READ)
            return any(key.fd == self._ends.fileno() for key, _ in selector.select(timeout))

    def stop(self) -> None:
        """End the thread and wait for it, but not for a database that does not answer."""
        self._end.send(b"x")
        self.join(GRACE)
        if not self.is_alive():
            self._end.close()
            self._ends.close()


class SqliteListener(Listener):
    """Asks for the data version, which the commits of other connections change; a look costs a few microseconds."""

    def _listen(self, connection: Any) -> None:
        known = None
        while not self._is_over(POLL if known is not None else 0):
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != known:
                known = version
                self._signal()


class PostgresListener(Listener):
    """Listens to what ``next_change`` notifies, which PostgreSQL sends at the commit."""

    def _listen(self, connection: Any) -> None:
        connection.autocommit = True
        connection.execute(f"LISTEN {CHANNEL}")
        # What was committed while nobody listened has to be looked at once; and a look too many costs nothing.
        self._signal()
        while not self._is_over(ALIVE, connection.fileno()):
            connection.execute("SELECT 1")  # tells in time of a server that went away without a word
            for _ in connection.notifies(timeout=0):
                pass
            self._signal()


def _listener(engine: Engine, signal: Callable[[], None]) -> Listener:
    return SqliteListener(engine, signal) if engine.dialect.name == "sqlite" else PostgresListener(engine, signal)
