"""Storing what is so: the one commit path of a record, and what a CRM elsewhere has and is stored here without telling it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from radicale_onoffice.core import rules
from radicale_onoffice.core.commits import Commit, summarise
from radicale_onoffice.core.errors import Conflict, NotFound
from radicale_onoffice.core.feeds import Feeds
from radicale_onoffice.core.folders import Reader
from radicale_onoffice.core.lookups import Lookups, reader_of_tenant
from radicale_onoffice.core.model import (
    Actor,
    Kind,
    Leftovers,
    Record,
    Value,
)
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Crm, Errand, ErrandState, Found, Held, Renderer, Store, Transaction

DROPPED_AT_ONCE = 200  # records in one commit: nobody else writes meanwhile
EXTENSIONS: Mapping[Kind, str] = {Kind.CONTACTS: ".vcf", Kind.APPOINTMENTS: ".ics", Kind.TASKS: ".ics"}


class Adoptions(Lookups):
    """The storing half of ``Records``."""

    def __init__(self, *, store: Store, crm: Crm, render: Renderer, policy: Policy, clock: Callable[[], datetime], feeds: Feeds):
        super().__init__(store=store, render=render, policy=policy, feeds=feeds)
        self._crm, self._clock = crm, clock

    # ------------------------------------------- what the CRM has elsewhere

    def adopt(self, actor: Actor, kind: Kind, held: Held, *, record_id: str | None = None, version: int | None = None) -> Record:
        """Store what a CRM elsewhere has, without telling it; if that stands already, only the link is saved. Raises NotFound, Conflict.

        ``version`` is what was stored here when the CRM was asked: what was stored since is newer than its answer, and stands.
        """
        assert held.link is not None
        value, tenant = rules.normalise(held.value), actor.identity.tenant
        with self._store.writing() as tx:
            who = reader_of_tenant(tx, actor.identity)
            current = tx.record(tenant, record_id) if record_id else None
            if record_id and current is None:
                raise NotFound(f"There is no record {record_id!r}.")
            if current is not None and self._stands(current, value):
                tx.save_link(tenant, kind, current.id, held.link)
                return current
            if current is not None and version not in (None, current.version):
                raise Conflict(version, current.version)
            return self._commit(tx, self._adoption(actor, kind, current, Held(value, held.link)), who)

    def adopt_made(self, errand: Errand, held: Held) -> Record:
        """``adopt`` what an errand made of which nobody was told: under the errand's record id and by all that its device calls it.

        So the device's repetition is a change of this record. Raises Conflict.
        """
        assert held.link is not None
        actor, kind, origin = errand.actor, errand.kind, errand.origin
        tenant = actor.identity.tenant
        held = held._replace(value=rules.normalise(held.value), done=errand.number)
        with self._store.writing() as tx:
            who = reader_of_tenant(tx, actor.identity)
            current = tx.record(tenant, errand.record_id)
            if current is not None:
                return self._commit(tx, self._next(actor, current, held, current.leftovers, "changed"), who)
            is_free = not origin.uid or not tx.with_uid(tenant, kind, summarise(held.value, who).audience, origin.uid)
            name = origin.name if origin.name and is_free and tx.named(actor.identity, kind, origin.name) is None else ""
            made = self._new(actor, kind, errand.record_id, held, Leftovers(), (is_free and origin.uid) or errand.record_id)
            stored = self._commit(tx, replace(made, name=name), who)
            for client_id in filter(None, (origin.client_id, origin.content)):
                tx.save_client_id(actor.identity, actor.device, kind.value, origin.number, client_id, stored.id)
            if name:  # as if its client had been told
                self._feeds.announce(tx, actor.identity, stored, name)
            return stored

    def adopt_all(self, actor: Actor, kind: Kind, found: Sequence[Found], *, since: int, also: Callable[[Transaction], None]) -> list[str]:
        """``adopt`` for many records in one commit, in which ``also`` is called, too.

        ``since`` is the tenant's change number when the CRM was asked. What changed here after that, what has an errand on its way, and what
        may be a record that is just being made from here, is left alone: the CRM's ids of these are returned, to be read again. What is made
        under an id that is known already can be no other one. Raises Conflict.
        """
        tenant, again = actor.identity.tenant, list[str]()
        with self._store.writing() as tx:
            who = reader_of_tenant(tx, actor.identity)
            known = tx.linked(tenant, kind, [one.link.crm_id for one in found])
            errands = [errand for errand in tx.errands(tenant) if errand.state is not ErrandState.REFUSED]
            creations = (one for one in errands if one.kind is kind and one.before is None and one.state is ErrandState.SENT)
            being_made = any((link := tx.link(tenant, one.record_id)) is None or not link.crm_id for one in creations)
            on_the_way = {errand.record_id for errand in errands}
            for one in found:
                record_id = known[one.link.crm_id][0] if one.link.crm_id in known else None
                current = tx.record(tenant, record_id) if record_id else None
                if record_id in on_the_way or (being_made if current is None else current.change > since):
                    again.append(one.link.crm_id)
                    continue
                value = rules.normalise(one.value(current.value if current else None))
                if current is not None and self._stands(current, value):
                    tx.save_link(tenant, kind, current.id, one.link)
                else:
                    self._commit(tx, self._adoption(actor, kind, current, Held(value, one.link)), who)
            also(tx)
        return again

    @staticmethod
    def _stands(current: Record, value: Value) -> bool:
        """True if nothing has to be stored: it is equal, or deleted here and taken out there, whatever else its remains say."""
        return rules.is_removed(value) if current.deleted else current.value == value

    def _adoption(self, actor: Actor, kind: Kind, current: Record | None, held: Held) -> Commit:
        if current is not None:
            return self._next(actor, current, held, current.leftovers, "changed")
        new_id = self._crm.new_id(actor.identity.tenant, kind)
        return self._new(actor, kind, new_id, held, Leftovers(), new_id)

    @staticmethod
    def _new(actor: Actor, kind: Kind, record_id: str, held: Held, leftovers: Leftovers, uid: str) -> Commit:
        return Commit(
            actor=actor,
            kind=kind,
            record=None,
            record_id=record_id,
            held=held,
            leftovers=leftovers,
            uid=uid,
            name="",
            action="created",
        )

    def drop(self, actor: Actor, record_ids: Sequence[str], also: Callable[..., None] = lambda _tx, _ids: None) -> None:
        """Store that a CRM elsewhere does not have these records any more, many in a commit; ``also`` is called in it, with their ids."""
        for start in range(0, len(record_ids), DROPPED_AT_ONCE):
            some = record_ids[start : start + DROPPED_AT_ONCE]
            with self._store.writing() as tx:
                for record in tx.records(actor.identity.tenant, some):
                    if not record.deleted:
                        self._bury(tx, actor, record, Held(record.value))
                also(tx, some)

    def _bury(self, tx: Transaction, actor: Actor, record: Record, held: Held) -> None:
        self._commit(tx, self._next(actor, record, held, record.leftovers, "deleted"), reader_of_tenant(tx, actor.identity))

    # -------------------------------------------------------------- commit

    @staticmethod
    def _next(actor: Actor, record: Record, held: Held, leftovers: Leftovers, action: str) -> Commit:
        return Commit(
            actor=actor,
            kind=record.kind,
            record=record,
            record_id=record.id,
            held=held,
            leftovers=leftovers,
            uid=record.uid,
            name=record.name,
            action=action,
        )

    def _commit(self, tx: Transaction, commit: Commit, who: Reader) -> Record:
        """Store one version; raises Conflict if somebody else stored one since ``commit.record`` was read."""
        tenant, now = commit.actor.identity.tenant, self._clock()
        summary = summarise(commit.held.value, who)
        before, is_deleted = commit.record, commit.action == "deleted"
        rendered = self._text(commit.kind, commit.held.value, commit.leftovers, commit.uid, now, who)
        default_name = f"{commit.record_id}{EXTENSIONS[commit.kind]}"
        name = before.name if before else self._free_name(tx, tenant, commit, default_name)
        record = Record(
            tenant=tenant,
            id=commit.record_id,
            kind=commit.kind,
            version=before.version + 1 if before else 1,
            change=tx.next_change(tenant),
            name=name,
            uid=commit.uid,
            value=commit.held.value,
            leftovers=commit.leftovers,
            text=rendered.text,
            etag=rendered.etag,
            starts=summary.starts,
            ends=summary.ends,
            recurring=summary.recurring,
            modified=now,
            created=before.created if before else now,
            deleted=is_deleted,
        )
        tx.save_record(record, summary._replace(audience=frozenset()) if is_deleted else summary, commit.action, commit.actor)
        self._keep(tx, record, commit.held)
        if commit.name and commit.name != name:
            tx.save_alias(commit.actor.identity, commit.kind, commit.name, record.id)
        return record

    @staticmethod
    def _keep(tx: Transaction, record: Record, held: Held) -> None:
        """What of a CRM elsewhere is kept with the record; raises Conflict if another record is the CRM's already."""
        if held.link is not None:
            crm_id = held.link.crm_id
            known = tx.linked(record.tenant, record.kind, [crm_id]) if record.version == 1 else {}
            other = tx.record(record.tenant, known[crm_id][0]) if crm_id in known else None
            if other is not None and other.id != record.id and not other.deleted:
                raise Conflict(None, other.version)
            tx.save_link(record.tenant, record.kind, record.id, held.link)
        if held.done:
            tx.remove_errand(held.done)
        if held.errand is not None:
            tx.save_errand(held.errand) if held.errand.number else tx.add_errand(held.errand)

    @staticmethod
    def _free_name(tx: Transaction, tenant: str, commit: Commit, default: str) -> str:
        """The client's name for a new record, unless somebody else's record has it: then the client's name becomes an alias."""
        return commit.name if commit.name and not tx.name_taken(tenant, commit.kind, commit.name) else default
