"""Every creation without an answer ends, whatever becomes of it; until then it holds back as little as possible of what is new in onOffice."""

from __future__ import annotations

from contextlib import suppress

import pytest

from radicale_onoffice.core.errors import OfficeError, UpstreamDown
from radicale_onoffice.core.model import Identity, Kind
from radicale_onoffice.core.policy import OnOutage, OnTaskDelete, Policy
from radicale_onoffice.core.ports import ErrandState
from radicale_onoffice.crm.onoffice.draining import Drain
from radicale_onoffice.mirrors import Mirrors
from tests.crm.desks import TABLES
from tests.crm.test_exactly_once import failing_commit

QUEUE = Policy(writes_during_outage=OnOutage.QUEUE, task_delete=OnTaskDelete.DELETE)
EVENTS, CONTACTS = Kind.APPOINTMENTS, Kind.CONTACTS
TOGETHER = {"participants": ("anna", "bert")}


def turns(at, mirror, times: int = 4) -> None:
    """Turns of the queue and of the mirror, minutes apart."""
    for _ in range(times):
        at.wait(minutes=5)
        with suppress(OfficeError):
            at.drain()
        mirror.turn()


def opened(desk, kind: Kind, policy=None, **how):
    """A desk with a record of a kind, and its mirror, filled."""
    at = desk(policy)
    at.add(kind, uid="before", name="before.item", **how)
    mirror = Mirrors(at.office, at.office.crm, "m").of("t")
    mirror.turn()
    return at, mirror


def names(at) -> set[str]:
    return {one.value.last_name for one in at.all_stored(CONTACTS)}


def new_in_onoffice(at) -> None:
    at.control.add("address", {"Name": "Neu"}, sync=[at.control.user("anna")])


def newest(at, kind: Kind) -> int:
    return max(row["id"] for row in at.rows(kind))


# ---------------------------------------------------- a part that keeps failing


@pytest.mark.parametrize("policy", [None, QUEUE], ids=["refuse", "queue"])
@pytest.mark.parametrize("code", [1, 104, 150])
def test_a_flag_that_cannot_be_set_for_good_is_told_of(desk, code, policy):
    """onOffice is well, but for the Sync flag of one new contact: others come meanwhile, and it is given up after a while."""
    at, mirror = opened(desk, CONTACTS, policy)
    at.fault(kind="error", verb="create", resourcetype="relation", code=code, message="No.", times=10**6)
    with suppress(UpstreamDown):
        at.add(CONTACTS)
    new_in_onoffice(at)
    at.wait(minutes=1)
    mirror.turn()
    assert (True, 1) == ("Neu" in names(at), len(at.errands()))
    turns(at, mirror)
    (told,) = [one for one in at.told() if "did not take all of it" in one]
    assert (True, []) == (f"onOffice code {code}" in told, at.errands())


def test_a_flag_that_fails_for_a_moment_is_set(desk):
    """However long ago its contact was made: it is not given up at the first failure that is seen."""
    at, mirror = opened(desk, CONTACTS, QUEUE)
    at.fault(verb="create", resourcetype="relation", kind="reset", times=10**6)
    at.add(CONTACTS)
    at.recover()
    at.wait(hours=5)
    at.fault(kind="error", verb="create", resourcetype="relation", code=1)
    turns(at, mirror, 2)
    row = at.control.get("address", newest(at, CONTACTS))
    assert ([at.control.user("anna")], [], []) == (row["links"]["address:user:sync"], at.told(), at.errands())


# ------------------------------------------------------- what was deleted there


def test_a_new_record_that_was_deleted_in_onoffice_goes_here_too(desk):
    """Made, its number known, its end unanswered and acknowledged all the same; then somebody deletes it."""
    at, mirror = opened(desk, CONTACTS, QUEUE)
    at.fault(verb="create", resourcetype="relation", kind="reset", times=10**6)
    record = at.add(CONTACTS)
    at.recover()
    at.control.delete("address", newest(at, CONTACTS))
    new_in_onoffice(at)
    turns(at, mirror)
    assert ("Neu" in names(at), at.stored(record).deleted, at.errands()) == (True, True, [])
    assert any("deleted there meanwhile" in one for one in at.told())


@pytest.mark.parametrize("clears_up", [True, False])
def test_a_new_record_that_was_deleted_in_onoffice_is_made_for_its_device(desk, clears_up):
    """Its device was told nothing and comes again, before or after a turn has cleared up."""
    at, mirror = opened(desk, CONTACTS)
    at.fault(verb="create", resourcetype="relation", kind="reset", times=10**6)
    with pytest.raises(UpstreamDown):
        at.add(CONTACTS)
    at.recover()
    at.control.delete("address", newest(at, CONTACTS))
    at.wait(minutes=5)
    if clears_up:
        turns(at, mirror)
        assert [] == at.errands()
    record = at.add(CONTACTS)
    assert (2, newest(at, CONTACTS), []) == (len(at.rows(CONTACTS)), at.number(record), at.errands())


# ------------------------------------------------------------ somebody who left


def bert_leaves(at) -> None:
    at.control.delete("user", at.control.user("bert"))
    with at.office.store.writing() as tx:
        tx.remove_user(Identity("t", "bert"))
    at.emulated.connections.to("t").look_again()


def is_new_stored(at, mirror) -> bool:
    """Whether an appointment comes that is new in onOffice."""
    day = {"start_dt": "2026-04-02 09:00:00", "end_dt": "2026-04-02 10:00:00"}
    at.control.add("calendar", {"description": "Neu", **day}, users=[at.control.user("anna")])
    turns(at, mirror)
    return "Neu" in {one.value.subject for one in at.all_stored(EVENTS)}


def test_a_new_record_that_cannot_be_looked_for_is_refused(desk):
    """It was acknowledged, and names a colleague who left: the administrator decides; a retry looks for it again before it makes it."""
    at, mirror = opened(desk, EVENTS, QUEUE, changes=TOGETHER)
    at.fault(verb="create", resourcetype=TABLES[EVENTS], kind="reset", when="after")
    at.outage()
    at.add(EVENTS, changes=TOGETHER)
    at.recover()
    bert_leaves(at)
    assert is_new_stored(at, mirror)
    (errand,) = at.errands()
    assert (ErrandState.REFUSED, True) == (errand.state, "cannot be found out" in errand.reason)
    Drain(at.office.crm, at.office.store, at.clock, "test").retry("t", errand.number)
    assert [ErrandState.SENT] == [one.state for one in at.errands()]
    turns(at, mirror, 1)
    assert [ErrandState.REFUSED] == [one.state for one in at.errands()]


def test_a_new_record_that_cannot_be_looked_for_is_forgotten(desk):
    """The same when the process was killed before its device was told."""
    at, mirror = opened(desk, EVENTS, changes=TOGETHER)
    with failing_commit(at, 2):
        at.add(EVENTS, changes=TOGETHER)
    bert_leaves(at)
    assert (True, []) == (is_new_stored(at, mirror), at.errands())
    assert any("cannot be found out" in one for one in at.told())
