"""What ``check`` asks about onOffice: whether it lets us in, what the API user may not, and how the mirror is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta

from radicale_onoffice import mirrors, wiring
from radicale_onoffice.core.errors import OfficeError, UpstreamDown
from radicale_onoffice.core.model import Kind
from radicale_onoffice.core.ports import ErrandState, Store
from radicale_onoffice.crm.onoffice import account, people, polling, sending, tenants
from radicale_onoffice.crm.onoffice.connections import Connection, Connections
from radicale_onoffice.crm.onoffice.live import questions
from radicale_onoffice.crm.onoffice.live.asking import Seen
from radicale_onoffice.crm.onoffice.protocol import Refusal
from radicale_onoffice.findings import BAD, GOOD, NOTE, Finding

DEADLINE = 15.0  # seconds that onOffice gets for its first answer


def findings(store: Store, poll_seconds: int) -> Iterator[Finding]:
    """All findings about all tenants that have an account."""
    with store.reading() as tx:
        names, alone = mirrors.connected(tx), [one.name for one in tx.tenants() if tenants.access(tx, one.name) is None]
    for name in alone:
        yield Finding(
            "onOffice", NOTE, f"{name} has no account there; its records are kept here alone", f"radicale-onoffice tenant connect {name}"
        )
    with closing(Connections(store, wiring.open_client, wiring.utc_now)) as connections:
        for name in names:
            connection = connections.to(name)
            if connection is not None:
                yield from _account(name, connection, store)
                yield from _mirror(name, store, wiring.utc_now(), mirrors.late_after(poll_seconds))


def live(store: Store, tenant: str | None) -> Iterator[tuple[str, Seen]]:
    """What the accounts of all tenants, or of one, answer to the points that onOffice's documentation leaves open. Raises UpstreamDown."""
    with store.reading() as tx:
        names = [name for name in mirrors.connected(tx) if tenant in (None, name)]
    with closing(Connections(store, wiring.open_client, wiring.utc_now)) as connections:
        for name in names:
            connection = connections.to(name)
            if connection is not None:
                for seen in questions(connection.client, connection.account(), store, name, wiring.utc_now()):
                    yield name, seen


def _account(name: str, connection: Connection, store: Store) -> Iterator[Finding]:
    try:
        tenants.credentials_of(connection.access)()
    except UpstreamDown as error:
        advice = "Mend it, or name another place with `tenant connect`. Run `check` as the server's user, with its environment."
        yield Finding("credentials", BAD, f"{name}: {error}", advice)
        return
    yield Finding("credentials", GOOD, f"{name}: token and secret can be read")
    try:
        yield from _rights(name, connection, store)
        yield from _people(name, connection, store)
    except OfficeError as error:
        advice = "Is the address right, are token and secret a pair, is this machine's clock right? Else it is onOffice's trouble."
        yield Finding("onOffice", BAD, f"{name}: {error}", advice)


def _rights(name: str, connection: Connection, store: Store) -> Iterator[Finding]:
    """Raises OfficeError."""
    now = wiring.utc_now().strftime("%Y-%m-%d %H:%M:%S")
    users, deleted = connection.client.call(
        [account.ask_people(with_state=False), polling.ask_deleted(Kind.CONTACTS, now)], deadline=DEADLINE
    )
    yield Finding("onOffice", GOOD, f"{name}: {connection.access.url} lets us in")
    missing = False
    if isinstance(users, Refusal):
        missing = True
        yield Finding(
            "rights",
            NOTE,
            f"{name}: users' data: {users}",
            "Short names and who is locked stay unknown; give the API user the right to read users' data.",
        )
    if isinstance(deleted, Refusal):
        missing = True
        yield Finding(
            "rights", NOTE, f"{name}: log: {deleted}", "What is deleted there goes here at night only; an administrator may read the log."
        )
    for kind in Kind:
        with store.reading() as tx:
            known = sorted(tx.links(name, kind))
        if known and not sending.sees_any(connection, kind, known):
            missing = True
            yield Finding("rights", BAD, f"{name}: onOffice shows none of its {kind}", "Give the API user the right to read them.")
    if not missing:
        yield Finding("rights", GOOD, f"{name}: none is known to be missing")


def _people(name: str, connection: Connection, store: Store) -> Iterator[Finding]:
    """Users of ours whom onOffice does not know have no flags, and own nothing there. Raises OfficeError."""
    found = connection.account()
    with store.reading() as tx:
        strangers = [user.identity.user for user in tx.users(name) if not found.user_id(user.identity.user)]
    if strangers:
        yield Finding("users", NOTE, f"{name}: not in onOffice: {', '.join(strangers)}", "Logins have to be as in onOffice.")
    unknown = sorted({one.online for one in found.people if one.online and people.is_open(one.online, found.closed_states) is None})
    if unknown:
        seen = f"{name}: nobody knows which of these states of users mean locked: {', '.join(unknown)}"
        yield Finding(
            "users", NOTE, seen, f"radicale-onoffice tenant connect {name} --closed-states VALUES; until then nobody is suspended."
        )


def _mirror(name: str, store: Store, now: datetime, late: timedelta) -> Iterator[Finding]:
    with store.reading() as tx:
        state = mirrors.state_of(tx, name, now, late=late)
    missing = [kind.value for kind, lag in state.lag.items() if lag is None]
    ages = [lag for lag in state.lag.values() if lag is not None]
    if state.trouble is not None:
        yield Finding(
            "mirror", BAD, f"{name}: since {state.trouble.since}: {state.trouble.what}", "It is tried again; reads go on from here."
        )
    if state.alarms:
        advice = f"Give the API user its rights back; if it is true, `mirror accept {name}`."
        yield Finding("mirror", BAD, f"{name}: {'; '.join(state.alarms)}", advice)
    if state.doubts:
        advice = f"Give the API user the right to read them; if there are none, `mirror accept {name}` ends this note, and so does the first one."
        yield Finding("mirror", NOTE, f"{name}: {'; '.join(state.doubts)}", advice)
    if missing:
        yield Finding("mirror", NOTE, f"{name}: not filled yet: {', '.join(missing)}", "radicale-onoffice mirror fill, or serve")
    elif max(ages) > late:
        yield Finding("mirror", BAD, f"{name}: {_words(max(ages))} behind", "Does `serve` run? It pulls.")
    else:
        yield Finding("mirror", GOOD, f"{name}: {_words(max(ages))} behind")
    yield from _errands(name, state)


def _errands(name: str, state: mirrors.State) -> Iterator[Finding]:
    if state.queued:
        yield Finding("errands", NOTE, f"{name}: {state.queued} changes wait to be sent", "`serve` sends them as soon as onOffice answers.")
    if state.errands[ErrandState.REFUSED]:
        refused = f"{name}: onOffice refused {state.errands[ErrandState.REFUSED]} changes that devices think done"
        yield Finding("errands", BAD, refused, "radicale-onoffice errand list; then `errand retry` or `errand drop`")


def _words(age: timedelta) -> str:
    return f"{round(age.total_seconds())} s" if age < timedelta(minutes=2) else f"{round(age.total_seconds() / 60)} min"
