"""Which clients come with a login; what is told of a page session; how much a feed offers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "visits",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("face", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_ok", sa.BigInteger(), nullable=True),
        sa.Column("last_failed", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("password_of", sa.BigInteger(), nullable=True),
        sa.Column("synced_contacts", sa.BigInteger(), nullable=True),
        sa.Column("synced_appointments", sa.BigInteger(), nullable=True),
        sa.Column("synced_tasks", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "login", "face", "client", name=op.f("pk_visits")),
    )
    op.add_column("page_sessions", sa.Column("last_used", sa.BigInteger(), nullable=True))
    op.add_column("page_sessions", sa.Column("browser", sa.Text(), nullable=False, server_default=""))
    op.add_column("page_sessions", sa.Column("address", sa.Text(), nullable=False, server_default=""))
    _counts()


def _counts() -> None:
    op.add_column("feeds", sa.Column("live", sa.Integer(), nullable=False, server_default="0"))
    feeds, entries = (
        sa.table("feeds", sa.column("id"), sa.column("live")),
        sa.table("feed_entries", sa.column("feed_id"), sa.column("live")),
    )
    live = sa.select(sa.func.count()).where(entries.c.feed_id == feeds.c.id, entries.c.live.is_(sa.true())).scalar_subquery()
    op.execute(sa.update(feeds).values(live=live))
