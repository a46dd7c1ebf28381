"""Random records of the CRM × random edits of a device: the emulator's own row before and after differs in what was edited, and there only.

Rule 65: an edit never loses what the device does not know: links, estate, project, resources, travel time, type, second person.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from radicale_onoffice.core.model import AppointmentStatus, Entry, EntryKind, EntryType, Frequency, Kind, Recurrence, TaskStatus
from radicale_onoffice.crm.onoffice import rows
from tests.conftest import FixedClock
from tests.crm.accounts import BERLIN
from tests.crm.conftest import OnOffice

walk = settings(deadline=None, max_examples=40)
words = st.text("abcäöüß /\\\"'<&>1", max_size=12)
STAMPS = {"modified", "modified_day", "Kommentar"}


def edited(office: OnOffice, kind: Kind, table: str, number: int, changes):
    """The emulator's row before and after a device's edit, and the names of what differs, stamps apart."""
    account = office.survey()
    before = office.control.get(table, number)
    (record,) = rows.fetch(office.client, account, kind, [str(number)]).values()
    value = rows.load(kind, record, account)
    actions = rows.modify(str(number), value, changes(value), account)
    if actions:
        rows.demanded(actions, office.client.call(actions))
    after = office.control.get(table, number)
    office.close()
    return before, after, {name for name in {**before, **after} if before.get(name) != after.get(name)} - STAMPS


# ------------------------------------------------------------------- contacts

CONTACT_COLUMNS = {
    "first_name": "Vorname",
    "last_name": "Name",
    "company": "Zusatz1",
    "city": "Ort",
    "homepage": "Homepage",
    "birthday": "Geburtsdatum",
}
entries = st.lists(
    st.fixed_dictionaries(
        {
            "what": st.sampled_from(["phone", "fax", "email"]),
            "value": st.sampled_from(["0241 1", "0241 2", "+49 171 5"]),
            "default": st.booleans(),
        },
        optional={"type": st.sampled_from(["private", "business"]), "comment": words},
    ),
    max_size=4,
    unique_by=lambda one: (one["what"], one["value"]),
)
addresses = st.fixed_dictionaries(
    {
        "Name": words,
        "Vorname2": words,
        "Name2": words,
        "Status2Adr": st.sampled_from(["status2adr_active", "status2adr_archive"]),
        "Benutzer": words,
    },
    optional={
        "Zusatz1": words,
        "Bemerkung": words,
        "ArtDaten": st.sampled_from(["|Kunde|", "|Kunde||Makler|"]),
        "Geburtsdatum": st.just("1985-12-10"),
    },
)


@walk
@given(
    data=addresses,
    entries=entries,
    fields=st.fixed_dictionaries(
        {},
        optional={
            "first_name": words,
            "last_name": words,
            "company": words,
            "city": words,
            "birthday": st.none() | st.just(date(1990, 1, 2)),
        },
    ),
    number=st.none() | st.sampled_from([EntryType.PRIVATE, EntryType.BUSINESS, EntryType.PLAIN]),
)
def test_an_edit_of_a_contact_changes_what_was_edited(data, entries, fields, number):
    """A number is added to the others, none of which changes; second person, advisor, archived state and links stay."""
    office = OnOffice(FixedClock())
    address = office.control.add("address", data, entries=entries, sync=[office.anna])
    other = office.control.add("address", {"Name": "Firma"})
    office.control.link("address:contact:address", address, other)

    def changes(value):
        added = () if number is None else (Entry(id=10**6, kind=EntryKind.PHONE, value="0241 99", type=number),)
        return replace(value, entries=(*value.entries, *added), **fields)

    before, after, differing = edited(office, Kind.CONTACTS, "address", address, changes)
    assert set() == differing - {CONTACT_COLUMNS[name] for name in fields} - ({"entries"} if number is not None else set())
    assert before["entries"] == after["entries"][: len(before["entries"])]
    assert len(before["entries"]) + (number is not None) == len(after["entries"])


# --------------------------------------------------------------- appointments

APPOINTMENT_COLUMNS = {
    "subject": {"description"},
    "note": {"note"},
    "location": {"location"},
    "status": {"status"},
    "private": {"private"},
    "reminder": {"erinnerung"},
    "moved": {"start_dt", "end_dt", "rp_beginn_datum"},
    "series": {"rp_flag", "rp_type", "rp_tage", "rp_beginn_datum", "rp_ende_datum", "rp_ende_status", "rp_exception"},
}
calendar = st.fixed_dictionaries(
    {
        "start_dt": st.just("2026-05-04 09:00:00"),
        "end_dt": st.just("2026-05-04 10:00:00"),
        "description": words,
        "art": st.sampled_from(["", "besichtigung", "unbekannt"]),
        "status": st.sampled_from(["active", "completed", "canceled", "participantsAvailable"]),
        "erinnerung": st.sampled_from(["", "15 minutes", "7 minutes"]),
        "transitTimePre": st.sampled_from(["00:00:00", "00:25:00"]),
        "von": st.sampled_from(["anna", "jemand"]),
        "location": st.sampled_from(
            [{"keine Angaben": ""}, {"sonstiges": "Raum 3"}, {"mandant": True}, {"customVideoUrl": "https://video.example"}]
        ),
    },
    optional={"rp_flag": st.just(True), "reminderTypes": st.just(["sms"])},
)
SERIES = {"rp_type": "w", "rp_tage": 2, "rp_beginn_datum": "2026-05-04", "rp_ende_datum": "2026-12-31", "rp_ende_status": "1"}
BIWEEKLY = Recurrence(frequency=Frequency.WEEK, interval=2, until=date(2026, 12, 31))


@walk
@given(
    data=calendar,
    fields=st.fixed_dictionaries(
        {},
        optional={
            "subject": words,
            "note": words,
            "location": st.just("Garten"),
            "status": st.sampled_from(AppointmentStatus),
            "private": st.booleans(),
        }
        | {"reminder": st.sampled_from([None, 0, 60]), "moved": st.just(True), "series": st.sampled_from([None, BIWEEKLY])},
    ),
)
def test_an_edit_of_an_appointment_changes_what_was_edited(data, fields):
    """Participants, groups, linked addresses, estates (even two), project, resources, travel time, type, creator and place stay."""
    office = OnOffice(FixedClock())
    control = office.control
    address, project = control.add("address", {"Name": "A"}), control.add("project", {})
    estates, resource = [control.add("estate", {}) for _ in "ab"], control.add("resource", {"name": "Beamer", "active": True})
    data = {**data, **(SERIES if data.get("rp_flag") else {}), "ressources": [str(resource)]}
    links = {
        "users": [office.anna, office.bert],
        "groups": [office.group],
        "addresses": [address],
        "estate": estates[0],
        "project": project,
    }
    number = control.add("calendar", data, **links)
    control.link("calendar:estate", number, estates[1])

    def changes(value):
        plain = {name: one for name, one in fields.items() if name not in ("moved", "series")}
        moved = (
            {"start": datetime(2026, 5, 5, 9, tzinfo=BERLIN), "end": datetime(2026, 5, 5, 11, tzinfo=BERLIN)} if "moved" in fields else {}
        )
        return replace(value, **plain, **moved, **({"recurrence": fields["series"]} if "series" in fields else {}))

    _, _, differing = edited(office, Kind.APPOINTMENTS, "calendar", number, changes)
    assert set() == differing - set().union(*(APPOINTMENT_COLUMNS[name] for name in fields))


# ---------------------------------------------------------------------- tasks

TASK_COLUMNS = {
    "subject": {"Betreff"},
    "description": {"Aufgabe"},
    "priority": {"Prio"},
    "progress": {"Stand"},
    "status": {"Status", "erledigt", "Austragsdatum"},
    "done": {"Status", "erledigt", "Austragsdatum"},
    "deadline": {"Deadline", "Deadline_Zeit", "Deadline_strikt"},
}
work = st.fixed_dictionaries(
    {
        "Betreff": words,
        "Verantwortung": st.sampled_from(["anna", "jemand", ""]),
        "Bearbeiter": st.sampled_from(["bert", "Herr X"]),
        "Privat": st.booleans(),
    },
    optional={
        "Deadline": st.just("2026-05-08 17:00:00"),
        "Deadline_strikt": st.booleans(),
        "Aufwand_Soll_NUM": st.just("1.5"),
        "Erinnerung": st.just(True),
    },
)


@walk
@given(
    data=work,
    fields=st.fixed_dictionaries(
        {},
        optional={"subject": words, "description": words, "priority": st.integers(1, 5), "progress": st.sampled_from([0, 50, 100])}
        | {"status": st.sampled_from(TaskStatus), "done": st.booleans(), "deadline": st.none() | st.just(date(2026, 6, 1))},
    ),
)
def test_an_edit_of_a_task_changes_what_was_edited(data, fields):
    """Links, type, effort, reminder, and names that no user has stay."""
    office = OnOffice(FixedClock())
    control = office.control
    address, estate, project = control.add("address", {"Name": "A"}), control.add("estate", {}), control.add("project", {})
    number = control.add("task", {**data, "Art": 167}, addresses=[address], estate=estate, project=project)
    _, _, differing = edited(office, Kind.TASKS, "task", number, lambda value: replace(value, **fields))
    assert set() == differing - set().union(*(TASK_COLUMNS[name] for name in fields))
