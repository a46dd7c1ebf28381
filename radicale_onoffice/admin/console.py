"""What all commands share: opening the office, the acting administrator, tables or JSON, and errors that say what to do."""

from __future__ import annotations

import functools
import getpass
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from radicale_onoffice import wiring
from radicale_onoffice.configuration import ConfigurationError, load_configuration
from radicale_onoffice.core.errors import OfficeError
from radicale_onoffice.core.model import Identity
from radicale_onoffice.core.office import Office

P = ParamSpec("P")
R = TypeVar("R")
PREFIX = "radicale-onoffice: "
out, err = Console(), Console(stderr=True)

Config = Annotated[str, typer.Option("--config", "-c", help="Radicale's configuration file", envvar="RADICALE_CONFIG")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table")]
Login = Annotated[str, typer.Argument(help="user, or user@tenant")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input")]


def fail(message: str) -> NoReturn:
    """Tell what is wrong and end with status 2."""
    err.print(PREFIX + message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(2)


def clear(command: Callable[P, R]) -> Callable[P, R]:
    """Turn errors that a person can act on into one line and status 2; anything else is a bug and shows its traceback."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (ConfigurationError, OfficeError, ValueError, OSError) as error:
            fail(str(error))

    return wrapper


@contextmanager
def opened(config: str) -> Iterator[Office]:
    """The office of a configuration file, closed at the end."""
    configuration = load_configuration(config)
    office = wiring.office(configuration)
    try:
        yield office
    finally:
        wiring.forget(configuration.get("storage", "onoffice_database"))


def identity_of(office: Office, login: str) -> Identity:
    """The existing user behind a login."""
    identity = office.accounts.resolve(login)
    with office.store.reading() as tx:
        if tx.user(identity) is None:
            fail(f"There is no user {identity.user!r} of tenant {identity.tenant!r}; `user list` shows who there is.")
    return identity


def administrator() -> str:
    """Who acts, for audit lines."""
    try:
        return f"cli {getpass.getuser()}"
    except (KeyError, OSError):
        return "cli"


def new_password(from_stdin: bool) -> str:
    """A password from the terminal, asked twice, or from standard input; never from the command line, where others could read it."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, title: str, empty: str) -> None:
    """Rows as a table, or as a JSON list."""
    if as_json:
        print_json(rows)
    elif not rows:
        out.print(empty)
    else:
        table = Table(title=_plain(title), title_justify="left")
        for name in rows[0]:
            table.add_column(name)
        for row in rows:
            table.add_row(*(_plain(_cell(value)) for value in row.values()))
        out.print(table)


def moment(at: datetime | None) -> str:
    """A moment in ISO 8601, to the second; "" without one."""
    return at.isoformat(timespec="seconds") if at else ""


def _plain(text: str) -> Text:
    """What others wrote, as it stands: neither markup nor a terminal's control sequence."""
    return Text("".join(character if character.isprintable() or character == "\n" else "?" for character in text))


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def print_json(value: Any) -> None:
    """JSON for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def progress() -> Progress:
    """A progress bar on standard error, so that standard output stays data."""
    return Progress(console=err, transient=True)
