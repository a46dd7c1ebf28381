"""A request's query and headers as a value: plain or base64 ([MS-ASHTTP] 2.2.1.1). Pure."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from activesync_bridge.versions import Version

COMMANDS: Mapping[int, str] = {  # [MS-ASHTTP] 2.2.1.1.1.1.2
    0: "Sync",
    1: "SendMail",
    2: "SmartForward",
    3: "SmartReply",
    4: "GetAttachment",
    9: "FolderSync",
    10: "FolderCreate",
    11: "FolderDelete",
    12: "FolderUpdate",
    13: "MoveItems",
    14: "GetItemEstimate",
    15: "MeetingResponse",
    16: "Search",
    17: "Settings",
    18: "Ping",
    19: "ItemOperations",
    20: "Provision",
    21: "ResolveRecipients",
    22: "ValidateCert",
    23: "Find",
}
MAX_QUERY = 4096  # characters
DEVICE_ID = re.compile(r"[A-Za-z0-9._:{}-]{1,64}")  # R102: no commas or special characters; clients keep to 32 characters
DEVICE_TYPE = re.compile(r"[\x21-\x7e]{0,64}")
# Versions that are near enough: Windows 10 Mail was seen saying "14", and 12.0 lacks nothing that is used here
ALIASES: Mapping[str, Version] = {"14": Version.V14_0, "16": Version.V16_0, "12.0": Version.V12_1}
FIELDS: Mapping[int, str] = {0: "attachment_name", 1: "collection_id", 3: "item_id", 4: "long_id", 6: "occurrence", 8: "user"}
OPTIONS_TAG, SAVE_IN_SENT, ACCEPT_MULTIPART = 7, 0x01, 0x02


class BadQuery(Exception):
    """The request line or headers cannot be understood; answered with 400."""


class UnknownVersion(BadQuery):
    """A protocol version that is not spoken here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What stands around the body."""

    command: str
    version: Version
    device_id: str
    device_type: str = ""
    user: str = ""  # as the query says; the Authorization header decides
    policy_key: str = ""
    collection_id: str = ""
    item_id: str = ""
    long_id: str = ""
    occurrence: str = ""
    attachment_name: str = ""
    accept_multipart: bool = False
    user_agent: str = ""


def parse(query: str, headers: Mapping[str, str]) -> Request:
    """A request out of its query and lower-case headers. Raises BadQuery."""
    if len(query) > MAX_QUERY:
        raise BadQuery(f"The query has {len(query)} characters; at most {MAX_QUERY} are accepted.")
    request = _plain(query, headers) if "=" in query.rstrip("=") and "cmd=" in query.lower() else _base64(query, headers)
    if not DEVICE_ID.fullmatch(request.device_id):
        raise BadQuery("The DeviceId is missing, or has other characters than letters, digits and . _ : { } -")
    if not DEVICE_TYPE.fullmatch(request.device_type):
        raise BadQuery("The DeviceType has blanks or control characters, or more than 64 characters.")
    return request


def version_of(text: str) -> Version:
    """The version that a header names; raises UnknownVersion."""
    text = text.strip()
    found = next((version for version in Version if str(version) == text), None) or ALIASES.get(text)
    if found is None:
        raise UnknownVersion(f"The protocol version {text[:20]!r} is not spoken here; {', '.join(map(str, Version))} are.")
    return found


def _plain(query: str, headers: Mapping[str, str]) -> Request:
    """[MS-ASHTTP] 2.2.1.1.1.2: names and commands in any case, in any order."""
    try:
        pairs = {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=50)}
    except ValueError:
        raise BadQuery("The query has too many parameters.") from None
    command = next((name for name in COMMANDS.values() if name.lower() == pairs.get("cmd", "").lower()), pairs.get("cmd", "")[:64])
    return Request(
        command=command,
        version=version_of(headers.get("ms-asprotocolversion", "")),
        device_id=pairs.get("deviceid", ""),
        device_type=pairs.get("devicetype", ""),
        user=pairs.get("user", ""),
        policy_key=headers.get("x-ms-policykey", "")[:32],
        collection_id=pairs.get("collectionid", ""),
        item_id=pairs.get("itemid", ""),
        long_id=pairs.get("longid", ""),
        occurrence=pairs.get("occurrence", ""),
        attachment_name=pairs.get("attachmentname", ""),
        accept_multipart=headers.get("ms-asacceptmultipart", "").upper() == "T",
        user_agent=headers.get("user-agent", "")[:200],
    )


class _Bytes:
    """The decoded query, read from the front."""

    def __init__(self, data: bytes):
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        """The next bytes; raises BadQuery if there are fewer."""
        piece = self._data[self._at : self._at + count]
        if len(piece) < count:
            raise BadQuery("The base64 query ends too early.")
        self._at += count
        return piece

    def counted(self) -> bytes:
        """Bytes that follow their count."""
        return self.take(self.take(1)[0])

    @property
    def is_empty(self) -> bool:
        """True at the end."""
        return self._at >= len(self._data)


def _base64(query: str, headers: Mapping[str, str]) -> Request:
    """[MS-ASHTTP] 2.2.1.1.1.1: one blob; padding may be missing, and is percent-encoded by some."""
    text = unquote(query).rstrip("=")
    try:
        data = _Bytes(b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError):
        raise BadQuery("The query is neither Cmd=... nor base64.") from None
    number = data.take(1)[0]
    version = next((one for one in Version if one == number), None) or ALIASES.get(f"{number / 10:.1f}")
    if version is None:
        raise UnknownVersion(f"The protocol version {number / 10:.1f} is not spoken here; {', '.join(map(str, Version))} are.")
    command = COMMANDS.get(data.take(1)[0], "")
    data.take(2)  # locale: nothing here depends on it
    device_id = _printable(data.counted())
    policy = data.counted()
    device_type = _printable(data.counted())
    fields: dict[str, str] = {}
    multipart = False
    while not data.is_empty:
        tag, value = data.take(1)[0], data.counted()
        if tag == OPTIONS_TAG:
            multipart = bool(value) and bool(value[0] & ACCEPT_MULTIPART)
        elif tag in FIELDS:
            fields[FIELDS[tag]] = value.decode("utf-8", "replace")
    return Request(
        command=command,
        version=version,
        device_id=device_id,
        device_type=device_type,
        policy_key=str(int.from_bytes(policy, "little")) if policy else "",
        accept_multipart=multipart,
        user_agent=headers.get("user-agent", "")[:200],
        **fields,
    )


def _printable(data: bytes) -> str:
    """Text; a device id that is no text (Nokia and old Androids send bytes) in hexadecimal."""
    return data.decode("ascii") if data.isascii() and data.decode("ascii").isprintable() else data.hex()
