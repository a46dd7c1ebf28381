"""GetItemEstimate ([MS-ASCMD] 2.2.1.9): how many changes a Sync would bring."""

from __future__ import annotations

from dataclasses import dataclass

from activesync_bridge import exchange, sync_state
from activesync_bridge.commands.sync import load_state
from activesync_bridge.folders import CLASSES, MAIL_FOLDERS, scope_of
from activesync_bridge.session import Answer, Session
from activesync_bridge.status import Common, refusal
from activesync_bridge.sync_request import Malformed, Sticky, filter_type
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSync, GetItemEstimate
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.errors import BadRequest, CursorInvalid
from radicale_onoffice.core.folders import offered_kinds

SUCCESS, BAD_COLLECTION, NOT_PRIMED, BAD_KEY = "1", "2", "3", "4"  # [MS-ASCMD] 2.2.3.177.7
BAD_FILTER = str(Common.SERVER_ERROR.value)  # R3009 ff.; before 14.0 there are no such numbers
MOST_COLLECTIONS = 1000  # R5647: more are answered with status 103


@dataclass(frozen=True, slots=True)
class Asked:
    """One collection of a request; ``filter`` None means the stored one."""

    id: str
    key: str
    filter: int | None


def handle(session: Session, body: Element | None) -> Answer:
    """One Response per collection."""
    collections = body.first(GetItemEstimate.Collections) if body is not None else None
    found = list(collections.all(GetItemEstimate.Collection)) if collections else []
    if len(found) > MOST_COLLECTIONS or not found:
        return refusal("GetItemEstimate", session.version, Common.INVALID_XML)
    try:
        asked = [_parse(one) for one in found]
    except Malformed:
        return refusal("GetItemEstimate", session.version, Common.INVALID_XML)
    return Element(GetItemEstimate.GetItemEstimate, tuple(_response(session, one) for one in asked))


def _parse(element: Element) -> Asked:
    return Asked(
        element.text_of(GetItemEstimate.CollectionId),
        element.text_of(AirSync.SyncKey),
        filter_type(element.first(AirSync.Options) or element),
    )


def _response(session: Session, asked: Asked) -> Element:
    status, estimate = _estimate(session, asked)
    parts = [Element(GetItemEstimate.Status, status)]
    if status == SUCCESS:
        inner = [Element(GetItemEstimate.CollectionId, asked.id), Element(GetItemEstimate.Estimate, str(estimate))]
        if session.version < Version.V14_0:
            inner.insert(0, Element(GetItemEstimate.Class, CLASSES[asked.id]))
        parts.append(Element(GetItemEstimate.Collection, tuple(inner)))
    return Element(GetItemEstimate.Response, tuple(parts))


def _estimate(session: Session, asked: Asked) -> tuple[str, int]:
    if asked.id in MAIL_FOLDERS:
        return SUCCESS, 0
    kind = next((kind for kind in offered_kinds(session.who) if kind.value == asked.id), None)
    if kind is None:
        return BAD_COLLECTION, 0
    stored, _ = load_state(session, kind)
    if stored is None or asked.key == "0":
        return NOT_PRIMED, 0
    opened = sync_state.open_key(stored, asked.key, "")
    if not isinstance(opened, sync_state.Current):
        return BAD_KEY, 0
    sticky = Sticky.from_json(stored.options)
    try:
        scope = scope_of(kind, sticky.filter if asked.filter is None else asked.filter)
        return SUCCESS, len(exchange.plan(session, kind, opened.generation, scope, room=exchange.UNBOUNDED).steps)
    except BadRequest:
        return (BAD_FILTER if session.version >= Version.V14_0 else BAD_COLLECTION), 0
    except CursorInvalid:
        return BAD_KEY, 0
