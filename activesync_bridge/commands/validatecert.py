"""ValidateCert ([MS-ASCMD] 2.2.1.22): no certificate can be vouched for, because this server trusts no certification authority."""

from __future__ import annotations

from activesync_bridge.session import Answer, Session
from activesync_bridge.status import ValidateCertStatus
from activesync_bridge.wbxml.codepages import ValidateCert as Tag
from activesync_bridge.wbxml.element import Element

MOST = 100  # certificates of one request (R5662)


def handle(session: Session, body: Element | None) -> Answer:
    """Answer a ValidateCert."""
    return build(parse(body))


def parse(body: Element | None) -> int | None:
    """How many certificates are to be judged; None if the request is malformed or has too many."""
    if body is None or body.tag != Tag.ValidateCert:
        return None
    count = sum(1 for group in body.all(Tag.Certificates) for _ in group.all(Tag.Certificate))
    return count if 0 < count <= MOST else None


def build(count: int | None) -> Element:
    """Whatever the certificate: its source is not trusted by the server (R4521)."""
    if count is None:
        return Element(Tag.ValidateCert, (_status(ValidateCertStatus.PROTOCOL_ERROR),))
    judged = Element(Tag.Certificate, (_status(ValidateCertStatus.UNKNOWN_SERVER_ERROR),))
    return Element(Tag.ValidateCert, (_status(ValidateCertStatus.SUCCESS), *(judged for _ in range(count))))


def _status(status: ValidateCertStatus) -> Element:
    return Element(Tag.Status, str(status.value))
