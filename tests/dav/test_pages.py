"""The page: independent of the sync lock, with the button only while locked, safe against foreign sites."""

from __future__ import annotations

import html
import re

import pytest

from radicale_onoffice.core.accounts import Origin
from radicale_onoffice.core.errors import SignInRefused
from radicale_onoffice.core.model import Face, Identity, Kind
from radicale_onoffice.core.rights import Gate
from radicale_onoffice.pages.texts import GATE_TEXTS

ANNA = Identity("t", "anna")


@pytest.fixture
def browser(server):
    browser = server.client(None, **{"Accept-Language": "en"})
    browser.office = server.office
    return browser


def lock(office) -> None:
    for _ in range(5):
        with pytest.raises(SignInRefused):
            office.accounts.sign_in("anna", "wrong", Origin(face=Face.DAV))


def login(browser, password: str = "secret"):
    answer = browser.post("/.web/login", data={"login": "anna", "password": password})
    cookie = answer.headers.get("set-cookie", "")
    browser.headers["Cookie"] = cookie.partition(";")[0]
    return answer


def page(browser) -> str:
    answer = browser.get("/.web/")
    assert 200 == answer.status_code
    return answer.text


def token(browser) -> str:
    return re.search(r'name="token" value="([^"]+)"', page(browser))[1]


def test_the_page_asks_for_a_login_of_its_own(browser):
    """No password box of the browser: a form."""
    answer = browser.get("/.web/")
    assert (200, None) == (answer.status_code, answer.headers.get("www-authenticate"))
    assert 'type="password"' in answer.text


def test_the_cookie_is_for_the_page_only(browser):
    """HttpOnly, SameSite=Strict, and not sent to DAV paths."""
    cookie = login(browser).headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/.web"))
    for path in ("/anna/", "/.webdav/../anna/contacts/", "/.web/%2e%2e/anna/contacts/"):
        request = browser.build_request("PROPFIND", "/", headers={"Depth": "0"})
        request.url = request.url.copy_with(raw_path=path.encode())
        assert 401 == browser.send(request).status_code, path


def test_a_wrong_password_says_so_and_leaks_nothing(browser):
    """The same words for an unknown login."""
    first = browser.post("/.web/login", data={"login": "anna", "password": "wrong"})
    second = browser.post("/.web/login", data={"login": "nobody", "password": "wrong"})
    assert (403, first.status_code, first.text) == (403, second.status_code, second.text)


def test_rule_88_the_button_is_there_only_while_locked_and_rule_89_success_shows_once(browser):
    """The page opens although sync is locked (rule 87)."""
    login(browser)
    assert "/.web/unlock" not in page(browser)
    lock(browser.office)
    assert "/.web/unlock" in page(browser)
    assert 303 == browser.post("/.web/unlock", data={"token": token(browser)}).status_code
    assert not browser.office.accounts.is_locked(ANNA)
    first, second = page(browser), page(browser)
    assert "/.web/unlock" not in first
    assert first != second
    assert len(first) > len(second)


@pytest.mark.parametrize("gate", list(Gate))
def test_the_page_tells_which_gate_is_closed(browser, gate):
    """For each kind, with the reason; a deactivated user can still read it."""
    browser.office.settings.set_gate(ANNA, gate, Kind.TASKS, False, "test")
    assert 303 == login(browser).status_code
    reason = html.escape(GATE_TEXTS["de"][gate])
    assert (1 if gate in (Gate.SWITCH, Gate.OTHER_CHANNEL) else 3) == page(browser).count(reason)
    browser.office.settings.set_gate(ANNA, gate, Kind.TASKS, True, "test")
    assert reason not in page(browser)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}])
def test_a_foreign_site_can_neither_log_in_nor_unlock(browser, headers):
    """Even with the right token."""
    login(browser)
    lock(browser.office)
    assert 403 == browser.post("/.web/unlock", data={"token": token(browser)}, headers=headers).status_code
    assert 403 == browser.post("/.web/login", data={"login": "anna", "password": "secret"}, headers=headers).status_code
    assert browser.office.accounts.is_locked(ANNA)


@pytest.mark.parametrize("form", [{}, {"token": "x"}, {"token": "ü"}])
def test_without_the_token_nothing_is_unlocked(browser, form):
    """CSRF."""
    login(browser)
    lock(browser.office)
    assert 403 == browser.post("/.web/unlock", data=form).status_code
    assert browser.office.accounts.is_locked(ANNA)


def test_logging_out_ends_the_session(browser):
    """The cookie is worth nothing then."""
    login(browser)
    assert 303 == browser.post("/.web/logout", data={"token": token(browser)}).status_code
    assert 'type="password"' in page(browser)


@pytest.mark.parametrize("path", ["/.web/nothing", "/.web/../etc/passwd", "/.web/status.html", "/.web/%2e%2e/cli.py"])
def test_nothing_else_is_served(browser, path):
    """No file of the package but the style sheet."""
    assert browser.get(path).status_code in (302, 401, 403, 404)
    assert 200 == browser.get("/.web/style.css").status_code


def test_the_page_can_be_framed_and_cached_by_nobody(browser):
    """And runs no script."""
    headers = browser.get("/.web/").headers
    assert ("no-store", "DENY", "nosniff") == tuple(
        headers[name] for name in ("cache-control", "x-frame-options", "x-content-type-options")
    )
    assert "default-src 'none'" in headers["content-security-policy"]


def test_a_form_has_a_size(browser):
    """And a type."""
    assert 403 == browser.post("/.web/login", data={"login": "anna", "password": "x" * 20000}).status_code
    assert 403 == browser.post("/.web/login", json={"login": "anna", "password": "secret"}).status_code
