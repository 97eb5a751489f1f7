"""A work order from its creation to the finished work, and again when the defect comes back (D1-09, D1-10, P12).

The order keeps its steps and is what they add up to in the order of event time. A claim is judged by how things stood at
its own time, so one that becomes known late finds its place, and the order of arrival does not change the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from common.kernel.clocks import Clocks
from common.kernel.errors import Refused, TooEarly


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

TABLE: Mapping[Status, Mapping[Step, Status | Refused | TooEarly]] = {
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

TRAITS = ("priority", "region", "product", "channel", "customer_class", "outlet", "nature", "severity")
"""What SLA policies may promise by: traits of the request that needed the work."""

ASSIGNMENT = "assignment"
ARRIVAL = "arrival"
COMPLETION = "completion"
UNASSIGNED = "department:dispatch"
"""Whose the time is until a technician has the work."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One step that was taken; `who` has the work from here on, and `priority` holds, where the step says so."""

    step: Step
    at: datetime
    who: str = ""
    team: str = ""
    priority: str = ""


class Standing(NamedTuple):
    """How a work order stands at some instant; who has the work, or had it when it was completed (empty before anybody).

    `priority` is empty as long as it is that of the triage.
    """

    status: Status = Status.CREATED
    technician: str = ""
    team: str = ""
    priority: str = ""


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """One work order; `priority` is that of the triage, `steps` are what happened to it, in the order of event time."""

    id: str
    request_id: str
    priority: str
    region: str
    product: str
    created_at: datetime
    steps: tuple[Taken, ...] = ()
    clocks: Clocks = field(default_factory=Clocks)

    def created(self, traits: Mapping[str, str]) -> "WorkOrder":
        """The order with its clocks running; the time is the department's until somebody has the work."""
        clocks = self.clocks
        for stage in (ASSIGNMENT, ARRIVAL, COMPLETION):
            clocks = clocks.started(stage, self.created_at, UNASSIGNED, **traits)
        return replace(self, clocks=clocks)

    def assign(self, at: datetime, technician: str, team: str) -> "WorkOrder | Refused | TooEarly":
        """A technician has the work, and its time from now on; the first assignment is the one that was promised (D1-10)."""
        clocks = self.clocks
        for stage in (ARRIVAL, COMPLETION):
            clocks = clocks.owned(stage, at, f"employee:{technician}")
        if not self.standing(at).technician:
            clocks = clocks.stopped(ASSIGNMENT, at)
        return self._take(Taken(Step.ASSIGNED, at, technician, team), clocks)

    def accept(self, at: datetime, by: str) -> "WorkOrder | Refused | TooEarly":
        """The technician took the work on; nobody else can do it for him."""
        standing = self.standing(at)
        if standing.technician not in ("", by) and standing.status is not Status.COMPLETED:
            return Refused("accepted_by_the_assigned", was=standing.status, field="by")
        return self._take(Taken(Step.ACCEPTED, at), self.clocks)

    def arrive(self, at: datetime, by: str) -> "WorkOrder | Refused | TooEarly":
        """The technician is at the customer's; the first arrival is the one that was promised."""
        clocks = self.clocks
        if by != self.standing(at).technician:
            clocks = clocks.owned(ARRIVAL, at, f"employee:{by}")
        return self._take(Taken(Step.ARRIVED, at), clocks.stopped(ARRIVAL, at))

    def judge(self, at: datetime, priority: str, reason: str) -> "WorkOrder | Refused | TooEarly":
        """The work is more or less urgent than it seemed: from now on its clocks have the promise of that priority (X-39)."""
        clocks = self.clocks
        for stage in (ASSIGNMENT, ARRIVAL, COMPLETION):
            clocks = clocks.changed(stage, at, reason, priority=priority)
        return self._take(Taken(Step.JUDGED, at, priority=priority), clocks)

    def hold_up(self, at: datetime, party: str, reason: str) -> "WorkOrder | Refused | TooEarly":
        """The work waits for a party, whose time it is now."""
        clocks = self.clocks
        for stage in (ARRIVAL, COMPLETION):
            clocks = clocks.paused(stage, at, party, reason)
        return self._take(Taken(Step.HELD_UP, at), clocks)

    def take_up(self, at: datetime) -> "WorkOrder | Refused | TooEarly":
        """The work goes on."""
        return self._take(Taken(Step.TAKEN_UP, at), self.clocks.resumed(ARRIVAL, at).resumed(COMPLETION, at))

    def complete(self, at: datetime, by: str) -> "WorkOrder | Refused | TooEarly":
        """The work is done, to the credit of whoever did it, also where somebody else was assigned; he was there by then."""
        clocks = self.clocks
        if by != self.standing(at).technician:
            clocks = clocks.owned(COMPLETION, at, f"employee:{by}")
        return self._take(Taken(Step.COMPLETED, at, by), clocks.stopped(ARRIVAL, at).stopped(COMPLETION, at))

    def reopen(self, at: datetime) -> "WorkOrder | Refused | TooEarly":
        """The defect came back: the work goes on where it stood, and its time is that of whoever completed it (P12)."""
        return self._take(Taken(Step.REOPENED, at), self.clocks.reopened(COMPLETION, at))

    def standing(self, at: datetime | None = None) -> Standing:
        """How the order stood at an instant, by default at last."""
        status, technician, team, priority = Status.CREATED, "", "", ""
        for taken in self.steps:
            if at is not None and taken.at > at:
                break
            following = TABLE[status][taken.step]
            if not isinstance(following, Status):
                continue  # something that became known later has overtaken this step
            status, technician = following, taken.who or technician
            team, priority = taken.team or team, taken.priority or priority
        return Standing(status, technician, team, priority)

    def _take(self, taken: Taken, clocks: Clocks) -> "WorkOrder | Refused | TooEarly":
        status = self.standing(taken.at).status
        if taken.at < self.created_at:
            return Refused("not_before_creation", was=status, field="ce_time")
        match TABLE[status][taken.step]:
            case Status():
                before = tuple(step for step in self.steps if step.at <= taken.at)
                return replace(self, steps=(*before, taken, *self.steps[len(before) :]), clocks=clocks)
            case Refused(rule):
                return Refused(rule, was=status)
            case TooEarly() as early:
                return early
