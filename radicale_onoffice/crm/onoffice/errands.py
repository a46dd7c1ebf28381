"""The books about writes: what is on its way to onOffice, what became of it, and what our store is told of that.

An errand is committed before anything is sent and goes in the commit that stores what came of it. Between the two it is SENT: perhaps done.
``settle`` finds out; until it can tell, nothing else is written to the record.

**An empty answer** is what onOffice gives for what is gone, and for all that the API user may not read. So where a record that is not there
would decide something, another one of its kind has to be seen (``demand_sight``); else devices come again, and errands wait. Where there is
no other one:

* a record whose number is known stays, and its errand waits: until the log tells the mirror that it was deleted, or ``mirror accept`` does;
  until any other one of its kind is made or seen; or until ``errand drop``. It alone waits. To believe its absence would drop the only
  record with each lost right, or make it again at each repetition, for as long as nothing can be read.
* a creation of which no number is known is believed not to be there, after ``LATE``, and made again: else the first record of an empty
  office could never be. Twice is only made what meets a lost answer and a lost right in an office that has nothing of its kind.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from radicale_onoffice.core.errors import ChangedBefore, Conflict, NotFound, Refused, UpstreamDown
from radicale_onoffice.core.model import Actor, Face, Identity, Kind, Record, Value
from radicale_onoffice.core.ports import Errand, ErrandState, Held, Link, Store, Transaction
from radicale_onoffice.core.records import Records
from radicale_onoffice.core.reports import DEVIATION, REFUSED, line
from radicale_onoffice.crm.onoffice import rows, sending, settling
from radicale_onoffice.crm.onoffice.client import OutcomeUnknown, RefusedByOnOffice
from radicale_onoffice.crm.onoffice.codes import UNKNOWN_FIELD
from radicale_onoffice.crm.onoffice.connections import Connection
from radicale_onoffice.crm.onoffice.mirror import link_of
from radicale_onoffice.crm.onoffice.protocol import Row
from radicale_onoffice.crm.onoffice.sending import Made, NotTaken, Taken, entry_ids

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Vanished(NotFound):
    """What an errand made is not there any more."""


def is_queued(errand: Errand) -> bool:
    """True if the device was told of a success already: whatever comes, it has to be sent."""
    return errand.state is ErrandState.WAITING or (errand.state is ErrandState.SENT and errand.tries > 0)


class Errands:
    """The errands of all tenants; safe to share between threads."""

    def __init__(self, store: Store, records: Callable[[], Records], clock: Callable[[], datetime], late: timedelta):
        self._store, self._records, self._clock, self._late = store, records, clock, late
        self._ill: dict[int, datetime] = {}  # since when onOffice is ill at a single action of an errand, and well otherwise

    # ------------------------------------------------------------- the books

    def note(self, errand: Errand, *, lasting: bool = True) -> Errand:
        """Commit that this is going to be sent now; without ``lasting`` not waiting for the disk, so that only a power failure forgets it."""
        errand = replace(errand, state=ErrandState.SENT, at=self._clock())
        with self._store.writing(lasting=lasting) as tx:
            if errand.number:
                tx.save_errand(errand)
                return errand
            return replace(errand, number=tx.add_errand(errand))

    def sending(self, errand: Errand) -> Errand | None:
        """Commit that an acknowledged write is going to be sent now; None if it is not what it was when it was read."""
        return self._exchanged(errand, replace(errand, state=ErrandState.SENT, at=self._clock(), tries=errand.tries + 1))

    def not_sent(self, sent: Errand, errand: Errand) -> None:
        """Commit that it was not done, and waits as before; not if somebody sent it meanwhile."""
        self._exchanged(sent, replace(errand, state=ErrandState.WAITING))

    def _exchanged(self, old: Errand, new: Errand) -> Errand | None:
        """Save an errand unless another process has touched it: one that stood still longer than its lease knows nothing of that."""
        with self._store.writing() as tx:
            now = tx.errand(old.actor.identity.tenant, old.number, lock=True)
            if now is None or (now.state, now.tries, now.at) != (old.state, old.tries, old.at):
                return None
            tx.save_errand(new)
            return new

    def save(self, errand: Errand) -> None:
        """Commit how far it has come."""
        with self._store.writing() as tx:
            tx.save_errand(errand)

    def forget(self, errand: Errand) -> None:
        """Commit that nothing is to be done any more."""
        self._ill.pop(errand.number, None)
        with self._store.writing() as tx:
            tx.remove_errand(errand.number)

    def refuse(self, errand: Errand, reason: str, following: Sequence[Errand]) -> None:
        """Keep for the administrator what onOffice refused, save what is to follow now, and tell; in one commit."""
        told = f"a change made during an outage was refused: {reason}"
        with self._store.writing() as tx:
            tx.save_errand(replace(errand, state=ErrandState.REFUSED, reason=reason))
            for one in following:
                tx.save_errand(one)
            self._tell(tx, errand, told, REFUSED)

    def give_up(self, errand: Errand) -> None:
        """Commit that what it made is no more: its number is forgotten along with it."""
        self._ill.pop(errand.number, None)
        with self._store.writing() as tx:
            tx.save_link(errand.actor.identity.tenant, errand.kind, errand.record_id, Link(""))
            tx.remove_errand(errand.number)

    def withdraw_refused(self, tenant: str, record_id: str) -> None:
        """Forget that a record was refused once, because onOffice has it now."""
        with self._store.reading() as tx:
            found = [one for one in tx.errands(tenant, record_id) if one.state is ErrandState.REFUSED and one.before is None]
        for errand in found:
            self.forget(errand)

    def all(self, tenant: str) -> list[Errand]:
        """All errands of a tenant, by number."""
        with self._store.reading() as tx:
            return list(tx.errands(tenant))

    def of(self, tenant: str, record_id: str) -> list[Errand]:
        """What is on its way of one record."""
        with self._store.reading() as tx:
            return [errand for errand in tx.errands(tenant, record_id) if errand.state is not ErrandState.REFUSED]

    def get(self, tenant: str, number: int) -> Errand | None:
        """One errand; None if it is done."""
        with self._store.reading() as tx:
            return tx.errand(tenant, number)

    def link(self, tenant: str, record_id: str) -> Link | None:
        """How onOffice calls a record; None if it never got it."""
        with self._store.reading() as tx:
            found = tx.link(tenant, record_id)
        return found if found is not None and found.crm_id else None

    def record(self, tenant: str, record_id: str) -> Record | None:
        """What is stored, also of a deleted record."""
        with self._store.reading() as tx:
            return tx.record(tenant, record_id)

    def is_young(self, errand: Errand) -> bool:
        """True while it may still be carried out by onOffice, long after we gave up waiting."""
        return not self.is_older_than(errand, self._late)

    def is_older_than(self, errand: Errand, age: timedelta) -> bool:
        """True if it was sent so long ago."""
        return self._clock() - errand.at >= age

    def not_known_yet(self, errand: Errand) -> OutcomeUnknown:
        """What whoever wants to write meanwhile is told."""
        left = round((errand.at + self._late - self._clock()).total_seconds())
        message = "onOffice did not answer a change of this record, and whether it was made is not known yet."
        return OutcomeUnknown(message, max(sending.RETRY_AFTER, left))

    def report(self, errand: Errand, text: str, event: str = DEVIATION) -> None:
        """Tell the administrator (log) and the user (page) what did not become as it was wished."""
        with self._store.writing() as tx:
            self._tell(tx, errand, text, event)

    def _tell(self, tx: Transaction, errand: Errand, text: str, event: str) -> None:
        identity = errand.actor.identity
        logger.warning("record %s of %s@%s: %s", errand.record_id, identity.user, identity.tenant, text)
        tx.add_audit(line(errand.actor, self._clock(), event, errand.record_id, text))

    # ----------------------------------------------------- what our store is told

    def adopt(self, tenant: str, kind: Kind, value: Value, row: Row, known: Record | None, by: Actor | None = None) -> Record:
        """Store what onOffice holds, as written ``by`` somebody in onOffice if it is not known to be a device's.

        ``known`` was read before the row; raises Conflict if another version was stored since: the row is older.
        """
        actor = by or Actor(identity=Identity(tenant, "onoffice"), face=Face.CRM)
        record_id, version = (known.id, known.version) if known is not None else (None, None)
        return self._records().adopt(actor, kind, Held(value, link_of(kind, row)), record_id=record_id, version=version)

    def adopt_made(self, errand: Errand, held: Held) -> Record:
        """Store what an errand made whose device was told nothing, by all that the device calls it. Raises Conflict."""
        return self._records().adopt_made(errand, held)

    def demand_unchanged(self, connection: Connection, record: Record, row: Row) -> None:
        """Adopt what somebody changed in onOffice meanwhile, and raise Conflict so that it is merged."""
        value = sending.load(record.kind, row, connection, record.value)
        if value != record.value:
            adopted = self.adopt(record.tenant, record.kind, value, row, record)
            raise Conflict(record.version, adopted.version)

    def demand_gone(self, connection: Connection, record: Record, crm_id: str) -> None:
        """Raise UpstreamDown unless it can be believed that onOffice has a record no more. What the mirror has dropped was believed already."""
        removals = [one for one in self.of(record.tenant, record.id) if one.after is None and is_queued(one)]
        self.demand_sight(connection, record.tenant, record.kind, crm_id, alone=record.deleted and not removals)

    def demand_sight(self, connection: Connection, tenant: str, kind: Kind, crm_id: str = "", *, alone: bool = False) -> None:
        """Raise UpstreamDown unless others than this record can be seen: a right that the API user lost looks the same as an empty onOffice.

        If our store knows no other, nobody can tell, and only what is believed ``alone`` goes on; see the module's head.
        """
        with self._store.reading() as tx:
            others = sorted(set(tx.links(tenant, kind)) - {crm_id, ""})
        if not (sending.sees_any(connection, kind, others) if others else alone):
            message = f"onOffice shows none of its {kind} any more. Does the API user still have its rights?"
            raise UpstreamDown(message, sending.RETRY_AFTER)

    def is_removed(self, connection: Connection, errand: Errand, crm_id: str) -> bool:
        """True if what an errand takes out is out of onOffice. Raises UpstreamDown if nobody can tell."""
        row = sending.read(connection, errand.kind, crm_id)
        if row is None:
            self.demand_sight(connection, errand.actor.identity.tenant, errand.kind, crm_id)
        return row is None or sending.is_removed(row, errand.kind, connection)

    def drop(self, record: Record) -> None:
        """Store that onOffice has a record no more."""
        if record.deleted:
            return

        def forget_digest(tx: Transaction, _record_ids: Sequence[str]) -> None:
            link = tx.link(record.tenant, record.id)
            if link is not None:  # should it ever come back, it is looked at, though it is what it was
                tx.save_link(record.tenant, record.kind, record.id, Link(link.crm_id))

        self._records().drop(Actor(identity=Identity(record.tenant, "onoffice"), face=Face.CRM), [record.id], also=forget_digest)

    # -------------------------------------------------------- unknown outcomes

    def settle(self, connection: Connection, errand: Errand, by: Actor | None = None) -> None:
        """Find out what became of a change or removal, and store it, for who wants to write next.

        Raises Conflict if the record is another one now, ChangedBefore if that is ``by`` whoever wants to write, NotFound if it is gone,
        UpstreamDown if nobody can tell yet.
        """
        tenant, link = errand.actor.identity.tenant, self.link(errand.actor.identity.tenant, errand.record_id)
        record = self.record(tenant, errand.record_id)
        if link is None or record is None or errand.before is None:
            return
        row = sending.read(connection, errand.kind, link.crm_id)
        if row is None:
            self.demand_gone(connection, record, link.crm_id)
            self.forget(errand)
            self.drop(record)
            raise NotFound(f"onOffice has no record {record.id!r} any more.")
        is_done = errand.after is not None and settling.is_done(errand.kind, row, errand.before, errand.after, connection)
        if errand.after is None and sending.is_removed(row, errand.kind, connection):
            self.forget(errand)
            self.drop(record)
            raise NotFound(f"The record {record.id!r} is removed.")
        if not is_done and self.is_young(errand):
            raise self.not_known_yet(errand)
        before = errand.after if is_done and errand.after is not None else record.value
        value = sending.load(errand.kind, row, connection, before, entry_ids(before) - entry_ids(errand.before))
        known = record
        if is_done and errand.after is not None and record.value == errand.before:
            # Its device's own: what that device changes again is no conflict with it. What others wrote on top is theirs.
            known = self.adopt(tenant, errand.kind, errand.after, row, record, errand.actor)
        adopted = self.adopt(tenant, errand.kind, value, row, known)
        self.forget(errand)
        if adopted.version != record.version:
            is_own = known.version != record.version and errand.actor == by
            raise (ChangedBefore if is_own else Conflict)(record.version, adopted.version)

    def repeated(self, errand: Errand) -> Errand | None:
        """The errand that this one is a repetition of: a record that was perhaps made, and whose device got no answer."""
        with self._store.reading() as tx:
            known = tx.errands(errand.actor.identity.tenant)
        made = (one for one in known if one.state is ErrandState.SENT and one.before is None and one.kind is errand.kind)
        return next(
            (one for one in made if one.record_id == errand.record_id or (not is_queued(one) and settling.is_repeated(one, errand))), None
        )

    def made(self, connection: Connection, errand: Errand) -> str:
        """The id of what an errand made; "" if there is nothing. Raises UpstreamDown, and Refused if what it wanted cannot be said any more."""
        tenant, link = errand.actor.identity.tenant, self.link(errand.actor.identity.tenant, errand.record_id)
        if link is not None:
            return link.crm_id
        candidates = with_newest_names(connection, lambda: settling.made_by(connection, errand))
        if not candidates:
            self.demand_sight(connection, tenant, errand.kind, alone=True)
        with self._store.reading() as tx:
            owned = tx.linked(tenant, errand.kind, candidates)
        return next((one for one in candidates if one not in owned), "")

    def is_stored(self, tenant: str, kind: Kind, crm_id: str) -> bool:
        """True if our store has onOffice's record of this id."""
        with self._store.reading() as tx:
            known = tx.linked(tenant, kind, [crm_id])
            owner = tx.record(tenant, known[crm_id][0]) if crm_id in known else None
        return owner is not None and not owner.deleted

    def reserve(self, errand: Errand, crm_id: str) -> None:
        """Commit that this is what the errand made, though its record is not stored yet; "" forgets an id that is no more."""
        with self._store.writing() as tx:
            tx.save_link(errand.actor.identity.tenant, errand.kind, errand.record_id, Link(crm_id))

    def take_over(self, connection: Connection, errand: Errand, crm_id: str) -> Taken:
        """Finish what was made by an errand that was interrupted. Raises UpstreamDown, and Vanished, after ``LATE``, if it is there no more.

        So that it ends, what onOffice does not take of it for longer than ``LATE``, though it is well otherwise, is ``refused``; so is what
        cannot be said any more.
        """
        assert errand.after is not None
        kind, wanted, is_young = errand.kind, errand.after, self.is_young(errand)
        row, refused = sending.read(connection, kind, crm_id), ""
        if row is None and is_young:
            raise OutcomeUnknown(f"onOffice does not show its new {kind} {crm_id}.", sending.RETRY_AFTER)
        if row is None:
            self.demand_sight(connection, errand.actor.identity.tenant, kind, crm_id)
            raise Vanished(f"it was made in onOffice ({kind} {crm_id}), and deleted there meanwhile.")
        try:
            actions = with_newest_names(connection, lambda: settling.unfinished(connection, kind, row, wanted))
        except Refused as error:
            if is_young:
                raise
            actions, refused = [], str(error)
        if not actions:
            return Taken(row, sending.load(kind, row, connection, wanted, entry_ids(wanted)), refused)
        since = self._ill.get(errand.number)
        is_lasting = since is not None and self._clock() - since >= self._late
        try:
            taken = sending.finish(connection, kind, crm_id, wanted, actions, lasting=is_lasting)
        except Made as made:
            self.reserve(errand, crm_id)
            if made.is_answered:
                self._ill.setdefault(errand.number, self._clock())
            raise OutcomeUnknown(str(made.error), made.error.retry_after) from made
        self._ill.pop(errand.number, None)
        return taken

    def look_up(self, connection: Connection, errand: Errand) -> Taken | None:
        """What onOffice made of an errand that it did not answer; None if nothing of it can be seen. Raises OfficeError if nobody can look now."""
        if errand.before is None:
            crm_id = self.made(connection, errand)
            return self.take_over(connection, errand, crm_id) if crm_id else None
        link = self.link(errand.actor.identity.tenant, errand.record_id)
        row = sending.read(connection, errand.kind, link.crm_id) if link else None
        before, after = errand.before, errand.after
        if row is None or after is None:
            return None
        if not with_newest_names(connection, lambda: settling.is_done(errand.kind, row, before, after, connection)):
            return None
        return Taken(row, sending.load(errand.kind, row, connection, after, entry_ids(after) - entry_ids(before)))

    def differs(self, connection: Connection, errand: Errand, crm_id: str) -> bool:
        """True if a change is one that onOffice has to know of. Raises UpstreamDown, Refused."""
        assert errand.before is not None
        assert errand.after is not None
        return bool(rows.modify(crm_id, errand.before, errand.after, connection.account()))


def with_newest_names(connection: Connection, act: Callable[[], T]) -> T:
    """A name that is not found may have come, and a field gone, since onOffice was asked for its users, groups and fields."""
    try:
        return act()
    except (Refused, NotTaken) as refused:
        error = refused.error if isinstance(refused, NotTaken) else refused
        is_theirs = isinstance(error, RefusedByOnOffice) and error.refusal.code not in UNKNOWN_FIELD
        if is_theirs or not isinstance(error, Refused) or not connection.look_again():
            raise
        return act()
