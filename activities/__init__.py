"""The side effects of a checkout, one class per family, built with ports.

Each runs in the worker's thread pool, may run more than once, and answers a business "no" with a
``Refusal``; it raises only when it is not known whether it took effect.
"""
