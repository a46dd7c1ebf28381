"""A person's contacts on a page: search, the Sync flag, the Sync assignment and what the phone will show (rules 16-33)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from radicale_onoffice.core import address_list
from radicale_onoffice.core.contacts import sought
from radicale_onoffice.core.errors import BadRequest, Conflict, GateClosed, NotFound, Refused
from radicale_onoffice.core.folding import needles
from radicale_onoffice.core.lists import Only
from radicale_onoffice.core.model import Actor, Contact, Entry, EntryKind, EntryType, Face, Identity, Kind, Slot, Task, Tenant, User
from radicale_onoffice.core.policy import Direction, Policy
from radicale_onoffice.core.rights import Gate

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
CRM = Actor(identity=ANNA, face=Face.CRM)
PHONE, EMAIL = EntryKind.PHONE, EntryKind.EMAIL


@pytest.fixture
def office(make_office):
    return make_office()


@pytest.fixture
def add(office):
    """Puts a contact into the CRM; on Anna's devices unless told otherwise."""

    def make(first="", last="", *, users=("anna",), tenant="t", **more):
        value = Contact(first_name=first, last_name=last, sync_users=users, **more)
        return office.records.write(Actor(identity=Identity(tenant, "anna"), face=Face.CRM), Kind.CONTACTS, value)

    return make


def names(page):
    return [row.name for row in page.rows]


def found(office, text="", **how):
    return names(office.address_list.search(ANNA, text, **how))


def take_right(office, right):
    with office.store.reading() as tx:
        user = tx.user(ANNA)
    office.accounts.save_user(replace(user, rights=user.rights - {right}), None, "test")


def numbers(*entries):
    return tuple(replace(one, id=number) for number, one in enumerate(entries, 1))


# ------------------------------------------------------------------- search


@pytest.mark.parametrize(
    "text",
    [
        "mü",
        "MUELLER",
        "muller",
        "jürgen m",
        "müller j",
        "Dr",
        "immo",
        "acme immo",
        "vertr",
        "köln",
        "Juergen@",
        "0171 23",
        "+49171",
        "0049 (0)171 2",
        "030",
    ],
)
def test_a_contact_is_found_by_the_beginning_of_what_people_remember(office, add, text):
    """Names in any order, company, department, town, address, and numbers in any notation, offered to a phone or not."""
    entries = numbers(
        Entry(id=0, kind=EMAIL, value="juergen@example.org", default=True),
        Entry(id=0, kind=PHONE, value="+49 171 2345", default=True),
        Entry(id=0, kind=EntryKind.FAX, value="030/999"),
    )
    add("Jürgen", "Müller", title="Dr.", company="Acme Immobilien", department="Vertrieb", city="Köln", entries=entries)
    add("Zoe", "Other")
    assert ["Dr. Jürgen Müller"] == found(office, text)


@pytest.mark.parametrize("text", ["üller", "%", "_", "\\", "'", "cme", "171", "x", "@", "\n"])
def test_what_is_no_beginning_finds_nobody(office, add, text):
    """A wildcard is a character like others."""
    add("Jürgen", "Müller", company="Acme", entries=numbers(Entry(id=0, kind=PHONE, value="+49 171 2345")))
    assert [] == found(office, text.replace("\n", "x\n"))


@given(st.text(max_size=40), st.text(max_size=40))
def test_whoever_is_stored_is_found_by_the_own_name(first, last):
    """Whatever characters it has."""
    text = f"{last} {first}"
    words = sought(Contact(first_name=first, last_name=last)).words
    wanted = needles(text, "DE")
    assert not wanted or any(needle in words for needle in wanted)


def test_contacts_are_listed_by_last_name_and_paged(office, add):
    """With how many there are in all; nobody is on two pages."""
    for number in reversed(range(7)):
        add("Zoe", f"Abel{number}")
    add(company="Adler GmbH")
    first, last = office.address_list.search(ANNA, size=3), office.address_list.search(ANNA, page=2, size=3)
    assert (["Zoe Abel0", "Zoe Abel1", "Zoe Abel2"], 8) == (names(first), first.total)
    assert (["Zoe Abel6", "Adler GmbH"], 8) == (names(last), last.total)
    beyond = office.address_list.search(ANNA, page=9, size=3)
    assert ([], 8) == (names(beyond), beyond.total)
    assert 7 == office.address_list.search(ANNA, "abel", page=1, size=7).total


def test_each_row_tells_whether_the_contact_is_on_ones_own_devices(office, add):
    """The flag is per user and contact (rule 17)."""
    add("Anna", "A")
    add("Bert", "B", users=("bert",))
    add("Both", "C", users=("anna", "bert"))
    page = office.address_list.search(ANNA)
    assert [True, False, True] == [row.is_synced for row in page.rows]
    assert (["Anna A", "Both C"], 2) == (found(office, only=Only.SYNCED), office.address_list.search(ANNA, only=Only.SYNCED).total)
    assert ["Bert B"] == found(office, only=Only.UNSYNCED)
    assert ["Both C"] == found(office, "c", only=Only.SYNCED)
    assert ["Anna A"] == names(office.address_list.search(BERT, only=Only.UNSYNCED))


def test_the_list_follows_every_change(office, add):
    """A new name, a deleted contact, one that comes back."""
    record = add("Anna", "Alt")
    office.records.write(CRM, Kind.CONTACTS, replace(record.value, last_name="Neu"), record_id=record.id)
    assert ([], ["Anna Neu"]) == (found(office, "alt"), found(office, "neu"))
    office.records.remove(CRM, record.id)
    assert [] == found(office)
    office.records.restore(CRM, record.id, 1)
    assert ["Anna Alt"] == found(office)
    assert [] == list(office.store.verify(deep=True))


def test_u9_archived_contacts_are_left_out_unless_they_are_on_the_phone(make_office, office, add):
    """Where archived ones are synchronised, all are listed."""
    add("Anna", "A", archived=True)
    add("Bert", "B", users=(), archived=True)
    assert ["Anna A"] == found(office)
    assert [] == found(office, only=Only.UNSYNCED)
    with_archived = address_list.AddressList(office.store, office.records, Policy(include_archived=True), office.clock)
    assert ["Anna A", "Bert B"] == names(with_archived.search(ANNA))


def test_contacts_of_another_tenant_are_not_there(office, add):
    """Neither in a list nor by their id."""
    office.settings.save_tenant(Tenant(name="other"), "test")
    office.accounts.save_user(User(identity=Identity("other", "anna")), "secret", "test")
    foreign = add("Olga", "O", tenant="other")
    assert [] == found(office)
    with pytest.raises(NotFound):
        office.address_list.card(ANNA, foreign.id)
    assert ((foreign.id, f"There is no record {foreign.id!r}."),) == office.address_list.set_synced(
        ANNA, [foreign.id], False, by="page anna"
    ).failed
    with pytest.raises(NotFound):
        office.address_list.give_slot(ANNA, foreign.id, 1, None, expect=1)


@pytest.mark.parametrize("wrong", [{"page": -1}, {"page": 100_001}, {"size": 0}, {"size": 51}, {"text": "x" * 101}, {"text": "\0"}])
def test_a_list_that_cannot_be_asked_for_is_refused(office, wrong):
    """Numbers come out of an address line."""
    with pytest.raises(BadRequest):
        office.address_list.search(ANNA, **wrong)


def test_a_page_costs_the_same_for_many_contacts_as_for_few(office, add):
    """Three statements at most, and no contact is loaded."""
    counts = []
    for size in (3, 60):
        for number in range(size):
            add("Anna", f"A{size}-{number}")
        said = []
        listener = lambda _c, _u, statement, *_: said.append(statement)  # noqa: B023, E731 - removed before the next round
        sqlalchemy.event.listen(office.store.engine, "before_cursor_execute", listener)
        office.address_list.search(ANNA, "anna")
        sqlalchemy.event.remove(office.store.engine, "before_cursor_execute", listener)
        counts.append(len([one for one in said if one.startswith("SELECT")]))
        assert [] == [one for one in said if "records.value" in one]
    assert max(counts) <= 3


# ------------------------------------------------------------------- rights


def test_rule_9_who_may_not_read_sees_nothing_and_who_may_not_modify_changes_nothing(office, add):
    """Each in the CRM's words."""
    record = add("Anna", "A", entries=numbers(Entry(id=0, kind=PHONE, value="1")))
    take_right(office, "contacts.modify")
    assert ["Anna A"] == found(office)
    with pytest.raises(Refused, match="modify"):
        office.address_list.set_synced(ANNA, [record.id], False, by="page anna")
    with pytest.raises(Refused, match="modify"):
        office.address_list.give_slot(ANNA, record.id, 1, Slot.HOME, expect=1)
    take_right(office, "contacts.read")
    with pytest.raises(Refused, match="read"):
        office.address_list.search(ANNA)
    with pytest.raises(Refused, match="read"):
        office.address_list.card(ANNA, record.id)
    assert 1 == office.records.get("t", record.id).version


@pytest.mark.parametrize("gate", [Gate.MODULE, Gate.USER_STATE, Gate.SYNC_RIGHT])
def test_what_the_office_closed_is_closed_on_the_page_too(office, add, gate):
    """A deactivated user has no contacts."""
    add("Anna", "A")
    office.settings.set_gate(ANNA, gate, None, False, "test")
    with pytest.raises(GateClosed):
        office.address_list.search(ANNA)


def test_ones_own_switches_and_the_direction_are_about_devices(make_office):
    """Before a user switches contacts on, their numbers can be put in order; so they can where devices change nothing (U48)."""
    office = make_office(Policy(direction=dict.fromkeys(Kind, Direction.TO_DEVICE)))
    record = office.records.write(CRM, Kind.CONTACTS, Contact(last_name="A", entries=numbers(Entry(id=0, kind=PHONE, value="1"))))
    office.settings.set_switch(ANNA, Kind.CONTACTS, False, "test")
    office.settings.set_other_channel(ANNA, Kind.CONTACTS, True, "test")
    assert 1 == office.address_list.set_synced(ANNA, [record.id], True, by="page anna").changed
    assert office.address_list.give_slot(ANNA, record.id, 1, Slot.CAR, expect=2).is_synced


# --------------------------------------------------------------------- flags


def test_rule_18_taking_the_flag_away_takes_the_contact_off_the_own_devices_only(office, add):
    """Off Anna's, not off Bert's, and the contact stays."""
    record = add("Both", "C", users=("anna", "bert"))
    for identity in (ANNA, BERT):
        office.feeds.refresh(identity, Kind.CONTACTS)
    flagged = office.address_list.set_synced(ANNA, [record.id], False, by="page anna")
    assert (1, ()) == (flagged.changed, flagged.failed)
    assert (0, 1) == (office.feeds.count(ANNA, Kind.CONTACTS), office.feeds.count(BERT, Kind.CONTACTS))
    assert ("bert",) == office.records.get("t", record.id).value.sync_users


@pytest.mark.crm("embedded", reason="with onOffice each flag is a request of its own; tests/crm/test_address_list.py has it")
def test_many_flags_are_one_commit_and_one_line(office, add):
    """With how many were changed; those that were so already are not counted."""
    ids = [add("Anna", f"A{number}", users=()).id for number in range(4)]
    office.address_list.set_synced(ANNA, ids[:1], True, by="page anna")
    commits = []
    sqlalchemy.event.listen(office.store.engine, "commit", lambda _: commits.append(1))
    assert 3 == office.address_list.set_synced(ANNA, [*ids, ids[0]], True, by="page anna").changed
    assert [1] == commits
    with office.store.reading() as tx:
        assert [("contacts synchronised", "3"), ("contacts synchronised", "1")] == [(one.event, one.detail) for one in tx.audit("t", 2)]
    assert Face.PAGE is office.records.history("t", ids[1])[-1].actor.face
    assert 0 == office.address_list.set_synced(ANNA, ids, True, by="page anna").changed


def test_what_cannot_be_flagged_fails_for_itself(office, add):
    """A contact that is gone, one that never was, and a task."""
    here, gone = add("Anna", "A", users=()), add("Gone", "G", users=())
    office.records.remove(CRM, gone.id)
    task = office.records.write(CRM, Kind.TASKS, Task(subject="x"))
    flagged = office.address_list.set_synced(ANNA, [gone.id, here.id, "nobody", task.id], True, by="page anna")
    assert (1, [gone.id, "nobody", task.id]) == (flagged.changed, [record_id for record_id, _ in flagged.failed])


@pytest.mark.parametrize("count", [0, 501])
def test_so_many_contacts_at_once_are_refused(office, count):
    """At most 500."""
    with pytest.raises(BadRequest):
        office.address_list.set_synced(ANNA, [f"r{number}" for number in range(count)], True, by="page anna")


@pytest.mark.crm("embedded", reason="with onOffice each flag is a request of its own; tests/crm/test_address_list.py has it")
def test_a_contact_that_changes_meanwhile_is_not_overwritten(office, add, monkeypatch):
    """It fails, and the others are flagged."""
    first, second = add("Anna", "A", users=()), add("Bert", "B", users=())
    taken = office.records._crm.update

    def update(actor, record, value):
        if record.id == second.id:
            monkeypatch.undo()
            office.records.write(CRM, Kind.CONTACTS, replace(second.value, city="Ulm"), record_id=second.id)
        return taken(actor, record, value)

    monkeypatch.setattr(office.records._crm, "update", update)
    flagged = office.address_list.set_synced(ANNA, [first.id, second.id], True, by="page anna")
    assert (1, [second.id]) == (flagged.changed, [record_id for record_id, _ in flagged.failed])
    assert ("Ulm", ()) == (office.records.get("t", second.id).value.city, office.records.get("t", second.id).value.sync_users)


# --------------------------------------------------------------------- slots


@pytest.fixture
def card(office, add):
    """A contact with two numbers, none with a slot, and an address with one."""
    entries = numbers(
        Entry(id=0, kind=PHONE, value="030 1", type=EntryType.BUSINESS, default=True),
        Entry(id=0, kind=PHONE, value="0171 2", type=EntryType.MOBILE),
        Entry(id=0, kind=EMAIL, value="a@example.org", slot=Slot.EMAIL2),
    )
    return office.address_list.card(ANNA, add("Anna", "A", entries=entries).id)


def shown(card):
    return [(one.slot, one.entry.value, one.is_fallback) for one in card.shown]


def test_rule_30_a_card_tells_what_the_phone_shows_and_why(card):
    """The default number by fallback, in the field of its type; the address in its own."""
    assert [(Slot.BUSINESS, "030 1", True), (Slot.EMAIL2, "a@example.org", False)] == shown(card)
    assert ("Anna A", True, 1) == (card.name, card.is_synced, card.version)


@pytest.mark.crm("embedded", reason="onOffice numbers entries by their kind; tests/crm/test_address_list.py has it")
def test_rule_24_a_slot_moves_from_the_entry_that_had_it(office, card):
    """And the fallback is over as soon as one entry of the kind has a slot (rule 26)."""
    first = office.address_list.give_slot(ANNA, card.record_id, 2, Slot.MOBILE, expect=card.version)
    assert [(Slot.MOBILE, "0171 2", False), (Slot.EMAIL2, "a@example.org", False)] == shown(first)
    second = office.address_list.give_slot(ANNA, card.record_id, 1, Slot.MOBILE, expect=first.version)
    assert [None, None] == [one.slot for one in second.contact.entries if one.id == 2] * 2
    assert (Slot.MOBILE, "030 1", False) == shown(second)[0]
    third = office.address_list.give_slot(ANNA, card.record_id, 1, None, expect=second.version)
    assert (Slot.BUSINESS, "030 1", True) == shown(third)[0]


@pytest.mark.crm("embedded", reason="onOffice numbers entries by their kind; tests/crm/test_address_list.py has it")
def test_a_slot_that_does_not_fit_is_refused(office, card):
    """One of another kind, or of an entry that the contact lacks."""
    for entry, slot in ((1, Slot.EMAIL1), (3, Slot.HOME), (9, Slot.HOME)):
        with pytest.raises(BadRequest):
            office.address_list.give_slot(ANNA, card.record_id, entry, slot, expect=card.version)


def test_a_page_that_is_out_of_date_changes_nothing(office, card):
    """Somebody else was faster."""
    office.address_list.give_slot(ANNA, card.record_id, 2, Slot.MOBILE, expect=card.version)
    with pytest.raises(Conflict):
        office.address_list.give_slot(ANNA, card.record_id, 1, Slot.MOBILE, expect=card.version)


def test_a_card_of_what_is_no_contact_is_not_found(office):
    """A task, or nothing."""
    task = office.records.write(CRM, Kind.TASKS, Task(subject="x"))
    for record_id in (task.id, "nobody"):
        with pytest.raises(NotFound):
            office.address_list.card(ANNA, record_id)
