"""One way to connect to Temporal, for the worker, the GraphQL server and the command line."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, Plugin
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from commerce.adapters.codec import encrypted

DEFAULT_ADDRESS = "localhost:7233"
RPC_TIMEOUT = timedelta(seconds=10)


class TemporalUnreachableError(Exception):
    """No Temporal server answers where the settings say."""


async def connect(
    converter: DataConverter,
    codec: PayloadCodec | None,
    address: str = "",
    identity: str = "",
    runtime: Runtime | None = None,
    plugins: Sequence[Plugin] = (),
) -> Client:
    """Connect as Temporal's environment configuration says (``TEMPORAL_ADDRESS`` and so on).

    Args:
        converter: How payloads are made.
        codec: How they are encrypted, and with them the texts of failures; None for who sends and
            reads none.
        address: Instead of the configured one.
        identity: Who this is in histories; the process if not given.
        runtime: With the process's metrics and logs.
        plugins: With its traces.

    Raises:
        TemporalUnreachableError: Nobody answers there.
    """
    config: dict[str, Any] = {**ClientConfig.load_client_connect_config()}
    config["target_host"] = address or config.get("target_host") or DEFAULT_ADDRESS
    if identity:
        config["identity"] = identity
    config |= {"runtime": runtime, "plugins": plugins}
    try:
        return await Client.connect(
            **config, data_converter=encrypted(converter, codec) if codec else converter
        )
    except (RuntimeError, ValueError) as error:
        raise TemporalUnreachableError(
            f"cannot reach Temporal at {config['target_host']}: {error}"
        ) from error


async def require_namespace(client: Client) -> None:
    """The namespace is there, and we may use it.

    Raises:
        TemporalUnreachableError: It is not, or we may not.
    """
    asked = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        await client.workflow_service.describe_namespace(asked, retry=True, timeout=RPC_TIMEOUT)
    except RPCError as error:
        raise TemporalUnreachableError(
            f"cannot use TEMPORAL_NAMESPACE {client.namespace!r}: {error.message}"
        ) from error
