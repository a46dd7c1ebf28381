"""Commands about a user's contacts: who is on the user's devices, and which number in which field."""

from __future__ import annotations

from typing import Annotated

import typer

from radicale_onoffice.admin.console import AsJson, Config, administrator, clear, err, fail, identity_of, opened, out, print_json, show
from radicale_onoffice.core.address_list import Card
from radicale_onoffice.core.lists import Only
from radicale_onoffice.core.model import Slot

contacts = typer.Typer(
    no_args_is_help=True, help="A user's contacts, with that user's rights: find them, synchronise them, assign numbers."
)
ForUser = Annotated[str, typer.Option("--user", "-u", help="Whose contacts and devices")]
RecordId = Annotated[str, typer.Argument(help="Record id, as `contact list` shows it")]
RecordIds = Annotated[list[str], typer.Argument(help="Record ids, as `contact list` shows them; at most 500")]


@contacts.command("list")
@clear
def list_contacts(
    user: ForUser,
    config: Config,
    text: Annotated[str, typer.Argument(help="Beginning of a name, company, town, number or address")] = "",
    only: Annotated[Only, typer.Option(help="Only those on the user's devices, or only the others")] = Only.ALL,
    page: Annotated[int, typer.Option(min=1, help="Which page of 50")] = 1,
    json: AsJson = False,
) -> None:
    """List or search contacts by last name, with the Sync flag of the user."""
    with opened(config) as office:
        found = office.address_list.search(identity_of(office, user), text, only=only, page=page - 1)
    rows = [{"id": row.record_id, "name": row.name, "company": row.company, "synced": row.is_synced} for row in found.rows]
    if json:
        print_json({"total": found.total, "page": page, "contacts": rows})
    else:
        show(rows, as_json=False, title=f"{found.total} contacts, page {page}", empty="There are none.")


@contacts.command("sync")
@clear
def sync(record_ids: RecordIds, user: ForUser, config: Config) -> None:
    """Put contacts on the user's devices. Status 1 if one could not be."""
    _flag(record_ids, user, config, is_synced=True)


@contacts.command("unsync")
@clear
def unsync(record_ids: RecordIds, user: ForUser, config: Config) -> None:
    """Take contacts off the user's devices; they stay in the CRM. Status 1 if one could not be."""
    _flag(record_ids, user, config, is_synced=False)


def _flag(record_ids: list[str], user: str, config: str, *, is_synced: bool) -> None:
    with opened(config) as office:
        flagged = office.address_list.set_synced(identity_of(office, user), record_ids, is_synced, by=administrator())
    out.print(f"{flagged.changed} contacts are {'now' if is_synced else 'no longer'} synchronised to {user}.")
    for record_id, reason in flagged.failed:
        err.print(f"{record_id}: {reason}", markup=False, highlight=False, soft_wrap=True)
    if flagged.failed:
        raise typer.Exit(1)


@contacts.command("slots")
@clear
def list_slots(record_id: RecordId, user: ForUser, config: Config, json: AsJson = False) -> None:
    """List a contact's numbers and addresses with their Sync assignment."""
    with opened(config) as office:
        card = office.address_list.card(identity_of(office, user), record_id)
    rows: list[dict[str, object]] = [
        {
            "entry": one.id,
            "kind": one.kind.value,
            "value": one.value,
            "type": one.type.value,
            "default": one.default,
            "slot": one.slot.value if one.slot else "",
        }
        for one in card.contact.entries
    ]
    show(rows, as_json=json, title=card.name, empty="The contact has no numbers or addresses.")


@contacts.command("preview")
@clear
def preview(record_id: RecordId, user: ForUser, config: Config, json: AsJson = False) -> None:
    """Tell what the phone shows of a contact's numbers and addresses, or would show if it were synchronised."""
    with opened(config) as office:
        card = office.address_list.card(identity_of(office, user), record_id)
    _show_fields(card, as_json=json)


def _show_fields(card: Card, *, as_json: bool) -> None:
    rows = [{"field": one.slot.value, "value": one.entry.value, "by default": one.is_fallback} for one in card.shown]
    show(rows, as_json=as_json, title=card.name, empty="The phone shows no numbers or addresses.")


@contacts.command("assign")
@clear
def assign(
    record_id: RecordId,
    entry: Annotated[int, typer.Argument(help="Entry, as `contact slots` shows it")],
    slot: Annotated[str, typer.Argument(help="Slot such as home or business_fax; none takes it away")],
    user: ForUser,
    config: Config,
    json: AsJson = False,
) -> None:
    """Set the Sync assignment of a number or address with the user's rights; shows what the phone shows then."""
    if slot != "none" and slot not in list(Slot):
        fail(f"There is no slot {slot!r}; slots are {', '.join(Slot)}, or none.")
    with opened(config) as office:
        identity = identity_of(office, user)
        expect = office.address_list.card(identity, record_id).version
        card = office.address_list.give_slot(identity, record_id, entry, None if slot == "none" else Slot(slot), expect=expect)
    _show_fields(card, as_json=json)
