"""A whole folder as one text: an address book as its cards in a row, a calendar as one VCALENDAR (webcal)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

COMPONENT = re.compile(r"BEGIN:(VTIMEZONE|VEVENT|VTODO)\r\n.*?END:\1\r\n", re.DOTALL)
TZID = re.compile(r"^TZID[^:\r\n]*:([^\r\n]*)", re.MULTILINE)


def addressbook(texts: Iterable[str]) -> Iterator[bytes]:
    """The cards one after the other (RFC 6350 allows several in one file)."""
    for text in texts:
        yield text.encode()


def calendar(texts: Iterable[str], name: str) -> Iterator[bytes]:
    """One VCALENDAR with each time zone once, before the first component that needs it (RFC 5545 3.4)."""
    escaped = name.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    yield f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//radicale-onoffice//EN\r\nX-WR-CALNAME:{escaped}\r\n".encode()
    zones: set[str] = set()
    for text in texts:
        for component in COMPONENT.finditer(text):
            if component[1] == "VTIMEZONE":
                zone = TZID.search(component[0])
                if zone is None or zone[1] in zones:
                    continue
                zones.add(zone[1])
            yield component[0].encode()
    yield b"END:VCALENDAR\r\n"
