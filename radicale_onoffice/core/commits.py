"""What one commit of ``Records`` is to store."""

from __future__ import annotations

from dataclasses import dataclass

from radicale_onoffice.core import appointments, contacts, tasks
from radicale_onoffice.core.folders import Reader
from radicale_onoffice.core.model import Actor, Appointment, Contact, Kind, Leftovers, Record, Task, Value
from radicale_onoffice.core.ports import Held, Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What one commit is to store; ``record`` None means a new one."""

    actor: Actor
    kind: Kind
    record: Record | None
    record_id: str
    held: Held
    leftovers: Leftovers
    uid: str
    name: str
    action: str


def summarise(value: Value, who: Reader) -> Summary:
    """The columns of a value."""
    if isinstance(value, Contact):
        return contacts.summary(value)
    if isinstance(value, Appointment):
        return appointments.summary(value, who.zone)
    assert isinstance(value, Task)
    return tasks.summary(value, who.zone)
