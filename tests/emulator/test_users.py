"""Users, groups and rights, contract 4 and 8.1."""

from __future__ import annotations

import pytest


@pytest.fixture
def office(control):
    """anna 2 (active), theo 3 (locked), office group 1 with both, region 2 with theo."""
    control.add_user("anna", "Anna", "Arndt", "anna@example.org", meetingUrl="https://meet.example/anna")
    control.add_user("theo", "Theo", "Thoma", online="locked")
    control.add_group("Vertrieb", [2, 3])
    control.add_group("Nord", [3], type="GroupRegion")


def test_read_users(wire, office):
    """sortby is an object here; the total is the true one."""
    parameters = {"data": ["Nr", "Name", "Vorname", "email", "online", "usesAccount:account.id"], "sortby": {"Nr": "DESC"}, "listlimit": 2}
    anna = {"Nr": 2, "Name": "anna", "Vorname": "Anna", "email": "anna@example.org", "online": "active", "usesAccount:account.id": "1"}
    theo = {"Nr": 3, "Name": "theo", "Vorname": "Theo", "email": "", "online": "locked", "usesAccount:account.id": "0"}
    assert [theo, anna] == wire.elements("read", "user", parameters)
    assert 3 == wire.total("read", "user", parameters)
    assert ["anna"] == [one["Name"] for one in wire.elements("read", "user", {**parameters, "listoffset": 1, "listlimit": 1})]


@pytest.mark.parametrize(
    ("filter_", "ids"),
    [
        ({"Nr": [{"op": "in", "val": [1, 3]}]}, [1, 3]),
        ({"online": [{"op": "=", "val": "locked"}]}, [3]),
        ({"Name": [{"op": "like", "val": "a%"}]}, [1, 2]),
    ],
)
def test_filter_users(wire, office, filter_, ids):
    """On all fields."""
    assert ids == [one["id"] for one in wire.records("read", "user", {"data": ["Name"], "filter": filter_})]


def test_states_may_be_numbers(wire, control, office):
    """How online is written is not documented."""
    control.set_switch("online_values", "numbers")
    assert ["1", "1", "0"] == [one["online"] for one in wire.elements("read", "user", {"data": ["online"]})]


def test_reading_users_needs_a_right_of_its_own(wire, control, office, api_user):
    """170; the own user can always be read by number."""
    control.set_right(api_user, "user", "read", False)
    assert 170 == wire.code("read", "user", {"data": ["Name"]})
    assert 170 == wire.code("read", "user", {"data": ["Name"]}, 2)
    assert [{"Name": "api"}] == wire.elements("read", "user", {"data": ["Name"]}, api_user)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [({"data": ["Passwort"]}, 141), ({"data": ["Name"], "sortby": "Name"}, 212), ({"data": ["Name"], "sortby": {"Name": "UP"}}, 255)],
)
def test_refused_reads(wire, parameters, code):
    """There is no field for a password."""
    assert code == wire.code("read", "user", parameters)


def test_no_data_no_records(wire, office):
    """Seen live."""
    assert [] == wire.records("read", "user", {"data": []})


def test_the_short_list(wire, office):
    """Records without a type and without a total; byGroupId narrows it."""
    anna = {
        "id": 2,
        "username": "anna",
        "firstname": "Anna",
        "lastname": "Arndt",
        "email": "anna@example.org",
        "meetingurl": "https://meet.example/anna",
    }
    assert {"id": 2, "type": None, "elements": anna} == wire.records("get", "users")[1]
    assert None is wire.total("get", "users")
    assert [2, 3] == [one["id"] for one in wire.records("get", "users", {"userfilter": "byGroupId", "groupId": 1})]
    assert [1] == [one["id"] for one in wire.records("get", "users", {"userfilter": "onlyOwn"})]
    assert [272, 255] == [wire.code("get", "users", {"userfilter": kind, "groupId": 9}) for kind in ("byGroupId", "nonsense")]


def test_groups(wire, office):
    """With their members; regions can be left out."""
    expected = {"id": 1, "name": "Vertrieb", "abr": "Ver", "userIds": [2, 3], "groupType": "GroupOffice", "leaders": []}
    assert [{"id": 1, "type": None, "elements": expected}] == wire.records("get", "groups", {"groupfilter": "noRegionGroups"})
    assert [1, 2] == [one["id"] for one in wire.records("get", "groups")]
    assert 255 == wire.code("get", "groups", {"groupfilter": "nonsense"})


def test_what_a_user_may_do_with_records(wire, control, office):
    """One record whose elements are the allowed ones of the asked; a missing record is nobody's."""
    control.add_many("task", [{}, {}, {}])
    control.set_right(2, "task", "read", False, record=2)
    parameters = {"action": "read", "module": "task", "userid": 2, "recordIds": ["1", "2", 3, "99"]}
    assert [{"id": 0, "type": "", "elements": ["1", "3"]}] == wire.records("get", "checkuserrecordsright", parameters)
    control.set_right(2, "task", "read", False)
    assert [{"id": 0, "type": "", "elements": []}] == wire.records("get", "checkuserrecordsright", parameters)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"userid": "2"}, 186),
        ({"userid": 3}, 184),
        ({"userid": 9}, 184),
        ({"recordIds": ["x"]}, 185),
        ({"action": "see"}, 255),
        ({"module": "mail"}, 255),
    ],
)
def test_refused_questions_about_rights(wire, office, changes, code):
    """A locked user has none."""
    assert code == wire.code("get", "checkuserrecordsright", {"action": "read", "module": "task", "userid": 2, "recordIds": [1], **changes})


READS = [
    ("read", "address", {"data": ["Name"]}, "address"),
    ("read", "calendar", {"datestart": "2026-05-04", "dateend": "2026-05-04", "allusers": True}, "calendar"),
    ("get", "appointmentList", {"data": ["id"], "filter": {"startDate": "2026-05-04", "endDate": "2026-05-04"}}, "calendar"),
    ("read", "task", {"data": ["Betreff"]}, "task"),
]


@pytest.mark.parametrize(("verb", "resourcetype", "parameters", "module"), READS)
def test_without_the_right_to_read_there_is_nothing(wire, control, api_user, verb, resourcetype, parameters, module):
    """Success with zero records, or an error; single records can be out of sight, too."""
    times = {"start_dt": "2026-05-04 09:00:00", "end_dt": "2026-05-04 10:00:00"} if module == "calendar" else {}
    control.add_many(module, [{"data": times}, {"data": times}])
    control.set_right(api_user, module, "read", False, record=1)
    assert [2] == [one["id"] for one in wire.records(verb, resourcetype, parameters)]
    control.set_right(api_user, module, "read", False)
    assert ([], 0) == (wire.records(verb, resourcetype, parameters), wire.total(verb, resourcetype, parameters))
    control.set_switch("missing_read_right", "error")
    assert 156 == wire.code(verb, resourcetype, parameters)
    control.set_right(api_user, module, "read", True)
    assert 0 == wire.code(verb, resourcetype, parameters)


WRITES = [
    ("create", "address", {"Name": "x"}, "", 131),
    ("modify", "address", {"Name": "x"}, 1, 80),
    ("create", "calendar", {"data": {"start_dt": "2026-05-04 09:00:00", "end_dt": "2026-05-04 10:00:00"}}, "", 156),
    ("modify", "calendar", {"data": {"note": "x"}}, 1, 80),
    ("delete", "calendar", {}, 1, 168),
    ("create", "task", {"data": {"Betreff": "x"}}, "", 156),
    ("modify", "task", {"data": {"Betreff": "x"}}, 1, 80),
    (
        "create",
        "relation",
        {"relationtype": "urn:onoffice-de-ns:smart:2.5:relationTypes:address:user:sync", "parentid": [1], "childid": [1]},
        "",
        156,
    ),
]


@pytest.mark.parametrize(("verb", "module", "parameters", "id", "code"), WRITES)
def test_writes_without_right(wire, control, api_user, verb, module, parameters, id, code):
    """An error, whose code is a switch; with the right it works."""
    times = {"start_dt": "2026-05-04 09:00:00", "end_dt": "2026-05-04 10:00:00"}
    for kind in ("address", "calendar", "task"):
        control.add(kind, times if kind == "calendar" else {})
    before = [control.rows(kind) for kind in ("address", "calendar", "task")]
    control.set_right(api_user, module, verb, False)
    assert code == wire.code(verb, module, parameters, id)
    control.set_switch("denied_code", 174)
    assert 174 == wire.code(verb, module, parameters, id)
    assert before == [control.rows(kind) for kind in ("address", "calendar", "task")]
    control.set_right(api_user, module, verb, True)
    assert 0 == wire.code(verb, module, parameters, id)
