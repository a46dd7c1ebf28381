"""What administrators see and do: users, devices, the audit log and maintenance, of their own tenant only.

An ``Administrator`` is asked for with each request (``as_user``), so that who loses the right loses it at once. The right is one of the user
record. Three things are the installation's and not a tenant's: maintenance, whether a tenant has booked synchronisation, and who administers a
tenant first; the first two are for administrators of the default tenant, and all for who can read the configuration file (``as_operator``).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from radicale_onoffice.core import lockout, rights
from radicale_onoffice.core.accounts import Accounts
from radicale_onoffice.core.devices import Devices
from radicale_onoffice.core.errors import BadRequest, NotFound, Refused
from radicale_onoffice.core.lists import Numbered, Seen, Show, offset_of
from radicale_onoffice.core.model import Attempts, AuditLine, Device, Door, Identity, Kind, Tenant, User, UserState
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Store, Transaction
from radicale_onoffice.core.rights import Gate
from radicale_onoffice.core.settings import Settings, demand_kind
from radicale_onoffice.core.titles import is_private, title

PAGE_SIZE, MAX_PAGE_SIZE = 50, 100
MAX_BULK = 500  # users of one action
EXPORTED_AT_ONCE = 1000  # audit lines of one reading
MAX_EXPORTED = 50_000  # audit lines in one file, which is made in memory


@dataclass(frozen=True, slots=True)
class Administrator:
    """Who administers a tenant. ``user`` is None for the operator."""

    tenant: str
    by: str  # for the audit log
    of_installation: bool
    user: Identity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What an administrator decides about one user; ``active`` ends what an administrator did, never what the CRM says (SUSPENDED)."""

    active: bool
    sync_right: bool
    switches: frozenset[Kind]
    other_channels: frozenset[Kind]
    rights: frozenset[str]  # "kind.right"
    admin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """A user as a list has it. ``gates`` are the closed ones of each kind, ``offered`` how many records clients were last told of."""

    user: User
    gates: Mapping[Kind, tuple[Gate, ...]]
    locked_since: datetime | None
    failures: int  # wrong passwords in a row
    last_seen: datetime | None
    clients: int  # over both faces
    failing: int  # items on the user's phones
    offered: Mapping[Kind, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPage:
    """``total`` is how many users the search finds in all."""

    rows: tuple[UserRow, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePage:
    """Phones with how many of their items fail; ``total`` is how many the search finds in all."""

    rows: tuple[tuple[Device, int], ...]
    total: int


class Administration:
    """Safe to share between threads."""

    def __init__(
        self, *, store: Store, accounts: Accounts, settings: Settings, devices: Devices, policy: Policy, clock: Callable[[], datetime]
    ):
        self._store, self._accounts, self._settings, self._devices = store, accounts, settings, devices
        self._policy, self._clock = policy, clock

    def as_user(self, identity: Identity) -> Administrator:
        """The administrator that a signed-in user is now; raises Refused."""
        with self._store.reading() as tx:
            user = tx.user(identity)
        if user is None or not user.admin or user.state is not UserState.ACTIVE:
            raise Refused("This is for administrators.")
        by = f"page {self._accounts.login_name(identity)}"
        return Administrator(identity.tenant, by, identity.tenant == self._accounts.default_tenant, identity)

    @staticmethod
    def as_operator(tenant: str, by: str) -> Administrator:
        """Who works on the server itself: may do everything, of any tenant."""
        return Administrator(tenant, by, of_installation=True)

    # -------------------------------------------------------------- looking

    def users(self, who: Administrator, *, text: str = "", show: Show = Show.ALL, page: int = 0, size: int = PAGE_SIZE) -> UserPage:
        """Users whose login contains the text, by login; pages are counted from 0. Raises BadRequest."""
        offset, now = offset_of(page, size, text, most=MAX_PAGE_SIZE), self._clock()
        with self._store.reading() as tx:
            tenant = self._tenant(tx, who)
            total, found = tx.user_page(who.tenant, text, show, lockout.holds_after(self._policy, now), offset, size)
            return UserPage(rows=self._rows(tx, tenant, found, now), total=total)

    def user(self, who: Administrator, login: str) -> UserRow:
        """One user by the user part of the login; raises NotFound."""
        with self._store.reading() as tx:
            tenant, user = self._tenant(tx, who), _demand_user(tx, who, login)
            return self._rows(tx, tenant, [user], self._clock())[0]

    def _rows(self, tx: Transaction, tenant: Tenant, users: Sequence[User], now: datetime) -> tuple[UserRow, ...]:
        """The rows of a page, in a number of statements that does not grow with it."""
        logins = [user.identity.user for user in users]
        attempts, seen = tx.attempts_of(tenant.name, Door.SYNC, logins), tx.seen_of(tenant.name, logins)
        failing, offered = tx.failing_of(tenant.name, logins), tx.offered_of(tenant.name, logins)
        rows = []
        for user in users:
            login = user.identity.user
            tried, last = attempts.get(login, Attempts()), seen.get(login, Seen(None, 0))
            gates = {kind: rights.closed_gates(tenant, user, kind) for kind in Kind}
            row = UserRow(
                user=user,
                gates=gates,
                locked_since=tried.locked_at if lockout.is_locked(tried, self._policy, now) else None,
                failures=tried.failures,
                last_seen=last.last_ok,
                clients=last.clients,
                failing=failing.get(login, 0),
                offered={kind: offered.get((login, kind), 0) if rights.is_offered(tenant, user, kind) else 0 for kind in Kind},
            )
            rows.append(row)
        return tuple(rows)

    def devices(self, who: Administrator, *, text: str = "", page: int = 0, size: int = PAGE_SIZE) -> DevicePage:
        """All phones of the tenant, by login and id; pages are counted from 0. Raises BadRequest."""
        offset = offset_of(page, size, text, most=MAX_PAGE_SIZE)
        with self._store.reading() as tx:
            total, rows = tx.device_page(who.tenant, text, offset, size)
        return DevicePage(rows=tuple(rows), total=total)

    def audit(
        self, who: Administrator, *, login: str = "", event: str = "", text: str = "", before: int | None = None, size: int = PAGE_SIZE
    ) -> Sequence[Numbered]:
        """The log, the newest line first: of a login, of events that begin so, with a text; ``before`` is the last number of the page before."""
        offset_of(0, size, text, most=MAX_PAGE_SIZE)
        with self._store.reading() as tx:
            return tx.audit_page(who.tenant, login, event, text, before, size)

    def titles(self, who: Administrator, record_ids: Iterable[str]) -> dict[str, str]:
        """What people call these records of the tenant, whoever they belong to; what is private or gone is left out."""
        with self._store.reading() as tx:
            found = tx.records(who.tenant, set(record_ids))
        return {record.id: title(record.value) for record in found if not record.deleted and not is_private(record.value)}

    def export_audit(
        self, who: Administrator, *, login: str = "", event: str = "", text: str = "", most: int | None = None
    ) -> Iterator[AuditLine]:
        """The whole log or ``most`` lines of it, the newest line first, read piece by piece."""
        return itertools.islice(self._audit_lines(who, login, event, text), most)

    def _audit_lines(self, who: Administrator, login: str, event: str, text: str) -> Iterator[AuditLine]:
        before: int | None = None
        while True:
            with self._store.reading() as tx:
                lines = tx.audit_page(who.tenant, login, event, text, before, EXPORTED_AT_ONCE)
            yield from (numbered.line for numbered in lines)
            if len(lines) < EXPORTED_AT_ONCE:
                return
            before = lines[-1].number

    # ---------------------------------------------------------------- doing

    def identity_of(self, who: Administrator, login: str) -> Identity:
        """A user of the administrator's tenant; raises NotFound."""
        with self._store.reading() as tx:
            return _demand_user(tx, who, login).identity

    @staticmethod
    def chosen(logins: Iterable[str]) -> Sequence[str]:
        """The users of one change, each once, by login; raises BadRequest for none or too many."""
        wanted = sorted(set(logins))
        if not 0 < len(wanted) <= MAX_BULK:
            raise BadRequest(f"Choose 1 to {MAX_BULK} users at once, not {len(wanted)}.")
        return wanted

    def set_gate(self, who: Administrator, logins: Iterable[str], gate: Gate, kind: Kind | None, is_open: bool) -> int:
        """Open or close a gate of these users, USER_STATE to activate and deactivate them; returns how many were not so before.

        Raises NotFound, BadRequest, and Refused for the gate that is the tenant's, or who would deactivate the own user.
        """
        if gate is Gate.MODULE:
            raise Refused("Whether synchronisation is booked is a matter of the whole tenant.")
        demand_kind(gate, kind)
        return self._change(who, logins, lambda tx, user: self._set_gate(tx, who, user.identity, gate, kind, is_open))

    def save_access(self, who: Administrator, login: str, access: Access) -> bool:
        """Everything about one user at once, in one commit; False if all of it was so. Raises NotFound, BadRequest and Refused."""
        rights_words = _demand_rights(access.rights)
        gates: list[tuple[Gate, Kind | None, bool]] = [
            (Gate.SYNC_RIGHT, None, access.sync_right),
            *((Gate.SWITCH, kind, kind in access.switches) for kind in Kind),
            *((Gate.OTHER_CHANNEL, kind, kind not in access.other_channels) for kind in Kind),
            (Gate.USER_STATE, None, access.active),
        ]

        def change(tx: Transaction, user: User) -> bool:
            changed = [self._set_gate(tx, who, user.identity, *gate) for gate in gates]
            before = _demand_user(tx, who, login, lock=True)
            after = replace(before, rights=rights_words, admin=access.admin)
            if user.identity == who.user and not access.admin:
                raise Refused("You cannot take the right from yourself; another administrator can.")
            return self._save(tx, before, after, who) or any(changed)

        return bool(self._change(who, [login], change))

    def _set_gate(self, tx: Transaction, who: Administrator, identity: Identity, gate: Gate, kind: Kind | None, is_open: bool) -> bool:
        if gate is Gate.USER_STATE and not is_open and identity == who.user:
            raise Refused("You cannot deactivate yourself.")
        return self._settings.set_gate_within(tx, identity, gate, kind, is_open, who.by)

    def set_rights(self, who: Administrator, logins: Iterable[str], words: Iterable[str]) -> int:
        """Give these users these rights, "kind.right" each, and no others; returns how many had others. Raises NotFound, BadRequest."""
        wanted = _demand_rights(words)
        return self._change(who, logins, lambda tx, user: self._save(tx, user, replace(user, rights=wanted), who))

    def _save(self, tx: Transaction, before: User, after: User, who: Administrator) -> bool:
        if before != after:
            self._accounts.save_user_within(tx, after, before, who.by)
        return before != after

    def unlock(self, who: Administrator, logins: Iterable[str]) -> int:
        """Open sync and pages to these users again; returns how many were kept out (U42). Raises NotFound, BadRequest."""
        return self._change(who, logins, lambda tx, user: self._accounts.unlock_within(tx, user.identity, who.by, pages=True))

    def end_sessions(self, who: Administrator, login: str) -> int:
        """End all page sessions of a user; returns how many there were. Raises NotFound."""
        return self._accounts.revoke_page_sessions(self.identity_of(who, login), who.by)

    def _change(self, who: Administrator, logins: Iterable[str], change: Callable[[Transaction, User], bool]) -> int:
        """All of them in one commit, or none."""
        wanted = self.chosen(logins)
        with self._store.writing() as tx:
            changed = [user for user in [_demand_user(tx, who, login, lock=True) for login in wanted] if change(tx, user)]
            if changed:
                tx.next_change(who.tenant, everybody=True)
        return len(changed)

    # ------------------------------------------------------ the installation

    def set_maintenance(self, who: Administrator, message: str | None, retry_after: int = 600) -> None:
        """Switch maintenance on with a message, or off with None. Raises Refused, BadRequest."""
        _demand_installation(who)
        self._accounts.set_maintenance(message, retry_after, who.by)

    @staticmethod
    def _tenant(tx: Transaction, who: Administrator) -> Tenant:
        found = tx.tenant(who.tenant)
        if found is None:
            raise NotFound(f"There is no tenant {who.tenant!r}.")
        return found


def _demand_user(tx: Transaction, who: Administrator, login: str, *, lock: bool = False) -> User:
    user = tx.user(Identity(who.tenant, login), lock=lock)
    if user is None:
        raise NotFound(f"There is no user {login!r} of tenant {who.tenant!r}.")
    return user


def _demand_rights(words: Iterable[str]) -> frozenset[str]:
    try:
        return rights.parse_rights(words)
    except ValueError as error:
        raise BadRequest(str(error)) from error


def _demand_installation(who: Administrator) -> None:
    if not who.of_installation:
        raise Refused("This concerns all tenants; it is for administrators of the installation.")
