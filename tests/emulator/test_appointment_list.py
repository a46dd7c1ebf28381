"""The new read of appointments, contract 6.1 and 6.6."""

from __future__ import annotations

import pytest

MAY = {"startDate": "2026-05-01", "endDate": "2026-05-31"}
DATA = {"description": "Jour fixe", "start_dt": "2026-05-04 09:00:00", "end_dt": "2026-05-04 09:45:00"}


def ids(wire, **filter_):
    return [one["id"] for one in wire.elements("get", "appointmentList", {"data": ["id"], "filter": {**MAY, **filter_}})]


def test_every_element(wire, control):
    """Ids are texts, times UTC; Berlin is two hours ahead in May."""
    anna = control.add_user("anna", "Anna", "Arndt", "anna@example.org")
    team = control.add_group("Vertrieb", [anna])
    control.add("address", {"Name": "Beispiel"})
    control.add("estate", {"address": "Hauptstr. 5"})
    control.add("project", {"name": "Verkauf"})
    control.add("resource", {"name": "Raum"})
    more = {
        "note": "n", "art": "meeting", "private": True, "erinnerung": "2 hours", "reminderTypes": ["popup"], "transitTimePre": "00:20:00",
        "location": {"sonstiges": "Raum 3"}, "ressources": ["1"], "von": "anna",
    }  # fmt: skip
    control.add("calendar", {**DATA, **more}, users=[anna], groups=[team], addresses=[1], estate=1, project=1)
    keys = [
        "id", "createdBy", "modified", "subject", "notes", "type", "status", "confirmationStatus", "private", "date", "travelTime", "location",
        "recurrence", "reminder", "groups", "users", "resources", "contacts", "showFollowUpStatus", "estate", "project", "conflicts",
    ]  # fmt: skip
    expected = {
        "id": "1", "createdBy": "anna", "modified": "2023-11-14T22:13:20+00:00", "subject": "Jour fixe", "notes": "n",
        "type": {"value": "meeting", "label": "Besprechung"}, "status": {"value": "active", "label": "Aktiv"}, "confirmationStatus": "not-set",
        "private": True, "date": {"start": "2026-05-04T07:00:00+00:00", "end": "2026-05-04T07:45:00+00:00", "allDay": False},
        "travelTime": {"outward": 20, "return": 0}, "location": {"type": "other", "value": "Raum 3"}, "recurrence": None,
        "reminder": {"timeBefore": 120, "recipients": "all", "confirmedOnly": False, "types": ["popup"]}, "groups": [{"id": "1", "name": "Vertrieb"}],
        "users": [{"id": "2", "userName": "anna", "firstName": "Anna", "lastName": "Arndt", "email": "anna@example.org"}],
        "resources": [{"id": "1", "name": "Raum"}],
        "contacts": [{"id": "1", "confirmationStatus": "not-set", "followUpAvailable": False, "followUpStatus": "inactive"}],
        "estate": {"id": "1"}, "project": {"id": "1"}, "conflicts": [],
    }  # fmt: skip
    records = wire.records("get", "appointmentList", {"data": keys}, 1)
    assert [{"id": 1, "type": "calendar", "elements": expected}] == records


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("startDate", {"interval": 2, "startDate": "2026-05-04", "endDate": "2026-12-31"}),
        ("start", {"interval": 2, "start": "2026-05-04", "end": "2026-12-31"}),
        ("rp", {"rp_type": "w", "rp_tage": 2, "rp_beginn_datum": "2026-05-04", "rp_ende_datum": "2026-12-31"}),
    ],
)
def test_recurrence(wire, control, keys, expected):
    """Interval, start and end are there; how they are called is not documented, and excluded days are not shown."""
    control.set_switch("recurrence_keys", keys)
    series = {
        "rp_type": "w",
        "rp_tage": 2,
        "rp_beginn_datum": "2026-05-04",
        "rp_ende_datum": "2026-12-31",
        "rp_ende_status": "1",
        "rp_exception": ["2026-05-18"],
    }
    control.add("calendar", {**DATA, "rp_flag": True, **series})
    assert [{"recurrence": expected}] == wire.elements("get", "appointmentList", {"data": ["recurrence"]}, 1)
    assert ["1"] == ids(wire, startDate="2026-06-01", endDate="2026-06-01")  # once, anchored at its first date outside of the window
    assert [] == ids(wire, startDate="2026-05-18", endDate="2026-05-18")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"filter": MAY}, 167),
        ({"data": ["subject"]}, 91),
        ({"data": ["subject"], "filter": []}, 91),
        ({"data": ["subject"], "filter": {"startDate": "2026-05-01"}}, 92),
        ({"data": ["subject"], "filter": {"startDate": "2026-05-02", "endDate": "2026-05-01"}}, 93),
        ({"data": ["description"], "filter": MAY}, 141),
        ({"data": ["subject"], "filter": {**MAY, "notes": "x"}}, 257),
    ],
)
def test_refused_reads(wire, parameters, code):
    """data and both dates are needed."""
    assert code == wire.code("get", "appointmentList", parameters)


def test_data_may_be_left_out(wire, control):
    """As the documentation has it, then all elements come."""
    control.set_switch("list_needs_data", False)
    control.add("calendar", DATA)
    assert "Jour fixe" == wire.elements("get", "appointmentList", {"filter": MAY})[0]["subject"]


def test_the_filter_of_its_own(wire, control):
    """Plain truths (left out: both), participants as texts, op and val for four texts; other keys are silently ignored."""
    anna = control.add_user("anna")
    control.add("calendar", {**DATA, "status": "canceled", "von": "anna"})
    control.add("calendar", {**DATA, "status": "completed"}, users=[anna])
    control.add("calendar", {**DATA, "rp_flag": True, "rp_type": "w", "rp_tage": 1, "rp_beginn_datum": "2026-05-04", "rp_ende_status": "2"})
    assert ["1", "2", "3"] == ids(wire)
    assert (["1"], ["2", "3"]) == (ids(wire, isCancelled=True), ids(wire, isCancelled=False))
    assert (["2"], ["3"]) == (ids(wire, isDone=True), ids(wire, isRecurrent=True))
    assert ["2"] == ids(wire, userIds=[str(anna)])  # a creator who does not take part is not matched
    assert ["1"] == ids(wire, createdBy=[{"op": "=", "val": "anna"}])
    assert [] == ids(wire, subject=[{"op": "like", "val": "Not%"}])
    assert ["1", "2", "3"] == ids(wire, estateId=17, modified=[{"op": ">", "val": "2030-01-01"}])


def test_500_rows_without_paging(wire, control):
    """All paging parameters are ignored."""
    control.add_many("calendar", [{"data": DATA}] * 510)
    parameters = {"data": ["id"], "filter": MAY, "listlimit": 3, "listoffset": 500}
    found = wire.records("get", "appointmentList", parameters)
    assert (500, "1") == (len(found), found[0]["elements"]["id"])


def test_an_unknown_number_gives_nothing(wire):
    """And no error."""
    assert [] == wire.records("get", "appointmentList", {"data": ["id"]}, 99)


def test_the_words_for_places(wire, control):
    """Only customer is shown in the documentation."""
    control.add("calendar", {**DATA, "location": {"mandant": True}})
    assert [{"location": {"type": "customer", "value": "Büro"}}] == wire.elements("get", "appointmentList", {"data": ["location"]}, 1)
    control.set_switch("location_types", "written")
    assert [{"location": {"type": "mandant", "value": "Büro"}}] == wire.elements("get", "appointmentList", {"data": ["location"]}, 1)


def test_resources(wire, control):
    """One record each: key and label."""
    control.add("resource", {"name": "Raum", "active": True})
    control.add("resource", {"name": "Alter Raum", "active": False})
    assert [{"1": "Raum"}, {"2": "Alter Raum"}] == wire.elements("get", "calendarResources")
    assert [{"1": "Raum"}] == wire.elements("get", "calendarResources", {"filter": {"active": [{"op": "=", "val": 1}]}})
