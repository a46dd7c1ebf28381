"""Everything that judges an answer: libwbxml reads it, our own reader has to read the same, Microsoft's schemas and the order of [MS-ASCMD]."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

from lxml import etree

from activesync_bridge.wbxml.codepages import NAMES, NAMESPACES
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.reader import WbxmlError, decode
from tests.judging import microsoft
from tests.judging.hearing import Answer
from tests.wbxml.libwbxml import RENAMED, YOUNG, decoded

PREFIX = {page: ("GAL" if name.__name__ == "Gal" else name.__name__) for page, name in NAMESPACES.items()}
COLLECTION = "AirSync:Collections/AirSync:Collection"
# The schema of Sync leaves the order within a Collection, and how often each may come, to the text. SyncKey to MoreAvailable come first, because
# Windows clients look for MoreAvailable before they read items; empty Commands and Responses break Windows Phone and iOS.
COLLECTION_ORDER = ("Class", "SyncKey", "CollectionId", "Status", "MoreAvailable", "Responses", "Commands")
COLLECTION_NEEDS = ("SyncKey", "CollectionId", "Status")


def judge(answer: Answer) -> list[str]:
    """What is wrong with an answer; nothing, if all judges accept it."""
    try:
        ours = decode(answer.body)
    except WbxmlError as error:
        return [f"we do not read it ourselves: {error}"]
    try:
        theirs = decoded(answer.body)
    except (subprocess.CalledProcessError, ElementTree.ParseError, ValueError) as error:
        return [f"libwbxml does not read it: {error}"]
    root, faults = both(ours, theirs)
    if faults:
        return faults
    return [*order(root), *microsoft.faults(root, answer.version)]


# ------------------------------------------------------ two readers, one tree


def both(ours: Element, theirs: ElementTree.Element) -> tuple[etree._Element, list[str]]:
    """The answer as XML, by libwbxml's reading wherever it knows the tag; and where the two readers differ."""
    faults: list[str] = []
    return _both(ours, theirs, faults, ""), faults


def _both(ours: Element, theirs: ElementTree.Element, faults: list[str], path: str) -> etree._Element:
    page, name = ours.tag >> 8, their_name(ours, theirs)
    path = f"{path}/{name}"
    element = etree.Element(f"{{{PREFIX[page]}}}{name}", nsmap={None: PREFIX[page]})
    if NAMES.get(ours.tag) != name:
        faults.append(f"{path}: we read {NAMES.get(ours.tag)}")
    if len(theirs) != len(ours.children):
        faults.append(f"{path}: {len(theirs)} children, we read {len(ours.children)}")
    text = theirs.text or ""
    if not ours.children and isinstance(ours.content, str | tuple) and text != (ours.text.replace("\r\n", "\n").replace("\r", "\n")):
        faults.append(f"{path}: {text[:40]!r}, we read {ours.text[:40]!r}")
    element.text = text if not ours.children else None
    for our, their in zip(ours.children, theirs, strict=False):
        element.append(_both(our, their, faults, path))
    return element


def their_name(ours: Element, theirs: ElementTree.Element) -> str:
    """The tag by libwbxml's table, in Microsoft's words; ours where the table is too old."""
    page, name = ours.tag >> 8, theirs.tag.rpartition("}")[2]
    if name == "unknown" and (page == 25 or ours.name in YOUNG.get(page, ())):
        return ours.name
    back = {their: our for our, their in RENAMED.get(page, {}).items()}
    return back.get(name, name)


# -------------------------------------------------------------------- order


def order(root: etree._Element) -> list[str]:
    """Faults in the order and number of a Sync's elements."""
    return [fault for collection in root.iter("{AirSync}Collection") for fault in _order(collection)] + list(_empty(root))


def _order(collection: etree._Element) -> Iterator[str]:
    names = [etree.QName(child).localname for child in collection]
    if names != [name for name in COLLECTION_ORDER if name in names]:
        yield f"Collection has {names}"
    if missing := [name for name in COLLECTION_NEEDS if name not in names]:
        yield f"Collection lacks {missing}"


def _empty(root: etree._Element) -> Iterator[str]:
    for name in ("Commands", "Responses", "Collections"):
        for element in root.iter(f"{{AirSync}}{name}"):
            if not len(element):
                yield f"{name} is empty"


def described(answer: Answer, faults: list[str]) -> str:
    """A report for a person."""
    return f"{answer.command} {answer.version}, {answer.body.hex()}\n    " + "\n    ".join(faults)
