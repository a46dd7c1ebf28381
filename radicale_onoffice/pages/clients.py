"""Which clients there are, and what has to be typed into each: one table, from which the page "Set up a device" and README are made.

The steps are texts (``texts/clients.py``): a line each, under ``steps_CLIENT_WAY``.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlsplit

from radicale_onoffice.core.errors import BadRequest

HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\.?", re.IGNORECASE)
PORTS = {"https": 443, "http": 80}


class Way(StrEnum):
    """By which protocol a client comes."""

    EAS = "eas"
    DAV = "dav"


class Profile(StrEnum):
    """What an Apple device can be given as a file."""

    EXCHANGE = "exchange"
    DAV = "dav"


class What(StrEnum):
    """What is typed into a field; those of ``NOTES`` are said in words, the others are copied."""

    EMAIL = "email"
    SERVER = "server"  # with the port, if it is not the usual one
    HOST = "host"  # where the port has a field of its own
    URL = "url"
    CALENDAR = "calendar"
    LOGIN = "login"
    PORT = "port"
    PASSWORD = "password"  # noqa: S105 - the name of a field
    EMPTY = "empty"
    TLS = "tls"


NOTES = (What.PASSWORD, What.EMPTY, What.TLS)  # no value of ours


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a client: the key of its label, and what goes into it."""

    label: str
    what: What


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client with the ways in which it can be connected, the better one first; ``profile`` names the files that spare the typing."""

    key: str
    ways: tuple[tuple[Way, tuple[Setting, ...]], ...]
    profiles: tuple[Profile, ...] = ()
    has_davx5_code: bool = False

    def open_ways(self, *, has_eas: bool) -> tuple[tuple[Way, tuple[Setting, ...]], ...]:
        """The ways that this server serves."""
        return tuple((way, settings) for way, settings in self.ways if has_eas or way is not Way.EAS)


_EMAIL = Setting("field_email", What.EMAIL)
_SERVER = Setting("field_server", What.SERVER)
_HOST = Setting("field_server", What.HOST)
_URL = Setting("field_url", What.URL)
_DOMAIN = Setting("field_domain", What.EMPTY)
_USER = Setting("field_user", What.LOGIN)
_PASSWORD = Setting("field_password", What.PASSWORD)
_TLS = Setting("field_tls", What.TLS)
_PORT = Setting("field_port", What.PORT)

CLIENTS: tuple[Client, ...] = (
    Client(
        key="iphone",
        ways=((Way.EAS, (_EMAIL, _SERVER, _DOMAIN, _USER, _PASSWORD)), (Way.DAV, (_SERVER, _USER, _PASSWORD))),
        profiles=(Profile.EXCHANGE, Profile.DAV),
    ),
    Client(
        key="android",
        ways=((Way.EAS, (_EMAIL, Setting("field_domain_user", What.LOGIN), _PASSWORD, _HOST, _PORT, _TLS)),),
    ),
    Client(key="davx5", ways=((Way.DAV, (_URL, _USER, _PASSWORD)),), has_davx5_code=True),
    Client(
        key="outlook",
        ways=(
            (Way.EAS, (_EMAIL, Setting("field_mail_server", What.SERVER), _USER, _PASSWORD)),
            (Way.DAV, (_URL, _USER, _PASSWORD, _EMAIL)),
        ),
    ),
    Client(key="outlook_mobile", ways=((Way.EAS, (_EMAIL, _SERVER, _DOMAIN, _USER, _PASSWORD)),)),
    Client(
        key="thunderbird",
        ways=((Way.DAV, (_USER, Setting("field_location", What.URL), _PASSWORD)), (Way.EAS, (_SERVER, _USER, _PASSWORD))),
    ),
    Client(key="mac", ways=((Way.DAV, (_USER, _PASSWORD, Setting("field_server_address", What.SERVER))),), profiles=(Profile.DAV,)),
    Client(key="gnome", ways=((Way.DAV, (Setting("field_server", What.URL), _USER, _PASSWORD)),)),
    Client(
        key="other",
        ways=(
            (Way.EAS, (_EMAIL, _HOST, _DOMAIN, _USER, _PASSWORD, _PORT, _TLS)),
            (Way.DAV, (_URL, _USER, _PASSWORD, Setting("field_calendar", What.CALENDAR))),
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where devices find the server: as the browser found it."""

    scheme: str
    host: str  # without brackets
    port: int
    root: str  # path of the DAV root, with a slash at its end

    @property
    def server(self) -> str:
        """The host as clients take it; with the port if it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address of the DAV root, from which clients discover everything else."""
        return f"{self.scheme}://{self.server}{self.root}"

    @property
    def is_https(self) -> bool:
        """True if the connection is encrypted."""
        return self.scheme == "https"

    @property
    def is_reachable(self) -> bool:
        """True if a phone may come here: encrypted, and not by a name that means the own machine."""
        return self.is_https and not _is_loopback(self.host)

    def davx5(self, login: str) -> str:
        """The link that opens DAVx5 with address and user name (DAVx5 manual, "Integration / API", implicit intent); it means https."""
        return f"davx5://{quote(login, safe='')}@{self.server}{self.root}"

    def principal(self, login: str) -> str:
        """The address of the login's own folders."""
        return f"{self.url}{quote(login, safe='@')}/"

    def values(self, login: str, email: str) -> dict[What, str]:
        """What is typed, by field; "" where it is the user's to know."""
        return {
            What.EMAIL: email,
            What.SERVER: self.server,
            What.HOST: self.host,
            What.URL: self.url,
            What.CALENDAR: f"{self.principal(login)}calendar/",
            What.LOGIN: login,
            What.PORT: str(self.port),
        }


def place_of(origin: str, root: str) -> Place:
    """The place of an origin (scheme, host and perhaps a port) and a path; raises BadRequest for a host that is none."""
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    scheme = parts.scheme if host and "@" not in parts.netloc and not parts.path else ""
    if scheme not in PORTS or not (HOST.fullmatch(host) or _is_address(host)):
        raise BadRequest("The name under which this server was asked is none that a device could be told.")
    return Place(scheme=scheme, host=host, port=port or PORTS[scheme], root=root if root.endswith("/") else f"{root}/")


def client_of(key: str, *, has_eas: bool) -> Client | None:
    """The client of that name, if this server serves it."""
    return next((one for one in CLIENTS if one.key == key and one.open_ways(has_eas=has_eas)), None)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    name = host.rstrip(".")
    if _is_address(name):
        address = ipaddress.ip_address(name)
        return address.is_loopback or address.is_unspecified
    return name == "localhost" or name.endswith(".localhost")
