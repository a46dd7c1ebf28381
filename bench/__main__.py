"""``python -m bench``: ours beside stock Radicale over DAV, phones over ActiveSync, the pages, and an onOffice behind it, as tables and JSON.

``--only dav``, ``pages``, ``eas``, ``onoffice`` or a part such as ``--only eas.push`` leaves out the rest (``make bench ONLY=eas.push``).
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import eas, onoffice, pages, requests
from bench.servers import Ours, Server, Stock

OUT = Path(__file__).parent / "out"
# What has to be reached: how many times faster than stock, one client, in the median
TARGETS = {
    ("10000 contacts", "sync-collection, nothing changed"): 100,
    ("10000 contacts", "sync-collection, one change"): 100,
    ("10000 contacts", "PROPFIND 0, ctag and sync-token"): 100,
    ("10000 contacts", "PUT, new"): 20,
    ("10000 contacts", "PROPFIND 1, getetag"): 2,
    ("10000 contacts", "sync-collection, initial"): 2.5,
    ("10000 contacts", "multiget of 100"): 2.5,
    ("500 appointments", "time-range REPORT of a month, with data"): 10,
}
MANY = 8  # clients
SLOW = ("sync-collection, initial", "PROPFIND 1, getetag")
MAX_RSS = 200  # MB, ours with 10,000 contacts


@dataclass
class Row:
    """One line of the table."""

    data: str
    action: str
    clients: int
    server: str
    p50_ms: float
    p95_ms: float
    per_second: float
    cpu_ms: float
    bytes: int
    rss_mb: float


def measure_server(server: Server, data: str, rounds: int, today) -> list[Row]:
    """All rows of one server over one set of data."""
    server.start()
    rows = []
    try:
        first = requests.Client(server)
        actions = requests.calendar_actions(first, today) if "appointments" in data else requests.contact_actions(first)
        for name, action in actions.items():
            times = max(5, rounds // 4) if name in SLOW else rounds
            requests.measure([first], action, 2)
            for count in (1, MANY):
                clients = [requests.Client(server) for _ in range(count)]
                share = times if count == 1 else max(2, times // MANY)
                rows.append(_row(data, name, count, server, requests.measure(clients, action, share)))
    finally:
        server.stop()
    return rows


def _row(data: str, name: str, count: int, server: Server, found: requests.Measured) -> Row:
    return Row(
        data=data,
        action=name,
        clients=count,
        server=server.name,
        p50_ms=found.quantile(0.5) * 1000,
        p95_ms=found.quantile(0.95) * 1000,
        per_second=found.rate,
        cpu_ms=found.cpu / len(found.seconds) * 1000,
        bytes=found.size,
        rss_mb=server.rss(),
    )


def table(rows: list[Row]) -> Table:
    """Ours beside stock, with what had to be reached."""
    found = {(row.data, row.action, row.clients, row.server): row for row in rows}
    shown = Table(title="radicale-onoffice beside stock Radicale (multifilesystem)", title_justify="left")
    for column in (
        "data",
        "request",
        "clients",
        "ours p50/p95 ms",
        "stock p50/p95 ms",
        "times",
        "to reach",
        "req/s",
        "CPU ms",
        "bytes",
        "RSS MB",
    ):
        shown.add_column(column, justify="left" if column in ("data", "request") else "right")
    for (data, action, clients, server), ours in found.items():
        stock = found.get((data, action, clients, "stock"))
        if server != "ours" or stock is None:
            continue
        times = stock.p50_ms / ours.p50_ms
        wanted = TARGETS.get((data, action)) if clients == 1 else None
        reached = "" if wanted is None else f"{wanted} {'yes' if times >= wanted else 'NO'}"
        shown.add_row(
            data,
            action,
            str(clients),
            f"{ours.p50_ms:.2f} / {ours.p95_ms:.2f}",
            f"{stock.p50_ms:.2f} / {stock.p95_ms:.2f}",
            f"{times:.1f}",
            reached,
            f"{ours.per_second:.0f} / {stock.per_second:.0f}",
            f"{ours.cpu_ms:.1f} / {stock.cpu_ms:.1f}",
            f"{ours.bytes} / {stock.bytes}",
            f"{ours.rss_mb:.0f} / {stock.rss_mb:.0f}",
        )
    return shown


def remarks(rows: list[Row]) -> list[str]:
    """The targets that compare our own rows."""
    ours = {(row.data, row.action, row.clients): row for row in rows if row.server == "ours"}
    lines = []
    for action in ("sync-collection, nothing changed", "sync-collection, one change"):
        small, large = ours.get(("1000 contacts", action, 1)), ours.get(("10000 contacts", action, 1))
        if small and large:
            ratio = large.p50_ms / small.p50_ms
            lines.append(
                f"{action}: 10,000 contacts cost {ratio:.2f} times what 1,000 cost; to reach 0.70 to 1.30: {'yes' if 0.7 <= ratio <= 1.3 else 'NO'}"
            )
    slower = [
        f"{data}, {action} ({row.per_second:.0f}/s against {ours[(data, action, 1)].per_second:.0f}/s)"
        for (data, action, clients), row in ours.items()
        if clients == MANY and row.per_second < ours[(data, action, 1)].per_second
    ]
    lines.append(f"{MANY} clients slower in sum than one: {'; '.join(slower) or 'nowhere'}")
    rss = max((row.rss_mb for row in rows if row.server == "ours"), default=0)
    lines.append(f"Most memory of ours: {rss:.0f} MB; to reach {MAX_RSS}: {'yes' if rss <= MAX_RSS else 'NO'}")
    return lines


def dav(console: Console, rounds: int, *, quick: bool) -> list[Row]:
    """Measure and print ours beside stock."""
    sets = [("1000 contacts", 1000, 0), ("10000 contacts", 10000, 0), ("500 appointments", 0, 500)]
    today, rows = datetime.now(UTC).date(), []
    for data, contacts, events in sets if not quick else [sets[0], sets[2]]:
        for kind in (Ours, Stock):
            with tempfile.TemporaryDirectory(prefix="onoffice-bench-") as directory:
                server = kind(Path(directory) / kind.name)
                console.print(f"{data}: {kind.name}", style="dim")
                server.fill(contacts, events, today)
                rows += measure_server(server, data, rounds, today)
    console.print(table(rows))
    for line in remarks(rows):
        console.print(line, highlight=False)
    return rows


def parts(console: Console, module: Any, name: str, only: str, *, quick: bool) -> list[Any]:
    """Measure and print the parts of ``module`` that are wanted (``PARTS``, ``table`` of its own rows); ``name`` is what ``--only`` calls it."""
    rows: list[Any] = []
    for part, measure in module.PARTS.items():
        if only in ("", name, f"{name}.{part}"):
            console.print(f"{name}: {part}", style="dim")
            measure(rows, quick=quick)
    if rows:
        console.print(module.table(rows))
    return rows


def phones(console: Console, only: str, *, quick: bool) -> list[eas.Row]:
    """Measure and print the parts of ActiveSync that are wanted."""
    rows = parts(console, eas, "eas", only, quick=quick)
    for line in eas.ratios(rows):
        console.print(line, highlight=False)
    return rows


def browsers(console: Console, *, quick: bool) -> list[pages.Row]:
    """Measure and print the pages."""
    console.print("Pages", style="dim")
    rows = pages.measure(quick=quick)
    console.print(pages.table(rows))
    return rows


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--rounds", type=int, default=40, help="requests per row and client, of the DAV part")
    parser.add_argument("--quick", action="store_true", help="small sets and few rounds only")
    chosen = [f"{name}.{part}" for name, module in (("eas", eas), ("onoffice", onoffice)) for part in module.PARTS]
    parser.add_argument("--only", default="", choices=("", "dav", "eas", "onoffice", "pages", *chosen), help="one part")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(1))  # so that the servers are stopped
    console = Console(width=190)
    found = {
        "dav": dav(console, 8 if options.quick else options.rounds, quick=options.quick) if options.only in ("", "dav") else [],
        "eas": phones(console, options.only, quick=options.quick),
        "pages": browsers(console, quick=options.quick) if options.only in ("", "pages") else [],
        "onoffice": parts(console, onoffice, "onoffice", options.only, quick=options.quick),
    }
    OUT.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    (OUT / f"{stamp}.json").write_text(json.dumps({part: [vars(row) for row in rows] for part, rows in found.items()}, indent=1))


if __name__ == "__main__":
    main()
