"""The variables that each client sends with its operations, as its own code makes them.

A text in braces stands for what is known at run time only: `filled` puts it in, with its own type.
Where a package has several operations of one name, the variables of all of them are listed: what an
operation does not declare is ignored, and some clients rely on that.
"""

from collections.abc import Mapping
from typing import Any, cast

from tests.storefronts.documents import Document

Variables = dict[str, object]

_CART: Variables = {"cartId": "{cart_id}"}
_CART_INPUT: Variables = {"cart_id": "{cart_id}"}
_PERSON: Variables = {"firstname": "Ada", "lastname": "Byron", "telephone": "5551234567"}
_PLACE: Variables = {"city": "Austin", "postcode": "78701", "country_code": "US"}
_PRODUCT: Variables = {"sku": "{sku}", "quantity": 1}
_FLATRATE: Variables = {"carrier_code": "flatrate", "method_code": "flatrate"}
_CHECKMO: Variables = {"code": "checkmo"}
_SIGN_IN: Variables = {"email": "{email}", "password": "{password}"}
_MERGE: Variables = {"sourceCartId": "{cart_id}", "destinationCartId": "{customer_cart_id}"}
_LINE: Variables = {**_CART, "itemId": "{item_uid}"}

_DROP_IN_ADDRESS: Variables = {
    **_PERSON,
    **_PLACE,
    "company": "",
    "custom_attributes": [],
    "region": "TX",
    "region_id": 57,
    "save_in_address_book": False,
    "street": ["1 Congress Avenue"],
    "vat_id": "",
}

# Venia names a region by its id where its form asks for a region.
_VENIA_ADDRESS: Variables = {**_PERSON, **_PLACE, "region": "57", "street": ["1 Congress Avenue"]}

# Venia names the product itself as an option of a product that has none.
_VENIA_PRODUCT: Variables = {
    **_PRODUCT,
    "entered_options": [{"uid": "{product_uid}", "value": "{product_name}"}],
}

# The house number is a line of the street, and what follows it is a third, empty one.
_GRAPHCOMMERCE_ADDRESS: Variables = {
    **_CART,
    **_PERSON,
    "city": "Austin",
    "postcode": "78701",
    "countryCode": "US",
    "regionId": 57,
    "street": "Congress Avenue",
    "houseNumber": "1",
    "addition": "",
    "company": "",
    "vatId": "",
    "isCompany": False,
    "saveInAddressBook": True,
    "customerNote": "",
}

_VUE_ADDRESS: Variables = {**_PERSON, **_PLACE, "region": "TX", "street": ["1 Congress Avenue"]}
_VUE_ITEMS: Variables = {**_CART_INPUT, "cart_items": [{"data": _PRODUCT}]}

_CART_DROP_IN: dict[str, Variables] = {
    "ADD_PRODUCTS_TO_CART_MUTATION": {**_CART, "cartItems": [_PRODUCT]},
    "APPLY_COUPONS_TO_CART_MUTATION": {**_CART, "couponCodes": ["SAVE10"], "type": "APPEND"},
    "APPLY_GIFT_CARD_ON_CART_MUTATION": {**_CART, "giftCardCode": "GIFT"},
    "CREATE_GUEST_CART_MUTATION": {},
    "ESTIMATE_SHIPPING_METHODS_MUTATION": {
        **_CART,
        "address": {
            "country_code": "US",
            "postcode": "78701",
            "region": {"region": "TX", "region_id": 57},
        },
    },
    "GET_ESTIMATED_TOTALS_MUTATION": {
        **_CART,
        "address": {"country_code": "US", "postcode": "78701", "region": {"region_id": 57}},
        "shipping_method": {"carrier_code": "", "method_code": ""},
    },
    "MERGE_CARTS_MUTATION": {"guestCartId": "{cart_id}", "customerCartId": "{customer_cart_id}"},
    "REMOVE_GIFT_CARD_ON_CART_MUTATION": {**_CART, "giftCardCode": "GIFT"},
    "SET_GIFT_OPTIONS_ON_CART_MUTATION": {
        **_CART,
        "giftMessage": {"from": "Ada", "to": "Charles", "message": "Enjoy"},
        "giftWrappingId": None,
        "giftReceiptIncluded": False,
        "printedCardIncluded": False,
    },
    "UPDATE_PRODUCTS_FROM_CART_MUTATION": {
        **_CART,
        "cartItems": [{"cart_item_uid": "{item_uid}", "quantity": 2}],
    },
}

_CHECKOUT_DROP_IN: dict[str, Variables] = {
    "estimateShippingMethods": {
        **_CART,
        "address": {
            "country_code": "US",
            "postcode": "78701",
            "region": {"region_id": 57, "region_code": "TX"},
        },
    },
    "setBillingAddress": {
        **_CART,
        "billingAddress": {
            "use_for_shipping": False,
            "same_as_shipping": False,
            "address": _DROP_IN_ADDRESS,
        },
    },
    "setGuestEmail": {**_CART, "email": "{email}"},
    "setPaymentMethodOnCart": {**_CART, "input": _CHECKMO},
    "setShippingAddressOnCart": {**_CART, "shippingAddress": {"address": _DROP_IN_ADDRESS}},
    "setShippingAddressOnCartAndUseAsBilling": {
        **_CART,
        "shippingAddress": {"address": _DROP_IN_ADDRESS},
    },
    "setShippingMethodsOnCart": {**_CART, "shippingMethods": [_FLATRATE]},
}

_CONFIRMATION: Variables = {"orderId": "{order_id}", "confirmationKey": "{confirmation_key}"}
_RETURN: Variables = {
    "contact_email": "{email}",
    "items": [
        {
            "order_item_uid": "{order_item_id}",
            "quantity_to_return": 1,
            "selected_custom_attributes": [],
            "entered_custom_attributes": [],
        }
    ],
}

_ORDER_DROP_IN: dict[str, Variables] = {
    "CANCEL_ORDER_MUTATION": {"orderId": "{order_id}", "reason": "Other"},
    "CONFIRM_CANCEL_ORDER_MUTATION": _CONFIRMATION,
    "CONFIRM_RETURN_GUEST_ORDER": _CONFIRMATION,
    "GET_ATTRIBUTES_LIST": {"entityType": "RMA_ITEM"},
    "GET_GUEST_ORDER": {
        "input": {"number": "{order_number}", "email": "{email}", "lastname": "{lastname}"}
    },
    "PLACE_ORDER_MUTATION": _CART,
    "REORDER_ITEMS_MUTATION": {"orderNumber": "{order_number}"},
    "REQUEST_GUEST_ORDER_CANCEL_MUTATION": {"token": "{order_token}", "reason": "Other"},
    "REQUEST_RETURN_GUEST_ORDER": {"input": {"token": "{order_token}", **_RETURN}},
    "REQUEST_RETURN_ORDER": {"input": {"order_uid": "{order_id}", **_RETURN}},
    "setPaymentMethodAndPlaceOrder": {**_CART, "paymentMethod": _CHECKMO},
}

_PEREGRINE: dict[str, Variables] = {
    "AddItemToCart": {**_CART, "cartItem": _VENIA_PRODUCT},
    "AddProductToCart": {**_CART, "product": _VENIA_PRODUCT},
    "AddProductToCartFromDialog": {**_CART, "cartItem": {**_PRODUCT, "selected_options": []}},
    "AddWishlistItemToCart": {**_CART, "cartItem": _PRODUCT},
    "CreateCartAfterAccountCreation": {},
    "CreateCartAfterCheckout": {},
    "CreateCartAfterSignIn": {},
    "GetCustomerOrders": {"filter": {"number": {"match": ""}}, "pageSize": 10},
    "MergeCartsAfterAccountCreation": _MERGE,
    "MergeCartsAfterSignIn": _MERGE,
    "SetCustomerAddressOnCart": {**_CART, "addressId": "{address_id}"},
    "SetGiftOptionsOnCart": {
        **_CART,
        "giftMessage": {"from": "", "to": "", "message": ""},
        "giftReceiptIncluded": False,
        "printedCardIncluded": False,
    },
    "SetGuestShipping": {**_CART, "email": "{email}", "address": _VENIA_ADDRESS},
    "SetShippingAddressForEstimate": {
        **_CART,
        "address": {
            "city": "city",
            "firstname": "firstname",
            "lastname": "lastname",
            "street": ["street"],
            "telephone": "telephone",
            "country_code": "US",
            "postcode": "78701",
            "region": "TX",
        },
    },
    "SetShippingMethod": {**_CART, "shippingMethod": _FLATRATE},
    "SignIn": _SIGN_IN,
    "SignInAfterCheckout": _SIGN_IN,
    "SignInAfterCreate": _SIGN_IN,
    "UpdateCartItemQuantity": {**_CART, "cartItemId": "{item_uid}", "quantity": 2},
    "UpdateConfigurableOptions": {
        **_CART,
        "cartItemId": "{item_uid}",
        "parentSku": "{sku}",
        "variantSku": "{sku}",
        "quantity": 2,
    },
    "addConfigurableProductToCart": {**_CART, **_PRODUCT, "parentSku": "{sku}"},
    "addSimpleProductToCart": {**_CART, **_PRODUCT},
    "applyCouponToCart": {**_CART, "couponCode": "SAVE10"},
    "applyGiftCardToCart": {**_CART, "giftCardCode": "GIFT"},
    "createCart": {},
    "placeOrder": _CART,
    "removeCouponFromCart": _CART,
    "removeGiftCard": {**_CART, "giftCardCode": "GIFT"},
    "setBillingAddress": {
        **_CART,
        # Of the form.
        "firstName": "Ada",
        "lastName": "Byron",
        "street1": "1 Congress Avenue",
        "street2": "",
        "city": "Austin",
        "region": "TX",
        "postcode": "78701",
        "country": "US",
        "phoneNumber": "5551234567",
        "sameAsShipping": False,
        # Of a cart that costs nothing.
        **_PERSON,
        "street": ["1 Congress Avenue"],
        "regionCode": "TX",
        "countryCode": "US",
    },
    "setPaymentMethodOnCart": {**_CART, "paymentMethod": _CHECKMO},
    "setSelectedPaymentMethod": {**_CART, "paymentMethod": "braintree", "paymentNonce": "nonce"},
}

_VENIA: dict[str, Variables] = {
    "CreateCartWithCartOptions": {},
    "CreateCartWithProduct": {},
    "RemoveItemForMiniCart": _LINE,
    "RemoveItemForOptions": _LINE,
    "SetShippingMethodForEstimate": {**_CART, "shippingMethod": _FLATRATE},
    "createCart": {},
    "removeItem": _LINE,
    "setGuestEmailOnCart": {**_CART, "email": "{email}"},
    "setShippingAddress": {
        **_CART,
        **_PERSON,
        "street": ["1 Congress Avenue"],
        "city": "Austin",
        "region_code": "TX",
        "postcode": "78701",
        "country_id": "US",
    },
    "updateItemInCart": {**_LINE, "quantity": 2},
    "updateItemQuantity": {**_LINE, "quantity": 2},
}

_VUE: dict[str, Variables] = {
    "addBundleProductsToCart": {
        "input": {**_CART_INPUT, "cart_items": [{"data": _PRODUCT, "bundle_options": []}]}
    },
    "addConfigurableProductsToCart": {
        "input": {**_CART_INPUT, "cart_items": [{"data": _PRODUCT, "parent_sku": "{sku}"}]}
    },
    "addDownloadableProductsToCart": {"input": _VUE_ITEMS},
    "addProductsToCart": {**_CART, "cartItems": [_PRODUCT]},
    "addSimpleProductsToCart": {"input": _VUE_ITEMS},
    "addVirtualProductsToCart": {"input": _VUE_ITEMS},
    "applyCouponToCart": {"input": {**_CART_INPUT, "coupon_code": "SAVE10"}},
    "createEmptyCart": {},
    "generateCustomerToken": _SIGN_IN,
    "mergeCarts": _MERGE,
    "placeOrder": {"input": _CART_INPUT},
    "removeCouponFromCart": {"input": _CART_INPUT},
    "removeItemFromCart": {"input": {**_CART_INPUT, "cart_item_uid": "{item_uid}"}},
    "setBillingAddressOnCart": {
        "input": {
            **_CART_INPUT,
            "billing_address": {"address": _VUE_ADDRESS, "same_as_shipping": False},
        }
    },
    "setGuestEmailOnCart": {"input": {**_CART_INPUT, "email": "{email}"}},
    "setPaymentMethodOnCart": {"input": {**_CART_INPUT, "payment_method": _CHECKMO}},
    "setShippingAddressesOnCart": {
        "input": {**_CART_INPUT, "shipping_addresses": [{"address": _VUE_ADDRESS}]}
    },
    "setShippingMethodsOnCart": {"input": {**_CART_INPUT, "shipping_methods": [_FLATRATE]}},
    "updateCartItems": {
        "input": {**_CART_INPUT, "cart_items": [{"cart_item_uid": "{item_uid}", "quantity": 2}]}
    },
}

_GRAPHCOMMERCE: dict[tuple[str, str], Variables] = {
    ("cart", "CreateEmptyCart"): {},
    ("cart", "MergeCarts"): _MERGE,
    ("cart-coupon", "ApplyCouponForm"): {**_CART, "couponCode": "SAVE10"},
    ("cart-coupon", "RemoveCouponForm"): _CART,
    ("cart-email", "SetGuestEmailOnCart"): {**_CART, "email": "{email}"},
    ("cart-items", "RemoveItemFromCart"): {**_CART, "uid": "{item_uid}"},
    ("cart-items", "UpdateItemQuantity"): {**_CART, "uid": "{item_uid}", "quantity": 2},
    ("cart-payment-method", "PaymentMethodOptionsNoop"): {**_CART, **_CHECKMO},
    ("cart-payment-method", "PaymentMethodPlaceOrderNoop"): _CART,
    ("cart-shipping-address", "SetBillingAddress"): _GRAPHCOMMERCE_ADDRESS,
    ("cart-shipping-address", "SetCustomerBillingAddressOnCart"): {
        **_CART,
        "billingAddress": {"customer_address_id": "{address_id}"},
    },
    ("cart-shipping-address", "SetCustomerShippingAddressOnCart"): {
        **_CART,
        "shippingAddress": {"customer_address_id": "{address_id}", "customer_notes": ""},
    },
    ("cart-shipping-address", "SetCustomerShippingBillingAddressOnCart"): {
        **_CART,
        "shippingAddress": {"customer_address_id": "{address_id}", "customer_notes": ""},
        "billingAddress": {"same_as_shipping": True},
    },
    ("cart-shipping-address", "SetShippingAddress"): _GRAPHCOMMERCE_ADDRESS,
    ("cart-shipping-address", "SetShippingBillingAddress"): _GRAPHCOMMERCE_ADDRESS,
    ("cart-shipping-method", "ShippingMethodForm"): {
        **_CART,
        "carrier": "flatrate",
        "method": "flatrate",
    },
    ("customer", "CancelOrder"): {"orderId": "{order_id}", "reason": "Other"},
    ("customer", "ReorderItems"): {"orderNumber": "{order_number}"},
    ("customer", "SignIn"): _SIGN_IN,
    ("payment-included", "PurchaseOrderOptions"): {
        **_CART,
        "code": "purchaseorder",
        "poNumber": "PO-1",
    },
    ("product", "AddProductsToCart"): {
        **_CART,
        "cartItems": [{**_PRODUCT, "selected_options": [], "entered_options": []}],
    },
    ("product", "ProductAddToCart"): {
        **_CART,
        **_PRODUCT,
        "selectedOptions": [],
        "enteredOptions": [],
    },
    ("product", "ProductFilterTypes"): {"filters": {}},
}

VARIABLES: dict[tuple[str, str], Variables] = {
    **{("@dropins/storefront-cart", name): each for name, each in _CART_DROP_IN.items()},
    **{("@dropins/storefront-checkout", name): each for name, each in _CHECKOUT_DROP_IN.items()},
    **{("@dropins/storefront-order", name): each for name, each in _ORDER_DROP_IN.items()},
    **{("@magento/peregrine", name): each for name, each in _PEREGRINE.items()},
    **{("@magento/venia-ui", name): each for name, each in _VENIA.items()},
    **{("@vue-storefront/magento-api", name): each for name, each in _VUE.items()},
    **{
        (f"@graphcommerce/magento-{package}", name): each
        for (package, name), each in _GRAPHCOMMERCE.items()
    },
}
"""Of every mutation, and of the queries that take more than `QUERY_VARIABLES`."""

QUERY_VARIABLES: Variables = {
    "cartId": "{cart_id}",
    "cart_id": "{cart_id}",
    "countryCode": "US",
    "currentPage": 1,
    "email": "{email}",
    "formCode": "customer_register_address",
    "id": "US",
    "orderNumber": "{order_number}",
    "pageSize": 10,
    "token": "{order_token}",
}
"""What queries declare, whatever their client: a variable of a name means the same everywhere."""


def variables_of(document: Document, known: Mapping[str, object]) -> dict[str, Any]:
    """What its client sends with a document.

    Args:
        document: A mutation, or a query.
        known: What stands for each name in braces, such as `cart_id`.

    Raises:
        KeyError: It is a mutation that `VARIABLES` lacks, or a variable of it is not known.
    """
    listed = VARIABLES.get((document.package, document.name))
    if listed is None and not document.is_query:
        raise KeyError(str(document))
    if listed is None:
        listed = {name: each for name, each in QUERY_VARIABLES.items() if name in document.declared}
    return cast("dict[str, Any]", filled(listed, known))


def filled(template: object, known: Mapping[str, object]) -> object:
    """The template with every text in braces replaced.

    Args:
        template: Variables, or a part of them.
        known: What stands for each name, such as `cart_id`.

    Raises:
        KeyError: Nothing is known under that name.
    """
    if isinstance(template, dict):
        pairs = cast("dict[str, object]", template).items()
        return {key: filled(value, known) for key, value in pairs}
    if isinstance(template, list):
        return [filled(each, known) for each in cast("list[object]", template)]
    if isinstance(template, str) and template.startswith("{"):
        return known[template.strip("{}")]
    return template
