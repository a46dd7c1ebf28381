"""Contacts: [MS-ASCNTC] as a second syntax of the stored vCard.

What the slots mean is decided where it is for CardDAV: lines are patched here, read by ``formats.contacts`` and judged by ``core.slots``.
Every line that is written names its slot, so that nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Final

from activesync_bridge.items import Flavour, Ghosting, pictures
from activesync_bridge.items.body import body_row
from activesync_bridge.items.numbers import NUMBERS
from activesync_bridge.items.patching import (
    Context,
    Elements,
    Row,
    categories_row,
    dashed,
    drop,
    moment,
    nearest_day,
    put,
    text_element,
    text_row,
    text_sent,
    with_text,
)
from activesync_bridge.items.patching import dump as read_all
from activesync_bridge.items.patching import patch as write_changes
from activesync_bridge.wbxml.codepages import Contacts, Contacts2
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.contacts import display_name
from radicale_onoffice.core.model import Contact
from radicale_onoffice.formats import contacts as cards
from radicale_onoffice.formats.leftovers import line
from radicale_onoffice.formats.lines import Component, Line, decoded, escape, split, text_of
from radicale_onoffice.formats.lines import dump as text_from

UNMAPPED: Mapping[str, str] = {
    "salutation": "[MS-ASCNTC] has a title, and no form of address",
    "job_position": "[MS-ASCNTC] has one job title; ROLE stays as it is",
    "archived": "decides whether the contact is offered at all (U9)",
    "sync_users": "decides to whom the contact is offered (rule 17)",
}


def _parts(found: Line | None, length: int) -> list[str]:
    """The parts of a structured value, at least ``length``."""
    parts = [part.strip() for part in split(decoded(found), ";")] if found else []
    return parts + [""] * (length - len(parts))


def _joined(parts: Sequence[str]) -> str:
    return ";".join(escape(part) for part in parts)


# -------------------------------------------------------------------- names

NAMES: Final = {Contacts.LastName: 0, Contacts.FirstName: 1, Contacts.MiddleName: 2, Contacts.Title: 3, Contacts.Suffix: 4}  # parts of N
UNITS: Final = {Contacts.CompanyName: 0, Contacts.Department: 1, Contacts.OfficeLocation: 2}  # parts of ORG
FILE_AS: Final = "X-EVOLUTION-FILE-AS"


def _names(component: Component) -> list[str]:
    """The parts of N; a card with nothing but FN is a person of that last name (as for CardDAV), unless FN is its company or number."""
    parts = _parts(component.first("N"), 5)
    if not (parts[0] or parts[1]):
        shown, title = text_of(component.first("FN")), parts[3]
        others = {_parts(component.first("ORG"), 1)[0], "?", *(cards.value_of(tel) for tel in component.lines("TEL", "EMAIL"))}
        if shown and shown not in others:
            parts[0] = shown.removeprefix(f"{title} ") if title else shown
    return parts


def _structured(name: str, tags: Mapping[int, int], parts_of: Callable[[Component], list[str]], fields: tuple[str, ...]) -> Row:
    """A row whose elements are parts of one structured line; parts that no element means stay."""

    def read(component: Component, _: Context) -> Elements:
        parts = parts_of(component)
        return [Element(tag, parts[place]) for tag, place in tags.items() if parts[place]]

    def write(component: Component, elements: Elements, _: Context) -> None:
        parts, old = parts_of(component), component.first(name)
        told = {one.tag: one.text.strip() for one in elements}
        for tag, place in tags.items():
            parts[place] = told.get(tag, "")
        while parts and not parts[-1] and name != "N":
            parts.pop()
        put(component, [old] if old else [], [with_text(old, name, _joined(parts))] if any(parts) or name == "N" else [])

    names = frozenset({name, "FN"} if name == "N" else {name})
    return Row(tags=tuple(tags), names=names, fields=fields, read=read, write=write)


def _file_as(component: Component, _: Context) -> Elements:
    return text_element(Contacts.FileAs, text_of(component.first(FILE_AS) or component.first("FN")))


def _write_file_as(component: Component, elements: Elements, _: Context) -> None:
    old, text = component.first(FILE_AS), text_sent(elements)
    put(component, [old] if old else [], [with_text(old, FILE_AS, escape(text))] if text else [])


def _display(component: Component) -> str | None:
    """The name that the core would show, None for a card without names and company."""
    last, first, _, title, *_ = _names(component)
    company = _parts(component.first("ORG"), 1)[0]
    named = Contact(first_name=first, last_name=last, title=title, company=company)
    return display_name(named) if first or last or company else None


def _settle_names(component: Component, had: str | None, had_names: Line | None) -> None:
    """FN follows the names, unless they stayed; a filing string that is FN's is none of its own."""
    shown = component.first("FN")
    wanted = _display(component)
    if component.first("N") is not had_names and not any(_parts(component.first("N"), 2)[:2]):
        wanted = _parts(component.first("ORG"), 1)[0] or None  # the names were taken away: the FN of before is none of them
    if wanted != had:
        put(component, [shown] if shown else [], [with_text(shown, "FN", escape(wanted))] if wanted else [])
    filed = component.first(FILE_AS)
    if filed is not None and component.first("FN") is None and not component.lines("TEL", "EMAIL"):
        put(component, [filed], [line("FN", filed.value)])
    elif filed is not None and text_of(filed) == text_of(component.first("FN")):
        put(component, [filed], [])


# ---------------------------------------------------------------- addresses

STREET, CITY, STATE, ZIP, COUNTRY = 2, 3, 4, 5, 6  # parts of ADR (RFC 6350 6.3.1)
PLACES: Final[Mapping[str, Mapping[int, int]]] = {
    "WORK": {
        Contacts.BusinessAddressCity: CITY,
        Contacts.BusinessAddressCountry: COUNTRY,
        Contacts.BusinessAddressPostalCode: ZIP,
        Contacts.BusinessAddressState: STATE,
        Contacts.BusinessAddressStreet: STREET,
    },
    "HOME": {
        Contacts.HomeAddressCity: CITY,
        Contacts.HomeAddressCountry: COUNTRY,
        Contacts.HomeAddressPostalCode: ZIP,
        Contacts.HomeAddressState: STATE,
        Contacts.HomeAddressStreet: STREET,
    },
    "OTHER": {
        Contacts.OtherAddressCity: CITY,
        Contacts.OtherAddressCountry: COUNTRY,
        Contacts.OtherAddressPostalCode: ZIP,
        Contacts.OtherAddressState: STATE,
        Contacts.OtherAddressStreet: STREET,
    },
}


def _places(component: Component) -> dict[str, Line]:
    """Which ADR line stands for which address: by TYPE; the record's own goes first, and without a TYPE it is where the CRM puts it."""
    own = cards.own_address(component)
    found: dict[str, Line] = {}
    lines = component.lines("ADR")
    for adr in sorted(lines, key=lambda one: one is not own) if len(lines) > 1 else lines:
        place = next((word for word in PLACES if word in adr.types), _usual_place(component) if adr is own else "OTHER")
        place = place if place not in found else "OTHER"
        if place not in found:
            found[place] = adr
    return found


def _usual_place(component: Component) -> str:
    """U12: a company's address is at work, a person's at home."""
    return "WORK" if _parts(component.first("ORG"), 1)[0] else "HOME"


def _addresses(component: Component, context: Context) -> Elements:
    found = context.memo["places"] = _places(component)
    elements: list[Element] = []
    for place, tags in PLACES.items():
        if place in found:
            parts = _parts(found[place], 7)
            elements += [Element(tag, parts[part]) for tag, part in tags.items() if parts[part]]
    return elements


def _write_addresses(component: Component, elements: Elements, context: Context) -> None:
    found: Mapping[str, Line] = context.memo.get("places", {})
    told = {one.tag: one.text.strip() for one in elements}
    usual = _usual_place(component)
    for place in sorted(PLACES, key=lambda one: one != usual):  # a new card's first address is the record's own
        old = found.get(place)
        parts = _parts(old, 7)
        wanted = list(parts)
        for tag, part in PLACES[place].items():
            wanted[part] = told.get(tag, "")
        if wanted != parts:
            new = [with_text(old, "ADR", _joined(wanted), TYPE=place)] if any(wanted) else []
            put(component, [old] if old else [], new)


# ------------------------------------------------- people, messengers, days


def _related(component: Component, word: str) -> list[Line]:
    """The lines that name a related person: X-SPOUSE and its like, RELATED as text, Apple's labelled names."""
    labelled = {label.group for label in component.lines("X-ABLABEL") if word.lower() in text_of(label).lower()}
    return [
        *component.lines(f"X-{word}", f"X-EVOLUTION-{word}"),
        *(one for one in component.lines("RELATED") if word in one.types and "TEXT" in {kind.upper() for kind in one.param("VALUE")}),
        *(one for one in component.lines("X-ABRELATEDNAMES") if one.group and one.group in labelled),
    ]


def _related_names(word: str) -> frozenset[str]:
    return frozenset({f"X-{word}", f"X-EVOLUTION-{word}", "RELATED", "X-ABRELATEDNAMES"})


def _person_row(tag: int, word: str) -> Row:
    """A row for one related person."""

    def write(component: Component, elements: Elements, _: Context) -> None:
        found, text = _related(component, word), text_sent(elements)
        if text:
            put(component, found[:1], [with_text(found[0] if found else None, f"X-{word}", escape(text))])
        for one in () if text else found:
            drop(component, one)

    return Row(
        tags=(tag,),
        names=_related_names(word),
        read=lambda component, _: text_element(tag, text_of(next(iter(_related(component, word)), None))),
        write=write,
    )


def _children(component: Component, _: Context) -> Elements:
    names = [text for one in _related(component, "CHILD")[:300] if (text := text_of(one))]
    return (Element(Contacts.Children, tuple(Element(Contacts.Child, name) for name in names)),) if names else ()


def _write_children(component: Component, elements: Elements, _: Context) -> None:
    wanted = [text for one in elements for child in one.all(Contacts.Child) if (text := child.text.strip())]
    for old in _related(component, "CHILD"):
        if text_of(old) in wanted:
            wanted.remove(text_of(old))
        else:
            drop(component, old)
    put(component, [], [line("X-CHILD", escape(name)) for name in wanted])


MESSENGERS: Final = (Contacts2.IMAddress, Contacts2.IMAddress2, Contacts2.IMAddress3)
SCHEMES = re.compile(r"(?:im|xmpp|sip|sips|aim|icq|skype|msnim|ymsgr|gtalk|x-apple|facebook|irc|matrix|tel|mailto):", re.IGNORECASE)


def _messenger(found: Line) -> str:
    return SCHEMES.sub("", text_of(found), count=1) if SCHEMES.match(text_of(found)) else text_of(found)


def _write_messengers(component: Component, elements: Elements, _: Context) -> None:
    told = {one.tag: one.text.strip() for one in elements}
    old: list[Line | None] = [*component.lines("IMPP")[:3]]
    for tag, found in zip(MESSENGERS, [*old, None, None, None][:3], strict=True):
        text = told.get(tag, "")
        if found is None:
            put(component, [], [line("IMPP", escape(text if SCHEMES.match(text) else f"im:{text}"))] if text else [])
        elif not text:
            drop(component, found)
        elif text != _messenger(found):
            scheme = SCHEMES.match(text_of(found))
            value = f"{scheme[0]}{text}" if scheme and not SCHEMES.match(text) else text
            put(component, [found], [with_text(found, "IMPP", escape(value))])


NO_YEAR: Final = 1604  # what clients write for "no year": a leap year, so that it has a 29 February
DAY = re.compile(r"(\d{4}|--)-?(\d\d)-?(\d\d)(?:T.*)?")


def _day(found: Line | None) -> date | None:
    told = DAY.fullmatch(text_of(found))
    try:
        return date(NO_YEAR if told[1] == "--" else int(told[1]), int(told[2]), int(told[3])) if told else None
    except ValueError:
        return None


def _day_row(tag: int, *names: str, fields: tuple[str, ...] = ()) -> Row:
    """A row for a date without a time of day (R999); of several names the first that the card has is written."""

    def found(component: Component) -> Line | None:
        return next((one for name in names if (one := component.first(name)) is not None), None)

    def read(component: Component, _: Context) -> Elements:
        day = _day(found(component))
        return (Element(tag, dashed(day)),) if day else ()

    def write(component: Component, elements: Elements, _: Context) -> None:
        old = found(component)
        # A day that we could not read was not sent: leaving it out does not mean it.
        if not elements:
            put(component, [old] if old and _day(old) else [], [])
            return
        day, is_new = nearest_day(moment(text_sent(elements))), text_of(component.first("VERSION")) == "4.0"
        value = day.isoformat() if day.year != NO_YEAR else f"{day:--%m%d}" if is_new else f"{day:--%m-%d}"
        name = old.name if old else names[0] if is_new else names[-1]
        keeps_form = old is not None and "T" not in old.value.upper() and not old.param("X-APPLE-OMIT-YEAR")
        put(component, [old] if old else [], [with_text(old if keeps_form else None, name, value)])

    def same(sent: Elements, had: Elements, _: Context) -> bool:
        return [nearest_day(moment(one.text)) for one in sent] == [moment(one.text).date() for one in had]

    return Row(tags=(tag,), names=frozenset(names), fields=fields, read=read, write=write, same=same)


# ------------------------------------------------------------------ pictures


def _original(component: Component) -> bytes:
    """The bytes of the stored PHOTO, b"" for none and for one that is a link."""
    return cards.picture_of(component)[0] or b""


def _picture(component: Component, _: Context) -> Elements:
    data = _original(component)
    return text_element(Contacts.Picture, pictures.encoded(data) if data else "")


def _same_picture(sent: Elements, had: Elements, _: Context) -> bool:
    return text_sent(sent) == text_sent(had)


def _write_picture(component: Component, elements: Elements, _: Context) -> None:
    old, text = component.first("PHOTO"), text_sent(elements)
    if not text:
        put(component, [old] if old else [], [])
        return
    data, media = pictures.decoded(text)
    original = _original(component)
    if original and pictures.shows_the_same(original, data):
        return
    put(component, [old] if old else [], [cards.photo_line(component, data, media)])


# ----------------------------------------------------------------- the table

FIELDS: Final[tuple[Row, ...]] = (
    _structured("N", NAMES, _names, ("last_name", "first_name", "title")),
    _structured("ORG", UNITS, lambda component: _parts(component.first("ORG"), 3), ("company", "department")),
    Row(tags=(Contacts.FileAs,), names=frozenset({FILE_AS, "FN"}), read=_file_as, write=_write_file_as),
    text_row(Contacts.JobTitle, "TITLE", fields=("job_title",)),
    Row(
        tags=tuple(tag for tags in PLACES.values() for tag in tags),
        names=frozenset({"ADR"}),
        fields=("street", "zip_code", "city", "country"),
        read=_addresses,
        write=_write_addresses,
    ),
    NUMBERS,
    text_row(Contacts.WebPage, "URL", fields=("homepage",)),
    _day_row(Contacts.Birthday, "BDAY", fields=("birthday",)),
    _day_row(Contacts.Anniversary, "ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY", "X-ANNIVERSARY"),
    _person_row(Contacts.AssistantName, "ASSISTANT"),
    _person_row(Contacts.Spouse, "SPOUSE"),
    Row(tags=(Contacts.Children,), names=_related_names("CHILD"), read=_children, write=_write_children),
    text_row(Contacts.YomiFirstName, "X-PHONETIC-FIRST-NAME"),
    text_row(Contacts.YomiLastName, "X-PHONETIC-LAST-NAME"),
    text_row(Contacts.YomiCompanyName, "X-PHONETIC-ORG"),
    categories_row(Contacts.Categories, Contacts.Category),
    Row(
        tags=(Contacts.Picture,),
        names=frozenset({"PHOTO"}),
        fields=("picture", "picture_type"),
        keeps=True,
        guarded=True,
        read=_picture,
        write=_write_picture,
        same=_same_picture,
    ),
    text_row(Contacts2.CustomerId, "X-EAS-CUSTOMER-ID"),
    text_row(Contacts2.GovernmentId, "X-EAS-GOVERNMENT-ID"),
    Row(
        tags=MESSENGERS,
        names=frozenset({"IMPP"}),
        read=lambda component, _: [
            Element(tag, text) for tag, found in zip(MESSENGERS, component.lines("IMPP"), strict=False) if (text := _messenger(found))
        ],
        write=_write_messengers,
    ),
    _person_row(Contacts2.ManagerName, "MANAGER"),
    text_row(Contacts2.AccountName, "X-EAS-ACCOUNT-NAME"),
    text_row(Contacts2.NickName, "NICKNAME"),
    # A TEL without a slot would be taken for a home number by the next client that drops parameters.
    text_row(Contacts2.MMS, "X-EAS-MMS"),
    body_row("NOTE"),
)


def dump(text: str, uid: str, flavour: Flavour) -> tuple[Element, ...]:
    """The children of ApplicationData of a stored vCard."""
    return read_all(FIELDS, cards.card_of(text), Context(flavour=flavour, uid=uid))


def patch(text: str | None, data: Element, flavour: Flavour, ghosting: Ghosting, *, uid: str = "") -> str:
    """The vCard that says what the client wants of ``text`` (None: a new contact); raises BadRequest."""
    card = cards.card_of(text) if text is not None else _new_card(uid)
    had, shown, names = list(card.parts), _display(card), card.first("N")
    write_changes(FIELDS, card, data, Context(flavour=flavour, ghosting=ghosting, uid=uid))
    if text is not None and card.parts == had:
        return text
    _settle_names(card, shown, names)
    return text_from([card])


def _new_card(uid: str) -> Component:
    identity = [line("UID", escape(uid))] if uid else []
    return Component("VCARD", [line("VERSION", "3.0"), line("PRODID", "-//radicale-onoffice//EN"), *identity])
