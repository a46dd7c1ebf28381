"""Addresses: the field table, the notation of phone numbers both ways, and the Sync flag.

Reading gives each entry a key of its own, ``phonebusiness__502`` (with or without underscores and id, as accounts differ); the main one
of each kind stands in a plain field, too. Writing knows an entry by its type and old value only, one operation per type and call, and no
slot at all: slots, and pictures, live in our store (rule 39). What a device does is *adding* (rule 38); changing and deleting an entry is
what an administrator does on our side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from radicale_onoffice.core.model import Contact, Entry, EntryKind, EntryType, Kind
from radicale_onoffice.core.slots import same_value
from radicale_onoffice.crm.onoffice.account import Account
from radicale_onoffice.crm.onoffice.fields import (
    Elements,
    Fields,
    Parameters,
    Row,
    asked_keys,
    is_plain,
    link_changes,
    parameters,
    text,
    text_of,
    value_of,
    whole_day,
)
from radicale_onoffice.crm.onoffice.protocol import MAX_ROWS, Action, Verb
from radicale_onoffice.crm.onoffice.protocol import Row as Record

KIND = Kind.CONTACTS
RESOURCE = "address"
STAMP = "Aenderung"  # of which zone it is, is not documented
SYNC = "address:user:sync"  # parent: the address, children: the users who flagged it (rule 17)
ACTIVE, ARCHIVED = "status2adr_active", "status2adr_archive"

CONTACT_KEYS = ("phone", "mobile", "fax", "email")  # in no field configuration
MAIN = {EntryKind.PHONE: "Telefon1", EntryKind.FAX: "Telefax1", EntryKind.EMAIL: "Email"}  # the main entry once more
ENTRY = re.compile(r"^(default)?_?(phone|mobile|fax|email)_?(private|business)?(?:__(\d+))?(?:__(Comment))?$")
SUFFIX = {EntryType.PLAIN: "", EntryType.MOBILE: "", EntryType.PRIVATE: "_private", EntryType.BUSINESS: "_business"}


# ------------------------------------------------------------------- entries


@dataclass(slots=True)
class _Found:
    kind: EntryKind
    type: EntryType
    id: int
    value: str = ""
    comment: str = ""
    default: bool = False


def entries_in(elements: Elements, _account: Account) -> Fields:
    """The entries of an address, without slots; by kind and id, because their order says nothing."""
    found: dict[tuple[str, int], _Found] = {}
    defaults: set[tuple[EntryKind, int, str]] = set()
    for key, raw in elements.items():
        match = ENTRY.match(key)
        if match is None:
            continue
        is_default, word, kind_of, number, is_comment = match.groups()
        kind = EntryKind.PHONE if word == "mobile" else EntryKind(word)
        value, number_id = text_of(raw).strip(), int(number or 0)
        if is_default:
            defaults.add((kind, number_id, value))
            continue
        # The main entry may come once more under an untyped key; its id tells that it is the same.
        entry = found.setdefault((kind.value if number_id else word + (kind_of or ""), number_id), _Found(kind, EntryType.PLAIN, number_id))
        if is_comment:
            entry.comment = value
            continue
        entry.value = value
        entry.type = EntryType.MOBILE if word == "mobile" else EntryType(kind_of) if kind_of else entry.type
    entries = sorted((one for one in found.values() if one.value), key=lambda one: (list(EntryKind).index(one.kind), one.id))
    for kind, key in MAIN.items():
        _mark_default(entries, kind, text_of(elements.get(key)).strip(), {(number, value) for of, number, value in defaults if of is kind})
    return {
        "entries": tuple(
            Entry(id=one.id, kind=one.kind, value=one.value, type=one.type, default=one.default, comment=one.comment) for one in entries
        )
    }


def _mark_default(entries: list[_Found], kind: EntryKind, main: str, told: set[tuple[int, str]]) -> None:
    """Mark the main entry of a kind; a main value that no entry has (some accounts show no others) is an entry of its own."""
    of_kind = [one for one in entries if one.kind is kind]
    values = {main, *(value for _, value in told)} - {""}
    marked = next((one for one in of_kind if one.id and one.id in {number for number, _ in told}), None)
    marked = marked or next((one for one in of_kind if one.value in values), None)
    if marked is None and values:
        marked = _Found(kind, EntryType.PLAIN, 0, value=main or min(values))
        entries.append(marked)
    if marked is not None:
        marked.default = True


def adopt(before: Sequence[Entry], read: Sequence[Entry], ours: frozenset[int] = frozenset(), region: str = "DE") -> tuple[Entry, ...]:
    """What was read, with the slots and ids of the entries that it was before: the same by id and value, by value, by number, or by id.

    An entry that was edited in the CRM keeps its id and so its slot; one that came under another id is known by its value and keeps the
    id that devices know. ``ours`` are ids that we gave to entries before onOffice had them: these take onOffice's.
    """
    matched = _matched(before, read, region)
    highest = max((entry.id for entry in (*before, *read)), default=0)
    used: set[int] = set()
    adopted = []
    for position, entry in enumerate(read):
        old = matched.get(position)
        known = old.id if old else 0
        wished = (entry.id, known) if not known or known in ours else (known, entry.id)
        entry_id = next((one for one in wished if one and one not in used), 0)
        if not entry_id:
            highest += 1
            entry_id = highest
        used.add(entry_id)
        adopted.append(replace(entry, id=entry_id, slot=old.slot if old else None))
    return tuple(adopted)


def _matched(before: Sequence[Entry], read: Sequence[Entry], region: str) -> dict[int, Entry]:
    """Position of what was read → what it was before; each old entry once. onOffice may write a number its own way, which is the same number."""
    left, matched = list(before), dict[int, Entry]()
    tests: tuple[Callable[[Entry, Entry], bool], ...] = (
        lambda old, new: old.id == new.id and old.value == new.value,
        lambda old, new: old.value == new.value,
        lambda old, new: old.id == new.id and same_value(new.kind, old.value, new.value, region),
        lambda old, new: same_value(new.kind, old.value, new.value, region),
        lambda old, new: old.id == new.id,
    )
    for same in tests:
        for position, entry in enumerate(read):
            twin = next((old for old in left if old.kind is entry.kind and same(old, entry)), None) if position not in matched else None
            if twin is not None:
                left.remove(twin)
                matched[position] = twin
    return matched


def _key(entry: Entry) -> str:
    """The parameter that an entry is written under; here with an underscore."""
    if entry.kind is EntryKind.PHONE and entry.type is EntryType.MOBILE:
        return "mobile"
    return entry.kind.value + SUFFIX[entry.type]


def operations(before: Sequence[Entry], after: Sequence[Entry]) -> list[tuple[str, Parameters]]:
    """(type, operation) for each difference, in the order in which they have to be done; slots and comments cannot be written."""
    old = {entry.id: entry for entry in before}
    new = {entry.id for entry in after}
    found: list[tuple[str, Parameters]] = [
        (_key(entry), {"action": "delete", "oldvalue": entry.value}) for entry in before if entry.id not in new
    ]
    for entry in after:
        was = old.get(entry.id)
        if was is not None and _key(was) != _key(entry):
            found.append((_key(was), {"action": "delete", "oldvalue": was.value}))  # a type is changed by moving the entry
            was = None
        if was is None:
            found.append((_key(entry), {"action": "add", "newvalue": entry.value, **({"default": True} if entry.default else {})}))
        elif was.value != entry.value or (entry.default and not was.default):
            found.append((_key(entry), {"action": "modify", "oldvalue": was.value, "newvalue": entry.value, "default": entry.default}))
    return found


def _calls(first: Parameters, wanted: Iterable[tuple[str, Parameters]], account: Account) -> list[Parameters]:
    """Parameters of as few calls as hold one operation per type each, every type's in their order; fields go with the first."""
    calls: list[Parameters] = [dict(first)] if first else []
    for key, operation in wanted:
        full = (place + 1 for place, call in enumerate(calls) if key in call or (account.one_entry_a_call and _has_operation(call)))
        position = max(full, default=0)
        if position == len(calls):
            calls.append({})
        calls[position][key] = operation
    return calls


def _has_operation(call: Parameters) -> bool:
    return any(isinstance(one, dict) for one in call.values())


# --------------------------------------------------------------------- table


def _load_archived(elements: Elements, _account: Account) -> Fields:
    second = text_of(elements.get("Status2Adr"))
    return {"archived": second == ARCHIVED if second else text_of(elements.get("Status")) == "0"}


def _load_sync(elements: Elements, account: Account) -> Fields:
    return {"sync_users": tuple(sorted(account.login(user_id) for user_id in elements[SYNC]))}


ENTRIES: Row[Contact] = Row(fields=("entries",), keys=(*CONTACT_KEYS, *MAIN.values()), load=entries_in, dump=None, reason="see operations")
TABLE: tuple[Row[Contact], ...] = (
    text("salutation", "Anrede"),
    text("title", "Titel"),
    text("first_name", "Vorname"),
    text("last_name", "Name"),
    text("company", "Zusatz1"),
    text("department", "Zusatz2"),
    text("job_title", "jobTitle"),
    text("job_position", "jobPosition"),
    text("street", "Strasse"),
    text("zip_code", "Plz"),
    text("city", "Ort"),
    text("country", "Land"),
    text("homepage", "Homepage"),
    whole_day("birthday", "Geburtsdatum"),
    Row(
        fields=("archived",),
        keys=("Status", "Status2Adr"),
        load=_load_archived,
        dump=lambda value, _: {"Status2Adr": ARCHIVED if value.archived else ACTIVE},  # a written Status has no effect
    ),
    Row(
        fields=("sync_users",), keys=(), relations=(SYNC,), load=_load_sync, dump=None, reason="relations are written by calls of their own"
    ),
)
FIELDS = (*TABLE, ENTRIES)
UNMAPPED = {
    "picture": "The API has no upload of an address's photo; what a device sends stays in our store (rule 39, U12).",
    "picture_type": "See picture.",
}


# ---------------------------------------------------------------- both ways


def load(record: Record, account: Account, before: Contact | None = None, ours: frozenset[int] = frozenset()) -> Contact:
    """The contact in a row, with what only our store knows of it: slots, picture. ``elements[SYNC]`` are ids of users.

    ``ours`` are ids of entries that onOffice gets to see for the first time.
    """
    value = value_of(TABLE, record.elements, account, before, Contact)
    read: tuple[Entry, ...] = entries_in(record.elements, account)["entries"]
    return replace(value, entries=adopt(before.entries if before else (), read, ours, account.region))


def create(value: Contact, account: Account) -> Action:
    """Make an address, with one entry of each type; no duplicate is looked for (U10)."""
    wanted = parameters(TABLE, KIND, None, value, account)
    if not value.archived:
        wanted.pop("Status2Adr", None)
    first = _first_entries(value.entries)
    for entry in first:
        wanted[_key(entry)] = entry.value
        if entry.default:
            wanted[f"default_{entry.kind}"] = entry.value
    return Action(verb=Verb.CREATE, resource=RESOURCE, parameters=wanted)


def _first_entries(entries: Sequence[Entry]) -> list[Entry]:
    """One of each type, the default one or else the first: a default must be among those that are given."""
    chosen: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda one: not one.default):
        chosen.setdefault(_key(entry), entry)
    return [entry for entry in entries if chosen[_key(entry)] is entry]


def after_create(record_id: str, value: Contact, account: Account) -> list[Action]:
    """What a create cannot say: further entries of a type, and the Sync flags."""
    given = {entry.id for entry in _first_entries(value.entries)}
    rest = operations([entry for entry in value.entries if entry.id in given], value.entries)
    return [*(_modify(record_id, call) for call in _calls({}, rest, account)), *_flags(record_id, (), value.sync_users, account)]


def modify(record_id: str, before: Contact, after: Contact, account: Account) -> list[Action]:
    """What turns one contact into another; nothing for a difference that lives in our store."""
    changed = parameters(TABLE, KIND, before, after, account)
    calls = _calls(changed, operations(before.entries, after.entries), account)
    return [*(_modify(record_id, call) for call in calls), *_flags(record_id, before.sync_users, after.sync_users, account)]


def can_be_put_back(before: Contact, after: Contact, account: Account) -> bool:
    """True if the change is no more than fields and Sync flags: a number that was added twice could not be taken away again (code 87)."""
    return is_plain(TABLE, before, after, account) and not operations(before.entries, after.entries)


def remove(record_id: str, _account: Account) -> list[Action]:
    """Archive it: no call deletes an address."""
    return [_modify(record_id, {"Status2Adr": ARCHIVED})]


def _modify(record_id: str, call: Parameters) -> Action:
    # A number added twice would stand there twice; setting a field twice is setting it.
    return Action(
        verb=Verb.MODIFY,
        resource=RESOURCE,
        id=record_id,
        parameters=call,
        repeatable=not any(isinstance(one, dict) for one in call.values()),
    )


def _flags(record_id: str, before: Iterable[str], after: Iterable[str], account: Account) -> list[Action]:
    old, new = set(before), set(after)
    gone = [account.demand_user_id(name) for name in sorted(old - new)]
    return link_changes(SYNC, record_id, gone, [account.demand_user_id(name) for name in sorted(new - old)])


# ------------------------------------------------------------------- reading


def _asked(account: Account) -> list[str]:
    """The main entries are asked for by keys of their own only where the plain fields are missing: these say it without doubt."""
    defaults = [f"default{kind}" for kind, key in MAIN.items() if account.drops(KIND, key)]
    return [*asked_keys(FIELDS, KIND, account), *defaults, *(() if account.drops(KIND, STAMP) else (STAMP,))]


def read_one(record_id: str, account: Account) -> Action:
    """One address; no row if there is none, or the API user may not see it."""
    return Action(verb=Verb.READ, resource=RESOURCE, parameters={"data": _asked(account), "recordids": [record_id]})


def read_page(account: Account, offset: int, since: str = "") -> Action:
    """A page of all addresses by id, or of those changed since a stamp."""
    return Action(verb=Verb.READ, resource=RESOURCE, parameters={"data": _asked(account), **_page(offset, since)})


def read_ids(offset: int) -> Action:
    """A page of ids with as little else as can be asked for."""
    return Action(verb=Verb.READ, resource=RESOURCE, parameters={"data": ["KdNr"], **_page(offset, "")})


def _page(offset: int, since: str) -> dict[str, Any]:
    page: dict[str, Any] = {"listlimit": MAX_ROWS, "listoffset": offset}
    return page | ({"filter": {STAMP: [{"op": ">=", "val": since}]}} if since else {})


def stamp(record: Record) -> str:
    """The change stamp as onOffice gave it."""
    return text_of(record.elements.get(STAMP))
