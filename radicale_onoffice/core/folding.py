"""Texts and numbers in the form in which they are searched: whatever the case, accents and notation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import phonenumbers

GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
NUMBER = re.compile(r"[+0-9][0-9 ()/.\-]*")
MIN_DIGITS = 3  # of a number that is searched for


def folded(text: str) -> str:
    """Lower case without accents, blanks made one."""
    text = " ".join(text.casefold().split())
    if text.isascii():
        return text
    return "".join(character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character))


def spellings(texts: Iterable[str]) -> Iterable[str]:
    """Each text folded, and the German spelling of its umlauts beside it."""
    for text in filter(None, texts):
        yield folded(text)
        if not text.isascii():
            yield folded(text.casefold().translate(GERMAN))


def number_key(number: str) -> str:
    """A number's digits, with a plus in front if it names a country."""
    plain = number.strip().removeprefix("tel:")
    is_world = plain.startswith(("+", "00"))
    digits = "".join(filter(str.isdecimal, plain.replace("(0)", "", 1) if is_world else plain))
    return f"+{digits.removeprefix('00')}" if is_world else digits


def needles(text: str, region: str) -> Sequence[str]:
    """What to look for in keys that each stand behind a line feed: the beginning of a key or of a word in it, and of a number.

    A number is looked for with and without the region's country code, because nobody knows how it was written down. Pure.
    """
    word = folded(text)
    if not word:
        return ()
    found = [f"\n{word}", f" {word}"]
    key = number_key(text)
    if NUMBER.fullmatch(text.strip()) and len(key.removeprefix("+")) >= MIN_DIGITS:
        country = f"+{phonenumbers.country_code_for_region(region)}"
        found.append(f"\n{key}")
        if key.startswith(country):
            found.append(f"\n0{key.removeprefix(country)}")
        elif key.startswith("0"):
            found.append(f"\n{country}{key[1:]}")
    return found
