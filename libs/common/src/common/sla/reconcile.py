"""What has to be published of one clock, given what was published before: each fact once, and a wrong one corrected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    SlaClockResumed,
    SlaClockStarted,
    SlaClockVoided,
)
from common.kernel.clock_events import ClockEvent, Extended, OwnerChanged, Paused, Reopened, Resumed, Started, Voided
from common.kernel.clock_shares import share_before, used_share
from common.kernel.exact import decimal_text, ratio_text
from common.kernel.ids import derived_id
from common.kernel.instants import SECOND
from common.kernel.targets import NoPromise
from common.sla.clock import Clock, Published, ThresholdDue
from common.sla.ledger import refused_extensions
from common.sla.rulebook import Rulebook

_FACTS: Mapping[type[ClockEvent], type[Event]] = {
    Started: SlaClockStarted,
    Paused: SlaClockPaused,
    Resumed: SlaClockResumed,
    OwnerChanged: SlaClockOwnerChanged,
    Reopened: SlaClockReopened,
    Voided: SlaClockVoided,
    Extended: SlaClockExtended,
}
"""The events of a case that are facts by themselves; a stop shows in the outcome, another trait in the deadline."""

Why = Literal["after_deadline", "ended", "nothing_promised", "too_many", "too_long"]
"""Why an extension changes nothing."""

_NOT_TOLD = ("open", "none")
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
    refused: "tuple[Extended, Why] | None" = None
    """An extension that changes nothing, and why."""


class Reconciled(NamedTuple):
    """What a reconciliation finds: the facts to publish, in order, and what will then have been published."""

    published: Published
    facts: tuple[Fact, ...]
    first_outcome: FirstOutcome | None
    thresholds: Sequence[ThresholdDue]
    """Those that are yet to come."""


def reconcile(clock: Clock, rulebook: Rulebook, change: Change, deadline: datetime | None) -> Reconciled:
    """Compares a folded clock with what was published of it; `deadline` is the one that the facts name.

    The order of the facts is: other terms, the event itself, thresholds, outcome, KPI facts.
    """
    published, state = clock.published, clock.state
    facts = _Facts(clock, deadline)
    outcome, outcome_id = published.outcome, published.outcome_id
    if change.new_terms and clock.is_open and (state.deadline, state.is_provisional) != (published.deadline, published.provisional):
        why = ", ".join(term for _, term in change.new_terms)
        facts.add(SlaClockRederived, max(at for at, _ in change.new_terms), was=published.deadline, why=why)
    if change.event is not None and (kind := _FACTS.get(type(change.event))) is not None:
        told = facts.add(kind, change.event.at, **_extra(change.event, published))
        if kind is SlaClockReopened and outcome == "met":
            outcome, outcome_id = "open", ""  # open again for whoever knows that it was met
        elif kind is SlaClockVoided and outcome in _NOT_TOLD and state.outcome == "void":
            outcome, outcome_id = "void", told
    if change.refused is not None:
        extended, why_not = change.refused
        facts.add(SlaClockExtensionRefused, extended.at, reason=extended.reason, by=extended.by, why=why_not)
    reached, to_come = _thresholds(clock, facts)
    first_outcome = None
    if state.outcome != outcome:
        if outcome in _NOT_TOLD and state.outcome in ("met", "breached"):
            first_outcome = FirstOutcome(clock.stage, state.outcome, float(used_share(state) or 0))
        outcome, outcome_id = state.outcome, _add_outcome(clock, facts, outcome, outcome_id)
    credit, kpi_facts = _credited(clock, rulebook)
    return Reconciled(
        Published(
            outcome=outcome,
            outcome_id=outcome_id,
            thresholds=(*published.thresholds, *reached),
            indicators=credit.indicators,
            subject=credit.subject,
            credited_at=credit.at,
            revision=credit.revision,
            facts=facts.number,
            deadline=state.deadline,
            provisional=state.is_provisional,
            rules=clock.folded.rules,
        ),
        (*facts.found, *kpi_facts),
        first_outcome,
        to_come,
    )


class _Facts:
    """The facts of one clock as they are found. The id of each follows from the clock and its number, not from who found it."""

    def __init__(self, clock: Clock, deadline: datetime | None) -> None:
        self._clock = clock
        self._deadline = deadline
        self.number = clock.published.facts
        self.found: list[Fact] = []

    def add(self, kind: type[Event], at: datetime, **extra: Any) -> str:
        """Adds one fact and returns its id."""
        clock = self._clock
        self.number += 1
        event = kind(
            clock_id=clock.id,
            service=clock.service,
            stage=clock.stage,
            aggregate_id=clock.aggregate_id,
            policy=clock.folded.terms_at(at).policy,
            at=at,
            deadline=self._deadline,
            provisional=clock.state.is_provisional,
            owner=clock.owner_at(at),
            **extra,
        )
        id = derived_id(at, clock.service, clock.id, kind.TYPE, self.number)
        self.found.append(Fact(event, at, id, clock.replay_of))
        return id


def why_refused(clock: Clock, extended: Extended) -> Why | None:
    """Why an extension in the clock's ledger changes nothing; None where it counts."""
    if by_policy := refused_extensions(clock.events, clock.folded.terms).get(extended.id):
        return by_policy
    if extended.id not in clock.state.ignored:
        return None
    if isinstance(clock.state.target, NoPromise):
        return "nothing_promised"
    breached_at = clock.state.breached_at
    return "after_deadline" if breached_at is not None and breached_at <= extended.at else "ended"


def _extra(event: ClockEvent, published: Published) -> dict[str, Any]:
    match event:
        case Paused(party=party, reason=reason):
            return {"party": party, "reason": reason}
        case Voided(reason=reason, owed=owed, by=by):
            return {"reason": reason, "owed": owed, "by": by}
        case Extended(reason=reason, by=by):
            return {"reason": reason, "by": by, "was": published.deadline}
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


def _add_outcome(clock: Clock, facts: _Facts, before: str, before_id: str) -> str:
    """Adds the outcome, or the correction of the one that was published; returns the fact's id, none where nothing has to be told."""
    state = clock.state
    at = clock.closed_at() or clock.as_of
    if before in _NOT_TOLD and state.outcome in _NOT_TOLD:
        return ""
    if before not in _NOT_TOLD:
        return facts.add(SlaClockCorrected, at, outcome=state.outcome, supersedes=before_id)
    if state.outcome == "breached":
        return facts.add(SlaClockBreached, at)
    return facts.add(SlaClockMet, at, elapsed_working_seconds=decimal_text(Fraction(state.elapsed_micros, 10**6)))


class _Credit(NamedTuple):
    """Who is credited with a clock, for which indicators, from when, in which revision; nobody while it is open."""

    indicators: tuple[str, ...]
    subject: str
    at: datetime | None
    revision: int


def _credited(clock: Clock, rulebook: Rulebook) -> tuple[_Credit, list[Fact]]:
    """The KPI facts for the indicators that the promise feeds: one clock is one observation, credited to whose time it was.

    The revision counts the events of the case and the excused windows that are about it, then the rules that were effective by
    then, then whether it was breached; every new one is published. So the last fact about a clock is the same in every order of
    arrival. A clock that is open again takes its fact back, as 0 of 0.
    """
    published, at = clock.published, clock.closed_at()
    before = _Credit(published.indicators, published.subject, published.credited_at, published.revision)
    indicators = () if at is None else clock.folded.terms_at(at).promise.indicators
    subject = (clock.owner_at(at) or f"department:{clock.service}") if at is not None and indicators else ""
    numerator = 1 if clock.state.outcome == "met" else 0
    breached = clock.state.outcome == "breached"
    effective = 0 if at is None else min(rulebook.number_effective(at), _RULES - 1)
    revision = 2 * (_RULES * (clock.events_of_case + clock.folded.excuses) + effective) + breached
    if (indicators, subject, at, revision) == (before.indicators, before.subject, before.at, before.revision):
        return before, []
    revision = max(revision, before.revision + 1)  # of several late rules one may put the outcome before another that had counted
    facts: list[Fact] = []
    if before.at is not None:
        taken_back = [one for one in before.indicators if before.subject != subject or one not in indicators]
        facts += [_kpi(clock, one, before.subject, before.at, 0, 0, revision) for one in taken_back]
    if at is not None:
        facts += [_kpi(clock, one, subject, at, numerator, 1, revision) for one in indicators]
    return _Credit(indicators, subject, at, revision), facts


def _kpi(clock: Clock, indicator: str, subject: str, at: datetime, numerator: int, denominator: int, revision: int) -> Fact:
    nothing_counts = denominator == 0
    event = KpiRecorded(
        case_id=clock.aggregate_id,
        indicator=indicator,
        subject=subject,
        occurrence=0,
        revision=revision,
        numerator=str(numerator),
        denominator=str(denominator),
        dimensions={} if nothing_counts else dimensions_of(clock.folded.terms_at(at).traits, clock.team_at(at)),
        source_event_ids=list(dict.fromkeys(event.id.rpartition(":")[0] for event in clock.events))[-50:],
    )
    id = derived_id(at, clock.service, clock.id, event.TYPE, indicator, subject, revision, numerator, denominator)
    return Fact(event, at, id, clock.replay_of)
