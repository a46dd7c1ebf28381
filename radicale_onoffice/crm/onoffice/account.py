"""What one customer's onOffice knows: its users and groups, the fields it has, the types of its appointments.

Field names of an account depend on its administration, and one unknown key in ``data`` fails a whole call (code 141). Keys are therefore
taken from the field configuration; keys that are documented and yet never stand there are tried one by one, all in one request. A users'
list gives the logins and ids that names in records are translated by: calendars and relations speak in ids, tasks in names.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from zoneinfo import ZoneInfo

from radicale_onoffice.core.errors import Refused
from radicale_onoffice.core.model import Kind
from radicale_onoffice.crm.onoffice.codes import UNKNOWN_FIELD
from radicale_onoffice.crm.onoffice.protocol import MAX_ROWS, Action, Answer, Refusal, Row, Verb, identifier

logger = logging.getLogger(__name__)

MODULES: Mapping[Kind, str] = {Kind.CONTACTS: "address", Kind.APPOINTMENTS: "calendar", Kind.TASKS: "task"}
LANGUAGES: Mapping[str, str] = {"de": "DEU", "en": "ENG", "it": "ITA", "fr": "FRA", "es": "ESP", "nl": "NLD"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user of onOffice; ``name`` is the login, which is what our own users are called, too."""

    id: str
    name: str
    first_name: str = ""
    last_name: str = ""
    short: str = ""  # Kuerzel
    email: str = ""
    online: str = ""  # active, locked, deactivated …, in words or numbers that are not documented
    language: str = ""  # Sprache

    def readings(self) -> Iterable[str]:
        """The ways in which records name this user beside the login."""
        for full in (f"{self.last_name}, {self.first_name}", self.last_name or self.first_name):
            yield from (f"{full} ({self.name})", f"{full} ({self.short})", full)
        yield f"{self.first_name} {self.last_name}"


def _spaced(text: str) -> str:
    """A name with one space between its words, and no comma before nothing."""
    return " ".join(text.split()).strip(", ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of users; our users' groups go by its name."""

    id: str
    name: str
    members: tuple[str, ...] = ()  # ids of users


@dataclass(frozen=True, kw_only=True)
class Account:
    """How to translate records of one tenant. ``dropped`` are keys that the account does not know, per kind."""

    zone: ZoneInfo
    region: str = "DE"  # in which numbers are written without a country
    people: tuple[Person, ...] = ()
    groups: tuple[Group, ...] = ()
    dropped: Mapping[Kind, frozenset[str]] = field(default_factory=dict)
    appointment_types: Mapping[str, str] = field(default_factory=dict)  # key → label
    task_type: str = ""  # Art of a task made on a device; some accounts demand one
    one_entry_a_call: bool = False  # whether one modify takes numbers of several types is not documented
    task_private_writable: bool = False  # whether Privat may be written is not documented
    tells_states: bool = False  # the users' list is whole, and says who is locked
    closed_states: frozenset[str] = frozenset()  # values of ``online``, in small letters, that mean locked or deactivated

    def drops(self, kind: Kind, key: str) -> bool:
        """True if the account does not know this key."""
        return key in self.dropped.get(kind, frozenset())

    @cached_property
    def _login_by_id(self) -> dict[str, str]:
        return {person.id: person.name for person in self.people}

    @cached_property
    def _id_by_login(self) -> dict[str, str]:
        return {person.name: person.id for person in self.people}

    @cached_property
    def _login_by_reading(self) -> dict[str, str]:
        """Logins by every way of naming a user that means one user only; a login means its user whatever else it may mean."""
        found: dict[str, set[str]] = {}
        for person in self.people:
            for reading in person.readings():
                found.setdefault(_spaced(reading), set()).add(person.name)
        plain = {reading: next(iter(names)) for reading, names in found.items() if reading and len(names) == 1}
        return plain | {person.name: person.name for person in self.people}

    def login(self, user_id: str) -> str:
        """The login behind a user's id; "#id" if the users' list has none, so that nobody is lost when the record is written."""
        return self._login_by_id.get(user_id, f"#{user_id}")

    def user_id(self, login: str) -> str:
        """The id behind a login; "" if there is none."""
        return self._id_by_login.get(login, "")

    def demand_user_id(self, login: str) -> str:
        """The id behind a login, which a record is to be given to; raises Refused rather than leave somebody out."""
        found = login.removeprefix("#") if login.startswith("#") else self.user_id(login)
        if not found:
            raise Refused(f"onOffice has no user {login!r}; names of users have to be the same there.")
        return found

    def demand_group_id(self, name: str) -> str:
        """The id behind a group's name; raises Refused."""
        found = name.removeprefix("#") if name.startswith("#") else self.group_id(name)
        if not found:
            raise Refused(f"onOffice has no group {name!r}.")
        return found

    def read_name(self, text: str) -> str:
        """The login that a task's field means, where a display name may stand; a name that nobody has stays as it is."""
        return self._login_by_reading.get(_spaced(text), text.strip())

    def group_name(self, group_id: str) -> str:
        """The name behind a group's id; "#id" if there is none."""
        return next((group.name for group in self.groups if group.id == group_id), f"#{group_id}")

    def group_id(self, name: str) -> str:
        """The id behind a group's name; "" if there is none."""
        return next((group.id for group in self.groups if group.name == name), "")

    def groups_of(self, login: str) -> tuple[str, ...]:
        """Names of the groups that a user belongs to, sorted."""
        user_id = self.user_id(login)
        return tuple(sorted(group.name for group in self.groups if user_id and user_id in group.members))


# ----------------------------------------------------- questions and answers


def ask_fields(kinds: Iterable[Kind] = Kind) -> Action:
    """The field configuration; it may take onOffice several seconds."""
    return Action(verb=Verb.GET, resource="fields", parameters={"labels": False, "modules": [MODULES[kind] for kind in kinds]})


def configured(answer: Answer, kind: Kind) -> frozenset[str]:
    """The keys of a kind in the field configuration; a plain text among them is the module's label."""
    rows = [row for row in answer.rows if row.id == MODULES[kind]]
    return frozenset(key for row in rows for key, value in row.elements.items() if isinstance(value, Mapping))


def try_key(kind: Kind, key: str) -> Action:
    """A read of one row with one key: whether the account knows it."""
    return Action(verb=Verb.READ, resource=MODULES[kind], parameters={"data": [key], "listlimit": 1})


def dropped_keys(kind: Kind, tried: Sequence[tuple[str, Answer | Refusal]]) -> frozenset[str]:
    """The keys that the account refused as unknown; told to the administrator, because their values stay empty."""
    unknown = frozenset(key for key, result in tried if isinstance(result, Refusal) and result.code in UNKNOWN_FIELD)
    if unknown:
        logger.warning("this account of onOffice has no fields %s for %s; they are left out", ", ".join(sorted(unknown)), kind)
    return unknown


def ask_people(offset: int = 0, *, with_state: bool = True) -> Action:
    """One page of the users; needs the right to read users' data, without it code 170."""
    keys = ["Nr", "Name", "Vorname", "Nachname", "email", "Kuerzel", *(("online", "Sprache") if with_state else ())]
    parameters = {"data": keys, "sortby": {"Nr": "ASC"}, "listlimit": MAX_ROWS, "listoffset": offset}
    return Action(verb=Verb.READ, resource="user", parameters=parameters)


def ask_short_people() -> Action:
    """The short list of users, all at once: id, login, names and e-mail."""
    return Action(verb=Verb.GET, resource="users")


def ask_groups() -> Action:
    """All groups with their members."""
    return Action(verb=Verb.GET, resource="groups")


def ask_types(language: str) -> Action:
    """Kinds and types of actions, of which the kind "Termin" has the types of appointments."""
    return Action(verb=Verb.GET, resource="actionkindtypes", parameters={"lang": LANGUAGES.get(language, "DEU")})


def people(rows: Iterable[Row]) -> tuple[Person, ...]:
    """Users in the rows of either list; one without a login cannot take part."""
    return tuple(person for person in map(_person, rows) if person.id and person.name)


def _person(row: Row) -> Person:
    def text(*keys: str) -> str:
        return next((str(row.elements[key]).strip() for key in keys if row.elements.get(key)), "")

    return Person(
        id=identifier(row.elements.get("Nr")) or identifier(row.elements.get("id")) or row.id,
        name=text("Name", "username"),
        first_name=text("Vorname", "firstname"),
        last_name=text("Nachname", "lastname"),
        short=text("Kuerzel"),
        email=text("email"),
        online=identifier(row.elements.get("online")),
        language=text("Sprache"),
    )


def groups(rows: Iterable[Row]) -> tuple[Group, ...]:
    """Groups in the rows of the answer."""
    found = []
    for row in rows:
        members = row.elements.get("userIds")
        ids = tuple(sorted(filter(None, map(identifier, members)))) if isinstance(members, list) else ()
        group_id, name = identifier(row.elements.get("id")) or row.id, str(row.elements.get("name") or "").strip()
        if group_id and name:
            found.append(Group(id=group_id, name=name, members=ids))
    return tuple(found)


def appointment_types(rows: Iterable[Row]) -> dict[str, str]:
    """Key → label of the types of appointments."""
    for row in rows:
        if "Termin" in (row.elements.get("key"), row.elements.get("label")):
            types = row.elements.get("types")
            return {str(key): str(label) for key, label in types.items()} if isinstance(types, Mapping) else {}
    return {}
