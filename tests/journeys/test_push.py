"""Push: a phone that waits is told by the commit, of whatever face and whatever process, and a stopping server lets nobody hang."""

from __future__ import annotations

import base64
import http.client
import threading
import time
import urllib.request

from activesync_bridge.wbxml.codepages import AirSync
from tests.eas.phone import E, Phone, pinged, sync_of

AUTH = {"Authorization": "Basic " + base64.b64encode(b"anna:secret").decode()}
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{0}\r\nN:{0};;;;\r\nFN:{0}\r\nEND:VCARD\r\n"
SOON = 50  # seconds after which a Ping that should have been woken was not; the shortest heartbeat is 60
BRIDGE = ("activesync_bridge",)


def put(port: int, name: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("PUT", f"/anna/contacts/{name}.vcf", body=CARD.format(name).encode(), headers=AUTH)
    assert 201 == connection.getresponse().status


class Waiter(threading.Thread):
    """A request of a phone that waits, in a thread of its own."""

    def __init__(self, ask, *words):
        super().__init__(daemon=True)
        self._ask, self._words, self.answer, self.seconds = ask, words, None, 0.0
        self.start()

    def run(self) -> None:
        began = time.monotonic()
        self.answer = self._ask(*self._words)
        self.seconds = time.monotonic() - began

    def answered(self):
        """The answer; fails if it took as long as a Ping that nobody wakes."""
        self.join(SOON)
        assert not self.is_alive(), "the phone was not woken"
        return self.answer


def over_http(port: int):
    def send(method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    return send


def waiting_phones(port: int) -> int:
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    return int(float(text.partition("\nonoffice_waiting_phones ")[2].split()[0]))


def wait_until_it_waits(port: int, count: int = 1) -> None:
    """Metrics tell how many phones wait: no guess how long a request takes to get there."""
    end = time.monotonic() + SOON
    while waiting_phones(port) < count:
        assert time.monotonic() < end, "the phone does not wait"


def ready(port: int, device: str = "PHONE1") -> Phone:
    phone = Phone(over_http(port), device=device)
    phone.folder_sync()
    phone.sync("contacts")
    return phone


def test_a_ping_is_woken_by_a_put_and_by_the_other_process(running):
    """Fact 15. One process serves DAV, another one phones (`activesync-bridge`), over SQLite and PostgreSQL."""
    bridge = running.beside(serve=BRIDGE)
    try:
        here, there = ready(running.port), ready(bridge.port, "PHONE2")
        pings = [Waiter(here.ping, "contacts"), Waiter(there.ping, "contacts")]
        wait_until_it_waits(running.port)
        wait_until_it_waits(bridge.port)
        put(running.port, "one")
        assert [("2", ["contacts"])] * 2 == [ping.answered() for ping in pings]
        here.sync("contacts")
        there.sync("contacts")
        assert 1 == len(here.of("contacts").items) == len(there.of("contacts").items)
        assert 404 == over_http(bridge.port)("GET", "/anna/contacts/", AUTH, b"")[0]
    finally:
        bridge.stop()


def test_a_hanging_sync_brings_the_change_itself(running):
    """HeartbeatInterval in a Sync: the answer that ends the wait holds the new contact."""
    phone = ready(running.port)
    body = sync_of(phone.request("contacts"), more=[E(AirSync.HeartbeatInterval, "60")])
    hanging = Waiter(phone.post, "Sync", body)
    wait_until_it_waits(running.port)
    put(running.port, "two")
    answer = hanging.answered()
    assert ([], False) == phone.take(answer)
    assert 1 == len(phone.of("contacts").items)


def test_a_newer_ping_of_the_device_ends_the_older_one(running):
    """Fact 16, pain 8: also when both start within the same second; another device goes on waiting."""
    phone, other = ready(running.port), ready(running.port, "PHONE2")
    waits = Waiter(other.ping, "contacts")
    first = Waiter(phone.ping, "contacts")
    wait_until_it_waits(running.port, 2)
    second = Waiter(phone.ping, "contacts")
    assert ("1", []) == first.answered()
    put(running.port, "three")
    assert [("2", ["contacts"])] * 2 == [second.answered(), waits.answered()]


def test_a_closed_gate_wakes_a_ping(running):
    """It is told that the hierarchy changed (7), at once and not after an hour."""
    phone = ready(running.port)
    ping = Waiter(phone.ping, "contacts")
    wait_until_it_waits(running.port)
    running.command("user", "gate", "anna", "switch", "contacts", "--close")
    assert ("7", []) == ping.answered()
    assert "contacts" not in phone.folder_sync()


def test_a_stopping_server_answers_those_who_wait(running):
    """SIGTERM: a Ping that has 59 minutes left is answered now, the exit status is 0, and the phone comes again."""
    phone = ready(running.port)
    ping = Waiter(phone.ping, "contacts")
    wait_until_it_waits(running.port)
    assert 0 == running.stop()
    assert ("1", []) == ping.answered()
    running.start()
    again = Phone(over_http(running.port))
    hanging = Waiter(again.post, "Ping")  # R5632: heartbeat and folders are remembered over a restart
    wait_until_it_waits(running.port)
    put(running.port, "four")
    assert ("2", ["contacts"]) == pinged(hanging.answered())
