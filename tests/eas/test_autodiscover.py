"""Autodiscover, [MS-ASCMD] 2.2.1.1 and its successor in JSON."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from activesync_bridge import autodiscover

BASE = "https://office.example"
REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006"
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
M, R = f"{{{autodiscover.MOBILESYNC}}}", f"{{{autodiscover.RESPONSE}}}"


def asking(address="anna@office.example", schema=autodiscover.MOBILESYNC, namespace=REQUEST, more=""):
    """A request's body."""
    address = f"<EMailAddress>{address}</EMailAddress>" if address else ""
    schema = f"<AcceptableResponseSchema>{schema}</AcceptableResponseSchema>" if schema else ""
    text = (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{namespace}"><Request>{address}{schema}</Request>{more}</Autodiscover>'
    )
    return text.encode()


def post(body, path="/autodiscover/autodiscover.xml", login="anna"):
    """The answer's XML."""
    answer = autodiscover.answer("POST", path, "", body, BASE, login)
    assert (200, "text/xml; charset=utf-8") == (answer.status, answer.content_type)
    return ElementTree.fromstring(answer.body)  # noqa: S314 - what was made a moment ago


def get(query, path="/autodiscover/autodiscover.json"):
    """Status and JSON of the second version."""
    answer = autodiscover.answer("GET", path, query, b"", BASE, "")
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    "path",
    [
        "/autodiscover/autodiscover.xml",
        "/Autodiscover/Autodiscover.xml",
        "/AutoDiscover/AutoDiscover.XML",
        "/autodiscover/autodiscover.xml/",
    ],
)
def test_a_phone_finds_the_server_whatever_the_case_of_the_path(path):
    """R703, R2124, R2480, R3815: in the schema that was asked for: culture, user, and the server of type MobileSync."""
    assert autodiscover.serves(path)
    assert autodiscover.needs_login(path)
    response = post(asking(), path).find(f"{M}Response")
    assert ["Culture", "User", "Action"] == [child.tag.removeprefix(M) for child in response]
    assert "en:us" == response.findtext(f"{M}Culture")
    assert "anna@office.example" == response.findtext(f"{M}User/{M}EMailAddress")
    server = response.find(f"{M}Action/{M}Settings/{M}Server")
    url = "https://office.example/Microsoft-Server-ActiveSync"
    assert [("Type", "MobileSync"), ("Url", url), ("Name", url)] == [(child.tag.removeprefix(M), child.text) for child in server]


@pytest.mark.parametrize("address", ["anna@office.example", "OFFICE\\anna", "\\anna", "anna", "somebody@else.example", "a&b<c>@x.example"])
def test_any_form_of_the_login_is_taken(address):
    """Activesync.md 2.11: there is one server, whatever the user typed; it comes back as it was sent."""
    escaped = address.replace("&", "&amp;").replace("<", "&lt;")
    response = post(asking(escaped)).find(f"{M}Response")
    assert address == response.findtext(f"{M}User/{M}EMailAddress")


def test_an_old_android_sends_nothing_but_its_login():
    """Activesync.md 2.11."""
    assert "anna" == post(b"", login="anna").findtext(f"{M}Response/{M}User/{M}EMailAddress")


def error(body):
    """ErrorCode of the answer."""
    return post(body).findtext(f"{R}Response/{R}Error/{R}ErrorCode")


def test_outlooks_own_schema_is_601():
    """Pain 10: a clean error instead of an exception."""
    assert "601" == error(asking(schema=OUTLOOK))
    assert "601" == error(asking(schema=OUTLOOK, namespace=OUTLOOK.replace("response", "request")))


@pytest.mark.parametrize(
    "body",
    [
        b"<",
        b"nonsense",
        b"\xff\xfe\x00",
        asking(schema=""),
        asking(address=""),
        asking(more="<Request/>"),  # R3799
        b"<Autodiscover/>",
        b"<Other><Request/></Other>",
        asking("x" * 400),
        b'<!DOCTYPE a [<!ENTITY b "c">]><Autodiscover>&b;</Autodiscover>',
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
    ],
)
def test_a_malformed_request_is_600_r3799(body):
    """R3799, R3818: an Error in the Response; entities are not looked at."""
    assert "600" == error(body)


def test_the_namespace_of_a_request_does_not_matter():
    """Clients get it wrong."""
    assert post(asking(namespace="urn:whatever")).find(f"{M}Response/{M}Action") is not None


def test_xml_is_asked_for_by_post():
    """A browser is told so."""
    answer = autodiscover.answer("GET", "/autodiscover/autodiscover.xml", "", b"", BASE, "anna")
    assert (405, (("Allow", "POST"),)) == (answer.status, answer.headers)


# -------------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/autodiscover/autodiscover.json", "Email=anna%40office.example&Protocol=ActiveSync"),
        ("/Autodiscover/Autodiscover.json", "email=anna@office.example&protocol=activesync&RedirectCount=1"),
        ("/autodiscover/autodiscover.json/v1.0/anna@office.example", "Protocol=ActiveSync"),
        ("/autodiscover/autodiscover.json/v1.0/anna%40office.example", "Protocol=ActiveSync&RedirectCount=1"),
    ],
)
def test_version_two_needs_no_login(path, query):
    """Gmail and Outlook ask it first, before any password."""
    assert autodiscover.serves(path)
    assert not autodiscover.needs_login(path)
    expected = {"Protocol": "ActiveSync", "Url": "https://office.example/Microsoft-Server-ActiveSync"}
    assert (200, expected) == get(query, path)


def test_version_two_names_version_one():
    """For clients that want the XML."""
    status, found = get("Email=a@b.example&Protocol=AutodiscoverV1")
    assert (200, "https://office.example/autodiscover/autodiscover.xml") == (status, found["Url"])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("Email=a@b.example&Protocol=EWS", "InvalidProtocol"),
        ("Email=a@b.example", "MandatoryParameterMissing"),
        ("Protocol=ActiveSync", "MandatoryParameterMissing"),
        ("Email=anna&Protocol=ActiveSync", "MandatoryParameterMissing"),
        ("&".join(f"a{n}=1" for n in range(50)), "MandatoryParameterMissing"),
        ("", "MandatoryParameterMissing"),
    ],
)
def test_what_version_two_cannot_answer_is_400(query, code):
    """As Exchange Online words it."""
    status, found = get(query)
    assert (400, code) == (status, found["ErrorCode"])


def test_version_two_is_asked_for_by_get():
    """Nothing is posted to it."""
    assert 405 == autodiscover.answer("POST", "/autodiscover/autodiscover.json", "", b"", BASE, "").status


@pytest.mark.parametrize("path", ["/autodiscover", "/autodiscover/other.xml", "/autodiscover/autodiscover.jsonx", "/"])
def test_other_paths_are_not_autodiscovers(path):
    """They stay with the other faces."""
    assert not autodiscover.serves(path)
