"""Radicale's WSGI application inside the ASGI server: bodies are read before a worker is taken, and a request is one hop to a thread.

a2wsgi builds the environ. Its middleware is not used, because it fetches the body from inside the worker: a client that sends slowly would
hold a thread, and every request would go back and forth between loop and thread four times, which costs more than the request itself.
"""

from __future__ import annotations

import asyncio
import functools
import io
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from a2wsgi.wsgi import build_environ

from radicale_onoffice.turns import Turns

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive, Send = Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]
T = TypeVar("T")
WORKERS = 16  # threads; how many of them compute at once is a matter of turns


class Pool:
    """The threads in which requests of both faces are answered, ``turns_at_once`` of them computing at a time."""

    def __init__(self, turns_at_once: int):
        self._turns = Turns(ThreadPoolExecutor(WORKERS, "worker"), threads=WORKERS, at_once=turns_at_once)

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Call a function in a thread, when it is its turn."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        context = copy_context()

        def job() -> None:
            try:
                tell = functools.partial(_answer, answer.set_result, context.run(function, *args))
            except BaseException as error:  # noqa: BLE001 - as executors do: whatever it is, it is the caller's
                tell = functools.partial(_answer, answer.set_exception, error)
            try:
                loop.call_soon_threadsafe(tell)
            except RuntimeError:
                logger.debug("the loop has ended before a request could be answered")

        def _answer(with_what: Callable[[Any], None], found: object) -> None:
            if not answer.done():  # else the request has been given up
                with_what(found)

        self._turns.run(job)
        return await answer


class Workers:
    """ASGI application over a WSGI one; ``max_body`` in bytes is where reading stops, the WSGI application then answers 413."""

    def __init__(self, app: Callable[..., Iterable[bytes]], pool: Pool, *, max_body: int):
        self._app, self._pool, self._max_body = app, pool, max_body

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        body = await self._body(scope, receive)
        if body is None:
            return
        environ = build_environ(scope, io.BytesIO(body))
        status, headers, pieces = await self._pool.run(self._call, environ)
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": int(status[:3]), "headers": encoded})
        if isinstance(pieces, list):
            await send({"type": "http.response.body", "body": b"".join(pieces)})
            return
        while (piece := await self._pool.run(next, pieces, None)) is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _body(self, scope: Message, receive: Receive) -> bytes | None:
        """The body, cut off behind the limit; None if the client went away."""
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        pieces: list[bytes] = []
        size, more = 0, not (told.isdigit() and int(told) > self._max_body)
        while more and size <= self._max_body:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            more = message.get("more_body", False)
        return b"".join(pieces)

    def _call(self, environ: Any) -> tuple[str, list[tuple[str, str]], list[bytes] | Iterator[bytes]]:
        started: list[Any] = []
        pieces = self._app(environ, lambda status, headers, _exc_info=None: started.extend((status, headers)))
        return started[0], started[1], pieces if isinstance(pieces, list) else iter(pieces)
