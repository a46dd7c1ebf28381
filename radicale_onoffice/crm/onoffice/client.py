"""Talks to onOffice: one HTTP request for several actions, tried again while that is safe, within a deadline.

What a call can come to, and how the caller is told:

============  =================================================  =======================================================
answered      each action brought rows                           ``Answer``
refused       onOffice said no; its words are kept               ``Refusal``; from ``ask`` RefusedByOnOffice, GoneFromOnOffice
down          nothing was done, surely                           raises core's UpstreamDown
unknown       sent, and no answer that can be read came back     raises OutcomeUnknown: read back, never repeat blindly
============  =================================================  =======================================================

What surely was not done (no connection, 429) is tried again; what may have been done (timeout after sending, 5xx, a torn answer) only if
doing it twice is no harm. Each try is signed anew, because a signature lives 120 s. Time, randomness and sleeping are arguments.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

import httpx

from radicale_onoffice.core.errors import NotFound, OfficeError, Refused, UpstreamDown
from radicale_onoffice.crm.onoffice.codes import Fault
from radicale_onoffice.crm.onoffice.protocol import MAX_ACTIONS, MAX_ANSWER, Action, Answer, Credentials, Malformed, Refusal
from radicale_onoffice.crm.onoffice.protocol import build as build_request
from radicale_onoffice.crm.onoffice.protocol import parse as parse_answer

logger = logging.getLogger(__name__)

NOT_DONE_STATUS = frozenset({408, 425, 429})  # turned away before anybody looked at it
DOWN = frozenset({Fault.ACCESS, Fault.SERVER})
# After this a write that a device waits for is over: one call's deadline, and a look at what became of it
IN_FLIGHT = timedelta(seconds=30)
MAX_REDIRECTS = 3  # onOffice sends stable and beta customers to their own address


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long, how often and how many at once."""

    deadline: float = 20.0  # seconds for one call, all tries together; a phone waits about 30; see ``IN_FLIGHT``
    one_try: float = 30.0  # seconds; shorter than the deadlines of those who have time, so that one lost answer does not use it up
    first_pause: float = 0.25  # seconds; doubles with each try, and a random part of it is waited
    longest_pause: float = 5.0
    retry_after: int = 30  # seconds that a device is told to stay away
    rest: float = 5.0  # seconds in which calls fail at once after one came to its deadline in vain
    parallel: int = 5  # requests at once; instability was seen at 30


class OutcomeUnknown(UpstreamDown):
    """A write was sent and no answer came: it may have been done or not. The caller has to read back before anything else."""


class RefusedByOnOffice(Refused):
    """onOffice refused the change; ``refusal`` has its code and words."""

    def __init__(self, action: Action, refusal: Refusal):
        super().__init__(f"onOffice refused to {action}: {refusal}")
        self.refusal = refusal


class GoneFromOnOffice(NotFound):
    """onOffice has no such record, or hides it from the API user."""

    def __init__(self, action: Action, refusal: Refusal):
        super().__init__(f"onOffice cannot {action}: {refusal}")
        self.refusal = refusal


class _NotDone(Exception):
    """This try did nothing. ``wait`` is what the server asked to wait, in seconds; ``final`` that trying again is in vain."""

    def __init__(self, reason: str, *, wait: float = 0.0, final: bool = False):
        super().__init__(reason)
        self.wait, self.final = wait, final


class _PerhapsDone(Exception):
    """This try may have done everything, or nothing."""


def pool(patience: Patience = Patience(), transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """A pool of connections; what does not get one in time has not been sent."""
    limits = httpx.Limits(max_connections=patience.parallel, max_keepalive_connections=patience.parallel, keepalive_expiry=5.0)
    return httpx.Client(limits=limits, transport=transport, headers={"Content-Type": "application/json"}, follow_redirects=False)


class Client:
    """The API user of one tenant; safe to share between threads."""

    def __init__(
        self,
        url: str,
        credentials: Callable[[], Credentials],
        http: httpx.Client,
        *,
        patience: Patience = Patience(),
        max_actions: int = MAX_ACTIONS,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ):
        """``credentials`` is asked for each try, so that a new secret needs no restart; ``chance`` gives numbers from 0 to 1.

        ``max_actions`` is how many the account takes in one request; more are sent one request after the other.
        """
        self._max_actions = max_actions
        self._url, self._credentials, self._http, self._patience = url, credentials, http, patience
        self._now, self._monotonic, self._sleep, self._chance = now, monotonic, sleep, chance
        self._rest_until = float("-inf")
        self.down_since: float | None = None  # seconds since 1970; None: the last call was answered
        self.trouble = ""  # what was wrong, in words for the administrator

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def token_digest(self) -> str:
        """What tells one API user from another, without telling the token. Raises UpstreamDown if the token cannot be read."""
        return hashlib.sha256(self._credentials().token.encode()).hexdigest()[:32]

    def ask(self, action: Action, *, deadline: float | None = None) -> Answer:
        """The answer to one action. Raises RefusedByOnOffice, GoneFromOnOffice, UpstreamDown, OutcomeUnknown."""
        (result,) = self.call([action], deadline=deadline)
        if isinstance(result, Refusal):
            raise error_of(action, result, self._patience.retry_after)
        return result

    def read(self, actions: Sequence[Action], *, deadline: float | None = None) -> list[Answer | Refusal]:
        """What any number of reading actions bring, in as many requests as that takes."""
        batches = (actions[start : start + MAX_ACTIONS] for start in range(0, len(actions), MAX_ACTIONS))
        return [result for batch in batches for result in self.call(batch, deadline=deadline)]

    def call(self, actions: Sequence[Action], *, deadline: float | None = None) -> tuple[Answer | Refusal, ...]:
        """What each action came to, in their order, sent in one request if the account takes so many. Raises UpstreamDown, OutcomeUnknown."""
        end = self._monotonic() + (self._patience.deadline if deadline is None else deadline)
        found: tuple[Answer | Refusal, ...] = ()
        for start in range(0, len(actions), self._max_actions):
            try:
                found += self._call(actions[start : start + self._max_actions], end)
            except UpstreamDown as error:
                if all(action.reads for action in actions[:start]) or isinstance(error, OutcomeUnknown):
                    raise
                raise OutcomeUnknown(f"Only {start} of {len(actions)} actions were done: {error}", error.retry_after) from error
        return found

    def _call(self, actions: Sequence[Action], end: float) -> tuple[Answer | Refusal, ...]:
        """One request, tried until ``end``."""
        if self._monotonic() < self._rest_until:
            raise UpstreamDown(f"onOffice does not answer: {self.trouble}", self._patience.retry_after)
        may_repeat, perhaps, tries = all(action.may_repeat for action in actions), False, 0
        while True:
            try:
                results = self._once(actions, end)
            except _NotDone as error:
                pause, reason, final = max(self._pause(tries), error.wait), str(error), error.final
            except _PerhapsDone as error:
                pause, reason, final = self._pause(tries), str(error), not may_repeat
                perhaps = perhaps or not all(action.reads for action in actions)
            else:
                return self._settled(actions, results, perhaps=perhaps)
            tries += 1
            if final or self._monotonic() + pause >= end:
                self._give_up(actions, reason, pause, perhaps=perhaps, final=final)
            logger.warning("onOffice, try %d of %s: %s; next try in %.1f s", tries, _named(actions), reason, pause)
            self._sleep(pause)

    def probe(
        self, actions: Sequence[Action], alter: Callable[[bytes], bytes] = bytes, *, deadline: float | None = None
    ) -> tuple[int, dict[str, Any]]:
        """One try of reading actions: HTTP status, and the JSON of the answer as it is, {} if it is none. Nothing of it counts as an outage.

        ``alter`` makes the signed request a wrong one, to see what is answered to that. Raises UpstreamDown, and ValueError for a write.
        """
        if not all(action.reads for action in actions):
            raise ValueError("a probe only reads")
        body = alter(build_request(actions, self._credentials(), int(self._now())))
        try:
            status, _, content = self._post(body, self._monotonic() + (self._patience.deadline if deadline is None else deadline))
            answer = json.loads(content)
        except (_NotDone, _PerhapsDone) as error:
            raise UpstreamDown(f"onOffice does not answer: {error}", self._patience.retry_after) from error
        except (ValueError, RecursionError):
            answer = {}
        return status, answer if isinstance(answer, dict) else {}

    def _pause(self, tries: int) -> float:
        """Grows with each try, and is spread at random, so that many clients do not come back all at once."""
        longest: float = min(self._patience.longest_pause, self._patience.first_pause * 2**tries)
        return longest * (0.5 + self._chance() / 2)

    def _settled(self, actions: Sequence[Action], results: tuple[Answer | Refusal, ...], *, perhaps: bool) -> tuple[Answer | Refusal, ...]:
        self.down_since, self.trouble, self._rest_until = None, "", float("-inf")
        refused = [(action, result) for action, result in zip(actions, results, strict=True) if isinstance(result, Refusal)]
        for action, refusal in refused:
            logger.warning("onOffice refused to %s: %s", action, refusal)
        if perhaps and any(not action.reads for action, _ in refused):
            # An earlier try may have done it, and the repetition is refused for just that reason: deleting what is gone.
            raise OutcomeUnknown(f"An earlier try of {_named(actions)} may have succeeded.", self._patience.retry_after)
        return results

    def _give_up(self, actions: Sequence[Action], reason: str, pause: float, *, perhaps: bool, final: bool) -> NoReturn:
        self.down_since, self.trouble = self.down_since or self._now(), reason
        if not final:
            self._rest_until = self._monotonic() + self._patience.rest
        logger.error("onOffice, gave up %s: %s", _named(actions), reason)
        if perhaps:
            raise OutcomeUnknown(f"onOffice was sent {_named(actions)} and did not answer: {reason}", self._patience.retry_after)
        raise UpstreamDown(f"onOffice does not answer: {reason}", max(self._patience.retry_after, round(pause)))

    # ---------------------------------------------------------------- one try

    def _once(self, actions: Sequence[Action], end: float) -> tuple[Answer | Refusal, ...]:
        """One try. Raises _NotDone, _PerhapsDone."""
        body = build_request(actions, self._credentials(), int(self._now()))
        for _ in range(MAX_REDIRECTS):
            status, headers, content = self._post(body, end)
            if status not in (301, 302, 307, 308):
                break
            self._url = self._moved(headers.get("Location", ""))
        if status in NOT_DONE_STATUS:
            raise _NotDone(f"HTTP status {status}", wait=_seconds(headers.get("Retry-After", "")))
        if status >= 500:
            raise _PerhapsDone(f"HTTP status {status}")
        if status != 200:
            raise _NotDone(f"HTTP status {status} from {self._url}; is that the address of the API?", final=True)
        try:
            results = parse_answer(content, len(actions))
        except Malformed as error:
            raise _PerhapsDone(str(error)) from error
        self._demand_health(results)
        return results

    def _demand_health(self, results: Sequence[Answer | Refusal]) -> None:
        """Raise if onOffice let nothing in, or is ill: that is an outage, and no answer to what was asked."""
        faults = {result.fault if isinstance(result, Refusal) else None for result in results}
        if faults == {Fault.ACCESS}:
            # A wrong clock, token or secret will not mend itself within the call; devices are told to come again, as in an outage.
            raise _NotDone(f"onOffice does not let us in: {results[0]}", final=True)
        if faults <= DOWN:
            raise _PerhapsDone(f"onOffice is in trouble: {results[0]}")

    def _post(self, body: bytes, end: float) -> tuple[int, httpx.Headers, bytes]:
        left = end - self._monotonic()
        if left <= 0:
            raise _NotDone("the time was up")
        try:
            with self._http.stream("POST", self._url, content=body, timeout=min(left, self._patience.one_try)) as response:
                return response.status_code, response.headers, self._content(response, end)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _NotDone(f"no connection: {error or type(error).__name__}") from error
        except httpx.UnsupportedProtocol as error:
            raise _NotDone(f"{self._url} is no address: {error}", final=True) from error
        except httpx.RequestError as error:
            raise _PerhapsDone(f"{type(error).__name__}: {error}") from error

    def _content(self, response: httpx.Response, end: float) -> bytes:
        """The body, however slowly it drips in, but not beyond the deadline, and no more than is ever parsed."""
        content = bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > MAX_ANSWER:
                raise _PerhapsDone(f"the answer is larger than {MAX_ANSWER} bytes")
            if self._monotonic() > end:
                raise _PerhapsDone("the answer came too slowly")
        return bytes(content)

    def _moved(self, location: str) -> str:
        """Where a redirect leads; only within the same server, because the request carries the token."""
        url = urljoin(self._url, location)
        if not location or urlsplit(url)[:2] != urlsplit(self._url)[:2]:
            raise _NotDone(f"{self._url} redirects to another server ({urlsplit(url).netloc})", final=True)
        return url


def error_of(action: Action, refusal: Refusal, retry_after: int) -> OfficeError:
    """The core's error for a refusal."""
    if refusal.fault in DOWN:
        return UpstreamDown(f"onOffice cannot {action} now: {refusal}", retry_after)
    return GoneFromOnOffice(action, refusal) if refusal.fault is Fault.GONE else RefusedByOnOffice(action, refusal)


def _named(actions: Sequence[Action]) -> str:
    """What was asked, without any value, for logs."""
    return ", ".join(str(action) for action in actions[:3]) + (f" and {len(actions) - 3} more" if len(actions) > 3 else "")


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
