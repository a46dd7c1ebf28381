"""My devices: phones over ActiveSync with what they lack and what fails, programs over DAV, and what can be done to them.

A device's address in these pages is a digest of its id, looked for among the user's own: an id may hold any character, and nobody else's
device can be found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radicale_onoffice.core import clients
from radicale_onoffice.core.devices import confirms, wipes_account
from radicale_onoffice.core.errors import BadRequest, NotFound
from radicale_onoffice.core.folders import offered_kinds
from radicale_onoffice.core.model import Device, Face, Failure, Kind
from radicale_onoffice.core.visits import has_old_password
from radicale_onoffice.pages.exchange import Answer

if TYPE_CHECKING:
    from radicale_onoffice.pages.site import Visit


@dataclass(frozen=True, slots=True)
class Phone:
    """A device with its items that fail."""

    key: str
    name: str
    device: Device
    failures: Sequence[Failure]

    def says(self, name: str) -> str:
        """What it says of itself under a name of DeviceInformation; "" if nothing."""
        return dict(self.device.information).get(name, "")


def key_of(face: Face, client: str) -> str:
    """Where a device's page is."""
    return hashlib.sha256(f"{face}\0{client}".encode("utf-8", "surrogatepass")).hexdigest()[:20]


def phone_name(device: Device) -> str:
    """What people call it, as far as it says so."""
    said = dict(device.information)
    return said.get("FriendlyName") or said.get("Model") or device.type or device.id


def client_names(visit: Visit) -> Mapping[tuple[Face, str], str]:
    """What people call the user's clients, by face and id."""
    identity = visit.identity
    names = {(one.face, one.client): one.label or one.client for one in visit.office.visits.of(identity)}
    phones = visit.office.devices.list(identity.tenant, identity.user)
    return names | {(Face.EAS, device.id): phone_name(device) for device, _ in phones}


def show(visit: Visit) -> Answer:
    """All that synchronises with the user's login."""
    assert visit.who is not None
    clients = visit.office.visits.of(visit.identity)
    return visit.page(
        "devices.html",
        phones=_phones(visit),
        programs=[one for one in clients if one.face is Face.DAV and one.last_ok is not None],
        outdated={(one.face, one.client) for one in clients if has_old_password(one, visit.who.user)},
        key_of=key_of,
    )


def details(visit: Visit, key: str) -> Answer:
    """One phone: what it says, lacks, and could not take."""
    assert visit.who is not None
    phone, offered = _phone(visit, key), offered_kinds(visit.who)
    return visit.page(
        "device.html",
        phone=phone,
        pending={kind: count for kind, count in visit.site.setup.pending(phone.device).items() if kind in offered},
        titles=visit.office.records.titles(visit.identity, [one.item for one in phone.failures]),
        may_be_erased=visit.office.devices.may_be_erased,
    )


def unblock(visit: Visit, key: str) -> Answer:
    """Let a phone in again."""
    phone = _phone(visit, key)
    visit.office.devices.unblock(visit.identity, phone.device.id, visit.by)
    return visit.go(f"/devices/{key}", "device_unblocked", name=phone.name)


def ask(visit: Visit, key: str, action: str) -> Answer:
    """Before something is done to a phone."""
    return _ask(visit, _phone(visit, key), action)


def act(visit: Visit, key: str, action: str) -> Answer:
    """Do it."""
    phone = _phone(visit, key)
    if action == "erase" and not confirms(phone.device, visit.form.one("typed")):
        return _ask(visit, phone, action, failed=True)
    _action(action)(visit, phone.device)
    gone = action == "remove"
    return visit.go("/devices" if gone else f"/devices/{key}", f"device_done_{action}", name=phone.name)


def ask_forget(visit: Visit, key: str) -> Answer:
    """Before a program is taken off the list."""
    one = _program(visit, key)
    paragraphs = (visit.text("program_forget_means"), visit.text("program_forget_password"))
    heading = visit.text("program_forget_name", name=one.label)
    return visit.ask(heading, paragraphs, action=f"/programs/{key}/forget", button=visit.text("program_forget"), back="/devices")


def forget(visit: Visit, key: str) -> Answer:
    """Take a program off the list."""
    one = _program(visit, key)
    visit.office.visits.forget(visit.identity, one.face, one.client)
    return visit.go("/devices", "program_forgotten", name=one.label)


# ------------------------------------------------------------------ inside


def _ask(visit: Visit, phone: Phone, action: str, *, failed: bool = False) -> Answer:
    _action(action)
    text, choices, typed = visit.text, None, None
    keys = [f"device_{action}_means"]
    if action == "wipe":
        keys.append("device_wipe_crm" if wipes_account(phone.device) else "device_wipe_kept_out")
    elif action == "resync":
        kinds = [(kind.value, text(kind)) for kind in Kind]
        choices = {"name": "folder", "label": text("resync_what"), "options": [("", text("everything")), *kinds]}
    elif action == "erase":
        visit.office.devices.demand_full_wipe()
        word = phone.says("Model") or phone.device.id
        typed = {"label": text("erase_type", word=word), "failed": text("erase_mistyped") if failed else ""}
    return visit.ask(
        text(f"device_{action}_name", name=phone.name),
        [text(key) for key in keys],
        action=f"/devices/{phone.key}/{action}",
        button=text(f"device_{action}"),
        back=f"/devices/{phone.key}",
        choices=choices,
        typed=typed,
    )


def _resync(visit: Visit, device: Device) -> None:
    folder = visit.form.one("folder")
    if folder and folder not in list(Kind):
        raise BadRequest(f"There is no folder {folder[:20]!r}; there are {', '.join(Kind)}.")
    visit.office.devices.resync(visit.identity, device.id, visit.by, folder or None)


def _block(visit: Visit, device: Device) -> None:
    visit.office.devices.block(visit.identity, device.id, visit.by)


def _remove(visit: Visit, device: Device) -> None:
    visit.office.devices.remove(visit.identity, device.id, visit.by)


def _wipe(visit: Visit, device: Device) -> None:
    visit.office.devices.request_wipe(visit.identity, device.id, visit.by)


def _erase(visit: Visit, device: Device) -> None:
    visit.office.devices.request_wipe(visit.identity, device.id, visit.by, account_only=False)


ACTIONS: Mapping[str, Callable[[Visit, Device], None]] = {
    "resync": _resync,
    "block": _block,
    "remove": _remove,
    "wipe": _wipe,
    "erase": _erase,
}


def _action(word: str) -> Callable[[Visit, Device], None]:
    if word not in ACTIONS:
        raise NotFound("This cannot be done to a device.")
    return ACTIONS[word]


def _phones(visit: Visit) -> list[Phone]:
    found = visit.office.devices.list(visit.identity.tenant, visit.identity.user)
    phones = [Phone(key_of(Face.EAS, device.id), phone_name(device), device, failures) for device, failures in found]
    return sorted(phones, key=lambda one: (one.device.last_sync or one.device.first_seen, one.device.id), reverse=True)


def _phone(visit: Visit, key: str) -> Phone:
    for phone in _phones(visit):
        if phone.key == key:
            return phone
    raise NotFound("You have no such device.")


def _program(visit: Visit, key: str) -> clients.Visit:
    for one in visit.office.visits.of(visit.identity):
        if one.face is Face.DAV and key_of(one.face, one.client) == key:
            return one
    raise NotFound("You have no such program.")
