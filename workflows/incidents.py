"""Incidents: steps that must be done and cannot, until they can or an operator settles them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from commerce.contract import (
        INCIDENTS_QUERY,
        MARK_DONE_UPDATE,
        RETRY_UPDATE,
        SKIP_UPDATE,
        CheckoutStatus,
        DoneByHand,
        Incident,
        Incidents,
        StepAct,
    )
    from workflows.measures import count_incident
    from workflows.policies import (
        FIRST_RETRY,
        FIRST_REVIEW,
        LAST_RETRY,
        LAST_REVIEW,
        MARK_DONE,
        Step,
        StepError,
    )
    from workflows.shown import Shown

Arg = TypeVar("Arg")
Result = TypeVar("Result")


class _Way(StrEnum):
    RETRY = "tried again"
    SKIP = "skipped"
    MARK_DONE = "done by hand"


@dataclass
class Case:
    """One open incident, and what operators asked for.

    Attributes:
        if_skipped: What the run is in when its step is skipped; None is as before.
        ended: How it was settled; empty while it is open.
    """

    incident: Incident
    by_hand: DoneByHand
    status: CheckoutStatus
    pause: timedelta
    asked: list[tuple[_Way, StepAct]] = field(default_factory=list[tuple[_Way, StepAct]])
    taken: int = 0
    answered: int = 0
    if_skipped: CheckoutStatus | None = None
    ended: str = ""


class OpenIncidents:
    """The incidents of a run. Each is tried again now and then, later and later, by itself."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._cases: dict[str, Case] = {}

    @property
    def known(self) -> Incidents:
        """Those that are open, the newest last."""
        return Incidents(open=tuple(case.incident for case in self._cases.values()))

    async def run(
        self,
        step: Step[Arg, Result],
        arg: Arg,
        summary: str,
        by_hand: DoneByHand,
        only_retry: str = "",
    ) -> tuple[Result | None, bool]:
        """Run a step until it is done, or an operator has settled it otherwise.

        Args:
            by_hand: What the store is told when an operator has done it.
            only_retry: Why an operator may do nothing but try again; empty when they may.

        Returns:
            The result, and whether the step itself has given it.
        """
        case: Case | None = None
        while True:
            try:
                result = await step.run(arg, summary)
            except StepError as error:
                case = self.failed(case, error, by_hand, only_retry=only_retry)
            else:
                if case:
                    self.settled(case)
                return result, True
            if await self.is_settled_by_hand(case):
                return None, False

    def failed(
        self,
        case: Case | None,
        error: StepError,
        by_hand: DoneByHand,
        status: CheckoutStatus = CheckoutStatus.INCIDENT,
        only_retry: str = "",
    ) -> Case:
        """A step did not succeed, for the first time or again.

        Args:
            case: Its incident; None for the first time.
            error: How it failed.
            by_hand: What the store is told when an operator has done it.
            status: What is shown; a payment review stays one, whatever is said later.
            only_retry: As for ``run``.
        """
        if case is None:
            incident = Incident(
                step=error.step, since=workflow.now(), why=error.why, only_retry=only_retry
            )
            return self._opened(incident, error, by_hand, status)
        case.answered = case.taken
        tries = case.incident.tries + 1
        case.incident = case.incident.model_copy(update={"tries": tries, "why": error.why})
        if case.status is not status and status is CheckoutStatus.PAYMENT_REVIEW:
            case.status, case.pause = status, FIRST_REVIEW
            self._show()
        self._shown.advise(self.known.open)
        self._shown.tell(f"{case.incident.step} failed again{error.told}")
        return case

    def _opened(
        self, incident: Incident, error: StepError, by_hand: DoneByHand, status: CheckoutStatus
    ) -> Case:
        in_review = status is CheckoutStatus.PAYMENT_REVIEW
        case = Case(incident, by_hand, status, FIRST_REVIEW if in_review else FIRST_RETRY)
        self._cases[error.step] = case
        self._show()
        self._shown.tell(f"**incident**: {error.step} failed{error.told}")
        workflow.logger.warning("incident opened", extra={"step": error.step, "why": error.why})
        count_incident(error.step, "opened")
        return case

    async def is_settled_by_hand(
        self, case: Case, wakes: Callable[[], bool] = lambda: False
    ) -> bool:
        """Wait until it is time to try again; True when an operator has settled it meanwhile."""
        while True:
            try:
                await workflow.wait_condition(
                    lambda: len(case.asked) > case.taken or wakes(),
                    timeout=case.pause,
                    timeout_summary=f"Until {case.incident.step} is tried again",
                )
            except TimeoutError:
                in_review = case.status is CheckoutStatus.PAYMENT_REVIEW
                case.pause = min(case.pause * 2, LAST_REVIEW if in_review else LAST_RETRY)
                return False
            if len(case.asked) == case.taken:
                return False
            way, act = case.asked[case.taken]
            case.taken += 1
            self._tell(way, act)
            if way is _Way.RETRY:
                return False
            if way is _Way.SKIP or await self._noted(case):
                self.settled(case, way, case.if_skipped if way is _Way.SKIP else None)
                return True
            case.answered = case.taken

    async def _noted(self, case: Case) -> bool:
        """The store is told what an operator did by hand; False when it cannot be reached."""
        try:
            await MARK_DONE.run(case.by_hand, f"Note that {case.incident.step} was done by hand")
        except StepError:
            self._shown.tell("the store could not be told; the incident stays open")
            return False
        return True

    def settled(
        self, case: Case, way: _Way = _Way.RETRY, status: CheckoutStatus | None = None
    ) -> None:
        """The incident is over.

        Args:
            status: What the run is in from now on; as before if not given.
        """
        del self._cases[case.incident.step]
        by = case.asked[case.taken - 1][1].by if case.taken else ""
        case.ended = f"{way}{' by ' + by if by else ''}" if way is not _Way.RETRY else "it is done"
        if status:
            self._shown.becomes(status)
        self._show()
        if way is _Way.RETRY:
            self._shown.tell(f"**settled**: {case.incident.step} succeeded")
        event = "by_itself" if way is _Way.RETRY and not case.taken else way.replace(" ", "_")
        workflow.logger.info("incident settled", extra={"step": case.incident.step, "way": event})
        count_incident(case.incident.step, event)

    def _show(self) -> None:
        statuses = [case.status for case in self._cases.values()]
        worst = CheckoutStatus.INCIDENT if CheckoutStatus.INCIDENT in statuses else None
        self._shown.incidents(self.known.open, worst or next(iter(statuses), None))

    def _tell(self, way: _Way, act: StepAct) -> None:
        why = f": {act.reason}" if act.reason else ""
        self._shown.tell(f"{act.by or 'an operator'} says {act.step} is to be {way}{why}")

    def check(self, act: StepAct, *, wants_reason: bool) -> None:
        """Turn an act away before it is written.

        Raises:
            ApplicationError: There is no such incident, or no reason.
        """
        if act.step not in self._cases:
            known = ", ".join(self._cases) or "none"
            raise ApplicationError(f"no open incident of {act.step!r}; open are: {known}")
        only_retry = self._cases[act.step].incident.only_retry
        if wants_reason and only_retry:
            raise ApplicationError(f"{only_retry}: only another try settles it")
        if wants_reason and not act.reason.strip():
            raise ApplicationError("say why: a reason is wanted")

    async def act(self, way: _Way, act: StepAct) -> Incidents:
        """Have an act carried out; what is open when that is done.

        Raises:
            ApplicationError: It was settled in another way before its turn came.
        """
        case = self._cases.get(act.step)
        if case is None:
            raise ApplicationError("settled already")
        case.asked.append((way, act))
        number = len(case.asked)
        await workflow.wait_condition(lambda: bool(case.ended) or case.answered >= number)
        if way is not _Way.RETRY and case.taken < number:
            raise ApplicationError(f"not {way}: settled already, {case.ended}")
        return self.known


class SettlesIncidents:
    """What operators can do about the incidents of a run."""

    _incidents: OpenIncidents

    @workflow.update(name=RETRY_UPDATE, description="Try the step of an incident again, now.")
    async def retry(self, act: StepAct) -> Incidents:
        """Try again; the incidents that are open after that."""
        return await self._incidents.act(_Way.RETRY, act)

    @retry.validator
    def _may_retry(self, act: StepAct) -> None:
        self._incidents.check(act, wants_reason=False)

    @workflow.update(
        name=SKIP_UPDATE, description="Go on without the step of an incident; say why."
    )
    async def skip(self, act: StepAct) -> Incidents:
        """Go on without it; the incidents that are open after that."""
        return await self._incidents.act(_Way.SKIP, act)

    @skip.validator
    def _may_skip(self, act: StepAct) -> None:
        self._incidents.check(act, wants_reason=True)

    @workflow.update(
        name=MARK_DONE_UPDATE, description="The step of an incident was done by hand; say how."
    )
    async def mark_done(self, act: StepAct) -> Incidents:
        """Note in the store that it was done; the incidents that are open after that."""
        return await self._incidents.act(_Way.MARK_DONE, act)

    @mark_done.validator
    def _may_mark_done(self, act: StepAct) -> None:
        self._incidents.check(act, wants_reason=True)

    @workflow.query(name=INCIDENTS_QUERY, description="The incidents that are open.")
    def incidents(self) -> Incidents:
        """The incidents that are open."""
        return self._incidents.known
