"""T1-T12 of the rules through both faces, as a phone would do it: the CRM is looked at, and what the phone sees then is fetched.

The same tests run with a CardDAV client and with ActiveSync phones of the oldest and the newest version: identical rules.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from activesync_bridge.wbxml.codepages import Contacts
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core import slots
from radicale_onoffice.core.model import Actor, Contact, Entry, EntryKind, EntryType, Face, Identity, Kind, Slot
from tests.eas.phone import Phone, change, over

CRM = Actor(identity=Identity("t", "anna"), face=Face.CRM)
# kind: values A, B, C; the slots that stand for Home and Business
PHONE = ("0241 1001", "0241 1002", "0241 1003", Slot.HOME, Slot.BUSINESS)
FAX = ("0241 2001", "0241 2002", "0241 2003", Slot.HOME_FAX, Slot.BUSINESS_FAX)
EMAIL = ("a@example.org", "b@example.org", "c@example.org", Slot.EMAIL1, Slot.EMAIL2)
KINDS = {EntryKind.PHONE: PHONE, EntryKind.FAX: FAX, EntryKind.EMAIL: EMAIL}
PREFIXES = {EntryKind.PHONE: "TEL", EntryKind.FAX: "TEL", EntryKind.EMAIL: "EMAIL"}
FAX_TAGS = (Contacts.HomeFaxNumber, Contacts.BusinessFaxNumber)
EMAIL_TAGS = (Contacts.Email1Address, Contacts.Email2Address, Contacts.Email3Address)


class Device:
    """A device with one contact on it, and a look into the CRM behind."""

    def __init__(self, server, kind: EntryKind):
        self.office, self.server, self.kind = server.office, server, kind
        self.a, self.b, self.c, self.home, self.business = KINDS[kind]

    def start(self, *entries: tuple[str, Slot | None, bool]) -> None:
        made = tuple(
            Entry(id=number, kind=self.kind, value=value, slot=slot, default=default, type=EntryType.PRIVATE)
            for number, (value, slot, default) in enumerate(entries, 1)
        )
        value = Contact(first_name="Anna", last_name="Berger", entries=made, sync_users=("anna",))
        self.id = self.office.records.write(CRM, Kind.CONTACTS, value, uid="u", name="u.vcf").id

    def crm(self) -> dict[str, Slot | None]:
        return {entry.value: entry.slot for entry in self.office.records.get("t", self.id).value.entries}

    def defaults(self) -> list[str]:
        return [entry.value for entry in self.office.records.get("t", self.id).value.entries if entry.default]

    def shown(self) -> set[str]:
        """The values of the device's kind that it shows now."""
        return self.values(self.kind)


class CardDav(Device):
    """It knows slots only by the lines of the card, and sends the whole card back."""

    def looks(self) -> list[str]:
        answer = self.server.client().get("/anna/contacts/u.vcf")
        self.etag = answer.headers["etag"]
        return answer.text.split("\r\n")

    def values(self, kind: EntryKind) -> set[str]:
        lines = [line for line in self.looks() if line.startswith(PREFIXES[kind])]
        return {line.partition(":")[2] for line in lines if ("FAX" in line) == (kind is EntryKind.FAX)}

    def put(self, changes: dict[str, str | None]) -> None:
        """Send the card back with these values replaced, or deleted (None)."""
        lines = []
        for line in self.looks():
            head, _, value = line.partition(":")
            if value in changes:
                if changes[value] is None:
                    continue
                line = f"{head}:{changes[value]}"
            lines.append(line)
        answer = self.server.client().put("/anna/contacts/u.vcf", content="\r\n".join(lines), headers={"If-Match": self.etag})
        assert answer.status_code in (201, 204), answer.text


class ActiveSync(Device):
    """It knows slots by elements, and sends the whole item back without what was deleted (no Supported: omitted is deleted)."""

    version = "16.1"

    def __init__(self, server, kind: EntryKind):
        super().__init__(server, kind)
        self.phone = Phone(over(server.client(None)), version=self.version)
        self.phone.folder_sync()

    def looks(self) -> list[Element]:
        self.phone.sync("contacts")
        return list(self.phone.of("contacts").items[self.id].children)

    def values(self, kind: EntryKind) -> set[str]:
        tags = {EntryKind.FAX: FAX_TAGS, EntryKind.EMAIL: EMAIL_TAGS}
        numbers = [one for one in self.looks() if one.name.endswith("Number")]
        found = [one for one in numbers if one.tag not in FAX_TAGS] if kind is EntryKind.PHONE else self.looks()
        return {one.text for one in found if kind is EntryKind.PHONE or one.tag in tags[kind]}

    def put(self, changes: dict[str, str | None]) -> None:
        sent = [
            Element(one.tag, changes[one.text]) if one.text in changes else one  # type: ignore[arg-type]
            for one in self.looks()
            if changes.get(one.text, "") is not None
        ]
        assert [] == self.phone.sync("contacts", change(self.id, *sent))


class OldActiveSync(ActiveSync):
    """The oldest version that is spoken."""

    version = "12.1"


DEVICES = (CardDav, OldActiveSync, ActiveSync)


@pytest.fixture(params=[(face, kind) for face in DEVICES for kind in KINDS], ids=lambda one: f"{one[0].__name__}-{one[1]}")
def phone(request, server):
    face, kind = request.param
    return face(server, kind)


@pytest.fixture(params=DEVICES)
def with_phones(request, server):
    return request.param(server, EntryKind.PHONE)


def test_t1_a_changed_number_is_a_new_entry(phone):
    """Rules 27, 28: the old one stays in the CRM without slot."""
    phone.start((phone.a, phone.home, False), (phone.b, phone.business, True))
    phone.put({phone.a: phone.c})
    assert {phone.a: None, phone.b: phone.business, phone.c: phone.home} == phone.crm()
    assert ({phone.c, phone.b}, [phone.b]) == (phone.shown(), phone.defaults())


def test_t2_a_deleted_number_loses_its_slot_only(phone):
    """Rule 29."""
    phone.start((phone.a, phone.home, False), (phone.b, phone.business, True))
    phone.put({phone.a: None})
    assert {phone.a: None, phone.b: phone.business} == phone.crm()
    assert {phone.b} == phone.shown()


def test_t3_the_only_number_comes_back(phone):
    """Rule 31: the fallback shows the default again."""
    phone.start((phone.a, phone.home, True))
    phone.put({phone.a: None})
    assert ({phone.a: None}, {phone.a}) == (phone.crm(), phone.shown())


def test_t4_both_deleted_shows_the_default(phone):
    """Rules 30, 31."""
    phone.start((phone.a, phone.home, False), (phone.b, phone.business, True))
    phone.put({phone.a: None, phone.b: None})
    assert ({phone.a: None, phone.b: None}, {phone.b}) == (phone.crm(), phone.shown())


def test_t5_a_changed_fallback_is_a_new_entry(phone):
    """Rule 35: the default keeps its mark and is not shown any more."""
    phone.start((phone.a, None, True), (phone.b, None, False))
    assert {phone.a} == phone.shown()
    phone.put({phone.a: phone.c})
    crm = phone.crm()
    assert (None, None) == (crm[phone.a], crm[phone.b])
    assert crm[phone.c] is not None
    assert ({phone.c}, [phone.a]) == (phone.shown(), phone.defaults())


def test_t6_a_slot_given_in_the_crm_moves(phone):
    """Rule 24."""
    phone.start((phone.a, phone.home, False), (phone.b, None, False))
    record = phone.office.records.get("t", phone.id)
    phone.office.records.write(CRM, Kind.CONTACTS, slots.give_slot(record.value, 2, phone.home), record_id=phone.id)
    assert ({phone.a: None, phone.b: phone.home}, {phone.b}) == (phone.crm(), phone.shown())


def test_t7_without_slot_and_default_nothing_is_shown(phone):
    """Rule 32."""
    phone.start((phone.a, None, False), (phone.b, None, False))
    assert set() == phone.shown()


def test_t8_another_notation_is_no_change(phone):
    """Rule 43: the CRM's own notation is what everybody goes on seeing."""
    phone.start((phone.a, phone.home, True))
    other = phone.a.upper() if phone.kind is EntryKind.EMAIL else "+49" + phone.a.replace(" ", "")[1:]
    phone.put({phone.a: other})
    assert ({phone.a: phone.home}, 1) == (phone.crm(), phone.office.records.get("t", phone.id).value.entries[0].id)
    assert {phone.a} == phone.shown()


def test_t9_a_swap_moves_two_slots(phone):
    """Rule 45: no new entries."""
    phone.start((phone.a, phone.home, True), (phone.b, phone.business, False))
    phone.put({phone.a: phone.b, phone.b: phone.a})
    assert {phone.a: phone.business, phone.b: phone.home} == phone.crm()


def test_t10_each_kind_is_judged_separately(with_phones):
    """Deleting all phones leaves the fax untouched."""
    phone = with_phones
    phone.start((phone.a, phone.home, False), (phone.b, phone.business, True))
    record = phone.office.records.get("t", phone.id)
    fax = Entry(id=9, kind=EntryKind.FAX, value="0241 9", slot=Slot.BUSINESS_FAX, default=True)
    phone.office.records.write(CRM, Kind.CONTACTS, replace(record.value, entries=(*record.value.entries, fax)), record_id=phone.id)
    phone.put({phone.a: None, phone.b: None})
    assert {phone.a: None, phone.b: None, "0241 9": Slot.BUSINESS_FAX} == phone.crm()
    assert {"0241 9"} == phone.values(EntryKind.FAX)


def test_t11_an_address_deleted_of_two_leaves_the_other(phone):
    """The default without slot is no fallback while another one has a slot."""
    phone.start((phone.a, phone.home, True), (phone.b, phone.business, False))
    phone.put({phone.a: None})
    assert ({phone.a: None, phone.b: phone.business}, {phone.b}) == (phone.crm(), phone.shown())


def test_t12_type_and_slot_are_independent(phone):
    """Rule 25: a changed type changes nothing for the phone."""
    phone.start((phone.a, phone.business, True))
    before = phone.looks()
    value = phone.office.records.get("t", phone.id).value
    entry = replace(value.entries[0], type=EntryType.BUSINESS)
    phone.office.records.write(CRM, Kind.CONTACTS, replace(value, entries=(entry,)), record_id=phone.id)
    assert ({phone.a: phone.business}, before) == (phone.crm(), phone.looks())


def test_rule_34_a_number_added_in_an_empty_slot_is_a_new_entry(server):
    """U4: its type follows from the slot, rule 36: a mobile number is one wherever it is typed."""
    phone = CardDav(server, EntryKind.PHONE)
    phone.start((phone.a, phone.home, True))
    card = "\r\n".join(phone.looks()).replace(
        "END:VCARD", "TEL;TYPE=WORK,VOICE:0241 7\r\nTEL;TYPE=WORK,FAX:0241 8\r\nTEL;TYPE=PAGER:0171 2345678\r\nEND:VCARD"
    )
    assert 204 == server.client().put("/anna/contacts/u.vcf", content=card).status_code
    assert (EntryType.BUSINESS, EntryType.BUSINESS, EntryType.MOBILE) == new_types(phone)


def test_rule_34_the_same_from_activesync(server):
    """The fields are named there, the types follow from them likewise."""
    phone = ActiveSync(server, EntryKind.PHONE)
    phone.start((phone.a, phone.home, True))
    typed = ((Contacts.BusinessPhoneNumber, "0241 7"), (Contacts.BusinessFaxNumber, "0241 8"), (Contacts.PagerNumber, "0171 2345678"))
    assert [] == phone.phone.sync("contacts", change(phone.id, *phone.looks(), *(Element(tag, value) for tag, value in typed)))
    assert (EntryType.BUSINESS, EntryType.BUSINESS, EntryType.MOBILE) == new_types(phone)


def new_types(phone: Device) -> tuple[EntryType, ...]:
    types = {entry.slot: entry.type for entry in phone.office.records.get("t", phone.id).value.entries}
    return types[Slot.BUSINESS], types[Slot.BUSINESS_FAX], types[Slot.PAGER]
