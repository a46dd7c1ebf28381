"""Commands about onOffice: which tenant has which account there, and the mirror of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from radicale_onoffice import mirrors
from radicale_onoffice.admin.accounts import tenants as tenant_commands
from radicale_onoffice.admin.console import AsJson, Config, administrator, clear, err, fail, opened, out, print_json, show
from radicale_onoffice.configuration import load_configuration
from radicale_onoffice.core.errors import OfficeError
from radicale_onoffice.core.model import Kind
from radicale_onoffice.core.office import Office
from radicale_onoffice.core.ports import ErrandState
from radicale_onoffice.crm.onoffice import people, tenants
from radicale_onoffice.crm.onoffice.leases import Renewal
from radicale_onoffice.crm.onoffice.memory import forget
from radicale_onoffice.crm.onoffice.mirror import LeaseLost, Mirror
from radicale_onoffice.crm.onoffice.protocol import MAX_ACTIONS
from radicale_onoffice.crm.onoffice.tenants import Access
from radicale_onoffice.crm.onoffice.writing import OnOffice

mirror = typer.Typer(no_args_is_help=True, help="The copy of onOffice that devices read: fill, status, accept.")
TokenFile = Annotated[Path | None, typer.Option(help="File with the API user's token")]
TokenEnv = Annotated[str | None, typer.Option(help="Environment variable with the token")]
SecretFile = Annotated[Path | None, typer.Option(help="File with the API user's secret")]
SecretEnv = Annotated[str | None, typer.Option(help="Environment variable with the secret")]
OneTenant = Annotated[str | None, typer.Option(help="Only this tenant")]


def _place(what: str, file: Path | None, variable: str | None, known: str | None) -> str:
    if file is not None and variable is not None:
        fail(f"Either --{what}-file or --{what}-env, not both.")
    if file is not None:
        return f"file:{file.absolute()}"
    if variable is not None:
        return f"env:{variable}"
    if known is None:
        fail(f"Say where the {what} lies, with --{what}-file or --{what}-env; it is never typed on the command line.")
    return known


@tenant_commands.command("connect")
@clear
def connect(
    name: str,
    config: Config,
    url: Annotated[str | None, typer.Option(help="Address of the API; default: onOffice's stable one")] = None,
    token_file: TokenFile = None,
    token_env: TokenEnv = None,
    secret_file: SecretFile = None,
    secret_env: SecretEnv = None,
    language: Annotated[str | None, typer.Option(help="Language of types: de, en, it")] = None,
    task_type: Annotated[str | None, typer.Option(help="Type (Art) of tasks made on a device, for accounts that demand one")] = None,
    task_private: Annotated[bool | None, typer.Option("--task-private/--no-task-private", help="The account takes Privat of tasks")] = None,
    one_entry: Annotated[bool | None, typer.Option("--one-entry/--several-entries", help="The account takes one number a call")] = None,
    max_actions: Annotated[int | None, typer.Option(min=1, max=MAX_ACTIONS, help="Actions that the account takes in one request")] = None,
    closed_states: Annotated[str | None, typer.Option(help="Values of users' `online` that mean locked, such as 0,-1")] = None,
    anew: Annotated[bool, typer.Option("--start-anew", help="It is another account: take the old one's records off all devices")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Give a tenant its onOffice account, or change what is said of it. Kept is where token and secret lie, not what they are."""
    with opened(config) as office:
        _crm(office)
        with office.store.reading() as tx:
            if tx.tenant(name) is None:
                fail(f"There is no tenant {name!r}; `tenant add` makes one.")
            known = tenants.access(tx, name)
        before = known or Access()
        wanted = replace(
            before,
            url=before.url if url is None else url,
            language=before.language if language is None else language,
            task_type=before.task_type if task_type is None else task_type,
            task_private_writable=before.task_private_writable if task_private is None else task_private,
            one_entry_a_call=before.one_entry_a_call if one_entry is None else one_entry,
            max_actions=before.max_actions if max_actions is None else max_actions,
            closed_states=before.closed_states if closed_states is None else closed_states,
            token_at=_place("token", token_file, token_env, known.token_at if known else None),
            secret_at=_place("secret", secret_file, secret_env, known.secret_at if known else None),
        )
        if anew:
            _start_anew(office, name, wanted, is_asked=not yes)
        else:
            with office.store.writing() as tx:
                tenants.save_access(tx, name, wanted)
        out.print(f"{name} is connected to {wanted.url}. Now `check`, then `mirror fill`, or `serve`, which fills, too.", markup=False)


def _start_anew(office: Office, name: str, wanted: Access, *, is_asked: bool) -> None:
    with office.store.reading() as tx:
        count, left = sum(len(tx.links(name, kind)) for kind in Kind), len(tx.errands(name))
    if is_asked:
        typer.confirm(f"Take {count} records of the old account off all devices? {left} changes have not come there.", abort=True)
    try:
        mirrors.start_anew(office, name, wanted, mirrors.holder("command"))
    except LeaseLost:
        fail(f"Another process is pulling {name} now. Stop `serve` first; one that was killed is believed for half a minute.")


@tenant_commands.command("disconnect")
@clear
def disconnect(name: str, config: Config, yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False) -> None:
    """Take a tenant's onOffice account away: its records stay here, as they are, and whom onOffice suspended may synchronise again.

    Connected again, what onOffice has by then stands.
    """
    with opened(config) as office:
        with office.store.reading() as tx:
            if tenants.access(tx, name) is None:
                fail(f"The tenant {name!r} has no onOffice account.")
            left = len(tx.errands(name))
        if not yes:
            typer.confirm(f"Disconnect {name}? {left} changes have not come to onOffice.", abort=True)
        with office.store.writing() as tx:
            tenants.save_access(tx, name, None)
            mirrors.save_trouble(tx, name, None)
            forget(tx, name)
            people.release(tx, name, administrator(), office.clock())
        out.print(f"{name} is not connected to onOffice any more.", markup=False)


def _crm(office: Office) -> OnOffice:
    if not isinstance(office.crm, OnOffice):
        fail("The CRM of this configuration is the embedded one; set onoffice_crm = onoffice in [storage].")
    return office.crm


def _chosen(office: Office, tenant: str | None) -> list[str]:
    with office.store.reading() as tx:
        found = [name for name in mirrors.connected(tx) if tenant in (None, name)]
    if not found:
        fail(
            "No tenant has an onOffice account." if tenant is None else f"The tenant {tenant!r} has no onOffice account; `tenant connect`."
        )
    return found


@contextmanager
def _pulling(office: Office) -> Iterator[mirrors.Mirrors]:
    holder = mirrors.holder("command")
    made = mirrors.Mirrors(office, _crm(office), holder)
    try:
        with Renewal(office.store, office.clock, holder):
            yield made
    finally:
        made.release()


class _Bar:
    """How many records of each kind have come; nobody knows how many there are."""

    def __init__(self, tenant: str):
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}"), TimeElapsedColumn())
        self._tenant, self.progress = tenant, Progress(*columns, console=err)
        self._tasks: dict[Kind, TaskID] = {}

    def __call__(self, kind: Kind, more: int) -> None:
        if kind not in self._tasks:
            self._end()
            self._tasks[kind] = self.progress.add_task(f"{self._tenant} {kind}", total=None)
        self.progress.advance(self._tasks[kind], more)

    def _end(self) -> None:
        for task in self.progress.tasks:
            self.progress.update(task.id, total=max(task.completed, 1))

    def __enter__(self) -> _Bar:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self.progress.stop()


@mirror.command("fill")
@clear
def fill(config: Config, tenant: OneTenant = None) -> None:
    """Fetch everything from onOffice for the first time. May be interrupted: the next one, or `serve`, goes on where it was."""
    with opened(config) as office, _pulling(office) as made:
        for name in _chosen(office, tenant):
            one = made.of(name)
            if one is not None:
                _fill(office, name, one)


def _fill(office: Office, name: str, one: Mirror) -> None:
    if one.memory().is_filled:
        out.print(f"{name} is filled already; `serve` keeps it up to date.", markup=False)
        return
    with _Bar(name) as bar:
        done = one.turn(bar)
    if not done:
        fail(
            f"Another process is pulling {name} now; `mirror status` tells how far it is. One that was killed is believed for half a minute."
        )
    with office.store.reading() as tx:
        counts = tx.counts(name)
    out.print(f"{name}: " + ", ".join(f"{counts.get(kind, 0)} {kind}" for kind in Kind) + ".", markup=False)


@mirror.command("accept")
@clear
def accept(name: Annotated[str, typer.Argument(metavar="TENANT")], config: Config) -> None:
    """Say that a sudden emptiness, of which an alarm tells, is true: what onOffice does not show any more is dropped here."""
    with opened(config) as office, _pulling(office) as made:
        (name,) = _chosen(office, name)
        one = made.of(name)
        assert one is not None
        with office.store.writing() as tx:
            mirrors.ask_to_accept(tx, name, is_asked=True)
        try:
            with _Bar(name) as bar:
                one.accept(bar)
        except LeaseLost:
            out.print(f"The server that pulls {name} does it with its next turn.", markup=False)
            return
        except OfficeError:
            with office.store.writing() as tx:
                mirrors.ask_to_accept(tx, name, is_asked=False)
            raise
        with office.store.writing() as tx:
            mirrors.ask_to_accept(tx, name, is_asked=False)
        out.print(f"{name} is as onOffice shows it.", markup=False)


@mirror.command("status")
@clear
def status(config: Config, tenant: OneTenant = None, json: AsJson = False) -> None:
    """Tell how far behind each tenant's mirror is, what went wrong last, and what waits to be sent."""
    with opened(config) as office:
        names, now = _chosen(office, tenant), office.clock()
        late = mirrors.late_after(load_configuration(config).get("storage", "onoffice_poll_seconds"))
        with office.store.reading() as tx:
            states = [mirrors.state_of(tx, name, now, late=late) for name in names]
    if json:
        print_json([_row(state) for state in states])
        return
    show([{key: _words(value) for key, value in _shown(state).items()} for state in states], as_json=False, title="Mirrors", empty="")


def _row(state: mirrors.State) -> dict[str, object]:
    """For programs: lags in seconds, moments as ISO 8601 in UTC, null for what there is not."""
    return {
        "tenant": state.tenant,
        "crm": state.crm.value,
        **{f"{kind} lag": None if one.lag is None else round(one.lag.total_seconds()) for kind, one in state.kinds.items()},
        **{f"{kind} pulled": None if one.pulled is None else one.pulled.isoformat() for kind, one in state.kinds.items()},
        **{f"{kind} stale": one.is_stale for kind, one in state.kinds.items()},
        **{f"{kind} alarm": one.alarm for kind, one in state.kinds.items()},
        **{f"{kind} doubt": one.doubt for kind, one in state.kinds.items()},
        "waiting": state.queued,
        "oldest waiting": None if state.oldest_errand is None else state.oldest_errand.isoformat(),
        "refused": state.errands[ErrandState.REFUSED],
        "alarm": "; ".join(state.alarms),
        "doubt": "; ".join(state.doubts),
        "error": state.trouble.what if state.trouble else "",
        "error since": state.trouble.since if state.trouble else "",
    }


def _shown(state: mirrors.State) -> dict[str, object]:
    """For people: what fits into a line."""
    row, told = _row(state), ("waiting", "refused", "alarm", "doubt", "error", "error since")
    lags = {f"{kind} lag": row[f"{kind} lag"] for kind in Kind}
    stale = ", ".join(kind for kind, one in state.kinds.items() if one.is_stale)
    return {"tenant": state.tenant, **lags, "stale": stale, **{key: row[key] for key in told}}


def _words(value: object) -> object:
    return "not filled" if value is None else value
