"""Search, [MS-ASCMD] 2.2.1.16."""

from __future__ import annotations

import pytest

from activesync_bridge.commands import search
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSync, Calendar, Gal
from activesync_bridge.wbxml.codepages import Search as Tag
from radicale_onoffice.core.model import Kind
from radicale_onoffice.core.rights import Gate
from tests.eas.conftest import ANNA, VERSIONS
from tests.eas.trees import at, names, text, tree


def asking(query, *options, store="GAL"):
    """A Search of a store."""
    parts = [tree(Tag.Name, store), tree(Tag.Query, query) if isinstance(query, str) else tree(Tag.Query, *query)]
    return tree(Tag.Search, tree(Tag.Store, *parts, *([tree(Tag.Options, *options)] if options else [])))


@pytest.fixture
def searched(ask, open_session):
    """The Store of an answer; the command itself always succeeds (R4318, R4322)."""

    def of(body, version=Version.V16_1):
        answer = ask(search.handle, open_session(version), body)
        assert "1" == text(answer, Tag.Status)
        return at(answer, Tag.Response, Tag.Store)

    return of


def found(store):
    """Names of who was found."""
    return [text(one, Tag.Properties, Gal.DisplayName) for one in store.all(Tag.Result)]


@pytest.fixture
def dozen(add_contact):
    """Twelve people with names that begin alike."""
    for number in range(12):
        add_contact("Max", f"Muster{number:02}", emails=(f"max{number:02}@example.com",))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_properties_that_are_not_empty_come_back_r417(searched, add_contact, version):
    """R417, R3848, R3691, R5711: alias and display name always; in the schema's order; what is empty is not there."""
    add_contact("Jürgen", "Müller", emails=("jm@example.com",), phone="0171 1", company="Haus GmbH", job_title="Makler")
    store = searched(asking("müll"), version)
    properties = at(store, Tag.Result, Tag.Properties)
    expected = {
        "DisplayName": "Jürgen Müller",
        "Title": "Makler",
        "Company": "Haus GmbH",
        "Alias": "jm",
        "FirstName": "Jürgen",
        "LastName": "Müller",
        "MobilePhone": "0171 1",
        "EmailAddress": "jm@example.com",
    }
    assert list(expected.items()) == [(child.name, child.text) for child in properties.children]


def test_range_and_total_are_told_r420(searched, dozen):
    """R419, R420, R4636, R4638: all of them: Total is one more than the range's end."""
    store = searched(asking("max"))
    assert ["Status", *["Result"] * 12, "Range", "Total"] == names(store)
    assert ("1", "0-11", "12") == (text(store, Tag.Status), text(store, Tag.Range), text(store, Tag.Total))
    assert [f"Max Muster{number:02}" for number in range(12)] == found(store)  # R426: by display name


def test_a_part_of_the_result_with_the_real_total(searched, dozen):
    """Pain 14: Gmail asks 0-9, and shows "more" only if Total is real; R431, R3727."""
    first = searched(asking("max", tree(Tag.Range, "0-9")))
    assert (10, "0-9", "12") == (len(found(first)), text(first, Tag.Range), text(first, Tag.Total))
    second = searched(asking("max", tree(Tag.Range, "10-19")))
    assert (["Max Muster10", "Max Muster11"], "10-11", "12") == (found(second), text(second, Tag.Range), text(second, Tag.Total))
    assert ["Max Muster00"] == found(searched(asking("max", tree(Tag.Range, "0-0"))))  # R3729


def test_without_a_range_it_is_the_first_hundred_r416(searched, add_contact):
    """R416: with the number of all that there are."""
    for number in range(105):
        add_contact("Max", f"Muster{number:03}")
    store = searched(asking("max"))
    assert (100, "105", "0-99") == (len(found(store)), text(store, Tag.Total), text(store, Tag.Range))


def test_a_range_behind_the_end_is_12_r4361(searched, dozen):
    """R3736, R4361: more than 100 at once, or past what was found."""
    store = searched(asking("max", tree(Tag.Range, "20-29")))
    assert ("12", ["Status", "Total"]) == (text(store, Tag.Status), names(store))
    wide = searched(asking("max", tree(Tag.Range, "0-199")))
    assert ("12", 12) == (text(wide, Tag.Status), len(found(wide)))


def test_nobody_found_is_success_without_results_r3847(searched):
    """R3847, R7078: neither Result nor Range."""
    store = searched(asking("nobody"))
    assert (["Status", "Total"], "1", "0") == (names(store), text(store, Tag.Status), text(store, Tag.Total))


def test_one_letter_and_none_are_enough(searched, dozen):
    """Pain 44: a client need not type three letters, and can list everybody."""
    assert 12 == len(found(searched(asking("m"))))
    assert 12 == len(found(searched(asking(""))))


@pytest.mark.parametrize("version", [version for version in VERSIONS if version >= Version.V14_1])
def test_pictures_up_to_a_size_and_a_number_r3297(searched, add_contact, version):
    """R3294-R3297, R4372-R4375, R1472: 1 with the bytes, 173 none, 174 too large, 175 one too many."""
    for name, picture in (("A", b"\xff" * 10), ("B", None), ("C", b"\xff" * 99), ("D", b"\xff" * 10)):
        add_contact("P", name, picture=picture, picture_type="jpeg" if picture else "")
    wanted = tree(Tag.Picture, tree(Tag.MaxSize, "50"), tree(Tag.MaxPictures, "1"))
    store = searched(asking("p", wanted), version)
    pictures = [at(one, Tag.Properties, Gal.Picture) for one in store.all(Tag.Result)]
    assert ["1", "173", "174", "175"] == [text(one, Gal.Status) for one in pictures]
    assert [["Status", "Data"], ["Status"], ["Status"], ["Status"]] == [names(one) for one in pictures]
    assert b"\xff" * 10 == at(pictures[0], Gal.Data).content


@pytest.mark.parametrize("version", [Version.V12_1, Version.V14_0])
def test_before_14_1_there_are_no_pictures(searched, add_contact, version):
    """Activesync.md 2.3: the element does not exist there."""
    add_contact("P", "A", picture=b"\xff", picture_type="jpeg")
    store = searched(asking("p", tree(Tag.Picture)), version)
    assert "Picture" not in names(at(store, Tag.Result, Tag.Properties))


@pytest.mark.parametrize(
    "body",
    [
        None,
        tree(Tag.Search),
        tree(Tag.Search, tree(Tag.Store, tree(Tag.Name, "GAL"))),
        asking("x", store="Nowhere"),
        asking("x", tree(Tag.Range, "9-0")),
        asking("x", tree(Tag.Range, "0-")),
        asking("x", tree(Tag.Range, "0-99999")),
        asking("x", tree(Tag.Picture, tree(Tag.MaxSize, "-1"))),
    ],
)
def test_a_malformed_search_is_2_r4329(searched, body):
    """R4329: a store status; the command itself succeeded."""
    store = searched(body)
    assert (["Status"], "2") == (names(store), text(store, Tag.Status))


@pytest.mark.parametrize("name", ["Calendar", "Contacts", "Tasks"])
def test_items_are_not_searched_for_in_the_mailbox_r364(searched, name):
    """[MS-ASTASK] R364, [MS-ASCAL], [MS-ASCNTC]: store status 2 for the class elements of appointments, contacts and tasks."""
    query = tree(Tag.And, tree(AirSync.Class, name), tree(Tag.FreeText, "x"))
    assert "2" == text(searched(asking((query,), store="Mailbox")), Tag.Status)


def test_a_mailbox_is_empty_r3850(searched):
    """R3850: an empty Result."""
    query = tree(Tag.And, tree(AirSync.Class, "Email"), tree(AirSync.CollectionId, "inbox"), tree(Tag.FreeText, "x"))
    store = searched(asking((query,), tree(Tag.Range, "0-4"), tree(Tag.RebuildResults), store="Mailbox"))
    assert (["Status", "Result"], "1") == (names(store), text(store, Tag.Status))
    assert () == at(store, Tag.Result).children


def test_there_are_no_document_libraries(searched):
    """R4364: access is blocked."""
    assert "13" == text(searched(asking((tree(Tag.EqualTo, tree(Tag.Value, "\\\\server\\share")),), store="DocumentLibrary")), Tag.Status)


def test_the_class_is_read_with_the_query_that_carries_it(searched):
    """A tag of the calendar in a query makes no appointment of it."""
    assert "1" == text(searched(asking((tree(Tag.FreeText, "x"), tree(Calendar.Subject, "y")), store="Mailbox")), Tag.Status)


def test_a_closed_gate_finds_nobody(office, searched, dozen):
    """Rule 1: as in every other way to look at contacts."""
    office.settings.set_gate(ANNA, Gate.SWITCH, Kind.CONTACTS, False, "test")
    assert "0" == text(searched(asking("max")), Tag.Total)
