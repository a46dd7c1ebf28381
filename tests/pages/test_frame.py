"""What all pages have in common: the session, the language, and that nobody else can act in a user's name."""

from __future__ import annotations

from datetime import timedelta

import pytest

from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.errors import SignInRefused, Unavailable
from radicale_onoffice.core.model import Face, Identity, Kind
from radicale_onoffice.core.rights import Gate
from radicale_onoffice.pages import language
from radicale_onoffice.pages.routes import ROUTES
from radicale_onoffice.pages.site import HEADERS
from tests.pages.visitor import Visitor

ANNA = Identity("t", "anna")


def lock(office) -> None:
    """As a phone with an old password does."""
    for _ in range(5):
        with pytest.raises(SignInRefused):
            office.accounts.sign_in("anna", "wrong", Caller(face=Face.DAV))


def set_cookies(page) -> list[str]:
    return page.answer.headers.get_list("set-cookie")


@pytest.mark.parametrize("left", ["unlocked", "{}", "[]", '{"key": "nowhere"}', '{"key": "unlocked", "key2": 1}'])
def test_a_notice_of_another_version_spoils_no_page(anna, left):
    """What it said is lost; that it was said is enough for one page."""
    with anna.office.store.writing() as tx:
        (session,) = tx.page_sessions(ANNA)
        tx.change_page_session(session.token_digest, notice=left)
    assert (200, 200) == (anna.get().status, anna.get().status)


# ------------------------------------------------------ without the database


@pytest.mark.parametrize("away", ["page_sessions", "users"])
def test_a_database_that_does_not_answer_is_a_page_with_503(anna, away):
    """Signed in or not: nobody is told of an error of ours, and the browser may come again."""
    with anna.office.store.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {away} RENAME TO away")
    page = anna.get("/devices")
    assert (503, "30") == (page.status, page.answer.headers["retry-after"])
    assert "The server cannot answer at present" in page.text


def test_a_database_that_cannot_be_written_shows_pages_all_the_same(anna, clock, monkeypatch):
    """When a session was used last is noted when that is possible."""
    clock.now += timedelta(minutes=11)

    def full(**_kwargs):
        raise Unavailable("The disk is full.", 30)

    monkeypatch.setattr(anna.office.store, "writing", full)
    assert 200 == anna.get("/devices").status


# ---------------------------------------------------------------- signing in


def test_the_page_asks_for_a_login_of_its_own(visitor):
    """No password box of the browser: a form."""
    page = visitor.get()
    assert (200, None) == (page.status, page.answer.headers.get("www-authenticate"))
    assert page.has_form("/sign-in")


def test_the_cookie_is_for_the_page_only(server):
    """HttpOnly, SameSite=Lax, and it opens no DAV path, however that is spelled."""
    visitor = Visitor(server)
    answer = visitor.http.post("/.web/sign-in", data={"login": "anna", "password": "secret"})
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=Lax", "Path=/.web"))
    for path in ("/anna/", "/.webdav/../anna/contacts/", "/.web/%2e%2e/anna/contacts/"):
        request = visitor.http.build_request("PROPFIND", "/", headers={"Depth": "0", "Cookie": cookie.partition(";")[0]})
        request.url = request.url.copy_with(raw_path=path.encode())
        assert 401 == visitor.http.send(request).status_code, path


def test_behind_tls_the_cookie_never_travels_without(serve):
    """Secure, when a trusted proxy says that the browser speaks TLS."""
    visitor = Visitor(serve(onoffice_trust_proxy="True"))
    form = {"login": "anna", "password": "secret"}
    page = visitor.post("/sign-in", form, follow=False, **{"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"})
    assert all("Secure" in cookie for cookie in set_cookies(page))
    assert "Secure" not in visitor.post("/sign-in", form, follow=False, **{"X-Forwarded-For": "192.0.2.7"}).answer.headers["set-cookie"]


def test_a_wrong_password_says_so_and_leaks_nothing(visitor):
    """The same words for an unknown login."""
    first, second = visitor.sign_in(password="wrong"), visitor.sign_in("nobody", "wrong")
    assert (403, 403, first.text) == (first.status, second.status, second.text)
    assert "wrong" in first.text


def test_a_session_that_somebody_else_planted_is_not_taken_over(visitor, server):
    """Fixation: signing in always makes a new session, and ends the one that the browser had."""
    visitor.sign_in("bert")
    planted = visitor.http.cookies["onoffice_session"]
    visitor.post("/sign-in", {"login": "anna", "password": "secret"})
    assert planted != visitor.http.cookies["onoffice_session"]
    attacker = Visitor(server)
    attacker.http.cookies.set("onoffice_session", planted)
    assert attacker.get().has_form("/sign-in")


def test_guessing_at_the_page_is_slowed_down_and_does_not_lock_sync(visitor):
    """Brute force: after some wrong passwords the right one is refused, too, until a while has passed; phones go on."""
    for number in range(30):
        assert 403 == visitor.post("/sign-in", {"login": "anna", "password": f"guess {number}"}).status
    assert 403 == visitor.post("/sign-in", {"login": "anna", "password": "secret"}).status
    assert not visitor.office.accounts.is_locked(ANNA)


def test_signing_in_leads_to_the_page_that_was_wanted(visitor):
    """The sign-in stands in place of it."""
    page = visitor.get("/?language=de")
    assert {"/"} == {value for name, value in page.fields("/sign-in") if name == "wanted"}
    answer = visitor.post("/sign-in", {"login": "anna", "password": "secret", "wanted": "/"}, follow=False).answer
    assert "/.web/" == answer.headers["location"]


def test_signing_in_leads_to_what_was_searched_for(visitor):
    """The query of the page goes along, the language apart, which the browser keeps."""
    page = visitor.get("/devices?page=2&q=a%26b&language=de")
    assert ["/devices?page=2&q=a%26b"] == [value for name, value in page.fields("/sign-in") if name == "wanted"]
    form = {"login": "anna", "password": "secret", "wanted": "/devices?page=2&q=a%26b"}
    assert "/.web/devices?page=2&q=a%26b" == visitor.post("/sign-in", form, follow=False).answer.headers["location"]


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("/devices/x\r\nSet-Cookie: y=1", "/.web/devices/x%0D%0ASet-Cookie%3A%20y%3D1"),
        ("/devices?a=\r\nX:+y", "/.web/devices?a=%0D%0AX%3A+y"),
        ("/devices?" + "a" * 5000, "/.web/devices?" + "a" * 1991 + "="),
    ],
)
def test_what_was_wanted_adds_no_header(visitor, wanted, location):
    """Response splitting: names in a path may hold any character, so they are spelled anew."""
    answer = visitor.post("/sign-in", {"login": "anna", "password": "secret", "wanted": wanted}, follow=False).answer
    assert (303, location) == (answer.status_code, answer.headers["location"])


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example/", "/\\evil.example", "/../anna/", "/%0d%0aSet-Cookie:x=1", "\r\nX: y", "/nothing"]
)
def test_signing_in_leads_nowhere_else(visitor, wanted):
    """Open redirect: only to a page of ours."""
    answer = visitor.post("/sign-in", {"login": "anna", "password": "secret", "wanted": wanted}, follow=False).answer
    assert (303, "/.web/") == (answer.status_code, answer.headers["location"])


def test_signing_out_ends_the_session(anna):
    """The cookie is worth nothing then, and the browser drops it."""
    kept = anna.http.cookies["onoffice_session"]
    assert anna.submit("/", "/sign-out").has_form("/sign-in")
    assert "onoffice_session" not in anna.http.cookies
    anna.http.cookies.set("onoffice_session", kept)
    assert anna.get().has_form("/sign-in")


# ------------------------------------------------------- others' requests


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}])
def test_a_foreign_site_can_do_nothing(anna, headers):
    """CSRF: neither sign in nor unlock, even with the right token."""
    lock(anna.office)
    assert 403 == anna.post("/unlock", {"token": anna.token()}, **headers).status
    assert 403 == anna.post("/sign-in", {"login": "anna", "password": "secret"}, **headers).status
    assert anna.office.accounts.is_locked(ANNA)


POSTS = [route.path for route in ROUTES if route.method == "POST" and not route.is_public]


@pytest.mark.parametrize("form", [{}, {"token": "x"}, {"token": "ü"}])
@pytest.mark.parametrize("path", POSTS)
def test_without_the_token_nothing_happens(anna, path, form):
    """CSRF: on no path there is."""
    before = anna.token()
    assert 403 == anna.post(path.replace("{", "").replace("}", ""), form).status
    assert before == anna.token()


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.is_public], ids=lambda route: f"{route.method} {route.path}")
def test_without_a_session_there_is_a_sign_in_and_nothing_else(visitor, route):
    """Forced browsing: each page that is not public."""
    path = route.path.replace("{", "").replace("}", "")
    page = visitor.get(path) if route.method == "GET" else visitor.post(path, {"token": "x"})
    assert (200 if path == "/" and route.method == "GET" else 403) == page.status
    assert "anna" not in page.text


@pytest.mark.parametrize(
    "path", ["/nothing", "/../etc/passwd", "/sync.html", "/static/../site.py", "/static/nothing.css", "/%2e%2e/cli.py"]
)
def test_nothing_else_is_served(visitor, path):
    """No file of the package but those that pages need."""
    assert visitor.get(path).status in (302, 401, 403, 404)


def test_the_page_can_be_framed_and_cached_by_nobody(visitor):
    """Clickjacking, and a shared computer; scripts and styles are our own files only."""
    headers = visitor.get().answer.headers
    assert ("no-store", "DENY", "nosniff") == tuple(
        headers[name] for name in ("cache-control", "x-frame-options", "x-content-type-options")
    )
    policy = headers["content-security-policy"]
    assert all(part in policy for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"))
    assert "unsafe" not in policy


def test_style_and_script_are_kept_by_the_browser_until_they_change(visitor):
    """Their address carries a digest; asked again with the tag, nothing is sent."""
    page = visitor.get()
    (style,) = [link.get("href") for link in page.tree.cssselect("link[rel=stylesheet]")]
    answer = visitor.http.get(style)
    assert (200, "text/css; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert "immutable" in answer.headers["cache-control"]
    assert 304 == visitor.http.get(style, headers={"If-None-Match": answer.headers["etag"]}).status_code


@pytest.mark.parametrize("name", ["account.css", "style.css/x", "x" * 3000])
def test_a_file_that_there_is_not_is_no_page(anna, name):
    """Cache deception: a cache that keeps all below this path must not get what is a signed-in user's."""
    answer = anna.http.get(f"/.web/static/{name}")
    assert (404, "There is no such file.\n") == (answer.status_code, answer.text)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_a_form_has_a_size_and_a_type(visitor):
    """More, or something else, is no form."""
    assert 403 == visitor.post("/sign-in", {"login": "anna", "password": "x" * 80_000}).status
    assert 403 == visitor.http.post("/.web/sign-in", json={"login": "anna", "password": "secret"}).status_code
    many = "&".join(["login=anna"] * 2000)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert 403 == visitor.http.post("/.web/sign-in", content=many, headers=headers).status_code
    assert 403 == visitor.http.post("/.web/sign-in", content=b"login=\xff", headers=headers).status_code


# ------------------------------------------------------------------ language


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ("de-CH,de;q=0.9", "Anmelden"),
        ("it", "Accedi"),
        ("fr, it;q=0.4, en;q=0.7", "Sign in"),
        ("fr", "Sign in"),
        ("", "Sign in"),
        ("de;q=x", "Anmelden"),
    ],
)
def test_the_browser_chooses_the_language(server, header, word):
    """By its weights; English where there is none of its languages."""
    page = Visitor(server, header).get()
    assert word == page.tree.cssselect("h1")[0].text_content()


def test_the_visitor_can_choose_another_language_and_it_stays(visitor):
    """By a link on each page."""
    assert "Accedi" in visitor.get("/?language=it").text
    page = visitor.get()
    assert ("it", "Accedi") == (page.tree.get("lang"), page.tree.cssselect("h1")[0].text_content())
    assert "Accedi" in visitor.get("/?language=xx").text


def test_every_text_exists_in_every_language():
    """With the same values in it."""
    texts = {code: language.vocabulary(code) for code in language.LANGUAGES}
    assert texts["de"].keys() == texts["en"].keys() == texts["it"].keys()
    for key in texts["en"]:
        kinds = {type(texts[code][key]) for code in texts}
        assert 1 == len(kinds), key


# --------------------------------------------------------------- the lock


def test_rule_88_the_button_is_there_only_while_locked_and_rule_89_success_shows_once(anna):
    """The page opens although sync is locked (rule 87)."""
    assert not anna.get().has_form("/unlock")
    lock(anna.office)
    assert anna.get().has_form("/unlock")
    page = anna.submit("/", "/unlock")
    assert "Your sync access has been unlocked" in page.text
    assert not page.has_form("/unlock")
    assert not anna.office.accounts.is_locked(ANNA)
    assert "has been unlocked" not in anna.get().text


@pytest.mark.parametrize("gate", list(Gate))
def test_the_page_tells_which_gate_is_closed(anna, gate):
    """For each kind, with the reason; a deactivated user can still read it."""
    anna.office.settings.set_gate(ANNA, gate, Kind.TASKS, False, "test")
    reason = str(language.vocabulary("en")[f"gate_{gate}"])
    assert (1 if gate in (Gate.SWITCH, Gate.OTHER_CHANNEL) else 3) == anna.get().text.count(reason)
    anna.office.settings.set_gate(ANNA, gate, Kind.TASKS, True, "test")
    assert reason not in anna.get().text
