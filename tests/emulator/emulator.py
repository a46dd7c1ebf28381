"""The emulator as one object, and an exchange with it: faults, the answer, the log of requests. Carried by ``server`` or ``transport``."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from . import addresses, appointment_list, appointments, configuration, relations, tasks, users
from .account import Account, system_clock
from .envelope import URN, Answer, Api, encode
from .faults import Fault, Faults
from .switches import Value

TOKEN = "0123456789abcdef0123456789abcdef"
SECRET = "f" * 64
CALLS = {
    **addresses.CALLS,
    **appointments.CALLS,
    **appointment_list.CALLS,
    **tasks.CALLS,
    **users.CALLS,
    **relations.CALLS,
    **configuration.CALLS,
}
KEPT_BODY = 20_000  # characters of a body in the log of requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes over the wire: ``reset`` = nothing at all; ``wait`` = seconds until it goes."""

    http: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False
    wait: float = 0.0


class Emulator:
    """One customer's account with everything that tests need: ``control`` (see there), ``app()``, ``transport()``, ``serve()``.

    A fresh account has one user, "api", whose token and secret are TOKEN and SECRET and who may do everything.
    """

    def __init__(
        self,
        database: str | Path = ":memory:",
        *,
        clock: Callable[[], datetime] = system_clock,
        switches: Mapping[str, Value] | None = None,
        zone: str = "Europe/Berlin",
        token: str = TOKEN,
        secret: str = SECRET,
        image: bytes = b"",
    ):
        """``image``: begin as a copy of another account (``account.image()``)."""
        from .control import Control  # it needs this class's name for its types

        self.account = Account(database, clock=clock, switches=switches, zone=zone, image=image)
        self.api, self.faults = Api(self.account, CALLS), Faults()
        self.requests = self.running = self.peak = 0
        self.late: list[Exchange] = []  # requests whose client gave up before they were carried out
        self.control = Control(self)
        if not self.account.query("SELECT 1 FROM api_user"):
            self.control.add_api_user(token, secret, "api")

    def close(self) -> None:
        self.account.close()

    def picture(self, path: str) -> bytes:
        """The passport photo behind an imageUrl; a row's ``picture`` is base64."""
        number = path.rpartition("/")[2]
        data = self.account.row("address", int(number)) if number.isdigit() else None
        return base64.b64decode((data or {}).get("picture", ""))

    def app(self) -> Any:
        """The ASGI application: the API, the control API and the page."""
        from .server import application

        return application(self)

    def transport(self) -> Any:
        """For ``httpx.Client(transport=…)`` and ``httpx.AsyncClient``: no socket, and nobody waits for real."""
        from .transport import Transport

        return Transport(self)

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> Any:
        """Context manager: a real server in a thread; its value is the URL without a slash at the end."""
        from .server import serving

        return serving(self, host, port)


class Exchange:
    """One request on its way: ``start``, wait so many seconds, ``perform``, wait ``Reply.wait``, send, ``end``."""

    def __init__(self, emulator: Emulator, body: bytes):
        self.emulator, self.body = emulator, body
        self.actions = named(body)
        self.fault: Fault | None = None

    def start(self) -> float:
        emulator = self.emulator
        with emulator.account.lock:
            emulator.requests += 1
            emulator.running += 1
            emulator.peak = max(emulator.peak, emulator.running)
            self.fault = emulator.faults.next(self.actions)
            most = int(emulator.account.switches["parallel_limit"])
            if most and emulator.running > most:
                self.fault = Fault(kind="status", status=502)
        slow = self.fault.seconds if self.fault and self.fault.kind == "delay" and self.fault.when == "before" else 0.0
        return float(emulator.account.switches["latency_ms"]) / 1000 + slow

    def perform(self) -> Reply:
        """Carry the actions out, unless a fault comes before."""
        fault = self.fault
        if fault and fault.when == "before" and fault.kind in ("status", "reset"):
            return self._noted(self._spoilt(fault, Answer(body=b"")), ())
        answer = self.emulator.api.answer(self.body, self._forced)
        reply = Reply(http=answer.http, body=answer.body)
        return self._noted(self._spoilt(fault, answer) if fault else reply, answer.codes)

    def end(self) -> None:
        with self.emulator.account.lock:
            self.emulator.running -= 1

    def _forced(self, verb: str, resourcetype: str) -> tuple[int, str] | None:
        """The error that a script wants for this action."""
        fault = self.fault
        if fault is None or fault.kind != "error" or not fault.hits(verb, resourcetype):
            return None
        return fault.code, fault.message

    def _spoilt(self, fault: Fault, answer: Answer) -> Reply:
        if fault.kind == "status":
            return Reply(http=fault.status, body=fault.body.encode(), headers={"Content-Type": "text/html", **fault.headers})
        if fault.kind == "reset":
            return Reply(reset=True)
        if fault.kind == "truncate":
            return Reply(http=answer.http, body=answer.body[: len(answer.body) * 2 // 3])
        if fault.kind in ("empty", "drop"):
            return Reply(http=answer.http, body=emptied(answer.body) if fault.kind == "empty" else dropped(answer.body))
        return Reply(http=answer.http, body=answer.body, wait=fault.seconds if fault.when == "after" else 0.0)

    def _noted(self, reply: Reply, codes: tuple[int | str, ...]) -> Reply:
        names = ", ".join(f"{verb} {resourcetype}" for verb, resourcetype in self.actions)
        asked, answered = (text.decode("utf-8", "replace")[:KEPT_BODY] for text in (self.body, reply.body))
        fault = str(self.fault or "")
        self.emulator.account.write_request(names, 0 if reply.reset else reply.http, " ".join(map(str, codes)), fault, asked, answered)
        return reply


def named(body: bytes) -> list[tuple[str, str]]:
    """Verb and resource type of the actions of a request, as far as they can be read."""
    try:
        actions = json.loads(body)["request"]["actions"]
        return [(str(one["actionid"]).removeprefix(URN), str(one["resourcetype"])) for one in actions]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def emptied(body: bytes) -> bytes:
    """Success without records in all reading calls."""
    document = json.loads(body)
    for result in document["response"]["results"]:
        reading = str(result["actionid"]).removeprefix(URN) in ("read", "get")
        if not reading or not result["data"]:
            continue
        if result["resourcetype"] == "idsfromrelation":
            for one in result["data"]["records"]:
                one["elements"] = {asked: [] for asked in one["elements"]}
        else:
            result["data"] = {"meta": {"cntabsolute": 0}, "records": []}
    return encode(document)


def dropped(body: bytes) -> bytes:
    document = json.loads(body)
    del document["response"]["results"][-1:]
    return encode(document)
