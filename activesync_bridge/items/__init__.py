"""Items: the ``ApplicationData`` of [MS-ASCNTC], [MS-ASCAL] and [MS-ASTASK] as a second syntax of the stored DAV object. Pure.

An item is read from the record's DAV text and a change is *patched into* that text, which then goes the way that a PUT goes
(``formats.load``): so both faces have the same rules, and what EAS cannot name stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from activesync_bridge.versions import Version
from radicale_onoffice import __version__


@dataclass(frozen=True, slots=True)
class BodyPreference:
    """What a client wants of one body type ([MS-ASAIRS] 2.2.2.12): 1 plain text, 2 HTML; size in bytes, None = unlimited."""

    truncation_size: int | None = None
    all_or_none: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """Everything that the encoding of a record depends on beside the record; ``key`` names it in the store of encoded items."""

    version: Version
    zone: ZoneInfo  # the tenant's
    region: str = "DE"
    bodies: Mapping[int, BodyPreference] = field(default_factory=dict)  # by body type; empty = the protocol's default

    @property
    def key(self) -> str:
        """Equal for flavours that encode alike; another release may encode otherwise, and begins its own."""
        wanted = ",".join(f"{kind}:{one.truncation_size}:{one.all_or_none:d}" for kind, one in sorted(self.bodies.items()))
        return f"{__version__}/{self.version}/{self.zone.key}/{self.region}/{wanted}"


@dataclass(frozen=True, slots=True)
class Ghosting:
    """What an omitted element means ([MS-ASCMD] 2.2.3.179, R5906-R5912).

    ``managed`` None: no Supported element came, every omitted element is deleted; else only those tags are, and all others are kept
    (an empty set keeps everything; so do 16.x calendars, [MS-ASCAL] R2231).
    """

    managed: frozenset[int] | None = None

    def deletes(self, tag: int) -> bool:
        """True if leaving the element out deletes it."""
        return self.managed is None or tag in self.managed
