"""What pages search for is found whatever the case, beyond ASCII, too, on both engines, whatever the database's locale."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radicale_onoffice.core.lists import Show
from radicale_onoffice.core.model import AuditLine, Identity, Tenant, User
from radicale_onoffice.stores.searching import pattern
from radicale_onoffice.stores.sql import open_store

NOW = datetime(2026, 3, 15, 8, 30, tzinfo=UTC)
LOGINS = ("STRASSE", "agent_1", "agent-2", "istanbul", "straße", "Özil", "ΣΊΣΥΦΟΣ", "İzmir")


@pytest.fixture
def tx(database_url):
    store = open_store(database_url)
    store.migrate()
    with store.writing() as tx:
        tx.save_tenant(Tenant(name="t"))
        for login in LOGINS:
            tx.save_user(User(identity=Identity("t", login)))
            tx.add_audit(AuditLine(at=NOW, tenant="t", login=login, actor="test", event="created", detail=r"[a] (b) \\d *?"))
        yield tx
    store.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("özil", {"Özil"}),
        ("ÖZIL", {"Özil"}),
        ("ß", {"STRASSE", "straße"}),
        ("Strasse", {"STRASSE", "straße"}),
        ("STRAẞE", {"STRASSE", "straße"}),
        ("IZMIR", {"İzmir"}),
        ("İ", {"İzmir", "istanbul", "Özil"}),
        ("İSTANBUL", {"istanbul"}),
        ("σίσυφος", {"ΣΊΣΥΦΟΣ"}),
        ("agent_", {"agent_1"}),
        ("agent.", set()),
        ("%", set()),
        ("T-2", {"agent-2"}),
        ("", set(LOGINS)),
    ],
)
def test_case_does_not_count_in_any_script(tx, text, found):
    """Users; what databases take for a pattern is text."""
    total, users = tx.user_page("t", text, Show.ALL, NOW, 0, 50)
    assert (len(found), found) == (total, {user.identity.user for user in users})


@pytest.mark.parametrize("text", ["[A]", "(B)", r"\\D", "*?", "] ("])
def test_what_means_something_in_a_pattern_is_text(tx, text):
    """In the log, too."""
    assert len(LOGINS) == len(tx.audit_page("t", "", "", text, None, 50))


@given(st.text(min_size=1, max_size=20), st.text(max_size=5), st.text(max_size=5))
def test_every_text_is_found_in_what_contains_it(text, before, after):
    """As it stands, in capitals and small."""
    for form in (text, text.upper(), text.casefold()):
        assert re.search(pattern(text), f"{before}{form}{after}")
