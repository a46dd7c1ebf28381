"""Phones on raw keep-alive sockets, driven by one loop: what is timed is from the first byte sent to the last one read, never the decoding.

What a phone does is a *script*: a generator that yields a command with its body, and is given the answer. Scripts of many phones run at
once in one thread, so that the client takes little of the machine on which the server is measured.
"""

from __future__ import annotations

import gzip
import selectors
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field

from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase, Contacts, FolderHierarchy, Ping
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.reader import decode
from activesync_bridge.wbxml.writer import encode

E = Element
PATIENCE = 300  # seconds
Script = Generator[tuple[str, bytes], bytes, None]


class Phone:
    """One device: a connection, and the keys of its folders. ``truncation`` of notes makes a flavour, so a new one finds nothing encoded."""

    def __init__(self, port: int, device: str, *, login: str = "u", truncation: int = 32768):
        self.device, self.login, self.truncation = device, login, truncation
        self.key, self.items = "0", 0
        self.bytes = 0  # of the last answer, as it came over the wire
        self._authorization = b64encode(f"{login}:secret".encode()).decode()
        self._port, self._began = port, 0.0
        self._read = bytearray()
        self.connect()

    def connect(self) -> None:
        """Dial."""
        self.socket = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def send(self, command: str, body: bytes) -> None:
        """Send a request; the clock runs from here."""
        head = (
            f"POST /Microsoft-Server-ActiveSync?Cmd={command}&User={self.login}&DeviceId={self.device}&DeviceType=Bench HTTP/1.1\r\n"
            f"Host: 127.0.0.1\r\nAuthorization: Basic {self._authorization}\r\nMS-ASProtocolVersion: 16.1\r\nUser-Agent: Bench/1.0\r\n"
            f"Accept-Encoding: gzip\r\nContent-Type: application/vnd.ms-sync.wbxml\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._began = time.perf_counter()
        self.socket.sendall(head.encode() + body)

    def take(self) -> tuple[bytes, float] | None:
        """What of the answer can be read now; the whole answer with its seconds as soon as it is there."""
        piece = self.socket.recv(1 << 20)
        now = time.perf_counter()
        if not piece:
            raise RuntimeError(f"{self.device}: the server has hung up")
        self._read += piece
        end = self._read.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self._read[:end]).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(self._read) < end + 4 + length:
            return None
        body, self._read = bytes(self._read[end + 4 :]), bytearray()
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(f"{self.device}: {head[:40]!r} {body[:300]!r}")
        self.bytes = len(body)
        return gzip.decompress(body) if b"content-encoding: gzip" in head else body, now - self._began

    # -------------------------------------------------------------- requests

    def sync_body(self, collection: str, *commands: Element, window: int = 100) -> bytes:
        """A Sync of one folder at the phone's key."""
        parts = [E(AirSync.SyncKey, self.key), E(AirSync.CollectionId, collection)]
        if self.key != "0":
            preference = E(AirSyncBase.BodyPreference, (E(AirSyncBase.Type, "1"), E(AirSyncBase.TruncationSize, str(self.truncation))))
            parts += [E(AirSync.WindowSize, str(window)), E(AirSync.Options, (preference,))]
        if commands:
            parts.append(E(AirSync.Commands, commands))
        return encode(E(AirSync.Sync, (E(AirSync.Collections, (E(AirSync.Collection, tuple(parts)),)),)))

    def took(self, answer: bytes) -> tuple[Element, bool]:
        """Note the key and count the items of a Sync's answer; the Collection, and whether more is to come."""
        collections = decode(answer).first(AirSync.Collections)
        assert collections is not None, answer
        part = collections.children[0]
        if part.text_of(AirSync.Status) != "1":
            raise RuntimeError(f"{self.device}: Sync was answered {part.text_of(AirSync.Status)}")
        self.key = part.text_of(AirSync.SyncKey)
        sent = part.first(AirSync.Commands)
        self.items += len(sent.children) if sent else 0
        return part, part.first(AirSync.MoreAvailable) is not None

    # --------------------------------------------------------------- scripts

    def first_sync(self, collection: str, window: int = 512) -> Script:
        """Fetch a folder from the beginning, until nothing is left."""
        yield "FolderSync", encode(E(FolderHierarchy.FolderSync, (E(FolderHierarchy.SyncKey, "0"),)))
        self.key, self.items = "0", 0
        more = True
        self.took((yield "Sync", self.sync_body(collection)))
        while more:
            answer = yield "Sync", self.sync_body(collection, window=window)
            more = bool(answer) and self.took(answer)[1]

    def poll(self, collection: str, times: int) -> Script:
        """Ask again and again for what is not there."""
        body = self.sync_body(collection)
        for _ in range(times):
            answer = yield "Sync", body
            assert not answer


def ping_body(*collections: str, heartbeat: int = 3540) -> bytes:
    """A Ping."""
    folders = tuple(E(Ping.Folder, (E(Ping.Id, one), E(Ping.Class, "Contacts"))) for one in collections)
    return encode(E(Ping.Ping, (E(Ping.HeartbeatInterval, str(heartbeat)), E(Ping.Folders, folders))))


def contact(name: str) -> Element:
    """ApplicationData of a small contact."""
    fields = (E(Contacts.FirstName, "Anna"), E(Contacts.LastName, name), E(Contacts.MobilePhoneNumber, "+49 171 2000000"))
    return E(AirSync.ApplicationData, fields)


@dataclass
class Measured:
    """Seconds of each request by command, and of all together."""

    seconds: list[float] = field(default_factory=list)
    wall: float = 0.0

    def quantile(self, part: float) -> float:
        """The value below which this part of the requests stayed, in seconds."""
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def run(phones: Iterable[Phone], script: Callable[[Phone], Script]) -> Measured:
    """Run a script on each phone, all at once; what the phones compute between requests is not in ``seconds``, but in ``wall``."""
    measured = Measured()
    with selectors.DefaultSelector() as selector:
        began = time.perf_counter()
        for phone in phones:
            acts = script(phone)
            selector.register(phone.socket, selectors.EVENT_READ, (phone, acts))
            phone.send(*next(acts))
        while selector.get_map():
            ready = selector.select(PATIENCE)
            if not ready:
                raise RuntimeError("The server does not answer.")
            for key, _ in ready:
                phone, acts = key.data
                found = phone.take()
                if found is None:
                    continue
                measured.seconds.append(found[1])
                try:
                    phone.send(*acts.send(found[0]))
                except StopIteration:
                    selector.unregister(phone.socket)
        measured.wall = time.perf_counter() - began
    return measured


def ask(phone: Phone, command: str, body: bytes) -> tuple[bytes, float]:
    """One request of one phone, and its seconds."""
    phone.send(command, body)
    while (found := phone.take()) is None:
        pass
    return found
