"""Commands about what users see of themselves on the pages, and about many users at once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from radicale_onoffice.admin.accounts import users
from radicale_onoffice.admin.console import AsJson, Config, Login, administrator, clear, identity_of, moment, opened, out, print_json, show
from radicale_onoffice.core.administration import Administrator
from radicale_onoffice.core.model import Kind
from radicale_onoffice.core.office import Office
from radicale_onoffice.core.overview import KindStatus, UserStatus
from radicale_onoffice.core.rights import Gate, reasons

bulk = typer.Typer(no_args_is_help=True, help="Many users of a tenant at once: all are changed or none.")
Logins = Annotated[list[str], typer.Argument(help="User parts of logins; - reads them from standard input, one a line")]
TenantName = Annotated[str | None, typer.Option("--tenant", help="Tenant; default: that of logins that name none")]


@users.command("status")
@clear
def status(login: Login, config: Config, json: AsJson = False) -> None:
    """Tell what a user's page tells: per kind whether it is on and when it was synchronised, the lock, what was refused lately."""
    with opened(config) as office:
        identity = identity_of(office, login)
        kinds, user = office.overview.kinds(identity), office.overview.user(identity)
    rows = [_kind(one) for one in kinds]
    if json:
        print_json({"kinds": rows, **_user(user)})
        return
    show(rows, as_json=False, title=login, empty="")
    for name, value in _user(user).items():
        if value and not isinstance(value, list):
            out.print(f"{name}: {value}", markup=False, highlight=False)
    told = [{"at": moment(line.at), "event": line.event, "detail": line.detail} for line in user.told]
    show(told, as_json=False, title="Lately", empty="Nothing was refused or changed lately.")


def _kind(found: KindStatus) -> dict[str, object]:
    return {
        "kind": found.kind.value,
        "on": found.is_offered,
        "why not": list(reasons(found.gates, is_readable=found.is_readable)),
        "count": found.count,
        "last sync": moment(found.last_sync.at if found.last_sync else None),
        "devices": found.last_sync.clients if found.last_sync else 0,
    }


def _user(found: UserStatus) -> dict[str, object]:
    lock = found.lock
    return {
        "locked since": moment(lock.since if lock else None),
        "wrong passwords": lock.failures if lock else 0,
        "locked by": (lock.client.label or lock.client.client) if lock and lock.client else "",
        "address": lock.address if lock else "",
        "maintenance": str(found.maintenance or ""),
        "password expired": found.is_password_expired,
        "old password on": ", ".join(one.label or one.client for one in found.with_old_password),
        "told": [{"at": moment(line.at), "event": line.event, "detail": line.detail} for line in found.told],
    }


@users.command("visits")
@clear
def visits(login: Login, config: Config, json: AsJson = False) -> None:
    """List the clients that come with a login, over both faces, and which of them still use an old password."""
    with opened(config) as office:
        identity = identity_of(office, login)
        found, old = office.visits.of(identity), office.visits.with_old_password(identity)
    rows = [
        {
            "face": one.face.value,
            "client": one.client,
            "label": one.label,
            "address": one.address,
            "last ok": moment(one.last_ok),
            "last failed": moment(one.last_failed),
            "failures": one.failures,
            "old password": one in old,
            **{kind.value: moment(one.synced.get(kind)) for kind in Kind},
        }
        for one in found
    ]
    show(rows, as_json=json, title=f"Clients of {login}", empty="Nobody has come with this login yet.")


@users.command("switch")
@clear
def switch(
    login: Login,
    kind: Annotated[Kind, typer.Argument(help="Which kind")],
    config: Config,
    is_on: Annotated[bool, typer.Option("--on/--off", help="Switch it on or off")] = True,
) -> None:
    """Switch a kind on or off, as the user does on the page."""
    with opened(config) as office:
        office.settings.set_switch(identity_of(office, login), kind, is_on, administrator())
        out.print(f"{kind.value.capitalize()} of {login} are switched {'on' if is_on else 'off'}.")


@users.command("channel")
@clear
def channel(
    login: Login,
    kind: Annotated[Kind, typer.Argument(help="Which kind")],
    config: Config,
    is_used: Annotated[bool, typer.Option("--used/--unused", help="Another synchronisation serves it, or no longer")] = True,
) -> None:
    """Tell whether another synchronisation (memotoo, Microsoft 365) serves a kind; while it does, ours does not."""
    with opened(config) as office:
        office.settings.set_other_channel(identity_of(office, login), kind, is_used, administrator())
        out.print(f"{kind.value.capitalize()} of {login} are synchronised {'by another channel' if is_used else 'here'}.")


@users.command("restart")
@clear
def restart(
    login: Login, config: Config, kinds: Annotated[list[Kind] | None, typer.Argument(help="Which kinds; default: all")] = None
) -> None:
    """Have all clients of a user start from the beginning; the lock stays."""
    with opened(config) as office:
        restarted = office.settings.restart(identity_of(office, login), kinds or list(Kind), administrator())
        out.print(f"The clients of {login} start again with {', '.join(restarted)}.")


@users.command("sessions")
@clear
def sessions(
    login: Login, config: Config, end: Annotated[bool, typer.Option("--end", help="End them all")] = False, json: AsJson = False
) -> None:
    """List the page sessions of a user, or end them."""
    with opened(config) as office:
        identity = identity_of(office, login)
        if end:
            out.print(f"{office.accounts.revoke_page_sessions(identity, administrator())} sessions of {login} are ended.")
            return
        found = office.accounts.page_sessions(identity)
    rows = [
        {
            "opened": moment(one.created),
            "last used": moment(one.last_used),
            "expires": moment(one.expires),
            "browser": one.browser,
            "address": one.address,
        }
        for one in found
    ]
    show(rows, as_json=json, title=f"Page sessions of {login}", empty="There is none.")


# ----------------------------------------------------------------- many users


def operator(office: Office, tenant: str | None) -> Administrator:
    """Who works on the command line."""
    return office.administration.as_operator(tenant or office.default_tenant, administrator())


def _named(logins: list[str]) -> list[str]:
    return [line.strip() for line in sys.stdin if line.strip()] if logins == ["-"] else logins


@bulk.command("gate")
@clear
def bulk_gate(
    gate: Annotated[Gate, typer.Argument(help="Which gate; user_state activates and deactivates")],
    logins: Logins,
    config: Config,
    kind: Annotated[Kind | None, typer.Option(help="Needed for switch and other_channel")] = None,
    is_open: Annotated[bool, typer.Option("--open/--close", help="Open or close it")] = True,
    tenant: TenantName = None,
) -> None:
    """Open or close a gate of many users."""
    with opened(config) as office:
        changed = office.administration.set_gate(operator(office, tenant), _named(logins), gate, kind, is_open)
        out.print(f"{changed} users changed.")


@bulk.command("rights")
@clear
def bulk_rights(
    words: Annotated[str, typer.Argument(help="Rights, separated by commas, e.g. contacts.read,contacts.modify")],
    logins: Logins,
    config: Config,
    tenant: TenantName = None,
) -> None:
    """Give many users these rights and no others."""
    with opened(config) as office:
        wanted = [word.strip() for word in words.split(",") if word.strip()]
        out.print(f"{office.administration.set_rights(operator(office, tenant), _named(logins), wanted)} users changed.")


@bulk.command("unlock")
@clear
def bulk_unlock(logins: Logins, config: Config, tenant: TenantName = None) -> None:
    """Open the sync lock of many users."""
    with opened(config) as office:
        out.print(f"{office.administration.unlock(operator(office, tenant), _named(logins))} users were locked.")
