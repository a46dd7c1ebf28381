"""The one table: what a DAV client gets for an error of the core.

Stock Radicale lets a plugin choose between 400, 403, 500 and 507 only, by the exception's text (``[Errno 1]`` means 403); under
``serve`` the precise answer is left for the wrapper. A test goes through all errors of ``core/errors.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from radicale_onoffice.core import errors

FORBIDDEN = "[Errno 1] "  # Radicale turns this text into 403 (app/put.py); a trick, but the host's own


@dataclass(frozen=True, slots=True)
class DavAnswer:
    """Status, the DAV precondition to name in the body ("" = plain text), and how stock Radicale is told the nearest thing."""

    status: HTTPStatus
    precondition: str = ""
    stock: str = FORBIDDEN


ANSWERS: dict[type[errors.OfficeError], DavAnswer] = {
    errors.TooLarge: DavAnswer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, stock=""),
    errors.BadRequest: DavAnswer(HTTPStatus.BAD_REQUEST, stock=""),
    errors.GateClosed: DavAnswer(HTTPStatus.FORBIDDEN),
    errors.OutOfReach: DavAnswer(HTTPStatus.FORBIDDEN),
    errors.Refused: DavAnswer(HTTPStatus.FORBIDDEN),
    errors.NotFound: DavAnswer(HTTPStatus.NOT_FOUND),
    errors.Conflict: DavAnswer(HTTPStatus.PRECONDITION_FAILED),
    errors.DuplicateUid: DavAnswer(HTTPStatus.CONFLICT, "no-uid-conflict"),
    errors.CursorInvalid: DavAnswer(HTTPStatus.FORBIDDEN, "valid-sync-token"),
    errors.SignInRefused: DavAnswer(HTTPStatus.UNAUTHORIZED),
    errors.Unavailable: DavAnswer(HTTPStatus.SERVICE_UNAVAILABLE, stock="[Errno 11] "),
}


def answer_for(error: errors.OfficeError) -> DavAnswer:
    """The most specific answer of an error's class or its bases."""
    for kind in type(error).__mro__:
        if kind in ANSWERS:
            return ANSWERS[kind]
    raise error
