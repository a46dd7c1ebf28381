"""Radicale's web plugin: the page on which a user sees why sync is off, and opens the lock.

The page's login is a cookie of its own, so that it works while sync is locked (rule 87). Every POST is checked for origin and, once
signed in, for the session's token.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jinja2
from radicale.web import BaseWeb

from radicale_onoffice import options, wiring
from radicale_onoffice.auth import COOKIE, backend_of, session_token
from radicale_onoffice.core import reports, rights
from radicale_onoffice.core.accounts import Origin
from radicale_onoffice.core.errors import SignInRefused, Unavailable
from radicale_onoffice.core.folders import DISPLAY_NAMES, reader
from radicale_onoffice.core.model import Door, Kind, PageSession
from radicale_onoffice.pages.texts import GATE_TEXTS, TEXTS

MAX_FORM = 16_384  # bytes
DEVIATIONS = 10  # and refusals: the newest ones that the page tells
PAGES = Path(__file__).parent / "pages"
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Web(BaseWeb):
    """The entry that Radicale loads."""

    def __init__(self, configuration):
        super().__init__(options.declared(configuration))
        self._office = wiring.office(self.configuration)
        self._backend = backend_of(self.configuration, self._office.accounts)
        self._trusts_proxy = self.configuration.get("auth", "onoffice_trust_proxy")
        self._templates = jinja2.Environment(loader=jinja2.FileSystemLoader(PAGES), autoescape=True, undefined=jinja2.StrictUndefined)

    def get(self, environ, base_prefix, path, user, user_groups, request_info):
        """The page, or the style sheet."""
        if path == "/.web/style.css":
            return 200, {"Content-Type": "text/css", "Cache-Control": "max-age=3600"}, (PAGES / "style.css").read_bytes(), None
        if path not in ("/.web", "/.web/"):
            return 404, dict(HEADERS), self._page(environ, "message.html", base_prefix, key="not_found"), None
        session = self._session(environ)
        if session is None:
            return 200, dict(HEADERS), self._page(environ, "login.html", base_prefix, failed=False), None
        return 200, dict(HEADERS), self._status_page(environ, base_prefix, session), None

    def post(self, environ, base_prefix, path, user, user_groups, request_info):
        """Sign in, unlock or sign out."""
        if not self._is_same_origin(environ):
            return 403, dict(HEADERS), self._page(environ, "message.html", base_prefix, key="foreign"), None
        form = read_form(environ)
        session = self._session(environ)
        if path == "/.web/login" and form is not None:
            return self._login(environ, base_prefix, form)
        if session is None or form is None or not hmac.compare_digest(form.get("token", "").encode(), session.csrf.encode()):
            return 403, dict(HEADERS), self._page(environ, "message.html", base_prefix, key="expired"), None
        if path == "/.web/unlock":
            self._unlock(session)
        elif path == "/.web/logout":
            self._office.accounts.close_page_session(session)
        else:
            return 404, dict(HEADERS), self._page(environ, "message.html", base_prefix, key="not_found"), None
        return self._home(base_prefix)

    def _login(self, environ, base_prefix: str, form: Mapping[str, str]):
        origin = Origin(address=environ.get("REMOTE_ADDR", ""), face="page", device=environ.get("HTTP_USER_AGENT", ""))
        try:
            user = self._office.accounts.sign_in(
                form.get("login", ""), form.get("password", ""), origin, door=Door.PAGE, verify=self._backend
            )
        except Unavailable:
            return 503, dict(HEADERS), self._page(environ, "message.html", base_prefix, key="down"), None
        except SignInRefused:
            return 403, dict(HEADERS), self._page(environ, "login.html", base_prefix, failed=True), None
        token = self._office.accounts.open_page_session(user)
        secure = "; Secure" if self._is_https(environ) else ""
        return self._home(base_prefix, f"{COOKIE}={token}; Path={base_prefix}/.web; HttpOnly; SameSite=Strict{secure}")

    @staticmethod
    def _home(base_prefix: str, cookie: str = ""):
        headers = HEADERS | {"Location": f"{base_prefix}/.web/"} | ({"Set-Cookie": cookie} if cookie else {})
        return 303, headers, "", None

    def _unlock(self, session: PageSession) -> None:
        """The button is there only while locked; pressing a stale one says nothing (rules 88, 89)."""
        if self._office.accounts.unlock(session.identity, f"page {self._office.accounts.login_name(session.identity)}"):
            self._office.accounts.notice(session, "unlocked")

    def _session(self, environ) -> PageSession | None:
        token = session_token(environ)
        return self._office.accounts.page_session(token) if token else None

    # ------------------------------------------------------------------ pages

    def _status_page(self, environ, base_prefix: str, session: PageSession) -> str:
        with self._office.store.reading() as tx:
            who = reader(tx, session.identity)
            events = (reports.DEVIATION, reports.REFUSED)
            lines = [one for event in events for one in tx.audit(who.tenant.name, DEVIATIONS, login=who.user.identity.user, event=event)]
        told = sorted(lines, key=lambda one: one.at, reverse=True)[:DEVIATIONS]
        language = who.user.language if who.user.language in TEXTS else "en"
        folders = [
            (DISPLAY_NAMES[language][kind], [GATE_TEXTS[language][gate] for gate in rights.closed_gates(who.tenant, who.user, kind)])
            for kind in Kind
        ]
        return self._page(
            environ,
            "status.html",
            base_prefix,
            language=language,
            login=self._office.accounts.login_name(session.identity),
            folders=folders,
            locked=self._office.accounts.is_locked(session.identity),
            notice=self._office.accounts.take_notice(session),
            maintenance=self._office.accounts.maintenance(),
            deviations=told,
            token=session.csrf,
        )

    def _page(self, environ, name: str, base_prefix: str, language: str = "", **values) -> str:
        language = language or preferred_language(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        return self._templates.get_template(name).render(base=f"{base_prefix}/.web", language=language, text=TEXTS[language], **values)

    # ------------------------------------------------------------------ checks

    def _is_same_origin(self, environ) -> bool:
        site = environ.get("HTTP_SEC_FETCH_SITE", "")
        if site and site not in ("same-origin", "none"):
            return False
        origin = environ.get("HTTP_ORIGIN", "")
        return not origin or urlsplit(origin).netloc == environ.get("HTTP_HOST", "")

    def _is_https(self, environ) -> bool:
        forwarded = environ.get("HTTP_X_FORWARDED_PROTO", "") if self._trusts_proxy else ""
        return (forwarded or environ.get("wsgi.url_scheme", "http")) == "https"


def read_form(environ) -> dict[str, str] | None:
    """Fields of a bounded urlencoded form; None if it is too large or no form."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if (
        not length.isdigit()
        or int(length) > MAX_FORM
        or not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    ):
        return None
    try:
        fields = parse_qs(environ["wsgi.input"].read(int(length)).decode("utf-8"), keep_blank_values=True, max_num_fields=20)
    except (UnicodeDecodeError, ValueError):
        return None
    return {name: values[0] for name, values in fields.items()}


def preferred_language(header: str) -> str:
    """The first language of Accept-Language that there are texts in."""
    words = [word.strip().partition(";")[0].partition("-")[0].lower() for word in header.split(",")]
    return next((word for word in words if word in TEXTS), "en")
