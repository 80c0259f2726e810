"""Place the order of a cart: the client of the README, with cart id and key as arguments."""

import asyncio
import os
import sys

from client import CheckoutClient, CheckoutUnavailableError, OrderPlaced, Pending, Refused
from commerce.adapters.codec import CodecKeyError, PayloadEncryption


async def main(cart_id: str, idempotency_key: str | None = None) -> None:
    keys = os.environ.get("CHECKOUT_CODEC_KEYS")
    if not keys:
        sys.exit("set CHECKOUT_CODEC_KEYS to the workers' keys: $(cat .checkout/codec.keys)")
    try:
        codec = PayloadEncryption.parse(keys)
        checkout = await CheckoutClient.connect(codec=codec)
        answer = await checkout.place_order(cart_id, idempotency_key=idempotency_key)
    except CodecKeyError as error:
        sys.exit(str(error))
    except CheckoutUnavailableError as error:
        sys.exit(f"{error}: is TEMPORAL_ADDRESS what 'checkout dev' prints?")
    match answer:
        case OrderPlaced(order_number=number, token=token, total=total):
            print(f"order {number} over {total}, token {token}")  # noqa: T201
        case Refused(code=code, message=message, order_number=number):
            print(f"{code}: {message}", f"(order {number})" if number else "")  # noqa: T201
        case Pending() as pending:
            print(f"not known yet: ask again: place_order.py {cart_id} {pending.idempotency_key}")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:] or ["example-cart"]))
