"""What a clock has to reach, and when that is: working seconds or working days, with pauses (interfaces 3, X-06)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Literal, NamedTuple

from common.kernel.calendar_json import time_in
from common.kernel.documents import Node, by_rule
from common.kernel.excused import ExcusedTimeline
from common.kernel.faults import Where
from common.kernel.instants import SECOND, ordinal_on, to_micros
from common.kernel.timeline import Stretch, Timeline
from common.kernel.working_time import Calendar, micros_of

Meaning = Literal["end_of_day", "working_hours"]
Pause = tuple[int, int | None]


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """So many microseconds of working time."""

    micros: int


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """So many working days: until the end of the n-th after the day of the start, or n ordinary days of working time.

    The end of a day is a fixed instant that pauses do not move; with `pauses_count` the working time up to it becomes the
    target, so that pauses push it back. `cut_off` and `by` are seconds after local midnight: what comes at the cut-off or after it
    counts as if it came on the next working day, and by that hour of the last day it has to be done, if that is before closing.
    """

    number: int
    meaning: Meaning = "end_of_day"
    pauses_count: bool = False
    cut_off: int | None = None
    by: int | None = None

    @property
    def from_day_0(self) -> bool:
        """Whether days are counted from the first one on which somebody still takes it up, and not after the date of the start.

        That is so with a cut-off, and for the same day.
        """
        return self.cut_off is not None or self.number == 0


@dataclass(frozen=True, slots=True)
class NoPromise:
    """Nothing is promised: the clock has no deadline and its outcome is `none`; time is counted all the same."""

    reason: str
    """Why; without a default, since a stored target is told by its fields from the others."""


Target = WorkingTime | WorkingDays | NoPromise


TARGET_FIELDS = ("working_seconds", "working_days", "meaning", "pauses_count", "cut_off", "by", "none", "reason")
_MOST_PAUSES = 10_000
_PAUSES = by_rule("bad_instant", items="a list of [from, to] is expected")
_TARGET = by_rule("bad_target", fields='an object like {"working_seconds": 28800} is expected')


def read_target(value: object, where: Where) -> Target:
    """The target that a JSON object states; raises a `Fault` `bad_target` or `unknown_field`. Parts of a microsecond are rounded up."""
    target = Node(value, where, _TARGET)
    match target.fields(known=TARGET_FIELDS):
        case {"working_seconds": _, **rest} if not rest:
            return WorkingTime(ceil(_amount(target.field("working_seconds")) * SECOND))
        case {"working_days": _, **rest} if not rest.keys() & {"working_seconds", "none", "reason"}:
            days = target.field("working_days")
            number = _amount(days)
            if number.denominator != 1:
                raise days.fault("a whole number of days is expected")
            meaning = target.field("meaning", "end_of_day")
            if meaning.value not in ("end_of_day", "working_hours"):
                raise meaning.fault("end_of_day or working_hours is expected")
            cut_off, by = (_local_time(target.field(name), meaning.value) if name in rest else None for name in ("cut_off", "by"))
            return WorkingDays(int(number), meaning.value, target.field("pauses_count", False).flag(), cut_off, by)
        case {"none": True, **rest} if not rest.keys() - {"reason"}:
            return NoPromise(target.field("reason").text(""))
        case _:
            raise target.fault("either working_seconds, or working_days with a meaning, or none with a reason, is expected")


def read_pauses(value: object, where: Where) -> list[Pause]:
    """Pauses as [from, to] pairs, `to` null while one is open; raises a `Fault` `bad_instant` or `end_before_start`."""
    pauses = Node(value, where, _PAUSES)
    pairs = pauses.items()
    if len(pairs) > _MOST_PAUSES:
        raise pauses.fault(f"at most {_MOST_PAUSES} pauses are taken, not {len(pairs)}")
    return [_pause(pair) for pair in pairs]


def _pause(pair: Node) -> Pause:
    if not isinstance(pair.value, list) or len(pair.value) != 2:
        raise pair.fault("a pair [from, to] is expected")
    begin, end = pair.items()
    since = to_micros(begin.instant())
    until = None if end.value is None else to_micros(end.instant())
    if until is not None and until < since:
        raise pair.fault("the pause ends before it begins", "end_before_start")
    return since, until


Late = Literal["", "day_off", "cut_off", "closing", "by"]
"""Why the date of a start is not day 0: nobody works on it, or the start is not before one of these times; empty where it is."""


class DaysTo(NamedTuple):
    """The day on which a target of working days is due, as the `number`-th working day after the local date of the start.

    `due` is in microseconds since 1970; 0 days after the start is its own date. `late` says why counting began on the next working day.
    """

    number: int
    due: int
    late: Late


class Aim(NamedTuple):
    """What a target stands for on a calendar from a start on: a `fixed` instant, or else an `amount` of working microseconds.

    `not_before` is an hour that the target names: when nobody works at that hour, all the working time before it is over sooner.
    """

    fixed: int | None
    amount: int = 0
    not_before: int | None = None


def days_to(calendar: Calendar, start: int, target: WorkingDays) -> DaysTo:
    """The day on which a target with the meaning `end_of_day` is due, and when."""
    late = _late(calendar, start, target) if target.from_day_0 else ""
    number = target.number + bool(late)
    day, closes = calendar.timeline_due(target.by).working_day(start, ordinal_on(start, calendar.zone), number)
    due = closes if target.by is None else min(closes, calendar.timeline.local_instant(day, target.by))
    return DaysTo(number, due, late)


def _late(calendar: Calendar, start: int, target: WorkingDays) -> Late:
    today, timeline = ordinal_on(start, calendar.zone), calendar.timeline_due(target.by)
    open_today = timeline.stretches_of(today)
    if not open_today:
        return "day_off"
    if target.cut_off is not None and start >= timeline.local_instant(today, target.cut_off):
        return "cut_off"
    if start >= open_today[-1].end:
        return "closing"
    return "by" if target.number == 0 and target.by is not None and start >= timeline.local_instant(today, target.by) else ""


def aim_of(calendar: Calendar, start: int, target: Target) -> Aim:
    """What the target stands for; raises `never_open` or `bad_target` of the calendar."""
    match target:
        case WorkingTime(micros):
            return Aim(None, micros)
        case WorkingDays(number, "working_hours"):
            return Aim(None, number and number * micros_of(calendar.ordinary_day))
        case NoPromise():
            return Aim(None)
    due = days_to(calendar, start, target).due
    amount = calendar.timeline.between(start, due) if target.pauses_count else 0
    if not amount:  # no pause moves it, or there is no working time before it in which one could
        return Aim(due)
    return Aim(None, amount, None if target.by is None else due)


def due_at(calendar: Calendar, start: int, target: Target, pauses: Sequence[Pause] = ()) -> int | None:
    """When the target is reached, in microseconds since 1970; None while an open pause stands before it, or where nothing is promised."""
    if isinstance(target, NoPromise):
        return None
    aim = aim_of(calendar, start, target)
    if aim.fixed is not None:
        return aim.fixed
    due = _after_pauses(calendar.timeline, start, aim.amount, pauses)
    return due if due is None or aim.not_before is None else max(due, aim.not_before)


def worked(calendar: Calendar, start: int, end: int, pauses: Sequence[Pause] = ()) -> int:
    """Working microseconds in [start, end) outside the pauses."""
    return sum(calendar.timeline.between(since, until) for since, until in running_spans(start, end, pauses))


def running_spans(start: int, end: int, pauses: Sequence[Pause]) -> list[Stretch]:
    """The parts of [start, end) that no pause covers, in order."""
    spans, at = [], start
    for since, until in _merged(pauses):
        if since > at:
            spans.append(Stretch(at, min(since, end)))
        at = end if until is None else max(at, until)
        if at >= end:
            break
    if at < end:
        spans.append(Stretch(at, end))
    return [span for span in spans if span.start < span.end]


def _after_pauses(timeline: Timeline | ExcusedTimeline, start: int, amount: int, pauses: Sequence[Pause]) -> int | None:
    at, left = start, amount
    for since, until in _merged(pauses):
        if since >= at:
            done = timeline.between(at, since)
            if (done >= left) if amount else (done or timeline.is_working(since)):
                return timeline.add(at, left)
            left -= done
        if until is None:
            return None
        at = max(at, until)
    return timeline.add(at, left)


def _merged(pauses: Iterable[Pause]) -> list[Pause]:
    found: list[Pause] = []
    for since, until in sorted(pauses, key=lambda pause: pause[0]):
        if until == since:
            continue
        if found and ((last := found[-1][1]) is None or since <= last):
            found[-1] = (found[-1][0], None if last is None or until is None else max(last, until))
        else:
            found.append((since, until))
    return found


def _local_time(given: Node, meaning: str) -> int:
    if meaning != "end_of_day":
        raise given.fault("a time of day goes with the meaning end_of_day only")
    if isinstance(given.value, str) and (time := time_in(given.value)):
        return time
    raise given.fault('a local time like "16:00", in quotes, is expected, up to "24:00" for the end of the day')


def _amount(given: Node) -> Fraction:
    if (amount := given.number()) < 0:
        raise given.fault("a target cannot be negative")
    return amount
