"""Write-through: a change goes to onOffice first, and what onOffice then holds comes back to be stored. Implements ``ports.Crm``.

A change of a record: what is ours alone (slots, pictures, who took a task off a device) is not sent at all. Else an errand is committed, and
one request reads the record, writes the fields that differ, and reads back; onOffice carries its actions out in their order. Usually the
first reading shows what we knew. If not, somebody changed the record since it was polled: a second request puts back the fields that were
written over, what was found is adopted, and Conflict lets ``Records`` merge and try again, or tell a client that insisted on its version.
So an edit in onOffice stands, and onOffice is as if nothing had been written; the errand says what is to be put back until it is.

**Where the look comes first**, in a request of its own, because writing back what was read would not restore what was there
(``rows.can_be_put_back``): numbers (one that stands twice cannot be taken away), status and completion (they set processes off), series,
places, people, links, types, reminders, whose a task is; deletions; and a record that comes back after a deletion.

The errand of a change in one request does not wait for the disk: it can be done twice, and after a power failure the device, which was told
nothing, repeats it.

What the one request costs: if its answer gets lost *and* somebody else changed the same field since the last poll, that edit was written over
and nobody knows. Looking first has the same gap between its two requests, each time, with no reading to notice it by.

A new contact takes two requests, because its Sync flag needs its id; appointments and tasks are made and read back in one.

What onOffice refuses is refused to the device in onOffice's words, which ``Records`` keeps for the page. No answer is no refusal: it is
looked up, and if nothing can be seen, or others of its kind neither (a lost right), the errand stays, the device is told to come again, and
its repetition finds the errand: of a new record by its ``Origin``, whatever was edited meanwhile.

**A known limit**: a creation whose answer is lost, and whose record somebody edits in onOffice before it can be looked for, is made again after
``settling.LATE``: nothing in the row tells whose it is, and a name alone does not ("Rückruf" is every second task). A twin can be seen and
removed; a new record that is taken for a colleague's is lost.

While onOffice is down a device is told to come again, or its change is kept and sent later (``onoffice_writes_during_outage``).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn
from zlib import crc32

from radicale_onoffice.core.errors import Conflict, MadeBefore, NotFound, OfficeError, UpstreamDown
from radicale_onoffice.core.model import Actor, Kind, Record, Task, Value
from radicale_onoffice.core.origins import Origin
from radicale_onoffice.core.policy import OnOutage, Policy
from radicale_onoffice.core.ports import Errand, ErrandState, Held, Link, Store
from radicale_onoffice.core.records import Records
from radicale_onoffice.crm.embedded import new_id
from radicale_onoffice.crm.onoffice import rows, sending, settling
from radicale_onoffice.crm.onoffice.client import OutcomeUnknown
from radicale_onoffice.crm.onoffice.connections import Connection, Connections
from radicale_onoffice.crm.onoffice.errands import Errands, Vanished, is_queued, with_newest_names
from radicale_onoffice.crm.onoffice.mirror import link_of
from radicale_onoffice.crm.onoffice.sending import Made, NotTaken, Overtaken, Taken

logger = logging.getLogger(__name__)
Write = Callable[[Connection, Sequence[Errand]], Held]  # the errands are what is on its way of the same record
LOCKS = 64  # a lock for all records with the same checksum


class OnOffice:
    """onOffice as the CRM; safe to share between threads. A tenant without an account there keeps its records here alone."""

    def __init__(
        self,
        *,
        store: Store,
        connections: Connections,
        records: Callable[[], Records],
        policy: Policy,
        clock: Callable[[], datetime],
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
        late: timedelta = settling.LATE,
    ):
        """``records`` is who stores what onOffice holds; it is asked for late because it needs this CRM. ``waiting`` surrounds every wait."""
        self.connections, self.errands = connections, Errands(store, records, clock, late)
        self._policy, self._clock, self._waiting = policy, clock, waiting
        self._locks = [threading.Lock() for _ in range(LOCKS)]

    def new_id(self, tenant: str, kind: Kind) -> str:
        """An id of ours: onOffice's own is only known when it has the record."""
        return new_id()

    def create(self, actor: Actor, kind: Kind, record_id: str, value: Value, origin: Origin) -> Held:
        """Make a record there. Raises MadeBefore, Refused, UpstreamDown."""
        errand = replace(self._errand(actor, kind, record_id, None, value), origin=origin)
        return self._written(errand, actor.identity.user, lambda connection, _: self._create(connection, errand))

    def update(self, actor: Actor, record: Record, value: Value) -> Held:
        """Change a record there. Raises Conflict, ChangedBefore, Refused, NotFound, UpstreamDown."""
        before = settling.taken_out(record.value) if record.deleted else record.value
        errand = self._errand(actor, record.kind, record.id, before, value)
        return self._written(errand, record.id, lambda connection, earlier: self._update(connection, errand, record, earlier))

    def delete(self, actor: Actor, record: Record) -> Held:
        """Take a record out: an address is archived and a task cancelled, because no call deletes them. Raises as ``update``."""
        errand = self._errand(actor, record.kind, record.id, record.value, None)
        return self._written(errand, record.id, lambda connection, earlier: self._delete(connection, errand, record, earlier))

    def settle(self, actor: Actor, record: Record) -> None:
        """Find out what became of changes of a record whose device was told nothing. Raises as ``update``."""
        tenant = actor.identity.tenant
        if not any(not is_queued(one) for one in self.errands.of(tenant, record.id)):
            return
        connection = self.connections.to(tenant)
        if connection is not None:
            with self.alone(tenant, record.id):
                for one in self.errands.of(tenant, record.id):
                    if not is_queued(one):
                        self.errands.settle(connection, one, actor)

    def _errand(self, actor: Actor, kind: Kind, record_id: str, before: Value | None, after: Value | None) -> Errand:
        return Errand(actor=actor, kind=kind, record_id=record_id, before=before, after=after, state=ErrandState.SENT, at=self._clock())

    # --------------------------------------------------------------- any write

    def _written(self, errand: Errand, lock: str, write: Write) -> Held:
        """A write, one at a time of a record or of a user's new ones, and what is done about its refusal or an outage."""
        tenant = errand.actor.identity.tenant
        connection = self.connections.to(tenant)
        if connection is None:
            return Held(_final(errand))
        with self.alone(tenant, lock):
            earlier = self.errands.of(tenant, errand.record_id)
            if any(is_queued(one) for one in earlier):
                why = "Earlier changes of this record have not come to onOffice yet."
                return self._later(errand, UpstreamDown(why, sending.RETRY_AFTER))
            try:
                return with_newest_names(connection, lambda: write(connection, earlier))
            except OutcomeUnknown:
                raise  # it has an errand, or was no write
            except UpstreamDown as error:
                is_new = errand.after is not None and self.errands.link(tenant, errand.record_id) is None
                return self._later(replace(errand, before=None) if is_new else errand, error)

    def _later(self, errand: Errand, error: UpstreamDown) -> Held:
        if self._policy.writes_during_outage is OnOutage.REFUSE:
            raise error
        return Held(_final(errand), errand=replace(errand, state=ErrandState.WAITING))

    @contextmanager
    def alone(self, tenant: str, name: str) -> Iterator[None]:
        """One write at a time, in this process; others notice each other by errands and versions."""
        lock = self._locks[crc32(f"{tenant}/{name}".encode()) % LOCKS]
        if not lock.acquire(blocking=False):
            with self._waiting():
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    # ----------------------------------------------------------------- a change

    def _update(self, connection: Connection, errand: Errand, record: Record, earlier: Sequence[Errand]) -> Held:
        after = errand.after
        assert after is not None
        for one in earlier:
            self.errands.settle(connection, one, errand.actor)
        link = self.errands.link(record.tenant, record.id)
        if link is None:
            return self._create(connection, replace(errand, before=None))
        if not record.deleted:
            if not self.errands.differs(connection, errand, link.crm_id):
                return Held(self._as_private_as_there(_not_sent(errand), errand))
            if rows.can_be_put_back(record.value, after, connection.account()):
                return self._changed(connection, self.errands.note(errand, lasting=False), record, link.crm_id, look=True)
        row = sending.read(connection, record.kind, link.crm_id)
        if row is None and record.deleted:
            self.errands.demand_gone(connection, record, link.crm_id)
            self.errands.reserve(errand, "")
            return self._create(connection, replace(errand, before=None))
        if row is None:
            self._gone(connection, record, link.crm_id)
        if record.deleted:
            errand = replace(errand, before=sending.load(record.kind, row, connection, record.value))
        elif settling.is_done(record.kind, row, record.value, after, connection):
            ours = sending.entry_ids(after) - sending.entry_ids(record.value)
            return _held(Taken(row, sending.load(record.kind, row, connection, after, ours)), errand)
        else:
            self.errands.demand_unchanged(connection, record, row)
        return self._changed(connection, self.errands.note(errand), record, link.crm_id)

    def _gone(self, connection: Connection, record: Record, crm_id: str) -> NoReturn:
        self.errands.demand_gone(connection, record, crm_id)
        self.errands.drop(record)
        raise NotFound(f"onOffice has no record {record.id!r} any more.")

    def _changed(self, connection: Connection, errand: Errand, record: Record, crm_id: str, *, look: bool = False) -> Held:
        assert errand.before is not None
        assert errand.after is not None
        try:
            taken = sending.change(connection, errand.kind, crm_id, errand.before, errand.after, look=look)
            self._as_private_as_there(taken.value, errand)
            return _held(taken, errand)
        except Overtaken as overtaken:
            self._overtaken(connection, errand, record, crm_id, overtaken)
        except OutcomeUnknown as error:
            return self._found_out(connection, errand, error)
        except NotTaken as refused:
            self.errands.forget(errand)
            if refused.row is not None:
                value = sending.load(errand.kind, refused.row, connection, errand.before)
                if value != errand.before:
                    self.errands.adopt(record.tenant, errand.kind, value, refused.row, record)
            raise refused.error from refused
        except OfficeError:
            self.errands.forget(errand)
            raise

    def _overtaken(self, connection: Connection, errand: Errand, record: Record, crm_id: str, overtaken: Overtaken) -> NoReturn:
        """Put back what was written over, and adopt what was there: as if there had been a look first."""
        found, row = overtaken.found, overtaken.row
        if found is None or row is None:
            self.errands.forget(errand)
            self._gone(connection, record, crm_id)
        theirs = sending.load(errand.kind, found, connection, record.value)
        now = sending.load(errand.kind, row, connection, record.value)
        assert errand.after is not None
        back = replace(errand, before=now, after=sending.restored(record.value, errand.after, theirs, now))
        if not self._put_back(connection, back, crm_id):
            found, theirs = row, now
        adopted = self.errands.adopt(record.tenant, record.kind, theirs, found, record)
        raise Conflict(record.version, adopted.version)

    def _put_back(self, connection: Connection, errand: Errand, crm_id: str) -> bool:
        """Write what somebody else had written; False if onOffice refuses. Raises UpstreamDown if it cannot be done now: it is queued then."""
        assert errand.before is not None
        assert errand.after is not None
        is_back = True
        if self.errands.differs(connection, errand, crm_id):
            self.errands.save(replace(errand, state=ErrandState.WAITING))
            try:
                sending.change(connection, errand.kind, crm_id, errand.before, errand.after)
            except NotTaken as refused:
                if isinstance(refused.error, UpstreamDown):
                    raise refused.error from refused
                self.errands.report(errand, f"it was changed in onOffice, too, and that could not be put back: {refused.error}")
                is_back = False
        self.errands.forget(errand)
        return is_back

    def _found_out(self, connection: Connection, errand: Errand, error: OutcomeUnknown) -> Held:
        """A write without an answer: done if it can be seen; else the errand stays, for whoever comes next."""
        try:
            taken = self.errands.look_up(connection, errand)
        except OfficeError as trouble:
            logger.warning("what became of errand %d cannot be looked up now: %s", errand.number, trouble)
            taken = None
        return _held(taken, errand) if taken is not None else self._kept(errand, error)

    def _kept(self, errand: Errand, error: OutcomeUnknown, link: Link | None = None) -> Held:
        """What is done about a write of which nothing is known: the device comes again, or it is acknowledged and sent until it is done."""
        if self._policy.writes_during_outage is OnOutage.REFUSE:
            raise error
        return Held(_final(errand), link, errand=replace(errand, tries=1))

    # ------------------------------------------------------------- a new record

    def _create(self, connection: Connection, errand: Errand) -> Held:
        assert errand.after is not None
        earlier = self.errands.repeated(errand)
        if earlier is not None:
            return self._again(connection, errand, earlier)
        errand = self.errands.note(errand)
        try:
            return self._reported(sending.make(connection, errand.kind, _final(errand)), errand)
        except OutcomeUnknown as error:
            return self._found_out(connection, errand, error)
        except Made as made:
            self.errands.reserve(errand, made.crm_id)
            return self._found_out(connection, errand, OutcomeUnknown(str(made.error), made.error.retry_after))
        except OfficeError:
            self.errands.forget(errand)
            raise

    def _again(self, connection: Connection, errand: Errand, earlier: Errand) -> Held:
        """A device repeats what it was not told of: what the earlier errand made becomes this record, or is this record and was edited."""
        is_edited = earlier.record_id != errand.record_id and not settling.same_value(earlier, errand)
        link = self.errands.link(errand.actor.identity.tenant, earlier.record_id)
        try:
            crm_id = self.errands.made(connection, earlier)
            if crm_id and is_edited:
                made = self.errands.adopt_made(earlier, self._reported(self.errands.take_over(connection, earlier, crm_id), earlier))
                raise MadeBefore(made.id, made.version)
            if crm_id:
                return self._reported(self.errands.take_over(connection, replace(earlier, after=errand.after), crm_id), earlier)
            if not self.errands.is_young(earlier):
                self.errands.forget(earlier)
                return self._create(connection, errand)
            error = self.errands.not_known_yet(earlier)
        except Vanished:
            self.errands.give_up(earlier)
            return self._create(connection, errand)
        except UpstreamDown as down:
            error = OutcomeUnknown(str(down), down.retry_after)
        if is_edited:
            raise error  # kept, it could be told no more from what the earlier one made
        return self._kept(replace(errand, number=earlier.number, at=earlier.at), error, link)

    def _reported(self, taken: Taken, errand: Errand) -> Held:
        if taken.refused:
            self.errands.report(errand, f"onOffice made it, and did not take all of it: {taken.refused}")
        self._as_private_as_there(taken.value, errand)
        self.errands.withdraw_refused(errand.actor.identity.tenant, errand.record_id)
        return _held(taken, errand)

    def _as_private_as_there(self, value: Value, errand: Errand) -> Value:
        """The value; that a device's mark of a private task was not taken is told, because colleagues see such a task in onOffice."""
        if isinstance(value, Task) and isinstance(errand.after, Task) and value.private != errand.after.private:
            told = "it stays private there" if value.private else "colleagues can see it there"
            self.errands.report(errand, f"onOffice does not take whether a task is private from here: {told}. Change it in onOffice.")
        return value

    # ---------------------------------------------------------------- a removal

    def _delete(self, connection: Connection, errand: Errand, record: Record, earlier: Sequence[Errand]) -> Held:
        for one in earlier:
            if one.after is None:
                errand = replace(errand, number=one.number)  # removing it twice leaves the same
            else:
                self.errands.settle(connection, one)
        link = self.errands.link(record.tenant, record.id)
        row = sending.read(connection, record.kind, link.crm_id) if link is not None else None
        if link is None or row is None:
            if link is not None:
                self.errands.demand_gone(connection, record, link.crm_id)
            return Held(record.value, done=errand.number)
        self.errands.demand_unchanged(connection, record, row)
        errand = self.errands.note(errand)
        try:
            sending.remove(connection, record.kind, link.crm_id)
        except OutcomeUnknown as error:
            return self._removed(connection, errand, link.crm_id, error)
        except NotTaken as refused:
            self.errands.forget(errand)
            raise refused.error from refused
        except OfficeError:
            self.errands.forget(errand)
            raise
        return Held(record.value, done=errand.number)

    def take_back(self, actor: Actor, kind: Kind, record_id: str, held: Held) -> None:
        """Remove what was just made, because our store has another record by its UID; what cannot be removed is told."""
        connection = self.connections.to(actor.identity.tenant)
        if connection is None or held.link is None:
            return
        errand = replace(self._errand(actor, kind, record_id, None, held.value), number=held.done)
        if self.errands.is_stored(actor.identity.tenant, kind, held.link.crm_id):
            return  # its repetition was faster and has stored it
        try:
            sending.remove(connection, kind, held.link.crm_id)
        except (OfficeError, NotTaken) as error:
            self.errands.report(errand, f"onOffice has it twice now; remove {kind} {held.link.crm_id} there: {error}")
        self.errands.forget(errand)

    def _removed(self, connection: Connection, errand: Errand, crm_id: str, error: OutcomeUnknown) -> Held:
        try:
            is_removed = self.errands.is_removed(connection, errand, crm_id)
        except OfficeError:
            is_removed = False
        if is_removed:
            return Held(_final(errand), done=errand.number)
        return self._kept(errand, error)


def _final(errand: Errand) -> Value:
    """What our store holds after a write, as long as onOffice has not said otherwise."""
    value = errand.after if errand.after is not None else errand.before
    assert value is not None
    return value


def _not_sent(errand: Errand) -> Value:
    """What is stored of a change of which onOffice has to know nothing; that a task is private is onOffice's, if it cannot be written."""
    value = _final(errand)
    return replace(value, private=errand.before.private) if isinstance(value, Task) and isinstance(errand.before, Task) else value


def _held(taken: Taken, errand: Errand) -> Held:
    return Held(taken.value, link_of(errand.kind, taken.row), done=errand.number)
