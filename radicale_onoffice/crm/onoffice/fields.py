"""Field tables: one row per field of the model, both ways, and the difference of two values as what has to be sent.

A row reads some keys of a record's elements and gives fields of the model, and writes parameters of a create or modify. What is sent of a
change are the parameters that differ between the value before and after; a row whose parameters mean something only in company sends all
of its own (status and ``erledigt``, a deadline and its check box, a series and its start). A key that is missing in an answer leaves the
field as it was, so what an account does not know survives in our store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from radicale_onoffice.core.model import Appointment, Contact, Kind, Task
from radicale_onoffice.crm.onoffice.account import Account
from radicale_onoffice.crm.onoffice.protocol import RELATION, Action, Answer, Verb, identifier

V = TypeVar("V", bound=Contact | Appointment | Task)
Elements = Mapping[str, Any]
Fields = Mapping[str, Any]  # field of the model → value
Parameters = dict[str, Any]


class Unreadable(ValueError):
    """A record that cannot be understood, e.g. a series that onOffice anchored at 0000-00-00; it is left as it was, and reported."""


NO_DATE = "0000-00-00"
NOTHING: tuple[Any, ...] = ("", None, 0, [], {}, "00:00:00")  # what a create need not say
TRUE = frozenset({"1", "true", "ja", "yes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(Generic[V]):
    """One line of a table. ``dump`` None means that onOffice takes it from nobody, for the reason beside it.

    ``relations`` are links that stand in no field and are asked for apart: their answers come among the elements, under these names.
    ``plain`` is true of what is one value and nothing else: what was read of it can be written back, and all is as it was.
    """

    fields: tuple[str, ...]
    keys: tuple[str, ...]
    load: Callable[[Elements, Account], Fields]
    dump: Callable[[V, Account], Parameters] | None
    together: bool = False
    relations: tuple[str, ...] = ()
    plain: bool = False
    reason: str = ""


def value_of(table: Iterable[Row[V]], elements: Elements, account: Account, before: V | None, new: Callable[..., V]) -> V:
    """The value in a record's elements, on top of what is known already; None: nothing is known."""
    found: dict[str, Any] = {}
    for row in table:
        names: tuple[str, ...] = (*row.keys, *row.relations)
        if any(name in elements for name in names):
            found |= row.load(elements, account)
    return replace(before, **found) if before is not None else new(**found)


def parameters(table: Iterable[Row[V]], kind: Kind, before: V | None, after: V, account: Account) -> Parameters:
    """What has to be sent to turn one value into another; all that says something if there was none before."""
    wanted: Parameters = {}
    for row in table:
        if row.dump is None:
            continue
        now = row.dump(after, account)
        was = row.dump(before, account) if before is not None else dict.fromkeys(now, None)
        differing = {key: value for key, value in now.items() if was.get(key) != value and (before is not None or value not in NOTHING)}
        wanted |= now if differing and row.together else differing
    return {key: value for key, value in wanted.items() if not account.drops(kind, key)}


def is_plain(table: Iterable[Row[V]], before: V, after: V, account: Account) -> bool:
    """True if the fields that differ are all plain."""
    return all(row.plain or row.dump is None or row.dump(before, account) == row.dump(after, account) for row in table)


def link_changes(relation: str, record_id: str, before: Iterable[str], after: Iterable[str], *, is_parent: bool = True) -> list[Action]:
    """Relations to make and to take away so that a record is linked as wanted; adding is one action, each removal one of its own."""
    old, new = tuple(before), tuple(after)
    added, removed = [one for one in new if one not in old], [one for one in old if one not in new]
    ends = (lambda other: ([record_id], other)) if is_parent else (lambda other: (other, [record_id]))
    found = []
    if added:
        parents, children = ends(added)
        found.append(_relation(Verb.CREATE, relation, parentid=list(map(as_number, parents)), childid=list(map(as_number, children))))
    for one in removed:
        (parent,), (child,) = ends([one])
        found.append(_relation(Verb.DELETE, relation, parentid=as_number(parent), childid=as_number(child)))
    return found


def _relation(verb: Verb, relation: str, **ends: Any) -> Action:
    # A link is there or not: making or taking it away twice leaves the same.
    return Action(verb=verb, resource="relation", parameters={"relationtype": RELATION + relation, **ends}, repeatable=True)


def ask_links(relation: str, *, parents: Iterable[str] = (), children: Iterable[str] = ()) -> Action:
    """What is linked to these parents, or to these children. Asked from the wrong end, it is an empty success."""
    of = {"parentids": list(map(as_number, parents))} if parents else {"childids": list(map(as_number, children))}
    return Action(verb=Verb.GET, resource="idsfromrelation", parameters={"relationtype": RELATION + relation, **of})


def links_in(answer: Answer) -> dict[str, tuple[str, ...]]:
    """Asked id → linked ids; one without links may be left out."""
    return {identifier(asked): ids_of(linked) for row in answer.rows for asked, linked in row.elements.items()}


def asked_keys(table: Iterable[Row[V]], kind: Kind, account: Account) -> list[str]:
    """The keys to ask for in ``data``, less those that the account does not know."""
    return [key for row in table for key in row.keys if not account.drops(kind, key)]


# -------------------------------------------------------- values of onOffice


def text_of(value: Any) -> str:
    """A text field; select fields and numbers come as text or as number, a map of one key stands for its label."""
    if isinstance(value, Mapping):
        return text_of(next(iter(value.values()), ""))
    if value is None or isinstance(value, list | bool):
        return ""
    return str(value).replace("\r\n", "\n")


def truth(value: Any) -> bool:
    """A boolean in any of the forms that it comes in: true, 1, "1"."""
    return value is True or (not isinstance(value, bool) and str(value).strip().casefold() in TRUE)


def day_of(value: Any) -> date | None:
    """The day in a date or datetime; "", ``0000-00-00`` and what is no day are none."""
    text = str(value or "").strip()[:10]
    try:
        return date.fromisoformat(text) if text != NO_DATE else None
    except ValueError:
        return None


def time_of(value: Any) -> time | None:
    """The time of day in ``HH:MM:SS``, ``HH:MM`` or behind a date."""
    text = str(value or "").strip()
    text = text[11:] if len(text) > 10 else text
    try:
        return time.fromisoformat(text[:8]) if ":" in text else None
    except ValueError:
        return None


def moment_of(value: Any, zone: ZoneInfo) -> datetime | None:
    """The moment in ``YYYY-MM-DD HH:MM:SS``, which is the wall time of the account's zone; a day alone begins at midnight."""
    day = day_of(value)
    return at_wall(day, time_of(value) or time(), zone) if day else None


def at_wall(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A wall time as a moment; one that the change of clocks leaves out is the moment that it would have been."""
    return datetime.fromtimestamp(datetime.combine(day, clock, zone).timestamp(), zone)


def wall(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as onOffice writes it."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if moment.year >= 1000 else ""


def minutes_of(value: Any) -> int:
    """Whole minutes of ``HH:MM:SS``; nothing is 0."""
    clock = time_of(value)
    return clock.hour * 60 + clock.minute if clock else 0


def clock_of(minutes: int) -> str:
    """Minutes as ``HH:MM:SS``, at most a day."""
    hours, rest = divmod(max(0, min(minutes, 24 * 60 - 1)), 60)
    return f"{hours:02}:{rest:02}:00"


def ids_of(value: Any) -> tuple[str, ...]:
    """Ids in a list, in a map whose keys they are, or in objects that have an ``id``; each once, in order."""
    items = value if isinstance(value, list | tuple) else list(value) if isinstance(value, Mapping) else [value]
    found = (identifier(item.get("id")) if isinstance(item, Mapping) else identifier(item) for item in items)
    return tuple(dict.fromkeys(one for one in found if one and one != "0"))


def as_number(value: str) -> int | str:
    """An id as the number that onOffice wants, where it is one."""
    return int(value) if value.isascii() and value.isdigit() else value


# ---------------------------------------------------------------------- rows


def text(field: str, key: str) -> Row[Any]:
    """A plain text."""
    return Row(
        fields=(field,),
        keys=(key,),
        load=lambda elements, _: {field: text_of(elements[key])},
        dump=lambda value, _: {key: getattr(value, field)},
        plain=True,
    )


def whole_day(field: str, key: str) -> Row[Any]:
    """A day, empty for none."""
    return Row(
        fields=(field,),
        keys=(key,),
        load=lambda elements, _: {field: day_of(elements[key])},
        dump=lambda value, _: {key: found.isoformat() if (found := getattr(value, field)) else ""},
        plain=True,
    )
