"""Limits, paging, order and filters, contract 3."""

from __future__ import annotations

import pytest


@pytest.fixture
def many(control):
    """530 addresses, Name000 … Name529."""
    return control.add_many("address", [{"data": {"Name": f"Name{n:03}", "Plz": str(n)}} for n in range(530)])


@pytest.mark.parametrize(("limit", "rows"), [(None, 20), (0, 0), (1, 1), ("50", 50), (500, 500), (501, 20), (-1, 20)])
def test_listlimit(wire, many, limit, rows):
    """20 unless said otherwise, 500 at most, and more than that falls back to 20 without a word; the total is there all the same."""
    parameters = {"data": ["Name"], **({} if limit is None else {"listlimit": limit})}
    found = wire("read", "address", parameters)["data"]
    assert (rows, 530) == (len(found["records"]), found["meta"]["cntabsolute"])


def test_over_the_limit_may_also_give_500(wire, control, many):
    """The fallback to 20 was seen with estates."""
    control.set_switch("over_limit", 500)
    assert 500 == len(wire.records("read", "address", {"data": ["Name"], "listlimit": 1000}))


def test_pages_follow_each_other(wire, many):
    """By internal id; the last page is short."""
    pages = [wire.records("read", "address", {"data": ["Name"], "listlimit": 500, "listoffset": start}) for start in (0, 500, 1000)]
    assert [500, 30, 0] == [len(page) for page in pages]
    assert many == [one["id"] for page in pages for one in page]


def test_addresses_are_sorted_by_a_field(wire, many):
    """sortby is a text here, with sortorder beside it; 212 for a field that is none."""
    found = wire.elements("read", "address", {"data": ["Name"], "sortby": "Name", "sortorder": "DESC", "listlimit": 2})
    assert ["Name529", "Name528"] == [one["Name"] for one in found]
    assert 212 == wire.code("read", "address", {"data": ["Name"], "sortby": "nonsense"})


@pytest.fixture
def three(control):
    control.add("address", {"Name": "Beispiel", "KdNr": 8, "Vip": True, "ArtDaten": "|Kunde||Makler|", "Geburtsdatum": "1985-12-10"})
    control.add("address", {"Name": "Beier", "KdNr": 15, "ArtDaten": "|Kunde|"})
    control.add("address", {"Name": "Muster", "KdNr": 16, "ArtDaten": ""})


@pytest.mark.parametrize(
    ("filter_", "ids"),
    [
        ({}, [1, 2, 3]),
        ([], [1, 2, 3]),
        ({"Name": [{"op": "=", "val": "Beier"}]}, [2]),
        ({"Name": [{"op": "is", "val": "Beier"}]}, [2]),
        ({"Name": [{"op": "<>", "val": "Beier"}]}, [1, 3]),
        ({"Name": [{"op": "LIKE", "val": "Bei%"}]}, [1, 2]),
        ({"Name": [{"op": "not like", "val": "Bei%"}]}, [3]),
        ({"KdNr": [{"op": "IN", "val": [4, 8, "15"]}]}, [1, 2]),
        ({"KdNr": [{"op": "not in", "val": [8]}]}, [2, 3]),
        ({"KdNr": [{"op": ">", "val": 8}, {"op": "<", "val": 16}]}, [2]),  # linked with AND
        ({"KdNr": [{"op": "between", "val": [8, 15]}], "Name": [{"op": "like", "val": "%spiel"}]}, [1]),
        ({"Vip": [{"op": "=", "val": True}]}, [1]),
        ({"Vip": [{"op": "=", "val": "0"}]}, [2, 3]),
        ({"Geburtsdatum": [{"op": ">=", "val": "1985-01-01"}]}, [1]),
        ({"ArtDaten": [{"op": "=", "val": "Makler"}]}, [1]),
        ({"ArtDaten": [{"op": "in", "val": ["Makler", "Kunde"]}]}, [1, 2]),
        ({"ArtDaten": [{"op": "!=", "val": "Kunde"}]}, [3]),
        ({"ArtDaten": [{"op": "like", "val": "%Makl%"}]}, [1]),
    ],
)
def test_filters(wire, three, filter_, ids):
    """Operators in either case, several expressions, per type of field."""
    assert ids == [one["id"] for one in wire.records("read", "address", {"data": [], "filter": filter_})]


@pytest.mark.parametrize(
    ("filter_", "code"),
    [
        ({"nonsense": [{"op": "=", "val": 1}]}, 141),
        ({"id": [{"op": "=", "val": 1}]}, 141),  # seen live
        ({"Name": [{"op": "~", "val": 1}]}, 142),
        ({"Name": [{"op": "in", "val": 1}]}, 257),
        ({"Name": [{"op": "=", "val": [1]}]}, 257),
        ({"Name": [{"op": "between", "val": [1]}]}, 257),
        ({"Name": [{"op": "="}]}, 257),
        ({"Name": ["x"]}, 257),
        ("x", 257),
        ({"KdNr": [{"op": "=", "val": "x"}]}, 257),
        ({"ArtDaten": [{"op": ">", "val": "x"}]}, 232),
        ({"Aenderung": [{"op": ">", "val": "yesterday"}]}, 122),
    ],
)
def test_wrong_filters(wire, filter_, code):
    """Each has its code."""
    assert code == wire.code("read", "address", {"data": [], "filter": filter_})


def test_ids_may_be_texts(wire, control, three):
    """Numbers in all recorded answers; a client should take both."""
    control.set_switch("record_ids", "text")
    assert ["1", "2", "3"] == [one["id"] for one in wire.records("read", "address", {"data": []})]


def test_saved_filters(wire, control):
    """Of the module address; an unknown one is 284."""
    control.add("address", {"Name": "Beispiel"})
    control.add("address", {"Name": "Muster"})
    saved = {"module": "address", "name": "Kunden", "scope": "public", "filter": {"Name": [{"op": "=", "val": "Muster"}]}}
    number = control.add("filter", saved)
    assert [2] == [one["id"] for one in wire.records("read", "address", {"data": [], "filterid": number})]
    assert 284 == wire.code("read", "address", {"data": [], "filterid": 99})
    expected = {"id": 1, "type": "filter", "elements": {"scope": "public", "name": "Kunden", "userId": None, "groupId": None}}
    assert [expected] == wire.records("get", "filters", {"module": "address"})
    assert 163 == wire.code("get", "filters", {"module": "task"})
