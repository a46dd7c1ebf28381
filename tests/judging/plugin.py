"""Judges what the bridge answered at the end of each test, and fails the test that got what a judge does not accept.

Each worker of pytest-xdist judges what it heard itself; the numbers are summed up at the end.
"""

from __future__ import annotations

import pytest

from tests.judging import microsoft
from tests.judging.hearing import HEARING
from tests.judging.judges import described, judge

COUNTS = pytest.StashKey[dict[str, int]]()


@pytest.fixture(autouse=True)
def judged_answers():
    """The answers of a test are judged behind it."""
    yield
    found = [described(answer, faults) for answer in HEARING.take() if (faults := judge(answer))]
    if found:
        pytest.fail("The judges do not accept these answers:\n" + "\n".join(found), pytrace=False)


def pytest_sessionfinish(session):
    """A worker tells its numbers."""
    counts = {"heard": HEARING.heard, "shapes": len(HEARING.shapes)}
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["judged"] = counts
    else:
        _add(session.config, counts)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """A worker is done."""
    _add(node.config, getattr(node, "workeroutput", {}).get("judged", {}))


def _add(config, counts):
    total = config.stash.setdefault(COUNTS, {"heard": 0, "shapes": 0})
    for name, number in counts.items():
        total[name] += number


def pytest_terminal_summary(terminalreporter, config):
    """One line."""
    counts = config.stash.get(COUNTS, {})
    if counts.get("heard"):
        judges = (
            "libwbxml and Microsoft's schemas"
            if microsoft.schema() is not None
            else "libwbxml (Microsoft's schemas are not beside the project)"
        )
        terminalreporter.write_line(f"{counts['heard']} answers of the bridge, {counts['shapes']} of different shape, judged by {judges}")
