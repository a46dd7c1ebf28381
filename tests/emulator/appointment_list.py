"""The new read of appointments: ``appointmentList`` and ``calendarResources`` (contract 6.1, 6.6)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from . import appointments, filters, series
from .account import STAMP, Account, Row
from .envelope import Call, Calls, Result, record
from .errors import ApiError

KEYS = (
    "id", "createdBy", "modified", "subject", "notes", "type", "status", "confirmationStatus", "private", "date", "travelTime", "location",
    "recurrence", "reminder", "groups", "users", "resources", "contacts", "showFollowUpStatus", "estate", "project", "conflicts",
)  # fmt: skip
STATUS_LABELS = {"active": "Aktiv", "completed": "Erledigt", "canceled": "Abgesagt", "participantsAvailable": "Teilnehmer verfügbar"}
PLACE_TYPES = {
    "address": "address", "estate": "estate", "user": "user", "group": "group", "mandant": "customer", "sonstiges": "other",
    "customVideoUrl": "videoUrl", "userMeetingUrl": "meetingUrl", "keine Angaben": "none",
}  # fmt: skip
UNITS = {"minutes": 1, "hours": 60, "days": 1440, "weeks": 10080}
SEARCHED = {"notes": "note", "createdBy": "von", "type": "art", "subject": "description"}
CONFIRMATIONS = {"bestätigt": "confirmed", "gesendet": "sent", "gecancelt": "canceled"}


def read(account: Account, call: Call) -> Result:
    """By resourceid, or between two days; at most 500, unpaged; a series once, anchored at its first date."""
    wanted = call.parameters.get("data")
    if not wanted and account.switches["list_needs_data"]:
        raise ApiError(167, "data")
    for name in wanted or []:
        if name not in KEYS:
            raise ApiError(141, name)
    if not account.may(call.user, "calendar", "read") and account.switches["missing_read_right"] == "error":
        raise ApiError(156)
    if call.resourceid:
        rows = appointments.fetch(account, call.user, ("id = ?", (call.number(),)))
    else:
        rows = window(account, call)
    rows = [row for row in rows if appointments.visible(account, row[1], call.user)]
    records = [record(number, "calendar", elements(account, number, data, wanted or list(KEYS), call.user)) for number, data in rows[:500]]
    return Result(records=records, total=len(rows))


def window(account: Account, call: Call) -> list[tuple[int, Row]]:
    """The filter is one of its own: unknown keys (estate, contact) are silently ignored."""
    filter_: Row = call.parameters.get("filter") or {}
    for name, code in (("startDate", 91), ("endDate", 92)):
        if not filter_.get(name):
            raise ApiError(code)
    first, last = (date.fromisoformat(filters.day(filter_[name])) for name in ("startDate", "endDate"))
    if first > last:
        raise ApiError(93)
    matching = searched(account, filter_)
    rows = [
        (number, data)
        for number, data in appointments.fetch(account, call.user, appointments.touching(first, last))
        if number in matching
        and switched(account, filter_, data)
        and any(series.occurrences(data, first, last, account.switches["month_end"]))
    ]
    return sorted(rows, key=lambda row: (row[1]["start_dt"], row[0]))


def searched(account: Account, filter_: Row) -> set[int]:
    parts = []
    for name, stored in SEARCHED.items():
        ones = filter_.get(name) or []
        if not isinstance(ones, list) or any(not isinstance(one, dict) or "op" not in one or "val" not in one for one in ones):
            raise ApiError(257, name)
        parts += [filters.compare(f"json_extract(data, '$.{stored}')", str(one["op"]).lower(), one["val"]) for one in ones]
    return {number for number, _ in account.rows("calendar", *filters.both(*parts))}


def switched(account: Account, filter_: Row, data: Row) -> bool:
    """isCancelled, isDone, isRecurrent (left out = both), and participants; a creator who does not take part is not matched."""
    truths = {"isCancelled": data["status"] == "canceled", "isDone": data["status"] == "completed", "isRecurrent": data["rp_flag"]}
    if any(name in filter_ and bool(filter_[name]) is not bool(is_so) for name, is_so in truths.items()):
        return False
    users, groups = appointments.numbers(filter_, "userIds"), appointments.numbers(filter_, "groupIds")
    return not (users or groups) or bool(users & appointments.everybody(account, data) or groups & set(data["groups"]))


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def elements(account: Account, number: int, data: Row, wanted: list[str], user: int) -> Row:
    blanked = appointments.foreign(account, data, user) and account.switches["private_of_others"] == "blanked"
    known = next(one["types"] for one in account.kinds if one["key"] == "Termin")
    estate = account.children(appointments.ESTATES, number)
    project = account.parents(appointments.PROJECTS, number)
    everything: Row = {
        "id": str(number),
        "createdBy": data["von"],
        "modified": iso(datetime.strptime(data["modified"], STAMP).replace(tzinfo=UTC)),
        "subject": "" if blanked else data["description"],
        "notes": "" if blanked else data["note"],
        "type": {"value": data["art"], "label": known.get(data["art"], "")},
        "status": {"value": data["status"], "label": STATUS_LABELS[data["status"]]},
        "confirmationStatus": "not-set",
        "private": data["private"],
        "date": {"start": iso(account.utc(data["start_dt"])), "end": iso(account.utc(data["end_dt"])), "allDay": data["ganztags"]},
        "travelTime": travel(data),
        "location": None if blanked else place(account, data),
        "recurrence": recurrence(account, data),
        "reminder": reminder(data),
        "groups": [{"id": str(one), "name": (account.row("group", one) or {}).get("name", "")} for one in data["groups"]],
        "users": [person(account, one) for one in data["users"]],
        "resources": [{"id": key, "name": (account.row("resource", int(key)) or {}).get("name", "")} for key in data["ressources"]],
        "contacts": [contact(account, number, one, wanted) for one in account.children(appointments.ADDRESSES, number)],
        "estate": {"id": str(estate[0])} if estate else None,
        "project": {"id": str(project[0])} if project else None,
        "conflicts": [],
    }
    return {name: everything[name] for name in wanted if name in everything}


def person(account: Account, number: int) -> Row:
    data = account.row("user", number) or {}
    pairs = (("userName", "Name"), ("firstName", "Vorname"), ("lastName", "Nachname"), ("email", "email"))
    return {"id": str(number), **{name: data.get(stored, "") for name, stored in pairs}}


def contact(account: Account, number: int, address: int, wanted: list[str]) -> Row:
    sql = "SELECT json_extract(info, '$.statusTerminbestaetigung') FROM relation WHERE type = ? AND parent = ? AND child = ?"
    status = account.query(sql, appointments.ADDRESSES, number, address)[0][0]
    follow_up = {"followUpAvailable": False, "followUpStatus": "inactive"} if "showFollowUpStatus" in wanted else {}
    return {"id": str(address), "confirmationStatus": CONFIRMATIONS.get(status, "not-set"), **follow_up}


def travel(data: Row) -> Row | None:
    def minutes(text: str) -> int:
        hours, _, rest = text.partition(":")
        return int(hours) * 60 + int(rest[:2])

    outward, back = minutes(data["transitTimePre"] or "00:00"), minutes(data["transitTimePost"] or "00:00")
    return {"outward": outward, "return": back} if data["allowTransitTime"] or outward or back else None


def place(account: Account, data: Row) -> Row:
    name, value = next(iter(data["location"].items()))
    written = account.switches["location_types"] == "written"
    shown: Any = str(value) if name in ("address", "estate", "user", "group") else appointments.place_text(account, data)
    return {"type": name if written else PLACE_TYPES[name], "value": shown}


def recurrence(account: Account, data: Row) -> Row | None:
    """Only interval, start and end are documented; neither the type nor excluded dates are said to be here."""
    if not data["rp_flag"]:
        return None
    start, end = data["rp_beginn_datum"], data["rp_ende_datum"] if data["rp_ende_status"] == "1" else None
    names = account.switches["recurrence_keys"]
    if names == "rp":
        return {"rp_type": data["rp_type"], "rp_tage": data["rp_tage"], "rp_beginn_datum": start, "rp_ende_datum": end}
    suffix = "Date" if names == "startDate" else ""
    return {"interval": data["rp_tage"], f"start{suffix}": start, f"end{suffix}": end}


def reminder(data: Row) -> Row | None:
    if not data["erinnerung"]:
        return None
    number, unit = data["erinnerung"].split()
    return {"timeBefore": int(number) * UNITS[unit], "recipients": "all", "confirmedOnly": False, "types": data["reminderTypes"]}


def resources(account: Account, call: Call) -> Result:
    """One record per resource, key and label."""
    only_active = any(str(one["val"]) == "1" for one in (call.parameters.get("filter") or {}).get("active", []))
    rows = [(number, data) for number, data in account.rows("resource") if data.get("active", True) or not only_active]
    return Result(records=[record(number, "calendarResources", {str(number): data["name"]}) for number, data in rows])


CALLS: Calls = {("get", "appointmentList"): read, ("get", "calendarResources"): resources}
