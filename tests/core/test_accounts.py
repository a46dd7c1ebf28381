"""Sign-in, lock, maintenance and page sessions (rules 7, 86-97)."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.errors import BadRequest, Maintenance, NotFound, SignInRefused
from radicale_onoffice.core.model import Door, Identity, Kind, Tenant, User, UserState
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.rights import Gate

ANNA = Identity("t", "anna")
HERE = Caller(address="192.0.2.7", face="dav", device="DAVx5")


class CountingHasher:
    """Wraps the real hasher and counts how often a hash is computed."""

    def __init__(self, hasher):
        self._hasher, self.verified = hasher, 0

    def hash(self, password):
        return self._hasher.hash(password)

    def verify(self, password, stored):
        self.verified += 1
        return self._hasher.verify(password, stored)

    def needs_update(self, stored):
        return self._hasher.needs_update(stored)


@pytest.fixture
def cheap_hasher(cheap_hasher):
    return CountingHasher(cheap_hasher)


def fail(office, times: int, login: str = "anna", password: str = "wrong", **kwargs) -> None:
    for _ in range(times):
        with pytest.raises(SignInRefused):
            office.accounts.sign_in(login, password, HERE, **kwargs)


@pytest.mark.parametrize("login", ["anna", "anna@t", "t\\anna", "t/anna"])
def test_u44_all_forms_of_a_login_mean_the_same_user(office, login):
    """User alone means the default tenant."""
    assert ANNA == office.accounts.sign_in(login, "secret", HERE).identity


@pytest.mark.parametrize("login", ["Anna", "anna@T", "T\\anna", "", "anna\n", "a" * 256, "nobody", "anna@nowhere"])
def test_rule_7_case_matters_and_oddities_are_refused(office, login):
    """All with the same answer."""
    fail(office, 1, login, "secret")


def test_a_user_name_may_hold_an_at_sign(office):
    """As long as what follows is no tenant."""
    identity = Identity("t", "anna@example.org")
    office.accounts.save_user(User(identity=identity), "secret", "test")
    assert identity == office.accounts.sign_in("anna@example.org", "secret", HERE).identity


def test_rule_87_five_wrong_passwords_lock(office, caplog):
    """The right password is refused, too (U40); one WARNING tells login, address, face and device."""
    fail(office, 4)
    assert not office.accounts.is_locked(ANNA)
    with caplog.at_level(logging.WARNING):
        fail(office, 1)
    (record,) = caplog.records
    assert all(word in record.getMessage() for word in ("anna", "192.0.2.7", "dav", "DAVx5"))
    fail(office, 1, password="secret")
    assert office.accounts.is_locked(ANNA)


def test_a_locked_login_computes_no_hash(office, cheap_hasher):
    """And is answered by the same error as a wrong password."""
    fail(office, 5)
    before = cheap_hasher.verified
    fail(office, 3, password="secret")
    fail(office, 3)
    assert before == cheap_hasher.verified


def test_an_unknown_login_costs_a_hash_like_a_known_one(office, cheap_hasher):
    """And locks like one: nobody learns who exists."""
    before = cheap_hasher.verified
    fail(office, 5, "nobody")
    assert 5 == cheap_hasher.verified - before
    fail(office, 1, "nobody")
    assert 5 == cheap_hasher.verified - before


def test_u38_a_success_forgets_the_failures(office):
    """The five have to be consecutive (rule 92)."""
    fail(office, 4)
    office.accounts.sign_in("anna", "secret", HERE)
    fail(office, 4)
    assert not office.accounts.is_locked(ANNA)


def test_u41_the_same_wrong_password_again_counts(office):
    """An idle old device locks, too (rule 90)."""
    fail(office, 5, password="old")
    assert office.accounts.is_locked(ANNA)


def test_the_lock_does_not_wait_for_the_memo(office):
    """A remembered password is refused as soon as the lock is set."""
    office.accounts.sign_in("anna", "secret", HERE)
    fail(office, 5)
    fail(office, 1, password="secret")


def test_a_remembered_password_costs_no_hash_and_dies_with_a_change(office, cheap_hasher, clock):
    """The memo: fresh successes only, for memo_seconds (rule 86)."""
    office.accounts.sign_in("anna", "secret", HERE)
    before = cheap_hasher.verified
    office.accounts.sign_in("anna", "secret", HERE)
    assert before == cheap_hasher.verified
    with office.store.reading() as tx:
        user = tx.user(ANNA)
    office.accounts.save_user(user, "new", "test")
    fail(office, 1, password="secret")
    office.accounts.sign_in("anna", "new", HERE)
    before = cheap_hasher.verified
    clock.now += timedelta(seconds=301)
    office.accounts.sign_in("anna", "new", HERE)
    assert before + 1 == cheap_hasher.verified


def test_rule_88_unlocking_says_whether_it_was_locked_and_leaves_an_audit_line(office):
    """Once opened, the right password comes in again (rule 93; U42: by the page and by the administrator)."""
    fail(office, 5)
    assert (True, False) == (office.accounts.unlock(ANNA, "cli root"), office.accounts.unlock(ANNA, "cli root"))
    office.accounts.sign_in("anna", "secret", HERE)
    with office.store.reading() as tx:
        events = [(line.event, line.actor) for line in tx.audit("t", 10)]
    assert [("unlocked", "cli root"), ("locked", "dav")] == events[:2]


def test_u39_a_lock_may_open_by_itself(make_office, clock):
    """And counting begins anew."""
    office = make_office(Policy(lock_minutes=10))
    fail(office, 5)
    clock.now += timedelta(minutes=9)
    fail(office, 1, password="secret")
    clock.now += timedelta(minutes=1)
    fail(office, 1)
    office.accounts.sign_in("anna", "secret", HERE)


def test_rule_87_the_page_stays_open_while_sync_is_locked(office):
    """How else could a user unlock."""
    fail(office, 5)
    assert ANNA == office.accounts.sign_in("anna", "secret", HERE, door=Door.PAGE).identity


def test_the_page_is_slowed_down_but_never_locked(office, clock):
    """Guessing there must not be cheaper than at the sync door."""
    fail(office, 5, door=Door.PAGE)
    fail(office, 1, password="secret", door=Door.PAGE)
    assert not office.accounts.is_locked(ANNA)
    clock.now += timedelta(seconds=61)
    assert ANNA == office.accounts.sign_in("anna", "secret", HERE, door=Door.PAGE).identity


def test_rule_94_maintenance_is_no_wrong_password_and_counts_nothing(office):
    """It is told with when to come again; the page stays open."""
    office.accounts.set_maintenance("Update", 300)
    for _ in range(6):
        with pytest.raises(Maintenance, match="Update") as caught:
            office.accounts.sign_in("anna", "wrong", HERE)
        assert 300 == caught.value.retry_after
    office.accounts.sign_in("anna", "secret", HERE, door=Door.PAGE)
    office.accounts.set_maintenance(None)
    fail(office, 4)
    assert not office.accounts.is_locked(ANNA)


def test_rule_91_a_password_may_expire(make_office, clock):
    """U45: refused like a wrong one."""
    office = make_office(Policy(password_max_age_days=30))
    office.accounts.sign_in("anna", "secret", HERE)
    clock.now += timedelta(days=31)
    fail(office, 1, password="secret")


def test_a_foreign_backend_is_asked_and_locks_like_ours(office, cheap_hasher):
    """The user needs no password here; a locked login is not even asked for."""
    asked = []

    def verify(login, password):
        asked.append(login)
        return password == "ldap"

    before = cheap_hasher.verified
    assert ANNA == office.accounts.sign_in("anna", "ldap", HERE, verify=verify).identity
    fail(office, 5, verify=verify)
    fail(office, 1, password="ldap", verify=verify)
    assert (6, before) == (len(asked), cheap_hasher.verified)


def test_a_foreign_backend_lets_nobody_in_who_is_no_user_here(office):
    """Gates and rights need a user."""
    fail(office, 1, "stranger", verify=lambda _login, _password: True)


TWO = """
import sys
from radicale_onoffice import wiring
from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.errors import SignInRefused
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.stores.sql import open_store
hasher = wiring.Hasher(argon2__memory_cost=8, argon2__time_cost=1, argon2__parallelism=1)
office = wiring.assemble(open_store(sys.argv[1]), policy=Policy(), default_tenant="t", hasher=hasher)
for _ in range(3):
    try:
        office.accounts.sign_in("anna", "wrong", Caller())
    except SignInRefused:
        pass
"""


def test_two_processes_count_together(make_office, office_url):
    """Three wrong passwords in one and two in the other lock, on either engine."""
    office = make_office()
    subprocess.run([sys.executable, "-c", TWO, office_url], check=True)
    fail(office, 1)
    assert not office.accounts.is_locked(ANNA)
    fail(office, 1)
    assert office.accounts.is_locked(ANNA)


def test_page_sessions_end_with_time_logout_and_password_change(office, clock):
    """Only a digest of the cookie is stored."""
    with office.store.reading() as tx:
        user = tx.user(ANNA)
    first, second, third = (office.accounts.open_page_session(user) for _ in range(3))
    office.accounts.close_page_session(office.accounts.page_session(first))
    assert office.accounts.page_session(first) is None
    clock.now += timedelta(hours=12)
    assert office.accounts.page_session(second) is None
    clock.now -= timedelta(hours=1)
    assert office.accounts.page_session(third).identity == ANNA
    office.accounts.save_user(user, "new", "test")
    assert office.accounts.page_session(third) is None


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "a,b", "a:b", "a'b", "a\nb", "x" * 256])
def test_a_user_name_fits_into_a_path(office, name):
    """It is the first part of every address, and never changes (rule 12)."""
    with pytest.raises(BadRequest):
        office.accounts.save_user(User(identity=Identity("t", name)), "secret", "test")


def test_a_user_needs_a_tenant_and_a_password_a_length(office):
    """Both are told."""
    with pytest.raises(NotFound, match="tenant add"):
        office.accounts.save_user(User(identity=Identity("no", "x")), "secret", "test")
    with pytest.raises(BadRequest):
        office.accounts.save_user(User(identity=Identity("t", "x")), "", "test")


GATES = [
    (Gate.MODULE, lambda tenant, user: (replace(tenant, module=False), user)),
    (Gate.USER_STATE, lambda tenant, user: (tenant, replace(user, state=UserState.DEACTIVATED))),
    (Gate.SYNC_RIGHT, lambda tenant, user: (tenant, replace(user, sync_right=False))),
    (Gate.SWITCH, lambda tenant, user: (tenant, replace(user, switches=user.switches - {Kind.TASKS}))),
    (Gate.OTHER_CHANNEL, lambda tenant, user: (tenant, replace(user, other_channels=frozenset({Kind.TASKS})))),
]


@pytest.mark.parametrize("gate", list(Gate))
def test_rule_1_each_gate_is_switched_by_the_settings(office, gate):
    """What is stored is what the gate means; an audit line tells who did it."""
    office.settings.set_gate(ANNA, gate, Kind.TASKS, False, "cli root")
    with office.store.reading() as tx:
        expected = dict(GATES)[gate](Tenant(name="t"), tx.user(ANNA))
        assert expected == (tx.tenant("t"), tx.user(ANNA))
        assert ("cli root", True) == (tx.audit("t", 1)[0].actor, tx.audit("t", 1)[0].event.startswith(f"gate closed: {gate}"))


def test_u43_off_and_on_again_starts_the_clients_from_scratch_and_keeps_the_lock(office):
    """The official way to restart a stuck sync (rule 3)."""
    fail(office, 5)
    before = office.feeds.cursor(ANNA, Kind.TASKS)
    office.settings.set_gate(ANNA, Gate.SWITCH, Kind.TASKS, False, "page")
    office.settings.set_gate(ANNA, Gate.SWITCH, Kind.TASKS, True, "page")
    assert before.epoch != office.feeds.cursor(ANNA, Kind.TASKS).epoch
    assert office.accounts.is_locked(ANNA)


def test_the_newest_page_session_is_never_the_one_that_makes_room(office):
    """Twenty at most, the oldest goes; also when all of them began in the same moment."""
    with office.store.reading() as tx:
        user = tx.user(ANNA)
    for _ in range(30):
        assert office.accounts.page_session(office.accounts.open_page_session(user)) is not None
    assert 20 == len(office.accounts.page_sessions(ANNA))
