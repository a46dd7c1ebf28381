"""What a reader sees: the folders whose gates are open, their names and colours, and whether they can be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from radicale_onoffice.core import rights
from radicale_onoffice.core.errors import NotFound
from radicale_onoffice.core.model import Identity, Kind, Right, Tenant, User
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Transaction

DISPLAY_NAMES: Mapping[str, Mapping[Kind, str]] = {
    "de": {Kind.CONTACTS: "onOffice Kontakte", Kind.APPOINTMENTS: "onOffice Termine", Kind.TASKS: "onOffice Aufgaben"},
    "en": {Kind.CONTACTS: "onOffice contacts", Kind.APPOINTMENTS: "onOffice appointments", Kind.TASKS: "onOffice tasks"},
    "it": {Kind.CONTACTS: "Contatti onOffice", Kind.APPOINTMENTS: "Appuntamenti onOffice", Kind.TASKS: "Compiti onOffice"},
}
COLORS: Mapping[Kind, str] = {Kind.CONTACTS: "#0a6ebdff", Kind.APPOINTMENTS: "#e2001aff", Kind.TASKS: "#f39200ff"}
MAX_PROPERTY = 1024  # characters of a display name, description or colour that a client may set


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A user with the tenant, as every question about what is offered needs them."""

    tenant: Tenant
    user: User

    @property
    def identity(self) -> Identity:
        """Whose view this is."""
        return self.user.identity

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which days begin and all-day appointments lie (U29)."""
        return ZoneInfo(self.tenant.timezone)

    def principals(self, kind: Kind, policy: Policy) -> frozenset[str]:
        """What the reader's records of this kind are found by; group tasks only on request (U33)."""
        if kind is Kind.TASKS and not policy.group_tasks:
            return frozenset({f"u:{self.identity.user}"})
        return rights.principals(self.user)


def reader(tx: Transaction, identity: Identity) -> Reader:
    """The reader behind an identity; raises NotFound."""
    found = tx.account(identity)
    if found is None:
        raise NotFound(f"There is no user {identity.user!r} of tenant {identity.tenant!r}.")
    return Reader(tenant=found[0], user=found[1])


def offered_kinds(who: Reader) -> tuple[Kind, ...]:
    """The kinds whose folders exist for the reader (rules 1, 2)."""
    return tuple(kind for kind in Kind if rights.is_offered(who.tenant, who.user, kind))


def reasons(who: Reader, kind: Kind) -> tuple[str, ...]:
    """Why the kind's folder does not exist for the reader; empty = it does."""
    return rights.reasons(rights.closed_gates(who.tenant, who.user, kind), is_readable=rights.may(who.user, kind, Right.READ))


def properties(who: Reader, kind: Kind, saved: Mapping[str, str]) -> dict[str, str]:
    """Display name, colour and whatever else the user's clients have set for the folder."""
    names = DISPLAY_NAMES.get(who.user.language, DISPLAY_NAMES["en"])
    return {"display_name": names[kind], "color": COLORS[kind], **saved}
