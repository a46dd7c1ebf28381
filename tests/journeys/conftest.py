"""A server in a process of its own, in each of the suite's worlds."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.emulator import Emulator
from tests.running import Running


@pytest.fixture
def make_running(world, office_url, tmp_path):
    """Make a server that is not started yet; with onOffice as its CRM, which is an emulator that really listens."""
    with ExitStack() as stack:

        def make(kind: type[Running] = Running) -> Running:
            if world.crm == "embedded":
                server = kind(tmp_path, office_url)
            else:
                emulator = Emulator()
                stack.callback(emulator.close)
                url = stack.enter_context(emulator.serve())  # before the server looks for a free port, which could be this one
                server = kind(tmp_path, office_url)
                server.connect(emulator, url)
            stack.callback(end, server)
            return server

        yield make


def end(server: Running) -> None:
    if server.process and server.process.poll() is None:
        server.kill()


@pytest.fixture
def running(make_running):
    """One that runs."""
    server = make_running()
    server.start()
    return server
