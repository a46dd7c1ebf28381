"""Configuration profiles for Apple's devices (``.mobileconfig``): an account without its password, which the device asks for.

Keys are those of Apple's "Device Management" documentation: TopLevel, CommonPayloadKeys, ExchangeActiveSync, CalDAV, CardDAV. Identifiers
follow from host, login and payload, so that a profile that is installed again takes the place of the old one.
"""

from __future__ import annotations

import plistlib
import uuid
from collections.abc import Callable, Mapping

from radicale_onoffice.pages.clients import Place, Profile
from radicale_onoffice.pages.language import Voice

TYPE = "application/x-apple-aspen-config"
EXCHANGE, CALDAV, CARDDAV = "com.apple.eas.account", "com.apple.caldav.account", "com.apple.carddav.account"
ORGANIZATION = "onOffice"
Payload = dict[str, object]


def build(profile: Profile, place: Place, login: str, email: str, text: Voice) -> bytes:
    """The profile as a property list in XML."""
    names = (EXCHANGE,) if profile is Profile.EXCHANGE else (CALDAV, CARDDAV)
    content = [_payload(name, place, login, email, text) for name in names]
    whole = {
        **_common("Configuration", _identifier(place, login, profile.value), place, login),
        "PayloadDisplayName": _said(text, "profile_name", login=login),
        "PayloadDescription": _said(text, f"profile_about_{profile}", server=place.server),
        "PayloadRemovalDisallowed": False,
        "PayloadScope": "User",
        "PayloadContent": content,
    }
    return plistlib.dumps(whole)


def _payload(name: str, place: Place, login: str, email: str, text: Voice) -> Payload:
    return {
        **_common(name, _identifier(place, login, name.split(".")[2]), place, login),
        "PayloadDisplayName": _said(text, f"profile_{name.split('.')[2]}"),
        **ACCOUNTS[name](place, login, email, _said(text, "profile_name", login=login)),
    }


def _common(type: str, identifier: str, place: Place, login: str) -> Payload:
    return {
        "PayloadType": type,
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{place.url}\n{login}\n{identifier}")).upper(),
        "PayloadOrganization": ORGANIZATION,
    }


def _identifier(place: Place, login: str, name: str) -> str:
    """In reverse-DNS style, another one for each server, login and payload."""
    host = ".".join(reversed(place.host.replace(":", "-").split(".")))
    return f"{host}.onoffice.{uuid.uuid5(uuid.NAMESPACE_URL, f'{place.url} {login}')}.{name}"


def _exchange(place: Place, login: str, email: str, _name: str) -> Payload:
    """One account for everything; an unknown address is left out, and the device asks for it."""
    return {
        "Host": place.server,
        "SSL": place.is_https,
        "UserName": login,
        **({"EmailAddress": email} if email else {}),
        "EnableMail": False,
        "EnableNotes": False,
        "EnableContacts": True,
        "EnableCalendars": True,
        "EnableReminders": True,
    }


def _dav(prefix: str) -> Callable[[Place, str, str, str], Payload]:
    def account(place: Place, login: str, _email: str, name: str) -> Payload:
        return {
            f"{prefix}AccountDescription": name,
            f"{prefix}HostName": place.host,
            f"{prefix}Port": place.port,
            f"{prefix}UseSSL": place.is_https,
            f"{prefix}Username": login,
            f"{prefix}PrincipalURL": place.principal(login),
        }

    return account


ACCOUNTS: Mapping[str, Callable[[Place, str, str, str], Payload]] = {
    EXCHANGE: _exchange,
    CALDAV: _dav("CalDAV"),
    CARDDAV: _dav("CardDAV"),
}


def _said(text: Voice, key: str, **values: object) -> str:
    return text(key, **values).unescape()
