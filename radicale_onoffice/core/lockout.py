"""The lock as a pure table: what an attempt at a door leads to (rules 87-92, U38-U42).

| door  | state                          | password | answer                     | then                          |
|-------|--------------------------------|----------|----------------------------|-------------------------------|
| sync  | locked                         | any      | refused, no hash computed  | nothing                       |
| sync  | open                           | wrong    | refused                    | count; lock at ``lock_after`` |
| sync  | open                           | right    | let in                     | forget the failures           |
| page  | within the cool-off            | any      | refused, no hash computed  | nothing                       |
| page  | open                           | wrong    | refused                    | count                         |

The sync lock opens by the user's button, by the administrator, or after ``lock_minutes`` (0 = never). The page is never locked, only
slowed down: a locked page could not unlock anything.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from radicale_onoffice.core.model import Attempts, Door
from radicale_onoffice.core.policy import Policy

COOL_OFF = timedelta(seconds=60)  # after lock_after wrong passwords on the page; doubles with each further one
COOL_OFF_MOST = timedelta(minutes=15)


def is_locked(attempts: Attempts, policy: Policy, now: datetime) -> bool:
    """True while the sync lock holds."""
    if attempts.locked_at is None:
        return False
    return policy.lock_minutes == 0 or now < attempts.locked_at + timedelta(minutes=policy.lock_minutes)


def has_expired(attempts: Attempts, policy: Policy, now: datetime) -> bool:
    """True if a lock is stored that no longer holds (U39)."""
    return attempts.locked_at is not None and not is_locked(attempts, policy, now)


def must_wait(attempts: Attempts, policy: Policy, now: datetime) -> bool:
    """True while the page refuses another try."""
    if attempts.failures < policy.lock_after or attempts.last_at is None:
        return False
    doublings = min(attempts.failures - policy.lock_after, 10)
    wait: timedelta = min(COOL_OFF * (1 << doublings), COOL_OFF_MOST)
    return now < attempts.last_at + wait


def is_closed(door: Door, attempts: Attempts, policy: Policy, now: datetime) -> bool:
    """True if a password must not even be looked at."""
    return is_locked(attempts, policy, now) if door is Door.SYNC else must_wait(attempts, policy, now)


def crosses(door: Door, attempts: Attempts, policy: Policy) -> bool:
    """True if the failure just counted locks the door."""
    return door is Door.SYNC and attempts.failures >= policy.lock_after and attempts.locked_at is None
