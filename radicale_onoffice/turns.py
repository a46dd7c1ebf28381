"""Turns: how many requests compute at once.

Python runs one thread at a time; more than one that wants to only take the interpreter from each other, which costs a third of the
throughput. A request holds a turn while it computes and gives it up while it waits for a password server, a hash or the CRM. It must not
wait with its turn for anything that another request holds without one: a turn is given up outside of any transaction, and whoever waits
for a lock under which others wait for the CRM (a user's write lock, a record's) gives its own turn up, too.

A turn goes from hand to hand: the thread that ends a request goes on with the next one that waits, so that a busy server wakes no threads,
which would cost a fifth of the throughput again. Who comes back for the turn that it gave up goes before who begins.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

_mine = threading.local()  # ``turns``: those that the thread has a turn of
Job = Callable[[], None]  # raises nothing


class Turns:
    """Runs jobs on at most ``threads`` threads of an executor, ``at_once`` of them computing at a time."""

    def __init__(self, executor: Executor, *, threads: int, at_once: int):
        self._executor = executor
        self._idle, self._free = threads, at_once  # threads without a job, turns in nobody's hand
        self._jobs: deque[Job] = deque()
        self._returning: deque[threading.Event] = deque()
        self._books = threading.Lock()

    def run(self, job: Job) -> None:
        """Run a job in a thread when it is its turn; to be called from any thread, and waits for nothing."""
        with self._books:
            self._jobs.append(job)
            job_to_start = self._claim()
        self._start(job_to_start)

    def give_up(self) -> None:
        """The calling job is going to wait: others may compute meanwhile."""
        with self._books:
            self._free += 1
            job_to_start = self._claim()
        self._start(job_to_start)

    def take_back(self) -> None:
        """Wait until it is the calling job's turn again."""
        with self._books:
            if self._free:
                self._free -= 1
                return
            mine = threading.Event()
            self._returning.append(mine)
        mine.wait()

    def _claim(self) -> Job | None:
        """A job that can be started: it waits, and there are a turn and a thread for it; or nobody's turn goes to who wants it back."""
        if self._free and self._returning:
            self._free -= 1
            self._returning.popleft().set()
        if not (self._free and self._idle and self._jobs):
            return None
        self._free -= 1
        self._idle -= 1
        return self._jobs.popleft()

    def _start(self, job: Job | None) -> None:
        if job is not None:
            self._executor.submit(self._work, job)

    def _work(self, job: Job | None) -> None:
        """A thread with a turn: one job after the other, until the turn is wanted back or there are none."""
        _mine.turns = self
        while job is not None:
            job()
            job = self._next()

    def _next(self) -> Job | None:
        """The calling thread's next job, which goes on with its turn; None: the thread has given up both."""
        with self._books:
            if self._jobs and not self._returning:
                return self._jobs.popleft()
            self._free += 1
            self._idle += 1
            return self._claim()


@contextmanager
def given_up() -> Iterator[None]:
    """Let others compute while this request waits; without effect where there are no turns."""
    turns: Turns | None = getattr(_mine, "turns", None)
    if turns is None:
        yield
        return
    turns.give_up()
    try:
        yield
    finally:
        turns.take_back()
