"""The phone book of an address: numbers, fax numbers and e-mails (contract 5.1, 5.3, 5.4).

Reading names entries by keys with their number; writing names them by their old value only.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .account import Account, Row
from .errors import ApiError
from .filters import Sql, compare, each

READ_KEYS = ("phone", "mobile", "fax", "email", "defaultphone", "defaultfax", "defaultemail")
WRITE_KEYS = {
    "phone": ("phone", ""),
    "phone_private": ("phone", "private"),
    "phone_business": ("phone", "business"),
    "mobile": ("phone", "mobile"),
    "fax": ("fax", ""),
    "fax_private": ("fax", "private"),
    "fax_business": ("fax", "business"),
    "email": ("email", ""),
    "email_private": ("email", "private"),
    "email_business": ("email", "business"),
}
DEFAULT_KEYS = {"default_phone": "phone", "default_fax": "fax", "default_email": "email"}
GERMAN_MOBILE = re.compile(r"^(\+49|0049|0)1[567]")  # which prefixes the service takes is not documented


class Entry(NamedTuple):
    id: int
    what: str
    type: str
    value: str
    comment: str
    standard: bool


def of(account: Account, address: int) -> list[Entry]:
    sql = "SELECT id, what, type, value, comment, standard FROM entry WHERE address = ? ORDER BY id"
    found = [Entry._make((*row[:5], bool(row[5]))) for row in account.query(sql, address)]
    how = account.switches["entry_order"]
    if how == "reversed":
        found.reverse()
    return sorted(found, key=lambda one: one.value) if how == "value" else found


# ------------------------------------------------------------------ reading


def shown(account: Account, asked: str, own: list[Entry]) -> dict[str, str]:
    """The keys and values that one key of ``data`` gives."""
    default = asked.startswith("default")
    what = asked.removeprefix("default")
    only_default = default or account.switches["entries_read"] == "default"
    keys: dict[str, str] = {}
    for place, one in enumerate(own, 1):
        # a default is shown whatever its type; "phone" leaves out the mobile ones
        mine = (one.what == what and (default or one.type != "mobile")) or (what == "mobile" and one.type == "mobile")
        if mine and (one.standard or not only_default):
            key = name(account, one, default, place)
            keys[key] = one.value
            if one.comment:
                keys[f"{key}__Comment"] = one.comment
    return keys


def name(account: Account, one: Entry, default: bool, place: int) -> str:
    style = account.switches["default_keys" if default else "typed_keys"]
    number = one.id if account.switches["entry_ids"] == "stable" else one.id * 100 + place
    if default:
        return {"prefixed": f"default{one.what}__{number}", "plain": f"{one.what}__{number}", "bare": f"default{one.what}"}[str(style)]
    if one.type == "mobile":
        return "mobile" if style == "bare" else f"mobile__{number}"
    if style == "untyped":
        return f"{one.what}__{number}"
    glue = "_" if one.type and style in ("underscore", "bare") else ""
    head = f"{one.what}{glue}{one.type}"
    return head if style == "bare" else f"{head}__{number}"


def having(account: Account, field: str, operator: str, value: Any, *, only_default: bool = False) -> Sql:
    """Addresses with an entry that fits a filter."""
    expression = "value"
    if account.switches["match_entries"] == "digits" and field != "email":
        expression = "replace(replace(replace(replace(replace(value, ' ', ''), '-', ''), '/', ''), '(', ''), ')', '')"
        value = each(value, lambda one: re.sub(r"[ /()-]", "", str(one)))
    sql, values = compare(expression, operator, value)
    which = "type = 'mobile'" if field == "mobile" else f"what = '{field}'"
    default = " AND standard" if only_default else ""
    return f"id IN (SELECT address FROM entry WHERE {which}{default} AND {sql})", values


# ------------------------------------------------------------------ writing


def checked(value: Any) -> str:
    """The value of an entry: 187 a list, 300 no text or an empty one."""
    if isinstance(value, list | dict):
        raise ApiError(187)
    if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
        raise ApiError(300)
    return str(value)


def check_defaults(wanted: list[tuple[tuple[str, str], str]], defaults: dict[str, str]) -> None:
    """A default has to be one of the given values."""
    for what, value in defaults.items():
        if value not in [one for (kind, _), one in wanted if kind == what]:
            raise ApiError(260) if what == "phone" else ApiError(258, what)


def add(account: Account, address: int, what: str, type_: str, value: str, *, standard: bool = False) -> int:
    """The number of the new entry."""
    if what == "phone" and account.switches["mobile_auto_type"] and GERMAN_MOBILE.match(re.sub(r"[ /()-]", "", value)):
        type_ = "mobile"
    first = not account.query("SELECT 1 FROM entry WHERE address = ? AND what = ?", address, what)
    sql = "INSERT INTO entry (address, what, type, value) VALUES (?, ?, ?, ?)"
    account.query(sql, address, what, type_, rewritten(account, what, value))
    number = account.query("SELECT last_insert_rowid()")[0][0]
    if standard or (first and account.switches["first_entry_is_default"]):
        make_default(account, address, what, number)
    return number


def rewritten(account: Account, what: str, value: str) -> str:
    if what == "email" or not account.switches["rewrite_numbers"]:
        return value
    return re.sub(r"^0", "+49 ", re.sub(r"[/()-]", " ", value).strip()).replace("  ", " ")


def make_default(account: Account, address: int, what: str, number: int) -> None:
    account.query("UPDATE entry SET standard = (id = ?) WHERE address = ? AND what = ?", number, address, what)


def operate(account: Account, address: int, what: str, type_: str, operation: Row) -> None:
    """Add, modify or delete one entry of a type."""
    action = operation.get("action")
    if not action:
        raise ApiError(81)
    if action not in ("add", "modify", "delete"):
        raise ApiError(82)
    default = str(operation.get("default", "")).lower() in ("1", "true")
    if action == "add":
        add(account, address, what, type_, new_value(operation), standard=default)
        return
    one = find(account, address, what, type_, operation.get("oldvalue"))
    if action == "delete":
        remove(account, address, one)
        return
    value = new_value(operation)
    if value == one.value and not account.switches["default_by_same_value"]:
        raise ApiError(259, what)
    if what == "phone" and account.switches["mobile_auto_type"] and GERMAN_MOBILE.match(re.sub(r"[ /()-]", "", value)):
        type_ = "mobile"
    account.query("UPDATE entry SET value = ?, type = ? WHERE id = ?", rewritten(account, what, value), type_, one.id)
    if default:
        make_default(account, address, what, one.id)
    elif "default" in operation:
        account.query("UPDATE entry SET standard = 0 WHERE id = ?", one.id)


def new_value(operation: Row) -> str:
    if operation.get("newvalue") in (None, ""):
        raise ApiError(85)
    return checked(operation["newvalue"])


def find(account: Account, address: int, what: str, type_: str, old: Any) -> Entry:
    """The one entry of the type with the old value."""
    if old in (None, ""):
        raise ApiError(86)
    digits = account.switches["match_entries"] == "digits" and what != "email"

    def form(text: Any) -> str:
        return re.sub(r"[ /()-]", "", str(text)) if digits else str(text)

    found = [one for one in of(account, address) if (one.what, one.type) == (what, type_) and form(one.value) == form(old)]
    if len(found) != 1:
        raise ApiError(87 if found else 83)
    return found[0]


def remove(account: Account, address: int, one: Entry) -> None:
    account.query("DELETE FROM entry WHERE id = ?", one.id)
    rest = [other for other in of(account, address) if other.what == one.what]
    if one.standard and rest and account.switches["deleted_default_promotes"]:
        make_default(account, address, one.what, rest[0].id)
