"""Addresses and their phone book, contract 5."""

from __future__ import annotations

import pytest

CREATE = {
    "Vorname": "Ada", "Name": "Beispiel", "Zusatz1": "Beispiel & Co", "phone_business": "+49 241 900101", "mobile": "+49 171 5550001",
    "default_phone": "+49 241 900101", "email": "ada@example.org", "default_email": "ada@example.org", "Land": "DEU", "Benutzer": "theo",
    "ArtDaten": ["Kunde", "Makler"],
}  # fmt: skip
ALL = ["phone", "mobile", "fax", "email"]


@pytest.fixture
def ada(control):
    """The contract's example of 5.1, with a second e-mail of its own type."""
    entries = [
        {"what": "phone", "value": "+49 241 900100", "comment": "Zentrale", "default": True},
        {"what": "phone", "value": "+49 241 900101", "type": "business"},
        {"what": "phone", "value": "+49 241 77889", "type": "private"},
        {"what": "phone", "value": "+49 171 5550001", "type": "mobile"},
        {"what": "fax", "value": "+49 241 900199"},
        {"what": "email", "value": "ada@example.org", "default": True},
        {"what": "email", "value": "office@example.org", "type": "business"},
    ]
    return control.add("address", {"Vorname": "Ada", "Name": "Beispiel"}, entries=entries)


def entries_of(wire, number, data=ALL):
    return {key: value for key, value in wire.elements("read", "address", {"data": data}, number)[0].items() if key != "id"}


def test_create_and_read_back(wire):
    """Flat parameters; the answer holds the new number; types stand in the keys, Land is written as ISO and read as a name."""
    assert [{"id": 1, "type": "address", "elements": []}] == wire.records("create", "address", CREATE)
    data = [
        "Vorname",
        "Zusatz1",
        "Land",
        "ArtDaten",
        "Benutzer",
        "KdNr",
        "Status",
        "Status2Adr",
        *ALL,
        "defaultphone",
        "Telefon1",
        "Email",
        "Telefax1",
    ]
    expected = {
        "id": 1, "Vorname": "Ada", "Zusatz1": "Beispiel & Co", "Land": "Deutschland", "ArtDaten": "|Kunde||Makler|", "Benutzer": "theo", "KdNr": 1,
        "Status": "1", "Status2Adr": "status2adr_active", "phonebusiness__1": "+49 241 900101", "mobile__2": "+49 171 5550001",
        "email__3": "ada@example.org", "defaultphone__1": "+49 241 900101", "Telefon1": "+49 241 900101", "Email": "ada@example.org", "Telefax1": "",
    }  # fmt: skip
    assert [expected] == wire.elements("read", "address", {"data": data}, 1)


def test_the_notation_of_entries(wire, ada):
    """Identifier, type and number of the entry; comments beside; mobile numbers only under mobile."""
    expected = {
        "phone__1": "+49 241 900100", "phone__1__Comment": "Zentrale", "phonebusiness__2": "+49 241 900101", "phoneprivate__3": "+49 241 77889",
        "mobile__4": "+49 171 5550001", "fax__5": "+49 241 900199", "email__6": "ada@example.org", "emailbusiness__7": "office@example.org",
    }  # fmt: skip
    assert expected == entries_of(wire, ada)
    expected = {"defaultphone__1": "+49 241 900100", "defaultphone__1__Comment": "Zentrale", "defaultemail__6": "ada@example.org"}
    assert expected == entries_of(wire, ada, ["defaultphone", "defaultfax", "defaultemail"])


@pytest.mark.parametrize(
    ("switch", "value", "asked", "keys"),
    [
        ("typed_keys", "underscore", "phone", ["phone__1", "phone__1__Comment", "phone_business__2", "phone_private__3"]),
        ("typed_keys", "untyped", "phone", ["phone__1", "phone__1__Comment", "phone__2", "phone__3"]),
        ("typed_keys", "bare", "phone", ["phone", "phone__Comment", "phone_business", "phone_private"]),
        ("typed_keys", "bare", "mobile", ["mobile"]),
        ("default_keys", "plain", "defaultemail", ["email__6"]),
        ("default_keys", "bare", "defaultemail", ["defaultemail"]),
        ("entries_read", "default", "phone", ["phone__1", "phone__1__Comment"]),
        ("entries_read", "default", "mobile", []),
        ("entry_ids", "fresh", "email", ["email__606", "emailbusiness__707"]),
        ("entry_order", "reversed", "email", ["emailbusiness__7", "email__6"]),
        ("entry_order", "value", "phone", ["phoneprivate__3", "phone__1", "phone__1__Comment", "phonebusiness__2"]),
    ],
)
def test_other_notations(wire, control, ada, switch, value, asked, keys):
    """Each thing that the documentation leaves open."""
    control.set_switch(switch, value)
    assert keys == list(entries_of(wire, ada, [asked]))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"default_phone": "+49 1"}, 260),
        ({"default_email": "b@example.org"}, 258),
        ({"default_fax": "+49 1"}, 258),
        ({"phone": ["+49 1", "+49 2"]}, 187),
        ({"phone": ""}, 300),
        ({"Anrede": "Sultan"}, 77),
        ({"ArtDaten": ["Kunde", "Sultan"]}, 76),
        ({"Geburtsdatum": "morgen"}, 122),
        ({"Vorname": ["Ada"]}, 187),
        ({"KdNr": "x"}, 228),
        ({"firstname": "Ada"}, 141),
        ({"data": {"Vorname": "Ada"}}, 141),  # there is no wrapper
    ],
)
def test_refused_creates(wire, control, changes, code):
    """And nothing is made."""
    assert code == wire.code("create", "address", {**CREATE, **changes})
    assert 0 == control.count("address")


@pytest.mark.parametrize("number", ["+49 171 5550001", "0151 23", "0049 (160) 7", "+49-175-1"])
def test_german_mobile_numbers_become_mobile(wire, number):
    """Even when phone was given."""
    wire.records("create", "address", {"Name": "x", "phone": number})
    assert {"mobile__1": number} == entries_of(wire, 1)


def test_mobile_numbers_may_stay_what_they_were(wire, control):
    """Which numbers the service takes for mobile is not documented."""
    control.set_switch("mobile_auto_type", False)
    wire.records("create", "address", {"Name": "x", "phone_private": "+49 171 5"})
    assert {"phoneprivate__1": "+49 171 5"} == entries_of(wire, 1)


def test_duplicates_by_any_email(wire, control, ada):
    """The lowest number that has the e-mail is updated and its number answered like a fresh one."""
    control.add("address", {"Name": "Zweite"}, entries=[{"what": "email", "value": "office@example.org"}])
    parameters = {"Name": "Neu", "email": "office@example.org"}
    assert ada == wire.records("create", "address", {**parameters, "checkDuplicate": True})[0]["id"]
    assert ["Neu", "Zweite"] == [one["Name"] for one in control.rows("address")]
    assert (
        ada
        == wire.records(
            "create", "address", {"Name": "X", "email": "office@example.org", "checkDuplicate": True, "noOverrideByDuplicate": True}
        )[0]["id"]
    )
    assert "Neu" == control.get("address", ada)["Name"]
    wire.records("create", "address", {"phone": "+49 241 1", "fax": "+49 241 900199", "email": "office@example.org", "checkDuplicate": "1"})
    assert 8 == len(control.get("address", ada)["entries"])  # only what it had not
    assert 3 == wire.records("create", "address", parameters)[0]["id"]


def operation(action, old=None, new=None, **more):
    return {"action": action, **({"oldvalue": old} if old else {}), **({"newvalue": new} if new else {}), **more}


def test_modify_adds_changes_and_deletes_entries(wire, ada):
    """One operation per type; an entry is named by its old value and keeps its number."""
    changes = {
        "Ort": "Köln",
        "mobile": operation("modify", "+49 171 5550001", "+49 171 5550002", default=False),
        "phone_private": operation("add", None, "+49 241 12399"),
        "fax": operation("delete", "+49 241 900199"),
    }
    assert [{"id": 0, "type": "address", "elements": {"success": "success"}}] == wire.records("modify", "address", changes, ada)
    expected = {
        "phone__1": "+49 241 900100", "phone__1__Comment": "Zentrale", "phonebusiness__2": "+49 241 900101", "phoneprivate__3": "+49 241 77889",
        "phoneprivate__8": "+49 241 12399", "mobile__4": "+49 171 5550002", "email__6": "ada@example.org", "emailbusiness__7": "office@example.org",
    }  # fmt: skip
    assert expected == entries_of(wire, ada)
    assert [{"id": 1, "Ort": "Köln"}] == wire.elements("read", "address", {"data": ["Ort"]}, ada)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"phone": "+49 241 1"}, 141),  # flat values are for create only
        ({"phone": {}}, 81),
        ({"phone": operation("replace")}, 82),
        ({"phone": operation("delete", "+49 241 9")}, 83),
        ({"phone": operation("delete", "+49 241 900101")}, 83),  # it is phone_business
        ({"phone": operation("delete", "+49241900100")}, 83),  # the exact text counts
        ({"phone": operation("add")}, 85),
        ({"phone": operation("modify", "+49 241 900100")}, 85),
        ({"phone": operation("delete")}, 86),
        ({"phone": operation("modify", None, "+49 241 1")}, 86),
        ({"phone": operation("add", None, True)}, 300),
        ({"fax_private": operation("delete", "+49 241 900199")}, 83),
        ({"nonsense": "x"}, 141),
        ({"default_phone": "+49 241 900100"}, 141),
    ],
)
def test_refused_operations(wire, control, ada, changes, code):
    """Each with its code, and nothing changed."""
    before = control.get("address", ada)
    assert code == wire.code("modify", "address", {"Ort": "Köln", **changes}, ada)
    assert before == control.get("address", ada)


def test_two_equal_numbers_cannot_be_told_apart(wire, control, ada):
    """87; the type is part of the name, so another type is no twin."""
    control.add_entry(ada, "phone", "+49 241 900101", "private")
    assert 0 == wire.code("modify", "address", {"phone_business": operation("modify", "+49 241 900101", "+49 241 5")}, ada)
    control.add_entry(ada, "phone", "+49 241 900101", "private")
    assert 87 == wire.code("modify", "address", {"phone_private": operation("delete", "+49 241 900101")}, ada)


def test_the_default_moves(wire, control, ada):
    """With default on add, or by a modify that changes nothing else; deleting it leaves none."""
    wire.records("modify", "address", {"phone_private": operation("add", None, "+49 241 5", default=True)}, ada)
    assert ["+49 241 5"] == list(entries_of(wire, ada, ["defaultphone"]).values())
    wire.records("modify", "address", {"phone_business": operation("modify", "+49 241 900101", "+49 241 900101", default=True)}, ada)
    assert {"Telefon1": "+49 241 900101"} == entries_of(wire, ada, ["Telefon1"])
    wire.records("modify", "address", {"phone_business": operation("delete", "+49 241 900101")}, ada)
    assert {} == entries_of(wire, ada, ["defaultphone"])


def test_defaults_as_switches(wire, control):
    """Whether anything becomes the default by itself, and whether the default can be set alone, nobody says."""
    for switch in ("first_entry_is_default", "deleted_default_promotes"):
        control.set_switch(switch, True)
    control.set_switch("default_by_same_value", False)
    wire.records("create", "address", {"Name": "x", "phone": "+49 241 1", "phone_private": "+49 241 2"})
    assert {"defaultphone__1": "+49 241 1"} == entries_of(wire, 1, ["defaultphone"])
    assert 259 == wire.code("modify", "address", {"phone_private": operation("modify", "+49 241 2", "+49 241 2", default=True)}, 1)
    wire.records("modify", "address", {"phone": operation("delete", "+49 241 1")}, 1)
    assert {"defaultphone__2": "+49 241 2"} == entries_of(wire, 1, ["defaultphone"])


def test_one_type_per_call_as_a_switch(wire, control, ada):
    """No official sample has two."""
    control.set_switch("several_entry_types", False)
    both = {"phone": operation("add", None, "+49 241 1"), "fax": operation("add", None, "+49 241 2")}
    assert 255 == wire.code("modify", "address", both, ada)


def test_numbers_may_be_rewritten(wire, control):
    """Then the old value of a change is not what was sent; matching by digits would forgive it."""
    control.set_switch("rewrite_numbers", True)
    wire.records("create", "address", {"Name": "x", "phone": "(0241) 900-100"})
    assert {"phone__1": "+49 241 900 100"} == entries_of(wire, 1)
    assert 83 == wire.code("modify", "address", {"phone": operation("delete", "+49241900100")}, 1)
    control.set_switch("match_entries", "digits")
    assert [1] == [
        one["id"] for one in wire.records("read", "address", {"data": [], "filter": {"phone": [{"op": "=", "val": "+49241900100"}]}})
    ]
    assert 0 == wire.code("modify", "address", {"phone": operation("delete", "+49241900100")}, 1)


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ({"Telefon1": [{"op": "=", "val": "+49 241 900100"}]}, True),
        ({"Telefon1": [{"op": "=", "val": "+49 241 900101"}]}, False),  # only the main entry
        ({"phone": [{"op": "=", "val": "+49 241 900101"}]}, True),
        ({"phone": [{"op": "=", "val": "+49241900101"}]}, False),
        ({"mobile": [{"op": "like", "val": "%5550001"}]}, True),
        ({"email": [{"op": "in", "val": ["office@example.org"]}]}, True),
        ({"Email": [{"op": "=", "val": "office@example.org"}]}, False),
        ({"fax": [{"op": "like", "val": "%199"}]}, True),
    ],
)
def test_filters_on_entries(wire, ada, filter_, found):
    """By Email and Telefon1 the main entry, by phone, email, fax all of them."""
    assert found is bool(wire.records("read", "address", {"data": [], "filter": filter_}))


@pytest.mark.parametrize(("key", "code"), [("nonsense", 141), ("Id", 141), ("id", 141), ("name", 141), ("outlookSync", 141), (5, 291)])
def test_one_unknown_key_fails_the_read(wire, ada, key, code):
    """Keys know upper and lower case."""
    assert code == wire.code("read", "address", {"data": ["Name", key]})


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"data": "Name"}, 74),
        ({"data": [], "recordids": 1}, 185),
        ({"data": [], "recordids": [*range(501)]}, 302),
        ({"data": [], "recordids": ["x"]}, 228),
        ({"data": [], "addMobileUrl": "please"}, 294),
        ({"data": [], "sortby": "Name", "sortorder": "UP"}, 255),
    ],
)
def test_refused_reads(wire, parameters, code):
    """Each with its code."""
    assert code == wire.code("read", "address", parameters)


def test_compound_fields_and_the_mobile_link(wire, control):
    """Two fields in one, read only; a link on request."""
    control.add("address", {"Plz": "52062", "Ort": "Aachen"})
    expected = {"id": 1, "Plz-Ort": "52062 Aachen", "mobileUrl": "https://mobile.example/address/1"}
    assert [expected] == wire.elements("read", "address", {"data": ["Plz-Ort"], "addMobileUrl": True})


def test_the_old_flag_for_the_api_user(wire, control, api_user):
    """outlookSync of a create flags the address for the user who is logged in."""
    wire.records("create", "address", {"Name": "x", "outlookSync": True})
    assert [[1, api_user]] == control.linked("address:user:sync")


@pytest.mark.parametrize(("id", "rows"), [(1, 1), ("1", 1), (0, 0), ("0", 0), (99, 0), ("00000000-0000-4000-8000-000000000001", 0)])
def test_one_record(wire, control, ada, id, rows):
    """An unknown number, 0 or a UUID gives no rows and no error; the UUID is for filters."""
    assert rows == len(wire.records("read", "address", {"data": ["Name"]}, id))
    assert [1] == [one["id"] for one in wire.records("read", "address", {"data": [], "recordids": [1, 99]})]
    uuid = [{"op": "=", "val": "00000000-0000-4000-8000-000000000001"}]
    assert [1] == [one["id"] for one in wire.records("read", "address", {"data": [], "filter": {"uuid": uuid}})]
    control.set_switch("address_by_resourceid", False)
    assert [] == wire.records("read", "address", {"data": ["Name"]}, 1)


def test_the_stamp_is_local_and_raised_by_every_write(wire, control, ada):
    """2023-11-14 22:13:20 UTC is 23:13:20 in Berlin; the filter speaks the same zone."""
    control.advance(3600)
    wire.now += 3600
    wire.records("modify", "address", {"phone": operation("add", None, "+49 241 1")}, ada)
    assert {"Aenderung": "2023-11-15 00:13:20"} == entries_of(wire, ada, ["Aenderung"])
    for moment, found in (("2023-11-15 00:13:20", True), ("2023-11-15 00:13:21", False)):
        assert found is bool(wire.records("read", "address", {"data": [], "filter": {"Aenderung": [{"op": ">=", "val": moment}]}}))


def test_the_stamp_as_switches(wire, control, ada):
    """UTC, not readable, not raised by entries, raised by the sync flag."""
    for name, value in (("address_stamp_zone", "utc"), ("entry_raises_stamp", False), ("sync_raises_stamp", True)):
        control.set_switch(name, value)
    control.advance(60)
    wire.now += 60
    wire.records("modify", "address", {"phone": operation("add", None, "+49 241 1")}, ada)
    assert {"Aenderung": "2023-11-14 22:13:20"} == entries_of(wire, ada, ["Aenderung"])
    control.link("address:user:sync", ada, 1)
    assert {"Aenderung": "2023-11-14 22:14:20"} == entries_of(wire, ada, ["Aenderung"])
    control.set_switch("address_stamp_readable", False)
    assert 141 == wire.code("read", "address", {"data": ["Aenderung"]})


def test_archiving(wire, control, ada):
    """Status is swallowed, Status2Adr cascades."""
    wire.records("modify", "address", {"Status": "0"}, ada)
    assert "1" == control.get("address", ada)["Status"]
    wire.records("modify", "address", {"Status2Adr": "status2adr_archive"}, ada)
    assert {"Status": "0", "Status2Adr": "status2adr_archive"} == entries_of(wire, ada, ["Status", "Status2Adr"])
    control.set_switch("status_write", "effective")
    wire.records("modify", "address", {"Status": "1"}, ada)
    assert "1" == control.get("address", ada)["Status"]


def test_values_are_cleared_and_read_empty(wire, control, ada):
    """Dates as zeros or text, booleans in three forms."""
    wire.records("modify", "address", {"Geburtsdatum": "1985-12-10 12:00:00", "Vip": True, "ArtDaten": ["Kunde"], "Anrede": "Frau"}, ada)
    keys = ["Geburtsdatum", "Vip", "ArtDaten", "Anrede"]
    assert {"Geburtsdatum": "1985-12-10", "Vip": "1", "ArtDaten": "|Kunde|", "Anrede": "Frau"} == entries_of(wire, ada, keys)
    wire.records("modify", "address", {"Geburtsdatum": "", "Vip": 0, "ArtDaten": [], "Anrede": ""}, ada)
    assert {"Geburtsdatum": "0000-00-00", "Vip": "0", "ArtDaten": "", "Anrede": ""} == entries_of(wire, ada, keys)
    control.set_switch("empty_dates", "text")
    for form, value in (("number", 0), ("bool", False)):
        control.set_switch("booleans", form)
        assert {"Geburtsdatum": "", "Vip": value} == entries_of(wire, ada, keys[:2])


def test_countries(wire, control, ada):
    """Read as a name or a code; whether modify takes codes is a switch."""
    wire.records("modify", "address", {"Land": "AUT"}, ada)
    for kind, text in (("ISO-3166-2", "AT"), ("ISO-3166-3", "AUT"), (None, "Österreich")):
        assert text == wire.elements("read", "address", {"data": ["Land"], "countryIsoCodeType": kind}, ada)[0]["Land"]
    control.set_switch("country_code_on_modify", False)
    assert 252 == wire.code("modify", "address", {"Land": "DEU"}, ada)


def test_main_entries_are_no_plain_fields(wire, control, ada):
    """Writing Telefon1 does nothing, or is refused."""
    assert 0 == wire.code("modify", "address", {"Telefon1": "+49 1"}, ada)
    assert {"Telefon1": "+49 241 900100"} == entries_of(wire, ada, ["Telefon1"])
    control.set_switch("main_entry_write", "refused")
    assert 144 == wire.code("modify", "address", {"Telefon1": "+49 1"}, ada)


def test_search(wire, ada):
    """All words, over names, company, main e-mail and customer number."""
    expected = {"customerno": 1, "surname": "Beispiel", "firstname": "Ada", "company": "", "primaryEmail": "ada@example.org"}
    found = wire.elements("get", "search", {"input": "ada beisp"}, "address")
    assert [{**expected, "emailaddress": ["ada@example.org", "office@example.org"]}] == found
    assert [] == wire.records("get", "search", {"input": "ada nobody"}, "address")
    assert [69, 167] == [wire.code("get", "search", {"input": ""}, "address"), wire.code("get", "search", {}, "address")]


def test_pictures(wire, control):
    """A link that can be fetched; empty without a picture."""
    control.add("address", {"picture": "/9j/"})
    url = entries_of(wire, 1, ["imageUrl"])["imageUrl"]
    assert b"\xff\xd8\xff" == wire.http.get(url).content
    control.add("address", {})
    assert {"imageUrl": ""} == entries_of(wire, 2, ["imageUrl"])


def test_unknown_records_cannot_be_written(wire):
    """80, also when the right is missing."""
    assert 80 == wire.code("modify", "address", {"Ort": "x"}, 99)
