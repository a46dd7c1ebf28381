"""Links between records (contract 9): ids of a relation, create, modify, delete."""

from __future__ import annotations

from typing import Any, NamedTuple

from .account import Account, Row
from .envelope import Call, Calls, Result, record, succeeded
from .errors import ApiError

PREFIX = "urn:onoffice-de-ns:smart:2.5:relationTypes:"
MODULES = {"address": "address", "calendar": "calendar", "task": "task"}  # kinds whose links are logged under their own module
CONFIRMATIONS = {
    "statusTerminbestaetigung": ("bestätigt", "gesendet", "gecancelt", "nicht gesetzt"),
    "statusTerminrueckmeldung": ("aktiv", "inaktiv"),
}


class Type(NamedTuple):
    parent: str
    child: str
    writable: bool = True


TYPES = {
    "address:user:sync": Type("address", "user"),
    "address:user:officer": Type("address", "user"),
    "address:user:additionalOfficers": Type("address", "user"),
    "address:contact:address": Type("address", "address"),
    "user:address": Type("user", "address"),
    "user:address:birthday": Type("user", "address"),
    "calendar:address": Type("calendar", "address"),
    "calendar:estate": Type("calendar", "estate"),
    "task:address": Type("task", "address"),
    "task:estate": Type("task", "estate"),
    "project:task:customer": Type("project", "task"),
    "project:calendar": Type("project", "calendar"),
    "project:address": Type("project", "address"),
    "project:estate": Type("project", "estate"),
    "task:file:attachment": Type("task", "file", False),
    "calendar:file:attachment": Type("calendar", "file", False),
    "address:file:attachment": Type("address", "file", False),
    "address:mail": Type("address", "mail", False),
    "user:messengerUser:is": Type("user", "messengerUser", False),
}


def kind(call: Call) -> tuple[str, Type]:
    name = str(call.parameters.get("relationtype") or "")
    known = TYPES.get(name.removeprefix(PREFIX))
    if not name.startswith(PREFIX) or known is None:
        raise ApiError(132)
    return name.removeprefix(PREFIX), known


def ids(value: Any) -> list[int]:
    found = value if isinstance(value, list) else [value]
    if not found or any(isinstance(one, bool) or not str(one).isdigit() for one in found):
        raise ApiError(179)
    return [int(one) for one in found]


def read(account: Account, call: Call) -> Result:
    """One record: the linked ids of every asked id, all as text; the wrong direction is an empty success."""
    name, _ = kind(call)
    asked = call.parameters.get("parentids") or call.parameters.get("childids")
    if not asked:
        raise ApiError(167, "parentids")
    if len(ids(asked)) > 500:
        raise ApiError(302)
    look = account.children if call.parameters.get("parentids") else account.parents
    twice = 2 if account.switches["relation_duplicates"] else 1
    elements = {str(one): [str(linked) for linked in look(name, one) for _ in range(twice)] for one in ids(asked)}
    return Result(records=[record("relatedIds", "", elements)])


def create(account: Account, call: Call) -> Result:
    """1:n both ways; n:n is refused."""
    name, type_ = writable(account, call, "create")
    parents, children = ids(call.parameters.get("parentid")), ids(call.parameters.get("childid"))
    if len(parents) > 1 and len(children) > 1:
        raise ApiError(219)
    info = checked_info(name, call.parameters.get("relationinfo"))
    for parent in parents:
        for child in children:
            if account.row(type_.parent, parent) is None or account.row(type_.child, child) is None:
                raise ApiError(80)
            if child in account.children(name, parent) and account.switches["relation_again"] == "error":
                raise ApiError(179)
            account.link(name, parent, child, info)
            noted(account, call.user, name, parent, child, "link")
    return succeeded()


def delete(account: Account, call: Call) -> Result:
    """Single numbers only."""
    name, _ = writable(account, call, "delete")
    if isinstance(call.parameters.get("parentid"), list) or isinstance(call.parameters.get("childid"), list):
        raise ApiError(187)
    parent, child = ids(call.parameters.get("parentid"))[0], ids(call.parameters.get("childid"))[0]
    if child not in account.children(name, parent) and account.switches["relation_missing"] == "error":
        raise ApiError(180)
    account.unlink(name, parent, child)
    noted(account, call.user, name, parent, child, "unlink")
    return succeeded()


def modify(account: Account, call: Call) -> Result:
    """Only the relationinfo of calendar:address."""
    name, _ = writable(account, call, "modify")
    if name != "calendar:address":
        raise ApiError(182)
    parent, child = ids(call.parameters.get("parentid"))[0], ids(call.parameters.get("childid"))[0]
    if child not in account.children(name, parent):
        raise ApiError(180)
    info = checked_info(name, call.parameters.get("relationinfo"))
    if not info:
        raise ApiError(181)
    account.link(name, parent, child, info)
    return succeeded()


def writable(account: Account, call: Call, action: str) -> tuple[str, Type]:
    name, type_ = kind(call)
    if not type_.writable:
        raise ApiError(199)
    if not account.may(call.user, "relation", action):
        raise ApiError(int(account.switches["denied_code"]) or 156)
    return name, type_


def checked_info(name: str, info: Any) -> Row:
    if not info:
        return {}
    if name != "calendar:address" or not isinstance(info, dict):
        raise ApiError(181)
    if any(value not in CONFIRMATIONS.get(key, ()) for key, value in info.items()):
        raise ApiError(181)
    return info


def noted(account: Account, user: int, name: str, parent: int, child: int, action: str) -> None:
    """The log knows links; the stamp of the record perhaps."""
    type_ = TYPES[name]
    account.write_log(MODULES.get(type_.parent, "relation"), action, user, parent, type_.child, child)
    kind_, number = (type_.child, child) if type_.parent == "project" else (type_.parent, parent)
    raised = account.switches["sync_raises_stamp"] if name == "address:user:sync" else account.switches["link_raises_stamp"]
    data = account.row(kind_, number)
    if raised and data is not None and kind_ in MODULES:
        now = account.stamp()
        account.update(
            kind_, number, {**data, "modified": now, **({"modified_day": account.shown(now, "local")} if kind_ == "task" else {})}
        )


CALLS: Calls = {
    ("get", "idsfromrelation"): read,
    ("create", "relation"): create,
    ("delete", "relation"): delete,
    ("modify", "relation"): modify,
}
