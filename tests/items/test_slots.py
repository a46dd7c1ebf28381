"""The vectors T1-T12 from a phone: patch, formats.load, records.put, and what the phone gets then (rules 22-45)."""

from __future__ import annotations

import pytest

from activesync_bridge.items import contacts, numbers
from activesync_bridge.items.patching import holds
from activesync_bridge.wbxml.codepages import Contacts
from radicale_onoffice import formats
from radicale_onoffice.core.model import Actor, Base, Contact, Entry, EntryKind, EntryType, Face, Identity, Kind, Slot
from tests.items.building import ALL, BERLIN, FLAVOUR, named, replaced

A, B, C = "0241 12345", "0241 67890", "0241 55555"
ANNA = Identity("t", "anna")
PHONE = Actor(identity=ANNA, face=Face.EAS, device="phone")
CRM = Actor(identity=ANNA, face=Face.CRM)
NUMBERS = {
    "HomePhoneNumber": Slot.HOME,
    "BusinessPhoneNumber": Slot.BUSINESS,
    "MobilePhoneNumber": Slot.MOBILE,
    "BusinessFaxNumber": Slot.BUSINESS_FAX,
    "Email1Address": Slot.EMAIL1,
    "Email2Address": Slot.EMAIL2,
}


class Phonebook:
    """A phone with one contact, and the CRM behind."""

    def __init__(self, office, *entries):
        self.office = office
        made = tuple(
            Entry(id=number, kind=slot.kind if slot else EntryKind.PHONE, value=value, slot=slot, default=default)
            for number, (value, slot, default) in enumerate(entries, 1)
        )
        self.record = office.records.write(CRM, Kind.CONTACTS, Contact(last_name="Berger", entries=made, sync_users=("anna",)))

    def shows(self):
        """The numbers on the phone."""
        items = named(contacts.dump(self.record.text, self.record.uid, FLAVOUR))
        return {NUMBERS[name]: text for name, text in items.items() if name in NUMBERS}

    def changes(self, *changes):
        """A Change with the whole item, as phones send it; returns whether the phone holds what is stored then."""
        before = self.record
        sent = replaced(contacts.dump(before.text, before.uid, FLAVOUR), *changes)
        text = contacts.patch(before.text, sent, FLAVOUR, ALL)
        base = Base(value=before.value, leftovers=before.leftovers, text=before.text)
        draft = formats.load(Kind.CONTACTS, text, base, zone=BERLIN, region="DE")
        self.record = self.office.records.put(PHONE, Kind.CONTACTS, draft, record_id=before.id, base=base)
        return holds(sent, contacts.dump(self.record.text, self.record.uid, FLAVOUR), ALL)

    def crm(self):
        """What the CRM has."""
        return [(entry.value, entry.slot, entry.default) for entry in self.record.value.entries]


def test_T1_a_changed_number_is_a_new_entry_and_the_old_one_stays(office):
    """Rules 27, 28."""
    phone = Phonebook(office, (A, Slot.HOME, False), (B, Slot.BUSINESS, True))
    assert phone.changes((Contacts.HomePhoneNumber, C))
    assert [(A, None, False), (B, Slot.BUSINESS, True), (C, Slot.HOME, False)] == phone.crm()
    assert {Slot.HOME: C, Slot.BUSINESS: B} == phone.shows()


def test_T2_a_deleted_number_only_loses_its_slot(office):
    """Rule 29; the phone needs no echo."""
    phone = Phonebook(office, (A, Slot.HOME, False), (B, Slot.BUSINESS, True))
    assert phone.changes((Contacts.HomePhoneNumber, None))
    assert [(A, None, False), (B, Slot.BUSINESS, True)] == phone.crm()
    assert {Slot.BUSINESS: B} == phone.shows()


def test_T3_the_only_number_comes_back_by_fallback(office):
    """Rules 30, 31; the phone must be told."""
    phone = Phonebook(office, (A, Slot.HOME, True))
    assert not phone.changes((Contacts.HomePhoneNumber, None))
    assert [(A, None, True)] == phone.crm()
    assert {Slot.HOME: A} == phone.shows()


def test_T4_after_deleting_all_the_default_is_offered(office):
    """Rule 31."""
    phone = Phonebook(office, (A, Slot.HOME, False), (B, Slot.BUSINESS, True))
    phone.changes((Contacts.HomePhoneNumber, None), (Contacts.BusinessPhoneNumber, None))
    assert [(A, None, False), (B, None, True)] == phone.crm()
    assert [B] == list(phone.shows().values())


def test_T5_editing_the_fallback_number_leaves_fallback(office):
    """Rule 35."""
    phone = Phonebook(office, (A, None, True), (B, None, False))
    assert {Slot.HOME: A} == phone.shows()
    phone.changes((Contacts.HomePhoneNumber, C))
    assert [(A, None, True), (B, None, False), (C, Slot.HOME, False)] == phone.crm()
    assert {Slot.HOME: C} == phone.shows()


def test_T6_a_slot_that_the_crm_moves_shows_on_the_phone(office):
    """Rule 24."""
    phone = Phonebook(office, (A, Slot.HOME, False), (B, None, False))
    moved = Contact(
        last_name="Berger",
        sync_users=("anna",),
        entries=(Entry(id=1, kind=EntryKind.PHONE, value=A), Entry(id=2, kind=EntryKind.PHONE, value=B, slot=Slot.HOME)),
    )
    phone.record = office.records.write(CRM, Kind.CONTACTS, moved, record_id=phone.record.id)
    assert {Slot.HOME: B} == phone.shows()


def test_T7_without_default_there_is_no_fallback(office):
    """Rule 32."""
    assert {} == Phonebook(office, (A, None, False), (B, None, False)).shows()


def test_T8_another_notation_is_no_change(office):
    """Rule 43: nothing is written, and the phone is told the CRM's notation."""
    phone = Phonebook(office, (A, Slot.HOME, False))
    version = phone.record.version
    assert not phone.changes((Contacts.HomePhoneNumber, "+4924112345"))
    assert version == phone.record.version
    assert {Slot.HOME: A} == phone.shows()


def test_T9_a_swap_moves_two_slots(office):
    """Rule 45."""
    phone = Phonebook(office, (A, Slot.HOME, False), (B, Slot.BUSINESS, False))
    assert phone.changes((Contacts.HomePhoneNumber, B), (Contacts.BusinessPhoneNumber, A))
    assert [(A, Slot.BUSINESS, False), (B, Slot.HOME, False)] == phone.crm()


def test_T9_a_swap_of_two_fields_of_one_kind_too(office):
    """Rules 45, 47: both are home numbers, so that only the slot in the line tells them apart."""
    phone = Phonebook(office, (A, Slot.HOME, False), (B, Slot.HOME2, False))
    phone.changes((Contacts.HomePhoneNumber, B), (Contacts.Home2PhoneNumber, A))
    assert [(A, Slot.HOME2, False), (B, Slot.HOME, False)] == phone.crm()


def test_T10_kinds_are_judged_separately(office):
    """Rule 30: deleting all phones leaves the fax alone."""
    phone = Phonebook(office, (A, Slot.HOME, False), (B, Slot.BUSINESS, True), ("0241 1", Slot.BUSINESS_FAX, True))
    phone.changes((Contacts.HomePhoneNumber, None), (Contacts.BusinessPhoneNumber, None))
    assert ("0241 1", Slot.BUSINESS_FAX, True) in phone.crm()
    assert {"0241 1", B} == set(phone.shows().values())


def test_T11_a_deleted_default_address_stays_the_default(office):
    """Rule 29 for e-mail: the second address stays in its slot, though it is the first line now."""
    phone = Phonebook(office, ("a@x.de", Slot.EMAIL1, True), ("b@x.de", Slot.EMAIL2, False))
    assert phone.changes((Contacts.Email1Address, None))
    assert [("a@x.de", None, True), ("b@x.de", Slot.EMAIL2, False)] == phone.crm()
    assert {Slot.EMAIL2: "b@x.de"} == phone.shows()


@pytest.mark.parametrize("kind_of_entry", list(EntryType))
def test_T12_the_type_does_not_touch_the_slot(office, kind_of_entry):
    """Rule 25."""
    entry = Entry(id=1, kind=EntryKind.PHONE, value=A, type=kind_of_entry, slot=Slot.BUSINESS)
    value = Contact(last_name="Berger", entries=(entry,), sync_users=("anna",))
    phone = Phonebook(office)
    phone.record = office.records.write(CRM, Kind.CONTACTS, value, record_id=phone.record.id)
    assert {Slot.BUSINESS: A} == phone.shows()


def test_rule_29_deleting_home_does_not_move_the_second_home_number(office):
    """HOME2 keeps its slot although its line is now the only HOME line."""
    phone = Phonebook(office, (A, Slot.HOME, False), (B, Slot.HOME2, False))
    phone.changes((Contacts.HomePhoneNumber, None))
    assert [(A, None, False), (B, Slot.HOME2, False)] == phone.crm()


def test_a_no_op_change_writes_nothing(office):
    """The version stays."""
    phone = Phonebook(office, (A, Slot.HOME, True), ("a@x.de", Slot.EMAIL1, True))
    version, text = phone.record.version, phone.record.text
    assert phone.changes()
    assert (version, text) == (phone.record.version, phone.record.text)


@pytest.mark.parametrize("tag", sorted(numbers.NUMBERS.tags))
def test_every_number_that_a_phone_adds_gets_its_slot_and_comes_back(office, tag):
    """Rule 34, U1: all fifteen fields."""
    slot = numbers.SLOTS[tag]
    phone = Phonebook(office)
    value = "x@example.org" if slot.kind is EntryKind.EMAIL else "0241 77777"
    assert phone.changes((tag, value))
    assert [(value, slot, True)] == phone.crm()
    assert phone.changes((tag, None)) is False  # the default number comes back by fallback (rule 31)


def test_a_number_of_nothing_but_a_scheme_or_control_characters_is_none(office):
    """Nothing to call, nothing to store."""
    phone = Phonebook(office, (A, Slot.HOME, False))
    phone.changes((Contacts.MobilePhoneNumber, "\x00\x07"), (Contacts.PagerNumber, "tel:"))
    assert [(A, Slot.HOME, False)] == phone.crm()
