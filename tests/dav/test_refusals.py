"""What is refused, how it is told, and that nothing was changed."""

from __future__ import annotations

import random

import pytest

from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.errors import SignInRefused
from radicale_onoffice.core.model import Identity, Kind
from radicale_onoffice.core.policy import Direction, Policy

CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u1\r\nN:Berger;Anna;;;\r\nFN:Anna Berger\r\nTEL;TYPE=HOME:0241 12345\r\nEND:VCARD\r\n"
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:e1\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20260401T100000Z\r\nDTEND:20260401T110000Z\r\nSUMMARY:s\r\nRRULE:FREQ=WEEKLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
TODO = EVENT.replace("VEVENT", "VTODO").replace("DTEND", "DUE").replace("RRULE:FREQ=WEEKLY\r\n", "")
MKCOL = '<?xml version="1.0"?><D:mkcol xmlns:D="DAV:"><D:set><D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop></D:set></D:mkcol>'


@pytest.fixture
def filled(server):
    client = server.client()
    for path, text in (("contacts/u1.vcf", CARD), ("calendar/e1.ics", EVENT), ("tasks/e1.ics", TODO)):
        assert 201 == client.put(f"/anna/{path}", content=text).status_code
    return server


def answer_of(response) -> tuple:
    return response.status_code, response.content, sorted((name, value) for name, value in response.headers.items() if name != "date")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PROPFIND", "PROPPATCH", "MKCOL", "MKCALENDAR", "REPORT", "MOVE"])
def test_another_users_paths_are_as_if_they_were_not(filled, method):
    """Existing or not: the same answer, and nothing changed."""
    before, bert = filled.store_hash(), filled.client("bert")
    headers = {"Destination": "http://testserver/bert/contacts/u1.vcf"} if method == "MOVE" else {}
    answers = [
        answer_of(bert.request(method, path, content=CARD if method == "PUT" else None, headers=headers))
        for path in ("/anna/contacts/u1.vcf", "/anna/contacts/no.vcf", "/nobody/contacts/u1.vcf", "/anna/contacts/", "/nobody/contacts/")
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[3] == answers[4]
    assert 400 <= answers[0][0] < 500
    assert before == filled.store_hash()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PROPFIND", "REPORT", "OPTIONS"])
def test_anonymous_access_is_asked_for_a_password(filled, method):
    """401 with a challenge, so that clients ask; nothing is told."""
    before = filled.store_hash()
    answer = filled.client(None).request(method, "/anna/contacts/u1.vcf", content=CARD if method == "PUT" else None)
    assert answer.status_code == 401 or (method == "OPTIONS" and answer.status_code == 200)
    assert before == filled.store_hash()
    assert method == "OPTIONS" or "basic" in answer.headers["www-authenticate"].lower()


@pytest.mark.parametrize("credentials", ["Basic", "Basic !!!!", "Basic YW5uYQ==", "Basic \xff", "Bearer x", "Basic YW5uYQA6eA=="])
def test_credentials_that_are_none_are_asked_for_again(server, credentials):
    """RFC 7617: a 401, not a 500, for what is no base64 of a login and a password."""
    answer = server.client(None).request("PROPFIND", "/anna/", headers={"Authorization": credentials.encode("latin-1")})
    assert 401 == answer.status_code
    assert "basic" in answer.headers["www-authenticate"].lower()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/anna/contacts/", CARD),
        ("PUT", "/anna/calendar/", EVENT),
        ("PUT", "/anna/", CARD),
        ("PUT", "/anna/new/", EVENT),
        ("DELETE", "/anna/contacts/", None),
        ("DELETE", "/anna/calendar/", None),
        ("DELETE", "/anna/", None),
        ("DELETE", "/", None),
        ("MKCOL", "/anna/contacts2/", MKCOL),
        ("MKCALENDAR", "/anna/work/", None),
        ("MKCALENDAR", "/anna/calendar/", None),
        ("MOVE", "/anna/contacts/u1.vcf", None),
        ("PUT", "/anna/calendar/t.ics", TODO),
        ("PUT", "/anna/tasks/t.ics", EVENT),
        ("PUT", "/anna/contacts/e.vcf", EVENT),
        ("PUT", "/anna/contacts/sub/e.vcf", CARD),
        ("PUT", "/anna/contacts/two.vcf", CARD + CARD.replace("u1", "u2")),
        ("PUT", "/anna/contacts/twin.vcf", CARD),
    ],
)
def test_what_is_not_the_users_to_change_is_refused_in_words(filled, method, path, body):
    """A 4xx with a reason, and nothing changed."""
    before = filled.store_hash()
    headers = {"Destination": "http://testserver/anna/contacts/u2.vcf"} if method == "MOVE" else {}
    answer = filled.client().request(method, path, content=body, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.text.strip()
    assert before == filled.store_hash()


def test_a_twin_uid_names_the_precondition(filled):
    """RFC 6352 6.3.2.1: no-uid-conflict."""
    answer = filled.client().put("/anna/contacts/twin.vcf", content=CARD)
    assert 409 == answer.status_code
    assert "no-uid-conflict" in answer.text


def test_the_wrong_component_names_the_precondition(filled):
    """RFC 4791 5.3.2.1: supported-calendar-component."""
    answer = filled.client().put("/anna/calendar/t.ics", content=TODO.replace("UID:e1", "UID:e9"))
    assert (403, True) == (answer.status_code, "supported-calendar-component" in answer.text)


def test_a_body_over_the_limit_is_413(serve):
    """Whether it says its length or comes in chunks."""
    server = serve(max_content_length=20000)
    client = server.client()
    before = server.store_hash()
    big = CARD.replace("END:VCARD", f"NOTE:{'x' * 30000}\r\nEND:VCARD")
    assert 413 == client.put("/anna/contacts/u1.vcf", content=big).status_code
    assert 413 == client.put("/anna/contacts/u1.vcf", content=(big[i : i + 1000].encode() for i in range(0, len(big), 1000))).status_code
    assert before == server.store_hash()


def test_a_chunked_put_is_taken(client):
    """The host alone would take it for empty."""
    assert 201 == client.put("/anna/contacts/u1.vcf", content=(piece.encode() for piece in CARD)).status_code


@pytest.mark.parametrize(("headers", "status"), [({"If-Match": '"x"'}, 412), ({"If-None-Match": "*"}, 412)])
def test_preconditions_hold(filled, headers, status):
    """RFC 9110 13.1: a stale ETag, or a name that is taken."""
    before = filled.store_hash()
    changed = CARD.replace("Anna", "Eva")
    assert status == filled.client().put("/anna/contacts/u1.vcf", content=changed, headers=headers).status_code
    assert before == filled.store_hash()


def test_u48_a_folder_of_one_direction_is_read_only(serve):
    """Seen by the client before it tries."""
    server = serve(Policy(direction=dict.fromkeys(Kind, Direction.TO_DEVICE)), onoffice_contacts_direction="to_device")
    client = server.client()
    answer = client.request(
        "PROPFIND", "/anna/contacts/", content='<D:propfind xmlns:D="DAV:"><D:prop><D:current-user-privilege-set/></D:prop></D:propfind>'
    )
    assert "<write" not in answer.text
    assert 403 == client.put("/anna/contacts/u1.vcf", content=CARD).status_code


def malformed() -> list[tuple[str, str]]:
    """300 damaged objects: collected shapes that clients have sent, and generated damage with a fixed seed."""
    collected = [
        ("contacts", ""),
        ("contacts", "\x00\x01\x02"),
        ("contacts", "BEGIN:VCARD"),
        ("contacts", "BEGIN:VCARD\r\nEND:VCARD\r\n"),
        ("contacts", CARD.replace("END:VCARD", "END:VEVENT")),
        ("contacts", CARD.replace("N:Berger;Anna;;;", "N;=:x")),
        ("contacts", CARD.replace("FN:Anna Berger", "FN\x07:Anna")),
        ("contacts", CARD.replace("TEL;TYPE=HOME:0241 12345", "BDAY:2026-13-45\r\nno colon here")),
        ("contacts", CARD.replace("TEL;TYPE=HOME:0241 12345", "BEGIN:VCARD\r\n" * 50)),
        ("contacts", "<html><body>Login</body></html>"),
        ("calendar", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"),
        ("calendar", EVENT.replace("DTSTART:20260401T100000Z\r\n", "")),
        ("calendar", EVENT.replace("20260401T100000Z", "20261399T100000Z")),
        ("calendar", EVENT.replace("20260401T100000Z", "00000000T000000Z")),
        ("calendar", EVENT.replace("DTEND:20260401T110000Z", "DURATION:PXX")),
        ("calendar", EVENT.replace("FREQ=WEEKLY", "FREQ=")),
        ("calendar", EVENT.replace("FREQ=WEEKLY", "BYDAY=MO")),
        ("calendar", EVENT.replace("FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=-1;COUNT=x")),
        ("calendar", EVENT.replace("FREQ=WEEKLY", "FREQ=WEEKLY;UNTIL=tomorrow")),
        ("calendar", EVENT.replace("END:VEVENT", "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:other\r\nEND:VEVENT")),
        ("contacts", CARD.replace("END:VCARD", "NOTE:\uffff\r\nEND:VCARD")),
        ("calendar", EVENT.replace("SUMMARY:s", "SUMMARY:\x1b[31m")),
        ("calendar", EVENT.replace("20260401T100000Z", "99991231T235959Z").replace("20260401T110000Z", "99991231T235959Z")),
        (
            "calendar",
            EVENT.replace("SUMMARY:s", "EXDATE:00010101T000000Z")
            .replace("DTSTART:", "DTSTART;TZID=America/New_York:")
            .replace("0000Z", "0000"),
        ),
        ("tasks", TODO.replace("DUE:20260401T110000Z", "DUE:99999999T999999Z")),
        ("tasks", TODO.replace("DUE:20260401T110000Z", "DUE:99991231T235959Z")),
        ("tasks", TODO.replace("SUMMARY:s", "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER;VALUE=DATE-TIME:99991231T235959Z\r\nEND:VALARM")),
        ("tasks", TODO.replace("SUMMARY:s", "PERCENT-COMPLETE:many\r\nPRIORITY:high\r\nX")),
    ]
    dice = random.Random(20260315)  # noqa: S311 - damage, not secrets
    while len(collected) < 300:
        folder, text = dice.choice([("contacts", CARD), ("calendar", EVENT), ("tasks", TODO)])
        lines = text.split("\r\n")
        cut = dice.randrange(1, len(lines) - 2)
        lines[cut] = dice.choice(["=;:", "X" * 5000, "BEGIN:", "\x1b[31m", ";;;", "DTSTART;VALUE=DATE", '"', "END:VCARD"])
        if dice.random() < 0.5:
            lines = lines[: dice.randrange(1, len(lines) - 2)]
        damaged = "\r\n".join(lines)
        collected.append((folder, damaged))
    return collected


def test_300_malformed_objects_are_refused_and_nothing_changes(filled):
    """4xx, never 5xx; the store is byte for byte as before."""
    before, client = filled.store_hash(), filled.client()
    taken = []
    for number, (folder, text) in enumerate(malformed()):
        answer = client.put(f"/anna/{folder}/bad{number}", content=text.encode())
        if not 400 <= answer.status_code < 500:
            taken.append((answer.status_code, text))
    assert [] == taken
    assert before == filled.store_hash()


@pytest.mark.parametrize("method", ["PROPFIND", "REPORT", "PROPPATCH", "MKCALENDAR", "MKCOL"])
@pytest.mark.parametrize(
    "body",
    [
        "<",
        "<a/>",
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><D:propfind xmlns:D="DAV:"><D:prop>&f;</D:prop></D:propfind>',
        "\xff\xfe",
        "<D:propfind xmlns:D='DAV:'>" + "<a>" * 5000,
    ],
)
def test_strange_xml_is_refused(filled, method, body):
    """No entity is expanded, no file read, nothing changed."""
    before = filled.store_hash()
    answer = filled.client().request(method, "/anna/calendar/", content=body.encode())
    assert answer.status_code < 500
    assert "root:" not in answer.text
    assert before == filled.store_hash()


# ------------------------------------------------------------------- lock, maintenance


def wrong(server, times: int) -> list:
    return [answer_of(server.client(password="wrong").request("PROPFIND", "/anna/")) for _ in range(times)]


def test_a_locked_login_gets_the_very_answer_of_a_wrong_password(server):
    """Byte for byte, from any mix of clients."""
    answers = wrong(server, 3)
    for _ in range(2):
        with pytest.raises(SignInRefused):
            server.office.accounts.sign_in("anna", "wrong", Caller(face="eas", device="iPhone"))
    assert server.office.accounts.is_locked(Identity("t", "anna"))
    locked = [answer_of(server.client().request("PROPFIND", "/anna/")), *wrong(server, 2)]
    unknown = answer_of(server.client("nobody").request("PROPFIND", "/anna/"))
    assert {401} == {answer[0] for answer in (*answers, *locked)}
    assert 1 == len({repr(answer) for answer in (*answers, *locked, unknown)})


def test_maintenance_is_503_with_retry_after_and_counts_nothing(server):
    """Whatever the password: phones keep theirs (rule 94)."""
    server.office.accounts.set_maintenance("Update until 6", 120)
    for _ in range(7):
        answer = server.client(password="wrong").request("PROPFIND", "/anna/")
        assert (503, "120", True) == (answer.status_code, answer.headers["retry-after"], "Update until 6" in answer.text)
        assert "www-authenticate" not in answer.headers
    assert "maintenance" == server.client(None).get("/healthz").json()["status"]
    server.office.accounts.set_maintenance(None)
    assert 207 == server.client().request("PROPFIND", "/anna/").status_code


def test_a_database_that_does_not_answer_is_503(server):
    """Not a wrong password, not a 500."""
    with server.office.store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE users RENAME TO away")
    answer = server.client().request("PROPFIND", "/anna/")
    assert (503, "30") == (answer.status_code, answer.headers["retry-after"])


def test_health_and_metrics(server):
    """Metrics are for this machine, or for a bearer of the token."""
    client = server.client(None)
    assert {"status": "ok", "database": "ok"}.items() <= client.get("/healthz").json().items()
    assert 403 == client.get("/metrics").status_code


def test_metrics_with_a_token(serve):
    """Numbers of records, locks and requests; no names."""
    server = serve(onoffice_metrics_token="t0ken")
    server.client().request("PROPFIND", "/anna/")
    assert 403 == server.client(None).get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code
    text = server.client(None).get("/metrics", headers={"Authorization": "Bearer t0ken"}).text
    assert 'onoffice_requests_total{method="PROPFIND",status="207"} 1.0' in text
    assert "anna" not in text
