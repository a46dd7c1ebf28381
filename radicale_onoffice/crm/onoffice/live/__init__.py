"""``check --live``: what onOffice's documentation leaves open, asked of a real account, and only by reading.

Each question is a function from a ``Look`` to what was ``Seen``. Some points no reading call can tell; they say how an administrator sees it by
hand, and where that helps the account is remembered, so that the next run tells what a change made in onOffice's pages came to. Shown are
ids, names of fields, shapes and counts; values with their digits hidden, no name of anybody, and neither token nor secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime

from radicale_onoffice.core.ports import Store
from radicale_onoffice.crm.onoffice.account import Account
from radicale_onoffice.crm.onoffice.client import Client
from radicale_onoffice.crm.onoffice.live import addresses, calendar, envelope, people, tasks
from radicale_onoffice.crm.onoffice.live.asking import Look, Seen

NAME = "live"  # of what is remembered in the store
QUESTIONS: tuple[Callable[[Look], Iterator[Seen]], ...] = (
    addresses.entries,
    envelope.failures,
    addresses.stamp_zone,
    tasks.stamps,
    addresses.raises_stamp,
    calendar.participants,
    calendar.series,
    calendar.changes,
    calendar.deleted,
    calendar.newer_list,
    tasks.people,
    tasks.comment_and_privacy,
    people.states,
    calendar.private,
    people.log,
    envelope.how_many,
    addresses.notation,
)


def questions(client: Client, account: Account, store: Store, tenant: str, now: datetime) -> Iterator[Seen]:
    """All questions to a tenant's account, by their points; what has to be compared with the next run is remembered. Raises UpstreamDown."""
    with store.reading() as tx:
        before = json.loads(tx.mirror_state(tenant, NAME) or "{}")
    look = Look(client=client, account=account, store=store, tenant=tenant, now=now, before=before)
    for question in QUESTIONS:
        yield from question(look)
    with store.writing() as tx:
        tx.save_mirror_state(tenant, NAME, json.dumps({**before, **look.after}, sort_keys=True))
