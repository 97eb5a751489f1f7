"""Why a grade is what it is, in one sentence in Chinese and one in English, for the person who was graded."""

from collections.abc import Mapping
from fractions import Fraction

from appraisal.domain.grade import Graded
from appraisal.domain.indicators import indicator
from appraisal.domain.sections import Measured
from common.kernel.exact import decimal_text

_GROUPS = {"superior": ("上级评分", "superior"), "peer": ("同级评分", "peers"), "subordinate": ("下级评分", "subordinates")}


def reason_zh(graded: Graded, measured: Mapping[str, Measured]) -> str:
    """One sentence: score, grade, and each part with what it counts and the points it brings."""
    parts = "；".join(_part(leaf.part, leaf.points, measured, zh=True) for leaf in graded.contributions)
    missing = "".join(f"；{name_of(name, zh=True)}无数据，权重已分摊" for name in graded.not_assessable)
    return f"综合得分{graded.score}，等级“{graded.grade}”。{parts}{missing}。"


def reason_en(graded: Graded, measured: Mapping[str, Measured]) -> str:
    """The same in English."""
    parts = "; ".join(_part(leaf.part, leaf.points, measured, zh=False) for leaf in graded.contributions)
    missing = "".join(f"; no data for {name_of(name, zh=False)}, its weight went to the others" for name in graded.not_assessable)
    return f"Score {graded.score}, grade {_grade_en(graded)}: {parts}{missing}."


def _part(part: str, points: Fraction, measured: Mapping[str, Measured], *, zh: bool) -> str:
    shown = decimal_text(Fraction(round(points * 100), 100))
    counted = ""
    if part in measured:
        one = measured[part]
        counted = f" {decimal_text(one.numerator)}/{decimal_text(one.denominator)}"
    return f"{name_of(part, zh=zh)}{counted} → {shown}{'分' if zh else ' points'}"


def name_of(part: str, *, zh: bool) -> str:
    """How an indicator or a rater group is called in Chinese or English."""
    if part in _GROUPS:
        return _GROUPS[part][0 if zh else 1]
    found = indicator(part)
    return part if found is None else found.zh if zh else found.en


def _grade_en(graded: Graded) -> str:
    scale = graded.scheme.scale
    band = next((band for band in scale.bands if band.grade == graded.grade), None) if scale else None
    return f"{graded.grade} ({band.en})" if band is not None and band.en else graded.grade
