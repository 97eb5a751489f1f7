"""`aftersales grade calculate`: JSON lines in, one answer a line out, as interfaces 1 and 4 fix them."""

import json
import subprocess
import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.counted import counted
from typer.testing import CliRunner

from appraisal.commands import app
from appraisal.domain.question import answer
from appraisal.presets import Schemes
from common.kernel.faults import Fault

FIND = Schemes().find
AFTERSALES = Path(sys.executable).parent / "aftersales"


def _lines(text: str, *options: str) -> list[Any]:
    result = CliRunner().invoke(app, ["calculate", *options], input=text)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def _ask(question: object, *options: str) -> Any:
    [told] = _lines(json.dumps(question, ensure_ascii=False) + "\n", *options)
    return told


def _department(**asked: object) -> dict[str, object]:
    return {"id": 1, "scheme": "department-360", **asked}


def _error(told: Mapping[str, Any]) -> tuple[str, str]:
    assert set(told) == {"id", "error"}
    assert set(told["error"]) == {"code", "field", "message"}
    return told["error"]["code"], told["error"]["field"]


# --- The rows of interfaces 4 ------------------------------------------------------------------------------------------


def test_ratings_alone_are_the_score_of_the_sheet_that_the_groups_rate() -> None:
    told = _ask(_department(ratings={"superior": ["90"], "peer": ["85", "88.5"], "subordinate": []}))
    assert told["digest"].startswith("sha256:")
    assert {key: told[key] for key in ("id", "score_exact", "score", "grade", "weights", "group_means")} == {
        "id": 1,
        "score_exact": "887/10",
        "score": "88.70",
        "grade": "良",
        "weights": {"superior": "3/5", "peer": "2/5"},
        "group_means": {"superior": "90", "peer": "347/4"},
    }
    assert [{key: leaf[key] for key in ("part", "weight", "value", "points")} for leaf in told["contributions"]] == [
        {"part": "superior", "weight": "3/5", "value": "90", "points": "54"},
        {"part": "peer", "weight": "2/5", "value": "347/4", "points": "347/10"},
    ]


@pytest.mark.parametrize("nobody", [{"peer": []}, {"peer": None}, {}, {"peer": {"assigned": 0, "submitted": []}}])
def test_an_empty_null_or_absent_group_does_not_exist(nobody: dict[str, object]) -> None:
    told = _ask(_department(ratings={"superior": ["90"], "subordinate": ["70"], **nobody}))
    assert told["weights"] == {"superior": "3/5", "subordinate": "2/5"}
    assert told["score_exact"] == "82"


@pytest.mark.parametrize("superior", [{}, {"superior": []}, {"superior": None}])
def test_without_a_superior_there_is_no_grade(superior: dict[str, object]) -> None:
    assert _error(_ask(_department(ratings={"peer": ["90"], **superior}))) == ("superior_missing", "ratings.superior")


def test_a_group_that_was_asked_and_has_not_rated_is_missing() -> None:
    told = _ask(_department(ratings={"superior": ["90"], "peer": {"assigned": 3, "submitted": []}}))
    assert _error(told) == ("ratings_missing", "ratings.peer")
    assert told["id"] == 1


def test_a_group_of_which_some_have_rated_is_incomplete() -> None:
    told = _ask(_department(ratings={"superior": ["90"], "peer": {"assigned": 3, "submitted": ["80", "81"]}}))
    assert told["incomplete"] == ["peer"]
    assert told["group_means"]["peer"] == "161/2"


@pytest.mark.parametrize(
    ("score", "shown", "grade"),
    [
        ("59.99", "59.99", "差"),
        ("60", "60.00", "较差"),
        ("69.99", "69.99", "较差"),
        ("70", "70.00", "中"),
        ("79.99", "79.99", "中"),
        ("79.995", "79.99", "中"),
        ("15999/200", "79.99", "中"),
        ("80", "80.00", "良"),
        ("89.99", "89.99", "良"),
        ("90", "90.00", "优"),
        (100, "100.00", "优"),
    ],
)
def test_a_score_gets_its_grade(score: object, shown: str, grade: str) -> None:
    told = _ask(_department(score=score))
    assert (told["score"], told["grade"]) == (shown, grade)
    assert Fraction(told["score_exact"]) == Fraction(str(score))


@pytest.mark.parametrize(
    ("asked", "exact", "grade", "partial"),
    [
        ({"period_scores": ["80", "75.5", "90", "60"]}, "611/8", "中", False),
        ({"period_scores": ["80", "75.5", "90"]}, "491/6", "良", True),
        ({"period_scores": ["91"], "post": "manager"}, "91", "优", False),
        ({"period_scores": ["91"], "post": "specialist"}, "91", "优", True),
    ],
)
def test_the_scores_of_the_periods_give_the_years_grade(asked: dict[str, object], exact: str, grade: str, partial: bool) -> None:
    told = _ask(_department(**asked))
    assert (told["score_exact"], told["grade"], told["partial_year"]) == (exact, grade, partial)


def test_indicators_and_ratings_are_told_by_section_with_the_attainment_of_each_indicator() -> None:
    indicators = {
        "in_time_solution": {"numerator": "45", "denominator": "50"},
        "in_time_response": {"numerator": "0", "denominator": "0"},
        "customer_satisfaction": {"numerator": "8.5", "denominator": "10"},
    }
    told = _ask(_department(indicators=indicators, ratings={"superior": ["90"]}))
    results = (Fraction(90) * 40 + Fraction(85) * 30) / 70
    assert told["attainment"] == {"in_time_solution": "90", "customer_satisfaction": "85"}
    assert told["not_assessable"] == ["in_time_response"]
    assert told["redistributed"] == {"in_time_response": "21/100"}
    assert told["sections"] == {
        "results": {"weight": "7/10", "score": str(results)},
        "ability": {"weight": "3/10", "score": "90"},
    }
    assert told["score_exact"] == str(results * 7 / 10 + 27)
    assert sum(Fraction(leaf["points"]) for leaf in told["contributions"]) == Fraction(told["score_exact"])
    assert {leaf["part"]: leaf["weight"] for leaf in told["contributions"]} == {
        "in_time_solution": "2/5", "customer_satisfaction": "3/10", "superior": "3/10",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("score", "base", "exact", "amount", "failed", "readings"),
    [
        ("55", "3000", "1155", "1155.00", True, {"a": "1155", "b": "750", "c": "2100"}),
        ("60", "3000", "1800", "1800.00", False, {"a": "1800", "b": "1800", "c": "1800"}),
        ("59.99", "100", "41993/1000", "41.99", True, {"a": "41993/1000", "b": "2999/100", "c": "70"}),
        ("29", "1000", "203", "203.00", True, {"a": "203", "b": "0", "c": "700"}),
        ("0", "1000", "0", "0.00", True, {"a": "0", "b": "0", "c": "700"}),
        ("100", "1000.005", "200001/200", "1000.01", False, {"a": "200001/200", "b": "200001/200", "c": "200001/200"}),
    ],
)
def test_pay_follows_from_the_score_by_each_of_the_three_readings(
    score: str, base: str, exact: str, amount: str, failed: bool, readings: dict[str, str]
) -> None:
    told = _ask({"id": 1, "scheme": "bonus-monthly", "score": score, "performance_base": base})
    assert told["pay"] == {"exact": exact, "amount": amount, "failed": failed, "base_pay_deducted": False, "readings": readings}
    assert told["grade"] == ("不合格" if failed else "合格")


PERFORMANCE = ["优秀", "良好", "合格", "有待提升", "不合格"]
SKILLS = ["过硬", "较好", "一般", "较弱", "差"]
GRADES = ["优秀", "良好", "合格", "待提升", "不合格"]
OUTCOMES = [["extra_bonus", "promotion_chance", "nomination"], ["extra_bonus", "promotion_chance"], [], ["training"], ["training"]]


@pytest.mark.parametrize("performance", range(5))
@pytest.mark.parametrize("skills", range(5))
def test_a_committee_grades_equal_steps_and_proposes_the_lower_of_a_mixed_pair(performance: int, skills: int) -> None:
    axes = {"performance": PERFORMANCE[performance], "skills": SKILLS[skills]}
    told = _ask({"id": 1, "scheme": "committee", "axes": axes, "times_failed": 1})
    lower = max(performance, skills)
    assert (told["grade"], told["proposed"], told["provisional"]) == (GRADES[lower], performance != skills, False)
    assert told["outcomes"] == OUTCOMES[lower]


def test_an_open_gate_caps_the_answer_and_a_person_is_to_confirm_it() -> None:
    rates = {"repair_quality": {"numerator": "9", "denominator": "10"}, "safety_incidents": {"numerator": "1", "denominator": "1"}}
    told = _ask({"id": 1, "scheme": "quality", "indicators": rates})
    assert told.pop("digest").startswith("sha256:")
    assert told == {
        "id": 1,
        "scheme": "quality@1",
        "score_exact": "90",
        "score": "90.00",
        "grade": "差",
        "grade_en": "poor",
        "attainment": {"repair_quality": "90"},
        "not_assessable": ["complaint_handling", "customer_satisfaction"],
        "redistributed": {"complaint_handling": "2/5", "customer_satisfaction": "3/10"},
        "sections": {"service": {"weight": "1", "score": "90"}},
        "capped_by": ["safety_incidents"],
        "to_confirm": True,
        "contributions": [{"part": "repair_quality", "section": "service", "weight": "1", "value": "90", "points": "90"}],
    }


def test_a_score_of_somebody_elses_is_one_part_of_no_section() -> None:
    told = _ask(_department(score="80"))
    assert told.pop("digest").startswith("sha256:")
    assert told == {
        "id": 1,
        "scheme": "department-360@1",
        "score_exact": "80",
        "score": "80.00",
        "grade": "良",
        "grade_en": "good",
        "contributions": [{"part": "score", "weight": "1", "value": "80", "points": "80"}],
    }


def test_an_answer_in_words_says_what_follows_and_what_a_person_confirms() -> None:
    axes = {"performance": "不合格", "skills": "差"}
    told = _ask({"id": 1, "scheme": "committee", "axes": axes, "times_failed": 2})
    assert told.pop("digest").startswith("sha256:")
    assert told == {
        "id": 1,
        "scheme": "committee@1",
        "grade": "不合格",
        "grade_en": "unsatisfactory",
        "proposed": False,
        "provisional": False,
        "outcomes": ["training", "dismissal_review"],
        "to_confirm": ["dismissal_review"],
    }


def test_both_words_for_needs_improvement_are_one() -> None:
    for word in ("待提升", "有待提升"):
        told = _ask({"id": 1, "scheme": "committee", "axes": {"performance": word, "skills": "较弱"}})
        assert (told["grade"], told["proposed"]) == ("待提升", False)


@pytest.mark.parametrize(
    ("word", "times", "outcomes"),
    [
        ("不合格", None, ["training"]),
        ("不合格", 1, ["training"]),
        ("不合格", 2, ["training", "dismissal_review"]),
        ("不合格", 3, ["training", "dismissal_review"]),
        ("有待提升", 2, ["training"]),
        ("优秀", 2, ["extra_bonus", "promotion_chance", "nomination"]),
    ],
)
def test_failing_twice_in_a_row_opens_a_review_that_a_person_must_confirm(word: str, times: int | None, outcomes: list[str]) -> None:
    axes = {"performance": word, "skills": SKILLS[PERFORMANCE.index(word)]}
    told = _ask({"id": 1, "scheme": "committee", "axes": axes, "times_failed": times})
    assert told["outcomes"] == outcomes
    assert told["to_confirm"] == [outcome for outcome in outcomes if outcome == "dismissal_review"]


def test_without_a_skill_result_the_grade_is_provisional() -> None:
    told = _ask({"id": 1, "scheme": "committee", "axes": {"performance": "良好", "skills": None}})
    assert (told["grade"], told["provisional"], told["proposed"]) == ("良好", True, False)


def test_a_whole_scheme_may_stand_in_the_question() -> None:
    document = json.loads(json.dumps(FIND("department-360").document))
    document["sections"][0]["weight"], document["sections"][1]["weight"] = 40, "60"
    rates = {"numerator": "1", "denominator": "2"}
    told = _ask({"id": 1, "scheme": document, "indicators": {"in_time_response": rates}, "ratings": {"superior": ["90"]}})
    assert told["score_exact"] == "74"
    assert told["scheme"] == "department-360@1"
    assert told["digest"] != _ask(_department(indicators={"in_time_response": rates}, ratings={"superior": ["90"]}))["digest"]


def test_a_defect_of_a_scheme_in_the_question_is_told_by_field_and_rule() -> None:
    document = json.loads(json.dumps(FIND("department-360").document))
    document["sections"][0]["weight"] = "69"
    told = _ask({"id": 1, "scheme": document, "score": "80"})
    assert _error(told) == ("bad_scheme", "scheme.sections")
    assert told["error"]["message"].startswith("weights_sum")


def test_an_installed_scheme_is_asked_for_by_name(tmp_path: Path) -> None:
    document = json.loads(json.dumps(FIND("department-360").document)) | {"version": "7"}
    (tmp_path / "department-360@7.json").write_text(json.dumps(document), encoding="utf-8")
    assert _ask(_department(score="80"), "--schemes", str(tmp_path))["scheme"] == "department-360@7"
    assert _ask(_department(score="80"), f"--schemes={tmp_path}")["scheme"] == "department-360@7"
    assert _ask(_department(score="80") | {"scheme": "department-360@1"}, "--schemes", str(tmp_path))["scheme"] == "department-360@1"


@pytest.mark.parametrize("options", [["--schemes"], ["--schemes", "nowhere"], ["--shcemes", "."], ["x"]])
def test_an_option_that_is_none_ends_the_command(options: list[str]) -> None:
    assert CliRunner().invoke(app, ["calculate", *options], input="").exit_code == 2


# --- Questions that cannot be answered ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"score": "100.01"}, "out_of_range", "score"),
        ({"score": "-1"}, "out_of_range", "score"),
        ({"score": ""}, "bad_score", "score"),
        ({"score": "NaN"}, "bad_score", "score"),
        ({"score": "1e1"}, "bad_score", "score"),
        ({"score": "1/0"}, "bad_score", "score"),
        ({"score": 79.5}, "bad_score", "score"),
        ({"score": True}, "bad_score", "score"),
        ({"score": ["80"]}, "bad_score", "score"),
        ({"ratings": {"superior": ["90", None]}}, "bad_score", "ratings.superior[1]"),
        ({"ratings": {"superior": ["90", ""]}}, "bad_score", "ratings.superior[1]"),
        ({"ratings": {"superior": ["90", " "]}}, "bad_score", "ratings.superior[1]"),
        ({"ratings": {"superior": ["90", 88.5]}}, "bad_score", "ratings.superior[1]"),
        ({"ratings": {"superior": ["90"], "peer": {"assigned": 2, "submitted": [None]}}}, "bad_score", "ratings.peer.submitted[0]"),
        ({"ratings": {"superior": ["100.5"]}}, "out_of_range", "ratings.superior[0]"),
        ({"ratings": {"superior": ["90"], "self": ["99"]}}, "unknown_group", "ratings.self"),
        ({"ratings": {"superior": "90"}}, "bad_ratings", "ratings.superior"),
        ({"ratings": {"superior": ["90"], "peer": {"submitted": ["1"]}}}, "bad_count", "ratings.peer.assigned"),
        ({"ratings": {"superior": ["90"], "peer": {"assigned": 1, "submitted": ["1", "2"]}}}, "bad_ratings", "ratings.peer.submitted"),
        ({"ratings": {"superior": ["90"], "peer": {"assigned": 1, "given": []}}}, "unknown_field", "ratings.peer.given"),
        ({"ratings": ["90"]}, "bad_question", "ratings"),
        ({"indicators": {"speed": {"numerator": "1", "denominator": "1"}}}, "unknown_indicator", "indicators.speed"),
        ({"indicators": {"in_time_response": {"numerator": "1"}}}, "bad_number", "indicators.in_time_response.denominator"),
        ({"indicators": {"in_time_response": {"numerator": "-1", "denominator": "1"}}}, "out_of_range", "indicators.in_time_response"),
        ({"indicators": {"in_time_response": "90"}}, "bad_question", "indicators.in_time_response"),
        ({"indicators": {"in_time_response": {"numerator": "0", "denominator": "0"}}}, "not_assessable", "indicators"),
        ({"period_scores": []}, "too_few_periods", "period_scores"),
        ({"period_scores": ["80", None]}, "bad_score", "period_scores[1]"),
        ({"period_scores": ["80"] * 5}, "too_many_periods", "period_scores"),
        ({"period_scores": ["80"], "post": "king"}, "unknown_post", "post"),
        ({"period_scores": ["80"], "post": 3}, "unknown_post", "post"),
        ({"period_scores": "80"}, "bad_score", "period_scores"),
        ({"axes": {"performance": "良好"}}, "no_axes", "axes"),
        ({"score": "80", "performance_base": "100"}, "no_pay_rule", "performance_base"),
        ({"score": "80", "times_failed": 1}, "bad_question", "times_failed"),
        ({"score": "80", "period_scores": ["80"]}, "bad_question", "period_scores"),
        ({"score": "80", "rating": {}}, "unknown_field", "rating"),
        ({"score": "80", "post": "manager"}, "bad_question", "post"),
        ({"axes": {"performance": "优秀"}, "post": "manager", "scheme": "committee"}, "bad_question", "post"),
        ({"ratings": {"superior": ["90"], "peer": {"assigned": 1, "submitted": False}}}, "bad_score", "ratings.peer.submitted"),
        ({"ratings": {"superior": ["90"] * 1001}}, "bad_score", "ratings.superior"),
        ({"ratings": {"superior": ["0." + "1" * 401]}}, "bad_score", "ratings.superior[0]"),
        ({}, "bad_question", ""),
        ({"score": "80", "scheme": "nobody"}, "unknown_scheme", "scheme"),
        ({"score": "80", "scheme": None}, "unknown_scheme", "scheme"),
        ({"score": "80", "scheme": "committee"}, "no_score_scale", "scheme"),
        ({"score": "80", "scheme": {}}, "bad_scheme", "scheme.name"),
        ({"ratings": {"superior": ["1"]}, "scheme": "basic"}, "no_rater_groups", "ratings"),
        ({"axes": {"skills": "差"}, "scheme": "committee"}, "axis_missing", "axes.performance"),
        ({"axes": {"performance": "行"}, "scheme": "committee"}, "unknown_word", "axes.performance"),
        ({"axes": {"performance": 5}, "scheme": "committee"}, "unknown_word", "axes.performance"),
        ({"axes": {"performance": "优秀", "luck": "好"}, "scheme": "committee"}, "unknown_axis", "axes.luck"),
        ({"axes": {"performance": "优秀"}, "times_failed": "often", "scheme": "committee"}, "bad_count", "times_failed"),
        ({"score": "55", "performance_base": "-1", "scheme": "bonus-monthly"}, "out_of_range", "performance_base"),
        ({"score": "55", "performance_base": "1e3", "scheme": "bonus-monthly"}, "bad_number", "performance_base"),
        ({"score": "55", "performance_base": "1000000000000.01", "scheme": "bonus-monthly"}, "out_of_range", "performance_base"),
        ({"axes": {"performance": "优秀"}, "times_failed": 10_001, "scheme": "committee"}, "bad_count", "times_failed"),
        ({"axes": {"performance": "优秀"}, "times_failed": "1.5", "scheme": "committee"}, "bad_count", "times_failed"),
        ({"axes": {"performance": "优秀"}, "times_failed": -1, "scheme": "committee"}, "bad_count", "times_failed"),
        ({"axes": {"performance": "优秀"}, "performance_base": "1", "scheme": "committee"}, "no_pay_rule", "performance_base"),
        ({"axes": ["优秀"], "scheme": "committee"}, "bad_question", "axes"),
        ({"ratings": {"superior": ["90"], "peer": {"assigned": 2, "submitted": ["1", "2", "3"]}}}, "bad_ratings", "ratings.peer.submitted"),
        ({"indicators": {"in_time_response": {"numerator": "1", "denominator": "1", "of": "1"}}}, "unknown_field",
         "indicators.in_time_response.of"),
        ({"score": "80", "indicators": {}, "ratings": {}}, "bad_question", "indicators"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_answered_says_why(asked: dict[str, object], code: str, field: str) -> None:
    told = _ask(_department() | asked)
    assert _error(told) == (code, field)
    assert told["id"] == 1
    assert told["error"]["message"]


@pytest.mark.parametrize(
    "asked",
    [
        {"ratings": {"superior": ["90"] * 1_000}},
        {"ratings": {"superior": ["90"], "peer": {"assigned": 2, "submitted": ["1", "2"]}}},
        {"ratings": {"superior": ["90"], "peer": {"assigned": 10_000, "submitted": ["1"]}}},
        {"indicators": {"in_time_response": None, "in_time_solution": {"numerator": "0", "denominator": "1"}}},
        {"score": "55", "performance_base": "1000000000000", "scheme": "bonus-monthly"},
        {"score": "55", "performance_base": "0", "scheme": "bonus-monthly"},
        {"axes": {"performance": "优秀"}, "times_failed": 10_000, "scheme": "committee"},
        {"axes": {"performance": "优秀"}, "times_failed": 0, "scheme": "committee"},
        {"score": "0"},
        {"score": "80", "ratings": None},
    ],
)
def test_a_question_at_the_edge_of_what_may_be_asked_is_answered(asked: dict[str, object]) -> None:
    assert "error" not in _ask(_department() | asked)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "score",
        "[1]",
        "7",
        "null",
        '{"id": 1, "scheme": "department-360", "score": NaN}',
        '{"id": 1, "scheme": "department-360", "score": -Infinity}',
        '{"id": 1, "scheme": "department-360", "score": "1", "score": "2"}',
        '{"id": 1, "scheme": "department-360", "ratings": {"superior": ["1"], "superior": ["2"]}}',
        '{"id": 1, "scheme": "\\ud800", "score": "1"}',
        '{"id": 1, "scheme": "department-360", "score": 1e999}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_strict_json_object_gets_an_error_without_id_and_the_next_goes_on(line: str) -> None:
    good = json.dumps(_department(score="80"))
    first, second, third = _lines(f"{good}\n{line}\n{good}\n")
    assert first == third
    assert first["grade"] == "良"
    assert second["id"] is None
    assert _error(second) == ("bad_json", "")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"score": "80", "scroe": "81"}, "the nearest is score"),
        ({"ratings": {"superior": ["90"], "peer": {"submitted": []}}}, "how many raters were asked"),
        ({"ratings": {"superior": ["90"] * 1001}}, "at most 1000 scores, not 1001"),
        ({"ratings": {"superior": ["0." + "1" * 401]}}, "at most 400 digits"),
        ({"scheme": {"sectoins": []}, "score": "80"}, "the nearest is sections"),
        (
            {"scheme": {"name": {"zh": "a", "en": "b"}, "sections": [{}] * 201, "scale": {"bands": [{}] * 201}}, "score": "80"},
            "at most 200 items",
        ),
    ],
)
def test_an_error_says_what_an_outsider_can_act_on(asked: dict[str, object], told: str) -> None:
    assert told in _ask(_department() | asked)["error"]["message"]


@pytest.mark.parametrize("depth", [50, 70, 984, 5000])
def test_a_deep_line_is_an_error_and_the_next_goes_on(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    good = json.dumps(_department(score="80"))
    lines = [
        f'{{"id": {deep}, "scheme": "department-360", "score": "80"}}',
        f'{{"id": 1, "scheme": {{"notes": {deep}}}, "score": "80"}}',
        good,
    ]
    told = _lines("\n".join(lines))
    assert [one.get("error", {}).get("code") for one in told] == [
        None if depth <= 60 else "bad_json",
        "bad_scheme" if depth <= 60 else "bad_json",
        None,
    ]


def test_a_scheme_file_that_cannot_be_read_is_an_error_for_its_line_alone(tmp_path: Path) -> None:
    (tmp_path / "shop@1.yaml").write_bytes("name: {zh: 商店, en: shop}".encode("gb18030"))
    (tmp_path / "deep@1.yaml").write_bytes(b"[" * 3000)
    (tmp_path / "self@1.yaml").write_bytes(b"stages: &s {a: *s}")
    (tmp_path / "folder@1.yaml").mkdir()
    asked = [{"id": name, "scheme": name, "score": "80"} for name in ("shop", "deep", "self@1", "folder", "department-360")]
    told = _lines("\n".join(map(json.dumps, asked)), "--schemes", str(tmp_path))
    assert [one.get("error", {}).get("code") for one in told] == ["bad_scheme"] * 4 + [None]
    assert "line 1: the file is not text in UTF-8" in told[0]["error"]["message"]


def test_answers_come_in_the_order_of_the_questions_each_with_its_own_id() -> None:
    ids: list[object] = [3, "b", None, {"run": 7}, ["x"], 1.5, True]
    questions = [_department(score=str(60 + at)) | {"id": one} for at, one in enumerate(ids)]
    told = _lines("\n".join(json.dumps(question) for question in questions))
    assert [one["id"] for one in told] == ids
    assert [one["score_exact"] for one in told] == [str(60 + at) for at in range(len(ids))]


def test_an_exact_answer_of_endless_length_is_refused_instead_of_written() -> None:
    scores = [f"1/{10**390 + prime}" for prime in (1, 3, 7, 9, 13, 19, 21, 27, 31, 33, 37, 39)]
    assert _error(_ask(_department(ratings={"superior": scores}))) == ("too_precise", "")


def test_the_digest_depends_on_what_was_asked_and_not_on_its_id() -> None:
    first = _ask(_department(ratings={"superior": ["90"], "peer": ["80", "70"]}))
    same = _ask(_department(ratings={"peer": ["70.0", "80"], "superior": ["90"], "subordinate": []}) | {"id": "other"})
    other = _ask(_department(ratings={"superior": ["90"], "peer": ["81", "69"]}))
    asked = _ask(_department(ratings={"superior": ["90"], "peer": {"assigned": 2, "submitted": ["80", "70"]}}))
    missing = _ask(_department(ratings={"superior": ["90"], "peer": {"assigned": 3, "submitted": ["80", "70"]}}))
    assert same["digest"] == first["digest"] == asked["digest"]
    assert (missing["score_exact"], missing["digest"] == first["digest"]) == (first["score_exact"], False)
    assert (other["score_exact"], other["digest"] == first["digest"]) == (first["score_exact"], False)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
KEYS = st.sampled_from(["superior", "peer", "assigned", "submitted", "numerator", "denominator", "in_time_response", "performance"])
ANYTHING = st.recursive(
    LEAVES | st.sampled_from(["90", "1/3", "良好", "-1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["scheme", "ratings", "score", "indicators", "period_scores", "axes", "post", "performance_base", "times_failed"]


@given(
    st.sampled_from(["department-360", "committee", "bonus-monthly", "indoor-repair-monthly"]) | ANYTHING,
    st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=3),
)
@counted(400, proof=4_000)
def test_any_json_at_all_gets_an_answer_or_an_error_and_never_a_crash(scheme: object, asked: dict[str, object]) -> None:
    try:
        told = answer({"scheme": scheme} | asked, FIND)
    except Fault:
        return
    json.dumps(told, ensure_ascii=False, allow_nan=False).encode()
    if "score_exact" in told:
        assert 0 <= Fraction(str(told["score_exact"])) <= 100


# --- The command as a process ---------------------------------------------------------------------------------------------


def test_it_starts_without_what_only_the_services_need() -> None:
    code = (
        "import sys\n"
        "from appraisal.commands import app\n"
        "app(['calculate'], standalone_mode=False)\n"
        "print([name for name in sys.argv[1:] if name in sys.modules], file=sys.stderr)\n"
    )
    heavy = ["pydantic", "faststream", "sqlmodel", "sqlalchemy", "aiokafka", "asyncio", "structlog"]
    done = subprocess.run(
        [sys.executable, "-c", code, *heavy], input=json.dumps(_department(score="80")), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["grade"] == "良"
    assert done.stderr.strip() == "[]"


def test_whoever_asks_one_question_at_a_time_gets_each_answer_before_the_next_question() -> None:
    with subprocess.Popen([AFTERSALES, "grade", "calculate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for score, grade in (("80", "良"), ("60", "较差"), ("95", "优")):
            process.stdin.write(json.dumps(_department(score=score)) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["grade"] == grade
        process.stdin.close()
        assert process.wait() == 0
