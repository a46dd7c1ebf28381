"""What the API's documentation leaves open, as switches: each with the choice taken, and how sure anybody is of it.

``sure`` uses the letters of the contract file: D said by the documentation, V seen in code that onOffice published, F in a recorded answer
of a real account, L told by a third party who watched the live service, C only seen in a client's code, S silent: the default is a choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Value = str | int | float | bool


class Switch(NamedTuple):
    name: str
    default: Value
    choices: tuple[Value, ...]  # empty: any value of the default's type
    sure: str
    section: str  # of the contract file
    meaning: str


YES_NO = (False, True)

SWITCHES = (
    # ---------------------------------------------------------------- envelope
    Switch("error_shape", "b", ("a", "b", "c"), "D a, F b, C c", "2", "a failed action: a) top 500/97, b) top 500 and the same code, c) top 200/0"),
    Switch("http_status_of_errors", 200, (200, 500), "S", "1.4", "HTTP status of an answer that reports an error"),
    Switch("unknown_token_code", 22, (22, 153), "S", "1.2", "error code of a token that nobody has"),
    Switch("unknown_token_shape", "top", ("top", "result"), "S", "13.2", "unknown token: top status 400 without results, or a failed result per action"),
    Switch("malformed_json", "number", ("number", "text"), "C text", "2", "errorcode of malformed JSON: a number of the table, or the text 'Syntax error'"),
    Switch("old_hmac", "refuse", ("refuse", "accept"), "D accept", "1.2", "signatures without hmac_version (MD5)"),
    Switch("get_with_body", False, YES_NO, "C", "1.2", "take GET with a JSON body, too (only POST is documented)"),
    Switch("max_actions", 0, (), "S", "1.6", "most actions of one request; 0 = no limit"),
    Switch("too_many_actions", "error", ("error", "drop"), "S", "1.6", "over max_actions: refuse all with code 1, or answer the first ones only"),
    Switch("stop_at_failure", False, YES_NO, "S", "11.3", "actions after a failed one are answered with code 97 and not carried out"),
    Switch("signature_seconds", 120, (), "D", "1.5", "how far a timestamp may be off, either way"),
    Switch("clock_skew", 0, (), "-", "11.13", "seconds by which the service's clock is ahead"),
    Switch("latency_ms", 0, (), "-", "11.13", "every answer takes this long"),
    Switch("parallel_limit", 0, (), "L 30", "3.3", "more requests than this at once get HTTP 502; 0 = none (one author saw trouble at about 30)"),
    # ------------------------------------------------------------------- lists
    Switch("over_limit", 20, (20, 500), "L 20 (estates)", "3", "rows that a listlimit over 500 gives"),
    Switch("missing_read_right", "empty", ("empty", "error"), "D+L", "4", "reading without the right: success without records, or error 156"),
    Switch("denied_code", 0, (), "S", "4", "code of a write without right; 0 = by the table (131 create address, 168 delete, else 80)"),
    Switch("empty_dates", "zeros", ("zeros", "text"), "D zeros, L both", "3.2", "an empty date reads 0000-00-00 (00:00:00), or an empty string"),
    Switch("record_ids", "number", ("number", "text"), "V number", "2", "ids of records"),
    Switch("booleans", "text", ("text", "number", "bool"), "S", "3.2", "booleans of addresses and tasks read '0'/'1', 0/1 or false/true"),
    # --------------------------------------------------------------- addresses
    Switch("typed_keys", "glued", ("glued", "underscore", "untyped", "bare"), "D pattern, V glued", "5.1",
           "phoneprivate__5, phone_private__5, phone__5 for all types, or phone_private without id"),
    Switch("default_keys", "prefixed", ("prefixed", "plain", "bare"), "S", "5.1", "defaultphone__5, phone__5 or defaultphone"),
    Switch("entries_read", "all", ("all", "default"), "D all, L default", "5.1", "which entries a read of phone, mobile, fax, email shows"),
    Switch("entry_ids", "stable", ("stable", "fresh"), "S", "5.1", "ids of entries between two reads"),
    Switch("entry_order", "id", ("id", "reversed", "value"), "S", "5.1", "order of entries"),
    Switch("first_entry_is_default", False, YES_NO, "S", "5.3", "the first entry of a kind becomes its default unasked"),
    Switch("deleted_default_promotes", False, YES_NO, "S", "5.4", "deleting the default entry makes the next one the default"),
    Switch("default_by_same_value", True, YES_NO, "S", "5.4", "modify with oldvalue = newvalue and default sets the default only"),
    Switch("several_entry_types", True, YES_NO, "S", "5.4", "contact data of several types in one modify"),
    Switch("match_entries", "exact", ("exact", "digits"), "S", "5.1", "how oldvalue and filters compare numbers"),
    Switch("rewrite_numbers", False, YES_NO, "S", "13.13", "the service writes numbers its own way (+49 241 1 for (0241) 1)"),
    Switch("mobile_auto_type", True, YES_NO, "D", "5.3", "German mobile numbers become type mobile whatever was given"),
    Switch("entry_raises_stamp", True, YES_NO, "S", "13.4", "a change of contact data alone raises Aenderung"),
    Switch("sync_raises_stamp", False, YES_NO, "S", "13.4", "setting or clearing address:user:sync raises Aenderung"),
    Switch("address_stamp_zone", "local", ("local", "utc"), "S", "13.3", "zone of Aenderung"),
    Switch("address_stamp_readable", True, YES_NO, "C", "5.2", "Aenderung may stand in data"),
    Switch("status_write", "ignored", ("ignored", "effective"), "L", "5.2", "writing Status of an address (Status2Adr always works)"),
    Switch("main_entry_write", "ignored", ("ignored", "refused"), "S", "5.2", "writing Telefon1, Telefax1, Email as plain fields"),
    Switch("country_code_on_modify", True, YES_NO, "C", "5.2", "Land takes ISO alpha-3 on modify, too"),
    Switch("address_by_resourceid", True, YES_NO, "C", "5.1", "addresses can be read by resourceid"),
    # ---------------------------------------------------------------- calendar
    Switch("old_read_series", "once", ("once", "occurrences"), "S", "13.6", "a window of the old read gives a series once or per occurrence"),
    Switch("old_window_tests", "occurrences", ("occurrences", "anchor"), "S", "6.2", "what of a series is compared with the window"),
    Switch("users_need_window", True, YES_NO, "D", "6.2", "users and groups count only with datestart and dateend"),
    Switch("calendar_default_limit", 500, (), "S", "6.2", "rows of the old read without listlimit"),
    Switch("calendar_order", "start", ("start", "id"), "S", "6.2", "the order of the old read's rows"),
    Switch("calendar_counts", "all", ("all", "rows"), "L all", "2", "cntabsolute of the old read: all that match, or the rows of the answer"),
    Switch("status_in_old_read", True, YES_NO, "D (missing in one sample)", "6.2", "the old read shows status"),
    Switch("delete_appointment", "gone", ("gone", "cancelled"), "S", "6.5", "delete removes the row, or cancels it"),
    Switch("subscribers_on_modify", "replace", ("replace", "add"), "S", "13.5", "subscribers of a modify"),
    Switch("series_needs_start", True, YES_NO, "L", "6.3", "a modify to a series without start_dt anchors it at 0000-00-00: out of every window"),
    Switch("recurrence_keys", "startDate", ("startDate", "start", "rp"), "S", "13.7",
           "recurrence of appointmentList: interval, startDate, endDate; interval, start, end; or rp_type, rp_tage, rp_beginn_datum, rp_ende_datum"),
    Switch("location_types", "english", ("english", "written"), "S (only customer is shown)", "13.7", "location.type: address, customer, other …; or the keys of the write"),
    Switch("list_needs_data", True, YES_NO, "L", "6.1", "appointmentList without data is refused (167)"),
    Switch("private_of_others", "shown", ("shown", "blanked", "hidden"), "S", "13.10", "private appointments of others as the API user sees them"),
    Switch("month_end", "skip", ("skip", "clamp"), "S", "6.4", "months without the day of a monthly series"),
    # ------------------------------------------------------------------- tasks
    Switch("task_status_read", "label", ("label", "number"), "L", "7.2", "Status reads as German label"),
    Switch("task_people_read", "display", ("display", "login"), "L display", "13.8", "Verantwortung, Bearbeiter, von read 'Last, First (abbr)' or the login"),
    Switch("task_stamp_precision", "second", ("second", "day"), "S (config says date)", "13.3", "precision of modified"),
    Switch("task_stamp_zone", "local", ("local", "utc"), "S", "13.3", "zone of modified"),
    Switch("task_related_in_list", False, YES_NO, "L", "7.1", "relatedAddressId in list reads (a read by resourceid has them, D)"),
    Switch("task_related_on_modify", "add", ("add", "replace"), "S", "13.5", "relatedAddressId on modify"),
    Switch("task_type_needed", False, YES_NO, "D account, L always", "7.2", "Art is mandatory (254)"),
    Switch("task_private_write", "refused", ("refused", "effective"), "S", "13.8", "Privat on create and modify"),
    Switch("task_comment_read", True, YES_NO, "D, L refused in one account", "7.2", "Kommentar may stand in data"),
    Switch("unknown_task_field", 138, (138, 144), "S", "7.3", "code of an unknown key in data of a task write"),
    # ------------------------------------------------------- users, links, log
    Switch("online_values", "words", ("words", "numbers"), "S", "13.9", "online: active/locked/deactivated, or 1/0/-1"),
    Switch("link_raises_stamp", False, YES_NO, "S", "10", "linking an appointment or a task by a relation raises its modified"),
    Switch("relation_duplicates", False, YES_NO, "D possible", "9.1", "idsfromrelation names each id twice"),
    Switch("relation_again", "success", ("success", "error"), "S", "9.1", "creating a relation that exists (error: 179)"),
    Switch("relation_missing", "success", ("success", "error"), "S", "9.1", "deleting a relation that does not exist (error: 180)"),
    Switch("log_resource_ids", True, YES_NO, "S", "13.11", "resourceId is filled for deletes"),
    Switch("log_retention_days", 0, (), "S", "13.11", "how long log entries live; 0 = for ever"),
    Switch("log_zone", "local", ("local", "utc"), "S", "10", "zone of dateTime"),
)  # fmt: skip
BY_NAME = {switch.name: switch for switch in SWITCHES}


class Switches(dict[str, Value]):
    """The values in force, by name."""

    def __init__(self, values: Mapping[str, Value] | None = None):
        super().__init__({switch.name: switch.default for switch in SWITCHES})
        for name, value in (values or {}).items():
            self.change(name, value)

    def change(self, name: str, value: Value) -> None:
        """Set one, from its value or from its text; ValueError when there is no such name or choice."""
        if name not in BY_NAME:
            raise ValueError(f"There is no switch {name!r}.")
        switch = BY_NAME[name]
        kind = type(switch.default)
        if kind is bool and isinstance(value, str):
            read: Value = value.lower() in ("1", "true", "yes", "on")
        else:
            read = kind(value)
        if switch.choices and read not in switch.choices:
            raise ValueError(f"{name} is one of {', '.join(map(str, switch.choices))}; not {value!r}.")
        self[name] = read


def manual() -> str:
    """All switches as text: name, default, choices, certainty, section, meaning."""
    lines = []
    for one in SWITCHES:
        choices = "|".join(map(str, one.choices)) or type(one.default).__name__
        lines.append(f"  {one.name} = {one.default}  ({choices}; sure: {one.sure}; section {one.section})\n      {one.meaning}")
    return "\n".join(lines)
