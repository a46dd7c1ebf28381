"""The store over SQLAlchemy Core: SQLite in WAL mode, or PostgreSQL by psycopg 3.

A reading transaction sees one moment. A writing one is BEGIN IMMEDIATE on SQLite and READ COMMITTED on PostgreSQL, where the tenant's
counter row, locked by the first ``next_change``, makes the order of change numbers the order of commits. A database that does not answer
is ``Unavailable``, for which clients are told to come again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from radicale_onoffice.core.errors import Unavailable
from radicale_onoffice.stores import migrations, verifying
from radicale_onoffice.stores.transaction import SqlTransaction

RETRY_AFTER = 30  # seconds that clients wait when the database does not answer
POOL_SIZE = 40  # connections; more threads than that wait
NOT_OURS = frozenset(
    {"42P01", "42703", "42501"}
)  # PostgreSQL: no such table, no such column, no right to it; SQLite counts them as operational
BUSY_TIMEOUT_MS = 15_000  # how long SQLite waits for another process's write


class SqlStore:
    """A database and how to talk to it; safe to share between threads."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self.listeners: tuple[Callable[[], None], ...] = ()  # called, in whatever thread, after a commit that grew a change number
        self._sqlite = engine.dialect.name == "sqlite"
        self._reading = engine if self._sqlite else engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def reading(self) -> Iterator[SqlTransaction]:
        """A transaction that sees one moment and writes nothing."""
        with _translated(), self._reading.connect() as connection:
            yield SqlTransaction(connection)

    @contextmanager
    def writing(self, *, lasting: bool = True) -> Iterator[SqlTransaction]:
        """A transaction that commits at the end of the block and rolls back if the block raises.

        One that is not ``lasting`` does not wait for the disk, and may be lost with the power.
        """
        with _translated(), self.engine.connect() as connection:
            connection.info["writing"] = True
            transaction = SqlTransaction(connection)
            try:
                with self._as_lasting(connection, lasting), connection.begin():
                    if not lasting and not self._sqlite:
                        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
                    yield transaction
            finally:
                connection.info.pop("writing", None)
        if transaction.grew:
            for listener in self.listeners:
                listener()

    @contextmanager
    def _as_lasting(self, connection: Connection, lasting: bool) -> Iterator[None]:
        """On SQLite it is a connection that waits for the disk or does not, and it cannot be told within a transaction."""
        if lasting or not self._sqlite:
            yield
            return
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            if driver.in_transaction:
                driver.execute("ROLLBACK")  # the commit failed: SQLAlchemy would roll back later only, in the pool
            driver.execute("PRAGMA synchronous = FULL")

    def migrate(self) -> None:
        """Bring the schema up to date; several processes may try at once."""
        with _translated():
            migrations.upgrade(self.engine)

    def schema_is_current(self) -> bool:
        """True if no migration is outstanding."""
        with _translated():
            return migrations.is_current(self.engine)

    def verify(self, *, deep: bool) -> Sequence[str]:
        """Problems found, in words for the administrator."""
        with _translated(), self._reading.connect() as connection:
            return verifying.problems(connection, deep=deep)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, PoolTimeout) as error:
        raise Unavailable(f"The database does not answer: {_first_line(error)}", RETRY_AFTER) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("The connection to the database was lost.", RETRY_AFTER) from error
        if getattr(error.orig, "sqlstate", None) in NOT_OURS:
            raise Unavailable(f"The database does not answer: {_first_line(error)}", RETRY_AFTER) from error
        raise


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


def open_store(url: str) -> SqlStore:
    """The store behind a URL: ``sqlite:////absolute/path`` or ``postgresql://user@host/name``. Raises ValueError."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return SqlStore(_sqlite_engine(parsed))
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        return SqlStore(create_engine(parsed, pool_size=POOL_SIZE, max_overflow=0, pool_pre_ping=True, isolation_level="READ COMMITTED"))
    raise ValueError(f"onoffice_database must begin with sqlite:// or postgresql://, not {parsed.drivername}://")


def _sqlite_engine(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ValueError("onoffice_database needs the path of a file: sqlite:////absolute/path/office.db")
    path = Path(url.database)
    if not path.parent.is_dir():
        raise ValueError(
            f"The directory {path.parent} of onoffice_database does not exist; make it, owned by the server's user, mode 0700."
        )
    # Made before SQLite does, because SQLite would go by the umask; -wal and -shm take the file's mode.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    engine = create_engine(
        url, pool_size=POOL_SIZE, max_overflow=0, connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection, _record) -> None:
    connection.isolation_level = None  # the driver begins no transactions of its own
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "cache_size = -4000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection) -> None:
    if connection.info.get("writing"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        # It takes no lock and cannot fail, and SQLAlchemy's way there costs half of what a statement costs.
        connection.connection.driver_connection.execute("BEGIN")
