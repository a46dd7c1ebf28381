"""Bodies: [MS-ASAIRS]. The CRM's notes are plain text, and plain text is what is sent, whatever type was asked for (nearest to native).

What a client returns of a truncated body never shortens what is stored: a prefix of it is no change, and an edit of the part that the
client had keeps the part that it never had ("notes cut off").
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from activesync_bridge.items import BodyPreference, Flavour
from activesync_bridge.items.patching import Context, Elements, Row, put, with_text
from activesync_bridge.wbxml.codepages import AirSyncBase
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.formats.lines import Component, escape, text_of

PLAIN: Final = "1"
HTML: Final = "2"
EMPTY: Final = (
    Element(AirSyncBase.Body, (Element(AirSyncBase.Type, PLAIN), Element(AirSyncBase.EstimatedDataSize, "0"), Element(AirSyncBase.Data))),
)
OVERLAP = 16  # characters beyond the cut by which a client shows that it had the whole text


def body_row(name: str, fields: tuple[str, ...] = ()) -> Row:
    """A row between Body and a text property; omission never deletes (R461)."""

    def write(component: Component, elements: Elements, context: Context) -> None:
        old = component.first(name)
        stored = text_of(old)
        told = next((one for one in elements if one.tag == AirSyncBase.Body), None)
        wanted = merged(stored, told, context.flavour) if told is not None else ""
        if wanted != stored:
            put(component, [old] if old else [], [with_text(old, name, escape(wanted))] if wanted else [])

    return Row(
        tags=(AirSyncBase.Body,),
        fields=fields,
        keeps=True,
        read=lambda component, context: elements_of(text_of(component.first(name)), context.flavour),
        write=write,
    )


def elements_of(text: str, flavour: Flavour) -> Elements:
    """The Body of a text as the client prefers it; an empty one says so, because clients keep what is left out.

    Children in the order of R112, without ``Truncated`` 0, which Windows Phone 8 cannot read. There is no Preview: none is sent beside
    plain text (R1001036).
    """
    if not text:
        return EMPTY
    full = text.replace("\n", "\r\n")
    shown, is_cut = _shown(full, flavour)
    children = [Element(AirSyncBase.Type, PLAIN), Element(AirSyncBase.EstimatedDataSize, str(len(full.encode())))]
    if is_cut:
        children.append(Element(AirSyncBase.Truncated, "1"))
    if shown:
        children.append(Element(AirSyncBase.Data, shown))
    return (Element(AirSyncBase.Body, tuple(children)),)


def _preference(flavour: Flavour) -> BodyPreference:
    """The one for plain text, else the one for HTML, else no limit (R300)."""
    return flavour.bodies.get(1) or flavour.bodies.get(2) or BodyPreference()


def _shown(full: str, flavour: Flavour) -> tuple[str, bool]:
    """What of a text is sent, and whether that is less than all: cut at bytes, on a character's boundary, or nothing (R63, R376)."""
    preference = _preference(flavour)
    limit = preference.truncation_size
    if limit is None or len(full) * 4 <= limit:
        return full, False
    encoded = full.encode()
    if len(encoded) <= limit:
        return full, False
    return "" if preference.all_or_none else encoded[:limit].decode("utf-8", "ignore").removesuffix("\r"), True


def merged(stored: str, sent: Element, flavour: Flavour) -> str:
    """The text that a client's Body asks for, given the stored one of which the client may have had a part only."""
    kind = sent.text_of(AirSyncBase.Type, PLAIN).strip() or PLAIN
    if kind not in (PLAIN, HTML) or not sent.children:
        return stored  # RTF and MIME are nothing that a CRM could show, and a Body that is no container says nothing
    shown, was_cut = _shown(stored.replace("\n", "\r\n"), flavour)
    shown = shown.replace("\r\n", "\n")
    is_marked = sent.text_of(AirSyncBase.Truncated).strip().lower() in ("1", "true")
    data = sent.first(AirSyncBase.Data)
    if data is None or not data.text:
        told_size = sent.text_of(AirSyncBase.EstimatedDataSize).strip() not in ("", "0")
        return stored if is_marked or (data is None and (told_size or (was_cut and not shown))) else ""
    text = plain(data.text) if kind == HTML else data.text.replace("\r\n", "\n").replace("\r", "\n")
    if _is_same(text, stored, kind) or ((is_marked or was_cut) and _begins_with(stored, text)):
        return stored
    if was_cut:
        tail = stored[len(shown) :]
        if is_marked or tail[:OVERLAP].strip() not in text:
            return (text + tail).strip()
    return text.strip()


def _is_same(text: str, stored: str, kind: str) -> bool:
    return text.strip() == stored.strip() or (kind == HTML and text.split() == stored.split())


def _begins_with(stored: str, text: str) -> bool:
    return stored.startswith(text.rstrip()) or " ".join(stored.split()).startswith(" ".join(text.split()))


BLOCKS: Final = frozenset(
    {
        "address",
        "article",
        "blockquote",
        "div",
        "dl",
        "dt",
        "dd",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    }
)
SILENT: Final = frozenset({"head", "script", "style", "title"})


class _Text(HTMLParser):
    """Collects what a reader of the page sees."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.silent = 0
        self.verbatim = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self.silent += 1
        elif tag == "br":
            self.pieces.append("\n")
        elif tag in BLOCKS:
            self._break()
            self.pieces += ["- "] if tag == "li" else []
        elif tag in ("td", "th") and self.pieces and not self.pieces[-1].endswith("\n"):
            self.pieces.append("\t")
        self.verbatim += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT:
            self.silent = max(0, self.silent - 1)
        elif tag in BLOCKS:
            self._break()
            self.pieces += ["\n"] if tag == "p" else []
        self.verbatim = max(0, self.verbatim - (tag == "pre"))

    def handle_data(self, data: str) -> None:
        if self.silent:
            return
        text = data if self.verbatim else re.sub(r"\s+", " ", data.replace("\xa0", " "))
        if not self.verbatim and (not self.pieces or self.pieces[-1].endswith(("\n", " "))):
            text = text.lstrip(" ")
        if text:
            self.pieces.append(text)

    def _break(self) -> None:
        if self.pieces and not self.pieces[-1].endswith("\n"):
            self.pieces.append("\n")


def plain(html: str) -> str:
    """The text of an HTML body: blocks and line breaks become lines, at most one empty line in a row."""
    reader = _Text()
    reader.feed(html)
    reader.close()
    lines = "".join(reader.pieces).replace("\r", "").split("\n")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(one.rstrip() for one in lines)).strip()
