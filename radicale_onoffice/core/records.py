"""The one write path: gates, rights, limits, the rules of the kind, the CRM, then store, history and change number in one commit.

``put`` and ``delete`` are what a device does through either face; ``write`` and ``remove`` are what the CRM's own users and the
administrator do, without gates. Equal to what is stored means that nothing is written. No transaction is open while the CRM is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from radicale_onoffice.core import merging, rights, rules
from radicale_onoffice.core.adoptions import Adoptions
from radicale_onoffice.core.commits import Commit, summarise
from radicale_onoffice.core.drafts import Draft
from radicale_onoffice.core.errors import (
    BadRequest,
    CameBack,
    ChangedBefore,
    Conflict,
    DuplicateUid,
    MadeBefore,
    NotFound,
    OutOfReach,
    Refused,
)
from radicale_onoffice.core.feeds import DEFAULT, Feeds
from radicale_onoffice.core.folders import Reader, reader
from radicale_onoffice.core.lookups import reader_of_tenant
from radicale_onoffice.core.model import (
    Actor,
    Appointment,
    Base,
    Face,
    Kind,
    Leftovers,
    Record,
    Right,
    Value,
)
from radicale_onoffice.core.origins import UNTOLD, Origin
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Crm, Held, Renderer, Store, Transaction
from radicale_onoffice.core.reports import Reports

DEVICES = (Face.DAV, Face.EAS)  # whose changes gates and rights decide; an import of the administrator has none
Also = Callable[[Transaction, Record], None]
DRAFT_ANEW = (MadeBefore, ChangedBefore, CameBack)  # whoever made the draft has to make it again
TRIES = 5  # a write that carries no expected version is merged again when somebody else was faster
LOOKED_AT = 50  # newest versions in which is looked for what a client had of a record that comes back
MAX_UID = 1024  # characters; RFC 7986 5.3 recommends at most 255 octets


class Records(Adoptions):
    """Writes and finds records; safe to share between threads."""

    def __init__(self, *, store: Store, crm: Crm, render: Renderer, policy: Policy, clock: Callable[[], datetime], feeds: Feeds):
        super().__init__(store=store, crm=crm, render=render, policy=policy, clock=clock, feeds=feeds)
        self._reports = Reports(store, clock)
        self._pruned_on: date | None = None

    # ------------------------------------------------- changes from a device

    def put(
        self,
        actor: Actor,
        kind: Kind,
        draft: Draft,
        *,
        record_id: str | None = None,
        uid: str | None = None,
        name: str | None = None,
        base: Base | None = None,
        expect: int | None = None,
        reach: str | None = DEFAULT,
        also: Also | None = None,
        origin: Origin = UNTOLD,
    ) -> Record:
        """Store what a device made or changed, and return what is stored now.

        ``record_id`` None makes a new record, under ``uid`` and ``name`` if the client chose them. ``base`` is what the device had
        (None: the current version); ``expect`` the version that must still be current. ``reach`` is the scope of the feed that the
        device sees. ``also`` is called with the transaction and the record right before the commit, in another transaction if nothing
        had to be written, and again if the write has to be tried again: what a device is told of a change is kept with the change.
        ``origin`` is by what else a repetition is known. MadeBefore tells that what the device repeats, of which it had been told nothing, is
        stored by now as it was the first time: whoever made the draft is to make it again, on top of that record, and put it there.
        ChangedBefore tells the same of an earlier change of the same device: ``base`` and draft are to be made again, with that in them.
        CameBack tells that the client makes "new" what it took off the device: the draft is to be made on top of the error's ``base``, and
        put with it, so that what it does not speak of, and what others wrote meanwhile, stays.
        Raises GateClosed, Refused, OutOfReach, NotFound, Conflict, MadeBefore, ChangedBefore, CameBack, DuplicateUid, BadRequest, UpstreamDown.
        """
        if uid is not None and not 0 < len(uid) <= MAX_UID:
            raise BadRequest(f"The UID has {len(uid)} characters; at most {MAX_UID} are accepted.")
        origin = replace(origin, uid=uid or "", name=name or "")
        for _ in range(TRIES):
            try:
                return self._put_once(actor, kind, draft, record_id, origin, base, expect, reach, also)
            except Conflict as error:
                if expect is not None or isinstance(error, DRAFT_ANEW):
                    raise
            except Refused as error:
                self._reports.refusal(actor, record_id or f"new ({kind})", error)
                raise
        raise Conflict(expect, None)

    def _put_once(
        self,
        actor: Actor,
        kind: Kind,
        draft: Draft,
        record_id: str | None,
        origin: Origin,
        base: Base | None,
        expect: int | None,
        reach: str | None,
        also: Also | None,
    ) -> Record:
        who, current, returning = self._aim(actor, kind, record_id, origin, reach)
        if current is not None and returning and base is None:
            raise CameBack(self._last_had(who, current, draft.leftovers), current.version)
        if current is not None and expect is not None and current.version != expect:
            raise Conflict(expect, current.version)
        outcome = rules.apply(draft, current, base, who, self._policy, self._clock(), returning=returning)
        leftovers = merging.merge_leftovers(base, draft.leftovers, current)
        if current is not None and outcome.value == current.value and self._same_form(current, leftovers, who):
            self._crm.settle(actor, current)  # an earlier change of which nobody was told may be done: this takes it back
            if also is not None:
                with self._store.writing() as tx:
                    also(tx, current)
            return current
        new_id = current.id if current else self._crm.new_id(actor.identity.tenant, kind)
        new_uid = current.uid if current else (origin.uid or new_id)
        # First what leaves the series: were the series first, an interrupted write would have lost it for good.
        apart = self._split_off(outcome.stand_alone, actor, new_uid, who, replace(origin, uid=current.uid) if current else origin)
        held = self._send(actor, kind, current, new_id, outcome.value, apart, origin)
        commit = Commit(
            actor=actor,
            kind=kind,
            record=current,
            record_id=new_id,
            held=held,
            leftovers=leftovers,
            uid=new_uid,
            name=origin.name or (current.name if current else ""),
            action="changed" if current else "created",
        )
        try:
            with self._store.writing() as tx:
                self._demand_free_uid(tx, who, commit)
                stored = self._commit(tx, commit, who)
                for occurrence in apart:
                    self._commit(tx, occurrence, who)
                self._reports.deviation(tx, actor, stored.id, outcome.deviation)
                if also is not None:
                    also(tx, stored)
        except DuplicateUid:
            self._take_back(actor, kind, {new_id: held, **{one.record_id: one.held for one in apart}})
            raise
        self._prune_daily()
        return stored

    def _aim(
        self, actor: Actor, kind: Kind, record_id: str | None, origin: Origin, reach: str | None
    ) -> tuple[Reader, Record | None, bool]:
        """Who writes, and as ``_target``. Raises GateClosed, Refused, OutOfReach, NotFound, DuplicateUid."""
        with self._store.reading() as tx:
            who = reader(tx, actor.identity)
            current, returning = self._target(tx, who, kind, record_id, origin.uid or None, origin.name or None)
            if actor.face in DEVICES:
                rights.demand(who.tenant, who.user, kind, Right.MODIFY if current else Right.CREATE, self._policy)
        if current is not None and not returning:
            self._demand_reach(actor, kind, current, reach)
        return who, current, returning

    def _send(
        self, actor: Actor, kind: Kind, current: Record | None, new_id: str, value: Value, apart: Sequence[Commit], origin: Origin
    ) -> Held:
        """Tell the CRM; if it does not take the series as it is to be, what was split off is still in it. Raises as the CRM does."""
        try:
            return self._crm.update(actor, current, value) if current else self._crm.create(actor, kind, new_id, value, origin)
        except MadeBefore:
            raise  # the repetition finds what was split off by its origin, too
        except (Refused, Conflict, NotFound):
            self._take_back(actor, kind, {one.record_id: one.held for one in apart})
            raise

    def _take_back(self, actor: Actor, kind: Kind, made: Mapping[str, Held]) -> None:
        for record_id, held in made.items():
            self._crm.take_back(actor, kind, record_id, held)

    def _target(
        self, tx: Transaction, who: Reader, kind: Kind, record_id: str | None, uid: str | None, name: str | None
    ) -> tuple[Record | None, bool]:
        """The record that a put means, and whether it comes back to this reader after having been taken off the device.

        A client that makes "new" what it once deleted (same UID) gets its record back instead of a twin: an unsynchronised
        record is still in the CRM (rules 18, 21). So does one that repeats what it made and what the CRM would not synchronise.
        """
        tenant, principals = who.identity.tenant, who.principals(kind, self._policy)
        if record_id is not None:
            record = tx.record(tenant, record_id)
            if record is None or record.deleted or not tx.concerns(tenant, record_id, principals):
                raise NotFound(f"There is no record {record_id!r} among the {kind} of this user.")
            return record, False
        known = list(tx.with_uid(tenant, kind, principals, uid)) if uid else []
        visible = self._feeds.visible(tx, who, kind, known)
        for known_id in known:
            record = tx.record(tenant, known_id)
            assert record is not None
            if not tx.concerns(tenant, known_id, principals):
                return record, True
            is_named = name is not None and (record.name == name or tx.named(who.identity, kind, name) == known_id)
            if known_id in visible and not is_named:
                raise DuplicateUid(record.uid, record.name)
            if name is None or is_named:
                raise OutOfReach("This record lies outside of what is synchronised to you; change it in onOffice.")
        taken = tx.named(who.identity, kind, name) if name else None
        if taken is not None and tx.concerns(tenant, taken, principals):
            raise OutOfReach("This record lies outside of what is synchronised to you; change it in onOffice.")
        own = tx.record(tenant, taken) if taken is not None and uid else None
        if own is not None and own.uid == uid and not own.deleted:
            return own, True
        return None, False

    def _last_had(self, who: Reader, record: Record, sent: Leftovers) -> Base:
        """What this reader's client had of a record before it was taken off: the version that is just what it sends now, else the newest.

        If none is kept any more, it is what is stored.
        """
        principals, newest, told = who.principals(record.kind, self._policy), None, "\n".join(sent.lines)
        for line in reversed(self.history(record.tenant, record.id)[-LOOKED_AT:]):
            if line.action == "deleted" or principals.isdisjoint(summarise(line.value, who).audience):
                continue
            text = self._text(record.kind, line.value, line.leftovers, record.uid, line.at, who).text
            had = Base(value=line.value, leftovers=line.leftovers, text=text)
            newest = newest or had
            if rules.same_text("\n".join(merging.lines_of(text)), told):
                return had
        return newest or Base(value=record.value, leftovers=record.leftovers, text=record.text)

    def _demand_free_uid(self, tx: Transaction, who: Reader, commit: Commit) -> None:
        """Raise DuplicateUid if a new record's UID has come to this reader since the target was looked for."""
        if commit.record is not None:
            return
        principals = who.principals(commit.kind, self._policy)
        visible = self._feeds.visible(tx, who, commit.kind, tx.with_uid(who.identity.tenant, commit.kind, principals, commit.uid))
        owner = tx.record(who.identity.tenant, min(visible)) if visible else None
        if owner is not None:
            raise DuplicateUid(commit.uid, owner.name)

    def _same_form(self, current: Record, leftovers: Leftovers, who: Reader) -> bool:
        """True if the record would look the same with these leftovers, but for the lines that every client rewrites."""
        rendered = self._text(current.kind, current.value, leftovers, current.uid, current.modified, who)
        return leftovers.rule == current.leftovers.rule and rules.same_text(rendered.text, current.text)

    def _demand_reach(self, actor: Actor, kind: Kind, record: Record, reach: str | None) -> None:
        if reach is None or kind is not Kind.APPOINTMENTS:
            return
        if not self._feeds.is_live(actor.identity, kind, record.id, reach):
            raise OutOfReach("This appointment lies outside the period that is synchronised to you; change it in onOffice.")

    def delete(self, actor: Actor, kind: Kind, record_id: str, *, expect: int | None = None, reach: str | None = DEFAULT) -> None:
        """Take a record off the device, and out of the CRM only where the rules say so (rules 21, 54; U11, U24, U36)."""
        for _ in range(TRIES):
            try:
                return self._delete_once(actor, kind, record_id, expect, reach)
            except Conflict:
                if expect is not None:
                    raise
            except Refused as error:
                self._reports.refusal(actor, record_id, error)
                raise
        raise Conflict(expect, None)

    def _delete_once(self, actor: Actor, kind: Kind, record_id: str, expect: int | None, reach: str | None) -> None:
        with self._store.reading() as tx:
            who = reader(tx, actor.identity)
            record, _ = self._target(tx, who, kind, record_id, None, None)
            assert record is not None
            rights.demand(who.tenant, who.user, kind, Right.DELETE, self._policy)
        self._demand_reach(actor, kind, record, reach)
        if expect is not None and record.version != expect:
            raise Conflict(expect, record.version)
        left = rules.after_delete(record.value, who, self._policy)
        if left is None:
            self._delete(actor, record)
            return
        held = self._crm.update(actor, record, left)
        with self._store.writing() as tx:
            self._commit(tx, self._next(actor, record, held, record.leftovers, "changed"), who)

    # --------------------------------------------- changes on the CRM's side

    def write(
        self,
        actor: Actor,
        kind: Kind,
        value: Value,
        *,
        record_id: str | None = None,
        uid: str | None = None,
        name: str | None = None,
        leftovers: Leftovers | None = None,
        expect: int | None = None,
    ) -> Record:
        """Store a value as the CRM's own user sets it; equal to what is stored writes nothing."""
        with self._store.reading() as tx:
            zone_of = reader_of_tenant(tx, actor.identity)
            current = tx.record(actor.identity.tenant, record_id) if record_id else None
        if record_id and (current is None or current.deleted):
            raise NotFound(f"There is no record {record_id!r}.")
        if current and expect is not None and current.version != expect:
            raise Conflict(expect, current.version)
        value = rules.normalise(value)
        kept = leftovers if leftovers is not None else (current.leftovers if current else Leftovers())
        if current and current.value == value and kept == current.leftovers:
            return current
        new_id = current.id if current else self._crm.new_id(actor.identity.tenant, kind)
        held = self._crm.update(actor, current, value) if current else self._crm.create(actor, kind, new_id, value, UNTOLD)
        commit = Commit(
            actor=actor,
            kind=kind,
            record=current,
            record_id=new_id,
            held=held,
            leftovers=kept,
            uid=current.uid if current else (uid or new_id),
            name=current.name if current else (name or ""),
            action="changed" if current else "created",
        )
        with self._store.writing() as tx:
            return self._commit(tx, commit, zone_of)

    def remove(self, actor: Actor, record_id: str) -> None:
        """Delete a record in the CRM."""
        self._delete(actor, self.get(actor.identity.tenant, record_id))

    def restore(self, actor: Actor, record_id: str, version: int) -> Record:
        """Make an earlier version the newest again, also of a deleted record (undo); raises NotFound."""
        with self._store.reading() as tx:
            who = reader_of_tenant(tx, actor.identity)
            record = tx.record(actor.identity.tenant, record_id)
            line = next((line for line in tx.history(actor.identity.tenant, record_id) if line.version == version), None)
        if record is None or line is None:
            raise NotFound(f"Version {version} of record {record_id!r} is not kept; `record history` lists what is.")
        held = self._crm.update(actor, record, line.value)
        with self._store.writing() as tx:
            return self._commit(tx, self._next(actor, record, held, line.leftovers, "restored"), who)

    def _delete(self, actor: Actor, record: Record) -> None:
        held = self._crm.delete(actor, record)
        with self._store.writing() as tx:
            self._bury(tx, actor, record, held)

    # ------------------------------------------------------ within a change

    def _split_off(
        self, stand_alone: Sequence[tuple[str, Appointment, Leftovers]], actor: Actor, series_uid: str, who: Reader, origin: Origin
    ) -> list[Commit]:
        """The changed occurrences of a series as appointments of their own (rule 72), each under a UID made of its day."""
        if not stand_alone:
            return []
        tenant, principals = who.identity.tenant, who.principals(Kind.APPOINTMENTS, self._policy)
        uids = [f"{series_uid}-{suffix}" for suffix, _, _ in stand_alone]
        with self._store.reading() as tx:
            known = {uid for uid in uids if tx.with_uid(tenant, Kind.APPOINTMENTS, principals, uid)}
        found: list[Commit] = []
        for uid, (suffix, value, leftovers) in zip(uids, stand_alone, strict=True):
            if uid in known:
                continue
            new_id = self._crm.new_id(tenant, Kind.APPOINTMENTS)
            try:
                held = self._send(actor, Kind.APPOINTMENTS, None, new_id, value, found, origin.part(suffix))
                found.append(self._new(actor, Kind.APPOINTMENTS, new_id, held, leftovers, uid))
            except MadeBefore as made:
                record = self.get(tenant, made.record_id)
                changed = self._next(actor, record, self._crm.update(actor, record, value), leftovers, "changed")
                with self._store.writing() as tx:
                    self._commit(tx, changed, who)
        return found

    def _prune_daily(self) -> None:
        """Drop versions and audit lines that are kept no longer; the first write of a day pays for it, in a transaction of its own."""
        now = self._clock()
        if self._pruned_on == now.date():
            return
        self._pruned_on = now.date()
        with self._store.writing() as tx:
            before = now - timedelta(days=self._policy.history_days)
            tx.prune_history(before)
            tx.prune_audit(before)
