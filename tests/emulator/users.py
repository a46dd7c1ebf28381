"""Users, groups, and what a user may do with records (contract 4, 8.1)."""

from __future__ import annotations

from typing import Any

from . import filters
from .account import Account, Row
from .addresses import field_value
from .envelope import Call, Calls, Result, record
from .errors import ApiError

ONLINE = {"words": ("active", "locked", "deactivated"), "numbers": ("1", "0", "-1")}
STATES = ("active", "locked", "deactivated")
GROUP_FILTERS = {"officeGroups": ("GroupOffice",), "noRegionGroups": ("GroupOffice", "GroupGeneral")}


def read(account: Account, call: Call) -> Result:
    """Needs a right of its own (170), but for the own user by resourceid; empty ``data`` gives no records."""
    wanted = call.parameters.get("data") or []
    for name in wanted:
        if name not in account.fields["user"]:
            raise ApiError(141, name)
    if call.number() != call.user and not account.may(call.user, "user", "read"):
        raise ApiError(170)
    if not wanted:
        return Result(total=0)
    parts = [filters.condition(account, "user", call.parameters.get("filter"), special(account))]
    if call.resourceid:
        parts.append(("id = ?", (call.number(),)))
    where = filters.both(*parts)
    most, start = filters.limit(account, call.parameters), filters.offset(call.parameters)
    rows = account.rows("user", *where, order=order(account, call.parameters.get("sortby")), limit=most, offset=start)
    records = [record(number, "user", {name: value(account, number, data, name) for name in wanted}) for number, data in rows]
    return Result(records=records, total=account.count("user", *where))


def special(account: Account) -> filters.Special:
    def known(field: str, operator: str, value: Any) -> filters.Sql | None:
        if field == "Nr":
            return filters.compare("id", operator, filters.each(value, filters.number))
        if field == "online":
            words = ONLINE[str(account.switches["online_values"])]
            stored = dict(zip(words, STATES, strict=True))
            return filters.compare("json_extract(data, '$.online')", operator, filters.each(value, lambda one: stored.get(str(one), one)))
        return None

    return known


def order(account: Account, by: Any) -> str:
    """An object of field and direction; there is no sortorder."""
    if not by:
        return "id"
    if not isinstance(by, dict) or any(name not in account.fields["user"] for name in by):
        raise ApiError(212)
    parts = []
    for name, direction in by.items():
        if str(direction).upper() not in ("ASC", "DESC"):
            raise ApiError(255, "sortby")
        parts.append("id" if name == "Nr" else f"""json_extract(data, '$."{name}"')""")
        parts[-1] += f" {direction}"
    return ", ".join([*parts, "id"])


def value(account: Account, number: int, data: Row, name: str) -> Any:
    if name == "Nr":
        return number
    if name == "online":
        return ONLINE[str(account.switches["online_values"])][STATES.index(data.get("online", "active"))]
    if name == "usesAccount:account.id":
        return "0" if data.get("online") == "locked" else "1"
    return field_value(account, account.fields["user"][name], data.get(name))


def short_list(account: Account, call: Call) -> Result:
    """``get users``: records without type, numbers as ids, no total."""
    kind = call.parameters.get("userfilter")
    rows = account.rows("user")
    if kind == "byGroupId":
        group = account.row("group", filters.integer(call.parameters.get("groupId", ""), "groupId"))
        if group is None:
            raise ApiError(272)
        rows = [row for row in rows if row[0] in group["users"]]
    elif kind == "onlyOwn":
        rows = [row for row in rows if row[0] == call.user]
    elif kind not in (None, "ownOfficeGroupOrAll"):
        raise ApiError(255, "userfilter")
    names = {"username": "Name", "firstname": "Vorname", "lastname": "Nachname", "email": "email", "meetingurl": "meetingUrl"}
    return Result(records=[record(n, None, {"id": n, **{key: data.get(stored, "") for key, stored in names.items()}}) for n, data in rows])


def groups(account: Account, call: Call) -> Result:
    """``get groups``: the source of memberships."""
    kind = call.parameters.get("groupfilter")
    if kind is not None and kind not in GROUP_FILTERS:
        raise ApiError(255, "groupfilter")
    rows = [(n, group) for n, group in account.rows("group") if kind is None or group["type"] in GROUP_FILTERS[kind]]
    return Result(records=[record(number, None, group_elements(number, group)) for number, group in rows])


def group_elements(number: int, group: Row) -> Row:
    return {
        "id": number,
        "name": group["name"],
        "abr": group.get("abr", ""),
        "userIds": group["users"],
        "groupType": group["type"],
        "leaders": [],
    }


def records_right(account: Account, call: Call) -> Result:
    """Which of the given records a user may read, modify, delete; one record with the list of the allowed ones."""
    parameters = call.parameters
    user, action, module, ids = (parameters.get(name) for name in ("userid", "action", "module", "recordIds"))
    if not isinstance(user, int) or isinstance(user, bool):
        raise ApiError(186)
    if not isinstance(ids, list) or any(not str(one).isdigit() for one in ids):
        raise ApiError(185)
    if action not in ("read", "modify", "delete", "create") or module not in ("address", "calendar", "task", "estate"):
        raise ApiError(255, "module" if action in ("read", "modify", "delete", "create") else "action")
    data = account.row("user", user)
    if data is None or data.get("online", "active") != "active":
        raise ApiError(184)
    allowed = [str(one) for one in ids if account.row(module, int(one)) is not None and account.may(user, module, action, int(one))]
    return Result(records=[record(0, "", allowed)], total=len(allowed), cacheable=False)


CALLS: Calls = {
    ("read", "user"): read,
    ("get", "users"): short_list,
    ("get", "groups"): groups,
    ("get", "checkuserrecordsright"): records_right,
}
