"""What a case knows of the work that was done for it: the completions and reopenings that another service has decided.

They become known in any order; what counts follows from their own times.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class WorkStep:
    """One decision about a piece of work: whoever did it, or nobody where the defect came back and the work is open again."""

    work: str
    """The id of the work order, or of the complaint whose solution was told."""
    at: datetime
    number: int
    """The number of the decision among those about this work, which orders those of one instant."""
    done_by: str = ""
    team: str = ""
    """The team of whoever did it on that day, where it is known."""
    event_id: str = ""
    """The event that said so."""


def with_step(known: Iterable[WorkStep], step: WorkStep) -> tuple[WorkStep, ...]:
    """The journal with one more step, in the order of event time; the same step a second time changes nothing."""
    return tuple(sorted({*known, step}, key=lambda one: (one.at, one.work, one.number)))


def completions(known: Iterable[WorkStep]) -> tuple[WorkStep, ...]:
    """The completions that count, in the order of event time: of several without a reopening between them the first."""
    done: set[str] = set()
    found = []
    for step in known:
        if not step.done_by:
            done.discard(step.work)
        elif step.work not in done:
            done.add(step.work)
            found.append(step)
    return tuple(found)


def last_before(known: Iterable[WorkStep], at: datetime) -> WorkStep | None:
    """The completion that came last up to an instant, of whichever work; None before any."""
    return next((step for step in reversed(completions(known)) if step.at <= at), None)
