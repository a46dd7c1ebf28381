"""What a phone sends in earnest or by mistake never ends in anything but a stored appointment or a refusal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activesync_bridge.items import Flavour, appointments, timezone
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import Calendar
from activesync_bridge.wbxml.element import Element
from radicale_onoffice import formats
from radicale_onoffice.core import recurrence
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import Appointment, AppointmentStatus, Frequency, Kind, Leftovers, Recurrence
from radicale_onoffice.core.policy import Policy
from tests.items import events
from tests.items.building import ALL, BERLIN, NOTHING, data

DATES = ["20260401T080000Z", "20260401", "00010101T000000Z", "99991231T235959Z", "2026-04-01T08:00:00.000Z", "20260415T080000Z", "", "x"]
BLOBS = [
    "",
    timezone.dump("America/New_York", 2026),
    timezone.dump("Asia/Tokyo", 2026),
    "A" * 232,
    "/" * 232,
    timezone.dump("Pacific/Kiritimati", 2026),
]
CHILDREN = st.one_of(
    st.tuples(st.sampled_from([Calendar.StartTime, Calendar.EndTime, Calendar.DtStamp]), st.sampled_from(DATES)),
    st.tuples(st.just(Calendar.Timezone), st.sampled_from(BLOBS)),
    st.tuples(
        st.sampled_from([Calendar.AllDayEvent, Calendar.Reminder, Calendar.BusyStatus, Calendar.Sensitivity, Calendar.MeetingStatus]),
        st.sampled_from(["0", "1", "2", "-1", "", "99999999999", "²"]),
    ),
    st.tuples(
        st.sampled_from([Calendar.Subject, Calendar.Location, Calendar.UID, Calendar.Categories, Calendar.Recurrence]), st.text(max_size=9)
    ),
).map(lambda pair: Element(*pair))
NUMBERS = [
    Calendar.Type,
    Calendar.Interval,
    Calendar.DayOfWeek,
    Calendar.DayOfMonth,
    Calendar.WeekOfMonth,
    Calendar.MonthOfYear,
    Calendar.Occurrences,
]
RECURRENCES = st.lists(
    st.tuples(st.sampled_from(NUMBERS), st.integers(0, 7).map(str)) | st.tuples(st.just(Calendar.Until), st.sampled_from(DATES)), max_size=5
).map(lambda pairs: Element(Calendar.Recurrence, tuple(Element(*pair) for pair in pairs)))
EXCEPTIONS = st.lists(
    st.tuples(st.sampled_from(DATES), st.lists(CHILDREN, max_size=3), st.sampled_from(["0", "1"])).map(
        lambda one: Element(Calendar.Exception, (Element(Calendar.Deleted, one[2]), Element(Calendar.ExceptionStartTime, one[0]), *one[1]))
    ),
    max_size=2,
).map(lambda found: Element(Calendar.Exceptions, tuple(found)))


@settings(max_examples=500, deadline=None)
@given(
    st.none() | events.events(),
    st.lists(CHILDREN | RECURRENCES | EXCEPTIONS, max_size=6),
    st.sampled_from(list(Version)),
    st.sampled_from([ALL, NOTHING]),
)
def test_pain_39_whatever_a_phone_sends_is_stored_or_refused(text, children, version, ghosting):
    """One bad item is Status 6, never a crash; what is stored can be read by both faces, and sending it again changes nothing."""
    flavour = Flavour(version=version, zone=BERLIN)
    try:
        after = appointments.patch(text, data(*children), flavour, ghosting, uid="u", now=datetime(2026, 3, 15, 12, 3, tzinfo=UTC))
        formats.load(Kind.APPOINTMENTS, after, None, zone=BERLIN, region="DE")
    except BadRequest:
        return
    sent = data(*appointments.dump(after, "u", flavour))
    assert after == appointments.patch(after, sent, flavour, ghosting)


def test_an_event_beyond_the_calendar_is_told_to_be_one():
    """Whatever a DAV client stored: one item that cannot be sent, not a request that fails."""
    with pytest.raises(BadRequest):
        appointments.dump(events.event("DTSTART;TZID=Asia/Tokyo:00010101T000000"), "u", Flavour(version=Version.V14_1, zone=BERLIN))


def test_a_damaged_stamp_is_left_out():
    """DTSTAMP is nobody's content."""
    text = events.event("DTSTART:20260401T080000Z").replace("20260101T000000Z", "once")
    assert Calendar.DtStamp not in {one.tag for one in appointments.dump(text, "u", Flavour(version=Version.V14_1, zone=BERLIN))}


@st.composite
def crm_appointments(draw):
    """What the CRM can hold."""
    start = draw(events.DAYS).replace(
        hour=draw(st.integers(6, 18)), tzinfo=ZoneInfo(draw(st.sampled_from(["Europe/Berlin", "America/New_York"])))
    )
    end = start + timedelta(minutes=draw(st.integers(0, 300)))
    if draw(st.booleans()):
        start, end = start.date(), start.date() + timedelta(days=draw(st.integers(0, 5)))
    first = start.date() if isinstance(start, datetime) else start
    rule = st.builds(
        Recurrence,
        frequency=st.sampled_from(list(Frequency)),
        interval=st.integers(1, 999),
        until=st.none() | st.integers(0, 900).map(lambda days: first + timedelta(days=days)),
        exceptions=st.lists(st.integers(0, 90).map(lambda days: first + timedelta(days=days)), unique=True, max_size=4)
        .map(sorted)
        .map(tuple),
    )
    return Appointment(
        start=start,
        end=end,
        subject=draw(events.TEXT),
        note=draw(events.TEXT),
        location=draw(events.TEXT),
        type=draw(events.TEXT),
        private=draw(st.booleans()),
        status=draw(st.sampled_from([AppointmentStatus.ACTIVE, AppointmentStatus.AVAILABLE])),
        reminder=draw(st.sampled_from([None, 0, 15, 1440])),
        recurrence=draw(st.none() | rule),
    )


@settings(max_examples=300, deadline=None)
@given(crm_appointments(), st.sampled_from(list(Version)))
def test_rule_68_whatever_the_crm_holds_comes_back_from_a_phone_whole(value, version):
    """Rendered, sent, and made anew by a phone from nothing but the elements: the same appointment, rule, end and exceptions."""
    flavour = Flavour(version=version, zone=BERLIN)
    now = datetime(2026, 3, 15, tzinfo=UTC)
    text = formats.render(Kind.APPOINTMENTS, value, Leftovers(), uid="u", modified=now, zone=BERLIN, region="DE").text
    made = appointments.patch(None, data(*appointments.dump(text, "u", flavour)), flavour, ALL, uid="u")
    draft = formats.load(Kind.APPOINTMENTS, made, None, zone=BERLIN, region="DE")
    found = recurrence.degrade(draft.series, draft.value.start, Policy()) if draft.series else None
    assert (replace(value, recurrence=None), "") == (replace(draft.value, recurrence=None), found.deviation if found else "")
    assert value.recurrence == (found.recurrence if found else None)
    if value.recurrence and isinstance(value.start, datetime):
        assert timezone.year_of(value.start.tzinfo.key, value.start.year) == timezone.year_of(
            draft.value.start.tzinfo.key, value.start.year
        )
