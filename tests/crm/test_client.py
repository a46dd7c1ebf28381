"""The client against a scripted onOffice: what is tried again, what never, and what the caller is told.

httpx's own MockTransport stands for the network; time, sleeping and chance are arguments.
"""

from __future__ import annotations

import json
import logging

import httpx
import pytest

from radicale_onoffice.core.errors import NotFound, Refused, UpstreamDown
from radicale_onoffice.crm.onoffice.client import Client, OutcomeUnknown, Patience, pool
from radicale_onoffice.crm.onoffice.protocol import Action, Credentials, Refusal, Verb
from tests.crm.test_protocol import answer, result
from tests.emulator import SECRET, TOKEN

URL = "https://api.example.org/api/stable/api.php"
READ = Action(verb=Verb.READ, resource="address", parameters={"data": ["Name"]})
CREATE = Action(verb=Verb.CREATE, resource="task", parameters={"data": {"Betreff": "Rückruf"}})
SET = Action(verb=Verb.MODIFY, resource="task", id="900", parameters={"data": {"Status": 3}}, repeatable=True)
FOUND = httpx.Response(200, content=answer(result([{"id": 8811, "type": "address", "elements": {"Name": "Beispiel"}}])))
DONE = httpx.Response(200, content=answer(result([{"id": 0, "type": "", "elements": {"success": "success"}}])))


class World:
    """A clock that only sleeping, and slow steps, move; and an onOffice that plays a script."""

    def __init__(self, *script):
        self.script, self.requests, self.slept, self.now = list(script), [], [], 1700000000.0

    def monotonic(self) -> float:
        return self.now - 1699999000

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(json.loads(request.read()))
        step = self.script.pop(0)
        if isinstance(step, tuple):
            seconds, step = step
            self.now += min(seconds, request.extensions["timeout"]["read"])
        if isinstance(step, Exception):
            raise step
        return step

    def client(self, *, chance=lambda: 1.0, secrets=None) -> Client:
        http = pool(Patience(), httpx.MockTransport(self.handle))
        credentials = secrets or (lambda: Credentials(token="t" * 32, secret="s" * 64))
        clocks = {"now": lambda: self.now, "monotonic": self.monotonic, "sleep": self.sleep, "chance": chance}
        return Client(URL, credentials, http, **clocks)


def refusal(code: int, message: str = "No") -> httpx.Response:
    return httpx.Response(200, content=answer(result(errorcode=code, message=message), code=500, errorcode=code, message=message))


# ------------------------------------------------------------------ answered


def test_a_read_brings_rows():
    """One action, one request."""
    world = World(FOUND)
    assert "8811" == world.client().ask(READ).rows[0].id
    assert 1 == len(world.requests)


def test_several_actions_go_in_one_request():
    """Their results come in the same order."""
    world = World(
        httpx.Response(200, content=answer(result([{"id": 1, "type": "t", "elements": {}}]), result(errorcode=80, identifier="1")))
    )
    first, second = world.client().call([READ, SET])
    assert ("1", 80) == (first.rows[0].id, second.code)
    assert ["address", "task"] == [one["resourcetype"] for one in world.requests[0]["request"]["actions"]]


def test_many_reads_take_as_few_requests_as_they_need():
    """Twenty in each."""
    bodies = [httpx.Response(200, content=answer(*(result(identifier=str(place)) for place in range(count)))) for count in (20, 20, 5)]
    world = World(*bodies)
    assert 45 == len(world.client().read([READ] * 45))
    assert [20, 20, 5] == [len(one["request"]["actions"]) for one in world.requests]


# ------------------------------------------------------------------- refused


def test_a_refusal_is_not_tried_again_and_keeps_its_words():
    """The right error for the face, with what onOffice said."""
    world = World(refusal(76, "Invalid multiselect key: x"))
    with pytest.raises(Refused, match="Invalid multiselect key: x") as caught:
        world.client().ask(SET)
    assert Refusal(code=76, message="Invalid multiselect key: x") == caught.value.refusal
    assert 1 == len(world.requests)


def test_what_is_gone_is_not_found():
    """Codes 80 and 169."""
    with pytest.raises(NotFound, match="169"):
        World(refusal(169)).client().ask(Action(verb=Verb.DELETE, resource="calendar", id="7"))


@pytest.mark.parametrize("code", [22, 136, 137, 158])
def test_being_let_out_is_an_outage_not_a_refusal(code):
    """A wrong clock or secret of ours is nothing that a user can mend: devices come again later. Trying at once would be in vain."""
    world = World(refusal(code))
    with pytest.raises(UpstreamDown, match="does not let us in"):
        world.client().ask(CREATE)
    assert ([], 1) == (world.slept, len(world.requests))


# ----------------------------------------------------------- down, tried again


@pytest.mark.parametrize(
    "trouble", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("busy"), httpx.Response(429)]
)
def test_what_was_surely_not_done_is_tried_again(trouble):
    """Even a create: nobody has seen it."""
    world = World(trouble, DONE)
    world.client().ask(CREATE)
    assert 2 == len(world.requests)


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ReadTimeout("slow"),
        httpx.ReadError("cut"),
        httpx.RemoteProtocolError("closed"),
        httpx.Response(502),
        httpx.Response(200, content=b'{"sta'),
    ],
)
def test_a_read_is_tried_again_whatever_happened(trouble):
    """It changes nothing."""
    world = World(trouble, FOUND)
    assert "8811" == world.client().ask(READ).rows[0].id


def test_a_write_that_sets_is_tried_again():
    """Setting a status twice is setting it."""
    world = World(httpx.ReadTimeout("slow"), DONE)
    world.client().ask(SET)
    assert 2 == len(world.requests)


def test_each_try_is_signed_anew():
    """A signature lives 120 s; the credentials are asked for again, too, so that a changed secret needs no restart."""
    handed_out = iter(["a" * 64, "b" * 64])
    world = World((29, httpx.ReadTimeout("slow")), FOUND)
    world.client(secrets=lambda: Credentials(token="t" * 32, secret=next(handed_out))).ask(READ, deadline=200)
    first, second = (one["request"]["actions"][0] for one in world.requests)
    assert 29 <= second["timestamp"] - first["timestamp"]
    assert first["hmac"] != second["hmac"]


def test_pauses_grow_and_are_spread():
    """A quarter of a second, then the double, up to five; between half of it and all, by chance."""
    world = World(*[httpx.ConnectError("refused")] * 7, FOUND)
    world.client().ask(READ, deadline=60)
    assert [0.25, 0.5, 1, 2, 4, 5, 5] == world.slept
    calm = World(*[httpx.ConnectError("refused")] * 3, FOUND)
    calm.client(chance=lambda: 0.0).ask(READ)
    assert [0.125, 0.25, 0.5] == calm.slept


def test_a_server_that_names_a_pause_is_given_it():
    """Retry-After of a 429."""
    world = World(httpx.Response(429, headers={"Retry-After": "7"}), FOUND)
    world.client().ask(READ)
    assert [7] == world.slept


def test_a_pause_beyond_the_deadline_is_passed_on_to_the_device():
    """Nobody waits in vain."""
    world = World(httpx.Response(429, headers={"Retry-After": "120"}))
    with pytest.raises(UpstreamDown) as caught:
        world.client().ask(READ)
    assert ([], 120) == (world.slept, caught.value.retry_after)


def test_a_call_ends_with_its_deadline():
    """Tries and pauses together; then onOffice is down."""
    world = World(*[(4, httpx.ReadTimeout("slow"))] * 9)
    began = world.now
    with pytest.raises(UpstreamDown) as caught:
        world.client().ask(READ, deadline=20)
    assert not isinstance(caught.value, OutcomeUnknown)
    assert world.now - began <= 20


def test_after_a_call_in_vain_the_next_ones_fail_at_once_for_a_while():
    """An outage must not fill every worker with waiting; five seconds later one tries again, and recovery needs no hand."""
    world = World(*[(6, httpx.ConnectTimeout("slow"))] * 3, FOUND)
    client = world.client()
    with pytest.raises(UpstreamDown):
        client.ask(READ, deadline=15)
    tries = len(world.requests)
    assert client.down_since is not None
    with pytest.raises(UpstreamDown, match="does not answer"):
        client.ask(READ)
    assert tries == len(world.requests)
    world.now += 6
    world.script = [FOUND]
    client.ask(READ)
    assert (None, "") == (client.down_since, client.trouble)


# ------------------------------------------------------------------- unknown


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ReadTimeout("slow"),
        httpx.WriteTimeout("slow"),
        httpx.RemoteProtocolError("closed"),
        httpx.Response(500),
        httpx.Response(504),
        httpx.Response(200, content=answer(result())[:-9]),
        refusal(999, "unknown error"),
    ],
)
def test_a_create_that_was_sent_is_never_sent_again(trouble):
    """It may stand in onOffice now: the caller has to look."""
    world = World(trouble, DONE)
    with pytest.raises(OutcomeUnknown):
        world.client().ask(CREATE)
    assert 1 == len(world.requests)


def test_a_batch_is_repeated_only_if_each_of_it_may_be():
    """One create among them forbids it."""
    world = World(httpx.ReadTimeout("slow"), DONE)
    with pytest.raises(OutcomeUnknown):
        world.client().call([SET, CREATE])
    assert 1 == len(world.requests)


def test_a_repeated_write_that_is_refused_may_have_been_done_before():
    """Deleting what the first try has deleted brings "not found"; that is no refusal."""
    world = World(httpx.ReadTimeout("slow"), refusal(169, "Appointment not found"))
    with pytest.raises(OutcomeUnknown, match="may have succeeded"):
        world.client().ask(Action(verb=Verb.DELETE, resource="calendar", id="7", repeatable=True))


def test_a_write_that_sets_and_never_gets_an_answer_is_unknown():
    """Not down: the first try may have done it."""
    world = World(httpx.ReadTimeout("slow"), *[httpx.ConnectError("refused")] * 20)
    with pytest.raises(OutcomeUnknown):
        world.client().ask(SET)


# -------------------------------------------------------------- other servers


def test_a_redirect_within_the_server_is_followed_by_a_post():
    """Stable and beta customers have addresses of their own; the next call goes there at once."""
    world = World(httpx.Response(301, headers={"Location": "/api/latest/api.php"}), FOUND, FOUND)
    client = world.client()
    assert "8811" == client.ask(READ).rows[0].id
    client.ask(READ)
    assert 3 == len(world.requests)


def test_the_token_goes_to_no_other_server():
    """A redirect elsewhere is trouble."""
    world = World(httpx.Response(307, headers={"Location": "https://elsewhere.example/api.php"}))
    with pytest.raises(UpstreamDown, match=r"another server \(elsewhere.example\)"):
        world.client().ask(READ)


def test_an_address_that_is_no_api_is_told_so():
    """Trying again would be in vain."""
    world = World(httpx.Response(404))
    with pytest.raises(UpstreamDown, match="is that the address of the API"):
        world.client().ask(READ)
    assert [] == world.slept


def test_an_endless_answer_is_not_read(monkeypatch):
    """More than is ever parsed is dropped while it comes."""
    monkeypatch.setattr("radicale_onoffice.crm.onoffice.client.MAX_ANSWER", 1000)
    drawn = []

    def endless():
        while True:
            drawn.append(1)
            yield b" " * 100

    world = World(httpx.Response(200, content=endless()))
    with pytest.raises(OutcomeUnknown, match="larger than 1000 bytes"):
        world.client().ask(CREATE)
    assert len(drawn) < 20


def test_a_dripping_answer_does_not_outlast_the_deadline():
    """httpx's timeout is that of one read; ours is that of the call."""
    world = World()

    def dripping():
        while True:
            world.now += 6
            yield b" "

    world.script = [httpx.Response(200, content=dripping())]
    with pytest.raises(OutcomeUnknown, match="too slowly"):
        world.client().ask(CREATE)


# ----------------------------------------------------------------------- logs


def test_logs_name_actions_and_nothing_in_them(caplog):
    """No token, no secret, no value."""
    caplog.set_level(logging.DEBUG)
    world = World(httpx.ReadTimeout("slow"), httpx.ReadTimeout("slow"), refusal(80, "Unknown record"))
    with pytest.raises(OutcomeUnknown):
        world.client().ask(Action(verb=Verb.MODIFY, resource="address", id="8811", parameters={"Name": "Beispiel"}, repeatable=True))
    assert "try 1 of modify address 8811" in caplog.text
    assert "Unknown record" in caplog.text
    assert [] == [word for word in ("Beispiel", "t" * 32, "s" * 64) if word in caplog.text]


def test_an_account_that_takes_few_actions_gets_them_in_several_requests(onoffice):
    """In their order, with an answer for each; that the first request was done and the second was not is an unknown outcome."""
    office = onoffice(max_actions=2)
    office.client = Client(
        "https://api.example/api/stable/api.php",
        lambda: Credentials(token=TOKEN, secret=SECRET),
        pool(Patience(), office.emulator.transport()),
        max_actions=2,
        now=lambda: office.emulator.account.now().timestamp(),
        monotonic=lambda: office.waited,
        sleep=office._sleep,
        chance=lambda: 0.5,
    )
    make = [Action(verb=Verb.CREATE, resource="task", parameters={"data": {"Betreff": name}}) for name in "abcde"]
    assert 5 == len({result.new_id for result in office.client.call(make)})
    assert 3 == office.control.counters()["requests"]
    office.control.fault(kind="pass")
    office.control.fault(kind="status", status=429, times=10**6)
    with pytest.raises(OutcomeUnknown, match="Only 2 of 5 actions"):
        office.client.call(make)
    assert 7 == office.control.count("task")
