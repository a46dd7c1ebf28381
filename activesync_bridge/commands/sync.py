"""Sync ([MS-ASCMD] 2.2.1.21): the client's changes, the server's changes, and the hanging Sync that waits for them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from activesync_bridge import sync_state
from activesync_bridge.exchange import Writer, gone_for_good, plan
from activesync_bridge.folders import CLASSES, MAIL_FOLDERS, scope_of
from activesync_bridge.items import Flavour
from activesync_bridge.sending import Sender
from activesync_bridge.session import Answer, Session, Waiting
from activesync_bridge.sync_request import CollectionRequest, Malformed, Status, Sticky, SyncRequest, parse
from activesync_bridge.sync_state import Current, Fresh, Generation, Invalid, Replay, State
from activesync_bridge.versions import Version
from activesync_bridge.wbxml import reader
from activesync_bridge.wbxml.codepages import AirSync
from activesync_bridge.wbxml.element import Element, Encoded
from activesync_bridge.wbxml.writer import encode, encode_children
from radicale_onoffice.core.clients import client_of
from radicale_onoffice.core.errors import BadRequest, Conflict, CursorInvalid, GateClosed
from radicale_onoffice.core.folders import offered_kinds
from radicale_onoffice.core.model import Device, Face, Kind
from radicale_onoffice.core.ports import Transaction

logger = logging.getLogger(__name__)
MAIL_KEY = "1"  # mail folders are empty for ever: their one key says it all


@dataclass(frozen=True, slots=True)
class Part:
    """What one collection has to say: its encoded Collection elements, and how many ``sent`` commands of the server are in them."""

    content: Encoded | None = None
    sent: int = 0


def handle(session: Session, body: Element | None) -> Answer:
    """Answer a request, or wait if there is nothing to say and the client is willing to."""
    try:
        if body is None:
            request = _cached(session)
        else:
            request = _completed(session, parse(body, least_wait=session.options.min_heartbeat, most_wait=session.options.max_heartbeat))
    except Malformed as error:
        return _refused(error)
    has_commands = any(collection.commands for collection in request.collections)
    if body is not None:
        _cache(session, body, keep=not has_commands)
    answer = _answer(session, request, may_wait=not has_commands)
    if session.request_to_keep is not None:
        with session.office.store.writing() as tx:
            device = _save_request(session, tx)
        _saved(session, device)
    return answer


def resume(session: Session, asked: object, *, may_wait: bool) -> Answer:
    """Look again after a wait: something moved, or the time is over."""
    assert isinstance(asked, SyncRequest)
    return _answer(session, asked, may_wait=may_wait)


def _answer(session: Session, request: SyncRequest, *, may_wait: bool) -> Answer:
    room = request.window
    parts: list[Part] = []
    for collection in request.collections:
        part = _collection(session, collection, room)
        room -= part.sent
        parts.append(part)
    content = [part.content for part in parts if part.content is not None]
    if content:
        joined = Encoded(b"".join(one.data for one in content))
        return Element(AirSync.Sync, (Element(AirSync.Collections, joined),))
    if request.wait and may_wait:
        return Waiting(request.wait, request)
    return None  # R667: no changes, no body


def _refused(error: Malformed) -> Element:
    parts = [Element(AirSync.Status, error.status)]
    if error.limit:
        parts.append(Element(AirSync.Limit, error.limit))
    return Element(AirSync.Sync, tuple(parts))


# ------------------------------------------------------------ cached requests


def _cached(session: Session) -> SyncRequest:
    """The request that an empty one repeats (R673); 13 if it is not known, so that the client sends it in full."""
    if not session.device.sync_request:
        raise Malformed(Status.INCOMPLETE)
    body = reader.decode(bytes.fromhex(session.device.sync_request))
    return _completed(session, parse(body, least_wait=session.options.min_heartbeat, most_wait=session.options.max_heartbeat))


def _cache(session: Session, body: Element, *, keep: bool) -> None:
    """R666, R674: a request with a body replaces the cached one; one with commands is not to be repeated.

    It is saved with the state of a collection if one is saved, because a commit is the most expensive part of a request.
    """
    text = encode(body).hex() if keep and body.first(AirSync.Partial) is None else session.device.sync_request if keep else ""
    if text != session.device.sync_request:
        session.request_to_keep = text


def _save_request(session: Session, tx: Transaction) -> Device | None:
    """The device with the request to keep in it; None if that is saved already."""
    text = session.request_to_keep
    return None if text is None else session.office.devices.update_in(tx, session.identity, session.device.id, sync_request=text)


def _saved(session: Session, device: Device | None) -> None:
    """The transaction has been committed."""
    if device is not None:
        session.device, session.request_to_keep = device, None


def _completed(session: Session, request: SyncRequest) -> SyncRequest:
    """A partial request names only what changed: the other collections go on as the device has them."""
    if not request.partial:
        return request
    if not session.device.sync_request:
        raise Malformed(Status.INCOMPLETE)
    body = reader.decode(bytes.fromhex(session.device.sync_request))
    before = parse(body, least_wait=session.options.min_heartbeat, most_wait=session.options.max_heartbeat)
    named = {collection.id for collection in request.collections}
    kept = tuple(collection for collection in before.collections if collection.id not in named)
    return replace(request, collections=(*request.collections, *kept), wait=request.wait or before.wait)


# ------------------------------------------------------------------ collection


def _collection(session: Session, request: CollectionRequest, room: int) -> Part:
    if request.id in MAIL_FOLDERS:
        return _mail(session, request)
    kind = next((kind for kind in offered_kinds(session.who) if kind.value == request.id), None)
    if kind is None:
        return Part(_status(session, request, Status.HIERARCHY_CHANGED))
    stored, answer = load_state(session, kind)
    opened = sync_state.open_key(stored, request.key, request.digest)
    try:
        if isinstance(opened, Fresh):
            return _fresh(session, kind, request, opened, stored)
        if isinstance(opened, Replay):
            logger.info("answer %s of %s sent again: the device did not get it", stored and stored.key, kind)
            return Part(Encoded(answer))
        if isinstance(opened, Invalid):
            _tell_clone(session, kind, opened)
            return Part(_status(session, request, Status.INVALID_KEY))
        assert stored is not None
        session.office.visits.synced(session.identity, client_of(Face.EAS, session.device.id), kind)
        return _current(session, kind, request, stored, opened, room)
    except CursorInvalid:
        return Part(_status(session, request, Status.INVALID_KEY))
    except GateClosed:
        return Part(_status(session, request, Status.HIERARCHY_CHANGED))
    except BadRequest:
        return Part(_status(session, request, Status.PROTOCOL_ERROR))
    except Conflict:
        logger.warning("two requests of device %s on %s at once; one is told to try again", session.device.id, kind)
        return Part(_status(session, request, Status.RETRY))


def _fresh(session: Session, kind: Kind, request: CollectionRequest, opened: Fresh, stored: State | None) -> Part:
    """Key 0: a fresh key and no items."""
    sticky = replace(request.options(Sticky()), supported=request.supported)
    scope = scope_of(kind, sticky.filter)
    state = State(uuid=str(uuid4()), current=Generation(number=opened.number, scope=scope), options=sticky.to_json())
    _save(session, kind, state, b"", expect=stored)
    return Part(encode_children([_element(session, request, state.key, Status.SUCCESS)]))


def _current(session: Session, kind: Kind, request: CollectionRequest, stored: State, opened: Current, room: int) -> Part:
    sticky = request.options(Sticky.from_json(stored.options))
    flavour = Flavour(version=session.version, zone=session.who.zone, region=session.who.tenant.region, bodies=sticky.bodies)
    sender = Sender(session, kind, flavour)
    before = opened.generation
    scope = scope_of(kind, sticky.filter)
    writer = Writer(session, kind, before.scope, sticky, flavour, before, sender)
    for command in request.commands:
        writer.apply(command)
    after = replace(before, own={**before.own, **writer.own})
    steps: Sequence[sync_state.Step] = ()
    more = False
    if request.wants_changes:
        planned = plan(session, kind, after, scope, room=max(min(sticky.window, room), 0))
        after, more, steps = planned.after, planned.more, gone_for_good(session, kind, planned.steps)
    if not (request.commands or steps or more):
        _settle(session, kind, stored, opened, after, sticky)
        return Part()
    commands, left_out = sender.commands(steps)
    after = sync_state.told(sync_state.without(after, left_out), sender.changes)
    state = sync_state.advanced(stored, before, after, request.digest, sticky.to_json())
    element = _element(session, request, state.key, Status.SUCCESS, more=more, commands=commands, responses=writer.responses)
    content = encode_children([element])
    sender.mend()
    _save(session, kind, state, content.data, expect=stored)
    return Part(content, len(steps))


def _settle(session: Session, kind: Kind, stored: State, opened: Current, after: Generation, sticky: Sticky) -> None:
    """Nothing to say: save only what the next request depends on. A rolled back key stays as it is until something is answered."""
    if opened.generation.number != stored.current.number:
        return
    kept = sync_state.retired(stored) if opened.retires else stored
    moved = (after.scope, after.cursor, after.settled, after.own, after.move) != (
        stored.current.scope,
        stored.current.cursor,
        stored.current.settled,
        stored.current.own,
        stored.current.move,
    )
    if moved or opened.retires or sticky.to_json() != stored.options:
        _save(session, kind, replace(kept, current=after, options=sticky.to_json()), b"", expect=stored)


def _tell_clone(session: Session, kind: Kind, opened: Invalid) -> None:
    if opened.cloned:
        logger.warning(
            "device %s of %s uses an old key of %s: a second client with the same DeviceId, or one restored from a backup; "
            "it synchronises from the beginning (remove the account on one of them)",
            session.device.id,
            session.identity.user,
            kind,
        )


# ---------------------------------------------------------------------- mail


def _mail(session: Session, request: CollectionRequest) -> Part:
    """Folders that phones want to see, empty for ever (fact 2)."""
    if request.key == "0" or request.commands:
        return Part(encode_children([_element(session, request, MAIL_KEY, Status.SUCCESS)]))
    if request.key != MAIL_KEY:
        return Part(_status(session, request, Status.INVALID_KEY))
    return Part()


# ------------------------------------------------------------------- building


def _element(
    session: Session,
    request: CollectionRequest,
    key: str,
    status: str,
    *,
    more: bool = False,
    commands: Sequence[Element] = (),
    responses: Sequence[Element] = (),
) -> Element:
    """A Collection in the order that clients rely on (fact 18); Commands and Responses are never empty (fact 19)."""
    parts = []
    if session.version < Version.V14_0 and request.id in CLASSES:
        parts.append(Element(AirSync.Class, CLASSES[request.id]))
    parts += [Element(AirSync.SyncKey, key), Element(AirSync.CollectionId, request.id), Element(AirSync.Status, status)]
    if more:
        parts.append(Element(AirSync.MoreAvailable))
    if responses:
        parts.append(Element(AirSync.Responses, tuple(responses)))
    if commands:
        parts.append(Element(AirSync.Commands, tuple(commands)))
    return Element(AirSync.Collection, tuple(parts))


def _status(session: Session, request: CollectionRequest, status: str) -> Encoded:
    return encode_children([_element(session, request, request.key if status != Status.INVALID_KEY else "0", status)])


# --------------------------------------------------------------------- storing


def load_state(session: Session, kind: Kind) -> tuple[State | None, bytes]:
    """What is stored of a collection, and the last answer."""
    with session.office.store.reading() as tx:
        found = tx.sync_state(session.identity, session.device.id, kind.value)
    return (sync_state.load(found[0]), found[1]) if found else (None, b"")


def _save(session: Session, kind: Kind, state: State, answer: bytes, *, expect: State | None) -> None:
    """Save if nobody else has meanwhile; raises Conflict."""
    identity, device_id = session.identity, session.device.id
    with session.office.store.writing() as tx:
        found = tx.sync_state(identity, device_id, kind.value)
        if (sync_state.load(found[0]) if found else None) != expect:
            raise Conflict(None, None)
        tx.save_sync_state(identity, device_id, kind.value, sync_state.dump(state), answer)
        tx.prune_client_ids(identity, device_id, kind.value, state.current.number - sync_state.KEPT_NUMBERS)
        device = _save_request(session, tx)
    _saved(session, device)
