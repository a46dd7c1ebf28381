"""What a user or an administrator switches: gates, with an audit line and a new start for the user's clients where the rules say so."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from radicale_onoffice.core.errors import BadRequest, NotFound
from radicale_onoffice.core.model import AuditLine, Identity, Kind, Tenant, User, UserState
from radicale_onoffice.core.ports import Store, Transaction
from radicale_onoffice.core.rights import Gate

logger = logging.getLogger(__name__)


class Settings:
    """Saves switches; safe to share between threads."""

    def __init__(self, store: Store, clock: Callable[[], datetime], new_epoch: Callable[[], str]):
        self._store, self._clock, self._new_epoch = store, clock, new_epoch

    def set_gate(self, identity: Identity, gate: Gate, kind: Kind | None, is_open: bool, by: str) -> None:
        """Open or close a gate; ``kind`` is needed for the switch and the other channel. Raises NotFound, BadRequest."""
        if gate in (Gate.SWITCH, Gate.OTHER_CHANNEL) and kind is None:
            raise BadRequest(f"The gate {gate} is one per kind: name contacts, appointments or tasks.")
        with self._store.writing() as tx:
            if gate is Gate.MODULE:
                self._set_module(tx, identity.tenant, is_open)
            else:
                user = tx.user(identity)
                if user is None:
                    raise NotFound(f"There is no user {identity.user!r} of tenant {identity.tenant!r}.")
                tx.save_user(_with_gate(user, gate, kind, is_open))
                if gate is Gate.SWITCH and not is_open:
                    # Off and on again is the official way to restart a stuck sync (rule 3, U43): cursors die, the lock stays.
                    tx.reset_feeds(identity, kind, self._new_epoch())
            tx.next_change(identity.tenant, everybody=True)
            word = "opened" if is_open else "closed"
            event = f"gate {word}: {gate}" + (f" {kind}" if kind else "")
            tx.add_audit(AuditLine(at=self._clock(), tenant=identity.tenant, login=identity.user, actor=by, event=event))
        logger.info("%s: login=%s tenant=%s by=%s", event, identity.user, identity.tenant, by)

    def save_tenant(self, tenant: Tenant, by: str) -> None:
        """Create or change a tenant; its zone decides where days begin, so its feeds follow."""
        with self._store.writing() as tx:
            known = tx.tenant(tenant.name)
            if known == tenant:
                return
            tx.save_tenant(tenant)
            tx.next_change(tenant.name, everybody=True)
            event = "tenant changed" if known else "tenant created"
            tx.add_audit(AuditLine(at=self._clock(), tenant=tenant.name, login="", actor=by, event=event))

    @staticmethod
    def _set_module(tx: Transaction, name: str, is_open: bool) -> None:
        tenant = tx.tenant(name)
        if tenant is None:
            raise NotFound(f"There is no tenant {name!r}.")
        tx.save_tenant(replace(tenant, module=is_open))


def _with_gate(user: User, gate: Gate, kind: Kind | None, is_open: bool) -> User:
    if gate is Gate.USER_STATE:
        return replace(user, state=UserState.ACTIVE if is_open else UserState.DEACTIVATED)
    if gate is Gate.SYNC_RIGHT:
        return replace(user, sync_right=is_open)
    assert kind is not None
    if gate is Gate.SWITCH:
        return replace(user, switches=user.switches | {kind} if is_open else user.switches - {kind})
    return replace(user, other_channels=user.other_channels - {kind} if is_open else user.other_channels | {kind})
