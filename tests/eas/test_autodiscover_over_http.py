"""Autodiscover as clients meet it: by HTTP, in any case, first without credentials; XML judged by Microsoft's schemas."""

from __future__ import annotations

import pytest
from lxml import etree

from tests.eas.test_autodiscover import OUTLOOK, REQUEST, asking
from tests.judging import microsoft

PATHS = [
    "/autodiscover/autodiscover.xml",
    "/Autodiscover/Autodiscover.xml",
    "/AutoDiscover/AutoDiscover.XML",
    "/AUTODISCOVER/AUTODISCOVER.XML/",
]
MALFORMED = [
    b"<",
    b"<Autodiscover/>",
    asking(address=""),
    asking(schema=""),
    b'<!DOCTYPE a [<!ENTITY b "c">]><Autodiscover>&b;</Autodiscover>',
]


@pytest.fixture
def posted(server):
    """The answer to a POST, accepted by the schemas."""

    def post(body: bytes, path: str = PATHS[0], login: str | None = "anna", password: str = "secret") -> etree._Element:
        answer = server.client(login, password).post(path, content=body, headers={"Content-Type": "text/xml"})
        assert (200, "text/xml; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
        root = etree.fromstring(answer.content)
        schema = microsoft.autodiscover_schema()
        if schema is not None:
            schema.assertValid(root)
        return root

    return post


def told(root: etree._Element, name: str) -> str | None:
    return next((element.text for element in root.iter() if etree.QName(element).localname == name), None)


@pytest.mark.parametrize("path", PATHS)
def test_iphones_are_asked_for_the_password_first_and_told_the_server_then(server, posted, path):
    """2.11: 401 with WWW-Authenticate without credentials or with wrong ones, in any case of the path; then the URL that was asked."""
    for login, password in ((None, ""), ("anna", "wrong")):
        refused = server.client(login, password).post(path, content=asking())
        assert (401, "Basic") == (refused.status_code, refused.headers["www-authenticate"].split()[0])
    root = posted(asking(), path)
    assert ("MobileSync", "http://testserver/Microsoft-Server-ActiveSync") == (told(root, "Type"), told(root, "Url"))
    assert "anna@office.example" == told(root, "EMailAddress")


def test_old_androids_send_no_body(posted):
    """The login stands for the address."""
    assert "MobileSync" == told(posted(b""), "Type")


def test_outlook_on_a_desktop_is_told_that_its_schema_is_not_served(posted):
    """Pain 10: a clean 601, not an exception."""
    assert "601" == told(posted(asking(schema=OUTLOOK, namespace=REQUEST)), "ErrorCode")


@pytest.mark.parametrize("body", MALFORMED, ids=["cut", "empty", "no address", "no schema", "entity"])
def test_what_is_malformed_is_600(posted, body):
    """R3799, R3818; entities are not resolved."""
    assert "600" == told(posted(body), "ErrorCode")


@pytest.mark.parametrize("path", ["/autodiscover/autodiscover.json", "/Autodiscover/Autodiscover.json", "/AUTODISCOVER/AUTODISCOVER.JSON"])
def test_gmail_asks_version_two_without_credentials(server, path):
    """2.11: the URL of the server, and nothing of the user; the same whoever is asked about."""
    answers = [
        server.client(None).get(f"{path}?Email={email}&Protocol=ActiveSync&RedirectCount=1")
        for email in ("anna@t.example", "nobody@t.example")
    ]
    assert [200, 200] == [answer.status_code for answer in answers]
    assert {"Protocol": "ActiveSync", "Url": "http://testserver/Microsoft-Server-ActiveSync"} == answers[0].json() == answers[1].json()


def test_wrong_passwords_of_autodiscover_count_towards_the_lock(server):
    """Onboarding is a door like the others: five wrong ones lock it, and the right one is refused like a wrong one."""
    for _ in range(5):
        server.client("anna", "wrong").post(PATHS[0], content=asking())
    assert 401 == server.client().post(PATHS[0], content=asking()).status_code
    assert 401 == server.client().request("PROPFIND", "/anna/").status_code
