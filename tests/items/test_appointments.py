"""Appointments between [MS-ASCAL] and iCalendar: what is sent, what a change alters, and what it leaves alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activesync_bridge.items import Flavour, Ghosting, appointments, timezone
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSyncBase, Calendar
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.errors import BadRequest, NotFound
from radicale_onoffice.formats import lines
from tests.items import events
from tests.items.building import ALL, BERLIN, NOTHING, body, data, first, named, replaced
from tests.items.events import alarm, event

OLD, NEW = Flavour(version=Version.V14_1, zone=BERLIN), Flavour(version=Version.V16_1, zone=BERLIN)
BOTH = pytest.mark.parametrize("flavour", [OLD, NEW], ids=["14.1", "16.1"])
TOKYO, NEW_YORK = timezone.dump("Asia/Tokyo", 2026), timezone.dump("America/New_York", 2026)
VISIT = ("DTSTART;TZID=Europe/Berlin:20260401T100000", "DTEND;TZID=Europe/Berlin:20260401T110000", "SUMMARY:Besichtigung")
SINGLE = event(*VISIT)
WEEKLY = event(*VISIT, "RRULE:FREQ=WEEKLY;UNTIL=20260701T080000Z", "EXDATE;TZID=Europe/Berlin:20260408T100000")
HOLIDAY = event("DTSTART;VALUE=DATE:20260401", "DTEND;VALUE=DATE:20260403", "SUMMARY:Messe")


def dump(text, flavour):
    return appointments.dump(text, "u", flavour)


def change(text, flavour, *changes, ghosting=ALL):
    """The text after a client sent changes: the whole item up to 14.1, only what changed in 16.x."""
    sent = data(*changes) if flavour is NEW else replaced(dump(text, flavour), *changes)
    return appointments.patch(text, sent, flavour, ghosting)


def new(flavour, *children, now=None):
    return appointments.patch(None, data(*children), flavour, ALL, uid="u", now=now)


def altered(before, after):
    """(lines that went, lines that came)."""
    old, now = lines.unfold(before), lines.unfold(after)
    return [one for one in old if one not in now], [one for one in now if one not in old]


# ---------------------------------------------------------------- what is sent


def test_a_single_appointment_is_sent_as_utc_with_its_zone():
    """Compact dates (R240), StartTime and EndTime always (R235, R434), the zone's rules of its own year."""
    sent = dump(SINGLE, OLD)
    assert [
        ("Timezone", timezone.dump("Europe/Berlin", 2026)),
        ("AllDayEvent", "0"),
        ("StartTime", "20260401T080000Z"),
        ("EndTime", "20260401T090000Z"),
        ("DtStamp", "20260101T000000Z"),
        ("Subject", "Besichtigung"),
        ("UID", "u"),
        ("BusyStatus", "2"),
        ("Sensitivity", "0"),
        ("MeetingStatus", "0"),
        ("DisallowNewTimeProposal", "0"),
    ] == [(one.name, one.text) for one in sent if not one.children]


def test_whole_days_are_midnights_before_16_and_dates_without_a_zone_since():
    """Fact 25; R2005-R2008, R565. The end is exclusive in both."""
    old, now = named(dump(HOLIDAY, OLD)), named(dump(HOLIDAY, NEW))
    assert ("1", "20260331T220000Z", "20260402T220000Z", True) == (old["AllDayEvent"], old["StartTime"], old["EndTime"], "Timezone" in old)
    assert ("1", "20260401T000000Z", "20260403T000000Z", False) == (now["AllDayEvent"], now["StartTime"], now["EndTime"], "Timezone" in now)


@BOTH
def test_days_left_out_of_a_series_are_deleted_exceptions(flavour):
    """With ExceptionStartTime up to 14.1 and InstanceId in 16.x (fact 22; R2098, R2106)."""
    (exception,) = first(dump(WEEKLY, flavour), Calendar.Exceptions).children
    tag = AirSyncBase.InstanceId if flavour is NEW else Calendar.ExceptionStartTime
    assert ("1", "20260408T080000Z") == (exception.text_of(Calendar.Deleted), exception.text_of(tag))


def test_days_left_out_of_whole_days_are_converted_as_the_start_is():
    """Or they do not match (mustang PR#1401)."""
    text = event("DTSTART;VALUE=DATE:20260401", "RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20260402")
    found = [first(dump(text, one), Calendar.Exceptions).children[0].children[1].text for one in (OLD, NEW)]
    assert ["20260401T220000Z", "20260402T000000Z"] == found


@BOTH
def test_rule_76_nobody_can_be_mailed(flavour):
    """Attendees that some client left in the text are sent to no phone: no meeting (R309), no organizer, nobody (pains 11, 35)."""
    text = event(*VISIT, "ORGANIZER:mailto:a@example.org", "ATTENDEE;CN=B:mailto:b@example.org")
    sent = dump(text, flavour)
    assert "0" == named(sent)["MeetingStatus"]
    assert not {Calendar.Attendees, Calendar.OrganizerEmail, Calendar.OrganizerName} & {one.tag for one in sent}


@pytest.mark.parametrize(
    ("lines_", "status"),
    [
        ((), "2"),
        (("TRANSP:TRANSPARENT",), "0"),  # "participants available", rule 58
        (("STATUS:CANCELLED",), "0"),
        (("STATUS:TENTATIVE",), "1"),
        (("X-MICROSOFT-CDO-BUSYSTATUS:OOF",), "3"),
        (("X-MICROSOFT-CDO-BUSYSTATUS:OOF", "TRANSP:TRANSPARENT"), "0"),  # the CRM's word counts
        (("X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE",), "4"),
    ],
)
def test_busy_status(lines_, status):
    """4 is not for versions before 16 (R2235, R2044)."""
    text = event(*VISIT, *lines_)
    assert (status, "2" if status == "4" else status) == tuple(named(dump(text, one))["BusyStatus"] for one in (NEW, OLD))


def test_location_is_a_text_before_16_and_a_place_since():
    """R2134, R2135; with its position."""
    text = event(*VISIT, "LOCATION:Markt 1\\, Aachen", "GEO:50.77;6.08")
    place = first(dump(text, NEW), AirSyncBase.Location)
    assert "Markt 1, Aachen" == named(dump(text, OLD))["Location"] == place.text_of(AirSyncBase.DisplayName)
    assert ("50.77", "6.08") == (place.text_of(AirSyncBase.Latitude), place.text_of(AirSyncBase.Longitude))


# -------------------------------------------------------- nothing is nothing


@settings(max_examples=300, deadline=None)
@given(events.events(), st.sampled_from(list(Version)), st.sampled_from([ALL, NOTHING, Ghosting(frozenset({Calendar.Categories}))]))
def test_what_was_sent_coming_back_changes_no_byte(text, version, ghosting):
    """Whatever the event has that EAS cannot name (issue 3.4)."""
    flavour = Flavour(version=version, zone=BERLIN)
    sent = data(*dump(text, flavour))
    assert text == appointments.patch(text, sent, flavour, ghosting)
    assert appointments.holds(sent, text, flavour, ghosting)


FIELDS = {
    "SUMMARY": lambda _: Element(Calendar.Subject, "Neu"),
    "LOCATION": lambda one: (
        Element(AirSyncBase.Location, (Element(AirSyncBase.DisplayName, "Dort"),)) if one is NEW else Element(Calendar.Location, "Dort")
    ),
    "DESCRIPTION": lambda _: body("Andere Notiz"),
    "CLASS": lambda _: Element(Calendar.Sensitivity, "1"),
    "CATEGORIES": lambda _: Element(Calendar.Categories, (Element(Calendar.Category, "Ganz neu"),)),
    "TRIGGER": lambda _: Element(Calendar.Reminder, "77"),
    "RRULE": lambda _: Element(Calendar.Recurrence, (Element(Calendar.Type, "0"), Element(Calendar.Interval, "5"))),
}
MAY_GO_TOO = {
    "LOCATION": {"GEO"},
    "RRULE": {"EXDATE"},
    "TRIGGER": {"BEGIN", "END", "ACTION", "DESCRIPTION"},  # a reminder where there was none
}


@settings(max_examples=300, deadline=None)
@given(events.events(), st.sampled_from([OLD, NEW]), st.sampled_from(sorted(FIELDS)))
def test_one_changed_field_alters_its_own_lines_only(text, flavour, name):
    """And what comes is read back as it was sent."""
    element = FIELDS[name](flavour)
    after = change(text, flavour, element)
    names = {one.split(":")[0].split(";")[0] for side in altered(text, after) for one in side}
    assert name in names
    if name == "RRULE" and re.search(r"DTSTART:\w+Z", text) and "RRULE" not in text:
        assert "DTSTART;TZID=Europe/Berlin" in after  # what begins to recur gets a zone to recur in, never UTC
        return
    assert names <= {name, *MAY_GO_TOO.get(name, ())}
    assert appointments.holds(data(element) if flavour is NEW else replaced(dump(text, flavour), element), after, flavour, NOTHING)


@BOTH
def test_a_changed_start_keeps_the_zone_and_the_other_lines(flavour):
    """TZID and all."""
    after = change(SINGLE, flavour, (Calendar.StartTime, "20260401T070000Z"))
    assert (["DTSTART;TZID=Europe/Berlin:20260401T100000"], ["DTSTART;TZID=Europe/Berlin:20260401T090000"]) == tuple(
        [one for one in side if "VTIMEZONE" not in one and one.startswith("DTSTART;TZID")] for side in altered(SINGLE, after)
    )


# ------------------------------------------------------------------------ times


@pytest.mark.parametrize(
    ("blob", "start", "end"),
    [
        (timezone.dump("Europe/Berlin", 2026), "20260331T220000Z", "20260402T220000Z"),
        (NEW_YORK, "20260401T040000Z", "20260403T040000Z"),
        (TOKYO, "20260331T150000Z", "20260402T150000Z"),
        (NEW_YORK, "20260401T000000Z", "20260403T000000Z"),  # a date in UTC beside the phone's own zone
        ("", "20260331T220000Z", "20260402T220000Z"),
        ("", "20260401T070000Z", "20260403T070000Z"),
        ("", "20260331T140000Z", "20260402T140000Z"),
        ("", "20260401T000000Z", "20260402T235959Z"),
        (timezone.dump("Europe/Berlin", 2026), "20260331T220000Z", "20260402T215900Z"),  # the last minute of the last day
        ("A" * 232, "20260401T000000Z", "20260403T000000Z"),  # a blank structure
    ],
)
def test_pain_16_whole_days_of_a_phone_in_any_zone_are_the_days_that_it_shows(blob, start, end):
    """Pains 16, 46: never a day early, never two days."""
    made = new(OLD, (Calendar.Timezone, blob), (Calendar.AllDayEvent, "1"), (Calendar.StartTime, start), (Calendar.EndTime, end))
    assert "DTSTART;VALUE=DATE:20260401\r\nDTEND;VALUE=DATE:20260403\r\n" in made
    sent = replaced(dump(HOLIDAY, OLD), (Calendar.Timezone, blob), (Calendar.StartTime, start), (Calendar.EndTime, end))
    assert HOLIDAY == appointments.patch(HOLIDAY, sent, OLD, ALL)


@pytest.mark.parametrize(("start", "end"), [("20260401T000000Z", "20260403T000000Z"), ("20260401", "20260403")])
def test_r2005_whole_days_of_16_are_literal(start, end):
    """With or without a time of day."""
    made = new(NEW, (Calendar.AllDayEvent, "1"), (Calendar.StartTime, start), (Calendar.EndTime, end))
    assert "DTSTART;VALUE=DATE:20260401\r\nDTEND;VALUE=DATE:20260403\r\n" in made


@BOTH
def test_whole_days_and_times_turn_into_each_other(flavour):
    """In 16.x with nothing but AllDayEvent, too."""
    to_day = (Calendar.StartTime, "20260331T220000Z"), (Calendar.EndTime, "20260401T220000Z")
    after = change(SINGLE, flavour, (Calendar.AllDayEvent, "1"), *(to_day if flavour is OLD else ()))
    assert "DTSTART;VALUE=DATE:20260401\r\nDTEND;VALUE=DATE:20260402\r\n" in after
    back = change(
        after, flavour, (Calendar.AllDayEvent, "0"), (Calendar.StartTime, "20260401T080000Z"), (Calendar.EndTime, "20260401T090000Z")
    )
    assert ("0", "20260401T080000Z") == (named(dump(back, flavour))["AllDayEvent"], named(dump(back, flavour))["StartTime"])


def test_an_end_before_the_start_is_the_start():
    """Clamped, not refused."""
    made = new(OLD, (Calendar.StartTime, "20260401T080000Z"), (Calendar.EndTime, "20260401T070000Z"))
    assert "DTEND;TZID=Europe/Berlin:20260401T100000" in made


NOON = datetime(2026, 3, 15, 12, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "stored"),
    [
        (None, None, ("20260315T123000Z", "20260315T130000Z")),  # R52514
        (None, "20260315T140000Z", ("20260315T123000Z", "20260315T140000Z")),  # R52516
        ("20260315T110000Z", None, ("20260315T110000Z", "20260315T130000Z")),  # R52517
        (None, "20260315T110000Z", None),  # R52515
        (None, "20260315T121500Z", None),  # R5251611
        ("20260315T140000Z", None, None),  # R52518
    ],
)
def test_r52511_missing_times_of_a_new_event_are_made_from_the_present(start, end, stored):
    """The table of 3.2.4.4 at 12:03, which rounds to 12:30."""
    times = [(tag, text) for tag, text in ((Calendar.StartTime, start), (Calendar.EndTime, end)) if text]
    if stored is None:
        with pytest.raises(BadRequest):
            new(OLD, *times, now=NOON)
        return
    sent = named(dump(new(OLD, *times, now=NOON), OLD))
    assert stored == (sent["StartTime"], sent["EndTime"])


def test_r53915_an_end_without_a_start_is_a_mistake_before_16():
    """In 16.x the start that is left out is the one that was (R2231)."""
    with pytest.raises(BadRequest):
        appointments.patch(SINGLE, data((Calendar.EndTime, "20260401T093000Z")), OLD, ALL)
    assert "DTEND;TZID=Europe/Berlin:20260401T113000" in change(SINGLE, NEW, (Calendar.EndTime, "20260401T093000Z"))


@pytest.mark.parametrize("text", ["tomorrow", "20261301T000000Z", "20260401T080000+0200"])
def test_a_date_that_is_none_is_refused(text):
    """Status 6 for the item."""
    with pytest.raises(BadRequest):
        change(SINGLE, OLD, (Calendar.StartTime, text))


@BOTH
def test_a_single_appointment_keeps_its_zone_whatever_the_phone_names(flavour):
    """The moment is what counts (MS-ASDTYPE R54); Windows clients name none (fact 2.13)."""
    assert SINGLE == change(SINGLE, flavour, (Calendar.Timezone, TOKYO))
    moved = change(SINGLE, flavour, (Calendar.Timezone, None), (Calendar.StartTime, "20260401T070000Z")) if flavour is OLD else None
    assert moved is None or "DTSTART;TZID=Europe/Berlin:20260401T090000" in moved


def test_fact_11_our_own_structure_coming_back_keeps_a_series_where_it_is():
    """A zone that no name tells apart, and one whose name is Windows' only."""
    for key in ("Europe/Vienna", "Asia/Kolkata", "W. Europe Standard Time"):
        text = WEEKLY.replace("Europe/Berlin", key)
        assert text == appointments.patch(text, data(*dump(text, OLD)), OLD, ALL)


# ---------------------------------------------------------------------- fields


def test_r5912_what_is_omitted_before_16_is_deleted_unless_it_is_ghosted():
    """MS-ASCMD R5912. But the note, exceptions, and the type, which is the CRM's, stay (rule 65; MS-ASCAL R541, MS-ASCNTC R461)."""
    text = event(
        *VISIT, "LOCATION:Dort", "CLASS:PRIVATE", "DESCRIPTION:Notiz", "CATEGORIES:Termin,Extra", "RRULE:FREQ=DAILY", *alarm("-PT15M")
    )
    bare = data(*(one for one in dump(text, OLD) if one.name in ("StartTime", "EndTime", "Timezone", "Subject")))
    gone = altered(text, appointments.patch(text, bare, OLD, ALL))[0]
    assert {"LOCATION:Dort", "CLASS:PRIVATE", "RRULE:FREQ=DAILY", "TRIGGER:-PT15M"} <= set(gone)
    assert not {"DESCRIPTION:Notiz", "CATEGORIES:Termin,Extra"} & set(gone)
    assert ["LOCATION:Dort"] == altered(text, appointments.patch(text, bare, OLD, NOTHING))[0]  # which is never ghosted (R301)
    assert "CATEGORIES" not in appointments.patch(text, bare, OLD, Ghosting(frozenset({Calendar.Categories})))


def test_r2231_in_16_what_is_omitted_stays_and_what_is_empty_goes():
    """Whatever Supported said."""
    text = event(*VISIT, "LOCATION:Dort", "DESCRIPTION:Notiz", "CATEGORIES:Termin", "RRULE:FREQ=DAILY", *alarm("-PT15M"))
    assert ["SUMMARY:Besichtigung"] == altered(text, appointments.patch(text, data((Calendar.Subject, "Neu")), NEW, ALL))[0]
    empty = [Element(tag) for tag in (Calendar.Subject, AirSyncBase.Location, Calendar.Reminder, Calendar.Categories, Calendar.Recurrence)]
    after = appointments.patch(text, data(*empty), NEW, ALL)
    assert not any(name in after for name in ("SUMMARY", "LOCATION", "VALARM", "CATEGORIES", "RRULE"))
    assert "DESCRIPTION:Notiz" in after


def test_pain_33_an_alarm_added_on_a_phone_leaves_the_note():
    """tine20#4140; and a second alarm stays beside the first."""
    text = event(*VISIT, "DESCRIPTION:Notiz", *alarm("-P1D", "EMAIL"))
    after = change(text, NEW, (Calendar.Reminder, "30"))
    assert ([], ["ACTION:DISPLAY", "DESCRIPTION:Reminder", "TRIGGER:-PT30M"]) == altered(text, after)


def test_a_new_place_is_no_longer_where_the_old_one_was():
    """GEO goes with it; with a position of its own it changes."""
    text = event(*VISIT, "LOCATION:Dort", "GEO:1;2")
    place = (Element(AirSyncBase.DisplayName, "Hier"), Element(AirSyncBase.Latitude, "3"), Element(AirSyncBase.Longitude, "4"))
    assert "GEO:3;4" in change(text, NEW, Element(AirSyncBase.Location, place))
    assert "GEO" not in change(text, OLD, (Calendar.Location, "Hier"))


def test_a_word_added_to_categories_does_not_become_the_type():
    """The first one is the type; phones sort."""
    text = event(*VISIT, "CATEGORIES:Termin,Extra")
    words = Element(Calendar.Categories, tuple(Element(Calendar.Category, word) for word in ("Anruf", "Extra", "Termin")))
    assert "CATEGORIES:Termin,Extra,Anruf" in change(text, OLD, words)


@pytest.mark.parametrize(
    ("status", "came"),
    [("0", ["TRANSP:TRANSPARENT"]), ("1", ["X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE"]), ("3", ["X-MICROSOFT-CDO-BUSYSTATUS:OOF"])],
)
def test_busy_status_is_kept_in_the_words_that_other_clients_know(status, came):
    """0 is onOffice's "participants available"; finer ones are leftovers."""
    after = change(SINGLE, OLD, (Calendar.BusyStatus, status))
    assert ([], came) == altered(SINGLE, after)
    assert status == named(dump(after, OLD))["BusyStatus"]
    assert "2" == named(dump(change(after, OLD, (Calendar.BusyStatus, "2")), OLD))["BusyStatus"]


@pytest.mark.parametrize("sensitivity", ["0", "1", "2", "3"])
def test_each_sensitivity_comes_back(sensitivity):
    """Also 1, personal, which iCalendar has no word for; an unchanged CLASS stays as it is."""
    after = change(SINGLE, OLD, (Calendar.Sensitivity, sensitivity))
    assert sensitivity == named(dump(after, OLD))["Sensitivity"]
    public = event(*VISIT, "CLASS:PUBLIC")
    assert public == change(public, OLD, (Calendar.Sensitivity, "0"))


@pytest.mark.parametrize("element", [(Calendar.Reminder, "soon"), (Calendar.Sensitivity, "9"), (Calendar.BusyStatus, "x")])
def test_a_value_outside_of_its_bounds_is_refused(element):
    """R428, R138."""
    with pytest.raises(BadRequest):
        change(SINGLE, OLD, element)


def test_a_phones_attendees_are_kept_where_no_client_can_invite_them():
    """They change nothing when they come again, and are sent to nobody (rule 76)."""
    who = Element(Calendar.Attendee, (Element(Calendar.Email, "b@example.org"), Element(Calendar.Name, "B; C")))
    sent = replaced(dump(SINGLE, OLD), Element(Calendar.Attendees, (who,)), (Calendar.MeetingStatus, "1"))
    after = appointments.patch(SINGLE, sent, OLD, ALL)
    assert ([], ['X-EAS-ATTENDEE;CN="B; C";X-TYPE=1:b@example.org']) == altered(SINGLE, after)
    assert after == appointments.patch(after, sent, OLD, ALL)
    assert first(dump(after, OLD), Calendar.Attendees) is None


def test_the_client_uid_of_16_guards_against_a_second_one():
    """Fact 24. Kept beside the event, without the NUL that iOS ends it with (R2060-R2062)."""
    item = data((Calendar.ClientUid, "ABC123\0"), (Calendar.StartTime, "20260401T080000Z"), (Calendar.EndTime, "20260401T090000Z"))
    assert "ABC123" == appointments.wanted_uid(item, NEW)
    made = appointments.patch(None, item, NEW, ALL)
    assert "UID:ABC123\r\n" in made
    assert "X-EAS-CLIENTUID:ABC123\r\n" in made
    assert "4711" == appointments.wanted_uid(data((Calendar.UID, "4711"), (Calendar.ClientUid, "x")), OLD)


# ------------------------------------------------------------------- occurrences


def exceptions(*children):
    return Element(Calendar.Exceptions, tuple(Element(Calendar.Exception, tuple(Element(*one) for one in some)) for some in children))


def test_a_deleted_exception_is_an_exdate_and_the_others_stay():
    """R210, R541, R542, R54111 (fact 20, pain 20)."""
    deleted = exceptions([(Calendar.Deleted, "1"), (Calendar.ExceptionStartTime, "20260415T080000Z")])
    after = change(WEEKLY, OLD, deleted)
    assert ([], ["EXDATE;TZID=Europe/Berlin:20260415T100000"]) == altered(WEEKLY, after)
    assert WEEKLY == change(WEEKLY, OLD, (Calendar.Exceptions, None), ghosting=Ghosting(frozenset({Calendar.Exceptions})))


def test_a_changed_occurrence_is_an_override_with_the_series_own_lines():
    """What the exception does not say is the series' (R82, R298 ...), what is empty is removed (R508)."""
    text = event(*VISIT, "LOCATION:Dort", "RRULE:FREQ=WEEKLY", "X-A:1", *alarm("-PT15M"))
    told = [
        (Calendar.ExceptionStartTime, "20260415T080000Z"),
        (Calendar.StartTime, "20260415T120000Z"),
        (Calendar.Subject, "Später"),
        (Calendar.Location, ""),
    ]
    after = change(text, OLD, exceptions(told))
    calendar = lines.parse(after)[0]
    _, own = calendar.components("VEVENT")
    raw = [part.raw for part in own.parts if isinstance(part, lines.Line)]
    assert [
        "RECURRENCE-ID;TZID=Europe/Berlin:20260415T100000",
        "DTSTART;TZID=Europe/Berlin:20260415T140000",
        "DTEND;TZID=Europe/Berlin:20260415T150000",
        "UID:u",
        "DTSTAMP:20260101T000000Z",
        "SUMMARY:Später",
        "X-A:1",
    ] == raw
    assert 1 == len(own.components("VALARM"))
    assert not appointments.holds(data(exceptions(told)), after, OLD, NOTHING)


@pytest.mark.parametrize("told", [[(Calendar.Subject, "Besichtigung")], []])
def test_an_exception_that_differs_in_nothing_is_none(told):
    """Neither is one that is left out already, nor one of what does not recur (EAS-4-TbSync#355)."""
    known = exceptions(
        [(Calendar.ExceptionStartTime, "20260415T080000Z"), *told],
        [(Calendar.ExceptionStartTime, "20260408T080000Z"), (Calendar.Subject, "x")],
    )
    assert WEEKLY == change(WEEKLY, OLD, known)
    assert SINGLE == change(SINGLE, OLD, known)


def test_fact_21_an_instance_of_16_is_changed_by_its_id():
    """Without a Timezone, as iOS does (pain 46)."""
    after = appointments.patch_instance(WEEKLY, "20260415T080000Z", data((Calendar.StartTime, "20260415T090000Z")), NEW)
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20260415T100000\r\nDTSTART;TZID=Europe/Berlin:20260415T110000\r\n" in after
    assert WEEKLY == appointments.patch_instance(WEEKLY, "20260415T080000Z", data((Calendar.Subject, "Besichtigung")), NEW)


def test_an_instance_of_16_is_deleted_by_its_id():
    """Again is the same."""
    after = appointments.delete_instance(WEEKLY, "20260415T080000Z", NEW)
    assert ([], ["EXDATE;TZID=Europe/Berlin:20260415T100000"]) == altered(WEEKLY, after)
    assert after == appointments.delete_instance(after, "20260415T080000Z", NEW)
    days = event("DTSTART;VALUE=DATE:20260401", "RRULE:FREQ=DAILY")
    assert "EXDATE;VALUE=DATE:20260403" in appointments.delete_instance(days, "20260403T000000Z", NEW)


def test_an_instance_that_does_not_exist_is_not_found():
    """Nor one of a single appointment."""
    for day in ("20260416T080000Z", "20270101T090000Z", "20260325T090000Z"):
        with pytest.raises(NotFound):
            appointments.delete_instance(WEEKLY, day, NEW)
    with pytest.raises(NotFound):
        appointments.patch_instance(WEEKLY, "20260408T080000Z", data((Calendar.Subject, "x")), NEW)
    with pytest.raises(BadRequest):
        appointments.delete_instance(SINGLE, "20260401T080000Z", NEW)


@pytest.mark.parametrize("tag", [Calendar.StartTime, Calendar.EndTime])
def test_r2097_r2202_in_16_new_times_of_a_series_take_its_exceptions_back(tag):
    """Fact 23. Before 16 they move along; the series' last day stays the last one."""
    moved = "20260401T120000Z" if tag == Calendar.EndTime else "20260401T083000Z"
    assert "EXDATE" not in change(WEEKLY, NEW, (tag, moved))
    later = change(WEEKLY, OLD, (Calendar.StartTime, "20260401T120000Z"), (Calendar.EndTime, "20260401T130000Z"))
    assert "EXDATE;TZID=Europe/Berlin:20260408T140000" in later
    assert "UNTIL=20260701T120000Z" in later
    assert "UNTIL=20260701T120000Z" in change(WEEKLY, NEW, (Calendar.StartTime, "20260401T120000Z"), (Calendar.EndTime, "20260401T130000Z"))


def test_r2180_in_16_another_pattern_takes_the_exceptions_back():
    """Another end is no other pattern."""
    daily = Element(Calendar.Recurrence, (Element(Calendar.Type, "0"), Element(Calendar.Interval, "1")))
    shorter = Element(Calendar.Recurrence, (Element(Calendar.Until, "20260601T000000Z"),))
    assert "EXDATE" not in change(WEEKLY, NEW, daily)
    assert "EXDATE" in change(WEEKLY, NEW, shorter)
    assert "EXDATE" in change(WEEKLY, OLD, daily)


def test_a_series_that_moves_to_another_zone_moves_its_lines():
    """Its hour is kept by the new zone's clocks."""
    after = change(
        WEEKLY, OLD, (Calendar.Timezone, NEW_YORK), (Calendar.StartTime, "20260401T140000Z"), (Calendar.EndTime, "20260401T150000Z")
    )
    assert "DTSTART;TZID=America/New_York:20260401T100000" in after
    assert "EXDATE;TZID=America/New_York:20260408T100000" in after
    assert "BEGIN:VTIMEZONE\r\nTZID:America/New_York" in after


@pytest.mark.parametrize("end", ["", "DTEND:20260401T080000Z\r\n", "DURATION:PT0S\r\n"])
def test_an_event_in_utc_that_begins_to_recur_gets_a_zone_to_recur_in(end):
    """Also where a 16.x client sends the Recurrence alone, and whatever its length."""
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTART:20260401T070000Z\r\n{end}END:VEVENT\r\nEND:VCALENDAR\r\n"
    after = change(text, NEW, FIELDS["RRULE"](NEW))
    assert "DTSTART;TZID=Europe/Berlin:20260401T090000" in after
    assert "RRULE:" in after
