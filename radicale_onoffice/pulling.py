"""The thread of a server that keeps the mirrors up to date: it gives each tenant its turns, and waits in between.

Before a tenant is pulled, what waits to be sent to it is sent. All processes have such a thread; a tenant's lease lets one of them through, and
runs out soon if that one is killed. A turn has a thread of its own, a few at once, so that no tenant waits for another one's slow onOffice.
What goes wrong with one tenant is logged once, kept for ``check`` and ``mirror status``, and tried again after ever longer pauses.
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
from radicale_onoffice.crm.onoffice.leases import Renewal
from radicale_onoffice.crm.onoffice.mirror import LeaseLost, Mirror
from radicale_onoffice.crm.onoffice.writing import OnOffice
from radicale_onoffice.mirrors import Mirrors, Trouble

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 300.0  # seconds, after many failures
NO_DATABASE = 5.0  # seconds until it is asked again
LOOK = 5.0  # seconds at most between two looks for tenants that were connected, or emptiness that was accepted
GRACE = 10.0  # seconds that a stopping server waits for the requests that are under way
THREADS = 8  # turns at once
LONG_AGO = float("-inf")  # when a tenant is due that had no turn yet


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
        begin: Callable[[threading.Thread], None] = threading.Thread.start,
    ):
        """``seconds`` lie between two polls of a tenant; ``holder`` names this process among those that want its lease.

        ``begin`` starts the thread of a turn; with ``threading.Thread.run`` a turn is over when ``round`` returns.
        """
        super().__init__(name="puller", daemon=True)
        name = holder or mirrors.holder("server")
        self._office, self._seconds, self._monotonic, self._begin_thread = office, seconds, monotonic, begin
        self._mirrors = Mirrors(office, crm, name)
        self._drain = Drain(crm, office.store, office.clock, name)
        self._renewal = Renewal(office.store, office.clock, name)
        self._over, self._news = threading.Event(), threading.Event()
        self._running: dict[str, threading.Thread] = {}
        self._due: dict[str, float] = {}
        self._asked: dict[str, float] = {}  # when an administrator's word is looked after again
        self._failures: dict[str, int] = {}
        self._database_is_lost = False

    def run(self) -> None:
        """Rounds until ``stop``."""
        with self._renewal:
            while not self._over.is_set():
                self._news.clear()
                self._news.wait(self.round())

    def stop(self) -> None:
        """End after the requests that are under way, and let other processes pull; one that takes too long ends with the process."""
        self._over.set()
        self._news.set()
        if self.is_alive():
            self.join(GRACE)
        self.finish(GRACE)
        try:
            self._mirrors.release()
            for name in list(self._due):
                self._drain.release(name)
        except Unavailable as error:
            logger.warning("the leases of the mirrors could not be given back: %s", error)

    def finish(self, seconds: float) -> None:
        """Wait until the turns that are under way are over, at most so long."""
        end = self._monotonic() + seconds
        for thread in [one for one in list(self._running.values()) if one.is_alive()]:
            thread.join(max(0.0, end - self._monotonic()))

    def round(self) -> float:
        """Begin the turns of the tenants that are due; returns the seconds until the next one is, or there may be something new."""
        try:
            with self._office.store.reading() as tx:
                names = mirrors.connected(tx)
                asked = {name for name in names if mirrors.is_asked_to_accept(tx, name)}
        except Unavailable as error:
            self._lost(error)
            return NO_DATABASE
        self._database_is_lost = False
        now = self._monotonic()
        waiting = sorted((name for name in names if name not in self._running), key=lambda name: self._due.get(name, LONG_AGO))
        urgent = [name for name in waiting if name in asked and not self._failures.get(name) and self._asked.get(name, LONG_AGO) <= now]
        due = [name for name in waiting if name not in urgent and self._due.get(name, LONG_AGO) <= now]
        for name in [*urgent, *due]:
            if self._over.is_set() or len(self._running) >= THREADS:
                break  # whoever ends its turn brings the next round
            self._begin(name, is_accepted=name in asked)
        if len(self._running) >= THREADS:
            return LOOK
        return min([LOOK, *(max(0.0, self._due.get(name, LONG_AGO) - now) for name in waiting if name not in self._running)])

    def _begin(self, tenant: str, *, is_accepted: bool) -> None:
        # A daemon: a request that onOffice does not answer must not keep a stopping server from ending.
        thread = threading.Thread(target=self._work, args=(tenant, is_accepted), name=f"puller {tenant}", daemon=True)
        self._running[tenant] = thread
        self._begin_thread(thread)

    def _work(self, tenant: str, is_accepted: bool) -> None:
        pause = NO_DATABASE
        try:
            pause = self._attend(tenant, is_accepted=is_accepted)
        except Unavailable as error:
            self._lost(error)
        finally:
            self._due[tenant] = self._monotonic() + pause
            if is_accepted:  # another process may have the lease
                self._asked[tenant] = self._monotonic() + LOOK
            del self._running[tenant]
            self._news.set()

    def _lost(self, error: Unavailable) -> None:
        if not self._database_is_lost:
            logger.error("the mirrors stand still: %s", error)
        self._database_is_lost = True

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
