"""The core's sentences about what became of a change, in the visitor's language.

The core speaks English, in logs and to clients, and its sentences are kept in the audit log as they were said. Those that people meet on
their pages are recognised here and said again; of any other, and of what onOffice itself says, whoever asks decides how it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from radicale_onoffice.core.rights import REASONS

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
    (r"Synchronisation of (?P<kind>contacts|appointments|tasks) is off: (?P<gates>.*)\.", "reason_off"),
    (r"The record changed meanwhile .*", "reason_conflict"),
    (r"There is no (contact|record) .*|onOffice has no record .* any more\.|The record .* is removed\.", "reason_gone"),
    (r"There is no user .(?P<login>.*). of tenant .*", "reason_no_user"),
    (r"The user .* has no device .*", "no_such_device"),
    (r"This is for administrators\.", "reason_admins"),
    (r"You cannot deactivate yourself\.", "reason_not_yourself"),
    (r"You cannot take the right from yourself; another administrator can\.", "reason_right_of_yours"),
    (r"Whether synchronisation is booked is a matter of the whole tenant\.|This concerns all tenants; .*", "reason_installation"),
    (r"Choose 1 to (?P<most>\d+) users at once, not \d+\.", "choose_users"),
    (r"Choose 1 to (?P<most>\d+) contacts at once, not \d+\.", "reason_contacts_at_once"),
    (r"At most (?P<most>\d+) characters can be searched for\.", "reason_search"),
    (r"A page has 1 to \d+ rows, and pages are counted from 0 to \d+\.|There is no language .*|unknown right .*", "not_found"),
    (r"The contact has no entry \d+\.|The slot .* is of the kind .*|This is no assignment of a number\.", "reason_assignment"),
    (r"A message has 1 to (?P<most>\d+) printable characters\.", "reason_message"),
    (r"Clients come again after (?P<least>\d+) to (?P<most>\d+) seconds\.", "reason_retry"),
    (r"Passwords are kept by another server here; change yours there\.", "password_elsewhere"),
    (r"A new password has (?P<least>\d+) to \d+ characters and is not the old one\.", "password_not_taken"),
    (r"The login or the password is wrong\.", "sign_in_failed"),
    (r"Synchronisation is switched off; switch it on, then devices begin anew\.", "restart_nothing"),
    (r"The name under which this server was asked is none that a device could be told\.", "reason_host"),
    (r"You have (?P<limit>\d+) devices already; .*", "reason_devices"),
    (r".* is too large: \d+, at most \d+ are accepted\.", "reason_large"),
    (r"This entry cannot be shown on a device; .*", "reason_not_shown"),
    (r"onOffice does not answer: .*", "reason_crm_silent"),
    (r"onOffice did not answer a change of this record, and whether it was made is not known yet\.", "reason_crm_unsure"),
    (r"onOffice refused to [^:]+: (?P<words>.*)|onOffice cannot (?!hold)[^:]+: (?P<also>.*)", "reason_crm_refused"),
    (r"onOffice does not have this record, because it refused to make it\.", "reason_crm_never"),
    (r"onOffice has no user .(?P<login>.*).; names of users have to be the same there\.", "reason_crm_no_user"),
    (r"onOffice has no group .(?P<name>.*).\.", "reason_crm_no_group"),
    (r"What onOffice holds cannot be understood: .* Mend it there\.", "reason_crm_odd"),
)
PATTERNS = [(re.compile(pattern), key) for pattern, key in SENTENCES]


def spoken(sentence: str, speak: Callable[..., str], day: Callable[[str], str]) -> str | None:
    """The sentence again; ``speak`` gives a text by its key, ``day`` writes an ISO 8601 date. None if a part of it is unknown."""
    try:
        whole = _again(sentence, speak, day)
        if whole is not None:
            return whole
        parts = [_again(part, speak, day) for part in sentence.split("; ", 1)]
    except ValueError:  # what looks like a day is none: others may have said it
        return None
    return Markup(" ").join(part for part in parts if part) if None not in parts else None


def _again(sentence: str, speak: Callable[..., str], day: Callable[[str], str]) -> str | None:
    for pattern, key in PATTERNS:
        found = pattern.fullmatch(sentence)
        if found:
            said = found.groupdict()
            return speak(key, **_values(said, speak)) if key else _stored(said, speak, day)
    return None


def _values(said: Mapping[str, str | None], speak: Callable[..., str]) -> Mapping[str, str]:
    values = {name: value for name, value in said.items() if value is not None}
    if "also" in values:
        values["words"] = values.pop("also")
    if "gates" in values:
        values["gates"] = Markup(" ").join(speak(f"gate_{gate}") for gate, words in REASONS.items() if words in values["gates"])
    if "kind" in values:
        values["kind"] = speak(values["kind"])
    if "right" in values:
        values["right"] = speak(f"right_{values['right']}")
    return values


def _stored(said: Mapping[str, str | None], speak: Callable[..., str], day: Callable[[str], str]) -> str:
    every = speak(f"every_{said['unit']}", n=int(said["number"] or 1))
    start, end = said["start"] or "", said["end"]
    return (
        speak("reason_stored_until", every=every, start=day(start), end=day(end))
        if end
        else speak("reason_stored", every=every, start=day(start))
    )
