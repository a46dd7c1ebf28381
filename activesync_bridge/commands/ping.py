"""Ping ([MS-ASCMD] 2.2.1.13): wait until one of the named folders has something to tell."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass

from activesync_bridge import exchange
from activesync_bridge.commands import foldersync
from activesync_bridge.commands.sync import load_state
from activesync_bridge.folders import MAIL_FOLDERS
from activesync_bridge.session import Answer, Session, Waiting
from activesync_bridge.wbxml.codepages import Ping
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.errors import CursorInvalid
from radicale_onoffice.core.feeds import Cursor
from radicale_onoffice.core.folders import offered_kinds
from radicale_onoffice.core.model import Identity, Kind

logger = logging.getLogger(__name__)
NOTHING, CHANGES, MISSING, SYNTAX, INTERVAL, TOO_MANY, HIERARCHY = "1", "2", "3", "4", "5", "6", "7"  # [MS-ASCMD] 2.2.3.177.11
MOST_FOLDERS = 64
TOLD_AT_MOST = 5  # times that the same news is told to a device that does not fetch it
REMEMBERED = 20_000  # devices and folders of which that is counted


@dataclass(frozen=True, slots=True)
class PingRequest:
    """Seconds, and the ids of folders."""

    heartbeat: int
    folders: tuple[str, ...]


class Announced:
    """Counts how often the same news was told, so that a phone that never fetches it does not ask each second (pains 21, 50)."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[Identity, str, Kind], tuple[object, int]] = OrderedDict()

    def may_tell(self, identity: Identity, device_id: str, kind: Kind, news: object) -> bool:
        """True unless this very news was told too often already."""
        key = (identity, device_id, kind)
        known, times = self._told.pop(key, (None, 0))
        times = times + 1 if known == news else 1
        self._told[key] = (news, times)
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        if times == TOLD_AT_MOST + 1:
            logger.warning(
                "device %s of %s is told of changes in %s again and again and does not fetch them; its Pings wait now",
                device_id,
                identity.user,
                kind,
            )
        return times <= TOLD_AT_MOST


def handle(session: Session, body: Element | None) -> Answer:
    """Answer at once if something is to be told, else wait."""
    device = session.device
    seconds = body.first(Ping.HeartbeatInterval) if body is not None else None
    folders = body.first(Ping.Folders) if body is not None else None
    if seconds is not None and not (seconds.text.isascii() and seconds.text.isdigit() and len(seconds.text) < 10):
        return _answer_with(SYNTAX)
    heartbeat = int(seconds.text) if seconds is not None else device.heartbeat
    ids = tuple(one.text_of(Ping.Id) for one in folders.all(Ping.Folder)) if folders is not None else device.ping_folders
    if len(set(ids)) < len(ids):
        return _answer_with(SYNTAX)  # R6699
    if not heartbeat or not ids:
        return _answer_with(MISSING)
    least, most = session.options.min_heartbeat, session.options.max_heartbeat
    if not least <= heartbeat <= most:
        return _answer_with(INTERVAL, Element(Ping.HeartbeatInterval, str(least if heartbeat < least else most)))
    if len(ids) > MOST_FOLDERS:
        return _answer_with(TOO_MANY, Element(Ping.MaxFolders, str(MOST_FOLDERS)))
    if (heartbeat, ids) != (device.heartbeat, device.ping_folders):
        # R5632: kept, so that a Ping without a body means the same, also after a restart.
        session.device = session.office.devices.update(session.identity, device.id, heartbeat=heartbeat, ping_folders=ids)
    return resume(session, PingRequest(heartbeat, ids), may_wait=True)


def resume(session: Session, asked: object, *, may_wait: bool) -> Answer:
    """Look at the folders, first or again."""
    assert isinstance(asked, PingRequest)
    offered = {kind.value: kind for kind in offered_kinds(session.who)}
    if any(one not in offered and one not in MAIL_FOLDERS for one in asked.folders) or not foldersync.is_current(session):
        return _answer_with(HIERARCHY)
    changed: list[str] = []
    for folder in asked.folders:
        if folder in offered:
            kind = offered[folder]
            news = _news(session, kind)
            if news is not None and session.announced.may_tell(session.identity, session.device.id, kind, news):
                changed.append(folder)
    if changed:
        return _answer_with(CHANGES, Element(Ping.Folders, tuple(Element(Ping.Folder, one) for one in changed)))
    return Waiting(asked.heartbeat, asked, idle=_answer_with(NOTHING)) if may_wait else _answer_with(NOTHING)


def _news(session: Session, kind: Kind) -> Cursor | None:
    """The newest position of a folder if the device lacks something of it; None if not, and for one that was never synchronised.

    Android pings before the first Sync, iOS folders that it does not synchronise: there is nothing to tell of them.
    """
    stored, _ = load_state(session, kind)
    if stored is None:
        return None
    scope = stored.current.scope
    newest = session.office.feeds.cursor(session.identity, kind, scope)
    if newest == stored.current.cursor and stored.current.move is None:
        return None
    try:
        return newest if exchange.plan(session, kind, stored.current, scope, room=1).steps else None
    except CursorInvalid:
        return newest  # a Sync will tell the device to begin anew


def _answer_with(status: str, *more: Element) -> Element:
    return Element(Ping.Ping, (Element(Ping.Status, status), *more))
