"""The figures of a log of cases (interfaces 5), exact until they are written."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from common.kernel.working_time import Calendar
from ops.replay.case_summary import CaseSummary, summarised
from ops.replay.in_time import READINGS, at_the_deadline, by_the_date
from ops.replay.mapping import LogMapping
from ops.replay.rows import Row
from ops.replay.spread import Spread, decimal, in_unit

DAYS = (1, 3, 5)
_PERCENTS = (50, 90, 95, 99)

InTime = dict[tuple[str, int], bool]


@dataclass(slots=True)
class _Share:
    """The part of the cases that one person, team, product or priority has."""

    cases: int = 0
    completions: int = 0
    came_back: int = 0
    in_time: Counter[tuple[str, int]] = field(default_factory=Counter)

    def add(self, case: CaseSummary, in_time: InTime) -> None:
        self.cases += 1
        self.completions += case.completed_at is not None
        self.came_back += case.came_back
        self.in_time.update(reading for reading, met in in_time.items() if met)

    def document(self) -> dict[str, Any]:
        return {
            "cases": self.cases,
            "completions": self.completions,
            "completed_within": _within(self.in_time),
            "reopened_cases": self.came_back,
        }


@dataclass(slots=True)
class _Times:
    """How long cases took, and for whom they waited."""

    response: Spread = field(default_factory=Spread)
    working_response: Spread = field(default_factory=Spread)
    completion: Spread = field(default_factory=Spread)
    working_completion: Spread = field(default_factory=Spread)
    waits: Counter[str] = field(default_factory=Counter)
    whole: int = 0

    def add(self, case: CaseSummary, calendar: Calendar) -> None:
        for at, elapsed, working in (
            (case.accepted_at, self.response, self.working_response),
            (case.completed_at, self.completion, self.working_completion),
        ):
            if at is not None:
                elapsed.add(at - case.first_at)
                working.add(calendar.timeline.between(case.first_at, at))
        for party, span in case.waits:
            self.waits[party] += span
        self.whole += case.last_at - case.first_at

    def document(self) -> dict[str, Any]:
        return {
            "first_response_hours": self.response.document(_PERCENTS),
            "first_response_working_hours": self.working_response.document(_PERCENTS),
            "completion_hours": self.completion.document(_PERCENTS),
            "completion_working_hours": self.working_completion.document(_PERCENTS),
            "waiting_hours": {party: in_unit(span) for party, span in sorted(self.waits.items())},
            "paused_share": {party: decimal(Fraction(span, self.whole or 1)) for party, span in sorted(self.waits.items())},
        }


class CaseFigures:
    """Takes case after case and holds no rows; `paused_share` is a party's part of the time from first to last row."""

    def __init__(self, mapping: LogMapping) -> None:
        self._mapping = mapping
        self._counts: Counter[str] = Counter()
        self._seen: dict[str, set[str]] = {"person": set(), "team": set(), "product": set()}
        self._times = _Times()
        self._times_of: defaultdict[str, _Times] = defaultdict(_Times)
        self._all = _Share()
        self._shares: dict[str, defaultdict[str, _Share]] = {
            part: defaultdict(_Share) for part in ("priority", "person", "team", "product")
        }
        self._queues = Spread()

    def add(self, rows: Sequence[Row]) -> None:
        """Takes a whole case, its rows in the order of time."""
        calendar = self._mapping.calendar
        for role, seen in self._seen.items():
            seen.update(value for row in rows if (value := self._mapping.role(role, row.values)))
        case = summarised(rows, self._mapping)
        in_time = _in_time(case, self._mapping)
        self._all.add(case, in_time)
        self._times.add(case, calendar)
        self._times_of[case.priority].add(case, calendar)
        owners = {"priority": case.priority, "product": case.product, "person": case.completed_by, "team": case.completed_in}
        for part, owner in owners.items():
            if owner:
                self._shares[part][owner].add(case, in_time)
        for span in case.queues:
            self._queues.add(span)
        self._counts["events"] += len(rows)
        self._counts["date" if case.dated else "deadline"] += case.completed_at is not None
        self._counts["reopenings"] += case.reopenings
        self._counts["handovers"] += case.handovers
        self._counts["cases_with_handover"] += case.handovers > 0

    def document(self) -> dict[str, Any]:
        """The figures, keyed as the interface fixes them; `by_person` and `by_team` credit the first completion."""
        return {
            "events": self._counts["events"],
            "cases": self._all.cases,
            "people": len(self._seen["person"]),
            "teams": len(self._seen["team"]),
            "products": len(self._seen["product"]),
            "completions": self._all.completions,
            **self._times.document(),
            "completed_within": _within(self._all.in_time),
            "in_time_by": {how: self._counts[how] for how in ("deadline", "date")},
            "reopened_cases": self._all.came_back,
            "reopenings": self._counts["reopenings"],
            "handovers": self._counts["handovers"],
            "cases_with_handover": self._counts["cases_with_handover"],
            "queue_hours": self._queues.document((50, 90)),
            "by_priority": {
                name: share.document() | self._times_of[name].document() for name, share in sorted(self._shares["priority"].items())
            },
            **{
                f"by_{part}": {name: share.document() for name, share in sorted(self._shares[part].items())}
                for part in ("person", "team", "product")
            },
        }


def _in_time(case: CaseSummary, mapping: LogMapping) -> InTime:
    """Whether the first completion was in time, for each reading of n days."""
    if case.completed_at is None:
        return {}
    calendar, first, done = mapping.calendar, case.first_at, case.completed_at
    if not case.dated:
        return {(reading, days): at_the_deadline(calendar, first, done, reading, days) for reading in READINGS for days in DAYS}
    first_on, done_on = mapping.date_of("at", first), mapping.date_of("at", done)
    return {(reading, days): by_the_date(calendar, first, first_on, done_on, reading, days) for reading in READINGS for days in DAYS}


def _within(in_time: Counter[tuple[str, int]]) -> dict[str, dict[str, int]]:
    return {reading: {str(days): in_time[reading, days] for days in DAYS} for reading in READINGS}
