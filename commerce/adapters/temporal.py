"""One way to connect to Temporal, for the worker, the GraphQL server and the command line."""

from typing import Any

from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfig

DEFAULT_ADDRESS = "localhost:7233"


class TemporalUnreachableError(Exception):
    """No Temporal server answers where the settings say."""


async def connect(converter: DataConverter, address: str = "", identity: str = "") -> Client:
    """Connect as Temporal's environment configuration says (``TEMPORAL_ADDRESS`` and so on).

    Args:
        converter: How payloads are made.
        address: Instead of the configured one.
        identity: Who this is in histories; the process if not given.

    Raises:
        TemporalUnreachableError: Nobody answers there.
    """
    config: dict[str, Any] = {**ClientConfig.load_client_connect_config()}
    config["target_host"] = address or config.get("target_host") or DEFAULT_ADDRESS
    if identity:
        config["identity"] = identity
    try:
        return await Client.connect(**config, data_converter=converter)
    except (RuntimeError, ValueError) as error:
        raise TemporalUnreachableError(
            f"cannot reach Temporal at {config['target_host']}: {error}"
        ) from error
