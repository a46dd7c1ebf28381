"""FolderSync, [MS-ASCMD] 2.2.1.5."""

from __future__ import annotations

from dataclasses import replace

import pytest

from activesync_bridge.commands import foldersync
from activesync_bridge.wbxml.codepages import FolderHierarchy as Tag
from radicale_onoffice.core.model import Face, Kind
from radicale_onoffice.core.rights import Gate
from tests.eas.conftest import ANNA, BERT, VERSIONS
from tests.eas.trees import at, names, text, tree

MAIL = [("inbox", "2"), ("drafts", "3"), ("deleted", "4"), ("sent", "5"), ("outbox", "6")]


def asking(key):
    """A FolderSync with this key."""
    return tree(Tag.FolderSync, tree(Tag.SyncKey, key))


@pytest.fixture
def sync(ask, open_session):
    """A FolderSync of a device; what the gateway reads, is read anew."""

    def of(key, **device):
        return ask(foldersync.handle, open_session(**device), asking(key))

    return of


def added(answer):
    """(id, type) of the folders that are new."""
    return [(text(one, Tag.ServerId), text(one, Tag.Type)) for one in at(answer, Tag.Changes).all(Tag.Add)]


def close(office, kind, *, open_again=False):
    """What the user's switch on the page does."""
    office.settings.set_gate(ANNA, Gate.SWITCH, kind, open_again, "test")


@pytest.mark.parametrize("version", VERSIONS)
def test_key_0_lists_all_folders_r119_r4578(sync, version):
    """R119, R4578, R4665: each folder with its type; one default folder per kind, and five mail folders, without which Android drops the
    account (pains 4, 45)."""
    answer = sync("0", version=version)
    assert ["Status", "SyncKey", "Changes"] == names(answer)
    assert ("1", "8") == (text(answer, Tag.Status), text(answer, Tag.Changes, Tag.Count))
    assert [*MAIL, ("contacts", "9"), ("appointments", "8"), ("tasks", "7")] == added(answer)
    assert {"0"} == {text(one, Tag.ParentId) for one in at(answer, Tag.Changes).all(Tag.Add)}
    assert len(text(answer, Tag.SyncKey)) <= 64


@pytest.mark.parametrize(
    ("language", "inbox", "contacts"),
    [("de", "Posteingang", "onOffice Kontakte"), ("en", "Inbox", "onOffice contacts"), ("it", "Posta in arrivo", "Contatti onOffice")],
)
def test_folders_have_names_of_the_users_language(office, sync, language, inbox, contacts):
    """R5863: the three folders of the CRM are named as in the DAV face."""
    with office.store.writing() as tx:
        tx.save_user(replace(tx.user(ANNA), language=language))
    found = {text(one, Tag.ServerId): text(one, Tag.DisplayName) for one in at(sync("0"), Tag.Changes).all(Tag.Add)}
    assert (inbox, contacts) == (found["inbox"], found["contacts"])


def test_nothing_new_is_a_count_of_0_r2120(sync):
    """R2120, and nothing is written: the key stays."""
    key = text(sync("0"), Tag.SyncKey)
    answer = sync(key)
    assert ("1", key, ["Count"], "0") == (
        text(answer, Tag.Status),
        text(answer, Tag.SyncKey),
        names(at(answer, Tag.Changes)),
        text(answer, Tag.Changes, Tag.Count),
    )


def test_a_gate_that_closes_takes_its_folder_away_and_one_that_opens_brings_it(office, sync):
    """R5024, R5863, rules 1 and 2: a Delete of that folder only, with a new key; then an Add under the same id (R5012)."""
    first = text(sync("0"), Tag.SyncKey)
    close(office, Kind.TASKS)
    gone = sync(first)
    assert ["Count", "Delete"] == names(at(gone, Tag.Changes))
    assert "tasks" == text(gone, Tag.Changes, Tag.Delete, Tag.ServerId)
    assert first != text(gone, Tag.SyncKey)
    close(office, Kind.TASKS, open_again=True)
    back = sync(text(gone, Tag.SyncKey))
    assert [("tasks", "7")] == added(back)


def test_a_folder_that_was_renamed_is_updated(office, sync):
    """R4688: a name that another client of the user gave it."""
    key = text(sync("0"), Tag.SyncKey)
    with office.store.writing() as tx:
        tx.save_folder_properties(ANNA, Kind.CONTACTS, {"display_name": "Adressen"})
    answer = sync(key)
    assert ["Count", "Update"] == names(at(answer, Tag.Changes))
    assert "Adressen" == text(answer, Tag.Changes, Tag.Update, Tag.DisplayName)


def test_what_is_told_of_a_folder(office, sync):
    """R3625, R3916, R4665, R5885: Add and Update have one of each, Delete the id alone."""
    key = text(sync("0"), Tag.SyncKey)
    assert {("ServerId", "ParentId", "DisplayName", "Type")} == {tuple(names(one)) for one in at(sync("0"), Tag.Changes).all(Tag.Add)}
    with office.store.writing() as tx:
        tx.save_folder_properties(ANNA, Kind.CONTACTS, {"display_name": "Adressen"})
    close(office, Kind.TASKS)
    changes = at(sync(key), Tag.Changes)
    assert ["ServerId", "ParentId", "DisplayName", "Type"] == names(at(changes, Tag.Update))
    assert ["ServerId"] == names(at(changes, Tag.Delete))


def test_no_two_folders_have_the_same_name(office, sync):
    """R2198, R5416: also where a user called the contacts what a mail folder is called."""
    with office.store.writing() as tx:
        tx.save_folder_properties(ANNA, Kind.CONTACTS, {"display_name": "Outbox"})
        tx.save_folder_properties(ANNA, Kind.TASKS, {"display_name": "Outbox"})
        tx.save_user(replace(tx.user(ANNA), language="en"))
    found = {text(one, Tag.ServerId): text(one, Tag.DisplayName) for one in at(sync("0"), Tag.Changes).all(Tag.Add)}
    assert len(found) == len(set(found.values()))
    assert ("Outbox", {"Outbox (2)", "Outbox (3)"}) == (found["outbox"], {found["contacts"], found["tasks"]})


def test_a_lost_answer_is_given_again_r5106(office, sync):
    """R5106-R5122: the previous key is answered as before, also with key 0; it stays valid until the new one is used (fact 6)."""
    first = sync("0")
    assert first == sync("0")
    close(office, Kind.TASKS)
    second = sync(text(first, Tag.SyncKey))
    assert second == sync(text(first, Tag.SyncKey))
    close(office, Kind.APPOINTMENTS)
    third = sync(text(first, Tag.SyncKey))
    assert ["appointments", "tasks"] == sorted(text(one, Tag.ServerId) for one in at(third, Tag.Changes).all(Tag.Delete))
    assert "9" == text(sync(text(second, Tag.SyncKey)), Tag.Status)


def test_a_key_of_long_ago_is_9_r4581(office, sync):
    """R4581: two generations are known."""
    first = text(sync("0"), Tag.SyncKey)
    close(office, Kind.TASKS)
    second = text(sync(first), Tag.SyncKey)
    close(office, Kind.APPOINTMENTS)
    sync(second)
    answer = sync(first)
    assert (["Status"], "9") == (names(answer), text(answer, Tag.Status))


@pytest.mark.parametrize("key", ["1", "nonsense", "1-0123456789abcdef0123456789abcdef", "ä", "9" * 300])
def test_an_unknown_key_is_9_r4083(sync, key):
    """R4083, R4580; R4070: for the whole answer, which tells of no folder."""
    assert "9" == text(sync(key), Tag.Status)


def test_a_key_is_bound_to_user_and_device(sync):
    """Fact 13: the same folders of another device or user have another key, and a foreign one is 9."""
    key = text(sync("0"), Tag.SyncKey)
    assert key != text(sync("0", device_id="dev2"), Tag.SyncKey)
    assert "9" == text(sync(key, device_id="dev2"), Tag.Status)
    assert key != text(sync("0", identity=BERT), Tag.SyncKey)
    assert "9" == text(sync(key, identity=BERT), Tag.Status)


@pytest.mark.parametrize("body", [None, tree(Tag.FolderSync), tree(Tag.FolderSync, tree(Tag.SyncKey, "")), tree(Tag.FolderCreate)])
def test_a_missing_key_is_10_r4086(ask, open_session, body):
    """R4086: a semantic error; no other status."""
    answer = ask(foldersync.handle, open_session(), body)
    assert (["Status"], "10") == (names(answer), text(answer, Tag.Status))


def test_key_0_leaves_the_collections_alone(office, sync):
    """Fact 3, pains 1 and 2: Gmail sends key 0 before each Sync; the collections' states and the ids of the folders stay (R885, R5012)."""
    before = sync("0")
    with office.store.writing() as tx:
        tx.save_sync_state(ANNA, "dev1", "contacts", "{}", b"answer")
        tx.save_client_id(ANNA, "dev1", "contacts", 1, "c1", "r1")
    assert added(before) == added(sync("0"))
    with office.store.reading() as tx:
        assert ("{}", b"answer") == tx.sync_state(ANNA, "dev1", "contacts")
        assert {(1, "c1"): "r1"} == tx.client_ids(ANNA, "dev1", "contacts")


def test_is_current_tells_when_the_folders_have_to_be_asked_for_again(office, sync, open_session):
    """Status 12 of Sync and 7 of Ping depend on it: before the first FolderSync, and after a gate moved."""
    assert not foldersync.is_current(open_session())
    key = text(sync("0"), Tag.SyncKey)
    assert foldersync.is_current(open_session())
    close(office, Kind.TASKS)
    assert not foldersync.is_current(open_session())
    sync(key)
    assert foldersync.is_current(open_session())


def test_what_a_session_does_is_done_by_the_eas_face(open_session):
    """History and audit name the device."""
    actor = open_session().actor
    assert (Face.EAS, "dev1", ANNA) == (actor.face, actor.device, actor.identity)
