"""The core's sentences about what became of a change, in the visitor's language.

The core speaks English, in logs and to clients, and its sentences are kept in the audit log as they were said. Those that people meet on
their pages are recognised here and said again; any other, and what onOffice itself says, is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

# Sentence of the core with what varies in it, and the text that says the same
SENTENCES: Sequence[tuple[str, str]] = (
    (r"onOffice cannot hold (several rules or extra dates|repetition \w+)", "reason_rule"),
    (r"onOffice cannot hold (?P<parts>[A-Z, ]+) in a repetition", "reason_parts"),
    (r"onOffice cannot hold a repetition on the n-th weekday", "reason_nth_weekday"),
    (r"onOffice cannot hold a repetition on chosen weekdays", "reason_weekdays"),
    (r"onOffice cannot hold a repetition on other days of the month than the first appointment's", "reason_month_days"),
    (r"onOffice cannot hold a repetition in chosen months", "reason_months"),
    (r"onOffice cannot hold a yearly repetition in every month", "reason_yearly"),
    (r"onOffice cannot hold an interval of (?P<interval>\d+)", "reason_interval"),
    (r"only the first appointment is stored\.", "reason_first_only"),
    (r"stored is every (?:(?P<number>\d+) )?(?P<unit>day|week|month|year)s? from (?P<start>[-\d]+)(?: until (?P<end>[-\d]+))?\.", ""),
    (r"A recurring task was sent; onOffice has none, so only the first one is stored\.", "reason_task"),
    (r"The (?P<kind>contacts|appointments|tasks) are synchronised to devices only; change them in onOffice\.", "reason_direction"),
    (
        r"You may not (?P<right>read|create|modify|delete) (?P<kind>contacts|appointments|tasks) in onOffice; ask your administrator for the right\.",
        "reason_right",
    ),
    (r"This record lies outside of what is synchronised to you; change it in onOffice\.", "reason_reach"),
    (r"This appointment lies outside the period that is synchronised to you; change it in onOffice\.", "reason_period"),
    (r"Contacts are taken off a device in onOffice, by clearing their Sync flag\.", "reason_flag"),
    (r"Phones are not erased here: activesync_full_wipe is off\. Have the account wiped instead\.", "reason_no_erase"),
    (r"An administrator has had this phone kept out or wiped; only an administrator can change that\.", "reason_ordered"),
    (r"You take part in this appointment through a group; leave it in onOffice\.", "reason_group"),
)
PATTERNS = [(re.compile(pattern), key) for pattern, key in SENTENCES]


def spoken(sentence: str, speak: Callable[..., str], day: Callable[[str], str]) -> str:
    """The sentence again; ``speak`` gives a text by its key, ``day`` writes an ISO 8601 date. As it is if a part of it is unknown."""
    try:
        whole = _again(sentence, speak, day)
        if whole is not None:
            return whole
        parts = [_again(part, speak, day) for part in sentence.split("; ", 1)]
    except ValueError:  # what looks like a day is none: others may have said it
        return sentence
    return " ".join(part for part in parts if part) if None not in parts else sentence


def _again(sentence: str, speak: Callable[..., str], day: Callable[[str], str]) -> str | None:
    for pattern, key in PATTERNS:
        found = pattern.fullmatch(sentence)
        if found:
            said = found.groupdict()
            return speak(key, **_values(said, speak)) if key else _stored(said, speak, day)
    return None


def _values(said: Mapping[str, str], speak: Callable[..., str]) -> Mapping[str, str]:
    values = dict(said)
    if "kind" in said:
        values["kind"] = speak(said["kind"])
    if "right" in said:
        values["right"] = speak(f"right_{said['right']}")
    return values


def _stored(said: Mapping[str, str | None], speak: Callable[..., str], day: Callable[[str], str]) -> str:
    every = speak(f"every_{said['unit']}", n=int(said["number"] or 1))
    start, end = said["start"] or "", said["end"]
    return (
        speak("reason_stored_until", every=every, start=day(start), end=day(end))
        if end
        else speak("reason_stored", every=every, start=day(start))
    )
