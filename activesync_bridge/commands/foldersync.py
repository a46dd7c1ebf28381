"""FolderSync ([MS-ASCMD] 2.2.1.5): the folders of the user, and what changed in them since the device last looked.

A key stands for the list of folders that the device has. Two generations are kept: the newest, and the one before it, whose key stays
valid until the newest is used, because the answer with the newest may have got lost (R5106-R5122). Key 0 starts the list of folders
again and nothing else: the collections' own keys live on (clients send 0 before each Sync).

The five mail folders are always there and always empty: Android drops an account without them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from activesync_bridge.folders import KIND_FOLDERS, MAIL_FOLDERS
from activesync_bridge.session import Answer, Session
from activesync_bridge.status import FolderSyncStatus
from activesync_bridge.wbxml.codepages import FolderHierarchy as Tag
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core import folders
from radicale_onoffice.core.folders import Reader
from radicale_onoffice.core.model import Device
from radicale_onoffice.core.ports import Transaction

HIERARCHY = "hierarchy"  # the collection under which the device's list of folders is kept
ROOT = "0"  # ParentId of every folder, and the first key
MAIL_NAMES: Mapping[str, Mapping[str, str]] = {
    "de": {
        "inbox": "Posteingang",
        "drafts": "Entwürfe",
        "deleted": "Gelöschte Elemente",
        "sent": "Gesendete Elemente",
        "outbox": "Postausgang",
    },
    "en": {"inbox": "Inbox", "drafts": "Drafts", "deleted": "Deleted Items", "sent": "Sent Items", "outbox": "Outbox"},
    "it": {
        "inbox": "Posta in arrivo",
        "drafts": "Bozze",
        "deleted": "Posta eliminata",
        "sent": "Posta inviata",
        "outbox": "Posta in uscita",
    },
}


class Folder(NamedTuple):
    """One folder as the device knows it; all of them lie at the root."""

    id: str
    name: str
    type: int


@dataclass(frozen=True, slots=True)
class Generation:
    """The folders that a device with this key has."""

    key: str
    folders: tuple[Folder, ...]


@dataclass(frozen=True, slots=True)
class State:
    """The newest generation and the one before; ``number`` grows with each."""

    number: int = 0
    current: Generation | None = None
    previous: Generation | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to answer: the key and the way from the folders of ``since`` to those of ``state.current``."""

    state: State
    since: tuple[Folder, ...]

    @property
    def key(self) -> str:
        """The key that the device gets."""
        assert self.state.current is not None
        return self.state.current.key


START = Generation(ROOT, ())


def handle(session: Session, body: Element | None) -> Answer:
    """Answer a FolderSync."""
    key = parse(body)
    if key is None:
        return _failed(FolderSyncStatus.INVALID_REQUEST)
    with session.office.store.reading() as tx:  # the usual case writes nothing, whatever the key
        known = load(tx, session.device)
        found = plan(known, key, offered(tx, session.who), session.device)
    if found is not None and found.state != known:
        found = _save(session, key)
    return _failed(FolderSyncStatus.INVALID_SYNC_KEY) if found is None else build(found)


# ----------------------------------------------------------------- the parts


def parse(body: Element | None) -> str | None:
    """The key that the device has; None if the request is malformed (R4086)."""
    if body is None or body.tag != Tag.FolderSync:
        return None
    found = body.first(Tag.SyncKey)
    return found.text if found is not None and found.text else None


def plan(state: State, key: str, now: tuple[Folder, ...], device: Device) -> Plan | None:
    """What a device with this key has to be told, None if the key is none of this device (R4580, R4581). Pure."""
    current, previous = state.current, state.previous
    if current is not None and key == current.key:
        return Plan(state, current.folders) if current.folders == now else _next(state, current, now, device)
    if key == ROOT or (previous is not None and key == previous.key):
        base = START if key == ROOT else previous
        assert base is not None
        if previous == base and current is not None and current.folders == now:
            return Plan(state, base.folders)  # the answer got lost: the same again
        return _next(state, base, now, device)
    return None


def _next(state: State, base: Generation, now: tuple[Folder, ...], device: Device) -> Plan:
    number = state.number + 1
    return Plan(State(number, Generation(_key(number, now, device), now), base), base.folders)


def _save(session: Session, key: str) -> Plan | None:
    """Plan again under the store's lock, so that two requests at once do not overwrite each other's key."""
    with session.office.store.writing() as tx:
        known = load(tx, session.device)
        found = plan(known, key, offered(tx, session.who), session.device)
        if found is not None and found.state != known:
            tx.save_sync_state(session.identity, session.device.id, HIERARCHY, _dump(found.state), b"")
    return found


def _key(number: int, now: Sequence[Folder], device: Device) -> str:
    """A key of this user's device only: at most 64 characters."""
    owner = (device.identity.tenant, device.identity.user, device.id)
    return f"{number}-{sha256(json.dumps([owner, now]).encode()).hexdigest()[:32]}"


def build(found: Plan) -> Element:
    """The answer; Update, Delete, Add in the order of the schema."""
    assert found.state.current is not None
    before = {folder.id: folder for folder in found.since}
    after = {folder.id: folder for folder in found.state.current.folders}
    changes = [_folder(Tag.Update, new) for new in after.values() if new.id in before and before[new.id] != new]
    changes += [Element(Tag.Delete, (Element(Tag.ServerId, gone),)) for gone in before if gone not in after]
    changes += [_folder(Tag.Add, new) for new in after.values() if new.id not in before]
    return Element(
        Tag.FolderSync,
        (
            Element(Tag.Status, str(FolderSyncStatus.SUCCESS.value)),
            Element(Tag.SyncKey, found.key),
            Element(Tag.Changes, (Element(Tag.Count, str(len(changes))), *changes)),
        ),
    )


def _folder(tag: int, folder: Folder) -> Element:
    return Element(
        tag,
        (
            Element(Tag.ServerId, folder.id),
            Element(Tag.ParentId, ROOT),
            Element(Tag.DisplayName, folder.name),
            Element(Tag.Type, str(folder.type)),
        ),
    )


def _failed(status: FolderSyncStatus) -> Element:
    return Element(Tag.FolderSync, (Element(Tag.Status, str(status.value)),))


# ------------------------------------------------------- for other commands


def offered(tx: Transaction, who: Reader) -> tuple[Folder, ...]:
    """The folders that exist for the user now, as the other face names them."""
    names = MAIL_NAMES.get(who.user.language, MAIL_NAMES["en"])
    mail = [Folder(name, names[name], kind) for name, kind in MAIL_FOLDERS.items()]
    kinds = [
        Folder(kind.value, folders.properties(who, kind, tx.folder_properties(who.identity, kind))["display_name"], KIND_FOLDERS[kind])
        for kind in folders.offered_kinds(who)
    ]
    return _named_apart([*mail, *kinds])


def _named_apart(found: Iterable[Folder]) -> tuple[Folder, ...]:
    """The folders with no name twice (R2198): users give names of their own."""
    taken: dict[str, Folder] = {}
    for folder in found:
        name, number = folder.name, 2
        while name in taken:
            name, number = f"{folder.name} ({number})", number + 1
        taken[name] = folder._replace(name=name)
    return tuple(taken.values())


def load(tx: Transaction, device: Device) -> State:
    """The device's list of folders as last told; an empty state if it was told none, or one that cannot be read any more."""
    stored = tx.sync_state(device.identity, device.id, HIERARCHY)
    if stored is None:
        return State()
    try:
        data = json.loads(stored[0])
        return State(data["number"], _generation(data["current"]), _generation(data["previous"]))
    except (ValueError, KeyError, TypeError):
        return State()


def is_current(session: Session) -> bool:
    """True unless the device has to ask for its folders again: Sync answers 12 then, and Ping 7."""
    with session.office.store.reading() as tx:
        current = load(tx, session.device).current
        return current is not None and current.folders == offered(tx, session.who)


def knows(tx: Transaction, device: Device, key: str) -> bool:
    """True if the key is one of the two that the device may use."""
    state = load(tx, device)
    return key != ROOT and any(one is not None and one.key == key for one in (state.current, state.previous))


def _generation(data: tuple[str, list[list[Any]]] | None) -> Generation | None:
    if data is None:
        return None
    key, rows = data
    return Generation(key, tuple(Folder(*row) for row in rows))


def _dump(state: State) -> str:
    def of(generation: Generation | None) -> object:
        return None if generation is None else [generation.key, generation.folders]

    return json.dumps({"number": state.number, "current": of(state.current), "previous": of(state.previous)}, ensure_ascii=False)
