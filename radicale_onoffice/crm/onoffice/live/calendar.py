"""Points 5, 6, 7 and 10: participants, series, the newer list, deletions, and private appointments of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from radicale_onoffice.core.model import Face, Kind
from radicale_onoffice.crm.onoffice import appointments, fields, polling
from radicale_onoffice.crm.onoffice.live.asking import Look, Seen, Switch, counted, first_of, refused, status_of
from radicale_onoffice.crm.onoffice.protocol import Action, Answer, Refusal, Row, Verb, identifier

DAYS = 31  # of a window, either way
OFTEN = {"t": 1, "w": 7, "m": 31, "j": 366}  # days between two occurrences, at most
ENGLISH = frozenset({"customer", "other", "videoUrl", "meetingUrl", "none"})
WRITTEN = frozenset({"mandant", "sonstiges", "customVideoUrl", "userMeetingUrl", "keine Angaben"})
RECURRENCE = {"startDate": {"startDate", "endDate"}, "start": {"start", "end"}, "rp": {"rp_type", "rp_tage", "rp_beginn_datum"}}


def _today(look: Look) -> date:
    return look.now.astimezone(look.account.zone).date()


def series(look: Look) -> Iterator[Seen]:
    """A window of the older read, and a longer one that holds where its series began."""
    question, today = "Does the older read give a series once, and where does it look for it?", _today(look)
    asked = f"read calendar: series of the next {2 * DAYS} days, and of the three years before"
    first, last = today, today + timedelta(days=2 * DAYS)
    results = look.ask(
        appointments.read_window(first, last, only_series=True),
        appointments.read_window(today - timedelta(days=3 * 366), today - timedelta(days=1), only_series=True),
    )
    for result in results:
        if isinstance(result, Refusal):
            yield refused(6, question, asked, result)
            return
    now, before = (result.rows for result in results if isinstance(result, Answer))
    due = [row for row in (*now, *before) if _recurs_twice(row, first, last)]
    often = Counter(row.id for row in now)
    older = [row for row in before if _recurs_twice(row, first, last)]
    switches: dict[str, Switch] = {}
    if any(one > 1 for one in often.values()):
        switches["old_read_series"] = "occurrences"
    elif any(row.id in often for row in due):
        switches["old_read_series"] = "once"
    if older:
        switches["old_window_tests"] = "occurrences" if any(row.id in often for row in older) else "anchor"
    if now or before:
        switches["status_in_old_read"] = any("status" in row.elements for row in (*now, *before))
    yield Seen(
        point=6,
        question=question,
        asked=asked,
        seen=f"{len(often)} series in {len(now)} rows; {len(older)} that began before and go on, of which {sum(row.id in often for row in older)} shown",
        follows="Either is read: occurrences count for their series, and older series are asked for apart.",
        is_settled={"old_read_series", "old_window_tests"} <= switches.keys(),
        switches=switches,
    )


def _recurs_twice(row: Row, first: date, last: date) -> bool:
    """True if a series surely has two occurrences in a period."""
    start, end = (fields.day_of(row.elements.get(key)) for key in ("rp_beginn_datum", "rp_ende_datum"))
    interval = fields.text_of(row.elements.get("rp_tage"))
    days = OFTEN.get(fields.text_of(row.elements.get("rp_type")), 999) * (int(interval) if interval.isdigit() else 1)
    goes_on = end is None or end >= last or fields.text_of(row.elements.get("rp_ende_status")) == "2"
    return start is not None and start < first and goes_on and 2 * days <= (last - first).days and not row.elements.get("rp_exception")


def changes(look: Look) -> Iterator[Seen]:
    """The change filter with everybody's appointments and with the API user's own."""
    question = "Does modifiedstart work together with allusers?"
    since = look.now - timedelta(days=DAYS)
    of_all = appointments.read_changed(since)
    own = Action(verb=Verb.READ, resource="calendar", parameters={k: v for k, v in of_all.parameters.items() if k != "allusers"})
    asked = f"read calendar changed in {DAYS} days, with allusers and without"
    all_rows, own_rows = look.ask(of_all, own)
    if isinstance(all_rows, Refusal):
        yield refused(6, question, asked, all_rows)
        return
    few = own_rows.rows if isinstance(own_rows, Answer) else ()
    works = len(all_rows.rows) > len(few)
    yield Seen(
        point=6,
        question=question,
        asked=asked,
        seen=f"{len(all_rows.rows)} with, {len(few)} without",
        follows="Polls depend on it." if works else "If others changed appointments in these days, polls miss them until the night.",
        is_settled=works,
    )


def deleted(look: Look) -> Iterator[Seen]:
    """Whether an appointment that the log says was deleted can still be read."""
    question, asked = "What is left of a deleted appointment?", "read log: deletions of appointments; then read calendar by the id"
    since = fields.wall(look.now - timedelta(days=90), look.account.zone)
    (log,) = look.ask(polling.ask_deleted(Kind.APPOINTMENTS, since))
    if isinstance(log, Refusal):
        yield refused(6, question, asked, log)
        return
    ids = [one for row in log.rows if (one := identifier(row.elements.get("resourceId")))]
    found = look.ask(*(appointments.read_one(one, look.account) for one in ids[-5:]))
    rows = [result.rows[0] for result in found if isinstance(result, Answer) and result.rows]
    told = bool(found)
    yield Seen(
        point=6,
        question=question,
        asked=asked,
        seen=f"{len(found)} looked for, {len(rows)} still there" if told else "the log names none",
        follows="A cancelled one is not offered to devices, either (U20)."
        if told
        else "Delete a test appointment in onOffice and ask again.",
        is_settled=told,
        switches={"delete_appointment": "cancelled" if rows else "gone"} if told else {},
    )


def newer_list(look: Look) -> Iterator[Seen]:
    """Names in ``recurrence`` and ``location`` of the list that the documentation does not print."""
    question, today = "What are recurrence and location called in appointmentList?", _today(look)
    asked = f"get appointmentList, {DAYS} days either way: id, recurrence, location; once more without data"
    period = {"startDate": str(today - timedelta(days=DAYS)), "endDate": str(today + timedelta(days=DAYS))}
    with_data, without = (
        Action(verb=Verb.GET, resource="appointmentList", parameters={"filter": period, **more})
        for more in ({"data": ["id", "recurrence", "location"]}, {})
    )
    (result,) = look.ask(with_data)
    if isinstance(result, Refusal):
        yield refused(7, question, asked, result)
        return
    _, bare = look.probe([without])
    needs_data = bool(status_of(first_of(bare)).get("errorcode"))
    keys = {key for row in result.rows if isinstance(one := row.elements.get("recurrence"), Mapping) for key in one}
    types = [fields.text_of(one.get("type")) for row in result.rows if isinstance(one := row.elements.get("location"), Mapping)]
    switches: dict[str, Switch] = {"list_needs_data": needs_data}
    names = [name for name, known in RECURRENCE.items() if known <= keys]
    switches |= {"recurrence_keys": names[0]} if names else {}
    if set(types) & (ENGLISH | WRITTEN):
        switches["location_types"] = "written" if set(types) & WRITTEN else "english"
    yield Seen(
        point=7,
        question=question,
        asked=asked,
        seen=f"{len(result.rows)} appointments; recurrence: {', '.join(sorted(keys)) or 'none'}; location types: {counted(types)}",
        follows="Series are read by the older call; of places only address, estate, user and group count, which are called the same.",
        is_settled={"recurrence_keys", "location_types"} <= switches.keys(),
        switches=switches,
    )


def private(look: Look) -> Iterator[Seen]:
    """Private appointments in which the API user takes no part."""
    question = "How does the API user see private appointments of others?"
    asked, today = f"read calendar, {DAYS} days either way; get users, onlyOwn", _today(look)
    own, rows = look.ask(
        Action(verb=Verb.GET, resource="users", parameters={"userfilter": "onlyOwn"}),
        appointments.read_window(today - timedelta(days=DAYS), today + timedelta(days=DAYS)),
    )
    if isinstance(rows, Refusal):
        yield refused(10, question, asked, rows)
        return
    me = {identifier(row.elements.get("id")) or row.id for row in own.rows} if isinstance(own, Answer) else set()
    foreign = [row for row in rows.rows if fields.truth(row.elements.get("private")) and not me & set(_participants(row))]
    shown = [row for row in foreign if row.elements.get("description") or row.elements.get("note") or row.elements.get("ort")]
    by_hand = "None is seen: nobody has one, or they are hidden. Make a private one of somebody in onOffice, and ask again: if it is not seen, set hidden."
    yield Seen(
        point=10,
        question=question,
        asked=asked,
        seen=f"{len(foreign)} of others, {len(shown)} with their text",
        follows=_follows_private(bool(foreign), bool(shown)) if foreign else by_hand,
        is_settled=bool(foreign),
        switches={"private_of_others": "shown" if shown else "blanked"} if foreign else {},
    )


def _follows_private(are_seen: bool, have_text: bool) -> str:
    assert are_seen
    shown = "They reach the devices of who takes part, and of nobody else (U22)."
    return shown if have_text else "Their owners get them without text: give the API user the right to see them."


def _participants(row: Row) -> Sequence[str]:
    return fields.ids_of(row.elements.get("users") or []) or fields.ids_of(row.elements.get("user_ids") or [])


def participants(look: Look) -> Iterator[Seen]:
    """A remembered appointment with several participants: did somebody whom a device took out leave it?"""
    question, today = "Do participants that are written replace those that are there, or add to them?", _today(look)
    asked = "read calendar: one appointment with several participants, compared with the last run"
    before: Mapping[str, Any] = look.before.get("participants", {})
    number = str(before.get("id", ""))
    reading = appointments.read_one(number, look.account) if number else appointments.read_window(today, today + timedelta(days=DAYS))
    (result,) = look.ask(reading)
    if isinstance(result, Refusal):
        yield refused(5, question, asked, result)
        return
    row = next((row for row in result.rows if number or len(_participants(row)) > 1), None)
    answer = str(before.get("answer", ""))
    if row is not None and number and not answer and _changed_by_device(look, row.id):
        answer = "replace" if len(_participants(row)) < int(before["count"]) else ""
    if row is not None:
        count = before.get("count", len(_participants(row)))
        look.after["participants"] = {"id": row.id, "count": count, "answer": answer}
    by_hand = (
        f"Reading cannot tell. By hand: let a participant delete {f'appointment {row.id}' if row else 'an appointment of two'} on a device; if onOffice's pages "
        "still name that participant afterwards, written ones are added. Then run this again."
    )
    yield Seen(
        point=5,
        question=question,
        asked=asked,
        seen=answer or "not told yet",
        follows="All participants are written each time, so that replacing is right." if answer else by_hand,
        is_settled=bool(answer),
        switches={"subscribers_on_modify": answer} if answer else {},
    )
    yield Seen(
        point=5,
        question="Does relatedAddressId of a task's change add an address, or replace the one that is there?",
        asked="nothing: only a change could tell",
        seen="not told",
        follows="It does not matter here: links of tasks are made and taken away as relations.",
        is_settled=True,
    )


def _changed_by_device(look: Look, crm_id: str) -> bool:
    with look.store.reading() as tx:
        known = tx.linked(look.tenant, Kind.APPOINTMENTS, [crm_id])
        history = tx.history(look.tenant, known[crm_id][0]) if crm_id in known else ()
    return bool(history) and history[-1].actor.face in (Face.DAV, Face.EAS)
