"""Long lists: their addresses and their pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

EXPORT_PAGE = 100  # rows that are read at once for an export


def path(*segments: str) -> str:
    """A path of these segments, whatever they hold."""
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list: where it is, what was asked, and how much there is. Pages are counted from 1."""

    where: str
    query: Mapping[str, str]
    page: int
    total: int
    size: int

    @property
    def pages(self) -> int:
        """How many there are; at least one."""
        return max(1, -(-self.total // self.size))

    def url(self, page: int) -> str:
        """The address of another page of it, below the pages' own."""
        asked = {name: value for name, value in self.query.items() if value}
        return f"{self.where}?{urlencode({**asked, 'page': page})}"

    def urls(self, base: str) -> Callable[[int], str]:
        """From a page's number to its whole address."""
        return lambda page: base + self.url(page)

    def export(self) -> str:
        """The address of all of it as CSV."""
        return f"{self.where}.csv?{urlencode({name: value for name, value in self.query.items() if value})}"
