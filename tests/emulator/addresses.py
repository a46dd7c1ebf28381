"""Addresses: read, create, modify, search (contract 5). There is no delete."""

from __future__ import annotations

from typing import Any

from . import entries, filters
from .account import Account, Row
from .envelope import Call, Calls, Result, created, record, succeeded
from .errors import ApiError
from .fields import COUNTRIES

MAIN = {"Telefon1": "phone", "Telefax1": "fax", "Email": "email"}
EXTRA = {"Aenderung", "imageUrl", "uuid", "bildWebseite", "Anrede-Titel", "Plz-Ort"}  # readable, in no field configuration
OPTIONS = {"checkDuplicate", "noOverrideByDuplicate", "outlookSync"}
SYNC = "address:user:sync"
ARCHIVED = {"status2adr_active": "1", "status2adr_archive": "0"}


# ------------------------------------------------------------------ reading


def read(account: Account, call: Call) -> Result:
    """By resourceid, recordids, filter or filterid."""
    wanted = call.parameters.get("data") or []
    if not isinstance(wanted, list):
        raise ApiError(74)
    for name in wanted:
        check_readable(account, name)
    if not account.may(call.user, "address", "read") and account.switches["missing_read_right"] == "error":
        raise ApiError(156)
    where = filters.both(chosen(account, call), account.readable(call.user, "address"))
    most, start = filters.limit(account, call.parameters), filters.offset(call.parameters)
    rows = account.rows("address", *where, order=order(account, call.parameters), limit=most, offset=start)
    records = [record(number, "address", {"id": number, **shown(account, number, data, wanted, call.parameters)}) for number, data in rows]
    return Result(records=records, total=account.count("address", *where))


def check_readable(account: Account, name: Any) -> None:
    """One unknown key fails the whole call; ids are no field."""
    if not isinstance(name, str):
        raise ApiError(291)
    known = name in account.fields["address"] or name in entries.READ_KEYS or name in EXTRA
    if not known or (name == "Aenderung" and not account.switches["address_stamp_readable"]):
        raise ApiError(141, name)


def chosen(account: Account, call: Call) -> filters.Sql:
    parameters = call.parameters
    parts = [filters.condition(account, "address", parameters.get("filter"), special(account))]
    if call.resourceid:
        known = account.switches["address_by_resourceid"]
        parts.append(("id = ?", (call.number() if known else 0,)))
    if parameters.get("recordids"):
        ids = parameters["recordids"]
        if not isinstance(ids, list):
            raise ApiError(185)
        if len(ids) > 500:
            raise ApiError(302)
        parts.append(filters.compare("id", "in", [filters.integer(one, "recordids") for one in ids]))
    if parameters.get("filterid"):
        saved = account.row("filter", filters.integer(parameters["filterid"], "filterid"))
        if saved is None or saved["module"] != "address":
            raise ApiError(284, parameters["filterid"])
        parts.append(filters.condition(account, "address", saved["filter"], special(account)))
    if parameters.get("addMobileUrl") is not None and not isinstance(parameters["addMobileUrl"], bool | int):
        raise ApiError(294, "addMobileUrl")
    return filters.both(*parts)


def special(account: Account) -> filters.Special:
    """Filter fields that are more than a stored value."""

    def known(field: str, operator: str, value: Any) -> filters.Sql | None:
        if field == "Aenderung":
            stamp = filters.moment(account, account.switches["address_stamp_zone"])
            return filters.compare("json_extract(data, '$.modified')", operator, filters.each(value, stamp))
        if field == "uuid":
            return filters.compare("json_extract(data, '$.uuid')", operator, value)
        if field in MAIN:
            return entries.having(account, MAIN[field], operator, value, only_default=True)
        if field in ("phone", "mobile", "email", "fax"):
            return entries.having(account, field, operator, value)
        return None

    return known


def order(account: Account, parameters: Row) -> str:
    """By a field, else by internal id."""
    by = parameters.get("sortby")
    if not by:
        return "id"
    if not isinstance(by, str) or by not in {*account.fields["address"], "Aenderung"}:
        raise ApiError(212)
    direction = str(parameters.get("sortorder") or "ASC").upper()
    if direction not in ("ASC", "DESC"):
        raise ApiError(255, "sortorder")
    name = "modified" if by == "Aenderung" else by
    return f"""json_extract(data, '$."{name}"') {direction}, id"""


def shown(account: Account, number: int, data: Row, wanted: list[str], parameters: Row) -> Row:
    elements: Row = {}
    asked = [name for name in wanted if name in entries.READ_KEYS or name in MAIN]
    own = entries.of(account, number) if asked else []
    for name in wanted:
        if name in entries.READ_KEYS:
            elements.update(entries.shown(account, name, own))
        elif name in MAIN:
            elements[name] = next((one.value for one in own if one.what == MAIN[name] and one.standard), "")
        else:
            elements[name] = value(account, number, data, name, parameters)
    if parameters.get("addMobileUrl"):
        elements["mobileUrl"] = f"https://mobile.example/address/{number}"
    return elements


def value(account: Account, number: int, data: Row, name: str, parameters: Row) -> Any:
    """One field as a read gives it."""
    if name == "Aenderung":
        return account.shown(data["modified"], account.switches["address_stamp_zone"])
    if name in ("imageUrl", "bildWebseite"):
        return f"{account.base}/media/address/{number}" if data.get("picture") else ""
    if name in ("Anrede-Titel", "Plz-Ort"):
        return " ".join(filter(None, (str(data.get(part, "")) for part in name.split("-"))))
    if name == "Land" and parameters.get("countryIsoCodeType"):
        column = 1 if parameters["countryIsoCodeType"] == "ISO-3166-2" else 2
        return next((row[column] for row in COUNTRIES if row[0] == data.get("Land")), data.get("Land", ""))
    if name == "KdNr":
        return data.get("KdNr", number)
    configured = account.fields["address"].get(name, {})
    return field_value(account, configured, data.get(name), bool(parameters.get("formatoutput")))


def field_value(account: Account, configured: Row, stored: Any, labels: bool = False) -> Any:
    kind = configured.get("type", "varchar")
    if kind in ("date", "datetime"):
        zeros = "0000-00-00" if kind == "date" else "0000-00-00 00:00:00"
        return stored or (zeros if account.switches["empty_dates"] == "zeros" else "")
    if kind == "boolean":
        return {"text": "1" if stored else "0", "number": int(bool(stored)), "bool": bool(stored)}[str(account.switches["booleans"])]
    values = configured.get("permittedvalues")
    if labels and isinstance(values, dict) and stored in values:
        return values[stored]
    return "" if stored is None else stored


# ------------------------------------------------------------------ writing


def create(account: Account, call: Call) -> Result:
    """Flat parameters; with checkDuplicate the lowest id that has the e-mail is updated and its id returned."""
    if not account.may(call.user, "address", "create"):
        raise ApiError(int(account.switches["denied_code"]) or 131)
    fields, wanted, defaults = {}, [], {}
    for name, given in call.parameters.items():
        if name in entries.WRITE_KEYS:
            wanted.append((entries.WRITE_KEYS[name], entries.checked(given)))
        elif name in entries.DEFAULT_KEYS:
            defaults[entries.DEFAULT_KEYS[name]] = entries.checked(given)
        elif name not in OPTIONS:
            fields[name] = given
    entries.check_defaults(wanted, defaults)
    data = written(account, {}, fields)
    twin = duplicate(account, wanted) if truth(call.parameters.get("checkDuplicate")) else 0
    if twin:
        if not truth(call.parameters.get("noOverrideByDuplicate")):
            account.update("address", twin, {**(account.row("address", twin) or {}), **data, "modified": account.stamp()})
            known = [(one.what, one.value) for one in entries.of(account, twin)]
            for (what, type_), one in wanted:
                if (what, one) not in known:
                    entries.add(account, twin, what, type_, one, standard=defaults.get(what) == one)
            account.write_log("address", "edit", call.user, twin)
        return created(twin, "address")
    now = account.stamp()
    today = account.shown(now, "local")[:10]
    start = {"Status": "1", "Status2Adr": "status2adr_active", "Eintragsdatum": today, "modified": now, "created": now}
    number = account.insert("address", {**start, **data})
    account.update("address", number, {"KdNr": number, "uuid": f"00000000-0000-4000-8000-{number:012d}", **start, **data})
    for (what, type_), one in wanted:
        entries.add(account, number, what, type_, one, standard=defaults.get(what) == one)
    if truth(call.parameters.get("outlookSync")):
        account.link(SYNC, number, call.user)
    account.write_log("address", "add", call.user, number)
    return created(number, "address")


def modify(account: Account, call: Call) -> Result:
    """Fields flat, contact data as one operation per type."""
    number = call.number()
    data = account.row("address", number)
    if data is None or not account.may(call.user, "address", "modify", number):
        raise ApiError(int(account.switches["denied_code"]) or 80 if data else 80)
    operations = {name: given for name, given in call.parameters.items() if name in entries.WRITE_KEYS}
    if any(not isinstance(given, dict) for given in operations.values()):
        raise ApiError(141, next(name for name, given in operations.items() if not isinstance(given, dict)))
    if len(operations) > 1 and not account.switches["several_entry_types"]:
        raise ApiError(255, list(operations)[1])
    fields = {name: given for name, given in call.parameters.items() if name not in operations and name not in OPTIONS}
    if "Land" in fields and not account.switches["country_code_on_modify"] and fields["Land"] in {row[2] for row in COUNTRIES}:
        raise ApiError(252, fields["Land"])
    changed = written(account, data, fields)
    for name, operation in operations.items():
        entries.operate(account, number, *entries.WRITE_KEYS[name], operation)
    if fields or account.switches["entry_raises_stamp"]:
        changed["modified"] = account.stamp()
    account.update("address", number, {**data, **changed})
    account.write_log("address", "edit", call.user, number)
    return succeeded("address")


def written(account: Account, data: Row, fields: Row) -> Row:
    """The stored form of the fields of a write."""
    changed: Row = {}
    for name, given in fields.items():
        if name in MAIN:
            if account.switches["main_entry_write"] == "refused":
                raise ApiError(144, name)
            continue
        configured = account.fields["address"].get(name)
        if configured is None:
            raise ApiError(141, name)
        changed[name] = stored(configured, name, given)
    if "Status" in changed and account.switches["status_write"] == "ignored":
        changed["Status"] = data.get("Status", "1")
    if "Status2Adr" in changed:
        changed["Status"] = ARCHIVED.get(changed["Status2Adr"], "1")
    return changed


def stored(configured: Row, name: str, given: Any) -> Any:
    """One value, checked against its field: 76, 77 unknown key, 122 no date, 227, 228, 229 wrong type."""
    kind, values = configured["type"], configured["permittedvalues"]
    if kind == "multiselect":
        chosen_ones = given if isinstance(given, list) else [given] if given else []
        for one in chosen_ones:
            if values is not None and one not in values:
                raise ApiError(76, one)
        return "".join(f"|{one}|" for one in chosen_ones)
    if isinstance(given, list | dict):
        raise ApiError(187)
    if kind == "singleselect" and str(given) != "" and values is not None and str(given) not in values:
        raise ApiError(77, given)
    if kind in ("date", "datetime"):
        if given in (None, "", "0000-00-00", "0000-00-00 00:00:00"):
            return ""
        filters.day(given)
        return str(given)[:10] if kind == "date" else str(given)
    if kind == "boolean":
        return truth(given)
    if kind == "integer":
        return filters.integer(given, name) if given not in (None, "") else None
    text = "" if given is None else str(given)
    if name == "Land":
        text = next((row[0] for row in COUNTRIES if row[2] == text), text)
    return text[: configured["length"]] if configured["length"] else text


def truth(given: Any) -> bool:
    return str(given).lower() in ("1", "true")


def duplicate(account: Account, wanted: list[tuple[tuple[str, str], str]]) -> int:
    """The lowest address that has one of the e-mails, secondary ones too."""
    mails = [one for (what, _), one in wanted if what == "email"]
    marks = ", ".join("?" * len(mails))
    found = account.query(f"SELECT min(address) FROM entry WHERE what = 'email' AND value IN ({marks})", *mails)
    return found[0][0] or 0


# ------------------------------------------------------------------- search


def search(account: Account, call: Call) -> Result:
    """Every word of ``input`` in first name, surname, company, main e-mail or customer number."""
    text = str(call.parameters.get("input") or "")
    if not text:
        raise ApiError(69 if "input" in call.parameters else 167, "input")
    found = []
    for number, data in account.rows("address", *account.readable(call.user, "address")):
        own = entries.of(account, number)
        mail = next((one.value for one in own if one.what == "email" and one.standard), "")
        parts = [data.get("Vorname", ""), data.get("Name", ""), data.get("Zusatz1", ""), mail, str(data.get("KdNr", number))]
        haystack = " ".join(parts)
        if all(word.lower() in haystack.lower() for word in text.split()):
            mails = [one.value for one in own if one.what == "email"]
            elements = {"customerno": data.get("KdNr", number), "surname": parts[1], "firstname": parts[0], "company": parts[2]}
            found.append(record(number, "address", {**elements, "emailaddress": mails, "primaryEmail": mail}))
    return Result(records=found[: filters.limit(account, call.parameters)], total=len(found))


CALLS: Calls = {("read", "address"): read, ("create", "address"): create, ("modify", "address"): modify, ("get", "search"): search}
