"""Finding records, and what they were: everything that ``Records`` reads without changing anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from radicale_onoffice.core import rights
from radicale_onoffice.core.errors import NotFound
from radicale_onoffice.core.feeds import Feeds
from radicale_onoffice.core.folders import Reader, reader
from radicale_onoffice.core.model import Base, HistoryLine, Identity, Kind, Leftovers, Record, Value
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Offer, Rendered, Renderer, Store, Transaction


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

    def versions(self, identity: Identity, kind: Kind, record_ids: Iterable[str]) -> dict[str, int]:
        """The versions of those of these records that this reader may see, in or out of the window: for who may have the rest already."""
        with self._store.reading() as tx:
            return self._feeds.visible(tx, reader(tx, identity), kind, list(record_ids))

    def base(self, tenant: str, record_id: str, change: int = 0, *, version: int = 0) -> Base | None:
        """What a device had of a record if it was up to date at that change number, or had that very version; None if nothing is kept."""
        with self._store.reading() as tx:
            record = tx.record(tenant, record_id)
            if version:
                line = next((line for line in tx.history(tenant, record_id) if line.version == version), None)
            else:
                line = tx.version_at(tenant, record_id, change)
            found = tx.tenant(tenant)
        if record is None or line is None or found is None or line.action == "deleted":
            return None
        if line.version == record.version:
            return Base(value=line.value, leftovers=line.leftovers, text=record.text)
        who = Reader(tenant=found, user=rights.nobody(line.actor.identity))
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
