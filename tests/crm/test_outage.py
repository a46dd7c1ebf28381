"""onOffice does not answer: devices come again, or their changes are kept and sent in order when it is back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radicale_onoffice import wiring
from radicale_onoffice.core.errors import NotFound, UpstreamDown
from radicale_onoffice.core.model import Kind, Slot
from radicale_onoffice.core.policy import OnOutage, Policy
from radicale_onoffice.core.ports import ErrandState
from radicale_onoffice.crm.onoffice.draining import Drain
from tests.crm.desks import CHANGES, COLUMNS, NUMBERS, PHONE, TABLES, numbers, shown
from tests.crm.test_exactly_once import failing_commit

KINDS = list(Kind)
QUEUE = Policy(writes_during_outage=OnOutage.QUEUE)


@pytest.mark.parametrize("kind", KINDS)
def test_refuse_has_the_device_come_again(desk, kind):
    """503 with a time; nothing is stored, nothing is left over, and it works afterwards without a hand."""
    at = desk()
    record = at.add(kind)
    at.outage()
    for write in (
        lambda: at.add(kind, uid="new", name="new.item"),
        lambda: at.edit(record, **CHANGES[kind]),
        lambda: at.office.records.remove(PHONE, record.id),
    ):
        with pytest.raises(UpstreamDown) as caught:
            write()
        assert caught.value.retry_after >= 30
    assert (record, [], 1) == (at.stored(record), at.errands(), len(at.all_stored(kind)))
    at.recover()
    assert 2 == at.edit(record, **CHANGES[kind]).version


@pytest.mark.parametrize("kind", KINDS)
def test_queue_keeps_changes_and_sends_them_in_order(desk, kind):
    """Made, changed and changed again while nobody answers; in onOffice it is one record in its last state."""
    at = desk(QUEUE)
    at.add(kind, uid="before", name="before.item")
    at.outage()
    record = at.add(kind)
    changed = at.edit(record, **CHANGES[kind])
    assert (2, 2, 1) == (changed.version, len(at.errands()), len(at.rows(kind)))
    with pytest.raises(UpstreamDown):
        at.drain()
    assert [ErrandState.WAITING] * 2 == [one.state for one in at.errands()]
    at.recover()
    assert (2, 0, 0) == ((found := at.drain()).done, found.refused, found.left)
    *_, column, value = COLUMNS[kind]
    assert (2, value, []) == (len(at.rows(kind)), str(at.row(record)[column]), at.errands())
    stored = at.stored(record).value
    assert replace(changed.value, **_onoffices_own(stored)) == stored
    assert at.edit(at.stored(record), **CHANGES[kind]).version == at.stored(record).version


def _onoffices_own(value):
    """Ids of entries and the creator of a task are onOffice's."""
    return {name: getattr(value, name) for name in ("entries", "creator") if hasattr(value, name)}


def test_a_queue_outlives_a_restart(desk):
    """Another process sends it."""
    at = desk(QUEUE)
    at.add(Kind.TASKS, uid="before", name="before.ics")
    at.outage()
    record = at.add(Kind.CONTACTS)
    at.recover()
    again = wiring.assemble(at.office.store, policy=QUEUE, default_tenant="t", clock=at.clock, connections=at.emulated.connections)
    assert 1 == Drain(again.crm, again.store, at.clock, "another")("t").done
    assert (1, shown(record.value)) == (len(at.rows(Kind.CONTACTS)), shown(at.stored(record).value))


def test_numbers_added_during_an_outage_are_added_once(desk):
    """With the slots that they were given; a number that onOffice got meanwhile stays."""
    at = desk(QUEUE)
    record = at.add(Kind.CONTACTS)
    at.outage()
    changed = at.edit(record, sent={**NUMBERS, Slot.HOME: "0241 1"})
    at.edit(changed, sent={**NUMBERS, Slot.HOME: "0241 2"})
    at.control.add_entry(at.number(record), "phone", "0241 9")
    at.recover()
    assert 2 == at.drain().done
    assert sorted([NUMBERS[Slot.BUSINESS], NUMBERS[Slot.MOBILE], "0241 1", "0241 2", "0241 9"]) == numbers(at.row(record))
    assert {**NUMBERS, Slot.HOME: "0241 2"} == shown(at.stored(record).value)


def test_a_conflict_with_onoffice_is_merged_and_reported(desk):
    """U46: where both changed the same field, onOffice's stands, and the user's page says so."""
    at = desk(QUEUE)
    record = at.add(Kind.TASKS)
    at.outage()
    at.edit(record, priority=1, description="vom Telefon")
    at.control.edit("task", at.number(record), Aufgabe="aus onOffice", Betreff="Brief")
    at.recover()
    at.drain()
    value, row = at.stored(record).value, at.row(record)
    assert ("Brief", "aus onOffice", 1) == (value.subject, value.description, value.priority)
    assert ("Brief", "aus onOffice", "1") == (row["Betreff"], row["Aufgabe"], str(row["Prio"]))
    assert ["description changed in onOffice, too, during the outage; onOffice's stands."] == [
        line.partition(": ")[2] for line in at.told()
    ]


def test_a_deletion_during_an_outage_gives_way_to_a_change(desk):
    """What somebody changed in onOffice meanwhile is not deleted."""
    at = desk(QUEUE)
    changed, gone = at.add(Kind.APPOINTMENTS), at.add(Kind.APPOINTMENTS, uid="other", name="b.ics")
    at.outage()
    at.remove(changed)
    at.remove(gone)
    at.control.edit("calendar", at.number(changed), note="wichtig")
    at.recover()
    assert (2, []) == (at.drain().done, at.errands())
    assert ["wichtig"] == [row["note"] for row in at.rows(Kind.APPOINTMENTS)]
    assert (False, "wichtig", True) == (at.stored(changed).deleted, at.stored(changed).value.note, at.stored(gone).deleted)


def test_a_record_that_is_made_and_deleted_during_an_outage_leaves_nothing(desk):
    """Both are sent, in order."""
    at = desk(QUEUE)
    at.add(Kind.APPOINTMENTS, uid="before", name="before.ics")
    at.outage()
    at.remove(at.add(Kind.APPOINTMENTS))
    at.recover()
    assert (2, 1) == (at.drain().done, len(at.rows(Kind.APPOINTMENTS)))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_acknowledged_write_without_an_answer_is_done_once(desk, kind, when):
    """The device was told of a success; whether the sending succeeded is found out, and it is sent again only if it did not."""
    at = desk(QUEUE)
    at.add(kind, uid="before", name="before.item")
    at.fault(verb="create", resourcetype=TABLES[kind], kind="reset", when=when)
    at.fault(kind="pass", times=1)
    record = at.add(kind)
    for _ in range(4):
        at.wait(minutes=2)
        at.drain()
    assert (2, []) == (len(at.rows(kind)), at.errands())
    assert at.number(record) in [row["id"] for row in at.rows(kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_acknowledged_write_that_cannot_be_looked_up_is_not_sent_again(desk, kind):
    """It was carried out, and neither its answer came nor, once it could not come any more, that to the first look: no look is no proof."""
    at = desk(QUEUE)
    at.add(kind, uid="before", name="before.item")
    at.fault(verb="create", resourcetype=TABLES[kind], kind="reset", when="after")
    at.outage()
    at.add(kind)
    at.wait(minutes=5)
    with pytest.raises(UpstreamDown):
        at.drain()
    at.recover()
    at.drain()
    assert (2, []) == (len(at.rows(kind)), at.errands())


def test_what_waits_holds_up_what_comes_after(desk):
    """Order is kept also when onOffice is back before the queue is sent."""
    at = desk(QUEUE)
    record = at.add(Kind.TASKS)
    at.outage()
    at.edit(record, priority=1)
    at.recover()
    at.edit(at.stored(record), priority=2)
    assert 2 == len(at.errands())
    at.drain()
    assert ("2", 2, []) == (str(at.row(record)["Prio"]), at.stored(record).value.priority, at.errands())


# -------------------------------------------------------------------- refusals


def test_a_refused_change_is_kept_and_taken_back(desk):
    """The administrator sees it with the reason; the device gets what onOffice has."""
    at = desk(QUEUE)
    record = at.add(Kind.TASKS)
    at.outage()
    at.edit(record, priority=1)
    at.recover()
    at.fault(kind="error", verb="modify", resourcetype="task", code=156, message="Access violation")
    assert 1 == at.drain().refused
    (errand,) = at.errands()
    assert (ErrandState.REFUSED, 3) == (errand.state, at.stored(record).value.priority)
    assert "Access violation" in errand.reason
    assert "Access violation" in at.told()[0]
    assert 0 == at.drain().done
    assert 2 == at.edit(at.stored(record), priority=2).value.priority, "it does not hold anything up"


def test_a_refused_change_is_tried_again_or_dropped(desk):
    """By the administrator."""
    at = desk(QUEUE)
    record = at.add(Kind.TASKS)
    for priority in (1, 2):
        at.outage()
        at.edit(at.stored(record), priority=priority)
        at.recover()
        at.fault(kind="error", verb="modify", resourcetype="task", code=156, message="Access violation")
        at.drain()
    queue = Drain(at.office.crm, at.office.store, at.clock, "admin")
    first, second = (errand.number for errand in at.errands())
    queue.drop("t", second)
    queue.retry("t", first)
    assert (1, "1", 1) == (at.drain().done, str(at.row(record)["Prio"]), at.stored(record).value.priority)
    with pytest.raises(NotFound, match="errand list"):
        queue.drop("t", second)


def test_a_refused_new_record_stays_here_until_it_is_dropped(desk):
    """Nobody loses what was typed; changing it tries again."""
    at = desk(QUEUE)
    at.add(Kind.TASKS, uid="before", name="before.ics")
    at.outage()
    record, other = at.add(Kind.CONTACTS), at.add(Kind.APPOINTMENTS, name="b.ics")
    at.recover()
    at.fault(kind="error", verb="create", resourcetype="address", code=131, message="No right")
    at.fault(kind="error", verb="create", resourcetype="calendar", code=131, message="No right")
    assert 2 == at.drain().refused
    assert [False, False] == [at.stored(one).deleted for one in (record, other)]
    assert "Bonn" == at.row(at.edit(record, city="Bonn"))["Ort"]
    assert [other.id] == [errand.record_id for errand in at.errands()]
    (number,) = (errand.number for errand in at.errands())
    Drain(at.office.crm, at.office.store, at.clock, "admin").drop("t", number)
    assert (True, 0) == (at.stored(other).deleted, len(at.rows(Kind.APPOINTMENTS)))


def test_one_process_sends_at_a_time(desk):
    """The others leave it alone."""
    at = desk(QUEUE)
    at.add(Kind.TASKS, uid="before", name="before.ics")
    at.outage()
    at.add(Kind.TASKS)
    at.recover()
    with at.office.store.writing() as tx:
        assert tx.lease("errands t", "another", at.clock(), at.clock().replace(year=2027))
    assert (0, 1) == ((found := at.drain()).done, found.left)
    with at.office.store.writing() as tx:
        tx.end_lease("errands t", "another")
    assert 1 == at.drain().done


def test_a_process_that_stood_still_does_not_send_what_another_one_has_sent(desk, make_office):
    """Longer than its lease, just before it sends: another one sends meanwhile, onOffice makes it, and the answer is lost."""
    at, other = desk(QUEUE), make_office(crm="onoffice")
    at.add(Kind.TASKS, uid="before", name="before.ics")
    at.outage()
    at.add(Kind.TASKS)
    at.recover()
    store, left = at.office.store, [3]  # the lease is taken, and looked after; then it is noted that this is sent
    writing = store.writing

    def stand_still(**how):
        left[0] -= 1
        if left[0] == 0:
            at.wait(minutes=1)
            at.fault(verb="create", resourcetype="task", kind="reset", when="after")
            assert 1 == Drain(other.crm, other.store, at.clock, "two")("t").left
        return writing(**how)

    store.writing = stand_still
    assert (1, 2) == (at.drain("one").left, len(at.rows(Kind.TASKS)))
    at.wait(minutes=5)
    assert (1, 2, []) == (at.drain().done, len(at.rows(Kind.TASKS)), at.errands())


# ------------------------------------------------------- one that cannot be done


def test_what_cannot_be_cleared_up_keeps_nothing_else_waiting(desk, caplog):
    """A change without an answer, of an appointment that onOffice shows without a day since: it waits, is told of once, and the rest is sent."""
    at = desk(QUEUE)
    record, other = at.add(Kind.APPOINTMENTS), at.add(Kind.TASKS, uid="other", name="b.ics")
    with failing_commit(at, 3):  # the commit of the answer: the feed is brought up to date, and the errand noted, before
        at.edit(record, note="Schlüssel")
    at.control.edit("calendar", at.number(record), start_dt="0000-00-00 00:00:00")
    at.outage()
    at.edit(other, priority=1)
    at.recover()
    at.wait(minutes=5)
    assert [(1, 1), (0, 1)] == [(found.done, found.left) for found in (at.drain(), at.drain())]
    assert ("1", [record.id]) == (str(at.row(other)["Prio"]), [errand.record_id for errand in at.errands()])
    queue = Drain(at.office.crm, at.office.store, at.clock, "test")
    caplog.clear()
    queue("t"), queue("t")
    assert 1 == sum("cannot be understood" in line.message for line in caplog.records)
    at.control.edit("calendar", at.number(record), start_dt="2026-04-01 10:00:00")
    assert (1, []) == (at.drain().done, at.errands())
