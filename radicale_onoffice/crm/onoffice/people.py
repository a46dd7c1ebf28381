"""Our users follow the users of onOffice: whether they may synchronise at all, which groups they are in, which language they read.

Which user of onOffice is which login here is decided by the name alone, letter by letter: onOffice's ``Name`` is our login (rule 7). Users are
made and removed here by the administrator; onOffice only says how they are.

* Locked or deactivated there (``online``), or gone from the list (who was in it is remembered for as long as we have the user): suspended here, which closes the gate in both faces (rule 8). Open again
  there: open here. What an administrator deactivated *here* is another state, which nothing but an administrator ends.
* The values of ``online`` are not documented. Words are understood; others change nothing until the administrator names those that mean
  "locked" (``tenant connect --closed-states``).
* Groups are onOffice's (rules 53, U33). The language is taken when onOffice tells another one than it told before, so that one that was
  set here stays.
* Without the right to read users' data (code 170) there are names, and no states: nobody is suspended. If many would be suspended or lose
  their groups at once, nothing is changed and an alarm is raised.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from radicale_onoffice.core.model import AuditLine, Identity, Kind, User, UserState
from radicale_onoffice.core.ports import Link, Transaction
from radicale_onoffice.core.rights import Gate
from radicale_onoffice.crm.onoffice import account as accounts
from radicale_onoffice.crm.onoffice.account import Account, Person
from radicale_onoffice.crm.onoffice.protocol import MAX_ROWS, Action, Answer, Refusal, Row

logger = logging.getLogger(__name__)

NAME = "people"  # of what is remembered in the store
ACTOR = "onOffice"  # of audit lines
OPEN = frozenset({"active", "aktiv", "attivo", "unlocked", "entsperrt"})
CLOSED = frozenset(
    {"locked", "gesperrt", "bloccato", "blocked", "inactive", "inaktiv", "deactivated", "deaktiviert", "disattivato"}
    | {"permanently deactivated", "dauerhaft deaktiviert"}
)
LANGUAGES: Mapping[str, str] = {  # what ``Sprache`` may say; its form is not documented either
    word: ours
    for ours, words in {"de": "de deu ger deutsch german", "en": "en eng englisch english", "it": "it ita italienisch italian"}.items()
    for word in words.split()
}
TooMany = Callable[[str, int, int], str]  # what, how many would be lost, of how many → an alarm, or ""


def is_open(online: str, closed: frozenset[str]) -> bool | None:
    """Whether a value of ``online`` lets its user in; None if nobody knows. ``closed`` are the values that the administrator named."""
    told = online.strip().casefold()
    if not told:
        return None
    if told in closed or told in CLOSED:
        return False
    return True if told in OPEN or closed else None


def ask() -> list[Action]:
    """All that can change about users, to ride along with a poll."""
    return [accounts.ask_people(), accounts.ask_groups()]


def newer(known: Account, results: Sequence[Answer | Refusal], more: Callable[[Action], Answer | Refusal]) -> Account | None:
    """The account with the users and groups in the answers to ``ask``; ``more`` asks for the users behind a full answer.

    None if they were not asked for, are refused, or are not all.
    """
    if len(results) != len(ask()):
        return None
    page, groups = results
    found: list[Row] = []
    while isinstance(page, Answer) and page.rows and page.rows[0] not in found:  # who ignores the offset tells the same again
        found += page.rows
        if len(page.rows) < MAX_ROWS and isinstance(groups, Answer):
            return replace(known, people=accounts.people(found), groups=accounts.groups(groups.rows))
        page = more(accounts.ask_people(len(found)))
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What came of it: an alarm, with which states or groups were left as they are, and the ids in onOffice of records that name somebody
    who is called otherwise now."""

    alarm: str = ""
    again: Mapping[Kind, Sequence[str]]


def follow(tx: Transaction, tenant: str, account: Account, now: datetime, too_many: TooMany) -> Followed:
    """Bring our users to what onOffice says of them."""
    before = json.loads(tx.mirror_state(tenant, NAME) or "{}")
    told = {person.name: person for person in account.people}
    users = [(user, _as_told(user, told.get(user.identity.user), before.get("users", {}), account)) for user in tx.users(tenant)]
    alarms = _suspended(users, too_many), _regrouped(users, account, too_many)
    believed = [(was, _believed(was, user, *alarms)) for was, user in users]
    changed = [pair for was, user in believed if user != was and (pair := _changed(tx, was, user))]
    for was, user in changed:
        tx.save_user(user)
        if was.state is not user.state:
            _tell(tx, user, _reason(told.get(user.identity.user)), now)
    if changed:
        tx.next_change(tenant, everybody=True)
    names = _names(account)
    again = _renamed(tx, tenant, before.get("names", {}), names)
    gone = {
        login: told_then for login, told_then in before.get("users", {}).items() if login not in told and tx.user(Identity(tenant, login))
    }
    kept = gone | {one.name: [one.online, one.language] for one in account.people} if account.tells_states else before.get("users", {})
    remembered = json.dumps({"users": kept, "names": {**before.get("names", {}), **names}}, sort_keys=True)
    if remembered != tx.mirror_state(tenant, NAME):
        tx.save_mirror_state(tenant, NAME, remembered)
    return Followed(alarm="; ".join(filter(None, alarms)), again=again)


def _as_told(user: User, person: Person | None, before: Mapping[str, Sequence[str]], account: Account) -> User:
    """A user of ours as onOffice wants it. One whom onOffice never had keeps everything."""
    if person is None:
        is_gone = account.tells_states and user.identity.user in before
        return replace(user, state=UserState.SUSPENDED) if is_gone and user.state is UserState.ACTIVE else user
    lets_in, state = is_open(person.online, account.closed_states), user.state
    if lets_in is False and state is UserState.ACTIVE:
        state = UserState.SUSPENDED
    elif lets_in and state is UserState.SUSPENDED:
        state = UserState.ACTIVE
    _, language_before = before.get(person.name, ("", ""))
    language = LANGUAGES.get(person.language.casefold(), "") if person.language != language_before else ""
    return replace(user, state=state, groups=account.groups_of(user.identity.user), language=language or user.language)


def _suspended(users: Iterable[tuple[User, User]], too_many: TooMany) -> str:
    """An alarm if too many would be suspended at once."""
    active = [user for was, user in users if was.state is UserState.ACTIVE]
    return too_many("users who may synchronise", sum(user.state is not UserState.ACTIVE for user in active), len(active))


def _regrouped(users: Iterable[tuple[User, User]], account: Account, too_many: TooMany) -> str:
    """An alarm if too many would leave their groups at once; while there are groups, who leaves the only ones that we knew of may."""
    memberships = lost = 0
    for was, user in users:
        memberships += len(was.groups)
        lost += len(set(was.groups) - set(user.groups))
    return too_many("memberships of groups", lost, max(memberships, lost + 1) if account.groups else memberships)


def _believed(was: User, user: User, suspended: str, regrouped: str) -> User:
    """What of a user's change stands in spite of an alarm about all states or all groups."""
    return replace(user, state=was.state if suspended else user.state, groups=was.groups if regrouped else user.groups)


def _changed(tx: Transaction, was: User, user: User) -> tuple[User, User] | None:
    """The user as the row is now, and with what onOffice changes but for what somebody else has changed meanwhile; None if removed."""
    now = tx.user(was.identity, lock=True)
    if now is None:
        return None
    names = [name for name in ("state", "groups", "language") if getattr(now, name) == getattr(was, name)]
    return now, replace(now, **{name: getattr(user, name) for name in names})


def release(tx: Transaction, tenant: str, by: str, now: datetime) -> None:
    """Let in again whom onOffice suspended: the tenant is taken away from it, and nobody else could."""
    logins = [user.identity for user in tx.users(tenant) if user.state is UserState.SUSPENDED]
    suspended = [user for login in logins if (user := tx.user(login, lock=True)) and user.state is UserState.SUSPENDED]
    for user in suspended:
        tx.save_user(replace(user, state=UserState.ACTIVE))
        _tell(tx, replace(user, state=UserState.ACTIVE), "the tenant is not connected to onOffice any more", now, by)
    if suspended:
        tx.next_change(tenant, everybody=True)


def _reason(person: Person | None) -> str:
    return f"onOffice says {person.online!r}" if person is not None else "onOffice does not have this user any more"


def _tell(tx: Transaction, user: User, why: str, now: datetime, by: str = ACTOR) -> None:
    word = "opened" if user.state is UserState.ACTIVE else "closed"
    login, tenant = user.identity.user, user.identity.tenant
    logger.warning("gate %s: %s: login=%s tenant=%s: %s", word, Gate.USER_STATE, login, tenant, why)
    tx.add_audit(AuditLine(at=now, tenant=tenant, login=login, actor=by, event=f"gate {word}: {Gate.USER_STATE}", detail=why))


# ---------------------------------------------------------------------- names


def _names(account: Account) -> dict[str, str]:
    """What records call users and groups, by the principals that they have while nobody knows the name."""
    people = {f"u:#{person.id}": f"u:{person.name}" for person in account.people}
    return people | {f"g:#{group.id}": f"g:{group.name}" for group in account.groups}


def _renamed(tx: Transaction, tenant: str, before: Mapping[str, str], names: Mapping[str, str]) -> dict[Kind, list[str]]:
    """Records that name somebody who got a name, or another one: their rows did not change, so that they are not known again by them."""
    principals = {before.get(key, key) for key, name in names.items() if before.get(key, key) != name}
    found: dict[Kind, list[str]] = {}
    for kind in Kind if principals else ():
        members = {one.record_id for one in tx.members(Identity(tenant, ACTOR), kind, principals)}
        found[kind] = sorted(crm_id for crm_id, record_id in tx.links(tenant, kind).items() if record_id in members)
        for crm_id, record_id in tx.links(tenant, kind).items():
            if record_id in members:
                tx.save_link(tenant, kind, record_id, Link(crm_id))
    return {kind: ids for kind, ids in found.items() if ids}
