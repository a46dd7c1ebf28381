"""Appointments: create, modify, delete and the old read (contract 6.2, 6.3, 6.5). The new list is in ``appointment_list``."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from . import filters, series
from .account import STAMP, Account, Row
from .envelope import Call, Calls, Result, created, record, succeeded
from .errors import ApiError

STATUSES = ("active", "completed", "canceled", "participantsAvailable")
REMINDERS = {
    "", "0 minutes", "5 minutes", "15 minutes", "30 minutes", "1 hours", "2 hours", "3 hours", "12 hours", "15 hours",
    "1 days", "2 days", "3 days", "1 weeks", "3 weeks",
}  # fmt: skip
BOOLEANS = ("ganztags", "private", "abgesagt", "allowTransitTime", "rp_flag")
TEXTS = ("description", "note", "von")
TIMES = ("transitTime", "transitTimePre", "transitTimePost")
DATA_KEYS = {
    *BOOLEANS, *TEXTS, *TIMES, "art", "start_dt", "end_dt", "status", "erinnerung", "ressources", "origin",
    "rp_type", "rp_tage", "rp_beginn_datum", "rp_ende_datum", "rp_ende_status", "rp_exception",
}  # fmt: skip
PLACES = ("address", "estate", "user", "group", "mandant", "sonstiges", "customVideoUrl", "userMeetingUrl", "keine Angaben")
FILTER_FIELDS = {"start_dt", "end_dt", "rp_flag", "description", "von", "erledigt", "note", "art"}
FRESH: Row = {
    "description": "", "note": "", "art": "", "start_dt": "", "end_dt": "", "ganztags": False, "private": False, "status": "active",
    "erinnerung": "", "reminderTypes": [], "allowTransitTime": False, "transitTime": "", "transitTimePre": "00:00:00",
    "transitTimePost": "00:00:00", "ressources": [], "von": "", "origin": False, "rp_flag": False, "rp_type": "", "rp_tage": 0,
    "rp_beginn_datum": series.NEVER, "rp_ende_datum": series.NEVER, "rp_ende_status": "0", "rp_exception": [],
    "location": {"keine Angaben": ""}, "users": [], "groups": [],
}  # fmt: skip
ADDRESSES, ESTATES, PROJECTS = "calendar:address", "calendar:estate", "project:calendar"


# ------------------------------------------------------------------ writing


def create(account: Account, call: Call) -> Result:
    """``parameters`` = data and its siblings; start and end are needed."""
    if not account.may(call.user, "calendar", "create"):
        raise ApiError(int(account.switches["denied_code"]) or 156)
    given = inner(call.parameters)
    for name, code in (("start_dt", 91), ("end_dt", 92)):
        if not given.get(name):
            raise ApiError(code)
    data = {**FRESH, "von": account.login(call.user), **written(account, given)}
    if data["rp_flag"] and data["rp_beginn_datum"] == series.NEVER:
        data["rp_beginn_datum"] = data["start_dt"][:10]
    check(data)
    number = account.insert("calendar", {})
    siblings(account, number, data, call.parameters, fresh=True)
    keep(account, number, data)
    account.write_log("calendar", "add", call.user, number)
    return created(number, "calendar")


def modify(account: Account, call: Call) -> Result:
    number = call.number()
    old = account.row("calendar", number)
    if old is None:
        raise ApiError(80)
    if not account.may(call.user, "calendar", "modify", number):
        raise ApiError(int(account.switches["denied_code"]) or 80)
    given = inner(call.parameters)
    data = {**old, **written(account, given)}
    anchor(account, data, given, was_series=bool(old["rp_flag"]))
    check(data)
    siblings(account, number, data, call.parameters, fresh=False)
    keep(account, number, data)
    account.write_log("calendar", "edit", call.user, number)
    return succeeded("calendar")


def anchor(account: Account, data: Row, given: Row, *, was_series: bool) -> None:
    """Where a series begins; a single one that becomes a series without saying its start again gets lost."""
    if not data["rp_flag"]:
        return
    if not was_series and "start_dt" not in given and account.switches["series_needs_start"]:
        data["rp_beginn_datum"] = series.NEVER
    elif "rp_beginn_datum" not in given and ("start_dt" in given or data["rp_beginn_datum"] == series.NEVER):
        data["rp_beginn_datum"] = data["start_dt"][:10]


def delete(account: Account, call: Call) -> Result:
    number = call.number()
    data = account.row("calendar", number)
    if data is None:
        raise ApiError(169)
    if not account.may(call.user, "calendar", "delete", number):
        raise ApiError(int(account.switches["denied_code"]) or 168)
    remove(account, number, data, call.user)
    return succeeded("calendar")


def remove(account: Account, number: int, data: Row, user: int) -> None:
    account.write_log("calendar", "delete", user, number)
    if account.switches["delete_appointment"] == "cancelled":
        keep(account, number, {**data, "status": "canceled"})
        return
    account.remove("calendar", number)
    account.query("DELETE FROM relation WHERE type LIKE 'calendar:%' AND parent = ?", number)
    account.query("DELETE FROM relation WHERE type = ? AND child = ?", PROJECTS, number)


def keep(account: Account, number: int, data: Row) -> None:
    account.update("calendar", number, {**data, "modified": account.stamp()})


def inner(parameters: Row) -> Row:
    given = parameters.get("data", {})
    if given == []:
        return {}
    if not isinstance(given, dict):
        raise ApiError(20)
    return given


def written(account: Account, given: Row) -> Row:
    """The stored form of ``data``: 154 unknown key, 122 no date, 101 unknown type, 255 a value that is none."""
    data: Row = {}
    for name, value in given.items():
        if name not in DATA_KEYS:
            raise ApiError(154)
        data[name] = READERS.get(name, text)(account, name, value)
    if "abgesagt" in data:  # status wins over it
        cancelled = data.pop("abgesagt")
        data.setdefault("status", "canceled" if cancelled else "active")
    return data


def text(account: Account, name: str, value: Any) -> str:
    if isinstance(value, list | dict | bool):
        raise ApiError(227, name)
    return "" if value is None else str(value)


def boolean(account: Account, name: str, value: Any) -> bool:
    return str(value).lower() in ("1", "true")


def one_of(*values: str):
    def read(account: Account, name: str, value: Any) -> str:
        if str(value) not in values:
            raise ApiError(255, name)
        return str(value)

    return read


def wall_time(account: Account, name: str, value: Any) -> str:
    for pattern in (STAMP, "%Y-%m-%d %H:%M", "%Y-%m-%d"):
        try:
            return datetime.strptime(str(value), pattern).strftime(STAMP)
        except ValueError:
            continue
    raise ApiError(122)


def plain_day(account: Account, name: str, value: Any) -> str:
    return series.NEVER if value in (None, "", series.NEVER) else filters.day(value)


def kind(account: Account, name: str, value: Any) -> str:
    known = next(one["types"] for one in account.kinds if one["key"] == "Termin")
    if value and value not in known:
        raise ApiError(101, value)
    return str(value or "")


def interval(account: Account, name: str, value: Any) -> int:
    number = filters.integer(value, name)
    if not 0 <= number <= 999:
        raise ApiError(255, name)
    return number


def exceptions(account: Account, name: str, value: Any) -> list[str]:
    """Written as #2026-04-03#2026-04-10, read as a list."""
    if not isinstance(value, str):
        raise ApiError(227, name)
    return [filters.day(one) for one in value.split("#") if one]


def resources(account: Account, name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ApiError(74)
    known = dict(account.rows("resource"))
    if any(not str(one).isdigit() or int(one) not in known for one in value):
        raise ApiError(255, name)
    return [str(one) for one in value]


READERS = {
    **dict.fromkeys(BOOLEANS, boolean),
    **dict.fromkeys(("start_dt", "end_dt"), wall_time),
    **dict.fromkeys(("rp_beginn_datum", "rp_ende_datum"), plain_day),
    "art": kind,
    "origin": boolean,
    "status": one_of(*STATUSES),
    "erinnerung": one_of(*REMINDERS),
    "rp_type": one_of("", "t", "w", "m", "j"),
    "rp_ende_status": one_of("0", "1", "2"),
    "rp_tage": interval,
    "rp_exception": exceptions,
    "ressources": resources,
}


def check(data: Row) -> None:
    if data["end_dt"] < data["start_dt"]:
        raise ApiError(93)
    if data["rp_flag"] and (not data["rp_type"] or not data["rp_tage"]):
        raise ApiError(255, "rp_type" if not data["rp_type"] else "rp_tage")


def siblings(account: Account, number: int, data: Row, parameters: Row, *, fresh: bool) -> None:
    """What stands beside ``data``: links, place, participants, kinds of reminder."""
    addresses(account, number, parameters)
    if "relatedEstateId" in parameters:
        estate = parameters["relatedEstateId"] or 0
        if estate and account.row("estate", filters.integer(estate, "relatedEstateId")) is None:
            raise ApiError(293)
        account.query("DELETE FROM relation WHERE type = ? AND parent = ?", ESTATES, number)
        if estate:
            account.link(ESTATES, number, int(estate))
    if "location" in parameters:
        data["location"] = place(account, number, parameters["location"])
    if "subscribers" in parameters:
        subscribers(account, data, parameters["subscribers"], adding=not fresh and account.switches["subscribers_on_modify"] == "add")
    if "reminderTypes" in parameters:
        types = parameters["reminderTypes"]
        if not isinstance(types, list) or any(one not in ("email", "popup", "sms") for one in types):
            raise ApiError(255, "reminderTypes")
        data["reminderTypes"] = types


def addresses(account: Account, number: int, parameters: Row) -> None:
    """relatedAddressIds adds; with replaceAddressIds it is the exact set."""
    given = parameters.get("relatedAddressIds", [])
    if not isinstance(given, list):
        raise ApiError(298)
    if any(not str(one).isdigit() for one in given):
        raise ApiError(299)
    if any(account.row("address", int(one)) is None for one in given):
        raise ApiError(292)
    if boolean(account, "", parameters.get("replaceAddressIds")):
        for old in account.children(ADDRESSES, number):
            if old not in map(int, given):
                account.unlink(ADDRESSES, number, old)
    for one in given:
        if int(one) not in account.children(ADDRESSES, number):
            account.link(ADDRESSES, number, int(one))


def place(account: Account, number: int, given: Any) -> Row:
    """Exactly one of the places; a record that is not linked to the appointment ends up as free text."""
    if not isinstance(given, dict) or len(given) != 1 or next(iter(given)) not in PLACES:
        raise ApiError(255, "location")
    name, value = next(iter(given.items()))
    if name in ("address", "estate", "user", "group", "userMeetingUrl"):
        if isinstance(value, bool) or not str(value).isdigit():
            raise ApiError(290)
        linked = {"address": account.children(ADDRESSES, number), "estate": account.children(ESTATES, number)}
        if name in linked and int(value) not in linked[name]:
            return {"sonstiges": label(account, name, int(value))}
        return {name: int(value)}
    return {name: True if name == "mandant" else str(value)}


def subscribers(account: Account, data: Row, given: Any, *, adding: bool) -> None:
    if not isinstance(given, dict):
        raise ApiError(74)
    for name, code, what in (("users", 301, "user"), ("groups", 295, "group")):
        ids = given.get(name, [])
        if not isinstance(ids, list):
            raise ApiError(code)
        for one in ids:
            if not str(one).isdigit() or account.row(what, int(one)) is None:
                raise ApiError(251 if what == "user" else 272, one)
        data[name] = sorted({*(data[name] if adding else []), *map(int, ids)})


def label(account: Account, name: str, number: int) -> str:
    """A place as text."""
    data = account.row(name, number) or {}
    if name == "address":
        street = " ".join(filter(None, (data.get("Strasse", ""), data.get("Plz", ""), data.get("Ort", ""))))
        return street or " ".join(filter(None, (data.get("Vorname", ""), data.get("Name", ""))))
    if name == "estate":
        return str(data.get("address", ""))
    return str(data.get("name") or data.get("Name", ""))


def place_text(account: Account, data: Row) -> str:
    name, value = next(iter(data["location"].items()))
    if name in ("address", "estate", "user", "group"):
        return label(account, name, value)
    if name == "userMeetingUrl":
        return str((account.row("user", value) or {}).get("meetingUrl", ""))
    return "Büro" if name == "mandant" else str(value)


# ----------------------------------------------------------------- old read


def read(account: Account, call: Call) -> Result:
    """By resourceid, by a window of days, or by the time of the last change (UTC)."""
    parameters = call.parameters
    if not account.may(call.user, "calendar", "read") and account.switches["missing_read_right"] == "error":
        raise ApiError(156)
    for name in ("users", "groups"):
        numbers(parameters, name)  # refused even when nothing is found
    if call.resourceid:
        rows = [(number, data, None) for number, data in fetch(account, call.user, ("id = ?", (call.number(),)))]
    elif parameters.get("datestart") or parameters.get("dateend"):
        rows = in_window(account, call)
    elif parameters.get("modifiedstart") or parameters.get("modifiedend"):
        rows = changed(account, call)
    else:
        raise ApiError(289)
    rows = [row for row in rows if visible(account, row[1], call.user)]
    most = min(500, filters.limit(account, parameters, int(account.switches["calendar_default_limit"])))
    records = [record(number, "calendar", old_elements(account, number, data, call, times)) for number, data, times in rows[:most]]
    return Result(records=records, total=len(rows) if account.switches["calendar_counts"] == "all" else len(records))


def fetch(account: Account, user: int, where: filters.Sql) -> list[tuple[int, Row]]:
    """The appointments that the user may read."""
    return account.rows("calendar", *filters.both(where, account.readable(user, "calendar")))


def touching(first: date, last: date) -> filters.Sql:
    """What may have an occurrence in these days: all series, and the single ones there."""
    sql = "json_extract(data, '$.rp_flag') OR (json_extract(data, '$.start_dt') <= ? AND json_extract(data, '$.end_dt') >= ?)"
    return sql, (f"{last} 23:59:59", f"{first} 00:00:00")


def in_window(account: Account, call: Call):
    parameters = call.parameters
    for name, code in (("datestart", 91), ("dateend", 92)):
        if not parameters.get(name):
            raise ApiError(code)
    first, last = date.fromisoformat(filters.day(parameters["datestart"])), date.fromisoformat(filters.day(parameters["dateend"]))
    if first > last:
        raise ApiError(93)
    kept = filtered(account, parameters)
    rows = []
    for number, data in fetch(account, call.user, touching(first, last)):
        if (kept is not None and number not in kept) or not concerned(account, call, data, windowed=True):
            continue
        whole = {**data, "rp_flag": False} if account.switches["old_window_tests"] == "anchor" else data
        times = list(series.occurrences(whole, first, last, account.switches["month_end"]))
        if account.switches["old_read_series"] == "once":
            times = times[:1]
        rows += [(number, data, one if account.switches["old_read_series"] == "occurrences" else None) for one in times]
    if account.switches["calendar_order"] == "id":
        return rows
    return sorted(rows, key=lambda row: (row[2][0] if row[2] else row[1]["start_dt"], row[0]))


def filtered(account: Account, parameters: Row) -> set[int] | None:
    """Numbers that the filter leaves; None without one."""
    if not parameters.get("filter"):
        return None
    for field, _, _ in filters.expressions(parameters["filter"]):
        if field not in FILTER_FIELDS:
            raise ApiError(141, field)
    return {number for number, _ in account.rows("calendar", *filters.condition(account, "calendar", parameters["filter"], done))}


def done(field: str, operator: str, value: Any) -> filters.Sql | None:
    """``erledigt`` is a status here."""
    if field != "erledigt":
        return None
    wanted = filters.each(value, lambda one: int(str(one).lower() in ("1", "true")))
    return filters.compare("(json_extract(data, '$.status') = 'completed')", operator, wanted)


def changed(account: Account, call: Call):
    if call.parameters.get("filter"):
        raise ApiError(241)
    stamp = filters.moment(account, "utc")
    start = stamp(call.parameters.get("modifiedstart") or "1970-01-01")
    end = stamp(call.parameters.get("modifiedend") or "2999-12-31")
    if start > end:
        raise ApiError(288)
    found = fetch(account, call.user, ("json_extract(data, '$.modified') BETWEEN ? AND ?", (start, end)))
    rows = [(number, data, None) for number, data in found if concerned(account, call, data, windowed=False)]
    return sorted(rows, key=lambda row: (row[1]["modified"], row[0]))


def concerned(account: Account, call: Call, data: Row, *, windowed: bool) -> bool:
    """Whose appointments are asked for, and that cancelled ones hide."""
    parameters = call.parameters
    if data["status"] == "canceled" and not boolean(account, "", parameters.get("showcancelled")):
        return False
    if boolean(account, "", parameters.get("allusers")):
        return True
    users, groups = numbers(parameters, "users"), numbers(parameters, "groups")
    if (not users and not groups) or (not windowed and account.switches["users_need_window"]):
        users, groups = {call.user}, account.groups_of(call.user)
    return bool(users & everybody(account, data) or groups & set(data["groups"]))


def numbers(parameters: Row, name: str) -> set[int]:
    given = parameters.get(name) or []
    if not isinstance(given, list):
        raise ApiError(301 if name == "users" else 295)
    return {filters.integer(one, name) for one in given}


def everybody(account: Account, data: Row) -> set[int]:
    """Participants, also those by a group."""
    return {*data["users"], *(user for group in data["groups"] for user in (account.row("group", group) or {"users": []})["users"])}


def visible(account: Account, data: Row, user: int) -> bool:
    return not (foreign(account, data, user) and account.switches["private_of_others"] == "hidden")


def foreign(account: Account, data: Row, user: int) -> bool:
    """A private appointment of others."""
    return bool(data["private"]) and user not in everybody(account, data) and data["von"] != account.login(user)


def old_elements(account: Account, number: int, data: Row, call: Call, times: tuple[str, str] | None) -> Row:
    blanked = foreign(account, data, call.user) and account.switches["private_of_others"] == "blanked"
    start, end = times or (data["start_dt"], data["end_dt"])
    known = next(one["types"] for one in account.kinds if one["key"] == "Termin")
    people = [(one, account.row("user", one) or {}) for one in data["users"]]
    resources_ = [(key, (account.row("resource", int(key)) or {}).get("name", "")) for key in data["ressources"]]
    elements = {
        "start_dt": start, "end_dt": end, "description": "" if blanked else data["description"], "note": "" if blanked else data["note"],
        "ort": "" if blanked else place_text(account, data), "art": {data["art"]: known.get(data["art"], data["art"])} if data["art"] else [],
        "fuer": [f"{one.get('Nachname', '')}, {one.get('Vorname', '')} ({one.get('Name', '')})" for _, one in people],
        "emails": {one.get("Name", ""): one.get("email", "") for _, one in people} or [],
        "users": [
            {"id": str(n), "username": one.get("Name", ""), "firstName": one.get("Vorname", ""), "lastName": one.get("Nachname", ""),
             "email": one.get("email", "")} for n, one in people
        ],
        "user_ids": [str(one) for one in sorted(everybody(account, data))], "groups": [str(one) for one in data["groups"]],
        "ressources": [name for _, name in resources_], "ressourcesWithKeys": dict(resources_) or [], "erinnerung": data["erinnerung"],
        "ganztags": data["ganztags"], "rp_flag": data["rp_flag"], "abgesagt": data["status"] == "canceled",
        "allowTransitTime": data["allowTransitTime"], "private": "1" if data["private"] else "0",
        "assignedaddressids": [str(one) for one in account.children(ADDRESSES, number)],
        "assignedobjectids": [str(one) for one in account.children(ESTATES, number)],
        "rp_type": data["rp_type"], "rp_tage": data["rp_tage"], "rp_beginn_datum": data["rp_beginn_datum"],
        "rp_ende_datum": data["rp_ende_datum"], "rp_ende_status": data["rp_ende_status"], "rp_exception": data["rp_exception"],
        "transitTime": data["transitTime"] or None, "transitTimePre": data["transitTimePre"], "transitTimePost": data["transitTimePost"],
        "ProjektNr": next((str(one) for one in account.parents(PROJECTS, number)), None), "von": data["von"], "modified": data["modified"],
    }  # fmt: skip
    if account.switches["status_in_old_read"]:
        elements["status"] = data["status"]
    if boolean(account, "", call.parameters.get("showConfirmationStatus")):
        elements["confirmationStatus"] = "not-set"
    return elements


CALLS: Calls = {("read", "calendar"): read, ("create", "calendar"): create, ("modify", "calendar"): modify, ("delete", "calendar"): delete}
