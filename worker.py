"""The worker: settings -> adapters -> activities -> Temporal worker. Run: ``python worker.py``."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import Client
from temporalio.worker import Worker, WorkflowRunner

from activities.addresses import AddressActivities
from activities.carts import CartActivities
from activities.operators import OperatorActivities
from activities.orders import OrderActivities
from activities.payments import PaymentActivities
from activities.stock import StockActivities
from activities.sweep import SweepActivities
from client import CheckoutClient
from commerce.adapters.addresses import PostalRules
from commerce.adapters.codec import PayloadEncryption, tell_of_plain
from commerce.adapters.events import LogOrderEvents
from commerce.adapters.payments.opened import open_gateway
from commerce.adapters.relay import OutboxRelay
from commerce.adapters.runs import TemporalRuns
from commerce.adapters.setup import missing_attributes
from commerce.adapters.store.schema import SchemaError, check
from commerce.adapters.store.sql_store import SqlStore, open_store
from commerce.adapters.telemetry import Telemetry, complain, open_telemetry
from commerce.adapters.telemetry.sampling import Sampler, sampled
from commerce.adapters.temporal import TemporalUnreachableError, connect, require_namespace
from commerce.adapters.tokens import TokenKeyError
from commerce.ports import PaymentGateway, PaymentNews, Runs
from commerce.settings import Settings, wrong_setting
from workflows.checkout import CheckoutWorkflow
from workflows.late_payment import LatePaymentWorkflow
from workflows.payloads import checkout_data_converter
from workflows.runner import plain_runner
from workflows.sweep import SweepWorkflow

STICKY_TIMEOUT = timedelta(seconds=1)
"""After a worker dies, its next task goes to another worker this much later."""

STORE_STEPS = 8
"""Local activities at a time: more only wait for each other, for the store and for Python."""

logger = logging.getLogger("checkout.worker")


def build_activities(
    store: SqlStore,
    gateway: PaymentGateway,
    runs: Runs,
    news: PaymentNews,
    relay: OutboxRelay,
    hold_ttl: timedelta,
) -> Sequence[Callable[..., Any]]:
    """Every activity, wired to the store, the gateway and Temporal."""
    rules = PostalRules()
    carts = CartActivities(store.carts, rules)
    stock = StockActivities(store.carts, store.stock)
    addresses = AddressActivities(store.carts, rules)
    payments = PaymentActivities(store.carts, store.orders, store.claims, gateway)
    events = LogOrderEvents()
    orders = OrderActivities(store.orders, events, relay.soon)
    operators = OperatorActivities(store.orders, store.claims)
    sweep = SweepActivities(store.leftovers, store.orders, events, runs, news, hold_ttl)
    return [
        carts.lock_cart,
        carts.extend_hold,
        carts.unlock_cart,
        carts.note_request,
        carts.store_answer,
        stock.hold_stock,
        stock.release_stock,
        addresses.validate_addresses,
        payments.verify_payment,
        payments.void_payment,
        payments.capture_payment,
        payments.review_payment,
        payments.settle_payment,
        orders.create_order,
        orders.announce_order,
        operators.mark_done,
        sweep.look_for_leftovers,
        sweep.expire_holds,
        sweep.tell_leftover_payments,
        sweep.announce_leftover_orders,
    ]


def build_worker(
    client: Client,
    settings: Settings,
    store: SqlStore,
    gateway: PaymentGateway,
    relay: OutboxRelay,
    runner: WorkflowRunner | None = None,
    **options: Any,
) -> Worker:
    """The Temporal worker; ``options`` go to it as they are."""
    runs, news = TemporalRuns(client), CheckoutClient(client, settings.task_queue)
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[CheckoutWorkflow, LatePaymentWorkflow, SweepWorkflow],
        activities=build_activities(store, gateway, runs, news, relay, settings.hold_ttl),
        workflow_runner=runner or plain_runner(),
        activity_executor=ThreadPoolExecutor(settings.worker_threads + STORE_STEPS, "activity"),
        max_concurrent_workflow_tasks=settings.concurrent_checkouts,
        max_concurrent_local_activities=STORE_STEPS,
        max_concurrent_activities=settings.worker_threads,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        graceful_shutdown_timeout=timedelta(seconds=settings.shutdown_grace_s),
        **options,
    )


@contextmanager
def health_endpoint(host: str, port: int, is_ready: Callable[[], bool]) -> Generator[None]:
    """Answer ``/health/live`` and ``/health/ready`` while the block runs; port 0 is nowhere."""
    if port == 0:
        yield
        return

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = {"/health/live": lambda: True, "/health/ready": is_ready}
            probe = known.get(self.path)
            self.send_response(404 if probe is None else 200 if probe() else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (http.server's name)
            return

    with ThreadingHTTPServer((host, port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


async def run(settings: Settings, telemetry: Telemetry) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way."""
    keys = settings.codec_keys.get_secret_value()
    codec = PayloadEncryption.parse(keys, for_worker=True)
    tell_of_plain(codec)
    store = open_store(settings)
    check(store.database)
    telemetry.watch(store.database)
    client = await connect(
        checkout_data_converter, codec, runtime=telemetry.runtime, plugins=telemetry.plugins
    )
    await require_namespace(client)
    if lacking := await missing_attributes(client):
        lacks = ", ".join(lacking)
        logger.warning("no search attribute %s: no checkout can start; run 'checkout setup'", lacks)
    sampler = Sampler(telemetry.meter, store.gauges, client) if telemetry.has_metrics else None
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.set_default_executor(ThreadPoolExecutor(settings.worker_threads, "store"))
    gateway = open_gateway(settings)
    relay = OutboxRelay(store.orders, LogOrderEvents())
    worker = build_worker(client, settings, store, gateway.gateway, relay)

    def is_ready() -> bool:
        return worker.is_running and not stop.is_set() and store.database.answers()

    with relay, health_endpoint(settings.health_host, settings.health_port, is_ready):
        async with worker, sampled(sampler):
            logger.info("worker %d polls task queue %s", os.getpid(), settings.task_queue)
            await stop.wait()
            logger.info("worker %d finishes what is under way", os.getpid())
    await gateway.aclose()
    store.database.close()


def main() -> int:
    """Run; 2 with one line on standard error when it cannot start."""
    try:
        settings = Settings()
        with open_telemetry(settings, "worker") as telemetry:
            asyncio.run(run(settings, telemetry))
    except ValidationError as error:
        return _complain(wrong_setting(error))
    except (
        TokenKeyError,
        SchemaError,
        SQLAlchemyError,
        TemporalUnreachableError,
        OSError,
        ValueError,
    ) as error:
        return _complain(str(error))
    return 0


def _complain(why: str) -> int:
    complain("worker", why)
    return 2


if __name__ == "__main__":
    sys.exit(main())
