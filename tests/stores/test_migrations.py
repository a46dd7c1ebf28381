"""An existing database is brought up to date and keeps what is in it, on both engines."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy

from radicale_onoffice import wiring
from radicale_onoffice.core.contacts import sought
from radicale_onoffice.core.feeds import Cursor
from radicale_onoffice.core.model import Contact, Identity, Kind
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.stores import migrations
from radicale_onoffice.stores.sql import open_store
from radicale_onoffice.stores.values import load_value

ANNA = Identity("t", "anna")
MICROS = int(datetime(2026, 3, 15, tzinfo=UTC).timestamp()) * 1_000_000
VALUE = '{"last_name":"Berger","sync_users":["anna"]}'
TEXT = "BEGIN:VCARD\r\nEND:VCARD\r\n"
ETAG = f'"{sha256(TEXT.encode()).hexdigest()[:32]}"'
# A database of revision 0001 with one contact in its second version, on Anna's devices, and one that was on them.
ROWS = (
    ("tenants", {"name": "t", "module": True, "timezone": "Europe/Berlin", "region": "DE"}),
    ("counters", {"tenant": "t", "change": 7}),
    (
        "users",
        {
            "tenant": "t",
            "login": "anna",
            "password": "",
            "state": "active",
            "sync_right": True,
            "switches": '["contacts"]',
            "other_channels": "[]",
            "rights": '["contacts.read"]',
            "groups": "[]",
            "admin": False,
            "language": "de",
        },
    ),
    *(
        (
            "records",
            {
                "tenant": "t",
                "id": record_id,
                "kind": "contacts",
                "version": version,
                "change": change,
                "name": f"{record_id}.vcf",
                "uid": record_id,
                "value": VALUE,
                "leftovers": "",
                "text": TEXT,
                "etag": ETAG,
                "mark": "",
                "owner": "",
                "starts": 0,
                "ends": 253402300800,
                "recurring": False,
                "modified": MICROS,
                "created": MICROS,
                "deleted": deleted,
            },
        )
        for record_id, version, change, deleted in (("r1", 2, 6, False), ("r2", 1, 7, True))
    ),
    *(
        (
            "audience",
            {"tenant": "t", "record_id": record_id, "principal": "u:anna", "kind": "contacts", "active": active, "change": change},
        )
        for record_id, active, change in (("r1", True, 6), ("r2", False, 7))
    ),
    *(
        (
            "history",
            {
                "tenant": "t",
                "record_id": record_id,
                "version": version,
                "kind": "contacts",
                "at": MICROS,
                "actor_tenant": "t",
                "actor_login": "anna",
                "face": "dav",
                "device": "",
                "action": action,
                "value": VALUE,
                "leftovers": "",
            },
        )
        for record_id, version, action in (("r1", 1, "created"), ("r1", 2, "changed"), ("r2", 1, "deleted"))
    ),
    (
        "feeds",
        {
            "id": 1,
            "tenant": "t",
            "login": "anna",
            "kind": "contacts",
            "scope": "",
            "epoch": "e",
            "seq": 5,
            "change": 7,
            "valid_until": 4_000_000_000,
            "basis": "Europe/Berlin (False,) ['u:anna']",
            "oldest": 0,
        },
    ),
    *(
        (
            "feed_entries",
            {
                "feed_id": 1,
                "record_id": record_id,
                "name": f"{record_id}.vcf",
                "etag": ETAG,
                "live": live,
                "seq": seq,
                "live_since": since,
                "gone_since": gone,
                "gone_at": 1 if gone else 0,
            },
        )
        for record_id, live, seq, since, gone in (("r1", True, 4, 2, 0), ("r2", False, 5, 3, 5))
    ),
)


@pytest.fixture
def store(database_url):
    """A store over a database that an earlier version left."""
    store = open_store(database_url)
    migrations.upgrade(store.engine, "0001")
    old = sqlalchemy.MetaData()
    old.reflect(store.engine)
    with store.engine.begin() as connection:
        for name, row in ROWS:
            connection.execute(old.tables[name].insert(), row)
    yield store
    store.close()


def test_an_upgrade_from_0001_keeps_records_feeds_and_cursors(store, clock, cheap_hasher):
    """A DAV client's sync token is good after it, and brings nothing that it has already."""
    assert not store.schema_is_current()
    store.migrate()
    assert store.schema_is_current()
    office = wiring.assemble(store, policy=Policy(), default_tenant="t", clock=clock, hasher=cheap_hasher)
    assert Contact(last_name="Berger", sync_users=("anna",)) == office.records.get("t", "r1").value
    assert (Cursor("e", 5), ()) == office.feeds.changes(ANNA, Kind.CONTACTS, Cursor("e", 5))
    assert [("r1", True, 2), ("r2", False, 3)] == [
        (entry.record_id, entry.live, entry.born) for entry in office.feeds.entries(ANNA, Kind.CONTACTS)[1]
    ]
    assert [] == list(store.verify(deep=True))


VALUES = {
    "r1": '{"title":"Dr.","first_name":"Jörg","last_name":"Öztürk","company":"Bau GmbH","city":"Köln","entries":'
    '[{"id":"1","kind":"phone","value":"+49 (0)221 123-4"},{"id":"2","kind":"email","value":"j@example.org"},{"id":"3","kind":"fax","value":"0221/99"}]}',
    "r2": '{"company":"Bau GmbH","department":"Straße"}',
    "r3": '{"entries":[{"id":"1","kind":"email","value":"x@example.org"}]}',
    "r4": "no JSON",
    "r5": '{"first_name":7}',
}


def test_what_contacts_are_found_by_is_made_as_todays_code_makes_it(database_url):
    """The migration has a copy of it, so that it runs whatever the code needs later; what cannot be read is left to the check."""
    store = open_store(database_url)
    migrations.upgrade(store.engine, "0003")
    old = sqlalchemy.MetaData()
    old.reflect(store.engine)
    (row,) = [row for name, row in ROWS if name == "records" and row["id"] == "r1"]
    with store.engine.begin() as connection:
        for record_id, value in VALUES.items():
            connection.execute(old.tables["records"].insert(), {**row, "id": record_id, "name": record_id, "value": value})
    store.migrate()
    with store.engine.connect() as connection:
        found = connection.execute(sqlalchemy.text("SELECT record_id, name, company, sort_key, words FROM people ORDER BY record_id")).all()
    expected = [(record_id, *sought(load_value(Kind.CONTACTS, VALUES[record_id]))) for record_id in ("r1", "r2", "r3")]
    assert expected == [tuple(one) for one in found]
    store.close()


def test_no_migration_needs_the_code_of_today():
    """It has to run in all later versions."""
    versions = Path(migrations.__file__).parent / "versions"
    assert [] == [file.name for file in versions.glob("*.py") if "radicale_onoffice" in file.read_text()]


def test_versions_from_before_the_upgrade_have_the_numbers_that_are_known(store):
    """The newest has the record's; those before it may be any device's base, since no phone was there to have another."""
    store.migrate()
    with store.reading() as tx:
        assert [(1, 0), (2, 6)] == [(line.version, line.change) for line in tx.history("t", "r1")]
        assert [1, 2] == [tx.version_at("t", "r1", change).version for change in (5, 6)]


def test_an_upgraded_database_goes_on(store, clock, cheap_hasher):
    """Numbers grow from where they stood, devices and encodings can be kept."""
    store.migrate()
    with store.writing() as tx:
        assert (8, {"t": (8, 0)}) == (tx.next_change("t"), tx.counters())
        assert (9, {"t": (9, 9)}) == (tx.next_change("t", everybody=True), tx.counters())
        tx.save_fragments("t", "16.1", [("r1", 2, b"x")])
    office = wiring.assemble(store, policy=Policy(), default_tenant="t", clock=clock, hasher=cheap_hasher)
    assert "d" == office.devices.seen(ANNA, "d").id
    assert [] == list(store.verify(deep=True))
