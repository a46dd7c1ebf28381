"""The mirrors of an Office, one for each tenant that has an account at onOffice, and what there is to tell of them.

What a turn came to (``Trouble``) and what an administrator asked for (``ask_to_accept``) stand in the database beside the mirror's own memory, so
that commands, pages and metrics of any process can tell and ask.
"""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from radicale_onoffice.core.model import Actor, Face, Identity, Kind
from radicale_onoffice.core.office import Office
from radicale_onoffice.core.ports import ErrandState, Link, Transaction
from radicale_onoffice.crm.onoffice import identity, tenants
from radicale_onoffice.crm.onoffice.connections import Connection
from radicale_onoffice.crm.onoffice.leases import LEASE, Renewal
from radicale_onoffice.crm.onoffice.memory import forget, memory_of
from radicale_onoffice.crm.onoffice.mirror import LeaseLost, Mirror
from radicale_onoffice.crm.onoffice.tenants import Access
from radicale_onoffice.crm.onoffice.writing import OnOffice
from radicale_onoffice.options import CrmType

TROUBLE, ACCEPT = "trouble", "accept"  # names of what is kept beside the mirror's memory
LATE_POLLS = 5  # intervals between two polls, after which nobody seems to pull
LATE = timedelta(minutes=10)  # ... and at least this


def holder(role: str) -> str:
    """A name of this process among those that want a tenant's lease."""
    return f"{role} {os.getpid()} on {socket.gethostname()}"


def connected(tx: Transaction) -> list[str]:
    """The tenants that have an account at onOffice."""
    return [one.name for one in tx.tenants() if tenants.access(tx, one.name) is not None]


class Mirrors:
    """Makes and keeps them; a tenant whose account or zone changed gets a new one. A tenant's is for one thread at a time."""

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


def start_anew(office: Office, tenant: str, access: Access, name: str) -> None:
    """Connect a tenant to another customer's account: what came from the old one is taken off all devices, and touched nowhere else.

    What never came to the old account stays here alone. ``name`` is the holder of the lease: nobody may pull meanwhile. May be interrupted
    and done again. Raises LeaseLost.
    """
    actor, now = Actor(identity=Identity(tenant, "onoffice"), face=Face.CRM), office.clock()
    with office.store.writing() as tx:
        if not tx.lease(f"pull:{tenant}", name, now, now + LEASE):
            raise LeaseLost
    with Renewal(office.store, office.clock, name):
        for kind in Kind:
            with office.store.reading() as tx:
                crm_ids = {record_id: crm_id for crm_id, record_id in tx.links(tenant, kind).items()}

            def unlink(tx: Transaction, record_ids: Iterable[str], kind: Kind = kind, crm_ids: Mapping[str, str] = crm_ids) -> None:
                for record_id in record_ids:
                    tx.save_link(tenant, kind, record_id, Link(crm_ids[record_id]))  # read again, should the old account stay after all

            office.records.drop(actor, list(crm_ids), also=unlink)
    with office.store.writing() as tx:
        for errand in tx.errands(tenant):
            tx.remove_errand(errand.number)
        tx.remove_links(tenant)
        forget(tx, tenant)
        identity.forget(tx, tenant)
        save_trouble(tx, tenant, None)
        tenants.save_access(tx, tenant, access)
        tx.end_lease(f"pull:{tenant}", name)


# --------------------------------------------------------------------- to tell


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the last turn came to nothing."""

    since: str  # ISO 8601, UTC
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KindState:
    """How the copy of one kind of records is."""

    pulled: datetime | None  # up to when everything that changed in onOffice is here; None: the kind is not filled yet
    lag: timedelta | None  # how long ago that was
    is_stale: bool  # what is read may be old: not filled, too far behind, not to be believed, or onOffice does not answer
    alarm: str  # why onOffice's answers are not believed; "" if they are
    doubt: str = ""  # that onOffice shows nothing of it at all, which may be true; "" if it shows something


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a tenant's mirror is."""

    tenant: str
    crm: CrmType  # EMBEDDED: the tenant has no account at onOffice; then nothing is stale, and the rest is empty
    kinds: Mapping[Kind, KindState]
    people_alarm: str  # why what onOffice says of its users is not believed; "" if it is
    trouble: Trouble | None  # the last error, while it lasts
    errands: Mapping[ErrandState, int]
    oldest_errand: datetime | None  # when the longest waiting change was made; refused ones apart
    log_refused: bool  # deletes are only found nightly

    @property
    def lag(self) -> Mapping[Kind, timedelta | None]:
        """Since when changes in onOffice may not be here; None: the kind is not filled yet."""
        return {kind: one.lag for kind, one in self.kinds.items()}

    @property
    def alarms(self) -> tuple[str, ...]:
        """What onOffice shows that is too little to be believed."""
        return tuple(dict.fromkeys(filter(None, (*(one.alarm for one in self.kinds.values()), self.people_alarm))))

    @property
    def doubts(self) -> tuple[str, ...]:
        """Kinds of which onOffice has shown nothing yet: it has none, or a right is missing."""
        return tuple(one.doubt for one in self.kinds.values() if one.doubt)

    @property
    def is_stale(self) -> bool:
        """True if what is read of any kind may be old."""
        return any(one.is_stale for one in self.kinds.values())

    @property
    def is_silent(self) -> bool:
        """True if the last turn came to nothing."""
        return self.trouble is not None

    @property
    def error(self) -> str:
        """Why the last turn came to nothing; "" if it did not."""
        return self.trouble.what if self.trouble else ""

    @property
    def pulled(self) -> Mapping[Kind, datetime | None]:
        """Up to when everything that changed in onOffice is here, by kind; None: the kind is not filled yet."""
        return {kind: one.pulled for kind, one in self.kinds.items()}

    @property
    def refused(self) -> int:
        """Changes that onOffice refused, until an administrator has looked at them."""
        return self.errands[ErrandState.REFUSED]

    @property
    def since(self) -> datetime | None:
        """Up to when everything that changed in onOffice is here, of every kind; None: not all of them are filled yet."""
        moments = [one.pulled for one in self.kinds.values() if one.pulled is not None]
        return min(moments) if len(moments) == len(self.kinds) else None

    @property
    def queued(self) -> int:
        """Changes on their way to onOffice, refused ones apart."""
        return self.errands[ErrandState.WAITING] + self.errands[ErrandState.SENT]


def late_after(poll_seconds: int) -> timedelta:
    """How far behind a mirror has to be until nobody seems to pull."""
    return max(LATE, LATE_POLLS * timedelta(seconds=poll_seconds))


def state_of(tx: Transaction, tenant: str, now: datetime, *, late: timedelta = LATE) -> State:
    """How a tenant's copy of onOffice is: what a page, a command or metrics show of it. No request to onOffice is made.

    ``now`` is aware (``Office.clock()``); ``late`` is ``late_after(onoffice_poll_seconds)``. Works for every tenant; one that has no account
    gets ``crm`` EMBEDDED and kinds that are never stale. Moments are aware, in UTC. Texts are for the administrator, in English. Raises
    Unavailable if our database does not answer.
    """
    is_connected = tenants.access(tx, tenant) is not None
    memory, trouble, found = memory_of(tx, tenant), trouble_of(tx, tenant), tx.errands(tenant)
    counts = Counter(errand.state for errand in found)
    waiting = [errand.at for errand in found if errand.state is not ErrandState.REFUSED]
    kinds = {}
    for kind in Kind:
        pulled, alarm = memory.pulled_at(kind), memory.alarm_of(kind)
        is_late = pulled is None or now - pulled > late
        is_stale = is_connected and (is_late or bool(alarm) or trouble is not None)
        lag = None if pulled is None else now - pulled
        kinds[kind] = KindState(pulled=pulled, lag=lag, is_stale=is_stale, alarm=alarm, doubt=memory.doubt_of(kind))
    return State(
        tenant=tenant,
        crm=CrmType.ONOFFICE if is_connected else CrmType.EMBEDDED,
        kinds=kinds,
        people_alarm=memory.people_alarm,
        trouble=trouble,
        errands={state: counts[state] for state in ErrandState},
        oldest_errand=min(waiting, default=None),
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
