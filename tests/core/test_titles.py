"""What a record is called in lists."""

from __future__ import annotations

from datetime import date

import pytest

from radicale_onoffice.core.model import Actor, Appointment, Contact, Entry, EntryKind, Face, Identity, Kind, Task
from radicale_onoffice.core.titles import title

ANNA = Identity("t", "anna")
CRM = Actor(identity=ANNA, face=Face.CRM)
MAIL = Entry(id=1, kind=EntryKind.EMAIL, value="info@example.com")


@pytest.mark.parametrize(
    ("value", "called"),
    [
        (Contact(first_name="Max", last_name="Muster", company="ACME"), "Muster, Max"),
        (Contact(first_name="Max"), "Max"),
        (Contact(company="ACME", entries=(MAIL,)), "ACME"),
        (Contact(entries=(MAIL,)), "info@example.com"),
        (Contact(), ""),
        (Appointment(subject=" Viewing\n at noon ", start=date(2026, 3, 15), end=date(2026, 3, 15)), "Viewing at noon"),
        (Task(subject="x" * 500), "x" * 120),
    ],
)
def test_a_title_is_one_short_line(value, called):
    """Name, else company, else the first number; the subject of others."""
    assert called == title(value)


def test_titles_are_of_what_the_user_may_see_now(office):
    """Others' records, deleted ones, kinds that are off and ids that there are not are left out."""
    mine = office.records.write(CRM, Kind.CONTACTS, Contact(last_name="Mine", sync_users=("anna",)))
    theirs = office.records.write(CRM, Kind.CONTACTS, Contact(last_name="Theirs", sync_users=("bert",)))
    todo = office.records.write(CRM, Kind.TASKS, Task(subject="To do", responsible="anna", processor="anna"))
    ids = [mine.id, theirs.id, todo.id, "nothing", "new (contacts)"]
    assert {mine.id: "Mine", todo.id: "To do"} == office.records.titles(ANNA, ids)
    office.settings.set_switch(ANNA, Kind.TASKS, False, "test")
    assert {mine.id: "Mine"} == office.records.titles(ANNA, ids)
    assert {} == office.records.titles(ANNA, [])
