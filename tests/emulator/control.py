"""What tests do behind the API's back: look at rows, edit as somebody in the CRM would, set rights, switches, clock and faults, count.

Arguments and results are JSON, so the same methods are at ``POST /_emulator/<method>``; ``RemoteControl(url)`` calls them there.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from . import appointments, entries, relations, tasks
from .account import Account, Row, system_clock
from .switches import Value

if TYPE_CHECKING:
    from .emulator import Emulator

PROFILE = {
    "address": {"Status": "1", "Status2Adr": "status2adr_active"},
    "calendar": appointments.FRESH,
    "task": {"Status": 1, "Prio": "3", "by_group": False},
}


class Control:
    """See the module. ``kind`` is address, calendar, task, user, group, estate, project, resource or filter."""

    def __init__(self, emulator: Emulator):
        self._emulator = emulator
        self._account: Account = emulator.account

    # ------------------------------------------------------------- people

    def add_api_user(self, token: str, secret: str, login: str) -> int:
        """A token with its secret; the user is made when there is none of that name. He may do everything until ``set_right``."""
        number = self._account.user(login) or self.add_user(login, last=login)
        self._account.query("INSERT OR REPLACE INTO api_user VALUES (?, ?, ?)", token, secret, number)
        return number

    def user(self, login: str) -> int:
        """The number of the user with this login, or 0."""
        return self._account.user(login)

    def add_user(self, login: str, first: str = "", last: str = "", email: str = "", **fields: Any) -> int:
        data = {
            "Name": login,
            "Vorname": first,
            "Nachname": last or login,
            "email": email,
            "Kuerzel": login[:3].upper(),
            "online": "active",
        }
        return self._account.insert("user", {**data, **fields})

    def add_group(self, name: str, users: list[int], type: str = "GroupOffice") -> int:
        return self._account.insert("group", {"name": name, "abr": name[:3], "users": users, "type": type})

    def set_right(self, user: int, module: str, action: str, allowed: bool, record: int = 0) -> None:
        """``module``: address, calendar, task, relation, user (read = "Benutzerdaten auslesen"), log (read = administrator); record 0 = all."""
        (self._account.allow if allowed else self._account.deny)(user, module, action, record)

    # -------------------------------------------------------------- records

    def add(self, kind: str, data: Row | None = None, by: str = "", **links: Any) -> int:
        """A new record with stored field values; ``links``: entries, sync (address); users, groups, addresses, estate (calendar);
        addresses, estate, project (task). An entry is what, value, type, default, comment."""
        account = self._account
        with account.action():
            number = account.insert(kind, {})
            self._keep(kind, number, {**PROFILE.get(kind, {}), **self._first(kind, number), **(data or {})})
            self._links(kind, number, links)
            if kind in PROFILE:
                account.write_log(kind, "add", account.user(by), number)
        return number

    def add_many(self, kind: str, records: Iterable[Row]) -> list[int]:
        """Many of them in one commit; each is {"data": …, links}."""
        with self._account.action():
            return [self.add(kind, **one) for one in records]

    def get(self, kind: str, number: int) -> Row | None:
        """Everything that is stored of a record: its data, entries and links; None when there is none."""
        data = self._account.row(kind, number)
        if data is None:
            return None
        found: Row = {"id": number, **data}
        if kind == "address":
            found["entries"] = [one._asdict() for one in entries.of(self._account, number)]
        links: Row = {}
        for name, type_ in relations.TYPES.items():
            if type_.parent == kind and (children := self._account.children(name, number)):
                links[name] = children
            elif type_.child == kind and (parents := self._account.parents(name, number)):
                links[f"{name} of"] = parents
        return {**found, "links": links}

    def rows(self, kind: str) -> list[Row]:
        return [found for number, _ in self._account.rows(kind) if (found := self.get(kind, number))]

    def count(self, kind: str) -> int:
        return self._account.count(kind)

    def edit(self, kind: str, number: int, by: str = "", **changes: Any) -> None:
        """Stored field values, as somebody in the CRM changes them: the stamp is raised and the log written."""
        old = self._account.row(kind, number)
        if old is None:
            raise KeyError(f"{kind} {number}")
        with self._account.action():
            self._keep(kind, number, {**old, **changes})
            self._account.write_log(kind, "edit", self._account.user(by), number)

    def delete(self, kind: str, number: int, by: str = "") -> None:
        """As only people in the CRM can: with its entries and links."""
        account = self._account
        with account.action():
            account.remove(kind, number)
            if kind == "address":
                account.query("DELETE FROM entry WHERE address = ?", number)
            for name, type_ in relations.TYPES.items():
                if type_.parent == kind:
                    account.query("DELETE FROM relation WHERE type = ? AND parent = ?", name, number)
                if type_.child == kind:
                    account.query("DELETE FROM relation WHERE type = ? AND child = ?", name, number)
            account.write_log(kind, "delete", account.user(by), number)

    def add_entry(self, address: int, what: str, value: str, type: str = "", default: bool = False, comment: str = "") -> int:
        """``what``: phone, fax, email; ``type``: "", private, business, mobile. Exactly what is said, whatever the number looks like."""
        sql = "INSERT INTO entry (address, what, type, value, comment) VALUES (?, ?, ?, ?, ?)"
        with self._account.action():
            self._account.query(sql, address, what, type, value, comment)
            number = self._account.query("SELECT last_insert_rowid()")[0][0]
            if default:
                entries.make_default(self._account, address, what, number)
            self._touch("address", address)
        return number

    def edit_entry(self, number: int, **changes: Any) -> None:
        """value, type, comment or default of one entry."""
        address, what = self._account.query("SELECT address, what FROM entry WHERE id = ?", number)[0]
        for name in ("value", "type", "comment"):
            if name in changes:
                self._account.query(f"UPDATE entry SET {name} = ? WHERE id = ?", changes[name], number)
        if changes.get("default"):
            entries.make_default(self._account, address, what, number)
        self._touch("address", address)

    def remove_entry(self, number: int) -> None:
        address = self._account.query("SELECT address FROM entry WHERE id = ?", number)[0][0]
        self._account.query("DELETE FROM entry WHERE id = ?", number)
        self._touch("address", address)

    def link(self, relation: str, parent: int, child: int, by: str = "") -> None:
        """``relation`` without its URN, such as address:user:sync."""
        self._account.link(relation, parent, child)
        relations.noted(self._account, self._account.user(by), relation, parent, child, "link")

    def unlink(self, relation: str, parent: int, child: int, by: str = "") -> None:
        self._account.unlink(relation, parent, child)
        relations.noted(self._account, self._account.user(by), relation, parent, child, "unlink")

    def linked(self, relation: str) -> list[list[int]]:
        """All pairs of a relation."""
        return [list(row) for row in self._account.query("SELECT parent, child FROM relation WHERE type = ? ORDER BY 1, 2", relation)]

    # -------------------------------------------------------- configuration

    def set_field(self, module: str, name: str, type: str = "varchar", length: int | None = 80, values: Any = None) -> None:
        """The administrator adds or changes a field; ``values``: a list of keys, or key to label."""
        self._account.fields[module][name] = {"type": type, "length": length, "permittedvalues": values, "default": None}
        self._account.keep_setting("fields", self._account.fields)

    def drop_field(self, module: str, name: str) -> None:
        del self._account.fields[module][name]
        self._account.keep_setting("fields", self._account.fields)

    def set_types(self, kind: str, types: dict[str, str]) -> None:
        """Types of the kind of action "Termin" or "Aufgabe": key to label."""
        next(one for one in self._account.kinds if one["key"] == kind)["types"] = types
        self._account.keep_setting("kinds", self._account.kinds)

    def set_switch(self, name: str, value: Value) -> None:
        self._account.switches.change(name, value)
        self._account.keep_setting("switches", self._account.switches)

    def switches(self) -> dict[str, Value]:
        return dict(self._account.switches)

    # ---------------------------------------------------------------- clock

    def set_clock(self, moment: str) -> None:
        """The clock stands at this time (ISO 8601; without an offset UTC); "" lets it go again, as the machine's."""
        if not moment:
            self._account.clock = system_clock
            return
        read = datetime.fromisoformat(moment)
        fixed = read if read.tzinfo else read.replace(tzinfo=UTC)
        self._account.clock = lambda: fixed

    def advance(self, seconds: float) -> str:
        """The clock stands so much later than now; returns that time."""
        fixed = self._account.clock() + timedelta(seconds=seconds)
        self._account.clock = lambda: fixed
        return fixed.isoformat()

    # --------------------------------------------------------------- faults

    def fault(self, **what: Any) -> None:
        """The next request (or ``times`` requests, or the next with ``verb`` and ``resourcetype``) meets a fault; see ``faults``."""
        self._emulator.faults.add(**what)

    def chaos(self, rate: float, seed: int = 0) -> None:
        """Each request meets a fault with this probability."""
        self._emulator.faults.chaos(rate, seed)

    def clear_faults(self) -> None:
        self._emulator.faults.clear()

    def settle(self) -> int:
        """Carry out the requests whose client gave up waiting (``delay`` before, in-process); returns how many."""
        late, self._emulator.late = self._emulator.late, []
        for exchange in late:
            exchange.perform()
        return len(late)

    # ------------------------------------------------------------- counting

    def counters(self) -> Row:
        """requests; actions carried out, by "verb resourcetype"; the most requests at one time."""
        return {"requests": self._emulator.requests, "actions": dict(self._emulator.api.counts), "peak_parallel": self._emulator.peak}

    def reset_counters(self) -> None:
        self._emulator.requests = self._emulator.peak = 0
        self._emulator.api.counts.clear()

    def requests(self, last: int = 50) -> list[Row]:
        """The newest requests, oldest first, with both bodies (up to 20,000 characters)."""
        names = ("id", "at", "actions", "http", "codes", "fault", "asked", "answered")
        rows = self._account.query(f"SELECT {', '.join(names)} FROM request ORDER BY id DESC LIMIT ?", last)
        return [dict(zip(names, row, strict=True)) for row in reversed(rows)]

    def log(self) -> list[Row]:
        """The CRM's own log, whole."""
        names = ("id", "at", "module", "action", "user", "resource", "target_table", "target")
        return [dict(zip(names, row, strict=True)) for row in self._account.query("SELECT * FROM log ORDER BY id")]

    # -------------------------------------------------------------- details

    def _first(self, kind: str, number: int) -> Row:
        now = self._account.stamp()
        if kind == "address":
            day = self._account.shown(now, "local")[:10]
            return {"KdNr": number, "uuid": f"00000000-0000-4000-8000-{number:012d}", "Eintragsdatum": day, "created": now}
        return {"created": now, "Eintragsdatum": self._account.shown(now, "local")[:10]} if kind == "task" else {}

    def _keep(self, kind: str, number: int, data: Row) -> None:
        now = self._account.stamp()
        stamps = {"modified": now, "modified_day": self._account.shown(now, "local")} if kind == "task" else {"modified": now}
        self._account.update(kind, number, {**data, **(stamps if kind in PROFILE else {})})

    def _touch(self, kind: str, number: int) -> None:
        data = self._account.row(kind, number)
        if data is not None and self._account.switches["entry_raises_stamp"]:
            self._keep(kind, number, data)

    def _links(self, kind: str, number: int, links: Row) -> None:
        for one in links.pop("entries", []):
            self.add_entry(number, **one)
        for user in links.pop("sync", []):
            self._account.link("address:user:sync", number, user)
        for address in links.pop("addresses", []):
            self._account.link(f"{kind}:address", number, address)
        if "estate" in links:
            self._account.link(f"{kind}:estate", number, links.pop("estate"))
        if "project" in links:
            self._account.link(
                "project:calendar" if kind == "calendar" else tasks.LINKS["relatedProjectIds"][0], links.pop("project"), number
            )
        if links:  # participants are part of the record
            data = self._account.row(kind, number) or {}
            self._keep(kind, number, {**data, **{name: links.pop(name) for name in ("users", "groups") if name in links}})
        if links:
            raise TypeError(f"{kind} has no {', '.join(links)}.")


class RemoteControl:
    """The methods of ``Control`` of an emulator that runs somewhere else."""

    def __init__(self, url: str):
        self._url = url.rstrip("/")

    def __getattr__(self, name: str) -> Any:
        def call(*values: Any, **arguments: Any) -> Any:
            names = getattr(Control, name).__code__.co_varnames[1:]
            body = json.dumps({**dict(zip(names, values, strict=False)), **arguments}).encode()
            request = urllib.request.Request(f"{self._url}/_emulator/{name}", data=body, method="POST")
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)

        return call
