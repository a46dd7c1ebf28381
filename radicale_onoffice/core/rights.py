"""Gates and rights: may this user synchronise this kind at all, and what may the user change.

A gate closes a folder in both faces; a missing right refuses one change (rules 1, 2, 8, 9, 14).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from radicale_onoffice.core.errors import GateClosed, Refused
from radicale_onoffice.core.model import Identity, Kind, Right, Tenant, User, UserState
from radicale_onoffice.core.policy import Direction, Policy


class Gate(StrEnum):
    """The five gates; all must be open. onOffice's own codes: 216 module, 217 user's switch, 218 user's right."""

    MODULE = "module"
    USER_STATE = "user_state"
    SYNC_RIGHT = "sync_right"
    SWITCH = "switch"
    OTHER_CHANNEL = "other_channel"


REASONS: Mapping[Gate, str] = {
    Gate.MODULE: "the customer has not booked the synchronisation module",
    Gate.USER_STATE: "the user is deactivated",
    Gate.SYNC_RIGHT: "the user lacks the right to synchronise",
    Gate.SWITCH: "the user switched this kind off in the settings",
    Gate.OTHER_CHANNEL: "another synchronisation (memotoo, Microsoft 365) is active for this kind",
}


def closed_gates(tenant: Tenant, user: User, kind: Kind) -> tuple[Gate, ...]:
    """Gates that keep this kind from the user, in the order in which to mend them; empty = open."""
    closed = {
        Gate.MODULE: not tenant.module,
        Gate.USER_STATE: user.state is not UserState.ACTIVE,
        Gate.SYNC_RIGHT: not user.sync_right,
        Gate.SWITCH: kind not in user.switches,
        Gate.OTHER_CHANNEL: kind in user.other_channels,
    }
    return tuple(gate for gate, is_closed in closed.items() if is_closed)


def reasons(gates: Iterable[Gate], *, is_readable: bool) -> tuple[str, ...]:
    """Why a kind is not offered, in words: the closed gates, or else that its records may not be read; empty = it is."""
    closed = tuple(REASONS[gate] for gate in gates)
    return closed or (() if is_readable else ("the user may not read records of this kind",))


def may(user: User, kind: Kind, right: Right) -> bool:
    """True if the user has this right on records of the kind (rule 9)."""
    return f"{kind}.{right}" in user.rights


def is_offered(tenant: Tenant, user: User, kind: Kind) -> bool:
    """True if the kind's folder exists for the user: gates open and records readable."""
    return may(user, kind, Right.READ) and not closed_gates(tenant, user, kind)


def may_be_written(kind: Kind, policy: Policy) -> bool:
    """True if devices may change records of this kind at all (U48)."""
    return policy.direction[kind] is Direction.BOTH


def demand(tenant: Tenant, user: User, kind: Kind, right: Right, policy: Policy) -> None:
    """Raise GateClosed or Refused unless the user may do this (rules 1, 9; U47, U48)."""
    closed = closed_gates(tenant, user, kind)
    if closed:
        raise GateClosed(kind, tuple(REASONS[gate] for gate in closed))
    if right is not Right.READ and not may_be_written(kind, policy):
        raise Refused(f"The {kind} are synchronised to devices only; change them in onOffice.")
    if not may(user, kind, right):
        raise Refused(f"You may not {right} {kind} in onOffice; ask your administrator for the right.")


def demand_in_the_crm(tenant: Tenant, user: User, kind: Kind, right: Right) -> None:
    """Raise GateClosed or Refused unless the user may do this on a page, which stands for the CRM's own.

    What the office closes holds there, too. The user's own switches and the direction of synchronisation are about devices.
    """
    closed = [gate for gate in closed_gates(tenant, user, kind) if gate not in (Gate.SWITCH, Gate.OTHER_CHANNEL)]
    if closed:
        raise GateClosed(kind, tuple(REASONS[gate] for gate in closed))
    if not may(user, kind, right):
        raise Refused(f"You may not {right} {kind} in onOffice; ask your administrator for the right.")


def principals(user: User) -> frozenset[str]:
    """What the user's records are found by: the user and the user's groups (rule 53)."""
    return frozenset({f"u:{user.identity.user}", *(f"g:{group}" for group in user.groups)})


def parse_rights(words: Iterable[str]) -> frozenset[str]:
    """Rights from "kind.right" words; raises ValueError naming a word that is none."""
    known = {f"{kind}.{right}" for kind in Kind for right in Right}
    unknown = sorted(set(words) - known)
    if unknown:
        raise ValueError(f"unknown right {unknown[0]!r}; rights are {', '.join(sorted(known))}")
    return frozenset(words)


def nobody(identity: Identity) -> User:
    """A user without any right, standing in for an actor of the CRM's side who has no account here."""
    return User(identity=identity, sync_right=False, switches=frozenset(), rights=frozenset())
