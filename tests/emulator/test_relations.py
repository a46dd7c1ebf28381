"""Links between records, contract 9."""

from __future__ import annotations

import pytest

SYNC = "urn:onoffice-de-ns:smart:2.5:relationTypes:address:user:sync"
CONFIRMED = "urn:onoffice-de-ns:smart:2.5:relationTypes:calendar:address"


@pytest.fixture
def office(control):
    """Users 2 and 3, addresses 1 to 3; user 2 has addresses 1 and 3 on his phone."""
    control.add_user("anna")
    control.add_user("theo")
    control.add_many("address", [{"sync": [2]}, {}, {"sync": [2]}])


def ids(wire, **parameters):
    return wire.records("get", "idsfromrelation", {"relationtype": SYNC, **parameters})


def test_ids_of_a_relation(wire, control, office):
    """One record; asked and found ids are texts; none is an empty list; both directions."""
    expected = {"id": "relatedIds", "type": "", "elements": {"2": ["1", "3"], "3": []}}
    assert [expected] == ids(wire, childids=[2, "3"])
    assert {"1": ["2"], "2": []} == ids(wire, parentids=[1, 2])[0]["elements"]
    assert {"2": []} == ids(wire, parentids=[2])[0]["elements"]  # the wrong direction is an empty success
    control.set_switch("relation_duplicates", True)
    assert {"2": ["1", "1", "3", "3"]} == ids(wire, childids=[2])[0]["elements"]


def test_the_sync_flag_is_set_and_cleared(wire, control, office):
    """By create and delete; both are success without a number."""
    success = [{"id": 0, "type": "", "elements": {"success": "success"}}]
    assert success == wire.records("create", "relation", {"relationtype": SYNC, "parentid": [2], "childid": [2]})
    assert [[1, 2], [2, 2], [3, 2]] == control.linked("address:user:sync")
    assert success == wire.records("delete", "relation", {"relationtype": SYNC, "parentid": 1, "childid": 2})
    assert [[2, 2], [3, 2]] == control.linked("address:user:sync")
    assert ["link", "unlink"] == [one["action"] for one in control.log()][-2:]


@pytest.mark.parametrize(
    ("verb", "parameters", "code"),
    [
        ("create", {"relationtype": "nonsense"}, 132),
        ("create", {"relationtype": "address:user:sync"}, 132),  # without its URN
        ("create", {"relationtype": SYNC, "parentid": [1, 2], "childid": [2, 3]}, 219),
        ("create", {"relationtype": SYNC, "parentid": [99], "childid": [2]}, 80),
        ("create", {"relationtype": SYNC, "parentid": [1], "childid": ["x"]}, 179),
        ("create", {"relationtype": SYNC, "parentid": [1]}, 179),
        ("create", {"relationtype": SYNC.replace("address:user:sync", "task:file:attachment"), "parentid": [1], "childid": [2]}, 199),
        ("delete", {"relationtype": SYNC, "parentid": [1], "childid": [2]}, 187),
        ("modify", {"relationtype": SYNC, "parentid": 1, "childid": 2, "relationinfo": {}}, 182),
        ("modify", {"relationtype": CONFIRMED, "parentid": 1, "childid": 2}, 180),
    ],
)
def test_refused_writes(wire, control, office, verb, parameters, code):
    """And nothing linked or unlinked."""
    before = control.linked("address:user:sync")
    assert code == wire.code(verb, "relation", parameters)
    assert before == control.linked("address:user:sync")


def test_refused_reads(wire):
    """132 unknown type; something has to be asked for."""
    assert 132 == wire.code("get", "idsfromrelation", {"relationtype": "x", "parentids": [1]})
    assert 167 == wire.code("get", "idsfromrelation", {"relationtype": SYNC})


def test_linking_twice_and_unlinking_nothing(wire, control, office):
    """Success, or errors, as switched."""
    for verb, pair, code, switch in (("create", (1, 2), 179, "relation_again"), ("delete", (2, 2), 180, "relation_missing")):
        parameters = {"relationtype": SYNC, "parentid": pair[0], "childid": pair[1]}
        assert 0 == wire.code(verb, "relation", parameters)
        control.set_switch(switch, "error")
        assert code == wire.code(verb, "relation", parameters)


def test_the_confirmation_of_an_address(wire, control, office):
    """relationinfo of calendar:address, shown in appointmentList."""
    control.add("calendar", {"start_dt": "2026-05-04 09:00:00", "end_dt": "2026-05-04 10:00:00"}, addresses=[1])
    link = {"relationtype": CONFIRMED, "parentid": 1, "childid": 1}
    for info in ({"statusTerminbestaetigung": "vielleicht"}, {}, "x"):
        assert 181 == wire.code("modify", "relation", {**link, "relationinfo": info})
    assert 0 == wire.code("modify", "relation", {**link, "relationinfo": {"statusTerminbestaetigung": "bestätigt"}})
    assert [{"contacts": [{"id": "1", "confirmationStatus": "confirmed"}]}] == wire.elements(
        "get", "appointmentList", {"data": ["contacts"]}, 1
    )


@pytest.mark.parametrize(("raised", "stamp"), [(False, "2023-11-14 23:13:20"), (True, "2023-11-14 23:14:20")])
def test_linking_may_raise_the_stamp(wire, control, raised, stamp):
    """Of a task or an appointment; nobody says."""
    control.set_switch("link_raises_stamp", raised)
    control.add("address", {})
    control.add("project", {})
    control.add("task", {})
    control.add("task", {})
    control.advance(60)
    wire.now += 60
    for name, parent, child in (("task:address", 1, 1), ("project:task:customer", 1, 2)):
        wire.records("create", "relation", {"relationtype": SYNC.replace("address:user:sync", name), "parentid": parent, "childid": child})
    assert [{"modified": stamp}] * 2 == wire.elements("read", "task", {"data": ["modified"]})


def test_deleted_records_lose_their_links(control, office):
    """Somebody in the CRM deletes an address with its entries, or takes a flag away."""
    control.add_entry(1, "phone", "+49 1")
    control.delete("address", 1)
    assert [[3, 2]] == control.linked("address:user:sync")
    control.unlink("address:user:sync", 3, 2, by="anna")
    assert ("unlink", 3, 2) == tuple(control.log()[-1][name] for name in ("action", "resource", "target"))
    control.link("address:user:sync", 3, 2)
    assert [[3, 2]] == control.linked("address:user:sync")
