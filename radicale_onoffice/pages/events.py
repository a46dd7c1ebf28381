"""The audit log in the visitor's language.

The core keeps its lines in English, as they were said; those that it can say are recognised here and said again. What is not known here, and
what onOffice itself said, is shown as it was kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from markupsafe import Markup

from radicale_onoffice.core import reports
from radicale_onoffice.core.clients import client_of
from radicale_onoffice.core.model import AuditLine, Face, Kind
from radicale_onoffice.pages.language import LANGUAGES, Voice

Match = re.Match[str]
GATE = re.compile(r"gate (?P<word>opened|closed): (?P<gate>\w+)(?: (?P<kind>\w+))?")
ACTOR = re.compile(r"(?P<face>page|admin cli|cli|eas|device|dav|crm)(?: (?P<name>.*))?")
LOCKED = re.compile(r"after (?P<n>\d+) wrong passwords, last from (?P<origin>.*)")
ALSO_OF = re.compile(r"(?P<device>.*), also a device of (?P<others>.*)")
CRM_SAYS = re.compile(r"onOffice says '(?P<word>.*)'")
SIGNED = re.compile(r"(?P<what>rights|switches|other channels|groups): (?P<parts>[+-].*)")
FROM_TO = re.compile(r"(?P<what>state|sync right|admin|language): (?P<was>\w*) to (?P<now>\w*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A line of the log in words, those of others escaped where they stand within ours; ``login`` and ``detail`` may be empty."""

    at: datetime
    login: str
    event: str
    actor: str
    detail: str


def records_in(lines: Iterable[AuditLine]) -> list[str]:
    """The records that lines tell of."""
    return [line.detail.partition(": ")[0] for line in lines if line.event in (reports.DEVIATION, reports.REFUSED)]


def said(line: AuditLine, titles: Mapping[str, str], text: Voice) -> Said:
    """A line in words; ``titles`` are what people call the records."""
    return Said(
        at=line.at, login=line.login, event=event(line.event, text), actor=actor(line.actor, text), detail=detail(line, titles, text)
    )


def event(kept: str, text: Voice) -> str:
    """What happened."""
    gate = GATE.fullmatch(kept)
    if gate is not None and text.has(key := f"log_{gate['word']}_{gate['gate']}"):
        return text(key, kind=word(gate["kind"] or "", text))
    for pattern, say in EVENTS:
        found = pattern.fullmatch(kept)
        if found:
            return say(found, text)
    key = "log_" + re.sub(r"\W+", "_", kept)
    return text(key) if text.has(key) else kept


def actor(kept: str, text: Voice) -> str:
    """Who did it."""
    if kept == "the next new device":
        return text("by_next_device")
    found = ACTOR.fullmatch(kept)
    if found is None:
        return kept
    face, name = found["face"], found["name"] or ""
    if face == "crm":
        return "onOffice"
    if face == "page":
        return text("by_page", login=name) if name else kept
    if face.endswith("cli"):
        return text("by_cli_name", name=name) if name else text("by_cli")
    if face == Face.DAV:
        client = client_of(Face.DAV, name)
        return text("by_program", name=client.label) if client else text("by_a_program")
    return text("by_phone", id=name) if name else text("by_a_phone")


def detail(line: AuditLine, titles: Mapping[str, str], text: Voice) -> str:
    """What more is known of it."""
    kept = line.detail
    if line.event in (reports.DEVIATION, reports.REFUSED):
        about, _, why = kept.partition(": ")
        title = titles.get(about) or text("told_new" if about.startswith("new ") else "detail_entry")
        return Markup("{}: {}").format(title, text.reason(why)) if why else text.reason(about)
    if kept.isdigit() and len(kept) < len(str(10**9)):
        return text("detail_contacts" if line.event.startswith("contacts") else "detail_sessions", n=int(kept))
    for pattern, key in DETAILS:
        found = pattern.fullmatch(kept)
        if found:
            values: dict[str, object] = dict(found.groupdict())
            return text(key, **values | {"n": int(found["n"])} if "n" in values else values)
    return Markup("; ").join(_part(part, text) for part in kept.split("; ")) if line.event in ("changed", "password changed") else kept


def _part(part: str, text: Voice) -> str:
    """One thing that changed of a user (``core.audit.difference``)."""
    signed, moved = SIGNED.fullmatch(part), FROM_TO.fullmatch(part)
    if signed:
        parts = Markup(", ").join(Markup("{} {}").format(one[:1], word(one[1:], text)) for one in signed["parts"].split(" "))
        return text("detail_signed", what=_name(signed, text), parts=parts)
    if moved:
        return text("detail_from_to", what=_name(moved, text), was=word(moved["was"], text), now=word(moved["now"], text))
    return part


def _name(found: Match, text: Voice) -> str:
    return text("part_" + found["what"].replace(" ", "_"))


def word(kept: str, text: Voice) -> str:
    """A kind, a right of a kind, a language, a state, yes or no; any other word as it is."""
    if kept in LANGUAGES:
        return LANGUAGES[kept]
    kind, _, right = kept.partition(".")
    if right and text.has(kind) and text.has(f"right_{right}"):
        return Markup("{}: {}").format(text(kind), text(f"right_{right}"))
    if kept in list(Kind):
        return text(kept)
    return text(f"word_{kept}") if text.has(f"word_{kept}") else kept


DETAILS: Sequence[tuple[re.Pattern[str], str]] = (
    (LOCKED, "detail_locked"),
    (ALSO_OF, "detail_also_of"),
    (CRM_SAYS, "detail_crm_says"),
    (re.compile(r"onOffice does not have this user any more"), "detail_crm_gone"),
)
EVENTS: Sequence[tuple[re.Pattern[str], Callable[[Match, Voice], str]]] = (
    (
        re.compile(r"restarted: (?P<kinds>.*)"),
        lambda found, text: text("log_restarted", kinds=Markup(", ").join(word(kind, text) for kind in found["kinds"].split(", "))),
    ),
    (re.compile(r"language: (?P<name>\w+)"), lambda found, text: text("log_language", name=word(found["name"], text))),
    (
        re.compile(r"device resync of (?!everything)(?P<kind>\w+)"),
        lambda found, text: text("log_device_resync", kind=word(found["kind"], text)),
    ),
    (re.compile(r"device resync of everything"), lambda _found, text: text("log_device_resync_everything")),
    (
        re.compile(r"device removed, not seen since (?P<day>\d{4}-\d\d-\d\d)"),
        lambda found, text: text("log_device_forgotten", day=text.day(date.fromisoformat(found["day"]))),
    ),
)
