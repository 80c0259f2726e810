"""The resolvers, one file per subject, bound to ``schema.graphql``."""

from pathlib import Path

from ariadne import make_executable_schema
from graphql import GraphQLSchema

from api.resolvers import absent, carts, checkout, customers, delivery, orders, payments, stores

SCHEMA = Path(__file__).parents[1] / "schema.graphql"


def build_schema() -> GraphQLSchema:
    """The schema with every resolver bound."""
    return make_executable_schema(
        SCHEMA.read_text(encoding="utf-8"),
        carts.query,
        carts.mutation,
        delivery.mutation,
        checkout.mutation,
        orders.query,
        orders.customer,
        customers.query,
        customers.mutation,
        stores.query,
        payments.query,
        payments.mutation,
        absent.mutation,
    )
