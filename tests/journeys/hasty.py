"""``radicale-onoffice`` with less patience, for chaos: what onOffice did not carry out within seconds is known not to have been carried out.

The emulator is told to refuse what was signed ``SIGNED`` ago, as onOffice does after 120 s, so that a proof takes seconds, and is one all the
same: a call signs its last try before its deadline. And a server that lives for a quarter of a minute has to pull in that time, so what its
predecessor was doing ends sooner.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from radicale_onoffice.crm.onoffice import leases, settling
from radicale_onoffice.crm.onoffice.client import Patience

SIGNED = timedelta(seconds=3)
PATIENCE = Patience(deadline=4.0, rest=1.0)
LATE = timedelta(seconds=PATIENCE.deadline) + SIGNED + timedelta(seconds=1)
LEASE = timedelta(seconds=4)

if __name__ == "__main__":
    settling.LATE, leases.LEASE = LATE, LEASE  # read by the modules that the next lines import
    from radicale_onoffice import wiring
    from radicale_onoffice.cli import app

    wiring.open_client = partial(wiring.open_client, patience=PATIENCE)
    app()
