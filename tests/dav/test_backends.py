"""Passwords that Radicale's own auth types check, under our lock, gates and pages."""

from __future__ import annotations

import pytest

from radicale_onoffice.configuration import ConfigurationError
from radicale_onoffice.core.model import Door, Identity


@pytest.fixture
def htpasswd(serve, tmp_path):
    """Anna's and a stranger's password in a file."""
    path = tmp_path / "users"
    path.write_text("anna:filed\nstranger:filed\n")
    return serve(onoffice_password_backend=f"htpasswd\nhtpasswd_filename = {path}\nhtpasswd_encryption = plain")


def test_the_backends_password_lets_in_and_ours_does_not(htpasswd):
    """And only users that are known here."""
    assert 207 == htpasswd.client(password="filed").request("PROPFIND", "/anna/").status_code
    assert 401 == htpasswd.client(password="secret").request("PROPFIND", "/anna/").status_code
    assert 401 == htpasswd.client("stranger", "filed").request("PROPFIND", "/stranger/").status_code


def test_the_lock_holds_for_it(htpasswd):
    """Five wrong ones lock; the right one is refused then."""
    for _ in range(5):
        htpasswd.client(password="wrong").request("PROPFIND", "/anna/")
    assert 401 == htpasswd.client(password="filed").request("PROPFIND", "/anna/").status_code
    assert htpasswd.office.accounts.is_locked(Identity("t", "anna"))


def test_the_page_asks_the_same_backend(htpasswd):
    """One password for both doors."""
    page = htpasswd.client(None)
    assert 403 == page.post("/.web/sign-in", data={"login": "anna", "password": "secret"}).status_code
    assert 303 == page.post("/.web/sign-in", data={"login": "anna", "password": "filed"}).status_code


@pytest.mark.parametrize("name", ["none", "denyall", "nonsense", "radicale_onoffice.auth"])
def test_a_backend_that_checks_nothing_is_refused_at_the_start(serve, name):
    """A typo must not open the door."""
    with pytest.raises((ValueError, ConfigurationError, RuntimeError)):
        serve(onoffice_password_backend=name)


def test_a_backend_that_is_down_is_503_and_counts_nothing(serve, tmp_path):
    """An LDAP server that does not answer is nobody's wrong password (rule 94)."""
    server = serve(onoffice_password_backend="imap\nimap_host = 127.0.0.1:1\nimap_security = none")
    for _ in range(6):
        answer = server.client().request("PROPFIND", "/anna/")
        assert (503, True) == (answer.status_code, "retry-after" in answer.headers)
    with server.office.store.reading() as tx:
        assert [] == list(tx.locked("t", Door.SYNC))
