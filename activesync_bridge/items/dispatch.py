"""The items of all kinds behind one set of functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from activesync_bridge.items import Flavour, Ghosting, appointments, contacts, tasks
from activesync_bridge.wbxml.codepages import Calendar
from activesync_bridge.wbxml.element import Element
from radicale_onoffice import formats
from radicale_onoffice.core.drafts import Draft
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.model import Base, Kind

DUMPS: Mapping[Kind, Callable[[str, str, Flavour], tuple[Element, ...]]] = {
    Kind.CONTACTS: contacts.dump,
    Kind.APPOINTMENTS: appointments.dump,
    Kind.TASKS: tasks.dump,
}
PATCHES: Mapping[Kind, Callable[..., str]] = {
    Kind.CONTACTS: contacts.patch,
    Kind.TASKS: tasks.patch,
}


def dump(kind: Kind, text: str, uid: str, flavour: Flavour) -> tuple[Element, ...]:
    """Children of ApplicationData, in schema order, out of a record's DAV text."""
    return DUMPS[kind](text, uid, flavour)


def patch(
    kind: Kind, text: str | None, data: Element, flavour: Flavour, ghosting: Ghosting, *, uid: str = "", now: datetime | None = None
) -> str:
    """The DAV text that a client's ApplicationData makes of the text that it had (None: of nothing). Raises BadRequest.

    ``now`` fills in the times of a new appointment that names none ([MS-ASCAL] 3.2.4.4).
    """
    if kind is Kind.APPOINTMENTS:
        return appointments.patch(text, data, flavour, ghosting, uid=uid, now=now)
    return PATCHES[kind](text, data, flavour, ghosting, uid=uid)


def draft(kind: Kind, text: str, base: Base | None, flavour: Flavour) -> Draft:
    """What the core is asked for: the same reading of the text as that of a PUT. Raises BadRequest."""
    return formats.load(kind, text, base, zone=flavour.zone, region=flavour.region)


def client_uid(data: Element) -> str:
    """The UID that a client chose for an appointment: UID up to 14.1, ClientUid from 16.0 (R2060-R2062; iOS ends it with a NUL)."""
    return (data.text_of(Calendar.UID) or data.text_of(Calendar.ClientUid)).strip("\0 ")


def patch_occurrence(kind: Kind, text: str | None, instance: str, data: Element | None, flavour: Flavour) -> str:
    """The DAV text after one occurrence was changed, or with ``data`` None deleted (16.x). Raises BadRequest."""
    if kind is not Kind.APPOINTMENTS or text is None:
        raise BadRequest("Only an appointment has occurrences.")
    if data is None:
        return appointments.delete_instance(text, instance, flavour)
    return appointments.patch_instance(text, instance, data, flavour)
