"""What VEVENT and VTODO have in common: the calendar around, and the rows of the field tables that are the same in both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import Appointment, Leftovers, Task
from radicale_onoffice.formats.leftovers import Context, Part, line
from radicale_onoffice.formats.lines import Component, build, escape, parse, split, text_of
from radicale_onoffice.formats.times import ensure_definitions

V = TypeVar("V", Appointment, Task)
PRIVATE = ("PRIVATE", "CONFIDENTIAL")


def text_row(name: str, field: str, kind: Callable[..., V]) -> Part[V]:
    """A row for a plain text property."""
    return Part(
        fields=(field,),
        names=(name,),
        read=lambda component, _: text_of(component.first(name)),
        want=lambda value, _: getattr(value, field).strip(),
        write=lambda value, _component, _context: [line(name, escape(getattr(value, field)))] if getattr(value, field).strip() else [],
        patch=lambda value, text: replace(value, **{field: text}),
    )


def private_row(kind: Callable[..., V]) -> Part[V]:
    """CLASS: private or confidential on one side, private on the other."""
    return Part(
        fields=("private",),
        names=("CLASS",),
        read=lambda component, _: text_of(component.first("CLASS")).upper() in PRIVATE,
        want=lambda value, _: value.private,
        write=lambda value, _component, _context: [line("CLASS", "PRIVATE")] if value.private else [],
        patch=lambda value, private: replace(value, private=private),
    )


def type_row(kind: Callable[..., V]) -> Part[V]:
    """CATEGORIES: the first one is the record's type (Art); a client's further ones stay its own."""

    def read(component: Component, _: Context) -> str:
        found = component.first("CATEGORIES")
        return split(found.value, ",")[0].strip() if found else ""

    def write(value: V, component: Component, _: Context) -> list[Any]:
        more: list[str] = [word for found in component.lines("CATEGORIES") for word in split(found.value, ",")][1:]
        words = [*([value.type] if value.type else []), *more]
        return [line("CATEGORIES", ",".join(escape(word) for word in words))] if words else []

    return Part(
        fields=("type",),
        names=("CATEGORIES",),
        read=read,
        want=lambda value, _: value.type.strip(),
        write=write,
        patch=lambda value, word: replace(value, type=word),
    )


def calendar_of(text: str, name: str) -> Component:
    """The one VCALENDAR of a text with at least one component of the name; raises BadRequest."""
    found = parse(text)
    if len(found) != 1 or found[0].name != "VCALENDAR":
        raise BadRequest("One iCalendar object is expected: BEGIN:VCALENDAR ... END:VCALENDAR.")
    kinds = {part.name for part in found[0].parts if isinstance(part, Component)} - {"VTIMEZONE"}
    if name not in kinds:
        raise BadRequest(f"A {name} is expected here, not {', '.join(sorted(kinds)) or 'an empty calendar'}.")
    uids = {text_of(part.first("UID")) for part in found[0].components(name)}
    if len(uids) > 1:
        raise BadRequest(f"One object holds one UID only, this one holds {len(uids)} (RFC 4791 4.1).")
    return found[0]


def main(calendar: Component, name: str) -> Component:
    """The component that is not an overridden occurrence; a lone override stands for itself."""
    found = calendar.components(name)
    return next((part for part in found if part.first("RECURRENCE-ID") is None), found[0])


def opened(kept: Leftovers, name: str, context: Context) -> tuple[Component, Component]:
    """The calendar and its main component to be patched: the client's own, or a new one."""
    if kept.lines:
        (calendar,) = build(kept.lines)
        component = main(calendar, name)
        calendar.parts[:] = [part for part in calendar.parts if part is component or not isinstance(part, Component) or part.name != name]
        component.parts[:] = [part for part in component.parts if part.name != "RECURRENCE-ID"]
    else:
        component = Component(name)
        calendar = Component("VCALENDAR", [line("VERSION", "2.0"), line("PRODID", "-//radicale-onoffice//EN"), component])
    if text_of(component.first("UID")) != context.uid:
        component.parts[:] = [part for part in component.parts if part.name != "UID"]
        component.parts.insert(0, line("UID", escape(context.uid)))
    if component.first("DTSTAMP") is None:
        assert context.modified is not None
        component.parts.insert(1, line("DTSTAMP", f"{context.modified:%Y%m%dT%H%M%SZ}"))
    return calendar, component


def closed(calendar: Component) -> None:
    """What must hold at the end, whatever was patched."""
    ensure_definitions(calendar)
