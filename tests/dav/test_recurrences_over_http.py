"""Rule 74's table through HTTP: created, degraded as the table says, reported, the original kept; what onOffice can hold comes back exactly."""

from __future__ import annotations

import pytest

from radicale_onoffice.core.model import Identity, Kind

ANNA = Identity("t", "anna")
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:e1\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20260331T100000Z\r\nDTEND:20260331T110000Z\r\nSUMMARY:s\r\n{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)  # 31 March 2026 is a Tuesday


def put(client, rule: str):
    """Answer, what a GET shows of the rule, and the record."""
    answer = client.put("/anna/calendar/e1.ics", content=EVENT.format(rule))
    assert 201 == answer.status_code, answer.text
    shown = [line for line in client.get("/anna/calendar/e1.ics").text.split("\r\n") if line.startswith(("RRULE", "RDATE", "EXDATE"))]
    return answer, shown, client.office.records.get("t", client.office.records.with_uid(ANNA, Kind.APPOINTMENTS, "e1"))


@pytest.mark.parametrize(
    ("rule", "stored"),
    [
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", ["RRULE:FREQ=WEEKLY"]),
        ("RRULE:FREQ=WEEKLY;BYDAY=TU,TH", ["RRULE:FREQ=WEEKLY"]),
        ("RRULE:FREQ=MONTHLY;BYDAY=-1TU", ["RRULE:FREQ=MONTHLY"]),
        ("RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["RRULE:FREQ=MONTHLY"]),
        ("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=5TU", ["RRULE:FREQ=YEARLY"]),
        ("RRULE:FREQ=DAILY;INTERVAL=1500", ["RRULE:FREQ=DAILY;INTERVAL=999"]),
        ("RRULE:FREQ=HOURLY", []),
        ("RDATE:20260401T100000Z", []),
        ("RRULE:FREQ=DAILY\r\nRRULE:FREQ=WEEKLY", []),
    ],
)
def test_rule_74_what_onoffice_cannot_hold_is_degraded_and_told(client, rule, stored):
    """No ETag, so that the client fetches what is stored; log line for the page; the original in the leftovers."""
    answer, shown, record = put(client, rule)
    assert "etag" not in answer.headers
    assert stored == shown
    assert all(line in record.leftovers.rule for line in rule.split("\r\n"))
    with client.office.store.reading() as tx:
        told = [line for line in tx.audit("t", 10) if line.event == "deviation"]
    assert ["anna"] == [line.login for line in told]
    assert "onOffice cannot hold" in told[0].detail


@pytest.mark.parametrize(
    "rule",
    [
        "RRULE:FREQ=DAILY;INTERVAL=3",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20260630T100000Z",
        "RRULE:FREQ=WEEKLY;BYDAY=TU",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=31",
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=31",
        "RRULE:FREQ=DAILY;COUNT=10",
        "RRULE:FREQ=YEARLY;UNTIL=99991231T000000Z",
        "RRULE:FREQ=WEEKLY\r\nEXDATE:20260407T100000Z",
    ],
)
def test_rule_74_what_onoffice_can_hold_comes_back_exactly(client, rule):
    """Byte for byte, with its ETag."""
    answer, shown, _ = put(client, rule)
    assert rule.split("\r\n") == shown
    assert "etag" in answer.headers
    assert EVENT.format(rule) == client.get("/anna/calendar/e1.ics").text


def test_a_no_op_put_of_a_degraded_series_changes_nothing(client):
    """A client that sends the stored form back asks for nothing new; the original stays in the leftovers."""
    _, _, record = put(client, "RRULE:FREQ=WEEKLY;BYDAY=TU,TH")
    fetched = client.get("/anna/calendar/e1.ics")
    again = client.put("/anna/calendar/e1.ics", content=fetched.text, headers={"If-Match": fetched.headers["etag"]})
    assert (204, fetched.headers["etag"]) == (again.status_code, again.headers["etag"])
    stored = client.office.records.get("t", record.id)
    assert (record.text, record.leftovers.rule) == (stored.text, stored.leftovers.rule)
    assert 1 == len(client.office.records.history("t", record.id))
