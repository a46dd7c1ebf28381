"""Break queries and whole requests at random and see that the bridge holds: ``python -m tests.eas.fuzz --count 100000 --seed 1``.

A query is read, or refused with BadQuery. A request with a broken body or a broken head is answered with a status of HTTP that means something
(never 500, never the 503 that stands for a defect of ours) and a body that is WBXML; the log holds no error, and memory does not grow.
"""

from __future__ import annotations

import argparse
import logging
import random
import resource
import sys
import tempfile
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from activesync_bridge.request import COMMANDS, BadQuery, Request, parse
from activesync_bridge.wbxml.codepages import (
    AirSync,
    AirSyncBase,
    Calendar,
    ComposeMail,
    Find,
    FolderHierarchy,
    GetItemEstimate,
    ItemOperations,
    MeetingResponse,
    Move,
    Ping,
    Provision,
    ResolveRecipients,
    Search,
    Settings,
)
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.reader import decode
from activesync_bridge.wbxml.writer import encode
from tests.eas.phone import Phone, add, change, delete, sync_of
from tests.journeys.ledger import Complaints
from tests.journeys.makings import SHAPES, Makings
from tests.journeys.processes import Database, NoAnswer, Process
from tests.wbxml.fuzz import mutated as mutated_bytes

E = Element
NOW = datetime(2026, 3, 15, 8, 30, tzinfo=UTC)
HEADERS = {"ms-asprotocolversion": "16.1"}
PROPER = {200, 400, 401, 403, 405, 413, 449, 501}
LONGEST = 200_000  # bytes of a body that is not made longer
LARGE = 1000  # elements of a tree that is not twisted further
BATCH = 2000  # requests to one office
GROWTH = 100  # MiB that a run may take more than at its beginning
# Queries of the specification and of clients, and ours of each length
BLOBS = ("jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l", "jQAJBBBOaW5lNDM4M0FGMzQ2ODYwBAAAAAAHQW5kcm9pZAcBAA==", "oRIJBAJkMQDw", "oQAA")
PLAIN = (
    "Cmd=Sync&User=anna&DeviceId=FUZZ&DeviceType=Fuzz",
    "DeviceType=x&cmd=ping&deviceid=a%2Eb&User=t%5Canna&CollectionId=1&ItemId=&LongId=%00",
)
TEXTS = (
    "",
    "0",
    "1",
    "-1",
    "7",
    "99999999999999999999",
    "1e9",
    " ",
    "\u00e4" * 400,
    "x" * 5000,
    "contacts",
    "inbox",
    "20260230T000000Z",
    "00010101T000000Z",
    "99991231T235959Z",
    "2026-13-01T00:00:00.000Z",
    "0001-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
    "AAAA" * 58,
    "%\\;,:\n\r\t",
    "BEGIN:VCARD\r\nEND:VCARD",
    "\u2028\ud7ff\ue000\U0010ffff",
)


def broken_query(chance: random.Random) -> str:
    """A query, changed in one to four places, at random in its base64 or in what that stands for."""
    if chance.random() < 0.4:
        text = chance.choice(PLAIN)
        data = bytearray(text.encode())
        _scratch(chance, data)
        return data.decode("latin-1")
    data = bytearray(b64decode(chance.choice(BLOBS)))
    _scratch(chance, data)
    text = b64encode(bytes(data)).decode()
    if chance.random() < 0.2:
        raw = bytearray(text.encode())
        _scratch(chance, raw)
        text = raw.decode("latin-1")
    return text


def _scratch(chance: random.Random, data: bytearray) -> None:
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randint(0, len(data))
        match chance.randrange(4 if len(data) < LONGEST else 3):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + chance.randint(1, 6)]
            case 2:
                data[at:at] = chance.randbytes(chance.randint(1, 8))
            case 3:
                data[at:at] = data[:at] * chance.choice((1, 30))


def judge_query(query: str) -> str:
    """What became of a query. Raises what the reader should not."""
    try:
        found = parse(query, HEADERS)
    except BadQuery:
        return "refused"
    assert isinstance(found, Request)
    assert 0 < len(found.device_id) <= 64, found
    return "read"


# ------------------------------------------------------------- whole requests


def seeds(phone: Phone, known: dict[str, str]) -> list[tuple[str, Element]]:
    """A sound request of each command that has a body; ``known`` is the id of an item of each collection."""
    make, found = Makings(lambda: NOW), list[tuple[str, Element]]()
    for collection in ("contacts", "appointments", "tasks"):
        for number, shape in enumerate(SHAPES):
            item = add(f"c{number}", *make.elements(collection, make.mark(collection), phone.version, number, shape))
            edited = change(known[collection], *make.edits(collection, phone.of(collection).shown, phone.version, number, number))
            gone, fetch = delete(known[collection]), E(AirSync.Fetch, (E(AirSync.ServerId, known[collection]),))
            found.append(("Sync", sync_of(phone.request(collection, [item, edited, fetch, gone], window=5, filter_type=0))))
    occurrence = change(known["appointments"], E(Calendar.Subject, "x"), instance="20260323T080000Z")
    found.append(("Sync", sync_of(phone.request("appointments", [occurrence]))))
    body = E(AirSyncBase.BodyPreference, (E(AirSyncBase.Type, "2"), E(AirSyncBase.TruncationSize, "5"), E(AirSyncBase.AllOrNone, "1")))
    found.append(("Sync", sync_of(phone.request("tasks", options=(body,)), more=(E(AirSync.WindowSize, "7"), E(AirSync.Wait, "5")))))
    named = (E(AirSync.SyncKey, phone.of("contacts").key), E(GetItemEstimate.CollectionId, "contacts"))
    found += _others(known, named)
    return found


def _others(known: dict[str, str], named: tuple[Element, ...]) -> list[tuple[str, Element]]:
    def one(command: str, tag: int, *children: Element) -> tuple[str, Element]:
        return command, E(tag, children)

    folder = E(Ping.Folder, (E(Ping.Id, "contacts"), E(Ping.Class, "Contacts")))
    moved = E(Move.Move, (E(Move.SrcMsgId, known["tasks"]), E(Move.SrcFldId, "tasks"), E(Move.DstFldId, "contacts")))
    fetch = (E(ItemOperations.Store, "Mailbox"), E(AirSync.CollectionId, "contacts"), E(AirSync.ServerId, known["contacts"]))
    asked = (E(MeetingResponse.UserResponse, "1"), E(MeetingResponse.CollectionId, "appointments"))
    free = E(ResolveRecipients.Availability, (E(ResolveRecipients.StartTime, "2026-03-15T00:00:00.000Z"),))
    query = (E(Find.FreeText, "v"),)
    policy = E(Provision.Policy, (E(Provision.PolicyType, "MS-EAS-Provisioning-WBXML"),))
    return [
        one("FolderSync", FolderHierarchy.FolderSync, E(FolderHierarchy.SyncKey, "0")),
        one("GetItemEstimate", GetItemEstimate.GetItemEstimate, E(GetItemEstimate.Collections, (E(GetItemEstimate.Collection, named),))),
        one("Ping", Ping.Ping, E(Ping.HeartbeatInterval, "60"), E(Ping.Folders, (folder,))),
        one("MoveItems", Move.MoveItems, moved),
        one("ItemOperations", ItemOperations.ItemOperations, E(ItemOperations.Fetch, fetch)),
        one(
            "MeetingResponse",
            MeetingResponse.MeetingResponse,
            E(MeetingResponse.Request, (*asked, E(MeetingResponse.RequestId, known["appointments"]))),
        ),
        one(
            "ResolveRecipients",
            ResolveRecipients.ResolveRecipients,
            E(ResolveRecipients.To, "anna"),
            E(ResolveRecipients.Options, (free,)),
        ),
        one(
            "Search",
            Search.Search,
            E(Search.Store, (E(Search.Name, "GAL"), E(Search.Query, "v"), E(Search.Options, (E(Search.Range, "0-9"),)))),
        ),
        one("Find", Find.Find, E(Find.SearchId, "1"), E(Find.ExecuteSearch, (E(Find.GalSearchCriterion, (E(Find.Query, query),)),))),
        one("Settings", Settings.Settings, E(Settings.UserInformation, (E(Settings.Get),)), E(Settings.Oof, (E(Settings.Get),))),
        one("Provision", Provision.Provision, E(Provision.Policies, (policy,))),
        one("SendMail", ComposeMail.SendMail, E(ComposeMail.ClientId, "1"), E(ComposeMail.Mime, b"To: x")),
    ]


def twisted(chance: random.Random, root: Element) -> Element:
    """The tree with some of its elements changed, doubled, dropped, or taken from elsewhere in it."""
    everything = list(_all(root))
    for _ in range(chance.choice((1, 1, 2, 5))):
        target, other = chance.choice(everything), chance.choice(everything)
        root = _with(root, target, _twist(chance, target, other))
        everything = list(_all(root))
        if len(everything) > LARGE:
            # Copies of copies grow without bounds, and would try the fuzzer's memory instead of the bridge's.
            break
    return root


def _twist(chance: random.Random, target: Element, other: Element) -> tuple[Element, ...]:
    match chance.randrange(7):
        case 0 | 1 | 2:
            return (Element(target.tag, chance.choice(TEXTS)),)
        case 3:
            return (target, target) if chance.random() < 0.8 else (target,) * 300
        case 4:
            return ()
        case 5:
            return (other,)
        case _:
            return (Element(other.tag, target.content),)


def _all(root: Element) -> Iterator[Element]:
    yield root
    for child in root.children:
        yield from _all(child)


def _with(root: Element, target: Element, new: tuple[Element, ...]) -> Element:
    """The tree with ``new`` where ``target`` stands; the root stays."""
    children: list[Element] = []
    for child in root.children:
        children += new if child is target else (_with(child, target, new),)
    return Element(root.tag, tuple(children)) if root.children else root


class Target:
    """A process with a phone that knows an item of each collection."""

    def __init__(self, process: Process):
        self.process, self.complaints = process, Complaints()
        self.phone = Phone(process.exchange, device="FUZZ")
        self.phone.folder_sync()
        make, known = Makings(lambda: NOW), {}
        for collection in ("contacts", "appointments", "tasks"):
            self.phone.sync(collection, add("first", *make.elements(collection, make.mark(collection), "16.1", 1, "series")))
            (known[collection],) = self.phone.of(collection).items
            copy = self.phone.of(collection)
            copy.shown = {one.tag: one for one in copy.items[known[collection]].children}
        self.seeds = seeds(self.phone, known)

    def request(self, chance: random.Random) -> tuple[str, dict[str, str], bytes]:
        """A broken request: path, headers, body."""
        command, root = chance.choice(self.seeds)
        body = encode(twisted(chance, root)) if chance.random() < 0.6 else _bytes(chance, encode(root))
        command = chance.choice(list(COMMANDS.values())) if chance.random() < 0.1 else command
        query = f"Cmd={command}&User=anna&DeviceId=FUZZ&DeviceType=Fuzz"
        if chance.random() < 0.05:
            query = broken_query(chance)
        version = chance.choice(("12.1", "14.0", "14.1", "16.0", "16.1", "16.1", "16.1"))
        headers = {"Authorization": self.phone.authorization, "MS-ASProtocolVersion": version, "User-Agent": "Fuzz/1"}
        return f"/Microsoft-Server-ActiveSync?{query}", headers, body

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> str:
        """What became of a request. Raises AssertionError if that is nothing that a phone can do with."""
        try:
            status, answered, answer = self.process.exchange("POST", path.encode("ascii", "replace").decode(), headers, body)
        except NoAnswer:
            return "waits"
        assert status in PROPER, f"status {status}"
        assert self.complaints.lines == [], self.complaints.lines
        if status == 200 and answer and answered.get("content-type", "").startswith("application/vnd.ms-sync.wbxml"):
            decode(answer)
        return str(status)


def _bytes(chance: random.Random, body: bytes) -> bytes:
    if chance.random() < 0.2:
        return mutated_bytes(chance)
    data = bytearray(body)
    _scratch(chance, data)
    return bytes(data)


# ----------------------------------------------------------------- the command


def run(count: int, seed: int, one: Callable[[random.Random], str]) -> Counter[str]:
    """Verdicts on that many inputs; the input that broke something is noted on the error."""
    chance = random.Random(seed)  # noqa: S311 (no secret)
    seen: Counter[str] = Counter()
    for _ in range(count):
        seen[one(chance)] += 1
    return seen


def one_query(chance: random.Random) -> str:
    """Break and judge one query."""
    query = broken_query(chance)
    try:
        return judge_query(query)
    except Exception as error:
        error.add_note(f"query: {query!r}")
        raise


def one_request(target: Target) -> Callable[[random.Random], str]:
    """Breaks and judges one request."""

    def one(chance: random.Random) -> str:
        path, headers, body = target.request(chance)
        try:
            return target.judge(path, headers, body)
        except Exception as error:
            error.add_note(f"path: {path!r}, version: {headers['MS-ASProtocolVersion']}, body: {body.hex()}")
            raise

    return one


def batch(database: Database, count: int, seed: int) -> Counter[str]:
    """Break that many requests to a fresh office: what they made would make each answer longer."""
    with database.copied() as url:
        target = Target(database.process(url, lambda: NOW))
        loggers = [logging.getLogger(name) for name in ("radicale_onoffice", "activesync_bridge")]
        for logger in loggers:
            logger.addHandler(target.complaints)
        try:
            return run(count, seed, one_request(target))
        finally:
            for logger in loggers:
                logger.removeHandler(target.complaints)
            target.process.close()


def megabytes() -> int:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Break queries and whole requests at random and see that the bridge holds.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    sys.stdout.write(f"{options.count} queries: {dict(run(options.count, options.seed, one_query))}\n")
    with tempfile.TemporaryDirectory() as directory:
        database, seen, before = Database(Path(directory)), Counter[str](), 0
        for number in range(0, options.count, BATCH):
            seen += batch(database, min(BATCH, options.count - number), options.seed + number)
            before = before or megabytes()
    grown = megabytes() - before
    sys.stdout.write(f"{options.count} requests: {dict(seen)}, {before} MiB at most after {BATCH}, and {grown} MiB more in the end\n")
    assert grown < GROWTH, "memory grows"


if __name__ == "__main__":
    main()
