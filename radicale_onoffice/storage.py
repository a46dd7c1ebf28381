"""Radicale's storage plugin: folders and items out of the core's feeds and records.

Only translation stands here. Facts about the host that the shape follows from: a PROPFIND reads collections after the lock is gone, so
nothing here needs one; ``discover`` runs on every request and its first element is often the only one taken; what a request saw of
a record before it changed it is remembered from ``discover`` to ``upload``, as the version to expect.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, TypeVar

from radicale.item import Item
from radicale.item.filter import TIMESTAMP_MAX, TIMESTAMP_MIN, simplify_prefilters
from radicale.storage import BaseCollection, BaseStorage

from radicale_onoffice import answers, dav_queries, errors, formats, options, paths, turns, wiring
from radicale_onoffice.core import folders
from radicale_onoffice.core.clients import client_of
from radicale_onoffice.core.errors import BadRequest, CameBack, CursorInvalid, MadeBefore, NotFound, OfficeError, Refused
from radicale_onoffice.core.feeds import DEFAULT, Cursor
from radicale_onoffice.core.model import Actor, Base, Face, Identity, Kind, Record
from radicale_onoffice.core.office import Office
from radicale_onoffice.core.ports import Offer, Transaction
from radicale_onoffice.formats import whole

logger = logging.getLogger(__name__)
TOKEN = "urn:radicale-onoffice:sync:"  # noqa: S105 - the scheme of sync tokens, not a secret
LOCKS = 256  # in-process locks that serialise one user's writes; others are kept apart by record versions
MAX_PROPERTIES = 50
META = {
    "D:displayname": "display_name",
    "ICAL:calendar-color": "color",
    "CR:addressbook-description": "description",
    "C:calendar-description": "description",
}
R = TypeVar("R")


@dataclass(slots=True)
class Writing:
    """What one writing request has seen: record id and version by path, to be expected when it writes."""

    login: str
    seen: dict[str, Offer] = field(default_factory=dict)


_writing: ContextVar[Writing | None] = ContextVar("writing", default=None)


@functools.lru_cache(maxsize=4096)
def http_date(seconds: int) -> str:
    """RFC 9110 5.6.7 form of POSIX seconds."""
    return formatdate(seconds, usegmt=True)


def translated(method: Callable[..., R]) -> Callable[..., R]:
    """Turn the core's errors into what Radicale understands, leaving the precise answer for ``serve``."""

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> R:
        try:
            return method(*args, **kwargs)
        except OfficeError as error:
            raise ValueError(leave(error)) from error

    return wrapper


def leave(error: OfficeError) -> str:
    """Leave the precise answer of an error for the wrapper; returns the text that stock Radicale reads."""
    answer = errors.answer_for(error)
    answers.leave_error(error, answer)
    return f"{answer.stock}{error}"


class Root(BaseCollection):
    """``/``, and the principal ``/LOGIN/``: untagged, holding nothing but folders."""

    def __init__(self, path: str):
        self._path = path

    path = property(lambda self: self._path)
    etag = property(lambda self: f'"{self._path}"')
    last_modified = property(lambda self: http_date(0))

    def get_meta(self, key: str | None = None) -> Any:
        """No properties."""
        return None if key else {}

    def get_all(self) -> Iterator[Item]:
        """No items."""
        return iter(())

    def get_multi(self, hrefs: Iterable[str]) -> list[tuple[str, None]]:
        """No items."""
        return [(href, None) for href in hrefs]

    def delete(self, href: str | None = None) -> None:
        """A principal is not deleted over DAV."""
        leave(Refused("A user's folders cannot be deleted here."))

    def set_meta(self, props: Mapping[str, str]) -> None:
        """A principal has no properties to set."""
        raise ValueError(leave(Refused("The properties of a principal cannot be changed here.")))


class Folder(BaseCollection):
    """One kind of one reader: an address book, a calendar or a task list."""

    def __init__(self, office: Office, login: str, identity: Identity, kind: Kind):
        self._office, self._login, self._identity, self._kind = office, login, identity, kind
        self._fetched: dict[str, Offer] = {}
        self._changed: frozenset[str] = frozenset()
        self._cursor: Cursor | None = None

    @property
    def path(self) -> str:
        """``LOGIN/folder``."""
        return f"{self._login}/{paths.FOLDERS[self._kind]}"

    # ------------------------------------------------------------- reading

    @property
    def etag(self) -> str:
        """The collection's etag and ctag: the position of its feed."""
        cursor = self._position()
        return f'"{cursor.epoch}-{cursor.seq}"'

    @translated
    def _position(self) -> Cursor:
        if self._cursor is None:
            self._cursor = self._office.feeds.cursor(self._identity, self._kind)
            self._synced()
        return self._cursor

    def _synced(self) -> None:
        """The client has been told what is new of this kind."""
        self._office.visits.synced(self._identity, client_of(Face.DAV, answers.device()), self._kind)

    def sync(self, old_token: str = "") -> tuple[str, Iterable[str]]:
        """The sync token, and the names changed since (RFC 6578 3.2); ValueError is the host's word for valid-sync-token."""
        if not old_token:
            cursor = self._position()
            return f"{TOKEN}{cursor.epoch}:{cursor.seq}", self._all_names()
        return self._changes(parse_token(old_token))

    @translated
    def _changes(self, since: Cursor) -> tuple[str, Iterable[str]]:
        cursor, entries = self._office.feeds.changes(self._identity, self._kind, since)
        self._synced()
        names = [entry.name for entry in entries]
        self._changed = frozenset(names)
        return f"{TOKEN}{cursor.epoch}:{cursor.seq}", names

    def _all_names(self) -> Iterator[str]:
        # A PROPFIND of the sync-token throws the names away: nothing is read until the first one is taken.
        self._fetched = {offer.name: offer for offer in self._listing()}
        yield from self._fetched

    @translated
    def _listing(self) -> Iterable[Offer]:
        return self._office.feeds.listing(self._identity, self._kind)

    @translated
    def get_multi(self, hrefs: Iterable[str]) -> Iterable[tuple[str, Item | None]]:
        """Items by name; one that is offered no more, or never was, is None (RFC 4791 7.9, RFC 6578 3.6)."""
        names = list(hrefs)
        missing = [name for name in names if name not in self._fetched]
        if missing:
            self._fetched.update((o.name, o) for o in self._office.feeds.offers(self._identity, self._kind, missing))
        # A client that named a period asks for what it was shown there, which may lie outside of the window;
        # but what the feed reports as gone has to be a 404, or sync would never take it away.
        beyond = [name for name in missing if name not in self._fetched and name not in self._changed]
        older = self._office.records.find(self._identity, self._kind, beyond) if beyond and self._kind is Kind.APPOINTMENTS else {}
        found = ((name, self._fetched.get(name) or older.get(name)) for name in names)
        return [(name, self.item(offer) if offer else None) for name, offer in found]

    def get_all(self) -> Iterator[Item]:
        """All that is offered."""
        return (self.item(offer) for offer in self._listing())

    @translated
    def get_filtered(self, filters: Iterable[Any]) -> list[tuple[Item, bool]]:
        """Candidates for a query, and whether they are known to match (RFC 4791 7.8, RFC 6352 8.6)."""
        filters = list(filters)
        self._synced()
        if self._kind is Kind.CONTACTS:
            may_match = dav_queries.card_prefilter(filters)
            return [(self.item(offer), False) for offer in self._listing() if may_match(offer.text)]
        component, start, end, simple = simplify_prefilters(filters, self.tag)
        if component not in (None, paths.COMPONENTS[self._kind]):
            return []
        if start <= TIMESTAMP_MIN and end >= TIMESTAMP_MAX:
            return [(self.item(offer), simple) for offer in self._listing()]
        if self._kind is Kind.TASKS:
            return [(self.item(offer), False) for offer in self._listing()]
        return [(self.item(offer), simple) for offer in self._office.feeds.period(self._identity, start, end)]

    @translated
    def has_uid(self, uid: str) -> bool:
        """True if another of the reader's visible records has the UID; what is out of reach is refused by the core instead."""
        record_id = self._office.records.with_uid(self._identity, self._kind, uid)
        return record_id is not None and self._office.feeds.is_live(self._identity, self._kind, record_id)

    def item(self, offer: Offer) -> Item:
        """A Radicale item out of stored columns only: nothing is parsed."""
        component = paths.COMPONENTS[self._kind]
        return Item(
            collection=self,
            href=offer.name,
            last_modified=http_date(offer.modified),
            text=offer.text,
            etag=offer.etag,
            uid=offer.uid,
            name=paths.ITEM_NAMES[self._kind],
            component_name=component,
            time_range=(offer.starts, max(offer.ends, offer.starts + 1)) if component else (TIMESTAMP_MIN, TIMESTAMP_MAX),
        )

    @property
    def last_modified(self) -> str:
        """When the newest of the offered records changed."""
        return http_date(max((offer.modified for offer in self._listing()), default=0))

    def serialize(self, vcf_to_ics: bool = False, ShareActions: Mapping[str, Any] | None = None) -> str:
        """The whole folder as one text, streamed from the stored texts under ``serve``."""
        texts = (offer.text for offer in self._listing())
        pieces = whole.addressbook(texts) if self._kind is Kind.CONTACTS else whole.calendar(texts, str(self.get_meta("D:displayname")))
        return "" if answers.leave_stream(pieces, self.etag) else b"".join(pieces).decode()

    # ------------------------------------------------------------- writing

    def upload(self, href: str, item: Item) -> tuple[Item, Item | None]:
        """Store what a client sent; returns the item as it is now, and as it was."""
        writing = _writing.get()
        seen = writing.seen.get(href) if writing else None
        text = answers.body_text() or item.serialize()
        record = self._put(href, item, text, seen)
        if not formats.says_the_same(text, record.text):
            answers.drop_etag()
        offer = Offer(
            record.id,
            record.version,
            href,
            record.uid,
            record.etag,
            record.text,
            record.starts,
            record.ends,
            record.recurring,
            int(record.modified.timestamp()),
        )
        return self.item(offer), self.item(seen) if seen else None

    @translated
    def _put(self, href: str, item: Item, text: str, seen: Offer | None):
        expected = paths.COMPONENTS[self._kind]
        if expected and item.component_name != expected:
            answers.leave_precondition("C:supported-calendar-component", f"This folder holds {expected} only.")
            raise BadRequest(f"This folder holds {expected} only, not {item.component_name}.")
        stored = self._office.records.get(self._identity.tenant, seen.record_id) if seen else None
        try:
            return self._stored(href, item, text, stored, expect=seen.version if seen else None)
        except MadeBefore as made:
            return self._stored(href, item, text, self._office.records.get(self._identity.tenant, made.record_id), expect=None, reach=None)
        except CameBack as back:
            return self._stored(href, item, text, None, expect=None, base=back.base)

    def _stored(
        self,
        href: str,
        item: Item,
        text: str,
        stored: Record | None,
        *,
        expect: int | None,
        reach: str | None = DEFAULT,
        base: Base | None = None,
    ) -> Record:
        if stored is not None:
            base = Base(value=stored.value, leftovers=stored.leftovers, text=stored.text)
        reader = self._reader()
        draft = formats.load(self._kind, text, base, zone=reader.zone, region=reader.tenant.region)
        actor = Actor(identity=self._identity, face=Face.DAV, device=answers.device())
        feeds, records = self._office.feeds, self._office.records

        def also(tx: Transaction, record: Record) -> None:
            feeds.announce(tx, self._identity, record, href)

        if stored:
            return records.put(actor, self._kind, draft, record_id=stored.id, base=base, expect=expect, reach=reach, also=also)
        return records.put(actor, self._kind, draft, uid=item.uid, name=href, base=base, also=also)

    def _reader(self) -> folders.Reader:
        with self._office.store.reading() as tx:
            return folders.reader(tx, self._identity)

    def delete(self, href: str | None = None) -> None:
        """Take an item off the device. A refusal is undone at the client: the item comes again with the next sync.

        Stock Radicale can only answer 500 to an exception here, so none is raised; ``serve`` gives the precise answer.
        """
        writing = _writing.get()
        seen = writing.seen.get(href) if writing and href else None
        if seen is None:
            leave(Refused("A folder cannot be deleted; switch the kind off in the settings instead."))
            return
        actor = Actor(identity=self._identity, face=Face.DAV, device=answers.device())
        try:
            self._office.records.delete(actor, self._kind, seen.record_id, expect=seen.version)
            # So that the client hears of it if the record is given to its user again before the next sync.
            self._office.feeds.refresh(self._identity, self._kind)
        except OfficeError as error:
            leave(error)
            self._office.feeds.touch(self._identity, self._kind, seen.record_id)

    # ---------------------------------------------------------- properties

    def get_meta(self, key: str | None = None) -> Any:
        """Properties under the host's names."""
        if key == "tag":
            return paths.TAGS[self._kind]
        meta = self._meta()
        return meta if key is None else meta.get(key)

    @translated
    def _meta(self) -> dict[str, str]:
        with self._office.store.reading() as tx:
            who = folders.reader(tx, self._identity)
            saved = tx.folder_properties(self._identity, self._kind)
        known = folders.properties(who, self._kind, saved)
        meta = {"tag": paths.TAGS[self._kind], "D:displayname": known["display_name"]}
        if self._kind is not Kind.CONTACTS:
            meta["ICAL:calendar-color"] = known["color"]
            meta["C:supported-calendar-component-set"] = paths.COMPONENTS[self._kind]
        if "description" in known:
            meta["CR:addressbook-description" if self._kind is Kind.CONTACTS else "C:calendar-description"] = known["description"]
        return meta | {name.removeprefix("dav:"): value for name, value in known.items() if name.startswith("dav:")}

    @translated
    def set_meta(self, props: Mapping[str, str]) -> None:
        """Save the user's own name, colour, order and description of the folder; what it is cannot be changed."""
        before = self._meta()
        fixed = ("tag", "C:supported-calendar-component-set")
        if any(props.get(name, before.get(name)) != before.get(name) for name in fixed):
            raise Refused("What this folder holds cannot be changed.")
        changed = {name: value for name, value in props.items() if name not in fixed and before.get(name) != value}
        if len(props) > MAX_PROPERTIES or any(len(value) > folders.MAX_PROPERTY for value in changed.values()):
            raise Refused(f"At most {MAX_PROPERTIES} properties of {folders.MAX_PROPERTY} characters can be set.")
        removed = {META.get(name, f"dav:{name}") for name in before if name not in props and name not in fixed}
        with self._office.store.writing() as tx:
            saved = {name: value for name, value in tx.folder_properties(self._identity, self._kind).items() if name not in removed}
            tx.save_folder_properties(
                self._identity, self._kind, saved | {META.get(name, f"dav:{name}"): value for name, value in changed.items()}
            )


def parse_token(token: str) -> Cursor:
    """The cursor in a sync token; ValueError if it is none of ours."""
    epoch, _, seq = token.removeprefix(TOKEN).rpartition(":")
    if not token.startswith(TOKEN) or not epoch or not (seq.isascii() and seq.isdigit()) or len(seq) > 18:
        raise ValueError(leave(CursorInvalid("The sync token is not one of this server's; synchronise from the beginning.")))
    return Cursor(epoch, int(seq))


class Storage(BaseStorage):
    """The entry that Radicale loads."""

    _is_collision_free = _supports_unicode = _supports_trailing_whitespace = _supports_problematic_chars = True

    def __init__(self, configuration):
        super().__init__(options.declared(configuration))
        self._office = wiring.office(self.configuration)
        self._locks = [threading.Lock() for _ in range(LOCKS)]

    def discover(self, path, depth="0", child_context_manager=None, user_groups=frozenset()):
        """The object at a path, then with ``depth`` its children; nothing if it does not exist or its gate is closed."""
        login, folder, name = paths.split(path)
        if not folder:
            yield Root(login)
            if login and depth != "0":
                yield from self._folders(login)
            return
        kind = paths.KINDS.get(folder)
        found = next((child for child in self._folders(login) if child.path == f"{login}/{folder}"), None) if kind else None
        if found is None:
            self._tell_why(kind, login)
            return
        if not name:
            yield found
            if depth != "0":
                yield from found.get_all()
            return
        yield from self._item(found, kind, login, name)

    def _item(self, folder: Folder, kind: Kind, login: str, name: str) -> Iterator[Item]:
        offer = translated(self._office.records.find)(self._office.accounts.resolve(login), kind, [name]).get(name)
        if offer is None:
            return
        writing = _writing.get()
        if writing is not None:
            writing.seen[name] = offer
        yield folder.item(offer)

    @translated
    def _tell_why(self, kind: Kind | None, login: str) -> None:
        """A line in the log for the administrator whose user's folder has gone (rule 1)."""
        identity = self._office.accounts.resolve(login)
        with self._office.store.reading() as tx:
            who = folders.reader(tx, identity) if kind and tx.user(identity) else None
        reasons = folders.reasons(who, kind) if who and kind else ()
        if reasons:
            logger.info("the folder %s of %s is closed: %s", paths.FOLDERS[kind], login, "; ".join(reasons))

    @translated
    def _folders(self, login: str) -> list[Folder]:
        identity = self._office.accounts.resolve(login)
        try:
            with self._office.store.reading() as tx:
                kinds = folders.offered_kinds(folders.reader(tx, identity))
        except NotFound:
            return []
        return [Folder(self._office, login, identity, kind) for kind in kinds]

    @contextmanager
    def acquire_lock(self, mode: str, user: str = "", *args: Any, **kwargs: Any) -> Iterator[None]:
        """For writing: one request of a user at a time in this process, and a memory of what it saw. Reading takes no lock."""
        if mode != "w":
            yield
            return
        token = _writing.set(Writing(login=user))
        lock = self._locks[hash(user) % LOCKS]
        if not lock.acquire(blocking=False):
            with turns.given_up():  # whoever has it may be waiting for onOffice without a turn, and wants one again
                lock.acquire()
        try:
            yield
        finally:
            lock.release()
            _writing.reset(token)

    def create_collection(self, href, items=None, props=None):
        """Folders are the CRM's; a PUT of a whole one would replace every record."""
        raise ValueError(leave(Refused("Folders cannot be made or replaced here; each user has contacts, calendar and tasks.")))

    def move(self, item, to_collection, to_href):
        """An item's path never changes (rule 12)."""
        raise ValueError(leave(Refused("Items cannot be moved or renamed here.")))

    def verify(self) -> bool:
        """For ``radicale --verify-storage``."""
        return not self._office.store.verify(deep=True)
