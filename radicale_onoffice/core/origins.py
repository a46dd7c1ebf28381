"""Which item of which device a new record is made from, so that the device's repetition is recognised whatever was edited meanwhile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """All that the device calls the item; "" is what it does not say.

    ``uid`` and ``name`` are those that a client chose. ``client_id`` is the ClientId of an ActiveSync Add ([MS-ASCMD] ClientId), ``number``
    that of the key with which it came, because with a later key the ClientId may be used for something else; ``content`` is a name for the
    Add with all that it says.
    """

    uid: str = ""
    name: str = ""
    client_id: str = ""
    number: int = 0
    content: str = ""

    def part(self, suffix: str) -> Origin:
        """The origin of what is made of a part of the item."""
        uid, client_id, content = (text and f"{text}-{suffix}" for text in (self.uid, self.client_id, self.content))
        return Origin(uid=uid, client_id=client_id, number=self.number if client_id else 0, content=content)

    def is_same(self, other: Origin, *, same_device: bool) -> bool | None:
        """True if both mean the same item of a user; None if that cannot be told. Only a device knows its own ClientIds."""
        if (self.uid and self.uid == other.uid) or (self.name and self.name == other.name):
            return True
        if same_device and self.client_id and (self.client_id, self.number) == (other.client_id, other.number):
            return True
        if same_device and self.content and self.content == other.content:
            return True
        return None if UNTOLD in (self, other) else False


UNTOLD = Origin()  # nothing is known
