"""Radicale's web plugin: hands requests to the pages, and their answers back.

What the pages are and do stands in ``pages/``; here is only what WSGI and Radicale make of a request.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from radicale.web import BaseWeb

from activesync_bridge.pending import pending
from radicale_onoffice import mirrors, options, signing, wiring
from radicale_onoffice.auth import backend_of
from radicale_onoffice.core.office import Office
from radicale_onoffice.pages.exchange import MAX_FORM, Answer, Fields, Request, parse_fields, read_cookies
from radicale_onoffice.pages.site import Setup, Site

HERE = "/.web"


class Web(BaseWeb):
    """The entry that Radicale loads."""

    def __init__(self, configuration):
        super().__init__(options.declared(configuration))
        office = wiring.office(self.configuration)
        setup = Setup(
            verify=backend_of(self.configuration, office.accounts),
            has_eas=self.configuration.get("web", "activesync_enabled"),
            sign=signing.signer_of(self.configuration),
            pending=partial(pending, office),
            crm_state=partial(crm_state, office, mirrors.late_after(self.configuration.get("storage", "onoffice_poll_seconds"))),
        )
        self._site = Site(office, setup)
        self._trusts_proxy = self.configuration.get("auth", "onoffice_trust_proxy")

    def get(self, environ, base_prefix, path, user, user_groups, request_info):
        """A page, or a file that belongs to one."""
        return self._answer(environ, base_prefix, path, "GET", None)

    def post(self, environ, base_prefix, path, user, user_groups, request_info):
        """A form."""
        return self._answer(environ, base_prefix, path, "POST", read_form(environ))

    def _answer(self, environ, base_prefix: str, path: str, method: str, form: Fields | None):
        scheme = (environ.get("HTTP_X_FORWARDED_PROTO", "") if self._trusts_proxy else "") or environ.get("wsgi.url_scheme", "http")
        request = Request(
            method=method,
            path=path.removeprefix(HERE) or "/",
            query=parse_fields(environ.get("QUERY_STRING", "")) or Fields(),
            form=form,
            base=base_prefix + HERE,
            origin=f"{scheme}://{environ.get('HTTP_HOST', '')}",
            address=environ.get("REMOTE_ADDR", ""),
            user_agent=environ.get("HTTP_USER_AGENT", ""),
            accept_language=environ.get("HTTP_ACCEPT_LANGUAGE", ""),
            cookies=read_cookies(environ.get("HTTP_COOKIE", "")),
            if_none_match=environ.get("HTTP_IF_NONE_MATCH", ""),
            is_foreign=is_foreign(environ),
        )
        return as_radicale_wants(self._site.answer(request))


def crm_state(office: Office, late: timedelta, tenant: str) -> mirrors.State | None:
    """How the tenant's copy of onOffice is; None for a tenant whose CRM is here."""
    with office.store.reading() as tx:
        state = mirrors.state_of(tx, tenant, office.clock(), late=late)
    return state if state.crm is options.CrmType.ONOFFICE else None


def as_radicale_wants(answer: Answer):
    """Radicale's tuple of an answer; of several cookies each needs a line, and its headers are a dictionary."""
    headers = {"Content-Type": answer.type, **answer.headers}
    for spelling, cookie in zip(("Set-Cookie", "set-cookie"), answer.cookies, strict=False):
        headers[spelling] = cookie
    return int(answer.status), headers, answer.body, None


def is_foreign(environ) -> bool:
    """True if the browser says that another site sent the request."""
    if environ.get("HTTP_SEC_FETCH_SITE", "") not in ("", "same-origin", "none"):
        return True
    origin = environ.get("HTTP_ORIGIN", "")
    return bool(origin) and urlsplit(origin).netloc != environ.get("HTTP_HOST", "")


def read_form(environ) -> Fields | None:
    """Fields of a bounded urlencoded form; None if it is too large or no form."""
    length = environ.get("CONTENT_LENGTH") or "0"
    is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    if not length.isdigit() or int(length) > MAX_FORM or not is_form:
        return None
    try:
        return parse_fields(environ["wsgi.input"].read(int(length)).decode("utf-8"))
    except UnicodeDecodeError:
        return None
