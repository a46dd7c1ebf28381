"""Account: the sync password, the browsers that are signed in, and the language."""

from __future__ import annotations

from datetime import timedelta

import pytest

from radicale_onoffice.core.accounts import Caller
from radicale_onoffice.core.errors import SignInRefused
from radicale_onoffice.core.model import Face, UserState
from radicale_onoffice.core.policy import Policy
from tests.pages.scenes import ANNA, BERT, change_user, dav_contacts, phone_of, refused, synced_phone
from tests.pages.visitor import Visitor

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
NEW = "a long new password"


def change(visitor, old="secret", new=NEW, again=NEW):
    """Fill in the form and send it."""
    return visitor.submit("/account", "/account/password", old=old, new=new, again=again)


def can_sync(office, password: str) -> bool:
    """True if a device with this password is let in."""
    try:
        office.accounts.sign_in("anna", password, Caller(face=Face.DAV))
    except SignInRefused:
        return False
    return True


def browsers(page) -> list[list[str]]:
    """The rows of the table of sessions: browser, address, and what can be done."""
    rows = [[" ".join(cell.text_content().split()) for cell in row.cssselect("th, td")] for row in page.tree.cssselect("main tbody tr")]
    return [[row[0], row[1], row[-1]] for row in rows]


# ----------------------------------------------------------------- password


def test_rule_86_a_changed_password_holds_at_once_and_devices_have_to_be_corrected(anna, server, clock):
    """The page then lists those that still use the old one, until each has been corrected."""
    synced_phone(server)
    dav_contacts(server)
    clock.now += timedelta(minutes=1)
    page = change(anna)
    assert "Your password has been changed. Enter it on each of your devices now." in page.text
    assert ["DAVx5 4.4.5-ose", "TestPhone"] == sorted(one.text_content() for one in page.tree.cssselect("main li"))
    assert (False, True) == (can_sync(server.office, "secret"), can_sync(server.office, NEW))
    assert 200 == refused(phone_of(server, password=NEW))
    assert ["DAVx5 4.4.5-ose"] == [one.text_content() for one in anna.get("/account").tree.cssselect("main li")]
    dav_contacts(server, password=NEW)
    assert "still use an old password" not in anna.get("/account").text


@pytest.mark.parametrize(
    ("old", "new", "again", "says"),
    [
        ("wrong", NEW, NEW, "The present password is wrong"),
        ("", NEW, NEW, "The present password is wrong"),
        ("secret", NEW, NEW + "x", "The two new passwords differ."),
        ("secret", "short", "short", "The new password needs at least 8 characters"),
        ("secret", "secret", "secret", "The new password needs at least 8 characters"),
        ("secret", "x" * 1025, "x" * 1025, "The new password needs at least 8 characters"),
    ],
)
def test_a_password_is_not_changed_by_mistake(anna, old, new, again, says):
    """The page says what is wrong, at the field, and shows no password again."""
    page = change(anna, old, new, again)
    assert (400, True, True) == (page.status, says in page.text, "Nothing was changed." in page.text)
    assert ["password-failed"] == [one.get("aria-describedby").split()[0] for one in page.tree.cssselect("[aria-invalid]")]
    assert "" == "".join(one.get("value", "") for one in page.tree.cssselect("input[type=password]"))
    assert can_sync(anna.office, "secret")


def test_guessing_the_old_password_in_an_open_browser_is_slowed_down(anna):
    """Brute force by who found the browser open; the right one is refused then, too, and sync is not locked."""
    for number in range(6):
        change(anna, f"guess {number}")
    assert 400 == change(anna).status
    assert can_sync(anna.office, "secret")


def test_a_changed_password_ends_the_other_browsers_but_not_this_one(anna, server):
    """Whoever knew the old one is out."""
    other = Visitor(server)
    other.sign_in()
    change(anna)
    assert other.get().has_form("/sign-in")
    assert "Account" in anna.get("/account").text


def test_rule_87_a_password_can_be_changed_while_sync_is_locked(anna, server):
    """And the lock stays until it is opened."""
    for _ in range(5):
        can_sync(server.office, "wrong")
    assert "Your password has been changed." in change(anna).text
    assert server.office.accounts.is_locked(ANNA)
    anna.submit("/", "/unlock")
    assert can_sync(server.office, NEW)


def test_where_another_system_checks_passwords_the_page_says_where_to_change_it(serve, tmp_path):
    """No form, and none is taken."""
    users = tmp_path / "users"
    users.write_text("anna:secret\n")
    visitor = Visitor(serve(onoffice_password_backend=f"htpasswd\nhtpasswd_filename = {users}\nhtpasswd_encryption = plain"))
    visitor.sign_in()
    page = visitor.get("/account")
    assert "Your password is checked by another system of your company." in page.text
    assert not page.has_form("/account/password")
    form = {"token": visitor.token(), "old": "secret", "new": NEW, "again": NEW}
    assert 403 == visitor.post("/account/password", form).status


def test_rule_91_an_expired_password_is_changed_here(serve, clock):
    """Sync is refused until then; the page is open."""
    server = serve(Policy(password_max_age_days=30))
    clock.now += timedelta(days=31)
    visitor = Visitor(server)
    visitor.sign_in()
    assert "Your password has expired" in visitor.get("/account").text
    assert not can_sync(server.office, "secret")
    assert "expired" not in change(visitor).text
    assert can_sync(server.office, NEW)


# ----------------------------------------------------------------- sessions


def test_the_browsers_that_are_signed_in_are_listed(anna, server):
    """What they are, from where, since when; this one is marked and has no button."""
    other = Visitor(server)
    other.http.headers["user-agent"] = FIREFOX
    other.sign_in()
    found = browsers(anna.get("/account"))
    assert ["Firefox, Linux", "testclient", "Sign out: Firefox, Linux"] in found
    assert ["Unknown browser", "testclient", "this browser"] in found
    assert 2 == len(found)


def test_another_browser_can_be_signed_out(anna, server):
    """Alone, or all at once; this one stays."""
    others = [Visitor(server) for _ in range(3)]
    for one in others:
        one.sign_in()
    page = anna.submit("/account", "/account/session")
    assert "The browser has been signed out." in page.text
    assert 1 == sum(one.get().has_form("/sign-in") for one in others)
    page = anna.submit("/account", "/account/sessions")
    assert "2 other browsers have been signed out." in page.text
    assert all(one.get().has_form("/sign-in") for one in others)
    assert not page.has_form("/account/sessions")


def test_the_sessions_of_others_cannot_be_ended(anna, server):
    """Neither by their digest nor by any other word."""
    bert = Visitor(server)
    bert.sign_in("bert")
    (session,) = server.office.accounts.page_sessions(BERT)
    for word in (session.token_digest, "", "x" * 64, "%"):
        anna.post("/account/session", {"token": anna.token(), "session": word})
    assert "Account" in bert.get("/account").text


def test_what_a_browser_calls_itself_is_text(anna, server):
    """Stored XSS through a User-Agent."""
    other = Visitor(server)
    other.http.headers["user-agent"] = "<script>alert(1)</script> Firefox/1"
    other.sign_in()
    assert not [one for one in anna.get("/account").tree.cssselect("script") if not one.get("src")]


# ----------------------------------------------------------------- language


def test_the_chosen_language_is_that_of_pages_and_of_folders(anna, server):
    """The page speaks it at once, and devices see the folders' names in it."""
    page = anna.submit("/account", "/account/language", language="it")
    assert ("it", "La lingua è stata salvata." in page.text) == (page.tree.get("lang"), True)
    assert "Contatti onOffice" == phone_of(server).folder_sync()["contacts"][0]


def test_the_choice_shows_the_language_that_the_page_speaks(visitor):
    """Whatever was chosen for the folders: who looks at an Italian page does not see English chosen."""
    visitor.sign_in()
    for language in ("it", "de", "en"):
        page = visitor.get(f"/account?language={language}")
        assert [language] == [one.get("value") for one in page.tree.cssselect("#language option[selected]")]


@pytest.mark.parametrize("language", ["", "fr", "de\r\nX: y", "../de"])
def test_no_other_language_is_taken(anna, language):
    """Nothing changes."""
    page = anna.post("/account/language", {"token": anna.token(), "language": language})
    assert (400, "en") == (page.status, anna.get().tree.get("lang"))


def test_the_language_links_keep_what_a_page_shows(anna):
    """Everything else of the address stays; after a form they lead to the start page, because nothing else can be shown again."""
    links = [link.get("href") for link in anna.get("/?page=2&q=a%26b&language=en").tree.cssselect("footer a")]
    assert ["?page=2&q=a%26b&language=de", "?page=2&q=a%26b&language=it"] == links
    page = change(anna, "wrong")
    assert "/.web/?language=de" in [link.get("href") for link in page.tree.cssselect("footer a")]


def test_the_page_is_open_while_the_user_is_deactivated(anna, server):
    """It is no sync (rule 8)."""
    change_user(server.office, state=UserState.DEACTIVATED)
    assert 200 == anna.get("/account").status
