"""Leases: which process does a tenant's work, so that of all processes one does it.

A lease is short, so that the tenants of a process that was killed wait for half a minute only; one that lives renews its leases in a thread of
its own, however long onOffice takes to answer the request that is under way.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType

from radicale_onoffice.core.errors import Unavailable
from radicale_onoffice.core.ports import Store

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)  # renewed by whoever works, and all the while
BEATS = 3  # renewals in that time; two may fail


class Renewal:
    """While it is entered, all leases of a holder go on; they end by themselves when the process does."""

    def __init__(self, store: Store, clock: Callable[[], datetime], holder: str):
        self._store, self._clock, self._holder, self._beat = store, clock, holder, LEASE.total_seconds() / BEATS
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Renewal:
        """Start to renew."""
        self._over.clear()
        self._thread = threading.Thread(target=self._run, name=f"leases of {self._holder}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        """Stop; the leases last for a while yet."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._beat):
            try:
                self.renew()
            except Unavailable as error:
                logger.warning("the leases of %s could not be renewed: %s", self._holder, error)

    def renew(self) -> None:
        """Renew what is held now; what has run out is lost. Raises Unavailable."""
        now = self._clock()
        with self._store.writing(lasting=False) as tx:
            tx.renew_leases(self._holder, now, now + LEASE)
