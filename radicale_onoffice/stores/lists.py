"""Rows by the page, for pages and lists, in SQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, or_, select

from radicale_onoffice.core.lists import Listed, Numbered, Only, Seen, Show
from radicale_onoffice.core.model import Attempts, AuditLine, Device, Door, Identity, Kind, User, UserState
from radicale_onoffice.stores import tables
from radicale_onoffice.stores.accounts import ATTEMPT, attempts_from, user_from
from radicale_onoffice.stores.devices import device_from
from radicale_onoffice.stores.searching import pattern
from radicale_onoffice.stores.statements import Part, from_micros, to_micros

users, attempts, visits, feeds = tables.users, tables.attempts, tables.visits, tables.feeds
devices, failures, audit = tables.devices, tables.failures, tables.audit
people, audience = tables.people, tables.audience
EVERY_KIND = json.dumps(sorted(Kind))  # as users.switches is saved
LOGINS = bindparam("logins", expanding=True)
LOCKED = exists().where(
    attempts.c.tenant == users.c.tenant,
    attempts.c.login == users.c.login,
    attempts.c.door == Door.SYNC.value,
    attempts.c.locked_at > bindparam("locked_since"),
)
SHOWN: Mapping[Show, tuple[ColumnElement[bool], ...]] = {
    Show.ALL: (),
    Show.LOCKED: (LOCKED,),
    Show.CLOSED: (
        or_(
            users.c.state != UserState.ACTIVE.value,
            users.c.sync_right.is_(False),
            users.c.switches != EVERY_KIND,
            users.c.other_channels != "[]",
        ),
    ),
    Show.DEACTIVATED: (users.c.state != UserState.ACTIVE.value,),
    Show.ADMINS: (users.c.admin.is_(True),),
}
ATTEMPTS_OF = select(attempts.c.login, *ATTEMPT).where(
    attempts.c.tenant == bindparam("tenant"), attempts.c.door == bindparam("door"), attempts.c.login.in_(LOGINS)
)
SEEN_OF = (
    select(visits.c.login, func.max(visits.c.last_ok), func.count())
    .where(visits.c.tenant == bindparam("tenant"), visits.c.login.in_(LOGINS), visits.c.last_ok.is_not(None))
    .group_by(visits.c.login)
)
FAILING_OF = (
    select(failures.c.login, func.count())
    .where(failures.c.tenant == bindparam("tenant"), failures.c.login.in_(LOGINS))
    .group_by(failures.c.login)
)
OFFERED_OF = (
    select(feeds.c.login, feeds.c.kind, feeds.c.live)
    .where(feeds.c.tenant == bindparam("tenant"), feeds.c.login.in_(LOGINS))
    .order_by(feeds.c.change, feeds.c.scope.desc())  # of two feeds that are equally new the default one is the last
)
FAILING = (
    select(func.count())
    .where(failures.c.tenant == devices.c.tenant, failures.c.login == devices.c.login, failures.c.device_id == devices.c.id)
    .scalar_subquery()
    .label("failing")
)

IS_SYNCED = exists().where(
    audience.c.tenant == people.c.tenant,
    audience.c.record_id == people.c.record_id,
    audience.c.principal == bindparam("principal"),
    audience.c.active.is_(True),
)
PEOPLE = select(people.c.record_id, people.c.name, people.c.company, IS_SYNCED.label("is_synced")).where(
    people.c.tenant == bindparam("tenant")
)


def has_text(text: str, *columns: ColumnElement[str]) -> tuple[ColumnElement[bool], ...]:
    """The condition that one of the columns contains a text; none for an empty one."""
    return (or_(*(column.regexp_match(pattern(text)) for column in columns)),) if text else ()


class ListsPart(Part):
    """Everything that is looked at and not synchronised."""

    def _counted(self, query: Select[Any], parameters: Mapping[str, Any]) -> int:
        return int(self._connection.execute(select(func.count()).select_from(query.order_by(None).subquery()), parameters).scalar_one())

    def user_page(self, tenant: str, text: str, show: Show, locked_since: datetime, offset: int, limit: int) -> tuple[int, Sequence[User]]:
        query = select(users).where(users.c.tenant == tenant, *has_text(text, users.c.login), *SHOWN[show]).order_by(users.c.login)
        parameters = {"locked_since": to_micros(locked_since)} if show is Show.LOCKED else {}
        rows = self._connection.execute(query.offset(offset).limit(limit), parameters).all()
        return self._counted(query, parameters), [user_from(*row) for row in rows]

    def attempts_of(self, tenant: str, door: Door, logins: Collection[str]) -> Mapping[str, Attempts]:
        rows = self._connection.execute(ATTEMPTS_OF, {"tenant": tenant, "door": door.value, "logins": sorted(logins)}).all()
        return {row[0]: attempts_from(*row[1:]) for row in rows}

    def seen_of(self, tenant: str, logins: Collection[str]) -> Mapping[str, Seen]:
        rows = self._connection.execute(SEEN_OF, {"tenant": tenant, "logins": sorted(logins)}).all()
        return {login: Seen(from_micros(last_ok), clients) for login, last_ok, clients in rows}

    def failing_of(self, tenant: str, logins: Collection[str]) -> Mapping[str, int]:
        rows = self._connection.execute(FAILING_OF, {"tenant": tenant, "logins": sorted(logins)}).all()
        return {row[0]: row[1] for row in rows}

    def offered_of(self, tenant: str, logins: Collection[str]) -> Mapping[tuple[str, Kind], int]:
        rows = self._connection.execute(OFFERED_OF, {"tenant": tenant, "logins": sorted(logins)}).all()
        return {(login, Kind(kind)): live for login, kind, live in rows}

    def device_page(self, tenant: str, text: str, offset: int, limit: int) -> tuple[int, Sequence[tuple[Device, int]]]:
        found = has_text(text, devices.c.login, devices.c.id, devices.c.type, devices.c.information)
        query = select(devices).where(devices.c.tenant == tenant, *found).order_by(devices.c.login, devices.c.id)
        rows = self._connection.execute(query.add_columns(FAILING).offset(offset).limit(limit)).all()
        return self._counted(query, {}), [(device_from(row), row.failing) for row in rows]

    def people_page(
        self, identity: Identity, needles: Sequence[str], only: Only, left_out: str, offset: int, limit: int
    ) -> tuple[int, Sequence[Listed]]:
        position = func.instr if self._is_sqlite else func.strpos
        query = PEOPLE.where(or_(*(position(people.c.words, needle) > 0 for needle in needles))) if needles else PEOPLE
        is_kept = people.c.mark != left_out
        query = query.where({Only.ALL: or_(is_kept, IS_SYNCED), Only.SYNCED: IS_SYNCED, Only.UNSYNCED: and_(is_kept, ~IS_SYNCED)}[only])
        parameters = {"tenant": identity.tenant, "principal": f"u:{identity.user}"}
        ordered = query.order_by(people.c.sort_key, people.c.record_id).offset(offset).limit(limit)
        found = [Listed(*row[:3], bool(row[3])) for row in self._connection.execute(ordered, parameters).all()]
        # A page that is not full is the last: whoever searches for something has looked at every contact once already.
        is_last = 0 < len(found) < limit or not (found or offset)
        return offset + len(found) if is_last else self._counted(query.with_only_columns(people.c.record_id), parameters), found

    def audit_page(self, tenant: str, login: str, event: str, text: str, before: int | None, limit: int) -> Sequence[Numbered]:
        wanted = [
            audit.c.tenant == tenant,
            *([audit.c.login == login] if login else []),
            *([audit.c.event.startswith(event, autoescape=True)] if event else []),
            *has_text(text, audit.c.login, audit.c.actor, audit.c.event, audit.c.detail),
            *([audit.c.id < before] if before is not None else []),
        ]
        rows = self._connection.execute(select(audit).where(and_(*wanted)).order_by(audit.c.id.desc()).limit(limit)).all()
        return [_numbered(row.id, row.at, row.tenant, row.login, row.actor, row.event, row.detail) for row in rows]


def _numbered(number: int, micros: int, tenant: str, login: str, actor: str, event: str, detail: str) -> Numbered:
    at = from_micros(micros)
    assert at is not None
    return Numbered(number, AuditLine(at=at, tenant=tenant, login=login, actor=actor, event=event, detail=detail))
