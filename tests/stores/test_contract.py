"""The contract that every store keeps, run against SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import OperationalError

from radicale_onoffice.core.errors import Conflict, Unavailable
from radicale_onoffice.core.model import (
    FOREVER,
    Actor,
    Attempts,
    AuditLine,
    Contact,
    Door,
    Face,
    Identity,
    Kind,
    PageSession,
    Record,
    Tenant,
    User,
    UserState,
)
from radicale_onoffice.core.ports import Entry, Sought, Summary
from radicale_onoffice.stores.sql import open_store
from radicale_onoffice.stores.tables import metadata

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
ACTOR = Actor(identity=ANNA, face=Face.DAV, device="test")
NOW = datetime(2026, 3, 15, 8, 30, tzinfo=UTC)
FOR_ANNA = Summary(frozenset({"u:anna"}), "", "", 0, FOREVER, False, Sought("Berger", "", "berger", "\nberger"))


@pytest.fixture
def store(database_url):
    store = open_store(database_url)
    store.migrate()
    with store.writing() as tx:
        tx.save_tenant(Tenant(name="t"))
        tx.save_user(User(identity=ANNA))
    yield store
    store.close()


def a_record(tx, record_id: str = "r1", version: int = 1, **changes) -> Record:
    record = Record(
        tenant="t",
        id=record_id,
        kind=Kind.CONTACTS,
        version=version,
        change=tx.next_change("t"),
        name=f"{record_id}.vcf",
        uid=record_id,
        value=Contact(last_name="Berger", sync_users=("anna",)),
        text="text",
        etag='"e"',
        ends=FOREVER,
        modified=NOW,
        created=NOW,
    )
    return replace(record, **changes)


def saved(store, summary: Summary = FOR_ANNA, **changes) -> Record:
    with store.writing() as tx:
        record = a_record(tx, **changes)
        tx.save_record(record, summary, "created", ACTOR)
    return record


def test_the_schema_is_what_the_migrations_make(store):
    """Nobody changes a table without a migration."""
    with store.engine.connect() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), metadata)


def test_migrating_twice_changes_nothing(store):
    """Every process migrates at its start."""
    store.migrate()
    assert store.schema_is_current()


def test_a_record_comes_back_as_it_was_saved(store):
    """Value, texts, dates and marks."""
    record = saved(store)
    with store.reading() as tx:
        assert record == tx.record("t", "r1")


def test_a_missing_record_is_none(store):
    """Neither an error nor somebody else's."""
    with store.reading() as tx:
        assert (None, None) == (tx.record("t", "no"), tx.record("other", "r1"))


def test_a_stale_version_is_a_conflict(store):
    """Two writers of one version: the second one learns it, and leaves nothing behind."""
    saved(store)
    saved(store, version=2)
    with pytest.raises(Conflict, match="version 2, expected 1"), store.writing() as tx:
        tx.save_record(a_record(tx, version=2), FOR_ANNA, "changed", ACTOR)
    with store.reading() as tx:
        assert (2, 2) == (tx.record("t", "r1").version, tx.change("t"))


def test_an_id_that_exists_is_a_conflict(store):
    """A new record never replaces one."""
    saved(store)
    with pytest.raises(Conflict), store.writing() as tx:
        tx.save_record(a_record(tx, name="other.vcf"), FOR_ANNA, "created", ACTOR)


def test_a_block_that_raises_leaves_nothing(store):
    """Everything of a transaction or nothing."""
    with pytest.raises(RuntimeError), store.writing() as tx:
        tx.save_record(a_record(tx), FOR_ANNA, "created", ACTOR)
        raise RuntimeError
    with store.reading() as tx:
        assert (None, 0) == (tx.record("t", "r1"), tx.change("t"))


def test_change_numbers_are_commit_order(store):
    """A reader that has seen number n will never find a record with a smaller one afterwards."""
    committed, seen = [], []

    def write(number: int) -> None:
        for step in range(10):
            with store.writing() as tx:
                record = a_record(tx, f"r{number}-{step}")
                tx.save_record(record, FOR_ANNA, "created", ACTOR)
            committed.append(record.change)

    def read() -> None:
        for _ in range(60):
            with store.reading() as tx:
                seen.append((tx.change("t"), len(tx.changed("t", Kind.CONTACTS, ["u:anna"], 0))))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)] + [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(committed) == list(range(1, 41))
    assert [] == [pair for pair in seen if pair[0] != pair[1]]


def test_a_reading_transaction_sees_one_moment(store):
    """What commits meanwhile is seen by the next one."""
    saved(store)
    with store.reading() as tx:
        before = tx.change("t")
        saved(store, record_id="r2")
        assert (before, None) == (tx.change("t"), tx.record("t", "r2"))


def test_an_audience_row_that_ends_tells_its_reader(store):
    """A feed learns from ``changed`` that a record has left it."""
    saved(store)
    nobody = FOR_ANNA._replace(audience=frozenset())
    second = saved(store, nobody, version=2)
    with store.reading() as tx:
        assert ["r1"] == tx.changed("t", Kind.CONTACTS, ["u:anna"], second.change - 1)
        assert ([], False) == (tx.members(ANNA, Kind.CONTACTS, ["u:anna"]), tx.concerns("t", "r1", ["u:anna"]))
        assert tx.concerns("t", "r1", ["u:bert"]) is None


def test_an_alias_is_its_users_alone(store):
    """The same name may mean different records to different users."""
    saved(store)
    saved(store, record_id="r2")
    with store.writing() as tx:
        tx.save_alias(BERT, Kind.CONTACTS, "r1.vcf", "r2")
    with store.reading() as tx:
        assert ("r1", "r2") == (tx.named(ANNA, Kind.CONTACTS, "r1.vcf"), tx.named(BERT, Kind.CONTACTS, "r1.vcf"))


def test_more_ids_than_a_statement_takes(store):
    """Lists of ids are cut into chunks."""
    with store.writing() as tx:
        for number in range(1101):
            tx.save_record(a_record(tx, f"r{number:04}"), FOR_ANNA, "created", ACTOR)
    ids = [f"r{number:04}" for number in range(1101)]
    with store.reading() as tx:
        assert ids == [record.id for record in tx.records("t", ids)]
        assert ids == [offer.record_id for offer in tx.offers(ANNA, Kind.CONTACTS, ids)]
        assert ids == [record.id for record in tx.all_records("t", Kind.CONTACTS)]


def test_history_keeps_each_version_and_prunes_but_the_newest(store):
    """A record that nobody touched for years can still be looked at."""
    saved(store)
    saved(store, version=2)
    with store.writing() as tx:
        assert [1, 2] == [line.version for line in tx.history("t", "r1")]
        assert 1 == tx.prune_history(NOW + timedelta(days=1))
        assert [2] == [line.version for line in tx.history("t", "r1")]


def test_failures_of_many_at_once_are_all_counted(store):
    """The counter is one atomic statement."""

    def fail() -> None:
        for _ in range(5):
            with store.writing() as tx:
                tx.add_failure(ANNA, Door.SYNC, NOW, "192.0.2.1")

    threads = [threading.Thread(target=fail) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.reading() as tx:
        assert (20, 0) == (tx.attempts(ANNA, Door.SYNC).failures, tx.attempts(ANNA, Door.PAGE).failures)


def test_one_caller_only_sets_the_lock(store):
    """So that one WARNING and one audit line tell of it."""
    with store.writing() as tx:
        tx.add_failure(ANNA, Door.SYNC, NOW, "")
        assert (True, False) == (tx.lock(ANNA, Door.SYNC, NOW), tx.lock(ANNA, Door.SYNC, NOW))
    with store.reading() as tx:
        assert [ANNA] == [identity for identity, _ in tx.locked("t", Door.SYNC)]
    with store.writing() as tx:
        assert (True, False) == (tx.clear_attempts(ANNA, Door.SYNC), tx.clear_attempts(ANNA, Door.SYNC))


def test_a_user_comes_back_and_goes_with_all_that_is_the_users(store):
    """Sessions, doors, feeds, aliases and properties go; records stay."""
    user = User(identity=BERT, password="hash", password_changed=NOW, state=UserState.DEACTIVATED, groups=("g1", "g2"), admin=True)
    saved(store)
    with store.writing() as tx:
        tx.save_user(user)
        tx.save_page_session(PageSession(token_digest="d", identity=BERT, csrf="c", created=NOW, expires=NOW))
        tx.save_folder_properties(BERT, Kind.TASKS, {"color": "#000000"})
        tx.create_feed(BERT, Kind.TASKS, "", "e")
        assert user == tx.user(BERT)
    with store.writing() as tx:
        assert (True, False) == (tx.remove_user(BERT), tx.remove_user(BERT))
        assert (None, None, {}, None) == (
            tx.user(BERT),
            tx.page_session("d"),
            dict(tx.folder_properties(BERT, Kind.TASKS)),
            tx.feed(BERT, Kind.TASKS, ""),
        )
        assert tx.record("t", "r1") is not None


def test_a_visitor_is_account_and_attempts_in_one(store):
    """What sign-in asks for; an unknown login has attempts, too, and a user of an unknown tenant is unknown."""
    with store.writing() as tx:
        tenant, anna = tx.tenant("t"), tx.user(ANNA)
        assert (tenant, anna) == tx.account(ANNA)
        assert ((tenant, anna), Attempts()) == tx.visitor(ANNA, Door.SYNC)
        counted = tx.add_failure(ANNA, Door.SYNC, NOW, "192.0.2.1")
        assert ((tenant, anna), counted) == tx.visitor(ANNA, Door.SYNC)
        assert ((tenant, anna), Attempts()) == tx.visitor(ANNA, Door.PAGE)
        unknown = Identity("nowhere", "anna")
        tx.save_user(User(identity=unknown))
        counted = tx.add_failure(unknown, Door.SYNC, NOW, "192.0.2.1")
        assert (None, counted) == tx.visitor(unknown, Door.SYNC)
        assert tx.account(unknown) is None


def test_a_feeds_head_comes_with_the_change_number(store):
    """By which it is told whether the feed is up to date; a tenant without changes is at 0."""
    with store.writing() as tx:
        feed = tx.create_feed(ANNA, Kind.CONTACTS, "", "epoch")
        assert (feed, 0) == tx.feed_and_change(ANNA, Kind.CONTACTS, "")
        change = tx.next_change("t")
        assert (feed, change) == tx.feed_and_change(ANNA, Kind.CONTACTS, "")
        assert tx.feed_and_change(ANNA, Kind.TASKS, "")[0] is None


def test_what_need_not_last_is_committed_all_the_same(store):
    """It is seen by everybody at once, goes if the block raises, and leaves the connection as it was for who comes next."""
    with store.writing(lasting=False) as tx:
        tx.save_setting("a", "1")
    with pytest.raises(KeyError), store.writing(lasting=False) as tx:
        tx.save_setting("a", "2")
        raise KeyError
    with store.reading() as tx:
        assert "1" == tx.setting("a")
    question = "PRAGMA synchronous" if store.engine.dialect.name == "sqlite" else "SHOW synchronous_commit"
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql(question).scalar_one() in (2, "on")


def test_a_feed_keeps_entries_by_record(store):
    """Live ones are listed from the beginning; gone ones only to who had them, until they are pruned."""
    saved(store)
    with store.writing() as tx:
        feed = tx.create_feed(ANNA, Kind.CONTACTS, "", "epoch")
        assert feed == tx.create_feed(ANNA, Kind.CONTACTS, "", "other")
        gone = Entry("r0", "r0.vcf", '"a"', False, 2, 1, 2, 1000, 1)
        live = Entry("r1", "r1.vcf", '"e"', True, 3, 3, 0, 0, 3)
        tx.save_feed_entries(feed.id, [gone, live])
        tx.save_feed(replace(feed, seq=3, change=1))
    with store.writing() as tx:
        assert [live] == tx.feed_names(feed.id, None)
        assert [gone, live] == tx.feed_names(feed.id, 0) == tx.feed_names(feed.id, 1)
        assert ["r1.vcf"] == [offer.name for offer in tx.feed_offers(feed.id)]
        assert 2 == tx.prune_feed_entries(feed.id, 2000)
        tx.reset_feeds(ANNA, None, "new")
        assert ("new", 0, []) == (tx.feed(ANNA, Kind.CONTACTS, "").epoch, tx.feed(ANNA, Kind.CONTACTS, "").seq, tx.feed_names(feed.id, 0))


def test_settings_and_audit(store):
    """A setting is replaced and removed; audit lines come newest first."""
    line = AuditLine(at=NOW, tenant="t", login="anna", actor="cli", event="unlocked")
    with store.writing() as tx:
        tx.save_setting("k", "1")
        tx.save_setting("k", "2")
        assert "2" == tx.setting("k")
        tx.save_setting("k", None)
        assert tx.setting("k") is None
        tx.add_audit(line)
        tx.add_audit(replace(line, event="locked"))
        tx.add_audit(replace(line, login="bert"))
        assert ["unlocked", "locked", "unlocked"] == [found.event for found in tx.audit("t", 10)]
        assert ["locked", "unlocked"] == [found.event for found in tx.audit("t", 10, login="anna")]
        assert ["bert", "anna"] == [found.login for found in tx.audit("t", 10, event="unlocked")]


def test_parameters_never_reach_the_text_of_a_statement(store):
    """What an attacker names stays a value."""
    evil = "x'; DROP TABLE records; --"
    saved(store)
    with store.reading() as tx:
        assert (None, []) == (tx.named(ANNA, Kind.CONTACTS, evil), tx.with_uid("t", Kind.CONTACTS, [evil], evil))
        assert tx.record("t", "r1") is not None


def test_deep_verify_finds_what_does_not_agree(store):
    """A row changed behind our back, a feed ahead of itself."""
    saved(store, etag='"982d9e3eb996f559e633f4d194def376"')
    assert [] == list(store.verify(deep=True))
    with store.engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE records SET text = 'other', version = 7"))
    found = " ".join(store.verify(deep=True))
    assert "etag" in found
    assert "its history at 1" in found


def test_a_commit_that_fails_leaves_a_connection_that_is_as_lasting_as_before(sqlite_url):
    """Of a transaction that need not last: the error is that of the commit, and the pool's connection waits for the disk again."""
    store = open_store(sqlite_url)
    store.migrate()

    def full(_connection) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk full"))

    sqlalchemy.event.listen(store.engine, "commit", full)
    with pytest.raises(Unavailable, match="disk full"), store.writing(lasting=False) as tx:
        tx.save_tenant(Tenant(name="t"))
    sqlalchemy.event.remove(store.engine, "commit", full)
    with store.engine.connect() as connection:
        assert 2 == connection.exec_driver_sql("PRAGMA synchronous").scalar_one()  # FULL
    store.close()
