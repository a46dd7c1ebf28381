"""The pages over an office: from a request to the view that answers it.

Everything that every page needs is done here, once: who is signed in (the pages' own cookie, so that they stay open while sync is locked,
rule 87), whether a POST comes from our own form, the language, and what an error of the core looks like.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from http import HTTPStatus
from importlib.resources import files
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup

from radicale_onoffice.core.accounts import Verify
from radicale_onoffice.core.errors import BadRequest, Conflict, NotFound, OfficeError, Refused, Unavailable
from radicale_onoffice.core.folders import Reader, reader
from radicale_onoffice.core.model import Device, Identity, PageSession
from radicale_onoffice.core.office import Office
from radicale_onoffice.pages.crm import CrmState
from radicale_onoffice.pages.exchange import LANGUAGE_COOKIE, SESSION_COOKIE, Answer, Fields, Request
from radicale_onoffice.pages.language import LANGUAGES, Voice, preferred, vocabulary
from radicale_onoffice.pages.routes import ROUTES, Route

logger = logging.getLogger(__name__)

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# The class of an error of the core, and the page's status for it; the first that fits counts.
STATUS: tuple[tuple[type[OfficeError], HTTPStatus], ...] = (
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Refused, HTTPStatus.FORBIDDEN),
    (BadRequest, HTTPStatus.BAD_REQUEST),
    (OfficeError, HTTPStatus.BAD_REQUEST),
)
NAVIGATION: Sequence[tuple[str, str]] = (
    ("/", "my_sync"),
    ("/contacts", "my_contacts"),
    ("/devices", "my_devices"),
    ("/set-up", "set_up"),
    ("/account", "account"),
    ("/admin", "admin"),
)
STATIC_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What the pages need beside the office.

    ``has_eas``: phones are served over ActiveSync beside DAV. ``crm_state`` tells how the copy of a tenant's CRM is, None for one that is no
    copy. ``pending`` counts what each folder of a phone does not have yet; None for one that it fetches anew.
    ``sign`` puts a signature around a profile for Apple's devices.
    """

    verify: Verify | None = None
    has_eas: bool = True
    crm_state: Callable[[str], CrmState | None] = lambda _tenant: None
    pending: Callable[[Device], Mapping[str, int | None]] = lambda _device: {}
    sign: Callable[[bytes], bytes] | None = None


class Site:
    """Answers requests; safe to share between threads."""

    def __init__(self, office: Office, setup: Setup):
        self.office, self.setup = office, setup
        for language in LANGUAGES:
            vocabulary(language)  # a text that stands twice is told when the server starts, not to visitors
        self._static = _static_files()
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("radicale_onoffice.pages"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    def answer(self, request: Request) -> Answer:
        """The answer to any request; errors of the core are pages, too."""
        if request.path.startswith("/static/"):
            return self._file(request)
        visit = Visit(self, request)
        try:
            answer = self._answer(visit)
        except Unavailable as error:
            # Who is signed in may be just what cannot be told.
            answer = visit.as_nobody().failed(error)
        except OfficeError as error:
            answer = visit.failed(error)
        if visit.chosen_language:
            cookie = f"{LANGUAGE_COOKIE}={visit.language}; Path={request.base}; Max-Age=31536000; HttpOnly; SameSite=Lax"
            answer = replace(answer, cookies=(*answer.cookies, cookie + ("; Secure" if request.is_https else "")))
        return replace(answer, headers={**HEADERS, **answer.headers})

    def _answer(self, visit: Visit) -> Answer:
        request = visit.request
        if request.method == "POST" and request.is_foreign:
            return visit.message("foreign", HTTPStatus.FORBIDDEN)
        found = find(request.method, request.path)
        if found is None:
            return visit.message("not_found", HTTPStatus.NOT_FOUND)
        route, arguments = found
        if not route.is_public:
            if visit.session is None:
                return self._signed_out(visit)
            if request.method == "POST" and not _has_token(request.form, visit.session):
                return visit.message("expired", HTTPStatus.FORBIDDEN)
        elif request.method == "POST" and request.form is None:
            return visit.message("expired", HTTPStatus.FORBIDDEN)
        return route.view(visit, **arguments)

    @staticmethod
    def _signed_out(visit: Visit) -> Answer:
        """The sign-in in place of the page, which follows when it succeeds."""
        if visit.request.method == "POST":
            return visit.message("expired", HTTPStatus.FORBIDDEN)
        status = HTTPStatus.OK if visit.request.path == "/" else HTTPStatus.FORBIDDEN
        return visit.page("sign_in.html", status, failed=False, wanted=visit.here)

    @staticmethod
    def has_page(path: str) -> bool:
        """True if a GET of the path, which is below the pages' own, shows a page: where a sign-in may lead."""
        return find("GET", path) is not None

    def render(self, name: str, /, **values: object) -> bytes:
        """A template with its values."""
        return self._templates.get_template(name).render(**values).encode()

    def static_url(self, base: str, name: str) -> str:
        """Where a file of ours is; its address changes with its content, so that it may be kept for ever."""
        return f"{base}/static/{name}?{self._static[name][1]}"

    def _file(self, request: Request) -> Answer:
        name = request.path.removeprefix("/static/")
        if name not in self._static or request.method != "GET":
            # No page: what is below this path caches may take for a file, whoever is signed in.
            return Answer(status=HTTPStatus.NOT_FOUND, body=b"There is no such file.\n", type="text/plain; charset=utf-8", headers=HEADERS)
        content, digest, type = self._static[name]
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{digest}"', "X-Content-Type-Options": "nosniff"}
        if request.if_none_match == headers["ETag"]:
            return Answer(status=HTTPStatus.NOT_MODIFIED, type=type, headers=headers)
        return Answer(body=content, type=type, headers=headers)


class Visit:
    """One request on its way through a view: who asks, in which language, and how to answer."""

    def __init__(self, site: Site, request: Request):
        self.site, self.request, self.office = site, request, site.office
        self.chosen_language = request.query.one("language") if request.query.one("language") in LANGUAGES else ""
        kept = request.cookies.get(LANGUAGE_COOKIE, "")
        self.language = self.chosen_language or (kept if kept in LANGUAGES else preferred(request.accept_language))

    def as_nobody(self) -> Visit:
        """The same request of somebody who has not signed in: what answers it asks the database nothing."""
        return Visit(self.site, replace(self.request, cookies={LANGUAGE_COOKIE: self.language}))

    def choose_language(self, language: str) -> None:
        """Speak another language in this browser from the next page on."""
        self.chosen_language = self.language = language

    @cached_property
    def session(self) -> PageSession | None:
        """The session of the cookie, while it lasts."""
        token = self.request.cookies.get(SESSION_COOKIE, "")
        return self.office.accounts.page_session(token) if token else None

    @property
    def identity(self) -> Identity:
        """Who is signed in; only for views that are not public."""
        assert self.session is not None
        return self.session.identity

    @cached_property
    def who(self) -> Reader | None:
        """The signed-in user with the tenant; None for a visitor."""
        if self.session is None:
            return None
        with self.office.store.reading() as tx:
            return reader(tx, self.session.identity)

    @property
    def login(self) -> str:
        """The name that the signed-in user signs in with."""
        return self.office.accounts.login_name(self.identity)

    @property
    def pages(self) -> Sequence[tuple[str, str]]:
        """Paths and texts of the navigation."""
        is_admin = self.who is not None and self.who.user.admin
        return [(path, key) for path, key in NAVIGATION if key != "admin" or is_admin]

    def is_within(self, path: str) -> bool:
        """True if the page that is asked for belongs to this one."""
        here = self.request.path
        return here == path or (path != "/" and here.startswith(f"{path}/"))

    @property
    def here(self) -> str:
        """Path and query of this page, less the language."""
        query = urlencode([(name, value) for name, values in self.request.query.items() if name != "language" for value in values])
        return self.request.path + (f"?{query}" if query else "")

    def in_language(self, code: str) -> str:
        """The address of this page in another language; of the start page where this one only answers a form."""
        if self.request.method != "GET":
            return f"{self.request.base}/?language={code}"
        query = self.here.removeprefix(self.request.path).removeprefix("?")
        return f"?{query}&language={code}" if query else f"?language={code}"

    @property
    def by(self) -> str:
        """The signed-in user, as audit lines name who did something."""
        return f"page {self.login}"

    @property
    def form(self) -> Fields:
        """The fields of the form."""
        return self.request.form or Fields()

    @cached_property
    def text(self) -> Voice:
        """What the page speaks with."""
        zone = self.who.zone if self.who else ZoneInfo("UTC")
        return Voice(self.language, zone, self.office.clock())

    # --------------------------------------------------------------- answers

    def page(self, template: str, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Answer:
        """A page from a template, which also gets what every page needs."""
        common = {
            "visit": self,
            "base": self.request.base,
            "text": self.text,
            "languages": LANGUAGES,
            "token": self.session.csrf if self.session else "",
            "static": lambda name: self.site.static_url(self.request.base, name),
            "notice": self._notice(),
        }
        return Answer(status=status, body=self.site.render(template, **common, **values))

    def go(self, path: str, notice: str = "", **values: object) -> Answer:
        """To another page (303), which shows the notice once (rule 89); ``notice`` is the key of a text."""
        if notice and self.session is not None:
            self.office.accounts.notice(self.session, json.dumps({"key": notice, **values}))
        return Answer(status=HTTPStatus.SEE_OTHER, headers={"Location": f"{self.request.base}{path}"})

    def ask(
        self,
        heading: Markup,
        paragraphs: Sequence[Markup],
        *,
        action: str,
        button: Markup,
        back: str,
        choices: Mapping[str, object] | None = None,
        typed: Mapping[str, object] | None = None,
    ) -> Answer:
        """A page that asks before ``action`` (a POST) is done.

        ``choices`` is a list to choose from: ``name``, ``label`` and ``options`` (value, label); ``typed`` wants a word, its ``label``, and
        what ``failed`` about the last one.
        """
        status = HTTPStatus.BAD_REQUEST if typed and typed["failed"] else HTTPStatus.OK
        values = {"heading": heading, "paragraphs": paragraphs, "action": action, "button": button, "back": back}
        return self.page("ask.html", status, **values, choices=choices, typed=typed)

    def crm_state(self) -> CrmState | None:
        """How the copy of the visitor's CRM is; None if there is none elsewhere."""
        return self.site.setup.crm_state(self.identity.tenant)

    def message(self, key: str, status: HTTPStatus) -> Answer:
        """A page that says one thing."""
        return self.page("message.html", status, message=self.text(key), detail="")

    def failed(self, error: OfficeError) -> Answer:
        """The page for an error: in its words if they are a view's or known, else in general ones with its own below."""
        status = next(status for kind, status in STATUS if isinstance(error, kind))
        own = error.args[0] if error.args and isinstance(error.args[0], Markup) else self.text.again(str(error))
        # Why a database does not answer is for the log alone.
        detail = str(error) if own is None and not isinstance(error, Unavailable) else ""
        answer = self.page("message.html", status, message=own or self.text(f"error_{status.value}"), detail=detail)
        if isinstance(error, Unavailable):
            return replace(answer, headers={"Retry-After": str(error.retry_after)})
        return answer

    def _notice(self) -> object:
        if self.session is None or not self.session.notice:
            return ""
        try:
            said = json.loads(self.office.accounts.take_notice(self.session))
            return self.text(said.pop("key"), **said)
        except (ValueError, TypeError, AttributeError, LookupError):
            return ""  # left by another version, before an upgrade or by a server that is still to be restarted


def find(method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
    """The route of a path, with what its pattern names."""
    for route in ROUTES:
        match = route.regex.match(path) if route.method == method else None
        if match:
            return route, match.groupdict()
    return None


def _has_token(form: Fields | None, session: PageSession) -> bool:
    return form is not None and hmac.compare_digest(form.one("token").encode("utf-8", "surrogatepass"), session.csrf.encode())


def _static_files() -> Mapping[str, tuple[bytes, str, str]]:
    """Our few files with digest and type, by name."""
    found = {}
    for file in files("radicale_onoffice.pages").joinpath("static").iterdir():
        type = STATIC_TYPES.get(f".{file.name.rpartition('.')[2]}")
        if type:
            content = file.read_bytes()
            found[file.name] = content, hashlib.sha256(content).hexdigest()[:16], type
    return found
