"""The judges themselves: they accept what is right and find what is wrong, each with its own eyes; and what no command has answered so far."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activesync_bridge.items import Flavour, appointments, contacts, tasks
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase, Calendar, Contacts, Find, Ping
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.writer import encode
from tests.eas.trees import tree
from tests.items import events
from tests.items.building import BERLIN
from tests.items.test_patching import cards, todos
from tests.judging import microsoft
from tests.judging.hearing import MULTIPART, WBXML, Answer, Hearing, shape_of
from tests.judging.judges import judge

HEAD = (tree(AirSync.SyncKey, "{a}1"), tree(AirSync.CollectionId, "contacts"), tree(AirSync.Status, "1"))
needs_schemas = pytest.mark.skipif(microsoft.schema() is None, reason="Microsoft's schemas are not beside the project")


def judged(root: Element, version: str = "16.1") -> list[str]:
    return judge(Answer("Sync", version, encode(root)))


def sync_with(*parts: Element) -> Element:
    return tree(AirSync.Sync, tree(AirSync.Collections, tree(AirSync.Collection, *parts)))


def adding(*data: Element) -> Element:
    return sync_with(*HEAD, tree(AirSync.Commands, tree(AirSync.Add, tree(AirSync.ServerId, "1"), tree(AirSync.ApplicationData, *data))))


def test_what_is_right_is_accepted():
    """With text that XML has to escape, blanks at its ends, and both forms of an end of line."""
    assert [] == judged(adding(tree(Contacts.FirstName, "Ännchen <&> "), tree(Contacts.LastName, " B")))
    body = tree(AirSyncBase.Body, tree(AirSyncBase.Type, "1"), tree(AirSyncBase.Data, "one\r\ntwo\n"))
    assert [] == judged(adding(body))
    assert [] == judged(tree(Ping.Ping, tree(Ping.Status, "2"), tree(Ping.Folders, tree(Ping.Folder, "contacts"))))
    found = tree(Find.Find, tree(Find.Status, "1"))
    assert [] == judged(found)


@pytest.mark.parametrize(
    "parts",
    [
        (*HEAD, tree(AirSync.Commands, tree(AirSync.Delete, tree(AirSync.ServerId, "1"))), tree(AirSync.MoreAvailable)),
        (HEAD[0], HEAD[2], HEAD[1]),
        (*HEAD, HEAD[2]),
        HEAD[:2],
        (*HEAD, tree(AirSync.Commands)),
        (*HEAD, tree(AirSync.Responses)),
    ],
    ids=["late MoreAvailable", "early Status", "two Status", "no Status", "empty Commands", "empty Responses"],
)
def test_the_order_and_number_of_a_collections_elements_is_judged(parts):
    """Facts 18 and 19."""
    assert judged(sync_with(*parts))


def test_a_body_that_is_cut_is_not_read():
    """The last three tags have no end."""
    assert judge(Answer("Sync", "16.1", encode(adding(tree(Contacts.FirstName, "A")))[:-3]))


@needs_schemas
@pytest.mark.parametrize(
    "root",
    [
        tree(Ping.Ping, tree(Ping.Folders, tree(Ping.Folder, "contacts")), tree(Ping.Status, "2")),
        tree(Ping.Ping, tree(Ping.Status, "two")),
        tree(Ping.Ping, tree(Ping.Status, "2"), tree(Ping.Folders)),
        adding(tree(Contacts.Birthday, "20260101T000000Z")),
        adding(tree(Calendar.Exceptions, tree(Calendar.Exception, tree(Calendar.UID, "u")))),
        adding(tree(AirSyncBase.Body, tree(AirSyncBase.Data, "x"), tree(AirSyncBase.Type, "1"))),
        adding(tree(AirSync.ServerId, "1")),
    ],
    ids=["order", "type", "empty Folders", "form of a date", "UID of an exception", "order of Body", "foreign tag"],
)
def test_microsofts_schemas_find_what_is_wrong(root):
    """Each of these differs in one point from what is right."""
    assert judged(root)


@needs_schemas
def test_tags_of_later_versions_are_found():
    """[MS-ASWBXML] 2.1.2.1: airsyncbase:Location is 16.0's, a class in the Collection is 12.1's."""
    location = adding(tree(AirSyncBase.Location, tree(AirSyncBase.DisplayName, "Here")))
    assert ["", "x"] == ["x" if judged(location, version) else "" for version in ("16.0", "14.1")]
    named = sync_with(tree(AirSync.Class, "Contacts"), *HEAD)
    assert ["", "x"] == ["x" if judged(named, version) else "" for version in ("12.1", "16.1")]


def test_one_of_each_shape_is_kept():
    """Texts of the same kind make no new shape; a status does, and so does the version."""
    hearing = Hearing([], set())
    for key, status, version in (("{a}1", "1", "16.1"), ("{b}2", "1", "16.1"), ("{a}1", "3", "16.1"), ("{a}1", "1", "14.1")):
        body = encode(sync_with(tree(AirSync.SyncKey, key), HEAD[1], tree(AirSync.Status, status)))
        hearing.note("Sync", version, f"{WBXML}; charset=utf-8", body)
    assert (4, 3) == (hearing.heard, len(hearing.take()))
    body = encode(adding(tree(Contacts.FirstName, "A")))
    hearing.note("ItemOperations", "16.1", MULTIPART, struct.pack("<III", 1, 12, len(body)) + body)
    assert [body] == [answer.body for answer in hearing.take()]
    assert shape_of(body) != shape_of(encode(adding(tree(Contacts.FirstName, "A" * 70))))


KINDS = {"Calendar": (appointments, events.events()), "Contacts": (contacts, cards()), "Tasks": (tasks, todos())}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("version", list(Version), ids=str)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_random_items_are_accepted(version, name, data):
    """Cards, to-dos, appointments, whole days, series with exceptions, and what EAS cannot name, in each version's words."""
    module, texts = KINDS[name]
    flavour = Flavour(version=version, zone=BERLIN)
    adds = [
        tree(AirSync.Add, tree(AirSync.ServerId, str(number)), tree(AirSync.ApplicationData, *module.dump(text, "u", flavour)))
        for number, text in enumerate(data.draw(st.lists(texts, min_size=1, max_size=5)))
    ]
    named = [tree(AirSync.Class, name)] if version is Version.V12_1 else []
    assert [] == judged(sync_with(*named, *HEAD, tree(AirSync.Commands, *adds)), str(version))
