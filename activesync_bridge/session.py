"""What a command works with: who asks, from which device, in which version, and what it may answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from activesync_bridge.request import Request
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.folders import Reader
from radicale_onoffice.core.model import Actor, Device, Face, Identity, Kind
from radicale_onoffice.core.office import Office


@dataclass(frozen=True, slots=True)
class Options:
    """The bridge's own options."""

    policy: str = "none"  # preset of [MS-ASPROV] policies: none, basic, strict
    min_heartbeat: int = 60  # seconds
    max_heartbeat: int = 3540


class Announced(Protocol):
    """What Pings have told already; kept by the server, over all requests."""

    def may_tell(self, identity: Identity, device_id: str, kind: Kind, news: object) -> bool:
        """True unless this very news was told too often already."""


class Viewer(Protocol):
    """Whose view of the office a plan is made of."""

    @property
    def office(self) -> Office: ...
    @property
    def identity(self) -> Identity: ...


@dataclass(slots=True)
class Session:
    """One request of a signed-in user's device. ``who`` is the user with the tenant as of this request."""

    office: Office
    who: Reader
    device: Device
    version: Version
    request: Request
    options: Options
    announced: Announced
    request_to_keep: str | None = None  # what an empty Sync will repeat, until it is saved with the state that it goes with

    @property
    def identity(self) -> Identity:
        """Whose device it is."""
        return self.who.identity

    @property
    def actor(self) -> Actor:
        """Who changes something."""
        return Actor(identity=self.identity, face=Face.EAS, device=self.device.id)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing to tell yet: when something that concerns the user changes, else after ``seconds``, the server calls the command's ``resume``.

    ``asked`` is what it is then called with.
    """

    seconds: int
    asked: object
    idle: Element | None = None  # the answer if the wait ends without another look, because a newer request came


@dataclass(frozen=True, slots=True)
class Http:
    """An answer that is not WBXML."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Multipart:
    """[MS-ASCMD] 2.2.1.10.1: the WBXML part, then the parts that it refers to by number."""

    element: Element
    parts: tuple[bytes, ...]


Answer = Element | Multipart | Waiting | Http | None  # None is an empty 200
