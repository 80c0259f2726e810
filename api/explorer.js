// Starts GraphiQL on the page's own URL. The scripts before this one define React, ReactDOM and
// GraphiQL.
"use strict";

const QUERY = `# From nothing to an order, the documented way. To run a step, put the cursor into it and press
# Ctrl-Enter, or press the button and choose.
#
# Step 2 needs a product: "checkout catalog import examples/catalog.csv" brings tea.
# A customer's token goes into the headers below: { "Authorization": "Bearer ..." }

# 1. A new cart. Put its id into the variables below.
mutation CreateCart {
  createGuestCart {
    cart {
      id
    }
  }
}

# 2. All that a cart needs before it can be ordered.
mutation FillCart($cart: String!, $sku: String!) {
  addProductsToCart(cartId: $cart, cartItems: [{ sku: $sku, quantity: 1 }]) {
    user_errors {
      message
    }
  }
  setGuestEmailOnCart(input: { cart_id: $cart, email: "ada@example.com" }) {
    cart {
      email
    }
  }
  setShippingAddressesOnCart(
    input: {
      cart_id: $cart
      shipping_addresses: [
        {
          address: {
            firstname: "Ada"
            lastname: "Lovelace"
            street: ["1100 Congress Avenue"]
            city: "Austin"
            region: "TX"
            postcode: "78701"
            country_code: "US"
            telephone: "512-555-0100"
          }
        }
      ]
    }
  ) {
    cart {
      id
    }
  }
  setBillingAddressOnCart(
    input: { cart_id: $cart, billing_address: { same_as_shipping: true } }
  ) {
    cart {
      id
    }
  }
  setShippingMethodsOnCart(
    input: {
      cart_id: $cart
      shipping_methods: [{ carrier_code: "flatrate", method_code: "flatrate" }]
    }
  ) {
    cart {
      id
    }
  }
  setPaymentMethodOnCart(
    input: { cart_id: $cart, payment_method: { code: "checkmo" } }
  ) {
    cart {
      prices {
        grand_total {
          value
          currency
        }
      }
    }
  }
}

# 3. The order, or the documented error.
mutation PlaceOrder($cart: String!) {
  placeOrder(input: { cart_id: $cart }) {
    order {
      order_number
    }
    errors {
      code
      message
    }
  }
}
`;

const VARIABLES = `{
  "cart": "",
  "sku": "tea"
}
`;

ReactDOM.createRoot(document.getElementById("explorer")).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({
      url: window.location.pathname,
      enableIncrementalDelivery: false,
    }),
    defaultTabs: [{ query: QUERY, variables: VARIABLES }],
    defaultEditorToolsVisibility: "variables",
    // Headers carry tokens: the browser keeps them only when the user says so in the settings.
    shouldPersistHeaders: undefined,
  }),
);
