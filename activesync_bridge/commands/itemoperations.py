"""ItemOperations ([MS-ASCMD] 2.2.1.10): items in full, as one answer or in several parts; a folder of the CRM is never emptied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from activesync_bridge.folders import CLASSES, MAIL_FOLDERS
from activesync_bridge.items import BodyPreference, Flavour
from activesync_bridge.items import dispatch as items
from activesync_bridge.session import Answer, Multipart, Session
from activesync_bridge.status import ItemOperationsStatus as Status
from activesync_bridge.status import answer_for
from activesync_bridge.sync_request import Malformed, body_preferences
from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase, DocumentLibrary, Search
from activesync_bridge.wbxml.codepages import ItemOperations as Tag
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.errors import NotFound, OfficeError, Unavailable
from radicale_onoffice.core.folders import offered_kinds
from radicale_onoffice.core.model import Kind

MOST = 100  # operations of one request
NAMES = (AirSync.CollectionId, AirSync.ServerId, Search.LongId, DocumentLibrary.LinkId, AirSyncBase.FileReference)  # in the schema's order


@dataclass(frozen=True, slots=True)
class Fetch:
    """One item to fetch; ``names`` are the elements that name it."""

    store: str
    names: tuple[Element, ...]
    schema: frozenset[int] | None = None  # the properties that are wanted; None = all
    bodies: Mapping[int, BodyPreference] = field(default_factory=dict)

    def name(self, tag: int) -> str | None:
        """What this tag says, None if it is not there."""
        return next((one.text for one in self.names if one.tag == tag), None)


@dataclass(slots=True)
class Parts:
    """The binary parts of an answer in several parts (R5511 ff.); ``wanted`` False leaves everything in line (R5503)."""

    wanted: bool
    data: list[bytes] = field(default_factory=list)

    def moved(self, element: Element) -> Element:
        """The element with a body's Data replaced by the number of its part (R6938)."""
        if not self.wanted or element.tag != AirSyncBase.Body:
            return element
        return Element(element.tag, tuple(self._numbered(child) for child in element.children))

    def _numbered(self, child: Element) -> Element:
        if child.tag != AirSyncBase.Data or not child.content:
            return child
        self.data.append(child.content if isinstance(child.content, bytes) else child.text.encode())
        return Element(Tag.Part, str(len(self.data)))


def handle(session: Session, body: Element | None) -> Answer:
    """Answer an ItemOperations."""
    operations = parse(body)
    if operations is None:
        return Element(Tag.ItemOperations, (_status(Status.PROTOCOL_ERROR),))
    if len(operations) > MOST:
        return Element(Tag.ItemOperations, (_status(Status.TOO_LARGE),))
    parts = Parts(session.request.accept_multipart)
    done = tuple(_OPERATIONS[one.tag](session, one, parts) for one in operations)  # R193: in their order
    element = Element(Tag.ItemOperations, (_status(Status.SUCCESS), Element(Tag.Response, done)))
    return Multipart(element, tuple(parts.data)) if parts.wanted else element


def parse(body: Element | None) -> Sequence[Element] | None:
    """The operations; None if the request is malformed."""
    if body is None or body.tag != Tag.ItemOperations or not body.children:
        return None
    return body.children if all(child.tag in _OPERATIONS for child in body.children) else None


def _status(status: Status) -> Element:
    return Element(Tag.Status, str(status.value))


# -------------------------------------------------------------------- fetch


def parse_fetch(element: Element) -> Fetch:
    """A fetch out of its element; raises Malformed."""
    names = tuple(one for tag in NAMES if (one := element.first(tag)) is not None)
    options = element.first(Tag.Options) or Element(Tag.Options)
    schema = options.first(Tag.Schema)
    wanted = frozenset(child.tag for child in schema.children) if schema is not None and schema.children else None
    return Fetch(element.text_of(Tag.Store).lower(), names, wanted, body_preferences(options))


def _fetch(session: Session, element: Element, parts: Parts) -> Element:
    """One Fetch; its names come back, whatever became of it."""
    names = tuple(one for tag in NAMES if (one := element.first(tag)) is not None)
    try:
        fetch = parse_fetch(element)
        status, found = _found(session, fetch)
    except Malformed:
        status, found = Status.PROTOCOL_ERROR, None
    except Unavailable:
        raise  # for the whole request: nothing else would be answered either
    except OfficeError as error:
        status, found = answer_for(error).fetch, None
    if found is None:
        return Element(Tag.Fetch, (_status(status), *names))
    kind, data = found
    properties = Element(Tag.Properties, tuple(parts.moved(one) for one in data))
    return Element(Tag.Fetch, (_status(status), *names, Element(AirSync.Class, CLASSES[kind]), properties))


def _found(session: Session, fetch: Fetch) -> tuple[Status, tuple[Kind, tuple[Element, ...]] | None]:
    """R4161, R4166: the status, and the item's kind and properties if there is one."""
    if fetch.store != "mailbox":
        return Status.UNKNOWN_STORE, None
    if fetch.name(AirSyncBase.FileReference) is not None:
        return Status.INVALID_ATTACHMENT, None  # no item offers one
    if fetch.name(Search.LongId) is not None:
        return Status.NOT_FOUND, None  # no search gives one
    collection, server_id = fetch.name(AirSync.CollectionId), fetch.name(AirSync.ServerId)
    if not collection or not server_id:
        return Status.PROTOCOL_ERROR, None
    kind = next((kind for kind in offered_kinds(session.who) if kind == collection), None)
    if kind is None:
        return Status.NOT_FOUND, None
    return Status.SUCCESS, (kind, _properties(session, kind, server_id, fetch))


def _properties(session: Session, kind: Kind, record_id: str, fetch: Fetch) -> tuple[Element, ...]:
    """The item's properties, those of the schema only if there is one (R3879); raises NotFound."""
    offer = next(iter(session.office.records.offers(session.identity, kind, [record_id])), None)
    if offer is None:
        raise NotFound(f"There is no record {record_id!r} among the {kind} of this user.")
    flavour = Flavour(version=session.version, zone=session.who.zone, region=session.who.tenant.region, bodies=fetch.bodies)
    data = items.dump(kind, offer.text, offer.uid, flavour)
    return tuple(one for one in data if fetch.schema is None or one.tag in fetch.schema)


# ---------------------------------------------------------- what is refused


def _empty(session: Session, element: Element, parts: Parts) -> Element:
    """The mail folders are empty already; the CRM is not emptied from a phone."""
    collection = element.text_of(AirSync.CollectionId)
    if collection in MAIL_FOLDERS:
        status = Status.SUCCESS
    elif not collection:
        status = Status.PROTOCOL_ERROR
    else:
        status = Status.ACCESS_DENIED if collection in offered_kinds(session.who) else Status.NOT_FOUND
    return Element(Tag.EmptyFolderContents, (_status(status), Element(AirSync.CollectionId, collection or ())))


def _move(session: Session, element: Element, parts: Parts) -> Element:
    """Conversations are mail's (R4171, R4173)."""
    options, conversation = element.first(Tag.Options), element.first(Tag.ConversationId)
    always = options is not None and options.first(Tag.MoveAlways) is not None
    status = Status.NOT_SUPPORTED if always else Status.MOVE_ALWAYS_MISSING
    return Element(Tag.Move, (_status(status), conversation or Element(Tag.ConversationId)))


_OPERATIONS: Mapping[int, Callable[[Session, Element, Parts], Element]] = {
    Tag.Fetch: _fetch,
    Tag.EmptyFolderContents: _empty,
    Tag.Move: _move,
}
