"""The clocks of a batch: what the domain said is appended, folded by `kernel.sla_clock`, told as facts, and timed.

A clock's events are append-only. What was told about it is kept beside it, so that a fact is told once, whether an event or
a timer brought it to light, and a fact that turns out wrong is corrected rather than repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from common.contracts.event import Event
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.sla_clocks import (
    SlaClockAtRisk,
    SlaClockBreached,
    SlaClockCorrected,
    SlaClockMet,
    SlaClockOwnerChanged,
    SlaClockPaused,
    SlaClockReopened,
    SlaClockResumed,
    SlaClockStarted,
)
from common.kernel import sla_clock
from common.kernel.clock_events import ClockEvent, OwnerChanged, Paused, Reopened, Resumed, Started, Stopped
from common.kernel.clock_shares import share_due_at, used_share
from common.kernel.clocks import ClockEntry
from common.kernel.exact import decimal_text, ratio_text
from common.kernel.ids import derived_id
from common.kernel.sla_clock import ClockState
from common.kernel.targets import read_target
from common.runtime.metrics import Told
from common.runtime.policies import Policy

if TYPE_CHECKING:
    from common.runtime.unit_of_work import Cause

MOMENT = timedelta(microseconds=1)
"""A deadline is broken just after it, since a stop at the deadline is in time."""

_FACTS: Mapping[str, type[Event]] = {
    "started": SlaClockStarted,
    "paused": SlaClockPaused,
    "resumed": SlaClockResumed,
    "owner_changed": SlaClockOwnerChanged,
    "reopened": SlaClockReopened,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that came to light about a clock: the event, when it happened, the id that it has whoever finds it."""

    event: Event
    at: datetime
    id: str
    replay_of: str


@dataclass(frozen=True, slots=True)
class TimerMark:
    """The timer that a clock has set, if any: when it is due, and how many times it has been set."""

    due_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class WasTold:
    """What was published about a clock so far."""

    outcome: str = "open"
    event_id: str = ""
    thresholds: int = 0
    subject: str = ""
    numerator: int = 0
    credited_at: datetime | None = None
    facts: int = 0


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock in memory: its events, its state as of `known_to`, and what was told of it."""

    id: str
    aggregate: str
    stage: str
    policy: str
    thresholds: tuple[Fraction, ...]
    indicators: tuple[str, ...]
    traits: Mapping[str, str]
    events: tuple[ClockEvent, ...]
    stored: int
    known_to: datetime
    told: WasTold
    timer: TimerMark
    replay_of: str
    state: ClockState

    @property
    def aggregate_id(self) -> str:
        """The aggregate's own id, without its table."""
        return self.aggregate.partition(":")[2]

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

    def next_due(self) -> datetime | None:
        """When something will come to light if nobody does anything: a threshold or the deadline."""
        if self.state.outcome != "open" or self.state.state == "stopped":
            return None
        due = [] if self.state.due_at is None else [self.state.due_at]
        if len(self.thresholds) > self.told.thresholds and self.state.state == "running":
            share = share_due_at(self.state, self.thresholds[self.told.thresholds])
            due += [] if share is None else [share]
        return min(due, default=None)


@dataclass(slots=True)
class ClockBook:
    """The clocks of the aggregates of one batch. A scratch of it takes the changes of one event and is merged when that succeeds."""

    service: str
    policy: Policy | None
    clocks: dict[str, dict[str, Clock]] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    told: list[Told] = field(default_factory=list)

    def scratch(self) -> "ClockBook":
        """A book that sees these clocks and changes only its own copies."""
        return ClockBook(self.service, self.policy, dict(self.clocks))

    def take(self, scratch: "ClockBook") -> None:
        """Makes the changes of a scratch these clocks' own."""
        self.clocks = scratch.clocks
        self.changed |= scratch.changed
        self.told += scratch.told

    def advance(self, aggregate: str, to: datetime, *, including: bool = False) -> list[Fact]:
        """Lets time pass on all clocks of an aggregate; with `including`, just beyond `to`. What comes to light is returned."""
        facts: list[Fact] = []
        for clock in list(self.clocks.get(aggregate, {}).values()):
            due = clock.next_due()
            moment = to + MOMENT if including else to
            if due is None or due >= moment:
                continue
            facts += self._fold(replace(clock, known_to=max(clock.known_to, moment)), None)
        return facts

    def record(self, aggregate: str, entry: ClockEntry, cause: "Cause", number: int) -> list[Fact]:
        """Appends what the domain said about one clock, and tells what follows."""
        clock_id = f"{self.service}:{aggregate.partition(':')[2]}:{entry.stage}"
        event_id = f"{cause.event_id or cause.id}:{number}"
        clock = self.clocks.get(aggregate, {}).get(entry.stage)
        if clock is None:
            return self._start(clock_id, aggregate, entry, event_id, cause)
        event = _event(entry, event_id, len(clock.events) + 1)
        clock = replace(clock, events=(*clock.events, event), known_to=max(clock.known_to, entry.at))
        return self._fold(clock, entry)

    def _start(self, id: str, aggregate: str, entry: ClockEntry, event_id: str, cause: "Cause") -> list[Fact]:
        if self.policy is None or entry.kind != "started":
            raise LookupError(f"{aggregate}: the clock of {entry.stage} was never started")
        promise = self.policy.promise(entry.stage, entry.traits)
        started = Started(
            id=event_id,
            at=entry.at,
            sequence=1,
            calendar=promise.calendar,
            target=read_target(dict(promise.target), "target"),
            owner=entry.owner,
        )
        clock = Clock(
            id=id,
            aggregate=aggregate,
            stage=entry.stage,
            policy=self.policy.ref,
            thresholds=promise.thresholds,
            indicators=promise.indicators,
            traits=entry.traits,
            events=(started,),
            stored=0,
            known_to=entry.at,
            told=WasTold(),
            timer=TimerMark(),
            replay_of=cause.replay_of,
            state=sla_clock.fold([started], entry.at, self.policy.calendars),
        )
        return self._fold(clock, entry)

    def _fold(self, clock: Clock, entry: ClockEntry | None) -> list[Fact]:
        assert self.policy is not None
        before = clock.state
        clock = replace(clock, state=sla_clock.fold(clock.events, clock.known_to, self.policy.calendars))
        telling = _Telling(self.service, clock, clock.told, clock.state.deadline or before.due_at)
        if entry is not None and entry.kind in _FACTS:
            extra = {"party": entry.party, "reason": entry.reason} if entry.kind == "paused" else {}
            telling.fact(_FACTS[entry.kind], entry.at, **extra)
        telling.thresholds()
        telling.outcome(reopened=entry is not None and entry.kind == "reopened")
        telling.credit()
        self.told += telling.counted
        clock = replace(clock, told=telling.told)
        due = clock.next_due()
        if due != clock.timer.due_at:
            clock = replace(clock, timer=TimerMark(due, clock.timer.version + 1))
        self.clocks[clock.aggregate] = {**self.clocks.get(clock.aggregate, {}), clock.stage: clock}
        self.changed.add(clock.id)
        return telling.facts


class _Telling:
    """Finds what has to be published about one clock, given what was published before."""

    def __init__(self, service: str, clock: Clock, told: WasTold, deadline: datetime | None) -> None:
        self.service = service
        self.clock = clock
        self.told = told
        self.deadline = deadline
        self.facts: list[Fact] = []
        self.counted: list[Told] = []

    def fact(self, kind: type[Event], at: datetime, **extra: Any) -> None:
        """One fact; its id follows from the clock and the number of the fact, not from who found it."""
        clock = self.clock
        self.told = replace(self.told, facts=self.told.facts + 1)
        event = kind(
            clock_id=clock.id,
            service=self.service,
            stage=clock.stage,
            aggregate_id=clock.aggregate_id,
            policy=clock.policy,
            at=at,
            deadline=self.deadline,
            provisional=clock.state.is_provisional,
            owner=clock.owner_at(at),
            **extra,
        )
        id = derived_id(at, self.service, clock.id, kind.TYPE, len(clock.events), self.told.facts)
        self.facts.append(Fact(event, at, id, clock.replay_of))

    def thresholds(self) -> None:
        """A share of the target that is used up while the clock still runs."""
        clock = self.clock
        while clock.state.state == "running" and self.told.thresholds < len(clock.thresholds):
            share = clock.thresholds[self.told.thresholds]
            due = share_due_at(clock.state, share)
            if due is None or due >= clock.known_to:
                return
            self.told = replace(self.told, thresholds=self.told.thresholds + 1)
            self.fact(SlaClockAtRisk, due, used_share=ratio_text(share))

    def outcome(self, *, reopened: bool) -> None:
        """Met or breached, once; and a correction when what was told no longer holds."""
        state, before = self.clock.state, self.told
        if state.outcome == before.outcome:
            return
        at = self.clock.closed_at() or self.clock.known_to
        if before.outcome == "open" or reopened:
            if state.outcome == "breached":
                self.fact(SlaClockBreached, at)
            elif state.outcome == "met":
                self.fact(SlaClockMet, at, elapsed_working_seconds=decimal_text(Fraction(state.elapsed_micros, 10**6)))
            if state.outcome != "open":
                share = used_share(state)
                self.counted.append(Told(self.clock.stage, state.outcome, float(share or 0)))
        else:
            self.fact(SlaClockCorrected, at, outcome=state.outcome, supersedes=before.event_id)
        event_id = self.facts[-1].id if self.facts else ""
        self.told = replace(self.told, outcome=state.outcome, event_id=event_id)

    def credit(self) -> None:
        """The facts for the indicators that the promise feeds: one clock is one observation, credited to whose time it was."""
        clock = self.clock
        at = clock.closed_at()
        if not clock.indicators or at is None:
            return
        subject = clock.owner_at(at) or f"department:{self.service}"
        numerator = 1 if clock.state.outcome == "met" else 0
        if (subject, numerator, at) == (self.told.subject, self.told.numerator, self.told.credited_at):
            return
        for indicator in clock.indicators:
            if self.told.subject not in ("", subject):
                self._kpi(indicator, self.told.subject, self.told.credited_at or at, 0, 0)
            self._kpi(indicator, subject, at, numerator, 1)
        self.told = replace(self.told, subject=subject, numerator=numerator, credited_at=at)

    def _kpi(self, indicator: str, subject: str, at: datetime, numerator: int, denominator: int) -> None:
        clock = self.clock
        event = KpiRecorded(
            case_id=clock.aggregate_id,
            indicator=indicator,
            subject=subject,
            occurrence=0,
            revision=len(clock.events),
            numerator=str(numerator),
            denominator=str(denominator),
            source_event_ids=list(dict.fromkeys(event.id.rpartition(":")[0] for event in clock.events))[-50:],
        )
        id = derived_id(at, self.service, clock.id, event.TYPE, indicator, subject, event.revision, numerator, denominator)
        self.facts.append(Fact(event, at, id, clock.replay_of))


def _event(entry: ClockEntry, id: str, sequence: int) -> ClockEvent:
    match entry.kind:
        case "paused":
            return Paused(id=id, at=entry.at, sequence=sequence, party=entry.party, reason=entry.reason)
        case "resumed":
            return Resumed(id=id, at=entry.at, sequence=sequence)
        case "owner_changed":
            return OwnerChanged(id=id, at=entry.at, sequence=sequence, owner=entry.owner)
        case "stopped":
            return Stopped(id=id, at=entry.at, sequence=sequence)
        case "reopened":
            return Reopened(id=id, at=entry.at, sequence=sequence)
        case "started":
            raise LookupError(f"the clock of {entry.stage} was started before")
