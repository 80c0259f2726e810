"""Orders for those whose they are: guests by details or token, customers by their login."""

import hmac
import re
from datetime import UTC, datetime, time
from math import ceil
from typing import Any

from ariadne import ObjectType, QueryType

from api.errors import ApiError
from api.present.orders import order_object
from api.present.values import Object, part
from api.services import Info, in_store
from commerce.domain.errors import Category
from commerce.domain.money import Money, MoneyError
from commerce.domain.orders import MAX_PAGE_SIZE, Order, OrderQuery, OrderStatus

query, customer = QueryType(), ObjectType("Customer")

ORDERS_ON_A_PAGE = 20
_NUMBER = re.compile(r"[0-9A-Za-z-]{1,32}")
_NO_NUMBER = "-"
_NOT_LOCATED = "We couldn't locate an order with the information provided."
_LOGIN = "Please login to view the order."


@query.field("guestOrder")
async def guest_order(_: Any, info: Info, input: Object) -> Object:  # noqa: A002
    """A guest's order, by its number and what only its shopper should know."""
    order = await _found(info, input["number"])
    email, lastname = (order.email or "", order.billing_address.lastname) if order else ("", "")
    known = _same(email, input["email"]) & _same(lastname, input["lastname"])
    return _told(info, order if known else None)


@query.field("guestOrderByToken")
async def guest_order_by_token(
    _: Any,
    info: Info,
    input: Object,  # noqa: A002
) -> Object:
    """A guest's order, by the token that came with it."""
    context = info.context
    number = context.services.order_tokens.open(input["token"])
    return _told(info, await _found(info, number) if number else None)


async def _found(info: Info, number: str) -> Order | None:
    context = info.context
    if not _NUMBER.fullmatch(number):
        return None
    order = await in_store(context.services.order_book.find, number)
    elsewhere = order and context.caller.store_code not in ("", order.store_code)
    return None if elsewhere else order


def _told(info: Info, order: Order | None) -> Object:
    context = info.context
    if order is None:
        raise ApiError(_NOT_LOCATED, Category.NO_SUCH_ENTITY)
    if order.customer_id is not None:
        raise ApiError(_LOGIN, Category.AUTHORIZATION)
    return order_object(order, context.services.order_tokens.seal(order.number))


def _same(known: str, given: str) -> bool:
    """Whether two texts are equal, in a time that tells nothing; never for an empty one."""
    return bool(known) & hmac.compare_digest(known.encode(), given.encode())


# -- a customer's own ---------------------------------------------------------------------------


@customer.field("orders")
async def customer_orders(
    _: Any,
    info: Info,
    filter: Object | None = None,  # noqa: A002 (the schema's names)
    currentPage: int | None = None,  # noqa: N803
    pageSize: int | None = None,  # noqa: N803
    sort: Object | None = None,
    scope: str | None = None,
) -> Object:
    """The customer's own orders, the newest first unless asked otherwise."""
    context = info.context
    number = 1 if currentPage is None else currentPage
    size = ORDERS_ON_A_PAGE if pageSize is None else pageSize
    if number < 1:
        raise ApiError("currentPage value must be greater than 0.")
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise ApiError(f"pageSize value must be from 1 to {MAX_PAGE_SIZE}.")
    direction = sort or {"sort_field": "CREATED_AT", "sort_direction": "DESC"}
    here = context.store.code if scope == "STORE" else context.caller.store_code
    wanted = OrderQuery(
        **_conditions(filter or {}, context.store.currency),
        store_code="" if scope in ("GLOBAL", "WEBSITE") else here,
        by_number=direction["sort_field"] == "NUMBER",
        ascending=direction["sort_direction"] == "ASC",
        page=number,
        page_size=size,
    )
    services = context.services
    page = await in_store(services.order_book.of_customer, context.customer().customer_id, wanted)
    return {
        "items": [
            order_object(each, services.order_tokens.seal(each.number)) for each in page.orders
        ],
        "total_count": page.total_count,
        "page_info": {
            "current_page": number,
            "page_size": size,
            "total_pages": ceil(page.total_count / size),
        },
    }


def _conditions(given: Object, currency: str) -> Object:
    number, status = part(given, "number"), part(given, "status")
    placed, total = part(given, "order_date"), part(given, "grand_total")
    labels = {each.label: each for each in OrderStatus}
    statuses, numbers, match = _values(status), _values(number), number.get("match") or ""
    if len(numbers) > MAX_PAGE_SIZE:
        raise ApiError(f"number: at most {MAX_PAGE_SIZE} may be asked for.")
    known = [each for each in numbers if _NUMBER.fullmatch(each)]
    if (numbers and not known) or (match and not _NUMBER.fullmatch(match)):
        known, match = [_NO_NUMBER], ""
    return {
        "numbers": tuple(known),
        "number_contains": match,
        "statuses": tuple({labels[each] for each in statuses if each in labels})
        if statuses
        else None,
        "placed_from": _moment(placed.get("from"), time.min),
        "placed_to": _moment(placed.get("to"), time.max),
        "total_from_minor": _minor(total.get("from"), currency),
        "total_to_minor": _minor(total.get("to"), currency),
    }


def _values(condition: Object) -> list[str]:
    """The values of ``eq`` and ``in``."""
    given: list[str | None] = [condition.get("eq"), *(condition.get("in") or [])]
    return [each for each in given if each]


def _moment(text: str | None, at: time) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if len(text) <= len("2026-12-31"):
            moment = datetime.combine(moment, at)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # in UTC, some moments are before the year 1
        raise ApiError("order_date must be a date such as 2026-12-31.") from None


def _minor(text: str | None, currency: str) -> int | None:
    if not text:
        return None
    try:
        return Money.parse(text, currency).amount_minor
    except MoneyError as error:
        raise ApiError(f"grand_total: {error}") from None
