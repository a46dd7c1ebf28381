"""Points 1, 3, 4 and 13: how numbers are shown, what raises an address's stamp, and in which zone that is."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from radicale_onoffice.core.model import Kind
from radicale_onoffice.crm.onoffice import contacts, fields
from radicale_onoffice.crm.onoffice.live.asking import MANY, ROWS, Look, Seen, Switch, counted, refused, shape, zone_of
from radicale_onoffice.crm.onoffice.protocol import Action, Answer, Refusal, Row, Verb

TYPED = {"glued": r"^(phone|fax|email)(private|business)__\d+$", "underscore": r"^(phone|fax|email)_(private|business)__\d+$"}
WATCHED = 20  # addresses that are remembered, to be compared with the next time


def _read(keys: Sequence[str], **more: Any) -> Action:
    return Action(verb=Verb.READ, resource="address", parameters={"data": list(keys), "listlimit": ROWS, **more})


def _entries(row: Row) -> dict[str, str]:
    """The entries of an address by key, comments and main ones apart."""
    matches = ((key, contacts.ENTRY.match(key), value) for key, value in row.elements.items())
    return {key: fields.text_of(value) for key, match, value in matches if match and not match[1] and not match[5]}


def entries(look: Look) -> Iterator[Seen]:
    """Keys of typed and of default entries, and whether all entries come."""
    asked = "read address: phone, mobile, fax, email; defaultphone, defaultfax, defaultemail"
    question = "How are phone numbers, faxes and e-mails named, and do all of them come?"
    all_of_them, defaults = _read(contacts.CONTACT_KEYS), _read(("defaultphone", "defaultfax", "defaultemail"))
    results = look.ask(all_of_them, defaults)
    for result in results:
        if isinstance(result, Refusal):
            yield refused(1, question, asked, result)
            return
    first, main = (result.rows for result in results if isinstance(result, Answer))
    keys = [key for row in first for key in _entries(row)]
    switches: dict[str, Switch] = {}
    typed = _typed(keys)
    if typed:
        switches["typed_keys"] = typed
    named = [key for row in main for key in row.elements if contacts.ENTRY.match(key)]
    if named:
        prefixed = [key for key in named if key.startswith("default")]
        switches["default_keys"] = "plain" if not prefixed else "prefixed" if any("__" in key for key in prefixed) else "bare"
    most = [max(Counter(map(_kind, _entries(row))).values(), default=0) for row in first]
    many = sum(1 for one in most if one > 1)
    with_any = sum(1 for one in most if one)
    if many or with_any >= MANY:
        switches["entries_read"] = "all" if many else "default"
    hidden = "No address shows two numbers of a kind: either nobody has two, or numbers that devices add will not be seen here."
    yield Seen(
        point=1,
        question=question,
        asked=asked,
        seen=f"{with_any} of {len(first)} addresses have entries, {many} more than one of a kind; keys: {counted(map(shape, keys))}; "
        f"main ones: {counted(map(shape, named))}",
        follows="All of these notations are read." if switches.get("entries_read") != "default" else hidden,
        is_settled={"typed_keys", "default_keys", "entries_read"} <= switches.keys(),
        switches=switches,
    )


def _kind(key: str) -> str:
    """phone, fax or email."""
    return re.split(r"_|private|business", key)[0].replace("mobile", "phone")


def _typed(keys: Sequence[str]) -> str:
    for name, pattern in TYPED.items():
        if any(re.match(pattern, key) for key in keys):
            return name
    if any("__" not in key for key in keys):
        return "bare"
    return "untyped" if len(keys) >= MANY else ""


# ----------------------------------------------------------------------- stamps


def stamp_zone(look: Look) -> Iterator[Seen]:
    """Stamps of the last days beside the moments at which we stored what they stamp."""
    question, asked = "In which zone is an address's Aenderung?", "read address changed in the last two days: Aenderung"
    if look.account.drops(Kind.CONTACTS, contacts.STAMP):
        follows = "Changes are found by their digests; `mirror` reads them all the same."
        seen = "Aenderung cannot be read"
        switches: dict[str, Switch] = {"address_stamp_readable": False}
        yield Seen(point=3, question=question, asked=asked, seen=seen, follows=follows, is_settled=False, switches=switches)
        return
    since = fields.wall(look.now - timedelta(days=2), look.account.zone)
    (result,) = look.ask(_read([contacts.STAMP], filter={contacts.STAMP: [{"op": ">=", "val": since}]}))
    if isinstance(result, Refusal):
        yield refused(3, question, asked, result)
        return
    stored = look.stored_at(Kind.CONTACTS, result.rows)
    zone = zone_of(look, ((contacts.stamp(row), stored.get(row.id)) for row in result.rows))
    yield Seen(
        point=3,
        question=question,
        asked=asked,
        seen=f"{len(result.rows)} stamps, {zone or 'nothing to tell them by; change an address while `serve` runs, and ask again'}",
        follows="Polls ask from the earlier of both readings on, whichever it is.",
        is_settled=bool(zone),
        switches={"address_stamp_readable": True} | ({"address_stamp_zone": zone} if zone else {}),
    )


def raises_stamp(look: Look) -> Iterator[Seen]:
    """Remembered addresses, as they are now: what changed without the stamp, or with it?"""
    question, asked = "Does a changed number, or a changed Sync flag, raise Aenderung?", "read the addresses of the last run again"
    before: Mapping[str, Any] = look.before.get("addresses", {})
    wanted = list(before.get("seen", {}))[:WATCHED]
    keys = list(contacts.read_one("0", look.account).parameters["data"])
    chosen = {"recordids": wanted} if wanted else {}
    (result,) = look.ask(_read(keys, **chosen))
    if isinstance(result, Refusal):
        yield refused(4, question, asked, result)
        return
    rows = result.rows[:WATCHED]
    links = look.ask(fields.ask_links(contacts.SYNC, parents=[row.id for row in rows])) if rows else []
    flags = fields.links_in(links[0]) if links and isinstance(links[0], Answer) else {}
    now = {row.id: _remembered(row, flags.get(row.id, ())) for row in rows}
    answers: dict[str, bool] = dict(before.get("answers", {}))
    for number, (stamp, entries_now, flags_now, rest) in now.items():
        was = before.get("seen", {}).get(number)
        if was is not None and was[3] == rest and (was[1] != entries_now) != (was[2] != flags_now):
            answers["entry_raises_stamp" if was[1] != entries_now else "sync_raises_stamp"] = was[0] != stamp
    look.after["addresses"] = {"seen": now, "answers": answers}
    first = next(iter(now), "")
    by_hand = f"By hand: change a number of address {first} in onOffice's pages, run this again; then its Sync flag, and again."
    yield Seen(
        point=4,
        question=question,
        asked=asked,
        seen="; ".join(f"{name}: {'yes' if value else 'no'}" for name, value in sorted(answers.items())) or "not told yet",
        follows="The nightly sweep finds what no stamp tells, polls find flags." if len(answers) == 2 or not first else by_hand,
        is_settled=len(answers) == 2,
        switches=dict(answers),
    )


def _remembered(row: Row, flags: Sequence[str]) -> list[str]:
    """Stamp, and digests of the numbers, of the flags, and of all other fields."""
    numbers = {key: value for key, value in row.elements.items() if contacts.ENTRY.match(key) or key in contacts.MAIN.values()}
    rest = {key: value for key, value in row.elements.items() if key not in numbers and key not in (contacts.STAMP, "imageUrl")}
    return [contacts.stamp(row), *(_digest(one) for one in (sorted(map(str, numbers.values())), sorted(flags), rest))]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=list).encode()).hexdigest()[:16]


# ---------------------------------------------------------------------- numbers


def notation(look: Look) -> Iterator[Seen]:
    """How numbers are written, and whether a filter finds one that is written otherwise."""
    question, asked = (
        "Does onOffice write numbers its own way?",
        "read address: phone, mobile; then a number without its spaces as a filter",
    )
    (result,) = look.ask(_read(("phone", "mobile")))
    if isinstance(result, Refusal):
        yield refused(13, question, asked, result)
        return
    values = [value for row in result.rows for value in _entries(row).values() if value]
    country = sum(1 for value in values if re.match(r"^\+\d{1,3} ", value))
    switches: dict[str, Switch] = {}
    if len(values) >= MANY:
        switches["rewrite_numbers"] = country == len(values)
    spaced = next((value for value in values if re.sub(r"[^\d+]", "", value) != value), "")
    if spaced:
        (found,) = look.ask(_read(("phone",), filter={"phone": [{"op": "=", "val": re.sub(r"[^\d+]", "", spaced)}]}))
        switches |= {"match_entries": "digits" if found.rows else "exact"} if isinstance(found, Answer) else {}
    masked = counted(re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "9", value)) for value in values)  # somebody may have written a name there
    yield Seen(
        point=13,
        question=question,
        asked=asked,
        seen=f"{len(values)} numbers, {country} with a country code and spaces; written as {masked}",
        follows="Equal numbers are known whatever their spaces are; what onOffice made of a number is what devices get.",
        is_settled="rewrite_numbers" in switches and "match_entries" in switches,
        switches=switches,
    )
