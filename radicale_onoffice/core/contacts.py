"""What is particular to contacts: the name they are shown under, and their columns."""

from __future__ import annotations

from radicale_onoffice.core.model import FOREVER, Contact
from radicale_onoffice.core.ports import Summary


def display_name(contact: Contact) -> str:
    """The name that a client lists the contact under; a company's contact goes by the company (U13)."""
    person = " ".join(part for part in (contact.title, contact.first_name, contact.last_name) if part)
    if contact.first_name or contact.last_name:
        return person
    entry = next((entry.value for entry in contact.entries), "")
    return contact.company or person or entry or "?"


def summary(contact: Contact) -> Summary:
    """Columns of a contact: it concerns those who flagged it (rule 17)."""
    return Summary(
        audience=frozenset(f"u:{user}" for user in contact.sync_users),
        mark="archived" if contact.archived else "",
        owner="",
        starts=0,
        ends=FOREVER,
        recurring=False,
    )
