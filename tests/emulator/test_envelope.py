"""Requests and answers as bytes, contract 1, 2 and 11."""

from __future__ import annotations

import json

import pytest

from tests.emulator import SECRET, TOKEN
from tests.emulator.envelope import sign

from .conftest import NOW

# Signed with 64 times f, the contract's second vector
REQUEST = (
    b'{"token":"0123456789abcdef0123456789abcdef","request":{"actions":[{'
    b'"actionid":"urn:onoffice-de-ns:smart:2.5:smartml:action:read","resourcetype":"address","resourceid":"","identifier":"job-1",'
    b'"timestamp":1700000000,"hmac":"rDGYb\\/\\/Mn9Rj+pe414Htl0CHfYxtD3J7NXH31P+skJ0=","hmac_version":"2",'
    b'"parameters":{"data":["Vorname","Name","phone","email","Homepage"],"listlimit":50}}]}}'
)


def filled(control):
    entries = [
        {"what": "phone", "value": "+49 241 900100", "default": True, "comment": "Zentrale"},
        {"what": "email", "value": "ada@example.org", "type": "business"},
    ]
    return control.add("address", {"Vorname": "Ada", "Name": "Müller", "Homepage": "http://a.example/b"}, entries=entries)


def test_an_answer_in_bytes(wire, control):
    """Unformatted JSON, / as \\/, other letters as \\uXXXX, the identifier echoed."""
    filled(control)
    expected = (
        b'{"status":{"code":200,"errorcode":0,"message":"OK"},"response":{"results":[{'
        b'"actionid":"urn:onoffice-de-ns:smart:2.5:smartml:action:read","resourceid":"","resourcetype":"address","cacheable":true,'
        b'"identifier":"job-1","data":{"meta":{"cntabsolute":1},"records":[{"id":1,"type":"address","elements":{"id":1,"Vorname":"Ada",'
        b'"Name":"M\\u00fcller","phone__1":"+49 241 900100","phone__1__Comment":"Zentrale","emailbusiness__2":"ada@example.org",'
        b'"Homepage":"http:\\/\\/a.example\\/b"}}]},"status":{"errorcode":0,"message":"OK"}}]}}'
    )
    assert expected == wire.post(REQUEST).content


@pytest.mark.parametrize("path", ["/api/stable/api.php", "/api/latest/api.php", "/api/stable/api.php/"])
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_any_content_type_and_both_versions(wire, path, content_type):
    """The raw body counts."""
    assert 200 == wire.http.post(path, content=REQUEST, headers={"Content-Type": content_type}).json()["status"]["code"]


def test_answers_are_compressed_when_asked(wire):
    """httpx undoes it."""
    assert "gzip" == wire.post(REQUEST, **{"Accept-Encoding": "gzip"}).headers["Content-Encoding"]
    assert "Content-Encoding" not in wire.post(REQUEST, **{"Accept-Encoding": "identity"}).headers


def test_only_post_unless_switched(wire, control):
    """One published client sends GET with a body."""
    assert 405 == wire.http.request("GET", "/api/stable/api.php", content=REQUEST).status_code
    control.set_switch("get_with_body", True)
    assert 200 == wire.http.request("GET", "/api/stable/api.php", content=REQUEST).status_code
    assert 404 == wire.http.post("/api/other").status_code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 9),
        (b" \n", 9),
        (b"{", 6),
        (b"[]", 4),
        (b'"text"', 4),
        (b'{"a":"\xff"}', 7),
        (b"[" * 100_000, 3),
        (b"{}", 13),
        (b'{"token":""}', 13),
        (b'{"token":"x"}', 14),
        (b'{"token":"x","request":[]}', 14),
        (b'{"token":"x","request":{}}', 15),
        (b'{"token":"x","request":{"actions":[]}}', 15),
        (b'{"token":"x","request":{"actions":["x"]}}', 15),
        (b'{"token":"x","request":{"actions":[{}]}}', 16),
        (b'{"token":"x","request":{"actions":[{"actionid":""}]}}', 17),
        (b'{"token":"x","request":{"actions":[{"actionid":"a"}]}}', 18),
        (b'{"token":"x","request":{"actions":[{"actionid":"a","resourceid":""}]}}', 19),
        (b'{"token":"x","request":{"actions":[{"actionid":"a","resourceid":"","resourcetype":""}]}}', 20),
        (b'{"token":"x","request":{"actions":[{"actionid":"a","resourceid":"","resourcetype":"","parameters":"x"}]}}', 20),
        (b'{"token":"x","request":{"actions":[{"actionid":"a","resourceid":"","resourcetype":"","parameters":[]}]}}', 22),
    ],
)
def test_the_layout_is_checked_in_order(wire, body, code):
    """First JSON, then token, request, actions, each attribute, then whether anybody has the token."""
    answer = wire.post(body).json()
    assert (code, []) == (answer["status"]["errorcode"], answer["response"]["results"])
    assert (400 if code == 22 else 500) == answer["status"]["code"]


def test_malformed_json_may_answer_with_a_text(wire, control):
    """As one tester expects; an errorcode is not always a number."""
    control.set_switch("malformed_json", "text")
    expected = b'{"status":{"code":500,"errorcode":"Syntax error","message":"Unknown error occured"},"response":{"results":[]}}'
    assert expected == wire.post(b"{").content


@pytest.mark.parametrize(
    ("shape", "top"),
    [
        ("a", {"code": 500, "errorcode": 97, "message": "Error in action"}),
        ("b", {"code": 500, "errorcode": 132, "message": "No or unknown relation given"}),
        ("c", {"code": 200, "errorcode": 0, "message": "OK"}),
    ],
)
def test_the_three_shapes_of_a_failure(wire, control, shape, top):
    """The top level differs; the result has its code and an empty list for data in all of them."""
    control.set_switch("error_shape", shape)
    answer = wire.send(wire.action("get", "idsfromrelation", {"relationtype": "nonsense", "parentids": [1]}))
    result = answer["response"]["results"][0]
    assert (top, []) == (answer["status"], result["data"])
    assert {"errorcode": 132, "message": "No or unknown relation given"} == result["status"]


def test_errors_come_with_http_200_unless_switched(wire, control):
    """The real status is in the body."""
    assert 200 == wire.post(b"{").status_code
    control.set_switch("http_status_of_errors", 500)
    assert 500 == wire.post(b"{").status_code
    assert 200 == wire.post(REQUEST).status_code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"actionid": "read"}, 23),
        ({"verb": "explode"}, 23),
        ({"resourcetype": "spaceship"}, 25),
        ({"verb": "delete", "resourcetype": "address"}, 23),  # contract 5.5
        ({"verb": "delete", "resourcetype": "task"}, 23),  # contract 7.3
        ({"verb": "create", "resourcetype": "user"}, 23),
    ],
)
def test_unknown_actions_and_types(wire, emulator, changes, code):
    """Signed well, but not there; addresses and tasks cannot be deleted."""
    action = wire.action(changes.get("verb", "read"), changes.get("resourcetype", "address"))
    if "actionid" in changes:
        action |= {"actionid": "read", "hmac": sign(SECRET, NOW, TOKEN, "address", "read")}
    assert code == wire.send(action)["response"]["results"][0]["status"]["errorcode"]


def test_several_actions_are_answered_in_their_order(wire, control):
    """One result each; a failed one does not stop the others."""
    actions = [
        wire.action("create", "address", {"Name": "Eins"}, identifier="1"),
        wire.action("create", "address", {"Nonsense": "Zwei"}, identifier="2"),
        wire.action("read", "address", {"data": ["Name"]}, identifier="3"),
    ]
    results = wire.send(*actions)["response"]["results"]
    assert [("1", 0), ("2", 141), ("3", 0)] == [(one["identifier"], one["status"]["errorcode"]) for one in results]
    assert ["Eins"] == [one["elements"]["Name"] for one in results[2]["data"]["records"]]


def test_a_failed_action_may_stop_the_rest(wire, control):
    """A switch, because nobody says that it does not."""
    control.set_switch("stop_at_failure", True)
    results = wire.send(wire.action("read", "nonsense"), wire.action("create", "address", {"Name": "Zwei"}))["response"]["results"]
    assert [25, 97] == [one["status"]["errorcode"] for one in results]
    assert 0 == control.count("address")


@pytest.mark.parametrize(("way", "number"), [("error", 0), ("drop", 2)])
def test_too_many_actions(wire, control, way, number):
    """No limit is documented; there may be one all the same."""
    control.set_switch("max_actions", 2)
    control.set_switch("too_many_actions", way)
    assert number == len(wire.send(*[wire.action("get", "users")] * 3)["response"]["results"])


def test_a_failed_write_leaves_nothing(wire, control):
    """Its action is carried out as a whole or not at all."""
    parameters = {"Name": "Beispiel", "phone": "+49 241 1", "Anrede": "Sultan"}
    assert 77 == wire.code("create", "address", parameters)
    number = control.add("address", {"Name": "Alt"}, entries=[{"what": "phone", "value": "+49 241 1"}])
    changes = {"Name": "Neu", "phone": {"action": "add", "newvalue": "+49 241 2"}, "fax": {"action": "delete", "oldvalue": "+49 241 3"}}
    assert 83 == wire.code("modify", "address", changes, number)
    assert ("Alt", ["+49 241 1"]) == (
        control.get("address", number)["Name"],
        [one["value"] for one in control.get("address", number)["entries"]],
    )


def test_empty_maps_are_lists(wire, control):
    """PHP knows no difference."""
    number = control.add("calendar", {"start_dt": "2023-11-20 09:00:00", "end_dt": "2023-11-20 10:00:00"})
    found = wire.elements("read", "calendar", {}, number)[0]
    assert ([], [], [], []) == (found["art"], found["emails"], found["ressourcesWithKeys"], found["groups"])
    assert [] == wire.records("create", "task", {"data": {"Betreff": "x"}})[0]["elements"]
    assert json.loads('{"id":"estate","type":"","elements":[]}') == wire.records("get", "fields", {"modules": ["estate"]})[0]
