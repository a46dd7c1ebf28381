"""MeetingResponse, [MS-ASCMD] 2.2.1.11."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from activesync_bridge.commands import meetingresponse
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import MeetingResponse as Tag
from activesync_bridge.wbxml.codepages import Search
from radicale_onoffice.core.errors import NotFound
from radicale_onoffice.core.model import Frequency, Kind, Recurrence
from radicale_onoffice.core.rights import Gate
from tests.eas.conftest import ANNA, BODY_VERSIONS, VERSIONS
from tests.eas.trees import names, text, tree

BERLIN = ZoneInfo("Europe/Berlin")
START, END = datetime(2026, 3, 16, 9, tzinfo=BERLIN), datetime(2026, 3, 16, 10, tzinfo=BERLIN)  # 8:00 UTC
ACCEPT, TENTATIVE, DECLINE = "1", "2", "3"


def response(answer, item, *more, collection="appointments"):
    """One answer of the user."""
    return tree(Tag.Request, tree(Tag.UserResponse, answer), tree(Tag.CollectionId, collection), tree(Tag.RequestId, item), *more)


@pytest.fixture
def answered(ask, open_session):
    """The Results of a request."""

    def of(*requests, version=Version.V16_1):
        answer = ask(meetingresponse.handle, open_session(version), tree(Tag.MeetingResponse, *requests))
        assert {"Result"} == set(names(answer))
        return answer.children

    return of


@pytest.fixture
def meeting(add_appointment):
    """Bert's appointment with Anna."""
    return add_appointment(START, END, participants=("anna", "bert"), creator="bert", subject="Besichtigung")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("answer", [ACCEPT, TENTATIVE])
def test_who_accepts_keeps_the_appointment_r831(office, answered, meeting, version, answer):
    """R831, R5678, R5707, R5708, R843, R830, R5374: with its id; the CRM's record stays what it is."""
    (result,) = answered(response(answer, meeting.id), version=version)
    assert ["RequestId", "Status", "CalendarId"] == names(result)
    assert (meeting.id, "1", meeting.id) == (text(result, Tag.RequestId), text(result, Tag.Status), text(result, Tag.CalendarId))
    assert meeting == office.records.get("t", meeting.id)


def test_who_declines_takes_part_no_more_r837(office, answered, meeting):
    """R837, R5072, R5709: without CalendarId; the others keep it (rule 54's delete, U24)."""
    (result,) = answered(response(DECLINE, meeting.id))
    assert (["RequestId", "Status"], "1") == (names(result), text(result, Tag.Status))
    assert ("bert",) == office.records.get("t", meeting.id).value.participants


def test_no_e_mail_goes_out_r7113(office, answered, meeting):
    """R7113-R7115, rule 75: SendResponse is taken and ignored."""
    (result,) = answered(response(ACCEPT, meeting.id, tree(Tag.SendResponse)))
    assert "1" == text(result, Tag.Status)


def test_a_declined_appointment_of_a_group_is_refused(office, answered, add_appointment):
    """R4182: who takes part through a group cannot leave it from a phone."""
    with office.store.writing() as tx:
        user = tx.user(ANNA)
        tx.save_user(type(user)(identity=ANNA, password=user.password, groups=("sales",)))
    record = add_appointment(START, END, participants=(), groups=("sales",), creator="bert")
    assert ["2", "1"] == [text(one, Tag.Status) for one in answered(response(DECLINE, record.id), response(ACCEPT, record.id))]


def test_ones_own_appointment_is_2_r4184(office, answered, add_appointment):
    """R4184: the user is the organizer."""
    own = add_appointment(START, END, participants=("anna", "bert"), creator="anna")
    (result,) = answered(response(DECLINE, own.id))
    assert (["RequestId", "Status"], "2") == (names(result), text(result, Tag.Status))
    assert own == office.records.get("t", own.id)


def test_what_is_no_appointment_of_the_user_is_2_r4183(answered, add_appointment, add_contact, meeting):
    """R4182, R4183: unknown, somebody else's, a contact, a message, another folder, an answer that is none."""
    others = add_appointment(START, END, participants=("bert",), creator="bert")
    wrong = [
        response(ACCEPT, "unknown"),
        response(ACCEPT, others.id),
        response(ACCEPT, add_contact("Max", "Muster").id),
        response(ACCEPT, meeting.id, collection="inbox"),
        response(ACCEPT, meeting.id, collection="contacts"),
        response("4", meeting.id),
        response(ACCEPT, meeting.id, tree(Search.LongId, "x")),
    ]
    assert ["2"] * len(wrong) == [text(one, Tag.Status) for one in answered(*wrong)]


def test_a_closed_gate_is_2(office, answered, meeting):
    """Rule 1: nothing is changed."""
    office.settings.set_gate(ANNA, Gate.SWITCH, Kind.APPOINTMENTS, False, "test")
    assert "2" == text(answered(response(DECLINE, meeting.id))[0], Tag.Status)
    assert meeting == office.records.get("t", meeting.id)


def test_what_lies_out_of_reach_cannot_be_declined(office, answered, add_appointment):
    """Rule 54: of an appointment outside of the period that the device sees."""
    old = add_appointment(START.replace(year=2025), END.replace(year=2025), participants=("anna", "bert"), creator="bert")
    assert "2" == text(answered(response(DECLINE, old.id))[0], Tag.Status)
    assert old == office.records.get("t", old.id)


def test_several_are_answered_in_order(office, answered, meeting, add_appointment):
    """R3842: one Result per Request; an appointment that nobody is left in is deleted (U24)."""
    alone = add_appointment(START, END, creator="bert")
    results = answered(response(DECLINE, alone.id), response(ACCEPT, meeting.id))
    assert [(alone.id, "1"), (meeting.id, "1")] == [(text(one, Tag.RequestId), text(one, Tag.Status)) for one in results]
    with pytest.raises(NotFound):
        office.records.get("t", alone.id)


# ------------------------------------------------------------- occurrences


@pytest.fixture
def weekly(add_appointment):
    """Bert's series on Mondays."""
    return add_appointment(START, END, participants=("anna", "bert"), creator="bert", recurrence=Recurrence(frequency=Frequency.WEEK))


@pytest.mark.parametrize(
    ("answer", "instance", "status"),
    [
        (ACCEPT, "2026-03-23T08:00:00.000Z", "1"),
        (TENTATIVE, "20260323T080000Z", "1"),
        (DECLINE, "2026-03-23T08:00:00.000Z", "2"),  # nobody can decline one day of everybody's series
        (ACCEPT, "2026-03-24T08:00:00.000Z", "2"),  # R4186: no such day
        (ACCEPT, "Monday", "104"),  # R3195
        (ACCEPT, "", "104"),
    ],
)
def test_one_day_of_a_series(office, answered, weekly, answer, instance, status):
    """R3191, R3195, R4186."""
    (result,) = answered(response(answer, weekly.id, tree(Tag.InstanceId, instance)))
    assert status == text(result, Tag.Status)
    assert weekly == office.records.get("t", weekly.id)


def test_a_day_of_what_does_not_recur_is_146_r3196(answered, meeting):
    """R3196."""
    (result,) = answered(response(ACCEPT, meeting.id, tree(Tag.InstanceId, "2026-03-16T08:00:00.000Z")))
    assert "146" == text(result, Tag.Status)


# ------------------------------------------------------------- the request

BAD = [None, tree(Tag.MeetingResponse), tree(Tag.MeetingResponse, *[response(ACCEPT, "x")] * 101)]


@pytest.mark.parametrize("body", BAD)
@pytest.mark.parametrize("version", BODY_VERSIONS)
def test_a_malformed_request_is_103_r5650(ask, open_session, body, version):
    """R5650: also more than 100 at once; the root has no Status, a Result has (R1889)."""
    answer = ask(meetingresponse.handle, open_session(version), body)
    assert "103" == text(answer, Tag.Result, Tag.Status)


def test_in_12_1_it_is_400(ask, open_session):
    """R7461."""
    assert 400 == ask(meetingresponse.handle, open_session(Version.V12_1), None).status
