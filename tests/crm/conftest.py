"""onOffice's API as the emulator plays it, with a client of ours before it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from radicale_onoffice.core.model import Tenant
from radicale_onoffice.crm.onoffice.client import Client, Patience, pool
from radicale_onoffice.crm.onoffice.protocol import Credentials
from radicale_onoffice.crm.onoffice.survey import survey
from radicale_onoffice.crm.onoffice.tenants import Access
from tests.crm.desks import Desk
from tests.emulation import Wire
from tests.emulator import SECRET, TOKEN, Emulator


class OnOffice:
    """An emulator with the users anna and bert, and our client of it; waiting moves its own clock only."""

    def __init__(self, clock, **switches):
        self.emulator = Emulator(clock=clock, switches=switches)
        self.control = self.emulator.control
        self.anna = self.control.add_user("anna", "Anna", "Alt")
        self.bert = self.control.add_user("bert", "Bert", "Beyer")
        self.group = self.control.add_group("Miete", [self.anna, self.bert])
        self.waited = 0.0
        self._wire = Wire(self.emulator)
        self.client = Client(
            "https://api.example/api/stable/api.php",
            lambda: Credentials(token=TOKEN, secret=SECRET),
            pool(Patience(), self._wire),
            now=lambda: clock().timestamp(),
            monotonic=lambda: self.waited,
            sleep=self._sleep,
            chance=lambda: 0.5,
        )

    def before_the_next_answer(self, then: Callable[[], object]) -> None:
        """Let something happen while an answer is on its way."""
        self._wire.then = then

    def _sleep(self, seconds: float) -> None:
        self.waited += seconds

    def survey(self, access: Access = Access(), tenant: Tenant = Tenant(name="t")):  # noqa: B008 - frozen
        return survey(self.client, access, tenant)

    def close(self) -> None:
        self.client.close()
        self.emulator.close()


@pytest.fixture
def onoffice(clock):
    """Make an emulated onOffice with these switches."""
    made = []

    def make(**switches) -> OnOffice:
        made.append(OnOffice(clock, **switches))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def desk(make_office, clock):
    """Make a desk over an emulated onOffice with these switches."""

    def make(policy=None, **switches) -> Desk:
        office = make_office(policy, crm="onoffice", **switches)
        (emulated,) = make_office.emulated.values()
        return Desk(office, emulated, clock)

    return make


@pytest.fixture
def pulled(office, onoffice, clock):
    from tests.crm.pulled import Pulled  # which needs this module's OnOffice

    return lambda **switches: Pulled(office, onoffice(**switches), clock)
