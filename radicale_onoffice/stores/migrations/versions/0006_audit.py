"""An index for the log of one login."""

from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_audit_tenant_login_id"), "audit", ["tenant", "login", "id"], unique=False)
