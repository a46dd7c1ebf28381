"""The emulator over HTTP: the API, its control API under ``/_emulator/``, pictures under ``/media/``, and a page for people at ``/``."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from . import page
from .emulator import Emulator, Exchange
from .transport import API_PATHS

PREFIX = "/_emulator/"
open_transports: dict[Any, asyncio.Transport] = {}  # by the client's address, so that a fault can break the connection


class Breakable(H11Protocol):
    """Uvicorn's protocol, which lets a fault break its connection."""

    def connection_made(self, transport: Any) -> None:
        open_transports[transport.get_extra_info("peername")] = transport
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        open_transports.pop(self.transport.get_extra_info("peername"), None)
        super().connection_lost(exc)


async def break_connection(client: Any) -> None:
    """RST without an answer; over plain ASGI there is only the exception."""
    transport = open_transports.get(client and tuple(client))
    if transport is None:
        raise ConnectionResetError("A fault of the emulator: connection reset.")
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await asyncio.sleep(0)  # until uvicorn knows, or it complains that nothing was answered


async def read_body(receive: Any) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def send_answer(send: Any, status: int, headers: Mapping[str, str], body: bytes) -> None:
    encoded = [(name.lower().encode(), value.encode()) for name, value in {**headers, "Content-Length": str(len(body))}.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def application(emulator: Emulator) -> Any:
    """The ASGI application."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":  # lifespan: uvicorn goes on without it
            raise NotImplementedError(scope["type"])
        path, method = scope["path"], scope["method"]
        body = await read_body(receive)
        if path.rstrip("/") in API_PATHS:
            if method == "POST" or (method == "GET" and emulator.account.switches["get_with_body"]):
                await answer_api(emulator, scope, body, send)
            else:
                await send_answer(send, 405, {"Allow": "POST"}, b"")
        elif path.startswith(PREFIX) and method == "POST":
            status, found = control(emulator, path.removeprefix(PREFIX), body)
            await send_answer(send, status, {"Content-Type": "application/json"}, json.dumps(found).encode())
        elif path.startswith("/media/address/"):
            await send_picture(emulator, path, send)
        elif path == "/":
            query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
            await send_answer(
                send, 200, {"Content-Type": "text/html; charset=utf-8"}, page.render(emulator, query.get("show", "request")).encode()
            )
        else:
            await send_answer(send, 404, {}, b"")

    return app


async def answer_api(emulator: Emulator, scope: Any, body: bytes, send: Any) -> None:
    exchange = Exchange(emulator, body)
    try:
        wait = exchange.start()
        if wait:
            await asyncio.sleep(wait)
        reply = exchange.perform()
        if reply.wait:
            await asyncio.sleep(reply.wait)
    finally:
        exchange.end()
    if reply.reset:
        await break_connection(scope.get("client"))
        return
    headers, content = {"Content-Type": "application/json", **reply.headers}, reply.body
    if b"gzip" in dict(scope["headers"]).get(b"accept-encoding", b""):
        headers, content = {**headers, "Content-Encoding": "gzip"}, gzip.compress(content, 1)
    await send_answer(send, reply.http, headers, content)


def control(emulator: Emulator, name: str, body: bytes) -> tuple[int, Any]:
    """``POST /_emulator/<method of Control>`` with its arguments as a JSON object."""
    method = None if name.startswith("_") else getattr(emulator.control, name, None)
    if not callable(method):
        return 404, {"error": f"Control has no {name}."}
    try:
        return 200, method(**json.loads(body or b"{}"))
    except (ValueError, TypeError, KeyError) as error:
        return 400, {"error": f"{type(error).__name__}: {error}"}


async def send_picture(emulator: Emulator, path: str, send: Any) -> None:
    found = emulator.picture(path)
    await send_answer(send, 200 if found else 404, {"Content-Type": "image/jpeg"}, found)


def config(emulator: Emulator, **options: Any) -> uvicorn.Config:
    return uvicorn.Config(application(emulator), http=Breakable, lifespan="off", access_log=False, **options)


@contextmanager
def serving(emulator: Emulator, host: str, port: int) -> Iterator[str]:
    """A server in a thread while the block runs."""
    before = emulator.account.base
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)  # connections wait in the queue until the loop runs, so nobody has to ask whether it does
        server = uvicorn.Server(config(emulator, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        emulator.account.base = f"http://{host}:{listening.getsockname()[1]}"
        try:
            yield emulator.account.base
        finally:
            emulator.account.base = before
            server.should_exit = True
            thread.join(10)
