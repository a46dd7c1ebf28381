"""The filter of list calls as SQL, and the other parameters that lists share (contract 3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from .account import Account, Row
from .errors import ApiError

Sql = tuple[str, tuple[Any, ...]]
COMPARISONS = {"is": "=", "=": "=", ">": ">", "<": "<", ">=": ">=", "<=": "<=", "!=": "<>", "<>": "<>"}
MULTISELECT_ALLOWS = {"is", "=", "!=", "<>", "like", "not like", "in", "not in"}
Special = Callable[[str, str, Any], Sql | None]


def both(*parts: Sql) -> Sql:
    return " AND ".join(f"({sql})" for sql, _ in parts) or "1", tuple(value for _, values in parts for value in values)


def limit(account: Account, parameters: Row, default: int = 20) -> int:
    """Rows that a listlimit gives: 20 when missing or negative, and over 500 (seen with estates) 20 again."""
    asked = parameters.get("listlimit")
    if asked is None or asked == "":
        return default
    asked = integer(asked, "listlimit")
    if asked > 500:
        return int(account.switches["over_limit"])
    return asked if asked >= 0 else 20


def offset(parameters: Row) -> int:
    return max(0, integer(parameters.get("listoffset") or 0, "listoffset"))


def integer(value: Any, name: str) -> int:
    if isinstance(value, bool) or not str(value).lstrip("-").isdigit():
        raise ApiError(228, name)
    return int(value)


def expressions(filter_: Any) -> list[tuple[str, str, Any]]:
    """Field, operator, value of every expression; all are linked with AND."""
    if not filter_:  # PHP's empty map is []
        return []
    if not isinstance(filter_, dict):
        raise ApiError(257, "filter is no object")
    found = []
    for field, ones in filter_.items():
        for one in ones if isinstance(ones, list) else [ones]:
            if not isinstance(one, dict) or "op" not in one or "val" not in one:
                raise ApiError(257, field)
            found.append((field, str(one["op"]).lower(), one["val"]))
    return found


def compare(expression: str, operator: str, value: Any) -> Sql:
    """One expression as SQL; 142 unknown operator, 257 a value that does not fit it."""
    if operator in COMPARISONS:
        if isinstance(value, list | dict):
            raise ApiError(257, operator)
        return f"{expression} {COMPARISONS[operator]} ?", (value,)
    if operator in ("like", "not like"):
        return f"{expression} {operator.upper()} ?", (str(value),)
    if operator in ("in", "not in"):
        if not isinstance(value, list):
            raise ApiError(257, operator)
        return f"{expression} {operator.upper()} ({', '.join('?' * len(value))})", tuple(value)
    if operator == "between":
        if not isinstance(value, list) or len(value) != 2:
            raise ApiError(257, operator)
        return f"{expression} BETWEEN ? AND ?", tuple(value)
    raise ApiError(142, operator)


def each(value: Any, change: Callable[[Any], Any]) -> Any:
    return [change(one) for one in value] if isinstance(value, list) else change(value)


def number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ApiError(257, value) from error


def moment(account: Account, zone: Any) -> Callable[[Any], str]:
    """Reads a filter's time, which is written in the zone of the field."""

    def read(value: Any) -> str:
        try:
            return account.stored(str(value), zone)
        except ValueError as error:
            raise ApiError(122) from error

    return read


def day(value: Any) -> str:
    """The date in a parameter, whose time does not count."""
    try:
        return datetime.strptime(str(value)[:10], "%Y-%m-%d").strftime("%Y-%m-%d")
    except ValueError as error:
        raise ApiError(122) from error


def condition(account: Account, module: str, filter_: Any, special: Special) -> Sql:
    """The filter of a module's list as SQL over ``record``; ``special`` knows the fields that are more than a value."""
    parts: list[Sql] = []
    for field, operator, value in expressions(filter_):
        known = special(field, operator, value)
        if known is not None:
            parts.append(known)
            continue
        configured = account.fields[module].get(field)
        if configured is None:
            raise ApiError(141, field)
        parts.append(plain(field, configured["type"], operator, value))
    return both(*parts)


def plain(field: str, kind: str, operator: str, value: Any) -> Sql:
    expression = f"""COALESCE(json_extract(data, '$."{field}"'), '')"""
    if kind in ("integer", "float"):
        if "like" not in operator:
            value = each(value, number)
        return compare(f"CAST({expression} AS REAL)", operator, value)
    if kind == "boolean":
        truth = {"true": 1, "false": 0, "": 0}
        return compare(f"CAST({expression} AS INTEGER)", operator, each(value, lambda one: truth.get(str(one).lower(), one)))
    if kind == "multiselect":
        return multiselect(expression, operator, value)
    return compare(expression, operator, each(value, str))


def multiselect(expression: str, operator: str, value: Any) -> Sql:
    """A multiselect holds |A||B|; equal means that the value is among them."""
    if operator not in MULTISELECT_ALLOWS:
        raise ApiError(232)
    negative = operator in ("!=", "<>", "not like", "not in")
    wanted = value if isinstance(value, list) else [value]
    if "like" not in operator:
        wanted = [f"%|{one}|%" for one in wanted]
    some = " OR ".join([f"{expression} LIKE ?"] * len(wanted)) or "0"
    return f"{'NOT ' if negative else ''}({some})", tuple(map(str, wanted))
