"""The WSGI wrapper around Radicale: bounded bodies, precise answers, 304, streams, and a line per request.

Radicale answers 401 and 403 with a pause against guessing; the lock does that job here, so ``serve`` switches the pauses off
(asgi.py): a pause holds a worker, and eight anonymous probes a second would stop everybody.
"""

from __future__ import annotations

import io
import logging
import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException, ElementTree

from radicale_onoffice import answers
from radicale_onoffice.answers import Exchange

logger = logging.getLogger(__name__)
Observe = Callable[[str, int, float], None]
# Roots of the methods that have XML; None: the host knows several and refuses the others itself.
XML_ROOTS: dict[str, set[str] | None] = {
    "PROPFIND": {"{DAV:}propfind"},
    "PROPPATCH": {"{DAV:}propertyupdate"},
    "REPORT": None,
    "MKCOL": {"{DAV:}mkcol"},
    "MKCALENDAR": {"{urn:ietf:params:xml:ns:caldav}mkcalendar"},
}
REPLACED = {"content-length", "content-type", "content-encoding", "www-authenticate", "etag", "last-modified", "retry-after"}


class PreciseAnswers:
    """WSGI middleware; ``observe`` is told method, status and seconds of each request."""

    def __init__(self, app, *, max_body: int, observe: Observe):
        self._app, self._max_body, self._observe = app, max_body, observe

    def __call__(self, environ: dict[str, Any], start_response) -> Iterable[bytes]:
        began = time.perf_counter()
        exchange = Exchange(
            method=environ["REQUEST_METHOD"],
            path=environ.get("PATH_INFO", ""),
            if_none_match=environ.get("HTTP_IF_NONE_MATCH", ""),
            user_agent=environ.get("HTTP_USER_AGENT", ""),
        )
        status, headers, body = self._answer(environ, exchange)
        seconds = time.perf_counter() - began
        self._observe(exchange.method, int(status[:3]), seconds)
        logger.info("%s %s %s %.0fms", exchange.method, ascii(exchange.path)[1:-1], status[:3], seconds * 1000)
        start_response(status, headers)
        return body

    def _answer(self, environ: dict[str, Any], exchange: Exchange) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
        body = read_body(environ, self._max_body)
        if body is None:
            text = f"The body is larger than the {self._max_body} bytes that are accepted.\n".encode()
            return "413 Content Too Large", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))], [text]
        wrong = wrong_xml(exchange.method, body)
        if wrong:
            text = f"{wrong}\n".encode()
            return "400 Bad Request", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))], [text]
        if not is_login(environ.get("HTTP_AUTHORIZATION", "")):
            environ.pop("HTTP_AUTHORIZATION", None)  # the host would answer 500; without one it asks for a password
        exchange.body = body
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        token = answers.exchange.set(exchange)
        started: list[Any] = []
        try:
            pieces = list(self._app(environ, lambda status, headers, _exc_info=None: started.extend((status, headers))))
        finally:
            answers.exchange.reset(token)
        return finish(exchange, started[0], started[1], pieces)


def is_login(authorization: str) -> bool:
    """False for Basic credentials that are no base64 of a login and a password (RFC 7617 2)."""
    if not authorization.startswith("Basic"):
        return True
    try:
        return b":" in b64decode(authorization.removeprefix("Basic").strip().encode("ascii"))
    except ValueError:
        return False


def wrong_xml(method: str, body: bytes) -> str:
    """What is wrong with a request's XML, "" if nothing; the host would answer 500 to entities and to a foreign root."""
    if method not in XML_ROOTS or not body.strip():
        return ""
    try:
        root = ElementTree.fromstring(body, forbid_dtd=True)
    except DefusedXmlException:
        return "The XML declares a document type or entities, which no DAV request needs."
    except (ParseError, ValueError, LookupError) as error:
        return f"The XML is not well-formed: {error}"
    wanted = XML_ROOTS[method]
    return "" if wanted is None or root.tag in wanted else f"The XML's root is {root.tag!r}, which {method} does not know."


def read_body(environ: dict[str, Any], limit: int) -> bytes | None:
    """The whole body, also of a chunked request, which Radicale alone would take for empty; None beyond the limit."""
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdigit() and int(length) > limit:
        return None
    body = environ["wsgi.input"].read(limit + 1 if not length.isdigit() else int(length))
    return None if len(body) > limit else body


def finish(
    exchange: Exchange, status: str, headers: list[tuple[str, str]], pieces: list[bytes]
) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
    """The answer that was meant: what a plugin left, else the host's own, as 304 if the client has it."""
    if exchange.status is not None:
        kept = [(name, value) for name, value in headers if name.lower() not in REPLACED]
        content = exchange.content if exchange.method != "HEAD" else b""
        return _status_line(exchange.status), [*kept, *exchange.headers, ("Content-Length", str(len(content)))], [content]
    if exchange.drop_etag:
        headers = [(name, value) for name, value in headers if name.lower() != "etag"]
    etag = next((value for name, value in headers if name.lower() == "etag"), "")
    if exchange.method in ("GET", "HEAD") and status.startswith("200") and etag and answers.matches(exchange.if_none_match, etag):
        kept = [(name, value) for name, value in headers if name.lower() not in ("content-length", "content-type", "content-encoding")]
        return "304 Not Modified", kept, []
    if exchange.stream is not None and status.startswith("200"):
        kept = [(name, value) for name, value in headers if name.lower() not in ("content-length", "content-encoding")]
        return status, kept, batched(exchange.stream) if exchange.method == "GET" else []
    return status, headers, pieces


def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def batched(stream: Iterator[bytes], size: int = 65536) -> Iterator[bytes]:
    """Small pieces put together, so that a stream of cards is not a packet each."""
    buffer, length = [], 0
    for piece in stream:
        buffer.append(piece)
        length += len(piece)
        if length >= size:
            yield b"".join(buffer)
            buffer, length = [], 0
    if buffer:
        yield b"".join(buffer)
