"""A table of complaints, one a row, with the day on which each was lodged and the day on which it was closed."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from common.kernel.exact import decimal_text, parse_exact
from common.kernel.faults import Fault
from common.kernel.instants import DAY
from ops.replay.in_time import at_the_deadline, by_the_date
from ops.replay.local_times import readings
from ops.replay.mapping import LogMapping
from ops.replay.rows import Row, Step, Unusable
from ops.replay.spread import Spread
from ops.replay.times import Instant

WORKING_DAYS = (1, 3)
_PERCENTS = (50, 90, 95, 99)


def complaint_row(values: tuple[str, ...], number: int, rule: int, mapping: LogMapping) -> Row:
    """The row as a case of its own; raises `Unusable` for a bad day, an end before the start, or a bad sum."""
    start, end = mapping.times["start"], mapping.times["end"]
    began = start.instant(start.part.of(values))
    closed = end.part.of(values)
    row = _between(Row(str(number), began.at, number, rule, values), began, end.instant(closed) if closed else None, mapping)
    compensation(row, mapping)
    answer(row, mapping)
    return row


def _between(row: Row, began: Instant, ended: Instant | None, mapping: LogMapping) -> Row:
    """The row with both instants, so that the end is not before the start; mere dates are compared as dates."""
    if ended is None:
        return row._replace(other=began.other, dated=began.dated).read_as(began.at, guessed=began.other is not None)
    dated = began.dated or ended.dated
    found = readings([began, ended])
    if found is None and dated and mapping.date_of("start", began.at) == mapping.date_of("end", ended.at):
        known = ended.at if began.dated else began.at
        found = [(known, False), (known, False)]
    if found is None:
        raise Unusable("end_before_start")
    (at, at_guessed), (until, until_guessed) = found
    unsure = next((time for time in (began, ended) if time.other is not None and not time.dated), Instant(began.at))
    told = row._replace(at=unsure.at, other=unsure.other, dated=False).read_as(at, at_guessed or until_guessed)
    return told._replace(at=at, until=until, dated=dated)


def compensation(row: Row, mapping: LogMapping) -> Fraction:
    """What the customer was given back; nothing where the column is blank."""
    given = mapping.role("compensation", row.values)
    try:
        return parse_exact(given) if given else Fraction(0)
    except Fault:
        raise Unusable("bad_compensation") from None


def answer(row: Row, mapping: LogMapping) -> str:
    """The customer's answer: yes, no or not_answered, which is also what a blank means where `answers` says nothing else."""
    said = mapping.answers.get(mapping.written("satisfaction", row.values))
    if said is None and mapping.role("satisfaction", row.values):
        raise Unusable("not_in_answers")
    return said or "not_answered"


def complaint_moments(_: None, row: Row, __: LogMapping) -> tuple[list[Step], None]:
    """Received at the start, closed at the end."""
    return [Step("received", row.at)] + ([] if row.until is None else [Step("closed", row.until)]), None


class ComplaintFigures:
    """The figures of a table of complaints (interfaces 5): `solution_days` count from date to date."""

    def __init__(self, mapping: LogMapping) -> None:
        self._mapping = mapping
        self._complaints = 0
        self._days = Spread()
        self._closed = 0
        self._judged: Counter[str] = Counter()
        self._in_time: Counter[int] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._answers: Counter[str] = Counter()
        self._units: set[str] = set()
        self._given = Fraction(0)

    def add(self, case: Sequence[Row]) -> None:
        """Takes a complaint."""
        (row,) = case
        mapping, calendar = self._mapping, self._mapping.calendar
        self._complaints += 1
        self._outcomes[mapping.role("outcome", row.values)] += 1
        self._answers[answer(row, mapping)] += 1
        self._given += compensation(row, mapping)
        if unit := mapping.role("unit", row.values):
            self._units.add(unit)
        ended = row.until
        if ended is None:
            return
        self._closed += 1
        self._judged["date" if row.dated else "deadline"] += 1
        reading = "working_days_end_of_day"
        started_on, ended_on = (mapping.date_of(name, at) for name, at in (("start", row.at), ("end", ended)))
        self._days.add((ended_on - started_on).days * DAY)
        for days in WORKING_DAYS:
            self._in_time[days] += (
                by_the_date(calendar, row.at, started_on, ended_on, reading, days)
                if row.dated
                else at_the_deadline(calendar, row.at, ended, reading, days)
            )

    def document(self) -> dict[str, Any]:
        """The figures, keyed as the interface fixes them; `compensation` is the sum of all, `units` how many were complained about."""
        return {
            "complaints": self._complaints,
            "closed": self._closed,
            "units": len(self._units),
            "solution_days": self._days.document(_PERCENTS, DAY),
            "within_working_days": {str(number): self._in_time[number] for number in WORKING_DAYS},
            "in_time_by": {how: self._judged[how] for how in ("deadline", "date")},
            "by_outcome": dict(sorted(self._outcomes.items())),
            "satisfaction": {word: self._answers[word] for word in ("yes", "no", "not_answered")},
            "compensation": decimal_text(self._given),
        }
