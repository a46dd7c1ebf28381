"""The office: everything that a face needs, in one value per process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from radicale_onoffice.core.accounts import Accounts
from radicale_onoffice.core.address_list import AddressList
from radicale_onoffice.core.administration import Administration
from radicale_onoffice.core.bulk import BulkRecords
from radicale_onoffice.core.devices import Devices
from radicale_onoffice.core.directory import Directory
from radicale_onoffice.core.feeds import Feeds
from radicale_onoffice.core.overview import Overview
from radicale_onoffice.core.policy import Policy
from radicale_onoffice.core.ports import Crm, Store
from radicale_onoffice.core.settings import Settings
from radicale_onoffice.core.visits import Visits


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The core, wired; safe to share between threads."""

    store: Store
    crm: Crm
    policy: Policy
    clock: Callable[[], datetime]  # aware, UTC
    default_tenant: str
    accounts: Accounts
    settings: Settings
    feeds: Feeds
    records: BulkRecords
    devices: Devices
    directory: Directory
    visits: Visits
    overview: Overview
    administration: Administration
    address_list: AddressList
