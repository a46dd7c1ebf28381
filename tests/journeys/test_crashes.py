"""The server killed in the middle of its work, or asked to stop: what was acknowledged is there, and nothing is half there."""

from __future__ import annotations

import base64
import http.client
import json
import random
import threading

import pytest

from tests.running import Running

AUTH = {"Authorization": "Basic " + base64.b64encode(b"anna:secret").decode()}
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{0}\r\nN:Berger;{0};;;\r\nFN:{0} Berger\r\nNOTE:{1}\r\nEND:VCARD\r\n"
CLIENTS, PUTS, KILLS = 4, 1000, 5


class Writer(threading.Thread):
    """A client that PUTs until the server is gone, and keeps what was acknowledged."""

    def __init__(self, port: int, number: int, generation: int, count: int, acknowledged: list):
        super().__init__()
        self._port, self._number, self._generation, self._count, self._acknowledged = port, number, generation, count, acknowledged

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        for step in range(self._count):
            name = f"{self._generation}-{self._number}-{step}"
            text = CARD.format(name, "x" * (step % 300))
            try:
                connection.request("PUT", f"/anna/contacts/{name}.vcf", body=text.encode(), headers=AUTH)
                answer = connection.getresponse()
                answer.read()
            except (http.client.HTTPException, OSError):
                return
            if answer.status == 201:
                self._acknowledged.append((name, text))


def get(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers=AUTH)
    return connection.getresponse().read().decode()


def write(server: Running, generation: int, count: int, acknowledged: list) -> list[Writer]:
    writers = [Writer(server.port, number, generation, count, acknowledged) for number in range(CLIENTS)]
    for writer in writers:
        writer.start()
    return writers


def wait_for(acknowledged: list, wanted: int, writers: list[Writer]) -> None:
    while len(acknowledged) < wanted and any(writer.is_alive() for writer in writers):
        writers[0].join(0.002)


@pytest.mark.slow
def test_a_killed_server_keeps_every_acknowledged_write(running):
    """kill -9 in the middle of 1,000 PUTs of four clients, five times over: `check --deep` finds nothing."""
    dice = random.Random(1)  # noqa: S311 - when to kill, not a secret
    acknowledged: list[tuple[str, str]] = []
    for generation in range(KILLS):
        before = len(acknowledged)
        writers = write(running, generation, PUTS // CLIENTS, acknowledged)
        wait_for(acknowledged, before + dice.randrange(20, 200), writers)
        running.kill()
        for writer in writers:
            writer.join()
        assert len(acknowledged) > before
        running.start()
    book = get(running.port, "/anna/contacts/")
    assert [] == [name for name, text in acknowledged if text not in book]
    assert book.count("BEGIN:VCARD") == book.count("END:VCARD") >= len(acknowledged)
    running.stop()
    rows = json.loads(running.command("check", "--deep", "--json"))
    assert [] == [row for row in rows if row["state"] == "problem"]


def test_sigterm_lets_running_requests_finish(running):
    """Exit status 0; every acknowledged write is there after the next start."""
    acknowledged: list[tuple[str, str]] = []
    writers = write(running, 0, PUTS // CLIENTS, acknowledged)
    wait_for(acknowledged, 40, writers)
    status = running.stop()
    for writer in writers:
        writer.join()
    running.start()
    book = get(running.port, "/anna/contacts/")
    assert (0, []) == (status, [name for name, text in acknowledged if text not in book])
