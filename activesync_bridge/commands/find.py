"""Find (16.1; [MS-ASCMD] 2.2.1.2): the address book again; a mailbox has nothing to find."""

from __future__ import annotations

from dataclasses import dataclass

from activesync_bridge.commands import gal
from activesync_bridge.session import Answer, Session
from activesync_bridge.status import Common, FindStatus, refusal
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import Find as Tag
from activesync_bridge.wbxml.codepages import ItemOperations
from activesync_bridge.wbxml.element import Element

GAL, MAILBOX = "GAL", "Mailbox"


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for, and where."""

    store: str
    text: str
    first: int
    last: int
    pictures: gal.Pictures | None


def handle(session: Session, body: Element | None) -> Answer:
    """Answer a Find."""
    if session.version < Version.V16_1:
        return refusal("Find", session.version, Common.VERSION_NOT_SUPPORTED)
    try:
        query = parse(body)
    except gal.Malformed:
        return Element(Tag.Find, (_status(FindStatus.INVALID_REQUEST),))
    if query.first != 0:
        return _answer(query, FindStatus.RANGE_NOT_FROM_ZERO)
    if query.store == MAILBOX:
        return _answer(query, FindStatus.SUCCESS, Element(Tag.Total, "0"))
    found = session.office.directory.search(session.who, query.text)
    page = found[: min(query.last, gal.FULL_RANGE[1]) + 1]
    results = [Element(Tag.Result, (Element(Tag.Properties, gal.properties(session, person, query.pictures)),)) for person in page]
    span = [Element(Tag.Range, f"0-{len(page) - 1}")] if page else []
    return _answer(query, FindStatus.SUCCESS, *results, *span, Element(Tag.Total, str(len(found))))


def parse(body: Element | None) -> Query:
    """The query of a request; raises Malformed."""
    search = body.first(Tag.ExecuteSearch) if body is not None and body.tag == Tag.Find else None
    if search is None or body is None or not body.text_of(Tag.SearchId):
        raise gal.Malformed
    people, mail = search.first(Tag.GalSearchCriterion), search.first(Tag.MailBoxSearchCriterion)
    criterion = people or mail
    query = criterion.first(Tag.Query) if criterion is not None else None
    if criterion is None or query is None or (people is not None and mail is not None):
        raise gal.Malformed
    options = criterion.first(Tag.Options) or Element(Tag.Options)
    span = options.first(Tag.Range)
    first, last = gal.parse_range(None if span is None else span.text)
    pictures = gal.parse_pictures(options.first(Tag.Picture), Tag.MaxSize, Tag.MaxPictures)
    return Query(GAL if people is not None else MAILBOX, query.text, first, last, pictures)


def _status(status: FindStatus) -> Element:
    return Element(Tag.Status, str(status.value))


def _answer(query: Query, status: FindStatus, *more: Element) -> Element:
    response = Element(Tag.Response, (Element(ItemOperations.Store, query.store), _status(status), *more))
    return Element(Tag.Find, (_status(FindStatus.SUCCESS), response))
