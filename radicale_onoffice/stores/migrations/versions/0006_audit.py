"""An index for the log of one login; who had a device kept out."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_audit_tenant_login_id"), "audit", ["tenant", "login", "id"], unique=False)
    op.add_column("devices", sa.Column("ordered_by", sa.Text(), nullable=False, server_default=""))
