"""All of it at once: the commands, a server of its own, an onOffice that really listens, a DAV client and a phone."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from activesync_bridge.wbxml.codepages import Calendar, Contacts
from tests.eas.phone import E, add, change, status_of
from tests.emulator import Emulator
from tests.journeys.test_push import AUTH, CARD, SOON, Waiter, over_http, put, ready, wait_until_it_waits
from tests.running import Running


class Agency:
    """A running server, connected to an emulated onOffice in which anna has one contact."""

    def __init__(self, running: Running, emulator: Emulator, url: str):
        self.running, self.control = running, emulator.control
        running.connect(emulator, url, poll_seconds=1, by_command=True)
        self.number = self.control.add("address", {"Name": "Eins"}, sync=[self.control.user("anna")])

    def names(self) -> list[str]:
        return sorted(row["Name"] for row in self.control.rows("address"))

    def status(self) -> dict[str, object]:
        (row,) = json.loads(self.running.command("mirror", "status", "--json"))
        return row

    def phone(self):
        return ready(self.running.port)


@pytest.fixture
def agency(tmp_path, database_url):
    emulator = Emulator()
    with emulator.serve() as url:
        running = Running(tmp_path, database_url)
        yield Agency(running, emulator, url)
        if running.process and running.process.poll() is None:
            running.kill()
    emulator.close()


def last_names(phone) -> list[str]:
    return sorted(item.text_of(Contacts.LastName) for item in phone.of("contacts").items.values())


def until(said) -> None:
    """Look again until it is true; fails after a while."""
    end = time.monotonic() + SOON
    while not said():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def test_devices_write_to_onoffice_and_hear_from_it(agency):
    """Connect, fill, serve: a PUT and a phone's changes arrive in onOffice, and an edit there wakes the phone that waits."""
    assert "1 contacts" in agency.running.command("mirror", "fill")
    agency.running.start()
    put(agency.running.port, "Zwei")
    assert ["Eins", "Zwei"] == agency.names()
    phone = agency.phone()
    assert ["Eins", "Zwei"] == last_names(phone)

    (eins,) = (key for key, item in phone.of("contacts").items.items() if item.text_of(Contacts.LastName) == "Eins")
    phone.sync("contacts", change(eins, E(Contacts.LastName, "Eins-Neu")))
    assert ["Eins-Neu", "Zwei"] == agency.names()
    start = datetime.now(UTC) + timedelta(days=2)
    times = [E(tag, f"{at:%Y%m%dT%H0000Z}") for tag, at in ((Calendar.StartTime, start), (Calendar.EndTime, start + timedelta(hours=1)))]
    (response,) = phone.sync("appointments", add("c1", E(Calendar.Subject, "Besichtigung"), *times))
    assert "1" == status_of(response)
    assert ["Besichtigung"] == [row["description"] for row in agency.control.rows("calendar")]

    ping = Waiter(phone.ping, "contacts")
    wait_until_it_waits(agency.running.port)
    agency.control.edit("address", agency.number, Name="Drei")
    assert ("2", ["contacts"]) == ping.answered()
    phone.sync("contacts")
    assert ["Drei", "Zwei"] == last_names(phone)
    assert 0 == agency.running.stop()


def test_a_server_fills_what_nobody_filled(agency):
    """A tenant that is connected while the server runs is found, filled, and told of."""
    agency.running.start()
    until(lambda: agency.status()["contacts lag"] is not None)
    assert ["Eins"] == last_names(agency.phone())
    assert 0 == agency.running.stop()
    agency.running.start()
    agency.control.edit("address", agency.number, Name="Neu")
    until(lambda: "Neu" in agency.running.command("record", "list", "--tenant", "t"))
    assert 0 == agency.running.stop()


def test_an_outage_keeps_reads_and_ends_by_itself(agency):
    """A server that starts while onOffice is away: reads work, a write is told to come again, and then all is well without a hand."""
    agency.running.command("mirror", "fill")
    agency.control.fault(kind="status", status=429, times=1_000_000)
    agency.running.start()
    assert ["Eins"] == last_names(agency.phone())
    assert 503 == put_status(agency, "Zwei")
    assert ["Eins"] == agency.names()
    agency.control.clear_faults()
    until(lambda: put_status(agency, "Zwei") in (201, 204))
    assert ["Eins", "Zwei"] == agency.names()
    assert 0 == agency.running.stop()


def put_status(agency: Agency, name: str) -> int:
    return over_http(agency.running.port)("PUT", f"/anna/contacts/{name}.vcf", AUTH, CARD.format(name).encode())[0]
