"""What a device does not know yet, for the administrator."""

from __future__ import annotations

from dataclasses import dataclass

from activesync_bridge import exchange, sync_state
from radicale_onoffice.core.errors import CursorInvalid
from radicale_onoffice.core.model import Device, Identity, Kind
from radicale_onoffice.core.office import Office


@dataclass(frozen=True, slots=True)
class View:
    """A user's view of the office, without a request."""

    office: Office
    identity: Identity


def pending(office: Office, device: Device) -> dict[str, int | None]:
    """Changes per collection that the device's next Sync would bring; None if it begins anew. Collections it never fetched are left out."""
    found: dict[str, int | None] = {}
    for kind in Kind:
        with office.store.reading() as tx:
            stored = tx.sync_state(device.identity, device.id, kind.value)
        if stored is None:
            continue
        state = sync_state.load(stored[0])
        if state is None:
            found[kind.value] = None
            continue
        known = state.current
        try:
            found[kind.value] = len(exchange.plan(View(office, device.identity), kind, known, known.scope, room=exchange.UNBOUNDED).steps)
        except CursorInvalid:
            found[kind.value] = None
    return found
