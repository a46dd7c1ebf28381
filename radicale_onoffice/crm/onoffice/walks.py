"""Walking through all records of a kind, page by page, in as few requests as 500 rows an answer allow.

Addresses have pages. Tasks have neither pages nor an order: ranges of their number take the place, and the links of one range ride along
with the next. Appointments are asked for by periods, whose length follows from how many there were in the last one; series that began
before the walk's first day are asked for apart, because an account may look for a series only where it begins.

A place is a text from which a walk can be taken up again: an offset, a number, a day.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from radicale_onoffice.core.model import Kind
from radicale_onoffice.crm.onoffice import appointments, contacts, fields, rows, tasks
from radicale_onoffice.crm.onoffice.account import Account
from radicale_onoffice.crm.onoffice.client import Client
from radicale_onoffice.crm.onoffice.protocol import MAX_ROWS, Action, Answer
from radicale_onoffice.crm.onoffice.protocol import Row as Record

logger = logging.getLogger(__name__)

DEADLINE = 120.0  # seconds for one page; nobody waits for it
FIRST_PERIOD = timedelta(days=31)
LONGEST_PERIOD = timedelta(days=366)
SERIES_YEARS = 10  # how far back a series may have begun
AIMED_ROWS = 400  # of a period: near the most, and yet seldom above it


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Records with their links, and the place after them ("" = that was the end)."""

    records: Sequence[Record]
    place: str


def ask(client: Client, actions: Sequence[Action]) -> list[Answer]:
    """The answers to one request. Raises the core's errors for a refusal."""
    return rows.demanded(actions, client.call(actions, deadline=DEADLINE))


# ------------------------------------------------------------------- contacts


def ask_flags(account: Account) -> Action:
    """Which addresses each user has flagged: one action for all users."""
    return fields.ask_links(contacts.SYNC, children=[person.id for person in account.people])


def flags_by_address(flags: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Address id → ids of the users who flagged it."""
    found: dict[str, list[str]] = {}
    for user_id, addresses in flags.items():
        for address in addresses:
            found.setdefault(address, []).append(user_id)
    return {address: tuple(users) for address, users in found.items()}


def flagged(records: Sequence[Record], by_address: Mapping[str, tuple[str, ...]]) -> list[Record]:
    """The addresses with the users who flagged them among their elements."""
    return [record._replace(elements={**record.elements, contacts.SYNC: by_address.get(record.id, ())}) for record in records]


def walk_contacts(client: Client, account: Account, place: str = "") -> Iterator[Page]:
    """All addresses by number; the flags come with the first page."""
    offset, by_address = int(place or 0), dict[str, tuple[str, ...]]()
    first = True
    while True:
        answers = ask(client, [contacts.read_page(account, offset), *([ask_flags(account)] if first and account.people else [])])
        if len(answers) > 1:
            by_address = flags_by_address(fields.links_in(answers[1]))
        first, found = False, answers[0].rows
        offset += len(found)
        is_last = len(found) < MAX_ROWS or (answers[0].total is not None and offset >= answers[0].total)
        yield Page(records=flagged(found, by_address), place="" if is_last else str(offset))
        if is_last:
            return


# ---------------------------------------------------------------------- tasks


def walk_tasks(client: Client, account: Account, place: str = "", since: str = "") -> Iterator[Page]:
    """All tasks by number, or those changed since a date; each request asks for a range, whether any lie beyond, and the last range's links."""
    first, width = int(place or 1), MAX_ROWS
    waiting: Sequence[Record] = ()
    while True:
        last = first + width - 1
        links = rows.ask_all_links(Kind.TASKS, [record.id for record in waiting]) if waiting else []
        beyond = tasks.read_beyond(last, since=since)
        found, more, *linked = ask(client, [tasks.read_range(first, last, account, since=since), beyond, *links])
        if waiting:
            yield Page(records=rows.with_links(Kind.TASKS, waiting, linked), place=str(first))
        if len(found.rows) >= MAX_ROWS and width > MAX_ROWS:
            waiting, width = (), max(MAX_ROWS, width // 4)  # numbers are denser here: the range was cut off
            continue
        waiting, first = found.rows, last + 1
        width = min(width * 4, 10**9) if len(found.rows) * 4 < MAX_ROWS else width
        if not more.rows:
            break
    links = rows.ask_all_links(Kind.TASKS, [record.id for record in waiting]) if waiting else []
    yield Page(records=rows.with_links(Kind.TASKS, waiting, ask(client, links)) if waiting else (), place="")


# --------------------------------------------------------------- appointments


def walk_appointments(client: Client, first: date, last: date, place: str = "") -> Iterator[Page]:
    """All appointments of a period of days, and the series that began before it; one that lies in several pages comes once."""
    seen: set[str] = set()
    start = date.fromisoformat(place) if place else first
    if not place:
        yield from _periods(client, first - timedelta(days=366 * SERIES_YEARS), first - timedelta(days=1), first, seen, only_series=True)
    yield from _periods(client, start, last, None, seen, only_series=False)


def _periods(client: Client, start: date, last: date, then: date | None, seen: set[str], *, only_series: bool) -> Iterator[Page]:
    """Pages of a stretch of days; ``then`` is where the walk goes on, None at its end."""
    length = last - start if only_series else FIRST_PERIOD
    while start <= last:
        end = min(last, start + length)
        (answer,) = ask(client, [appointments.read_window(start, end, only_series=only_series)])
        if len(answer.rows) >= MAX_ROWS and end > start:
            length = (end - start) // 2
            continue
        if len(answer.rows) >= MAX_ROWS:
            logger.error("onOffice has more than %d appointments on %s; the others cannot be read", MAX_ROWS, start)
        fresh = [row for row in answer.rows if row.id not in seen]
        seen.update(row.id for row in fresh)
        length = max(timedelta(days=1), min(LONGEST_PERIOD, (end - start) * AIMED_ROWS // max(1, len(answer.rows))))
        start = end + timedelta(days=1)
        following = start if start <= last else then
        yield Page(records=fresh, place=following.isoformat() if following else "")
