"""The items of all kinds behind one set of functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from activesync_bridge.items import Flavour, Ghosting, appointments, contacts, patching, tasks
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


def dump(kind: Kind, text: str, uid: str, flavour: Flavour) -> tuple[Element, ...]:
    """Children of ApplicationData, in schema order, out of a record's DAV text."""
    return DUMPS[kind](text, uid, flavour)


def patch(
    kind: Kind, text: str | None, data: Element, flavour: Flavour, ghosting: Ghosting, *, uid: str = "", now: datetime | None = None
) -> str:
    """The DAV text that a client's ApplicationData makes of the text that it had (None: of nothing). Raises BadRequest.

    ``now`` fills in the times of a new appointment that has none ([MS-ASCAL] 3.2.4.4).
    """
    if kind is Kind.APPOINTMENTS:
        return appointments.patch(text, data, flavour, ghosting, uid=uid, now=now)
    return (contacts.patch if kind is Kind.CONTACTS else tasks.patch)(text, data, flavour, ghosting, uid=uid)


def holds(kind: Kind, sent: Element, text: str, uid: str, flavour: Flavour, ghosting: Ghosting) -> bool:
    """True if the client's item says what we would send of the stored text, so that it need not get it."""
    if kind is Kind.APPOINTMENTS:
        return appointments.holds(sent, text, flavour, ghosting)
    return patching.holds(sent, dump(kind, text, uid, flavour), ghosting)


def draft(kind: Kind, text: str, base: Base | None, flavour: Flavour) -> Draft:
    """What the core is asked for: the same reading of the text as that of a PUT. Raises BadRequest."""
    return formats.load(kind, text, base, zone=flavour.zone, region=flavour.region)


def wanted_uid(kind: Kind, data: Element, flavour: Flavour) -> str:
    """The UID that a client chose for a new item, "" if it chose none: by it an item that comes twice is found."""
    return appointments.wanted_uid(data, flavour) if kind is Kind.APPOINTMENTS else ""


def is_complete(kind: Kind, data: Element) -> bool:
    """False for a new appointment whose times the server has to make ([MS-ASCAL] 3.2.4.4), and to tell."""
    return kind is not Kind.APPOINTMENTS or all(data.text_of(tag).strip() for tag in (Calendar.StartTime, Calendar.EndTime))


def patch_occurrence(kind: Kind, text: str | None, instance: str, data: Element | None, flavour: Flavour) -> str:
    """The DAV text after one occurrence was changed, or with ``data`` None deleted (16.x). Raises BadRequest."""
    if kind is not Kind.APPOINTMENTS or text is None:
        raise BadRequest("Only an appointment has occurrences.")
    if data is None:
        return appointments.delete_instance(text, instance, flavour)
    return appointments.patch_instance(text, instance, data, flavour)
