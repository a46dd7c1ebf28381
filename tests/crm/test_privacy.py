"""Private tasks: who sees them (U33), and that nobody is led to believe that a task is private which is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radicale_onoffice.core.model import Actor, Face, Identity, Kind, Task
from radicale_onoffice.crm.onoffice import tenants
from radicale_onoffice.crm.onoffice.tenants import Access
from tests.crm.desks import ANNA, PHONE, Desk

BERT = Identity("t", "bert")
TOLD = "onOffice does not take whether a task is private from here"


@pytest.fixture
def writable(desk):
    """An account that takes Privat, of which the administrator told us."""
    at = desk(task_private_write="effective")
    with at.office.store.writing() as tx:
        known = tenants.access(tx, "t") or Access()
        tenants.save_access(tx, "t", replace(known, task_private_writable=True))
    return at


def seen(at: Desk, identity: Identity) -> list[str]:
    return [entry.record_id for entry in at.office.feeds.entries(identity, Kind.TASKS, "")[1] if entry.live]


def test_a_private_task_is_private_on_both_sides(writable):
    """Made, and changed, where the account takes it; nothing deviates."""
    record = writable.add(Kind.TASKS, changes={"private": True})
    assert (True, True, []) == (bool(writable.row(record)["Privat"]), record.value.private, writable.told())
    record = writable.edit(record, private=False)
    assert (False, False, []) == (bool(writable.row(record)["Privat"]), record.value.private, writable.told())


def test_a_new_task_that_cannot_be_private_says_so(desk):
    """It is made, as public as onOffice has it, and the user's page tells that colleagues can see it."""
    at = desk()
    record = at.add(Kind.TASKS, changes={"private": True})
    assert ("Privat" in at.row(record), record.value.private) == (False, False)
    assert [True] == [TOLD in line and "colleagues can see it there" in line for line in at.told()]


def test_a_mark_alone_that_cannot_be_written_is_not_kept_here_either(desk):
    """Both sides have the same; no request is needed to know."""
    at = desk()
    record = at.add(Kind.TASKS)
    at.control.reset_counters()
    changed = at.edit(record, private=True)
    assert (False, 0, 1) == (changed.value.private, at.control.counters()["requests"], sum(TOLD in line for line in at.told()))


def test_a_private_task_of_onoffices_stays_private_whatever_a_device_says(desk):
    """As long as it cannot be written; other fields are changed all the same."""
    at = desk()
    record = at.add(Kind.TASKS)
    at.control.edit("task", at.number(record), Privat=True)
    changed = at.edit(record, priority=1)
    assert (True, "1") == (changed.value.private, str(at.row(record)["Prio"]))
    changed = at.edit(changed, private=False, priority=2)
    assert (True, "2", True) == (
        changed.value.private,
        str(at.row(record)["Prio"]),
        any("it stays private there" in line for line in at.told()),
    )


@pytest.mark.parametrize("private", [True, False])
def test_u33_a_private_task_concerns_its_creator_and_its_responsible(desk, private):
    """Who made it for somebody else sees it as well as who is to do it; its processor only if it is not private."""
    at = desk()
    actor = Actor(identity=ANNA, face=Face.CRM)
    value = Task(subject="Geheim", responsible="bert", creator="anna", processor="anna", private=private)
    record = at.office.records.write(actor, Kind.TASKS, value)
    at.control.edit("task", at.number(record), von="anna", Privat=private)
    stored = at.edit(record, actor=replace(PHONE, identity=BERT), priority=1)
    assert (private, "anna") == (stored.value.private, stored.value.creator)
    assert ([record.id], [record.id]) == (seen(at, ANNA), seen(at, BERT))
    at.control.edit("task", at.number(record), von="api")
    at.edit(stored, actor=replace(PHONE, identity=BERT), priority=2)
    assert ([] if private else [record.id], [record.id]) == (seen(at, ANNA), seen(at, BERT))
