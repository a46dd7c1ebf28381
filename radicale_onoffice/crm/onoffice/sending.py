"""One write to onOffice as HTTP calls, each followed by reading back what onOffice holds now; knows nothing of the store.

A change and its reading back are one request, with a look at what was there before if that is wished. What is said of a new record after it
was made, and the reading by its id, are a second request; without the former it is read along, among the few that start when it does (an
appointment) or are newer than the last one (a task).
Whatever happens, the caller is told one of:

===============  =====================================================================================================
a value          done, and this is what onOffice made of it
Overtaken        done, or refused, on top of what somebody else had changed: ``found`` stood there before, ``row`` stands there now;
                 refused, because there is none
NotTaken         refused, wholly or in part: ``row`` is what onOffice holds now, ``error`` what the device is to be told
Made             a new record is there under this id, and perhaps something is missing in it
OutcomeUnknown   done, or not, or in part
UpstreamDown     surely nothing was done
===============  =====================================================================================================
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from radicale_onoffice.core import rules
from radicale_onoffice.core.errors import NotFound, OfficeError, Refused, UpstreamDown
from radicale_onoffice.core.model import Appointment, Contact, Kind, Task, Value
from radicale_onoffice.crm.onoffice import appointments, rows, tasks
from radicale_onoffice.crm.onoffice.client import DOWN, OutcomeUnknown, RefusedByOnOffice, error_of
from radicale_onoffice.crm.onoffice.codes import Fault
from radicale_onoffice.crm.onoffice.connections import Connection
from radicale_onoffice.crm.onoffice.fields import Unreadable
from radicale_onoffice.crm.onoffice.protocol import MAX_ACTIONS, Action, Answer, Refusal
from radicale_onoffice.crm.onoffice.protocol import Row as Record

logger = logging.getLogger(__name__)
RETRY_AFTER = 30  # seconds
WITNESSES = 5  # other records that are asked for when one is missing


class NotTaken(Exception):
    """onOffice refused a write of an existing record, or a part of it."""

    def __init__(self, row: Record | None, error: OfficeError):
        super().__init__(str(error))
        self.row, self.error = row, error


class Overtaken(Exception):
    """A record was not what it was thought to be when it was written; one None: onOffice shows none, and refused to write it."""

    def __init__(self, found: Record | None, row: Record | None):
        super().__init__("The record had changed in onOffice.")
        self.found, self.row = found, row


class Made(Exception):
    """A new record is there, but it could not be finished or read back; ``is_answered`` if onOffice is well but for one action of it."""

    def __init__(self, crm_id: str, error: UpstreamDown, *, is_answered: bool = False):
        super().__init__(str(error))
        self.crm_id, self.error, self.is_answered = crm_id, error, is_answered


@dataclass(frozen=True, slots=True)
class Taken:
    """What onOffice holds after a write. ``refused`` is what it did not take of a record that it made all the same, in its words."""

    row: Record
    value: Value
    refused: str = ""


def load(kind: Kind, row: Record, connection: Connection, before: Value | None, ours: frozenset[int] = frozenset()) -> Value:
    """The value in a row, in the form that equal things are equal in. Raises Refused for a row that cannot be understood."""
    try:
        return rules.normalise(rows.load(kind, row, connection.account(), before, ours))
    except Unreadable as error:
        raise Refused(f"What onOffice holds cannot be understood: {error}. Mend it there.") from error


def read(connection: Connection, kind: Kind, crm_id: str) -> Record | None:
    """A record whole; None if onOffice shows none. Raises UpstreamDown, RefusedByOnOffice."""
    try:
        return rows.fetch(connection.client, connection.account(), kind, [crm_id], deadline=connection.deadline).get(crm_id)
    except NotFound:
        return None


def sees_any(connection: Connection, kind: Kind, crm_ids: Sequence[str]) -> bool:
    """True if onOffice shows one of these records. If not, it is more likely that the API user lost a right than that all are gone."""
    found = rows.fetch(connection.client, connection.account(), kind, crm_ids[:WITNESSES], deadline=connection.deadline)
    return bool(found)


def entry_ids(value: Value) -> frozenset[int]:
    """Ids of a contact's entries; none of other kinds."""
    return frozenset(entry.id for entry in value.entries) if isinstance(value, Contact) else frozenset()


# -------------------------------------------------------------------- writes


def change(connection: Connection, kind: Kind, crm_id: str, before: Value, after: Value, *, look: bool = False) -> Taken:
    """Turn one value into another. Raises NotTaken, OutcomeUnknown, UpstreamDown, and Refused for what cannot be said to onOffice.

    With ``look`` the same request reads the record first. Raises Overtaken if that was not ``before``. That a record cannot be seen, of which
    onOffice took a change, is no sign that it is gone: the change may well be there.
    """
    actions = rows.modify(crm_id, before, after, connection.account())
    found, row, refused = _perform(connection, kind, crm_id, actions, look=look)
    is_gone = found is None and row is None and bool(refused)
    try:
        is_other = found is not None and not _is_expected(connection, kind, found, before, after, refused=bool(refused))
    except Refused as error:
        if not refused:
            _put_back(connection, rows.modify(crm_id, after, before, connection.account()))
        raise NotTaken(None, error) from error
    if look and (is_gone or (is_other and (row is not None or refused))):
        raise Overtaken(found, row)
    if refused:
        raise NotTaken(row, _error_of(refused[0], is_there=row is not None))
    if row is None or (look and found is None):  # hidden, before or after
        message = (
            f"onOffice took a change of its {kind} {crm_id} and does not show what it came to. Does the API user still have its rights?"
        )
        raise OutcomeUnknown(message, RETRY_AFTER)
    return Taken(row, load(kind, row, connection, after, entry_ids(after) - entry_ids(before)))


def _put_back(connection: Connection, actions: Sequence[Action]) -> None:
    """Take a write back that was made on top of what cannot be understood. Raises OutcomeUnknown if that cannot be done now."""
    try:
        connection.call(actions)
    except UpstreamDown as error:
        raise OutcomeUnknown(str(error), error.retry_after) from error


def _is_expected(connection: Connection, kind: Kind, found: Record, before: Value, after: Value, *, refused: bool) -> bool:
    """True if a look found what was there before, or what was to be: the client's own earlier try, whose answer was lost, has written it."""
    holds = load(kind, found, connection, before)
    return holds == before or (not refused and not rows.modify(found.id, holds, after, connection.account()))


def make(connection: Connection, kind: Kind, value: Value) -> Taken:
    """Make a record. Raises Made, OutcomeUnknown, UpstreamDown, Refused."""
    account = connection.account()
    action = rows.create(value, account)
    is_whole = not rows.after_create("0", value, account)  # what cannot be said is refused before anything is made
    newest = _read_newest(connection, value, action) if is_whole else []
    result, *shown = connection.call([action, *newest])
    if isinstance(result, Refusal):
        raise _error_of((action, result), is_there=True)
    if not result.new_id:
        raise OutcomeUnknown("onOffice made a record and did not say which.", RETRY_AFTER)
    connection.note_number(kind, result.new_id)
    rows_shown = (row for answer in shown if isinstance(answer, Answer) for row in answer.rows)
    row = next((row for row in rows_shown if row.id == result.new_id), None)
    if row is not None:
        row = rows.unlinked(kind, row)
        return Taken(row, load(kind, row, connection, value, entry_ids(value)))
    return finish(connection, kind, result.new_id, value, rows.after_create(result.new_id, value, account))


def _read_newest(connection: Connection, value: Value, making: Action) -> list[Action]:
    """What shows a record that is just being made: what starts when it does, or tasks behind the last one made from here that are linked to nothing."""
    if isinstance(value, Appointment):
        return [appointments.read_beginning(making)]
    number = connection.last_number(Kind.TASKS)
    if not isinstance(value, Task) or not number or value.addresses or value.estate or value.project:
        return []
    return [tasks.read_range(number + 1, tasks.LAST_NUMBER, connection.account())]


def finish(connection: Connection, kind: Kind, crm_id: str, value: Value, actions: Sequence[Action], *, lasting: bool = False) -> Taken:
    """Say what a create could not say, and read back. A fault of one action that is ``lasting`` is a refusal. Raises Made."""
    try:
        _, row, refused = _perform(connection, kind, crm_id, actions)
        down = [] if lasting and row is not None else [one for one in refused if one[1].fault in DOWN]
        if down:
            error = error_of(*down[0], RETRY_AFTER)
            assert isinstance(error, UpstreamDown)
            raise Made(crm_id, error, is_answered=row is not None)
        if row is None:
            raise OutcomeUnknown(f"onOffice does not show its new {kind} {crm_id}.", RETRY_AFTER)
        told = "; ".join(dict.fromkeys(str(refusal) for _, refusal in refused))
        return Taken(row, load(kind, row, connection, value, entry_ids(value)), told)
    except UpstreamDown as error:
        raise Made(crm_id, error) from error


def restored(before: Value, after: Value, found: Value, now: Value) -> Value:
    """``now`` with the fields that a change from ``before`` to ``after`` touched as they were ``found``; numbers it has not touched."""
    names = [one.name for one in fields(before) if one.name != "entries" and getattr(before, one.name) != getattr(after, one.name)]
    return replace(now, **{name: getattr(found, name) for name in names})


def remove(connection: Connection, kind: Kind, crm_id: str) -> None:
    """Take a record out of onOffice, as far as it can be; one that is out already is no error. Raises as ``change``.

    That it is refused as gone, and not shown, is no sign that it is gone: OutcomeUnknown, for who can look for others.
    """
    actions = rows.remove(kind, crm_id, connection.account())
    for action, result in zip(actions, connection.call(actions), strict=True):
        if not isinstance(result, Refusal):
            continue
        if result.fault is Fault.GONE:
            row = read(connection, kind, crm_id)
            if row is None:
                raise OutcomeUnknown(f"onOffice does not show its {kind} {crm_id} any more.", RETRY_AFTER)
            if is_removed(row, kind, connection):
                continue
        raise NotTaken(None, _error_of((action, result), is_there=True))


def is_removed(row: Record, kind: Kind, connection: Connection) -> bool:
    """True if a record is as far out of onOffice as it can be (``rows.remove``)."""
    return rules.is_removed(load(kind, row, connection, None))


def _perform(
    connection: Connection, kind: Kind, crm_id: str, actions: Sequence[Action], *, look: bool = False
) -> tuple[Record | None, Record | None, list[tuple[Action, Refusal]]]:
    """What was there, if there is to be a look, then do these, and what is there with the last of them; one request unless there are many."""
    reading = rows.reads(kind, crm_id, connection.account())
    ahead = reading if look else []
    found: Record | None = None
    room = MAX_ACTIONS - len(reading) - len(ahead)
    chunks = [actions[start : start + room] for start in range(0, len(actions), room)] or [[]]
    refused: list[tuple[Action, Refusal]] = []
    for number, chunk in enumerate(chunks):
        is_last = number == len(chunks) - 1
        try:
            results = connection.call([*ahead, *chunk, *(reading if is_last else ())])
        except OutcomeUnknown:
            raise
        except UpstreamDown as error:
            if number:  # the first ones are done
                raise OutcomeUnknown(str(error), error.retry_after) from error
            raise
        if ahead:
            found, results, ahead = _whole(kind, crm_id, reading, results[: len(ahead)]), results[len(ahead) :], []
        refused += [(action, result) for action, result in zip(chunk, results, strict=False) if isinstance(result, Refusal)]
    return found, _whole(kind, crm_id, reading, results[len(chunks[-1]) :]), refused


def _whole(kind: Kind, crm_id: str, reading: Sequence[Action], results: Sequence[Answer | Refusal]) -> Record | None:
    """A record as it was read around a write."""
    try:
        return rows.whole(kind, crm_id, reading, results)
    except NotFound:
        return None
    except OfficeError as error:
        raise OutcomeUnknown(f"What onOffice made of a write cannot be read: {error}", RETRY_AFTER) from error


def _error_of(refused: tuple[Action, Refusal], *, is_there: bool) -> OfficeError:
    """What a device is told; "no such record" of one that is there means that the API user may not write it (code 80)."""
    action, refusal = refused
    if refusal.fault in DOWN:
        return error_of(action, refusal, RETRY_AFTER)
    return RefusedByOnOffice(action, refusal) if is_there else error_of(action, refusal, RETRY_AFTER)
