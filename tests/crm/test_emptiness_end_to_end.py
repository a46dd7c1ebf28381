"""A right that onOffice's API user loses, or never had, as a phone, a DAV client and the administrator meet it: over a server that runs."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from radicale_onoffice import mirrors
from radicale_onoffice.core.model import Kind
from radicale_onoffice.crm.onoffice.memory import memory_of, save_memory
from radicale_onoffice.stores.sql import open_store
from tests.crm.pulled import TABLES
from tests.crm.test_end_to_end import Agency, agency, until  # noqa: F401 - the fixture
from tests.eas.phone import KeyLost
from tests.journeys.test_push import AUTH, over_http

FOLDERS = {Kind.CONTACTS: "contacts", Kind.APPOINTMENTS: "calendar", Kind.TASKS: "tasks"}


class Office:
    """An agency with three records of each kind, and what its user sees of them."""

    def __init__(self, made: Agency):
        self.made, self.control, self.running = made, made.control, made.running
        day = datetime.now(UTC) + timedelta(days=2)
        times = {"start_dt": f"{day:%Y-%m-%d} 09:00:00", "end_dt": f"{day:%Y-%m-%d} 10:00:00"}
        anna = self.control.user("anna")
        for number in range(3):
            self.control.add("address", {"Name": f"A{number}"}, sync=[anna])
            self.control.add("calendar", {"description": f"A{number}", **times}, users=[anna])
            self.control.add("task", {"Betreff": f"A{number}", "Verantwortung": "anna"})
        self.control.delete("address", made.number)
        line = next(line for line in self.running.config.read_text().splitlines() if line.startswith("onoffice_database"))
        self.store = open_store(line.partition("= ")[2])

    def state(self) -> mirrors.State:
        with self.store.reading() as tx:
            return mirrors.state_of(tx, "t", datetime.now(UTC))

    def allow(self, kind: Kind, *, allowed: bool) -> None:
        """The right of the API user to read a kind."""
        self.control.set_right(self.control.user("api"), TABLES[kind][0], "read", allowed=allowed)

    def alarms(self) -> dict[Kind, str]:
        return {kind: one.alarm for kind, one in self.state().kinds.items() if one.alarm}

    def problems(self) -> str:
        """What `check` says."""
        return str([row["seen"] for row in json.loads(self.running.command("check", "--json", status=1)) if row["state"] == "problem"])

    def metric(self, name: str) -> float:
        text = urllib.request.urlopen(f"{self.running.url}/metrics", timeout=10).read().decode()
        return float(text.partition(f"\n{name} ")[2].split()[0])

    def on_dav(self, kind: Kind) -> int:
        """Items of a DAV client."""
        text = over_http(self.running.port)("GET", f"/anna/{FOLDERS[kind]}/", AUTH, b"")[2].decode()
        return sum(text.count(f"BEGIN:{name}\r\n") for name in ("VCARD", "VEVENT", "VTODO"))

    def on_phone(self, phone, kind: Kind) -> int:
        try:
            phone.sync(kind.value)
        except KeyLost:
            raise AssertionError("the phone had to fetch everything again") from None
        return len(phone.of(kind.value).items)

    def look_tonight(self) -> None:
        """As if it were night: what is doubtful is walked through."""
        with self.store.writing() as tx:
            memory = memory_of(tx, "t")
            memory.sweep_at = "2026-01-01T00:00:00+00:00"
            save_memory(tx, "t", memory)


@pytest.fixture
def office(agency):  # noqa: F811
    made = Office(agency)
    yield made
    made.store.close()


def test_no_device_loses_a_record_with_a_right(office):
    """Kind by kind, and all at once: an alarm by kind, everything stays on every device, also at night, and recovery needs no hand."""
    office.running.command("mirror", "fill")
    office.running.start()
    phone = office.made.phone()
    for lost in ([Kind.CONTACTS], [Kind.APPOINTMENTS], [Kind.TASKS], list(Kind)):
        for kind in lost:
            office.allow(kind, allowed=False)
        until(lambda lost=lost: set(lost) == set(office.alarms()))
        until(lambda lost=lost: office.look_tonight() or all("3 of 3" in text for text in office.alarms().values()))
        assert (1.0, 1.0) == (
            office.metric('onoffice_mirror_alarm{tenant="t"}'),
            office.metric(f'onoffice_mirror_stale{{kind="{lost[0]}",tenant="t"}}'),
        )
        assert [3] * 6 == [office.on_dav(kind) for kind in Kind] + [office.on_phone(phone, kind) for kind in Kind]
        told = office.problems()
        assert all(f"onOffice shows none of its {kind}" in told for kind in lost)
        for kind in lost:
            office.allow(kind, allowed=True)
        until(lambda: not office.alarms())
    assert [3] * 6 == [office.on_dav(kind) for kind in Kind] + [office.on_phone(phone, kind) for kind in Kind]
    assert 0.0 == office.metric('onoffice_mirror_alarm{tenant="t"}')
    assert 0 == office.running.stop()
    log = (office.running.directory / "server.log").read_text()
    assert "Does the API user still have its rights?" in log
    assert "is plausible again" in log


@pytest.mark.parametrize("kind", list(Kind))
def test_a_first_fill_without_a_right_is_told_of_and_mends_itself(office, kind):
    """The other kinds are there at once; this one is as soon as the API user may read it."""
    office.allow(kind, allowed=False)
    office.running.start()
    until(lambda: office.state().lag[Kind.TASKS] is not None and office.state().doubts)
    told = f"onOffice shows no {kind} at all; if it has some, the API user lacks the right to read them"
    assert ({}, (told,)) == (office.alarms(), office.state().doubts)
    assert [("note", f"t: {told}")] == [
        (row["state"], row["seen"]) for row in json.loads(office.running.command("check", "--json")) if "at all" in row["seen"]
    ]
    assert ("", told) == (office.made.status()["alarm"], office.made.status()["doubt"])
    assert (0.0, 0.0) == (
        office.metric('onoffice_mirror_alarm{tenant="t"}'),
        office.metric(f'onoffice_mirror_stale{{kind="{kind}",tenant="t"}}'),
    )
    phone = office.made.phone()
    assert {one: 0 if one is kind else 3 for one in Kind} == {one: office.on_phone(phone, one) for one in Kind}
    office.allow(kind, allowed=True)
    until(lambda: not office.state().doubts and office.state().lag[kind] is not None)
    assert [3] * 6 == [office.on_dav(one) for one in Kind] + [office.on_phone(phone, one) for one in Kind]
    assert 0 == office.running.stop()
