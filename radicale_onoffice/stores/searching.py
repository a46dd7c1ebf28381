"""Texts that contain a text, whatever the case: as a regular expression, which both engines take alike.

SQLite's ``lower`` knows ASCII only, and PostgreSQL's as much as the database's locale does ("C" is ASCII only, too). A pattern that names each
character's other cases needs neither. What it finds is what ``str.casefold`` makes equal ("ß" and "SS"), and "İ" counts as an "i".
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Mapping

DOT = "\u0307"  # what folding "İ" leaves behind the "i"
END = 0x20000  # no script beyond has cases (Unicode 16, CaseFolding.txt)
LONGEST = 3  # characters that one character is folded to


@functools.cache
def _origins() -> Mapping[str, str]:
    """By one to three folded characters, the single ones that are folded to them, less those that fold to themselves."""
    found: defaultdict[str, str] = defaultdict(str)
    for character in map(chr, range(END)):
        folded = _folded(character)
        if folded != character:
            found[folded] += character
    return found


def _folded(text: str) -> str:
    return text.casefold().replace(f"i{DOT}", "i")


@functools.lru_cache(maxsize=256)
def pattern(text: str) -> str:
    """A regular expression (both POSIX ARE and Python's) that is found in what contains the text."""
    folded, at, parts = _folded(text), 0, []
    while at < len(folded):
        length = next(
            size for size in range(LONGEST, 0, -1) if size == 1 or (folded[at : at + size] in _origins() and at + size <= len(folded))
        )
        parts.append(_any_of(folded[at : at + length]))
        at += length
    return "".join(parts)


def _any_of(folded: str) -> str:
    """What matches these folded characters, or a single one that is folded to them."""
    if len(folded) == 1:
        cases = _origins().get(folded, "")
        return (f"[{folded}{cases}]" if cases else re.escape(folded)) + (f"{DOT}?" if folded == "i" else "")
    return f"(?:{''.join(map(_any_of, folded))}|[{_origins()[folded]}])"
