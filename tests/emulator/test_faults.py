"""Faults, latency and parallel requests, contract 11.13; without sockets."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from tests.emulator.faults import Faults


def create(wire):
    return wire.send(wire.action("create", "address", {"Name": "x"}))


@pytest.mark.parametrize(("when", "rows"), [("before", 0), ("after", 1)])
def test_http_errors_before_or_after_the_write(wire, control, when, rows):
    """A 502 says nothing about whether the write took place; the script goes on to the next request."""
    control.fault(kind="status", status=502, when=when)
    answer = wire.post(json.dumps({"token": wire.token, "request": {"actions": [wire.action("create", "address")]}}).encode())
    assert (502, b"<html><body><h1>Bad Gateway</h1></body></html>") == (answer.status_code, answer.content)
    assert rows == control.count("address")
    assert 200 == create(wire)["status"]["code"]


def test_too_many_requests(wire, control):
    """429 with Retry-After, so often as said."""
    control.fault(kind="status", status=429, headers={"Retry-After": "3"}, times=2)
    answers = [wire.post(b"{}") for _ in range(3)]
    assert [(429, "3"), (429, "3"), (200, None)] == [(one.status_code, one.headers.get("Retry-After")) for one in answers]


@pytest.mark.parametrize(("when", "rows"), [("before", 0), ("after", 1)])
def test_connections_break(wire, control, when, rows):
    """Before or after the write."""
    control.fault(kind="reset", when=when)
    with pytest.raises(httpx.ReadError):
        create(wire)
    assert rows == control.count("address")


def test_an_answer_is_cut(wire, control):
    """The write took place; the JSON is none."""
    control.fault(kind="truncate")
    with pytest.raises(json.JSONDecodeError):
        create(wire)
    assert 1 == control.count("address")


@pytest.mark.parametrize("when", ["before", "after"])
def test_slow_answers(wire, control, when):
    """Slower than the client's patience is a timeout; a late one is carried out all the same, afterwards."""
    wire.http.timeout = httpx.Timeout(2)
    control.fault(kind="delay", seconds=1, when=when)
    assert 200 == create(wire)["status"]["code"]
    control.fault(kind="delay", seconds=3, when=when)
    with pytest.raises(httpx.ReadTimeout):
        create(wire)
    assert (1 if when == "before" else 2) == control.count("address")
    assert (1 if when == "before" else 0) == control.settle()
    assert 2 == control.count("address")


def test_emptiness(wire, control):
    """All reading calls succeed without records, as if a right were gone; writes go on."""
    control.add("address", {"Name": "x"}, sync=[1])
    control.fault(kind="empty", times=4)
    assert 2 == wire.records("create", "address", {"Name": "y"})[0]["id"]
    assert ([], 0) == (wire.records("read", "address", {"data": []}), wire.total("read", "address", {"data": []}))
    sync = {"relationtype": "urn:onoffice-de-ns:smart:2.5:relationTypes:address:user:sync", "childids": [1]}
    assert [{"1": []}] == wire.elements("get", "idsfromrelation", sync)
    assert [{"1": ["1"]}] == wire.elements("get", "idsfromrelation", sync)


@pytest.mark.parametrize(("code", "message"), [(156, "Access violation"), (4711, "Unknown error occurred")])
def test_errors_by_script(wire, control, code, message):
    """Only the matching action fails, even with a code that nobody knows; it is not carried out."""
    control.fault(kind="error", code=code, verb="create", resourcetype="address")
    assert 0 == wire.code("get", "users")
    results = wire.send(wire.action("get", "users"), wire.action("create", "address", {"Name": "x"}))["response"]["results"]
    assert [0, code] == [one["status"]["errorcode"] for one in results]
    assert message == results[1]["status"]["message"]
    assert 0 == control.count("address")


def test_a_result_is_missing(wire, control):
    """Fewer results than actions."""
    control.fault(kind="drop")
    assert 1 == len(wire.send(wire.action("get", "users"), wire.action("get", "groups"))["response"]["results"])


def test_a_script_with_pauses(wire, control):
    """``pass`` lets requests through; what is written for one kind of action waits for it."""
    control.fault(kind="pass", times=2)
    control.fault(kind="status", status=503)
    assert [200, 200, 503, 200] == [wire.post(b"{}").status_code for _ in range(4)]
    control.fault(kind="status", status=503)
    control.clear_faults()
    assert 200 == wire.post(b"{}").status_code
    with pytest.raises(ValueError, match="No such fault"):
        control.fault(kind="meteor")


def test_chaos_repeats_with_its_seed():
    """The same seed gives the same faults, about as often as said."""

    def run(seed):
        faults = Faults()
        faults.chaos(0.1, seed)
        return [str(faults.next([])) for _ in range(1000)]

    assert run(7) == run(7) != run(8)
    assert 60 < sum(one != "None" for one in run(7)) < 140


def test_the_log_of_requests(wire, control):
    """With both bodies, codes and faults, and counters of requests and actions."""
    control.fault(kind="reset", when="after")
    with pytest.raises(httpx.ReadError):
        create(wire)
    wire.send(wire.action("read", "nonsense"), wire.action("get", "users"))
    shown = [(one["actions"], one["http"], one["codes"], one["fault"]) for one in control.requests()]
    assert [("create address", 0, "0", "reset after"), ("read nonsense, get users", 200, "25 0", "")] == shown
    assert "create" in control.requests()[0]["asked"]
    assert "results" in control.requests()[1]["answered"]
    assert {"requests": 2, "actions": {"create address": 1, "get users": 1}, "peak_parallel": 1} == control.counters()
    control.reset_counters()
    assert {"requests": 0, "actions": {}, "peak_parallel": 0} == control.counters()


def test_too_many_at_once_over_asgi(emulator, control):
    """With a latency, requests overlap; over the limit they get 502."""
    control.set_switch("parallel_limit", 5)
    control.set_switch("latency_ms", 50)

    async def run():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(emulator.app()), base_url="http://emulator") as client:
            return await asyncio.gather(*(client.post("/api/stable/api.php", content=b"{}") for _ in range(8)))

    statuses = [one.status_code for one in asyncio.run(run())]
    assert {200: 5, 502: 3} == {status: statuses.count(status) for status in (200, 502)}
    assert 8 == control.counters()["peak_parallel"]


def test_a_reset_over_plain_asgi_is_an_exception(emulator, control):
    """There is no connection to break."""
    control.chaos(0.0)
    control.fault(kind="reset")

    async def run():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(emulator.app()), base_url="http://emulator") as client:
            await client.post("/api/stable/api.php", content=b"{}")

    with pytest.raises(ConnectionResetError):
        asyncio.run(run())


def test_the_asynchronous_client_gets_the_same(emulator):
    """One transport for both kinds of httpx client."""

    async def run():
        async with httpx.AsyncClient(transport=emulator.transport(), base_url="https://api.example") as client:
            return await client.post("/api/latest/api.php", content=b"{}")

    assert 13 == asyncio.run(run()).json()["status"]["errorcode"]
