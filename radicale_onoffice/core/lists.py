"""What pages and lists ask of a transaction, beside what synchronisation needs (``ports.Transaction`` has both).

A page is rows and how many there are in all. Texts that are searched for are found anywhere, whatever the case.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from radicale_onoffice.core.clients import Client, Visit
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import Attempts, AuditLine, Device, Door, Identity, Kind, PageSession, User

MAX_PAGES = 100_000
MAX_TEXT = 100  # characters that are searched for


def offset_of(page: int, size: int, text: str, *, most: int) -> int:
    """Where a page of a list begins; pages are counted from 0 and have at most ``most`` rows. Raises BadRequest."""
    if not (0 <= page <= MAX_PAGES and 0 < size <= most):
        raise BadRequest(f"A page has 1 to {most} rows, and pages are counted from 0 to {MAX_PAGES}.")
    if len(text) > MAX_TEXT or "\0" in text:
        raise BadRequest(f"At most {MAX_TEXT} characters can be searched for.")
    return page * size


class Show(StrEnum):
    """Which users a list has."""

    ALL = "all"
    LOCKED = "locked"
    CLOSED = "closed"  # a gate of the user's own is closed
    DEACTIVATED = "deactivated"
    ADMINS = "admins"


class Only(StrEnum):
    """Which contacts a list has."""

    ALL = "all"
    SYNCED = "synced"  # on the user's devices
    UNSYNCED = "unsynced"


class Listed(NamedTuple):
    """A contact in a list."""

    record_id: str
    name: str
    company: str
    is_synced: bool


class Numbered(NamedTuple):
    """A line of the audit log; numbers grow."""

    number: int
    line: AuditLine


class Seen(NamedTuple):
    """When a login's clients last came in, and how many there are."""

    last_ok: datetime | None
    clients: int


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

    # ---- page sessions and doors
    def page_sessions(self, identity: Identity) -> Sequence[PageSession]:
        """A user's sessions, also expired ones, the newest first."""

    def change_page_session(self, token_digest: str, *, notice: str | None = None, last_used: datetime | None = None) -> None:
        """Change what is given of a session, unless it has ended meanwhile."""

    def prune_attempts(self, strangers: int) -> None:
        """Forget the oldest wrong passwords of logins that do not exist, all but so many."""

    # ---- an administrator's lists
    def user_page(self, tenant: str, text: str, show: Show, locked_since: datetime, offset: int, limit: int) -> tuple[int, Sequence[User]]:
        """Users by login; LOCKED are those whose lock was set after ``locked_since``."""

    def attempts_of(self, tenant: str, door: Door, logins: Collection[str]) -> Mapping[str, Attempts]: ...
    def seen_of(self, tenant: str, logins: Collection[str]) -> Mapping[str, Seen]: ...
    def failing_of(self, tenant: str, logins: Collection[str]) -> Mapping[str, int]:
        """How many items fail on the phones of each login; those without any are missing."""

    def offered_of(self, tenant: str, logins: Collection[str]) -> Mapping[tuple[str, Kind], int]:
        """How many records the newest feed of each login and kind offers."""

    def device_page(self, tenant: str, text: str, offset: int, limit: int) -> tuple[int, Sequence[tuple[Device, int]]]:
        """Phones by login and id, each with how many items fail; the text is looked for in login, id, type and what the phone says."""

    def audit_page(self, tenant: str, login: str, event: str, text: str, before: int | None, limit: int) -> Sequence[Numbered]:
        """The newest lines first, of a login, of events that begin so, with the text, with smaller numbers than ``before``."""

    # ---- contacts
    def people_page(
        self, identity: Identity, needles: Sequence[str], only: Only, left_out: str, offset: int, limit: int
    ) -> tuple[int, Sequence[Listed]]:
        """Contacts of the tenant in whose words one of the needles stands, all without any; flagged ones are the user's.

        Those with the mark ``left_out`` are left out unless the user has flagged them.
        """
