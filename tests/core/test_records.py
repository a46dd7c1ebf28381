"""The one write path: gates, rights, merging, versions, names (rules 9, 12, 16-21, 54, 60-66, 72; U10, U11, U23, U24, U46-U48)."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from radicale_onoffice.core.drafts import AppointmentDraft, ContactDraft, Override, Series
from radicale_onoffice.core.errors import BadRequest, CameBack, Conflict, DuplicateUid, GateClosed, NotFound, OutOfReach, Refused
from radicale_onoffice.core.model import (
    Actor,
    Appointment,
    Base,
    Contact,
    Entry,
    EntryKind,
    Face,
    Frequency,
    Identity,
    Kind,
    Recurrence,
    Slot,
    User,
)
from radicale_onoffice.core.policy import Direction, OnContactDelete, Policy
from radicale_onoffice.core.ports import Held
from radicale_onoffice.core.rights import Gate

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
CRM, PHONE, OTHER = Actor(identity=ANNA, face=Face.CRM), Actor(identity=ANNA, face=Face.DAV), Actor(identity=BERT, face=Face.DAV)
CONTACTS, CALENDAR = Kind.CONTACTS, Kind.APPOINTMENTS
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 4, 1, 10, tzinfo=BERLIN)


def meeting(**changes) -> Appointment:
    return Appointment(**{"subject": "m", "start": START, "end": START + timedelta(hours=1), "participants": ("anna",), **changes})


def put_meeting(office, actor=PHONE, **kwargs):
    draft = kwargs.pop("draft", None) or AppointmentDraft(value=replace(kwargs.pop("value", meeting()), participants=()))
    return office.records.put(actor, CALENDAR, draft, **kwargs)


def put_contact(office, last_name="Berger", actor=PHONE, **kwargs):
    return office.records.put(actor, CONTACTS, ContactDraft(value=Contact(last_name=last_name)), **kwargs)


def test_u10_a_contact_made_on_a_device_is_flagged_for_its_user(office):
    """And for nobody else (rule 20)."""
    assert ("anna",) == put_contact(office).value.sync_users
    assert ([1], [0]) == ([len(office.feeds.listing(ANNA, CONTACTS))], [len(office.feeds.listing(BERT, CONTACTS))])


def test_rules_16_and_17_only_who_flagged_a_contact_gets_it(office):
    """The flag is per user and per address."""
    office.records.write(CRM, CONTACTS, Contact(last_name="Both", sync_users=("anna", "bert")), uid="both")
    office.records.write(CRM, CONTACTS, Contact(last_name="Hers", sync_users=("anna",)), uid="hers")
    office.records.write(CRM, CONTACTS, Contact(last_name="Nobody's"), uid="nobody")
    seen = [{offer.uid for offer in office.feeds.listing(who, CONTACTS)} for who in (ANNA, BERT)]
    assert [{"both", "hers"}, {"both"}] == seen


def test_rule_13_what_resembles_a_record_is_not_matched(office):
    """U49: a contact that the device had already is a second one."""
    office.records.write(CRM, CONTACTS, Contact(last_name="Berger", sync_users=("anna",)))
    put_contact(office, "Berger", uid="of the device")
    assert 2 == len(office.feeds.listing(ANNA, CONTACTS))


def test_u8_slots_belong_to_the_address(office):
    """What one user's device changes is what the other's device shows."""
    phone = Entry(id=1, kind=EntryKind.PHONE, value="0241 1", slot=Slot.HOME)
    record = office.records.write(CRM, CONTACTS, Contact(last_name="B", entries=(phone,), sync_users=("anna", "bert")))
    draft = ContactDraft(value=record.value, sent={Slot.HOME: "0241 2"})
    office.records.put(OTHER, CONTACTS, draft, record_id=record.id)
    (offer,) = office.feeds.listing(ANNA, CONTACTS)
    assert (True, False) == ("0241 2" in offer.text, "0241 1" in offer.text)


def test_rule_21_deleting_a_contact_on_a_device_clears_the_flag_only(office):
    """The address stays for everybody else, and in the CRM."""
    record = office.records.write(CRM, CONTACTS, Contact(last_name="B", sync_users=("anna", "bert")))
    office.records.delete(PHONE, CONTACTS, record.id)
    assert ("bert",) == office.records.get("t", record.id).value.sync_users
    assert ([], 1) == (list(office.feeds.listing(ANNA, CONTACTS)), len(office.feeds.listing(BERT, CONTACTS)))


def test_u11_options_delete_or_refuse(make_office):
    """`delete` takes it out of the CRM, `ignore` brings it back to the device."""
    office = make_office(Policy(contact_delete=OnContactDelete.DELETE))
    record = put_contact(office)
    office.records.delete(PHONE, CONTACTS, record.id)
    with pytest.raises(NotFound):
        office.records.get("t", record.id)
    office = make_office(Policy(contact_delete=OnContactDelete.IGNORE))
    record = put_contact(office)
    with pytest.raises(Refused, match="Sync flag"):
        office.records.delete(PHONE, CONTACTS, record.id)


def test_u9_an_archived_contact_is_not_offered(make_office):
    """Unless the option says so (rule 19)."""
    for policy, expected in ((Policy(), 0), (Policy(include_archived=True), 1)):
        office = make_office(policy)
        if not expected:
            office.records.write(CRM, CONTACTS, Contact(last_name="B", sync_users=("anna",), archived=True))
        assert expected == len(office.feeds.listing(ANNA, CONTACTS))


def test_rule_18_taking_the_flag_away_removes_it_from_that_users_devices(office):
    """A sync client is told."""
    record = office.records.write(CRM, CONTACTS, Contact(last_name="B", sync_users=("anna", "bert")))
    mine, his = office.feeds.cursor(ANNA, CONTACTS), office.feeds.cursor(BERT, CONTACTS)
    office.records.write(CRM, CONTACTS, replace(record.value, sync_users=("bert",)), record_id=record.id)
    assert [False] == [entry.live for entry in office.feeds.changes(ANNA, CONTACTS, mine)[1]]
    assert [] == [entry.live for entry in office.feeds.changes(BERT, CONTACTS, his)[1] if not entry.live]


def test_making_again_what_was_deleted_brings_the_record_back(office):
    """The same UID means the same record, not a twin (rules 12, 18)."""
    record = put_contact(office, uid="u", name="u.vcf")
    office.records.delete(PHONE, CONTACTS, record.id)
    with pytest.raises(CameBack) as caught:
        put_contact(office, "Berger", uid="u", name="u.vcf")
    assert record.value == caught.value.base.value
    again = put_contact(office, "Berger", uid="u", name="u.vcf", base=caught.value.base)
    assert (record.id, ("anna",)) == (again.id, again.value.sync_users)


def test_rule_9_each_right_is_asked_for(office):
    """Create, modify, delete: one missing right refuses one change and nothing else (U47)."""
    record = put_contact(office)
    with office.store.writing() as tx:
        tx.save_user(User(identity=ANNA, rights=frozenset({"contacts.read"})))
    changed = ContactDraft(value=replace(record.value, last_name="X"))
    with pytest.raises(Refused, match="create"):
        put_contact(office, "New")
    with pytest.raises(Refused, match="modify"):
        office.records.put(PHONE, CONTACTS, changed, record_id=record.id)
    with pytest.raises(Refused, match="delete"):
        office.records.delete(PHONE, CONTACTS, record.id)
    assert record == office.records.get("t", record.id)


def test_u48_one_direction_refuses_every_change(make_office):
    """To the device only (rule 99)."""
    office = make_office(Policy(direction=dict.fromkeys(Kind, Direction.TO_DEVICE)))
    with pytest.raises(Refused, match="to devices only"):
        put_contact(office)


@pytest.mark.parametrize("gate", list(Gate))
def test_rule_1_a_closed_gate_refuses_and_tells_the_reason(office, gate):
    """Also a device that still believes in its folder."""
    office.settings.set_gate(ANNA, gate, CONTACTS, False, "test")
    with pytest.raises(GateClosed, match="Synchronisation of contacts is off"):
        put_contact(office)
    assert [] == list(office.feeds.listing(BERT, CONTACTS))


def test_equal_to_what_is_stored_writes_nothing(office):
    """No version, no change number, no history line."""
    record = put_contact(office)
    again = office.records.put(PHONE, CONTACTS, ContactDraft(value=record.value), record_id=record.id)
    assert (record, 1) == (again, len(office.records.history("t", record.id)))


def test_a_stale_expectation_is_a_conflict(office):
    """The client learns that somebody was faster."""
    record = put_contact(office)
    office.records.write(CRM, CONTACTS, replace(record.value, city="Aachen"), record_id=record.id)
    with pytest.raises(Conflict, match="version 2, expected 1"):
        office.records.put(PHONE, CONTACTS, ContactDraft(value=record.value), record_id=record.id, expect=1)


def test_u46_changes_of_different_fields_are_merged_and_the_crm_wins_the_same_one(office):
    """Three-way, by field, against what the device had."""
    had = office.records.write(CRM, CONTACTS, Contact(last_name="B", city="Köln", street="A", sync_users=("anna",)))
    office.records.write(CRM, CONTACTS, replace(had.value, city="Aachen"), record_id=had.id)
    draft = ContactDraft(value=replace(had.value, city="Bonn", street="B"))
    stored = office.records.put(PHONE, CONTACTS, draft, record_id=had.id, base=Base(value=had.value))
    assert ("Aachen", "B") == (stored.value.city, stored.value.street)


def test_writers_at_once_lose_nothing(office):
    """Without an expected version a write is merged again when another device was faster."""
    record = put_contact(office)
    names = ("street", "city", "country", "homepage")

    def change(name):
        draft = ContactDraft(value=replace(record.value, **{name: name}))
        office.records.put(replace(PHONE, device=name), CONTACTS, draft, record_id=record.id, base=Base(value=record.value))

    threads = [threading.Thread(target=change, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    value = office.records.get("t", record.id).value
    assert list(names) == [getattr(value, name) for name in names]


def test_a_uid_is_used_once_per_reader(office):
    """Another name for the same UID is refused and told whose it is; another user may have his own."""
    put_contact(office, uid="u", name="one.vcf")
    with pytest.raises(DuplicateUid, match=r"one\.vcf"):
        put_contact(office, uid="u", name="two.vcf")
    assert put_contact(office, actor=OTHER, uid="u", name="two.vcf").uid == "u"


def test_rule_12_two_users_may_choose_the_same_name(office):
    """Each finds his own record under it."""
    first = put_contact(office, "A", uid="a", name="x.vcf")
    second = put_contact(office, "B", actor=OTHER, uid="b", name="x.vcf")
    assert first.id == office.records.find(ANNA, CONTACTS, ["x.vcf"])["x.vcf"].record_id
    assert second.id == office.records.find(BERT, CONTACTS, ["x.vcf"])["x.vcf"].record_id


@pytest.mark.parametrize("uid", ["", "x" * 1025])
def test_a_uid_has_a_length(office, uid):
    """Bounded like every input."""
    with pytest.raises(BadRequest):
        put_contact(office, uid=uid)


def test_a_record_of_somebody_else_is_as_if_it_were_not(office):
    """Neither changed nor deleted nor found."""
    record = put_contact(office)
    for attempt in (
        lambda: office.records.put(OTHER, CONTACTS, ContactDraft(value=Contact(last_name="X")), record_id=record.id),
        lambda: office.records.delete(OTHER, CONTACTS, record.id),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert {} == office.records.find(BERT, CONTACTS, [record.name])


# ---------------------------------------------------------------- appointments


def test_u23_an_appointment_made_on_a_device_is_its_users(make_office):
    """Creator and participant, with the default type."""
    value = put_meeting(make_office(Policy(default_type="Termin"))).value
    assert ("anna", ("anna",), "Termin") == (value.creator, value.participants, value.type)


def test_u24_deleting_leaves_the_appointment_to_its_other_participants(office):
    """The sole participant deletes it, a member of a group is refused."""
    shared = office.records.write(CRM, CALENDAR, meeting(participants=("anna", "bert")))
    office.records.delete(PHONE, CALENDAR, shared.id)
    assert ("bert",) == office.records.get("t", shared.id).value.participants
    own = office.records.write(CRM, CALENDAR, meeting())
    office.records.delete(PHONE, CALENDAR, own.id)
    with pytest.raises(NotFound):
        office.records.get("t", own.id)
    with office.store.writing() as tx:
        tx.save_user(User(identity=ANNA, groups=("sales",)))
    group = office.records.write(CRM, CALENDAR, meeting(participants=("bert",), groups=("sales",)))
    with pytest.raises(Refused, match="through a group"):
        office.records.delete(PHONE, CALENDAR, group.id)


def test_rule_54_out_of_reach_is_neither_changed_nor_deleted(office):
    """What a device does not see it cannot lose."""
    old = START - timedelta(days=400)
    record = office.records.write(CRM, CALENDAR, meeting(start=old, end=old + timedelta(hours=1)), uid="old")
    with pytest.raises(OutOfReach):
        office.records.delete(PHONE, CALENDAR, record.id)
    with pytest.raises(OutOfReach):
        put_meeting(office, record_id=record.id)
    with pytest.raises(OutOfReach):
        put_meeting(office, uid="old", name=record.name)
    assert record == office.records.get("t", record.id)


def test_rule_65_a_device_edit_keeps_the_crms_links(office, crm_has):
    """Addresses, estate, project, resources, travel time, type, participants."""
    crm_has(address=7, estate=17, project=27, resource=37)
    linked = meeting(
        addresses=("7",), estate="17", project="27", resources=("37",), travel_before=30, type="Besichtigung", groups=("sales",)
    )
    record = office.records.write(CRM, CALENDAR, linked)
    stored = put_meeting(office, draft=AppointmentDraft(value=replace(record.value, subject="new")), record_id=record.id)
    assert replace(record.value, subject="new") == stored.value


@pytest.mark.parametrize(
    ("sent", "stored"), [(None, None), (0, 0), (3, 5), (10, 15), (31, 60), (1440, 1440), (20160, 30240), (999999, 30240), (-5, 0)]
)
def test_rule_60_reminders_snap_to_the_next_longer_one(office, sent, stored):
    """U27: above three weeks three weeks, after the start none before it."""
    assert stored == put_meeting(office, value=meeting(reminder=sent)).value.reminder


def test_rule_72_a_changed_occurrence_becomes_an_appointment_of_its_own(office):
    """Its day becomes an exception of the series; sending it again makes no twin."""
    moved = meeting(subject="moved", start=START + timedelta(days=7, hours=2), end=START + timedelta(days=7, hours=3))
    series = Series(frequency="WEEKLY", overrides=(Override(day=date(2026, 4, 8), appointment=moved),))
    record = put_meeting(office, draft=AppointmentDraft(value=meeting(), series=series), uid="s", name="s.ics")
    assert Recurrence(frequency=Frequency.WEEK, exceptions=(date(2026, 4, 8),)) == record.value.recurrence
    assert {"s", "s-20260408"} == {offer.uid for offer in office.feeds.listing(ANNA, CALENDAR)}
    put_meeting(office, draft=AppointmentDraft(value=record.value, series=series), record_id=record.id)
    assert 2 == len(office.feeds.listing(ANNA, CALENDAR))


def test_undo_brings_back_an_earlier_version(office):
    """As a new version, so that devices get it."""
    record = put_contact(office, "First")
    office.records.write(CRM, CONTACTS, replace(record.value, last_name="Second"), record_id=record.id)
    cursor = office.feeds.cursor(ANNA, CONTACTS)
    restored = office.records.restore(CRM, record.id, 1)
    assert (3, "First") == (restored.version, restored.value.last_name)
    assert 1 == len(office.feeds.changes(ANNA, CONTACTS, cursor)[1])
    with pytest.raises(NotFound, match="record history"):
        office.records.restore(CRM, record.id, 9)


def test_old_versions_are_pruned_with_the_days_first_write(make_office, clock):
    """But never the newest."""
    office = make_office(Policy(history_days=10))
    record = put_contact(office)
    office.records.write(CRM, CONTACTS, replace(record.value, city="A"), record_id=record.id)
    clock.now += timedelta(days=11)
    put_contact(office, "Other")
    assert [2] == [line.version for line in office.records.history("t", record.id)]


def test_rule_24_a_slot_in_the_crm_moves(office):
    """T6: an entry that had it falls back to none."""
    entries = (
        Entry(id=1, kind=EntryKind.PHONE, value="1", slot=Slot.HOME),
        Entry(id=2, kind=EntryKind.PHONE, value="2"),
    )
    record = office.records.write(CRM, CONTACTS, Contact(last_name="B", entries=entries, sync_users=("anna",)))
    assert "TEL;TYPE=HOME,VOICE" in record.text


# ---------------------------------------------- what a device is told, and had


def test_what_is_told_of_a_change_is_kept_in_its_commit(office):
    """`also` sees the record; if it fails nothing is stored; a change that changes nothing calls it, too."""
    told = []

    def also(tx, record):
        told.append((record.version, tx.record("t", record.id).version))
        tx.save_setting("told", str(len(told)))

    record = put_contact(office, also=also)
    same = ContactDraft(value=record.value)
    assert record == office.records.put(PHONE, CONTACTS, same, record_id=record.id, also=also)
    changed = ContactDraft(value=replace(record.value, city="Aachen"))
    office.records.put(PHONE, CONTACTS, changed, record_id=record.id, also=also)
    assert [(1, 1), (1, 1), (2, 2)] == told
    with pytest.raises(ZeroDivisionError):
        office.records.put(PHONE, CONTACTS, same, record_id=record.id, also=lambda tx, record: 1 // 0)
    assert "Aachen" == office.records.get("t", record.id).value.city
    with office.store.reading() as tx:
        assert "3" == tx.setting("told")


def test_what_is_told_is_told_again_when_the_write_is_tried_again(office):
    """Somebody was faster: the transaction of the first try is gone, and what was told in it."""
    record = put_contact(office)
    told = []

    def also(tx, stored):
        told.append(stored.version)

    class Slow:
        """A CRM that lets somebody else be faster, once."""

        def update(self, actor, current, value):
            if current.version == 1:
                office.records.write(CRM, CONTACTS, replace(record.value, street="A"), record_id=record.id)
            return Held(value)

    slow = type(office.records)(
        store=office.store, crm=Slow(), render=office.records._render, policy=office.policy, clock=office.clock, feeds=office.feeds
    )
    draft = ContactDraft(value=replace(record.value, city="Bonn"))
    stored = slow.put(PHONE, CONTACTS, draft, record_id=record.id, base=Base(value=record.value), also=also)
    assert ([3], "A", "Bonn") == (told, stored.value.street, stored.value.city)


def test_rule_40_what_a_device_had_is_found_by_the_change_number(office):
    """Value, leftovers and the text rendered from them, also of versions that have been replaced."""
    first = put_contact(office, "First")
    put_contact(office, "Other")
    second = office.records.write(CRM, CONTACTS, replace(first.value, last_name="Second"), record_id=first.id)
    bases = [office.records.base("t", first.id, change) for change in range(5)]
    assert [None, "First", "First", "Second", "Second"] == [base and base.value.last_name for base in bases]
    assert [None, first.text, first.text, second.text, second.text] == [base and base.text for base in bases]


def test_a_device_had_nothing_of_what_was_deleted(office):
    """Nor of what never was, nor of what is kept no more."""
    record = put_contact(office)
    office.records.remove(CRM, record.id)
    assert (record.text, None) == (office.records.base("t", record.id, 1).text, office.records.base("t", record.id, 2))
    assert (None, None) == (office.records.base("t", "no", 9), office.records.base("no", record.id, 9))
    with office.store.writing() as tx:
        tx.prune_history(office.clock() + timedelta(days=1))
    assert office.records.base("t", record.id, 1) is None


def test_offers_by_id_are_those_that_the_reader_may_see(office):
    """In or out of the window, by id, in the stored form."""
    mine, his = put_contact(office, "A"), put_contact(office, "B", actor=OTHER)
    old = office.records.write(CRM, CALENDAR, meeting(start=START - timedelta(days=999), end=START - timedelta(days=998)))
    (offer,) = office.records.offers(ANNA, CONTACTS, [his.id, mine.id, "no"])
    assert (mine.id, mine.version, mine.text, mine.etag) == (offer.record_id, offer.version, offer.text, offer.etag)
    assert [old.id] == [one.record_id for one in office.records.offers(ANNA, CALENDAR, [old.id])]
    assert [] == list(office.records.offers(ANNA, CONTACTS, []))
