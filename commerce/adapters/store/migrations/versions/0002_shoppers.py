"""What shoppers need: tax, the total they were shown, a customer's own cart and orders."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ADDS_UP = "ck_orders_adds_up"


def upgrade() -> None:
    op.add_column(
        "stores", sa.Column("street_lines", sa.Integer(), server_default="2", nullable=False)
    )
    op.create_table(
        "tax_rates",
        sa.Column("store_code", sa.String(length=255), nullable=False),
        sa.Column("country_code", sa.String(length=255), nullable=False),
        sa.Column("region", sa.String(length=255), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("rate_ppm", sa.Integer(), nullable=False),
        sa.Column("on_shipping", sa.Boolean(), nullable=False),
        sa.CheckConstraint("rate_ppm >= 0", name=op.f("ck_tax_rates_not_negative")),
        sa.ForeignKeyConstraint(
            ["store_code"], ["stores.code"], name=op.f("fk_tax_rates_store_code")
        ),
        sa.PrimaryKeyConstraint("store_code", "country_code", "region", name=op.f("pk_tax_rates")),
    )
    op.add_column("carts", sa.Column("shown_total", sa.Text(), nullable=True))
    op.add_column(
        "carts", sa.Column("lines_made", sa.Integer(), server_default="0", nullable=False)
    )
    op.execute(
        "UPDATE carts SET lines_made = coalesce((SELECT max(line_no) FROM cart_lines"
        " WHERE cart_lines.cart_id = carts.id), 0)"
    )
    op.create_index(
        "ix_carts_customer_id_carts_store_code_carts_status",
        "carts",
        ["customer_id", "store_code", "status"],
    )
    op.create_table(
        "customer_carts",
        sa.Column("customer_id", sa.String(length=255), nullable=False),
        sa.Column("store_code", sa.String(length=255), nullable=False),
        sa.Column("cart_id", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(["cart_id"], ["carts.id"], name=op.f("fk_customer_carts_cart_id")),
        sa.ForeignKeyConstraint(
            ["store_code"], ["stores.code"], name=op.f("fk_customer_carts_store_code")
        ),
        sa.PrimaryKeyConstraint("customer_id", "store_code", name=op.f("pk_customer_carts")),
    )
    op.add_column(
        "order_lines", sa.Column("tax_minor", sa.BigInteger(), server_default="0", nullable=False)
    )
    with op.batch_alter_table("orders") as orders:
        orders.add_column(
            sa.Column("shipping_tax_minor", sa.BigInteger(), server_default="0", nullable=False)
        )
        orders.add_column(
            sa.Column("tax_minor", sa.BigInteger(), server_default="0", nullable=False)
        )
        orders.add_column(sa.Column("tax_rate", sa.Text(), nullable=True))
        orders.drop_constraint(op.f(_ADDS_UP), type_="check")
        orders.create_check_constraint(
            op.f(_ADDS_UP), "grand_total_minor = subtotal_minor + shipping_minor + tax_minor"
        )
        orders.create_index(
            "ix_orders_customer_id_orders_created_at", ["customer_id", "created_at"]
        )


def downgrade() -> None:
    with op.batch_alter_table("orders") as orders:
        orders.drop_index("ix_orders_customer_id_orders_created_at")
        orders.drop_constraint(op.f(_ADDS_UP), type_="check")
        orders.create_check_constraint(
            op.f(_ADDS_UP), "grand_total_minor = subtotal_minor + shipping_minor"
        )
        orders.drop_column("tax_rate")
        orders.drop_column("tax_minor")
        orders.drop_column("shipping_tax_minor")
    op.drop_column("order_lines", "tax_minor")
    op.drop_table("customer_carts")
    op.drop_index("ix_carts_customer_id_carts_store_code_carts_status", "carts")
    op.drop_column("carts", "lines_made")
    op.drop_column("carts", "shown_total")
    op.drop_table("tax_rates")
    op.drop_column("stores", "street_lines")
