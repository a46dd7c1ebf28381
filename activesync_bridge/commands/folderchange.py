"""FolderCreate, FolderDelete, FolderUpdate ([MS-ASCMD] 2.2.1.3, 2.2.1.4, 2.2.1.6): the CRM's folders are fixed, so all of them are refused.

The status says why as near as the protocol can: every folder here is a default folder, and the root takes no other.
"""

from __future__ import annotations

from dataclasses import dataclass

from activesync_bridge.commands import foldersync
from activesync_bridge.session import Answer, Session
from activesync_bridge.status import FolderCreateStatus, FolderDeleteStatus, FolderUpdateStatus
from activesync_bridge.wbxml.codepages import FolderHierarchy as Tag
from activesync_bridge.wbxml.element import Element

USER_CREATED = {"1", "12", "13", "14", "15", "16", "17"}  # the other types are default folders, which no client makes (R4035)


@dataclass(frozen=True, slots=True)
class Known:
    """What the refusal depends on: the folders by id and by name, and whether the key is the device's."""

    ids: frozenset[str]
    names: frozenset[str]
    key_is_valid: bool


def handle(session: Session, body: Element | None) -> Answer:
    """Refuse the command that the query names."""
    known = _known(session, body)
    if session.request.command == "FolderCreate":
        return _refused(Tag.FolderCreate, why_not_create(body, known))
    if session.request.command == "FolderDelete":
        return _refused(Tag.FolderDelete, why_not_delete(body, known))
    return _refused(Tag.FolderUpdate, why_not_update(body, known))


def why_not_create(body: Element | None, known: Known) -> FolderCreateStatus:
    """The status of a FolderCreate. Pure."""
    if not _has(body, Tag.FolderCreate, Tag.SyncKey, Tag.ParentId, Tag.DisplayName, Tag.Type):
        return FolderCreateStatus.INVALID_REQUEST
    assert body is not None
    if not known.key_is_valid:
        return FolderCreateStatus.INVALID_SYNC_KEY
    if body.text_of(Tag.Type) not in USER_CREATED:
        return FolderCreateStatus.INVALID_REQUEST
    if body.text_of(Tag.ParentId) not in known.ids | {foldersync.ROOT}:
        return FolderCreateStatus.PARENT_NOT_FOUND
    if body.text_of(Tag.ParentId) == foldersync.ROOT and body.text_of(Tag.DisplayName) in known.names:
        return FolderCreateStatus.ALREADY_EXISTS
    return FolderCreateStatus.SPECIAL_PARENT


def why_not_delete(body: Element | None, known: Known) -> FolderDeleteStatus:
    """The status of a FolderDelete. Pure."""
    if not _has(body, Tag.FolderDelete, Tag.SyncKey, Tag.ServerId):
        return FolderDeleteStatus.INVALID_REQUEST
    assert body is not None
    if not known.key_is_valid:
        return FolderDeleteStatus.INVALID_SYNC_KEY
    return FolderDeleteStatus.SPECIAL_FOLDER if body.text_of(Tag.ServerId) in known.ids else FolderDeleteStatus.NOT_FOUND


def why_not_update(body: Element | None, known: Known) -> FolderUpdateStatus:
    """The status of a FolderUpdate. Pure."""
    if not _has(body, Tag.FolderUpdate, Tag.SyncKey, Tag.ServerId, Tag.ParentId, Tag.DisplayName):
        return FolderUpdateStatus.INVALID_REQUEST
    assert body is not None
    if body.first(Tag.Status) is not None:  # R3102
        return FolderUpdateStatus.INVALID_REQUEST
    if not known.key_is_valid:
        return FolderUpdateStatus.INVALID_SYNC_KEY
    if body.text_of(Tag.ServerId) not in known.ids:
        return FolderUpdateStatus.NOT_FOUND
    if body.text_of(Tag.ParentId) not in known.ids | {foldersync.ROOT}:
        return FolderUpdateStatus.PARENT_NOT_FOUND
    return FolderUpdateStatus.EXISTS_OR_SPECIAL


def _has(body: Element | None, root: int, *tags: int) -> bool:
    return body is not None and body.tag == root and all(body.text_of(tag) for tag in tags)


def _known(session: Session, body: Element | None) -> Known:
    with session.office.store.reading() as tx:
        offered = foldersync.offered(tx, session.who)
        key = body.text_of(Tag.SyncKey) if body is not None else ""
        return Known(
            frozenset(folder.id for folder in offered),
            frozenset(folder.name for folder in offered),
            foldersync.knows(tx, session.device, key),
        )


def _refused(root: int, status: FolderCreateStatus | FolderDeleteStatus | FolderUpdateStatus) -> Element:
    """R4570, R5785, R5786: a command that failed has no SyncKey."""
    return Element(root, (Element(Tag.Status, str(status.value)),))
