"""Payments at a gateway: who has which, which events were dealt with, the payment of a cart."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CLAIMED = sa.text("status = 'claimed'")
_ONE_CLAIM = "uq_payment_claims_payment_id"


def upgrade() -> None:
    op.add_column(
        "carts", sa.Column("payment_id", sa.String(length=255), server_default="", nullable=False)
    )
    op.create_table(
        "payment_claims",
        sa.Column("checkout_id", sa.String(length=255), nullable=False),
        sa.Column("cart_id", sa.String(length=255), nullable=False),
        sa.Column("payment_id", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("checkout_id", name=op.f("pk_payment_claims")),
    )
    op.create_index("ix_payment_claims_payment_id", "payment_claims", ["payment_id"])
    op.create_index(
        _ONE_CLAIM,
        "payment_claims",
        ["payment_id"],
        unique=True,
        postgresql_where=_CLAIMED,
        sqlite_where=_CLAIMED,
    )
    op.execute(
        "INSERT INTO payment_claims (checkout_id, cart_id, payment_id, status, created_at)"
        " SELECT checkout_id, cart_id, payment_id, 'claimed', created_at FROM orders"
        " WHERE payment_id IS NOT NULL"
    )
    op.create_table(
        "webhook_events",
        sa.Column("gateway", sa.String(length=255), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "event_id", name=op.f("pk_webhook_events")),
    )
    op.drop_table("sandbox_payments")


def downgrade() -> None:
    op.create_table(
        "sandbox_payments",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("cart_id", sa.String(length=255), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("capture_key", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_payments")),
    )
    op.drop_table("webhook_events")
    op.drop_index(_ONE_CLAIM, "payment_claims")
    op.drop_index("ix_payment_claims_payment_id", "payment_claims")
    op.drop_table("payment_claims")
    op.drop_column("carts", "payment_id")
