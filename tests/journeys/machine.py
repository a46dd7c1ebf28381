"""The convergence machine: three phones, two DAV clients and a CRM user over two server processes, a bad network and a bad day.

Each rule is one thing that somebody does. Phones and DAV clients send one request at a time, to either process, and any of them can be lost,
cut, or kill the process. At rest everybody synchronises until nothing moves any more; then the ledger is read.
"""

from __future__ import annotations

import copy
import logging
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from activesync_bridge.wbxml.codepages import Calendar
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.model import Identity, Kind
from radicale_onoffice.core.rights import Gate
from tests.eas.phone import change, delete
from tests.journeys.crm_users import CrmUser, InTheCore, Thing
from tests.journeys.davclient import DavClient, value_of, with_line
from tests.journeys.handset import COLLECTIONS, Handset, is_series
from tests.journeys.ledger import Complaints, Ledger, comparable, record_of
from tests.journeys.makings import MARK, SHAPES, Makings, kind_of, mark_of
from tests.journeys.occurrences import exception_of, instance_of
from tests.journeys.processes import FINE, Database, Fault, Killed, NoAnswer

LOGGERS = ("radicale", "radicale_onoffice", "activesync_bridge")
ROUNDS = 30  # in which everybody has to come to rest
collections = st.sampled_from(COLLECTIONS)
picks = st.integers(0, 50)
days = st.sampled_from((0, 1, 5, 40, -3, -20, -40, 170, 190))  # around the edges of one month back and six ahead
users = st.sampled_from((("anna",), ("bert",), ("anna", "bert")))
faults = st.one_of(
    st.just(FINE),
    st.just(FINE),
    st.builds(Fault, st.sampled_from(("request lost", "answer lost", "answer lost"))),
    st.builds(Fault, st.sampled_from(("cut", "truncated")), st.integers(0, 5000)),
    st.builds(Fault, st.just("killed"), st.integers(1, 5)),
)
phones = st.integers(0, 2)
davs = st.integers(0, 1)
processes = st.integers(0, 1)


class Convergence(RuleBasedStateMachine):
    """One run; ``database`` and ``clock`` are given by the test."""

    def __init__(self, database: Database, clock):
        super().__init__()
        self.database, self.clock = database, clock
        self.stack = ExitStack()
        self.url = self.stack.enter_context(database.copied())
        self.stack.callback(self.close)
        self.processes = [database.process(self.url, clock) for _ in range(2)]
        self.complaints = Complaints()
        for name in LOGGERS:
            logging.getLogger(name).addHandler(self.complaints)
        self.make, self.ledger = Makings(clock), Ledger()
        self.crm: CrmUser = InTheCore(self)
        self.phones = [
            Handset("anna", version="16.1", device="NEW"),
            Handset("anna", version="14.1", device="SMALL", window=2, filters={"appointments": 5, "tasks": 8}),
            Handset("bert", version="14.1", device="OLD", window=3),
        ]
        self.davs = [DavClient("anna", "dav-a"), DavClient("bert", "dav-b")]
        if database.prepared is not None:
            self.make, self.ledger, self.phones, self.davs = copy.deepcopy(database.prepared)

    @classmethod
    def prepare(cls, database: Database, clock) -> None:
        """Let every run begin with a few records that everybody has: copying them costs less than fetching them each time."""
        machine = cls(database, clock)
        for collection in COLLECTIONS:
            for shape in SHAPES:
                machine.the_crm_makes_something(collection, ("anna", "bert"), 1, shape, 0)
        machine.rest()
        database.keep(machine.url, (machine.make, machine.ledger, machine.phones, machine.davs))
        machine.stack.close()

    # ------------------------------------------------------------- processes

    @property
    def office(self):
        return self.processes[0].office

    def restart(self, number: int) -> None:
        """A new process over the same database."""
        self.processes[number].close()
        self.processes[number] = self.database.process(self.url, self.clock)

    @rule(what=st.sampled_from((0, 1, 2, 2, 3, 4)), hours=st.sampled_from((1, 16, 24, 24 * 9)), collection=collections)
    def something_rare_happens(self, what, hours, collection):
        if what < 2:
            self.restart(what)
        elif what == 2:
            self.clock.now += timedelta(hours=hours)
        else:
            self.toggle_a_gate(("anna", "bert")[what - 3], collection, then_open=hours > 1)

    def toggle_a_gate(self, user: str, collection: str, *, then_open: bool) -> None:
        """A user switches a kind off, and on again at once or when the run ends."""
        settings, kind = self.office.settings, kind_of(collection)
        settings.set_gate(Identity("t", user), Gate.SWITCH, kind, is_open=False, by="test")
        if then_open:
            settings.set_gate(Identity("t", user), Gate.SWITCH, kind, is_open=True, by="test")

    # ------------------------------------------------------------------- CRM

    @rule(collection=collections, whose=users, ahead=days, shape=st.sampled_from(SHAPES), number=processes)
    def the_crm_makes_something(self, collection, whose, ahead, shape, number):
        mark = self.make.mark(collection)
        value = self.make.value(collection, mark, whose, ahead, shape)
        self.crm.make(number, kind_of(collection), value)
        self.ledger.made.add(mark)

    def picked(self, pick: int) -> Thing | None:
        """Some record of the CRM's."""
        things = self.crm.things()
        return things[pick % len(things)] if things else None

    @rule(pick=picks, what=picks, ahead=days, number=processes)
    def the_crm_changes_something(self, pick, what, ahead, number):
        thing = self.picked(pick)
        if thing is not None:
            touched = self.crm.change(number, thing, self.make.changed(thing.value, what, ahead))
            self.ledger.may_change(thing.mark, touched)

    @rule(pick=picks, whose=users)
    def the_crm_decides_whom_something_concerns(self, pick, whose):
        thing = self.picked(pick)
        if thing is not None:
            touched = self.crm.concern(thing, whose)
            self.ledger.may_change(thing.mark, touched)
            self.ledger.crm_wrote(thing.mark)

    @rule(pick=picks)
    def the_crm_deletes_something(self, pick):
        thing = self.picked(pick)
        if thing is not None:
            self.crm.delete(thing)
            self.ledger.dead.add(thing.mark)

    # ---------------------------------------------------------------- phones

    @rule(number=phones, collection=collections, ahead=days, shape=st.sampled_from(SHAPES))
    def a_phone_user_makes_something(self, number, collection, ahead, shape):
        phone, mark = self.phones[number], self.make.mark(collection)
        phone.add(collection, *self.make.elements(collection, mark, phone.version, ahead, shape))

    @rule(number=phones, collection=collections, pick=picks, what=picks, ahead=days)
    def a_phone_user_changes_something(self, number, collection, pick, what, ahead):
        phone = self.phones[number]
        seen = phone.visible(collection)
        if seen:
            item = seen[pick % len(seen)]
            shown = phone.shown(collection, item)
            if any(MARK.search(one.text) for one in shown.values() if not one.children):
                phone.edit(collection, item, *self.make.edits(collection, shown, phone.version, what, ahead))

    @rule(number=phones, pick=picks, week=st.integers(1, 4), is_deleted=st.booleans())
    def a_phone_user_changes_an_occurrence(self, number, pick, week, is_deleted):
        phone = self.phones[number]
        waiting = phone.waiting["appointments"]
        series = [
            item
            for item in phone.of("appointments").items
            if item not in waiting.deleted and item not in waiting.changed and is_series(phone.shown("appointments", item))
        ]
        if not series:
            return
        item = series[pick % len(series)]
        shown = phone.shown("appointments", item)
        instance, mark = instance_of(shown, week), self.make.mark("appointments")
        subject = Element(Calendar.Subject, f"{mark} {self.make.word()}")
        if phone.sends_whole["appointments"]:
            phone.edit("appointments", item, exception_of(shown, instance, None if is_deleted else subject))
        elif (item, instance) not in waiting.occurrences:
            command = delete(item, instance=instance) if is_deleted else change(item, subject, instance=instance)
            phone.on_occurrence(item, instance, command)

    @rule(number=phones, collection=collections, pick=picks)
    def a_phone_user_deletes_something(self, number, collection, pick):
        phone = self.phones[number]
        seen = phone.visible(collection)
        if seen:
            phone.remove(collection, seen[pick % len(seen)])

    @rule(number=phones, period=st.sampled_from((0, 4, 5, 6)), tasks=st.sampled_from((0, 8)))
    def a_phone_user_chooses_a_period(self, number, period, tasks):
        self.phones[number].filters |= {"appointments": period, "tasks": tasks}

    @rule(number=phones, collection=collections, where=processes, fault=faults, again=st.booleans())
    def a_phone_synchronises(self, number, collection, where, fault, again):
        self.ask(self.phones[number], collection, where, fault, again=again)

    @rule(number=phones, where=processes)
    def a_phone_fetches_the_folders(self, number, where):
        self.phones[number].hierarchy(self.processes[where])

    @rule(number=phones, collection=collections, where=processes, pick=picks, what=picks, ahead=days, first=faults, second=faults)
    def a_phone_user_changes_something_on_a_bad_network(self, number, collection, where, pick, what, ahead, first, second):
        """An edit, two requests that may fail, and perhaps another edit between them."""
        self.a_phone_user_changes_something(number, collection, pick, what, ahead)
        self.ask(self.phones[number], collection, where, first)
        if what % 2:
            self.a_phone_user_changes_something(number, collection, pick, what, ahead)
        self.ask(self.phones[number], collection, 1 - where, second, again=bool(what % 3))

    def ask(self, phone: Handset, collection: str, where: int, fault: Fault, *, again: bool = False):
        """One Sync request; what came of it."""
        if phone.folders.get(collection) is None:
            return None
        flight = phone.prepare(collection, again=again)
        was = self.ledger.before(self.office, phone, collection, flight)
        items = phone.of(collection).items
        had = {server_id: comparable(items[server_id].children) for server_id in flight.changed}
        took, is_processed = None, fault.kind in ("", "answer lost", "killed")
        try:
            took = phone.attempt(self.processes[where], collection, flight, fault)
        except NoAnswer:
            pass
        except Killed:
            self.restart(where)
        self.ledger.after(self.office, phone, collection, flight, was, had, took, processed=is_processed)
        return took

    # ------------------------------------------------------------------- DAV

    @rule(number=davs, collection=collections, ahead=days, shape=st.sampled_from(SHAPES))
    def a_dav_user_makes_something(self, number, collection, ahead, shape):
        self.davs[number].make(collection, self.make.text(collection, self.make.mark(collection), ahead, shape))

    @rule(number=davs, collection=collections, pick=picks, what=picks)
    def a_dav_user_changes_something(self, number, collection, pick, what):
        client = self.davs[number]
        shown = client.shown(collection)
        if not shown:
            return
        name = sorted(shown)[pick % len(shown)]
        text, word = shown[name], self.make.word()
        if collection == "contacts":
            mark = MARK.search(value_of(text, "N"))
            line = (("N", f"{word};{mark[0] if mark else ''};;;"), ("NOTE", word), ("X-OWN", word))[what % 3]
        else:
            mark = MARK.search(value_of(text, "SUMMARY"))
            line = (("SUMMARY", f"{mark[0] if mark else ''} {word}"), ("DESCRIPTION", word), ("X-OWN", word))[what % 3]
        if mark is not None:
            client.edit(collection, name, with_line(text, *line))

    @rule(number=davs, collection=collections, pick=picks)
    def a_dav_user_deletes_something(self, number, collection, pick):
        client = self.davs[number]
        shown = sorted(client.shown(collection))
        if shown:
            client.remove(collection, shown[pick % len(shown)])

    @rule(number=davs, collection=collections, where=processes, fault=faults)
    def a_dav_client_pushes(self, number, collection, where, fault):
        self.push(self.davs[number], collection, where, fault)

    @rule(number=davs, collection=collections, where=processes, fault=faults)
    def a_dav_client_pulls(self, number, collection, where, fault):
        self.with_fault(where, lambda: self.davs[number].pull(self.processes[where], collection, _of_dav(fault)))

    def push(self, client: DavClient, collection: str, where: int, fault: Fault) -> bool:
        """Send one waiting change; False if there is none."""
        waiting = client.next_push(collection)
        if waiting is None:
            return False
        method, name = waiting
        text = client.shown(collection).get(name, "")
        record_id = self.named(client, collection, name)
        if method == "DELETE" and record_id:
            record = record_of(self.office, record_id)
            self.ledger.doomed |= {mark_of(record.value)} if record else set()
        status = self.with_fault(where, lambda: client.push(self.processes[where], collection, method, name, _of_dav(fault)))
        if status == 201:
            self.ledger.made.add(MARK.search(text)[0])
        elif status is None and name in client.copies[collection].made:
            self.ledger.unsure.add(MARK.search(text)[0])
        if status in (200, 204) and method == "DELETE" and record_id:
            self.ledger.taken_off(self.office, client.login, record_id)
        return True

    def named(self, client: DavClient, collection: str, name: str) -> str | None:
        with self.office.store.reading() as tx:
            return tx.named(Identity("t", client.login), kind_of(collection), name)

    def with_fault(self, where: int, call):
        """The call's answer, None if there was none."""
        try:
            return call()
        except NoAnswer:
            return None
        except Killed:
            self.restart(where)
            return None

    # --------------------------------------------------------------- at rest

    @rule()
    def everybody_comes_to_rest(self):
        self.rest()

    def rest(self) -> None:
        """Synchronise until nothing moves, and look at everything."""
        for user in ("anna", "bert"):
            for kind in Kind:
                self.office.settings.set_gate(Identity("t", user), Gate.SWITCH, kind, is_open=True, by="test")
        for _ in range(ROUNDS):
            if not self.round():
                break
        else:
            raise AssertionError("It does not come to rest.")
        for phone in self.phones:
            self.ledger.check_phone(self.office, phone)
        for client in self.davs:
            self.ledger.check_dav(self.office, client)
        self.ledger.check_records(self.office)
        assert self.complaints.lines == [], "\n".join(self.complaints.lines)

    def round(self) -> bool:
        """Everybody synchronises once; True if anything moved."""
        moved = False
        for number, phone in enumerate(self.phones):
            phone.hierarchy(self.processes[number % 2])
            for collection in COLLECTIONS:
                took = self.ask(phone, collection, number % 2, FINE)
                while took is not None and took.more:
                    took = self.ask(phone, collection, number % 2, FINE)
                    moved = True
                moved |= took is None or took.news or not phone.is_quiet
        for number, client in enumerate(self.davs):
            for collection in COLLECTIONS:
                while self.push(client, collection, number % 2, FINE):
                    moved = True
                moved |= client.pull(self.processes[number % 2], collection)
        return moved

    def teardown(self):
        """Every run ends at rest."""
        try:
            self.rest()
        finally:
            self.stack.close()

    def close(self) -> None:
        """End both processes."""
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(self.complaints)
        for process in self.processes:
            process.close()


def _of_dav(fault: Fault) -> Fault:
    """A body that is shorter than its Content-Length never arrives as a whole one."""
    return replace(fault, kind="cut") if fault.kind == "truncated" else fault
