"""Walking through all records of a kind, page by page, in as few requests as 500 rows an answer allow.

Several pages go in one request, and their answers become pages of their own again. The fewest reads that 500 rows an answer allow:

============  ====================================================================================================
addresses     pages; how many there are is told with the first
tasks         neither pages nor an order nor a count: ranges of 500 numbers, and an open one behind them, which is
              the end if it is not full. Links of what was found ride along with the next request
appointments  no pages, but a count: the whole period is asked for, then what starts where the last answer ended
============  ====================================================================================================

That an answer has its rows in the order of their starts is not documented. So it is proven each time: of the rows of an answer, those before
the place where the next one begins must be as many as the count fell by. Where it cannot be proven (no count, no order, a series that comes
once for each of its days), periods of days take the place; their length follows from how many there were in the last ones, a full one is
halved, and a full day is cut by the time of day. Series that began before the walk's first day are asked for apart, unless the answers show
some: an account may look for a series only where it begins.

A place is a text from which a walk can be taken up again: an offset, a number, a day, a moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

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


def ask_flags(account: Account) -> list[Action]:
    """Which addresses each user has flagged: an action for as many users as one takes (more is code 302)."""
    ids = [person.id for person in account.people]
    return [fields.ask_links(contacts.SYNC, children=ids[start : start + MAX_ROWS]) for start in range(0, len(ids), MAX_ROWS)]


def flags_by_address(answers: Iterable[Answer]) -> dict[str, tuple[str, ...]]:
    """Address id → ids of the users who flagged it, from the answers to ``ask_flags``."""
    found: dict[str, list[str]] = {}
    for answer in answers:
        for user_id, addresses in fields.links_in(answer).items():
            for address in addresses:
                found.setdefault(address, []).append(user_id)
    return {address: tuple(users) for address, users in found.items()}


def flagged(records: Sequence[Record], by_address: Mapping[str, tuple[str, ...]]) -> list[Record]:
    """The addresses with the users who flagged them among their elements."""
    return [record._replace(elements={**record.elements, contacts.SYNC: by_address.get(record.id, ())}) for record in records]


def walk_contacts(asking: Asking, account: Account, place: str = "") -> Iterator[Page]:
    """All addresses by number; the flags come with the first request."""
    offset, total, by_address = int(place or 0), None, dict[str, tuple[str, ...]]()
    flags = ask_flags(account)
    while True:
        left = PAGES if total is None else min(PAGES, -(-(total - offset) // MAX_ROWS))
        since, answers = asking([*flags, *(contacts.read_page(account, offset + MAX_ROWS * page) for page in range(left))])
        if flags:
            by_address, answers, flags = flags_by_address(answers[: len(flags)]), answers[len(flags) :], []
        for answer in answers:
            offset, total = offset + len(answer.rows), _count(answer)
            is_last = len(answer.rows) < MAX_ROWS or (total is not None and offset >= total)
            yield Page(records=flagged(answer.rows, by_address), place="" if is_last else str(offset), since=since)
            if is_last:
                return


def _count(answer: Answer) -> int | None:
    """How many there are in all, if the answer tells more than how many rows it has."""
    return answer.total if answer.total is not None and answer.total > len(answer.rows) else None


# ---------------------------------------------------------------------- tasks


def walk_tasks(asking: Asking, account: Account, place: str = "", since: str = "") -> Iterator[Page]:
    """All tasks by number, or those changed since a date; a request asks for some ranges, for all behind them, and the links so far due."""
    first, width, is_last = int(place or 1), MAX_ROWS, False
    count, due, since_due = 1, list[Record](), 0  # whether there is a second range at all, the first request tells
    while True:
        starts = [] if is_last else [first + width * page for page in range(count)]
        ranges = [tasks.read_range(start, start + width - 1, account, since=since) for start in starts]
        behind = [tasks.read_range(starts[-1] + width, tasks.LAST_NUMBER, account, since=since)] if starts else []
        chunks = [due[start : start + MAX_ROWS] for start in range(0, len(due), MAX_ROWS)]
        links = [action for chunk in chunks for action in rows.ask_all_links(Kind.TASKS, [record.id for record in chunk])]
        mark, answers = asking([*ranges, *behind, *links]) if starts or links else (since_due, [])
        linked = answers[len(ranges) + len(behind) :]
        of_each = len(rows.LINKS[Kind.TASKS])
        for number, chunk in enumerate(chunks):
            records = rows.with_links(Kind.TASKS, chunk, linked[number * of_each : (number + 1) * of_each])
            yield Page(records=records, place="" if is_last and chunk is chunks[-1] else str(first), since=since_due)
        if is_last:
            break
        full = [len(answer.rows) >= MAX_ROWS and width > MAX_ROWS for answer in answers[: len(ranges)]]
        cut = full.index(True) if True in full else len(ranges)  # where numbers are denser than they were: not all came
        is_last = cut == len(ranges) and len(answers[len(ranges)].rows) < MAX_ROWS
        due, since_due = [record for answer in answers[: cut + is_last] for record in answer.rows], mark
        first = first + width * cut
        width = _width(width, len(due), cut, count)
        count = PAGES
    if not chunks:
        yield Page(records=(), place="", since=since_due)


def _width(width: int, found: int, cut: int, count: int) -> int:
    """How many numbers the next ranges are to have: fewer after one that was full, more where there are gaps."""
    if cut < count:
        return max(MAX_ROWS, width // 4)
    return min(width * 4, tasks.LAST_NUMBER) if found * 4 < MAX_ROWS * count else width


# --------------------------------------------------------------- appointments


SERIES = "series"  # the place of a walk that has only the older series left
NOWHERE = "start"  # the place of a walk of which nothing is certain yet
MOMENT = len("2026-03-15 09:00:00")
LONG_AGO = datetime.combine(date(1900, 1, 1), time())  # nothing begins before
Period = tuple[date, date]


def walk_appointments(asking: Asking, first: date, last: date, place: str = "") -> Iterator[Page]:
    """All appointments of a period of days, and the series that began before it; one that lies in several pages comes once."""
    return _Calendar(asking, first, last).pages(place)


@dataclass(frozen=True, slots=True)
class _Unproven:
    """A full answer in order: where it began, how many rows there are from there on, how many of them came before its last start."""

    start: str
    total: int
    before: int


class _Calendar:
    """One walk through the appointments of a period."""

    def __init__(self, asking: Asking, first: date, last: date):
        self._asking, self._first, self._last = asking, first, last
        self._seen: set[str] = set()
        self._shows_older_series = False

    def pages(self, place: str) -> Iterator[Page]:
        """What is left behind a place, in pages."""
        if place != SERIES:
            rest: str | None = place
            if place in ("", NOWHERE) or len(place) == MOMENT:
                rest = yield from self._in_order(place if len(place) == MOMENT else "")
            if rest is not None:
                yield from self._in_periods(date.fromisoformat(rest[:10]) if rest else self._first, self._last)
        if not self._shows_older_series:
            before = self._first - timedelta(days=1)
            yield from self._in_periods(before - timedelta(days=366 * SERIES_YEARS), before, only_series=True)

    def _page(self, answer: Answer, since: int, place: str) -> Page:
        fresh = list({row.id: row for row in answer.rows if row.id not in self._seen}.values())
        self._seen.update(row.id for row in fresh)
        return Page(records=fresh, place=place, since=since)

    @property
    def _end(self) -> str:
        """The place after the period's last page."""
        return "" if self._shows_older_series else SERIES

    def _ask(self, actions: Sequence[Action]) -> tuple[int, list[Answer]]:
        since, answers = self._asking(actions)
        older = (appointments.began_before(row, self._first) for answer in answers for row in answer.rows)
        self._shows_older_series = self._shows_older_series or any(older)
        return since, answers

    # ------------------------------------------------------------ by their start

    def _in_order(self, start: str) -> Generator[Page, None, str | None]:
        """Pages in the order of their starts; None if that was all, else from where on it could not be proven."""
        unproven, is_again, counts = None, False, False
        while True:
            since, (answer,) = self._ask([appointments.read_window(self._from(start), self._last, since=start)])
            starts = [appointments.start_of(row) for row in answer.rows]
            counts = counts or _count(answer) is not None
            # One that counts the rows of its answers, or nothing, tells of a full one only that there may be more, wherever these lie
            total = _count(answer) or (len(starts) if len(starts) < MAX_ROWS else answer.total if counts else None)
            if total is None or (unproven is not None and unproven.total - total != unproven.before):
                again = unproven.start if unproven is not None else start
                yield self._page(answer, since, again or NOWHERE)
                if is_again or total is None:
                    return again
                start, unproven, is_again = again, None, True  # somebody may have written meanwhile
                continue
            if len(starts) < MAX_ROWS:
                yield self._page(answer, since, self._end)
                return None
            yield self._page(answer, since, start or NOWHERE)
            if starts != sorted(starts) or starts[0] == starts[-1] or len(starts[-1]) != MOMENT:
                return start
            is_again = is_again and unproven is None
            unproven = _Unproven(start, total, sum(one < starts[-1] for one in starts))
            start = starts[-1]

    def _from(self, start: str) -> date:
        return max(self._first, date.fromisoformat(start[:10])) if start else self._first

    # ---------------------------------------------------------------- by periods

    def _in_periods(self, start: date, last: date, *, only_series: bool = False) -> Iterator[Page]:
        """Pages of a stretch of days, in order."""
        length = last - start if only_series else FIRST_PERIOD
        due: list[Period] = []
        while due or start <= last:
            while len(due) < PAGES and start <= last:
                due.append((start, min(last, start + length)))
                start = due[-1][1] + timedelta(days=1)
            asked, due = due[:PAGES], due[PAGES:]
            since, answers = self._ask([appointments.read_window(*period, only_series=only_series) for period in asked])
            halves: list[Period] = []
            for number, (period, answer) in enumerate(zip(asked, answers, strict=True)):
                later = [one for one, _ in (*halves, *asked[number + 1 :], *due)] + ([start] if start <= last else [])
                after = SERIES if only_series else min(later).isoformat() if later else self._end
                if len(answer.rows) < MAX_ROWS:
                    yield self._page(answer, since, after if later or not only_series else "")
                elif period[0] < period[1]:
                    middle = period[0] + (period[1] - period[0]) // 2
                    halves += [(period[0], middle), (middle + timedelta(days=1), period[1])]
                else:
                    yield from self._in_hours(period[0], SERIES if only_series else period[0].isoformat(), only_series=only_series)
                    yield Page(records=(), place=after if later or not only_series else "", since=since)
            due = [*halves, *due]
            length = _length(asked, answers)

    def _in_hours(self, day: date, place: str, *, only_series: bool) -> Iterator[Page]:
        """A day with more appointments than an answer holds, by the time at which they start; until it is done the walk is at ``place``."""
        midnight, half = datetime.combine(day, time()), timedelta(hours=12)
        due = [(LONG_AGO, midnight), (midnight, midnight + half), (midnight + half, midnight + 2 * half)]
        while due:
            asked, due = due[:PAGES], due[PAGES:]
            bounds = [("" if since == LONG_AGO else f"{since}", f"{until}") for since, until in asked]
            mark, answers = self._ask(
                [appointments.read_window(day, day, only_series=only_series, since=since, until=until) for since, until in bounds]
            )
            for (since, until), answer in zip(asked, answers, strict=True):
                yield self._page(answer, mark, place)
                middle = since + timedelta(seconds=(until - since) // timedelta(seconds=2))
                if len(answer.rows) >= MAX_ROWS and middle > since:
                    due += [(since, middle), (middle, until)]
                elif len(answer.rows) >= MAX_ROWS:
                    logger.error("onOffice has more than %d appointments that start at %s; the others cannot be read", MAX_ROWS - 1, since)


def _length(asked: Sequence[Period], answers: Sequence[Answer]) -> timedelta:
    """How long the next periods are to be, by how crowded the last ones were."""
    days = sum((last - first).days + 1 for first, last in asked)
    found = sum(len(answer.rows) for answer in answers)
    return timedelta(days=min(LONGEST_PERIOD.days, max(0, days * AIMED_ROWS // max(1, found) - 1)))
