"""One clock as a service keeps it: its ledger, the state that follows from it under the rules, and what was told of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from common.kernel.clock_events import OwnerChanged, Started, Stopped
from common.kernel.clock_shares import before_due_at, share_due_at
from common.kernel.sla_clock import ClockState
from common.sla.ledger import Folded, Ledger, LedgerEvent, RuleUsed, fold_under, is_open
from common.sla.policy import Threshold
from common.sla.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class TimerMark:
    """The timer that a clock has set, if any: when it is due, and how many times it has been set."""

    due_at: datetime | None = None
    version: int = 0


@dataclass
class Published:
    """What was published about a clock so far, and what its last fold went by. Only `Telling` changes one, its own copy."""

    outcome: str = "open"
    event_id: str = ""
    thresholds: tuple[str, ...] = ()
    indicators: tuple[str, ...] = ()
    subject: str = ""
    credited_at: datetime | None = None
    revision: int = 0
    facts: int = 0
    deadline: datetime | None = None
    provisional: bool = False
    rules: tuple[str, ...] = ()

    def copy(self) -> "Published":
        """Another one, to be changed; every event makes one, and `replace` takes four times as long."""
        other = object.__new__(Published)
        other.__dict__.update(self.__dict__)
        return other


@dataclass(frozen=True, slots=True)
class ThresholdDue:
    """A threshold that nobody was told of yet, with when it will be reached if the clock goes on as it stands."""

    at: datetime
    key: str
    threshold: Threshold


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock in memory: its ledger, its state as of `as_of`, and what was told of it."""

    id: str
    aggregate: str
    ledger: Ledger
    stored: int
    as_of: datetime
    told: Published
    timer: TimerMark
    replay_of: str
    folded: Folded
    timed_under: int
    """The revision of the rules under which its timer was set."""

    @property
    def state(self) -> ClockState:
        """The clock as its history tells it."""
        return self.folded.state

    @property
    def stage(self) -> str:
        """What the clock measures."""
        return self.ledger.stage

    @property
    def events(self) -> tuple[LedgerEvent, ...]:
        """All that was said about it, in the order in which it became known."""
        return self.ledger.events

    @property
    def said(self) -> int:
        """How many times something was said about it."""
        return len([event for event in self.events if not isinstance(event, RuleUsed)])

    @property
    def aggregate_id(self) -> str:
        """The aggregate's own id, without its table."""
        return self.aggregate.partition(":")[2]

    @property
    def is_open(self) -> bool:
        """Whether it still waits for its outcome."""
        return is_open(self.state)

    @property
    def is_unsettled(self) -> bool:
        """Whether a rule that became known concerns the clock and nothing was told of that yet."""
        return self.folded.rules != self.told.rules

    def owner_at(self, instant: datetime) -> str:
        """Whose time it was at an instant."""
        owners = [event for event in self.events if isinstance(event, Started | OwnerChanged) and event.at <= instant]
        return max(owners, key=lambda event: (event.at, event.sequence)).owner if owners else ""

    def closed_at(self) -> datetime | None:
        """The instant for which the outcome counts: the stop when met, the deadline when breached."""
        if self.state.outcome == "breached":
            return self.state.breached_at
        if self.state.outcome == "met":
            # a stop that the state did not admit came after the one that counts: the earlier one became known late
            return max(event.at for event in self.events if isinstance(event, Stopped) and event.id not in self.state.ignored)
        return None

    def thresholds_due(self) -> list[ThresholdDue]:
        """The thresholds of what is promised now, in the order in which they will be reached; new terms have new thresholds."""
        terms, breached_at = self.folded.terms[-1], self.state.breached_at
        if self.state.state == "stopped":
            return []
        if breached_at is not None and breached_at <= terms.since:
            return []
        found = []
        for number, threshold in enumerate(terms.promise.thresholds):
            key = f"{terms.id}#{number}"
            due = None if key in self.told.thresholds else _due_of(self.state, threshold)
            if due is not None:
                found.append(ThresholdDue(max(due, terms.since), key, threshold))
        return sorted(found, key=lambda one: (one.at, one.key))

    @property
    def due_at(self) -> datetime | None:
        """The same as `next_due`: what the timer says, as long as the rules are those under which it was set."""
        return self.timer.due_at if self.timed_under == self.folded.revision else self.next_due()

    def next_due(self, thresholds: Sequence[ThresholdDue] | None = None) -> datetime | None:
        """When something will come to light if nobody does anything: a threshold, the deadline, or a rule that comes into force.

        `thresholds` are those that are due, where the caller knows them already.
        """
        if not self.is_open:
            return None
        due = [one.at for one in (self.thresholds_due() if thresholds is None else thresholds)[:1]]
        due += [at for at in (self.state.due_at, self.folded.due_at) if at is not None]
        return min(due, default=None)


MOMENT = timedelta(microseconds=1)
"""A deadline is broken just after it, since a stop at the deadline is in time."""


def refolded(rules: Rulebook, clock: Clock, ledger: Ledger, as_of: datetime) -> Clock:
    """The clock as that ledger, which begins with its own, and the rules have it."""
    folded = fold_under(rules, ledger, as_of, clock.folded)
    return replace(clock, ledger=ledger, as_of=as_of, folded=folded)


def _due_of(state: ClockState, threshold: Threshold) -> datetime | None:
    if threshold.before is not None:
        return before_due_at(state, threshold.before)
    return share_due_at(state, threshold.share or Fraction(1))
