"""Commands about the audit log: who did what to whose access."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from radicale_onoffice import spreadsheet
from radicale_onoffice.admin.console import AsJson, Config, administrator, clear, moment, opened, show

audit = typer.Typer(no_args_is_help=True, help="The audit log: who unlocked, wiped, changed rights, and what was refused.")
COLUMNS = ("at", "user", "by", "event", "detail")


@audit.command("list")
@clear
def list_lines(
    config: Config,
    user: Annotated[str, typer.Option("--user", "-u", help="Only about this user part of a login")] = "",
    event: Annotated[str, typer.Option(help="Only events that begin so, e.g. gate")] = "",
    text: Annotated[str, typer.Option(help="Only lines with this text")] = "",
    tenant: Annotated[str | None, typer.Option(help="Tenant; default: that of logins that name none")] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many of the newest; 0: all")] = 100,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet")] = False,
    json: AsJson = False,
) -> None:
    """List the newest lines first."""
    with opened(config) as office:
        who = office.administration.as_operator(tenant or office.default_tenant, administrator())
        lines = islice(office.administration.export_audit(who, login=user, event=event, text=text), limit or None)
        cells = [(moment(one.at), one.login, one.actor, one.event, one.detail) for one in lines]
    if as_csv:
        for line in spreadsheet.lines(COLUMNS, cells):
            typer.echo(line, nl=False)
    else:
        rows = [dict(zip(COLUMNS, one, strict=True)) for one in cells]
        show(rows, as_json=json, title="Audit log", empty="There are no such lines.")
