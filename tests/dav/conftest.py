"""A DAV client of the one-port application."""

from __future__ import annotations

import pytest


@pytest.fixture
def client(server):
    client = server.client()
    client.office = server.office
    return client
