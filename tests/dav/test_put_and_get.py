"""The DAV face over HTTP: what a client sends and gets."""

from __future__ import annotations

import pytest

from radicale_onoffice.core.model import Identity, Kind

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
