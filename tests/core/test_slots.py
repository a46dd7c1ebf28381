"""Slots: vectors T1-T12 and rules 22-47."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radicale_onoffice.core import slots
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import Contact, Entry, EntryKind, EntryType, Slot
from radicale_onoffice.core.policy import Policy

A, B, C = "0241 12345", "0241 67890", "0241 55555"


def contact(*entries):
    """A contact of (value, slot, default) phones."""
    return Contact(
        last_name="Berger",
        entries=tuple(
            Entry(id=number, kind=slot.kind if slot else EntryKind.PHONE, value=value, slot=slot, default=default)
            for number, (value, slot, default) in enumerate(entries, 1)
        ),
    )


def edited(before, sent, policy=None):
    return slots.assign(before, before, sent, frozenset(Slot), region="DE", policy=policy or Policy())


def crm(after):
    return [(entry.value, entry.slot, entry.default) for entry in after.entries]


def export(after):
    return {slot: entry.value for slot, entry in slots.offered(after).items()}


def test_T1_a_changed_number_is_a_new_entry_and_the_old_one_stays():
    """Rules 27, 28: the new value takes the slot, the old entry keeps everything but the slot."""
    after = edited(contact((A, Slot.HOME, False), (B, Slot.BUSINESS, True)), {Slot.HOME: C, Slot.BUSINESS: B})
    assert crm(after) == [(A, None, False), (B, Slot.BUSINESS, True), (C, Slot.HOME, False)]
    assert export(after) == {Slot.HOME: C, Slot.BUSINESS: B}


def test_T2_a_deleted_number_only_loses_its_slot():
    """Rule 29."""
    after = edited(contact((A, Slot.HOME, False), (B, Slot.BUSINESS, True)), {Slot.BUSINESS: B})
    assert crm(after) == [(A, None, False), (B, Slot.BUSINESS, True)]
    assert export(after) == {Slot.BUSINESS: B}


def test_T3_the_only_number_comes_back_by_fallback():
    """Rules 30, 31."""
    after = edited(contact((A, Slot.HOME, True)), {})
    assert crm(after) == [(A, None, True)]
    assert export(after) == {Slot.HOME: A}


def test_T4_after_deleting_all_the_default_is_offered():
    """Rule 31."""
    after = edited(contact((A, Slot.HOME, False), (B, Slot.BUSINESS, True)), {})
    assert crm(after) == [(A, None, False), (B, None, True)]
    assert list(export(after).values()) == [B]


def test_T5_editing_the_fallback_number_leaves_fallback():
    """Rule 35: the default entry stays as it is, the new one takes the slot the client used."""
    before = contact((A, None, True), (B, None, False))
    after = edited(before, {Slot.HOME: C})
    assert crm(after) == [(A, None, True), (B, None, False), (C, Slot.HOME, False)]
    assert export(after) == {Slot.HOME: C}


def test_T6_a_slot_taken_twice_moves():
    """Rule 24."""
    after = slots.give_slot(contact((A, Slot.HOME, False), (B, None, False)), 2, Slot.HOME)
    assert crm(after) == [(A, None, False), (B, Slot.HOME, False)]


def test_T7_without_default_there_is_no_fallback():
    """Rule 32."""
    assert export(contact((A, None, False), (B, None, False))) == {}


def test_T8_another_notation_is_no_change():
    """Rule 43."""
    before = contact((A, Slot.HOME, False))
    assert before == edited(before, {Slot.HOME: "+4924112345"})


def test_T9_a_swap_moves_two_slots():
    """Rule 45."""
    after = edited(contact((A, Slot.HOME, False), (B, Slot.BUSINESS, False)), {Slot.HOME: B, Slot.BUSINESS: A})
    assert crm(after) == [(A, Slot.BUSINESS, False), (B, Slot.HOME, False)]


def test_T10_kinds_are_judged_separately():
    """Rule 30: deleting all phones leaves the fax alone."""
    before = contact((A, Slot.HOME, False), (B, Slot.BUSINESS, True), ("0241 1", Slot.BUSINESS_FAX, True))
    after = edited(before, {Slot.BUSINESS_FAX: "0241 1"})
    assert ("0241 1", Slot.BUSINESS_FAX, True) in crm(after)
    assert {"0241 1", B} == set(export(after).values())


def test_T11_a_deleted_default_address_stays_the_default():
    """Rule 29 for e-mail."""
    after = edited(contact(("a@x.de", Slot.EMAIL1, True), ("b@x.de", Slot.EMAIL2, False)), {Slot.EMAIL2: "b@x.de"})
    assert crm(after) == [("a@x.de", None, True), ("b@x.de", Slot.EMAIL2, False)]
    assert export(after) == {Slot.EMAIL2: "b@x.de"}


@pytest.mark.parametrize("kind_of_entry", list(EntryType))
def test_T12_the_type_does_not_touch_the_slot(kind_of_entry):
    """Rule 25."""
    entry = Entry(id=1, kind=EntryKind.PHONE, value=A, type=kind_of_entry, slot=Slot.BUSINESS)
    assert export(Contact(last_name="Berger", entries=(entry,))) == {Slot.BUSINESS: A}


def test_rule_26_only_entries_with_a_slot_are_exported():
    """Once one of the kind has a slot; the others stay in the CRM."""
    assert {Slot.HOME: A} == export(contact((A, Slot.HOME, False), (B, None, True), (C, None, False)))


def test_rule_33_the_fallback_is_never_stored():
    """A client that sends back what it was shown, or changes another field, leaves the default without a slot."""
    before = contact((A, None, True))
    assert before == edited(before, slots_of(before))
    fax = {**slots_of(before), Slot.BUSINESS_FAX: "0241 9"}
    assert (A, None, True) == crm(edited(before, fax))[0]


def slots_of(value):
    """What a client holds of the contact."""
    return {slot: entry.value for slot, entry in slots.offered(value).items()}


@pytest.mark.parametrize(
    ("type_", "company", "slot"),
    [
        (EntryType.MOBILE, "", Slot.MOBILE),
        (EntryType.BUSINESS, "", Slot.BUSINESS),
        (EntryType.PRIVATE, "Makler AG", Slot.HOME),
        (EntryType.PLAIN, "", Slot.HOME),
        (EntryType.PLAIN, "Makler AG", Slot.BUSINESS),
    ],
)
def test_u2_the_fallback_takes_the_slot_of_its_type(type_, company, slot):
    """Rule 32's open question; a plain number is a business one if there is a company and nobody's name."""
    entry = Entry(id=1, kind=EntryKind.PHONE, value=A, type=type_, default=True)
    assert {slot: A} == export(Contact(company=company, last_name="" if company else "Berger", entries=(entry,)))


@pytest.mark.parametrize(
    ("kind", "type_", "slot"),
    [
        (EntryKind.FAX, EntryType.PRIVATE, Slot.HOME_FAX),
        (EntryKind.FAX, EntryType.PLAIN, Slot.BUSINESS_FAX),
        (EntryKind.EMAIL, EntryType.PRIVATE, Slot.EMAIL1),
    ],
)
def test_u2_fax_and_email_have_a_fallback_slot_too(kind, type_, slot):
    """Phones, faxes and e-mails work alike (rule 22)."""
    assert {slot: "x"} == export(Contact(last_name="B", entries=(Entry(id=1, kind=kind, value="x", type=type_, default=True),)))


@pytest.mark.parametrize(("pins", "shown"), [(False, {Slot.MOBILE: C}), (True, {Slot.HOME: A, Slot.MOBILE: C})])
def test_u3_a_number_added_beside_the_fallback_ends_it_unless_it_is_pinned(pins, shown):
    """Rule 34: strict by default; the option keeps the default number on the device."""
    before = contact((A, None, True))
    assert shown == export(edited(before, {Slot.HOME: A, Slot.MOBILE: C}, Policy(fallback_pin_on_add=pins)))


def test_rule_44_a_number_that_the_contact_has_is_moved_not_added():
    """U5: switched off, every typed number is a new entry, as the help page says."""
    before = contact((A, Slot.HOME, True), (B, None, False))
    assert [(A, None, True), (B, Slot.HOME, False)] == crm(edited(before, {Slot.HOME: B}))
    twins = edited(before, {Slot.HOME: B}, Policy(reuse_existing_number=False))
    assert [(A, None, True), (B, None, False), (B, Slot.HOME, False)] == crm(twins)


def test_rule_40_what_the_device_did_not_change_keeps_what_the_crm_has_meanwhile():
    """Compared with what was last sent to the device, slot by slot."""
    sent = contact((A, Slot.HOME, True), (B, Slot.BUSINESS, False))
    now = replace(
        sent, entries=(*slots.give_slot(sent, 1, Slot.CAR).entries, Entry(id=3, kind=EntryKind.PHONE, value="0241 1", slot=Slot.HOME))
    )
    after = slots.assign(now, sent, {Slot.HOME: A, Slot.BUSINESS: C}, frozenset(Slot), region="DE", policy=Policy())
    assert {Slot.HOME: "0241 1", Slot.CAR: A, Slot.BUSINESS: C} == export(after)


def test_rule_41_fields_that_say_nothing_are_kept():
    """What a client does not carry it has not deleted."""
    before = contact((A, Slot.HOME, True), (B, Slot.BUSINESS, False))
    after = slots.assign(before, before, {Slot.HOME: C}, frozenset({Slot.HOME}), region="DE", policy=Policy())
    assert {Slot.HOME: C, Slot.BUSINESS: B} == export(after)


@pytest.mark.parametrize(("region", "is_same"), [("DE", True), ("AT", False)])
def test_u6_numbers_without_a_country_code_are_read_in_the_tenants_region(region, is_same):
    """Rule 43's comparison."""
    assert is_same == slots.same_value(EntryKind.PHONE, "0241 12345", "+49 241 12345", region)


def test_rule_24_a_slot_is_of_its_kind():
    """A fax cannot take a phone's slot in the CRM's pop-up."""
    with pytest.raises(BadRequest, match="kind"):
        slots.give_slot(contact((A, None, True)), 1, Slot.HOME_FAX)


@pytest.mark.parametrize("sent", [{Slot.HOME: C}, {}, {Slot.HOME: B}, {Slot.CAR: A, Slot.HOME: C}])
def test_rule_38_a_device_only_adds(sent):
    """Whatever it does, no entry of the CRM goes or gets another value, type, comment or default mark (rule 37)."""
    made = contact((A, Slot.HOME, True), (B, Slot.BUSINESS, False))
    before = replace(made, entries=tuple(replace(entry, type=EntryType.PRIVATE, comment=f"since {entry.id}") for entry in made.entries))
    after = edited(before, sent)
    assert [replace(entry, slot=None) for entry in before.entries] == [replace(entry, slot=None) for entry in after.entries[:2]]
