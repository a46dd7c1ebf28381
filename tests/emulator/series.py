"""The days of a series: one of four types, an interval, an end, excluded days (contract 6.4)."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from .account import STAMP

ENDLESS = date(2100, 12, 31)
NEVER = "0000-00-00"


def day(text: str) -> date:
    return date.fromisoformat(text[:10])


def anchors(data: dict[str, Any], month_end: object) -> Iterator[date]:
    """First days of the occurrences, the excluded ones left out."""
    first = day(data["rp_beginn_datum"])
    last = day(data["rp_ende_datum"]) if data["rp_ende_status"] == "1" and data["rp_ende_datum"] != NEVER else ENDLESS
    step, number = max(1, data["rp_tage"]), 0
    while True:
        one = moved(first, data["rp_type"], step * number, month_end)
        number += 1
        if one is None:
            continue
        if one > last:
            return
        if one.isoformat() not in data["rp_exception"]:
            yield one


def moved(first: date, kind: str, steps: int, month_end: object) -> date | None:
    """The day some steps later; None for a month without that day."""
    if kind in ("t", "w"):
        return first + timedelta(days=steps * (7 if kind == "w" else 1))
    months = first.year * 12 + first.month - 1 + steps * (12 if kind == "j" else 1)
    year, month = divmod(months, 12)
    length = calendar.monthrange(year, month + 1)[1]
    if first.day > length and month_end == "skip":
        return None
    return date(year, month + 1, min(first.day, length))


def is_series(data: dict[str, Any]) -> bool:
    return bool(data["rp_flag"]) and data["rp_type"] in ("t", "w", "m", "j")


def occurrences(data: dict[str, Any], first: date, last: date, month_end: object) -> Iterator[tuple[str, str]]:
    """Start and end, wall time, of what touches the days from first to last."""
    start, end = (datetime.strptime(data[key], STAMP) for key in ("start_dt", "end_dt"))
    if not is_series(data):
        if start.date() <= last and end.date() >= first:
            yield data["start_dt"], data["end_dt"]
        return
    if data["rp_beginn_datum"] == NEVER:  # anchored nowhere: in no window
        return
    for one in anchors(data, month_end):
        if one > last:
            return
        begin = datetime.combine(one, start.time())
        finish = begin + (end - start)
        if finish.date() >= first:
            yield begin.strftime(STAMP), finish.strftime(STAMP)
