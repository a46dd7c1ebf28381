"""Bytes become elements: WBXML 1.1 to 1.3 as [MS-ASWBXML] uses it, and a little of what it does not use. Pure.

What is taken beyond [MS-ASWBXML] 2.1.3: a public identifier by number or from the string table, STR_T, ENTITY. What is refused: attributes,
LITERAL, processing instructions, extensions, a character set other than UTF-8, code pages that nobody knows. A tag that its page does
not name is an element like any other, so that a newer client's fields are passed over.

* **No text and empty text are the same**, and read as ().
* **Text beside elements** is dropped when it is white space, and refused otherwise: no element of ActiveSync has both.
* **Bytes behind the root are refused.** No client is known to send any, and if the root has ended too early then changes stand in them,
  which would be lost without a word.
* **Bytes that are no UTF-8** become U+FFFD: the item is worth more than the character.
* **Strings that are missing** are mended: see ``decode``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from activesync_bridge.wbxml.codepages import NAMESPACES
from activesync_bridge.wbxml.element import Element, legal

SWITCH_PAGE, END, ENTITY, STR_I, STR_T, OPAQUE = 0x00, 0x01, 0x02, 0x03, 0x83, 0xC3
UTF_8: Final = 106  # IANA's MIBenum
_TAG, _TAG_END, _TAG_WITH_CONTENT, _NO_TAG = 0x05, 0x40, 0x45, 0x80
_REFUSED = {
    **dict.fromkeys((0x04, 0x44, 0x84, 0xC4), "a literal tag"),
    **dict.fromkeys((0x40, 0x41, 0x42, 0x80, 0x81, 0x82, 0xC0, 0xC1, 0xC2), "an extension"),
    0x43: "a processing instruction",
}


class WbxmlError(Exception):
    """The bytes are no WBXML of ActiveSync: common status 102, HTTP 400 below 14.0. ``offset`` is that of the byte at fault."""

    def __init__(self, offset: int, message: str):
        super().__init__(f"{message} (byte {offset})")
        self.offset = offset
        self.message = message


class TooLarge(WbxmlError):
    """One of the limits is passed: HTTP 413."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that a body may hold. A Sync of 200 commands (R5642 ff. of [MS-ASCMD]), each with a picture, fits in."""

    size: int = 16 << 20  # bytes; also of all text that comes from the string table
    depth: int = 32  # elements within each other; exceptions' attendees stand at 11
    elements: int = 100_000  # elements, changes of the code page, and pieces of text in elements with several
    string: int = 4 << 20  # bytes of one string or byte array


DEFAULT_LIMITS: Final = Limits()


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Element:
    """The root element. Raises WbxmlError, and TooLarge of it when a limit is passed.

    Samsung's Galaxy S2 to S4 leave out an empty category's string together with its NUL: ``55 56 03 | 01 01 01 01 | 00 00 | 48`` is
    Categories, Category, STR_I, four times END, page 0, Change (tine20/tine20#3136 and #4356). A string of U+0001 is none that XML can
    hold, so an END behind STR_I is read as this fault first; as text only if that gives no document.
    """
    if len(data) > limits.size:
        raise TooLarge(limits.size, f"the body has more than {limits.size} bytes")
    at, strings = _header(data, limits)
    if data.find(b"\x03\x01", at) >= 0:
        with contextlib.suppress(WbxmlError):
            return _body(data, at, _Texts(data, strings, limits, mend=True))
    return _body(data, at, _Texts(data, strings, limits, mend=False))


def _header(data: bytes, limits: Limits) -> tuple[int, bytes]:
    """Where the body begins, and the string table (WBXML 1.3, 5.4 to 5.7)."""
    if not data or data[0] not in (1, 2, 3):
        raise WbxmlError(0, "the version is none of WBXML 1.1 to 1.3")
    known, at = mb_u_int32(data, 1)
    name, at = (-1, at) if known else mb_u_int32(data, at)
    charset, behind = mb_u_int32(data, at)
    if charset != UTF_8:
        raise WbxmlError(at, f"the character set {charset} is not UTF-8")
    length, begin = mb_u_int32(data, behind)
    if length > len(data) - begin:
        raise WbxmlError(behind, f"the string table of {length} bytes is longer than the body")
    strings = data[begin : begin + length]
    if name >= length:
        raise WbxmlError(1, f"the public identifier at {name} is outside of the string table")
    return begin + length, strings


def _body(data: bytes, at: int, texts: _Texts) -> Element:
    """The one element. ``parents`` holds the elements around the open one, whose tag and content are in the variables beside it."""
    tag, page, mend, limits = -1, 0, texts.mend, texts.limits
    children: list[Element] = []
    pieces: list[str | bytes] = []
    parents: list[tuple[int, list[Element], list[str | bytes]]] = []
    left, longest = limits.elements, limits.string
    try:
        while True:
            token = data[at]
            if _TAG_WITH_CONTENT <= token < _NO_TAG:
                left -= 1
                start = at + 2
                if data[at + 1] == STR_I and mend and data[start] == END:
                    children.append(Element(page | token & 0x3F))
                    at = start + 1
                elif data[at + 1] == STR_I and (stop := data.find(0, start)) >= 0 and data[stop + 1] == END and stop - start <= longest:
                    # Nearly all elements: tag, one string, END, taken in one go
                    text = data[start:stop].decode("utf-8", "replace")
                    children.append(Element(page | token & 0x3F, legal(text) or ()))
                    at = stop + 2
                else:
                    parents.append((tag, children, pieces))
                    tag, children, pieces = page | token & 0x3F, [], []
                    at += 1
                    if len(parents) > limits.depth:
                        raise TooLarge(at - 1, f"more than {limits.depth} elements stand within each other")
            elif token == END and parents:
                element = Element(tag, _joined(children, pieces, at, longest) if pieces else tuple(children))
                tag, children, pieces = parents.pop()
                children.append(element)
                at += 1
            elif token == SWITCH_PAGE:
                left -= 1
                page, at = _page(data, at + 1)
            elif _TAG <= token < _TAG_END:
                left -= 1
                children.append(Element(page | token))
                at += 1
            elif parents:
                left -= 1
                piece, at = texts.piece(token, at)
                pieces.append(piece)
            else:
                raise WbxmlError(at, f"the token 0x{token:02X} stands where the root should be")
            if left < 0:
                raise TooLarge(at, f"there are more than {limits.elements} elements, pages and pieces")
            if children and not parents:
                break
    except IndexError:
        raise WbxmlError(len(data), "the body ends before its root does") from None
    if at < len(data):
        raise WbxmlError(at, f"{len(data) - at} bytes stand behind the root")
    return children[0]


def _page(data: bytes, at: int) -> tuple[int, int]:
    """The code page with that number, as the high byte of tags, and where the next token stands."""
    if data[at] not in NAMESPACES:
        raise WbxmlError(at, f"the code page {data[at]} is unknown")
    return data[at] << 8, at + 1


def _joined(children: list[Element], pieces: list[str | bytes], at: int, longest: int) -> str | bytes | tuple[Element, ...]:
    """The content of an element that has text, which is bytes if some of it is OPAQUE; ``at`` is where it ends."""
    if children:
        if all(isinstance(piece, str) and not piece.strip() for piece in pieces):
            return tuple(children)
        raise WbxmlError(at, "an element has text beside elements")
    if sum(map(len, pieces)) > longest:
        raise TooLarge(at, f"a text has more than {longest} bytes")
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(piece for piece in pieces if isinstance(piece, str)) or ()
    return b"".join(piece.encode() if isinstance(piece, str) else piece for piece in pieces) or ()


class _Texts:
    """What is neither tag nor END: pieces of text and bytes."""

    def __init__(self, data: bytes, strings: bytes, limits: Limits, *, mend: bool):
        self.data, self.strings, self.limits, self.mend = data, strings, limits, mend
        self.spare = limits.size  # bytes that the string table may still give: naming a long string costs two bytes
        self.readers: dict[int, Callable[[int], tuple[str | bytes, int]]] = {
            STR_I: self._inline,
            STR_T: self._from_table,
            ENTITY: self._entity,
            OPAQUE: self._opaque,
        }

    def piece(self, token: int, at: int) -> tuple[str | bytes, int]:
        """The piece that ``token`` at ``at`` begins, and where the next token stands."""
        reader = self.readers.get(token)
        if reader is None:
            raise WbxmlError(at, f"{_REFUSED.get(token, 'a tag with attributes')} (0x{token:02X}) is not used in ActiveSync")
        return reader(at + 1)

    def _inline(self, at: int) -> tuple[str, int]:
        if self.mend and self.data[at] == END:
            return "", at
        end = self.data.find(0, at)
        if end < 0:
            raise WbxmlError(at, "a string has no end")
        return self._text(self.data[at:end], at), end + 1

    def _from_table(self, at: int) -> tuple[str, int]:
        index, behind = mb_u_int32(self.data, at)
        end = self.strings.find(0, index)
        if end < 0:
            raise WbxmlError(at, f"no string stands at {index} in the string table")
        self.spare -= end - index
        if self.spare < 0:
            raise TooLarge(at, f"the string table gives more than {self.limits.size} bytes")
        return self._text(self.strings[index:end], at), behind

    def _entity(self, at: int) -> tuple[str, int]:
        code, behind = mb_u_int32(self.data, at)
        if code > 0x10FFFF:
            raise WbxmlError(at, f"the entity {code} is no character")
        return legal(chr(code)), behind

    def _opaque(self, at: int) -> tuple[bytes, int]:
        length, begin = mb_u_int32(self.data, at)
        if length > len(self.data) - begin:
            raise WbxmlError(at, f"{length} bytes are announced, and {len(self.data) - begin} are left")
        if length > self.limits.string:
            raise TooLarge(at, f"a byte array has more than {self.limits.string} bytes")
        return self.data[begin : begin + length], begin + length

    def _text(self, raw: bytes, at: int) -> str:
        if len(raw) > self.limits.string:
            raise TooLarge(at, f"a string has more than {self.limits.string} bytes")
        return legal(raw.decode("utf-8", "replace"))


def mb_u_int32(data: bytes, at: int) -> tuple[int, int]:
    """The multi-byte integer at ``at`` (WBXML 1.3, 5.1) and where the next byte stands; 32 bits and five bytes at most."""
    number = 0
    for position in range(at, at + 5):
        if position >= len(data):
            raise WbxmlError(len(data), "the body ends within a number")
        number = number << 7 | data[position] & 0x7F
        if data[position] < 0x80:
            if number > 0xFFFFFFFF:
                break
            return number, position + 1
    raise WbxmlError(at, "a number has more than 32 bits")
