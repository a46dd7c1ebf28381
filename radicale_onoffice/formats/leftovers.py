"""Rendering by patching: a client's own lines stay as they are wherever they mean what the record holds.

A ``Part`` is one line of a field table: which lines of a component it speaks for, what those lines mean, what the record wants them to mean,
and how they are written. Where meaning and wish agree the lines stay verbatim, so that what a client sent is what it gets, parameters,
order and X- properties included; where they differ the part's lines are replaced in place; everything else is left alone. Reading a change
is the same comparison between the text the client had and the text it sent: only parts that mean something else now are applied, so
that a coarser value coming back unchanged never overwrites a finer one (rule 84).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from radicale_onoffice.core.model import Appointment, Contact, Task
from radicale_onoffice.formats.lines import Component, Line, parse_line

V = TypeVar("V", Contact, Appointment, Task)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What reading and writing need beside component and value."""

    zone: ZoneInfo  # of the tenant: floating times lie in it
    region: str = "DE"
    uid: str = ""
    modified: datetime | None = None
    calendar: Component | None = None  # the VCALENDAR around, for its VTIMEZONEs


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Generic[V]):
    """One row of a field table.

    ``names`` are property or sub-component names; ``picks`` narrows them to the lines that the row speaks for. ``read`` tells what those
    mean, in a form that compares with ``want``; ``write`` makes them, given those that are there; ``patch`` applies a meaning to a value.
    A row without ``patch`` is not read back.
    """

    fields: tuple[str, ...]
    names: tuple[str, ...]
    read: Callable[[Component, Context], Any]
    want: Callable[[V, Context], Any]
    write: Callable[[V, Component, Context], Sequence[Line | Component]]
    patch: Callable[[V, Any], V] | None = None
    picks: Callable[[Component, Line | Component], bool] = lambda _component, _part: True


def line(name: str, value: str, **params: str) -> Line:
    """A canonical line."""
    return parse_line(name + "".join(f";{key}={text}" for key, text in params.items()) + f":{value}")


def apply(parts: Sequence[Part[V]], component: Component, value: V, context: Context) -> None:
    """Make a component say what the value holds, touching only the lines that say something else."""
    for part in parts:
        if part.read(component, context) != part.want(value, context):
            _replace(component, part, part.write(value, component, context))


def _replace(component: Component, part: Part[Any], written: Sequence[Line | Component]) -> None:
    mine = [index for index, old in enumerate(component.parts) if old.name in part.names and part.picks(component, old)]
    position = mine[0] if mine else _end_of_properties(component, written)
    kept_before = [old for index, old in enumerate(component.parts[:position]) if index not in mine]
    kept_after = [old for index, old in enumerate(component.parts[position:], position) if index not in mine]
    component.parts[:] = [*kept_before, *written, *kept_after]


def _end_of_properties(component: Component, written: Sequence[Line | Component]) -> int:
    """New properties stand before the first sub-component, new sub-components at the end."""
    if written and isinstance(written[0], Component):
        return len(component.parts)
    return next((index for index, old in enumerate(component.parts) if isinstance(old, Component)), len(component.parts))


def load(parts: Sequence[Part[V]], sent: Component, had: Component | None, value: V, sent_context: Context, had_context: Context) -> V:
    """The value with every part applied that means something else in ``sent`` than in ``had`` (None: every part)."""
    for part in parts:
        if part.patch is None:
            continue
        meaning = part.read(sent, sent_context)
        if had is None or meaning != part.read(had, had_context):
            value = part.patch(value, meaning)
    return value
