"""What is particular to tasks: completing and reopening, the coarser values of clients, and whom they concern (rules 77-85)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

from radicale_onoffice.core.appointments import posix
from radicale_onoffice.core.model import FOREVER, Task, TaskStatus
from radicale_onoffice.core.ports import Summary


class ClientStatus(Enum):
    """The states that clients tell apart (rule 84)."""

    NEEDS_ACTION = "NEEDS-ACTION"
    IN_PROCESS = "IN-PROCESS"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


COMPLETED = (TaskStatus.COMPLETED, TaskStatus.CHECKED)
CLIENT_STATUS = {
    TaskStatus.NOT_STARTED: ClientStatus.NEEDS_ACTION,
    TaskStatus.IN_PROCESS: ClientStatus.IN_PROCESS,
    TaskStatus.COMPLETED: ClientStatus.COMPLETED,
    TaskStatus.DEFERRED: ClientStatus.NEEDS_ACTION,
    TaskStatus.CANCELLED: ClientStatus.CANCELLED,
    TaskStatus.MISCELLANEOUS: ClientStatus.NEEDS_ACTION,
    TaskStatus.CHECKED: ClientStatus.COMPLETED,
    TaskStatus.NEEDS_CLARIFICATION: ClientStatus.NEEDS_ACTION,
}
PRIORITIES = {1: 1, 2: 3, 3: 5, 4: 7, 5: 9}  # Prio to iCalendar PRIORITY (rule 84)


def is_completed(task: Task) -> bool:
    """True if either of onOffice's two independent marks says so (rule 80)."""
    return task.done or task.status in COMPLETED


def client_status(task: Task) -> ClientStatus:
    """The state that a client is shown."""
    return ClientStatus.COMPLETED if task.done else CLIENT_STATUS[task.status]


def with_client_status(task: Task, status: ClientStatus) -> Task:
    """The task in a client's state; a state that says the same as the stored, finer one changes nothing (rule 84)."""
    if status is client_status(task):
        return task
    if status is ClientStatus.COMPLETED:
        return replace(task, status=TaskStatus.COMPLETED, done=True, progress=100)
    was_completed = is_completed(task)
    if was_completed:
        task = reopen(task)
    if status is ClientStatus.CANCELLED:
        return replace(task, status=TaskStatus.CANCELLED)
    if was_completed and status is ClientStatus.NEEDS_ACTION:
        return task
    return replace(task, status=TaskStatus.IN_PROCESS if status is ClientStatus.IN_PROCESS else TaskStatus.NOT_STARTED)


def reopen(task: Task) -> Task:
    """Un-complete: status follows from the progress, which goes back to 75 if it was 100 (rule 84)."""
    progress = 75 if task.progress == 100 else task.progress
    return replace(
        task, done=False, completed_at=None, progress=progress, status=TaskStatus.IN_PROCESS if progress else TaskStatus.NOT_STARTED
    )


def settle(task: Task, now: datetime) -> Task:
    """Both of onOffice's marks together: completing sets them and the moment, and nothing open keeps a moment (rule 80)."""
    if not is_completed(task):
        return replace(task, completed_at=None) if task.completed_at else task
    status = task.status if task.status in COMPLETED else TaskStatus.COMPLETED
    return replace(task, done=True, status=status, progress=100, completed_at=task.completed_at or now)


def snap_progress(percent: int) -> int:
    """The nearest of onOffice's steps of 25; only what is complete is 100 (rule 84)."""
    return 100 if percent >= 100 else min(75, max(0, (percent + 12) // 25 * 25))


def priority_from_client(priority: int) -> int:
    """Prio 1..5 of an iCalendar PRIORITY 0..9, where 0 says nothing."""
    return 3 if priority <= 0 else min(5, (priority + 1) // 2)


def is_dropped(mark: str, today: date, days: int) -> bool:
    """True if the mark is that of a task completed more than ``days`` ago (U34)."""
    done, _, day = mark.partition(":")
    return done == "done" and bool(day) and date.fromisoformat(day) < today - timedelta(days=days)


def summary(task: Task, zone: ZoneInfo) -> Summary:
    """Columns of a task: it concerns its responsible and its processor (U33), less those who took it off their device."""
    group = {f"g:{task.responsible}"} if task.responsible_is_group and task.responsible else set()
    responsible = {task.responsible} if task.responsible and not task.responsible_is_group else set()
    users = ({task.creator} | responsible) if task.private else (responsible | {task.processor})
    users -= {"", *task.unsynced_by}
    starts, ends = _span(task, zone)
    return Summary(
        audience=frozenset({f"u:{user}" for user in users} | (set() if task.private else group)),
        mark=_mark(task, zone),
        owner="",
        starts=starts,
        ends=ends,
        recurring=False,
    )


def _mark(task: Task, zone: ZoneInfo) -> str:
    if is_completed(task):
        return f"done:{task.completed_at.astimezone(zone).date().isoformat()}" if task.completed_at else "done"
    return "cancelled" if task.status is TaskStatus.CANCELLED else ""


def _span(task: Task, zone: ZoneInfo) -> tuple[int, int]:
    due = task.deadline if task.deadline_strict else None
    starts = posix(task.deferred_until, zone) if task.deferred_until else (posix(due, zone) if due else 0)
    return starts, max(starts, posix(due, zone)) if due else FOREVER
