"""What a page is asked, and what it answers, as values: neither WSGI nor Radicale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs

MAX_FORM = 65_536  # bytes
MAX_FIELDS = 600  # of one form: a bulk action names up to 500 contacts
SESSION_COOKIE, LANGUAGE_COOKIE = "onoffice_session", "onoffice_language"
HTML = "text/html; charset=utf-8"


class Fields(Mapping[str, Sequence[str]]):
    """The fields of a query or of a form, each with all its values in order."""

    def __init__(self, values: Mapping[str, Sequence[str]] | None = None):
        self._values = values or {}

    def __getitem__(self, name: str) -> Sequence[str]:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def one(self, name: str, default: str = "") -> str:
        """The first value, or the default."""
        return next(iter(self._values.get(name, ())), default)

    def all(self, name: str) -> tuple[str, ...]:
        """All values; none for a field that is not there."""
        return tuple(self._values.get(name, ()))

    def number(self, name: str, default: int, *, least: int = 0, most: int = 10**9) -> int:
        """A whole number within bounds; the default for anything that is none."""
        text = self.one(name)
        return min(max(int(text), least), most) if text.isascii() and text.isdigit() and len(text) < 20 else default


def parse_fields(text: str) -> Fields | None:
    """Fields of a query or an urlencoded form, without NUL, which no database has in a text; None if there are too many."""
    try:
        found = parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return None
    return Fields({name: [value.replace("\0", "") for value in values] for name, values in found.items()})


def read_cookies(header: str) -> dict[str, str]:
    """Cookies by name, as browsers send them (RFC 6265 5.4): what another program of the host wrote without grammar harms only itself.

    A name that comes with several values has none: one of them may be a neighbour's, who wants the visitor to act in another's session.
    """
    found: dict[str, set[str]] = {}
    for pair in header.split(";"):
        name, _, value = pair.partition("=")
        found.setdefault(name.strip(), set()).add(value.strip())
    return {name: values.pop() for name, values in found.items() if len(values) == 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to the pages.

    ``path`` begins with "/" and is below ``base``, the URL path at which the pages lie. ``origin`` is scheme and host as the browser
    knows them. ``form`` is None when a POST brought none, or one that is too large. ``is_foreign`` tells that another site sent it.
    """

    method: str
    path: str
    query: Fields = field(default_factory=Fields)
    form: Fields | None = None
    base: str = "/.web"
    origin: str = ""
    address: str = ""
    user_agent: str = ""
    accept_language: str = ""
    cookies: Mapping[str, str] = field(default_factory=dict)
    if_none_match: str = ""
    is_foreign: bool = False

    @property
    def is_https(self) -> bool:
        """True if the browser speaks TLS, to us or to a proxy that is trusted."""
        return self.origin.startswith("https://")

    @property
    def host(self) -> str:
        """Host and port that the browser asked."""
        return self.origin.partition("://")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, body and headers; ``cookies`` are whole Set-Cookie values."""

    status: HTTPStatus = HTTPStatus.OK
    body: bytes = b""
    type: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()


def download(name: str, body: bytes, type: str) -> Answer:
    """A file for the visitor to keep; ``name`` is ours, never a visitor's."""
    return Answer(body=body, type=type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
