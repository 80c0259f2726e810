"""The store: carts, stock, orders and settings in SQLite or PostgreSQL. All SQL lives here.

Lock order, the same in every transaction: cart, hold, stock rows in SKU order, order sequence.
"""
