"""Sync through real requests: keys, options, windows, empty and partial requests, periods, limits ([MS-ASCMD] 2.2.1.21)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase, Calendar, Contacts, Tasks
from activesync_bridge.wbxml.element import Element as E
from radicale_onoffice.core.model import Kind
from tests.eas.conftest import CRM
from tests.eas.phone import add, change, collection_of, delete, status_of, sync_of
from tests.eas.trees import names

VERSIONS = ("12.1", "14.1", "16.1")
DAY = timedelta(days=1)
TODAY = datetime(2026, 3, 15, 9, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.fixture
def contacts(add_contact):
    """Make so many contacts."""

    def make(count: int) -> None:
        for number in range(count):
            add_contact("Max", f"Muster{number:03}")

    return make


def answered(phone, *collections: E, more=()) -> E:
    """The one Collection of a Sync's answer."""
    answer = phone.post("Sync", sync_of(*collections, more=more))
    assert answer is not None
    return collection_of(answer)


def refused(phone, body: E) -> tuple[str, str]:
    """Status and Limit of a Sync that is refused as a whole."""
    answer = phone.post("Sync", body)
    assert answer is not None
    return answer.text_of(AirSync.Status), answer.text_of(AirSync.Limit)


def commands_of(part: E) -> list[E]:
    """What the server sent."""
    found = part.first(AirSync.Commands)
    return list(found.children) if found else []


# ------------------------------------------------------------------------ keys


@pytest.mark.parametrize("version", VERSIONS)
def test_the_first_answer_is_a_key_alone_and_the_second_the_items(phone, contacts, version):
    """R648, R5032; a key of another folder, or an invented one, is 3 (fact 13)."""
    contacts(1)
    it = phone(version)
    it.prime("contacts")
    part = answered(it, it.request("contacts"))
    assert ["Add"] == [one.name for one in commands_of(part)]
    it.prime("tasks")
    for key in (it.of("contacts").key, "{x}1", "17"):
        assert "3" == answered(it, it.request("tasks", key=key)).text_of(AirSync.Status)


def test_with_key_0_nothing_can_be_asked_or_sent(phone):
    """Status 4: commands, or changes that are wanted."""
    it = phone()
    key, name = E(AirSync.SyncKey, "0"), E(AirSync.CollectionId, "contacts")
    for extra in (E(AirSync.GetChanges, "1"), E(AirSync.GetChanges), E(AirSync.Commands, (delete("x"),))):
        assert ("4", "") == refused(it, sync_of(E(AirSync.Collection, (key, name, extra))))


def test_a_repeated_request_is_answered_with_the_same_bytes(phone, contacts):
    """R5106, R5108, R5121, R5122, pains 3 and 31: also one that adds; the window does not shrink, and the old key ends
    with the first use of the new one."""
    contacts(3)
    it = phone()
    it.prime("contacts")
    asked = sync_of(it.request("contacts", [add("c1", E(Contacts.LastName, "Neu"))], window=2))
    first = it.post("Sync", asked)
    assert first == it.post("Sync", asked) == it.post("Sync", asked)
    assert 2 == len(commands_of(collection_of(first)))
    it.take(first, asked.first(AirSync.Collections).children[0].first(AirSync.Commands).children)
    it.sync("contacts", window=2)
    assert (4, 0) == (len(it.of("contacts").items), it.doubles)
    assert "3" == collection_of(it.post("Sync", asked)).text_of(AirSync.Status)


# --------------------------------------------------------------------- windows


@pytest.mark.parametrize(("asked", "sent"), [(None, 100), (3, 3), (512, 512), (0, 512), (513, 512), (999, 512)])
def test_a_window_holds(phone, contacts, asked, sent):
    """R4765, R4767, R4768, fact 17: 100 if none is named; 0 and more than 512 are 512; with MoreAvailable until all is sent."""
    contacts(515)
    it = phone()
    it.prime("contacts")
    part = answered(it, it.request("contacts", window=asked))
    assert (sent, True) == (len(commands_of(part)), part.first(AirSync.MoreAvailable) is not None)


def test_the_window_of_the_request_holds_beside_those_of_its_collections(phone, contacts, office):
    """R4776: both are honoured; the folders come in the request's order."""
    contacts(4)
    it = phone()
    for name in ("contacts", "tasks"):
        it.prime(name)
    for number in range(4):
        it.once("tasks", add(f"t{number}", E(Tasks.Subject, f"Anruf {number}"), E(Tasks.Complete, "0")), get_changes=False)
    other = phone(device="PHONE2")
    for name in ("contacts", "tasks"):
        other.prime(name)
    both = sync_of(other.request("contacts", window=3), other.request("tasks", window=3), more=(E(AirSync.WindowSize, "5"),))
    parts = other.post("Sync", both).first(AirSync.Collections).children
    assert [3, 2] == [len(commands_of(part)) for part in parts]
    assert all(part.first(AirSync.MoreAvailable) is not None for part in parts)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_order_of_a_collection(phone, contacts, version):
    """Fact 18: MoreAvailable stands before what it speaks of; facts 19, R2053, R3836: what would be empty is not there."""
    contacts(3)
    it = phone(version)
    it.prime("contacts")
    part = answered(it, it.request("contacts", [add("c1", E(Contacts.LastName, "Neu"))], window=1))
    head = ["Class"] if version == "12.1" else []
    assert [*head, "SyncKey", "CollectionId", "Status", "MoreAvailable", "Responses", "Commands"] == names(part)
    it.take(it.post("Sync", sync_of(it.request("contacts", [delete("nobody")], key=part.text_of(AirSync.SyncKey), get_changes=False))))
    part = answered(it, it.request("contacts", [delete("nobody")], get_changes=False))
    assert [*head, "SyncKey", "CollectionId", "Status"] == names(part)


# --------------------------------------------------------------------- options


def test_new_options_replace_the_old_ones_as_a_whole(phone):
    """R3599: a block without the truncation of the one before means none."""
    it, other = phone(), phone(device="PHONE2")
    body = E(AirSyncBase.Body, (E(AirSyncBase.Type, "1"), E(AirSyncBase.Data, "x" * 300)))
    made = other.sync("contacts", add("c1", E(Contacts.LastName, "Muster"), body))[0].text_of(AirSync.ServerId)
    cut = E(AirSyncBase.BodyPreference, (E(AirSyncBase.Type, "1"), E(AirSyncBase.TruncationSize, "10")))
    it.prime("contacts")
    sizes = []
    for number, options in enumerate(([cut], [], [E(AirSync.Conflict, "1")])):
        it.sync("contacts", options=options)
        sizes.append(len(it.of("contacts").items[made].first(AirSyncBase.Body).text_of(AirSyncBase.Data)))
        other.sync("contacts", change(made, E(Contacts.LastName, f"Muster{number}")))
    assert [10, 10, 300] == sizes


@pytest.mark.parametrize(
    "preferences",
    [
        [[(AirSyncBase.TruncationSize, "10"), (AirSyncBase.Type, "1")]],  # MS-ASAIRS R348
        [[(AirSyncBase.Type, "1"), (AirSyncBase.AllOrNone, "1"), (AirSyncBase.TruncationSize, "10")]],  # MS-ASAIRS R348
        [[(AirSyncBase.Type, "1")], [(AirSyncBase.Type, "1")]],  # MS-ASAIRS R349
        [[(AirSyncBase.TruncationSize, "10")]],
    ],
)
def test_a_body_preference_that_is_none_is_4(phone, preferences):
    """In the wrong order, twice for one type, or without a type."""
    it = phone()
    it.prime("contacts")
    options = [E(AirSyncBase.BodyPreference, tuple(E(tag, value) for tag, value in one)) for one in preferences]
    assert ("4", "") == refused(it, sync_of(it.request("contacts", options=options)))


# ----------------------------------------------------------- empty and partial


@pytest.mark.parametrize("version", VERSIONS)
def test_an_empty_request_repeats_the_one_before(phone, add_contact, version):
    """R666, R667, R673, R675: nothing new is an empty answer; what comes is answered to an empty request, too."""
    it = phone(version)
    it.sync("contacts")
    assert it.post("Sync", sync_of(it.request("contacts"))) is None
    assert it.post("Sync") is None
    add_contact("Max", "Muster")
    answer = it.post("Sync")
    assert ["Add"] == [one.name for one in commands_of(collection_of(answer))]


def test_a_request_with_a_body_takes_the_place_of_the_cached_one(phone):
    """R674: and one with commands leaves none, so that 13 asks for all of it."""
    it = phone()
    it.sync("contacts")
    it.sync("contacts", add("c1", E(Contacts.LastName, "Neu")))
    answer = it.post("Sync")
    assert "13" == answer.text_of(AirSync.Status)
    assert "13" == phone(device="PHONE2").post("Sync").text_of(AirSync.Status)


def test_a_partial_request_goes_on_with_the_folders_that_it_does_not_name(phone, add_contact):
    """With their options; one that says nothing is 4, one without a predecessor 13."""
    it = phone()
    it.sync("contacts")
    it.sync("tasks")
    assert it.post("Sync", sync_of(it.request("contacts"), it.request("tasks"))) is None
    add_contact("Max", "Muster")
    answer = it.post("Sync", E(AirSync.Sync, (E(AirSync.WindowSize, "10"), E(AirSync.Partial))))
    assert "contacts" == collection_of(answer).text_of(AirSync.CollectionId)
    assert ("4", "") == refused(it, E(AirSync.Sync, (E(AirSync.Partial),)))
    it = phone(device="PHONE2")
    assert ("13", "") == refused(it, E(AirSync.Sync, (E(AirSync.WindowSize, "10"), E(AirSync.Partial))))


# ---------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("wait", "answer"),
    [
        ([(AirSync.Wait, "1"), (AirSync.HeartbeatInterval, "60")], ("4", "")),
        ([(AirSync.Wait, "0")], ("14", "1")),
        ([(AirSync.Wait, "60")], ("14", "59")),
        ([(AirSync.HeartbeatInterval, "59")], ("14", "60")),
        ([(AirSync.HeartbeatInterval, "3541")], ("14", "3540")),
    ],
)
def test_how_long_a_sync_may_hang(phone, wait, answer):
    """One of both, within the bounds; else the nearest bound."""
    it = phone()
    it.sync("contacts")
    assert answer == refused(it, sync_of(it.request("contacts"), more=[E(tag, value) for tag, value in wait]))


def test_more_than_200_commands_are_4(phone):
    """R5659; 200 are answered."""
    it = phone()
    it.sync("contacts")
    part = answered(it, it.request("contacts", [delete(f"x{number}") for number in range(200)]))
    assert "1" == part.text_of(AirSync.Status)
    assert ("4", "") == refused(it, sync_of(it.request("contacts", [delete(f"x{number}") for number in range(201)])))


def test_more_collections_than_there_can_be_are_15(phone):
    """With the number that may be."""
    it = phone()
    many = [E(AirSync.Collection, (E(AirSync.SyncKey, "0"), E(AirSync.CollectionId, f"x{number}"))) for number in range(65)]
    assert ("15", "64") == refused(it, sync_of(*many))


# --------------------------------------------------------------------- periods


@pytest.mark.parametrize(
    ("collection", "meaningful"),
    [
        ("appointments", (0, 4, 5, 6, 7)),  # R3008, R3012-R3015; not R3009, R3010, R3011, R3016
        ("tasks", (0, 8)),  # R3017, R3025; not R3018-R3024
        ("contacts", range(9)),
    ],
)
def test_each_class_has_its_periods(phone, collection, meaningful):
    """The tables of 2.2.3.68: any other is 4 in a Sync and 110 in a GetItemEstimate, which 12.1 does not know."""
    it, old = phone(), phone("12.1", "PHONE2")
    it.sync(collection)
    old.sync(collection)
    for number in range(9):
        is_one = number in meaningful
        assert ("1" if is_one else "110", 0) == it.estimate(collection, filter_type=number)
        assert ("1" if is_one else "2", 0) == old.estimate(collection, filter_type=number)
        answer = it.post("Sync", sync_of(it.request(collection, filter_type=number)))
        assert ("1" if is_one else "4") == ("1" if answer is None else collection_of(answer).text_of(AirSync.Status))


def test_what_is_to_come_is_sent_whatever_the_period(phone, add_appointment):
    """R2971, R5877: an appointment of the future, and a series without an end that began long ago."""
    add_appointment(TODAY + 60 * DAY, TODAY + 60 * DAY, subject="Kommt")
    times = E(Calendar.StartTime, "20240105T080000Z"), E(Calendar.EndTime, "20240105T090000Z")
    weekly = E(Calendar.Recurrence, (E(Calendar.Type, "1"), E(Calendar.Interval, "1"), E(Calendar.DayOfWeek, "32")))
    response = phone().sync("appointments", add("c1", E(Calendar.Subject, "Jour fixe"), *times, weekly))[0]
    assert "1" == status_of(response)
    it = phone(device="PHONE2")
    for filter_type in (4, 5, 6, 7):
        it.prime("appointments")
        it.sync("appointments", filter_type=filter_type)
        assert {"Kommt", "Jour fixe"} == {one.text_of(Calendar.Subject) for one in it.of("appointments").items.values()}


def test_what_becomes_older_than_the_period_is_soft_deleted(phone, add_appointment, clock):
    """R3064; the record stays."""
    record = add_appointment(TODAY - 13 * DAY, TODAY - 13 * DAY, subject="Alt")
    it = phone()
    it.sync("appointments", filter_type=4)
    assert [record.id] == list(it.of("appointments").items)
    clock.now += 3 * DAY
    part = answered(it, it.request("appointments"))
    assert [("SoftDelete", record.id)] == [(one.name, one.text_of(AirSync.ServerId)) for one in commands_of(part)]


# -------------------------------------------------------------------- ghosting


@pytest.mark.parametrize(
    ("supported", "is_kept"),
    [
        (None, False),  # R5906, R5912: nothing is ghosted
        ((), True),  # R5909, R5911: everything is
        ((Contacts.JobTitle,), True),  # R5908: what is not listed is
        ((Contacts.WebPage,), False),  # R5907: what is listed is not
    ],
)
def test_leaving_out_deletes_what_is_not_ghosted(phone, supported, is_kept):
    """R5910, said once, with key 0; the notes stay in any case (MS-ASCNTC R461)."""
    it = phone()
    body = E(AirSyncBase.Body, (E(AirSyncBase.Type, "1"), E(AirSyncBase.Data, "Notiz")))
    it.sync("contacts", supported=supported)
    made = it.sync("contacts", add("c1", E(Contacts.LastName, "Muster"), E(Contacts.WebPage, "https://a.example/"), body))[0]
    server_id = made.text_of(AirSync.ServerId)
    it.sync("contacts", change(server_id, E(Contacts.LastName, "Muster"), E(Contacts.JobTitle, "Chef")))
    other = phone(device="PHONE2")
    other.sync("contacts")
    found = other.of("contacts").items[server_id]
    assert is_kept == bool(found.text_of(Contacts.WebPage))
    assert ("Chef", "Notiz") == (found.text_of(Contacts.JobTitle), found.first(AirSyncBase.Body).text_of(AirSyncBase.Data))


@pytest.mark.parametrize("version", ["16.0", "16.1"])
def test_what_a_client_of_16_must_not_send_is_not_taken(phone, version):
    """MS-ASCAL R2028, R2088, R2168, R2174, R2221: status, stamp, organizer and UID; the server makes the UID and tells it (R2223)."""
    it = phone(version)
    attendee = E(Calendar.Attendee, (E(Calendar.Email, "b@example.com"), E(Calendar.Name, "B"), E(Calendar.AttendeeStatus, "3")))
    theirs = E(Calendar.UID, "theirs"), E(Calendar.OrganizerName, "X"), E(Calendar.OrganizerEmail, "x@example.com")
    times = E(Calendar.StartTime, "20260316T090000Z"), E(Calendar.EndTime, "20260316T100000Z"), E(Calendar.DtStamp, "20200101T000000Z")
    made = it.sync("appointments", add("c1", E(Calendar.Subject, "T"), *times, *theirs, E(Calendar.Attendees, (attendee,))))[0]
    assert "1" == status_of(made)
    uid = made.first(AirSync.ApplicationData).text_of(Calendar.UID)
    assert uid not in ("", "theirs")
    other = phone(version, device="PHONE2")
    other.sync("appointments")
    (item,) = other.of("appointments").items.values()
    assert uid == item.text_of(Calendar.UID)
    assert not {Calendar.OrganizerEmail, Calendar.OrganizerName, Calendar.Attendees} & {child.tag for child in item.children}


@pytest.mark.parametrize("version", ["12.1", "14.1"])
def test_an_appointment_that_is_added_again_takes_nothing_from_the_office(phone, office, version):
    """A phone that undoes a deletion sends a new item with the old UID (below 16.0 it is the phone's): the colleague on it stays."""
    it = phone(version)
    times = E(Calendar.StartTime, "20260316T090000Z"), E(Calendar.EndTime, "20260316T100000Z")
    item = add("c1", E(Calendar.Subject, "T"), *times, E(Calendar.UID, "theirs"))
    server_id = it.sync("appointments", item)[0].text_of(AirSync.ServerId)
    record = office.records.get("t", server_id)
    office.records.write(CRM, Kind.APPOINTMENTS, replace(record.value, participants=("anna", "bert")), record_id=server_id)
    it.sync("appointments")
    it.sync("appointments", delete(server_id))
    again = it.sync("appointments", add("c2", E(Calendar.Subject, "T"), *times, E(Calendar.UID, "theirs")))[0]
    assert ("1", server_id) == (status_of(again), again.text_of(AirSync.ServerId))
    assert ("anna", "bert") == office.records.get("t", server_id).value.participants


def test_an_appointment_without_times_is_the_next_half_hour(phone):
    """MS-ASCAL R52514: 09:30 in Berlin it is; the phone is told what was made of it."""
    it = phone()
    it.sync("appointments", add("c1", E(Calendar.Subject, "Gleich")))
    it.sync("appointments")
    (item,) = it.of("appointments").items.values()
    assert ("20260315T083000Z", "20260315T090000Z") == (item.text_of(Calendar.StartTime), item.text_of(Calendar.EndTime))


@pytest.mark.parametrize("version", ["16.0", "16.1"])
def test_a_series_of_16_is_changed_by_one_occurrence_at_a_time(phone, version):
    """Facts 21 to 23, MS-ASCAL R2098, R2112-R2114: a Delete with an InstanceId leaves a day out; another pattern takes it back."""
    it, other = phone(version), phone(version, device="PHONE2")
    times = E(Calendar.StartTime, "20260316T090000Z"), E(Calendar.EndTime, "20260316T100000Z")

    def pattern(interval: str) -> E:
        return E(Calendar.Recurrence, (E(Calendar.Type, "1"), E(Calendar.Interval, interval), E(Calendar.DayOfWeek, "2")))

    made = it.sync("appointments", add("c1", E(Calendar.Subject, "Jour fixe"), *times, pattern("1")))[0].text_of(AirSync.ServerId)
    it.sync("appointments", delete(made, instance="20260323T090000Z"))
    other.sync("appointments")
    exceptions = other.of("appointments").items[made].first(Calendar.Exceptions)
    assert [["Deleted", "InstanceId"]] == [sorted(names(one)) for one in exceptions.children]
    it.sync("appointments", change(made, pattern("2")))
    other.sync("appointments")
    assert other.of("appointments").items[made].first(Calendar.Exceptions) is None
