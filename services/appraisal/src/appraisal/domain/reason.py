"""Why a grade is what it is, in one sentence in Chinese and one in English, for the person who was graded."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from appraisal.domain.anonymity import ToldPart
from appraisal.domain.grade import Graded
from appraisal.domain.indicators import indicator
from appraisal.domain.sections import Measured
from common.kernel.exact import decimal_text

_GROUPS = {"superior": ("上级评分", "superior"), "peer": ("同级评分", "peers"), "subordinate": ("下级评分", "subordinates")}


def reason_zh(graded: Graded, parts: Sequence[ToldPart], measured: Mapping[str, Measured], *, told: bool) -> str:
    """One sentence: score and grade, and each part that is `told` with what it counts and the points it brings."""
    clauses = [_part(part, measured, zh=True) for part in parts]
    clauses += _not_judged(graded, measured, zh=True)
    if not told:
        clauses.append(f"评分人不足{graded.scheme.least_raters}人，评分与综合得分不公布")
    if graded.cap:
        clauses.append(f"因{'、'.join(name_of(gate, zh=True) for gate in graded.capped_by)}，等级不高于“{graded.cap}”，待确认")
    score = f"综合得分{graded.score}，" if told else ""
    return f"{score}等级“{graded.grade}”。{'；'.join(clauses)}。"


def reason_en(graded: Graded, parts: Sequence[ToldPart], measured: Mapping[str, Measured], *, told: bool) -> str:
    """The same in English."""
    clauses = [_part(part, measured, zh=False) for part in parts]
    clauses += _not_judged(graded, measured, zh=False)
    if not told:
        clauses.append(f"fewer than {graded.scheme.least_raters} have rated, so neither ratings nor the score are told")
    if graded.cap:
        gates = ", ".join(name_of(gate, zh=False) for gate in graded.capped_by)
        clauses.append(f"because of {gates} no better than {graded.cap}, to be confirmed")
    head = f"Score {graded.score}, grade {_grade_en(graded)}" if told else f"Grade {_grade_en(graded)}"
    return f"{head}: {'; '.join(clauses)}."


def _not_judged(graded: Graded, measured: Mapping[str, Measured], *, zh: bool) -> list[str]:
    """A clause for each indicator of which nothing is known, or too little: its weight went to the others."""
    clauses = []
    for name in graded.not_assessable:
        lacks = "无数据" if zh else "no data"
        if name in graded.too_few:
            sample = f"{decimal_text(measured[name].denominator)}/{graded.too_few[name]}"
            lacks = f"样本不足（{sample}）" if zh else f"too few cases ({sample})"
        clauses.append(
            f"{name_of(name, zh=True)}{lacks}，权重已分摊"
            if zh
            else f"{lacks} for {name_of(name, zh=False)}, its weight went to the others"
        )
    return clauses


def _part(part: ToldPart, measured: Mapping[str, Measured], *, zh: bool) -> str:
    counted = ""
    if part.part in measured:
        one = measured[part.part]
        counted = f" {decimal_text(one.numerator)}/{decimal_text(one.denominator)}"
    names = part.of or (part.part,)
    name = ("、" if zh else " and ").join(name_of(one, zh=zh) for one in names)
    return f"{name}{counted} → {decimal_text(Fraction(round(part.points * 100), 100))}{'分' if zh else ' points'}"


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
