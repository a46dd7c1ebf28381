"""Turns: how many requests compute at once, and who is next."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from radicale_onoffice import turns, wiring
from radicale_onoffice.storage import Storage
from radicale_onoffice.turns import Turns
from radicale_onoffice.workers import Pool

PATIENCE = 20  # seconds; nothing here takes any time


@pytest.fixture
def hasher(monkeypatch):
    """The server's hasher, cheap, with none of its places free until they are given back."""
    made = wiring.Hasher(argon2__memory_cost=8, argon2__time_cost=1, argon2__parallelism=1)
    places = threading.Semaphore(0)
    monkeypatch.setattr(made, "_places", places)
    return made, places


@pytest.fixture
def make():
    """Turns over threads of their own."""
    executors = []

    def made(threads: int = 4, at_once: int = 1) -> Turns:
        executors.append(ThreadPoolExecutor(threads))
        return Turns(executors[-1], threads=threads, at_once=at_once)

    yield made
    for executor in executors:
        executor.shutdown()


class Course:
    """What happened in which order, and a way to wait for it."""

    def __init__(self):
        self.happened: list[str] = []
        self._changed = threading.Condition()

    def note(self, word: str) -> None:
        with self._changed:
            self.happened.append(word)
            self._changed.notify_all()

    def wait_for(self, word: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: word in self.happened, PATIENCE), self.happened


def test_jobs_run_one_after_the_other_in_their_order(make):
    """Whoever comes while a turn is taken waits; a thread that ends a job goes on with the next."""
    one_turn, course, go = make(), Course(), threading.Event()

    def first() -> None:
        course.note("first")
        go.wait(PATIENCE)

    one_turn.run(first)
    course.wait_for("first")
    for number in range(20):
        one_turn.run(lambda number=number: course.note(str(number)))
    assert ["first"] == course.happened
    go.set()
    course.wait_for("19")
    assert ["first", *map(str, range(20))] == course.happened


def test_as_many_jobs_compute_at_once_as_there_are_turns(make):
    """Two meet, which one after the other never could."""
    two_turns, meeting, met = make(at_once=2), threading.Barrier(2, timeout=PATIENCE), Course()
    for _ in range(2):
        two_turns.run(lambda: met.note(f"met {meeting.wait()}"))
    met.wait_for("met 0")
    met.wait_for("met 1")


def test_a_turn_that_is_given_up_is_anothers_and_who_comes_back_goes_first(make):
    """The waiting one gets its turn before the third, which came while it waited."""
    one_turn, course, hashed = make(), Course(), threading.Event()

    def waits() -> None:
        with turns.given_up():
            course.note("waits")
            hashed.wait(PATIENCE)
            course.note("is back")
        course.note("goes on")

    def second() -> None:
        course.note("second")
        one_turn.run(lambda: course.note("third"))
        hashed.set()
        course.wait_for("is back")
        # Until it stands in the queue: it asks for its turn behind the note, and only then may this job end.
        while not one_turn._returning:
            pass

    one_turn.run(waits)
    course.wait_for("waits")
    one_turn.run(second)
    course.wait_for("third")
    assert ["waits", "second", "is back", "goes on", "third"] == course.happened


def test_jobs_without_a_thread_hold_no_turn(make):
    """All threads wait without a turn: the next job must not be given one, for the threads could then never go on."""
    one_thread, course, hashed = make(threads=1), Course(), threading.Event()

    def waits() -> None:
        with turns.given_up():
            course.note("waits")
            hashed.wait(PATIENCE)
        course.note("goes on")

    one_thread.run(waits)
    course.wait_for("waits")
    one_thread.run(lambda: course.note("next"))
    hashed.set()
    course.wait_for("next")
    assert ["waits", "goes on", "next"] == course.happened


def test_without_turns_there_is_nothing_to_give_up():
    """The administrator's command hashes, too."""
    with turns.given_up():
        pass


def test_a_pool_hands_results_and_errors_to_who_asked():
    """An error is its own request's, and the thread goes on."""
    pool = Pool(1)

    def fails() -> None:
        raise KeyError("x")

    async def ask() -> list[object]:
        return await asyncio.gather(pool.run(pow, 2, 5), pool.run(fails), pool.run(pow, 2, 6), return_exceptions=True)

    found = asyncio.run(ask())
    assert (32, 64) == (found[0], found[2])
    assert isinstance(found[1], KeyError)


def test_who_has_gone_is_not_answered():
    """A request that is given up leaves its job to end by itself, and the next one is answered as ever."""
    pool, began, go = Pool(1), threading.Event(), threading.Event()

    def long() -> None:
        began.set()
        go.wait(PATIENCE)

    async def ask() -> int:
        task = asyncio.ensure_future(pool.run(long))
        await asyncio.get_running_loop().run_in_executor(None, began.wait, PATIENCE)
        task.cancel()
        go.set()
        return await pool.run(pow, 2, 5)

    assert 32 == asyncio.run(ask())


def test_who_waits_for_a_writer_lets_others_compute(make, server):
    """A writer that waits for the CRM has no turn; whoever wants the same user's lock must not wait for it with the only one."""
    storage, one_turn, course = Storage(server.configuration), make(), Course()

    def writer(name: str) -> None:
        with storage.acquire_lock("w", "anna"):
            course.note(f"{name} writes")
            with turns.given_up():
                course.wait_for("somebody reads")
        course.note(f"{name} is done")

    one_turn.run(lambda: writer("first"))
    course.wait_for("first writes")
    one_turn.run(lambda: writer("second"))
    one_turn.run(lambda: course.note("somebody reads"))
    course.wait_for("first is done")
    course.wait_for("second is done")


@pytest.mark.parametrize("what", ["hash", "verify"])
def test_who_waits_for_a_place_to_hash_keeps_no_turn(make, hasher, what):
    """Wrong passwords fill the places; whoever needs none is served meanwhile."""
    (one_hasher, places), one_turn, course = hasher, make(), Course()
    stored = wiring.Hasher(argon2__memory_cost=8, argon2__time_cost=1, argon2__parallelism=1).hash("secret")

    def hashing() -> None:
        one_hasher.hash("secret") if what == "hash" else one_hasher.verify("secret", stored)
        course.note("hashed")

    one_turn.run(hashing)
    one_turn.run(lambda: course.note("served"))
    course.wait_for("served")
    places.release()
    course.wait_for("hashed")
    assert ["served", "hashed"] == course.happened
