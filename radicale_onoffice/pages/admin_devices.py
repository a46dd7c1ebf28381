"""Administration: the phones of all users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radicale_onoffice.core.administration import PAGE_SIZE
from radicale_onoffice.pages import tables
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
        total=found.total,
        search=text,
        listed=tables.Listed("/admin/devices", {"text": text}, number, found.total, PAGE_SIZE),
    )
