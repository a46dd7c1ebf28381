"""A phone with a user on a bad network: what the user changes waits on the phone until an answer took it.

A request that got no answer is repeated byte for byte, or made anew with what the user changed since; both are what phones do. The strict
``Phone`` underneath applies the answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase, Calendar
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.reader import decode
from activesync_bridge.wbxml.writer import encode
from tests.eas.phone import KeyLost, Phone, collection_of, data_of, merged, sync_of
from tests.journeys.processes import FINE, Fault, NoAnswer

E = Element
COLLECTIONS = ("contacts", "appointments", "tasks")
Edit = dict[int, Element]  # elements by tag


@dataclass
class Waiting:
    """What the user did in one folder and no answer has taken yet."""

    added: dict[str, Edit] = field(default_factory=dict)  # ClientId -> the whole item
    changed: dict[str, Edit] = field(default_factory=dict)  # ServerId -> the changed elements
    deleted: dict[str, None] = field(default_factory=dict)  # ServerIds, in order
    occurrences: dict[tuple[str, str], Element] = field(default_factory=dict)  # (ServerId, InstanceId) -> command, 16.x


@dataclass
class Flight:
    """A request that is on its way, with what it carries of the folder's Waiting."""

    body: bytes
    commands: list[Element]
    added: dict[str, Edit] = field(default_factory=dict)
    changed: dict[str, Edit] = field(default_factory=dict)
    is_first: bool = False  # key 0, whose answer is a key and nothing else


@dataclass
class Took:
    """What came of one request: the commands that it carried, their Responses, and whether the phone will ask again at once."""

    commands: list[Element]
    responses: list[Element]
    more: bool
    news: bool = False  # the server had something to tell


class Handset(Phone):
    """One phone; ``filters`` and ``window`` go with each request."""

    def __init__(self, *args, window: int | None = None, filters: dict[str, int] | None = None, **kwargs):
        super().__init__(None, *args, **kwargs)
        self.window, self.filters = window, dict(filters or {})
        self.waiting = {name: Waiting() for name in COLLECTIONS}
        self.flights: dict[str, Flight] = {}
        self.unsure: dict[str, Edit] = {}  # Adds that may have arrived, as they were sent
        self.adds = 0

    @property
    def sends_whole(self) -> dict[str, bool]:
        """Before 16.x a Change carries the whole item; from then on that of an appointment only what changed (R2231)."""
        return dict.fromkeys(COLLECTIONS, True) | {"appointments": self.version < "16"}

    # ------------------------------------------------------------- the user

    def add(self, collection: str, *elements: Element) -> None:
        """Make an item."""
        self.adds += 1
        self.waiting[collection].added[f"{self.device}-{self.adds}"] = {one.tag: one for one in elements}

    def shown(self, collection: str, item: str) -> Edit:
        """An item as the phone shows it, with what the user changed."""
        waiting = self.waiting[collection]
        if item in waiting.added:
            return waiting.added[item]
        return {one.tag: one for one in self.of(collection).items[item].children} | waiting.changed.get(item, {})

    def visible(self, collection: str) -> list[str]:
        """Ids of what the user sees: ServerIds, and ClientIds of what has none yet."""
        waiting = self.waiting[collection]
        return [item for item in self.of(collection).items if item not in waiting.deleted] + list(waiting.added)

    def edit(self, collection: str, item: str, *elements: Element) -> None:
        """Change elements of an item."""
        waiting = self.waiting[collection]
        where = waiting.added if item in waiting.added else waiting.changed
        where[item] = where.get(item, {}) | {one.tag: one for one in elements}

    def remove(self, collection: str, item: str) -> None:
        """Delete an item."""
        waiting = self.waiting[collection]
        if waiting.added.pop(item, None) is None:
            waiting.changed.pop(item, None)
            waiting.occurrences = {key: one for key, one in waiting.occurrences.items() if key[0] != item}
            waiting.deleted[item] = None

    def on_occurrence(self, item: str, instance: str, command: Element) -> None:
        """Change or delete one occurrence of a series (16.x)."""
        self.waiting["appointments"].occurrences[item, instance] = command

    # -------------------------------------------------------------- requests

    def prepare(self, collection: str, *, again: bool) -> Flight:
        """The next request of a folder: that which got no answer ``again`` as it was, or a new one."""
        if again and collection in self.flights:
            return self.flights[collection]
        copy, waiting = self.of(collection), self.waiting[collection]
        if copy.key == "0":
            flight = Flight(encode(sync_of(self.request(collection))), [], is_first=True)
        else:
            flight = self._full(collection, waiting)
        self.flights[collection] = flight
        return flight

    def _full(self, collection: str, waiting: Waiting) -> Flight:
        commands, copy, whole = [], self.of(collection), self.sends_whole[collection]
        for client_id, edit in waiting.added.items():
            commands.append(E(AirSync.Add, (E(AirSync.ClientId, client_id), data_of(*edit.values()))))
        for server_id, edit in waiting.changed.items():
            data = data_of(*edit.values())
            data = merged(copy.items[server_id], data, lambda _tag: True) if whole else data
            commands.append(E(AirSync.Change, (E(AirSync.ServerId, server_id), data)))
        commands += [E(AirSync.Delete, (E(AirSync.ServerId, server_id),)) for server_id in waiting.deleted]
        commands += waiting.occurrences.values()
        request = self.request(collection, commands, window=self.window, filter_type=self.filters.get(collection))
        added = {client_id: dict(edit) for client_id, edit in waiting.added.items()}
        changed = {server_id: dict(edit) for server_id, edit in waiting.changed.items()}
        return Flight(encode(sync_of(request)), commands, added, changed)

    def attempt(self, process, collection: str, flight: Flight, fault: Fault = FINE) -> Took | None:
        """Send a request; None if the server has to be asked again, with a new key or later. Raises NoAnswer and Killed."""
        for client_id, edit in flight.added.items():
            self.unsure.setdefault(client_id, dict(edit))
        query = f"/Microsoft-Server-ActiveSync?Cmd=Sync&User={self.login}&DeviceId={self.device}&DeviceType=TestPhone"
        headers = {"Authorization": self.authorization, "MS-ASProtocolVersion": self.version, "User-Agent": self.user_agent}
        status, _, body = process.exchange("POST", query, headers, flight.body, fault)
        if fault.kind == "truncated":
            assert status in (200, 400), status  # a body that is no WBXML: 102, or a Sync that says less
            raise NoAnswer
        del self.flights[collection]
        if status == 503:
            return None
        assert status == 200, (status, body)
        return self._answered(collection, flight, decode(body) if body else None)

    def _answered(self, collection: str, flight: Flight, answer: Element | None) -> Took | None:
        if answer is None:
            assert not flight.commands, "an empty answer to a request with commands"
            return Took([], [], more=False)
        part = collection_of(answer)
        status = part.text_of(AirSync.Status)
        if status == "12":
            self.drop(collection)
            return None
        if status == "16":
            return None
        try:
            responses, more = self.take(answer, flight.commands)
        except KeyLost:
            self._begin_anew(collection)
            return None
        self._taken(collection, flight, responses)
        return Took(flight.commands, responses, more or flight.is_first, news=True)

    def _begin_anew(self, collection: str) -> None:
        """The key is lost: items come again; what was made here and may have arrived is sent as it was, and changed later."""
        waiting = self.waiting[collection]
        waiting.changed.clear()
        waiting.deleted.clear()
        waiting.occurrences.clear()
        for client_id in waiting.added:
            if client_id in self.unsure:
                waiting.added[client_id] = dict(self.unsure[client_id])

    def drop(self, collection: str) -> None:
        """The folder is gone, and all that was in it."""
        self.collections.pop(collection, None)
        self.flights.pop(collection, None)
        self.waiting[collection] = Waiting()

    def _taken(self, collection: str, flight: Flight, responses: list[Element]) -> None:
        """Take off the list what the answer took; what the user changed since stays on it."""
        waiting, copy = self.waiting[collection], self.of(collection)
        made = {one.text_of(AirSync.ClientId): one for one in responses if one.tag == AirSync.Add}
        for client_id, sent in flight.added.items():
            self.unsure.pop(client_id, None)
            now, server_id = waiting.added.pop(client_id, None), made[client_id].text_of(AirSync.ServerId)
            if made[client_id].text_of(AirSync.Status) != "1" or server_id not in copy.items:
                continue
            if now is None:
                waiting.deleted[server_id] = None
            elif now != sent:
                waiting.changed[server_id] = {tag: one for tag, one in now.items() if one != sent.get(tag)}
        for server_id, sent in flight.changed.items():
            rest = {tag: one for tag, one in waiting.changed.pop(server_id, {}).items() if one != sent.get(tag)}
            if rest:
                waiting.changed[server_id] = rest
        for command in flight.commands:
            server_id, instance = command.text_of(AirSync.ServerId), command.text_of(AirSyncBase.InstanceId)
            if instance and waiting.occurrences.get((server_id, instance)) == command:
                del waiting.occurrences[server_id, instance]
            elif command.tag == AirSync.Delete:
                waiting.deleted.pop(server_id, None)
        waiting.changed = {server_id: edit for server_id, edit in waiting.changed.items() if server_id in copy.items}
        waiting.deleted = {server_id: None for server_id in waiting.deleted if server_id in copy.items}
        waiting.occurrences = {key: one for key, one in waiting.occurrences.items() if key[0] in copy.items}

    def hierarchy(self, process, fault: Fault = FINE) -> None:
        """FolderSync; what it takes away is dropped."""
        before = set(self.folders)
        self.send = lambda *request: process.exchange(*request, fault)
        self.folder_sync()
        for gone in before - set(self.folders):
            if gone in self.waiting:
                self.drop(gone)

    @property
    def is_quiet(self) -> bool:
        """True if nothing waits here."""
        return not self.flights and all(waiting == Waiting() for waiting in self.waiting.values())


def is_series(edit: Edit) -> bool:
    """True if an item that the phone shows recurs."""
    return Calendar.Recurrence in edit
