"""Points 9 and 11: states of users, and what the log tells of deletions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from radicale_onoffice.core.model import Kind
from radicale_onoffice.crm.onoffice import fields, people, polling
from radicale_onoffice.crm.onoffice.account import MODULES
from radicale_onoffice.crm.onoffice.live.asking import Look, Seen, Switch, counted, refused, zone_of
from radicale_onoffice.crm.onoffice.protocol import MAX_ROWS, Action, Answer, Refusal, Verb, identifier

AGES = (7, 30, 90, 365, 3 * 365)  # days


def states(look: Look) -> Iterator[Seen]:
    """The values that there are, and what the field configuration calls them."""
    question, asked = (
        "What values have online and usesAccount of users?",
        "read user: online, usesAccount:account.id; get fields of users, with labels",
    )
    keys = ["online", "usesAccount:account.id"]
    users, configuration = look.ask(
        Action(verb=Verb.READ, resource="user", parameters={"data": keys, "sortby": {"Nr": "ASC"}, "listlimit": MAX_ROWS}),
        Action(verb=Verb.GET, resource="fields", parameters={"labels": True, "language": "DEU", "modules": ["user"]}),
    )
    if isinstance(users, Refusal):
        yield refused(9, question, asked, users)
        return
    values = [identifier(row.elements.get("online")) for row in users.rows]
    account = [identifier(row.elements.get("usesAccount:account.id")) for row in users.rows]
    unknown = sorted({one for one in values if one and people.is_open(one, look.account.closed_states) is None})
    named = _labels(configuration)
    words = any(one and not one.lstrip("-").isdigit() for one in values)
    switches: dict[str, Switch] = {"online_values": "words" if words else "numbers"} if any(values) else {}
    follows = "Locked and deactivated users are suspended here."
    if unknown:
        follows = f"Nobody is suspended until you say which of {', '.join(unknown)} mean locked or deactivated: look at one such user in onOffice's pages."
    yield Seen(
        point=9,
        question=question,
        asked=asked,
        seen=f"online: {counted(values)}; usesAccount: {counted(account)}" + (f"; labels: {named}" if named else ""),
        follows=follows,
        is_settled=bool(values) and not unknown,
        options=("--closed-states VALUES",) if unknown else (),
        switches=switches,
    )


def _labels(configuration: Answer | Refusal) -> str:
    rows = configuration.rows if isinstance(configuration, Answer) else ()
    for row in rows:
        field = row.elements.get("online")
        permitted = field.get("permittedvalues") if isinstance(field, dict) else None
        if isinstance(permitted, dict):
            return ", ".join(f"{key} = {label}" for key, label in permitted.items())
    return ""


def log(look: Look) -> Iterator[Seen]:
    """Whether deletions name their record, how far back the log goes, and in which zone."""
    question, asked = (
        "Does the log name what was deleted, and how old does it get?",
        "read log: deletions of 90 days; counts by age; the newest lines",
    )
    since = fields.wall(look.now - timedelta(days=90), look.account.zone)
    deletions = look.ask(*(polling.ask_deleted(kind, since) for kind in Kind))
    first = deletions[0]
    if isinstance(first, Refusal):
        yield refused(11, question, asked, first)
        return
    found = {kind: result.rows for kind, result in zip(Kind, deletions, strict=True) if isinstance(result, Answer)}
    named = {kind: sum(bool(identifier(row.elements.get("resourceId"))) for row in rows) for kind, rows in found.items()}
    total = sum(map(len, found.values()))
    counts = look.ask(*(_older_than(look, age) for age in AGES))
    oldest = [age for age, result in zip(AGES, counts, strict=True) if isinstance(result, Answer) and result.total]
    zone = _zone(look)
    switches: dict[str, Switch] = {"log_resource_ids": any(named.values())} if total else {}
    switches |= {"log_zone": zone} if zone else {}
    yield Seen(
        point=11,
        question=question,
        asked=asked,
        seen="; ".join(f"{kind}: {len(rows)} deletions, {named[kind]} with their id" for kind, rows in found.items())
        + (f"; lines older than {max(oldest)} days" if oldest else "; none older than a week")
        + f"; times are {zone or 'of a zone that is not told'}",
        follows="Deletions come with the next poll." if any(named.values()) else "Deletions are found by the nightly sweep.",
        is_settled=total > 0,
        switches=switches,
    )


def _older_than(look: Look, days: int) -> Action:
    """A count: a listlimit of 0 is the log's own way to ask for one."""
    before = fields.wall(look.now - timedelta(days=days), look.account.zone)
    parameters = {"listlimit": 0, "filter": {"dateTime": [{"op": "<", "val": before}]}}
    return Action(verb=Verb.READ, resource="log", parameters=parameters)


def _zone(look: Look) -> str:
    """By the newest changes of tasks and addresses, beside the moments at which we stored them."""
    since = fields.wall(look.now - timedelta(days=1), look.account.zone)
    told = []
    for kind in (Kind.TASKS, Kind.CONTACTS):
        wanted = {"module": MODULES[kind], "listlimit": MAX_ROWS, "filter": {"dateTime": [{"op": ">=", "val": since}]}}
        (result,) = look.ask(Action(verb=Verb.READ, resource="log", parameters=wanted))
        rows = result.rows if isinstance(result, Answer) else ()
        newest = {identifier(row.elements.get("resourceId")): fields.text_of(row.elements.get("dateTime")) for row in rows}
        stored = look.stored_at(kind, [row._replace(id=identifier(row.elements.get("resourceId"))) for row in rows])
        told += [(text, stored.get(number)) for number, text in newest.items()]
    return zone_of(look, told)
