"""A Sync request as a value ([MS-ASCMD] 2.2.1.21): bounds and combinations are checked here, meaning is given to it elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from activesync_bridge.folders import CLASSES
from activesync_bridge.items import BodyPreference
from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.writer import encode

DEFAULT_WINDOW, MOST_WINDOW = 100, 512  # items; 0 and more than 512 mean 512 (R4763-R4768)
MOST_COMMANDS = 200  # of one request (R5642 ff.)
MOST_COLLECTIONS = 64  # there are eight; a request that names more is answered with a limit
FILTERS = range(9)
BODY_PREFERENCE = (AirSyncBase.Type, AirSyncBase.TruncationSize, AirSyncBase.AllOrNone, AirSyncBase.Preview)  # in their order
COMMANDS = {AirSync.Add: "Add", AirSync.Change: "Change", AirSync.Delete: "Delete", AirSync.Fetch: "Fetch"}


class Status:
    """Status of Sync ([MS-ASCMD] 2.2.3.177.17)."""

    SUCCESS = "1"
    INVALID_KEY = "3"
    PROTOCOL_ERROR = "4"
    SERVER_ERROR = "5"
    CONVERSION_ERROR = "6"
    CONFLICT = "7"
    NOT_FOUND = "8"
    HIERARCHY_CHANGED = "12"
    INCOMPLETE = "13"
    INVALID_WAIT = "14"
    TOO_MANY_COLLECTIONS = "15"
    RETRY = "16"


class Malformed(Exception):
    """The request as a whole is answered with a status, perhaps with the limit that it passed."""

    def __init__(self, status: str, limit: str = ""):
        super().__init__(status)
        self.status, self.limit = status, limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Sticky:
    """Options of a collection that hold until a request replaces them as a whole."""

    filter: int = 0
    client_wins: bool = False  # Conflict 0; server wins is the default (R2157)
    bodies: Mapping[int, BodyPreference] = field(default_factory=dict)
    supported: tuple[int, ...] | None = None  # of the initial request only
    window: int = DEFAULT_WINDOW

    def to_json(self) -> dict[str, Any]:
        """The form in which sync_state keeps it."""
        bodies = {str(kind): [one.truncation_size, one.all_or_none] for kind, one in self.bodies.items()}
        return {
            "filter": self.filter,
            "client_wins": self.client_wins,
            "bodies": bodies,
            "supported": self.supported,
            "window": self.window,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sticky:
        """Back out of ``to_json``."""
        bodies = {int(kind): BodyPreference(*one) for kind, one in data["bodies"].items()}
        supported = None if data["supported"] is None else tuple(data["supported"])
        return cls(filter=data["filter"], client_wins=data["client_wins"], bodies=bodies, supported=supported, window=data["window"])


@dataclass(frozen=True, slots=True)
class ClientCommand:
    """One Add, Change, Delete or Fetch of a client."""

    verb: str
    server_id: str = ""
    client_id: str = ""
    instance_id: str = ""  # 16.x: the occurrence that is meant
    data: Element | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRequest:
    """What a client asks of one collection. None means not said: then the stored options hold."""

    id: str
    key: str
    digest: str
    wants_changes: bool
    window: int | None = None
    filter: int | None = None
    client_wins: bool | None = None
    bodies: Mapping[int, BodyPreference] | None = None
    has_options: bool = False
    supported: tuple[int, ...] | None = None
    commands: tuple[ClientCommand, ...] = ()

    def options(self, stored: Sticky) -> Sticky:
        """The options that hold from this request on: an Options block replaces the whole old one."""
        window = stored.window if self.window is None else self.window
        if not self.has_options:
            return Sticky(
                filter=stored.filter, client_wins=stored.client_wins, bodies=stored.bodies, supported=stored.supported, window=window
            )
        return Sticky(
            filter=self.filter or 0,
            client_wins=bool(self.client_wins),
            bodies=self.bodies or {},
            supported=stored.supported,
            window=window,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """A whole request. ``wait`` in seconds, 0 = answer at once; ``partial`` leaves out collections that go on as before."""

    collections: tuple[CollectionRequest, ...]
    wait: int = 0
    window: int = MOST_WINDOW
    partial: bool = False


def parse(body: Element, *, least_wait: int, most_wait: int) -> SyncRequest:
    """Raises Malformed."""
    if body.tag != AirSync.Sync:
        raise Malformed(Status.PROTOCOL_ERROR)
    collections = body.first(AirSync.Collections)
    found = list(collections.all(AirSync.Collection)) if collections else []
    if len(found) > MOST_COLLECTIONS:
        raise Malformed(Status.TOO_MANY_COLLECTIONS, str(MOST_COLLECTIONS))
    wait = _wait(body, least_wait, most_wait)
    window = _window(body.first(AirSync.WindowSize))
    partial = body.first(AirSync.Partial) is not None
    if partial and not (found or wait or window is not None):
        raise Malformed(Status.PROTOCOL_ERROR)
    if not found and not partial:
        raise Malformed(Status.PROTOCOL_ERROR)
    parsed = tuple(_collection(one) for one in found)
    if len({one.id for one in parsed}) < len(parsed) or sum(len(one.commands) for one in parsed) > MOST_COMMANDS:
        raise Malformed(Status.PROTOCOL_ERROR)
    return SyncRequest(collections=parsed, wait=wait, window=MOST_WINDOW if window is None else window, partial=partial)


def _wait(body: Element, least: int, most: int) -> int:
    """Seconds that an answer may wait for changes; minutes or seconds outside the bounds get the nearest one back (R5711 ff.)."""
    minutes, seconds = body.first(AirSync.Wait), body.first(AirSync.HeartbeatInterval)
    if minutes is not None and seconds is not None:
        raise Malformed(Status.PROTOCOL_ERROR)
    if minutes is not None:
        asked, low, high = _number(minutes), max(1, least // 60), most // 60
        if not low <= asked <= high:
            raise Malformed(Status.INVALID_WAIT, str(low if asked < low else high))
        return asked * 60
    if seconds is not None:
        asked = _number(seconds)
        if not least <= asked <= most:
            raise Malformed(Status.INVALID_WAIT, str(least if asked < least else most))
        return asked
    return 0


def _window(element: Element | None) -> int | None:
    if element is None:
        return None
    asked = _number(element)
    return MOST_WINDOW if asked == 0 or asked > MOST_WINDOW else asked


def _number(element: Element) -> int:
    text = element.text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Malformed(Status.PROTOCOL_ERROR)
    return int(text)


def _collection(element: Element) -> CollectionRequest:
    key = element.text_of(AirSync.SyncKey)
    collection_id = element.text_of(AirSync.CollectionId)
    if not key or not collection_id or len(key) > 64 or len(collection_id) > 64:
        raise Malformed(Status.PROTOCOL_ERROR)
    commands = element.first(AirSync.Commands)
    changes = element.first(AirSync.GetChanges)
    wants = key != "0" if changes is None else changes.text.strip() in ("", "1")
    options = _options(element, collection_id)
    supported = element.first(AirSync.Supported)
    parsed = tuple(_command(one) for one in commands.children) if commands else ()
    if key == "0" and (parsed or (changes is not None and wants)):
        raise Malformed(Status.PROTOCOL_ERROR)
    return CollectionRequest(
        id=collection_id,
        key=key,
        digest=sha256(encode(element)).hexdigest()[:32],
        wants_changes=wants,
        window=_window(element.first(AirSync.WindowSize)),
        has_options=options is not None,
        filter=filter_type(options),
        client_wins=None if options is None else options.text_of(AirSync.Conflict, "1").strip() == "0",
        bodies=None if options is None else body_preferences(options),
        supported=tuple(child.tag for child in supported.children) if supported else None,
        commands=parsed,
    )


def _options(element: Element, collection_id: str) -> Element | None:
    """The Options of the collection's own class (R3600: a second block is for the text messages among a folder's mails). Raises Malformed."""
    found = [one for one in element.all(AirSync.Options) if one.text_of(AirSync.Class) in ("", CLASSES.get(collection_id, ""))]
    if len(found) > 1:
        raise Malformed(Status.PROTOCOL_ERROR)  # R930
    return found[0] if found else None


def filter_type(options: Element | None) -> int | None:
    """The FilterType of an Options element; raises Malformed."""
    found = options.first(AirSync.FilterType) if options else None
    if found is None:
        return None
    asked = _number(found)
    if asked not in FILTERS:
        raise Malformed(Status.PROTOCOL_ERROR)
    return asked


def body_preferences(options: Element) -> dict[int, BodyPreference]:
    """By body type; a type given twice, or children in another order, are errors ([MS-ASAIRS] R348, R349). Raises Malformed."""
    found: dict[int, BodyPreference] = {}
    for preference in options.all(AirSyncBase.BodyPreference):
        order = [BODY_PREFERENCE.index(child.tag) for child in preference.children if child.tag in BODY_PREFERENCE]
        if order != sorted(set(order)):
            raise Malformed(Status.PROTOCOL_ERROR)
        kind = preference.first(AirSyncBase.Type)
        size = preference.first(AirSyncBase.TruncationSize)
        if kind is None or _number(kind) in found:
            raise Malformed(Status.PROTOCOL_ERROR)
        found[_number(kind)] = BodyPreference(
            truncation_size=None if size is None else _number(size),
            # [MS-ASAIRS] R75: AllOrNone means something only together with a size.
            all_or_none=size is not None and preference.text_of(AirSyncBase.AllOrNone).strip() == "1",
        )
    return found


def _command(element: Element) -> ClientCommand:
    verb = COMMANDS.get(element.tag)
    if verb is None:
        raise Malformed(Status.PROTOCOL_ERROR)
    command = ClientCommand(
        verb=verb,
        server_id=element.text_of(AirSync.ServerId),
        client_id=element.text_of(AirSync.ClientId),
        instance_id=element.text_of(AirSyncBase.InstanceId),
        data=element.first(AirSync.ApplicationData),
    )
    needs = {"Add": (command.client_id, command.data), "Change": (command.server_id, command.data)}.get(verb, (command.server_id,))
    if not all(part is not None and part != "" for part in needs) or max(len(command.client_id), len(command.server_id)) > 64:
        raise Malformed(Status.PROTOCOL_ERROR)
    return command
