"""Which function answers which command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from activesync_bridge.commands import (
    find,
    folderchange,
    foldersync,
    getitemestimate,
    itemoperations,
    mail,
    meetingresponse,
    moveitems,
    ping,
    provision,
    resolverecipients,
    search,
    settings,
    sync,
    validatecert,
)
from activesync_bridge.session import Answer, Session
from activesync_bridge.wbxml.element import Element


class Resume(Protocol):
    """Looks again after a wait."""

    def __call__(self, session: Session, asked: object, *, may_wait: bool) -> Answer: ...


COMMANDS: Mapping[str, Callable[[Session, Element | None], Answer]] = {
    "Sync": sync.handle,
    "SendMail": mail.handle,
    "SmartForward": mail.handle,
    "SmartReply": mail.handle,
    "GetAttachment": mail.handle,
    "FolderSync": foldersync.handle,
    "FolderCreate": folderchange.handle,
    "FolderDelete": folderchange.handle,
    "FolderUpdate": folderchange.handle,
    "MoveItems": moveitems.handle,
    "GetItemEstimate": getitemestimate.handle,
    "MeetingResponse": meetingresponse.handle,
    "Search": search.handle,
    "Settings": settings.handle,
    "Ping": ping.handle,
    "ItemOperations": itemoperations.handle,
    "Provision": provision.handle,
    "ResolveRecipients": resolverecipients.handle,
    "ValidateCert": validatecert.handle,
    "Find": find.handle,
}
RESUMABLE: Mapping[str, Resume] = {"Sync": sync.resume, "Ping": ping.resume}
