"""The demo: a tenant with agents, contacts, appointments and tasks, made of fixed lists, so that every demo looks the same."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from radicale_onoffice import manual, wiring
from radicale_onoffice.admin.console import progress
from radicale_onoffice.configuration import load_configuration
from radicale_onoffice.core.model import (
    Actor,
    Appointment,
    AppointmentStatus,
    Contact,
    Entry,
    EntryKind,
    EntryType,
    Face,
    Frequency,
    Identity,
    Kind,
    Recurrence,
    Slot,
    Task,
    TaskStatus,
    Tenant,
    User,
    Value,
)
from radicale_onoffice.core.office import Office

TENANT = "musterimmo"
ROLES = {"agent1": "agent", "agent2": "agent", "admin": "administrator"}
USERS = tuple(ROLES)
CONTACTS, FLAGGED, APPOINTMENTS, TASKS = 500, 300, 800, 60
ZONE = ZoneInfo("Europe/Berlin")
SALUTATIONS = ("Frau", "Herr")
FIRST = ("Anna", "Bernd", "Clara", "Dieter", "Eva", "Frank", "Gisela", "Hans", "Ingrid", "Jürgen", "Karin", "Lars", "Monika", "Norbert")
LAST = ("Müller", "Schmidt", "Schneider", "Fischer", "Weber", "Meyer", "Wagner", "Becker", "Schulz", "Hoffmann", "Koch", "Bauer", "Richter")
STREETS = ("Hauptstraße", "Bahnhofstraße", "Gartenweg", "Am Markt", "Lindenallee", "Schulstraße", "Jülicher Straße")
CITIES = (("52062", "Aachen", "0241"), ("50667", "Köln", "0221"), ("40213", "Düsseldorf", "0211"), ("10115", "Berlin", "030"))
FIRMS = ("Hausverwaltung Rheinland GmbH", "Bauträger Nord AG", "Notariat am Dom", "Handwerk Hansen KG")
VISITS = ("Besichtigung", "Notartermin", "Exposé besprechen", "Wohnungsübergabe", "Bewertung vor Ort", "Telefonat Eigentümer")
TO_DOS = ("Exposé fertigstellen", "Energieausweis anfordern", "Grundbuchauszug prüfen", "Eigentümer zurückrufen", "Fotos nachbearbeiten")


def prepare(directory: Path, password: str) -> Path:
    """The demo's configuration file, with its data made on the first start; returns the file's path."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = directory / "radicale.config"
    config.touch(mode=0o600)
    text = manual.sample().replace("sqlite:////var/lib/radicale-onoffice/office.db", f"sqlite:///{directory}/office.db")
    text = text.replace("onoffice_tenant = default", f"onoffice_tenant = {TENANT}").replace("level = info", "level = warning")
    config.write_text(text)
    configuration = load_configuration(str(config))
    office = wiring.office(configuration)
    with office.store.reading() as tx:
        is_new = tx.setting("demo") != "complete"
    if is_new:
        fill(office, datetime.now(ZONE).date())
    for name in USERS:
        _set_password(office, Identity(TENANT, name), password)
    wiring.forget(configuration.get("storage", "onoffice_database"))
    return config


def _set_password(office: Office, identity: Identity, password: str) -> None:
    with office.store.reading() as tx:
        known = tx.user(identity)
    user = known or User(identity=identity, admin=ROLES[identity.user] == "administrator", language="de")
    office.accounts.save_user(user, password, "cli demo")


def fill(office: Office, today: date) -> None:
    """Tenant and records; goes on where a start that was broken off had stopped, because ids are told by number."""
    with office.store.writing() as tx:
        tx.save_tenant(Tenant(name=TENANT))
    actor = Actor(identity=Identity(TENANT, "admin"), face=Face.CRM, device="demo")
    values = [
        *((Kind.CONTACTS, contact(number)) for number in range(CONTACTS)),
        *((Kind.APPOINTMENTS, appointment(number, today)) for number in range(APPOINTMENTS)),
        *((Kind.TASKS, task(number, today)) for number in range(TASKS)),
    ]
    with office.store.reading() as tx:
        done = {record.uid for kind in Kind for record in tx.all_records(TENANT, kind)}
    with progress() as bar:
        for number, (kind, value) in enumerate(bar.track(values, description="Making the demo's data")):
            if (uid := f"demo-{number}") not in done:
                _write(office, actor, kind, value, uid)
    with office.store.writing() as tx:
        tx.save_setting("demo", "complete")


def _write(office: Office, actor: Actor, kind: Kind, value: Value, uid: str) -> None:
    office.records.write(actor, kind, value, uid=uid)


def contact(number: int) -> Contact:
    """A contact; the first ``FLAGGED`` are agent1's, every tenth agent2's, too."""
    first, last = FIRST[number % len(FIRST)], LAST[number // 3 % len(LAST)]
    zip_code, city, area = CITIES[number % len(CITIES)]
    is_firm = number % 9 == 8
    users = [*(["agent1"] if number < FLAGGED else []), *(["agent2"] if number % 10 == 0 else [])]
    return Contact(
        salutation="Firma" if is_firm else SALUTATIONS[number % 2],
        title="Dr." if number % 17 == 3 else "",
        first_name="" if is_firm else first,
        last_name="" if is_firm else last,
        company=FIRMS[number % len(FIRMS)] if is_firm else "",
        street=f"{STREETS[number % len(STREETS)]} {number % 120 + 1}",
        zip_code=zip_code,
        city=city,
        country="Deutschland",
        homepage=f"https://www.beispiel-{number}.example" if is_firm else "",
        birthday=None if is_firm else date(1950 + number % 50, number % 12 + 1, number % 28 + 1),
        entries=_entries(number, area, f"{first}.{last}".lower().replace("ü", "ue"), is_firm=is_firm),
        archived=number % 97 == 96,
        sync_users=tuple(users),
    )


def _entries(number: int, area: str, mailbox: str, *, is_firm: bool) -> tuple[Entry, ...]:
    """Numbers in several notations; some contacts have slots for all, some only a default, some several without."""
    private = EntryType.BUSINESS if is_firm else EntryType.PRIVATE
    has_slots = number % 3 != 2
    phones = [
        Entry(
            id=1, kind=EntryKind.PHONE, value=f"{area} {100000 + number}", type=private, default=True, slot=Slot.HOME if has_slots else None
        ),
        Entry(
            id=2, kind=EntryKind.PHONE, value=f"+49 171 {2000000 + number}", type=EntryType.MOBILE, slot=Slot.MOBILE if has_slots else None
        ),
    ]
    if number % 4 == 0:
        phones.append(
            Entry(
                id=3,
                kind=EntryKind.PHONE,
                value=f"{area}/{500000 + number}-0",
                type=EntryType.BUSINESS,
                slot=Slot.BUSINESS if has_slots else None,
            )
        )
    if number % 5 == 0:
        phones.append(Entry(id=4, kind=EntryKind.FAX, value=f"{area} {900000 + number}", type=EntryType.BUSINESS, default=True))
    mail = Entry(
        id=5, kind=EntryKind.EMAIL, value=f"{mailbox}{number}@beispiel.example", default=True, slot=Slot.EMAIL1 if number % 2 else None
    )
    return (*phones, mail)


def appointment(number: int, today: date) -> Appointment:
    """An appointment of agent1: all are inside the window, so that its cap of 500 can be seen at work."""
    day = today + timedelta(days=number * 199 % 205 - 25)
    start = datetime.combine(day, time(8 + number % 10, 15 * (number % 4)), ZONE)
    is_day, length = number % 20 == 7, number % 3 + 1
    status = {11: AppointmentStatus.CANCELLED, 12: AppointmentStatus.COMPLETED, 13: AppointmentStatus.AVAILABLE}.get(
        number % 40, AppointmentStatus.ACTIVE
    )
    return Appointment(
        subject=f"{VISITS[number % len(VISITS)]} {LAST[number % len(LAST)]}",
        type=("Besichtigung", "Termin", "Telefonat")[number % 3],
        status=status,
        note="Unterlagen mitbringen." if number % 6 == 0 else "",
        start=day if is_day else start,
        end=day + timedelta(days=number % 3) if is_day else start + timedelta(days=2 if number % 50 == 9 else 0, hours=length),
        location=f"{STREETS[number % len(STREETS)]} {number % 90 + 1}, {CITIES[number % len(CITIES)][1]}",
        participants=("agent1", "agent2") if number % 8 == 0 else ("agent1",),
        creator="agent1",
        private=number % 25 == 3,
        reminder=(None, 15, 60, 1440)[number % 4],
        recurrence=_recurrence(number, day),
    )


def _recurrence(number: int, day: date) -> Recurrence | None:
    if number % 20 != 5:
        return None
    frequency = (Frequency.WEEK, Frequency.DAY, Frequency.MONTH, Frequency.YEAR)[number // 20 % 4]
    exceptions = (day + timedelta(days=7),) if frequency is Frequency.WEEK else ()
    return Recurrence(frequency=frequency, interval=number // 20 % 2 + 1, until=day + timedelta(days=100), exceptions=exceptions)


def task(number: int, today: date) -> Task:
    """A task of one of the agents, in every status."""
    who = ("agent1", "agent1", "agent2")[number % 3]
    status = TaskStatus(number % 8 + 1)
    done = status in (TaskStatus.COMPLETED, TaskStatus.CHECKED)
    due = today + timedelta(days=number - 20)
    return Task(
        subject=f"{TO_DOS[number % len(TO_DOS)]} ({LAST[number % len(LAST)]})",
        description="Siehe Akte." if number % 4 == 0 else "",
        responsible=who,
        processor=who,
        creator="admin",
        priority=number % 5 + 1,
        status=status,
        done=done,
        completed_at=datetime.combine(today - timedelta(days=number), time(12), ZONE) if done else None,
        progress=100 if done else number % 4 * 25,
        deadline=datetime.combine(due, time(17), ZONE) if number % 2 else due,
        deadline_strict=number % 5 != 0,
        private=number % 15 == 4,
    )


def announce(console: Console, host: str, port: int, password: str | None) -> None:
    """Print where the demo is and who may come in."""
    base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    table = Table(title=f"radicale-onoffice demo on {base}/", title_justify="left")
    for column in ("login", "password", "who", "CalDAV and CardDAV"):
        table.add_column(column, no_wrap=True)
    for name, role in ROLES.items():
        table.add_row(name, "as given" if password else "demo", role, f"{base}/{name}/")
    console.print(table)
    console.print(f"Pages for people: {base}/.web/ (agent1 has the most to see; admin sees everybody)", soft_wrap=True)
    # One address a line: a terminal of 80 columns must not break what people copy.
    console.print(f"Calendar to subscribe to: {base}/{USERS[0]}/calendar/", soft_wrap=True)
    console.print(f"Exchange ActiveSync: {base}/Microsoft-Server-ActiveSync (phones want TLS: see README)", soft_wrap=True)
    console.print("Clients that search for themselves need only the first address, login and password.", soft_wrap=True)
