"""The sweep: what terminated checkouts leave behind is cleared; a schedule starts it."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from commerce.contract import SWEEP_TYPE
    from commerce.domain.leftovers import Batch, FoundLeftovers, SweepReport, Swept
    from workflows.measures import count_swept
    from workflows.policies import (
        ANNOUNCE_LEFTOVER_ORDERS,
        EXPIRE_HOLDS,
        LOOK_FOR_LEFTOVERS,
        TELL_LEFTOVER_PAYMENTS,
        Step,
        StepError,
    )

BATCH = Batch(most=50)
MAX_BATCHES = 10
"""So many batches of payments at most are had settled by one sweep."""


@workflow.defn(name=SWEEP_TYPE)
class SweepWorkflow:
    """Safe beside checkouts and beside another sweep: each activity looks before it does."""

    def __init__(self) -> None:
        self._failed: list[str] = []

    @workflow.run
    async def run(self) -> SweepReport:
        """Look, and do what there is to do; what fails does not keep the rest from being done."""
        try:
            found = await LOOK_FOR_LEFTOVERS.run(BATCH, "Look for what was left behind")
        except StepError as error:
            raise ApplicationError("the store does not say what was left behind") from error
        report = await self._clear(found)
        self._tell(report)
        if report.failed:
            raise ApplicationError(f"failed: {', '.join(report.failed)}; the next sweep goes on")
        return report

    async def _clear(self, found: FoundLeftovers) -> SweepReport:
        holds = payments = orders = Swept()
        if found.holds:
            holds = await self._try(EXPIRE_HOLDS, "Give back the stock of holds past their time")
        if found.payments:
            payments = await self._tell_payments()
        if found.orders:
            summary = "Announce orders that were left behind"
            orders = await self._try(ANNOUNCE_LEFTOVER_ORDERS, summary)
        return SweepReport(
            holds_expired=holds.done,
            payments_told=payments.done,
            payments_unsettled=found.unsettled,
            orders_announced=orders.done,
            running=payments.running + orders.running,
            failed=tuple(self._failed),
        )

    async def _tell_payments(self) -> Swept:
        done = running = 0
        for n in range(1, MAX_BATCHES + 1):
            summary = f"Have payments settled that were left behind, batch {n}"
            swept = await self._try(TELL_LEFTOVER_PAYMENTS, summary)
            done, running = done + swept.done, running + swept.running
            if not swept.may_be_more:
                break
        return Swept(done=done, running=running)

    async def _try(self, step: Step[Batch, Swept], summary: str) -> Swept:
        try:
            return await step.run(BATCH, summary)
        except StepError:
            self._failed.append(step.name)
            return Swept()

    def _tell(self, report: SweepReport) -> None:
        """To operators: a table in the UI, a line in the log if there was anything, metrics."""
        numbers = report.model_dump(exclude={"failed"})
        rows = [f"| {name.replace('_', ' ')} | {number} |" for name, number in numbers.items()]
        failed = [f"\n**failed**: {', '.join(report.failed)}"] if report.failed else []
        table = ["| what | how many |", "|---|---|", *rows, *failed]
        workflow.set_current_details("\n".join(table))
        counted = {name: number for name, number in numbers.items() if number}
        for name, number in counted.items():
            count_swept(name, number)
        if counted or report.failed:
            line = ", ".join(f"{name}={number}" for name, number in counted.items())
            workflow.logger.info("swept: %s; failed: %s", line, ", ".join(report.failed) or "none")
