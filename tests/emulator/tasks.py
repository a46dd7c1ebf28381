"""Tasks: read, create, modify (contract 7). There is no delete, no paging and no sorting."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from . import filters
from .account import STAMP, Account, Row
from .addresses import field_value, truth
from .envelope import Call, Calls, Result, created, record, succeeded
from .errors import ApiError
from .fields import TASK_TYPES

LABELS = ("", "Nicht begonnen", "In Bearbeitung", "Erledigt", "Zurückgestellt", "Abgebrochen", "Sonstiges", "Geprüft", "Klärungsbedarf")
PEOPLE = ("Verantwortung", "Bearbeiter", "von")
REFUSED_PARAMETERS = ("listoffset", "sortby", "sortorder")
ON_BOTH = {
    "Betreff", "Aufgabe", "Status", "Prio", "Art", "Verantwortung", "Bearbeiter", "Deadline", "Deadline_Zeit", "Deadline_strikt", "Beginnt_am",
    "Beginnt_um", "Erinnerung", "Erinnerungsdatum", "Erinnerungsdatum_Zeit", "Aufwand_Soll_NUM", "Einheit_Aufwand_Soll", "Aufwand_Zusatz_NUM",
    "Einheit_Aufwand_Zusatz", "publicDescription", "Kommentar",
}  # fmt: skip
ON_MODIFY = {"erledigt", "Stand"}
LINKS = {
    "relatedAddressId": ("task:address", "address"),
    "relatedEstateId": ("task:estate", "estate"),
    "relatedProjectIds": ("project:task:customer", "project"),
}


# ------------------------------------------------------------------ reading


def read(account: Account, call: Call) -> Result:
    """By resourceid, filter (also on Nr) or link; cntabsolute repeats the number of rows."""
    parameters = call.parameters
    for name in REFUSED_PARAMETERS:
        if name in parameters:
            raise ApiError(144, name)
    wanted = parameters.get("data") or []
    if not isinstance(wanted, list):
        raise ApiError(74)
    for name in wanted:
        check_readable(account, name)
    if not account.may(call.user, "task", "read") and account.switches["missing_read_right"] == "error":
        raise ApiError(156)
    parts = [filters.condition(account, "task", parameters.get("filter"), special(account)), account.readable(call.user, "task")]
    if call.resourceid:
        parts.append(("id = ?", (call.number(),)))
    parts += [linked(name, filters.integer(parameters[name], name)) for name in LINKS if parameters.get(name)]
    if truth(parameters.get("responsibilityByGroup")):
        parts.append(("json_extract(data, '$.by_group')", ()))
    rows = account.rows("task", *filters.both(*parts), limit=filters.limit(account, parameters))
    records = [record(number, "task", elements(account, number, data, wanted, call)) for number, data in rows]
    return Result(records=records, total=len(records), cacheable=False)


def check_readable(account: Account, name: Any) -> None:
    if not isinstance(name, str):
        raise ApiError(291)
    if name == "Nr" or (name == "Kommentar" and not account.switches["task_comment_read"]):
        raise ApiError(144, name)
    if name not in account.fields["task"]:
        raise ApiError(141, name)


def special(account: Account) -> filters.Special:
    """Filter fields that are more than a stored value."""

    def known(field: str, operator: str, value: Any) -> filters.Sql | None:
        if field == "Nr":
            return filters.compare("id", operator, filters.each(value, filters.number))
        if field == "Status" and "like" not in operator:
            return filters.compare("json_extract(data, '$.Status')", operator, filters.each(value, status_number))
        if field == "modified":
            return stamp(account, operator, value)
        if field == "Prio" and "like" not in operator:
            return filters.compare("CAST(json_extract(data, '$.Prio') AS REAL)", operator, filters.each(value, filters.number))
        return None

    return known


def stamp(account: Account, operator: str, value: Any) -> filters.Sql:
    zone = account.switches["task_stamp_zone"]
    if account.switches["task_stamp_precision"] == "day":
        # the day as it is shown, made at the write in both zones
        column = "modified_day" if zone == "local" else "modified"
        return filters.compare(f"substr(json_extract(data, '$.{column}'), 1, 10)", operator, filters.each(value, filters.day))
    return filters.compare("json_extract(data, '$.modified')", operator, filters.each(value, filters.moment(account, zone)))


def status_number(value: Any) -> int:
    """A filter may name a status by number or label."""
    if str(value) in LABELS[1:]:
        return LABELS.index(str(value))
    return int(filters.number(value))


def linked(name: str, number: int) -> filters.Sql:
    relation, _ = LINKS[name]
    mine, other = ("child", "parent") if name == "relatedProjectIds" else ("parent", "child")
    return f"id IN (SELECT {mine} FROM relation WHERE type = ? AND {other} = ?)", (relation, number)


def elements(account: Account, number: int, data: Row, wanted: list[str], call: Call) -> Row:
    """Without an id: that is the record's."""
    shown: Row = {name: value(account, data, name) for name in wanted}
    if call.resourceid or account.switches["task_related_in_list"]:
        shown["relatedAddressId"] = [str(one) for one in account.children("task:address", number)]
        shown["relatedEstateId"] = [str(one) for one in account.children("task:estate", number)]
    if truth(call.parameters.get("addMobileUrl")):
        shown["mobileUrl"] = f"https://mobile.example/task/{number}"
    if truth(call.parameters.get("showEfforts")):
        shown["efforts"] = {"remaining": "PT0S", "actual": "PT0S", "users": []}
    return shown


def value(account: Account, data: Row, name: str) -> Any:
    if name == "Status":
        number = data.get("Status", 1)
        return LABELS[number] if account.switches["task_status_read"] == "label" else str(number)
    if name == "Verantwortung_Gruppe":
        return data["Verantwortung"] if data.get("by_group") else ""
    if name in PEOPLE and account.switches["task_people_read"] == "display" and not (name == "Verantwortung" and data.get("by_group")):
        return display_name(account, data.get(name, ""))
    if name == "modified":
        shown = account.shown(data["modified"], account.switches["task_stamp_zone"])
        return shown[:10] if account.switches["task_stamp_precision"] == "day" else shown
    if name == "erledigt":
        return bool(data.get("erledigt"))
    if name == "Stand":
        return data.get("Stand", 0)
    return field_value(account, account.fields["task"][name], data.get(name))


def display_name(account: Account, login: str) -> str:
    """Last, First (abbr); what names no user stays as it is."""
    user = account.row("user", account.user(login))
    return f"{user['Nachname']}, {user['Vorname']} ({user['Kuerzel']})" if user else login


# ------------------------------------------------------------------ writing


def create(account: Account, call: Call) -> Result:
    if not account.may(call.user, "task", "create"):
        raise ApiError(int(account.switches["denied_code"]) or 156)
    given = inner(call.parameters)
    if account.switches["task_type_needed"] and not given.get("Art"):
        raise ApiError(254, "Art")
    now = account.stamp()
    local = account.shown(now, "local")
    start = {"Status": 1, "Prio": "3", "von": account.login(call.user), "Eintragsdatum": local[:10], "created": now}
    data = {**start, **written(account, given, ON_BOTH), "modified": now, "modified_day": local}
    number = account.insert("task", {**data, "by_group": truth(call.parameters.get("responsibilityByGroup"))})
    relate(account, number, call.parameters, fresh=True)
    account.write_log("task", "add", call.user, number)
    return created(number, "task")


def modify(account: Account, call: Call) -> Result:
    """Every change is noted in the comment thread."""
    number = call.number()
    old = account.row("task", number)
    if old is None:
        raise ApiError(80)
    if not account.may(call.user, "task", "modify", number):
        raise ApiError(int(account.switches["denied_code"]) or 80)
    given = inner(call.parameters)
    data = {**old, **written(account, given, ON_BOTH | ON_MODIFY)}
    if "responsibilityByGroup" in call.parameters:
        data["by_group"] = truth(call.parameters["responsibilityByGroup"])
    keep(account, number, old, data, account.login(call.user))
    relate(account, number, call.parameters, fresh=False)
    account.write_log("task", "edit", call.user, number)
    return succeeded("task")


def keep(account: Account, number: int, old: Row, data: Row, author: str) -> None:
    now = account.stamp()
    local = account.shown(now, "local")
    changed = [name for name in data if data[name] != old.get(name) and name != "Kommentar"]
    comment = f"{author}, {local}: {data['Kommentar']}\n" if data.get("Kommentar") != old.get("Kommentar") else ""
    note = f"{author}, {local}: {', '.join(changed)}\n" if changed else ""
    if data.get("erledigt") and not old.get("erledigt"):
        data["Austragsdatum"] = local[:10]
    thread = {"Kommentar": comment + note + old.get("Kommentar", ""), "modified": now, "modified_day": local}
    account.update("task", number, {**data, **thread})


def inner(parameters: Row) -> Row:
    given = parameters.get("data", {})
    if given == []:
        return {}
    if not isinstance(given, dict):
        raise ApiError(20)
    return given


def written(account: Account, given: Row, allowed: set[str]) -> Row:
    """The stored form of ``data``: 138 or 144 unknown key, 255 a value that is none."""
    data: Row = {}
    for name, one in given.items():
        private = name == "Privat" and account.switches["task_private_write"] == "effective"
        if (name not in allowed or name not in account.fields["task"]) and not private:
            raise ApiError(int(account.switches["unknown_task_field"]), name)
        data[name] = READERS.get(name, text)(name, one)
    return data


def text(name: str, value: Any) -> str:
    if isinstance(value, list | dict):
        raise ApiError(227, name)
    return "" if value is None else str(value)


def within(first: int, last: int):
    def read_number(name: str, value: Any) -> int:
        number = filters.integer(value, name)
        if not first <= number <= last:
            raise ApiError(255, name)
        return number

    return read_number


def priority(name: str, value: Any) -> str:
    return str(within(1, 5)(name, value))


def progress(name: str, value: Any) -> int:
    if filters.integer(value, name) not in (0, 25, 50, 75, 100):
        raise ApiError(255, name)
    return int(value)


def task_type(name: str, value: Any) -> int | str:
    if value in ("", None):
        return ""
    if filters.integer(value, name) not in TASK_TYPES:
        raise ApiError(252, name)
    return int(value)


def date_or_moment(name: str, value: Any) -> str:
    if value in (None, "", "0000-00-00", "0000-00-00 00:00:00"):
        return ""
    for pattern in (STAMP, "%Y-%m-%d %H:%M", "%Y-%m-%d"):
        try:
            return datetime.strptime(str(value), pattern).strftime("%Y-%m-%d" if name in ("Beginnt_am", "Erinnerungsdatum") else STAMP)
        except ValueError:
            continue
    raise ApiError(122)


READERS = {
    "Status": within(1, 8),
    "Prio": priority,
    "Stand": progress,
    "Art": task_type,
    **dict.fromkeys(("Deadline", "Beginnt_am", "Erinnerungsdatum"), date_or_moment),
    **dict.fromkeys(("erledigt", "Deadline_strikt", "Erinnerung", "Privat"), lambda name, value: truth(value)),
}


def relate(account: Account, number: int, parameters: Row, *, fresh: bool) -> None:
    """The linked address, estate, project."""
    for name, (relation, kind) in LINKS.items():
        given = parameters.get(name)
        if not given:
            continue
        wanted = [filters.integer(one, name) for one in (given if isinstance(given, list) else [given])]
        if any(account.row(kind, one) is None for one in wanted):
            raise ApiError({"address": 292, "estate": 293}.get(kind, 235), given)
        project = kind == "project"
        if not fresh and account.switches["task_related_on_modify"] == "replace":
            account.query(f"DELETE FROM relation WHERE type = ? AND {'child' if project else 'parent'} = ?", relation, number)
        for one in wanted:
            account.link(relation, *((one, number) if project else (number, one)))


CALLS: Calls = {("read", "task"): read, ("create", "task"): create, ("modify", "task"): modify}
