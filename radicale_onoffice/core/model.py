"""The values that both faces, the stores and the CRM adapters exchange.

Everything is frozen; an edit is ``dataclasses.replace``. A time is an aware ``datetime`` whose ``tzinfo`` is a
``zoneinfo.ZoneInfo``; a day of an all-day appointment is a ``date``. Field meanings: onoffice-rules 22-47 (entries),
56-66 (appointments), 78-85 (tasks); the onOffice names stand beside the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum, StrEnum


class Kind(StrEnum):
    """What a record is; also the stem of its folder and of its files in every layer."""

    CONTACTS = "contacts"
    APPOINTMENTS = "appointments"
    TASKS = "tasks"


# ------------------------------------------------------------------ contacts


class EntryKind(StrEnum):
    """A contact's entries are judged per kind: slots, default mark and fallback (rules 24, 30)."""

    PHONE = "phone"
    FAX = "fax"
    EMAIL = "email"


class EntryType(StrEnum):
    """First column of the CRM's pop-up, independent of the slot (rules 25, 37)."""

    PLAIN = "plain"
    PRIVATE = "private"
    BUSINESS = "business"
    MOBILE = "mobile"


class Slot(StrEnum):
    """The field of a client that an entry fills ("Sync" column), table of section 5 and U1."""

    BUSINESS = "business"
    BUSINESS2 = "business2"
    HOME = "home"
    HOME2 = "home2"
    MOBILE = "mobile"
    CAR = "car"
    PAGER = "pager"
    RADIO = "radio"
    ASSISTANT = "assistant"
    COMPANY_MAIN = "company_main"
    BUSINESS_FAX = "business_fax"
    HOME_FAX = "home_fax"
    EMAIL1 = "email1"
    EMAIL2 = "email2"
    EMAIL3 = "email3"

    @property
    def kind(self) -> EntryKind:
        """The entry kind that this slot belongs to."""
        if self in (Slot.BUSINESS_FAX, Slot.HOME_FAX):
            return EntryKind.FAX
        return EntryKind.EMAIL if self.name.startswith("EMAIL") else EntryKind.PHONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One phone number, fax number or e-mail of a contact; ``id`` is unique within the contact and never reused."""

    id: int
    kind: EntryKind
    value: str
    type: EntryType = EntryType.PLAIN
    default: bool = False
    comment: str = ""
    slot: Slot | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """An address of the CRM (U12 tells which fields a client sees)."""

    salutation: str = ""  # Anrede
    title: str = ""  # Titel
    first_name: str = ""  # Vorname
    last_name: str = ""  # Name
    company: str = ""  # Zusatz1
    department: str = ""  # Zusatz2
    job_title: str = ""  # jobTitle
    job_position: str = ""  # jobPosition
    street: str = ""  # Strasse
    zip_code: str = ""  # Plz
    city: str = ""  # Ort
    country: str = ""  # Land
    homepage: str = ""  # Homepage
    birthday: date | None = None  # Geburtsdatum
    picture: bytes | None = None  # behind imageUrl
    picture_type: str = ""  # media subtype of the picture: jpeg, png, gif
    entries: tuple[Entry, ...] = ()
    archived: bool = False  # Status 0 (rule 19)
    sync_users: tuple[str, ...] = ()  # relation address:user:sync, sorted (rule 17)


# -------------------------------------------------------------- appointments


class AppointmentStatus(StrEnum):
    """``status`` of an appointment (rule 58)."""

    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    AVAILABLE = "participants available"  # visible, never a clash


class Frequency(StrEnum):
    """The only patterns that onOffice can hold: its letters t, w, m, j (rule 68)."""

    DAY = "t"
    WEEK = "w"
    MONTH = "m"
    YEAR = "j"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """A series as onOffice holds it (rule 68); anchored at the appointment's start."""

    frequency: Frequency
    interval: int = 1  # 1..999
    until: date | None = None  # last day an occurrence may start on, inclusive; None = open-ended
    exceptions: tuple[date, ...] = ()  # start days of occurrences that do not take place, sorted


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """An appointment of the CRM's calendar (rule 56)."""

    subject: str = ""
    type: str = ""  # Art
    status: AppointmentStatus = AppointmentStatus.ACTIVE
    note: str = ""
    start: datetime | date
    end: datetime | date  # all-day: the last day, inclusive, as the CRM keeps it (U28)
    location: str = ""
    location_link: str = ""  # what the CRM links as the place, e.g. "estate:17"; empty = free text (rule 61)
    travel_before: int = 0  # minutes, outside start/end (rule 62)
    travel_after: int = 0
    participants: tuple[str, ...] = ()  # user names, sorted
    groups: tuple[str, ...] = ()  # participating groups, sorted
    creator: str = ""  # "von": a user name
    resources: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()  # linked address ids
    estate: str = ""
    project: str = ""
    private: bool = False
    reminder: int | None = None  # minutes before the start, one of core.appointments.REMINDERS (rule 60)
    recurrence: Recurrence | None = None

    @property
    def all_day(self) -> bool:
        """True when the appointment is made of whole days, without a time zone (U28)."""
        return not isinstance(self.start, datetime)


# --------------------------------------------------------------------- tasks


class TaskStatus(IntEnum):
    """Status of a task (rule 79)."""

    NOT_STARTED = 1
    IN_PROCESS = 2
    COMPLETED = 3
    DEFERRED = 4
    CANCELLED = 5
    MISCELLANEOUS = 6
    CHECKED = 7
    NEEDS_CLARIFICATION = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task of the CRM (rule 78)."""

    subject: str = ""  # Betreff
    description: str = ""  # Aufgabe
    responsible: str = ""  # Verantwortung: a user, or a group when responsible_is_group
    responsible_is_group: bool = False
    processor: str = ""  # Bearbeiter
    type: str = ""  # Art
    priority: int = 3  # Prio: 1 highest .. 5 lowest
    status: TaskStatus = TaskStatus.NOT_STARTED
    progress: int = 0  # Stand: 0, 25, 50, 75, 100
    done: bool = False  # erledigt; independent of status (rule 80)
    completed_at: datetime | None = None  # when done was set
    deadline: datetime | date | None = None  # Deadline, Deadline_Zeit
    deadline_strict: bool = False  # Deadline_strikt: without it the deadline is inactive (rule 80)
    deferred_until: datetime | date | None = None  # Beginnt_am, Beginnt_um
    reminder: datetime | None = None
    private: bool = False  # Privat
    public_description: str = ""
    comment: str = ""
    creator: str = ""
    effort_planned: int = 0  # minutes
    effort_extra: int = 0  # minutes
    addresses: tuple[str, ...] = ()
    estate: str = ""
    project: str = ""
    unsynced_by: tuple[str, ...] = ()  # users whose device deleted it: kept in the CRM, not offered to them (U36)


Value = Contact | Appointment | Task
VALUE_TYPES: Mapping[Kind, type[Contact] | type[Appointment] | type[Task]] = {
    Kind.CONTACTS: Contact,
    Kind.APPOINTMENTS: Appointment,
    Kind.TASKS: Task,
}


# ------------------------------------------------- what a device hands over


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What a client sent that the CRM cannot hold, kept beside the record and merged back on the way out.

    ``lines`` are the unfolded content lines of the whole vCard or iCalendar object as last sent by a DAV client
    (RFC 5545 3.1, RFC 6350 3.2), opaque to the core. ``rule`` is the recurrence a client asked for when onOffice could
    only hold an approximation of it (rule 74): the original RRULE/RDATE lines, joined by newlines.
    """

    lines: tuple[str, ...] = ()
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What the device had when it made its change: the value, and the DAV text that was rendered from it (rule 40).

    ``device_wins`` decides about fields that somebody else changed, too; without it the stored value stands (U46).
    """

    value: Value
    leftovers: Leftovers = Leftovers()
    text: str = ""
    device_wins: bool = False


# ---------------------------------------------------------- who, and records


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """A user of a tenant; both parts are case-sensitive (rule 7)."""

    tenant: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One onOffice customer."""

    name: str
    module: bool = True  # gate a of rule 1: the customer has booked synchronisation
    timezone: str = "Europe/Berlin"  # IANA name (U29)
    region: str = "DE"  # ISO 3166 region that numbers without a country code are read in (U6)


class UserState(StrEnum):
    """State of a user (rule 8)."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"  # by an administrator here; only an administrator ends it
    SUSPENDED = "suspended"  # because the CRM says so: locked, deactivated or gone there; it ends when the CRM says otherwise


class Right(StrEnum):
    """What a user may do with the records of one kind (rule 9)."""

    READ = "read"
    CREATE = "create"
    MODIFY = "modify"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of a tenant, with the gates that are the user's own.

    ``password`` is a passlib hash, empty for a user of a foreign password backend. ``rights`` are pairs "kind.right", e.g.
    "contacts.modify". ``other_channels`` are the kinds that another sync channel (memotoo, Microsoft 365) serves (rule 14).
    """

    identity: Identity
    password: str = ""
    password_changed: datetime | None = None
    state: UserState = UserState.ACTIVE
    sync_right: bool = True  # gate b: the right to synchronise
    switches: frozenset[Kind] = frozenset(Kind)  # gate c: the kinds that the user switched on
    other_channels: frozenset[Kind] = frozenset()
    rights: frozenset[str] = frozenset(f"{kind}.{right}" for kind in Kind for right in Right)
    groups: tuple[str, ...] = ()
    admin: bool = False
    language: str = "de"


class Door(StrEnum):
    """Where a password is tried; the sync lock never closes the page (rule 87)."""

    SYNC = "sync"
    PAGE = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Consecutive wrong passwords of one login at one door."""

    failures: int = 0
    locked_at: datetime | None = None
    last_at: datetime | None = None
    last_address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSession:
    """A login to the pages; ``token_digest`` is SHA-256 of the cookie, the cookie itself is not stored."""

    token_digest: str
    identity: Identity
    csrf: str
    created: datetime
    expires: datetime
    notice: str = ""  # shown once, on the next page
    last_used: datetime | None = None  # to ten minutes
    browser: str = ""
    address: str = ""  # where it was opened from


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """Who did what to whose access, for the administrator."""

    at: datetime
    tenant: str
    login: str  # whose access
    actor: str  # who did it: a login, or "cli"
    event: str  # e.g. "unlocked", "locked", "gate closed: contacts.switch"
    detail: str = ""


class Face(StrEnum):
    """Where a change comes from."""

    DAV = "dav"
    EAS = "eas"
    CRM = "crm"  # the CRM itself: no gate, right or window applies
    ADMIN = "admin"  # the command line
    PAGE = "page"  # a person on the pages: the CRM's own user


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who changes something, by which face and device."""

    identity: Identity
    face: Face
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A stored contact, appointment or task.

    ``name`` is the stable resource name that DAV clients see, chosen by the first client or derived from ``id``; ``uid`` the
    client-visible UID. ``text``/``etag`` are the rendered DAV form, made at write time (``etag`` quoted, a digest of the text).
    ``starts``/``ends`` are POSIX seconds that bound all occurrences, end exclusive, for range queries; 0 and FOREVER when open.
    """

    tenant: str
    id: str
    kind: Kind
    version: int  # 1, 2, ...; grows by one with each write
    change: int  # the tenant's change number at this version
    name: str
    uid: str
    value: Value
    leftovers: Leftovers = Leftovers()
    text: str = ""
    etag: str = ""
    starts: int = 0
    ends: int = 0
    recurring: bool = False
    modified: datetime
    created: datetime
    deleted: bool = False


FOREVER = 253402300800  # 10000-01-01 UTC, one second past what a date can say


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """One version of a record: what it was, and who made it so."""

    record_id: str
    version: int
    change: int  # the tenant's change number at this version; 0 = older than the numbers' keeping
    at: datetime
    actor: Actor
    action: str  # created, changed, deleted, restored
    value: Value
    leftovers: Leftovers


# ------------------------------------------------------------------ devices


class DeviceState(StrEnum):
    """What a device may do, and how far its wipe has come ([MS-ASPROV] 3.2.5.1.2)."""

    ALLOWED = "allowed"
    BLOCKED = "blocked"
    WIPE_REQUESTED = "wipe requested"  # every command answers that a wipe is due
    WIPE_SENT = "wipe sent"  # the device was told, and has not said yet that it did
    WIPED = "wiped"  # stays out until an administrator lets it in again


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One phone of one user: what it says of itself, and what has to outlive its requests.

    A device that another user signs in from is another device (rule 15). ``information`` are (name, value) pairs of
    [MS-ASCMD] DeviceInformation: Model, IMEI, FriendlyName, OS, OSLanguage, PhoneNumber, UserAgent, MobileOperator.
    """

    identity: Identity
    id: str
    type: str = ""
    user_agent: str = ""
    version: str = ""  # protocol version of the last request
    information: tuple[tuple[str, str], ...] = ()
    first_seen: datetime
    last_seen: datetime  # to ten minutes
    last_sync: datetime | None = None
    policy_key: str = ""
    pending_policy_key: str = ""  # handed out, not acknowledged yet
    state: DeviceState = DeviceState.ALLOWED
    wipe_account_only: bool = True
    ordered_by: str = ""  # who had it kept out or wiped, as audit lines name that; "" = nobody, or before that was kept
    heartbeat: int = 0  # seconds, of the last Ping
    ping_folders: tuple[str, ...] = ()
    sync_request: str = ""  # JSON of the last Sync request, which an empty one repeats
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An item that a device and the server could not agree on: left out, and tried again when it changes."""

    identity: Identity
    device_id: str
    collection: str
    item: str  # record id, or the client's id of what it wanted to add
    version: int = 0  # of the record that could not be sent; 0 = what the client sent could not be taken
    reason: str
    at: datetime
    count: int = 1
