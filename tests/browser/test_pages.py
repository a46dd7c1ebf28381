"""Every page there is, as the table of routes names them: what holds for all of them in a browser."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser import gallery, keyboard
from tests.browser.person import Equipment, Person
from tests.pages.addresses import LEADS_ON, NO_PAGES, PAGES

MOST = 100 * 1024  # bytes of a page
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
# Beside the routes: what is shown in place of a page
SIGN_IN, NOT_FOUND = "sign-in", "not found"
SHOWN = [one for one in PAGES if one.route.path not in (*NO_PAGES, LEADS_ON)]
# Of pages that are made by one view, one is looked at in every way
FIRST = [one for one in SHOWN if one == next(other for other in SHOWN if other.route is one.route)]


@pytest.fixture(scope="package")
def open_gallery(tmp_path_factory):
    """The office with something on every page; nothing here changes it."""
    with gallery.open_gallery(tmp_path_factory.mktemp("gallery")) as live:
        yield live


@pytest.fixture(scope="module", params=[*FIRST, SIGN_IN, NOT_FOUND], ids=str)
def seen(request, browser, open_gallery):
    """Somebody who has opened the page with an empty cache, and nothing else."""
    person = Person(browser, open_gallery.url, Equipment())
    if request.param != SIGN_IN:
        person.take_session(open_gallery.session())
    is_page = request.param not in (SIGN_IN, NOT_FOUND)
    path = request.param.path(open_gallery.office) if is_page else {SIGN_IN: "/", NOT_FOUND: "/nothing"}[request.param]
    person.open(path)
    yield person
    person.close()


@pytest.fixture
def person(seen):
    """The same, at a desk again."""
    seen.page.set_viewport_size({"width": 1280, "height": 800})
    seen.page.emulate_media(media="screen", color_scheme="light", reduced_motion="reduce")
    return seen


def test_a_page_is_small_and_paints_after_one_style_sheet(person):
    """At most 100 KB; beside it one style sheet, our script, which waits, and pictures of our own: nothing from anywhere else."""
    page, *others = person.responses
    assert len(page.body()) <= MOST
    kinds = [answer.request.resource_type for answer in others]
    assert ("document", 1) == (page.request.resource_type, kinds.count("stylesheet"))
    assert set(kinds) <= {"stylesheet", "script", "image", "other"}
    assert all(answer.url.startswith(f"{person.url}/.web/") for answer in others)
    assert 0 == person.page.locator("script:not([defer]), [style], style, link[rel=stylesheet]:not([href*='/static/'])").count()


def test_what_is_no_page_is_kept_or_a_piece(browser, open_gallery):
    """A file to keep says so, and no browser guesses what it is; a piece for our script has no frame around it."""
    person = Person(browser, open_gallery.url)
    person.take_session(open_gallery.session())
    for address in PAGES:
        if address.route.path in NO_PAGES:
            answer = person.context.request.get(f"{person.url}/.web{address.path(open_gallery.office)}")
            is_piece = answer.headers["content-type"].startswith("text/html") and "<html" not in answer.text()
            assert answer.ok, address
            assert is_piece or answer.headers["content-disposition"].startswith("attachment"), address
            assert "nosniff" == answer.headers["x-content-type-options"], address
    person.close()


def test_nothing_goes_wrong_on_a_page(person):
    """No error of a script, no word of the console, nothing that the policy kept from happening."""
    assert [] == person.faults


def test_a_page_has_a_title_and_one_heading_of_its_own(person):
    """Its title begins with what its heading says, so that tabs and screen readers tell pages apart."""
    assert "en" == person.page.locator("html").get_attribute("lang")
    heading = person.page.locator("h1")
    assert 1 == heading.count()
    assert heading.inner_text().strip()
    assert person.page.title().endswith("onOffice synchronisation")


@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing(person, size):
    """WCAG 2.1 AA as far as axe-core can see it, and its advice; in the dark only the colours are others."""
    width, height = SIZES[size]
    person.page.set_viewport_size({"width": width, "height": height})
    assert [] == judged(person.page)


def judged(page) -> list[str]:
    """What axe-core has against a page in the light, and against its colours in the dark."""
    page.emulate_media(color_scheme="light")
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    return found + violations(page, "color-contrast")


def violations(page, *rules: str) -> list[str]:
    """What axe-core has against a page."""
    found = Axe().run(page, options={"runOnly": list(rules)} if rules else {}).response
    assert found["passes"]
    return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]


def test_pages_of_one_view_are_alike(browser, open_gallery):
    """The others that a view makes: axe finds nothing in either size and scheme, a phone holds them, nothing goes wrong."""
    person = Person(browser, open_gallery.url)
    person.take_session(open_gallery.session())
    for address in SHOWN:
        if address not in FIRST:
            assert person.open(address.path(open_gallery.office)).ok, address
            for width, height in SIZES.values():
                person.page.set_viewport_size({"width": width, "height": height})
                assert [] == judged(person.page), address
            person.page.set_viewport_size({"width": 320, "height": 844})
            assert person.page.evaluate("document.documentElement.scrollWidth") <= 320, address
    person.close()
    assert [] == person.faults


@pytest.mark.parametrize("width", [390, 320])
def test_a_page_fits_a_phone(person, width):
    """Nobody scrolls sideways, at 320 px neither (WCAG 1.4.10); a wide table scrolls within itself."""
    person.page.set_viewport_size({"width": width, "height": 844})
    assert width >= person.page.evaluate("document.documentElement.scrollWidth")


def test_the_keyboard_reaches_everything_in_order(person):
    """Tab goes from the skip link through every control, as they stand on the page, and each shows that it has the focus."""
    assert keyboard.controls(person.page) == keyboard.walk(person.page)


def test_the_skip_link_leads_to_the_content(person):
    """The first Tab and Enter pass the navigation by."""
    keyboard.start(person.page)
    person.page.keyboard.press("Tab")
    assert "#content" == person.page.evaluate("document.activeElement.getAttribute('href')")
    person.page.keyboard.press("Enter")
    assert "content" == person.page.evaluate("document.activeElement.id")


def test_a_page_prints(person):
    """What was to be read is on paper, and what was to be pressed is not."""
    words = person.page.locator("h1").inner_text()
    person.page.emulate_media(media="print")
    assert words == person.page.locator("h1").inner_text()
    assert 0 == person.page.locator("button:visible, nav:visible, .skip:visible").count()
    assert person.page.pdf().startswith(b"%PDF-")


def test_without_scripts_every_control_does_something(person):
    """A button sends a form, a link leads somewhere; what needs a script is hidden until there is one."""
    without = Person(person.context.browser, person.url, Equipment(scripts=False))
    without.context.add_cookies(person.context.cookies())
    without.page.goto(person.page.url)
    idle = "[...document.querySelectorAll('button, a')].filter(e => e.checkVisibility() && !(e.form && e.form.action || e.href)).map(e => e.outerHTML)"
    assert [] == without.page.evaluate(idle)
    assert [] == without.faults
    without.close()
