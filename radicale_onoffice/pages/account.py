"""Account: the sync password, the sessions of these pages, and the language. Nothing here depends on the sync lock (rule 87)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from radicale_onoffice.core.accounts import MIN_CHOSEN
from radicale_onoffice.core.errors import BadRequest, SignInRefused
from radicale_onoffice.pages.devices import client_names
from radicale_onoffice.pages.exchange import Answer
from radicale_onoffice.pages.language import LANGUAGES
from radicale_onoffice.pages.sign_in import caller_of

if TYPE_CHECKING:
    from radicale_onoffice.pages.site import Visit


def show(visit: Visit) -> Answer:
    """The page."""
    return _page(visit)


def change_password(visit: Visit) -> Answer:
    """Change the sync password; the user's other sessions end, devices have to be corrected by hand (rules 86, 90)."""
    assert visit.session is not None
    form, new = visit.form, visit.form.one("new")
    if new != form.one("again"):
        return _page(visit, "password_differs", "again")
    try:
        visit.office.accounts.change_password(visit.session, form.one("old"), new, caller_of(visit.request), verify=visit.site.setup.verify)
    except SignInRefused:
        return _page(visit, "password_old_wrong", "old")
    except BadRequest:
        return _page(visit, "password_not_taken", "new")
    return visit.go("/account", "password_changed")


def end_session(visit: Visit) -> Answer:
    """Sign out one of the user's other browsers."""
    is_ended = visit.office.accounts.revoke_page_session(visit.identity, visit.form.one("session"), visit.by)
    return visit.go("/account", "session_ended" if is_ended else "")


def end_sessions(visit: Visit) -> Answer:
    """Sign out all browsers but this one."""
    assert visit.session is not None
    count = visit.office.accounts.revoke_page_sessions(visit.identity, visit.by, keep=visit.session.token_digest)
    return visit.go("/account", "sessions_ended", n=count)


def choose_language(visit: Visit) -> Answer:
    """The language of these pages in this browser, and of the folders' names on devices."""
    language = visit.form.one("language")
    visit.office.settings.set_language(visit.identity, language, visit.by)
    visit.choose_language(language)
    return visit.go("/account", "language_chosen")


def _page(visit: Visit, failed: str = "", field: str = "") -> Answer:
    """The page; ``failed`` is what was wrong with the passwords, ``field`` the one to correct."""
    assert visit.session is not None
    here = visit.session.token_digest
    return visit.page(
        "account.html",
        HTTPStatus.BAD_REQUEST if failed else HTTPStatus.OK,
        is_kept_elsewhere=visit.site.setup.verify is not None,
        mine=visit.office.overview.user(visit.identity),
        names=client_names(visit),
        sessions=[(one, one.token_digest == here) for one in visit.office.accounts.page_sessions(visit.identity)],
        all_languages=LANGUAGES,
        failed=failed,
        field=field,
        min_chosen=MIN_CHOSEN,
    )
