"""The one SQL schema. Moments are POSIX microseconds; JSON is text that ``values`` reads and writes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


def _identity() -> tuple[Column[str], Column[str]]:
    return Column("tenant", Text, primary_key=True), Column("login", Text, primary_key=True)


tenants = Table(
    "tenants",
    metadata,
    Column("name", Text, primary_key=True),
    Column("module", Boolean, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("region", Text, nullable=False),
)

# Apart from tenants, because every write of a tenant locks its row until commit.
# ``everybody`` is the number of the last change that was none of a record: of gates, rights or devices.
counters = Table(
    "counters",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("change", BigInteger, nullable=False),
    Column("everybody", BigInteger, nullable=False, server_default="0"),
)

users = Table(
    "users",
    metadata,
    *_identity(),
    Column("password", Text, nullable=False),
    Column("password_changed", BigInteger),
    Column("state", Text, nullable=False),
    Column("sync_right", Boolean, nullable=False),
    Column("switches", Text, nullable=False),
    Column("other_channels", Text, nullable=False),
    Column("rights", Text, nullable=False),
    Column("groups", Text, nullable=False),
    Column("admin", Boolean, nullable=False),
    Column("language", Text, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    *_identity(),
    Column("door", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("locked_at", BigInteger),
    Column("last_at", BigInteger),
    Column("last_address", Text, nullable=False),
)

page_sessions = Table(
    "page_sessions",
    metadata,
    Column("token_digest", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("csrf", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("notice", Text, nullable=False),
    Column("last_used", BigInteger),
    Column("browser", Text, nullable=False, server_default=""),
    Column("address", Text, nullable=False, server_default=""),
    Index(None, "tenant", "login"),
)

# Which clients come with a login, over both faces.
visits = Table(
    "visits",
    metadata,
    *_identity(),
    Column("face", Text, primary_key=True),
    Column("client", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_ok", BigInteger),
    Column("last_failed", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("password_of", BigInteger),
    Column("synced_contacts", BigInteger),
    Column("synced_appointments", BigInteger),
    Column("synced_tasks", BigInteger),
)

settings = Table("settings", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index(None, "tenant", "id"),
    Index(None, "tenant", "login", "id"),
)

folder_properties = Table(
    "folder_properties", metadata, *_identity(), Column("kind", Text, primary_key=True), Column("properties", Text, nullable=False)
)

records = Table(
    "records",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("change", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("uid", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("leftovers", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("mark", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("starts", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Column("recurring", Boolean, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    UniqueConstraint("tenant", "kind", "name"),
    Index(None, "tenant", "kind", "uid"),
)

# What contacts are listed under and found by; apart from records, whose rows are long.
people = Table(
    "people",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("company", Text, nullable=False),
    Column("sort_key", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("mark", Text, nullable=False),
    Index(None, "tenant", "sort_key", "record_id"),
)

# Whom a record concerns. A row that no longer applies stays, inactive, at the change number at which it stopped to.
audience = Table(
    "audience",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("change", BigInteger, nullable=False),
    Index(None, "tenant", "kind", "principal", "change"),
    Index(None, "tenant", "change"),
)

aliases = Table(
    "aliases",
    metadata,
    *_identity(),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("record_id", Text, nullable=False),
    Index(None, "tenant", "login", "kind", "record_id"),
)

history = Table(
    "history",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor_tenant", Text, nullable=False),
    Column("actor_login", Text, nullable=False),
    Column("face", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("leftovers", Text, nullable=False),
    Column("change", BigInteger, nullable=False, server_default="0"),
    Index(None, "at"),
)

# How records are called in a CRM that is elsewhere, and what they were like when last read.
links = Table(
    "links",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("crm_id", Text, primary_key=True),
    Column("record_id", Text, nullable=False),
    Column("stamp", Text, nullable=False),
    Column("digest", Text, nullable=False),
    UniqueConstraint("tenant", "record_id"),
)

mirror_states = Table(
    "mirror_states",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("text", Text, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)

# Writes that a CRM elsewhere is to get, or has perhaps got.
errands = Table(
    "errands",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("face", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("state", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("origin", Text, nullable=False, server_default=""),
    Index(None, "tenant", "number"),
    sqlite_autoincrement=True,
)

feeds = Table(
    "feeds",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("change", BigInteger, nullable=False),
    Column("valid_until", BigInteger, nullable=False),
    Column("basis", Text, nullable=False),
    Column("oldest", BigInteger, nullable=False),
    Column("live", Integer, nullable=False, server_default="0"),
    UniqueConstraint("tenant", "login", "kind", "scope"),
)

feed_entries = Table(
    "feed_entries",
    metadata,
    Column("feed_id", Integer, ForeignKey("feeds.id", ondelete="CASCADE"), primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("live_since", BigInteger, nullable=False),
    Column("gone_since", BigInteger, nullable=False),
    Column("gone_at", BigInteger, nullable=False),
    Column("born", BigInteger, nullable=False, server_default="0"),
    Index(None, "feed_id", "seq"),
    Index(None, "feed_id", "name"),
)

devices = Table(
    "devices",
    metadata,
    *_identity(),
    Column("id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("information", Text, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("last_sync", BigInteger),
    Column("policy_key", Text, nullable=False),
    Column("pending_policy_key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("wipe_account_only", Boolean, nullable=False),
    Column("ordered_by", Text, nullable=False, server_default=""),
    Column("heartbeat", Integer, nullable=False),
    Column("ping_folders", Text, nullable=False),
    Column("sync_request", Text, nullable=False),
    Column("notes", Text, nullable=False),
)

# What a device has of one collection: the state as JSON, and the last answer, for a device that did not get it.
sync_states = Table(
    "sync_states",
    metadata,
    *_identity(),
    Column("device_id", Text, primary_key=True),
    Column("collection", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("answer", LargeBinary, nullable=False),
)

client_ids = Table(
    "client_ids",
    metadata,
    *_identity(),
    Column("device_id", Text, primary_key=True),
    Column("collection", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("client_id", Text, primary_key=True),
    Column("record_id", Text, nullable=False),
)

failures = Table(
    "failures",
    metadata,
    *_identity(),
    Column("device_id", Text, primary_key=True),
    Column("collection", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
)

# The ways of encoding that a tenant's devices have asked for; a tenant has few of them, and each device's choice makes one.
flavours = Table(
    "flavours",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("tenant", "name"),
)

fragments = Table(
    "fragments",
    metadata,
    Column("flavour_id", Integer, ForeignKey("flavours.id", ondelete="CASCADE"), primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("encoded", LargeBinary, nullable=False),
)
