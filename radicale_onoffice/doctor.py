"""``radicale-onoffice check``: what an administrator at two in the morning wants to know, each with what to do about it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import make_url

from radicale_onoffice import doctor_onoffice, options, signing
from radicale_onoffice.auth import load_backend
from radicale_onoffice.configuration import ConfigurationError, load_configuration
from radicale_onoffice.core import rights
from radicale_onoffice.core.errors import Unavailable
from radicale_onoffice.core.model import Door, Kind
from radicale_onoffice.core.ports import Transaction
from radicale_onoffice.findings import BAD, GOOD, NOTE, Finding
from radicale_onoffice.stores.sql import SqlStore, open_store

BUILT = datetime(2026, 11, 1, tzinfo=UTC)  # no clock can be right that is before this program


def findings(paths: str, *, deep: bool) -> Iterator[Finding]:
    """All findings about a configuration file; what depends on a failed one is left out."""
    try:
        configuration = load_configuration(paths)
        policy = options.policy_from(configuration)
    except ConfigurationError as error:
        yield Finding("configuration", BAD, str(error), "Mend the file; `radicale-onoffice options` lists every option.")
        return
    yield Finding("configuration", GOOD, f"{paths}; Radicale {version('radicale')}")
    yield from _files(paths, configuration.get("storage", "onoffice_database"))
    yield _clock()
    yield _backend(configuration)
    yield from signing.findings(configuration, datetime.now(UTC))
    try:
        store = open_store(configuration.get("storage", "onoffice_database"))
    except ValueError as error:
        yield Finding("database", BAD, str(error), "Mend onoffice_database in [storage].")
        return
    try:
        yield from _database(store, configuration, deep=deep)
        if store.schema_is_current() and configuration.get("storage", "onoffice_crm") is options.CrmType.ONOFFICE:
            yield from doctor_onoffice.findings(store, configuration.get("storage", "onoffice_poll_seconds"))
    except Unavailable as error:
        yield Finding("database", BAD, str(error), "Start the database, or mend onoffice_database in [storage].")
    finally:
        store.close()
    yield Finding(
        "limits", GOOD, f"{policy.max_appointments} appointments, {policy.max_tasks} tasks, lock after {policy.lock_after} wrong passwords"
    )


def _files(paths: str, url: str) -> Iterator[Finding]:
    parsed = make_url(url)
    files = [Path(path.removeprefix("?")).expanduser() for path in paths.split(":")]
    if parsed.password:
        for path in files:
            if path.is_file() and path.stat().st_mode & stat.S_IROTH:
                yield Finding("permissions", BAD, f"{path} holds a password and everybody may read it.", f"chmod 640 {path}")
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        database = Path(parsed.database)
        if database.exists() and database.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Finding("permissions", BAD, f"{database} is open to other users of this machine.", f"chmod 600 {database}*")
        elif database.exists():
            yield Finding("permissions", GOOD, f"{database} is its owner's alone")


def _clock() -> Finding:
    now = datetime.now(UTC)
    if now < BUILT:
        return Finding("clock", BAD, f"The clock says {now.isoformat(timespec='seconds')}.", "Set the clock; windows and locks go by it.")
    return Finding("clock", GOOD, now.isoformat(timespec="seconds"))


def _backend(configuration) -> Finding:
    name = configuration.get("auth", "onoffice_password_backend")
    if name == "local":
        return Finding("passwords", GOOD, "kept here, argon2id")
    try:
        load_backend(name, configuration)
    except (ImportError, RuntimeError, ValueError) as error:
        return Finding(
            "passwords", BAD, f"The backend {name} cannot be used: {error}", "Mend onoffice_password_backend and its options in [auth]."
        )
    return Finding("passwords", GOOD, f"checked by Radicale's {name}")


def _database(store: SqlStore, configuration, *, deep: bool) -> Iterator[Finding]:
    if not store.schema_is_current():
        if not configuration.get("storage", "onoffice_migrate"):
            yield Finding("schema", BAD, "Migrations are outstanding.", "Set onoffice_migrate = True, or run `radicale-onoffice migrate`.")
            return
        store.migrate()
    yield Finding("schema", GOOD, "current")
    with store.reading() as tx:
        yield from _people(tx, configuration.get("storage", "onoffice_tenant"))
        yield _lock(tx)
        yield _maintenance(tx)
    problems = store.verify(deep=deep)
    yield from (Finding("records", BAD, problem, "Restore from a backup, or report it with this line.") for problem in problems)
    if not problems:
        yield Finding(
            "records",
            GOOD,
            "every record, history line and feed agrees" if deep else "the database file is sound; --deep reads every record",
        )


def _people(tx: Transaction, default: str) -> Iterator[Finding]:
    tenants = tx.tenants()
    if default not in [tenant.name for tenant in tenants]:
        yield Finding("tenants", BAD, f"The default tenant {default!r} does not exist.", f"radicale-onoffice tenant add {default}")
    for tenant in tenants:
        try:
            ZoneInfo(tenant.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            yield Finding(
                "zone", BAD, f"{tenant.timezone!r} of {tenant.name} is no time zone here.", "`tenant set --timezone`, or install tzdata."
            )
        users = tx.users(tenant.name)
        if not users:
            yield Finding("users", NOTE, f"{tenant.name} has no users.", "radicale-onoffice user add LOGIN")
        for user in users:
            closed = {kind: rights.closed_gates(tenant, user, kind) for kind in Kind}
            if all(closed.values()):
                yield Finding(
                    "gates",
                    NOTE,
                    f"{user.identity.user} of {tenant.name} can synchronise nothing: {rights.REASONS[closed[Kind.CONTACTS][0]]}.",
                )
    if tenants:
        yield Finding("users", GOOD, f"{sum(len(tx.users(tenant.name)) for tenant in tenants)} in {len(tenants)} tenants")


def _lock(tx: Transaction) -> Finding:
    locked = [f"{identity.user}@{identity.tenant}" for tenant in tx.tenants() for identity, _ in tx.locked(tenant.name, Door.SYNC)]
    if not locked:
        return Finding("lock", GOOD, "nobody is locked")
    return Finding("lock", NOTE, f"locked: {', '.join(locked)}", "Correct the passwords on the devices, then `user unlock LOGIN`.")


def _maintenance(tx: Transaction) -> Finding:
    if tx.setting("maintenance"):
        return Finding("maintenance", NOTE, "on: clients get 503", "radicale-onoffice maintenance off")
    return Finding("maintenance", GOOD, "off")
