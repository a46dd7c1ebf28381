"""Elements become bytes: WBXML 1.3 as [MS-ASWBXML] uses it, with tags, SWITCH_PAGE, STR_I, OPAQUE and END. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from activesync_bridge.wbxml.codepages import NAMES
from activesync_bridge.wbxml.element import Element, Encoded, legal

# Version 1.3, public identifier "unknown", UTF-8, no string table. EAS-4-TbSync takes no other.
HEADER: Final = b"\x03\x01\x6a\x00"
SWITCH_PAGE, END, STR_I, OPAQUE = 0x00, 0x01, 0x03, 0xC3
WITH_CONTENT: Final = 0x40  # bit of a tag's token
_UNKNOWN_PAGE = -1  # nobody knows where the decoder is: the next tag needs a SWITCH_PAGE
_END_TEXT = bytes((0, END))
_SWITCH = [bytes((SWITCH_PAGE, page)) for page in range(0x100)]


class _Tokens(dict[int, bytes]):
    """Per tag its token and what follows it; a tag that the code pages do not name is made when it is asked for."""

    def __init__(self, flag: int, *behind: int):
        self.flag, self.behind = flag, behind
        super().__init__((tag, self._token(tag)) for tag in NAMES)

    def __missing__(self, tag: int) -> bytes:
        return self.setdefault(tag, self._token(tag))

    def _token(self, tag: int) -> bytes:
        if not 0 <= tag >> 8 <= 0xFF or not 0x05 <= tag & 0xFF < WITH_CONTENT:
            raise ValueError(f"0x{tag:04X} is no tag")
        return bytes((tag & 0xFF | self.flag, *self.behind))


_EMPTY, _OPEN, _TEXT, _BYTES = _Tokens(0), _Tokens(WITH_CONTENT), _Tokens(WITH_CONTENT, STR_I), _Tokens(WITH_CONTENT, OPAQUE)


def encode(root: Element) -> bytes:
    """The document. Empty text, empty bytes and no children are all an empty tag; NUL and control characters are left out."""
    out = bytearray(HEADER)
    _write((root,), out, 0)
    return bytes(out)


def encode_children(children: Iterable[Element]) -> Encoded:
    """Children to be pasted into any element of any document as its ``content``."""
    out = bytearray()
    _write(children, out, _UNKNOWN_PAGE)
    return Encoded(bytes(out))


def _write(elements: Iterable[Element], out: bytearray, page: int) -> int:
    """Append the elements to ``out`` while the decoder is on ``page``; gives the page where it is then."""
    for element in elements:
        tag, content = element.tag, element.content
        if tag >> 8 != page:
            page = tag >> 8
            out += _SWITCH[page & 0xFF]
        if isinstance(content, str):
            text = legal(content).encode()
            out += _TEXT[tag] + text + _END_TEXT if text else _EMPTY[tag]
        elif not content:
            out += _EMPTY[tag]
        elif isinstance(content, tuple):
            out += _OPEN[tag]
            page = _write(content, out, page)
            out.append(END)
        elif isinstance(content, bytes):
            out += _BYTES[tag] + mb_u_int32(len(content)) + content
            out.append(END)
        elif content.data:
            out += _OPEN[tag] + content.data
            out.append(END)
            page = _UNKNOWN_PAGE
        else:
            out += _EMPTY[tag]
    return page


def mb_u_int32(number: int) -> bytes:
    """A multi-byte integer (WBXML 1.3, 5.1): seven bits a byte, the highest first, bit 8 says that more follow."""
    out = [number & 0x7F]
    while number := number >> 7:
        out.append(number & 0x7F | 0x80)
    return bytes(reversed(out))
