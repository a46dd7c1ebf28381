"""vCard and iCalendar as values and back: what was sent is what comes back, and bad input is told, never a crash."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radicale_onoffice import formats
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import (
    Appointment,
    AppointmentStatus,
    Base,
    Contact,
    Entry,
    EntryKind,
    EntryType,
    Frequency,
    Kind,
    Leftovers,
    Recurrence,
    Slot,
    Task,
    TaskStatus,
)
from radicale_onoffice.core.tasks import settle
from radicale_onoffice.formats import lines
from radicale_onoffice.stores.values import dump_value, load_value

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 15, 8, 30, tzinfo=UTC)


def render(kind, value, kept=Leftovers()):  # noqa: B008 - frozen
    return formats.render(kind, value, kept, uid="u", modified=NOW, zone=BERLIN, region="DE").text


def load(kind, text, base=None):
    return formats.load(kind, text, base, zone=BERLIN, region="DE")


TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), max_size=30)
MINUTES = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)).map(lambda m: m.replace(second=0, microsecond=0, tzinfo=BERLIN))  # noqa: DTZ001


def exists(moment: datetime) -> bool:
    """False for the hour that is skipped when the clocks go forward, and for the doubled one."""
    return (
        moment.astimezone(UTC).astimezone(BERLIN).replace(tzinfo=None) == moment.replace(tzinfo=None)
        and moment.utcoffset() == moment.replace(fold=1).utcoffset()
    )


CONTACTS = st.builds(
    Contact,
    title=TEXT,
    first_name=TEXT,
    last_name=TEXT.filter(bool),
    company=TEXT,
    street=TEXT,
    zip_code=TEXT,
    city=TEXT,
    country=TEXT,
    job_title=TEXT,
    birthday=st.none() | st.dates(date(1900, 1, 1), date(2026, 1, 1)),
)


@st.composite
def appointments(draw):
    start = draw(MINUTES.filter(exists))
    if draw(st.booleans()):
        first = start.date()
        span = {"start": first, "end": first + timedelta(days=draw(st.integers(0, 10)))}
    else:
        span = {"start": start, "end": draw(st.integers(0, 3000).map(lambda m: start + timedelta(minutes=m)).filter(exists))}
    recurrence = st.builds(
        Recurrence,
        frequency=st.sampled_from(list(Frequency)),
        interval=st.integers(1, 999),
        until=st.none() | st.just(start.date() + timedelta(days=400)),
    )
    return Appointment(
        subject=draw(TEXT),
        note=draw(TEXT),
        location=draw(TEXT),
        private=draw(st.booleans()),
        status=draw(st.sampled_from([AppointmentStatus.ACTIVE, AppointmentStatus.AVAILABLE, AppointmentStatus.CANCELLED])),
        reminder=draw(st.sampled_from([None, 0, 15, 1440])),
        recurrence=draw(st.none() | recurrence),
        **span,
    )


@given(CONTACTS)
def test_a_contact_comes_back_from_its_card(contact):
    """Every mapped plain field, whatever characters it has."""
    assert contact == load(Kind.CONTACTS, render(Kind.CONTACTS, contact)).value


@given(appointments())
def test_an_appointment_comes_back_from_its_event(appointment):
    """Days and moments, across changes of clocks, with a rule that onOffice can hold."""
    draft = load(Kind.APPOINTMENTS, render(Kind.APPOINTMENTS, appointment))
    assert replace(appointment, recurrence=None) == replace(draft.value, recurrence=None)
    assert (appointment.recurrence is None) == (draft.series is None)
    if appointment.recurrence:
        assert (appointment.recurrence.interval, False) == (draft.series.interval, draft.series.several)


@given(
    st.builds(
        Task,
        subject=TEXT,
        description=TEXT,
        priority=st.integers(1, 5),
        status=st.sampled_from([TaskStatus.NOT_STARTED, TaskStatus.IN_PROCESS, TaskStatus.CANCELLED]),
        progress=st.sampled_from([0, 25, 50, 75]),
        deadline=st.none() | st.dates(date(2000, 1, 1), date(2040, 1, 1)),
        deadline_strict=st.just(True),
        private=st.booleans(),
    )
)
def test_a_task_comes_back_from_its_to_do(task):
    """Prio, status and progress in onOffice's own steps."""
    task = replace(task, deadline_strict=task.deadline is not None)
    assert task == settle(load(Kind.TASKS, render(Kind.TASKS, task)).value, NOW)


@given(CONTACTS)
def test_a_value_comes_back_from_the_store(contact):
    """JSON that later versions still read."""
    assert contact == load_value(Kind.CONTACTS, dump_value(contact))


@given(appointments())
def test_an_appointment_comes_back_from_the_store(appointment):
    """The zone's name outlives a change of its rules."""
    assert appointment == load_value(Kind.APPOINTMENTS, dump_value(appointment))


RICH = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Client//EN\r\nX-WR-FOO:bar\r\n"
    "BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20260401T080000Z\r\nDTEND:20260401T090000Z\r\n"
    'SUMMARY;LANGUAGE=de;X-P=1:Besichtigung\r\nATTACH;FMTTYPE=application/pdf:https://example.org/a.pdf\r\nGEO:50.77;6.08\r\nX-CLIENT;A="b:c":d\r\n'
    "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:one\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\n"
    "BEGIN:VALARM\r\nACTION:EMAIL\r\nDESCRIPTION:two\r\nSUMMARY:s\r\nATTENDEE:mailto:a@example.org\r\nTRIGGER:-P1D\r\nEND:VALARM\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_what_a_client_sent_is_what_it_gets():
    """X- properties, second alarms, ATTACH, GEO and unknown parameters, byte for byte."""
    draft = load(Kind.APPOINTMENTS, RICH)
    assert RICH == render(Kind.APPOINTMENTS, draft.value, draft.leftovers)


def test_they_survive_an_edit_in_the_crm():
    """Only the line that changed is another one; its unknown parameters go with the text they spoke of or stay."""
    draft = load(Kind.APPOINTMENTS, RICH)
    edited = render(Kind.APPOINTMENTS, replace(draft.value, note="Neu", reminder=60), draft.leftovers)
    kept = [line for line in lines.unfold(RICH) if line not in lines.unfold(edited)]
    assert ["TRIGGER:-PT15M"] == [line for line in kept if line.startswith("TRIGGER")]
    assert all(
        line in edited
        for line in ("ATTACH;FMTTYPE", "GEO:50.77;6.08", 'X-CLIENT;A="b:c":d', "X-WR-FOO:bar", "DESCRIPTION:Neu", "TRIGGER:-P1D")
    )


CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u\r\nN:Berger;Anna;;;\r\nFN:Anna Berger\r\n{}END:VCARD\r\n"


@pytest.mark.parametrize(
    ("told", "slots"),
    [
        ("TEL;TYPE=HOME,VOICE:1\r\nTEL;TYPE=WORK,VOICE:2\r\nTEL;TYPE=CELL:3\r\n", {Slot.HOME: "1", Slot.BUSINESS: "2", Slot.MOBILE: "3"}),
        ("TEL;TYPE=WORK,VOICE:1\r\nTEL;TYPE=WORK,VOICE:2\r\n", {Slot.BUSINESS: "1", Slot.BUSINESS2: "2"}),
        ("TEL;TYPE=WORK,FAX:1\r\nTEL;TYPE=HOME,FAX:2\r\n", {Slot.BUSINESS_FAX: "1", Slot.HOME_FAX: "2"}),
        ("item1.TEL:1\r\nitem1.X-ABLabel:Radio\r\n", {Slot.RADIO: "1"}),
        ("EMAIL:a@x\r\nEMAIL:b@x\r\nEMAIL:c@x\r\n", {Slot.EMAIL1: "a@x", Slot.EMAIL2: "b@x", Slot.EMAIL3: "c@x"}),
        ("TEL;TYPE=PAGER:1\r\nTEL;TYPE=CAR:2\r\n", {Slot.PAGER: "1", Slot.CAR: "2"}),
        ("TEL;HOME;VOICE:1\r\n", {Slot.HOME: "1"}),
        ("TEL;VALUE=uri;TYPE=cell:tel:+491712345678\r\n", {Slot.MOBILE: "+491712345678"}),
        ("TEL;TYPE=HOME;X-ONOFFICE-SLOT=car:1\r\n", {Slot.CAR: "1"}),
    ],
)
def test_rule_47_slots_are_known_by_type_label_and_order(told, slots):
    """The table of section 5, as clients write it."""
    draft = load(Kind.CONTACTS, CARD.format(told))
    assert slots == {slot: value.removeprefix("tel:") for slot, value in draft.sent.items()}


def test_rule_47_two_work_numbers_are_told_apart_by_what_was_there():
    """A client that drops our parameter and reorders the lines means the same."""
    entries = tuple(
        Entry(id=number, kind=EntryKind.PHONE, value=value, type=EntryType.BUSINESS, slot=slot)
        for number, (value, slot) in enumerate([("0241 1", Slot.BUSINESS), ("0241 2", Slot.BUSINESS2)], 1)
    )
    contact = Contact(last_name="Berger", first_name="Anna", entries=entries)
    base = Base(value=contact, text=render(Kind.CONTACTS, contact))
    sent = CARD.format("TEL;TYPE=WORK,VOICE:0241 2\r\nTEL;TYPE=WORK,VOICE:0241 1\r\n")
    assert {Slot.BUSINESS: "0241 1", Slot.BUSINESS2: "0241 2"} == dict(load(Kind.CONTACTS, sent, base).sent)


def test_rules_23_and_46_every_slot_has_a_line_that_comes_back_as_itself():
    """U1: ten phones, two faxes and three addresses at once, also if the client drops our parameter."""
    entries = tuple(
        Entry(
            id=number, kind=slot.kind, value=f"a{number}@x.example" if slot.kind is EntryKind.EMAIL else f"0241 {1000 + number}", slot=slot
        )
        for number, slot in enumerate(Slot, 1)
    )
    contact = Contact(last_name="Berger", entries=entries)
    text, wanted = render(Kind.CONTACTS, contact), {entry.slot: entry.value for entry in entries}
    assert wanted == dict(load(Kind.CONTACTS, text).sent)
    bare = re.sub(r";X-ONOFFICE-SLOT=[a-z0-9_]+", "", "\r\n".join(lines.unfold(text)))
    assert "X-ONOFFICE" not in bare
    assert wanted == dict(load(Kind.CONTACTS, bare, Base(value=contact, text=text)).sent)


def test_u7_numbers_beyond_the_slots_are_the_clients_own():
    """Rule 42: they fill no slot and delete nothing; the client gets them back."""
    told = "".join(f"TEL;TYPE=WORK,VOICE:0241 {number}\r\n" for number in (1, 2, 3))
    draft = load(Kind.CONTACTS, CARD.format(told))
    assert {Slot.BUSINESS: "0241 1", Slot.BUSINESS2: "0241 2"} == dict(draft.sent)
    entries = tuple(Entry(id=n, kind=EntryKind.PHONE, value=v, slot=s) for n, (s, v) in enumerate(draft.sent.items(), 1))
    assert "TEL;TYPE=WORK,VOICE:0241 3\r\n" in render(Kind.CONTACTS, replace(draft.value, entries=entries), draft.leftovers)


SEEDS = [
    CARD.format("TEL;TYPE=HOME:1\r\nBDAY:1980-01-01\r\nPHOTO;ENCODING=b;TYPE=JPEG:AAAA\r\n"),
    RICH,
    RICH.replace("VEVENT", "VTODO").replace("DTEND", "DUE"),
]
KINDS = [Kind.CONTACTS, Kind.APPOINTMENTS, Kind.TASKS]


@settings(max_examples=400)
@given(st.data())
def test_damaged_text_is_refused_and_never_crashes(data):
    """Cut, doubled, shuffled or with lines replaced: BadRequest, or something that can be rendered and read again."""
    number = data.draw(st.integers(0, 2))
    pieces = SEEDS[number].split("\r\n")
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(pieces) - 1))
        pieces[index] = data.draw(
            st.sampled_from(
                [
                    "",
                    "DTSTART:x",
                    "DTSTART;TZID=Nowhere:20260101T000000",
                    "RRULE:FREQ=WEEKLY;INTERVAL=0",
                    "RRULE:FREQ=X",
                    "EXDATE:2",
                    "TRIGGER:-P999999999D",
                ]
            )
            | st.sampled_from(
                [
                    "BDAY:99999999",
                    "DTEND:00010101T000000Z",
                    "RRULE:FREQ=DAILY;COUNT=99999999999",
                    "DURATION:-P1D",
                    "BEGIN:VALARM",
                    "UID:",
                    "DUE:20269999",
                ]
            )
            | st.text(max_size=20)
            | st.just(pieces[index][: len(pieces[index]) // 2])
        )
    try:
        draft = load(KINDS[number], "\r\n".join(pieces))
    except BadRequest:
        return
    load(KINDS[number], render(KINDS[number], draft.value, draft.leftovers))
