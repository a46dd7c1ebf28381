"""ResolveRecipients, [MS-ASCMD] 2.2.1.15."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from activesync_bridge.commands import resolverecipients
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import ResolveRecipients as Tag
from radicale_onoffice.core.model import Identity, User
from tests.eas.conftest import BODY_VERSIONS, VERSIONS
from tests.eas.trees import at, names, text, tree

CARL = "carl@example.com"
BERLIN = ZoneInfo("Europe/Berlin")


def asking(*to, options=()):
    """A request for these."""
    return tree(Tag.ResolveRecipients, *(tree(Tag.To, one) for one in to), *([tree(Tag.Options, *options)] if options else []))


def availability(start="2026-03-16T07:00:00.000Z", end="2026-03-16T11:00:00.000Z"):
    """Free/busy of a Monday morning, 8 to 12 in Berlin."""
    return tree(Tag.Availability, tree(Tag.StartTime, start), *([tree(Tag.EndTime, end)] if end else []))


@pytest.fixture
def resolved(ask, open_session):
    """The answer to a request."""

    def of(*to, options=(), version=Version.V16_1):
        return ask(resolverecipients.handle, open_session(version), asking(*to, options=options))

    return of


@pytest.fixture
def carl(office):
    """A colleague whose login is an address."""
    office.accounts.save_user(User(identity=Identity("t", CARL)), "secret", "test")


def recipients(answer):
    """(type, name, address) of those who were found."""
    found = at(answer, Tag.Response).all(Tag.Recipient)
    return [(text(one, Tag.Type), text(one, Tag.DisplayName), text(one, Tag.EmailAddress)) for one in found]


@pytest.mark.parametrize("version", VERSIONS)
def test_one_contact_is_resolved_r4275(resolved, add_contact, version):
    """R4275, R4268, R4620, R3767, R4686: type 2."""
    add_contact("Jürgen", "Müller", emails=("jm@example.com", "j@home.example"))
    answer = resolved("müll", version=version)
    response = at(answer, Tag.Response)
    assert ["Status", "Response"] == names(answer)
    assert ["To", "Status", "RecipientCount", "Recipient"] == names(response)
    assert ("müll", "1", "1") == (text(response, Tag.To), text(response, Tag.Status), text(response, Tag.RecipientCount))
    assert [("2", "Jürgen Müller", "jm@example.com")] == recipients(answer)
    assert [("2", "Jürgen Müller", "j@home.example")] == recipients(resolved("J@home.example"))


def test_nobody_is_4_r4286(resolved, add_contact):
    """R4286, R4287: also who has no address to write to."""
    add_contact("Ohne", "Adresse")
    response = at(resolved("ohne"), Tag.Response)
    assert (["To", "Status", "RecipientCount"], "4") == (names(response), text(response, Tag.Status))


def test_a_colleague_is_type_1_and_comes_before_a_contact_of_the_same_address(resolved, carl, add_contact):
    """R4686: the login that is an address; one person, not two."""
    add_contact("Carl", "Muster", emails=(CARL,))
    assert [("1", CARL, CARL)] == recipients(resolved(CARL))
    assert [("1", CARL, CARL)] == recipients(resolved("carl"))


def test_several_are_suggestions_r4277(resolved, add_contact):
    """R3761, R4277-R4283: all (2), or the first so many (3) with the count of all (R3250); R4279: without certificates."""
    for last in ("Abt", "Bach", "Cohn"):
        add_contact("Max", last, emails=(f"{last}@example.com",))
    wanted = (tree(Tag.CertificateRetrieval, "2"), tree(Tag.MaxAmbiguousRecipients, "2"), availability())
    all_of_them, some = resolved("max"), resolved("max", options=wanted)
    assert ("2", "3", 3) == (
        text(all_of_them, Tag.Response, Tag.Status),
        text(all_of_them, Tag.Response, Tag.RecipientCount),
        len(recipients(all_of_them)),
    )
    assert ("3", "3", 2) == (text(some, Tag.Response, Tag.Status), text(some, Tag.Response, Tag.RecipientCount), len(recipients(some)))
    assert ["Type", "DisplayName", "EmailAddress"] == names(at(some, Tag.Response, Tag.Recipient))  # R4617, R4623


def test_each_recipient_is_answered_in_order_r4620(resolved, add_contact):
    """R4620: one Response per To."""
    add_contact("Max", "Abt", emails=("abt@example.com",))
    answer = resolved("nobody", "max")
    assert ["nobody", "max"] == [text(one, Tag.To) for one in answer.all(Tag.Response)]


def test_there_are_no_certificates_r4303(resolved, add_contact):
    """R4303, R4304, R3764, R864: status 7."""
    add_contact("Max", "Abt", emails=("abt@example.com",))
    found = at(resolved("max", options=(tree(Tag.CertificateRetrieval, "2"),)), Tag.Response, Tag.Recipient, Tag.Certificates)
    assert (["Status", "CertificateCount", "RecipientCount"], "7") == (names(found), text(found, Tag.Status))
    plain = at(resolved("max", options=(tree(Tag.CertificateRetrieval, "1"),)), Tag.Response, Tag.Recipient)
    assert "Certificates" not in names(plain)


@pytest.mark.parametrize("version", BODY_VERSIONS)
def test_when_a_colleague_has_no_time_r3319(resolved, carl, add_appointment, version):
    """R819, R3319, R3338, R3339, R4291: from 9:00 to 9:35 in the first half of four hours."""
    add_appointment(datetime(2026, 3, 16, 9, tzinfo=BERLIN), datetime(2026, 3, 16, 9, 35, tzinfo=BERLIN), participants=(CARL,))
    found = at(resolved(CARL, options=(availability(),), version=version), Tag.Response, Tag.Recipient, Tag.Availability)
    assert (["Status", "MergedFreeBusy"], "1", "00220000") == (names(found), text(found, Tag.Status), text(found, Tag.MergedFreeBusy))


def test_without_an_end_it_is_seven_days_r2265(resolved, carl):
    """R2265: 7 x 48 half hours."""
    found = at(resolved(CARL, options=(availability(end=None),)), Tag.Response, Tag.Recipient, Tag.Availability)
    assert 7 * 48 == len(text(found, Tag.MergedFreeBusy))


def test_before_14_0_there_is_no_availability(resolved, carl):
    """Activesync.md 2.8."""
    answer = resolved(CARL, options=(availability(),), version=Version.V12_1)
    assert "Availability" not in names(at(answer, Tag.Response, Tag.Recipient))


def test_of_somebody_who_is_no_colleague_nothing_is_known_r4298(resolved, add_contact):
    """R4298: 163, without digits."""
    add_contact("Max", "Abt", emails=("abt@example.com",))
    found = at(resolved("max", options=(availability(),)), Tag.Response, Tag.Recipient, Tag.Availability)
    assert (["Status"], "163") == (names(found), text(found, Tag.Status))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-16T07:00:00.000Z", "2026-03-16T07:29:59.000Z"),
        ("2026-03-16T07:00:00.000Z", "2026-03-15T07:00:00.000Z"),
        ("2026-03-16T07:00:00.000Z", "2026-04-28T07:00:00.000Z"),  # 43 days
        ("yesterday", "2026-03-16T07:00:00.000Z"),
        ("2026-03-16T07:00:00.000Z", "tomorrow"),
        ("", None),
    ],
)
def test_a_span_that_is_none_is_5_r2266(resolved, carl, start, end):
    """R3986, R2264, R2266."""
    answer = resolved(CARL, options=(availability(start, end),))
    assert (["Status"], "5") == (names(answer), text(answer, Tag.Status))


@pytest.mark.parametrize(
    "body",
    [
        None,
        asking(),
        asking(""),
        asking("x" * 257),  # R4611
        asking(*["x"] * 101),  # R5656
        asking("x", options=(tree(Tag.MaxAmbiguousRecipients, "x"),)),
        asking("x", options=(tree(Tag.Picture, tree(Tag.MaxSize, "x")),)),
    ],
)
def test_a_malformed_request_is_5_r4270(ask, open_session, body):
    """R4269, R4270, R4614, R5656, R5873."""
    answer = ask(resolverecipients.handle, open_session(), body)
    assert (["Status"], "5") == (names(answer), text(answer, Tag.Status))


def test_pictures_are_counted_for_each_recipient_r3290(resolved, add_contact):
    """R3286-R3291, R4310-R4313, R1468."""
    for first in ("Max", "Nora"):
        for last in ("Abt", "Bach"):
            add_contact(first, last, emails=(f"{first}.{last}@example.com",), picture=b"\xff\xd8", picture_type="jpeg")
    answer = resolved("max", "nora", options=(tree(Tag.Picture, tree(Tag.MaxPictures, "1")),))
    found = [[text(who, Tag.Picture, Tag.Status) for who in response.all(Tag.Recipient)] for response in answer.all(Tag.Response)]
    assert [["1", "175"], ["1", "175"]] == found
    assert b"\xff\xd8" == at(answer, Tag.Response, Tag.Recipient, Tag.Picture, Tag.Data).content
