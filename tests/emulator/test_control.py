"""The control API and the emulator as a program."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.emulator import TOKEN, Emulator, RemoteControl, demo
from tests.emulator.switches import SWITCHES, Switches, manual

from .conftest import NOW, Wire

HERE = Path(__file__).parent


def test_edits_as_somebody_in_the_crm(wire, control):
    """Stamp, log and feed follow; entries can be edited one by one, with what no API call can set."""
    control.add_user("anna")
    number = control.add("address", {"Name": "Alt"}, entries=[{"what": "phone", "value": "1"}])
    control.advance(60)
    wire.now += 60
    control.edit("address", number, by="anna", Name="Neu")
    entry = control.add_entry(number, "phone", "2", type="private", comment="abends", default=True)
    control.edit_entry(entry, value="3")
    assert {"id": 1, "Name": "Neu", "phone__1": "1", "phoneprivate__2": "3", "phoneprivate__2__Comment": "abends"} == wire.elements(
        "read", "address", {"data": ["Name", "phone"], "filter": {"Aenderung": [{"op": ">", "val": "2023-11-14 23:13:20"}]}}
    )[0]
    control.edit_entry(1, default=True, type="business")
    assert {"id": 1, "defaultphone__1": "1"} == wire.elements("read", "address", {"data": ["defaultphone"]})[0]
    control.remove_entry(entry)
    assert ["1"] == [one["value"] for one in control.get("address", number)["entries"]]
    assert ("edit", 2) == (control.log()[-1]["action"], control.log()[-1]["user"])
    control.delete("address", number, by="anna")
    assert (None, []) == (control.get("address", number), control.rows("address"))
    assert number + 1 == control.add("address", {})  # numbers are never used again


def test_everything_of_a_record_can_be_compared(control):
    """Data, entries and links in one value."""
    control.add("address", {})
    control.add("project", {})
    number = control.add("task", {"Betreff": "x"}, addresses=[1], project=1)
    assert {"task:address": [1], "project:task:customer of": [1]} == control.get("task", number)["links"]
    with pytest.raises(TypeError, match="task has no subtasks"):
        control.add("task", {}, subtasks=[1])
    with pytest.raises(KeyError):
        control.edit("task", 99, Betreff="x")


def test_several_api_users(wire, control):
    """Each with token, secret and rights of his own."""
    number = control.add_api_user("b" * 32, "s" * 64, "second")
    assert (number, 0) == (control.user("second"), control.user("nobody"))
    control.set_right(number, "address", "create", False)
    assert 0 == wire.code("create", "address", {"Name": "x"})
    wire.token, wire.secret = "b" * 32, "s" * 64
    assert 131 == wire.code("create", "address", {"Name": "x"})


def test_a_file_keeps_everything(tmp_path, control):
    """Rows, switches, fields and tokens come back with the file."""
    first = Emulator(tmp_path / "account.db", clock=lambda: datetime.fromtimestamp(NOW, UTC))
    first.control.set_switch("error_shape", "c")
    first.control.set_field("address", "ind_9")
    first.control.add("address", {"Name": "x"})
    first.close()
    second = Emulator(tmp_path / "account.db", clock=lambda: datetime.fromtimestamp(NOW, UTC))
    wire = Wire(second.transport())
    assert [{"id": 1, "Name": "x", "ind_9": ""}] == wire.elements("read", "address", {"data": ["Name", "ind_9"]})
    assert "c" == second.control.switches()["error_shape"]
    second.close()


def test_the_clock_stands(control, wire):
    """Set from outside, with or without an offset."""
    control.set_clock("2026-03-29T02:30:00+02:00")
    assert 136 == wire.code("get", "users")
    wire.now = int(datetime(2026, 3, 29, 0, 30, tzinfo=UTC).timestamp())
    assert 0 == wire.code("get", "users")
    assert "2026-03-29T02:31:00+02:00" == control.advance(60)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [("nonsense", 1, "no switch"), ("error_shape", "d", "one of a, b, c"), ("latency_ms", "x", "invalid literal")],
)
def test_wrong_switches_are_refused(name, value, error):
    """With a sentence."""
    with pytest.raises(ValueError, match=error):
        Switches({name: value})


def test_every_switch_is_used_tested_and_explained():
    """Its name stands in the code, in a test, and in the manual with how sure anybody is."""
    code = "".join(
        path.read_text("utf-8") for path in HERE.glob("*.py") if not path.name.startswith("test_") and path.name != "switches.py"
    )
    tests = "".join(path.read_text("utf-8") for path in HERE.glob("test_*.py"))
    assert [] == [one.name for one in SWITCHES if f'["{one.name}"]' not in code and f'"{one.name}"' not in code]
    assert [] == [one.name for one in SWITCHES if f'"{one.name}"' not in tests]
    assert [] == [one.name for one in SWITCHES if f"  {one.name} = " not in manual() or not one.sure]


def test_it_shares_no_code_with_the_client():
    """An independent witness."""
    named = [
        path.name
        for path in HERE.glob("*.py")
        if re.search(r"(import|from) (radicale_onoffice|activesync_bridge)", path.read_text("utf-8"))
    ]
    assert [] == named


@pytest.mark.parametrize("show", ["request", "address", "calendar", "task", "user", "group", "estate", "log", "switches", "nonsense"])
def test_the_page(emulator, show):
    """Each tab, with the demo's rows and nothing of theirs as HTML."""
    demo.fill(emulator)
    demo.fill(emulator)  # nothing happens to a filled account
    emulator.control.add("address", {"Name": "<script>"})
    emulator.transport().handle_request(httpx.Request("POST", "https://api.example/api/stable/api.php", content=b"<b>"))
    with emulator.serve() as url:
        text = httpx.get(f"{url}/?show={show}").text
    assert "<h1>Emulator of onOffice" in text
    assert "<script>" not in text
    assert "<b>" not in text
    if show == "address":
        assert "Beispiel &amp; Co" in text
        assert "4 rows" in text


def test_a_server_in_a_thread(emulator, control):
    """The control API is the same over HTTP; wrong calls get 400 or 404; a reset is one."""
    with emulator.serve() as url:
        remote = RemoteControl(url)
        number = remote.add("address", {"Name": "x", "picture": "/9j/"})
        assert control.rows("address") == remote.rows("address")
        assert "x" == remote.get("address", number)["Name"]
        for name, status in (("nonsense", 404), ("_keep", 404), ("edit", 400)):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{url}/_emulator/{name}", data=b"{}", timeout=10)
            assert status == caught.value.code
        wire = Wire(httpx.HTTPTransport())
        wire.http = httpx.Client(base_url=url)
        assert b"\xff\xd8\xff" == wire.http.get(wire.elements("read", "address", {"data": ["imageUrl"]})[0]["imageUrl"]).content
        assert 404 == wire.http.get("/media/address/99").status_code
        remote.fault(kind="reset")
        with pytest.raises(httpx.ReadError):
            wire.post(b"{}")
        remote.fault(kind="delay", seconds=0.05, when="after")
        assert "gzip" == wire.post(b"{}", **{"Accept-Encoding": "gzip"}).headers["Content-Encoding"]
        assert 405 == wire.http.get("/api/stable/api.php").status_code
        assert 404 == wire.http.get("/nothing").status_code


def test_a_program_that_a_person_can_start(tmp_path):
    """``python -m tests.emulator``: says where it is, answers, explains its switches."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [
        sys.executable,
        "-m",
        "tests.emulator",
        "--port",
        port,
        "--database",
        str(tmp_path / "a.db"),
        "--demo",
        "--set",
        "error_shape=a",
    ]
    started = subprocess.Popen(command, cwd=HERE.parent.parent, stdout=subprocess.PIPE, text=True)
    try:
        assert (
            f"API http://127.0.0.1:{port}/api/stable/api.php, page http://127.0.0.1:{port}/, token {TOKEN}\n" == started.stdout.readline()
        )
        with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as client:  # it says so just before it listens
            assert "Ada" in client.get(f"http://127.0.0.1:{port}/?show=address").text
        assert "a" == RemoteControl(f"http://127.0.0.1:{port}").switches()["error_shape"]
    finally:
        started.terminate()
        started.wait(30)
        started.stdout.close()


@pytest.mark.parametrize(
    ("words", "status", "text"), [(["--help"], 0, "error_shape = b"), (["--set", "nonsense=1"], 1, "There is no switch")]
)
def test_help_and_wrong_words(words, status, text):
    """The manual of switches and faults is the help."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.emulator", *words], cwd=HERE.parent.parent, capture_output=True, text=True, check=False
    )
    assert status == done.returncode
    assert text in done.stdout + done.stderr
