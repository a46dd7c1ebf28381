"""MeetingResponse ([MS-ASCMD] 2.2.1.11): the user's own part in an appointment of the calendar.

There is no inbox with requests; but clients let their users answer from the calendar. Who accepts, for certain or not, keeps what is there
already: onOffice's participants take part. Who declines takes part no more. Nobody is written to (rule 75).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from activesync_bridge import sync_state
from activesync_bridge.session import Answer, Session
from activesync_bridge.status import Common, MeetingResponseStatus, answer_for, refusal
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import MeetingResponse as Tag
from activesync_bridge.wbxml.codepages import Search
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core import recurrence
from radicale_onoffice.core.errors import GateClosed, NotFound, OfficeError, Unavailable
from radicale_onoffice.core.feeds import DEFAULT
from radicale_onoffice.core.folders import offered_kinds, reasons
from radicale_onoffice.core.model import Appointment, Kind

MOST = 100  # requests at once (R5650)
ACCEPTED, TENTATIVE, DECLINED = "1", "2", "3"  # UserResponse


@dataclass(frozen=True, slots=True)
class Response:
    """One answer of the user."""

    answer: str
    collection: str
    item: str
    long_id: str
    instance: str | None  # one occurrence, as the client words its start; None = all


def handle(session: Session, body: Element | None) -> Answer:
    """Answer a MeetingResponse."""
    responses = parse(body)
    if responses is None:
        return refusal("MeetingResponse", session.version, Common.INVALID_XML)
    return Element(Tag.MeetingResponse, tuple(_result(one, _status(session, one)) for one in responses))


def parse(body: Element | None) -> Sequence[Response] | None:
    """The user's answers; None if the request is malformed or has too many."""
    if body is None or body.tag != Tag.MeetingResponse:
        return None
    responses = [
        Response(
            one.text_of(Tag.UserResponse),
            one.text_of(Tag.CollectionId),
            one.text_of(Tag.RequestId),
            one.text_of(Search.LongId),
            found.text if (found := one.first(Tag.InstanceId)) is not None else None,
        )
        for one in body.all(Tag.Request)
    ]
    return responses if 0 < len(responses) <= MOST else None


# --------------------------------------------------------------------- act


def _status(session: Session, one: Response) -> int:
    if one.answer not in (ACCEPTED, TENTATIVE, DECLINED) or one.collection != Kind.APPOINTMENTS or one.long_id or not one.item:
        return MeetingResponseStatus.INVALID_REQUEST
    try:
        return _act(session, one)
    except Unavailable:
        raise  # for the whole request: nothing else would be answered either
    except OfficeError as error:
        return answer_for(error).meeting


def _act(session: Session, one: Response) -> int:
    value = _appointment(session, one.item)
    if value.creator == session.identity.user:  # R4184
        return MeetingResponseStatus.INVALID_REQUEST
    if one.instance is not None:
        return _of_one_day(session, value, one)
    if one.answer == DECLINED:
        session.office.records.delete(session.actor, Kind.APPOINTMENTS, one.item, reach=_scope(session))
    return MeetingResponseStatus.SUCCESS


def _of_one_day(session: Session, value: Appointment, one: Response) -> int:
    """R3195, R3196, R4186. The days of a series are everybody's: nobody can decline a single one."""
    moment = _moment(one.instance or "")
    if moment is None:
        # Before 14.0 there are no common statuses, and no InstanceId either.
        return Common.INVALID_DATE_TIME if session.version >= Version.V14_0 else MeetingResponseStatus.INVALID_REQUEST
    if value.recurrence is None:
        return Common.NO_RECURRENCE_IN_CALENDAR if session.version >= Version.V14_0 else MeetingResponseStatus.INVALID_REQUEST
    at = int(moment.timestamp())
    exists = any(start == at for start, _ in recurrence.occurrences(value, session.who.zone, at, at + 1))
    return MeetingResponseStatus.SUCCESS if exists and one.answer != DECLINED else MeetingResponseStatus.INVALID_REQUEST


def _appointment(session: Session, record_id: str) -> Appointment:
    """What the user may see under this id; raises GateClosed, NotFound."""
    if Kind.APPOINTMENTS not in offered_kinds(session.who):
        raise GateClosed(Kind.APPOINTMENTS, reasons(session.who, Kind.APPOINTMENTS))
    records = session.office.records
    value = (
        records.get(session.identity.tenant, record_id).value if records.offers(session.identity, Kind.APPOINTMENTS, [record_id]) else None
    )
    if not isinstance(value, Appointment):
        raise NotFound(f"There is no appointment {record_id!r} of this user.")
    return value


def _scope(session: Session) -> str:
    """The period that the device sees, so that it answers only what it can see (rule 54)."""
    with session.office.store.reading() as tx:
        stored = tx.sync_state(session.identity, session.device.id, Kind.APPOINTMENTS.value)
    state = sync_state.load(stored[0]) if stored else None
    return state.current.scope if state is not None else DEFAULT


def _moment(text: str) -> datetime | None:
    """An InstanceId, in either form of [MS-ASDTYPE] 2.3, which is UTC; None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


# ------------------------------------------------------------------- build


def _result(one: Response, status: int) -> Element:
    """R5374: the RequestId if there was one; R830, R837: the item's id unless it was declined."""
    parts = [Element(Tag.RequestId, one.item)] if one.item else []
    parts.append(Element(Tag.Status, str(int(status))))
    if status == MeetingResponseStatus.SUCCESS and one.answer != DECLINED:
        parts.append(Element(Tag.CalendarId, one.item))
    return Element(Tag.Result, tuple(parts))
