"""Three-way merge by field: what a device changed, on top of what somebody else changed meanwhile (U46)."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TypeVar

from radicale_onoffice.core.model import Appointment, Contact, Task

V = TypeVar("V", Contact, Appointment, Task)


def merge(base: V, device: V, current: V) -> V:
    """``current`` with the fields that only the device changed; where both changed the same field, ``current`` wins (U46)."""
    if base == current:
        return device
    mine = {
        field.name: getattr(device, field.name)
        for field in fields(base)
        if getattr(device, field.name) != getattr(base, field.name) and getattr(current, field.name) == getattr(base, field.name)
    }
    return replace(current, **mine)
