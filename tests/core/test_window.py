"""Which appointments are offered (rules 48-55, U14-U18)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from radicale_onoffice.core.feeds import Cursor
from radicale_onoffice.core.model import Actor, Appointment, AppointmentStatus, Face, Frequency, Identity, Kind, Recurrence
from radicale_onoffice.core.policy import Policy

BERLIN = ZoneInfo("Europe/Berlin")
ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
CRM = Actor(identity=ANNA, face=Face.CRM)
CALENDAR = Kind.APPOINTMENTS
# The fixed clock says 2026-03-15 09:30 in Berlin; the clocks change on 29 March 2026.


def add(office, uid: str, start: datetime | date, hours: float = 1, **changes):
    end = start + timedelta(hours=hours) if isinstance(start, datetime) else changes.pop("end", start)
    value = Appointment(subject=uid, start=start, end=end, **{"participants": ("anna",), **changes})
    return office.records.write(CRM, CALENDAR, value, uid=uid)


def offered(office, who=ANNA) -> set[str]:
    return {offer.uid for offer in office.feeds.listing(who, CALENDAR)}


def berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("start", "hours", "is_offered"),
    [
        (berlin(2026, 2, 14, 23, 0), 1, False),  # over at the stroke of midnight, before the first day
        (berlin(2026, 2, 14, 23, 30), 1, True),
        (berlin(2026, 2, 14, 22, 0), 1, False),
        (berlin(2026, 2, 15, 0, 0), 1, True),
        (berlin(2026, 9, 15, 0, 0), 1, True),  # in summer time: six calendar months, not so many hours
        (berlin(2026, 9, 15, 23, 30), 1, True),
        (berlin(2026, 9, 16, 0, 30), 1, False),
    ],
)
def test_rules_49_50_one_month_back_and_six_months_ahead_to_the_day(office, start, hours, is_offered):
    """Calendar months in the tenant's zone, across the change of clocks."""
    add(office, "e", start, hours)
    assert ({"e"} if is_offered else set()) == offered(office)


@pytest.mark.parametrize(
    ("start", "is_offered"),
    [
        (berlin(2026, 10, 14, 22), False),
        (berlin(2026, 10, 15, 0), True),  # summer time, seen from winter time: 24 hours and one back
        (berlin(2027, 5, 15, 23, 30), True),
        (berlin(2027, 5, 16, 0), False),
    ],
)
def test_rules_49_50_the_edges_hold_across_the_end_of_summer_time(office, clock, start, is_offered):
    """Seen from 15 November: the clocks went back on 25 October, and go forward again before the far edge (U18: both edges inclusive)."""
    clock.now = datetime(2026, 11, 15, 10, tzinfo=UTC)
    add(office, "e", start)
    assert ({"e"} if is_offered else set()) == offered(office)


def test_u14_a_month_is_clamped_to_its_end(office, clock):
    """One month before 31 March is 28 February."""
    add(office, "in", berlin(2026, 2, 28, 8))
    add(office, "out", berlin(2026, 2, 27, 8))
    clock.now = datetime(2026, 3, 31, 10, tzinfo=UTC)
    assert {"in"} == offered(office)


def test_rule_48_the_500_of_800_are_the_upcoming_then_the_newest_past(office):
    """The cap keeps what lies nearest ahead; what is left of it goes to the newest past (U17); the same on each run."""
    for number in range(400):
        add(office, f"past{number:03}", berlin(2026, 3, 14, 8) - timedelta(hours=number))
    for number in range(400):
        add(office, f"next{number:03}", berlin(2026, 3, 16, 8) + timedelta(hours=number))
    expected = {f"next{number:03}" for number in range(400)} | {f"past{number:03}" for number in range(100)}
    assert expected == offered(office)
    cursor = office.feeds.cursor(ANNA, CALENDAR)
    add(office, "other", berlin(2026, 3, 1, 8))  # an older past one changes nothing for the 500
    assert (cursor, expected) == (office.feeds.cursor(ANNA, CALENDAR), offered(office))


def test_u17_more_upcoming_than_the_cap_keeps_the_soonest(make_office):
    """And a series counts as one (rule 52)."""
    office = make_office(Policy(max_appointments=3))
    for number in range(5):
        add(office, f"e{number}", berlin(2026, 4, 1 + number, 8))
    add(office, "series", berlin(2020, 1, 1, 9), recurrence=Recurrence(frequency=Frequency.DAY))
    assert {"series", "e0", "e1"} == offered(office)


def test_rule_54_what_slides_out_vanishes_without_touching_the_crm(office, clock):
    """A sync client is told that it is gone; the record is as it was."""
    record = add(office, "old", berlin(2026, 2, 15, 8))
    first, _ = office.feeds.changes(ANNA, CALENDAR, None)
    clock.now += timedelta(days=1)
    _, entries = office.feeds.changes(ANNA, CALENDAR, first)
    assert [(record.name, False)] == [(entry.name, entry.live) for entry in entries]
    assert (record, 1) == (office.records.get("t", record.id), len(office.records.history("t", record.id)))


def test_what_slides_in_appears(office, clock):
    """At the tenant's midnight, not 24 hours later."""
    add(office, "far", berlin(2026, 9, 16, 8))
    first = office.feeds.cursor(ANNA, CALENDAR)
    clock.now = datetime(2026, 3, 15, 22, 59, 59, tzinfo=UTC)
    assert first == office.feeds.cursor(ANNA, CALENDAR)
    clock.now = datetime(2026, 3, 15, 23, 0, tzinfo=UTC)
    _, entries = office.feeds.changes(ANNA, CALENDAR, first)
    assert [True] == [entry.live for entry in entries]


def test_rule_55_a_series_counts_by_its_occurrences(office):
    """Its first day may be years back; one without any occurrence in the window is not offered."""
    add(office, "weekly", berlin(2019, 1, 1, 8), recurrence=Recurrence(frequency=Frequency.WEEK))
    add(office, "ended", berlin(2019, 1, 1, 8), recurrence=Recurrence(frequency=Frequency.WEEK, until=date(2025, 12, 31)))
    add(office, "yearly", berlin(2019, 12, 24, 8), recurrence=Recurrence(frequency=Frequency.YEAR, until=date(2030, 1, 1)))
    assert {"weekly"} == offered(office)


def test_u28_a_whole_day_counts_in_the_tenants_zone(office):
    """The last day is inclusive (U29)."""
    add(office, "in", date(2026, 2, 10), end=date(2026, 2, 15))
    add(office, "out", date(2026, 2, 10), end=date(2026, 2, 13))
    assert {"in"} == offered(office)


def test_rule_53_participants_and_groups_see_it_the_creator_alone_does_not(office):
    """U19: also an own one without participants."""
    add(office, "mine", berlin(2026, 4, 1, 8))
    add(office, "group", berlin(2026, 4, 1, 8), participants=(), groups=("sales",), creator="bert")
    add(office, "own", berlin(2026, 4, 1, 8), participants=(), creator="anna")
    add(office, "made for bert", berlin(2026, 4, 1, 8), participants=("bert",), creator="anna")
    with office.store.writing() as tx:
        tx.save_user(tx.user(ANNA).__class__(identity=ANNA, groups=("sales",)))
    assert ({"mine", "group", "own"}, {"made for bert"}) == (offered(office), offered(office, BERT))


def test_u20_u21_u22_cancelled_and_others_private_ones_are_not_offered(make_office):
    """Options turn the first two."""
    office = make_office(Policy(include_cancelled=True, include_completed=False))
    for status in AppointmentStatus:
        add(office, status.value, berlin(2026, 4, 1, 8), status=status)
    add(office, "private", berlin(2026, 4, 1, 8), private=True, participants=("anna", "bert"), creator="bert")
    assert {"active", "cancelled", "participants available"} == offered(office)
    assert {"private"} == offered(office, BERT)


@pytest.mark.parametrize(("scope", "is_offered"), [("P3M", True), ("P6M", True), ("P1M", False)])
def test_u15_a_device_may_ask_for_more_past_up_to_the_most(office, scope, is_offered):
    """Three and six months are honoured, more has no word; the far edge stays (rule 50)."""
    add(office, "january", berlin(2026, 1, 10, 8))
    add(office, "last summer", berlin(2025, 8, 10, 8))
    add(office, "far", berlin(2026, 12, 10, 8))
    assert ({"january"} if is_offered else set()) == {offer.uid for offer in office.feeds.listing(ANNA, CALENDAR, scope)}


def test_a_client_that_names_a_period_gets_it_from_the_records(office):
    """Rule 49: older months on request; the far edge stays (rule 50)."""
    add(office, "old", berlin(2025, 6, 10, 8))
    add(office, "far", berlin(2027, 1, 10, 8))
    add(office, "series", berlin(2025, 1, 1, 8), recurrence=Recurrence(frequency=Frequency.MONTH))
    june = int(berlin(2025, 6, 5).timestamp()), int(berlin(2025, 6, 30).timestamp())
    next_year = int(berlin(2027, 1, 1).timestamp()), int(berlin(2027, 2, 1).timestamp())
    assert ["old"] == [offer.uid for offer in office.feeds.period(ANNA, *june)]
    assert [] == [offer.uid for offer in office.feeds.period(ANNA, *next_year)]


def test_a_cursor_of_another_epoch_is_invalid(office):
    """The client starts again instead of missing something."""
    with pytest.raises(Exception, match="synchronise from the beginning"):
        office.feeds.changes(ANNA, CALENDAR, Cursor("other", 0))


def test_a_cursor_older_than_what_was_pruned_is_invalid(make_office, clock):
    """Gone entries are forgotten after feed_days; an older cursor cannot be answered any more."""
    office = make_office(Policy(feed_days=10))
    add(office, "e", berlin(2026, 2, 20, 8))
    old = office.feeds.cursor(ANNA, CALENDAR)
    clock.now += timedelta(days=30)
    office.feeds.refresh(ANNA, CALENDAR)
    clock.now += timedelta(days=11)
    office.feeds.refresh(ANNA, CALENDAR)
    with pytest.raises(Exception, match="too old"):
        office.feeds.changes(ANNA, CALENDAR, old)
