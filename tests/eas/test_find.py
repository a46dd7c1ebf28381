"""Find (16.1), [MS-ASCMD] 2.2.1.2."""

from __future__ import annotations

import pytest

from activesync_bridge.commands import find
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSync, Gal, ItemOperations
from activesync_bridge.wbxml.codepages import Find as Tag
from tests.eas.conftest import BODY_VERSIONS
from tests.eas.trees import at, names, text, tree


def asking(query, *options, criterion=Tag.GalSearchCriterion):
    """A Find with this criterion."""
    content = query if isinstance(query, tuple) else (query,)
    parts = [tree(Tag.Query, *content), *([tree(Tag.Options, *options)] if options else [])]
    return tree(Tag.Find, tree(Tag.SearchId, "5b2f"), tree(Tag.ExecuteSearch, tree(criterion, *parts)))


@pytest.fixture
def found(ask, open_session):
    """The answer to a Find."""

    def of(body, version=Version.V16_1):
        return ask(find.handle, open_session(version), body)

    return of


@pytest.fixture
def three(add_contact):
    """Three people."""
    for last in ("Abt", "Bach", "Cohn"):
        add_contact("Max", last, emails=(f"{last.lower()}@example.com",))


def test_people_are_found_with_range_and_total(found, three):
    """R10031995, R131999, R132004, R1002501, R38391804: sorted, in the order of the schema, with alias and display name."""
    answer = found(asking("max"))
    response = at(answer, Tag.Response)
    assert ["Store", "Status", "Result", "Result", "Result", "Range", "Total"] == names(response)
    assert ("1", "GAL", "1", "0-2", "3") == (
        text(answer, Tag.Status),
        text(response, ItemOperations.Store),
        text(response, Tag.Status),
        text(response, Tag.Range),
        text(response, Tag.Total),
    )
    properties = [at(one, Tag.Properties) for one in response.all(Tag.Result)]
    assert ["Max Abt", "Max Bach", "Max Cohn"] == [text(one, Gal.DisplayName) for one in properties]
    assert ["abt", "bach", "cohn"] == [text(one, Gal.Alias) for one in properties]


def test_as_many_as_asked_for_r131999(found, three):
    """R131999: with the total of all; iOS completes names with it."""
    response = at(found(asking("max", tree(Tag.Range, "0-1"))), Tag.Response)
    assert (2, "0-1", "3") == (len(list(response.all(Tag.Result))), text(response, Tag.Range), text(response, Tag.Total))


def test_without_a_range_it_is_the_first_hundred(found, add_contact):
    """R10031996, R131999: with the number of all that there are."""
    for number in range(105):
        add_contact("Max", f"Muster{number:03}")
    response = at(found(asking("max")), Tag.Response)
    assert (100, "0-99", "105") == (len(list(response.all(Tag.Result))), text(response, Tag.Range), text(response, Tag.Total))


def test_nobody_is_no_result_r38391805(found):
    """R38391805."""
    assert ["Store", "Status", "Total"] == names(at(found(asking("max")), Tag.Response))


def test_a_range_has_to_begin_with_0_r72172518(found, three):
    """R72172518: status 4 in the Response."""
    answer = found(asking("max", tree(Tag.Range, "1-9")))
    assert ("1", "4") == (text(answer, Tag.Status), text(answer, Tag.Response, Tag.Status))


def test_pictures(found, add_contact):
    """R32831607-R32831610, R36691708."""
    add_contact("P", "A", picture=b"\xff\xd8", picture_type="jpeg")
    add_contact("P", "B")
    wanted = tree(Tag.Picture, tree(Tag.MaxSize, "100"), tree(Tag.MaxPictures, "1"))
    pictures = [at(one, Tag.Properties, Gal.Picture) for one in at(found(asking("p", wanted)), Tag.Response).all(Tag.Result)]
    assert ["1", "173"] == [text(one, Gal.Status) for one in pictures]
    assert b"\xff\xd8" == at(pictures[0], Gal.Data).content


@pytest.mark.parametrize(
    "body",
    [
        None,
        tree(Tag.Find),
        tree(Tag.Find, tree(Tag.SearchId, "1")),
        tree(Tag.Find, tree(Tag.SearchId, "1"), tree(Tag.ExecuteSearch)),
        tree(Tag.Find, tree(Tag.ExecuteSearch, tree(Tag.GalSearchCriterion, tree(Tag.Query, "x")))),
        asking("x", tree(Tag.Range, "x")),
    ],
)
def test_a_malformed_find_is_2_r72172512(found, body):
    """R72172512."""
    answer = found(body)
    assert (["Status"], "2") == (names(answer), text(answer, Tag.Status))


def test_a_mailbox_has_nothing(found):
    """R38391805: mail is not here."""
    query = (tree(Tag.FreeText, "x"), tree(AirSync.Class, "Email"))
    response = at(found(asking(query, criterion=Tag.MailBoxSearchCriterion)), Tag.Response)
    assert ("Mailbox", "1", "0") == (text(response, ItemOperations.Store), text(response, Tag.Status), text(response, Tag.Total))


@pytest.mark.parametrize("version", BODY_VERSIONS[:-1])
def test_before_16_1_there_is_no_find(found, version):
    """R4897: 138."""
    assert "138" == text(found(asking("x"), version), Tag.Status)
    assert 400 == found(asking("x"), Version.V12_1).status
