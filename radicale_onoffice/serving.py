"""Running the one-port server: sockets, TLS, signals."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import uvicorn

from radicale_onoffice import asgi, wiring

GRACE = 30  # seconds that running requests get on SIGTERM
KEEP_ALIVE = 75  # seconds; longer than a proxy's usual 60, so that the proxy closes first
NO_OPTIMIZE = "RADICALE_ONOFFICE_NO_OPTIMIZE"


def optimized() -> bool:
    """True if Python leaves asserts out: Radicale spends nearly half of its time per listed item in them."""
    return sys.flags.optimize > 0


def run_optimized(module: str = "radicale_onoffice.cli") -> None:
    """Start this very command again with ``python -O``, unless it runs so already or the environment forbids it."""
    if optimized() or os.environ.get(NO_OPTIMIZE):
        return
    os.environ[NO_OPTIMIZE] = "1"  # whatever -O does, it is tried once
    # glibc gives each thread an arena of its own, which never shrinks; two are enough under the interpreter's lock.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    os.execv(sys.executable, [sys.executable, "-O", "-m", module, *sys.argv[1:]])  # noqa: S606 - ourselves, no shell


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
    configuration = asgi.load_configuration(paths)
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
