"""The lock as a pure table: what an attempt at a door leads to (rules 87-92, U38-U42).

| door  | state                          | password | answer                     | then                          |
|-------|--------------------------------|----------|----------------------------|-------------------------------|
| sync  | locked                         | any      | refused, no hash computed  | nothing                       |
| sync  | open                           | wrong    | refused                    | count; lock at ``lock_after`` |
| sync  | open                           | right    | let in                     | forget the failures           |
| page  | within a cool-off              | any      | refused, no hash computed  | nothing                       |
| page  | open                           | wrong    | refused                    | count                         |

The sync lock opens by the user's button, by the administrator, or after ``lock_minutes`` (0 = never). The page is never locked, only
slowed down: a locked page could not unlock anything. After ``lock_after`` wrong passwords from one place only that place cools off, so that
a stranger keeps nobody else out; after ``PAGE_MOST`` from anywhere all do. The administrator opens the page, too.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

from radicale_onoffice.core.audit import printable
from radicale_onoffice.core.model import Attempts, Door
from radicale_onoffice.core.policy import Policy

COOL_OFF = timedelta(seconds=60)  # after lock_after wrong passwords on the page; doubles with each further one
PAGE_MOST = 100  # wrong passwords for one login in a row, from wherever (NIST SP 800-63B 5.2.2)
MAX_PLACE = 64  # characters
COOL_OFF_MOST = timedelta(minutes=15)


def is_locked(attempts: Attempts, policy: Policy, now: datetime) -> bool:
    """True while the sync lock holds."""
    if attempts.locked_at is None:
        return False
    return policy.lock_minutes == 0 or now < attempts.locked_at + timedelta(minutes=policy.lock_minutes)


def holds_after(policy: Policy, now: datetime) -> datetime:
    """The locks that hold now are those that were set after this moment (U39)."""
    return now - timedelta(minutes=policy.lock_minutes) if policy.lock_minutes else datetime(1970, 1, 1, tzinfo=UTC)


def has_expired(attempts: Attempts, policy: Policy, now: datetime) -> bool:
    """True if a lock is stored that no longer holds (U39)."""
    return attempts.locked_at is not None and not is_locked(attempts, policy, now)


def place_of(address: str) -> str:
    """Where tries are counted together: an IPv4 address, or the 64 bits of an IPv6 address that one subscriber has (RFC 6177)."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return printable(address, MAX_PLACE) or "?"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.IPv6Network((int(found), 64), strict=False))


def must_wait(attempts: Attempts, limit: int, now: datetime) -> bool:
    """True during the cool-off that begins with ``limit`` failures."""
    if attempts.failures < limit or attempts.last_at is None:
        return False
    doublings = min(attempts.failures - limit, 10)
    wait: timedelta = min(COOL_OFF * (1 << doublings), COOL_OFF_MOST)
    return now < attempts.last_at + wait


def is_closed(door: Door, attempts: Attempts, here: Attempts, policy: Policy, now: datetime) -> bool:
    """True if a password must not even be looked at; ``here`` are those of the attempts that came from the same place."""
    if door is Door.SYNC:
        return is_locked(attempts, policy, now)
    return must_wait(here, policy.lock_after, now) or must_wait(attempts, max(PAGE_MOST, policy.lock_after), now)


def crosses(door: Door, attempts: Attempts, policy: Policy) -> bool:
    """True if the failure just counted locks the door."""
    return door is Door.SYNC and attempts.failures >= policy.lock_after and attempts.locked_at is None
