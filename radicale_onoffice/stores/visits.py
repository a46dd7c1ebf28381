"""Visits in SQL: rows are made out of the users table, so that a login that does not exist leaves none and costs the same."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, Row, Text, bindparam, case, delete, null, select, tuple_

from radicale_onoffice.core.clients import Client, Visit
from radicale_onoffice.core.model import Face, Identity, Kind
from radicale_onoffice.stores import tables
from radicale_onoffice.stores.statements import Part, from_micros, insert, to_micros

visits, users = tables.visits, tables.users
SYNCED = {kind: f"synced_{kind.value}" for kind in Kind}
OF = (visits.c.tenant == bindparam("tenant"), visits.c.login == bindparam("login"))
VISITS = select(visits).where(*OF)
KEY = ("tenant", "login", "face", "client")


@functools.cache
def _note(kind: Kind | None, *, failed: bool, is_sqlite: bool) -> Any:
    """The statement that notes a visit."""
    at = bindparam("at", type_=BigInteger)
    row: dict[str, Any] = {
        "tenant": users.c.tenant,
        "login": users.c.login,
        **{name: bindparam(name, type_=Text) for name in ("face", "client", "label", "address")},
        "first_seen": at,
        "last_ok": null() if failed else at,
        "last_failed": at if failed else null(),
        "failures": bindparam("failures", type_=Integer),
        "password_of": null() if failed else users.c.password_changed,
    }
    if kind is not None:
        row[SYNCED[kind]] = at
    source = select(*row.values()).where(users.c.tenant == bindparam("tenant", type_=Text), users.c.login == bindparam("login", type_=Text))
    statement = insert(visits, is_sqlite=is_sqlite).from_select(list(row), source)
    new = statement.excluded
    kept = ("last_failed",) if not failed else ("last_ok", "password_of")
    changed = {name: new[name] for name in row if name not in (*KEY, "first_seen", *kept)}
    for name in ("label", "address"):
        changed[name] = case((new[name] == "", visits.c[name]), else_=new[name])
    if failed:
        changed["failures"] = visits.c.failures + 1
    return statement.on_conflict_do_update(index_elements=list(KEY), set_=changed)


def _prune(moment: Any, *, strangers: bool) -> Any:
    """The statement that drops all but the newest of those that came in, or of those that never did."""
    wanted = (*OF, visits.c.last_ok.is_(None) if strangers else visits.c.last_ok.is_not(None))
    newest = select(visits.c.face, visits.c.client).where(*wanted).order_by(moment.desc(), visits.c.client).limit(bindparam("most"))
    return delete(visits).where(*wanted, tuple_(visits.c.face, visits.c.client).not_in(newest))


PRUNE_KNOWN, PRUNE_STRANGERS = _prune(visits.c.last_ok, strangers=False), _prune(visits.c.last_failed, strangers=True)


def visit_from(row: Row[Any]) -> Visit:
    """The visit in a row of the visits table."""
    first_seen = from_micros(row.first_seen)
    assert first_seen is not None
    synced = {kind: from_micros(row._mapping[name]) for kind, name in SYNCED.items()}
    return Visit(
        identity=Identity(row.tenant, row.login),
        face=Face(row.face),
        client=row.client,
        label=row.label,
        address=row.address,
        first_seen=first_seen,
        last_ok=from_micros(row.last_ok),
        last_failed=from_micros(row.last_failed),
        failures=row.failures,
        password_of=from_micros(row.password_of),
        synced={kind: at for kind, at in synced.items() if at is not None},
    )


class VisitsPart(Part):
    """Everything about who comes with what."""

    def visits(self, identity: Identity) -> tuple[Visit, ...]:
        rows = self._connection.execute(VISITS, {"tenant": identity.tenant, "login": identity.user}).all()
        return tuple(visit_from(row) for row in rows)

    def note_visit(self, identity: Identity, client: Client, address: str, at: datetime, kind: Kind | None) -> None:
        self._connection.execute(_note(kind, failed=False, is_sqlite=self._is_sqlite), _row(identity, client, address, at, 0))

    def note_failed_visit(self, identity: Identity, client: Client, address: str, at: datetime) -> None:
        self._connection.execute(_note(None, failed=True, is_sqlite=self._is_sqlite), _row(identity, client, address, at, 1))

    def prune_visits(self, identity: Identity, known: int, strangers: int) -> None:
        for statement, most in ((PRUNE_KNOWN, known), (PRUNE_STRANGERS, strangers)):
            self._connection.execute(statement, {"tenant": identity.tenant, "login": identity.user, "most": most})

    def remove_visit(self, identity: Identity, client: Client) -> None:
        this = (visits.c.face == client.face.value, visits.c.client == client.id)
        self._connection.execute(delete(visits).where(*OF, *this), {"tenant": identity.tenant, "login": identity.user})


def _row(identity: Identity, client: Client, address: str, at: datetime, failures: int) -> dict[str, Any]:
    return {
        "tenant": identity.tenant,
        "login": identity.user,
        "face": client.face.value,
        "client": client.id,
        "label": client.label,
        "address": address,
        "at": to_micros(at),
        "failures": failures,
    }
