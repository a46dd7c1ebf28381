"""Alembic migrations, run from the package: no alembic.ini is needed."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

LOCK_NUMBER = 7_226_366  # PostgreSQL advisory lock that keeps two starting processes apart; any fixed number does


def configuration() -> Config:
    """Alembic's configuration, pointing at this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def head() -> str | None:
    """The newest revision."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def is_current(engine: Engine) -> bool:
    """True if the database is at the newest revision."""
    with engine.connect() as connection:
        return _current(connection) == head()


def upgrade(engine: Engine, to: str = "head") -> None:
    """Bring the database to the newest revision, or to one before; of several processes one does it and the others wait."""
    if is_current(engine):
        return
    with engine.connect() as connection:
        connection.info["writing"] = True
        try:
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK_NUMBER})
                if _current(connection) != head():
                    config = configuration()
                    config.attributes["connection"] = connection
                    command.upgrade(config, to)
        finally:
            connection.info.pop("writing", None)
