"""The same file under stock Radicale: fewer answers to choose from, the same rules."""

from __future__ import annotations

import base64
import http.client
import subprocess
import sys
import time

import pytest

from tests.running import PATIENCE, Running

AUTH = {"Authorization": "Basic " + base64.b64encode(b"anna:secret").decode()}
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{0}\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:{1}0101T100000Z\r\nDTEND:{1}0101T110000Z\r\nSUMMARY:s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


class Stock(Running):
    def request(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body=body.encode(), headers={**AUTH, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def start(self) -> None:
        program = [sys.executable, "-m", "radicale", "--config", str(self.config), "--server-hosts", f"127.0.0.1:{self.port}"]
        log = (self.directory / "server.log").open("ab")
        self.process = subprocess.Popen(program, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                self.request("OPTIONS", "/")
                return
            except OSError:
                assert self.process.poll() is None, (self.directory / "server.log").read_text()
                time.sleep(0.05)
        raise AssertionError("Radicale did not answer.")


@pytest.fixture
def stock(make_running):
    server = make_running(Stock)
    server.start()
    return server


def test_the_plugins_work_under_stock_radicale(stock):
    """Listing, PUT, GET, and a wrong password."""
    assert 201 == stock.request("PUT", "/anna/calendar/e1.ics", EVENT.format("e1", 2090))[0]
    assert "UID:e1" in stock.request("GET", "/anna/calendar/e1.ics")[1]
    assert 403 == stock.request("PUT", "/anna/calendar/", EVENT.format("e2", 2090))[0]
    assert 401 == stock.request("PROPFIND", "/anna/", Authorization="Basic " + base64.b64encode(b"anna:wrong").decode())[0]


def test_a_refused_delete_is_undone_at_the_client(stock):
    """Stock Radicale can only say 200; the record stays in the CRM (rule 54)."""
    stock.request("PUT", "/anna/calendar/e1.ics", EVENT.format("e1", 2020))
    assert 200 == stock.request("DELETE", "/anna/calendar/e1.ics")[0]
    assert "UID:e1" in stock.request("GET", "/anna/calendar/e1.ics")[1]


def test_maintenance_is_no_wrong_password(stock):
    """A 5xx instead of a 401: no phone asks for its password."""
    stock.command("maintenance", "on")
    status, _ = stock.request("PROPFIND", "/anna/")
    assert 500 <= status < 600
