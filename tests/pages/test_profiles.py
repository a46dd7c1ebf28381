"""Apple's configuration profiles: they hold what Apple describes, take their own place when installed again, and are signed on request."""

from __future__ import annotations

import plistlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radicale_onoffice import signing
from radicale_onoffice.core.model import Identity, Tenant, User
from radicale_onoffice.pages import profiles
from radicale_onoffice.pages.clients import Profile, place_of
from radicale_onoffice.pages.language import LANGUAGES, Voice
from tests import certificates
from tests.conftest import START
from tests.pages import apple
from tests.pages.visitor import Visitor

HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7", "Host": "sync.example.org"}


@pytest.fixture
def behind_tls(serve):
    """A server behind a proxy that speaks TLS."""
    return serve(onoffice_trust_proxy="True")


def fetched(server, profile: str, login: str = "anna", **headers) -> bytes:
    """A profile as a signed-in visitor gets it."""
    visitor = Visitor(server)
    visitor.sign_in(login)
    page = visitor.get(f"/set-up/profile/{profile}", **(HTTPS | headers))
    assert (200, profiles.TYPE) == (page.status, page.answer.headers["content-type"])
    assert f'attachment; filename="onoffice-{profile}.mobileconfig"' == page.answer.headers["content-disposition"]
    return page.answer.content


def test_the_profile_with_exchange_has_one_account_without_a_password(behind_tls):
    """Host, user name and what is synchronised; mail and notes are off, and the address that we do not know is asked for by the device."""
    data = fetched(behind_tls, "exchange")
    assert [] == apple.complaints(data)
    whole = plistlib.loads(data)
    (account,) = whole["PayloadContent"]
    assert ("sync.example.org", "anna", True) == (account["Host"], account["UserName"], account["SSL"])
    on = {name for name in apple.SERVICES if account[f"Enable{name}"]}
    assert {"Contacts", "Calendars", "Reminders"} == on
    assert not {"EmailAddress", "Password"} & account.keys()
    assert whole["PayloadRemovalDisallowed"] is False
    assert ("onOffice (anna)", "com.apple.eas.account") == (whole["PayloadDisplayName"], account["PayloadType"])


def test_the_profile_with_dav_has_an_account_for_each_protocol(behind_tls):
    """With the address of the user's own folders, so that nothing has to be discovered; no password."""
    data = fetched(behind_tls, "dav", Host="sync.example.org:8443")
    assert [] == apple.complaints(data)
    calendar, contacts = plistlib.loads(data)["PayloadContent"]
    for prefix, account in (("CalDAV", calendar), ("CardDAV", contacts)):
        assert ("sync.example.org", 8443, True) == tuple(account[f"{prefix}{key}"] for key in ("HostName", "Port", "UseSSL"))
        assert ("anna", "https://sync.example.org:8443/anna/") == (account[f"{prefix}Username"], account[f"{prefix}PrincipalURL"])
        assert "onOffice (anna)" == account[f"{prefix}AccountDescription"]
        assert f"{prefix}Password" not in account


def test_the_address_in_a_profile_leads_to_the_folders(behind_tls):
    """What stands as principal is one, for the user of the profile."""
    account = plistlib.loads(fetched(behind_tls, "dav"))["PayloadContent"][0]
    path = account["CalDAVPrincipalURL"].removeprefix("https://sync.example.org")
    answer = behind_tls.client("anna").request("PROPFIND", path, headers={"Depth": "1"})
    assert 207 == answer.status_code
    assert "/anna/calendar/" in answer.text


def test_a_login_that_is_an_address_is_the_address_of_the_account(behind_tls):
    """The device then asks for the password only; a login of another tenant is written as it signs in."""
    with behind_tls.office.store.writing() as tx:
        tx.save_tenant(Tenant(name="agentur.example"))
    behind_tls.office.accounts.save_user(User(identity=Identity("agentur.example", "eva")), "secret", "test")
    (account,) = plistlib.loads(fetched(behind_tls, "exchange", "eva@agentur.example"))["PayloadContent"]
    assert ("eva@agentur.example", "eva@agentur.example") == (account["UserName"], account["EmailAddress"])
    dav = plistlib.loads(fetched(behind_tls, "dav", "eva@agentur.example"))["PayloadContent"][0]
    assert "https://sync.example.org/eva@agentur.example/" == dav["CalDAVPrincipalURL"]


def test_a_profile_that_is_installed_again_takes_the_place_of_the_old_one(behind_tls):
    """Identifiers stay for ever, and are others for another login, host or payload (rule 12)."""
    first, again = fetched(behind_tls, "dav"), fetched(behind_tls, "dav")
    assert first == again
    others = [fetched(behind_tls, "dav", "bert"), fetched(behind_tls, "dav", Host="other.example.org"), fetched(behind_tls, "exchange")]
    wholes = [plistlib.loads(data) for data in (first, *others)]
    for key in ("PayloadUUID", "PayloadIdentifier"):
        found = [part[key] for whole in wholes for part in (whole, *whole["PayloadContent"])]
        assert len(found) == len(set(found))


def test_a_server_without_activesync_gives_no_profile_for_it(serve):
    """Nor does anybody else's name lead to a file."""
    visitor = Visitor(serve(activesync_enabled="False"))
    visitor.sign_in()
    assert [404, 404, 200] == [visitor.get(f"/set-up/profile/{name}").status for name in ("exchange", "mail", "dav")]


LOGINS = st.text(st.characters(min_codepoint=33, exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=40)
HOSTS = st.sampled_from(["sync.example.org", "a-b.example", "10.1.2.3", "[2001:db8::1]", "sync.example.org:8443", "xn--bro-hoa.example"])


@given(LOGINS, HOSTS, st.sampled_from(list(LANGUAGES)), st.sampled_from(list(Profile)))
def test_whatever_the_login_a_profile_is_well_formed(login, host, language, profile):
    """Signs of XML, quotes and other alphabets come through as they are, in every language and for every kind of host."""
    place = place_of(f"https://{host}", "/")
    data = profiles.build(profile, place, login, "", Voice(language, UTC, START))
    assert [] == apple.complaints(data)
    whole = plistlib.loads(data)
    assert f"onOffice ({login})" == whole["PayloadDisplayName"]
    assert {login} == {
        part.get("UserName") or part.get("CalDAVUsername") or part.get("CardDAVUsername") for part in whole["PayloadContent"]
    }


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"Hosts": "x"}, "com.apple.eas.account: Hosts is unknown"),
        ({"SSL": "yes"}, "com.apple.eas.account: SSL is no boolean"),
        ({"PayloadVersion": True}, "com.apple.eas.account: PayloadVersion is no integer"),
        (
            dict.fromkeys(("EnableContacts", "EnableCalendars", "EnableReminders"), False),
            "com.apple.eas.account: at least one service has to be on",
        ),
    ],
)
def test_the_judge_of_profiles_sees_what_is_wrong(change, complaint):
    """Unknown keys and wrong types are complaints, so that none of ours can be one."""
    data = profiles.build(Profile.EXCHANGE, place_of("https://a.example", "/"), "anna", "", Voice("en", UTC, START))
    whole = plistlib.loads(data)
    whole["PayloadContent"][0].update(change)
    assert complaint in apple.complaints(plistlib.dumps(whole))


# ------------------------------------------------------------------- signing


@pytest.fixture
def files(tmp_path):
    """A certificate and its key."""
    directory = tmp_path / "certificates"
    directory.mkdir()
    return certificates.self_signed(directory)


def verified(data: bytes, certificate, tmp_path) -> bytes:
    """The content of a signature that openssl accepts."""
    (tmp_path / "signed.der").write_bytes(data)
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", str(tmp_path / "signed.der"), "-CAfile", str(certificate)]
    return subprocess.run([*command, "-purpose", "any", "-binary"], check=True, capture_output=True).stdout


@pytest.mark.parametrize("profile", list(Profile))
def test_a_signed_profile_verifies_and_contains_the_plain_one(serve, files, tmp_path, profile):
    """Judged by openssl."""
    certificate, key = files
    server = serve(onoffice_trust_proxy="True", onoffice_profile_certificate=certificate, onoffice_profile_key=key)
    content = verified(fetched(server, profile), certificate, tmp_path)
    assert [] == apple.complaints(content)
    voice = Voice("en", UTC, START)
    assert profiles.build(profile, place_of("https://sync.example.org", "/"), "anna", "", voice) == content


def test_a_certificate_that_cannot_be_used_costs_the_signature_and_not_the_profile(serve, files, caplog):
    """The log says why; the next one is signed when the file is back."""
    certificate, key = files
    server = serve(onoffice_trust_proxy="True", onoffice_profile_certificate=certificate, onoffice_profile_key=key)
    kept = key.read_bytes()
    key.unlink()
    assert [] == apple.complaints(fetched(server, "dav"))
    assert f"went out unsigned: {key} cannot be read" in caplog.text
    key.write_bytes(kept)
    assert fetched(server, "dav").startswith(b"\x30")


@pytest.fixture
def check():
    """What ``check`` says of a certificate and a key at a time: state, and words."""

    class Configuration:
        def __init__(self, certificate, key):
            self.values = {"onoffice_profile_certificate": str(certificate), "onoffice_profile_key": str(key)}

        def get(self, _section, name):
            return self.values[name]

    def run(certificate, key, at=None):
        return [(one.state, one.seen) for one in signing.findings(Configuration(certificate, key), at or datetime.now(UTC))]

    return run


def test_check_tells_when_the_certificate_ends(files, check):
    """Two days that are left are a note; after them it is a problem; more than two weeks are well."""
    certificate, key = files
    now = datetime.now(UTC)
    assert ["note"] == [state for state, _ in check(certificate, key)]
    assert ["ok"] == [state for state, _ in check(certificate, key, now - timedelta(days=20))]
    ((state, seen),) = check(certificate, key, now + timedelta(days=3))
    assert ("problem", True) == (state, f"{now + timedelta(days=2):%Y-%m-%d}" in seen)
    assert [] == check("", "")


def test_check_tells_what_is_wrong_with_the_files(files, check, tmp_path):
    """Each with its own words: not there, no PEM, another's key, a key with a password, half a configuration."""
    certificate, key = files
    other = tmp_path / "other"
    other.mkdir()
    _, foreign = certificates.self_signed(other)
    text, locked = tmp_path / "text.pem", tmp_path / "locked.pem"
    text.write_text("nothing")
    locked.write_bytes(
        subprocess.run(["openssl", "rsa", "-aes256", "-passout", "pass:x", "-in", str(key)], check=True, capture_output=True).stdout
    )
    cases = {
        (tmp_path / "none.pem", key): "cannot be read: No such file",
        (text, key): "hold no certificate and key in PEM",
        (certificate, foreign): "The key is not that of the first certificate",
        (certificate, locked): "in PEM without a password",
        ("", key): "set both, or neither",
    }
    for (first, second), words in cases.items():
        ((state, seen),) = check(first, second)
        assert "problem" == state
        assert words in seen


def test_check_names_the_extra_that_is_missing(files, check, monkeypatch):
    """Signing is optional; who configures it without installing it is told what to install."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert [("problem", "Signing needs `pip install 'radicale-onoffice[signing]'`.")] == check(*files)


def test_one_file_may_hold_certificate_and_key(files, check, tmp_path):
    """As some programs write them."""
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(path.read_bytes() for path in files))
    assert ["note"] == [state for state, _ in check(both, "")]
