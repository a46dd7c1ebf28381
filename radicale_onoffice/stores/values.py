"""JSON of the core's values. Unknown keys of a newer version are ignored, missing ones get their default."""

from __future__ import annotations

import functools
import json
from base64 import b64decode, b64encode
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import cattrs

from radicale_onoffice.core.model import VALUE_TYPES, Kind, Leftovers, Value

SMALL = 4096  # characters of JSON; a contact with a picture is not worth remembering
_converter = cattrs.Converter(omit_if_default=True, forbid_extra_keys=False)


def _dump_moment(moment: datetime | date) -> str:
    """``2026-03-15`` for a day, ``2026-03-15T09:30:00+01:00[Europe/Berlin]`` for a moment: the zone outlives a change of its rules."""
    if not isinstance(moment, datetime):
        return moment.isoformat()
    if not isinstance(moment.tzinfo, ZoneInfo):
        raise TypeError(f"a moment needs a ZoneInfo, not {moment.tzinfo!r}")
    return f"{moment.isoformat()}[{moment.tzinfo.key}]"


def _load_moment(text: str) -> datetime | date:
    if "T" not in text:
        return date.fromisoformat(text)
    stamp, _, zone = text.rstrip("]").partition("[")
    # The offset told which of two equal wall times was meant in the night when the clocks go back.
    return datetime.fromisoformat(stamp).astimezone(ZoneInfo(zone))


for kind_of_time in (datetime, date, datetime | date):
    _converter.register_unstructure_hook(kind_of_time, _dump_moment)
    _converter.register_structure_hook(kind_of_time, lambda text, _: _load_moment(text))
for optional in (datetime | date | None, datetime | None, date | None):
    _converter.register_unstructure_hook(optional, lambda moment: None if moment is None else _dump_moment(moment))
    _converter.register_structure_hook(optional, lambda text, _: None if text is None else _load_moment(text))
_converter.register_unstructure_hook(bytes, lambda data: b64encode(data).decode())
_converter.register_structure_hook(bytes, lambda text, _: b64decode(text))


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def dump_value(value: Value) -> str:
    """JSON of a contact, appointment or task."""
    return _json(_converter.unstructure(value))


def load_value(kind: Kind, text: str) -> Value:
    """The value of a kind; raises ValueError or TypeError for JSON that is none."""
    return _load_small(kind, text) if len(text) <= SMALL else _structured(kind, text)


def _structured(kind: Kind, text: str) -> Value:
    return _converter.structure(json.loads(text), VALUE_TYPES[kind])


# Values are frozen, and every window looks at the same series again: what is structured once need not be again.
_load_small = functools.lru_cache(maxsize=2048)(_structured)


def dump_leftovers(leftovers: Leftovers) -> str:
    """JSON of leftovers; most records of the CRM's side have none."""
    return _json({"lines": leftovers.lines, "rule": leftovers.rule}) if leftovers != Leftovers() else ""


def load_leftovers(text: str) -> Leftovers:
    """Leftovers out of their JSON."""
    if not text:
        return Leftovers()
    data = json.loads(text)
    return Leftovers(lines=tuple(data["lines"]), rule=data["rule"])
