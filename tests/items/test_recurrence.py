"""Recurrence elements and RRULEs: each type there and back, what MS-ASCAL refuses, and what clients write (2.2.2.37)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from activesync_bridge.items import recurrence
from activesync_bridge.items.patching import nearest_day
from activesync_bridge.items.recurrence import Pattern
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import Calendar
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.errors import BadRequest
from tests.items.building import BERLIN

START = datetime(2026, 3, 17, 10, 0, tzinfo=BERLIN)  # the third Tuesday of March


def element(**children):
    """A Recurrence with these children."""
    return Element(Calendar.Recurrence, tuple(Element(getattr(Calendar, name), str(text)) for name, text in children.items()))


def load(start=START, had=None, version=Version.V14_1, **children):
    return recurrence.load(element(**children), start, had, version, nearest_day)


def rule(start=START, **children):
    return recurrence.to_rule(load(start, **children), start)


def told(value, start=START, version=Version.V14_1):
    """The children of what we send for a rule, by name."""
    pattern = recurrence.from_rule(value, start)
    return pattern and {child.name: child.text for child in recurrence.dump(pattern, start, version, BERLIN).children}


@pytest.mark.parametrize(
    ("children", "expected"),
    [
        ({"Type": 0, "Interval": 3}, "FREQ=DAILY;INTERVAL=3"),
        ({"Type": 0}, "FREQ=DAILY"),
        ({"Type": 0, "Interval": 0}, "FREQ=DAILY"),
        ({"Type": 0, "DayOfWeek": 62, "Interval": 2}, "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU,WE,TH,FR"),  # R3892312
        ({"Type": 0, "DayOfWeek": 127, "Interval": 1}, "FREQ=DAILY"),
        ({"Type": 1, "DayOfWeek": 4, "FirstDayOfWeek": 1}, "FREQ=WEEKLY"),  # the start's own Tuesday
        ({"Type": 1, "DayOfWeek": 127, "Interval": 1}, "FREQ=DAILY"),
        ({"Type": 1, "DayOfWeek": 10, "Interval": 2, "FirstDayOfWeek": 0}, "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=SU"),
        ({"Type": 1}, "FREQ=WEEKLY"),
        ({"Type": 2, "DayOfMonth": 17}, "FREQ=MONTHLY"),
        ({"Type": 2, "DayOfMonth": 1, "Interval": 2}, "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=1"),
        ({"Type": 3, "DayOfWeek": 4, "WeekOfMonth": 3}, "FREQ=MONTHLY;BYDAY=3TU"),
        ({"Type": 3, "DayOfWeek": 62, "WeekOfMonth": 5}, "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),  # fact 10: the last weekday
        ({"Type": 3, "DayOfWeek": 65, "WeekOfMonth": 1}, "FREQ=MONTHLY;BYDAY=SU,SA;BYSETPOS=1"),
        ({"Type": 3, "DayOfWeek": 127, "WeekOfMonth": 5}, "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ({"Type": 3, "DayOfWeek": 127, "WeekOfMonth": 2}, "FREQ=MONTHLY;BYMONTHDAY=2"),  # R3893714
        ({"Type": 5, "DayOfMonth": 17, "MonthOfYear": 3}, "FREQ=YEARLY"),
        ({"Type": 5, "DayOfMonth": 24, "MonthOfYear": 12}, "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24"),
        ({"Type": 6, "DayOfWeek": 32, "WeekOfMonth": 5, "MonthOfYear": 3}, "FREQ=YEARLY;BYMONTH=3;BYDAY=-1FR"),
        ({"Type": 0, "Occurrences": 5, "Until": "20260401T000000Z"}, "FREQ=DAILY;COUNT=5"),  # R53911, R5391111
        ({"Type": 5, "DayOfMonth": 1, "MonthOfYear": 1, "CalendarType": 8}, "RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1"),
        ({"Type": 5, "DayOfMonth": 17, "MonthOfYear": 3, "CalendarType": 1}, "FREQ=YEARLY"),
    ],
)
def test_each_type_becomes_a_rule(children, expected):
    """Without what the start tells anyway, so that onOffice can hold what it can hold (rule 74)."""
    assert expected == rule(**children)


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("20260401T080000Z", "20260401T080000Z"),  # the moment of the last occurrence, 10:00 in Berlin
        ("20260401T000000Z", "20260401T080000Z"),  # a day only, as AOSP Android writes it
        ("20260401T215959Z", "20260401T080000Z"),  # the end of the day in Berlin
        ("20260331T220000Z", "20260401T080000Z"),  # the day's midnight in Berlin
        ("20260401T075959Z", "20260331T080000Z"),  # a second before an occurrence excludes it, as iOS cuts a series
    ],
)
def test_until_means_the_last_day(until, expected):
    """Exchange keeps a day, so clients write many moments for it."""
    assert f"FREQ=DAILY;UNTIL={expected}" == rule(Type=0, Until=until)


def test_until_of_whole_days_is_a_day():
    """As DTSTART is (RFC 5545 3.3.10)."""
    assert "FREQ=DAILY;UNTIL=20260401" == rule(date(2026, 3, 17), Type=0, Until="20260331T220000Z")


@pytest.mark.parametrize(
    ("requirement", "children"),
    [
        ("R53916", {"Type": 1, "DayOfMonth": 3}),
        ("R53916", {"Type": 3, "DayOfMonth": 3, "DayOfWeek": 2, "WeekOfMonth": 1}),
        ("R53917", {"Type": 2, "DayOfMonth": 3, "DayOfWeek": 2}),
        ("R53918", {"Type": 2, "DayOfMonth": 3, "MonthOfYear": 2}),
        ("R53919", {"Type": 5, "DayOfMonth": 3, "MonthOfYear": 2, "WeekOfMonth": 2}),
        ("R53914", {"Type": 1, "DayOfWeek": 2, "FirstDayOfWeek": 7}),
        *(("R53913", {"Type": 2, "DayOfMonth": 3, "CalendarType": kind}) for kind in (13, 16, 17, 18, 19, 21, 22, 23)),
        ("R453", {"Type": 4}),
        ("R453", {"Type": 7}),
        ("R374", {"Interval": 2}),
        ("R28311", {"Type": 0, "Interval": 1000}),
        ("R193", {"Type": 2, "DayOfMonth": 32}),
        ("R201", {"Type": 1, "DayOfWeek": 128}),
        ("R292", {"Type": 2, "DayOfMonth": 3, "IsLeapMonth": 2}),
        ("R476", {"Type": 3, "DayOfWeek": 2, "WeekOfMonth": 6}),
        ("R326", {"Type": 5, "DayOfMonth": 2, "MonthOfYear": 13}),
        ("R453", {"Type": "x"}),
        ("R470", {"Type": 0, "Until": "tomorrow"}),
    ],
)
def test_what_ms_ascal_refuses_is_refused(requirement, children):
    """R53912-R53919 and the bounds of each number: Status 6 for the item.

    So no event here has a calendar that must not be used (R148, R152, R156, R160, R164, R167, R170, R174).
    """
    with pytest.raises(BadRequest):
        load(**children)


def test_r53912_more_than_one_calendar_type_is_refused():
    """Status 6."""
    twice = Element(Calendar.Recurrence, (*element(Type=2, DayOfMonth=3, CalendarType=0).children, Element(Calendar.CalendarType, "1")))
    with pytest.raises(BadRequest):
        recurrence.load(twice, START, None, Version.V14_1, nearest_day)


def test_r2180002_an_empty_recurrence_makes_a_single_event():
    """In 16.x."""
    assert load(version=Version.V16_1) is None


def test_r2180001_in_16_a_recurrence_without_type_changes_what_it_names():
    """The Type is optional there; the rest is what it was."""
    had = recurrence.from_rule("FREQ=WEEKLY;INTERVAL=2;COUNT=9", START)
    assert "FREQ=WEEKLY;INTERVAL=2;UNTIL=20260414T080000Z" == recurrence.to_rule(
        load(had=had, version=Version.V16_1, Until="20260414T080000Z"), START
    )


@pytest.mark.parametrize(
    ("value", "children"),
    [
        ("FREQ=DAILY;INTERVAL=3", {"Type": "0", "Interval": "3"}),
        ("FREQ=WEEKLY", {"Type": "1", "Interval": "1", "DayOfWeek": "4", "FirstDayOfWeek": "1"}),
        ("FREQ=WEEKLY;BYDAY=TU;WKST=SU", {"Type": "1", "Interval": "1", "DayOfWeek": "4", "FirstDayOfWeek": "1"}),
        ("FREQ=MONTHLY;COUNT=4", {"Type": "2", "Occurrences": "4", "Interval": "1", "DayOfMonth": "17", "CalendarType": "0"}),
        ("FREQ=YEARLY", {"Type": "5", "Interval": "1", "MonthOfYear": "3", "DayOfMonth": "17", "CalendarType": "0"}),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            {"Type": "3", "Interval": "1", "WeekOfMonth": "5", "DayOfWeek": "62", "CalendarType": "0"},
        ),
        ("FREQ=DAILY;UNTIL=20260401T080000Z", {"Type": "0", "Until": "20260401T080000Z", "Interval": "1"}),
        ("FREQ=DAILY;UNTIL=20260401", {"Type": "0", "Until": "20260401T080000Z", "Interval": "1"}),
        ("FREQ=DAILY;COUNT=1000", {"Type": "0", "Until": "20281210T090000Z", "Interval": "1"}),  # R345: at most 999
    ],
)
def test_a_rule_becomes_an_element(value, children):
    """With the children that its Type must have: R38929, R52523, R14311, R19411, R32711."""
    assert children == told(value)


# All children that stand in answers beside Type, Interval, Until and Occurrences
CHILDREN = ("WeekOfMonth", "DayOfWeek", "MonthOfYear", "DayOfMonth", "CalendarType", "FirstDayOfWeek")


@pytest.mark.parametrize(
    ("value", "kind", "children"),
    [
        # Not R204111: left out it means each day (R3892311), given it would mean weekly (R3892312).
        ("FREQ=DAILY", "0", ()),  # R20411, R19511, R32811
        ("FREQ=WEEKLY", "1", ("DayOfWeek", "FirstDayOfWeek")),  # R20412, R204112, R19512, R32812, R52523
        ("FREQ=MONTHLY", "2", ("DayOfMonth", "CalendarType")),  # R19411, R32813
        ("FREQ=MONTHLY;BYDAY=3TU", "3", ("WeekOfMonth", "DayOfWeek", "CalendarType")),  # R478111, R478113, R20413, R204113, R19513, R32814
        ("FREQ=YEARLY", "5", ("MonthOfYear", "DayOfMonth", "CalendarType")),  # R19412, R32711
        (
            "FREQ=YEARLY;BYMONTH=3;BYDAY=3TU",
            "6",
            ("WeekOfMonth", "DayOfWeek", "MonthOfYear", "CalendarType"),  # R478112, R478114, R20414, R204114, R19514, R32712
        ),
    ],
)
def test_each_type_has_its_children_and_no_others(value, kind, children):
    """With values within their bounds: R146, R193, R200, R277, R326, R453, R476; CalendarType is 0: the Gregorian one."""
    found = told(value)
    assert (kind, children) == (found["Type"], tuple(name for name in CHILDREN if name in found))
    expected = {"WeekOfMonth": "3", "DayOfWeek": "4", "MonthOfYear": "3", "DayOfMonth": "17", "CalendarType": "0", "FirstDayOfWeek": "1"}
    assert {name: expected[name] for name in children} == {name: found[name] for name in children}


@pytest.mark.parametrize(
    ("value", "days"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE", "10"),  # R20011: Monday 2 + Wednesday 8
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "62"),
        ("FREQ=MONTHLY;BYDAY=SU,SA;BYSETPOS=1", "65"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "127"),
    ],
)
def test_days_of_the_week_are_a_sum(value, days):
    """R200, R201: never more than 127."""
    assert days == told(value)["DayOfWeek"]


def test_12_1_knows_no_calendar_type_and_only_14_1_the_first_day_of_the_week():
    """R2045, R2119, R2120."""
    assert "CalendarType" not in told("FREQ=MONTHLY", version=Version.V12_1)
    assert "FirstDayOfWeek" not in told("FREQ=WEEKLY", version=Version.V14_0)


def test_until_of_whole_days_is_midnight_before_16_and_a_date_since():
    """R2005."""
    pattern = recurrence.from_rule("FREQ=DAILY;UNTIL=20260401", date(2026, 3, 17))
    sent = [recurrence.dump(pattern, date(2026, 3, 17), Version.V14_1, zone).text_of(Calendar.Until) for zone in (BERLIN, None)]
    assert ["20260331T220000Z", "20260401T000000Z"] == sent


@pytest.mark.parametrize(
    "value",
    [
        "FREQ=HOURLY",
        "FREQ=MONTHLY;BYMONTHDAY=1,15",
        "FREQ=MONTHLY;BYDAY=5MO",
        "FREQ=MONTHLY;BYDAY=MO",
        "FREQ=MONTHLY;BYDAY=1MO,2TU",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        "FREQ=YEARLY;BYWEEKNO=3",
        "FREQ=DAILY;INTERVAL=2;BYDAY=MO,TU",
        "FREQ=YEARLY;BYMONTHDAY=3",
        "FREQ=DAILY;INTERVAL=1000",
        "FREQ=YEARLY;BYDAY=20MO",
        "FREQ=SOMETIMES",
        "",
    ],
)
def test_what_eas_cannot_say_is_no_pattern(value):
    """Never a wrong series."""
    assert recurrence.from_rule(value, START) is None


PATTERNS = st.one_of(
    st.builds(Pattern, type=st.just(0), interval=st.integers(1, 999)),
    st.builds(Pattern, type=st.just(1), interval=st.integers(1, 99), days=st.integers(1, 127), first_day=st.integers(0, 6)),
    st.builds(Pattern, type=st.just(2), interval=st.integers(1, 99), day=st.integers(1, 31)),
    st.builds(
        Pattern,
        type=st.just(3),
        interval=st.integers(1, 99),
        days=st.sampled_from([1, 2, 4, 8, 16, 32, 64, 62, 65, 127]),
        week=st.integers(1, 5),
    ),
    st.builds(Pattern, type=st.just(5), interval=st.integers(1, 9), day=st.integers(1, 31), month=st.integers(1, 12)),
    st.builds(
        Pattern,
        type=st.just(6),
        interval=st.integers(1, 9),
        days=st.sampled_from([1, 2, 4, 8, 16, 32, 64, 62, 65, 127]),
        week=st.integers(1, 5),
        month=st.integers(1, 12),
    ),
)
ENDS = (
    st.fixed_dictionaries({})
    | st.fixed_dictionaries({"count": st.integers(1, 999)})
    | st.fixed_dictionaries({"until": st.dates(date(2026, 4, 1), date(2036, 1, 1))})
)
STARTS = st.datetimes(datetime(2026, 3, 1), datetime(2026, 3, 28)).map(lambda when: when.replace(second=0, microsecond=0, tzinfo=BERLIN))  # noqa: DTZ001


@given(PATTERNS, ENDS, STARTS, st.booleans(), st.sampled_from(list(Version)))
def test_patterns_come_back_from_elements_and_from_rules(pattern, end, start, is_day, version):
    """What a client sends becomes a rule that is sent as the client sent it."""
    start = start.date() if is_day else start
    zone = BERLIN if version < Version.V16_0 else None

    def whole_day(when):
        return when.astimezone(zone or UTC).date()

    sent = recurrence.load(recurrence.dump(replace(pattern, **end), start, version, zone), start, None, version, whole_day)
    stored = recurrence.from_rule(recurrence.to_rule(sent, start), start)
    assert sent == stored
    assert sent == recurrence.load(recurrence.dump(stored, start, version, zone), start, None, version, whole_day)


@given(PATTERNS, STARTS)
def test_a_rule_means_what_the_pattern_says(pattern, start):
    """Judged by dateutil: each day fits the bits, the day of the month, the week and the month."""
    settled = recurrence.from_rule(recurrence.to_rule(recurrence._settled(pattern, start), start), start)
    naive = start.replace(tzinfo=None)
    for when in rrulestr(recurrence.to_rule(settled, start), dtstart=naive).xafter(naive, count=4):
        assert not settled.days or settled.days & 1 << when.isoweekday() % 7
        assert not settled.day or settled.day == when.day
        assert not settled.month or settled.month == when.month
        if settled.week == 5 and settled.days & (settled.days - 1) == 0:
            assert (when + timedelta(days=7)).month != when.month
        assert recurrence.may_occur(settled, start, when.date())


def test_a_day_without_an_occurrence_is_known():
    """For onOffice's own patterns; others are given the benefit of the doubt."""
    weekly = recurrence.from_rule("FREQ=WEEKLY;INTERVAL=2;UNTIL=20260501", START)
    days = [date(2026, 3, 17), date(2026, 3, 24), date(2026, 3, 31), date(2026, 3, 10), date(2026, 5, 12)]
    assert [True, False, True, False, False] == [recurrence.may_occur(weekly, START, day) for day in days]


def test_only_the_end_of_a_rule_is_written_anew_when_the_hour_moves():
    """Its other parts stay as the client wrote them."""
    assert "FREQ=WEEKLY;X-A=1;UNTIL=20260401T080000Z;WKST=SU" == recurrence.with_until(
        "FREQ=WEEKLY;X-A=1;UNTIL=20260401T060000Z;WKST=SU", date(2026, 4, 1), START
    )
