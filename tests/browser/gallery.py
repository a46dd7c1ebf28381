"""An office in which every page has something to show: the same data at the same moment each time, in English."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from radicale_onoffice import wiring
from radicale_onoffice.core.model import Actor, Appointment, Contact, Entry, EntryKind, EntryType, Face, Identity, Kind, Slot, Tenant, User
from radicale_onoffice.core.office import Office
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.stores.sql import open_store
from tests.browser.live import Live
from tests.serving import open_server

NOW = datetime(2026, 3, 16, 9, 40, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")
ANNA, BERT, EMMA = (Identity("t", name) for name in ("anna", "bert", "emma"))
CRM = Actor(identity=ANNA, face=Face.CRM)
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
    office = wiring.assemble(store, policy=Policy(), default_tenant="t", clock=clock, hasher=hasher)
    live = Live(open_server(directory, url, office))
    try:
        fill(office, live, clock)
        yield live
    finally:
        live.stop()
        wiring.forget(url)


def fill(office: Office, live: Live, clock: Clock) -> None:
    """Users, records, and what phones did with them."""
    with office.store.writing() as tx:
        tx.save_tenant(Tenant(name="t"))
    for identity in (ANNA, BERT, EMMA):
        office.accounts.save_user(User(identity=identity, admin=identity == ANNA), "secret", "demo")
    for number in range(60):
        office.records.write(CRM, Kind.CONTACTS, contact(number), uid=f"contact-{number}")
    for number in range(12):
        start = (NOW + timedelta(days=number, hours=1)).astimezone(ZONE)
        value = Appointment(
            subject=f"Viewing, {PEOPLE[number % 8][1]}", start=start, end=start + timedelta(hours=1), participants=("anna",)
        )
        office.records.write(CRM, Kind.APPOINTMENTS, value)
    clock.now = NOW - timedelta(minutes=3)
    phone = live.phone()
    phone.folder_sync()
    for collection in Kind:
        phone.sync(collection)
    clock.now = NOW


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
        company=company if number < len(PEOPLE) else "",
        street=f"{number + 3} Garden Row",
        city=city,
        entries=tuple(entries),
        sync_users=("anna",) if number % 4 != 3 else (),
    )
