"""Devices, their states and failures, encoded items and change numbers: the store's contract, on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy

from radicale_onoffice.core.model import (
    FOREVER,
    Actor,
    Contact,
    Device,
    DeviceState,
    Face,
    Failure,
    Identity,
    Kind,
    Record,
    Tenant,
    User,
)
from radicale_onoffice.core.ports import Sought, Summary
from radicale_onoffice.stores.devices import MAX_FAILURES, MAX_FLAVOURS
from radicale_onoffice.stores.sql import open_store

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
NOW = datetime(2026, 3, 15, 8, 30, 1, 5, tzinfo=UTC)
PHONE = Device(identity=ANNA, id="androidc1", first_seen=NOW, last_seen=NOW)
FAILURE = Failure(identity=ANNA, device_id=PHONE.id, collection="contacts", item="r1", version=3, reason="no", at=NOW)


@pytest.fixture
def store(database_url):
    store = open_store(database_url)
    store.migrate()
    with store.writing() as tx:
        tx.save_tenant(Tenant(name="t"))
        tx.save_user(User(identity=ANNA))
        tx.save_device(PHONE)
    yield store
    store.close()


def saved(store, version: int = 1, **changes) -> Record:
    """Commit a version of the contact r1."""
    with store.writing() as tx:
        record = Record(
            tenant="t",
            id="r1",
            kind=Kind.CONTACTS,
            version=version,
            change=tx.next_change("t"),
            name="r1.vcf",
            uid="r1",
            value=Contact(last_name=f"Version {version}"),
            ends=FOREVER,
            modified=NOW,
            created=NOW,
        )
        record = replace(record, **changes)
        audience = frozenset() if record.deleted else frozenset({"u:anna"})
        tx.save_record(
            record,
            Summary(audience, "", "", 0, FOREVER, False, Sought("Berger", "", "berger", "\nberger")),
            "x",
            Actor(identity=ANNA, face=Face.CRM),
        )
    return record


def test_a_device_comes_back_as_it_was_saved(store):
    """All its fields; another user's of the same id is another one (rule 15)."""
    full = replace(
        PHONE,
        type="Android",
        user_agent="Android-Mail/1",
        version="16.1",
        information=(("Model", "Pixel"), ("FriendlyName", "Ännas")),
        last_sync=NOW,
        policy_key="1",
        pending_policy_key="2",
        state=DeviceState.WIPE_SENT,
        wipe_account_only=False,
        heartbeat=470,
        ping_folders=("contacts", "tasks"),
        sync_request='{"a": 1}',
        notes="n",
    )
    with store.writing() as tx:
        tx.save_device(full)
        tx.save_device(replace(PHONE, identity=BERT))
        assert (full, full) == (tx.device(ANNA, PHONE.id), tx.device(ANNA, PHONE.id, lock=True))
        assert [ANNA, BERT] == [one.identity for one in tx.devices("t")]
        assert ([full], []) == (tx.devices("t", "anna"), tx.devices("other"))
        assert (["anna", "bert"], []) == (tx.users_of_device("t", PHONE.id), tx.users_of_device("t", "other"))
        assert tx.device(ANNA, "other") is None


def test_the_state_of_a_collection_is_replaced_and_goes(store):
    """JSON and the bytes of the last answer; its client ids go with it."""
    with store.writing() as tx:
        assert tx.sync_state(ANNA, PHONE.id, "contacts") is None
        for collection in ("contacts", "tasks"):
            tx.save_sync_state(ANNA, PHONE.id, collection, "{}", b"\x03\x01\x6a\x00")
            tx.save_client_id(ANNA, PHONE.id, collection, 4, "c1", "r1")
        tx.save_sync_state(ANNA, PHONE.id, "contacts", '{"n":2}', b"")
        assert ('{"n":2}', b"") == tx.sync_state(ANNA, PHONE.id, "contacts")
        tx.remove_sync_states(ANNA, PHONE.id, "contacts")
        assert (None, {}) == (tx.sync_state(ANNA, PHONE.id, "contacts"), tx.client_ids(ANNA, PHONE.id, "contacts"))
        assert ("{}", b"\x03\x01\x6a\x00") == tx.sync_state(ANNA, PHONE.id, "tasks")
        tx.remove_sync_states(ANNA, PHONE.id)
        assert tx.sync_state(ANNA, PHONE.id, "tasks") is None


def test_client_ids_are_kept_by_the_number_of_their_key(store):
    """A client may use an id again with another key; those of acknowledged keys are forgotten."""
    with store.writing() as tx:
        for number, client_id, record_id in ((4, "c1", "r1"), (5, "c1", "r2"), (5, "c2", "r3"), (5, "c2", "r4")):
            tx.save_client_id(ANNA, PHONE.id, "contacts", number, client_id, record_id)
        assert {(4, "c1"): "r1", (5, "c1"): "r2", (5, "c2"): "r4"} == tx.client_ids(ANNA, PHONE.id, "contacts")
        tx.prune_client_ids(ANNA, PHONE.id, "contacts", 5)
        assert {(5, "c1"): "r2", (5, "c2"): "r4"} == tx.client_ids(ANNA, PHONE.id, "contacts")
        assert {} == tx.client_ids(BERT, PHONE.id, "contacts")


def test_failures_come_newest_first_and_are_cleared_one_by_one(store):
    """One per item, with how often."""
    later = replace(FAILURE, item="r2", version=0, at=NOW + timedelta(hours=1))
    with store.writing() as tx:
        tx.save_failure(FAILURE)
        tx.save_failure(later)
        tx.save_failure(replace(FAILURE, count=2))
        assert [later, replace(FAILURE, count=2)] == tx.failures(ANNA, PHONE.id)
        tx.clear_failure(ANNA, PHONE.id, "contacts", "r1")
        assert [later] == tx.failures(ANNA, PHONE.id)


def test_a_broken_client_does_not_fill_the_database_with_failures(store):
    """The newest ones stay."""
    with store.writing() as tx:
        for number in range(MAX_FAILURES + 5):
            tx.save_failure(replace(FAILURE, item=f"c{number}", at=NOW + timedelta(seconds=number)))
        kept = tx.failures(ANNA, PHONE.id)
    assert (MAX_FAILURES, f"c{MAX_FAILURES + 4}", "c5") == (len(kept), kept[0].item, kept[-1].item)


@pytest.mark.parametrize("way", ["device", "user"])
def test_what_is_a_devices_goes_with_it_and_with_its_user(store, way):
    """States, client ids, failures; another user's stay."""
    with store.writing() as tx:
        for identity in (ANNA, BERT):
            tx.save_device(replace(PHONE, identity=identity))
            tx.save_sync_state(identity, PHONE.id, "contacts", "{}", b"")
            tx.save_client_id(identity, PHONE.id, "contacts", 1, "c", "r")
            tx.save_failure(replace(FAILURE, identity=identity))
        assert tx.remove_device(ANNA, PHONE.id) if way == "device" else tx.remove_user(ANNA)
    with store.writing() as tx:
        left = [
            (tx.device(who, PHONE.id), tx.sync_state(who, PHONE.id, "contacts"), tx.client_ids(who, PHONE.id, "contacts"))
            for who in (ANNA, BERT)
        ]
        assert [(None, None, {}), (replace(PHONE, identity=BERT), ("{}", b""), {(1, "c"): "r"})] == left
        assert ([], 1) == (tx.failures(ANNA, PHONE.id), len(tx.failures(BERT, PHONE.id)))
        assert not tx.remove_device(ANNA, PHONE.id)


def test_changes_of_one_device_at_once_are_all_kept(store):
    """Who locks it sees what the other one wrote."""

    def add(word: str) -> None:
        for _ in range(5):
            with store.writing() as tx:
                device = tx.device(ANNA, PHONE.id, lock=True)
                tx.save_device(replace(device, notes=device.notes + word))

    threads = [threading.Thread(target=add, args=(word,)) for word in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.reading() as tx:
        assert sorted("abcd" * 5) == sorted(tx.device(ANNA, PHONE.id).notes)


# ------------------------------------------------------------------ fragments


def test_an_encoding_is_kept_per_record_and_flavour(store):
    """A newer version replaces an older one, never the other way round."""
    with store.writing() as tx:
        assert {} == tx.fragments("t", "16.1", ["r1"])
        tx.save_fragments("t", "16.1", [("r2", 1, b"two"), ("r1", 2, b"one")])
        tx.save_fragments("t", "14.1", [("r1", 2, b"old")])
        tx.save_fragments("t", "16.1", [("r1", 1, b"late")])
        tx.save_fragments("t", "16.1", [("r2", 2, b"2nd")])
        tx.save_fragments("t", "16.1", [])
        assert {"r1": (2, b"one"), "r2": (2, b"2nd")} == tx.fragments("t", "16.1", ["r1", "r2", "r3"])
        assert ({"r1": (2, b"old")}, {}) == (tx.fragments("t", "14.1", ["r1", "r2"]), tx.fragments("other", "16.1", ["r1"]))


def test_encodings_go_with_their_record(store):
    """With its deletion; that of another tenant of the same id stays."""
    saved(store)
    with store.writing() as tx:
        for tenant in ("t", "other"):
            tx.save_fragments(tenant, "16.1", [("r1", 1, b"x"), ("r2", 1, b"y")])
    saved(store, 2, deleted=True)
    with store.reading() as tx:
        assert {"r2": (1, b"y")} == tx.fragments("t", "16.1", ["r1", "r2"])
        assert {"r1", "r2"} == set(tx.fragments("other", "16.1", ["r1", "r2"]))


def test_flavours_are_bounded_and_the_oldest_goes_first(store):
    """Whoever asks for ever new truncations does not fill the database; nobody else's are dropped."""
    with store.writing() as tx:
        tx.save_fragments("other", "16.1/0", [("r1", 1, b"x")])
        for number in range(MAX_FLAVOURS + 2):
            tx.save_fragments("t", f"16.1/{number}", [("r1", 1, b"x")])
    with store.reading() as tx:
        kept = [number for number in range(MAX_FLAVOURS + 2) if tx.fragments("t", f"16.1/{number}", ["r1"])]
        assert (list(range(2, MAX_FLAVOURS + 2)), 1) == (kept, len(tx.fragments("other", "16.1/0", ["r1"])))
    with store.engine.connect() as connection:
        assert MAX_FLAVOURS + 1 == connection.execute(sqlalchemy.text("SELECT count(*) FROM fragments")).scalar_one()


def test_encodings_saved_at_once_by_many(store):
    """The same items in different orders, and new flavours that push each other out: nobody is refused, nobody waits for ever."""
    problems = []

    def save(number: int) -> None:
        try:
            for step in range(8):
                rows = [(f"r{index}", step, b"x") for index in range(50)]
                with store.writing() as tx:
                    tx.save_fragments("t", f"16.1/{(step * number) % 20}", rows if number % 2 else reversed(rows))
        except sqlalchemy.exc.SQLAlchemyError as error:
            problems.append(error)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == problems


def test_encodings_neither_lock_records_nor_grow_the_number(store):
    """A cache: a writer of records does not wait for it, and nobody is woken."""
    saved(store)
    with store.writing() as tx:
        tx.save_fragments("t", "16.1", [("r1", 1, b"x")])
        tx.save_sync_state(ANNA, PHONE.id, "contacts", "{}", b"")
        assert (1, False) == (tx.change("t"), tx.grew)


# -------------------------------------------------------------------- numbers


def test_the_version_at_a_change_number_is_the_newest_up_to_it(store):
    """What a device had that was up to date then."""
    numbers = [saved(store, version).change for version in (1, 2)]
    with store.writing() as tx:
        tx.next_change("t")
    numbers.append(saved(store, 3).change)
    assert [1, 2, 4] == numbers
    with store.reading() as tx:
        lines = [tx.version_at("t", "r1", number) for number in range(6)]
        assert [None, 1, 2, 2, 3, 3] == [line and line.version for line in lines]
        assert (4, Contact(last_name="Version 3")) == (lines[4].change, lines[4].value)
        assert (None, None) == (tx.version_at("other", "r1", 9), tx.version_at("t", "r2", 9))


def test_counters_tell_changes_of_records_from_those_for_everybody(store):
    """From which those who wait are woken."""
    saved(store)
    with store.writing() as tx:
        assert tx.next_change("u", everybody=True) == 1
    saved(store, 2)
    with store.reading() as tx:
        assert {"t": (2, 0), "u": (1, 1)} == tx.counters()
        assert ([(Kind.CONTACTS, "u:anna")], []) == (tx.moved("t", 1), tx.moved("t", 2))


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE devices SET state = 'lost'", "Device androidc1 of anna@t cannot be read"),
        ("UPDATE devices SET information = '{'", "device remove"),
        ("UPDATE sync_states SET text = 'x'", "Resync it"),
        ("UPDATE fragments SET version = 9", "in a version that it never had"),
        ("UPDATE fragments SET record_id = 'r9'", "Record r9 of t is encoded"),
        ("UPDATE history SET change = 9", "Version 1 of record r1 of t has change number 9"),
        ("UPDATE counters SET everybody = 9", "The counter of t"),
    ],
)
def test_deep_verify_looks_at_devices_and_encodings(store, statement, told):
    """A row changed behind our back is found, and the sentence says what to do."""
    text = "text"
    saved(store, text=text, etag='"982d9e3eb996f559e633f4d194def376"')
    with store.writing() as tx:
        tx.save_sync_state(ANNA, PHONE.id, "contacts", "{}", b"")
        tx.save_fragments("t", "16.1", [("r1", 1, b"x")])
    assert [] == list(store.verify(deep=True))
    with store.engine.begin() as connection:
        connection.execute(sqlalchemy.text(statement))
    assert told in " ".join(store.verify(deep=True))
