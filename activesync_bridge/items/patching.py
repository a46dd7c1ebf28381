"""Field tables between ActiveSync elements and DAV lines, and the engine that reads and patches by them.

A ``Row`` is one line of a field table: which elements it speaks for, how to read those from a component of the stored text, and how to
make the component say what a client sent. ``dump`` reads every row. ``patch`` reads every row of the text that the device *had*, compares
each with what the device sends, and writes only the rows that differ: a change that changes nothing leaves each line as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from activesync_bridge.items import Flavour, Ghosting
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSyncBase, Contacts, Tasks
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.formats import leftovers
from radicale_onoffice.formats.leftovers import line
from radicale_onoffice.formats.lines import Component, Line, escape, split, text_of, with_value

Elements = Sequence[Element]


@dataclass(slots=True, kw_only=True)
class Context:
    """What rows need beside the component; ``memo`` is for what several rows of one component share."""

    flavour: Flavour
    ghosting: Ghosting = field(default_factory=Ghosting)
    calendar: Component | None = None  # the VCALENDAR around, for its VTIMEZONEs
    uid: str = ""
    memo: dict[str, Any] = field(default_factory=dict)

    @property
    def dav(self) -> leftovers.Context:
        """The same for the readers and writers of ``formats``."""
        return leftovers.Context(zone=self.flavour.zone, region=self.flavour.region, uid=self.uid, calendar=self.calendar)


def _same(sent: Elements, had: Elements, _: Context) -> bool:
    return [normal(one) for one in sent] == [normal(one) for one in had]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a field table.

    ``tags`` are the elements, in schema order. ``fields`` names the fields of the core's value that the row stands for. ``names`` are the
    properties and sub-components that ``read`` looks at: a component without any of them is not read at all (empty: always read).
    ``read`` tells the elements that we send, ``write`` makes the component say what the client wants, () being nothing. ``same`` decides
    whether the client's elements mean what we sent; both sides are without empty elements and in the order of ``tags``.
    """

    tags: tuple[int, ...]
    read: Callable[[Component, Context], Elements]
    write: Callable[[Component, Elements, Context], None]
    names: frozenset[str] = frozenset()
    fields: tuple[str, ...] = ()
    same: Callable[[Elements, Elements, Context], bool] = _same
    since: Version = Version.V12_1
    keeps: bool = False  # omitting the element never deletes, whatever Supported says
    guarded: bool = False  # an empty element deletes only if Supported names it


Table = Sequence[Row]


def dump(table: Table, component: Component, context: Context) -> tuple[Element, ...]:
    """What we send of a component, in the table's order."""
    present = {part.name for part in component.parts}
    return tuple(element for row in table for element in _read(row, component, present, context))


def _read(row: Row, component: Component, present: set[str], context: Context) -> Elements:
    if context.flavour.version < row.since or (row.names and row.names.isdisjoint(present)):
        return ()
    return row.read(component, context)


def patch(table: Table, component: Component, data: Element, context: Context) -> bool:
    """Make a component say what ``data`` says; True if any row differed. Raises BadRequest."""
    sent: dict[int, list[Element]] = {}
    for child in data.children:
        sent.setdefault(child.tag, []).append(child)
    present = {part.name for part in component.parts}
    had = [(row, _read(row, component, present, context)) for row in table if row.since <= context.flavour.version]
    changes = [(row, wanted) for row, ours in had if not row.same(wanted := _wanted(row, sent, ours, context), ours, context)]
    for row, wanted in changes:
        row.write(component, wanted, context)
    return bool(changes)


def _wanted(row: Row, sent: dict[int, list[Element]], ours: Elements, context: Context) -> Elements:
    """The row's elements as the client wants them: sent ones, and those of ours that it left out and that ghosting keeps."""
    wanted: list[Element] = []
    for tag in row.tags:
        told = [one for one in sent.get(tag, ()) if not is_empty(one)]
        if told or (tag in sent and not (row.guarded and not _is_named(context.ghosting, tag))):
            wanted += told
        elif tag in sent or row.keeps or not context.ghosting.deletes(tag):
            wanted += [one for one in ours if one.tag == tag]
    return wanted


def _is_named(ghosting: Ghosting, tag: int) -> bool:
    return ghosting.managed is not None and tag in ghosting.managed


def is_empty(element: Element) -> bool:
    """True for a tag without content."""
    return element.content in ("", b"", ())


def normal(element: Element) -> tuple[int, object]:
    """An element in a form that compares: without white space around texts, without empty children."""
    if element.children:
        return element.tag, tuple(normal(child) for child in element.children if not is_empty(child))
    return element.tag, element.text.strip()


# ------------------------------------------------------------------- the echo

# What omission never deletes (``Row.keeps``), what only we compose, and what says nothing by its default
NEVER_MISSED: Final = frozenset(
    {
        AirSyncBase.Body,
        AirSyncBase.NativeBodyType,
        Contacts.Picture,
        Contacts.FileAs,
        Tasks.Complete,
        Tasks.DateCompleted,
        Tasks.Importance,
        Tasks.ReminderSet,
        Tasks.ReminderTime,
        Tasks.Sensitivity,
    }
)
DAYS: Final = frozenset({Contacts.Birthday, Contacts.Anniversary})
MOMENT = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d)(?::?(\d\d)(?:\.\d+)?)?(?:Z)?)?")


def holds(sent: Element, stored: tuple[Element, ...], ghosting: Ghosting | None = None) -> bool:
    """True if the client's item says what we would send now, so that no echo is needed.

    ``ghosting`` tells what an omitted element means; without it, omission says nothing. Where omission deletes, an element that is
    stored all the same (a number that comes back by fallback, rule 31) is one that the client must be told.
    """
    told = {child.tag for child in sent.children}
    for tag in told:
        mine = [_comparable(child) for child in sent.all(tag) if not is_empty(child)]
        if not _agree(tag, mine, [_comparable(child) for child in stored if child.tag == tag]):
            return False
    if ghosting is None:
        return True
    return not any(one.tag not in told and one.tag not in NEVER_MISSED and ghosting.deletes(one.tag) for one in stored)


def _comparable(element: Element) -> object:
    if element.tag == AirSyncBase.Body:
        return {child.tag: normal(child) for child in element.children}
    if element.children:
        return normal(element)
    text = element.text.replace("\r\n", "\n").strip()
    if element.tag == Contacts.Picture:
        return "".join(text.split())
    if len(text) < 8 or MOMENT.fullmatch(text) is None:
        return text
    try:
        return nearest_day(moment(text)) if element.tag in DAYS else moment(text)
    except BadRequest:
        return text  # a number that only looks like a date


def _agree(tag: int, sent: list[object], stored: list[object]) -> bool:
    if tag != AirSyncBase.Body:
        return sent == stored
    if not sent or not stored:
        return not any(_body_text(one) for one in (*sent, *stored))
    (mine, *_), (ours, *_) = sent, stored
    assert isinstance(mine, dict)
    assert isinstance(ours, dict)
    if mine.get(AirSyncBase.Type) != ours.get(AirSyncBase.Type):
        return False
    if AirSyncBase.Truncated in ours:
        return _body_text(mine).startswith(_body_text(ours))
    return _body_text(mine) == _body_text(ours)


def _body_text(body: object) -> str:
    data = body.get(AirSyncBase.Data) if isinstance(body, dict) else None
    return str(data[1]).replace("\r\n", "\n").strip() if data else ""


# ------------------------------------------------------ dates of [MS-ASDTYPE]


def moment(text: str) -> datetime:
    """The UTC moment of a dateTime (R15) or a Compact DateTime (2.7.5), also without a time of day; raises BadRequest."""
    found = MOMENT.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        raise BadRequest(f"{text[:40]!r} is no date and time of the form YYYY-MM-DDTHH:MM:SS.000Z.") from None


def dashed(when: datetime | date) -> str:
    """``2026-03-15T08:30:00.000Z``, as contacts and tasks want it (R15, R17); a day at 00:00Z."""
    if not isinstance(when, datetime):
        return f"{when.isoformat()}T00:00:00.000Z"
    return f"{when.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()}.000Z"


def compact(when: datetime | date) -> str:
    """``20260315T083000Z``, as appointments and InstanceId want it (R18); a day at 00:00Z."""
    return dashed(when).replace("-", "").replace(":", "").replace(".000Z", "Z")


def nearest_day(when: datetime) -> date:
    """The day that a date-only element means: clients send midnight of their own zone, 08:00Z, 11:59Z (R999) or noon."""
    try:
        return (when + timedelta(hours=12, seconds=-1)).date()
    except OverflowError:
        raise BadRequest("The date lies beyond the calendar.") from None


# ------------------------------------------------------------ lines in place


def put(component: Component, old: Sequence[Line | Component], new: Iterable[Line | Component]) -> None:
    """Put ``new`` where the first of ``old`` stands, and take all of ``old`` away; without any old, at the end of the properties."""
    parts, written = component.parts, list(new)
    ids = {id(one) for one in old}
    position = next((index for index, part in enumerate(parts) if id(part) in ids), None)
    if position is None:
        position = next((index for index, part in enumerate(parts) if isinstance(part, Component)), len(parts))
        if written and isinstance(written[0], Component):
            position = len(parts)
    before = [part for part in parts[:position] if id(part) not in ids]
    after = [part for part in parts[position:] if id(part) not in ids]
    parts[:] = [*before, *written, *after]


def drop(component: Component, gone: Line) -> None:
    """Take a line away, and the label that stood beside it alone."""
    put(component, [gone], [])
    if gone.group and not any(isinstance(part, Line) and part.group == gone.group and part.name != "X-ABLABEL" for part in component.parts):
        put(component, [label for label in component.lines("X-ABLABEL") if label.group == gone.group], [])


def with_text(old: Line | None, name: str, value: str, **params: str) -> Line:
    """A line with this (escaped) value: the old one with its parameters, or a new one."""
    if old is None or "QUOTED-PRINTABLE" in old.raw.upper():
        return line(name, value, **params)
    return with_value(old, value)


def text_element(tag: int, text: str) -> Elements:
    """The element, () without a text."""
    return (Element(tag, text),) if text else ()


def text_sent(elements: Elements) -> str:
    """The text of the first element, stripped; "" without any."""
    return elements[0].text.strip() if elements else ""


def text_row(tag: int, *names: str, fields: tuple[str, ...] = (), since: Version = Version.V12_1) -> Row:
    """A row for a plain text property; of several names the first is written, all are read."""

    def found(component: Component) -> Line | None:
        return next((one for name in names if (one := component.first(name)) is not None), None)

    def write(component: Component, elements: Elements, _: Context) -> None:
        old, text = found(component), text_sent(elements)
        put(component, [old] if old else [], [with_text(old, names[0], escape(text))] if text else [])

    return Row(
        tags=(tag,),
        names=frozenset(names),
        fields=fields,
        since=since,
        read=lambda component, _: text_element(tag, text_of(found(component))),
        write=write,
    )


def words(component: Component) -> list[str]:
    """The words of all CATEGORIES lines."""
    return [word for found in component.lines("CATEGORIES") for one in split(found.value, ",") if (word := one.strip())]


def categories_row(container: int, child: int, fields: tuple[str, ...] = ()) -> Row:
    """A row for Categories, at most 300 words; the same words in another order are no change."""

    def read(component: Component, _: Context) -> Elements:
        found = words(component)[:300]
        return (Element(container, tuple(Element(child, word) for word in found)),) if found else ()

    def sent_words(elements: Elements) -> list[str]:
        return [text for one in elements for word in one.all(child) if (text := word.text.strip())]

    def write(component: Component, elements: Elements, _: Context) -> None:
        wanted, old = sent_words(elements), component.lines("CATEGORIES")
        kept = words(component)[300:] if wanted else []
        new = [with_text(old[0] if old else None, "CATEGORIES", ",".join(escape(word) for word in (*wanted, *kept)))]
        put(component, old, new if wanted else [])

    return Row(
        tags=(container,),
        names=frozenset({"CATEGORIES"}),
        fields=fields,
        read=read,
        write=write,
        same=lambda sent, had, _: sorted(sent_words(sent)) == sorted(sent_words(had)),
    )
