"""Questions to `aftersales grade calculate`, drawn by their number: every preset and scheme, every form, and what may be wrong."""

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.net.drawing import UNREADABLE, drawn, one_fault

Question = dict[str, Any]

_ROUNDINGS = ["false", "0", "1", "2", True]
_SCALED = [
    "appliance-monthly",
    "basic",
    "bonus-monthly",
    "department-360",
    "indoor-repair-monthly",
    "quality",
    "house-rules",
    "house-rules@1",
]
_INDICATORS = {
    "appliance-monthly": [
        "skill_check",
        "in_time_response",
        "in_time_solution",
        "repair_success",
        "customer_satisfaction",
        "complaint_handling",
    ],
    "basic": ["in_time_response", "in_time_solution", "customer_satisfaction"],
    "bonus-monthly": ["repair_satisfaction", "reception_satisfaction", "complaint_rate", "complaint_satisfaction"],
    "department-360": ["in_time_response", "in_time_solution", "customer_satisfaction"],
    "indoor-repair-monthly": ["repair_quality", "customer_satisfaction", "safety_incidents"],
    "quality": ["complaint_handling", "repair_quality", "customer_satisfaction", "safety_incidents"],
    "house-rules": ["in_time_response", "complaint_rate", "safety_incidents"],
    "house-rules@1": ["in_time_response"],
}
_MONTHLY = ("appliance-monthly", "bonus-monthly", "indoor-repair-monthly", "house-rules@1")
_GROUPS = {"appliance-monthly": ["superior", "peer", "customer"], "department-360": ["superior", "peer", "subordinate"]}
_GROUPS |= {"house-rules": ["lead", "peer"]}
_EDGES: list[str | int] = [
    "0",
    "100",
    "60",
    "59.99",
    "59.995",
    "59.994999",
    "70",
    "69.995",
    "79.995",
    "80",
    "89.9949",
    "89.995",
    "90",
    "1/3",
    "539/9",
    85,
    "55",
]
_BASES = ["3000", "0", "4321.09", 2500, "1000000000000", "10000/3", "0.01"]
_PERFORMANCE = ["优秀", "良好", "合格", "有待提升", "待提升", "不合格"]
_SKILLS = ["过硬", "较好", "一般", "较弱", "差"]
_POSTS = ["manager", "supervisor", "specialist"]
_BANDS = [
    {"grade": "A", "en": "pass", "from": "60.5", "to": 100, "aliases": ["alpha"]},
    {"grade": "B", "en": "fail", "from": 0, "to": "60.5"},
]


def grade_question(number: int) -> bytes:
    """The question of that number as a line, without its end."""
    chance = drawn("grade", number)
    form = _FORMS[number % len(_FORMS)]
    if form is _wrong and chance.random() < 0.08:
        return chance.choice(UNREADABLE)
    return json.dumps({"id": number, **form(chance)}, ensure_ascii=False).encode()


def _score(chance: Random) -> Question:
    return {"scheme": _named(chance), "score": _points(chance)}


def _pay(chance: Random) -> Question:
    return {"scheme": "bonus-monthly", "score": _points(chance), "performance_base": chance.choice(_BASES)}


def _periods(chance: Random) -> Question:
    scheme = _named(chance)
    question: Question = {
        "scheme": scheme,
        "period_scores": [
            _points(chance) for _ in range(chance.choice([1, 2, 3, 4, 4, 12, 13, 0] if scheme in _MONTHLY else [1, 2, 3, 4, 4, 5, 0]))
        ],
    }
    if chance.random() < 0.4:
        question |= {"scheme": "department-360", "post": chance.choice(_POSTS)}
    return question


def _axes(chance: Random) -> Question:
    axes: Question = {"performance": chance.choice(_PERFORMANCE), "skills": chance.choice([*_SKILLS, None])}
    question: Question = {"scheme": chance.choice(["committee", "committee@1"]), "axes": axes}
    if chance.random() < 0.5:
        question["times_failed"] = chance.choice([0, 1, 2, 3, "2"])
    return question


def _ratings(chance: Random) -> Question:
    scheme = chance.choice(list(_GROUPS))
    return {"scheme": scheme, "ratings": _rated(_GROUPS[scheme], chance)}


def _indicators(chance: Random) -> Question:
    scheme = chance.choice(list(_INDICATORS))
    question: Question = {"scheme": scheme, "indicators": _measured(_INDICATORS[scheme], chance)}
    if scheme in _GROUPS and chance.random() < 0.8:
        question["ratings"] = _rated(_GROUPS[scheme], chance)
    if scheme == "bonus-monthly" and chance.random() < 0.5:
        question["performance_base"] = chance.choice(_BASES)
    return question


def _inline(chance: Random) -> Question:
    """A whole scheme of its own in the question, asked in one of the forms that it can answer."""
    scheme = _scheme(chance)
    raters = next((section["raters"] for section in scheme["sections"] if "raters" in section), None)
    names = [used["id"] for section in scheme["sections"] for used in section.get("indicators", ())]
    form = chance.choice(["score", "sheets", "sheets", "sheets", "pay", "period_scores"])
    if form == "sheets":
        question = {"scheme": scheme, "indicators": _measured([*names, *(gate["indicator"] for gate in scheme.get("gates", ()))], chance)}
        return question | ({"ratings": _rated(raters["groups"], chance)} if raters is not None else {})
    if form == "pay":
        return {"scheme": scheme, "score": _points(chance), "performance_base": chance.choice(_BASES)}
    return {"scheme": scheme, form: _points(chance) if form == "score" else [_points(chance) for _ in range(chance.randrange(1, 5))]}


def _scheme(chance: Random) -> Question:
    weight = chance.choice([30, 50, "66.6", "100/3"])
    rest = {30: 70, 50: 50, "66.6": "33.4", "100/3": "200/3"}[weight]
    curve: Question = chance.choice([{}, {"zero_at": 10, "full_at": 0}, {"zero_at": 50, "full_at": "99.5"}])
    sheet: Question = {"id": "sheet", "zh": "业绩", "en": "results", "weight": weight}
    sheet["indicators"] = [{"id": "first_visit_fix", "weight": rest, **curve}, {"id": "parts_returned", "weight": weight}]
    rated: Question = {"id": "rated", "zh": "能力", "en": "ability", "weight": rest}
    rated["raters"] = {"groups": ["lead", "peer"], "required": "lead", "weights": [{"lead": 75, "peer": 25}, {"lead": 100}]}
    rated["raters"] |= chance.choice([{}, {"when_missing": "as_absent"}, {"rate": "whole"}, {"rate": "section", "when_missing": "refuse"}])
    if chance.random() < 0.3:
        rated = {"id": "rated", "zh": "其他", "en": "other", "weight": rest, "indicators": [{"id": "skill_check", "weight": 100}]}
    scheme: Question = {
        "id": "in-line", "version": chance.choice([1, "7"]), "name": {"zh": "自定", "en": "of its own"}, "source": "drawn",
        "cycle": {"period": chance.choice(["month", "quarter", "half_year", "year"]), "least_periods": 1},
        "scale": {"bands": copy.deepcopy(_BANDS), "round_before_banding": chance.choice(_ROUNDINGS)},
        "sections": [sheet, rated],
    }  # fmt: skip
    if chance.random() < 0.4:
        scheme["when_not_assessable"] = chance.choice(["redistribute", "refuse"])
    if chance.random() < 0.4:
        scheme["gates"] = [{"indicator": "casualties", "cap": "B"}]
    if chance.random() < 0.5:
        scheme["pay"] = {
            "pass_line": "60.5",
            "deducted_percent": 30,
            "reading": chance.choice("abc"),
            "base_pay_deducted": chance.random() < 0.5,
        }
    if chance.random() < 0.3:
        scheme["outcomes"] = [{"outcome": "coaching", "grades": ["B"], "times": 2, "confirm": True, "trigger": "cycle"}]
    return scheme


def _bad_scheme(question: Question, chance: Random) -> Question:
    return {"scheme": one_fault(_scheme(chance), chance), "score": "75"}


def _two_forms(question: Question, chance: Random) -> Question:
    return question | chance.choice(
        [{"score": "70"}, {"axes": {"performance": "优秀"}}, {"period_scores": ["70"]}, {"ratings": {}}, {"post": "manager"}]
    )


def _elsewhere(question: Question, chance: Random) -> Question:
    """The same question to a scheme that may have no answer to it."""
    return question | {
        "scheme": chance.choice(["committee", "basic", "quality@1", "bonus-monthly@2", "no-such-scheme", "department-360@1", 7])
    }


def _wrong(chance: Random) -> Question:
    question = chance.choice([_score, _pay, _periods, _axes, _ratings, _indicators, _indicators, _ratings])(chance)
    return chance.choice(_MISTAKES)(question, chance)


_MISTAKES: list[Callable[[Question, Random], Question]] = [one_fault, one_fault, one_fault, one_fault, _bad_scheme, _bad_scheme]
_MISTAKES += [_two_forms, _elsewhere]
_FORMS = [_score, _indicators, _ratings, _inline, _wrong, _pay, _indicators, _periods, _axes, _indicators, _ratings, _inline, _wrong]
_FORMS += [_indicators, _axes, _periods, _ratings, _inline, _wrong, _score]


def _named(chance: Random) -> str:
    return chance.choice([*_SCALED, "basic@1", "department-360@1", "house-rules@2"])


def _points(chance: Random) -> str | int:
    """A score, often at the edge of a band; now and then one that is none."""
    if chance.random() < 0.5:
        return chance.choice(_EDGES)
    if chance.random() < 0.04:
        return chance.choice(["-0.01", "100.01", "1e2", "101"])
    shown, long = f"{chance.randrange(5_000, 10_001) / 100:.2f}", f"{chance.randrange(100)}.{chance.randrange(10**6):06}"
    return chance.choice([shown, long, f"{chance.randrange(701)}/7"])


def _rated(groups: list[str], chance: Random) -> Question:
    """What each group handed in: a list, nothing, a count of those who were asked; sometimes the first group is missing."""
    ratings: Question = {}
    for number, group in enumerate(groups):
        scores = [_points(chance) for _ in range(chance.choice([1, 1, 2, 3, 7]))]
        forms: list[Any] = [scores, scores, scores, {"assigned": len(scores), "submitted": scores}, {"assigned": 9, "submitted": scores}]
        if number or chance.random() < 0.1:
            forms += [[], None, {"assigned": 0}, chance.choice([{"assigned": 3, "submitted": []}, {"assigned": 2, "submitted": None}])]
        if number == 0 or chance.random() < 0.8:
            ratings[group] = chance.choice(forms)
    return ratings


def _measured(names: list[str], chance: Random) -> Question:
    """What each indicator came to: a rate, more than 100 %, nothing to judge, null, or absent."""
    measured: Question = {}
    for name in names:
        if chance.random() < 0.06:
            continue
        denominator = chance.choice([0, 1, 7, 50, 120, "33", "2.5"]) if chance.random() < 0.5 else chance.randrange(1, 400)
        numerator = (
            chance.choice([0, 1, 45, "44.5", "1/3"])
            if chance.random() < 0.3
            else int(float(str(denominator)) * (1 - chance.random() ** 3 / 2))
        )
        if name in ("safety_incidents", "casualties"):
            numerator, denominator = chance.choice([0, 0, 0, 1, 2, "0"]), chance.choice([1, 1, 1, 0])
        measured[name] = None if chance.random() < 0.03 else {"numerator": numerator, "denominator": denominator}
    return measured
