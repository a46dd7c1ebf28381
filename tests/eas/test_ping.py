"""Ping, as far as it is answered at once ([MS-ASCMD] 2.2.1.13), and GetItemEstimate (2.2.1.8)."""

from __future__ import annotations

import pytest

from activesync_bridge.wbxml.codepages import AirSync, GetItemEstimate, Ping
from activesync_bridge.wbxml.element import Element as E
from tests.eas.phone import pinged


@pytest.fixture
def pending(phone, add_contact):
    """A phone that has synchronised its contacts, and one is new."""
    it = phone()
    it.folder_sync()
    it.sync("contacts")
    add_contact("Max", "Muster")
    return it


def asking(*children: E) -> E:
    """A Ping."""
    return E(Ping.Ping, children)


def interval(seconds: object) -> E:
    """How long it may take."""
    return E(Ping.HeartbeatInterval, str(seconds))


def folders(*names: str) -> E:
    """Which folders are meant."""
    return E(Ping.Folders, tuple(E(Ping.Folder, (E(Ping.Id, name), E(Ping.Class, "Contacts"))) for name in names))


def test_what_is_pending_is_told_at_once(pending):
    """Status 2 with the folder; it is told again until it is fetched, and a new phone has nothing pending."""
    assert ("2", ["contacts"]) == pending.ping("contacts", "tasks", "inbox")
    assert ("2", ["contacts"]) == pending.ping("contacts")


def test_interval_and_folders_are_remembered(pending, phone):
    """R5632, R5831, R5634, R5832: each of both is taken from the request before that named it; also in a new connection."""
    assert ("2", ["contacts"]) == pinged(pending.post("Ping", asking(interval(90), folders("contacts"))))
    again = phone()
    assert ("2", ["contacts"]) == pinged(again.post("Ping"))
    assert ("2", ["contacts"]) == pinged(again.post("Ping", asking(folders("contacts", "tasks"))))
    assert ("2", ["contacts"]) == pinged(again.post("Ping", asking(interval(120))))


@pytest.mark.parametrize("body", [None, asking(interval(60)), asking(folders("contacts"))])
def test_both_have_to_be_named_once_r4241(phone, body):
    """R4241: status 3."""
    it = phone()
    it.folder_sync()
    assert ("3", []) == pinged(it.post("Ping", body))


@pytest.mark.parametrize(
    ("body", "status", "bound"),
    [
        (asking(interval("x"), folders("contacts")), "4", ""),
        (asking(interval(59), folders("contacts")), "5", "60"),
        (asking(interval(3541), folders("contacts")), "5", "3540"),
        (asking(interval(60), folders(*(f"x{number}" for number in range(65)))), "6", "64"),
        (asking(interval(60), folders("x")), "7", ""),
    ],
)
def test_what_cannot_be_waited_for(phone, body, status, bound):
    """4 malformed, 5 and 6 with the nearest bound, 7 for a folder that does not exist: the client asks for its folders."""
    it = phone()
    it.folder_sync()
    answer = it.post("Ping", body)
    assert (status, bound) == (answer.text_of(Ping.Status), answer.text_of(Ping.HeartbeatInterval) or answer.text_of(Ping.MaxFolders))


def test_pain_21_the_same_news_is_not_told_for_ever(pending):
    """Pains 21 and 50: a phone that is told and does not fetch would ask each second; after five times its Ping waits."""
    announced = [pending.ping("contacts") for _ in range(5)]
    assert [("2", ["contacts"])] * 5 == announced
    pending.sync("contacts")
    assert 1 == len(pending.of("contacts").items)


def test_how_many_items_wait(phone, add_contact):
    """R4594: a key that is none is 4, one that was never asked for is 3; an unknown folder is 2, an empty mail folder has none."""
    it = phone()
    add_contact("Max", "Muster")
    assert ("3", 0) == it.estimate("contacts")
    it.prime("contacts")
    assert ("1", 1) == it.estimate("contacts")
    assert ("4", 0) == it.estimate("contacts", key="{x}1")
    assert ("2", 0) == it.estimate("nothing", key="1")
    assert ("1", 0) == it.estimate("inbox", key="1")
    it.sync("contacts")
    assert ("1", 0) == it.estimate("contacts")


def test_more_than_1000_collections_are_103(phone):
    """R5647."""
    one = E(GetItemEstimate.Collection, (E(GetItemEstimate.CollectionId, "contacts"),))
    answer = phone().post("GetItemEstimate", E(GetItemEstimate.GetItemEstimate, (E(GetItemEstimate.Collections, (one,) * 1001),)))
    assert "103" == answer.text_of(GetItemEstimate.Status)


def test_a_ping_is_no_proof_that_an_answer_arrived(pending):
    """Fact 7: the key before the last one still gets the same answer after a Ping."""
    request = E(AirSync.Sync, (E(AirSync.Collections, (pending.request("contacts"),)),))
    lost = pending.post("Sync", request)
    pending.ping("contacts")
    assert lost == pending.post("Sync", request)
