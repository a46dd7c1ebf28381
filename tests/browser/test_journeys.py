"""What a person does at the page, beside a phone and a computer that synchronise."""

from __future__ import annotations

import pytest

from radicale_onoffice.core.model import Identity
from tests.eas.phone import Refused

ANNA = Identity("t", "anna")


def test_a_phone_with_an_old_password_locks_the_page_says_so_and_unlocks(anna, live):
    """Rules 86-89: wrong passwords of a phone lock sync, the page shows why, the button opens it, the phone goes on, and success shows once."""
    forgotten, phone = live.phone(password="old", device="TABLET"), live.phone()
    for _ in range(5):
        with pytest.raises(Refused):
            forgotten.folder_sync()
    with pytest.raises(Refused):
        phone.folder_sync()
    anna.open()
    assert "wrong password came too often" in anna.sees
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
