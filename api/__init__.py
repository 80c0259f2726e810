"""GraphQL over HTTP: ``placeOrder``, ``completeOrder`` and the carts that lead to them."""
