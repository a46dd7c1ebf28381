"""The code pages, tag by tag, against Microsoft's statements, Microsoft's schemas, and libwbxml's table ([MS-ASWBXML] 2.1.2.1)."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree  # of files and programs that are here already
from pathlib import Path

import pytest

from activesync_bridge.wbxml.codepages import NAMES, NAMESPACES, AirSync, AirSyncBase, Contacts
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.writer import encode, encode_children
from tests.wbxml import generate_codepages
from tests.wbxml.libwbxml import RENAMED, YOUNG, decoded

MICROSOFT = Path(__file__).parent.parent.parent.parent / "shared" / "ms-eas"
EXCHANGE = sorted(set(NAMESPACES) - set(generate_codepages.EXTRA_PAGES))

# Tags of protocol version 2.5 that Microsoft's statements have dropped; 12.1 and later say it with AirSyncBase
RETIRED = {
    0: {"Version", "Truncation", "RTFTruncation", "NotifyGUID"},
    1: {"Body", "BodySize", "BodyTruncated", "CompressedRTF"},
    2: {"Attachment", "Attachments", "AttName", "AttSize", "AttOId", "AttMethod", "AttRemoved", "Body", "BodySize", "BodyTruncated"}
    | {"DisplayName", "MIMEData", "MIMETruncated", "MIMESize"},
    4: {"Body", "BodyTruncated", "Compressed_RTF"},
    6: {"Version", "DateTime"},
    7: {"Response", "ContentClass", "Version"},
    8: {"Version"},
    9: {"Body", "BodySize", "BodyTruncated", "CompressedRTF"},
    13: {"AutdState"},
    14: {"DocumentBrowseEnabled"},
    15: {"Schema", "Supported"},
}
# Microsoft's schemas name these, and its code pages have no token for them: retired, or misspelt in a group of 2.5
WITHOUT_TOKEN = {
    "AirSync": {"Truncation"},
    "Calendar": {"Body", "BodyTruncated"},
    "Contacts": {"Body", "BodySize", "BodyTruncated", "Webpage", "AssistnamePhoneNumber"}
    | {f"{which}TelephoneNumber" for which in ("Home", "Home2", "Mobile", "Car", "Assistant", "Business", "Business2", "Radio")},
    "Email": {"Attachment", "Attachments", "AttMethod", "AttName", "AttSize", "Body", "BodySize", "BodyTruncated", "DisplayName"}
    | {"MIMEData", "MIMESize", "MIMETruncated"},
    "Tasks": {"Body", "BodySize", "BodyTruncated"},
    "ComposeMail": {"ForwardeeName", "ForwardeeEmail"},
}


@pytest.fixture(scope="module")
def statements() -> str:
    """Microsoft's requirement statements of MS-ASWBXML."""
    path = MICROSOFT / "requirements" / "MS-ASWBXML.txt"
    if not path.exists():
        pytest.skip("Microsoft's statements are not beside the project")
    return path.read_text("utf-8")


def test_codepages_py_is_what_the_generator_makes(statements):
    """R10 to R3400 (pages) and R36 to R721 (tags): no token was typed by hand, and the file needs no formatting."""
    assert generate_codepages.source(statements) == generate_codepages.TARGET.read_text("utf-8")


def test_every_statement_with_a_tag_gives_one(statements):
    """586 statements, 586 tags: footnotes, missing blanks and R74's slip lose none."""
    found = generate_codepages.parsed(statements)[1]
    assert 586 == statements.count("[Tag name]") == sum(map(len, found.values())) == sum(tag >> 8 in EXCHANGE for tag in NAMES)
    assert found[1]["AssistantName"] == 0x06  # R74 has "[Token] Anniversary 0x06"
    assert (0x21, 0x34, 0x17, 0x09) == (found[2]["Location"], found[2]["GlobalObjId"], found[4]["Location"], found[6]["Class"])


def test_there_are_26_pages_and_tokens_are_tokens():
    """R10 to R3400; a tag's token has six bits and stands above the global tokens."""
    assert list(range(26)) == EXCHANGE
    assert all(0x05 <= tag & 0xFF < 0x40 for tag in NAMES)


@pytest.mark.parametrize("path", sorted((MICROSOFT / "xsd").glob("*.xsd")) or [None], ids=lambda path: path.name if path else "none")
def test_every_element_of_microsofts_schemas_has_a_token(path):
    """R8: what a schema lets us send can be sent; the exceptions are named with their reason."""
    if path is None:
        pytest.skip("Microsoft's schemas are not beside the project")
    schema = ElementTree.parse(path).getroot()  # noqa: S314 (a file of Microsoft's)
    namespace = schema.get("targetNamespace", "")
    if namespace.startswith("http"):
        return  # Autodiscover is XML
    page = next(page for page in NAMESPACES.values() if page.__name__.lower() == namespace.lower())
    names = {element.get("name") for element in schema.iter("{http://www.w3.org/2001/XMLSchema}element")} - {None}
    assert set() == names - set(vars(page)) - WITHOUT_TOKEN.get(page.__name__, set())


@pytest.mark.parametrize("number", EXCHANGE)
def test_libwbxml_has_the_same_names(number):
    """Fact 30: as a decoder. Token by token, all 59 of a page. Page 25 (Find) is unknown to Debian's libwbxml: only the balance of its tags is judged there."""
    tokens = range(0x05, 0x40)
    root = decoded(encode(Element(AirSync.Sync, tuple(Element(number << 8 | token) for token in tokens))))
    theirs = [element.tag.rpartition("}")[2] for element in root]
    ours = [NAMES.get(number << 8 | token, "unknown") for token in tokens]
    assert len(ours) == len(theirs)
    wrong = []
    for token, our, their in zip(tokens, ours, theirs, strict=True):
        renamed = RENAMED.get(number, {}).get(our, our)
        young = their == "unknown" and (number == 25 or our in YOUNG.get(number, ()))
        retired = our == "unknown" and (number == 3 or their in RETIRED.get(number, ()))
        if their not in (our, renamed) and not young and not retired:
            wrong.append((hex(token), our, their))
    assert [] == wrong


def test_libwbxml_reads_texts_bytes_and_pasted_pieces():
    """Strings, the END balance and the pages behind a piece, judged by a decoder that is not ours."""
    item = encode_children([Element(Contacts.FirstName, "Ännchen"), Element(AirSyncBase.Body, (Element(AirSyncBase.Type, "1"),))])
    adds = [Element(AirSync.Add, (Element(AirSync.ServerId, str(n)), Element(AirSync.ApplicationData, item))) for n in (1, 2)]
    root = decoded(encode(Element(AirSync.Sync, (Element(AirSync.Commands, tuple(adds)), Element(AirSync.Limit, "7")))))
    assert ["{AirSync:}Commands", "{AirSync:}Limit"] == [element.tag for element in root]
    assert ["1", "2"] == [element.text for element in root.iter("{AirSync:}ServerId")]
    assert ["Ännchen"] * 2 == [element.text for element in root.iter("{Contacts:}FirstName")]
    assert ["1"] * 2 == [element.text for element in root.iter("{AirSyncBase:}Type")]
