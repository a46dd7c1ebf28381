"""SendMail, SmartReply, SmartForward, GetAttachment ([MS-ASCMD] 2.2.1.17-2.2.1.20): refused, because there is no mail here.

A message is never sent for anybody (rule 75). The client learns that submission failed and keeps what its user wrote.
"""

from __future__ import annotations

from activesync_bridge.session import Answer, Session
from activesync_bridge.status import Common, refusal
from activesync_bridge.wbxml.element import Element


def handle(session: Session, body: Element | None) -> Answer:
    """Refuse the command that the query names: up to 12.1 its body is the message itself."""
    return refusal(session.request.command, session.version, Common.MAIL_SUBMISSION_FAILED)
