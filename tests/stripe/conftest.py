"""localstripe, started once, and gateways to it and to a scripted Stripe."""

import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from commerce.adapters.payments.stripe import StripeGateway
from tests.stripe.payments import SECRET_KEY, Storefront
from tests.stripe.scripted import ScriptedStripe, a_scripted_stripe

EMULATOR = Path(__file__).parent / "emulator.py"
TIMEOUT_S = 30.0
"""Long: only tests of time-outs may meet one."""


@pytest.fixture(scope="session")
def localstripe() -> Iterator[str]:
    """The address of a localstripe of this test session's own."""
    command = [sys.executable, "-u", str(EMULATOR)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        try:
            found = re.search(r"Running on (http://\S+)", process.stdout.readline())
            assert found, "it did not start"
            yield found[1]
        finally:
            process.kill()


@pytest.fixture
async def storefront(localstripe: str) -> AsyncGenerator[Storefront]:
    storefront = Storefront(localstripe)
    yield storefront
    await storefront.aclose()


@pytest.fixture
async def gateway(localstripe: str) -> AsyncGenerator[StripeGateway]:
    gateway = StripeGateway(SecretStr(SECRET_KEY), localstripe, TIMEOUT_S)
    yield gateway
    await gateway.aclose()


@pytest.fixture
async def scripted() -> AsyncGenerator[ScriptedStripe]:
    async with a_scripted_stripe() as scripted:
        yield scripted


@pytest.fixture
async def scripted_gateway(scripted: ScriptedStripe) -> AsyncGenerator[StripeGateway]:
    gateway = StripeGateway(SecretStr(SECRET_KEY), scripted.url, TIMEOUT_S)
    yield gateway
    await gateway.aclose()
