"""Commands about changes that are on their way to onOffice."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from radicale_onoffice import mirrors
from radicale_onoffice.admin.console import AsJson, Config, clear, fail, opened, out, show
from radicale_onoffice.core.model import Value
from radicale_onoffice.core.office import Office
from radicale_onoffice.core.ports import Errand
from radicale_onoffice.crm.onoffice.draining import Drain
from radicale_onoffice.crm.onoffice.leases import Renewal
from radicale_onoffice.crm.onoffice.writing import OnOffice
from radicale_onoffice.stores.values import dump_value

errands = typer.Typer(no_args_is_help=True, help="Changes that onOffice has not got yet: what waits, what was refused and why.")
TenantName = Annotated[str | None, typer.Option("--tenant", help="Tenant; default: the default tenant")]
Number = Annotated[int, typer.Argument(help="Number, as `errand list` shows it")]


def drain_of(office: Office) -> Drain:
    """Who sends errands; ends the command where onOffice is not the CRM."""
    if not isinstance(office.crm, OnOffice):
        fail("onOffice is not the CRM here: onoffice_crm in [storage] says embedded.")
    return Drain(office.crm, office.store, office.clock, mirrors.holder("command"))


@errands.command("list")
@clear
def list_errands(config: Config, tenant: TenantName = None, json: AsJson = False) -> None:
    """List errands in the order in which they are sent."""
    with opened(config) as office, office.store.reading() as tx:
        names = [one.name for one in tx.tenants() if tenant in (None, one.name)]
        rows = [_row(office, errand) for name in names for errand in tx.errands(name)]
    show(rows, as_json=json, title="Errands", empty="onOffice has everything.")


def _row(office: Office, errand: Errand) -> dict[str, object]:
    return {
        "number": errand.number,
        "user": office.accounts.login_name(errand.actor.identity),
        "what": "create" if errand.before is None else "delete" if errand.after is None else "change",
        "kind": errand.kind.value,
        "record": errand.record_id,
        "fields": ", ".join(_differing(errand.before, errand.after)),
        "state": errand.state.value,
        "at": errand.at.isoformat(timespec="seconds"),
        "tries": errand.tries,
        "reason": errand.reason,
    }


def _differing(before: Value | None, after: Value | None) -> list[str]:
    if before is None or after is None:
        return []
    had, has = jsonlib.loads(dump_value(before)), jsonlib.loads(dump_value(after))
    return sorted(name for name in {**had, **has} if had.get(name) != has.get(name))


@errands.command("retry")
@clear
def retry(number: Number, config: Config, tenant: TenantName = None) -> None:
    """Send a refused change again, with the next turn; `errand send` does it at once."""
    with opened(config) as office:
        drain_of(office).retry(tenant or office.default_tenant, number)
        out.print(f"Errand {number} is sent with the next turn.")


@errands.command("drop")
@clear
def drop(
    number: Number, config: Config, tenant: TenantName = None, yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False
) -> None:
    """Give a change up: what onOffice has stands again; a record that onOffice never got is taken off the devices."""
    with opened(config) as office:
        queue, name = drain_of(office), tenant or office.default_tenant
        if not yes:
            typer.confirm(f"Give errand {number} of {name} up?", abort=True)
        queue.drop(name, number)
        out.print(f"Dropped errand {number}.")


@errands.command("send")
@clear
def send(config: Config, tenant: TenantName = None) -> None:
    """Send what waits now. Status 1 if anything is left or was refused."""
    with opened(config) as office:
        queue, name = drain_of(office), tenant or office.default_tenant
        with Renewal(office.store, office.clock, mirrors.holder("command")):
            found = queue(name)
        out.print(f"{found.done} done, {found.refused} refused, {found.left} left.")
    if found.refused or found.left:
        raise typer.Exit(1)
