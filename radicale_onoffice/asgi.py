"""The one-port application: DAV and pages through Radicale, discovery, health and metrics (design: one process, one port)."""

from __future__ import annotations

import functools
import hmac
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from radicale import log as radicale_log
from radicale import xmlutils
from radicale.app import Application
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from activesync_bridge.server import Bridge
from activesync_bridge.session import Options
from radicale_onoffice import __version__, mirrors, options, wiring
from radicale_onoffice.auth import backend_of
from radicale_onoffice.core.errors import Unavailable
from radicale_onoffice.core.model import Door
from radicale_onoffice.core.office import Office
from radicale_onoffice.core.ports import Transaction
from radicale_onoffice.crm.onoffice.writing import OnOffice
from radicale_onoffice.host import PreciseAnswers
from radicale_onoffice.pulling import Puller
from radicale_onoffice.stores.wake import Hub
from radicale_onoffice.workers import Pool, Workers

METHODS = ["GET", "HEAD", "OPTIONS", "PROPFIND", "POST", "PUT"]
LOOPBACK = ("127.0.0.1", "::1")

logger = logging.getLogger(__name__)


class Metrics:
    """What /metrics tells."""

    def __init__(self, office: Office, hub: Hub, late: timedelta = mirrors.LATE):
        """``late``: how far behind a mirror is stale."""
        self._office, self._hub, self._late = office, hub, late
        self.registry = CollectorRegistry()
        self._requests = Counter("onoffice_requests", "Requests by method and status", ("method", "status"), registry=self.registry)
        self._commands = Counter("onoffice_activesync_requests", "Requests of phones", ("command", "status"), registry=self.registry)
        self._seconds = Histogram("onoffice_request_seconds", "Duration of requests", ("method",), registry=self.registry)
        self._records = Gauge("onoffice_records", "Records kept", ("tenant", "kind"), registry=self.registry)
        self._locked = Gauge("onoffice_locked_logins", "Logins whose sync is locked", ("tenant",), registry=self.registry)
        self._waiting = Gauge("onoffice_waiting_phones", "Phones that wait for changes in this process", registry=self.registry)
        self._lag = Gauge(
            "onoffice_mirror_lag_seconds",
            "Since when changes in onOffice may not be here; infinite: not filled yet",
            ("tenant", "kind"),
            registry=self.registry,
        )
        self._alarm = Gauge(
            "onoffice_mirror_alarm", "1 while onOffice shows too little to be believed", ("tenant",), registry=self.registry
        )
        self._stale = Gauge("onoffice_mirror_stale", "1 while what is read may be old", ("tenant", "kind"), registry=self.registry)
        self._ill = Gauge("onoffice_mirror_trouble", "1 while pulling fails", ("tenant",), registry=self.registry)
        self._errands = Gauge("onoffice_errands", "Changes on their way to onOffice", ("tenant", "state"), registry=self.registry)
        self._maintenance = Gauge("onoffice_maintenance", "1 while maintenance is on", registry=self.registry)

    def observe(self, method: str, status: int, seconds: float) -> None:
        """Count one request; an invented method must not make a new time series."""
        known = method if method in (*METHODS, "REPORT", "DELETE", "PROPPATCH", "MKCALENDAR", "MKCOL", "MOVE") else "other"
        self._requests.labels(known, status).inc()
        self._seconds.labels(known).observe(seconds)

    def observe_command(self, command: str, status: int, seconds: float) -> None:
        """Count one request of a phone; waits are not durations of work."""
        self._commands.labels(command, status).inc()
        if command not in ("Ping", "Sync"):
            self._seconds.labels(command).observe(seconds)

    def text(self) -> bytes:
        """Prometheus' text form, with what the database says now."""
        with self._office.store.reading() as tx:
            for tenant in tx.tenants():
                for kind, number in tx.counts(tenant.name).items():
                    self._records.labels(tenant.name, kind).set(number)
                self._locked.labels(tenant.name).set(len(tx.locked(tenant.name, Door.SYNC)))
            if isinstance(self._office.crm, OnOffice):
                self._tell_mirrors(tx)
        self._waiting.set(self._hub.waiting)
        self._maintenance.set(self._office.accounts.maintenance() is not None)
        return generate_latest(self.registry)

    def _tell_mirrors(self, tx: Transaction) -> None:
        for gauge in (self._lag, self._stale, self._alarm, self._ill, self._errands):
            gauge.clear()  # a tenant may have been disconnected
        for name in mirrors.connected(tx):
            state = mirrors.state_of(tx, name, self._office.clock(), late=self._late)
            for kind, one in state.kinds.items():
                self._lag.labels(name, kind.value).set(math.inf if one.lag is None else one.lag.total_seconds())
                self._stale.labels(name, kind.value).set(one.is_stale)
            self._alarm.labels(name).set(bool(state.alarms))
            self._ill.labels(name).set(state.trouble is not None)
            for word, number in state.errands.items():
                self._errands.labels(name, word.value).set(number)


class OnePort:
    """Both faces on one port: the bridge's paths in any case, everything else to DAV and pages.

    Phones wait only while the application's lifespan runs; ``stop_waiting`` ends all waits at once, before a server counts running requests.
    """

    def __init__(self, rest: Starlette, bridge: Bridge | None, hub: Hub):
        self._rest, self._bridge, self._hub = rest, bridge, hub

    async def __call__(self, scope, receive, send) -> None:
        """Answer one request, or follow the server's lifespan."""
        if scope["type"] == "http" and self._bridge is not None and self._bridge.serves(scope["path"]):
            await self._bridge(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    def stop_waiting(self) -> None:
        """Answer all phones that wait."""
        self._hub.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What both applications are made of."""

    office: Office
    metrics: Metrics
    pool: Pool
    hub: Hub
    bridge: Bridge
    puller: Puller | None  # None: the embedded CRM has nothing to pull
    max_body: int


def application(configuration) -> OnePort:
    """The ASGI application over a configuration that ``load_configuration`` made: both faces on one port."""
    parts = _parts(configuration)
    remember_tags()
    radicale = PreciseAnswers(Application(configuration), max_body=parts.max_body, observe=parts.metrics.observe)

    async def well_known(_request: Request) -> Response:
        return RedirectResponse("/", 301)

    routes = [
        *_watching(configuration, parts),
        Route("/.well-known/caldav", well_known, methods=METHODS),
        Route("/.well-known/carddav", well_known, methods=METHODS),
        Mount("/", Workers(radicale, parts.pool, max_body=parts.max_body)),
    ]
    is_on = configuration.get("web", "activesync_enabled")
    return _one_port(routes, parts, parts.bridge if is_on else None)


def bridge_alone(configuration) -> OnePort:
    """The ASGI application of the bridge without DAV and pages, for a process of its own over the same database."""
    parts = _parts(configuration)
    return _one_port(_watching(configuration, parts), parts, parts.bridge)


def _parts(configuration) -> Parts:
    radicale_log.setup()
    radicale_log.set_level(
        configuration.get("logging", "level"),
        configuration.get("logging", "backtrace_on_debug"),
        configuration.get("logging", "trace_filter"),
    )
    # The lock does what Radicale's pauses are for, and a pause holds a worker (host.py).
    configuration.update({"auth": {"delay": "0"}, "server": {"delay_on_error": "0"}}, "serve", privileged=True)
    office = wiring.office(configuration)
    max_body = configuration.get("server", "max_content_length")
    pool = Pool(_turns(configuration.get("storage", "onoffice_database")))
    hub = Hub(office.store)
    metrics = Metrics(office, hub, mirrors.late_after(configuration.get("storage", "onoffice_poll_seconds")))
    bridge = Bridge(
        office,
        hub,
        pool,
        options=_bridge_options(configuration),
        max_body=max_body,
        verify=backend_of(configuration, office.accounts),
        observe=metrics.observe_command,
    )
    return Parts(
        office=office, metrics=metrics, pool=pool, hub=hub, bridge=bridge, puller=_puller(configuration, office), max_body=max_body
    )


def _puller(configuration, office: Office) -> Puller | None:
    if configuration.get("storage", "onoffice_crm") is not options.CrmType.ONOFFICE or not isinstance(office.crm, OnOffice):
        return None
    return Puller(office, office.crm, configuration.get("storage", "onoffice_poll_seconds"))


def _watching(configuration, parts: Parts) -> list[Route]:
    """What administrators' programs look at."""
    token = configuration.get("web", "onoffice_metrics_token")

    async def healthz(_request: Request) -> Response:
        return await run_in_threadpool(_health, parts.office)

    async def metrics_page(request: Request) -> Response:
        if not _may_see_metrics(request, token):
            return PlainTextResponse("Metrics are for this machine, or for a bearer of onoffice_metrics_token.\n", 403)
        return Response(await run_in_threadpool(parts.metrics.text), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/metrics", metrics_page)]


def _one_port(routes: list[Any], parts: Parts, bridge: Bridge | None) -> OnePort:
    return OnePort(Starlette(routes=routes, lifespan=lambda _app: _listening(parts)), bridge, parts.hub)


def _bridge_options(configuration) -> Options:
    def web(name: str) -> Any:
        return configuration.get("web", f"activesync_{name}")

    return Options(policy=str(web("policy")), min_heartbeat=web("min_heartbeat"), max_heartbeat=web("max_heartbeat"))


@asynccontextmanager
async def _listening(parts: Parts) -> AsyncIterator[None]:
    parts.hub.start()
    if parts.puller is not None:
        parts.puller.start()
    try:
        yield
    finally:
        parts.hub.close()
        if parts.puller is not None:
            await run_in_threadpool(parts.puller.stop)


def remember_tags() -> None:
    """Radicale spells each XML tag out some fifteen times per listed item, a tenth of a long answer; what a tag is spelled like never changes."""
    if not hasattr(xmlutils.make_clark, "cache_info"):
        xmlutils.make_clark = functools.lru_cache(maxsize=256)(xmlutils.make_clark)


def _turns(database: str) -> int:
    """SQLite answers from this process; PostgreSQL is waited for, so others may compute meanwhile."""
    return 1 if database.startswith("sqlite") else 4


def _health(office: Office) -> Response:
    try:
        maintenance = office.accounts.maintenance()
    except Unavailable as error:
        return JSONResponse(
            {"status": "down", "database": str(error), "version": __version__}, 503, {"Retry-After": str(error.retry_after)}
        )
    return JSONResponse({"status": "maintenance" if maintenance else "ok", "database": "ok", "version": __version__})


def _may_see_metrics(request: Request, token: str) -> bool:
    if token:
        return hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode())
    return request.client is not None and request.client.host in LOOPBACK and "x-forwarded-for" not in request.headers
