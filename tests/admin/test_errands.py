"""What an administrator sees and does about onOffice: the account, `check`, errands; over real HTTP to a served emulator."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from radicale_onoffice import cli, manual, wiring
from radicale_onoffice.configuration import load_configuration
from radicale_onoffice.core.model import Actor, Face, Identity, Kind, Task
from radicale_onoffice.core.ports import Errand, ErrandState
from tests.emulator import SECRET, TOKEN, Emulator

ANNA = Identity("default", "anna")


@pytest.fixture
def emulator():
    made = Emulator()
    made.control.add_user("anna", "Anna", "Alt")
    yield made
    made.close()


@pytest.fixture
def run(tmp_path, monkeypatch, emulator):
    """Run a command on a configuration whose CRM is the emulator."""
    config = tmp_path / "radicale.config"
    text = manual.sample().replace("/var/lib/radicale-onoffice/office.db", f"{tmp_path}/office.db")
    config.write_text(text.replace("onoffice_crm = embedded", "onoffice_crm = onoffice"))
    monkeypatch.setenv("RADICALE_CONFIG", str(config))
    monkeypatch.setenv("OFFICE_TOKEN", TOKEN)
    (tmp_path / "secret").write_text(SECRET + "\n")

    def command(*words: str, stdin: str | None = None):
        return CliRunner().invoke(cli.app, list(words), input=stdin)

    with emulator.serve() as url:
        assert 0 == command("tenant", "add", "default").exit_code
        assert 0 == command("user", "add", "anna", "--password-stdin", stdin="secret\n").exit_code
        places = ("--token-env", "OFFICE_TOKEN", "--secret-file", f"{tmp_path}/secret", "--url", f"{url}/api/stable/api.php")
        told = command("tenant", "connect", "default", *places)
        assert (0, False, False) == (told.exit_code, TOKEN in told.output, SECRET in told.output)
        yield command


@pytest.fixture
def errands(run, tmp_path):
    """Three errands: one waits, one was refused, one cannot be made."""
    office = wiring.office(load_configuration(str(tmp_path / "radicale.config")))
    actor = Actor(identity=ANNA, face=Face.DAV)
    with office.store.writing() as tx:
        for subject, responsible, state in (
            ("Rückruf", "anna", ErrandState.WAITING),
            ("Brief", "anna", ErrandState.REFUSED),
            ("Akte", "nobody", ErrandState.WAITING),
        ):
            value = Task(subject=subject, responsible=responsible)
            tx.add_errand(Errand(actor=actor, kind=Kind.TASKS, record_id=subject, before=None, after=value, state=state, at=office.clock()))
    wiring.forget(f"sqlite:///{tmp_path}/office.db")
    return run


def checked(run):
    return {row["seen"] for row in json.loads(run("check", "--json").stdout) if row["check"] == "errands"}


def listed(run):
    return json.loads(run("errand", "list", "--json").stdout)


def test_an_import_goes_to_onoffice(run, tmp_path, emulator):
    """The command line writes through, too."""
    path = tmp_path / "a.vcf"
    path.write_text("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c2\r\nFN:Bernd Koch\r\nN:Koch;Bernd;;;\r\nEMAIL:b@example.org\r\nEND:VCARD\r\n")
    result = run("import", str(path), "--user", "anna")
    assert (0, ["Koch"]) == (result.exit_code, [row["Name"] for row in emulator.control.rows("address")]), result.output


def test_errands_are_listed_and_check_speaks_of_them(errands):
    """In order, with the state."""
    assert [("create", "waiting"), ("create", "refused"), ("create", "waiting")] == [(row["what"], row["state"]) for row in listed(errands)]
    assert {"default: 2 changes wait to be sent", "default: onOffice refused 1 changes that devices think done"} == checked(errands)


def test_errands_are_sent_retried_and_dropped(errands, emulator):
    """What is refused stays, with the reason."""
    sent = errands("errand", "send")
    assert (1, "1 done, 1 refused, 0 left.\n") == (sent.exit_code, sent.output)
    brief, akte = listed(errands)
    assert "nobody" in akte["reason"]
    assert 0 == errands("errand", "retry", str(brief["number"])).exit_code
    assert 1 == errands("errand", "drop", str(akte["number"]), stdin="n\n").exit_code
    assert 0 == errands("errand", "drop", str(akte["number"]), "--yes").exit_code
    assert "1 done, 0 refused, 0 left.\n" == errands("errand", "send").output
    assert (["Brief", "Rückruf"], []) == (sorted(row["Betreff"] for row in emulator.control.rows("task")), listed(errands))


def test_commands_about_errands_need_onoffice(errands, tmp_path):
    """And a number that there is."""
    assert "errand list" in errands("errand", "drop", "99", "--yes").output
    path = tmp_path / "radicale.config"
    path.write_text(path.read_text().replace("onoffice_crm = onoffice", "onoffice_crm = embedded"))
    assert (2, True) == ((found := errands("errand", "send")).exit_code, "onoffice_crm" in found.output)
