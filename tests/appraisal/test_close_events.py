"""A close names everybody whom it could not grade, however many they are, and no event of it is too large to be sent."""

from datetime import UTC, datetime

import pytest

from appraisal.domain.cycle import Cycle, CycleStatus
from appraisal.domain.grading import CycleGrades
from appraisal.domain.period import Span
from appraisal.presets import find_scheme
from appraisal.repository import UnitOfWork
from appraisal.use_cases import publish_grades
from common.contracts.cause import Cause
from common.contracts.cycles import LISTED, CycleClosed, CycleExceptionsListed
from common.contracts.event import Event
from common.runtime.transaction import Transaction
from common.sla.policy import load_policy
from common.store.rulebook import RulebookCache

AS_OF = datetime(2026, 10, 12, tzinfo=UTC)
SPAN = Span(datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC))


def published(not_graded: int, unknown: int) -> list[Event]:
    """What a close decides that could grade nobody."""
    closing = Cycle(
        id="2026Q3|department-360@1",
        cycle="2026Q3",
        scheme="department-360@1",
        status=CycleStatus.CLOSING,
        as_of=AS_OF,
        for_real=False,
        requested_by="close-1",
    )
    scheme = find_scheme(closing.scheme)
    assert scheme is not None
    persons = {f"E{number}": "ratings_missing" for number in range(not_graded)}
    subjects = tuple(f"employee:U{number}" for number in range(unknown))
    batch = Transaction("appraisal", UnitOfWork, RulebookCache(load_policy("appraisal")))
    uow = UnitOfWork(batch, Cause("test", AS_OF, AS_OF))
    uow.changes["cycles", closing.id] = (UnitOfWork.cycles, closing, False)
    publish_grades(closing, scheme, SPAN, CycleGrades((), persons, subjects), {}, AS_OF, uow)
    return [event for event, _ in uow.outgoing]


@pytest.mark.parametrize(
    ("not_graded", "unknown", "events"), [(0, 0, 1), (3, LISTED, 1), (LISTED + 1, 0, 2), (7, 36_000, 180), (36_000, 36_000, 180)]
)
def test_everybody_is_named_once_over_as_many_events_as_it_takes(not_graded: int, unknown: int, events: int) -> None:
    first, *others = published(not_graded, unknown)
    assert isinstance(first, CycleClosed)
    assert (first.not_graded_count, first.unknown_subjects_count, 1 + len(others)) == (not_graded, unknown, events)
    named, subjects = dict(first.not_graded), list(first.unknown_subjects)
    for number, other in enumerate(others, 1):
        assert isinstance(other, CycleExceptionsListed)
        assert (other.part, other.parts, other.as_of) == (number, len(others), AS_OF)
        named |= other.not_graded
        subjects += other.unknown_subjects
    assert (len(named), len(set(subjects)), len(subjects)) == (not_graded, unknown, unknown)
