"""What a Temporal namespace needs before the first checkout: search attributes, the schedule."""

from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from commerce.adapters.temporal import RPC_TIMEOUT
from commerce.contract import SEARCH_ATTRIBUTES, SWEEP_SCHEDULE_ID, SWEEP_TYPE
from commerce.settings import Settings

NOTE = "Clears what terminated checkouts leave behind: holds, authorizations, events"
CATCHUP_WINDOW = timedelta(seconds=10)
"""The least that the server takes: a sweep that was missed is made good by the next."""

TASK_TIMEOUT = timedelta(seconds=10)
_NO_OPERATOR_SERVICE = {
    RPCStatusCode.UNIMPLEMENTED,
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.UNAUTHENTICATED,
}


class SetupError(Exception):
    """The namespace cannot be set up; the message says what to do."""


async def setup(client: Client, settings: Settings, *, attributes: bool = True) -> tuple[str, ...]:
    """Register what is missing; may be repeated, and run by several at once.

    Args:
        client: Connected to the namespace.
        settings: Name the task queue and the interval of the sweep.
        attributes: Search attributes, too; they may have been registered by other means.

    Returns:
        The search attributes that were missing.

    Raises:
        SetupError: A search attribute cannot be registered, or has another type. The schedule is
            there even then.
    """
    try:
        await _schedule(client, settings)
        return await _search_attributes(client) if attributes else ()
    except RPCError as error:
        raise SetupError(f"Temporal refuses: {error.message}") from error


async def missing_attributes(client: Client) -> tuple[str, ...]:
    """The search attributes that are not registered; none where Temporal does not tell."""
    asked = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        found = await client.operator_service.list_search_attributes(asked, timeout=RPC_TIMEOUT)
    except RPCError:
        return ()
    return tuple(name for name in SEARCH_ATTRIBUTES if name not in found.custom_attributes)


async def _search_attributes(client: Client) -> tuple[str, ...]:
    wanted = {
        name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind.upper()}")
        for name, kind in SEARCH_ATTRIBUTES.items()
    }
    try:
        known = await _known(client, wanted)
        missing = {name: kind for name, kind in wanted.items() if name not in known}
        if missing:
            add = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
            await client.operator_service.add_search_attributes(add)
    except RPCError as error:
        if error.status in _NO_OPERATOR_SERVICE:
            raise SetupError(_by_hand()) from error
        if error.status is not RPCStatusCode.ALREADY_EXISTS:  # another was faster
            raise
        await _known(client, wanted)
        return ()
    return tuple(missing)


async def _known(client: Client, wanted: dict[str, IndexedValueType.ValueType]) -> set[str]:
    """The search attributes that are registered.

    Raises:
        SetupError: One has another type than the one wanted.
    """
    found = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    for name, kind in wanted.items():
        other = found.custom_attributes.get(name, kind)
        if other != kind:
            has, needs = (IndexedValueType.Name(each).rpartition("_")[2] for each in (other, kind))
            raise SetupError(
                f"the search attribute {name} has the type {has.title()}, not {needs.title()}:"
                f" remove it (temporal operator search-attribute remove --name {name})"
                " or use another namespace"
            )
    return set(found.custom_attributes)


def _by_hand() -> str:
    """What to do where namespaces are not set up through Temporal's own API."""
    named = " ".join(f'--sa "{name}={kind}"' for name, kind in SEARCH_ATTRIBUTES.items())
    return (
        "search attributes cannot be registered here. On Temporal Cloud do it with"
        f" tcld namespace search-attributes add --namespace NAMESPACE {named}"
        " and run 'checkout setup --no-search-attributes'; the sweep's schedule is there already"
    )


async def _schedule(client: Client, settings: Settings) -> None:
    """Create the sweep's schedule, or make it what the settings say; a paused one stays paused."""
    try:
        await client.create_schedule(SWEEP_SCHEDULE_ID, _wanted(settings, ScheduleState(note=NOTE)))
    except ScheduleAlreadyRunningError:

        def update(found: ScheduleUpdateInput) -> ScheduleUpdate:
            return ScheduleUpdate(_wanted(settings, found.description.schedule.state))

        await client.get_schedule_handle(SWEEP_SCHEDULE_ID).update(update)


def _wanted(settings: Settings, state: ScheduleState) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            SWEEP_TYPE,
            id=SWEEP_SCHEDULE_ID,
            task_queue=settings.task_queue,
            task_timeout=TASK_TIMEOUT,  # and nothing that is encrypted: no keys are needed here
        ),
        spec=ScheduleSpec(
            intervals=[ScheduleIntervalSpec(every=timedelta(seconds=settings.sweep_interval_s))]
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCHUP_WINDOW),
        state=state,
    )
