"""Whether an account is the one that a tenant's records came from.

Numbers of records mean another record in another customer's onOffice: what is written there by them would spoil it, and everything here would
be dropped as vanished. The API tells no name of the customer. So a tenant remembers its token (a digest of it) and its users; with another
token at least half of the users have to be the same, by number and login.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from radicale_onoffice.core.errors import UpstreamDown
from radicale_onoffice.core.ports import Store, Transaction
from radicale_onoffice.crm.onoffice.account import Account

RETRY_AFTER = 300  # seconds; an administrator has to decide


class AnotherAccount(UpstreamDown):
    """Token and secret are another customer's; nothing is read or written with them."""

    def __init__(self, tenant: str, users: int, known: int):
        super().__init__(
            f"This is another onOffice account than {tenant}'s records came from: {known} of its {users} users are known. "
            f"Connect the right one, or say `tenant connect {tenant} --start-anew`, which takes the old account's records off all devices.",
            RETRY_AFTER,
        )


def _key(tenant: str) -> str:
    return f"onoffice.identity:{tenant}"


def forget(tx: Transaction, tenant: str) -> None:
    """Whatever account comes next is the tenant's."""
    tx.save_setting(_key(tenant), None)


def demand_same(store: Store, tenant: str, token: str, account: Account) -> None:
    """Raise AnotherAccount if it is; else remember it. ``token`` is ``Client.token_digest()``."""
    users = {person.id: person.name for person in account.people}
    with store.reading() as tx:
        text = tx.setting(_key(tenant))
    kept: dict[str, Any] = json.loads(text) if text is not None else {"token": token, "users": users}
    known: dict[str, str] = kept["users"]
    if kept["token"] != token and not is_same(known, users):
        raise AnotherAccount(tenant, len(users), len(known.items() & users.items()))
    told = json.dumps({"token": token, "users": users or known}, sort_keys=True)
    if told != text:
        with store.writing() as tx:
            tx.save_setting(_key(tenant), told)


def is_same(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """True if half of the users are the same, or if there are none to compare: only evidence counts."""
    return not before or not now or 2 * len(before.items() & now.items()) >= min(len(before), len(now))
