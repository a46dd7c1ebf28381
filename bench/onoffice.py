"""Our server and an emulated onOffice that takes its time: the first fill, polling, what a device waits for, and how late an edit arrives.

"Requests" are those over HTTP, "reads" the actions in them. The fewest reads that a fill can do with are one for each 500 records; tasks have
neither pages nor a count, so that one open range more is needed to know that there is nothing else. A device's write is measured against the
requests that it needs, sent by somebody who does nothing else, so what is left is ours; a request more than that is ours, too, and told.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from rich.table import Table

from activesync_bridge.wbxml.codepages import AirSync, Contacts
from activesync_bridge.wbxml.element import Element
from bench import requests
from bench.crm import Crm, connected
from bench.data import card, event
from bench.phones import Phone, ask, contact, ping_body, run

E = Element
POLL = 60  # seconds, as ``onoffice_poll_seconds`` comes
OURS_MS = 20.0  # of a write, beyond its way to onOffice and back
LATENCIES = (0, 50, 200)  # milliseconds
PAGE = 500
OFFICE = {"addresses": 10_000, "appointments": 5_000, "tasks": 2_000}
# What asks for a page of each, as the emulator notes it
KINDS = {
    "addresses": ("read address", '"listlimit":500'),
    "appointments": ("read calendar", '"datestart"'),
    "tasks": ("read task", '"listlimit":500'),
}
TASK = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:VTODO\r\nUID:task-1\r\nSUMMARY:{}\r\n{}END:VTODO\r\nEND:VCALENDAR\r\n"
)
TRIPS = {  # the requests that a write needs, one after the other
    "DAV PUT, contact changed": 1,
    "DAV PUT, appointment changed": 1,
    "DAV PUT, task changed": 1,
    "DAV PUT, task ticked off or on": 2,
    "DAV PUT, contact with a new number": 2,
    "DAV PUT, new contact": 2,
    "DAV PUT, new appointment": 1,
    "DAV PUT, new task": 1,
    "EAS Add, contact": 2,
    "EAS Change, contact": 1,
}
STRAY = 0.1  # requests for each write that may be somebody else's: a poll, a survey
numbers = count(1)


@dataclass
class Row:
    """One line of the table. ``requests`` and ``reads`` are of the whole action, of one write, or of an hour of polling."""

    part: str
    action: str
    latency_ms: int
    requests: float
    reads: float
    least: float = 0.0  # reads
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    ours_p50_ms: float = 0.0  # less the way to onOffice and back
    ours_p95_ms: float = 0.0
    cpu_ms: float = 0.0  # of our process: a write, or the whole fill
    bound: float = 0.0  # of ``column``
    column: str = ""
    trips: int = 0  # requests that a write may take; 0: any number

    @property
    def is_reached(self) -> bool:
        """True if it is as good as it has to be."""
        return self.takes_its_trips and (not self.column or bool(getattr(self, self.column) <= self.bound))

    @property
    def takes_its_trips(self) -> bool:
        """True if it takes no more requests than it needs."""
        return not self.trips or self.requests <= self.trips + STRAY


# ------------------------------------------------------------------------ fill


def fill(rows: list[Row], *, quick: bool) -> None:
    """The first fill, by the administrator's command, with 200 ms to each answer."""
    office = {name: number // 10 for name, number in OFFICE.items()} if quick else OFFICE
    with connected(poll_seconds=POLL, **office) as (crm, server):
        crm.latency(200)
        crm.control.reset_counters()
        cpu, began = _cpu_of_commands(), time.perf_counter()
        server.command("mirror", "fill")
        seconds, cpu = time.perf_counter() - began, _cpu_of_commands() - cpu
        counters, sent = crm.control.counters(), crm.control.requests(last=500)
    least = {name: -(-number // PAGE) + (name == "tasks") for name, number in office.items()}
    for name, (action, page) in KINDS.items():
        pages = [found for one in sent if action in one["actions"] and (found := one["asked"].count(page))]
        rows.append(Row("fill", f"{office[name]} {name}", 200, len(pages), sum(pages), least[name], column="reads"))
        rows[-1].bound = max(1.1 * least[name], least[name] + 1)
    fewest, reads = sum(least.values()), sum(counters["actions"].values())
    whole = Row("fill", "all of it, with links, users and fields", 200, counters["requests"], reads, fewest, seconds * 1000, seconds * 1000)
    whole.bound, whole.column, whole.cpu_ms = 1.1 * fewest, "requests", cpu * 1000
    rows.append(whole)


def _cpu_of_commands() -> float:
    """Seconds of the commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# --------------------------------------------------------------------- polling


def polling(rows: list[Row], *, quick: bool) -> None:
    """An hour of polling, from what some polls take: nobody works in the office, and somebody has changed a task today."""
    with connected(poll_seconds=1, addresses=1000, appointments=500, tasks=500) as (crm, server):
        server.command("mirror", "fill")
        server.start()
        time.sleep(3)
        for what in ("nothing changes", "a task was changed today"):
            if what != "nothing changes":
                crm.control.edit("task", 1, Betreff="Neu")
                time.sleep(3)
            counters = _polls(crm, 5 if quick else 15)
            polls = counters["actions"]["read task"]
            an_hour = 3600 / POLL / polls
            rows.append(Row("polling", f"{what}, an hour", 0, counters["requests"] * an_hour, sum(counters["actions"].values()) * an_hour))
            for action, number in sorted(counters["actions"].items()):
                rows.append(Row("polling", f"  of these {action}", 0, 0, number * an_hour))


def _polls(crm: Crm, seconds: int) -> dict[str, dict[str, int]]:
    crm.control.reset_counters()
    time.sleep(seconds)
    counters: dict[str, dict[str, int]] = crm.control.counters()
    return counters


# ---------------------------------------------------------------------- writes


def writes(rows: list[Row], *, quick: bool) -> None:
    """What a device waits for, over DAV and ActiveSync, with several latencies."""
    with connected(poll_seconds=3600, addresses=1000) as (crm, server):
        server.command("mirror", "fill")
        server.start()
        dav, phone = requests.Client(server), Phone(server.port, "BENCH")
        run([phone], lambda phone: phone.first_sync("contacts"))
        for latency in LATENCIES[:1] if quick else LATENCIES:
            crm.latency(latency)
            for actions in (lambda: _dav_writes(dav), lambda: _phone_writes(phone)):
                for action, write in actions().items():
                    write()
                    cpu = server.cpu()
                    row = _measured(crm, action, latency, write, rounds := 5 if quick else 25 if latency else 50)
                    row.cpu_ms = (server.cpu() - cpu) / rounds * 1000
                    rows.append(row)
            crm.latency(0)
        phone.close()


def _measured(crm: Crm, action: str, latency: int, write: Callable[[], float], rounds: int) -> Row:
    crm.control.reset_counters()
    seconds = sorted(write() for _ in range(rounds))
    counters = crm.control.counters()
    a_write = counters["requests"] / rounds
    trips = crm.trips(TRIPS[action], 7)
    p50, p95 = seconds[rounds // 2], seconds[min(rounds - 1, int(rounds * 0.95))]
    row = Row("writes", action, latency, a_write, sum(counters["actions"].values()) / rounds, 0, p50 * 1000, p95 * 1000)
    row.ours_p50_ms, row.ours_p95_ms, row.bound, row.column = (p50 - trips) * 1000, (p95 - trips) * 1000, OURS_MS, "ours_p50_ms"
    row.trips = TRIPS[action]
    return row


def _dav_writes(dav: requests.Client) -> dict[str, Callable[[], float]]:
    """Names and what they do; each returns its seconds."""
    today = datetime.now(UTC).date()
    number, tasks = next(numbers) * 1000, "/u/tasks/"

    def put(path: str, text: str) -> float:
        began = time.perf_counter()
        dav.request("PUT", path, text)
        return time.perf_counter() - began

    def new() -> int:
        return 10**6 + next(numbers)

    meeting = event(number * 20 + 4, today)
    todo = TASK.replace("task-1", f"task-{number}")
    return {
        "DAV PUT, contact changed": lambda: put(f"/u/contacts/{number}.vcf", card(number, f"Köln {new()}")),
        "DAV PUT, appointment changed": lambda: put(f"/u/calendar/{number}.ics", meeting.replace("Unterlagen", f"Unterlagen {new()}")),
        "DAV PUT, task changed": lambda: put(f"{tasks}{number}.ics", todo.format(f"Rückruf {new()}", "")),
        "DAV PUT, task ticked off or on": _alternating(
            lambda: put(f"{tasks}{number}.ics", todo.format("Rückruf", "STATUS:COMPLETED\r\n")),
            lambda: put(f"{tasks}{number}.ics", todo.format("Rückruf", "STATUS:NEEDS-ACTION\r\n")),
        ),
        "DAV PUT, contact with a new number": lambda: put(f"/u/contacts/{number}.vcf", card(number).replace("0241", f"0241 {new()}")),
        "DAV PUT, new contact": lambda: put(f"/u/contacts/new-{(one := new())}.vcf", card(one)),
        "DAV PUT, new appointment": lambda: put(f"/u/calendar/new-{(one := new())}.ics", event(one * 20 + 4, today)),
        "DAV PUT, new task": lambda: put(f"{tasks}new-{(one := new())}.ics", TASK.replace("task-1", f"task-{one}").format("Neu", "")),
    }


def _alternating(*writes: Callable[[], float]) -> Callable[[], float]:
    turn = count()
    return lambda: writes[next(turn) % len(writes)]()


def _phone_writes(phone: Phone) -> dict[str, Callable[[], float]]:
    names: list[str] = []
    phone.connect()  # the server hangs up on who says nothing for a while

    def sync(command: Element) -> float:
        answer, seconds = ask(phone, "Sync", phone.sync_body("contacts", command))
        responses = phone.took(answer)[0].first(AirSync.Responses)
        if responses is not None:
            names.append(responses.children[0].text_of(AirSync.ServerId))
        return seconds

    def change() -> float:
        name = E(AirSync.ApplicationData, (E(Contacts.LastName, f"Anders {next(numbers)}"),))
        return sync(E(AirSync.Change, (E(AirSync.ServerId, names[0]), name)))

    return {
        "EAS Add, contact": lambda: sync(E(AirSync.Add, (E(AirSync.ClientId, f"c{(one := next(numbers))}"), contact(f"Neu {one}")))),
        "EAS Change, contact": change,
    }


# ------------------------------------------------------------------------- lag


def lag(rows: list[Row], *, quick: bool) -> None:
    """From an edit in onOffice to the answer of a phone's Ping, with 200 ms to each answer; edits are not in step with the polls."""
    interval, rounds = (2, 3) if quick else (5, 25)
    with connected(poll_seconds=interval, addresses=1000) as (crm, server):
        server.command("mirror", "fill")
        crm.latency(200)
        server.start()
        phone = Phone(server.port, "BENCH")
        run([phone], lambda phone: phone.first_sync("contacts"))
        seconds = sorted(_arrival(crm, phone, number, interval) for number in range(rounds))
        phone.close()
    p50, p95 = seconds[rounds // 2], seconds[min(rounds - 1, int(rounds * 0.95))]
    row = Row("lag", f"CRM edit → Ping, polled every {interval} s", 200, 0, 0, 0, p50 * 1000, p95 * 1000)
    row.bound, row.column = (interval + 1) * 1000, "p95_ms"
    rows.append(row)


def _arrival(crm: Crm, phone: Phone, number: int, interval: int) -> float:
    phone.send("Ping", ping_body("contacts"))
    time.sleep(0.3 + number * 0.618 % 1 * interval)
    began = time.perf_counter()
    crm.control.edit("address", 2 + number * 2 % 900, Ort=f"Köln {number}")
    while phone.take() is None:
        pass
    seconds = time.perf_counter() - began
    phone.took(ask(phone, "Sync", phone.sync_body("contacts"))[0])
    return seconds


# ----------------------------------------------------------------------- table

PARTS: dict[str, Callable[..., None]] = {"fill": fill, "polling": polling, "writes": writes, "lag": lag}


def table(rows: Sequence[Row]) -> Table:
    """All rows, with what had to be reached."""
    shown = Table(title="onOffice behind it (emulated)", title_justify="left")
    for column in (
        "what",
        "latency ms",
        "requests",
        "reads and writes",
        "fewest reads",
        "p50/p95 ms",
        "ours p50/p95 ms",
        "CPU ms",
        "to reach",
    ):
        shown.add_column(column, justify="left" if column in ("what", "to reach") else "right")
    for row in rows:
        shown.add_row(
            row.action,
            str(row.latency_ms),
            f"{row.requests:.1f}{'' if row.takes_its_trips else f' INSTEAD OF {row.trips}'}" if row.requests else "",
            f"{row.reads:.1f}" if row.reads else "",
            f"{row.least:.0f}" if row.least else "",
            f"{row.p50_ms:.1f} / {row.p95_ms:.1f}" if row.p50_ms else "",
            f"{row.ours_p50_ms:.1f} / {row.ours_p95_ms:.1f}" if row.ours_p50_ms else "",
            f"{row.cpu_ms:.1f}" if row.cpu_ms else "",
            f"{row.column} ≤ {row.bound:g} {'yes' if row.is_reached else 'NO'}" if row.column else "",
        )
    return shown
