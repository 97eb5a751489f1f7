"""Grades: exact from end to end, compared with a second computation that was written apart from the product's."""

import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.counted import counted

from appraisal.domain.answer import exact_text
from appraisal.domain.grade import Graded, grade_period, grade_score, grade_year
from appraisal.domain.question import answer
from appraisal.domain.raters import GroupRatings
from appraisal.domain.scheme import Scheme, scheme_from
from appraisal.domain.sections import Measured
from appraisal.domain.sums import total
from appraisal.presets import Schemes
from common.kernel.exact import parse_exact
from common.kernel.faults import Fault

FIND = Schemes().find
DEPARTMENT = FIND("department-360")
EXAMPLES = counted(300, proof=3_000)

SCORES = st.one_of(
    st.integers(0, 100_000).map(lambda thousandths: Fraction(thousandths, 1000)),
    st.fractions(0, 100, max_denominator=97),
    st.sampled_from([Fraction(text) for text in ("0", "59.995", "60", "70", "79.995", "80", "90", "100")]),
)
GROUP = st.lists(SCORES, max_size=5)
RATINGS = st.fixed_dictionaries({"superior": st.lists(SCORES, min_size=1, max_size=2)}, optional={"peer": GROUP, "subordinate": GROUP})
RATE = st.tuples(st.integers(0, 60), st.integers(0, 50))
NAMES = ("in_time_response", "in_time_solution", "customer_satisfaction")
INDICATORS = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, RATE))


def _ratings(given: Mapping[str, list[Fraction]]) -> dict[str, GroupRatings]:
    return {group: GroupRatings(tuple(scores)) for group, scores in given.items()}


def _indicators(given: Mapping[str, tuple[int, int]]) -> dict[str, Measured]:
    return {name: Measured(Fraction(over), Fraction(under)) for name, (over, under) in given.items()}


def _changed(**changes: Any) -> Scheme:
    """The department's scheme with other settings: `scale__round_before_banding="2"`."""
    document = json.loads(json.dumps(DEPARTMENT.document))
    for path, value in changes.items():
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("__")]
        at = document
        for step in steps:
            at = at[step]
        at[last] = value
    return scheme_from(document)


OF_THE_WHOLE = _changed(sections__1__raters__rate="whole")


# --- Bands and display (X-03) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "shown", "grade"),
    [
        ("0", "0.00", "差"),
        ("59.99", "59.99", "差"),
        ("59.995", "59.99", "差"),
        ("59.999999", "59.99", "差"),
        ("60", "60.00", "较差"),
        ("69.99", "69.99", "较差"),
        ("70", "70.00", "中"),
        ("79.99", "79.99", "中"),
        ("79.994", "79.99", "中"),
        ("79.995", "79.99", "中"),
        ("80", "80.00", "良"),
        ("80.005", "80.01", "良"),
        ("83.025", "83.03", "良"),
        ("89.99", "89.99", "良"),
        ("89.996", "89.99", "良"),
        ("90", "90.00", "优"),
        ("99.999", "100.00", "优"),
        ("100", "100.00", "优"),
        ("250/3", "83.33", "良"),
        ("239999/3000", "79.99", "中"),
    ],
)
def test_the_exact_score_decides_and_the_shown_one_never_crosses_an_edge(score: str, shown: str, grade: str) -> None:
    graded = grade_score(DEPARTMENT, Fraction(score))
    assert (graded.score, graded.grade, graded.score_exact) == (shown, grade, Fraction(score))


@pytest.mark.parametrize(
    ("decimals", "score", "shown", "grade"),
    [
        ("2", "79.995", "80.00", "良"),
        ("2", "79.994", "79.99", "中"),
        ("true", "79.995", "80.00", "良"),
        ("true", "79.994", "79.99", "中"),
        ("1", "79.95", "80.00", "良"),
        ("1", "79.94", "79.90", "中"),
        ("0", "79.5", "80.00", "良"),
        ("0", "79.49", "79.00", "中"),
        ("false", "79.995", "79.99", "中"),
    ],
)
def test_a_scheme_may_round_before_banding_and_then_shows_what_it_banded(decimals: str, score: str, shown: str, grade: str) -> None:
    graded = grade_score(_changed(scale__round_before_banding=decimals), Fraction(score))
    assert (graded.score, graded.grade, graded.score_exact) == (shown, grade, Fraction(score))


@given(SCORES)
@EXAMPLES
def test_the_shown_score_has_the_same_grade_and_is_less_than_a_hundredth_away(score: Fraction) -> None:
    graded = grade_score(DEPARTMENT, score)
    shown = Fraction(graded.score)
    assert grade_score(DEPARTMENT, shown).grade == graded.grade
    assert abs(shown - score) < Fraction(1, 100)
    if grade_score(DEPARTMENT, min(Fraction(100), score + Fraction(1, 200))).grade == graded.grade:
        assert shown - score <= Fraction(1, 200)
        assert score - shown < Fraction(1, 200)


@pytest.mark.parametrize("score", ["-0.01", "100.01", "1000", "-1/3"])
def test_a_score_outside_0_to_100_is_no_score(score: str) -> None:
    with pytest.raises(Fault) as refused:
        grade_score(DEPARTMENT, Fraction(score))
    assert (refused.value.rule, refused.value.field) == ("out_of_range", "score")


MOST = 2**14_000


@pytest.mark.parametrize("number", [Fraction(MOST - 1), Fraction(1 - MOST), Fraction(1, MOST - 1)], ids=["large", "negative", "small"])
def test_an_exact_number_of_fourteen_thousand_bits_is_written_and_added_up(number: Fraction) -> None:
    assert parse_exact(exact_text(number), most_digits=5_000) == number
    assert total([number, Fraction(0)]) == number


@pytest.mark.parametrize("number", [Fraction(MOST), Fraction(-MOST), Fraction(1, MOST)], ids=["large", "negative", "small"])
def test_an_exact_number_of_more_bits_is_refused_before_it_is_written(number: Fraction) -> None:
    with pytest.raises(Fault) as refused:
        exact_text(number)
    assert (refused.value.rule, refused.value.field) == ("too_precise", "")
    if number.numerator == 1:
        with pytest.raises(Fault, match="four thousand"):
            total([number])


# --- Rater groups (D11-42, X-17) ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "weights", "score"),
    [
        ({"superior": [90], "peer": [80], "subordinate": [70]}, {"superior": "2/5", "peer": "3/10", "subordinate": "3/10"}, "81"),
        ({"superior": [90], "peer": [80]}, {"superior": "3/5", "peer": "2/5"}, "86"),
        ({"superior": [90], "subordinate": [70]}, {"superior": "3/5", "subordinate": "2/5"}, "82"),
        ({"superior": [90], "peer": [], "subordinate": []}, {"superior": "1"}, "90"),
        ({"superior": [90, 80], "peer": [85, Fraction("88.5")]}, {"superior": "3/5", "peer": "2/5"}, "857/10"),
    ],
)
def test_the_weights_are_substituted_by_which_groups_exist(given: Any, weights: dict[str, str], score: str) -> None:
    graded = grade_period(DEPARTMENT, ratings=_ratings({group: [Fraction(one) for one in scores] for group, scores in given.items()}))
    assert graded.weights == {group: Fraction(weight) for group, weight in weights.items()}
    assert graded.score_exact == Fraction(score)


def test_the_mean_is_inside_the_group_first() -> None:
    graded = grade_period(DEPARTMENT, ratings=_ratings({"superior": [Fraction(90)], "peer": [Fraction(85), Fraction("88.5")]}))
    assert graded.group_means == {"superior": Fraction(90), "peer": Fraction(347, 4)}
    assert (graded.score_exact, graded.score, graded.grade) == (Fraction(887, 10), "88.70", "良")


@pytest.mark.parametrize(
    ("ratings", "code", "field"),
    [
        ({}, "superior_missing", "ratings.superior"),
        ({"peer": GroupRatings((Fraction(90),))}, "superior_missing", "ratings.superior"),
        ({"superior": GroupRatings((), 0)}, "superior_missing", "ratings.superior"),
        ({"superior": GroupRatings((), 1)}, "ratings_missing", "ratings.superior"),
        ({"superior": GroupRatings((Fraction(90),)), "peer": GroupRatings((), 3)}, "ratings_missing", "ratings.peer"),
        ({"superior": GroupRatings((Fraction(90),)), "self": GroupRatings((Fraction(99),))}, "unknown_group", "ratings.self"),
        ({"superior": GroupRatings((Fraction(101),))}, "out_of_range", "ratings.superior[0]"),
        ({"superior": GroupRatings((Fraction(90),)), "peer": GroupRatings((Fraction(1), Fraction(-1)))}, "out_of_range", "ratings.peer[1]"),
    ],
)
def test_ratings_that_cannot_be_graded_say_why(ratings: dict[str, GroupRatings], code: str, field: str) -> None:
    with pytest.raises(Fault) as refused:
        grade_period(DEPARTMENT, ratings=ratings)
    assert (refused.value.rule, refused.value.field) == (code, field)


def test_some_of_a_groups_ratings_are_their_mean_and_told_as_incomplete() -> None:
    ratings = {"superior": GroupRatings((Fraction(90),), 1), "peer": GroupRatings((Fraction(80), Fraction(70)), 3)}
    graded = grade_period(DEPARTMENT, ratings=ratings)
    assert graded.incomplete == ("peer",)
    assert graded.score_exact == Fraction(90) * Fraction(3, 5) + Fraction(75) * Fraction(2, 5)


def test_a_scheme_may_treat_a_silent_group_as_one_that_does_not_exist_but_never_the_superior() -> None:
    lenient = _changed(sections__1__raters__when_missing="as_absent")
    graded = grade_period(lenient, ratings={"superior": GroupRatings((Fraction(90),)), "peer": GroupRatings((), 3)})
    assert (graded.score_exact, graded.weights, graded.incomplete) == (Fraction(90), {"superior": Fraction(1)}, ("peer",))
    with pytest.raises(Fault) as refused:
        grade_period(lenient, ratings={"superior": GroupRatings((), 1), "peer": GroupRatings((Fraction(90),))})
    assert refused.value.rule == "ratings_missing"


# --- Indicators (X-16, X-27) ---------------------------------------------------------------------------------------------


def test_results_and_ability_are_joined_by_the_sections_weights() -> None:
    indicators = _indicators({"in_time_response": (90, 100), "in_time_solution": (4, 5), "customer_satisfaction": (1, 1)})
    graded = grade_period(DEPARTMENT, indicators, _ratings({"superior": [Fraction(90)], "peer": [Fraction(85), Fraction("88.5")]}))
    results = Fraction(90) * Fraction(3, 10) + Fraction(80) * Fraction(2, 5) + Fraction(100) * Fraction(3, 10)
    assert graded.sections["results"].score == results == 89
    assert graded.sections["ability"].score == Fraction("88.7")
    assert graded.score_exact == results * Fraction(7, 10) + Fraction("88.7") * Fraction(3, 10)
    assert graded.attainment == {"in_time_response": 90, "in_time_solution": 80, "customer_satisfaction": 100}
    assert graded.not_assessable == ()


def test_nothing_to_judge_is_never_a_zero_and_its_weight_goes_to_the_rest_of_its_section() -> None:
    indicators = _indicators({"in_time_response": (0, 0), "in_time_solution": (9, 10), "customer_satisfaction": (1, 2)})
    graded = grade_period(DEPARTMENT, indicators, _ratings({"superior": [Fraction(80)]}))
    assert graded.not_assessable == ("in_time_response",)
    assert graded.redistributed == {"in_time_response": Fraction(21, 100)}
    assert graded.sections["results"].score == (Fraction(90) * 40 + Fraction(50) * 30) / 70
    assert graded.sections["results"].weight == Fraction(7, 10)


def test_an_indicator_that_nobody_told_about_is_not_assessable_either() -> None:
    graded = grade_period(DEPARTMENT, _indicators({"in_time_solution": (45, 50)}), _ratings({"superior": [Fraction(80)]}))
    assert graded.not_assessable == ("in_time_response", "customer_satisfaction")
    assert graded.score_exact == Fraction(90) * Fraction(7, 10) + Fraction(80) * Fraction(3, 10)


def test_a_section_with_nothing_to_judge_gives_its_weight_to_the_others() -> None:
    graded = grade_period(DEPARTMENT, _indicators(dict.fromkeys(NAMES, (0, 0))), _ratings({"superior": [Fraction(80)]}))
    assert graded.score_exact == 80
    assert graded.not_assessable == NAMES
    assert list(graded.sections) == ["ability"]


def test_without_anything_to_judge_there_is_no_grade() -> None:
    with pytest.raises(Fault) as refused:
        grade_period(DEPARTMENT, _indicators(dict.fromkeys(NAMES, (0, 0))))
    assert refused.value.rule == "not_assessable"
    with pytest.raises(Fault) as refused:
        grade_period(DEPARTMENT)
    assert refused.value.rule == "nothing_to_grade"


def test_a_scheme_may_refuse_a_grade_while_an_indicator_cannot_be_judged() -> None:
    strict = _changed(when_not_assessable="refuse")
    with pytest.raises(Fault) as refused:
        grade_period(strict, _indicators({"in_time_solution": (45, 50)}))
    assert (refused.value.rule, refused.value.field) == ("not_assessable", "indicators.in_time_response")
    assert grade_period(strict, ratings=_ratings({"superior": [Fraction(80)]})).score_exact == 80


SAMPLES = {"in_time_response": (9, 10), "in_time_solution": (3, 4), "customer_satisfaction": (1, 1)}


def test_an_indicator_with_fewer_cases_than_its_least_sample_is_as_if_it_had_none_and_one_with_just_as_many_is_judged() -> None:
    graded = grade_period(DEPARTMENT, _indicators(SAMPLES), None, {"in_time_response": 10, "customer_satisfaction": 2})
    without = {name: rate for name, rate in SAMPLES.items() if name != "customer_satisfaction"}
    assert graded.too_few == {"customer_satisfaction": 2}
    assert (graded.not_assessable, graded.redistributed) == (("customer_satisfaction",), {"customer_satisfaction": Fraction(21, 100)})
    assert graded.score_exact == grade_period(DEPARTMENT, _indicators(without)).score_exact


def test_a_scheme_may_refuse_a_grade_for_too_few_cases_as_it_does_without_any() -> None:
    strict = _changed(when_not_assessable="refuse")
    with pytest.raises(Fault) as refused:
        grade_period(strict, _indicators(SAMPLES), None, {"customer_satisfaction": 2})
    assert (refused.value.rule, refused.value.field) == ("too_few_cases", "indicators.customer_satisfaction")
    enough = grade_period(strict, _indicators(SAMPLES), None, {"customer_satisfaction": 1})
    assert enough.score_exact == grade_period(DEPARTMENT, _indicators(SAMPLES)).score_exact


def test_nothing_at_all_is_not_too_few() -> None:
    nothing = {**SAMPLES, "customer_satisfaction": (0, 0)}
    graded = grade_period(DEPARTMENT, _indicators(nothing), None, {"customer_satisfaction": 2})
    assert (graded.too_few, graded.not_assessable) == ({}, ("customer_satisfaction",))


def test_an_indicator_alone_is_the_results_sheet_alone() -> None:
    graded = grade_period(DEPARTMENT, _indicators(dict.fromkeys(NAMES, (3, 4))))
    assert graded.score_exact == 75
    assert list(graded.sections) == ["results"]


@pytest.mark.parametrize(
    ("name", "rate", "code"),
    [
        ("in_time", (1, 1), "unknown_indicator"),
        ("in_time_response", (-1, 1), "out_of_range"),
        ("in_time_response", (1, -1), "out_of_range"),
    ],
)
def test_indicators_that_cannot_be_graded_say_why(name: str, rate: tuple[int, int], code: str) -> None:
    with pytest.raises(Fault) as refused:
        grade_period(DEPARTMENT, _indicators({name: rate}))
    assert (refused.value.rule, refused.value.field) == (code, f"indicators.{name}")


def test_more_than_was_to_be_done_is_a_hundred() -> None:
    assert grade_period(DEPARTMENT, _indicators(dict.fromkeys(NAMES, (7, 5)))).score_exact == 100


@pytest.mark.parametrize(("complaints", "cases", "attainment"), [(0, 40, "100"), (1, 40, "75"), (4, 40, "0"), (40, 40, "0")])
def test_what_should_be_rare_is_scored_downwards(complaints: int, cases: int, attainment: str) -> None:
    graded = grade_period(FIND("bonus-monthly"), _indicators({"complaint_rate": (complaints, cases)}))
    assert graded.attainment == {"complaint_rate": Fraction(attainment)}


def test_a_safety_incident_caps_the_grade_and_is_never_averaged_away() -> None:
    scheme = FIND("indoor-repair-monthly")
    perfect = {"repair_quality": (9, 9), "customer_satisfaction": (5, 5)}
    assert grade_period(scheme, _indicators(perfect | {"safety_incidents": (0, 1)})).grade == "优"
    capped = grade_period(scheme, _indicators(perfect | {"safety_incidents": (1, 1)}))
    assert (capped.grade, capped.score_exact, capped.capped_by) == ("差", Fraction(100), ("safety_incidents",))


# --- The year (D11-34, D11-35, X-19) ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "post", "mean", "grade", "partial"),
    [
        (["80", "75.5", "90", "60"], None, "611/8", "中", False),
        (["80", "75.5", "90"], None, "491/6", "良", True),
        (["80"], "supervisor", "80", "良", True),
        (["80"], "manager", "80", "良", False),
    ],
)
def test_the_year_is_the_mean_of_the_scores_that_there_were(
    scores: list[str], post: str | None, mean: str, grade: str, partial: bool
) -> None:
    graded = grade_year(DEPARTMENT, [Fraction(score) for score in scores], post)
    assert (graded.score_exact, graded.grade, graded.partial_year) == (Fraction(mean), grade, partial)


@pytest.mark.parametrize(
    ("scores", "post", "code"),
    [
        ([], None, "too_few_periods"),
        ([80] * 5, None, "too_many_periods"),
        ([80] * 2, "manager", "too_many_periods"),
        ([80], "director", "unknown_post"),
        ([80, 101], None, "out_of_range"),
    ],
)
def test_a_year_that_cannot_be_graded_says_why(scores: list[int], post: str | None, code: str) -> None:
    with pytest.raises(Fault) as refused:
        grade_year(DEPARTMENT, [Fraction(score) for score in scores], post)
    assert refused.value.rule == code


def test_a_scheme_may_ask_for_more_quarters_than_one_but_not_of_a_manager() -> None:
    strict = _changed(cycle__least_periods="3")
    with pytest.raises(Fault) as refused:
        grade_year(strict, [Fraction(80)] * 2)
    assert refused.value.rule == "too_few_periods"
    assert grade_year(strict, [Fraction(80)] * 3).partial_year
    assert not grade_year(strict, [Fraction(80)], "manager").partial_year


def test_a_committee_gives_no_scores() -> None:
    with pytest.raises(Fault) as refused:
        grade_score(FIND("committee"), Fraction(80))
    assert refused.value.rule == "no_score_scale"
    with pytest.raises(Fault) as refused:
        grade_period(FIND("committee"), {}, {})
    assert refused.value.rule == "no_score_scale"


# --- Properties ----------------------------------------------------------------------------------------------------------------


def _by_hand(indicators: Mapping[str, tuple[int, int]] | None, ratings: Mapping[str, list[Fraction]] | None, *, whole: bool) -> Fraction:
    """The department's score again: D11-42, X-16 and X-33 spelled out, in thousandths of nothing but integers and fractions."""

    def mean(scores: list[Fraction]) -> Fraction:
        total = Fraction(0)
        for score in scores:
            total += score
        return total / len(scores)

    results = None
    if indicators is not None:
        numerator = denominator = Fraction(0)
        for name, weight in (("in_time_response", 3), ("in_time_solution", 4), ("customer_satisfaction", 3)):
            done, due = indicators.get(name, (0, 0))
            if due:
                numerator += weight * min(Fraction(100), Fraction(100 * done, due))
                denominator += weight
        results = numerator / denominator if denominator else None
    if ratings is None:
        assert results is not None
        return results
    superior = mean(ratings["superior"])
    peers, subordinates = ratings.get("peer"), ratings.get("subordinate")
    chief = superior if results is None else (7 * results + 3 * superior) / 10
    if whole:
        superior = chief
    if peers and subordinates:
        ability = (4 * superior + 3 * mean(peers) + 3 * mean(subordinates)) / 10
    elif peers:
        ability = (6 * superior + 4 * mean(peers)) / 10
    elif subordinates:
        ability = (6 * superior + 4 * mean(subordinates)) / 10
    else:
        ability = superior
    return ability if whole or results is None else (7 * results + 3 * ability) / 10


@given(INDICATORS | st.none(), RATINGS | st.none(), st.booleans())
@EXAMPLES
def test_the_score_is_the_one_computed_by_hand_and_its_contributions_sum_to_it(
    indicators: dict[str, tuple[int, int]] | None, ratings: dict[str, list[Fraction]] | None, whole: bool
) -> None:
    assume(ratings is not None or any(due for _, due in (indicators or {}).values()))
    graded = grade_period(
        OF_THE_WHOLE if whole else DEPARTMENT,
        None if indicators is None else _indicators(indicators),
        None if ratings is None else _ratings(ratings),
    )
    assert graded.score_exact == _by_hand(indicators, ratings, whole=whole)
    _holds_together(graded)


@given(INDICATORS, st.dictionaries(st.sampled_from(NAMES), st.integers(1, 60)))
@EXAMPLES
def test_a_least_sample_takes_out_what_is_below_it_and_changes_nothing_else(
    rates: dict[str, tuple[int, int]], least: dict[str, int]
) -> None:
    enough = {name: (over, under) for name, (over, under) in rates.items() if under >= least.get(name, 1)}
    assume(enough)
    graded = grade_period(DEPARTMENT, _indicators(rates), None, least)
    _holds_together(graded)
    assert graded.score_exact == grade_period(DEPARTMENT, _indicators(enough)).score_exact
    assert set(graded.too_few) == {name for name, (_, under) in rates.items() if 0 < under < least.get(name, 0)}


def _holds_together(graded: Graded) -> None:
    assert sum(leaf.points for leaf in graded.contributions) == graded.score_exact
    assert all(leaf.points == leaf.weight * leaf.value for leaf in graded.contributions)
    assert sum(leaf.weight for leaf in graded.contributions) == 1
    assert 0 <= graded.score_exact <= 100
    assert sum(section.weight * section.score for section in graded.sections.values()) == graded.score_exact


@given(RATINGS, INDICATORS, st.booleans(), st.data())
@EXAMPLES
def test_a_higher_rating_never_lowers_the_score(
    ratings: dict[str, list[Fraction]], indicators: dict[str, tuple[int, int]], whole: bool, data: st.DataObject
) -> None:
    scheme = OF_THE_WHOLE if whole else DEPARTMENT
    group = data.draw(st.sampled_from([name for name, scores in ratings.items() if scores]))
    index = data.draw(st.integers(0, len(ratings[group]) - 1))
    higher = data.draw(st.fractions(ratings[group][index], 100, max_denominator=1000))
    raised = ratings | {group: [higher if at == index else score for at, score in enumerate(ratings[group])]}
    before = grade_period(scheme, _indicators(indicators), _ratings(ratings))
    after = grade_period(scheme, _indicators(indicators), _ratings(raised))
    assert (after.score_exact > before.score_exact) == (higher > ratings[group][index])
    assert after.score_exact >= before.score_exact


@given(RATINGS, st.randoms(use_true_random=False))
@EXAMPLES
def test_the_order_of_raters_and_groups_changes_neither_the_score_nor_the_digest(ratings: dict[str, list[Fraction]], random: Any) -> None:
    shuffled = {group: random.sample(scores, len(scores)) for group, scores in random.sample(list(ratings.items()), len(ratings))}
    first, second = (
        answer({"scheme": "department-360", "ratings": {group: [str(one) for one in scores] for group, scores in given.items()}}, FIND)
        for given in (ratings, shuffled)
    )
    assert first == second


@given(st.lists(SCORES, min_size=1, max_size=4))
@EXAMPLES
def test_a_years_contributions_sum_to_its_score(scores: list[Fraction]) -> None:
    graded = grade_year(DEPARTMENT, scores)
    assert sum(leaf.points for leaf in graded.contributions) == graded.score_exact == sum(scores) / len(scores)
    assert graded.partial_year == (len(scores) < 4)


@st.composite
def _shares(draw: st.DrawFn, parts: int) -> list[str]:
    """Weights above zero that sum to 100 exactly, thirds and sevenths among them."""
    raw = [draw(st.integers(1, 30)) for _ in range(parts)]
    return [str(Fraction(100 * one, sum(raw))) for one in raw]


@st.composite
def _schemes(draw: st.DrawFn) -> Scheme:
    """Any scheme with up to three indicator sections and perhaps a rated one, of its section or of the whole."""
    groups = ["lead", "team", "client"]
    counts = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    rated = draw(st.booleans())
    weights = draw(_shares(len(counts) + rated))
    sections: list[dict[str, object]] = []
    for number, count in enumerate(counts):
        shares = draw(_shares(count))
        curve = draw(st.sampled_from([{}, {"zero_at": "50", "full_at": "95"}, {"zero_at": "20", "full_at": "0"}]))
        used = [{"id": f"i{number}{at}", "weight": share} | curve for at, share in enumerate(shares)]
        sections.append({"id": f"s{number}", "zh": "节", "en": "section", "weight": weights[number], "indicators": used})
    if rated:
        rows = []
        for others in ([], ["team"], ["client"], ["team", "client"]):
            existing = ["lead", *others]
            rows.append(dict(zip(existing, draw(_shares(len(existing))), strict=True)))
        raters = {"groups": groups, "required": "lead", "weights": rows, "rate": draw(st.sampled_from(["section", "whole"]))}
        sections.append({"id": "rated", "zh": "评", "en": "rated", "weight": weights[-1], "raters": raters})
    return scheme_from(
        {
            "id": "any",
            "version": "1",
            "name": {"zh": "任意", "en": "any"},
            "cycle": {"period": "month"},
            "scale": {
                "bands": [{"grade": "及格", "en": "pass", "from": "60", "to": "100"}, {"grade": "差", "en": "fail", "from": 0, "to": 60}]
            },
            "sections": sections,
        }
    )


@given(_schemes(), st.data())
@EXAMPLES
def test_under_any_scheme_contributions_sum_to_a_score_from_0_to_100(scheme: Scheme, data: st.DataObject) -> None:
    used = [one.id for section in scheme.sections for one in section.indicators]
    indicators = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(used, RATE)))
    ratings = None
    if scheme.rated_section is not None:
        ratings = data.draw(st.none() | st.fixed_dictionaries({"lead": st.lists(SCORES, min_size=1, max_size=2)}, optional={"team": GROUP}))
    assume(ratings is not None or any(due for _, due in indicators.values()))
    _holds_together(grade_period(scheme, _indicators(indicators), None if ratings is None else _ratings(ratings)))
