"""An onOffice account as the tests of the field tables know it."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from radicale_onoffice.crm.onoffice.account import Account, Group, Person
from radicale_onoffice.crm.onoffice.protocol import Row

BERLIN = ZoneInfo("Europe/Berlin")
ACCOUNT = Account(
    zone=BERLIN,
    people=(
        Person(id="42", name="anna", first_name="Anna", last_name="Alt", short="AA", email="anna@example.org"),
        Person(id="43", name="bert", first_name="Bert", last_name="Beyer", short="BB"),
    ),
    groups=(Group(id="7", name="Verkauf", members=("42",)), Group(id="8", name="Miete", members=("42", "43"))),
    appointment_types={"besichtigung": "Besichtigung", "buero": "Bürotermin"},
)


def row(elements, record_id="1", kind="address") -> Row:
    """A record as it comes in an answer."""
    return Row(record_id, kind, elements)


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
days = st.dates(date(1900, 1, 1), date(2098, 12, 31))
times = st.times(time(0, 0, 1), time(23, 59, 59)).map(lambda clock: clock.replace(microsecond=0))


def at(day: date, clock: time) -> datetime:
    """A moment that exists once: nights in which clocks change are onOffice's own ambiguity."""
    return datetime.combine(day, clock, BERLIN)


moments = st.builds(at, st.dates(date(2000, 1, 1), date(2098, 12, 31)).filter(lambda day: day.weekday() != 6), times)
