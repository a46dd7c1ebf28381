"""Apple's payload keys with their types and which are required, as published in "Device Management" (github.com/apple/device-management,
``mdm/profiles``, and developer.apple.com/documentation/devicemanagement), and a judge that holds a profile against them."""

from __future__ import annotations

import plistlib
import re
from datetime import datetime

REQUIRED = "!"
S, B, N, D, A, R, DATA, DATE = "string", "boolean", "integer", "dictionary", "array", "real", "data", "date"
PYTHON = {S: str, B: bool, N: int, D: dict, A: list, R: float, DATA: bytes, DATE: datetime}

COMMON = {
    "PayloadIdentifier": S + REQUIRED,
    "PayloadUUID": S + REQUIRED,
    "PayloadType": S + REQUIRED,
    "PayloadVersion": N + REQUIRED,
    "PayloadDescription": S,
    "PayloadDisplayName": S,
    "PayloadOrganization": S,
}
TOP = COMMON | {
    "IsEncrypted": B,
    "PayloadContent": A + REQUIRED,
    "EncryptedPayloadContent": DATA,
    "HasRemovalPasscode": B,
    "PayloadRemovalDisallowed": B,
    "PayloadScope": S,
    "RemovalDate": DATE,
    "DurationUntilRemoval": R,
    "PayloadExpirationDate": DATE,
    "TargetDeviceType": N,
    "ConsentText": D,
}
SMIME_SWITCHES = [
    "SMIMEEnabled",
    "SMIMESigningEnabled",
    "SMIMEEncryptionEnabled",
    "SMIMEEnablePerMessageSwitch",
    "SMIMESigningUserOverrideable",
    "SMIMEEncryptByDefault",
    "SMIMESigningCertificateUUIDUserOverrideable",
    "SMIMEEncryptByDefaultUserOverrideable",
    "SMIMEEncryptionCertificateUUIDUserOverrideable",
    "SMIMEEnableEncryptionPerMessageSwitch",
]
SERVICES = ("Mail", "Contacts", "Calendars", "Reminders", "Notes")
EXCHANGE = {
    **dict.fromkeys(("EmailAddress", "Host", "UserName", "Password", "CertificateName", "CertificatePassword", "HeaderMagic"), S),
    **dict.fromkeys(("PayloadCertificateUUID", "SMIMESigningCertificateUUID", "SMIMEEncryptionCertificateUUID", "VPNUUID"), S),
    **dict.fromkeys(("OAuthSignInURL", "OAuthTokenRequestURL"), S),
    **dict.fromkeys(("SSL", "OAuth", "PreventMove", "PreventAppSheet", "disableMailRecentsSyncing", "allowMailDrop"), B),
    **dict.fromkeys(("OverridePreviousPassword", *SMIME_SWITCHES), B),
    **{f"Enable{service}": B for service in SERVICES},
    **{f"Enable{service}UserOverridable": B for service in SERVICES},
    "Certificate": DATA,
    "MailNumberOfPastDaysToSync": N,
    "CommunicationServiceRules": D,
}
DAV = {
    "AccountDescription": S,
    "HostName": S + REQUIRED,
    "Username": S,
    "Password": S,
    "PrincipalURL": S,
    "UseSSL": B,
    "Port": N,
}
PAYLOADS = {
    "com.apple.eas.account": EXCHANGE,
    "com.apple.caldav.account": {f"CalDAV{key}": type for key, type in DAV.items()} | {"VPNUUID": S},
    "com.apple.carddav.account": {f"CardDAV{key}": type for key, type in DAV.items()} | {"VPNUUID": S, "CommunicationServiceRules": D},
}
UUID = re.compile(r"[0-9A-Za-z]{8}(-[0-9A-Za-z]{4}){3}-[0-9A-Za-z]{12}")
IDENTIFIER = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def complaints(data: bytes) -> list[str]:
    """What Apple's description does not allow in a profile; raises what plistlib does for what is no property list."""
    whole = plistlib.loads(data, fmt=plistlib.FMT_XML)
    found = _of("profile", whole, TOP)
    if whole.get("PayloadType") != "Configuration":
        found.append("profile: PayloadType is Configuration")
    content = whole.get("PayloadContent", [])
    for part in content:
        name = part.get("PayloadType", "")
        if name not in PAYLOADS:
            found.append(f"{name}: no payload that we know")
            continue
        found += _of(name, part, COMMON | PAYLOADS[name])
        services = [part.get(f"Enable{service}", True) for service in SERVICES]
        if name == "com.apple.eas.account" and not any(services):
            found.append(f"{name}: at least one service has to be on")
    for key in ("PayloadIdentifier", "PayloadUUID"):
        values = [part.get(key) for part in (whole, *content)]
        if len(set(values)) < len(values):
            found.append(f"{key} is there twice")
    return found


def _of(name: str, part: dict, keys: dict[str, str]) -> list[str]:
    found = [f"{name}: {key} is missing" for key, type in keys.items() if type.endswith(REQUIRED) and key not in part]
    for key, value in part.items():
        wanted = PYTHON.get(keys.get(key, "").removesuffix(REQUIRED))
        if wanted is None:
            found.append(f"{name}: {key} is unknown")
        elif type(value) is not wanted:
            found.append(f"{name}: {key} is no {keys[key].removesuffix(REQUIRED)}")
    if part.get("PayloadVersion") != 1:
        found.append(f"{name}: PayloadVersion is 1")
    if not UUID.fullmatch(part.get("PayloadUUID", "")):
        found.append(f"{name}: PayloadUUID is none")
    if not IDENTIFIER.fullmatch(part.get("PayloadIdentifier", "")):
        found.append(f"{name}: PayloadIdentifier is not in reverse-DNS style")
    return found
