"""Points 2 and 12: what failures look like, and how much goes into a request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from radicale_onoffice.core.model import Kind
from radicale_onoffice.crm.onoffice.account import try_key
from radicale_onoffice.crm.onoffice.live.asking import Look, Seen, Switch, first_of, results_of, status_of
from radicale_onoffice.crm.onoffice.protocol import MAX_ACTIONS, Verb
from radicale_onoffice.crm.onoffice.protocol import Action as Ask

NO_FIELD = "noSuchField"  # a key that no account has
NOBODY = b"0" * 32
CHEAP = Ask(verb=Verb.READ, resource="task", parameters={"data": ["Betreff"], "filter": {"Nr": [{"op": "<", "val": 0}]}, "listlimit": 1})


def failures(look: Look) -> Iterator[Seen]:
    """Three requests that cannot succeed."""
    http, answer = look.probe([try_key(Kind.CONTACTS, NO_FIELD)])
    top, result = status_of(answer), status_of(first_of(answer))
    shapes = {(500, 97): "a", (500, result.get("errorcode")): "b", (200, 0): "c"}
    found = shapes.get((top.get("code"), top.get("errorcode")), "")  # type: ignore[arg-type]
    switches: dict[str, Switch] = ({"error_shape": found} if found else {}) | {"http_status_of_errors": http}
    yield Seen(
        point=2,
        question="What does a failed action look like?",
        asked=f"read address with the field {NO_FIELD}",
        seen=f"HTTP {http}; top {_words(top)}; result {_words(result)}",
        follows="All three known shapes are read." if found else "This shape is unknown; report it with this line.",
        is_settled=bool(found),
        switches=switches,
    )
    yield _unknown_token(look)
    http, answer = look.probe([CHEAP], lambda body: body[:-2])
    is_number = str(status_of(answer).get("errorcode", "")).isdigit()
    yield Seen(
        point=2,
        question="What does broken JSON look like?",
        asked="a request whose JSON ends too soon",
        seen=f"HTTP {http}; top {_words(status_of(answer))}",
        follows="Both a number and a text are read.",
        is_settled=bool(status_of(answer)),
        switches={"malformed_json": "number" if is_number else "text"},
    )


def _unknown_token(look: Look) -> Seen:
    http, answer = look.probe([CHEAP], lambda body: re.sub(rb'"token":"[^"]*"', b'"token":"' + NOBODY + b'"', body))
    top, result = status_of(answer), status_of(first_of(answer))
    code = top.get("errorcode") or result.get("errorcode")
    switches: dict[str, Switch] = {"unknown_token_shape": "result" if result else "top"}
    return Seen(
        point=2,
        question="What does an unknown token look like?",
        asked="any call with a token of zeros",
        seen=f"HTTP {http}; top {_words(top)}; " + (f"result {_words(result)}" if result else "no results"),
        follows="Read as an outage: devices come again, and `mirror status` tells it.",
        is_settled=code in (22, 153),
        switches=switches | ({"unknown_token_code": code} if code in (22, 153) else {}),
    )


def how_many(look: Look) -> Iterator[Seen]:
    """As many actions in one request as we ever send, and less where that is too much."""
    shown, least, how = "", 0, ""
    for count in (MAX_ACTIONS, MAX_ACTIONS // 2, MAX_ACTIONS // 4, 1):
        _, answer = look.probe([CHEAP] * count)
        results = [one for one in results_of(answer) if not status_of(one).get("errorcode")]
        shown += f"{count} sent, {len(results)} answered; "
        if len(results) == count:
            least = count
            break
        how = "drop" if results else "error"
    is_enough = least == MAX_ACTIONS
    yield Seen(
        point=12,
        question="How many actions may a request have?",
        asked=f"requests of up to {MAX_ACTIONS} reads that find nothing",
        seen=shown.rstrip("; "),
        follows=f"Requests of up to {MAX_ACTIONS} are used." if is_enough else "Requests have to be smaller than usual.",
        is_settled=least > 0,
        options=() if is_enough or not least else (f"--max-actions {least}",),
        switches={"max_actions": 0 if is_enough else least} | ({} if is_enough else {"too_many_actions": how}),
    )
    trouble = look.client.trouble
    yield Seen(
        point=12,
        question="What does onOffice do under load?",
        asked="nothing: overloading a live service is no question",
        seen=trouble or "no trouble in this run",
        follows="At most five requests run at once; 429 and 5xx are tried again, ever later. Look at `mirror status` after a busy day.",
        is_settled=False,
    )


def _words(status: Mapping[str, Any]) -> str:
    return "/".join(str(status.get(name, "-"))[:60] for name in ("code", "errorcode", "message"))
