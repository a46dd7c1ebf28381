"""Phones against the real server: initial syncs, the steps of a day, push, many devices, and thousands that wait."""

from __future__ import annotations

import http.client
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from rich.table import Table

from activesync_bridge.wbxml.codepages import AirSync
from activesync_bridge.wbxml.element import Element
from bench import requests
from bench.data import card
from bench.phones import Measured, Phone, Script, ask, contact, ping_body, run
from bench.servers import Ours, Second, Server

E = Element
USERS = 100  # that the waiting phones belong to
QUIET = 20  # seconds for which waiting phones are looked at
BATCH = 50  # phones that arrive at once
numbers = count(1)


@dataclass
class Row:
    """One line of the table; ``per_second`` counts items of an initial sync, else requests."""

    part: str
    data: str
    action: str
    p50_ms: float
    p95_ms: float
    per_second: float
    cpu_ms: float  # of the server, per request; per phone and minute where phones wait
    bytes: int
    rss_mb: float
    phone_kb: float = 0.0


@dataclass(frozen=True)
class Target:
    """What a column of a row has to reach."""

    action: str
    column: str
    bound: float
    data: str = ""  # "" = every row of that action
    at_least: bool = False

    def is_of(self, row: Row) -> bool:
        """True if it is about this row."""
        return row.action == self.action and self.data in ("", row.data)

    def is_reached_by(self, row: Row) -> bool:
        """True if the row is good enough."""
        value = getattr(row, self.column)
        return bool(value >= self.bound if self.at_least else value <= self.bound)


TARGETS = (
    *(Target(f"initial sync, window {window}, cold", "per_second", 3000, at_least=True) for window in (100, 512)),
    *(Target(f"initial sync, window {window}, second device", "per_second", 10000, at_least=True) for window in (100, 512)),
    Target("no change", "p50_ms", 3),
    Target("no change", "cpu_ms", 1.5),
    Target("one server change", "p50_ms", 6),
    *(Target(f"client {word}", "p50_ms", 10) for word in ("add", "change", "delete")),
    Target("push, one process", "p95_ms", 100),
    Target("push, two processes", "p95_ms", 600),
    Target("50 devices polling", "per_second", 600, at_least=True),
    Target("5000 phones waiting", "phone_kb", 50),
    Target("5000 phones waiting", "cpu_ms", 1),
)


@dataclass
class Bench:
    """A running server, and the rows so far."""

    server: Ours
    data: str
    part: str
    rows: list[Row]

    def phone(self, **how: object) -> Phone:
        """A new device."""
        return Phone(self.server.port, f"DEV{next(numbers)}", **how)  # type: ignore[arg-type]

    def add(self, action: str, found: Measured, cpu: float, size: int, per_second: float | None = None) -> None:
        """A row of requests that took ``cpu`` seconds of the server in all."""
        requests_made = len(found.seconds)
        rate = requests_made / sum(found.seconds) if per_second is None else per_second
        p50, p95 = found.quantile(0.5) * 1000, found.quantile(0.95) * 1000
        self.rows.append(Row(self.part, self.data, action, p50, p95, rate, cpu / requests_made * 1000, size, self.server.rss()))


@contextmanager
def serving(data: str, part: str, rows: list[Row], *, contacts: int = 0, events: int = 0, users: int = 0) -> Iterator[Bench]:
    """A server over fresh data, for one part."""
    with tempfile.TemporaryDirectory(prefix="onoffice-bench-") as directory:
        server = Ours(Path(directory) / "ours")
        server.fill(min(contacts, 1000), events, datetime.now(UTC).date())
        if contacts > 1000:
            server.multiply(contacts // 1000)
        server.add_users(users)
        server.start()
        try:
            yield Bench(server, data, part, rows)
        finally:
            server.stop()


# ---------------------------------------------------------------- initial sync


def initial(rows: list[Row], *, quick: bool) -> None:
    """A device that knows nothing; of 10,000 contacts and of 500 appointments."""
    sets = [("500 appointments", 0, 500), ("1000 contacts", 1000, 0), *([] if quick else [("10000 contacts", 10000, 0)])]
    for data, contacts, events in sets:
        with serving(data, "initial", rows, contacts=contacts, events=events) as bench:
            folder = "contacts" if contacts else "appointments"
            for window in (512, 100):
                for step in ("cold", "second device"):
                    _initial(bench, folder, window, step, contacts or events, times=1 if quick else 3)


def _initial(bench: Bench, folder: str, window: int, step: str, total: int, times: int) -> None:
    """The median run of several; each cold one is a flavour that nobody has asked for."""
    runs = []
    for number in range(times):
        phone = bench.phone(truncation=30000 + window + (number if step == "cold" else 0))
        sizes: list[int] = []

        def script(phone: Phone, sizes: list[int] = sizes) -> Script:
            acts = phone.first_sync(folder, window)
            request = next(acts)
            while True:
                answer = yield request
                sizes.append(phone.bytes)
                try:
                    request = acts.send(answer)
                except StopIteration:
                    return

        cpu = bench.server.cpu()
        found = run([phone], script)
        cpu = bench.server.cpu() - cpu
        phone.close()
        if phone.items != total:
            raise RuntimeError(f"{phone.device} got {phone.items} of {total} items")
        runs.append((sum(found.seconds), found, cpu, sum(sizes)))
    runs.sort(key=lambda one: one[0])
    seconds, found, cpu, size = runs[len(runs) // 2]
    bench.add(f"initial sync, window {window}, {step}", found, cpu, size, total / seconds)


# ----------------------------------------------------------------------- steps


def steps(rows: list[Row], *, quick: bool) -> None:
    """What a phone does all day: nothing new, something new, changes of its own."""
    sets = [("500 appointments", 0, 500), ("1000 contacts", 1000, 0)]
    for data, contacts, events in sets if quick else [*sets, ("10000 contacts", 10000, 0), ("100000 contacts", 100000, 0)]:
        with serving(data, "steps", rows, contacts=contacts, events=events) as bench:
            folder = "contacts" if contacts else "appointments"
            phone = bench.phone()
            run([phone], lambda phone, folder=folder: phone.first_sync(folder))  # type: ignore[misc]
            rounds = 50 if quick else 200
            _no_change(bench, phone, folder, rounds * 2)
            if contacts:
                _server_change(bench, phone, rounds // 2)
                _client_changes(bench, phone, rounds // 2)
            phone.close()


def _no_change(bench: Bench, phone: Phone, folder: str, rounds: int) -> None:
    run([phone], lambda phone: phone.poll(folder, 5))
    cpu = bench.server.cpu()
    found = run([phone], lambda phone: phone.poll(folder, rounds))
    bench.add("no change", found, bench.server.cpu() - cpu, phone.bytes)


def _server_change(bench: Bench, phone: Phone, rounds: int) -> None:
    """Somebody changes a contact over DAV, then the phone asks."""
    dav = requests.Client(bench.server)
    found, cpu = Measured(), 0.0
    for number in range(rounds):
        dav.request("PUT", f"{bench.server.contacts}changing.vcf", card(10**6, f"Aachen {number} {time.monotonic_ns()}"))
        before = bench.server.cpu()
        answer, seconds = ask(phone, "Sync", phone.sync_body("contacts"))
        cpu += bench.server.cpu() - before
        found.seconds.append(seconds)
        phone.took(answer)
    bench.add("one server change", found, cpu, phone.bytes)


def _client_changes(bench: Bench, phone: Phone, rounds: int) -> None:
    names: list[str] = []

    def add(number: int) -> Element:
        return E(AirSync.Add, (E(AirSync.ClientId, f"c{number}"), contact(f"Neu {number}")))

    def change(number: int) -> Element:
        return E(AirSync.Change, (E(AirSync.ServerId, names[number]), contact(f"Anders {number}")))

    def delete(number: int) -> Element:
        return E(AirSync.Delete, (E(AirSync.ServerId, names[number]),))

    for word, command in (("add", add), ("change", change), ("delete", delete)):
        found, cpu = Measured(), bench.server.cpu()
        for number in range(rounds):
            answer, seconds = ask(phone, "Sync", phone.sync_body("contacts", command(number)))
            found.seconds.append(seconds)
            part, _ = phone.took(answer)
            if word == "add":
                responses = part.first(AirSync.Responses)
                assert responses is not None
                names.append(responses.children[0].text_of(AirSync.ServerId))
        bench.add(f"client {word}", found, bench.server.cpu() - cpu, phone.bytes)


# ------------------------------------------------------------------------ push


def push(rows: list[Row], *, quick: bool) -> None:
    """From the first byte of a PUT to the last one of the Ping's answer: in one process, and with the PUT going to another one."""
    with serving("1000 contacts", "push", rows, contacts=1000) as bench:
        second = Second(bench.server)
        second.start()
        try:
            for action, writes in (("push, one process", bench.server), ("push, two processes", second)):
                _push(bench, action, writes, 10 if quick else 40)
        finally:
            second.stop()


def _push(bench: Bench, action: str, writes: Server, rounds: int) -> None:
    phone, dav = bench.phone(), requests.Client(writes)
    run([phone], lambda phone: phone.first_sync("contacts"))
    found, cpu = Measured(), bench.server.cpu()
    for number in range(rounds):
        phone.send("Ping", ping_body("contacts"))
        time.sleep(0.1 + number % 7 / 20)  # until it waits, and not in step with anybody's clock
        began = time.perf_counter()
        change = threading.Thread(
            target=dav.request, args=("PUT", f"{bench.server.contacts}changing.vcf", card(10**6, f"Köln {time.monotonic_ns()}"))
        )
        change.start()
        while phone.take() is None:
            pass
        found.seconds.append(time.perf_counter() - began)
        change.join()
        phone.took(ask(phone, "Sync", phone.sync_body("contacts"))[0])
    bench.add(action, found, bench.server.cpu() - cpu, phone.bytes)
    phone.close()


# ---------------------------------------------------------------- many devices


def many(rows: list[Row], *, quick: bool) -> None:
    """Devices that synchronise for the first time, and that ask for news, all at once."""
    with serving("1000 contacts", "many", rows, contacts=1000) as bench:
        warm = bench.phone()
        run([warm], lambda phone: phone.first_sync("contacts"))
        warm.close()
        for devices in (10, 50):
            phones = [bench.phone() for _ in range(devices)]
            cpu = bench.server.cpu()
            found = run(phones, lambda phone: phone.first_sync("contacts"))
            items = sum(phone.items for phone in phones)
            bench.add(f"{devices} devices, initial sync", found, bench.server.cpu() - cpu, phones[0].bytes, items / found.wall)
            cpu = bench.server.cpu()
            times = 20 if quick else 2000 // devices
            found = run(phones, lambda phone, times=times: phone.poll("contacts", times))  # type: ignore[misc]
            rate = len(found.seconds) / found.wall
            bench.add(f"{devices} devices polling", found, bench.server.cpu() - cpu, phones[0].bytes, rate)
            for phone in phones:
                phone.close()


# --------------------------------------------------------------------- waiting


def waiting(rows: list[Row], *, quick: bool) -> None:
    """Phones that wait for an hour: what each of them takes, and how one of them is told of a change."""
    with serving("100 users", "waiting", rows, users=USERS) as bench:
        phones: list[Phone] = []
        for number in (200,) if quick else (1000, 5000):
            more: list[Phone] = []
            while len(phones) + len(more) < number:
                batch = [bench.phone(login=f"w{one % USERS}") for one in range(BATCH)]
                run(batch, lambda phone: phone.first_sync("contacts"))
                for phone in batch:
                    phone.close()  # the server would hang up on who says nothing while the others come
                more += batch
            empty, cpu = bench.server.rss(), bench.server.cpu()
            _arrive(bench, more)
            arrival = bench.server.cpu() - cpu
            phones += more
            _quiet(bench, phones, len(more), empty, arrival)
            _told(bench, phones, rounds=5 if quick else 20)


def _arrive(bench: Bench, phones: Sequence[Phone]) -> None:
    """Let the phones ask, and wait until all of them wait."""
    for phone in phones:
        phone.connect()
        phone.send("Ping", ping_body("contacts"))
    before = -1.0
    while (now := bench.server.cpu()) - before > 0.05:
        before = now
        time.sleep(0.5)


def _quiet(bench: Bench, phones: Sequence[Phone], came: int, empty: float, arrival: float) -> None:
    cpu, began = bench.server.cpu(), time.perf_counter()
    time.sleep(QUIET)
    minutes = (time.perf_counter() - began) / 60
    idle = (bench.server.cpu() - cpu) / len(phones) / minutes * 1000
    rss = bench.server.rss()
    row = Row("waiting", bench.data, f"{len(phones)} phones waiting", 0, 0, 0, idle, 0, rss, (rss - empty) * 1024 / came)
    bench.rows.append(row)
    bench.rows.append(replace(row, action=f"{came} Pings arrive", cpu_ms=arrival / came * 1000, phone_kb=0))


def _told(bench: Bench, phones: Sequence[Phone], rounds: int) -> None:
    """A change for one user, whose phones are told and the others not; until the first of them has its answer."""
    found, cpu = Measured(), bench.server.cpu()
    for number in range(rounds):
        login = f"w{number % USERS}"
        mine = [phone for phone in phones if phone.login == login]
        dav = http.client.HTTPConnection("127.0.0.1", bench.server.port, timeout=60)
        began = time.perf_counter()
        new = next(numbers)
        dav.request("PUT", f"/{login}/contacts/push-{new}.vcf", card(10**6 + new).encode(), requests.authorized(login))
        for phone in mine:
            while phone.take() is None:
                pass
            found.seconds.append(time.perf_counter() - began)
        dav.getresponse().read()
        dav.close()
        for phone in mine:
            phone.took(ask(phone, "Sync", phone.sync_body("contacts"))[0])
            phone.send("Ping", ping_body("contacts"))
        time.sleep(0.2)
    bench.add(f"{len(phones)} phones waiting, all of one user told", found, bench.server.cpu() - cpu, mine[0].bytes)


# ----------------------------------------------------------------------- table

PARTS: dict[str, Callable[..., None]] = {"initial": initial, "steps": steps, "push": push, "many": many, "waiting": waiting}


def ratios(rows: Sequence[Row]) -> list[str]:
    """What compares rows: a Sync without news must cost the same whatever is stored."""
    found = {row.data: row for row in rows if row.action == "no change" and "contacts" in row.data}
    if "1000 contacts" not in found or len(found) < 2:
        return []
    small = found["1000 contacts"]
    lines = []
    for data, row in found.items():
        ratio = row.cpu_ms / small.cpu_ms if small.cpu_ms else statistics.nan
        reached = 0.7 <= ratio <= 1.3 and 0.7 <= row.p50_ms / small.p50_ms <= 1.3
        if row is not small:
            times = f"{row.p50_ms / small.p50_ms:.2f} times the time and {ratio:.2f} times the CPU"
            lines.append(f"no change: {data} cost {times} of 1000; to reach 0.70 to 1.30: {'yes' if reached else 'NO'}")
    return lines


def table(rows: Sequence[Row]) -> Table:
    """All rows, with what had to be reached."""
    shown = Table(title="ActiveSync", title_justify="left")
    for column in ("data", "request", "p50/p95 ms", "per second", "CPU ms", "bytes", "RSS MB", "KB per phone", "to reach"):
        shown.add_column(column, justify="left" if column in ("data", "request", "to reach") else "right")
    for row in rows:
        targets = [target for target in TARGETS if target.is_of(row)]
        shown.add_row(
            row.data,
            row.action,
            f"{row.p50_ms:.2f} / {row.p95_ms:.2f}",
            f"{row.per_second:.0f}",
            f"{row.cpu_ms:.2f}",
            str(row.bytes),
            f"{row.rss_mb:.0f}",
            f"{row.phone_kb:.1f}" if row.phone_kb else "",
            ", ".join(
                f"{one.column} {'≥' if one.at_least else '≤'} {one.bound:g} {'yes' if one.is_reached_by(row) else 'NO'}" for one in targets
            ),
        )
    return shown
