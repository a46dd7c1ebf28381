"""My devices, as a user sees them: what synchronises with the login, what it lacks, and what can be done to it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from activesync_bridge.wbxml.codepages import Provision
from radicale_onoffice.core.model import DeviceState, Failure
from radicale_onoffice.core.policy import Policy
from tests.conftest import START
from tests.eas.phone import KeyLost
from tests.pages.scenes import (
    ANNA,
    BERT,
    add_contacts,
    change_user,
    confirm_wipe,
    dav_contacts,
    folder_status,
    introduce,
    phone_of,
    server_ids,
    synced_phone,
    wipe_orders,
)
from tests.pages.visitor import Visitor

ACTIONS = ("resync", "block", "remove", "wipe", "erase")


def address(visitor, name: str = "") -> str:
    """Where the page of the only phone, or of the one with this name, is."""
    links = visitor.get("/devices").tree.cssselect("main h3 a")
    (found,) = [link for link in links if name in link.text_content()]
    return found.get("href").removeprefix("/.web")


def facts(page) -> dict[str, str]:
    """What the page says of a device."""
    names = [one.text_content() for one in page.tree.cssselect("dl.facts dt")]
    return dict(zip(names, [one.text_content() for one in page.tree.cssselect("dl.facts dd")], strict=True))


def rows(page, number: int) -> list[list[str]]:
    """The cells of a table."""
    table = page.tree.cssselect("main table")[number]
    return [[cell.text_content().strip() for cell in row.cssselect("th, td")] for row in table.cssselect("tbody tr")]


# ------------------------------------------------------------------ looking


def test_who_has_no_device_reads_so(anna):
    """Of both sorts."""
    page = anna.get("/devices")
    assert "No phone has come yet." in page.text
    assert "No program has come yet." in page.text


def test_a_phone_says_what_it_is_and_when_it_last_came(anna, server, clock):
    """Model, system, protocol, first seen, last sync, state."""
    introduce(synced_phone(server), "iPhone15,2", "Anna's iPhone")
    clock.now += timedelta(hours=2)
    page = anna.get("/devices")
    assert "Anna's iPhone" in page.text
    assert {"Model": "iPhone15,2", "System": "iOS 18.1", "Last synced": "2 hours ago"}.items() <= facts(page).items()
    page = anna.get(address(anna))
    told = facts(page)
    assert ("iPhone15,2", "iOS 18.1", "PHONE1") == (told["Model"], told["System"], told["Device id"])
    assert ("Exchange ActiveSync 16.1", "Test-Phone/1.0") == (told["Protocol"], told["Program"])
    assert told["Known since"].startswith("Mar 15, 2026")
    assert "may synchronise" in page.text
    assert "Nothing fails." in page.text


def test_what_a_phone_does_not_have_yet_is_counted(anna, server):
    """Per folder, before it comes for it."""
    add_contacts(server.office, 1)
    synced_phone(server)
    add_contacts(server.office, 2)
    assert rows(anna.get(address(anna)), 0) == [
        ["Contacts", "2 changes"],
        ["Appointments", "nothing, it is up to date"],
        ["Tasks", "nothing, it is up to date"],
    ]


def test_what_fails_is_told_with_entry_and_reason(anna, server):
    """Each item that was left out, by its name."""
    (record_id,) = add_contacts(server.office, 1)
    synced_phone(server)
    failure = Failure(identity=ANNA, device_id="PHONE1", collection="contacts", item=record_id, version=1, reason="too large", at=START)
    with server.office.store.writing() as tx:
        tx.save_failure(failure)
    assert "one entry fails" in anna.get("/devices").text
    ((folder, item, reason, _),) = rows(anna.get(address(anna)), 1)
    assert ("Contacts", "Muster0, Max", "too large") == (folder, item, reason)


def test_programs_over_dav_are_told_with_their_last_sync(anna, server, clock):
    """By the name that they give; a browser that looks at the page is none."""
    dav_contacts(server)
    clock.now += timedelta(minutes=5)
    ((name, last_sync, where, *_),) = rows(anna.get("/devices"), 0)
    assert ("DAVx5 4.4.5-ose", "5 minutes ago", "testclient") == (name, last_sync, where)


def test_a_program_that_is_used_no_more_is_taken_off_the_list_and_of_the_warnings(anna, server, clock):
    """Else its old password would be told for ever; it comes back if it is used again."""
    dav_contacts(server)
    clock.now += timedelta(minutes=1)
    change_user(server.office, password="new-secret-1")
    anna.sign_in(password="new-secret-1")
    page = anna.get("/devices")
    assert "old password" in page.text
    (link,) = [one.get("href").removeprefix("/.web") for one in page.tree.cssselect("a[href$='/forget']")]
    page = anna.submit(link, link)
    assert "DAVx5 4.4.5-ose is off the list." in page.text
    assert "old password" not in anna.get().text
    dav_contacts(server, password="new-secret-1")
    assert "DAVx5" in anna.get("/devices").text


def test_without_activesync_there_are_no_phones(serve):
    """Then the page speaks of programs only."""
    visitor = Visitor(serve(activesync_enabled="False"))
    visitor.sign_in()
    assert "ActiveSync" not in visitor.get("/devices").text


def test_what_a_phone_says_of_itself_is_text(anna, server):
    """Stored XSS through a model or a name."""
    evil = '"><script>alert(1)</script>'
    introduce(synced_phone(server), evil, evil)
    for page in (anna.get("/devices"), anna.get(address(anna)), anna.get(address(anna) + "/block")):
        assert evil in page.text
        assert not [one for one in page.tree.cssselect("script") if not one.get("src")]


# ------------------------------------------------------------------- acting


def test_a_blocked_phone_stays_out_until_it_is_let_in_again(anna, server):
    """After a page that asks."""
    phone = synced_phone(server)
    here = address(anna)
    page = anna.submit(f"{here}/block", f"{here}/block")
    assert "TestPhone is blocked." in page.text
    assert "blocked" in anna.get("/devices").text
    assert "129" == folder_status(phone)
    assert "TestPhone may synchronise again." in anna.submit(here, f"{here}/unblock").text
    assert "contacts" in phone.folder_sync()


def test_a_resynced_phone_fetches_everything_again(anna, server):
    """And other devices notice nothing."""
    add_contacts(server.office, 2)
    phone, other = synced_phone(server), synced_phone(server, "PHONE2")
    here = next(one for one in addresses(anna) if facts(anna.get(one))["Device id"] == "PHONE1")
    page = anna.submit(f"{here}/resync", f"{here}/resync")
    assert "begins anew when it comes next." in page.text
    for collection in ("contacts", "tasks"):
        with pytest.raises(KeyLost):
            phone.sync(collection)
    phone.sync("contacts")
    other.sync("contacts")
    assert (2, 2) == (len(server_ids(phone)), len(server_ids(other)))


def addresses(visitor) -> list[str]:
    """The pages of all phones."""
    return [link.get("href").removeprefix("/.web") for link in visitor.get("/devices").tree.cssselect("main h3 a")]


def test_one_folder_alone_can_be_fetched_again(anna, server):
    """As chosen; no other word is taken."""
    phone = synced_phone(server)
    here = address(anna)
    anna.submit(f"{here}/resync", f"{here}/resync", folder="tasks")
    phone.sync("contacts")
    with pytest.raises(KeyLost):
        phone.sync("tasks")
    assert 400 == anna.submit(f"{here}/resync", f"{here}/resync", folder="inbox").status


def test_a_removed_phone_is_forgotten_and_comes_again_as_a_new_one(anna, server, clock):
    """The page says that the account has to be removed on the phone."""
    phone = synced_phone(server)
    here = address(anna)
    assert "remove the account there" in anna.get(f"{here}/remove").text
    page = anna.submit(f"{here}/remove", f"{here}/remove")
    assert "No phone has come yet." in page.text
    assert 404 == anna.get(here).status
    clock.now += timedelta(hours=2)
    with pytest.raises(KeyLost):
        phone.sync("contacts")
    assert facts(anna.get(here))["Known since"].startswith("Mar 15, 2026, 11:30")


def test_rule_15_a_lost_phone_is_told_to_take_the_account_off(anna, server):
    """It confirms, stays out, and nothing is deleted in the CRM."""
    (record_id,) = add_contacts(server.office, 1)
    phone = synced_phone(server)
    here = address(anna)
    assert "Nothing is deleted in onOffice." in anna.get(f"{here}/wipe").text
    page = anna.submit(f"{here}/wipe", f"{here}/wipe")
    assert "TestPhone is told as soon as it comes." in page.text
    assert "wipe requested" in page.text
    assert {Provision.AccountOnlyRemoteWipe} == wipe_orders(phone)
    assert "wipe sent" in anna.get(here).text
    confirm_wipe(phone, Provision.AccountOnlyRemoteWipe)
    page = anna.get(here)
    assert "The device has wiped itself, and is kept out until you let it in again." in page.text
    assert "129" == folder_status(phone)
    assert not server.office.records.get("t", record_id).deleted


def test_of_an_older_phone_the_page_says_that_it_keeps_its_data(anna, server):
    """Before 16.1 there is no word for it."""
    synced_phone(server, version="14.1")
    assert "It is kept out, but keeps what is on it." in anna.get(address(anna) + "/wipe").text


def test_a_wipe_can_be_taken_back_while_the_phone_is_away(anna, server):
    """Found again."""
    phone = synced_phone(server)
    here = address(anna)
    anna.submit(f"{here}/wipe", f"{here}/wipe")
    anna.submit(here, f"{here}/unblock")
    assert set() == wipe_orders(phone)
    assert "contacts" in phone.folder_sync()


def test_what_an_administrator_ordered_the_page_explains(anna, server):
    """There is no button to take it back, and a form that is sent all the same changes nothing."""
    phone = synced_phone(server)
    here = address(anna)
    token = dict(anna.get(f"{here}/remove").fields(f"{here}/remove"))
    server.office.devices.request_wipe(ANNA, "PHONE1", "page boss")
    page = anna.get(here)
    assert "Only an administrator can change that." in page.text
    for action in ("unblock", "block", "remove", "wipe"):
        assert not page.has_form(f"{here}/{action}")
        refused = anna.post(f"{here}/{action}", token)
        assert (403, True) == (refused.status, "Only an administrator can change that." in refused.text)
    assert {Provision.AccountOnlyRemoteWipe} == wipe_orders(phone)


@pytest.fixture
def erasing(serve):
    """anna, where the policy allows whole phones to be erased, with one phone."""
    server = serve(Policy(full_wipe=True))
    visitor = Visitor(server)
    visitor.sign_in()
    phone = synced_phone(server)
    introduce(phone, "iPhone15,2")
    return visitor, phone


@pytest.mark.parametrize("typed", ["iPhone15,2", " iphone15,2 ", "PHONE1"])
def test_a_whole_phone_is_erased_after_its_name_was_typed(erasing, typed):
    """Model or id, as the page shows them."""
    visitor, phone = erasing
    here = address(visitor)
    assert "private photos" in visitor.get(f"{here}/erase").text
    page = visitor.submit(f"{here}/erase", f"{here}/erase", typed=typed)
    assert "is erased completely as soon as it comes." in page.text
    assert {Provision.RemoteWipe} == wipe_orders(phone)


@pytest.mark.parametrize("typed", ["", "yes", "iPhone15", "PHONE2", "x" * 300])
def test_with_another_word_nothing_is_erased(erasing, typed):
    """The page asks again."""
    visitor, phone = erasing
    here = address(visitor)
    page = visitor.submit(f"{here}/erase", f"{here}/erase", typed=typed)
    assert (400, True) == (page.status, "Nothing was erased." in page.text)
    assert set() == wipe_orders(phone)


def test_where_the_policy_forbids_it_no_phone_is_erased(anna, server):
    """Neither offered nor done, also with the name typed."""
    phone = synced_phone(server)
    here = address(anna)
    assert "Erase" not in anna.get(here).text
    page = anna.get(f"{here}/erase?language=de")
    assert (403, True) == (page.status, "Ganze Geräte werden hier nicht gelöscht." in page.text)
    assert 403 == anna.post(f"{here}/erase", {"token": anna.token(), "typed": "PHONE1"}).status
    assert set() == wipe_orders(phone)


# ------------------------------------------------------------ nobody else's


def test_the_devices_of_others_are_not_found(anna, server):
    """Forced browsing: neither looked at nor acted upon, by the address that their owner sees."""
    phone = synced_phone(server, "BERTS", "bert")
    dav_contacts(server, "bert")
    bert = Visitor(server)
    bert.sign_in("bert")
    here = address(bert)
    (program,) = [one.get("href").removeprefix("/.web") for one in bert.get("/devices").tree.cssselect("a[href$='/forget']")]
    assert "BERTS" not in anna.get("/devices").text
    for path in (here, program, *(f"{here}/{action}" for action in ACTIONS)):
        assert 404 == anna.get(path).status, path
    for path in (program, *(f"{here}/{action}" for action in (*ACTIONS, "unblock"))):
        assert 404 == anna.post(path, {"token": anna.token(), "typed": "BERTS"}).status, path
    assert DeviceState.ALLOWED is server.office.devices.get(BERT, "BERTS").state
    phone.sync("contacts")


@pytest.mark.parametrize("action", ["format", "BLOCK", "__class__"])
def test_nothing_else_can_be_done_to_a_device(anna, server, action):
    """Only what the page offers."""
    synced_phone(server)
    here = address(anna)
    assert (404, 404) == (anna.get(f"{here}/{action}").status, anna.post(f"{here}/{action}", {"token": anna.token()}).status)


def test_a_phone_with_an_odd_id_has_a_page_all_the_same(anna, server):
    """Its address is a digest, whatever characters the id has."""
    server.office.devices.seen(ANNA, "../a/b?c#d", "Odd")
    page = anna.get(address(anna))
    assert (200, "../a/b?c#d") == (page.status, facts(page)["Device id"])


def test_a_phone_that_never_synchronised_can_be_removed(anna, server):
    """One whose set-up was broken off."""
    phone_of(server).folder_sync()
    here = address(anna)
    assert "never" in anna.get("/devices").text
    anna.submit(f"{here}/remove", f"{here}/remove")
    assert [] == addresses(anna)
