"""Administration: the phones of all users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radicale_onoffice.core.administration import PAGE_SIZE
from radicale_onoffice.core.model import Device, Face
from radicale_onoffice.pages import devices, tables
from radicale_onoffice.pages.admin import administrator, page
from radicale_onoffice.pages.exchange import Answer

if TYPE_CHECKING:
    from radicale_onoffice.pages.site import Visit


def show(visit: Visit) -> Answer:
    """The list."""
    text, number = visit.request.query.one("text").strip(), visit.request.query.number("page", 1, least=1, most=100_000)
    found = visit.office.administration.devices(administrator(visit), text=text, page=number - 1)
    return page(
        visit,
        "admin_devices.html",
        rows=found.rows,
        device_path=device_path,
        phone_name=devices.phone_name,
        total=found.total,
        search=text,
        listed=tables.Listed("/admin/devices", {"text": text}, number, found.total, PAGE_SIZE),
    )


def list_of(visit: Visit, login: str) -> Answer:
    """A user's devices stand on the user's page."""
    owner = visit.office.administration.identity_of(administrator(visit), login)
    return visit.go(tables.path("admin", "users", owner.user))


def details(visit: Visit, login: str, key: str) -> Answer:
    """One phone."""
    who, phone = administrator(visit), _phone(visit, login, key)
    return devices.details_of(visit, phone, visit.office.administration.titles(who, phone.items), "detail_entry")


def unblock(visit: Visit, login: str, key: str) -> Answer:
    """Let a phone in again."""
    return devices.unblock_it(visit, _phone(visit, login, key))


def ask(visit: Visit, login: str, key: str, action: str) -> Answer:
    """Before something is done to a phone."""
    return devices.ask_about(visit, _phone(visit, login, key), action)


def act(visit: Visit, login: str, key: str, action: str) -> Answer:
    """Do it."""
    return devices.act_on(visit, _phone(visit, login, key), action)


def device_path(device: Device) -> str:
    """Where the page of somebody's phone is."""
    return f"{_list(device.identity.user)}/{devices.key_of(Face.EAS, device.id)}"


def _list(login: str) -> str:
    return tables.path("admin", "users", login, "devices")


def _phone(visit: Visit, login: str, key: str) -> devices.Phone:
    owner = visit.office.administration.identity_of(administrator(visit), login)
    return devices.phone_at(visit, owner, _list(owner.user), key)
