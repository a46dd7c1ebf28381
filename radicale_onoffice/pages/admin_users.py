"""Administration: users, one by one and many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radicale_onoffice import spreadsheet
from radicale_onoffice.core.administration import PAGE_SIZE, Access, Administrator, UserRow
from radicale_onoffice.core.errors import BadRequest
from radicale_onoffice.core.lists import Show
from radicale_onoffice.core.model import Kind, Right, UserState
from radicale_onoffice.core.rights import Gate
from radicale_onoffice.pages import devices, tables
from radicale_onoffice.pages.admin import administrator, page, told
from radicale_onoffice.pages.admin_devices import device_path
from radicale_onoffice.pages.exchange import Answer, Fields, download

if TYPE_CHECKING:
    from radicale_onoffice.pages.site import Visit

RECENT = 20  # lines of the log about one user


@dataclass(frozen=True, slots=True)
class Action:
    """Something that is done to many users; ``asks`` tells whether it takes something away."""

    act: Callable[[Visit, Administrator, tuple[str, ...]], int]
    asks: bool = False


def _gate(gate: Gate, kind: Kind | None, is_open: bool) -> Callable[[Visit, Administrator, tuple[str, ...]], int]:
    return lambda visit, who, logins: visit.office.administration.set_gate(who, logins, gate, kind, is_open)


def _unlock(visit: Visit, who: Administrator, logins: tuple[str, ...]) -> int:
    return visit.office.administration.unlock(who, logins)


ACTIONS: Mapping[str, Action] = {
    "unlock": Action(_unlock),
    "activate": Action(_gate(Gate.USER_STATE, None, True)),
    "deactivate": Action(_gate(Gate.USER_STATE, None, False), asks=True),
    "allow": Action(_gate(Gate.SYNC_RIGHT, None, True)),
    "forbid": Action(_gate(Gate.SYNC_RIGHT, None, False), asks=True),
    **{f"on-{kind}": Action(_gate(Gate.SWITCH, kind, True)) for kind in Kind},
    **{f"off-{kind}": Action(_gate(Gate.SWITCH, kind, False), asks=True) for kind in Kind},
}


def show(visit: Visit) -> Answer:
    """The list."""
    text, chosen, number = _asked(visit.request.query)
    found = visit.office.administration.users(administrator(visit), text=text, show=chosen, page=number - 1)
    return page(
        visit,
        "admin_users.html",
        rows=found.rows,
        total=found.total,
        search=text,
        chosen=chosen,
        shows=list(Show),
        kinds=list(Kind),
        actions=list(ACTIONS),
        listed=tables.Listed("/admin/users", {"text": text, "show": chosen.value}, number, found.total, PAGE_SIZE),
    )


def many(visit: Visit) -> Answer:
    """Do something to all that were chosen; what takes something away asks first."""
    who, word, logins = administrator(visit), visit.form.one("action"), visit.form.all("login")
    if word not in ACTIONS:
        raise BadRequest(visit.text("choose_action"))
    if ACTIONS[word].asks and not visit.form.one("confirmed"):
        return page(visit, "admin_users_ask.html", word=word, logins=visit.office.administration.chosen(logins))
    return visit.go("/admin/users", "users_changed", n=ACTIONS[word].act(visit, who, logins))


def details(visit: Visit, login: str) -> Answer:
    """One user."""
    who = administrator(visit)
    row = visit.office.administration.user(who, login)
    identity = row.user.identity
    return page(
        visit,
        "admin_user.html",
        row=row,
        is_self=identity == who.user,
        kinds=list(Kind),
        rights=list(Right),
        is_active=row.user.state is not UserState.DEACTIVATED,
        about=visit.office.overview.user(identity),
        states=visit.office.overview.kinds(identity),
        phones=visit.office.devices.list(identity.tenant, identity.user),
        device_path=device_path,
        phone_name=devices.phone_name,
        clients=visit.office.visits.of(identity),
        sessions=len(visit.office.accounts.page_sessions(identity)),
        lines=told(visit, who, visit.office.administration.audit(who, login=login, size=RECENT)),
    )


def save(visit: Visit, login: str) -> Answer:
    """Save what may be decided about a user."""
    form = visit.form
    access = Access(
        active=form.one("active") == "yes",
        sync_right=form.one("sync_right") == "yes",
        switches=frozenset(kind for kind in Kind if kind in form.all("switch")),
        other_channels=frozenset(kind for kind in Kind if kind in form.all("channel")),
        rights=frozenset(form.all("right")),
        admin=form.one("admin") == "yes",
    )
    changed = visit.office.administration.save_access(administrator(visit), login, access)
    return visit.go(tables.path("admin", "users", login), "user_saved" if changed else "user_as_before", login=login)


def unlock(visit: Visit, login: str) -> Answer:
    """Open a user's sync lock (U42)."""
    opened = visit.office.administration.unlock(administrator(visit), [login])
    return visit.go(tables.path("admin", "users", login), "user_unlocked" if opened else "", **({"login": login} if opened else {}))


def end_sessions(visit: Visit, login: str) -> Answer:
    """Sign a user out of the pages everywhere."""
    ended = visit.office.administration.end_sessions(administrator(visit), login)
    return visit.go(tables.path("admin", "users", login), "user_signed_out", n=ended)


def export(visit: Visit) -> Answer:
    """The list as CSV (RFC 4180): all that the search finds."""
    text, chosen, _ = _asked(visit.request.query)
    who, number = administrator(visit), 0
    rows: list[UserRow] = []
    while True:
        found = visit.office.administration.users(who, text=text, show=chosen, page=number, size=tables.EXPORT_PAGE)
        rows += found.rows
        number += 1
        if not found.rows or len(rows) >= found.total:
            break
    return download("users.csv", spreadsheet.file(COLUMNS, (_cells(row) for row in rows)), spreadsheet.TYPE)


COLUMNS = (
    "login",
    "state",
    "admin",
    "locked since",
    "last seen",
    "clients",
    "failing items",
    *(f"{kind} {word}" for kind in Kind for word in ("closed by", "offered")),
)


def _cells(row: UserRow) -> list[object]:
    kinds = [cell for kind in Kind for cell in (" ".join(row.gates[kind]), row.offered[kind])]
    locked = row.locked_since.isoformat(timespec="seconds") if row.locked_since else ""
    seen = row.last_seen.isoformat(timespec="seconds") if row.last_seen else ""
    return [row.user.identity.user, row.user.state.value, "yes" if row.user.admin else "no", locked, seen, row.clients, row.failing, *kinds]


def _asked(query: Fields) -> tuple[str, Show, int]:
    shown = query.one("show")
    return query.one("text").strip(), Show(shown) if shown in list(Show) else Show.ALL, query.number("page", 1, least=1, most=100_000)
