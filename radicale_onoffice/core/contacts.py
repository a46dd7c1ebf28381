"""What is particular to contacts: the name they are shown under, and their columns."""

from __future__ import annotations

from radicale_onoffice.core.folding import folded, number_key, spellings
from radicale_onoffice.core.model import FOREVER, Contact, EntryKind
from radicale_onoffice.core.ports import Sought, Summary


def display_name(contact: Contact) -> str:
    """The name that a client lists the contact under; a company's contact goes by the company (U13)."""
    person = " ".join(part for part in (contact.title, contact.first_name, contact.last_name) if part)
    if contact.first_name or contact.last_name:
        return person
    entry = next((entry.value for entry in contact.entries), "")
    return contact.company or person or entry or "?"


def sought(contact: Contact) -> Sought:
    """What the contact is found by in lists: names, company, town, and all numbers and addresses, offered to a device or not."""
    name = display_name(contact)
    texts = (
        f"{contact.last_name} {contact.first_name}",
        f"{contact.first_name} {contact.last_name}",
        name,
        contact.company,
        contact.department,
        contact.city,
        *(entry.value for entry in contact.entries if entry.kind is EntryKind.EMAIL),
    )
    numbers = (number_key(entry.value) for entry in contact.entries if entry.kind is not EntryKind.EMAIL)
    keys = dict.fromkeys(key for key in (*spellings(text.strip() for text in texts), *numbers) if key)
    sort_key = folded(f"{contact.last_name} {contact.first_name}") or folded(name)
    return Sought(name, contact.company, sort_key, "".join(f"\n{key}" for key in keys))


def summary(contact: Contact) -> Summary:
    """Columns of a contact: it concerns those who flagged it (rule 17)."""
    return Summary(
        audience=frozenset(f"u:{user}" for user in contact.sync_users),
        mark="archived" if contact.archived else "",
        owner="",
        starts=0,
        ends=FOREVER,
        recurring=False,
        sought=sought(contact),
    )
