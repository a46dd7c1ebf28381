"""An office, an emulated onOffice, and a mirror between them."""

from __future__ import annotations

from datetime import timedelta

from radicale_onoffice.core.model import Contact, Kind
from radicale_onoffice.crm.onoffice.mirror import Mirror
from radicale_onoffice.crm.onoffice.tenants import Access
from tests.crm.conftest import OnOffice

DAY = "2026-03-20"
TABLES = {Kind.CONTACTS: ("address", "Name"), Kind.APPOINTMENTS: ("calendar", "description"), Kind.TASKS: ("task", "Betreff")}


class Pulled:
    """An office, an emulated onOffice, and a mirror between them."""

    def __init__(self, office, onoffice: OnOffice, clock):
        self.office, self.onoffice, self.control, self.clock = office, onoffice, onoffice.control, clock
        self.mirror = self.another("one")

    def another(self, holder: str, access: Access = Access()) -> Mirror:  # noqa: B008 - frozen
        parts = {"store": self.office.store, "records": self.office.records, "client": self.onoffice.client}
        return Mirror(**parts, tenant="t", access=access, clock=self.clock, holder=holder)

    def values(self, kind: Kind):
        with self.office.store.reading() as tx:
            return [record.value for record in tx.all_records("t", kind)]

    def subjects(self, kind: Kind):
        return sorted(value.last_name if isinstance(value, Contact) else value.subject for value in self.values(kind))

    def record(self, crm_id: int, kind: Kind):
        with self.office.store.reading() as tx:
            return tx.record("t", tx.linked("t", kind, [str(crm_id)])[str(crm_id)][0])

    def pass_time(self, **much):
        self.clock.now += timedelta(**much)

    def address(self, name: str, **links) -> int:
        return self.control.add("address", {"Name": name}, **{"sync": [self.onoffice.anna], **links})

    def meeting(self, subject: str, day: str = DAY, **data) -> int:
        times = {"start_dt": f"{day} 09:00:00", "end_dt": f"{day} 10:00:00"}
        return self.control.add("calendar", {"description": subject, **times, **data}, users=[self.onoffice.anna])

    def task(self, subject: str, **links) -> int:
        return self.control.add("task", {"Betreff": subject, "Verantwortung": "anna"}, **links)
