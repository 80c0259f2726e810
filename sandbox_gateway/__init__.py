"""A stand-in payment provider: a process of its own, with scripts for what can go wrong.

No money moves. It knows nothing of the checkout, and so its ledger is an independent witness of
what was authorized, captured, voided and refunded.
"""
