"""FolderCreate, FolderDelete, FolderUpdate, [MS-ASCMD] 2.2.1.3, 2.2.1.4, 2.2.1.6."""

from __future__ import annotations

import pytest

from activesync_bridge.commands import folderchange, foldersync
from activesync_bridge.wbxml.codepages import FolderHierarchy as Tag
from tests.eas.conftest import VERSIONS
from tests.eas.trees import names, text, tree


@pytest.fixture
def key(ask, open_session):
    """The device's key."""
    return text(ask(foldersync.handle, open_session(), tree(Tag.FolderSync, tree(Tag.SyncKey, "0"))), Tag.SyncKey)


def create(key, parent="0", name="Neu", kind="13"):
    """A FolderCreate of a calendar."""
    return tree(Tag.FolderCreate, tree(Tag.SyncKey, key), tree(Tag.ParentId, parent), tree(Tag.DisplayName, name), tree(Tag.Type, kind))


def update(key, folder, parent="0", name="Neu"):
    """A FolderUpdate to another name."""
    return tree(
        Tag.FolderUpdate, tree(Tag.SyncKey, key), tree(Tag.ServerId, folder), tree(Tag.ParentId, parent), tree(Tag.DisplayName, name)
    )


def delete(key, folder):
    """A FolderDelete."""
    return tree(Tag.FolderDelete, tree(Tag.SyncKey, key), tree(Tag.ServerId, folder))


@pytest.fixture
def refused(ask, open_session):
    """The status of a refused command; without SyncKey and ServerId (R4570, R5785, R5786)."""

    def status(command, body, version=VERSIONS[-1]):
        answer = ask(folderchange.handle, open_session(version, command=command), body)
        assert (command, ["Status"]) == (answer.name, names(answer))
        return text(answer, Tag.Status)

    return status


@pytest.mark.parametrize("version", VERSIONS)
def test_no_folder_can_be_made(key, refused, version):
    """R4015: the root and the default folders take no other; without SyncKey and ServerId: R3904, R4570."""
    assert "3" == refused("FolderCreate", create(key), version)
    assert "3" == refused("FolderCreate", create(key, parent="appointments"), version)


def test_a_folder_that_exists_is_2_r4013(key, refused):
    """R4013."""
    assert "2" == refused("FolderCreate", create(key, name="onOffice Termine"))


def test_an_unknown_parent_is_5_r4019(key, refused):
    """R4019, R4109."""
    assert "5" == refused("FolderCreate", create(key, parent="nowhere"))
    assert "5" == refused("FolderUpdate", update(key, "tasks", parent="nowhere"))


@pytest.mark.parametrize("kind", ["2", "8", "9", "11", "19", "0", "x"])
def test_a_default_folder_is_not_made_r4035(key, refused, kind):
    """R4035, R81: inbox, calendar, contacts, recipient information."""
    assert "10" == refused("FolderCreate", create(key, kind=kind))


@pytest.mark.parametrize("folder", ["inbox", "outbox", "drafts", "contacts", "appointments", "tasks"])
def test_default_folders_cannot_be_deleted_r4047_or_renamed_r4102(key, refused, folder):
    """R4046, R4047, R4101, R4102; without a SyncKey: R5785, R5786."""
    assert "3" == refused("FolderDelete", delete(key, folder))
    assert "2" == refused("FolderUpdate", update(key, folder))


def test_an_unknown_folder_is_4_r4049_r4106(key, refused):
    """R4049, R4106."""
    assert "4" == refused("FolderDelete", delete(key, "nowhere"))
    assert "4" == refused("FolderUpdate", update(key, "nowhere"))


def test_a_wrong_key_is_9_r4573(key, refused):
    """R4572, R4573, R4032, R4060, R4120."""
    assert "9" == refused("FolderCreate", create("7-nonsense"))
    assert "9" == refused("FolderDelete", delete("0", "tasks"))
    assert "9" == refused("FolderUpdate", update("0", "tasks"))


@pytest.mark.parametrize("command", ["FolderCreate", "FolderDelete", "FolderUpdate"])
def test_a_malformed_request_is_10_r4568(key, refused, command):
    """R4035, R4063, R4123, R4568: no body, another command's, or no key."""
    root = getattr(Tag, command)
    assert "10" == refused(command, None)
    assert "10" == refused(command, tree(Tag.FolderSync))
    assert "10" == refused(command, tree(root, tree(Tag.ServerId, "tasks"), tree(Tag.ParentId, "0"), tree(Tag.DisplayName, "x")))


def test_a_status_in_an_update_is_10_r3102(key, refused):
    """R3102."""
    body = update(key, "tasks")
    assert "10" == refused("FolderUpdate", tree(Tag.FolderUpdate, *body.children, tree(Tag.Status, "1")))
