"""Radicale's auth plugin: passwords go through the core, so that lock, gates and maintenance hold whoever checks them.

The host gives a plugin no way to answer 503: under ``serve`` the precise answer is left for the wrapper, under stock Radicale the
exception becomes a 500, which unlike a 401 makes no phone ask for its password again.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import threading

from radicale import auth as radicale_auth
from radicale import log as radicale_log
from radicale.pathutils import sanitize_path

from radicale_onoffice import answers, errors, options, turns, wiring
from radicale_onoffice.core.accounts import Accounts, Caller
from radicale_onoffice.core.errors import SignInRefused, Unavailable
from radicale_onoffice.core.model import Face
from radicale_onoffice.pages.exchange import SESSION_COOKIE, read_cookies

logger = logging.getLogger(__name__)

BACKEND_DOWN = 60  # seconds until a client is to try again


class Auth(radicale_auth.BaseAuth):
    """The entry that Radicale loads."""

    def __init__(self, configuration):
        super().__init__(options.declared(configuration))
        self._accounts = wiring.office(self.configuration).accounts
        self._session_word = secrets.token_hex(32)
        self._backend = backend_of(self.configuration, self._accounts)

    def get_external_login(self, environ):
        """A page with a session cookie is signed in by it, so that the page is open while sync is locked (rule 87)."""
        answers.stock_agent.set(environ.get("HTTP_USER_AGENT", ""))
        # Sanitised as the host does it afterwards: a cookie must not open a DAV path by way of "/.web/../".
        if not (sanitize_path(environ.get("PATH_INFO", "")) + "/").startswith("/.web/"):
            return ()
        try:
            session = self._accounts.page_session(read_cookies(environ.get("HTTP_COOKIE", "")).get(SESSION_COOKIE, ""))
        except Unavailable as error:
            logger.warning("a page's visitor is not known: %s", error)  # the page itself asks again, and answers 503 in its own words
            return ()
        return (self._accounts.login_name(session.identity), self._session_word) if session else ()

    def _login_ext(self, login, password, context):
        if hmac.compare_digest(password.encode("utf-8", "surrogatepass"), self._session_word.encode()):
            return login
        caller = Caller(address=getattr(context, "remote_addr", "") or "", face=Face.DAV, device=answers.device())
        try:
            user = self._accounts.sign_in(login, password, caller, verify=self._backend)
        except SignInRefused:
            return ""
        except Unavailable as error:
            answers.leave_error(error, errors.answer_for(error))
            if answers.exchange.get() is not None:
                return ""
            raise
        return self._accounts.login_name(user.identity)


class Backend:
    """One of Radicale's own auth types, asked as ``accounts.Verify``; one that is down is Unavailable, never a wrong password."""

    def __init__(self, name: str, configuration, accounts: Accounts):
        self._auth, self._accounts = load_backend(name, configuration), accounts

    def __call__(self, login: str, password: str) -> bool:
        """True if the backend knows the password; raises Unavailable."""
        complaints = Complaints()
        radicale_log.logger.addHandler(complaints)
        try:
            with turns.given_up():
                known = bool(self._auth._login(self._accounts.resolve(login).user, password))
        except Exception as error:
            logger.error("password backend failed: %s", error)
            raise Unavailable("The password server does not answer; try again later.", BACKEND_DOWN) from error
        finally:
            radicale_log.logger.removeHandler(complaints)
        if not known and complaints.heard:
            raise Unavailable("The password server does not answer; try again later.", BACKEND_DOWN)
        return known


class Complaints(logging.Handler):
    """Hears the errors of this thread: some backends (imap, dovecot) only log that their server is down, and then say "wrong"."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._thread, self.heard = threading.get_ident(), False

    def emit(self, record: logging.LogRecord) -> None:
        """Remember that there was one."""
        self.heard = self.heard or record.thread == self._thread


def backend_of(configuration, accounts: Accounts) -> Backend | None:
    """Who checks passwords in place of the stored hashes; None for ``local``."""
    name = configuration.get("auth", "onoffice_password_backend")
    return None if name == "local" else Backend(name, configuration, accounts)


def load_backend(name: str, configuration):
    """One of Radicale's own auth types, configured by the same section. Raises ValueError."""
    if name not in radicale_auth.INTERNAL_TYPES or name in ("none", "denyall"):
        known = ", ".join(word for word in radicale_auth.INTERNAL_TYPES if word not in ("none", "denyall"))
        raise ValueError(f"onoffice_password_backend must be local or one of {known}, not {name!r}")
    module = __import__(f"radicale.auth.{name}", fromlist=["Auth"])
    return module.Auth(configuration)
