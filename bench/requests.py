"""The measured requests; each is prepared outside of the timing and timed from the first byte sent to the last one read."""

from __future__ import annotations

import base64
import http.client
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from bench.data import card, event
from bench.servers import Server

XML = '<?xml version="1.0"?>'
NS = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:CS="http://calendarserver.org/ns/"'
CTAG = f"{XML}<D:propfind {NS}><D:prop><CS:getctag/><D:sync-token/></D:prop></D:propfind>"
ETAGS = f"{XML}<D:propfind {NS}><D:prop><D:getetag/></D:prop></D:propfind>"
SYNC = f"{XML}<D:sync-collection {NS}><D:sync-token>{{}}</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
MULTIGET = f"{XML}<CR:addressbook-multiget {NS}><D:prop><D:getetag/><CR:address-data/></D:prop>{{}}</CR:addressbook-multiget>"
RANGE = (
    f"{XML}<C:calendar-query {NS}><D:prop><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name='VCALENDAR'>"
    "<C:comp-filter name='VEVENT'><C:time-range start='{}' end='{}'/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
)


def authorized(login: str) -> dict[str, str]:
    """Headers of a user's request."""
    return {"Authorization": "Basic " + base64.b64encode(f"{login}:secret".encode()).decode(), "Content-Type": "application/xml"}


AUTH = authorized("u")


class Client:
    """One keep-alive connection."""

    def __init__(self, server: Server):
        self.server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)

    def request(self, method: str, path: str, body: str = "", depth: str = "0") -> tuple[int, bytes]:
        """Status and body; a server that closed the connection is asked again."""
        headers = {**AUTH, "Depth": depth}
        try:
            self._connection.request(method, path, body.encode(), headers)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            self._connection.close()
            self._connection.request(method, path, body.encode(), headers)
            answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{self.server.name}: {method} {path} was answered {answer.status}: {content[:300]!r}")
        return answer.status, content


@dataclass
class Measured:
    """Seconds per request, and what they cost the server."""

    seconds: list[float] = field(default_factory=list)
    cpu: float = 0.0
    wall: float = 0.0
    size: int = 0

    def quantile(self, part: float) -> float:
        """The value below which this part of the requests stayed, in seconds."""
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * part), len(ordered) - 1)]

    @property
    def rate(self) -> float:
        """Requests per second of all clients together."""
        return len(self.seconds) / self.wall if self.wall else 0.0


Action = Callable[[Client, int], tuple[str, str, str, str]]  # client, number of the request -> method, path, body, depth


def token_of(client: Client) -> str:
    """The newest sync-token of the contacts."""
    _, content = client.request("PROPFIND", client.server.contacts, CTAG)
    found = re.search(rb"<(?:\w+:)?sync-token>([^<]+)<", content)
    assert found is not None
    return found[1].decode()


def some_names(client: Client, count: int) -> list[str]:
    """Paths of the first contacts."""
    _, content = client.request("PROPFIND", client.server.contacts, ETAGS, "1")
    return [path.decode() for path in re.findall(rb"<(?:\w+:)?href>([^<]+\.vcf)<", content)][:count]


def one_change(client: Client, number: int) -> tuple[str, str, str, str]:
    """Change one contact, then ask what changed since before."""
    token = token_of(client)
    client.request("PUT", f"{client.server.contacts}changing.vcf", card(10**6, f"Aachen {time.monotonic_ns()}"))
    return "REPORT", client.server.contacts, SYNC.format(token), "0"


def contact_actions(client: Client) -> dict[str, Action]:
    """Rows over contacts; what can be prepared once is prepared here."""
    folder = client.server.contacts
    multiget = MULTIGET.format("".join(f"<D:href>{path}</D:href>" for path in some_names(client, 100)))
    client.request("PUT", f"{folder}changing.vcf", card(10**6))
    token = token_of(client)
    return {
        "PROPFIND 0, ctag and sync-token": lambda _c, _n: ("PROPFIND", folder, CTAG, "0"),
        "sync-collection, nothing changed": lambda _c, _n: ("REPORT", folder, SYNC.format(token), "0"),
        "sync-collection, one change": one_change,
        "sync-collection, initial": lambda _c, _n: ("REPORT", folder, SYNC.format(""), "0"),
        "PROPFIND 1, getetag": lambda _c, _n: ("PROPFIND", folder, ETAGS, "1"),
        "multiget of 100": lambda _c, _n: ("REPORT", folder, multiget, "0"),
        "PUT, replace": lambda _c, n: ("PUT", f"{folder}changing.vcf", card(10**6, f"Köln {n} {time.monotonic_ns()}"), "0"),
        "PUT, new": lambda _c, n: ("PUT", f"{folder}new-{n}.vcf", card(2 * 10**6 + n), "0"),
    }


def calendar_actions(client: Client, today: date) -> dict[str, Action]:
    """Rows over appointments."""
    folder = client.server.calendar
    month = RANGE.format(f"{today:%Y%m%d}T000000Z", f"{today + timedelta(days=30):%Y%m%d}T000000Z")
    return {
        "time-range REPORT of a month, with data": lambda _c, _n: ("REPORT", folder, month, "1"),
        "PROPFIND 1, getetag": lambda _c, _n: ("PROPFIND", folder, ETAGS, "1"),
        "PUT, new": lambda _c, n: ("PUT", f"{folder}new-{n}.ics", event(10**6 + n, today), "0"),
    }


def measure(clients: list[Client], action: Action, rounds: int) -> Measured:
    """Run an action ``rounds`` times on each client at once."""
    measured = Measured()
    numbers = iter(range(measure.counter, 10**9))
    failed: list[BaseException] = []

    def work(client: Client) -> None:
        try:
            for _ in range(rounds):
                method, path, body, depth = action(client, next(numbers))
                began = time.perf_counter()
                _, content = client.request(method, path, body, depth)
                measured.seconds.append(time.perf_counter() - began)
                measured.size = len(content)
        except (RuntimeError, OSError, http.client.HTTPException) as error:
            failed.append(error)

    server = clients[0].server
    cpu, began = server.cpu(), time.perf_counter()
    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    measured.wall, measured.cpu = time.perf_counter() - began, server.cpu() - cpu
    measure.counter += rounds * len(clients)
    if failed:
        raise failed[0]
    return measured


measure.counter = 0
