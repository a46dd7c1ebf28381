"""The ``radicale-onoffice`` command."""

from __future__ import annotations

from typing import Annotated

import typer

from radicale_onoffice import asgi, serving
from radicale_onoffice.core.errors import Unavailable

app = typer.Typer(no_args_is_help=True, add_completion=False, help="onOffice over CardDAV and CalDAV.")


@app.callback()
def root() -> None:
    """onOffice over CardDAV and CalDAV."""


@app.command()
def serve(
    config: Annotated[str, typer.Option(help="Radicale's configuration file", envvar="RADICALE_CONFIG")],
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: [server] hosts")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default: [server] hosts")] = None,
    certificate: Annotated[str | None, typer.Option(help="TLS certificate chain, PEM")] = None,
    key: Annotated[str | None, typer.Option(help="TLS private key, PEM")] = None,
) -> None:
    """Serve DAV, pages, health and metrics on one port."""
    serving.run_optimized()
    try:
        serving.serve(config, host=host, port=port, certificate=certificate, key=key)
    except (asgi.ConfigurationError, ValueError, Unavailable) as error:
        typer.echo(f"radicale-onoffice: {error}", err=True)
        raise typer.Exit(2) from None


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
