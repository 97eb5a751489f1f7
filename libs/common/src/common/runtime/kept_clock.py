"""One clock as a service keeps it: its ledger, the state that follows from it under the rules, and what was told of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction

from common.kernel import sla_clock
from common.kernel.clock_events import Changed, ClockEvent, OwnerChanged, Paused, Started, Stopped
from common.kernel.clock_shares import before_due_at, share_due_at
from common.kernel.sla_clock import ClockState
from common.runtime.policies import Threshold
from common.runtime.rules import CalendarVersion, PolicyVersion, Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarUsed:
    """A trail in the ledger: from here on the whole clock is counted on this version of its calendar. It moves no time itself."""

    id: str
    at: datetime
    sequence: int
    calendar: str
    version: int


LedgerEvent = ClockEvent | CalendarUsed


@dataclass(frozen=True, slots=True)
class TimerMark:
    """The timer that a clock has set, if any: when it is due, and how many times it has been set."""

    due_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class WasTold:
    """What was published about a clock so far, and what its last fold went by."""

    outcome: str = "open"
    event_id: str = ""
    thresholds: tuple[int, ...] = ()
    subject: str = ""
    numerator: int = 0
    credited_at: datetime | None = None
    revision: int = 0
    facts: int = 0
    deadline: datetime | None = None
    provisional: bool = False
    calendars: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Folded:
    """What follows from a ledger under the rules: the state, the calendar versions that count, and what the rules add to the ledger.

    `due_at` is when the next rule that is published already will concern the clock, if it is still open then; `revision` is
    that of the rules.
    """

    state: ClockState
    using: Mapping[str, CalendarVersion]
    changes: tuple[tuple[Changed, PolicyVersion], ...]
    due_at: datetime | None
    revision: int


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock in memory: its events, its state as of `known_to`, and what was told of it."""

    id: str
    aggregate: str
    stage: str
    policy: str
    thresholds: tuple[Threshold, ...]
    indicators: tuple[str, ...]
    pauses: tuple[str, ...] | None
    traits: Mapping[str, str]
    events: tuple[LedgerEvent, ...]
    stored: int
    known_to: datetime
    told: WasTold
    timer: TimerMark
    replay_of: str
    folded: Folded

    @property
    def state(self) -> ClockState:
        """The clock as its history tells it."""
        return self.folded.state

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
        return self.told.outcome == "open" and (bool(self.folded.changes) or versions(self.folded) != self.told.calendars)

    def owner_at(self, instant: datetime) -> str:
        """Whose time it was at an instant."""
        owner = ""
        for event in sorted(self.events, key=lambda event: (event.at, event.sequence)):
            if event.at <= instant and isinstance(event, Started | OwnerChanged):
                owner = event.owner
        return owner

    def closed_at(self) -> datetime | None:
        """The instant for which the outcome counts: the stop when met, the deadline when breached."""
        if self.state.outcome == "breached":
            return self.state.breached_at
        if self.state.outcome == "met":
            # a stop that the state did not admit came after the one that counts: the earlier one became known late
            return max(event.at for event in self.events if isinstance(event, Stopped) and event.id not in self.state.ignored)
        return None

    def thresholds_due(self) -> list[tuple[datetime, int]]:
        """The thresholds that nobody was told of yet, by number, with when each will be reached if the clock goes on as it stands."""
        if self.state.state != "running":
            return []
        open_ones = [number for number in range(len(self.thresholds)) if number not in self.told.thresholds]
        return sorted((due, number) for number in open_ones if (due := due_of(self.state, self.thresholds[number])) is not None)

    def next_due(self) -> datetime | None:
        """When something will come to light if nobody does anything: a threshold, the deadline, or a rule that comes into force."""
        if not self.is_open:
            return None
        due = [] if self.state.due_at is None else [self.state.due_at]
        due += [] if self.folded.due_at is None else [self.folded.due_at]
        due += [at for at, _ in self.thresholds_due()[:1]]
        return min(due, default=None)


MOMENT = timedelta(microseconds=1)
"""A deadline is broken just after it, since a stop at the deadline is in time."""


def is_open(state: ClockState) -> bool:
    """Whether a clock still waits for its outcome."""
    return state.outcome == "open" and state.state != "stopped"


def due_of(state: ClockState, threshold: Threshold) -> datetime | None:
    """When a threshold will be reached if the clock goes on as it stands."""
    if threshold.before is not None:
        return before_due_at(state, threshold.before)
    return share_due_at(state, threshold.share or Fraction(1))


def versions(folded: Folded) -> dict[str, int]:
    """The version of each calendar that counts."""
    return {name: used.version for name, used in folded.using.items()}


def refolded(rules: Rules, clock: Clock) -> Clock:
    """The clock as its events and the rules have it."""
    folded = fold_under(
        rules, clock.events, clock.known_to, stage=clock.stage, policy=clock.policy, traits=clock.traits, pauses=clock.pauses
    )
    return replace(clock, folded=folded)


def fold_under(
    rules: Rules,
    events: Iterable[LedgerEvent],
    known_to: datetime,
    *,
    stage: str,
    policy: str,
    traits: Mapping[str, str],
    pauses: tuple[str, ...] | None,
) -> Folded:
    """The clock at `known_to` as the rules have it, the same for every order in which events and rules became known."""
    history = [event for event in events if not isinstance(event, CalendarUsed)]
    if pauses is not None:
        history = [event for event in history if not isinstance(event, Paused) or event.reason in pauses or event.party in pauses]
    started = next(event for event in history if isinstance(event, Started))
    known = {event.id for event in history}
    changes: list[tuple[Changed, PolicyVersion]] = []
    due: list[datetime] = []
    for version in rules.for_open(policy):
        at = max(version.effective_at, started.at)
        promise = version.policy.promise(stage, traits)
        id = f"{version.event_id}:0"
        if at > known_to:
            due.append(at)
        elif id not in known and is_open(_on_calendars(rules, history, started, at)[0]):
            sequence = 1_000_000 + len(changes)  # after all that the ledger holds; the ledger gives it its own number
            change = Changed(id=id, at=at, sequence=sequence, target=promise.read_target(), calendar=promise.calendar)
            changes.append((change, version))
            history.append(change)
    state, using, later = _on_calendars(rules, history, started, known_to)
    due += later
    return Folded(state, using, tuple(changes), min(due, default=None), rules.revision)


def _on_calendars(
    rules: Rules, history: Sequence[ClockEvent], started: Started, known_to: datetime
) -> tuple[ClockState, Mapping[str, CalendarVersion], list[datetime]]:
    """The state, with the calendar versions that count, and when others will."""
    names = {event.calendar for event in history if isinstance(event, Started | Changed) and event.calendar is not None}
    using = {name: rules.at_start(name, started.at) for name in sorted(names)}
    newer = sorted((one for used in using.values() for one in rules.later(used)), key=lambda one: (one.published_at, one.ref))
    for version in newer:
        if version.published_at <= known_to and is_open(_fold(history, version.published_at, using)):
            using[version.name] = version
    later = [version.published_at for version in newer if version.published_at > known_to]
    return _fold(history, known_to, using), using, later


def _fold(history: Sequence[ClockEvent], as_of: datetime, using: Mapping[str, CalendarVersion]) -> ClockState:
    return sla_clock.fold(history, as_of, {name: used.calendar for name, used in using.items()})
