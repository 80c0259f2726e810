"""The whole store, put together."""

from dataclasses import dataclass
from datetime import timedelta

from commerce.adapters.store.answers import Answers
from commerce.adapters.store.audit import SqlAudit
from commerce.adapters.store.carts import SqlCarts
from commerce.adapters.store.catalog import SqlCatalog
from commerce.adapters.store.database import Database
from commerce.adapters.store.erasure import SqlErasure
from commerce.adapters.store.gauges import SqlGauges
from commerce.adapters.store.holds import SqlStock
from commerce.adapters.store.leftovers import SqlLeftovers
from commerce.adapters.store.order_book import SqlOrderBook
from commerce.adapters.store.orders import SqlOrders
from commerce.adapters.store.payments import SqlPaymentClaims, SqlSeenEvents
from commerce.adapters.store.shopping import SqlShopping
from commerce.adapters.store.stores import SqlStores
from commerce.adapters.tokens import SealedTokens
from commerce.ports import OrderTokens
from commerce.settings import Settings

DEFAULT_HOLD_TTL = timedelta(minutes=15)


@dataclass(frozen=True)
class SqlStore:
    """Every part of the store over one database."""

    database: Database
    carts: SqlCarts
    shopping: SqlShopping
    stock: SqlStock
    orders: SqlOrders
    order_book: SqlOrderBook
    stores: SqlStores
    catalog: SqlCatalog
    audit: SqlAudit
    claims: SqlPaymentClaims
    seen_events: SqlSeenEvents
    erasure: SqlErasure
    leftovers: SqlLeftovers
    gauges: SqlGauges


def build_store(
    database: Database,
    tokens: OrderTokens,
    hold_ttl: timedelta = DEFAULT_HOLD_TTL,
) -> SqlStore:
    """Put the store together.

    Args:
        database: Migrated already, see ``schema.upgrade``.
        tokens: Seals the token of every order that is answered.
        hold_ttl: For how long stock and cart are set aside for one checkout.
    """
    answers = Answers(database, tokens)
    stock = SqlStock(database, hold_ttl)
    return SqlStore(
        database=database,
        carts=SqlCarts(database, stock, answers, hold_ttl),
        shopping=SqlShopping(database, stock),
        stock=stock,
        orders=SqlOrders(database, stock, answers),
        order_book=SqlOrderBook(database),
        stores=SqlStores(database),
        catalog=SqlCatalog(database, stock),
        audit=SqlAudit(database),
        claims=SqlPaymentClaims(database),
        seen_events=SqlSeenEvents(database),
        erasure=SqlErasure(database, stock),
        leftovers=SqlLeftovers(database, stock),
        gauges=SqlGauges(database),
    )


def open_store(settings: Settings) -> SqlStore:
    """The store that the settings name.

    Raises:
        TokenKeyError: No usable order token keys.
    """
    tokens = SealedTokens.parse(settings.order_token_keys.get_secret_value())
    return build_store(Database(settings.store_url), tokens, settings.hold_ttl)
