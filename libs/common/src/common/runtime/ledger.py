"""The clocks of a batch: what the domain said is appended, folded under the rules, told as facts, and timed.

A clock's events are append-only. What was told about it is kept beside it, so that a fact is told once, whether an event, a
timer or a new rule brought it to light, and a fact that turns out wrong is corrected rather than repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from common.contracts.event import Event
from common.contracts.sla_clocks import SlaClockOwnerChanged, SlaClockPaused, SlaClockReopened, SlaClockResumed, SlaClockStarted
from common.kernel.clock_events import ClockEvent, OwnerChanged, Paused, Reopened, Resumed, Started, Stopped
from common.kernel.clocks import ClockEntry
from common.runtime.kept_clock import MOMENT, CalendarUsed, Clock, TimerMark, WasTold, fold_under, refolded, versions
from common.runtime.metrics import Told
from common.runtime.rules import Rules
from common.runtime.telling import Fact, Telling

if TYPE_CHECKING:
    from common.runtime.unit_of_work import Cause

_FACTS: Mapping[str, type[Event]] = {
    "started": SlaClockStarted,
    "paused": SlaClockPaused,
    "resumed": SlaClockResumed,
    "owner_changed": SlaClockOwnerChanged,
    "reopened": SlaClockReopened,
}


@dataclass(slots=True)
class ClockBook:
    """The clocks of the aggregates of one batch. A scratch of it takes the changes of one event and is merged when that succeeds."""

    service: str
    rules: Rules | None
    clocks: dict[str, dict[str, Clock]] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    told: list[Told] = field(default_factory=list)

    def scratch(self) -> "ClockBook":
        """A book that sees these clocks and changes only its own copies."""
        return ClockBook(self.service, self.rules, dict(self.clocks))

    def take(self, scratch: "ClockBook") -> None:
        """Makes the changes of a scratch these clocks' own."""
        self.clocks = scratch.clocks
        self.changed |= scratch.changed
        self.told += scratch.told

    def advance(self, aggregate: str, to: datetime, *, including: bool = False) -> list[Fact]:
        """Lets time pass on all clocks of an aggregate; with `including`, just beyond `to`. What comes to light is returned."""
        facts: list[Fact] = []
        moment = to + MOMENT if including else to
        for clock in list(self.clocks.get(aggregate, {}).values()):
            if self.rules is not None and clock.folded.revision != self.rules.revision:  # published earlier in this batch
                clock = refolded(self.rules, clock)
            if clock.is_unsettled:
                clock, found = self._fold(clock, None)
                facts += found
            due = clock.next_due()
            if due is None or due >= moment:
                continue
            facts += self._fold(replace(clock, known_to=max(clock.known_to, moment)), None)[1]
        return facts

    def rederive(self, aggregate: str, to: datetime | None) -> list[Fact]:
        """Takes the newest rules into all open clocks of an aggregate. Time passes up to `to`, but on no clock of a replayed history."""
        facts: list[Fact] = []
        for clock in list(self.clocks.get(aggregate, {}).values()):
            if clock.told.outcome == "open":
                known_to = clock.known_to if to is None or clock.replay_of else max(clock.known_to, to)
                facts += self._fold(replace(clock, known_to=known_to), None)[1]
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
        return self._fold(clock, entry)[1]

    def _start(self, id: str, aggregate: str, entry: ClockEntry, event_id: str, cause: "Cause") -> list[Fact]:
        if self.rules is None or entry.kind != "started":
            raise LookupError(f"{aggregate}: the clock of {entry.stage} was never started")
        policy = self.rules.in_force(entry.at)
        promise = policy.promise(entry.stage, entry.traits)
        started = Started(id=event_id, at=entry.at, sequence=1, calendar=promise.calendar, target=promise.read_target(), owner=entry.owner)
        folded = fold_under(
            self.rules, [started], entry.at, stage=entry.stage, policy=policy.ref, traits=entry.traits, pauses=promise.pauses
        )
        clock = Clock(
            id=id,
            aggregate=aggregate,
            stage=entry.stage,
            policy=policy.ref,
            thresholds=promise.thresholds,
            indicators=promise.indicators,
            pauses=promise.pauses,
            traits=entry.traits,
            events=(started,),
            stored=0,
            known_to=entry.at,
            told=WasTold(calendars=versions(folded)),
            timer=TimerMark(),
            replay_of=cause.replay_of,
            folded=folded,
        )
        return self._fold(clock, entry)[1]

    def _fold(self, clock: Clock, entry: ClockEntry | None) -> tuple[Clock, list[Fact]]:
        assert self.rules is not None
        before = clock.state
        clock, why = _under(self.rules, clock)
        telling = Telling(self.service, clock, clock.told, clock.state.deadline or before.due_at)
        if why:
            telling.rederived(max(at for at, _ in why), ", ".join(what for _, what in why))
        if entry is not None and entry.kind in _FACTS and _moves(clock, entry):
            extra = {"party": entry.party, "reason": entry.reason} if entry.kind == "paused" else {}
            telling.fact(_FACTS[entry.kind], entry.at, **extra)
        telling.thresholds()
        telling.outcome(reopened=entry is not None and entry.kind == "reopened")
        telling.credit()
        telling.remember()
        self.told += telling.counted
        clock = replace(clock, told=telling.told)
        due = clock.next_due()
        if due != clock.timer.due_at:
            clock = replace(clock, timer=TimerMark(due, clock.timer.version + 1))
        self.clocks[clock.aggregate] = {**self.clocks.get(clock.aggregate, {}), clock.stage: clock}
        self.changed.add(clock.id)
        return clock, telling.facts


def _under(rules: Rules, clock: Clock) -> tuple[Clock, list[tuple[datetime, str]]]:
    """The clock folded anew, with the trail of what changed under it in its ledger: when, and which rule."""
    clock = refolded(rules, clock)
    folded = clock.folded
    events, why = clock.events, []
    for change, version in folded.changes:
        events = (*events, replace(change, sequence=len(events) + 1))
        why.append((change.at, f"policy {version.policy.ref}"))
    for name, used in folded.using.items():
        if clock.told.calendars.get(name, used.version) != used.version:
            number = len(events) + 1
            at = max(used.published_at, clock.state.started_at)
            events = (*events, CalendarUsed(id=f"{used.event_id}:{number}", at=at, sequence=number, calendar=name, version=used.version))
            why.append((at, f"calendar {used.ref}"))
    return replace(clock, events=events, folded=replace(folded, changes=())), why


def _moves(clock: Clock, entry: ClockEntry) -> bool:
    """Whether the promise lets this pause, or the end of one, count."""
    if entry.kind == "paused":
        return clock.pauses is None or entry.reason in clock.pauses or entry.party in clock.pauses
    if entry.kind == "resumed" and clock.pauses is not None:
        return next(event.id for event in reversed(clock.events) if isinstance(event, Resumed)) not in clock.state.ignored
    return True


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
