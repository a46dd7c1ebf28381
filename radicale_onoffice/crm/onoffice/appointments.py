"""Appointments: the field table over the calendar calls, the series with its traps, and the links that no device may drop.

Read is the older ``calendar`` call: it alone has a change filter, exception dates, linked records and wall times. What a place is linked to
only the newer ``appointmentList`` tells; where its ``location`` is among the elements, it is taken. Times are written as wall time of the
account's zone. A series is always written whole, its start included: without that onOffice anchors it at 0000-00-00 (rule 73); one without
end gets an end far away, because open-ended ones are not drawn there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from radicale_onoffice.core.appointments import DAY, HOUR, REMINDERS, WEEK, snap_reminder
from radicale_onoffice.core.model import Appointment, AppointmentStatus, Frequency, Kind, Recurrence
from radicale_onoffice.crm.onoffice.account import Account
from radicale_onoffice.crm.onoffice.fields import (
    Elements,
    Fields,
    Parameters,
    Row,
    Unreadable,
    as_number,
    clock_of,
    day_of,
    ids_of,
    is_plain,
    minutes_of,
    moment_of,
    parameters,
    text,
    text_of,
    time_of,
    truth,
    value_of,
    wall,
)
from radicale_onoffice.crm.onoffice.protocol import Action, Verb, identifier
from radicale_onoffice.crm.onoffice.protocol import Row as Record

KIND = Kind.APPOINTMENTS
RESOURCE = "calendar"
STAMP = "modified"  # UTC
OPEN_END = date(2099, 12, 31)  # the last day of a series without end
MAX_INTERVAL = 999
LAST_SECOND = time(23, 59, 59)
SIBLINGS = frozenset(  # parameters that stand beside ``data``
    {"relatedAddressIds", "replaceAddressIds", "relatedEstateId", "location", "subscribers", "reminderTypes"}
)
STATUSES = {
    AppointmentStatus.ACTIVE: "active",
    AppointmentStatus.COMPLETED: "completed",
    AppointmentStatus.CANCELLED: "canceled",
    AppointmentStatus.AVAILABLE: "participantsAvailable",
}
NOWHERE: Mapping[str, Any] = {"keine Angaben": ""}
UNITS = ((WEEK, "weeks"), (DAY, "days"), (HOUR, "hours"))
READ_REMINDER = re.compile(r"^\s*(\d{1,5})\s*(minute|hour|day|week|Minute|Stunde|Tag|Woche)", re.ASCII)
MINUTES = {"minute": 1, "hour": HOUR, "day": DAY, "week": WEEK, "Minute": 1, "Stunde": HOUR, "Tag": DAY, "Woche": WEEK}
SERIES_KEYS = ("rp_flag", "rp_type", "rp_tage", "rp_beginn_datum", "rp_ende_datum", "rp_ende_status", "rp_exception")


# ---------------------------------------------------------------------- when


def _load_when(elements: Elements, account: Account) -> Fields:
    start, end = moment_of(elements.get("start_dt"), account.zone), moment_of(elements.get("end_dt"), account.zone)
    if start is None:
        raise Unreadable(f"the appointment starts at {elements.get('start_dt')!r}")
    end = max(start, end) if end is not None else start
    recurrence = _recurrence(elements) if truth(elements.get("rp_flag")) else None
    first = day_of(elements.get("rp_beginn_datum")) if recurrence else None
    if first is not None and first != start.date():
        # A window may show an occurrence; the series is anchored at its first day.
        length = end.replace(tzinfo=None) - start.replace(tzinfo=None)
        start = datetime.combine(first, start.time(), account.zone)
        end = (start.replace(tzinfo=None) + length).replace(tzinfo=account.zone)
    if truth(elements.get("ganztags")):
        return {"start": start.date(), "end": end.date(), "recurrence": recurrence}
    return {"start": start, "end": end, "recurrence": recurrence}


def _recurrence(elements: Elements) -> Recurrence | None:
    try:
        frequency = Frequency(text_of(elements.get("rp_type")))
    except ValueError:
        return None  # the pages' "individual" pattern, which the API does not describe
    interval = text_of(elements.get("rp_tage"))
    until = day_of(elements.get("rp_ende_datum")) if text_of(elements.get("rp_ende_status")) != "2" else None
    return Recurrence(
        frequency=frequency,
        interval=min(MAX_INTERVAL, max(1, int(interval))) if interval.isascii() and interval.isdigit() and len(interval) < 6 else 1,
        until=until if until != OPEN_END else None,
        exceptions=_exceptions(elements.get("rp_exception")),
    )


def _exceptions(raw: Any) -> tuple[date, ...]:
    """Read is a list, written is ``#2026-04-03#2026-04-10``; both are understood."""
    words = raw.split("#") if isinstance(raw, str) else list(raw.values()) if isinstance(raw, Mapping) else raw or ()
    return tuple(sorted({day for day in map(day_of, words) if day is not None}))


def _dump_times(value: Appointment, account: Account) -> Parameters:
    if isinstance(value.start, datetime) and isinstance(value.end, datetime):
        return {"start_dt": wall(value.start, account.zone), "end_dt": wall(value.end, account.zone), "ganztags": False}
    return {"start_dt": f"{_day(value.start)} 00:00:00", "end_dt": f"{_day(value.end)} {LAST_SECOND}", "ganztags": True}


def _dump_series(value: Appointment, account: Account) -> Parameters:
    if value.recurrence is None:
        return {"rp_flag": False}
    times = _dump_times(value, account)
    return times | {
        "rp_flag": True,
        "rp_type": value.recurrence.frequency.value,
        "rp_tage": value.recurrence.interval,
        "rp_beginn_datum": times["start_dt"][:10],
        "rp_ende_datum": (value.recurrence.until or OPEN_END).isoformat(),
        "rp_ende_status": 1,
        "rp_exception": "".join(f"#{day.isoformat()}" for day in value.recurrence.exceptions),
    }


def _day(moment: datetime | date) -> str:
    return (moment.date() if isinstance(moment, datetime) else moment).isoformat()


# ---------------------------------------------------------------- with whom


def _load_people(elements: Elements, account: Account) -> Fields:
    """Who was added by name, and which groups; ``user_ids`` would name the groups' members, too."""
    users, groups = elements.get("users") or [], elements.get("groups") or []
    names = {_login(user, account) for user in (users.values() if isinstance(users, Mapping) else users)}
    return {"participants": tuple(sorted(names - {""})), "groups": tuple(sorted(account.group_name(one) for one in ids_of(groups)))}


def _login(user: Any, account: Account) -> str:
    if isinstance(user, Mapping):
        name = text_of(user.get("username") or user.get("userName")).strip()
        return name or (account.login(identifier(user.get("id"))) if user.get("id") else "")
    return account.login(identifier(user)) if identifier(user) else ""


def _dump_people(value: Appointment, account: Account) -> Parameters:
    """Ids, sorted; a name without id stays a name here, and is refused before it is sent."""
    users = [account.user_id(name) or name for name in value.participants]
    groups = [account.group_id(name) or name for name in value.groups]
    return {"subscribers": {"users": users, "groups": groups}}


# --------------------------------------------------------- where, what, when told


def _load_status(elements: Elements, _account: Account) -> Fields:
    """``status`` wins over the older ``abgesagt`` (rule 59)."""
    told = text_of(elements.get("status"))
    found = next((status for status, word in STATUSES.items() if word == told), None)
    cancelled = AppointmentStatus.CANCELLED if truth(elements.get("abgesagt")) else AppointmentStatus.ACTIVE
    return {"status": found or cancelled}


def _load_type(elements: Elements, account: Account) -> Fields:
    """A map of one key to its label; people see the label."""
    art = elements["art"]
    return {"type": text_of(art) if isinstance(art, Mapping) else account.appointment_types.get(text_of(art), text_of(art))}


def _dump_type(value: Appointment, account: Account) -> Parameters:
    """The key of the type; a word that is no type (a category that a device made up) changes nothing."""
    key = next((key for key, label in account.appointment_types.items() if value.type in (label, key)), "")
    return {"art": key} if key else {}


def _load_reminder(elements: Elements, _account: Account) -> Fields:
    match = READ_REMINDER.match(text_of(elements["erinnerung"]))
    return {"reminder": snap_reminder(int(match[1]) * MINUTES[match[2]]) if match else None}


def written_reminder(minutes: int | None) -> str:
    """A reminder as onOffice writes it: "15 minutes", "1 hours"; "" for none (rule 60)."""
    if minutes is None:
        return ""
    if minutes == 0:
        return "0 minutes"
    return next((f"{minutes // unit} {word}" for unit, word in UNITS if minutes % unit == 0), f"{minutes} minutes")


def _load_travel(elements: Elements, _account: Account) -> Fields:
    return {"travel_before": minutes_of(elements.get("transitTimePre")), "travel_after": minutes_of(elements.get("transitTimePost"))}


def _dump_travel(value: Appointment, _account: Account) -> Parameters:
    return {
        "allowTransitTime": bool(value.travel_before or value.travel_after),
        "transitTimePre": clock_of(value.travel_before),
        "transitTimePost": clock_of(value.travel_after),
    }


# --------------------------------------------------------------------- table

TABLE: tuple[Row[Appointment], ...] = (
    text("subject", "description"),
    text("note", "note"),
    Row(fields=("type",), keys=("art",), load=_load_type, dump=_dump_type),
    Row(fields=("status",), keys=("status", "abgesagt"), load=_load_status, dump=lambda value, _: {"status": STATUSES[value.status]}),
    Row(fields=("start", "end"), keys=("start_dt", "end_dt", "ganztags"), load=_load_when, dump=_dump_times, plain=True),
    Row(
        fields=("recurrence",), keys=SERIES_KEYS, load=lambda _elements, _account: {}, dump=_dump_series, together=True
    ),  # read with the start
    Row(
        fields=("location",),
        keys=("ort",),
        load=lambda elements, _: {"location": text_of(elements["ort"])},
        dump=lambda value, _: {"location": {"sonstiges": value.location} if value.location else dict(NOWHERE)},
    ),
    Row(
        fields=("travel_before", "travel_after"),
        keys=("transitTimePre", "transitTimePost"),
        load=_load_travel,
        dump=_dump_travel,
        together=True,
    ),
    Row(fields=("participants", "groups"), keys=("users", "groups"), load=_load_people, dump=_dump_people),
    text("creator", "von"),
    Row(
        fields=("resources",),
        keys=("ressourcesWithKeys",),
        load=lambda elements, _: {"resources": tuple(sorted(ids_of(elements["ressourcesWithKeys"])))},
        dump=lambda value, _: {"ressources": list(value.resources)},  # both spellings are onOffice's
    ),
    Row(
        fields=("addresses",),
        keys=("assignedaddressids",),
        load=lambda elements, _: {"addresses": ids_of(elements["assignedaddressids"])},
        dump=lambda value, _: {"relatedAddressIds": list(map(as_number, value.addresses))},
    ),
    Row(
        fields=("estate",),
        keys=("assignedobjectids",),
        load=lambda elements, _: {"estate": next(iter(ids_of(elements["assignedobjectids"])), "")},
        dump=lambda value, _: {"relatedEstateId": as_number(value.estate or "0")},
    ),
    Row(
        fields=("project",),
        keys=("ProjektNr",),
        load=lambda elements, _: {"project": next(iter(ids_of(elements["ProjektNr"])), "")},
        dump=None,
        reason="no parameter is documented, and no device changes it",
    ),
    Row(
        fields=("private",),
        keys=("private",),
        load=lambda elements, _: {"private": truth(elements["private"])},
        dump=lambda value, _: {"private": value.private},
        plain=True,
    ),
    Row(
        fields=("reminder",),
        keys=("erinnerung",),
        load=_load_reminder,
        dump=lambda value, _: {"erinnerung": written_reminder(value.reminder)},
    ),
)
FIELDS = TABLE
UNMAPPED = {
    "location_link": "only the newer call tells it, in words that are not documented; a place that no device changes is not sent, and stays linked",
}
assert all(snap_reminder(minutes) == minutes for minutes in REMINDERS)


# ---------------------------------------------------------------- both ways


def load(record: Record, account: Account, before: Appointment | None = None) -> Appointment:
    """The appointment in a row. Raises Unreadable.

    The zone that a device gave a single appointment is kept while it means the same moment: onOffice has no field for it.
    """
    if before is None and "start_dt" not in record.elements:
        raise Unreadable("the appointment has no start")
    value = value_of(TABLE, record.elements, account, before, Appointment)
    if before is not None and before.recurrence is None and value.recurrence is None and before.all_day == value.all_day:
        start, end = (kept if kept == read else read for kept, read in ((before.start, value.start), (before.end, value.end)))
        value = replace(value, start=start, end=end)
    return value


def create(value: Appointment, account: Account) -> Action:
    """Make an appointment; a reminder of it is a pop-up, so that nobody gets mail (rule 75)."""
    wanted = parameters(TABLE, KIND, None, value, account)
    if wanted.get("location") == NOWHERE:
        del wanted["location"]
    if wanted.get("erinnerung"):
        wanted["reminderTypes"] = ["popup"]
    return Action(verb=Verb.CREATE, resource=RESOURCE, parameters=_arranged(wanted, account))


def modify(record_id: str, before: Appointment, after: Appointment, account: Account) -> list[Action]:
    """What turns one appointment into another. Links that did not change are not named, and so stay (rule 65)."""
    wanted = parameters(TABLE, KIND, before, after, account)
    if "relatedAddressIds" in wanted:
        if set(before.addresses) < set(after.addresses):
            wanted["relatedAddressIds"] = [as_number(one) for one in after.addresses if one not in before.addresses]  # is added
        else:
            wanted["replaceAddressIds"] = True
    if not wanted:
        return []
    return [Action(verb=Verb.MODIFY, resource=RESOURCE, id=record_id, parameters=_arranged(wanted, account), repeatable=True)]


def can_be_put_back(before: Appointment, after: Appointment, account: Account) -> bool:
    """True if the change is text and time of a single appointment: a series, a place, people and links are more than is read of them."""
    is_single = before.recurrence is None and after.recurrence is None
    return is_single and is_plain(TABLE, before, after, account)


def remove(record_id: str, _account: Account) -> list[Action]:
    """Delete it; the resource is ``calendar`` here, too, whatever the documentation's heading says."""
    return [Action(verb=Verb.DELETE, resource=RESOURCE, id=record_id, repeatable=True)]


def _arranged(wanted: Parameters, account: Account) -> Parameters:
    """Fields in ``data``, the rest beside it; participants as numbers. Raises Refused for a participant whom onOffice does not have."""
    beside = {key: value for key, value in wanted.items() if key in SIBLINGS}
    if "subscribers" in beside:
        beside["subscribers"] = {
            "users": [as_number(one if one.isdigit() else account.demand_user_id(one)) for one in beside["subscribers"]["users"]],
            "groups": [as_number(one if one.isdigit() else account.demand_group_id(one)) for one in beside["subscribers"]["groups"]],
        }
    return {"data": {key: value for key, value in wanted.items() if key not in SIBLINGS}, **beside}


# ------------------------------------------------------------------- reading


def read_one(record_id: str, _account: Account) -> Action:
    """One appointment with all that is told of it."""
    return Action(verb=Verb.READ, resource=RESOURCE, id=record_id)


def read_window(first: date, last: date, *, only_series: bool = False, since: str = "", until: str = "") -> Action:
    """Everybody's appointments in a period of days, cancelled ones too, or those of them that start since and before a wall time.

    There is no paging: 500 rows mean that there may be more, and the answer's total how many.
    """
    wanted: dict[str, Any] = {"datestart": first.isoformat(), "dateend": last.isoformat(), "allusers": True, "showcancelled": True}
    starts = [{"op": operator, "val": moment} for operator, moment in ((">=", since), ("<", until)) if moment]
    kept = ({"rp_flag": [{"op": "=", "val": 1}]} if only_series else {}) | ({"start_dt": starts} if starts else {})
    return Action(verb=Verb.READ, resource=RESOURCE, parameters=wanted | ({"filter": kept} if kept else {}))


def read_beginning(making: Action) -> Action:
    """The appointments that start in the very second of one that is just being made, and so that one."""
    start = text_of(making.parameters["data"]["start_dt"])
    moment = datetime.fromisoformat(start)
    return read_window(moment.date(), moment.date(), since=start, until=f"{moment + timedelta(seconds=1):%Y-%m-%d %H:%M:%S}")


def read_changed(since: datetime, until: datetime | None = None) -> Action:
    """Everybody's appointments that changed since a moment; 500 rows mean that the period has to be halved."""
    wanted: dict[str, Any] = {"modifiedstart": wall(since, ZoneInfo("UTC")), "allusers": True, "showcancelled": True}
    if until is not None:
        wanted["modifiedend"] = wall(until, ZoneInfo("UTC"))
    return Action(verb=Verb.READ, resource=RESOURCE, parameters=wanted)


def start_of(record: Record) -> str:
    """The start as onOffice gave it, whose order is that of time."""
    return text_of(record.elements.get("start_dt"))


def began_before(record: Record, day: date) -> bool:
    """True for a series whose first day is before that day."""
    first = day_of(record.elements.get("rp_beginn_datum"))
    return truth(record.elements.get("rp_flag")) and first is not None and first < day


def stamp(record: Record) -> str:
    """The change stamp as onOffice gave it."""
    return text_of(record.elements.get(STAMP))


def changed_at(record: Record) -> datetime | None:
    """The change stamp as a moment."""
    day = day_of(stamp(record))
    return datetime.combine(day, time_of(stamp(record)) or time(), UTC) if day else None
