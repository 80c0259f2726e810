// Starts GraphiQL on the page's own URL. The scripts before this one define React, ReactDOM and
// GraphiQL.
"use strict";

const QUERY = `# placeOrder, as documented: a cart that is ready
# becomes one order, or the answer says why not.
#
# Without a cart: run CreateCart, put the id that it
# answers into the variables below, run FillCart.
# Ctrl-Enter runs the operation under the cursor.
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

mutation CreateCart {
  createGuestCart {
    cart {
      id
    }
  }
}

# Needs the product: \`checkout catalog import
# examples/catalog.csv\` brings tea.
mutation FillCart($cart: String!, $sku: String! = "tea") {
  addProductsToCart(
    cartId: $cart
    cartItems: [{ sku: $sku, quantity: 1 }]
  ) {
    user_errors {
      message
    }
  }
  setGuestEmailOnCart(
    input: { cart_id: $cart, email: "ada@example.com" }
  ) {
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
    input: {
      cart_id: $cart
      billing_address: { same_as_shipping: true }
    }
  ) {
    cart {
      id
    }
  }
  setShippingMethodsOnCart(
    input: {
      cart_id: $cart
      shipping_methods: [
        { carrier_code: "flatrate", method_code: "flatrate" }
      ]
    }
  ) {
    cart {
      id
    }
  }
  setPaymentMethodOnCart(
    input: {
      cart_id: $cart
      payment_method: { code: "checkmo" }
    }
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
`;

// Headers carry tokens. The browser keeps those of the editor only if the user says so in the
// settings (shouldPersistHeaders stays unset); but the history would keep them in any case.
const HISTORY = ["graphiql:queries", "graphiql:favorites"];
const withoutHeaders = (json) =>
  JSON.stringify(JSON.parse(json, (name, value) => (name === "headers" ? undefined : value)));

const storage = {
  getItem: (key) => localStorage.getItem(key),
  setItem: (key, value) =>
    localStorage.setItem(key, HISTORY.includes(key) ? withoutHeaders(value) : value),
  removeItem: (key) => localStorage.removeItem(key),
  clear: () => localStorage.clear(),
  get length() {
    return localStorage.length;
  },
};

// Variables given at each visit would replace what the user wrote at the last one.
const firstVisit = localStorage.getItem("graphiql:tabState") === null;

ReactDOM.createRoot(document.getElementById("explorer")).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({
      url: window.location.pathname,
      enableIncrementalDelivery: false,
    }),
    defaultQuery: QUERY,
    variables: firstVisit ? '{\n  "cart": ""\n}' : undefined,
    defaultEditorToolsVisibility: "variables",
    storage,
  }),
);
