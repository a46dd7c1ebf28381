"""ItemOperations, [MS-ASCMD] 2.2.1.10."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from activesync_bridge.commands import itemoperations
from activesync_bridge.session import Multipart
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase, Calendar, Contacts, DocumentLibrary, Search
from activesync_bridge.wbxml.codepages import ItemOperations as Tag
from radicale_onoffice.core.model import Kind
from radicale_onoffice.core.rights import Gate
from tests.eas.conftest import ANNA, VERSIONS
from tests.eas.trees import at, names, text, tree

BERLIN = ZoneInfo("Europe/Berlin")
START, END = datetime(2026, 3, 16, 9, tzinfo=BERLIN), datetime(2026, 3, 16, 10, tzinfo=BERLIN)
PLAIN = tree(AirSyncBase.BodyPreference, tree(AirSyncBase.Type, "1"))


def fetch(collection, item, *options, store="Mailbox"):
    """A Fetch of one item."""
    wanted = (tree(Tag.Options, *options),) if options else ()
    return tree(Tag.Fetch, tree(Tag.Store, store), tree(AirSync.CollectionId, collection), tree(AirSync.ServerId, item), *wanted)


@pytest.fixture
def done(ask, open_session):
    """The operations of an answer."""

    def of(*operations, version=Version.V16_1, multipart=False):
        return ask(itemoperations.handle, open_session(version, multipart=multipart), tree(Tag.ItemOperations, *operations))

    return of


def first(answer):
    """The first operation's answer; the request as a whole succeeded."""
    assert ["Status", "Response"] == names(answer)
    assert "1" == text(answer, Tag.Status)
    return at(answer, Tag.Response).children[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_contact_is_fetched(done, add_contact, version):
    """R2950, R1652: with its names and its class, in the order of the schema."""
    contact = add_contact("Jürgen", "Müller")
    found = first(done(fetch("contacts", contact.id), version=version))
    assert ["Status", "CollectionId", "ServerId", "Class", "Properties"] == names(found)
    assert ("1", "contacts", contact.id, "Contacts") == (
        text(found, Tag.Status),
        text(found, AirSync.CollectionId),
        text(found, AirSync.ServerId),
        text(found, AirSync.Class),
    )
    assert ("Jürgen", "Müller") == (text(found, Tag.Properties, Contacts.FirstName), text(found, Tag.Properties, Contacts.LastName))


def test_a_body_in_the_form_that_was_asked_for(done, add_appointment):
    """R3565: BodyPreference holds for the one Fetch."""
    record = add_appointment(START, END, subject="Besichtigung", note="Schlüssel beim Hausmeister")
    found = first(done(fetch("appointments", record.id, PLAIN)))
    assert ("Calendar", "Besichtigung") == (text(found, AirSync.Class), text(found, Tag.Properties, Calendar.Subject))
    assert "Schlüssel beim Hausmeister" == text(found, Tag.Properties, AirSyncBase.Body, AirSyncBase.Data)


def test_a_schema_leaves_the_other_properties_out_r3879(done, add_contact):
    """R3552, R3879: top-level properties; without a schema all of them."""
    contact = add_contact("Jürgen", "Müller", company="Haus")
    schema = tree(Tag.Schema, tree(Contacts.LastName), tree(Contacts.CompanyName))
    assert {"LastName", "CompanyName"} == set(names(at(first(done(fetch("contacts", contact.id, schema))), Tag.Properties)))
    assert len(names(at(first(done(fetch("contacts", contact.id))), Tag.Properties))) > 2


def test_what_left_the_window_can_still_be_fetched(done, add_appointment):
    """The device asks for what it still has."""
    old = add_appointment(START.replace(year=2024), END.replace(year=2024), subject="Alt")
    assert "Alt" == text(first(done(fetch("appointments", old.id))), Tag.Properties, Calendar.Subject)


def test_operations_are_done_in_order_with_a_status_each_r193(done, add_contact):
    """R193, R194, R2952."""
    contact = add_contact("Jürgen", "Müller")
    answer = done(fetch("contacts", "unknown"), fetch("contacts", contact.id), fetch("nowhere", contact.id))
    assert ["6", "1", "6"] == [text(one, Tag.Status) for one in at(answer, Tag.Response).children]


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        (fetch("contacts", "unknown"), "6"),
        (fetch("inbox", "1"), "6"),
        (fetch("contacts", "x", store="DocumentLibrary"), "9"),  # R4161
        (fetch("contacts", "x", store="Nowhere"), "9"),
        (fetch("contacts", "x", store=""), "9"),
        (tree(Tag.Fetch, tree(Tag.Store, "Mailbox")), "2"),  # R4154
        (tree(Tag.Fetch, tree(Tag.Store, "Mailbox"), tree(AirSync.ServerId, "x")), "2"),
        (tree(Tag.Fetch, tree(Tag.Store, "Mailbox"), tree(Search.LongId, "x")), "6"),
        (tree(Tag.Fetch, tree(Tag.Store, "Mailbox"), tree(AirSyncBase.FileReference)), "15"),  # R4166
        (tree(Tag.Fetch, tree(Tag.Store, "Mailbox"), tree(AirSyncBase.FileReference, "a:1")), "15"),
        (tree(Tag.Fetch, tree(Tag.Store, "DocumentLibrary"), tree(DocumentLibrary.LinkId, "\\\\x\\y")), "9"),
        (fetch("contacts", "x", PLAIN, PLAIN), "2"),  # R3547
    ],
)
def test_what_cannot_be_fetched(done, operation, status):
    """R4154-R4166: a status for the item, with the names that the client gave it."""
    found = first(done(operation))
    assert status == text(found, Tag.Status)
    assert "Properties" not in names(found)


def test_items_of_others_do_not_exist(done, add_contact):
    """Rule 17: found is what the user may see."""
    assert "6" == text(first(done(fetch("contacts", add_contact("Nur", "Bert", users=("bert",)).id))), Tag.Status)


def test_a_closed_gate_has_no_items(office, done, add_contact):
    """Rule 1."""
    contact = add_contact("Jürgen", "Müller")
    office.settings.set_gate(ANNA, Gate.SWITCH, Kind.CONTACTS, False, "test")
    assert "6" == text(first(done(fetch("contacts", contact.id))), Tag.Status)


# --------------------------------------------------------------- multipart


@pytest.mark.parametrize("version", VERSIONS)
def test_bodies_come_as_parts_where_the_client_wants_it_r236(done, add_appointment, version):
    """R236, R3633, R6938: Data is replaced by the number of its part; the WBXML is part 0."""
    records = [add_appointment(START, END, subject=note, note=note) for note in ("Größe", "Zwei")]
    answer = done(*(fetch("appointments", one.id, PLAIN) for one in records), version=version, multipart=True)
    assert isinstance(answer, Multipart)
    assert ("Größe".encode(), b"Zwei") == answer.parts
    bodies = [at(one, Tag.Properties, AirSyncBase.Body) for one in at(answer.element, Tag.Response).children]
    assert ["1", "2"] == [text(one, Tag.Part) for one in bodies]
    assert all("Data" not in names(one) for one in bodies)


def test_without_a_body_there_is_one_part_only(done, add_contact):
    """R5505: the form of the answer is what the client asked for, whatever is in it."""
    answer = done(fetch("contacts", add_contact("Jürgen", "Müller").id), multipart=True)
    assert ((), "ItemOperations") == (answer.parts, answer.element.name)


# ------------------------------------------------------------------ the rest


def empty(collection):
    """An EmptyFolderContents."""
    return tree(Tag.EmptyFolderContents, tree(AirSync.CollectionId, collection), tree(Tag.Options, tree(Tag.DeleteSubFolders)))


@pytest.mark.parametrize(("collection", "status"), [("contacts", "16"), ("deleted", "1"), ("nowhere", "6")])
def test_a_folder_of_the_crm_is_not_emptied_r4167(office, done, add_contact, collection, status):
    """R4167: access denied; a mail folder is empty already."""
    contact = add_contact("Jürgen", "Müller")
    found = first(done(empty(collection)))
    assert (["Status", "CollectionId"], status, collection) == (names(found), text(found, Tag.Status), text(found, AirSync.CollectionId))
    assert contact == office.records.get("t", contact.id)


def test_conversations_are_not_moved_r4171(done):
    """R4170-R4173: 155 without MoveAlways, else 156."""
    conversation = tree(Tag.ConversationId, b"\x01\x02")
    always = tree(Tag.Options, tree(Tag.MoveAlways))
    answer = done(tree(Tag.Move, conversation), tree(Tag.Move, conversation, tree(Tag.DstFldId, "deleted"), always))
    assert ["155", "156"] == [text(one, Tag.Status) for one in at(answer, Tag.Response).children]


@pytest.mark.parametrize("body", [None, tree(Tag.ItemOperations), tree(AirSync.Sync), tree(Tag.ItemOperations, tree(Tag.Schema))])
def test_a_malformed_request_is_2_r7238(ask, open_session, body):
    """R7238."""
    answer = ask(itemoperations.handle, open_session(), body)
    assert (["Status"], "2") == (names(answer), text(answer, Tag.Status))


def test_too_many_operations_are_11(done):
    """Activesync.md 2.6: more than 100."""
    answer = done(*[fetch("contacts", "x")] * 101)
    assert (["Status"], "11") == (names(answer), text(answer, Tag.Status))
