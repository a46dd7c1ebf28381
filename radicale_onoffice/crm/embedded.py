"""The embedded CRM: the store is the CRM, so every change is true as soon as it is committed."""

from __future__ import annotations

import secrets
import time

from radicale_onoffice.core.model import Actor, Kind, Record, Value
from radicale_onoffice.core.origins import Origin
from radicale_onoffice.core.ports import Held

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letter that reads as a digit


def encoded(number: int, length: int) -> str:
    """A number in ``length`` characters of base 32."""
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))


def new_id() -> str:
    """Milliseconds since 1970 and 40 random bits: never reused, and new records sort last."""
    return encoded(time.time_ns() // 1_000_000, 9) + encoded(secrets.randbits(40), 8)


class Embedded:
    """ports.Crm without anything behind it."""

    def new_id(self, tenant: str, kind: Kind) -> str:
        """An id that no record has had."""
        return new_id()

    def create(self, actor: Actor, kind: Kind, record_id: str, value: Value, origin: Origin) -> Held:
        """Nothing is changed on the way."""
        return Held(value)

    def update(self, actor: Actor, record: Record, value: Value) -> Held:
        """Nothing is changed on the way."""
        return Held(value)

    def delete(self, actor: Actor, record: Record) -> Held:
        """Nobody else is to be told."""
        return Held(record.value)

    def settle(self, actor: Actor, record: Record) -> None:
        """Whatever was written is known."""

    def take_back(self, actor: Actor, kind: Kind, record_id: str, held: Held) -> None:
        """Nothing was made."""
