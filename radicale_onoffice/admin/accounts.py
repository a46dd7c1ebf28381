"""Commands about tenants, users, their gates and the lock."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
import typer

from radicale_onoffice.admin.console import (
    AsJson,
    Config,
    FromStdin,
    Login,
    administrator,
    clear,
    fail,
    identity_of,
    moment,
    new_password,
    opened,
    out,
    print_json,
    show,
)
from radicale_onoffice.core import rights
from radicale_onoffice.core.administration import MAX_PAGE_SIZE, UserRow
from radicale_onoffice.core.lists import Show
from radicale_onoffice.core.model import Kind, Tenant, User
from radicale_onoffice.core.office import Office
from radicale_onoffice.core.rights import Gate

users = typer.Typer(no_args_is_help=True, help="Users, their passwords, rights and gates.")
tenants = typer.Typer(no_args_is_help=True, help="Tenants (onOffice customers).")
maintenance = typer.Typer(no_args_is_help=True, help="Maintenance: all clients get 503 and come again.")

Groups = Annotated[str | None, typer.Option(help="Office groups, separated by commas")]
Language = Annotated[str | None, typer.Option(help="Language of folders and pages: de, en, it")]
Words = Annotated[
    str | None, typer.Option("--rights", help="Rights, separated by commas, e.g. contacts.read,contacts.modify; default: all")
]


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(sorted({word.strip() for word in (text or "").split(",") if word.strip()}))


def _with_settings(user: User, groups: str | None, language: str | None, words: str | None) -> User:
    if groups is not None:
        user = replace(user, groups=_words(groups))
    if language is not None:
        user = replace(user, language=language)
    return replace(user, rights=rights.parse_rights(_words(words))) if words is not None else user


@users.command("add")
@clear
def add_user(
    login: Login,
    config: Config,
    password_stdin: FromStdin = False,
    no_password: Annotated[bool, typer.Option(help="For a foreign password backend: store none")] = False,
    admin: Annotated[bool, typer.Option(help="The user administers others on the pages")] = False,
    groups: Groups = None,
    language: Language = None,
    words: Words = None,
) -> None:
    """Add a user; the password is asked for, or read from standard input."""
    with opened(config) as office:
        identity = office.accounts.resolve(login)
        with office.store.reading() as tx:
            if tx.user(identity) is not None:
                fail(f"The user {login!r} exists already; `user passwd` and `user set` change it.")
        user = _with_settings(User(identity=identity, admin=admin), groups, language, words)
        office.accounts.save_user(user, None if no_password else new_password(password_stdin), administrator())
        out.print(f"Added {office.accounts.login_name(identity)}.")


@users.command("set")
@clear
def set_user(
    login: Login,
    config: Config,
    admin: Annotated[bool | None, typer.Option("--admin/--no-admin", help="The user administers others on the pages")] = None,
    groups: Groups = None,
    language: Language = None,
    words: Words = None,
) -> None:
    """Change a user's groups, language, rights or admin mark."""
    with opened(config) as office:
        identity = identity_of(office, login)
        marks = {} if admin is None else {"admin": admin}
        office.accounts.change_user(identity, administrator(), lambda user: replace(_with_settings(user, groups, language, words), **marks))
        out.print(f"Changed {login}.")


@users.command("list")
@clear
def list_users(
    config: Config,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant")] = None,
    find: Annotated[str, typer.Option(help="Only logins with this text")] = "",
    only: Annotated[
        Show, typer.Option("--show", help="Only those that are locked, have a gate closed, are deactivated, or administer")
    ] = Show.ALL,
    json: AsJson = False,
) -> None:
    """List users with what keeps them from synchronising, when they last came, and what fails."""
    with opened(config) as office:
        with office.store.reading() as tx:
            names = [one.name for one in tx.tenants() if tenant in (None, one.name)]
        rows = [_row(office, name, row) for name in names for row in _all_users(office, name, find, only)]
    show(rows, as_json=json, title="Users", empty="There are no such users; `user add` makes one.")


def _all_users(office: Office, tenant: str, find: str, only: Show) -> Iterator[UserRow]:
    who = office.administration.as_operator(tenant, administrator())
    for page in itertools.count():
        found = office.administration.users(who, text=find, show=only, page=page, size=MAX_PAGE_SIZE)
        yield from found.rows
        if (page + 1) * MAX_PAGE_SIZE >= found.total:
            return


def _row(office: Office, tenant: str, row: UserRow) -> dict[str, object]:
    return {
        "login": office.accounts.login_name(row.user.identity),
        "tenant": tenant,
        "admin": row.user.admin,
        "locked": row.locked_since is not None,
        "language": row.user.language,
        "groups": list(row.user.groups),
        **{kind.value: ", ".join(gates) or "open" for kind, gates in row.gates.items()},
        "last seen": moment(row.last_seen),
        "clients": row.clients,
        "failing": row.failing,
    }


@users.command("passwd")
@clear
def set_password(login: Login, config: Config, password_stdin: FromStdin = False) -> None:
    """Set a user's password; the lock stays, so correct the devices first and then unlock."""
    with opened(config) as office:
        identity = identity_of(office, login)
        office.accounts.change_user(identity, administrator(), password=new_password(password_stdin))
        locked = office.accounts.is_locked(identity)
        out.print(f"The password of {login} is changed." + (" Sync is still locked: `user unlock`." if locked else ""))


@users.command("unlock")
@clear
def unlock(login: Login, config: Config) -> None:
    """Open the sync lock of a user, and the pages where wrong passwords have slowed them down."""
    with opened(config) as office:
        was_locked = office.accounts.unlock(identity_of(office, login), administrator(), pages=True)
        out.print(f"{login} is unlocked." if was_locked else f"{login} was not locked; the cause is another.")


@users.command("gate")
@clear
def set_gate(
    login: Login,
    gate: Annotated[Gate, typer.Argument(help="Which gate")],
    config: Config,
    kind: Annotated[Kind | None, typer.Argument(help="Needed for switch and other_channel")] = None,
    is_open: Annotated[bool, typer.Option("--open/--close", help="Open or close it")] = True,
) -> None:
    """Open or close one of the five gates; its folders come or go at once."""
    with opened(config) as office:
        identity = identity_of(office, login)
        office.settings.set_gate(identity, gate, kind, is_open, administrator())
        out.print(f"The gate {gate}{f' {kind}' if kind else ''} of {login} is {'open' if is_open else 'closed'}.")


@users.command("rm")
@clear
def remove_user(login: Login, config: Config, yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False) -> None:
    """Remove a user; the records stay in the CRM."""
    with opened(config) as office:
        identity = identity_of(office, login)
        if not yes:
            typer.confirm(f"Remove {login}? Records stay, devices lose access.", abort=True)
        office.accounts.remove_user(identity, administrator())
        out.print(f"Removed {login}.")


@tenants.command("add")
@clear
def add_tenant(
    name: str,
    config: Config,
    timezone: Annotated[str, typer.Option(help="IANA time zone")] = "Europe/Berlin",
    region: Annotated[str, typer.Option(help="Region of numbers without a country code")] = "DE",
) -> None:
    """Add a tenant."""
    with opened(config) as office:
        with office.store.reading() as tx:
            if tx.tenant(name) is not None:
                fail(f"The tenant {name!r} exists already; `tenant set` changes it.")
        _save_tenant(office, Tenant(name=name, timezone=timezone, region=region))
        out.print(f"Added {name}.")


@tenants.command("set")
@clear
def set_tenant(
    name: str,
    config: Config,
    timezone: Annotated[str | None, typer.Option(help="IANA time zone")] = None,
    region: Annotated[str | None, typer.Option(help="Region of numbers without a country code")] = None,
    module: Annotated[bool | None, typer.Option("--module/--no-module", help="Synchronisation is booked")] = None,
) -> None:
    """Change a tenant."""
    with opened(config) as office:
        with office.store.reading() as tx:
            tenant = tx.tenant(name)
        if tenant is None:
            fail(f"There is no tenant {name!r}; `tenant list` shows which there are.")
        changes = {"timezone": timezone, "region": region, "module": module}
        _save_tenant(office, replace(tenant, **{key: value for key, value in changes.items() if value is not None}))
        out.print(f"Changed {name}.")


def _save_tenant(office: Office, tenant: Tenant) -> None:
    try:
        ZoneInfo(tenant.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        fail(f"{tenant.timezone!r} is no time zone; use an IANA name such as Europe/Berlin.")
    if tenant.region not in phonenumbers.SUPPORTED_REGIONS:
        fail(f"{tenant.region!r} is no region; use two letters such as DE.")
    if not tenant.name.isprintable() or not tenant.name or set(tenant.name) & set("/\\:@"):
        fail("A tenant's name has printable characters without / \\ : @")
    office.settings.save_tenant(tenant, administrator())


@tenants.command("list")
@clear
def list_tenants(config: Config, json: AsJson = False) -> None:
    """List tenants with their numbers."""
    with opened(config) as office, office.store.reading() as tx:
        rows = [
            {"tenant": one.name, "module": one.module, "timezone": one.timezone, "region": one.region, **tx.counts(one.name)}
            for one in tx.tenants()
        ]
    show(rows, as_json=json, title="Tenants", empty="There are no tenants yet; `tenant add` makes one.")


@maintenance.command("on")
@clear
def maintenance_on(
    config: Config,
    message: Annotated[
        str, typer.Option(help="What clients and pages say")
    ] = "The server is being maintained; nothing is wrong with your password.",
    retry_after: Annotated[int, typer.Option(min=1, max=86400, help="Seconds until clients come again")] = 600,
) -> None:
    """Switch maintenance on."""
    with opened(config) as office:
        office.accounts.set_maintenance(message, retry_after, administrator())
        out.print("Maintenance is on; clients get 503 and keep their passwords.")


@maintenance.command("off")
@clear
def maintenance_off(config: Config) -> None:
    """Switch maintenance off."""
    with opened(config) as office:
        office.accounts.set_maintenance(None, by=administrator())
        out.print("Maintenance is off.")


@maintenance.command("status")
@clear
def maintenance_status(config: Config, json: AsJson = False) -> None:
    """Tell whether maintenance is on."""
    with opened(config) as office:
        found = office.accounts.maintenance()
    if json:
        print_json({"on": found is not None, "message": str(found or ""), "since": found.since if found else None})
    else:
        out.print(f"Maintenance is on since {found.since.isoformat()}: {found}" if found else "Maintenance is off.")
