"""onOffice shows nothing of a kind that the API user may not read: no write is taken for undone, or a record for gone, because of that."""

from __future__ import annotations

from contextlib import suppress

import pytest

from radicale_onoffice.core.errors import OfficeError, OutOfReach, UpstreamDown
from radicale_onoffice.core.model import Kind
from radicale_onoffice.core.policy import OnOutage, OnTaskDelete, Policy
from radicale_onoffice.mirrors import Mirrors
from tests.crm.desks import CHANGES, COLUMNS, TABLES
from tests.crm.test_exactly_once import failing_commit

QUEUE = Policy(writes_during_outage=OnOutage.QUEUE, task_delete=OnTaskDelete.DELETE)
KINDS = list(Kind)
EVENTS = Kind.APPOINTMENTS


def turns(at, times: int = 4) -> None:
    """Turns of the queue, minutes apart; what cannot be done now is no error."""
    for _ in range(times):
        at.wait(minutes=5)
        with suppress(OfficeError):
            at.drain()


def hide(at, kind: Kind, *, hidden: bool = True) -> None:
    """The API user loses the right to read a kind, or gets it back."""
    at.control.set_right(at.emulator.account.user("api"), TABLES[kind], "read", not hidden)


def make_without_an_answer(at, kind: Kind) -> None:
    """A creation that onOffice does, whose answer is lost, and which cannot be looked up for now."""
    at.fault(verb="create", resourcetype=TABLES[kind], kind="reset", when="after")
    at.outage()
    come_again(at, kind)
    at.recover()


def come_again(at, kind: Kind) -> None:
    """What a device does that was told nothing, or to come again; what is stored already is out of its reach while no feed has it."""
    with suppress(UpstreamDown, OutOfReach):
        at.add(kind)


def with_another(at, kind: Kind):
    """A record, and a second one of its kind."""
    return at.add(kind), at.add(kind, uid="another", name="another.item")


# --------------------------------------------------------------- a new record


@pytest.mark.parametrize("policy", [None, QUEUE], ids=["refuse", "queue"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_record_is_not_made_again(desk, kind, policy):
    """It was made, and its device comes again, and the queue has its turns, while nothing can be read."""
    at = desk(policy)
    at.add(kind, uid="before", name="before.item")
    make_without_an_answer(at, kind)
    hide(at, kind)
    come_again(at, kind)
    turns(at)
    hide(at, kind, hidden=False)
    come_again(at, kind)
    turns(at)
    assert (2, 2, []) == (len(at.rows(kind)), len(at.all_stored(kind)), at.errands())


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_record_that_a_kill_interrupted_is_not_forgotten(desk, kind):
    """The process ends before what was made is stored; the turns that would clear up see nothing."""
    at = desk()
    at.add(kind, uid="before", name="before.item")
    with failing_commit(at, 2):
        at.add(kind)
    hide(at, kind)
    turns(at)
    assert 1 == len(at.errands())
    hide(at, kind, hidden=False)
    come_again(at, kind)
    assert (2, 2, []) == (len(at.rows(kind)), len(at.all_stored(kind)), at.errands())


@pytest.mark.parametrize("policy", [None, QUEUE], ids=["refuse", "queue"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_record_of_an_empty_office_is_made(desk, kind, policy):
    """Nothing else can be seen because there is nothing else: a creation that came to nothing is made again, or forgotten."""
    at = desk(policy)
    at.fault(verb="create", resourcetype=TABLES[kind], kind="reset")
    at.outage()
    come_again(at, kind)
    at.recover()
    turns(at)
    come_again(at, kind)
    assert (1, []) == (len(at.rows(kind)), at.errands())


# ------------------------------------------------------------------ a removal


def test_a_removal_is_not_taken_for_done(desk):
    """It was acknowledged and not done; while that is looked up, nothing can be read."""
    at = desk(QUEUE)
    record, _ = with_another(at, EVENTS)
    at.fault(verb="delete", resourcetype="calendar", kind="reset", times=10**6)
    at.remove(record)
    at.recover()
    hide(at, EVENTS)
    turns(at)
    assert (2, 1) == (len(at.rows(EVENTS)), len(at.errands()))
    hide(at, EVENTS, hidden=False)
    turns(at)
    assert (1, []) == (len(at.rows(EVENTS)), at.errands())


@pytest.mark.parametrize("policy", [None, QUEUE], ids=["refuse", "queue"])
def test_a_removal_without_an_answer_is_not_taken_for_done(desk, policy):
    """No answer to a first try, no such record (or no right) to a second one: its device comes again, or it is sent until it is done."""
    at = desk(policy)
    record, _ = with_another(at, EVENTS)
    at.fault(verb="delete", resourcetype="calendar", kind="reset")
    at.fault(verb="delete", resourcetype="calendar", kind="error", code=80)
    at.emulated.wires["t"].then = lambda: hide(at, EVENTS)  # after the look
    with suppress(UpstreamDown):
        at.remove(record)
    assert (2, 1, policy is QUEUE) == (len(at.rows(EVENTS)), len(at.errands()), at.stored(record).deleted)
    at.recover()
    hide(at, EVENTS, hidden=False)
    turns(at)
    assert (1 if policy is QUEUE else 2, []) == (len(at.rows(EVENTS)), at.errands())


def test_a_removal_that_is_refused_as_of_nothing_is_not_taken_for_done(desk):
    """Code 80 (no such record, or no right), and an empty answer behind it."""
    at = desk()
    record, _ = with_another(at, EVENTS)
    at.fault(kind="error", verb="delete", resourcetype="calendar", code=80)
    at.emulated.wires["t"].then = lambda: hide(at, EVENTS)
    with pytest.raises(UpstreamDown):
        at.remove(record)
    assert (2, False) == (len(at.rows(EVENTS)), at.stored(record).deleted)


def test_a_removal_of_the_only_record_is_done_when_another_one_is_seen(desk):
    """It was done, and nothing is left by which that could be told from a lost right: the device comes again until there is."""
    at = desk()
    record = at.add(EVENTS)
    at.fault(verb="delete", resourcetype="calendar", kind="reset", when="after")
    for _ in range(2):
        with pytest.raises(UpstreamDown):
            at.remove(record)
        turns(at, 1)
    assert (0, 1, False) == (len(at.rows(EVENTS)), len(at.errands()), at.stored(record).deleted)
    at.add(EVENTS, uid="another", name="another.item")
    turns(at, 1)
    assert ([], True) == (at.errands(), at.stored(record).deleted)


# ------------------------------------------------------------ the only record


@pytest.mark.parametrize("kind", KINDS)
def test_the_only_record_of_a_kind_is_not_dropped_with_its_change(desk, kind):
    """A queued change waits until the record can be seen."""
    at = desk(QUEUE)
    record = at.add(kind)
    at.outage()
    at.edit(record, **CHANGES[kind])
    at.recover()
    hide(at, kind)
    turns(at)
    hide(at, kind, hidden=False)
    turns(at)
    *_, column, value = COLUMNS[kind]
    assert (value, False, []) == (str(at.row(record)[column]), at.stored(record).deleted, at.errands())


@pytest.mark.parametrize("kind", KINDS)
def test_the_only_record_of_a_kind_goes_when_the_mirror_knows(desk, kind):
    """It was deleted in onOffice: its queued change ends once an administrator, or the log, has told the mirror; made again, it is a new row."""
    at = desk(QUEUE)
    record = at.add(kind)
    mirror = Mirrors(at.office, at.office.crm, "m").of("t")
    mirror.turn()
    at.outage()
    at.edit(record, **CHANGES[kind])
    at.recover()
    at.control.delete(TABLES[kind], at.number(record))
    turns(at)
    assert 1 == len(at.errands())
    mirror.accept()
    turns(at, 1)
    assert ([], True) == (at.errands(), at.stored(record).deleted)
    at.add(kind)
    assert 1 == len(at.rows(kind))
