"""How a cart's checkout is started, and with whom it takes turns when many wait."""

from datetime import timedelta
from typing import Any

from temporalio.client import WithStartWorkflowOperation
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from commerce.contract import WORKFLOW_TYPE, CheckoutRequest, CheckoutStatus, workflow_id

TASK_TIMEOUT = timedelta(seconds=5)
"""After a worker dies, its checkouts go on elsewhere this much later."""


def starting(request: CheckoutRequest, task_queue: str) -> WithStartWorkflowOperation[Any, Any]:
    """Start the cart's checkout, or join the one that runs.

    Stores take turns for the workers (docs/adr/0017): the key is the store that the caller named,
    in plain text, as its search attribute is. Those who named none share one turn.
    """
    return WithStartWorkflowOperation(
        WORKFLOW_TYPE,
        request,
        id=workflow_id(request.cart_id),
        task_queue=task_queue,
        task_timeout=TASK_TIMEOUT,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        static_summary=str(request.operation),
        priority=Priority(fairness_key=request.store_code or None),
        search_attributes=_shown(request),
    )


def _shown(request: CheckoutRequest) -> TypedSearchAttributes:
    """What operators see of a run from its start; set later they would be another event of it."""
    shown = {
        "CheckoutStatus": CheckoutStatus.RUNNING,
        "CheckoutOperation": request.operation,
        "CheckoutStore": request.store_code,
    }
    return TypedSearchAttributes(
        [
            SearchAttributePair(SearchAttributeKey.for_keyword(name), str(value))
            for name, value in shown.items()
            if value
        ]
    )
