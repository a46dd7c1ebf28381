"""A tenant that is connected to another customer's onOffice by mistake, or on purpose."""

from __future__ import annotations

import json

import pytest

from radicale_onoffice import wiring
from radicale_onoffice.core.errors import UpstreamDown
from radicale_onoffice.core.model import Actor, Face, Identity, Kind, Task
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.crm.onoffice.connections import Connections
from radicale_onoffice.crm.onoffice.identity import AnotherAccount, is_same
from tests.admin.test_mirror import connected, emulator, findings, run, store, url  # noqa: F401 - fixtures
from tests.emulator import SECRET, Emulator

OTHER_TOKEN = "another customer's token"
ANNA = Actor(identity=Identity("default", "anna"), face=Face.DAV)


@pytest.fixture
def other():
    """Another customer's onOffice; its address."""
    made = Emulator(token=OTHER_TOKEN)
    for login in ("zoe", "zeno"):
        made.control.add_user(login)
    made.control.add("address", {"Name": "Fremd"}, sync=[made.control.user("zoe")])
    with made.serve() as base:
        yield made, f"{base}/api/stable/api.php"
    made.close()


@pytest.fixture
def filled(connected, emulator):  # noqa: F811
    """The right account, with two users and two contacts."""
    anna = emulator.control.add_user("anna")
    emulator.control.add_user("bert")
    for name in ("Eins", "Zwei"):
        emulator.control.add("address", {"Name": name}, sync=[anna])
    connected("mirror", "fill")
    return connected


def names(run) -> list[str]:  # noqa: F811
    return sorted(row["title"] for row in json.loads(run("record", "list", "--json")))


def connect_other(run, tmp_path, url: str, *more: str) -> str:  # noqa: F811
    (tmp_path / "token").write_text(OTHER_TOKEN)
    return run("tenant", "connect", "default", "--url", url, *more)


def test_another_customers_account_is_refused(filled, other, tmp_path, store):  # noqa: F811
    """Nothing is read, nothing is dropped, nothing is written there; the right one goes on where it was."""
    connect_other(filled, tmp_path, other[1])
    assert "another onOffice account" in filled("mirror", "accept", "default", status=2)
    assert "another onOffice account" in str(findings(filled, status=1)["onOffice"])
    connections = Connections(store, wiring.open_client, wiring.utc_now)
    office = wiring.assemble(store, policy=Policy(), default_tenant="default", connections=connections)
    with pytest.raises(AnotherAccount, match="--start-anew"):
        office.records.write(ANNA, Kind.TASKS, Task(subject="Neu", responsible="anna"))
    assert ([], ["Eins", "Zwei"]) == (other[0].control.rows("task"), names(filled))
    connections.close()


def test_a_token_that_is_replaced_while_a_server_runs_is_noticed(filled, emulator, other, tmp_path, store):  # noqa: F811
    """Token and secret are read for each request, so the account is looked at again before the next one."""
    connections = Connections(store, wiring.open_client, wiring.utc_now)
    connection = connections.to("default")
    assert {"api", "anna", "bert"} == {person.name for person in connection.account().people}
    emulator.control.add_api_user("new token", SECRET, "api")
    (tmp_path / "token").write_text("new token")
    assert 3 == len(connection.account().people)  # a new token of the same customer is none of our business
    (tmp_path / "token").write_text(OTHER_TOKEN)
    with pytest.raises(UpstreamDown):
        connection.account()
    connections.close()


def test_a_tenant_can_start_anew(filled, other, tmp_path, store, emulator):  # noqa: F811
    """What came from the old account is taken off here and stays there; the new one is filled."""
    assert "is connected to" in connect_other(filled, tmp_path, other[1], "--start-anew", "--yes")
    assert [] == names(filled)
    filled("mirror", "fill")
    assert (["Fremd"], 2) == (names(filled), len(emulator.control.rows("address")))
    with store.reading() as tx:
        assert 1 == len(tx.links("default", Kind.CONTACTS))


def test_nobody_pulls_while_a_tenant_starts_anew(filled, other, tmp_path, store):  # noqa: F811
    """A server would bring back what is being taken away."""
    now = wiring.utc_now()
    with store.writing() as tx:
        assert tx.lease("pull:default", "server", now, now.replace(year=now.year + 1))
    assert "Stop `serve` first" in connect_other_refused(filled, tmp_path, other[1])
    assert ["Eins", "Zwei"] == names(filled)


def connect_other_refused(run, tmp_path, url: str) -> str:  # noqa: F811
    (tmp_path / "token").write_text(OTHER_TOKEN)
    return run("tenant", "connect", "default", "--url", url, "--start-anew", "--yes", status=2)


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ({"1": "a", "2": "b"}, {"1": "a", "3": "c"}, True),
        ({"1": "a", "2": "b", "3": "c"}, {"1": "a", "2": "x", "3": "y"}, False),
        ({"1": "admin"}, {"1": "admin", "2": "b"}, True),
        ({"1": "a"}, {"1": "b"}, False),
        ({}, {"1": "a"}, True),
        ({"1": "a"}, {}, True),
    ],
)
def test_half_of_the_users_tell_an_account(before, now, same):
    """Users come and go; without any nothing can be told."""
    assert same == is_same(before, now)
