"""How a plugin leaves a precise answer for the wrapper that ``serve`` puts around Radicale.

A plugin can choose between few HTTP statuses, sees no headers and cannot stream. Under ``serve`` there is an ``Exchange`` for the request
in which it leaves what it means; under stock Radicale there is none, and leaving has no effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from radicale_onoffice.core.errors import OfficeError, Unavailable
from radicale_onoffice.errors import DavAnswer

NAMESPACES = {"D": "DAV:", "C": "urn:ietf:params:xml:ns:caldav", "CR": "urn:ietf:params:xml:ns:carddav"}


@dataclass(slots=True)
class Exchange:
    """One request and what is to be said of it."""

    method: str
    path: str
    body: bytes = b""
    if_none_match: str = ""
    user_agent: str = ""
    user: str = ""
    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    content: bytes = b""
    stream: Iterator[bytes] | None = None
    drop_etag: bool = False


exchange: ContextVar[Exchange | None] = ContextVar("exchange", default=None)
stock_agent: ContextVar[str] = ContextVar("stock_agent", default="")  # the User-Agent under stock Radicale, left by the auth plugin


def leave_error(error: OfficeError, answer: DavAnswer) -> None:
    """Answer with the error's status, its text, and its precondition as RFC 4918 16 has it."""
    now = exchange.get()
    if now is None or now.status is not None:
        return
    now.status = int(answer.status)
    if isinstance(error, Unavailable):
        now.headers.append(("Retry-After", str(error.retry_after)))
    if answer.precondition:
        prefix = "" if ":" in answer.precondition else "D:" if answer.precondition.startswith("valid-") else _prefix(now.path)
        _leave_xml(now, prefix + answer.precondition, str(error))
    else:
        now.headers.append(("Content-Type", "text/plain; charset=utf-8"))
        now.content = f"{error}\n".encode()


def _prefix(path: str) -> str:
    return "CR:" if "/contacts/" in path else "C:"


def _leave_xml(now: Exchange, precondition: str, text: str) -> None:
    names = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in NAMESPACES.items())
    now.headers.append(("Content-Type", "application/xml; charset=utf-8"))
    body = f'<?xml version="1.0" encoding="utf-8"?>\n<D:error {names}><{precondition}/><D:responsedescription>{escape(text)}</D:responsedescription></D:error>\n'
    now.content = body.encode()


def leave_precondition(precondition: str, text: str) -> None:
    """Answer 403 naming a precondition, such as ``C:supported-calendar-component`` (RFC 4791 5.3.2.1)."""
    now = exchange.get()
    if now is not None:
        now.status = 403
        _leave_xml(now, precondition, text)


def leave_stream(pieces: Iterator[bytes], etag: str) -> bool:
    """Answer a GET with these pieces, or with 304 if the client has them; False if nobody is there to send them."""
    now = exchange.get()
    if now is None:
        return False
    now.stream = iter(()) if matches(now.if_none_match, etag) else pieces
    return True


def drop_etag() -> None:
    """Send no ETag, because what is stored is not what was sent (RFC 4791 5.3.4)."""
    now = exchange.get()
    if now is not None:
        now.drop_etag = True


def body_text() -> str:
    """The body as it was sent, before the host's parser; "" if it is not at hand or not UTF-8."""
    now = exchange.get()
    if now is None or now.method != "PUT":
        return ""
    try:
        return now.body.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def device() -> str:
    """What the client calls itself."""
    now = exchange.get()
    return (now.user_agent if now else stock_agent.get())[:200]


def matches(header: str, etag: str) -> bool:
    """True if an If-None-Match header names the etag (RFC 9110 13.1.2, weak comparison)."""
    return header.strip() == "*" or etag in [word.strip().removeprefix("W/") for word in header.split(",")]
