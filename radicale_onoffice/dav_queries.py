"""A cheap first look at an addressbook-query (RFC 6352 10.5), so that the host need not parse every card.

Radicale decides; this only leaves out cards that cannot match, by looking for the words of the text-matches in the stored text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from xml.etree.ElementTree import Element

NAMESPACE = "{urn:ietf:params:xml:ns:carddav}"


def card_prefilter(filters: Iterable[Element]) -> Callable[[str], bool]:
    """True for each card text that may match; always True where the words alone cannot tell."""
    checks = [_filter_check(one) for one in filters]
    return lambda text: all(check(_searchable(text)) for check in checks)


def _searchable(text: str) -> str:
    return text.replace("\r\n ", "").replace("\r\n\t", "").casefold()


def _filter_check(one: Element) -> Callable[[str], bool]:
    words = [_words(prop) for prop in one if prop.tag == f"{NAMESPACE}prop-filter"]
    if not words or any(word is None for word in words):
        return lambda _text: True
    combine = all if one.get("test") == "allof" else any
    return lambda text: combine(any(word in text for word in group) for group in words if group is not None)


def _words(prop: Element) -> list[str] | None:
    """Words of which one must occur for the prop-filter to match; None if there is no such list."""
    matches = prop.findall(f"{NAMESPACE}text-match")
    if len(matches) != len(list(prop)) or not matches:
        return None
    words = [(match.text or "").casefold() for match in matches]
    plain = all(word.isascii() and word.isprintable() and not set(word) & set(',;:\\"') for word in words)
    negated = any(match.get("negate-condition") == "yes" for match in matches)
    return None if negated or not plain else words
