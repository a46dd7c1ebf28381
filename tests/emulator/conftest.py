"""An emulator at a fixed time, and a client that knows nothing but the wire."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.emulator import SECRET, TOKEN, Emulator

NOW = 1_700_000_000  # 2023-11-14 22:13:20 UTC, 23:13:20 in Berlin; the time of the contract's test vectors
URN = "urn:onoffice-de-ns:smart:2.5:smartml:action:"


class Wire:
    """Signs, sends, decodes; on its own, so that the emulator is not its own judge."""

    def __init__(self, transport: httpx.BaseTransport):
        self.http = httpx.Client(transport=transport, base_url="https://api.example")
        self.now, self.token, self.secret = NOW, TOKEN, SECRET

    def action(self, verb: str, resourcetype: str, parameters: Any = None, id: Any = "", /, **changes: Any) -> dict[str, Any]:
        """One action as a JSON object; ``changes`` replaces attributes."""
        message = f"{self.now}{self.token}{resourcetype}{URN}{verb}".encode()
        return {
            "actionid": URN + verb,
            "resourcetype": resourcetype,
            "resourceid": id,
            "identifier": "",
            "timestamp": self.now,
            "hmac": base64.b64encode(hmac.new(self.secret.encode(), message, hashlib.sha256).digest()).decode(),
            "hmac_version": "2",
            "parameters": parameters or {},
            **changes,
        }

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        return self.http.post("/api/stable/api.php", content=body, headers=headers)

    def send(self, *actions: dict[str, Any]) -> dict[str, Any]:
        """The whole answer to a request with these actions."""
        return self.post(json.dumps({"token": self.token, "request": {"actions": actions}}).encode()).json()

    def __call__(self, verb: str, resourcetype: str, parameters: Any = None, id: Any = "") -> dict[str, Any]:
        """The one result of one action."""
        return self.send(self.action(verb, resourcetype, parameters, id))["response"]["results"][0]

    def code(self, *words: Any) -> int:
        return self(*words)["status"]["errorcode"]

    def records(self, *words: Any) -> list[dict[str, Any]]:
        found = self(*words)
        assert found["status"] == {"errorcode": 0, "message": "OK"}
        return found["data"]["records"]

    def elements(self, *words: Any) -> list[dict[str, Any]]:
        return [one["elements"] for one in self.records(*words)]

    def total(self, *words: Any) -> int | None:
        return self(*words)["data"]["meta"]["cntabsolute"]


@pytest.fixture
def emulator():
    made = Emulator(clock=lambda: datetime.fromtimestamp(NOW, UTC))
    yield made
    made.close()


@pytest.fixture
def control(emulator):
    return emulator.control


@pytest.fixture
def wire(emulator):
    return Wire(emulator.transport())


@pytest.fixture
def api_user(emulator):
    """The number of the API user whose token the wire uses."""
    return emulator.account.user("api")
