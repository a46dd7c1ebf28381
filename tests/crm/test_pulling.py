"""The server's thread that pulls: whose turn it is, what it waits for, and what it does when something is wrong."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from radicale_onoffice import mirrors, pulling, wiring
from radicale_onoffice.asgi import Metrics
from radicale_onoffice.core.errors import NotFound
from radicale_onoffice.core.model import Actor, Face, Identity, Kind, TaskStatus, Tenant, User
from radicale_onoffice.core.policy import OnOutage, Policy
from radicale_onoffice.crm.onoffice import tenants
from radicale_onoffice.crm.onoffice.leases import LEASE
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

    def round(self) -> None:
        """One round, and all turns that it began."""
        self.puller.round()
        self.puller.finish(30.0)

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
    made.round()
    assert (["Eins"], ["Zwei"]) == (made.names("t"), made.names("u"))
    assert 0.0 == made.puller._due["t"]
    made.round()
    assert (SECONDS, pulling.LOOK) == (made.puller._due["t"], made.puller.round())
    made.add("t", "Drei")
    made.round()
    assert ["Eins"] == made.names("t")
    made.seconds += SECONDS
    made.round()
    assert ["Drei", "Eins"] == made.names("t")


def test_a_sick_onoffice_keeps_no_other_tenant_waiting(made, caplog):
    """What is wrong is told once, tried again after longer and longer pauses, and told to be over."""
    made.add("u", "Zwei")
    caplog.set_level(logging.WARNING, "radicale_onoffice.pulling")
    made.controls["t"].fault(kind="status", status=503, times=10_000)
    for _ in range(4):
        made.round()
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
    made.round()
    assert made.state("t").trouble is None
    assert "mirror of t: all is well again" in caplog.text


def test_a_slow_onoffice_keeps_no_other_tenant_waiting(made):
    """One tenant's request is under way for as long as it likes; the others' turns come and go, and the next ones do."""
    made.add("t", "Eins")
    made.add("u", "Zwei")
    answered, sleeping, sleep = threading.Event(), threading.Event(), made.emulated._sleep

    def dreaming(seconds: float) -> None:
        sleeping.set()
        assert answered.wait(30)
        sleep(seconds)

    made.emulated._sleep = dreaming
    made.controls["t"].fault(kind="status", status=503)
    made.puller.round()
    assert sleeping.wait(30)
    made.puller._running["u"].join(30)
    assert ([], ["Zwei"]) == (made.names("t"), made.names("u"))
    made.add("u", "Drei")
    made.seconds += SECONDS
    made.puller.round()
    made.puller._running["u"].join(30)
    assert (["Drei", "Zwei"], {"t"}) == (made.names("u"), set(made.puller._running))
    answered.set()
    made.puller.finish(30.0)
    assert ["Eins"] == made.names("t")


def test_the_number_of_turns_at_once_is_bounded(made, monkeypatch):
    """Who finds no place has it when another turn is over, the longest waiting first."""
    monkeypatch.setattr(pulling, "THREADS", 1)
    made.add("t", "Eins")
    made.add("u", "Zwei")
    made.round()
    assert ["Eins"] == made.names("t") + made.names("u")
    made.round()
    assert ["Eins", "Zwei"] == made.names("t") + made.names("u")


def test_a_process_that_lives_keeps_its_leases(made):
    """However long a request takes; after kill -9 another one pulls half a minute later."""
    made.round()
    other = made.another()
    for _ in range(3):
        made.clock.now += timedelta(seconds=20)
        made.puller._renewal.renew()
    other.round()
    other.finish(30.0)
    assert {SECONDS} == set(other._due.values())  # not its turn: somebody else has the lease
    made.puller.stop()
    made.clock.now += timedelta(seconds=1)
    made.add("t", "Eins")
    with made.store.writing() as tx:
        assert tx.lease("pull:t", "somebody who was killed", made.clock(), made.clock() + LEASE)
    made.clock.now += timedelta(seconds=31)
    made.seconds += SECONDS
    other.round()
    other.finish(30.0)
    assert ["Eins"] == made.names("t")


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
    made.round()
    other = made.another()
    made.add("t", "Eins")
    other.round()
    other.finish(30.0)
    assert [] == made.names("t")
    made.puller._mirrors.release()
    made.seconds += SECONDS
    other.round()
    other.finish(30.0)
    assert ["Eins"] == made.names("t")


def test_an_administrators_word_about_an_alarm_is_heard(made):
    """A request to accept is carried out at once, and only once."""
    numbers = [made.add("t", f"N{number}") for number in range(12)]
    made.round()
    for number in numbers[2:]:
        made.controls["t"].delete("address", number)
    with made.store.writing() as tx:
        mirrors.ask_to_accept(tx, "t", is_asked=True)
    made.round()
    assert ["N0", "N1"] == made.names("t")
    with made.store.reading() as tx:
        assert not mirrors.is_asked_to_accept(tx, "t")


def test_an_administrators_word_is_no_reason_to_ask_without_a_pause(made):
    """A process that may not pull leaves it to the one that does, and looks every few seconds whether that one has ended."""
    made.round()
    other, begun = made.another(), []
    other._attend = lambda tenant, *, is_accepted: begun.append(tenant) or Puller._attend(other, tenant, is_accepted=is_accepted)
    with made.store.writing() as tx:
        mirrors.ask_to_accept(tx, "t", is_asked=True)
    for seconds in (0, 0, 0, pulling.LOOK, 0, pulling.LOOK):
        made.seconds += seconds
        assert other.round() <= pulling.LOOK
        other.finish(30.0)
    assert 3 == begun.count("t")
    made.puller._mirrors.release()
    made.seconds += pulling.LOOK
    other.round()
    other.finish(30.0)
    with made.store.reading() as tx:
        assert not mirrors.is_asked_to_accept(tx, "t")


def test_what_waits_is_sent_before_anything_is_pulled(made):
    """A change that was kept during an outage reaches onOffice with the first turn after it."""
    made.add("t", "Eins")
    made.round()
    made.controls["t"].fault(kind="status", status=503, times=10_000)
    with made.store.reading() as tx:
        (record,) = tx.all_records("t", Kind.CONTACTS)
    actor = Actor(identity=Identity("t", "anna"), face=Face.DAV)
    made.office.records.write(actor, Kind.CONTACTS, replace(record.value, last_name="Neu"), record_id=record.id, expect=record.version)
    assert (1, made.clock.now) == (made.state("t").queued, made.state("t").oldest_errand)
    made.controls["t"].clear_faults()
    made.emulated.waited += 60
    made.seconds += SECONDS
    made.round()
    assert 0 == sum(made.state("t").errands.values())
    assert ["Neu"] == [row["Name"] for row in made.controls["t"].rows("address")]


def test_what_cannot_be_sent_now_does_not_keep_the_mirror_waiting(made):
    """A change of a task is kept, and the API user lost the right to tasks: contacts are polled, and the change is sent with the right."""
    control = made.controls["t"]
    for title in ("Rückruf", "Brief"):
        control.add("task", {"Betreff": title, "Verantwortung": "anna"})
    made.round()
    with made.store.reading() as tx:
        record = next(one for one in tx.all_records("t", Kind.TASKS) if one.value.subject == "Rückruf")
    control.fault(kind="status", status=503, times=10_000)
    actor, value = Actor(identity=Identity("t", "anna"), face=Face.DAV), replace(record.value, subject="Neu")
    made.office.records.write(actor, Kind.TASKS, value, record_id=record.id, expect=record.version)
    control.clear_faults()
    control.set_right(api := made.emulated.emulators["t"].account.user("api"), "task", "read", allowed=False)
    made.add("t", "Eins")
    made.emulated.waited += 60
    made.seconds += SECONDS
    made.round()
    assert (["Eins"], 1, None) == (made.names("t"), made.state("t").queued, made.state("t").trouble)
    control.set_right(api, "task", "read", allowed=True)
    made.seconds += SECONDS
    made.round()
    assert (["Brief", "Neu"], 0) == (sorted(row["Betreff"] for row in control.rows("task")), made.state("t").queued)


def test_what_was_hidden_when_a_device_changed_it_comes_back(made):
    """A right hides one task, and a device that ticks it off is told that it is gone; with the right the same task is here again."""
    control = made.controls["t"]
    numbers = [control.add("task", {"Betreff": title, "Verantwortung": "anna"}) for title in ("Rückruf", "Brief")]
    made.round()
    with made.store.reading() as tx:
        record = next(one for one in tx.all_records("t", Kind.TASKS) if one.value.subject == "Rückruf")
    api = made.emulated.emulators["t"].account.user("api")
    control.set_right(api, "task", "read", allowed=False, record=numbers[0])
    actor, value = Actor(identity=Identity("t", "anna"), face=Face.DAV), replace(record.value, done=True, status=TaskStatus.COMPLETED)
    with pytest.raises(NotFound):
        made.office.records.write(actor, Kind.TASKS, value, record_id=record.id, expect=record.version)
    control.set_right(api, "task", "read", allowed=True, record=numbers[0])
    made.puller._mirrors.of("t").sweep()
    with made.store.reading() as tx:
        assert (False, record.value) == ((back := tx.record("t", record.id)).deleted, back.value)


def test_a_stopping_server_leaves_a_fill_where_it_is(made):
    """It ends after a page, gives the lease back, and the next process goes on."""
    for number in range(3):
        made.add("t", f"N{number}")
    made.puller._over.set()
    assert 0.0 == made.puller._attend("t", is_accepted=False)
    assert made.state("t").trouble is None
    made.puller._mirrors.release()
    other = made.another()
    other.round()
    other.finish(30.0)
    assert ["N0", "N1", "N2"] == made.names("t")


def test_the_thread_ends_when_it_is_told_to(made):
    """And another process may pull at once."""
    made.add("t", "Eins")
    made.puller.start()
    made.puller.stop()
    assert not made.puller.is_alive()
    assert made.puller not in threading.enumerate()
    other = made.another()
    other.round()
    other.finish(30.0)
    assert ["Eins"] == made.names("t")


def test_metrics_tell_of_the_mirrors(made):
    """Lag, alarm, trouble and errands, of each tenant that is connected."""
    metrics = Metrics(made.office, Hub(made.store))
    assert 'onoffice_mirror_lag_seconds{kind="contacts",tenant="t"} +Inf' in metrics.text().decode()
    made.add("t", "Eins")
    made.round()
    assert 'onoffice_mirror_alarm{tenant="t"} 0.0' in metrics.text().decode()  # that there are no tasks is none
    made.controls["t"].set_right(made.controls["t"].user("api"), "address", "read", allowed=False)
    made.round()
    made.clock.now += timedelta(seconds=90)
    with made.store.writing() as tx:
        tenants.save_access(tx, "u", None)
    text = metrics.text().decode()
    assert 'onoffice_mirror_lag_seconds{kind="tasks",tenant="t"} 90.0' in text
    assert 'onoffice_mirror_stale{kind="contacts",tenant="t"} 1.0' in text
    assert 'onoffice_mirror_stale{kind="tasks",tenant="t"} 0.0' in text
    assert 'onoffice_mirror_alarm{tenant="t"} 1.0' in text
    assert 'onoffice_mirror_trouble{tenant="t"} 0.0' in text
    assert 'onoffice_errands{state="waiting",tenant="t"} 0.0' in text
    assert 'onoffice_mirror_alarm{tenant="u"}' not in text
