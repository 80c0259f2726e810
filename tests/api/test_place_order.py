"""Are ``placeOrder`` and ``completeOrder`` answered as their pages say?"""

from tests.storefront import Storefront


async def test_a_cart_becomes_its_order(shop: Storefront) -> None:
    cart_id = await shop.a_ready_cart(("apple", 2))
    placed = (await shop.place(cart_id)).data["placeOrder"]
    assert placed["errors"] == []
    assert placed["order"] == {"order_number": "000000001", "order_id": "000000001"}
    assert placed["orderV2"]["total"]["grand_total"] == {"value": 30.0, "currency": "USD"}
