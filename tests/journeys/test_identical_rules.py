"""Window, gates, rights, lock and maintenance through both faces: from outside nobody can tell which face applied a rule."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from activesync_bridge.wbxml.codepages import AirSync, Calendar, Contacts, Tasks
from activesync_bridge.wbxml.element import Element as E
from radicale_onoffice.core.model import Actor, Appointment, Contact, Face, Identity, Kind, Task, TaskStatus, User
from radicale_onoffice.core.policy import Direction, Policy
from radicale_onoffice.core.rights import Gate
from tests.eas.phone import Phone, Refused, add, change, delete, over, status_of

BERLIN = ZoneInfo("Europe/Berlin")
ANNA = Identity("t", "anna")
CRM = Actor(identity=ANNA, face=Face.CRM)
CALENDAR = Kind.APPOINTMENTS
VERSIONS = ("12.1", "14.1", "16.1")
SYNC = '<sync-collection xmlns="DAV:"><sync-token>{0}</sync-token><prop><getetag/></prop></sync-collection>'
# The fixed clock says 2026-03-15 09:30 in Berlin, a Sunday.


def phone_of(server, version: str = "16.1", device: str = "PHONE1", **login: str) -> Phone:
    phone = Phone(over(server.client(None)), version=version, device=device, **login)
    phone.folder_sync()
    return phone


def appointment(server, subject: str, start: datetime, hours: float = 1, **more):
    value = Appointment(subject=subject, start=start, end=start + timedelta(hours=hours), participants=("anna",), **more)
    return server.office.records.write(CRM, CALENDAR, value, uid=subject)


def subjects(phone: Phone, **how) -> set[str]:
    phone.sync("appointments", **how)
    return {item.text_of(Calendar.Subject) for item in phone.of("appointments").items.values()}


def listed(server) -> set[str]:
    """What a DAV client is told that there is."""
    answer = server.client().request("REPORT", "/anna/calendar/", content=SYNC.format(""))
    return set(re.findall(r"<href>/anna/calendar/([^<]+)\.ics</href>", answer.text))


# ---------------------------------------------------------------------- window


def test_rule_48_the_same_500_of_800_appointments_in_both_faces(server):
    """Upcoming ones first, then the newest past ones; FilterType 0 is no period (U16)."""
    start = datetime(2026, 2, 20, 8, tzinfo=BERLIN)
    made = {appointment(server, f"a{number}", start + timedelta(hours=3 * number)).id for number in range(800)}
    phone = phone_of(server)
    phone.sync("appointments", filter_type=0, window=100)
    on_the_phone = set(phone.of("appointments").items)
    assert 500 == len(on_the_phone) == len(listed(server))
    assert on_the_phone == listed(server) < made
    again = phone_of(server, "12.1", "PHONE2")
    again.sync("appointments", window=512)
    assert on_the_phone == set(again.of("appointments").items)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("filter_type", "first"),
    [
        (None, date(2026, 2, 15)),
        (0, date(2026, 2, 15)),
        (4, date(2026, 3, 1)),
        (5, date(2026, 2, 15)),
        (6, date(2025, 12, 15)),
        (7, date(2025, 9, 15)),
    ],
)
def test_rule_49_a_phone_may_name_a_period_to_the_day(server, version, filter_type, first):
    """FilterType 4 to 7: two weeks, one, three, six months back from the beginning of today; six months ahead for all (rule 50)."""
    midnight = datetime(first.year, first.month, first.day, tzinfo=BERLIN)
    appointment(server, "last day before", midnight - timedelta(hours=2))
    appointment(server, "first day", midnight)
    appointment(server, "far edge", datetime(2026, 9, 15, 23, tzinfo=BERLIN), 0.5)
    appointment(server, "beyond", datetime(2026, 9, 16, 0, 30, tzinfo=BERLIN))
    assert {"first day", "far edge"} == subjects(phone_of(server, version), filter_type=filter_type)


def test_a_period_that_is_changed_brings_and_takes_only_the_difference(server):
    """What leaves the period is a SoftDelete and stays in the CRM (rule 54); what is in both is not sent again."""
    appointment(server, "winter", datetime(2026, 1, 10, 9, tzinfo=BERLIN))
    appointment(server, "spring", datetime(2026, 3, 20, 9, tzinfo=BERLIN))
    phone = phone_of(server)
    assert {"winter", "spring"} == subjects(phone, filter_type=7)
    assert {"spring"} == subjects(phone, filter_type=4)
    assert {"winter", "spring"} == subjects(phone, filter_type=7)
    assert 0 == phone.doubles
    assert 2 == len(server.office.records.everything(ANNA, CALENDAR))


def test_what_slides_out_of_the_window_vanishes_from_both_and_stays_in_the_crm(server, clock):
    """The window moves at midnight of the tenant, not only when something is stored."""
    appointment(server, "old", datetime(2026, 2, 15, 9, tzinfo=BERLIN))
    phone = phone_of(server)
    assert ({"old"}, 1) == (subjects(phone), len(listed(server)))
    clock.now = datetime(2026, 3, 16, 8, tzinfo=UTC)
    assert (set(), set()) == (subjects(phone), listed(server))
    assert 1 == len(server.office.records.everything(ANNA, CALENDAR))


def test_rule_54_what_lies_out_of_reach_can_neither_be_changed_nor_deleted(server, clock):
    """The phone still has it, because it did not synchronise since: the change is refused, the delete deletes nothing."""
    record = appointment(server, "old", datetime(2026, 2, 15, 9, tzinfo=BERLIN))
    phone, other = phone_of(server), phone_of(server, "14.1", "PHONE2")
    assert {"old"} == subjects(phone) == subjects(other)
    clock.now = datetime(2026, 3, 16, 8, tzinfo=UTC)
    (response,) = phone.sync("appointments", change(record.id, E(Calendar.Subject, "new")))
    assert "8" == status_of(response)
    assert [] == other.sync("appointments", delete(record.id))
    assert {} == phone.of("appointments").items == other.of("appointments").items
    assert ("old", False) == (server.office.records.get("t", record.id).value.subject, server.office.records.get("t", record.id).deleted)


def test_an_appointment_made_outside_of_the_window_is_kept_and_leaves_the_phone(server):
    """Refusing it would lose what was typed; it is in the CRM, and not on the device, as with every client."""
    phone = phone_of(server)
    times = (E(Calendar.StartTime, "20290101T100000Z"), E(Calendar.EndTime, "20290101T110000Z"))
    (response,) = phone.sync("appointments", add("c1", E(Calendar.Subject, "far"), *times))
    assert "1" == status_of(response)
    assert {} == phone.of("appointments").items
    assert 1 == len(server.office.records.everything(ANNA, CALENDAR))


def test_rule_84_a_cancelled_task_is_on_no_phone(server):
    """EAS has no word for it; a DAV client shows it as cancelled."""
    record = server.office.records.write(
        CRM, Kind.TASKS, Task(subject="off", responsible="anna", processor="anna", status=TaskStatus.CANCELLED)
    )
    phone = phone_of(server)
    phone.sync("tasks")
    assert {} == phone.of("tasks").items
    assert "STATUS:CANCELLED" in server.client().get(f"/anna/tasks/{record.name}").text


def test_filter_type_8_offers_open_tasks_only(server):
    """U34: a completed task stays for 30 days without it."""
    for subject, done in (("open", False), ("done", True)):
        value = Task(
            subject=subject,
            responsible="anna",
            processor="anna",
            done=done,
            completed_at=datetime(2026, 3, 14, 9, tzinfo=BERLIN) if done else None,
        )
        server.office.records.write(CRM, Kind.TASKS, value)
    phone = phone_of(server)
    phone.sync("tasks")
    assert {"open", "done"} == {item.text_of(Tasks.Subject) for item in phone.of("tasks").items.values()}
    phone.sync("tasks", filter_type=8)
    assert {"open"} == {item.text_of(Tasks.Subject) for item in phone.of("tasks").items.values()}


# ----------------------------------------------------------------------- gates


def folders(server) -> set[str]:
    """What a DAV client finds."""
    answer = server.client().request("PROPFIND", "/anna/", headers={"Depth": "1"})
    return set(re.findall(r"<href>/anna/(contacts|calendar|tasks)/</href>", answer.text))


@pytest.mark.parametrize("gate", list(Gate))
def test_a_closed_gate_takes_the_folder_from_both_faces_and_an_open_one_gives_it_back(server, gate):
    """Rules 1, 2, 8, 14: live, without touching the other kinds where the gate is one per kind."""
    phone = phone_of(server)
    server.office.records.write(CRM, Kind.CONTACTS, Contact(last_name="Berger", sync_users=("anna",)))
    phone.sync("contacts")
    per_kind = gate in (Gate.SWITCH, Gate.OTHER_CHANNEL)
    kind = Kind.CONTACTS if per_kind else None
    server.office.settings.set_gate(ANNA, gate, kind, is_open=False, by="test")
    left = {"calendar", "tasks"} if per_kind else set()
    assert left == folders(server)
    with pytest.raises(AssertionError, match="12"):
        phone.sync("contacts")
    assert {"appointments" if one == "calendar" else one for one in left} == set(phone.folder_sync()) & set(Kind)
    assert "contacts" not in phone.collections
    server.office.settings.set_gate(ANNA, gate, kind, is_open=True, by="test")
    assert ({"contacts", "calendar", "tasks"}, set(Kind)) == (folders(server), set(phone.folder_sync()) & set(Kind))
    phone.sync("contacts")
    assert ["Berger"] == [item.text_of(Contacts.LastName) for item in phone.of("contacts").items.values()]


# ---------------------------------------------------------------------- rights

CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{0}\r\nN:{0};;;;\r\nFN:{0}\r\nEND:VCARD\r\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_rule_9_without_a_right_nothing_is_changed_and_the_device_gets_the_stored_state_again(server, version):
    """U47: an Add is answered 6, a Change 7 with the stored item after it, a deleted item comes again; DAV gets 403."""
    record = server.office.records.write(CRM, Kind.CONTACTS, Contact(last_name="Berger", sync_users=("anna",)), uid="u", name="u.vcf")
    phone = phone_of(server, version)
    phone.sync("contacts")
    rights = frozenset(f"{kind}.read" for kind in Kind)
    with server.office.store.writing() as tx:
        user = tx.user(ANNA)
        assert isinstance(user, User)
        tx.save_user(replace(user, rights=rights))
    before = server.store_hash()
    (made,) = phone.sync("contacts", add("c1", E(Contacts.LastName, "Neu")))
    (changed,) = phone.sync("contacts", change(record.id, E(Contacts.LastName, "Anders")))
    assert ("6", "7") == (status_of(made), status_of(changed))
    phone.sync("contacts", delete(record.id))
    assert {record.id: "Berger"} == {one: item.text_of(Contacts.LastName) for one, item in phone.of("contacts").items.items()}
    client = server.client()
    assert 403 == client.put("/anna/contacts/new.vcf", content=CARD.format("new")).status_code
    assert 403 == client.put("/anna/contacts/u.vcf", content=CARD.format("u")).status_code
    assert 403 == client.delete("/anna/contacts/u.vcf").status_code
    assert before == server.store_hash()


def test_u48_a_direction_holds_in_both_faces(serve):
    """Contacts to the device only: both faces refuse with the same effect."""
    server = serve(Policy(direction={**dict.fromkeys(Kind, Direction.BOTH), Kind.CONTACTS: Direction.TO_DEVICE}))
    phone = phone_of(server)
    (made,) = phone.sync("contacts", add("c1", E(Contacts.LastName, "Neu")))
    assert ("6", 403) == (status_of(made), server.client().put("/anna/contacts/n.vcf", content=CARD.format("n")).status_code)
    assert [] == server.office.records.everything(ANNA, Kind.CONTACTS)


def test_rule_21_a_contact_deleted_on_a_phone_loses_its_flag_only(server):
    """The address stays in the CRM, and on the other user's devices."""
    record = server.office.records.write(CRM, Kind.CONTACTS, Contact(last_name="Berger", sync_users=("anna", "bert")))
    phone, berts = phone_of(server), phone_of(server, device="PHONE2", login="bert")
    phone.sync("contacts")
    berts.sync("contacts")
    phone.sync("contacts", delete(record.id))
    berts.sync("contacts")
    assert (("bert",), 1) == (server.office.records.get("t", record.id).value.sync_users, len(berts.of("contacts").items))


def test_a_phone_and_a_dav_client_see_each_other_s_changes(server):
    """One record, two syntaxes; what the phone cannot name stays in the card."""
    text = CARD.format("u").replace("END:VCARD", "X-PET:Wuff\r\nNOTE:hello\r\nEND:VCARD")
    assert 201 == server.client().put("/anna/contacts/u.vcf", content=text).status_code
    phone = phone_of(server)
    phone.sync("contacts")
    ((server_id, item),) = phone.of("contacts").items.items()
    kept = [one for one in item.children if one.tag not in (Contacts.LastName, Contacts.FileAs)]
    assert [] == phone.sync("contacts", change(server_id, E(Contacts.LastName, "Neumann"), *kept))
    card = server.client().get("/anna/contacts/u.vcf").text
    assert "N:Neumann;;;;" in card
    assert "X-PET:Wuff" in card
    assert "NOTE:hello" in card


# ------------------------------------------------------------- lock, maintenance


def try_dav(server, password: str):
    return server.client("anna", password).request("PROPFIND", "/anna/", headers={"Depth": "0"}).status_code


def try_phone(server, password: str, version: str = "16.1") -> int:
    try:
        Phone(over(server.client(None)), password=password, version=version).folder_sync()
    except Refused as error:
        return error.status
    return 200


def test_rule_87_wrong_passwords_of_both_faces_count_together(server, caplog):
    """Three by phone and two by DAV lock both; the answer is that of a wrong password; unlocking opens both (rule 88)."""
    assert [401] * 3 == [try_phone(server, "wrong") for _ in range(3)]
    assert (200, 200) != (try_dav(server, "wrong"), try_dav(server, "wrong"))
    assert (401, 401) == (try_phone(server, "secret"), try_dav(server, "secret"))
    assert [1] == [1 for record in caplog.records if "sync access locked" in record.getMessage()]
    server.office.accounts.unlock(ANNA, "test")
    assert (200, 207) == (try_phone(server, "secret"), try_dav(server, "secret"))


def test_rule_87_a_locked_login_gets_exactly_the_answer_of_a_wrong_password(server):
    """Status, headers and body: from outside nobody can tell (fact 5: 401 with a challenge, never 403)."""

    def answer(password: str):
        with pytest.raises(Refused) as caught:
            Phone(over(server.client(None)), password=password).folder_sync()
        return caught.value.status, caught.value.body, {k: v for k, v in caught.value.headers.items() if k != "date"}

    wrong = answer("wrong")
    for _ in range(4):
        answer("wrong")
    assert wrong == answer("secret")
    assert (401, True) == (wrong[0], wrong[2]["www-authenticate"].startswith("Basic realm="))


@pytest.mark.parametrize("version", VERSIONS)
def test_rule_94_maintenance_closes_both_with_503_and_counts_nothing(server, version):
    """Retry-After says when to come again; nobody's password is blamed, however often a phone tries."""
    server.office.accounts.set_maintenance("Update", 300)
    for _ in range(10):
        with pytest.raises(Refused) as caught:
            Phone(over(server.client(None)), password="wrong", version=version).folder_sync()
        assert (503, "300") == (caught.value.status, caught.value.headers["retry-after"])
    assert 503 == try_dav(server, "secret")
    server.office.accounts.set_maintenance(None)
    assert (200, 207) == (try_phone(server, "secret", version), try_dav(server, "secret"))


def test_the_mail_folders_that_phones_want_to_see_are_empty_for_ever(server):
    """Fact 2: Android drops the account without them; syncing them answers success with nothing."""
    phone = phone_of(server)
    for folder in ("inbox", "drafts", "deleted", "sent", "outbox"):
        first = phone.post("Sync", E(AirSync.Sync, (E(AirSync.Collections, (mail(folder, "0"),)),)))
        assert first is not None
        assert "1" == first.children[0].children[0].text_of(AirSync.Status)
        assert phone.post("Sync", E(AirSync.Sync, (E(AirSync.Collections, (mail(folder, "1"),)),))) is None


def mail(folder: str, key: str) -> E:
    return E(AirSync.Collection, (E(AirSync.SyncKey, key), E(AirSync.CollectionId, folder)))
