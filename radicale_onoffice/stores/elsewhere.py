"""What is kept about a CRM that is elsewhere, in SQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Row, and_, delete, or_, select, update

from radicale_onoffice.core.model import Actor, Face, Identity, Kind
from radicale_onoffice.core.origins import UNTOLD, Origin
from radicale_onoffice.core.ports import Errand, ErrandState, Link
from radicale_onoffice.stores import tables
from radicale_onoffice.stores.statements import Part, chunks, from_micros, insert, to_micros
from radicale_onoffice.stores.values import dump_value, load_value

links, states, leases, errands, records = tables.links, tables.mirror_states, tables.leases, tables.errands, tables.records


def _errand(row: Row) -> Errand:
    kind, at = Kind(row.kind), from_micros(row.at)
    assert at is not None
    return Errand(
        number=row.number,
        actor=Actor(identity=Identity(row.tenant, row.login), face=Face(row.face), device=row.device),
        kind=kind,
        record_id=row.record_id,
        before=None if row.before is None else load_value(kind, row.before),
        after=None if row.after is None else load_value(kind, row.after),
        state=ErrandState(row.state),
        at=at,
        tries=row.tries,
        reason=row.reason,
        origin=Origin(**json.loads(row.origin or "{}")),
    )


def _row(errand: Errand) -> dict[str, object]:
    return {
        "tenant": errand.actor.identity.tenant,
        "login": errand.actor.identity.user,
        "face": errand.actor.face.value,
        "device": errand.actor.device,
        "kind": errand.kind.value,
        "record_id": errand.record_id,
        "before": None if errand.before is None else dump_value(errand.before),
        "after": None if errand.after is None else dump_value(errand.after),
        "state": errand.state.value,
        "at": to_micros(errand.at),
        "tries": errand.tries,
        "reason": errand.reason,
        "origin": "" if errand.origin == UNTOLD else json.dumps(asdict(errand.origin)),
    }


class ElsewherePart(Part):
    """Links, what the mirror remembers, leases and errands."""

    def link(self, tenant: str, record_id: str) -> Link | None:
        query = select(links.c.crm_id, links.c.stamp, links.c.digest).where(links.c.tenant == tenant, links.c.record_id == record_id)
        row = self._connection.execute(query).one_or_none()
        return Link(*row) if row else None

    def linked(self, tenant: str, kind: Kind, crm_ids: Iterable[str]) -> Mapping[str, tuple[str, Link]]:
        query = select(links.c.crm_id, links.c.stamp, links.c.digest, links.c.record_id).where(
            links.c.tenant == tenant, links.c.kind == kind.value
        )
        return {
            row.crm_id: (row.record_id, Link(*row[:3]))
            for some in chunks(sorted(set(crm_ids)))
            for row in self._connection.execute(query.where(links.c.crm_id.in_(some))).all()
        }

    def links(self, tenant: str, kind: Kind) -> Mapping[str, str]:
        joined = links.join(records, and_(records.c.tenant == links.c.tenant, records.c.id == links.c.record_id))
        query = select(links.c.crm_id, links.c.record_id).select_from(joined)
        query = query.where(links.c.tenant == tenant, links.c.kind == kind.value, records.c.deleted.is_(False))
        return {row.crm_id: row.record_id for row in self._connection.execute(query).all()}

    def save_link(self, tenant: str, kind: Kind, record_id: str, link: Link) -> None:
        # A record that was made anew over there has another id than before.
        other = and_(links.c.tenant == tenant, links.c.record_id == record_id, links.c.crm_id != link.crm_id)
        self._connection.execute(delete(links).where(other))
        if not link.crm_id:
            return
        row = {"tenant": tenant, "kind": kind.value, "record_id": record_id, **link._asdict()}
        self._save(links, ("tenant", "kind", "crm_id"), row)

    def remove_links(self, tenant: str) -> None:
        self._connection.execute(delete(links).where(links.c.tenant == tenant))

    def mirror_state(self, tenant: str, name: str) -> str | None:
        query = select(states.c.text).where(states.c.tenant == tenant, states.c.name == name)
        return self._connection.execute(query).scalar_one_or_none()

    def save_mirror_state(self, tenant: str, name: str, text: str | None) -> None:
        if text is None:
            self._connection.execute(delete(states).where(states.c.tenant == tenant, states.c.name == name))
        else:
            self._save(states, ("tenant", "name"), {"tenant": tenant, "name": name, "text": text})

    def lease(self, name: str, holder: str, now: datetime, until: datetime) -> bool:
        row = {"name": name, "holder": holder, "until": to_micros(until)}
        made = insert(leases, is_sqlite=self._is_sqlite).values(row)
        free = or_(leases.c.holder == holder, leases.c.until < to_micros(now))
        taken = made.on_conflict_do_update(index_elements=["name"], set_={"holder": holder, "until": row["until"]}, where=free)
        self._connection.execute(taken)
        return self._connection.execute(select(leases.c.holder).where(leases.c.name == name)).scalar_one() == holder

    def renew_leases(self, holder: str, now: datetime, until: datetime) -> None:
        held = and_(leases.c.holder == holder, leases.c.until >= to_micros(now))
        self._connection.execute(update(leases).where(held).values(until=to_micros(until)))

    def end_lease(self, name: str, holder: str) -> None:
        self._connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))

    def add_errand(self, errand: Errand) -> int:
        return int(self._connection.execute(errands.insert().values(_row(errand)).returning(errands.c.number)).scalar_one())

    def errands(self, tenant: str, record_id: str | None = None) -> Sequence[Errand]:
        query = select(errands).where(errands.c.tenant == tenant).order_by(errands.c.number)
        if record_id is not None:
            query = query.where(errands.c.record_id == record_id)
        return [_errand(row) for row in self._connection.execute(query).all()]

    def errand(self, tenant: str, number: int, *, lock: bool = False) -> Errand | None:
        query = select(errands).where(errands.c.tenant == tenant, errands.c.number == number)
        row = self._connection.execute(query.with_for_update() if lock and not self._is_sqlite else query).one_or_none()
        return _errand(row) if row else None

    def save_errand(self, errand: Errand) -> None:
        self._connection.execute(update(errands).where(errands.c.number == errand.number).values(_row(errand)))

    def remove_errand(self, number: int) -> None:
        self._connection.execute(delete(errands).where(errands.c.number == number))
