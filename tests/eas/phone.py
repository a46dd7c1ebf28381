"""A phone: speaks ActiveSync to a server through any HTTP client, keeps a replica, and behaves as [MS-ASCMD] wants clients to.

It is strict: an answer that a real client would stumble over (a second Add of what it has, a Change of what it has not, an empty
Commands) is an assertion.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase, Calendar, Contacts, FolderHierarchy, GetItemEstimate, Ping
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.reader import decode
from activesync_bridge.wbxml.writer import encode
from tests.judging.hearing import note_answer

# R541, R542, R461: leaving these out deletes nothing, in any version
NEVER_DELETED = (AirSyncBase.Body, AirSyncBase.NativeBodyType, Contacts.Picture, Calendar.Exceptions)
PATH = "/Microsoft-Server-ActiveSync"
E = Element
# method, path with query, headers, body -> status, headers, body
Send = Callable[[str, str, dict[str, str], bytes], tuple[int, dict[str, str], bytes]]
CLASSES = {"contacts": "Contacts", "appointments": "Calendar", "tasks": "Tasks"}


def over(client) -> Send:
    """Send through an httpx client or Starlette's TestClient."""

    def send(method: str, path: str, headers: dict[str, str], body: bytes):
        answer = client.request(method, path, headers=headers, content=body)
        return answer.status_code, dict(answer.headers), answer.content

    return send


@dataclass
class Collection:
    """What the phone has of one folder."""

    key: str = "0"
    items: dict[str, Element] = field(default_factory=dict)  # ServerId -> ApplicationData
    supported: tuple[int, ...] | None = None  # what Supported said at key 0


class Refused(Exception):
    """An HTTP status other than 200, or a status of the whole command."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str]):
        super().__init__(f"{status} {body[:200]!r}")
        self.status, self.body, self.headers = status, body, headers


class Phone:
    """One device of one user."""

    def __init__(self, send: Send, login: str = "anna", password: str = "secret", *, version: str = "16.1", device: str = "PHONE1"):
        self.send, self.version, self.device = send, version, device
        self.authorization = "Basic " + b64encode(f"{login}:{password}".encode()).decode()
        self.login, self.policy_key, self.user_agent, self.type = login, "", "Test-Phone/1.0", "TestPhone"
        self.folders: dict[str, tuple[str, int]] = {}
        self.folder_key = "0"
        self.collections: dict[str, Collection] = {}
        self.doubles = 0  # Adds of what it had: harmless, but a sign of waste

    # ------------------------------------------------------------- transport

    def post(self, command: str, root: Element | None = None, **headers: str) -> Element | None:
        """Send a command; the decoded answer, None for an empty one."""
        status, answered, body = self.raw(command, encode(root) if root is not None else b"", **headers)
        if status != 200:
            raise Refused(status, body, answered)
        return decode(body) if body else None

    def raw(self, command: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send bytes."""
        query = f"{PATH}?Cmd={command}&User={self.login}&DeviceId={self.device}&DeviceType={self.type}"
        standing = {
            "Authorization": self.authorization,
            "MS-ASProtocolVersion": self.version,
            "User-Agent": self.user_agent,
            "Content-Type": "application/vnd.ms-sync.wbxml",
            **({"X-MS-PolicyKey": self.policy_key} if self.policy_key else {}),
        }
        headers = standing | headers
        status, answered, content = self.send("POST", query, headers, body)
        note_answer(query.partition("?")[2], headers, answered, content)
        return status, answered, content

    # --------------------------------------------------------------- folders

    def folder_sync(self) -> dict[str, tuple[str, int]]:
        """Fetch the folder list; id -> (name, type)."""
        answer = self.post("FolderSync", E(FolderHierarchy.FolderSync, (E(FolderHierarchy.SyncKey, self.folder_key),)))
        assert answer is not None
        status = answer.text_of(FolderHierarchy.Status)
        if status == "9":
            self.folder_key, self.folders = "0", {}
            return self.folder_sync()
        assert "1" == status
        self.folder_key = answer.text_of(FolderHierarchy.SyncKey)
        changes = answer.first(FolderHierarchy.Changes)
        assert changes is not None
        for child in changes.children:
            if child.tag in (FolderHierarchy.Add, FolderHierarchy.Update):
                name, kind = child.text_of(FolderHierarchy.DisplayName), int(child.text_of(FolderHierarchy.Type, "0"))
                self.folders[child.text_of(FolderHierarchy.ServerId)] = name, kind
            elif child.tag == FolderHierarchy.Delete:
                gone = child.text_of(FolderHierarchy.ServerId)
                self.folders.pop(gone)
                self.collections.pop(gone, None)
        return self.folders

    # ------------------------------------------------------------------ sync

    def of(self, collection: str) -> Collection:
        """The phone's copy of a folder."""
        return self.collections.setdefault(collection, Collection())

    def request(
        self,
        collection: str,
        commands: Iterable[Element] = (),
        *,
        key: str | None = None,
        window: int | None = None,
        filter_type: int | None = None,
        supported: Iterable[int] | None = None,
        options: Iterable[Element] = (),
        get_changes: bool | None = None,
    ) -> Element:
        """A Collection element in the order that strict servers want."""
        key = self.of(collection).key if key is None else key
        commands = list(commands)
        parts = [E(AirSync.Class, CLASSES[collection])] if self.version == "12.1" else []
        parts += [E(AirSync.SyncKey, key), E(AirSync.CollectionId, collection)]
        if supported is not None and key == "0":
            parts.append(E(AirSync.Supported, tuple(E(tag) for tag in supported)))
        if key != "0":
            if get_changes is not None:
                parts.append(E(AirSync.GetChanges, "1" if get_changes else "0"))
            parts += [E(AirSync.WindowSize, str(window))] if window is not None else []
            chosen = [E(AirSync.FilterType, str(filter_type))] if filter_type is not None else []
            if [*chosen, *options]:
                parts.append(E(AirSync.Options, (*chosen, *options)))
            parts += [E(AirSync.Commands, tuple(commands))] if commands else []
        return E(AirSync.Collection, tuple(parts))

    def sync(self, collection: str, *commands: Element, **how) -> list[Element]:
        """Synchronise until nothing is left; the Responses of the first answer. Client commands go with the first request."""
        if self.of(collection).key == "0":
            self.prime(collection, supported=how.pop("supported", None))
        responses, more = self.once(collection, *commands, **how)
        while more:
            _, more = self.once(collection, **how)
        return responses

    def prime(self, collection: str, *, supported: Iterable[int] | None = None) -> None:
        """Key 0: the answer is a key and nothing else."""
        self.of(collection).items.clear()
        self.of(collection).key = "0"
        self.of(collection).supported = None if supported is None else tuple(supported)
        answer = self.post("Sync", sync_of(self.request(collection, supported=supported)))
        assert answer is not None
        part = collection_of(answer)
        assert "1" == part.text_of(AirSync.Status), part
        assert part.first(AirSync.Commands) is None
        self.of(collection).key = part.text_of(AirSync.SyncKey)

    def once(self, collection: str, *commands: Element, **how) -> tuple[list[Element], bool]:
        """One request; its Responses, and whether more is to come."""
        answer = self.post("Sync", sync_of(self.request(collection, commands, **how)))
        if answer is None:
            assert not commands
            return [], False
        return self.take(answer, commands)

    def take(self, answer: Element, commands: Iterable[Element] = ()) -> tuple[list[Element], bool]:
        """Apply an answer to the replica."""
        assert answer.first(AirSync.Status) is None, answer.text_of(AirSync.Status)
        responses: list[Element] = []
        more = False
        collections = answer.first(AirSync.Collections)
        assert collections is not None
        for part in collections.children:
            responses += self.apply(part, list(commands))
            more = more or part.first(AirSync.MoreAvailable) is not None
        return responses, more

    def apply(self, part: Element, commands: list[Element]) -> list[Element]:
        """One Collection of an answer; a lost key starts the folder from the beginning."""
        name, status = part.text_of(AirSync.CollectionId), part.text_of(AirSync.Status)
        if status == "3":
            self.of(name).key = "0"
            self.of(name).items.clear()
            raise KeyLost(name)
        assert "1" == status, (name, status)
        copy = self.of(name)
        responses = part.first(AirSync.Responses)
        assert responses is None or responses.children
        self._own(copy, commands, list(responses.children) if responses else [])
        sent = part.first(AirSync.Commands)
        assert sent is None or sent.children
        for command in sent.children if sent else ():
            self._command(copy, command)
        copy.key = part.text_of(AirSync.SyncKey)
        return list(responses.children) if responses else []

    def _own(self, copy: Collection, commands: list[Element], responses: list[Element]) -> None:
        """The phone's own commands, as far as they were taken."""
        failed = {r.text_of(AirSync.ServerId) for r in responses if r.tag != AirSync.Add and r.text_of(AirSync.Status) != "1"}
        made = {r.text_of(AirSync.ClientId): r for r in responses if r.tag == AirSync.Add}
        for command in commands:
            server_id, data = command.text_of(AirSync.ServerId), command.first(AirSync.ApplicationData)
            if command.tag == AirSync.Add:
                response = made[command.text_of(AirSync.ClientId)]
                if response.text_of(AirSync.Status) == "1" and data is not None:
                    copy.items[response.text_of(AirSync.ServerId)] = data
            elif command.tag == AirSync.Delete and command.first(AirSyncBase.InstanceId) is None:
                copy.items.pop(server_id, None)
            elif command.tag == AirSync.Change and server_id not in failed and command.first(AirSyncBase.InstanceId) is None:
                assert data is not None
                copy.items[server_id] = merged(copy.items[server_id], data, self._kept(copy))

    def _kept(self, copy: Collection) -> Callable[[int], bool]:
        """Which elements the phone keeps that it left out of a Change, because it knows that the server keeps them (R5906-R5912)."""
        is_calendar = copy is self.collections.get("appointments")
        if is_calendar and self.version >= "16":
            return lambda _tag: True
        if copy.supported is None:
            return lambda tag: tag in NEVER_DELETED
        return lambda tag: tag in NEVER_DELETED or tag not in (copy.supported or ())

    def _command(self, copy: Collection, command: Element) -> None:
        server_id, data = command.text_of(AirSync.ServerId), command.first(AirSync.ApplicationData)
        if command.tag == AirSync.Add:
            assert data is not None
            self.doubles += server_id in copy.items
            copy.items[server_id] = data
        elif command.tag == AirSync.Change:
            assert data is not None
            assert server_id in copy.items, f"Change of {server_id}, which the phone does not have"
            copy.items[server_id] = data
        else:
            copy.items.pop(server_id, None)

    # ----------------------------------------------------------------- others

    def estimate(self, collection: str, *, key: str | None = None, filter_type: int | None = None) -> tuple[str, int]:
        """GetItemEstimate: status and number."""
        parts = [E(AirSync.SyncKey, self.of(collection).key if key is None else key), E(GetItemEstimate.CollectionId, collection)]
        parts += [E(AirSync.Options, (E(AirSync.FilterType, str(filter_type)),))] if filter_type is not None else []
        asked = E(GetItemEstimate.Collection, tuple(parts))
        answer = self.post("GetItemEstimate", E(GetItemEstimate.GetItemEstimate, (E(GetItemEstimate.Collections, (asked,)),)))
        assert answer is not None
        response = answer.first(GetItemEstimate.Response)
        assert response is not None
        found = response.first(GetItemEstimate.Collection)
        return response.text_of(GetItemEstimate.Status), int(found.text_of(GetItemEstimate.Estimate)) if found else 0

    def ping(self, *folders: str, heartbeat: int = 60) -> tuple[str, list[str]]:
        """Status, and the folders that changed."""
        names = tuple(E(Ping.Folder, (E(Ping.Id, name), E(Ping.Class, CLASSES.get(name, "Email")))) for name in folders)
        answer = self.post("Ping", E(Ping.Ping, (E(Ping.HeartbeatInterval, str(heartbeat)), E(Ping.Folders, names))))
        return pinged(answer)


class KeyLost(Exception):
    """Status 3: the phone begins the folder anew."""


def pinged(answer: Element | None) -> tuple[str, list[str]]:
    """Status and folders of a Ping's answer."""
    assert answer is not None
    folders = answer.first(Ping.Folders)
    return answer.text_of(Ping.Status), [one.text for one in folders.children] if folders else []


def sync_of(*collections: Element, more: Iterable[Element] = ()) -> Element:
    """A Sync of these collections."""
    return E(AirSync.Sync, (E(AirSync.Collections, collections), *more))


def collection_of(answer: Element) -> Element:
    """The one Collection of an answer."""
    collections = answer.first(AirSync.Collections)
    assert collections is not None, answer
    assert 1 == len(collections.children)
    return collections.children[0]


def data_of(*children: Element) -> Element:
    """ApplicationData."""
    return E(AirSync.ApplicationData, children)


def add(client_id: str, *children: Element) -> Element:
    """An Add command."""
    return E(AirSync.Add, (E(AirSync.ClientId, client_id), data_of(*children)))


def change(server_id: str, *children: Element, instance: str = "") -> Element:
    """A Change command; ``instance`` names an occurrence (16.x)."""
    named = (E(AirSyncBase.InstanceId, instance),) if instance else ()
    return E(AirSync.Change, (E(AirSync.ServerId, server_id), *named, data_of(*children)))


def delete(server_id: str, *, instance: str = "") -> Element:
    """A Delete command."""
    named = (E(AirSyncBase.InstanceId, instance),) if instance else ()
    return E(AirSync.Delete, (E(AirSync.ServerId, server_id), *named))


def merged(old: Element, new: Element, keeps: Callable[[int], bool]) -> Element:
    """The phone's item after its own edit: what the edit left out is kept or gone."""
    named = {child.tag for child in new.children}
    return data_of(*new.children, *(child for child in old.children if child.tag not in named and keeps(child.tag)))


def status_of(response: Element) -> str:
    """Status of a Response."""
    return response.text_of(AirSync.Status)
