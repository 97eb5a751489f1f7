"""The close of a cycle: asked for, bounded by watermarks, graded; again with later knowledge, which makes new versions (decisions 27)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from appraisal.domain.period import Span, period_named, span_of
from appraisal.domain.scheme import Scheme
from common.kernel.errors import Refused


class CycleStatus(StrEnum):
    """Where a cycle stands."""

    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Cycle:
    """One cycle of one scheme. `watermarks` tell up to which offset of each partition it will have looked; empty before they are known."""

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

    def again(self, as_of: datetime, *, for_real: bool, requested_by: str) -> "Cycle | Refused":
        """Closed once more, with what has become known since."""
        if self.status is CycleStatus.CLOSING:
            return Refused("one_close_at_a_time", was=self.status)
        if as_of <= self.as_of:
            return Refused("later_than_the_last_close", was=self.status, field="as_of")
        return replace(self, status=CycleStatus.CLOSING, as_of=as_of, for_real=for_real, requested_by=requested_by, watermarks={})

    def closed(self) -> "Cycle":
        """Graded."""
        return replace(self, status=CycleStatus.CLOSED)


def span_under(scheme: Scheme, cycle: str, as_of: datetime) -> Span | Refused:
    """The instants of a cycle under a scheme; refused when the scheme has no such cycles, or before the cycle has ended."""
    length = period_named(cycle).length
    if length not in {scheme.cycle.period, *scheme.cycle.posts.values()}:
        return Refused("a_cycle_of_the_scheme", field="cycle")
    span = span_of(period_named(cycle), scheme.cycle.zone, first_day=scheme.cycle.first_day if length is scheme.cycle.period else 1)
    if as_of < span.end:
        return Refused("not_before_its_end", field="as_of")
    return span


def posts_of(scheme: Scheme, cycle: str) -> frozenset[str]:
    """The posts that are graded in this cycle: those whose cycles are as long as this one."""
    length = period_named(cycle).length
    posts = ("manager", "supervisor", "specialist")
    return frozenset(post for post in posts if (scheme.cycle.posts.get(post) or scheme.cycle.period) is length)
