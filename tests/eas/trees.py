"""Elements in few words, for tests."""

from __future__ import annotations

from activesync_bridge.wbxml.element import Element


def tree(tag: int, *content: Element | str | bytes) -> Element:
    """An element with text, bytes or children."""
    if len(content) == 1 and isinstance(content[0], str | bytes):
        return Element(tag, content[0] or ())
    return Element(tag, content)


def at(element: Element, *path: int) -> Element:
    """The first element down a path of tags; fails if there is none."""
    for tag in path:
        found = element.first(tag)
        assert found is not None, f"{element.name} has no child 0x{tag:04X}: {[child.name for child in element.children]}"
        element = found
    return element


def text(element: Element, *path: int) -> str:
    """The text of the first element down a path."""
    return at(element, *path).text


def names(element: Element) -> list[str]:
    """Names of the children."""
    return [child.name for child in element.children]
