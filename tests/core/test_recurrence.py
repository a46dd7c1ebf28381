"""What onOffice can hold of a client's rule, and when a series takes place (rules 67-74)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule
from hypothesis import given
from hypothesis import strategies as st

from radicale_onoffice.core import recurrence
from radicale_onoffice.core.drafts import Series, Weekday
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import Appointment, Frequency, Recurrence
from radicale_onoffice.core.policy import OnIncompatibleSeries, Policy

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 3, 17, 10, 0, tzinfo=BERLIN)  # a Tuesday
DAY, WEEK, MONTH, YEAR = Frequency.DAY, Frequency.WEEK, Frequency.MONTH, Frequency.YEAR
WORKDAYS = tuple((0, Weekday(number)) for number in range(5))


@pytest.mark.parametrize(
    ("series", "stored"),
    [
        (Series(frequency="DAILY", interval=3), (DAY, 3)),
        (Series(frequency="WEEKLY", interval=2), (WEEK, 2)),
        (Series(frequency="WEEKLY", by_day=((0, Weekday.TU),)), (WEEK, 1)),
        (Series(frequency="MONTHLY"), (MONTH, 1)),
        (Series(frequency="MONTHLY", by_month_day=(17,)), (MONTH, 1)),
        (Series(frequency="YEARLY"), (YEAR, 1)),
        (Series(frequency="YEARLY", by_month=(3,), by_month_day=(17,)), (YEAR, 1)),
    ],
)
def test_rule_74_what_onoffice_can_hold_is_held_exactly(series, stored):
    """The first four rows of the table: no deviation (rules 67, 68; U31)."""
    degraded = recurrence.degrade(series, START, Policy())
    assert (*stored, "") == (degraded.recurrence.frequency, degraded.recurrence.interval, degraded.deviation)


@pytest.mark.parametrize(
    ("series", "stored", "told"),
    [
        (Series(frequency="WEEKLY", by_day=WORKDAYS), (WEEK, 1), "chosen weekdays"),
        (Series(frequency="WEEKLY", by_day=((0, Weekday.MO),)), (WEEK, 1), "chosen weekdays"),
        (Series(frequency="DAILY", by_day=WORKDAYS), (DAY, 1), "chosen weekdays"),
        (Series(frequency="MONTHLY", by_day=((3, Weekday.TU),)), (MONTH, 1), "n-th weekday"),
        (Series(frequency="YEARLY", by_day=((-1, Weekday.FR),), by_month=(3,)), (YEAR, 1), "n-th weekday"),
        (Series(frequency="MONTHLY", other_parts=("BYSETPOS",)), (MONTH, 1), "BYSETPOS"),
        (Series(frequency="MONTHLY", by_month_day=(1, 15)), (MONTH, 1), "days of the month"),
        (Series(frequency="MONTHLY", by_month=(1, 7)), (MONTH, 1), "chosen months"),
        (Series(frequency="DAILY", interval=1000), (DAY, 999), "interval of 1000"),
    ],
)
def test_rule_74_what_it_cannot_hold_becomes_the_nearest_and_is_told(series, stored, told):
    """The start that the client gave stays; the sentence names what was asked and what is stored (rules 69, 71)."""
    degraded = recurrence.degrade(series, START, Policy())
    assert stored == (degraded.recurrence.frequency, degraded.recurrence.interval)
    assert told in degraded.deviation
    assert "from 2026-03-17" in degraded.deviation


@pytest.mark.parametrize("series", [Series(frequency="HOURLY"), Series(frequency="SECONDLY"), Series(frequency="DAILY", several=True)])
def test_rule_74_hourly_and_several_rules_keep_the_first_occurrence_only(series):
    """A single appointment is better than none (rule 70)."""
    degraded = recurrence.degrade(series, START, Policy())
    assert degraded.recurrence is None
    assert "only the first appointment" in degraded.deviation


def test_u30_an_option_makes_every_incompatible_series_single():
    """But one that fits is still a series."""
    policy = Policy(incompatible_series=OnIncompatibleSeries.SINGLE)
    assert recurrence.degrade(Series(frequency="WEEKLY", by_day=WORKDAYS), START, policy).recurrence is None
    assert recurrence.degrade(Series(frequency="WEEKLY"), START, policy).recurrence is not None


@pytest.mark.parametrize(
    ("series", "until"),
    [
        (Series(frequency="DAILY", count=1), date(2026, 3, 17)),
        (Series(frequency="DAILY", interval=2, count=5), date(2026, 3, 25)),
        (Series(frequency="WEEKLY", by_day=WORKDAYS, count=3), date(2026, 3, 31)),
        (Series(frequency="DAILY", until=date(2026, 4, 1)), date(2026, 4, 1)),
        (Series(frequency="DAILY", until=datetime(2026, 4, 1, 8, 0, tzinfo=UTC)), date(2026, 4, 1)),
        (Series(frequency="DAILY", until=datetime(2026, 4, 1, 7, 59, tzinfo=UTC)), date(2026, 3, 31)),
        (Series(frequency="DAILY", count=10**9), None),
    ],
)
def test_rule_74_a_count_becomes_the_day_of_the_last_occurrence(series, until):
    """Exact for the stored rule; an UNTIL before the hour of the start excludes that day."""
    assert until == recurrence.degrade(series, START, Policy()).recurrence.until


def test_too_many_exceptions_are_refused():
    """Every input has a bound."""
    days = tuple(date(2026, 1, 1) + timedelta(days=number) for number in range(2001))
    with pytest.raises(BadRequest, match="2001 exceptions"):
        recurrence.degrade(Series(frequency="DAILY", exceptions=days), START, Policy())


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


DATEUTIL = {DAY: DAILY, WEEK: WEEKLY, MONTH: MONTHLY, YEAR: YEARLY}


@given(
    st.sampled_from(list(Frequency)),
    st.integers(1, 30),
    st.dates(date(2000, 1, 1), date(2030, 12, 31)),
    st.integers(0, 4000),
)
def test_occurrence_days_are_those_of_rfc_5545(frequency, interval, start, days_on):
    """Judged by dateutil, also when entered in the middle; months without the day are skipped (U32)."""
    since = start + timedelta(days=days_on)
    judge = rrule(DATEUTIL[frequency], interval=interval, dtstart=noon(start), until=noon(date(2099, 12, 31)))
    expected = [found.date() for found in islice(judge.xafter(noon(since), inc=True), 5)]
    actual = recurrence.occurrence_days(Recurrence(frequency=frequency, interval=interval), start, since)
    assert expected == [day for day in islice(actual, 5) if day < date(2100, 1, 1)]


def weekly(**changes) -> Appointment:
    return Appointment(start=START, end=START + timedelta(hours=1), recurrence=Recurrence(frequency=WEEK, **changes))


def test_a_series_keeps_its_hour_across_a_change_of_clocks():
    """10:00 in Berlin is 09:00 UTC in winter and 08:00 UTC after 29 March 2026."""
    spans = islice(recurrence.occurrences(weekly(), BERLIN, 0, 2**40), 3)
    assert ["09:00", "09:00", "08:00"] == [f"{datetime.fromtimestamp(start, UTC):%H:%M}" for start, _ in spans]


def test_an_exception_does_not_take_place():
    """Rule 72: a deleted occurrence is an exception date."""
    spans = islice(recurrence.occurrences(weekly(exceptions=(date(2026, 3, 24),)), BERLIN, 0, 2**40), 2)
    assert [17, 31] == [datetime.fromtimestamp(start, BERLIN).day for start, _ in spans]


def test_the_bounds_hold_every_occurrence():
    """The columns of the store may be wide, never narrow."""
    series = weekly(until=date(2026, 4, 14))
    starts, ends = recurrence.bounds(series, BERLIN)
    spans = list(recurrence.occurrences(series, BERLIN, 0, 2**40))
    assert (starts, True) == (spans[0][0], ends >= spans[-1][1])


def test_an_open_ended_series_is_searched_without_counting_from_its_start():
    """A range far ahead is entered directly, and an endless search ends."""
    series = weekly()
    far = int(datetime(2150, 1, 1, tzinfo=UTC).timestamp())
    assert next(recurrence.occurrences(series, BERLIN, far, far + 8 * 86400), None) is not None
    beyond = int(datetime(2500, 1, 1, tzinfo=UTC).timestamp())
    assert next(recurrence.occurrences(series, BERLIN, beyond, beyond + 8 * 86400), None) is None
