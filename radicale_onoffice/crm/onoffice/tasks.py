"""Tasks: the field table, with the pairs that mean something only together.

Status is written as a number and read as a German label; status and ``erledigt`` are independent in onOffice and always set together here
(rule 80). A deadline counts only with its check box. Names are read in one of several forms and written as logins; onOffice takes any
text there, so a name that it does not have is refused here. Every change is noted in the task's comments: only what changed is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

from radicale_onoffice.core.errors import Refused
from radicale_onoffice.core.model import Kind, Task, TaskStatus
from radicale_onoffice.core.tasks import is_completed
from radicale_onoffice.crm.onoffice.account import Account
from radicale_onoffice.crm.onoffice.fields import (
    Elements,
    Fields,
    Parameters,
    Row,
    as_number,
    asked_keys,
    at_wall,
    day_of,
    ids_of,
    is_plain,
    link_changes,
    moment_of,
    parameters,
    text,
    text_of,
    time_of,
    truth,
    value_of,
)
from radicale_onoffice.crm.onoffice.protocol import MAX_ROWS, Action, Verb
from radicale_onoffice.crm.onoffice.protocol import Row as Record

KIND = Kind.TASKS
RESOURCE = "task"
STAMP = "modified"  # perhaps to the day only
ADDRESSES, ESTATE, PROJECT = "task:address", "task:estate", "project:task:customer"  # the task is the last one's child
SIBLINGS = frozenset({"relatedAddressId", "relatedEstateId", "relatedProjectIds", "responsibilityByGroup"})
ONLY_MODIFIED = ("erledigt", "Stand")  # a create does not take them
LABELS: Mapping[str, TaskStatus] = {
    "nicht begonnen": TaskStatus.NOT_STARTED,
    "in bearbeitung": TaskStatus.IN_PROCESS,
    "erledigt": TaskStatus.COMPLETED,
    "zurückgestellt": TaskStatus.DEFERRED,
    "abgebrochen": TaskStatus.CANCELLED,
    "sonstiges": TaskStatus.MISCELLANEOUS,
    "geprüft": TaskStatus.CHECKED,
    "klärungsbedarf": TaskStatus.NEEDS_CLARIFICATION,
}
LAST_NUMBER = 10**9  # beyond any
WORKING_DAY = 8 * 60  # minutes of an effort of one "Tag"; how onOffice counts it is not documented
UNITS: Mapping[str, int] = {"minuten": 1, "stunden": 60, "tage": WORKING_DAY}


# ---------------------------------------------------------------------- when


def _when(elements: Elements, day_key: str, time_key: str, account: Account) -> datetime | date | None:
    """A day with an optional time in a second field; midnight is no time of day but the day alone."""
    day = day_of(elements.get(day_key))
    if day is None:
        return None
    clock = time_of(elements.get(day_key)) or time()
    if clock == time():
        clock = time_of(elements.get(time_key)) or time()
    return at_wall(day, clock, account.zone) if clock != time() else day


def _written(moment: datetime | date, account: Account) -> tuple[str, str]:
    """Day with time, and time alone, as onOffice keeps them."""
    if isinstance(moment, datetime):
        local = moment.astimezone(account.zone)
        return local.strftime("%Y-%m-%d %H:%M:%S"), local.strftime("%H:%M:%S")
    return f"{moment.isoformat()} 00:00:00", "00:00:00"


def _load_deadline(elements: Elements, account: Account) -> Fields:
    found: dict[str, Any] = {"deadline_strict": truth(elements["Deadline_strikt"])} if "Deadline_strikt" in elements else {}
    return found | ({"deadline": _when(elements, "Deadline", "Deadline_Zeit", account)} if "Deadline" in elements else {})


def _dump_deadline(value: Task, account: Account) -> Parameters:
    if value.deadline is None:
        return {"Deadline": "", "Deadline_Zeit": "", "Deadline_strikt": 0}
    day, clock = _written(value.deadline, account)
    return {"Deadline": day, "Deadline_Zeit": clock, "Deadline_strikt": int(value.deadline_strict)}


def _dump_deferred(value: Task, account: Account) -> Parameters:
    if value.deferred_until is None:
        return {"Beginnt_am": "", "Beginnt_um": ""}
    day, clock = _written(value.deferred_until, account)
    return {"Beginnt_am": day, "Beginnt_um": clock}


# ---------------------------------------------------------------------- what


def _load_status(elements: Elements, _account: Account) -> Fields:
    told = text_of(elements.get("Status")).strip().casefold()
    found: dict[str, Any] = {"done": truth(elements["erledigt"])} if "erledigt" in elements else {}
    if told.isascii() and told.isdigit() and int(told) in set(TaskStatus):
        found["status"] = TaskStatus(int(told))
    elif told in LABELS:
        found["status"] = LABELS[told]
    elif told:
        found["status"] = TaskStatus.MISCELLANEOUS  # a label that an account gave itself
    return found


def _load_priority(elements: Elements, _account: Account) -> Fields:
    told = text_of(elements["Prio"]).strip()
    return {"priority": int(told) if told in ("1", "2", "3", "4", "5") else 3}


def _load_progress(elements: Elements, _account: Account) -> Fields:
    told = text_of(elements["Stand"]).strip(" %")
    return {"progress": min(100, int(told)) if told.isascii() and told.isdigit() and len(told) < 4 else 0}


def _effort(elements: Elements, key: str, unit_key: str) -> int:
    unit = UNITS.get(text_of(elements.get(unit_key)).strip().casefold(), 1)
    try:
        return round(float(text_of(elements.get(key)).replace(",", ".") or 0) * unit)
    except (ValueError, OverflowError):
        return 0


def _effort_row(field: str, key: str) -> Row[Task]:
    unit_key = f"Einheit_{key.removesuffix('_NUM')}"
    return Row(
        fields=(field,),
        keys=(key, unit_key),
        load=lambda elements, _: {field: _effort(elements, key, unit_key)},
        dump=lambda value, _: {key: getattr(value, field), unit_key: "Minuten"} if getattr(value, field) else {key: 0},
        together=True,
    )


# ----------------------------------------------------------------------- who


def _load_responsible(elements: Elements, account: Account) -> Fields:
    """A group stands in a field of its own, or is only marked there."""
    group = text_of(elements.get("Verantwortung_Gruppe")).strip()
    if group in ("", "0"):
        return {"responsible": account.read_name(text_of(elements.get("Verantwortung"))), "responsible_is_group": False}
    name = text_of(elements.get("Verantwortung")).strip() if group == "1" else ""
    known = next((one.name for one in account.groups if group in (one.id, one.name)), group)
    return {"responsible": name or known, "responsible_is_group": True}


def _demand_people(before: Task | None, after: Task, account: Account) -> None:
    """Raise Refused for a new name that onOffice does not have: the task would be nobody's, without an error."""
    if before is None or (before.responsible, before.responsible_is_group) != (after.responsible, after.responsible_is_group):
        if after.responsible_is_group and not account.group_id(after.responsible):
            raise Refused(f"onOffice has no group {after.responsible!r}.")
        if not after.responsible_is_group and after.responsible:
            account.demand_user_id(after.responsible)
    if after.processor and (before is None or before.processor != after.processor):
        account.demand_user_id(after.processor)


def _linked(field: str, relation: str, key: str, *, many: bool) -> Row[Task]:
    """A link: read by relation (or where a single read shows it), named once in a create."""

    def read(elements: Elements, _account: Account) -> Fields:
        found = ids_of(elements[relation] if relation in elements else elements[key])
        return {field: found if many else next(iter(found), "")}

    return Row(fields=(field,), keys=(), load=read, dump=None, relations=(relation, key), reason="links are made by calls of their own")


# --------------------------------------------------------------------- table

TABLE: tuple[Row[Task], ...] = (
    text("subject", "Betreff"),
    text("description", "Aufgabe"),
    Row(
        fields=("responsible", "responsible_is_group"),
        keys=("Verantwortung", "Verantwortung_Gruppe"),
        load=_load_responsible,
        dump=lambda value, _: {"Verantwortung": value.responsible, "responsibilityByGroup": int(value.responsible_is_group)},
        together=True,
    ),
    Row(
        fields=("processor",),
        keys=("Bearbeiter",),
        load=lambda elements, account: {"processor": account.read_name(text_of(elements["Bearbeiter"]))},
        dump=lambda value, _: {"Bearbeiter": value.processor},
    ),
    Row(
        fields=("type",),
        keys=("Art",),
        load=lambda elements, _: {"type": text_of(elements["Art"]).strip()},
        dump=lambda value, _: {"Art": as_number(value.type)},
    ),
    Row(fields=("priority",), keys=("Prio",), load=_load_priority, dump=lambda value, _: {"Prio": value.priority}, plain=True),
    Row(
        fields=("status", "done"),
        keys=("Status", "erledigt"),
        load=_load_status,
        dump=lambda value, _: {"Status": int(value.status), "erledigt": value.done},
        together=True,
    ),
    Row(fields=("progress",), keys=("Stand",), load=_load_progress, dump=lambda value, _: {"Stand": value.progress}, plain=True),
    Row(
        fields=("completed_at",),
        keys=("Austragsdatum",),
        load=lambda elements, account: {"completed_at": moment_of(elements["Austragsdatum"], account.zone)},
        dump=None,
        reason="onOffice sets it",
    ),
    Row(
        fields=("deadline", "deadline_strict"),
        keys=("Deadline", "Deadline_Zeit", "Deadline_strikt"),
        load=_load_deadline,
        dump=_dump_deadline,
        together=True,
        plain=True,
    ),
    Row(
        fields=("deferred_until",),
        keys=("Beginnt_am", "Beginnt_um"),
        load=lambda elements, account: {"deferred_until": _when(elements, "Beginnt_am", "Beginnt_um", account)},
        dump=_dump_deferred,
        together=True,
        plain=True,
    ),
    Row(
        fields=("private",),
        keys=("Privat",),
        load=lambda elements, _: {"private": truth(elements["Privat"])},
        dump=lambda value, account: {"Privat": int(value.private)} if account.task_private_writable else {},
        plain=True,
    ),
    text("public_description", "publicDescription"),
    Row(
        fields=("creator",),
        keys=("von",),
        load=lambda elements, account: {"creator": account.read_name(text_of(elements["von"]))},
        dump=None,
        reason="writing it is not documented",
    ),
    _effort_row("effort_planned", "Aufwand_Soll_NUM"),
    _effort_row("effort_extra", "Aufwand_Zusatz_NUM"),
    _linked("addresses", ADDRESSES, "relatedAddressId", many=True),
    _linked("estate", ESTATE, "relatedEstateId", many=False),
    _linked("project", PROJECT, "relatedProjectIds", many=False),
)
FIELDS = TABLE
UNMAPPED = {
    "reminder": "A reminder set through the API is the API user's, not the user's (rule 82); a device's own stays in our store.",
    "comment": "onOffice appends to a thread and does not give it back; no face shows it.",
    "unsynced_by": "Ours alone: onOffice knows no sync flag of tasks (U36).",
}


# ---------------------------------------------------------------- both ways


def load(record: Record, account: Account, before: Task | None = None) -> Task:
    """The task in a row, on top of what our store knows of it; links come among the elements under their relation's name."""
    value = value_of(TABLE, record.elements, account, before, Task)
    return replace(value, completed_at=_completed_at(value, record, before, account))


def _completed_at(value: Task, record: Record, before: Task | None, account: Account) -> datetime | None:
    """The moment that we noted, if onOffice has none or the same day; at last that of the newest change, which completing was one of."""
    if not is_completed(value):
        return None
    noted = before.completed_at if before is not None else None
    told = moment_of(record.elements.get("Austragsdatum"), account.zone)
    if noted is not None and (told is None or told.date() == noted.astimezone(account.zone).date()):
        return noted
    return told or moment_of(record.elements.get(STAMP), account.zone)


def create(value: Task, account: Account) -> Action:
    """Make a task. Raises Refused for a responsible or processor whom onOffice does not have."""
    _demand_people(None, value, account)
    wanted = parameters(TABLE, KIND, None, value, account)
    wanted.setdefault("Status", int(value.status))
    if account.task_type:
        wanted.setdefault("Art", as_number(account.task_type))
    links = {"relatedAddressId": next(iter(value.addresses), ""), "relatedEstateId": value.estate, "relatedProjectIds": value.project}
    wanted |= {key: as_number(one) for key, one in links.items() if one}
    arranged = _arranged({key: one for key, one in wanted.items() if key not in ONLY_MODIFIED})
    return Action(verb=Verb.CREATE, resource=RESOURCE, parameters=arranged)


def after_create(record_id: str, value: Task, account: Account) -> list[Action]:
    """What a create cannot say: done, progress, further addresses."""
    rest: Parameters = {}
    if value.done:
        rest |= {"Status": int(value.status), "erledigt": True}
    if value.progress and not account.drops(KIND, "Stand"):
        rest["Stand"] = value.progress
    return [*_modify(record_id, rest), *link_changes(ADDRESSES, record_id, value.addresses[:1], value.addresses)]


def modify(record_id: str, before: Task, after: Task, account: Account) -> list[Action]:
    """What turns one task into another. Raises Refused for a new name that onOffice does not have."""
    _demand_people(before, after, account)
    return [
        *_modify(record_id, parameters(TABLE, KIND, before, after, account)),
        *link_changes(ADDRESSES, record_id, before.addresses, after.addresses),
        *link_changes(ESTATE, record_id, filter(None, [before.estate]), filter(None, [after.estate])),
        *link_changes(PROJECT, record_id, filter(None, [before.project]), filter(None, [after.project]), is_parent=False),
    ]


def can_be_put_back(before: Task, after: Task, account: Account) -> bool:
    """True if the change starts nothing in onOffice (what is done, whose it is) and touches no link."""
    links = (before.addresses, before.estate, before.project) == (after.addresses, after.estate, after.project)
    return links and is_plain(TABLE, before, after, account)


def remove(record_id: str, _account: Account) -> list[Action]:
    """Cancel and close it: no call deletes a task."""
    return _modify(record_id, {"Status": int(TaskStatus.CANCELLED), "erledigt": True})


def _modify(record_id: str, wanted: Parameters) -> list[Action]:
    if not wanted:
        return []
    return [Action(verb=Verb.MODIFY, resource=RESOURCE, id=record_id, parameters=_arranged(wanted), repeatable=True)]


def _arranged(wanted: Parameters) -> Parameters:
    """Fields in ``data``, the rest beside it."""
    beside = {key: value for key, value in wanted.items() if key in SIBLINGS}
    return {"data": {key: value for key, value in wanted.items() if key not in SIBLINGS}, **beside}


# ------------------------------------------------------------------- reading


def _asked(account: Account) -> list[str]:
    keys = asked_keys(TABLE, KIND, account)
    return [*keys, *(() if account.drops(KIND, STAMP) else (STAMP,))]


def read_one(record_id: str, account: Account) -> Action:
    """One task."""
    return Action(verb=Verb.READ, resource=RESOURCE, id=record_id, parameters={"data": _asked(account)})


def read_range(first: int, last: int, account: Account, *, since: str = "") -> Action:
    """Tasks with ids in a range, both ends included; there is no paging, and of more than 500 only some come.

    With ``since`` only those changed since that date.
    """
    wanted: dict[str, Any] = {"Nr": [{"op": ">=", "val": first}, {"op": "<=", "val": last}]}
    if since:
        wanted[STAMP] = [{"op": ">=", "val": since}]
    return Action(verb=Verb.READ, resource=RESOURCE, parameters={"data": _asked(account), "filter": wanted, "listlimit": MAX_ROWS})


def stamp(record: Record) -> str:
    """The change stamp as onOffice gave it."""
    return text_of(record.elements.get(STAMP))
