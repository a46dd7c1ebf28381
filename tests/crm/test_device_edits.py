"""Random records of the CRM × random edits of a device, from the text that the device has to the emulator's own row.

Rule 65: what the face cannot show, or the device does not know, is not lost: links, estate, project, resources, travel time, type, second
person, archived state. ``test_nothing_is_lost`` shows the same of the field tables alone.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radicale_onoffice import formats
from radicale_onoffice.core.model import Base, Kind, Record, Slot
from radicale_onoffice.crm.onoffice import sending
from tests.crm.accounts import BERLIN
from tests.crm.desks import PHONE, TABLES, Desk
from tests.crm.test_nothing_is_lost import (
    APPOINTMENT_COLUMNS,
    CONTACT_COLUMNS,
    SERIES,
    STAMPS,
    TASK_COLUMNS,
    addresses,
    calendar,
    entries,
    words,
    work,
)

walk = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


def adopted(at: Desk, kind: Kind, number: int) -> Record:
    """A record of the CRM as the mirror brings it here."""
    connection = at.office.crm.connections.to("t")
    row = sending.read(connection, kind, str(number))
    return at.office.crm.errands.adopt("t", kind, sending.load(kind, row, connection, None), row, None)


def edited(at: Desk, kind: Kind, number: int, fields, sent=None):
    """The names of what differs in the emulator's row after a device's edit, stamps apart, and the row before and after."""
    record = adopted(at, kind, number)
    base = Base(value=record.value, leftovers=record.leftovers, text=record.text)
    draft = formats.load(kind, record.text, base, zone=BERLIN, region="DE")
    draft = replace(draft, value=replace(draft.value, **fields), **({} if sent is None else {"sent": {**draft.sent, **sent}}))
    before = at.control.get(TABLES[kind], number)
    at.office.records.put(PHONE, kind, draft, record_id=record.id, base=base, reach=None)
    after = at.control.get(TABLES[kind], number)
    assert [] == at.errands()
    return before, after, {name for name in {**before, **after} if before.get(name) != after.get(name)} - STAMPS


def some(**fields):
    return st.fixed_dictionaries({}, optional=fields)


@walk
@given(
    data=addresses,
    entries=entries,
    fields=some(first_name=words, last_name=words, company=words, city=words, birthday=st.none() | st.just(date(1990, 1, 2))),
    sent=some(home=st.sampled_from(["0241 99", "+49 171 99", ""])),
)
def test_a_contact(desk, data, entries, fields, sent):
    """A new number is added to the others, none of which changes."""
    at = walked(desk)
    data["Name"] = data["Name"].strip() or "N"  # a card needs a name
    number = at.control.add("address", data, entries=entries, sync=[at.emulator.account.user("anna")])
    at.control.link("address:contact:address", number, at.control.add("address", {"Name": "Firma"}))
    slots = {Slot.HOME: sent["home"]} if "home" in sent else None
    before, after, differing = edited(at, Kind.CONTACTS, number, fields, slots)
    assert set() == differing - {CONTACT_COLUMNS[name] for name in fields} - ({"entries"} if sent.get("home") else set())
    kept = {one["id"]: one for one in after["entries"]}
    assert before["entries"] == [kept[one["id"]] for one in before["entries"]]
    assert len(before["entries"]) <= len(kept) <= len(before["entries"]) + 1


@walk
@given(
    data=calendar,
    fields=some(subject=words, note=words, location=st.just("Garten"), private=st.booleans(), reminder=st.sampled_from([None, 0, 60])),
)
def test_an_appointment(desk, data, fields):
    """Participants, groups, linked addresses, estates, project, resources, travel time, type and creator stay."""
    at = walked(desk)
    control, user = at.control, at.emulator.account.user
    address, project = control.add("address", {"Name": "A"}), control.add("project", {})
    estates, resource = [control.add("estate", {}) for _ in "ab"], control.add("resource", {"name": "Beamer", "active": True})
    data = {**data, **(SERIES if data.get("rp_flag") else {}), "ressources": [str(resource)]}
    links = {"users": [user("anna"), user("bert")], "addresses": [address], "estate": estates[0], "project": project}
    number = control.add("calendar", data, **links)
    control.link("calendar:estate", number, estates[1])
    _, _, differing = edited(at, Kind.APPOINTMENTS, number, fields)
    assert set() == differing - set().union(*(APPOINTMENT_COLUMNS[name] for name in fields))


@walk
@given(data=work, fields=some(subject=words, description=words, priority=st.integers(1, 5), deadline=st.none() | st.just(date(2026, 6, 1))))
def test_a_task(desk, data, fields):
    """Links, type, effort, reminder, and names that no user has stay."""
    at = walked(desk)
    control = at.control
    links = {
        "addresses": [control.add("address", {"Name": "A"})],
        "estate": control.add("estate", {}),
        "project": control.add("project", {}),
    }
    number = control.add("task", {**data, "Verantwortung": "anna", "Privat": False, "Art": 167}, **links)
    _, _, differing = edited(at, Kind.TASKS, number, fields)
    assert set() == differing - set().union(*(TASK_COLUMNS[name] for name in fields))


def walked(desk) -> Desk:
    """One desk for all examples of a walk."""
    if not hasattr(desk, "made"):
        desk.made = desk()
        connection = desk.made.office.crm.connections.to("t")
        connection.account()  # which makes our users known over there
    return desk.made
