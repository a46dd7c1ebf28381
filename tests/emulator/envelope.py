"""Requests and answers of the API as bytes: layout, order of the checks, signatures, the three shapes of a failure (contract 1, 2, 11).

An answer never depends on HTTP; ``server`` and ``transport`` carry it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .account import Account, Row
from .errors import MESSAGES, ApiError

URN = "urn:onoffice-de-ns:smart:2.5:smartml:action:"
VERBS = ("read", "create", "modify", "delete", "get", "do")
WRITES = {"create", "modify", "delete", "do"}
SUCCESS: Row = {"success": "success"}
FAILED = 97
# code, attribute; the order is that of the checks (contract 11.2)
ATTRIBUTES = ((16, "actionid"), (18, "resourceid"), (19, "resourcetype"), (20, "parameters"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One action of a request, signed and understood."""

    verb: str
    resourcetype: str
    resourceid: str
    parameters: Row
    user: int  # the API user; every call has his rights

    def number(self) -> int:
        """The record that resourceid names; 0 when it is none (a UUID, an empty text)."""
        return int(self.resourceid) if self.resourceid.isdigit() else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an action gives: records, their total, and whether PHP's client may cache them."""

    records: list[Row] = field(default_factory=list)
    total: int | None = None
    cacheable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Body and HTTP status, and what the log of requests says about it."""

    body: bytes
    http: int = 200
    codes: tuple[int | str, ...] = ()


Handler = Callable[[Account, Call], Result]
Calls = dict[tuple[str, str], Handler]
Forced = Callable[[str, str], tuple[int, str] | None]  # verb, resource type -> the error that a test wants


def unforced(verb: str, resourcetype: str) -> None:
    """Nobody wants an error."""


def record(number: int | str, kind: str | None, elements: Any) -> Row:
    """A record of a result; an empty map is written as a list, as PHP does."""
    return {"id": number, "type": kind, "elements": elements or []}


def succeeded(kind: str = "") -> Result:
    """The answer to modify and delete."""
    return Result(records=[record(0, kind, SUCCESS)], cacheable=False)


def created(number: int, kind: str) -> Result:
    return Result(records=[record(number, kind, {})], cacheable=False)


def encode(value: Any) -> bytes:
    """JSON as PHP writes it: without spaces, with \\/ and \\uXXXX."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def sign(secret: str, timestamp: Any, token: str, resourcetype: str, actionid: str) -> str:
    """HMAC version 2."""
    message = f"{timestamp}{token}{resourcetype}{actionid}"
    return base64.b64encode(hmac.digest(secret.encode(), message.encode(), "sha256")).decode()


def sign_old(secret: str, token: str, action: Row) -> str:
    """The signature without hmac_version."""
    parameters = action["parameters"]
    ordered = dict(sorted(parameters.items())) if isinstance(parameters, dict) else parameters
    fields = [
        token,
        action["actionid"],
        action.get("identifier", ""),
        action["resourceid"],
        secret,
        action["timestamp"],
        action["resourcetype"],
    ]
    inner = hashlib.md5(encode(ordered) + b"," + ",".join(map(str, fields)).encode()).hexdigest()  # noqa: S324 - the API's old way
    return hashlib.md5((secret + inner).encode()).hexdigest()  # noqa: S324


class Api:
    """Answers bodies over an account with a table of calls."""

    def __init__(self, account: Account, calls: Calls):
        self.account, self.calls = account, calls
        self.types = {resourcetype for _, resourcetype in calls}
        self.counts: dict[str, int] = {}  # actions carried out, by "verb resourcetype"

    def answer(self, body: bytes, forced: Forced = unforced) -> Answer:
        """The whole answer to a request's body."""
        try:
            document = json.loads(body) if body.strip() else None
        except UnicodeDecodeError:
            return self._broken(7)
        except RecursionError:
            return self._broken(3)
        except json.JSONDecodeError:
            return self._broken(6)
        if document is None:
            return self._whole(9)
        if not isinstance(document, dict):
            return self._whole(4)
        return self._answer(document, forced)

    def _answer(self, document: Row, forced: Forced) -> Answer:
        token, request = document.get("token"), document.get("request")
        if not isinstance(token, str) or not token:
            return self._whole(13)
        if not isinstance(request, dict):
            return self._whole(14)
        actions = request.get("actions")
        if not isinstance(actions, list) or not actions or not all(isinstance(one, dict) for one in actions):
            return self._whole(15)
        for action in actions:
            problem = self._malformed(action)
            if problem:
                return self._whole(problem)
        switches = self.account.switches
        user = self._user(token)
        if not user and switches["unknown_token_shape"] == "top":
            return self._whole(int(switches["unknown_token_code"]), status=400)
        most = int(switches["max_actions"])
        if most and len(actions) > most:
            if switches["too_many_actions"] == "error":
                return self._whole(1)
            actions = actions[:most]
        return self._together([*self._results(actions, token, user, forced)])

    def _results(self, actions: list[Row], token: str, user: tuple[int, str] | None, forced: Forced):
        failed = False
        for action in actions:
            if failed and self.account.switches["stop_at_failure"]:
                yield self._failure(action, ApiError(FAILED))
                continue
            try:
                with self.account.action():
                    result = self._carry_out(action, token, user, forced)
                yield self._success(action, result)
            except ApiError as error:
                failed = True
                yield self._failure(action, error)

    def _malformed(self, action: Row) -> int:
        for code, name in ATTRIBUTES:
            if name not in action or action[name] is None:
                return code
            if name == "actionid" and action[name] == "":
                return 17
        return 0 if isinstance(action["parameters"], dict) or action["parameters"] == [] else 20

    def _user(self, token: str) -> tuple[int, str] | None:
        found = self.account.query("SELECT user, secret FROM api_user WHERE token = ?", token)
        return found[0] if found else None

    def _carry_out(self, action: Row, token: str, user: tuple[int, str] | None, forced: Forced) -> Result:
        if user is None:
            raise ApiError(int(self.account.switches["unknown_token_code"]))
        self._check_signature(action, token, user[1])
        verb, resourcetype = str(action["actionid"]).removeprefix(URN), str(action["resourcetype"])
        if not str(action["actionid"]).startswith(URN) or verb not in VERBS:
            raise ApiError(23, action["actionid"])
        if resourcetype not in self.types:
            raise ApiError(25, resourcetype)
        handler = self.calls.get((verb, resourcetype))
        if handler is None:
            raise ApiError(23, action["actionid"])
        wanted = forced(verb, resourcetype)
        if wanted:
            raise ApiError(wanted[0], message=wanted[1])
        name = f"{verb} {resourcetype}"
        self.counts[name] = self.counts.get(name, 0) + 1
        parameters = action["parameters"] or {}
        call = Call(verb=verb, resourcetype=resourcetype, resourceid=str(action["resourceid"]), parameters=parameters, user=user[0])
        return handler(self.account, call)

    def _check_signature(self, action: Row, token: str, secret: str) -> None:
        timestamp, given = action.get("timestamp"), action.get("hmac")
        if isinstance(timestamp, bool) or not str(timestamp).isdigit():
            raise ApiError(136)
        if abs(self.account.now().timestamp() - int(str(timestamp))) > float(self.account.switches["signature_seconds"]):
            raise ApiError(136)
        for name in ("resourcetype", "actionid"):
            if not isinstance(action[name], str):
                raise ApiError(243, name)
        if str(action.get("hmac_version")) == "2":
            right = sign(secret, timestamp, token, action["resourcetype"], action["actionid"])
        elif self.account.switches["old_hmac"] == "accept":
            right = sign_old(secret, token, action)
        else:
            raise ApiError(137)
        if not isinstance(given, str) or not hmac.compare_digest(right.encode(), given.encode()):
            raise ApiError(137)

    # -------------------------------------------------------------- shapes

    def _result(self, action: Row, cacheable: bool, data: Any, code: int, message: str) -> Row:
        return {
            "actionid": action["actionid"],
            "resourceid": action["resourceid"],
            "resourcetype": action["resourcetype"],
            "cacheable": cacheable,
            "identifier": action.get("identifier", ""),
            "data": data,
            "status": {"errorcode": code, "message": message},
        }

    def _success(self, action: Row, result: Result) -> Row:
        records = result.records
        if self.account.switches["record_ids"] == "text":
            records = [{**one, "id": str(one["id"])} for one in records]
        data = {"meta": {"cntabsolute": result.total}, "records": records}
        return self._result(action, result.cacheable, data, 0, "OK")

    def _failure(self, action: Row, error: ApiError) -> Row:
        """A failed result's data is an empty list."""
        return self._result(action, False, [], error.code, error.message)

    def _together(self, results: list[Row]) -> Answer:
        """All results; the top level says what the switch error_shape lets it say about a failure."""
        failures = [one["status"] for one in results if one["status"]["errorcode"] != 0]
        codes = tuple(one["status"]["errorcode"] for one in results)
        status: Row = {"code": 200, "errorcode": 0, "message": "OK"}
        shape = self.account.switches["error_shape"]
        if failures and shape == "a":
            status = {"code": 500, "errorcode": FAILED, "message": MESSAGES[FAILED]}
        elif failures and shape == "b":
            status = {"code": 500, **failures[0]}
        return self._answered(status, results, codes)

    def _answered(self, status: Row, results: list[Row], codes: tuple[int | str, ...]) -> Answer:
        http = 200 if status["code"] == 200 else int(self.account.switches["http_status_of_errors"])
        return Answer(body=encode({"status": status, "response": {"results": results}}), http=http, codes=codes)

    def _whole(self, code: int, status: int = 500) -> Answer:
        """The request as a whole is refused."""
        message = "not authenticated" if status == 400 else ApiError(code).message
        return self._answered({"code": status, "errorcode": code, "message": message}, [], (code,))

    def _broken(self, code: int) -> Answer:
        """It is no JSON; one tester saw the text instead of the number."""
        if self.account.switches["malformed_json"] == "number":
            return self._whole(code)
        text = "Syntax error" if code == 6 else ApiError(code).message
        return self._answered({"code": 500, "errorcode": text, "message": "Unknown error occured"}, [], (text,))
