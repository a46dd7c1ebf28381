"""Asks an account what it has: users, groups, types, and which fields may be named. Two requests, once a day."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from radicale_onoffice.core.model import Kind, Tenant
from radicale_onoffice.crm.onoffice import account, contacts, fields, tasks
from radicale_onoffice.crm.onoffice.account import Account, Person
from radicale_onoffice.crm.onoffice.client import Client, error_of
from radicale_onoffice.crm.onoffice.codes import UNKNOWN_FIELD
from radicale_onoffice.crm.onoffice.protocol import MAX_ROWS, Action, Answer, Refusal, Row
from radicale_onoffice.crm.onoffice.tenants import Access

logger = logging.getLogger(__name__)

DEADLINE = 120.0  # seconds; the field configuration alone may take several
NO_USERS_DATA = 170  # the API user lacks the right to read users' data
NOT_CONFIGURED = frozenset(contacts.CONTACT_KEYS)  # special keys of the documentation, which are no fields


@dataclass(frozen=True, slots=True)
class _Asked:
    kind: Kind
    keys: tuple[str, ...]


def wanted_keys() -> tuple[_Asked, ...]:
    """The keys that reads name, of the kinds whose reads name any."""
    plain = Account(zone=ZoneInfo("UTC"))
    return (
        _Asked(Kind.CONTACTS, (*fields.asked_keys(contacts.FIELDS, Kind.CONTACTS, plain), contacts.STAMP)),
        _Asked(Kind.TASKS, (*fields.asked_keys(tasks.TABLE, Kind.TASKS, plain), tasks.STAMP)),
    )


def survey(client: Client, access: Access, tenant: Tenant, deadline: float | None = DEADLINE) -> Account:
    """What the account has; ``deadline`` in seconds for each call, None: as long as the client thinks right for a device that waits.

    Raises UpstreamDown, RefusedByOnOffice.
    """
    first = [account.ask_fields(), account.ask_groups(), account.ask_types(access.language)]
    configuration, groups, types = (
        _demanded(one, result) for one, result in zip(first, client.read(first, deadline=deadline), strict=True)
    )
    people, tells_states = _people(client, deadline)
    return Account(
        zone=ZoneInfo(tenant.timezone),
        region=tenant.region,
        people=people,
        tells_states=tells_states,
        closed_states=access.closed,
        groups=account.groups(groups.rows),
        dropped={asked.kind: _dropped(client, asked, configuration, deadline) for asked in wanted_keys()},
        appointment_types=account.appointment_types(types.rows),
        task_type=access.task_type,
        task_private_writable=access.task_private_writable,
        one_entry_a_call=access.one_entry_a_call,
    )


def _demanded(action: Action, result: Answer | Refusal) -> Answer:
    if isinstance(result, Refusal):
        raise error_of(action, result, 0)
    return result


def _dropped(client: Client, asked: _Asked, configuration: Answer, deadline: float | None) -> frozenset[str]:
    """Keys that the account does not know: those that stand in no configuration are tried, because some are known all the same."""
    configured = account.configured(configuration, asked.kind)
    doubtful = [key for key in asked.keys if key not in configured and key not in NOT_CONFIGURED]
    tried = client.read([account.try_key(asked.kind, key) for key in doubtful], deadline=deadline)
    return account.dropped_keys(asked.kind, list(zip(doubtful, tried, strict=True)))


def _people(client: Client, deadline: float | None) -> tuple[tuple[Person, ...], bool]:
    """All users, and whether their states are told; without the right to read users' data the short list, which has the names, too."""
    found: list[Row] = []
    with_state = True
    while True:
        asked = account.ask_people(len(found), with_state=with_state)
        (page,) = client.call([asked], deadline=deadline)
        if isinstance(page, Refusal) and page.code == NO_USERS_DATA:
            logger.warning("the API user may not read users' data (code 170); their short names and who is locked stay unknown")
            return account.people(client.ask(account.ask_short_people(), deadline=deadline).rows), False
        if isinstance(page, Refusal) and page.code in UNKNOWN_FIELD and with_state:
            logger.warning("this account of onOffice does not tell who is locked, or in which language: %s", page)
            with_state = False
            continue
        rows = _demanded(asked, page).rows
        found += rows
        if len(rows) < MAX_ROWS:
            return account.people(found), with_state and bool(found)
