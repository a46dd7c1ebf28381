"""Two who change one user at the same time: neither undoes what the other has saved. SQLite writes one after the other; PostgreSQL does not."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy

from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.administration import Access
from radicale_onoffice.core.model import Door, Identity, Kind, User
from radicale_onoffice.core.rights import Gate

ANNA = Identity("t", "anna")
HERE = Caller(address="192.0.2.7", face="page")
NEW = "a longer secret"


@pytest.fixture
def office(make_office, postgres_url):
    return make_office(url=postgres_url)


@pytest.fixture
def session(office):
    user = office.accounts.sign_in("anna", "secret", HERE, door=Door.PAGE)
    return office.accounts.page_session(office.accounts.open_page_session(user, HERE))


def get_user(office) -> User:
    with office.store.reading() as tx:
        return tx.user(ANNA)


def until_it_waits(office, future: Future) -> None:
    """Until the other one waits for a lock, or has ended without."""
    query = sqlalchemy.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    while not future.done():
        with office.store.engine.connect() as connection:
            if connection.execute(query).scalar_one():
                return
        time.sleep(0.01)


CHANGES = {
    "gate": lambda office, session: office.settings.set_gate(ANNA, Gate.SWITCH, Kind.TASKS, False, "test"),
    "language": lambda office, session: office.settings.set_language(ANNA, "it", "test"),
    "rights": lambda office, session: office.administration.set_rights(office.administration.as_operator("t", "x"), ["anna"], []),
    "access": lambda office, session: office.administration.save_access(
        office.administration.as_operator("t", "x"),
        "anna",
        Access(active=True, sync_right=True, switches=frozenset(Kind), other_channels=frozenset(), rights=frozenset(), admin=True),
    ),
    "password": lambda office, session: office.accounts.change_password(session, "secret", NEW, HERE),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_two_change_at_once_stands_both(office, session, name):
    """The second waits until the first has saved, and begins with what that saved."""
    before = get_user(office)
    with ThreadPoolExecutor(1) as executor:

        def change(user: User) -> User:
            waiting.append(executor.submit(CHANGES[name], office, session))
            until_it_waits(office, waiting[0])
            return replace(user, groups=("sales",))

        waiting: list[Future] = []
        office.accounts.change_user(ANNA, "cli", change)
        waiting[0].result()
    after = get_user(office)
    assert ("sales",) == after.groups
    assert before != replace(after, groups=before.groups)


@pytest.mark.parametrize("name", CHANGES)
def test_who_saves_a_user_has_locked_the_row_before_reading_it(office, session, name):
    """Otherwise what another saves between the two would be written over."""
    said: list[str] = []
    sqlalchemy.event.listen(office.store.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    CHANGES[name](office, session)
    saved = next(number for number, words in enumerate(said) if words.startswith("INSERT INTO users"))
    reads = [words for words in said[:saved] if "FROM users \n" in words and "password" in words]
    assert reads[-1].rstrip().endswith("FOR UPDATE")


def test_a_password_of_the_command_line_keeps_what_was_changed_at_the_prompt(office):
    """Nothing of the user is read before the new password has been typed."""
    office.settings.set_language(ANNA, "it", "page anna")
    office.accounts.change_user(ANNA, "cli", password=NEW)
    assert "it" == get_user(office).language
    assert ANNA == office.accounts.sign_in("anna", NEW, HERE).identity
