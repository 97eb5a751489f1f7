"""What has to be published about one clock, given what was published before: each fact once, and a wrong one corrected."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from common.contracts.event import Event
from common.contracts.kpi_facts import KpiRecorded
from common.contracts.sla_clocks import (
    SlaClockAtRisk,
    SlaClockBreached,
    SlaClockCorrected,
    SlaClockMet,
    SlaClockRederived,
    SlaClockReopened,
)
from common.kernel.clock_shares import share_before, used_share
from common.kernel.exact import decimal_text, ratio_text
from common.kernel.ids import derived_id
from common.kernel.instants import SECOND
from common.sla.clock import Clock, ThresholdDue
from common.sla.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that came to light about a clock: the event, when it happened, the id that it has whoever finds it."""

    event: Event
    at: datetime
    id: str
    replay_of: str


@dataclass(frozen=True, slots=True)
class Told:
    """An outcome as it was first published: the stage, met or breached, and the share of the target that was used."""

    stage: str
    outcome: str
    used_share: float


_RULES = 256
"""More rules than that are published in no clock's time."""


class Telling:
    """Finds what has to be published about one clock, given what was published before."""

    def __init__(self, service: str, rules: Rulebook, clock: Clock, deadline: datetime | None) -> None:
        self.service = service
        self.rules = rules
        self.clock = clock
        self.told = clock.told.copy()
        self._said = clock.said
        self.deadline = deadline
        self.facts: list[Fact] = []
        self.counted: list[Told] = []

    def fact(self, kind: type[Event], at: datetime, **extra: Any) -> None:
        """One fact; its id follows from the clock and the number of the fact, not from who found it."""
        clock = self.clock
        self.told.facts += 1
        event = kind(
            clock_id=clock.id,
            service=self.service,
            stage=clock.stage,
            aggregate_id=clock.aggregate_id,
            policy=clock.folded.terms_at(at).policy,
            at=at,
            deadline=self.deadline,
            provisional=clock.state.is_provisional,
            owner=clock.owner_at(at),
            **extra,
        )
        id = derived_id(at, self.service, clock.id, kind.TYPE, self._said, self.told.facts)
        self.facts.append(Fact(event, at, id, clock.replay_of))

    def said(self, kind: type[Event], at: datetime, **extra: Any) -> None:
        """What the domain said; a clock that is reopened is open again for whoever was told that it was met."""
        self.fact(kind, at, **extra)
        if kind is SlaClockReopened and self.told.outcome == "met":
            self.told.outcome, self.told.event_id = "open", ""

    def rederived(self, at: datetime, why: str) -> None:
        """Another calendar or target counts: told where it moves the deadline of an open clock, or makes it certain."""
        state, told = self.clock.state, self.told
        if self.clock.is_open and (state.deadline, state.is_provisional) != (told.deadline, told.provisional):
            self.fact(SlaClockRederived, at, was=told.deadline, why=why)

    def thresholds(self) -> Sequence[ThresholdDue]:
        """A threshold that was reached while the clock still runs, each once; those that are yet to come are returned."""
        clock = self.clock
        to_come = clock.thresholds_due()
        for number, due in enumerate(to_come):
            if due.at >= clock.as_of:
                return to_come[number:]
            share, before = due.threshold.share, due.threshold.before
            used = share_before(clock.state, before) if before is not None else share or Fraction(1)
            self.told.thresholds = (*self.told.thresholds, due.key)
            left = None if before is None else before // SECOND
            self.fact(SlaClockAtRisk, due.at, used_share=ratio_text(used), before_seconds=left, notify=due.threshold.notify)
        return ()

    def outcome(self) -> None:
        """Met or breached, once; and a correction when what was told no longer holds."""
        state, before = self.clock.state, self.told.outcome
        if state.outcome == before:
            return
        at = self.clock.closed_at() or self.clock.as_of
        if before == "open":
            if state.outcome == "breached":
                self.fact(SlaClockBreached, at)
            elif state.outcome == "met":
                self.fact(SlaClockMet, at, elapsed_working_seconds=decimal_text(Fraction(state.elapsed_micros, 10**6)))
            if state.outcome != "open":
                share = used_share(state)
                self.counted.append(Told(self.clock.stage, state.outcome, float(share or 0)))
        else:
            self.fact(SlaClockCorrected, at, outcome=state.outcome, supersedes=self.told.event_id)
        self.told.outcome = state.outcome
        self.told.event_id = self.facts[-1].id if self.facts else ""

    def credit(self) -> None:
        """The facts for the indicators that the promise feeds: one clock is one observation, credited to whose time it was.

        The revision counts what was said about the clock, then the rules that counted by then, then
        whether it was breached; every new one is told. So the last word on a clock is the same in every order of arrival.
        A clock that is open again takes its fact back, as 0 of 0.
        """
        clock, told = self.clock, self.told
        at = clock.closed_at()
        indicators = () if at is None else clock.folded.terms_at(at).promise.indicators
        subject = (clock.owner_at(at) or f"department:{self.service}") if at is not None and indicators else ""
        numerator = 1 if clock.state.outcome == "met" else 0
        breached = clock.state.outcome == "breached"
        revision = 2 * (_RULES * self._said + (0 if at is None else min(self.rules.number_at(at), _RULES - 1))) + breached
        if (indicators, subject, at, revision) == (told.indicators, told.subject, told.credited_at, told.revision):
            return
        revision = max(revision, told.revision + 1)  # of several late rules one may put the outcome before another that had counted
        if told.credited_at is not None:
            for indicator in told.indicators:
                if told.subject != subject or indicator not in indicators:
                    self._kpi(indicator, told.subject, told.credited_at, 0, 0, revision)
        if at is not None:
            for indicator in indicators:
                self._kpi(indicator, subject, at, numerator, 1, revision)
        told.indicators, told.subject, told.credited_at, told.revision = indicators, subject, at, revision

    def _kpi(self, indicator: str, subject: str, at: datetime, numerator: int, denominator: int, revision: int) -> None:
        clock = self.clock
        event = KpiRecorded(
            case_id=clock.aggregate_id,
            indicator=indicator,
            subject=subject,
            occurrence=0,
            revision=revision,
            numerator=str(numerator),
            denominator=str(denominator),
            source_event_ids=list(dict.fromkeys(event.id.rpartition(":")[0] for event in clock.events))[-50:],
        )
        id = derived_id(at, self.service, clock.id, event.TYPE, indicator, subject, revision, numerator, denominator)
        self.facts.append(Fact(event, at, id, clock.replay_of))

    def remember(self) -> None:
        """Notes what the next fold is held against."""
        state, told = self.clock.state, self.told
        told.deadline, told.provisional, told.rules = state.deadline, state.is_provisional, self.clock.folded.rules
