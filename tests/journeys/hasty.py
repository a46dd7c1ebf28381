"""``radicale-onoffice`` with less patience, for chaos: what onOffice did not carry out within seconds is known not to have been carried out.

The emulator carries nothing out later than its longest delay, so a proof that takes onOffice's 120 s would only be waited for. And a server that
lives for a quarter of a minute has to pull in that time, so what its predecessor was doing ends sooner.
"""

from __future__ import annotations

import os
from datetime import timedelta

from radicale_onoffice.crm.onoffice import leases, settling

LATE = timedelta(seconds=6)
LEASE = timedelta(seconds=4)

if __name__ == "__main__":
    settling.LATE, leases.LEASE = LATE, LEASE  # read by the modules that the next lines import
    from radicale_onoffice import serving
    from radicale_onoffice.cli import app

    os.environ[serving.NO_OPTIMIZE] = "1"  # with -O it would start the command itself
    app()
