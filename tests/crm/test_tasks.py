"""Tasks both ways: labels and numbers, names in several forms, and what has to be sent together."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radicale_onoffice.core.errors import Refused
from radicale_onoffice.core.model import Kind, Task, TaskStatus
from radicale_onoffice.crm.onoffice import tasks
from radicale_onoffice.crm.onoffice.account import Account, Person
from tests.crm.accounts import ACCOUNT, BERLIN, days, moments, row, texts

CALL = {
    "Betreff": "Rückruf",
    "Aufgabe": "Wegen des Vertrags",
    "Verantwortung": "Alt, Anna (AA)",
    "Bearbeiter": "bert",
    "von": "Beyer, Bert (BB)",
    "Art": "167",
    "Prio": "2",
    "Status": "In Bearbeitung",
    "erledigt": "0",
    "Stand": "25",
    "Deadline": "2026-05-08 17:00:00",
    "Deadline_Zeit": "17:00:00",
    "Deadline_strikt": "1",
    "Beginnt_am": "2026-05-04",
    "Beginnt_um": "",
    "Privat": "0",
    "publicDescription": "",
    "Aufwand_Soll_NUM": "1,5",
    "Einheit_Aufwand_Soll": "Stunden",
    "Austragsdatum": "0000-00-00",
    "modified": "2026-05-01 12:00:00",
    tasks.ADDRESSES: ("8811", "8812"),
    tasks.ESTATE: ("17",),
}
STORED = Task(
    subject="Rückruf",
    description="Wegen des Vertrags",
    responsible="anna",
    processor="bert",
    creator="bert",
    type="167",
    priority=2,
    status=TaskStatus.IN_PROCESS,
    progress=25,
    deadline=datetime(2026, 5, 8, 17, tzinfo=BERLIN),
    deadline_strict=True,
    deferred_until=date(2026, 5, 4),
    effort_planned=90,
    addresses=("8811", "8812"),
    estate="17",
)


def read(elements, before=None):
    return tasks.load(row(elements, "900", "task"), ACCOUNT, before)


def sent(before, after):
    """Parameters of what a change sends."""
    return [dict(action.parameters) for action in tasks.modify("900", before, after, ACCOUNT)]


def test_a_task_is_read():
    """German labels, display names, empty dates as zeros; links come from relations."""
    assert STORED == read(CALL)


@pytest.mark.parametrize(
    ("told", "expected"),
    [(label, status) for label, status in tasks.LABELS.items()]
    + [("3", TaskStatus.COMPLETED), ("Eigener Stand", TaskStatus.MISCELLANEOUS)],
)
def test_status_is_read_as_label_or_number(told, expected):
    """A label that an account gave itself counts as miscellaneous."""
    assert expected is read({**CALL, "Status": told.capitalize()}).status


@pytest.mark.parametrize("told", ["anna", "Alt, Anna (AA)", "Alt, Anna (anna)", "Alt, Anna", "Anna Alt", " anna "])
def test_a_name_is_read_in_each_form(told):
    """What Verantwortung holds differs between accounts."""
    assert "anna" == read({**CALL, "Verantwortung": told}).responsible


def test_a_name_that_two_have_is_nobodys():
    """It stays what it is; a login means its user whatever else it may mean."""
    people = (Person(id="1", name="a", last_name="Alt", first_name="Anna"), Person(id="2", name="b", last_name="Alt", first_name="Anna"))
    account = Account(
        zone=BERLIN,
        people=(*people, Person(id="3", name="Alt, Anna (x)"), Person(id="4", name="c", last_name="Alt", first_name="Anna", short="x")),
    )
    assert ("Alt, Anna", "Alt, Anna (x)") == (account.read_name("Alt, Anna"), account.read_name("Alt, Anna (x)"))


@pytest.mark.parametrize("told", [("Miete", "Miete"), ("Miete", "1"), ("", "8"), ("", "Miete")])
def test_a_group_is_read_in_each_form(told):
    """A field of its own holds it, its id, or only a mark."""
    name, group = told
    value = read({**CALL, "Verantwortung": name, "Verantwortung_Gruppe": group})
    assert ("Miete", True) == (value.responsible, value.responsible_is_group)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (("2026-05-08 17:00:00", "17:00:00"), datetime(2026, 5, 8, 17, tzinfo=BERLIN)),
        (("2026-05-08 00:00:00", "17:00"), datetime(2026, 5, 8, 17, tzinfo=BERLIN)),
        (("2026-05-08", ""), date(2026, 5, 8)),
        (("2026-05-08 00:00:00", "00:00:00"), date(2026, 5, 8)),
        (("0000-00-00 00:00:00", "00:00:00"), None),
        (("", "17:00:00"), None),
    ],
)
def test_a_deadline_is_read_from_two_fields(told, expected):
    """Midnight is no time of day but the day alone."""
    day, clock = told
    assert expected == read({**CALL, "Deadline": day, "Deadline_Zeit": clock}).deadline


def test_when_a_task_was_completed_is_known_as_well_as_can_be():
    """onOffice's date, our own moment of that day, or that of the newest change; a task that is open again has none."""
    done = {**CALL, "erledigt": "1", "Status": "Erledigt"}
    noted = replace(STORED, completed_at=datetime(2026, 5, 1, 10, 30, tzinfo=BERLIN))
    assert datetime(2026, 5, 1, tzinfo=BERLIN) == read({**done, "Austragsdatum": "2026-05-01"}).completed_at
    assert noted.completed_at == read({**done, "Austragsdatum": "2026-05-01"}, noted).completed_at
    assert noted.completed_at == read({key: value for key, value in done.items() if key != "Austragsdatum"}, noted).completed_at
    assert datetime(2026, 5, 1, 12, tzinfo=BERLIN) == read(done).completed_at
    assert read(CALL, noted).completed_at is None


def test_what_only_we_know_survives_a_reading():
    """Reminders, and who took the task off the device."""
    reminder = datetime(2026, 5, 8, 9, tzinfo=BERLIN)
    assert replace(STORED, reminder=reminder, unsynced_by=("bert",)) == read(CALL, Task(reminder=reminder, unsynced_by=("bert",)))


# -------------------------------------------------------------------- writing


def test_only_what_changed_is_sent():
    """Every change is noted in the task's comments (rule 81)."""
    assert [{"data": {"Betreff": "Neu"}}] == sent(STORED, replace(STORED, subject="Neu"))
    assert [] == sent(STORED, replace(STORED, reminder=STORED.deadline, unsynced_by=("anna",), comment="x"))


def test_completing_sets_both_marks():
    """Status as a number, and ``erledigt`` (rule 80)."""
    done = replace(STORED, status=TaskStatus.COMPLETED, done=True, progress=100)
    assert [{"data": {"Status": 3, "erledigt": True, "Stand": 100}}] == sent(STORED, done)
    assert [{"data": {"Status": 2, "erledigt": False}}] == sent(replace(STORED, status=TaskStatus.COMPLETED, done=True), STORED)


def test_another_status_says_that_the_task_is_open():
    """The done mark goes along whenever the status does, and the other way round."""
    assert [{"data": {"Status": 4, "erledigt": False}}] == sent(STORED, replace(STORED, status=TaskStatus.DEFERRED))


def test_a_deadline_goes_with_its_check_box():
    """Without it a deadline is inactive; removing it empties all."""
    later = replace(STORED, deadline=datetime(2026, 5, 9, 8, 30, tzinfo=BERLIN))
    assert [{"data": {"Deadline": "2026-05-09 08:30:00", "Deadline_Zeit": "08:30:00", "Deadline_strikt": 1}}] == sent(STORED, later)
    assert [{"data": {"Deadline": "", "Deadline_Zeit": "", "Deadline_strikt": 0}}] == sent(
        STORED, replace(STORED, deadline=None, deadline_strict=False)
    )
    assert "2026-05-09 00:00:00" == sent(STORED, replace(STORED, deadline=date(2026, 5, 9)))[0]["data"]["Deadline"]


def test_a_group_is_told_apart_from_a_user():
    """The mark goes along whenever the name does."""
    assert [{"data": {"Verantwortung": "Miete"}, "responsibilityByGroup": 1}] == sent(
        STORED, replace(STORED, responsible="Miete", responsible_is_group=True)
    )


@pytest.mark.parametrize(
    "change", [{"responsible": "carla"}, {"responsible": "Lager", "responsible_is_group": True}, {"processor": "carla"}]
)
def test_a_name_that_onoffice_lacks_is_refused(change):
    """It would take any text, and the task would be nobody's; a name that stood there before is not touched."""
    with pytest.raises(Refused, match="onOffice has no"):
        sent(STORED, replace(STORED, **change))
    assert [{"data": {"Betreff": "x"}}] == sent(replace(STORED, **change), replace(STORED, subject="x", **change))


def test_links_are_made_and_taken_away_by_relations():
    """A modify might add or replace; a relation says which. The task is the project's child."""
    after = replace(STORED, addresses=("8812", "8813"), estate="", project="5")
    prefix = "urn:onoffice-de-ns:smart:2.5:relationTypes:"
    assert [
        {"relationtype": f"{prefix}task:address", "parentid": [900], "childid": [8813]},
        {"relationtype": f"{prefix}task:address", "parentid": 900, "childid": 8811},
        {"relationtype": f"{prefix}task:estate", "parentid": 900, "childid": 17},
        {"relationtype": f"{prefix}project:task:customer", "parentid": [5], "childid": [900]},
    ] == sent(STORED, after)


def test_a_task_is_made_in_two_steps():
    """A create takes neither the done mark nor the progress; some accounts demand a type."""
    value = Task(
        subject="Neu", responsible="anna", processor="anna", status=TaskStatus.COMPLETED, done=True, progress=100, addresses=("1", "2")
    )
    create = tasks.create(value, replace(ACCOUNT, task_type="167"))
    data = {"Betreff": "Neu", "Verantwortung": "anna", "Bearbeiter": "anna", "Art": 167, "Prio": 3, "Status": 3}
    assert {"data": data, "responsibilityByGroup": 0, "relatedAddressId": 1} == create.parameters
    done, link = tasks.after_create("901", value, ACCOUNT)
    assert {"data": {"Status": 3, "erledigt": True, "Stand": 100}} == done.parameters
    assert ([901], [2]) == (link.parameters["parentid"], link.parameters["childid"])
    assert [] == tasks.after_create("901", Task(subject="Neu"), ACCOUNT)


def test_private_is_written_only_where_the_account_takes_it():
    """Whether it can be is not documented, and a refused key refuses the whole change."""
    private = replace(STORED, private=True)
    assert [] == sent(STORED, private)
    (action,) = tasks.modify("900", STORED, private, replace(ACCOUNT, task_private_writable=True))
    assert {"data": {"Privat": 1}} == action.parameters


def test_deleting_a_task_cancels_and_closes_it():
    """No call deletes one."""
    assert [{"data": {"Status": 5, "erledigt": True}}] == [action.parameters for action in tasks.remove("900", ACCOUNT)]


def test_tasks_are_asked_for_without_paging():
    """Ranges of ``Nr`` take its place; ``Nr`` itself cannot be asked for, sorting neither."""
    action = tasks.read_range(1, 500, replace(ACCOUNT, dropped={Kind.TASKS: frozenset({"Stand"})}), since="2026-05-01")
    assert {"Nr": [{"op": ">=", "val": 1}, {"op": "<=", "val": 500}], "modified": [{"op": ">=", "val": "2026-05-01"}]} == action.parameters[
        "filter"
    ]
    assert {"data", "filter", "listlimit"} == set(action.parameters)
    assert {"Nr", "Stand", tasks.ADDRESSES}.isdisjoint(action.parameters["data"])


values = st.builds(
    Task,
    subject=texts,
    description=texts,
    responsible=st.sampled_from(["anna", "bert"]),
    processor=st.sampled_from(["", "anna", "bert"]),
    type=st.sampled_from(["1", "167"]),
    priority=st.integers(1, 5),
    status=st.sampled_from(TaskStatus),
    progress=st.sampled_from([0, 25, 50, 75, 100]),
    done=st.booleans(),
    deadline=st.none() | days | moments,
    deadline_strict=st.booleans(),
    deferred_until=st.none() | days | moments,
    public_description=texts,
    effort_planned=st.integers(0, 9999),
    effort_extra=st.integers(0, 9999),
)


@given(values, values)
def test_any_change_reads_back_as_what_was_meant(before, after):
    """What is sent, laid over what onOffice had, is the new value."""

    def settled(value):
        return replace(value, completed_at=None, deadline_strict=value.deadline_strict and value.deadline is not None)

    elements = dict(tasks.create(before, ACCOUNT).parameters["data"])
    for action in tasks.after_create("1", before, ACCOUNT):
        elements |= action.parameters["data"]
    assert settled(before) == settled(read(elements))
    for action in tasks.modify("1", before, after, ACCOUNT):
        elements |= action.parameters["data"]
    assert settled(after) == settled(read(elements, before))
