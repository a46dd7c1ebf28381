"""Sends what was kept during an outage, in order, and clears up what was interrupted. Called by whoever pulls, before it pulls.

Each change is merged with what onOffice holds by now: fields that both sides changed keep onOffice's value (U46), and that is reported. What
onOffice refuses is kept with its reason for the administrator (``errand list, retry, drop``); a changed record goes back to what onOffice
has, a new one stays here alone until then, and what its device did on top is sent as if that change had never been made. A write whose device
was never answered is looked up, not sent: the device repeats what is not done. A new record that is found that way is stored by all that the
device calls it, so that the repetition is a change of it, whenever it comes.
What is not found is believed not to be there only as ``errands`` says.

A creation without an answer holds back what is new in onOffice of its kind, as long as no number of it is known; so each ends. What was made
and is there no more is dropped here; what cannot be looked for any more, because it names somebody who left, is refused, or forgotten if its
device was told nothing; a part of it that onOffice keeps failing at is told, as a refused one is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from radicale_onoffice.core import merging, slots
from radicale_onoffice.core.errors import Conflict, NotFound, OfficeError, Refused, Unavailable, UpstreamDown
from radicale_onoffice.core.model import Appointment, Contact, Entry, Record, Task, Value
from radicale_onoffice.core.ports import Errand, ErrandState, Held, Link, Store
from radicale_onoffice.crm.onoffice import sending, settling
from radicale_onoffice.crm.onoffice.client import IN_FLIGHT, OutcomeUnknown, RefusedByOnOffice
from radicale_onoffice.crm.onoffice.connections import Connection
from radicale_onoffice.crm.onoffice.errands import Errands, Vanished, is_queued, with_newest_names
from radicale_onoffice.crm.onoffice.leases import LEASE
from radicale_onoffice.crm.onoffice.mirror import link_of
from radicale_onoffice.crm.onoffice.protocol import Row
from radicale_onoffice.crm.onoffice.sending import Made, NotTaken, Taken, entry_ids
from radicale_onoffice.crm.onoffice.writing import OnOffice

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Drained:
    """How many errands were done, were refused, and are left."""

    done: int = 0
    refused: int = 0
    left: int = 0


class Drain:
    """Empties the queues; ``holder`` names this process among those that want to."""

    def __init__(self, crm: OnOffice, store: Store, clock: Callable[[], datetime], holder: str):
        self._crm, self._store, self._clock, self._holder = crm, store, clock, holder
        self._errands: Errands = crm.errands
        self._told: dict[int, str] = {}  # what was wrong with an errand when it was logged last

    def __call__(self, tenant: str) -> Drained:
        """Do what can be done now; what is left is done another time. Raises OfficeError only when onOffice or our database does not answer."""
        waiting = [one for one in self._errands.all(tenant) if one.state is not ErrandState.REFUSED]
        connection = self._crm.connections.to(tenant)
        if connection is None or not waiting or not self._holds_lease(tenant):
            return Drained(left=len(waiting))
        try:
            return self._all(connection, tenant, waiting)
        finally:
            with self._store.writing() as tx:
                tx.end_lease(f"errands {tenant}", self._holder)

    def _all(self, connection: Connection, tenant: str, waiting: Sequence[Errand]) -> Drained:
        drained, blocked = Drained(), set[str]()
        for errand in waiting:
            if errand.record_id in blocked or not self._holds_lease(tenant):
                drained.left += 1
                continue
            state = self._apart(connection, errand)
            drained.done += state is None
            drained.refused += state is ErrandState.REFUSED
            if state in (ErrandState.SENT, ErrandState.WAITING):
                drained.left += 1
                blocked.add(errand.record_id)
        return drained

    def _apart(self, connection: Connection, errand: Errand) -> ErrandState | None:
        """As ``_one``; what is wrong with this errand alone keeps neither the others nor the mirror waiting."""
        try:
            with self._alone(errand):
                state = self._one(connection, errand)
        except OfficeError as error:
            is_our_database = isinstance(error, Unavailable) and not isinstance(error, UpstreamDown)
            if is_our_database or connection.client.down_since is not None:
                raise
            if self._told.get(errand.number) != str(error):
                logger.warning("errand %d of %s waits: %s", errand.number, errand.actor.identity.tenant, error)
            self._told[errand.number] = str(error)
            return ErrandState.WAITING
        self._told.pop(errand.number, None)
        return state

    def _alone(self, errand: Errand) -> AbstractContextManager[None]:
        """What a device may be repeating just now is waited for."""
        is_repeated = errand.before is None and not is_queued(errand)
        return self._crm.alone(errand.actor.identity.tenant, errand.actor.identity.user if is_repeated else errand.record_id)

    def _holds_lease(self, tenant: str) -> bool:
        now = self._clock()
        with self._store.writing() as tx:
            return tx.lease(f"errands {tenant}", self._holder, now, now + LEASE)

    def release(self, tenant: str) -> None:
        """Let another process send."""
        with self._store.writing() as tx:
            tx.end_lease(f"errands {tenant}", self._holder)

    def _one(self, connection: Connection, errand: Errand) -> ErrandState | None:
        """How far it has come; None: it is done. Raises UpstreamDown."""
        found = self._errands.get(errand.actor.identity.tenant, errand.number)
        if found is None or found.state is ErrandState.REFUSED:
            return None
        if not is_queued(found):
            return self._clear_up(connection, found)
        if found.state is ErrandState.SENT:
            # What cannot be looked up now is not sent: it may well be there.
            try:
                taken = self._errands.look_up(connection, found) if found.after is not None else None
                is_done = taken is not None or self._is_removed(connection, found)
            except Vanished as gone:
                self._errands.report(found, str(gone))
                taken, is_done = None, True
            except Refused as error:
                if isinstance(error, RefusedByOnOffice) or self._errands.is_young(found):
                    raise
                return self._refused(connection, found, Refused(f"whether onOffice did it cannot be found out: {error}"), None)
            if is_done:
                self._store_result(connection, found, taken)
                return None
            if self._errands.is_young(found):
                return ErrandState.SENT
        return self._sent(connection, found)

    # ----------------------------------------------------------- never answered

    def _clear_up(self, connection: Connection, errand: Errand) -> ErrandState | None:
        """A write that was interrupted before its device was told, or that another process is just making: that one stores what becomes of it."""
        if not self._errands.is_older_than(errand, IN_FLIGHT):
            return ErrandState.SENT
        if errand.before is not None:
            try:
                self._errands.settle(connection, errand)
            except OutcomeUnknown:
                return ErrandState.SENT
            except (Conflict, NotFound) as change:
                logger.info("errand %d is settled: %s", errand.number, change)
            return None if self._errands.get(errand.actor.identity.tenant, errand.number) is None else ErrandState.SENT
        if self._errands.is_young(errand):
            return ErrandState.SENT
        try:
            crm_id = self._errands.made(connection, errand)
            taken = self._errands.take_over(connection, errand, crm_id) if crm_id else None
        except OutcomeUnknown:
            return ErrandState.SENT
        except Vanished:
            self._errands.give_up(errand)
            return None
        except Refused as error:
            if isinstance(error, RefusedByOnOffice) or self._errands.link(errand.actor.identity.tenant, errand.record_id) is not None:
                raise
            self._errands.report(errand, f"whether onOffice made it cannot be found out: {error}")
            taken = None
        if taken is None:
            self._errands.forget(errand)
            return None
        self._tell(errand, taken)
        self._errands.adopt_made(errand, Held(taken.value, link_of(errand.kind, taken.row)))
        return None

    def _tell(self, errand: Errand, taken: Taken) -> None:
        if taken.refused:
            self._errands.report(errand, f"onOffice made it, and did not take all of it: {taken.refused}")

    # --------------------------------------------------------------- one errand

    def _is_removed(self, connection: Connection, errand: Errand) -> bool:
        link = self._errands.link(errand.actor.identity.tenant, errand.record_id)
        if errand.after is not None or link is None:
            return False
        return self._errands.is_removed(connection, errand, link.crm_id)

    def _sent(self, connection: Connection, errand: Errand) -> ErrandState | None:
        sent = self._errands.sending(errand)
        if sent is None:
            now = self._errands.get(errand.actor.identity.tenant, errand.number)
            return now.state if now is not None else None
        try:
            taken = self._do(connection, sent)
        except OutcomeUnknown:
            return ErrandState.SENT
        except Made as made:
            self._errands.reserve(sent, made.crm_id)
            return ErrandState.SENT
        except UpstreamDown:
            self._errands.not_sent(sent, errand)
            raise
        except NotTaken as error:
            if isinstance(error.error, UpstreamDown):
                self._errands.not_sent(sent, errand)
                raise error.error from error
            return self._refused(connection, sent, error.error, error.row)
        except (Refused, NotFound) as error:
            return self._refused(connection, sent, error, None)
        self._store_result(connection, sent, taken)
        return None

    def _do(self, connection: Connection, errand: Errand) -> Taken | None:
        """Send it. None: there is nothing in onOffice now."""
        return with_newest_names(connection, lambda: self._do_now(connection, errand))

    def _do_now(self, connection: Connection, errand: Errand) -> Taken | None:
        tenant, link = errand.actor.identity.tenant, self._errands.link(errand.actor.identity.tenant, errand.record_id)
        if errand.before is None:
            assert errand.after is not None
            if link is not None:
                return self._errands.take_over(connection, errand, link.crm_id)
            return sending.make(connection, errand.kind, errand.after)
        record = self._errands.record(tenant, errand.record_id)
        if link is None and errand.after is None:
            return None
        if link is None and settling.is_undone(errand):
            return self._make_again(connection, errand)
        if link is None or record is None:
            raise Refused("onOffice does not have this record, because it refused to make it.")
        row = sending.read(connection, errand.kind, link.crm_id)
        if row is None:
            self._errands.demand_gone(connection, record, link.crm_id)
            if settling.is_undone(errand):
                return self._make_again(connection, errand)
            if errand.after is not None:
                self._errands.report(errand, "it was deleted in onOffice meanwhile, so a change made during the outage is lost.")
            return None
        theirs = sending.load(errand.kind, row, connection, errand.before)
        if errand.after is None:
            return self._do_remove(connection, errand, row, theirs)
        merged, lost = merge(errand.before, errand.after, theirs, connection.tenant.region)
        taken = sending.change(connection, errand.kind, link.crm_id, theirs, merged)
        if lost:
            self._errands.report(errand, f"{', '.join(lost)} changed in onOffice, too, during the outage; onOffice's stands.")
        return taken

    def _make_again(self, connection: Connection, errand: Errand) -> Taken:
        """A record whose removal is taken back, and which is gone: from now on it is one that was never there."""
        assert errand.after is not None
        self._errands.reserve(errand, "")
        self._errands.save(replace(errand, before=None))
        return sending.make(connection, errand.kind, errand.after)

    def _do_remove(self, connection: Connection, errand: Errand, row: Row, theirs: Value) -> Taken | None:
        assert errand.before is not None
        if not _is_unchanged(errand.before, theirs, connection):
            self._errands.report(errand, "it was changed in onOffice during the outage, so it stays although it was deleted on a device.")
            return Taken(row, theirs)
        sending.remove(connection, errand.kind, row.id)
        return None

    # ------------------------------------------------------------- what came of it

    def _store_result(self, connection: Connection, errand: Errand, taken: Taken | None) -> None:
        tenant = errand.actor.identity.tenant
        record = self._errands.record(tenant, errand.record_id)
        more = [one for one in self._errands.of(tenant, errand.record_id) if one.number > errand.number]
        if taken is None:
            if record is not None and not more:
                self._errands.drop(record)
        elif more or record is None:
            # Our store is ahead of onOffice by what follows; that it is read again afterwards needs a link without a digest.
            with self._store.writing() as tx:
                tx.save_link(tenant, errand.kind, errand.record_id, Link(link_of(errand.kind, taken.row).crm_id))
        else:
            ours = entry_ids(errand.after) - (entry_ids(errand.before) if errand.before else frozenset()) if errand.after else frozenset()
            value = sending.load(errand.kind, taken.row, connection, record.value, ours)
            self._errands.adopt(tenant, errand.kind, value, taken.row, record)
        if taken is not None:
            self._tell(errand, taken)
        self._errands.withdraw_refused(tenant, errand.record_id)
        self._errands.forget(errand)

    def _refused(self, connection: Connection, errand: Errand, error: OfficeError, row: Row | None) -> ErrandState:
        """A record that onOffice has goes back to what it has there, and then the errand is kept with the reason.

        Until that is stored it is on its way: who is interrupted sends it again, and is refused again.
        """
        tenant = errand.actor.identity.tenant
        record, link = self._errands.record(tenant, errand.record_id), self._errands.link(tenant, errand.record_id)
        more = [one for one in self._errands.of(tenant, errand.record_id) if one.number > errand.number]
        if link is not None and record is not None and not more:
            try:
                self.take_back(connection, errand, link.crm_id, record, row)
            except Conflict:
                logger.info("a newer change of record %s has looked at onOffice itself", record.id)
            except Refused:  # it cannot be read now, so the mirror stores it as soon as it can
                self._errands.reserve(errand, link.crm_id)
        self._errands.refuse(errand, str(error), _rebased(errand, more, connection.tenant.region))
        return ErrandState.REFUSED

    def take_back(self, connection: Connection, errand: Errand, crm_id: str, record: Record, row: Row | None = None) -> None:
        """Store what onOffice has of a record, which was read before ``row``. Raises UpstreamDown, Refused, Conflict."""
        row = row or sending.read(connection, errand.kind, crm_id)
        if row is None:
            return
        value = sending.load(errand.kind, row, connection, errand.before or record.value)
        self._errands.adopt(record.tenant, errand.kind, value, row, record)

    # ----------------------------------------------------------- the administrator

    def retry(self, tenant: str, number: int) -> None:
        """Send a refused errand again with the next turn; what was to be made is looked for before that. Raises NotFound."""
        errand = self._demand(tenant, number)
        is_perhaps_there = errand.before is None and errand.tries > 0 and not self._errands.is_young(errand)
        if errand.state is ErrandState.REFUSED:
            self._errands.save(replace(errand, state=ErrandState.SENT if is_perhaps_there else ErrandState.WAITING, reason=""))

    def drop(self, tenant: str, number: int) -> None:
        """Give an errand up: what onOffice has stands again, and a record that it never got is taken away here. Raises NotFound, UpstreamDown, Conflict."""
        errand = self._demand(tenant, number)
        link, record = self._errands.link(tenant, errand.record_id), self._errands.record(tenant, errand.record_id)
        connection = self._crm.connections.to(tenant)
        if record is not None and link is None and errand.before is None and errand.state is not ErrandState.SENT:
            self._errands.drop(record)
        elif record is not None and link is not None and connection is not None:
            self.take_back(connection, errand, link.crm_id, record)
        self._errands.forget(errand)

    def _demand(self, tenant: str, number: int) -> Errand:
        errand = self._errands.get(tenant, number)
        if errand is None:
            raise NotFound(f"There is no errand {number} of {tenant}; `errand list` shows what there is.")
        return errand


# ------------------------------------------------------------------- merging

SETS = ("sync_users", "participants", "groups", "unsynced_by")  # each member counts for itself


def merge(before: Value, after: Value, theirs: Value, region: str, *, device_wins: bool = False) -> tuple[Value, list[str]]:
    """What a device changed on top of what onOffice holds by now, and the fields in which onOffice's stands against the device's (U46)."""
    lost = [
        field.name
        for field in fields(before)
        if field.name not in (*SETS, "entries")
        and getattr(after, field.name) not in (getattr(before, field.name), getattr(theirs, field.name))
        and getattr(theirs, field.name) != getattr(before, field.name)
    ]
    merged = _fields(before, after, theirs, device_wins=device_wins)
    rest: dict[str, Any] = {
        name: _members(getattr(before, name), getattr(after, name), getattr(theirs, name)) for name in SETS if hasattr(before, name)
    }
    if isinstance(before, Contact) and isinstance(after, Contact) and isinstance(theirs, Contact):
        rest["entries"] = _entries(before, after, theirs, region)
    return replace(merged, **rest), lost


def _fields(before: Value, after: Value, theirs: Value, *, device_wins: bool) -> Value:
    if isinstance(before, Contact) and isinstance(after, Contact) and isinstance(theirs, Contact):
        return merging.merge(before, after, theirs, device_wins=device_wins)
    if isinstance(before, Appointment) and isinstance(after, Appointment) and isinstance(theirs, Appointment):
        return merging.merge(before, after, theirs, device_wins=device_wins)
    assert isinstance(before, Task)
    assert isinstance(after, Task)
    assert isinstance(theirs, Task)
    return merging.merge(before, after, theirs, device_wins=device_wins)


def _members(before: tuple[str, ...], after: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted((set(theirs) - (set(before) - set(after))) | (set(after) - set(before))))


def _entries(before: Contact, after: Contact, theirs: Contact, region: str) -> tuple[Entry, ...]:
    """onOffice's numbers, with the slots that the device moved and the numbers that it added; one that is there by now gets its slot only."""
    had, wants = ({entry.id: entry for entry in contact.entries} for contact in (before, after))
    moved = {key: entry.slot for key, entry in wants.items() if key in had and had[key].slot is not entry.slot}
    has = {slots.key(entry, region): entry.id for entry in theirs.entries}
    new = [entry for key, entry in wants.items() if key not in had]
    moved |= {has[key]: entry.slot for entry in new if (key := slots.key(entry, region)) in has and entry.slot is not None}
    added = [entry for entry in new if slots.key(entry, region) not in has]
    taken = {slot for slot in (*moved.values(), *(entry.slot for entry in added)) if slot is not None}
    kept = [replace(entry, slot=moved.get(entry.id, None if entry.slot in taken else entry.slot)) for entry in theirs.entries]
    highest = max((entry.id for entry in (*kept, *added)), default=0)
    used = {entry.id for entry in kept}
    fresh = [entry if entry.id not in used else replace(entry, id=highest + place) for place, entry in enumerate(added, 1)]
    return (*kept, *fresh)


def _rebased(refused: Errand, more: Sequence[Errand], region: str) -> list[Errand]:
    """What its device did after a change that is refused, as if it had never made that one."""
    rebased = list[Errand]()
    had, base = refused.after, refused.before
    for one in more:
        if had is None or one.before != had:
            break  # it is built on something else
        if base is None:
            return [replace(one, before=None)] if one.after is not None else []
        after = merge(one.before, one.after, base, region, device_wins=True)[0] if one.after is not None else None
        rebased.append(replace(one, before=base, after=after))
        had, base = one.after, after
    return rebased


def _is_unchanged(before: Value, theirs: Value, connection: Connection) -> bool:
    """True if onOffice holds what a device knew, but for what onOffice gives itself: ids and notation of numbers, the creator."""
    if isinstance(before, Contact) and isinstance(theirs, Contact):
        had, has = ({slots.key(entry, connection.tenant.region) for entry in one.entries} for one in (before, theirs))
        return had == has and replace(theirs, entries=before.entries) == before
    if isinstance(before, Task) and isinstance(theirs, Task):
        private = theirs.private if connection.account().task_private_writable else before.private
        return replace(theirs, creator=before.creator, private=private) == before
    assert isinstance(before, Appointment)
    assert isinstance(theirs, Appointment)
    return replace(theirs, creator=before.creator) == before
