"""Visits: which clients come with a login, over both faces, and whether they still use an old password (rules 86, 90).

A wrong password is noted in the transaction that counts it. A success, and that a kind was synchronised, is noted every ten minutes at most, and
at once after a failure or a change of the password. What was noted is remembered in this process, so that the usual request asks and writes
nothing; another process may show a failure for ten minutes longer. A login has at most ``MAX_KNOWN`` clients that came in and
``MAX_STRANGERS`` that never did: who tries passwords under invented names pushes nobody else out.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from radicale_onoffice.core.clients import Client, LastSync, Visit
from radicale_onoffice.core.errors import Unavailable
from radicale_onoffice.core.model import Face, Identity, Kind, User
from radicale_onoffice.core.ports import Store, Transaction

logger = logging.getLogger(__name__)

SEEN_EVERY = timedelta(minutes=10)
LATELY = timedelta(days=30)  # a client that did not come for so long is no longer counted among those that synchronise
MAX_KNOWN, MAX_STRANGERS = 40, 10  # clients of one login
MEMO_SIZE = 20_000  # clients whose last note is remembered
Key = tuple[Identity, Face, str]


@dataclass(slots=True)
class _Noted:
    """What was written of a client last."""

    at: datetime
    password_of: datetime | None
    synced: dict[Kind, datetime] = field(default_factory=dict)


class Visits:
    """Notes visits and tells of them; safe to share between threads."""

    def __init__(self, store: Store, clock: Callable[[], datetime]):
        self._store, self._clock = store, clock
        self._memo: OrderedDict[Key, _Noted] = OrderedDict()
        self._lock = threading.Lock()  # of the memo

    # --------------------------------------------------------------- noting

    def came_in(self, user: User, client: Client | None, address: str) -> None:
        """A right password came from this client; noted now and then. A database that does not answer keeps nobody out."""
        if client is None:
            return
        now = self._clock()
        with self._lock:
            noted = self._memo.get((user.identity, *client[:2]))
            if noted is not None and noted.password_of == user.password_changed and now - noted.at < SEEN_EVERY:
                return
        try:
            with self._store.writing(lasting=False) as tx:
                self.came_in_within(tx, user, client, address)
        except Unavailable as error:
            logger.warning("a visit of %s was not noted: %s", user.identity, error)

    def came_in_within(self, tx: Transaction, user: User, client: Client | None, address: str) -> None:
        """``came_in`` within a transaction that writes anyway, whenever it was noted last."""
        if client is None:
            return
        now = self._clock()
        tx.note_visit(user.identity, client, address, now, None)
        tx.prune_visits(user.identity, MAX_KNOWN, MAX_STRANGERS)
        with self._lock:
            known = self._memo.get((user.identity, *client[:2]))
            self._remember((user.identity, *client[:2]), _Noted(now, user.password_changed, known.synced if known else {}))

    def failed_within(self, tx: Transaction, identity: Identity, client: Client | None, address: str) -> None:
        """A wrong password came from this client. Of a login that does not exist nothing is kept, at the same cost."""
        if client is None:
            return
        tx.note_failed_visit(identity, client, address, self._clock())
        tx.prune_visits(identity, MAX_KNOWN, MAX_STRANGERS)
        with self._lock:
            self._memo.pop((identity, *client[:2]), None)

    def synced(self, identity: Identity, client: Client | None, kind: Kind) -> None:
        """A client that has signed in asks what is new of a kind; noted now and then."""
        if client is None:
            return
        now, key = self._clock(), (identity, *client[:2])
        with self._lock:
            noted = self._memo.get(key)
            if noted is not None and kind in noted.synced and now - noted.synced[kind] < SEEN_EVERY:
                return
        try:
            with self._store.writing(lasting=False) as tx:
                tx.note_visit(identity, client, "", now, kind)
        except Unavailable as error:
            logger.warning("a visit of %s was not noted: %s", identity, error)
        with self._lock:
            # Without a note of the sign-in nothing is remembered: the next one makes it.
            if (noted := self._memo.get(key)) is not None:
                noted.synced[kind] = now

    def forget(self, identity: Identity, face: Face, client: str) -> None:
        """Drop what is known of a client, e.g. of one that somebody has no more; if it comes again it is known again."""
        with self._store.writing() as tx:
            tx.remove_visit(identity, Client(face, client, ""))
        with self._lock:
            self._memo.pop((identity, face, client), None)

    def _remember(self, key: Key, noted: _Noted) -> None:
        self._memo[key] = noted
        self._memo.move_to_end(key)
        while len(self._memo) > MEMO_SIZE:
            self._memo.popitem(last=False)

    # -------------------------------------------------------------- telling

    def of(self, identity: Identity) -> tuple[Visit, ...]:
        """The clients of a login, the one that came last first."""
        with self._store.reading() as tx:
            return newest_first(tx.visits(identity))

    def with_old_password(self, identity: Identity) -> tuple[Visit, ...]:
        """The clients whose settings have to be corrected by hand, because they do not come with today's password (rule 90)."""
        with self._store.reading() as tx:
            user, found = tx.user(identity), tx.visits(identity)
        return tuple(one for one in newest_first(found) if user is not None and has_old_password(one, user))


def newest_first(visits: tuple[Visit, ...]) -> tuple[Visit, ...]:
    """By when they last came, with whatever password."""
    return tuple(
        sorted(visits, key=lambda one: (max(filter(None, (one.last_ok, one.last_failed, one.first_seen))), one.client), reverse=True)
    )


def has_old_password(visit: Visit, user: User) -> bool:
    """True for a client that last came in before the password was changed, or whose password has been wrong since it last came in.

    One that never came in is no client of the user, so nothing can be corrected there.
    """
    if visit.last_ok is None:
        return False
    is_outdated = user.password_changed is not None and visit.password_of != user.password_changed
    return is_outdated or visit.failures > 0


def last_syncs(visits: tuple[Visit, ...], now: datetime) -> Mapping[Kind, LastSync]:
    """When each kind was last synchronised, and by how many clients within ``LATELY``; a kind that never was is missing."""
    found: dict[Kind, LastSync] = {}
    for kind in Kind:
        moments = [one.synced[kind] for one in visits if kind in one.synced]
        if moments:
            found[kind] = LastSync(max(moments), sum(now - at < LATELY for at in moments))
    return found
