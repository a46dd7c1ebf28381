"""Fixtures: one browser for this folder's tests, a server behind a port, and people who sit before it."""

from __future__ import annotations

import pytest

from tests.browser import person
from tests.browser.live import Live
from tests.conftest import missing


# Not for the whole session: Playwright keeps an event loop in this thread, in which other folders' tests could not run theirs.
@pytest.fixture(scope="package")
def browser():
    """Chromium."""
    path = person.executable()
    if path is None:
        missing("Chromium", "chromium")
    with person.open_browser(path) as opened:
        yield opened


@pytest.fixture
def live(server):
    """The server of the other tests, behind a port."""
    running = Live(server)
    yield running
    running.stop()


@pytest.fixture
def make_person(browser, live):
    """Make a person; whatever went wrong in anybody's browser fails the test."""
    made = []

    def make(equipment=person.DESKTOP, url: str = ""):
        made.append(person.Person(browser, url or live.url, equipment))
        return made[-1]

    yield make
    faults = [fault for one in made for fault in one.faults]
    for one in made:
        one.close()
    assert [] == faults


@pytest.fixture(
    params=[person.DESKTOP, person.PHONE, person.WITHOUT_SCRIPTS, person.PHONE_WITHOUT_SCRIPTS],
    ids=["desktop", "phone", "desktop without scripts", "phone without scripts"],
)
def anna(request, make_person):
    """The user anna, signed in, at a desk or at a phone's browser, with scripts and without."""
    anna = make_person(request.param)
    anna.sign_in()
    return anna
