"""The clocks of one transaction: what the domain says is appended to their ledgers, folded, reconciled into facts, and timed.

A ledger is append-only. What was published of a clock is kept beside it, so that a fact is published once, whether an event, a
timer or a new rule brought it to light, and a fact that turns out wrong is corrected rather than repeated.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from common.contracts.cause import Cause
from common.kernel.clock_events import Changed, ClockEvent, Extended, Paused, Restarted, Started
from common.sla.clock import MOMENT, Clock, Published, TimerMark, refolded
from common.sla.ledger import Ledger, RuleUsed, fold_ledger
from common.sla.reconcile import Change, Fact, FirstOutcome, reconcile, why_refused
from common.sla.rulebook import Rulebook


@dataclass(slots=True)
class ClockBook:
    """The clocks of the aggregates of one transaction. A scratch of it takes the changes of one event and is merged when that succeeds."""

    service: str
    rulebook: Rulebook
    clocks: dict[str, dict[str, Clock]] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    first_outcomes: list[FirstOutcome] = field(default_factory=list)

    def scratch(self) -> "ClockBook":
        """A book that sees these clocks and changes only its own copies."""
        return ClockBook(self.service, self.rulebook, dict(self.clocks))

    def merge(self, scratch: "ClockBook") -> None:
        """Makes the changes of a scratch these clocks' own."""
        self.clocks = scratch.clocks
        self.changed |= scratch.changed
        self.first_outcomes += scratch.first_outcomes

    def advance(self, aggregate: str, to: datetime, *, including: bool = False) -> list[Fact]:
        """Lets time pass on all clocks of an aggregate, up to `to`; with `including`, just beyond it. What comes to light is returned."""
        facts: list[Fact] = []
        moment = to + MOMENT if including else to
        for clock in list(self.clocks.get(aggregate, {}).values()):
            clock = self._as_of(clock, clock.as_of)
            if clock.owes_rules:
                clock, found = self._keep(clock, clock)
                facts += found
            while (due := clock.due_at) is not None and due < moment:
                clock, found = self._keep(clock, self._as_of(clock, _next_stop(clock, moment)))
                facts += found
        return facts

    def rederive(self, aggregate: str, to: datetime | None) -> list[Fact]:
        """Applies the newest rulebook to all clocks of an aggregate; time passes up to `to` on open ones that are no history."""
        facts: list[Fact] = []
        for clock in list(self.clocks.get(aggregate, {}).values()):
            instant = clock.as_of if to is None or clock.replay_of or clock.told.outcome != "open" else to
            facts += self._keep(clock, self._as_of(clock, instant))[1]
        return facts

    def record(self, aggregate: str, stage: str, event: ClockEvent, cause: Cause, number: int) -> list[Fact]:
        """Appends what the domain says about one clock, the `number`-th thing that follows from `cause`; returns the facts."""
        id = f"{cause.event_id or cause.id}:{number}"
        clock = self.clocks.get(aggregate, {}).get(stage)
        if clock is None:
            return self._start(aggregate, stage, event, id, cause)
        if isinstance(event, Started):
            raise LookupError(f"the clock of {stage} was started before")
        event = replace(event, id=id, sequence=len(clock.events) + 1)
        folded = refolded(self.rulebook, clock, clock.ledger.and_event(event), max(clock.as_of, event.at))
        return self._keep(clock, folded, event)[1]

    def _start(self, aggregate: str, stage: str, event: ClockEvent, id: str, cause: Cause) -> list[Fact]:
        if not isinstance(event, Started):
            raise LookupError(f"{aggregate}: the clock of {stage} was never started")
        event = replace(event, id=id, sequence=1)
        ledger = Ledger(stage, (event,))
        folded = fold_ledger(self.rulebook, ledger, event.at)
        clock = Clock(
            id=f"{self.service}:{aggregate.partition(':')[2]}:{stage}",
            aggregate=aggregate,
            ledger=ledger,
            stored=0,
            as_of=event.at,
            published=Published(rules=folded.rules),
            timer=TimerMark(),
            replay_of=cause.replay_of,
            folded=folded,
            timed_under=folded.revision,
        )
        return self._keep(clock, clock, event)[1]

    def _as_of(self, clock: Clock, instant: datetime) -> Clock:
        """The clock under the newest rulebook, as of an instant or of a later one that it was folded for before."""
        if instant <= clock.as_of and clock.folded.revision == self.rulebook.revision:
            return clock
        return refolded(self.rulebook, clock, clock.ledger, max(clock.as_of, instant))

    def _keep(self, before: Clock, clock: Clock, event: ClockEvent | None = None) -> tuple[Clock, list[Fact]]:
        """Takes over a clock that was folded anew, with what has to be published of the difference, and sets its timer."""
        clock, new_terms = _with_trail(clock)
        if isinstance(event, Changed):
            new_terms.append((event.at, ", ".join(f"{name} {value}" for name, value in event.traits.items())))
        if isinstance(event, Extended | Restarted) and (why := why_refused(clock, event)) is not None:
            change = Change(None, new_terms, (event, why))
        else:
            change = Change(event if event is not None and _counts(clock, event) else None, new_terms)
        found = reconcile(clock, self.rulebook, change, clock.state.deadline or before.state.due_at)
        self.first_outcomes += found.first_outcomes
        due, timer = clock.next_due(found.thresholds), clock.timer
        if due != timer.due_at:
            timer = TimerMark(due, timer.version + 1)
        clock = clock._replace(published=found.published, timer=timer, timed_under=clock.folded.revision)
        self.clocks[clock.aggregate] = {**self.clocks.get(clock.aggregate, {}), clock.stage: clock}
        self.changed.add(clock.id)
        return clock, list(found.facts)


def _next_stop(clock: Clock, moment: datetime) -> datetime:
    """Advance at most to just before the next rule change: what fell due earlier must be published under the old rules."""
    change = clock.folded.next_change_at
    if change is None or change > moment:
        return moment
    return change - MOMENT if clock.as_of < change - MOMENT else change


def _with_trail(clock: Clock) -> tuple[Clock, list[tuple[datetime, str]]]:
    """The clock with a trail in its ledger of the rules that are new to it: from when on, and which."""
    ledger, new = clock.ledger, []
    for one in clock.folded.in_force:
        if one.rule not in clock.published.rules:
            number = len(ledger.events) + 1
            at = max(one.effective_at, clock.state.started_at)
            ledger = ledger.and_event(RuleUsed(id=f"{one.event_id or one.rule}:{number}", at=at, sequence=number, rule=one.rule))
            new.append((at, one.rule))
    return (clock._replace(ledger=ledger) if new else clock), new


def _counts(clock: Clock, event: ClockEvent) -> bool:
    """Whether an event that was just appended counts: the state admits it, and a pause is one by what was promised then."""
    if isinstance(event, Paused) and not clock.folded.terms_at(event.at).counts(event):
        return False
    return event.id not in clock.state.ignored
