"""The first schema, and the default store."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("checkout_id", sa.String(length=255), nullable=False),
        sa.Column("cart_id", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("checkout_id", name=op.f("pk_holds")),
    )
    op.create_index("ix_holds_status_holds_expires_at", "holds", ["status", "expires_at"])

    op.create_table(
        "order_sequences",
        sa.Column("prefix", sa.String(length=255), nullable=False),
        sa.Column("last_value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_order_sequences")),
    )
    op.create_table(
        "products",
        sa.Column("sku", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("sku", name=op.f("pk_products")),
    )
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
    op.create_table(
        "stores",
        sa.Column("code", sa.String(length=255), nullable=False),
        sa.Column("currency", sa.String(length=255), nullable=False),
        sa.Column("allowed_countries", sa.JSON(), nullable=False),
        sa.Column("order_prefix", sa.String(length=255), nullable=False),
        sa.Column("guest_checkout", sa.Boolean(), nullable=False),
        sa.Column("payment_methods", sa.JSON(), nullable=False),
        sa.Column("shipping_methods", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_stores")),
    )
    op.create_table(
        "carts",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("store_code", sa.String(length=255), nullable=False),
        sa.Column("customer_id", sa.String(length=255), nullable=True),
        sa.Column("email", sa.String(length=255), nullable=True),
        sa.Column("shipping_address", sa.Text(), nullable=True),
        sa.Column("billing_address", sa.Text(), nullable=True),
        sa.Column("shipping_method", sa.String(length=255), nullable=True),
        sa.Column("payment_method", sa.String(length=255), nullable=True),
        sa.Column("purchase_order_number", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("locked_by", sa.String(length=255), nullable=True),
        sa.Column("lock_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("snapshot", sa.Text(), nullable=True),
        sa.Column("snapshot_digest", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'locked') = (locked_by IS NOT NULL)"
            " AND (status = 'locked') = (snapshot IS NOT NULL)"
            " AND (status = 'locked') = (lock_expires_at IS NOT NULL)",
            name=op.f("ck_carts_locked_means_locked"),
        ),
        sa.ForeignKeyConstraint(["store_code"], ["stores.code"], name=op.f("fk_carts_store_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carts")),
    )
    op.create_table(
        "hold_lines",
        sa.Column("checkout_id", sa.String(length=255), nullable=False),
        sa.Column("sku", sa.String(length=255), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_hold_lines_positive")),
        sa.ForeignKeyConstraint(
            ["checkout_id"], ["holds.checkout_id"], name=op.f("fk_hold_lines_checkout_id")
        ),
        sa.ForeignKeyConstraint(["sku"], ["products.sku"], name=op.f("fk_hold_lines_sku")),
        sa.PrimaryKeyConstraint("checkout_id", "sku", name=op.f("pk_hold_lines")),
    )
    op.create_index("ix_hold_lines_sku", "hold_lines", ["sku"])

    op.create_table(
        "prices",
        sa.Column("sku", sa.String(length=255), nullable=False),
        sa.Column("currency", sa.String(length=255), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_prices_not_negative")),
        sa.ForeignKeyConstraint(["sku"], ["products.sku"], name=op.f("fk_prices_sku")),
        sa.PrimaryKeyConstraint("sku", "currency", name=op.f("pk_prices")),
    )
    op.create_table(
        "stock",
        sa.Column("sku", sa.String(length=255), nullable=False),
        sa.Column("managed", sa.Boolean(), nullable=False),
        sa.Column("stocked", sa.BigInteger(), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("held <= on_hand", name=op.f("ck_stock_never_oversold")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_stock_held_never_below_zero")),
        sa.CheckConstraint("on_hand >= 0", name=op.f("ck_stock_never_below_zero")),
        sa.ForeignKeyConstraint(["sku"], ["products.sku"], name=op.f("fk_stock_sku")),
        sa.PrimaryKeyConstraint("sku", name=op.f("pk_stock")),
    )
    op.create_table(
        "cart_lines",
        sa.Column("cart_id", sa.String(length=255), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=255), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_cart_lines_positive")),
        sa.ForeignKeyConstraint(
            ["cart_id"], ["carts.id"], name=op.f("fk_cart_lines_cart_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["sku"], ["products.sku"], name=op.f("fk_cart_lines_sku")),
        sa.PrimaryKeyConstraint("cart_id", "line_no", name=op.f("pk_cart_lines")),
    )
    op.create_table(
        "orders",
        sa.Column("number", sa.String(length=255), nullable=False),
        sa.Column("cart_id", sa.String(length=255), nullable=False),
        sa.Column("checkout_id", sa.String(length=255), nullable=False),
        sa.Column("store_code", sa.String(length=255), nullable=False),
        sa.Column("order_prefix", sa.String(length=255), nullable=False),
        sa.Column("customer_id", sa.String(length=255), nullable=True),
        sa.Column("email", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("shipping_address", sa.Text(), nullable=True),
        sa.Column("billing_address", sa.Text(), nullable=False),
        sa.Column("shipping_method", sa.String(length=255), nullable=True),
        sa.Column("payment_method", sa.String(length=255), nullable=False),
        sa.Column("purchase_order_number", sa.String(length=255), nullable=False),
        sa.Column("payment_id", sa.String(length=255), nullable=True),
        sa.Column("currency", sa.String(length=255), nullable=False),
        sa.Column("subtotal_minor", sa.BigInteger(), nullable=False),
        sa.Column("shipping_minor", sa.BigInteger(), nullable=False),
        sa.Column("grand_total_minor", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "grand_total_minor = subtotal_minor + shipping_minor", name=op.f("ck_orders_adds_up")
        ),
        sa.ForeignKeyConstraint(["cart_id"], ["carts.id"], name=op.f("fk_orders_cart_id")),
        sa.ForeignKeyConstraint(["store_code"], ["stores.code"], name=op.f("fk_orders_store_code")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_orders")),
        sa.UniqueConstraint("cart_id", name=op.f("uq_orders_cart_id")),
        sa.UniqueConstraint("checkout_id", name=op.f("uq_orders_checkout_id")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_orders_payment_id")),
    )
    op.create_table(
        "answers",
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("cart_id", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("claimed_by", sa.String(length=255), nullable=True),
        sa.Column("order_number", sa.String(length=255), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "order_number IS NULL OR refusal IS NULL", name=op.f("ck_answers_one_outcome")
        ),
        sa.ForeignKeyConstraint(["cart_id"], ["carts.id"], name=op.f("fk_answers_cart_id")),
        sa.ForeignKeyConstraint(
            ["order_number"], ["orders.number"], name=op.f("fk_answers_order_number")
        ),
        sa.PrimaryKeyConstraint("idempotency_key", name=op.f("pk_answers")),
    )
    op.create_index("ix_answers_cart_id", "answers", ["cart_id"])

    op.create_table(
        "order_lines",
        sa.Column("order_number", sa.String(length=255), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "total_minor = price_minor * quantity", name=op.f("ck_order_lines_adds_up")
        ),
        sa.ForeignKeyConstraint(
            ["order_number"], ["orders.number"], name=op.f("fk_order_lines_order_number")
        ),
        sa.PrimaryKeyConstraint("order_number", "line_no", name=op.f("pk_order_lines")),
    )
    op.create_table(
        "outbox",
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("order_number", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_number"], ["orders.number"], name=op.f("fk_outbox_order_number")
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("order_number", name=op.f("uq_outbox_order_number")),
    )

    stores = sa.table(
        "stores",
        sa.column("code", sa.String),
        sa.column("currency", sa.String),
        sa.column("allowed_countries", sa.JSON),
        sa.column("order_prefix", sa.String),
        sa.column("guest_checkout", sa.Boolean),
        sa.column("payment_methods", sa.JSON),
        sa.column("shipping_methods", sa.JSON),
    )
    op.bulk_insert(
        stores,
        [
            {
                "code": "default",
                "currency": "USD",
                "allowed_countries": [],
                "order_prefix": "",
                "guest_checkout": True,
                "payment_methods": ["checkmo"],
                "shipping_methods": ["flatrate"],
            }
        ],
    )


def downgrade() -> None:
    op.drop_table("outbox")
    op.drop_table("order_lines")
    op.drop_index("ix_answers_cart_id")

    op.drop_table("answers")
    op.drop_table("orders")
    op.drop_table("cart_lines")
    op.drop_table("stock")
    op.drop_table("prices")
    op.drop_index("ix_hold_lines_sku")

    op.drop_table("hold_lines")
    op.drop_table("carts")
    op.drop_table("stores")
    op.drop_table("sandbox_payments")
    op.drop_table("products")
    op.drop_table("order_sequences")
    op.drop_index("ix_holds_status_holds_expires_at")

    op.drop_table("holds")
