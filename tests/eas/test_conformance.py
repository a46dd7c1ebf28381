"""The page of what is covered is true: against the data it is made from, the tests, and Microsoft's statements where they are at hand."""

from __future__ import annotations

import pytest

from tests.eas import coverage_page
from tests.eas.coverage_page import COVERED, DOCUMENTS, LISTS, NOT_APPLICABLE, OPEN, requirements


@pytest.fixture(scope="module")
def named():
    return coverage_page.named()


@pytest.fixture(scope="module")
def statements():
    found = coverage_page.statements()
    if not found:
        pytest.skip("Microsoft's statements are not here: ../shared/ms-eas, beside the project's root")
    return found


def test_the_page_is_what_its_data_say():
    """`python -m tests.eas.coverage_page` writes it."""
    assert coverage_page.page() == coverage_page.PAGE.read_text()


def test_what_is_covered_has_a_test_and_what_is_not_has_a_reason(named):
    """A test that goes, or is renamed, takes its statement along; an open one is not named by any."""
    rows = coverage_page.rows()
    assert len(rows) == len({(row.document, row.number) for row in rows})
    assert {COVERED, NOT_APPLICABLE, OPEN} >= {row.verdict for row in rows}
    assert [] == [row for row in rows if (row.verdict == COVERED) == bool(row.words)]
    assert [] == [row for row in rows if row.verdict == COVERED and not named.get((row.document, row.number))]
    assert [] == [row for row in rows if row.verdict == OPEN and named.get((row.document, row.number))]


def test_nothing_that_the_bridge_was_built_on_is_open():
    """Neither a fact, nor a pain, nor a statement that they name."""
    assert [] == [row for row in coverage_page.rows() if row.source == "fact" and row.verdict == OPEN]


def test_every_pain_and_every_fact_has_a_test_or_a_reason(named):
    """Never both, so that the reasons do not outlive their cause."""
    points = coverage_page.listed()
    assert [(name, number) for name in ("pain", "fact") for number in LISTS[name]] == [(point.list, point.number) for point in points]
    assert [] == [point for point in points if bool(point.why_not) == bool(named.get((point.list, point.number)))]


def test_every_must_that_binds_a_server_is_in_the_data(statements):
    """And no other is called a MUST."""
    musts = {(row.document, row.number) for row in coverage_page.rows() if row.source == "MUST"}
    assert coverage_page.binding() == musts


def test_every_number_that_a_test_names_exists(statements):
    """The ends of a range, too: a number under the wrong document is nearly always one that is not there."""
    unknown = [
        f"{name}: {document} R{number}"
        for name, text, default in coverage_page.texts()
        for document, first, last in requirements(text, default)
        for number in (first, last)
        if document in DOCUMENTS and (document, number) not in statements
    ]
    assert [] == unknown


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("R235", [("MS-ASCMD", 235, 235)]),
        ("MS-ASCAL R235, R434; [MS-ASAIRS] R60", [("MS-ASCAL", 235, 235), ("MS-ASCAL", 434, 434), ("MS-ASAIRS", 60, 60)]),
        ("R7, and R5106-R5122 of the commands", [("MS-ASCMD", 7, 7), ("MS-ASCMD", 5106, 5122)]),
    ],
)
def test_how_a_number_is_read(text, found):
    """Of the document named last, else of the module's."""
    assert found == list(requirements(text, "MS-ASCMD"))


def test_how_lists_are_read():
    """In words, with a plural, in a name; a section's number is none."""
    assert [("pain", 3), ("pain", 31), ("fact", 7)] == list(coverage_page.points("Pains 3 and 31: see fact 7, fact 2.13"))
    assert [("pain", 16)] == list(coverage_page.points("test pain 16 whole days"))
