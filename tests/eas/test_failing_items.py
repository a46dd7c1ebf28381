"""Items that do not get through: noted with the reason, tried again when they change, and never in the way of others."""

from __future__ import annotations

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy

from activesync_bridge.pending import pending
from activesync_bridge.wbxml.codepages import Calendar, Contacts
from radicale_onoffice.core.model import Actor, Appointment, Contact, Face, Identity, Kind
from tests.eas.phone import E, add, status_of

ANNA = Identity("t", "anna")
CRM = Actor(identity=ANNA, face=Face.CRM)
BERLIN = ZoneInfo("Europe/Berlin")


def failing(server) -> dict[str, str]:
    return {one.item: one.reason for one in server.office.devices.failures(ANNA, "PHONE1")}


def test_an_item_that_cannot_be_encoded_is_left_out_and_tried_again_when_it_changes(server, phone, caplog):
    """Pains 18 and 39: the others arrive; the administrator sees which one fails and why."""
    start = datetime(2026, 3, 20, 9, tzinfo=BERLIN)
    records = [
        server.office.records.write(CRM, Kind.APPOINTMENTS, Appointment(subject=name, start=start, end=start, participants=("anna",)))
        for name in ("bad", "good")
    ]
    with server.office.store.engine.begin() as connection:
        # As a defect of ours, or a disk's, would leave it.
        connection.execute(sqlalchemy.text("UPDATE records SET text = 'BEGIN:VCALENDAR' WHERE id = :id"), {"id": records[0].id})
    one = phone()
    one.folder_sync()
    one.sync("appointments")
    assert ["good"] == [item.text_of(Calendar.Subject) for item in one.of("appointments").items.values()]
    assert [records[0].id] == list(failing(server))
    assert "cannot be encoded" in caplog.text
    value = server.office.records.get("t", records[0].id).value
    server.office.records.write(CRM, Kind.APPOINTMENTS, Appointment(**{**fields_of(value), "subject": "mended"}), record_id=records[0].id)
    one.sync("appointments")
    assert {"good", "mended"} == {item.text_of(Calendar.Subject) for item in one.of("appointments").items.values()}
    assert {} == failing(server)


def fields_of(value: Appointment) -> dict:
    return {name: getattr(value, name) for name in Appointment.__dataclass_fields__}


def test_an_item_of_a_phone_that_is_nonsense_is_answered_6_and_noted(server, phone):
    """The other item of the same request is stored; sent again in a form that can be read, it leaves the list."""
    one = phone("14.1")
    one.folder_sync()
    bad = add("c1", E(Contacts.LastName, "Bad"), E(Contacts.Birthday, "yesterday"))
    responses = one.sync("contacts", bad, add("c2", E(Contacts.LastName, "Good")))
    assert ["6", "1"] == [status_of(response) for response in responses]
    assert ["c1"] == list(failing(server))
    assert ["1"] == [status_of(response) for response in one.sync("contacts", add("c1", E(Contacts.LastName, "Bad")))]
    assert {} == failing(server)


def test_the_administrator_sees_what_a_phone_does_not_know_yet(server, phone):
    """`device show` counts the changes that the next Sync would bring, and says when the phone begins anew."""
    one = phone()
    one.folder_sync()
    one.sync("contacts")
    device = server.office.devices.get(ANNA, "PHONE1")
    assert {"contacts": 0} == pending(server.office, device)
    server.office.records.write(CRM, Kind.CONTACTS, Contact(last_name="Berger", sync_users=("anna",)))
    assert {"contacts": 1} == pending(server.office, device)
    with server.office.store.writing() as tx:
        tx.reset_feeds(ANNA, Kind.CONTACTS, "new")
    assert {"contacts": None} == pending(server.office, device)
    assert json.dumps(pending(server.office, device))


def test_the_last_synchronisation_is_kept_to_ten_minutes(server, phone, clock):
    """A write for each request would cost more than the request."""
    one = phone()
    one.folder_sync()
    assert server.office.devices.get(ANNA, "PHONE1").last_sync is None
    one.sync("contacts")
    assert clock.now == server.office.devices.get(ANNA, "PHONE1").last_sync
