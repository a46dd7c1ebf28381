"""onOffice's enterprise API without I/O: actions become bytes, and bytes become rows or refusals.

One URL takes a POST of JSON with any number of actions, each signed on its own (HMAC version 2), and answers with one result per action
in the same order. HTTP's status is 200 also for errors. A failed action has been seen in three shapes, all of which are read here:

====  ============================  =======================  ===============
 .    ``status`` of the answer      ``status`` of the result  its ``data``
====  ============================  =======================  ===============
 a    code 500, errorcode 97        the error                ``[]``
 b    code 500, the same error      the error                ``[]``
 c    code 200, errorcode 0         the error                ``[]``
====  ============================  =======================  ===============

An answer without results carries the error in its own status, where even the number may be a text. PHP writes each empty map as ``[]``,
ids come as numbers or as strings. Source: onOffice's API documentation (apidoc.onoffice.de), and answers recorded by others.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from radicale_onoffice.crm.onoffice.codes import ADVICE, Fault, fault_of

URN = "urn:onoffice-de-ns:smart:2.5:smartml:action:"
RELATION = "urn:onoffice-de-ns:smart:2.5:relationTypes:"
HMAC_VERSION = "2"
MAX_ACTIONS = 20  # in one request; how many onOffice takes is not documented
MAX_ROWS = 500  # of one answer; a larger listlimit falls back to 20 rows without a word
MAX_ANSWER = 32 * 1024 * 1024  # bytes: 500 rows of 64 KB each
CODE_OK, CODE_ACTION_FAILED, CODE_UNKNOWN = 0, 97, 1


class Verb(StrEnum):
    """The last part of an action id; ``get`` reads what is no plain record."""

    READ = "read"
    GET = "get"
    CREATE = "create"
    MODIFY = "modify"
    DELETE = "delete"
    DO = "do"


READING = frozenset({Verb.READ, Verb.GET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Token and secret of an API user; neither shows in a repr, a log or a traceback."""

    token: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to ask or to do.

    ``repeatable`` tells whether doing it twice leaves what doing it once would have left: reads always, of writes those that say so.
    """

    verb: Verb
    resource: str
    id: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    repeatable: bool = False

    @property
    def reads(self) -> bool:
        """True if it changes nothing."""
        return self.verb in READING

    @property
    def may_repeat(self) -> bool:
        """True if sending it again does no harm when nobody knows whether it arrived."""
        return self.reads or self.repeatable

    def __str__(self) -> str:
        return " ".join(part for part in (self.verb, self.resource, self.id) if part)


class Row(NamedTuple):
    """One record of an answer. ``elements`` is its map of fields; ``listed`` what stood there instead if it was a list."""

    id: str
    type: str
    elements: Mapping[str, Any]
    listed: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an action brought; ``total`` is ``cntabsolute``, which means different things for different resources, or nothing."""

    rows: tuple[Row, ...] = ()
    total: int | None = None

    @property
    def new_id(self) -> str:
        """Id of what a create made; "" if the answer tells none."""
        return self.rows[0].id if self.rows and self.rows[0].id != "0" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An action that onOffice did not do. ``code`` is onOffice's own, known to us or not; ``message`` its words."""

    code: int
    message: str

    @property
    def fault(self) -> Fault:
        """Whose fault it is."""
        return fault_of(self.code)

    def __str__(self) -> str:
        advice = ADVICE.get(self.code, "")
        return f"{self.message or 'no reason given'} (onOffice code {self.code})" + (f". {advice}" if advice else "")


class Malformed(ValueError):
    """What came is no answer of onOffice's API; whether the actions were done cannot be told from it."""


# ------------------------------------------------------------------ requests


def sign(credentials: Credentials, timestamp: int, resource: str, action_id: str) -> str:
    """HMAC version 2 of one action: SHA-256 over timestamp, token, resource type and action id, without separators, in base 64."""
    message = f"{timestamp}{credentials.token}{resource}{action_id}"
    return base64.b64encode(hmac.new(credentials.secret.encode(), message.encode(), hashlib.sha256).digest()).decode()


def build(actions: Sequence[Action], credentials: Credentials, timestamp: int) -> bytes:
    """The body of one request; ``timestamp`` in seconds since 1970, at most 120 s off onOffice's clock."""
    if not 0 < len(actions) <= MAX_ACTIONS:
        raise ValueError(f"a request takes 1 to {MAX_ACTIONS} actions, not {len(actions)}")
    wanted = [_element(action, position, credentials, timestamp) for position, action in enumerate(actions)]
    return json.dumps({"token": credentials.token, "request": {"actions": wanted}}, separators=(",", ":"), allow_nan=False).encode()


def _element(action: Action, position: int, credentials: Credentials, timestamp: int) -> dict[str, Any]:
    action_id = URN + action.verb
    return {
        "actionid": action_id,
        "resourcetype": action.resource,
        "resourceid": action.id,
        "identifier": str(position),  # comes back, so that an answer cannot be taken for another one's
        "timestamp": timestamp,
        "hmac": sign(credentials, timestamp, action.resource, action_id),
        "hmac_version": HMAC_VERSION,
        "parameters": dict(sorted(action.parameters.items())),
    }


# ------------------------------------------------------------------- answers


def parse(body: bytes, count: int) -> tuple[Answer | Refusal, ...]:
    """What each of ``count`` actions brought, in their order. Raises Malformed."""
    answer = _loaded(body)
    status = _mapping(answer.get("status"))
    results = _listed(_mapping(answer.get("response")).get("results"))
    top = _refusal(status)
    if not results and top is not None:
        return (top,) * count  # nothing was looked at: the token, the JSON or the request as a whole is wrong
    if len(results) != count:
        raise Malformed(f"{count} actions were sent, {len(results)} results came back")
    return tuple(_result(_mapping(result), position, top) for position, result in enumerate(results))


def _loaded(body: bytes) -> Mapping[str, Any]:
    if len(body) > MAX_ANSWER:
        raise Malformed(f"the answer has {len(body)} bytes; at most {MAX_ANSWER} are read")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the answer is no JSON: {type(error).__name__}") from error
    if not isinstance(answer, dict) or "status" not in answer:
        raise Malformed("the answer has no status")
    return answer


def _result(result: Mapping[str, Any], position: int, top: Refusal | None) -> Answer | Refusal:
    if not isinstance(result.get("status"), dict):
        raise Malformed(f"result {position} has no status")
    if result.get("identifier") not in (None, "", str(position), position):
        raise Malformed(f"result {position} belongs to another action")
    refusal = _refusal(result["status"])
    if refusal is not None:
        # Shape a names the action's error here; a result that only points elsewhere leaves it to the top.
        return top if top is not None and refusal.code == CODE_ACTION_FAILED else refusal
    data = _mapping(result.get("data"))
    rows = tuple(_row(record) for record in _listed(data.get("records")))
    return Answer(rows=rows, total=_whole(_mapping(data.get("meta")).get("cntabsolute")))


def _refusal(status: Mapping[str, Any]) -> Refusal | None:
    """The error in a status; None if it says OK. A code that is no number is kept as part of the message."""
    raw, message = status.get("errorcode", CODE_OK), str(status.get("message") or "")
    number = _whole(raw)
    if number is None:
        return Refusal(code=CODE_UNKNOWN, message=f"{raw}: {message}" if message else str(raw))
    if number == CODE_OK:
        return Refusal(code=CODE_UNKNOWN, message=message) if _whole(status.get("code")) not in (None, 0, 200) else None
    return Refusal(code=number, message=message)


def _row(record: Any) -> Row:
    if not isinstance(record, dict):
        raise Malformed("a record is no object")
    elements = record.get("elements")
    if isinstance(elements, list):
        return Row(identifier(record.get("id")), str(record.get("type") or ""), {}, tuple(elements))
    return Row(identifier(record.get("id")), str(record.get("type") or ""), _mapping(elements))


def identifier(value: Any) -> str:
    """An id as text, whether it came as number or as string; "" for none."""
    if value is None or isinstance(value, bool | dict | list):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return value
    text = str(value).strip()
    return int(text) if text.isascii() and text.lstrip("-").isdigit() and len(text) < 16 else None


def _mapping(value: Any) -> Mapping[str, Any]:
    """A map; PHP writes an empty one as ``[]``, and a missing one is as good as empty."""
    if isinstance(value, dict):
        return value
    if value is None or value == []:
        return {}
    raise Malformed(f"an object was expected, not {type(value).__name__}")


def _listed(value: Any) -> Sequence[Any]:
    """A list; one whose keys have gaps arrives as a map of numbers."""
    if isinstance(value, list):
        return value
    if value is None:
        return ()
    if isinstance(value, dict):
        return tuple(value.values())
    raise Malformed(f"a list was expected, not {type(value).__name__}")
