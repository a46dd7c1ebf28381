"""CSV for spreadsheets (RFC 4180): a cell that such a program would take for a formula is made text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how OWASP says that formulas begin
TYPE = "text/csv; charset=utf-8"


def lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Lines with their CR LF, the heading first."""
    yield _line(columns)
    for row in rows:
        yield _line([_harmless(cell) if isinstance(cell, str) else cell for cell in row])


def file(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """The lines as a file with a byte order mark, which spreadsheets want for UTF-8."""
    return b"\xef\xbb\xbf" + "".join(lines(columns, rows)).encode("utf-8", "replace")


def _line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell
