"""Signatures and timestamps, contract 1.2."""

from __future__ import annotations

import pytest

from tests.emulator import SECRET, TOKEN
from tests.emulator.envelope import sign

from .conftest import NOW, URN

VECTORS = [
    ("dhY8h7FeU9", 123456789, "dX5hkIIU6W", "estateCategories", "get", "F9OXyaJv7p+bLkwGDGV7ZUmfYgjH2E24zpsxY5/nVDk="),
    ("f" * 64, 1700000000, TOKEN, "address", "read", "rDGYb//Mn9Rj+pe414Htl0CHfYxtD3J7NXH31P+skJ0="),
    ("f" * 64, 1700000000, TOKEN, "task", "create", "mVQ2Asye/j5L4R1MXLwZrmX1doVJM/ObQnKkAGk5FO4="),
    ("f" * 64, 1700000000, TOKEN, "calendar", "delete", "8ADW9UTfk7r9MZQ1/pvbaddBbnduSe+r5JSqWhgN1lY="),
]


@pytest.mark.parametrize(("secret", "timestamp", "token", "resourcetype", "verb", "expected"), VECTORS)
def test_signatures_are_those_of_the_contract(secret, timestamp, token, resourcetype, verb, expected):
    """Base64 of HMAC-SHA256 over timestamp, token, resource type and action id."""
    assert expected == sign(secret, timestamp, token, resourcetype, URN + verb)


@pytest.mark.parametrize(("seconds", "code"), [(0, 0), (120, 0), (-120, 0), (121, 136), (-121, 136)])
def test_a_timestamp_may_be_off_by_two_minutes(wire, seconds, code):
    """Either way; beyond that it is error 136."""
    wire.now = NOW + seconds
    assert code == wire.code("read", "address", {"data": ["Name"]})


def test_a_skewed_clock_refuses_good_signatures(wire, control):
    """The service's clock counts, not the client's."""
    control.set_switch("clock_skew", 300)
    assert 136 == wire.code("read", "task", {"data": ["Betreff"]})


def test_the_patience_for_timestamps_is_a_switch(wire, control):
    """Should the service tighten it."""
    control.set_switch("signature_seconds", 10)
    wire.now = NOW + 11
    assert 136 == wire.code("get", "users")


@pytest.mark.parametrize("secret", ["", "e" * 64])
def test_a_wrong_secret_is_error_137(wire, secret):
    """And nothing is carried out."""
    wire.secret = secret
    assert 137 == wire.code("create", "address", {"Name": "Beispiel"})
    wire.secret = SECRET
    assert [] == wire.records("read", "address", {"data": ["Name"]})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"hmac": None}, 137),
        ({"hmac": 17}, 137),
        ({"hmac": "Schlüssel"}, 137),
        ({"hmac_version": 2}, 0),  # onOffice's own SDK sends the number
        ({"hmac_version": "1"}, 137),
        ({"timestamp": str(NOW)}, 0),
        ({"timestamp": "now"}, 136),
        ({"timestamp": True}, 136),
        ({"resourcetype": 5}, 243),
    ],
)
def test_attributes_of_a_signature(wire, changes, code):
    """What may be a number or a text, and what is refused."""
    answer = wire.send(wire.action("read", "address", {"data": ["Name"]}, **changes))
    assert code == answer["response"]["results"][0]["status"]["errorcode"]


def test_the_old_signature_is_refused_unless_switched_on(wire, control):
    """MD5 over sorted parameters, without hmac_version."""
    action = wire.action("read", "address", {"listlimit": 1, "data": ["Name"]})
    del action["hmac_version"]
    # MD5 of the secret and of the inner MD5: over the sorted parameters as JSON, a comma, and seven values joined by commas
    action["hmac"] = "5bc1d67c7644d60260d53170c3500231"
    assert 137 == wire.send(action)["response"]["results"][0]["status"]["errorcode"]
    control.set_switch("old_hmac", "accept")
    assert 0 == wire.send(action)["response"]["results"][0]["status"]["errorcode"]
    action["parameters"] = {"listlimit": 2, "data": ["Name"]}  # the parameters are signed, too
    assert 137 == wire.send(action)["response"]["results"][0]["status"]["errorcode"]


@pytest.mark.parametrize("code", [22, 153])
def test_an_unknown_token_is_top_status_400(wire, control, code):
    """Which code it has is a switch; there are no results."""
    control.set_switch("unknown_token_code", code)
    wire.token = "nobody"
    expected = {"status": {"code": 400, "errorcode": code, "message": "not authenticated"}, "response": {"results": []}}
    assert expected == wire.send(wire.action("read", "address"))


def test_an_unknown_token_may_also_be_a_failed_result(wire, control):
    """The other shape that a client has to expect."""
    control.set_switch("unknown_token_shape", "result")
    wire.token = "nobody"
    assert 22 == wire.code("read", "address")
