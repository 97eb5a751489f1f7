"""A grade taken apart again: its facts, and what would have made the next one, held against counting one by one."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest

from appraisal.domain.answer import contributions_document, exact_text
from appraisal.domain.explanation import explanation, facts_of, next_grade
from appraisal.domain.grade import Graded, grade_period
from appraisal.domain.raters import GroupRatings
from appraisal.domain.scheme import Scheme, scheme_from
from appraisal.domain.sections import Measured
from appraisal.presets import Schemes

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


def _stored(measured: Mapping[str, Measured]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A grade as appraisal stores it: the published document and the inputs."""
    graded = _grade(DEPARTMENT, measured)
    facts = [
        {
            "key": f"{name}-{number}",
            "id": f"fact-{name}-{number}",
            "indicator": name,
            "case_id": f"C{number}",
            "subject": "employee:E1",
            "revision": "1",
            "numerator": "1" if number < one.numerator else "0",
            "denominator": "1",
            "time": "2026-07-01T00:00:00+00:00",
            "events": [f"event-{number}"],
        }
        for name, one in measured.items()
        for number in range(int(one.denominator))
    ]
    document = {
        "score_exact": exact_text(graded.score_exact),
        "contributions": [{key: one[key] for key in ("part", "weight", "value", "points")} for one in contributions_document(graded)],
    }
    inputs = {
        "indicators": {
            name: {"numerator": exact_text(one.numerator), "denominator": exact_text(one.denominator)} for name, one in measured.items()
        },
        "facts": facts,
        "group_means": {"superior": "80"},
        "sections": {name: {"weight": exact_text(one.weight), "score": exact_text(one.score)} for name, one in graded.sections.items()},
    }
    return document, inputs


def test_each_point_is_led_back_to_the_events_behind_it() -> None:
    document, inputs = _stored(_measured(in_time_response=(3, 4), in_time_solution=(2, 3)))
    told = explanation(document, inputs, DEPARTMENT, versions=1)
    parts = {part["part"]: part for section in told["sections"] for part in section["parts"]}
    assert sum(Fraction(part["points"]) for part in parts.values()) == Fraction(document["score_exact"])
    assert parts["in_time_response"]["measured"] == {"numerator": "3", "denominator": "4"}
    assert [fact["events"] for fact in parts["in_time_response"]["facts"]] == [["event-0"], ["event-1"], ["event-2"], ["event-3"]]
    assert parts["superior"] == {
        "part": "superior", "weight": "3/10", "value": "80", "points": "24", "zh": "上级评分", "en": "superior"
    }  # fmt: skip
    assert len(facts_of(inputs)) == 7


def test_no_forecast_is_made_when_the_stored_inputs_do_not_give_the_published_score() -> None:
    document, inputs = _stored(_measured(in_time_response=(3, 4), in_time_solution=(2, 3)))
    assert explanation(document, inputs, DEPARTMENT, versions=1)["next_grade"] is not None
    assert explanation({**document, "score_exact": "70"}, inputs, DEPARTMENT, versions=1)["next_grade"] is None


@pytest.mark.parametrize("scheme", [None, DEPARTMENT])
def test_a_grade_is_explained_without_its_scheme_too(scheme: Scheme | None) -> None:
    document, inputs = _stored(_measured(in_time_response=(3, 4)))
    told = explanation(document, inputs, scheme, versions=1)
    assert {part["part"] for section in told["sections"] for part in section["parts"]} == {"in_time_response", "superior"}


def test_an_indicator_with_nothing_to_judge_by_is_no_way_to_the_next_grade() -> None:
    found = next_grade(DEPARTMENT, _measured(in_time_response=(7, 10), in_time_solution=(0, 0)), RATED, {})
    assert found is not None
    assert [way.indicator for way in found.ways] == ["in_time_response"]
