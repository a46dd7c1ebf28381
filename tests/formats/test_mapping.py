"""How onOffice's fields look to a DAV client, and what becomes of a client's changes (rules 56-62, 75-84; U12, U13, U25, U27)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from radicale_onoffice import formats
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import (
    Appointment,
    AppointmentStatus,
    Base,
    Contact,
    Entry,
    EntryKind,
    Frequency,
    Kind,
    Leftovers,
    Recurrence,
    Task,
    TaskStatus,
)

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 4, 1, 10, tzinfo=BERLIN)
NOW = datetime(2026, 3, 15, 8, 30, tzinfo=UTC)


def text_of(value) -> str:
    kind = {Contact: Kind.CONTACTS, Appointment: Kind.APPOINTMENTS, Task: Kind.TASKS}[type(value)]
    return formats.render(kind, value, Leftovers(), uid="u", modified=NOW, zone=BERLIN, region="DE").text


def edited(value, old: str, new: str):
    """What a client's edit of one line asks for."""
    kind = {Contact: Kind.CONTACTS, Appointment: Kind.APPOINTMENTS, Task: Kind.TASKS}[type(value)]
    text = text_of(value)
    assert old in text, text
    return formats.load(kind, text.replace(old, new), Base(value=value, text=text), zone=BERLIN, region="DE").value


def meeting(**changes) -> Appointment:
    return Appointment(**{"subject": "Besichtigung", "start": START, "end": START + timedelta(hours=1), **changes})


def test_rule_57_subject_and_note():
    """SUMMARY and DESCRIPTION."""
    text = text_of(meeting(note="Schlüssel; 2. OG,\nlinks"))
    assert "SUMMARY:Besichtigung\r\n" in text
    assert "DESCRIPTION:Schlüssel\\; 2. OG\\,\\nlinks\r\n" in text


@pytest.mark.parametrize(
    ("status", "lines", "absent"),
    [
        (AppointmentStatus.ACTIVE, (), ("TRANSPARENT", "CANCELLED")),
        (AppointmentStatus.COMPLETED, (), ("TRANSPARENT", "CANCELLED")),
        (AppointmentStatus.AVAILABLE, ("TRANSP:TRANSPARENT",), ("CANCELLED",)),
        (AppointmentStatus.CANCELLED, ("STATUS:CANCELLED",), ()),
    ],
)
def test_rule_58_status(status, lines, absent):
    """Participants available is free, never a clash; and an edit of something else keeps the finer status."""
    text = text_of(meeting(status=status))
    assert all(line in text for line in lines)
    assert not any(word in text for word in absent)
    assert status is edited(meeting(status=status), "SUMMARY:Besichtigung", "SUMMARY:x").status


def test_rule_61_an_unchanged_place_keeps_its_link_and_a_changed_one_is_free_text():
    """The CRM links a place to an estate, a user, an address."""
    value = meeting(location="Hauptstraße 1", location_link="estate:17")
    assert "estate:17" == edited(value, "SUMMARY:Besichtigung", "SUMMARY:x").location_link
    changed = edited(value, "LOCATION:Hauptstraße 1", "LOCATION:Am Markt 2")
    assert ("Am Markt 2", "") == (changed.location, changed.location_link)


def test_rule_62_travel_time_is_outside_of_start_and_end():
    """It is not added to what is exported, and survives an edit."""
    value = meeting(travel_before=30, travel_after=45)
    assert text_of(meeting()) == text_of(value)
    assert (30, 45) == (edited(value, "SUMMARY:Besichtigung", "SUMMARY:x").travel_before, 45)


def test_rules_65_and_81_what_a_client_does_not_know_stays():
    """Addresses, estate, project, resources, participants (U26: nor is it shown)."""
    value = meeting(addresses=("1",), estate="17", project="p", resources=("car",), participants=("anna", "bert"), creator="bert")
    assert replace(value, subject="x") == edited(value, "SUMMARY:Besichtigung", "SUMMARY:x")


def test_rules_75_and_76_nobody_gets_an_email():
    """No ATTENDEE and no ORGANIZER goes out, so no client mails anybody (U25)."""
    text = text_of(meeting(participants=("anna", "bert"), groups=("sales",)))
    assert "ATTENDEE" not in text
    assert "ORGANIZER" not in text


def test_u22_private_is_class_private():
    """And the other way round."""
    assert "CLASS:PRIVATE" in text_of(meeting(private=True))
    assert not edited(meeting(private=True), "CLASS:PRIVATE", "CLASS:PUBLIC").private


def test_u28_whole_days_are_floating_and_end_exclusive():
    """The CRM's last day is inclusive."""
    text = text_of(Appointment(subject="Messe", start=date(2026, 4, 1), end=date(2026, 4, 3)))
    assert "DTSTART;VALUE=DATE:20260401\r\n" in text
    assert "DTEND;VALUE=DATE:20260404\r\n" in text


def test_rule_64_times_name_their_zone():
    """With a definition, so that a series keeps its hour."""
    text = text_of(meeting(recurrence=Recurrence(frequency=Frequency.WEEK, until=date(2026, 12, 31))))
    assert "DTSTART;TZID=Europe/Berlin:20260401T100000\r\n" in text
    assert text.count("BEGIN:VTIMEZONE") == 1
    assert "RRULE:FREQ=WEEKLY;UNTIL=20261231T090000Z\r\n" in text


@pytest.mark.parametrize(("trigger", "minutes"), [("-PT15M", 15), ("-P1D", 1440), ("-P1W", 10080), ("PT0S", 0), ("PT10M", 0)])
def test_rule_60_one_reminder(trigger, minutes):
    """The first display alarm; after the start means at the start (U27). Snapping is the core's."""
    text = text_of(meeting(reminder=30)).replace("TRIGGER:-PT30M", f"TRIGGER:{trigger}")
    draft = formats.load(Kind.APPOINTMENTS, text, None, zone=BERLIN, region="DE")
    assert minutes == max(draft.value.reminder, 0)


def test_u12_the_fields_of_a_contact():
    """Title, names, company, department, address, homepage, birthday, functions."""
    text = text_of(
        Contact(
            title="Dr.",
            first_name="Eva",
            last_name="Groß",
            company="Makler AG",
            department="Vertrieb",
            job_title="Leiterin",
            job_position="Prokura",
            street="Hauptstr. 1",
            zip_code="52062",
            city="Aachen",
            country="Deutschland",
            homepage="https://makler.example",
            birthday=date(1980, 3, 15),
        )
    )
    for line in (
        "N:Groß;Eva;;Dr.;",
        "FN:Dr. Eva Groß",
        "ORG:Makler AG;Vertrieb",
        "TITLE:Leiterin",
        "ROLE:Prokura",
        "URL:https://makler.example",
        "BDAY:1980-03-15",
    ):
        assert f"{line}\r\n" in text
    assert ":;;Hauptstr. 1;Aachen;;52062;Deutschland\r\n" in text


def test_u13_a_company_without_a_person_goes_by_its_name():
    """FN must not be empty (RFC 6350 6.2.1)."""
    assert "FN:Makler AG\r\n" in text_of(Contact(company="Makler AG"))
    number = Contact(entries=(Entry(id=1, kind=EntryKind.PHONE, value="0241 1", default=True),))
    assert "FN:0241 1\r\n" in text_of(number)


def test_a_contact_without_any_name_can_be_edited_all_the_same():
    """Agents keep addresses of which they know the town only; one that has a name keeps at least a number, and a new one needs either."""
    nameless, named = Contact(city="Köln"), Contact(last_name="Berger", city="Köln")
    assert "FN:?\r\n" in text_of(nameless)
    assert replace(nameless, city="Bonn") == edited(nameless, "Köln", "Bonn")
    with pytest.raises(BadRequest, match="give it a name"):
        edited(named, "N:Berger;;;;\r\nFN:Berger", "N:;;;;\r\nFN:")
    with pytest.raises(BadRequest, match="give it a name"):
        formats.load(Kind.CONTACTS, text_of(nameless).replace("FN:?", "FN:"), None, zone=BERLIN, region="DE")


@pytest.mark.parametrize(
    ("task", "lines"),
    [
        (Task(subject="a", priority=1), ("PRIORITY:1",)),
        (
            Task(subject="a", priority=4, status=TaskStatus.IN_PROCESS, progress=50),
            ("PRIORITY:7", "STATUS:IN-PROCESS", "PERCENT-COMPLETE:50"),
        ),
        (Task(subject="a", status=TaskStatus.CANCELLED), ("STATUS:CANCELLED",)),
        (
            Task(subject="a", status=TaskStatus.COMPLETED, done=True, progress=100, completed_at=START),
            ("STATUS:COMPLETED", "COMPLETED:20260401T080000Z", "PERCENT-COMPLETE:100"),
        ),
        (Task(subject="a", deadline=date(2026, 4, 1), deadline_strict=True), ("DUE;VALUE=DATE:20260401",)),
        (Task(subject="a", private=True), ("CLASS:PRIVATE",)),
    ],
)
def test_rule_84_a_task_as_a_to_do(task, lines):
    """The mapping's table."""
    text = text_of(task)
    assert [] == [line for line in lines if f"{line}\r\n" not in text]


def test_rule_80_a_deadline_without_its_check_box_is_no_due_date():
    """It is inactive in onOffice."""
    assert "DUE" not in text_of(Task(subject="a", deadline=date(2026, 4, 1)))


def test_rule_84_a_coarser_priority_coming_back_keeps_the_finer_one():
    """An edit of the subject alone changes the subject alone."""
    task = Task(subject="a", priority=2, status=TaskStatus.NEEDS_CLARIFICATION, progress=25)
    assert replace(task, subject="b") == edited(task, "SUMMARY:a", "SUMMARY:b")
