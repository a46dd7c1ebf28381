"""The server's thread that pulls: whose turn it is, what it waits for, and what it does when something is wrong."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from radicale_onoffice import mirrors, pulling, wiring
from radicale_onoffice.asgi import Metrics
from radicale_onoffice.core.model import Actor, Face, Identity, Kind, Tenant, User
from radicale_onoffice.core.policy import OnOutage, Policy
from radicale_onoffice.crm.onoffice import tenants
from radicale_onoffice.pulling import Puller
from radicale_onoffice.stores.wake import Hub
from tests.emulation import Emulated

SECONDS = 60.0


class Pulling:
    """Two tenants with an account each, and a puller whose waiting costs nothing."""

    def __init__(self, office, clock, hasher):
        self.store, self.clock = office.store, clock
        self.emulated, self.seconds = Emulated(office.store, clock), 0.0
        policy, connections = Policy(writes_during_outage=OnOutage.QUEUE), self.emulated.connections
        self.office = wiring.assemble(office.store, policy=policy, default_tenant="t", clock=clock, hasher=hasher, connections=connections)
        with self.store.writing() as tx:
            tx.save_tenant(Tenant(name="u"))
            tx.save_user(User(identity=Identity("u", "anna")))
            self.controls = {name: self.emulated.give_account(tx, name).control for name in ("t", "u")}
        self.annas = {name: control.add_user("anna", "Anna", "Alt") for name, control in self.controls.items()}
        self.puller = self.another("one")

    def another(self, holder: str = "two") -> Puller:
        return Puller(self.office, self.office.crm, SECONDS, holder=holder, monotonic=lambda: self.seconds)

    def add(self, tenant: str, name: str) -> int:
        return self.controls[tenant].add("address", {"Name": name}, sync=[self.annas[tenant]])

    def names(self, tenant: str) -> list[str]:
        with self.store.reading() as tx:
            return sorted(record.value.last_name for record in tx.all_records(tenant, Kind.CONTACTS))

    def state(self, tenant: str) -> mirrors.State:
        with self.store.reading() as tx:
            return mirrors.state_of(tx, tenant, self.clock())


@pytest.fixture
def made(office, clock, cheap_hasher):
    pulling_made = Pulling(office, clock, cheap_hasher)
    yield pulling_made
    pulling_made.emulated.close()


def test_all_tenants_have_their_turn(made):
    """A round fills each of them; the next one polls; then there is time until the interval is over."""
    made.add("t", "Eins")
    made.add("u", "Zwei")
    assert 0.0 == made.puller.round()
    assert (["Eins"], ["Zwei"]) == (made.names("t"), made.names("u"))
    assert pulling.LOOK == made.puller.round()
    made.add("t", "Drei")
    made.puller.round()
    assert ["Eins"] == made.names("t")
    made.seconds += SECONDS
    made.puller.round()
    assert ["Drei", "Eins"] == made.names("t")


def test_a_sick_onoffice_keeps_no_other_tenant_waiting(made, caplog):
    """What is wrong is told once, tried again after longer and longer pauses, and told to be over."""
    made.add("u", "Zwei")
    caplog.set_level(logging.WARNING, "radicale_onoffice.pulling")
    made.controls["t"].fault(kind="status", status=503, times=10_000)
    for _ in range(4):
        made.puller.round()
        made.seconds += SECONDS
    assert ["Zwei"] == made.names("u")
    assert "503" in made.state("t").trouble.what
    assert [True] * 3 == [kind.is_stale for kind in made.state("t").kinds.values()]
    told = [record.message for record in caplog.records if record.name == "radicale_onoffice.pulling"]
    assert 1 == len(told)
    assert told[0].startswith("mirror of t: onOffice does not answer")
    made.controls["t"].clear_faults()
    made.emulated.waited += 60
    made.seconds += pulling.LONGEST_PAUSE
    made.puller.round()
    assert made.state("t").trouble is None
    assert "mirror of t: all is well again" in caplog.text


def test_pauses_grow_to_a_longest_one(made):
    """The request log of a sick onOffice does not grow by the minute."""
    made.controls["t"].fault(kind="status", status=503, times=10_000)
    pauses = []
    for _ in range(5):
        made.emulated.waited += 60
        pauses.append(made.puller._attend("t", is_accepted=False))
    assert [60.0, 120.0, 240.0, 300.0, 300.0] == pauses


def test_one_process_pulls(made):
    """The other one does nothing until the first has let go."""
    made.puller.round()
    other = made.another()
    made.add("t", "Eins")
    other.round()
    assert [] == made.names("t")
    made.puller._mirrors.release()
    made.seconds += SECONDS
    other.round()
    assert ["Eins"] == made.names("t")


def test_an_administrators_word_about_an_alarm_is_heard(made):
    """A request to accept is carried out at once, and only once."""
    numbers = [made.add("t", f"N{number}") for number in range(12)]
    made.puller.round()
    for number in numbers[2:]:
        made.controls["t"].delete("address", number)
    with made.store.writing() as tx:
        mirrors.ask_to_accept(tx, "t", is_asked=True)
    made.puller.round()
    assert ["N0", "N1"] == made.names("t")
    with made.store.reading() as tx:
        assert not mirrors.is_asked_to_accept(tx, "t")


def test_what_waits_is_sent_before_anything_is_pulled(made):
    """A change that was kept during an outage reaches onOffice with the first turn after it."""
    made.add("t", "Eins")
    made.puller.round()
    made.controls["t"].fault(kind="status", status=503, times=10_000)
    with made.store.reading() as tx:
        (record,) = tx.all_records("t", Kind.CONTACTS)
    actor = Actor(identity=Identity("t", "anna"), face=Face.DAV)
    made.office.records.write(actor, Kind.CONTACTS, replace(record.value, last_name="Neu"), record_id=record.id, expect=record.version)
    assert (1, made.clock.now) == (made.state("t").queued, made.state("t").oldest_errand)
    made.controls["t"].clear_faults()
    made.emulated.waited += 60
    made.seconds += SECONDS
    made.puller.round()
    assert 0 == sum(made.state("t").errands.values())
    assert ["Neu"] == [row["Name"] for row in made.controls["t"].rows("address")]


def test_a_stopping_server_leaves_a_fill_where_it_is(made):
    """It ends after a page, gives the lease back, and the next process goes on."""
    for number in range(3):
        made.add("t", f"N{number}")
    made.puller._over.set()
    assert 0.0 == made.puller._attend("t", is_accepted=False)
    assert made.state("t").trouble is None
    made.puller._mirrors.release()
    made.another().round()
    assert ["N0", "N1", "N2"] == made.names("t")


def test_the_thread_ends_when_it_is_told_to(made):
    """And another process may pull at once."""
    made.add("t", "Eins")
    made.puller.start()
    made.puller.stop()
    assert not made.puller.is_alive()
    assert made.puller not in threading.enumerate()
    made.another().round()
    assert ["Eins"] == made.names("t")


def test_metrics_tell_of_the_mirrors(made):
    """Lag, alarm, trouble and errands, of each tenant that is connected."""
    metrics = Metrics(made.office, Hub(made.store))
    assert 'onoffice_mirror_lag_seconds{kind="contacts",tenant="t"} +Inf' in metrics.text().decode()
    made.puller.round()
    made.clock.now += timedelta(seconds=90)
    with made.store.writing() as tx:
        tenants.save_access(tx, "u", None)
    text = metrics.text().decode()
    assert 'onoffice_mirror_lag_seconds{kind="tasks",tenant="t"} 90.0' in text
    assert 'onoffice_mirror_stale{kind="tasks",tenant="t"} 1.0' in text
    assert 'onoffice_mirror_alarm{tenant="t"} 1.0' in text
    assert 'onoffice_mirror_trouble{tenant="t"} 0.0' in text
    assert 'onoffice_errands{state="waiting",tenant="t"} 0.0' in text
    assert 'onoffice_mirror_alarm{tenant="u"}' not in text
