"""Where tokens and secrets lie, and that they are nowhere else."""

from __future__ import annotations

import pytest

from radicale_onoffice.core.errors import BadRequest, UpstreamDown
from radicale_onoffice.crm.onoffice import tenants
from radicale_onoffice.crm.onoffice.tenants import Access


def test_each_tenant_has_its_own_account(office):
    """Kept in the database, beside the tenant: only where the secret lies."""
    berlin = Access(token_at="env:BERLIN_TOKEN", secret_at="file:/run/secrets/berlin", task_type="167")
    with office.store.writing() as tx:
        tenants.save_access(tx, "berlin", berlin)
        tenants.save_access(tx, "roma", Access(secret_at="env:ROMA", language="it"))
    with office.store.reading() as tx:
        assert (berlin, "it", None) == (tenants.access(tx, "berlin"), tenants.access(tx, "roma").language, tenants.access(tx, "t"))


def test_an_account_can_be_taken_away(office):
    """The tenant is an embedded one then."""
    with office.store.writing() as tx:
        tenants.save_access(tx, "t", Access())
        tenants.save_access(tx, "t", None)
        assert tenants.access(tx, "t") is None


def test_what_a_newer_version_noted_is_ignored(office):
    """A downgrade does not stop the server."""
    with office.store.writing() as tx:
        tx.save_setting("onoffice.access:t", '{"language": "en", "novelty": 1}')
        assert Access(language="en") == tenants.access(tx, "t")


def test_a_secret_is_read_anew_each_time(tmp_path):
    """From a file, whose line end does not count, or from the environment; a changed one needs no restart."""
    path = tmp_path / "secret"
    path.write_text("first\n")
    fetch = tenants.credentials_of(Access(token_at="env:TOKEN", secret_at=f"file:{path}"), {"TOKEN": "abc"})
    assert ("abc", "first") == (fetch().token, fetch().secret)
    path.write_text("second")
    assert "second" == fetch().secret


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"x" * 2000, b"two\nlines"])
def test_a_secret_that_cannot_be_read_is_an_outage(tmp_path, content):
    """Devices come again; the text names the place and nothing of what lies there."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UpstreamDown) as caught:
        tenants.credentials_of(Access(token_at="env:TOKEN", secret_at=f"file:{path}"), {"TOKEN": "abc"})()
    assert str(path) in str(caught.value)
    assert "lines" not in str(caught.value)


@pytest.mark.parametrize("place", ["f" * 64, "", "env:", "file:relative", "file:", "http://vault"])
def test_a_location_is_no_secret(place):
    """Whoever types the secret itself is told so, without hearing it again."""
    with pytest.raises(BadRequest, match="not the secret itself") as caught:
        Access(secret_at=place)
    assert not place or place not in str(caught.value) or place in ("env:", "file:")


@pytest.mark.parametrize("url", ["http://api.onoffice.de/api.php", "ftp://x", "https://user:secret@api.onoffice.de/"])
def test_nothing_goes_out_unencrypted(url):
    """But to this machine itself, where an emulator may run."""
    with pytest.raises(BadRequest):
        Access(url=url)
    assert "http://127.0.0.1:8090/" == Access(url="http://127.0.0.1:8090/").url
