"""The page's own door: changing the password, sessions, and what tries of passwords may cost (rules 87, 90, 91)."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy

from radicale_onoffice.core import accounts, lockout
from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.clients import browser_label
from radicale_onoffice.core.drafts import ContactDraft
from radicale_onoffice.core.errors import BadRequest, Refused, SignInRefused
from radicale_onoffice.core.model import Actor, Contact, Door, Face, Identity, Kind
from radicale_onoffice.core.policy import Policy
from tests.conftest import START

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0"
HERE = Caller(address="192.0.2.7", face="page", device=FIREFOX)
STRANGER = Caller(address="203.0.113.5", face="page", device=FIREFOX)
PHONE = Caller(address="192.0.2.9", face=Face.EAS, device="APPL1")


@pytest.fixture
def office(make_office):
    return make_office()


def open_session(office, login="anna", password="secret"):
    user = office.accounts.sign_in(login, password, HERE, door=Door.PAGE)
    return office.accounts.page_session(office.accounts.open_page_session(user, HERE))


def events(office):
    with office.store.reading() as tx:
        return [(line.event, line.actor, line.detail) for line in tx.audit("t", 20) if line.actor != "test"]


def audit(office):
    with office.store.reading() as tx:
        return tx.audit("t", 50)


# ----------------------------------------------------------------- password


def test_a_user_changes_the_password_with_the_old_one(office):
    """The other sessions end, this one stays, and the log tells who did it."""
    session, other = open_session(office), open_session(office)
    office.accounts.change_password(session, "secret", "a longer secret", HERE)
    assert [session.token_digest] == [one.token_digest for one in office.accounts.page_sessions(ANNA)]
    assert other.token_digest != session.token_digest
    with pytest.raises(SignInRefused):
        office.accounts.sign_in("anna", "secret", PHONE)
    assert ANNA == office.accounts.sign_in("anna", "a longer secret", PHONE).identity
    assert [("password changed", "page anna", "")] == events(office)


def test_rule_90_a_change_of_the_password_leaves_the_lock(office):
    """First the devices have to be corrected."""
    session = open_session(office)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            office.accounts.sign_in("anna", "wrong", PHONE)
    office.accounts.change_password(session, "secret", "a longer secret", HERE)
    assert office.accounts.is_locked(ANNA)


@pytest.mark.parametrize("new", ["", "short", "secret", "x" * 1025, "null\0null"])
def test_a_new_password_has_to_be_one(office, new):
    """At least eight characters, and another than the old one; such a try costs none of the attempts."""
    session = open_session(office)
    with pytest.raises(BadRequest):
        office.accounts.change_password(session, "secret", new, HERE)
    with office.store.reading() as tx:
        assert 0 == tx.attempts(ANNA, Door.PAGE).failures


def test_guessing_the_old_password_is_slowed_down_like_the_pages_login(office, clock):
    """After five tries the right one is refused, too, until a minute has passed; sync is not locked by it."""
    session = open_session(office)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            office.accounts.change_password(session, "wrong", "a longer secret", HERE)
    with pytest.raises(SignInRefused):
        office.accounts.change_password(session, "secret", "a longer secret", HERE)
    with pytest.raises(SignInRefused):
        open_session(office)
    assert not office.accounts.is_locked(ANNA)
    clock.now += timedelta(seconds=61)
    office.accounts.change_password(session, "secret", "a longer secret", HERE)
    assert ANNA == office.accounts.sign_in("anna", "a longer secret", HERE, door=Door.PAGE).identity


def test_a_password_of_a_foreign_backend_is_changed_there(office):
    """Ours knows none."""
    with pytest.raises(Refused):
        office.accounts.change_password(open_session(office), "secret", "a longer secret", HERE, verify=lambda *_: True)


def test_rule_91_an_expired_password_stops_sync_and_opens_the_page(make_office, clock):
    """Where the user changes it, and synchronises again."""
    office = make_office(Policy(password_max_age_days=30))
    clock.now += timedelta(days=31)
    with pytest.raises(SignInRefused):
        office.accounts.sign_in("anna", "secret", PHONE)
    assert office.overview.user(ANNA).is_password_expired
    office.accounts.change_password(open_session(office), "secret", "a longer secret", HERE)
    assert ANNA == office.accounts.sign_in("anna", "a longer secret", PHONE).identity
    assert not office.overview.user(ANNA).is_password_expired


# ----------------------------------------------------------------- sessions


def test_each_sign_in_has_a_session_of_its_own(office):
    """Nobody can choose its token in advance, and only a digest of it is stored."""
    with office.store.reading() as tx:
        user = tx.user(ANNA)
    tokens = {office.accounts.open_page_session(user, HERE) for _ in range(3)}
    assert (3, True) == (len(tokens), min(map(len, tokens)) >= 43)
    sessions = office.accounts.page_sessions(ANNA)
    assert 3 == len({one.csrf for one in sessions})
    assert not tokens & {one.token_digest for one in sessions}
    assert office.accounts.page_session("a token that a stranger chose") is None


def test_the_list_of_sessions_tells_browser_address_and_last_use(office, clock):
    """The last use to ten minutes, so that not every page writes."""
    session = open_session(office)
    token = office.accounts.open_page_session(_user(office), Caller())
    for minutes in (9, 1):
        clock.now += timedelta(minutes=minutes)
        office.accounts.page_session(token)
    named = {one.token_digest: one for one in office.accounts.page_sessions(ANNA)}
    mine = named.pop(session.token_digest)
    assert ("Firefox, Linux", "192.0.2.7", START, START) == (mine.browser, mine.address, mine.created, mine.last_used)
    (bare,) = named.values()
    assert ("", "", START + timedelta(minutes=10)) == (bare.browser, bare.address, bare.last_used)
    clock.now += timedelta(hours=12)
    assert () == office.accounts.page_sessions(ANNA)


def _user(office, identity=ANNA):
    with office.store.reading() as tx:
        return tx.user(identity)


def test_one_session_or_all_others_are_ended_from_another(office):
    """Only one's own."""
    first, second, third, foreign = (open_session(office, login) for login in ("anna", "anna", "anna", "bert"))
    assert not office.accounts.revoke_page_session(ANNA, foreign.token_digest, "page anna")
    assert office.accounts.revoke_page_session(ANNA, second.token_digest, "page anna")
    assert {first.token_digest, third.token_digest} == {one.token_digest for one in office.accounts.page_sessions(ANNA)}
    assert 1 == office.accounts.revoke_page_sessions(ANNA, "page anna", keep=first.token_digest)
    assert 0 == office.accounts.revoke_page_sessions(ANNA, "page anna", keep=first.token_digest)
    assert (1, 1) == (len(office.accounts.page_sessions(ANNA)), len(office.accounts.page_sessions(BERT)))
    assert [("page sessions ended", "page anna", "1"), ("page session ended", "page anna", "")] == events(office)


def test_a_session_that_was_ended_stays_ended(office):
    """Also if a page of it was on its way and leaves a line for the next one."""
    session = open_session(office)
    office.accounts.revoke_page_sessions(ANNA, "cli")
    office.accounts.notice(session, "unlocked")
    assert () == office.accounts.page_sessions(ANNA)


def test_a_user_has_at_most_twenty_sessions(office, clock):
    """The oldest ends."""
    for _ in range(22):
        clock.now += timedelta(seconds=1)
        open_session(office)
    sessions = office.accounts.page_sessions(ANNA)
    assert (20, START + timedelta(seconds=3)) == (len(sessions), sessions[-1].created)


BROWSERS = [
    (FIREFOX, "Firefox, Linux"),
    ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0 Safari/537.36 Edg/119.0", "Edge, Windows"),
    ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0 Mobile Safari/537.36", "Chrome, Android"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605 (KHTML) Version/17 Safari/604.1", "Safari, iPhone"),
    ("<script>", ""),
]


@pytest.mark.parametrize(("agent", "label"), BROWSERS)
def test_a_browser_is_told_in_two_words(agent, label):
    """Ours, not the browser's, so that nothing of it can do harm."""
    assert label == browser_label(agent)


# ------------------------------------------------------------------ attempts


def test_the_pages_limit_is_per_login(office):
    """Somebody else's tries keep nobody out."""
    for _ in range(6):
        with pytest.raises(SignInRefused):
            office.accounts.sign_in("bert", "wrong", HERE, door=Door.PAGE)
    assert ANNA == office.accounts.sign_in("anna", "secret", HERE, door=Door.PAGE).identity


def knock(office, times: int, caller: Caller, password: str = "wrong") -> None:
    for _ in range(times):
        with pytest.raises(SignInRefused):
            office.accounts.sign_in("anna", password, caller, door=Door.PAGE)


def test_a_stranger_keeps_nobody_out_of_the_pages(office):
    """Who tries from elsewhere is slowed down there; the user comes in, and the stranger has to go on waiting."""
    knock(office, 6, STRANGER)
    assert open_session(office).identity == ANNA
    knock(office, 1, STRANGER, "secret")


def test_a_hundred_wrong_passwords_from_anywhere_slow_all_down(office, clock):
    """Whoever has many addresses still cannot go on guessing; an administrator's unlocking opens sync and pages."""
    for number in range(25):
        knock(office, 4, Caller(address=f"198.51.100.{number}", face="page"))
    knock(office, 1, HERE, "secret")
    assert not office.accounts.unlock(ANNA, "page anna")
    knock(office, 1, HERE, "secret")
    assert office.accounts.unlock(ANNA, "cli root", pages=True)
    assert ("unlocked", "cli root", "pages") == events(office)[0]
    assert open_session(office).identity == ANNA


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "?"),
        ("unix\n" + "x" * 100, "unix?" + "x" * 59),
    ],
)
def test_tries_are_counted_by_what_one_subscriber_has(address, place):
    """An IPv6 subscriber has 2^64 addresses."""
    assert place == lockout.place_of(address)


def test_places_fill_no_table(office, clock):
    """Of each login the newest twenty are kept."""
    for number in range(25):
        clock.now += timedelta(seconds=1)
        knock(office, 1, Caller(address=f"198.51.100.{number}", face="page"))
    with office.store.reading() as tx:
        kept = [number for number in range(25) if tx.attempts(ANNA, Door.PAGE, f"198.51.100.{number}").failures]
    assert list(range(5, 25)) == kept


def test_logins_that_do_not_exist_leave_no_line_in_the_log(office):
    """Who invents names fills nothing, and pays as much for it: the statements are the same."""
    said: list[list[str]] = []
    sqlalchemy.event.listen(office.store.engine, "before_cursor_execute", lambda *given: said[-1].append(given[2]))
    for login in ("anna", "nobody"):
        said.append([])
        for _ in range(6):
            with pytest.raises(SignInRefused):
                office.accounts.sign_in(login, "wrong", PHONE)
    assert [("anna", "locked")] == [(line.login, line.event) for line in audit(office) if line.actor == "eas"]
    writes = [[words for words in one if words.startswith(("INSERT", "UPDATE", "DELETE"))] for one in said]
    assert writes[0] == writes[1]


def test_the_log_is_kept_as_long_as_old_versions_are(make_office, clock):
    """Both are dropped with the first write of a day."""
    office = make_office(Policy(history_days=30))
    office.settings.set_language(ANNA, "it", "page anna")
    clock.now += timedelta(days=31)
    actor = Actor(identity=ANNA, face=Face.DAV, device="DAVx5")
    office.records.put(actor, Kind.CONTACTS, ContactDraft(value=Contact(last_name="Berger")))
    assert "language: it" not in [line.event for line in audit(office)]


def test_logins_that_do_not_exist_fill_no_table(office, monkeypatch, clock):
    """The oldest of them are forgotten; the users' own are kept."""
    monkeypatch.setattr(accounts, "MAX_STRANGERS", 3)
    monkeypatch.setattr(accounts, "PRUNE_EVERY", 2)
    for login in ("anna", *(f"nobody{number}" for number in range(9))):
        clock.now += timedelta(seconds=1)
        with pytest.raises(SignInRefused):
            office.accounts.sign_in(login, "wrong", HERE, door=Door.PAGE)
    with office.store.reading() as tx:
        left = [name for name in ("anna", *(f"nobody{n}" for n in range(9))) if tx.attempts(Identity("t", name), Door.PAGE).failures]
    assert ["anna", "nobody6", "nobody7", "nobody8"] == left
