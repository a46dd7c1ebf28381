"""Finding records, and what they were: everything that ``Records`` reads without changing anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from radicale_onoffice.core import merging, rights
from radicale_onoffice.core.errors import NotFound
from radicale_onoffice.core.feeds import Feeds
from radicale_onoffice.core.folders import Reader, offered_kinds, reader
from radicale_onoffice.core.model import Actor, Base, HistoryLine, Identity, Kind, Leftovers, Record, Value
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Member, Offer, Rendered, Renderer, Store, Transaction
from radicale_onoffice.core.titles import title


class Lookups:
    """The reading half of ``Records``."""

    def __init__(self, *, store: Store, render: Renderer, policy: Policy, feeds: Feeds):
        self._store, self._render, self._policy, self._feeds = store, render, policy, feeds

    def find(self, identity: Identity, kind: Kind, names: Iterable[str]) -> dict[str, Offer]:
        """The records behind resource names that this reader may see, in or out of the window."""
        with self._store.reading() as tx:
            who = reader(tx, identity)
            by_name = {name: tx.named(identity, kind, name) for name in names}
            visible = self._feeds.visible(tx, who, kind, [record_id for record_id in by_name.values() if record_id])
            offers = {offer.record_id: offer for offer in tx.offers(identity, kind, visible)}
        # The caller's own word for the record is kept: a record may answer to an alias and to its first name.
        return {name: offers[record_id]._replace(name=name) for name, record_id in by_name.items() if record_id in offers}

    def with_uid(self, identity: Identity, kind: Kind, uid: str) -> str | None:
        """Id of the record that this reader sees under the UID."""
        with self._store.reading() as tx:
            who = reader(tx, identity)
            known = tx.with_uid(identity.tenant, kind, who.principals(kind, self._policy), uid)
            visible = self._feeds.visible(tx, who, kind, known)
        return next(iter(sorted(visible)), None)

    def get(self, tenant: str, record_id: str) -> Record:
        """A stored record for the CRM's side; raises NotFound."""
        with self._store.reading() as tx:
            record = tx.record(tenant, record_id)
        if record is None or record.deleted:
            raise NotFound(f"There is no record {record_id!r}.")
        return record

    def history(self, tenant: str, record_id: str) -> Sequence[HistoryLine]:
        """All kept versions of a record, oldest first."""
        with self._store.reading() as tx:
            return tx.history(tenant, record_id)

    def everything(self, identity: Identity, kind: Kind) -> Sequence[Offer]:
        """All records that concern this reader, whatever the window: for an export."""
        with self._store.reading() as tx:
            who = reader(tx, identity)
            members = tx.members(identity, kind, who.principals(kind, self._policy))
            return tx.offers(identity, kind, [member.record_id for member in members])

    def offers(self, identity: Identity, kind: Kind, record_ids: Iterable[str]) -> Sequence[Offer]:
        """The stored forms of those of these records that this reader may see, in or out of the window, by id."""
        with self._store.reading() as tx:
            return tx.offers(identity, kind, self._feeds.visible(tx, reader(tx, identity), kind, list(record_ids)))

    def titles(self, identity: Identity, record_ids: Iterable[str]) -> dict[str, str]:
        """What people call those of these records, of any kind, that this reader may see now; the others are left out."""
        with self._store.reading() as tx:
            who = reader(tx, identity)
            found = {record.id: record for record in tx.records(identity.tenant, set(record_ids)) if not record.deleted}
            visible: set[str] = set()
            for kind in offered_kinds(who):
                mine = [record.id for record in found.values() if record.kind is kind]
                visible |= self._feeds.visible(tx, who, kind, mine).keys() if mine else set()
        return {record_id: title(found[record_id].value) for record_id in visible}

    def visible(self, identity: Identity, kind: Kind, record_ids: Iterable[str]) -> dict[str, Member]:
        """Those of these records that this reader may see, in or out of the window, by id: for who may have the rest already."""
        with self._store.reading() as tx:
            return self._feeds.visible(tx, reader(tx, identity), kind, list(record_ids))

    def base(self, tenant: str, record_id: str, change: int = 0, *, by: Actor | None = None) -> Base | None:
        """What a device had of a record if it was up to date at that change number; None if nothing is kept.

        What the device itself (``by``) wrote since lies on top of that, and nothing that others wrote: so it is what the device shows, also
        if it never got the answer to what it wrote. Of a record that is younger than the number it had the first version at the least.
        """
        with self._store.reading() as tx:
            record, found = tx.record(tenant, record_id), tx.tenant(tenant)
            lines = tx.history(tenant, record_id)
        at = next((index for index, line in reversed(list(enumerate(lines))) if line.change <= change), 0)
        if record is None or found is None or not lines or lines[at].action == "deleted" or (by is None and lines[at].change > change):
            return None
        mine = [at, *(index for index in range(at + 1, len(lines)) if lines[index].actor == by)]
        if mine[-1] == len(lines) - 1 and len(mine) == len(lines) - at:
            return Base(value=record.value, leftovers=record.leftovers, text=record.text)
        who = Reader(tenant=found, user=rights.nobody(lines[at].actor.identity))
        base = self._shown(record, lines[at], who)
        for index in mine[1:]:
            before, after = self._shown(record, lines[index - 1], who), lines[index]
            value = merging.overlaid(base.value, before.value, after.value)
            leftovers = merging.merge_leftovers(replace(before, device_wins=True), after.leftovers, base)
            base = replace(base, value=value, leftovers=leftovers)
            base = replace(base, text=self._text(record.kind, value, leftovers, record.uid, after.at, who).text)
        return base

    def _shown(self, record: Record, line: HistoryLine, who: Reader) -> Base:
        rendered = self._text(record.kind, line.value, line.leftovers, record.uid, line.at, who)
        return Base(value=line.value, leftovers=line.leftovers, text=rendered.text)

    def _text(self, kind: Kind, value: Value, leftovers: Leftovers, uid: str, modified: datetime, who: Reader) -> Rendered:
        return self._render(kind, value, leftovers, uid=uid, modified=modified, zone=who.zone, region=who.tenant.region)


def reader_of_tenant(tx: Transaction, identity: Identity) -> Reader:
    """A reader for the CRM's side, where the acting user need not exist; raises NotFound for an unknown tenant."""
    tenant = tx.tenant(identity.tenant)
    if tenant is None:
        raise NotFound(f"There is no tenant {identity.tenant!r}; make it with `tenant add`.")
    return Reader(tenant=tenant, user=tx.user(identity) or rights.nobody(identity))
