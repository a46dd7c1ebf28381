"""What a device was refused is kept for its user's page, and no phone can fill the log with it."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from radicale_onoffice.core.drafts import ContactDraft, TaskDraft
from radicale_onoffice.core.errors import GateClosed, Refused
from radicale_onoffice.core.model import Actor, Contact, Face, Identity, Kind, Task
from radicale_onoffice.core.policy import Direction, Policy
from radicale_onoffice.core.reports import REFUSALS, Reports
from radicale_onoffice.core.rights import Gate

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
PHONE = Actor(identity=ANNA, face=Face.EAS, device="PHONE1")


def told(office, login: str = "anna"):
    with office.store.reading() as tx:
        return [(line.actor, line.detail) for line in tx.audit("t", 100, login=login, event="refused")]


def take_rights(office, *gone: str) -> None:
    with office.store.writing() as tx:
        user = tx.user(ANNA)
        tx.save_user(replace(user, rights=user.rights - set(gone)))


def test_a_refused_change_and_a_refused_removal_stand_in_the_audit_log(office, caplog):
    """Who, from which device, which record, and why; the log says the same, once."""
    record = office.records.put(PHONE, Kind.TASKS, TaskDraft(value=Task(subject="a")), uid="u", name="u.ics")
    take_rights(office, "tasks.modify", "tasks.delete")
    with caplog.at_level(logging.WARNING), pytest.raises(Refused):
        office.records.put(PHONE, Kind.TASKS, TaskDraft(value=Task(subject="b")), record_id=record.id)
    with pytest.raises(Refused):
        office.records.delete(PHONE, Kind.TASKS, record.id)
    asked = "ask your administrator for the right."
    assert [
        ("eas PHONE1", f"{record.id}: You may not delete tasks in onOffice; {asked}"),
        ("eas PHONE1", f"{record.id}: You may not modify tasks in onOffice; {asked}"),
    ] == told(office)
    assert f"record {record.id} of anna@t: refused: You may not modify tasks" in caplog.text
    assert [] == told(office, "bert")


def test_a_refused_new_record_is_told_by_its_kind(make_office):
    """It has no id; a closed gate and a direction are refusals, too."""
    office = make_office(Policy(direction={**Policy().direction, Kind.CONTACTS: Direction.TO_DEVICE}))
    with pytest.raises(Refused):
        office.records.put(PHONE, Kind.CONTACTS, ContactDraft(value=Contact(last_name="x"), sent={}), uid="u", name="u.vcf")
    office.settings.set_gate(ANNA, Gate.SYNC_RIGHT, None, False, "test")
    with pytest.raises(GateClosed):
        office.records.put(PHONE, Kind.TASKS, TaskDraft(value=Task(subject="x")), uid="u", name="u.ics")
    assert [
        "new (tasks): Synchronisation of tasks is off: the user lacks the right to synchronise.",
        "new (contacts): The contacts are synchronised to devices only; change them in onOffice.",
    ] == [detail for _, detail in told(office)]


def test_what_is_refused_again_and_again_is_told_once_a_day(office, clock):
    """A phone repeats it with each synchronisation."""
    reports = Reports(office.store, clock)
    for _ in range(5):
        reports.refusal(PHONE, "r1", Refused("No."))
        clock.now += timedelta(hours=4)
    assert [("eas PHONE1", "r1: No.")] == told(office)
    clock.now += timedelta(hours=5)
    reports.refusal(PHONE, "r1", Refused("No."))
    assert 2 == len(told(office))


def test_a_phone_gone_mad_cannot_fill_the_log(office, clock):
    """So many a day for each login, and no more; another login's are told all the same, and tomorrow's, too."""
    reports = Reports(office.store, clock)
    for number in range(3 * REFUSALS):
        reports.refusal(PHONE, f"r{number}", Refused("No."))
    reports.refusal(replace(PHONE, identity=BERT), "r1", Refused("No."))
    assert (REFUSALS, 1) == (len(told(office)), len(told(office, "bert")))
    clock.now += timedelta(days=1)
    reports.refusal(PHONE, "tomorrow", Refused("x" * 5000))
    actor, detail = told(office)[0]
    assert ("eas PHONE1", 1000, "tomorrow: xxx") == (actor, len(detail), detail[:13])


def test_words_from_elsewhere_forge_no_line(office, caplog):
    """onOffice's own words are told, in one line of the log and of the audit log."""
    words = "Feld fehlt\n2026-03-15 WARNING sync access locked: login=boss\x1b[2J"
    reports = Reports(office.store, office.clock)
    with caplog.at_level(logging.INFO):
        reports.refusal(PHONE, "r1", Refused(words))
        reports.refusal(PHONE, "r1", Refused(words))
        with office.store.writing() as tx:
            reports.deviation(tx, PHONE, "r1", words)
    clean = "Feld fehlt?2026-03-15 WARNING sync access locked: login=boss?[2J"
    assert [("eas PHONE1", f"r1: {clean}")] == told(office)
    mine = [record.getMessage() for record in caplog.records if record.name.endswith("reports")]
    assert (3, True) == (len(mine), all(message.endswith(clean) for message in mine))
