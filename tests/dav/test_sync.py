"""PROPFIND, REPORT and sync-collection as clients use them; windows and gates as clients see them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy

from radicale_onoffice.core.model import Actor, Appointment, Contact, Face, Identity, Kind, User
from radicale_onoffice.core.rights import REASONS, Gate

ANNA = Identity("t", "anna")
CRM = Actor(identity=ANNA, face=Face.CRM)
BERLIN = ZoneInfo("Europe/Berlin")
SYNC = (
    '<?xml version="1.0"?><D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:sync-level>1</D:sync-level>'
    "<D:prop><D:getetag/></D:prop></D:sync-collection>"
)
PROPS = '<?xml version="1.0"?><D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:I="http://apple.com/ns/ical/"><D:prop>{}</D:prop></D:propfind>'
RANGE = (
    '<?xml version="1.0"?><C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/></D:prop><C:filter>'
    '<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="{}" end="{}"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>'
)


def hrefs(answer) -> set[str]:
    assert 207 == answer.status_code, answer.text
    return set(re.findall(r"<href>([^<]*)</href>", answer.text))


def propfind(client, path: str, props: str, depth: str = "0"):
    return client.request("PROPFIND", path, content=PROPS.format(props), headers={"Depth": depth})


def sync(client, path: str, token: str = ""):
    """Names that live, names that are gone, and the next token."""
    answer = client.request("REPORT", path, content=SYNC.format(token))
    assert 207 == answer.status_code, answer.text
    found = re.findall(r"<response>(.*?)</response>", answer.text)
    gone = {re.search(r"<href>.*/([^/<]*)</href>", one)[1] for one in found if "HTTP/1.1 404" in one}
    live = {re.search(r"<href>.*/([^/<]*)</href>", one)[1] for one in found if "HTTP/1.1 404" not in one}
    return live, gone, re.search(r"<sync-token>([^<]*)</sync-token>", answer.text)[1]


def add_event(office, uid: str, start, **changes):
    end = changes.pop("end", start if not isinstance(start, datetime) else start + timedelta(hours=1))
    value = Appointment(subject=uid, start=start, end=end, **{"participants": ("anna",), **changes})
    return office.records.write(CRM, Kind.APPOINTMENTS, value, uid=uid, name=f"{uid}.ics")


def test_a_client_that_knows_only_the_host_finds_its_folders(client):
    """RFC 6764: well-known, principal, home sets, folders (rule 4: contacts, tasks, appointments, and nothing of mail)."""
    assert (301, "/") == (
        client.request("PROPFIND", "/.well-known/caldav").status_code,
        client.get("/.well-known/carddav").headers["location"],
    )
    assert "/anna/" in propfind(client, "/", "<D:current-user-principal/>").text
    assert {"/anna/", "/anna/contacts/", "/anna/calendar/", "/anna/tasks/"} == hrefs(propfind(client, "/anna/", "<D:resourcetype/>", "1"))


@pytest.mark.parametrize(("folder", "component"), [("calendar", "VEVENT"), ("tasks", "VTODO")])
def test_each_calendar_says_what_it_holds(client, folder, component):
    """So that clients put to-dos where they belong; with name and colour."""
    answer = propfind(client, f"/anna/{folder}/", "<C:supported-calendar-component-set/><D:displayname/><I:calendar-color/>").text
    assert [component] == re.findall(r'comp name="(\w+)"', answer)
    assert re.search(r"calendar-color>#[0-9a-f]{8}<", answer)


@pytest.mark.parametrize(
    ("language", "name"),
    [("de", "onOffice Termine"), ("en", "onOffice appointments"), ("it", "Appuntamenti onOffice"), ("fr", "onOffice appointments")],
)
def test_folders_are_named_in_the_users_language(client, language, name):
    """Others get English (rule 11: ours are told apart from the client's own)."""
    with client.office.store.writing() as tx:
        tx.save_user(replace(tx.user(ANNA), language=language))
    assert f">{name}<" in propfind(client, "/anna/calendar/", "<D:displayname/>").text


def test_a_user_may_rename_and_colour_the_own_folders_but_not_change_what_they_hold(client):
    """Only for that user; what the folder is stays (PROPPATCH)."""
    update = '<?xml version="1.0"?><D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>{}</D:prop></D:set></D:propertyupdate>'
    assert 207 == client.request("PROPPATCH", "/anna/calendar/", content=update.format("<D:displayname>Mine</D:displayname>")).status_code
    assert ">Mine<" in propfind(client, "/anna/calendar/", "<D:displayname/>").text
    fixed = '<C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>'
    assert 403 == client.request("PROPPATCH", "/anna/calendar/", content=update.format(fixed)).status_code
    assert 403 == client.request("PROPPATCH", "/anna/", content=update.format("<D:displayname>x</D:displayname>")).status_code


def test_sync_collection_tells_what_is_new_changed_and_gone(client):
    """And nothing when nothing happened (RFC 6578)."""
    office = client.office
    one = office.records.write(CRM, Kind.CONTACTS, Contact(last_name="A", sync_users=("anna",)), name="a.vcf")
    office.records.write(CRM, Kind.CONTACTS, Contact(last_name="B", sync_users=("anna",)), name="b.vcf")
    live, gone, token = sync(client, "/anna/contacts/")
    assert ({"a.vcf", "b.vcf"}, set()) == (live, gone)
    assert (set(), set(), token) == sync(client, "/anna/contacts/", token)
    office.records.write(CRM, Kind.CONTACTS, replace(one.value, city="Aachen"), record_id=one.id)
    live, gone, second = sync(client, "/anna/contacts/", token)
    assert ({"a.vcf"}, set()) == (live, gone)
    office.records.write(CRM, Kind.CONTACTS, replace(one.value, sync_users=()), record_id=one.id)
    assert (set(), {"a.vcf"}) == sync(client, "/anna/contacts/", second)[:2]


@pytest.mark.parametrize(
    "token", ["urn:x:1", "http://radicale.org/ns/sync/abc", "urn:radicale-onoffice:sync:zz:99999", "urn:radicale-onoffice:sync::1"]
)
def test_a_strange_sync_token_gets_the_precondition(client, token):
    """RFC 6578 3.2: valid-sync-token, so that the client starts again."""
    answer = client.request("REPORT", "/anna/contacts/", content=SYNC.format(token))
    assert 403 == answer.status_code
    assert "valid-sync-token" in answer.text


def test_what_slides_out_of_the_window_vanishes_from_sync(client, clock):
    """Rule 54: a 404 in the report, the record untouched; DELETE and PUT of it are refused."""
    record = add_event(client.office, "old", datetime(2026, 2, 15, 8, tzinfo=BERLIN))
    live, _, token = sync(client, "/anna/calendar/")
    assert {"old.ics"} == live
    clock.now += timedelta(days=1)
    assert (set(), {"old.ics"}) == sync(client, "/anna/calendar/", token)[:2]
    assert 403 == client.delete("/anna/calendar/old.ics").status_code
    changed = record.text.replace("SUMMARY:old", "SUMMARY:new")
    assert 403 == client.put("/anna/calendar/old.ics", content=changed).status_code
    assert record == client.office.records.get("t", record.id)


def test_a_time_range_of_older_months_answers(client):
    """Rule 49: a client that names a period gets it, and can fetch what it was shown."""
    add_event(client.office, "june", datetime(2025, 6, 10, 8, tzinfo=BERLIN))
    answer = client.request(
        "REPORT", "/anna/calendar/", content=RANGE.format("20250601T000000Z", "20250701T000000Z"), headers={"Depth": "1"}
    )
    assert {"/anna/calendar/june.ics"} == hrefs(answer)
    assert 200 == client.get("/anna/calendar/june.ics").status_code
    assert set() == sync(client, "/anna/calendar/")[0]


def test_800_appointments_list_500_over_http(client):
    """The cap of rule 48, in listing, sync and subscription alike: the same 500 on each run, those that U17 names."""
    for number in range(800):
        add_event(client.office, f"e{number:03}", datetime(2026, 3, 1, 8, tzinfo=BERLIN) + timedelta(hours=number))
    upcoming = [number for number in range(800) if number > 328]  # 15 March 01:00 and later; what ended by midnight is past
    expected = {f"e{number:03}.ics" for number in (*upcoming, *range(329 - (500 - len(upcoming)), 329))}
    for _ in range(2):
        listed = hrefs(propfind(client, "/anna/calendar/", "<D:getetag/>", "1")) - {"/anna/calendar/"}
        assert expected == {path.removeprefix("/anna/calendar/") for path in listed} == sync(client, "/anna/calendar/")[0]
    assert 500 == client.get("/anna/calendar/").text.count("BEGIN:VEVENT")


@pytest.mark.parametrize("gate", list(Gate))
def test_rule_1_a_gate_closes_and_opens_the_folder_live(server, gate, caplog):
    """The folder is gone for its user and its sync clients at once, the other kinds go on (rules 2, 8, 14); the log says why; open again it syncs as before."""
    client = server.client()
    card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:x\r\nFN:A B\r\nN:B;A;;;\r\nEND:VCARD\r\n"
    assert 201 == client.put("/anna/contacts/x.vcf", content=card).status_code
    token = sync(client, "/anna/contacts/")[2]
    caplog.set_level("INFO")
    server.office.settings.set_gate(ANNA, gate, Kind.CONTACTS, False, "test")
    others = {"/anna/", "/anna/calendar/", "/anna/tasks/"} if gate in (Gate.SWITCH, Gate.OTHER_CHANNEL) else {"/anna/"}
    assert others == hrefs(propfind(client, "/anna/", "<D:resourcetype/>", "1"))
    for answer in (
        client.request("REPORT", "/anna/contacts/", content=SYNC.format(token)),
        client.get("/anna/contacts/x.vcf"),
        client.put("/anna/contacts/y.vcf", content=card.replace("x", "y")),
        client.delete("/anna/contacts/x.vcf"),
    ):
        assert 400 <= answer.status_code < 500
    assert f"the folder contacts of anna is closed: {REASONS[gate]}" in caplog.text
    assert f"gate closed: {gate}" in caplog.text
    server.office.settings.set_gate(ANNA, gate, Kind.CONTACTS, True, "test")
    live, gone, _ = sync(client, "/anna/contacts/", "" if gate is Gate.SWITCH else token)
    assert ({"x.vcf"} if gate is Gate.SWITCH else set(), set()) == (live, gone)
    assert 200 == client.get("/anna/contacts/x.vcf").status_code


def test_the_calendar_can_be_subscribed_to(client):
    """GET of the folder: one VCALENDAR with ETag, 304 when nothing changed; GET of the contacts: the cards."""
    add_event(client.office, "one", datetime(2026, 4, 1, 8, tzinfo=BERLIN))
    add_event(client.office, "two", datetime(2026, 4, 2, 8, tzinfo=BERLIN))
    first = client.get("/anna/calendar/")
    assert (200, 1, 2, 1) == (
        first.status_code,
        *(first.text.count(word) for word in ("BEGIN:VCALENDAR", "BEGIN:VEVENT", "BEGIN:VTIMEZONE")),
    )
    assert 304 == client.get("/anna/calendar/", headers={"If-None-Match": first.headers["etag"]}).status_code
    add_event(client.office, "three", datetime(2026, 4, 3, 8, tzinfo=BERLIN))
    assert 200 == client.get("/anna/calendar/", headers={"If-None-Match": first.headers["etag"]}).status_code
    client.office.records.write(CRM, Kind.CONTACTS, Contact(last_name="A", sync_users=("anna",)))
    assert 1 == client.get("/anna/contacts/").text.count("BEGIN:VCARD")


def test_nothing_changed_costs_the_same_whatever_is_stored(client):
    """Statements per sync-collection are counted, not timed."""
    counts = []
    statements: list[str] = []
    sqlalchemy.event.listen(client.office.store.engine, "before_cursor_execute", lambda _c, _u, statement, *_: statements.append(statement))
    for size in (5, 200):
        for number in range(size):
            client.office.records.write(CRM, Kind.CONTACTS, Contact(last_name=f"{size}-{number}", sync_users=("anna",)))
        token = sync(client, "/anna/contacts/")[2]
        statements.clear()
        sync(client, "/anna/contacts/", token)
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] <= 25


def test_a_user_without_groups_or_rights_sees_nothing_of_others(server):
    """Two users, two worlds."""
    server.office.records.write(CRM, Kind.CONTACTS, Contact(last_name="A", sync_users=("anna",)), name="a.vcf")
    bert = server.client("bert")
    assert {"/bert/contacts/"} == hrefs(propfind(bert, "/bert/contacts/", "<D:getetag/>", "1"))
    with server.office.store.writing() as tx:
        tx.save_user(replace(tx.user(Identity("t", "bert")), rights=User(identity=ANNA).rights - {"contacts.read"}))
    assert "/bert/contacts/" not in hrefs(propfind(bert, "/bert/", "<D:resourcetype/>", "1"))


EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{0}\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:{1}T100000Z\r\nDTEND:{1}T110000Z\r\nSUMMARY:s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_what_a_client_makes_outside_of_the_window_is_gone_with_its_next_sync(client):
    """Stored, and as on a phone not offered (rule 54): without a word the client would show what nobody else does."""
    _, _, token = sync(client, "/anna/calendar/")
    assert 201 == client.put("/anna/calendar/old.ics", content=EVENT.format("old", "20250101")).status_code
    assert (set(), {"old.ics"}) == sync(client, "/anna/calendar/", token)[:2]


def test_what_a_client_makes_and_the_crm_deletes_before_the_next_sync_is_gone(client):
    """No feed was looked at in between."""
    _, _, token = sync(client, "/anna/calendar/")
    client.put("/anna/calendar/new.ics", content=EVENT.format("new", "20260401"))
    client.office.records.remove(CRM, client.office.records.with_uid(ANNA, Kind.APPOINTMENTS, "new"))
    assert (set(), {"new.ics"}) == sync(client, "/anna/calendar/", token)[:2]


def test_what_a_client_deletes_and_the_crm_gives_it_again_before_the_next_sync_comes_again(client):
    """Nor here."""
    record = client.office.records.write(CRM, Kind.CONTACTS, Contact(last_name="A", sync_users=("anna",)), name="a.vcf")
    _, _, token = sync(client, "/anna/contacts/")
    assert 200 == client.delete("/anna/contacts/a.vcf").status_code
    client.office.records.write(CRM, Kind.CONTACTS, record.value, record_id=record.id)
    assert ({"a.vcf"}, set()) == sync(client, "/anna/contacts/", token)[:2]
