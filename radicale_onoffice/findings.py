"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, NOTE, BAD = "ok", "note", "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One checked thing: "ok", "note" or "problem", what was seen, and what to do."""

    check: str
    state: str
    seen: str
    advice: str = ""
