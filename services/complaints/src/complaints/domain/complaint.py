"""A complaint from its receipt to the solution that the complainant was told (D4-12 … D4-14)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from common.kernel import process
from common.kernel.errors import Refused, TooEarly
from common.kernel.process import Case, each_once


class Step(StrEnum):
    """What can be done for a complaint, each once; also the names of the clocks that the step stops."""

    __hash__ = str.__hash__  # an enumeration's own is a function in Python, and a process's table is asked for every step

    ACKNOWLEDGED = "acknowledged"
    VERIFICATION_STARTED = "verification_started"
    VERIFIED = "verified"
    SOLUTION_PROPOSED = "solution_proposed"
    SOLUTION_COMMUNICATED = "solution_communicated"


PROCESS = each_once(
    "received",
    {
        Step.ACKNOWLEDGED: None,
        Step.VERIFICATION_STARTED: None,  # the seed asks for both within a day, and for no order between them
        Step.VERIFIED: Step.VERIFICATION_STARTED,
        Step.SOLUTION_PROPOSED: Step.VERIFIED,
        Step.SOLUTION_COMMUNICATED: Step.SOLUTION_PROPOSED,
    },
    not_before="not_before_receipt",
)

CLOCKED = (Step.ACKNOWLEDGED, Step.VERIFICATION_STARTED, Step.VERIFIED, Step.SOLUTION_COMMUNICATED)
"""The steps that are promised within a time."""

ESCALATED = "escalated"

TRAITS = ("region", "category", "channel", "customer_class", "outlet")
"""What SLA policies may promise by."""

NOBODY_YET = "department:complaints"
"""Whose the time is while no person has the complaint."""


@dataclass(frozen=True, slots=True)
class Taken(process.Taken):
    """One step that was taken, and what it found: whether the complaint is justified, or which remedy was decided."""

    step: Step
    justified: bool | None = None
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint(Case[tuple[str, ...], Taken]):
    """One complaint; its promises are `handled_by`'s, whoever takes the steps."""

    PROCESS = PROCESS

    customer_id: str
    request_id: str | None
    category: str
    region: str
    handled_by: str | None
    triggers: tuple[str, ...] = ()
    steps: tuple[Taken, ...] = ()

    @property
    def is_major(self) -> bool:
        """Whether the management must know at once (D4-14): any of the triggers of X-09."""
        return bool(self.triggers)

    def received(self, traits: Mapping[str, str]) -> "Complaint":
        """The complaint with its clocks running; a major one is escalated in the same moment."""
        owner = f"employee:{self.handled_by}" if self.handled_by else NOBODY_YET
        clocks = self.clocks
        for step in CLOCKED:
            clocks = clocks.started(step, self.opened_at, owner, **traits)
        if self.is_major:
            clocks = clocks.started(ESCALATED, self.opened_at, owner, **traits).stopped(ESCALATED, self.opened_at)
        return replace(self, clocks=clocks)

    def acknowledge(self, at: datetime, by: str) -> "Complaint | Refused | TooEarly":
        """The complainant knows that we have the complaint (D4-12)."""
        return self._done(Taken(Step.ACKNOWLEDGED, at, by))

    def start_verification(self, at: datetime, by: str) -> "Complaint | Refused | TooEarly":
        """Somebody verifies what the complaint says (D4-12, X-08)."""
        return self._done(Taken(Step.VERIFICATION_STARTED, at, by))

    def verify(self, at: datetime, by: str, *, justified: bool) -> "Complaint | Refused | TooEarly":
        """It is clear whether the complaint is justified (D11-15)."""
        return self._done(Taken(Step.VERIFIED, at, by, justified=justified))

    def propose_solution(self, at: datetime, by: str, remedy: str) -> "Complaint | Refused | TooEarly":
        """A remedy is decided; the complainant does not know it yet (D4-13)."""
        return self._done(Taken(Step.SOLUTION_PROPOSED, at, by, remedy=remedy))

    def communicate_solution(self, at: datetime, by: str) -> "Complaint | Refused | TooEarly":
        """The complainant knows the solution (D4-13, X-07)."""
        return self._done(Taken(Step.SOLUTION_COMMUNICATED, at, by))

    def _done(self, taken: Taken) -> "Complaint | Refused | TooEarly":
        return self.take(taken, self.clocks.stopped(taken.step, taken.at) if taken.step in CLOCKED else self.clocks)
