"""Keeps our store equal to onOffice: the first fill, the polling of changes, the nightly sweep.

One turn of one tenant is ``turn``: fill while there is something to fill, sweep once a day, else poll. A turn needs the tenant's lease, so
that of all processes one pulls. What is remembered between turns (``Memory``) is saved in the commit of the records that it speaks of; a
turn that is cut off is taken up where it was.

* **fill** walks through all kinds; each page is one commit with the place after it.
* **poll** asks one request for what changed since the last poll, with an overlap (two hours and more where onOffice does not say in which
  zone its stamps are), the flags and, if the API user may, the log's deletes. Rows whose digest is known are not looked at any further.
  Users and groups ride along every few minutes (``people``).
* **sweep** walks like the fill and finds what no stamp tells, and what is gone: that is asked for once more by its id before it is dropped.

**Emptiness.** A missing right reads as success without records (one that is refused is an alarm of that kind, and the others go on). So a poll or sweep that would drop more than a share of what is here
(records, or flags of contacts) drops nothing, keeps everything, and raises an alarm of that kind of records, which lasts until the next one
finds things plausible again. A poll, which drops nothing, asks for a few records along with the changes, to notice at once; a kind of which
the first fill found nothing is doubted, which is no alarm (an office may have no tasks), and filled as soon as a poll sees something of it. What changed meanwhile is not lost: a kind is
asked for from when it could be believed last. ``accept`` is for an administrator who knows better. What the log says was deleted is no
emptiness.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from radicale_onoffice.core.model import Actor, Contact, Face, Identity, Kind, Value
from radicale_onoffice.core.ports import Found, Link, Store, Transaction
from radicale_onoffice.core.records import Records
from radicale_onoffice.crm.onoffice import contacts, identity, people, rows, walks
from radicale_onoffice.crm.onoffice.account import Account
from radicale_onoffice.crm.onoffice.client import Client, RefusedByOnOffice
from radicale_onoffice.crm.onoffice.codes import UNKNOWN_FIELD
from radicale_onoffice.crm.onoffice.fields import Unreadable
from radicale_onoffice.crm.onoffice.leases import LEASE
from radicale_onoffice.crm.onoffice.memory import Memory, iso, memory_of, save_memory
from radicale_onoffice.crm.onoffice.polling import Changes, ask_changes, ask_log, refusal_of
from radicale_onoffice.crm.onoffice.protocol import Row as Record
from radicale_onoffice.crm.onoffice.survey import survey
from radicale_onoffice.crm.onoffice.tenants import Access

logger = logging.getLogger(__name__)

SURVEY_EVERY = timedelta(hours=24)
SWEEP_AGAIN = timedelta(hours=1)  # after one that raised an alarm; sooner if a poll sees that all is well
PEOPLE_EVERY = timedelta(minutes=5)  # users and groups, with a poll
VOLATILE = frozenset({contacts.STAMP, "modified", "imageUrl", "mobileUrl"})  # say nothing of a record, or are new at each reading
Progress = Callable[[Kind, int], None]  # kind and how many records more


class LeaseLost(Exception):
    """Another process pulls this tenant now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is mirrored, and how much may vanish at once."""

    past: timedelta = timedelta(days=220)  # of appointments: more than any client may ask for
    future: timedelta = timedelta(days=220)
    share: float = 0.2  # of the records of a kind that one turn may drop
    always: int = 5  # records that may go whatever the share
    anything: bool = False  # an administrator said that it is true


def digest(record: Record) -> str:
    """A digest of all that a row says, whatever the order of its fields."""
    said = {key: value for key, value in record.elements.items() if key not in VOLATILE}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=list).encode()).hexdigest()[:32]


def link_of(kind: Kind, record: Record) -> Link:
    """The link to a row as it was read."""
    return Link(record.id, rows.stamp(kind, record), digest(record))


class Mirror:
    """Pulls one tenant."""

    def __init__(
        self,
        *,
        store: Store,
        records: Records,
        client: Client,
        tenant: str,
        access: Access,
        clock: Callable[[], datetime],
        holder: str,
        bounds: Bounds = Bounds(),
    ):
        """``holder`` names this process among those that want the lease."""
        self._store, self._records, self._client, self._tenant = store, records, client, tenant
        self._access, self._clock, self._holder, self._bounds = access, clock, holder, bounds
        self._actor = Actor(identity=Identity(tenant, "onoffice"), face=Face.CRM)
        self._account: Account | None = None
        self._token = ""  # that the account was surveyed with
        self._surveyed: datetime | None = None
        self._followed: datetime | None = None  # when users were looked at last
        self._people_alarm, self._again = "", dict[Kind, list[str]]()

    # ------------------------------------------------------------------ turns

    def turn(self, progress: Progress | None = None) -> str:
        """Do what is due: "filled", "swept", "looked again", "polled", or "" if another process has the lease. Raises UpstreamDown, RefusedByOnOffice."""
        try:
            self._renew()
            memory, account, now = self.memory(), self.account(), self._clock()
            if not memory.is_filled:
                return self._done("filled", memory, lambda: self._fill(account, memory, progress))
            if memory.sweep_is_due(now, account.zone):
                return self._done("swept", memory, lambda: self._sweep(list(Kind), account, memory, progress))
            if memory.second_look_is_due(now):
                doubtful = [kind for kind in Kind if memory.alarm_of(kind)]
                return self._done("looked again", memory, lambda: self._sweep(doubtful, account, memory, progress))
            return self._done("polled", memory, lambda: self._poll(account, memory))
        except LeaseLost:
            return ""

    def sweep(self, progress: Progress | None = None) -> None:
        """A sweep now, whatever the hour. Raises LeaseLost, UpstreamDown, RefusedByOnOffice."""
        self._renew()
        memory, account = self.memory(), self.account()
        self._done("swept", memory, lambda: self._sweep(list(Kind), account, memory, progress))

    def accept(self, progress: Progress | None = None) -> None:
        """A sweep that believes everything: an administrator has looked at the alarm."""
        kept, self._bounds, self._account = self._bounds, replace(self._bounds, anything=True), None
        try:
            self.sweep(progress)
        finally:
            self._bounds = kept

    def _done(self, what: str, memory: Memory, work: Callable[[], None]) -> str:
        """Do it and remember that it is done. A sweep does not look at old appointments, so only polls tell up to when all is known."""
        began = self._clock()
        try:
            work()
        except RefusedByOnOffice as error:
            if error.refusal.code in UNKNOWN_FIELD:
                self._account = None  # a field is gone: the next turn asks which there are
            raise
        if what == "polled":
            memory.pulled.update({kind: iso(began) for kind in Kind if not memory.alarm_of(kind)})
        elif what != "looked again":
            memory.swept = began.astimezone(self.account().zone).date().isoformat()
        if not any(memory.alarm_of(kind) for kind in Kind):
            memory.sweep_at = ""
        elif what in ("swept", "looked again") or not memory.sweep_at:
            memory.sweep_at = iso(began + SWEEP_AGAIN)
        memory.answered, memory.people_alarm = iso(self._clock()), self._people_alarm
        for kind, ids in self._again.items():
            memory.again[kind] = sorted({*memory.again.get(kind, ()), *ids})
        self._again = {}
        with self._store.writing() as tx:
            save_memory(tx, self._tenant, memory)
        return what

    def release(self) -> None:
        """Let another process pull."""
        with self._store.writing() as tx:
            tx.end_lease(self._lease_name, self._holder)

    def memory(self) -> Memory:
        """What is remembered of earlier turns."""
        with self._store.reading() as tx:
            return memory_of(tx, self._tenant)

    def account(self) -> Account:
        """The account as surveyed, at most a day ago; our users follow it."""
        now, token = self._clock(), self._client.token_digest()
        if self._account is None or self._surveyed is None or token != self._token or now - self._surveyed >= SURVEY_EVERY:
            with self._store.reading() as tx:
                tenant = tx.tenant(self._tenant)
            assert tenant is not None
            found = survey(self._client, self._access, tenant)
            identity.demand_same(self._store, self._tenant, token, found)
            self._account, self._token, self._surveyed = found, token, now
            self._follow(found)
        return self._account

    def _follow(self, account: Account) -> bool:
        """Bring our users to what onOffice says of its; False if that cannot be believed."""
        self._followed = self._clock()
        with self._store.writing() as tx:
            found = people.follow(tx, self._tenant, account, self._followed, self._too_many)
        for kind, ids in found.again.items():
            self._again[kind] = sorted({*self._again.get(kind, ()), *ids})
        if found.alarm and found.alarm != self._people_alarm:
            logger.error("mirror of %s: %s", self._tenant, found.alarm)
        self._people_alarm = found.alarm
        return not found.alarm

    def _poll_people(self, account: Account, changes: Changes) -> None:
        """What rode along with a poll; it counts from the next turn on, because this one's flags were asked for the users known before."""
        newer = people.newer(account, changes.also, lambda action: self._client.call([action], deadline=walks.DEADLINE)[0])
        if newer is not None and self._follow(newer):
            self._account = newer

    @property
    def _lease_name(self) -> str:
        return f"pull:{self._tenant}"

    def _renew(self) -> None:
        now = self._clock()
        with self._store.writing() as tx:
            if not tx.lease(self._lease_name, self._holder, now, now + LEASE):
                raise LeaseLost

    # ------------------------------------------------------------ fill and sweep

    def _walk(self, kind: Kind, account: Account, place: str = "") -> Iterator[walks.Page]:
        asking = walks.Asking(self._client, self._mark)
        if kind is Kind.CONTACTS:
            return walks.walk_contacts(asking, account, place)
        if kind is Kind.TASKS:
            return walks.walk_tasks(asking, account, place)
        return walks.walk_appointments(asking, *self._period(account), place)

    def _period(self, account: Account) -> tuple[date, date]:
        today = self._clock().astimezone(account.zone).date()
        return today - self._bounds.past, today + self._bounds.future

    def _fill(self, account: Account, memory: Memory, progress: Progress | None) -> None:
        doubts, refused = {kind: memory.doubt_of(kind) for kind in Kind}, dict[Kind, str]()
        for kind in Kind:
            place = memory.places.get(kind)
            if place == "":
                continue
            if place is None:
                memory.pulled[kind] = iso(self._clock())
            doubt = f"onOffice shows no {kind} at all; if it has some, the API user lacks the right to read them"
            doubts[kind] = "" if place else doubt
            try:
                for page in self._walk(kind, account, place or ""):
                    memory.places[kind] = page.place
                    doubts[kind] = "" if page.records else doubts[kind]
                    self._adopt(kind, page.records, account, memory, page.since)
                    if progress is not None:
                        progress(kind, len(page.records))
                self._read_again(kind, account, memory)
            except RefusedByOnOffice as error:  # the polls of the others go on, and find out when this one may be read
                refused[kind], doubts[kind], memory.places[kind] = refusal_of(error), doubt, ""
        self._raise_alarms(memory, "poll", {**{kind: memory.alarms.get(f"poll {kind}", "") for kind in Kind}, **refused})
        for kind in Kind:
            if doubts[kind] and doubts[kind] != memory.doubt_of(kind):
                logger.warning("mirror of %s: %s", self._tenant, doubts[kind])
        memory.replace_alarms("fill", doubts)

    def _sweep(self, kinds: Sequence[Kind], account: Account, memory: Memory, progress: Progress | None) -> None:
        alarms = {}
        for kind in kinds:
            seen: set[str] = set()
            try:
                alarms[kind] = self._sweep_kind(kind, seen, account, memory, progress)
            except RefusedByOnOffice as error:
                alarms[kind] = refusal_of(error)
            if (seen and not alarms[kind]) or self._bounds.anything:
                memory.alarms.pop(f"fill {kind}", None)
        self._raise_alarms(memory, "sweep", {**{kind: memory.alarms.get(f"sweep {kind}", "") for kind in Kind}, **alarms})
        believed = {kind for kind in kinds if not alarms[kind]}
        self._raise_alarms(memory, "poll", {kind: memory.alarms.get(f"poll {kind}", "") for kind in Kind if kind not in believed})

    def _sweep_kind(self, kind: Kind, seen: set[str], account: Account, memory: Memory, progress: Progress | None) -> str:
        """Walk through a kind; ``seen`` gets the ids of what onOffice shows. Returns an alarm."""
        told = []
        for page in self._walk(kind, account):
            seen.update(record.id for record in page.records)
            alarm = self._flags_alarm(page.records, account) if kind is Kind.CONTACTS else ""
            if not alarm:
                self._adopt(kind, page.records, account, memory, page.since)
            told.append(alarm)
            if progress is not None:
                progress(kind, len(page.records))
        told.append(self._drop_missing(kind, seen, account, memory))
        self._read_again(kind, account, memory)
        return _joined(told)

    def _mark(self) -> int:
        """The tenant's change number before a request of a walk, for which the lease is renewed."""
        self._renew()
        return self._change()

    def _change(self) -> int:
        with self._store.reading() as tx:
            return tx.change(self._tenant)

    # ------------------------------------------------------------------- poll

    def _poll(self, account: Account, memory: Memory) -> None:
        mark = self._change()
        with self._store.reading() as tx:
            known = {kind: tx.links(self._tenant, kind) for kind in Kind}
        since = {kind: memory.pulled_at(kind) or self._clock() for kind in Kind}
        due = account.tells_states and (self._followed is None or self._clock() - self._followed >= PEOPLE_EVERY)
        also = people.ask() if due else ()
        changes = ask_changes(self._client, account, since, known, self._period(account), with_log=not memory.log_refused, also=also)
        memory.log_refused = memory.log_refused or changes.log_refused
        alarms = {kind: changes.refused.get(kind) or self._vanished(kind, changes, known[kind]) for kind in Kind}
        flags = self._flags_changed(changes, account, memory, mark) if account.people and not alarms[Kind.CONTACTS] else ""
        alarms[Kind.CONTACTS] = _joined([alarms[Kind.CONTACTS], flags])
        for kind, records in changes.records.items():
            if kind is not Kind.CONTACTS or not flags:  # else their flags cannot be believed; the next plausible poll brings them
                self._adopt(kind, records, account, memory, mark)
        for kind in (kind for kind in Kind if kind not in changes.refused):
            self._drop(kind, changes.deleted.get(kind, ()), account, memory)
            self._read_again(kind, account, memory)
        for kind in changes.seen:
            if memory.alarms.pop(f"fill {kind}", ""):  # what the fill did not see is there
                del memory.places[kind]
            if memory.alarms.get(f"poll {kind}") and not alarms[kind]:
                memory.sweep_at = iso(self._clock()) if memory.sweep_at else ""
        self._raise_alarms(memory, "poll", alarms)
        self._poll_people(account, changes)

    def _vanished(self, kind: Kind, changes: Changes, known: Mapping[str, str]) -> str:
        """An alarm if onOffice shows nothing of a kind of which records are here that the log does not call deleted."""
        here = set(known) - set(changes.deleted.get(kind, ()))
        if not here or kind in changes.seen or self._bounds.anything:
            return ""
        return f"onOffice shows none of its {kind} any more; nothing is removed here. Does the API user still have its rights?"

    def _read_again(self, kind: Kind, account: Account, memory: Memory) -> None:
        """What was left alone because it was changing here."""
        ids, since = memory.again.pop(kind, []), self._change()
        if ids:
            self._adopt(kind, list(rows.fetch(self._client, account, kind, ids, deadline=walks.DEADLINE).values()), account, memory, since)

    # ------------------------------------------------------------------- flags

    def _flags_changed(self, changes: Changes, account: Account, memory: Memory, since: int) -> str:
        """Bring the flags of contacts up to date that did not change otherwise; returns an alarm."""
        told = {address: users for address, users in changes.flags.items() if users}
        gone = set(changes.deleted.get(Kind.CONTACTS, ()))  # as the log says: their flags have not vanished
        with self._store.reading() as tx:
            here = tx.links(self._tenant, Kind.CONTACTS)
            crm_ids = {record_id: crm_id for crm_id, record_id in here.items()}
            stored: dict[str, set[str]] = {}
            for person in account.people:
                identity = Identity(self._tenant, person.name)
                for member in tx.members(identity, Kind.CONTACTS, {f"u:{person.name}"}):
                    if crm_ids.get(member.record_id, "") not in {"", *gone}:
                        stored.setdefault(crm_ids[member.record_id], set()).add(person.name)
        wanted = {address: {account.login(user) for user in users} for address, users in told.items()}
        differing = [address for address in {*stored, *wanted} if stored.get(address, set()) != wanted.get(address, set())]
        lost = sum(len(stored.get(address, set()) - wanted.get(address, set())) for address in differing)
        alarm = self._too_many("Sync flags of contacts", lost, sum(map(len, stored.values())), least=self._bounds.always + 1)
        if alarm:
            return alarm
        memory.again.setdefault(Kind.CONTACTS, []).extend(address for address in sorted(differing) if address not in here)
        with self._store.reading() as tx:
            links = {crm_id: link for crm_id, (_, link) in tx.linked(self._tenant, Kind.CONTACTS, differing).items()}
        found = [
            Found(links[address], _flagger(tuple(sorted(wanted.get(address, set()))))) for address in sorted(differing) if address in here
        ]
        self._store_all(Kind.CONTACTS, found, memory, since)
        return ""

    def _flags_alarm(self, records: Sequence[Record], account: Account) -> str:
        """An alarm if adopting these addresses would take too many flags away."""
        with self._store.reading() as tx:
            known = tx.linked(self._tenant, Kind.CONTACTS, [record.id for record in records])
            stored = {record.id: record.value for record in tx.records(self._tenant, [record_id for record_id, _ in known.values()])}
        had = lost = 0
        for record in records:
            value = stored.get(known[record.id][0]) if record.id in known else None
            if isinstance(value, Contact):
                had += len(value.sync_users)
                lost += len(set(value.sync_users) - {account.login(user) for user in record.elements.get(contacts.SYNC, ())})
        return self._too_many("Sync flags of contacts", lost, had, least=self._bounds.always + 1)

    # ----------------------------------------------------------- adopt and drop

    def _adopt(self, kind: Kind, records: Sequence[Record], account: Account, memory: Memory, since: int) -> None:
        """Store what is new about these rows, in one commit with the memory."""
        with self._store.reading() as tx:
            known = tx.linked(self._tenant, kind, [record.id for record in records])
        found = []
        for record in {one.id: one for one in reversed(records)}.values():  # an account may show a series once for each occurrence
            link = link_of(kind, record)
            if record.id in known and known[record.id][1].digest == link.digest:
                continue
            try:
                rows.load(kind, record, account)
            except Unreadable as error:
                logger.warning("%s %s of onOffice cannot be read and is left as it was: %s", kind, record.id, error)
                continue
            found.append(Found(link, _loader(kind, record, account)))
        self._store_all(kind, found, memory, since)

    def _store_all(self, kind: Kind, found: Sequence[Found], memory: Memory, since: int) -> None:
        again = self._records.adopt_all(self._actor, kind, found, since=since, also=lambda tx: save_memory(tx, self._tenant, memory))
        if again:
            memory.again[kind] = sorted({*memory.again.get(kind, []), *again})
            with self._store.writing() as tx:
                save_memory(tx, self._tenant, memory)

    def _drop_missing(self, kind: Kind, seen: set[str], account: Account, memory: Memory) -> str:
        """Drop what a whole walk did not show; returns an alarm. Appointments outside of the walk's period were not looked for."""
        with self._store.reading() as tx:
            here = tx.links(self._tenant, kind)
            missing = {crm_id: record_id for crm_id, record_id in here.items() if crm_id not in seen}
            if kind is Kind.APPOINTMENTS:
                first, last = (datetime.combine(day, time(), account.zone).timestamp() for day in self._period(account))
                inside = {one.id for one in tx.records(self._tenant, missing.values()) if one.starts < last and one.ends > first}
                missing = {crm_id: record_id for crm_id, record_id in missing.items() if record_id in inside}
        if self._too_many(kind, len(missing), len(here), least=1):
            logged = set(ask_log(self._client, kind, memory.pulled_at(kind) or self._clock(), account)) if not memory.log_refused else set()
            self._drop(kind, logged & set(missing), account, memory)
            missing, here = ({key: one for key, one in known.items() if key not in logged} for known in (missing, here))
        alarm = self._too_many(kind, len(missing), len(here), least=1)
        if not alarm:
            self._drop(kind, missing, account, memory)
        return alarm

    def _drop(self, kind: Kind, crm_ids: Iterable[str], account: Account, memory: Memory) -> None:
        """Drop records that onOffice is said to have no more, after asking for each of them."""
        with self._store.reading() as tx:
            here = tx.links(self._tenant, kind)
        wanted = [crm_id for crm_id in crm_ids if crm_id in here]
        if not wanted:
            return
        since = self._change()
        still = rows.fetch(self._client, account, kind, wanted, deadline=walks.DEADLINE)
        self._adopt(kind, list(still.values()), account, memory, since)
        gone = {here[crm_id]: crm_id for crm_id in wanted if crm_id not in still}

        def unlink(tx: Transaction, record_ids: Sequence[str]) -> None:
            for record_id in record_ids:  # should it ever come back, it is looked at
                tx.save_link(self._tenant, kind, record_id, Link(gone[record_id]))

        self._records.drop(self._actor, list(gone), also=unlink)

    def _too_many(self, what: str, lost: int, total: int, *, least: int = 2) -> str:
        """An alarm if so many would vanish at once that it is more likely that the API user lost a right; from ``least`` on, all are many."""
        is_all = lost == total >= least
        if self._bounds.anything:
            return ""
        if not is_all and lost <= max(self._bounds.always, self._bounds.share * total):
            return ""
        return f"{lost} of {total} {what} have vanished from onOffice; nothing is removed here. Does the API user still have its rights?"

    def _raise_alarms(self, memory: Memory, where: str, told: Mapping[Kind, str]) -> None:
        before = {kind: memory.alarm_of(kind) for kind in Kind}
        memory.replace_alarms(where, told)
        for kind in Kind:
            now = memory.alarm_of(kind)
            if now and now != before[kind]:
                logger.error("mirror of %s: %s", self._tenant, now)
            elif before[kind] and not now:
                logger.warning("mirror of %s: what onOffice shows of its %s is plausible again", self._tenant, kind)


def _joined(alarms: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(filter(None, alarms)))


def _loader(kind: Kind, record: Record, account: Account) -> Callable[[Value | None], Value]:
    return lambda before: rows.load(kind, record, account, before)


def _flagger(users: tuple[str, ...]) -> Callable[[Value | None], Value]:
    def flagged(before: Value | None) -> Value:
        assert isinstance(before, Contact)
        return replace(before, sync_users=users)

    return flagged
