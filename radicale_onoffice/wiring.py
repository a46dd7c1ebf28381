"""Composition root: from Radicale's configuration to one Office per process.

Radicale constructs the storage and the rights plugin twice per process, and the auth and web plugins beside them; all get the same Office.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from passlib.context import CryptContext

from radicale_onoffice import formats, options, turns
from radicale_onoffice.core.accounts import Accounts
from radicale_onoffice.core.address_list import AddressList
from radicale_onoffice.core.administration import Administration
from radicale_onoffice.core.bulk import BulkRecords
from radicale_onoffice.core.devices import Devices
from radicale_onoffice.core.directory import Directory
from radicale_onoffice.core.feeds import Feeds
from radicale_onoffice.core.office import Office
from radicale_onoffice.core.overview import Overview
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Crm, Store
from radicale_onoffice.core.settings import Settings
from radicale_onoffice.core.visits import Visits
from radicale_onoffice.crm.embedded import Embedded
from radicale_onoffice.crm.onoffice.client import Client, Patience, pool
from radicale_onoffice.crm.onoffice.connections import Connections
from radicale_onoffice.crm.onoffice.protocol import Action, Answer, Refusal
from radicale_onoffice.crm.onoffice.tenants import Access, credentials_of
from radicale_onoffice.crm.onoffice.writing import OnOffice
from radicale_onoffice.options import Configuration, CrmType
from radicale_onoffice.stores.sql import open_store

# RFC 9106 4, second recommended option is 64 MiB; OWASP's minimum for argon2id is 19 MiB with two passes, which a small server can bear.
OWASP_ARGON2ID = {"argon2__type": "ID", "argon2__memory_cost": 19456, "argon2__time_cost": 2, "argon2__parallelism": 1}
HASHES_AT_ONCE = 2  # argon2 takes a core and 19 MiB each; more at once would let wrong passwords starve everybody else
PATIENCE = Patience()

_offices: dict[str, Office] = {}
_building = threading.Lock()


class Hasher:
    """passlib's context with argon2id, at most ``HASHES_AT_ONCE`` at a time."""

    def __init__(self, **settings: object):
        self._context = CryptContext(schemes=["argon2"], **(settings or OWASP_ARGON2ID))
        self._places = threading.BoundedSemaphore(HASHES_AT_ONCE)

    def hash(self, password: str) -> str:
        """A new hash."""
        with turns.given_up(), self._places:
            return self._context.hash(password)

    def verify(self, password: str, stored: str) -> bool:
        """True if the password is the hash's."""
        with turns.given_up(), self._places:
            return self._context.verify(password, stored)

    def needs_update(self, stored: str) -> bool:
        """True if the hash was made with weaker settings than today's."""
        return self._context.needs_update(stored)


def utc_now() -> datetime:
    """The clock of a running server."""
    return datetime.now(UTC)


def office(configuration: Configuration) -> Office:
    """The process's Office for the database that the configuration names."""
    url = configuration.get("storage", "onoffice_database")
    with _building:
        if url not in _offices:
            _offices[url] = build(configuration, open_store(url))
        return _offices[url]


def adopt(url: str, given: Office) -> None:
    """Use an Office that somebody else wired, e.g. with a fixed clock, for a database."""
    with _building:
        _offices[url] = given


def forget(url: str) -> None:
    """Close the Office of a database, at the end of a process."""
    with _building:
        found = _offices.pop(url, None)
    if found is not None:
        if isinstance(found.crm, OnOffice):
            found.crm.connections.close()
        found.store.close()


def build(configuration: Configuration, store: Store) -> Office:
    """Wire a core over a store; applies migrations unless the configuration says not to."""
    if configuration.get("storage", "onoffice_migrate"):
        store.migrate()
    policy = options.policy_from(configuration)
    connections = None
    if configuration.get("storage", "onoffice_crm") is CrmType.ONOFFICE:
        connections = Connections(store, open_client, utc_now)
    return assemble(
        store,
        policy=policy,
        connections=connections,
        default_tenant=configuration.get("storage", "onoffice_tenant"),
        memo_seconds=configuration.get("auth", "onoffice_memo_seconds"),
        session_hours=configuration.get("web", "onoffice_session_hours"),
    )


def assemble(
    store: Store,
    *,
    policy: Policy,
    default_tenant: str,
    clock: Callable[[], datetime] = utc_now,
    hasher: Hasher | None = None,
    connections: Connections | None = None,
    memo_seconds: int = 300,
    session_hours: int = 12,
) -> Office:
    """An Office over a store, with everything else as given; tests hand in a fixed clock and a cheap hasher.

    With ``connections`` onOffice is the CRM of those tenants that have an account there.
    """
    feeds = Feeds(store, policy, clock, new_epoch)
    crm: Crm = Embedded()
    if connections is not None:
        crm = OnOffice(store=store, connections=connections, records=lambda: records, policy=policy, clock=clock, waiting=turns.given_up)
    visits = Visits(store, clock)
    accounts = Accounts(
        store=store,
        visits=visits,
        policy=policy,
        clock=clock,
        hasher=hasher or Hasher(),
        default_tenant=default_tenant,
        new_token=new_token,
        memo_seconds=memo_seconds,
        session_hours=session_hours,
    )
    records = BulkRecords(store=store, crm=crm, render=formats.render, policy=policy, clock=clock, feeds=feeds)
    settings, devices = Settings(store, clock, new_epoch), Devices(store, policy, clock)
    administration = Administration(store=store, accounts=accounts, settings=settings, devices=devices, policy=policy, clock=clock)
    return Office(
        store=store,
        crm=crm,
        policy=policy,
        clock=clock,
        default_tenant=default_tenant,
        accounts=accounts,
        settings=settings,
        feeds=feeds,
        records=records,
        devices=devices,
        directory=Directory(store, feeds, default_tenant),
        visits=visits,
        administration=administration,
        address_list=AddressList(store, records, policy, clock),
        overview=Overview(store, accounts, feeds, policy, clock),
    )


class PatientClient(Client):
    """Lets other requests compute while one waits for onOffice."""

    def call(self, actions: Sequence[Action], *, deadline: float | None = None) -> tuple[Answer | Refusal, ...]:
        """As Client does."""
        with turns.given_up():
            return super().call(actions, deadline=deadline)


def open_client(access: Access, patience: Patience = PATIENCE) -> Client:
    """A client for an account, with connections of its own; token and secret are fetched from where they lie for each request."""
    return PatientClient(access.url, credentials_of(access), pool(patience), patience=patience, max_actions=access.max_actions)


def new_epoch() -> str:
    """A name that no feed has had."""
    return secrets.token_hex(8)


def new_token() -> str:
    """A secret that cannot be guessed."""
    return secrets.token_urlsafe(32)
