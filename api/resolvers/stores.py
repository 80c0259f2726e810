"""What storefronts ask about the store before they show a checkout."""

from typing import Any

from ariadne import QueryType

from api.present.values import Object
from api.services import Info, in_store
from commerce.domain.regions import REGIONS
from commerce.domain.stores import DEFAULT_STORE, Store

query = QueryType()


@query.field("storeConfig")
def store_config(_: Any, info: Info) -> Object:
    """The store of the request."""
    context = info.context
    return _config(context.store)


@query.field("availableStores")
async def available_stores(
    _: Any,
    info: Info,
    useCurrentGroup: bool | None = None,  # noqa: N803 (the schema's name)
) -> list[Object]:
    """Every store."""
    context = info.context
    return [_config(each) for each in await in_store(context.services.stores.all)]


def _config(store: Store) -> Object:
    """What is known here; the look of the storefront is its own affair."""
    return {
        "code": store.code,
        "store_code": store.code,
        "store_name": store.code,
        "is_default_store": store.code == DEFAULT_STORE,
        "base_currency_code": store.currency,
        "default_display_currency_code": store.currency,
        "default_country": store.allowed_countries[0] if store.allowed_countries else "US",
        "is_guest_checkout_enabled": store.guest_checkout,
        "is_one_page_checkout_enabled": True,
        "is_checkout_agreements_enabled": False,
        "use_store_in_url": False,
        "contact_enabled": False,
        "newsletter_enabled": False,
        "order_cancellation_enabled": False,
        "order_cancellation_reasons": [],
        "orders_invoices_credit_memos_display_full_summary": True,
        "orders_invoices_credit_memos_display_grandtotal": True,
        "orders_invoices_credit_memos_display_price": _WITHOUT_TAX,
        "orders_invoices_credit_memos_display_shipping_amount": _WITHOUT_TAX,
        "orders_invoices_credit_memos_display_subtotal": _WITHOUT_TAX,
        "orders_invoices_credit_memos_display_zero_tax": False,
        "shopping_cart_display_full_summary": True,
        "shopping_cart_display_grand_total": True,
        "shopping_cart_display_price": _WITHOUT_TAX,
        "shopping_cart_display_shipping": _WITHOUT_TAX,
        "shopping_cart_display_subtotal": _WITHOUT_TAX,
        "shopping_cart_display_zero_tax": False,
    }


_WITHOUT_TAX = 1
"""How Adobe Commerce numbers it: 1 without, 2 with, 3 both."""


@query.field("countries")
def countries(_: Any, info: Info) -> list[Object]:
    """Where the store ships to."""
    context = info.context
    names = context.services.address_rules.country_names()
    return [_country(code, name) for code, name in names.items() if context.store.ships_to(code)]


@query.field("country")
def country(
    _: Any,
    info: Info,
    id: str | None = None,  # noqa: A002 (the schema's name)
) -> Object | None:
    """One country; null for what is none."""
    context = info.context
    code = (id or "").upper()
    name = context.services.address_rules.country_names().get(code)
    return _country(code, name) if name else None


def _country(code: str, name: str) -> Object:
    regions = [
        {"id": region.region_id, "code": region.code, "name": region.name}
        for region in REGIONS.get(code, ())
    ]
    return {
        "id": code,
        "two_letter_abbreviation": code,
        "full_name_english": name,
        "full_name_locale": name,
        "available_regions": regions or None,
    }


@query.field("checkoutAgreements")
def checkout_agreements(_: Any, info: Info) -> list[Object]:
    """None: nothing has to be agreed to."""
    return []


@query.field("attributesForm")
def attributes_form(_: Any, info: Info, formCode: str) -> Object:  # noqa: N803 (the schema's name)
    """The fields of an address form; other forms have none here."""
    context = info.context
    items = _address_fields(context.store) if "address" in formCode else []
    return {"items": items, "errors": []}


@query.field("attributesList")
def attributes_list(_: Any, info: Info, **_arguments: Any) -> Object:
    """None: nothing has more fields than the schema says."""
    return {"items": [], "errors": []}


_ADDRESS_FIELDS = (
    ("firstname", "First Name", "TEXT", True),
    ("lastname", "Last Name", "TEXT", True),
    ("company", "Company", "TEXT", False),
    ("street", "Street Address", "MULTILINE", True),
    ("city", "City", "TEXT", True),
    ("country_id", "Country", "SELECT", True),
    ("region", "State/Province", "TEXT", False),
    ("region_id", "State/Province", "HIDDEN", False),
    ("postcode", "Zip/Postal Code", "TEXT", False),
    ("telephone", "Phone Number", "TEXT", True),
    ("vat_id", "VAT Number", "TEXT", False),
)


def _address_fields(store: Store) -> list[Object]:
    return [
        {
            "__typename": "CustomerAttributeMetadata",
            "code": code,
            "label": label,
            "entity_type": "CUSTOMER_ADDRESS",
            "frontend_input": kind,
            "is_required": required,
            "is_unique": False,
            "options": [],
            "sort_order": 10 * n,
            "multiline_count": store.street_lines if kind == "MULTILINE" else 1,
            "validate_rules": [],
        }
        for n, (code, label, kind, required) in enumerate(_ADDRESS_FIELDS, start=1)
    ]
