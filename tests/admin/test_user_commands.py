"""What the pages can, the command can: status, clients, switches, sessions, contacts, the audit log, many users at once."""

from __future__ import annotations

import csv
import io

import pytest

from radicale_onoffice import spreadsheet, wiring
from radicale_onoffice.configuration import load_configuration
from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.errors import SignInRefused
from radicale_onoffice.core.model import Actor, Contact, Entry, EntryKind, Face, Identity, Kind
from tests.admin.test_commands import loaded, run, users

__all__ = ["run", "users"]  # fixtures
ANNA = Identity("default", "anna")
PHONE = Caller(address="192.0.2.7", face=Face.EAS, device="APPL1", label="iPhone")


@pytest.fixture
def office(users, tmp_path):
    """The office that the commands work on."""
    return wiring.office(load_configuration(str(tmp_path / "radicale.config")))


def come(office, password="secret"):
    try:
        office.accounts.sign_in("anna", password, PHONE)
    except SignInRefused:
        return False
    return True


@pytest.fixture
def contact(office):
    """A contact with a number, on nobody's devices."""
    value = Contact(first_name="Eva", last_name="Müller", entries=(Entry(id=1, kind=EntryKind.PHONE, value="0241 1", default=True),))
    return office.records.write(Actor(identity=ANNA, face=Face.CRM), Kind.CONTACTS, value).id


def test_a_status_tells_what_is_off_and_who_locked_it(users, office):
    """As the user's page does; in words without --json."""
    assert come(office)
    office.visits.synced(ANNA, PHONE.client, Kind.CONTACTS)
    for _ in range(5):
        assert not come(office, "wrong")
    assert users("user", "switch", "anna", "tasks", "--off").exit_code == 0
    assert users("user", "channel", "anna", "appointments").exit_code == 0
    status = loaded(users("user", "status", "anna", "--json"))
    kinds = {one["kind"]: one for one in status["kinds"]}
    assert ["the user switched this kind off in the settings"] == kinds["tasks"]["why not"]
    assert "memotoo" in kinds["appointments"]["why not"][0]
    assert (True, 1) == (kinds["contacts"]["on"], kinds["contacts"]["devices"])
    assert (5, "iPhone", "192.0.2.7") == (status["wrong passwords"], status["locked by"], status["address"])
    assert "locked by: iPhone" in users("user", "status", "anna").stdout
    assert users("user", "channel", "anna", "appointments", "--unused").exit_code == 0


def test_the_clients_of_a_login_are_listed_with_those_that_have_an_old_password(users, office):
    """After a change each of them has to be corrected by hand (rule 90)."""
    assert come(office)
    assert users("user", "passwd", "anna", "--password-stdin", stdin="other\n").exit_code == 0
    (row,) = loaded(users("user", "visits", "anna", "--json"))
    assert ("eas", "APPL1", "iPhone", True, 0) == (row["face"], row["client"], row["label"], row["old password"], row["failures"])


def test_a_restart_names_the_kinds(users):
    """All that are on, or those that are named."""
    assert "contacts, appointments, tasks" in users("user", "restart", "anna").stdout
    assert "start again with tasks." in users("user", "restart", "anna", "tasks").stdout
    assert users("user", "switch", "anna", "tasks", "--off").exit_code == 0
    refused = users("user", "restart", "anna", "tasks")
    assert (2, True) == (refused.exit_code, "switched off" in refused.stderr)


def test_page_sessions_are_listed_and_ended(users, office):
    """With browser and address."""
    with office.store.reading() as tx:
        user = tx.user(ANNA)
    office.accounts.open_page_session(user, Caller(address="192.0.2.7", face="page", device="Mozilla/5.0 (X11; Linux) Firefox/115.0"))
    (row,) = loaded(users("user", "sessions", "anna", "--json"))
    assert ("Firefox, Linux", "192.0.2.7") == (row["browser"], row["address"])
    assert "1 sessions of anna are ended." in users("user", "sessions", "anna", "--end").stdout
    assert [] == loaded(users("user", "sessions", "anna", "--json"))


def test_users_are_found_by_what_is_wrong_and_changed_at_once(users, office):
    """Locked ones are unlocked, a gate is closed, rights are set: for all of them or none."""
    assert users("user", "add", "bert", "--no-password").exit_code == 0
    for _ in range(5):
        come(office, "wrong")
    assert ["anna"] == [row["login"] for row in loaded(users("user", "list", "--show", "locked", "--json"))]
    assert ["bert"] == [row["login"] for row in loaded(users("user", "list", "--find", "BER", "--json"))]
    assert "1 users were locked." in users("bulk", "unlock", "anna", "bert").stdout
    assert "2 users changed." in users("bulk", "gate", "switch", "anna", "bert", "--kind", "tasks", "--close").stdout
    assert "2 users changed." in users("bulk", "rights", "contacts.read", "-", stdin="anna\nbert\n\n").stdout
    assert ["switch", "switch"] == [row["tasks"] for row in loaded(users("user", "list", "--json"))]
    refused = users("bulk", "gate", "sync_right", "anna", "nobody", "--close")
    assert (2, True) == (refused.exit_code, "no user 'nobody'" in refused.stderr)
    assert "open" == loaded(users("user", "list", "--json"))[0]["contacts"]


def test_contacts_are_searched_and_put_on_the_devices(users, contact):
    """And taken off again; status 1 names what could not be."""
    found = loaded(users("contact", "list", "muell", "-u", "anna", "--json"))
    assert (1, [{"id": contact, "name": "Eva Müller", "company": "", "synced": False}]) == (found["total"], found["contacts"])
    assert "1 contacts are now synchronised to anna." in users("contact", "sync", contact, "-u", "anna").stdout
    assert [] == loaded(users("contact", "list", "-u", "anna", "--only", "unsynced", "--json"))["contacts"]
    mixed = users("contact", "unsync", contact, "nope", "-u", "anna")
    assert (1, True, True) == (mixed.exit_code, "1 contacts are no longer" in mixed.stdout, "nope: There is no record" in mixed.stderr)


def test_a_number_is_assigned_and_what_the_phone_shows_is_told(users, contact):
    """By default first, then in its slot."""
    assert [{"field": "home", "value": "0241 1", "by default": True}] == loaded(
        users("contact", "preview", contact, "-u", "anna", "--json")
    )
    told = loaded(users("contact", "assign", contact, "1", "car", "-u", "anna", "--json"))
    assert [{"field": "car", "value": "0241 1", "by default": False}] == told
    (row,) = loaded(users("contact", "slots", contact, "-u", "anna", "--json"))
    assert (1, "phone", "car", True) == (row["entry"], row["kind"], row["slot"], row["default"])
    assert users("contact", "assign", contact, "1", "none", "-u", "anna").exit_code == 0
    wrong = users("contact", "assign", contact, "1", "pocket", "-u", "anna")
    assert (2, True) == (wrong.exit_code, "There is no slot 'pocket'" in wrong.stderr)


def test_a_users_rights_hold_on_the_command_line_for_the_users_contacts(users, contact):
    """The command acts as the user does on the page."""
    assert users("user", "set", "anna", "--rights", "contacts.read").exit_code == 0
    refused = users("contact", "sync", contact, "-u", "anna")
    assert (2, True) == (refused.exit_code, "You may not modify contacts" in refused.stderr)


def test_the_audit_log_is_filtered_and_exported(users):
    """A table, JSON, or CSV; the newest first."""
    assert users("user", "switch", "anna", "tasks", "--off").exit_code == 0
    assert users("maintenance", "on", "--message", "new disks").exit_code == 0
    assert users("maintenance", "off").exit_code == 0
    events = [row["event"] for row in loaded(users("audit", "list", "--json"))]
    assert ["maintenance off", "maintenance on", "gate closed: switch tasks", "created", "tenant created"] == events
    assert ["gate closed: switch tasks"] == [row["event"] for row in loaded(users("audit", "list", "--event", "gate", "--json"))]
    assert 2 == len(loaded(users("audit", "list", "-u", "anna", "--json")))
    assert ["maintenance off"] == [row["event"] for row in loaded(users("audit", "list", "--text", "MAINT", "--limit", "1", "--json"))]
    rows = list(csv.DictReader(io.StringIO(users("audit", "list", "--csv", "--limit", "0").stdout)))
    assert ("new disks", 5) == (rows[1]["detail"], len(rows))


def test_a_spreadsheet_is_handed_no_formula():
    """What others wrote stays text in it; commas and quotes are quoted."""
    lines = list(spreadsheet.lines(("a", "b"), [("=1+1", 'x,"y"'), ("", 3)]))
    assert ["a,b\r\n", '\'=1+1,"x,""y"""\r\n', ",3\r\n"] == lines
