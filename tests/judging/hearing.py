"""What the bridge answered in the tests: every answer that any client of theirs got, one of each shape, until a judge takes it."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from activesync_bridge import request

WBXML, MULTIPART = "application/vnd.ms-sync.wbxml", "application/vnd.ms-sync.multipart"
INLINE = re.compile(rb"\x03([^\x00]*)\x00")  # STR_I, its text, and the end of it
FORMS = (  # of a text: what a schema can tell apart
    (re.compile(rb"[0-9]"), None),  # an enumeration: the value itself
    (re.compile(rb"[0-9]+"), b"number"),
    (re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), b"moment"),
    (re.compile(rb"\d{8}T\d{6}Z"), b"compact moment"),
    (re.compile(rb".{65,}", re.DOTALL), b"long text"),
    (re.compile(rb".+", re.DOTALL), b"text"),
)


class Answer(NamedTuple):
    """The WBXML of an answer, of which command and in which version."""

    command: str
    version: str
    body: bytes


@dataclass(slots=True)
class Hearing:
    """Answers in the order in which they came; ``heard`` counts all, ``shapes`` those that differ."""

    pending: list[Answer]
    shapes: set[tuple[str, str, bytes]]
    heard: int = 0

    def note(self, command: str, version: str, content_type: str, body: bytes) -> None:
        """Keep an answer, unless one like it came before; what is not WBXML is not kept."""
        content_type = content_type.partition(";")[0]
        if content_type == MULTIPART:
            body = first_part(body)
        elif content_type != WBXML or not body:
            return
        self.heard += 1
        shape = (command, version, shape_of(body))
        if shape not in self.shapes:
            self.shapes.add(shape)
            self.pending.append(Answer(command, version, body))

    def take(self) -> list[Answer]:
        """What came since the last time."""
        taken, self.pending = self.pending, []
        return taken


HEARING = Hearing([], set())


def first_part(body: bytes) -> bytes:
    """The WBXML of an answer in several parts ([MS-ASCMD] 2.2.1.10.1)."""
    _, start, length = struct.unpack_from("<III", body)
    return body[start : start + length]


def shape_of(body: bytes) -> bytes:
    """The tokens, with the kind of each text in place of it."""
    return body[:4] + INLINE.sub(lambda found: b"\x03" + form_of(found[1]) + b"\x00", body[4:])


def form_of(text: bytes) -> bytes:
    """The kind of a text."""
    for pattern, name in FORMS:
        if pattern.fullmatch(text):
            return text if name is None else name
    return text


def listening(application):
    """An ASGI application whose answers to phones are noted."""

    async def listen(scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].lower().startswith("/microsoft-server-activesync"):
            await application(scope, receive, send)
            return
        headers: dict[str, str] = {}
        body = b""

        async def hear(message):
            nonlocal body
            if message["type"] == "http.response.start":
                headers.update((name.decode(), value.decode()) for name, value in message["headers"])
            body += message.get("body", b"")
            await send(message)

        await application(scope, receive, hear)
        asked = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        note_answer(scope["query_string"].decode("latin-1"), asked, headers, body, is_packed=True)

    return listen


def note_answer(query: str, asked: Mapping[str, str], answered: Mapping[str, str], body: bytes, *, is_packed: bool = False) -> None:
    """Note what came for a query with the headers ``asked``, unless the query is none. Names of headers in any case."""
    asked, answered = ({name.lower(): value for name, value in headers.items()} for headers in (asked, answered))
    try:
        parsed = request.parse(query, asked)
    except request.BadQuery:
        return
    if is_packed and answered.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    HEARING.note(parsed.command, str(parsed.version), answered.get("content-type", ""), body)
