"""Numbers and e-mail addresses of contacts: the slots of the core as elements (section 5 of the rules, U1).

The lines are told apart by ``formats.contacts``, what a change means is decided by ``core.slots`` (rules 22-45). Every line that is
written names its slot, so that nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from activesync_bridge.items.patching import Context, Elements, Row, drop, put, with_text
from activesync_bridge.wbxml.codepages import Contacts, Contacts2
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.model import Slot
from radicale_onoffice.core.slots import same_value
from radicale_onoffice.formats import contacts as cards
from radicale_onoffice.formats.lines import CONTROL, Component, Line, escape, with_param

SLOTS: Final[Mapping[int, Slot]] = {
    Contacts.AssistantPhoneNumber: Slot.ASSISTANT,
    Contacts.BusinessPhoneNumber: Slot.BUSINESS,
    Contacts.Business2PhoneNumber: Slot.BUSINESS2,
    Contacts.BusinessFaxNumber: Slot.BUSINESS_FAX,
    Contacts.CarPhoneNumber: Slot.CAR,
    Contacts.Email1Address: Slot.EMAIL1,
    Contacts.Email2Address: Slot.EMAIL2,
    Contacts.Email3Address: Slot.EMAIL3,
    Contacts.HomeFaxNumber: Slot.HOME_FAX,
    Contacts.HomePhoneNumber: Slot.HOME,
    Contacts.Home2PhoneNumber: Slot.HOME2,
    Contacts.MobilePhoneNumber: Slot.MOBILE,
    Contacts.PagerNumber: Slot.PAGER,
    Contacts.RadioPhoneNumber: Slot.RADIO,
    Contacts2.CompanyMainPhone: Slot.COMPANY_MAIN,
}


def _numbers(component: Component, context: Context) -> Elements:
    lines = cards.slot_lines(component, {}, context.flavour.region)
    return [Element(tag, cards.value_of(lines[slot])) for tag, slot in SLOTS.items() if slot in lines]


def _by_slot(elements: Elements) -> dict[Slot, str]:
    """What each slot holds; Outlook's ``"Name" <address>`` is the address."""
    found: dict[Slot, str] = {}
    for one in elements:
        slot, text = SLOTS[one.tag], CONTROL.sub("", one.text).strip().removeprefix("tel:").removeprefix("mailto:").strip()
        named = re.fullmatch(r'"?[^"<>]*"?\s*<([^<>@\s]+@[^<>\s]+)>', text)
        if named and slot.name.startswith("EMAIL"):
            text = named[1]
        if text:
            found[slot] = text
    return found


def _same_numbers(sent: Elements, had: Elements, context: Context) -> bool:
    """Rule 43: another notation of the same number is no change."""
    one, other = _by_slot(sent), _by_slot(had)
    return one.keys() == other.keys() and all(same_value(slot.kind, one[slot], other[slot], context.flavour.region) for slot in one)


def _write_numbers(component: Component, elements: Elements, context: Context) -> None:
    region = context.flavour.region
    lines, wanted = cards.slot_lines(component, {}, region), _by_slot(elements)
    had = {slot: cards.value_of(tel) for slot, tel in lines.items()}
    for slot, tel in lines.items():
        if slot not in wanted:
            drop(component, tel)
    meant: dict[Slot, Line] = {}
    for slot in [slot for slot in Slot if slot in wanted]:
        meant[slot] = _set(component, slot, wanted[slot], lines.get(slot), region)
    for view in (had, {}, had, {}):
        _pin(component, meant, view, region)


def _set(component: Component, slot: Slot, value: str, old: Line | None, region: str) -> Line:
    """The line that holds a slot's value: its old one as it was or with the new value, or a new one."""
    if old is None:
        cards.set_slot(component, slot, value, None)
        return cards.slot_lines(component, {}, region)[slot]
    if same_value(slot.kind, cards.value_of(old), value, region):
        return old
    is_uri = "URI" in {word.upper() for word in old.param("VALUE")}
    new = cards.slot_line(slot, value) if is_uri else with_text(old, old.name, escape(value), TYPE=cards.TYPES[slot])
    new = _told(new, slot.value)
    put(component, [old], [new])
    return new


def _told(tel: Line, word: str) -> Line:
    return tel if tel.param(cards.SLOT_PARAM) else with_param(tel, cards.SLOT_PARAM, word)


def _pin(component: Component, meant: dict[Slot, Line], view: Mapping[Slot, str], region: str) -> None:
    """Lines that would be taken for another slot than they fill name theirs; a number that fills none must not slip into a free one."""
    found = cards.slot_lines(component, view, region)
    owners = {id(tel): slot for slot, tel in meant.items()}
    astray = [tel for slot, tel in found.items() if meant.get(slot) is not tel]
    unseen = [tel for slot, tel in meant.items() if not any(tel is one for one in found.values())]
    for tel in (*astray, *unseen):
        slot = owners.get(id(tel))
        new = _told(tel, slot.value if slot else cards.NO_SLOT)
        put(component, [tel], [new])
        if slot:
            meant[slot] = new


NUMBERS: Final = Row(
    tags=tuple(SLOTS),
    names=frozenset({"TEL", "EMAIL"}),
    fields=("entries",),
    read=_numbers,
    write=_write_numbers,
    same=_same_numbers,
)
