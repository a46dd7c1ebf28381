"""Signing in and out. The pages' door has its own limit of attempts, apart from the sync lock (rule 87)."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.errors import SignInRefused
from radicale_onoffice.core.model import Door
from radicale_onoffice.pages.exchange import SESSION_COOKIE, Answer, Fields, Request, parse_fields

if TYPE_CHECKING:
    from radicale_onoffice.pages.site import Visit


MAX_WANTED = 2000  # characters of the address to go on to


def enter(visit: Visit) -> Answer:
    """Sign in with the sync login, and go on to the page that was wanted; always with a new session."""
    request, form = visit.request, visit.form
    caller = caller_of(request)
    wanted = form.one("wanted", "/")
    try:
        user = visit.office.accounts.sign_in(
            form.one("login"), form.one("password"), caller, door=Door.PAGE, verify=visit.site.setup.verify
        )
    except SignInRefused:
        return visit.page("sign_in.html", HTTPStatus.FORBIDDEN, failed=True, wanted=wanted)
    if visit.session is not None:
        visit.office.accounts.close_page_session(visit.session)
    token = visit.office.accounts.open_page_session(user, caller)
    return _with_cookie(visit, token, visit.go(_page_of_ours(visit, wanted)))


def leave(visit: Visit) -> Answer:
    """End the session."""
    assert visit.session is not None
    visit.office.accounts.close_page_session(visit.session)
    return _with_cookie(visit, "", visit.go("/"), "; Max-Age=0")


def _page_of_ours(visit: Visit, wanted: str) -> str:
    """The page that was wanted with its query, both spelled anew, so that neither leads elsewhere nor adds a header; else the start page."""
    path, _, query = wanted[:MAX_WANTED].partition("?")
    if not visit.site.has_page(path):
        return "/"
    fields = parse_fields(query) or Fields()
    again = urlencode([(name, value) for name, values in fields.items() for value in values])
    return quote(path) + (f"?{again}" if again else "")


def caller_of(request: Request) -> Caller:
    """Where an attempt at the pages' door comes from."""
    return Caller(address=request.address, face="page", device=request.user_agent)


def _with_cookie(visit: Visit, token: str, answer: Answer, life: str = "") -> Answer:
    secure = "; Secure" if visit.request.is_https else ""
    cookie = f"{SESSION_COOKIE}={token}; Path={visit.request.base}; HttpOnly; SameSite=Lax{life}{secure}"
    return replace(answer, cookies=(*answer.cookies, cookie))
