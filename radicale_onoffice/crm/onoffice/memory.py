"""What the pull of a tenant remembers between its turns: one small JSON, saved in the commit of the records that it speaks of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from radicale_onoffice.core.model import Kind
from radicale_onoffice.core.ports import Link, Transaction

NAME = "pull"  # under which the store keeps it
SWEEP_AFTER = time(2, 0)  # local time of the tenant


@dataclass(slots=True, kw_only=True)
class Memory:
    """Moments are ISO 8601 in UTC."""

    places: dict[str, str] = field(default_factory=dict)  # kind → place in the fill; "" = filled
    pulled: dict[str, str] = field(default_factory=dict)  # kind → when the last poll, sweep or fill began that could be believed
    swept: str = ""  # local day of the last sweep
    sweep_at: str = ""  # when to look again because of an alarm
    again: dict[str, list[str]] = field(default_factory=dict)  # kind → CRM ids that have to be read once more
    log_refused: bool = False  # the API user may not read the log
    alarms: dict[str, str] = field(default_factory=dict)  # "poll contacts" → what is not believed; "fill tasks" → a doubt
    people_alarm: str = ""  # what was too much to believe about users
    answered: str = ""  # when onOffice last answered a whole turn

    @property
    def is_filled(self) -> bool:
        """True when every kind has been walked through once."""
        return all(self.places.get(kind) == "" for kind in Kind)

    def pulled_at(self, kind: Kind) -> datetime | None:
        """Up to when everything that changed in onOffice is here; None: the kind is not filled yet."""
        text = self.pulled.get(kind) if self.places.get(kind) == "" else None
        return datetime.fromisoformat(text) if text else None

    def sweep_is_due(self, now: datetime, zone: ZoneInfo) -> bool:
        """Once a day in the small hours."""
        local = now.astimezone(zone)
        return self.swept != local.date().isoformat() and local.time() >= SWEEP_AFTER

    def second_look_is_due(self, now: datetime) -> bool:
        """True some time after an alarm."""
        return bool(self.sweep_at) and now >= datetime.fromisoformat(self.sweep_at)

    def alarm_of(self, kind: Kind) -> str:
        """What was too much to believe of a kind; "" if all is plausible."""
        told = (text for key, text in sorted(self.alarms.items()) if key.endswith(f" {kind}") and not key.startswith("fill "))
        return "; ".join(dict.fromkeys(told))

    def doubt_of(self, kind: Kind) -> str:
        """That the first fill found nothing of a kind, which may be true and may be a right that is missing; "" if there is no doubt."""
        return self.alarms.get(f"fill {kind}", "")

    def replace_alarms(self, where: str, told: Mapping[Kind, str]) -> None:
        """Note the alarms of a turn in the place of its last ones."""
        for kind in Kind:
            self.alarms.pop(f"{where} {kind}", None)
            if told.get(kind):
                self.alarms[f"{where} {kind}"] = told[kind]


def iso(moment: datetime) -> str:
    """A moment as it is kept."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def memory_of(tx: Transaction, tenant: str) -> Memory:
    """What is remembered of a tenant's earlier turns, also for who shows it."""
    known = {one.name for one in fields(Memory)}
    return Memory(**{name: value for name, value in json.loads(tx.mirror_state(tenant, NAME) or "{}").items() if name in known})


def save_memory(tx: Transaction, tenant: str, memory: Memory) -> None:
    """Keep it."""
    tx.save_mirror_state(tenant, NAME, json.dumps(asdict(memory), sort_keys=True))


def forget(tx: Transaction, tenant: str) -> None:
    """Forget how far the pull is: the next turn fills anew, and onOffice's row is read of every record, whatever it was changed to here."""
    tx.save_mirror_state(tenant, NAME, None)
    for kind in Kind:
        for crm_id, record_id in tx.links(tenant, kind).items():
            tx.save_link(tenant, kind, record_id, Link(crm_id))
