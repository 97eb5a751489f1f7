"""The close of a cycle: asked for, bounded by watermarks, graded; again with later knowledge, which makes new versions (decisions 27)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from appraisal.domain.outcomes import Trigger
from appraisal.domain.period import PeriodLength, Span, period_named, span_of
from appraisal.domain.scheme import Scheme
from common.kernel.errors import Refused
from common.kernel.staff import LEVELS


class CycleStatus(StrEnum):
    """Where a cycle stands."""

    PLANNED = "planned"
    """It will begin to close at an instant that somebody has named, and never did before."""
    OPEN = "open"
    """Somebody has asked to close it, and nobody could be graded."""
    CLOSING = "closing"
    GRADED = "graded"


@dataclass(frozen=True, slots=True)
class Close:
    """One wish to close a cycle: with what is known as of which instant, by the event of that id."""

    as_of: datetime
    for_real: bool
    requested_by: str
    replay_of: str = ""


@dataclass(frozen=True, slots=True)
class Cycle:
    """One cycle of one scheme, and the close that is under way, was the last, or is planned to be the first.

    Closes that are asked for meanwhile wait in their order: whoever asks is never early, and a rebuild, which reads all of them at
    once, makes the same versions. `watermarks` tell up to which offset of each partition the close will have looked; empty before
    they are known.
    """

    id: str
    cycle: str
    scheme: str
    status: CycleStatus
    as_of: datetime
    for_real: bool
    requested_by: str
    """The id of the event that asked."""
    replay_of: str = ""
    watermarks: Mapping[str, int] = field(default_factory=dict)
    waiting: tuple[Close, ...] = ()
    graded: bool = False
    """Whether it has been graded before."""
    plan: Close | None = None
    """The close for whose instant it will be woken."""
    planned_at: datetime | None = None
    """When the newest plan was made, carried out or not: an older one that comes later changes nothing."""

    @classmethod
    def asked(cls, id: str, cycle: str, scheme: str, close: Close) -> "Cycle":
        """A cycle that begins to close."""
        return cls(id, cycle, scheme, CycleStatus.CLOSING, close.as_of, close.for_real, close.requested_by, close.replay_of)

    @classmethod
    def planned(cls, id: str, cycle: str, scheme: str, close: Close, at: datetime) -> "Cycle":
        """A cycle that will begin to close at the instant of `close`; the plan was made `at`."""
        return replace(cls.asked(id, cycle, scheme, close), status=CycleStatus.PLANNED, plan=close, planned_at=at)

    def planned_again(self, close: Close, at: datetime) -> "Cycle | Refused":
        """Another close is planned, in place of the one that was planned before."""
        if self.planned_at is not None and at < self.planned_at:
            return Refused("a_newer_plan", was=self.status, field="ce_time")
        if not self._is_later(close):
            return Refused("later_than_the_last_close", was=self.status, field="as_of")
        if self.status is CycleStatus.PLANNED:
            return self.planned(self.id, self.cycle, self.scheme, close, at)
        return replace(self, plan=close, planned_at=at)

    def as_planned(self, at: datetime) -> "Cycle":
        """The instant of the plan has come: the close begins, unless one as of that very instant was asked for besides."""
        assert self.plan is not None, "woken without a plan"
        assert self.plan.as_of == at, "woken for another plan"
        cycle = replace(self, plan=None)
        begun = cycle.again(self.plan)
        return cycle if isinstance(begun, Refused) else begun

    def again(self, close: Close) -> "Cycle | Refused":
        """Closed once more, with what has become known since; after the closes that were asked for before."""
        if not self._is_later(close):
            return Refused("later_than_the_last_close", was=self.status, field="as_of")
        asked = replace(self, waiting=(*self.waiting, close))
        return asked if self.status is CycleStatus.CLOSING else asked._next()

    def closed(self) -> "Cycle":
        """Graded; the next close begins where one waits."""
        return replace(self, status=CycleStatus.GRADED, graded=True)._next()

    def left_open(self) -> "Cycle":
        """The close came to nothing: the cycle stands as it did before."""
        return replace(self, status=CycleStatus.GRADED if self.graded else CycleStatus.OPEN)._next()

    def _is_later(self, close: Close) -> bool:
        last = self.waiting[-1].as_of if self.waiting else self.as_of
        return self.status is CycleStatus.PLANNED or close.as_of > last

    def _next(self) -> "Cycle":
        if not self.waiting:
            return self
        first, *others = self.waiting
        return replace(
            self,
            status=CycleStatus.CLOSING,
            as_of=first.as_of,
            for_real=first.for_real,
            requested_by=first.requested_by,
            replay_of=first.replay_of,
            watermarks={},
            waiting=tuple(others),
        )


def span_under(scheme: Scheme, cycle: str, as_of: datetime) -> Span | Refused:
    """The instants of a cycle under a scheme; refused when the scheme has no such cycles, or before the cycle has ended.

    A committee grades by its words, and no claim brings these yet: its cycles are refused, not closed with nobody graded.
    """
    if scheme.committee is not None:
        return Refused("words_of_the_committee", was=scheme.id, field="scheme")
    if (refused := cycle_refused(scheme, cycle)) is not None:
        return refused
    length = period_named(cycle).length
    span = span_of(period_named(cycle), scheme.cycle.zone, first_day=scheme.cycle.first_day if length is scheme.cycle.period else 1)
    if as_of < span.end:
        return Refused("not_before_its_end", field="as_of")
    return span


def cycle_refused(scheme: Scheme, cycle: str) -> Refused | None:
    """Why a scheme has no such cycle; None where it has."""
    has = {scheme.cycle.period, *scheme.cycle.posts.values()}
    if any(rule.trigger is Trigger.YEAR_END for rule in scheme.outcomes):
        has.add(PeriodLength.YEAR)
    return None if period_named(cycle).length in has else Refused("a_cycle_of_the_scheme", field="cycle")


def posts_of(scheme: Scheme, cycle: str) -> frozenset[str]:
    """The posts that are graded in this cycle: those whose cycles are as long as this one."""
    length = period_named(cycle).length
    return frozenset(post for post in LEVELS if (scheme.cycle.posts.get(post) or scheme.cycle.period) is length)
