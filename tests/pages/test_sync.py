"""My sync, as a user sees it: whether it runs, why not, and what to do."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from radicale_onoffice.core.model import Appointment, Contact, Kind, Task, UserState
from radicale_onoffice.core.policy import OnOutage, Policy
from radicale_onoffice.core.ports import Errand, ErrandState
from tests.conftest import START
from tests.eas.phone import KeyLost
from tests.pages.scenes import (
    ANNA,
    BERT,
    CRM,
    add_contacts,
    change_user,
    dav_contacts,
    mirrored,
    phone_of,
    refused,
    server_ids,
    synced_phone,
    tell,
)
from tests.pages.visitor import Visitor

BERLIN = START.astimezone(ZoneInfo("Europe/Berlin"))


def lines(page) -> list[str]:
    """The sentence of each kind."""
    return [" ".join(one.text_content().split()) for one in page.tree.cssselect(".lead")]


# ------------------------------------------------------------------- status


def test_each_kind_is_one_sentence(anna, server, clock):
    """Contacts: on · 2 contacts · last synced 3 minutes ago by 2 devices."""
    add_contacts(server.office, 2)
    synced_phone(server)
    dav_contacts(server)
    clock.now += timedelta(minutes=3)
    assert lines(anna.get()) == [
        "Contacts: on · 2 contacts · last synced 3 minutes ago by 2 devices",
        "Appointments: on · 0 appointments · last synced 3 minutes ago by one device",
        "Tasks: on · 0 tasks · last synced 3 minutes ago by one device",
    ]


def test_what_no_device_has_fetched_says_so(anna):
    """A user who has just been made."""
    assert "Contacts: on · 0 contacts · not fetched by any device yet" == lines(anna.get())[0]


def test_an_unreadable_kind_tells_whom_to_ask(anna):
    """A right that is missing in onOffice."""
    change_user(anna.office, rights=frozenset())
    page = anna.get()
    assert "Contacts: off" == lines(page)[0]
    assert "Contacts: you may not read them in onOffice. Ask your administrator for the right." in page.text


def test_a_deactivated_user_reads_what_to_do(anna):
    """The page is no sync (rule 8)."""
    change_user(anna.office, state=UserState.DEACTIVATED)
    assert "The user is deactivated. Your administrator can activate it again." in anna.get().text


# ----------------------------------------------------------------- switches


def test_a_kind_that_is_switched_off_vanishes_from_phone_and_program_and_comes_back(anna, server):
    """Rules 1 and 2: after a page that asks; the other kinds go on."""
    add_contacts(server.office, 2)
    phone = synced_phone(server)
    assert (207, 2) == dav_contacts(server)
    page = anna.get("/kinds/contacts/off")
    assert "The folder disappears from all of your devices." in page.text
    page = anna.submit("/kinds/contacts/off", "/kinds/contacts/off")
    assert "Contacts: off" == lines(page)[0]
    assert "Switched off in your settings. “Switch on” brings the folder back to your devices." in page.text
    assert {"appointments", "tasks"} == set(phone.folder_sync()) & {kind.value for kind in Kind}
    assert dav_contacts(server)[0] in (403, 404)
    assert "Contacts: on" in lines(anna.submit("/", "/kinds/contacts/on"))[0]
    assert "contacts" in phone.folder_sync()
    phone.sync("contacts")
    assert (2, (207, 2)) == (len(server_ids(phone)), dav_contacts(server))


def test_rule_14_another_service_closes_the_kind_and_opening_it_warns_of_double_entries(anna, server):
    """The warning stands on the page that asks."""
    phone = synced_phone(server)
    assert "so that nothing is there twice" in anna.get("/kinds/appointments/channel-on").text
    page = anna.submit("/kinds/appointments/channel-on", "/kinds/appointments/channel-on")
    assert "Appointments: off" == lines(page)[1]
    assert "Appointments: by another service" in page.text
    assert "appointments" not in phone.folder_sync()
    asked = anna.get("/kinds/appointments/channel-off")
    assert "Otherwise every entry will be on the device twice" in asked.text
    page = anna.submit("/kinds/appointments/channel-off", "/kinds/appointments/channel-off")
    assert lines(page)[1].startswith("Appointments: on")
    assert "appointments" in phone.folder_sync()


@pytest.mark.parametrize("path", ["/kinds/mail/off", "/kinds/contacts%20/off", "/kinds/mail/channel-on", "/kinds/mail/channel-off"])
def test_a_kind_that_there_is_not_is_not_found(anna, path):
    """Whatever the address says."""
    assert 404 == anna.get(path).status


@pytest.mark.parametrize("path", ["/kinds/mail/off", "/kinds/mail/on", "/kinds/x/channel-on", "/kinds/x/channel-off"])
def test_a_kind_that_there_is_not_is_not_switched(anna, path):
    """Also with the right token."""
    assert 404 == anna.post(path, {"token": anna.token()}).status


def test_a_switch_is_the_users_own(anna, server):
    """Nobody else's devices lose anything."""
    anna.submit("/kinds/tasks/off", "/kinds/tasks/off")
    with server.office.store.reading() as tx:
        assert set(Kind) == tx.user(BERT).switches


# ------------------------------------------------------------------ restart


def test_rules_3_and_97_a_restart_makes_devices_fetch_everything_again(anna, server):
    """The page explains it and asks; the folders stay."""
    add_contacts(server.office, 3)
    phone = synced_phone(server)
    assert "All of your devices then fetch everything again" in anna.get("/restart").text
    page = anna.submit("/restart", "/restart")
    assert "Sync has been restarted" in page.text
    with pytest.raises(KeyLost):
        phone.sync("contacts")
    phone.sync("contacts")
    assert 3 == len(server_ids(phone))


def test_a_restart_of_one_kind_leaves_the_others(anna, server):
    """As ticked."""
    phone = synced_phone(server)
    anna.submit("/restart", "/restart", kind=["tasks"])
    phone.sync("contacts")
    with pytest.raises(KeyLost):
        phone.sync("tasks")


def test_a_restart_of_nothing_asks_again(anna):
    """And does nothing."""
    page = anna.submit("/restart", "/restart", kind=[])
    assert (400, True) == (page.status, "Choose at least one." in page.text)


def test_where_nothing_is_synchronised_nothing_restarts(anna):
    """The page says so, and has no button for it."""
    change_user(anna.office, switches=frozenset())
    page = anna.get("/restart")
    assert "nothing to restart" in page.text
    assert not page.tree.cssselect("main button")


# --------------------------------------------------------------------- lock


def test_a_phone_with_an_old_password_locks_the_page_tells_which_and_unlocking_lets_it_in(anna, server, clock):
    """Rules 87 to 90: since when, after how many tries, from where, and which devices to correct first."""
    phone = synced_phone(server)
    change_user(server.office, password="new-secret-1")
    anna.sign_in(password="new-secret-1")
    old = phone_of(server)
    assert [401] * 5 == [refused(old) for _ in range(5)]
    clock.now += timedelta(minutes=20)
    page = anna.get()
    assert "Your sync access is locked" in page.text
    assert "Locked since Mar 15, 2026, 9:30 AM (20 minutes ago), after 5 wrong passwords in a row." in page.text
    assert "The last one came from “TestPhone”, address testclient." in page.text
    assert "First correct the password on these devices" in page.text
    assert "TestPhone – last wrong password 20 minutes ago from testclient" in page.text
    corrected = phone_of(server, password="new-secret-1")
    assert 401 == refused(corrected)
    page = anna.submit("/", "/unlock")
    assert "Your sync access has been unlocked!" in page.text
    assert 200 == refused(corrected)
    page = anna.get()
    assert "locked" not in page.text
    assert "old password" not in page.text
    assert set(phone.folders) == set(corrected.folders)


def test_rule_90_a_device_with_an_old_password_is_named_before_it_locks(anna, server, clock):
    """While there is time to correct it."""
    synced_phone(server)
    clock.now += timedelta(minutes=1)
    change_user(server.office, password="new-secret-1")
    page = anna.sign_in(password="new-secret-1")
    assert "These devices still use an old password" in page.text
    assert not page.has_form("/unlock")


def test_a_lock_by_something_unknown_tells_its_address(anna):
    """A login that came with no device at all."""
    for _ in range(5):
        anna.http.request("PROPFIND", "/anna/", auth=("anna", "wrong"), headers={"User-Agent": ""})
    page = anna.get()
    assert "The last one came from the address testclient." in page.text
    assert "First correct the password on all of your devices" in page.text


def test_rule_91_an_expired_password_is_told_with_the_way_out(serve, clock):
    """Sync stops, the page stays open."""
    visitor = Visitor(serve(Policy(password_max_age_days=30)))
    clock.now += timedelta(days=31)
    page = visitor.sign_in()
    assert "Your password has expired" in page.text
    assert page.tree.cssselect("main a[href$='/account']")


# -------------------------------------------------- maintenance, and changes


def test_maintenance_is_told_and_that_nothing_has_to_be_done(anna, clock):
    """Rule 94: phones then claim that the password is wrong."""
    anna.office.accounts.set_maintenance("New disks until noon", by="test")
    page = anna.get()
    assert "New disks until noon" in page.text
    assert "Even if a phone asks for the password: change nothing." in page.text
    anna.office.accounts.set_maintenance(None, by="test")
    assert "New disks" not in anna.get().text


def test_rule_74_a_degraded_series_and_a_refused_change_are_told_with_the_reason(anna):
    """In the visitor's language, with the entry's name; the newest first."""
    meeting = anna.office.records.write(
        CRM, Kind.APPOINTMENTS, Appointment(subject="Viewing", start=BERLIN, end=BERLIN + timedelta(hours=1), participants=("anna",))
    )
    degraded = "onOffice cannot hold a repetition on chosen weekdays; stored is every 2 weeks from 2026-03-15 until 2026-06-07."
    tell(anna.office, "deviation", f"{meeting.id}: {degraded}", START)
    refusal = "You may not create tasks in onOffice; ask your administrator for the right."
    tell(anna.office, "refused", f"new (tasks): {refusal}", START + timedelta(seconds=1))
    rows = [[cell.text_content().strip() for cell in row.cssselect("td")][1:] for row in anna.get().tree.cssselect("main tbody tr")]
    assert rows == [
        ["new entry", "refused", "Tasks: in onOffice you lack the right “create”. Ask your administrator for it."],
        [
            "Viewing",
            "stored differently",
            "onOffice knows no repetition on chosen weekdays. Stored is: every 2 weeks from Mar 15, 2026 to Jun 7, 2026.",
        ],
    ]
    german = anna.get("/?language=de").text
    assert "onOffice kennt keine Wiederholung an ausgewählten Wochentagen. Gespeichert ist: alle 2 Wochen von 15.03.2026" in german


def test_nobody_elses_entries_are_named(anna):
    """A line about a record that is not the user's to see tells no title."""
    (theirs,) = add_contacts(anna.office, 1, "bert")
    tell(anna.office, "refused", f"{theirs}: no", START)
    page = anna.get()
    assert "no longer there" in page.text
    assert "Muster0" not in page.text


def test_what_a_device_or_onoffice_says_is_text(anna):
    """Stored XSS through an entry's name or a reason."""
    evil = "<script>alert(1)</script>"
    mine = anna.office.records.write(CRM, Kind.CONTACTS, Contact(last_name=evil, sync_users=("anna",)))
    tell(anna.office, "refused", f"{mine.id}: {evil}", START)
    page = anna.get()
    assert 2 == page.text.count(evil)
    assert not [one for one in page.tree.cssselect("script") if not one.get("src")]


def test_the_page_of_anna_is_of_anna(anna, server):
    """A lock, a switch and lines of another user are not hers."""
    server.office.settings.set_switch(BERT, Kind.CONTACTS, False, "test")
    tell(server.office, "refused", "new (tasks): bert's own", START, BERT)
    for _ in range(5):
        refused(phone_of(server, "bert", "wrong"))
    page = anna.get()
    assert "locked" not in page.text
    assert "bert" not in page.text
    assert lines(page)[0].startswith("Contacts: on")
    assert not server.office.accounts.is_locked(ANNA)


# ---------------------------------------------------- a CRM that is elsewhere


def test_an_onoffice_that_answers_is_not_spoken_of(anna):
    """Nor is one that there is not."""
    mirrored(anna.office, START)
    assert not anna.get().tree.cssselect("#crm")


def test_an_onoffice_that_does_not_answer_is_told_in_plain_words(anna, clock):
    """Since when devices stand still, and what becomes of changes made meanwhile."""
    mirrored(anna.office, START, "503 Service Unavailable")
    clock.now += timedelta(hours=2)
    page = anna.get()
    assert "onOffice does not answer at present" in page.text
    assert "Your devices show it as of Mar 15, 2026, 9:30 AM (2 hours ago)." in page.text
    assert "What you change on a device stays there, and is sent as soon as onOffice answers again." in page.text
    assert "503" not in page.text


def test_where_changes_are_queued_the_page_says_so_and_how_many_wait(serve, clock):
    """onoffice_writes_during_outage = queue."""
    visitor = Visitor(serve(Policy(writes_during_outage=OnOutage.QUEUE)))
    mirrored(visitor.office, START, "timed out")
    task = Task(subject="Call")
    errand = Errand(actor=CRM, kind=Kind.TASKS, record_id="r1", before=None, after=task, state=ErrandState.WAITING, at=START)
    with visitor.office.store.writing() as tx:
        tx.add_errand(errand)
    page = visitor.sign_in()
    assert "What you change on a device is kept here, and sent to onOffice as soon as it answers again." in page.text
    assert "One change waits." in page.text


def test_a_copy_that_is_old_or_not_filled_is_told(anna, clock):
    """Nobody asks onOffice, or it shows too little to be believed."""
    mirrored(anna.office, None)
    assert "The data from onOffice are not completely here yet." in anna.get().text
    mirrored(anna.office, START)
    clock.now += timedelta(hours=3)
    assert "The data from onOffice may be out of date" in anna.get().text
