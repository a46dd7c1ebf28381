"""The address book as clients search it: what Search, Find and ResolveRecipients have in common ([MS-ASCMD] 2.2.1.2, 2.2.1.15, 2.2.1.16)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from activesync_bridge.session import Session
from activesync_bridge.status import Common
from activesync_bridge.wbxml.codepages import Gal
from activesync_bridge.wbxml.element import Element, texts
from radicale_onoffice.core.directory import Person

MAX_PICTURE = 102_400  # bytes, R3309
MOST = 100  # entries of one answer (R3735)
RANGE = re.compile(r"([0-9]{1,3})-([0-9]{1,3})")
NUMBER = re.compile(r"[0-9]{1,9}")
FULL_RANGE = (0, MOST - 1)


class Malformed(Exception):
    """A parameter of a query that is none; each command has its status for it."""


@dataclass(slots=True)
class Pictures:
    """How many pictures of what size are wanted; counts what was given."""

    max_size: int = MAX_PICTURE
    most: int = MOST
    given: int = 0

    def judge(self, picture: bytes | None) -> Common:
        """The status of one picture (R3295-R3297)."""
        if picture is None:
            return Common.NO_PICTURE
        if len(picture) > self.max_size:
            return Common.PICTURE_TOO_LARGE
        if self.given >= self.most:
            return Common.PICTURE_LIMIT_REACHED
        self.given += 1
        return Common.SUCCESS


def parse_range(text: str | None) -> tuple[int, int]:
    """First and last index of "m-n", both inclusive; raises Malformed."""
    if text is None:
        return FULL_RANGE
    found = RANGE.fullmatch(text)
    if found is None or int(found[1]) > int(found[2]):
        raise Malformed
    return int(found[1]), int(found[2])


def parse_pictures(element: Element | None, max_size: int, most: int) -> Pictures | None:
    """What a Picture element asks for, None without one; ``max_size`` and ``most`` are the tags of its children. Raises Malformed."""
    if element is None:
        return None
    numbers = {tag: element.text_of(tag) for tag in (max_size, most) if element.first(tag) is not None}
    if not all(NUMBER.fullmatch(number) for number in numbers.values()):
        raise Malformed
    size = min(int(numbers.get(max_size, MAX_PICTURE)), MAX_PICTURE)
    return Pictures(size, int(numbers.get(most, MOST)))


def properties(session: Session, person: Person, pictures: Pictures | None) -> tuple[Element, ...]:
    """The entry's properties that are not empty (R417, R3848), in the order of the schema."""
    found = texts(
        (Gal.DisplayName, person.display_name),
        (Gal.Phone, person.business_phone),
        (Gal.Title, person.title),
        (Gal.Company, person.company),
        (Gal.Alias, alias(person)),
        (Gal.FirstName, person.first_name),
        (Gal.LastName, person.last_name),
        (Gal.HomePhone, person.home_phone),
        (Gal.MobilePhone, person.mobile_phone),
        (Gal.EmailAddress, next(iter(person.emails), "")),
    )
    return (*found, *_picture(session, person, pictures))


def alias(person: Person) -> str:
    """R5711 wants one with each entry: the mailbox's name, as directories have it."""
    return next(iter(person.emails), "").partition("@")[0] or person.display_name


def _picture(session: Session, person: Person, pictures: Pictures | None) -> Sequence[Element]:
    if pictures is None:
        return ()
    picture = session.office.directory.picture(session.who, person) if person.has_picture else None
    status = pictures.judge(picture)
    parts = [Element(Gal.Status, str(status.value))]
    if status is Common.SUCCESS and picture is not None:
        parts.append(Element(Gal.Data, picture))
    return [Element(Gal.Picture, tuple(parts))]
