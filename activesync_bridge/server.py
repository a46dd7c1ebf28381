"""The bridge as an ASGI application: bounded bodies in, bytes out, and the place where phones wait. The only I/O of the package.

Commands run in the host's worker threads, one at a time per device; a Ping or a hanging Sync waits in the event loop and holds neither a
thread nor a database connection. A device has one waiter: a newer request of it ends the older one (fact 16).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from hashlib import sha256
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote

from activesync_bridge import autodiscover, multipart
from activesync_bridge.commands.ping import Announced
from activesync_bridge.dispatch import COMMANDS, RESUMABLE
from activesync_bridge.gateway import Gateway
from activesync_bridge.request import COMMANDS as COMMAND_NAMES
from activesync_bridge.request import BadQuery, Request, parse
from activesync_bridge.session import Answer, Http, Multipart, Options, Session, Waiting
from activesync_bridge.status import Common, answer, refusal
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.reader import TooLarge, WbxmlError, decode
from activesync_bridge.wbxml.writer import encode
from radicale_onoffice.core import rights
from radicale_onoffice.core.accounts import Verify
from radicale_onoffice.core.errors import OfficeError
from radicale_onoffice.core.folders import Reader
from radicale_onoffice.core.model import Kind
from radicale_onoffice.core.office import Office
from radicale_onoffice.stores.wake import Hub, Ticket

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive, Send = Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]
T = TypeVar("T")
PATH = "/microsoft-server-activesync"
VERSIONS = ",".join(map(str, Version))
REFUSED_COMMANDS = ("SendMail", "SmartForward", "SmartReply", "GetAttachment")
SPOKEN = ",".join(name for name in COMMAND_NAMES.values() if name not in REFUSED_COMMANDS)
WBXML = "application/vnd.ms-sync.wbxml"
GZIP_FROM = 1024  # bytes; below that the header costs more than it saves
DEVICE_WAIT = 30  # seconds that a second request of a device waits for the first
DEVICES_LOCKED = 10_000


class Pool(Protocol):
    """The host's worker threads."""

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Run a function in a thread, when it is its turn."""


class Bridge:
    """ASGI application for the ActiveSync path and Autodiscover; ``observe`` is told command, status and seconds of each request."""

    def __init__(
        self,
        office: Office,
        hub: Hub,
        pool: Pool,
        *,
        options: Options,
        max_body: int,
        verify: Verify | None = None,
        observe: Callable[[str, int, float], None] = lambda _command, _status, _seconds: None,
    ):
        self._gateway = Gateway(office=office, options=options, announced=Announced(), verify=verify)
        self._hub, self._pool, self._max_body, self._observe = hub, pool, max_body, observe
        self._locks: dict[str, asyncio.Lock] = {}
        self._waiters: dict[str, Ticket] = {}

    @staticmethod
    def serves(path: str) -> bool:
        """True for the paths that are the bridge's, in any case, with or without a slash at the end."""
        return path.lower().rstrip("/") == PATH or autodiscover.serves(path)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        began = time.perf_counter()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            body = await read_body(scope, receive, self._max_body)
            command, response = await self._respond(scope, headers, body, receive)
        except Oversize:
            command, response = "oversize", Http(413, f"The body is larger than the {self._max_body} bytes that are accepted.".encode())
        if response is None:
            return
        seconds = time.perf_counter() - began
        self._observe(command, response.status, seconds)
        logger.info("%s %s %s %.0fms", scope["method"], command, response.status, seconds * 1000)
        await send_response(send, response, headers)

    async def _respond(self, scope: Message, headers: Mapping[str, str], body: bytes | None, receive: Receive) -> tuple[str, Http | None]:
        if body is None:
            return "disconnected", None
        path = scope["path"]
        if autodiscover.serves(path):
            return "Autodiscover", await self._autodiscover(scope, headers, body)
        asked = _asked(scope, headers)
        authorization = headers.get("authorization", "")
        sign_in = functools.partial(self._gateway.sign_in, authorization, address_of(scope), *_device_hint(asked, scope))
        try:
            if isinstance(asked, Request):
                key = _key(authorization, asked.device_id)
                return asked.command if asked.command in COMMANDS else "unknown", await self._command(asked, key, sign_in, body, receive)
            await self._pool.run(sign_in)
        except OfficeError as error:
            return "sign-in", _http(answer(error, "", Version.V16_1))
        return "OPTIONS" if scope["method"] == "OPTIONS" else "invalid", asked

    async def _command(self, request: Request, key: str, sign_in: Callable[[], Reader], body: bytes, receive: Receive) -> Http | None:
        """The answer to a command, None if the client went away while it waited; raises what sign-in raises."""
        if request.command in RESUMABLE:
            self._supersede(key)
        async with self._device(key) as is_free:
            if not is_free:
                return self._encoded(request, refusal(request.command, request.version, Common.SERVER_ERROR_RETRY_LATER))
            # Sign-in and command are one hop to a worker and back; two cost as much as the database.
            found = await self._pool.run(self._run, request, sign_in, body)
        return found if isinstance(found, Http) else await self._wait(key, *found, receive)

    # ------------------------------------------------------------ commands

    def _run(self, request: Request, sign_in: Callable[[], Reader], body: bytes) -> Http | tuple[Session, Waiting, float]:
        """In a worker: the answer, or what to wait for; raises what sign-in raises."""
        who = sign_in()
        handler = COMMANDS.get(request.command)
        if handler is None:
            return self._encoded(request, refusal(request.command, request.version, Common.COMMAND_NOT_SUPPORTED))
        opened = self._gateway.open(request, who)
        if not isinstance(opened, Session):
            return self._encoded(request, opened)
        try:
            element = decode(body) if body else None
        except TooLarge as error:
            return Http(413, str(error).encode())
        except WbxmlError as error:
            logger.info("%s of device %s is no WBXML: %s", request.command, request.device_id, error)
            return self._encoded(request, refusal(request.command, request.version, Common.INVALID_WBXML))
        return self._done(opened, self._guarded(lambda: handler(opened, element), request))

    def _guarded(self, call: Callable[[], Answer], request: Request) -> Answer:
        """The answer of a command; what it does not expect is a defect of ours, and never a 500: iOS would throw its data away."""
        try:
            return call()
        except OfficeError as error:
            return answer(error, request.command, request.version)
        except Exception:
            logger.exception("%s of device %s failed; the device is told to try again later", request.command, request.device_id)
            return Http(503, b"Try again later.", headers=(("Retry-After", "60"),))

    def _done(self, session: Session, found: Answer) -> Http | tuple[Session, Waiting, float]:
        if isinstance(found, Waiting):
            return session, found, time.monotonic() + found.seconds
        return self._encoded(session.request, found, session)

    def _encoded(self, request: Request, found: Answer, session: Session | None = None) -> Http:
        """The answer as bytes, with the headers of [MS-ASHTTP] 2.2.2.1.2."""
        if isinstance(found, Http):
            return found
        headers = [("MS-Server-ActiveSync", "16.1"), ("Cache-Control", "private")]
        if request.command == "FolderSync" and session is not None:
            headers += [("MS-ASProtocolVersions", VERSIONS), ("MS-ASProtocolCommands", SPOKEN)]
        if isinstance(found, Multipart):
            return Http(200, multipart.joined(found), "application/vnd.ms-sync.multipart", tuple(headers))
        return Http(200, encode(found) if isinstance(found, Element) else b"", WBXML, tuple(headers))

    # ------------------------------------------------------------- waiting

    async def _wait(self, key: str, session: Session, waiting: Waiting, until: float, receive: Receive) -> Http | None:
        """Wait for the news that a command asked for; None if the client went away."""
        self._supersede(key)
        ticket = self._hub.watch(session.identity.tenant, rights.principals(session.who.user), frozenset(Kind))
        self._waiters[key] = ticket
        gone = asyncio.ensure_future(_disconnected(receive, ticket))
        try:
            # What came between the first look and the ticket is not missed: the first round looks at once.
            may_wait = True
            while True:
                found = await self._pool.run(self._again, session, waiting, may_wait, until)
                if not isinstance(found, tuple):
                    return found
                may_wait = await ticket.wait(until - time.monotonic())
                if gone.done():
                    return None
                if self._waiters.get(key) is not ticket:
                    return self._encoded(session.request, waiting.idle, session)
        finally:
            gone.cancel()
            ticket.cancel()
            if self._waiters.get(key) is ticket:
                del self._waiters[key]

    def _supersede(self, key: str) -> None:
        """End the wait of a device's older request: the device has given up on it."""
        before = self._waiters.pop(key, None)
        if before is not None:
            before.cancel()

    def _again(self, session: Session, waiting: Waiting, may_wait: bool, until: float) -> Http | tuple[Session, Waiting, float]:
        request = session.request
        try:
            opened = self._gateway.reopen(session)
        except OfficeError as error:
            return self._encoded(request, answer(error, request.command, request.version))
        if not isinstance(opened, Session):
            return self._encoded(request, opened)
        found = self._guarded(lambda: RESUMABLE[request.command](opened, waiting.asked, may_wait=may_wait), request)
        return (opened, found, until) if isinstance(found, Waiting) else self._encoded(request, found, opened)

    @contextlib.asynccontextmanager
    async def _device(self, key: str):  # type: ignore[no-untyped-def]
        """One request of a device at a time."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            await asyncio.wait_for(lock.acquire(), DEVICE_WAIT)
        except TimeoutError:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()
            if len(self._locks) > DEVICES_LOCKED:
                for idle in [name for name, one in self._locks.items() if not one.locked()]:
                    del self._locks[idle]

    # -------------------------------------------------------- autodiscover

    async def _autodiscover(self, scope: Message, headers: Mapping[str, str], body: bytes) -> Http:
        login = ""
        if autodiscover.needs_login(scope["path"]):
            try:
                user = await self._pool.run(self._gateway.sign_in, headers.get("authorization", ""), address_of(scope))
            except OfficeError as error:
                return _http(answer(error, "", Version.V16_1))
            login = self._gateway.office.accounts.login_name(user.identity)
        base = f"{scope['scheme']}://{headers.get('host', 'localhost')}"
        return autodiscover.answer(scope["method"], scope["path"], unquote(scope["query_string"].decode("latin-1")), body, base, login)


def _key(authorization: str, device_id: str) -> str:
    """By what a device is known before it has signed in; it holds the credentials, so that a stranger can neither block nor wake anybody."""
    return sha256(f"{authorization}\0{device_id}".encode()).hexdigest()


def _asked(scope: Message, headers: Mapping[str, str]) -> Request | Http:
    """What a request asks of a user who may come in: a command, or something that needs none."""
    if scope["method"] == "OPTIONS":
        return Http(200, headers=(("MS-ASProtocolVersions", VERSIONS), ("MS-ASProtocolCommands", SPOKEN)))
    if scope["method"] != "POST":
        return Http(405, b"ActiveSync knows POST and OPTIONS.", headers=(("Allow", "OPTIONS,POST"),))
    try:
        return parse(scope["query_string"].decode("latin-1"), headers)
    except BadQuery as error:
        return Http(400, str(error).encode())


def _http(found: Answer) -> Http:
    assert isinstance(found, Http)
    return found


def _device_hint(asked: object, scope: Message) -> tuple[str, str]:
    """Device id and type of a request, or the id of a plain query that is none, for the log of a wrong password."""
    if isinstance(asked, Request):
        return asked.device_id, asked.device_type
    query = scope["query_string"].decode("latin-1")
    return next((pair.partition("=")[2][:64] for pair in query.split("&") if pair.lower().startswith("deviceid=")), ""), ""


def address_of(scope: Message) -> str:
    """Where a request comes from; behind a proxy that is trusted, uvicorn has put the client's address here."""
    client = scope.get("client")
    return client[0] if client else ""


class Oversize(Exception):
    """A body is longer than is accepted."""


async def read_body(scope: Message, receive: Receive, most: int) -> bytes | None:
    """The body; None if the client went away. Raises Oversize as soon as it is known, not when all has been read."""
    told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if told.isdigit() and int(told) > most:
        raise Oversize
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > most:
            raise Oversize
        more = message.get("more_body", False)
    return b"".join(pieces)


async def _disconnected(receive: Receive, ticket: Ticket) -> None:
    """Ends when the client goes away, and wakes whoever waits for it."""
    while (await receive())["type"] != "http.disconnect":
        pass
    ticket.cancel()


async def send_response(send: Send, response: Http, request: Mapping[str, str]) -> None:
    """Content-Length always, Content-Type with a body, gzip for those who can ([MS-ASHTTP] 2.2.2.1.2)."""
    body = response.body
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    if len(body) >= GZIP_FROM and "gzip" in request.get("accept-encoding", ""):
        body = gzip.compress(body, 1)
        headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
    headers.append((b"content-length", str(len(body)).encode()))
    if body:
        headers.append((b"content-type", response.content_type.encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
