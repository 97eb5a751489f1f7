"""What clocks say besides (interfaces 3c): each sentence by a history that was worked out by hand, asked as the command asks."""

from datetime import datetime
from random import Random
from typing import Any

import pytest
from tests.common.clock_3c_cases import CASES, HISTORIES, REFUSED, Case

from ops.clock_questions import Questions

ORDERS = 12
"""In how many orders a history is told, besides its own."""


def of(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.shows for case in cases])


def comparable(value: Any) -> Any:
    """The value with instants instead of texts: an answer may write them in any zone."""
    if isinstance(value, dict):
        return {name: comparable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [comparable(each) for each in value]
    return datetime.fromisoformat(value) if isinstance(value, str) and value[4:5] == "-" else value


def asked_about(answer: dict[str, Any], expected: dict[str, Any]) -> Any:
    """Those fields of the answer that the case names."""
    return comparable({name: answer.get(name, "absent") for name in expected})


@of(HISTORIES)
def test_a_history_is_answered_as_worked_out_by_hand(case: Case) -> None:
    answer = Questions().answer(case.question)
    assert asked_about(answer, case.expected) == comparable(case.expected), answer.get("error")


@of(REFUSED)
def test_a_history_that_cannot_be_read_is_refused(case: Case) -> None:
    error = Questions().answer(case.question)["error"]
    assert asked_about(error, case.expected["error"]) == case.expected["error"], error["message"]


@of([case for case in HISTORIES if "events" in case.question])
def test_the_order_of_what_is_told_and_duplicates_change_nothing(case: Case) -> None:
    random, events = Random(case.shows), case.question["events"]
    for _ in range(ORDERS):
        told = [*events, *random.choices(events, k=2)]
        random.shuffle(told)
        answer = Questions().answer({**case.question, "events": told})
        assert asked_about(answer, case.expected) == comparable(case.expected), [each["id"] for each in told]


def test_an_unknown_field_is_named_with_the_nearest_one() -> None:
    for case in REFUSED:
        if (error := case.expected["error"])["code"] == "unknown_field" and error["field"].endswith(("owd", "reasn")):
            assert ("owed" if error["field"].endswith("owd") else "reason") in Questions().answer(case.question)["error"]["message"]


def test_every_case_has_a_sentence_of_its_own() -> None:
    assert len({case.shows for case in CASES}) == len(CASES) >= 60
