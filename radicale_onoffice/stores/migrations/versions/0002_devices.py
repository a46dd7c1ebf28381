"""Devices and what they have; the change number of each version; when a feed's entry was born."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _numbers()
    _devices()
    _states()
    _fragments()


def _numbers() -> None:
    """Columns of tables that are there; of versions before the newest nobody knows the number any more."""
    op.add_column("counters", sa.Column("everybody", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("feed_entries", sa.Column("born", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE feed_entries SET born = live_since")
    op.add_column("history", sa.Column("change", sa.BigInteger(), nullable=False, server_default="0"))
    records, history = (sa.table(name, *map(sa.column, columns)) for name, columns in COLUMNS.items())
    newest = (records.c.tenant == history.c.tenant, records.c.id == history.c.record_id, records.c.version == history.c.version)
    number = sa.select(records.c.change).where(*newest).scalar_subquery()
    op.execute(sa.update(history).where(sa.exists().where(*newest)).values(change=number))
    op.create_index(op.f("ix_audience_tenant_change"), "audience", ["tenant", "change"], unique=False)


COLUMNS = {"records": ("tenant", "id", "version", "change"), "history": ("tenant", "record_id", "version", "change")}


def _devices() -> None:
    op.create_table(
        "devices",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("information", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_sync", sa.BigInteger(), nullable=True),
        sa.Column("policy_key", sa.Text(), nullable=False),
        sa.Column("pending_policy_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("wipe_account_only", sa.Boolean(), nullable=False),
        sa.Column("heartbeat", sa.Integer(), nullable=False),
        sa.Column("ping_folders", sa.Text(), nullable=False),
        sa.Column("sync_request", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "login", "id", name=op.f("pk_devices")),
    )


def _states() -> None:
    """What a device has of one collection, what became of its Adds, and what failed."""
    of_collection = ("tenant", "login", "device_id", "collection")
    op.create_table(
        "sync_states",
        *(sa.Column(name, sa.Text(), nullable=False) for name in of_collection),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(*of_collection, name=op.f("pk_sync_states")),
    )
    op.create_table(
        "client_ids",
        *(sa.Column(name, sa.Text(), nullable=False) for name in of_collection),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(*of_collection, "number", "client_id", name=op.f("pk_client_ids")),
    )
    op.create_table(
        "failures",
        *(sa.Column(name, sa.Text(), nullable=False) for name in of_collection),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(*of_collection, "item", name=op.f("pk_failures")),
    )


def _fragments() -> None:
    """Encoded items by the way of encoding."""
    op.create_table(
        "flavours",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flavours")),
        sa.UniqueConstraint("tenant", "name", name=op.f("uq_flavours_tenant_name")),
    )
    op.create_table(
        "fragments",
        sa.Column("flavour_id", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("encoded", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["flavour_id"], ["flavours.id"], name=op.f("fk_fragments_flavour_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("flavour_id", "record_id", name=op.f("pk_fragments")),
    )
