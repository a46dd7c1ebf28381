"""What a question to a live account is, and what came of it. Nothing here, or in the questions, can change anything in onOffice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from radicale_onoffice.core.model import Kind
from radicale_onoffice.core.ports import Store
from radicale_onoffice.crm.onoffice.account import Account
from radicale_onoffice.crm.onoffice.client import Client
from radicale_onoffice.crm.onoffice.fields import day_of, moment_of
from radicale_onoffice.crm.onoffice.protocol import Action, Answer, Refusal, Row

DEADLINE = 60.0  # seconds for one request; an administrator waits
UTC = ZoneInfo("UTC")
ROWS = 100  # looked at for a question
NEAR = timedelta(minutes=10)  # between a stamp over there and the moment at which we stored what it stamps
MANY = 10  # of something, before that there is no other of it means anything
Switch = str | int | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One question and its answer. ``point`` counts the open points; ``options`` are for `tenant connect`, ``switches`` the emulator's."""

    point: int
    question: str
    asked: str
    seen: str
    follows: str
    is_settled: bool
    options: tuple[str, ...] = ()
    switches: Mapping[str, Switch] = field(default_factory=dict)


@dataclass(kw_only=True)
class Look:
    """A look at one account: how to ask, what is known, and what an earlier look remembered."""

    client: Client
    account: Account
    store: Store
    tenant: str
    now: datetime
    before: Mapping[str, Any]
    after: dict[str, Any] = field(default_factory=dict)

    def ask(self, *actions: Action) -> list[Answer | Refusal]:
        """What reading actions bring. Raises UpstreamDown; ValueError for an action that would change something."""
        if not all(action.reads for action in actions):
            raise ValueError("Questions only read.")
        return self.client.read(actions, deadline=DEADLINE)

    def probe(self, actions: Sequence[Action], alter: Callable[[bytes], bytes] = bytes) -> tuple[int, Mapping[str, Any]]:
        """HTTP status and JSON of a request as they come; ``alter`` makes the request a wrong one. Raises UpstreamDown."""
        return self.client.probe(actions, alter, deadline=DEADLINE)

    def stored_at(self, kind: Kind, rows: Iterable[Row]) -> dict[str, datetime]:
        """When we stored the newest version of each record, by onOffice's ids."""
        with self.store.reading() as tx:
            known = tx.linked(self.tenant, kind, [row.id for row in rows])
            records = {one.id: one.modified for one in tx.records(self.tenant, [record_id for record_id, _ in known.values()])}
        return {crm_id: records[record_id] for crm_id, (record_id, _) in known.items() if record_id in records}


def refused(point: int, question: str, asked: str, refusal: Refusal) -> Seen:
    """A question that onOffice does not answer."""
    follows = "Nothing can be told; devices are not touched by it."
    return Seen(point=point, question=question, asked=asked, seen=f"refused: {refusal}", follows=follows, is_settled=False)


def shape(text: str) -> str:
    """A key or a value with its digits hidden."""
    return re.sub(r"\d+", "#", text)


def counted(found: Iterable[str], most: int = 6) -> str:
    """How often what was seen: "a (3), b (1)"."""
    return ", ".join(f"{what} ({often})" for what, often in Counter(found).most_common(most)) or "none"


def zone_of(look: Look, told: Iterable[tuple[str, datetime | None]]) -> str:
    """ "local", "utc", or "" by stamps and the moments at which we stored what they stamp: which reading is near, and which lies ahead of now."""
    votes: Counter[str] = Counter()
    for text, stored in told:
        local, utc = moment_of(text, look.account.zone), moment_of(text, UTC)
        if local is None or utc is None or local == utc:
            continue
        if utc > look.now + NEAR or local > look.now + NEAR:
            votes["local" if utc > look.now + NEAR else "utc"] += 1
        elif stored is not None:
            near = [name for name, moment in (("local", local), ("utc", utc)) if timedelta(minutes=-1) <= stored - moment <= NEAR]
            votes.update(near if len(near) == 1 else ())
    (first, often), *others = [*votes.most_common(), ("", 0)]
    return first if often > 3 * (others[0][1] if others else 0) else ""


def has_clock(text: str) -> bool:
    """True if a stamp tells more than its day."""
    return day_of(text) is not None and len(text) > 10 and text[11:19] != "00:00:00"


def results_of(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The results in the JSON of an answer."""
    response = answer.get("response")
    found = response.get("results") if isinstance(response, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def first_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first result, {} if there is none."""
    return next(iter(results_of(answer)), {})


def status_of(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """The status of an answer or of a result, {} if there is none."""
    found = part.get("status")
    return found if isinstance(found, dict) else {}
