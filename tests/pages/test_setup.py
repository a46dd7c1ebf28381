"""Set up a device: each client's own instructions, with values that this server answers to."""

from __future__ import annotations

import re
from pathlib import Path

import lxml.html
import pytest
import zxingcpp
from PIL import Image, ImageDraw

from radicale_onoffice import manual
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import Identity, Tenant, User
from radicale_onoffice.pages.clients import CLIENTS, Way, client_of, place_of
from tests.pages.test_profiles import HTTPS
from tests.pages.visitor import Visitor

KEYS = [client.key for client in CLIENTS]
EAS_ONLY = {"android", "outlook_mobile"}


@pytest.fixture
def anna_at(serve):
    """The user anna at a server behind TLS; options as they are given."""

    def make(**options):
        visitor = Visitor(serve(onoffice_trust_proxy="True", **options))
        visitor.sign_in()
        return visitor

    return make


def filled_in(page) -> list[dict[str, str]]:
    """The tables of what to enter: by label the value that can be copied, or else what is said."""
    return [
        {
            row.cssselect("th")[0].text_content(): (row.cssselect("code") or row.cssselect("td"))[0].text_content().strip()
            for row in table.cssselect("tbody tr")
        }
        for table in page.tree.cssselect("table.values")
    ]


def read_code(svg: lxml.html.HtmlElement) -> str:
    """What a camera reads in a QR code of the page; drawn as browsers draw the path."""
    side = int(svg.get("viewbox").split()[2])
    picture = Image.new("1", (side * 8, side * 8), 1)
    draw = ImageDraw.Draw(picture)
    x = y = 0.0
    for command, arguments in re.findall(r"([Mmh])([^Mmh]*)", svg.cssselect("path")[0].get("d")):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", arguments)]
        if command == "h":
            draw.rectangle((x * 8, (y - 0.5) * 8, (x + numbers[0]) * 8 - 1, (y + 0.5) * 8 - 1), fill=0)
            x += numbers[0]
        else:
            x, y = (numbers[0], numbers[1]) if command == "M" else (x + numbers[0], y + numbers[1])
    (found,) = zxingcpp.read_barcodes(picture.convert("L"))
    return found.text


def codes(page) -> list[str]:
    return [read_code(svg) for svg in page.tree.cssselect(".qr svg")]


def test_the_page_lists_every_device_and_says_first_what_rules_10_to_15_say(anna_at):
    """Rules 10, 11, 12, 13, 14 and 15: back up, own folders, never move them, duplicates, other channels, handing over; then a link for each device."""
    page = anna_at().get("/set-up", **HTTPS)
    for words in ("back up", "a folder and a calendar of their own", "Do not change this target", "not merged", "memotoo", "Do not hand"):
        assert words in page.text, words
    links = [link.get("href") for link in page.tree.cssselect(".tiles a")]
    assert [f"/.web/set-up/{key}" for key in KEYS] == links
    assert "cannot come in" not in page.text


def test_the_page_brings_itself_to_the_phone(anna_at):
    """Its code is its own address."""
    assert ["https://sync.example.org/.web/set-up"] == codes(anna_at().get("/set-up", **HTTPS))


@pytest.mark.parametrize("language", ["de", "en", "it"])
@pytest.mark.parametrize("key", KEYS)
def test_every_device_has_steps_and_fields_in_every_language(anna_at, key, language):
    """As many tables as ways; each value can be copied by its own button, and the page stays small."""
    page = anna_at().get(f"/set-up/{key}?language={language}", **HTTPS)
    assert 200 == page.status
    client = client_of(key, has_eas=True)
    assert [len(settings) for _, settings in client.ways] == [len(table) for table in filled_in(page)]
    assert len(client.ways) == len(page.tree.cssselect("ol.steps"))
    assert all(len(steps.cssselect("li")) >= 2 for steps in page.tree.cssselect("ol.steps"))
    copied = [button.get("data-copy") for button in page.tree.cssselect("button[data-copy]")]
    assert [code.get("id") for code in page.tree.cssselect("td code")] == copied
    assert len(copied) == len(set(copied))
    assert len(page.answer.content) < 100_000


def test_an_iphone_is_told_server_domain_and_user_name(anna_at):
    """The fields of its own forms: Exchange first, then CalDAV and CardDAV."""
    exchange, dav = filled_in(anna_at().get("/set-up/iphone", **HTTPS))
    assert {
        "E-mail address": "your own e-mail address",
        "Server": "sync.example.org",
        "Domain": "leave empty",
        "User name": "anna",
        "Password": "the password that you sign in with here",
    } == exchange
    assert {"Server": "sync.example.org", "User name": "anna", "Password": exchange["Password"]} == dav


def test_values_are_those_of_the_address_that_was_asked(anna_at):
    """With the port, if it is not the usual one and has no field of its own; whoever asks by another name is told that name."""
    visitor = anna_at()
    android = filled_in(visitor.get("/set-up/android", **(HTTPS | {"Host": "crm.example.org:8443"})))[0]
    assert ("crm.example.org", "8443") == (android["Server"], android["Port"])
    iphone = filled_in(visitor.get("/set-up/iphone", **(HTTPS | {"Host": "crm.example.org:8443"})))[0]
    assert "crm.example.org:8443" == iphone["Server"]
    other = filled_in(visitor.get("/set-up/other", **(HTTPS | {"Host": "[2001:db8::1]"})))[1]
    assert ("https://[2001:db8::1]/", "https://[2001:db8::1]/anna/calendar/") == (other["Base URL"], other["Read only (iCalendar)"])


def test_a_user_of_another_tenant_is_told_the_whole_login(serve):
    """U44: what is shown is what signs in, with the address where the login is one."""
    server = serve(onoffice_trust_proxy="True")
    with server.office.store.writing() as tx:
        tx.save_tenant(Tenant(name="agentur.example"))
    server.office.accounts.save_user(User(identity=Identity("agentur.example", "eva")), "secret", "test")
    visitor = Visitor(server)
    visitor.sign_in("eva@agentur.example")
    page = visitor.get("/set-up/android", **HTTPS)
    (android,) = filled_in(page)
    assert ("eva@agentur.example",) * 2 == (android["E-mail address"], android["Domain\\user name"])
    assert 200 == server.client(android["Domain\\user name"]).options("/Microsoft-Server-ActiveSync").status_code
    assert ["davx5://eva%40agentur.example@sync.example.org/"] == codes(visitor.get("/set-up/davx5", **HTTPS))


def test_davx5_opens_by_its_documented_link(anna_at):
    """As code for a second device, and as a link on the device itself; neither holds a password."""
    page = anna_at().get("/set-up/davx5", **(HTTPS | {"Host": "sync.example.org:8443"}))
    assert ["davx5://anna@sync.example.org:8443/"] == codes(page)
    assert "davx5://anna@sync.example.org:8443/" in [link.get("href") for link in page.tree.cssselect("a.button")]


def test_the_plain_address_is_a_code_too(anna_at):
    """For programs that scan one."""
    assert ["https://sync.example.org/"] == codes(anna_at().get("/set-up/other", **HTTPS))


def test_codes_need_nothing_that_the_policy_forbids(anna_at):
    """Content-Security-Policy allows no style attributes."""
    for key in ("davx5", "other"):
        page = anna_at().get(f"/set-up/{key}", **HTTPS)
        assert [] == page.tree.cssselect("[style]") + page.tree.cssselect("style") + page.tree.cssselect("script:not([src])")


@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-Proto": "http"}, {"Host": "localhost:5232"}, {"Host": "127.0.0.1"}, {"Host": "[::1]:5232"}, {"Host": "0.0.0.0"}],
)
def test_the_page_says_plainly_that_phones_do_not_get_here(anna_at, headers):
    """Without TLS, or by a name that means the own machine."""
    visitor = anna_at()
    for path in ("/set-up", "/set-up/iphone", "/set-up/davx5"):
        page = visitor.get(path, **(HTTPS | headers))
        assert (200, True) == (page.status, "Phones cannot come in at this address: they need https" in page.text)
    if headers.get("X-Forwarded-Proto"):
        assert "davx5://" not in page.html


@pytest.mark.parametrize("host", ["a b", "<script>", "evil.example/path", "a@b", "a:99999", "[::", "-", ""])
def test_a_host_that_is_none_is_told_to_nobody(host):
    """What is shown and put into profiles is a name or an address."""
    with pytest.raises(BadRequest):
        place_of(f"https://{host}", "/")


def test_a_server_without_activesync_shows_no_steps_for_it(anna_at):
    """Clients that know nothing else are not offered at all."""
    visitor = anna_at(activesync_enabled="False")
    links = [link.get("href").rpartition("/")[2] for link in visitor.get("/set-up", **HTTPS).tree.cssselect(".tiles a")]
    assert [key for key in KEYS if key not in EAS_ONLY] == links
    for key in KEYS:
        page = visitor.get(f"/set-up/{key}", **HTTPS)
        assert (404 if key in EAS_ONLY else 200) == page.status
        assert "Exchange" not in page.text


def test_there_are_no_instructions_for_anything_else(anna_at):
    """A guessed name is a page that says so."""
    page = anna_at().get("/set-up/%3Cscript%3E", **HTTPS)
    assert (404, False) == (page.status, "<script>" in page.html)


def test_readme_says_what_the_page_says():
    """Both are made of the same table: put `radicale-onoffice options --format clients` into README after a change."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for way in Way:
        assert manual.clients(way) in readme
    assert "| iPhone, iPad |" in manual.clients(Way.EAS)
    assert "Server: `SERVER`; Domain: leave empty; User name: `LOGIN`; Password |" in manual.clients(Way.EAS)
