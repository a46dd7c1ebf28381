"""An emulated onOffice as a process of its own, with an office in it, and a server of ours that is connected to it."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.data import FIRST, LAST
from bench.servers import OURS, PATIENCE, Ours
from tests.emulator import SECRET, TOKEN
from tests.emulator.control import RemoteControl

API = "/api/stable/api.php"
BATCH = 1000  # records that are put into the emulator at once
LONG_AGO = timedelta(days=3)  # so that nothing looks as if it had just changed


class Crm:
    """The emulator's process; ``control`` has its data, its counters and its latency."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.control: Any = RemoteControl(f"http://127.0.0.1:{self.port}")
        self._process = subprocess.Popen([sys.executable, "-m", "tests.emulator", "--port", str(self.port)], stdout=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                break
            except OSError:
                time.sleep(0.05)
        self.user = self.control.add_user("u", "Uta", "Unger")

    def stop(self) -> None:
        """End the process."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)

    def fill(self, addresses: int, appointments: int, tasks: int, today: date) -> None:
        """An office that nobody has worked in for some days."""
        self.control.set_clock((datetime.now(UTC) - LONG_AGO).isoformat())
        for kind, records in (
            ("address", [address(number, self.user) for number in range(addresses)]),
            ("calendar", [appointment(number, today, self.user) for number in range(appointments)]),
            ("task", [{"data": {"Betreff": f"Aufgabe {number}", "Verantwortung": "u"}} for number in range(tasks)]),
        ):
            for start in range(0, len(records), BATCH):
                self.control.add_many(kind=kind, records=records[start : start + BATCH])
        self.control.set_clock("")

    def latency(self, milliseconds: int) -> None:
        """How long each answer takes."""
        self.control.set_switch("latency_ms", milliseconds)

    def trips(self, requests: int, times: int) -> float:
        """Seconds that the newest requests take one after the other when somebody sends them who does nothing else; the median of some."""
        bodies = [one["asked"].encode() for one in self.control.requests(last=requests)]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        found = []
        for _ in range(times):
            began = time.perf_counter()
            for body in bodies:
                connection.request("POST", API, body, {"Content-Type": "application/json"})
                if json.loads(connection.getresponse().read())["status"]["code"] != 200:
                    raise RuntimeError("A request that was sent again was refused.")
            found.append(time.perf_counter() - began)
        connection.close()
        return sorted(found)[len(found) // 2]


def address(number: int, user: int) -> dict[str, Any]:
    """An address with three entries, flagged by one user in half of the cases."""
    entries = [
        {"what": "phone", "value": f"+49 241 {100000 + number}", "type": "business"},
        {"what": "phone", "value": f"+49 171 {2000000 + number}"},
        {"what": "email", "value": f"person{number}@beispiel.example", "default": True},
    ]
    names = {"Vorname": FIRST[number % len(FIRST)], "Name": f"{LAST[number % len(LAST)]}{number}", "Zusatz1": "Beispiel GmbH"}
    return {"data": {**names, "Strasse": f"Hauptstr. {number % 200}", "Plz": "52062", "Ort": "Aachen"}, "entries": entries} | (
        {"sync": [user]} if number % 2 else {}
    )


def appointment(number: int, today: date, user: int) -> dict[str, Any]:
    """One of a calendar of 14 months, busier by day than by night and in the week than on Sundays; one of five is a series."""
    day = today + timedelta(days=number * 37 % 430 - 215)
    day += timedelta(days=day.weekday() == 6)
    is_series = number % 5 == 3
    if is_series:
        day -= timedelta(days=number % 400)
    start = datetime.combine(day, clock_time(8 + number % 9, number % 4 * 15))
    series = {"rp_flag": True, "rp_type": "wm"[number % 2], "rp_tage": 1, "rp_beginn_datum": f"{day}", "rp_ende_status": "1"}
    times = {"start_dt": f"{start}", "end_dt": f"{start + timedelta(hours=1)}"}
    data = {"description": f"Besichtigung {number}", "note": "Unterlagen mitbringen.", **times}
    return {"data": data | (series | {"rp_ende_datum": f"{today.year + 2}-12-31"} if is_series else {}), "users": [user]}


class Connected(Ours):
    """Our server over an empty database, connected to an emulated onOffice."""

    name = "connected"

    def connect(self, crm: Crm, poll_seconds: int) -> None:
        """Make the tenant, its user, and the way to onOffice."""
        crm_lines = f"onoffice_tenant = t\nonoffice_crm = onoffice\nonoffice_poll_seconds = {poll_seconds}"
        self.config.write_text(OURS.format(directory=self.directory).replace("onoffice_tenant = t", crm_lines))
        self.command("tenant", "add", "t")
        self.command("user", "add", "u", "--password-stdin", stdin="secret\n")
        for name, text in (("token", TOKEN), ("secret", SECRET)):
            (self.directory / name).write_text(text)
        places = [word for name in ("token", "secret") for word in (f"--{name}-file", str(self.directory / name))]
        self.command("tenant", "connect", "t", "--url", f"http://127.0.0.1:{crm.port}{API}", *places)

    def command(self, *words: str, stdin: str = "") -> None:
        """An administrator's command."""
        self._run([sys.executable, "-m", "radicale_onoffice", *words], stdin)


@contextmanager
def connected(*, poll_seconds: int, addresses: int = 0, appointments: int = 0, tasks: int = 0) -> Iterator[tuple[Crm, Connected]]:
    """An office in an emulated onOffice, and a server that does not run yet."""
    crm = Crm()
    try:
        crm.fill(addresses, appointments, tasks, datetime.now(UTC).date())
        with TemporaryDirectory(prefix="onoffice-bench-") as directory:
            server = Connected(Path(directory) / "ours")
            server.connect(crm, poll_seconds)
            try:
                yield crm, server
            finally:
                if server.process is not None:
                    server.stop()
    finally:
        crm.stop()
