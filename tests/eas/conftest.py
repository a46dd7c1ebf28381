"""A signed-in device's session on a real office, and a command asked through the codec."""

from __future__ import annotations

from dataclasses import replace

import pytest

from activesync_bridge.request import Request
from activesync_bridge.session import Multipart, Options, Session
from activesync_bridge.versions import Version
from activesync_bridge.wbxml.element import Element
from activesync_bridge.wbxml.reader import decode
from activesync_bridge.wbxml.writer import encode
from radicale_onoffice.core.folders import reader
from radicale_onoffice.core.model import Actor, Appointment, Contact, Entry, EntryKind, EntryType, Face, Identity, Kind, Slot
from tests.eas.phone import Phone, over
from tests.judging.hearing import HEARING, WBXML

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
CRM = Actor(identity=ANNA, face=Face.CRM)
VERSIONS = list(Version)
BODY_VERSIONS = [version for version in Version if version >= Version.V14_0]


class Tells:
    """Lets Ping tell everything."""

    def may_tell(self, identity, device_id, kind, news):
        return True


@pytest.fixture
def open_session(office):
    """Makes a session as the gateway does: the device is known, user and tenant are as of now."""

    def make(version=Version.V16_1, *, identity=ANNA, device_id="dev1", options=None, command="", multipart=False, on=None):
        used = on or office
        device = used.devices.seen(identity, device_id, "iPhone", "Apple-iPhone11C8/2007.75", str(version))
        with used.store.reading() as tx:
            who = reader(tx, identity)
        request = Request(command=command, version=version, device_id=device_id, accept_multipart=multipart)
        return Session(used, who, device, version, request, options or Options(), Tells())

    return make


@pytest.fixture
def ask():
    """Sends a body through the codec to a command, and its answer back."""

    def through(handle, session, body):
        answer = handle(session, None if body is None else decode(encode(body)))
        element = answer.element if isinstance(answer, Multipart) else answer
        if not isinstance(element, Element):
            return answer
        HEARING.note(handle.__module__.rpartition(".")[2], str(session.version), WBXML, encode(element))
        return replace(answer, element=decode(encode(element))) if isinstance(answer, Multipart) else decode(encode(element))

    return through


@pytest.fixture
def add_contact(office):
    """Puts a contact on anna's devices, as the CRM does."""

    def add(first, last, *, emails=(), phone="", users=("anna",), on=None, **more):
        slots = (Slot.EMAIL1, Slot.EMAIL2, Slot.EMAIL3)
        entries = [Entry(id=n, kind=EntryKind.EMAIL, value=value, slot=slots[n - 1]) for n, value in enumerate(emails, 1)]
        if phone:
            entries.append(Entry(id=9, kind=EntryKind.PHONE, type=EntryType.MOBILE, value=phone, slot=Slot.MOBILE))
        value = Contact(first_name=first, last_name=last, entries=tuple(entries), sync_users=users, **more)
        return (on or office).records.write(CRM, Kind.CONTACTS, value)

    return add


@pytest.fixture
def add_appointment(office):
    """Puts an appointment into the calendars of its participants, as the CRM does."""

    def add(start, end, *, participants=("anna",), **more):
        return office.records.write(CRM, Kind.APPOINTMENTS, Appointment(start=start, end=end, participants=participants, **more))

    return add


@pytest.fixture
def phone(server):
    """Make a phone over the one-port application."""

    def make(version: str = "16.1", device: str = "PHONE1", login: str = "anna", password: str = "secret") -> Phone:
        return Phone(over(server.client(None)), login, password, version=version, device=device)

    return make
