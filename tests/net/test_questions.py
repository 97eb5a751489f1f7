"""3,000 questions to the two calculators are answered as they were answered before: whole answers, to the byte."""

import json
from typing import Any

import pytest
from tests.net.questions import COMMANDS, asked, drawn, kept

_SHOWN = 20


@pytest.mark.parametrize("calculator", COMMANDS)
def test_every_kept_question_has_the_answer_that_is_kept_with_it(calculator: str) -> None:
    questions, answers = kept(calculator)
    changed = [
        f"question {number}, {field}: {was} became {told}, asked {question.decode()[:160]}"
        for number, (question, before, after) in enumerate(zip(questions, answers, asked(calculator, questions), strict=True))
        if before != after
        for field, was, told in _differences(json.loads(before), json.loads(after))
    ]
    assert not changed, "\n".join([f"{len(changed)} fields of the answers changed:", *changed[:_SHOWN]])


@pytest.mark.parametrize("calculator", COMMANDS)
def test_the_questions_are_1500_and_those_that_are_drawn(calculator: str) -> None:
    questions, _ = kept(calculator)
    assert len(questions) == 1_500
    assert questions == drawn(calculator)


def _differences(was: Any, told: Any, field: str = "") -> list[tuple[str, str, str]]:
    """Each field of which two answers tell differently, with both values; their order in the line, where that is all."""
    if was == told and type(was) is type(told) and not field:
        return [("order of the fields", ", ".join(was), ", ".join(told))]
    if isinstance(was, dict) and isinstance(told, dict):
        names = dict.fromkeys([*was, *told])
        found = [_differences(was.get(name, _ABSENT), told.get(name, _ABSENT), f"{field}.{name}".lstrip(".")) for name in names]
    elif isinstance(was, list) and isinstance(told, list) and len(was) == len(told):
        found = [_differences(one, other, f"{field}[{index}]") for index, (one, other) in enumerate(zip(was, told, strict=True))]
    else:
        return [] if was == told and type(was) is type(told) else [(field, _text(was), _text(told))]
    return [difference for each in found for difference in each]


_ABSENT = object()


def _text(value: object) -> str:
    return "absent" if value is _ABSENT else json.dumps(value, ensure_ascii=False)
