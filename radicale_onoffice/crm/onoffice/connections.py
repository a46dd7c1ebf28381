"""One connection per tenant: the client of its API user, and what its account has.

Where a tenant's secrets lie is a setting in the database, read for each write, so that a changed account needs no restart. What the account
has is surveyed once a day, and sooner if a name is not found in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from radicale_onoffice.core.model import Kind, Tenant
from radicale_onoffice.core.ports import Store
from radicale_onoffice.crm.onoffice import identity, survey, tenants
from radicale_onoffice.crm.onoffice.account import Account
from radicale_onoffice.crm.onoffice.client import Client
from radicale_onoffice.crm.onoffice.protocol import Action, Answer, Refusal
from radicale_onoffice.crm.onoffice.tenants import Access

SURVEY_EVERY = timedelta(hours=24)
SURVEY_AGAIN = timedelta(minutes=5)  # at the soonest, when a name is not found
DOWN_DEADLINE = 3.0  # seconds that a call gets when the last one was in vain, so that an outage does not keep all threads waiting
Surveyor = Callable[[Client, Access, Tenant, float | None], Account]  # the last: as ``Connection.deadline``


class Connection:
    """To the onOffice of one tenant."""

    def __init__(
        self,
        tenant: Tenant,
        access: Access,
        client: Client,
        store: Store,
        clock: Callable[[], datetime],
        surveyor: Surveyor,
        again: timedelta,
    ):
        self.tenant, self.access, self.client = tenant, access, client
        self._store, self._clock, self._surveyor, self._again = store, clock, surveyor, again
        self._account: Account | None = None
        self._token = ""  # that the account was surveyed with
        self._surveyed: datetime | None = None
        self._numbers: dict[Kind, int] = {}

    def note_number(self, kind: Kind, crm_id: str) -> None:
        """Remember the number of a record that was just made."""
        if crm_id.isascii() and crm_id.isdigit():
            self._numbers[kind] = max(self._numbers.get(kind, 0), int(crm_id))

    def last_number(self, kind: Kind) -> int:
        """The highest number that was made from here; 0 if there is none yet."""
        return self._numbers.get(kind, 0)

    @property
    def deadline(self) -> float | None:
        """Seconds for a call that a device waits for; None: as long as the client thinks right."""
        return None if self.client.down_since is None else DOWN_DEADLINE

    def call(self, actions: Sequence[Action]) -> tuple[Answer | Refusal, ...]:
        """What the actions of one request come to. Raises UpstreamDown, OutcomeUnknown."""
        return self.client.call(actions, deadline=self.deadline)

    def account(self) -> Account:
        """What the account has; a day old at most, older only while onOffice does not answer. Raises UpstreamDown, AnotherAccount."""
        found = self._account
        if (
            found is None
            or self.client.token_digest() != self._token
            or (self._is_older_than(SURVEY_EVERY) and self.client.down_since is None)
        ):
            return self._survey()
        return found

    def look_again(self) -> bool:
        """Survey anew because something was not found; False if that was done a moment ago. Raises UpstreamDown."""
        if not self._is_older_than(self._again):
            return False
        self._survey()
        return True

    def _is_older_than(self, age: timedelta) -> bool:
        return self._surveyed is None or self._clock() - self._surveyed >= age

    def _survey(self) -> Account:
        # Without a lock: nobody may wait for who waits for onOffice, and two surveys at once do no harm.
        token = self.client.token_digest()
        found = self._surveyor(self.client, self.access, self.tenant, self.deadline)
        identity.demand_same(self._store, self.tenant.name, token, found)
        self._account, self._token, self._surveyed = found, token, self._clock()
        return found


class Connections:
    """Finds or makes the connection of a tenant; safe to share between threads."""

    def __init__(
        self,
        store: Store,
        open_client: Callable[[Access], Client],
        clock: Callable[[], datetime],
        *,
        surveyor: Surveyor = survey.survey,
        again: timedelta = SURVEY_AGAIN,
    ):
        self._store, self._open, self._clock, self._surveyor, self._again = store, open_client, clock, surveyor, again
        self._made: dict[str, Connection] = {}
        self._making = threading.Lock()

    def to(self, name: str) -> Connection | None:
        """The tenant's connection; None if it has no account there, and so keeps its records here alone."""
        with self._store.reading() as tx:
            tenant, access = tx.tenant(name), tenants.access(tx, name)
        with self._making:
            made = self._made.get(name)
            if made is not None and (made.access, made.tenant) == (access, tenant):
                return made
            self._made.pop(name, None)  # not closed: somebody may be in the middle of a call
            if access is None or tenant is None:
                return None
            self._made[name] = Connection(tenant, access, self._open(access), self._store, self._clock, self._surveyor, self._again)
            return self._made[name]

    def close(self) -> None:
        """Close all connections."""
        with self._making:
            while self._made:
                self._made.popitem()[1].client.close()
