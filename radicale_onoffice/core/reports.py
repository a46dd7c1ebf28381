"""What a device is not told, or cannot show: what became otherwise than it was sent, and what was refused. It stands in the audit log.

Event "deviation" is a change that was stored in another form, event "refused" one that was not stored at all; ``detail`` of both is the record,
or "new (kind)", a colon, and what happened in words for the user, in onOffice's own where onOffice refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from radicale_onoffice.core.audit import printable
from radicale_onoffice.core.errors import Refused
from radicale_onoffice.core.model import Actor, AuditLine
from radicale_onoffice.core.ports import Store, Transaction

logger = logging.getLogger(__name__)

DEVIATION, REFUSED = "deviation", "refused"
REFUSALS = 50  # of one login in ``PERIOD`` that are kept, each told once: a phone may repeat what is refused for ever
PERIOD = timedelta(days=1)
MAX_DETAIL = 1000  # characters; the words may be those of a server elsewhere


def line(actor: Actor, at: datetime, event: str, what: str, text: str) -> AuditLine:
    """The audit line about something that a device did."""
    return AuditLine(
        at=at,
        tenant=actor.identity.tenant,
        login=actor.identity.user,
        actor=printable(f"{actor.face} {actor.device}".strip(), MAX_DETAIL),
        event=event,
        detail=printable(f"{what}: {text}", MAX_DETAIL),
    )


class Reports:
    """Tells the administrator (log) and the user (page); safe to share between threads."""

    def __init__(self, store: Store, clock: Callable[[], datetime]):
        self._store, self._clock = store, clock

    def deviation(self, tx: Transaction, actor: Actor, record_id: str, text: str) -> None:
        """What is stored deviates from what the device sent (rule 74); "" is nothing to tell."""
        if not text:
            return
        login = actor.identity.user
        logger.warning(
            "record %s of %s@%s deviates from what the device sent: %s",
            record_id,
            login,
            actor.identity.tenant,
            printable(text, MAX_DETAIL),
        )
        tx.add_audit(line(actor, self._clock(), DEVIATION, record_id, text))

    def refusal(self, actor: Actor, what: str, error: Refused) -> None:
        """A change was refused. Told once a day for each record and reason, and at most ``REFUSALS`` times a day for a login."""
        now, login, tenant = self._clock(), actor.identity.user, actor.identity.tenant
        found, why = line(actor, now, REFUSED, what, str(error)), printable(str(error), MAX_DETAIL)
        with self._store.reading() as tx:
            known = [one for one in tx.audit(tenant, REFUSALS, login=login, event=REFUSED) if now - one.at < PERIOD]
        if len(known) >= REFUSALS or any(one.detail == found.detail for one in known):
            logger.info("record %s of %s@%s: refused again: %s", what, login, tenant, why)
            return
        logger.warning("record %s of %s@%s: refused: %s", what, login, tenant, why)
        with self._store.writing() as tx:
            tx.add_audit(found)
