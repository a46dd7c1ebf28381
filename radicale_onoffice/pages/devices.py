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
from radicale_onoffice.core.devices import erase_word, is_own_order, wipes_account
from radicale_onoffice.core.errors import BadRequest, NotFound, Unconfirmed
from radicale_onoffice.core.folders import offered_kinds, reader
from radicale_onoffice.core.model import Device, Face, Failure, Identity, Kind
from radicale_onoffice.core.visits import has_old_password
from radicale_onoffice.pages.exchange import Answer

if TYPE_CHECKING:
    from radicale_onoffice.pages.site import Visit


MINE = "/devices"  # path of the user's own list


@dataclass(frozen=True, slots=True)
class Phone:
    """A device with its items that fail; ``list`` is the path of the page that lists its owner's devices: ``MINE`` is the owner's own."""

    key: str
    name: str
    device: Device
    failures: Sequence[Failure]
    list: str

    @property
    def path(self) -> str:
        """Where its own page is."""
        return f"{self.list}/{self.key}"

    @property
    def items(self) -> Sequence[str]:
        """The items that fail, by their ids."""
        return [one.item for one in self.failures]

    @property
    def as_owner(self) -> bool:
        """True where its owner looks at it, False where an administrator does."""
        return self.list == MINE

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
        phones=_phones(visit, visit.identity, MINE),
        programs=[one for one in clients if one.face is Face.DAV and one.last_ok is not None],
        outdated={(one.face, one.client) for one in clients if has_old_password(one, visit.who.user)},
        key_of=key_of,
    )


def details(visit: Visit, key: str) -> Answer:
    """One phone: what it says, lacks, and could not take."""
    phone = phone_at(visit, visit.identity, MINE, key)
    return details_of(visit, phone, visit.office.records.titles(visit.identity, phone.items), "item_gone")


def unblock(visit: Visit, key: str) -> Answer:
    """Let a phone in again."""
    return unblock_it(visit, phone_at(visit, visit.identity, MINE, key))


def ask(visit: Visit, key: str, action: str) -> Answer:
    """Before something is done to a phone."""
    return ask_about(visit, phone_at(visit, visit.identity, MINE, key), action)


def act(visit: Visit, key: str, action: str) -> Answer:
    """Do it."""
    return act_on(visit, phone_at(visit, visit.identity, MINE, key), action)


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


# ------------------------------------------- a phone, of whoever it is


def details_of(visit: Visit, phone: Phone, titles: Mapping[str, str], untitled: str) -> Answer:
    """Its page; ``titles`` are what people call the items that fail, as far as the visitor may know, ``untitled`` the text for the others."""
    with visit.office.store.reading() as tx:
        offered = offered_kinds(reader(tx, phone.device.identity))
    return visit.page(
        "device.html",
        phone=phone,
        pending={kind: count for kind, count in visit.site.setup.pending(phone.device).items() if kind in offered},
        titles=titles,
        untitled=untitled,
        may_be_erased=visit.office.devices.may_be_erased,
        may_be_changed=not phone.as_owner or is_own_order(phone.device, visit.by),
    )


def unblock_it(visit: Visit, phone: Phone) -> Answer:
    """Let it in again."""
    visit.office.devices.unblock(phone.device.identity, phone.device.id, visit.by, as_owner=phone.as_owner)
    return visit.go(phone.path, "device_unblocked", name=phone.name)


def ask_about(visit: Visit, phone: Phone, action: str, *, failed: bool = False) -> Answer:
    """The question before an action; ``failed`` if what had to be typed was not."""
    _action(visit, action)
    text, choices, typed = visit.text, None, None
    keys = [f"device_{action}_means"]
    if action == "wipe":
        keys.append("device_wipe_crm" if wipes_account(phone.device) else "device_wipe_kept_out")
    elif action == "resync":
        kinds = [(kind.value, text(kind)) for kind in Kind]
        choices = {"name": "folder", "label": text("resync_what"), "options": [("", text("everything")), *kinds]}
    elif action == "erase":
        visit.office.devices.demand_full_wipe()
        typed = {"label": text("erase_type", word=erase_word(phone.device)), "failed": text("erase_mistyped") if failed else ""}
    return visit.ask(
        text(f"device_{action}_name", name=phone.name),
        [text(key) for key in keys],
        action=f"{phone.path}/{action}",
        button=text(f"device_{action}"),
        back=phone.path,
        choices=choices,
        typed=typed,
    )


def act_on(visit: Visit, phone: Phone, action: str) -> Answer:
    """The action; a whole phone is only erased if its model or id was typed."""
    try:
        _action(visit, action)(visit, phone)
    except Unconfirmed:
        return ask_about(visit, phone, action, failed=True)
    gone = action == "remove"
    return visit.go(phone.list if gone else phone.path, f"device_done_{action}", name=phone.name)


def phone_at(visit: Visit, owner: Identity, where: str, key: str) -> Phone:
    """A phone of the owner by its key; ``where`` is the path of the list that it stands in. Raises NotFound."""
    for phone in _phones(visit, owner, where):
        if phone.key == key:
            return phone
    raise NotFound(visit.text("no_such_device"))


def _resync(visit: Visit, phone: Phone) -> None:
    folder = visit.form.one("folder")
    if folder and folder not in list(Kind):
        raise BadRequest(visit.text("not_found"))
    visit.office.devices.resync(phone.device.identity, phone.device.id, visit.by, folder or None)


def _block(visit: Visit, phone: Phone) -> None:
    visit.office.devices.block(phone.device.identity, phone.device.id, visit.by, as_owner=phone.as_owner)


def _remove(visit: Visit, phone: Phone) -> None:
    visit.office.devices.remove(phone.device.identity, phone.device.id, visit.by, as_owner=phone.as_owner)


def _wipe(visit: Visit, phone: Phone) -> None:
    visit.office.devices.request_wipe(phone.device.identity, phone.device.id, visit.by, as_owner=phone.as_owner)


def _erase(visit: Visit, phone: Phone) -> None:
    typed = visit.form.one("typed")
    visit.office.devices.request_full_wipe(phone.device.identity, phone.device.id, visit.by, typed, as_owner=phone.as_owner)


ACTIONS: Mapping[str, Callable[[Visit, Phone], None]] = {
    "resync": _resync,
    "block": _block,
    "remove": _remove,
    "wipe": _wipe,
    "erase": _erase,
}


def _action(visit: Visit, word: str) -> Callable[[Visit, Phone], None]:
    if word not in ACTIONS:
        raise NotFound(visit.text("not_found"))
    return ACTIONS[word]


def _phones(visit: Visit, owner: Identity, where: str) -> list[Phone]:
    found = visit.office.devices.list(owner.tenant, owner.user)
    phones = [Phone(key_of(Face.EAS, device.id), phone_name(device), device, failures, where) for device, failures in found]
    return sorted(phones, key=lambda one: (one.device.last_sync or one.device.first_seen, one.device.id), reverse=True)


def _program(visit: Visit, key: str) -> clients.Visit:
    for one in visit.office.visits.of(visit.identity):
        if one.face is Face.DAV and key_of(one.face, one.client) == key:
            return one
    raise NotFound(visit.text("no_such_program"))
