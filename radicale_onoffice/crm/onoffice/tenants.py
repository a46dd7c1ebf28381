"""Which tenant has which API user: where its token and secret lie, never what they are.

Tenants are rows of the database already, made by ``tenant add`` with their zone and region, while the server runs; their onOffice accounts
are kept beside them, under a setting each, so that several tenants need no second configuration file, all processes see a new one at once,
and a backup of the database holds no secret. A location is ``file:/absolute/path`` (a mounted secret, systemd's LoadCredential) or
``env:NAME``; it is read for each request, so that a changed secret needs no restart.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from radicale_onoffice.core.errors import BadRequest, UpstreamDown
from radicale_onoffice.core.ports import Transaction
from radicale_onoffice.crm.onoffice.protocol import MAX_ACTIONS, Credentials

STABLE = "https://api.onoffice.de/api/stable/api.php"
MAX_SECRET = 1024  # characters
RETRY_AFTER = 300  # seconds; an administrator has to mend it
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach one tenant's onOffice, and what its account wants differently."""

    token_at: str = "env:ONOFFICE_TOKEN"  # noqa: S105 - where it lies
    secret_at: str = "env:ONOFFICE_SECRET"  # noqa: S105 - where it lies
    url: str = STABLE
    language: str = "de"  # of the labels of types
    task_type: str = ""  # Art of tasks made on a device, for accounts that demand one
    task_private_writable: bool = False
    one_entry_a_call: bool = False
    max_actions: int = MAX_ACTIONS  # that the account takes in one request
    closed_states: str = ""  # values of a user's ``online`` that mean locked or deactivated, with commas between

    @property
    def closed(self) -> frozenset[str]:
        """``closed_states`` one by one, in small letters."""
        return frozenset(filter(None, (word.strip().casefold() for word in self.closed_states.split(","))))

    def __post_init__(self) -> None:
        """Raise BadRequest for what cannot work."""
        for place in (self.token_at, self.secret_at):
            scheme, _, rest = place.partition(":")
            if scheme not in ("file", "env") or not rest or (scheme == "file" and not Path(rest).is_absolute()):
                raise BadRequest("Say where the secret lies, file:/absolute/path or env:NAME; not the secret itself.")
        if not 1 <= self.max_actions <= MAX_ACTIONS:
            raise BadRequest(f"A request has 1 to {MAX_ACTIONS} actions, not {self.max_actions}.")
        parts = urlsplit(self.url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL):
            raise BadRequest(f"The address of the API has to begin with https://, not {parts.scheme}://.")
        if parts.username or parts.password:
            raise BadRequest("The address of the API holds no login; token and secret are named by their locations.")


def _key(tenant: str) -> str:
    return f"onoffice.access:{tenant}"


def access(tx: Transaction, tenant: str) -> Access | None:
    """The tenant's account; None if it has none, and is an embedded one."""
    text = tx.setting(_key(tenant))
    if text is None:
        return None
    known = {field.name for field in fields(Access)}
    return Access(**{name: value for name, value in json.loads(text).items() if name in known})


def save_access(tx: Transaction, tenant: str, wanted: Access | None) -> None:
    """Keep the tenant's account; None forgets it."""
    tx.save_setting(_key(tenant), None if wanted is None else json.dumps(asdict(wanted), sort_keys=True))


def credentials_of(found: Access, environment: Mapping[str, str] = os.environ) -> Callable[[], Credentials]:
    """A function that fetches token and secret from where they lie; it raises UpstreamDown, because devices shall come again."""

    def fetch() -> Credentials:
        return Credentials(token=_fetched(found.token_at, environment), secret=_fetched(found.secret_at, environment))

    return fetch


def _fetched(place: str, environment: Mapping[str, str]) -> str:
    scheme, _, rest = place.partition(":")
    try:
        text = environment.get(rest, "") if scheme == "env" else Path(rest).read_text("ascii")
    except (OSError, UnicodeError) as error:
        raise UpstreamDown(f"The secret at {place} cannot be read: {type(error).__name__}.", RETRY_AFTER) from None
    text = text.strip()
    if not text or len(text) > MAX_SECRET or not text.isprintable():
        raise UpstreamDown(f"There is no secret at {place}.", RETRY_AFTER)
    return text
