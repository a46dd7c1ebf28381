"""The mirrors of an Office, one for each tenant that has an account at onOffice, and what there is to tell of them.

What a turn came to (``Trouble``) and what an administrator asked for (``ask_to_accept``) stand in the database beside the mirror's own memory, so
that commands, pages and metrics of any process can tell and ask.
"""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from radicale_onoffice.core.model import Kind
from radicale_onoffice.core.office import Office
from radicale_onoffice.core.ports import ErrandState, Transaction
from radicale_onoffice.crm.onoffice import tenants
from radicale_onoffice.crm.onoffice.connections import Connection
from radicale_onoffice.crm.onoffice.mirror import Mirror, memory_of
from radicale_onoffice.crm.onoffice.writing import OnOffice

TROUBLE, ACCEPT = "trouble", "accept"  # names of what is kept beside the mirror's memory


def holder(role: str) -> str:
    """A name of this process among those that want a tenant's lease."""
    return f"{role} {os.getpid()} on {socket.gethostname()}"


def connected(tx: Transaction) -> list[str]:
    """The tenants that have an account at onOffice."""
    return [one.name for one in tx.tenants() if tenants.access(tx, one.name) is not None]


class Mirrors:
    """Makes and keeps them; a tenant whose account or zone changed gets a new one. For one thread."""

    def __init__(self, office: Office, crm: OnOffice, name: str):
        """``name`` is the holder of their leases."""
        self._office, self._crm, self._name = office, crm, name
        self._made: dict[str, tuple[Connection, Mirror]] = {}

    def of(self, tenant: str) -> Mirror | None:
        """The tenant's mirror; None if it has no account."""
        connection = self._crm.connections.to(tenant)
        if connection is None:
            self._made.pop(tenant, None)
            return None
        made = self._made.get(tenant)
        if made is None or made[0] is not connection:
            made = self._made[tenant] = connection, self._mirror(tenant, connection)
        return made[1]

    def _mirror(self, tenant: str, connection: Connection) -> Mirror:
        return Mirror(
            store=self._office.store,
            records=self._office.records,
            client=connection.client,
            tenant=tenant,
            access=connection.access,
            clock=self._office.clock,
            holder=self._name,
        )

    def release(self) -> None:
        """Let other processes pull."""
        while self._made:
            self._made.popitem()[1][1].release()


# --------------------------------------------------------------------- to tell


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the last turn came to nothing."""

    since: str  # ISO 8601, UTC
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a tenant's mirror is."""

    tenant: str
    lag: Mapping[Kind, timedelta | None]  # since when changes in onOffice may not be here; None: the kind is not filled yet
    trouble: Trouble | None
    alarms: tuple[str, ...]
    errands: Mapping[ErrandState, int]
    log_refused: bool  # deletes are only found nightly


def state_of(tx: Transaction, tenant: str, now: datetime) -> State:
    """How a tenant's mirror is at a moment."""
    memory = memory_of(tx, tenant)
    age = now - datetime.fromisoformat(memory.since) if memory.since else None
    counts = Counter(errand.state for errand in tx.errands(tenant))
    return State(
        tenant=tenant,
        lag={kind: age if memory.places.get(kind) == "" else None for kind in Kind},
        trouble=trouble_of(tx, tenant),
        alarms=tuple(filter(None, (*memory.alarms.values(), memory.people_alarm))),
        errands={state: counts[state] for state in ErrandState},
        log_refused=memory.log_refused,
    )


def trouble_of(tx: Transaction, tenant: str) -> Trouble | None:
    """Why the last turn came to nothing; None if it was a good one."""
    text = tx.mirror_state(tenant, TROUBLE)
    return None if text is None else Trouble(**json.loads(text))


def save_trouble(tx: Transaction, tenant: str, trouble: Trouble | None) -> None:
    """Keep it for whoever asks; None: all is well."""
    tx.save_mirror_state(tenant, TROUBLE, None if trouble is None else json.dumps({"since": trouble.since, "what": trouble.what}))


def ask_to_accept(tx: Transaction, tenant: str, is_asked: bool) -> None:
    """Ask whoever pulls to believe a sudden emptiness, or take that back."""
    tx.save_mirror_state(tenant, ACCEPT, "1" if is_asked else None)


def is_asked_to_accept(tx: Transaction, tenant: str) -> bool:
    """True if an administrator has looked at the alarm, and it is true."""
    return tx.mirror_state(tenant, ACCEPT) is not None
