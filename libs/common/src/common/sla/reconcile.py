"""What has to be published of one clock, given what was published before: each fact once, and a wrong one corrected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from common.contracts.event import Event
from common.contracts.kpi_facts import KpiRecorded, dimensions_of
from common.contracts.sla_clocks import (
    SlaClockAtRisk,
    SlaClockBreached,
    SlaClockCorrected,
    SlaClockExtended,
    SlaClockExtensionRefused,
    SlaClockMet,
    SlaClockOwnerChanged,
    SlaClockPaused,
    SlaClockRederived,
    SlaClockReopened,
    SlaClockRestarted,
    SlaClockRestartRefused,
    SlaClockResumed,
    SlaClockStarted,
    SlaClockVoided,
)
from common.kernel.clock_events import ClockEvent, Extended, OwnerChanged, Paused, Reopened, Restarted, Resumed, Started, Voided
from common.kernel.clock_shares import share_before, used_share
from common.kernel.clock_state import ClockState
from common.kernel.exact import decimal_text, ratio_text
from common.kernel.ids import derived_id
from common.kernel.instants import SECOND
from common.kernel.targets import NoPromise
from common.sla.clock import Clock, Published, PublishedRound, ThresholdDue
from common.sla.ledger import refused_by_policy
from common.sla.rulebook import Rulebook

_FACTS: Mapping[type[ClockEvent], type[Event]] = {
    Started: SlaClockStarted,
    Paused: SlaClockPaused,
    Resumed: SlaClockResumed,
    OwnerChanged: SlaClockOwnerChanged,
    Reopened: SlaClockReopened,
    Voided: SlaClockVoided,
    Extended: SlaClockExtended,
    Restarted: SlaClockRestarted,
}
"""The events of a case that are facts by themselves; a stop shows in the outcome, another trait in the deadline."""

Why = Literal["after_deadline", "ended", "nothing_promised", "too_many", "too_long"]
"""Why an extension or a restart changes nothing."""

_NOT_TOLD = ("open", "none", "superseded")
"""The outcomes that nobody is told."""

_RULES = 256
"""A KPI fact's revision has room for one rule less than that. A service that has had more publishes by the next free revision."""


class Fact(NamedTuple):
    """Something that came to light about a clock: the event, when it happened, the id that it has whoever finds it."""

    event: Event
    at: datetime
    id: str
    replay_of: str


@dataclass(frozen=True, slots=True)
class FirstOutcome:
    """An outcome that is published for the first time: the stage, met or breached, and the share of the target that was used."""

    stage: str
    outcome: str
    used_share: float


class Change(NamedTuple):
    """Why a clock was folded anew: an event of its case, where it counts, and the rules and traits that are new to it, by instant."""

    event: ClockEvent | None = None
    new_terms: Sequence[tuple[datetime, str]] = ()
    refused: "tuple[Extended | Restarted, Why] | None" = None
    """An extension or a restart that changes nothing, and why."""


class Reconciled(NamedTuple):
    """What a reconciliation finds: the facts to publish, in order, and what will then have been published."""

    published: Published
    facts: tuple[Fact, ...]
    first_outcomes: Sequence[FirstOutcome]
    thresholds: Sequence[ThresholdDue]
    """Those that are yet to come."""


def reconcile(clock: Clock, rulebook: Rulebook, change: Change, deadline: datetime | None) -> Reconciled:
    """Compares a folded clock with what was published of it; `deadline` is the one that the facts name.

    The order of the facts is: other terms, the event itself, thresholds, outcome, KPI facts.
    """
    published, state = clock.published, clock.state
    facts = _Facts(clock, deadline)
    told = [*published.rounds, *[PublishedRound()] * (len(clock.rounds) - len(published.rounds))]
    if change.new_terms and clock.is_open and (state.deadline, state.is_provisional) != (published.deadline, published.provisional):
        why = ", ".join(term for _, term in change.new_terms)
        facts.add(SlaClockRederived, max(at for at, _ in change.new_terms), was=published.deadline, why=why)
    if change.event is not None and (kind := _FACTS.get(type(change.event))) is not None:
        number = clock.round_at(change.event.at)
        id = facts.add(kind, change.event.at, number, **_extra(change.event, clock))
        if kind is SlaClockReopened and told[number].outcome == "met":
            told[number] = replace(told[number], outcome="open", outcome_id="")  # open again for whoever knows that it was met
        elif kind is SlaClockVoided and told[number].outcome in _NOT_TOLD and clock.rounds[number].outcome == "void":
            told[number] = replace(told[number], outcome="void", outcome_id=id)
    if change.refused is not None:
        refused, why_not = change.refused
        kind = SlaClockExtensionRefused if isinstance(refused, Extended) else SlaClockRestartRefused
        facts.add(kind, refused.at, clock.round_at(refused.at), reason=refused.reason, by=refused.by, why=why_not)
    reached, to_come = _thresholds(clock, facts)
    rounds = [clock.rounds[number] if number < len(clock.rounds) else None for number in range(len(told))]
    first_outcomes = [
        FirstOutcome(clock.stage, now.outcome, float(used_share(now) or 0))
        for now, before in zip(rounds, told, strict=True)
        if now is not None and before.outcome in _NOT_TOLD and now.outcome in ("met", "breached")
    ]
    told = [_with_outcome(clock, facts, number, now, before) for number, (now, before) in enumerate(zip(rounds, told, strict=True))]
    credited = [_credited(clock, rulebook, number, now, before) for number, (now, before) in enumerate(zip(rounds, told, strict=True))]
    return Reconciled(
        Published(
            rounds=tuple(one for one, _ in credited),
            thresholds=(*published.thresholds, *reached),
            facts=facts.number,
            deadline=state.deadline,
            provisional=state.is_provisional,
            rules=clock.folded.rules,
        ),
        (*facts.found, *(fact for _, found in credited for fact in found)),
        first_outcomes,
        to_come,
    )


class _Facts:
    """The facts of one clock as they are found. The id of each follows from the clock and its number, not from who found it."""

    def __init__(self, clock: Clock, deadline: datetime | None) -> None:
        self._clock = clock
        self._deadline = deadline
        self.number = clock.published.facts
        self.found: list[Fact] = []

    def add(self, kind: type[Event], at: datetime, round: int | None = None, **extra: Any) -> str:
        """Adds one fact about a round, the last one unless it is said, and returns the fact's id."""
        clock, last = self._clock, len(self._clock.rounds) - 1
        number = last if round is None else round
        about = clock.rounds[number] if number < last else None
        self.number += 1
        event = kind(
            clock_id=clock.id,
            service=clock.service,
            stage=clock.stage,
            aggregate_id=clock.aggregate_id,
            round=number + 1,
            policy=clock.folded.terms_at(at).policy,
            at=at,
            deadline=self._deadline if about is None else about.deadline,
            provisional=(about or clock.state).is_provisional,
            owner=clock.owner_at(at),
            **extra,
        )
        id = derived_id(at, clock.service, clock.id, kind.TYPE, self.number)
        self.found.append(Fact(event, at, id, clock.replay_of))
        return id


def why_refused(clock: Clock, event: Extended | Restarted) -> Why | None:
    """Why an extension or a restart in the clock's ledger changes nothing; None where it counts."""
    if by_policy := refused_by_policy(clock.events, clock.folded.terms).get(event.id):
        return by_policy
    if event.id not in clock.state.ignored:
        return None
    if isinstance(event, Restarted):
        return "ended"
    about = clock.rounds[clock.round_at(event.at)]
    if isinstance(about.target, NoPromise):
        return "nothing_promised"
    return "after_deadline" if about.breached_at is not None and about.breached_at <= event.at else "ended"


def _extra(event: ClockEvent, clock: Clock) -> dict[str, Any]:
    match event:
        case Paused(party=party, reason=reason):
            return {"party": party, "reason": reason}
        case Voided(reason=reason, owed=owed, by=by):
            return {"reason": reason, "owed": owed, "by": by}
        case Extended(reason=reason, by=by):
            return {"reason": reason, "by": by, "was": clock.published.deadline}
        case Restarted(reason=reason, by=by):
            ended = clock.rounds[clock.round_at(event.at) - 1]
            return {"reason": reason, "by": by, "was": clock.published.deadline, "ended": ended.outcome}
        case _:
            return {}


def _thresholds(clock: Clock, facts: _Facts) -> tuple[list[str], Sequence[ThresholdDue]]:
    """Adds each threshold that was reached while the clock still runs; the keys of these, and the thresholds yet to come."""
    reached: list[str] = []
    due = clock.thresholds_due()
    for number, one in enumerate(due):
        if one.at >= clock.as_of:
            return reached, due[number:]
        share, before = one.threshold.share, one.threshold.before
        used = share_before(clock.state, before) if before is not None else share or Fraction(1)
        left = None if before is None else before // SECOND
        facts.add(SlaClockAtRisk, one.at, used_share=ratio_text(used), before_seconds=left, notify=one.threshold.notify)
        reached.append(one.key)
    return reached, ()


def _with_outcome(clock: Clock, facts: _Facts, number: int, now: ClockState | None, before: PublishedRound) -> PublishedRound:
    """Adds the outcome of a round, or the correction of the one that was published; None is a round that is no more."""
    if now is None and before.outcome in _NOT_TOLD:
        return replace(before, outcome="open")
    outcome = "void" if now is None else now.outcome
    if outcome == before.outcome:
        return before
    at = (None if now is None else clock.closed_at(now)) or clock.as_of
    if before.outcome not in _NOT_TOLD:
        id = facts.add(SlaClockCorrected, at, number, outcome=outcome, supersedes=before.outcome_id)
    elif now is not None and outcome == "breached":
        id = facts.add(SlaClockBreached, at, number)
    elif now is not None and outcome == "met":
        id = facts.add(SlaClockMet, at, number, elapsed_working_seconds=decimal_text(Fraction(now.elapsed_micros, 10**6)))
    elif now is not None and outcome == "void":
        void = next(event for event in clock.events if isinstance(event, Voided) and event.id not in clock.state.ignored)
        id = facts.add(SlaClockVoided, void.at, number, **_extra(void, clock))  # a round that a late event has put before the void
    else:
        id = ""
    return replace(before, outcome=outcome, outcome_id=id)


def _credited(
    clock: Clock, rulebook: Rulebook, number: int, now: ClockState | None, before: PublishedRound
) -> tuple[PublishedRound, list[Fact]]:
    """The KPI facts for the indicators that the promise feeds: one round is one observation, credited to whose time it was.

    The revision counts the events of the case and the excused windows that are about it, then the rules that were effective by
    then, then whether it was breached; every new one is published. So the last fact about a round is the same in every order of
    arrival. A round that is open again takes its fact back, as 0 of 0.
    """
    at, outcome = (None, "void") if now is None else (clock.closed_at(now), now.outcome)
    indicators = () if at is None else clock.folded.terms_at(at).promise.indicators
    subject = (clock.owner_at(at) or f"department:{clock.service}") if at is not None and indicators else ""
    effective = 0 if at is None else min(rulebook.number_effective(at), _RULES - 1)
    revision = 2 * (_RULES * (clock.events_of_case + clock.folded.excuses) + effective) + (outcome == "breached")
    if (indicators, subject, at, revision) == (before.indicators, before.subject, before.credited_at, before.revision):
        return before, []
    revision = max(revision, before.revision + 1)  # of several late rules one may put the outcome before another that had counted
    facts: list[Fact] = []
    if before.credited_at is not None:
        taken_back = [one for one in before.indicators if before.subject != subject or one not in indicators]
        facts += [_kpi(clock, number, one, before.subject, before.credited_at, 0, 0, revision) for one in taken_back]
    if at is not None:
        facts += [_kpi(clock, number, one, subject, at, int(outcome == "met"), 1, revision) for one in indicators]
    return replace(before, indicators=indicators, subject=subject, credited_at=at, revision=revision), facts


def _kpi(clock: Clock, round: int, indicator: str, subject: str, at: datetime, numerator: int, denominator: int, revision: int) -> Fact:
    nothing_counts = denominator == 0
    event = KpiRecorded(
        case_id=clock.aggregate_id,
        indicator=indicator,
        subject=subject,
        occurrence=round,
        revision=revision,
        numerator=str(numerator),
        denominator=str(denominator),
        dimensions={} if nothing_counts else dimensions_of(clock.folded.terms_at(at).traits, clock.team_at(at)),
        source_event_ids=list(dict.fromkeys(event.id.rpartition(":")[0] for event in clock.events))[-50:],
    )
    of_round = (round,) if round else ()
    id = derived_id(at, clock.service, clock.id, event.TYPE, indicator, subject, revision, numerator, denominator, *of_round)
    return Fact(event, at, id, clock.replay_of)
