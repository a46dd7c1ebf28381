"""The commands of ``radicale-onoffice``; what only serving needs is imported by what serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radicale_onoffice import __version__, doctor, manual
from radicale_onoffice.admin.accounts import maintenance, tenants
from radicale_onoffice.admin.audit import audit
from radicale_onoffice.admin.console import AsJson, Config, clear, err, fail, opened, out, print_json, show
from radicale_onoffice.admin.contacts import contacts
from radicale_onoffice.admin.devices import devices
from radicale_onoffice.admin.errands import errands
from radicale_onoffice.admin.live import ask as ask_live
from radicale_onoffice.admin.mirror import mirror
from radicale_onoffice.admin.records import export_files, import_files, records
from radicale_onoffice.admin.users import bulk, users

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="onOffice over CardDAV, CalDAV and ActiveSync.", pretty_exceptions_show_locals=False
)
app.add_typer(users, name="user")
app.add_typer(bulk, name="bulk")
app.add_typer(tenants, name="tenant")
app.add_typer(maintenance, name="maintenance")
app.add_typer(records, name="record")
app.add_typer(contacts, name="contact")
app.add_typer(audit, name="audit")
app.add_typer(devices, name="device")
app.add_typer(errands, name="errand")
app.add_typer(mirror, name="mirror")
app.command("import")(import_files)
app.command("export")(export_files)

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; default: [server] hosts")]


@app.command()
@clear
def serve(
    config: Config,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: [server] hosts")] = None,
    port: Port = None,
    certificate: Annotated[str | None, typer.Option(help="TLS certificate chain, PEM")] = None,
    key: Annotated[str | None, typer.Option(help="TLS private key, PEM")] = None,
) -> None:
    """Serve DAV, ActiveSync, pages, health and metrics on one port."""
    if (certificate is None) != (key is None):
        fail("TLS needs both --certificate and --key.")
    from radicale_onoffice import serving

    serving.serve(config, host=host, port=port, certificate=certificate, key=key)


@app.command("demo")
@clear
def run_demo(
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine's need --password")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on")] = 5232,
    directory: Annotated[Path, typer.Option(help="Where the demo keeps its data; the next start goes on with it")] = Path("var/demo"),
    password: Annotated[
        str | None, typer.Option(envvar="ONOFFICE_DEMO_PASSWORD", help="Password of the demo users instead of `demo`")
    ] = None,
) -> None:
    """Serve the demo: tenant musterimmo with agent1, agent2 and admin."""
    from radicale_onoffice import asgi, demo, serving

    if host not in asgi.LOOPBACK and host != "localhost" and password is None:
        fail(f"The demo's passwords are known to everybody: it listens on {host} only with --password.")
    config = demo.prepare(directory.resolve(), password or "demo")
    demo.announce(out, host, port, password)
    serving.serve(str(config), host=host, port=port)


@app.command()
@clear
def check(
    config: Config,
    deep: Annotated[bool, typer.Option("--deep", help="Read every record, history line and feed")] = False,
    live: Annotated[bool, typer.Option("--live", help="Ask onOffice what its documentation leaves open, by reading only")] = False,
    tenant: Annotated[str | None, typer.Option(help="With --live: only this tenant")] = None,
    json: AsJson = False,
) -> None:
    """Look at configuration, database, permissions, rights and clock, and say what to do. Status 1 if there is a problem."""
    if live:
        ask_live(config, tenant, json=json)
        return
    found = list(doctor.findings(config, deep=deep))
    rows = [{"check": one.check, "state": one.state, "seen": one.seen, "do": one.advice} for one in found]
    show(rows, as_json=json, title="radicale-onoffice check", empty="")
    if any(one.state == doctor.BAD for one in found):
        raise typer.Exit(1)


@app.command()
@clear
def migrate(config: Config) -> None:
    """Bring the database schema up to date, for deployments with onoffice_migrate = False."""
    with opened(config) as office:
        office.store.migrate()
    err.print("The schema is up to date.")


@app.command("options")
@clear
def list_options(
    json: AsJson = False,
    form: Annotated[
        manual.Form, typer.Option("--format", help="table, markdown or clients (README), or config (sample file)")
    ] = manual.Form.TABLE,
) -> None:
    """List every option of the configuration file."""
    rows = manual.rows()
    if json:
        print_json(rows)
    elif form is manual.Form.TABLE:
        show(rows, as_json=False, title="Options", empty="")
    else:
        typer.echo(manual.TEXTS[form](), nl=False)


@app.command("version")
def show_version() -> None:
    """Print the version."""
    typer.echo(__version__)
