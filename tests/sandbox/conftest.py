"""A gateway for all tests of it, and a merchant of its own for each."""

import secrets
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from commerce.adapters.payments.sandbox import SandboxGateway
from tests.gateway import running_gateway
from tests.sandbox.merchant import Merchant


@pytest.fixture(scope="session")
def gateway_url() -> Iterator[str]:
    with running_gateway(hang_s=60) as url:
        yield url


@pytest.fixture
async def merchant(gateway_url: str) -> AsyncIterator[Merchant]:
    async with httpx.AsyncClient(base_url=gateway_url, timeout=30, trust_env=False) as http:
        yield Merchant(http, secrets.token_hex(8))


@pytest.fixture
async def gateway(gateway_url: str, merchant: Merchant) -> AsyncIterator[SandboxGateway]:
    """The adapter, as the same merchant."""
    gateway = SandboxGateway(gateway_url, merchant.key, timeout_s=30)
    yield gateway
    await gateway.aclose()


@pytest.fixture
async def hasty(gateway_url: str, merchant: Merchant) -> AsyncIterator[SandboxGateway]:
    """The adapter, as the same merchant, when it does not wait for long."""
    gateway = SandboxGateway(gateway_url, merchant.key, timeout_s=0.3)
    yield gateway
    await gateway.aclose()
