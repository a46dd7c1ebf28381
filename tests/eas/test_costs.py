"""What a request costs, counted: statements, commits, and commits that wait for the disk; however much is stored (design 9)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import sqlalchemy

from activesync_bridge.wbxml.codepages import Contacts
from tests.eas.phone import E, add, change, delete

# How an engine is asked whether a commit will wait for the disk, and what it says then
DURABLE = {"sqlite": ("PRAGMA synchronous", 2), "postgresql": ("SHOW synchronous_commit", "on")}
SIZES = (3, 103)  # contacts: as many more as to show that none of them is looked at


@dataclass
class Costs:
    """What was asked of the database, and how it was committed."""

    statements: list[str] = field(default_factory=list)
    commits: int = 0
    waits: int = 0

    @property
    def sums(self) -> tuple[int, int, int]:
        return len(self.statements), self.commits, self.waits

    def about(self, words: str) -> list[str]:
        return [one for one in self.statements if words in one]


@contextmanager
def counted(office):
    """Count what happens in the block."""
    costs, engine = Costs(), office.store.engine

    def said(connection, cursor, statement, *_):
        if not statement.startswith(("BEGIN", "SET ")):
            costs.statements.append(statement)

    def committed(connection):
        costs.commits += 1
        asked, waiting = DURABLE[engine.dialect.name]
        costs.waits += connection.connection.driver_connection.execute(asked).fetchone()[0] == waiting

    listeners = (("before_cursor_execute", said), ("commit", committed))
    for name, listener in listeners:
        sqlalchemy.event.listen(engine, name, listener)
    yield costs
    for name, listener in listeners:
        sqlalchemy.event.remove(engine, name, listener)


@pytest.fixture
def filled(server, phone, add_contact):
    """A phone that has fetched at least so many contacts."""

    def make(size):
        for number in range(size):
            add_contact("Anna", f"A{number}")
        mine = phone(device=f"PHONE{size}")
        mine.folder_sync()
        mine.sync("contacts")
        mine.sync("contacts")
        assert size <= len(mine.of("contacts").items)
        return mine

    return make


def costs_of(server, filled, act) -> list[Costs]:
    """What ``act`` costs a phone with few and one with many contacts; it is done twice, for the first time may be special."""
    found = []
    for size in SIZES:
        mine = filled(size)
        act(mine, 0)
        with counted(server.office) as costs:
            act(mine, 1)
        found.append(costs)
    return found


def test_a_sync_without_news_reads_six_rows_and_commits_nothing(server, filled):
    """Maintenance, account, device, state; then the account again and the feed's head with the change number."""
    few, many = costs_of(server, filled, lambda mine, _: mine.sync("contacts"))
    assert (6, 0, 0) == few.sums == many.sums
    assert [] == few.about("feed_entries") + few.about("records")


def test_an_estimate_commits_nothing(server, filled):
    """Samsung asks for one before each Sync."""
    few, many = costs_of(server, filled, lambda mine, _: mine.estimate("contacts"))
    assert few.sums == many.sums
    assert 0 == few.commits


def add_one(mine, number):
    mine.sync("contacts", add(f"c{number}", E(Contacts.LastName, f"Neu {number}")))


def change_one(mine, number):
    mine.sync("contacts", change(min(mine.of("contacts").items), E(Contacts.LastName, f"Anders {number}")))


def delete_one(mine, number):
    mine.sync("contacts", delete(min(mine.of("contacts").items)))


@pytest.mark.parametrize(("act", "most", "more", "waits"), [(add_one, 30, 10, 4), (change_one, 29, 8, 3), (delete_one, 27, 8, 3)])
def test_a_change_of_a_phone_is_three_commits(server, filled, world, act, most, more, waits):
    """The record; the feed that names it; key, cursor, digest and answer. The request that is not to be repeated goes with the last.

    Before anything is sent to onOffice, a fourth says so, and ``more`` statements go about that and the record's link; it only waits for the
    disk where doing it twice would make two records.
    """
    few, many = costs_of(server, filled, act)
    assert world.of(embedded=(3, 3), onoffice=(4, waits)) == few.sums[1:] == many.sums[1:]
    assert few.sums == many.sums
    assert most + world.of(embedded=0, onoffice=more) >= len(few.statements)


def test_a_change_in_the_crm_waits_for_the_disk_twice(server, filled, add_contact):
    """The feed; key, cursor, answer and the request that an empty one repeats. Encoded items are a cache, and wait for nothing."""

    found = []
    for size in SIZES:
        mine = filled(size)
        for number in (1, 2):
            add_contact("Bert", f"B{number}")
            with counted(server.office) as costs:
                mine.sync("contacts")
        found.append(costs)
    few, many = found
    assert (3, 2) == few.sums[1:] == many.sums[1:]
    assert few.sums == many.sums
    assert 29 >= len(few.statements)


@pytest.mark.parametrize("window", [10, 100])
def test_a_page_for_a_second_device_encodes_nothing(server, phone, filled, window):
    """What the first device was sent is sent again: no text is read, nothing is encoded, and one commit keeps the key with the answer."""
    filled(203)
    other = phone(device="OTHER")
    other.folder_sync()
    other.prime("contacts")
    other.once("contacts", window=window)
    with counted(server.office) as costs:
        _, more = other.once("contacts", window=window)
    assert more
    assert 2 * window == len(other.of("contacts").items)
    assert (1, 1) == costs.sums[1:]
    assert [] == costs.about("records.text") + costs.about("INSERT INTO fragments") + costs.about("records.value")
    assert 16 >= len(costs.statements)
