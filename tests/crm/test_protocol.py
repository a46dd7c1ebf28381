"""onOffice's envelope as bytes, both ways: what is sent, and every shape in which an answer or an error has been seen."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radicale_onoffice.crm.onoffice import protocol
from radicale_onoffice.crm.onoffice.codes import Fault
from radicale_onoffice.crm.onoffice.protocol import Action, Answer, Credentials, Malformed, Refusal, Verb

TOKEN, SECRET = "0123456789abcdef0123456789abcdef", "f" * 64
CREDENTIALS = Credentials(token=TOKEN, secret=SECRET)
AT = 1700000000

# The contract's vectors; the first one's inputs are those of the documentation's own page
VECTORS = [
    ("dX5hkIIU6W", "dhY8h7FeU9", 123456789, "estateCategories", "get", "F9OXyaJv7p+bLkwGDGV7ZUmfYgjH2E24zpsxY5/nVDk="),
    (TOKEN, SECRET, AT, "address", "read", "rDGYb//Mn9Rj+pe414Htl0CHfYxtD3J7NXH31P+skJ0="),
    (TOKEN, SECRET, AT, "task", "create", "mVQ2Asye/j5L4R1MXLwZrmX1doVJM/ObQnKkAGk5FO4="),
    (TOKEN, SECRET, AT, "calendar", "delete", "8ADW9UTfk7r9MZQ1/pvbaddBbnduSe+r5JSqWhgN1lY="),
]


@pytest.mark.parametrize(("token", "secret", "timestamp", "resource", "verb", "hmac"), VECTORS)
def test_an_action_is_signed_by_hmac_version_2(token, secret, timestamp, resource, verb, hmac):
    """SHA-256 over timestamp, token, resource type and action id, keyed by the secret, in base 64."""
    assert hmac == protocol.sign(Credentials(token=token, secret=secret), timestamp, resource, protocol.URN + verb)


def test_a_request_is_these_bytes():
    """One action: every element is mandatory, also an empty resource id; the parameters' names are sorted."""
    action = Action(verb=Verb.READ, resource="address", parameters={"listlimit": 50, "data": ["Vorname", "Straße"]})
    assert protocol.build([action], CREDENTIALS, AT) == (
        b'{"token":"0123456789abcdef0123456789abcdef","request":{"actions":[{'
        b'"actionid":"urn:onoffice-de-ns:smart:2.5:smartml:action:read",'
        b'"resourcetype":"address",'
        b'"resourceid":"",'  # a list; the key has to be there
        b'"identifier":"0",'  # the action's place, which comes back
        b'"timestamp":1700000000,'
        b'"hmac":"rDGYb//Mn9Rj+pe414Htl0CHfYxtD3J7NXH31P+skJ0=",'
        b'"hmac_version":"2",'
        b'"parameters":{"data":["Vorname","Stra\\u00dfe"],"listlimit":50}}]}}'
    )


def test_several_actions_are_signed_each():
    """They go in one request, in order."""
    actions = [Action(verb=Verb.CREATE, resource="task"), Action(verb=Verb.DELETE, resource="calendar", id="7")]
    sent = json.loads(protocol.build(actions, CREDENTIALS, AT))["request"]["actions"]
    assert ["mVQ2Asye/j5L4R1MXLwZrmX1doVJM/ObQnKkAGk5FO4=", "8ADW9UTfk7r9MZQ1/pvbaddBbnduSe+r5JSqWhgN1lY="] == [one["hmac"] for one in sent]
    assert [("0", ""), ("1", "7")] == [(one["identifier"], one["resourceid"]) for one in sent]


@pytest.mark.parametrize("count", [0, protocol.MAX_ACTIONS + 1])
def test_a_request_holds_some_actions_but_not_any_number(count):
    """How many onOffice takes is not documented, so that we keep to few."""
    with pytest.raises(ValueError, match="1 to 20 actions"):
        protocol.build([Action(verb=Verb.READ, resource="task")] * count, CREDENTIALS, AT)


def test_no_number_that_json_lacks_is_sent():
    """NaN would make the whole body malformed."""
    with pytest.raises(ValueError, match="JSON compliant"):
        protocol.build([Action(verb=Verb.READ, resource="task", parameters={"listlimit": float("nan")})], CREDENTIALS, AT)


def test_neither_token_nor_secret_shows_in_a_repr():
    """What is logged or stands in a traceback gives nothing away; parameters, which hold people's data, do not either."""
    action = Action(verb=Verb.MODIFY, resource="address", id="8811", parameters={"Name": "Beispiel"})
    assert "Credentials()" == repr(CREDENTIALS)
    assert "Beispiel" not in repr(action) + str(action)
    assert "modify address 8811" == str(action)


# ------------------------------------------------------------------- answers


def answer(*results, code=200, errorcode=0, message="OK") -> bytes:
    """An answer with these results, as PHP would write it: slashes escaped."""
    envelope = {"status": {"code": code, "errorcode": errorcode, "message": message}, "response": {"results": list(results)}}
    return json.dumps(envelope).replace("/", "\\/").encode()


def result(records=(), errorcode=0, message="OK", identifier="0", **meta):
    """One action's result."""
    data = {"meta": meta, "records": list(records)} if not errorcode else []
    return {"identifier": identifier, "data": data, "status": {"errorcode": errorcode, "message": message}}


def test_rows_come_with_ids_as_text():
    """Numbers or strings, ids are one thing; a total is given where onOffice knows one."""
    body = (
        b'{"status":{"code":200,"errorcode":0,"message":"OK"},"response":{"results":[{'
        b'"actionid":"urn:onoffice-de-ns:smart:2.5:smartml:action:read","resourceid":"","resourcetype":"address",'
        b'"cacheable":true,"identifier":"0","data":{"meta":{"cntabsolute":731},"records":['
        b'{"id":8811,"type":"address","elements":{"id":8811,"Name":"M\\u00fcller","Homepage":"https:\\/\\/example.org"}},'
        b'{"id":"8812","type":"address","elements":[]}'  # PHP's empty map
        b']},"status":{"errorcode":0,"message":"OK"}}]}}'
    )
    (found,) = protocol.parse(body, 1)
    first = protocol.Row("8811", "address", {"id": 8811, "Name": "Müller", "Homepage": "https://example.org"})
    assert Answer(rows=(first, protocol.Row("8812", "address", {})), total=731) == found


def test_a_list_in_place_of_elements_is_kept():
    """checkuserrecordsright answers with the ids alone."""
    (found,) = protocol.parse(answer(result([{"id": 0, "type": "", "elements": ["900", "902"]}], cntabsolute=1)), 1)
    assert (protocol.Row("0", "", {}, ("900", "902")),) == found.rows


def test_the_id_of_what_was_made_is_told():
    """A create brings one record with the new id; a modify has id 0, which is none."""
    made, changed = protocol.parse(
        answer(
            result([{"id": 8812, "type": "address", "elements": []}], cntabsolute=None),
            result([{"id": 0, "type": "address", "elements": {"success": "success"}}], identifier="1"),
        ),
        2,
    )
    assert ("8812", "") == (made.new_id, changed.new_id)


SHAPES = {
    "a: 97 above, the code below": answer(result(errorcode=132, message="No relation"), code=500, errorcode=97, message="Error in action"),
    "b: the same code twice": answer(result(errorcode=132, message="No relation"), code=500, errorcode=132, message="No relation"),
    "c: all well above": answer(result(errorcode=132, message="No relation")),
    "only above": answer(result(errorcode=97, message="Error in action"), code=500, errorcode=132, message="No relation"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_failed_action_is_a_refusal_in_each_of_its_shapes(shape):
    """The code and onOffice's words survive."""
    assert (Refusal(code=132, message="No relation"),) == protocol.parse(SHAPES[shape], 1)


def test_a_failed_action_leaves_the_others_alone():
    """Each result is judged by its own status, although the answer's says that something failed."""
    body = answer(
        result([{"id": 1, "type": "task", "elements": {}}]),
        result(errorcode=80, message="Unknown record", identifier="1"),
        code=500,
        errorcode=97,
    )
    first, second = protocol.parse(body, 2)
    assert (("1",), Refusal(code=80, message="Unknown record")) == (tuple(row.id for row in first.rows), second)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ((400, 22, "Not authenticated"), Refusal(code=22, message="Not authenticated")),
        ((500, 6, "Syntax error"), Refusal(code=6, message="Syntax error")),
        ((500, "Syntax error", "Unknown error occured"), Refusal(code=1, message="Syntax error: Unknown error occured")),
        ((400, 0, "Not authenticated"), Refusal(code=1, message="Not authenticated")),
        ((500, "141", "Unknown field"), Refusal(code=141, message="Unknown field")),
    ],
)
def test_an_answer_without_results_refuses_every_action(status, expected):
    """The request as a whole was wrong; its error may be a number, a text, or only HTTP's."""
    code, errorcode, message = status
    assert (expected, expected) == protocol.parse(answer(code=code, errorcode=errorcode, message=message), 2)


def test_a_code_that_nobody_knows_survives():
    """It is the value's fault until somebody knows better, and reads as onOffice told it."""
    (found,) = protocol.parse(answer(result(errorcode=4711, message="Something new")), 1)
    assert (4711, Fault.VALUE, "Something new (onOffice code 4711)") == (found.code, found.fault, str(found))


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        *((code, Fault.ACCESS) for code in (22, 136, 137, 153, 158)),
        *((code, Fault.SERVER) for code in (1, 303, 999)),
        *((code, Fault.RIGHT) for code in (131, 156, 170, 174, 253, 261)),
        *((code, Fault.GONE) for code in (80, 169)),
        *((code, Fault.GATE) for code in (216, 217, 218)),
        *((code, Fault.VALUE) for code in (76, 77, 87, 138, 141, 144, 168, 252, 254, 300)),
    ],
)
def test_whose_fault_a_refusal_is_follows_from_its_code(code, fault):
    """A wrong clock, a missing right, a record that is gone and a value that does not fit are answered differently."""
    assert fault is Refusal(code=code, message="").fault


MALFORMED = {
    "nothing": b"",
    "torn": answer(result([{"id": 1, "type": "task", "elements": {}}]))[:-20],
    "a proxy's page": b"<html>Bad Gateway</html>",
    "no object": b"[]",
    "no status": b'{"response":{"results":[]}}',
    "fewer results": answer(),
    "more results": answer(result(), result()),
    "a result without status": answer({"data": []}),
    "another action's result": answer(result(identifier="1")),
    "data is text": answer({**result(), "data": "x"}),
    "a record is text": answer(result(["x"])),
    "nested too deeply": b"[" * 200_000,
    "not UTF-8": b'{"status":"\xff"}',
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_answer_is_malformed(what):
    """Nothing else is raised, whatever comes; whether the action was done nobody can tell then."""
    with pytest.raises(Malformed):
        protocol.parse(MALFORMED[what], 1)


def test_an_answer_has_a_largest_size(monkeypatch):
    """More than 32 MiB is not parsed."""
    monkeypatch.setattr(protocol, "MAX_ANSWER", 100)
    with pytest.raises(Malformed, match="at most 100 are read"):
        protocol.parse(answer(result([{"id": 1, "type": "task", "elements": {"Betreff": "x" * 100}}])), 1)


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(lambda x: json.dumps(x).encode())
)
def test_any_bytes_are_an_answer_or_malformed(body):
    """No other error comes out of the parser."""
    with contextlib.suppress(Malformed):
        protocol.parse(body, 1)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "elements", "status", "errorcode", "data"]), inner)
    ),
    max_leaves=12,
)


@given(json_values, json_values)
def test_any_json_in_an_envelope_is_an_answer_or_malformed(status, results):
    """Not even in the right places can anything else be provoked."""
    with contextlib.suppress(Malformed):
        protocol.parse(json.dumps({"status": status, "response": {"results": results}}).encode(), 1)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (8811, "8811"),
        ("8811", "8811"),
        (" 8811 ", "8811"),
        (8811.0, "8811"),
        (None, ""),
        (True, ""),
        ([], ""),
        ("relatedIds", "relatedIds"),
    ],
)
def test_an_id_is_text_however_it_comes(raw, expected):
    """Calendars write strings where addresses write numbers."""
    assert expected == protocol.identifier(raw)
