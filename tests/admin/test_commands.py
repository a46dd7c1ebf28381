"""The ``radicale-onoffice`` command, as an administrator types it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from radicale_onoffice import cli, demo, manual, wiring
from radicale_onoffice.admin import console
from radicale_onoffice.configuration import load_configuration
from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.errors import SignInRefused
from radicale_onoffice.core.model import Failure, Identity, Kind

CARDS = (
    "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;Eva;;;\r\nTEL;HOME:0241 1\r\nEND:VCARD\r\n"
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c2\r\nFN:Bernd Koch\r\nN:Koch;Bernd;;;\r\nEMAIL:b@example.org\r\nEND:VCARD\r\n"
    "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:c3\r\nnonsense\r\nEND:VCARD\r\n"
    "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:c4\r\nFN:Clara Weber\r\nTEL;TYPE=cell;VALUE=uri:tel:+491712345678\r\nEND:VCARD\r\n"
)
CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n"
    "BEGIN:VEVENT\r\nUID:e1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20261201T100000Z\r\nDTEND:20261201T110000Z\r\nSUMMARY:One\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n"
    "BEGIN:VEVENT\r\nUID:e1\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20261202T100000Z\r\nDTSTART:20261202T120000Z\r\nDTEND:20261202T130000Z\r\nSUMMARY:Moved\r\nEND:VEVENT\r\n"
    "BEGIN:VTODO\r\nUID:t1\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Call\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
)
ADDRESSES = "Datensatznr;Anrede;Vorname;Name;Zusatz1;Telefon1;Mobil;Email;Geburtsdatum\n7;Frau;Eva;Groß;;0241 5;0171 2345678;eva@example.org;15.03.1980\n8;Herr;Max\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command on a configuration of its own; returns status, output and errors."""
    config = tmp_path / "radicale.config"
    config.write_text(manual.sample().replace("/var/lib/radicale-onoffice/office.db", f"{tmp_path}/office.db"))
    monkeypatch.setenv("RADICALE_CONFIG", str(config))

    def command(*words: str, stdin: str | None = None):
        return CliRunner().invoke(cli.app, list(words), input=stdin)

    return command


@pytest.fixture
def users(run):
    assert run("tenant", "add", "default").exit_code == 0
    assert run("user", "add", "anna", "--password-stdin", stdin="secret\n").exit_code == 0
    return run


def loaded(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_user_is_added_listed_gated_and_removed(users):
    """The life of a user; the gate that is closed is named in the list."""
    assert users("user", "gate", "anna", "switch", "tasks", "--close").exit_code == 0
    (row,) = loaded(users("user", "list", "--json"))
    assert ("anna", "open", "switch", False) == (row["login"], row["contacts"], row["tasks"], row["locked"])
    assert users("user", "passwd", "anna", "--password-stdin", stdin="other\n").exit_code == 0
    assert users("user", "set", "anna", "--groups", "b,a", "--rights", "contacts.read").exit_code == 0
    assert ["a", "b"] == loaded(users("user", "list", "--json"))[0]["groups"]
    assert users("user", "rm", "anna", "--yes").exit_code == 0
    assert [] == loaded(users("user", "list", "--json"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("user", "add", "anna", "--no-password"), "exists already"),
        (("user", "unlock", "nobody"), "There is no user 'nobody'"),
        (("user", "add", "carl@nowhere/x", "--no-password"), "tenant"),
        (("user", "set", "anna", "--rights", "contacts.fly"), "unknown right 'contacts.fly'"),
        (("user", "gate", "anna", "switch"), "name contacts, appointments or tasks"),
        (("tenant", "set", "default", "--timezone", "Mars/Base"), "no time zone"),
        (("record", "show", "nope"), "There is no record 'nope'"),
        (("import", "/nowhere.vcf", "--user", "anna"), "/nowhere.vcf"),
        (("import", "README.md", "--user", "anna"), "only .vcf, .ics and .csv"),
        (("serve", "--key", "k.pem"), "both --certificate and --key"),
        (("check", "--config", "/nowhere"), "/nowhere"),
    ],
)
def test_a_mistake_is_told_in_a_line(users, words, told):
    """No traceback; the status tells programs, the line tells people."""
    result = users(*words)
    assert result.exit_code in (1, 2)
    assert told in result.output
    assert "Traceback" not in result.output


def test_maintenance_goes_on_and_off(users):
    """And tells since when."""
    assert users("maintenance", "on", "--message", "Update").exit_code == 0
    assert (True, "Update") == tuple(loaded(users("maintenance", "status", "--json"))[key] for key in ("on", "message"))
    users("maintenance", "off")
    assert not loaded(users("maintenance", "status", "--json"))["on"]


def test_an_import_takes_what_is_good_and_tells_of_the_rest(users, tmp_path):
    """vCard 2.1, 3 and 4, events with a changed occurrence, to-dos, and an address list; the second time changes nothing."""
    for name, text in (("a.vcf", CARDS), ("b.ics", CALENDAR), ("c.csv", ADDRESSES)):
        (tmp_path / name).write_text(text, newline="")
    files = [str(tmp_path / name) for name in ("a.vcf", "b.ics", "c.csv")]
    first = users("import", *files, "--user", "anna", "--json")
    told = json.loads(first.stdout)
    assert (1, 6, 0) == (first.exit_code, told["created"], told["unchanged"])
    assert [(files[0], 13), (files[2], 3)] == [(bad["path"], bad["line"]) for bad in told["bad"]]
    assert "Line 4" in told["bad"][0]["reason"]
    again = json.loads(users("import", *files, "--user", "anna", "--json").stdout)
    assert (0, 0, 6) == (again["created"], again["changed"], again["unchanged"])
    titles = {row["title"] for row in loaded(users("record", "list", "--json"))}
    assert {"Eva Müller", "Bernd Koch", "Clara Weber", "Eva Groß"} == titles


def test_what_was_imported_comes_out_again(users, tmp_path):
    """An export imports into nothing new."""
    (tmp_path / "b.ics").write_text(CALENDAR, newline="")
    (tmp_path / "a.vcf").write_text(CARDS, newline="")
    users("import", str(tmp_path / "a.vcf"), str(tmp_path / "b.ics"), "--user", "anna")
    assert users("export", str(tmp_path / "out"), "--user", "anna").exit_code == 0
    calendar = (tmp_path / "out" / "calendar.ics").read_text()
    assert (2, 1, 3) == (
        calendar.count("BEGIN:VEVENT"),
        (tmp_path / "out" / "tasks.ics").read_text().count("BEGIN:VTODO"),
        (tmp_path / "out" / "contacts.vcf").read_text().count("BEGIN:VCARD"),
    )
    names = [str(tmp_path / "out" / name) for name in ("contacts.vcf", "calendar.ics", "tasks.ics")]
    again = json.loads(users("import", *names, "--user", "anna", "--json").stdout)
    assert (0, 0, []) == (again["created"], again["changed"], again["bad"])


def test_a_record_is_shown_changed_and_undone(users, tmp_path):
    """A changed assignment stands in its history; undo also brings back what was deleted."""
    (tmp_path / "a.vcf").write_text(CARDS, newline="")
    users("import", str(tmp_path / "a.vcf"), "--user", "anna")
    (row,) = loaded(users("record", "list", "--find", "koch", "--json"))
    value = json.loads(loaded(users("record", "show", row["id"], "--json"))["value"])
    entry = str(value["entries"][0]["id"])
    assert users("contact", "assign", row["id"], entry, "email3", "-u", "anna").exit_code == 0
    assert "of the kind email" in users("contact", "assign", row["id"], entry, "home", "-u", "anna").output
    assert [1, 2] == [line["version"] for line in loaded(users("record", "history", row["id"], "--json"))]
    assert users("record", "undo", row["id"]).exit_code == 0
    assert json.loads(loaded(users("record", "show", row["id"], "--json"))["value"]) == value


def test_check_is_well_with_a_well_kept_server(users):
    """Status 0 and nothing to do."""
    rows = loaded(users("check", "--deep", "--json"))
    assert [] == [row for row in rows if row["state"] != "ok"]


def test_check_looks_after_the_certificate_of_profiles(users, tmp_path):
    """A path that leads nowhere is a problem, with the option to mend."""
    config = tmp_path / "radicale.config"
    config.write_text(config.read_text().replace("onoffice_profile_certificate =", "onoffice_profile_certificate = /nowhere/cert.pem"))
    result = users("check", "--json")
    (row,) = [row for row in json.loads(result.stdout) if row["check"] == "profiles"]
    assert ("problem", 1) == (row["state"], result.exit_code)
    assert row["seen"].startswith("/nowhere/cert.pem cannot be read")
    assert "onoffice_profile_certificate" in row["do"]


def test_check_names_what_to_do(run, tmp_path):
    """A database open to others, a default tenant that does not exist."""
    run("tenant", "list")
    Path(tmp_path / "office.db").chmod(0o644)
    result = run("check", "--json")
    advice = {row["check"]: row["do"] for row in json.loads(result.stdout) if row["state"] == "problem"}
    assert (1, "radicale-onoffice tenant add default") == (result.exit_code, advice["tenants"])
    assert advice["permissions"].startswith("chmod 600")


def test_the_database_is_its_owners_alone(users, tmp_path):
    """Mode 0600 for the file and for SQLite's companions."""
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("office.db*")}


def test_a_misspelled_option_is_an_error(run, tmp_path):
    """And the message names it."""
    path = tmp_path / "radicale.config"
    path.write_text(path.read_text().replace("onoffice_max_tasks", "onoffice_max_task"))
    result = run("user", "list")
    assert (2, True) == (result.exit_code, "onoffice_max_task" in result.output)


def test_the_demo_listens_to_strangers_only_with_a_password(run, tmp_path):
    """Everybody knows the demo's own."""
    result = run("demo", "--host", "0.0.0.0", "--directory", str(tmp_path / "demo"))
    assert (2, True) == (result.exit_code, "--password" in result.output)


def test_the_demo_has_what_it_promises():
    """300 of 500 contacts for agent1, series, whole days, several days, private and cancelled appointments."""
    today = demo.date(2026, 3, 15)
    contacts = [demo.contact(number) for number in range(demo.CONTACTS)]
    appointments = [demo.appointment(number, today) for number in range(demo.APPOINTMENTS)]
    assert (300, 800, 60) == (sum("agent1" in one.sync_users for one in contacts), len(appointments), demo.TASKS)
    for wanted in ("recurrence", "all_day", "private"):
        assert any(getattr(one, wanted) for one in appointments), wanted
    assert {"cancelled", "completed", "active", "participants available"} == {one.status for one in appointments}
    assert any(not one.all_day and one.start.date() != one.end.date() for one in appointments)


def test_the_demo_says_who_may_come_in_and_where(capsys):
    """Each login with its address on a terminal of 80 columns, who of them administers, and where the pages are."""
    demo.announce(Console(width=80, force_terminal=False), "127.0.0.1", 5232, None)
    said = capsys.readouterr().out
    rows = {line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:5]] for line in said.splitlines() if "│" in line}
    assert rows == {
        "agent1": ["demo", "agent", "http://127.0.0.1:5232/agent1/"],
        "agent2": ["demo", "agent", "http://127.0.0.1:5232/agent2/"],
        "admin": ["demo", "administrator", "http://127.0.0.1:5232/admin/"],
    }
    assert "http://127.0.0.1:5232/.web/" in said


def test_every_option_stands_in_readme_and_sample():
    """Both are made from ``options.py``: run `radicale-onoffice options --format markdown` or `config` after a change."""
    root = Path(__file__).parents[2]
    assert manual.markdown() in (root / "README.md").read_text()
    assert manual.sample() == (root / "config" / "radicale.config").read_text()


def test_every_list_speaks_json(users):
    """For programs."""
    for words in (("user", "list"), ("tenant", "list"), ("record", "list"), ("options",), ("record", "list", "--kind", Kind.TASKS)):
        assert isinstance(loaded(users(*words, "--json")), list)


def test_the_command_unlocks_what_wrong_passwords_locked(users, tmp_path):
    """And says so; a second time it says that the cause is another."""
    configuration = load_configuration(str(tmp_path / "radicale.config"))
    office = wiring.office(configuration)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            office.accounts.sign_in("anna", "wrong", Caller())
    wiring.forget(configuration.get("storage", "onoffice_database"))
    assert loaded(users("user", "list", "--json"))[0]["locked"]
    assert "is unlocked" in users("user", "unlock", "anna").output
    assert "was not locked" in users("user", "unlock", "anna").output


@pytest.fixture
def phone(users, tmp_path):
    """A command line over an office where anna has a phone with a failing item."""
    url = f"sqlite:///{tmp_path}/office.db"
    office = wiring.office(load_configuration(str(tmp_path / "radicale.config")))
    anna = Identity("default", "anna")
    office.devices.seen(anna, "androidc1", "Android", "Gmail/1", "14.1")
    office.devices.update(anna, "androidc1", information=(("Model", "Pixel 9"), ("OS", "Android 16")), heartbeat=470)
    with office.store.writing() as tx:
        at = office.clock()
        tx.save_failure(Failure(identity=anna, device_id="androidc1", collection="contacts", item="r1", reason="too big", at=at, count=3))
        tx.save_sync_state(anna, "androidc1", "contacts", "{}", b"")
    wiring.forget(url)
    return users


def test_phones_are_listed_with_their_state_and_failures(phone):
    """One row per phone; another user's or tenant's list is empty."""
    (row,) = loaded(phone("device", "list", "--json"))
    expected = {"user": "anna", "id": "androidc1", "type": "Android", "model": "Pixel 9", "version": "14.1", "last sync": ""}
    assert {**expected, "state": "allowed", "failures": 1} == row
    assert "Pixel 9" in phone("device", "list", "--user", "anna").output
    assert [] == loaded(phone("device", "list", "--tenant", "other", "--json"))


def test_what_others_wrote_is_shown_as_it_stands(capsys):
    """A name can hold neither Rich's markup nor a terminal's control sequence."""
    console.show([{"name": "[red]evil[/red]", "note": "\x1b[2Jgone\nnext"}], as_json=False, title="[bold]t", empty="")
    shown = capsys.readouterr().out
    assert "[red]evil[/red]" in shown
    assert "\x1b[2J" not in shown
    assert "[bold]t" in shown


def test_a_phone_is_shown_with_the_reasons_of_what_fails(phone):
    """As a table, and as JSON."""
    detail = loaded(phone("device", "show", "anna", "androidc1", "--json"))
    assert ("Android 16", "470 s", False) == tuple(detail[name] for name in ("OS", "waits at most", "policy accepted"))
    assert [("contacts", "r1", "too big", 3)] == [
        tuple(one[n] for n in ("collection", "item", "reason", "times")) for one in detail["failing"]
    ]
    table = phone("device", "show", "anna", "androidc1").output
    assert all(word in table for word in ("Pixel 9", "Gmail/1", "too big"))


def test_a_phone_is_blocked_wiped_resynced_and_removed(phone):
    """Each tells what happens; the state is in the list."""

    def state() -> list[str]:
        return [row["state"] for row in loaded(phone("device", "list", "--json"))]

    steps = [
        (("block",), "is blocked", ["blocked"]),
        (("unblock",), "may come again", ["allowed"]),
        (("wipe", "--yes"), "knows no wipe of an account", ["wipe requested"]),
        (("unblock",), "may come again", ["allowed"]),
        (("resync", "--collection", "contacts"), "starts again with contacts", ["allowed"]),
        (("resync",), "starts again with everything", ["allowed"]),
        (("remove", "--yes"), "Removed", []),
    ]
    for words, told, expected in steps:
        result = phone("device", words[0], "anna", "androidc1", *words[1:])
        assert (0, True, expected) == (result.exit_code, told in result.output, state()), (words, result.output)


def test_a_whole_phone_is_erased_only_with_option_flag_and_consent(phone, tmp_path):
    """Each of the three missing leaves the phone alone."""
    words = ("device", "wipe", "anna", "androidc1", "--erase-whole-phone")
    refused = phone(*words, "--yes")
    assert (2, True) == (refused.exit_code, "activesync_full_wipe" in refused.output)
    path = tmp_path / "radicale.config"
    path.write_text(path.read_text().replace("activesync_full_wipe = False", "activesync_full_wipe = True"))
    asked = phone(*words, stdin="yes\n")
    assert (2, True) == (asked.exit_code, "ERASES THE WHOLE PHONE androidc1 (Pixel 9) of anna. Type 'Pixel 9'" in asked.output)
    assert "allowed" == loaded(phone("device", "list", "--json"))[0]["state"]
    assert 0 == phone(*words, stdin="Pixel 9\n").exit_code
    assert "wipe requested" == loaded(phone("device", "list", "--json"))[0]["state"]


def test_a_phone_that_is_not_there_is_told_in_a_line(phone):
    """And where to look."""
    for words in (("show",), ("block",), ("remove", "--yes"), ("wipe", "--yes"), ("resync",)):
        result = phone("device", words[0], "anna", "nope", *words[1:])
        assert (2, True, False) == (result.exit_code, "`device list`" in result.output, "Traceback" in result.output)
