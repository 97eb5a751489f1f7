"""What clocks say besides (interfaces 3c): each sentence by a history that was worked out by hand, asked as the command asks."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from tests.common.clock_3c_cases import ANSWERED, CASES, CLOCKS, REFUSED, Case
from tests.common.clock_oracle import DAY_NAMES, walk, with_instants

from ops.clock_questions import Questions

ORDERS = 12
"""In how many orders a history is told, besides its own."""

DOCUMENTS = {
    "mon-fri": {"time_zone": "UTC", "weekly_hours": {day: [["09:00", "18:00"]] for day in DAY_NAMES[:5]}},
    "24x7": {"time_zone": "UTC", "weekly_hours": {day: [["00:00", "24:00"]] for day in DAY_NAMES}},
}
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def of(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.shows for case in cases])


def of_interest(answer: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Those fields of the answer that the case names."""
    return with_instants({name: answer[name] for name in expected if name in answer})


@of(ANSWERED)
def test_a_question_is_answered_as_worked_out_by_hand(case: Case) -> None:
    answer = Questions().answer(case.question)
    assert of_interest(answer, case.expected) == with_instants(case.expected), answer.get("error")


@of(CLOCKS)
def test_the_walk_through_the_slots_finds_what_was_worked_out_by_hand(case: Case) -> None:
    as_of = datetime.fromisoformat(case.question["as_of"])
    known = [each for each in case.question["events"] if datetime.fromisoformat(each["at"]) <= as_of]
    clock = walk(sorted(known, key=lambda each: (each["at"], each["id"])), NEW_YEAR, as_of, DOCUMENTS)
    assert with_instants(case.expected) == clock.answer(as_of)


@of(REFUSED)
def test_a_question_that_cannot_be_read_is_refused(case: Case) -> None:
    error = Questions().answer(case.question)["error"]
    assert of_interest(error, case.expected["error"]) == case.expected["error"], error["message"]


@of(CLOCKS)
def test_the_order_of_what_is_told_and_duplicates_change_nothing(case: Case) -> None:
    random, events = Random(case.shows), case.question["events"]
    for _ in range(ORDERS):
        told = [*events, *random.choices(events, k=2)]
        random.shuffle(told)
        answer = Questions().answer({**case.question, "events": told})
        assert of_interest(answer, case.expected) == with_instants(case.expected), [each["id"] for each in told]


def test_an_unknown_field_is_named_with_the_nearest_one() -> None:
    for case in REFUSED:
        if (error := case.expected["error"])["code"] == "unknown_field" and error["field"].endswith(("owd", "reasn")):
            assert ("owed" if error["field"].endswith("owd") else "reason") in Questions().answer(case.question)["error"]["message"]


def test_every_case_has_a_sentence_of_its_own() -> None:
    assert len({case.shows for case in CASES}) == len(CASES) >= 60
