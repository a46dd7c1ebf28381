"""What other sites and other people's data try in the browser of somebody who is signed in."""

from __future__ import annotations

import pytest

from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.errors import SignInRefused
from radicale_onoffice.core.model import Face
from tests.browser import elsewhere
from tests.browser.person import DESKTOP, Person
from tests.pages import poison
from tests.pages.addresses import ANNA, NO_PAGES, PAGES

# A neighbour on the same host (SameSite lets the cookie through) and another host (it does not)
ELSEWHERE = ("127.0.0.1", "localhost")


@pytest.fixture
def victim(make_person, live):
    """Anna, signed in, whose sync is locked."""
    for _ in range(5):
        with pytest.raises(SignInRefused):
            live.office.accounts.sign_in("anna", "wrong", Caller(face=Face.DAV))
    anna = make_person()
    anna.sign_in()
    return anna


@pytest.fixture
def lure(victim, live):
    """Lead the victim to a page of somebody else; ``{pages}`` in it is where ours are, ``{token}`` the right one, as if it had leaked."""
    sites = []

    def to(html: str, host: str) -> None:
        token = victim.page.locator("input[name=token]").first.get_attribute("value")
        html = f'<link rel=icon href="data:,">{html}'
        site = elsewhere.open_site({"/": html.replace("{pages}", f"{live.url}/.web").replace("{token}", token)})
        sites.append(site)
        victim.page.goto(f"http://{host}:{site.__enter__()}/")

    yield to
    for site in sites:
        site.__exit__(None, None, None)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_a_form_of_another_site_does_nothing(victim, live, lure, host):
    """CSRF: even with the right token."""
    lure('<form method=post action="{pages}/unlock"><input name=token value="{token}"><button>Win</button></form>', host)
    with victim.page.expect_navigation():
        victim.press("Win")
    assert "came from another site" in victim.sees
    assert live.office.accounts.is_locked(ANNA)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_nobody_is_signed_in_by_another_site(victim, live, lure, host):
    """CSRF of the sign-in: who works in the attacker's account gives away what is typed there."""
    lure(
        '<form method=post action="{pages}/sign-in"><input name=login value=bert><input name=password value=secret><button>Win</button></form>',
        host,
    )
    with victim.page.expect_navigation():
        victim.press("Win")
    assert "came from another site" in victim.sees
    victim.open()
    assert "Signed in as anna" in victim.page.locator("header").inner_text()


@pytest.mark.parametrize("host", ELSEWHERE)
def test_a_page_in_a_frame_stays_empty(victim, lure, host):
    """Clickjacking: nothing of it is there to be clicked."""
    lure('<iframe src="{pages}/" width=900 height=600></iframe>', host)
    victim.page.wait_for_load_state()
    (frame,) = victim.page.main_frame.child_frames
    assert "Signed in as" not in frame.content()
    assert 0 == frame.locator("form").count()
    victim.faults = [fault for fault in victim.faults if "frame" not in fault.lower() and "ERR_BLOCKED_BY_RESPONSE" not in fault]


READ = """<script>
fetch("{pages}/", {credentials: "include"}).then(a => a.text(), () => "refused").then(text => { document.title = text });
</script>"""
INCLUDE = """<script>window.onerror = () => { document.title = "nothing" }</script>
<script src="{pages}/" onload="document.title = 'loaded'" onerror="document.title = 'refused'"></script>"""
OPEN = """<button onclick="const other = window.open('{pages}/'); setTimeout(() => {
  try { document.title = other.closed ? 'refused' : other.document.title || 'refused' } catch (error) { document.title = 'refused' }
}, 700)">Win</button>"""


@pytest.mark.parametrize("host", ELSEWHERE)
@pytest.mark.parametrize("html", [READ, INCLUDE, OPEN], ids=["fetch", "script", "window"])
def test_another_site_reads_nothing(victim, lure, host, html):
    """Neither by asking for a page, nor by taking it for a script, nor through a window that it opened."""
    lure(html, host)
    if "Win" in html:
        victim.press("Win")
    victim.page.wait_for_function("document.title !== ''")
    assert "refused" == victim.page.title()
    victim.faults = [one for one in victim.faults if "CORS" not in one and "ERR_FAILED" not in one and "ERR_BLOCKED_BY_RESPONSE" not in one]


def test_a_link_of_another_site_opens_the_page(victim, lure):
    """What SameSite=Lax is for: a link in a mail finds the visitor signed in."""
    lure('<a href="{pages}/">There</a>', "localhost")
    victim.follow("There")
    assert victim.has_button("Unlock sync access")


def test_scripts_that_others_wrote_run_on_no_page(browser, live):
    """Stored and reflected, in a browser whose policy is switched off, so that nothing but the escaping keeps them from running."""
    poison.poison(live.office)
    anna = Person(browser, live.url, DESKTOP, bypass_csp=True)
    anna.take_session(live.session())
    for address in PAGES:
        path = address.path(live.office)
        if address.route.path not in NO_PAGES:
            anna.open(path)
            for field in anna.page.locator("form[method=get] input[type=search], form[method=get] input[type=text]").all():
                field.fill(poison.PAYLOADS[1])
                field.press("Enter")
                anna.open(path)
            assert anna.page.url.startswith(live.url), address
    anna.close()
    assert [] == anna.faults


def test_the_policy_stops_a_script_that_got_through(make_person, live):
    """The second line: markup that is put into a page runs nothing, loads nothing and sends nothing elsewhere."""
    anna = make_person()
    anna.sign_in()
    injected = """<img src=x onerror="document.title='run'"><script>document.title='run'</script><img src="http://localhost:1/leak">
      <form action="http://localhost:1/leak"><button>Leak</button></form><a href="javascript:document.title='run'">Run</a>"""
    anna.page.evaluate("html => { document.querySelector('main').innerHTML = html }", injected)
    for role, name, directive in (("link", "Run", "script-src"), ("button", "Leak", "form-action")):
        with anna.page.expect_console_message(lambda said, directive=directive: directive in said.text):
            anna.page.get_by_role(role, name=name).click(no_wait_after=True)
    assert "run" != anna.page.title()
    assert anna.page.url.startswith(live.url)
    stopped = [fault for fault in anna.faults if "Content Security Policy" in fault]
    assert all(any(directive in fault for fault in stopped) for directive in ("script-src", "img-src", "form-action"))
    anna.faults.clear()
