"""Building and reading ApplicationData in tests."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from activesync_bridge.items import BodyPreference, Flavour, Ghosting
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase
from activesync_bridge.wbxml.element import Element

BERLIN = ZoneInfo("Europe/Berlin")
FLAVOUR = Flavour(version=Version.V16_1, zone=BERLIN)
ALL = Ghosting()  # no Supported element: what is omitted is deleted (R5912)
NOTHING = Ghosting(managed=frozenset())  # an empty one: what is omitted stays (R5910)


def flavour(size: int | None = None, kind: int = 1, all_or_none: bool = False) -> Flavour:
    """A flavour with one body preference."""
    return Flavour(version=Version.V16_1, zone=BERLIN, bodies={kind: BodyPreference(truncation_size=size, all_or_none=all_or_none)})


def data(*children: Element | tuple[int, str]) -> Element:
    """ApplicationData with these children."""
    return Element(AirSync.ApplicationData, tuple(one if isinstance(one, Element) else Element(*one) for one in children))


def body(text: str | None, kind: str = "1", *more: tuple[int, str]) -> Element:
    """A client's Body."""
    children = [Element(AirSyncBase.Type, kind), *(Element(*one) for one in more)]
    return Element(AirSyncBase.Body, tuple(children + ([Element(AirSyncBase.Data, text)] if text is not None else [])))


def named(elements) -> dict[str, str]:
    """Texts of elements by name; the names of this module's pages do not clash."""
    return {one.name: one.text for one in elements if not one.children}


def first(elements, tag: int) -> Element | None:
    """The first element with a tag."""
    return next((one for one in elements if one.tag == tag), None)


def replaced(elements, *changes: tuple[int, str | None] | Element) -> Element:
    """ApplicationData as a client returns it, with these elements changed, added or (None) left out."""
    new = {one.tag if isinstance(one, Element) else one[0]: one for one in changes}
    kept = [one for one in elements if one.tag not in new]
    return data(*kept, *(one for one in new.values() if isinstance(one, Element) or one[1] is not None))
