"""Files of contacts, appointments and tasks, item by item, into the office.

A bad item never keeps the others out: it is reported with its file, its line and the reason. An item without a UID gets one made of its
content, so that importing a file twice changes nothing.
"""

from __future__ import annotations

import csv
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from radicale_onoffice import formats
from radicale_onoffice.core import folders
from radicale_onoffice.core.drafts import ContactDraft, Draft
from radicale_onoffice.core.errors import BadRequest, CameBack, ChangedBefore, OfficeError
from radicale_onoffice.core.model import Actor, Base, Contact, Face, Identity, Kind, Leftovers, Record, Slot
from radicale_onoffice.core.office import Office

MAX_FILE = 500_000_000  # bytes
MAX_COLUMNS = 500
NAMESPACE = uuid.UUID("6f5c7f6e-4d0a-5a39-9a0c-5b7f5cf3e2d1")  # of the UIDs that are made of content; any fixed one does
UID = re.compile(r"^UID[^:\r\n]*:(.*?)\r?$", re.MULTILINE | re.IGNORECASE)
BEGIN = re.compile(r"BEGIN:\s*(\w+)\s*$", re.IGNORECASE)
END = re.compile(r"END:\s*(\w+)\s*$", re.IGNORECASE)
KINDS = {"VCARD": Kind.CONTACTS, "VEVENT": Kind.APPOINTMENTS, "VTODO": Kind.TASKS}

# Column names of onOffice's address export and their usual neighbours, in lower case.
COLUMNS: Mapping[str, str] = {
    "anrede": "salutation",
    "titel": "title",
    "vorname": "first_name",
    "name": "last_name",
    "nachname": "last_name",
    "zusatz1": "company",
    "zusatz 1": "company",
    "firma": "company",
    "zusatz2": "department",
    "zusatz 2": "department",
    "jobtitle": "job_title",
    "jobposition": "job_position",
    "strasse": "street",
    "straße": "street",
    "plz": "zip_code",
    "ort": "city",
    "land": "country",
    "homepage": "homepage",
}
NUMBER_COLUMNS: Mapping[str, Slot] = {
    "telefon": Slot.HOME,
    "telefon1": Slot.HOME,
    "telefon privat": Slot.HOME,
    "phone": Slot.HOME,
    "telefon2": Slot.HOME2,
    "telefon geschäftlich": Slot.BUSINESS,
    "telefon geschaeftlich": Slot.BUSINESS,
    "mobil": Slot.MOBILE,
    "mobil1": Slot.MOBILE,
    "handy": Slot.MOBILE,
    "mobile": Slot.MOBILE,
    "telefax": Slot.BUSINESS_FAX,
    "telefax1": Slot.BUSINESS_FAX,
    "fax": Slot.BUSINESS_FAX,
    "email": Slot.EMAIL1,
    "e-mail": Slot.EMAIL1,
    "email1": Slot.EMAIL1,
    "email2": Slot.EMAIL2,
    "email3": Slot.EMAIL3,
}
ID_COLUMNS = ("datensatznr", "datensatznummer", "id", "kdnr", "kundennummer")
BIRTHDAY = "geburtsdatum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of a file: the text of a vCard or iCalendar object, or the columns of a row."""

    path: str
    line: int
    kind: Kind
    uid: str
    text: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bad:
    """An item that was left out, and why."""

    path: str
    line: int
    reason: str


def read(path: Path) -> Iterator[Item | Bad]:
    """The items of a .vcf, .ics or .csv file; raises ValueError for another kind of file, OSError for one that cannot be read."""
    readers = {".vcf": _cards, ".vcard": _cards, ".ics": _calendars, ".ical": _calendars, ".csv": _rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path}: only .vcf, .ics and .csv files can be imported.")
    if path.stat().st_size > MAX_FILE:
        raise ValueError(f"{path} has more than {MAX_FILE} bytes; split it.")
    return reader(str(path), _decoded(path.read_bytes()))


def _decoded(data: bytes) -> str:
    """UTF-8 with or without a byte order mark, UTF-16 with one, else what Windows writes."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _made_uid(text: str) -> str:
    return str(uuid.uuid5(NAMESPACE, text))


def _cards(path: str, text: str) -> Iterator[Item | Bad]:
    for number, block in _blocks(text, ("VCARD",)):
        told = UID.search(block)
        yield Item(
            path=path, line=number, kind=Kind.CONTACTS, uid=told[1].strip() if told and told[1].strip() else _made_uid(block), text=block
        )
    if "BEGIN:VCARD" not in text.upper():
        yield Bad(path, 1, "There is no vCard in this file.")


def _calendars(path: str, text: str) -> Iterator[Item | Bad]:
    """One item per UID, with the time zones of the file; a series and its changed occurrences belong together."""
    zones = "".join(block for _, block in _blocks(text, ("VTIMEZONE",)))
    found: dict[tuple[str, str], tuple[int, list[str]]] = {}
    for number, block in _blocks(text, ("VEVENT", "VTODO")):
        name = block[6:12].strip().upper()
        told = UID.search(block)
        if told is None or not told[1].strip():
            made = _made_uid(block)
            block = block.replace("\r\n", f"\r\nUID:{made}\r\n", 1)
            key = (name, made)
        else:
            key = (name, told[1].strip())
        found.setdefault(key, (number, []))[1].append(block)
    for (name, uid), (number, blocks) in found.items():
        whole = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//radicale-onoffice//EN\r\n{zones}{''.join(blocks)}END:VCALENDAR\r\n"
        yield Item(path=path, line=number, kind=KINDS[name], uid=uid, text=whole)
    if not found:
        yield Bad(path, 1, "There is no event and no to-do in this file.")


def _blocks(text: str, names: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line number and text of each component of these names; one that is cut off or begun twice ends where the next one begins."""
    started, lines, name = 0, list[str](), ""
    for number, raw in enumerate(text.splitlines(), 1):
        begin, end = BEGIN.match(raw), END.match(raw)
        if begin and begin[1].upper() in names:
            if lines:
                yield started, "\r\n".join(lines) + "\r\n"
            started, lines, name = number, [], begin[1].upper()
        if name:
            lines.append(raw)
        if name and end and end[1].upper() == name:
            yield started, "\r\n".join(lines) + "\r\n"
            lines, name = [], ""
    if lines:
        yield started, "\r\n".join(lines) + "\r\n"


def _rows(path: str, text: str) -> Iterator[Item | Bad]:
    first = text.partition("\n")[0]
    delimiter = max(";,\t", key=first.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    header = [word.strip().casefold() for word in next(reader, [])]
    known = {*COLUMNS, *NUMBER_COLUMNS, BIRTHDAY}
    if not known & set(header) or len(header) > MAX_COLUMNS:
        yield Bad(path, 1, "The first line names no column of an onOffice address list, such as Vorname, Name, Telefon1 or Email.")
        return
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Bad(path, reader.line_num, f"The row is not well-formed: {error}.")
            return
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            yield Bad(path, reader.line_num, f"The row has {len(row)} columns, the first line {len(header)}.")
            continue
        columns = {name: cell.strip() for name, cell in zip(header, row, strict=True)}
        number = next((columns[name] for name in ID_COLUMNS if columns.get(name)), "")
        uid = f"onoffice-address-{number}" if number else _made_uid("\0".join(row))
        yield Item(path=path, line=reader.line_num, kind=Kind.CONTACTS, uid=uid, columns=columns)


def store(office: Office, identity: Identity, item: Item | Bad) -> str | Bad:
    """Put one item into the office for a user: "created", "changed" or "unchanged", or why it was left out."""
    if isinstance(item, Bad):
        return item
    record_id = office.records.with_uid(identity, item.kind, item.uid)
    current = office.records.get(identity.tenant, record_id) if record_id else None
    base = Base(value=current.value, leftovers=current.leftovers, text=current.text) if current else None
    try:
        try:
            stored = _put(office, identity, item, record_id, base)
        except CameBack as back:
            stored = _put(office, identity, item, None, back.base)
    except ChangedBefore:
        return store(office, identity, item)
    except OfficeError as error:
        return Bad(item.path, item.line, str(error))
    if current is None:
        return "created"
    return "unchanged" if stored.version == current.version else "changed"


def _put(office: Office, identity: Identity, item: Item, record_id: str | None, base: Base | None) -> Record:
    actor = Actor(identity=identity, face=Face.ADMIN, device="import")
    draft = _draft(office, identity, item, base)
    return office.records.put(actor, item.kind, draft, record_id=record_id, uid=item.uid, base=base, reach=None)


def _draft(office: Office, identity: Identity, item: Item, base: Base | None) -> Draft:
    if not item.text:
        return _row_draft(item, base)
    with office.store.reading() as tx:
        reader = folders.reader(tx, identity)
    return formats.load(item.kind, item.text, base, zone=reader.zone, region=reader.tenant.region)


def _row_draft(item: Item, base: Base | None) -> ContactDraft:
    had = base.value if base else Contact()
    assert isinstance(had, Contact)
    fields = {name: item.columns[column] for column, name in COLUMNS.items() if column in item.columns}
    told: dict[str, object] = dict(fields)
    if BIRTHDAY in item.columns:
        told["birthday"] = _day(item.columns[BIRTHDAY])
    sent = {slot: item.columns[column] for column, slot in NUMBER_COLUMNS.items() if item.columns.get(column)}
    if not any(fields.values()) and not sent:
        raise BadRequest("The row has neither a name nor a number.")
    touched = frozenset(slot for column, slot in NUMBER_COLUMNS.items() if column in item.columns)
    return ContactDraft(value=replace(had, **told), sent=sent, touched=touched, leftovers=base.leftovers if base else Leftovers())


def _day(text: str) -> date | None:
    """A day as onOffice (2026-03-15) or a German spreadsheet (15.03.2026) writes it; None for an empty or a zero one."""
    if not text or text.startswith("0000"):
        return None
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)(?:[ T].*)?", text)
    german = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text)
    try:
        if found:
            return date(int(found[1]), int(found[2]), int(found[3]))
        if german:
            return date(int(german[3]), int(german[2]), int(german[1]))
    except ValueError:
        pass
    raise BadRequest(f"{text!r} is no birthday; write 2026-03-15 or 15.03.2026.")
