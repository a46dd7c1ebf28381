"""Commands about records: import, export, history and undo."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from radicale_onoffice import importing
from radicale_onoffice.admin.console import (
    AsJson,
    Config,
    administrator,
    clear,
    err,
    fail,
    identity_of,
    opened,
    out,
    print_json,
    progress,
    show,
)
from radicale_onoffice.core.contacts import display_name
from radicale_onoffice.core.model import Actor, Contact, Face, Identity, Kind, Record
from radicale_onoffice.core.office import Office
from radicale_onoffice.formats import whole
from radicale_onoffice.stores.values import dump_value

records = typer.Typer(no_args_is_help=True, help="Records: list, show, history, undo.")
ForUser = Annotated[str, typer.Option("--user", "-u", help="Whose devices they are synchronised to")]
RecordId = Annotated[str, typer.Argument(help="Record id, as `record list` shows it")]
FILES = {Kind.CONTACTS: "contacts.vcf", Kind.APPOINTMENTS: "calendar.ics", Kind.TASKS: "tasks.ics"}


@clear
def import_files(
    paths: Annotated[list[Path], typer.Argument(help=".vcf, .ics and .csv files")], user: ForUser, config: Config, json: AsJson = False
) -> None:
    """Import vCards, calendars and address lists; what is there already stays as it is. Status 1 if an item was left out."""
    with opened(config) as office, progress() as bar:
        identity = identity_of(office, user)
        bad: list[importing.Bad] = []
        counts = dict.fromkeys(("created", "changed", "unchanged"), 0)
        for path in paths:
            found = list(importing.read(path))
            task = bar.add_task(str(path), total=len(found))
            for item in found:
                outcome = importing.store(office, identity, item)
                if isinstance(outcome, importing.Bad):
                    bad.append(outcome)
                else:
                    counts[outcome] += 1
                bar.advance(task)
    if json:
        print_json({**counts, "bad": [asdict(one) for one in bad]})
    else:
        out.print(", ".join(f"{number} {word}" for word, number in counts.items()) + f", {len(bad)} left out.")
        for one in bad:
            err.print(f"{one.path}:{one.line}: {one.reason}", markup=False, highlight=False, soft_wrap=True)
    if bad:
        raise typer.Exit(1)


@clear
def export_files(directory: Annotated[Path, typer.Argument(help="Made if it does not exist")], user: ForUser, config: Config) -> None:
    """Write all of a user's records, in or out of the window, to contacts.vcf, calendar.ics and tasks.ics."""
    with opened(config) as office:
        identity = identity_of(office, user)
        directory.mkdir(parents=True, exist_ok=True)
        for kind, name in FILES.items():
            offers = office.records.everything(identity, kind)
            texts = (offer.text for offer in offers)
            pieces = whole.addressbook(texts) if kind is Kind.CONTACTS else whole.calendar(texts, name.removesuffix(".ics"))
            with (directory / name).open("wb") as file:
                file.writelines(pieces)
            out.print(f"{directory / name}: {len(offers)} {kind}")


def _actor(office: Office, tenant: str | None) -> Actor:
    return Actor(identity=Identity(tenant or office.default_tenant, ""), face=Face.ADMIN, device=administrator())


Tenant = Annotated[str | None, typer.Option(help="Tenant; default: that of logins that name none")]


@records.command("list")
@clear
def list_records(
    config: Config,
    kind: Annotated[Kind, typer.Option(help="Which kind")] = Kind.CONTACTS,
    tenant: Tenant = None,
    find: Annotated[str, typer.Option(help="Only those whose title has this text")] = "",
    json: AsJson = False,
) -> None:
    """List records by id."""
    with opened(config) as office, office.store.reading() as tx:
        found = [_row(record) for record in tx.all_records(tenant or office.default_tenant, kind)]
    rows = [row for row in found if find.casefold() in str(row["title"]).casefold()]
    show(rows, as_json=json, title=kind.value, empty="There are none.")


def _row(record: Record) -> dict[str, object]:
    title = display_name(record.value) if isinstance(record.value, Contact) else record.value.subject
    return {
        "id": record.id,
        "title": title,
        "version": record.version,
        "modified": record.modified.isoformat(timespec="seconds"),
        "uid": record.uid,
    }


@records.command("show")
@clear
def show_record(record_id: RecordId, config: Config, tenant: Tenant = None, json: AsJson = False) -> None:
    """Show what is stored of a record, and the text that DAV clients get."""
    with opened(config) as office:
        record = office.records.get(tenant or office.default_tenant, record_id)
    if json:
        print_json({**_row(record), "kind": record.kind, "value": dump_value(record.value), "text": record.text})
    else:
        show([_row(record)], as_json=False, title=record.kind.value, empty="")
        out.print_json(dump_value(record.value))
        out.print(record.text.replace("\r\n", "\n"), markup=False, highlight=False)


@records.command("history")
@clear
def history(record_id: RecordId, config: Config, tenant: Tenant = None, json: AsJson = False) -> None:
    """List the kept versions of a record, also of a deleted one: who, when, by which face and device."""
    with opened(config) as office:
        lines = office.records.history(tenant or office.default_tenant, record_id)
    rows = [
        {
            "version": line.version,
            "at": line.at.isoformat(timespec="seconds"),
            "who": line.actor.identity.user,
            "face": line.actor.face.value,
            "device": line.actor.device,
            "action": line.action,
        }
        for line in lines
    ]
    show(rows, as_json=json, title=f"History of {record_id}", empty="No version of this record is kept.")


@records.command("undo")
@clear
def undo(
    record_id: RecordId,
    config: Config,
    version: Annotated[int | None, typer.Option(help="Version to go back to; default: the one before the newest")] = None,
    tenant: Tenant = None,
) -> None:
    """Make an earlier version the newest again, also of a deleted record; devices get it with their next sync."""
    with opened(config) as office:
        lines = office.records.history(tenant or office.default_tenant, record_id)
        if version is None and len(lines) < 2:
            fail("There is no earlier version of this record; `record history` lists what is kept.")
        wanted = version if version is not None else lines[-2].version
        record = office.records.restore(_actor(office, tenant), record_id, wanted)
        out.print(f"{record_id} is at version {record.version}, which is as version {wanted} was.")
