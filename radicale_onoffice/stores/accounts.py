"""Tenants, users, doors, page sessions, settings, audit and folder properties in SQL."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, delete, exists, func, or_, select, update

from radicale_onoffice.core.model import Attempts, AuditLine, Door, Identity, Kind, PageSession, Tenant, User, UserState
from radicale_onoffice.stores import tables
from radicale_onoffice.stores.statements import Part, from_micros, insert, to_micros

TENANT = select(tables.tenants).where(tables.tenants.c.name == bindparam("name"))
USER_IS = (tables.users.c.tenant == bindparam("tenant"), tables.users.c.login == bindparam("login"))
USER = select(tables.users).where(*USER_IS)
ATTEMPT = (tables.attempts.c.failures, tables.attempts.c.locked_at, tables.attempts.c.last_at, tables.attempts.c.last_address)
ACCOUNT = (
    select(tables.tenants, tables.users)
    .select_from(tables.users.join(tables.tenants, tables.tenants.c.name == tables.users.c.tenant))
    .where(*USER_IS)
)
VISITOR = (
    select(*ATTEMPT, tables.tenants, tables.users)
    .select_from(
        tables.users.join(tables.tenants, tables.tenants.c.name == tables.users.c.tenant).outerjoin(
            tables.attempts,
            and_(
                tables.attempts.c.tenant == tables.users.c.tenant,
                tables.attempts.c.login == tables.users.c.login,
                tables.attempts.c.door == bindparam("door"),
            ),
        )
    )
    .where(*USER_IS)
)
ATTEMPTS = select(*ATTEMPT).where(
    tables.attempts.c.tenant == bindparam("tenant"),
    tables.attempts.c.login == bindparam("login"),
    tables.attempts.c.door == bindparam("door"),
)
SETTING = select(tables.settings.c.value).where(tables.settings.c.key == bindparam("key"))
PROPERTIES = select(tables.folder_properties.c.properties).where(
    tables.folder_properties.c.tenant == bindparam("tenant"),
    tables.folder_properties.c.login == bindparam("login"),
    tables.folder_properties.c.kind == bindparam("kind"),
)
# Made out of the users table, so that a login that does not exist leaves none and costs the same.
AUDIT_COLUMNS = [column for column in tables.audit.c if column.name != "id"]
AUDIT_OF_USERS = tables.audit.insert().from_select(
    [column.name for column in AUDIT_COLUMNS],
    select(*(bindparam(column.name, type_=column.type).label(column.name) for column in AUDIT_COLUMNS))
    .select_from(tables.users)
    .where(*USER_IS),
)
IDENTITY = ("tenant", "login")
OF_A_USER = (
    tables.attempts,
    tables.page_sessions,
    tables.feeds,
    tables.aliases,
    tables.folder_properties,
    tables.devices,
    tables.sync_states,
    tables.client_ids,
    tables.failures,
    tables.visits,
)


def _where(identity: Identity) -> dict[str, str]:
    return {"tenant": identity.tenant, "login": identity.user}


@functools.lru_cache(maxsize=1024)
def user_from(*columns: Any) -> User:
    """The user in the columns of a row; every request reads it several times, and a row that differs in anything is another key."""
    tenant, login, password, changed, state, sync_right, switches, other_channels, rights, groups, admin, language = columns
    return User(
        identity=Identity(tenant, login),
        password=password,
        password_changed=from_micros(changed),
        state=UserState(state),
        sync_right=sync_right,
        switches=frozenset(Kind(word) for word in json.loads(switches)),
        other_channels=frozenset(Kind(word) for word in json.loads(other_channels)),
        rights=frozenset(json.loads(rights)),
        groups=tuple(json.loads(groups)),
        admin=admin,
        language=language,
    )


@functools.lru_cache(maxsize=256)
def _tenant(name: str, module: bool, timezone: str, region: str) -> Tenant:
    return Tenant(name=name, module=module, timezone=timezone, region=region)


def _session(row: Row[Any]) -> PageSession:
    created, expires = from_micros(row.created), from_micros(row.expires)
    assert created is not None
    assert expires is not None
    return PageSession(
        token_digest=row.token_digest,
        identity=Identity(row.tenant, row.login),
        csrf=row.csrf,
        created=created,
        expires=expires,
        notice=row.notice,
        last_used=from_micros(row.last_used),
        browser=row.browser,
        address=row.address,
    )


def _door(door: Door, place: str) -> str:
    """How a door is written, and the part of it that a place has."""
    return f"{door.value} {place}" if place else door.value


def _at_door(identity: Identity, door: Door) -> tuple[ColumnElement[bool], ...]:
    """The rows of a login at a door: from anywhere, and of each place."""
    columns = tables.attempts.c
    is_there = or_(columns.door == door.value, columns.door.startswith(f"{door.value} ", autoescape=True))
    return columns.tenant == identity.tenant, columns.login == identity.user, is_there


def attempts_from(failures: int | None, locked_at: int | None, last_at: int | None, last_address: str | None) -> Attempts:
    """The attempts in the columns ATTEMPT; all of them are NULL if there were none."""
    if failures is None:
        return Attempts()
    return Attempts(failures=failures, locked_at=from_micros(locked_at), last_at=from_micros(last_at), last_address=last_address or "")


class AccountsPart(Part):
    """Everything about who may come in."""

    def tenant(self, name: str) -> Tenant | None:
        row = self._connection.execute(TENANT, {"name": name}).one_or_none()
        return _tenant(*row) if row else None

    def tenants(self) -> Sequence[Tenant]:
        rows = self._connection.execute(select(tables.tenants).order_by(tables.tenants.c.name))
        return [_tenant(*row) for row in rows]

    def save_tenant(self, tenant: Tenant) -> None:
        self._save(
            tables.tenants, ("name",), {"name": tenant.name, "module": tenant.module, "timezone": tenant.timezone, "region": tenant.region}
        )

    def user(self, identity: Identity, *, lock: bool = False) -> User | None:
        query = USER.with_for_update() if lock and not self._is_sqlite else USER
        row = self._connection.execute(query, _where(identity)).one_or_none()
        return user_from(*row) if row else None

    def account(self, identity: Identity) -> tuple[Tenant, User] | None:
        row = self._connection.execute(ACCOUNT, _where(identity)).one_or_none()
        return (_tenant(*row[:4]), user_from(*row[4:])) if row else None

    def visitor(self, identity: Identity, door: Door) -> tuple[tuple[Tenant, User] | None, Attempts]:
        row = self._connection.execute(VISITOR, {**_where(identity), "door": door.value}).one_or_none()
        if row is None:
            return None, self.attempts(identity, door)
        return (_tenant(*row[4:8]), user_from(*row[8:])), attempts_from(*row[:4])

    def users(self, tenant: str) -> Sequence[User]:
        rows = self._connection.execute(select(tables.users).where(tables.users.c.tenant == tenant).order_by(tables.users.c.login))
        return [user_from(*row) for row in rows]

    def save_user(self, user: User) -> None:
        row = {
            **_where(user.identity),
            "password": user.password,
            "password_changed": to_micros(user.password_changed),
            "state": user.state.value,
            "sync_right": user.sync_right,
            "switches": json.dumps(sorted(user.switches)),
            "other_channels": json.dumps(sorted(user.other_channels)),
            "rights": json.dumps(sorted(user.rights)),
            "groups": json.dumps(user.groups),
            "admin": user.admin,
            "language": user.language,
        }
        self._save(tables.users, IDENTITY, row)

    def remove_user(self, identity: Identity) -> bool:
        for table in OF_A_USER:
            self._connection.execute(delete(table).where(table.c.tenant == identity.tenant, table.c.login == identity.user))
        users = tables.users.c
        return bool(
            self._connection.execute(delete(tables.users).where(users.tenant == identity.tenant, users.login == identity.user)).rowcount
        )

    # ------------------------------------------------------------------ doors

    def attempts(self, identity: Identity, door: Door, place: str = "") -> Attempts:
        row = self._connection.execute(ATTEMPTS, {**_where(identity), "door": _door(door, place)}).one_or_none()
        return attempts_from(*row) if row else Attempts()

    def locked(self, tenant: str, door: Door) -> Sequence[tuple[Identity, Attempts]]:
        columns = tables.attempts.c
        mine = (columns.tenant == tenant, columns.door == door.value, columns.locked_at.is_not(None))
        query = select(columns.login, *ATTEMPT).where(*mine).order_by(columns.login)
        return [(Identity(tenant, row.login), attempts_from(*row[1:])) for row in self._connection.execute(query)]

    def add_failure(self, identity: Identity, door: Door, at: datetime, address: str, place: str = "") -> Attempts:
        row = {
            **_where(identity),
            "door": _door(door, place),
            "failures": 1,
            "locked_at": None,
            "last_at": to_micros(at),
            "last_address": address,
        }
        statement = insert(tables.attempts, is_sqlite=self._is_sqlite)
        counted = {
            "failures": tables.attempts.c.failures + 1,
            "last_at": statement.excluded.last_at,
            "last_address": statement.excluded.last_address,
        }
        statement = statement.on_conflict_do_update(index_elements=[*IDENTITY, "door"], set_=counted).returning(*ATTEMPT)
        return attempts_from(*self._connection.execute(statement, row).one())

    def lock(self, identity: Identity, door: Door, at: datetime) -> bool:
        columns = tables.attempts.c
        mine = (columns.tenant == identity.tenant, columns.login == identity.user, columns.door == door.value, columns.locked_at.is_(None))
        return bool(self._connection.execute(update(tables.attempts).where(*mine).values(locked_at=to_micros(at))).rowcount)

    def clear_attempts(self, identity: Identity, door: Door, place: str = "") -> bool:
        was_locked = self.attempts(identity, door, place).locked_at is not None
        columns = tables.attempts.c
        mine = (columns.tenant == identity.tenant, columns.login == identity.user, columns.door == _door(door, place))
        self._connection.execute(delete(tables.attempts).where(*mine))
        return was_locked

    def clear_places(self, identity: Identity, door: Door) -> int:
        mine = _at_door(identity, door)
        most = self._connection.execute(select(func.max(tables.attempts.c.failures)).where(*mine)).scalar_one()
        self._connection.execute(delete(tables.attempts).where(*mine))
        return most or 0

    def prune_places(self, identity: Identity, door: Door, most: int) -> None:
        columns = tables.attempts.c
        mine = (*_at_door(identity, door), columns.door != door.value)
        newest = select(columns.door).where(*mine).order_by(columns.last_at.desc(), columns.door).limit(most)
        self._connection.execute(delete(tables.attempts).where(*mine, columns.door.not_in(newest)))

    def prune_attempts(self, strangers: int) -> None:
        columns = tables.attempts.c
        is_user = exists().where(tables.users.c.tenant == columns.tenant, tables.users.c.login == columns.login)
        is_total = columns.door.in_([door.value for door in Door])
        newest = select(columns.last_at).where(~is_user, is_total).order_by(columns.last_at.desc()).offset(strangers).limit(1)
        oldest = self._connection.execute(newest).scalar_one_or_none()
        if oldest is not None:
            self._connection.execute(delete(tables.attempts).where(~is_user, columns.last_at <= oldest))

    # ------------------------------------------------------------------ pages

    def page_session(self, token_digest: str) -> PageSession | None:
        found = select(tables.page_sessions).where(tables.page_sessions.c.token_digest == token_digest)
        row = self._connection.execute(found).one_or_none()
        return _session(row) if row else None

    def page_sessions(self, identity: Identity) -> Sequence[PageSession]:
        columns = tables.page_sessions.c
        mine = select(tables.page_sessions).where(columns.tenant == identity.tenant, columns.login == identity.user)
        return [_session(row) for row in self._connection.execute(mine.order_by(columns.created.desc(), columns.token_digest))]

    def save_page_session(self, session: PageSession) -> None:
        row = {
            "token_digest": session.token_digest,
            **_where(session.identity),
            "csrf": session.csrf,
            "created": to_micros(session.created),
            "expires": to_micros(session.expires),
            "notice": session.notice,
            "last_used": to_micros(session.last_used),
            "browser": session.browser,
            "address": session.address,
        }
        self._save(tables.page_sessions, ("token_digest",), row)

    def remove_page_session(self, token_digest: str) -> None:
        self._connection.execute(delete(tables.page_sessions).where(tables.page_sessions.c.token_digest == token_digest))

    def change_page_session(self, token_digest: str, *, notice: str | None = None, last_used: datetime | None = None) -> None:
        values = {"notice": notice, "last_used": to_micros(last_used)}
        changed = {name: value for name, value in values.items() if value is not None}
        self._connection.execute(update(tables.page_sessions).where(tables.page_sessions.c.token_digest == token_digest).values(changed))

    def remove_page_sessions(self, identity: Identity, *, keep: str = "") -> int:
        columns = tables.page_sessions.c
        mine = (columns.tenant == identity.tenant, columns.login == identity.user, columns.token_digest != keep)
        return self._connection.execute(delete(tables.page_sessions).where(*mine)).rowcount

    def prune_page_sessions(self, now: datetime) -> None:
        self._connection.execute(delete(tables.page_sessions).where(tables.page_sessions.c.expires <= to_micros(now)))

    # --------------------------------------------------------------- settings

    def setting(self, key: str) -> str | None:
        return self._connection.execute(SETTING, {"key": key}).scalar_one_or_none()

    def save_setting(self, key: str, value: str | None) -> None:
        if value is None:
            self._connection.execute(delete(tables.settings).where(tables.settings.c.key == key))
        else:
            self._save(tables.settings, ("key",), {"key": key, "value": value})

    def add_audit(self, line: AuditLine, *, of_users: bool = False) -> None:
        row = {
            "at": to_micros(line.at),
            "tenant": line.tenant,
            "login": line.login,
            "actor": line.actor,
            "event": line.event,
            "detail": line.detail,
        }
        self._connection.execute(AUDIT_OF_USERS if of_users else tables.audit.insert(), row)

    def prune_audit(self, before: datetime) -> int:
        return self._connection.execute(delete(tables.audit).where(tables.audit.c.at < to_micros(before))).rowcount

    def audit(self, tenant: str, limit: int, *, login: str | None = None, event: str | None = None) -> Sequence[AuditLine]:
        columns = tables.audit.c
        wanted = [columns.tenant == tenant, *([columns.login == login] if login else []), *([columns.event == event] if event else [])]
        query = select(tables.audit).where(*wanted).order_by(columns.id.desc()).limit(limit)
        found = []
        for row in self._connection.execute(query):
            at = from_micros(row.at)
            assert at is not None
            found.append(AuditLine(at=at, tenant=row.tenant, login=row.login, actor=row.actor, event=row.event, detail=row.detail))
        return found

    def folder_properties(self, identity: Identity, kind: Kind) -> Mapping[str, str]:
        found = self._connection.execute(PROPERTIES, {**_where(identity), "kind": kind.value}).scalar_one_or_none()
        return json.loads(found) if found else {}

    def save_folder_properties(self, identity: Identity, kind: Kind, properties: Mapping[str, str]) -> None:
        row = {**_where(identity), "kind": kind.value, "properties": json.dumps(dict(properties), ensure_ascii=False)}
        self._save(tables.folder_properties, (*IDENTITY, "kind"), row)
