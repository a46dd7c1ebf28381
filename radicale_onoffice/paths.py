"""Paths of the DAV face: ``/LOGIN/contacts/NAME.vcf`` and its like. They never change (rule 12)."""

from __future__ import annotations

from radicale_onoffice.core.model import Kind

FOLDERS = {Kind.CONTACTS: "contacts", Kind.APPOINTMENTS: "calendar", Kind.TASKS: "tasks"}
KINDS = {folder: kind for kind, folder in FOLDERS.items()}
TAGS = {Kind.CONTACTS: "VADDRESSBOOK", Kind.APPOINTMENTS: "VCALENDAR", Kind.TASKS: "VCALENDAR"}
COMPONENTS = {Kind.CONTACTS: "", Kind.APPOINTMENTS: "VEVENT", Kind.TASKS: "VTODO"}
ITEM_NAMES = {Kind.CONTACTS: "VCARD", Kind.APPOINTMENTS: "VCALENDAR", Kind.TASKS: "VCALENDAR"}


def split(path: str) -> tuple[str, str, str]:
    """Login, folder and resource name of a path; "" where it has none. A deeper path keeps its slashes in the name."""
    login, _, rest = path.strip("/").partition("/")
    folder, _, name = rest.partition("/")
    return login, folder, name
