"""The mark by which a row is known again: its id, the CRM's own stamp, and a digest of all that it says."""

from __future__ import annotations

import hashlib
import json

from radicale_onoffice.core.model import Kind
from radicale_onoffice.core.ports import Link
from radicale_onoffice.crm.onoffice import contacts, rows
from radicale_onoffice.crm.onoffice.protocol import Row as Record

VOLATILE = frozenset({contacts.STAMP, "modified", "imageUrl", "mobileUrl"})  # say nothing of a record, or are new at each reading


def digest(record: Record) -> str:
    """A digest of all that a row says, whatever the order of its fields."""
    said = {key: value for key, value in record.elements.items() if key not in VOLATILE}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=list).encode()).hexdigest()[:32]


def link_of(kind: Kind, record: Record) -> Link:
    """The link to a row as it was read."""
    return Link(record.id, rows.stamp(kind, record), digest(record))
