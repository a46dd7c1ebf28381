"""A page for people: rows of each kind, the log of requests, switches and counters."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from .switches import SWITCHES

if TYPE_CHECKING:
    from .emulator import Emulator

TABS = ("request", "address", "calendar", "task", "user", "group", "estate", "log", "switches")
SHOWN = {
    "address": ("id", "Vorname", "Name", "Zusatz1", "Ort", "modified"),
    "calendar": ("id", "description", "start_dt", "end_dt", "status", "modified"),
    "task": ("id", "Betreff", "Status", "erledigt", "Verantwortung", "modified"),
    "user": ("id", "Name", "Vorname", "Nachname", "email", "online"),
    "group": ("id", "name", "type", "users"),
    "estate": ("id", "address"),
}
STYLE = """body{font:15px system-ui,sans-serif;margin:2em;color:#222} table{border-collapse:collapse} td,th{padding:.3em .8em;text-align:left;
vertical-align:top;border-bottom:1px solid #ddd} nav a{margin-right:1em} .on{font-weight:bold} pre{white-space:pre-wrap;max-width:60em;font-size:12px}
.bad{color:#a00}"""
MOST = 200


def table(names: tuple[str, ...], rows: list[list[str]]) -> str:
    """Cells are HTML already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    return f"<table><tr>{head}</tr>{''.join('<tr>' + ''.join(f'<td>{cell}</td>' for cell in row) + '</tr>' for row in rows)}</table>"


def details(summary: str, text: str) -> str:
    return f"<details><summary>{escape(summary)}</summary><pre>{escape(text)}</pre></details>"


def pretty(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def records(emulator: Emulator, kind: str) -> str:
    names = SHOWN[kind]
    rows = [
        [escape(str(one.get(name, ""))) for name in names] + [details("all", pretty(one))] for one in emulator.control.rows(kind)[-MOST:]
    ]
    return f"<p>{emulator.control.count(kind)} rows, the last {MOST} are shown.</p>" + table((*names, ""), rows)


def requests(emulator: Emulator) -> str:
    rows = []
    for one in reversed(emulator.control.requests(MOST)):
        state = "" if one["http"] == 200 and not one["codes"].replace("0", "").strip() else ' class="bad"'
        shown = [str(one["id"]), one["at"], one["actions"], f"{one['http']} / {one['codes']}", one["fault"]]
        bodies = details("bodies", f"{one['asked']}\n\n{one['answered']}")
        rows.append([f"<span{state}>{escape(text)}</span>" for text in shown] + [bodies])
    counters = escape(pretty(emulator.control.counters()))
    return f"<pre>{counters}</pre>" + table(("nr", "time (UTC)", "actions", "HTTP / codes", "fault", ""), rows)


def switches(emulator: Emulator) -> str:
    now = emulator.control.switches()
    names = ("switch", "value", "choices", "sure", "section", "meaning")
    rows = [
        [escape(str(cell)) for cell in (one.name, now[one.name], " | ".join(map(str, one.choices)), one.sure, one.section, one.meaning)]
        for one in SWITCHES
    ]
    return table(names, rows)


def log(emulator: Emulator) -> str:
    names = ("id", "at", "module", "action", "user", "resource", "target_table", "target")
    return table(names, [[escape(str(one[name])) for name in names] for one in reversed(emulator.control.log()[-MOST:])])


def render(emulator: Emulator, show: str) -> str:
    """The whole page with one tab open."""
    show = show if show in TABS else "request"
    tabs = "".join(f'<a href="/?show={one}" class="{"on" if one == show else ""}">{one}</a>' for one in TABS)
    views = {"request": requests, "switches": switches, "log": log}
    body = views[show](emulator) if show in views else records(emulator, show)
    head = f'<meta charset="utf-8"><title>Emulator: {show}</title><style>{STYLE}</style>'
    return f"<!doctype html>{head}<h1>Emulator of onOffice's API</h1><nav>{tabs}</nav>{body}"
