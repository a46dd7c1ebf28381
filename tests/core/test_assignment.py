"""The assignment table as a person fills it in: rules 22 to 26, and what two who do so at once get."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radicale_onoffice.core import assignment
from radicale_onoffice.core.errors import BadRequest, Conflict, NotFound, Refused
from radicale_onoffice.core.folders import reader
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
    Task,
    UserState,
)

ANNA = Identity("t", "anna")
PAGE = Actor(identity=ANNA, face=Face.CRM, device="page")
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
def who(office):
    with office.store.reading() as tx:
        return reader(tx, ANNA)


@pytest.fixture
def record(office):
    return office.records.write(PAGE, Kind.CONTACTS, CONTACT, uid="u", name="u.vcf")


def with_user(office, **changes):
    """The reader anna with something changed in the user record."""
    with office.store.reading() as tx:
        who = reader(tx, ANNA)
    return replace(who, user=replace(who.user, **changes))


def test_saving_writes_the_contact_once(office, who, record):
    """The version grows by one; the same table again writes nothing."""
    saved = office.assignments.save(PAGE, who, record.id, {3: Slot.HOME, 1: Slot.HOME}, expect=record.version)
    assert (True, ["0241 1"], record.version + 1) == (saved.is_changed, [one.value for one in saved.lost], saved.record.version)
    again = office.assignments.save(PAGE, who, record.id, {3: Slot.HOME, 1: None}, expect=saved.record.version)
    assert (False, saved.record.version) == (again.is_changed, again.record.version)


def test_who_saves_an_older_version_is_told_and_can_see_what_changed(office, who, record):
    """Nothing is written over."""
    office.assignments.save(PAGE, who, record.id, {3: Slot.MOBILE}, expect=record.version)
    with pytest.raises(Conflict):
        office.assignments.save(PAGE, who, record.id, {1: Slot.CAR}, expect=record.version)
    before, now = office.assignments.seen(who, record.id, record.version), office.assignments.contact(who, record.id).value
    assert (CONTACT, {3}) == (before, assignment.changed_since(before, now))
    assert office.assignments.seen(who, record.id, 99) is None


def test_who_may_not_change_contacts_can_look_at_them(office, record):
    """Rule 9; who may not even read them sees nothing."""
    looking = with_user(office, rights=frozenset({"contacts.read"}))
    assert record == office.assignments.contact(looking, record.id)
    assert not office.assignments.may_change(looking)
    with pytest.raises(Refused):
        office.assignments.save(PAGE, looking, record.id, {1: None}, expect=record.version)
    for nobody in (with_user(office, rights=frozenset()), with_user(office, state=UserState.DEACTIVATED)):
        with pytest.raises(Refused):
            office.assignments.contact(nobody, record.id)


def test_what_is_no_contact_is_not_found(office, who):
    """A task's id, or one that there is not."""
    task = office.records.write(PAGE, Kind.TASKS, Task(subject="x"), uid="t", name="t.ics")
    for record_id in (task.id, "nothing"):
        with pytest.raises(NotFound):
            office.assignments.contact(who, record_id)
