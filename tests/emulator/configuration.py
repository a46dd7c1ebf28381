"""What an account looks like: fields, filters, kinds of action, values of select fields, and the log (contract 8.2 - 8.5, 10)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from . import filters
from .account import STAMP, Account, Row
from .envelope import Call, Calls, Result, record
from .errors import ApiError
from .fields import COUNTRIES, NOT_IN_CONFIGURATION

MODULES = {
    "address": "Adressen",
    "calendar": "Kalender",
    "task": "Aufgaben",
    "user": "Benutzer",
    "estate": "Immobilien",
    "project": "Projekte",
}
LOG_FIELDS = {
    "dateTime": "at", "action": "action", "module": "module", "userNr:user.Nr": "user", "resourcePk": "resource", "resourceTable": "module",
    "targetPk": "target", "targetTable": "target_table",
}  # fmt: skip


def fields(account: Account, call: Call) -> Result:
    """One record per module; with labels the map also holds a plain label of the module."""
    labels = bool(call.parameters.get("labels"))
    only = call.parameters.get("fieldList") or []
    records = []
    for module in call.parameters.get("modules") or MODULES:
        if module not in MODULES:
            raise ApiError(163)
        hidden = NOT_IN_CONFIGURATION.get(module, set())
        known = {name: one for name, one in account.fields.get(module, {}).items() if name not in hidden and (not only or name in only)}
        elements: Row = {name: {**one, "filters": [], "dependencies": [], "compoundFields": []} for name, one in known.items()}
        if labels and elements:
            elements = {"label": MODULES[module], **{name: {**one, "label": name} for name, one in elements.items()}}
        records.append(record(module, "", elements))
    return Result(records=records)


def saved_filters(account: Account, call: Call) -> Result:
    module = call.parameters.get("module")
    if module not in ("address", "estate"):
        raise ApiError(163)
    rows = [(number, data) for number, data in account.rows("filter") if data["module"] == module]
    names = ("scope", "name", "userId", "groupId")
    return Result(records=[record(number, "filter", {name: data.get(name) for name in names}) for number, data in rows])


def kinds(account: Account, call: Call) -> Result:
    """Kinds of action with their types, key to label; the numbers of task types are not told."""
    return Result(records=[record(0, "actionkind", {**one, "types": one["types"] or []}) for one in account.kinds])


def field_values(account: Account, call: Call) -> Result:
    """``confignewaddressfields``: key and title of every value of one select field."""
    name = call.parameters.get("fieldname")
    if call.resourceid != "fieldvalues":
        raise ApiError(24, call.resourceid)
    if name == "Land":
        return Result(records=[record(alpha3, "", {"title": title}) for title, _, alpha3 in COUNTRIES])
    configured = account.fields["address"].get(str(name))
    if configured is None:
        raise ApiError(75, name)
    values: Any = configured["permittedvalues"]
    if values is None:
        raise ApiError(171)
    titles = values if isinstance(values, dict) else {one: one for one in values}
    return Result(records=[record(key, "", {"title": title}) for key, title in titles.items()])


def log(account: Account, call: Call) -> Result:
    """Needs the administrator's right (156) and a listlimit (256); 0 gives the true count only."""
    parameters = call.parameters
    if not account.may(call.user, "log", "read"):
        raise ApiError(156)
    if "listlimit" not in parameters:
        raise ApiError(256)
    where, values = filters.both(*log_conditions(account, parameters))
    total = account.query(f"SELECT count(*) FROM log WHERE {where}", *values)[0][0]
    if str(parameters["listlimit"]) == "0":
        return Result(total=total, cacheable=False)
    most, start = filters.limit(account, parameters), filters.integer(parameters.get("listOffset") or 0, "listOffset")
    sql = f"SELECT id, at, module, action, user, resource FROM log WHERE {where} ORDER BY id LIMIT ? OFFSET ?"
    records = [log_record(account, *row) for row in account.query(sql, *values, most, start)]
    return Result(records=records, total=len(records), cacheable=False)


def log_conditions(account: Account, parameters: Row) -> list[filters.Sql]:
    parts: list[filters.Sql] = []
    days = float(account.switches["log_retention_days"])
    if days:
        parts.append(("at >= ?", ((account.now() - timedelta(days=days)).strftime(STAMP),)))
    parts += [(f"{name} = ?", (parameters[name],)) for name in ("module", "action", "user") if parameters.get(name)]
    for field, operator, value in filters.expressions(parameters.get("filter")):
        if field not in LOG_FIELDS:
            raise ApiError(141, field)
        if field == "dateTime":
            value = filters.each(value, filters.moment(account, account.switches["log_zone"]))
        parts.append(filters.compare(LOG_FIELDS[field], operator, value))
    return parts


def log_record(account: Account, number: int, at: str, module: str, action: str, user: int, resource: int) -> Row:
    named = str(resource) if account.switches["log_resource_ids"] or action != "delete" else ""
    when = account.shown(at, account.switches["log_zone"])
    elements = {"id": str(number), "action": action, "module": module, "userId": str(user), "dateTime": when}
    return record(number, "Log", {**elements, "resourceId": named, "resourceTable": module, "resourcePk": named})


CALLS: Calls = {
    ("get", "fields"): fields,
    ("get", "filters"): saved_filters,
    ("get", "actionkindtypes"): kinds,
    ("get", "confignewaddressfields"): field_values,
    ("read", "log"): log,
}
