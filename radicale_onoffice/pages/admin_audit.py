"""Administration: who did what to whose access, as a list and as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radicale_onoffice import spreadsheet
from radicale_onoffice.core.administration import MAX_EXPORTED, PAGE_SIZE
from radicale_onoffice.pages import tables
from radicale_onoffice.pages.admin import administrator, page, told
from radicale_onoffice.pages.exchange import Answer, download

if TYPE_CHECKING:
    from radicale_onoffice.pages.site import Visit

COLUMNS = ("at", "login", "actor", "event", "detail")
EVENTS = ("", "locked", "unlocked", "gate", "changed", "password", "device", "deviation", "refused", "maintenance")  # as events begin


def show(visit: Visit) -> Answer:
    """The newest lines first; a page ends where the next begins, because the log grows meanwhile."""
    asked, who = _asked(visit), administrator(visit)
    before = visit.request.query.number("before", 0)
    found = visit.office.administration.audit(who, **asked, before=before or None, size=PAGE_SIZE)
    listed = tables.Listed("/admin/audit", asked, 1, 0, PAGE_SIZE)
    older = f"{listed.url(1).rpartition('page=')[0]}before={found[-1].number}" if len(found) == PAGE_SIZE else ""
    return page(
        visit,
        "admin_audit.html",
        lines=told(visit, who, found),
        older=older,
        asked=asked,
        events=EVENTS,
        export=listed.export(),
    )


def export(visit: Visit) -> Answer:
    """All of them, as far as one file holds them; a last row tells of the others."""
    lines = visit.office.administration.export_audit(administrator(visit), **_asked(visit), most=MAX_EXPORTED)
    rows = [[line.at.isoformat(timespec="seconds"), line.login, line.actor, line.event, line.detail] for line in lines]
    if len(rows) == MAX_EXPORTED:
        rows.append(["", "", "", "older lines are not in this file", "radicale-onoffice audit list --csv --limit 0"])
    return download("audit.csv", spreadsheet.file(COLUMNS, rows), spreadsheet.TYPE)


def _asked(visit: Visit) -> dict[str, str]:
    query = visit.request.query
    event = query.one("event")
    return {"login": query.one("login").strip(), "event": event if event in EVENTS else "", "text": query.one("text").strip()}
