"""Break WBXML bodies at random and see that the reader holds: ``python -m tests.wbxml.fuzz --count 100000 --seed 1``.

A body is read as an element within the limits, or refused with WbxmlError at an offset that it has. Anything else ends the run with the
body in hex.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
from collections import Counter
from collections.abc import Iterator

from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase, Contacts
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.reader import Limits, TooLarge, WbxmlError, decode
from activesync_bridge.wbxml.writer import encode
from tests.wbxml.test_codec import CASES, HEADER, LENIENT, REFUSED, SAMSUNG

LIMITS = Limits(size=1 << 16, depth=16, elements=500, string=1 << 12)
GLOBAL = (0x00, 0x01, 0x02, 0x03, 0x04, 0x43, 0x80, 0x83, 0xC0, 0xC3, 0xFF, 0x45, 0x05)  # bytes that mean something
CONTACT = (
    Element(Contacts.FileAs, "Lee, Ann"),
    Element(Contacts.Email1Address, "ann@example.org"),
    Element(Contacts.Picture, "aGFsbG8=" * 20),
)
NOTE = Element(AirSyncBase.Body, (Element(AirSyncBase.Type, "1"), Element(AirSyncBase.Data, "zwei\r\nZeilen, größer")))
CHANGES = tuple(
    Element(AirSync.Add, (Element(AirSync.ClientId, str(n)), Element(AirSync.ApplicationData, (*CONTACT, NOTE)))) for n in range(5)
)
COLLECTION = (Element(AirSync.SyncKey, "{7}3"), Element(AirSync.CollectionId, "contacts"), Element(AirSync.Commands, CHANGES))
SYNC = Element(AirSync.Sync, (Element(AirSync.Collections, (Element(AirSync.Collection, COLLECTION),)), Element(AirSync.WindowSize, "100")))
VALID = [
    *(HEADER + body for body, _ in CASES.values()),
    *(body for body, _ in LENIENT.values()),
    *[SAMSUNG, encode(SYNC)] * 10,
    encode(Element(AirSync.Sync, tuple(Element(number << 8 | 0x05 + number, "text") for number in range(26)))),
]
SEEDS = [*VALID, *(body for body, _, _ in REFUSED.values())]


def mutated(chance: random.Random) -> bytes:
    """A body, mostly a valid one, changed in one place, sometimes in up to eight."""
    body = bytearray(chance.choice(VALID if chance.random() < 0.8 else SEEDS))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randint(0, len(body))
        match chance.randrange(7):
            case 0 | 1:
                body[at : at + 1] = bytes([chance.randrange(256)])
            case 2:
                body[at:at] = bytes([chance.choice(GLOBAL)])
            case 3:
                del body[at : at + chance.randint(1, 8)]
            case 4:
                body[at:at] = body[chance.randint(0, at) : at][:1000] * chance.choice((1, 2, 40))
            case 5:
                other = chance.choice(SEEDS)
                body[at:] = other[chance.randint(0, len(other)) :]
            case 6:
                body[at:at] = chance.randbytes(chance.randint(1, 16))
    return bytes(body)


def elements(root: Element, depth: int = 1) -> Iterator[tuple[Element, int]]:
    """Every element with its depth."""
    yield root, depth
    for child in root.children:
        yield from elements(child, depth + 1)


def verdict(body: bytes, limits: Limits = LIMITS) -> str:
    """What became of the body. Raises AssertionError when the reader broke its word."""
    try:
        root = decode(body, limits)
    except WbxmlError as error:
        refusal = error
    else:
        return _read(root, limits)
    assert 0 <= refusal.offset <= len(body), f"offset {refusal.offset}"
    return "too large" if isinstance(refusal, TooLarge) else "refused"


def _read(root: Element, limits: Limits) -> str:
    found = list(elements(root))
    assert len(found) <= limits.elements, f"{len(found)} elements"
    assert max(depth for _, depth in found) <= limits.depth + 1, "depth"  # the innermost one may be a leaf
    assert all(len(one.content) <= limits.string for one, _ in found if isinstance(one.content, str | bytes)), "string"
    assert root == decode(encode(root)), "another tree when written and read again"  # a broken byte has become three
    return "read"


def run(count: int, seed: int) -> Counter[str]:
    """Verdicts on that many bodies."""
    chance = random.Random(seed)  # noqa: S311 (no secret)
    seen: Counter[str] = Counter()
    for _ in range(count):
        body = mutated(chance)
        try:
            seen[verdict(body)] += 1
        except Exception as error:
            error.add_note(f"body: {body.hex(' ')}")
            raise
    return seen


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Break WBXML bodies at random and see that the reader holds.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    seen = run(options.count, options.seed)
    sys.stdout.write(f"{options.count} bodies: {dict(seen)}, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB at most\n")


if __name__ == "__main__":
    main()
