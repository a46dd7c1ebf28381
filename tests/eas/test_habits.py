"""How real clients behave (activesync.md 1, 6, 7): each of their habits as a journey through the one-port application, with what was reported
of servers that could not stand it. No such client runs here; what they send is taken from reports and captures.
"""

from __future__ import annotations

import itertools
import struct
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

import pytest

from activesync_bridge.items import timezone
from activesync_bridge.request import COMMANDS
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase, Calendar, Contacts, FolderHierarchy, Ping, Provision, Settings
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.reader import decode
from activesync_bridge.wbxml.writer import encode
from radicale_onoffice.core.model import Contact, Kind
from tests.eas.conftest import CRM
from tests.eas.phone import PATH, KeyLost, Phone, add, change, collection_of, delete, over, pinged, status_of, sync_of
from tests.eas.trees import at, names, text, tree

ALL_VERSIONS = list(map(str, Version))
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{0}\r\nN:{0};Anna;;;\r\nFN:Anna {0}\r\nEND:VCARD\r\n"
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{0}\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20260318T090000Z\r\nDTEND:20260318T100000Z\r\nSUMMARY:{0}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
PATIENCE = 20  # seconds that an answer may take on a busy machine
MODEL = (tree(Settings.Model, "iPhone11C8"), tree(Settings.OS, "iOS 18"), tree(Settings.UserAgent, "iOS/18 (22A1) dataaccessd/1.0"))
INFORMATION = tree(Settings.DeviceInformation, tree(Settings.Set, *MODEL))
BERLIN = timezone.dump("Europe/Berlin", 2026)


@pytest.fixture
def live(server):
    """The application in one event loop, as a server runs it: waits of one request end by another."""
    with server.client(None) as client:
        yield client


@pytest.fixture
def phone_on(live):
    """Make a phone on it."""

    def make(version="16.1", device="PHONE1", **more) -> Phone:
        return Phone(over(live), version=version, device=device, **more)

    return make


@pytest.fixture
def desktop(live):
    """Put and delete over DAV, as anna."""

    def put(path: str, content: str) -> None:
        kind = "text/vcard" if "contacts" in path else "text/calendar"
        answer = live.request("PUT", path, content=content.encode(), headers={"Content-Type": kind}, auth=("anna", "secret"))
        assert answer.is_success, answer.text

    return put


def contact(name: str) -> tuple[Element, Element]:
    return tree(Contacts.FirstName, "Anna"), tree(Contacts.LastName, name)


def status_of_sync(phone: Phone, root: Element) -> str:
    """Status of a whole Sync, or of its one collection."""
    answer = phone.post("Sync", root)
    return text(answer, AirSync.Status) if answer.first(AirSync.Status) else collection_of(answer).text_of(AirSync.Status)


def base64_query(command: str, device: str, kind: str, version: int = 141, policy: int | None = 0, options: int = 0) -> str:
    """[MS-ASHTTP] 2.2.1.1.1.1."""
    number = next(code for code, name in COMMANDS.items() if name == command)
    key = struct.pack("<BI", 4, policy) if policy is not None else b"\0"
    blob = struct.pack("<BBH", version, number, 0x0409) + bytes([len(device)]) + device.encode() + key
    return b64encode(blob + bytes([len(kind)]) + kind.encode() + bytes([7, 1, options])).decode()


# ----------------------------------------------------------------------- iOS


def test_ios_asks_settings_before_it_provisions(serve):
    """OPTIONS, Settings, Provision, FolderSync (seen with iOS 11): Settings is answered without a policy key, FolderSync is not."""
    with serve(activesync_policy="basic").client(None) as client:
        phone = Phone(over(client), device="Q5RG3A0TOT2TN0M0BDHPSNTEHO")
        options = client.request("OPTIONS", PATH, headers={"Authorization": phone.authorization})
        assert "16.1" in options.headers["MS-ASProtocolVersions"]
        user = tree(Settings.UserInformation, tree(Settings.Get))
        assert "1" == text(phone.post("Settings", tree(Settings.Settings, user, INFORMATION)), Settings.DeviceInformation, Settings.Status)
        refused = phone.post("FolderSync", tree(FolderHierarchy.FolderSync, tree(FolderHierarchy.SyncKey, "0")))
        assert "142" == text(refused, FolderHierarchy.Status)
        policy = tree(Provision.PolicyType, "MS-EAS-Provisioning-WBXML")
        first = phone.post("Provision", tree(Provision.Provision, INFORMATION, tree(Provision.Policies, tree(Provision.Policy, policy))))
        key = tree(Provision.PolicyKey, text(first, Provision.Policies, Provision.Policy, Provision.PolicyKey))
        done = tree(Provision.Policy, policy, key, tree(Provision.Status, "1"))
        second = phone.post("Provision", tree(Provision.Provision, tree(Provision.Policies, done)))
        phone.policy_key = text(second, Provision.Policies, Provision.Policy, Provision.PolicyKey)
        assert {"contacts", "appointments", "tasks", "inbox", "outbox", "drafts", "sent", "deleted"} == set(phone.folder_sync())


def test_ios_never_gets_empty_elements(phone_on, desktop):
    """Fact 19: iOS crashes on an empty Collections, Windows Phone on an empty Responses; the phone and the judges look at each answer."""
    phone = phone_on()
    phone.folder_sync()
    for name in ("contacts", "appointments", "tasks"):
        phone.sync(name)
    idle = phone.raw("Sync", encode(sync_of(*(phone.request(name) for name in ("contacts", "appointments", "tasks")))))
    assert (200, b"", "0") == (idle[0], idle[2], idle[1]["content-length"])
    desktop("/anna/contacts/a.vcf", CARD.format("A"))
    answer = phone.post("Sync", sync_of(*(phone.request(name) for name in ("contacts", "appointments", "tasks"))))
    phone.take(answer)
    assert 1 == len(phone.of("contacts").items)


def test_ios_pings_folders_that_it_does_not_synchronise(phone_on, desktop):
    """Of them there is nothing to tell; the others are told of (activesync.md 2.7)."""
    phone = phone_on()
    phone.folder_sync()
    phone.sync("contacts")
    desktop("/anna/calendar/e.ics", EVENT.format("e"))
    desktop("/anna/contacts/a.vcf", CARD.format("A"))
    assert ("2", ["contacts"]) == phone.ping("appointments", "contacts", "inbox")


# --------------------------------------------------------------------- Gmail


def test_gmail_asks_for_the_folders_anew_before_each_sync(phone_on, desktop):
    """Pain 1, fact 3: FolderSync with key 0 forgets nothing, so nothing is loaded twice and no id changes."""
    phone = phone_on("14.1", "androidc1234567890")
    for number in range(5):
        desktop(f"/anna/contacts/{number}.vcf", CARD.format(f"A{number}"))
        phone.folder_key = "0"
        before = phone.folder_sync()
        phone.sync("contacts", window=2)
        assert number + 1 == len(phone.of("contacts").items)
        phone.folder_key = "0"
        assert before == phone.folder_sync()
        assert phone.once("contacts") == ([], False)
    assert 0 == phone.doubles


def test_gmail_pings_twice_within_a_second(phone_on, desktop):
    """Pain 8, fact 16: the newer Ping ends the older at once, with status 1; the change is told to the newer."""
    phone = phone_on("14.1", "androidc1234567890")
    phone.folder_sync()
    phone.sync("contacts")
    with ThreadPoolExecutor() as pool:
        pings = [pool.submit(phone.ping, "contacts", heartbeat=60) for _ in range(2)]
        older = next(as_completed(pings, PATIENCE))
        assert ("1", []) == older.result()
        (newer,) = set(pings) - {older}
        desktop("/anna/contacts/a.vcf", CARD.format("A"))
        assert ("2", ["contacts"]) == newer.result(PATIENCE)


# -------------------------------------------------------------------- TbSync


def test_tbsync_sends_its_changes_without_asking_for_ours(phone_on, desktop):
    """GetChanges 0: only Responses come; the server's changes wait for the next request, in windows of 25."""
    phone = phone_on("14.1", "MZTB12345")
    phone.sync("contacts")
    for number in range(30):
        desktop(f"/anna/contacts/{number}.vcf", CARD.format(f"A{number}"))
    answer = phone.post("Sync", sync_of(phone.request("contacts", [add("c1", *contact("Berger"))], get_changes=False, window=25)))
    assert ["SyncKey", "CollectionId", "Status", "Responses"] == names(collection_of(answer))
    phone.take(answer, [add("c1", *contact("Berger"))])
    assert ([], True) == phone.once("contacts", window=25)
    assert 26 == len(phone.of("contacts").items)
    phone.sync("contacts", window=25)
    assert (31, 0) == (len(phone.of("contacts").items), phone.doubles)


def test_tbsync_adds_a_series_and_then_changes_it_by_its_exceptions(phone_on):
    """Up to 14.1: the Add has no exceptions, a Change with all of them follows; rule 72 makes a changed occurrence an appointment of its own."""
    phone = phone_on("14.1", "MZTB12345")
    series = weekly()
    (made,) = phone.sync("appointments", add("c1", *series))
    assert "1" == status_of(made)
    moved = tree(Calendar.Exception, tree(Calendar.ExceptionStartTime, "20260325T090000Z"), tree(Calendar.Subject, "Moved"))
    gone = tree(Calendar.Exception, tree(Calendar.Deleted, "1"), tree(Calendar.ExceptionStartTime, "20260401T080000Z"))
    exceptions = tree(Calendar.Exceptions, moved, gone)
    assert [] == phone.sync("appointments", change(text(made, AirSync.ServerId), *series, exceptions))
    subjects = sorted(text(item, Calendar.Subject) for item in phone.of("appointments").items.values())
    assert ["Moved", "Weekly"] == subjects
    other = phone_on("14.1", "MZTB2")
    other.sync("appointments")
    master = other.of("appointments").items[text(made, AirSync.ServerId)]
    stand_in = at(master, Calendar.Exceptions).children
    assert {("1", "20260325T090000Z"), ("1", "20260401T080000Z")} == {
        (text(one, Calendar.Deleted), text(one, Calendar.ExceptionStartTime)) for one in stand_in
    }


def test_tbsync_names_one_occurrence_per_request(phone_on):
    """16.1: InstanceId beside ServerId, one command per request, because servers took only the first (fact 21)."""
    phone = phone_on("16.1", "MZTB12345")
    (made,) = phone.sync("appointments", add("c1", *weekly(dtstamp=False)))
    server_id = text(made, AirSync.ServerId)
    assert text(made, AirSync.ApplicationData, Calendar.UID)
    assert [] == phone.sync("appointments", change(server_id, tree(Calendar.Subject, "Moved"), instance="20260325T090000Z"))
    assert [] == phone.sync("appointments", delete(server_id, instance="20260401T080000Z"))
    other = phone_on("16.1", "MZTB2")
    other.sync("appointments")
    assert ["Moved", "Weekly"] == sorted(text(item, Calendar.Subject) for item in other.of("appointments").items.values())
    exceptions = at(other.of("appointments").items[server_id], Calendar.Exceptions).children
    assert {"20260325T090000Z", "20260401T080000Z"} == {text(one, AirSyncBase.InstanceId) for one in exceptions}


def weekly(*, dtstamp: bool = True) -> tuple[Element, ...]:
    """A series on Wednesdays at ten in Berlin, across the change of clocks."""
    stamp = (tree(Calendar.DtStamp, "20260315T083000Z"), tree(Calendar.UID, "series-of-tbsync")) if dtstamp else ()
    rule = tree(Calendar.Recurrence, tree(Calendar.Type, "1"), tree(Calendar.Interval, "1"), tree(Calendar.DayOfWeek, "8"))
    times = (tree(Calendar.StartTime, "20260318T090000Z"), tree(Calendar.EndTime, "20260318T100000Z"))
    return (tree(Calendar.Timezone, BERLIN), *stamp, *times, tree(Calendar.Subject, "Weekly"), rule)


# ---------------------------------------------------------- Nine, and queries


@pytest.mark.parametrize("command", ["FolderSync", "Sync", "Ping"])
def test_nine_sends_its_query_in_base64(live, phone_on, command):
    """Padded or not, with policy key 0 and options 0 (seen in mailcow#1063: 14.1, 0x0409, "Nine4383AF346860", "Android")."""
    phone = phone_on("14.1", "Nine4383AF346860")
    phone.folder_sync()
    phone.sync("contacts")
    bodies = {
        "FolderSync": tree(FolderHierarchy.FolderSync, tree(FolderHierarchy.SyncKey, phone.folder_key)),
        "Sync": sync_of(phone.request("contacts", [add("c1", *contact("Berger"))])),
        "Ping": tree(Ping.Ping, tree(Ping.HeartbeatInterval, "5")),
    }
    query = base64_query(command, phone.device, "Android")
    headers = {"Authorization": phone.authorization, "Content-Type": "application/vnd.ms-sync"}
    for form in (query, query.rstrip("="), query.replace("=", "%3D")):
        answer = live.request("POST", f"{PATH}?{form}", headers=headers, content=encode(bodies[command]))
        assert 200 == answer.status_code, answer.text
        assert command == decode(answer.content).name
    assert "jQAJBBBOaW5lNDM4M0FGMzQ2ODYwBAAAAAAHQW5kcm9pZAcBAA==" == base64_query("Sync", "Nine4383AF346860", "Android")


def test_the_path_and_the_names_come_in_any_case(live, phone_on):
    """iOS puts Cmd last, some stacks add a slash; old Outlooks write the path in lower case ([MS-ASHTTP] 2.2.1.1)."""
    phone = phone_on()
    body = encode(tree(FolderHierarchy.FolderSync, tree(FolderHierarchy.SyncKey, "0")))
    headers = {"Authorization": phone.authorization, "MS-ASProtocolVersion": "16.1"}
    for path in (PATH, PATH.lower(), PATH.upper(), f"{PATH}/"):
        for query in ("User=anna&DeviceId=A1&DeviceType=iPhone&Cmd=FolderSync", "cmd=foldersync&deviceid=A1&devicetype=iPhone&user=ANNA"):
            assert 200 == live.request("POST", f"{path}?{query}", headers=headers, content=body).status_code


@pytest.mark.parametrize("version", ["12.1", "14.0"])
def test_outlook_names_the_class_of_each_collection(phone_on, version):
    """Class is required up to 12.1 and comes back; from 14.0 on some still send it, in the Collection and in Options."""
    phone = phone_on(version, "0123456789ABCDEF0123456789ABCDEF")
    phone.user_agent = "Outlook/16.0 (16.0.7167.6539; C2R; x86)"
    phone.folder_sync()
    phone.sync("appointments")
    options = tree(AirSync.Options, tree(AirSync.FilterType, "4"), tree(AirSync.Class, "Calendar"))
    commands = tree(AirSync.Commands, add("c1", *weekly()))
    parts = [
        tree(AirSync.Class, "Calendar"),
        tree(AirSync.SyncKey, phone.of("appointments").key),
        tree(AirSync.CollectionId, "appointments"),
    ]
    answer = phone.post("Sync", sync_of(tree(AirSync.Collection, *parts, tree(AirSync.GetChanges), options, commands)))
    expected = ["SyncKey", "CollectionId", "Status", "Responses"]
    assert (["Class"] if version == "12.1" else []) + expected == names(collection_of(answer))
    assert "1" == text(collection_of(answer), AirSync.Responses, AirSync.Add, AirSync.Status)


@pytest.mark.parametrize("order", list(itertools.permutations(["Calendar", "SMS"])))
def test_options_of_another_class_are_not_meant(phone_on, order):
    """R3600: a Collection may have two Options, each for one class; FilterType 4 of the calendar's is what holds."""
    phone = phone_on("14.1")
    phone.sync("appointments", add("c1", *weekly()), add("c2", *long_ago()), filter_type=7)
    assert 2 == len(phone.of("appointments").items)
    filters = {"Calendar": "4", "SMS": "7"}
    blocks = [tree(AirSync.Options, tree(AirSync.FilterType, filters[name]), tree(AirSync.Class, name)) for name in order]
    parts = [tree(AirSync.SyncKey, phone.of("appointments").key), tree(AirSync.CollectionId, "appointments"), *blocks]
    answer = phone.post("Sync", sync_of(tree(AirSync.Collection, *parts)))
    assert ["SoftDelete"] == names(at(collection_of(answer), AirSync.Commands))


def test_options_of_one_class_come_once(phone_on):
    """R930: status 4; with the same folder twice in a Ping it is 4 too (R6699)."""
    phone = phone_on("14.1")
    phone.folder_sync()
    phone.sync("appointments")
    blocks = [tree(AirSync.Options, tree(AirSync.FilterType, number)) for number in ("4", "5")]
    parts = [tree(AirSync.SyncKey, phone.of("appointments").key), tree(AirSync.CollectionId, "appointments"), *blocks]
    assert "4" == status_of_sync(phone, sync_of(tree(AirSync.Collection, *parts)))
    assert ("4", []) == phone.ping("appointments", "appointments")


def long_ago() -> tuple[Element, ...]:
    """An appointment of two months back."""
    times = (tree(Calendar.StartTime, "20260118T090000Z"), tree(Calendar.EndTime, "20260118T100000Z"))
    return (tree(Calendar.Timezone, BERLIN), tree(Calendar.DtStamp, "20260101T083000Z"), *times, tree(Calendar.Subject, "Past"))


def test_windows_mail_says_that_it_speaks_14(phone_on):
    """Seen in Z-Push-contrib#226; what is near enough is taken."""
    phone = phone_on("14", "WINDOWSMAIL1")
    phone.user_agent = "MSFT-WP/10.0.10240"
    phone.folder_sync()
    (made,) = phone.sync("contacts", add("c1", *contact("Berger")))
    assert "1" == status_of(made)


# ------------------------------------------------------------------- Android


def test_android_pings_before_its_first_sync(phone_on, desktop):
    """tine20#1486: nothing is told of what was never synchronised, and nothing fails; after the first Sync the next one is told."""
    phone = phone_on("14.1", "android1")
    phone.folder_sync()
    with ThreadPoolExecutor() as pool:
        early = pool.submit(phone.ping, "contacts", "appointments", heartbeat=60)
        desktop("/anna/contacts/a.vcf", CARD.format("A"))
        phone.prime("contacts")
        pings = [early, pool.submit(phone.ping, "contacts", "appointments", heartbeat=60)]
        assert {("1", ()), ("2", ("contacts",))} >= {(one.result(PATIENCE)[0], tuple(one.result()[1])) for one in pings}
    assert ("2", ["contacts"]) == phone.ping("contacts", "appointments", heartbeat=60)


def test_a_ping_before_any_foldersync_asks_for_one(phone_on):
    """Status 7."""
    assert ("7", []) == phone_on().ping("contacts")


# ------------------------------------------------- empty, partial and hanging


def test_an_empty_ping_means_the_last_one(phone_on, desktop):
    """R335: interval and folders are kept; without any, status 3."""
    phone = phone_on("14.1")
    phone.folder_sync()
    phone.sync("contacts")
    assert "3" == pinged(phone.post("Ping"))[0]
    desktop("/anna/contacts/a.vcf", CARD.format("A"))
    assert ("2", ["contacts"]) == phone.ping("contacts", heartbeat=60)
    assert ("2", ["contacts"]) == pinged(phone.post("Ping"))
    interval_only = tree(Ping.Ping, tree(Ping.HeartbeatInterval, "600"))
    assert ("2", ["contacts"]) == pinged(phone.post("Ping", interval_only))


def test_an_empty_sync_repeats_the_last_one(phone_on, desktop):
    """R667-R675: without changes an empty answer; 13 if there is nothing to repeat, or if the last one brought changes of the device."""
    phone = phone_on("14.1")
    assert "13" == text(phone.post("Sync"), AirSync.Status)
    phone.sync("contacts")
    assert phone.once("contacts") == ([], False)
    assert phone.post("Sync") is None
    desktop("/anna/contacts/a.vcf", CARD.format("A"))
    phone.take(phone.post("Sync"))
    assert 1 == len(phone.of("contacts").items)
    phone.once("contacts", add("c1", *contact("Berger")))
    assert "13" == text(phone.post("Sync"), AirSync.Status)


def test_a_partial_sync_leaves_out_what_goes_on(phone_on, desktop):
    """R3642, R3643: collections that are not named keep their settings; without a request before, 13; with nothing in it, 4."""
    phone = phone_on("14.1")
    partial = tree(AirSync.Partial)
    wait = tree(AirSync.Wait, "5")
    assert "13" == text(phone.post("Sync", tree(AirSync.Sync, wait, partial)), AirSync.Status)
    for name in ("contacts", "appointments"):
        phone.sync(name)
    assert phone.post("Sync", sync_of(phone.request("contacts"), phone.request("appointments", filter_type=5))) is None
    assert "4" == text(phone.post("Sync", tree(AirSync.Sync, partial)), AirSync.Status)
    desktop("/anna/contacts/a.vcf", CARD.format("A"))
    desktop("/anna/calendar/e.ics", EVENT.format("e"))
    phone.take(phone.post("Sync", sync_of(phone.request("contacts"), more=[wait, partial])))
    assert (1, 1) == (len(phone.of("contacts").items), len(phone.of("appointments").items))


@pytest.mark.parametrize("wait", [tree(AirSync.Wait, "59"), tree(AirSync.HeartbeatInterval, "3540")], ids=["Wait", "HeartbeatInterval"])
def test_a_hanging_sync_is_woken_by_a_put(phone_on, desktop, wait):
    """Pain 22: the change is in the answer, at once."""
    phone = phone_on("14.1")
    phone.sync("contacts")
    phone.sync("appointments")
    request = sync_of(phone.request("contacts"), phone.request("appointments"), more=[wait])
    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(phone.post, "Sync", request)
        desktop("/anna/calendar/e.ics", EVENT.format("e"))
        phone.take(hanging.result(PATIENCE))
    assert 1 == len(phone.of("appointments").items)


# ------------------------------------------------------------ limits, statuses


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_a_key_of_0_brings_no_changes_and_asks_for_none(phone_on, version):
    """[MS-ASCMD] 2.2.3.177.17: status 4."""
    phone = phone_on(version)
    start = [tree(AirSync.SyncKey, "0"), tree(AirSync.CollectionId, "contacts")]
    for more in (tree(AirSync.GetChanges), tree(AirSync.GetChanges, "1"), tree(AirSync.Commands, add("c1", *contact("Berger")))):
        assert "4" == status_of_sync(phone, sync_of(tree(AirSync.Collection, *start, more)))
    assert "1" == status_of_sync(phone, sync_of(tree(AirSync.Collection, *start, tree(AirSync.GetChanges, "0"))))


def test_waits_are_one_of_two_and_within_bounds(phone_on):
    """R3160, R3225: both are 4; outside the bounds is 14 with the nearest bound in Limit."""
    phone = phone_on("14.1")
    phone.sync("contacts")

    def answer(*more: Element) -> tuple[str, str | None]:
        found = phone.post("Sync", sync_of(phone.request("contacts"), more=more))
        return text(found, AirSync.Status), found.text_of(AirSync.Limit) or None

    assert ("4", None) == answer(tree(AirSync.Wait, "5"), tree(AirSync.HeartbeatInterval, "300"))
    assert [("14", "1"), ("14", "59")] == [answer(tree(AirSync.Wait, minutes)) for minutes in ("0", "60")]
    assert [("14", "60"), ("14", "3540")] == [answer(tree(AirSync.HeartbeatInterval, seconds)) for seconds in ("59", "3541")]


def test_a_request_has_at_most_200_commands(phone_on):
    """R5642 ff.: 201 are 4, and nothing is written."""
    phone = phone_on("14.1")
    phone.sync("contacts")
    commands = [add(f"c{number}", *contact(f"B{number}")) for number in range(201)]
    assert "4" == status_of_sync(phone, sync_of(phone.request("contacts", commands)))
    phone.sync("contacts")
    assert {} == phone.of("contacts").items
    assert 200 == len(phone.sync("contacts", *commands[:200]))


@pytest.mark.parametrize("window", [0, 513, 512])
def test_windows_of_0_and_over_512_mean_512(server, phone_on, window):
    """R4763-R4768: the first answer has 512 items and MoreAvailable before them (fact 18)."""
    fill(server, 515)
    phone = phone_on("14.1")
    phone.prime("contacts")
    part = collection_of(phone.post("Sync", sync_of(phone.request("contacts", window=window))))
    assert ["SyncKey", "CollectionId", "Status", "MoreAvailable", "Commands"] == names(part)
    assert 512 == len(at(part, AirSync.Commands).children)


def test_the_window_of_the_request_bounds_all_collections(server, phone_on, desktop):
    """Fact 17: each to its own, stopping at the whole request's; who got nothing is told that there is more."""
    fill(server, 12)
    desktop("/anna/calendar/e.ics", EVENT.format("e"))
    phone = phone_on("14.1")
    phone.prime("contacts")
    phone.prime("appointments")
    more = [tree(AirSync.WindowSize, "10")]
    answer = phone.post("Sync", sync_of(phone.request("contacts", window=20), phone.request("appointments", window=20), more=more))
    parts = at(answer, AirSync.Collections).children
    assert [10, 0] == [len(part.first(AirSync.Commands).children) if part.first(AirSync.Commands) else 0 for part in parts]
    assert all(part.first(AirSync.MoreAvailable) is not None for part in parts)


@pytest.mark.parametrize(("collection", "wrong"), [("appointments", 1), ("appointments", 8), ("tasks", 4), ("contacts", 9), ("tasks", 99)])
def test_a_filter_that_the_class_does_not_have_is_status_4(phone_on, collection, wrong):
    """R3045 to R3061; the key stays good."""
    phone = phone_on("14.1")
    phone.sync(collection)
    assert "4" == status_of_sync(phone, sync_of(phone.request(collection, filter_type=wrong)))
    assert phone.once(collection) == ([], False)


def fill(server, count: int) -> None:
    """Contacts in the CRM."""
    value = Contact(last_name="Berger", sync_users=("anna",))
    for number in range(count):
        server.office.records.write(CRM, Kind.CONTACTS, replace(value, first_name=f"A{number}"))


def test_two_clients_with_one_device_id_are_noticed(phone_on, caplog):
    """Pain 42: a cloned profile; keys of one are too old for the other, it begins anew, and the log says why."""
    one, clone = phone_on("14.1", "MZTB1"), phone_on("14.1", "MZTB1")
    one.sync("contacts")
    clone.of("contacts").key = one.of("contacts").key
    for number in range(3):
        one.sync("contacts", add(f"c{number}", *contact(f"B{number}")))
    with caplog.at_level("WARNING"), pytest.raises(KeyLost):
        clone.once("contacts")
    assert "MZTB1" in caplog.text


def test_an_add_is_repeated_when_its_answer_got_lost(phone_on):
    """Pain 31, R5106-R5122: the same request with the same key gets the same bytes, and there is one contact."""
    phone = phone_on("14.1")
    phone.sync("contacts")
    request = encode(sync_of(phone.request("contacts", [add("c1", *contact("Berger"))])))
    first = phone.raw("Sync", request)
    assert first[2] == phone.raw("Sync", request)[2]
    phone.take(decode(first[2]), [add("c1", *contact("Berger"))])
    assert phone.once("contacts") == ([], False)
    assert 1 == len(phone.of("contacts").items)
