"""The store's part about a CRM that is elsewhere, on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from radicale_onoffice.core.errors import NotFound
from radicale_onoffice.core.model import Actor, Contact, Face, Identity, Kind, Task
from radicale_onoffice.core.origins import UNTOLD, Origin
from radicale_onoffice.core.ports import Errand, ErrandState, Held, Link
from radicale_onoffice.stores.sql import open_store

NOW = datetime(2026, 3, 15, 8, 30, tzinfo=UTC)
ANNA = Identity("t", "anna")
CRM = Actor(identity=ANNA, face=Face.CRM)


@pytest.fixture
def store(database_url):
    opened = open_store(database_url)
    opened.migrate()
    yield opened
    opened.close()


def test_a_record_is_adopted_once_and_its_link_is_kept(make_office, database_url):
    """The same content again changes nothing but the link; other content is a new version; gone and back is the same record."""
    office = make_office(url=database_url)
    value = Contact(last_name="Berger", sync_users=("anna",))
    made = office.records.adopt(CRM, Kind.CONTACTS, Held(value, Link("17", "s1", "d1")))
    again = office.records.adopt(CRM, Kind.CONTACTS, Held(value, Link("17", "s2", "d1")), record_id=made.id)
    assert (made.id, 1) == (again.id, again.version)
    with office.store.reading() as tx:
        assert {"17": (made.id, Link("17", "s2", "d1"))} == tx.linked("t", Kind.CONTACTS, ["17", "18"])
        assert ({"17": made.id}, Link("17", "s2", "d1")) == (tx.links("t", Kind.CONTACTS), tx.link("t", made.id))
    changed = office.records.adopt(CRM, Kind.CONTACTS, Held(replace(value, first_name="Eva"), Link("17", "s3", "d2")), record_id=made.id)
    assert (2, ["Eva"]) == (
        changed.version,
        [offer.text.partition("N:Berger;")[2][:3] for offer in office.feeds.listing(ANNA, Kind.CONTACTS)],
    )
    office.records.drop(CRM, [made.id])
    with office.store.reading() as tx:
        assert {} == tx.links("t", Kind.CONTACTS)
    back = office.records.adopt(CRM, Kind.CONTACTS, Held(value, Link("17", "s4", "d1")), record_id=made.id)
    assert (made.id, False, 4) == (back.id, back.deleted, back.version)
    with pytest.raises(NotFound):
        office.records.adopt(CRM, Kind.CONTACTS, Held(value, Link("99")), record_id="nobody")


def test_an_id_over_there_can_be_forgotten(make_office, database_url):
    """Of several records; none of them is anything that a sweep could miss."""
    office = make_office(url=database_url)
    made = [office.records.adopt(CRM, Kind.TASKS, Held(Task(subject="a", responsible="anna"), Link(number))) for number in ("1", "2")]
    with office.store.writing() as tx:
        for record in made:
            tx.save_link("t", Kind.TASKS, record.id, Link(""))
        assert ({}, [None, None]) == (tx.links("t", Kind.TASKS), [tx.link("t", record.id) for record in made])


def test_a_lease_has_one_holder_until_it_ends(store):
    """Another one gets it when it has run out, or was ended."""
    later = NOW + timedelta(minutes=1)
    with store.writing() as tx:
        assert tx.lease("pull t", "one", NOW, later)
        assert not tx.lease("pull t", "two", NOW, later)
        assert tx.lease("pull t", "one", NOW, later + timedelta(minutes=1))
        assert tx.lease("pull t", "two", later + timedelta(minutes=2), later + timedelta(minutes=3))
        tx.end_lease("pull t", "one")
        assert not tx.lease("pull t", "one", later + timedelta(minutes=2), later + timedelta(minutes=3))
        tx.end_lease("pull t", "two")
        assert tx.lease("pull t", "one", NOW, later)


def test_a_holder_renews_all_its_leases_that_have_not_run_out(store):
    """What ran out may be somebody else's; what is somebody else's stays."""
    minute = timedelta(minutes=1)
    with store.writing() as tx:
        for name, until in (("a", NOW + minute), ("b", NOW - minute)):
            assert tx.lease(name, "one", NOW - 2 * minute, until)
        assert tx.lease("c", "two", NOW, NOW + minute)
        tx.renew_leases("one", NOW, NOW + 5 * minute)
        assert not tx.lease("a", "three", NOW + 2 * minute, NOW + 3 * minute)
        assert tx.lease("b", "three", NOW, NOW + minute)
        assert tx.lease("c", "three", NOW + 2 * minute, NOW + 3 * minute)


def test_errands_are_kept_in_order_and_their_numbers_are_never_used_again(store):
    """What is to be sent, what was perhaps sent, and what was refused with the reason."""
    errand = Errand(actor=CRM, kind=Kind.TASKS, record_id="r1", before=None, after=Task(subject="a"), state=ErrandState.SENT, at=NOW)
    with store.writing() as tx:
        first, second = tx.add_errand(errand), tx.add_errand(replace(errand, record_id="r2", before=Task(), after=None))
        assert [first, second] == [one.number for one in tx.errands("t")]
        refused = replace(tx.errands("t")[0], state=ErrandState.REFUSED, reason="no right", tries=2)
        tx.save_errand(refused)
        assert refused == tx.errands("t")[0] == tx.errand("t", first, lock=True)
        tx.remove_errand(first)
        assert tx.errand("t", first, lock=True) is None
        tx.remove_errand(second)
        assert tx.add_errand(errand) > second
        assert [] == tx.errands("other")


def test_an_errand_keeps_what_its_device_calls_the_item(store):
    """All of it, and nothing of one that nobody calls anything."""
    errand = Errand(actor=CRM, kind=Kind.TASKS, record_id="r1", before=None, after=Task(subject="a"), state=ErrandState.SENT, at=NOW)
    told = replace(errand, origin=Origin(uid="u-ä", name="a.ics", client_id="c1", number=2**40, content="=77"))
    with store.writing() as tx:
        for one in (errand, told):
            tx.add_errand(one)
        assert [UNTOLD, told.origin] == [one.origin for one in tx.errands("t")]
        first, second = tx.errands("t")
        tx.save_errand(replace(first, origin=told.origin))
        tx.save_errand(replace(second, origin=UNTOLD))
        assert [told.origin, UNTOLD] == [one.origin for one in tx.errands("t")]


def test_what_was_made_for_a_device_is_adopted_by_all_that_it_calls_it(make_office, database_url):
    """Record id, UID, name and ClientIds, in the commit that ends the errand; a UID that its user has already stays where it is."""
    office = make_office(url=database_url)
    phone = Actor(identity=ANNA, face=Face.EAS, device="dev1")
    value = Contact(last_name="Berger", sync_users=("anna",))
    origin = Origin(uid="u1", name="a.vcf", client_id="c1", number=7, content="=77")
    errand = Errand(
        actor=phone, kind=Kind.CONTACTS, record_id="r1", before=None, after=value, state=ErrandState.SENT, at=NOW, origin=origin
    )
    with office.store.writing() as tx:
        numbers = [tx.add_errand(replace(errand, record_id=record_id)) for record_id in ("r1", "r2")]
    first = office.records.adopt_made(replace(errand, number=numbers[0]), Held(value, Link("17")))
    second = office.records.adopt_made(replace(errand, record_id="r2", number=numbers[1]), Held(value, Link("18")))
    assert [("r1", "u1", "a.vcf"), ("r2", "r2", "r2.vcf")] == [(one.id, one.uid, one.name) for one in (first, second)]
    with office.store.reading() as tx:
        assert [] == tx.errands("t")
        assert {"17": "r1", "18": "r2"} == tx.links("t", Kind.CONTACTS)
        assert "r1" == tx.named(ANNA, Kind.CONTACTS, "a.vcf")
        assert {(7, "c1"), (7, "=77")} == set(tx.client_ids(ANNA, "dev1", "contacts"))


def test_what_a_mirror_remembers_is_replaced_and_forgotten(store):
    """By tenant and name."""
    with store.writing() as tx:
        tx.save_mirror_state("t", "contacts", "{}")
        tx.save_mirror_state("t", "contacts", "[1]")
        assert ("[1]", None) == (tx.mirror_state("t", "contacts"), tx.mirror_state("u", "contacts"))
        tx.save_mirror_state("t", "contacts", None)
        assert tx.mirror_state("t", "contacts") is None
