"""Appointments: writes and the old read, contract 6.2 to 6.5."""

from __future__ import annotations

import pytest

SERIES = {
    "rp_flag": True, "rp_type": "w", "rp_tage": 2, "rp_beginn_datum": "2026-05-04", "rp_ende_datum": "2026-12-31", "rp_ende_status": 1,
    "rp_exception": "#2026-06-01",
}  # fmt: skip
DATA = {"description": "Jour fixe", "start_dt": "2026-05-04 09:00:00", "end_dt": "2026-05-04 09:45:00"}


@pytest.fixture
def office(control):
    """anna 2, theo 3, group 1 with theo; address 1, estate 1, resource 1."""
    control.add_user("anna", "Anna", "Arndt", "anna@example.org")
    theo = control.add_user("theo", "Theo", "Thoma", "theo@example.org")
    control.add_group("Vertrieb", [theo])
    control.add("address", {"Vorname": "Ada", "Name": "Beispiel", "Strasse": "Weg 1", "Plz": "52062", "Ort": "Aachen"})
    control.add("estate", {"address": "Hauptstr. 5"})
    control.add("resource", {"name": "Raum"})


def window(first, last, **more):
    return {"datestart": first, "dateend": last, "allusers": True, **more}


def starts(wire, first, last, **more):
    return [one["start_dt"] for one in wire.elements("read", "calendar", window(first, last, **more))]


def test_create_and_read_back(wire, office):
    """The contract's example of 6.3, and every element of 6.2."""
    data = {
        **DATA,
        **SERIES,
        "ganztags": False,
        "private": True,
        "erinnerung": "15 minutes",
        "art": "meeting",
        "ressources": [1],
        "transitTimePre": "00:20:00",
    }
    parameters = {
        "data": data, "subscribers": {"users": [2], "groups": [1]}, "relatedAddressIds": [1], "relatedEstateId": 1,
        "location": {"sonstiges": "Raum 3"}, "reminderTypes": ["popup"],
    }  # fmt: skip
    assert [{"id": 1, "type": "calendar", "elements": []}] == wire.records("create", "calendar", parameters)
    expected = {
        "start_dt": "2026-05-04 09:00:00", "end_dt": "2026-05-04 09:45:00", "description": "Jour fixe", "note": "", "ort": "Raum 3",
        "art": {"meeting": "Besprechung"}, "fuer": ["Arndt, Anna (anna)"], "emails": {"anna": "anna@example.org"},
        "users": [{"id": "2", "username": "anna", "firstName": "Anna", "lastName": "Arndt", "email": "anna@example.org"}],
        "user_ids": ["2", "3"], "groups": ["1"], "ressources": ["Raum"], "ressourcesWithKeys": {"1": "Raum"}, "erinnerung": "15 minutes",
        "ganztags": False, "rp_flag": True, "abgesagt": False, "allowTransitTime": False, "private": "1", "assignedaddressids": ["1"],
        "assignedobjectids": ["1"], "rp_type": "w", "rp_tage": 2, "rp_beginn_datum": "2026-05-04", "rp_ende_datum": "2026-12-31",
        "rp_ende_status": "1", "rp_exception": ["2026-06-01"], "transitTime": None, "transitTimePre": "00:20:00", "transitTimePost": "00:00:00",
        "ProjektNr": None, "von": "api", "modified": "2023-11-14 22:13:20", "status": "active",
    }  # fmt: skip
    assert [expected] == wire.elements("read", "calendar", {}, 1)


@pytest.mark.parametrize(
    ("data", "siblings", "code"),
    [
        ({"start_dt": ""}, {}, 91),
        ({"end_dt": ""}, {}, 92),
        ({"end_dt": "2026-05-03 09:00:00"}, {}, 93),
        ({"start_dt": "4. Mai"}, {}, 122),
        ({"art": "sultan"}, {}, 101),
        ({"subject": "x"}, {}, 154),
        ({"status": "cancelled"}, {}, 255),
        ({"erinnerung": "10 minutes"}, {}, 255),
        ({"rp_flag": True, "rp_type": "w", "rp_tage": 1000}, {}, 255),
        ({"rp_flag": True, "rp_type": "x"}, {}, 255),
        ({"rp_flag": True}, {}, 255),
        ({"rp_exception": ["2026-06-01"]}, {}, 227),
        ({"ressources": "1"}, {}, 74),
        ({"ressources": [9]}, {}, 255),
        ({"note": ["x"]}, {}, 227),
        ({}, {"location": {"address": "x"}}, 290),
        ({}, {"location": {"sonstiges": "a", "mandant": True}}, 255),
        ({}, {"relatedAddressIds": 1}, 298),
        ({}, {"relatedAddressIds": ["x"]}, 299),
        ({}, {"relatedAddressIds": [9]}, 292),
        ({}, {"relatedEstateId": 9}, 293),
        ({}, {"subscribers": {"users": 2}}, 301),
        ({}, {"subscribers": {"users": [9]}}, 251),
        ({}, {"subscribers": {"groups": 1}}, 295),
        ({}, {"subscribers": {"groups": [9]}}, 272),
        ({}, {"reminderTypes": ["pigeon"]}, 255),
        ({}, {"subscribers": [2]}, 74),
    ],
)
def test_refused_writes(wire, control, office, data, siblings, code):
    """Each with its code; neither create nor modify leaves anything."""
    assert code == wire.code("create", "calendar", {"data": {**DATA, **data}, **siblings})
    assert 0 == control.count("calendar")
    number = control.add("calendar", DATA)
    before = control.get("calendar", number)
    if code not in (91, 92):  # an empty time is no date any more
        assert code == wire.code("modify", "calendar", {"data": {**DATA, **data}, **siblings}, number)
        assert before == control.get("calendar", number)


def test_modify_keeps_what_it_does_not_name(wire, control, office):
    """Only the given keys change; the stamp is raised."""
    number = control.add("calendar", {**DATA, "note": "alt", "transitTimePost": "00:10:00"}, users=[2], addresses=[1], estate=1)
    before = control.get("calendar", number)
    control.advance(60)
    wire.now += 60
    assert [{"id": 0, "type": "calendar", "elements": {"success": "success"}}] == wire.records(
        "modify", "calendar", {"data": {"note": "neu"}}, number
    )
    assert {**before, "note": "neu", "modified": "2023-11-14 22:14:20"} == control.get("calendar", number)


def test_links_of_a_modify(wire, control, office):
    """relatedAddressIds adds, with replaceAddressIds it is the whole set; relatedEstateId 0 unlinks."""
    other = control.add("address", {"Name": "Muster"})
    number = control.add("calendar", DATA, addresses=[1], estate=1)
    wire.records("modify", "calendar", {"data": {}, "relatedAddressIds": [other]}, number)
    assert {"calendar:address": [1, other], "calendar:estate": [1]} == control.get("calendar", number)["links"]
    wire.records("modify", "calendar", {"data": [], "relatedAddressIds": [other], "replaceAddressIds": True, "relatedEstateId": 0}, number)
    assert {"calendar:address": [other]} == control.get("calendar", number)["links"]
    wire.records("modify", "calendar", {"data": [], "replaceAddressIds": True}, number)
    assert {} == control.get("calendar", number)["links"]


@pytest.mark.parametrize(("way", "users"), [("replace", [3]), ("add", [2, 3])])
def test_subscribers_of_a_modify(wire, control, office, way, users):
    """Whether they replace or add, nobody says."""
    control.set_switch("subscribers_on_modify", way)
    number = control.add("calendar", DATA, users=[2])
    wire.records("modify", "calendar", {"data": {}, "subscribers": {"users": [3], "groups": []}}, number)
    assert users == control.get("calendar", number)["users"]


@pytest.mark.parametrize(
    ("location", "linked", "text"),
    [
        ({"sonstiges": "Raum 3"}, False, "Raum 3"),
        ({"address": 1}, True, "Weg 1 52062 Aachen"),
        ({"estate": 1}, False, "Hauptstr. 5"),
        ({"userMeetingUrl": 2}, False, ""),
        ({"address": 1}, False, "Weg 1 52062 Aachen"),
        ({"group": 1}, False, "Vertrieb"),
        ({"mandant": True}, False, "Büro"),
        ({"keine Angaben": ""}, False, ""),
    ],
)
def test_places(wire, control, office, location, linked, text):
    """A record that is not linked to the appointment ends up as free text."""
    wire.records("create", "calendar", {"data": DATA, "location": location, **({"relatedAddressIds": [1]} if linked else {})})
    assert text == wire.elements("read", "calendar", {}, 1)[0]["ort"]
    kept = location if linked or not {"address", "estate"} & set(location) else {"sonstiges": text}
    assert kept == control.get("calendar", 1)["location"]


def test_status_wins_over_abgesagt(wire, control, office):
    """abgesagt alone cancels; with status beside it, status counts."""
    wire.records("create", "calendar", {"data": {**DATA, "abgesagt": True}})
    wire.records("create", "calendar", {"data": {**DATA, "abgesagt": True, "status": "completed"}})
    assert ["canceled", "completed"] == [one["status"] for one in control.rows("calendar")]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, 289),
        ({"datestart": "2026-05-01"}, 92),
        ({"dateend": "2026-05-01"}, 91),
        (window("2026-05-02", "2026-05-01"), 93),
        (window("x", "2026-05-01"), 122),
        (window("2026-05-01", "2026-05-02", filter={"rp_type": [{"op": "=", "val": "w"}]}), 141),
        ({"modifiedstart": "2026-05-01 00:00:00", "filter": {"note": [{"op": "=", "val": "x"}]}}, 241),
        ({"modifiedstart": "2026-05-02 00:00:00", "modifiedend": "2026-05-01 00:00:00"}, 288),
        (window("2026-05-01", "2026-05-02", allusers=False, users=2), 301),
    ],
)
def test_refused_old_reads(wire, parameters, code):
    """A window, a time of change or a number has to be there."""
    assert code == wire.code("read", "calendar", parameters)


def test_a_window_counts_whole_days(wire, control):
    """The time part is ignored, both days belong to it, and touching is enough."""
    control.add("calendar", {"start_dt": "2026-05-03 23:00:00", "end_dt": "2026-05-04 01:00:00"})
    assert 1 == len(starts(wire, "2026-05-04 12:00:00", "2026-05-05"))
    assert 1 == len(starts(wire, "2026-05-01", "2026-05-03"))
    assert [] == starts(wire, "2026-05-05", "2026-05-06")


def test_whose_appointments(wire, control, office, api_user):
    """The API user's and his groups' by default, those of users or groups, or all; participants count, also through a group."""
    control.add("calendar", {**DATA, "description": "anna"}, users=[2])
    control.add("calendar", {**DATA, "description": "team"}, groups=[1])
    control.add("calendar", {**DATA, "description": "nobody", "von": "anna"})
    control.add("calendar", {**DATA, "description": "api"}, users=[api_user])

    def found(**parameters):
        return [
            one["description"]
            for one in wire.elements("read", "calendar", {"datestart": "2026-05-04", "dateend": "2026-05-04", **parameters})
        ]

    assert ["api"] == found()
    assert ["anna"] == found(users=[2])
    assert ["team"] == found(users=["3"])
    assert ["team"] == found(groups=[1])
    assert ["anna", "team", "nobody", "api"] == found(allusers=True)
    changed = {"modifiedstart": "2023-11-14 22:13:20", "users": [2]}
    assert ["api"] == [one["description"] for one in wire.elements("read", "calendar", changed)]  # users need a window
    control.set_switch("users_need_window", False)
    assert ["anna"] == [one["description"] for one in wire.elements("read", "calendar", changed)]


def test_cancelled_ones_hide(wire, control):
    """Until showcancelled; by number they are there."""
    number = control.add("calendar", {**DATA, "status": "canceled"})
    assert [] == starts(wire, "2026-05-04", "2026-05-04")
    assert [DATA["start_dt"]] == starts(wire, "2026-05-04", "2026-05-04", showcancelled=True)
    assert True is wire.elements("read", "calendar", {}, number)[0]["abgesagt"]


def test_filters_of_a_window(wire, control):
    """Eight fields; erledigt is the status completed."""
    control.add("calendar", {**DATA, "status": "completed"})
    control.add("calendar", {**DATA, "description": "Notar"})
    for filter_, ids in (
        ({"erledigt": [{"op": "=", "val": True}]}, [1]),
        ({"description": [{"op": "like", "val": "Not%"}]}, [2]),
        ({"start_dt": [{"op": ">", "val": "2026-05-04 09:00:00"}]}, []),
    ):
        assert ids == [one["id"] for one in wire.records("read", "calendar", window("2026-05-04", "2026-05-04", filter=filter_))]


@pytest.mark.parametrize(
    ("series", "days"),
    [
        ({"rp_type": "t", "rp_tage": 3, "rp_ende_status": "2"}, ["05-04", "05-07", "05-10"]),
        ({"rp_type": "w", "rp_tage": 1, "rp_ende_status": "1", "rp_ende_datum": "2026-05-11"}, ["05-04", "05-11"]),
        ({"rp_type": "w", "rp_tage": 1, "rp_ende_status": "2", "rp_exception": ["2026-05-11"]}, ["05-04", "05-18"]),
        ({"rp_type": "m", "rp_tage": 1, "rp_beginn_datum": "2026-01-31", "rp_ende_status": "2"}, ["01-31", "03-31", "05-31"]),
        ({"rp_type": "j", "rp_tage": 1, "rp_ende_status": "2"}, ["05-04"]),
    ],
)
def test_occurrences(wire, control, series, days):
    """Four types, an interval, an end, excluded days; months without the day are skipped."""
    control.set_switch("old_read_series", "occurrences")
    control.add("calendar", {**DATA, "rp_flag": True, "rp_beginn_datum": "2026-05-04", **series})
    assert [f"2026-{day} 09:00:00" for day in days] == starts(wire, "2026-01-01", "2026-12-31")[: len(days)]


def test_months_may_be_clamped(wire, control):
    """A monthly series on the 31st takes place on the last day of shorter months, then."""
    control.set_switch("month_end", "clamp")
    control.set_switch("old_read_series", "occurrences")
    control.add("calendar", {**DATA, "rp_flag": True, "rp_beginn_datum": "2026-01-31", "rp_type": "m", "rp_tage": 1, "rp_ende_status": "2"})
    assert ["2026-02-28 09:00:00"] == starts(wire, "2026-02-01", "2026-02-28")


def test_a_series_comes_once(wire, control):
    """With its own start, when any occurrence is in the window; or only when its first day is."""
    control.add("calendar", {**DATA, "rp_flag": True, "rp_beginn_datum": "2026-05-04", "rp_type": "w", "rp_tage": 1, "rp_ende_status": "2"})
    assert ["2026-05-04 09:00:00"] == starts(wire, "2026-06-01", "2026-06-30")
    control.set_switch("old_window_tests", "anchor")
    assert [] == starts(wire, "2026-06-01", "2026-06-30")


def test_a_series_without_a_start_vanishes(wire, control):
    """The quirk of 6.3: becoming a series without start_dt anchors it at zero; with start_dt it comes back."""
    number = control.add("calendar", DATA)
    wire.records("modify", "calendar", {"data": {"rp_flag": True, "rp_type": "w", "rp_tage": 1, "rp_ende_status": 2}}, number)
    assert [] == starts(wire, "2026-05-01", "2026-05-31")
    wire.records("modify", "calendar", {"data": {"start_dt": DATA["start_dt"]}}, number)
    assert ["2026-05-04 09:00:00"] == starts(wire, "2026-05-01", "2026-05-31")


def test_a_series_may_find_its_start_by_itself(wire, control):
    """Without the quirk, the start that is known anchors it."""
    control.set_switch("series_needs_start", False)
    number = control.add("calendar", DATA)
    wire.records("modify", "calendar", {"data": {"rp_flag": True, "rp_type": "w", "rp_tage": 1, "rp_ende_status": 2}}, number)
    assert ["2026-05-04 09:00:00"] == starts(wire, "2026-05-01", "2026-05-31")


def test_changes_are_found_in_utc(wire, control):
    """modifiedstart and modifiedend each stand alone; both ends belong to it."""
    control.add("calendar", {**DATA, "description": "old"})
    control.advance(3600)
    control.add("calendar", {**DATA, "description": "new"})
    wire.now += 3600

    def found(**parameters):
        return [one["description"] for one in wire.elements("read", "calendar", {"allusers": True, **parameters})]

    assert ["new"] == found(modifiedstart="2023-11-14 23:13:20")
    assert ["old"] == found(modifiedend="2023-11-14 23:13:19")
    assert ["old", "new"] == found(modifiedstart="2023-11-14")


def test_at_most_500_and_no_paging(wire, control):
    """The total is there, so that a client can cut its window."""
    control.add_many("calendar", [{"data": DATA}] * 510)
    found = wire("read", "calendar", window("2026-05-04", "2026-05-04", listoffset=500))["data"]
    assert (500, 510) == (len(found["records"]), found["meta"]["cntabsolute"])
    assert 1 == len(wire.records("read", "calendar", window("2026-05-04", "2026-05-04", listlimit=1)))
    control.set_switch("calendar_default_limit", 20)
    control.set_switch("calendar_counts", "rows")
    found = wire("read", "calendar", window("2026-05-04", "2026-05-04"))["data"]
    assert (20, 20) == (len(found["records"]), found["meta"]["cntabsolute"])


@pytest.mark.parametrize(("order", "days"), [("start", ["2026-05-04", "2026-05-05"]), ("id", ["2026-05-05", "2026-05-04"])])
def test_the_order_of_a_window(wire, control, order, days):
    """By start, or as they were made; not documented."""
    control.set_switch("calendar_order", order)
    for day in ("2026-05-05", "2026-05-04"):
        control.add("calendar", {"start_dt": f"{day} 09:00:00", "end_dt": f"{day} 10:00:00"})
    assert days == [row["elements"]["start_dt"][:10] for row in wire.records("read", "calendar", window("2026-05-04", "2026-05-05"))]


@pytest.mark.parametrize(("way", "left"), [("gone", 0), ("cancelled", 1)])
def test_delete(wire, control, office, way, left):
    """Gone with its links, or cancelled; unknown is 169."""
    control.set_switch("delete_appointment", way)
    number = control.add("calendar", DATA, addresses=[1])
    assert [{"id": 0, "type": "calendar", "elements": {"success": "success"}}] == wire.records("delete", "calendar", {}, number)
    assert left == control.count("calendar")
    assert [] == starts(wire, "2026-05-04", "2026-05-04")
    assert left == len(control.linked("calendar:address"))
    assert 169 == wire.code("delete", "calendar", {}, 99)


@pytest.mark.parametrize(("way", "found"), [("shown", ["geheim"]), ("blanked", [""]), ("hidden", [])])
def test_private_appointments_of_others(wire, control, office, way, found):
    """Nobody says what the API user sees; a participant sees his own."""
    control.set_switch("private_of_others", way)
    control.add("calendar", {**DATA, "description": "geheim", "private": True}, users=[2])
    assert found == [one["description"] for one in wire.elements("read", "calendar", window("2026-05-04", "2026-05-04"))]
    listed = {"data": ["subject"], "filter": {"startDate": "2026-05-04", "endDate": "2026-05-04"}}
    assert found == [one["subject"] for one in wire.elements("get", "appointmentList", listed)]


def test_status_may_be_missing(wire, control):
    """As in one official sample."""
    number = control.add("calendar", DATA)
    control.set_switch("status_in_old_read", False)
    assert "status" not in wire.elements("read", "calendar", {}, number)[0]
    assert "not-set" == wire.elements("read", "calendar", {"showConfirmationStatus": True}, number)[0]["confirmationStatus"]
    assert 80 == wire.code("modify", "calendar", {"data": {"note": "x"}}, 99)
    assert 20 == wire.code("modify", "calendar", {"data": "x"}, number)
