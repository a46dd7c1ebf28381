"""vCard 3.0 and 4.0 (2.1 is understood): RFC 2426, RFC 6350; which fields a client sees is U12.

Numbers and addresses stand in the fields that their slots name (section 5 of the rules). Lines that we write carry the slot in
X-ONOFFICE-SLOT; a client that drops it is understood by TYPE, then by the value it last had there, then by order (rule 47).
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from radicale_onoffice.core import contacts as rules
from radicale_onoffice.core import slots
from radicale_onoffice.core.drafts import ContactDraft
from radicale_onoffice.core.errors import BadRequest, TooLarge
from radicale_onoffice.core.model import Base, Contact, EntryKind, Leftovers, Slot
from radicale_onoffice.formats import leftovers as patching
from radicale_onoffice.formats.leftovers import Context, Part, line
from radicale_onoffice.formats.lines import (
    Component,
    Line,
    build,
    decoded,
    dump,
    escape,
    parse,
    parse_line,
    split,
    text_of,
    unescape,
    unfold,
    with_param,
    with_value,
)

MAX_PICTURE = 8_000_000  # bytes
SLOT_PARAM = "X-ONOFFICE-SLOT"
NO_SLOT = "none"  # of a line that must not be taken for a slot, however it looks
LABELS: Mapping[Slot, str] = {Slot.RADIO: "Radio", Slot.ASSISTANT: "Assistant", Slot.COMPANY_MAIN: "Company main"}
TYPES: Mapping[Slot, str] = {
    Slot.BUSINESS: "WORK,VOICE",
    Slot.BUSINESS2: "WORK,VOICE",
    Slot.HOME: "HOME,VOICE",
    Slot.HOME2: "HOME,VOICE",
    Slot.MOBILE: "CELL",
    Slot.CAR: "CAR",
    Slot.PAGER: "PAGER",
    Slot.RADIO: "VOICE",
    Slot.ASSISTANT: "WORK,VOICE",
    Slot.COMPANY_MAIN: "WORK,VOICE",
    Slot.BUSINESS_FAX: "WORK,FAX",
    Slot.HOME_FAX: "HOME,FAX",
    Slot.EMAIL1: "INTERNET",
    Slot.EMAIL2: "INTERNET",
    Slot.EMAIL3: "INTERNET",
}
EMAILS = (Slot.EMAIL1, Slot.EMAIL2, Slot.EMAIL3)
# Label words (lower case) that clients show for slots without a TYPE of their own
LABEL_WORDS: Mapping[str, Slot] = {
    "radio": Slot.RADIO,
    "assist": Slot.ASSISTANT,
    "company main": Slot.COMPANY_MAIN,
    "zentrale": Slot.COMPANY_MAIN,
}

UNMAPPED: Mapping[str, str] = {
    "salutation": "onOffice makes letters from it; no vCard property means it (U12)",
    "archived": "decides whether the contact is offered at all (U9)",
    "sync_users": "decides to whom the contact is offered (rule 17)",
}


# ---------------------------------------------------------------- plain fields


def _structured(component: Component, name: str, length: int) -> list[str]:
    found = component.first(name)
    parts = [part.strip() for part in split(decoded(found), ";")] if found else []
    return (parts + [""] * length)[: max(length, len(parts))]


def _names(component: Component) -> tuple[str, str, str]:
    """First name, last name, title; a card with nothing but FN is a person of that last name, unless FN is the company."""
    last, first, _, title, _ = _structured(component, "N", 5)[:5]
    shown = text_of(component.first("FN"))
    if not (last or first) and shown and shown != _structured(component, "ORG", 1)[0]:
        return "", shown.removeprefix(f"{title} ") if title else shown, title
    return first, last, title


def _write_names(contact: Contact, component: Component, _: Context) -> Sequence[Line]:
    old = _structured(component, "N", 5)
    return [line("N", ";".join(escape(part) for part in (contact.last_name, contact.first_name, old[2], contact.title, old[4])))]


def _shown_name(component: Component, _: Context) -> str | None:
    """FN stands for the names beside it: as long as those agree with the record, a client may compose it as it likes."""
    if component.first("FN") is None:
        return None
    first, last, title = _names(component)
    company = _structured(component, "ORG", 1)[0]
    return (
        rules.display_name(Contact(first_name=first, last_name=last, title=title, company=company))
        if first or last or company
        else text_of(component.first("FN"))
    )


def _org(component: Component, _: Context) -> tuple[str, str]:
    company, department = _structured(component, "ORG", 2)[:2]
    return company, department


def _write_org(contact: Contact, component: Component, _: Context) -> Sequence[Line]:
    if not (contact.company or contact.department):
        return []
    more = _structured(component, "ORG", 2)[2:]
    units = [contact.company, contact.department, *more]
    while not units[-1]:
        units.pop()
    return [line("ORG", ";".join(escape(unit) for unit in units))]


ADDRESS = ("street", "zip_code", "city", "country")


def own_address(component: Component) -> Line | None:
    """The one ADR that is the record's: the preferred, else the first (others stay as they are)."""
    found = component.lines("ADR")
    marked = [adr for adr in found if adr.param(SLOT_PARAM) or "PREF" in adr.types or adr.param("PREF")]
    return next(iter(marked or found), None)


def _address(component: Component, _: Context) -> tuple[str, ...]:
    found = own_address(component)
    parts = [part.strip() for part in split(decoded(found), ";")] if found else []
    parts = (parts + [""] * 7)[:7]
    return parts[2], parts[5], parts[3], parts[6]


def _write_address(contact: Contact, component: Component, _: Context) -> Sequence[Line]:
    wanted = tuple(getattr(contact, name) for name in ADDRESS)
    found = own_address(component)
    if not any(wanted):
        return []
    old = (split(decoded(found), ";") + [""] * 7)[:7] if found else [""] * 7
    street, zip_code, city, country = wanted
    value = ";".join(escape(part) for part in (old[0], old[1], street, city, old[4], zip_code, country))
    if found and "QUOTED-PRINTABLE" not in found.raw.upper():
        return [with_value(found, value)]
    return [line("ADR", value, TYPE="WORK" if contact.company else "HOME")]


def _birthday(component: Component, _: Context) -> date | None:
    value = text_of(component.first("BDAY")).partition("T")[0].replace("-", "")
    try:
        return datetime.strptime(value, "%Y%m%d").date() if re.fullmatch(r"\d{8}", value) else None  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None


def _write_birthday(contact: Contact, component: Component, _: Context) -> Sequence[Line]:
    if contact.birthday is None:
        # A birthday without a year ("--0315") is nothing that onOffice holds: it stays as the client's own.
        return [old for old in component.lines("BDAY") if text_of(old).startswith("--")]
    return [line("BDAY", contact.birthday.isoformat())]


def picture_of(component: Component) -> tuple[bytes | None, str]:
    """Bytes and media subtype of an inline PHOTO; raises BadRequest, TooLarge."""
    found = component.first("PHOTO")
    if found is None:
        return None, ""
    inline = re.fullmatch(r"data:image/([\w.+-]+);base64,(.*)", unescape(found.value), re.DOTALL)
    media = inline[1] if inline else next(iter(found.param("TYPE")), "jpeg")
    encoding = next(iter(found.param("ENCODING")), "").upper()
    data = inline[2] if inline else found.value if encoding in ("B", "BASE64") else ""
    if len(data) > MAX_PICTURE * 4 // 3:
        raise TooLarge("The picture", len(data) * 3 // 4, MAX_PICTURE)
    try:
        return (b64decode(re.sub(r"\s", "", data), validate=True), media.lower().removeprefix("image/")) if data else (None, "")
    except binascii.Error:
        raise BadRequest("The picture (PHOTO) is not valid base64.") from None


def _write_picture(contact: Contact, component: Component, _: Context) -> Sequence[Line]:
    return [photo_line(component, contact.picture, contact.picture_type or "jpeg")] if contact.picture is not None else []


def photo_line(component: Component, picture: bytes, media: str) -> Line:
    """A canonical PHOTO in the form of the card's version."""
    data = b64encode(picture).decode()
    if text_of(component.first("VERSION")) == "4.0":
        return line("PHOTO", f"data:image/{media};base64,{data}")
    return line("PHOTO", data, ENCODING="b", TYPE=media.upper())


def _text(name: str, field: str) -> Part[Contact]:
    """A row for a plain text property."""
    return Part(
        fields=(field,),
        names=(name,),
        read=lambda component, _: text_of(component.first(name)),
        want=lambda contact, _: getattr(contact, field),
        write=lambda contact, component, _: (
            [line(name, escape(getattr(contact, field))), *component.lines(name)[1:]]
            if getattr(contact, field)
            else component.lines(name)[1:]
        ),
        patch=lambda contact, text: replace(contact, **{field: text}),
    )


FIELDS: tuple[Part[Contact], ...] = (
    Part(
        fields=("first_name", "last_name", "title"),
        names=("N",),
        read=lambda component, _: _names(component) if component.first("N") else None,
        want=lambda contact, _: (contact.first_name, contact.last_name, contact.title),
        write=_write_names,
        patch=lambda contact, names: replace(contact, first_name=names[0], last_name=names[1], title=names[2]) if names else contact,
    ),
    Part(
        fields=("company", "department"),
        names=("ORG",),
        read=_org,
        want=lambda contact, _: (contact.company, contact.department),
        write=_write_org,
        patch=lambda contact, org: replace(contact, company=org[0], department=org[1]),
    ),
    Part(
        fields=(),
        names=("FN",),
        read=_shown_name,
        want=lambda contact, _: rules.display_name(contact) if contact.first_name or contact.last_name or contact.company else None,
        write=lambda contact, _component, _context: [line("FN", escape(rules.display_name(contact)))],
    ),
    _text("TITLE", "job_title"),
    _text("ROLE", "job_position"),
    Part(
        fields=ADDRESS,
        names=("ADR",),
        picks=lambda component, adr: adr is own_address(component),
        read=_address,
        want=lambda contact, _: tuple(getattr(contact, name) for name in ADDRESS),
        write=_write_address,
        patch=lambda contact, parts: replace(contact, **dict(zip(ADDRESS, parts, strict=True))),
    ),
    _text("URL", "homepage"),
    Part(
        fields=("birthday",),
        names=("BDAY",),
        read=_birthday,
        want=lambda contact, _: contact.birthday,
        write=_write_birthday,
        patch=lambda contact, day: replace(contact, birthday=day),
    ),
    Part(
        fields=("picture", "picture_type"),
        names=("PHOTO",),
        read=lambda component, _: picture_of(component),
        want=lambda contact, _: (contact.picture, contact.picture_type),
        write=_write_picture,
        patch=lambda contact, picture: replace(contact, picture=picture[0], picture_type=picture[1]),
    ),
)
ENTRY_FIELDS = ("entries",)  # by slots, below


# --------------------------------------------------------------------- entries


def _label(component: Component, tel: Line) -> str:
    if not tel.group:
        return ""
    return next((text_of(label).casefold() for label in component.lines("X-ABLABEL") if label.group.casefold() == tel.group.casefold()), "")


def _candidates(component: Component, tel: Line) -> tuple[Slot, ...]:
    """Slots that a line can mean, the likeliest first, by its label and TYPE (table of section 5)."""
    if tel.name == "EMAIL":
        return EMAILS
    label, types = _label(component, tel), tel.types
    labelled = next((slot for word, slot in LABEL_WORDS.items() if word in label), None)
    if labelled:
        return (labelled,)
    if "FAX" in types:
        return (Slot.HOME_FAX,) if "HOME" in types else (Slot.BUSINESS_FAX, Slot.HOME_FAX)
    single = {"CELL": Slot.MOBILE, "IPHONE": Slot.MOBILE, "PAGER": Slot.PAGER, "CAR": Slot.CAR, "MAIN": Slot.COMPANY_MAIN}
    for word, slot in single.items():
        if word in types:
            return (slot,)
    if "WORK" in types:
        return (Slot.BUSINESS, Slot.BUSINESS2)
    return (Slot.HOME, Slot.HOME2) if "HOME" in types else (Slot.HOME, Slot.BUSINESS, Slot.HOME2, Slot.BUSINESS2)


def value_of(tel: Line) -> str:
    """The number or address of a TEL or EMAIL line."""
    return text_of(tel).removeprefix("tel:").removeprefix("mailto:").strip()


def slot_lines(component: Component, had: Mapping[Slot, str], region: str) -> dict[Slot, Line]:
    """Which line fills which slot: by the private parameter, then by the value that the client had in a slot of that type, then by order."""
    numbers = [tel for tel in component.lines("TEL", "EMAIL") if value_of(tel) and NO_SLOT not in tel.param(SLOT_PARAM)]
    numbers.sort(key=lambda tel: not ("PREF" in tel.types or tel.param("PREF")) if tel.name == "EMAIL" else False)
    found: dict[Slot, Line] = {}
    for tel in numbers:
        slot = _told_slot(tel)
        if slot is not None and slot not in found:
            found[slot] = tel
    open_lines = [tel for tel in numbers if not any(tel is taken for taken in found.values())]
    for tel in list(open_lines):
        same = (
            s
            for s in _candidates(component, tel)
            if s not in found and s in had and slots.same_value(s.kind, had[s], value_of(tel), region)
        )
        slot = next(same, None)
        if slot is not None:
            found[slot] = tel
            open_lines.remove(tel)
    for tel in open_lines:
        slot = next((slot for slot in _candidates(component, tel) if slot not in found), None)
        if slot is not None:
            found[slot] = tel
    return found


def _told_slot(tel: Line) -> Slot | None:
    told = next(iter(tel.param(SLOT_PARAM)), "")
    slot = Slot(told) if told in list(Slot) else None
    return slot if slot is not None and (slot.kind is EntryKind.EMAIL) == (tel.name == "EMAIL") else None


def slot_line(slot: Slot, value: str) -> Line:
    """A canonical line that names its slot."""
    name = "EMAIL" if slot.kind is EntryKind.EMAIL else "TEL"
    return line(name, escape(value), TYPE=TYPES[slot], **{SLOT_PARAM: slot.value})


def _apply_entries(contact: Contact, component: Component, context: Context) -> None:
    """Make TEL and EMAIL lines say what is offered: each slot's line keeps its parameters, only its value is set."""
    wanted = {slot: entry.value for slot, entry in slots.offered(contact).items()}
    lines = slot_lines(component, wanted, context.region)
    gone = [tel for slot, tel in lines.items() if slot not in wanted]
    labels = {tel.group.casefold() for tel in gone if tel.group}
    component.parts[:] = [
        part
        for part in component.parts
        if not any(part is tel for tel in gone)
        and not (isinstance(part, Line) and part.name == "X-ABLABEL" and part.group.casefold() in labels)
    ]
    for slot in Slot:
        if slot in wanted:
            set_slot(component, slot, wanted[slot], lines.get(slot))
    _mark_ambiguous(component, wanted, context.region)


def set_slot(component: Component, slot: Slot, value: str, old: Line | None) -> None:
    """Give a slot a value: in its old line, or in a new one, with a label where no TYPE tells the slot."""
    if old is None:
        new = slot_line(slot, value)
        label = LABELS.get(slot)
        group = f"slot{list(Slot).index(slot)}"
        added = [parse_line(f"{group}.{new.raw}"), parse_line(f"{group}.X-ABLabel:{label}")] if label else [new]
        last = max(
            (index for index, part in enumerate(component.parts) if part.name in ("TEL", "EMAIL", "X-ABLABEL")),
            default=len(component.parts) - 1,
        )
        component.parts[last + 1 : last + 1] = added
    elif text_of(old) != value:
        changed = slot_line(slot, value) if "QUOTED-PRINTABLE" in old.raw.upper() else with_value(old, escape(value))
        component.parts[_index(component, old)] = changed


def _mark_ambiguous(component: Component, wanted: Mapping[Slot, str], region: str) -> None:
    """Lines whose slot cannot be told without knowing the record get the private parameter."""
    told = slot_lines(component, {}, region)
    meant = slot_lines(component, wanted, region)
    for slot, tel in meant.items():
        if told.get(slot) is not tel:
            component.parts[_index(component, tel)] = with_param(tel, SLOT_PARAM, slot.value)


def _index(component: Component, part: Line) -> int:
    return next(index for index, other in enumerate(component.parts) if other is part)


# ------------------------------------------------------------- load and render


def card_of(text: str) -> Component:
    """The one vCard of a text; raises BadRequest."""
    found = parse(text)
    if len(found) != 1 or found[0].name != "VCARD":
        raise BadRequest("One vCard is expected: BEGIN:VCARD ... END:VCARD.")
    if text_of(found[0].first("KIND")).lower() == "group" or text_of(found[0].first("X-ADDRESSBOOKSERVER-KIND")).lower() == "group":
        raise BadRequest("Contact groups are kept by the client only; onOffice has no place for them.")
    return found[0]


def load(text: str, base: Base | None, context: Context) -> ContactDraft:
    """What a card asks for; raises BadRequest."""
    sent, had = card_of(text), card_of(base.text) if base and base.text else None
    value = base.value if base else Contact()
    assert isinstance(value, Contact)
    patched = patching.load(FIELDS, sent, had, value, context, context)
    if sent.first("N") is None and had is None:
        first, last, title = _names(sent)
        patched = replace(patched, first_name=first, last_name=last, title=title)
    offered = {slot: entry.value for slot, entry in slots.offered(value).items()}
    numbers = {slot: value_of(tel) for slot, tel in slot_lines(sent, offered, context.region).items()}
    if (base is None or _is_named(value) or offered) and not (_is_named(patched) or numbers):
        raise BadRequest("The card has neither a name nor a company nor a number; give it a name (FN or N).")
    return ContactDraft(value=patched, sent=numbers, leftovers=Leftovers(lines=tuple(unfold(text))))


def _is_named(contact: Contact) -> bool:
    return bool(contact.first_name or contact.last_name or contact.company)


def render(contact: Contact, kept: Leftovers, context: Context) -> str:
    """The card's text."""
    if kept.lines:
        (card,) = build(kept.lines)
    else:
        assert context.modified is not None
        card = Component("VCARD", [line("VERSION", "3.0"), line("PRODID", "-//radicale-onoffice//EN"), line("UID", context.uid)])
        card.parts.append(line("REV", f"{context.modified:%Y%m%dT%H%M%SZ}"))
    if text_of(card.first("UID")) != context.uid:
        card.parts[:] = [part for part in card.parts if part.name != "UID"]
        card.parts.insert(1, line("UID", escape(context.uid)))
    patching.apply(FIELDS, card, contact, context)
    if card.first("FN") is None:
        card.parts.append(line("FN", escape(rules.display_name(contact))))
    if card.first("N") is None and text_of(card.first("VERSION")) != "4.0":
        card.parts.append(line("N", ";;;;"))
    _apply_entries(contact, card, context)
    return dump([card])
