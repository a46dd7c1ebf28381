"""Who may come in: logins, passwords, the lock, maintenance and page sessions (rules 7, 86-97).

One reading transaction decides the usual sign-in: user, lock and maintenance are read live, so that a lock, a closed gate or maintenance
acts at once in all processes; only the password check, which is slow on purpose, is remembered. The memo's key is a keyed digest of the
login, the password and the stored hash, so that it dies with a change of the password.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from radicale_onoffice.core import lockout
from radicale_onoffice.core.audit import difference, printable
from radicale_onoffice.core.clients import Client, browser_label, client_of
from radicale_onoffice.core.errors import BadRequest, Maintenance, NotFound, Refused, SignInRefused, Unavailable
from radicale_onoffice.core.folders import Reader
from radicale_onoffice.core.model import Attempts, AuditLine, Door, Identity, PageSession, User
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Store, Transaction
from radicale_onoffice.core.visits import SEEN_EVERY, Visits

logger = logging.getLogger(__name__)

MAX_LOGIN, MAX_PASSWORD = 255, 1024  # characters
MIN_CHOSEN = 8  # characters of a password that a user chooses on the page (NIST SP 800-63B 5.1.1.2)
MAX_SESSIONS = 20  # of one user
MAX_STRANGERS, PRUNE_EVERY = 10_000, 500  # logins that do not exist whose wrong passwords are kept; failures between two looks at that
MAX_PLACES = 20  # from which wrong passwords for one login came at the page, the newest
MEMO_SIZE = 10_000
MAINTENANCE_KEY = "maintenance"
MAX_MESSAGE, MIN_RETRY, MAX_RETRY = 500, 1, 86_400  # characters; seconds


class Hasher(Protocol):
    """Makes and checks password hashes; slow on purpose."""

    def hash(self, password: str) -> str: ...
    def verify(self, password: str, stored: str) -> bool: ...
    def needs_update(self, stored: str) -> bool: ...


Verify = Callable[[str, str], bool]  # login, password -> right? for a foreign password backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Where an attempt comes from: for the log, and to tell the user's clients apart. ``device`` is a DeviceId or a User-Agent."""

    address: str = ""
    face: str = ""
    device: str = ""
    label: str = ""  # what people call such a device

    @property
    def client(self) -> Client | None:
        """The client that it is a visit of; the page is none."""
        return client_of(self.face, self.device, self.label)


class Accounts:
    """Sign-in and everything around it; safe to share between threads."""

    def __init__(
        self,
        *,
        store: Store,
        visits: Visits,
        policy: Policy,
        clock: Callable[[], datetime],
        hasher: Hasher,
        default_tenant: str,
        new_token: Callable[[], str],
        memo_seconds: int = 300,
        session_hours: int = 12,
    ):
        self._store, self._visits, self._policy, self._clock, self._hasher = store, visits, policy, clock, hasher
        self.default_tenant, self._new_token = default_tenant, new_token
        self._memo: OrderedDict[bytes, datetime] = OrderedDict()
        self._failures = 0  # wrong passwords that this process has counted
        self._memo_lock, self._memo_key = threading.Lock(), new_token().encode()
        self._memo_life, self._session_life = timedelta(seconds=memo_seconds), timedelta(hours=session_hours)
        # What an unknown login is checked against, so that it costs what a known one does.
        self._nobodys_hash = hasher.hash(new_token())

    # --------------------------------------------------------------- logins

    def resolve(self, login: str) -> Identity:
        """The identity that a login names: ``user``, ``user@tenant``, ``tenant\\user`` or ``tenant/user`` (U44); case-sensitive (rule 7)."""
        for separator in "\\/":
            tenant, found, user = login.partition(separator)
            if found:
                return Identity(tenant, user)
        user, found, tenant = login.rpartition("@")
        if not found:
            return Identity(self.default_tenant, login)
        with self._store.reading() as tx:
            is_tenant = tx.tenant(tenant) is not None
        return Identity(tenant, user) if is_tenant else Identity(self.default_tenant, login)

    def login_name(self, identity: Identity) -> str:
        """The one canonical login: ``user`` in the default tenant, else ``user@tenant``."""
        return identity.user if identity.tenant == self.default_tenant else f"{identity.user}@{identity.tenant}"

    # -------------------------------------------------------------- sign in

    def sign_in(self, login: str, password: str, caller: Caller, *, door: Door = Door.SYNC, verify: Verify | None = None) -> User:
        """``admit``, for who needs the user only."""
        return self.admit(login, password, caller, door=door, verify=verify).user

    def admit(self, login: str, password: str, caller: Caller, *, door: Door = Door.SYNC, verify: Verify | None = None) -> Reader:
        """The user behind a login and a password, with the tenant.

        ``verify`` asks a foreign backend instead of the stored hash. Raises SignInRefused, whatever the reason, and Maintenance or
        another Unavailable, which never count as a failure (rule 94).
        """
        now = self._clock()
        if not self._is_sane(login, MAX_LOGIN):
            raise SignInRefused
        identity = self.resolve(login)
        with self._store.reading() as tx:
            maintenance = tx.setting(MAINTENANCE_KEY) if door is Door.SYNC else None
            account, attempts = tx.visitor(identity, door)
            here = _here(tx, identity, door, caller)
        user = account[1] if account else None
        if maintenance:
            raise _maintenance(maintenance)
        if lockout.is_closed(door, attempts, here, self._policy, now):
            raise SignInRefused
        if not self._is_right(user, login, password, verify, now) or (user and door is Door.SYNC and self.is_expired(user)):
            self._count(identity, door, caller, attempts, now)
            raise SignInRefused
        assert account is not None
        if attempts.failures or here.failures:
            with self._store.writing() as writing:
                _forget(writing, identity, door, caller)
                self._visits.came_in_within(writing, account[1], caller.client, caller.address)
        else:
            self._visits.came_in(account[1], caller.client, caller.address)
        return Reader(tenant=account[0], user=account[1])

    @staticmethod
    def _is_sane(text: str, most: int) -> bool:
        return 0 < len(text) <= most and text.isprintable()

    def _is_right(self, user: User | None, login: str, password: str, verify: Verify | None, now: datetime) -> bool:
        if not 0 < len(password) <= MAX_PASSWORD or "\0" in password:
            return False
        stored = user.password if user and user.password and verify is None else self._nobodys_hash
        key = hmac.digest(self._memo_key, "\0".join((login, password, stored)).encode("utf-8", "surrogatepass"), "sha256")
        if user is not None and self._is_remembered(key, now):
            return True
        right = verify(login, password) if verify else self._hasher.verify(password, stored)
        # An unknown user pays for the check, too, and can never pass it.
        if not right or user is None or (verify is None and not user.password):
            return False
        self._remember(key, now)
        if verify is None and self._hasher.needs_update(stored):
            self._rehash(user, password)
        return True

    def is_expired(self, user: User) -> bool:
        """True if the password is too old for sync; the page stays open, or nobody could change it (rule 91, U45)."""
        days = self._policy.password_max_age_days
        return bool(days) and user.password_changed is not None and self._clock() > user.password_changed + timedelta(days=days)

    def _is_remembered(self, key: bytes, now: datetime) -> bool:
        with self._memo_lock:
            known = self._memo.get(key)
            return known is not None and now < known + self._memo_life

    def _remember(self, key: bytes, now: datetime) -> None:
        with self._memo_lock:
            self._memo[key] = now
            self._memo.move_to_end(key)
            while len(self._memo) > MEMO_SIZE:
                self._memo.popitem(last=False)

    def _rehash(self, user: User, password: str) -> None:
        stored = self._hasher.hash(password)
        with self._store.writing() as tx:
            now = tx.user(user.identity, lock=True)
            if now is not None and now.password == user.password:
                tx.save_user(replace(now, password=stored))

    def _count(self, identity: Identity, door: Door, caller: Caller, before: Attempts, now: datetime) -> None:
        with self._store.writing() as tx:
            if lockout.has_expired(before, self._policy, now):
                tx.clear_attempts(identity, door)
            attempts = tx.add_failure(identity, door, now, caller.address)
            if door is Door.PAGE:
                tx.add_failure(identity, door, now, caller.address, lockout.place_of(caller.address))
                tx.prune_places(identity, door, MAX_PLACES)
            self._failures += 1
            if self._failures % PRUNE_EVERY == 0:
                tx.prune_attempts(MAX_STRANGERS)
            self._visits.failed_within(tx, identity, caller.client, caller.address)
            crossed = lockout.crosses(door, attempts, self._policy) and tx.lock(identity, door, now)
            if crossed:
                detail = f"after {attempts.failures} wrong passwords, last from {caller.address} {caller.device}"
                line = AuditLine(
                    at=now, tenant=identity.tenant, login=identity.user, actor=caller.face, event="locked", detail=printable(detail)
                )
                tx.add_audit(line, of_users=True)
        if crossed:
            logger.warning(
                "sync access locked: login=%s address=%s face=%s device=%s failures=%d (unlock: page, or `radicale-onoffice user unlock`)",
                *map(printable, (self.login_name(identity), caller.address, caller.face, caller.device)),
                attempts.failures,
            )

    # ---------------------------------------------------------- administration

    def is_locked(self, identity: Identity) -> bool:
        """True while sync is refused for the login."""
        with self._store.reading() as tx:
            return lockout.is_locked(tx.attempts(identity, Door.SYNC), self._policy, self._clock())

    def unlock(self, identity: Identity, by: str, *, pages: bool = False) -> bool:
        """Open the sync lock, and the pages' door with ``pages``, which is the administrator's; True if one was closed (rule 88, U42)."""
        with self._store.writing() as tx:
            return self.unlock_within(tx, identity, by, pages=pages)

    def unlock_within(self, tx: Transaction, identity: Identity, by: str, *, pages: bool = False) -> bool:
        """``unlock`` within a transaction. A user who opened the pages' door, too, could guess the old password there for ever."""
        doors = ["sync"] if tx.clear_attempts(identity, Door.SYNC) else []
        if pages and tx.clear_places(identity, Door.PAGE) >= self._policy.lock_after:
            doors.append("pages")
        if doors:
            self._audit(tx, identity, by, "unlocked", "" if doors == ["sync"] else " and ".join(doors))
            logger.info("%s access unlocked: login=%s by=%s", " and ".join(doors), printable(self.login_name(identity)), printable(by))
        return bool(doors)

    def save_user(self, user: User, password: str | None, by: str) -> None:
        """Create a user, or make one all that is given; a new password ends memo and page sessions. Raises BadRequest, NotFound."""
        if not self._is_sane(user.identity.user, MAX_LOGIN) or set(user.identity.user) & set("/\\:,'\"*?"):
            raise BadRequest("A user name has 1 to 255 printable characters without / \\ : , ' \" * ?")
        self._save(user.identity, lambda _known: user, password, by)

    def change_user(
        self, identity: Identity, by: str, change: Callable[[User], User] = lambda user: user, password: str | None = None
    ) -> None:
        """Change a user as the user is now, and the password if one is given. Raises BadRequest, NotFound."""

        def changed(known: User | None) -> User:
            if known is None:
                raise NotFound(f"There is no user {identity.user!r} of tenant {identity.tenant!r}.")
            return change(known)

        self._save(identity, changed, password, by)

    def _save(self, identity: Identity, change: Callable[[User | None], User], password: str | None, by: str) -> None:
        fresh: dict[str, Any] = {}
        if password is not None:
            _demand_password(password)
            fresh = {"password": self._hasher.hash(password), "password_changed": self._clock()}
        with self._store.writing() as tx:
            if tx.tenant(identity.tenant) is None:
                raise NotFound(f"There is no tenant {identity.tenant!r}; make it with `tenant add`.")
            known = tx.user(identity, lock=True)
            user = replace(change(known), **fresh)
            if known is not None and _offered_by(known) != _offered_by(user):
                tx.next_change(user.identity.tenant, everybody=True)
            if password is not None:
                tx.remove_page_sessions(user.identity)
            self.save_user_within(tx, user, known, by, "password changed" if known and password is not None else "")

    def save_user_within(self, tx: Transaction, user: User, known: User | None, by: str, event: str = "") -> None:
        """Save within a transaction, which has to grow the change number itself, and log what changed from what was ``known``."""
        tx.save_user(user)
        self._audit(tx, user.identity, by, event or ("changed" if known else "created"), difference(known, user))

    def _audit(self, tx: Transaction, identity: Identity, by: str, event: str, detail: str = "") -> None:
        line = AuditLine(at=self._clock(), tenant=identity.tenant, login=identity.user, actor=by, event=event, detail=detail)
        tx.add_audit(line)

    def change_password(self, session: PageSession, old: str, new: str, caller: Caller, *, verify: Verify | None = None) -> None:
        """A user's own change on the page: ends the user's other sessions, and leaves the sync lock (rule 90).

        Raises SignInRefused for a wrong old password, which counts at the page's door, or while that refuses tries; BadRequest for a new one
        that is too short, or the old one; Refused if a foreign backend keeps the passwords.
        """
        if verify is not None:
            raise Refused("Passwords are kept by another server here; change yours there.")
        if not MIN_CHOSEN <= len(new) <= MAX_PASSWORD or "\0" in new or new == old:
            raise BadRequest(f"A new password has {MIN_CHOSEN} to {MAX_PASSWORD} characters and is not the old one.")
        now, identity = self._clock(), session.identity
        with self._store.reading() as tx:
            account, attempts = tx.visitor(identity, Door.PAGE)
            here = _here(tx, identity, Door.PAGE, caller)
        user = account[1] if account else None
        if lockout.is_closed(Door.PAGE, attempts, here, self._policy, now):
            raise SignInRefused
        if user is None or not self._is_right(user, self.login_name(identity), old, None, now):
            self._count(identity, Door.PAGE, caller, attempts, now)
            raise SignInRefused
        stored = self._hasher.hash(new)
        with self._store.writing() as tx:
            current = tx.user(identity, lock=True)
            if current is None or current.password_changed != user.password_changed:
                raise SignInRefused  # somebody else changed it meanwhile: the old one is no longer right
            tx.save_user(replace(current, password=stored, password_changed=now))
            _forget(tx, identity, Door.PAGE, caller)
            tx.remove_page_sessions(identity, keep=session.token_digest)
            self._audit(tx, identity, self.on_the_page(session), "password changed")

    def remove_user(self, identity: Identity, by: str) -> bool:
        """Remove a user with all that is the user's own; records stay. False if there was none."""
        with self._store.writing() as tx:
            tx.user(identity, lock=True)
            self._audit(tx, identity, by, "removed")
            tx.next_change(identity.tenant, everybody=True)
            return tx.remove_user(identity)

    # ------------------------------------------------------------- maintenance

    def maintenance(self) -> Maintenance | None:
        """The maintenance that is on, as the error that clients get."""
        with self._store.reading() as tx:
            text = tx.setting(MAINTENANCE_KEY)
        return _maintenance(text) if text else None

    def set_maintenance(self, message: str | None, retry_after: int = 600, by: str = "") -> None:
        """Switch maintenance of the whole installation on with a message, or off with None. Raises BadRequest."""
        if message is not None and not (0 < len(message) <= MAX_MESSAGE and message.isprintable()):
            raise BadRequest(f"A message has 1 to {MAX_MESSAGE} printable characters.")
        if not MIN_RETRY <= retry_after <= MAX_RETRY:
            raise BadRequest(f"Clients come again after {MIN_RETRY} to {MAX_RETRY} seconds.")
        text = None if message is None else json.dumps({"message": message, "retry_after": retry_after, "since": self._clock().isoformat()})
        with self._store.writing() as tx:
            tx.save_setting(MAINTENANCE_KEY, text)
            self._audit(tx, Identity(self.default_tenant, ""), by, f"maintenance {'on' if text else 'off'}", message or "")

    # ------------------------------------------------------------ page sessions

    def open_page_session(self, user: User, caller: Caller | None = None) -> str:
        """A new session under a token that nobody has had before, whatever cookie the browser sent; returns the token for the cookie."""
        token, now, caller = self._new_token(), self._clock(), caller or Caller()
        session = PageSession(
            token_digest=_digest(token),
            identity=user.identity,
            csrf=self._new_token(),
            created=now,
            expires=now + self._session_life,
            last_used=now,
            browser=browser_label(caller.device),
            address=printable(caller.address),
        )
        with self._store.writing() as tx:
            tx.prune_page_sessions(now)
            for oldest in tx.page_sessions(user.identity)[MAX_SESSIONS - 1 :]:
                tx.remove_page_session(oldest.token_digest)
            tx.save_page_session(session)
        return token

    def page_session(self, token: str) -> PageSession | None:
        """The session of a cookie, None if there is none or it has expired."""
        now = self._clock()
        with self._store.reading() as tx:
            session = tx.page_session(_digest(token))
        if session is None or session.expires <= now:
            return None
        if session.last_used is None or now - session.last_used >= SEEN_EVERY:
            try:
                with self._store.writing(lasting=False) as tx:
                    tx.change_page_session(session.token_digest, last_used=now)
            except Unavailable as error:
                logger.warning("that a page session of %s was used is not noted: %s", session.identity, error)
        return session

    def page_sessions(self, identity: Identity) -> tuple[PageSession, ...]:
        """The sessions that a user has open, the newest first."""
        now = self._clock()
        with self._store.reading() as tx:
            return tuple(one for one in tx.page_sessions(identity) if one.expires > now)

    def notice(self, session: PageSession, text: str) -> None:
        """Leave a line for the session's next page."""
        with self._store.writing() as tx:
            tx.change_page_session(session.token_digest, notice=text)

    def take_notice(self, session: PageSession) -> str:
        """The line that was left, once (rule 89)."""
        if session.notice:
            self.notice(session, "")
        return session.notice

    def close_page_session(self, session: PageSession) -> None:
        """End a session."""
        with self._store.writing() as tx:
            tx.remove_page_session(session.token_digest)

    def revoke_page_session(self, identity: Identity, token_digest: str, by: str) -> bool:
        """End one of a user's sessions from another one; False if the user has none of this digest."""
        with self._store.writing() as tx:
            found = any(one.token_digest == token_digest for one in tx.page_sessions(identity))
            if found:
                tx.remove_page_session(token_digest)
                self._audit(tx, identity, by, "page session ended")
        return found

    def revoke_page_sessions(self, identity: Identity, by: str, *, keep: str = "") -> int:
        """End all of a user's sessions but the one with the digest ``keep``; how many that were."""
        with self._store.writing() as tx:
            count = tx.remove_page_sessions(identity, keep=keep)
            if count:
                self._audit(tx, identity, by, "page sessions ended", str(count))
        return count

    def on_the_page(self, session: PageSession) -> str:
        """Who acts, for audit lines."""
        return f"page {self.login_name(session.identity)}"


def _here(tx: Transaction, identity: Identity, door: Door, caller: Caller) -> Attempts:
    """The attempts at the page's door that came from the same place."""
    return tx.attempts(identity, door, lockout.place_of(caller.address)) if door is Door.PAGE else Attempts()


def _forget(tx: Transaction, identity: Identity, door: Door, caller: Caller) -> None:
    """A right password came: what came from elsewhere keeps those slowed down who tried there."""
    tx.clear_attempts(identity, door)
    if door is Door.PAGE:
        tx.clear_attempts(identity, door, lockout.place_of(caller.address))


def _offered_by(user: User) -> User:
    """What of a user decides what is offered, and in what form: all but the password and the admin mark."""
    return replace(user, password="", password_changed=None, admin=False)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _demand_password(password: str) -> None:
    if not 0 < len(password) <= MAX_PASSWORD or "\0" in password:
        raise BadRequest(f"A password has 1 to {MAX_PASSWORD} characters.")


def _maintenance(text: str) -> Maintenance:
    data = json.loads(text)
    return Maintenance(data["message"], int(data["retry_after"]), datetime.fromisoformat(data["since"]))
