"""What people call a record, in a line: for lists, messages and confirmations."""

from __future__ import annotations

from radicale_onoffice.core.model import Contact, Value

MAX_TITLE = 120  # characters


def title(value: Value) -> str:
    """Name or company of a contact, subject of an appointment or a task; "" for one that has none."""
    if isinstance(value, Contact):
        name = ", ".join(filter(None, (value.last_name, value.first_name)))
        found = name or value.company or next((entry.value for entry in value.entries), "")
    else:
        found = value.subject
    return " ".join(found.split())[:MAX_TITLE]


def is_private(value: Value) -> bool:
    """True for what only those who take part may read, a subject included."""
    return not isinstance(value, Contact) and value.private
