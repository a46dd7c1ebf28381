"""What comes in with a login: a client, told by its face and a name that stays the same, and what is kept of its visits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from radicale_onoffice.core.model import Face, Identity, Kind

MAX_ID, MAX_LABEL = 64, 100  # characters
PRODUCT = re.compile(r"([A-Za-z][A-Za-z0-9+_.-]*)(?:/([A-Za-z0-9+_.-]+))?")  # RFC 9110 10.1.5
COMMENT = re.compile(r"\([^()]*(?:\([^()]*\)[^()]*)*\)")
# Products that many clients name beside their own
SHARED = frozenset({"mozilla", "gecko", "applewebkit", "khtml", "like"})

# What tells browsers and systems apart: the first that a User-Agent contains, because many name others, too
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


class Client(NamedTuple):
    """A client of a login. ``id`` is the phone's DeviceId, or the product of a DAV client, which two devices of one login may share."""

    face: Face
    id: str
    label: str  # for people


def client_of(face: str, device: str, label: str = "") -> Client | None:
    """The client behind what a request says of itself: ``device`` is a DeviceId (EAS) or a User-Agent (DAV). None if it says nothing.

    Of a User-Agent nothing is kept but the product, without its version in the id, so that an update makes no other client of it.
    """
    if face == Face.EAS:
        name = _printable(device)[:MAX_ID]
        return Client(Face.EAS, name, _printable(label)[:MAX_LABEL]) if name else None
    if face != Face.DAV:
        return None
    products = PRODUCT.findall(COMMENT.sub(" ", device[:1024]))
    name, version = next((one for one in products if one[0].lower() not in SHARED), ("", ""))
    name = name.replace("+", " ")[:MAX_ID]
    return Client(Face.DAV, name, f"{name} {version}".strip()[:MAX_LABEL]) if name else None


def browser_label(user_agent: str) -> str:
    """A browser for people, e.g. "Firefox, Linux"; "" if nothing is recognised."""
    browser = next((label for word, label in BROWSERS if word in user_agent), "")
    system = next((label for word, label in SYSTEMS if word in user_agent), "")
    return ", ".join(filter(None, (browser, system)))


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What is kept of one client of a login; moments of success to ten minutes, because more would make a write of every request."""

    identity: Identity
    face: Face
    client: str  # Client.id
    label: str
    address: str  # of the last visit that was noted
    first_seen: datetime
    last_ok: datetime | None = None
    last_failed: datetime | None = None  # a wrong password; while the login is locked none is looked at
    failures: int = 0  # since last_ok
    password_of: datetime | None = None  # User.password_changed as of last_ok
    synced: Mapping[Kind, datetime] = field(default_factory=dict)  # when it last asked for news of a kind


class LastSync(NamedTuple):
    """When a kind was last synchronised, and by how many clients lately."""

    at: datetime
    clients: int
