"""Addresses both ways: the notation of numbers, slots that onOffice does not know, and what a change sends."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radicale_onoffice.core.errors import Refused
from radicale_onoffice.core.model import Contact, Entry, EntryKind, EntryType, Kind, Slot
from radicale_onoffice.crm.onoffice import contacts
from radicale_onoffice.crm.onoffice.protocol import Verb
from tests.crm.accounts import ACCOUNT, days, row, texts

PHONE, FAX, EMAIL = EntryKind.PHONE, EntryKind.FAX, EntryKind.EMAIL
# As an account with the documented notation answers
ADA = {
    "id": 8811,
    "Anrede": "Frau",
    "Vorname": "Ada",
    "Name": "Beispiel",
    "Zusatz1": "Beispiel & Co",
    "Geburtsdatum": "1985-12-10",
    "Status": "1",
    "Status2Adr": "status2adr_active",
    "phone__501": "+49 241 900100",
    "phone__501__Comment": "Zentrale",
    "phonebusiness__502": "+49 241 900101",
    "phoneprivate__503": "+49 241 77889",
    "mobile__504": "+49 171 5550001",
    "fax__505": "+49 241 900199",
    "email__506": "ada@example.org",
    "emailbusiness__507": "office@example.org",
    "Telefon1": "+49 241 900101",
    "Telefax1": "",
    "Email": "ada@example.org",
    "Aenderung": "2026-03-01 10:00:00",
    contacts.SYNC: ("42",),
}


def test_an_address_is_read():
    """Types are in the keys, the main entry in a plain field, the flag in a relation."""
    assert contacts.load(row(ADA), ACCOUNT) == Contact(
        salutation="Frau",
        first_name="Ada",
        last_name="Beispiel",
        company="Beispiel & Co",
        birthday=date(1985, 12, 10),
        entries=(
            Entry(id=501, kind=PHONE, value="+49 241 900100", comment="Zentrale"),
            Entry(id=502, kind=PHONE, value="+49 241 900101", type=EntryType.BUSINESS, default=True),
            Entry(id=503, kind=PHONE, value="+49 241 77889", type=EntryType.PRIVATE),
            Entry(id=504, kind=PHONE, value="+49 171 5550001", type=EntryType.MOBILE),
            Entry(id=505, kind=FAX, value="+49 241 900199"),
            Entry(id=506, kind=EMAIL, value="ada@example.org", default=True),
            Entry(id=507, kind=EMAIL, value="office@example.org", type=EntryType.BUSINESS),
        ),
        sync_users=("anna",),
    )


@pytest.mark.parametrize(
    ("key", "kind", "type_"),
    [
        ("phone__5", PHONE, EntryType.PLAIN),
        ("phonebusiness__5", PHONE, EntryType.BUSINESS),  # the documented pattern
        ("phone_business__5", PHONE, EntryType.BUSINESS),
        ("phone_private", PHONE, EntryType.PRIVATE),  # without an id, as in a fixture of onOffice's own
        ("mobile__5", PHONE, EntryType.MOBILE),
        ("faxprivate__5", FAX, EntryType.PRIVATE),
        ("email_business__5", EMAIL, EntryType.BUSINESS),
    ],
)
def test_an_entry_is_read_in_each_notation(key, kind, type_):
    """With and without underscore, with and without id."""
    (entry,) = contacts.load(row({key: " 0241 1 "}), ACCOUNT).entries
    assert (kind, type_, "0241 1") == (entry.kind, entry.type, entry.value)
    assert entry.id == (5 if "__5" in key else 1)


@pytest.mark.parametrize(
    "told",
    [
        {"Telefon1": "0241 2"},
        {"defaultphone__6": "0241 2"},
        {"defaultphone": "0241 2"},
        {"default_phone__6": "0241 2"},
        {"defaultphone__6": "0241 2", "Telefon1": "0241 2"},
    ],
)
def test_the_default_entry_is_found_however_it_is_told(told):
    """By a plain field, or by a key of its own, whose notation is not documented."""
    entries = contacts.load(row({"phone__5": "0241 1", "phone__6": "0241 2", **told}), ACCOUNT).entries
    assert [False, True] == [entry.default for entry in entries]


def test_a_main_number_that_no_entry_has_is_not_lost():
    """Some accounts are said to show no other entries at all."""
    (entry,) = contacts.load(row({"Telefon1": "0241 1"}), ACCOUNT).entries
    assert Entry(id=1, kind=PHONE, value="0241 1", default=True) == entry


def test_an_archived_address_is_known_by_either_status():
    """``Status2Adr`` is the one that can be written; ``Status`` stands alone in older accounts."""
    archived = [{"Status": "0"}, {"Status2Adr": "status2adr_archive"}, {"Status": "1", "Status2Adr": "status2adr_archive"}, {"Status": "1"}]
    assert [True, True, True, False] == [contacts.load(row(one), ACCOUNT).archived for one in archived]


def test_what_the_account_does_not_answer_stays_as_it_was():
    """A field that it does not have lives in our store; so do slots and the picture."""
    entry = Entry(id=501, kind=PHONE, value="0241 1", slot=Slot.HOME)
    before = Contact(job_title="Ärztin", picture=b"\xff\xd8", picture_type="jpeg", entries=(entry,), sync_users=("bert",))
    read = contacts.load(row({"Name": "Neu", "phone__501": "0241 1"}), ACCOUNT, before)
    assert replace(before, last_name="Neu") == read


# --------------------------------------------------------------------- slots


def test_an_entry_edited_in_the_crm_keeps_its_slot():
    """Rule 39: known by its id."""
    before = (Entry(id=501, kind=PHONE, value="0241 1", slot=Slot.HOME),)
    assert (Entry(id=501, kind=PHONE, value="0241 2", slot=Slot.HOME),) == contacts.adopt(
        before, [Entry(id=501, kind=PHONE, value="0241 2")]
    )


def test_an_entry_that_comes_under_another_id_keeps_slot_and_id():
    """Known by its value: whether onOffice's ids are stable is not documented, and devices know ours."""
    before = (Entry(id=1, kind=PHONE, value="0241 1", slot=Slot.HOME), Entry(id=2, kind=PHONE, value="0241 2"))
    read = [Entry(id=1, kind=PHONE, value="0241 2"), Entry(id=2, kind=PHONE, value="0241 1")]
    assert ((2, None), (1, Slot.HOME)) == tuple((entry.id, entry.slot) for entry in contacts.adopt(before, read))


def test_an_entry_that_onoffice_wrote_its_own_way_keeps_its_slot():
    """Under another id, too: it is the same number; one that was edited is known by its id."""
    before = (Entry(id=1, kind=PHONE, value="0241 1", slot=Slot.HOME), Entry(id=2, kind=PHONE, value="0241 2", slot=Slot.BUSINESS))
    read = [Entry(id=2, kind=PHONE, value="0241 3"), Entry(id=7, kind=PHONE, value="+49 241 1")]
    assert [(2, Slot.BUSINESS), (7, Slot.HOME)] == [(one.id, one.slot) for one in contacts.adopt(before, read, frozenset({1}))]


def test_an_entry_made_by_a_device_takes_onoffices_id():
    """So that an edit in the CRM will be known for one."""
    before = (Entry(id=501, kind=PHONE, value="0241 1"), Entry(id=502, kind=PHONE, value="0241 2", slot=Slot.HOME))
    read = [Entry(id=501, kind=PHONE, value="0241 1"), Entry(id=933, kind=PHONE, value="0241 2", type=EntryType.PRIVATE)]
    assert [(501, None), (933, Slot.HOME)] == [(one.id, one.slot) for one in contacts.adopt(before, read, frozenset({502}))]


def test_ids_are_unique_within_a_contact():
    """Even if numbers and e-mails were counted apart; the second reading agrees with the first."""
    read = [Entry(id=5, kind=PHONE, value="0241 1"), Entry(id=5, kind=EMAIL, value="a@example.org")]
    first = contacts.adopt((), read)
    assert (5, 6) == tuple(entry.id for entry in first)
    assert first == contacts.adopt(first, read)


@given(
    st.lists(st.tuples(st.sampled_from(EntryKind), st.integers(0, 4), st.sampled_from("abc"), st.sampled_from([None, *Slot])), max_size=5)
)
def test_reading_again_changes_nothing(made):
    """Whatever ids and values there are: what was adopted once is adopted as it is, with each id once."""
    read = [Entry(id=number, kind=kind, value=value) for kind, number, value, _ in made]
    first = contacts.adopt((), read)
    with_slots = tuple(replace(entry, slot=slot) for entry, (_, _, _, slot) in zip(first, made, strict=True))
    again = contacts.adopt(with_slots, read)
    assert sorted(with_slots, key=repr) == sorted(again, key=repr)
    assert len({entry.id for entry in first}) == len(first)


# -------------------------------------------------------------------- writing

STORED = contacts.load(row(ADA), ACCOUNT)


def sent(before, after):
    """Verb and parameters of what a change sends."""
    return [(action.verb, dict(action.parameters)) for action in contacts.modify("8811", before, after, ACCOUNT)]


def test_only_what_changed_is_sent():
    """One field, one parameter."""
    assert [(Verb.MODIFY, {"Ort": "Köln"})] == sent(STORED, replace(STORED, city="Köln"))
    assert [] == sent(STORED, STORED)


def test_slots_and_pictures_are_not_sent():
    """onOffice has no field for them (rule 39)."""
    moved = tuple(replace(entry, slot=Slot.HOME if entry.id == 503 else None) for entry in STORED.entries)
    assert [] == sent(STORED, replace(STORED, entries=moved, picture=b"x", picture_type="png"))


def test_a_number_of_a_device_is_added():
    """Rule 38: rules 27 to 29 add and nothing else; the old entry is not touched."""
    new = Entry(id=508, kind=PHONE, value="+49 241 5", type=EntryType.PRIVATE, slot=Slot.HOME)
    (action,) = contacts.modify("8811", STORED, replace(STORED, entries=(*STORED.entries, new)), ACCOUNT)
    assert {"phone_private": {"action": "add", "newvalue": "+49 241 5"}} == action.parameters
    assert not action.may_repeat  # twice would be two numbers


def test_two_numbers_of_one_type_take_two_calls():
    """One operation per type and call; fields and other types go with the first."""
    added = [
        Entry(id=508, kind=PHONE, value="1", type=EntryType.PRIVATE),
        Entry(id=509, kind=PHONE, value="2", type=EntryType.PRIVATE),
        Entry(id=510, kind=EMAIL, value="x@example.org"),
    ]
    assert [
        (
            Verb.MODIFY,
            {"Ort": "Köln", "phone_private": {"action": "add", "newvalue": "1"}, "email": {"action": "add", "newvalue": "x@example.org"}},
        ),
        (Verb.MODIFY, {"phone_private": {"action": "add", "newvalue": "2"}}),
    ] == sent(STORED, replace(STORED, city="Köln", entries=(*STORED.entries, *added)))


def test_an_account_may_want_one_number_a_call():
    """Whether several types go together is not documented."""
    added = (Entry(id=508, kind=PHONE, value="1"), Entry(id=509, kind=FAX, value="2"))
    after = replace(STORED, city="Köln", entries=(*STORED.entries, *added))
    calls = contacts.modify("8811", STORED, after, replace(ACCOUNT, one_entry_a_call=True))
    assert [["Ort", "phone"], ["fax"]] == [sorted(call.parameters) for call in calls]


def test_the_administrator_changes_an_entry_by_its_old_value():
    """Value, type, default mark, deletion: what an undo needs."""
    first, business, private, mobile, *rest = STORED.entries
    after = (
        replace(first, value="0241 9"),
        replace(business, default=False),
        replace(private, type=EntryType.BUSINESS),
        replace(mobile, default=True),
    )
    calls = sent(STORED, replace(STORED, entries=(*after, *rest[1:])))
    assert {"action": "modify", "oldvalue": "+49 241 900100", "newvalue": "0241 9", "default": False} == calls[0][1]["phone"]
    assert {"action": "delete", "oldvalue": "+49 241 77889"} == calls[0][1]["phone_private"]
    assert {"action": "add", "newvalue": "+49 241 77889"} == calls[0][1]["phone_business"]
    assert {"action": "modify", "oldvalue": "+49 171 5550001", "newvalue": "+49 171 5550001", "default": True} == calls[0][1]["mobile"]
    assert {"action": "delete", "oldvalue": "+49 241 900199"} == calls[0][1]["fax"]
    assert 1 == len(calls)


def test_the_flag_is_a_relation():
    """Made and taken away by calls of their own, with ids as numbers (rule 17)."""
    relation = "urn:onoffice-de-ns:smart:2.5:relationTypes:address:user:sync"
    assert [
        (Verb.CREATE, {"relationtype": relation, "parentid": [8811], "childid": [43]}),
        (Verb.DELETE, {"relationtype": relation, "parentid": 8811, "childid": 42}),
    ] == sent(STORED, replace(STORED, sync_users=("bert",)))


def test_a_user_whom_onoffice_lacks_cannot_flag():
    """Said before anything is sent."""
    with pytest.raises(Refused, match="no user 'carla'"):
        contacts.modify("8811", STORED, replace(STORED, sync_users=("carla",)), ACCOUNT)


def test_an_address_is_made():
    """One number of each type, the default ones among them; what is empty is not said."""
    entries = (
        Entry(id=1, kind=PHONE, value="1", type=EntryType.BUSINESS, slot=Slot.BUSINESS),
        Entry(id=2, kind=PHONE, value="2", type=EntryType.BUSINESS, default=True),
        Entry(id=3, kind=EMAIL, value="a@example.org", default=True),
    )
    value = Contact(first_name="Ada", birthday=date(1985, 12, 10), entries=entries, sync_users=("anna",))
    create = contacts.create(value, ACCOUNT)
    assert create.parameters == {
        "Vorname": "Ada",
        "Geburtsdatum": "1985-12-10",
        "phone_business": "2",
        "default_phone": "2",
        "email": "a@example.org",
        "default_email": "a@example.org",
    }
    number, flag = contacts.after_create("9", value, ACCOUNT)
    assert {"phone_business": {"action": "add", "newvalue": "1"}} == number.parameters
    assert ([9], [42]) == (flag.parameters["parentid"], flag.parameters["childid"])
    assert not create.may_repeat


def test_deleting_an_address_archives_it():
    """No call deletes one; a written ``Status`` would have no effect."""
    assert [{"Status2Adr": "status2adr_archive"}] == [action.parameters for action in contacts.remove("9", ACCOUNT)]


def test_fields_that_the_account_lacks_are_neither_asked_nor_sent():
    """One unknown key fails the whole call (141)."""
    account = replace(ACCOUNT, dropped={Kind.CONTACTS: frozenset({"jobTitle", "Aenderung"})})
    asked = contacts.read_page(account, 0).parameters["data"]
    assert [False, False, True] == [key in asked for key in ("jobTitle", "Aenderung", "jobPosition")]
    assert [] == contacts.modify("8811", STORED, replace(STORED, job_title="Ärztin"), account)


TEXTS = [row.fields[0] for row in contacts.TABLE if row.fields[0] not in ("birthday", "archived", "sync_users")]
plain = st.builds(Contact, birthday=st.none() | days, archived=st.booleans(), **dict.fromkeys(TEXTS, texts))


@given(plain, plain)
def test_any_change_reads_back_as_what_was_meant(before, after):
    """What is sent, laid over what onOffice had, is the new value."""
    elements = contacts.create(before, ACCOUNT).parameters
    had = contacts.load(row(elements), ACCOUNT)
    assert before == replace(had, archived=before.archived)
    for action in contacts.modify("1", before, after, ACCOUNT):
        elements = {**elements, **action.parameters}
    assert after == contacts.load(row(elements), ACCOUNT, before)
