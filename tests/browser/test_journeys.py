"""What a person does at the page, beside a phone and a computer that synchronise."""

from __future__ import annotations

import re

import pytest

from activesync_bridge.wbxml.codepages import Contacts
from radicale_onoffice.core.model import Actor, Contact, Entry, EntryKind, EntryType, Face, Identity, Kind, Slot, User
from tests.eas.phone import Refused
from tests.pages.scenes import folder_status

ANNA, BERT = Identity("t", "anna"), Identity("t", "bert")
CRM = Actor(identity=ANNA, face=Face.CRM)


def test_a_phone_with_an_old_password_locks_the_page_says_so_and_unlocks(anna, live):
    """Rules 86-89: wrong passwords of a phone lock sync, the page shows why, the button opens it, the phone goes on, and success shows once."""
    forgotten, phone = live.phone(password="old", device="TABLET"), live.phone()
    for _ in range(5):
        with pytest.raises(Refused):
            forgotten.folder_sync()
    with pytest.raises(Refused):
        phone.folder_sync()
    anna.open()
    assert "Your sync access is locked" in anna.sees
    assert "after 5 wrong passwords" in anna.sees
    anna.press("Unlock sync access")
    assert "Your sync access has been unlocked!" in anna.sees
    assert not anna.has_button("Unlock sync access")
    assert "contacts" in phone.folder_sync()
    anna.page.reload()
    assert "unlocked" not in anna.sees


def test_the_session_survives_the_lock(anna, live):
    """Rule 87: who is signed in stays so, and can sign in, too, while sync is locked."""
    forgotten = live.phone(password="old")
    for _ in range(6):
        with pytest.raises(Refused):
            forgotten.folder_sync()
    assert 200 == anna.open().status
    anna.press("Sign out")
    anna.sign_in()
    assert anna.has_button("Unlock sync access")


def test_a_slot_that_is_moved_in_the_page_arrives_everywhere(anna, live):
    """Sync assignment: what is chosen in the page is on the phone and on the computer with their next synchronisation (rules 22-30)."""
    entries = (
        Entry(id=1, kind=EntryKind.PHONE, value="0241 1001", type=EntryType.PRIVATE, slot=Slot.HOME),
        Entry(id=2, kind=EntryKind.PHONE, value="0171 1002", type=EntryType.MOBILE),
    )
    card = Contact(first_name="Emily", last_name="Carter", entries=entries, sync_users=("anna",))
    record = live.office.records.write(CRM, Kind.CONTACTS, card)
    phone, computer = live.phone(), live.computer()
    phone.folder_sync()
    phone.sync("contacts")
    assert "" == phone.of("contacts").items[record.id].text_of(Contacts.MobilePhoneNumber)
    assert all("0171 1002" not in text for text in computer.shown("contacts"))
    anna.follow("My contacts")
    anna.follow("Emily Carter")
    anna.page.get_by_label("0171 1002").select_option("Mobile phone")
    anna.press("Save")
    phone.sync("contacts")
    assert "0171 1002" == phone.of("contacts").items[record.id].text_of(Contacts.MobilePhoneNumber)
    (text,) = computer.shown("contacts")
    assert re.search(r"^TEL;[^:]*CELL[^:]*:0171 1002\r$", text, re.MULTILINE)


def test_a_gate_that_the_admin_closes_empties_the_folder_everywhere(anna, live):
    """Rules 1-3: contacts leave the phone and the computer, and anna's page says why; appointments go on."""
    live.office.accounts.save_user(User(identity=BERT, admin=True), "secret", "test")
    live.office.records.write(CRM, Kind.CONTACTS, Contact(last_name="Carter", sync_users=("anna",)))
    phone, computer = live.phone(), live.computer()
    phone.folder_sync()
    phone.sync("contacts")
    assert (1, 1) == (len(phone.of("contacts").items), len(computer.shown("contacts")))
    anna.press("Sign out")
    anna.sign_in("bert")
    anna.follow("Administration")
    anna.follow("Users")
    anna.follow("anna")
    anna.page.get_by_label("Contacts: switched on").uncheck()
    anna.press("Save")
    assert {"appointments", "tasks"} == {name for name in phone.folder_sync() if name in list(Kind)}
    assert [] == computer.shown("contacts")
    anna.press("Sign out")
    anna.sign_in()
    assert "Contacts: off" in anna.sees
    assert "Switched off" in anna.sees


def test_a_contact_is_found_and_put_on_the_devices(anna, live):
    """Rule 17: search, tick, switch on; the phone has it then."""
    for name in ("Carter", "Bennett"):
        live.office.records.write(CRM, Kind.CONTACTS, Contact(first_name="Emily", last_name=name))
    phone = live.phone()
    phone.folder_sync()
    phone.sync("contacts")
    anna.follow("My contacts")
    anna.page.get_by_label("Name, company, town, number or address").fill("carter")
    anna.press("Search")
    assert "Bennett" not in anna.sees
    anna.page.get_by_label("Emily Carter").check()
    anna.press("Switch Sync on")
    phone.sync("contacts")
    (item,) = phone.of("contacts").items.values()
    assert "Carter" == item.text_of(Contacts.LastName)


def test_a_lost_phone_is_wiped_from_the_page(anna, live):
    """The account on it, and nothing else: the phone is told at its next request (MS-ASPROV 2.2.2.1)."""
    phone = live.phone()
    phone.folder_sync()
    anna.follow("My devices")
    anna.follow("TestPhone")
    anna.follow("Wipe onOffice data")
    anna.page.locator("main form button.danger").click()
    assert "140" == folder_status(phone)


def test_the_password_is_changed_and_every_device_that_has_the_old_one_is_named(anna, live):
    """Rule 90: the session that changed it goes on, the phone does not."""
    phone = live.phone()
    phone.folder_sync()
    anna.follow("Account")
    anna.page.get_by_label("Present password").fill("secret")
    anna.page.get_by_label("New password", exact=True).fill("a longer secret")
    anna.page.get_by_label("Repeat the new password").fill("a longer secret")
    anna.press("Change password")
    with pytest.raises(Refused):
        phone.folder_sync()
    anna.open()
    assert "still use an old password" in anna.sees
    assert "TestPhone" in anna.sees
