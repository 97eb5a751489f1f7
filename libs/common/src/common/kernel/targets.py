"""What a clock has to reach, and when that is: working seconds or working days, with pauses (interfaces 3, X-06)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Literal

from common.kernel.documents import Node, by_rule
from common.kernel.faults import Where
from common.kernel.instants import SECOND, to_micros
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
    target, so that pauses push it back.
    """

    number: int
    meaning: Meaning = "end_of_day"
    pauses_count: bool = False


Target = WorkingTime | WorkingDays


TARGET_FIELDS = ("working_seconds", "working_days", "meaning", "pauses_count")
_MOST_PAUSES = 10_000
_PAUSES = by_rule("bad_instant", items="a list of [from, to] is expected")
_TARGET = by_rule("bad_target", fields='an object like {"working_seconds": 28800} is expected')


def read_target(value: object, where: Where) -> Target:
    """The target that a JSON object states; raises a `Fault` `bad_target` or `unknown_field`. Parts of a microsecond are rounded up."""
    target = Node(value, where, _TARGET)
    match target.fields(known=TARGET_FIELDS):
        case {"working_seconds": _, **rest} if not rest:
            return WorkingTime(ceil(_amount(target.field("working_seconds")) * SECOND))
        case {"working_days": _, **rest} if "working_seconds" not in rest:
            days = target.field("working_days")
            number = _amount(days)
            if number.denominator != 1:
                raise days.fault("a whole number of days is expected")
            meaning = target.field("meaning", "end_of_day")
            if meaning.value not in ("end_of_day", "working_hours"):
                raise meaning.fault("end_of_day or working_hours is expected")
            return WorkingDays(int(number), meaning.value, target.field("pauses_count", False).flag())
        case _:
            raise target.fault("either working_seconds, or working_days with a meaning, is expected")


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


def fixed_instant(calendar: Calendar, start: int, target: Target) -> int | None:
    """The instant at which the target is due whatever happens; None when it has to be consumed instead."""
    if isinstance(target, WorkingTime) or target.meaning == "working_hours" or target.pauses_count or target.number == 0:
        return None
    return calendar.end_of_working_day(start, target.number)


def amount_of(calendar: Calendar, start: int, target: Target) -> int:
    """The working microseconds that stand for the target on this calendar."""
    match target:
        case WorkingTime(micros):
            return micros
        case WorkingDays(number, "working_hours"):
            return number and number * micros_of(calendar.ordinary_day)
        case WorkingDays(number):
            return number and calendar.timeline.between(start, calendar.end_of_working_day(start, number))


def due_at(calendar: Calendar, start: int, target: Target, pauses: Sequence[Pause] = ()) -> int | None:
    """When the target is reached, in microseconds since 1970; None while an open pause stands before it."""
    fixed = fixed_instant(calendar, start, target)
    if fixed is not None:
        return fixed
    return _after_pauses(calendar.timeline, start, amount_of(calendar, start, target), pauses)


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


def _after_pauses(timeline: Timeline, start: int, amount: int, pauses: Sequence[Pause]) -> int | None:
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


def _amount(given: Node) -> Fraction:
    if (amount := given.number()) < 0:
        raise given.fault("a target cannot be negative")
    return amount
