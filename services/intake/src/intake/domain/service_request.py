"""A service request from its registration to the customer's answer to the survey (D1-07, D1-10, D1-14, D1-19)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from common.kernel import process
from common.kernel.errors import Refused, TooEarly
from common.kernel.process import Case, each_once


class Step(StrEnum):
    """What can happen to a request, each once."""

    __hash__ = str.__hash__  # an enumeration's own is a function in Python, and a process's table is asked for every step

    ANSWERED = "answered"
    CLOSED = "closed"
    SURVEYED = "surveyed"


PROCESS = each_once(
    "registered",
    {
        Step.ANSWERED: None,
        # Whoever ended the service has spoken to the customer (D11-04), so an answer exists and is on its way: to take the end
        # for it would stop the clock of the first response at a guess (D1-07). The end waits for the answer.
        Step.CLOSED: Step.ANSWERED,
        Step.SURVEYED: Step.CLOSED,  # a survey counts for the day on which its case closed (decision 26)
    },
    not_before="not_before_receipt",
)

STOPS: Mapping[Step, str] = {Step.ANSWERED: "first_response", Step.CLOSED: "closure"}
"""Which clock a step stops."""

TRAITS = ("priority", "region", "channel", "customer_class", "outlet", "nature", "severity", "product")
"""What SLA policies may promise by."""

NOBODY_YET = "department:intake"
"""Whose the time is until a person has the request."""

BEST = 5
"""The most satisfied answer; the least is 1."""


@dataclass(frozen=True, slots=True)
class Taken(process.Taken):
    """One step that was taken, and what the customer answered to the survey, from 1 to 5."""

    step: Step
    satisfaction: int | None = None


@dataclass(frozen=True, slots=True)
class Credit:
    """A survey as it counts: whose service it was about, and for which instant."""

    employee: str
    at: datetime
    satisfaction: int

    @property
    def points(self) -> tuple[int, int]:
        """The points that the answer is worth, and how many it could have been: 5 is 4 of 4, 1 is 0 of 4."""
        return self.satisfaction - 1, BEST - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest(Case[tuple[str, ...], Taken]):
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
    steps: tuple[Taken, ...] = ()

    def registered(self, traits: Mapping[str, str]) -> "ServiceRequest":
        """The request with its clocks running from its receipt."""
        clocks = self.clocks
        for stage in STOPS.values():
            clocks = clocks.started(stage, self.opened_at, self.owner, **traits)
        return replace(self, clocks=clocks)

    def answer(self, at: datetime, by: str) -> "ServiceRequest | Refused | TooEarly":
        """The customer got a first answer (D1-07); the response is credited to whoever gave it."""
        return self._stopping(Taken(Step.ANSWERED, at, by))

    def close(self, at: datetime, by: str) -> "ServiceRequest | Refused | TooEarly":
        """The service has ended and the request is in the archive (D1-14); `by` gave the service."""
        return self._stopping(Taken(Step.CLOSED, at, by))

    def survey(self, at: datetime, satisfaction: int) -> "ServiceRequest | Refused | TooEarly":
        """The customer said how satisfied he was, from 1 to 5 (D1-19)."""
        return self.take(Taken(Step.SURVEYED, at, satisfaction=satisfaction), self.clocks)

    def _stopping(self, taken: Taken) -> "ServiceRequest | Refused | TooEarly":
        stage, owner = STOPS[taken.step], f"employee:{taken.by}"
        clocks = self.clocks if owner == self.owner else self.clocks.owned(stage, taken.at, owner)
        return self.take(taken, clocks.stopped(stage, taken.at))

    @property
    def owner(self) -> str:
        """Whose the time is until somebody else does what was promised."""
        return f"employee:{self.handled_by}" if self.handled_by else NOBODY_YET

    @property
    def credit(self) -> Credit | None:
        """To whose credit the survey is: whoever ended the service, for the instant at which he did (decision 26); None before both."""
        closed, surveyed = self.last(Step.CLOSED), self.last(Step.SURVEYED)
        if closed is None or surveyed is None or surveyed.satisfaction is None:
            return None
        return Credit(closed.by, closed.at, surveyed.satisfaction)

    @property
    def credits_known(self) -> int:
        """How many ends of service and surveys have become known, also those that others have overtaken: it only grows."""
        return sum(taken.step in (Step.CLOSED, Step.SURVEYED) for taken in self.steps)
