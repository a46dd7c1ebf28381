"""Bodies: what is sent of a text, and what a client's returning it means ([MS-ASAIRS])."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activesync_bridge.items.body import elements_of, merged, plain
from activesync_bridge.items.patching import holds
from activesync_bridge.wbxml.codepages import AirSyncBase
from activesync_bridge.wbxml.element import Element
from tests.items.building import FLAVOUR, body, data, flavour

TEXT = "Erster Satz über Änderungen.\nZweiter Satz.\nDritter Satz mit mehr Wörtern, den ein Telefon nicht bekam."


def sent_of(text, taste):
    (element,) = elements_of(text, taste)
    return element


def names(element):
    return [child.name for child in element.children]


def test_r112_the_children_stand_in_order():
    """Type, EstimatedDataSize, Truncated, Data; no Truncated 0, which Windows Phone 8 cannot read; no Preview (R1001036)."""
    assert ["Type", "EstimatedDataSize", "Data"] == names(sent_of(TEXT, FLAVOUR))
    assert ["Type", "EstimatedDataSize", "Truncated", "Data"] == names(sent_of(TEXT, flavour(40)))


def test_the_size_is_in_bytes_and_lines_end_in_crlf():
    """R196: of the whole, also where less is sent (R202)."""
    whole = TEXT.replace("\n", "\r\n")
    for taste in (FLAVOUR, flavour(40)):
        assert str(len(whole.encode())) == sent_of(TEXT, taste).text_of(AirSyncBase.EstimatedDataSize)
    assert whole == sent_of(TEXT, FLAVOUR).text_of(AirSyncBase.Data)


def test_an_empty_text_says_that_it_is_empty():
    """A client keeps what is left out."""
    assert ["Type", "EstimatedDataSize", "Data"] == names(sent_of("", FLAVOUR))
    assert "0" == sent_of("", FLAVOUR).text_of(AirSyncBase.EstimatedDataSize)


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40), st.integers(0, 60))
def test_a_cut_is_at_bytes_on_a_characters_boundary(text, size):
    """R288: never more than asked for, never half a character."""
    data = sent_of(text, flavour(size)).text_of(AirSyncBase.Data)
    assert text.startswith(data)
    assert len(data.encode()) <= max(size, 0) or data == text
    if data != text and len(text.encode()) > size:
        assert len((data + text[len(data)]).encode()) > size


def test_r376_all_or_none_gives_nothing_of_what_is_too_long():
    """With its size, and marked; R75: without a TruncationSize it means nothing."""
    assert ["Type", "EstimatedDataSize", "Truncated"] == names(sent_of(TEXT, flavour(40, all_or_none=True)))
    assert ["Type", "EstimatedDataSize", "Data"] == names(sent_of(TEXT, flavour(4000, all_or_none=True)))
    assert ["Type", "EstimatedDataSize", "Data"] == names(sent_of(TEXT, flavour(None, all_or_none=True)))


def test_plain_text_is_sent_for_html():
    """Nearest to native, cut at what was asked for HTML."""
    element = sent_of(TEXT, flavour(30, kind=2))
    assert "1" == element.text_of(AirSyncBase.Type)
    assert len(element.text_of(AirSyncBase.Data).encode()) <= 30


@pytest.mark.parametrize("size", [0, 1, 10, 29, 30, 31, 44, 45, 46, 47, 60])
def test_r461_a_truncated_text_that_comes_back_changes_nothing(size):
    """MS-ASCNTC R461; the class of errors called "notes cut off": as it was sent, with a new line at the end, or marked as truncated."""
    taste = flavour(size)
    element = sent_of(TEXT, taste)
    assert TEXT == merged(TEXT, element, taste)
    data = element.text_of(AirSyncBase.Data)
    if data:
        assert TEXT == merged(TEXT, body(data), taste)
        assert TEXT == merged(TEXT, body(data.replace("\r\n", "\n") + "\r\n"), taste)
    assert TEXT == merged(TEXT, body("Erster Satz", "1", (AirSyncBase.Truncated, "1")), FLAVOUR)
    assert TEXT == merged(TEXT, body(None, "1", (AirSyncBase.EstimatedDataSize, "99")), taste)
    assert TEXT == merged(TEXT, body(None, "1", (AirSyncBase.Truncated, "1")), taste)


def test_an_edit_of_the_part_that_a_client_had_keeps_the_rest():
    """It never had the third sentence, so it cannot have deleted it."""
    taste = flavour(46)
    had = sent_of(TEXT, taste).text_of(AirSyncBase.Data)
    new = merged(TEXT, body(had.replace("Erster", "Neuer")), taste)
    assert TEXT.replace("Erster", "Neuer") == new


def test_an_edit_of_the_whole_text_is_taken_as_it_is():
    """Fetched in full by ItemOperations, and shorter than before."""
    taste = flavour(46)
    whole = TEXT.replace("Erster", "Neuer").replace("Wörtern, den ein Telefon nicht bekam", "Worten")
    assert whole == merged(TEXT, body(whole), taste)


def test_a_client_that_had_everything_may_shorten_and_delete():
    """A prefix is a change then, and empty data is a deletion."""
    assert "Erster Satz" == merged(TEXT, body("Erster Satz"), FLAVOUR)
    assert "" == merged(TEXT, body(""), FLAVOUR)
    assert "" == merged(TEXT, body(None, "1"), FLAVOUR)


def test_html_becomes_plain_text():
    """Blocks, breaks, lists, entities; no scripts, no styles."""
    html = (
        "<html><head><title>t</title><style>p {color: red}</style></head><body><p>Hallo&nbsp;<b>Eva</b>,\n wie&#33;</p>"
        "<p>x &lt; y</p><ul><li>eins<li>zwei</ul><div>Ende<br>Zeile</div><script>alert(1)</script></body></html>"
    )
    assert "Hallo Eva, wie!\n\nx < y\n\n- eins\n- zwei\nEnde\nZeile" == plain(html)
    assert "a  b\n c" == plain("<pre>a  b\n c</pre>")


def test_html_that_says_what_is_stored_is_no_change():
    """Whatever its line ends."""
    assert TEXT == merged(TEXT, body("<html><body>" + TEXT.replace("\n", "<br>") + "</body></html>", "2"), FLAVOUR)
    assert "Neu" == merged(TEXT, body("<p>Neu</p>", "2"), FLAVOUR)


@pytest.mark.parametrize("kind", ["3", "4", "9"])
def test_rtf_and_mime_change_nothing(kind):
    """Neither could be shown in the CRM."""
    assert TEXT == merged(TEXT, body("e1xydGYxfQ==", kind), FLAVOUR)


def test_a_body_that_is_no_container_changes_nothing():
    """A string where a container belongs (R127 of [MS-ASCNTC])."""
    assert TEXT == merged(TEXT, Element(AirSyncBase.Body, "x"), FLAVOUR)
    assert not holds(data(Element(AirSyncBase.Body, "x")), (sent_of(TEXT, FLAVOUR),))


@given(st.text(max_size=200))
def test_any_html_is_read(html):
    """Broken mark-up never raises."""
    assert isinstance(plain(html), str)


@given(st.text(max_size=60), st.text(max_size=60), st.integers(0, 80))
def test_what_was_never_sent_is_never_lost(stored, edit, size):
    """Whatever a client makes of the part that it had, unless it deletes all."""
    stored = stored.replace("\r", "").strip()
    taste = flavour(size)
    element = sent_of(stored, taste)
    shown = element.text_of(AirSyncBase.Data).replace("\r\n", "\n")
    tail = stored[len(shown) :] if element.first(AirSyncBase.Truncated) else ""
    new = merged(stored, body(edit), taste)
    if tail and edit.strip() and tail[:16].strip() not in edit.replace("\r\n", "\n").replace("\r", "\n"):
        assert new.endswith(tail.strip())
