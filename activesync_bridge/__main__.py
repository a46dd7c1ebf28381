"""The ``activesync-bridge`` command; see ``radicale_onoffice.__main__``."""

from __future__ import annotations

from radicale_onoffice import optimizing


def main() -> None:
    """Entry point of the console script."""
    optimizing.run_optimized("activesync_bridge")
    from activesync_bridge.cli import app

    app()


if __name__ == "__main__":
    main()
