"""Appointments from a phone into the CRM and back: patch, formats.load, records.put, and what each phone gets then (rules 60-76)."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from activesync_bridge.items import Flavour, appointments, timezone
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSyncBase, Calendar
from activesync_bridge.wbxml.element import Element
from radicale_onoffice import formats
from radicale_onoffice.core import recurrence
from radicale_onoffice.core.model import Actor, AppointmentStatus, Base, Face, Frequency, Identity, Kind, Recurrence
from tests.items.building import ALL, BERLIN, body, data, first, named, replaced

ANNA = Identity("t", "anna")
PHONE = Actor(identity=ANNA, face=Face.EAS, device="phone")
FLAVOURS = {version: Flavour(version=version, zone=BERLIN) for version in Version}
VERSIONS = pytest.mark.parametrize("version", [Version.V14_1, Version.V16_1], ids=str)
BLOB = timezone.dump("Europe/Berlin", 2026)


class Calendars:
    """Phones of one user over an office."""

    def __init__(self, office):
        self.office = office

    def _put(self, text, record=None, uid=None):
        base = Base(value=record.value, leftovers=record.leftovers, text=record.text) if record else None
        draft = formats.load(Kind.APPOINTMENTS, text, base, zone=BERLIN, region="DE")
        return self.office.records.put(PHONE, Kind.APPOINTMENTS, draft, record_id=record.id if record else None, uid=uid, base=base)

    def add(self, version, *children):
        """An Add; returns the record."""
        sent = data(*children)
        uid = appointments.wanted_uid(sent, FLAVOURS[version]) or None
        return self._put(appointments.patch(None, sent, FLAVOURS[version], ALL, uid=uid or ""), uid=uid)

    def change(self, version, record, *children):
        """A Change as the version's phones make it; returns the record and whether the phone holds what is stored then."""
        sent = data(*children) if version >= Version.V16_0 else replaced(self.shown(version, record), *children)
        stored = self._put(appointments.patch(record.text, sent, FLAVOURS[version], ALL), record)
        return stored, appointments.holds(sent, stored.text, FLAVOURS[version], ALL)

    def instance(self, version, record, instance, *children):
        """A Change of one occurrence; without children its Delete."""
        if children:
            return self._put(appointments.patch_instance(record.text, instance, data(*children), FLAVOURS[version]), record)
        return self._put(appointments.delete_instance(record.text, instance, FLAVOURS[version]), record)

    def shown(self, version, record):
        """What a phone gets."""
        return appointments.dump(record.text, record.uid, FLAVOURS[version])

    def others(self, record):
        """The other appointments of the calendar."""
        names = [entry.record_id for entry in self.office.feeds.listing(ANNA, Kind.APPOINTMENTS) if entry.record_id != record.id]
        return [self.office.records.get("t", name) for name in names]


@pytest.fixture
def calendars(office):
    return Calendars(office)


def times(version, start, end, all_day="0"):
    """The elements of a span, as the version writes it."""
    blob = [] if version >= Version.V16_0 and all_day == "1" else [(Calendar.Timezone, BLOB)]
    return [*blob, (Calendar.AllDayEvent, all_day), (Calendar.StartTime, start), (Calendar.EndTime, end)]


def repeating(**children):
    return Element(Calendar.Recurrence, tuple(Element(getattr(Calendar, name), str(text)) for name, text in children.items()))


TEN = ("20260401T080000Z", "20260401T090000Z")  # 10:00 to 11:00 in Berlin, a Wednesday


@VERSIONS
def test_u23_an_appointment_made_on_a_phone_is_the_users_own(calendars, version):
    """Each field arrives; the reminder is one that onOffice knows (U27), which the phone is told."""
    place = (
        Element(Calendar.Location, "Markt")
        if version < Version.V16_0
        else Element(AirSyncBase.Location, (Element(AirSyncBase.DisplayName, "Markt"),))
    )
    record = calendars.add(
        version,
        *times(version, *TEN),
        (Calendar.UID if version < Version.V16_0 else Calendar.ClientUid, "phone-1"),
        (Calendar.Subject, "Besichtigung"),
        place,
        (Calendar.Reminder, "10"),
        (Calendar.Sensitivity, "2"),
        (Calendar.BusyStatus, "0"),
        body("Zwei\r\nZeilen"),
    )
    value = record.value
    assert ("Besichtigung", "Markt", "Zwei\nZeilen", True, 15, ("anna",), "anna") == (
        value.subject,
        value.location,
        value.note,
        value.private,
        value.reminder,
        value.participants,
        value.creator,
    )
    assert (datetime(2026, 4, 1, 10, tzinfo=BERLIN), AppointmentStatus.AVAILABLE) == (value.start, value.status)
    assert ("phone-1", "15") == (named(calendars.shown(version, record))["UID"], named(calendars.shown(version, record))["Reminder"])
    # A repeated Add is found by its UID, in 16.x by its ClientUid (MS-ASCAL R2062).
    assert record.id == calendars.office.records.with_uid(ANNA, Kind.APPOINTMENTS, "phone-1")


def test_r2223_without_a_client_uid_the_server_makes_one(calendars):
    """MS-ASCAL R2223: and returns it."""
    record = calendars.add(Version.V16_1, *times(Version.V16_1, *TEN), (Calendar.Subject, "x"))
    assert record.id == named(calendars.shown(Version.V16_1, record))["UID"]


@VERSIONS
def test_a_change_that_changes_nothing_writes_nothing(calendars, version):
    """No version, no history, no echo."""
    record = calendars.add(version, *times(version, *TEN), (Calendar.Subject, "x"), repeating(Type=1, DayOfWeek=8), body("n"))
    again, holds = calendars.change(version, record, *calendars.shown(version, record))
    assert (record.version, record.text, True) == (again.version, again.text, holds)


@VERSIONS
@pytest.mark.parametrize(
    ("sent", "stored", "shown"),
    [
        ({"Type": 0, "Interval": 3}, (Frequency.DAY, 3), {"Type": "0", "Interval": "3"}),
        ({"Type": 1, "Interval": 2, "DayOfWeek": 8}, (Frequency.WEEK, 2), {"Type": "1", "Interval": "2", "DayOfWeek": "8"}),
        ({"Type": 2, "DayOfMonth": 1}, (Frequency.MONTH, 1), {"Type": "2", "DayOfMonth": "1"}),
        ({"Type": 5, "DayOfMonth": 1, "MonthOfYear": 4}, (Frequency.YEAR, 1), {"Type": "5", "MonthOfYear": "4"}),
    ],
)
def test_rule_74_what_onoffice_can_hold_is_stored_exactly(calendars, version, sent, stored, shown):
    """The first rows of the table: nothing has to be sent back."""
    record = calendars.add(version, *times(version, *TEN), repeating(**sent))
    assert stored == (record.value.recurrence.frequency, record.value.recurrence.interval)
    found = {child.name: child.text for child in first(calendars.shown(version, record), Calendar.Recurrence).children}
    assert shown.items() <= found.items()
    assert appointments.holds(data(*times(version, *TEN), repeating(**sent)), record.text, FLAVOURS[Version.V16_1], ALL)


@VERSIONS
@pytest.mark.parametrize(
    ("sent", "stored", "shown"),
    [
        ({"Type": 1, "DayOfWeek": 62}, (Frequency.WEEK, 1), {"Type": "1", "DayOfWeek": "8"}),
        ({"Type": 0, "DayOfWeek": 62}, (Frequency.WEEK, 1), {"Type": "1", "DayOfWeek": "8"}),
        (
            {"Type": 3, "DayOfWeek": 8, "WeekOfMonth": 1, "Interval": 2},
            (Frequency.MONTH, 2),
            {"Type": "2", "DayOfMonth": "1", "Interval": "2"},
        ),
        ({"Type": 6, "DayOfWeek": 62, "WeekOfMonth": 5, "MonthOfYear": 4}, (Frequency.YEAR, 1), {"Type": "5", "DayOfMonth": "1"}),
        ({"Type": 5, "DayOfMonth": 1, "MonthOfYear": 4, "CalendarType": 8}, (Frequency.YEAR, 1), {"Type": "5", "MonthOfYear": "4"}),
    ],
)
def test_rule_74_what_it_cannot_hold_is_degraded_and_sent_back(calendars, version, sent, stored, shown):
    """The stored form goes to the phone, the original rule stays in the leftovers, also when the phone sends the stored form."""
    record = calendars.add(version, *times(version, *TEN), repeating(**sent))
    assert stored == (record.value.recurrence.frequency, record.value.recurrence.interval)
    assert record.leftovers.rule.startswith(("RRULE:FREQ", "RRULE:RSCALE"))
    element = first(calendars.shown(version, record), Calendar.Recurrence)
    assert shown.items() <= {child.name: child.text for child in element.children}.items()
    assert not appointments.holds(data(repeating(**sent)), record.text, FLAVOURS[Version.V16_1], ALL)
    again, holds = calendars.change(version, record, element, (Calendar.Subject, "Neu"))
    assert (record.leftovers.rule, record.value.recurrence, True) == (again.leftovers.rule, again.value.recurrence, holds)


@VERSIONS
def test_rule_74_a_count_becomes_an_end(calendars, version):
    """Exact for the stored rule; the phone's own count is what it gets back."""
    record = calendars.add(version, *times(version, *TEN), repeating(Type=1, DayOfWeek=8, Occurrences=3))
    assert Recurrence(frequency=Frequency.WEEK, until=date(2026, 4, 15)) == record.value.recurrence
    assert "3" == first(calendars.shown(version, record), Calendar.Recurrence).text_of(Calendar.Occurrences)


def test_rule_72_a_changed_exception_leaves_the_series_and_stands_alone(calendars):
    """Up to 14.1: the phone is told that the occurrence is gone from the series, and gets the appointment that it became."""
    record = calendars.add(Version.V14_1, *times(Version.V14_1, *TEN), (Calendar.Subject, "Jour fixe"), repeating(Type=1, DayOfWeek=8))
    told = (
        Element(Calendar.ExceptionStartTime, "20260415T080000Z"),
        Element(Calendar.StartTime, "20260416T120000Z"),
        Element(Calendar.EndTime, "20260416T133000Z"),
    )
    changed, holds = calendars.change(Version.V14_1, record, Element(Calendar.Exceptions, (Element(Calendar.Exception, told),)))
    (alone,) = calendars.others(changed)
    assert ((date(2026, 4, 15),), False) == (changed.value.recurrence.exceptions, holds)
    assert ("Jour fixe", datetime(2026, 4, 16, 14, tzinfo=BERLIN), None) == (alone.value.subject, alone.value.start, alone.value.recurrence)
    assert "20260416T133000Z" == named(calendars.shown(Version.V14_1, alone))["EndTime"]
    (left,) = first(calendars.shown(Version.V14_1, changed), Calendar.Exceptions).children
    assert ("1", "20260415T080000Z") == (left.text_of(Calendar.Deleted), left.text_of(Calendar.ExceptionStartTime))
    again, _ = calendars.change(Version.V14_1, changed, Element(Calendar.Exceptions, (Element(Calendar.Exception, told),)))
    assert (changed.version, 1) == (again.version, len(calendars.others(changed)))


def test_rule_72_an_instance_of_16_stands_alone_or_goes(calendars):
    """By its InstanceId (MS-ASCAL R2113, MS-ASCMD R6420)."""
    record = calendars.add(Version.V16_1, *times(Version.V16_1, *TEN), (Calendar.Subject, "Jour fixe"), repeating(Type=1, DayOfWeek=8))
    changed = calendars.instance(Version.V16_1, record, "20260415T080000Z", (Calendar.Subject, "Besonderer"))
    (alone,) = calendars.others(changed)
    assert ("Besonderer", datetime(2026, 4, 15, 10, tzinfo=BERLIN)) == (alone.value.subject, alone.value.start)
    deleted = calendars.instance(Version.V16_1, changed, "20260422T080000Z")
    assert (date(2026, 4, 15), date(2026, 4, 22)) == deleted.value.recurrence.exceptions
    assert 1 == len(calendars.others(deleted))


@VERSIONS
def test_whole_days_are_the_same_days_in_every_version_and_zone(calendars, version):
    """Made in Berlin; edited by a phone in Tokyo that sends its own midnights."""
    span = ("20260331T220000Z", "20260402T220000Z") if version < Version.V16_0 else ("20260401T000000Z", "20260403T000000Z")
    record = calendars.add(version, *times(version, *span, all_day="1"), (Calendar.Subject, "Messe"))
    assert (date(2026, 4, 1), date(2026, 4, 2)) == (record.value.start, record.value.end)
    shown = [named(calendars.shown(one, record))["StartTime"] for one in (Version.V12_1, Version.V16_0)]
    assert ["20260331T220000Z", "20260401T000000Z"] == shown
    abroad = [
        (Calendar.Timezone, timezone.dump("Asia/Tokyo", 2026)),
        (Calendar.StartTime, "20260331T150000Z"),
        (Calendar.EndTime, "20260402T150000Z"),
    ]
    edited, _ = calendars.change(Version.V14_1, record, *abroad, (Calendar.Subject, "Kongress"))
    assert (record.value.start, record.value.end, "Kongress") == (edited.value.start, edited.value.end, edited.value.subject)


@VERSIONS
def test_a_weekly_series_keeps_its_hour_across_the_change_of_clocks(calendars, version):
    """From 18 March, 10:00 in Berlin, over 29 March: 09:00Z before, 08:00Z after (pain 15)."""
    record = calendars.add(version, *times(version, "20260318T090000Z", "20260318T100000Z"), repeating(Type=1, DayOfWeek=8, Occurrences=3))
    spans = list(recurrence.occurrences(record.value, BERLIN, 0, 2**40))
    hours = [datetime.fromtimestamp(start, ZoneInfo("UTC")).hour for start, _ in spans]
    assert ([9, 9, 8], "Europe/Berlin") == (hours, record.value.start.tzinfo.key)
    deleted = Element(Calendar.Exception, (Element(Calendar.Deleted, "1"), Element(Calendar.ExceptionStartTime, "20260401T080000Z")))
    changed, _ = calendars.change(Version.V14_1, record, Element(Calendar.Exceptions, (deleted,)))
    assert (date(2026, 4, 1),) == changed.value.recurrence.exceptions
    assert "20260401T080000Z" in str(calendars.shown(version, changed))


def test_a_dav_clients_event_survives_a_phones_edit(calendars):
    """Issue 3.4: everything that EAS cannot name, with a name of the resource that is not the UID (fact 8)."""
    text = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Client//EN\r\nBEGIN:VEVENT\r\nUID:orig-uid-1\r\nDTSTAMP:20260101T000000Z\r\n"
        "DTSTART;TZID=Europe/Berlin:20260401T100000\r\nDURATION:PT1H\r\nSUMMARY:alt\r\nATTACH:https://example.org/a\r\nX-FOO:bar\r\nSEQUENCE:2\r\n"
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:a\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\n"
        "BEGIN:VALARM\r\nACTION:EMAIL\r\nDESCRIPTION:b\r\nTRIGGER:-P1D\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    draft = formats.load(Kind.APPOINTMENTS, text, None, zone=BERLIN, region="DE")
    record = calendars.office.records.put(Actor(identity=ANNA, face=Face.DAV), Kind.APPOINTMENTS, draft, uid="orig-uid-1", name="ev1.ics")
    edited, holds = calendars.change(Version.V14_1, record, (Calendar.Subject, "neu"))
    assert (record.text.replace("SUMMARY:alt", "SUMMARY:neu"), True) == (edited.text, holds)
