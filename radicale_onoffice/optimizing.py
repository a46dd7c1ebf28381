"""Python without its asserts, for what serves: Radicale spends nearly half of its time per listed item in them."""

from __future__ import annotations

import os
import sys

NO_OPTIMIZE = "RADICALE_ONOFFICE_NO_OPTIMIZE"


def run_optimized(module: str) -> None:
    """Start this very command, which is a module's, again with ``python -O``, unless it runs so already or the environment forbids it."""
    if sys.flags.optimize or os.environ.get(NO_OPTIMIZE):
        return
    os.environ[NO_OPTIMIZE] = "1"  # whatever -O does, it is tried once
    # glibc gives each thread an arena of its own, which never shrinks; two are enough under the interpreter's lock.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    os.execv(sys.executable, [sys.executable, "-O", "-m", module, *sys.argv[1:]])  # noqa: S606 - ourselves, no shell
