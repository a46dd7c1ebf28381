"""Ping and GetItemEstimate ([MS-ASCMD] 2.2.1.13, 2.2.1.9): statuses, what is remembered, and the guard against storms."""

from __future__ import annotations

import pytest

from activesync_bridge.wbxml.codepages import AirSync, GetItemEstimate, Ping
from radicale_onoffice.core.model import Actor, Contact, Face, Identity, Kind
from tests.eas.phone import E, pinged

CRM = Actor(identity=Identity("t", "anna"), face=Face.CRM)


def write(server, name: str):
    return server.office.records.write(CRM, Kind.CONTACTS, Contact(last_name=name, sync_users=("anna",)))


@pytest.fixture
def ready(phone):
    one = phone()
    one.folder_sync()
    one.sync("contacts")
    return one


def ask(phone, *parts: E) -> E:
    answer = phone.post("Ping", E(Ping.Ping, parts))
    assert answer is not None
    return answer


FOLDERS = E(Ping.Folders, (E(Ping.Folder, (E(Ping.Id, "contacts"), E(Ping.Class, "Contacts"))),))


def test_changes_that_are_there_already_are_told_at_once(server, ready):
    """Status 2 names the folder; after the Sync there is nothing to tell."""
    write(server, "Berger")
    assert ("2", ["contacts"]) == ready.ping("contacts", "appointments", "inbox")
    ready.sync("contacts")
    assert ("1", 0) == ready.estimate("contacts")


@pytest.mark.parametrize(
    ("parts", "status", "bound"),
    [
        ((), "3", None),  # nothing is remembered of this device
        ((FOLDERS,), "3", None),  # no interval
        ((E(Ping.HeartbeatInterval, "600"),), "3", None),  # no folders
        ((E(Ping.HeartbeatInterval, "soon"), FOLDERS), "4", None),
        ((E(Ping.HeartbeatInterval, "10"), FOLDERS), "5", "60"),
        ((E(Ping.HeartbeatInterval, "7200"), FOLDERS), "5", "3540"),
    ],
)
def test_a_ping_that_cannot_be_is_told_why(ready, parts, status, bound):
    """Statuses 3, 4, and 5 with the nearest interval that is possible (Apple asks for up to 59 minutes)."""
    answer = ask(ready, *parts)
    assert (status, bound or "") == (answer.text_of(Ping.Status), answer.text_of(Ping.HeartbeatInterval))


def test_too_many_folders_are_told_how_many_are_possible(ready):
    """Status 6 with MaxFolders."""
    many = E(Ping.Folders, tuple(E(Ping.Folder, (E(Ping.Id, f"f{number}"), E(Ping.Class, "Contacts"))) for number in range(65)))
    answer = ask(ready, E(Ping.HeartbeatInterval, "600"), many)
    assert ("6", "64") == (answer.text_of(Ping.Status), answer.text_of(Ping.MaxFolders))


def test_a_folder_that_does_not_exist_asks_for_a_foldersync(ready):
    """Status 7."""
    assert ("7", []) == ready.ping("contacts", "notes")


def test_a_ping_without_body_means_the_last_one(server, ready):
    """R335: interval and folders are remembered."""
    write(server, "Berger")
    ready.ping("contacts")
    assert ("2", ["contacts"]) == pinged(ready.post("Ping"))


def test_a_phone_that_never_fetches_is_told_five_times_and_then_waits(server, ready, caplog):
    """Pains 21 and 50: no Ping each second; a new change is told again."""
    write(server, "Berger")
    assert [("2", ["contacts"])] * 5 == [ready.ping("contacts") for _ in range(5)]
    assert ("1", []) == ready.ping("contacts")  # without a running lifespan nobody waits: the Ping ends at once
    assert 1 == sum("again and again" in record.getMessage() for record in caplog.records)
    write(server, "Neumann")
    assert ("2", ["contacts"]) == ready.ping("contacts")


def test_a_ping_is_no_proof_that_an_answer_arrived(server, ready):
    """Fact 7: the key before the last one still gets the same answer after a Ping."""
    write(server, "Berger")
    before = ready.of("contacts").key
    request = E(AirSync.Sync, (E(AirSync.Collections, (ready.request("contacts"),)),))
    lost = ready.post("Sync", request)
    ready.ping("contacts")
    assert before == ready.of("contacts").key
    assert lost == ready.post("Sync", request)


@pytest.mark.parametrize("version", ["12.1", "16.1"])
def test_an_estimate_counts_what_a_sync_would_bring(server, phone, version):
    """Up to 12.1 the answer names the class."""
    one = phone(version)
    one.folder_sync()
    assert ("3", 0) == one.estimate("contacts")  # not primed
    for number in range(3):
        write(server, f"n{number}")
    one.prime("contacts")
    assert ("1", 3) == one.estimate("contacts")
    one.of("contacts").key = "{nobody}7"
    assert ("4", 0) == one.estimate("contacts")
    assert ("2", 0) == one.estimate("notes")
    assert ("1", 0) == one.estimate("inbox")


def test_an_estimate_of_more_than_1000_collections_is_refused(ready):
    """R5647: status 103."""
    many = tuple(E(GetItemEstimate.Collection, (E(AirSync.SyncKey, "1"), E(GetItemEstimate.CollectionId, "x"))) for _ in range(1001))
    answer = ready.post("GetItemEstimate", E(GetItemEstimate.GetItemEstimate, (E(GetItemEstimate.Collections, many),)))
    assert answer is not None
    assert "103" == answer.text_of(GetItemEstimate.Status)
