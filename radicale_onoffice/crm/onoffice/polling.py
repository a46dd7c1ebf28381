"""What changed in onOffice since a moment: one request for everything, more only where an answer was full.

Stamps of appointments are UTC. In which zone those of addresses and tasks and the times of the log are is not documented, nor whether tasks'
are more exact than a day: they are asked for from the earlier of both readings on, with an overlap, and digests sort out what is known.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from radicale_onoffice.core.model import Kind
from radicale_onoffice.crm.onoffice import appointments, contacts, fields, rows, tasks, walks
from radicale_onoffice.crm.onoffice.account import MODULES, Account, try_key
from radicale_onoffice.crm.onoffice.client import Client, RefusedByOnOffice
from radicale_onoffice.crm.onoffice.codes import Fault
from radicale_onoffice.crm.onoffice.protocol import MAX_ROWS, Action, Answer, Refusal, Verb, identifier
from radicale_onoffice.crm.onoffice.protocol import Row as Record

logger = logging.getLogger(__name__)
OVERLAP = timedelta(minutes=5)  # clocks differ, and a change may become visible a little later
SECOND = timedelta(seconds=1)  # the precision of stamps
NO_LOG = frozenset({156, 170, 23, 25})  # the API user is no administrator
WITNESSES = 3  # appointments that are asked for, to see that any can be seen: the newest ones
ANY_ROW: Mapping[Kind, str] = {Kind.CONTACTS: "Name", Kind.TASKS: "Betreff"}  # key of the kinds that can be asked for any row


@dataclass(slots=True, kw_only=True)
class Changes:
    """Rows that changed, by kind, with their links; ids of what was deleted; address id → ids of the users who flagged it.

    ``seen`` are the kinds of which onOffice shows anything at all.
    """

    records: dict[Kind, Sequence[Record]] = field(default_factory=dict)
    deleted: dict[Kind, Sequence[str]] = field(default_factory=dict)
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seen: frozenset[Kind] = frozenset()
    refused: dict[Kind, str] = field(default_factory=dict)  # kinds that the API user may not read, and why
    log_refused: bool = False
    also: Sequence[Answer | Refusal] = ()  # what came of the actions that rode along


def earliest(since: datetime, account: Account) -> str:
    """The earlier of the two readings of a moment, local or UTC, with the overlap, as onOffice writes it."""
    moment = since - OVERLAP
    return min(fields.wall(moment, account.zone), moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"))


def ask_deleted(kind: Kind, since: str) -> Action:
    """The log's lines about deleted records; only an administrator may read it."""
    period = {"dateTime": [{"op": ">=", "val": since}]}
    return Action(
        verb=Verb.READ, resource="log", parameters={"module": MODULES[kind], "action": "delete", "listlimit": MAX_ROWS, "filter": period}
    )


def ask_log(client: Client, kind: Kind, since: datetime, account: Account) -> Sequence[str]:
    """Ids of what the log calls deleted since; none if it may not be read. Raises UpstreamDown."""
    changes = Changes()
    _read_log(changes, {kind: client.call([ask_deleted(kind, earliest(since, account))], deadline=walks.DEADLINE)[0]})
    return changes.deleted.get(kind, ())


def ask_witnesses(kind: Kind, known: Iterable[str], period: tuple[date, date], account: Account) -> list[Action]:
    """Whether anything of a kind can be seen: any row, or, of appointments, the newest that are known, else a whole period."""
    if kind in ANY_ROW:
        return [try_key(kind, ANY_ROW[kind])]
    return [appointments.read_one(one, account) for one in newest(known)] or [appointments.read_window(*period)]


def newest(known: Iterable[str]) -> list[str]:
    """The appointments that are asked for."""
    return sorted(known, key=lambda one: (len(one), one))[-WITNESSES:]


def ask_changes(
    client: Client,
    account: Account,
    since: Mapping[Kind, datetime],
    known: Mapping[Kind, Iterable[str]],
    period: tuple[date, date],
    *,
    with_log: bool,
    also: Sequence[Action] = (),
) -> Changes:
    """What changed of each kind since a moment. ``known`` are ids that are here already; ``also`` is asked in the same request.

    Raises UpstreamDown, RefusedByOnOffice.
    """
    told = {kind: earliest(moment, account) for kind, moment in since.items()}
    changed = since[Kind.APPOINTMENTS] - OVERLAP
    wanted: list[Action] = [
        appointments.read_changed(changed),
        tasks.read_range(1, tasks.LAST_NUMBER, account, since=told[Kind.TASKS][:10]),
        contacts.read_page(account, 0, since=told[Kind.CONTACTS]),
        *walks.ask_flags(account),
    ]
    log = [ask_deleted(kind, told[kind]) for kind in Kind] if with_log else []
    witnesses = [(kind, action) for kind in Kind for action in ask_witnesses(kind, known[kind], period, account)]
    results = client.call([*wanted, *log, *(action for _, action in witnesses), *also], deadline=walks.DEADLINE)
    asked = len(wanted) + len(log) + len(witnesses)
    changes = Changes(also=results[asked:])
    shown = list(zip(witnesses, results[len(wanted) + len(log) : asked], strict=True))
    changes.seen = frozenset(kind for (kind, _), result in shown if isinstance(result, Answer) and result.rows)
    _read_log(changes, dict(zip(Kind, results[len(wanted) : len(wanted) + len(log)], strict=False)))

    def first(*places: int) -> list[Answer]:
        return rows.demanded([wanted[place] for place in places], [results[place] for place in places])

    def meetings() -> list[Record]:
        (answer,) = first(0)
        if Kind.APPOINTMENTS not in changes.seen and not answer.rows and known[Kind.APPOINTMENTS]:
            # Just the newest may have been deleted: is there anything else? An answer that was empty by mistake is not taken for no change, either
            window, answer = walks.ask(client, [appointments.read_window(*period), appointments.read_changed(changed)])
            changes.seen |= {Kind.APPOINTMENTS} if window.rows else set()
        return _appointments(client, answer, changed)

    def addresses() -> list[Record]:
        people, *flags = first(*range(2, len(wanted)))
        changes.flags = walks.flags_by_address(flags)
        return walks.flagged(_once(_contacts(client, account, people, told[Kind.CONTACTS])), changes.flags)

    _read(changes, Kind.APPOINTMENTS, meetings)
    _read(changes, Kind.TASKS, lambda: _tasks(client, account, first(1)[0], told[Kind.TASKS][:10]))
    _read(changes, Kind.CONTACTS, addresses)
    changes.seen |= {kind for kind, records in changes.records.items() if records}
    if Kind.APPOINTMENTS in changes.seen:
        missing = [
            action.id for (kind, action), result in shown if kind is Kind.APPOINTMENTS and isinstance(result, Answer) and not result.rows
        ]
        changes.deleted[Kind.APPOINTMENTS] = tuple(dict.fromkeys([*changes.deleted.get(Kind.APPOINTMENTS, ()), *filter(None, missing)]))
    return changes


def refusal_of(error: RefusedByOnOffice) -> str:
    """The alarm of a kind that the API user may not read; raises the error if it is another one, which concerns all kinds."""
    if error.refusal.fault is not Fault.RIGHT:
        raise error
    return f"{error}; nothing of them is removed here. Give the API user the right to read them."


def _read(changes: Changes, kind: Kind, read: Callable[[], Sequence[Record]]) -> None:
    """What changed of a kind, or why it may not be read: that is no matter of the other kinds."""
    try:
        changes.records[kind] = _once(read())
    except RefusedByOnOffice as error:
        changes.refused[kind] = refusal_of(error)
        changes.seen -= {kind}


def _once(found: Sequence[Record]) -> list[Record]:
    """Each record once, as it came last: halves share the moment at which they meet, and pages shift while somebody writes."""
    return list({record.id: record for record in found}.values())


def _contacts(client: Client, account: Account, first: Answer, since: str) -> list[Record]:
    found, last = list(first.rows), first
    while len(last.rows) >= MAX_ROWS:
        offsets = [len(found) + MAX_ROWS * page for page in range(walks.PAGES)]
        answers = walks.ask(client, [contacts.read_page(account, offset, since=since) for offset in offsets])
        found += [record for answer in answers for record in answer.rows]
        last = answers[-1]
    return found


def _tasks(client: Client, account: Account, first: Answer, since: str) -> list[Record]:
    if len(first.rows) >= MAX_ROWS:
        return [record for page in walks.walk_tasks(walks.Asking(client, lambda: 0), account, since=since) for record in page.records]
    ids = [record.id for record in first.rows]
    return rows.with_links(Kind.TASKS, first.rows, walks.ask(client, rows.ask_all_links(Kind.TASKS, ids))) if ids else []


def _appointments(client: Client, first: Answer, since: datetime, until: datetime | None = None) -> list[Record]:
    """There is no paging: a full answer is asked for in two parts of its time, down to one second, and the newest part is open-ended."""
    if len(first.rows) < MAX_ROWS:
        return list(first.rows)
    since = since.replace(microsecond=0)
    if since == until:
        logger.error("more than %d appointments changed at %s; the next sweep finds those that did not come", MAX_ROWS - 1, since)
        return list(first.rows)
    stamps = sorted(filter(None, map(appointments.changed_at, first.rows)))
    later = [stamp for stamp in stamps if stamp > since] or [since + SECOND]
    middle = max(later[0], stamps[len(stamps) // 2]) if stamps else later[0]
    middle = min(middle, until) if until is not None else middle
    older, newer = walks.ask(client, [appointments.read_changed(since, middle - SECOND), appointments.read_changed(middle, until)])
    return [*_appointments(client, older, since, middle - SECOND), *_appointments(client, newer, middle, until)]


def _read_log(changes: Changes, results: Mapping[Kind, Answer | Refusal]) -> None:
    for kind, result in results.items():
        if isinstance(result, Refusal):
            changes.log_refused = changes.log_refused or result.code in NO_LOG
        else:
            ids = (identifier(row.elements.get("resourceId")) or identifier(row.elements.get("resourcePk")) for row in result.rows)
            changes.deleted[kind] = tuple(dict.fromkeys(one for one in ids if one and one != "0"))
