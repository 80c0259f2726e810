"""The client: one update-with-start per call, repeated under one key until it is answered."""

import asyncio
import atexit
import logging
import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Self, cast

from pydantic import ValidationError
from temporalio.client import (
    Client,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import QueryRejectCondition
from temporalio.converter import PayloadCodec
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from client import rpc
from client.answers import Answered, Pending, Refused
from client.errors import CheckoutUnavailableError, InvalidRequestError
from client.ids import may_be_cart_id, refused_here, update_id
from client.payloads import made_with, reading
from client.starting import TASK_TIMEOUT, starting
from commerce.contract import (
    ANOTHER_REQUEST,
    ANSWER_UPDATE,
    DEFAULT_TASK_QUEUE,
    LATE_PAYMENT_TYPE,
    OUTCOME_QUERY,
    PAYMENT_CHANGED_SIGNAL,
    Answer,
    CheckoutRequest,
    KnownOutcome,
    OrderPlaced,
    PaymentNotice,
    UnreadablePayloadError,
    workflow_id,
)
from commerce.domain.carts import Shopper
from commerce.domain.errors import Operation, RefusalReason, refuse
from commerce.domain.model import first_problem
from commerce.domain.money import Money
from commerce.domain.payments import PaymentPending, WaitsFor

DEFAULT_DEADLINE = timedelta(seconds=30)
EXIT_PAUSE_S = 0.05
"""Before the interpreter ends: the SDK's own threads may still be handing something over, and end
it with a fatal error then (temporalio/sdk-python#300; seen in up to 15 of 40 short scripts)."""

HEALTH_TIMEOUT = timedelta(seconds=2)
PENDING_WAIT_S = 1.0
OUTCOME_TIMEOUT = timedelta(seconds=10)
atexit.register(time.sleep, EXIT_PAUSE_S)
logger = logging.getLogger("checkout.client")
_RUN_ENDED = "AcceptedUpdateCompletedWorkflow"
"""The server's word for a run that ended, by an operator's terminate, before it answered."""


class CheckoutClient:
    """Checks carts out. One per process is enough; it is safe to share between tasks."""

    def __init__(self, temporal: Client, task_queue: str = DEFAULT_TASK_QUEUE) -> None:
        """Use a connection that exists.

        Args:
            temporal: Its payload converter is replaced by Temporal's pydantic one; codec and
                interceptors stay.
            task_queue: The task queue of the checkout workers.
        """
        config = temporal.config()
        config["data_converter"] = reading(config["data_converter"])
        self._temporal = Client(**config)
        self._task_queue = task_queue

    @classmethod
    async def connect(
        cls, task_queue: str = DEFAULT_TASK_QUEUE, *, codec: PayloadCodec | None
    ) -> Self:
        """Connect as Temporal's environment configuration says (``TEMPORAL_ADDRESS`` and so on).

        Args:
            task_queue: The task queue of the checkout workers.
            codec: What the workers encrypt with; ``commerce.adapters.codec.PayloadEncryption``.
                None sends plain text, which workers refuse unless their keys say ``plain``.

        Raises:
            CheckoutUnavailableError: The server cannot be reached.
        """
        address = "localhost:7233"
        try:
            config = ClientConfig.load_client_connect_config()
            address = config.setdefault("target_host", address)
            client = await Client.connect(**config, data_converter=made_with(codec))
        except (RuntimeError, ValueError) as error:
            raise CheckoutUnavailableError(
                f"cannot reach Temporal at {address}: {error}"
            ) from error
        return cls(client, task_queue)

    async def is_available(self) -> bool:
        """Whether Temporal answers."""
        try:
            return await self._temporal.service_client.check_health(timeout=HEALTH_TIMEOUT)
        except RPCError:
            return False

    async def place_order(
        self,
        cart_id: str,
        *,
        shopper: Shopper | None = None,
        store: str = "",
        idempotency_key: str | None = None,
        expected_total: Money | None = None,
        deadline: timedelta = DEFAULT_DEADLINE,
    ) -> Answered:
        """Turn a cart into its order, paid by the method that was set on it.

        Args:
            cart_id: The cart.
            shopper: Who asks; a guest if not given.
            store: Code of the store the shopper is in, to be checked against the cart's.
            idempotency_key: Give one to be able to repeat the call after a restart: the same key
                always gets the same outcome. 1 to 255 printable ASCII characters.
            expected_total: What the shopper was shown; any other total is refused.
            deadline: When to stop waiting; the answer is then ``Pending``. It is at once while a
                payment is pending at the gateway.

        Raises:
            InvalidRequestError: An argument is malformed; nothing was sent.
            CheckoutUnavailableError: Temporal refuses this caller, or the workers cannot read
                what it sends.
        """
        return await self._call(
            Operation.PLACE_ORDER,
            cart_id,
            "",
            shopper,
            store,
            idempotency_key,
            expected_total,
            deadline,
        )

    async def complete_order(
        self,
        cart_id: str,
        payment_id: str,
        *,
        shopper: Shopper | None = None,
        store: str = "",
        idempotency_key: str | None = None,
        expected_total: Money | None = None,
        deadline: timedelta = DEFAULT_DEADLINE,
    ) -> Answered:
        """Turn a cart into its order, paid by a payment that exists at the gateway.

        Args:
            payment_id: The payment that the shopper approved, for this cart and its exact total.

        The other arguments and the errors are those of ``place_order``.
        """
        return await self._call(
            Operation.COMPLETE_ORDER,
            cart_id,
            payment_id,
            shopper,
            store,
            idempotency_key,
            expected_total,
            deadline,
        )

    async def outcome(self, cart_id: str) -> OrderPlaced | Refused | None:
        """The outcome of the cart's latest checkout, without starting one.

        After an order, a call under another key makes the latest outcome "not active".

        Returns:
            None while it is not known, and when Temporal keeps no checkout of this cart (any
            more); a repeat with the same idempotency key gets the order even then.

        Raises:
            CheckoutUnavailableError: Temporal cannot be reached, no worker answers in time, or
                the answer cannot be read with this client's codec.
        """
        if not isinstance(cart_id, str) or not may_be_cart_id(cart_id):  # pyright: ignore[reportUnnecessaryIsInstance]
            return None
        try:
            known = await self._known(cart_id)
        except WorkflowQueryFailedError:
            return None  # what ran last was no checkout, but a late payment
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND and not rpc.is_hopeless(error):
                return None
            raise CheckoutUnavailableError(error.message) from error
        except UnreadablePayloadError as error:
            raise CheckoutUnavailableError(f"the outcome: {error}") from error
        if known.outcome is None or isinstance(known.outcome, OrderPlaced):
            return known.outcome
        return Refused.of(known.outcome, known.operation, cart_id)

    async def payment_changed(self, cart_id: str, payment_id: str) -> None:
        """Tell that a payment of this cart has changed at the gateway, or may have.

        The checkout that waits for it asks the gateway at once. If none runs, a ``late_payment``
        is started that makes money and orders agree.

        Raises:
            InvalidRequestError: No cart or payment can have such an id.
            CheckoutUnavailableError: Temporal cannot be reached.
        """
        try:
            notice = PaymentNotice(cart_id=cart_id, payment_id=payment_id)
        except ValidationError as error:
            raise InvalidRequestError(first_problem(error)) from None
        try:
            await self._temporal.start_workflow(
                LATE_PAYMENT_TYPE,
                notice,
                id=workflow_id(cart_id),
                task_queue=self._task_queue,
                task_timeout=TASK_TIMEOUT,
                start_signal=PAYMENT_CHANGED_SIGNAL,
                start_signal_args=[payment_id],
                static_summary="payment changed",
            )
        except RPCError as error:
            raise CheckoutUnavailableError(error.message) from error
        except UnreadablePayloadError as error:
            raise CheckoutUnavailableError(f"the notice: {error}") from error

    async def _call(
        self,
        operation: Operation,
        cart_id: str,
        payment_id: str,
        shopper: Shopper | None,
        store: str,
        idempotency_key: str | None,
        expected_total: Money | None,
        deadline: timedelta,
    ) -> Answered:
        """Check what can be checked here, then ask."""
        _check_deadline(deadline)
        reason = refused_here(cart_id, payment_id)
        if reason:
            return Refused.of(refuse(reason), operation, cart_id or "")
        try:
            request = CheckoutRequest(
                operation=operation,
                cart_id=cart_id,
                shopper=Shopper.guest() if shopper is None else shopper,
                store_code=store,
                payment_id=payment_id,
                expected_total=expected_total,
                asked_at=datetime.now(UTC),
                idempotency_key=uuid.uuid4().hex if idempotency_key is None else idempotency_key,
            )
        except ValidationError as error:
            raise InvalidRequestError(first_problem(error)) from None
        return await self._ask(request, deadline)

    async def _ask(
        self, request: CheckoutRequest, deadline: timedelta, patient: bool = False
    ) -> Answered:
        """Ask until the deadline; ``patient`` goes on when it hears that the payment is pending."""
        _check_deadline(deadline)
        waits_for: WaitsFor | None = None
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                answer = await self._until_answered(request, request.idempotency_key)
                while (
                    isinstance(answer.outcome, PaymentPending)
                    and answer.fingerprint == request.fingerprint
                ):
                    waits_for = await self._waits_for(request.cart_id)
                    if waits_for is None:  # the server has kept what is the answer no more
                        again = f"{request.idempotency_key}/{uuid.uuid4().hex}"
                        answer = await self._until_answered(request, again)
                    elif patient:
                        await asyncio.sleep(PENDING_WAIT_S)
                    else:
                        return self._pending(request, waits_for)
        except TimeoutError:
            return self._pending(request, waits_for)
        outcome = answer.outcome
        if answer.fingerprint != request.fingerprint or isinstance(outcome, PaymentPending):
            outcome = refuse(RefusalReason.IDEMPOTENCY_KEY_REUSED)
        if isinstance(outcome, OrderPlaced):
            return outcome
        return Refused.of(outcome, request.operation, request.cart_id)

    def _pending(self, request: CheckoutRequest, waits_for: WaitsFor | None) -> Pending:
        return Pending(
            operation=request.operation,
            cart_id=request.cart_id,
            idempotency_key=request.idempotency_key,
            waits_for=waits_for,
            _request=request,
            _ask=partial(self._ask, patient=True),
        )

    async def _waits_for(self, cart_id: str) -> WaitsFor | None:
        """What the cart's checkout waits for; None when that is not known, or nothing any more."""
        try:
            known = await self._known(cart_id, QueryRejectCondition.NOT_OPEN)
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
            rpc.raise_if_cancelled()
            return None
        except UnreadablePayloadError:
            await asyncio.sleep(PENDING_WAIT_S)
            return None
        return known.waits_for

    async def _known(
        self, cart_id: str, unless: QueryRejectCondition = QueryRejectCondition.NONE
    ) -> KnownOutcome:
        handle = self._temporal.get_workflow_handle(workflow_id(cart_id))
        return await handle.query(
            OUTCOME_QUERY,
            result_type=KnownOutcome,
            reject_condition=unless,
            rpc_timeout=OUTCOME_TIMEOUT,
        )

    async def _until_answered(self, request: CheckoutRequest, key: str) -> Answer:
        """Repeat under the same key, whatever gets lost on the way."""
        run = self._temporal.get_workflow_handle(workflow_id(request.cart_id))
        attempt, unread, told = 0, 0, False
        while unread < 2:  # one may be another caller's run
            try:
                return await self._update_with_start(request, key)
            except WorkflowUpdateFailedError as error:
                if rpc.is_unread(error.cause):
                    raise CheckoutUnavailableError(rpc.UNREAD) from error
                if not isinstance(error.cause, ApplicationError):
                    raise CheckoutUnavailableError(f"the checkout broke: {error}") from error
                if error.cause.type not in (ANOTHER_REQUEST, _RUN_ENDED):
                    raise CheckoutUnavailableError(f"the checkout broke: {error.cause}") from error
                waits_for = await self._waits_for(request.cart_id)
                if waits_for is not None:  # for longer than a caller waits
                    pending = PaymentPending(waits_for=waits_for)
                    return Answer(fingerprint=request.fingerprint, outcome=pending)
                unread += await rpc.ended_unread(run)
            except rpc.LOST as error:
                rpc.raise_if_cancelled()
                if isinstance(error, RPCError) and rpc.is_hopeless(error):
                    raise CheckoutUnavailableError(error.message) from error
                if isinstance(error, UnreadablePayloadError) and not told:
                    told = True
                    logger.error("an answer is asked for until the deadline: %s", error)
                if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
                    unread += await rpc.ended_unread(run)  # before it took the update in
                await rpc.pause(attempt)
                attempt += 1
        raise CheckoutUnavailableError(rpc.UNREAD)

    async def _update_with_start(self, request: CheckoutRequest, key: str) -> Answer:
        start = starting(request, self._task_queue)
        started = asyncio.ensure_future(start.workflow_handle())
        started.add_done_callback(rpc.look_at)  # or asyncio complains when the call fails
        temporal = cast(Any, self._temporal)  # its overloads are only partly typed
        answer: Answer = await temporal.execute_update_with_start_workflow(
            ANSWER_UPDATE,
            request,
            id=update_id(key),
            result_type=Answer,
            start_workflow_operation=start,
        )
        return answer


def _check_deadline(deadline: timedelta) -> None:
    if not isinstance(deadline, timedelta) or deadline <= timedelta():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRequestError("deadline: a datetime.timedelta above zero is wanted")
