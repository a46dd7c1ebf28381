"""Turns: how many requests compute at once.

Python runs one thread at a time; more than one that wants to only take the interpreter from each other, which costs a third of the
throughput. A request holds a turn while it computes and gives it up while it waits for a password server or a hash. It must not
wait for anything that another request holds without a turn: only sign-in, before any lock and outside of any transaction, gives its turn up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_mine: ContextVar[threading.Semaphore | None] = ContextVar("turn", default=None)


@contextmanager
def taken(turns: threading.Semaphore) -> Iterator[None]:
    """Hold a turn."""
    with turns:
        token = _mine.set(turns)
        try:
            yield
        finally:
            _mine.reset(token)


@contextmanager
def given_up() -> Iterator[None]:
    """Let others compute while this request waits; without effect where there are no turns."""
    turns = _mine.get()
    if turns is None:
        yield
        return
    turns.release()
    try:
        yield
    finally:
        turns.acquire()
