"""A whole cycle graded in memory: whose cases count for whom, who is not graded and why, and what a version is verified by."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from appraisal.domain.answer import exact_text
from appraisal.domain.digest import digest
from appraisal.domain.grading import CycleInputs, CycleResults, Grading, PersonalGrade, nobody_graded
from appraisal.domain.inputs import StoredGrade, differing, means_of, measured_of, recomputed_digest, stored_inputs
from appraisal.domain.lots import KpiFact, Lot, lot_digest
from appraisal.domain.raters import GroupRatings
from appraisal.domain.rating import Rating, Revision
from appraisal.domain.reason import name_of
from appraisal.domain.result import grade_document, grade_of
from appraisal.domain.scheme import Scheme
from appraisal.domain.sections import Measured
from appraisal.presets import find_scheme
from common.kernel.staff import Member, Staff

CALENDAR = {"name": "cn", "version": "1"}
AS_OF = datetime(2026, 1, 20, tzinfo=UTC)
ALL = frozenset({"manager", "supervisor", "specialist"})


def member(number: str, level: str, superior: str | None, team: str = "t1") -> Member:
    return Member(number, level, "service", team, superior, level)


M1, B1 = member("M1", "manager", None), member("B1", "supervisor", "M1")
S1, S2 = member("S1", "specialist", "B1"), member("S2", "specialist", "B1")
STAFF = Staff((M1, B1, S1, S2))


def scheme(name: str) -> Scheme:
    found = find_scheme(name)
    assert found is not None
    return found


BASIC, DEPARTMENT = scheme("basic@1"), scheme("department-360@1")


def fact(subject: str, numerator: int, denominator: int = 1, indicator: str = "in_time_solution", case: str = "C1") -> KpiFact:
    key = f"{indicator}-{subject}-{case}"
    return KpiFact(key, f"id-{key}", indicator, case, subject, 1, str(numerator), str(denominator), 1_700_000_000_000_001, ("e1",))


def lots(*facts: KpiFact, replay_of: Mapping[str, str] | None = None) -> list[Lot]:
    """The facts, those of one subject and indicator as one lot; `replay_of` says which subjects' are of a replayed history."""
    groups: dict[tuple[str, str], list[KpiFact]] = {}
    for one in facts:
        groups.setdefault((one.subject, one.indicator), []).append(one)
    return [
        Lot(
            subject,
            indicator,
            sum((Fraction(one.numerator) for one in found), Fraction(0)),
            sum((Fraction(one.denominator) for one in found), Fraction(0)),
            lot_digest(subject, indicator, found),
            (replay_of or {}).get(subject, ""),
        )
        for (subject, indicator), found in groups.items()
    ]


def rating(appraisee: str, appraiser: str, score: str) -> Rating:
    revision = Revision(f"r-{appraisee}-{appraiser}", 1, score, AS_OF)
    return Rating(f"{appraisee}|{appraiser}", "2025Q3", DEPARTMENT.reference, appraisee, appraiser, (revision,))


def grading(
    found: Sequence[Lot], ratings: Sequence[Rating] = (), under: Scheme = BASIC, posts: frozenset[str] = ALL, staff: Staff = STAFF
) -> Grading:
    return Grading(CycleInputs("2025Q3", under, staff, posts, found, ratings, AS_OF, CALENDAR))


def graded(cycle: Grading) -> tuple[dict[str, PersonalGrade], dict[str, str]]:
    grades, without = cycle.grade(cycle.appraisees)
    return {one.member.employee_id: one for one in grades}, without


def solved(measured: Mapping[str, Measured]) -> str:
    one = measured["in_time_solution"]
    return f"{one.numerator}/{one.denominator}"


def test_who_leads_is_charged_with_the_cases_of_everybody_below_and_nobody_with_those_beside() -> None:
    grades, without = graded(grading(lots(fact("employee:S1", 1), fact("employee:S2", 0), fact("employee:B1", 1))))
    assert {number: solved(one.measured) for number, one in grades.items()} == {"S1": "1/1", "S2": "0/1", "B1": "2/3", "M1": "2/3"}
    assert without == {}
    assert set(grades["S1"].inputs.facts) == {"employee:S1"}
    assert set(grades["B1"].inputs.facts) == {"employee:B1", "employee:S1", "employee:S2"}


def test_who_has_nothing_to_be_judged_by_has_no_grade_and_the_others_have() -> None:
    grades, without = graded(grading(lots(fact("employee:S1", 1))))
    assert set(grades) == {"S1", "B1", "M1"}
    assert without == {"S2": "not_assessable"}


def test_only_the_levels_whose_cycle_this_is_are_graded() -> None:
    cycle = grading(lots(fact("employee:S1", 1)), posts=frozenset({"specialist"}))
    assert [one.employee_id for one in cycle.appraisees] == ["S1", "S2"]


def test_facts_about_people_whom_nobody_knows_are_told_and_those_about_departments_and_other_indicators_left_out() -> None:
    strange = (
        fact("employee:X2", 1),
        fact("employee:X1", 1),
        fact("department:service", 1),
        fact("employee:S1", 0, indicator="repeat_visits"),
    )
    cycle = grading(lots(fact("employee:S1", 1), *strange))
    assert cycle.unknown_subjects == ("employee:X1", "employee:X2")
    grades, _ = graded(cycle)
    assert set(grades["S1"].measured) == {"in_time_solution"}


@pytest.mark.parametrize(("replayed", "names"), [({}, ""), ({"employee:S2": "b", "employee:S1": "a"}, "a"), ({"employee:S2": "b"}, "b")])
def test_a_grade_is_of_a_replayed_history_when_any_fact_that_it_counts_is(replayed: dict[str, str], names: str) -> None:
    grades, _ = graded(grading(lots(fact("employee:S1", 1), fact("employee:S2", 1), replay_of=replayed)))
    assert grades["B1"].replay_of == names
    assert grades["S1"].replay_of == replayed.get("employee:S1", "")


def test_ratings_count_of_those_who_rate_a_person_and_of_nobody_else() -> None:
    ratings = [rating("S1", "B1", "80"), rating("S1", "S2", "90"), rating("S1", "M1", "10"), rating("S2", "X1", "10")]
    grades, without = graded(grading(lots(fact("employee:S1", 1), fact("employee:S2", 1)), ratings, DEPARTMENT))
    assert grades["S1"].graded.group_means == {"superior": 80, "peer": 90}
    assert without["S2"] == "ratings_missing"
    assert grades["S1"].inputs.rated == {
        "peer": {"asked": "1", "ratings": ["r-S1-S2@1"]},
        "superior": {"asked": "1", "ratings": ["r-S1-B1@1"]},
    }


def test_what_a_rater_said_counts_as_of_the_close_and_who_rates_nobody_here_is_counted_apart() -> None:
    late = Revision("r-S1-S2", 2, "90", AS_OF + timedelta(microseconds=1))
    first = rating("S1", "S2", "70")
    corrected = replace(first, revisions=(*first.revisions, late))
    strangers = [rating("S1", "M1", "1"), rating("X1", "B1", "1"), rating("S2", "X", "1")]
    cycle = grading(lots(fact("employee:S1", 1)), [rating("S1", "B1", "80"), corrected, *strangers], DEPARTMENT)
    grades, _ = graded(cycle)
    assert grades["S1"].graded.group_means == {"superior": 80, "peer": 70}
    assert cycle.uncounted_ratings() == {"S1": 1, "S2": 1, "X1": 1}


def test_a_change_elsewhere_leaves_a_digest_as_it_is_and_one_of_ones_own_makes_another() -> None:
    facts = lots(fact("employee:S1", 1), fact("employee:S2", 1))
    first, _ = graded(grading(facts))
    elsewhere, _ = graded(grading([*facts, *lots(fact("employee:B1", 1))], staff=Staff((*STAFF.members, member("S9", "specialist", "B9")))))
    assert elsewhere["S1"].digest == first["S1"].digest
    assert elsewhere["B1"].digest != first["B1"].digest
    moved, _ = graded(grading(facts, staff=Staff((M1, B1, replace(S1, team="t9"), S2))))
    assert moved["S1"].digest != first["S1"].digest


def stored(personal: PersonalGrade, cycle: Grading, *facts: KpiFact) -> StoredGrade:
    by_lot: dict[str, list[KpiFact]] = {}
    for one in facts:
        mine = [other for other in facts if (other.subject, other.indicator) == (one.subject, one.indicator)]
        by_lot[lot_digest(one.subject, one.indicator, mine)] = mine
    document: dict[str, Any] = {
        "digest": personal.digest,
        "score_exact": exact_text(personal.graded.score_exact),
        "grade": personal.graded.grade,
    }
    return StoredGrade(document, stored_inputs(personal), dict(cycle.documents), by_lot)


FACTS = (fact("employee:S1", 1), fact("employee:S1", 0, case="C2"), fact("employee:S2", 3, 4))


def kept(under: Scheme = BASIC) -> StoredGrade:
    cycle = grading(lots(*FACTS), [rating("B1", "M1", "80"), rating("B1", "S1", "70")], under)
    return stored(graded(cycle)[0]["B1"], cycle, *FACTS)


@pytest.mark.parametrize("under", [BASIC, DEPARTMENT], ids=lambda one: one.id)
def test_a_version_verifies_from_what_it_keeps(under: Scheme) -> None:
    version = kept(under)
    assert differing(version) == []
    assert recomputed_digest(version) == version.document["digest"]
    assert {one.case_id for one in version.facts} == {"C1", "C2"}
    assert len(version.lot_digests) == 2
    assert version.scheme == under
    assert solved(measured_of(version.inputs)) == "4/6"
    means = means_of(version.inputs, under)
    if under is BASIC:
        assert means is None
    else:
        assert means == {"superior": GroupRatings((Fraction(80),)), "subordinate": GroupRatings((Fraction(70),))}


def without(contents: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in contents.items() if key != name}


def test_whatever_is_changed_in_what_a_version_keeps_is_named() -> None:
    version = kept()
    inputs, contents = version.inputs, version.contents
    for part in ("scheme", "registry", "calendar"):
        assert differing(replace(version, contents=without(contents, inputs[part])))[0] == f"the {part}"
        spoilt = {**contents, inputs[part]: {"other": "content"}}
        assert f"the {part}" in differing(replace(version, contents=spoilt))
    person = inputs["facts"]["employee:S2"]
    assert "the lots of employee:S2" in differing(replace(version, contents=without(contents, person)))
    lot = lot_digest("employee:S2", "in_time_solution", FACTS[2:])
    assert differing(replace(version, lots=without(version.lots, lot))) == ["the facts of employee:S2 for in_time_solution", "the sums"]
    more = {**inputs, "indicators": {"in_time_solution": {"numerator": "5", "denominator": "6"}}}
    assert differing(replace(version, inputs=more)) == ["the sums", "the score"]
    assert differing(replace(version, document={**version.document, "score_exact": "99"})) == ["the score"]
    assert differing(replace(version, document={**version.document, "grade": "优"})) == ["the score"]
    last = "the ratings, the organisation or the digest"
    assert differing(replace(version, document={**version.document, "digest": digest("other")})) == [last]
    assert differing(replace(version, inputs={**inputs, "rated": {"superior": ["1"]}})) == [last]
    assert differing(replace(version, inputs={**inputs, "org": {"member": {}}})) == [last]


def test_a_version_whose_scheme_is_not_kept_is_read_without_it() -> None:
    version = kept()
    assert replace(version, contents=without(version.contents, version.inputs["scheme"])).scheme is None
    assert replace(version, contents={**version.contents, version.inputs["scheme"]: {"id": "broken"}}).scheme is None
    with pytest.raises(KeyError):
        recomputed_digest(replace(version, contents=without(version.contents, version.inputs["registry"])))


def test_a_fact_is_shown_with_its_instant_to_the_microsecond() -> None:
    shown = FACTS[0].shown()
    assert shown["time"] == datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC).isoformat()
    assert (shown["numerator"], shown["events"], shown["revision"]) == ("1", ["e1"], "1")


def test_the_digest_of_a_lot_is_that_of_its_facts_in_any_order_and_of_all_that_they_say() -> None:
    one, two = FACTS[:2]
    whole = lot_digest("employee:S1", "in_time_solution", [one, two])
    assert lot_digest("employee:S1", "in_time_solution", [two, one]) == whole
    others = [
        replace(one, key="k"), replace(one, revision=2), replace(one, numerator="0"), replace(one, denominator="2"),
        replace(one, time=1), replace(one, dimensions={"team": "t1"}),
    ]  # fmt: skip
    digests = {lot_digest("employee:S1", "in_time_solution", [other, two]) for other in others}
    assert (
        len(digests | {whole, lot_digest("employee:S2", "in_time_solution", [one, two]), lot_digest("employee:S1", "x", [one, two])}) == 9
    )


def test_a_cycle_in_which_nobody_has_a_grade_says_how_often_why_and_who_else_would_have_to_report() -> None:
    refused = nobody_graded(BASIC, CycleResults(0, {"S1": "nothing_assessable", "S2": "superior_missing", "S3": "superior_missing"}, ()))
    assert (refused.rule, refused.field) == ("nobody_could_be_graded", "scheme")
    assert refused.was == "superior_missing: 2; nothing_assessable: 1"
    reported = nobody_graded(scheme("bonus-monthly@1"), CycleResults(0, {"S1": "nothing_assessable"}, ())).was
    assert reported.startswith("nothing_assessable: 1; to be reported by other systems: ")
    many = nobody_graded(BASIC, CycleResults(0, {f"S{number}": f"reason_{number}" for number in range(100)}, ()))
    assert len(many.was) == 256


def test_the_reason_tells_score_grade_parts_and_what_is_missing_in_both_languages() -> None:
    facts = (fact("employee:S1", 3, 4), fact("employee:S1", 9, 10, "in_time_response"))
    grades, _ = graded(grading(lots(*facts)))
    one = grades["S1"]
    told = grade_of(one)
    zh, en = told.reason_zh, told.reason_en
    assert en.startswith(f"Score {one.graded.score}, grade 良 (good): ")
    assert "9/10 → 38.57 points" in en
    assert "3/4 → 42.86 points" in en
    assert f"; no data for {name_of('customer_satisfaction', zh=False)}, its weight went to the others." in en
    assert zh.startswith(f"综合得分{one.graded.score}，等级“良”。")
    assert "9/10 → 38.57分；" in zh
    assert f"；{name_of('customer_satisfaction', zh=True)}无数据，权重已分摊。" in zh
    assert [name_of("superior", zh=zh) for zh in (True, False)] == ["上级评分", "superior"]
    assert name_of("nobody_knows", zh=True) == "nobody_knows"


QUALITY = scheme("quality@1")


def test_a_capped_grade_is_told_as_proposed_with_what_caps_it_and_its_own_score() -> None:
    facts = (fact("employee:S1", 9, 10, "repair_quality"), fact("employee:S1", 1, 1, "safety_incidents"))
    told = grade_document(graded(grading(lots(*facts), under=QUALITY))[0]["S1"])
    parts = told.pop("contributions")
    assert parts == [{"part": "repair_quality", "of": [], "weight": "1", "value": "90", "points": "90", "sample": "10"}]
    assert told == {
        "score": "90.00",
        "score_exact": "90",
        "grade": "差",
        "scale": ["差", "较差", "中", "良", "优"],
        "status": "proposed",
        "not_assessable": ["complaint_handling", "customer_satisfaction"],
        "incomplete": [],
        "partial_year": False,
        "cap": "差",
        "capped_by": ["safety_incidents"],
        "to_confirm": True,
        "reason_zh": "综合得分90.00，等级“差”。维修工程质量合格率 9/10 → 90分；投诉处理率无数据，权重已分摊；"
        "客户满意度无数据，权重已分摊；因安全事故，等级不高于“差”，待确认。",
        "reason_en": "Score 90.00, grade 差 (poor): repair quality 9/10 → 90 points; "
        "no data for complaints handled in time, its weight went to the others; "
        "no data for customer satisfaction, its weight went to the others; because of safety incidents no better than 差, to be confirmed.",
    }


def test_a_grade_that_too_few_have_rated_is_told_without_its_score_and_says_why() -> None:
    ratings = [rating("S1", "B1", "80"), rating("S1", "S2", "90")]
    told = grade_document(graded(grading(lots(fact("employee:S1", 9, 10)), ratings, DEPARTMENT))[0]["S1"])
    assert (told["score"], told["score_exact"], told["status"], told["to_confirm"]) == (None, None, "final", False)
    assert told["contributions"] == [
        {"part": "in_time_solution", "of": [], "weight": "7/10", "value": "90", "points": "63", "sample": "10"}
    ]
    assert told["reason_zh"].startswith("等级“良”。及时解决率 9/10 → 63分；")
    assert told["reason_zh"].endswith("；评分人不足3人，评分与综合得分不公布。")
    assert told["reason_en"].startswith("Grade 良 (good): in-time solution 9/10 → 63 points; ")
    assert told["reason_en"].endswith("; fewer than 3 have rated, so neither ratings nor the score are told.")


def test_groups_that_are_told_as_one_sum_are_named_together_with_their_mean_by_weight() -> None:
    staff = Staff((*STAFF.members, member("S3", "specialist", "B1")))
    ratings = [rating("S1", "B1", "80"), rating("S1", "S2", "90"), rating("S1", "S3", "70")]
    told = grade_document(graded(grading(lots(fact("employee:S1", 9, 10)), ratings, DEPARTMENT, staff=staff))[0]["S1"])
    assert told["contributions"][1] == {
        "part": "ability", "of": ["superior", "peer"], "weight": "3/10", "value": "80", "points": "24", "sample": None
    }  # fmt: skip
    assert "；上级评分、同级评分 → 24分；" in told["reason_zh"]
    assert "; superior and peers → 24 points; " in told["reason_en"]
