"""Schemes as data: what the presets say, and what each planted defect is refused for."""

import json
from collections.abc import Callable
from copy import deepcopy
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from appraisal.domain.indicators import indicator
from appraisal.domain.period import PeriodLength
from appraisal.domain.raters import WhenMissing
from appraisal.domain.scheme import scheme_from
from appraisal.domain.scheme_findings import reader_findings
from appraisal.presets import PRESETS, Schemes, read_document, read_scheme
from common.kernel.faults import Fault

NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))


def _document(name: str = "department-360@1") -> Any:
    return read_document((PRESETS / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_each_preset_is_a_scheme_whose_published_document_gives_the_same_scheme(name: str) -> None:
    scheme = read_scheme(PRESETS / f"{name}.yaml")
    assert scheme.reference == name
    assert scheme_from(json.loads(json.dumps(scheme.document))) == scheme


@pytest.mark.parametrize("name", NAMES)
def test_each_indicator_of_a_preset_is_registered_with_its_source_and_denominator(name: str) -> None:
    scheme = read_scheme(PRESETS / f"{name}.yaml")
    used = [one.id for section in scheme.sections for one in section.indicators] + [gate.indicator for gate in scheme.gates]
    for name in used:
        registered = indicator(name)
        assert registered is not None, name
        assert registered.denominator
        assert registered.source
        assert registered.attributed_at


@pytest.mark.parametrize("name", NAMES)
def test_each_preset_says_what_it_assumes(name: str) -> None:
    assert _document(name)["assumed"]


def test_there_is_a_preset_for_each_rule_book() -> None:
    assert {name.partition("@")[0] for name in NAMES} >= {
        "basic", "quality", "committee", "appliance-monthly", "indoor-repair-monthly", "bonus-monthly", "department-360",
    }  # fmt: skip


def test_the_department_scheme_has_the_weights_bands_and_posts_of_its_rule_book() -> None:
    scheme = Schemes().find("department-360")
    assert [(section.id, section.weight) for section in scheme.sections] == [("results", Fraction(7, 10)), ("ability", Fraction(3, 10))]
    raters = scheme.sections[1].raters
    assert raters is not None
    assert raters.when_missing is WhenMissing.REFUSE
    assert {tuple(sorted(groups)): dict(weights) for groups, weights in raters.table.items()} == {
        ("peer", "subordinate", "superior"): {"superior": Fraction(2, 5), "peer": Fraction(3, 10), "subordinate": Fraction(3, 10)},
        ("peer", "superior"): {"superior": Fraction(3, 5), "peer": Fraction(2, 5)},
        ("subordinate", "superior"): {"superior": Fraction(3, 5), "subordinate": Fraction(2, 5)},
        ("superior",): {"superior": Fraction(1)},
    }
    assert scheme.scale is not None
    assert [(band.grade, int(band.lower), int(band.upper)) for band in scheme.scale.bands] == [
        ("差", 0, 60), ("较差", 60, 70), ("中", 70, 80), ("良", 80, 90), ("优", 90, 100),
    ]  # fmt: skip
    assert scheme.cycle.period_of(None) is PeriodLength.QUARTER
    assert scheme.cycle.period_of("manager") is PeriodLength.YEAR
    assert scheme.cycle.zone.key == "Asia/Shanghai"


def test_a_grade_goes_by_its_alias_too() -> None:
    scale = Schemes().find("department-360").scale
    assert scale is not None
    assert scale.named("中等") is scale.named("中")
    assert scale.named("及格") is None


def test_a_number_and_its_text_are_the_same_scheme() -> None:
    document = _document()
    document["sections"][0]["weight"] = 70
    assert scheme_from(document).digest == Schemes().find("department-360").digest


def test_a_changed_word_is_another_digest() -> None:
    document = _document()
    document["approvals"]["default"].reverse()
    assert scheme_from(document).digest != Schemes().find("department-360").digest


def test_what_this_package_does_not_decide_by_is_carried_through_untouched() -> None:
    document = Schemes().find("department-360").document
    for key in ("approvals", "appeals", "publication", "windows", "dimensions", "roles"):
        assert document[key] == _document()[key]


Change = Callable[[Any], object]


def _set(*path: Any, to: object) -> Change:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = to

    return change


def _drop(*path: Any) -> Change:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change


RATERS = ("sections", 1, "raters")


def _second_rated(document: Any) -> None:
    """The measured section is rated too."""
    measured, rated = document["sections"]
    document["sections"][0] = {**rated, "id": "results", "weight": measured["weight"]}


def _superior_without_weight_in_the_whole(document: Any) -> None:
    """All sections would be weighed by nothing."""
    raters = document["sections"][1]["raters"]
    raters["rate"] = "whole"
    raters["weights"][1] = {"superior": "0", "peer": "100"}


def _group_weights_of_the_whole_alone(document: Any) -> None:
    """The rated section is the only one, and the superior's weight is of all sections."""
    document["sections"] = [{**document["sections"][1], "weight": "100"}]
    document["sections"][0]["raters"]["rate"] = "whole"


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        (_set("sections", 0, "weight", to="69"), "sections", "weights_sum"),
        (_second_rated, "sections", "one_rated"),
        (_set("sections", 0, "weight", to="0"), "sections[0].weight", "out_of_range"),
        (_set("sections", 0, "indicators", 0, "weight", to="31"), "sections[0].indicators", "weights_sum"),
        (_set("sections", 0, "indicators", 0, "id", to="in_time_solution"), "sections", "twice"),
        (_set("sections", 0, "indicators", 0, "full_at", to="0"), "sections[0].indicators[0].full_at", "no_curve"),
        (_set("sections", 0, "indicators", 0, "wieght", to="30"), "sections[0].indicators[0].wieght", "unknown_field"),
        (_set("sections", 0, "indicators", to=[]), "sections[0].indicators", "weights_sum"),
        (_set("sections", 0, "raters", to={}), "sections[0]", "one_source"),
        (_drop("sections", 0, "weight"), "sections[0].weight", "required"),
        (_set("sections", 0, "weight", to=70.0), "sections[0].weight", "binary_float"),
        (_set("sections", 0, "weight", to="seventy"), "sections[0].weight", "not_a_number"),
        (_set("sections", 0, "weight", to="101"), "sections[0].weight", "out_of_range"),
        (_set("sections", to={}), "sections", "not_a_list"),
        (_set("sections", 0, to="results"), "sections[0]", "not_an_object"),
        (_set(*RATERS, "weights", 0, "superior", to="50"), "sections[1].raters.weights[0]", "weights_sum"),
        (_drop(*RATERS, "weights", 3), "sections[1].raters.weights", "weights_cover"),
        (_drop(*RATERS, "weights", 1), "sections[1].raters.weights", "weights_cover"),
        (_set(*RATERS, "weights", 1, to={"superior": "100"}), "sections[1].raters.weights[3]", "twice"),
        (_set(*RATERS, "required", to="self"), "sections[1].raters.required", "unknown_group"),
        (_set(*RATERS, "when_missing", to="ignore"), "sections[1].raters.when_missing", "unknown_word"),
        (_set("scale", "bands", 1, "to", to="89"), "scale.bands", "bands_meet"),
        (_set("scale", "bands", 1, "to", to="91"), "scale.bands", "bands_meet"),
        (_set("scale", "bands", 0, "to", to="99"), "scale.bands", "bands_cover"),
        (_set("scale", "bands", 4, "from", to="1"), "scale.bands", "bands_cover"),
        (_set("scale", "bands", 4, "from", to="60"), "scale.bands[4].to", "bands_cover"),
        (_set("scale", "bands", 0, "from", to="90.001"), "scale.bands[0].from", "edge_decimals"),
        (_set("scale", "bands", 0, "grade", to="中等"), "scale.bands", "twice"),
        (_set("scale", "bands", to=[]), "scale.bands", "required"),
        (_set("scale", "round_before_banding", to="3"), "scale.round_before_banding", "unknown_word"),
        (_drop("scale"), "scale", "one_scale"),
        (_set("outcomes", 0, "grades", to=["优秀"]), "outcomes[0].grades", "unknown_grade"),
        (_set("outcomes", 0, "grades", to=["优", " "]), "outcomes[0].grades[1]", "not_text"),
        (_set("outcomes", 0, "grades", to=[{}]), "outcomes[0].grades[0]", "not_text"),
        (_set("outcomes", 0, "grades", to=["优", "优"]), "outcomes[0].grades[1]", "twice"),
        (_set("notes", to=["x", None]), "notes[1]", "not_text"),
        (_set("outcomes", 0, "times", to="0"), "outcomes[0].times", "out_of_range"),
        (_set("outcomes", 0, "confrim", to="true"), "outcomes[0].confrim", "unknown_field"),
        (_set("outcomes", 2, "confirm", to="yes"), "outcomes[2].confirm", "not_a_flag"),
        (_set("gates", to=[{"indicator": "safety_incidents", "cap": "坏"}]), "gates[0].cap", "unknown_grade"),
        (_set("gates", to=[{"indicator": "in_time_response", "cap": "差"}]), "gates", "gate_averaged"),
        (_set("cycle", "period", to="week"), "cycle.period", "unknown_word"),
        (_set("cycle", "zone", to="Asia/Atlantis"), "cycle.zone", "unknown_zone"),
        (_set("cycle", "zone", to="../etc/passwd"), "cycle.zone", "unknown_zone"),
        (_set("cycle", "first_day", to="16"), "cycle.first_day", "out_of_range"),
        (_set("cycle", "least_periods", to="5"), "cycle.least_periods", "out_of_range"),
        (_set("cycle", "posts", "manager", to="decade"), "cycle.posts.manager", "unknown_word"),
        (_set("id", to="Department 360"), "id", "bad_name"),
        (_set("version", to="1.0"), "version", "bad_name"),
        (_set("name", "en", to=" "), "name.en", "required"),
        (_set("pay", to={"pass_line": "60", "deducted_percent": "30", "reading": "d"}), "pay.reading", "unknown_word"),
        (_set("colour", to="red"), "colour", "unknown_field"),
        (_set("name", "de", to="x"), "name.de", "unknown_field"),
        (_set("cycle", "colour", to="red"), "cycle.colour", "unknown_field"),
        (_set("scale", "colour", to="red"), "scale.colour", "unknown_field"),
        (_set("scale", "bands", 0, "colour", to="red"), "scale.bands[0].colour", "unknown_field"),
        (_set("sections", 0, "colour", to="red"), "sections[0].colour", "unknown_field"),
        (_set(*RATERS, "colour", to="red"), "sections[1].raters.colour", "unknown_field"),
        (_set(*RATERS, "weights", 0, "colour", to="1"), "sections[1].raters.weights[0].colour", "unknown_field"),
        (_set("gates", to=[{"indicator": "x", "cap": "差", "colour": "red"}]), "gates[0].colour", "unknown_field"),
        (_set("pay", to={"pass_line": "60", "deducted_percent": "30", "colour": "red"}), "pay.colour", "unknown_field"),
        (_set("pay", to={"pass_line": "101", "deducted_percent": "30"}), "pay.pass_line", "out_of_range"),
        (_set("cycle", "first_day", to="1.5"), "cycle.first_day", "out_of_range"),
        (_set("publication", to={"least_raters": "0"}), "publication.least_raters", "out_of_range"),
        (_set("publication", to={"least_raters": "101"}), "publication.least_raters", "out_of_range"),
        (_set(*RATERS, "rate", to="half"), "sections[1].raters.rate", "unknown_word"),
        (_group_weights_of_the_whole_alone, "sections", "one_source"),
        (_superior_without_weight_in_the_whole, "sections[1].raters.weights[1].superior", "out_of_range"),
        (_set("when_not_assessable", to="zero"), "when_not_assessable", "unknown_word"),
    ],
)  # fmt: skip
def test_each_planted_defect_is_refused_by_field_and_rule(change: Change, field: str, rule: str) -> None:
    document = deepcopy(_document())
    change(document)
    with pytest.raises(Fault) as refused:
        scheme_from(document)
    assert (refused.value.field, refused.value.rule) == (field, rule)


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        (_set("committee", "axes", 0, "words", to=["优秀"]), "committee.axes[0].words", "words_match"),
        (_drop("committee", "axes", 1), "committee.axes", "two_axes"),
        (_set("committee", "axes", 0, "aliases", "待提升", to="凑合"), "committee.axes[0].aliases.待提升", "unknown_word"),
        (_set("committee", "grades", 0, "grade", to="良好"), "committee.grades", "twice"),
        (_set("pay", to={"pass_line": "60", "deducted_percent": "30"}), "pay", "one_scale"),
        (_set("gates", to=[{"indicator": "safety_incidents", "cap": "不合格"}]), "gates", "one_scale"),
        (_set("scale", to={"bands": [{"grade": "合格", "en": "pass", "from": "0", "to": "100"}]}), "scale", "one_scale"),
        (_set("committee", "grades", to=[]), "committee.grades", "required"),
        (_set("committee", "grades", 0, "colour", to="red"), "committee.grades[0].colour", "unknown_field"),
        (_set("committee", "axes", 0, "colour", to="red"), "committee.axes[0].colour", "unknown_field"),
        (_set("committee", "colour", to="red"), "committee.colour", "unknown_field"),
        (_set("sections", to=[{"id": "x", "zh": "x", "en": "x", "weight": "100", "indicators": [{"id": "y", "weight": "100"}]}]),
         "sections", "one_scale"),
    ],
)  # fmt: skip
def test_each_defect_of_a_committee_scheme_is_refused(change: Change, field: str, rule: str) -> None:
    document = deepcopy(_document("committee@1"))
    change(document)
    with pytest.raises(Fault) as refused:
        scheme_from(document)
    assert (refused.value.field, refused.value.rule) == (field, rule)


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        (_set("cycle", "first_day", to="28"), "first_day", 28),
        (_set("cycle", "least_periods", to="12"), "least_periods", 12),
        (_set("name", "en", to="bonus"), "first_day", 1),
        (_set("name", "en", to="bonus"), "least_periods", 1),
    ],
)
def test_a_month_may_start_on_any_day_that_each_has_and_a_year_ask_for_all_of_its_months(change: Change, field: str, value: int) -> None:
    document = deepcopy(_document("bonus-monthly@1"))
    document["cycle"] = {"period": "month"}
    change(document)
    assert getattr(scheme_from(document).cycle, field) == value


def test_beside_the_results_sheet_the_superior_may_weigh_nothing_on_the_rated_one() -> None:
    document = deepcopy(_document())
    document["sections"][1]["raters"]["weights"][1] = {"superior": "0", "peer": "100"}
    rated = scheme_from(document).rated_section
    assert rated is not None
    assert rated.raters is not None
    assert rated.raters.table[frozenset({"superior", "peer"})] == {"superior": 0, "peer": 1}


@pytest.mark.parametrize(("publication", "least"), [({}, 3), ({"least_raters": "1"}, 1), ({"least_raters": "100"}, 100), ("open", 3)])
def test_three_raters_are_least_where_a_scheme_says_nothing(publication: object, least: int) -> None:
    assert scheme_from(_document() | {"publication": publication}).least_raters == least


def _rule(**changed: object) -> str:
    """The rule that the department's scheme breaks with other parts; empty when it breaks none."""
    try:
        scheme_from({**_document(), **changed})
    except Fault as fault:
        return fault.rule
    return ""


@pytest.mark.parametrize(("digits", "rule"), [(20, ""), (21, "not_a_number")])
def test_a_number_of_a_scheme_has_at_most_twenty_digits_after_its_point(digits: int, rule: str) -> None:
    assert _rule(pay={"pass_line": "9." + "9" * digits, "deducted_percent": "30"}) == rule


@pytest.mark.parametrize(("deep", "rule"), [(19, ""), (20, "too_deep")])
def test_a_document_is_nested_at_most_twenty_deep(deep: int, rule: str) -> None:
    """The notes of a scheme are one deep already."""
    nested: Any = "x"
    for _ in range(deep):
        nested = [nested]
    assert _rule(notes=nested) == rule


@pytest.mark.parametrize(("number", "rule"), [(200, ""), (201, "too_many")])
def test_a_list_of_a_scheme_has_at_most_two_hundred_items(number: int, rule: str) -> None:
    assert _rule(outcomes=[{"outcome": f"x{n}", "grades": ["优"], "source": "x"} for n in range(number)]) == rule


@pytest.mark.parametrize(("number", "rule"), [(6, None), (7, "too_many")])
def test_at_most_six_groups_rate_since_each_set_of_them_needs_its_weights(number: int, rule: str | None) -> None:
    document = deepcopy(_document())
    groups = ["superior", *(f"group{n}" for n in range(1, number))]
    sets = [["superior", *others] for size in range(number) for others in combinations(groups[1:], size)]
    weights = [{**dict.fromkeys(names[1:], "1"), "superior": str(101 - len(names))} for names in sets]
    document["sections"][1]["raters"] |= {"groups": groups, "weights": weights}
    if rule is None:
        rated = scheme_from(document).rated_section
        assert rated is not None
        assert rated.raters is not None
        assert len(rated.raters.table) == 32
    else:
        with pytest.raises(Fault) as refused:
            scheme_from(document)
        assert (refused.value.field, refused.value.rule) == ("sections[1].raters.groups", rule)


@pytest.mark.parametrize("value", [None, [], "department-360", 7])
def test_a_scheme_is_an_object(value: object) -> None:
    with pytest.raises(Fault):
        scheme_from(value)


def test_endless_nesting_is_refused() -> None:
    nested: Any = []
    for _ in range(500):
        nested = [nested]
    with pytest.raises(Fault) as refused:
        scheme_from(_document() | {"notes": nested})
    assert refused.value.rule == "too_deep"


def test_a_key_that_stands_twice_in_a_file_is_refused_with_its_line() -> None:
    with pytest.raises(Fault, match="line 2"):
        read_document("id: a\nid: b\n")


def test_a_file_that_is_no_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(Fault, match="line 2"):
        read_document('a: 1\nb: "x" y\n')


def test_yaml_words_that_look_like_truths_or_dates_stay_text() -> None:
    assert read_document("a: no\nb: 2026-01-01\nc: 1.50\nd: 0x10") == {"a": "no", "b": "2026-01-01", "c": "1.50", "d": "0x10"}


def _installed(folder: Path, version: int, **changed: object) -> None:
    document = _document() | {"version": str(version)} | changed
    (folder / f"department-360@{version}.json").write_text(json.dumps(document), encoding="utf-8")


def test_an_installed_scheme_is_found_beside_the_presets_and_the_highest_version_is_meant(tmp_path: Path) -> None:
    for version in (2, 10, 9):
        _installed(tmp_path, version)
    schemes = Schemes(tmp_path)
    assert schemes.find("department-360").reference == "department-360@10"
    assert schemes.find("department-360@1").reference == "department-360@1"
    assert schemes.find("committee").reference == "committee@1"


def test_a_file_must_hold_what_its_name_says(tmp_path: Path) -> None:
    (tmp_path / "department-360@3.json").write_text(json.dumps(_document()), encoding="utf-8")
    with pytest.raises(Fault) as refused:
        Schemes(tmp_path).find("department-360")
    assert refused.value.rule == "file_name"


@pytest.mark.parametrize("wanted", ["", "department", "department-360@99", "department-360@", "../department-360", 7, None, ["x"]])
def test_a_scheme_that_is_not_there_is_unknown(wanted: object) -> None:
    with pytest.raises(Fault) as unknown:
        Schemes().find(wanted)
    assert unknown.value.rule == "unknown_scheme"


@pytest.mark.parametrize(
    ("name", "changes", "found"),
    [
        # what is wrong in two places is found in both, in the order of a scheme's parts
        ("department-360@1", [_set("scale", "bands", 1, "to", to="89"), _set("sections", 0, "weight", to="x")],
         [("scale.bands", "bands_meet"), ("sections[0].weight", "not_a_number")]),
        ("department-360@1", [_drop("name", "zh"), _set("colour", to="red"), _drop("version"), _drop("id")],
         [("name.zh", "required"), ("colour", "unknown_field"), ("id", "required"), ("version", "required")]),
        ("committee@1", [_set("committee", "axes", 0, "aliases", "待提升", to="凑合"), _set("committee", "axes", 1, "period", to="week")],
         [("committee.axes[0].aliases.待提升", "unknown_word"), ("committee.axes[1].period", "unknown_word")]),
        ("department-360@1", [_set(*RATERS, "weights", 0, "superior", to="x"), _set(*RATERS, "weights", 0, "peer", to="101")],
         [("sections[1].raters.weights[0].superior", "not_a_number"), ("sections[1].raters.weights[0].peer", "out_of_range")]),
        # a sum is judged beside a fault of another kind, and not while a number or an item of it is at fault
        ("department-360@1", [_drop("sections", 0, "zh"), _set("sections", 0, "weight", to="69")],
         [("sections[0].zh", "required"), ("sections", "weights_sum")]),
        ("department-360@1", [_set("sections", 0, "weight", to="x"), _set("sections", 1, "weight", to="29")],
         [("sections[0].weight", "not_a_number")]),
        ("department-360@1", [_set("sections", 0, to="x"), _set("sections", 1, "weight", to="29")], [("sections[0]", "not_an_object")]),
        ("department-360@1", [_set("scale", "bands", 1, "to", to="x"), _set("scale", "bands", 0, "from", to="91")],
         [("scale.bands[1].to", "not_a_number")]),
        ("department-360@1", [_set(*RATERS, "weights", 0, "superior", to="x"), _drop(*RATERS, "weights", 3)],
         [("sections[1].raters.weights[0].superior", "not_a_number")]),
        # a part is judged by another one although that has a field too many, and not while that is at fault
        ("department-360@1", [_set("scale", "bands", 0, "colour", to="x"), _set("outcomes", 0, "grades", to=["优秀"])],
         [("scale.bands[0].colour", "unknown_field"), ("outcomes[0].grades", "unknown_grade")]),
        ("department-360@1", [_set("scale", "bands", 1, "to", to="89"), _set("outcomes", 0, "grades", to=["优秀"])],
         [("scale.bands", "bands_meet")]),
        ("department-360@1", [_set("scale", "bands", 1, "to", to="89"), _set("gates", to=[{"indicator": "x", "cap": "坏"}])],
         [("scale.bands", "bands_meet")]),
        ("department-360@1",
         [_set("sections", 0, "indicators", 0, "weight", to="31"), _set("gates", to=[{"indicator": "in_time_response", "cap": "差"}])],
         [("sections[0].indicators", "weights_sum")]),
        ("department-360@1",
         [_set("cycle", "period", to="week"), _set("cycle", "least_periods", to="5"), _set("cycle", "first_day", to="16")],
         [("cycle.period", "unknown_word")]),
        ("department-360@1", [_set("cycle", "period", to="week"), _set("cycle", "least_periods", to="x")],
         [("cycle.period", "unknown_word"), ("cycle.least_periods", "not_a_number")]),
        ("department-360@1", [_set(*RATERS, "groups", to=["superior", "superior"]), _set(*RATERS, "required", to="self")],
         [("sections[1].raters.groups[1]", "twice")]),
        ("department-360@1", [_set(*RATERS, "required", to="self"), _drop(*RATERS, "weights", 3)],
         [("sections[1].raters.required", "unknown_group")]),
        ("department-360@1", [_set(*RATERS, "weights", 0, "self", to="10"), _set(*RATERS, "weights", 1, "superior", to="61")],
         [("sections[1].raters.weights[0].self", "unknown_field"), ("sections[1].raters.weights[1]", "weights_sum")]),
        ("committee@1", [_set("committee", "grades", 0, "grade", to=" "), _set("committee", "axes", 0, "words", to=["优秀"])],
         [("committee.grades[0].grade", "required")]),
        ("committee@1", [_set("committee", "axes", 0, "words", 1, to="优秀"), _set("committee", "axes", 0, "aliases", "待提升", to="凑合")],
         [("committee.axes[0].words[1]", "twice")]),
    ],
)  # fmt: skip
def test_one_fault_hides_another_only_where_that_rests_on_it(name: str, changes: list[Change], found: list[tuple[str, str]]) -> None:
    document = deepcopy(_document(name))
    for change in changes:
        change(document)
    assert [(fault.field, fault.rule) for fault in reader_findings(document)] == found


def test_a_document_with_thousands_of_faults_is_read_no_longer_than_others_and_has_its_first_one() -> None:
    document = _document()
    document["outcomes"] = [{"outcome": "x", "grades": [" "], "times": "0"} for _ in range(200)]
    document["gates"] = [{"indicator": "x", "cap": "坏", "colour": "red"} for _ in range(200)]
    document["forms"] = {f"form{number}": [] for number in range(3_000)}
    document["zone"] = {}
    with pytest.raises(Fault) as refused:
        scheme_from(document)
    assert (refused.value.where, refused.value.rule) in [(one.where, one.rule) for one in reader_findings(document)]
