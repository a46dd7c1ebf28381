"""The query and the headers of a request ([MS-ASHTTP] 2.2.1.1)."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activesync_bridge.request import BadQuery, Request, UnknownVersion, parse
from activesync_bridge.versions import Version

HEADERS = {"ms-asprotocolversion": "14.1"}
PLAIN = "Cmd=Sync&User=anna&DeviceId=v140Device&DeviceType=SmartPhone"


def test_the_example_of_the_specification_is_understood():
    """R10 ff.: version, command, locale, device id, no policy key, device type."""
    assert Request(command="Sync", version=Version.V14_0, device_id="v140Device", device_type="SmartPhone") == parse(
        "jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l", {}
    )


def test_a_real_request_of_nine_is_understood():
    """Policy key 0 in four bytes, an Options tag without a bit."""
    assert Request(command="Sync", version=Version.V14_1, device_id="Nine4383AF346860", device_type="Android", policy_key="0") == parse(
        "jQAJBBBOaW5lNDM4M0FGMzQ2ODYwBAAAAAAHQW5kcm9pZAcBAA==", {}
    )


@pytest.mark.parametrize(
    "query",
    [
        PLAIN,
        "DeviceType=SmartPhone&User=anna&DeviceId=v140Device&cmd=sync",  # iOS puts Cmd last, others write it small
        "User=anna&DeviceId=v140Device&DeviceType=SmartPhone&Cmd=SYNC&Unknown=1",
    ],
)
def test_a_plain_query_may_have_any_order_and_case(query):
    """Clients differ in both."""
    request = parse(query, HEADERS)
    assert ("Sync", "v140Device", "SmartPhone", "anna", Version.V14_1) == (
        request.command,
        request.device_id,
        request.device_type,
        request.user,
        request.version,
    )


@pytest.mark.parametrize(
    ("said", "meant"), [("14", Version.V14_0), ("12.0", Version.V12_1), ("16.1", Version.V16_1), (" 14.1 ", Version.V14_1)]
)
def test_a_version_may_be_said_loosely(said, meant):
    """Windows 10 Mail was seen saying 14."""
    assert meant == parse(PLAIN, {"ms-asprotocolversion": said}).version


@pytest.mark.parametrize("said", ["2.5", "", "17.0", "x" * 1000])
def test_a_version_that_is_not_spoken_is_named(said):
    """The answer lists those that are."""
    with pytest.raises(UnknownVersion, match=r"12\.1, 14\.0, 14\.1, 16\.0, 16\.1"):
        parse(PLAIN, {"ms-asprotocolversion": said})


def test_the_tags_of_a_base64_query_are_read():
    """Collection id (1), item id (3), options (7) with AcceptMultiPart, user (8)."""
    blob = (
        bytes([161, 19, 7, 4])
        + b"\x04dev1"
        + b"\x04\x01\x02\x00\x00"
        + b"\x05phone"
        + b"\x01\x08contacts"
        + b"\x03\x02r1"
        + b"\x07\x01\x02"
        + b"\x08\x04anna"
    )
    request = parse(b64encode(blob).decode().rstrip("="), {"ms-asprotocolversion": "12.1"})
    assert ("ItemOperations", Version.V16_1, "513", "contacts", "r1", True, "anna") == (
        request.command,
        request.version,  # the header is not used with a base64 query
        request.policy_key,
        request.collection_id,
        request.item_id,
        request.accept_multipart,
        request.user,
    )


def test_a_device_id_of_raw_bytes_gets_a_name():
    """Hexadecimal, so that it can stand in a log."""
    blob = bytes([140, 0, 9, 4]) + b"\x02\xff\x00" + b"\x00" + b"\x01x"
    assert "ff00" == parse(b64encode(blob).decode(), {}).device_id


@pytest.mark.parametrize(
    "query",
    [
        "",
        "Cmd=Sync&User=anna&DeviceType=x",
        "Cmd=Sync&DeviceId=a,b&DeviceType=x",
        "Cmd=Sync&DeviceId=" + "a" * 65,
        "!!!",
        "jAAJ",
        "x" * 5000,
        "Cmd=Sync&" * 60,
    ],
)
def test_a_query_that_cannot_be_understood_is_refused(query):
    """R102: no commas or special characters in a device id; bounded; base64 that ends early."""
    with pytest.raises(BadQuery):
        parse(query, HEADERS)


@given(st.binary(max_size=300))
def test_no_base64_query_breaks_the_reader(blob):
    """Anything is a request or a BadQuery."""
    try:
        parse(b64encode(blob).decode(), HEADERS)
    except BadQuery:
        return


@given(st.text(max_size=300))
def test_no_plain_query_breaks_the_reader(text):
    """Anything is a request or a BadQuery."""
    try:
        parse("Cmd=" + text, HEADERS)
    except BadQuery:
        return
