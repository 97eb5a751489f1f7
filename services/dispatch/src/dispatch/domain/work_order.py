"""A work order from its creation to the finished work, and again when the defect comes back (D1-09, D1-10, P12)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from common.kernel import process
from common.kernel.errors import Refused, TooEarly
from common.kernel.process import Case, Process


class Status(StrEnum):
    """How a work order stands."""

    __hash__ = str.__hash__  # an enumeration's own is a function in Python, and the table below is asked for every step

    CREATED = "created"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    HELD_UP = "held_up"
    COMPLETED = "completed"


class Step(StrEnum):
    """What can happen to a work order, as often as the table admits it."""

    __hash__ = str.__hash__  # as above

    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    HELD_UP = "held_up"
    TAKEN_UP = "taken_up"
    COMPLETED = "completed"
    REOPENED = "reopened"
    JUDGED = "judged"
    ARRIVED = "arrived"


_NOT_YET_ASSIGNED = TooEarly(Step.ASSIGNED)
_NOT_YET_HELD_UP = TooEarly(Step.HELD_UP)
_NOT_YET_COMPLETED = TooEarly(Step.COMPLETED)
_OVER = Refused("not_after_completion")

TABLE: Mapping[Status, Mapping[str, Status | Refused | TooEarly]] = {
    Status.CREATED: {
        Step.ASSIGNED: Status.ASSIGNED,
        Step.ACCEPTED: _NOT_YET_ASSIGNED,
        Step.HELD_UP: _NOT_YET_ASSIGNED,
        Step.TAKEN_UP: _NOT_YET_HELD_UP,
        Step.COMPLETED: _NOT_YET_ASSIGNED,
        Step.REOPENED: _NOT_YET_COMPLETED,
        Step.JUDGED: Status.CREATED,
        Step.ARRIVED: _NOT_YET_ASSIGNED,
    },
    Status.ASSIGNED: {
        Step.ASSIGNED: Status.ASSIGNED,
        Step.ACCEPTED: Status.ACCEPTED,
        Step.HELD_UP: Status.HELD_UP,
        Step.TAKEN_UP: _NOT_YET_HELD_UP,
        Step.COMPLETED: Status.COMPLETED,  # finished work says by itself that it was taken on
        Step.REOPENED: _NOT_YET_COMPLETED,
        Step.JUDGED: Status.ASSIGNED,
        Step.ARRIVED: Status.ACCEPTED,  # whoever comes has taken the work on
    },
    Status.ACCEPTED: {
        Step.ASSIGNED: Status.ASSIGNED,
        Step.ACCEPTED: Refused("accepted_once"),
        Step.HELD_UP: Status.HELD_UP,
        Step.TAKEN_UP: _NOT_YET_HELD_UP,
        Step.COMPLETED: Status.COMPLETED,
        Step.REOPENED: _NOT_YET_COMPLETED,
        Step.JUDGED: Status.ACCEPTED,
        Step.ARRIVED: Status.ACCEPTED,
    },
    Status.HELD_UP: {
        Step.ASSIGNED: Status.HELD_UP,  # another technician does not bring the missing part
        Step.ACCEPTED: Status.HELD_UP,
        Step.HELD_UP: TooEarly(Step.TAKEN_UP),  # between two hold-ups the work went on: that claim is on its way
        Step.TAKEN_UP: Status.ACCEPTED,  # whoever takes the work up has taken it on
        Step.COMPLETED: Status.COMPLETED,  # nobody takes work up only to say that it is done
        Step.REOPENED: _NOT_YET_COMPLETED,
        Step.JUDGED: Status.HELD_UP,
        Step.ARRIVED: Status.HELD_UP,
    },
    # Completed work is at rest: apart from the defect that comes back nothing is expected, and whoever says something
    # else is told at once rather than after a day of waiting.
    Status.COMPLETED: {
        Step.ASSIGNED: _OVER,
        Step.ACCEPTED: _OVER,
        Step.HELD_UP: _OVER,
        Step.TAKEN_UP: _OVER,
        Step.COMPLETED: Refused("completed_once"),
        Step.REOPENED: Status.ACCEPTED,
        Step.JUDGED: _OVER,
        Step.ARRIVED: _OVER,
    },
}
"""What each step leads to in each status: the next status, a refusal, or the step that must be known before."""

PROCESS = Process(Status.CREATED, TABLE, not_before="not_before_creation")

TRAITS = ("priority", "region", "product", "channel", "customer_class", "outlet", "nature", "severity")
"""What SLA policies may promise by: traits of the request that needed the work."""

ASSIGNMENT = "assignment"
ARRIVAL = "arrival"
COMPLETION = "completion"
NOBODY_YET = "department:dispatch"
"""Whose the time is until a technician has the work."""


@dataclass(frozen=True, slots=True)
class Taken(process.Taken):
    """One step that was taken; `technician` has the work from here on, and `priority` holds, where the step says so."""

    step: Step
    technician: str = ""
    team: str = ""
    priority: str = ""
    party: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder(Case[Status, Taken]):
    """One work order; `priority` is that of the triage, which a step may have judged anew."""

    PROCESS = PROCESS

    request_id: str
    complaint_id: str | None = None
    """The complaint that the work puts right, where it does."""
    priority: str
    region: str
    product: str
    steps: tuple[Taken, ...] = ()

    def created(self, traits: Mapping[str, str]) -> "WorkOrder":
        """The order with its clocks running; the time is the department's until somebody has the work."""
        clocks = self.clocks
        for stage in (ASSIGNMENT, ARRIVAL, COMPLETION):
            clocks = clocks.started(stage, self.opened_at, NOBODY_YET, **traits)
        return replace(self, clocks=clocks)

    def technician(self, at: datetime | None = None) -> str:
        """Who has the work at an instant, by default at last, or had it when it was completed; empty before anybody."""
        return next((taken.technician for taken in reversed(self.standing(at).steps) if taken.technician), "")

    def team_of(self, technician: str, at: datetime) -> str:
        """The team as a member of which a technician was last assigned to the work by then; empty for whoever never was."""
        steps = reversed(self.standing(at).steps)
        return next((taken.team for taken in steps if taken.step == Step.ASSIGNED and taken.technician == technician), "")

    def assign(self, at: datetime, by: str, technician: str, team: str) -> "WorkOrder | Refused | TooEarly":
        """A technician has the work, and its time from now on; the first assignment is the one that was promised (D1-10)."""
        clocks = self.clocks
        for stage in (ARRIVAL, COMPLETION):
            clocks = clocks.owned(stage, at, f"employee:{technician}", team)
        if not self.technician(at):
            clocks = clocks.stopped(ASSIGNMENT, at)
        return self.take(Taken(Step.ASSIGNED, at, by, technician=technician, team=team), clocks)

    def accept(self, at: datetime, by: str) -> "WorkOrder | Refused | TooEarly":
        """The technician took the work on; nobody else can do it for him."""
        status = self.standing(at).status
        if self.technician(at) not in ("", by) and status is not Status.COMPLETED:
            return Refused("accepted_by_the_assigned", was=status, field="by")
        return self.take(Taken(Step.ACCEPTED, at, by), self.clocks)

    def arrive(self, at: datetime, by: str) -> "WorkOrder | Refused | TooEarly":
        """The technician is at the customer's; the first arrival is the one that was promised."""
        clocks = self.clocks
        if by != self.technician(at):
            clocks = clocks.owned(ARRIVAL, at, f"employee:{by}", self.team_of(by, at))
        return self.take(Taken(Step.ARRIVED, at, by), clocks.stopped(ARRIVAL, at))

    def judge(self, at: datetime, by: str, priority: str, reason: str) -> "WorkOrder | Refused | TooEarly":
        """The work is more or less urgent than it seemed: from now on its clocks have the promise of that priority (X-39)."""
        clocks = self.clocks
        for stage in (ASSIGNMENT, ARRIVAL, COMPLETION):
            clocks = clocks.changed(stage, at, reason, priority=priority)
        return self.take(Taken(Step.JUDGED, at, by, priority=priority, reason=reason), clocks)

    def hold_up(self, at: datetime, by: str, party: str, reason: str) -> "WorkOrder | Refused | TooEarly":
        """The work waits for a party, whose time it is now."""
        clocks = self.clocks
        for stage in (ARRIVAL, COMPLETION):
            clocks = clocks.paused(stage, at, party, reason)
        return self.take(Taken(Step.HELD_UP, at, by, party=party, reason=reason), clocks)

    def take_up(self, at: datetime, by: str) -> "WorkOrder | Refused | TooEarly":
        """The work goes on."""
        return self.take(Taken(Step.TAKEN_UP, at, by), self.clocks.resumed(ARRIVAL, at).resumed(COMPLETION, at))

    def complete(self, at: datetime, by: str) -> "WorkOrder | Refused | TooEarly":
        """The work is done, to the credit of whoever did it, also where somebody else was assigned; he was there by then."""
        clocks = self.clocks
        if by != self.technician(at):
            clocks = clocks.owned(COMPLETION, at, f"employee:{by}", self.team_of(by, at))
        return self.take(Taken(Step.COMPLETED, at, by, technician=by), clocks.stopped(ARRIVAL, at).stopped(COMPLETION, at))

    def reopen(self, at: datetime, by: str) -> "WorkOrder | Refused | TooEarly":
        """The defect came back: the work goes on where it stood, and its time is that of whoever completed it (P12)."""
        return self.take(Taken(Step.REOPENED, at, by), self.clocks.reopened(COMPLETION, at))
