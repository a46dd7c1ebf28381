"""Rows with their links, of any kind: what a record's own call does not tell is asked for in the same request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from radicale_onoffice.core.model import Appointment, Contact, Kind, Task, Value
from radicale_onoffice.crm.onoffice import appointments, contacts, tasks
from radicale_onoffice.crm.onoffice.account import Account
from radicale_onoffice.crm.onoffice.client import Client, error_of
from radicale_onoffice.crm.onoffice.fields import ask_links, links_in
from radicale_onoffice.crm.onoffice.protocol import MAX_ACTIONS, Action, Answer, Refusal
from radicale_onoffice.crm.onoffice.protocol import Row as Record

# relation → whether the record is its parent
LINKS: Mapping[Kind, Mapping[str, bool]] = {
    Kind.CONTACTS: {contacts.SYNC: True},
    Kind.APPOINTMENTS: {},
    Kind.TASKS: {tasks.ADDRESSES: True, tasks.ESTATE: True, tasks.PROJECT: False},
}


READ_ONE: Mapping[Kind, Callable[[str, Account], Action]] = {
    Kind.CONTACTS: contacts.read_one,
    Kind.APPOINTMENTS: appointments.read_one,
    Kind.TASKS: tasks.read_one,
}


def reads(kind: Kind, record_id: str, account: Account) -> list[Action]:
    """The actions that read one record whole; their results go to ``whole``."""
    return [READ_ONE[kind](record_id, account), *ask_all_links(kind, [record_id])]


def whole(kind: Kind, record_id: str, actions: Sequence[Action], results: Sequence[Answer | Refusal]) -> Record | None:
    """The record in the results of ``reads``; None if onOffice has none, or hides it. Raises the core's errors for refusals."""
    answers = demanded(actions, results)
    found = next((row for row in answers[0].rows if row.id == record_id), None)
    return with_links(kind, [found], answers[1:])[0] if found is not None else None


def fetch(client: Client, account: Account, kind: Kind, record_ids: Iterable[str], *, deadline: float | None = None) -> dict[str, Record]:
    """Those of these records that onOffice shows, by id. Raises UpstreamDown, RefusedByOnOffice."""
    found: dict[str, Record] = {}
    ids = list(dict.fromkeys(record_ids))
    a_time = MAX_ACTIONS // (1 + len(LINKS[kind]))
    for start in range(0, len(ids), a_time):
        asked = {record_id: reads(kind, record_id, account) for record_id in ids[start : start + a_time]}
        results = iter(client.call([action for actions in asked.values() for action in actions], deadline=deadline))
        for record_id, actions in asked.items():
            record = whole(kind, record_id, actions, [next(results) for _ in actions])
            if record is not None:
                found[record_id] = record
    return found


def ask_all_links(kind: Kind, record_ids: Sequence[str]) -> list[Action]:
    """One action per relation, for all these records."""
    return [
        ask_links(relation, parents=record_ids) if is_parent else ask_links(relation, children=record_ids)
        for relation, is_parent in LINKS[kind].items()
    ]


def with_links(kind: Kind, records: Sequence[Record], answers: Sequence[Answer]) -> list[Record]:
    """The records with the answers to ``ask_all_links`` among their elements; one without links has empty ones."""
    links = {relation: links_in(answer) for relation, answer in zip(LINKS[kind], answers, strict=True)}
    return [
        record._replace(elements={**record.elements, **{relation: found.get(record.id, ()) for relation, found in links.items()}})
        for record in records
    ]


def unlinked(kind: Kind, record: Record) -> Record:
    """The record with no links among its elements."""
    return with_links(kind, [record], [Answer()] * len(LINKS[kind]))[0]


def demanded(actions: Sequence[Action], results: Sequence[Answer | Refusal]) -> list[Answer]:
    """The answers; raises the first refusal as the core's error."""
    answers = []
    for action, result in zip(actions, results, strict=True):
        if isinstance(result, Refusal):
            raise error_of(action, result, 30)
        answers.append(result)
    return answers


# ------------------------------------------------------------ any kind's table


def load(kind: Kind, record: Record, account: Account, before: Value | None = None, ours: frozenset[int] = frozenset()) -> Value:
    """The value in a row, on top of what our store knows of it. Raises Unreadable."""
    if kind is Kind.CONTACTS:
        return contacts.load(record, account, before if isinstance(before, Contact) else None, ours)
    if kind is Kind.APPOINTMENTS:
        return appointments.load(record, account, before if isinstance(before, Appointment) else None)
    return tasks.load(record, account, before if isinstance(before, Task) else None)


def create(value: Value, account: Account) -> Action:
    """The action that makes a record."""
    if isinstance(value, Contact):
        return contacts.create(value, account)
    return appointments.create(value, account) if isinstance(value, Appointment) else tasks.create(value, account)


def after_create(record_id: str, value: Value, account: Account) -> list[Action]:
    """What a create could not say."""
    if isinstance(value, Contact):
        return contacts.after_create(record_id, value, account)
    return tasks.after_create(record_id, value, account) if isinstance(value, Task) else []


def modify(record_id: str, before: Value, after: Value, account: Account) -> list[Action]:
    """The actions that turn one value into another of the same kind; none if all that differs is ours alone."""
    if isinstance(before, Contact) and isinstance(after, Contact):
        return contacts.modify(record_id, before, after, account)
    if isinstance(before, Appointment) and isinstance(after, Appointment):
        return appointments.modify(record_id, before, after, account)
    assert isinstance(before, Task)
    assert isinstance(after, Task)
    return tasks.modify(record_id, before, after, account)


def can_be_put_back(before: Value, after: Value, account: Account) -> bool:
    """True if writing what differs, and then writing back what was read before, leaves a record as it was."""
    if isinstance(before, Contact) and isinstance(after, Contact):
        return contacts.can_be_put_back(before, after, account)
    if isinstance(before, Appointment) and isinstance(after, Appointment):
        return appointments.can_be_put_back(before, after, account)
    assert isinstance(before, Task)
    assert isinstance(after, Task)
    return tasks.can_be_put_back(before, after, account)


def remove(kind: Kind, record_id: str, account: Account) -> list[Action]:
    """The actions that take a record out of the CRM, or as far out as the API can."""
    if kind is Kind.CONTACTS:
        return contacts.remove(record_id, account)
    return appointments.remove(record_id, account) if kind is Kind.APPOINTMENTS else tasks.remove(record_id, account)


def stamp(kind: Kind, record: Record) -> str:
    """The change stamp as onOffice gave it."""
    if kind is Kind.CONTACTS:
        return contacts.stamp(record)
    return appointments.stamp(record) if kind is Kind.APPOINTMENTS else tasks.stamp(record)
