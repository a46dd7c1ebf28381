"""Phones over the one-port application."""

from __future__ import annotations

import pytest

from tests.eas.phone import Phone, over


@pytest.fixture
def phone(server):
    """Make a phone; the first word is its version."""

    def make(version: str = "16.1", device: str = "PHONE1", login: str = "anna", password: str = "secret") -> Phone:
        return Phone(over(server.client(None)), login, password, version=version, device=device)

    return make
