"""A version of a grade says all that it rests on, and what followed from the one before is taken back before anything new follows."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from tests.harness import documents_of

from appraisal.domain.cycle import Close, Cycle
from appraisal.domain.grading import CycleInputs, Grading, PersonalGrade
from appraisal.domain.inputs import stored_inputs
from appraisal.domain.lots import Lot
from appraisal.presets import Schemes
from appraisal.repository import LatestGrade, UnitOfWork
from appraisal.tables import GradeRow
from appraisal.use_cases import publish_grade
from common.contracts.cause import Cause
from common.contracts.event import Event
from common.contracts.grades import GradePublished, GradeRecorded, OutcomeProposed, OutcomeReversed
from common.kernel.staff import Member, Staff
from common.runtime.transaction import Transaction

AS_OF = datetime(2026, 10, 12, tzinfo=UTC)
RECORDED_AT = AS_OF + timedelta(minutes=5)
KEY = "2026Q3|house@1|employee:S1"
COACHING = {"outcome": "coaching", "grades": ["差"], "source": "D11-46"}
REVIEW = {"outcome": "dismissal_review", "grades": ["差"], "confirm": "true", "source": "D5-16"}
BASIC = Schemes().find("basic@1").document
HOUSE = Schemes().find({**BASIC, "id": "house", "outcomes": [COACHING, REVIEW]})
CLOSE = Close(AS_OF, for_real=False, requested_by="close-2")


def cycle(close: Close = CLOSE) -> Cycle:
    return Cycle.asked("2026Q3|house@1", "2026Q3", "house@1", close)


def personal(*, replay_of: str = "", casualties: int = 0) -> PersonalGrade:
    """S1 solved one of two cases in time, which is 50 and 差; with a casualty a gate caps it besides."""
    scheme = replace(HOUSE, gates=tuple(Schemes().find("quality@1").gates)) if casualties else HOUSE
    lots = [Lot("employee:S1", "in_time_solution", Fraction(1), Fraction(2), "sha256:a", replay_of)]
    lots += [Lot("employee:S1", "safety_incidents", Fraction(casualties), Fraction(1), "sha256:b")] if casualties else []
    staff = Staff((Member("S1", "specialist", "service", "t1", None, "specialist"),))
    grading = Grading(CycleInputs("2026Q3", scheme, staff, frozenset({"specialist"}), lots, [], AS_OF, {"name": "cn"}))
    [found], without = grading.grade(grading.appraisees)
    assert without == {}
    return found


def published(one: PersonalGrade, last: LatestGrade | None = None, close: Close = CLOSE) -> tuple[GradeRow | None, list[Event]]:
    """What the close decides about this grade, and what it keeps of it."""
    uow = UnitOfWork(Transaction("appraisal", UnitOfWork, documents_of("appraisal")), Cause("test", AS_OF, AS_OF))
    row = publish_grade(cycle(close), HOUSE, one, last, RECORDED_AT, uow)
    return row, [event for event, _ in uow.outgoing]


def latest(version: int = 4, digest: str = "sha256:other", requested_by: str = "close-1", *outcomes: str) -> LatestGrade:
    return LatestGrade(version, digest, requested_by, [{"outcome_id": one} for one in outcomes])


def test_the_first_version_is_published_recorded_and_kept_with_its_inputs_and_leads_to_outcomes() -> None:
    one = personal()
    row, (result, recorded, *outcomes) = published(one)
    assert isinstance(result, GradePublished)
    assert isinstance(recorded, GradeRecorded)
    assert (result.grade_key, result.cycle, result.scheme, result.subject) == (KEY, "2026Q3", "house@1", "employee:S1")
    assert (result.version, result.digest, result.as_of, result.grade, result.score) == (1, one.digest, AS_OF, "差", "50.00")
    assert recorded.model_dump(exclude={"supersedes"}) == result.model_dump()
    assert recorded.supersedes is None
    assert outcomes == [
        OutcomeProposed(
            outcome_id=f"{KEY}|1|{outcome}", grade_key=KEY, subject="employee:S1", version=1,
            outcome=outcome, rule=rule, needs_confirmation=confirm,
        )
        for outcome, rule, confirm in (("coaching", "D11-46", False), ("dismissal_review", "D5-16", True))
    ]  # fmt: skip
    assert row is not None
    assert row.model_dump() == {
        "grade_key": KEY,
        "version": 1,
        "cycle_key": "2026Q3|house@1",
        "subject": "employee:S1",
        "score": "50.00",
        "grade": "差",
        "digest": one.digest,
        "requested_by": "close-2",
        "document": json.loads(result.model_dump_json()),
        "inputs": {**stored_inputs(one), "replay_of": ""},
        "outcomes": [json.loads(outcome.model_dump_json()) for outcome in outcomes],
        "recorded_at": RECORDED_AT,
    }


def test_a_later_version_supersedes_the_last_and_takes_back_what_followed_from_it() -> None:
    row, (result, recorded, *others) = published(personal(), latest(4, "sha256:other", "close-1", f"{KEY}|4|bonus", f"{KEY}|4|raise"))
    assert isinstance(result, GradePublished)
    assert isinstance(recorded, GradeRecorded)
    assert (result.version, recorded.version, recorded.supersedes) == (5, 5, 4)
    taken_back = [
        OutcomeReversed(outcome_id=f"{old}|reversed", grade_key=KEY, subject="employee:S1", version=5, reverses=old)
        for old in (f"{KEY}|4|bonus", f"{KEY}|4|raise")
    ]
    assert others[:2] == taken_back
    proposed: list[Any] = others[2:]
    assert [one.outcome_id for one in proposed] == [f"{KEY}|5|coaching", f"{KEY}|5|dismissal_review"]
    assert row is not None
    assert (row.version, [one["outcome_id"] for one in row.outcomes]) == (5, [one.outcome_id for one in proposed])


def test_the_same_inputs_make_no_new_version_and_neither_does_the_same_close() -> None:
    one = personal()
    assert published(one, latest(digest=one.digest)) == (None, [])
    assert published(one, latest(requested_by="close-2")) == (None, [])


def test_what_follows_from_a_grade_that_a_person_has_to_confirm_is_to_be_confirmed() -> None:
    _, (_, _, *outcomes) = published(personal(casualties=1))
    assert [one.needs_confirmation for one in outcomes if isinstance(one, OutcomeProposed)] == [True, True]


@pytest.mark.parametrize(
    ("history", "close", "pays"),
    [
        ("", Close(AS_OF, for_real=False, requested_by="close-2"), True),
        ("log:1", Close(AS_OF, for_real=False, requested_by="close-2"), False),
        ("", Close(AS_OF, for_real=False, requested_by="close-2", replay_of="log:2"), False),
        ("log:1", Close(AS_OF, for_real=True, requested_by="close-2", replay_of="log:2"), True),
    ],
)
def test_history_that_is_not_closed_for_real_leaves_what_followed_before_as_it_is(history: str, close: Close, pays: bool) -> None:
    standing = latest(4, "sha256:other", "close-1", f"{KEY}|4|bonus")
    row, (_, _, *outcomes) = published(personal(replay_of=history), standing, close)
    assert row is not None
    assert row.inputs["replay_of"] == (history or close.replay_of)
    assert (len(outcomes), row.outcomes == standing.outcomes) == ((3, False) if pays else (0, True))
