"""A device that was told nothing of what it made, and repeats it: unchanged, edited, or long after; it stays one record, as the device has it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import pytest

from activesync_bridge.wbxml.codepages import Calendar, Contacts, Tasks
from activesync_bridge.wbxml.element import Element as E
from radicale_onoffice import mirrors
from radicale_onoffice.core.errors import UpstreamDown
from radicale_onoffice.core.model import Kind
from tests.crm.desks import CHANGES, COLUMNS, TABLES, Desk
from tests.crm.test_exactly_once import PowerFailure, failing_commit
from tests.dav.test_sync import sync
from tests.eas.phone import Phone, Refused, add, change, over, status_of

KINDS = list(Kind)
FOLDERS = {Kind.CONTACTS: "contacts", Kind.APPOINTMENTS: "calendar", Kind.TASKS: "tasks"}
CALENDAR = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{}END:VCALENDAR\r\n"
TEXTS = {
    Kind.CONTACTS: "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nN:{title};Ada;;;\r\nFN:Ada {title}\r\nTEL;TYPE=HOME:0241 {number}\r\nEND:VCARD\r\n",
    Kind.APPOINTMENTS: CALENDAR.format(
        "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260401T100000Z\r\nDTEND:20260401T110000Z\r\n"
        "SUMMARY:{title}\r\nEND:VEVENT\r\n"
    ),
    Kind.TASKS: CALENDAR.format("BEGIN:VTODO\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:{title}\r\nEND:VTODO\r\n"),
}
NUMBERS = {"Erst": "0000", "Alt": "1001", "Neu": "2002"}


@dataclass
class OverDav:
    """A client that PUTs one item, and what it has in the end."""

    client: object
    kind: Kind
    item: str = "one"

    def send(self, title: str) -> int:
        text = TEXTS[self.kind].format(uid=f"uid-{self.item}", title=title, number=NUMBERS[title])
        return self.client.put(f"/anna/{FOLDERS[self.kind]}/{self.item}.x", content=text).status_code

    def has(self) -> list[str]:
        text = self.client.get(f"/anna/{FOLDERS[self.kind]}/{self.item}.x").text
        return [title for title in NUMBERS if title in text]


@dataclass
class OverEas:
    """A phone that Adds one item under one ClientId."""

    phone: Phone
    kind: Kind
    item: str = "one"

    def send(self, title: str) -> int:
        try:
            (response,) = self.phone.sync(self.kind.value, add(self.item, *self._fields(title)))
        except Refused as refused:
            return refused.status
        assert "1" == status_of(response)
        return 201

    def _fields(self, title: str) -> list[E]:
        if self.kind is Kind.CONTACTS:
            phone = E(Contacts.HomePhoneNumber, f"0241 {NUMBERS[title]}")
            return [E(Contacts.FirstName, "Ada"), E(Contacts.LastName, title), phone]
        if self.kind is Kind.TASKS:
            return [E(Tasks.Subject, title), E(Tasks.Complete, "0")]
        times = ((Calendar.StartTime, "20260401T100000Z"), (Calendar.EndTime, "20260401T110000Z"))
        return [E(Calendar.Subject, title), *(E(tag, at) for tag, at in times)]

    def has(self) -> list[str]:
        """After a synchronisation from the beginning, as the server has it."""
        self.phone.prime(self.kind.value)
        self.phone.sync(self.kind.value)
        tag = {Kind.CONTACTS: Contacts.LastName, Kind.APPOINTMENTS: Calendar.Subject, Kind.TASKS: Tasks.Subject}[self.kind]
        return [item.text_of(tag) for item in self.phone.of(self.kind.value).items.values()]


class Place:
    """A server over an emulated onOffice."""

    def __init__(self, server, emulated, clock):
        self.server, self.desk = server, Desk(server.office, emulated, clock)
        emulated.connections.to("t").account()
        self.mirror = mirrors.Mirrors(server.office, server.office.crm, "test").of("t")
        self.poll()

    def device(self, face: str, kind: Kind, device: str = "PHONE1", item: str = "one"):
        if face == "dav":
            return OverDav(self.server.client(), kind, item)
        phone = Phone(over(self.server.client(None)), version="16.1", device=device)
        phone.prime(kind.value)
        return OverEas(phone, kind, item)

    def lose_the_answer(self, device, title: str) -> None:
        """onOffice makes it, and neither the answer nor a look at what became of it arrives."""
        self.desk.fault(verb="create", resourcetype=TABLES[device.kind], kind="reset", when="after")
        self.desk.fault(kind="status", status=429, times=10**6)
        assert 503 == device.send(title)
        self.desk.recover()

    def kill(self, device, title: str) -> None:
        """The process ends when onOffice has made it, and before that is stored."""

        def end() -> None:
            raise PowerFailure

        self.desk.emulated.wires["t"].then = end
        with suppress(PowerFailure):
            assert device.send(title) in (500, 503)

    def poll(self) -> None:
        """What a server does every now and then."""
        self.desk.drain()
        while "polled" != self.mirror.turn():
            pass

    def titles(self, kind: Kind) -> list[str]:
        return [row[COLUMNS[kind][0]] for row in self.desk.rows(kind)]

    def numbers(self) -> list[str]:
        return [one["value"][-4:] for row in self.desk.rows(Kind.CONTACTS) for one in row["entries"] if one["what"] == "phone"]


@pytest.fixture
def place(serve, make_office, clock):
    server = serve(crm="onoffice")
    (emulated,) = make_office.emulated.values()
    return Place(server, emulated, clock)


LOST = {"answer": Place.lose_the_answer, "process": Place.kill}
each = pytest.mark.parametrize(
    ("face", "kind", "lost"), [(face, kind, lost) for face in ("dav", "eas") for kind in KINDS for lost in LOST], ids=str
)


def judge(place: Place, device, title: str) -> None:
    """One record on both sides, in the form that the device wished last."""
    assert ([title], []) == (place.titles(device.kind), place.desk.errands())
    assert 1 == len(place.desk.all_stored(device.kind))
    assert [title] == device.has()
    if device.kind is Kind.CONTACTS:
        assert NUMBERS[title] in place.numbers(), "and a number that a device takes away stays in onOffice"
        assert len(set(place.numbers())) == len(place.numbers())


@each
@pytest.mark.parametrize("title", ["Alt", "Neu"])
def test_a_repetition_at_once(place, face, kind, lost, title):
    """Unchanged, or edited meanwhile."""
    device = place.device(face, kind)
    LOST[lost](place, device, "Alt")
    assert 1 == len(place.titles(kind))
    assert device.send(title) in (201, 204)
    judge(place, device, title)


@each
@pytest.mark.parametrize("title", ["Alt", "Neu"])
def test_a_repetition_long_after(place, face, kind, lost, title):
    """An hour later, when polls have found what was made: it is stored as the device calls it, so the device's item is that one."""
    device = place.device(face, kind)
    LOST[lost](place, device, "Alt")
    for minutes in (1, 9, 50):
        place.desk.wait(minutes=minutes)
        place.poll()
    (found,) = place.desk.all_stored(kind)
    assert ("Alt", []) == (getattr(found.value, "last_name", None) or found.value.subject, place.desk.errands())
    assert device.send(title) in (201, 204)
    judge(place, device, title)
    assert [found.id] == [record.id for record in place.desk.all_stored(kind)]


@each
def test_an_edit_that_is_not_answered_either(place, face, kind, lost):
    """The edited repetition reaches onOffice and its answer gets lost, too; then it is edited back."""
    device = place.device(face, kind)
    LOST[lost](place, device, "Alt")
    place.desk.fault(verb="modify", resourcetype=TABLES[kind], kind="reset", when="after")
    assert device.send("Neu") in (201, 204, 503)
    assert device.send("Alt") in (201, 204)
    judge(place, device, "Alt")


@pytest.mark.parametrize("minutes", [0, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_a_change_that_is_changed_before_it_is_answered(place, kind, minutes):
    """The server dies when onOffice has a phone's change; the user changes the same field again: no conflict with the user's own words."""
    device = place.device("eas", kind)
    device.send("Erst")
    tag = {Kind.CONTACTS: Contacts.LastName, Kind.APPOINTMENTS: Calendar.Subject, Kind.TASKS: Tasks.Subject}[kind]
    (server_id,) = device.phone.of(kind.value).items
    key = device.phone.of(kind.value).key
    with failing_commit(place.desk, 2), suppress(PowerFailure, Refused):
        device.phone.sync(kind.value, change(server_id, E(tag, "Alt")))
    assert (["Alt"], 1) == (place.titles(kind), len(place.desk.errands()))
    if minutes:
        place.desk.wait(minutes=minutes)
        place.poll()
    device.phone.of(kind.value).key = key
    assert [] == device.phone.sync(kind.value, change(server_id, E(tag, "Neu")))
    assert (["Neu"], []) == (place.titles(kind), place.desk.errands())


def test_what_lies_out_of_reach_goes_again_though_its_maker_was_told_nothing(place):
    """An appointment in a year, made over CalDAV as the server died: its client finds it there, and is told that it is not synchronised."""
    device = place.device("dav", Kind.APPOINTMENTS)
    *_, token = sync(device.client, "/anna/calendar/")
    text = TEXTS[Kind.APPOINTMENTS].format(uid="far", title="Fern", number="").replace("20260401", "20270401")
    with failing_commit(place.desk, 2), suppress(PowerFailure):
        device.client.put("/anna/calendar/far.ics", content=text)
    place.desk.wait(minutes=20)
    place.poll()
    assert 412 == device.client.put("/anna/calendar/far.ics", content=text, headers={"If-None-Match": "*"}).status_code
    assert (set(), {"far.ics"}) == sync(device.client, "/anna/calendar/", token)[:2]
    assert ["Fern"] == place.titles(Kind.APPOINTMENTS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("face", ["dav", "eas"])
def test_two_items_that_say_the_same_stay_two(place, face, kind):
    """Of two devices over ActiveSync; over DAV also of one program, which calls each by a UID of its own."""
    first, second = place.device(face, kind), place.device(face, kind, "PHONE2", "one" if face == "eas" else "two")
    place.lose_the_answer(first, "Alt")
    assert second.send("Alt") in (201, 204)
    assert first.send("Alt") in (201, 204)
    assert (["Alt", "Alt"], [], 2) == (place.titles(kind), place.desk.errands(), len(place.desk.all_stored(kind)))


def test_a_client_id_of_a_later_key_is_another_item(place):
    """A phone may use a ClientId again when it has a new key: what it says then is not taken for an edit."""
    phone = place.device("eas", Kind.TASKS)
    place.lose_the_answer(phone, "Alt")
    phone.phone.sync("tasks")
    phone.phone.prime("tasks")
    assert 201 == phone.send("Neu")
    place.desk.wait(minutes=5)
    place.poll()
    assert ["Alt", "Neu"] == sorted(place.titles(Kind.TASKS))
    assert ["Alt", "Neu"] == sorted(one.value.subject for one in place.desk.all_stored(Kind.TASKS))


SERIES = CALENDAR.format(
    "BEGIN:VEVENT\r\nUID:s\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260401T100000Z\r\nDTEND:20260401T110000Z\r\n"
    "RRULE:FREQ=WEEKLY;COUNT=4\r\nSUMMARY:{series}\r\nEND:VEVENT\r\n"
    "BEGIN:VEVENT\r\nUID:s\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20260408T100000Z\r\nDTSTART:20260409T100000Z\r\n"
    "DTEND:20260409T110000Z\r\nSUMMARY:{occurrence}\r\nEND:VEVENT\r\n"
)


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("titles", [("Serie", "Termin"), ("Serie neu", "Termin neu")])
def test_a_series_with_an_occurrence_that_stands_alone(place, lost, titles):
    """Two records are made of one item; whichever is not answered, there are two after the repetition, too."""
    client, path = place.server.client(), "/anna/calendar/s.ics"
    if lost == 2:
        place.desk.fault(verb="create", resourcetype="calendar", kind="pass")
    place.desk.fault(verb="create", resourcetype="calendar", kind="reset", when="after")
    place.desk.fault(kind="status", status=429, times=10**6)
    assert 503 == client.put(path, content=SERIES.format(series="Serie", occurrence="Termin")).status_code
    assert lost == len(place.titles(Kind.APPOINTMENTS))
    place.desk.recover()
    assert client.put(path, content=SERIES.format(series=titles[0], occurrence=titles[1])).status_code in (201, 204)
    assert (sorted(titles), []) == (sorted(place.titles(Kind.APPOINTMENTS)), place.desk.errands())
    assert sorted(titles) == sorted(one.value.subject for one in place.desk.all_stored(Kind.APPOINTMENTS))


@pytest.mark.parametrize("kind", list(Kind))
def test_a_change_that_is_taken_back_before_anybody_knew_of_it(desk, kind):
    """It was done, and its device told to come again; the device comes with what it had before: that is a change, too, and onOffice gets it."""
    at = desk()
    record = at.add(kind)
    at.fault(verb="modify", resourcetype=TABLES[kind], kind="reset", when="after")
    at.outage()
    with pytest.raises(UpstreamDown):
        at.edit(record, **CHANGES[kind])
    at.recover()
    at.wait(minutes=5)
    at.edit(record, **{name: getattr(record.value, name) for name in CHANGES[kind]})
    *_, column, value = COLUMNS[kind]
    assert (False, []) == (value == str(at.row(record)[column]), at.errands())
