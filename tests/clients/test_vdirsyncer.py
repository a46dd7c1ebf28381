"""vdirsyncer, a two-way synchroniser that nobody here wrote, over the wire."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{0}\r\nN:Berger;{0};;;\r\nFN:{0} Berger\r\nTEL;TYPE=HOME:0241 {1}\r\nX-FOO:bar\r\nEND:VCARD\r\n"
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{0}\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:{1}T100000Z\r\nDTEND:{1}T110000Z\r\nSUMMARY:Visit {0}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
TODO = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:{0}\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Call {0}\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
COUNT = 30

pytestmark = pytest.mark.client


def lines_of(path: Path) -> str:
    """The text of a file; vdirsyncer writes its own line ends."""
    return path.read_bytes().decode().replace("\r\n", "\n")


class Device:
    """A directory that vdirsyncer keeps in step with the server."""

    def __init__(self, directory: Path, url: str):
        self.directory = directory
        directory.mkdir()
        text = Path(__file__).with_name("vdirsyncer.ini").read_text()
        self.config = directory / "config"
        self.config.write_text(text.replace("{directory}", str(directory)).replace("{url}", url))
        for folder in ("contacts", "calendars"):
            (directory / folder).mkdir()

    def run(self, *words: str) -> str:
        program = [str(Path(sys.executable).with_name("vdirsyncer")), "-c", str(self.config), *words]
        done = subprocess.run(program, input="y\n" * 20, capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout + done.stderr

    def sync(self) -> str:
        return self.run("sync")

    def folder(self, name: str) -> Path:
        return self.directory / ("contacts" if name == "contacts" else "calendars") / name

    def texts(self, name: str) -> dict[str, str]:
        found = {}
        for path in self.folder(name).iterdir():
            text = lines_of(path)
            found[text.partition("UID:")[2].partition("\n")[0]] = text
        return found


@pytest.fixture
def devices(running, tmp_path):
    made = [Device(tmp_path / name, running.url) for name in ("one", "two")]
    for device in made:
        device.run("discover")
    return made


def test_two_devices_stay_in_step(devices, tmp_path):
    """Adds, edits and deletes on both sides of contacts, calendar and tasks; nothing is lost or doubled, a second run is idle (rule 5)."""
    one, two = devices
    assert {"contacts"} == {path.name for path in (one.directory / "contacts").iterdir()}
    assert {"calendar", "tasks"} == {path.name for path in (one.directory / "calendars").iterdir()}
    first = datetime.now(UTC).date() + timedelta(days=1)
    texts = {
        "contacts": {f"c{number}": CARD.format(f"c{number}", 1000 + number) for number in range(COUNT)},
        "calendar": {f"e{number}": EVENT.format(f"e{number}", f"{first + timedelta(days=number):%Y%m%d}") for number in range(COUNT)},
        "tasks": {f"t{number}": TODO.format(f"t{number}") for number in range(COUNT)},
    }
    for name, items in texts.items():
        suffix = "vcf" if name == "contacts" else "ics"
        for uid, text in items.items():
            (one.folder(name) / f"{uid}.{suffix}").write_bytes(text.encode())
    one.sync()
    two.sync()
    for name, items in texts.items():
        assert items.keys() == two.texts(name).keys(), name
    assert {uid: text.replace("\r\n", "\n") for uid, text in texts["contacts"].items()} == two.texts("contacts")
    edit(one, "contacts", "c1", "0241 1001", "0241 2002")
    edit(two, "calendar", "e1", "Visit e1", "Moved e1")
    edit(two, "tasks", "t1", "Call t1", "Write t1")
    remove(one, "calendar", "e2")
    remove(two, "contacts", "c2")
    for device in (one, two, one, two):
        device.sync()
    for name in texts:
        assert one.texts(name) == two.texts(name), name
        assert COUNT - (name != "tasks") == len(one.texts(name)), name
    assert "0241 2002" in two.texts("contacts")["c1"]
    assert "Moved e1" in one.texts("calendar")["e1"]
    idle = one.sync() + two.sync()
    assert "Copying" not in idle
    assert "Deleting" not in idle


def edit(device: Device, folder: str, uid: str, old: str, new: str) -> None:
    (path,) = [path for path in device.folder(folder).iterdir() if f"UID:{uid}\n" in lines_of(path)]
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode()))


def remove(device: Device, folder: str, uid: str) -> None:
    (path,) = [path for path in device.folder(folder).iterdir() if f"UID:{uid}\n" in lines_of(path)]
    path.unlink()
