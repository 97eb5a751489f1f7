"""How much of a clock's target is used, and when a given share of it will be: for reminders before a breach."""

from datetime import datetime
from fractions import Fraction

from common.kernel.clock_state import ENDED
from common.kernel.instants import to_micros
from common.kernel.sla_clock import ClockState
from common.kernel.targets import NoPromise


def share_due_at(clock: ClockState, share: Fraction) -> datetime | None:
    """When this share of the target is consumed if the clock goes on as it stands: the instant of a reminder.

    An instant that is not after `as_of` says that it was consumed then already. None while paused or stopped; but a
    target with a fixed instant comes nearer during a pause too, so its shares are counted on the calendar alone.
    """
    if not _counts_down(clock):
        return None
    if share == 1 and clock.fixed is not None:
        return clock.calendar.instant(clock.fixed)
    return _consumed_at(clock, -(-share.numerator * clock.amount // share.denominator))  # rounded up, in whole numbers


def before_due_at(clock: ClockState, micros: int) -> datetime | None:
    """When only so much working time is left, by the same rules; a target that is shorter than that has so little left at its start."""
    if not _counts_down(clock):
        return None
    return _consumed_at(clock, max(0, clock.amount - micros))


def share_before(clock: ClockState, micros: int) -> Fraction:
    """The share of the target that is used when only so much working time is left."""
    return max(Fraction(0), 1 - Fraction(micros, clock.amount)) if clock.amount else Fraction(1)


def _counts_down(clock: ClockState) -> bool:
    return clock.state not in ENDED and not isinstance(clock.target, NoPromise)


def _consumed_at(clock: ClockState, goal: int) -> datetime | None:
    calendar = clock.calendar
    if goal == 0 or clock.fixed is not None:
        at, latest = calendar.timeline.add(to_micros(clock.started_at), goal), clock.not_before if clock.fixed is None else clock.fixed
        return calendar.instant(at if latest is None else min(at, latest))  # before an hour at which nobody works, no work may go on
    if goal > clock.elapsed_micros:
        left = goal - clock.elapsed_micros
        return calendar.instant(calendar.timeline.add(to_micros(clock.as_of), left)) if clock.state == "running" else None
    for segment in clock.segments:
        if segment.state == "running":
            if segment.micros >= goal:
                return calendar.instant(segment.calendar.timeline.add(segment.start, goal))
            goal -= segment.micros
    raise AssertionError("the running segments make up what has elapsed")


def used_share(clock: ClockState) -> Fraction | None:
    """How much of the target is used at `as_of`, more than 1 when overdue; None for a target of no working time."""
    used = clock.elapsed_micros
    if clock.fixed is not None:
        start = to_micros(clock.started_at)
        used = clock.calendar.timeline.between(start, clock.segments[-1].end if clock.segments else start)
    return Fraction(used, clock.amount) if clock.amount else None
