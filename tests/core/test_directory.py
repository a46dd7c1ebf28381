"""Whom a user can look up, and when colleagues have time ([MS-ASCMD] 2.2.1.15 and 2.2.1.16)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from radicale_onoffice.core.folders import reader
from radicale_onoffice.core.model import (
    Actor,
    Appointment,
    AppointmentStatus,
    Contact,
    Entry,
    EntryKind,
    Face,
    Frequency,
    Identity,
    Kind,
    Recurrence,
    Slot,
    Tenant,
    User,
    UserState,
)
from radicale_onoffice.core.rights import Gate

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
CRM = Actor(identity=ANNA, face=Face.CRM)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def who(office):
    """Anna, as of now."""

    def of(identity=ANNA):
        with office.store.reading() as tx:
            return reader(tx, identity)

    return of


@pytest.fixture
def found(office, who):
    """Display names of who is found."""

    def by(text, identity=ANNA):
        return [person.display_name for person in office.directory.search(who(identity), text)]

    return by


def contact(first="", last="", *, mobile="", email="", users=("anna",), **more):
    """A contact with a number and an address in their fields."""
    entries = []
    if mobile:
        entries.append(Entry(id=1, kind=EntryKind.PHONE, value=mobile, slot=Slot.MOBILE))
    if email:
        entries.append(Entry(id=2, kind=EntryKind.EMAIL, value=email, slot=Slot.EMAIL1))
    return Contact(first_name=first, last_name=last, entries=tuple(entries), sync_users=users, **more)


@pytest.fixture
def write(office):
    """Store a value as the CRM does."""

    def of(value, record_id=None):
        return office.records.write(CRM, Kind.CONTACTS if isinstance(value, Contact) else Kind.APPOINTMENTS, value, record_id=record_id)

    return of


@pytest.mark.parametrize(
    "text", ["Jür", "jürgen m", "MÜLL", "muller", "mueller", "Müller J", "jm@", "Haus", "verwaltung", "  müller  jürgen "]
)
def test_people_are_found_by_the_beginning_of_any_part(write, found, text):
    """R421, R3698, R3699: names in either order, address, company and its words; whatever the case and the accents."""
    write(contact("Jürgen", "Müller", email="jm@example.com", company="Haus Verwaltung"))
    write(contact("Karl", "Schmidt", email="ks@example.com", company="Bau"))
    assert ["Jürgen Müller"] == found(text)


@pytest.mark.parametrize("text", ["ürgen", "example", "üller", "x", "jm@example.org"])
def test_the_middle_of_a_word_is_no_beginning(write, found, text):
    """R421: a prefix match."""
    write(contact("Jürgen", "Müller", email="jm@example.com"))
    assert [] == found(text)


@pytest.mark.parametrize("stored", ["+49 171 2345678", "0171 2345678", "0171/23 45 678", "+49 (0)171 2345678", "0049 171 2345678"])
@pytest.mark.parametrize("text", ["0171 23", "+49171", "0049 171 2", "0171-234", "+49 (0) 171 2345678"])
def test_numbers_are_found_in_any_notation(write, found, stored, text):
    """Rule 43: notations of one number mean the same."""
    write(contact("Jürgen", "Müller", mobile=stored))
    write(contact("Karl", "Schmidt", mobile="0241 1234"))
    assert ["Jürgen Müller"] == found(text)


def test_an_empty_text_lists_all_by_name(write, found):
    """R426, pain 44: the list is sorted by display name, and can be had as a whole."""
    for last in ("Zorn", "Äpfel", "Bach"):
        write(contact("", last))
    assert ["Äpfel", "Bach", "Zorn"] == found("")


def test_only_what_is_offered_is_found(write, found):
    """Rules 17, 26: neither other users' contacts nor numbers without a field on the device."""
    write(contact("Nur", "Bert", users=("bert",)))
    hidden = Entry(id=5, kind=EntryKind.PHONE, value="0171 999999")
    shown = contact("Für", "Anna", mobile="0171 111111")
    write(replace(shown, entries=(*shown.entries, hidden)))
    assert ["Für Anna"] == found("")
    assert ["Nur Bert"] == found("", BERT)
    assert [] == found("0171 99")


def test_a_closed_gate_finds_nobody(office, write, found):
    """Rule 1: what is not synchronised is not looked up either."""
    write(contact("Jürgen", "Müller"))
    office.settings.set_gate(ANNA, Gate.SWITCH, Kind.CONTACTS, False, "test")
    assert [] == found("")


def test_the_list_follows_the_feed(write, found):
    """A change, a new contact, one that was taken off the device, and one that was deleted."""
    first, second = write(contact("Alt", "Eins")), write(contact("Alt", "Zwei"))
    assert ["Alt Eins", "Alt Zwei"] == found("alt")
    write(contact("Neu", "Eins"), first.id)
    write(contact("Alt", "Drei"))
    assert (["Alt Drei", "Alt Zwei"], ["Neu Eins"]) == (found("alt"), found("neu"))
    write(contact("Alt", "Zwei", users=()), second.id)
    assert ["Alt Drei"] == found("alt")


def test_a_new_process_finds_the_same(make_office, who, write, found, office):
    """What people come to is kept: fields, addresses, numbers and whether there is a picture."""
    write(
        contact(
            "Jürgen", "Müller", mobile="0171 1", email="a@b.de", company="Haus", job_title="Makler", picture=b"\xff", picture_type="jpeg"
        )
    )
    write(contact("Ohne", "Alles"))
    before = office.directory.people(who())
    again = make_office().directory.people(who())
    assert before == again
    assert ("0171 1", ("a@b.de",), "Makler", True) == (
        again[0].mobile_phone,
        again[0].emails,
        again[0].title,
        again[0].has_picture,
    )


def test_readers_share_what_both_see(office, write, who):
    """Ten users of the same address book hold it in memory once."""
    write(contact("Jürgen", "Müller", users=("anna", "bert")))
    assert office.directory.people(who(ANNA))[0] is office.directory.people(who(BERT))[0]


def test_a_picture_is_read_when_it_is_wanted(office, write, who):
    """Pictures are not kept with the people."""
    write(contact("Jürgen", "Müller", picture=b"\xff\xd8", picture_type="jpeg"))
    assert b"\xff\xd8" == office.directory.picture(who(), office.directory.people(who())[0])


# ------------------------------------------------------------- colleagues


@pytest.fixture
def colleagues(office):
    """Users whose logins are addresses: in the tenant "t" and in one named as a domain."""
    with office.store.writing() as tx:
        tx.save_tenant(Tenant(name="firma.de"))
    for identity in (Identity("t", "carl@example.com"), Identity("firma.de", "dora"), Identity("firma.de", "emil")):
        office.accounts.save_user(User(identity=identity), "secret", "test")
    return office


def names_of(found):
    """(user, address) pairs."""
    return [(user.identity.user, address) for user, address in found]


def test_colleagues_are_found_by_login_or_address(colleagues, who):
    """Those whose login is an address; within the tenant only."""
    dora = who(Identity("firma.de", "dora"))
    assert [("carl@example.com", "carl@example.com")] == names_of(colleagues.directory.colleagues(who(), "carl"))
    assert [("dora", "dora@firma.de")] == names_of(colleagues.directory.colleagues(dora, "DORA@f"))
    assert [] == names_of(colleagues.directory.colleagues(who(), "anna"))
    assert [] == names_of(colleagues.directory.colleagues(dora, "carl"))


def test_a_deactivated_colleague_is_not_found(colleagues, who):
    """Rule 8."""
    emil = Identity("firma.de", "emil")
    colleagues.settings.set_gate(emil, Gate.USER_STATE, None, False, "test")
    assert [] == names_of(colleagues.directory.colleagues(who(Identity("firma.de", "dora")), "emil"))
    with colleagues.store.reading() as tx:
        assert UserState.DEACTIVATED is tx.user(emil).state


# -------------------------------------------------------------- free/busy


def at(hour, minute=0, *, day=16):
    """A moment in Berlin."""
    return datetime(2026, 3, day, hour, minute, tzinfo=BERLIN)


@pytest.fixture
def digits(office, who):
    """Bert's half hours from 8 to 12, as Anna may know them."""

    def between(start=None, end=None):
        return office.directory.free_busy(who(), who(BERT).user, start or at(8), end or at(12))

    return between


def test_the_half_hours_of_an_appointment_are_busy_r3327(write, digits):
    """R3319, R3327, R3329: one digit per half hour; a part of it is enough."""
    write(Appointment(start=at(9), end=at(9, 35), participants=("bert",)))
    assert "00220000" == digits()
    assert "002" == digits(at(8), at(9, 0) + timedelta(seconds=1))  # rounded up


@pytest.mark.parametrize(
    ("start", "expected"),
    [((12, 0), "20"), ((12, 4), "20"), ((12, 5), "00")],
)
def test_an_appointment_that_ends_within_counts_r3332(write, digits, start, expected):
    """R3332-R3336, the document's own example: five minutes from 12:00 to 12:05, asked until 13:00."""
    write(Appointment(start=at(12), end=at(12, 5), participants=("bert",)))
    assert expected == digits(at(*start), at(13))


def test_free_cancelled_and_other_peoples_appointments_do_not_count(write, digits):
    """Rule 58: "participants available" is never a clash, and what is cancelled does not take place."""
    write(Appointment(start=at(9), end=at(10), participants=("bert",), status=AppointmentStatus.AVAILABLE))
    write(Appointment(start=at(9), end=at(10), participants=("bert",), status=AppointmentStatus.CANCELLED))
    write(Appointment(start=at(9), end=at(10), participants=("anna",)))
    assert "0" * 8 == digits()


def test_private_all_day_recurring_and_group_appointments_count(office, write, digits):
    """Nothing but the digits is told, so private ones can be; a series counts on each of its days (rule 53 for the groups)."""
    with office.store.writing() as tx:
        tx.save_user(replace(tx.user(BERT), groups=("sales",)))
    write(Appointment(start=at(8), end=at(8, 30), participants=("bert",), creator="bert", private=True))
    weekly = Recurrence(frequency=Frequency.WEEK)
    write(Appointment(start=at(9, day=2), end=at(9, 30, day=2), participants=("bert",), recurrence=weekly))
    write(Appointment(start=at(11), end=at(11, 30), groups=("sales",)))
    assert "20200020" == digits()
    write(Appointment(start=at(1).date(), end=at(1).date(), participants=("bert",)))
    assert "2" * 8 == digits()


def test_who_may_not_see_appointments_learns_nothing(office, digits):
    """Rules 1, 9: the gate closes this, too."""
    office.settings.set_gate(ANNA, Gate.SWITCH, Kind.APPOINTMENTS, False, "test")
    assert digits() is None
