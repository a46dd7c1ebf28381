"""What holds for any tree and for any bytes (hypothesis, and a short run of the fuzzer)."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as some

from activesync_bridge.wbxml.codepages import NAMES, AirSync
from activesync_bridge.wbxml.element import Element, legal
from activesync_bridge.wbxml.reader import Limits, decode, mb_u_int32
from activesync_bridge.wbxml.writer import encode, encode_children
from activesync_bridge.wbxml.writer import mb_u_int32 as written
from tests.wbxml import fuzz
from tests.wbxml.test_codec import HEADER

TAGS = some.sampled_from([*NAMES, 0x013F, 0x003E])  # two that no page names
DIRTY = some.text(some.characters(), max_size=20)  # with control characters and lone surrogates
CLEAN = DIRTY.map(legal).map(lambda text: text or ())
LEAVES = some.builds(Element, TAGS, CLEAN | some.binary(min_size=1, max_size=200) | some.just(()))
TREES = some.recursive(LEAVES, lambda inner: some.builds(Element, TAGS, some.lists(inner, max_size=6).map(tuple)), max_leaves=40)


@given(TREES)
def test_what_is_written_is_read(tree):
    """Every tree comes back as it was."""
    assert tree == decode(encode(tree))


@given(some.lists(TREES, max_size=4), some.lists(TREES, max_size=4))
def test_pieces_are_pasted_as_if_they_were_written_in_place(first, second):
    """An encoding can be kept and used in any document."""
    plain = Element(AirSync.Sync, (Element(AirSync.Add, tuple(first)), *second, Element(AirSync.Add, tuple(second)), *first))
    pasted = Element(
        AirSync.Sync, (Element(AirSync.Add, encode_children(first)), *second, Element(AirSync.Add, encode_children(second)), *first)
    )
    assert plain == decode(encode(pasted))


@given(TREES)
def test_a_page_is_switched_only_when_it_has_to_be(tree):
    """As many SWITCH_PAGEs as tags stand on another page than the one before."""
    pages = [0, *(element.tag >> 8 for element, _ in fuzz.elements(tree))]
    switches = sum(one != other for one, other in pairwise(pages))
    assert len(HEADER) + 2 * switches + sum(size(element) for element, _ in fuzz.elements(tree)) == len(encode(tree))


def size(element: Element) -> int:
    """Bytes of an element without its children: tag, END, and what stands between."""
    match element.content:
        case str() as text if text:
            return 4 + len(text.encode())
        case bytes() as raw if raw:
            return 3 + len(written(len(raw))) + len(raw)
        case content:
            return 2 if content else 1


@given(DIRTY)
def test_no_string_gets_out_of_its_string(text):
    """Whatever a name contains, the neighbour stays what it is, and what is left of the name is what XML can hold."""
    tree = Element(AirSync.Sync, (Element(AirSync.ClientId, text), Element(AirSync.SyncKey, "1")))
    assert (legal(text), "1") == tuple(child.text for child in decode(encode(tree)).children)


@given(some.integers(0, 0xFFFFFFFF))
def test_numbers(number):
    """mb_u_int32 there and back, all of 32 bits."""
    assert (number, len(written(number))) == mb_u_int32(written(number), 0)


@settings(max_examples=300)
@given(some.binary(max_size=300), some.booleans())
def test_any_bytes_are_read_or_refused(raw, with_header):
    """Nothing but WbxmlError comes out, and the limits hold."""
    assert fuzz.verdict(HEADER + raw if with_header else raw) in ("read", "refused", "too large")


@given(TREES, some.data())
def test_a_byte_more_or_less_is_read_or_refused(tree, data):
    """A valid body with one byte changed, dropped or put in."""
    body = bytearray(encode(tree))
    at = data.draw(some.integers(0, len(body) - 1))
    body[at : at + data.draw(some.integers(0, 1))] = data.draw(some.binary(max_size=1))
    assert fuzz.verdict(bytes(body), Limits()) in ("read", "refused")


def test_fuzzing():
    """Two thousand broken bodies of 100,000 (``python -m tests.wbxml.fuzz``); the seed is fixed, so it says the same every time."""
    seen = fuzz.run(2_000, seed=34)
    assert {"read", "refused", "too large"} == set(seen)
