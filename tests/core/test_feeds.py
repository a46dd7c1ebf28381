"""Feeds as a phone needs them: scopes, news in pages, births, and what left the window only (rules 48-55, U14-U18, U34)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy

from radicale_onoffice.core.errors import BadRequest, CursorInvalid
from radicale_onoffice.core.feeds import DEFAULT, OPEN, PASTS, Cursor
from radicale_onoffice.core.model import Actor, Appointment, AppointmentStatus, Contact, Face, Identity, Kind, Task, TaskStatus
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.rights import Gate

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
CRM = Actor(identity=ANNA, face=Face.CRM)
CONTACTS, CALENDAR, TASKS = Kind.CONTACTS, Kind.APPOINTMENTS, Kind.TASKS
BERLIN = ZoneInfo("Europe/Berlin")
# The fixed clock says Sunday 2026-03-15, 09:30 in Berlin.


def appointment(office, uid: str, day: date, **changes):
    value = Appointment(subject=uid, start=day, end=day, **{"participants": ("anna",), **changes})
    return office.records.write(CRM, CALENDAR, value, uid=uid)


def contact(office, name: str, **changes):
    return office.records.write(CRM, CONTACTS, Contact(last_name=name, sync_users=("anna",)), uid=name, **changes)


def task(office, uid: str, **changes):
    return office.records.write(CRM, TASKS, Task(subject=uid, responsible="anna", **changes), uid=uid)


def offered(office, kind: Kind, scope: str) -> set[str]:
    return {offer.uid for offer in office.feeds.listing(ANNA, kind, scope)}


@pytest.mark.parametrize(
    ("scope", "first"),
    [
        (DEFAULT, date(2026, 2, 15)),
        ("P14D", date(2026, 3, 1)),
        ("P1M", date(2026, 2, 15)),
        ("P3M", date(2025, 12, 15)),
        ("P6M", date(2025, 9, 15)),
    ],
)
def test_r2994_r2997_each_filter_reaches_back_from_today_in_whole_days(office, scope, first):
    """MS-ASCMD R2994-R2997, FilterType 4 to 7: two weeks are 14 days, months are calendar months (U14); the far edge is the same for all (rule 50)."""
    appointment(office, "before", first - timedelta(days=1))
    appointment(office, "first", first)
    appointment(office, "last", date(2026, 9, 15))
    appointment(office, "after", date(2026, 9, 16))
    assert {"first", "last"} == offered(office, CALENDAR, scope)


def test_u14_the_month_of_a_filter_is_clamped_to_its_end(office, clock):
    """Three months before 31 May is 28 February."""
    clock.now = datetime(2026, 5, 31, 10, tzinfo=UTC)
    appointment(office, "in", date(2026, 2, 28))
    appointment(office, "out", date(2026, 2, 27))
    assert {"in"} == offered(office, CALENDAR, "P3M")


def test_u15_a_filter_reaches_no_further_than_the_policy_lets_clients(make_office):
    """And a policy that changes moves the feed."""
    office = make_office(Policy(client_past_max_months=2))
    appointment(office, "in", date(2026, 1, 15))
    appointment(office, "out", date(2026, 1, 14))
    assert {"in"} == offered(office, CALENDAR, "P6M")
    assert {"in", "out"} == offered(make_office(Policy(client_past_max_months=6)), CALENDAR, "P6M")


def test_a_default_window_wider_than_the_clients_own_stays(make_office):
    """The limit is for what clients ask for; a shorter filter may show less than the default."""
    office = make_office(Policy(window_past_months=12, client_past_max_months=0))
    appointment(office, "old", date(2025, 4, 1))
    assert ({"old"}, set()) == (offered(office, CALENDAR, DEFAULT), offered(office, CALENDAR, "P1M"))


def test_rule_48_the_cap_is_the_same_in_each_scope(make_office):
    """Upcoming ones first, then the newest past ones, however far back a client asks."""
    office = make_office(Policy(max_appointments=3))
    for days in (-100, -40, -20, -3, 3, 5):
        appointment(office, f"{days}", date(2026, 3, 15) + timedelta(days=days))
    for scope in (DEFAULT, *PASTS):
        assert {"3", "5", "-3"} == offered(office, CALENDAR, scope), scope


def test_r2998_filter_8_is_open_tasks_only(office):
    """MS-ASCMD R2998: neither completed nor cancelled ones (U34); the default scope has them all."""
    task(office, "open")
    task(office, "checked", status=TaskStatus.CHECKED, done=True)
    task(office, "cancelled", status=TaskStatus.CANCELLED)
    assert {"open", "checked", "cancelled"} == offered(office, TASKS, DEFAULT)
    assert {"open"} == offered(office, TASKS, OPEN)


@pytest.mark.parametrize(("kind", "scope"), [(CONTACTS, "P1M"), (CONTACTS, OPEN), (TASKS, "P1M"), (CALENDAR, OPEN), (CALENDAR, "P2M")])
def test_an_unknown_scope_is_refused_and_leaves_nothing_in_the_store(office, kind, scope):
    """A client cannot fill the database with feeds: the words are fixed."""
    for attempt in (office.feeds.news, office.feeds.changes):
        with pytest.raises(BadRequest, match="There is no scope"):
            attempt(ANNA, kind, None, scope=scope)
    for attempt in (office.feeds.entries, office.feeds.listing, office.feeds.cursor):
        with pytest.raises(BadRequest, match="There is no scope"):
            attempt(ANNA, kind, scope)
    with office.store.reading() as tx:
        assert 0 == tx.counts("t")["feeds"]


# ------------------------------------------------------------------------ news


def test_news_comes_in_pages_and_nothing_is_lost_or_sent_twice(office):
    """The cursor is the page's last entry; what changes meanwhile moves behind it."""
    records = [contact(office, f"c{number}") for number in range(7)]
    first = office.feeds.news(ANNA, CONTACTS, None, limit=3)
    assert (True, 3) == (first.more, len(first.entries))
    office.records.write(CRM, CONTACTS, replace(records[0].value, city="Aachen"), record_id=records[0].id)
    seen, since = list(first.entries), first
    while since.more:
        since = office.feeds.news(ANNA, CONTACTS, since.cursor, limit=3)
        seen += since.entries
    assert [entry.seq for entry in seen] == sorted({entry.seq for entry in seen})
    assert [record.id for record in records] + [records[0].id] == [entry.record_id for entry in seen]
    assert (since.cursor, (), False) == office.feeds.news(ANNA, CONTACTS, since.cursor)[:3]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_page_that_is_just_full_has_no_more(office, limit):
    """Only what a limit cut off is more; a limit of nothing tells whether there is something."""
    for number in range(limit):
        contact(office, f"c{number}")
    page = office.feeds.news(ANNA, CONTACTS, None, limit=limit)
    assert (False, limit) == (page.more, len(page.entries))
    nothing = office.feeds.news(ANNA, CONTACTS, None, limit=0)
    assert (True, (), 0) == (nothing.more, tuple(nothing.entries), nothing.cursor.seq)
    assert page.entries == office.feeds.news(ANNA, CONTACTS, nothing.cursor).entries
    assert not office.feeds.news(ANNA, CONTACTS, page.cursor, limit=0).more


def test_news_names_the_change_number_that_it_is_of(office):
    """So that what a device had can be found again (Records.base)."""
    contact(office, "a")
    news = office.feeds.news(ANNA, CONTACTS, None)
    assert 1 == news.change
    task(office, "t")
    assert (2, news.cursor, ()) == ((again := office.feeds.news(ANNA, CONTACTS, news.cursor)).change, again.cursor, again.entries)


def test_no_news_costs_one_statement_beside_who_asks(office):
    """However much is stored: the head is read with the change number, and no entry."""
    for number in range(20):
        contact(office, f"c{number}")
    since = office.feeds.cursor(ANNA, CONTACTS)
    statements = []
    sqlalchemy.event.listen(office.store.engine, "after_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    office.feeds.news(ANNA, CONTACTS, since)
    assert 2 == len([one for one in statements if one.startswith("SELECT")])
    assert [] == [one for one in statements if "feed_entries" in one or not one.startswith(("SELECT", "BEGIN"))]


@pytest.mark.parametrize("since", [Cursor("other", 0), Cursor("", 1), Cursor("mine", 99)])
def test_a_cursor_that_is_none_of_the_feeds_is_invalid(office, since):
    """Another epoch, or a number that was never given out."""
    epoch = office.feeds.cursor(ANNA, CONTACTS).epoch
    with pytest.raises(CursorInvalid):
        office.feeds.news(ANNA, CONTACTS, replace(since, epoch=epoch) if since.epoch == "mine" else since)


def test_scopes_have_cursors_of_their_own(office):
    """A cursor of one scope is invalid in another: moving between them is the difference of their entries."""
    appointment(office, "a", date(2026, 3, 20))
    cursor = office.feeds.cursor(ANNA, CALENDAR)
    with pytest.raises(CursorInvalid):
        office.feeds.news(ANNA, CALENDAR, cursor, scope="P3M")


# ----------------------------------------------------------------------- births


def test_an_entry_keeps_its_birth_whatever_becomes_of_it(office):
    """Changed, gone and back again: live_since moves, born does not."""
    record = contact(office, "a")
    contact(office, "b")

    def entry():
        return next(one for one in office.feeds.entries(ANNA, CONTACTS)[1] if one.record_id == record.id)

    assert (1, 1, 1) == (entry().born, entry().live_since, entry().seq)
    changed = office.records.write(CRM, CONTACTS, replace(record.value, city="Aachen"), record_id=record.id)
    assert (1, 1, 3) == (entry().born, entry().live_since, entry().seq)
    office.records.write(CRM, CONTACTS, replace(changed.value, sync_users=()), record_id=record.id)
    assert (False, 1, 4) == (entry().live, entry().born, entry().gone_since)
    office.records.write(CRM, CONTACTS, changed.value, record_id=record.id)
    assert (True, 1, 5, 5) == (entry().live, entry().born, entry().live_since, entry().seq)


def test_what_was_pruned_is_born_again(make_office, clock):
    """A cursor from before that is invalid anyway."""
    office = make_office(Policy(feed_days=10))
    record = contact(office, "a")
    contact(office, "b")
    old = office.feeds.cursor(ANNA, CONTACTS)
    office.records.write(CRM, CONTACTS, replace(record.value, sync_users=()), record_id=record.id)
    office.feeds.refresh(ANNA, CONTACTS)
    clock.now += timedelta(days=11)
    office.feeds.refresh(ANNA, CONTACTS)
    office.records.write(CRM, CONTACTS, record.value, record_id=record.id)
    assert {record.id: 4} == {one.record_id: one.born for one in office.feeds.entries(ANNA, CONTACTS)[1] if one.record_id == record.id}
    with pytest.raises(CursorInvalid):
        office.feeds.news(ANNA, CONTACTS, old)


def test_entries_are_all_of_them_with_the_cursor_that_they_stand_at(office):
    """Live and gone, for the difference between two scopes."""
    kept, gone = contact(office, "a"), contact(office, "b")
    office.feeds.refresh(ANNA, CONTACTS)
    office.records.write(CRM, CONTACTS, replace(gone.value, sync_users=()), record_id=gone.id)
    cursor, entries = office.feeds.entries(ANNA, CONTACTS)
    assert ({kept.id: True, gone.id: False}, office.feeds.cursor(ANNA, CONTACTS)) == ({e.record_id: e.live for e in entries}, cursor)


# ------------------------------------------------------------- out of the window


def test_rule_54_what_left_the_window_is_still_theirs(office, clock):
    """SoftDelete for what slid out or was evicted; Delete for what was deleted, cancelled, made private or given to somebody else."""
    day = date(2026, 3, 20)
    made = {name: appointment(office, name, day) for name in ("kept", "deleted", "cancelled", "private", "given", "moved")}
    made["old"] = appointment(office, "old", date(2026, 2, 15))
    since = office.feeds.cursor(ANNA, CALENDAR)
    changes = {
        "cancelled": {"status": AppointmentStatus.CANCELLED},
        "private": {"private": True, "creator": "bert"},
        "given": {"participants": ("bert",)},
        "moved": {"start": date(2027, 3, 1), "end": date(2027, 3, 1)},
    }
    for name, change in changes.items():
        office.records.write(CRM, CALENDAR, replace(made[name].value, **change), record_id=made[name].id)
    office.records.remove(CRM, made["deleted"].id)
    clock.now += timedelta(days=1)
    gone = [entry.record_id for entry in office.feeds.news(ANNA, CALENDAR, since).entries if not entry.live]
    assert {made[name].id for name in made if name != "kept"} == set(gone)
    assert {made["moved"].id, made["old"].id} == office.feeds.still_theirs(ANNA, CALENDAR, [*gone, "no-such-record"])
    assert frozenset() == office.feeds.still_theirs(ANNA, CALENDAR, [])


def test_what_is_still_theirs_is_what_records_find(office):
    """One visibility, whichever way is asked."""
    record = appointment(office, "old", date(2020, 1, 1))
    other = appointment(office, "other", date(2020, 1, 1), participants=("bert",))
    assert {record.id} == office.feeds.still_theirs(ANNA, CALENDAR, [record.id, other.id])
    assert {record.name} == set(office.records.find(ANNA, CALENDAR, [record.name, other.name]))
    assert [record.id] == [offer.record_id for offer in office.records.offers(ANNA, CALENDAR, [other.id, record.id, "no"])]


# ------------------------------------------------------- what else moves a feed


@pytest.mark.parametrize("gate", list(Gate))
def test_a_gate_grows_the_number_for_everybody(office, gate):
    """So that waiting phones look again (rule 1)."""
    before = number(office)
    office.settings.set_gate(ANNA, gate, CONTACTS, False, "test")
    assert (before[0] + 1, before[0] + 1) == number(office)


def number(office) -> tuple[int, int]:
    with office.store.reading() as tx:
        return tx.counters().get("t", (0, 0))


def test_groups_rights_and_zones_grow_the_number_and_passwords_do_not(office):
    """What is offered may be another; nothing else wakes a phone."""
    with office.store.reading() as tx:
        user, tenant = tx.user(ANNA), tx.tenant("t")
    steps = [
        lambda: office.accounts.save_user(replace(user, groups=("sales",)), None, "test"),
        lambda: office.accounts.save_user(replace(user, groups=("sales",)), "other", "test"),
        lambda: office.accounts.save_user(replace(user, groups=("sales",), rights=frozenset()), None, "test"),
        lambda: office.settings.save_tenant(replace(tenant, timezone="Europe/Rome"), "test"),
        lambda: office.settings.save_tenant(replace(tenant, timezone="Europe/Rome"), "test"),
        lambda: office.accounts.remove_user(BERT, "test"),
    ]
    grown = []
    for step in steps:
        before = number(office)[1]
        step()
        grown.append(number(office)[1] > before)
    assert [True, False, True, True, False, True] == grown
