"""The one-port application over an office with a fixed clock, and the clients that speak to it."""

from __future__ import annotations

import hashlib
import re
import warnings

import pytest
import sqlalchemy

from radicale_onoffice import asgi, manual, wiring

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette recommends a successor of httpx that few have yet
    from starlette.testclient import TestClient


class Server:
    """An application with a client for each user and a look behind it."""

    def __init__(self, configuration, office):
        self.configuration, self.office = configuration, office
        self.application = asgi.application(configuration)

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


@pytest.fixture
def serve(tmp_path, sqlite_url, make_office):
    """Make a server; ``lines`` are added to the configuration's sections."""

    def make(policy=None, **options):
        text = manual.sample().replace("sqlite:////var/lib/radicale-onoffice/office.db", sqlite_url)
        text = text.replace("onoffice_tenant = default", "onoffice_tenant = t").replace("level = info", "level = error")
        for name, value in options.items():
            text = re.sub(rf"^{name} =.*$", f"{name} = {value}", text, flags=re.MULTILINE)
        path = tmp_path / "radicale.config"
        path.write_text(text)
        office = make_office(policy)
        wiring.adopt(sqlite_url, office)
        return Server(asgi.load_configuration(str(path)), office)

    yield make
    wiring.forget(sqlite_url)


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def client(server):
    client = server.client()
    client.office = server.office
    return client
