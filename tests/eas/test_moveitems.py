"""MoveItems, [MS-ASCMD] 2.2.1.12."""

from __future__ import annotations

import pytest

from activesync_bridge.commands import moveitems
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import Move as Tag
from tests.eas.conftest import BODY_VERSIONS, VERSIONS
from tests.eas.trees import names, text, tree


def move(item, source, *destinations):
    """One item to one folder."""
    return tree(Tag.Move, tree(Tag.SrcMsgId, item), tree(Tag.SrcFldId, source), *(tree(Tag.DstFldId, one) for one in destinations))


@pytest.fixture
def moved(ask, open_session):
    """(item, status) of each Response; there is no DstMsgId where nothing was moved (R2217)."""

    def of(*moves, version=Version.V16_1):
        answer = ask(moveitems.handle, open_session(version), tree(Tag.MoveItems, *moves))
        assert {"Response"} == set(names(answer))
        assert {("SrcMsgId", "Status")} == {tuple(names(one)) for one in answer.children}
        return [(text(one, Tag.SrcMsgId), text(one, Tag.Status)) for one in answer.children]

    return of


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_can_be_moved_and_each_pair_is_told_why(moved, add_contact, version):
    """R4201, R4207, R4208, R4212, R4219, R4222, R3822: in order; never 3, which is success (R4215)."""
    contact = add_contact("Max", "Muster").id
    expected = {
        move(contact, "contacts", "tasks"): "5",
        move(contact, "contacts", "deleted"): "5",
        move(contact, "contacts", "contacts"): "4",
        move(contact, "contacts", "nowhere"): "2",
        move(contact, "nowhere", "contacts"): "1",
        move("unknown", "contacts", "tasks"): "1",
        move(contact, "tasks", "contacts"): "1",  # it does not lie there
        move(contact, "contacts", "tasks", "inbox"): "5",
    }
    assert list(expected.values()) == [status for _, status in moved(*expected, version=version)]


def test_the_source_stays_where_it_is(office, moved, add_contact):
    """Nothing is deleted on the way."""
    contact = add_contact("Max", "Muster")
    moved(move(contact.id, "contacts", "deleted"))
    assert contact == office.records.get("t", contact.id)


def test_items_of_others_are_unknown(moved, add_contact):
    """R4208: what is not the user's looks like what does not exist."""
    assert "1" == moved(move(add_contact("Nur", "Bert", users=("bert",)).id, "contacts", "tasks"))[0][1]


BAD = [
    None,
    tree(Tag.MoveItems),
    tree(Tag.MoveItems, tree(Tag.Move)),
    tree(Tag.MoveItems, move("x", "contacts")),
    tree(Tag.MoveItems, *[move("x", "contacts", "tasks")] * 1001),
]


@pytest.mark.parametrize("body", BAD)
@pytest.mark.parametrize("version", BODY_VERSIONS)
def test_a_malformed_request_is_103_r5653(ask, open_session, body, version):
    """R5653: also more than 1000 at once."""
    answer = ask(moveitems.handle, open_session(version), body)
    assert (["Status"], "103") == (names(answer), text(answer, Tag.Status))


@pytest.mark.parametrize("body", BAD)
def test_in_12_1_it_is_400(ask, open_session, body):
    """R7461."""
    assert 400 == ask(moveitems.handle, open_session(Version.V12_1), body).status
