"""The convergence machine with onOffice as the CRM: its user works there, servers poll it and write to it, and it has bad days of its own."""

from __future__ import annotations

from datetime import UTC, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from radicale_onoffice import mirrors
from radicale_onoffice.core import rules
from radicale_onoffice.core.model import Kind
from radicale_onoffice.crm.onoffice import rows
from radicale_onoffice.crm.onoffice.memory import memory_of
from radicale_onoffice.crm.onoffice.mirror import SWEEP_AGAIN
from tests.journeys.crm_users import InOnOffice
from tests.journeys.ledger import everything
from tests.journeys.machine import Convergence, processes
from tests.journeys.makings import mark_of
from tests.journeys.processes import FINE, Database, Fault, Killed

# These say that onOffice does not answer, or shows less than it did: here it is true.
BAD_DAYS = frozenset({"radicale_onoffice.pulling", *(f"radicale_onoffice.crm.onoffice.{name}" for name in ("client", "mirror"))})
LEASE = timedelta(minutes=6)  # of a dead process, and how long a write without an answer may still be carried out
troubles = st.sampled_from(
    (
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 502},
        {"kind": "status", "status": 502, "when": "after"},
        {"kind": "reset"},
        {"kind": "reset", "when": "after"},
        {"kind": "truncate", "when": "after"},
        {"kind": "drop", "when": "after"},
        {"kind": "empty", "when": "after"},
        {"kind": "delay", "seconds": 3600.0},
        {"kind": "delay", "seconds": 3600.0, "when": "after"},
    )
)
deaths = st.one_of(st.just(FINE), st.just(FINE), st.builds(Fault, st.just("killed"), st.integers(1, 5)))


class OverOnOffice(Convergence):
    """See ``Convergence``."""

    def __init__(self, database: Database, clock):
        super().__init__(database, clock)
        self.complaints.bad_days = BAD_DAYS
        self.emulated = database.emulated[self.url]
        self.emulator = self.emulated.emulators["t"]
        self.control = self.emulator.control
        self.crm = InOnOffice(self.emulator)
        self.was_emptied = False  # whether an answer may have said, untruly, that there is nothing

    # -------------------------------------------------------------- onOffice

    @rule(number=processes, fault=deaths)
    def a_server_pulls(self, number, fault):
        try:
            self.processes[number].pull(fault)
        except Killed:
            self.restart(number)
        self.learn()

    @rule(trouble=troubles, times=st.sampled_from((1, 1, 2, 4)), after=st.integers(0, 2))
    def onoffice_has_trouble(self, trouble, times, after):
        """With the request after so many."""
        if after:
            self.control.fault(kind="pass", times=after)
        self.control.fault(**trouble, times=times)
        self.was_emptied |= trouble["kind"] == "empty"

    @rule(is_down=st.booleans())
    def onoffice_goes_down_or_comes_back(self, is_down):
        if is_down:
            self.control.fault(kind="reset", times=1_000_000)
        else:
            self.comes_back()

    def comes_back(self) -> None:
        """Every request is answered again; what it was sent and nobody waited for is carried out now."""
        self.control.clear_faults()
        self.emulated.waited += 3600
        self.control.settle()

    def learn(self) -> None:
        """After a whole poll with nothing on its way, the store knows what is in onOffice."""
        with self.office.store.reading() as tx:
            errands, answered = list(tx.errands("t")), memory_of(tx, "t").answered
        if not errands and answered == self.clock.now.astimezone(UTC).isoformat(timespec="seconds"):
            self.ledger.foreign.clear()

    # --------------------------------------------------------------- at rest

    def rest(self) -> None:
        self.comes_back()
        self.clock.now += LEASE
        super().rest()
        self.check_onoffice()

    def round(self) -> bool:
        before = self.change()
        for process in self.processes:
            process.pull()
        self.learn()
        with self.office.store.writing() as tx:
            alarms = mirrors.state_of(tx, "t", self.clock.now).alarms
        if alarms:  # a fault's, which is off now: the second look ends it, and nobody has to say that it is true
            assert self.was_emptied, alarms
            self.clock.now += SWEEP_AGAIN
        return super().round() or bool(alarms) or self.change() != before

    def change(self) -> int:
        with self.office.store.reading() as tx:
            return tx.change("t")

    def check_onoffice(self) -> None:
        """Nothing waits; onOffice has each record once, and says what the store says."""
        with self.office.store.reading() as tx:
            assert [] == list(tx.errands("t"))
            assert mirrors.trouble_of(tx, "t") is None
            links = {record_id: crm_id for kind in Kind for crm_id, record_id in tx.links("t", kind).items()}
        marks = sorted(thing.mark for thing in self.crm.things())
        live = {record.id: record for record in everything(self.office) if not record.deleted and mark_of(record.value)}
        assert marks == sorted(mark_of(record.value) for record in live.values())
        connection = self.office.crm.connections.to("t")
        for kind in Kind:
            found = rows.fetch(connection.client, connection.account(), kind, [links[key] for key, one in live.items() if one.kind is kind])
            for key, record in live.items():
                if record.kind is kind:
                    says = rules.normalise(rows.load(kind, found[links[key]], connection.account(), record.value))
                    assert says == record.value, (key, record.text)
