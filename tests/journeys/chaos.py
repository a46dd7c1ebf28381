"""Clients of a server that is killed again and again, over an onOffice that fails: what they may believe of each thing that they made.

A client changes its own things only, one change of a thing at a time, and repeats a change until it is acknowledged or refused, as phones and DAV
clients do. ``Thing.allowed`` is what onOffice may hold of it: one value, once the client knows.
"""

from __future__ import annotations

import http.client
import itertools
import random
import threading
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from activesync_bridge.items.patching import compact
from activesync_bridge.wbxml.codepages import AirSync, Calendar, Contacts, Tasks
from activesync_bridge.wbxml.element import Element
from tests.eas.phone import Refused
from tests.journeys.davclient import DavClient, value_of, with_line
from tests.journeys.handset import COLLECTIONS, Handset
from tests.journeys.makings import LETTERS, mark_in
from tests.journeys.processes import FINE, NoAnswer

E = Element
AT_ONCE = 3  # changes that wait on one client
PAUSE = 0.05  # seconds between two requests of a client
AWAY = 0.2  # ... when there was no answer
GONE = ""  # of a thing's value: it is not there
NAMES = {"contacts": Contacts.LastName, "appointments": Calendar.Subject, "tasks": Tasks.Subject}
Key = tuple[str, str]  # collection, mark


class Wire:
    """The server's port, whoever listens there now; takes the place of a ``Process``."""

    def __init__(self, port: int):
        self.port = port

    def exchange(self, method: str, path: str, headers: dict[str, str], body: bytes, _fault=FINE):
        """Status, headers and body. Raises NoAnswer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except (http.client.HTTPException, OSError) as error:
            raise NoAnswer from error
        finally:
            connection.close()


@dataclass
class Thing:
    """Something that one client made: its value is a word that nobody else uses."""

    number: int  # of its mobile number, its hour
    word: str = GONE  # as the client knows it
    wanted: str | None = None  # the change that waits; None: none does
    allowed: set[str] = field(default_factory=lambda: {GONE})

    def sent(self) -> None:
        """It may have arrived from now on."""
        assert self.wanted is not None
        self.allowed.add(self.wanted)

    def took(self) -> None:
        """It was acknowledged."""
        assert self.wanted is not None
        self.word, self.allowed, self.wanted = self.wanted, {self.wanted}, None

    def refused(self) -> None:
        """It was refused: what was there before stands."""
        self.allowed, self.wanted = {self.word}, None

    def given_up(self, shown: str | None) -> None:
        """The client does not know, and looks at what the server shows."""
        if shown is not None and shown in self.allowed:
            self.word, self.allowed = shown, {shown}
        self.wanted = None


class Client(threading.Thread):
    """What both kinds have in common; ``counts`` is what became of all clients' changes."""

    numbers = itertools.count(1)

    def __init__(self, name: str, wire: Wire, seed: str, counts: Counter[str]):
        super().__init__(name=name, daemon=True)
        self.wire, self.counts, self.dice = wire, counts, random.Random(seed)  # noqa: S311 - repeatable, nothing secret
        self.things: dict[Key, Thing] = {}
        self.is_making, self.over, self.trouble = True, threading.Event(), ""

    def run(self) -> None:
        """Make and change things until told to stop, and then until nothing waits any more."""
        try:
            while not self.over.is_set() and (self.is_making or not self.is_quiet()):
                self.over.wait(self.step())
        except Exception:  # noqa: BLE001 - the test tells of it
            self.trouble = traceback.format_exc()

    def step(self) -> float:
        """One thing that the user does, and one request; the seconds until the next one."""
        waiting = [key for key, thing in self.things.items() if thing.wanted is not None]
        if self.is_making and len(waiting) < AT_ONCE:
            self.act()
        try:
            return PAUSE if self.ask() else AWAY
        except NoAnswer:
            self.counts["no answer"] += 1
            return AWAY

    def act(self) -> None:
        """The user makes something, changes it, or deletes an appointment."""
        collection, what = self.dice.choice(COLLECTIONS), self.dice.random()
        mine = [key for key, thing in self.things.items() if key[0] == collection and thing.wanted is None and thing.word != GONE]
        known = [key for key in mine if self.shown(key) == self.things[key].word]
        word = f"v{next(self.numbers)}"
        if what < 0.6 or not known:
            key, number = (collection, f"{LETTERS[collection]}{next(self.numbers)}"), next(self.numbers)
            self.things[key] = Thing(number, wanted=word)
            self.make(key, word, number)
            return
        key = self.dice.choice(known)
        if what > 0.9 and collection == "appointments":
            self.things[key].wanted = GONE
            self.remove(key)
        else:
            self.things[key].wanted = word
            self.change(key, word)

    def note(self, key: Key, outcome: str) -> None:
        """A change came to an end: "took", "refused" or "given up"."""
        self.counts[outcome] += 1
        thing = self.things[key]
        if outcome == "took":
            thing.took()
        elif outcome == "refused":
            thing.refused()
        else:
            thing.given_up(self.shown(key))


def start_of(number: int) -> datetime:
    """The hour of an appointment."""
    day = datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return day + timedelta(minutes=10 * (number % 2000))


# ------------------------------------------------------------------------- DAV


class Dav(Client):
    """A CardDAV and CalDAV client."""

    def __init__(self, login: str, name: str, wire: Wire, seed: str, counts: Counter[str]):
        super().__init__(name, wire, seed, counts)
        self.dav = DavClient(login, name)
        self.names: dict[Key, str] = {}

    def is_quiet(self) -> bool:
        return self.dav.is_quiet

    def shown(self, key: Key) -> str | None:
        text = self.dav.shown(key[0]).get(self.names[key])
        if text is None:
            return GONE
        return value_of(text, "N").partition(";")[0] if key[0] == "contacts" else value_of(text, "SUMMARY").partition(" ")[2]

    def make(self, key: Key, word: str, number: int) -> None:
        collection, mark = key
        if collection == "contacts":
            lines = [f"N:{word};{mark};;;", f"FN:{mark} {word}", f"TEL;TYPE=CELL:+49 151 {20000000 + number}"]
            text = "\r\n".join(["BEGIN:VCARD", "VERSION:3.0", "UID:{uid}", *lines, "END:VCARD", ""])
        else:
            part = "VTODO" if collection == "tasks" else "VEVENT"
            lines = [f"BEGIN:{part}", "UID:{uid}", "DTSTAMP:20260101T000000Z", f"SUMMARY:{mark} {word}"]
            if collection == "appointments":
                begin = start_of(number)
                lines += [f"DTSTART:{compact(begin)}", f"DTEND:{compact(begin + timedelta(minutes=30))}"]
            text = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Chaos//EN", *lines, f"END:{part}", "END:VCALENDAR", ""])
        before = set(self.dav.copies[collection].made)
        self.dav.make(collection, text)
        (self.names[key],) = set(self.dav.copies[collection].made) - before

    def change(self, key: Key, word: str) -> None:
        collection, mark = key
        text = self.dav.shown(collection)[self.names[key]]
        name, value = ("N", f"{word};{mark};;;") if collection == "contacts" else ("SUMMARY", f"{mark} {word}")
        self.dav.edit(collection, self.names[key], with_line(text, name, value))

    def remove(self, key: Key) -> None:
        self.dav.remove(key[0], self.names[key])

    def ask(self) -> bool:
        """One change that waits, or what is new."""
        collection = self.dice.choice(COLLECTIONS)
        following = self.dav.next_push(collection)
        if following is None or self.dice.random() < 0.2:
            self.dav.pull(self.wire, collection)
            return True
        method, name = following
        key = next(one for one, known in self.names.items() if known == name)
        self.things[key].sent()
        was_new = name in self.dav.copies[collection].made
        status = self.dav.push(self.wire, collection, method, name)
        if status == 503:
            self.counts["503"] += 1
            return False
        assert status < 500, (status, method, name)
        if status in (200, 201, 204) or (status in (404, 410) and method == "DELETE"):
            self.note(key, "took")
        elif status == 412:  # an earlier try was taken, or somebody else was faster: the server's stands
            while self.dav.copies[collection].stale:
                try:
                    self.dav.pull(self.wire, collection)
                except NoAnswer:
                    self.over.wait(AWAY)
            was_taken = self.shown(key) == self.things[key].wanted
            self.counts["taken, and told 412"] += was_taken
            self.note(key, "took" if was_taken else "given up")
            assert not was_new or self.things[key].word != GONE, name
        else:
            self.note(key, "refused")
        return True


# ----------------------------------------------------------------------- phones


class Mobile(Client):
    """A phone."""

    def __init__(self, login: str, name: str, version: str, wire: Wire, seed: str, counts: Counter[str]):
        super().__init__(name, wire, seed, counts)
        self.phone = Handset(login, version=version, device=name)
        self.has_folders = False

    def is_quiet(self) -> bool:
        return self.phone.is_quiet

    def _id(self, key: Key) -> str | None:
        shown = self.phone.of(key[0]).items
        return next((item for item, data in shown.items() if mark_in(data) == key[1]), None)

    def shown(self, key: Key) -> str | None:
        item = self._id(key)
        if item is None or item in self.phone.waiting[key[0]].deleted:
            return GONE
        said = self.phone.shown(key[0], item)[NAMES[key[0]]].text
        return said if key[0] == "contacts" else said.partition(" ")[2]

    def make(self, key: Key, word: str, number: int) -> None:
        collection, mark = key
        if collection == "contacts":
            number_of = E(Contacts.MobilePhoneNumber, f"+49 151 {20000000 + number}")
            self.phone.add(collection, E(Contacts.FirstName, mark), E(Contacts.LastName, word), number_of)
        elif collection == "tasks":
            self.phone.add(collection, E(Tasks.Subject, f"{mark} {word}"), E(Tasks.Complete, "0"))
        else:
            begin = start_of(number)
            times = [E(Calendar.StartTime, compact(begin)), E(Calendar.EndTime, compact(begin + timedelta(minutes=30)))]
            own = E(Calendar.ClientUid, f"client-{mark}") if self.phone.version >= "16" else E(Calendar.UID, f"uid-{mark}")
            self.phone.add(collection, E(Calendar.AllDayEvent, "0"), E(Calendar.Subject, f"{mark} {word}"), *times, own)

    def change(self, key: Key, word: str) -> None:
        said = word if key[0] == "contacts" else f"{key[1]} {word}"
        self.phone.edit(key[0], self._id(key), E(NAMES[key[0]], said))

    def remove(self, key: Key) -> None:
        self.phone.remove(key[0], self._id(key))

    def ask(self) -> bool:
        """One Sync of a folder, with all that waits there, and as often as there is more."""
        if not self.has_folders:
            try:
                self.phone.hierarchy(self.wire)
            except Refused:
                return False
            self.has_folders = True
        collection = self.dice.choice(COLLECTIONS)
        flight = self.phone.prepare(collection, again=self.dice.random() < 0.5)
        carried = self._carried(collection, flight.commands)
        for key in carried.values():
            self.things[key].sent()
        began = self.phone.of(collection).key
        took = self.phone.attempt(self.wire, collection, flight)
        if took is None:
            if began != "0" and self.phone.of(collection).key == "0":
                self._begun_anew(collection)
            self.counts["503"] += 1
            return False
        told = {one.text_of(AirSync.ClientId) or one.text_of(AirSync.ServerId): one.text_of(AirSync.Status) for one in took.responses}
        for name, key in carried.items():
            status = told.get(name, "1")
            self.note(key, {"1": "took", "7": "given up"}.get(status, "refused"))
        return True

    def _carried(self, collection: str, commands: list[Element]) -> dict[str, Key]:
        """The things that a request changes, by the name that the answer has for the command."""
        found = {}
        for command in commands:
            data, item = command.first(AirSync.ApplicationData), command.text_of(AirSync.ServerId)
            mark = mark_in(data if data is not None and command.tag == AirSync.Add else self.phone.of(collection).items[item])
            found[command.text_of(AirSync.ClientId) or item] = (collection, mark)
        return {name: key for name, key in found.items() if key in self.things and self.things[key].wanted is not None}

    def _begun_anew(self, collection: str) -> None:
        """The key is lost: changes and deletes are given up, whether they were taken or not; what is there comes again."""
        for key, thing in self.things.items():
            if key[0] == collection and thing.wanted is not None and thing.word != GONE:
                thing.wanted = None
                self.counts["given up"] += 1
