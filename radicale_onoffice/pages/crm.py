"""What pages tell of a CRM that is elsewhere; ``mirrors.State`` is such a state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from radicale_onoffice.core.model import Kind


class CrmState(Protocol):
    """How the copy of a CRM elsewhere is. Texts are for the administrator, in English."""

    @property
    def is_stale(self) -> bool:
        """What is shown may be old."""

    @property
    def is_silent(self) -> bool:
        """The CRM does not answer."""

    @property
    def error(self) -> str:
        """What it answered instead, or why nobody could ask; "" while all is well."""

    @property
    def alarms(self) -> Sequence[str]:
        """Why what it shows is not believed."""

    @property
    def doubts(self) -> Sequence[str]:
        """What it does not show at all, which may be true, or a right that the API user never had."""

    @property
    def since(self) -> datetime | None:
        """Up to when everything is here; None: not once yet."""

    @property
    def pulled(self) -> Mapping[Kind, datetime | None]:
        """The same for each kind."""

    @property
    def queued(self) -> int:
        """Changes that wait to be sent."""

    @property
    def oldest_errand(self) -> datetime | None:
        """When the one that waits longest was made."""

    @property
    def refused(self) -> int:
        """Changes that the CRM refused, and nobody has looked at."""
