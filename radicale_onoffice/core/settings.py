"""What a user or an administrator switches: gates, with an audit line and a new start for the user's clients where the rules say so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from radicale_onoffice.core.errors import BadRequest, NotFound
from radicale_onoffice.core.folders import DISPLAY_NAMES
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
        with self._store.writing() as tx:
            if self.set_gate_within(tx, identity, gate, kind, is_open, by):
                tx.next_change(identity.tenant, everybody=True)

    def set_gate_within(self, tx: Transaction, identity: Identity, gate: Gate, kind: Kind | None, is_open: bool, by: str) -> bool:
        """``set_gate`` within a transaction, which has to grow the change number itself; False, and nothing done, if it was so already."""
        demand_kind(gate, kind)
        if gate is Gate.MODULE:
            if not self._set_module(tx, identity.tenant, is_open):
                return False
        else:
            user = _demand_user(tx, identity)
            changed = with_gate(user, gate, kind, is_open)
            if changed == user:
                return False
            tx.save_user(changed)
            if gate is Gate.SWITCH and not is_open:
                # Off and on again is the official way to restart a stuck sync (rule 3, U43): cursors die, the lock stays.
                tx.reset_feeds(identity, kind, self._new_epoch())
        word = "opened" if is_open else "closed"
        self._audit(tx, identity, by, f"gate {word}: {gate}" + (f" {kind}" if kind else ""))
        return True

    def set_switch(self, identity: Identity, kind: Kind, is_on: bool, by: str) -> None:
        """The user's own switch of a kind (rules 1, 2). Raises NotFound."""
        self.set_gate(identity, Gate.SWITCH, kind, is_on, by)

    def set_other_channel(self, identity: Identity, kind: Kind, is_used: bool, by: str) -> None:
        """The user says whether memotoo or Microsoft 365 serves a kind; while it does, ours does not (rule 14). Raises NotFound."""
        self.set_gate(identity, Gate.OTHER_CHANNEL, kind, not is_used, by)

    def restart(self, identity: Identity, kinds: Iterable[Kind], by: str) -> tuple[Kind, ...]:
        """Off and on again in one: the user's clients start from the beginning, the lock stays (rules 3, 97; U43).

        Of these kinds those that are switched on; they are returned. Raises NotFound, and BadRequest if none is.
        """
        with self._store.writing() as tx:
            user = _demand_user(tx, identity)
            wanted = set(kinds) & user.switches
            restarted = tuple(kind for kind in Kind if kind in wanted)
            if not restarted:
                raise BadRequest("Synchronisation is switched off; switch it on, then devices begin anew.")
            for kind in restarted:
                tx.reset_feeds(identity, kind, self._new_epoch())
            tx.next_change(identity.tenant, everybody=True)
            self._audit(tx, identity, by, f"restarted: {', '.join(restarted)}")
        return restarted

    def set_language(self, identity: Identity, language: str, by: str) -> None:
        """The language of the user's folders and pages. Raises NotFound, BadRequest."""
        if language not in DISPLAY_NAMES:
            raise BadRequest(f"There is no language {language!r}; there are {', '.join(DISPLAY_NAMES)}.")
        with self._store.writing() as tx:
            user = _demand_user(tx, identity)
            if user.language == language:
                return
            tx.save_user(replace(user, language=language))
            tx.next_change(identity.tenant, everybody=True)
            self._audit(tx, identity, by, f"language: {language}")

    def _audit(self, tx: Transaction, identity: Identity, by: str, event: str) -> None:
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
    def _set_module(tx: Transaction, name: str, is_open: bool) -> bool:
        tenant = tx.tenant(name)
        if tenant is None:
            raise NotFound(f"There is no tenant {name!r}.")
        if tenant.module is is_open:
            return False
        tx.save_tenant(replace(tenant, module=is_open))
        return True


def _demand_user(tx: Transaction, identity: Identity) -> User:
    user = tx.user(identity, lock=True)
    if user is None:
        raise NotFound(f"There is no user {identity.user!r} of tenant {identity.tenant!r}.")
    return user


def demand_kind(gate: Gate, kind: Kind | None) -> None:
    """Raise BadRequest if the gate is one per kind, and none is named."""
    if gate in (Gate.SWITCH, Gate.OTHER_CHANNEL) and kind is None:
        raise BadRequest(f"The gate {gate} is one per kind: name contacts, appointments or tasks.")


def with_gate(user: User, gate: Gate, kind: Kind | None, is_open: bool) -> User:
    """The user with one of the user's own gates opened or closed. Whom the CRM suspended only the CRM opens again."""
    if gate is Gate.USER_STATE:
        opened = UserState.ACTIVE if user.state is UserState.DEACTIVATED else user.state
        return replace(user, state=opened if is_open else UserState.DEACTIVATED)
    if gate is Gate.SYNC_RIGHT:
        return replace(user, sync_right=is_open)
    assert kind is not None
    if gate is Gate.SWITCH:
        return replace(user, switches=user.switches | {kind} if is_open else user.switches - {kind})
    return replace(user, other_channels=user.other_channels - {kind} if is_open else user.other_channels | {kind})
