"""CSV for spreadsheets (RFC 4180): a cell that such a program would take for a formula is made text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how OWASP says that formulas begin


def csv_of(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """Lines with their CR LF, the heading first; what a row lacks is empty."""
    yield _line(columns)
    for row in rows:
        yield _line([_cell(row.get(name, "")) for name in columns])


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
