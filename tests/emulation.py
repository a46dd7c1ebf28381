"""An emulated onOffice behind an Office: each tenant's account is an emulator, in process; waiting moves no clock but its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

import httpx

from radicale_onoffice.core.model import Tenant
from radicale_onoffice.core.ports import Store, Transaction
from radicale_onoffice.crm.onoffice import survey, tenants
from radicale_onoffice.crm.onoffice.account import Account
from radicale_onoffice.crm.onoffice.client import Client, Patience, pool
from radicale_onoffice.crm.onoffice.connections import Connections
from radicale_onoffice.crm.onoffice.protocol import Credentials
from radicale_onoffice.crm.onoffice.tenants import Access
from tests.emulator import SECRET, TOKEN, Emulator

TYPES = {"termin": "Termin", "besichtigung": "Besichtigung", "buero": "Bürotermin"}
GROUPS = ("sales",)  # which tests name without having a user in them
HOST = "https://{}.example/api/stable/api.php"


class Wire(httpx.BaseTransport):
    """The emulator's transport; ``then`` happens once, between an answer of onOffice's and its arrival here."""

    def __init__(self, emulator: Emulator):
        self._inner = emulator.transport()
        self.then: Callable[[], object] | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        then, self.then = self.then, None
        if then is not None:
            then()
        return response


class Emulated:
    """Emulators by tenant, and our connections to them. The users and groups of our store exist over there, too."""

    def __init__(self, store: Store, clock: Callable[[], datetime], images: Mapping[str, bytes] | None = None, **switches):
        """``images``: the accounts that there are already (``images()``)."""
        self._clock, self._switches = clock, switches
        self.emulators = {tenant: Emulator(clock=clock, image=image) for tenant, image in (images or {}).items()}
        self.wires: dict[str, Wire] = {}  # of the first process
        self.waited = 0.0
        self.connections = self.connect(store)

    def connect(self, store: Store) -> Connections:
        """Connections of one process more."""
        return Connections(store, self._open, self._clock, surveyor=partial(self._survey, store), again=timedelta(0))

    def images(self) -> dict[str, bytes]:
        """All accounts as they are."""
        return {tenant: emulator.account.image() for tenant, emulator in self.emulators.items()}

    def give_account(self, tx: Transaction, tenant: str) -> Emulator:
        """An account for a tenant; one that it has stays."""
        if tenant in self.emulators:
            return self.emulators[tenant]
        self.emulators[tenant] = Emulator(clock=self._clock, switches=self._switches)
        self.emulators[tenant].control.set_types("Termin", TYPES)
        tenants.save_access(tx, tenant, Access(url=HOST.format(tenant)))
        return self.emulators[tenant]

    def _tenant(self, access: Access) -> str:
        return next(name for name in self.emulators if HOST.format(name) == access.url)

    def _open(self, access: Access) -> Client:
        return Client(
            access.url,
            lambda: Credentials(token=TOKEN, secret=SECRET),
            pool(Patience(), self._wire(self._tenant(access))),
            now=lambda: self._clock().timestamp(),
            monotonic=lambda: self.waited,
            sleep=self._sleep,
            chance=lambda: 0.5,
        )

    def _wire(self, tenant: str) -> Wire:
        wire = Wire(self.emulators[tenant])
        self.wires.setdefault(tenant, wire)
        return wire

    def _sleep(self, seconds: float) -> None:
        self.waited += seconds

    def _survey(self, store: Store, client: Client, access: Access, tenant: Tenant, deadline: float | None) -> Account:
        name = self._tenant(access)
        with store.reading() as tx:
            users = tx.users(name)
        control = self.emulators[name].control
        known = {row["Name"]: row["id"] for row in control.rows("user")}
        for user in users:
            if user.identity.user not in known:
                known[user.identity.user] = control.add_user(user.identity.user)
        groups = {row["name"] for row in control.rows("group")}
        for name in sorted({*GROUPS, *(group for user in users for group in user.groups)} - groups):
            control.add_group(name, [known[user.identity.user] for user in users if name in user.groups])
        return survey.survey(client, access, tenant, deadline)

    def close(self) -> None:
        """Close clients and emulators."""
        self.connections.close()
        for emulator in self.emulators.values():
            emulator.close()
