"""The emulator as an httpx transport: no socket, and no waiting; a wait longer than the client's read timeout is that timeout."""

from __future__ import annotations

import gzip

import httpx

from .emulator import Emulator, Exchange, Reply

API_PATHS = ("/api/stable/api.php", "/api/latest/api.php")


class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """For both kinds of httpx client."""

    def __init__(self, emulator: Emulator):
        self.emulator = emulator

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer(request, request.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer(request, await request.aread())

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        if request.url.path.rstrip("/") not in API_PATHS:
            found = self.emulator.picture(request.url.path)
            return httpx.Response(200 if found else 404, content=found, headers={"Content-Type": "image/jpeg"}, request=request)
        if request.method != "POST" and not (request.method == "GET" and self.emulator.account.switches["get_with_body"]):
            return httpx.Response(405, request=request)
        patience = (request.extensions.get("timeout") or {}).get("read")
        exchange = Exchange(self.emulator, body)
        try:
            wait = exchange.start()
            if patience is not None and wait > patience:  # the service goes on when nobody listens any more: Control.settle
                self.emulator.late.append(exchange)
                raise httpx.ReadTimeout(f"No answer for {patience} s.", request=request)
            reply = exchange.perform()
        finally:
            exchange.end()
        if reply.reset:
            raise httpx.ReadError("Connection reset by peer.", request=request)
        if patience is not None and wait + reply.wait > patience:
            raise httpx.ReadTimeout(f"No answer for {patience} s.", request=request)
        return self._response(request, reply)

    def _response(self, request: httpx.Request, reply: Reply) -> httpx.Response:
        headers = {"Content-Type": "application/json", **reply.headers}
        content = reply.body
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"], content = "gzip", gzip.compress(content, 1)
        return httpx.Response(reply.http, headers=headers, content=content, request=request)
