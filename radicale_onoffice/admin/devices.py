"""Commands about phones that synchronise over ActiveSync."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from activesync_bridge.pending import pending
from radicale_onoffice.admin.console import (
    AsJson,
    Config,
    Login,
    administrator,
    clear,
    identity_of,
    moment,
    opened,
    out,
    print_json,
    show,
)
from radicale_onoffice.core.devices import erase_word
from radicale_onoffice.core.model import Device, Failure
from radicale_onoffice.core.office import Office

devices = typer.Typer(no_args_is_help=True, help="Phones over ActiveSync: who has which, what fails; block, resync, wipe.")
DeviceId = Annotated[str, typer.Argument(metavar="DEVICE", help="Device id, as `device list` shows it")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask")]


@devices.command("list")
@clear
def list_devices(
    config: Config,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Only this user's")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's")] = None,
    json: AsJson = False,
) -> None:
    """List phones with their state and how many of their items fail."""
    with opened(config) as office:
        if user is not None:
            identity = identity_of(office, user)
            found = list(office.devices.list(identity.tenant, identity.user))
        else:
            with office.store.reading() as tx:
                tenants = [one.name for one in tx.tenants() if tenant in (None, one.name)]
            found = [pair for name in tenants for pair in office.devices.list(name)]
        rows = [_row(office, device, failures) for device, failures in found]
    show(rows, as_json=json, title="Devices", empty="No phone has come yet.")


def _row(office: Office, device: Device, failures: Sequence[Failure]) -> dict[str, object]:
    return {
        "user": office.accounts.login_name(device.identity),
        "id": device.id,
        "type": device.type,
        "model": dict(device.information).get("Model", ""),
        "version": device.version,
        "last sync": moment(device.last_sync),
        "state": device.state.value,
        "failures": len(failures),
    }


@devices.command("show")
@clear
def show_device(login: Login, device_id: DeviceId, config: Config, json: AsJson = False) -> None:
    """Show what a phone says of itself, and its failing items with the reasons; they are tried again when they change."""
    with opened(config) as office:
        identity = identity_of(office, login)
        device, failures = office.devices.get(identity, device_id), office.devices.failures(identity, device_id)
        detail = _detail(office, device, failures)
    failing = [
        {"collection": one.collection, "item": one.item, "reason": one.reason, "at": moment(one.at), "times": one.count} for one in failures
    ]
    if json:
        print_json({**detail, "failing": failing})
        return
    show([{"": name, "value": value} for name, value in detail.items()], as_json=False, title=device_id, empty="")
    show(failing, as_json=False, title="Failing items", empty="No item fails.")


def _detail(office: Office, device: Device, failures: Sequence[Failure]) -> dict[str, object]:
    return {
        **_row(office, device, failures),
        "user agent": device.user_agent,
        "first seen": moment(device.first_seen),
        "last seen": moment(device.last_seen),
        "waits at most": f"{device.heartbeat} s" if device.heartbeat else "",
        "watches": list(device.ping_folders),
        "policy accepted": bool(device.policy_key),
        "pending": {name: "begins anew" if count is None else count for name, count in pending(office, device).items()},
        "notes": device.notes,
        **dict(device.information),
    }


@devices.command("block")
@clear
def block(login: Login, device_id: DeviceId, config: Config) -> None:
    """Keep a phone out; what it has it keeps."""
    with opened(config) as office:
        office.devices.block(identity_of(office, login), device_id, administrator())
        out.print(f"{device_id} of {login} is blocked.", markup=False)


@devices.command("unblock")
@clear
def unblock(login: Login, device_id: DeviceId, config: Config) -> None:
    """Let a phone in again that was blocked or wiped, or take a wipe back that it has not got yet."""
    with opened(config) as office:
        office.devices.unblock(identity_of(office, login), device_id, administrator())
        out.print(f"{device_id} of {login} may come again.", markup=False)


@devices.command("remove")
@clear
def remove(login: Login, device_id: DeviceId, config: Config, yes: Yes = False) -> None:
    """Forget a phone; if it comes again it is a new one and fetches everything."""
    with opened(config) as office:
        identity = identity_of(office, login)
        device = office.devices.get(identity, device_id)
        if not yes:
            typer.confirm(f"Forget {device_id} of {login}, which is {device.state}?", abort=True)
        office.devices.remove(identity, device_id, administrator())
        out.print(f"Removed {device_id} of {login}.", markup=False)


@devices.command("resync")
@clear
def resync(
    login: Login,
    device_id: DeviceId,
    config: Config,
    collection: Annotated[str | None, typer.Option(help="Only contacts, appointments or tasks")] = None,
) -> None:
    """Have a phone fetch everything, or one folder, from the beginning."""
    with opened(config) as office:
        office.devices.resync(identity_of(office, login), device_id, administrator(), collection)
        out.print(f"{device_id} of {login} starts again with {collection or 'everything'}.", markup=False)


@devices.command("wipe")
@clear
def wipe(
    login: Login,
    device_id: DeviceId,
    config: Config,
    whole: Annotated[bool, typer.Option("--erase-whole-phone", help="Erase all that is on the phone; needs activesync_full_wipe")] = False,
    yes: Yes = False,
) -> None:
    """Take the account off a phone at its next contact; contacts, tasks and appointments stay in the CRM."""
    with opened(config) as office:
        identity = identity_of(office, login)
        device = office.devices.get(identity, device_id)
        name = f"{device_id} ({_row(office, device, ())['model'] or device.type}) of {login}"
        if whole:
            # Who says --yes has typed the id in the command itself.
            typed = device_id if yes else typer.prompt(f"This ERASES THE WHOLE PHONE {name}. Type {erase_word(device)!r} to confirm")
            office.devices.request_full_wipe(identity, device_id, administrator(), typed)
        else:
            if not yes:
                typer.confirm(f"Take the account off the phone {name}?", abort=True)
            office.devices.request_wipe(identity, device_id, administrator())
        out.print(f"{device_id} of {login} is told at its next contact; `device show` tells when it was done.", markup=False)
        if not whole and device.version and device.version != "16.1":
            out.print(
                f"It speaks {device.version}, which knows no wipe of an account: it is kept out, and keeps what it has.", markup=False
            )
