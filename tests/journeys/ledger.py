"""What the rules say must have come of everything that the machine's users did.

Looked at behind the faces: after each request of a phone, which of its edits landed; at rest, that every replica shows what the CRM offers its
user, and that each thing that somebody made is there exactly once, or was deleted by somebody.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy

from activesync_bridge.folders import scope_of
from activesync_bridge.items import Flavour
from activesync_bridge.items import dispatch as items
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.codepages import AirSync, AirSyncBase, Calendar, Contacts, Tasks
from activesync_bridge.wbxml.element import Element
from radicale_onoffice import formats
from radicale_onoffice.core.model import Appointment, Contact, Identity, Record
from radicale_onoffice.errors import FORBIDDEN
from radicale_onoffice.stores import tables
from radicale_onoffice.stores.records import record_from
from tests.journeys.davclient import DavClient
from tests.journeys.handset import COLLECTIONS, Flight, Handset, Took
from tests.journeys.makings import BERLIN, kind_of, mark_in, mark_of

# What only the server composes, what follows from other elements, and the blob of a zone in which nothing is compared
DERIVED = frozenset(
    {
        Contacts.FileAs,
        AirSyncBase.NativeBodyType,
        Calendar.DtStamp,
        Calendar.UID,
        Calendar.ClientUid,
        Calendar.MeetingStatus,
        Calendar.DisallowNewTimeProposal,
        Calendar.Timezone,
        Tasks.UtcStartDate,
        Tasks.StartDate,
    }
)
# What it means when a phone left the element out of its own item
DEFAULTS = {
    Calendar.Sensitivity: "0",
    Calendar.BusyStatus: "2",
    Calendar.AllDayEvent: "0",
    Tasks.ReminderSet: "0",
    Tasks.Complete: "0",
    Tasks.Importance: "1",
    Tasks.Sensitivity: "0",
}


def normal(element: Element | None) -> object:
    """An element in a form that compares; a Body is its text."""
    if element is None:
        return ""
    if element.tag == AirSyncBase.Body:
        return element.text_of(AirSyncBase.Data).replace("\r\n", "\n").strip()
    if element.children:
        return tuple(sorted((child.tag, normal(child)) for child in element.children if child.content not in ("", b"", ())))
    if element.tag == Tasks.DateCompleted:
        return element.text[:10]
    return element.text.replace("\r\n", "\n").strip()


def comparable(children) -> dict[int, object]:
    """Elements that are not derived, with what their absence means."""
    found = {one.tag: normal(one) for one in children if one.tag not in DERIVED}
    return {tag: value for tag, value in (DEFAULTS | found).items() if value not in ("", ())}


@dataclass
class Truth:
    """What a phone would be shown of a record now, and who else is concerned; None of a record that is gone."""

    elements: dict[int, object] | None


@dataclass
class Ledger:
    """What was made and deleted, by mark."""

    made: set[str] = field(default_factory=set)
    doomed: set[str] = field(default_factory=set)  # somebody wanted it gone
    dead: set[str] = field(default_factory=set)  # deleted in the CRM
    off: set[tuple[str, str]] = field(default_factory=set)  # (mark, user): taken off the user's devices, and accepted
    unsure: set[str] = field(default_factory=set)  # made by a DAV client that got no answer, and makes it again: HTTP cannot tell
    sent: dict[tuple[str, str, int], list[object]] = field(default_factory=dict)  # (device, record, tag) -> values without an answer
    foreign: dict[str, set[int]] = field(default_factory=dict)  # mark -> elements that anybody's next write may bring along

    # ------------------------------------------------------------- a request

    def before(self, office, phone: Handset, collection: str, flight: Flight) -> dict[str, dict[int, object] | None]:
        """What the records that a request changes look like."""
        for command in flight.commands:
            if command.tag == AirSync.Delete and not command.text_of(AirSyncBase.InstanceId):
                record = record_of(office, command.text_of(AirSync.ServerId))
                if record is not None:
                    self.doomed.add(mark_of(record.value))
        return {server_id: truth(office, phone, collection, server_id) for server_id in flight.changed}

    def after(self, office, phone: Handset, collection: str, flight: Flight, was, had, took: Took | None, *, processed: bool) -> None:
        """Judge a request by what the CRM has now. ``had`` is what the phone showed before it; ``processed`` may it have done anything."""
        failed = {one.text_of(AirSync.ServerId): one.text_of(AirSync.Status) for one in took.responses} if took else {}
        for server_id, edit in flight.changed.items():
            before, now = was[server_id], truth(office, phone, collection, server_id)
            record = record_of(office, server_id)
            foreign = self.foreign.get(mark_of(record.value), set()) if record is not None else set()
            if before is None or now is None:
                assert now is None or WHOSE in foreign, f"{server_id} came back by a Change"
                continue
            certain = took is not None and failed.get(server_id, "1") in ("1", "7")
            self._judge(phone, server_id, edit, had[server_id], before, now, foreign, certain=certain, processed=processed)
        if took is not None:
            self._answered(office, phone, collection, took)

    def _judge(self, phone, server_id, edit, had, before, now, foreign: set[int], *, certain: bool, processed: bool) -> None:
        stale, settle = self.sent, []
        for tag in (before.keys() | now.keys() | edit.keys()) - DERIVED - {Calendar.Exceptions}:
            key, old, new = (phone.device, server_id, tag), before.get(tag, ""), now.get(tag, "")
            context = f"{phone.device}: {Element(tag).name} of {server_id}: had {had.get(tag, '')!r}, was {old!r}, is {new!r}"
            if not foreign.isdisjoint(PAIRS.get(tag, (tag,))):
                continue
            if tag not in edit:
                assert old == new or tag in FOLLOWS, f"{context}, and was not edited"
                continue
            wanted = normal(edit[tag])
            pair = [one for one in PAIRS.get(tag, (tag,)) if one in edit]
            mine = all(
                before.get(one, "") == had.get(one, "") or before.get(one, "") in stale.get((phone.device, server_id, one), ())
                for one in pair
            )
            allowed = {wanted} if mine else {old}
            if not certain or tag in HIDDEN:
                allowed |= {old}
            if not certain:  # the request may have got no further than to find out that an earlier one was carried out
                allowed |= set(stale.get(key, ()))
            assert new in (allowed if processed else {old}), f"{context}, wanted {wanted!r}"
            settle.append((key, wanted))
        for key, wanted in settle:
            if processed and not certain:
                stale.setdefault(key, []).append(wanted)
            elif certain:
                stale.pop(key, None)

    def _answered(self, office, phone: Handset, collection: str, took: Took) -> None:
        made = {one.text_of(AirSync.ClientId): one.text_of(AirSync.Status) for one in took.responses if one.tag == AirSync.Add}
        refused = {one.text_of(AirSync.ServerId) for one in took.responses if one.tag == AirSync.Delete}
        for command in took.commands:
            if command.tag == AirSync.Add and made[command.text_of(AirSync.ClientId)] == "1":
                self.made.add(mark_in(command.first(AirSync.ApplicationData)))
            server_id = command.text_of(AirSync.ServerId)
            if command.tag == AirSync.Delete and server_id not in refused and not command.text_of(AirSyncBase.InstanceId):
                self.taken_off(office, phone.login, server_id)

    def taken_off(self, office, user: str, record_id: str) -> None:
        """A device's delete was accepted: if it took the record off the user's devices, it stays off."""
        record = record_of(office, record_id)
        if record is not None and not concerns(record, user):
            self.off.add((mark_of(record.value), user))

    def may_change(self, mark: str, touched: Iterable[int]) -> None:
        """What was changed behind our back may come with the next write of the record, or with the next poll."""
        self.foreign.setdefault(mark, set()).update(touched)

    def crm_wrote(self, mark: str) -> None:
        """A CRM user decides anew whom a record concerns."""
        self.off = {(one, user) for one, user in self.off if one != mark}

    # --------------------------------------------------------------- at rest

    def check_records(self, office) -> None:
        """Nothing lost, nothing doubled, nothing resurrected."""
        records = [record for record in everything(office) if mark_of(record.value)]
        live = Counter(mark_of(record.value) for record in records if not record.deleted)
        count = Counter(mark_of(record.value) for record in records)
        assert {mark: number for mark, number in live.items() if number > 1} == {}, "doubled"
        assert {mark: number for mark, number in count.items() if number > 1 and mark not in self.unsure} == {}, "doubled or resurrected"
        # What is made and deleted in onOffice between two polls is never seen here.
        assert sorted(self.made - count.keys() - self.dead) == [], "lost: accepted and never stored"
        gone = {mark_of(record.value) for record in records if record.deleted}
        assert sorted(gone - self.doomed - self.dead) == [], "lost: deleted by nobody"
        assert sorted(self.dead & live.keys() - self.unsure) == [], "resurrected"
        back = [(mark_of(record.value), user) for record in records for user in ("anna", "bert") if concerns(record, user)]
        assert [one for one in back if one in self.off] == [], "came back to a user who had deleted it"

    @staticmethod
    def check_phone(office, phone: Handset) -> None:
        """The phone shows what is offered in its period."""
        for collection in COLLECTIONS:
            kind = kind_of(collection)
            scope = scope_of(kind, phone.filters.get(collection, 0))
            offered = {offer.record_id: offer for offer in office.feeds.listing(Identity("t", phone.login), kind, scope)}
            items_of = phone.of(collection).items
            assert items_of.keys() == offered.keys(), (phone.device, collection, items_of.keys() ^ offered.keys())
            for record_id, offer in offered.items():
                wanted = comparable(items.dump(kind, offer.text, offer.uid, flavour(phone)))
                shown = comparable(items_of[record_id].children)
                differing = {
                    Element(tag).name: (shown.get(tag), wanted.get(tag)) for tag in shown | wanted if shown.get(tag) != wanted.get(tag)
                }
                assert differing == {}, (phone.device, collection, record_id, differing)

    @staticmethod
    def check_dav(office, client: DavClient) -> None:
        """The client's texts are the stored ones, but for the lines that every client rewrites."""
        for collection, copy in client.copies.items():
            offered = {offer.name: offer for offer in office.feeds.listing(Identity("t", client.login), kind_of(collection))}
            assert copy.items.keys() == offered.keys(), (client.name, collection, copy.items.keys() ^ offered.keys())
            for name, (etag, text) in copy.items.items():
                assert offered[name].etag == etag, (client.name, name)
                assert formats.says_the_same(text, offered[name].text), (client.name, name, text, offered[name].text)


WHOSE = 0  # among the elements of ``foreign``: whom a record concerns
# An inactive deadline of the CRM's is shown to nobody (rule 80), and stands all the same
HIDDEN = frozenset({Tasks.UtcDueDate, Tasks.DueDate})
# What is taken from one side as a whole
PAIRS = {tag: pair for pair in ((Calendar.StartTime, Calendar.EndTime), (Tasks.UtcDueDate, Tasks.DueDate)) for tag in pair}
# A start carries the end along, and a deadline its day; a completed task is done
FOLLOWS = frozenset({Calendar.EndTime, Calendar.StartTime, Tasks.DateCompleted, Tasks.Complete, AirSyncBase.Location, Calendar.Location})


def flavour(phone: Handset) -> Flavour:
    """How the server encodes for a phone that asked for nothing special."""
    return Flavour(version=Version(int(phone.version.replace(".", ""))), zone=BERLIN)


def truth(office, phone: Handset, collection: str, record_id: str) -> dict[int, object] | None:
    """A record as the phone would be shown it now; None if it is gone."""
    record = record_of(office, record_id)
    if record is None or not concerns(record, phone.login):
        return None
    kind = kind_of(collection)
    return comparable(items.dump(kind, record.text, record.uid, flavour(phone)))


def record_of(office, record_id: str) -> Record | None:
    """A stored record that is not deleted."""
    with office.store.reading() as tx:
        record = tx.record("t", record_id)
    return None if record is None or record.deleted else record


def everything(office) -> list[Record]:
    """All records, the deleted ones, too."""
    with office.store.engine.connect() as connection:
        return [record_from(row) for row in connection.execute(sqlalchemy.select(tables.records)).all()]


def concerns(record: Record, user: str) -> bool:
    """True if the CRM says that a record is the user's."""
    if record.deleted:
        return False
    value = record.value
    if isinstance(value, Contact):
        return user in value.sync_users
    if isinstance(value, Appointment):
        return user in (value.participants or (value.creator,))
    return user in (value.responsible, value.processor) and user not in value.unsynced_by


class Complaints(logging.Handler):
    """Collects what the server logs as an error: it never has a reason to, but for loggers that tell of ``bad_days``."""

    def __init__(self, bad_days: frozenset[str] = frozenset()):
        super().__init__(logging.ERROR)
        self.lines: list[str] = []
        self.bad_days = bad_days

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it; the host logs a refused PUT as an error, and a client may well change what has slid out of its window."""
        line = self.format(record)
        if record.name not in self.bad_days and FORBIDDEN not in line:
            self.lines.append(line)
