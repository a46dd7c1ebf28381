"""The lost-response recipe ([MS-ASCMD] 3.1.5.9, R5106-R5122; facts 6, 7 and 13), case by case, over two processes of one office.

The request is kept as bytes, so that a repetition is one: the phone of these tests sends what it is told, and looks at what comes back.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from dataclasses import replace

import pytest

from activesync_bridge.wbxml.codepages import AirSync, Calendar, Contacts, Tasks
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.reader import decode
from activesync_bridge.wbxml.writer import encode
from radicale_onoffice.core.model import Actor, Contact, Face, Identity, Kind
from tests.eas.phone import KeyLost, Phone, add, change, collection_of, delete, status_of, sync_of
from tests.journeys.processes import FINE, Database, Fault, Killed, NoAnswer

ANNA = Identity("t", "anna")
CRM = Actor(identity=ANNA, face=Face.CRM)
E = Element


class Office:
    """Two processes over one database, and what is in it."""

    def __init__(self, database: Database, url: str, clock):
        self.database, self.url, self.clock = database, url, clock
        self.processes = [self.start(), self.start()]

    def start(self):
        return self.database.process(self.url, self.clock)

    def restart(self) -> None:
        self.processes[0].close()
        self.processes[0] = self.start()

    @property
    def records(self):
        return self.processes[0].office.records

    def phone(self, version: str = "16.1", device: str = "PHONE1", login: str = "anna") -> Phone:
        """A phone that knows its folders and has fetched everything."""
        phone = Phone(self.processes[0].exchange, login, version=version, device=device)
        phone.folder_sync()
        for collection in ("contacts", "appointments", "tasks"):
            phone.sync(collection)
        return phone

    def names(self) -> list[str]:
        """Last names of all contacts."""
        return sorted(record.value.last_name for record in self.all(Kind.CONTACTS))

    def all(self, kind: Kind):
        with self.processes[0].office.store.reading() as tx:
            return [record for record in tx.all_records("t", kind) if not record.deleted]

    def ask(self, phone: Phone, request: bytes, where: int = 0, fault: Fault = FINE) -> bytes | None:
        """The answer to a Sync's bytes, None if it got lost."""
        phone.send = lambda *parts: self.processes[where].exchange(*parts, fault)
        try:
            status, _, answer = phone.raw("Sync", request)
        except NoAnswer:
            return None
        finally:
            phone.send = self.processes[0].exchange
        assert status == 200
        return answer


@pytest.fixture(scope="module")
def database(tmp_path_factory, world, request):
    socket = request.getfixturevalue("postgres_socket") if world.engine == "postgresql" else ""
    return Database(tmp_path_factory.mktemp("office"), socket, world.crm)


@pytest.fixture
def office(database, clock):
    with database.copied() as url:
        office = Office(database, url, clock)
        yield office
        for process in office.processes:
            process.close()


def person(name: str) -> Element:
    return E(Contacts.LastName, name)


def request(phone: Phone, collection: str, *commands: Element, **how) -> bytes:
    return encode(sync_of(phone.request(collection, commands, **how)))


def ids(answer: bytes) -> list[str]:
    """ServerIds of an answer's Responses to Adds; each of them has status 1."""
    responses = collection_of(decode(answer)).first(AirSync.Responses)
    found = [one for one in (responses.children if responses else ()) if one.tag == AirSync.Add]
    assert {"1"} == {status_of(one) for one in found}
    return [one.text_of(AirSync.ServerId) for one in found]


def status(answer: bytes) -> str:
    return collection_of(decode(answer)).text_of(AirSync.Status)


LATER = {
    "in the same process": lambda office: 0,
    "in the other process": lambda office: 1,
    "after a restart": lambda office: office.restart() or 0,
}
wherever = pytest.mark.parametrize("later", LATER.values(), ids=LATER)


# ------------------------------------------------------------ the same request


def test_r5110_to_r5112_a_request_that_did_not_arrive_did_nothing(office):
    """At whatever byte it is cut: the server waits for the rest, and hears that the client has gone."""
    phone = office.phone()
    asked = request(phone, "contacts", add("c1", person("A")))
    for at in range(1, len(asked)):
        assert None is office.ask(phone, asked, fault=Fault("cut", at))
    assert [] == office.names()
    assert 1 == len(ids(office.ask(phone, asked)))


@wherever
def test_r5115_to_r5122_a_repeated_request_gets_the_same_bytes(office, later):
    """What it changed is changed once, however often it comes; what came to the CRM meanwhile comes with the next key."""
    phone = office.phone()
    for name in ("X", "Y"):
        office.records.write(CRM, Kind.CONTACTS, Contact(last_name=name, sync_users=("anna",)))
    asked = request(phone, "contacts", add("c1", person("A")))
    first = office.ask(phone, asked)
    office.records.write(CRM, Kind.CONTACTS, Contact(last_name="Z", sync_users=("anna",)))
    where = later(office)
    assert [first, first, first] == [office.ask(phone, asked, where) for _ in range(3)]
    assert ["A", "X", "Y", "Z"] == office.names()
    phone.take(decode(first), [add("c1", person("A"))])
    phone.sync("contacts")
    assert (4, 0) == (len(phone.of("contacts").items), phone.doubles)


def test_fact_7_a_ping_is_no_proof_that_the_answer_arrived(office):
    """Only the use of key N retires N-1."""
    phone = office.phone()
    office.records.write(CRM, Kind.CONTACTS, Contact(last_name="X", sync_users=("anna",)))
    asked = request(phone, "contacts")
    first = office.ask(phone, asked)
    office.records.write(CRM, Kind.CONTACTS, Contact(last_name="Y", sync_users=("anna",)))
    assert ("2", ["contacts"]) == phone.ping("contacts")
    assert first == office.ask(phone, asked)


def test_pains_3_and_18_repetitions_shrink_no_window_and_skip_no_item(office):
    """Ten lost answers on a train: the eleventh brings all, and no item counts as one that fails."""
    phone = office.phone()
    for number in range(30):
        office.records.write(CRM, Kind.CONTACTS, Contact(last_name=f"N{number}", sync_users=("anna",)))
    asked = request(phone, "contacts", window=100)
    answers = {office.ask(phone, asked, number % 2) for number in range(11)}
    assert 1 == len(answers)
    phone.take(decode(answers.pop()))
    assert 30 == len(phone.of("contacts").items)
    with office.processes[0].office.store.reading() as tx:
        assert [] == list(tx.failures(ANNA, phone.device))


# ------------------------------------------------- the request with other words


@wherever
def test_a_repeated_add_among_others_gets_its_first_server_id(office, later):
    """Another digest: back to N-1, and what was added is known by its ClientId (pain 24)."""
    phone = office.phone()
    (first,) = ids(office.ask(phone, request(phone, "contacts", add("c1", person("A")))))
    asked = request(phone, "contacts", add("c1", person("A")), add("c2", person("B")))
    answer = office.ask(phone, asked, later(office))
    assert first == ids(answer)[0]
    assert ["A", "B"] == office.names()
    phone.take(decode(answer), [add("c1", person("A")), add("c2", person("B"))])
    phone.sync("contacts")
    assert (2, 0) == (len(phone.of("contacts").items), phone.doubles)


@wherever
def test_an_add_that_was_edited_before_it_was_repeated_is_a_change(office, later):
    """One record, under the id that the lost answer named, with the later words."""
    phone = office.phone()
    (first,) = ids(office.ask(phone, request(phone, "contacts", add("c1", person("A"), E(Contacts.FirstName, "Ann")))))
    answer = office.ask(phone, request(phone, "contacts", add("c1", person("B"), E(Contacts.FirstName, "Ann"))), later(office))
    assert [first] == ids(answer)
    assert ["B"] == office.names()


@wherever
@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_an_add_repeated_after_key_0_is_known_by_client_id_and_content(office, later, version):
    """Pain 31: the key is lost, the phone begins anew and sends what it made again; nothing is doubled."""
    phone = office.phone(version)
    made = add("c1", person("A"))
    (first,) = ids(office.ask(phone, request(phone, "contacts", made)))
    phone.prime("contacts")
    assert [first] == ids(office.ask(phone, request(phone, "contacts", made), later(office)))
    assert ["A"] == office.names()


def test_another_item_with_the_same_client_id_is_another_item(office):
    """Phones that count their ClientIds from 1 in each request."""
    phone = office.phone()
    phone.sync("contacts", add("1", person("A")))
    phone.sync("contacts", add("1", person("B")))
    assert ["A", "B"] == office.names()


def test_pain_23_one_reminder_stays_one_task(office):
    """Sent again and again with a later time, as the phone did that made 104,505 of it."""
    phone = office.phone()
    for minute in range(20):
        made = add("c1", E(Tasks.Subject, "Call"), E(Tasks.ReminderSet, "1"), E(Tasks.ReminderTime, f"2026-04-01T08:{minute:02}:00.000Z"))
        office.ask(phone, request(phone, "tasks", made), minute % 2)
    (task,) = office.all(Kind.TASKS)
    assert 19 == task.value.reminder.minute


@pytest.mark.parametrize(("version", "tag"), [("14.1", Calendar.UID), ("16.1", Calendar.ClientUid)])
def test_pain_24_an_appointment_is_known_by_the_uid_that_the_client_chose(office, version, tag):
    """Also if ClientId and key are others (R2060-R2062)."""
    phone = office.phone(version)
    when = (E(Calendar.StartTime, "20260401T080000Z"), E(Calendar.EndTime, "20260401T090000Z"), E(Calendar.Subject, "Visit"))
    (first,) = ids(office.ask(phone, request(phone, "appointments", add("c1", *when, E(tag, "mine")))))
    phone.prime("appointments")
    assert [first] == ids(office.ask(phone, request(phone, "appointments", add("c9", *when, E(tag, "mine")))))
    assert 1 == len(office.all(Kind.APPOINTMENTS))


@wherever
def test_a_change_of_what_the_lost_request_changed_is_no_conflict(office, later):
    """The phone's own words are not somebody else's: the later ones stand."""
    phone = office.phone()
    phone.sync("contacts", add("c1", person("A")))
    (server_id,) = phone.of("contacts").items
    office.ask(phone, request(phone, "contacts", change(server_id, person("B"))))
    answer = office.ask(phone, request(phone, "contacts", change(server_id, person("C"))), later(office))
    assert None is collection_of(decode(answer)).first(AirSync.Responses)
    assert ["C"] == office.names()


@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_what_the_crm_wrote_before_the_lost_answer_is_not_undone_by_the_repetition(office, version):
    """The phone repeats its whole card with the city as it knows it; it did not change that, and is told of the new one."""
    phone = office.phone(version)
    phone.sync("contacts", add("c1", person("A"), E(Contacts.BusinessAddressCity, "Aachen")))
    (server_id,) = phone.of("contacts").items
    record = office.records.get("t", server_id)
    office.records.write(CRM, Kind.CONTACTS, replace(record.value, city="Bonn"), record_id=server_id)
    city = E(Contacts.BusinessAddressCity, "Aachen")
    office.ask(phone, request(phone, "contacts", change(server_id, person("B"), city)))
    edited = change(server_id, person("C"), city)
    phone.take(decode(office.ask(phone, request(phone, "contacts", edited))), [edited])
    value = office.records.get("t", server_id).value
    assert ("C", "Bonn") == (value.last_name, value.city)
    assert "Bonn" == phone.of("contacts").items[server_id].text_of(Contacts.BusinessAddressCity)


def test_u46_what_the_crm_wrote_after_the_lost_answer_stands(office):
    """Status 7, and the CRM's comes as a Change in the same answer."""
    phone = office.phone()
    phone.sync("contacts", add("c1", person("A")))
    (server_id,) = phone.of("contacts").items
    office.ask(phone, request(phone, "contacts", change(server_id, person("B"))))
    record = office.records.get("t", server_id)
    office.records.write(CRM, Kind.CONTACTS, replace(record.value, last_name="Z"), record_id=server_id)
    edited = change(server_id, person("C"))
    responses, _ = phone.take(decode(office.ask(phone, request(phone, "contacts", edited))), [edited])
    assert ["7"] == [status_of(one) for one in responses]
    assert "Z" == phone.of("contacts").items[server_id].text_of(Contacts.LastName)


def test_what_was_not_taken_comes_with_the_answer_whatever_the_window(office):
    """Nobody can know what the phone shows of an item whose change was not taken: it gets it at once, also if the window is full."""
    phone = office.phone()
    phone.sync("contacts", *[add(name, person(name)) for name in "ABC"])
    for record in office.all(Kind.CONTACTS):
        office.records.write(CRM, Kind.CONTACTS, replace(record.value, last_name=f"{record.value.last_name}-CRM"), record_id=record.id)
    edits = [change(server_id, person("mine")) for server_id in phone.of("contacts").items]
    responses, _ = phone.once("contacts", *edits, window=1)
    assert ["7", "7", "7"] == [status_of(one) for one in responses]
    assert ["A-CRM", "B-CRM", "C-CRM"] == sorted(one.text_of(Contacts.LastName) for one in phone.of("contacts").items.values())


def test_an_occurrence_of_a_series_that_is_gone_takes_the_series_off_the_phone(office):
    """The Delete of an occurrence is no Delete of the item: the phone has it still."""
    phone = office.phone("16.1")
    weekly = E(Calendar.Recurrence, (E(Calendar.Type, "1"), E(Calendar.Interval, "1"), E(Calendar.DayOfWeek, "8")))
    when = (E(Calendar.StartTime, "20260401T080000Z"), E(Calendar.EndTime, "20260401T090000Z"), E(Calendar.Subject, "Visit"), weekly)
    phone.sync("appointments", add("c1", *when))
    (server_id,) = phone.of("appointments").items
    office.records.remove(CRM, server_id)
    phone.sync("appointments", delete(server_id, instance="20260408T080000Z"))
    assert {} == phone.of("appointments").items


def test_a_change_of_16_x_brings_what_others_changed_meanwhile(office):
    """Only what changed is sent (R2231): that the phone's field is stored as sent says nothing of the others."""
    phone = office.phone("16.1")
    when = (E(Calendar.StartTime, "20260401T080000Z"), E(Calendar.EndTime, "20260401T090000Z"), E(Calendar.Subject, "Visit"))
    phone.sync("appointments", add("c1", *when))
    (server_id,) = phone.of("appointments").items
    phone.sync("appointments")
    record = office.records.get("t", server_id)
    office.records.write(CRM, Kind.APPOINTMENTS, replace(record.value, note="Bring the keys"), record_id=server_id)
    phone.sync("appointments", change(server_id, E(Calendar.Subject, "Viewing")))
    assert "Bring the keys" in str(phone.of("appointments").items[server_id])


def test_a_change_of_16_x_brings_what_others_change_in_the_same_moment(office, monkeypatch):
    """Somebody saves a note while the phone's change is on its way: both stand, and the phone gets the note."""
    phone = office.phone("16.1")
    when = (E(Calendar.StartTime, "20260401T080000Z"), E(Calendar.EndTime, "20260401T090000Z"), E(Calendar.Subject, "Visit"))
    phone.sync("appointments", add("c1", *when))
    (server_id,) = phone.of("appointments").items
    phone.sync("appointments")
    update = office.records._crm.update

    def overtaken(actor, record, value):
        monkeypatch.undo()
        stored = office.records.get("t", server_id)
        office.records.write(CRM, Kind.APPOINTMENTS, replace(stored.value, note="Bring the keys"), record_id=server_id)
        return update(actor, record, value)

    monkeypatch.setattr(office.records._crm, "update", overtaken)
    phone.sync("appointments", change(server_id, E(Calendar.Subject, "Viewing")))
    stored = office.records.get("t", server_id).value
    assert ("Viewing", "Bring the keys") == (stored.subject, stored.note)
    assert "Bring the keys" in str(phone.of("appointments").items[server_id])


def test_a_delete_of_what_is_gone_succeeds(office):
    """Repeated, or of what the CRM deleted: no Response, which is success."""
    phone = office.phone()
    phone.sync("contacts", add("c1", person("A")), add("c2", person("B")))
    one, other = phone.of("contacts").items
    office.ask(phone, request(phone, "contacts", delete(one)))
    office.records.remove(CRM, other)
    answer = office.ask(phone, request(phone, "contacts", delete(one), delete(other)))
    assert None is collection_of(decode(answer)).first(AirSync.Responses)
    phone.take(decode(answer), [delete(one), delete(other)])
    phone.sync("contacts")
    assert {} == phone.of("contacts").items


def test_what_was_added_and_deleted_in_the_crm_before_the_phone_heard_of_it_does_not_come_back(office):
    """The repeated Add gets its ServerId, and the Delete right behind it."""
    phone = office.phone()
    (server_id,) = ids(office.ask(phone, request(phone, "contacts", add("c1", person("A")))))
    office.records.remove(CRM, server_id)
    again = add("c1", person("B"))
    answer = office.ask(phone, request(phone, "contacts", again))
    assert [server_id] == ids(answer)
    phone.take(decode(answer), [again])
    assert ({}, []) == (phone.of("contacts").items, office.names())


def test_pain_32_a_new_contact_deletes_no_other(office):
    """Nor does any other request send a Delete that nobody asked for."""
    for number in range(5):
        office.records.write(CRM, Kind.CONTACTS, Contact(last_name=f"N{number}", sync_users=("anna",)))
    phone = office.phone()
    phone.sync("contacts", add("c1", person("A")))
    assert 6 == len(phone.of("contacts").items) == len(office.names())


# --------------------------------------------------------------------- crashes


@pytest.mark.parametrize("edited", [False, True], ids=["repeated", "repeated with other words"])
def test_a_process_that_dies_at_any_commit_leaves_nothing_doubled(office, edited):
    """Killed at the first commit of the request, at the second, and so on until it survives."""
    phone = office.phone()
    for number in itertools.count(1):
        made, renamed = add(f"c{number}", person(f"A{number}")), add(f"c{number}", person(f"B{number}"))
        try:
            office.ask(phone, request(phone, "contacts", made), fault=Fault("killed", number))
            is_alive = True
        except Killed:
            office.restart()
            is_alive = False
        again = renamed if edited else made
        phone.take(decode(office.ask(phone, request(phone, "contacts", again))), [again])
        if is_alive:
            break
    phone.sync("contacts")
    assert number > 2
    assert sorted(f"{'B' if edited else 'A'}{n}" for n in range(1, number + 1)) == office.names()
    assert number == len(phone.of("contacts").items)


@pytest.mark.parametrize("where", [(0, 0), (0, 1)], ids=["in one process", "in two"])
def test_two_requests_at_once_on_one_collection_are_one_after_the_other(office, world, where):
    """The same bytes twice: one record; the second gets the same answer or is told to come again (16; 503 while onOffice makes it)."""
    phone = office.phone()
    asked = request(phone, "contacts", add("c1", person("A")))
    sent = []
    phone.send = lambda *parts: sent.append(parts) or (200, {}, b"")
    phone.raw("Sync", asked)
    ((method, path, headers, body),) = sent

    async def both():
        calls = [office.processes[one]._call(method, path, headers, body, is_cut=False) for one in where]
        return await asyncio.gather(*calls)

    answers = office.processes[0].loop.run_until_complete(both())
    told = [(status(body) if code == 200 else str(code), body) for code, _, body in answers]
    assert "1" in dict(told).keys() <= {"1", "16"} | world.of(embedded=set(), onoffice={"503"})
    assert 1 == len({body for code, body in told if code == "1"})
    assert ["A"] == office.names()


# --------------------------------------------------------- keys that do not fit


@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_gmails_folder_sync_0_before_each_sync_downloads_nothing_again(office, version):
    """Facts 3 and 13; pains 1 and 2: the collections' keys live on, and so do the ids."""
    for number in range(5):
        office.records.write(CRM, Kind.CONTACTS, Contact(last_name=f"N{number}", sync_users=("anna",)))
    phone = office.phone(version)
    before = dict(phone.folders)
    for number in range(5):
        phone.folder_key = "0"
        assert before == phone.folder_sync()
        assert b"" == office.ask(phone, request(phone, "contacts"), number % 2)
    office.records.write(CRM, Kind.CONTACTS, Contact(last_name="New", sync_users=("anna",)))
    phone.folder_key = "0"
    phone.folder_sync()
    part = collection_of(decode(office.ask(phone, request(phone, "contacts"))))
    assert 1 == len(part.first(AirSync.Commands).children)


def test_pain_42_a_cloned_profile_is_noticed_and_logged(office, caplog):
    """Two clients with one DeviceId take turns: the second one's key is an old one; the log says what to do."""
    phone = office.phone()
    clone_key = phone.of("contacts").key
    for name in ("A", "B"):
        phone.sync("contacts", add(name, person(name)))
    with caplog.at_level(logging.WARNING):
        assert "3" == status(office.ask(phone, request(phone, "contacts", key=clone_key)))
    assert "a second client with the same DeviceId" in caplog.text
    assert b"" == office.ask(phone, request(phone, "contacts"))  # the first one goes on


def test_rule_15_another_user_on_a_known_device_begins_from_zero(office):
    """A key of anna's means nothing for bert; anna's goes on."""
    office.records.write(CRM, Kind.CONTACTS, Contact(last_name="Hers", sync_users=("anna",)))
    hers, his = office.phone(), Phone(office.processes[0].exchange, "bert", device="PHONE1")
    his.folder_sync()
    assert "3" == status(office.ask(his, request(his, "contacts", key=hers.of("contacts").key)))
    his.sync("contacts")
    assert {} == his.of("contacts").items
    assert b"" == office.ask(hers, request(hers, "contacts"))


def test_fact_13_a_key_of_another_collection_is_none(office):
    """Status 3 for the collection, and nothing of it is changed or sent."""
    phone = office.phone()
    answer = office.ask(phone, request(phone, "contacts", add("c1", person("A")), key=phone.of("tasks").key))
    assert ("3", []) == (status(answer), office.names())
    assert None is collection_of(decode(answer)).first(AirSync.Commands)
    phone.sync("tasks")


def test_pain_31_a_key_that_nobody_knows_starts_the_collection_alone_from_the_beginning(office):
    """The others go on; what the phone made is not doubled."""
    phone = office.phone()
    phone.sync("contacts", add("c1", person("A")))
    phone.of("contacts").key = "{7}7"
    with pytest.raises(KeyLost):
        phone.sync("contacts")
    phone.sync("contacts", add("c1", person("A")))
    phone.sync("tasks")
    assert (["A"], 1) == (office.names(), len(phone.of("contacts").items))
