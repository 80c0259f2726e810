"""How operators' commands reach Temporal: where, and which run is meant."""

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from cli.data_dir import find_running, load_codec, opened_store
from cli.errors import CliError
from commerce.adapters.codec import PayloadCodecError, encrypted
from commerce.adapters.temporal import TemporalUnreachableError, connect
from commerce.contract import workflow_id
from workflows.payloads import checkout_data_converter

IDENTITY = "checkout-cli"
"""Who this is in histories: never encrypted, and so nobody's name. Who acts is in the act itself,
which is encrypted."""

RPC_TIMEOUT = timedelta(seconds=10)
TOO_LONG = timedelta(minutes=10)
"""What runs for longer, and waits for nobody, stands still."""

_WORKFLOW_ID = re.compile(r"checkout-[a-z2-7]{26}")
_ORDER_NUMBER = re.compile(r"[0-9A-Za-z_-]{1,64}")
_AWAY = {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}


async def connected(data_dir: Path, *, keyless: bool = False) -> Client:
    """A connection as ``TEMPORAL_ADDRESS`` and so on say, else to the running ``checkout dev``.

    Args:
        data_dir: Where it and the keys of payloads are found.
        keyless: No payload is sent or read.

    Raises:
        CliError: The settings are wrong, or there are no keys.
        TemporalUnreachableError: Nobody answers there.
    """
    codec = None if keyless else load_codec(data_dir)
    running = None if os.environ.get("TEMPORAL_ADDRESS") else find_running(data_dir)
    if running is None:
        return await connect(checkout_data_converter, codec, identity=IDENTITY)
    converter = encrypted(checkout_data_converter, codec) if codec else checkout_data_converter
    address = running.temporal_address
    return await Client.connect(address, data_converter=converter, identity=IDENTITY)


@contextmanager
def one_line_errors() -> Generator[None]:
    """What goes wrong between here and Temporal is one line.

    Raises:
        CliError: It went wrong.
    """
    try:
        yield
    except (TemporalUnreachableError, PayloadCodecError) as error:
        raise CliError(str(error)) from None
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT and "invalid query" in error.message:
            lacks = "the namespace lacks the search attributes of checkouts"
            raise CliError(f"{lacks}: run 'checkout setup'") from None
        away = "Temporal does not answer: " if error.status in _AWAY else "Temporal says: "
        raise CliError(f"{away}{error.message}") from None


async def find_checkout(client: Client, data_dir: Path, named: str) -> str:
    """The workflow id of a checkout, by that, by its cart's id or by its order's number."""
    if _WORKFLOW_ID.fullmatch(named):
        return named
    try:
        with opened_store(data_dir) as store:
            order = store.order_book.find(number=named)
            return workflow_id(order.cart_id if order else named)
    except CliError:  # no store on this machine: Temporal knows the orders of late
        return await _by_order_number(client, named) or workflow_id(named)


async def _by_order_number(client: Client, named: str) -> str | None:
    if not _ORDER_NUMBER.fullmatch(named):
        return None
    query = f'CheckoutOrderNumber = "{named}"'
    async for run in client.list_workflows(query, limit=1, rpc_timeout=RPC_TIMEOUT):
        return run.id
    return None
