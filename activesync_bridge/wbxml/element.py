"""An element of an ActiveSync message as a value: a tag with text, opaque bytes, or children."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from activesync_bridge.wbxml.codepages import NAMES

# What XML 1.0 (2.2, Char) cannot hold. A NUL would end an inline string, and what follows it would be read as tokens.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def legal(text: str) -> str:
    """The text without the characters that XML 1.0 cannot hold: control characters, lone surrogates, U+FFFE, U+FFFF."""
    # Nothing that is printable is illegal, and this is five times as fast as the search.
    return text if text.isprintable() else _ILLEGAL.sub("", text)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Children that are encoded already, so that one encoding serves every device.

    ``data`` is empty or begins with SWITCH_PAGE, so such pieces concatenate. Which code page it leaves the decoder on is not said: the
    writer switches before the next tag. (Switching back inside the piece would put a SWITCH_PAGE before an END, which the grammar,
    WBXML 1.3 5.3, does not have.)
    """

    data: bytes


@dataclass(frozen=True, slots=True, init=False)
class Element:
    """``content`` is text (STR_I), bytes (OPAQUE), children, or children that are encoded already; () is an empty tag."""

    tag: int  # page << 8 | token, a constant of codepages
    content: str | bytes | tuple[Element, ...] | Encoded

    def __init__(self, tag: int, content: str | bytes | tuple[Element, ...] | Encoded = ()) -> None:
        # The __init__ of a frozen dataclass takes 2.5 times as long, and a cold sync makes some 100,000 elements a second.
        _set_tag(self, tag)
        _set_content(self, content)

    @property
    def name(self) -> str:
        """The tag's name in its namespace."""
        return NAMES.get(self.tag, f"0x{self.tag:04X}")

    @property
    def children(self) -> tuple[Element, ...]:
        """The children, () for text and bytes."""
        return self.content if isinstance(self.content, tuple) else ()

    @property
    def text(self) -> str:
        """The text, decoded from UTF-8 if it came as OPAQUE; "" for an element with children or without content."""
        if isinstance(self.content, str):
            return self.content
        # iOS sends a ClientUid of 33 bytes, the last of which is NUL.
        return legal(self.content.decode("utf-8", "replace")) if isinstance(self.content, bytes) else ""

    def first(self, tag: int) -> Element | None:
        """The first child with this tag."""
        return next((child for child in self.children if child.tag == tag), None)

    def all(self, tag: int) -> Iterator[Element]:
        """The children with this tag."""
        return (child for child in self.children if child.tag == tag)

    def text_of(self, tag: int, default: str = "") -> str:
        """The text of the first child with this tag, ``default`` if there is none."""
        found = self.first(tag)
        return default if found is None else found.text


_set_tag = Element.__dict__["tag"].__set__
_set_content = Element.__dict__["content"].__set__


def texts(*pairs: tuple[int, str | None]) -> Sequence[Element]:
    """An element per pair whose text is neither None nor empty, in order."""
    return [Element(tag, text) for tag, text in pairs if text]
