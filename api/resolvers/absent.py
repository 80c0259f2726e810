"""What storefronts may ask for and does not exist here: coupons, gifts, what follows an order.

A document that names a field we lack is refused as a whole, so the fields are there; they say no.
"""

from typing import Any

from ariadne import MutationType

from api.errors import ApiError
from api.present.values import Object
from api.resolvers.carts import shown
from api.services import Info, cart_error, look_at
from commerce.domain.cart_errors import CartProblem

mutation = MutationType()

_REFUSED = {
    "addBundleProductsToCart": "Products with options are not sold here.",
    "addDownloadableProductsToCart": "Products with options are not sold here.",
    "applyGiftCardToCart": "Gift cards are not accepted here.",
    "removeGiftCardFromCart": "Gift cards are not accepted here.",
    "reorderItems": "Orders cannot be repeated here.",
    "requestReturn": "Orders are not returned here.",
    "requestGuestReturn": "Orders are not returned here.",
    "confirmReturn": "Orders are not returned here.",
}


def _refuse(_: Any, info: Info, **_arguments: Any) -> Object:
    raise ApiError(_REFUSED[info.field_name])


for _name in _REFUSED:
    mutation.field(_name)(_refuse)


@mutation.field("cancelOrder")
@mutation.field("confirmCancelOrder")
@mutation.field("requestGuestOrderCancel")
def cancel_order(_: Any, info: Info, **_arguments: Any) -> Object:
    """Orders are cancelled where they are fulfilled."""
    message = "Orders are not cancelled here."
    told = {"code": "ORDER_CANCELLATION_DISABLED", "message": message}
    return {"order": None, "error": message, "errorV2": told}


@mutation.field("setCartAsInactive")
async def set_cart_as_inactive(
    _: Any,
    info: Info,
    cartId: str,  # noqa: N803 (the schema's name)
) -> Object:
    """A cart ends as an order or in another cart; it is not given up."""
    await look_at(info, cartId)
    return {"success": False, "error": "Carts are not given up here."}


@mutation.field("applyCouponToCart")
@mutation.field("applyCouponsToCart")
async def apply_coupon(_: Any, info: Info, input: Object | None = None) -> Object:  # noqa: A002
    """There are no coupons, so none is valid."""
    await look_at(info, (input or {}).get("cart_id"))
    raise cart_error(CartProblem.COUPON_INVALID)


@mutation.field("removeCouponFromCart")
async def remove_coupon(_: Any, info: Info, input: Object | None = None) -> Object:  # noqa: A002
    """The cart: there was no coupon on it."""
    return shown(info, await look_at(info, (input or {}).get("cart_id")))


@mutation.field("setGiftOptionsOnCart")
async def set_gift_options(_: Any, info: Info, input: Object | None = None) -> Object:  # noqa: A002
    """The cart, if no option is wanted."""
    given = input or {}
    view = await look_at(info, given.pop("cart_id", None))
    message: Object = given.pop("gift_message", None) or {}  # an empty one takes it back
    if any([*given.values(), *message.values()]):
        raise ApiError("Gift options are not offered here.")
    return shown(info, view)
