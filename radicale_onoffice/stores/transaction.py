"""One transaction: the port's methods, by subject."""

from __future__ import annotations

from sqlalchemy import Connection

from radicale_onoffice.stores.accounts import AccountsPart
from radicale_onoffice.stores.devices import DevicesPart
from radicale_onoffice.stores.elsewhere import ElsewherePart
from radicale_onoffice.stores.feeds import FeedsPart
from radicale_onoffice.stores.lists import ListsPart
from radicale_onoffice.stores.records import RecordsPart
from radicale_onoffice.stores.visits import VisitsPart


class SqlTransaction(AccountsPart, RecordsPart, FeedsPart, DevicesPart, ElsewherePart, VisitsPart, ListsPart):
    """ports.Transaction over one SQLAlchemy connection."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        self.grew = False
