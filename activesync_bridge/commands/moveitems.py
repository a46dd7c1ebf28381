"""MoveItems ([MS-ASCMD] 2.2.1.12): each kind of record has one folder, so nothing can be moved; each pair is told why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from activesync_bridge.commands import foldersync
from activesync_bridge.session import Answer, Session
from activesync_bridge.status import Common, MoveItemsStatus, refusal
from activesync_bridge.wbxml.codepages import Move as Tag
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.folders import offered_kinds

MOST = 1000  # moves of one request (R5653)


@dataclass(frozen=True, slots=True)
class Move:
    """One item that is to go from one folder to another."""

    item: str
    source: str
    destinations: tuple[str, ...]


def handle(session: Session, body: Element | None) -> Answer:
    """Answer a MoveItems."""
    moves = parse(body)
    if moves is None:
        return refusal("MoveItems", session.version, Common.INVALID_XML)
    with session.office.store.reading() as tx:
        known = {folder.id for folder in foldersync.offered(tx, session.who)}
    found = _existing(session, moves)
    return build([(move, judge(move, known, found)) for move in moves])


def parse(body: Element | None) -> Sequence[Move] | None:
    """The moves; None if the request is malformed or has too many."""
    if body is None or body.tag != Tag.MoveItems:
        return None
    moves = [
        Move(one.text_of(Tag.SrcMsgId), one.text_of(Tag.SrcFldId), tuple(found.text for found in one.all(Tag.DstFldId)))
        for one in body.all(Tag.Move)
    ]
    complete = all(move.item and move.source and move.destinations for move in moves)
    return moves if 0 < len(moves) <= MOST and complete else None


def _existing(session: Session, moves: Sequence[Move]) -> Mapping[str, set[str]]:
    """Ids of the items that exist, by their folder."""
    return {
        kind.value: {offer.record_id for offer in session.office.records.offers(session.identity, kind, wanted)}
        for kind in offered_kinds(session.who)
        if (wanted := {move.item for move in moves if move.source == kind.value})
    }


def judge(move: Move, known: set[str], existing: Mapping[str, set[str]]) -> MoveItemsStatus:
    """Why an item cannot be moved. Pure."""
    if move.source not in known:
        return MoveItemsStatus.INVALID_SOURCE
    if len(move.destinations) > 1:
        return MoveItemsStatus.CANNOT_MOVE  # R4222
    if move.destinations[0] == move.source:
        return MoveItemsStatus.SAME_FOLDER
    if move.item not in existing.get(move.source, set()):
        return MoveItemsStatus.INVALID_SOURCE  # R4208
    return MoveItemsStatus.CANNOT_MOVE if move.destinations[0] in known else MoveItemsStatus.INVALID_DESTINATION


def build(judged: Sequence[tuple[Move, MoveItemsStatus]]) -> Element:
    """A Response per move, in order."""
    return Element(
        Tag.MoveItems,
        tuple(Element(Tag.Response, (Element(Tag.SrcMsgId, move.item), Element(Tag.Status, str(status.value)))) for move, status in judged),
    )
