"""Walks find every record, however it is spread, and ask for as few pages as 500 rows an answer allow.

The emulator's limit and ours are 12 rows here where the space is random, so that few records make many pages.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radicale_onoffice.core.model import Kind
from radicale_onoffice.crm.onoffice import appointments, walks
from tests.conftest import FixedClock
from tests.crm.conftest import OnOffice
from tests.emulator.series import occurrences

FIRST, LAST = date(2025, 8, 10), date(2026, 10, 22)
ROWS = 12
DIALECTS = [
    {},
    {"calendar_order": "id"},
    {"calendar_counts": "rows"},
    {"old_window_tests": "anchor"},
    {"old_read_series": "occurrences"},
    {"old_read_series": "occurrences", "calendar_order": "id", "calendar_counts": "rows"},
]
SERIES = {"rp_flag": True, "rp_tage": 1, "rp_ende_datum": "2099-12-31", "rp_ende_status": "1"}
walk = settings(deadline=None, max_examples=15)


def walked(office: OnOffice, place: str = "", marks: int = 0):
    """The pages of a walk through the calendar."""
    return list(walks.walk_appointments(walks.Asking(office.client, lambda: marks), FIRST, LAST, place))


def single(start: datetime, minutes: int = 60):
    end = start + timedelta(minutes=minutes)
    return {"data": {"description": "C", "start_dt": f"{start}", "end_dt": f"{end}"}}


def series(start: datetime, kind: str):
    one = single(start)
    return {"data": {**one["data"], **SERIES, "rp_type": kind, "rp_beginn_datum": f"{start.date()}"}}


def offered(office: OnOffice):
    """Numbers of all that takes place in the period, by the emulator's own reckoning."""
    return {row["id"] for row in office.control.rows("calendar") if any(occurrences(row, FIRST, LAST, "skip"))}


days = st.integers(-60, 500).map(lambda offset: FIRST + timedelta(days=offset))
moments = st.builds(lambda day, second: datetime.combine(day, time()) + timedelta(seconds=second), days, st.integers(0, 86_399))
crowds = st.builds(  # many on one day, up to as many at one second as an answer surely holds
    lambda start, number, same, apart: [single(start + timedelta(seconds=apart * (one // same))) for one in range(number)],
    moments,
    st.integers(2, 40),
    st.integers(1, ROWS - 1),
    st.sampled_from([1, 60, 3600]),
)


def readable(*parts):
    """What starts at one second is no more than an answer holds for sure."""
    number = Counter()
    for one in itertools.chain(*parts):
        number[one["data"]["start_dt"]] += 1
        if number[one["data"]["start_dt"]] < ROWS:
            yield one


calendars = st.builds(
    lambda sparse, crowded, long, repeated: list(readable(sparse, *crowded, long, repeated)),
    st.lists(moments.map(single), max_size=40),
    st.lists(crowds, max_size=3),
    st.lists(st.builds(single, moments, st.integers(1440, 100_000)), max_size=8),
    st.lists(st.builds(series, moments.map(lambda start: start - timedelta(days=200)), st.sampled_from("twmj")), max_size=8, unique_by=str),
)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: ",".join(one.values()) or "defaults")
def test_no_appointment_is_missed(dialect):
    """All on a day, sparse over years, long ones, series that began long before: whatever the answers' order, count and series are like."""

    @walk
    @given(calendars)
    def holds(appointments):
        office = OnOffice(FixedClock(), calendar_default_limit=ROWS, **dialect)
        try:
            office.control.add_many("calendar", appointments)
            with mock.patch.object(walks, "MAX_ROWS", ROWS):
                pages = walked(office)
            found = [row.id for page in pages for row in page.records]
            assert len(found) == len(set(found))
            assert offered(office) <= {int(one) for one in found}
            assert "" == pages[-1].place
            assert all(page.place for page in pages[:-1])
        finally:
            office.close()

    holds()


@walk
@given(calendars, st.data())
@pytest.mark.parametrize("dialect", [{}, {"calendar_order": "id", "old_window_tests": "anchor"}], ids=["in order", "in periods"])
def test_a_walk_that_is_taken_up_again_misses_nothing(dialect, appointments, data):
    """From the place of any of its pages."""
    office = OnOffice(FixedClock(), calendar_default_limit=ROWS, **dialect)
    try:
        office.control.add_many("calendar", appointments)
        with mock.patch.object(walks, "MAX_ROWS", ROWS):
            pages = walked(office)
            stop = data.draw(st.integers(0, len(pages) - 1))
            rest = walked(office, pages[stop].place) if pages[stop].place else []
        found = {int(row.id) for page in [*pages[: stop + 1], *rest] for row in page.records}
        assert offered(office) <= found
    finally:
        office.close()


def spread(number: int):
    """A calendar of so many: 4 of 5 single, 1 of 5 a series, of which some began before the period."""
    span = (LAST - FIRST) // timedelta(minutes=1)
    start = datetime.combine(FIRST, time())
    for one in range(number):
        if one % 5:
            yield single(start + timedelta(minutes=one * 7919 % span))
        else:
            yield series(start + timedelta(minutes=one * 7919 % (2 * span) - span), "wm"[one % 2])


def reads(office: OnOffice, what: str) -> int:
    return office.control.counters()["actions"].get(f"read {what}", 0)


def test_5000_appointments_take_as_many_reads_as_they_fill_pages(onoffice):
    """Ten pages, and one more because each begins with the last row of the one before; each is a request of its own."""
    office = onoffice()
    office.control.add_many("calendar", list(spread(5000)))
    office.control.reset_counters()
    found = {int(row.id) for page in walked(office) for row in page.records}
    assert (True, 11, 11) == (offered(office) <= found, reads(office, "calendar"), office.control.counters()["requests"])


def test_the_second_of_two_full_pages_takes_one_read_more(onoffice):
    """The first one tells that the account counts more than the rows that it shows."""
    office = onoffice()
    office.control.add_many("calendar", list(spread(999)))
    office.control.reset_counters()
    found = {int(row.id) for page in walked(office) for row in page.records}
    assert (True, 3) == (offered(office) <= found, reads(office, "calendar"))


@pytest.mark.parametrize("told", [None, 500])
def test_a_full_answer_without_a_count_proves_nothing(onoffice, told):
    """It may be any 500 in the order of their starts, the last ones here: periods of days take the place, and find the others."""
    office = onoffice()
    office.control.add_many("calendar", list(spread(700)))
    asking, asked = walks.Asking(office.client, lambda: 0), []

    def last_500(actions):
        asked.append(actions)
        since, answers = asking(actions)
        if len(asked) > 1:
            return since, answers
        _, (behind,) = asking([appointments.read_window(FIRST, LAST, since=appointments.start_of(answers[0].rows[-1]))])
        return since, [replace(answers[0], rows=(*answers[0].rows, *behind.rows[1:])[-500:], total=told)]

    found = {int(row.id) for page in walks.walk_appointments(last_500, FIRST, LAST) for row in page.records}
    assert offered(office) <= found


def test_somebody_who_writes_meanwhile_costs_two_reads(onoffice):
    """The count is another one, so the page is asked for once more; what came before it is for the next poll, as with any paging."""
    office = onoffice()
    office.control.add_many("calendar", list(spread(1800)))
    office.control.reset_counters()
    office.before_the_next_answer(lambda: office.control.add("calendar", single(datetime.combine(date(2026, 10, 1), time(9)))["data"]))
    found = {int(row.id) for page in walked(office) for row in page.records}
    assert (True, 4 + 2) == (offered(office) <= found, reads(office, "calendar"))


def test_more_at_one_second_than_an_answer_holds_is_told(onoffice, caplog):
    """The only thing that cannot be read; the rest is."""
    office = onoffice()
    moment = datetime.combine(date(2026, 3, 20), time(9))
    office.control.add_many(
        "calendar", [single(moment) for _ in range(501)] + [single(moment + timedelta(hours=one)) for one in range(1, 9)]
    )
    found = {int(row.id) for page in walked(office) for row in page.records}
    assert {row["id"] for row in office.control.rows("calendar")[501:]} <= found
    assert "more than 499 appointments that start at 2026-03-20 09:00:00" in caplog.text


def test_addresses_end_where_their_count_ends(onoffice):
    """2,000 are four pages; an account that counts the rows of the answer only has one more asked for."""
    office = onoffice()
    office.control.add_many("address", [{"data": {"Name": f"A{number}"}} for number in range(2000)])
    account = office.survey()
    office.control.reset_counters()
    pages = list(walks.walk_contacts(walks.Asking(office.client, lambda: 0), account))
    assert ([500] * 4, "", 4, 2) == (
        [len(page.records) for page in pages],
        pages[-1].place,
        reads(office, "address"),
        office.control.counters()["requests"],
    )


def test_tasks_take_one_open_range_more_than_they_fill(onoffice):
    """2,000 are four ranges; whether there are others behind is asked for with the first of them and with the last."""
    office = onoffice()
    office.control.add_many("task", [{"data": {"Betreff": f"T{number}"}} for number in range(2000)])
    account = office.survey()
    office.control.reset_counters()
    pages = list(walks.walk_tasks(walks.Asking(office.client, lambda: 0), account))
    assert (2000, 6, 3) == (
        sum(len(page.records) for page in pages),
        reads(office, "task"),
        office.control.counters()["requests"],
    )


@walk
@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 40)), max_size=6))
def test_no_task_is_missed(blocks):
    """Blocks of numbers with gaps between them; each page has a place, and the last one none."""
    office = OnOffice(FixedClock())
    try:
        for gap, size in blocks:
            office.emulator.account.query("UPDATE counter SET last = last + ? WHERE kind = 'task'", gap)
            office.control.add_many("task", [{"data": {"Betreff": "T"}} for _ in range(size)])
        with mock.patch.object(walks, "MAX_ROWS", ROWS), mock.patch("radicale_onoffice.crm.onoffice.tasks.MAX_ROWS", ROWS):
            pages = list(walks.walk_tasks(walks.Asking(office.client, lambda: 0), office.survey()))
        found = [int(row.id) for page in pages for row in page.records]
        assert sorted(row["id"] for row in office.control.rows("task")) == sorted(found)
        assert "" == pages[-1].place
    finally:
        office.close()


def test_a_fill_costs_few_requests(pulled):
    """1,200 addresses, 1,100 tasks and 900 appointments: 8 full or last pages, 5 requests and a sixth for links."""
    made = pulled()
    made.control.add_many("address", [{"data": {"Name": f"A{number}"}} for number in range(1200)])
    made.control.add_many("task", [{"data": {"Betreff": f"T{number}"}} for number in range(1100)])
    made.control.add_many("calendar", list(spread(900)))
    made.mirror.account()
    made.control.reset_counters()
    made.mirror.turn()
    counters = made.control.counters()
    assert (3, 6, 2) == tuple(counters["actions"][f"read {what}"] for what in ("address", "task", "calendar"))
    assert 1 + 3 + 2 == counters["requests"]
    assert [1200, 1100] == [len(made.values(kind)) for kind in (Kind.CONTACTS, Kind.TASKS)]
