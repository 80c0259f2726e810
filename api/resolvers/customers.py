"""Who is logged in."""

import hashlib
from datetime import timedelta
from typing import Any

from ariadne import MutationType, QueryType

from api.errors import ApiError
from api.present.values import Object
from api.services import Info
from commerce.domain.carts import Cart
from commerce.domain.errors import Category

query, mutation = QueryType(), MutationType()

TOKEN_LIFETIME = timedelta(hours=1)
_SIGN_IN_FAILED = (
    "The account sign-in was incorrect or your account is disabled temporarily. "
    "Please wait and try again later."
)


@query.field("customer")
async def customer(_: Any, info: Info) -> Object:
    """The customer whose token came with the request."""
    context = info.context
    claims = context.customer()
    return {
        "email": claims.email,
        "firstname": claims.firstname,
        "lastname": claims.lastname,
        "default_shipping": None,
        "default_billing": None,
        "addresses": [],
    }


@query.field("isEmailAvailable")
async def is_email_available(_: Any, info: Info, email: str) -> Object:
    """True: the accounts are kept elsewhere, and nobody here can tell who has one."""
    return {"is_email_available": True}


@mutation.field("generateCustomerToken")
async def generate_customer_token(_: Any, info: Info, email: str, password: str) -> Object:
    """In development, a token for anybody with an e-mail address; refused in production."""
    context = info.context
    for name, value in (("email", email), ("password", password)):
        if not value:
            raise ApiError(f'Specify the "{name}" value.')
    issuer = context.services.issuer
    if issuer is None or not _is_email(email):
        raise ApiError(_SIGN_IN_FAILED, Category.AUTHENTICATION)
    customer_id = hashlib.sha256(email.lower().encode()).hexdigest()[:16]
    return {"token": issuer.issue(customer_id, email, email.partition("@")[0], "", TOKEN_LIFETIME)}


def _is_email(text: str) -> bool:
    try:
        Cart(id="any", store_code="any", email=text)
    except ValueError:
        return False
    return True
