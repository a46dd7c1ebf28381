"""An emulated onOffice behind an Office: each tenant's account is an emulator, in process; waiting moves no clock but its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

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


class Emulated:
    """Emulators by tenant, and our connections to them. The users and groups of our store exist over there, too."""

    def __init__(self, store: Store, clock: Callable[[], datetime], **switches):
        self._store, self._clock, self._switches = store, clock, switches
        self.emulators: dict[str, Emulator] = {}
        self.waited = 0.0
        self.connections = Connections(store, self._open, clock, surveyor=self._survey, again=timedelta(0))

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
            pool(Patience(), self.emulators[self._tenant(access)].transport()),
            now=lambda: self._clock().timestamp(),
            monotonic=lambda: self.waited,
            sleep=self._sleep,
            chance=lambda: 0.5,
        )

    def _sleep(self, seconds: float) -> None:
        self.waited += seconds

    def _survey(self, client: Client, access: Access, zone: ZoneInfo, deadline: float | None) -> Account:
        tenant = self._tenant(access)
        with self._store.reading() as tx:
            users = tx.users(tenant)
        control = self.emulators[tenant].control
        known = {row["Name"]: row["id"] for row in control.rows("user")}
        for user in users:
            if user.identity.user not in known:
                known[user.identity.user] = control.add_user(user.identity.user)
        groups = {row["name"] for row in control.rows("group")}
        for name in sorted({*GROUPS, *(group for user in users for group in user.groups)} - groups):
            control.add_group(name, [known[user.identity.user] for user in users if name in user.groups])
        return survey.survey(client, access, zone, deadline)

    def close(self) -> None:
        """Close clients and emulators."""
        self.connections.close()
        for emulator in self.emulators.values():
            emulator.close()
