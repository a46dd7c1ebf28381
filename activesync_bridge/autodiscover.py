"""Autodiscover: where the server is, as XML ([MS-ASCMD] 2.2.1.1) and as JSON ([MS-OXDSCLI], "v2"). Pure.

The XML form answers those who have signed in; the JSON form answers everybody and says nothing that the asker did not know, but the address
that was asked anyway. Paths come in any case.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from activesync_bridge.session import Http
from activesync_bridge.status import AutodiscoverError

XML_PATH = "/autodiscover/autodiscover.xml"
JSON_PATH = "/autodiscover/autodiscover.json"
EAS_PATH = "/Microsoft-Server-ActiveSync"
RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
MOBILESYNC = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
XML_TYPE, JSON_TYPE = "text/xml; charset=utf-8", "application/json; charset=utf-8"
MESSAGES = {
    AutodiscoverError.INVALID_REQUEST: "Invalid Request",
    AutodiscoverError.NO_PROVIDER: "Provider is not available",
}
PRINTABLE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]{1,320}")  # what XML may hold; 320 is the longest address of RFC 3696


class Refused(Exception):
    """A request that cannot be answered, with its ErrorCode."""

    def __init__(self, code: AutodiscoverError):
        super().__init__(MESSAGES[code])
        self.code = code


def serves(path: str) -> bool:
    """True if the path is one of Autodiscover's."""
    path = path.lower().rstrip("/")
    return path in (XML_PATH, JSON_PATH) or path.startswith(f"{JSON_PATH}/")


def needs_login(path: str) -> bool:
    """True if only a signed-in user is answered here."""
    return path.lower().rstrip("/") == XML_PATH


def answer(method: str, path: str, query: str, body: bytes, base_url: str, login: str) -> Http:
    """The answer to a request; ``base_url`` is scheme and host, ``login`` who has signed in ("" where nobody has to)."""
    if not needs_login(path):
        return _json(method, path, query, base_url.rstrip("/"))
    if method != "POST":
        return Http(HTTPStatus.METHOD_NOT_ALLOWED, b"Autodiscover asks by POST.", headers=(("Allow", "POST"),))
    try:
        return _xml(_found(parse(body, login), base_url.rstrip("/")))
    except Refused as refused:
        return _xml(_error(refused.code))


# --------------------------------------------------------------------- XML


def parse(body: bytes, login: str) -> str:
    """The address that is asked about; the login's own where old Androids send nothing at all. Raises Refused."""
    if not body.strip():
        return login
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise Refused(AutodiscoverError.INVALID_REQUEST) from None
    requests = [child for child in root if _local(child) == "Request"]
    if _local(root) != "Autodiscover" or len(requests) != 1:  # R3799
        raise Refused(AutodiscoverError.INVALID_REQUEST)
    values = {_local(child): (child.text or "").strip() for child in requests[0]}
    schema = values.get("AcceptableResponseSchema", "")
    if not schema or (not values.get("EMailAddress") and schema == MOBILESYNC):
        raise Refused(AutodiscoverError.INVALID_REQUEST)
    if schema != MOBILESYNC:  # Outlook's own schema, which is Exchange's
        raise Refused(AutodiscoverError.NO_PROVIDER)
    if not PRINTABLE.fullmatch(values["EMailAddress"]):
        raise Refused(AutodiscoverError.INVALID_REQUEST)
    return values["EMailAddress"]


def _local(element: Element) -> str:
    """The name without its namespace, which clients get wrong."""
    return str(element.tag).rpartition("}")[2]


def _found(address: str, base_url: str) -> str:
    url, name = escape(f"{base_url}{EAS_PATH}"), escape(address)
    return (
        f'<Response xmlns="{MOBILESYNC}"><Culture>en:us</Culture>'  # R2124
        f"<User><DisplayName>{name}</DisplayName><EMailAddress>{name}</EMailAddress></User>"
        f"<Action><Settings><Server><Type>MobileSync</Type><Url>{url}</Url><Name>{url}</Name></Server></Settings></Action></Response>"
    )


def _error(code: AutodiscoverError) -> str:
    """R3818."""
    return f"<Response><Error><ErrorCode>{code.value}</ErrorCode><Message>{MESSAGES[code]}</Message><DebugData/></Error></Response>"


def _xml(response: str) -> Http:
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<Autodiscover xmlns="{RESPONSE}">{response}</Autodiscover>'
    return Http(HTTPStatus.OK, text.encode(), XML_TYPE)


# -------------------------------------------------------------------- JSON


def _json(method: str, path: str, query: str, base_url: str) -> Http:
    if method not in ("GET", "HEAD"):
        return Http(HTTPStatus.METHOD_NOT_ALLOWED, b"Autodiscover v2 asks by GET.", headers=(("Allow", "GET, HEAD"),))
    try:
        asked = {name.lower(): value for name, value in parse_qsl(query, max_num_fields=20)}
    except ValueError:
        asked = {}
    address = asked.get("email") or unquote(path.rstrip("/")[len(JSON_PATH) :].rpartition("/")[2])
    if "@" not in address:
        return _json_error("MandatoryParameterMissing", "A valid smtp address must be provided")
    protocol = asked.get("protocol", "")
    if not protocol:
        return _json_error("MandatoryParameterMissing", "The mandatory parameter 'Protocol' is missing.")
    urls = {"activesync": ("ActiveSync", EAS_PATH), "autodiscoverv1": ("AutodiscoverV1", XML_PATH)}
    if protocol.lower() not in urls:
        return _json_error(
            "InvalidProtocol", "The given protocol value is invalid. Supported values are 'ActiveSync' and 'AutodiscoverV1'."
        )
    name, where = urls[protocol.lower()]
    return Http(HTTPStatus.OK, json.dumps({"Protocol": name, "Url": f"{base_url}{where}"}).encode(), JSON_TYPE)


def _json_error(code: str, message: str) -> Http:
    return Http(HTTPStatus.BAD_REQUEST, json.dumps({"ErrorCode": code, "ErrorMessage": message}).encode(), JSON_TYPE)
