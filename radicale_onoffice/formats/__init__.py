"""DAV texts of the core's values: vCard (RFC 6350, 2426) and iCalendar (RFC 5545). Pure: text in, values out, and back."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from radicale_onoffice.core.drafts import Draft
from radicale_onoffice.core.model import Appointment, Base, Contact, Kind, Leftovers, Task, Value
from radicale_onoffice.core.ports import Rendered
from radicale_onoffice.core.rules import same_text
from radicale_onoffice.formats import appointments, contacts, tasks
from radicale_onoffice.formats.leftovers import Context
from radicale_onoffice.formats.lines import unfold


def load(kind: Kind, text: str, base: Base | None, *, zone: ZoneInfo, region: str) -> Draft:
    """What a client's text asks for, given what the client had; raises BadRequest."""
    context = Context(zone=zone, region=region)
    if kind is Kind.CONTACTS:
        return contacts.load(text, base, context)
    return appointments.load(text, base, context) if kind is Kind.APPOINTMENTS else tasks.load(text, base, context)


def render(kind: Kind, value: Value, leftovers: Leftovers, *, uid: str, modified: datetime, zone: ZoneInfo, region: str) -> Rendered:
    """The text of a value and its etag, a quoted digest of the text (ports.Renderer)."""
    context = Context(zone=zone, region=region, uid=uid, modified=modified)
    if kind is Kind.CONTACTS:
        assert isinstance(value, Contact)
        text = contacts.render(value, leftovers, context)
    elif kind is Kind.APPOINTMENTS:
        assert isinstance(value, Appointment)
        text = appointments.render(value, leftovers, context)
    else:
        assert isinstance(value, Task)
        text = tasks.render(value, leftovers, context)
    return Rendered(text, f'"{sha256(text.encode()).hexdigest()[:32]}"')


def says_the_same(sent: str, stored: str) -> bool:
    """True if what is stored is what was sent, but for folding and for the lines that every client rewrites."""
    return same_text("\n".join(unfold(sent)), "\n".join(unfold(stored)))
