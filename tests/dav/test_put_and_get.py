"""The DAV face over HTTP: what a client sends and gets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radicale_onoffice.core.model import Actor, Face, Identity, Kind

CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u1\r\nN:Berger;Anna;;;\r\nFN:Anna Berger\r\n"
    "TEL;TYPE=HOME:0241 12345\r\nX-FOO;X-P=1:bar\r\nEND:VCARD\r\n"
)


def test_a_card_comes_back_as_it_was_sent(client):
    """X- properties and parameters included; the ETag says that nothing was changed on the way."""
    put = client.put("/anna/contacts/u1.vcf", content=CARD, headers={"If-None-Match": "*"})
    assert (put.status_code, "etag" in put.headers) == (201, True)
    assert client.get("/anna/contacts/u1.vcf").content.decode() == CARD


def test_a_no_op_put_makes_no_new_version(client):
    """A client that sends back what it got changes nothing."""
    etag = client.put("/anna/contacts/u1.vcf", content=CARD).headers["etag"]
    again = client.put("/anna/contacts/u1.vcf", content=CARD, headers={"If-Match": etag})
    record_id = client.office.records.with_uid(Identity("t", "anna"), Kind.CONTACTS, "u1")
    assert (204, etag, 1) == (again.status_code, again.headers["etag"], len(client.office.records.history("t", record_id)))


CRM = Actor(identity=Identity("t", "crm"), face=Face.CRM)
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20260401T100000Z\r\nDTEND:20260401T110000Z\r\nSUMMARY:Besichtigung\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
TODO = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:u1\r\nDTSTAMP:20260101T000000Z\r\n"
    "SUMMARY:Rückruf\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
)
UNDONE = [
    (Kind.CONTACTS, "/anna/contacts/u1.vcf", CARD, {"city": "Bonn"}),
    (Kind.APPOINTMENTS, "/anna/calendar/u1.ics", EVENT, {"note": "Schlüssel", "participants": ("anna", "bert")}),
    (Kind.TASKS, "/anna/tasks/u1.ics", TODO, {"description": "bis Freitag"}),
]


@pytest.mark.parametrize("is_seen", [True, False])
@pytest.mark.parametrize(("kind", "path", "text", "changes"), UNDONE)
def test_a_deletion_that_is_undone_takes_nothing_from_the_office(client, kind, path, text, changes, is_seen):
    """What the client does not speak of, and what the office wrote, seen by the client or not, stays; the record is the reader's again."""
    client.put(path, content=text)
    records = client.office.records
    record = records.get("t", records.with_uid(Identity("t", "anna"), kind, "u1"))
    written = records.write(CRM, kind, replace(record.value, **changes), record_id=record.id)
    again = client.get(path).content if is_seen else text
    assert client.delete(path).status_code in (200, 204)
    assert client.put(path, content=again).status_code in (201, 204)
    (line,) = (line for line in records.history("t", record.id)[-1:])
    assert (line.version > written.version, written.value) == (True, line.value)
    assert 200 == client.get(path).status_code


def test_rule_74_several_weekdays_are_stored_on_the_start_s_weekday(client):
    """The event is created, its ETag withheld, and the original rule kept."""
    event = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:e1\r\nDTSTAMP:20260101T000000Z\r\n"
        "DTSTART:20260401T100000Z\r\nDTEND:20260401T110000Z\r\nRRULE:FREQ=WEEKLY;BYDAY=MO,TH\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    put = client.put("/anna/calendar/e1.ics", content=event)
    assert (put.status_code, "etag" in put.headers) == (201, False)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/anna/contacts/"),
        ("MKCALENDAR", "/anna/new/"),
        ("MKCOL", "/anna/new/"),
        ("PUT", "/anna/contacts/"),
        ("PROPFIND", "/bert/"),
    ],
)
def test_what_is_not_the_users_is_refused(client, method, path):
    """Whole folders, new folders and other users' paths, existing or not."""
    assert client.request(method, path, content=CARD if method == "PUT" else None).status_code == 403
