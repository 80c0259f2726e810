"""Place the order of a cart: the client of the README, with the cart id as an argument."""

import asyncio
import sys

from client import CheckoutClient, OrderPlaced, Pending, Refused


async def main(cart_id: str) -> None:
    checkout = await CheckoutClient.connect()
    match await checkout.place_order(cart_id):
        case OrderPlaced(order_number=number, token=token, total=total):
            print(f"order {number} over {total}, token {token}")  # noqa: T201
        case Refused(code=code, message=message):
            print(f"{code}: {message}")  # noqa: T201
        case Pending() as pending:
            print(f"not known yet: ask again with key {pending.idempotency_key}")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:] or ["example-cart"]))
