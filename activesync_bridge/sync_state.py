"""What a device knows of a collection: keys, generations, replay, and the plan of what to send. Pure.

**Keys** ([MS-ASCMD] 2.2.3.181.4). A SyncKey is ``{uuid}N``. The uuid belongs to one (user, device, collection) since its last key 0; N grows by
one with each answer that changes what the device knows. State is O(1): the *current* generation N and the *previous* one N-1, from which
the last answer was made.

==================  ==============================  =====================================================================
key of the request  and its digest                  meaning
==================  ==============================  =====================================================================
0                   any                             `Fresh`: the device begins anew
N                   any                             `Current`: the last answer arrived; N-1 retires (R5106-R5122)
N-1, not retired    that of the request that made N `Replay`: the last answer got lost; the same bytes again
N-1, not retired    another                         `Current`, rolled back: the answer got lost, and the device has more to say
anything else       any                             `Invalid`: unknown, of another collection, or too old
==================  ==============================  =====================================================================

A Ping is no proof that an answer arrived; only the use of key N retires N-1.

**A generation** is a position in a feed: everything up to ``cursor`` is on the device. While the feed comes in pages, an entry that moves
behind the cursor may have been sent before it moved, or not; only what was live when the device last had everything is sure. To that comes a short list of the device's ``own``
writes that the feed has not passed yet, whose echo the device need not get, and, while the device moves from one period to another, the
``move`` that is under way: the difference of two feeds' live sets, by record id, resumed behind ``done``.

**The plan** turns feed entries into Add, Change, Delete and SoftDelete. An entry tells since when it is live and when it was last gone, so
that what a device never had is not deleted on it, and what it has is not added twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from radicale_onoffice.core.errors import CursorInvalid
from radicale_onoffice.core.feeds import Cursor
from radicale_onoffice.core.ports import Entry

NOTHING: Mapping[str, str] = {}
MOST_SENT = 1000  # records of which it is kept what the device got in pages; of others the older version is taken for it
KEPT_NUMBERS = 20  # answers back to which a repeated Add is recognised by ClientId and content, also after a key 0
FIRST_KEY = "0"  # the key of a device that knows nothing


class Written(NamedTuple):
    """A write of the device itself: the version and etag that the record got; (0, "") if the device deleted it."""

    version: int
    etag: str


GONE = Written(0, "")
LOST = Written(0, "resend")  # the device deleted what it may not: it gets it again
SKIPPED = Written(0, "skipped")  # could not be sent: the device gets it as new when it changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """On the way from the feed of one period to that of another: ``since`` is the position left behind, ``done`` the last id dealt with."""

    scope: str
    since: Cursor
    done: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What the device knows at one key. ``cursor`` None: nothing was sent yet."""

    number: int
    scope: str = ""
    cursor: Cursor | None = None
    settled: int = 0  # the seq at which the device last had everything: what was live then it surely has
    caught_up: int = 0  # the tenant's change number at that time
    sent: Mapping[str, int] = field(default_factory=dict)  # change numbers, above that one, of what it got since, by record id
    own: Mapping[str, Written] = field(default_factory=dict)  # by record id
    move: Move | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is stored of a (user, device, collection). ``options`` are the sticky ones of the last request, in the command's own form."""

    uuid: str
    current: Generation
    previous: Generation | None = None
    digest: str = ""  # of the request that led from previous to current
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The SyncKey of the current generation."""
        return f"{{{self.uuid}}}{self.current.number}"


# ------------------------------------------------------------------------ keys


@dataclass(frozen=True, slots=True)
class Fresh:
    """Key 0: begin anew; ``number`` keeps growing, so that a number never means two things."""

    number: int


@dataclass(frozen=True, slots=True)
class Current:
    """Go on from ``generation``."""

    generation: Generation
    retires: bool = False  # the previous generation is to be dropped


@dataclass(frozen=True, slots=True)
class Replay:
    """Send the last answer again, byte for byte."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """``cloned`` tells that the key was valid once: two clients use one device id, or one was restored from a backup (pain 42)."""

    cloned: bool = False


def open_key(stored: State | None, key: str, digest: str) -> Fresh | Current | Replay | Invalid:
    """What a request's key means, given what is stored."""
    if key == FIRST_KEY:
        return Fresh(stored.current.number + 1 if stored else 1)
    number = _number(stored, key)
    if stored is None or number is None:
        return Invalid()
    if number == stored.current.number:
        return Current(stored.current, retires=stored.previous is not None)
    if stored.previous is None or number != stored.previous.number:
        return Invalid(cloned=number < stored.current.number)
    if digest == stored.digest:
        return Replay()
    return Current(stored.previous)


def _number(stored: State | None, key: str) -> int | None:
    """The number in a key of this collection's uuid, None if the key is none."""
    if stored is None:
        return None
    head = f"{{{stored.uuid}}}"
    digits = key.removeprefix(head)
    return int(digits) if key.startswith(head) and digits.isascii() and digits.isdigit() and len(digits) < 16 else None


def retired(stored: State) -> State:
    """The state once the device has proved that it has the last answer."""
    return replace(stored, previous=None, digest="")


def advanced(stored: State, came_from: Generation, after: Generation, digest: str, options: Mapping[str, Any]) -> State:
    """The state after an answer; the new number is above all that were used."""
    return replace(
        stored,
        previous=came_from,
        current=replace(after, number=stored.current.number + 1),
        digest=digest,
        options=options,
    )


# ------------------------------------------------------------------------ plan


class Verb(StrEnum):
    """What a device is told about a record."""

    ADD = "Add"
    CHANGE = "Change"
    DELETE = "Delete"
    SOFT_DELETE = "SoftDelete"


class Step(NamedTuple):
    """One command of an answer. A GONE step becomes Delete or SoftDelete once it is known why the record left."""

    verb: Verb
    record_id: str


def demand_epoch(now: Cursor, known: Cursor) -> None:
    """Raise CursorInvalid if a position belongs to an earlier life of its feed."""
    if now.epoch != known.epoch:
        raise CursorInvalid("The sync position is unknown or too old; synchronise from the beginning.")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, and what the device knows after it; ``more`` tells that the window was too small for all."""

    steps: Sequence[Step]
    after: Generation
    more: bool


def plan(
    before: Generation, entries: Iterable[Entry], newest: Cursor, *, room: int, complete: bool, offered: Mapping[str, str] = NOTHING
) -> Plan:
    """Turn entries after ``before.cursor`` in seq order into at most ``room`` steps.

    ``newest`` is the cursor behind the last of them, ``complete`` tells that no entry lies behind it; ``offered`` are the etags of the own
    records that are live now, which then decide about own writes that made no entry.
    """
    since = before.cursor.seq if before.cursor else 0
    steps: list[Step] = []
    own = dict(before.own)
    seq, cut = since, False
    for entry in entries:
        step = step_for(entry, since, own.get(entry.record_id), before.settled)
        if step is not None and len(steps) >= room:
            cut = True
            break
        if step is not None:
            steps.append(step)
        own.pop(entry.record_id, None)
        seq = entry.seq
    for record_id in sorted(own) if complete and not cut else ():
        step = _settle(record_id, own[record_id], offered.get(record_id))
        if step is not None and len(steps) >= room:
            cut = True
            break
        if own[record_id] != SKIPPED or record_id not in offered:
            del own[record_id]
        steps += [step] if step else []
    more = cut or not complete
    cursor = Cursor(newest.epoch, seq) if seq < newest.seq and more else newest
    return Plan(steps, replace(before, cursor=cursor, own=own, settled=before.settled if more else cursor.seq), more=more)


def wrong(own: Mapping[str, Written]) -> list[str]:
    """Ids of the records of which the device wrote what did not come to be."""
    return sorted(record_id for record_id, one in own.items() if one == LOST or (one.version and not one.etag))


def put_right(before: Generation, live: Mapping[str, str]) -> Plan:
    """The steps that put right what the device wrote otherwise than it came to be; ``live`` are the etags of what is offered of it.

    They come with the answer to the write, before anything else and whatever the window: what a device shows of an item whose change was not
    taken nobody can know, so it must not go on from that.
    """
    steps, own = [], dict(before.own)
    for record_id in wrong(own):
        etag, has = live.get(record_id), own[record_id].version > 0
        if etag is None:
            steps += [Step(Verb.DELETE, record_id)] if has else []
        else:
            steps.append(Step(Verb.CHANGE if has else Verb.ADD, record_id))
        own[record_id] = GONE if etag is None else Written(1, etag)
    return Plan(steps, replace(before, own=own), more=False)


def _settle(record_id: str, own: Written, etag: str | None) -> Step | None:
    """What an own write that the feed has no news of means: the device's copy is right, is put right, or is taken away."""
    if etag is None:
        return Step(Verb.DELETE, record_id) if own.version else None
    if own in (LOST, GONE):
        # What the device deleted and is offered all the same was not to be deleted, or was given to the user again.
        return Step(Verb.ADD, record_id)
    return Step(Verb.CHANGE, record_id) if own.version and own.etag != etag else None


def step_for(entry: Entry, since: int, own: Written | None, settled: int) -> Step | None:
    """What an entry means to a device at ``since`` that had everything at ``settled`` and wrote ``own`` itself; None = it knows already."""
    if entry.live:
        if own is not None and own.etag == entry.etag:
            return None
        # An Add of what is there replaces it, a Change of what is not fails: the doubtful case is added.
        return Step(Verb.CHANGE if _surely_has(entry, settled, own) else Verb.ADD, entry.record_id)
    if own is not None and not own.version:
        return None
    # Deleting what is not there is harmless, keeping what is gone is not: the doubtful case is deleted.
    return Step(Verb.DELETE, entry.record_id) if own is not None or _may_have(entry, since) else None


def _surely_has(entry: Entry, settled: int, own: Written | None) -> bool:
    """True if the entry was live when the device had everything, and has not been gone since."""
    if own is not None:
        return own.version > 0
    return entry.live_since <= settled


def _may_have(entry: Entry, since: int) -> bool:
    """True if the record may have been live at ``since``; an entry remembers only its first birth and its last life."""
    was_gone = not entry.live and entry.gone_since <= since
    return not was_gone and entry.born <= since and (entry.live_since <= since or entry.gone_since > since)


def plan_move(before: Generation, old: Iterable[Entry], new: Iterable[Entry], *, room: int) -> Plan:
    """The next at most ``room`` steps from the period ``before.move.scope`` to the feed at ``before.cursor``.

    Both feeds hold all their entries. Records of the new feed that come to life behind the cursor are news, not part of the move.
    """
    move, target = before.move, before.cursor
    assert move is not None
    assert target is not None
    was, will = {entry.record_id: entry for entry in old}, {entry.record_id: entry for entry in new}
    steps: list[Step] = []
    done, own = move.done, dict(before.own)
    for record_id in sorted(record_id for record_id in was.keys() | will.keys() | own.keys() if record_id > move.done):
        step = _moving(record_id, was.get(record_id), will.get(record_id), before, own.get(record_id))
        if step is not None and len(steps) >= room:
            return Plan(steps, replace(before, move=replace(move, done=done), own=own), more=True)
        if step is not None:
            steps.append(step)
        own.pop(record_id, None)
        done = record_id
    # What the device wrote of records that had been passed is left for the news that follow.
    return Plan(steps, replace(before, move=None, own=own, settled=target.seq), more=False)


def _moving(record_id: str, was: Entry | None, will: Entry | None, before: Generation, own: Written | None) -> Step | None:
    """The step of one record; as for news, the doubtful case is added or deleted."""
    assert before.move is not None
    assert before.cursor is not None
    since = before.move.since.seq
    may_have = own.version > 0 if own is not None else was is not None and _may_have(was, since)
    if will is None or not will.live or will.live_since > before.cursor.seq:
        return Step(Verb.DELETE, record_id) if may_have else None
    if own is not None:
        is_current, is_sure = own.version > 0 and own.etag == will.etag, own.version > 0
    else:
        # What has not moved since the device's position is there as it was sent.
        is_current = was is not None and was.live and was.seq <= since and was.etag == will.etag
        is_sure = was is not None and (was.live_since <= before.settled or (was.live and was.seq <= since))
    if is_current:
        return None
    return Step(Verb.CHANGE if may_have and is_sure else Verb.ADD, record_id)


def told(after: Generation, changes: Mapping[str, int]) -> Generation:
    """A generation of a device that is sent these records as of these change numbers: a merge has to know what the device shows."""
    newer = {record_id: change for record_id, change in {**after.sent, **changes}.items() if change > after.caught_up}
    return replace(after, sent=dict(list(newer.items())[-MOST_SENT:]))


def without(after: Generation, left_out: Iterable[str]) -> Generation:
    """A generation of a device that did not get these additions after all."""
    return replace(after, own={**after.own, **dict.fromkeys(left_out, SKIPPED)})


# ------------------------------------------------------------------------ text


def dump(state: State) -> str:
    """JSON of a state."""
    rows = {
        "uuid": state.uuid,
        "current": _dump_generation(state.current),
        "previous": _dump_generation(state.previous) if state.previous else None,
        "digest": state.digest,
        "options": state.options,
    }
    return json.dumps(rows, separators=(",", ":"))


def load(text: str) -> State | None:
    """A state out of its JSON; None for one of another release, whose device begins anew (pain 38)."""
    try:
        data = json.loads(text)
        return State(
            uuid=data["uuid"],
            current=_load_generation(data["current"]),
            previous=_load_generation(data["previous"]) if data["previous"] else None,
            digest=data["digest"],
            options=data["options"],
        )
    except (KeyError, TypeError, ValueError):
        return None


def _dump_generation(one: Generation) -> dict[str, Any]:
    return {
        "number": one.number,
        "scope": one.scope,
        "cursor": one.cursor and [one.cursor.epoch, one.cursor.seq],
        "settled": one.settled,
        "caught_up": one.caught_up,
        "sent": one.sent,
        "own": one.own,
        "move": one.move and [one.move.scope, one.move.since.epoch, one.move.since.seq, one.move.done],
    }


def _load_generation(data: Mapping[str, Any]) -> Generation:
    move = data["move"]
    return Generation(
        number=data["number"],
        scope=data["scope"],
        cursor=Cursor(*data["cursor"]) if data["cursor"] else None,
        settled=data["settled"],
        caught_up=data["caught_up"],
        sent=data["sent"],
        own={record_id: Written(*written) for record_id, written in data["own"].items()},
        move=Move(scope=move[0], since=Cursor(move[1], move[2]), done=move[3]) if move else None,
    )
