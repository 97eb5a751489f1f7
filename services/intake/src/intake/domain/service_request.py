"""A service request from its registration to the customer's answer to the survey (D1-07, D1-10, D1-14, D1-19)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from common.kernel.clocks import Clocks
from common.kernel.errors import Refused, TooEarly


class Step(StrEnum):
    """What can happen to a request, each once."""

    ANSWERED = "answered"
    CLOSED = "closed"
    SURVEYED = "surveyed"


BEFORE: Mapping[Step, Step | None] = {
    Step.ANSWERED: None,
    # Whoever ended the service has spoken to the customer (D11-04), so an answer exists and is on its way: to take the end
    # for it would stop the clock of the first response at a guess (D1-07). The end waits for the answer.
    Step.CLOSED: Step.ANSWERED,
    Step.SURVEYED: Step.CLOSED,  # a survey counts for the day on which its case closed (decision 26)
}
"""Which step must have been taken before."""

STOPS: Mapping[Step, str] = {Step.ANSWERED: "first_response", Step.CLOSED: "closure"}
"""Which clock a step stops."""

TRAITS = ("priority", "region", "channel", "customer_class", "outlet", "nature", "severity", "product")
"""What SLA policies may promise by."""

NOBODY_YET = "department:intake"
"""Whose the time is until a person has the request."""

BEST = 5
"""The most satisfied answer; the least is 1."""


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """One service request; `taken` are the steps that were taken, with when, `closed_by` is who gave the service."""

    id: str
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
    received_at: datetime
    closed_by: str | None = None
    satisfaction: int | None = None
    taken: Mapping[Step, datetime] = field(default_factory=dict)
    clocks: Clocks = field(default_factory=Clocks)

    def registered(self, traits: Mapping[str, str]) -> "ServiceRequest":
        """The request with its clocks running from its receipt."""
        clocks = self.clocks
        for stage in STOPS.values():
            clocks = clocks.started(stage, self.received_at, self.owner, **traits)
        return replace(self, clocks=clocks)

    def answer(self, at: datetime, by: str) -> "ServiceRequest | Refused | TooEarly":
        """The customer got a first answer (D1-07); the response is credited to whoever gave it."""
        return self._take(Step.ANSWERED, at, by)

    def close(self, at: datetime, by: str) -> "ServiceRequest | Refused | TooEarly":
        """The service has ended and the request is in the archive (D1-14); `by` gave the service."""
        match self._take(Step.CLOSED, at, by):
            case ServiceRequest() as closed:
                return replace(closed, closed_by=by)
            case no:
                return no

    def survey(self, at: datetime, satisfaction: int) -> "ServiceRequest | Refused | TooEarly":
        """The customer said how satisfied he was, from 1 to 5 (D1-19)."""
        match self._take(Step.SURVEYED, at, ""):
            case ServiceRequest() as surveyed:
                return replace(surveyed, satisfaction=satisfaction)
            case no:
                return no

    def _take(self, step: Step, at: datetime, by: str) -> "ServiceRequest | Refused | TooEarly":
        if step in self.taken:
            return Refused(f"{step}_once", was=self.status)
        before = BEFORE[step]
        if before is not None and before not in self.taken:
            return TooEarly(before)
        if at < self.received_at:
            return Refused("not_before_receipt", was=self.status, field="ce_time")
        clocks = self.clocks
        if step in STOPS:
            owner = f"employee:{by}"
            clocks = clocks if owner == self.owner else clocks.owned(STOPS[step], at, owner)
            clocks = clocks.stopped(STOPS[step], at)
        return replace(self, taken={**self.taken, step: at}, clocks=clocks)

    @property
    def owner(self) -> str:
        """Whose the time is until somebody else does what was promised."""
        return f"employee:{self.handled_by}" if self.handled_by else NOBODY_YET

    @property
    def status(self) -> str:
        """The step that was taken last, in the order of the table; `registered` before the first."""
        done = [step for step in Step if step in self.taken]
        return done[-1] if done else "registered"


def points(satisfaction: int) -> tuple[int, int]:
    """The points that an answer is worth, and how many it could have been: 5 is 4 of 4, 1 is 0 of 4."""
    return satisfaction - 1, BEST - 1
