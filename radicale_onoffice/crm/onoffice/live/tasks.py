"""Points 3 and 8: stamps of tasks, and what their names, labels and fields look like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from radicale_onoffice.core.model import Kind
from radicale_onoffice.crm.onoffice import fields, tasks
from radicale_onoffice.crm.onoffice.account import Account, try_key
from radicale_onoffice.crm.onoffice.codes import UNKNOWN_FIELD
from radicale_onoffice.crm.onoffice.live.asking import ROWS, Look, Seen, Switch, counted, has_clock, refused, zone_of
from radicale_onoffice.crm.onoffice.protocol import Action, Answer, Refusal, Row, Verb

NAMES = ("Verantwortung", "Bearbeiter", "von")


def _recent(look: Look, days: int = 30) -> Answer | Refusal:
    since = look.now.timestamp() - days * 86400
    day = look.now.fromtimestamp(since, look.account.zone).date().isoformat()
    keys = [key for key in (*NAMES, "Status", "Privat", tasks.STAMP) if not look.account.drops(Kind.TASKS, key)]
    wanted = {"data": keys, "filter": {tasks.STAMP: [{"op": ">=", "val": day}]}, "listlimit": ROWS}
    (found,) = look.ask(Action(verb=Verb.READ, resource="task", parameters=wanted))
    return found


def stamps(look: Look) -> Iterator[Seen]:
    """How exact they are, and of which zone."""
    question, asked = "In which zone is a task's modified, and how exact is it?", "read task changed in the last two days: modified"
    result = _recent(look, days=2)
    if isinstance(result, Refusal):
        yield refused(3, question, asked, result)
        return
    told = [tasks.stamp(row) for row in result.rows]
    stored = look.stored_at(Kind.TASKS, result.rows)
    is_exact = any(map(has_clock, told))
    zone = zone_of(look, ((tasks.stamp(row), stored.get(row.id)) for row in result.rows)) if is_exact else ""
    switches: dict[str, Switch] = {"task_stamp_zone": zone} if zone else {}
    if told:
        switches["task_stamp_precision"] = "second" if is_exact else "day"
    yield Seen(
        point=3,
        question=question,
        asked=asked,
        seen=f"{len(told)} stamps, to the {switches.get('task_stamp_precision', '(nothing to tell by)')}, {zone or 'zone not told'}",
        follows="Polls ask from the day of the earlier reading on and compare digests, whichever it is."
        + ("" if zone or not is_exact else " Change a task while `serve` runs, and ask again."),
        is_settled=bool(zone) or bool(told and not is_exact),
        switches=switches,
    )


def people(look: Look) -> Iterator[Seen]:
    """Whether names read as logins or as display names, and status as label or number."""
    question, asked = "What do Verantwortung, Bearbeiter, von and Status of a task read as?", "read task changed in 30 days"
    result = _recent(look)
    if isinstance(result, Refusal):
        yield refused(8, question, asked, result)
        return
    kinds = [
        _kind_of(text, look.account) for row in result.rows for key in NAMES if (text := fields.text_of(row.elements.get(key)).strip())
    ]
    states = [fields.text_of(row.elements.get("Status")).strip() for row in result.rows]
    switches: dict[str, Switch] = {}
    if kinds.count("display name") != kinds.count("login"):
        switches["task_people_read"] = "display" if kinds.count("display name") > kinds.count("login") else "login"
    if any(states):
        switches["task_status_read"] = "number" if all(state.isdigit() for state in states if state) else "label"
    unknown = kinds.count("neither")
    follows = "Both are read."
    if unknown:
        follows += f" {unknown} names are no user's: such a task concerns nobody here until somebody is named in onOffice."
    yield Seen(
        point=8,
        question=question,
        asked=asked,
        seen=f"{len(result.rows)} tasks; names: {counted(kinds)}; status: {'numbers' if switches.get('task_status_read') == 'number' else 'labels'}",
        follows=follows,
        is_settled="task_people_read" in switches,
        switches=switches,
    )


def _kind_of(text: str, account: Account) -> str:
    if account.user_id(text):
        return "login"
    if account.group_id(text):
        return "group"
    return "display name" if account.user_id(account.read_name(text)) else "neither"


def comment_and_privacy(look: Look) -> Iterator[Seen]:
    """Kommentar is tried; whether Privat may be written only a write can tell."""
    comment, rows = look.ask(try_key(Kind.TASKS, "Kommentar"), tasks.read_range(1, 10**9, look.account))
    is_readable = not (isinstance(comment, Refusal) and comment.code in UNKNOWN_FIELD)
    yield Seen(
        point=8,
        question="May Kommentar of a task be read?",
        asked="read task: Kommentar",
        seen="yes" if is_readable else f"no: {comment}",
        follows="It is not shown on devices.",
        is_settled=True,
        switches={"task_comment_read": is_readable},
    )
    found: Sequence[Row] = rows.rows if isinstance(rows, Answer) else ()
    private = sum(fields.truth(row.elements.get("Privat")) for row in found)
    with_link = any("relatedAddressId" in row.elements for row in found)
    allowed = look.account.task_private_writable
    by_hand = "Reading cannot tell. By hand: `tenant connect --task-private`, make a task private on a device; if it is refused, `--no-task-private`."
    yield Seen(
        point=8,
        question="May Privat of a task be written?",
        asked="read task: Privat",
        seen=f"{private} of {len(found)} tasks are private; {'written here' if allowed else 'not written here'}",
        follows="Look at the user's page for a refusal of it." if allowed else by_hand,
        is_settled=False,
        switches={"task_related_in_list": with_link} if len(found) >= 1 else {},
    )
