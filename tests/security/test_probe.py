import asyncio, time, json, base64
from tests.storefront import Storefront

async def test_probe(shop: Storefront) -> None:
    async def ask(q, v=None, **h):
        t=time.monotonic()
        try:
            a = await shop.post(q, v, **h)
            print(f"{time.monotonic()-t:.2f}s", a.status, str(a.body)[:300])
            return a
        except Exception as e:
            print(f"{time.monotonic()-t:.2f}s", repr(e))
    cart = await shop.a_ready_cart()
    # region digits
    addr = {"firstname":"a","lastname":"b","street":["x"],"city":"c","country_code":"US","region":"1"*5000,"postcode":"1","telephone":"1"}
    await ask("mutation($c:String!,$a:CartAddressInput!){setShippingAddressesOnCart(input:{cart_id:$c,shipping_addresses:[{address:$a}]}){cart{id}}}", {"c":cart,"a":addr})
    ada = shop.as_customer()
    async def orders(f):
        t=time.monotonic()
        a = await ada.post("query($f:CustomerOrdersFilterInput){customer{orders(filter:$f){total_count}}}", {"f":f})
        print(f"{time.monotonic()-t:.2f}s", a.status, str(a.body)[:300])
    await orders({"number":{"in":["1"]*40000}})
    await orders({"number":{"match":"1"*60000}})
    await orders({"order_date":{"from":"0001-01-01T00:00:00+23:59"}})
    await orders({"order_date":{"to":"9999-12-31T00:00:00-23:59"}})
    await orders({"order_date":{"to":"9999-12-31"}})
    await orders({"grand_total":{"from":"9999999999999999"}})
    # jwt recursion
    head = base64.urlsafe_b64encode(b"["*4500).rstrip(b"=").decode()
    await ask("{storeConfig{store_code}}", None, Authorization=f"Bearer {head}.e30.e30")
    # dup skus
    big = [{"sku":"apple","quantity":0}]*7000
    await ask("mutation($c:String!,$i:[CartItemInput!]!){addProductsToCart(cartId:$c,cartItems:$i){user_errors{message}}}", {"c":cart,"i":big})
    al = " ".join(f"a{n}: user_errors{{__typename message code}}" for n in range(100))
    await ask("mutation($c:String!,$i:[CartItemInput!]!){addProductsToCart(cartId:$c,cartItems:$i){%s}}" % al, {"c":cart,"i":big[:1000]})
    from tests.builders import product
    shop.world.store.catalog.put([product(f"p{n}") for n in range(500)])
    items=[{"sku":f"p{n}","quantity":1} for n in range(499)]
    await ask("mutation($c:String!,$i:[CartItemInput!]!){addProductsToCart(cartId:$c,cartItems:$i){user_errors{message}}}", {"c":cart,"i":items})
    await ask("query($c:String!){cart(cart_id:$c){items{quantity product{name}} }}", {"c":cart})
    f = " ".join(["quantity"]*1000)
    await ask("query($c:String!){cart(cart_id:$c){items{%s} }}"%f, {"c":cart})
    al = " ".join(f"a{n}: product{{sku name uid stock_status price_range{{minimum_price{{regular_price{{value currency}}}}}}}}" for n in range(99))
    await ask("query($c:String!){cart(cart_id:$c){items{%s} }}"%al, {"c":cart})
    al = " ".join(f"a{n}: cart(cart_id:$c){{id}}" for n in range(99))
    await ask("query($c:String!){%s}"%al, {"c":cart})
    al = " ".join(f"a{n}: cart(cart_id:$c){{prices{{grand_total{{value}}}}}}" for n in range(99))
    await ask("query($c:String!){%s}"%al, {"c":cart})
    al = " ".join(f"a{n}: addProductsToCart(cartId:$c,cartItems:$i){{user_errors{{message}}}}" for n in range(99))
    await ask("mutation($c:String!,$i:[CartItemInput!]!){%s}"%al, {"c":cart,"i":items})
    await ask("mutation($c:String!,$i:[CartItemInput!]!){addProductsToCart(cartId:$c,cartItems:$i){user_errors{message}}}", {"c":cart,"i":[{"sku":"p498","quantity":1e-3}]*6000})
    await ask("mutation($c:String!,$i:[CartItemInput!]!){addProductsToCart(cartId:$c,cartItems:$i){user_errors{message}}}", {"c":cart,"i":[{"sku":"p498","quantity":1000}]*6000})
