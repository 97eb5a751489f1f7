"""A grade taken apart again: its facts, and what would have made the next one, held against counting one by one."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import pytest

from appraisal.domain.answer import contributions_document, exact_text
from appraisal.domain.explanation import explanation, next_grade
from appraisal.domain.grade import Graded, grade_period
from appraisal.domain.inputs import StoredGrade
from appraisal.domain.lots import KpiFact
from appraisal.domain.raters import GroupRatings
from appraisal.domain.scheme import Scheme, scheme_from
from appraisal.domain.sections import Measured
from appraisal.presets import Schemes
from common.kernel.documents import Plain

DEPARTMENT = Schemes().find("department-360")
RATED = {"superior": GroupRatings((Fraction(80),))}


def _measured(**counts: tuple[int, int]) -> dict[str, Measured]:
    return {name: Measured(Fraction(of), Fraction(out_of)) for name, (of, out_of) in counts.items()}


def _grade(scheme: Scheme, measured: Mapping[str, Measured], ratings: Mapping[str, GroupRatings] | None = None) -> Graded:
    return grade_period(scheme, measured, RATED if ratings is None and scheme.rated_section else ratings)


def test_the_least_number_of_further_successes_is_found_as_by_counting() -> None:
    measured = _measured(in_time_response=(32, 40), in_time_solution=(22, 30), customer_satisfaction=(75, 100))
    assert _grade(DEPARTMENT, measured).grade == "中"
    found = next_grade(DEPARTMENT, measured, RATED, {"customer_satisfaction": Fraction(5)})
    assert found is not None
    assert found.band.grade == "良"
    assert found.missing == 80 - _grade(DEPARTMENT, measured).score_exact
    assert {way.indicator for way in found.ways} == {"in_time_response", "in_time_solution", "customer_satisfaction"}
    for way in found.ways:
        unit = 5 if way.indicator == "customer_satisfaction" else 1
        assert way.further == _first(measured, way.indicator, unit, unit)
        assert way.of_the_missed == _first(measured, way.indicator, unit, 0)


def _first(measured: Mapping[str, Measured], name: str, of: int, out_of: int) -> int | None:
    """Counts up until the grade is better, as somebody would on paper."""
    for number in range(1, 200):
        one = Measured(measured[name].numerator + number * of, measured[name].denominator + number * out_of)
        if one.numerator > one.denominator:
            return None
        if _grade(DEPARTMENT, {**measured, name: one}).grade in ("良", "优"):
            return number
    return None


def test_an_indicator_that_alone_cannot_make_the_next_grade_is_no_way() -> None:
    measured = _measured(in_time_response=(2, 20), in_time_solution=(2, 20), customer_satisfaction=(100, 100))
    found = next_grade(DEPARTMENT, measured, RATED, {})
    assert found is not None
    assert "customer_satisfaction" not in {way.indicator for way in found.ways}


def test_a_way_that_only_missed_cases_could_have_gone_is_told_without_further_ones() -> None:
    measured = _measured(in_time_response=(30_000, 40_000), in_time_solution=(22, 30), customer_satisfaction=(75, 100))
    found = next_grade(DEPARTMENT, measured, RATED, {})
    assert found is not None
    way = next(way for way in found.ways if way.indicator == "in_time_response")
    assert way.further is None, "more than a thousand further cases are no advice"
    assert way.of_the_missed is not None


def test_above_the_top_band_there_is_nothing() -> None:
    measured = _measured(in_time_response=(20, 20), in_time_solution=(20, 20), customer_satisfaction=(100, 100))
    assert _grade(DEPARTMENT, measured).grade == "优"
    assert next_grade(DEPARTMENT, measured, RATED, {}) is None


def test_where_an_indicator_counts_what_should_be_rare_a_success_is_a_case_without_it() -> None:
    scheme = scheme_from(
        {
            "id": "rare",
            "version": "1",
            "name": {"zh": "少", "en": "rare"},
            "cycle": {"period": "quarter"},
            "scale": {
                "bands": [
                    {"grade": "pass", "en": "pass", "from": "60", "to": "100"},
                    {"grade": "fail", "en": "fail", "from": "0", "to": "60"},
                ]
            },
            "sections": [
                {
                    "id": "results",
                    "zh": "业绩",
                    "en": "results",
                    "weight": "100",
                    "indicators": [{"id": "complaint_rate", "weight": "100", "zero_at": "10", "full_at": "0"}],
                }
            ],
        }
    )
    found = next_grade(scheme, _measured(complaint_rate=(5, 100)), None, {})
    assert found is not None
    [way] = found.ways
    # 60 points are a rate of 4 %: 5 of 125 cases, or 4 of 100
    assert (way.further, way.of_the_missed) == (25, 1)


def _stored(measured: Mapping[str, Measured], **changed: str) -> StoredGrade:
    """A grade as appraisal stores it: the published document, the inputs and what they name."""
    graded = _grade(DEPARTMENT, measured)
    lots = {
        f"lot-{name}": [
            KpiFact(
                f"{name}-{number}", f"fact-{name}-{number}", name, f"C{number}", "employee:E1", 1,
                "1" if number < one.numerator else "0", "1", 0, (f"event-{number}",),
            )
            for number in range(int(one.denominator))
        ]
        for name, one in measured.items()
    }  # fmt: skip
    document = {
        "score_exact": exact_text(graded.score_exact),
        "contributions": [{key: one[key] for key in ("part", "weight", "value", "points")} for one in contributions_document(graded)],
    }
    inputs = {
        "indicators": {
            name: {"numerator": exact_text(one.numerator), "denominator": exact_text(one.denominator)} for name, one in measured.items()
        },
        "facts": {"employee:E1": "facts-of-E1"},
        "scheme": "scheme",
        "group_means": {"superior": "80"},
        "sections": {name: {"weight": exact_text(one.weight), "score": exact_text(one.score)} for name, one in graded.sections.items()},
    }
    contents: dict[str, Plain] = {"scheme": DEPARTMENT.document, "facts-of-E1": {"lots": {name: f"lot-{name}" for name in measured}}}
    return StoredGrade({**document, **changed}, inputs, contents, lots)


def test_each_point_is_led_back_to_the_events_behind_it() -> None:
    stored = _stored(_measured(in_time_response=(3, 4), in_time_solution=(2, 3)))
    told = explanation(stored, versions=1)
    parts = {part["part"]: part for section in told["sections"] for part in section["parts"]}
    assert sum(Fraction(part["points"]) for part in parts.values()) == Fraction(stored.document["score_exact"])
    assert parts["in_time_response"]["measured"] == {"numerator": "3", "denominator": "4"}
    assert [fact["events"] for fact in parts["in_time_response"]["facts"]] == [["event-0"], ["event-1"], ["event-2"], ["event-3"]]
    assert parts["superior"] == {
        "part": "superior", "weight": "3/10", "value": "80", "points": "24", "zh": "上级评分", "en": "superior"
    }  # fmt: skip


def test_an_explanation_is_the_grade_by_section_with_the_next_one() -> None:
    told = explanation(_stored(_measured(in_time_response=(3, 4), in_time_solution=(2, 3))), versions=3)
    results, ability = told.pop("sections")
    response, solution = results.pop("parts")
    assert (len(response.pop("facts")), len(solution.pop("facts"))) == (4, 3)
    assert response == {
        "part": "in_time_response", "weight": "3/10", "value": "75", "points": "45/2", "zh": "及时响应率", "en": "in-time first response",
        "measured": {"numerator": "3", "denominator": "4"},
    }  # fmt: skip
    assert results == {"section": "results", "zh": "工作业绩", "en": "results", "weight": "7/10", "score": "1475/21"}
    assert {key: ability[key] for key in ("section", "weight", "score")} == {"section": "ability", "weight": "3/10", "score": "80"}
    assert told == {
        "score_exact": "439/6",
        "versions": 3,
        "too_few_cases": {},
        "next_grade": {
            "grade": "良",
            "en": "good",
            "from": "80",
            "points_missing": "41/6",
            "ways": [
                {"indicator": "in_time_response", "further": 41, "of_the_missed": 1},
                {"indicator": "in_time_solution", "further": 4, "of_the_missed": 1},
            ],
        },
    }


def test_without_a_score_nothing_is_said_of_the_next_grade() -> None:
    stored = _stored(_measured(in_time_response=(3, 4)))
    untold = replace(stored, document={**stored.document, "score_exact": None})
    assert explanation(untold, versions=1)["next_grade"] is None


def test_groups_that_are_told_as_one_sum_stand_under_their_section_by_their_names() -> None:
    stored = _stored(_measured(in_time_response=(3, 4)))
    results, rated = stored.document["contributions"]
    summed = {**rated, "part": "ability", "of": ["superior", "peer"]}
    year = {**rated, "part": "2025Q1"}
    told = explanation(replace(stored, document={**stored.document, "contributions": [results, summed, year]}), versions=1)
    assert [(section["section"], [(part["zh"], part["en"]) for part in section["parts"]]) for section in told["sections"]] == [
        ("results", [("及时响应率", "in-time first response")]),
        ("ability", [("上级评分、同级评分", "superior and peers")]),
        ("", [("2025Q1", "2025Q1")]),
    ]


@pytest.mark.parametrize(("cases", "further"), [(3_000, 1_000), (3_003, None)])
def test_a_thousand_further_successes_are_advice_and_one_more_is_none(cases: int, further: int | None) -> None:
    """Of `cases` eleven in fifteen succeeded, and the next grade begins at four in five: a third as many more are needed."""
    one = {"id": "in_time_response", "weight": "100"}
    scheme = scheme_from(
        {**DEPARTMENT.document, "sections": [{"id": "results", "zh": "业绩", "en": "results", "weight": "100", "indicators": [one]}]}
    )
    found = next_grade(scheme, {"in_time_response": Measured(Fraction(cases * 11, 15), Fraction(cases))}, None, {})
    assert found is not None
    assert [way.further for way in found.ways] == [further]


def test_a_case_counts_what_most_cases_of_its_indicator_do() -> None:
    """Three surveys of five points and one of ten: a further success is one of five."""
    measured = _measured(in_time_response=(3, 4), customer_satisfaction=(16, 25))
    stored = _stored(measured)
    points = {0: "5", 1: "5", 2: "5", 3: "10", 4: "0"}
    surveys = [KpiFact(f"s{n}", f"s{n}", "customer_satisfaction", f"C{n}", "employee:E1", 1, "1", of, 0, ()) for n, of in points.items()]
    told = explanation(replace(stored, lots={**stored.lots, "lot-customer_satisfaction": surveys}), versions=1)
    found = next_grade(DEPARTMENT, measured, RATED, {"customer_satisfaction": Fraction(5)})
    assert found is not None
    assert [(way["indicator"], way["further"], way["of_the_missed"]) for way in told["next_grade"]["ways"]] == [
        (way.indicator, way.further, way.of_the_missed) for way in found.ways
    ]
    assert len(found.ways) == 2


def test_no_forecast_is_made_when_the_stored_inputs_do_not_give_the_published_score() -> None:
    measured = _measured(in_time_response=(3, 4), in_time_solution=(2, 3))
    assert explanation(_stored(measured), versions=1)["next_grade"] is not None
    assert explanation(_stored(measured, score_exact="70"), versions=1)["next_grade"] is None


@pytest.mark.parametrize("known", [True, False])
def test_a_grade_is_explained_without_its_scheme_too(known: bool) -> None:
    stored = _stored(_measured(in_time_response=(3, 4)))
    contents = {name: content for name, content in stored.contents.items() if known or name != "scheme"}
    told = explanation(replace(stored, contents=contents), versions=1)
    assert {part["part"] for section in told["sections"] for part in section["parts"]} == {"in_time_response", "superior"}


def test_an_indicator_with_nothing_to_judge_by_is_no_way_to_the_next_grade() -> None:
    found = next_grade(DEPARTMENT, _measured(in_time_response=(7, 10), in_time_solution=(0, 0)), RATED, {})
    assert found is not None
    assert [way.indicator for way in found.ways] == ["in_time_response"]


def test_an_indicator_is_told_with_what_the_registry_said_of_it_then() -> None:
    own = {
        "id": "in_time_response",
        "zh": "快",
        "en": "quick",
        "attributed_at": "the answer",
        "numerator": "a",
        "denominator": "b",
        "source": "c",
    }
    stored = _stored(_measured(in_time_response=(3, 4), in_time_solution=(2, 3)))
    contents: dict[str, Plain] = {**stored.contents, "registry": {"version": "1", "indicators": [{**own, "least_sample": "3"}]}}
    told = explanation(replace(stored, inputs={**stored.inputs, "registry": "registry"}, contents=contents), versions=1)
    parts = {part["part"]: part for section in told["sections"] for part in section["parts"]}
    assert {name: parts["in_time_response"][name] for name in ("zh", "en", "unit", "direction", "attributed_at")} == {
        "zh": "快", "en": "quick", "unit": "percent", "direction": "higher", "attributed_at": "the answer",
    }  # fmt: skip
    assert "unit" not in parts["in_time_solution"]
    assert told["too_few_cases"] == {}, "four cases are not fewer than three"
