"""WBXML as literal bytes with their meaning beside them: what is written, what else is read, and what is refused where."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest

from activesync_bridge.wbxml.codepages import (
    AirSync,
    AirSyncBase,
    Calendar,
    ComposeMail,
    Contacts,
    Find,
    FolderHierarchy,
    Ping,
    WindowsLive,
)
from activesync_bridge.wbxml.element import Element, Encoded
from activesync_bridge.wbxml.reader import Limits, TooLarge, WbxmlError, decode
from activesync_bridge.wbxml.writer import encode, encode_children

HEADER = b"\x03\x01\x6a\x00"  # version 1.3, public identifier unknown, UTF-8, no string table

# What stands behind the header, and what it means; each is read and written.
CASES = {
    "an empty tag": (b"\x05", Element(AirSync.Sync)),
    "text: STR_I ... NUL, END": (b"\x4b\x030\x00\x01", Element(AirSync.SyncKey, "0")),
    "text is UTF-8": (b"\x4b\x03\xc3\xbc \xf0\x9f\x98\x80\x00\x01", Element(AirSync.SyncKey, "ü 😀")),
    "line ends and tabs stay": (b"\x4b\x03a\r\n\tb\x00\x01", Element(AirSync.SyncKey, "a\r\n\tb")),
    "another page: SWITCH_PAGE 7": (
        b"\x00\x07\x56\x52\x030\x00\x01\x01",
        Element(FolderHierarchy.FolderSync, (Element(FolderHierarchy.SyncKey, "0"),)),
    ),
    "a page stays until it is switched": (
        b"\x5d"  # ApplicationData
        b"\x00\x01\x5f\x03Ann\x00\x01"  # page 1: FirstName
        b"\x69\x03Lee\x00\x01"  # LastName
        b"\x00\x11\x4a\x46\x031\x00\x01\x01"  # page 17: Body, Type
        b"\x00\x01\x05"  # page 1: Anniversary, empty
        b"\x01",
        Element(
            AirSync.ApplicationData,
            (
                Element(Contacts.FirstName, "Ann"),
                Element(Contacts.LastName, "Lee"),
                Element(AirSyncBase.Body, (Element(AirSyncBase.Type, "1"),)),
                Element(Contacts.Anniversary),
            ),
        ),
    ),
    "bytes: OPAQUE, length": (b"\x00\x15\x50\xc3\x03\x00\x01\xff\x01", Element(ComposeMail.Mime, b"\x00\x01\xff")),
    "a length of two bytes": (b"\x00\x15\x50\xc3\x81\x00" + b"x" * 128 + b"\x01", Element(ComposeMail.Mime, b"x" * 128)),
    "page 25, with a gap before MaxPictures": (
        b"\x00\x19\x4c\x60\x033\x00\x01\x01",
        Element(Find.Options, (Element(Find.MaxPictures, "3"),)),
    ),
    "a tag that its page does not name": (b"\x5d\x00\x01\x7f\x03x\x00\x01\x01", Element(AirSync.ApplicationData, (Element(0x013F, "x"),))),
    "Windows Live's page": (b"\x5d\x00\xfe\x05\x01", Element(AirSync.ApplicationData, (Element(WindowsLive.Annotations),))),
}


@pytest.mark.parametrize(("body", "element"), CASES.values(), ids=CASES)
def test_written_and_read(body, element):
    """MS-ASWBXML R655: tags, code pages, inline strings and opaque data; MS-ASDTYPE R98: byte arrays are opaque data."""
    assert HEADER + body == encode(element)
    assert element == decode(HEADER + body)


@pytest.mark.parametrize(("body", "element"), CASES.values(), ids=CASES)
def test_each_cut_is_noticed(body, element):
    """A body that lost its end, and one that got bytes behind it, is no document; the offset lies in it."""
    whole = HEADER + body
    for length in range(len(whole)):
        with pytest.raises(WbxmlError) as raised:
            decode(whole[:length])
        assert 0 <= raised.value.offset <= length
    with pytest.raises(WbxmlError) as raised:
        decode(whole + b"\x01")
    assert len(whole) == raised.value.offset


WITH_TABLE = b"\x03\x00\x00\x6a\x21-//MICROSOFT//DTD ActiveSync//EN\x00"  # what libwbxml writes
# Read, but never written: bytes with the header, and what they mean
LENIENT = {
    "libwbxml's public identifier": (WITH_TABLE + b"\x05", Element(AirSync.Sync)),
    "a known public identifier": (b"\x03\x04\x6a\x00\x05", Element(AirSync.Sync)),
    "version 1.1": (b"\x01\x01\x6a\x00\x05", Element(AirSync.Sync)),
    "STR_T": (WITH_TABLE + b"\x4b\x83\x1e\x01", Element(AirSync.SyncKey, "EN")),
    "ENTITY beside STR_I": (HEADER + b"\x4b\x03a\x00\x02\x81\x6c\x03b\x00\x01", Element(AirSync.SyncKey, "aìb")),
    "an entity that XML cannot hold": (HEADER + b"\x4b\x02\x07\x03b\x00\x01", Element(AirSync.SyncKey, "b")),
    "text beside OPAQUE": (HEADER + b"\x4b\x03a\x00\xc3\x01b\x01", Element(AirSync.SyncKey, b"ab")),
    "white space beside elements": (HEADER + b"\x45\x03\n \x00\x0b\x03\n\x00\x01", Element(AirSync.Sync, (Element(AirSync.SyncKey),))),
    "a tag with content that has none": (HEADER + b"\x45\x01", Element(AirSync.Sync)),
    "an empty string": (HEADER + b"\x4b\x03\x00\x01", Element(AirSync.SyncKey)),
    "an empty byte array": (HEADER + b"\x4b\xc3\x00\x01", Element(AirSync.SyncKey)),
    "control characters": (HEADER + b"\x4b\x03a\x07\x0bb\xef\xbf\xbf\x00\x01", Element(AirSync.SyncKey, "ab")),
    "bytes that are no UTF-8": (HEADER + b"\x4b\x03a\xe4b\x00\x01", Element(AirSync.SyncKey, "a\ufffdb")),
    "pages switched more often than needed": (
        HEADER + b"\x00\x00\x00\x00\x45\x00\x01\x00\x00\x0b\x01",
        Element(AirSync.Sync, (Element(AirSync.SyncKey),)),
    ),
}


@pytest.mark.parametrize(("body", "element"), LENIENT.values(), ids=LENIENT)
def test_read_though_never_written(body, element):
    """MS-ASWBXML R656 says that ActiveSync does not use string tables and entities; some clients do."""
    assert element == decode(body)


# The offset of the byte at fault beside each body
REFUSED = {
    "nothing": (b"", 0, "version"),
    "XML": (b"<?xml version", 0, "version"),
    "WBXML 1.0, which has no character set": (b"\x00\x01\x00\x05", 0, "version"),
    "ISO 8859-1": (b"\x03\x01\x04\x00\x05", 2, "character set 4"),
    "a string table that is longer than the body": (b"\x03\x01\x6a\x7f\x05", 3, "string table"),
    "a public identifier outside of the table": (b"\x03\x00\x05\x6a\x01\x00\x05", 1, "public identifier"),
    "a number of 35 bits": (b"\x03\x01\x6a\xff\xff\xff\xff\x7f\x05", 3, "32 bits"),
    "a number of six bytes": (b"\x03\x01\x6a\x80\x80\x80\x80\x80\x00\x05", 3, "32 bits"),
    "text as root": (HEADER + b"\x03a\x00", 4, "root"),
    "END as root": (HEADER + b"\x01", 4, "root"),
    "an unknown page": (HEADER + b"\x45\x00\x48\x05\x01", 6, "code page 72"),
    "LITERAL": (HEADER + b"\x45\x04\x00\x01", 5, "literal"),
    "LITERAL_C": (HEADER + b"\x45\x44\x00\x01\x01", 5, "literal"),
    "a tag with attributes": (HEADER + b"\x45\x85\x01\x01", 5, "attributes"),
    "a tag with attributes and content": (HEADER + b"\x45\xc5\x01\x01\x01", 5, "attributes"),
    "a processing instruction": (HEADER + b"\x45\x43\x05\x01\x01", 5, "processing instruction"),
    "an extension": (HEADER + b"\x45\xc0\x01", 5, "extension"),
    "a string without end": (HEADER + b"\x4b\x03abc", 6, "no end"),
    "a string that the table does not have": (HEADER + b"\x4b\x83\x00\x01", 6, "string table"),
    "an entity beyond Unicode": (HEADER + b"\x4b\x02\xc4\x80\x00\x01", 6, "no character"),
    "OPAQUE that is longer than the body": (HEADER + b"\x4b\xc3\x05ab\x01", 6, "5 bytes are announced, and 3 are left"),
    "text beside elements": (HEADER + b"\x45\x03a\x00\x0b\x01", 9, "text beside elements"),
    "a second root": (HEADER + b"\x05\x05", 5, "1 bytes stand behind the root"),
}


@pytest.mark.parametrize(("body", "offset", "words"), REFUSED.values(), ids=REFUSED)
def test_refused_with_the_offset(body, offset, words):
    """MS-ASWBXML R656: what ActiveSync does not use; and what is no WBXML at all (common status 102)."""
    with pytest.raises(WbxmlError, match=words) as raised:
        decode(body)
    assert offset == raised.value.offset
    assert not isinstance(raised.value, TooLarge)


LIMITS = Limits(size=200, depth=3, elements=10, string=20)
TOO_LARGE = {
    "bytes": HEADER + b"\x45" + b"\x05" * 200 + b"\x01",
    "depth": HEADER + b"\x45" * 4 + b"\x01" * 4,
    "elements": HEADER + b"\x45" + b"\x05" * 10 + b"\x01",
    "elements with text": HEADER + b"\x45" + b"\x4b\x03a\x00\x01" * 10 + b"\x01",
    "changes of the page": HEADER + b"\x45" + b"\x00\x00" * 10 + b"\x01",
    "pieces of text": HEADER + b"\x4b" + b"\x02\x41" * 10 + b"\x01",
    "a string": HEADER + b"\x4b\x03" + b"a" * 21 + b"\x00\x01",
    "a string in pieces": HEADER + b"\x4b\x03" + b"a" * 15 + b"\x00\x03" + b"a" * 15 + b"\x00\x01",
    "OPAQUE": HEADER + b"\x4b\xc3\x15" + b"a" * 21 + b"\x01",
}


@pytest.mark.parametrize("body", TOO_LARGE.values(), ids=TOO_LARGE)
def test_limits(body):
    """Bytes, depth, elements and strings are bounded, and the answer can be a 413; one less is taken."""
    with pytest.raises(TooLarge):
        decode(body, LIMITS)


def test_what_just_fits_is_taken():
    """The limits are inclusive."""
    assert decode(HEADER + b"\x45" * 3 + b"\x01" * 3, LIMITS)
    assert 9 == len(decode(HEADER + b"\x45" + b"\x05" * 9 + b"\x01", LIMITS).children)
    assert "a" * 20 == decode(HEADER + b"\x4b\x03" + b"a" * 20 + b"\x00\x01", LIMITS).text
    assert decode(HEADER + b"\x45" + (b"\x4b\x03" + b"a" * 20 + b"\x00\x01") * 8 + b"\x01", replace(LIMITS, size=198))


MEBI = 1 << 20
HOSTILE = {
    "a million empty tags": HEADER + b"\x45" + b"\x05" * MEBI + b"\x01",
    "a million open tags": HEADER + b"\x45" * MEBI,
    "a string named again and again": b"\x03\x01\x6a\xc0\x80\x00"
    + b"a" * (MEBI - 1)
    + b"\x00"
    + b"\x45"
    + b"\x4b\x83\x00\x01" * 50_000
    + b"\x01",
    "entities": HEADER + b"\x4b" + b"\x02\x84\x80\x00" * 250_000 + b"\x01",
    "open strings": HEADER + b"\x45" + b"\x4b\x03" * MEBI,
    "pages": HEADER + b"\x00\x01" * MEBI,
    "a length of 4 GiB": HEADER + b"\x4b\xc3\x8f\xff\xff\xff\x7f" + b"a" * MEBI,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies_cost_no_memory(body):
    """At most 32 MiB for a body of one or two, whatever it says."""
    tracemalloc.start()
    with pytest.raises(WbxmlError):
        decode(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * MEBI


def test_nul_and_control_characters_never_get_out():
    """An embedded NUL would end the string, and what follows would be read as tokens; a lone surrogate is no UTF-8."""
    assert HEADER + b"\x4b\x03ab\x00\x01" == encode(Element(AirSync.SyncKey, "a\x00\x01\ud800\ufffeb"))
    assert HEADER + b"\x0b" == encode(Element(AirSync.SyncKey, "\x00"))


def test_text_that_came_as_bytes_loses_its_nul():
    """iOS's ClientUid of 33 bytes ends with NUL (MS-ASCAL R2060)."""
    sent = decode(HEADER + b"\x00\x04\x7c\xc3\x03ab\x00\x01")
    assert (Calendar.ClientUid, b"ab\x00", "ab") == (sent.tag, sent.content, sent.text)


def test_nothing_is_an_empty_tag():
    """Empty text, empty bytes, no children and an empty piece are one and the same on the wire."""
    assert {HEADER + b"\x05"} == {encode(Element(AirSync.Sync, nothing)) for nothing in ("", b"", (), Encoded(b""))}


def test_a_piece_is_pasted_where_any_page_is():
    """An item's encoding begins with its own SWITCH_PAGE; behind it the page is switched before the next tag, never before an END."""
    name = encode_children([Element(Contacts.FirstName, "Ann")])
    assert b"\x00\x01\x5f\x03Ann\x00\x01" == name.data
    two = Element(AirSync.Commands, (Element(AirSync.Add, name), Element(AirSync.Add, name), Element(AirSync.Add)))
    assert (
        (
            HEADER + b"\x56"
            b"\x47" + name.data + b"\x01"  # Add
            b"\x00\x00\x47" + name.data + b"\x01"  # page 0, Add
            b"\x00\x00\x07"  # page 0, Add
            b"\x01"
        )
        == encode(two)
    )
    assert Element(Contacts.FirstName, "Ann") == decode(encode(two)).children[1].children[0]
    assert Encoded(b"") == encode_children([])


@pytest.mark.parametrize("tag", [0x0004, 0x0040, 0x0000, -1, 0x10005])
def test_what_is_no_tag_is_not_written(tag):
    """A wrong constant is our fault, and no client is told a global token in place of a tag."""
    with pytest.raises(ValueError, match="is no tag"):
        encode(Element(tag))


SAMSUNG = (
    HEADER + b"\x45\x5c\x4f\x56"  # Sync, Collections, Collection, Commands
    b"\x48\x4d\x031\x00\x01\x5d"  # Change, ServerId 1, ApplicationData
    b"\x00\x01\x69\x03Lee\x00\x01"  # page 1: LastName
    b"\x55\x56\x03\x01\x01\x01\x01\x00\x00"  # Categories, Category, STR_I (its string and NUL are missing), four times END, page 0
    b"\x48\x4d\x032\x00\x01\x5d"  # Change, ServerId 2, ApplicationData
    b"\x00\x01\x55\x56\x03\x01\x56\x03Friends\x00\x01\x01"  # a missing string once more, with a neighbour
    b"\x01\x01" + b"\x01\x01\x01\x01"
)


def test_pain_34_samsungs_missing_category_costs_nothing():
    """``55 56 03 01 01 01 01 00 00 48``: read as it stands, the four ENDs are a string, and Change (0x48) is a code page."""
    first, second = decode(SAMSUNG).children[0].children[0].children[0].children
    data = first.children[1]
    assert ("1", "Lee") == (first.text_of(AirSync.ServerId), data.text_of(Contacts.LastName))
    assert [""] == [one.text for one in data.first(Contacts.Categories).children]
    assert ["", "Friends"] == [one.text for one in second.children[1].first(Contacts.Categories).children]


def test_pain_34_a_string_of_control_characters_is_none_missing():
    """U+0001 that a client means: END behind STR_I is text where it gives no document otherwise."""
    assert Element(AirSync.SyncKey) == decode(HEADER + b"\x4b\x03\x01\x00\x01")
    assert Element(AirSync.Sync, (Element(AirSync.SyncKey, "ab"),)) == decode(HEADER + b"\x45\x4b\x03\x01ab\x00\x01\x01")


def test_pain_34_what_cannot_be_mended_is_refused_as_it_stands():
    """The offset is that of the reading that takes every byte for what it is."""
    with pytest.raises(WbxmlError, match="code page 72") as raised:
        decode(SAMSUNG[:-1])
    assert SAMSUNG.index(b"\x00\x00\x48") + 2 == raised.value.offset


def test_a_ping_as_a_phone_sends_it():
    """A whole request, read by name (MS-ASCMD 2.2.1.13)."""
    ping = decode(HEADER + b"\x00\x0d\x45\x48\x03900\x00\x01\x49\x4a\x4b\x035\x00\x01\x4c\x03Contacts\x00\x01\x01\x01\x01")
    assert "900" == ping.text_of(Ping.HeartbeatInterval)
    assert ["Contacts"] == [folder.text_of(Ping.Class) for folder in ping.first(Ping.Folders).all(Ping.Folder)]
    assert ("Ping", "0x013F") == (ping.name, Element(0x013F).name)
