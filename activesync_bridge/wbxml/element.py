"""An element of an ActiveSync message as a value: a tag with text, opaque bytes, or children."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from activesync_bridge.wbxml.codepages import NAMES


@dataclass(frozen=True, slots=True)
class Encoded:
    """Children that are encoded already, so that one encoding serves every device.

    ``data`` begins with SWITCH_PAGE and leaves the decoder on code page 0 (AirSync): such pieces concatenate.
    """

    data: bytes


@dataclass(frozen=True, slots=True)
class Element:
    """``content`` is text (STR_I), bytes (OPAQUE), children, or children that are encoded already; () is an empty tag."""

    tag: int  # page << 8 | token, a constant of codepages
    content: str | bytes | tuple[Element, ...] | Encoded = ()

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
        return self.content.decode("utf-8", "replace") if isinstance(self.content, bytes) else ""

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


def texts(*pairs: tuple[int, str | None]) -> Sequence[Element]:
    """An element per pair whose text is neither None nor empty, in order."""
    return [Element(tag, text) for tag, text in pairs if text]
