"""The bridge in a process of its own, over the same configuration file and database: ``activesync-bridge --config FILE``."""

from __future__ import annotations

from typing import Annotated

import typer

from radicale_onoffice import asgi, serving
from radicale_onoffice.admin.console import Config, clear, fail

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command()
@clear
def serve(
    config: Config,
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: [server] hosts")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; default: [server] hosts")] = None,
    certificate: Annotated[str | None, typer.Option(help="TLS certificate chain, PEM")] = None,
    key: Annotated[str | None, typer.Option(help="TLS private key, PEM")] = None,
) -> None:
    """Serve phones over Exchange ActiveSync, with Autodiscover, health and metrics; DAV and pages are served by another process."""
    if (certificate is None) != (key is None):
        fail("TLS needs both --certificate and --key.")
    serving.serve(config, host=host, port=port, certificate=certificate, key=key, make=asgi.bridge_alone)
