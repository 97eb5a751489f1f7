"""What the figures need to know of one case, read off its rows (interfaces 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ops.replay.case_moments import COMPLETION, WORK
from ops.replay.mapping import LogMapping
from ops.replay.rows import Row

ACCEPTED = ("working", "waiting")


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """One case: instants in microseconds since 1970, spans in microseconds."""

    first_at: int
    last_at: int
    accepted_at: int | None
    completed_at: int | None
    dated: bool
    """Whether of the first event or the first completion the date is known only."""
    completed_by: str
    completed_in: str
    """The team that made the first completion."""
    priority: str
    product: str
    came_back: bool
    """Whether there was work after a completion."""
    reopenings: int
    handovers: int
    waits: tuple[tuple[str, int], ...]
    """Party and span of each row that tells of waiting, up to the next row."""
    queues: tuple[int, ...]


def summarised(case: Sequence[Row], mapping: LogMapping) -> CaseSummary:
    """The summary of a case whose rows stand in the order of time; its priority and product are the last that a row names."""
    means = [mapping.rules[row.rule].means for row in case]
    accepted = next((row for row, mean in zip(case, means, strict=True) if mean in ACCEPTED), None)
    done = next((index for index, mean in enumerate(means) if mean in COMPLETION), None)
    completed = None if done is None else case[done]
    return CaseSummary(
        first_at=case[0].at,
        last_at=case[-1].at,
        accepted_at=None if accepted is None else accepted.at,
        completed_at=None if completed is None else completed.at,
        dated=case[0].dated or (completed is not None and completed.dated),
        completed_by="" if completed is None else mapping.role("person", completed.values),
        completed_in="" if completed is None else mapping.role("team", completed.values),
        priority=_last("priority", case, mapping),
        product=_last("product", case, mapping),
        came_back=done is not None and any(mean in WORK for mean in means[done + 1 :]),
        reopenings=sum(before in COMPLETION and after in WORK for before, after in pairwise(means)),
        handovers=_handovers(case, mapping),
        waits=tuple(
            (mapping.rules[row.rule].sets.get("party", "other"), later.at - row.at)
            for row, later in pairwise(case)
            if mapping.rules[row.rule].means == "waiting"
        ),
        queues=tuple(later.at - row.at for row, later in pairwise(case) if mapping.rules[row.rule].means == "queued"),
    )


def _last(role: str, case: Sequence[Row], mapping: LogMapping) -> str:
    return next((value for row in reversed(case) if (value := mapping.role(role, row.values))), "")


def _handovers(case: Sequence[Row], mapping: LogMapping) -> int:
    """Changes of the responsible team from one row to the next; a row that names no team changes nothing."""
    teams = [team for row in case if (team := mapping.role("team", row.values))]
    return sum(before != after for before, after in pairwise(teams))
