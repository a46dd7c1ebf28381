"""What the core says about a change, said again in the visitor's language."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from radicale_onoffice.core import recurrence, rights
from radicale_onoffice.core.drafts import Series, Weekday
from radicale_onoffice.core.errors import Refused
from radicale_onoffice.core.model import Identity, Kind, Right, Tenant, User
from radicale_onoffice.core.policy import Direction, OnIncompatibleSeries, Policy
from radicale_onoffice.pages.language import LANGUAGES, Voice
from tests.conftest import START

SUNDAY = START.astimezone(ZoneInfo("Europe/Berlin"))
FRIDAY = Weekday(4)
SERIES = [
    Series(frequency="HOURLY"),
    Series(frequency="DAILY", several=True),
    Series(frequency="MONTHLY", other_parts=("BYSETPOS",)),
    Series(frequency="MONTHLY", by_day=((2, FRIDAY),)),
    Series(frequency="WEEKLY", by_day=((0, FRIDAY),)),
    Series(frequency="MONTHLY", by_month_day=(3,)),
    Series(frequency="YEARLY", by_month=(5,)),
    Series(frequency="YEARLY", by_month_day=(15,)),
    Series(frequency="DAILY", interval=1200),
    Series(frequency="WEEKLY", interval=2, by_day=((0, FRIDAY),), until=date(2026, 6, 7)),
]


def voice(language: str) -> Voice:
    return Voice(language, ZoneInfo("Europe/Berlin"), START)


def refusals():
    """What rights and directions say."""
    tenant, user = Tenant(name="t"), User(identity=Identity("t", "anna"), rights=frozenset())
    one_way = Policy(direction=dict.fromkeys(Kind, Direction.TO_DEVICE))
    for policy in (Policy(), one_way):
        for kind in Kind:
            for right in Right:
                with pytest.raises(Refused) as caught:
                    rights.demand(tenant, user, kind, right, policy)
                yield str(caught.value)


@pytest.mark.parametrize("language", ["de", "it"])
@pytest.mark.parametrize("choice", list(OnIncompatibleSeries))
def test_every_deviation_of_a_series_is_said_in_the_language(language, choice):
    """All rows of rule 74's table, in both ways to store them: none stays as the core said it."""
    for series in SERIES:
        said = recurrence.degrade(series, SUNDAY, Policy(incompatible_series=choice)).deviation
        assert said
        again = voice(language).reason(said)
        assert again != said
        assert not {"stored", "cannot", "every"} & set(again.split()), again


@pytest.mark.parametrize("language", ["de", "it"])
def test_every_refusal_for_want_of_a_right_is_said_in_the_language(language):
    """Each kind with each right, and kinds that go one way only."""
    for said in refusals():
        again = voice(language).reason(said)
        assert again != said
        assert "onOffice" in again


def test_a_series_is_said_with_its_numbers_and_days():
    """As the language writes them."""
    said = recurrence.degrade(SERIES[-1], SUNDAY, Policy()).deviation
    assert voice("de").reason(said) == (
        "onOffice kennt keine Wiederholung an ausgewählten Wochentagen. Gespeichert ist: alle 2 Wochen von 15.03.2026 bis 07.06.2026."
    )
    said = recurrence.degrade(SERIES[3], datetime(2026, 3, 15, 9, tzinfo=ZoneInfo("Europe/Berlin")), Policy()).deviation
    assert voice("it").reason(said).endswith("È salvato: ogni mese dal 15 mar 2026.")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "said", ["", "Datensatz ist gesperrt; bitte später", "onOffice cannot hold a repetition on chosen weekdays; who knows"]
)
def test_what_is_not_known_is_shown_as_it_is(language, said):
    """Onoffice's own words, and sentences that are only half known."""
    assert said == voice(language).reason(said)


def test_what_looks_like_a_day_and_is_none_is_shown_as_it_is():
    """A sentence may come from onOffice, or from another version."""
    said = "stored is every week from 2026-99-99."
    assert said == voice("de").reason(said)
