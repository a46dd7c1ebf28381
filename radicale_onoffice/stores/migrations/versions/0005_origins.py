"""Which item of which device a new record is made from that a CRM elsewhere is to get."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("errands", sa.Column("origin", sa.Text(), nullable=False, server_default=""))
