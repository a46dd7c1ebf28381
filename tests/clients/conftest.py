"""A running server for third-party clients."""

from __future__ import annotations

import pytest

from tests.running import Running


@pytest.fixture
def running(tmp_path):
    (tmp_path / "server").mkdir()
    server = Running(tmp_path / "server", f"sqlite:///{tmp_path}/server/office.db")
    server.start()
    yield server
    if server.process and server.process.poll() is None:
        server.kill()
