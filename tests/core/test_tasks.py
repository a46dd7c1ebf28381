"""Tasks: completing, coarser values of clients, and whom they concern (rules 77-85, U33-U37)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from radicale_onoffice.core import tasks
from radicale_onoffice.core.drafts import TaskDraft
from radicale_onoffice.core.model import Actor, Face, Identity, Kind, Task, TaskStatus, User
from radicale_onoffice.core.policy import OnTaskDelete, Policy
from radicale_onoffice.core.tasks import ClientStatus

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
CRM, PHONE = Actor(identity=ANNA, face=Face.CRM), Actor(identity=ANNA, face=Face.DAV)
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 15, 8, 30, tzinfo=UTC)


def add(office, uid: str, **changes):
    return office.records.write(CRM, Kind.TASKS, Task(subject=uid, **{"responsible": "anna", **changes}), uid=uid)


def offered(office, who=ANNA) -> set[str]:
    return {offer.uid for offer in office.feeds.listing(who, Kind.TASKS)}


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (TaskStatus.NOT_STARTED, ClientStatus.NEEDS_ACTION),
        (TaskStatus.IN_PROCESS, ClientStatus.IN_PROCESS),
        (TaskStatus.COMPLETED, ClientStatus.COMPLETED),
        (TaskStatus.DEFERRED, ClientStatus.NEEDS_ACTION),
        (TaskStatus.CANCELLED, ClientStatus.CANCELLED),
        (TaskStatus.MISCELLANEOUS, ClientStatus.NEEDS_ACTION),
        (TaskStatus.CHECKED, ClientStatus.COMPLETED),
        (TaskStatus.NEEDS_CLARIFICATION, ClientStatus.NEEDS_ACTION),
    ],
)
def test_rule_84_a_client_is_shown_one_of_four_states_and_its_echo_changes_nothing(status, shown):
    """The finer status survives a client that sends the coarser one back (rule 79)."""
    task = Task(status=status, done=status in tasks.COMPLETED)
    assert shown is tasks.client_status(task)
    assert task == tasks.with_client_status(task, shown)


def test_rule_80_completing_sets_both_marks_and_the_moment():
    """Status and done flag are independent in onOffice."""
    done = tasks.settle(tasks.with_client_status(Task(progress=25), ClientStatus.COMPLETED), NOW)
    assert (TaskStatus.COMPLETED, True, 100, NOW) == (done.status, done.done, done.progress, done.completed_at)
    assert (TaskStatus.COMPLETED, True) == (tasks.settle(Task(done=True), NOW).status, tasks.settle(Task(done=True), NOW).done)


@pytest.mark.parametrize(("progress", "status"), [(0, TaskStatus.NOT_STARTED), (50, TaskStatus.IN_PROCESS), (100, TaskStatus.IN_PROCESS)])
def test_rule_84_reopening_goes_by_the_progress(progress, status):
    """Un-completing on a device: erledigt false, in process if there is progress."""
    task = Task(status=TaskStatus.COMPLETED, done=True, completed_at=NOW, progress=progress)
    again = tasks.settle(tasks.with_client_status(task, ClientStatus.NEEDS_ACTION), NOW)
    assert (False, None, status) == (again.done, again.completed_at, again.status)


@pytest.mark.parametrize(("percent", "stored"), [(0, 0), (12, 0), (13, 25), (40, 50), (99, 75), (100, 100), (250, 100), (-5, 0)])
def test_rule_84_progress_snaps_to_quarters(percent, stored):
    """Only what is complete is 100."""
    assert stored == tasks.snap_progress(percent)


@pytest.mark.parametrize(("priority", "stored"), [(0, 3), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (7, 4), (8, 4), (9, 5)])
def test_rule_84_priorities_of_icalendar(priority, stored):
    """0 says nothing: normal."""
    assert stored == tasks.priority_from_client(priority)


def test_u33_a_task_concerns_its_responsible_and_its_processor(office):
    """Not who made it."""
    add(office, "responsible")
    add(office, "processor", responsible="bert", processor="anna")
    add(office, "created", responsible="bert", creator="anna")
    assert {"responsible", "processor"} == offered(office)


@pytest.mark.crm("embedded", reason="onOffice's API does not write the private mark, and its user is the creator")
def test_u33_a_private_task_concerns_its_responsible_and_its_creator(office):
    """Not its processor (rule 77)."""
    add(office, "responsible", private=True)
    add(office, "private processor", responsible="bert", processor="anna", private=True)
    add(office, "private creator", responsible="bert", creator="anna", private=True)
    assert {"responsible", "private creator"} == offered(office)


def test_u33_group_tasks_are_an_option(make_office):
    """Off unless switched on."""
    for policy, expected in ((Policy(), set()), (Policy(group_tasks=True), {"group"})):
        office = make_office(policy)
        with office.store.writing() as tx:
            tx.save_user(User(identity=ANNA, groups=("sales",)))
        add(office, "group", responsible="sales", responsible_is_group=True) if not expected else None
        assert expected == offered(office)


def test_u34_a_completed_task_stays_30_days(office, clock):
    """Then it drops from the device and stays in the CRM."""
    clock.now = datetime(2026, 3, 1, 11, tzinfo=UTC)
    record = add(office, "done", status=TaskStatus.COMPLETED, done=True, completed_at=clock.now.astimezone(BERLIN))
    clock.now = datetime(2026, 3, 31, 12, tzinfo=UTC)
    assert {"done"} == offered(office)
    clock.now += timedelta(days=1)
    assert set() == offered(office)
    assert record == office.records.get("t", record.id)


def test_u35_the_cap_keeps_open_tasks_that_are_due_first(make_office):
    """Completed ones go first."""
    office = make_office(Policy(max_tasks=2))
    add(office, "late", deadline=date(2026, 12, 1), deadline_strict=True)
    add(office, "soon", deadline=date(2026, 4, 1), deadline_strict=True)
    add(office, "done", status=TaskStatus.COMPLETED, done=True, completed_at=NOW.astimezone(BERLIN))
    add(office, "sometime")
    assert {"soon", "late"} == offered(office)


def test_u36_deleting_on_a_device_keeps_the_task_in_the_crm(office):
    """It is not offered to this user any more, but to the other (rule 83)."""
    record = add(office, "both", processor="bert")
    office.records.delete(PHONE, Kind.TASKS, record.id)
    assert (set(), {"both"}) == (offered(office), offered(office, BERT))


def test_u36_an_option_deletes(make_office):
    """For offices that want it so; the history still has it."""
    office = make_office(Policy(task_delete=OnTaskDelete.DELETE))
    record = add(office, "gone")
    office.records.delete(PHONE, Kind.TASKS, record.id)
    with office.store.reading() as tx:
        assert tx.record("t", record.id).deleted
    office.records.restore(CRM, record.id, 1)
    assert {"gone"} == offered(office)


def test_u37_a_task_made_on_a_device_is_its_users(office, world):
    """Responsible, processor and creator, who in onOffice is the API user; priority 3, not started."""
    value = office.records.put(PHONE, Kind.TASKS, TaskDraft(value=Task(subject="new"))).value
    assert ("anna", "anna", world.of(embedded="anna", onoffice="api"), 3, TaskStatus.NOT_STARTED) == (
        value.responsible,
        value.processor,
        value.creator,
        value.priority,
        value.status,
    )


def test_rule_85_a_recurring_task_keeps_its_first_instance_and_tells(office):
    """Accepted, stored once, reported; also if the repetition is added later."""
    office.records.put(PHONE, Kind.TASKS, TaskDraft(value=Task(subject="weekly"), occurs=True))
    later = office.records.put(PHONE, Kind.TASKS, TaskDraft(value=Task(subject="once")))
    office.records.put(PHONE, Kind.TASKS, TaskDraft(value=replace(later.value, subject="daily"), occurs=True), record_id=later.id)
    assert 2 == len(offered(office))
    with office.store.reading() as tx:
        assert 2 == sum("recurring task" in line.detail for line in tx.audit("t", 9))


def test_rule_81_only_fields_that_changed_are_written(office, crm_has):
    """What the device does not know stays."""
    crm_has(estate=17)
    record = add(office, "a", comment="log", effort_planned=60, estate="17", type="168")
    stored = office.records.put(
        PHONE, Kind.TASKS, TaskDraft(value=replace(record.value, subject="b"), leftovers=record.leftovers), record_id=record.id
    )
    assert replace(record.value, subject="b") == stored.value
