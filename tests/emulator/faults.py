"""Faults: a script for the next requests, or chance with a seed.

kind       what the client meets (``when``: before the actions are carried out, or after, so that a write took place all the same)
status     HTTP ``status`` (429, 502 …) with ``headers`` and ``body``
reset      the connection breaks without an answer
delay      the answer takes ``seconds`` longer
truncate   the JSON ends in the middle (always after)
empty      reading calls give success without records, as with a missing right (always after)
error      the matching actions fail with the API's ``code`` and ``message`` (a code unknown to everybody is fine)
drop       the last result of the answer is missing (always after)
pass       no fault: lets requests through before the next line of the script
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

KINDS = ("status", "reset", "delay", "truncate", "empty", "error", "drop", "pass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    kind: str
    when: str = "before"
    status: int = 502
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = "<html><body><h1>Bad Gateway</h1></body></html>"
    seconds: float = 0.0
    code: int = 0
    message: str = ""
    verb: str = ""  # hits only requests with such an action; "" = any
    resourcetype: str = ""
    times: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.when not in ("before", "after"):
            raise ValueError(f"No such fault: {self.kind} {self.when}.")

    def hits(self, verb: str, resourcetype: str) -> bool:
        return self.verb in ("", verb) and self.resourcetype in ("", resourcetype)

    def __str__(self) -> str:
        detail = {"status": f" {self.status}", "delay": f" {self.seconds} s", "error": f" {self.code}"}.get(self.kind, "")
        return f"{self.kind}{detail} {self.when}"


CHAOS = (
    Fault(kind="status", status=429, headers={"Retry-After": "1"}),
    Fault(kind="status", status=502),
    Fault(kind="status", status=503),
    Fault(kind="status", status=502, when="after"),
    Fault(kind="reset"),
    Fault(kind="reset", when="after"),
    Fault(kind="truncate", when="after"),
    Fault(kind="delay", seconds=0.2),
)


class Faults:
    """Decides what happens to the next request; the script goes before chance."""

    def __init__(self) -> None:
        self.script: list[Fault] = []
        self.rate = 0.0
        self.kinds: tuple[Fault, ...] = CHAOS
        self.random = random.Random(0)  # noqa: S311 - repeatable, nothing secret

    def add(self, **what: Any) -> None:
        self.script.append(Fault(**what))

    def chaos(self, rate: float, seed: int = 0, kinds: Sequence[Fault] = CHAOS) -> None:
        self.rate, self.kinds, self.random = rate, tuple(kinds), random.Random(seed)  # noqa: S311

    def clear(self) -> None:
        self.script, self.rate = [], 0.0

    def next(self, actions: Sequence[tuple[str, str]]) -> Fault | None:
        """The fault of a request with these actions (verb, resource type)."""
        for place, one in enumerate(self.script):
            if any(one.hits(*action) for action in actions or [("", "")]):
                rest = [replace(one, times=one.times - 1)] if one.times > 1 else []
                self.script[place : place + 1] = rest
                return one if one.kind != "pass" else None
        return self.random.choice(self.kinds) if self.rate and self.random.random() < self.rate else None
