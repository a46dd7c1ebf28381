"""Running the one-port server: sockets, TLS, signals."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

import uvicorn

from radicale_onoffice import asgi, wiring
from radicale_onoffice.configuration import load_configuration

GRACE = 30  # seconds that running requests get on SIGTERM
KEEP_ALIVE = 75  # seconds; longer than a proxy's usual 60, so that the proxy closes first


class Server(uvicorn.Server):
    """Answers the phones that wait before it counts running requests: a Ping may take an hour."""

    def __init__(self, configuration: uvicorn.Config, application: asgi.OnePort):
        super().__init__(configuration)
        self._application = application

    async def shutdown(self, sockets=None) -> None:
        """End the waits, then stop as uvicorn does."""
        self._application.stop_waiting()
        await super().shutdown(sockets)


def serve(
    paths: str,
    *,
    host: str | None,
    port: int | None,
    certificate: str | None = None,
    key: str | None = None,
    make: Callable[[Any], asgi.OnePort] = asgi.application,
) -> None:
    """Serve until SIGTERM or SIGINT; running requests finish. Raises ConfigurationError, ValueError and Unavailable before it listens."""
    configuration = load_configuration(paths)
    configured_host, configured_port = configuration.get("server", "hosts")[0]
    application = make(configuration)
    # uvicorn raises the signal again once the running requests are done: then the database is closed and the exit status is 0.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(0))
    try:
        uvicorn_configuration = uvicorn.Config(
            application,
            host=host or configured_host,
            port=port if port is not None else int(configured_port),
            ssl_certfile=certificate,
            ssl_keyfile=key,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=configuration.get("auth", "onoffice_trust_proxy"),
            forwarded_allow_ips="*",  # wherever the proxy runs: without the option the headers are not looked at
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACE,
            lifespan="on",
        )
        Server(uvicorn_configuration, application).run()
    finally:
        wiring.forget(configuration.get("storage", "onoffice_database"))
