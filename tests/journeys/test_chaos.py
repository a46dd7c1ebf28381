"""Chaos: onOffice fails at a tenth of all requests, our server is killed at any moment, and five clients write all the while.

In the end each acknowledged write is in onOffice once, each refused one is not, and our copy is equal to onOffice's after one sweep. In each
run there are 200 writes on each database; all 1,000 with ``CHAOS_WRITES=1000 CHAOS_SEED=7``, as ``make soak`` does with a new seed each time.
Over SQLite a client comes again while onOffice fails (``onoffice_writes_during_outage = refuse``), over PostgreSQL its change is queued;
``CHAOS_OUTAGE=queue`` or ``refuse`` has both do the same. What is queued is acknowledged before onOffice can refuse it, so there nothing is refused; instead onOffice wants to be left alone now and then.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from dataclasses import fields

import pytest

from radicale_onoffice import wiring
from radicale_onoffice.core import rules
from radicale_onoffice.core.model import Contact, Kind
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.crm.onoffice import rows
from radicale_onoffice.crm.onoffice.connections import Connections
from radicale_onoffice.crm.onoffice.mirror import LeaseLost, Mirror
from radicale_onoffice.stores.sql import open_store
from tests.emulator import SECRET, TOKEN
from tests.emulator.control import RemoteControl
from tests.journeys import hasty
from tests.journeys.chaos import GONE, Client, Dav, Mobile, Wire
from tests.running import Running, free_port

WRITES = int(os.environ.get("CHAOS_WRITES", "200"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
OUTAGE = os.environ.get("CHAOS_OUTAGE", "")
FAULTY = 0.1  # share of onOffice's requests that meet a fault
WRITES_A_KILL = 50
WRITES_A_REFUSAL = 25
PATIENCE = 240  # seconds until everything that waits has to have come to an end
SERVE = ("tests.journeys.hasty", "serve")
TABLES = {Kind.CONTACTS: "address", Kind.APPOINTMENTS: "calendar", Kind.TASKS: "task"}
TITLES = {"contacts": ("address", "Vorname", "Name"), "appointments": ("calendar", "description"), "tasks": ("task", "Betreff")}
BUSY = {"kind": "status", "status": 429, "headers": {"Retry-After": "60"}}  # longer than a call may take: an outage
REFUSAL = {"kind": "error", "code": 114, "message": "This is refused."}
OURS = {"entries", "picture", "unsynced_by", "completed_at"}  # of a value: what onOffice does not hold, or holds in another form


@contextmanager
def emulated(directory, seed: int):
    """onOffice's API as a program of its own; its control."""
    port = free_port()
    words = [sys.executable, "-m", "tests.emulator", "--port", str(port), "--database", str(directory / "emulator.db"), "--seed", str(seed)]
    program = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        program.stdout.readline()
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(f"{url}/"))
        yield url, RemoteControl(url)
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


def until(said, seconds: float = 60.0) -> None:
    """Look again until it is true; fails after a while."""
    end = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


class Chaos:
    """The server, its clients, and what kills and hinders them."""

    def __init__(self, directory, database: str, seed: int, url: str, control: RemoteControl):
        self.on_outage = OUTAGE or ("queue" if database.startswith("postgresql") else "refuse")
        self.control, self.dice = control, random.Random(seed)  # noqa: S311 - repeatable, nothing secret
        self.running = Running(directory, database, ("anna", "bert", "carl"))
        for login in ("anna", "bert", "carl"):
            control.add_user(login, login.title(), "Alt")
        for kind, data in (("address", {"Name": "Alt"}), ("calendar", {"description": "Alt"}), ("task", {"Betreff": "Alt"})):
            control.add(
                kind, {**data, **({"start_dt": "2026-03-20 09:00:00", "end_dt": "2026-03-20 10:00:00"} if kind == "calendar" else {})}
            )
        text = self.running.config.read_text().replace("onoffice_crm = embedded", "onoffice_crm = onoffice")
        text = text.replace("onoffice_writes_during_outage = refuse", f"onoffice_writes_during_outage = {self.on_outage}")
        assert f"onoffice_writes_during_outage = {self.on_outage}\n" in text
        self.running.config.write_text(text.replace("onoffice_poll_seconds = 60", "onoffice_poll_seconds = 2"))
        for name, secret in (("token", TOKEN), ("secret", SECRET)):
            (directory / name).write_text(secret)
        places = [word for what in ("token", "secret") for word in (f"--{what}-file", str(directory / what))]
        self.running.command("tenant", "connect", "t", "--url", f"{url}/api/stable/api.php", *places)
        self.running.command("mirror", "fill")
        control.set_switch("signature_seconds", int(hasty.SIGNED.total_seconds()))
        self.counts: Counter[str] = Counter()
        wire = Wire(self.running.port)
        self.clients: list[Client] = [
            Dav("anna", "dav-a", wire, f"{seed} a", self.counts),
            Dav("bert", "dav-b", wire, f"{seed} b", self.counts),
            Mobile("anna", "NEW", "16.1", wire, f"{seed} c", self.counts),
            Mobile("bert", "OLD", "14.1", wire, f"{seed} d", self.counts),
            Mobile("carl", "MID", "14.0", wire, f"{seed} e", self.counts),
        ]

    @property
    def done(self) -> int:
        return self.counts["took"] + self.counts["refused"] + self.counts["given up"]

    def start(self) -> None:
        self.running.start(serve=SERVE)

    def healthy(self) -> bool:
        """True while all clients are; raises what one of them stumbled over."""
        troubles = [client.trouble for client in self.clients if client.trouble]
        assert [] == troubles, troubles[0]
        return True

    def wreak(self, writes: int) -> None:
        """Let them write, kill and hinder, until so many writes came to an end."""
        self.start()
        for client in self.clients:
            client.start()
        kill_at, refuse_at, end = self._next(WRITES_A_KILL), self._next(WRITES_A_REFUSAL), time.monotonic() + 2 * writes + PATIENCE
        while self.done < writes and self.healthy():
            assert time.monotonic() < end, self.counts
            if self.done >= refuse_at:
                verb, table = self.dice.choice(("create", "modify")), self.dice.choice(list(TABLES.values()))
                self.control.fault(**({"verb": verb, "resourcetype": table, **REFUSAL} if self.on_outage == "refuse" else BUSY))
                refuse_at = self._next(WRITES_A_REFUSAL)
            if self.done >= kill_at:
                time.sleep(self.dice.random() * 0.3)  # any moment of a request
                self.running.kill()
                self.counts["killed"] += 1
                self.start()
                kill_at = self._next(WRITES_A_KILL)
            time.sleep(0.01)

    def _next(self, average: int) -> int:
        return self.done + self.dice.randrange(1, 2 * average)

    def rest(self) -> None:
        """The faults end; whatever waits comes to an end, without a hand."""
        self.control.clear_faults()
        for client in self.clients:
            client.is_making = False
        end = time.monotonic() + PATIENCE
        while any(client.is_alive() for client in self.clients):
            assert time.monotonic() < end, [(client.name, client.things) for client in self.clients if client.is_alive()]
            self.clients[0].join(0.1)
            time.sleep(0.1)
        self.healthy()
        until(lambda: self.status()["waiting"] == 0, PATIENCE)
        assert 0 == self.running.stop()

    def status(self) -> dict[str, object]:
        (row,) = json.loads(self.running.command("mirror", "status", "--json"))
        return row

    # ---------------------------------------------------------------- judging

    def words(self) -> dict[tuple[str, str], list[str]]:
        """What onOffice holds under each mark."""
        found: dict[tuple[str, str], list[str]] = {}
        for collection, (table, *columns) in TITLES.items():
            for row in self.control.rows(table):
                mark, _, word = " ".join(row.get(column) or "" for column in columns).partition(" ")
                found.setdefault((collection, mark), []).append(word)
        return found

    def judge_writes(self) -> None:
        """Exactly once, or not at all; and a contact has its number once."""
        words = self.words()
        for client in self.clients:
            for (collection, mark), thing in client.things.items():
                there = words.get((collection, mark), [])
                what = (client.name, collection, mark, thing, there)
                assert len(there) <= 1, what
                assert (there[0] if there else GONE) in thing.allowed, what
        for row in self.control.rows("address"):
            assert len(row["entries"]) == len({entry["value"] for entry in row["entries"]}), row

    def judge_copy(self) -> None:
        """Field by field, as our own reading of onOffice's rows has it."""
        store = open_store(self.database)
        connections = Connections(store, wiring.open_client, wiring.utc_now)
        office = wiring.assemble(store, policy=Policy(), default_tenant="t", connections=connections)
        connection = connections.to("t")
        parts = {"store": store, "records": office.records, "client": connection.client, "access": connection.access}
        mirror = Mirror(**parts, tenant="t", clock=wiring.utc_now, holder="judge")
        until(lambda: swept(mirror))  # the last server that was killed may have a lease yet
        mirror.release()
        try:
            assert {} == mirror.memory().alarms
            with store.reading() as tx:
                assert [] == tx.errands("t")
                links = {kind: tx.links("t", kind) for kind in Kind}
                stored = {kind: {one.id: one.value for one in tx.all_records("t", kind)} for kind in Kind}
            for kind in Kind:
                theirs = {str(row["id"]) for row in self.control.rows(TABLES[kind])}
                assert theirs == set(links[kind])
                assert set(links[kind].values()) == set(stored[kind])
                for crm_id, row in rows.fetch(connection.client, connection.account(), kind, theirs).items():
                    read = rules.normalise(rows.load(kind, row, connection.account()))
                    assert said(read) == said(stored[kind][links[kind][crm_id]])
        finally:
            connections.close()
            store.close()

    @property
    def database(self) -> str:
        line = next(line for line in self.running.config.read_text().splitlines() if line.startswith("onoffice_database"))
        return line.partition("= ")[2]


def swept(mirror: Mirror) -> bool:
    try:
        mirror.sweep()
    except LeaseLost:
        return False
    return True


def said(value) -> dict[str, object]:
    """What onOffice and we have to agree on."""
    found = {one.name: getattr(value, one.name) for one in fields(value) if one.name not in OURS}
    if isinstance(value, Contact):
        found["numbers"] = sorted((entry.kind, entry.value) for entry in value.entries)
    return found


@pytest.mark.slow
def test_chaos_loses_nothing_and_doubles_nothing(tmp_path, database_url):
    """Faults, kill -9 and refusals, over SQLite and PostgreSQL."""
    with emulated(tmp_path, SEED) as (url, control):
        chaos = Chaos(tmp_path, database_url, SEED, url, control)
        try:
            control.chaos(FAULTY, SEED)
            chaos.wreak(WRITES)
            chaos.rest()
            chaos.judge_writes()
            chaos.judge_copy()
        finally:
            sys.stdout.write(f"seed {SEED}: {dict(chaos.counts)}\n")
            for client in chaos.clients:
                client.over.set()
            if chaos.running.process and chaos.running.process.poll() is None:
                chaos.running.kill()
        assert chaos.counts["killed"] >= WRITES // WRITES_A_KILL // 3
        assert chaos.counts["took"] > 0.7 * chaos.done
