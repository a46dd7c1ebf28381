"""Whom a user can look up: the contacts that are offered to the user, and the colleagues of the tenant.

People are searched by the beginnings of what is offered of them: names, company, e-mail addresses, numbers, whatever the case, accents and
notation ("mueller", "MÜLLER" and "muller" find Müller; "0171 23" and "+49171 23" the same number). Each reader's list is kept in memory and
follows the feed: after a change only what changed is read again. Readers share what they both see. What a record comes to is kept beside the
encoded items, so that a new process reads 10,000 people in a moment instead of making them.
"""

from __future__ import annotations

import re
import weakref
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from threading import Lock
from typing import Any

import phonenumbers

from radicale_onoffice.core import availability, folders, rights, slots
from radicale_onoffice.core.contacts import display_name
from radicale_onoffice.core.errors import CursorInvalid
from radicale_onoffice.core.feeds import Cursor, Feeds
from radicale_onoffice.core.folders import Reader
from radicale_onoffice.core.folding import MIN_DIGITS, NUMBER, folded, spellings
from radicale_onoffice.core.model import Appointment, Contact, Entry, Identity, Kind, Record, Slot, User, UserState
from radicale_onoffice.core.ports import Store

READERS = 64  # lists of readers that are kept in memory
BATCH = 500  # records read at a time
SEPARATOR = "\x1f"
FORM = 1  # of what is kept; a new one makes the old useless
EMAILS = (Slot.EMAIL1, Slot.EMAIL2, Slot.EMAIL3)
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Person:
    """What can be looked up of a contact: no more than a device is offered of it."""

    record_id: str
    etag: str  # of the stored form that this was read from
    display_name: str
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    title: str = ""  # what the person does
    business_phone: str = ""
    home_phone: str = ""
    mobile_phone: str = ""
    emails: tuple[str, ...] = ()
    has_picture: bool = False
    keys: str = ""  # all that is searched, folded; each part behind a line feed


@dataclass(frozen=True, slots=True)
class _View:
    """The people of one reader as of a position in the feed, by display name."""

    cursor: Cursor
    people: tuple[Person, ...]


class Directory:
    """Looks people up; safe to share between threads."""

    def __init__(self, store: Store, feeds: Feeds, default_tenant: str):
        self._store, self._feeds, self._default_tenant = store, feeds, default_tenant
        self._views: OrderedDict[Identity, _View] = OrderedDict()
        self._shared: weakref.WeakValueDictionary[tuple[str, str, str], Person] = weakref.WeakValueDictionary()
        self._lock = Lock()  # of the two above

    def people(self, who: Reader) -> Sequence[Person]:
        """Everybody whom the reader is offered, by display name; nobody while the contacts' folder does not exist (rule 1)."""
        if Kind.CONTACTS not in folders.offered_kinds(who):
            return ()
        with self._lock:
            known = self._views.get(who.identity)
        view = self._followed(who, known)
        with self._lock:
            self._views[who.identity] = view
            self._views.move_to_end(who.identity)
            while len(self._views) > READERS:
                self._views.popitem(last=False)
        return view.people

    def search(self, who: Reader, text: str) -> Sequence[Person]:
        """The people any of whose parts, or a word of it, begins with the text; all for an empty one."""
        needles = _needles(text, who.tenant.region)
        people = self.people(who)
        return [person for person in people if any(needle in person.keys for needle in needles)] if needles else people

    def with_email(self, who: Reader, address: str) -> Sequence[Person]:
        """The people with this address."""
        wanted = address.strip().casefold()
        return [person for person in self.people(who) if any(email.casefold() == wanted for email in person.emails)]

    def picture(self, who: Reader, person: Person) -> bytes | None:
        """The picture as it is stored now."""
        with self._store.reading() as tx:
            record = tx.record(who.identity.tenant, person.record_id)
        return record.value.picture if record is not None and isinstance(record.value, Contact) else None

    def colleagues(self, who: Reader, text: str) -> Sequence[tuple[User, str]]:
        """Active users of the tenant with their address whose login or address begins with the text; without an address nobody is named."""
        wanted = text.strip().casefold()
        with self._store.reading() as tx:
            users = [user for user in tx.users(who.identity.tenant) if user.state is UserState.ACTIVE]
        named = [(user, addresses(user, self._default_tenant)) for user in users]
        return [
            (user, found[0])
            for user, found in named
            if found and any(word.casefold().startswith(wanted) for word in (user.identity.user, *found))
        ]

    def free_busy(self, who: Reader, colleague: User, start: datetime, end: datetime) -> str | None:
        """A digit per half hour of when a colleague has no time (``availability.merged``), None if the reader may not know.

        Nothing but the digits leaves: neither subjects nor who else takes part, and private appointments count like others.
        """
        if Kind.APPOINTMENTS not in folders.offered_kinds(who) or colleague.identity.tenant != who.identity.tenant:
            return None
        after, before = int(start.timestamp()), int(end.timestamp())
        with self._store.reading() as tx:
            members = tx.members(
                colleague.identity, Kind.APPOINTMENTS, rights.principals(colleague), starts_before=before, ends_after=after
            )
            records = tx.records(who.identity.tenant, [member.record_id for member in members])
        busy = [one.value for one in records if isinstance(one.value, Appointment) and not one.deleted]
        return availability.merged(busy, who.zone, after, before)

    def addresses(self, user: User) -> Sequence[str]:
        """The user's own e-mail addresses."""
        return addresses(user, self._default_tenant)

    # -------------------------------------------------------------- inside

    def _followed(self, who: Reader, known: _View | None) -> _View:
        try:
            cursor, entries = self._feeds.changes(who.identity, Kind.CONTACTS, known.cursor if known else None)
        except CursorInvalid:
            return self._followed(who, None)
        if known is not None and not entries:
            return _View(cursor, known.people)
        by_id = {person.record_id: person for person in known.people} if known else {}
        for entry in entries:
            by_id.pop(entry.record_id, None)
        by_id.update(self._read(who, {entry.record_id: entry.etag for entry in entries if entry.live}))
        # ``keys`` begins with the name in the form in which names are compared.
        return _View(cursor, tuple(sorted(by_id.values(), key=lambda person: (person.keys, person.record_id))))

    def _read(self, who: Reader, etags: Mapping[str, str]) -> Mapping[str, Person]:
        tenant = who.identity.tenant
        with self._lock:
            shared = (self._shared.get((tenant, record_id, etag)) for record_id, etag in etags.items())
            found = {person.record_id: person for person in shared if person is not None}
        kept = self._kept(who, etags, sorted(etags.keys() - found.keys()))
        made = self._made(who, sorted(etags.keys() - found.keys() - kept.keys()))
        fresh = {**kept, **made}
        with self._lock:
            self._shared.update({(tenant, person.record_id, person.etag): person for person in fresh.values()})
        return {**found, **fresh}

    def _kept(self, who: Reader, etags: Mapping[str, str], record_ids: Sequence[str]) -> Mapping[str, Person]:
        """Those whose stored form has not changed since they were made."""
        with self._store.reading() as tx:
            stored = tx.fragments(who.identity.tenant, _form(who), record_ids)
        people = (_load(data) for _, data in stored.values())
        return {person.record_id: person for person in people if person.etag == etags[person.record_id]}

    def _made(self, who: Reader, record_ids: Sequence[str]) -> Mapping[str, Person]:
        """Out of the records, and kept for the next process."""
        made: dict[str, Person] = {}
        country_code = str(phonenumbers.country_code_for_region(who.tenant.region))
        for start in range(0, len(record_ids), BATCH):
            with self._store.reading() as tx:
                records = tx.records(who.identity.tenant, record_ids[start : start + BATCH])
            contacts = [one for one in records if isinstance(one.value, Contact) and not one.deleted]
            people = [person_of(one, country_code) for one in contacts]
            made.update({person.record_id: person for person in people})
            rows = [(one.id, one.version, _dump(person)) for one, person in zip(contacts, people, strict=True)]
            with self._store.writing() as writing:
                writing.save_fragments(who.identity.tenant, _form(who), rows)
        return made


def _form(who: Reader) -> str:
    """The name under which people are kept: their numbers depend on the region."""
    return f"directory {FORM} {who.tenant.region}"


def _dump(person: Person) -> bytes:
    """Fields with separators that no name holds: ten thousand are read at once, and JSON takes four times as long."""
    texts = (*astuple(person)[:-3], "\n".join(person.emails), "1" if person.has_picture else "", person.keys)
    return SEPARATOR.join(text.replace(SEPARATOR, " ") for text in texts).encode()


def _load(data: bytes) -> Person:
    fields: list[Any] = list(data.decode().split(SEPARATOR))
    emails, has_picture, keys = fields[-3:]
    fields[-3:] = tuple(emails.split("\n")) if emails else (), bool(has_picture), keys
    return Person(*fields)


def addresses(user: User, default_tenant: str) -> tuple[str, ...]:
    """The e-mail addresses of a user: the logins that are addresses, the usual one first."""
    name, tenant = user.identity.user, user.identity.tenant
    logins = (name, f"{name}@{tenant}") if tenant == default_tenant else (f"{name}@{tenant}", name)
    return tuple(login for login in logins if ADDRESS.fullmatch(login))


def person_of(record: Record, country_code: str) -> Person:
    """The part of a contact's record that can be looked up."""
    contact = record.value
    assert isinstance(contact, Contact)
    offered = slots.offered(contact)
    emails = tuple(offered[slot].value for slot in EMAILS if slot in offered)
    numbers = [entry.value for slot, entry in offered.items() if slot not in EMAILS]
    name = display_name(contact)
    texts = (
        name,
        f"{contact.first_name} {contact.last_name}",
        f"{contact.last_name} {contact.first_name}",
        contact.company,
        contact.department,
        *emails,
    )
    keys = dict.fromkeys((*spellings(texts), *(key for number in numbers for key in _digits(number, country_code))))
    return Person(
        record_id=record.id,
        etag=record.etag,
        display_name=name,
        first_name=contact.first_name,
        last_name=contact.last_name,
        company=contact.company,
        title=contact.job_title or contact.job_position,
        business_phone=_value(offered, Slot.BUSINESS, Slot.COMPANY_MAIN, Slot.BUSINESS2),
        home_phone=_value(offered, Slot.HOME, Slot.HOME2),
        mobile_phone=_value(offered, Slot.MOBILE),
        emails=emails,
        has_picture=contact.picture is not None,
        keys="".join(f"\n{key}" for key in keys),
    )


def _value(offered: Mapping[Slot, Entry], *wanted: Slot) -> str:
    return next((offered[slot].value for slot in wanted if slot in offered), "")


# ------------------------------------------------------------------- numbers


def _digits(number: str, country_code: str) -> tuple[str, ...]:
    """The ways to begin a number: with the country and, within the country, with the zero. Cheaper than reading it as a number."""
    plain = number.strip().removeprefix("tel:")
    digits = "".join(filter(str.isdecimal, plain.replace("(0)", "", 1) if plain.startswith(("+", "00")) else plain))
    if plain.startswith("+") or digits.startswith("00"):
        world = digits if plain.startswith("+") else digits[2:]
        return (world, "0" + world[len(country_code) :]) if world.startswith(country_code) else (world,)
    return (digits, country_code + digits[1:]) if digits.startswith("0") else (digits,)


def _needles(text: str, region: str) -> Sequence[str]:
    """What to look for in ``keys``: at the beginning of a part, at the beginning of a word, and as digits. Pure."""
    word = folded(text)
    if not word:
        return ()
    needles = [f"\n{word}", f" {word}"]
    digits = "".join(filter(str.isdecimal, text))
    if NUMBER.fullmatch(text.strip()) and len(digits) >= MIN_DIGITS:
        needles.append(f"\n{_digits(text, str(phonenumbers.country_code_for_region(region)))[0]}")
    return needles
