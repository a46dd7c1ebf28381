"""All replicas converge, whatever is lost, repeated, cut, restarted or killed on the way."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.journeys.machine import Convergence
from tests.journeys.onoffice_machine import OverOnOffice
from tests.journeys.processes import Database

START = datetime(2026, 3, 15, 8, 30, tzinfo=UTC)  # a Sunday, two weeks before the clocks change
EXAMPLES = int(os.environ.get("CONVERGENCE_EXAMPLES", "240"))
SHRINK = os.environ.get("CONVERGENCE_SHRINK", "0") == "1"  # telling the shortest way to a failure takes minutes
STEPS = int(os.environ.get("CONVERGENCE_STEPS", "30"))
# Here the same examples each time, so that who changed something sees what it changed; `make soak` looks for new ones.
SAME = os.environ.get("CONVERGENCE_SAME", "1") == "1"


class Clock:
    """A clock that stands until somebody moves it."""

    now = START

    def __call__(self) -> datetime:
        return self.now


def profile(examples: int, steps: int = STEPS) -> settings:
    """Many small runs; a failure is told with the steps that lead to it."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=SAME,
        print_blob=not SAME,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if SHRINK else [])],
    )


def run(database: Database, chosen: settings) -> None:
    """Run the machine; raises what it finds."""
    clock = Clock()
    clock.now = START
    kind = OverOnOffice if database.crm == "onoffice" else Convergence
    kind.prepare(database, clock)
    start = clock.now

    def machine() -> Convergence:
        clock.now = start
        return kind(database, clock)

    run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.slow
def test_everything_converges_on_sqlite(tmp_path):
    """Two processes over one file; three phones, two DAV clients, a CRM user."""
    run(Database(tmp_path), profile(EXAMPLES))


@pytest.mark.slow
def test_everything_converges_on_postgresql(tmp_path, postgres_socket):
    """The same on the other engine, where transactions of two processes overlap."""
    run(Database(tmp_path, postgres_socket), profile(max(1, EXAMPLES // 20)))


@pytest.mark.slow
def test_everything_converges_with_onoffice_on_sqlite(tmp_path):
    """The CRM user works in onOffice, which is polled, written to, and has bad days of its own."""
    run(Database(tmp_path, crm="onoffice"), profile(max(1, EXAMPLES // 5)))


@pytest.mark.slow
def test_everything_converges_with_onoffice_on_postgresql(tmp_path, postgres_socket):
    """The same on the other engine."""
    run(Database(tmp_path, postgres_socket, "onoffice"), profile(max(1, EXAMPLES // 30)))
