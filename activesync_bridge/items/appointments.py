"""Appointments: [MS-ASCAL] elements and VEVENTs (RFC 5545 3.6.1).

Up to 14.1 an item comes whole, with its changed occurrences in Exceptions; in 16.x only what changed comes (R2231), and occurrences come
one by one with an InstanceId (R2113). A changed occurrence becomes an override, of which the core makes an appointment of its own
(rule 72), so that all that is sent of exceptions is the days that are left out.

Nobody gets an e-mail from an appointment (rules 75, 76): MeetingStatus is always 0, Attendees and Organizer are never sent. With
attendees and MeetingStatus 1 a phone thinks itself the organizer and mails each change to everybody; with 3 it locks the appointment
(iOS). Attendees that a phone sends are kept as lines which mean nothing to any client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Final

from activesync_bridge.items import Flavour, Ghosting, patching, recurrence, series, spans
from activesync_bridge.items.body import body_row
from activesync_bridge.items.patching import (
    Context,
    Elements,
    Row,
    Table,
    compact,
    put,
    text_element,
    text_row,
    text_sent,
    with_text,
)
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSyncBase, Calendar
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core.errors import BadRequest, NotFound
from radicale_onoffice.formats import appointments, calendars, times
from radicale_onoffice.formats.leftovers import line
from radicale_onoffice.formats.lines import Component, Line, escape, quote_param, text_of
from radicale_onoffice.formats.lines import dump as dump_lines

UNMAPPED: Final = appointments.UNMAPPED  # for the same reasons as in iCalendar
ATTENDEE = "X-EAS-ATTENDEE"
MAX_UID = 300  # R463
MAX_REMINDER = 525600  # minutes; the core takes none beyond three weeks (U27)

# ------------------------------------------------------------------- the table


def _read_location(component: Component, _: Context) -> Elements:
    name, place = text_of(component.first("LOCATION")), component.first("GEO")
    latitude, _sign, longitude = place.value.partition(";") if place else ("", "", "")
    children = (
        *text_element(AirSyncBase.DisplayName, name),
        *text_element(AirSyncBase.Latitude, latitude.strip()),
        *text_element(AirSyncBase.Longitude, longitude.strip()),
    )
    return (Element(AirSyncBase.Location, children),) if children else ()


def _sent_location(elements: Elements) -> tuple[str, str]:
    """The place's name, and its position as GEO says it."""
    if not elements:
        return "", ""
    told = {child.tag: child.text.strip() for child in elements[0].children}
    address = (AirSyncBase.Street, AirSyncBase.PostalCode, AirSyncBase.City)
    name = told.get(AirSyncBase.DisplayName, "") or " ".join(word for tag in address if (word := told.get(tag, "")))
    position = (told.get(AirSyncBase.Latitude, ""), told.get(AirSyncBase.Longitude, ""))
    return name, ";".join(position) if all(position) else ""


def _is_same_place(sent: tuple[str, str], had: tuple[str, str]) -> bool:
    """A client that names the place that it was told, without a position, has moved nothing."""
    return sent[0] == had[0] and sent[1] in ("", had[1])


def _write_location(component: Component, elements: Elements, _: Context) -> None:
    name, position = _sent_location(elements) if elements and elements[0].children else (text_sent(elements), "")
    old = component.first("LOCATION")
    if name != text_of(old):
        put(component, [old] if old else [], [with_text(old, "LOCATION", escape(name))] if name else [])
    # A position, and Apple's copy of it, speak of the place that was.
    put(component, component.lines("GEO", "X-APPLE-STRUCTURED-LOCATION"), [line("GEO", position)] if position else [])


def _read_reminder(component: Component, _: Context) -> Elements:
    minutes = times.trigger_minutes(times.main_alarm(component))
    return () if minutes is None else (Element(Calendar.Reminder, str(minutes)),)


def _write_reminder(component: Component, elements: Elements, _: Context) -> None:
    old, text = times.main_alarm(component), text_sent(elements)
    if not text:
        put(component, [old] if old else [], [])
        return
    if not text.isdecimal():
        raise BadRequest(f"Reminder must be minutes, not {text[:20]!r}.")
    trigger = line("TRIGGER", times.minutes_duration(min(int(text[:10]), MAX_REMINDER)))
    if old is None:
        put(component, [], [times.alarm(trigger)])
    else:
        put(component, [old], [Component("VALARM", [trigger if part.name == "TRIGGER" else part for part in old.parts])])


BUSY = {"TENTATIVE": "1", "BUSY": "2", "OOF": "3", "WORKINGELSEWHERE": "4"}
CDO = "X-MICROSOFT-CDO-BUSYSTATUS"


def _read_busy(component: Component, context: Context) -> Elements:
    """Free is what onOffice calls "participants available" (rule 58); a cancelled appointment takes nobody's time."""
    status = text_of(component.first("STATUS")).upper()
    if text_of(component.first("TRANSP")).upper() == "TRANSPARENT" or status == "CANCELLED":
        return (Element(Calendar.BusyStatus, "0"),)
    word = BUSY.get(text_of(component.first(CDO)).upper(), "1" if status == "TENTATIVE" else "2")
    return (Element(Calendar.BusyStatus, "2" if word == "4" and context.flavour.version < Version.V16_0 else word),)


def _write_busy(component: Component, elements: Elements, context: Context) -> None:
    wanted = text_sent(elements) or "2"
    if wanted not in ("0", "1", "2", "3", "4", "-1"):
        raise BadRequest(f"BusyStatus must be from 0 to 4, not {wanted[:20]!r}.")
    transparency, finer, status = component.first("TRANSP"), component.first(CDO), component.first("STATUS")
    word = "TRANSPARENT" if wanted == "0" else "OPAQUE"
    if wanted == "0" or text_of(transparency).upper() == "TRANSPARENT":
        put(component, [transparency] if transparency else [], [line("TRANSP", word)])
    name = next((name for name, number in BUSY.items() if number == wanted and number != "2"), "")
    put(component, [finer] if finer else [], [line(CDO, name)] if name else [])
    if status is not None and text_of(status).upper() == "TENTATIVE" and wanted != "1":
        put(component, [status], [line("STATUS", "CONFIRMED")])


def _same_choice(default: str, sent: Elements, had: Elements, _: Context) -> bool:
    """True if the same of several is chosen; leaving it out, where that deletes, chooses the default."""
    return (text_sent(sent) or default) == (text_sent(had) or default)


PERSONAL = "X-EAS-SENSITIVITY"  # parameter of CLASS: personal and private are one in iCalendar
CLASSES = {"PRIVATE": "2", "CONFIDENTIAL": "3"}


def _read_sensitivity(component: Component, _: Context) -> Elements:
    found = component.first("CLASS")
    is_personal = found is not None and "1" in found.param(PERSONAL)
    return (Element(Calendar.Sensitivity, "1" if is_personal else CLASSES.get(text_of(found).upper(), "0")),)


def _write_sensitivity(component: Component, elements: Elements, _: Context) -> None:
    wanted, old = text_sent(elements) or "0", component.first("CLASS")
    if wanted not in ("0", "1", "2", "3"):
        raise BadRequest(f"Sensitivity must be from 0 to 3, not {wanted[:20]!r}.")
    new = {
        "0": [],
        "1": [line("CLASS", "PRIVATE", **{PERSONAL: "1"})],
        "2": [line("CLASS", "PRIVATE")],
        "3": [line("CLASS", "CONFIDENTIAL")],
    }
    put(component, [old] if old else [], new[wanted])


def _categories_row() -> Row:
    """Categories, the first of which is the appointment's type: it stays the first as long as the client keeps it."""
    row = patching.categories_row(Calendar.Categories, Calendar.Category)

    def write(component: Component, elements: Elements, context: Context) -> None:
        sent = [word for one in elements for word in one.all(Calendar.Category) if word.text.strip()]
        known = {word: number for number, word in enumerate(patching.words(component))}
        ordered = sorted(sent, key=lambda word: known.get(word.text.strip(), len(known)))
        row.write(component, (Element(Calendar.Categories, tuple(ordered)),) if ordered else (), context)

    return Row(tags=row.tags, names=row.names, fields=("type",), keeps=True, read=row.read, write=write, same=row.same)


def _note_row() -> Row:
    """Body, with which a second wording of the note for other programs ends, too."""
    row = body_row("DESCRIPTION", ("note",))

    def write(component: Component, elements: Elements, context: Context) -> None:
        before = text_of(component.first("DESCRIPTION"))
        row.write(component, elements, context)
        found = component.first("DESCRIPTION")
        if text_of(found) == before:
            return
        put(component, component.lines("X-ALT-DESC"), [])
        if found is not None and found.param("ALTREP"):
            put(component, [found], [line("DESCRIPTION", found.value)])

    return Row(tags=row.tags, names=row.names, fields=row.fields, keeps=True, read=row.read, write=write, same=row.same)


def _ours(tag: int, read: Callable[[Component, Context], Elements], since: Version = Version.V12_1) -> Row:
    """A row of something that only we say."""
    return Row(tags=(tag,), since=since, keeps=True, read=read, write=lambda *_: None, same=lambda *_: True)


def _read_uid(component: Component, context: Context) -> Elements:
    return text_element(Calendar.UID, (context.uid or text_of(component.first("UID")))[:MAX_UID])


def _read_stamp(component: Component, context: Context) -> Elements:
    found = component.first("DTSTAMP")
    try:
        return (Element(Calendar.DtStamp, compact(times.moment(found, context.dav))),) if found else ()
    except BadRequest:
        return ()  # a client's own mistake, in a line that nobody reads


HEAD: Final[Table] = (
    spans.SPAN_ROW,
    _ours(Calendar.DtStamp, _read_stamp),
    text_row(Calendar.Subject, "SUMMARY", fields=("subject",)),
    _ours(Calendar.UID, _read_uid),
)
PLACE_14 = replace(text_row(Calendar.Location, "LOCATION", fields=("location", "location_link")), write=_write_location)
PLACE_16 = Row(
    tags=(AirSyncBase.Location,),
    names=frozenset({"LOCATION", "GEO"}),
    fields=PLACE_14.fields,
    read=_read_location,
    write=_write_location,
    same=lambda sent, had, _: _is_same_place(_sent_location(sent), _sent_location(had)),
)
REST: Final[Table] = (
    Row(tags=(Calendar.Reminder,), names=frozenset({"VALARM"}), fields=("reminder",), read=_read_reminder, write=_write_reminder),
    Row(tags=(Calendar.BusyStatus,), fields=("status",), read=_read_busy, write=_write_busy, same=lambda *both: _same_choice("2", *both)),
    Row(
        tags=(Calendar.Sensitivity,),
        fields=("private",),
        read=_read_sensitivity,
        write=_write_sensitivity,
        same=lambda *both: _same_choice("0", *both),
    ),
    _ours(Calendar.MeetingStatus, lambda *_: (Element(Calendar.MeetingStatus, "0"),)),
    _categories_row(),
)
TAIL: Final[Table] = (
    _ours(Calendar.DisallowNewTimeProposal, lambda *_: (Element(Calendar.DisallowNewTimeProposal, "0"),), Version.V14_0),  # R215
    _note_row(),
)
FIELDS: Final[Table] = (*HEAD, PLACE_14, *REST, *series.ROWS, *TAIL)
FIELDS_16: Final[Table] = (*HEAD, *REST, *series.ROWS, *TAIL, PLACE_16)
OVERRIDE_14: Final[Table] = (*HEAD, PLACE_14, *REST, *TAIL)
OVERRIDE_16: Final[Table] = (*HEAD, *REST, *TAIL, PLACE_16)

# --------------------------------------------------------------------- reading


def dump(text: str, uid: str, flavour: Flavour) -> tuple[Element, ...]:
    """The children of ApplicationData for a stored event. Raises BadRequest for one beyond the calendar."""
    calendar = calendars.calendar_of(text, "VEVENT")
    context = Context(flavour=flavour, calendar=calendar, uid=uid)
    component = calendars.main(calendar, "VEVENT")
    try:
        spans.remember(component, context)
        return patching.dump(FIELDS_16 if spans.is_literal(context) else FIELDS, component, context)
    except OverflowError:
        raise BadRequest("The appointment lies beyond the calendar.") from None


def wanted_uid(data: Element, flavour: Flavour) -> str:
    """The UID under which a new item is to be stored, so that one that comes twice is found: the client's UID, in 16.x its ClientUid.

    "" if the client names none. iOS ends its ClientUid with a NUL.
    """
    tag = Calendar.ClientUid if flavour.version >= Version.V16_0 else Calendar.UID
    return data.text_of(tag).strip("\0 \t\r\n")[:MAX_UID]


# --------------------------------------------------------------------- writing


def patch(text: str | None, data: Element, flavour: Flavour, ghosting: Ghosting, *, uid: str = "", now: datetime | None = None) -> str:
    """The event that a client wants, given the one that it had (None: a new one); the same text if it changed nothing.

    ``now`` fills in the times of a new event that has none (3.2.4.4); without it such an event is refused. Raises BadRequest.
    """
    is_16 = flavour.version >= Version.V16_0
    calendar, component = _opened(text, data, flavour, uid)
    data = spans.completed(data, now) if text is None else _checked(data, is_16)
    context = Context(flavour=flavour, ghosting=_ghosting(ghosting, is_16), calendar=calendar, uid=uid)
    data = _with_removals(data, context)
    series.plan(component, data, context)
    table, overrides = (FIELDS_16, OVERRIDE_16) if is_16 else (FIELDS, OVERRIDE_14)
    changed = patching.patch(table, component, data, context)
    series.follow(component, context)
    changed |= _keep(component, ATTENDEE, _attendees(data))
    sent = data.first(Calendar.Exceptions)
    for exception in sent.all(Calendar.Exception) if sent else ():
        changed |= series.apply(calendar, component, exception, overrides, context)
    if text is not None and not changed:
        return text
    _restamp(component, data)
    if spans.has_moved(context):
        times.ensure_definitions(calendar)
    return dump_lines([calendar])


def holds(sent: Element, text: str, flavour: Flavour, ghosting: Ghosting) -> bool:
    """True if the client's item says what we would send of the stored text, so that no echo is needed.

    A changed occurrence never does: it is an appointment of its own now, and left out of its series (rule 72).
    """
    exceptions = sent.first(Calendar.Exceptions)
    if exceptions and any(not series.is_deleted(one) for one in exceptions.all(Calendar.Exception)):
        return False
    return patch(text, sent, flavour, ghosting) == text


def patch_instance(text: str, instance: str, data: Element, flavour: Flavour) -> str:
    """The series with one occurrence changed (R2113): an override is added. Raises BadRequest, NotFound for a day without an occurrence."""
    calendar, component, context, day = _instance(text, instance, flavour)
    if day in series.left_out(component, context):
        raise NotFound("This occurrence was taken out of its series.")
    return dump_lines([calendar]) if series.override(calendar, component, day, data, OVERRIDE_16, context) else text


def delete_instance(text: str, instance: str, flavour: Flavour) -> str:
    """The series without one occurrence; the same text if it is left out already. Raises BadRequest, NotFound."""
    calendar, component, context, day = _instance(text, instance, flavour)
    return dump_lines([calendar]) if series.leave_out(component, day, context) else text


def _instance(text: str, instance: str, flavour: Flavour) -> tuple[Component, Component, Context, date]:
    calendar = calendars.calendar_of(text, "VEVENT")
    component = calendars.main(calendar, "VEVENT")
    context = Context(flavour=flavour, ghosting=Ghosting(frozenset()), calendar=calendar)
    span = spans.span_of(component, context)
    if span is None or not spans.recurs(component):
        raise BadRequest("The appointment does not recur.")
    day = series.told_day(spans.told_moment(instance), span[0], context)
    pattern = series.pattern_of(component, span[0])
    if pattern is not None and not recurrence.may_occur(pattern, span[0], day):
        raise NotFound(f"The series has no occurrence on {day.isoformat()}.")
    return calendar, component, context, day


def _opened(text: str | None, data: Element, flavour: Flavour, uid: str) -> tuple[Component, Component]:
    if text is not None:
        calendar = calendars.calendar_of(text, "VEVENT")
        return calendar, calendars.main(calendar, "VEVENT")
    uid = uid or wanted_uid(data, flavour)
    component = Component("VEVENT", [line("UID", escape(uid))] if uid else [])
    client_uid = data.text_of(Calendar.ClientUid).strip("\0 \t\r\n")[:MAX_UID]
    component.parts += [line(series.CLIENT_UID, escape(client_uid))] if client_uid else []
    return Component("VCALENDAR", [line("VERSION", "2.0"), line("PRODID", "-//radicale-onoffice//EN"), component]), component


def _checked(data: Element, is_16: bool) -> Element:
    """A change's data; in 16.x a StartTime that is left out is the one that was (R2231), before that it is a mistake (R53915)."""
    if not is_16 and data.text_of(Calendar.EndTime).strip() and not data.text_of(Calendar.StartTime).strip():
        raise BadRequest("The event has an EndTime and no StartTime.")
    return data


def _ghosting(ghosting: Ghosting, is_16: bool) -> Ghosting:
    """In 16.x every element is ghosted (R2231); before that Location never is (R301)."""
    if is_16:
        return Ghosting(frozenset())
    return ghosting if ghosting.managed is None else Ghosting(ghosting.managed | {Calendar.Location})


def _with_removals(data: Element, context: Context) -> Element:
    """Leaving Categories out removes them only for a client that says it knows them: they hold the type, which is the CRM's (rule 65)."""
    managed = context.ghosting.managed
    if data.first(Calendar.Categories) is None and managed is not None and Calendar.Categories in managed:
        return Element(data.tag, (*data.children, Element(Calendar.Categories)))
    return data


def _attendees(data: Element) -> list[Line] | None:
    """Attendees as lines that no client understands, and so invites nobody by; None if the client says nothing of them."""
    sent = data.first(Calendar.Attendees)
    if sent is None:
        return None
    return [
        line(
            ATTENDEE,
            escape(one.text_of(Calendar.Email).strip()),
            **{
                "CN": quote_param(one.text_of(Calendar.Name).strip()),
                "X-TYPE": quote_param(one.text_of(Calendar.AttendeeType, "1").strip()),
            },
        )
        for one in sent.all(Calendar.Attendee)
    ]


def _keep(component: Component, name: str, wanted: Iterable[Line] | None) -> bool:
    """Make the lines of a name these; True if that changed any."""
    old = component.lines(name)
    new = old if wanted is None else list(wanted)
    if [one.raw for one in old] == [one.raw for one in new]:
        return False
    put(component, old, new)
    return True


def _restamp(component: Component, data: Element) -> None:
    """A changed event carries the DtStamp of its change, if the client tells one (≤ 14.1)."""
    told = data.text_of(Calendar.DtStamp).strip()
    if told:
        old = component.first("DTSTAMP")
        put(component, [old] if old else [], [line("DTSTAMP", compact(spans.told_moment(told).astimezone(UTC)))])
