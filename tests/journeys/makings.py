"""What the users of the convergence machine make: items with a mark, under which the machine finds them again on every face.

The mark stands in a contact's first name and at the head of a subject ("E7 v12"). Nobody ever changes it; everything else gets values that
nobody had before, so that one can tell who wrote what.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from activesync_bridge.items import timezone
from activesync_bridge.items.patching import compact, dashed
from activesync_bridge.wbxml.codepages import AirSyncBase, Calendar, Contacts, Tasks
from activesync_bridge.wbxml.element import Element
from radicale_onoffice.core import slots
from radicale_onoffice.core.model import (
    Appointment,
    AppointmentStatus,
    Contact,
    Entry,
    EntryKind,
    Frequency,
    Kind,
    Recurrence,
    Slot,
    Task,
    Value,
)

E = Element
BERLIN = ZoneInfo("Europe/Berlin")
MARK = re.compile(r"\b[CET]\d+(?:x\d+)?\b")
LETTERS = {"contacts": "C", "appointments": "E", "tasks": "T"}
SHAPES = ("single", "day", "series")  # of appointments
WEEKDAYS = ("2", "4", "8", "16", "32", "64", "1")  # DayOfWeek by date.weekday()


class Makings:
    """Makes values for all faces; ``clock`` tells what today is."""

    def __init__(self, clock):
        self._clock, self._numbers = clock, itertools.count(1)

    def mark(self, collection: str) -> str:
        """A new one."""
        return f"{LETTERS[collection]}{next(self._numbers)}"

    def word(self) -> str:
        """A value that nobody had."""
        return f"v{next(self._numbers)}"

    def number(self) -> str:
        """A mobile number that nobody had."""
        return f"+49 151 {20000000 + next(self._numbers)}"

    def start(self, days: int) -> datetime:
        """A moment so many days from now that nobody had, in Berlin, between 8 and 18."""
        count = next(self._numbers)
        day = self._clock().astimezone(BERLIN).date() + timedelta(days=days)
        return datetime(day.year, day.month, day.day, 8 + count // 60 % 10, count % 60, tzinfo=BERLIN)

    # ------------------------------------------------------------------ CRM

    def value(self, collection: str, mark: str, users: tuple[str, ...], days: int, shape: str) -> Value:
        """What a CRM user makes."""
        start = self.start(days)
        if collection == "contacts":
            entry = Entry(id=1, kind=EntryKind.PHONE, value=self.number(), slot=Slot.MOBILE)
            return Contact(first_name=mark, last_name=self.word(), city=self.word(), entries=(entry,), sync_users=users)
        if collection == "tasks":
            return Task(subject=f"{mark} {self.word()}", description=self.word(), responsible=users[0], processor=users[-1])
        value = Appointment(
            subject=f"{mark} {self.word()}", start=start, end=start + timedelta(hours=1), participants=users, location=self.word()
        )
        if shape == "day":
            return replace(value, start=start.date(), end=start.date())
        return replace(value, recurrence=Recurrence(frequency=Frequency.WEEK)) if shape == "series" else value

    def changed(self, value: Value, what: int, days: int) -> Value:
        """A CRM user's change of one field or another."""
        if isinstance(value, Contact):
            fresh = Entry(id=max((one.id for one in value.entries), default=0) + 1, kind=EntryKind.PHONE, value=self.number())
            swapped = slots.give_slot(replace(value, entries=(*value.entries, fresh)), fresh.id, Slot.MOBILE)
            return (replace(value, last_name=self.word()), replace(value, city=self.word()), swapped)[what % 3]
        subject = f"{MARK.search(value.subject)[0]} {self.word()}"
        if isinstance(value, Task):
            changes = ({"subject": subject}, {"description": self.word()}, {"deadline": self.start(days)})
            return replace(value, **changes[what % 3])
        start = self.start(days)
        moved = {"start": start, "end": start + timedelta(hours=1)}
        if value.all_day:
            moved = {"start": start.date(), "end": start.date() + timedelta(days=1)}
        changes = ({"subject": subject}, {"location": self.word()}, {"note": self.word()}, moved, {"status": _other(value.status)})
        return replace(value, **changes[what % 5])

    # --------------------------------------------------------------- phones

    def elements(self, collection: str, mark: str, version: str, days: int, shape: str) -> list[Element]:
        """A new item of a phone."""
        if collection == "contacts":
            return [
                E(Contacts.FirstName, mark),
                E(Contacts.LastName, self.word()),
                E(Contacts.HomeAddressCity, self.word()),
                E(Contacts.MobilePhoneNumber, self.number()),
            ]
        if collection == "tasks":
            return [E(Tasks.Subject, f"{mark} {self.word()}"), E(Tasks.Complete, "0"), *self._due(days)]
        return self._event(mark, version, days, shape)

    def _event(self, mark: str, version: str, days: int, shape: str) -> list[Element]:
        found = [E(Calendar.AllDayEvent, "1" if shape == "day" else "0"), E(Calendar.Subject, f"{mark} {self.word()}")]
        found += self.times(version, days, shape)
        if version >= "16":
            found.append(E(Calendar.ClientUid, f"client-{mark}"))
        else:
            found += [E(Calendar.UID, f"uid-{mark}"), E(Calendar.DtStamp, compact(self._clock()))]
        if shape == "series":
            day = next(one for one in found if one.tag == Calendar.StartTime).text
            weekday = datetime.strptime(day, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(BERLIN).weekday()
            parts = (E(Calendar.Type, "1"), E(Calendar.Interval, "1"), E(Calendar.DayOfWeek, WEEKDAYS[weekday]))
            found.append(E(Calendar.Recurrence, (*parts, E(Calendar.FirstDayOfWeek, "1"))))
        return found

    def times(self, version: str, days: int, shape: str) -> list[Element]:
        """StartTime and EndTime as the version has them."""
        start = self.start(days)
        end = start + timedelta(hours=1)
        zone = [E(Calendar.Timezone, timezone.dump("Europe/Berlin", start.year))]
        if shape == "day":
            first, last = start.date(), start.date() + timedelta(days=1 + start.minute % 3)
            if version >= "16":
                return [E(Calendar.StartTime, compact(first)), E(Calendar.EndTime, compact(last))]
            start, end = (_midnight(day) for day in (first, last))
        return [*zone, E(Calendar.StartTime, compact(start)), E(Calendar.EndTime, compact(end))]

    def _due(self, days: int) -> list[Element]:
        start = self.start(days)
        return [E(Tasks.UtcDueDate, dashed(start)), E(Tasks.DueDate, dashed(start.replace(tzinfo=UTC)))]

    def edits(self, collection: str, shown: dict[int, Element], version: str, what: int, days: int) -> list[Element]:
        """A phone user's change of what is shown: one field, or two that belong together."""
        if collection == "contacts":
            tags = (Contacts.LastName, Contacts.HomeAddressCity, Contacts.MobilePhoneNumber, AirSyncBase.Body)
            tag = tags[what % 4]
            if tag == AirSyncBase.Body:
                return [_note(self.word())]
            return [E(tag, self.number() if tag == Contacts.MobilePhoneNumber else self.word())]
        subject = Tasks.Subject if collection == "tasks" else Calendar.Subject
        renamed = E(subject, f"{MARK.search(shown[subject].text)[0]} {self.word()}")
        if collection == "tasks":
            done = [E(Tasks.Complete, "1"), E(Tasks.DateCompleted, dashed(self._clock()))]
            return ([renamed], [_note(self.word())], self._due(days), done)[what % 4]
        place = E(Calendar.Location, self.word())
        if version >= "16":
            place = E(AirSyncBase.Location, (E(AirSyncBase.DisplayName, self.word()),))
        all_day = Calendar.AllDayEvent in shown and shown[Calendar.AllDayEvent].text == "1"
        moved = self.times(version, days, "day" if all_day else "single")
        if Calendar.Recurrence in shown:
            return ([renamed], [place], [_note(self.word())])[what % 3]
        return ([renamed], [place], [_note(self.word())], moved)[what % 4]

    # ------------------------------------------------------------------ DAV

    def text(self, collection: str, mark: str, days: int, shape: str) -> str:
        """A new item of a DAV client, with ``{uid}`` for its UID."""
        if collection == "contacts":
            lines = [f"N:{self.word()};{mark};;;", f"FN:{mark}", f"TEL;TYPE=CELL:{self.number()}", f"NOTE:{self.word()}", "X-OWN:kept"]
            return "\r\n".join(["BEGIN:VCARD", "VERSION:3.0", "UID:{uid}", *lines, "END:VCARD", ""])
        start = self.start(days)
        name = "VTODO" if collection == "tasks" else "VEVENT"
        stamp = "DTSTAMP:20260101T000000Z"
        body = [f"BEGIN:{name}", "UID:{uid}", stamp, f"SUMMARY:{mark} {self.word()}", f"LOCATION:{self.word()}", "X-OWN:kept"]
        if shape == "day" and collection == "appointments":
            body += [f"DTSTART;VALUE=DATE:{start:%Y%m%d}", f"DTEND;VALUE=DATE:{start + timedelta(days=1):%Y%m%d}"]
        elif collection == "appointments":
            body += [f"DTSTART:{compact(start)}", f"DTEND:{compact(start + timedelta(hours=1))}"]
        else:
            body.append(f"DUE:{compact(start)}")
        body += ["RRULE:FREQ=WEEKLY;COUNT=20"] if shape == "series" and collection == "appointments" else []
        return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Machine//EN", *body, f"END:{name}", "END:VCALENDAR", ""])


def mark_of(value: Value) -> str:
    """The mark of a CRM value, "" without one."""
    found = MARK.search(value.first_name if isinstance(value, Contact) else value.subject)
    return found[0] if found else ""


def mark_in(data: Element) -> str:
    """The mark of an ApplicationData, "" without one."""
    words = (data.text_of(Contacts.FirstName), data.text_of(Calendar.Subject), data.text_of(Tasks.Subject))
    return next((found[0] for word in words if (found := MARK.search(word))), "")


def kind_of(collection: str) -> Kind:
    """The core's word."""
    return Kind(collection)


def _other(status: AppointmentStatus) -> AppointmentStatus:
    return AppointmentStatus.ACTIVE if status is AppointmentStatus.CANCELLED else AppointmentStatus.CANCELLED


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=BERLIN)


def _note(text: str) -> Element:
    return E(AirSyncBase.Body, (E(AirSyncBase.Type, "1"), E(AirSyncBase.Data, text)))
