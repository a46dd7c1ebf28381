"""Folders as ActiveSync has them: ids, types, classes, and what a FilterType means."""

from __future__ import annotations

from collections.abc import Mapping

from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.feeds import DEFAULT, OPEN, STANDING
from radicale_onoffice.core.model import Kind

# Phones drop an account without these (fact 2): empty for ever
MAIL_FOLDERS: Mapping[str, int] = {"inbox": 2, "drafts": 3, "deleted": 4, "sent": 5, "outbox": 6}
KIND_FOLDERS: Mapping[Kind, int] = {Kind.TASKS: 7, Kind.APPOINTMENTS: 8, Kind.CONTACTS: 9}  # the one default folder of its type
CLASSES: Mapping[str, str] = {
    Kind.CONTACTS.value: "Contacts",
    Kind.APPOINTMENTS.value: "Calendar",
    Kind.TASKS.value: "Tasks",
    **dict.fromkeys(MAIL_FOLDERS, "Email"),
}
SCOPES: Mapping[Kind, Mapping[int, str]] = {
    Kind.APPOINTMENTS: {0: DEFAULT, 4: "P14D", 5: "P1M", 6: "P3M", 7: "P6M"},  # [MS-ASCMD] 2.2.3.68.2
    Kind.TASKS: {0: STANDING, 8: OPEN},
}


def scope_of(kind: Kind, filter_type: int) -> str:
    """The feed's scope for a FilterType (U15, U16); contacts ignore it. Raises BadRequest for one that the class does not have."""
    if kind is Kind.CONTACTS:
        return DEFAULT
    scope = SCOPES[kind].get(filter_type)
    if scope is None:
        raise BadRequest(f"FilterType {filter_type} means nothing for {kind}.")
    return scope
