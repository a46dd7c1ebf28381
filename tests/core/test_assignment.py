"""The assignment table as a person fills it in: rules 22 to 26, and what two who do so at once get."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radicale_onoffice.core import assignment
from radicale_onoffice.core.errors import BadRequest, Conflict, Refused
from radicale_onoffice.core.model import (
    Actor,
    Contact,
    Entry,
    EntryKind,
    EntryType,
    Face,
    Identity,
    Kind,
    Slot,
)

ANNA = Identity("t", "anna")
CRM = Actor(identity=ANNA, face=Face.CRM)
A = Entry(id=1, kind=EntryKind.PHONE, value="0241 1", slot=Slot.HOME, type=EntryType.PRIVATE)
B = Entry(id=2, kind=EntryKind.PHONE, value="0241 2", slot=Slot.BUSINESS, default=True)
C = Entry(id=3, kind=EntryKind.PHONE, value="0241 3")
MAIL = Entry(id=4, kind=EntryKind.EMAIL, value="a@example.org", slot=Slot.EMAIL1)
CONTACT = Contact(first_name="Eva", last_name="Berg", entries=(A, B, C, MAIL), sync_users=("anna",))


def filled(**slots: Slot | None) -> tuple[dict[str, Slot | None], list[str]]:
    """Slots by value after the table was filled in for A, B and C, and whose wish was not met."""
    ids = {"a": 1, "b": 2, "c": 3}
    table = assignment.filled_in(CONTACT, {ids[name]: slot for name, slot in slots.items()})
    return {entry.value[-1]: entry.slot for entry in table.contact.entries[:3]}, [entry.value[-1] for entry in table.lost]


@pytest.mark.parametrize(
    ("slots", "after", "lost"),
    [
        ({"a": Slot.HOME, "b": Slot.BUSINESS, "c": None}, (Slot.HOME, Slot.BUSINESS, None), []),
        ({"a": Slot.HOME, "b": Slot.BUSINESS, "c": Slot.HOME}, (None, Slot.BUSINESS, Slot.HOME), ["1"]),
        ({"c": Slot.HOME}, (None, Slot.BUSINESS, Slot.HOME), []),
        ({"a": None, "b": Slot.BUSINESS, "c": Slot.HOME}, (None, Slot.BUSINESS, Slot.HOME), []),
        ({"a": Slot.BUSINESS, "b": Slot.HOME, "c": None}, (Slot.BUSINESS, Slot.HOME, None), []),
        ({"a": Slot.BUSINESS, "b": Slot.MOBILE, "c": Slot.HOME}, (Slot.BUSINESS, Slot.MOBILE, Slot.HOME), []),
        ({"a": Slot.HOME, "b": Slot.CAR, "c": Slot.CAR}, (Slot.HOME, None, Slot.CAR), ["2"]),
        ({"a": None, "b": None, "c": None}, (None, None, None), []),
    ],
    ids=["as it was", "taken from one who has it", "a part of the table", "freed first", "swap", "round", "two want one", "all off"],
)
def test_rule_24_a_slot_is_one_entrys_and_who_moved_last_has_it(slots, after, lost):
    """No error: what had it falls back to no assignment, and is named if it wanted to keep it."""
    assert (dict(zip("123", after, strict=True)), lost) == filled(**slots)


def test_rule_25_types_values_and_other_kinds_are_left_alone():
    """Only slots move."""
    table = assignment.filled_in(CONTACT, {1: Slot.BUSINESS, 4: Slot.EMAIL2})
    assert [replace(entry, slot=None) for entry in CONTACT.entries] == [replace(entry, slot=None) for entry in table.contact.entries]
    assert Slot.EMAIL2 is table.contact.entries[3].slot


@pytest.mark.parametrize("wanted", [{9: Slot.HOME}, {1: Slot.EMAIL1}, {4: Slot.HOME}, {1: Slot.HOME_FAX}])
def test_an_entry_that_there_is_not_and_a_slot_of_another_kind_are_refused(wanted):
    """What no form of ours sends."""
    with pytest.raises(BadRequest):
        assignment.filled_in(CONTACT, wanted)


@given(st.dictionaries(st.integers(1, 3), st.none() | st.sampled_from([slot for slot in Slot if slot.kind is EntryKind.PHONE])))
def test_however_it_is_filled_in_no_slot_is_there_twice_and_each_wish_is_met_or_named(wanted):
    """Rule 24 for any table."""
    table = assignment.filled_in(CONTACT, wanted)
    taken = [entry.slot for entry in table.contact.entries if entry.slot is not None]
    assert len(taken) == len(set(taken))
    met = {entry.id for entry in table.contact.entries if entry.id in wanted and entry.slot is wanted[entry.id]}
    assert wanted.keys() - met == {entry.id for entry in table.lost}


@pytest.mark.parametrize(("words", "slots"), [([("1", "home"), ("2", "")], {1: Slot.HOME, 2: None}), ([], {})])
def test_words_of_a_form_are_slots(words, slots):
    """An empty one is no assignment."""
    assert slots == assignment.parse_slots(words)


@pytest.mark.parametrize("word", [("x", "home"), ("-1", ""), ("1", "nose"), ("1" * 30, ""), ("²", ""), ("", "")])
def test_other_words_are_refused(word):
    """Neither a number nor a slot."""
    with pytest.raises(BadRequest):
        assignment.parse_slots([word])


# ------------------------------------------------------------------- saving


@pytest.fixture
def record(office):
    return office.records.write(CRM, Kind.CONTACTS, CONTACT, uid="u", name="u.vcf")


def allow(office, **changes) -> None:
    """Change something in anna's user record."""
    with office.store.writing() as tx:
        tx.save_user(replace(tx.user(ANNA), **changes))


@pytest.mark.crm("embedded", reason="onOffice numbers entries by their kind")
def test_saving_writes_the_contact_once(office, record):
    """The version grows by one; the same table again writes nothing."""
    saved = office.address_list.assign(ANNA, record.id, {3: Slot.HOME, 1: Slot.HOME}, expect=record.version)
    assert (["0241 1"], record.version + 1) == ([one.value for one in saved.lost], saved.card.version)
    again = office.address_list.assign(ANNA, record.id, {3: Slot.HOME, 1: None}, expect=saved.card.version)
    assert saved.card == again.card


@pytest.mark.crm("embedded", reason="onOffice numbers entries by their kind")
def test_who_saves_an_older_version_is_told_and_can_see_what_changed(office, record):
    """Nothing is written over; an entry that is gone meanwhile is a conflict, too, and no nonsense."""
    office.address_list.assign(ANNA, record.id, {3: Slot.MOBILE}, expect=record.version)
    for wanted in ({1: Slot.CAR}, {9: Slot.CAR}):
        with pytest.raises(Conflict):
            office.address_list.assign(ANNA, record.id, wanted, expect=record.version)
    before, now = office.address_list.seen(ANNA, record.id, record.version), office.address_list.card(ANNA, record.id).contact
    assert (CONTACT, {3}) == (before, assignment.changed_since(before, now))
    assert office.address_list.seen(ANNA, record.id, 99) is None


@pytest.mark.crm("embedded", reason="onOffice numbers entries by their kind")
def test_who_may_not_change_contacts_can_look_at_them(office, record):
    """Rule 9; who may not even read them sees nothing, and no earlier version either."""
    assert office.address_list.may_change(ANNA)
    allow(office, rights=frozenset({"contacts.read"}))
    assert (False, CONTACT) == (office.address_list.may_change(ANNA), office.address_list.card(ANNA, record.id).contact)
    with pytest.raises(Refused):
        office.address_list.assign(ANNA, record.id, {1: None}, expect=record.version)
    allow(office, rights=frozenset())
    with pytest.raises(Refused):
        office.address_list.seen(ANNA, record.id, record.version)
