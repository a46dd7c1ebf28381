"""Walking through all records of a kind, page by page, in as few requests as 500 rows an answer allow.

Several pages go in one request, and their answers become pages of their own again. Addresses have pages. Tasks have neither pages nor an
order: ranges of their number take the place, and the links of what was found ride along with the next request. Appointments are asked for by
periods, whose length follows from how many there were in the last ones; series that began before the walk's first day are asked for apart,
because an account may look for a series only where it begins.

A place is a text from which a walk can be taken up again: an offset, a number, a day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from radicale_onoffice.core.model import Kind
from radicale_onoffice.crm.onoffice import appointments, contacts, fields, rows, tasks
from radicale_onoffice.crm.onoffice.account import Account
from radicale_onoffice.crm.onoffice.client import Client
from radicale_onoffice.crm.onoffice.protocol import MAX_ROWS, Action, Answer
from radicale_onoffice.crm.onoffice.protocol import Row as Record

logger = logging.getLogger(__name__)

DEADLINE = 120.0  # seconds for one request; nobody waits for it
PAGES = 3  # asked for in one request: it takes onOffice as long, and spares the way there and back
FIRST_PERIOD = timedelta(days=31)
LONGEST_PERIOD = timedelta(days=366)
SERIES_YEARS = 10  # how far back a series may have begun
AIMED_ROWS = 250  # of a period: several go in a request, and one that is full has to be asked for again


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Records with their links, the place after them ("" = that was the end), and the mark from before they were asked for."""

    records: Sequence[Record]
    place: str
    since: int


def ask(client: Client, actions: Sequence[Action]) -> list[Answer]:
    """The answers to one request. Raises the core's errors for a refusal."""
    return rows.demanded(actions, client.call(actions, deadline=DEADLINE))


class Asking:
    """Asks onOffice, and notes a mark of ours right before: what is newer here than the mark is newer than the answer."""

    def __init__(self, client: Client, mark: Callable[[], int]):
        self._client, self._mark = client, mark

    def __call__(self, actions: Sequence[Action]) -> tuple[int, list[Answer]]:
        """The mark, and the answers to one request. Raises the core's errors for a refusal."""
        since = self._mark()
        return since, ask(self._client, actions)


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


def walk_contacts(asking: Asking, account: Account, place: str = "") -> Iterator[Page]:
    """All addresses by number; the flags come with the first request."""
    offset, by_address = int(place or 0), dict[str, tuple[str, ...]]()
    flags = [ask_flags(account)] if account.people else []
    while True:
        since, answers = asking([*flags, *(contacts.read_page(account, offset + MAX_ROWS * page) for page in range(PAGES))])
        if flags:
            by_address, flags = flags_by_address(fields.links_in(answers.pop(0))), []
        for answer in answers:
            offset += len(answer.rows)
            is_last = len(answer.rows) < MAX_ROWS
            yield Page(records=flagged(answer.rows, by_address), place="" if is_last else str(offset), since=since)
            if is_last:
                return


# ---------------------------------------------------------------------- tasks


def walk_tasks(asking: Asking, account: Account, place: str = "", since: str = "") -> Iterator[Page]:
    """All tasks by number, or those changed since a date; a request asks for some ranges, whether any lie beyond, and the links so far due."""
    first, width, is_last = int(place or 1), MAX_ROWS, False
    due: list[Record] = []
    since_due = 0
    while True:
        starts = [] if is_last else [first + width * page for page in range(PAGES)]
        ranges = [tasks.read_range(start, start + width - 1, account, since=since) for start in starts]
        beyond = [tasks.read_beyond(starts[-1] + width - 1, since=since)] if starts else []
        chunks = [due[start : start + MAX_ROWS] for start in range(0, len(due), MAX_ROWS)]
        links = [action for chunk in chunks for action in rows.ask_all_links(Kind.TASKS, [record.id for record in chunk])]
        mark, answers = asking([*ranges, *beyond, *links]) if starts or links else (since_due, [])
        linked = answers[len(ranges) + len(beyond) :]
        of_each = len(rows.LINKS[Kind.TASKS])
        for number, chunk in enumerate(chunks):
            records = rows.with_links(Kind.TASKS, chunk, linked[number * of_each : (number + 1) * of_each])
            yield Page(records=records, place="" if is_last and chunk is chunks[-1] else str(first), since=since_due)
        if is_last:
            break
        full = [len(answer.rows) >= MAX_ROWS and width > MAX_ROWS for answer in answers[: len(ranges)]]
        cut = full.index(True) if True in full else len(ranges)  # where numbers are denser than they were: not all came
        due, since_due = [record for answer in answers[:cut] for record in answer.rows], mark
        first = first + width * cut
        is_last = cut == len(ranges) and not answers[len(ranges)].rows
        if cut < len(ranges):
            width = max(MAX_ROWS, width // 4)
        elif len(due) * 4 < MAX_ROWS * PAGES:
            width = min(width * 4, 10**9)
    if not chunks:
        yield Page(records=(), place="", since=since_due)


# --------------------------------------------------------------- appointments


SERIES = "series"  # the place of a walk that has not left the older series yet
Period = tuple[date, date]


def walk_appointments(asking: Asking, first: date, last: date, place: str = "") -> Iterator[Page]:
    """All appointments of a period of days, and the series that began before it; one that lies in several pages comes once."""
    seen: set[str] = set()
    start = first
    if place in ("", SERIES):
        before = first - timedelta(days=1)
        for page in _periods(asking, before - timedelta(days=366 * SERIES_YEARS), before, seen, only_series=True):
            yield replace(page, place=first.isoformat() if page.place == "" else SERIES)
    else:
        start = date.fromisoformat(place)
    yield from _periods(asking, start, last, seen, only_series=False)


def _periods(asking: Asking, start: date, last: date, seen: set[str], *, only_series: bool) -> Iterator[Page]:
    """Pages of a stretch of days, in order."""
    length = (last - start) // PAGES if only_series else FIRST_PERIOD
    due: list[Period] = []
    while due or start <= last:
        while len(due) < PAGES and start <= last:
            due.append((start, min(last, start + length)))
            start = due[-1][1] + timedelta(days=1)
        asked, due = due[:PAGES], due[PAGES:]
        since, answers = asking([appointments.read_window(*period, only_series=only_series) for period in asked])
        halves: list[Period] = []
        for number, (period, answer) in enumerate(zip(asked, answers, strict=True)):
            if len(answer.rows) >= MAX_ROWS and period[0] < period[1]:
                middle = period[0] + (period[1] - period[0]) // 2
                halves += [(period[0], middle), (middle + timedelta(days=1), period[1])]
                continue
            if len(answer.rows) >= MAX_ROWS:
                logger.error("onOffice has more than %d appointments on %s; the others cannot be read", MAX_ROWS, period[0])
            fresh = [row for row in answer.rows if row.id not in seen]
            seen.update(row.id for row in fresh)
            later = [one for one, _ in (*halves, *asked[number + 1 :], *due)] + ([start] if start <= last else [])
            yield Page(records=fresh, place=min(later).isoformat() if later else "", since=since)
        due = [*halves, *due]
        length = _length(asked, answers)


def _length(asked: Sequence[Period], answers: Sequence[Answer]) -> timedelta:
    """How long the next periods are to be, by how crowded the last ones were."""
    days = sum((last - first).days + 1 for first, last in asked)
    found = sum(len(answer.rows) for answer in answers)
    return timedelta(days=min(LONGEST_PERIOD.days, max(0, days * AIMED_ROWS // max(1, found) - 1)))
