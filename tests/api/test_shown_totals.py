"""Is the total that a shopper was shown the total that they order?"""

from tests.builders import product, tax
from tests.storefront import STEPS, Answer, Storefront

CHANGED = "Unable to place order: The cart total has changed. Review the cart and try again."


def put_price(market: Storefront, price: str) -> None:
    market.world.store.catalog.put([product("melon", None, price=price)])


async def a_cart_of_melons(market: Storefront) -> str:
    """A cart of 2 melons at 10.00, shipped for 10.00; its last step shows 30.00."""
    put_price(market, "10.00")
    return await market.a_ready_cart(("melon", 2))


def ordered_total(answer: Answer) -> float:
    return answer.data["placeOrder"]["orderV2"]["total"]["grand_total"]["value"]


def assert_changed(answer: Answer) -> None:
    assert answer.message == CHANGED
    assert answer.error["extensions"]["reason"] == "TOTAL_CHANGED"
    assert answer.body["data"]["placeOrder"]["errors"] == [
        {"code": "UNABLE_TO_PLACE_ORDER", "message": CHANGED}
    ]


async def test_a_price_that_changed_since_it_was_shown_is_not_ordered(market: Storefront) -> None:
    cart_id = await a_cart_of_melons(market)
    for price, total in (("11.00", 32.0), ("9.00", 28.0)):
        put_price(market, price)
        assert_changed(await market.place(cart_id))
        assert await market.total(cart_id) == total
    assert ordered_total(await market.place(cart_id)) == 28.0


async def test_a_payment_is_for_the_total_that_was_shown(market: Storefront) -> None:
    cart_id = await a_cart_of_melons(market)
    put_price(market, "11.00")
    answer = await market.complete(cart_id, market.approved(cart_id, "32.00"))
    assert answer.body["extensions"]["completeOrder"]["reason"] == "TOTAL_CHANGED"
    assert await market.total(cart_id) == 32.0
    assert (await market.complete(cart_id, f"PAY-{cart_id}")).data["completeOrder"]["order"]


async def test_a_tax_rate_that_changed_since_the_total_was_shown_is_not_ordered(
    market: Storefront,
) -> None:
    store = market.of_new_store()
    cart_id = await store.a_ready_cart(("apple", 2))
    market.world.store.stores.set_tax_rate(store.headers["Store"], tax("10"))
    assert_changed(await store.place(cart_id))
    assert await store.total(cart_id) == 33.0
    assert ordered_total(await store.place(cart_id)) == 33.0


async def test_a_price_that_went_back_is_ordered(market: Storefront) -> None:
    cart_id = await a_cart_of_melons(market)
    put_price(market, "11.00")
    put_price(market, "10.00")
    assert ordered_total(await market.place(cart_id)) == 30.0


async def test_a_total_that_nobody_was_shown_may_change(market: Storefront) -> None:
    put_price(market, "10.00")
    cart_id = await market.a_ready_cart(("melon", 2), without={"payment_method"})
    await market.choose(cart_id, payment="checkmo")
    put_price(market, "11.00")
    assert ordered_total(await market.place(cart_id)) == 32.0


async def test_what_the_shopper_changes_needs_no_second_look(market: Storefront) -> None:
    cart_id = await a_cart_of_melons(market)
    await market.take(cart_id, "items", items=[("apple", 1)])
    assert ordered_total(await market.place(cart_id)) == 45.0


async def test_what_the_shopper_changes_does_not_hide_what_others_changed(
    market: Storefront,
) -> None:
    cart_id = await a_cart_of_melons(market)
    put_price(market, "11.00")
    await market.take(cart_id, "items", items=[("apple", 1)])
    assert_changed(await market.place(cart_id))
    assert await market.total(cart_id) == 47.0
    assert ordered_total(await market.place(cart_id)) == 47.0


async def test_a_total_that_a_mutation_answers_is_shown_as_well(market: Storefront) -> None:
    cart_id = await a_cart_of_melons(market)
    put_price(market, "11.00")
    answer = await market.post(
        f"mutation ($cart: String!) {{ {STEPS['payment_method']} }}", {"cart": cart_id}
    )
    shown = answer.data["setPaymentMethodOnCart"]["cart"]["prices"]["grand_total"]["value"]
    assert ordered_total(await market.place(cart_id)) == shown == 32.0


async def test_a_cart_that_is_shown_without_its_prices_shows_no_total(market: Storefront) -> None:
    cart_id = await a_cart_of_melons(market)
    put_price(market, "11.00")
    query = "query ($cart: String!) { cart(cart_id: $cart) { id total_quantity } }"
    assert (await market.post(query, {"cart": cart_id})).data["cart"]["total_quantity"] == 2
    assert_changed(await market.place(cart_id))


async def test_an_estimate_is_no_promise(market: Storefront) -> None:
    cart_id = await a_cart_of_melons(market)
    put_price(market, "11.00")
    estimate = """mutation ($cart: String!) {
      estimateTotals(input: {
        cart_id: $cart, address: {country_code: US, postcode: "90210", region: {region_id: 12}},
        shipping_method: {carrier_code: "flatrate", method_code: "flatrate"}
      }) { cart { prices { grand_total { value } } } } }"""
    estimated = (await market.post(estimate, {"cart": cart_id})).data["estimateTotals"]["cart"]
    assert estimated["prices"]["grand_total"]["value"] == 32.0
    assert_changed(await market.place(cart_id))


async def test_every_cart_of_a_document_is_shown(market: Storefront) -> None:
    cart_ids = [await a_cart_of_melons(market) for _ in range(2)]
    put_price(market, "11.00")
    prices = "prices { grand_total { value } }"
    carts = [f'c{n}: cart(cart_id: "{each}") {{ {prices} }}' for n, each in enumerate(cart_ids)]
    assert (await market.post(f"{{ {' '.join(carts)} }}")).data
    for cart_id in cart_ids:
        assert ordered_total(await market.place(cart_id)) == 32.0
