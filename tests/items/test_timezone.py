"""The TimeZone structure and IANA zones ([MS-ASDTYPE] 2.7.4): what is sent is exact for its year, what comes is understood or not guessed."""

from __future__ import annotations

import base64
import functools
import importlib.metadata
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activesync_bridge.items import timezone, windows_zones
from tests.items import generate_windows_zones
from tests.items.building import BERLIN

VIENNA, NEW_YORK, UTC_ZONE = ZoneInfo("Europe/Vienna"), ZoneInfo("America/New_York"), ZoneInfo("UTC")
SUMMER, WINTER = datetime(2026, 7, 1, 8, tzinfo=UTC), datetime(2026, 1, 14, 9, tzinfo=UTC)
ZONES = sorted(available_timezones() - {"Factory", "localtime"})
YEARS = range(2000, 2038)


def blob(bias=0, standard=(0,) * 8, daylight=(0,) * 8, daylight_bias=0, name=""):
    """A structure as a client makes it; dates in the order of SYSTEMTIME: year, month, day of week, week, hour, minute, second, ms."""
    return base64.b64encode(
        timezone.BLOB.pack(
            bias, name.encode("utf-16-le"), timezone.SYSTEMTIME.pack(*standard), 0, b"", timezone.SYSTEMTIME.pack(*daylight), daylight_bias
        )
    ).decode()


CENTRAL_EUROPE = {"bias": -60, "standard": (0, 10, 0, 5, 3, 0, 0, 0), "daylight": (0, 3, 0, 5, 2, 0, 0, 0), "daylight_bias": -60}


def zone(text, start=SUMMER, stored=None, tenant=BERLIN, recurring=True):
    return timezone.resolve(text, start, stored=stored, tenant=tenant, recurring=recurring).key


def test_berlin_is_172_bytes_with_each_field_in_its_place():
    """Bias -60; standard time from the last Sunday of October, 03:00; daylight time from the last of March, 02:00 (R104-R120)."""
    data = base64.b64decode(timezone.dump("Europe/Berlin", 2026))
    name = "W. Europe Standard Time".encode("utf-16-le")
    daylight_name = "W. Europe Daylight Time".encode("utf-16-le")
    assert data == (
        b"\xc4\xff\xff\xff"  # Bias -60
        + name.ljust(64, b"\0")  # unused WCHARs are 0 (R109)
        + bytes([0, 0, 10, 0, 0, 0, 5, 0, 3, 0, 0, 0, 0, 0, 0, 0])  # each year, October, SUNDAY, the last, 03:00
        + b"\0\0\0\0"  # StandardBias
        + daylight_name.ljust(64, b"\0")
        + bytes([0, 0, 3, 0, 0, 0, 5, 0, 2, 0, 0, 0, 0, 0, 0, 0])  # March, Sunday, the last, 02:00
        + b"\xc4\xff\xff\xff"  # DaylightBias -60
    )
    assert 172 == len(data)


def test_a_last_sunday_is_last_in_years_in_which_it_is_the_fourth():
    """25 October 2026 is both; clients repeat the rule for years, so the years around decide."""
    assert 5 == timezone.rules_of("Europe/Berlin", 2026).standard_at.week
    assert (2, 1) == tuple(
        one.week
        for one in (timezone.rules_of("America/New_York", 2026).daylight_at, timezone.rules_of("America/New_York", 2026).standard_at)
    )


def test_the_standard_date_is_when_daylight_time_ends_also_in_the_south():
    """In Sydney that is in April."""
    rules = timezone.rules_of("Australia/Sydney", 2026)
    assert (600, 660, 4, 10) == (rules.standard, rules.daylight, rules.standard_at.month, rules.daylight_at.month)


# Years that no TimeZone structure can tell: daylight time that pauses for Ramadan, or two changes of the standard offset
UNTOLD = 39


def test_every_zone_and_year_is_told_exactly():
    """599 zones, 38 years: the structure moves the clocks at the same minutes to the same offsets, but for 39 years of 16 zones."""
    wrong = [
        (key, year) for key in ZONES for year in YEARS if timezone.load(timezone.dump(key, year)).year(year) != timezone.year_of(key, year)
    ]
    assert len(wrong) <= UNTOLD
    assert all(len(timezone.year_of(key, year)[1]) >= 2 for key, year in wrong)


@given(st.sampled_from(ZONES), st.sampled_from(YEARS), st.integers(0, 364 * 24 * 60), st.booleans())
def test_what_we_send_comes_back_as_a_zone_with_the_same_offsets(key, year, minutes, is_stored):
    """Whatever the tenant's zone is; and as the very zone that the event has."""
    start = datetime(year, 1, 1, 12, tzinfo=ZoneInfo(key)).astimezone(UTC) + timedelta(minutes=minutes % (363 * 24 * 60))
    text = timezone.dump(key, year)
    stored = ZoneInfo(key) if is_stored else None
    found = timezone.resolve(text, start, stored=stored, tenant=NEW_YORK, recurring=False)
    if is_stored:
        assert key == found.key
    elif timezone.load(text).year(year) == timezone.year_of(key, year) != (0, ()):
        assert timezone.year_of(found.key, year) == timezone.year_of(key, year)


def test_a_windows_name_is_known_and_the_tenants_own_zone_of_that_name_preferred():
    """Vienna and Berlin are both "W. Europe Standard Time"."""
    text = blob(**CENTRAL_EUROPE, name="W. Europe Standard Time")
    assert ("Europe/Berlin", "Europe/Vienna") == (zone(text, tenant=NEW_YORK), zone(text, tenant=VIENNA))
    assert "Europe/Berlin" == zone(blob(**CENTRAL_EUROPE, name="W. Europe Standard Time"), tenant=UTC_ZONE)


def test_an_iana_name_is_known():
    """Some clients write it into StandardName."""
    assert "Europe/Paris" == zone(blob(**CENTRAL_EUROPE, name="Europe/Paris"))


def test_a_zone_that_the_event_has_stays_if_its_clocks_agree():
    """Whatever the client calls it."""
    assert "Europe/Paris" == zone(blob(**CENTRAL_EUROPE, name="W. Europe Standard Time"), stored=ZoneInfo("Europe/Paris"))


def test_rules_without_a_name_find_the_tenants_zone_and_then_the_populous_one():
    """A dozen zones have the same rules."""
    assert "Europe/Vienna" == zone(blob(**CENTRAL_EUROPE), tenant=VIENNA)
    assert "Europe/Berlin" == zone(blob(**CENTRAL_EUROPE), tenant=NEW_YORK)
    us = blob(300, (0, 11, 0, 1, 2, 0, 0, 0), (0, 3, 0, 2, 2, 0, 0, 0), -60, name="EST")
    assert "America/New_York" == zone(us)


def test_the_fourth_sunday_is_the_last_one_if_the_year_says_so():
    """A client that words the rule of 2026 otherwise means the same."""
    worded = {**CENTRAL_EUROPE, "standard": (0, 10, 0, 4, 3, 0, 0, 0)}
    assert "Europe/Paris" == zone(blob(**worded), stored=ZoneInfo("Europe/Paris"))


def test_dates_of_one_year_are_days_of_the_month():
    """SYSTEMTIME with a year: 25 October and 29 March 2026."""
    worded = {**CENTRAL_EUROPE, "standard": (2026, 10, 0, 25, 3, 0, 0, 0), "daylight": (2026, 3, 0, 29, 2, 0, 0, 0)}
    assert "Europe/Berlin" == zone(blob(**worded), tenant=NEW_YORK)


def test_midnight_may_be_the_last_millisecond_of_the_day_before():
    """Windows writes 23:59:59.999 where the clocks change at 24:00, as in Jordan in 2015."""
    rules = timezone.rules_of("Asia/Amman", 2015)
    assert 0 == rules.daylight_at.hour
    worded = blob(-120, (0, 10, 5, 5, 1, 0, 0, 0), (0, 3, 4, 5, 23, 59, 59, 999), -60)
    assert "Asia/Amman" == zone(worded, datetime(2015, 7, 1, tzinfo=UTC), stored=ZoneInfo("Asia/Amman"))


@pytest.mark.parametrize(
    "text", ["", "AAAA", "not base64!", blob(), blob(standard=(0, 13, 0, 1, 0, 0, 0, 0), daylight=(0, 3, 0, 9, 0, 0, 0, 0))]
)
def test_an_absent_blank_or_broken_structure_means_the_zone_that_there_is(text):
    """The event's, else the tenant's: never UTC (pains 15, 40)."""
    assert ("Europe/Berlin", "Europe/Paris") == (zone(text), zone(text, stored=ZoneInfo("Europe/Paris")))


def test_pain_40_daylight_time_without_dates_is_the_tenants_zone_where_that_fits():
    """EAS-4-TbSync#272: Bias 0, no dates, DaylightBias -120, which is +2 hours in summer."""
    assert "Europe/Berlin" == zone(blob(daylight_bias=-120))
    assert "Asia/Kolkata" == zone(blob(-330, daylight_bias=-60), WINTER)  # Windows' own form of a zone without daylight time


@pytest.mark.parametrize("name", ["", "UTC", "GMT Dublin", "tzone://Microsoft/Utc"])
def test_pain_15_a_series_never_comes_to_lie_in_utc_by_a_guess(name):
    """It would drift by an hour with the clocks (Z-Push-contrib#236, #286); what is in UTC already stays there."""
    assert "Europe/Berlin" == zone(blob(name=name), recurring=True)
    if name == "UTC":
        assert "UTC" == zone(timezone.dump("UTC", 2026), stored=UTC_ZONE)


def test_unknown_rules_keep_the_zone_whose_offset_fits_at_the_event():
    """A client with rules of its own invention: the moment is right in any case."""
    odd = {**CENTRAL_EUROPE, "standard": (0, 9, 3, 2, 3, 0, 0, 0)}
    assert "Europe/Berlin" == zone(blob(**odd), SUMMER)


def test_the_wall_time_of_a_midnight_follows_the_structure():
    """By the offset that holds on that day; None where it tells nothing."""
    assert datetime(2026, 7, 2) == timezone.wall(timezone.dump("Europe/Berlin", 2026), datetime(2026, 7, 1, 22, tzinfo=UTC))  # noqa: DTZ001
    assert datetime(2026, 1, 2) == timezone.wall(timezone.dump("America/New_York", 2026), datetime(2026, 1, 2, 5, tzinfo=UTC))  # noqa: DTZ001
    assert timezone.wall(blob(), SUMMER) is None


@given(st.binary(min_size=172, max_size=172) | st.binary(max_size=200))
def test_any_bytes_are_a_zone(data):
    """Garbage is no error: the appointment matters more than how it was dressed."""
    text = base64.b64encode(data).decode()
    assert isinstance(timezone.resolve(text, SUMMER, stored=None, tenant=BERLIN, recurring=True), ZoneInfo)


@functools.cache
def known():
    return [name for name in windows_zones.WINDOWS if name in available_timezones()]


def test_the_table_of_windows_names_is_whole():
    """142 names and the zones they stand for; each fits the 31 characters that StandardName has."""
    assert "Europe/Berlin" == windows_zones.IANA["W. Europe Standard Time"]
    assert len(windows_zones.IANA) > 130
    assert len(known()) > 550
    assert max(len(name) for name in windows_zones.IANA) <= 31


def test_the_table_is_what_the_generator_makes():
    """Wherever the package that carries CLDR's list is installed in the version that the table names."""
    source = pytest.importorskip("tzlocal.windows_tz", reason="tzlocal is not installed: only needed to make the table anew")
    version = importlib.metadata.version("tzlocal")
    text = Path(windows_zones.__file__).read_text("utf-8")
    if f"tzlocal {version}." not in text:
        pytest.skip(f"the table was made from another version than tzlocal {version}")
    assert all(row in text for row in generate_windows_zones.rows(source.win_tz, source.tz_win))
