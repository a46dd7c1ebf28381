"""Two servers as real processes, filled with the same data: ours, and stock Radicale with its file storage."""

from __future__ import annotations

import json
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import date
from pathlib import Path

from bench.data import card, event

PATIENCE = 120  # seconds until a server has to answer
OURS = """[storage]
type = radicale_onoffice.storage
onoffice_database = sqlite:///{directory}/office.db
onoffice_tenant = t
[auth]
type = radicale_onoffice.auth
[rights]
type = radicale_onoffice.rights
[web]
type = radicale_onoffice.web
activesync_max_devices = 1000
[logging]
level = error
"""
STOCK = """[server]
hosts = 127.0.0.1:{port}
max_connections = 40
[storage]
filesystem_folder = {directory}/collections
[auth]
type = htpasswd
htpasswd_filename = {directory}/users
htpasswd_encryption = plain
delay = 0
[rights]
type = owner_only
[web]
type = none
[logging]
level = error
"""

# Tables that hold something of each contact, with their columns that name it
COPIED = {"records": ("id", "name", "uid"), "people": ("record_id",), "audience": ("record_id",), "history": ("record_id",)}


class Server:
    """A server process; ``name`` is its column in the table."""

    name = ""

    def __init__(self, directory: Path):
        directory.mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.directory, self.config = directory, directory / "config"
        self.process: subprocess.Popen[bytes] | None = None
        # A waiting phone is a descriptor on either side.
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def program(self) -> list[str]:
        """The command that serves."""
        raise NotImplementedError

    def start(self) -> None:
        """Start, and wait for the first answer."""
        log = (self.directory / "log").open("wb")
        self.process = subprocess.Popen(self.program(), stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError((self.directory / "log").read_text())

    def stop(self) -> None:
        """Stop, and wait for it."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def cpu(self) -> float:
        """Seconds of user and system time so far."""
        assert self.process is not None
        # What clock_getcpuclockid(3) gives for a process, with its threads; /proc counts in hundredths of a second only.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def rss(self) -> float:
        """Resident memory in MB."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


class Ours(Server):
    """radicale-onoffice, served by its own command."""

    name = "ours"
    contacts, calendar = "/u/contacts/", "/u/calendar/"

    def fill(self, contacts: int, events: int, today: date) -> None:
        """Write through the office, as an import does."""
        self.config.write_text(OURS.format(directory=self.directory))
        words = [sys.executable, "-m", "radicale_onoffice"]
        self._run([*words, "tenant", "add", "t"])
        self._run([*words, "user", "add", "u", "--password-stdin"], "secret\n")
        (self.directory / "contacts.vcf").write_text("".join(card(number) for number in range(contacts)), newline="")
        (self.directory / "events.ics").write_text("".join(event(number, today) for number in range(events)), newline="")
        files = [name for name, count in (("contacts.vcf", contacts), ("events.ics", events)) if count]
        if files:
            self._run([*words, "import", *(str(self.directory / name) for name in files), "--user", "u"])

    def add_users(self, count: int) -> None:
        """More users, w0, w1 and so on, with the first one's password; the server must not run."""
        with sqlite3.connect(self.directory / "office.db") as database:
            columns = [row[1] for row in database.execute("PRAGMA table_info(users)")]
            values = ", ".join("'w' || ?" if name == "login" else f'"{name}"' for name in columns)
            database.executemany(f"INSERT INTO users SELECT {values} FROM users WHERE login = 'u'", [(n,) for n in range(count)])  # noqa: S608 - our own names

    def multiply(self, times: int) -> None:
        """So many times the contacts, as copies of those that were imported; the server must not run, nor have run."""
        with sqlite3.connect(self.directory / "office.db") as database:
            for table, named in COPIED.items():
                columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
                values = ", ".join(f'? || "{name}"' if name in named else f'"{name}"' for name in columns)
                database.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table}")  # noqa: S608
                copies = [(f"c{number}-",) * len(named) for number in range(1, times)]
                database.executemany(f"INSERT INTO {table} SELECT {values} FROM kept", copies)  # noqa: S608
                database.execute("DROP TABLE kept")

    def _run(self, words: list[str], stdin: str = "") -> None:
        subprocess.run([*words, "--config", str(self.config)], input=stdin, text=True, check=True, stdout=subprocess.DEVNULL)

    def program(self) -> list[str]:
        return [sys.executable, "-m", "radicale_onoffice", "serve", "--config", str(self.config), "--port", str(self.port)]


class Second(Ours):
    """Another process over the same database."""

    name = "second"

    def __init__(self, first: Ours):
        super().__init__(first.directory / "second")
        self.config = first.config


class Stock(Server):
    """Radicale as it comes, with multifilesystem."""

    name = "stock"
    contacts, calendar = "/u/contacts/", "/u/calendar/"

    def fill(self, contacts: int, events: int, today: date) -> None:
        """Write its collection files."""
        self.config.write_text(STOCK.format(directory=self.directory, port=self.port))
        (self.directory / "users").write_text("u:secret\n")
        book = {"tag": "VADDRESSBOOK"}
        self._collection("contacts", book, {f"contact-{number}.vcf": card(number) for number in range(contacts)})
        calendar = {"tag": "VCALENDAR", "C:supported-calendar-component-set": "VEVENT"}
        self._collection("calendar", calendar, {f"event-{number}.ics": event(number, today) for number in range(events)})

    def _collection(self, name: str, props: dict[str, str], items: dict[str, str]) -> None:
        folder = self.directory / "collections" / "collection-root" / "u" / name
        folder.mkdir(parents=True)
        (folder / ".Radicale.props").write_text(json.dumps(props))
        for file, text in items.items():
            (folder / file).write_text(text, newline="")

    def program(self) -> list[str]:
        return [sys.executable, "-m", "radicale", "--config", str(self.config)]
