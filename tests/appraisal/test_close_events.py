"""A close names everybody whom it could not grade, however many they are, and no event of it is too large to be sent."""

from datetime import UTC, datetime

import pytest
from tests.harness import documents_of

from appraisal.domain.cycle import Cycle, CycleStatus
from appraisal.domain.grading import CycleResults
from appraisal.domain.period import Span
from appraisal.presets import Schemes
from appraisal.repository import UnitOfWork
from appraisal.use_cases import publish_close
from common.contracts.cause import Cause
from common.contracts.cycles import INDICATORS, LISTED, CycleClaimRejected, CycleClosed, CycleExceptionsListed
from common.contracts.event import Event
from common.runtime.transaction import Transaction

AS_OF = datetime(2026, 10, 12, tzinfo=UTC)
BASIC = Schemes().find("basic@1")
SPAN = Span(datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC))


WATERMARKS = {"kpi-facts/0": 7}


def published(not_graded: int, unknown: int, *, graded: bool = True) -> list[Event]:
    """What a close decides that could grade one person, or nobody."""
    persons = {f"E{number}": "ratings_missing" for number in range(not_graded)}
    subjects = tuple(f"employee:U{number}" for number in range(unknown))
    return published_of(CycleResults(int(graded), persons, subjects))


def published_of(results: CycleResults) -> list[Event]:
    """What a close decides that came to these results."""
    closing = Cycle(
        id="2026Q3|basic@1",
        cycle="2026Q3",
        scheme="basic@1",
        status=CycleStatus.CLOSING,
        as_of=AS_OF,
        for_real=False,
        requested_by="close-1",
        watermarks=WATERMARKS,
    )
    batch = Transaction("appraisal", UnitOfWork, documents_of("appraisal"))
    uow = UnitOfWork(batch, Cause("test", AS_OF, AS_OF))
    uow.changes["cycles", closing.id] = (UnitOfWork.cycles, closing, False)
    publish_close(closing, BASIC, SPAN, results, uow)
    return [event for event, _ in uow.outgoing]


@pytest.mark.parametrize(
    ("not_graded", "unknown", "events"), [(0, 0, 1), (3, LISTED, 1), (LISTED + 1, 0, 2), (7, 36_000, 360), (36_000, 36_000, 360)]
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


def test_a_close_says_which_instants_it_took_in_up_to_where_and_what_counted_for_nothing() -> None:
    indicators = {f"indicator {number}": number for number in range(INDICATORS + 1)}
    [closed] = published_of(CycleResults(7, {"E1": "ratings_missing"}, ("employee:U1",), {"E1": 3, "E2": 1}, indicators))
    assert closed == CycleClosed(
        cycle_key="2026Q3|basic@1",
        cycle="2026Q3",
        scheme="basic@1",
        as_of=AS_OF,
        starts_at=SPAN.start,
        ends_at=SPAN.end,
        watermarks=WATERMARKS,
        graded=7,
        not_graded={"E1": "ratings_missing"},
        not_graded_count=1,
        unknown_subjects=["employee:U1"],
        unknown_subjects_count=1,
        uncounted_ratings={"E1": 3, "E2": 1},
        uncounted_ratings_count=2,
        unknown_indicators={f"indicator {number}": number for number in range(INDICATORS)},
    )


def test_ratings_that_count_for_nothing_are_named_over_as_many_events_as_it_takes() -> None:
    uncounted = {f"E{number}": 1 for number in range(2 * LISTED + 1)}
    first, *others = published_of(CycleResults(1, {}, (), uncounted))
    assert isinstance(first, CycleClosed)
    assert first.uncounted_ratings_count == len(uncounted)
    named = [first.uncounted_ratings, *(one.uncounted_ratings for one in others if isinstance(one, CycleExceptionsListed))]
    assert [len(one) for one in named] == [LISTED, LISTED, 1]
    assert {name: number for one in named for name, number in one.items()} == uncounted


def test_a_close_that_could_grade_nobody_is_refused_and_names_everybody_with_the_reason() -> None:
    refused, *listed = published(LISTED + 1, 0, graded=False)
    assert isinstance(refused, CycleClaimRejected)
    assert refused == CycleClaimRejected(
        cycle_key="2026Q3|basic@1",
        claim_id="close-1",
        claim_type="cycle.close_requested",
        rule="nobody_could_be_graded",
        field="scheme",
        was=f"ratings_missing: {LISTED + 1}",
    )
    assert [(one.part, one.parts) for one in listed if isinstance(one, CycleExceptionsListed)] == [(1, 2), (2, 2)]
    assert [len(one.not_graded) for one in listed if isinstance(one, CycleExceptionsListed)] == [LISTED, 1]
