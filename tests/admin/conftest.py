"""A terminal that is wide enough for what is looked for to stand in one line."""

from __future__ import annotations

import pytest

from radicale_onoffice.admin import console


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    """The console takes its width when it is made, which may have been before this test."""
    for one in (console.out, console.err):
        monkeypatch.setattr(one, "width", 400)
