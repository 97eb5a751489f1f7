"""The clocks of a batch: what the domain said is appended, folded under the rules, told as facts, and timed.

A clock's events are append-only. What was told about it is kept beside it, so that a fact is told once, whether an event, a
timer or a new rule brought it to light, and a fact that turns out wrong is corrected rather than repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from common.contracts.cause import Cause
from common.contracts.event import Event
from common.contracts.sla_clocks import SlaClockOwnerChanged, SlaClockPaused, SlaClockReopened, SlaClockResumed, SlaClockStarted
from common.kernel.clock_events import OwnerChanged, Paused, Reopened, Resumed, Started, Stopped
from common.kernel.clocks import ClockEntry
from common.sla.clock import MOMENT, Clock, Published, TimerMark, refolded
from common.sla.ledger import Ledger, LedgerEvent, RuleUsed, TraitsChanged, fold_under
from common.sla.reconcile import Fact, Telling, Told
from common.sla.rulebook import Rulebook

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
    rules: Rulebook | None
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
            clock = self._at(clock, clock.as_of)
            if clock.is_unsettled:
                clock, found = self._tell(clock, clock)
                facts += found
            while (due := clock.due_at) is not None and due < moment:
                clock, found = self._tell(clock, self._at(clock, _next_stop(clock, moment)))
                facts += found
        return facts

    def rederive(self, aggregate: str, to: datetime | None) -> list[Fact]:
        """Takes the newest rules into all clocks of an aggregate; time passes up to `to` on open ones that are no history."""
        facts: list[Fact] = []
        for clock in list(self.clocks.get(aggregate, {}).values()):
            waits = to is None or clock.replay_of or clock.told.outcome != "open"
            facts += self._tell(clock, self._at(clock, clock.as_of if waits or to is None else to))[1]
        return facts

    def record(self, aggregate: str, entry: ClockEntry, cause: Cause, number: int) -> list[Fact]:
        """Appends what the domain said about one clock, and tells what follows."""
        clock_id = f"{self.service}:{aggregate.partition(':')[2]}:{entry.stage}"
        event_id = f"{cause.event_id or cause.id}:{number}"
        clock = self.clocks.get(aggregate, {}).get(entry.stage)
        if clock is None:
            return self._start(clock_id, aggregate, entry, event_id, cause)
        assert self.rules is not None
        event = _event(entry, event_id, len(clock.events) + 1)
        said = refolded(self.rules, clock, clock.ledger.and_event(event), max(clock.as_of, entry.at))
        return self._tell(clock, said, entry)[1]

    def _start(self, id: str, aggregate: str, entry: ClockEntry, event_id: str, cause: Cause) -> list[Fact]:
        if self.rules is None or entry.kind != "started":
            raise LookupError(f"{aggregate}: the clock of {entry.stage} was never started")
        promise = self.rules.policies_since(entry.at)[0].policy.promise(entry.stage, entry.traits)
        started = Started(id=event_id, at=entry.at, sequence=1, calendar=promise.calendar, target=promise.target, owner=entry.owner)
        ledger = Ledger(entry.stage, entry.traits, (started,))
        folded = fold_under(self.rules, ledger, entry.at)
        clock = Clock(
            id=id,
            aggregate=aggregate,
            ledger=ledger,
            stored=0,
            as_of=entry.at,
            told=Published(rules=folded.rules),
            timer=TimerMark(),
            replay_of=cause.replay_of,
            folded=folded,
            timed_under=folded.revision,
        )
        return self._tell(clock, clock, entry)[1]

    def _at(self, clock: Clock, as_of: datetime) -> Clock:
        """The clock under the newest rules, at an instant or where it is known already beyond it."""
        assert self.rules is not None
        if as_of <= clock.as_of and clock.folded.revision == self.rules.revision:
            return clock
        return refolded(self.rules, clock, clock.ledger, max(clock.as_of, as_of))

    def _tell(self, before: Clock, clock: Clock, entry: ClockEntry | None = None) -> tuple[Clock, list[Fact]]:
        """Keeps a clock that was folded anew, and finds what has to be told of the difference."""
        assert self.rules is not None
        clock, why = _with_trail(clock)
        if entry is not None and entry.kind == "changed":
            why.append((entry.at, ", ".join(f"{name} {value}" for name, value in entry.traits.items())))
        telling = Telling(self.service, self.rules, clock, clock.state.deadline or before.state.due_at)
        if why:
            telling.rederived(max(at for at, _ in why), ", ".join(what for _, what in why))
        if entry is not None and entry.kind in _FACTS and _counts(clock, entry):
            extra = {"party": entry.party, "reason": entry.reason} if entry.kind == "paused" else {}
            telling.said(_FACTS[entry.kind], entry.at, **extra)
        to_come = telling.thresholds()
        telling.outcome()
        telling.credit()
        telling.remember()
        self.told += telling.counted
        due, timer = clock.next_due(to_come), clock.timer
        if due != timer.due_at:
            timer = TimerMark(due, timer.version + 1)
        clock = replace(clock, told=telling.told, timer=timer, timed_under=clock.folded.revision)
        self.clocks[clock.aggregate] = {**self.clocks.get(clock.aggregate, {}), clock.stage: clock}
        self.changed.add(clock.id)
        return clock, telling.facts


def _next_stop(clock: Clock, moment: datetime) -> datetime:
    """How far time may pass at once: what other rules promise from an instant on says nothing of what was due before it."""
    rule = clock.folded.due_at
    if rule is None or rule > moment:
        return moment
    return rule - MOMENT if clock.as_of < rule - MOMENT else rule


def _with_trail(clock: Clock) -> tuple[Clock, list[tuple[datetime, str]]]:
    """The clock with a trail in its ledger of the rules that are new to it: since when, and which."""
    ledger, why = clock.ledger, []
    for used in clock.folded.used:
        if used.rule not in clock.told.rules:
            number = len(ledger.events) + 1
            at = max(used.since, clock.state.started_at)
            ledger = ledger.and_event(RuleUsed(id=f"{used.event_id or used.rule}:{number}", at=at, sequence=number, rule=used.rule))
            why.append((at, used.rule))
    return (replace(clock, ledger=ledger) if why else clock), why


def _counts(clock: Clock, entry: ClockEntry) -> bool:
    """Whether what was just said counts: the state admits it, and a pause is one by what was promised then."""
    said = next(event for event in reversed(clock.events) if not isinstance(event, RuleUsed))
    if isinstance(said, Paused) and not clock.folded.terms_at(entry.at).counts(said):
        return False
    return said.id not in clock.state.ignored


def _event(entry: ClockEntry, id: str, sequence: int) -> LedgerEvent:
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
        case "changed":
            return TraitsChanged(id=id, at=entry.at, sequence=sequence, traits=entry.traits, reason=entry.reason)
        case "started":
            raise LookupError(f"the clock of {entry.stage} was started before")
