"""The thread of a server that keeps the mirrors up to date: it takes turns over the tenants, and waits in between.

Before a tenant is pulled, what waits to be sent to it is sent. All processes have such a thread; a tenant's lease lets one of them through.
What goes wrong with one tenant is logged once, kept for ``check`` and ``mirror status``, and tried again after ever longer pauses; the others go on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC

from radicale_onoffice import mirrors
from radicale_onoffice.core.errors import OfficeError, Unavailable
from radicale_onoffice.core.model import Kind
from radicale_onoffice.core.office import Office
from radicale_onoffice.crm.onoffice.draining import Drain
from radicale_onoffice.crm.onoffice.mirror import LeaseLost, Mirror
from radicale_onoffice.crm.onoffice.writing import OnOffice
from radicale_onoffice.mirrors import Mirrors, Trouble

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 300.0  # seconds, after many failures
NO_DATABASE = 5.0  # seconds until it is asked again
LOOK = 5.0  # seconds at most between two looks for tenants that were connected, or emptiness that was accepted
GRACE = 10.0  # seconds that a stopping server waits for the request that is under way


class Stopped(Exception):
    """The server is stopping; a fill or sweep is taken up again at this page."""


class Puller(threading.Thread):
    """Pulls until it is stopped."""

    def __init__(
        self,
        office: Office,
        crm: OnOffice,
        seconds: float,
        *,
        holder: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        """``seconds`` lie between two polls of a tenant; ``holder`` names this process among those that want its lease."""
        super().__init__(name="puller", daemon=True)
        name = holder or mirrors.holder("server")
        self._office, self._seconds, self._monotonic = office, seconds, monotonic
        self._mirrors = Mirrors(office, crm, name)
        self._drain = Drain(crm, office.store, office.clock, name)
        self._over = threading.Event()
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._database_is_lost = False

    def run(self) -> None:
        """Rounds until ``stop``."""
        while not self._over.wait(self.round()):
            pass

    def stop(self) -> None:
        """End after the request that is under way, and let other processes pull; a request that takes too long ends with the process."""
        self._over.set()
        if self.is_alive():
            self.join(GRACE)
        try:
            self._mirrors.release()
            for name in self._due:
                self._drain.release(name)
        except Unavailable as error:
            logger.warning("the leases of the mirrors could not be given back: %s", error)

    def round(self) -> float:
        """Pull the tenants that are due; returns the seconds until the next one is."""
        try:
            with self._office.store.reading() as tx:
                names = mirrors.connected(tx)
                asked = {name for name in names if mirrors.is_asked_to_accept(tx, name)}
            for name in names:
                if self._over.is_set():
                    return 0.0
                is_urgent = name in asked and not self._failures.get(name)
                if is_urgent or self._due.get(name, 0.0) <= self._monotonic():
                    self._due[name] = self._monotonic() + self._attend(name, is_accepted=name in asked)
        except Unavailable as error:
            if not self._database_is_lost:
                logger.error("the mirrors stand still: %s", error)
            self._database_is_lost = True
            return NO_DATABASE
        self._database_is_lost = False
        now = self._monotonic()
        return min([LOOK, *(max(0.0, self._due[name] - now) for name in names)])

    def _attend(self, tenant: str, *, is_accepted: bool) -> float:
        """One tenant's turn; returns the seconds until its next one. Raises Unavailable if our own database is lost."""
        began = self._monotonic()
        try:
            done = self._turn(tenant, is_accepted=is_accepted)
        except Stopped:
            return 0.0
        except OfficeError as error:
            return self._failed(tenant, str(error))
        except Exception as error:
            # A bug that one tenant's data meets must not stop the mirrors of all others; it is told, and tried again.
            if not self._failures.get(tenant):
                logger.exception("mirror of %s", tenant)
            return self._failed(tenant, f"{type(error).__name__}: {error}")
        if done:
            self._failures[tenant] = 0
            self._tell(tenant, None)
        pause = self._seconds if done in ("", "polled") else 0.0
        return max(0.0, pause - (self._monotonic() - began))

    def _turn(self, tenant: str, *, is_accepted: bool) -> str:
        self._drain(tenant)
        mirror = self._mirrors.of(tenant)
        if mirror is None:
            return ""
        return self._accept(tenant, mirror) if is_accepted else mirror.turn(self._heed)

    def _accept(self, tenant: str, mirror: Mirror) -> str:
        try:
            mirror.accept(self._heed)
        except LeaseLost:
            return ""
        with self._office.store.writing() as tx:
            mirrors.ask_to_accept(tx, tenant, is_asked=False)
        return "swept"

    def _heed(self, _kind: Kind, _more: int) -> None:
        if self._over.is_set():
            raise Stopped

    def _failed(self, tenant: str, what: str) -> float:
        failures = self._failures[tenant] = self._failures.get(tenant, 0) + 1
        self._tell(tenant, what)
        return min(LONGEST_PAUSE, self._seconds * 2.0 ** min(failures - 1, 10))

    def _tell(self, tenant: str, what: str | None) -> None:
        """Keep and log how a turn went, if it went otherwise than the last one."""
        with self._office.store.reading() as tx:
            before = mirrors.trouble_of(tx, tenant)
        if (before.what if before else None) == what:
            return
        since = self._office.clock().astimezone(UTC).isoformat(timespec="seconds")
        with self._office.store.writing() as tx:
            mirrors.save_trouble(tx, tenant, Trouble(since, what) if what is not None else None)
        if what is None:
            logger.warning("mirror of %s: all is well again", tenant)
        else:
            logger.error("mirror of %s: %s", tenant, what)
