"""One collection of a Sync: the client's changes go in, and it is told what it does not know yet.

Everything about what a device knows is decided in ``sync_state``, everything about what may be changed in the core. The key, the cursor, the
request's digest and the answer are saved in one commit; an Add and its ClientId are saved in one commit with the record.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import NamedTuple

from activesync_bridge import sync_state
from activesync_bridge.items import Flavour, Ghosting
from activesync_bridge.items import dispatch as items
from activesync_bridge.sending import Sender
from activesync_bridge.session import Session, Viewer
from activesync_bridge.sync_request import ClientCommand, Status, Sticky
from activesync_bridge.sync_state import GONE, LOST, Generation, Written
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase, Calendar
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.writer import encode
from radicale_onoffice.core.errors import (
    BadRequest,
    CameBack,
    ChangedBefore,
    Conflict,
    DuplicateUid,
    GateClosed,
    MadeBefore,
    NotFound,
    OfficeError,
    OutOfReach,
    Refused,
    Unavailable,
)
from radicale_onoffice.core.model import Base, Kind, Record
from radicale_onoffice.core.origins import UNTOLD, Origin
from radicale_onoffice.core.ports import Transaction

logger = logging.getLogger(__name__)
UNBOUNDED = 1 << 30  # steps: more than any plan has
TAGS: Mapping[str, int] = {"Change": AirSync.Change, "Delete": AirSync.Delete}
# What a client is told of a command that the core refuses
REFUSALS: Mapping[type[OfficeError], str] = {
    OutOfReach: Status.NOT_FOUND,
    NotFound: Status.NOT_FOUND,
    Refused: Status.CONFLICT,
    Conflict: Status.CONFLICT,
    BadRequest: Status.CONVERSION_ERROR,
}


def refusal(error: OfficeError) -> str:
    """The status of an item for an error of the core."""
    return next((REFUSALS[kind] for kind in type(error).__mro__ if kind in REFUSALS), Status.SERVER_ERROR)


class Repeated(Exception):
    """Another process has stored the same Add meanwhile."""

    def __init__(self, record_id: str):
        super().__init__(record_id)
        self.record_id = record_id


class Had(NamedTuple):
    """What the device shows of a record, whether somebody else has changed it since, and the version that is stored now."""

    base: Base
    is_outdated: bool
    version: int

    def is_behind(self, record: Record) -> bool:
        """True if what is stored after the device's write holds what others wrote, also in the moment of the write."""
        return self.is_outdated or record.version > self.version + 1


@dataclass(slots=True)
class Writer:
    """Applies a client's commands to one collection; ``own`` and ``responses`` are what comes of it."""

    session: Session
    kind: Kind
    scope: str
    sticky: Sticky
    flavour: Flavour
    generation: Generation
    sender: Sender
    own: dict[str, Written] = field(default_factory=dict)
    responses: list[Element] = field(default_factory=list)
    _known: Mapping[tuple[int, str], str] | None = None

    def apply(self, command: ClientCommand) -> None:
        """One command. What is refused is answered and undone on the device; raises GateClosed and Unavailable."""
        try:
            handler: Callable[[ClientCommand], None] = getattr(self, f"_{command.verb.lower()}")
            handler(command)
            self.sender.passed.add(command.server_id or command.client_id)
        except (GateClosed, Unavailable):
            raise
        except OfficeError as error:
            self._refuse(command, error)

    # ------------------------------------------------------------- commands

    def _add(self, command: ClientCommand) -> None:
        assert command.data is not None
        known = self._added(command)
        if known is None:
            try:
                record = self._store(command, None, None)
            except (Repeated, MadeBefore) as earlier:
                known = earlier.record_id
        if known is not None:
            try:
                record = self._store(command, known, self._had(known))
            except (NotFound, OutOfReach):
                # It was made, and taken away again before the device heard of it: it hears of both.
                self.own[known] = Written(1, "")
                self._respond_to_add(command, Status.SUCCESS, known)
                return
        self._respond_to_add(command, Status.SUCCESS, record.id, record.uid)

    def _change(self, command: ClientCommand) -> None:
        had = self._had(command.server_id)
        record = self._store(command, command.server_id, had)
        if had.is_behind(record) and not command.instance_id and self._has_lost(command, had.base, record):
            # Both changed the same field: the CRM's stands (U46), and the device gets it as a Change.
            self._respond(AirSync.Change, command, Status.CONFLICT)

    def _delete(self, command: ClientCommand) -> None:
        if command.instance_id:
            self._store(command, command.server_id, self._had(command.server_id))
            return
        try:
            self.session.office.records.delete(self.session.actor, self.kind, command.server_id, reach=self.scope)
        except (NotFound, OutOfReach):
            logger.debug("delete of %s, which is not offered: the device forgets it, the CRM keeps it", ascii(command.server_id))
        self.own[command.server_id] = GONE

    def _fetch(self, command: ClientCommand) -> None:
        found = self.sender.items([command.server_id]).get(command.server_id)
        parts = [Element(AirSync.ServerId, command.server_id), Element(AirSync.Status, Status.SUCCESS if found else Status.NOT_FOUND)]
        self.responses.append(Element(AirSync.Fetch, (*parts, *([Element(AirSync.ApplicationData, found)] if found else []))))

    # -------------------------------------------------------------- storing

    def _store(self, command: ClientCommand, record_id: str | None, had: Had | None) -> Record:
        """Put the change on the way that a PUT goes, and note what the device holds of it now."""
        is_new = record_id is None and command.data is not None
        uid = items.wanted_uid(self.kind, command.data, self.flavour) if is_new and command.data is not None else ""
        try:
            record = self._put(command, record_id, had.base if had else None, uid)
        except ChangedBefore:
            if record_id is None:
                raise
            had = self._had(record_id)
            record = self._put(command, record_id, had.base, uid)
        except CameBack as back:
            record = self._put(command, None, back.base, uid)
        except DuplicateUid:
            record_id = self.session.office.records.with_uid(self.session.identity, self.kind, uid)
            if record_id is None:
                raise
            had = self._had(record_id)
            record = self._put(command, record_id, had.base, uid)
        # In an Add nothing is left out: what comes back all the same (the fallback of rule 30) has to be told.
        meaning = Ghosting() if command.verb == "Add" else self._ghosting()
        # What others changed meanwhile is on the device only once it was sent, whatever the device says of the rest.
        same = (
            not command.instance_id
            and not (had is not None and had.is_behind(record))
            and command.data is not None
            and (command.verb != "Add" or items.is_complete(self.kind, command.data))
            and items.holds(self.kind, command.data, record.text, record.uid, self.flavour, meaning)
        )
        self.own[record.id] = Written(record.version, record.etag if same else "")
        return record

    def _has_lost(self, command: ClientCommand, base: Base, record: Record) -> bool:
        """True if something that the device changed is not what is stored now."""
        mine = items.dump(self.kind, self._text(command, base.text, ""), record.uid, self.flavour)
        had, now = (set(items.dump(self.kind, text, record.uid, self.flavour)) for text in (base.text, record.text))
        return any(one not in had and one not in now for one in mine)

    def _put(self, command: ClientCommand, record_id: str | None, base: Base | None, uid: str) -> Record:
        text = self._text(command, base.text if base else None, uid)
        draft = items.draft(self.kind, text, base, self.flavour)
        remember = self._remember(command) if command.verb == "Add" else None
        return self.session.office.records.put(
            self.session.actor,
            self.kind,
            draft,
            record_id=record_id,
            uid=uid or None if record_id is None else None,
            base=base,
            reach=self.scope,
            also=remember,
            origin=self._origin(command) if record_id is None else UNTOLD,
        )

    def _origin(self, command: ClientCommand) -> Origin:
        return Origin(client_id=command.client_id, number=self.generation.number, content=_content(command))

    def _text(self, command: ClientCommand, text: str | None, uid: str) -> str:
        if command.instance_id:
            return items.patch_occurrence(self.kind, text, command.instance_id, command.data, self.flavour)
        assert command.data is not None
        now = self.session.office.clock()
        return items.patch(self.kind, text, command.data, self.flavour, self._ghosting(), uid=uid, now=now)

    def _ghosting(self) -> Ghosting:
        """R2231: in 16.x every property of an appointment is ghosted."""
        if self.kind is Kind.APPOINTMENTS and self.session.version >= Version.V16_0:
            return Ghosting(frozenset())
        return Ghosting(None if self.sticky.supported is None else frozenset(self.sticky.supported))

    def _had(self, record_id: str) -> Had:
        """What the device shows of a record. Raises NotFound."""
        records, tenant = self.session.office.records, self.session.identity.tenant
        current = records.get(tenant, record_id)
        earlier: Base | None = None
        known = max(self.generation.caught_up, self.generation.sent.get(record_id, 0))
        if current.change > known:
            earlier = records.base(tenant, record_id, known, by=self.session.actor)
        base = earlier or Base(value=current.value, leftovers=current.leftovers, text=current.text)
        is_outdated = (base.value, base.leftovers) != (current.value, current.leftovers)
        return Had(replace(base, device_wins=self.sticky.client_wins), is_outdated, current.version)

    # ---------------------------------------------------- repeated additions

    def _added(self, command: ClientCommand) -> str | None:
        """The record that this very Add made before, if its answer got lost."""
        if self._known is None:
            with self.session.office.store.reading() as tx:
                self._known = tx.client_ids(self.session.identity, self.session.device.id, self.kind.value)
        return self._known_as(command, self._known)

    def _known_as(self, command: ClientCommand, known: Mapping[tuple[int, str], str]) -> str | None:
        found = known.get((self.generation.number, command.client_id))
        content = _content(command)
        return found or next((record_id for (_, client_id), record_id in known.items() if client_id == content), None)

    def _remember(self, command: ClientCommand) -> Callable[[Transaction, Record], None]:
        def save(tx: Transaction, record: Record) -> None:
            identity, device_id, number = self.session.identity, self.session.device.id, self.generation.number
            # The record's commit is the only one of the tenant now: what another process made of the same request is seen here.
            twin = self._known_as(command, tx.client_ids(identity, device_id, self.kind.value))
            if twin is not None and twin != record.id:
                raise Repeated(twin)
            for name in (command.client_id, _content(command)):
                tx.save_client_id(identity, device_id, self.kind.value, number, name, record.id)

        return save

    # ------------------------------------------------------------ responses

    def _refuse(self, command: ClientCommand, error: OfficeError) -> None:
        status = refusal(error)
        logger.info("%s of %s refused: %s", command.verb, ascii(command.server_id or command.client_id), ascii(str(error)))
        self.sender.failed(command.server_id or command.client_id, 0, str(error))
        if command.verb == "Add":
            # The client drops its copy; 7 would make it look for the server's.
            self._respond_to_add(command, Status.CONVERSION_ERROR if status == Status.CONFLICT else status)
        elif command.verb in TAGS:
            # The device's copy is put right: by the server's, or, if there is none in reach, by taking it away.
            is_gone = command.verb == "Delete" and not command.instance_id
            self.own[command.server_id] = LOST if is_gone else Written(1, "")
            self._respond(TAGS[command.verb], command, status)

    def _respond_to_add(self, command: ClientCommand, status: str, record_id: str = "", uid: str = "") -> None:
        parts = [Element(AirSync.ClientId, command.client_id)]
        if record_id:
            parts.append(Element(AirSync.ServerId, record_id))
        parts.append(Element(AirSync.Status, status))
        if uid and self.kind is Kind.APPOINTMENTS and self.session.version >= Version.V16_0:
            # R2028: the server makes the UID and tells it here.
            parts.append(Element(AirSync.ApplicationData, (Element(Calendar.UID, uid),)))
        self.responses.append(Element(AirSync.Add, tuple(parts)))

    def _respond(self, tag: int, command: ClientCommand, status: str) -> None:
        parts = [Element(AirSync.ServerId, command.server_id)]
        if command.instance_id:
            parts.append(Element(AirSyncBase.InstanceId, command.instance_id))
        self.responses.append(Element(tag, (*parts, Element(AirSync.Status, status))))


def _content(command: ClientCommand) -> str:
    """A name for an Add with all that it says."""
    assert command.data is not None
    return "=" + sha256(command.client_id.encode() + encode(command.data)).hexdigest()[:40]


# ------------------------------------------------------------------------ plan


def plan(viewer: Viewer, kind: Kind, before: Generation, scope: str, *, room: int) -> sync_state.Plan:
    """Steps that bring a device from ``before`` to what ``scope`` offers now, at most ``room`` beside those that put its own writes right.

    Raises CursorInvalid.
    """
    wrong = sync_state.wrong(before.own)
    if not wrong:
        return _plan(viewer, kind, before, scope, room=room)
    mended = sync_state.put_right(before, viewer.office.feeds.news(viewer.identity, kind, None, scope=scope, limit=0, watch=wrong).live)
    further = _plan(viewer, kind, mended.after, scope, room=max(room - len(mended.steps), 0))
    return replace(further, steps=[*mended.steps, *further.steps])


def _plan(viewer: Viewer, kind: Kind, before: Generation, scope: str, *, room: int) -> sync_state.Plan:
    steps: list[sync_state.Step] = []
    if before.move is None and before.cursor is not None and before.scope != scope:
        target, _ = viewer.office.feeds.entries(viewer.identity, kind, scope)
        before = replace(before, scope=scope, cursor=target, move=sync_state.Move(scope=before.scope, since=before.cursor))
    if before.move is not None:
        moved = _plan_move(viewer, kind, before, room=room)
        if moved.more:
            return moved
        before, steps = moved.after, list(moved.steps)
        if before.scope != scope:
            further = _plan(viewer, kind, before, scope, room=room - len(steps))
            return replace(further, steps=[*steps, *further.steps])
    following = _plan_news(viewer, kind, replace(before, scope=scope), room=room - len(steps))
    return replace(following, steps=[*steps, *following.steps])


def _plan_move(viewer: Viewer, kind: Kind, before: Generation, *, room: int) -> sync_state.Plan:
    assert before.move is not None
    assert before.cursor is not None
    feeds = viewer.office.feeds
    at, old = feeds.entries(viewer.identity, kind, before.move.scope)
    sync_state.demand_epoch(at, before.move.since)
    now, new = feeds.entries(viewer.identity, kind, before.scope)
    sync_state.demand_epoch(now, before.cursor)
    return sync_state.plan_move(before, old, new, room=room)


def _plan_news(viewer: Viewer, kind: Kind, before: Generation, *, room: int) -> sync_state.Plan:
    """News in batches until the room is used: what the device wrote itself takes none."""
    feeds, steps = viewer.office.feeds, list[sync_state.Step]()
    while True:
        left = max(room - len(steps), 0)
        news = feeds.news(viewer.identity, kind, before.cursor, scope=before.scope, limit=left + 1, watch=before.own)
        part = sync_state.plan(before, news.entries, news.cursor, room=left, complete=not news.more, offered=news.live)
        steps += part.steps
        before = part.after
        if not part.more:
            return sync_state.Plan(steps, replace(before, caught_up=news.change), more=False)
        # From the first page on the device has at least what was there then, of all that it has.
        before = replace(before, caught_up=before.caught_up or news.change)
        if len(steps) >= room:
            return sync_state.Plan(steps, before, more=True)


def gone_for_good(viewer: Viewer, kind: Kind, steps: Sequence[sync_state.Step]) -> Sequence[sync_state.Step]:
    """Delete becomes SoftDelete for what only left the period: it is not deleted anywhere (rule 54)."""
    gone = [step.record_id for step in steps if step.verb is sync_state.Verb.DELETE]
    kept = viewer.office.feeds.still_theirs(viewer.identity, kind, gone) if gone and kind is not Kind.CONTACTS else frozenset()
    soft = sync_state.Verb.SOFT_DELETE
    return [step._replace(verb=soft) if step.verb is sync_state.Verb.DELETE and step.record_id in kept else step for step in steps]
