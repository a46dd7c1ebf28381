"""Appointments both ways: the calendar's elements, the series with its traps, and what no device may drop."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radicale_onoffice.core.appointments import REMINDERS
from radicale_onoffice.core.errors import Refused
from radicale_onoffice.core.model import Appointment, AppointmentStatus, Frequency, Recurrence
from radicale_onoffice.crm.onoffice import appointments
from radicale_onoffice.crm.onoffice.fields import Unreadable
from radicale_onoffice.crm.onoffice.protocol import Verb
from tests.crm.accounts import ACCOUNT, BERLIN, days, moments, row, texts

# One record of the older read, with everything that it can say
JOUR_FIXE = {
    "start_dt": "2026-05-04 09:00:00",
    "end_dt": "2026-05-04 09:45:00",
    "description": "Jour fixe",
    "note": "Agenda folgt",
    "ort": "Raum 3",
    "art": {"buero": "Bürotermin"},
    "users": [{"id": "42", "username": "anna", "firstName": "Anna", "lastName": "Alt", "email": "anna@example.org"}],
    "user_ids": ["42", "43"],
    "groups": ["8"],
    "ressources": ["Beamer"],
    "ressourcesWithKeys": {"beamer": "Beamer"},
    "erinnerung": "15 minutes",
    "ganztags": False,
    "private": "1",
    "status": "active",
    "abgesagt": False,
    "assignedaddressids": ["8811"],
    "assignedobjectids": ["17"],
    "rp_flag": True,
    "rp_type": "w",
    "rp_tage": "2",
    "rp_beginn_datum": "2026-05-04",
    "rp_ende_datum": "2026-12-31",
    "rp_ende_status": "1",
    "rp_exception": ["2026-06-01"],
    "allowTransitTime": True,
    "transitTime": None,
    "transitTimePre": "00:20:00",
    "transitTimePost": "01:05:00",
    "ProjektNr": 5,
    "von": "bert",
    "modified": "2026-04-01 08:00:00",
}
STORED = Appointment(
    subject="Jour fixe",
    type="Bürotermin",
    note="Agenda folgt",
    start=datetime(2026, 5, 4, 9, 0, tzinfo=BERLIN),
    end=datetime(2026, 5, 4, 9, 45, tzinfo=BERLIN),
    location="Raum 3",
    travel_before=20,
    travel_after=65,
    participants=("anna",),
    groups=("Miete",),
    creator="bert",
    resources=("beamer",),
    addresses=("8811",),
    estate="17",
    project="5",
    private=True,
    reminder=15,
    recurrence=Recurrence(frequency=Frequency.WEEK, interval=2, until=date(2026, 12, 31), exceptions=(date(2026, 6, 1),)),
)
SINGLE = replace(STORED, recurrence=None)


def read(elements, before=None):
    return appointments.load(row(elements, kind="calendar"), ACCOUNT, before)


def test_an_appointment_is_read():
    """Wall times of the account's zone, participants by login, links by id."""
    assert STORED == read(JOUR_FIXE)


def test_what_php_makes_of_nothing_is_nothing():
    """Empty maps and lists are ``[]``, empty dates zeros."""
    empty = {"users": [], "groups": [], "ressourcesWithKeys": [], "assignedaddressids": [], "assignedobjectids": [], "ProjektNr": None}
    series = {
        "rp_flag": False,
        "rp_type": "",
        "rp_tage": 0,
        "rp_beginn_datum": "0000-00-00",
        "rp_ende_datum": "0000-00-00",
        "rp_ende_status": "0",
    }
    bare = {
        "start_dt": "2026-05-04 09:00:00",
        "end_dt": "2026-05-04 09:45:00",
        **empty,
        **series,
        "rp_exception": [],
        "erinnerung": "",
        "art": [],
    }
    assert Appointment(start=STORED.start, end=STORED.end) == read(bare)


@pytest.mark.parametrize("start", [None, "", "0000-00-00 00:00:00", "rubbish"])
def test_an_appointment_without_a_start_is_unreadable(start):
    """A series that a modify anchored at zero (rule 73): it is left as it was here, and reported."""
    with pytest.raises(Unreadable):
        read({**JOUR_FIXE, "start_dt": start})


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"status": "participantsAvailable", "abgesagt": True}, AppointmentStatus.AVAILABLE),  # status wins (rule 59)
        ({"abgesagt": True}, AppointmentStatus.CANCELLED),
        ({"abgesagt": False}, AppointmentStatus.ACTIVE),
        ({"status": "completed"}, AppointmentStatus.COMPLETED),
        ({"status": "canceled"}, AppointmentStatus.CANCELLED),
    ],
)
def test_status_is_read_from_either_field(told, expected):
    """One official sample has no ``status``."""
    base = {key: value for key, value in JOUR_FIXE.items() if key not in ("status", "abgesagt")}
    assert expected is read({**base, **told}).status


def test_whole_days_are_read_with_their_last_day():
    """Inclusive, as onOffice keeps them (U28)."""
    value = read({"start_dt": "2026-05-04 00:00:00", "end_dt": "2026-05-05 23:59:59", "ganztags": "1"})
    assert (date(2026, 5, 4), date(2026, 5, 5)) == (value.start, value.end)


def test_an_occurrence_in_a_window_is_its_series():
    """Whether a window shows a series once or per occurrence is not documented; all show the same series."""
    third = {**JOUR_FIXE, "start_dt": "2026-06-15 09:00:00", "end_dt": "2026-06-15 09:45:00"}
    assert STORED == read(third)


def test_a_series_without_end_is_kept_with_one_far_away():
    """Open-ended series are not drawn in onOffice's calendar (rule 73); it comes back as one without end."""
    endless = replace(STORED, recurrence=replace(STORED.recurrence, until=None))
    sent = appointments.create(endless, ACCOUNT).parameters["data"]
    assert ("2099-12-31", 1) == (sent["rp_ende_datum"], sent["rp_ende_status"])
    assert endless == read({**JOUR_FIXE, "rp_ende_datum": "2099-12-31"})
    assert endless == read({**JOUR_FIXE, "rp_ende_datum": "0000-00-00", "rp_ende_status": "2"})


def test_whoever_the_users_list_does_not_have_is_not_lost():
    """A participant without a known login, and an unknown group, keep their number as a name."""
    value = read({**JOUR_FIXE, "users": [{"id": "99"}], "groups": {"9": "Archiv"}})
    assert (("#99",), ("#9",)) == (value.participants, value.groups)
    (action,) = appointments.modify("1", value, replace(value, participants=("#99", "anna")), ACCOUNT)
    assert {"users": [99, 42], "groups": [9]} == action.parameters["subscribers"]


@pytest.mark.parametrize(
    ("told", "minutes"),
    [
        ("15 minutes", 15),
        ("1 hours", 60),
        ("2 days", 2880),
        ("3 weeks", 30240),
        ("0 minutes", 0),
        ("", None),
        ("7 minutes", 15),
        ("?", None),
    ],
)
def test_a_reminder_is_read(told, minutes):
    """As minutes before the start; one that onOffice itself could not write becomes the next longer one."""
    assert minutes == read({**JOUR_FIXE, "erinnerung": told}).reminder


def test_every_reminder_is_written_as_onoffice_spells_it():
    """Rule 60, with its plural of one."""
    expected = "0 minutes, 5 minutes, 15 minutes, 30 minutes, 1 hours, 2 hours, 3 hours, 12 hours, 15 hours, 1 days, 2 days, 3 days, 1 weeks, 3 weeks"
    assert expected == ", ".join(map(appointments.written_reminder, REMINDERS))


def test_the_zone_of_a_device_is_kept_while_it_means_the_same():
    """onOffice has no field for it: single appointments only, because a series recurs at the wall time that onOffice keeps."""
    york = ZoneInfo("America/New_York")
    before = replace(SINGLE, start=STORED.start.astimezone(york), end=STORED.end.astimezone(york))
    single = {**JOUR_FIXE, "rp_flag": False}
    assert york is read(single, before).start.tzinfo
    assert BERLIN is read({**single, "start_dt": "2026-05-04 08:00:00"}, before).start.tzinfo
    assert BERLIN is read(JOUR_FIXE, replace(before, recurrence=STORED.recurrence)).start.tzinfo


# -------------------------------------------------------------------- writing


def sent(before, after):
    """Parameters of what a change sends."""
    return [dict(action.parameters) for action in appointments.modify("7", before, after, ACCOUNT)]


def test_only_what_changed_is_sent():
    """Links that are not named stay (rule 65): addresses, estate, project, resources, travel time, type."""
    assert [{"data": {"description": "Neu"}}] == sent(STORED, replace(STORED, subject="Neu"))
    assert [{"data": {"end_dt": "2026-05-04 10:00:00"}}] == sent(SINGLE, replace(SINGLE, end=datetime(2026, 5, 4, 10, tzinfo=BERLIN)))
    assert [] == sent(STORED, STORED)


def test_a_changed_place_is_text_and_an_unchanged_one_keeps_its_link():
    """Rule 61: what a place is linked to stays in onOffice as long as the place is not named."""
    assert [{"data": {"note": "x"}}] == sent(STORED, replace(STORED, note="x"))
    assert [{"data": {}, "location": {"sonstiges": "Garten"}}] == sent(STORED, replace(STORED, location="Garten"))
    assert [{"data": {}, "location": {"keine Angaben": ""}}] == sent(STORED, replace(STORED, location=""))


def test_a_series_is_written_whole_with_its_start():
    """Without the start onOffice anchors it at 0000-00-00 (rule 73)."""
    assert [
        {
            "data": {
                "start_dt": "2026-05-04 09:00:00",
                "end_dt": "2026-05-04 09:45:00",
                "ganztags": False,
                "rp_flag": True,
                "rp_type": "w",
                "rp_tage": 2,
                "rp_beginn_datum": "2026-05-04",
                "rp_ende_datum": "2026-12-31",
                "rp_ende_status": 1,
                "rp_exception": "#2026-06-01",
            }
        }
    ] == sent(SINGLE, STORED)


def test_a_series_that_moves_takes_its_anchor_along():
    """The first day is a field of its own."""
    moved = replace(STORED, start=datetime(2026, 5, 5, 9, tzinfo=BERLIN), end=datetime(2026, 5, 5, 9, 45, tzinfo=BERLIN))
    assert "2026-05-05" == sent(STORED, moved)[0]["data"]["rp_beginn_datum"]


def test_any_change_of_a_series_sends_all_of_it():
    """Also where only the interval differs."""
    (action,) = sent(STORED, replace(STORED, recurrence=replace(STORED.recurrence, interval=3)))
    assert {"start_dt", "end_dt", "ganztags", *appointments.SERIES_KEYS} == set(action["data"])


def test_a_series_becomes_single():
    """By its flag."""
    assert [{"data": {"rp_flag": False}}] == sent(STORED, SINGLE)


def test_an_excluded_day_is_written_with_the_others():
    """Deleting one occurrence is adding an exception; the list is always complete, and can become empty again."""
    more = replace(STORED, recurrence=replace(STORED.recurrence, exceptions=(date(2026, 6, 1), date(2026, 6, 15))))
    none = replace(STORED, recurrence=replace(STORED.recurrence, exceptions=()))
    assert ["#2026-06-01#2026-06-15", ""] == [sent(STORED, one)[0]["data"]["rp_exception"] for one in (more, none)]


def test_another_address_is_added_and_one_less_replaces():
    """onOffice adds what is named unless told to replace (rule 65)."""
    assert [{"data": {}, "relatedAddressIds": [8812]}] == sent(STORED, replace(STORED, addresses=("8811", "8812")))
    assert [{"data": {}, "relatedAddressIds": [], "replaceAddressIds": True}] == sent(STORED, replace(STORED, addresses=()))
    assert [{"data": {}, "relatedEstateId": 0}] == sent(STORED, replace(STORED, estate=""))


def test_leaving_an_appointment_leaves_the_others_in():
    """All participants are named, by their ids."""
    both = replace(STORED, participants=("anna", "bert"))
    assert [{"data": {}, "subscribers": {"users": [43], "groups": [8]}}] == sent(both, replace(both, participants=("bert",)))


def test_a_participant_whom_onoffice_lacks_is_refused():
    """Rather than left out."""
    with pytest.raises(Refused, match="no user 'carla'"):
        sent(STORED, replace(STORED, participants=("anna", "carla")))


def test_a_type_that_is_none_changes_nothing():
    """A device's own category; onOffice would refuse the whole change."""
    assert [{"data": {"art": "besichtigung"}}] == sent(STORED, replace(STORED, type="Besichtigung"))
    assert [] == sent(STORED, replace(STORED, type="Ferien"))


def test_an_appointment_is_made():
    """What is empty is not said; its reminder is a pop-up, so that nobody gets mail (rule 75)."""
    value = Appointment(
        subject="Termin", start=date(2026, 5, 4), end=date(2026, 5, 5), participants=("anna",), creator="anna", reminder=60, type="buero"
    )
    action = appointments.create(value, ACCOUNT)
    assert action.parameters == {
        "data": {
            "description": "Termin",
            "art": "buero",
            "status": "active",
            "start_dt": "2026-05-04 00:00:00",
            "end_dt": "2026-05-05 23:59:59",
            "ganztags": True,
            "von": "anna",
            "erinnerung": "1 hours",
        },
        "subscribers": {"users": [42], "groups": []},
        "reminderTypes": ["popup"],
    }
    assert (Verb.CREATE, False) == (action.verb, action.may_repeat)


def test_an_appointment_is_deleted_in_the_calendar():
    """The documentation's heading names another resource than its example, which is right."""
    (action,) = appointments.remove("7", ACCOUNT)
    assert "delete calendar 7" == str(action)


# -------------------------------------------------------------------- reading


def test_changes_are_asked_for_in_utc_and_of_everybody():
    """Cancelled ones are hidden otherwise, and appointments without any user, too."""
    action = appointments.read_changed(datetime(2026, 5, 4, 9, 30, tzinfo=UTC))
    assert {"modifiedstart": "2026-05-04 09:30:00", "allusers": True, "showcancelled": True} == action.parameters


rules = st.builds(
    Recurrence,
    frequency=st.sampled_from(Frequency),
    interval=st.integers(1, 999),
    until=st.none() | days,
    exceptions=st.lists(days, max_size=3, unique=True).map(lambda found: tuple(sorted(found))),
)


@st.composite
def values(draw):
    """Any appointment that onOffice can hold."""
    moment = st.sampled_from([days, moments])
    kind = draw(moment)
    start, end = sorted((draw(kind), draw(kind)))
    names, numbers = st.sets(st.sampled_from(["anna", "bert"])), st.lists(st.integers(1, 99).map(str), max_size=3, unique=True)
    return Appointment(
        subject=draw(texts),
        type=draw(st.sampled_from(["", "Besichtigung", "Bürotermin"])),
        status=draw(st.sampled_from(AppointmentStatus)),
        note=draw(texts),
        start=start,
        end=end,
        location=draw(texts),
        travel_before=draw(st.integers(0, 1439)),
        travel_after=draw(st.integers(0, 1439)),
        participants=tuple(sorted(draw(names))),
        groups=tuple(sorted(draw(st.sets(st.sampled_from(["Verkauf", "Miete"]))))),
        creator=draw(st.sampled_from(["", "anna"])),
        addresses=tuple(draw(numbers)),
        estate=draw(st.sampled_from(["", "17"])),
        private=draw(st.booleans()),
        reminder=draw(st.none() | st.sampled_from(REMINDERS)),
        recurrence=draw(st.none() | rules),
    )


def held(elements, parameters):
    """What the calendar's read shows after a write: siblings under the names that reads have."""
    people, place = parameters.get("subscribers"), parameters.get("location", {})
    found = {**elements, **parameters["data"]}
    if people is not None:
        found |= {"users": [{"id": str(one)} for one in people["users"]], "groups": [str(one) for one in people["groups"]]}
    if "relatedAddressIds" in parameters:
        had = [] if parameters.get("replaceAddressIds") else elements.get("assignedaddressids", [])
        found["assignedaddressids"] = [*had, *map(str, parameters["relatedAddressIds"])]
    if "relatedEstateId" in parameters:
        found["assignedobjectids"] = [str(parameters["relatedEstateId"])]
    return found | ({"ort": place.get("sonstiges", "")} if place else {})


@given(values(), values())
def test_any_change_reads_back_as_what_was_meant(before, after):
    """What is sent, laid over what onOffice had, is the new value; participants and links come as ids."""
    elements = held({}, appointments.create(before, ACCOUNT).parameters)
    assert before == read(elements)
    for action in appointments.modify("1", before, after, ACCOUNT):
        elements = held(elements, action.parameters)
    if not after.type and before.type:
        after = replace(after, type=before.type)  # a type cannot be taken away
    assert set(after.addresses) == set(read(elements, before).addresses)
    assert replace(after, addresses=()) == replace(read(elements, before), addresses=())
