"""`aftersales scheme lint`: every planted defect has its line and remedy, none hides another, and the reader agrees both ways."""

import ast
import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appraisal.domain import scheme_checks
from appraisal.domain.indicators import REGISTRY
from appraisal.domain.remedies import REMEDIES
from appraisal.domain.scheme import scheme_from
from appraisal.domain.scheme_findings import IN_WORDS, SCORED, reader_findings
from appraisal.presets import PRESETS, read_document
from appraisal.scheme_command import lint
from common.contracts.yaml_files import Finding
from common.kernel.faults import Fault
from ops.main import main

NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))
DEPARTMENT = "department-360@1"


def _text(name: str = DEPARTMENT) -> str:
    return (PRESETS / f"{name}.yaml").read_text("utf-8")


def _document(name: str = DEPARTMENT) -> Any:
    return read_document(_text(name))


def _linted(folder: Path, text: str, name: str = "scheme.yaml") -> list[Finding]:
    file = folder / name
    file.write_text(text, "utf-8")
    return lint([file])


def _line_of(text: str, part: str) -> int:
    """The first line that fits the pattern `part`."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if re.search(part, line))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_found_in_a_preset(name: str) -> None:
    assert lint([PRESETS / f"{name}.yaml"]) == []


def test_the_presets_are_a_choice_and_do_not_conflict_with_each_other() -> None:
    assert lint([PRESETS / f"{name}.yaml" for name in NAMES]) == []


def _replaced(old: str, new: str, count: int = 1) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, count)


_ANYWHERE: dict[str, tuple[Callable[[str], str], str, str]] = {
    "a misspelt field": (lambda text: text + "\napeals: {}\n", "unknown_field", "apeals"),
    "a post that nobody has": (_replaced("zone: Asia/Shanghai", "zone: Asia/Shanghai, posts: {managr: month}"), "unknown_post", "managr"),
    "an approval that comes round": (
        lambda text: text.replace("\napprovals:", "\nnotes:", 1) + "\napprovals:\n  default: [hr, superior, hr]\n",
        "approves_twice",
        "hr, superior, hr",
    ),
    "an outcome about a grade that there is not": (
        lambda text: text.replace("\noutcomes:", "\nnotes:", 1) + "\noutcomes:\n  - {outcome: bonus, grades: [极好]}\n",
        "unknown_grade",
        "极好",
    ),
    "a zone that there is not": (_replaced("zone: Asia/Shanghai", "zone: Asia/Shanghia"), "unknown_zone", "Shanghia"),
    "no cycle": (_replaced("\ncycle:", "\nnotes:"), "required", "^id:"),
}  # fmt: skip
_OF_A_SCORE: dict[str, tuple[Callable[[str], str], str, str]] = {
    "weights that do not sum to 100": (
        lambda text: re.sub(r"    weight: [0-9]+", "    weight: 7", text, count=1), "weights_sum", "^sections:",
    ),
    "the top band lost": (lambda text: re.sub(r"    - \{grade: (优|合格), .*\n", "", text, count=1), "bands_cover", "^  bands:"),
    "a gap in the bands": (_replaced("from: 0, to: 60", "from: 0, to: 55"), "bands_meet", "^  bands:"),
    "an overlap of bands": (_replaced("from: 0, to: 60", "from: 0, to: 65"), "bands_meet", "^  bands:"),
    "an indicator that nobody knows": (
        lambda text: re.sub(r"- \{id: (\w+)", r"- {id: \1x", text, count=1), "unknown_indicator", "x, weight",
    ),
    "a table that pays more for a worse figure": (
        lambda text: re.sub(r"- \{id: (\w+), weight: (\d+)\}", r"- {id: \1, weight: \2, zero_at: 100, full_at: 0}", text, count=1),
        "pays_the_worse",
        "zero_at: 100",
    ),
    "base pay deducted": (
        lambda text: text.replace("\npay:", "\nnotes:", 1)
        + "\npay: {pass_line: 60, deducted_percent: 30,\n  base_pay_deducted: true}\n",
        "base_pay_deducted",
        "base_pay_deducted: true",
    ),
    "pay that falls when the score rises": (
        lambda text: text.replace("\npay:", "\nnotes:", 1) + "\npay: {pass_line: 60, deducted_percent: 30,\n  reading: c}\n",
        "pay_falls",
        "  reading: c",
    ),
    "a gate that is averaged too": (
        lambda text: text.replace("\ngates:", "\nnotes:", 1)
        + f"\ngates:\n  - {{indicator: {_first_indicator(text)}, cap: {_lowest(text)}}}\n",
        "gate_averaged",
        "^gates:",
    ),
}  # fmt: skip


def _first_indicator(text: str) -> str:
    found = re.search(r"- \{id: (\w+)", text)
    assert found is not None
    return found[1]


def _lowest(text: str) -> str:
    (found,) = re.findall(r"\{grade: ([^,]+), en: [^,]+, from: 0,", text)
    return str(found)


@pytest.mark.parametrize(
    ("name", "defect"),
    [(name, defect) for name in NAMES for defect in (*_ANYWHERE, *(() if name.startswith("committee") else _OF_A_SCORE))],
)
def test_each_planted_defect_is_refused_with_file_line_and_remedy(name: str, defect: str, tmp_path: Path) -> None:
    plant, rule, line = (_ANYWHERE | _OF_A_SCORE)[defect]
    text = plant(_text(name))
    if "posts:" in text and defect == "a post that nobody has":
        text = _text(name).replace("manager: year", "managr: year", 1) if name == DEPARTMENT else text
    found = [one for one in _linted(tmp_path, text) if one.rule == rule]
    assert found, defect
    assert found[0].line == _line_of(text, line)
    assert str(found[0]) == f"{tmp_path / 'scheme.yaml'}:{found[0].line}: {rule}: {found[0].what} · {REMEDIES[rule]}"


def test_every_defect_at_once_is_found_with_its_line(tmp_path: Path) -> None:
    text = _text()
    for old, new in (
        ("name: {zh: 售后服务部360度考核, en:", "name: {en:"),
        ("manager: year", "manager: yearly"),
        ("{grade: 良, en: good, from: 80, to: 90}", "{grade: 良, en: good, from: 80, to: 90, colour: blue}"),
        ("weight: 70", "weight: 60"),
        ("{id: in_time_response, weight: 30}", "{id: in_time_respons, weight: 30}"),
        ("{id: customer_satisfaction, weight: 30}", "{id: customer_satisfaction, weight: 31}"),
        ("{superior: 60, peer: 40}", "{superior: 60, peer: 41}"),
        ("grades: [优], source: D11-45", "grades: [优秀], source: D11-45"),
        ("trigger: year_end, source: D11-46", "trigger: yearly, source: D11-46"),
        ("[sales_director, hr_director, general_manager]", "[functional_manager, hr_director, 人力资源总监]"),
    ):
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    found = [(one.line, one.rule) for one in _linted(tmp_path, text)]
    assert found == [
        (4, "required"), (18, "unknown_word"), (25, "unknown_field"), (32, "weights_sum"), (37, "weights_sum"), (38, "unknown_indicator"),
        (52, "weights_sum"), (57, "unknown_grade"), (59, "unknown_word"), (71, "approves_own"), (71, "approves_twice"),
    ]  # fmt: skip


def test_a_manager_without_a_chain_of_his_own_would_approve_himself(tmp_path: Path) -> None:
    text = _text().replace("  manager: [sales_director", "#  manager: [sales_director")
    (found,) = _linted(tmp_path, text)
    assert (found.line, found.rule) == (_line_of(text, "default: .superior"), "approves_own")


def test_a_post_of_the_enterprise_is_named_to_the_check(tmp_path: Path) -> None:
    file = tmp_path / "scheme.yaml"
    file.write_text(_text().replace("specialist: quarter}", "specialist: quarter, sales_director: year}"), "utf-8")
    assert [one.rule for one in lint([file])] == ["unknown_post"]
    assert lint([file], ["sales_director"]) == []


def test_a_calendar_that_is_not_built_in_is_named_to_the_check(tmp_path: Path) -> None:
    file = tmp_path / "scheme.yaml"
    file.write_text(_text().replace("zone: Asia/Shanghai", "zone: Asia/Shanghai\n  calendar: works", 1), "utf-8")
    assert [(one.rule, one.line) for one in lint([file])] == [("unknown_calendar", _line_of(file.read_text("utf-8"), "calendar: works"))]
    assert lint([file], calendars=["works"]) == []


def test_an_indicator_without_producer_or_denominator_is_found() -> None:
    nobody = [replace(one, source="") if one.id == "in_time_response" else one for one in REGISTRY]
    nothing = [replace(one, denominator=" ") if one.id == "in_time_response" else one for one in REGISTRY]
    assert [one.rule for one in scheme_checks.findings(_document(), registry=nobody)] == ["no_producer"]
    assert [one.rule for one in scheme_checks.findings(_document(), registry=nothing)] == ["no_denominator"]


@pytest.mark.parametrize(
    ("used", "rules"),
    [
        ("{id: complaint_rate, weight: 25, zero_at: 10, full_at: 0}", []),
        ("{id: complaint_rate, weight: 25, zero_at: 0, full_at: 10}", ["pays_the_worse"]),
        ("{id: complaint_rate, weight: 25}", ["pays_the_worse"]),
        ("{id: complaint_rate, weight: 25, zero_at: 10}", ["pays_the_worse"]),
        ("{id: skill_check, weight: 25, zero_at: 60, full_at: 90}", []),
        ("{id: skill_check, weight: 25, zero_at: 101}", ["pays_the_worse"]),
        ("{id: skill_check, weight: 25, zero_at: 100}", ["no_curve"]),
        ("{id: safety_incidents, weight: 25, zero_at: 10, full_at: 0}", ["count_weighed"]),
    ],
)
def test_a_scoring_table_is_held_against_what_is_better_and_a_count_is_not_weighed(used: str, rules: list[str], tmp_path: Path) -> None:
    text = _text("bonus-monthly@1").replace("{id: complaint_rate, weight: 25, zero_at: 10, full_at: 0}", used)
    found = _linted(tmp_path, text)
    assert [one.rule for one in found] == rules
    assert [one.line for one in found] == [_line_of(text, re.escape(used))] * len(rules)


def test_a_gate_is_of_what_should_not_happen(tmp_path: Path) -> None:
    text = _text("quality@1").replace("indicator: safety_incidents", "indicator: skill_check")
    assert [one.rule for one in _linted(tmp_path, text)] == ["caps_the_better"]


def test_an_enterprises_own_indicators_are_read_from_the_file_of_its_registry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = {"zh": "亲和力", "en": "charm", "numerator": "smiles", "denominator": "visits", "attributed_at": "the visit", "source": "D5-03"}
    registry, file = tmp_path / "registry.yaml", tmp_path / "scheme.yaml"
    file.write_text(_text("basic@1").replace("customer_satisfaction", "charm"), "utf-8")
    for said, expected in (({}, 0), ({"direction": "lower"}, 1), ({"unit": "count"}, 1)):
        body = {"kind": "indicator-registry", "name": "standard", "version": 1, "indicators": {"charm": {**own, **said}}}
        registry.write_text(json.dumps(body), "utf-8")
        assert main(["scheme", "lint", "--registry", str(registry), str(file)]) == expected
    assert [line.split(": ")[1] for line in capsys.readouterr().out.splitlines()] == ["pays_the_worse", "count_weighed"]
    assert [one.rule for one in lint([file])] == ["unknown_indicator"]
    registry.write_text("- 1", "utf-8")
    for wrong in (registry, tmp_path / "nowhere.yaml"):
        assert main(["scheme", "lint", "--registry", str(wrong), str(file)]) == 2
        assert capsys.readouterr().err.startswith(f"--registry {wrong}: ")


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ("", "", True),
        ("effective: {departments: [甲]}", "effective: {departments: [乙]}", False),
        ("effective: {departments: [甲, 丙]}", "effective: {departments: [丙, 乙]}", True),
        ("effective: {departments: [甲]}", "", True),
        ("effective: {until: 2026-06-30}", "effective: {from: 2026-07-01}", False),
        ("effective: {until: 2026-07-01}", "effective: {from: 2026-07-01}", True),
        ("effective: {until: 2026-06-30}", "effective: 2026-07-01", False),
        ("effective: 2027-01-01", "effective: 2026-07-01", True),
    ],
)
def test_two_schemes_with_outcomes_overlap_for_one_department_on_one_date(first: str, second: str, overlap: bool, tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(_text() + f"\n{first}\n", "utf-8")
    other.write_text(_text("committee@1") + f"\n{second}\nnotes: changed\n", "utf-8")
    found = [(Path(finding.file).name, finding.rule) for finding in lint([one, other])]
    assert found == ([("one.yaml", "outcomes_overlap"), ("other.yaml", "outcomes_overlap")] if overlap else [])


@pytest.mark.parametrize(
    "effective",
    ["{from: 2026-13-01}", "{from: 2027-01-01, until: 2026-12-31}", "{departments: 甲}", "soon", "{since: 2026-01-01}", "[2026-01-01]"],
)
def test_a_scheme_that_does_not_say_when_it_is_in_force_is_found(effective: str, tmp_path: Path) -> None:
    text = _text() + f"\neffective: {effective}\n"
    (found,) = _linted(tmp_path, text)
    assert found.line == _line_of(text, "^effective")


def test_an_observer_and_a_later_version_of_the_same_scheme_overlap_with_nobody(tmp_path: Path) -> None:
    later, observer = tmp_path / "later.yaml", tmp_path / "observer.yaml"
    later.write_text(_text().replace("version: 1", "version: 2"), "utf-8")
    observer.write_text(_text("basic@1") + "\nnotes: changed\n", "utf-8")
    assert lint([PRESETS / f"{DEPARTMENT}.yaml", later, observer]) == []


def test_base_pay_is_deducted_by_one_scheme_at_most(tmp_path: Path) -> None:
    text = _text("bonus-monthly@1").replace("base_pay_deducted: false", "base_pay_deducted: true")
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(text, "utf-8")
    other.write_text(text.replace("id: bonus-monthly", "id: bonus-other"), "utf-8")
    rules = [finding.rule for finding in lint([one, other])]
    assert sorted(rules) == ["base_pay_deducted"] * 2 + ["deducted_twice"] * 2 + ["outcomes_overlap"] * 2


def test_one_scheme_that_deducts_base_pay_beside_one_that_does_not_is_told_once(tmp_path: Path) -> None:
    text = _text("bonus-monthly@1")
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(text.replace("base_pay_deducted: false", "base_pay_deducted: true"), "utf-8")
    other.write_text(text.replace("id: bonus-monthly", "id: bonus-other"), "utf-8")
    rules = [finding.rule for finding in lint([one, other])]
    assert sorted(rules) == ["base_pay_deducted", "outcomes_overlap", "outcomes_overlap"]


def test_a_file_beside_one_that_does_not_say_when_it_is_in_force_is_not_held_against_it(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(_text() + "\neffective: soon\n", "utf-8")
    other.write_text(_text("committee@1") + "\nnotes: changed\n", "utf-8")
    assert [(Path(finding.file).name, finding.rule) for finding in lint([one, other])] == [("one.yaml", "bad_date")]


_NO_PARTS: list[Any] = ["x", ["x"], {"x": "y"}, [["x"]]]


def _checked(**changed: Any) -> list[tuple[str, str]]:
    """Where which rule is broken in the department's scheme with other parts."""
    return [(fault.field, fault.rule) for fault in scheme_checks.findings({**_document(), **changed})]


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"cycle": {"period": "quarter", "posts": {"managr": "year"}}}, [("cycle.posts.managr", "unknown_post")]),
        ({"dimensions": {"default": ["x"], "managr": ["x"]}}, [("dimensions.managr", "unknown_post")]),
        ({"approvals": {"default": ["superior"], "managr": ["hr"]}}, [("approvals.managr", "unknown_post")]),
        ({"approvals": {"default": "superior"}}, [("approvals.default", "bad_chain")]),
        ({"approvals": {"default": ["superior", {}]}}, [("approvals.default", "bad_chain")]),
        ({"approvals": {"default": ["hr", "superior", "hr"]}}, [("approvals.default[2]", "approves_twice")]),
        ({"approvals": {"default": ["hr", "personnel"]}, "roles": {"hr": ["personnel"]}}, [("approvals.default[1]", "approves_twice")]),
        ({"approvals": {"default": ["hr", "personnel"]}, "roles": ["personnel"]}, []),
        ({"approvals": {"supervisor": ["hr", "supervisor"]}}, [("approvals.supervisor[1]", "approves_own")]),
        ({"approvals": {"supervisor": ["boss"]}, "roles": {"supervisor": ["boss"]}}, [("approvals.supervisor[0]", "approves_own")]),
        ({"approvals": {"manager": ["department_manager", "functional_manager"]}},
         [("approvals.manager[0]", "approves_own"), ("approvals.manager[1]", "approves_own")]),
        ({"approvals": {"supervisor": ["department_manager"]}}, []),
        ({"effective": {"from": "2026-07-01", "until": "2026-07-01"}}, []),
        ({"effective": {"from": "2026-07-02", "until": "2026-07-01"}}, [("effective.until", "bad_date")]),
        ({"pay": {"pass_line": "60", "deducted_percent": "30", "reading": "c"}}, [("pay.reading", "pay_falls")]),
        ({"pay": {"pass_line": "60", "deducted_percent": "40", "reading": "c"}}, []),
        ({"pay": {"pass_line": "0", "deducted_percent": "30", "reading": "c"}}, []),
        ({"pay": {"pass_line": "60", "deducted_percent": "30"}}, []),
        *(({part: nothing}, []) for part in ("cycle", "dimensions", "approvals", "sections", "gates", "pay") for nothing in _NO_PARTS[:2]),
    ],
)  # fmt: skip
def test_posts_approvals_pay_and_dates_are_checked_each_at_its_place(changed: dict[str, Any], found: list[tuple[str, str]]) -> None:
    if "approvals" in changed:
        changed = {"cycle": {"period": "quarter"}, **changed}
    assert _checked(**changed) == found


def test_a_finding_says_what_was_probably_meant() -> None:
    said = [
        fault.what for fault in scheme_checks.findings({**_document(), "dimensions": {"managr": []}, "gates": [{"indicator": "safety"}]})
    ]
    assert said == ["safety is not in the registry", "there is no post managr; the nearest is manager"]
    near = {**_document(), "gates": [{"indicator": "safety_incident"}]}
    assert [fault.what for fault in scheme_checks.findings(near)] == [
        "safety_incident is not in the registry; the nearest is safety_incidents"
    ]
    falls = {**_document(), "pay": {"pass_line": "60", "deducted_percent": "30", "reading": "c"}}
    assert [fault.what for fault in scheme_checks.findings(falls)] == ["just below 60 the pay is 0.7 of the base, at 60 it is 0.6"]


def test_posts_and_indicators_of_the_enterprise_are_known_beside_the_ordinary_ones() -> None:
    document = {**_document(), "dimensions": {"packer": []}, "gates": [{"indicator": "charm"}]}
    rules = [fault.rule for fault in scheme_checks.findings(document)]
    assert rules == ["unknown_indicator", "unknown_post"]
    charm = replace(next(one for one in REGISTRY if one.id == "safety_incidents"), id="charm")
    assert list(scheme_checks.findings(document, ["packer"], (*REGISTRY, charm))) == []


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ("id: ]", 1, "bad_yaml"),
        ("- 1\n", 1, "not_an_object"),
        ("", 1, "not_an_object"),
        ("id: a\nid: b\n", 2, "twice"),
        ("id: " + "[" * 30 + "]" * 30, 1, "too_deep"),
    ],
)
def test_what_is_no_scheme_at_all_has_a_line_too(text: str, line: int, rule: str, tmp_path: Path) -> None:
    assert (line, rule) in [(one.line, one.rule) for one in _linted(tmp_path, text)]


def test_a_file_that_cannot_be_read_and_one_under_another_name_are_findings(tmp_path: Path) -> None:
    assert [one.rule for one in lint([tmp_path / "nowhere.yaml"])] == ["unreadable"]
    assert [one.rule for one in _linted(tmp_path, _text(), "other@1.yaml")] == ["file_name"]


def test_each_rule_of_the_readers_and_checks_has_a_remedy() -> None:
    rules: set[str] = set()
    domain = Path(scheme_checks.__file__).parent
    for name in ("document", "scheme", "sections", "raters", "outcomes", "scale", "committee", "pay", "scheme_checks"):
        for node in ast.walk(ast.parse((domain / f"{name}.py").read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("fault", "Fault"):
                rules.update(str(word.value) for word in ast.walk(node) if isinstance(word, ast.Constant) and _is_rule(word.value))
    asked_of_a_question = {"unknown_axis", "axis_missing", "ratings_missing"}
    assert rules - set(REMEDIES) - asked_of_a_question == set()


def _is_rule(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z]+(_[a-z]+)+", value) is not None and value not in _FIELDS


_FIELDS = {"zero_at", "full_at", "round_before_banding", "first_day", "base_pay_deducted"}


def test_the_right_schemes_into_which_parts_are_put_are_right() -> None:
    assert scheme_from(SCORED).scale is not None
    assert scheme_from(IN_WORDS).committee is not None


def test_the_command_says_one_finding_a_line_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "scheme.yaml"
    file.write_text(_text().replace("weight: 70", "weight: 71"), "utf-8")
    assert main(["scheme", "lint", str(file)]) == 1
    line = _line_of(_text(), "^sections:")
    expected = f"{file}:{line}: weights_sum: sections: the weights of the sections must sum to 100 · let them sum to 100\n"
    assert capsys.readouterr().out == expected
    assert main(["scheme", "lint", "--json", str(file)]) == 1
    assert json.loads(capsys.readouterr().out)["remedy"] == "let them sum to 100"
    assert main(["scheme", "show", "department-360"]) == 0
    shown = capsys.readouterr().out
    file.write_text(shown, "utf-8")
    assert main(["scheme", "lint", str(file)]) == 0
    assert main(["scheme", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[-len(NAMES) :]] == NAMES


_VALUES = st.sampled_from(
    ["", "0", "7", "50", "100", "101", "-1", "1/3", "x", "true", "优", "superior", "month", "quarter", [], {}, ["x"], {"x": "1"}, None]
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_a_file_without_findings_is_taken_and_one_that_the_reader_refuses_has_findings(name: str, data: st.DataObject) -> None:
    document = deepcopy(_document(name))
    for _ in range(data.draw(st.integers(1, 3))):
        _mutate(document, data)
    document = json.loads(json.dumps(document))
    found = reader_findings(document)
    refused = _refused(document)
    assert bool(found) == (refused is not None)
    assert refused is None or (refused.where, refused.rule) in [(one.where, one.rule) for one in found]
    for fault in [*found, *scheme_checks.findings(document)]:
        assert fault.rule in REMEDIES


def _refused(document: Any) -> Fault | None:
    try:
        scheme_from(document)
    except Fault as fault:
        return fault
    return None


def _mutate(document: Any, data: st.DataObject) -> None:
    """Somewhere in the document a value is another, is gone, or stands twice, or there is one more field."""
    while True:
        steps = list(document) if isinstance(document, dict) else list(range(len(document)))
        step = data.draw(st.sampled_from(steps)) if steps else None
        if step is None or not isinstance(document[step], dict | list) or data.draw(st.booleans()):
            break
        document = document[step]
    match data.draw(st.sampled_from(["change", "change", "remove", "add"])):
        case "change" if step is not None:
            document[step] = deepcopy(data.draw(_VALUES))
        case "remove" if step is not None:
            del document[step]
        case _ if isinstance(document, dict):
            document[data.draw(st.sampled_from(["colour", "weight", "raters", "pay"]))] = deepcopy(data.draw(_VALUES))
        case _:
            document.append(deepcopy(document[0]) if document else deepcopy(data.draw(_VALUES)))
