"""What the sweep finds: payments that are not settled, events that are not announced."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_UNSETTLED = sa.text("settled_at IS NULL")
_UNANNOUNCED = sa.text("announced_at IS NULL")


def upgrade() -> None:
    op.add_column("payment_claims", sa.Column("settled_at", sa.DateTime(timezone=True)))
    op.add_column("payment_claims", sa.Column("look_at", sa.DateTime(timezone=True)))
    op.add_column(
        "payment_claims", sa.Column("told", sa.Integer(), server_default="0", nullable=False)
    )
    op.execute(
        "UPDATE payment_claims SET settled_at = created_at"
        " WHERE checkout_id IN (SELECT checkout_id FROM orders WHERE status = 'processing')"
    )
    op.create_index(
        "ix_payment_claims_unsettled",
        "payment_claims",
        ["status", "look_at"],
        postgresql_where=_UNSETTLED,
        sqlite_where=_UNSETTLED,
    )
    op.create_index(
        "ix_outbox_unannounced",
        "outbox",
        ["created_at"],
        postgresql_where=_UNANNOUNCED,
        sqlite_where=_UNANNOUNCED,
    )
    op.create_index("ix_orders_status_orders_payment_id", "orders", ["status", "payment_id"])


def downgrade() -> None:
    op.drop_index("ix_orders_status_orders_payment_id", "orders")
    op.drop_index("ix_outbox_unannounced", "outbox")
    op.drop_index("ix_payment_claims_unsettled", "payment_claims")
    for column in ("told", "look_at", "settled_at"):
        op.drop_column("payment_claims", column)
