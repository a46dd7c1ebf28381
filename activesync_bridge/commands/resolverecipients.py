"""ResolveRecipients ([MS-ASCMD] 2.2.1.15): who is meant by a name, and, from 14.0 on, when a colleague has time.

Colleagues are found by the logins that are e-mail addresses, and everybody who is in the address book with one. There are no certificates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from activesync_bridge.commands import gal
from activesync_bridge.session import Answer, Session
from activesync_bridge.status import Common, ResolveRecipientsStatus
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import ResolveRecipients as Tag
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.directory import Person
from radicale_onoffice.core.model import User

MOST, MAX_TO = 100, 256  # recipients of one request (R5656); characters of one (R4611)
SUGGESTIONS = 19  # if the client does not say how many it wants
SHORTEST, USUAL, LONGEST = timedelta(minutes=30), timedelta(days=7), timedelta(days=42)  # R2265, R2266
COLLEAGUE, CONTACT = "1", "2"  # Type, R4686
NO_CERTIFICATES = "1"  # CertificateRetrieval, R856


@dataclass(frozen=True, slots=True)
class Query:
    """Whom a request is about and what it wants to know of them."""

    to: tuple[str, ...]
    suggestions: int
    certificates: bool
    span: tuple[datetime, datetime] | None  # of the free/busy data
    pictures: Element | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """One who may be meant."""

    type: str
    name: str
    email: str
    user: User | None = None
    person: Person | None = None


def handle(session: Session, body: Element | None) -> Answer:
    """Answer a ResolveRecipients."""
    try:
        query = parse(body, session.version)
        responses = [_response(session, query, to) for to in query.to]
    except gal.Malformed:
        return Element(Tag.ResolveRecipients, (_status(ResolveRecipientsStatus.PROTOCOL_ERROR),))
    return Element(Tag.ResolveRecipients, (_status(ResolveRecipientsStatus.SUCCESS), *responses))


# ------------------------------------------------------------------- parse


def parse(body: Element | None, version: Version) -> Query:
    """The request; raises Malformed."""
    if body is None or body.tag != Tag.ResolveRecipients:
        raise gal.Malformed
    to = tuple(element.text.strip() for element in body.all(Tag.To))
    if not 0 < len(to) <= MOST or not all(0 < len(one) <= MAX_TO for one in to):
        raise gal.Malformed
    options = body.first(Tag.Options) or Element(Tag.Options)
    wanted = options.text_of(Tag.MaxAmbiguousRecipients, str(SUGGESTIONS))
    if not gal.NUMBER.fullmatch(wanted):
        raise gal.Malformed
    availability = options.first(Tag.Availability)
    pictures = options.first(Tag.Picture) if version >= Version.V14_1 else None
    gal.parse_pictures(pictures, Tag.MaxSize, Tag.MaxPictures)
    return Query(
        to,
        int(wanted),
        options.text_of(Tag.CertificateRetrieval, NO_CERTIFICATES) != NO_CERTIFICATES,
        _span(availability) if availability is not None and version >= Version.V14_0 else None,
        pictures,
    )


def _span(element: Element) -> tuple[datetime, datetime]:
    """R3986, R2264-R2266."""
    start = _moment(element.text_of(Tag.StartTime))
    try:
        end = _moment(element.text_of(Tag.EndTime)) if element.first(Tag.EndTime) is not None else start + USUAL
    except OverflowError:
        raise gal.Malformed from None
    if not SHORTEST <= end - start <= LONGEST:
        raise gal.Malformed
    return start, end


def _moment(text: str) -> datetime:
    """A dateTime of [MS-ASDTYPE] 2.3, which is UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise gal.Malformed from None


# --------------------------------------------------------------------- act


def resolve(session: Session, to: str) -> Sequence[Recipient]:
    """Everybody who may be meant: those with exactly this address, else those whose name, address or company begins so."""
    directory = session.office.directory
    colleagues = [Recipient(COLLEAGUE, user.identity.user, email, user=user) for user, email in directory.colleagues(session.who, to)]
    exact = [one for one in colleagues if one.user is not None and to.casefold() in map(str.casefold, directory.addresses(one.user))]
    people = directory.with_email(session.who, to) if "@" in to else []
    if exact or people:
        return _merged(exact or [_contact(person, _as_stored(person, to)) for person in people])
    return _merged([*colleagues, *(_contact(person, person.emails[0]) for person in directory.search(session.who, to) if person.emails)])


def _as_stored(person: Person, address: str) -> str:
    """The address in the person's own spelling."""
    return next(email for email in person.emails if email.casefold() == address.strip().casefold())


def _contact(person: Person, email: str) -> Recipient:
    return Recipient(CONTACT, person.display_name, email, person=person)


def _merged(found: Sequence[Recipient]) -> Sequence[Recipient]:
    """The first of each address: a colleague who is in the address book, too, is one person."""
    by_email: dict[str, Recipient] = {}
    for one in found:
        by_email.setdefault(one.email.casefold(), one)
    return list(by_email.values())


# ------------------------------------------------------------------- build


def _response(session: Session, query: Query, to: str) -> Element:
    found = resolve(session, to)
    if not found:
        return _resolved(to, ResolveRecipientsStatus.NOT_RESOLVED, 0)
    if len(found) == 1:
        return _resolved(to, ResolveRecipientsStatus.SUCCESS, 1, _recipient(session, query, found[0]))
    shown = found[: query.suggestions]
    status = ResolveRecipientsStatus.AMBIGUOUS if len(shown) == len(found) else ResolveRecipientsStatus.AMBIGUOUS_PARTIAL
    # R4279, R4284, R4617: suggestions come without certificates and without free/busy data.
    pictures = _pictures(query)
    return _resolved(to, status, len(found), *(Element(Tag.Recipient, (*_head(one), *_picture(session, one, pictures))) for one in shown))


def _resolved(to: str, status: ResolveRecipientsStatus, count: int, *recipients: Element) -> Element:
    return Element(Tag.Response, (Element(Tag.To, to), _status(status), Element(Tag.RecipientCount, str(count)), *recipients))


def _recipient(session: Session, query: Query, one: Recipient) -> Element:
    parts = [*_head(one)]
    if query.span is not None:
        parts.append(_availability(session, query.span, one))
    if query.certificates:
        nothing = (Element(Tag.CertificateCount, "0"), Element(Tag.RecipientCount, "1"))
        parts.append(Element(Tag.Certificates, (_status(ResolveRecipientsStatus.NO_CERTIFICATE), *nothing)))
    return Element(Tag.Recipient, (*parts, *_picture(session, one, _pictures(query))))


def _head(one: Recipient) -> tuple[Element, ...]:
    return Element(Tag.Type, one.type), Element(Tag.DisplayName, one.name), Element(Tag.EmailAddress, one.email)


def _availability(session: Session, span: tuple[datetime, datetime], one: Recipient) -> Element:
    digits = session.office.directory.free_busy(session.who, one.user, *span) if one.user is not None else None
    if digits is None:  # R4298
        return Element(Tag.Availability, (_status(Common.AVAILABILITY_FAILURE),))
    return Element(Tag.Availability, (_status(Common.SUCCESS), Element(Tag.MergedFreeBusy, digits)))


def _pictures(query: Query) -> gal.Pictures | None:
    """R3290: the limit counts anew for each recipient that was asked for."""
    return gal.parse_pictures(query.pictures, Tag.MaxSize, Tag.MaxPictures)


def _picture(session: Session, one: Recipient, pictures: gal.Pictures | None) -> Sequence[Element]:
    if pictures is None:
        return ()
    picture = session.office.directory.picture(session.who, one.person) if one.person is not None and one.person.has_picture else None
    status = pictures.judge(picture)
    data = [Element(Tag.Data, picture)] if status is Common.SUCCESS and picture is not None else []
    return [Element(Tag.Picture, (_status(status), *data))]


def _status(status: int) -> Element:
    return Element(Tag.Status, str(int(status)))
