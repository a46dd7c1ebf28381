"""Devices, what they have, and encoded items in SQL."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Insert, Row, bindparam, delete, select

from radicale_onoffice.core.model import Device, DeviceState, Failure, Identity
from radicale_onoffice.stores import tables
from radicale_onoffice.stores.statements import Part, chunks, from_micros, insert, to_micros

devices, sync_states, client_ids, failed = tables.devices, tables.sync_states, tables.client_ids, tables.failures
flavours, fragments = tables.flavours, tables.fragments
MAX_FAILURES = 200  # of one device: an administrator reads no more of them
MAX_FLAVOURS = 16  # of one tenant: versions of the protocol times what devices want of bodies
FLAVOUR_TRIES = 3  # to save under a flavour that others push out at the same time

DEVICE = select(devices).where(
    devices.c.tenant == bindparam("tenant"), devices.c.login == bindparam("login"), devices.c.id == bindparam("id")
)
OF_DEVICE: Mapping[str, Any] = {"tenant": bindparam("tenant"), "login": bindparam("login"), "device_id": bindparam("device_id")}
STATE = select(sync_states.c.text, sync_states.c.answer).where(
    *(sync_states.c[name] == value for name, value in OF_DEVICE.items()), sync_states.c.collection == bindparam("collection")
)
CLIENT_IDS = select(client_ids.c.number, client_ids.c.client_id, client_ids.c.record_id).where(
    *(client_ids.c[name] == value for name, value in OF_DEVICE.items()), client_ids.c.collection == bindparam("collection")
)
OLD_CLIENT_IDS = delete(client_ids).where(
    *(client_ids.c[name] == value for name, value in OF_DEVICE.items()),
    client_ids.c.collection == bindparam("collection"),
    client_ids.c.number < bindparam("below"),
)
FAILURES = select(failed).where(*(failed.c[name] == value for name, value in OF_DEVICE.items())).order_by(failed.c.at.desc())
FLAVOUR = select(flavours.c.id).where(flavours.c.tenant == bindparam("tenant"), flavours.c.name == bindparam("name"))
FRAGMENTS = select(fragments.c.record_id, fragments.c.version, fragments.c.encoded).where(
    fragments.c.flavour_id == bindparam("flavour_id"), fragments.c.record_id.in_(bindparam("ids", expanding=True))
)
DROP_FRAGMENTS = delete(fragments).where(
    fragments.c.record_id == bindparam("record_id"),
    fragments.c.flavour_id.in_(select(flavours.c.id).where(flavours.c.tenant == bindparam("tenant"))),
)


@functools.cache
def _keep(*, is_sqlite: bool) -> Insert:
    """The statement that keeps an encoding unless there is a newer one."""
    statement = insert(fragments, is_sqlite=is_sqlite)
    changed = {"version": statement.excluded.version, "encoded": statement.excluded.encoded}
    newer = statement.excluded.version >= fragments.c.version
    return statement.on_conflict_do_update(index_elements=["flavour_id", "record_id"], set_=changed, where=newer)


def _of(identity: Identity, device_id: str) -> dict[str, str]:
    return {"tenant": identity.tenant, "login": identity.user, "device_id": device_id}


@functools.lru_cache(maxsize=1024)
def device_from(row: Row[Any]) -> Device:
    """The device in a row of the devices table; every request reads it, and a row that differs in anything is another key."""
    first_seen, last_seen = from_micros(row.first_seen), from_micros(row.last_seen)
    assert first_seen is not None
    assert last_seen is not None
    return Device(
        identity=Identity(row.tenant, row.login),
        id=row.id,
        type=row.type,
        user_agent=row.user_agent,
        version=row.version,
        information=tuple((name, value) for name, value in json.loads(row.information)),
        first_seen=first_seen,
        last_seen=last_seen,
        last_sync=from_micros(row.last_sync),
        policy_key=row.policy_key,
        pending_policy_key=row.pending_policy_key,
        state=DeviceState(row.state),
        wipe_account_only=row.wipe_account_only,
        ordered_by=row.ordered_by,
        heartbeat=row.heartbeat,
        ping_folders=tuple(json.loads(row.ping_folders)),
        sync_request=row.sync_request,
        notes=row.notes,
    )


def _failure(row: Row[Any]) -> Failure:
    at = from_micros(row.at)
    assert at is not None
    return Failure(
        identity=Identity(row.tenant, row.login),
        device_id=row.device_id,
        collection=row.collection,
        item=row.item,
        version=row.version,
        reason=row.reason,
        at=at,
        count=row._mapping["count"],  # a row is a tuple, which has a method of that name
    )


class DevicesPart(Part):
    """Everything about phones."""

    def device(self, identity: Identity, device_id: str, *, lock: bool = False) -> Device | None:
        query = DEVICE.with_for_update() if lock and not self._is_sqlite else DEVICE
        key = {"tenant": identity.tenant, "login": identity.user, "id": device_id}
        row = self._connection.execute(query, key).one_or_none()
        return device_from(row) if row else None

    def devices(self, tenant: str, user: str | None = None) -> Sequence[Device]:
        query = select(devices).where(devices.c.tenant == tenant).order_by(devices.c.login, devices.c.id)
        rows = self._connection.execute(query if user is None else query.where(devices.c.login == user)).all()
        return [device_from(row) for row in rows]

    def users_of_device(self, tenant: str, device_id: str) -> Sequence[str]:
        query = select(devices.c.login).where(devices.c.tenant == tenant, devices.c.id == device_id).order_by(devices.c.login)
        return self._connection.execute(query).scalars().all()

    def save_device(self, device: Device) -> None:
        row = {
            "tenant": device.identity.tenant,
            "login": device.identity.user,
            "id": device.id,
            "type": device.type,
            "user_agent": device.user_agent,
            "version": device.version,
            "information": json.dumps(device.information, ensure_ascii=False),
            "first_seen": to_micros(device.first_seen),
            "last_seen": to_micros(device.last_seen),
            "last_sync": to_micros(device.last_sync),
            "policy_key": device.policy_key,
            "pending_policy_key": device.pending_policy_key,
            "state": device.state.value,
            "wipe_account_only": device.wipe_account_only,
            "ordered_by": device.ordered_by,
            "heartbeat": device.heartbeat,
            "ping_folders": json.dumps(device.ping_folders),
            "sync_request": device.sync_request,
            "notes": device.notes,
        }
        self._save(devices, ("tenant", "login", "id"), row)

    def remove_device(self, identity: Identity, device_id: str) -> bool:
        for table in (sync_states, client_ids, failed):
            self._connection.execute(delete(table).where(*(table.c[name] == value for name, value in _of(identity, device_id).items())))
        mine = (devices.c.tenant == identity.tenant, devices.c.login == identity.user, devices.c.id == device_id)
        return bool(self._connection.execute(delete(devices).where(*mine)).rowcount)

    # ------------------------------------------------------------------ states

    def sync_state(self, identity: Identity, device_id: str, collection: str) -> tuple[str, bytes] | None:
        row = self._connection.execute(STATE, {**_of(identity, device_id), "collection": collection}).one_or_none()
        return (row.text, row.answer) if row else None

    def save_sync_state(self, identity: Identity, device_id: str, collection: str, text: str, answer: bytes) -> None:
        row = {**_of(identity, device_id), "collection": collection, "text": text, "answer": answer}
        self._save(sync_states, ("tenant", "login", "device_id", "collection"), row)

    def remove_sync_states(self, identity: Identity, device_id: str, collection: str | None = None) -> None:
        of = _of(identity, device_id) if collection is None else {**_of(identity, device_id), "collection": collection}
        for table in (sync_states, client_ids):
            self._connection.execute(delete(table).where(*(table.c[name] == value for name, value in of.items())))

    def client_ids(self, identity: Identity, device_id: str, collection: str) -> Mapping[tuple[int, str], str]:
        rows = self._connection.execute(CLIENT_IDS, {**_of(identity, device_id), "collection": collection}).all()
        return {(row.number, row.client_id): row.record_id for row in rows}

    def save_client_id(self, identity: Identity, device_id: str, collection: str, number: int, client_id: str, record_id: str) -> None:
        row = {**_of(identity, device_id), "collection": collection, "number": number, "client_id": client_id, "record_id": record_id}
        self._save(client_ids, ("tenant", "login", "device_id", "collection", "number", "client_id"), row)

    def prune_client_ids(self, identity: Identity, device_id: str, collection: str, below: int) -> None:
        self._connection.execute(OLD_CLIENT_IDS, {**_of(identity, device_id), "collection": collection, "below": below})

    # ---------------------------------------------------------------- failures

    def failures(self, identity: Identity, device_id: str) -> Sequence[Failure]:
        return [_failure(row) for row in self._connection.execute(FAILURES, _of(identity, device_id)).all()]

    def save_failure(self, failure: Failure) -> None:
        of = _of(failure.identity, failure.device_id)
        row = {
            **of,
            "collection": failure.collection,
            "item": failure.item,
            "version": failure.version,
            "reason": failure.reason,
            "at": to_micros(failure.at),
            "count": failure.count,
        }
        self._save(failed, ("tenant", "login", "device_id", "collection", "item"), row)
        # Items of clients are named by clients: a broken one must not fill the database.
        kept = FAILURES.with_only_columns(failed.c.at).offset(MAX_FAILURES).limit(1)
        oldest = self._connection.execute(kept, of).scalar_one_or_none()
        if oldest is not None:
            self._connection.execute(delete(failed).where(*(failed.c[name] == value for name, value in of.items()), failed.c.at <= oldest))

    def clear_failure(self, identity: Identity, device_id: str, collection: str, item: str) -> None:
        of = {**_of(identity, device_id), "collection": collection, "item": item}
        self._connection.execute(delete(failed).where(*(failed.c[name] == value for name, value in of.items())))

    # --------------------------------------------------------------- fragments

    def fragments(self, tenant: str, flavour: str, record_ids: Iterable[str]) -> Mapping[str, tuple[int, bytes]]:
        flavour_id = self._connection.execute(FLAVOUR, {"tenant": tenant, "name": flavour}).scalar_one_or_none()
        if flavour_id is None:
            return {}
        return {
            row.record_id: (row.version, row.encoded)
            for ids in chunks(record_ids)
            for row in self._connection.execute(FRAGMENTS, {"flavour_id": flavour_id, "ids": ids}).all()
        }

    def save_fragments(self, tenant: str, flavour: str, rows: Iterable[tuple[str, int, bytes]]) -> None:
        flavour_id = self._flavour(tenant, flavour)
        # In one order, so that two transactions that save the same items never wait for each other in a circle.
        values = [
            {"flavour_id": flavour_id, "record_id": record_id, "version": version, "encoded": encoded}
            for record_id, version, encoded in sorted(rows)
        ]
        if flavour_id is not None and values:
            self._connection.execute(_keep(is_sqlite=self._is_sqlite), values)

    def _flavour(self, tenant: str, name: str) -> int | None:
        """The id of a flavour, which stays until commit; a new one takes the place of the tenant's oldest if there are too many.

        None if others push it out each time: it is encoded again when it is asked for again.
        """
        key = {"tenant": tenant, "name": name}
        query = FLAVOUR if self._is_sqlite else FLAVOUR.with_for_update(read=True, key_share=True)
        statement = insert(flavours, is_sqlite=self._is_sqlite).on_conflict_do_nothing(index_elements=["tenant", "name"])
        for _ in range(FLAVOUR_TRIES):
            known = self._connection.execute(query, key).scalar_one_or_none()
            if known is not None:
                return int(known)
            made = self._connection.execute(statement.returning(flavours.c.id), key).scalar_one_or_none()
            if made is not None:
                newest = select(flavours.c.id).where(flavours.c.tenant == tenant).order_by(flavours.c.id.desc()).limit(MAX_FLAVOURS)
                kept = self._connection.execute(newest).scalars().all()
                self._connection.execute(delete(flavours).where(flavours.c.tenant == tenant, flavours.c.id.not_in([made, *kept])))
                return int(made)
        return None
