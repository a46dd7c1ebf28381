"""The phones of the users: who may come, who has to go, and what is forgotten with them (rule 15; [MS-ASPROV] 3.2.5.1.2 for the wipe).

A device belongs to the user who signs in from it; the same device id of another user is another device, which starts from zero.
Everything that an administrator does to a device grows the tenant's change number, so that a phone that waits is told at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from radicale_onoffice.core.clients import Client
from radicale_onoffice.core.errors import BadRequest, NotFound, Refused, TooManyDevices, Unconfirmed
from radicale_onoffice.core.model import AuditLine, Device, DeviceState, Face, Failure, Identity
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Store, Transaction

logger = logging.getLogger(__name__)

SEEN_EVERY = timedelta(minutes=10)  # how exactly ``last_seen`` is kept; more would make a write of every request
MAX_ID, MAX_TEXT = 64, 256  # characters of a device id, and of what a device says of itself
MAX_INFORMATION = 32  # pairs
ACCOUNT_WIPE_SINCE = "16.1"  # the newest version there is
WIPING = (DeviceState.WIPE_REQUESTED, DeviceState.WIPE_SENT)


class Devices:
    """Keeps devices; safe to share between threads."""

    def __init__(self, store: Store, policy: Policy, clock: Callable[[], datetime]):
        self._store, self._policy, self._clock = store, policy, clock

    # ------------------------------------------------------- what phones do

    def seen(
        self, identity: Identity, device_id: str, type: str = "", user_agent: str = "", version: str = "", *, syncs: bool = False
    ) -> Device:
        """The device that a signed-in user's request comes from, made if it is new; its state may be that it has to go.

        ``version`` is the protocol's; ``syncs`` tells that it synchronises now. Raises BadRequest for an id that is none, TooManyDevices.
        """
        if not (0 < len(device_id) <= MAX_ID and device_id.isprintable()):
            raise BadRequest(f"A DeviceId has 1 to {MAX_ID} printable characters.")
        now = self._clock()
        says: dict[str, Any] = {"type": _clipped(type), "user_agent": _clipped(user_agent), "version": version}
        with self._store.reading() as tx:
            known = tx.device(identity, device_id)
        if syncs and (known is None or known.last_sync is None or now - known.last_sync >= SEEN_EVERY):
            says["last_sync"] = now
        if known is not None and replace(known, **says) == known and now - known.last_seen < SEEN_EVERY:
            return known
        # Lost with the power, it is noted again with the device's next request; what a device is told is committed behind it, and lasts.
        with self._store.writing(lasting=False) as tx:
            known = tx.device(identity, device_id, lock=True)
            device = replace(known, last_seen=now, **says) if known else self._new(tx, identity, device_id, says, now)
            tx.save_device(device)
        if known is not None and known.user_agent != device.user_agent:
            # [MS-ASHTTP] lets a server block who does this often; updates of phones do it, too.
            logger.info("device %s of %s has another user agent: %r, was %r", device_id, identity, device.user_agent, known.user_agent)
        return device

    def update(self, identity: Identity, device_id: str, **changes: Any) -> Device:
        """Change what is kept of a device (fields of Device), and nothing that somebody else changes meanwhile; raises NotFound."""
        with self._store.writing() as tx:
            return self.update_in(tx, identity, device_id, **changes)

    def update_in(self, tx: Transaction, identity: Identity, device_id: str, **changes: Any) -> Device:
        """``update`` within a transaction that writes something else, too."""
        if "information" in changes:
            pairs = changes["information"][:MAX_INFORMATION]
            changes["information"] = tuple((_clipped(name), _clipped(value)) for name, value in pairs)
        device = replace(self._get(tx, identity, device_id), **changes)
        tx.save_device(device)
        return device

    def wipe_sent(self, identity: Identity, device_id: str) -> None:
        """The device was told to wipe itself; one that was let in again meanwhile stays in."""
        with self._store.writing() as tx:
            device = self._get(tx, identity, device_id)
            if device.state is DeviceState.WIPE_REQUESTED:
                tx.save_device(replace(device, state=DeviceState.WIPE_SENT))

    def wiped(self, identity: Identity, device_id: str, *, success: bool = True) -> None:
        """The device says that it has wiped itself, or that it could not: then it is told again (R663, R665)."""
        with self._store.writing() as tx:
            device = self._get(tx, identity, device_id)
            if device.state not in WIPING:
                return
            state = DeviceState.WIPED if success else DeviceState.WIPE_REQUESTED
            tx.save_device(replace(device, state=state, policy_key="", pending_policy_key="", sync_request=""))
            tx.remove_sync_states(identity, device_id)
            self._audit(tx, identity, device_id, "wiped" if success else "not wiped, is told again", f"device {device_id}")

    # -------------------------- what administrators do to them, and with ``as_owner`` users to their own

    def block(self, identity: Identity, device_id: str, by: str, *, as_owner: bool = False) -> Device:
        """Keep a device out until it is unblocked; raises NotFound, and Refused as ``demand_own_order`` does."""
        return self._set(identity, device_id, by, "blocked", as_owner, state=DeviceState.BLOCKED, ordered_by=by)

    def unblock(self, identity: Identity, device_id: str, by: str, *, as_owner: bool = False) -> Device:
        """Let a device in again, also one that was wiped or was to be; raises NotFound, and Refused as ``demand_own_order`` does."""
        return self._set(identity, device_id, by, "unblocked", as_owner, state=DeviceState.ALLOWED, ordered_by="")

    def request_wipe(self, identity: Identity, device_id: str, by: str, *, as_owner: bool = False) -> Device:
        """Have the account erased at the device's next request; raises NotFound, and Refused as ``demand_own_order`` does."""
        changes: dict[str, Any] = {"state": DeviceState.WIPE_REQUESTED, "wipe_account_only": True, "ordered_by": by}
        return self._set(identity, device_id, by, "wipe of the account requested", as_owner, **changes)

    def request_full_wipe(self, identity: Identity, device_id: str, by: str, confirmation: str, *, as_owner: bool = False) -> Device:
        """Have the whole phone erased at its next request, if somebody typed what ``erase_word`` gives, or its id.

        Raises NotFound, Unconfirmed, and Refused unless the policy allows it, or as ``demand_own_order`` does.
        """
        self.demand_full_wipe()
        device = self.get(identity, device_id)
        if not _confirms(device, confirmation):
            raise Unconfirmed(f"This erases all that is on the phone. Type {erase_word(device)!r} to confirm.")
        changes: dict[str, Any] = {"state": DeviceState.WIPE_REQUESTED, "wipe_account_only": False, "ordered_by": by}
        return self._set(identity, device_id, by, "wipe of the whole phone requested", as_owner, **changes)

    @property
    def may_be_erased(self) -> bool:
        """True if whole phones may be erased here."""
        return self._policy.full_wipe

    def demand_full_wipe(self) -> None:
        """Raise Refused unless whole phones may be erased here."""
        if not self.may_be_erased:
            raise Refused("Phones are not erased here: activesync_full_wipe is off. Have the account wiped instead.")

    def resync(self, identity: Identity, device_id: str, by: str, collection: str | None = None) -> None:
        """Have a device fetch a collection, or everything, from the beginning; raises NotFound."""
        with self._store.writing() as tx:
            device = self._get(tx, identity, device_id)
            tx.remove_sync_states(identity, device_id, collection)
            for failure in tx.failures(identity, device_id):
                if collection in (None, failure.collection):
                    tx.clear_failure(identity, device_id, failure.collection, failure.item)
            tx.save_device(replace(device, sync_request=""))
            self._audit(tx, identity, device_id, f"resync of {collection or 'everything'}", by)
            tx.next_change(identity.tenant, everybody=True)

    def remove(self, identity: Identity, device_id: str, by: str, *, as_owner: bool = False) -> bool:
        """Forget a device with all that is its own; one that comes again is new, and let in. False if there was none.

        Raises Refused as ``demand_own_order`` does.
        """
        with self._store.writing() as tx:
            known = tx.device(identity, device_id, lock=True)
            if as_owner and known is not None:
                demand_own_order(known, by)
            found = tx.remove_device(identity, device_id)
            if found:
                tx.remove_visit(identity, Client(Face.EAS, device_id, ""))
                self._audit(tx, identity, device_id, "removed", by)
                tx.next_change(identity.tenant, everybody=True)
        return found

    # -------------------------------------------------------------- looking

    def get(self, identity: Identity, device_id: str) -> Device:
        """A user's device; raises NotFound."""
        with self._store.reading() as tx:
            return self._demand(tx.device(identity, device_id), identity, device_id)

    def list(self, tenant: str, user: str | None = None) -> Sequence[tuple[Device, Sequence[Failure]]]:
        """A tenant's or a user's devices, by user and id, each with its failing items."""
        with self._store.reading() as tx:
            return [(device, tx.failures(device.identity, device.id)) for device in tx.devices(tenant, user)]

    def failures(self, identity: Identity, device_id: str) -> Sequence[Failure]:
        """The items of a device that fail, the newest first."""
        with self._store.reading() as tx:
            return tx.failures(identity, device_id)

    # --------------------------------------------------------------- inside

    def _new(self, tx: Transaction, identity: Identity, device_id: str, says: dict[str, Any], now: datetime) -> Device:
        mine = self._without_forgotten(tx, identity, now)
        if len(mine) >= self._policy.max_devices:
            raise TooManyDevices(self._policy.max_devices)
        # A request that was on its way when the device was removed may have left a state behind.
        tx.remove_device(identity, device_id)
        others = [user for user in tx.users_of_device(identity.tenant, device_id) if user != identity.user]
        detail = f"{device_id} {says['type']}".strip() + (f", also a device of {', '.join(others)}" if others else "")
        self._audit(tx, identity, detail, "added", f"device {device_id}")
        return Device(identity=identity, id=device_id, first_seen=now, last_seen=now, **says)

    def _without_forgotten(self, tx: Transaction, identity: Identity, now: datetime) -> Sequence[Device]:
        """The user's devices, less those that have not come for so long that their feeds have forgotten them: they start anew anyway."""
        kept = []
        for device in tx.devices(identity.tenant, identity.user):
            if device.state is DeviceState.ALLOWED and now - device.last_seen > timedelta(days=self._policy.feed_days):
                tx.remove_device(identity, device.id)
                tx.remove_visit(identity, Client(Face.EAS, device.id, ""))
                self._audit(tx, identity, device.id, f"removed, not seen since {device.last_seen:%Y-%m-%d}", "the next new device")
            else:
                kept.append(device)
        return kept

    def _set(self, identity: Identity, device_id: str, by: str, event: str, as_owner: bool, **changes: Any) -> Device:
        with self._store.writing() as tx:
            known = self._get(tx, identity, device_id)
            if as_owner:
                demand_own_order(known, by)
            device = replace(known, **changes)
            tx.save_device(device)
            self._audit(tx, identity, device_id, event, by)
            tx.next_change(identity.tenant, everybody=True)
        return device

    def _get(self, tx: Transaction, identity: Identity, device_id: str) -> Device:
        return self._demand(tx.device(identity, device_id, lock=True), identity, device_id)

    @staticmethod
    def _demand(device: Device | None, identity: Identity, device_id: str) -> Device:
        if device is None:
            raise NotFound(f"The user {identity.user!r} has no device {device_id!r}; `device list` shows which there are.")
        return device

    def _audit(self, tx: Transaction, identity: Identity, detail: str, event: str, by: str) -> None:
        line = AuditLine(at=self._clock(), tenant=identity.tenant, login=identity.user, actor=by, event=f"device {event}", detail=detail)
        tx.add_audit(line)
        logger.info("device %s: %s, login=%s tenant=%s by=%s", event, detail, identity.user, identity.tenant, by)


def is_own_order(device: Device, by: str) -> bool:
    """True if the device comes and goes as it likes, or if it was kept out or wiped ``by`` the same who wants to change that."""
    return device.state is DeviceState.ALLOWED or device.ordered_by == by


def demand_own_order(device: Device, by: str) -> None:
    """Raise Refused if somebody else had the device kept out or wiped: who has a stolen phone has its owner's password, too."""
    if not is_own_order(device, by):
        raise Refused("An administrator has had this phone kept out or wiped; only an administrator can change that.")


def wipes_account(device: Device) -> bool:
    """True if the device can be told to take off the account alone; older protocols know no such word, so it is kept out instead."""
    return device.version == ACCOUNT_WIPE_SINCE


def erase_word(device: Device) -> str:
    """What is to be typed to have a whole phone erased, so that it is the right one: its model, or its id if it names none."""
    return dict(device.information).get("Model", "").strip() or device.id


def _confirms(device: Device, typed: str) -> bool:
    return typed.strip().casefold() in {word.casefold() for word in (erase_word(device), device.id.strip()) if word}


def _clipped(text: str) -> str:
    """What a device says of itself in a form that is bounded and cannot forge a log line."""
    return "".join(character if character.isprintable() else "?" for character in text[:MAX_TEXT])
