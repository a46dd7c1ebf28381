"""Administration: how everything is at a glance, and maintenance. Who may see it is asked of the core with each request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from radicale_onoffice.core.administration import Administrator
from radicale_onoffice.core.lists import Numbered, Show
from radicale_onoffice.core.model import Kind
from radicale_onoffice.pages import events, tables
from radicale_onoffice.pages.exchange import Answer

if TYPE_CHECKING:
    from radicale_onoffice.pages.site import Visit

MINUTE = 60
RETRY_MINUTES = 10  # until clients come again during maintenance, unless something else is typed
MAX_MESSAGE = 500  # characters
NEWEST = 8  # lines of the log


def administrator(visit: Visit) -> Administrator:
    """The signed-in user as an administrator; raises Refused."""
    return visit.office.administration.as_user(visit.identity)


def page(visit: Visit, template: str, **values: Any) -> Answer:
    """An administrator's page, with what all of them need."""
    return visit.page(template, path=tables.path, **values)


def told(visit: Visit, who: Administrator, found: Sequence[Numbered]) -> list[events.Said]:
    """Lines of the log in words."""
    lines = [one.line for one in found]
    titles = visit.office.administration.titles(who, events.records_in(lines))
    return [events.said(line, titles, visit.text) for line in lines]


def show(visit: Visit) -> Answer:
    """What needs an administrator's eyes."""
    who = administrator(visit)
    return page(
        visit,
        "admin.html",
        who=who,
        numbers={show.value: visit.office.administration.users(who, show=show, size=1).total for show in Show},
        phones=visit.office.administration.devices(who, size=1).total,
        maintenance=visit.office.accounts.maintenance(),
        retry_minutes=RETRY_MINUTES,
        max_message=MAX_MESSAGE,
        crm=visit.site.setup.crm_state(who.tenant),
        kinds=list(Kind),
        lines=told(visit, who, visit.office.administration.audit(who, size=NEWEST)),
    )


def maintenance_on(visit: Visit) -> Answer:
    """Clients are told to come again later, and keep their passwords (rule 94)."""
    minutes = visit.form.number("minutes", RETRY_MINUTES, least=1, most=24 * 60)
    message = visit.form.one("message").strip()[:MAX_MESSAGE] or str(visit.text("maintenance_default"))
    visit.office.administration.set_maintenance(administrator(visit), message, minutes * MINUTE)
    return visit.go("/admin", "maintenance_began")


def maintenance_off(visit: Visit) -> Answer:
    """Everything answers again."""
    visit.office.administration.set_maintenance(administrator(visit), None)
    return visit.go("/admin", "maintenance_ended")
