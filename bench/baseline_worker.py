"""The worker of a baseline, a process of its own as the checkout's is.

Run: ``python -m bench.baseline_worker TYPE TEMPORAL_ADDRESS DATA_DIR``, until SIGTERM.
"""

import asyncio
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from bench.baselines import FLOOR, NAIVE, Floor, NaiveSaga
from cli.data_dir import load_settings, opened_store
from client import CheckoutClient
from commerce.adapters.events import LogOrderEvents
from commerce.adapters.payments.none import NoGateway
from commerce.adapters.relay import OutboxRelay
from commerce.adapters.runs import TemporalRuns
from commerce.adapters.temporal import connect
from worker import build_activities

READY = "ready"
"""What it prints once it polls."""


async def run(workflow_type: str, address: str, data_dir: Path) -> None:
    """Serve one baseline, with as many threads as the checkout's worker has."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = await connect(pydantic_data_converter, None, address)
    settings = load_settings(data_dir)
    ports = (NoGateway(), TemporalRuns(client), CheckoutClient(client))
    with (
        opened_store(data_dir) as store,
        ThreadPoolExecutor(settings.worker_threads) as executor,
    ):
        relay = OutboxRelay(store.orders, LogOrderEvents())  # not begun: the saga's last step tells
        worker = Worker(
            client,
            task_queue=workflow_type,
            workflows=[{FLOOR: Floor, NAIVE: NaiveSaga}[workflow_type]],
            activities=build_activities(store, *ports, relay, settings.hold_ttl),
            activity_executor=executor,
        )
        async with worker:
            print(READY, flush=True)
            await stop.wait()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
