"""A visitor of the pages over an office with a fixed clock."""

from __future__ import annotations

import pytest

from tests.pages.visitor import Visitor


@pytest.fixture
def visitor(server):
    """Somebody who has not signed in."""
    return Visitor(server)


@pytest.fixture
def anna(visitor):
    """The user anna, signed in, with a browser that wants English."""
    visitor.sign_in()
    return visitor
