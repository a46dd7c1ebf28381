"""Rows by the page, for pages and lists, in SQL."""

from __future__ import annotations

from sqlalchemy import bindparam, func, select

from radicale_onoffice.stores import tables
from radicale_onoffice.stores.statements import Part

entries = tables.feed_entries
LIVE = select(func.count()).where(entries.c.feed_id == bindparam("feed_id"), entries.c.live.is_(True))


class ListsPart(Part):
    """Everything that is looked at and not synchronised."""

    def live_count(self, feed_id: int) -> int:
        return int(self._connection.execute(LIVE, {"feed_id": feed_id}).scalar_one())
