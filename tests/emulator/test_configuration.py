"""Fields, kinds of action, values of select fields, and the log; contract 8.2 to 8.5 and 10."""

from __future__ import annotations

import pytest


def test_fields_of_a_module(wire):
    """One record per module, named by it; calendar has eight keys."""
    found = wire.records("get", "fields", {"modules": ["calendar"]})
    assert [("calendar", "")] == [(one["id"], one["type"]) for one in found]
    assert ["start_dt", "end_dt", "rp_flag", "description", "von", "erledigt", "note", "art"] == list(found[0]["elements"])
    name = wire.elements("get", "fields", {"modules": ["address"], "fieldList": ["Name", "Anrede"]})[0]
    expected = {
        "type": "varchar",
        "length": 80,
        "permittedvalues": None,
        "default": None,
        "filters": [],
        "dependencies": [],
        "compoundFields": [],
    }
    assert expected == name["Name"]
    assert ["Herr", "Frau", "Firma", "Familie", "Eheleute"] == name["Anrede"]["permittedvalues"]


def test_an_unknown_module(wire):
    """163."""
    assert 163 == wire.code("get", "fields", {"modules": ["spaceship"]})


def test_labels_are_among_the_fields(wire):
    """A plain text beside the objects."""
    found = wire.elements("get", "fields", {"modules": ["task"], "labels": True, "fieldList": ["Betreff"]})[0]
    assert ("Aufgaben", "Betreff") == (found["label"], found["Betreff"]["label"])


def test_what_no_configuration_lists(wire):
    """Change stamp and contact keys of addresses, and several fields of tasks, are read or written all the same."""
    found = {one["id"]: set(one["elements"]) for one in wire.records("get", "fields", {"modules": ["address", "task"]})}
    assert not found["address"] & {"Aenderung", "phone", "mobile", "imageUrl", "uuid"}
    assert not found["task"] & {"erledigt", "Stand", "Kommentar"}
    assert {"modified", "Nr", "Status"} <= found["task"]


def test_an_account_has_its_own_fields(wire, control):
    """The administrator adds and removes them."""
    control.set_field("address", "ind_7", type="singleselect", values={"a": "Ah", "b": "Beh"})
    control.drop_field("address", "Zusatz2")
    assert 0 == wire.code("create", "address", {"ind_7": "a"})
    assert [77, 141] == [wire.code("create", "address", parameters) for parameters in ({"ind_7": "c"}, {"Zusatz2": "x"})]
    assert [{"id": 1, "ind_7": "a"}] == wire.elements("read", "address", {"data": ["ind_7"]})
    assert [{"id": 1, "ind_7": "Ah"}] == wire.elements("read", "address", {"data": ["ind_7"], "formatoutput": True})
    assert 141 == wire.code("read", "address", {"data": ["Zusatz2"]})


def test_kinds_of_action(wire, control):
    """Types of appointments have keys; the numbers of task types are not told; no types are an empty list."""
    found = {one["key"]: one["types"] for one in wire.elements("get", "actionkindtypes", {"lang": "DEU"})}
    assert "Besprechung" == found["Termin"]["meeting"]
    assert [] == found["Brief"]
    control.set_types("Termin", {"x": "Ix"})
    assert {"x": "Ix"} == wire.elements("get", "actionkindtypes")[0]["types"]


def test_values_of_a_select_field(wire):
    """Key and title."""
    ask = ("get", "confignewaddressfields")
    assert {"id": "DEU", "type": "", "elements": {"title": "Deutschland"}} == wire.records(*ask, {"fieldname": "Land"}, "fieldvalues")[0]
    assert "Herr" == wire.records(*ask, {"fieldname": "Anrede"}, "fieldvalues")[0]["id"]
    assert [75, 171, 24] == [
        wire.code(*ask, {"fieldname": name}, id) for name, id in (("x", "fieldvalues"), ("Name", "fieldvalues"), ("Name", "x"))
    ]


@pytest.fixture
def history(wire, control):
    """Somebody deletes what the API made and changed, an hour later."""
    wire.records("create", "address", {"Name": "a"})
    wire.records("modify", "address", {"Name": "b"}, 1)
    wire.records("create", "task", {"data": {"Betreff": "t"}})
    control.add_user("anna")
    control.advance(3600)
    control.delete("address", 1, by="anna")
    wire.now += 3600


def test_the_log(wire, history):
    """All values are texts; deletes stand in it with who and when, in local time."""
    expected = {
        "id": "4", "action": "delete", "module": "address", "userId": "2", "dateTime": "2023-11-15 00:13:20", "resourceId": "1",
        "resourceTable": "address", "resourcePk": "1",
    }  # fmt: skip
    assert [{"id": 4, "type": "Log", "elements": expected}] == wire.records(
        "read", "log", {"module": "address", "action": "delete", "listlimit": 500}
    )
    window = {"dateTime": [{"op": "BETWEEN", "val": ["2023-11-14 23:00:00", "2023-11-14 23:59:59"]}]}
    found = wire.elements("read", "log", {"listlimit": 500, "filter": window})
    assert [("add", "address"), ("edit", "address"), ("add", "task")] == [(one["action"], one["module"]) for one in found]
    assert ["4"] == [
        one["id"] for one in wire.elements("read", "log", {"listlimit": 9, "filter": {"userNr:user.Nr": [{"op": "=", "val": 2}]}})
    ]
    assert ["3"] == [one["id"] for one in wire.elements("read", "log", {"listlimit": 1, "listOffset": 2})]


def test_the_count_of_the_log(wire, history):
    """True only with listlimit 0; else the rows are repeated."""
    assert (4, []) == (wire.total("read", "log", {"listlimit": 0}), wire.records("read", "log", {"listlimit": 0}))
    assert 2 == wire.total("read", "log", {"listlimit": 2})


def test_refused_logs(wire, control, api_user):
    """256 without a listlimit, 141 for the column field, 156 without the administrator's right."""
    assert 256 == wire.code("read", "log", {"module": "address"})
    assert 141 == wire.code("read", "log", {"listlimit": 1, "filter": {"field": [{"op": "=", "val": "Name"}]}})
    control.set_right(api_user, "log", "read", False)
    assert 156 == wire.code("read", "log", {"listlimit": 1})


def test_the_log_as_switches(wire, control, history):
    """UTC, deletes without a number, and a retention."""
    control.set_switch("log_zone", "utc")
    control.set_switch("log_resource_ids", False)
    found = wire.elements("read", "log", {"listlimit": 500, "filter": {"dateTime": [{"op": ">=", "val": "2023-11-14 23:13:20"}]}})
    assert [("2023-11-14 23:13:20", "")] == [(one["dateTime"], one["resourceId"]) for one in found]
    control.set_switch("log_retention_days", 1)
    control.advance(86000)
    wire.now += 86000
    assert 1 == wire.total("read", "log", {"listlimit": 0})
