"""The application behind a port, for browsers, and the phones and DAV clients beside them."""

from __future__ import annotations

import threading
import time
from base64 import b64encode

import httpx
import uvicorn

from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.model import Identity
from tests.eas.phone import Phone, over
from tests.journeys.davclient import DavClient
from tests.running import PATIENCE, free_port

ANNA = Identity("t", "anna")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


class Live:
    """A server in a thread of this process, over an office with a fixed clock."""

    def __init__(self, server):
        self.office, self.port = server.office, free_port()
        configuration = uvicorn.Config(
            server.application, host="127.0.0.1", port=self.port, log_config=None, access_log=False, lifespan="on", server_header=False
        )
        self._server = uvicorn.Server(configuration)
        self._thread = threading.Thread(target=self._server.run)
        self._clients: list[httpx.Client] = []
        self.headers: dict[str, str] = {}  # of every program, as a proxy adds them
        self._sessions: dict[Identity, str] = {}
        self._thread.start()
        end = time.monotonic() + PATIENCE
        while not self._server.started:
            assert self._thread.is_alive(), "The server did not start."
            assert time.monotonic() < end, "The server did not answer."
            time.sleep(0.01)

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Hang up on everybody, and end."""
        for client in self._clients:
            client.close()
        self._server.should_exit = True
        self._thread.join(PATIENCE)

    def session(self, identity: Identity = ANNA) -> str:
        """The token of a session of a user, the same one each time."""
        if identity not in self._sessions:
            with self.office.store.reading() as tx:
                user = tx.user(identity)
            assert user is not None
            self._sessions[identity] = self.office.accounts.open_page_session(user, Caller(address="192.0.2.17", device=BROWSER))
        return self._sessions[identity]

    def client(self, **headers: str) -> httpx.Client:
        """Connections of one program."""
        client = httpx.Client(base_url=self.url, headers=self.headers | headers, timeout=PATIENCE)
        self._clients.append(client)
        return client

    def phone(self, login: str = "anna", password: str = "secret", device: str = "PHONE1") -> Phone:
        """A phone with an account here."""
        return Phone(over(self.client()), login, password, device=device)

    def computer(self, login: str = "anna", agent: str = "Computer/1.0") -> Computer:
        """A program that speaks CalDAV and CardDAV."""
        return Computer(self.client(), login, agent)


class Computer:
    """A DAV client that is always in touch."""

    def __init__(self, http: httpx.Client, login: str, agent: str):
        self._http, self._client = http, DavClient(login, "computer")
        self._headers = {"Authorization": "Basic " + b64encode(f"{login}:secret".encode()).decode(), "User-Agent": agent}

    def exchange(self, method: str, path: str, headers: dict[str, str], body: bytes, fault) -> tuple[int, httpx.Headers, bytes]:
        """One request, as ``DavClient`` makes it."""
        answer = self._http.request(method, path, headers=headers | self._headers, content=body)
        return answer.status_code, answer.headers, answer.content

    def put(self, path: str, text: str) -> None:
        """Store an object that is new."""
        answer = self._http.put(
            path, content=text.encode(), headers={**self._headers, "Content-Type": "text/calendar", "If-None-Match": "*"}
        )
        assert answer.status_code in (201, 204), answer.text

    def shown(self, collection: str) -> list[str]:
        """The texts of a folder's items after synchronising it."""
        self._client.pull(self, collection)
        return list(self._client.shown(collection).values())
