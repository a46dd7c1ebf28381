"""Every configuration option: section, name, type, default and one line of help.

README's option table and ``config/radicale.config`` are made from this list (``radicale-onoffice options``). The sections are
Radicale's own, because Radicale refuses others; the prefixes keep clear of its future options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from radicale_onoffice.core.model import Kind
from radicale_onoffice.core.policy import Direction, OnContactDelete, OnIncompatibleSeries, OnOutage, OnTaskDelete, Policy


class Configuration(Protocol):
    """The part of Radicale's configuration that is needed here."""

    def get(self, section: str, option: str) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of the configuration file; ``read`` makes its value of the text or raises ValueError."""

    section: str
    name: str
    read: Callable[[str], Any]
    default: str
    help: str
    kind: str = "text"


def number(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers within bounds, both inclusive."""

    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"must lie between {low} and {high}")
        return value

    return read


def yes_or_no(text: str) -> bool:
    """Radicale's notion of a boolean."""
    words = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
    if text.lower() not in words:
        raise ValueError("must be True or False")
    return words[text.lower()]


def one_of(words: type[StrEnum]) -> Callable[[str], Any]:
    """A reader of one word of an enumeration."""

    def read(text: str) -> StrEnum:
        try:
            return words(text.strip())
        except ValueError:
            raise ValueError(f"must be one of {', '.join(words)}") from None

    return read


class PhonePolicy(StrEnum):
    """Which rules of [MS-ASPROV] a phone has to accept."""

    NONE = "none"
    BASIC = "basic"
    STRICT = "strict"


class CrmType(StrEnum):
    """Which CRM stands behind the store."""

    EMBEDDED = "embedded"
    ONOFFICE = "onoffice"


def _option(section: str, name: str, read: Callable[[str], Any], default: str, help_: str, kind: str = "text") -> Option:
    return Option(section=section, name=f"onoffice_{name}", read=read, default=default, help=help_, kind=kind)


def _activesync(name: str, read: Callable[[str], Any], default: str, help_: str, kind: str = "text") -> Option:
    return Option(section="web", name=f"activesync_{name}", read=read, default=default, help=help_, kind=kind)


OPTIONS: tuple[Option, ...] = (
    _option(
        "storage",
        "database",
        str,
        "sqlite:////var/lib/radicale-onoffice/office.db",
        "Where everything is kept: sqlite:////absolute/path or postgresql://user@host/name",
        "URL",
    ),
    _option("storage", "migrate", yes_or_no, "True", "Bring the database schema up to date on start", "yes/no"),
    _option(
        "storage",
        "crm",
        one_of(CrmType),
        "embedded",
        "The CRM behind the store; embedded: the store is the CRM; onoffice: the API of each tenant's account",
        "embedded/onoffice",
    ),
    _option(
        "storage",
        "writes_during_outage",
        one_of(OnOutage),
        "refuse",
        "A change while onOffice does not answer: refuse has the device come again; queue keeps it here and sends it later",
        "refuse/queue",
    ),
    _option(
        "storage",
        "poll_seconds",
        number(1, 3600),
        "60",
        "Seconds between two questions to onOffice what has changed there; about one request each",
        "seconds",
    ),
    _option("storage", "tenant", str, "default", "Tenant of logins that name none"),
    _option(
        "storage",
        "window_past",
        number(0, 1200),
        "1",
        "Months back that appointments are offered when the client names no period",
        "months",
    ),
    _option("storage", "window_future", number(1, 120), "6", "Months ahead that appointments are offered", "months"),
    _option("storage", "client_past_max", number(0, 1200), "6", "Months back that a phone may ask for", "months"),
    _option("storage", "max_appointments", number(1, 10000), "500", "Most appointments offered to one client", "number"),
    _option("storage", "include_cancelled", yes_or_no, "False", "Offer cancelled appointments too", "yes/no"),
    _option("storage", "include_completed", yes_or_no, "True", "Offer completed appointments too", "yes/no"),
    _option("storage", "default_type", str, "", "Type (Art) of an appointment made on a device"),
    _option(
        "storage",
        "incompatible_series",
        one_of(OnIncompatibleSeries),
        "nearest",
        "A recurrence that onOffice cannot hold becomes the nearest one, or a single appointment",
        "nearest/single",
    ),
    _option("storage", "max_tasks", number(1, 10000), "500", "Most tasks offered to one client", "number"),
    _option("storage", "task_completed_days", number(0, 3650), "30", "Days that a completed task stays on the device", "days"),
    _option("storage", "group_tasks", yes_or_no, "False", "Offer the tasks of the user's groups too", "yes/no"),
    _option(
        "storage", "task_delete", one_of(OnTaskDelete), "unsync", "Deleting a task on a device: unsync keeps it in the CRM", "unsync/delete"
    ),
    _option("storage", "include_archived", yes_or_no, "False", "Offer archived addresses too", "yes/no"),
    _option(
        "storage",
        "contact_delete",
        one_of(OnContactDelete),
        "unsync",
        "Deleting a contact on a device: unsync only clears the user's Sync flag, ignore brings it back",
        "unsync/delete/ignore",
    ),
    _option(
        "storage",
        "fallback_pin_on_add",
        yes_or_no,
        "False",
        "A number added on a device keeps the default number, which is offered without a Sync assignment, on the device",
        "yes/no",
    ),
    _option(
        "storage",
        "reuse_existing_number",
        yes_or_no,
        "True",
        "A number typed on a device that the contact has already is assigned instead of added again",
        "yes/no",
    ),
    _option("storage", "contacts_direction", one_of(Direction), "both", "Contacts: both ways, or only to the device", "both/to_device"),
    _option(
        "storage", "appointments_direction", one_of(Direction), "both", "Appointments: both ways, or only to the device", "both/to_device"
    ),
    _option("storage", "tasks_direction", one_of(Direction), "both", "Tasks: both ways, or only to the device", "both/to_device"),
    _option("storage", "feed_days", number(1, 3650), "90", "Days after which a client that did not sync starts from scratch", "days"),
    _option(
        "storage",
        "history_days",
        number(1, 36500),
        "365",
        "Days that old versions of a record are kept for undo, and lines of the audit log",
        "days",
    ),
    _option(
        "auth",
        "password_backend",
        str,
        "local",
        "Who checks passwords: local, or one of Radicale's auth types (htpasswd, ldap, imap, pam, dovecot, ...)",
        "word",
    ),
    _option("auth", "lock_after", number(1, 1000), "5", "Consecutive wrong passwords that lock a login", "number"),
    _option("auth", "lock_minutes", number(0, 525600), "0", "Minutes until a lock opens by itself; 0: never", "minutes"),
    _option("auth", "password_max_age_days", number(0, 36500), "0", "Days until a password expires; 0: never", "days"),
    _option(
        "auth",
        "memo_seconds",
        number(0, 86400),
        "300",
        "Seconds that a verified password is remembered in memory, as a keyed digest",
        "seconds",
    ),
    _option(
        "auth",
        "trust_proxy",
        yes_or_no,
        "False",
        "A reverse proxy in front sets X-Forwarded-For and X-Forwarded-Proto, and drops what clients send there",
        "yes/no",
    ),
    _option("web", "session_hours", number(1, 720), "12", "Hours that a login to the pages lasts", "hours"),
    _option("web", "metrics_token", str, "", "Bearer token that opens /metrics for others than this machine"),
    _option(
        "web",
        "profile_certificate",
        str,
        "",
        "PEM file of the certificate, with those above it, that signs Apple profiles (extra `signing`); empty: they are not signed",
        "path",
    ),
    _option("web", "profile_key", str, "", "PEM file of that certificate's key; empty: the key is in the certificate's file", "path"),
    _activesync("enabled", yes_or_no, "True", "Serve phones over Exchange ActiveSync beside DAV", "yes/no"),
    _activesync(
        "policy",
        one_of(PhonePolicy),
        "none",
        "What phones must accept: none; basic asks for a device password; strict for a longer one and encryption",
        "none/basic/strict",
    ),
    _activesync("full_wipe", yes_or_no, "False", "An administrator may have a whole phone erased, not only the account on it", "yes/no"),
    _activesync("min_heartbeat", number(60, 3540), "60", "Shortest time that a phone may wait for changes", "seconds"),
    _activesync("max_heartbeat", number(60, 3540), "3540", "Longest time that a phone may wait; a proxy has to allow for it", "seconds"),
    _activesync("max_devices", number(1, 1000), "10", "Phones of one user; a new one more is refused", "number"),
)

SCHEMA: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    section: {
        option.name: {"value": option.default, "help": option.help, "type": option.read} for option in OPTIONS if option.section == section
    }
    for section in ("storage", "auth", "web")
}


def policy_from(configuration: Configuration) -> Policy:
    """The core's rule options out of a configuration that has SCHEMA."""

    def storage(name: str) -> Any:
        return configuration.get("storage", f"onoffice_{name}")

    def auth(name: str) -> Any:
        return configuration.get("auth", f"onoffice_{name}")

    return Policy(
        window_past_months=storage("window_past"),
        window_future_months=storage("window_future"),
        client_past_max_months=storage("client_past_max"),
        **{name: storage(name) for name in STORAGE_RULES},
        lock_after=auth("lock_after"),
        lock_minutes=auth("lock_minutes"),
        password_max_age_days=auth("password_max_age_days"),
        max_devices=configuration.get("web", "activesync_max_devices"),
        full_wipe=configuration.get("web", "activesync_full_wipe"),
        direction={kind: storage(f"{kind}_direction") for kind in Kind},
    )


STORAGE_RULES = (
    "max_appointments",
    "include_cancelled",
    "include_completed",
    "default_type",
    "incompatible_series",
    "max_tasks",
    "task_completed_days",
    "group_tasks",
    "task_delete",
    "include_archived",
    "contact_delete",
    "fallback_pin_on_add",
    "reuse_existing_number",
    "feed_days",
    "history_days",
    "writes_during_outage",
)


def declared(configuration: Any) -> Any:
    """A copy of Radicale's configuration that knows our options, whichever plugin declares them first."""
    try:
        return configuration.copy(SCHEMA)
    except ValueError:
        # Radicale's word for options that are declared already; a wrong option or value is a RuntimeError.
        return configuration.copy()
