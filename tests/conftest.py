"""Fixtures: a fixed clock, a cheap hasher, a store in a temporary file, and the application over both."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from radicale_onoffice import wiring
from radicale_onoffice.core.model import Identity, Tenant, User
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.stores.sql import open_store
from tests import emulation, postgres, worlds
from tests.serving import open_server

pytest_plugins = ("tests.judging.plugin",)
START = datetime(2026, 3, 15, 8, 30, tzinfo=UTC)  # 09:30 in Berlin, a Sunday two weeks before the clocks change


class FixedClock:
    """A clock that stands until it is set."""

    def __init__(self, now: datetime = START):
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def pytest_generate_tests(metafunc):
    """Run what has an office in each world of its suite."""
    chosen = worlds.chosen(Path(metafunc.definition.path).parent.name) if "world" in metafunc.fixturenames else ()
    mark = metafunc.definition.get_closest_marker("crm")
    chosen = [world for world in chosen if mark is None or world.crm in mark.args]
    if chosen:
        metafunc.parametrize("world", chosen, indirect=True, ids=str, scope="session")


def pytest_collection_modifyitems(items):
    """For workers: what takes long begins first and goes to any of them; a file's tests of one world stay together and share what they prepare."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        world = item.callspec.params.get("world", "") if hasattr(item, "callspec") else ""
        group = item.nodeid if item.get_closest_marker("slow") else f"{item.path} {world}"
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def world(request):
    """CRM and engine of a test."""
    return getattr(request, "param", worlds.DEFAULT)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path}/office.db"


@pytest.fixture(scope="session")
def postgres_socket():
    """Directory of the socket of a PostgreSQL of our own."""
    if postgres.binaries() is None:
        missing("PostgreSQL's initdb", "postgresql")
    with postgres.cluster() as directory:
        yield directory


@pytest.fixture
def postgres_url(postgres_socket):
    """A new database on the tests' cluster."""
    name = f"t{uuid.uuid4().hex}"
    worlds.administer(postgres_socket, f"CREATE DATABASE {name}")
    yield worlds.postgres_url(postgres_socket, name)
    worlds.administer(postgres_socket, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def copied_sqlite(tmp_path_factory):
    return worlds.sqlite_copies(tmp_path_factory.mktemp("databases"))


@pytest.fixture(scope="session")
def copied_postgresql(postgres_socket):
    return worlds.postgres_copies(postgres_socket)


@pytest.fixture
def office_url(world, request):
    """A database of the test's world, migrated already."""
    with request.getfixturevalue(f"copied_{world.engine}")() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request):
    """Each engine in turn."""
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")


def missing(what: str, package: str):
    """Skip on a contributor's machine, fail in CI: a judge that did not run has not judged."""
    message = f"{what} is missing; on Debian or Ubuntu: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture
def cheap_hasher():
    """argon2 with the least that it can be; only for tests."""
    return wiring.Hasher(argon2__memory_cost=8, argon2__time_cost=1, argon2__parallelism=1)


@pytest.fixture
def make_office(world, office_url, clock, cheap_hasher):
    """An Office of tenant "t" with the users "anna" and "bert", password "secret" each.

    The world's CRM, or ``crm``, is embedded, or an emulated onOffice of its own.
    """
    made = []

    def make(policy: Policy | None = None, url: str = office_url, crm: str = world.crm, **switches):
        store = open_store(url)
        store.migrate()
        emulated = make.emulated.get(url) if crm == "onoffice" else None
        if crm == "onoffice" and emulated is None:
            emulated = make.emulated[url] = emulation.Emulated(store, clock, **switches)
        connections = emulated.connections if emulated else None
        office = wiring.assemble(
            store, policy=policy or Policy(), default_tenant="t", clock=clock, hasher=cheap_hasher, connections=connections
        )
        made.append(office)
        with store.writing() as tx:
            tx.save_tenant(Tenant(name="t"))
            if emulated is not None:
                emulated.give_account(tx, "t")
        for name in ("anna", "bert"):
            office.accounts.save_user(User(identity=Identity("t", name)), "secret", "test")
        return office

    make.emulated = {}  # by the URL of the database: its links are to this emulator's records
    yield make
    for emulated in make.emulated.values():
        emulated.close()
    for office in made:
        office.store.close()


@pytest.fixture
def office(make_office):
    return make_office()


@pytest.fixture
def crm_has(make_office):
    """Give onOffice records under these numbers, so that values may name them; an embedded CRM takes any name."""

    def make(**numbers: int) -> None:
        for emulated in make_office.emulated.values():
            for kind, number in numbers.items():
                emulated.emulators["t"].account.insert(kind, {}, number)
                emulated.emulators["t"].control.edit(kind, number)

    return make


@pytest.fixture
def serve(tmp_path, office_url, make_office, world):
    """Make a server; ``options`` are changed in the configuration; ``crm`` as in ``make_office``."""

    def make(policy=None, crm=world.crm, **options):
        return open_server(tmp_path, office_url, make_office(policy, crm=crm), **options)

    yield make
    wiring.forget(office_url)


@pytest.fixture
def server(serve):
    return serve()
