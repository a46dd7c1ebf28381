"""An office in which every page has something to show: the same data at the same moment each time, in English."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from activesync_bridge.wbxml.codepages import Tasks
from activesync_bridge.wbxml.element import Element
from radicale_onoffice import wiring
from radicale_onoffice.core.model import (
    Actor,
    Appointment,
    Contact,
    Entry,
    EntryKind,
    EntryType,
    Face,
    Failure,
    Identity,
    Kind,
    Slot,
    Task,
    Tenant,
    User,
)
from radicale_onoffice.core.office import Office
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.rights import Gate
from radicale_onoffice.stores.sql import open_store
from tests.browser.live import Live
from tests.eas.phone import Phone, Refused, add
from tests.pages.scenes import introduce
from tests.serving import open_server

NOW = datetime(2026, 3, 16, 9, 40, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")
ANNA = Identity("t", "anna")
COLLEAGUES = ("bert", "emma", "grace", "henry", "james", "lucy", "oliver", "sophie", "thomas")
CRM = Actor(identity=ANNA, face=Face.CRM)
E = Element
MEETING = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Thunderbird//EN
BEGIN:VEVENT
UID:meeting
DTSTAMP:20260316T090000Z
DTSTART:20260318T090000Z
DTEND:20260318T100000Z
SUMMARY:Owners' meeting
RRULE:FREQ=MONTHLY;BYDAY=3WE
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")
PEOPLE = (
    ("Emily", "Carter", "Carter & Sons Property Management", "Cologne"),
    ("James", "Bennett", "", "Bonn"),
    ("Sophie", "Marsh", "Marsh Interiors", "Aachen"),
    ("Oliver", "Hughes", "", "Cologne"),
    ("Grace", "Walker", "Walker Notaries", "Düsseldorf"),
    ("Henry", "Fletcher", "", "Leverkusen"),
    ("Lucy", "Palmer", "Palmer Surveyors", "Cologne"),
    ("Thomas", "Reed", "", "Neuss"),
)


class Clock:
    """The gallery's: it stands until it is set."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def open_gallery(directory: Path) -> Iterator[Live]:
    """A server with everything there is to see."""
    url = f"sqlite:///{directory}/gallery.db"
    store = open_store(url)
    store.migrate()
    clock = Clock()
    hasher = wiring.Hasher(argon2__memory_cost=8, argon2__time_cost=1, argon2__parallelism=1)
    office = wiring.assemble(store, policy=Policy(full_wipe=True), default_tenant="t", clock=clock, hasher=hasher)
    numbers = count(1)
    office.crm.new_id = lambda _tenant, _kind: f"demo-{next(numbers):06}"  # pages that show an id show the same one each time
    live = Live(open_server(directory, url, office, onoffice_trust_proxy="True"))
    live.headers = {"X-Forwarded-For": "203.0.113.24", "X-Forwarded-Proto": "https"}
    try:
        fill(office, live, clock)
        yield live
    finally:
        live.stop()
        wiring.forget(url)


def fill(office: Office, live: Live, clock: Clock) -> None:
    """Users, records, and what happened since yesterday."""
    with office.store.writing() as tx:
        tx.save_tenant(Tenant(name="t"))
    clock.now = NOW - timedelta(days=40)
    for name in ("anna", *COLLEAGUES):
        office.accounts.save_user(User(identity=Identity("t", name), admin=name == "anna", language="en"), "secret", "cli")
    for number in range(60):
        office.records.write(CRM, Kind.CONTACTS, contact(number), uid=f"contact-{number}")
    for number in range(12):
        start = (NOW + timedelta(days=number, hours=1)).astimezone(ZONE)
        subject = f"Viewing, {PEOPLE[number % 8][1]}"
        value = Appointment(subject=subject, start=start, end=start + timedelta(hours=1), participants=("anna", "bert"))
        office.records.write(CRM, Kind.APPOINTMENTS, value)
    office.records.write(CRM, Kind.TASKS, Task(subject="Order the energy certificate", responsible="anna"))
    clients(live, clock)
    clock.now = NOW - timedelta(minutes=2)
    doings(office, live)
    clock.now = NOW - timedelta(minutes=1)
    office.settings.set_gate(ANNA, Gate.SWITCH, Kind.TASKS, False, "page anna")
    with office.store.writing() as tx:
        failure = {"identity": ANNA, "device_id": "APPL7", "collection": "contacts", "at": clock.now, "count": 2}
        tx.save_failure(
            Failure(item="new-1", reason="The picture in base64 is too large: 5242880, at most 1048576 are accepted.", **failure)
        )
    clock.now = NOW


def clients(live: Live, clock: Clock) -> None:
    """Anna's devices and programs: one that left a password behind, and three that are up to date; a colleague's phone."""
    clock.now = NOW - timedelta(days=9)
    tablet = device(live, "anna", "R52N1", ("SAMSUNGSMT", "Galaxy Tab S9", "", "Android 15"))
    clock.now = NOW - timedelta(days=2)
    anna = User(identity=ANNA, admin=True, language="en")
    live.office.accounts.save_user(anna, "secret", "page anna")
    tablet.authorization = live.phone("anna", "old").authorization
    with pytest.raises(Refused):
        tablet.folder_sync()
    clock.now = NOW - timedelta(minutes=3)
    phone = device(live, "anna", "APPL7", ("iPhone", "iPhone 15", "Anna's iPhone", "iOS 18.1"))
    for program in ("DAVx5/4.4.5-ose (2025/12/01)", "Thunderbird/140.2"):
        for collection in Kind:
            live.computer("anna", program).shown(collection)
    device(live, "bert", "PIXL2", ("Android", "Pixel 9", "Bert's Pixel", "Android 16"))
    computer = live.computer("anna", "Thunderbird/140.2")
    computer.put("/anna/calendar/meeting.ics", MEETING)
    phone.sync("tasks", add("1", E(Tasks.Subject, "Send the exposé to Mrs Marsh")))


def device(live: Live, login: str, id: str, says: tuple[str, str, str, str]) -> Phone:
    """A phone that says what it is (type, model, name, system), and fetches its folders."""
    phone = live.phone(login, device=id)
    phone.type, model, name, system = says
    phone.user_agent = f"{phone.type}-Exchange/2201.7"
    phone.folder_sync()
    introduce(phone, model, name, system)
    for collection in Kind:
        phone.sync(collection)
    return phone


def doings(office: Office, live: Live) -> None:
    """What keeps an administrator busy: a lock, a closed gate, a colleague who left, items that do not go through."""
    forgotten = live.phone("emma", "old", "APPL9")
    for _ in range(5):
        with pytest.raises(Refused):
            forgotten.folder_sync()
    by = "page anna"
    office.settings.set_gate(Identity("t", "henry"), Gate.OTHER_CHANNEL, Kind.TASKS, False, by)
    office.settings.set_gate(Identity("t", "lucy"), Gate.SYNC_RIGHT, None, False, by)
    office.settings.set_gate(Identity("t", "thomas"), Gate.USER_STATE, None, False, by)


def contact(number: int) -> Contact:
    """A contact of anna's; the first has every kind of entry."""
    first, last, company, city = PEOPLE[number % len(PEOPLE)]
    entries = [
        Entry(id=1, kind=EntryKind.PHONE, type=EntryType.PRIVATE, value=f"0221 55501{number:02}", default=True, slot=Slot.HOME),
        Entry(id=2, kind=EntryKind.PHONE, type=EntryType.MOBILE, value=f"+49 171 55502{number:02}", slot=Slot.MOBILE),
        Entry(id=3, kind=EntryKind.EMAIL, value=f"{first}.{last}@mail.example".lower(), default=True, slot=Slot.EMAIL1),
    ]
    if number == 0:
        entries += [
            Entry(id=4, kind=EntryKind.PHONE, type=EntryType.BUSINESS, value="0221 5550400", comment="reception", slot=Slot.BUSINESS),
            Entry(id=5, kind=EntryKind.PHONE, type=EntryType.MOBILE, value="+49 160 5550401", comment="holidays only"),
            Entry(id=6, kind=EntryKind.FAX, type=EntryType.BUSINESS, value="0221 5550409", default=True, slot=Slot.BUSINESS_FAX),
            Entry(id=7, kind=EntryKind.EMAIL, type=EntryType.BUSINESS, value="office@carter-sons.example", slot=Slot.EMAIL2),
        ]
    return Contact(
        first_name=first,
        last_name=last if number < len(PEOPLE) else f"{last}-{PEOPLE[number // len(PEOPLE) % len(PEOPLE)][1]}",
        company=company,
        street=f"{number + 3} Garden Row",
        city=city,
        entries=tuple(entries),
        sync_users=("anna",) if number % 4 != 3 else (),
    )
