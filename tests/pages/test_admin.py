"""Administration: everything at a glance, changes of one and of many, and only for who has the right."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.errors import SignInRefused
from radicale_onoffice.core.model import Actor, Appointment, Contact, Face, Failure, Identity, Kind, Tenant, User, UserState
from radicale_onoffice.core.rights import Gate
from radicale_onoffice.pages import admin_audit
from radicale_onoffice.pages.devices import key_of
from tests.conftest import START
from tests.pages.scenes import add_contacts, dav_contacts, folder_status, introduce, mirrored, server_ids, synced_phone
from tests.pages.visitor import Visitor

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")


def get_user(office, identity: Identity = BERT) -> User:
    with office.store.reading() as tx:
        return tx.user(identity)


@pytest.fixture
def boss(visitor):
    """anna, who may administer, signed in."""
    visitor.office.accounts.save_user(replace(get_user(visitor.office, ANNA), admin=True), None, "test")
    visitor.sign_in()
    return visitor


def lock(office, login: str = "bert") -> None:
    for _ in range(5):
        with pytest.raises(SignInRefused):
            office.accounts.sign_in(login, "old", Caller(face=Face.DAV, device="DAVx5/4.4", address="192.0.2.9"))


# ------------------------------------------------------------------- who may

PAGES = ["/admin", "/admin/users", "/admin/users/bert", "/admin/users.csv", "/admin/devices", "/admin/audit", "/admin/audit.csv"]


@pytest.mark.parametrize("path", PAGES)
def test_others_than_administrators_see_nothing(anna, path):
    """Forced browsing: the address alone opens nothing, and the navigation does not name it."""
    page = anna.get(path)
    assert 403 == page.status
    assert "bert" not in page.text
    assert "Administration" not in anna.get("/").html


FORMS = {
    "/admin/users": {"action": "deactivate", "login": "bert", "confirmed": "yes"},
    "/admin/users/bert": {},
    "/admin/users/bert/unlock": {},
    "/admin/users/bert/sign-out": {},
    "/admin/maintenance/on": {"message": "x"},
    "/admin/maintenance/off": {},
}


@pytest.mark.parametrize("path", FORMS)
def test_others_than_administrators_change_nothing(anna, path):
    """Even with a session and its token."""
    before = get_user(anna.office)
    assert 403 == anna.post(path, FORMS[path] | {"token": anna.token()}).status
    assert before == get_user(anna.office)
    assert anna.office.accounts.maintenance() is None


def test_who_loses_the_right_loses_it_at_once(boss):
    """With the session still open."""
    assert 200 == boss.get("/admin").status
    boss.office.accounts.save_user(replace(get_user(boss.office, ANNA), admin=False), None, "test")
    assert 403 == boss.get("/admin").status


def test_another_tenants_users_do_not_exist(boss):
    """Neither in the list nor by address."""
    boss.office.settings.save_tenant(Tenant(name="u"), "test")
    boss.office.accounts.save_user(User(identity=Identity("u", "carla")), "secret", "test")
    assert "carla" not in boss.get("/admin/users").html
    assert 404 == boss.get("/admin/users/carla").status
    assert 404 == boss.post("/admin/users/carla", {"token": boss.token()}).status


# ------------------------------------------------------------ at a glance


def test_the_overview_counts_what_needs_attention(boss):
    """Users, locks, switched off, deactivated, phones; and the newest lines of the log."""
    lock(boss.office)
    page = boss.get("/admin")
    assert "2 all users" in page.text
    assert "1 locked sync access" in page.text
    assert "locked" in page.text.partition("What happened lately")[2]
    assert "kept on this server" in page.text


def test_the_list_is_searched_filtered_and_paged(boss):
    """By a part of the login, by what is wrong, fifty at a time."""
    for number in range(60):
        boss.office.accounts.save_user(User(identity=Identity("t", f"agent{number:02}")), None, "test")
    assert "62 users" in boss.get("/admin/users").text
    assert "Page 1 of 2" in boss.get("/admin/users").text
    second = boss.get("/admin/users?page=2")
    assert ("agent00" in second.text, "bert" in second.text) == (False, True)
    assert "1 user " in boss.get("/admin/users?text=GENT07").text
    lock(boss.office)
    found = boss.get("/admin/users?show=locked")
    assert ("bert" in found.text, "agent00" in found.text) == (True, False)


@pytest.mark.parametrize("query", ["?page=0", "?page=99999999999", "?page=x", "?show=nonsense", "?text=%00", "?text=" + "x" * 200])
def test_an_odd_question_gets_a_page(boss, query):
    """Never an error of ours."""
    assert boss.get(f"/admin/users{query}").status in (200, 400)
    assert boss.get(f"/admin/devices{query}").status in (200, 400)
    assert boss.get(f"/admin/audit{query}&before=abc").status in (200, 400)


def test_csv_holds_all_that_was_found_and_no_formulas(boss):
    """RFC 4180, for a spreadsheet, which must not calculate what others wrote."""
    boss.office.accounts.save_user(User(identity=Identity("t", "=cmd")), None, "test")
    answer = boss.get("/admin/users.csv").answer
    assert ("text/csv; charset=utf-8", 'attachment; filename="users.csv"') == (
        answer.headers["content-type"],
        answer.headers["content-disposition"],
    )
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert ["'=cmd", "anna", "bert"] == [row["login"] for row in rows]
    assert ("yes", "no") == tuple(row["admin"] for row in rows[1:])
    lock(boss.office)
    lines = list(csv.DictReader(io.StringIO(boss.get("/admin/audit.csv?event=locked").answer.content.decode("utf-8-sig"))))
    assert [("bert", "dav", "locked")] == [(line["login"], line["actor"], line["event"]) for line in lines]


def test_a_file_of_the_log_has_an_end(boss, monkeypatch):
    """It is made in memory; its last row says that there is more, and how to get it."""
    monkeypatch.setattr(admin_audit, "MAX_EXPORTED", 2)
    for is_open in (False, True, False):
        boss.office.settings.set_gate(BERT, Gate.SWITCH, Kind.TASKS, is_open, "test")
    lines = list(csv.DictReader(io.StringIO(boss.get("/admin/audit.csv?event=gate").answer.content.decode("utf-8-sig"))))
    assert ["gate closed: switch tasks", "gate opened: switch tasks", "older lines are not in this file"] == [one["event"] for one in lines]


def test_the_log_is_filtered_and_goes_on(boss):
    """By whose access, what and a text; older lines behind a link."""
    for number in range(60):
        boss.office.settings.set_gate(BERT, Gate.SWITCH, Kind.TASKS, bool(number % 2), "test")
    page = boss.get("/admin/audit?event=gate&login=bert")
    assert 50 == len(page.tree.cssselect("tbody tr"))
    assert "Tasks switched off" in page.text
    (older,) = [link.get("href") for link in page.tree.cssselect("a[rel=next]")]
    assert 10 == len(boss.get(older.removeprefix("/.web")).tree.cssselect("tbody tr"))
    assert "Nothing found" in boss.get("/admin/audit?text=nowhere").text


def test_the_overview_tells_how_the_copy_of_onoffice_is(boss, clock):
    """Of a tenant whose CRM is onOffice: whether it answers and is to be believed, how old each kind is, and what waits."""
    mirrored(boss.office, None)
    assert "not all here yet" in boss.get("/admin").text
    mirrored(boss.office, START)
    assert "up to date" in boss.get("/admin").text
    clock.now += timedelta(hours=3)
    page = boss.get("/admin")
    assert "perhaps out of date" in page.text
    assert "as of 3 hours ago" in page.text
    mirrored(boss.office, START, "503 Service Unavailable")
    assert "does not answer 503 Service Unavailable" in boss.get("/admin").text


# ------------------------------------------------------------- one user


def test_a_users_page_tells_why_sync_stops(boss):
    """The lock with where it came from, the devices, and the log."""
    boss.office.accounts.sign_in("bert", "secret", Caller(face=Face.DAV, device="DAVx5/4.4", address="192.0.2.8"))
    lock(boss.office)
    page = boss.get("/admin/users/bert")
    assert "after 5 wrong passwords in a row" in page.text
    assert "DAVx5" in page.text
    assert "192.0.2.9" in page.text
    page = boss.submit("/admin/users/bert", "/admin/users/bert/unlock")
    assert "bert: sync access has been unlocked" in page.text
    assert not boss.office.accounts.is_locked(BERT)
    assert not page.has_form("/unlock")


def test_everything_about_a_user_is_saved_at_once(boss):
    """Gates, rights and the right to administer, in one form, with lines in the log that name who did it."""
    form = [
        (name, value)
        for name, value in boss.get("/admin/users/bert").fields("/admin/users/bert")
        if (name, value) not in [("switch", "tasks"), ("right", "contacts.delete"), ("sync_right", "yes")]
    ]
    data: dict[str, list[str]] = {}
    for name, value in [*form, ("admin", "yes"), ("channel", "appointments")]:
        data.setdefault(name, []).append(value)
    assert "bert: saved" in boss.post("/admin/users/bert", data).text
    user = get_user(boss.office)
    assert (False, True, {Kind.CONTACTS, Kind.APPOINTMENTS}, {Kind.APPOINTMENTS}) == (
        user.sync_right,
        user.admin,
        user.switches,
        user.other_channels,
    )
    assert "contacts.delete" not in user.rights
    assert "contacts.modify" in user.rights
    assert "anna (page)" in boss.get("/admin/audit?login=bert").text
    assert "nothing was changed" in boss.submit("/admin/users/bert", "/admin/users/bert").text


def test_a_user_whom_onoffice_suspended_stays_so_when_the_form_is_saved(boss):
    """Only what an administrator did is an administrator's to end; the page says where it comes from."""
    boss.office.accounts.save_user(replace(get_user(boss.office), state=UserState.SUSPENDED), None, "onoffice")
    page = boss.get("/admin/users/bert")
    assert "locked, deactivated or no longer there in onOffice" in page.text
    assert "locked in onOffice" in boss.get("/admin/users").text
    assert "nothing was changed" in boss.submit("/admin/users/bert", "/admin/users/bert").text
    assert get_user(boss.office).state is UserState.SUSPENDED


@pytest.mark.parametrize("missing", ["active", "admin"])
def test_nobody_locks_the_own_door(boss, missing):
    """Neither deactivated nor without the right by the own hand; nothing of the form is saved then."""
    data: dict[str, list[str]] = {}
    for name, value in boss.get("/admin/users/anna").fields("/admin/users/anna"):
        data.setdefault(name, []).append(value)
    del data[missing], data["sync_right"]
    assert 403 == boss.post("/admin/users/anna", data).status
    user = get_user(boss.office, ANNA)
    assert (UserState.ACTIVE, True, True) == (user.state, user.admin, user.sync_right)


def test_a_right_that_is_none_is_refused(boss):
    """From a form that nobody was shown."""
    assert 400 == boss.post("/admin/users/bert", {"token": boss.token(), "right": "contacts.fly", "active": "yes"}).status
    assert get_user(boss.office).state is UserState.ACTIVE


def test_a_gate_that_the_administrator_closes_takes_the_folder_from_phone_and_program(boss, server):
    """Opened again, everything is back in both."""
    add_contacts(boss.office, 3, "bert")
    phone = synced_phone(server, login="bert")
    assert (3, (207, 3)) == (len(server_ids(phone)), dav_contacts(server, "bert"))
    boss.post("/admin/users", {"token": boss.token(), "action": "off-contacts", "login": "bert", "confirmed": "yes"})
    phone.folder_sync()
    assert ("contacts" in phone.folders, (404, 0)) == (False, dav_contacts(server, "bert"))
    boss.post("/admin/users", {"token": boss.token(), "action": "on-contacts", "login": "bert"})
    phone = synced_phone(server, login="bert")
    assert (3, (207, 3)) == (len(server_ids(phone)), dav_contacts(server, "bert"))


# ------------------------------------------------------- somebody's phone


def test_an_administrator_helps_with_somebody_elses_phone(boss, server):
    """Found in the list of all; its page has what the owner's has, and the log names who did it."""
    phone = synced_phone(server, login="bert")
    introduce(phone, "iPhone15,2", "Berts iPhone")
    page = boss.get("/admin/devices?text=iphone15")
    (link,) = [one.get("href") for one in page.tree.cssselect("tbody th a")]
    path = link.removeprefix("/.web")
    assert "iPhone15,2" in boss.get(path).text
    page = boss.submit(f"{path}/block", f"{path}/block")
    assert "Berts iPhone" in page.text
    assert "129" == folder_status(phone)  # DeviceIsBlockedForThisUser
    assert "device locked out" in boss.get("/admin/audit?login=bert&event=device").text
    assert "anna (page)" in boss.get("/admin/audit?login=bert&event=device").text
    boss.submit(path, f"{path}/unblock")
    phone.folder_sync()


def test_an_administrator_reads_no_entry_that_is_somebody_elses_alone(boss, server):
    """What fails on a phone has its name for who may see it; for others it has none."""
    owner = Actor(identity=BERT, face=Face.CRM, device="test")
    noon = START.astimezone(ZoneInfo("Europe/Berlin"))
    secret = Appointment(
        subject="Scheidung", start=noon, end=noon + timedelta(hours=1), participants=("bert",), creator="bert", private=True
    )
    hidden = boss.office.records.write(owner, Kind.APPOINTMENTS, secret).id
    shared = boss.office.records.write(owner, Kind.CONTACTS, Contact(last_name="Muster", sync_users=("anna", "bert"))).id
    synced_phone(server, login="bert")
    with boss.office.store.writing() as tx:
        for kind, item in ((Kind.APPOINTMENTS, hidden), (Kind.CONTACTS, shared)):
            tx.save_failure(Failure(identity=BERT, device_id="PHONE1", collection=kind, item=item, version=1, reason="too large", at=START))
    page = boss.get(f"/admin/users/bert/devices/{key_of(Face.EAS, 'PHONE1')}")
    assert ("Scheidung" in page.text, hidden in page.text, "Muster" in page.text) == (False, False, True)
    bert = Visitor(server)
    bert.sign_in("bert")
    assert "Scheidung" in bert.get(f"/devices/{key_of(Face.EAS, 'PHONE1')}").text


def test_a_phones_address_opens_nothing_for_others(anna, server):
    """Neither as an administrator's page nor among the own devices."""
    synced_phone(server, login="bert")
    key = key_of(Face.EAS, "PHONE1")
    assert 403 == anna.get(f"/admin/users/bert/devices/{key}").status
    assert 404 == anna.get(f"/devices/{key}").status
    assert 403 == anna.post(f"/admin/users/bert/devices/{key}/remove", {"token": anna.token()}).status
    assert 404 == anna.post(f"/devices/{key}/remove", {"token": anna.token()}).status
    assert 1 == len(anna.office.devices.list("t", "bert"))


# ------------------------------------------------------------- many users


def test_many_are_changed_at_once_after_a_question(boss):
    """What takes something away asks first, on a page that names them all."""
    page = boss.post("/admin/users", {"token": boss.token(), "action": "forbid", "login": ["bert"]})
    assert "One user is chosen" in page.text
    assert get_user(boss.office).sync_right
    page = boss.post("/admin/users", dict(page.fields("/admin/users")))
    assert "One user was changed" in page.text
    assert not get_user(boss.office).sync_right
    assert "One user was changed" in boss.post("/admin/users", {"token": boss.token(), "action": "allow", "login": ["bert", "anna"]}).text


@pytest.mark.parametrize(
    "form", [{"action": "unlock"}, {"action": "fly", "login": "bert"}, {"login": "bert"}, {"action": "unlock", "login": "nobody"}]
)
def test_an_action_needs_users_and_a_name(boss, form):
    """Anything else changes nothing, and says so."""
    assert boss.post("/admin/users", form | {"token": boss.token()}).status in (400, 404)


# ------------------------------------------------------------- maintenance


def test_maintenance_is_begun_and_ended_by_an_administrator_of_the_installation(boss, server):
    """Clients wait and keep their passwords meanwhile; the pages stay open (rule 94)."""
    page = boss.submit("/admin", "/admin/maintenance/on", message="Back at noon", minutes="5")
    assert "Maintenance has begun" in page.text
    answer = server.client("bert").request("PROPFIND", "/bert/", headers={"Depth": "0"})
    assert (503, "300") == (answer.status_code, answer.headers["retry-after"])
    assert "Back at noon" in boss.get("/admin").text
    assert "Maintenance has ended" in boss.submit("/admin", "/admin/maintenance/off").text
    assert 207 == server.client("bert").request("PROPFIND", "/bert/", headers={"Depth": "0"}).status_code


def test_an_administrator_of_another_tenant_cannot_stop_everybody(boss, server):
    """It concerns all tenants."""
    boss.office.settings.save_tenant(Tenant(name="u"), "test")
    boss.office.accounts.save_user(User(identity=Identity("u", "carla"), admin=True), "secret", "test")
    carla = Visitor(server)
    carla.sign_in("carla@u")
    assert not carla.get("/admin").has_form("/admin/maintenance/on")
    assert 403 == carla.post("/admin/maintenance/on", {"token": carla.token()}).status
    assert boss.office.accounts.maintenance() is None
