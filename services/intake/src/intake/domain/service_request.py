"""A service request from its registration to the survey, and again when the defect comes back (D1-07, D1-10, D1-14, D1-19)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from common.kernel import process
from common.kernel.clocks import traits_of
from common.kernel.errors import Refused, TooEarly
from common.kernel.observations import Observation
from common.kernel.process import Case, Process
from common.kernel.works import WorkStep, last_before, with_step


class Status(StrEnum):
    """How a service request stands."""

    __hash__ = str.__hash__  # an enumeration's own is a function in Python, and the table below is asked for every step

    REGISTERED = "registered"
    ANSWERED = "answered"
    CLOSED = "closed"
    SURVEYED = "surveyed"
    REOPENED = "reopened"
    """After its survey, or before any end."""
    REOPENED_UNSURVEYED = "reopened_unsurveyed"
    """After an end that the customer was not asked about yet."""


class Step(StrEnum):
    """What can happen to a request."""

    __hash__ = str.__hash__  # as above

    ANSWERED = "answered"
    CLOSED = "closed"
    SURVEYED = "surveyed"
    REOPENED = "reopened"


_ANSWERED_ONCE = Refused("answered_once")
# Whoever ended the service has spoken to the customer (D11-04), so an answer exists and is on its way: to take the end
# for it would stop the clock of the first response at a guess (D1-07). The end waits for the answer.
_NOT_YET_ANSWERED = TooEarly(Step.ANSWERED)
_NOT_YET_CLOSED = TooEarly(Step.CLOSED)  # a survey counts for the day on which its case closed (decision 26)
# A work order that is open again says so on another topic: what would be a second end, or a second survey of one end, may be
# the first one after that, and waits for it.
_NOT_YET_REOPENED = TooEarly(Step.REOPENED)

TABLE: Mapping[Status, Mapping[str, Status | Refused | TooEarly]] = {
    Status.REGISTERED: {
        Step.ANSWERED: Status.ANSWERED,
        Step.CLOSED: _NOT_YET_ANSWERED,
        Step.SURVEYED: _NOT_YET_CLOSED,
        Step.REOPENED: Status.REGISTERED,  # the work goes on; the request has not ended
    },
    Status.ANSWERED: {
        Step.ANSWERED: _ANSWERED_ONCE,
        Step.CLOSED: Status.CLOSED,
        Step.SURVEYED: _NOT_YET_CLOSED,
        Step.REOPENED: Status.ANSWERED,
    },
    Status.CLOSED: {
        Step.ANSWERED: _ANSWERED_ONCE,
        Step.CLOSED: _NOT_YET_REOPENED,
        Step.SURVEYED: Status.SURVEYED,
        Step.REOPENED: Status.REOPENED_UNSURVEYED,
    },
    Status.SURVEYED: {
        Step.ANSWERED: _ANSWERED_ONCE,
        Step.CLOSED: _NOT_YET_REOPENED,
        Step.SURVEYED: _NOT_YET_REOPENED,
        Step.REOPENED: Status.REOPENED,
    },
    Status.REOPENED: {
        Step.ANSWERED: _ANSWERED_ONCE,
        Step.CLOSED: Status.CLOSED,
        Step.SURVEYED: _NOT_YET_CLOSED,
        Step.REOPENED: Status.REOPENED,
    },
    Status.REOPENED_UNSURVEYED: {
        Step.ANSWERED: _ANSWERED_ONCE,
        Step.CLOSED: Status.CLOSED,
        Step.SURVEYED: Status.REOPENED,  # it is about the end before
        Step.REOPENED: Status.REOPENED_UNSURVEYED,
    },
}
"""What each step leads to in each status: the next status, a refusal, or the step that must be known before."""

PROCESS = Process(Status.REGISTERED, TABLE, not_before="not_before_receipt", was_by_now=True)

STOPS: Mapping[Step, str] = {Step.ANSWERED: "first_response", Step.CLOSED: "closure"}
"""Which clock a step stops."""

TRAITS = ("priority", "region", "channel", "customer_class", "outlet", "nature", "severity", "product", "category")
"""What SLA policies may promise by."""

NOBODY_YET = "department:intake"
"""Whose the time is until a person has the request."""

BEST = 5
"""The most satisfied answer; the least is 1."""


INDICATOR = "customer_satisfaction"
_KNOWN = 256
"""A fact's revision has room for one completion or reopening of work less than that; each end and survey is worth as many."""


@dataclass(frozen=True, slots=True)
class Taken(process.Taken):
    """One step that was taken; what the customer answered to the survey, from 1 to 5, or the work order that is open again."""

    step: Step
    satisfaction: int | None = None
    work_order: str = ""
    event_id: str = ""
    """The event that said so, for a step that a fact rests on."""


@dataclass(frozen=True, slots=True)
class Closing:
    """One end of the service, with what the customer said of it, and what opened the request again."""

    closed: Taken
    survey: Taken | None = None
    reopened: Taken | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest(Case[Status, Taken]):
    """One service request; `remarks` are the hotline's free text and leave by no other way."""

    PROCESS = PROCESS

    customer_id: str
    channel: str
    nature: str
    severity: str
    priority: str
    region: str
    product: str
    handled_by: str | None
    asset_id: str | None
    remarks: str
    category: str | None = None
    customer_class: str | None = None
    outlet: str | None = None
    steps: tuple[Taken, ...] = ()
    work: tuple[WorkStep, ...] = ()
    """What dispatch has decided about the work orders of the request, or complaints about the complaint that it is."""

    def registered(self) -> "ServiceRequest":
        """The request with its clocks running from its receipt."""
        clocks, traits = self.clocks, self.traits
        for stage in STOPS.values():
            clocks = clocks.started(stage, self.opened_at, self.owner, **traits)
        return replace(self, clocks=clocks)

    def answer(self, at: datetime, by: str) -> "ServiceRequest | Refused | TooEarly":
        """The customer got a first answer (D1-07); the response is credited to whoever gave it."""
        return self._stopping(Taken(Step.ANSWERED, at, by))

    def close(self, at: datetime, by: str, event_id: str = "") -> "ServiceRequest | Refused | TooEarly":
        """The service has ended and the request is in the archive (D1-14); `by` gave the service."""
        return self._stopping(Taken(Step.CLOSED, at, by, event_id=event_id))

    def survey(self, at: datetime, satisfaction: int, event_id: str = "") -> "ServiceRequest | Refused | TooEarly":
        """The customer said how satisfied he was, from 1 to 5 (D1-19)."""
        return self.take(Taken(Step.SURVEYED, at, satisfaction=satisfaction, event_id=event_id), self.clocks)

    def reopen(self, at: datetime, step: WorkStep) -> "ServiceRequest | Refused | TooEarly":
        """A work order is open again: where the service had ended, it has not (P12), and its clock goes on where it stood."""
        return self.done(step).take(Taken(Step.REOPENED, at, work_order=step.work), self.clocks.reopened(STOPS[Step.CLOSED], at))

    def done(self, step: WorkStep) -> "ServiceRequest":
        """The request, which knows of one more decision about the work for it."""
        return replace(self, work=with_step(self.work, step))

    def _stopping(self, taken: Taken) -> "ServiceRequest | Refused | TooEarly":
        stage, owner = STOPS[taken.step], f"employee:{taken.by}"
        clocks = self.clocks if owner == self.owner else self.clocks.owned(stage, taken.at, owner)
        return self.take(taken, clocks.stopped(stage, taken.at))

    @property
    def owner(self) -> str:
        """Whose the time is until somebody else does what was promised."""
        return f"employee:{self.handled_by}" if self.handled_by else NOBODY_YET

    @property
    def traits(self) -> dict[str, str]:
        """What its promises may depend on and its facts can be asked by."""
        return traits_of(self, TRAITS)

    @property
    def closings(self) -> tuple[Closing, ...]:
        """Each end of the service that counts, in the order of event time."""
        found: list[Closing] = []
        for taken in self.standing().steps:
            if taken.step is Step.CLOSED:
                found.append(Closing(taken))
            elif taken.step is Step.SURVEYED:
                found[-1] = replace(found[-1], survey=taken)
            elif taken.step is Step.REOPENED and found and found[-1].reopened is None:
                found[-1] = replace(found[-1], reopened=taken)
        return tuple(found)

    @property
    def observations(self) -> tuple[Observation, ...]:
        """What the surveys say of whoever did the work that ended last before the closing, for the instant of the closing (decision 26).

        Where no work is known, they are about whoever ended the service. 5 is 4 of 4 points, 1 is 0 of 4.
        """
        return tuple(
            self._observed(number, closing.closed, closing.survey, closing.survey.satisfaction)
            for number, closing in enumerate(self.closings)
            if closing.survey is not None and closing.survey.satisfaction is not None
        )

    def _observed(self, number: int, closed: Taken, survey: Taken, satisfaction: int) -> Observation:
        done = last_before(self.work, closed.at)
        known = sum(taken.step in (Step.CLOSED, Step.SURVEYED) for taken in self.steps)
        return Observation(
            indicator=INDICATOR,
            subject=f"employee:{done.done_by if done is not None else closed.by}",
            at=closed.at,
            numerator=satisfaction - 1,
            denominator=BEST - 1,
            revision=_KNOWN * known + min(sum(step.at <= closed.at for step in self.work), _KNOWN - 1),
            occurrence=number,
            traits=self.traits,
            team=done.team if done is not None else "",
            source_event_ids=tuple(step.event_id for step in (done, closed, survey) if step is not None and step.event_id),
        )
