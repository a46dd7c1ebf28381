"""The ``radicale-onoffice`` command: whatever serves starts Python anew with ``-O``, before anything large is imported for nothing."""

from __future__ import annotations

import sys

from radicale_onoffice import optimizing

SERVING = ("serve", "demo")


def main() -> None:
    """Entry point of the console script."""
    if sys.argv[1:2] and sys.argv[1] in SERVING:
        optimizing.run_optimized("radicale_onoffice")
    from radicale_onoffice.cli import app

    app()


if __name__ == "__main__":
    main()
