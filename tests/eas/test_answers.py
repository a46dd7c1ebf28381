"""What holds for every answer, on the wire and as a tree: data types, bodies, and what stands in requests only ([MS-ASAIRS], [MS-ASDTYPE]).

The bytes are read by a walker of this file's own, so that reader and writer do not vouch for each other.
"""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from activesync_bridge.wbxml.codepages import (
    AirSync,
    AirSyncBase,
    Calendar,
    Contacts,
    Gal,
    ItemOperations,
    Search,
    Tasks,
)
from activesync_bridge.wbxml.element import Element as E
from activesync_bridge.wbxml.reader import decode
from activesync_bridge.wbxml.writer import encode
from tests.eas.phone import sync_of
from tests.items.test_contacts import photo

VERSIONS = ("12.1", "14.0", "14.1", "16.0", "16.1")
COLLECTIONS = ("contacts", "appointments", "tasks")
NOTE = "Zeile 1\\n" + "ä" * 40
CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c1\r\nN:Muster;Max;;;\r\nFN:Max Muster\r\nBDAY:1980-03-15\r\nEMAIL:max@example.com\r\n"
    "TEL;TYPE=CELL:+49 170 1\r\nCATEGORIES:Kunde\r\nNOTE:{note}\r\nPHOTO;ENCODING=b;TYPE=JPEG:{picture}\r\nEND:VCARD\r\n"
)
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:e1\r\nDTSTAMP:20260301T100000Z\r\nDTSTART:20260316T090000Z\r\n"
    "DTEND:20260316T100000Z\r\nSUMMARY:Termin\r\nLOCATION:Rathaus\r\nGEO:50.77;6.08\r\nDESCRIPTION:{note}\r\nCATEGORIES:A,B\r\n"
    "ORGANIZER:mailto:anna@example.com\r\nATTENDEE:mailto:b@example.com\r\nATTACH:https://example.com/a.pdf\r\n"
    "RRULE:FREQ=WEEKLY;BYDAY=MO\r\nEXDATE:20260323T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
TODO = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:t1\r\nDTSTAMP:20260301T100000Z\r\nSUMMARY:Anruf\r\n"
    "DUE;VALUE=DATE:20260320\r\nDESCRIPTION:{note}\r\nPRIORITY:1\r\nRRULE:FREQ=DAILY\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
)
ADDRESSES = {
    "contacts": ("/anna/contacts/c1.vcf", CARD),
    "appointments": ("/anna/calendar/e1.ics", EVENT),
    "tasks": ("/anna/tasks/t1.ics", TODO),
}
PICTURE = b64encode(photo((60, 60))).decode()
SWITCH_PAGE, END, STR_I, OPAQUE = 0x00, 0x01, 0x03, 0xC3


class Leaf(NamedTuple):
    """A tag with content as it stands in the bytes."""

    tag: int
    token: int
    data: bytes


def leaves(body: bytes) -> Iterator[Leaf]:
    """Walk over WBXML without a string table."""
    assert b"\x03\x01\x6a\x00" == body[:4]
    at, page, path = 4, 0, []
    while at < len(body):
        token = body[at]
        at += 1
        if token == SWITCH_PAGE:
            page, at = body[at], at + 1
        elif token == END:
            path.pop()
        elif token == STR_I:
            end = body.index(b"\0", at)
            yield Leaf(path[-1], token, body[at:end])
            at = end + 1
        elif token == OPAQUE:
            size = 0
            while True:
                octet, at = body[at], at + 1
                size = size << 7 | octet & 0x7F
                if octet < 0x80:
                    break
            yield Leaf(path[-1], token, body[at : at + size])
            at += size
        elif token & 0x40:
            path.append(page << 8 | token & 0x3F)
    assert not path


def all_of(element: E) -> Iterator[E]:
    """The element and everything below it."""
    yield element
    for child in element.children:
        yield from all_of(child)


def preference(*more: E) -> E:
    """A wish for plain text of 20 bytes."""
    return E(AirSyncBase.BodyPreference, (E(AirSyncBase.Type, "1"), E(AirSyncBase.TruncationSize, "20"), *more))


@pytest.fixture
def filled(server):
    """A server with one record of each kind, made by DAV with everything that a phone can be told."""
    client = server.client()
    for path, text in ADDRESSES.values():
        data = text.format(note=NOTE, picture=PICTURE)
        assert 201 == client.put(path, content=data.encode()).status_code
    return server


@pytest.fixture
def sync_body(filled, phone):
    """Bytes of the answer that brings a folder's items, and the headers."""

    def get(version: str, collection: str, *options: E) -> tuple[bytes, dict[str, str]]:
        it = phone(version)
        it.prime(collection)
        status, headers, body = it.raw("Sync", encode(sync_of(it.request(collection, options=options))))
        assert 200 == status
        return body, headers

    return get


def operations(phone, collection: str, server_id: str, *, multipart: bool = False) -> bytes:
    """The answer to a Fetch."""
    name = E(AirSync.CollectionId, collection), E(AirSync.ServerId, server_id)
    fetch = E(ItemOperations.Fetch, (E(ItemOperations.Store, "Mailbox"), *name))
    headers = {"MS-ASAcceptMultiPart": "T"} if multipart else {}
    status, _, body = phone.raw("ItemOperations", encode(E(ItemOperations.ItemOperations, (fetch,))), **headers)
    assert 200 == status
    return body


# ------------------------------------------------------------------- the bytes


@pytest.mark.parametrize("version", VERSIONS)
def test_every_value_of_an_item_is_an_inline_string(sync_body, version):
    """MS-ASDTYPE R7, R20, R87, R91, R122, R502: booleans, times, numbers, text, time zones and doubles; MS-ASWBXML R8; MS-ASHTTP R219.

    Every tag that is opened is closed: MS-ASCAL R14, MS-ASCNTC R4, MS-ASTASK R3.
    """
    tags = set()
    for collection in COLLECTIONS:
        body, headers = sync_body(version, collection, preference())
        assert "application/vnd.ms-sync.wbxml" == headers["content-type"]
        found = list(leaves(body))
        assert {STR_I} == {leaf.token for leaf in found}
        tags |= {leaf.tag for leaf in found}
    typed = {Calendar.AllDayEvent, Tasks.Complete, Calendar.StartTime, Contacts.Birthday, Tasks.UtcDueDate, Calendar.Interval}
    assert typed | {Calendar.Subject, Calendar.Timezone} <= tags
    assert (version >= "16") == ({AirSyncBase.Latitude, AirSyncBase.Longitude} <= tags)


def test_a_picture_of_a_search_is_opaque_data(filled, phone):
    """MS-ASDTYPE R98; the one of a contact is base64 text (MS-ASCNTC R381, R382, R1021: at most 48 KB of it)."""
    picture = E(Search.Picture, (E(Search.MaxSize, "102400"),))
    options = E(Search.Options, (E(Search.Range, "0-9"), picture))
    store = E(Search.Store, (E(Search.Name, "GAL"), E(Search.Query, "Max"), options))
    _, _, body = phone("14.1").raw("Search", encode(E(Search.Search, (store,))))
    assert [OPAQUE] == [leaf.token for leaf in leaves(body) if leaf.tag == Gal.Data]


@pytest.mark.parametrize("version", VERSIONS)
def test_times_have_the_form_of_their_class(sync_body, version):
    """MS-ASDTYPE R15, R16, R18, fact 26: without separators in appointments, with them and milliseconds elsewhere; MS-ASCAL R434, R434001, R235."""
    texts = {leaf.tag: leaf.data.decode() for name in COLLECTIONS for leaf in leaves(sync_body(version, name)[0])}
    assert ("20260316T090000Z", "20260316T100000Z") == (texts[Calendar.StartTime], texts[Calendar.EndTime])
    assert "1980-03-15" == texts[Contacts.Birthday][:10]
    assert "2026-03-20T00:00:00.000Z" == texts[Tasks.DueDate]
    gone = Calendar.ExceptionStartTime if version < "16" else AirSyncBase.InstanceId
    assert "20260323T090000Z" == texts[gone]  # MS-ASAIRS R1180, MS-ASCAL R2098, R2106


def test_unused_characters_of_a_time_zones_names_are_0(sync_body):
    """MS-ASDTYPE R109, R116."""
    texts = {leaf.tag: leaf.data for leaf in leaves(sync_body("14.1", "appointments")[0])}
    blob = b64decode(texts[Calendar.Timezone])
    assert 172 == len(blob)
    for start in (4, 88):
        name, _, rest = struct.unpack_from("<64s", blob, start)[0].decode("utf-16-le").partition("\0")
        assert set(rest) <= {"\0"}
        assert name or start == 88


# ---------------------------------------------------------------------- bodies


@pytest.mark.parametrize("version", VERSIONS)
def test_what_stands_in_requests_only_is_in_no_answer(sync_body, version):
    """MS-ASAIRS R59, R74, R135, R148, R291, R297: AllOrNone, both preferences, TruncationSize.

    MS-ASCAL R52522, R525221, R52522111: nor AppointmentReplyTime, because nobody replies to a meeting here.
    """
    asked = {AirSyncBase.AllOrNone, AirSyncBase.BodyPreference, AirSyncBase.BodyPartPreference, AirSyncBase.TruncationSize}
    asked |= {Calendar.AppointmentReplyTime}
    for collection in COLLECTIONS:
        body, _ = sync_body(version, collection, preference(E(AirSyncBase.AllOrNone, "1")))
        assert not asked & {one.tag for one in all_of(decode(body))}


# What CONFORMANCE.md calls not applicable because it is never sent
NEVER_SENT = {
    *(AirSyncBase.NativeBodyType, AirSyncBase.Preview, AirSyncBase.BodyPart, AirSyncBase.Attachments),
    *(Calendar.Attendees, Calendar.OrganizerName, Calendar.OrganizerEmail, Calendar.ResponseType, Tasks.Recurrence),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_never_sent(sync_body, version):
    """Whatever a client asks for, and whatever stands in the card, the event or the task."""
    preview = preference(E(AirSyncBase.Preview, "10"))
    for collection in COLLECTIONS:
        body, _ = sync_body(version, collection, preview)
        assert not NEVER_SENT & {one.tag for one in all_of(decode(body))}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_body_has_each_of_its_children_once_and_as_text(sync_body, collection, version):
    """MS-ASAIRS R105, R386, R1400, R1401: it is there, as plain text; R174, R203, R280, R312: each child once; R204, R313: none of them has children."""
    item = decode(sync_body(version, collection, preference())[0])
    bodies = [one for one in all_of(item) if one.tag == AirSyncBase.Body]
    assert 1 == len(bodies)
    children = [child.name for child in bodies[0].children]
    assert ["Type", "EstimatedDataSize", "Truncated", "Data"] == children
    assert not any(grandchild for child in bodies[0].children for grandchild in child.children)
    assert ("1", str(len("Zeile 1\r\n") + 80), "1") == tuple(child.text for child in bodies[0].children[:3])


@pytest.mark.parametrize("version", VERSIONS)
def test_an_item_that_changed_has_its_body_again(filled, phone, version):
    """MS-ASAIRS R386, of items of all kinds, also where the note stayed what it was; an empty note is an empty Body (R105)."""
    it = phone(version)
    for collection in COLLECTIONS:
        it.sync(collection)
    client = filled.client()
    for path, text in ADDRESSES.values():
        other = text.replace("Max", "Moritz").replace("SUMMARY:", "SUMMARY:Neuer ")
        note = NOTE if "c1" not in path else ""
        assert client.put(path, content=other.format(note=note, picture=PICTURE).encode()).status_code < 300
    for collection in COLLECTIONS:
        it.sync(collection)
        body = next(iter(it.of(collection).items.values())).first(AirSyncBase.Body)
        assert body is not None
        assert (collection != "contacts") == body.text_of(AirSyncBase.Data).startswith("Zeile 1")


@pytest.mark.parametrize("version", ["16.0", "16.1"])
def test_a_location_has_one_name(sync_body, version):
    """MS-ASAIRS R1362."""
    places = [one for one in all_of(decode(sync_body(version, "appointments")[0])) if one.tag == AirSyncBase.Location]
    assert [["DisplayName", "Latitude", "Longitude"]] == [[child.name for child in one.children] for one in places]
    assert ["Rathaus", "50.77", "6.08"] == [child.text for child in places[0].children]


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_data_or_part(filled, phone, collection):
    """MS-ASAIRS R176, R244, R405: in an answer of several parts Part takes the place of Data, else there is no Part.

    MS-ASCAL R531, MS-ASTASK R359: the elements of the class stand in Properties.
    """
    it = phone("14.1")
    it.sync(collection)
    server_id = next(iter(it.of(collection).items))
    plain = decode(operations(it, collection, server_id))
    properties = next(one for one in all_of(plain) if one.tag == ItemOperations.Properties)
    body = properties.first(AirSyncBase.Body)
    assert ["Type", "EstimatedDataSize", "Data"] == [child.name for child in body.children]
    assert {"contacts": Contacts.FirstName, "appointments": Calendar.Subject, "tasks": Tasks.Subject}[collection] in {
        child.tag for child in properties.children
    }
    parts = operations(it, collection, server_id, multipart=True)
    count, start, size, at, length = struct.unpack_from("<5I", parts)
    assert 2 == count
    body = next(one for one in all_of(decode(parts[start : start + size])) if one.tag == AirSyncBase.Body)
    assert ["Type", "EstimatedDataSize", "Part"] == [child.name for child in body.children]
    assert body.text_of(ItemOperations.Part) == "1"
    assert "Zeile 1\r\n" + "ä" * 40 == parts[at : at + length].decode()


@pytest.mark.parametrize(
    ("collection", "tag"), [("contacts", Contacts.FirstName), ("appointments", Calendar.Subject), ("tasks", Tasks.Subject)]
)
def test_a_schema_restricts_what_comes(filled, phone, collection, tag):
    """MS-ASCNTC R485, MS-ASCAL R530, MS-ASTASK R358."""
    it = phone("16.1")
    it.sync(collection)
    name = E(AirSync.CollectionId, collection), E(AirSync.ServerId, next(iter(it.of(collection).items)))
    options = E(ItemOperations.Options, (E(ItemOperations.Schema, (E(tag),)),))
    fetch = E(ItemOperations.Fetch, (E(ItemOperations.Store, "Mailbox"), *name, options))
    answer = it.post("ItemOperations", E(ItemOperations.ItemOperations, (fetch,)))
    properties = next(one for one in all_of(answer) if one.tag == ItemOperations.Properties)
    assert [tag] == [child.tag for child in properties.children]


# ------------------------------------------------------------------- transport


@pytest.mark.parametrize("version", VERSIONS)
def test_the_answer_is_in_the_version_of_the_request(sync_body, version):
    """MS-ASHTTP R283, fact 1, pain 9: Class up to 12.1, DisallowNewTimeProposal from 14.0, Location of AirSyncBase from 16.0."""
    tags = {one.tag for one in all_of(decode(sync_body(version, "appointments")[0]))}
    assert (version == "12.1") == (AirSync.Class in tags)
    assert (version > "12.1") == (Calendar.DisallowNewTimeProposal in tags)
    assert (version < "16") == (Calendar.Location in tags)
    assert (version >= "16") == (AirSyncBase.Location in tags)


def test_options_names_versions_and_commands(server):
    """MS-ASHTTP R1107, facts 1 and 5: 12.1 to 16.1; without credentials 401 with a challenge."""
    client = server.client()
    answer = client.options("/Microsoft-Server-ActiveSync")
    assert (200, "12.1,14.0,14.1,16.0,16.1") == (answer.status_code, answer.headers["MS-ASProtocolVersions"])
    assert {"Sync", "FolderSync", "Ping", "Provision", "Find"} <= set(answer.headers["MS-ASProtocolCommands"].split(","))
    refused = server.client(None).options("/Microsoft-Server-ActiveSync")
    assert (401, True) == (refused.status_code, refused.headers["WWW-Authenticate"].startswith("Basic"))
