"""What the commands answer keeps the schemas that `aftersales schema` prints, and what they refuse is no question to the schema."""

import json
from typing import Any

import jsonschema
import pytest

from appraisal.domain.question import answer as grade_answer
from appraisal.presets import Schemes
from common.kernel.faults import Fault
from common.kernel.json_lines import error
from ops import schema
from ops.clock_questions import Questions
from ops.contract_files import event_types

CN = "2026-08-03T09:05:00+08:00"
SEASONAL: dict[str, Any] = {
    "time_zone": "Asia/Shanghai",
    "weekly_hours": {"mon": [["09:00", "18:00"]], "tue": [["09:00", "18:00"]]},
    "seasons": [{"from": "05-01", "to": "09-30", "weekly_hours": {"mon": [["08:00", "17:00"]]}}],
    "alternating": [{"anchor": "2026-01-03", "hours": [["09:00", "12:00"]]}],
    "make_up_days": ["2026-08-16"],
}
CLOCK_QUESTIONS: list[dict[str, Any]] = [
    {"calendar": "cn", "start": CN, "target": {"working_days": 3}, "explain": True},
    {"calendar": "cn", "start": CN, "target": {"working_days": 3, "meaning": "working_hours"}},
    {"calendar": "24x7", "start": CN, "target": {"working_seconds": 1800}, "pauses": [["2026-08-03T09:06:00+08:00", None]]},
    {"calendar": "mon-fri", "start": "2026-08-03T09:00:00Z", "end": "2026-08-03T10:00:00.5Z", "explain": True},
    {"calendar": "cn", "at": CN},
    {"calendar": {"time_zone": "Asia/Shanghai", "weekly_hours": {"mon": [["09:00", "24:00"]]}}, "date": "2026-08-03", "explain": True},
    {
        "events": [
            {"id": "a", "type": "started", "at": CN, "calendar": "cn", "target": {"working_seconds": 7200}, "owner": "E1"},
            {"id": "b", "type": "paused", "at": "2026-08-03T09:35:00+08:00", "party": "customer", "reason": "away"},
            {"id": "c", "type": "resumed", "at": "2026-08-03T10:00:00+08:00"},
            {"id": "d", "type": "stopped", "at": "2026-08-03T10:30:00+08:00"},
        ],
        "as_of": "2026-08-04T09:00:00+08:00",
    },
    {"calendar": "nowhere", "at": CN},
    {"events": [], "as_of": CN},
    {"calendar": "cn", "start": CN, "target": {"working_days": 0, "cut_off": "09:00", "by": "17:00"}, "explain": True},
    {"calendar": SEASONAL, "start": CN, "end": "2026-10-01T09:05:00+08:00", "count": "working_days", "explain": True},
    {"calendar": SEASONAL, "start": CN, "target": {"working_days": 1, "by": "17:00", "pauses_count": True}, "explain": True},
    {"calendar": SEASONAL, "date": "2026-08-15", "explain": True},
]
GRADE_QUESTIONS: list[dict[str, Any]] = [
    {"scheme": "department-360", "ratings": {"superior": ["90"], "peer": ["85", "88.5"], "subordinate": []}},
    {"scheme": "department-360", "score": "79.995"},
    {"scheme": "department-360", "period_scores": ["80", "75.5", 90]},
    {"scheme": "bonus-monthly", "score": "55", "performance_base": "3000"},
    {"scheme": "committee", "axes": {"performance": "良好", "skills": "一般"}, "times_failed": 1},
    {"scheme": "department-360", "ratings": {"superior": ["90"], "peer": {"assigned": 3, "submitted": []}}},
    {"scheme": "unheard-of", "score": "1"},
]


def shown(name: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The schema that the command prints."""
    assert schema.run([name]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def shape(document: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    """One of the shapes of an interface; a field that it does not name is an error here, so that none is forgotten."""
    definitions = document["$defs"]
    strict = {**definitions, name: {**definitions[name], "additionalProperties": False}}
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": strict}, format_checker=jsonschema.FormatChecker())


def graded(question: dict[str, Any]) -> dict[str, Any]:
    try:
        return grade_answer(question, Schemes().find)
    except Fault as problem:
        return error(problem)


@pytest.mark.parametrize("question", CLOCK_QUESTIONS)
def test_a_clock_question_and_its_answer_keep_their_schema(question: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    document = shown("clock-calculate", capsys)
    shape(document, "question").validate({"id": 1, **question})
    shape(document, "answer").validate({"id": 1, **Questions().answer(question)})


@pytest.mark.parametrize("question", GRADE_QUESTIONS)
def test_a_grade_question_and_its_answer_keep_their_schema(question: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    document = shown("grade-calculate", capsys)
    shape(document, "question").validate({"id": 1, **question})
    shape(document, "answer").validate({"id": 1, **graded(question)})


@pytest.mark.parametrize("bad", [{"calendar": "cn"}, {"calendar": "cn", "at": CN, "date": "2026-08-03"}, {"events": {}}])
def test_what_is_no_clock_question_is_none_to_the_schema(bad: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert not shape(shown("clock-calculate", capsys), "question").is_valid({"id": 1, **bad})
    assert "error" in Questions().answer(bad)


def test_the_examples_of_the_documents_are_answered_as_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    clock, grade = shown("clock-calculate", capsys), shown("grade-calculate", capsys)
    questions = {example["id"]: example for example in clock["examples"] if "calendar" in example or "events" in example}
    for answer in [example for example in clock["examples"] if example not in questions.values()]:
        assert Questions().answer(questions[answer["id"]]) == {name: value for name, value in answer.items() if name != "id"}
    asked, told = grade["examples"][1:3]
    found = graded({name: value for name, value in asked.items() if name != "id"})
    assert {name: found[name] for name in told if name != "id"} == {name: value for name, value in told.items() if name != "id"}


def test_every_event_and_every_interface_has_a_schema_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert schema.run([]) == 0
    names = capsys.readouterr().out.split()
    assert {*event_types(), "clock-calculate", "grade-calculate", "replay-report", "demo-report"} <= set(names)
    for name in names:
        assert shown(name, capsys)["$id"] == f"/schemas/{name}.json"


def test_a_schema_that_there_is_not_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert schema.run(["complaint.vanished"]) == 2
    assert "complaint.vanished" in capsys.readouterr().err
