"""Slots: vectors T1-T12 and rules 22-47."""

from __future__ import annotations

import pytest

from radicale_onoffice.core import slots
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
