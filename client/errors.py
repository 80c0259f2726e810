"""What the client raises; everything the checkout itself says is a value, see ``answers``.

CheckoutClientError
├── InvalidRequestError        the call is malformed: nothing was sent
└── CheckoutUnavailableError   Temporal cannot be reached, or refuses this caller, or the workers
                               and this caller cannot read each other: codec keys
"""


class CheckoutClientError(Exception):
    """The root of the tree."""


class InvalidRequestError(CheckoutClientError, ValueError):
    """An argument of a wrong type or size; nothing was sent."""


class CheckoutUnavailableError(CheckoutClientError):
    """Temporal cannot be reached, or refuses this caller, or they cannot read each other."""
