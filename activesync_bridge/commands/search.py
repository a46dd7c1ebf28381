"""Search ([MS-ASCMD] 2.2.1.16): the address book; mailboxes are empty, and there are no document libraries."""

from __future__ import annotations

from dataclasses import dataclass

from activesync_bridge.commands import gal
from activesync_bridge.session import Answer, Session
from activesync_bridge.status import SearchStatus, StoreStatus
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSync
from activesync_bridge.wbxml.codepages import Search as Tag
from activesync_bridge.wbxml.element import Element

MAIL_CLASSES = {"", "Email", "SMS", "Notes"}  # items of the others are not searched for ([MS-ASTASK] R364)


@dataclass(frozen=True, slots=True)
class Query:
    """A search of one store."""

    store: str
    text: str
    classes: frozenset[str]
    first: int
    last: int
    pictures: gal.Pictures | None


def handle(session: Session, body: Element | None) -> Answer:
    """Answer a Search."""
    try:
        query = parse(body)
    except gal.Malformed:
        return _answer(StoreStatus.INVALID_REQUEST)
    if query.store == "mailbox":
        known = query.classes <= MAIL_CLASSES
        # R3850: a mailbox without a match has an empty Result.
        return _answer(StoreStatus.SUCCESS, Element(Tag.Result)) if known else _answer(StoreStatus.INVALID_REQUEST)
    if query.store == "documentlibrary":
        return _answer(StoreStatus.ACCESS_BLOCKED)
    return _people(session, query)


def parse(body: Element | None) -> Query:
    """The query of a request; raises Malformed."""
    store = body.first(Tag.Store) if body is not None and body.tag == Tag.Search else None
    query = store.first(Tag.Query) if store is not None else None
    if store is None or query is None:
        raise gal.Malformed
    name = store.text_of(Tag.Name).lower()
    if name not in ("gal", "mailbox", "documentlibrary"):
        raise gal.Malformed
    options = store.first(Tag.Options) or Element(Tag.Options)
    if name != "gal":
        return Query(name, "", _classes(query), *gal.FULL_RANGE, None)
    span = options.first(Tag.Range)
    first, last = gal.parse_range(None if span is None else span.text)
    pictures = gal.parse_pictures(options.first(Tag.Picture), Tag.MaxSize, Tag.MaxPictures)
    return Query(name, query.text, frozenset(), first, last, pictures)


def _classes(query: Element) -> frozenset[str]:
    """The classes that a mailbox query names, at whatever depth."""
    own = {child.text for child in query.children if child.tag == AirSync.Class}
    return frozenset(own).union(*(_classes(child) for child in query.children if child.tag in (Tag.And, Tag.Or)))


def _people(session: Session, query: Query) -> Element:
    pictures = query.pictures if session.version >= Version.V14_1 else None
    found = session.office.directory.search(session.who, query.text)
    page = found[query.first : min(query.last, gal.FULL_RANGE[1]) + 1]
    results = [Element(Tag.Result, (Element(Tag.Properties, gal.properties(session, person, pictures)),)) for person in page]
    span = [Element(Tag.Range, f"{query.first}-{query.first + len(page) - 1}")] if page else []
    past_the_end = query.last > gal.FULL_RANGE[1] or (bool(found) and not page)  # R3736, R4361
    status = StoreStatus.END_OF_RANGE if past_the_end else StoreStatus.SUCCESS
    return _answer(status, *results, *span, Element(Tag.Total, str(len(found))))


def _answer(status: StoreStatus, *more: Element) -> Element:
    store = Element(Tag.Store, (Element(Tag.Status, str(status.value)), *more))
    return Element(Tag.Search, (Element(Tag.Status, str(SearchStatus.SUCCESS.value)), Element(Tag.Response, (store,))))
