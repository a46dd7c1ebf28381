"""The audit log in the visitor's language: what happened, who did it, and its details."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from zoneinfo import ZoneInfo

import pytest

from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.administration import Access
from radicale_onoffice.core.model import Appointment, AuditLine, Face, Identity, Kind, Right, Tenant, User, UserState
from radicale_onoffice.core.rights import Gate
from radicale_onoffice.pages import events
from radicale_onoffice.pages.devices import key_of
from radicale_onoffice.pages.language import LANGUAGES, Voice
from tests.conftest import START
from tests.pages.scenes import CRM, add_contacts, change_user, synced_phone, tell
from tests.pages.test_admin import lock

NOON = START.astimezone(ZoneInfo("Europe/Berlin"))
ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")


def said(language: str, event: str = "changed", detail: str = "", actor: str = "cli") -> events.Said:
    line = AuditLine(at=START, tenant="t", login="bert", actor=actor, event=event, detail=detail)
    return events.said(line, {"c-1": "Muster, Max"}, Voice(language, ZoneInfo("Europe/Berlin"), START))


@pytest.mark.parametrize(
    ("kept", "spoken"),
    [
        ("page anna", "anna (Seite)"),
        ("page o'neill@firm", "o'neill@firm (Seite)"),
        ("cli", "Kommandozeile"),
        ("cli root", "root (Kommandozeile)"),
        ("admin cli root", "root (Kommandozeile)"),
        ("eas PHONE1", "Telefon PHONE1"),
        ("device PHONE1", "Telefon PHONE1"),
        ("eas", "ein Telefon"),
        ("dav Mozilla/5.0 (X11; Linux) Thunderbird/140.2", "Programm Thunderbird 140.2"),
        ("dav", "ein Programm"),
        ("crm demo", "onOffice"),
        ("onOffice", "onOffice"),
        ("the next new device", "Platz für ein neues Gerät"),
        ("somebody else", "somebody else"),
    ],
)
def test_who_did_it_is_told_in_plain_words(kept, spoken):
    """A person at a page or a shell, a phone by its id, a program by its name, the CRM."""
    assert spoken == unescape(said("de", actor=kept).actor)


@pytest.mark.parametrize(
    ("event", "detail", "spoken"),
    [
        (
            "locked",
            "after 5 wrong passwords, last from 192.0.2.9 DAVx5/4.4",
            "nach 5 falschen Passwörtern, zuletzt von 192.0.2.9 DAVx5/4.4",
        ),
        ("refused", "c-1: The contacts are synchronised to devices only; change them in onOffice.", "Muster, Max: Kontakte werden nur"),
        (
            "refused",
            "new contacts: You may not create contacts in onOffice; ask your administrator for the right.",
            "neuer Eintrag: Kontakte",
        ),
        ("deviation", "c-2: Ort fehlt", "ein Eintrag: Ort fehlt"),
        (
            "changed",
            "rights: +tasks.delete -tasks.read; language: de to en",
            "Rechte: + Aufgaben: Löschen, - Aufgaben: Lesen; Sprache: Deutsch → ",
        ),
        ("changed", "switches: -tasks; admin: no to yes", "eingeschaltet: - Aufgaben; darf verwalten: nein → ja"),
        ("changed", "state: active to suspended; groups: +Team West", "Zustand: aktiv → in onOffice gesperrt; Gruppen: + Team"),
        ("device added", "APPL7 iPhone, also a device of anna", "APPL7 iPhone, auch ein Gerät von anna"),
        ("gate closed: user_state", "onOffice says '0'", "onOffice meldet „0“"),
        ("page sessions ended", "2", "2 Browser"),
        ("contacts synchronised", "1", "ein Kontakt"),
        ("maintenance on", "Back at noon", "Back at noon"),
    ],
)
def test_details_are_told_in_plain_words(event, detail, spoken):
    """Records by what people call them, reasons as the pages say them, counts with their noun."""
    assert said("de", event, detail).detail.startswith(spoken)


def do_everything(office, server) -> None:
    """All that is written to the log by people, phones and administrators."""
    rights = frozenset(f"{kind}.{right}" for kind in Kind for right in Right)
    everything = Access(active=True, sync_right=True, switches=frozenset(Kind), other_channels=frozenset(), rights=rights, admin=True)
    change_user(office, ANNA, admin=True)
    boss = office.administration.as_user(ANNA)
    for is_open in (False, True):
        office.settings.set_gate(BERT, Gate.MODULE, None, is_open, "cli")
        office.settings.set_gate(BERT, Gate.USER_STATE, None, is_open, "cli")
        office.settings.set_gate(BERT, Gate.SYNC_RIGHT, None, is_open, "cli")
        for kind in Kind:
            office.settings.set_switch(BERT, kind, is_open, "page bert")
            office.settings.set_other_channel(BERT, kind, not is_open, "page bert")
    office.administration.save_access(boss, "bert", replace(everything, admin=False, rights=frozenset({"contacts.read"})))
    office.administration.save_access(boss, "bert", everything)
    lock(office)
    office.administration.unlock(boss, ["bert"])
    office.accounts.save_user(User(identity=BERT, language="it"), "another one", "cli root")
    office.settings.set_language(BERT, "en", "page bert")
    office.settings.restart(BERT, list(Kind), "page bert")
    office.administration.set_maintenance(boss, "Back at noon")
    office.administration.set_maintenance(boss, None)
    office.address_list.set_synced(BERT, add_contacts(office, 1), True, by="page bert")
    office.address_list.set_synced(BERT, add_contacts(office, 1, "bert"), False, by="page bert")
    user = office.accounts.sign_in("bert", "another one", Caller(face=Face.DAV))
    sessions = [office.accounts.page_session(office.accounts.open_page_session(user)) for _ in range(2)]
    office.accounts.revoke_page_session(BERT, sessions[0].token_digest, "page bert")
    office.accounts.revoke_page_sessions(BERT, "page anna")
    synced_phone(server, login="bert", password="another one")
    office.devices.block(BERT, "PHONE1", "page bert")
    office.devices.unblock(BERT, "PHONE1", "page bert")
    office.devices.resync(BERT, "PHONE1", "page bert")
    office.devices.resync(BERT, "PHONE1", "page bert", "tasks")
    office.devices.request_wipe(BERT, "PHONE1", "page bert")
    office.devices.wiped(BERT, "PHONE1", success=False)
    office.devices.wiped(BERT, "PHONE1")
    office.devices.remove(BERT, "PHONE1", "page bert")
    office.settings.save_tenant(Tenant(name="t", region="AT"), "cli root")
    office.accounts.remove_user(BERT, "cli root")


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_everything_that_is_logged_is_said_in_the_language(server, language):
    """Nothing of the core's English is left, whatever people, phones and administrators do."""
    do_everything(server.office, server)
    with server.office.store.reading() as tx:
        lines = tx.audit("t", 500)
    assert len({line.event for line in lines}) > 30
    voice = Voice(language, ZoneInfo("Europe/Berlin"), START)
    for line in lines:
        if line.actor != "test":
            told = events.said(line, {}, voice)
            assert line.event != told.event
            assert line.actor != told.actor or line.actor == "onOffice"
            if line.detail and not line.event.startswith(("device", "maintenance")):
                assert line.detail != told.detail


def test_an_administrator_does_not_learn_what_is_private(visitor, server):
    """Neither in the log nor among what fails on a phone stands the subject of a private appointment; others' are named."""
    change_user(visitor.office, ANNA, admin=True)
    ids = [
        visitor.office.records.write(
            CRM, Kind.APPOINTMENTS, Appointment(subject=subject, start=NOON, end=NOON, participants=("bert",), private=is_private)
        ).id
        for subject, is_private in (("At the doctor's", True), ("Viewing", False))
    ]
    for one in ids:
        tell(visitor.office, "refused", f"{one}: You take part in this appointment through a group; leave it in onOffice.", START, BERT)
    visitor.sign_in()
    for path in ("/admin", "/admin/audit", "/admin/users/bert"):
        page = visitor.get(path).text
        assert "doctor" not in page
        assert "Viewing: You take part in this appointment through a group. Decline it" in page
        assert "an entry: You take part" in page


def test_a_list_of_devices_is_only_there_for_who_exists(visitor, server):
    """The address leads on to a user's page, not to one that is none."""
    change_user(visitor.office, ANNA, admin=True)
    visitor.sign_in()
    assert 303 == visitor.http.get("/.web/admin/users/bert/devices").status_code
    assert 404 == visitor.http.get("/.web/admin/users/nobody/devices").status_code
    assert 404 == visitor.http.get(f"/.web/admin/users/nobody/devices/{key_of(Face.EAS, 'PHONE1')}").status_code


def test_a_suspended_user_is_told_as_such():
    """Every state has a word."""
    for state in UserState:
        assert state.value not in said("it", detail=f"state: active to {state.value}").detail.partition("→")[2]
