"""The one-port application over an office with a fixed clock, for the tests of both faces."""

from __future__ import annotations

import hashlib
import logging
import re
import warnings
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy

from radicale_onoffice import asgi, manual, wiring
from radicale_onoffice.configuration import load_configuration
from tests.judging.hearing import listening

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette recommends a successor of httpx that few have yet
    from starlette.testclient import TestClient


@contextmanager
def quiet_logging():
    """Radicale wraps the factory of log records once more for each application, a thousand of which are too deep to log,
    and logs each request: once is enough."""
    logger, factory = logging.getLogger("radicale"), logging.getLogRecordFactory()
    handlers, is_set_up = list(logger.handlers), factory is not logging.LogRecord
    try:
        yield
    finally:
        if is_set_up:
            logging.setLogRecordFactory(factory)
            logger.handlers[:] = handlers
        logger.setLevel(logging.ERROR)


class Server:
    """An application with a client for each user and a look behind it."""

    def __init__(self, configuration, office):
        self.configuration, self.office = configuration, office
        with quiet_logging():
            self.application = listening(asgi.application(configuration))

    def client(self, login: str | None = "anna", password: str = "secret", **headers):
        client = TestClient(self.application, follow_redirects=False, headers=headers)
        client.auth = (login, password) if login else None
        return client

    def store_hash(self) -> str:
        """Digest of all records and history: equal if nothing was changed."""
        digest = hashlib.sha256()
        with self.office.store.engine.connect() as connection:
            for table in ("records", "history", "audience", "aliases"):
                rows = connection.execute(sqlalchemy.text(f"SELECT * FROM {table} ORDER BY 1, 2, 3")).all()  # noqa: S608 - our own names
                digest.update(repr(rows).encode())
        return digest.hexdigest()


def open_server(directory: Path, url: str, office, **options) -> Server:
    """A server over an office, until ``wiring.forget(url)``; ``options`` replace lines of the sample configuration."""
    text = manual.sample().replace("sqlite:////var/lib/radicale-onoffice/office.db", url)
    text = text.replace("onoffice_tenant = default", "onoffice_tenant = t").replace("level = info", "level = error")
    for name, value in options.items():
        text = re.sub(rf"^{name} =.*$", f"{name} = {value}", text, flags=re.MULTILINE)
    path = directory / "radicale.config"
    path.write_text(text)
    wiring.adopt(url, office)
    return Server(load_configuration(str(path)), office)
