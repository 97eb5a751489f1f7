"""A complaint from its receipt to the solution that the complainant was told (D4-12 … D4-14)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from common.kernel.clocks import Clocks
from common.kernel.errors import Refused, TooEarly


class Step(StrEnum):
    """What can be done for a complaint, each once; also the names of the clocks that the step stops."""

    ACKNOWLEDGED = "acknowledged"
    VERIFICATION_STARTED = "verification_started"
    VERIFIED = "verified"
    SOLUTION_PROPOSED = "solution_proposed"
    SOLUTION_COMMUNICATED = "solution_communicated"


BEFORE: Mapping[Step, Step | None] = {
    Step.ACKNOWLEDGED: None,
    Step.VERIFICATION_STARTED: None,  # the seed asks for both within a day, and for no order between them
    Step.VERIFIED: Step.VERIFICATION_STARTED,
    Step.SOLUTION_PROPOSED: Step.VERIFIED,
    Step.SOLUTION_COMMUNICATED: Step.SOLUTION_PROPOSED,
}
"""Which step must have been taken before."""

CLOCKED = (Step.ACKNOWLEDGED, Step.VERIFICATION_STARTED, Step.VERIFIED, Step.SOLUTION_COMMUNICATED)
"""The steps that are promised within a time."""

ESCALATED = "escalated"

TRAITS = ("region", "category", "channel", "customer_class", "outlet")
"""What SLA policies may promise by."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One complaint; `taken` are the steps that were taken, with when."""

    id: str
    customer_id: str
    request_id: str | None
    category: str
    region: str
    handled_by: str | None
    received_at: datetime
    triggers: tuple[str, ...] = ()
    taken: Mapping[Step, datetime] = field(default_factory=dict)
    clocks: Clocks = field(default_factory=Clocks)

    @property
    def is_major(self) -> bool:
        """Whether the management must know at once (D4-14): any of the triggers of X-09."""
        return bool(self.triggers)

    def received(self, traits: Mapping[str, str]) -> "Complaint":
        """The complaint with its clocks running; a major one is escalated in the same moment."""
        owner = f"employee:{self.handled_by}" if self.handled_by else ""
        clocks = self.clocks
        for step in CLOCKED:
            clocks = clocks.started(step, self.received_at, owner, **traits)
        if self.is_major:
            clocks = clocks.started(ESCALATED, self.received_at, owner, **traits).stopped(ESCALATED, self.received_at)
        return replace(self, clocks=clocks)

    def take(self, step: Step, at: datetime) -> "Complaint | Refused | TooEarly":
        """The complaint after `step`; refused when it was taken before, too early while the one before it is missing."""
        if step in self.taken:
            return Refused(f"{step}_once", was=self.status)
        before = BEFORE[step]
        if before is not None and before not in self.taken:
            return TooEarly(before)
        if at < self.received_at:
            return Refused("not_before_receipt", was=self.status, field="ce_time")
        clocks = self.clocks.stopped(step, at) if step in CLOCKED else self.clocks
        return replace(self, taken={**self.taken, step: at}, clocks=clocks)

    @property
    def status(self) -> str:
        """The step that was taken last, in the order of the table; `received` before the first."""
        done = [step for step in Step if step in self.taken]
        return done[-1] if done else "received"
