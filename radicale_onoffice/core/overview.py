"""What a user is shown about the own synchronisation: per kind whether it runs and when it last did, and why it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from radicale_onoffice.core import folders, lockout, rights
from radicale_onoffice.core.accounts import Accounts
from radicale_onoffice.core.clients import LastSync, Visit
from radicale_onoffice.core.errors import Maintenance
from radicale_onoffice.core.feeds import Feeds
from radicale_onoffice.core.model import Attempts, AuditLine, Door, Identity, Kind, Right
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Store
from radicale_onoffice.core.rights import Gate
from radicale_onoffice.core.visits import has_old_password, last_syncs, newest_first

TOLD = ("deviation", "refused")  # audit events that tell a user what became of something that a device sent
MAX_TOLD, TOLD_FOR = 20, timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindStatus:
    """One kind of one user. ``count`` is what is offered to clients that name no period; 0 while nothing is."""

    kind: Kind
    gates: tuple[Gate, ...]  # that are closed, in the order in which to mend them
    is_readable: bool  # the user has the right to read such records
    count: int
    last_sync: LastSync | None

    @property
    def is_offered(self) -> bool:
        """True if the folder exists for the user's clients."""
        return self.is_readable and not self.gates


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Why sync is refused for a login: since when, after how many wrong passwords, and where the last of them came from."""

    since: datetime
    failures: int
    address: str
    client: Visit | None  # the one whose password was wrong last


@dataclass(frozen=True, slots=True, kw_only=True)
class UserStatus:
    """Everything that is not of one kind. ``told`` are deviations and refusals of the last ``TOLD_FOR``, the newest first."""

    lock: Lock | None
    maintenance: Maintenance | None
    is_password_expired: bool  # sync is refused until the user changes it (rule 91)
    with_old_password: tuple[Visit, ...]
    told: tuple[AuditLine, ...]


class Overview:
    """Looks, and changes nothing; safe to share between threads."""

    def __init__(self, store: Store, accounts: Accounts, feeds: Feeds, policy: Policy, clock: Callable[[], datetime]):
        self._store, self._accounts, self._feeds, self._policy, self._clock = store, accounts, feeds, policy, clock

    def kinds(self, identity: Identity) -> tuple[KindStatus, ...]:
        """The user's kinds, all of them; raises NotFound."""
        with self._store.reading() as tx:
            who, visits = folders.reader(tx, identity), tx.visits(identity)
        synced, offered = last_syncs(visits, self._clock()), folders.offered_kinds(who)
        return tuple(
            KindStatus(
                kind=kind,
                gates=rights.closed_gates(who.tenant, who.user, kind),
                is_readable=rights.may(who.user, kind, Right.READ),
                count=self._feeds.count(identity, kind) if kind in offered else 0,
                last_sync=synced.get(kind),
            )
            for kind in Kind
        )

    def user(self, identity: Identity) -> UserStatus:
        """What concerns the user as a whole; raises NotFound."""
        now = self._clock()
        with self._store.reading() as tx:
            who, visits = folders.reader(tx, identity), newest_first(tx.visits(identity))
            attempts = tx.attempts(identity, Door.SYNC)
            told = [line for event in TOLD for line in tx.audit(identity.tenant, MAX_TOLD, login=identity.user, event=event)]
        recent = sorted((line for line in told if now - line.at < TOLD_FOR), key=lambda line: line.at, reverse=True)
        return UserStatus(
            lock=_lock(attempts, visits) if lockout.is_locked(attempts, self._policy, now) else None,
            maintenance=self._accounts.maintenance(),
            is_password_expired=self._accounts.is_expired(who.user),
            with_old_password=tuple(one for one in visits if has_old_password(one, who.user)),
            told=tuple(recent[:MAX_TOLD]),
        )


def _lock(attempts: Attempts, visits: tuple[Visit, ...]) -> Lock:
    assert attempts.locked_at is not None
    failed = [(one.last_failed, one) for one in visits if one.last_failed is not None and one.failures]
    return Lock(
        since=attempts.locked_at,
        failures=attempts.failures,
        address=attempts.last_address,
        client=max(failed, key=lambda pair: pair[0])[1] if failed else None,
    )
