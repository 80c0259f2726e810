import json, time
from typing import Any
from graphql import parse, OperationDefinitionNode, OperationType
from commerce.domain.carts import ProductKind
from tests.builders import product
from tests.storefront import Storefront
from tests.storefronts.documents import documents
from tests.storefronts.variables import VARIABLES, QUERY_VARIABLES, filled

async def test_explore(market: Storefront) -> None:
    out=open('/tmp/exp/out.txt','w')
    shop = market.of_new_store(street_lines=3)
    me = shop.as_customer("explore")
    # order
    placed = await shop.place(await shop.a_ready_cart(("apple",1),("ebook",1)))
    order = placed.data["placeOrder"]["orderV2"]
    mine = await me.place(await me.a_ready_cart(("apple",1)))
    myorder = mine.data["placeOrder"]["orderV2"]
    t0=time.time()
    for d in documents():
        op=[x for x in parse(d.text).definitions if isinstance(x,OperationDefinitionNode)][0]
        declared={v.variable.name.value for v in op.variable_definitions or ()}
        tmpl=VARIABLES.get((d.package,d.name))
        if tmpl is None: tmpl={k:v for k,v in QUERY_VARIABLES.items() if k in declared}
        login = any(r=='customer' or r.startswith('customer.') or r in('customerCart','mergeCarts') for r in d.roots) or 'Customer' in d.name and op.operation is OperationType.MUTATION
        who = me if login else shop
        cart = await who.a_ready_cart(("apple",1),("ebook",1)) if not login else await shop.a_ready_cart(("apple",1),("ebook",1))
        mycart = await me.a_ready_cart()
        items=(await who.post("query($c:String!){cart(cart_id:$c){items{uid product{uid name sku}}}}",{"c":cart if not login else mycart})).data["cart"]["items"]
        known={"cart_id":cart if d.roots==('mergeCarts',) or not login else mycart,"customer_cart_id":mycart,"item_uid":items[0]["uid"],"sku":"apple","product_uid":items[0]["product"]["uid"],"product_name":items[0]["product"]["name"],"email":"jdoe@example.com","password":"secret","order_id":myorder and 'x',"order_number":order["number"] if not login else myorder["number"],"order_token":order["token"],"order_item_id":"x","confirmation_key":"k","address_id":1}
        v=filled(tmpl,known)
        t=time.time()
        a=await who.post(d.text,v)
        dt=time.time()-t
        miss=declared-set(v)
        errs=[(e["message"],e["extensions"]["category"]) for e in a.body.get("errors",[])]
        data=a.body.get("data")
        nulls=[k for k,x in (data or {}).items() if x is None]
        line=f"{a.status} {d.package} {d.name} {d.place} {d.roots[:2]} {dt*1000:.0f}ms"
        if a.status!=200 or errs or nulls or miss or set(v)-declared: line="!! "+line+f" errs={errs} nulls={nulls} miss={miss} extra={set(v)-declared}"
        print(line,file=out,flush=True)
        if "user_errors" in json.dumps(data) : 
            for k,x in data.items():
                if isinstance(x,dict) and (x.get("user_errors") or x.get("errors") or x.get("userInputErrors")): print("   UE",k,{n:x.get(n) for n in("user_errors","errors","userInputErrors")},file=out)
    print(time.time()-t0,file=out)
