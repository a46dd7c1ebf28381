"""What pages and lists ask of a transaction, beside what synchronisation needs (``ports.Transaction`` has both)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from radicale_onoffice.core.clients import Client, Visit
from radicale_onoffice.core.model import Identity, Kind, PageSession


class Lists(Protocol):
    """Visits, and rows by the page."""

    # ---- visits
    def visits(self, identity: Identity) -> tuple[Visit, ...]:
        """What is kept of a login's clients."""

    def note_visit(self, identity: Identity, client: Client, address: str, at: datetime, kind: Kind | None) -> None:
        """A client came in with today's password, and synchronised ``kind`` if that is given; an unknown login leaves no row.

        Without an address or a label those that are known stay.
        """

    def note_failed_visit(self, identity: Identity, client: Client, address: str, at: datetime) -> None:
        """Count a wrong password of a client; an unknown login leaves no row, at the same cost."""

    def prune_visits(self, identity: Identity, known: int, strangers: int) -> None:
        """Keep the newest clients only: so many that came in, and so many that never did."""

    def remove_visit(self, identity: Identity, client: Client) -> None: ...

    # ---- feeds
    def live_count(self, feed_id: int) -> int:
        """How many records a feed offers."""

    # ---- page sessions and doors
    def page_sessions(self, identity: Identity) -> Sequence[PageSession]:
        """A user's sessions, also expired ones, the newest first."""

    def change_page_session(self, token_digest: str, *, notice: str | None = None, last_used: datetime | None = None) -> None:
        """Change what is given of a session, unless it has ended meanwhile."""

    def prune_attempts(self, strangers: int) -> None:
        """Forget the oldest wrong passwords of logins that do not exist, all but so many."""
