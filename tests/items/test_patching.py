"""What holds for every field table: a no-op is byte-identical, one change alters one field, and Microsoft's schemas know what is sent."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from activesync_bridge.items import Ghosting, contacts, tasks
from activesync_bridge.items.patching import compact, dashed, holds, moment, nearest_day
from activesync_bridge.wbxml.codepages import NAMESPACES, AirSyncBase, Contacts, Contacts2, Tasks
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.formats.lines import dump as text_from
from radicale_onoffice.formats.lines import escape, parse, unfold
from tests.items.building import ALL, FLAVOUR, NOTHING, body, data, flavour, named, replaced

XSD = Path(__file__).parents[3] / "shared" / "ms-eas" / "xsd"
WORD = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=12
)
TEXT = st.lists(WORD, min_size=1, max_size=4).map(" ".join)
VALUE = TEXT.map(escape)
DAY = st.dates(date(1605, 1, 1), date(2100, 1, 1))
NUMBER = st.from_regex(r"\A\+?[0-9][0-9 /-]{0,12}\Z")
TYPES = st.lists(st.sampled_from(["HOME", "WORK", "CELL", "FAX", "PAGER", "CAR", "VOICE", "PREF", "MAIN", "x-odd"]), max_size=3)


def structured(length: int):
    """A structured value with some of its parts."""
    return st.lists(st.just("") | VALUE, min_size=1, max_size=length).map(";".join)


def line(name: str, value):
    """A line with or without a group and a parameter that nobody knows."""
    group = st.sampled_from(["", "", "", "item1.", "item2."])
    param = st.sampled_from(["", "", "", ";X-P=q", ';X-Q="a;b"'])
    return st.builds("{}{}{}:{}".format, group, st.just(name), param, value)


def typed(name: str, value):
    """A line with TYPEs."""
    return st.builds(lambda types, text: f"{name}{''.join(f';TYPE={word}' for word in types)}:{text}", TYPES, value)


CARD_LINES = st.one_of(
    typed("TEL", NUMBER),
    typed("TEL", NUMBER),
    typed("EMAIL", st.from_regex(r"\A[a-z]{1,5}@[a-z]{1,5}\.de\Z")),
    typed("ADR", structured(7)),
    line("ORG", structured(4)),
    line("NOTE", VALUE | st.lists(VALUE, max_size=3).map("\\n".join)),
    line("CATEGORIES", st.lists(VALUE, max_size=3).map(",".join)),
    line("BDAY", DAY.map(str) | DAY.map("{:%Y%m%d}".format) | st.sampled_from(["--0315", "1980-03-15T22:00:00Z", "soon", ""])),
    line("X-ANNIVERSARY", DAY.map(str)),
    line("IMPP", st.sampled_from(["xmpp:", "", "skype:", "odd:"]).flatmap(lambda scheme: WORD.map(lambda word: scheme + escape(word)))),
    *(
        line(name, VALUE)
        for name in (
            "TITLE",
            "ROLE",
            "URL",
            "NICKNAME",
            "X-SPOUSE",
            "X-CHILD",
            "X-MANAGER",
            "X-ABRELATEDNAMES",
            "X-OTHER",
            "RELATED;TYPE=child;VALUE=text",
        )
    ),
    line("X-ABLabel", st.sampled_from(["_$!<Spouse>!$_", "Radio", "Assistant", "Firma"])),
)


@st.composite
def cards(draw):
    """A vCard as some client might write it."""
    version = draw(st.sampled_from(["3.0", "3.0", "4.0"]))
    names = [f"N:{draw(structured(5))}"] if draw(st.booleans()) else []
    shown = [f"FN:{draw(VALUE)}"] if draw(st.booleans()) else []
    lines = ["BEGIN:VCARD", f"VERSION:{version}", *shown, *names, *draw(st.lists(CARD_LINES, max_size=12, unique=True)), "END:VCARD"]
    return text_from(parse("\n".join(lines)))


MOMENT = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)).map(lambda when: when.replace(microsecond=0))  # noqa: DTZ001
WHEN = st.one_of(
    MOMENT.map(":{:%Y%m%dT%H%M%SZ}".format),
    MOMENT.map(":{:%Y%m%dT%H%M%S}".format),
    MOMENT.map(";TZID=America/New_York:{:%Y%m%dT%H%M%S}".format),
    MOMENT.map(";VALUE=DATE:{:%Y%m%d}".format),
)
ALARM = st.builds(
    "BEGIN:VALARM\nACTION:{}\nTRIGGER{}\nX-A:b\nEND:VALARM".format,
    st.sampled_from(["DISPLAY", "AUDIO", "EMAIL"]),
    st.sampled_from([":-PT15M", ":P1D", ";RELATED=END:-PT1H"]) | MOMENT.map(";VALUE=DATE-TIME:{:%Y%m%dT%H%M%SZ}".format),
)


@st.composite
def todos(draw):
    """A VTODO as some client might write it."""
    maybe = [
        line("SUMMARY", VALUE),
        line("DESCRIPTION", st.lists(VALUE, max_size=3).map("\\n".join)),
        st.builds("DTSTART{}".format, WHEN),
        st.builds("DUE{}".format, WHEN) | st.sampled_from(["DURATION:PT2H", "DURATION:P1D"]),
        st.builds("PRIORITY:{}".format, st.integers(0, 12) | st.just("high")),
        st.builds("STATUS:{}".format, st.sampled_from(["NEEDS-ACTION", "IN-PROCESS", "COMPLETED", "CANCELLED", "ODD"])),
        st.builds("COMPLETED:{:%Y%m%dT%H%M%SZ}".format, MOMENT),
        st.builds("PERCENT-COMPLETE:{}".format, st.integers(0, 100)),
        st.builds("CLASS:{}".format, st.sampled_from(["PUBLIC", "PRIVATE", "CONFIDENTIAL", "X-PERSONAL", "X-ODD"])),
        line("CATEGORIES", st.lists(VALUE, max_size=3).map(",".join)),
        line("X-OTHER", VALUE),
        st.just("RRULE:FREQ=DAILY"),
    ]
    lines = [draw(one) for one in draw(st.permutations(maybe))[: draw(st.integers(0, len(maybe)))]]
    alarms = draw(st.lists(ALARM, max_size=2, unique=True))
    whole = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "BEGIN:VTODO",
        "UID:u",
        "DTSTAMP:20260315T083000Z",
        *lines,
        *alarms,
        "END:VTODO",
        "END:VCALENDAR",
    ]
    return text_from(parse("\n".join(whole)))


KINDS = pytest.mark.parametrize("kind", [contacts, tasks], ids=["contacts", "tasks"])
GHOSTINGS = st.sampled_from([ALL, NOTHING, Ghosting(managed=frozenset({Contacts.HomePhoneNumber, Tasks.DueDate, Contacts.Picture}))])
FLAVOURS = st.sampled_from([FLAVOUR, flavour(0), flavour(7), flavour(20, all_or_none=True), flavour(15, kind=2)])


def texts(kind):
    """Random stored texts of a kind."""
    return cards() if kind is contacts else todos()


@KINDS
@given(draw=st.data(), ghosting=GHOSTINGS, taste=FLAVOURS)
@settings(max_examples=150, deadline=None)
def test_what_was_dumped_changes_nothing_when_it_comes_back(kind, draw, ghosting, taste):
    """Byte-identical, whatever the text, the ghosting and the truncation."""
    text = draw.draw(texts(kind))
    sent = kind.dump(text, "u", taste)
    assert text == kind.patch(text, data(*sent), taste, ghosting)
    assert holds(data(*sent), sent, ghosting)


def sent_text(draw, tag: int):
    """Some new text for an element, or None to leave it out."""
    if tag in (Contacts.Birthday, Contacts.Anniversary):
        return draw.draw(DAY.map(dashed))
    if tag in (Tasks.DueDate, Tasks.UtcDueDate, Tasks.StartDate, Tasks.UtcStartDate, Tasks.ReminderTime, Tasks.DateCompleted):
        return draw.draw(MOMENT.map(lambda when: dashed(when.replace(tzinfo=UTC))))
    if tag in (Tasks.Complete, Tasks.ReminderSet):
        return draw.draw(st.sampled_from(["0", "1"]))
    if tag in (Tasks.Sensitivity, Tasks.Importance):
        return draw.draw(st.sampled_from(["0", "1", "2"]))
    if tag in contacts.NUMBERS.tags:
        return draw.draw(NUMBER)
    return draw.draw(TEXT)


SINGLE = {
    kind: sorted(
        {tag for row in kind.FIELDS for tag in row.tags}
        - {AirSyncBase.Body, Contacts.Picture, Contacts.Categories, Tasks.Categories, Tasks.Recurrence, Contacts.Children}
    )
    for kind in (contacts, tasks)
}


@KINDS
@given(draw=st.data())
@settings(max_examples=200, deadline=None)
def test_one_change_alters_one_field(kind, draw):
    """Every other row reads as before, and every line that no row of the changed field looks at stays as it is, in its order."""
    text = draw.draw(texts(kind))
    tag = draw.draw(st.sampled_from(SINGLE[kind]))
    row = next(row for row in kind.FIELDS if tag in row.tags)
    before = kind.dump(text, "u", FLAVOUR)
    value = sent_text(draw, tag)
    assume(tag not in DATES or "VALARM" not in text or "ReminderTime" in named(before))  # a relative alarm comes to life with its date
    assume(value not in named(before).values())  # FN that is the number is no name
    assume(tag != Contacts.FileAs or "FileAs" in named(before))  # a nameless contact goes by it
    new = kind.patch(text, replaced(before, (tag, value)), FLAVOUR, ALL)
    related = {*row.tags, Contacts.FileAs}
    if tag == Contacts.CompanyName:  # U12: an address without a TYPE is at work with a company, at home without
        related |= {place for tags in contacts.PLACES.values() for place in tags}
    assert [one for one in before if one.tag not in related] == [one for one in kind.dump(new, "u", FLAVOUR) if one.tag not in related]
    mine = {*row.names, "FN", "N", "X-ABLABEL", "X-EVOLUTION-FILE-AS", *OWN_LINES.get(tag, ())}
    assert [one for one in unfold(text) if name_of(one) not in mine] == [one for one in unfold(new) if name_of(one) not in mine]


DATES = (Tasks.StartDate, Tasks.UtcStartDate, Tasks.DueDate, Tasks.UtcDueDate)
OWN_LINES = {
    Tasks.Complete: {"STATUS", "COMPLETED"},
    Tasks.DateCompleted: {"STATUS", "COMPLETED"},
    Tasks.Importance: {"PRIORITY", "X-EAS-IMPORTANCE"},
    Tasks.Sensitivity: {"CLASS"},
    # a due date that is told as a length becomes one of its own, a reminder that is relative to the date too
    **{tag: {"DUE", "DURATION", "TRIGGER"} for tag in (Tasks.StartDate, Tasks.UtcStartDate)},
    **{tag: {"TRIGGER"} for tag in (Tasks.DueDate, Tasks.UtcDueDate)},
    **{tag: {"BEGIN", "END", "ACTION", "TRIGGER", "DESCRIPTION", "X-A"} for tag in (Tasks.ReminderSet, Tasks.ReminderTime)},
    **{tag: {f"X-{word}"} for tag, word in ((Contacts.AssistantName, "ASSISTANT"), (Contacts2.ManagerName, "MANAGER"))},
}


def name_of(raw: str) -> str:
    """The property's name."""
    return re.split("[;:]", raw, maxsplit=1)[0].rpartition(".")[2].upper()


@given(cards(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_contacts_change_reads_back_as_it_was_sent(text, draw):
    """What the phone sent is what the patched card says."""
    tag = draw.draw(st.sampled_from([tag for tag in SINGLE[contacts] if tag not in contacts.MESSENGERS]))
    value = sent_text(draw, tag)
    new = contacts.patch(text, replaced(contacts.dump(text, "u", FLAVOUR), (tag, value)), FLAVOUR, ALL)
    stored = contacts.dump(new, "u", FLAVOUR)
    told = [one.text for one in stored if one.tag == tag]
    if tag in contacts.NUMBERS.tags and told and told != [value]:
        return  # another notation of what the card has stays as the card has it (rule 43)
    assert [value] == told


@given(cards(), st.data())
@settings(max_examples=100, deadline=None)
def test_several_numbers_at_once_read_back(text, draw):
    """Any mixture of new, changed, swapped and removed numbers: each field holds what the phone put into it."""
    before = contacts.dump(text, "u", FLAVOUR)
    pool = [one.text for one in before if one.tag in contacts.NUMBERS.tags] + ["0241 99", "0241 98"]
    tags = draw.draw(
        st.lists(st.sampled_from([tag for tag in contacts.NUMBERS.tags if "Email" not in Element(tag).name]), max_size=5, unique=True)
    )
    changes = [(tag, draw.draw(st.none() | st.sampled_from(pool))) for tag in tags]
    sent = replaced(before, *changes)
    wanted = [named([one]) for one in sent.children if one.tag in contacts.NUMBERS.tags]
    texts_sent = [one.text for one in sent.children if one.tag in contacts.NUMBERS.tags]
    assume(len(texts_sent) == len(set(texts_sent)))
    stored = contacts.dump(contacts.patch(text, sent, FLAVOUR, ALL), "u", FLAVOUR)
    found = [named([one]) for one in stored if one.tag in contacts.NUMBERS.tags]
    assert sorted(map(digits, wanted)) == sorted(map(digits, found))


def digits(one: dict[str, str]) -> tuple[str, str]:
    """A number without its notation."""
    ((name, text),) = one.items()
    return name, re.sub(r"[ /-]", "", text).lstrip("+0")


JUNK = st.text(max_size=12) | st.binary(max_size=6) | st.sampled_from(["2026-04-01T00:00:00.000Z", "1", "2", "99999999999999999999"])


@KINDS
@given(draw=st.data(), ghosting=GHOSTINGS)
@settings(max_examples=150, deadline=None)
def test_whatever_a_client_sends_is_taken_or_refused(kind, draw, ghosting):
    """Texts where containers belong, containers where texts belong, repeated elements, NULs: BadRequest at most, and a text that can be read."""
    tags = [tag for row in kind.FIELDS for tag in row.tags] + [Contacts.Category, Tasks.Type, AirSyncBase.Data]
    leaf = st.builds(Element, st.sampled_from(tags), JUNK)
    nested = st.builds(Element, st.sampled_from(tags), st.lists(leaf, max_size=3).map(tuple))
    sent = data(*draw.draw(st.lists(leaf | nested, max_size=6)))
    text = draw.draw(st.none() | texts(kind))
    try:
        new = kind.patch(text, sent, FLAVOUR, ghosting, uid="u")
    except BadRequest:
        return
    assert all("\x00" not in one.text for one in kind.dump(new, "u", FLAVOUR))
    holds(sent, kind.dump(new, "u", FLAVOUR), ghosting)


# ------------------------------------------------------------------ the echo


def test_no_echo_for_what_the_client_holds():
    """Other white space, a birthday's hour, a date's notation, a longer body than is sent."""
    stored = (Element(Contacts.LastName, "Groß"), Element(Contacts.Birthday, "1980-03-15T00:00:00.000Z"), *body_of("Notiz\r\nlang"))
    assert holds(data((Contacts.LastName, " Groß "), (Contacts.Birthday, "1980-03-15T12:00:00Z"), body("Notiz\nlang\n")), stored, ALL)
    assert holds(data((Contacts.LastName, "Groß"), Element(Contacts.JobTitle)), stored)


def body_of(text: str, *more: tuple[int, str]) -> tuple[Element, ...]:
    """A Body as we send it."""
    return (body(text, "1", *more),)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ([(Contacts.LastName, "Groß")], [(Contacts.LastName, "Gross")]),
        ([(Contacts.LastName, "Groß")], []),
        ([Element(Contacts.JobTitle)], [(Contacts.JobTitle, "x")]),
        ([(Contacts.Birthday, "1980-03-15T13:00:00Z")], [(Contacts.Birthday, "1980-03-15T00:00:00.000Z")]),
        ([(Tasks.DueDate, "2026-04-01T10:00:00.000Z")], [(Tasks.DueDate, "2026-04-01T11:00:00.000Z")]),
        ([body("a")], body_of("b")),
        ([body("<b>a</b>", "2")], body_of("a")),
        ([body("")], body_of("a")),
        (
            [Element(Contacts.Categories, (Element(Contacts.Category, "a"),))],
            [Element(Contacts.Categories, (Element(Contacts.Category, "b"),))],
        ),
    ],
)
def test_an_echo_for_what_is_stored_differently(sent, stored):
    """The client must be told."""
    assert not holds(data(*sent), data(*stored).children)


def test_what_a_client_left_out_and_is_there_all_the_same():
    """Deleted by omission, and back by a rule: an echo; ghosted, or kept by every client: none."""
    stored = (Element(Contacts.HomePhoneNumber, "1"), Element(Contacts.FileAs, "x"), Element(Contacts.Picture, "eA=="), *body_of("a"))
    assert not holds(data(), stored, ALL)
    assert holds(data(), stored, NOTHING)
    assert holds(data(), stored)
    assert holds(data((Contacts.HomePhoneNumber, "1")), stored, ALL)


def test_no_echo_for_a_client_that_sends_only_what_it_knows():
    """MS-ASTASK R369, R370: what is never deleted by omission, and what is left at its default, is not missed."""
    new = tasks.patch(None, data((Tasks.Subject, "a")), FLAVOUR, ALL, uid="n")
    assert holds(data((Tasks.Subject, "a")), tasks.dump(new, "n", FLAVOUR), ALL)
    assert holds(data((Contacts.HomePhoneNumber, "00000000")), (Element(Contacts.HomePhoneNumber, "00000000"),))  # no date
    assert holds(data((Contacts.Picture, "eHh4\r\neHh4")), (Element(Contacts.Picture, "eHh4eHh4"),))


def test_a_truncated_body_is_held_by_who_sent_the_whole():
    """What we send of it is its beginning."""
    stored = (body("Anf", "1", (AirSyncBase.EstimatedDataSize, "6"), (AirSyncBase.Truncated, "1")),)
    assert holds(data(body("Anfang")), stored)
    assert not holds(data(body("Ende")), stored)


# --------------------------------------------------------------------- dates


@given(st.datetimes(datetime(1601, 1, 1), datetime(9998, 1, 1)).map(lambda when: when.replace(microsecond=0, tzinfo=UTC)))  # noqa: DTZ001
@example(datetime(2000, 12, 25, 8, 35, tzinfo=UTC))
def test_r15_and_r18_both_notations_read_as_the_moment(when):
    """MS-ASDTYPE R15, R18, and R17's example: 2000-12-25T08:35:00.000Z."""
    assert when == moment(dashed(when)) == moment(compact(when))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", dashed(when))
    assert re.fullmatch(r"\d{8}T\d{6}Z", compact(when))


def test_notations_of_other_zones_and_days():
    """Always UTC; a day is its midnight."""
    assert "2026-03-15T06:30:00.000Z" == dashed(datetime(2026, 3, 15, 8, 30, 5 - 5, tzinfo=timezone(timedelta(hours=2))))
    assert ("2026-03-15T00:00:00.000Z", "20260315T000000Z") == (dashed(date(2026, 3, 15)), compact(date(2026, 3, 15)))


@pytest.mark.parametrize("text", ["", "x", "2026-13-01T00:00:00Z", "2026-02-30", "0000-01-01T00:00:00.000Z", "2026-03-15T25:00:00Z"])
def test_what_is_no_date_is_refused(text):
    """Status 6, never a crash."""
    with pytest.raises(BadRequest):
        moment(text)


def test_the_last_day_of_the_calendar_has_no_next():
    """Nor does it crash."""
    with pytest.raises(BadRequest):
        nearest_day(moment("9999-12-31T23:00:00Z"))


# ------------------------------------------------------- Microsoft's schemas


@pytest.fixture(scope="module")
def schemas():
    """Names of the top-level elements of each schema, and the order of Body's children."""
    if not XSD.is_dir():
        pytest.skip("Microsoft's schemas are not beside the project (../shared/ms-eas/xsd)")
    prefix = "{http://www.w3.org/2001/XMLSchema}"
    roots = {name: ET.parse(XSD / f"{name}.xsd").getroot() for name in ("Contacts", "Contacts2", "Tasks", "AirSyncBase")}  # noqa: S314
    known = {name: {one.get("name"): one for one in root.findall(f"{prefix}element")} for name, root in roots.items()}
    order = [one.get("name") for one in known["AirSyncBase"]["Body"].iter(f"{prefix}element")][1:]
    return known, [name for name in order if name]


@KINDS
@given(draw=st.data())
@settings(max_examples=50, deadline=None)
def test_microsofts_schemas_know_every_element(kind, schemas, draw):
    """Each at most once, in its namespace, with Body's children in the sequence of AirSyncBase.xsd and dates as xs:dateTime."""
    known, order = schemas
    elements = kind.dump(draw.draw(texts(kind)), "u", draw.draw(FLAVOURS))
    assert len(elements) == len({one.tag for one in elements})
    for one in elements:
        schema = NAMESPACES[one.tag >> 8].__name__
        assert one.name in known[schema]
        if one.tag == AirSyncBase.Body:
            places = [order.index(child.name) for child in one.children]
            assert sorted(places) == places
        if known[schema][one.name].get("type") == "xs:dateTime":
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", one.text)


@KINDS
def test_microsofts_schemas_know_every_tag_of_the_tables(kind, schemas):
    """Also those that no random text has."""
    known, _ = schemas
    for row in kind.FIELDS:
        for tag in row.tags:
            name = NAMESPACES[tag >> 8].__name__
            assert Element(tag).name in known[name] or name == "Tasks"
