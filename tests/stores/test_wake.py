"""Who waits for changes, and how commits of this and of other processes reach them, on both engines."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy

from radicale_onoffice.core.model import FOREVER, Actor, Contact, Face, Identity, Kind, Record, Tenant
from radicale_onoffice.core.ports import Summary
from radicale_onoffice.stores.sql import open_store
from radicale_onoffice.stores.wake import Hub

ANNA = Identity("t", "anna")
ACTOR = Actor(identity=ANNA, face=Face.CRM)
NOW = datetime(2026, 3, 15, 8, 30, tzinfo=UTC)
CONTACTS, TASKS = frozenset({Kind.CONTACTS}), frozenset({Kind.TASKS})
U_ANNA, U_BERT = frozenset({"u:anna"}), frozenset({"u:bert"})
PLENTY = 20.0  # seconds; only a defect takes that long
ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(database_url):
    store = open_store(database_url)
    store.migrate()
    with store.writing() as tx:
        tx.save_tenant(Tenant(name="t"))
    yield store
    store.close()


def write(store, record_id: str = "r1", *, principals=U_ANNA, tenant: str = "t", version: int = 1) -> None:
    """Commit one version of a contact that concerns these principals."""
    with store.writing() as tx:
        record = Record(
            tenant=tenant,
            id=record_id,
            kind=Kind.CONTACTS,
            version=version,
            change=tx.next_change(tenant),
            name=f"{record_id}.vcf",
            uid=record_id,
            value=Contact(last_name="Berger"),
            ends=FOREVER,
            modified=NOW,
            created=NOW,
        )
        tx.save_record(record, Summary(frozenset(principals), "", "", 0, FOREVER, False), "created", ACTOR)


def in_hub(store, scene) -> None:
    """Play a scene, a coroutine function of a started hub, to its end."""

    async def play() -> None:
        hub = Hub(store)
        hub.start()
        try:
            await asyncio.wait_for(scene(hub), 3 * PLENTY)
        finally:
            hub.close()

    asyncio.run(play())


def from_another_process(url: str, what: str) -> None:
    """Run statements of this module in a process of its own, and wait for its end."""
    code = f"from tests.stores.test_wake import *\nstore = open_store({url!r})\n{what}\nstore.close()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_a_commit_wakes_whom_it_concerns_and_nobody_else(store):
    """By kind and principal; another user's phone sleeps on, and so does another tenant's."""

    async def scene(hub: Hub) -> None:
        anna, bert = hub.watch("t", U_ANNA, CONTACTS), hub.watch("t", U_BERT, CONTACTS)
        tasks, other = hub.watch("t", U_ANNA, TASKS), hub.watch("other", U_ANNA, CONTACTS)
        await asyncio.to_thread(write, store)
        assert await anna.wait(PLENTY)
        # By then the others have been passed over: one reading wakes all whom it finds.
        assert [False] * 3 == [await one.wait(0) for one in (bert, tasks, other)]

    in_hub(store, scene)


def test_what_commits_between_the_look_and_the_wait_is_not_missed(store):
    """The ticket is taken first."""

    async def scene(hub: Hub) -> None:
        ticket, second = hub.watch("t", U_ANNA, CONTACTS), hub.watch("t", U_ANNA, CONTACTS)
        await asyncio.to_thread(write, store)
        assert await second.wait(PLENTY)
        assert await ticket.wait(PLENTY)
        assert not await ticket.wait(0)  # told once; who was told looks again
        await asyncio.to_thread(write, store, version=2)
        assert await ticket.wait(PLENTY)

    in_hub(store, scene)


def test_whom_a_record_leaves_is_woken(store):
    """Its phone has to take the record away."""
    write(store, principals=U_ANNA | U_BERT)

    async def scene(hub: Hub) -> None:
        bert = hub.watch("t", U_BERT, CONTACTS)
        await asyncio.to_thread(write, store, version=2)
        assert await bert.wait(PLENTY)

    in_hub(store, scene)


def test_a_change_of_gates_or_devices_wakes_the_whole_tenant(store):
    """Also together with a record that concerns one of them only; a record that concerns nobody wakes nobody."""

    async def scene(hub: Hub) -> None:
        anna, bert, other = hub.watch("t", U_ANNA, TASKS), hub.watch("t", U_BERT, CONTACTS), hub.watch("u", U_ANNA, CONTACTS)
        await asyncio.to_thread(write, store, principals=())
        await asyncio.to_thread(write, store, tenant="u")
        assert await other.wait(PLENTY)
        assert [False, False] == [await one.wait(0) for one in (anna, bert)]
        await asyncio.to_thread(everybody, store)
        assert [True, True] == [await one.wait(PLENTY) for one in (anna, bert)]

    in_hub(store, scene)


def everybody(store) -> None:
    with store.writing() as tx:
        tx.next_change("t", everybody=True)


def test_a_commit_that_is_rolled_back_or_grows_no_number_wakes_nobody(store):
    """A refreshed feed or a saved sync state is no news to anybody."""

    async def scene(hub: Hub) -> None:
        anna, other = hub.watch("t", U_ANNA, CONTACTS), hub.watch("u", U_ANNA, CONTACTS)
        await asyncio.to_thread(fails, store)
        await asyncio.to_thread(saves_a_state, store)
        await asyncio.to_thread(write, store, tenant="u")
        assert await other.wait(PLENTY)
        assert not await anna.wait(0)

    in_hub(store, scene)


def fails(store) -> None:
    with pytest.raises(RuntimeError), store.writing() as tx:
        tx.next_change("t", everybody=True)
        raise RuntimeError


def saves_a_state(store) -> None:
    with store.writing() as tx:
        tx.save_sync_state(ANNA, "d", "contacts", "{}", b"")


def test_the_time_ends_and_a_cancel_ends_the_wait(store):
    """The newer request of a device ends the older one."""

    async def scene(hub: Hub) -> None:
        ticket = hub.watch("t", U_ANNA, CONTACTS)
        assert not await ticket.wait(0.01)
        waiting = asyncio.create_task(ticket.wait(PLENTY))
        asyncio.get_running_loop().call_soon(ticket.cancel)
        assert not await waiting
        ticket.cancel()
        assert (0, False) == (hub.waiting, await ticket.wait(PLENTY))

    in_hub(store, scene)


def test_a_request_that_is_given_up_leaves_nothing_behind(store):
    """A phone that goes away while it waits: the task is cancelled, and the ticket given back."""

    async def scene(hub: Hub) -> None:
        ticket = hub.watch("t", U_ANNA, CONTACTS)
        waiting = asyncio.create_task(ticket.wait(PLENTY))
        await asyncio.to_thread(write, store, "r0", principals=U_BERT)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        ticket.cancel()
        assert 0 == hub.waiting
        assert ({}, {}) == (hub._tickets, hub._by_key)

    in_hub(store, scene)


def test_a_hub_that_closes_tells_everybody(store):
    """The server goes down: nobody waits on; and who comes late does not wait either."""

    async def scene(hub: Hub) -> None:
        waiting = [asyncio.create_task(hub.watch("t", U_ANNA, CONTACTS).wait(PLENTY)) for _ in range(3)]
        asyncio.get_running_loop().call_soon(hub.close)
        assert [False] * 3 == await asyncio.gather(*waiting)
        assert not await hub.watch("t", U_ANNA, CONTACTS).wait(PLENTY)
        await asyncio.to_thread(write, store)

    in_hub(store, scene)


def test_another_processs_commit_wakes(store, database_url):
    """SQLite by the file's data version, PostgreSQL by what next_change notifies."""

    async def scene(hub: Hub) -> None:
        anna, bert = hub.watch("t", U_ANNA, CONTACTS), hub.watch("t", U_BERT, CONTACTS)
        await asyncio.to_thread(from_another_process, database_url, "write(store)")
        assert await anna.wait(PLENTY)
        assert not await bert.wait(0)
        await asyncio.to_thread(from_another_process, database_url, "everybody(store)")
        assert await bert.wait(PLENTY)

    in_hub(store, scene)


def test_many_writers_wake_everybody_who_looks_again(store):
    """Four threads write; each waiter ends only when it has seen the last change, and none is left waiting."""

    def writer(number: int) -> None:
        for step in range(10):
            write(store, f"r{number}-{step}")

    async def follow(hub: Hub) -> int:
        looks = 0
        ticket = hub.watch("t", U_ANNA, CONTACTS)
        while await asyncio.to_thread(number, store) < 40:
            looks += 1
            assert await ticket.wait(PLENTY)
        ticket.cancel()
        return looks

    async def scene(hub: Hub) -> None:
        followers = [asyncio.create_task(follow(hub)) for _ in range(5)]
        threads = [threading.Thread(target=writer, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        looks = await asyncio.gather(*followers)
        for thread in threads:
            thread.join()
        assert all(1 <= one <= 40 for one in looks)

    in_hub(store, scene)


def number(store) -> int:
    with store.reading() as tx:
        return tx.change("t")


def test_a_lost_connection_to_postgresql_is_made_again(postgres_url):
    """And what was committed meanwhile is told."""
    store, other = open_store(postgres_url), open_store(postgres_url)
    store.migrate()

    async def scene(hub: Hub) -> None:
        ticket = hub.watch("t", U_ANNA, CONTACTS)
        # Through another store: this one's own commits would tell its hub without PostgreSQL's help.
        await asyncio.to_thread(write, other)
        assert await ticket.wait(PLENTY)
        await asyncio.to_thread(kill_listeners, other)
        await asyncio.to_thread(write, other, version=2)
        assert await ticket.wait(PLENTY)
        await asyncio.to_thread(write, other, version=3)
        assert await ticket.wait(PLENTY)

    in_hub(store, scene)
    store.close()
    other.close()


def kill_listeners(store) -> None:
    with store.engine.begin() as connection:
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND (query = 'SELECT 1' OR query LIKE 'LISTEN%')"
        )
        assert connection.execute(sqlalchemy.text(query)).all()


def test_five_thousand_wait_and_one_commit_wakes_one(store):
    """A signal reads the counters once and the moved rows once, however many wait; no task, thread or poll belongs to a waiter."""
    statements = []

    async def scene(hub: Hub) -> None:
        tickets = [hub.watch("t", frozenset({f"u:{number}", "g:all"}), frozenset(Kind)) for number in range(5000)]
        waiting = [asyncio.ensure_future(one.wait(PLENTY)) for one in tickets]
        await asyncio.sleep(0)
        sqlalchemy.event.listen(store.engine, "after_cursor_execute", lambda *arguments: statements.append(arguments[2]))
        await asyncio.to_thread(write, store, principals={"u:4711"})
        assert await waiting[4711]
        assert 1 == sum(one.done() for one in waiting)
        hub.close()
        assert [False] * 4999 == [one.result() for one in await finished(waiting) if not one.result()]

    in_hub(store, scene)
    # One reading by the commit's own signal, and one more that other processes' channel asks for at most.
    readings = [one for one in statements if "everybody" in one and one.startswith("SELECT")]
    assert 1 <= len(readings) <= 3


async def finished(tasks):
    done, pending = await asyncio.wait(tasks, timeout=PLENTY)
    assert not pending
    return done


def test_replace_keeps_the_listener_of_another_hub(store):
    """Two hubs of one store, e.g. of two mounted applications: each hears, and closing one leaves the other."""

    async def scene(hub: Hub) -> None:
        second = Hub(store)
        second.start()
        ticket, other = hub.watch("t", U_ANNA, CONTACTS), second.watch("t", U_ANNA, CONTACTS)
        await asyncio.to_thread(write, store)
        assert [True, True] == [await ticket.wait(PLENTY), await other.wait(PLENTY)]
        second.close()
        await asyncio.to_thread(write, store, version=2)
        assert await ticket.wait(PLENTY)

    in_hub(store, scene)
    assert () == store.listeners
