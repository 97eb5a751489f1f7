"""A complaint from its receipt to the solution that the complainant was told (D4-12 … D4-14)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from common.kernel import process
from common.kernel.errors import Refused, TooEarly
from common.kernel.process import Case, each_once


class Step(StrEnum):
    """What can be done for a complaint, the first five once; also the names of the clocks that the step stops."""

    __hash__ = str.__hash__  # an enumeration's own is a function in Python, and a process's table is asked for every step

    ACKNOWLEDGED = "acknowledged"
    VERIFICATION_STARTED = "verification_started"
    VERIFIED = "verified"
    SOLUTION_PROPOSED = "solution_proposed"
    SOLUTION_COMMUNICATED = "solution_communicated"
    ASSIGNED = "assigned"
    REMEDY_DONE = "remedy_done"
    REMEDY_FAILED = "remedy_failed"


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
    any_time=(Step.ASSIGNED, Step.REMEDY_DONE, Step.REMEDY_FAILED),
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
    """One step that was taken, and what it found: whether the complaint is justified, which remedy was decided, who has it now."""

    step: Step
    justified: bool | None = None
    remedy: str = ""
    handler: str = ""
    team: str = ""
    work_order: str = ""
    """The work order whose work was to put the complaint right; `by` is who did that work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint(Case[tuple[str, ...], Taken]):
    """One complaint; `handled_by` has it at first. Its time is the handler's, and a step is to the credit of whoever takes it."""

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

    def assign(self, at: datetime, by: str, handler: str, team: str) -> "Complaint | Refused | TooEarly":
        """Somebody has the complaint, and its time from now on."""
        clocks = self.clocks
        for step in CLOCKED:
            clocks = clocks.owned(step, at, f"employee:{handler}", team)
        return self.take(Taken(Step.ASSIGNED, at, by, handler=handler, team=team), clocks)

    def remedied(self, at: datetime, by: str, work_order: str) -> "Complaint | Refused | TooEarly":
        """The work that puts the complaint right is done."""
        return self.take(Taken(Step.REMEDY_DONE, at, by, work_order=work_order), self.clocks)

    def remedy_failed(self, at: datetime, by: str, work_order: str) -> "Complaint | Refused | TooEarly":
        """The defect came back after the work that was to put the complaint right."""
        return self.take(Taken(Step.REMEDY_FAILED, at, by, work_order=work_order), self.clocks)

    def handler(self, at: datetime) -> str:
        """Who has the complaint at an instant; empty before anybody."""
        assigned = self.last(Step.ASSIGNED, at)
        return assigned.handler if assigned is not None else self.handled_by or ""

    def team_of(self, handler: str, at: datetime) -> str:
        """The team as a member of which somebody was last given the complaint by then; empty for whoever never was."""
        steps = reversed(self.standing(at).steps)
        return next((taken.team for taken in steps if taken.step == Step.ASSIGNED and taken.handler == handler), "")

    def found(self, at: datetime) -> tuple[bool, str]:
        """Whether the complaint had been found justified by then, and which remedy was decided; the process has both before a solution."""
        verified, proposed = self.last(Step.VERIFIED, at), self.last(Step.SOLUTION_PROPOSED, at)
        return verified is not None and bool(verified.justified), proposed.remedy if proposed is not None else ""

    def _done(self, taken: Taken) -> "Complaint | Refused | TooEarly":
        if taken.step not in CLOCKED:
            return self.take(taken, self.clocks)
        clocks = self.clocks
        if taken.by != self.handler(taken.at):
            clocks = clocks.owned(taken.step, taken.at, f"employee:{taken.by}", self.team_of(taken.by, taken.at))
        return self.take(taken, clocks.stopped(taken.step, taken.at))
