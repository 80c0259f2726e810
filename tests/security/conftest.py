"""Attackers meet the whole: the GraphQL server over real HTTP, with real Temporal behind it."""

from tests.api.conftest import market as market
from tests.api.conftest import shop as shop
from tests.api.conftest import temporal as temporal
