"""Tasks, contract 7."""

from __future__ import annotations

import pytest


@pytest.fixture
def anna(control):
    return control.add_user("anna", "Anna", "Arndt", Kuerzel="AA")


def read(wire, data, id=""):
    return wire.elements("read", "task", {"data": data}, id)


def test_create_and_read_back(wire, control, anna):
    """Status is written as a number and read as a label; people read with their display name; elements have no id."""
    control.add("address", {"Name": "Beispiel"})
    data = {
        "Betreff": "Exposé", "Aufgabe": "Schreiben", "Status": 2, "Prio": 1, "Verantwortung": "anna", "Bearbeiter": "nobody", "Deadline": "2026-05-08 17:00:00",
        "Deadline_strikt": 1, "Beginnt_am": "2026-05-01 08:00:00", "Erinnerung": 1, "Erinnerungsdatum": "2026-05-07", "Art": 167,
    }  # fmt: skip
    parameters = {"data": data, "relatedAddressId": 1}
    assert [{"id": 1, "type": "task", "elements": []}] == wire.records("create", "task", parameters)
    keys = [
        "Status",
        "Prio",
        "Verantwortung",
        "Bearbeiter",
        "von",
        "Deadline",
        "Deadline_strikt",
        "Beginnt_am",
        "Erinnerung",
        "Art",
        "erledigt",
        "Stand",
    ]
    expected = {
        "Status": "In Bearbeitung", "Prio": "1", "Verantwortung": "Arndt, Anna (AA)", "Bearbeiter": "nobody", "von": "api,  (API)",
        "Deadline": "2026-05-08 17:00:00", "Deadline_strikt": "1", "Beginnt_am": "2026-05-01", "Erinnerung": "1", "Art": 167, "erledigt": False, "Stand": 0,
    }  # fmt: skip
    assert [expected] == read(wire, keys)
    assert {"Betreff": "Exposé", "relatedAddressId": ["1"], "relatedEstateId": []} == read(wire, ["Betreff"], 1)[0]


@pytest.mark.parametrize(
    ("number", "label"),
    [
        *enumerate(
            ["Nicht begonnen", "In Bearbeitung", "Erledigt", "Zurückgestellt", "Abgebrochen", "Sonstiges", "Geprüft", "Klärungsbedarf"], 1
        )
    ],
)
def test_all_labels(wire, control, number, label):
    """Eight of them, though the text of the documentation counts seven; a switch reads the number."""
    wire.records("create", "task", {"data": {"Betreff": "x", "Status": number}})
    assert [{"Status": label}] == read(wire, ["Status"])
    control.set_switch("task_status_read", "number")
    assert [{"Status": str(number)}] == read(wire, ["Status"])


def test_people_may_read_as_logins(wire, control, anna):
    """Only one account was seen to give display names."""
    control.set_switch("task_people_read", "login")
    wire.records("create", "task", {"data": {"Verantwortung": "anna"}})
    assert [{"Verantwortung": "anna", "von": "api"}] == read(wire, ["Verantwortung", "von"])


def test_a_group_is_responsible(wire, control):
    """With responsibilityByGroup the name is a group's."""
    wire.records("create", "task", {"data": {"Verantwortung": "Vertrieb"}, "responsibilityByGroup": 1})
    wire.records("create", "task", {"data": {"Verantwortung": "anna"}})
    assert [{"Verantwortung_Gruppe": "Vertrieb"}, {"Verantwortung_Gruppe": ""}] == read(wire, ["Verantwortung_Gruppe"])
    assert [1] == [one["id"] for one in wire.records("read", "task", {"data": [], "responsibilityByGroup": 1})]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"Status": 9}, 255),
        ({"Status": "Erledigt"}, 228),
        ({"Prio": 6}, 255),
        ({"Art": 5}, 252),
        ({"Deadline": "morgen"}, 122),
        ({"Betreff": ["x"]}, 227),
        ({"erledigt": True}, 138),  # modify only
        ({"Stand": 50}, 138),
        ({"Privat": 1}, 138),
        ({"Subject": "x"}, 138),
        ({"Nr": 5}, 138),
    ],
)
def test_refused_creates(wire, control, data, code):
    """Each with its code; the code of an unknown key is a switch."""
    assert code == wire.code("create", "task", {"data": {"Betreff": "x", **data}})
    if code == 138:
        control.set_switch("unknown_task_field", 144)
        assert 144 == wire.code("create", "task", {"data": data})
    assert 0 == control.count("task")


def test_a_type_may_be_mandatory(wire, control):
    """If the account says so."""
    control.set_switch("task_type_needed", True)
    assert 254 == wire.code("create", "task", {"data": {"Betreff": "x"}})
    assert 0 == wire.code("create", "task", {"data": {"Betreff": "x", "Art": "168"}})


@pytest.mark.parametrize("parameters", [{"listoffset": 20}, {"sortby": "Betreff"}, {"data": ["Nr"]}])
def test_no_paging_no_sorting_no_number(wire, parameters):
    """All refused with 144."""
    assert 144 == wire.code("read", "task", {"data": ["Betreff"], **parameters})


def test_unknown_keys_of_a_read(wire, control):
    """141 for the whole call; the comment is refused in one account."""
    assert 141 == wire.code("read", "task", {"data": ["Betreff", "tags"]})
    control.set_switch("task_comment_read", False)
    assert 144 == wire.code("read", "task", {"data": ["Kommentar"]})


def test_windows_of_numbers(wire, control):
    """The only way through more than 500; the total repeats the number of rows."""
    control.add_many("task", [{"data": {"Betreff": str(n)}} for n in range(30)])
    found = wire("read", "task", {"data": ["Betreff"]})
    assert (20, 20, False) == (len(found["data"]["records"]), found["data"]["meta"]["cntabsolute"], found["cacheable"])
    window = {"Nr": [{"op": "between", "val": [21, 30]}]}
    assert [*range(21, 31)] == [one["id"] for one in wire.records("read", "task", {"data": [], "filter": window, "listlimit": 500})]


@pytest.mark.parametrize(
    ("filter_", "ids"),
    [
        ({"Status": [{"op": "=", "val": "Erledigt"}]}, [2]),
        ({"Status": [{"op": "in", "val": [1, 3]}]}, [1, 2]),
        ({"erledigt": [{"op": "=", "val": 0}]}, [1]),
        ({"Prio": [{"op": "<", "val": 3}]}, [1]),
        ({"Verantwortung": [{"op": "=", "val": "anna"}]}, [1]),
        ({"Deadline": [{"op": ">=", "val": "2026-01-01"}]}, [2]),
    ],
)
def test_filters(wire, control, filter_, ids):
    """All fields, Status by number or label."""
    control.add("task", {"Betreff": "a", "Prio": "1", "Verantwortung": "anna"})
    control.add("task", {"Betreff": "b", "Status": 3, "erledigt": True, "Deadline": "2026-05-08 17:00:00"})
    assert ids == [one["id"] for one in wire.records("read", "task", {"data": [], "filter": filter_})]


def test_links_filter_and_show(wire, control):
    """relatedAddressId and its like; lists do not show them unless switched."""
    for kind in ("address", "estate", "project"):
        control.add(kind, {})
    control.add("task", {"Betreff": "a"}, addresses=[1], estate=1, project=1)
    control.add("task", {"Betreff": "b"})
    for name in ("relatedAddressId", "relatedEstateId", "relatedProjectIds"):
        assert [1] == [one["id"] for one in wire.records("read", "task", {"data": [], name: 1})]
    assert "relatedAddressId" not in read(wire, ["Betreff"])[0]
    control.set_switch("task_related_in_list", True)
    assert ["1"] == read(wire, ["Betreff"])[0]["relatedAddressId"]


def test_status_and_done_are_independent(wire, control):
    """Completing takes both; each change is noted in the comments, with the API user as author."""
    number = control.add("task", {"Betreff": "a"})
    assert [{"id": 0, "type": "task", "elements": {"success": "success"}}] == wire.records(
        "modify", "task", {"data": {"Status": 3}}, str(number)
    )
    assert [{"Status": "Erledigt", "erledigt": False, "Austragsdatum": "0000-00-00"}] == read(wire, ["Status", "erledigt", "Austragsdatum"])
    wire.records("modify", "task", {"data": {"erledigt": True, "Stand": 100, "Kommentar": "Fertig"}}, number)
    expected = "api, 2023-11-14 23:13:20: Fertig\napi, 2023-11-14 23:13:20: erledigt, Stand\napi, 2023-11-14 23:13:20: Status\n"
    keys = ["erledigt", "Stand", "Austragsdatum", "Kommentar"]
    assert [{"erledigt": True, "Stand": 100, "Austragsdatum": "2023-11-14", "Kommentar": expected}] == read(wire, keys)


@pytest.mark.parametrize(("data", "code"), [({"Stand": 30}, 255), ({"Status": 0}, 255), ({"nonsense": 1}, 138)])
def test_refused_changes(wire, control, data, code):
    """And 80 for an unknown task."""
    number = control.add("task", {"Betreff": "a"})
    before = control.get("task", number)
    assert code == wire.code("modify", "task", {"data": {"Betreff": "b", **data}}, number)
    assert before == control.get("task", number)
    assert 80 == wire.code("modify", "task", {"data": {}}, 99)


@pytest.mark.parametrize(("way", "ids"), [("add", [1, 2]), ("replace", [2])])
def test_linking_by_modify(wire, control, way, ids):
    """Adds or replaces, nobody says; an unknown address is 292."""
    control.set_switch("task_related_on_modify", way)
    control.add_many("address", [{}, {}])
    control.add("task", {}, addresses=[1])
    wire.records("modify", "task", {"data": {}, "relatedAddressId": 2}, 1)
    assert ids == control.get("task", 1)["links"]["task:address"]
    assert 292 == wire.code("modify", "task", {"data": {}, "relatedAddressId": 9}, 1)


@pytest.mark.parametrize(
    ("precision", "zone", "shown", "after"),
    [
        ("second", "local", "2023-11-14 23:13:20", "2023-11-14 23:13:21"),
        ("second", "utc", "2023-11-14 22:13:20", "2023-11-14 22:13:21"),
        ("day", "local", "2023-11-14", "2023-11-15"),
    ],
)
def test_the_stamp(wire, control, precision, zone, shown, after):
    """Readable and a filter; its zone and precision are switches."""
    control.set_switch("task_stamp_precision", precision)
    control.set_switch("task_stamp_zone", zone)
    control.add("task", {})
    assert [{"modified": shown}] == read(wire, ["modified"])
    for moment, found in ((shown, True), (after, False)):
        assert found is bool(wire.records("read", "task", {"data": [], "filter": {"modified": [{"op": ">=", "val": moment}]}}))


@pytest.mark.parametrize(
    ("parameters", "code"), [({"data": "Betreff"}, 74), ({"data": [5]}, 291), ({"data": [], "relatedAddressId": "x"}, 228)]
)
def test_refused_reads(wire, parameters, code):
    """Each with its code."""
    assert code == wire.code("read", "task", parameters)


def test_dates_and_types_are_cleared(wire, control):
    """By an empty text; data may be PHP's empty list, but no text."""
    control.add("task", {"Deadline": "2026-05-08 17:00:00", "Art": 167, "Verantwortung": "Vertrieb"})
    wire.records("modify", "task", {"data": {"Deadline": "", "Art": ""}, "responsibilityByGroup": 1}, 1)
    expected = {"Deadline": "0000-00-00 00:00:00", "Art": "", "Verantwortung_Gruppe": "Vertrieb"}
    assert [expected] == read(wire, ["Deadline", "Art", "Verantwortung_Gruppe"])
    assert 0 == wire.code("modify", "task", {"data": []}, 1)
    assert 20 == wire.code("modify", "task", {"data": "x"}, 1)


def test_private_may_be_written(wire, control):
    """Not documented for writing, and so refused by default."""
    control.set_switch("task_private_write", "effective")
    wire.records("create", "task", {"data": {"Privat": True}})
    assert [{"Privat": "1"}] == read(wire, ["Privat"])


def test_efforts_and_the_mobile_link(wire, control):
    """On request."""
    control.add("task", {})
    found = wire.elements("read", "task", {"data": [], "showEfforts": True, "addMobileUrl": True})[0]
    assert {"remaining": "PT0S", "actual": "PT0S", "users": []} == found["efforts"]
    assert found["mobileUrl"].endswith("/task/1")
