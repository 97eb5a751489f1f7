"""One clock as a service keeps it: its ledger, the state that follows from it under the rulebook, and what was published of it."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from common.kernel.clock_events import OwnerChanged, Started, Stopped
from common.kernel.clock_shares import before_due_at, share_due_at
from common.kernel.clock_state import ENDED
from common.kernel.sla_clock import ClockState
from common.sla.courses import is_open
from common.sla.ledger import Folded, Ledger, LedgerEvent, RuleUsed, fold_ledger
from common.sla.policy import Threshold
from common.sla.rulebook import Rulebook

_OWNED = Started | OwnerChanged  # made once: the union of classes costs more than what is asked of it


@dataclass(frozen=True, slots=True)
class TimerMark:
    """The timer that a clock has set, if any: when it is due, and how many times it has been set."""

    due_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class PublishedRound:
    """What was published of one round of a clock: its outcome, and who was credited with it."""

    outcome: str = "open"
    outcome_id: str = ""
    """The id of the event that published the outcome, for a correction to name."""
    indicators: tuple[str, ...] = ()
    subject: str = ""
    credited_at: datetime | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    """What was published of a clock so far, and what its last fold rested on: what the next fold is reconciled with."""

    rounds: tuple[PublishedRound, ...] = (PublishedRound(),)
    """One that is no more, since an event of the past became known, stays: as void to whoever was told of it."""
    thresholds: tuple[str, ...] = ()
    facts: int = 0
    deadline: datetime | None = None
    provisional: bool = False
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ThresholdDue:
    """A threshold that was not published yet, with when it will be reached if the clock goes on as it stands."""

    at: datetime
    key: str
    threshold: Threshold


class Clock(NamedTuple):
    """One clock in memory: its ledger, folded as of `as_of`, and what was published of it; `stored` of its events are in the database."""

    id: str
    aggregate: str
    ledger: Ledger
    stored: int
    as_of: datetime
    published: Published
    timer: TimerMark
    replay_of: str
    folded: Folded
    timed_under: int
    """The revision of the rulebook under which its timer was set."""

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
        """Its ledger, in the order in which the events became known."""
        return self.ledger.events

    @property
    def events_of_case(self) -> int:
        """How many events its case has given it; trails of rules are not counted."""
        return len([event for event in self.events if not isinstance(event, RuleUsed)])

    @property
    def service(self) -> str:
        """Whose clock it is."""
        return self.id.partition(":")[0]

    @property
    def aggregate_id(self) -> str:
        """The aggregate's own id, without its table."""
        return self.aggregate.partition(":")[2]

    @property
    def is_open(self) -> bool:
        """Whether it still waits for its outcome, or for something to be promised."""
        return is_open(self.state)

    @property
    def owes_rules(self) -> bool:
        """Whether other rules are in force than when something was last published of it."""
        return self.folded.rules != self.published.rules

    def owner_at(self, instant: datetime) -> str:
        """Whose time it was at an instant."""
        return self._ownership_at(instant).owner

    def team_at(self, instant: datetime) -> str:
        """The team of whose time it was at an instant, as it was when they became the owner; empty where it is not known."""
        return self._ownership_at(instant).team

    def _ownership_at(self, instant: datetime) -> Started | OwnerChanged:
        owners = [event for event in self.events if isinstance(event, _OWNED) and event.at <= instant]
        return max(owners, key=lambda event: (event.at, event.sequence))

    @property
    def rounds(self) -> tuple[ClockState, ...]:
        """Its rounds in order, the earlier ones as they ended; one, unless it was restarted."""
        return (*self.state.rounds, self.state)

    @property
    def told(self) -> PublishedRound:
        """What was published of its last round."""
        return self.published.rounds[min(len(self.state.rounds), len(self.published.rounds) - 1)]

    def closed_at(self, round: ClockState) -> datetime | None:
        """The instant for which the outcome of one of its rounds counts: the deadline when breached, the stop as it was said when met."""
        if round.outcome != "met":
            return round.closed_at
        return next(event.at for event in self.events if isinstance(event, Stopped) and event.at == round.ended_at)

    def round_at(self, instant: datetime) -> int:
        """In which round an instant lies, 0 for the first."""
        return bisect_right([one.started_at for one in self.rounds[1:]], instant)

    @property
    def ended_at(self) -> datetime | None:
        """The instant after which no rule concerns it: its deadline when breached, else when it was stopped or voided; None before."""
        return self.state.breached_at or self.state.ended_at

    def thresholds_due(self) -> list[ThresholdDue]:
        """The thresholds of what is promised now, in the order in which they will be reached; new terms have new thresholds."""
        terms, breached_at = self.folded.terms[-1], self.state.breached_at
        if self.state.state in ENDED:
            return []
        if breached_at is not None and breached_at <= terms.effective_at:
            return []
        found = []
        for number, threshold in enumerate(terms.promise.thresholds):
            key = f"{terms.id}#{number}" + (f"@{len(self.state.rounds)}" if self.state.rounds else "")
            due = None if key in self.published.thresholds else _due_of(self.state, threshold)
            if due is not None:
                found.append(ThresholdDue(max(due, terms.effective_at), key, threshold))
        return sorted(found, key=lambda one: (one.at, one.key))

    @property
    def due_at(self) -> datetime | None:
        """The same as `next_due`: the timer's instant, as long as the rulebook is the one under which it was set."""
        return self.timer.due_at if self.timed_under == self.folded.revision else self.next_due()

    def next_due(self, thresholds: Sequence[ThresholdDue] | None = None) -> datetime | None:
        """When something will come to light if nobody does anything: a threshold, the deadline, or a rule that comes into force.

        `thresholds` are those that are due, where the caller knows them already.
        """
        if not self.is_open:
            return None
        due = [one.at for one in (self.thresholds_due() if thresholds is None else thresholds)[:1]]
        due += [at for at in (self.state.due_at, self.folded.next_change_at) if at is not None]
        return min(due, default=None)


MOMENT = timedelta(microseconds=1)
"""A deadline is broken just after it, since a stop at the deadline is in time."""


def refolded(rulebook: Rulebook, clock: Clock, ledger: Ledger, as_of: datetime) -> Clock:
    """The clock with another ledger, which begins with its own, folded under the rulebook."""
    folded = fold_ledger(rulebook, ledger, as_of, clock.folded)
    return clock._replace(ledger=ledger, as_of=as_of, folded=folded)


def _due_of(state: ClockState, threshold: Threshold) -> datetime | None:
    if threshold.before is not None:
        return before_due_at(state, threshold.before)
    assert threshold.share is not None  # one of the two is set
    return share_due_at(state, threshold.share)
