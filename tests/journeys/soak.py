"""Run the convergence machine, chaos and the fuzzers for as long as there is time: ``python -m tests.journeys.soak --minutes 60``.

Each round has a seed of its own, which is printed; with ``--seed`` and the round's number a round can be run again. The first failure ends
the run, with what was printed about it.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time

EXAMPLES = 300  # runs of the machine in a round
FUZZED = 100_000  # bodies, queries and requests in the first round; in the later ones a tenth
WRITES = 1000  # of the five clients of chaos
PYTEST = ("pytest", "-q", "-x", "-p", "no:cacheprovider", "--show-capture=no")


def commands(number: int, seed: int) -> list[list[str]]:
    """What a round runs."""
    count = str(FUZZED if number == 0 else FUZZED // 10)
    return [
        [*PYTEST, "tests/journeys/test_convergence.py", f"--hypothesis-seed={seed}"],
        [*PYTEST, "tests/journeys/test_chaos.py"],
        ["tests.wbxml.fuzz", "--count", count, "--seed", str(seed)],
        ["tests.eas.fuzz", "--count", count, "--seed", str(seed)],
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Run the convergence machine, chaos and the fuzzers for as long as there is time.")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    options = parser.parse_args()
    end, number = time.monotonic() + options.minutes * 60, 0
    environment = os.environ | {"CONVERGENCE_EXAMPLES": str(EXAMPLES), "CONVERGENCE_SAME": "0", "CONVERGENCE_SHRINK": "1"}
    while time.monotonic() < end:
        seed = options.seed + number
        environment |= {"CHAOS_WRITES": str(WRITES), "CHAOS_SEED": str(seed)}
        for words in commands(number, seed):
            sys.stdout.write(f"round {number}, seed {seed}: {' '.join(words)}\n")
            sys.stdout.flush()
            done = subprocess.run([sys.executable, "-m", *words], env=environment, check=False)
            if done.returncode:
                sys.exit(f"round {number} failed; again with --seed {seed}")
        number += 1
    sys.stdout.write(
        f"{number} rounds of {EXAMPLES} runs on SQLite and {EXAMPLES // 20} on PostgreSQL, {EXAMPLES // 5} and {EXAMPLES // 30} with onOffice, "
        f"{WRITES} writes in chaos on each, {FUZZED} and more inputs each: all well\n"
    )


if __name__ == "__main__":
    main()
