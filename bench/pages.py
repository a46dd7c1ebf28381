"""The pages over 10,000 contacts and 500 users, as an administrator's browser asks for them: the server's time for each page."""

from __future__ import annotations

import http.client
import re
import sqlite3
import statistics
import tempfile
import time
import urllib.parse
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from bench.phones import Phone, run
from bench.servers import Ours

CONTACTS, USERS, PHONES = 10_000, 500, 100
MOST_MS, MOST_BYTES = 50, 100 * 1024
# What is opened: a path, or a page with the pattern of the link on it that is followed
PAGES: dict[str, str | tuple[str, str]] = {
    "my sync": "/",
    "my contacts": "/contacts",
    "my contacts, last page": "/contacts?page=200",
    "my contacts, searched by name": "/contacts?search=Richter12",
    "my contacts, searched in vain": "/contacts?search=nobody",
    "a contact": ("/contacts", r'href="/\.web(/contacts/[a-z0-9]+)"'),
    "my devices": "/devices",
    "a device": ("/devices", r'href="/\.web(/devices/[a-z0-9]+)"'),
    "set up a device": "/set-up",
    "set up an iPhone": "/set-up/iphone",
    "account": "/account",
    "administration": "/admin",
    "users": "/admin/users",
    "users, last page": "/admin/users?page=10",
    "users, searched": "/admin/users?text=w49",
    "users as CSV": "/admin/users.csv",
    "a user": "/admin/users/w1",
    "all devices": "/admin/devices",
    "audit log": "/admin/audit",
}


@dataclass
class Row:
    """One page."""

    page: str
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    bytes: int


class Browser:
    """One keep-alive connection of somebody who is signed in."""

    def __init__(self, server: Ours):
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        form = urllib.parse.urlencode({"login": "u", "password": "secret", "wanted": "/"})
        self._connection.request("POST", "/.web/sign-in", form, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = self._connection.getresponse()
        answer.read()
        self._cookie = (answer.headers["Set-Cookie"] or "").partition(";")[0]

    def get(self, path: str) -> bytes:
        """A page."""
        self._connection.request("GET", f"/.web{path}", headers={"Cookie": self._cookie, "Accept-Language": "en"})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{path} was answered {answer.status}: {content[:300]!r}")
        return content

    def address(self, where: str | tuple[str, str]) -> str:
        """A path, or the first one that a page links to."""
        if isinstance(where, str):
            return where
        found = re.search(where[1], self.get(where[0]).decode())
        if found is None:
            raise RuntimeError(f"{where[0]} has no link like {where[1]}")
        return found[1]


def measure(*, quick: bool) -> list[Row]:
    """All pages, one after the other."""
    with tempfile.TemporaryDirectory(prefix="onoffice-bench-") as directory:
        server = Ours(Path(directory) / "ours")
        server.fill(1000, 500, datetime.now(UTC).date())
        if not quick:
            server.multiply(CONTACTS // 1000)
        server.add_users(USERS)
        with sqlite3.connect(server.directory / "office.db") as database:
            database.execute("UPDATE users SET admin = 1 WHERE login = 'u'")
        server.start()
        try:
            run([Phone(server.port, f"DEV{one}", login=f"w{one}") for one in range(PHONES)], lambda phone: phone.first_sync("contacts"))
            run([Phone(server.port, "MINE")], lambda phone: phone.first_sync("contacts"))
            browser = Browser(server)
            if not quick and f"{CONTACTS:,}".encode() not in browser.get("/contacts"):
                raise RuntimeError(f"The page does not list {CONTACTS:,} contacts.")
            return [_measure(server, browser, page, browser.address(where), 10 if quick else 60) for page, where in PAGES.items()]
        finally:
            server.stop()


def _measure(server: Ours, browser: Browser, page: str, path: str, rounds: int) -> Row:
    content = browser.get(path)
    seconds, cpu = [], server.cpu()
    for _ in range(rounds):
        began = time.perf_counter()
        browser.get(path)
        seconds.append(time.perf_counter() - began)
    seconds.sort()
    p95 = seconds[min(int(rounds * 0.95), rounds - 1)]
    return Row(page, statistics.median(seconds) * 1000, p95 * 1000, (server.cpu() - cpu) / rounds * 1000, len(content))


def table(rows: list[Row]) -> Table:
    """All rows, with what had to be reached."""
    shown = Table(title=f"Pages: {CONTACTS:,} contacts, {USERS} users", title_justify="left")
    for column in ("page", "p50/p95 ms", f"to reach: {MOST_MS} ms", "CPU ms", "bytes", "to reach: 100 KB"):
        shown.add_column(column, justify="left" if column == "page" else "right")
    for row in rows:
        in_time, is_small = row.p50_ms <= MOST_MS, row.bytes <= MOST_BYTES or row.page.endswith("CSV")
        shown.add_row(
            row.page,
            f"{row.p50_ms:.1f} / {row.p95_ms:.1f}",
            "yes" if in_time else "NO",
            f"{row.cpu_ms:.1f}",
            str(row.bytes),
            "yes" if is_small else "NO",
        )
    return shown
