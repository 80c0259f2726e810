"""Webhooks of payment providers: a payment has changed, so whoever waits for it is to ask.

A webhook is proved by its signature alone. It is answered with 200 once it is dealt with; with
anything else, the provider sends it again.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.limits import Limits, body_within
from commerce.domain.payments import ClaimStatus, PaymentClaim, PaymentEvent
from commerce.ports import PaymentClaims, SeenEvents, WebhookError, Webhooks

URL = "/webhooks"
DEADLINE_S = 10
"""Providers wait 10 seconds or more for an answer, and then send the webhook again."""

logger = logging.getLogger("checkout.webhooks")

PaymentChanged = Callable[[str, str], Awaitable[None]]
"""Tells the checkout of a cart, by its id, that a payment has changed."""


@dataclass(frozen=True)
class Receiver:
    """What webhooks are dealt with by.

    Attributes:
        webhooks: By the gateway's name in the address.
    """

    webhooks: Mapping[str, Webhooks]
    claims: PaymentClaims
    seen_events: SeenEvents
    payment_changed: PaymentChanged

    async def deal_with(self, gateway: str, event: PaymentEvent) -> None:
        """Pass an event on, unless nobody waits for it or it was passed on before.

        What the provider tells of the checkout's own calls, while it makes them, is not: it would
        be a signal and a task more for each of them, and say nothing new.

        It is noted afterwards: two that come at once are both passed on, which does no harm.
        """
        if not await asyncio.to_thread(self.seen_events.is_new, gateway, event.id):
            return
        claim = await asyncio.to_thread(self.claims.find, event.payment_id)
        if claim is not None and _is_open(claim):
            await self.payment_changed(claim.cart_id, event.payment_id)
        await asyncio.to_thread(self.seen_events.note, gateway, event.id)


def _is_open(claim: PaymentClaim) -> bool:
    """Whether a change of the payment matters to somebody who does not ask by himself."""
    paid = claim.order_number is not None and claim.captured
    return claim.status is not ClaimStatus.LET_GO and not paid and not claim.in_hand


def webhook_routes(receiver: Receiver, limits: Limits) -> list[Route]:
    """The route that providers call."""

    async def receive(request: Request) -> Response:
        gateway = request.path_params["gateway"]
        webhooks = receiver.webhooks.get(gateway)
        if webhooks is None:
            raise HTTPException(404)
        body = await body_within(limits, request)
        try:
            event = webhooks.read(body, dict(request.headers))
        except WebhookError as error:
            logger.warning("a webhook of %s is refused: %s", gateway, error)
            return _answer(400, str(error))
        try:
            async with asyncio.timeout(DEADLINE_S):
                await receiver.deal_with(gateway, event)
        except Exception:
            logger.exception("event %s of %s is not dealt with", event.id, gateway)
            return _answer(503, "Please send it again later.")
        return Response()

    return [Route(f"{URL}/{{gateway}}", receive, methods=["POST"])]


def _answer(status: int, why: str) -> Response:
    return Response(json.dumps({"error": why}), status, media_type="application/json")
