"""My sync: what is synchronised, why not, and the lock (rules 1-3, 14, 87-89)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radicale_onoffice.core import rights
from radicale_onoffice.core.model import Kind
from radicale_onoffice.pages.exchange import Answer

if TYPE_CHECKING:
    from radicale_onoffice.pages.site import Visit

DEVIATIONS = 10  # the newest ones that the page tells


def show(visit: Visit) -> Answer:
    """The start page."""
    who = visit.who
    assert who is not None
    with visit.office.store.reading() as tx:
        told = tx.audit(who.identity.tenant, DEVIATIONS, login=who.identity.user, event="deviation")
    return visit.page(
        "sync.html",
        kinds=[(kind, rights.closed_gates(who.tenant, who.user, kind)) for kind in Kind],
        is_locked=visit.office.accounts.is_locked(who.identity),
        maintenance=visit.office.accounts.maintenance(),
        deviations=told,
    )


def unlock(visit: Visit) -> Answer:
    """The button is there only while locked; pressing a stale one says nothing (rules 88, 89)."""
    was_locked = visit.office.accounts.unlock(visit.identity, visit.by)
    return visit.go("/", "unlocked" if was_locked else "")
