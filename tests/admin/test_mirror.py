"""The commands about onOffice, against an emulated one that really listens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from radicale_onoffice import cli, manual, mirrors
from radicale_onoffice.core.model import Actor, Contact, Face, Identity, Kind, User, UserState
from radicale_onoffice.core.ports import Errand, ErrandState
from radicale_onoffice.crm.onoffice import tenants
from radicale_onoffice.crm.onoffice.leases import LEASE
from radicale_onoffice.stores.sql import open_store
from radicale_onoffice.wiring import utc_now
from tests.emulator import SECRET, TOKEN, Emulator


@pytest.fixture
def emulator():
    made = Emulator()
    yield made
    made.close()


@pytest.fixture
def url(emulator):
    with emulator.serve() as base:
        yield f"{base}/api/stable/api.php"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command on a configuration of its own, whose CRM is onOffice and whose default tenant exists."""
    config = tmp_path / "radicale.config"
    text = manual.sample().replace("/var/lib/radicale-onoffice/office.db", f"{tmp_path}/office.db")
    config.write_text(text.replace("onoffice_crm = embedded", "onoffice_crm = onoffice"))
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "secret").write_text(SECRET + "\n")
    monkeypatch.setenv("RADICALE_CONFIG", str(config))

    def command(*words: str, status: int = 0) -> str:
        result = CliRunner().invoke(cli.app, list(words))
        assert status == result.exit_code, result.output
        return result.output

    command("tenant", "add", "default")
    return command


@pytest.fixture
def store(run, tmp_path):
    opened = open_store(f"sqlite:///{tmp_path}/office.db")
    yield opened
    opened.close()


@pytest.fixture
def connected(run, url, tmp_path):
    run("tenant", "connect", "default", "--url", url, "--token-file", str(tmp_path / "token"), "--secret-file", str(tmp_path / "secret"))
    return run


def add_addresses(emulator: Emulator, *names: str) -> list[int]:
    anna = emulator.control.add_user("anna", "Anna", "Alt")
    return [emulator.control.add("address", {"Name": name}, sync=[anna]) for name in names]


def status_of(run) -> dict[str, object]:
    (row,) = json.loads(run("mirror", "status", "--json"))
    return row


def test_a_connected_tenant_is_filled_and_told_of(connected, emulator):
    """Connect, fill, status: what is in onOffice is here, and a second fill has nothing to do."""
    add_addresses(emulator, "Eins", "Zwei")
    assert status_of(connected)["contacts lag"] is None
    assert "2 contacts, 0 appointments, 0 tasks" in connected("mirror", "fill")
    assert ["Eins", "Zwei"] == sorted(row["title"] for row in json.loads(connected("record", "list", "--json")))
    row = status_of(connected)
    assert 0 <= row["contacts lag"] < 60
    assert (0, None, 0, "", "") == (row["waiting"], row["oldest waiting"], row["refused"], row["contacts alarm"], row["error"])
    assert ("onoffice", False, False) == (row["crm"], row["contacts stale"], row["tasks stale"])
    assert ("", "", "") == (row["alarm"], row["tasks alarm"], row["contacts doubt"])
    assert "onOffice shows no tasks at all" in row["tasks doubt"]
    assert row["tasks doubt"] in row["doubt"]
    assert "filled already" in connected("mirror", "fill")


def test_only_the_location_of_the_secret_is_kept(connected, tmp_path):
    """Neither the database nor what commands print holds token or secret."""
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("office.db*"))
    assert str(tmp_path / "secret").encode() in kept
    assert SECRET.encode() not in kept
    assert TOKEN.encode() not in kept


def test_what_is_not_named_again_stays(connected, store, tmp_path):
    """A second connect changes what it names."""
    connected("tenant", "connect", "default", "--secret-env", "SECRET", "--task-type", "167")
    with store.reading() as tx:
        access = tenants.access(tx, "default")
    assert (f"file:{tmp_path}/token", "env:SECRET", "167") == (access.token_at, access.secret_at, access.task_type)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("tenant", "connect", "nobody", "--token-env", "T", "--secret-env", "S"), "There is no tenant 'nobody'"),
        (("tenant", "connect", "default", "--secret-env", "S"), "Say where the token lies"),
        (("tenant", "connect", "default", "--token-env", "T", "--token-file", "f", "--secret-env", "S"), "not both"),
        (("tenant", "connect", "default", "--url", "http://example.org", "--token-env", "T", "--secret-env", "S"), "https://"),
        (("tenant", "disconnect", "default", "--yes"), "has no onOffice account"),
        (("mirror", "fill"), "No tenant has an onOffice account"),
        (("mirror", "accept", "default"), "`tenant connect`"),
    ],
)
def test_a_mistake_is_told_in_a_line(run, words, told):
    """With status 2."""
    assert told in run(*words, status=2)


def test_nothing_is_connected_to_an_embedded_crm(run, tmp_path):
    """It would have no effect."""
    config = Path(tmp_path / "radicale.config")
    config.write_text(config.read_text().replace("onoffice_crm = onoffice", "onoffice_crm = embedded"))
    assert "set onoffice_crm = onoffice" in run("tenant", "connect", "default", "--token-env", "T", "--secret-env", "S", status=2)


def test_onoffices_refusal_is_told(connected, tmp_path):
    """A wrong secret fills nothing."""
    (tmp_path / "secret").write_text("wrong")
    assert "does not let us in" in connected("mirror", "fill", status=2)


def test_who_pulls_is_not_disturbed(connected, store):
    """A fill beside a running server says so; an accept is left to the server."""
    with store.writing() as tx:
        assert tx.lease("pull:default", "server", utc_now(), utc_now() + LEASE)
    assert "Another process is pulling default" in connected("mirror", "fill", status=2)
    assert "with its next turn" in connected("mirror", "accept", "default")
    with store.reading() as tx:
        assert mirrors.is_asked_to_accept(tx, "default")


def test_an_emptiness_is_accepted(connected, emulator, store):
    """What is gone from onOffice is gone here as soon as an administrator says that it is true."""
    numbers = add_addresses(emulator, *(f"N{number}" for number in range(12)))
    connected("mirror", "fill")
    for number in numbers[:10]:
        emulator.control.delete("address", number)
    connected("mirror", "accept", "default")
    assert ["N10", "N11"] == sorted(row["title"] for row in json.loads(connected("record", "list", "--json")))
    with store.reading() as tx:
        assert not mirrors.is_asked_to_accept(tx, "default")


def test_a_disconnected_tenant_keeps_its_records(connected, emulator):
    """And is filled anew when it is connected again."""
    add_addresses(emulator, "Eins")
    connected("mirror", "fill")
    connected("tenant", "disconnect", "default", "--yes")
    assert ["Eins"] == [row["title"] for row in json.loads(connected("record", "list", "--json"))]
    assert "No tenant has an onOffice account" in connected("mirror", "status", status=2)


def test_whom_onoffice_suspended_is_free_again_without_it(connected, store):
    """Nobody else could say otherwise; who was deactivated here stays so, and the audit log tells."""
    with store.writing() as tx:
        for login, state in (("anna", UserState.SUSPENDED), ("bert", UserState.DEACTIVATED)):
            tx.save_user(User(identity=Identity("default", login), state=state))
    connected("tenant", "disconnect", "default", "--yes")
    with store.reading() as tx:
        states = {one.identity.user: one.state for one in tx.users("default")}
        told = [(one.login, one.event, one.detail) for one in tx.audit("default", 9) if one.event.startswith("gate")]
    assert {"anna": UserState.ACTIVE, "bert": UserState.DEACTIVATED} == states
    assert [("anna", "gate opened: user_state", "the tenant is not connected to onOffice any more")] == told


def test_who_sends_by_hand_lets_the_server_send_afterwards(connected, store):
    """A command's lease ends with it."""
    actor = Actor(identity=Identity("default", "anna"), face=Face.DAV)
    with store.writing() as tx:
        value = Contact(last_name="Eins")
        tx.add_errand(
            Errand(actor=actor, kind=Kind.CONTACTS, record_id="r", before=None, after=value, state=ErrandState.WAITING, at=utc_now())
        )
    assert "1 done" in connected("errand", "send")
    with store.writing() as tx:
        assert tx.lease("errands default", "server", utc_now(), utc_now() + LEASE)


def test_what_waits_is_counted(connected, store):
    """Errands that wait, and those that were refused."""
    actor = Actor(identity=Identity("default", "anna"), face=Face.DAV)
    with store.writing() as tx:
        for state in ErrandState:
            value = Contact(last_name="Eins")
            tx.add_errand(Errand(actor=actor, kind=Kind.CONTACTS, record_id="r", before=None, after=value, state=state, at=utc_now()))
    assert (2, 1) == (status_of(connected)["waiting"], status_of(connected)["refused"])


# -------------------------------------------------------------------- check


def findings(run, status: int = 0) -> dict[str, list[tuple[str, str]]]:
    """What ``check`` tells of onOffice, by what was checked."""
    told: dict[str, list[tuple[str, str]]] = {}
    for row in json.loads(run("check", "--json", status=status)):
        told.setdefault(row["check"], []).append((row["state"], row["seen"]))
    return told


def test_check_is_well_with_a_filled_mirror(connected, emulator):
    """Credentials, connection, rights and age."""
    add_addresses(emulator, "Eins")
    assert ("note", "default: not filled yet: contacts, appointments, tasks") in findings(connected)["mirror"]
    connected("mirror", "fill")
    ((state, seen),) = (one for one in findings(connected)["mirror"] if one[0] != "ok")
    assert ("note", True) == (state, "onOffice shows no tasks at all" in seen)
    connected("mirror", "accept", "default")
    told = findings(connected)
    assert [("ok", "default: token and secret can be read")] == told["credentials"]
    assert {"ok"} == {state for check in ("onOffice", "rights", "mirror") for state, _ in told[check]}


def test_check_tells_of_a_secret_that_cannot_be_read(connected, tmp_path):
    """And where it was looked for."""
    (tmp_path / "secret").unlink()
    ((state, seen),) = findings(connected, status=1)["credentials"]
    assert "problem" == state
    assert str(tmp_path / "secret") in seen


def test_check_tells_of_a_wrong_secret(connected, tmp_path):
    """In onOffice's words."""
    (tmp_path / "secret").write_text("wrong")
    ((state, seen),) = findings(connected, status=1)["onOffice"]
    assert "problem" == state
    assert "does not let us in" in seen


def test_check_tells_of_missing_rights(connected, emulator):
    """A kind that shows nothing any more is a problem; the log and users' data can be done without."""
    add_addresses(emulator, "Eins", "Zwei")
    connected("mirror", "fill")
    api = emulator.account.user("api")
    for module in ("address", "log", "user"):
        emulator.control.set_right(api, module, "read", allowed=False)
    rights = findings(connected, status=1)["rights"]
    assert ["note", "note", "problem"] == [state for state, _ in rights]
    assert rights[2][1] == "default: onOffice shows none of its contacts"


def test_check_tells_of_alarm_trouble_age_and_errands(connected, store):
    """What the server noted while it pulled."""
    connected("mirror", "fill")
    actor = Actor(identity=Identity("default", "anna"), face=Face.DAV)
    with store.writing() as tx:
        memory = json.loads(tx.mirror_state("default", "pull"))
        pulled = dict.fromkeys(Kind, "2026-01-01T00:00:00+00:00")
        memory.update(pulled=pulled, alarms={"sweep contacts": "3 of 3 contacts have vanished"})
        tx.save_mirror_state("default", "pull", json.dumps(memory))
        mirrors.save_trouble(tx, "default", mirrors.Trouble("2026-01-01T00:00:00+00:00", "onOffice does not answer"))
        for state in (ErrandState.WAITING, ErrandState.REFUSED):
            value = Contact(last_name="Eins")
            tx.add_errand(Errand(actor=actor, kind=Kind.CONTACTS, record_id="r", before=None, after=value, state=state, at=utc_now()))
    told = findings(connected, status=1)
    assert ["problem"] * 3 == [state for state, _ in told["mirror"]]
    assert "3 of 3 contacts have vanished" in str(told["mirror"])
    assert ["note", "problem"] == [state for state, _ in told["errands"]]
    assert "onOffice refused 1 changes" in told["errands"][1][1]


def test_check_tells_of_users_whom_onoffice_does_not_know(connected, store):
    """Their logins have to be the same."""
    with store.writing() as tx:
        tx.save_user(User(identity=Identity("default", "nobody")))
    assert ("note", "default: not in onOffice: nobody") in findings(connected)["users"]


def test_check_live_prints_what_the_account_answers(connected, emulator, url):
    """Question by question, with what to set on our side and on an emulator that is like it; in JSON, too."""
    add_addresses(emulator, "Eins")
    emulator.control.set_switch("online_values", "numbers")
    emulator.control.set_switch("error_shape", "a")
    told = connected("check", "--live")
    assert "2. What does a failed action look like? [settled]" in told
    assert "--set error_shape=a --set http_status_of_errors=200" in told
    assert "our side: radicale-onoffice tenant connect default --closed-states VALUES" in told
    assert "still open: 1, 3, 4, 5" in told
    rows = json.loads(connected("check", "--live", "--tenant", "default", "--json"))
    assert set(range(1, 14)) == {row["point"] for row in rows}
    assert {"error_shape": "a", "http_status_of_errors": 200} == next(row for row in rows if row["point"] == 2)["switches"]
    assert [] == [word for word in (TOKEN, SECRET, "Eins") if word in told]
    assert "has no onOffice account" in connected("check", "--live", "--tenant", "nobody", status=2)


def test_check_live_needs_an_account(run, tmp_path):
    """And says so in a line."""
    assert "No tenant has an onOffice account" in run("check", "--live", status=2)
    config = Path(tmp_path / "radicale.config")
    config.write_text(config.read_text().replace("onoffice_crm = onoffice", "onoffice_crm = embedded"))
    assert "the embedded one" in run("check", "--live", status=2)


def test_states_of_users_that_nobody_knows_are_found(connected, emulator):
    """Until they are named nobody is suspended."""
    emulator.control.set_switch("online_values", "numbers")
    assert "which of these states of users mean locked: 1" in connected("check")
    connected("tenant", "connect", "default", "--closed-states", "0,-1", "--max-actions", "10")
    assert "mean locked" not in connected("check")
