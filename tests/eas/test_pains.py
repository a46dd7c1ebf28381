"""What people complained about with other servers, by the numbers of the bridge's list of pains, through real requests."""

from __future__ import annotations

import logging
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy

from activesync_bridge.commands.ping import Announced
from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase, Calendar, Contacts, Tasks
from activesync_bridge.wbxml.element import Element as E
from radicale_onoffice.core.model import Kind
from tests.eas.conftest import ANNA
from tests.eas.phone import KeyLost, Phone, add, change, over, status_of, sync_of

CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nN:Muster;Max;;;\r\nFN:Max Muster\r\nTEL;TYPE=CELL:+49 170 1\r\n"
    "TEL;TYPE=CELL:+49 171 2\r\nX-ANY:kept\r\nEND:VCARD\r\n"
)
TODO = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:t1\r\nDTSTAMP:20260301T100000Z\r\nSUMMARY:Anruf\r\n"
    "DTSTART;VALUE=DATE:20260318\r\nDUE;VALUE=DATE:20260320\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
)
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:e1\r\nDTSTAMP:{stamp}\r\nDTSTART:20260316T090000Z\r\n"
    "DTEND:20260316T100000Z\r\nSUMMARY:Termin\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
PATIENCE = 20  # seconds that an answer may take on a busy machine
NAME = E(Contacts.LastName, "Muster"), E(Contacts.FirstName, "Max")


def texts(phone: Phone, collection: str, tag: int) -> set[str]:
    """What the phone's items say for a tag."""
    return {item.text_of(tag) for item in phone.of(collection).items.values()}


@pytest.mark.parametrize("version", ["12.1", "16.1"])
def test_pains_5_and_6_a_card_of_a_dav_client_is_edited_on_a_phone(server, phone, version):
    """Facts 8, 9 and 12: with another file name than its UID; the edit arrives, and what a phone cannot name stays."""
    client = server.client()
    assert 201 == client.put("/anna/contacts/file.vcf", content=CARD.format(uid="another")).status_code
    it = phone(version)
    it.sync("contacts")
    server_id, item = next(iter(it.of("contacts").items.items()))
    edited = [child for child in item.children if child.tag != Contacts.FirstName]
    assert [] == it.sync("contacts", change(server_id, *edited, E(Contacts.FirstName, "Moritz")))
    text = client.get("/anna/contacts/file.vcf").text
    assert all(line in text for line in ("UID:another", "N:Muster;Moritz;;;", "X-ANY:kept", "+49 170 1", "+49 171 2"))


def test_pain_7_no_answer_grows_with_what_is_stored(phone, add_contact):
    """Each has as many items as the phone asked for, however many there are."""
    for number in range(60):
        add_contact("Max", f"Muster{number}")
    it = phone()
    it.prime("contacts")
    sizes = []
    more = True
    while more:
        before = len(it.of("contacts").items)
        _, more = it.once("contacts", window=25)
        sizes.append(len(it.of("contacts").items) - before)
    assert [25, 25, 10] == sizes


def test_pains_12_and_17_each_default_folder_is_there_once(phone):
    """Fact 2: calendar 8, contacts 9, tasks 7, never the types of a second folder (13, 14, 15); each with the user's own name."""
    folders = phone("14.1").folder_sync()
    types = [kind for _, kind in folders.values()]
    assert ([2, 3, 4, 5, 6, 7, 8, 9], len(types)) == (sorted(types), len({name for name, _ in folders.values()}))


def test_pains_19_and_43_a_task_has_both_pairs_of_dates(server, phone):
    """Clients read different ones: local wall time and the moment, of start and end."""
    server.client().put("/anna/tasks/t1.ics", content=TODO)
    it = phone("14.1")
    it.sync("tasks")
    item = next(iter(it.of("tasks").items.values()))
    found = {tag: item.text_of(tag) for tag in (Tasks.StartDate, Tasks.UtcStartDate, Tasks.DueDate, Tasks.UtcDueDate)}
    days = ("2026-03-18T00:00:00.000Z", "2026-03-17T23:00:00.000Z", "2026-03-20T00:00:00.000Z", "2026-03-19T23:00:00.000Z")
    assert days == tuple(found.values())


@pytest.mark.parametrize("version", ["12.1", "14.1", "16.1"])
@pytest.mark.parametrize(
    ("collection", "sent"),
    [
        ("contacts", (*NAME,)),
        ("tasks", (E(Tasks.Subject, "Anruf"), E(Tasks.Complete, "0"))),
        ("appointments", (E(Calendar.Subject, "T"), E(Calendar.StartTime, "20260316T090000Z"), E(Calendar.EndTime, "20260316T100000Z"))),
    ],
)
def test_pains_23_and_24_what_is_added_again_is_there_once(phone, collection, sent, version):
    """One reminder became 104,505 tasks: an Add that comes again with the old key, in another request, or after a new start, makes none."""
    it = phone(version)
    it.sync(collection)
    asked = it.request(collection, [add("c1", *sent)])
    more = it.request(collection, [add("c1", *sent)], window=7)
    first, again, other = (it.post("Sync", sync_of(one)) for one in (asked, asked, more))
    assert first == again
    assert first is not None
    assert other is not None
    it.of(collection).key = "0"
    it.sync(collection, add("c1", *sent))
    assert 1 == len(it.of(collection).items)
    third = phone(version, device="PHONE2")
    third.sync(collection)
    assert 1 == len(third.of(collection).items)


def test_pain_22_phones_that_wait_hold_no_worker(serve):
    """Nine of them on a server with one worker: a tenth is answered, and one change ends all waits."""
    server = serve(onoffice_metrics_token="m")
    with server.client(None) as client, ThreadPoolExecutor(9) as pool:
        phones = [Phone(over(client), device=f"P{number}") for number in range(10)]
        for one in phones:
            one.folder_sync()
            one.sync("contacts")
        pings = [pool.submit(one.ping, "contacts") for one in phones[:9]]
        while "onoffice_waiting_phones 9.0" not in client.get("/metrics", headers={"Authorization": "Bearer m"}).text:
            assert [] == [ping.result() for ping in pings if ping.done()]
        assert "1" == status_of(phones[9].sync("contacts", add("c1", *NAME))[0])
        assert [("2", ["contacts"])] * 9 == [ping.result(PATIENCE) for ping in pings]


def test_pain_27_the_second_number_of_a_kind_survives(server, phone):
    """The phone has one field for mobile numbers: changing it leaves the other number where it was."""
    client = server.client()
    client.put("/anna/contacts/c.vcf", content=CARD.format(uid="c"))
    it = phone()
    it.sync("contacts")
    server_id, item = next(iter(it.of("contacts").items.items()))
    rest = [child for child in item.children if child.tag != Contacts.MobilePhoneNumber]
    it.sync("contacts", change(server_id, *rest, E(Contacts.MobilePhoneNumber, "+49 172 3")))
    text = client.get("/anna/contacts/c.vcf").text
    assert ["+49 172 3", "+49 171 2"] == re.findall(r"TEL.*:(.*)\r\n", text)
    assert {"+49 170 1", "+49 172 3"} == {entry.value for entry in server.office.records.get("t", server_id).value.entries}  # rule 27


@pytest.mark.parametrize("login", ["anna", "anna@t", "t\\anna", "T\\anna"])
def test_pain_29_a_login_has_several_forms(server, login):
    """The tenant behind an @ or before a backslash, as phones put a domain there; who it is decides the lock, not the address."""
    it = Phone(over(server.client(None)), login, device="PHONE1")
    if login.startswith("T"):
        assert 401 == it.raw("FolderSync", b"")[0]
    else:
        assert "contacts" in it.folder_sync()


@pytest.mark.parametrize("version", ["12.1", "14.1", "16.1"])
def test_pain_32_a_new_contact_leaves_all_others(phone, add_contact, version):
    """The answer to the Add deletes nothing, nor does the next one."""
    for number in range(5):
        add_contact("Max", f"Muster{number}")
    it = phone(version)
    it.sync("contacts")
    it.sync("contacts", add("c1", *NAME))
    it.sync("contacts")
    assert 6 == len(it.of("contacts").items)


def test_pain_36_a_birthday_is_the_day_that_the_card_says(server, phone):
    """Whatever the hour that a phone writes with it."""
    it = phone()
    it.sync("contacts")
    made = [
        it.sync("contacts", add(f"c{hour}", E(Contacts.LastName, f"M{hour}"), E(Contacts.Birthday, f"1980-03-15T{hour:02}:00:00.000Z")))[0]
        for hour in (0, 8, 11, 12)
    ]
    ids = [one.text_of(AirSync.ServerId) for one in made]
    assert {"1980-03-15"} == {str(server.office.records.get("t", one).value.birthday) for one in ids}


def test_pain_37_what_is_written_anew_without_a_change_is_not_told(server, phone):
    """Fact 29: a calendar that is rewritten each minute with a new DTSTAMP made a phone synchronise each minute."""
    client = server.client()
    client.put("/anna/calendar/e1.ics", content=EVENT.format(stamp="20260301T100000Z"))
    it = phone()
    it.sync("appointments")
    assert 1 == len(it.of("appointments").items)
    client.put("/anna/calendar/e1.ics", content=EVENT.format(stamp="20260301T100000Z"))
    assert it.post("Sync", sync_of(it.request("appointments"))) is None


@pytest.mark.parametrize("text", ['{"version": 0}', "a:1:{i:0;O:8:}", "[]", "null"])
def test_pain_38_a_state_that_cannot_be_read_starts_afresh(server, phone, add_contact, text):
    """As after an upgrade or a downgrade: status 3 and 9, and the phone synchronises again; no error for ever."""
    add_contact("Max", "Muster")
    it = phone()
    it.folder_sync()
    it.sync("contacts")
    with server.office.store.engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE sync_states SET text = :text"), {"text": text})
    with pytest.raises(KeyLost):
        it.once("contacts")
    assert "8" not in it.folder_sync()
    it.sync("contacts")
    assert 1 == len(it.of("contacts").items)


def test_pain_42_two_clients_with_one_device_id_are_told_of_in_the_log(phone, caplog):
    """A profile that was copied: each of the two starts afresh in turn, and the administrator reads why."""
    it, clone = phone(), phone()
    it.sync("contacts")
    clone.of("contacts").key = it.of("contacts").key
    for number in range(3):
        it.sync("contacts", add(f"c{number}", E(Contacts.LastName, str(number))))
    with caplog.at_level(logging.WARNING), pytest.raises(KeyLost):
        clone.once("contacts")
    assert "a second client with the same DeviceId" in caplog.text


def test_pain_47_a_defect_of_ours_is_never_a_500(server, phone, add_contact):
    """Fact 4: iOS throws the folder away after several; 503 with Retry-After lets it wait, and the next request is answered."""
    add_contact("Max", "Muster")
    it = phone()
    it.sync("contacts")
    with server.office.store.engine.begin() as connection:
        connection.execute(sqlalchemy.text("ALTER TABLE sync_states RENAME TO elsewhere"))
    status, headers, _ = it.raw("Sync", b"")
    assert (503, True) == (status, "retry-after" in {name.lower() for name in headers})
    with server.office.store.engine.begin() as connection:
        connection.execute(sqlalchemy.text("ALTER TABLE elsewhere RENAME TO sync_states"))
    assert it.raw("Sync", b"")[0] == 200


def test_pain_49_a_phone_and_a_dav_client_share_what_they_have(server, phone):
    """One server for both: what one makes, the other has."""
    it = phone()
    it.sync("contacts")
    made = it.sync("contacts", add("c1", *NAME))[0]
    assert "1" == status_of(made)
    listing = server.client().request("PROPFIND", "/anna/contacts/", headers={"Depth": "1"}).text
    assert made.text_of(AirSync.ServerId) in listing


def test_pain_50_what_a_phone_does_not_fetch_is_not_told_for_ever():
    """Five times; then its Ping waits like one without news, until there is other news. A huge note is cut to what the phone asks for."""
    announced = Announced()
    told = [announced.may_tell(ANNA, "PHONE1", Kind.CONTACTS, 7) for _ in range(7)]
    assert ([True] * 5 + [False] * 2, True) == (told, announced.may_tell(ANNA, "PHONE1", Kind.CONTACTS, 8))


def test_pain_50_a_huge_note_is_cut(server, phone):
    """To the bytes that the phone can take; the whole of it can be had by ItemOperations."""
    other = phone(device="PHONE2")
    other.sync("contacts", add("c1", *NAME, E(AirSyncBase.Body, (E(AirSyncBase.Type, "1"), E(AirSyncBase.Data, "x" * 200_000)))))
    cut = E(AirSyncBase.BodyPreference, (E(AirSyncBase.Type, "1"), E(AirSyncBase.TruncationSize, "5120")))
    it = phone()
    it.sync("contacts", options=[cut])
    body = next(iter(it.of("contacts").items.values())).first(AirSyncBase.Body)
    assert ("1", "200000", 5120) == (
        body.text_of(AirSyncBase.Truncated),
        body.text_of(AirSyncBase.EstimatedDataSize),
        len(body.text_of(AirSyncBase.Data)),
    )
