"""The grade as it is told: what everybody may read of it, and no more (house.md 12, X-30). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from appraisal.domain.anonymity import ToldPart, told_parts
from appraisal.domain.answer import exact_text
from appraisal.domain.grading import PersonalGrade
from appraisal.domain.reason import reason_en, reason_zh


class GradeStatus(StrEnum):
    """Whether a grade stands."""

    FINAL = "final"
    PROPOSED = "proposed"
    """A person has to confirm or settle it: a gate caps it, or a committee's words are mixed."""
    PROVISIONAL = "provisional"
    """Something is still to come in: a committee's second axis."""


@dataclass(frozen=True, slots=True)
class Grade:
    """One grade. Without a score where it is given in words, or where too few have rated for it to be told."""

    grade: str
    status: GradeStatus
    scale: tuple[str, ...]
    """The grades that there are, from the worst to the best."""
    score: str | None
    score_exact: Fraction | None
    parts: tuple[ToldPart, ...]
    """Their points sum to the exact score, where it is told."""
    samples: Mapping[str, Fraction]
    """By indicator how much was counted: its denominator."""
    reason_zh: str
    reason_en: str


def grade_of(personal: PersonalGrade) -> Grade:
    """The grade that is told of what was computed for one person."""
    graded, measured, told = personal.graded, personal.measured, personal.told
    # of a year whose score may not be told the cycles' scores would tell it
    parts = told_parts(graded, told=told) if told or not personal.periods else ()
    scale = graded.scheme.scale
    return Grade(
        grade=graded.grade,
        status=GradeStatus.PROPOSED if graded.cap else GradeStatus.FINAL,
        scale=tuple(band.grade for band in scale.bands) if scale is not None else (),
        score=graded.score if told else None,
        score_exact=graded.score_exact if told else None,
        parts=parts,
        samples={part.part: measured[part.part].denominator for part in parts if part.part in measured},
        reason_zh=reason_zh(graded, parts, measured, told=told),
        reason_en=reason_en(graded, parts, measured, told=told),
    )


def grade_document(personal: PersonalGrade) -> dict[str, Any]:
    """The fields of a published grade that say what it is, as the contract names them."""
    graded = personal.graded
    grade = grade_of(personal)
    return {
        "score": grade.score,
        "score_exact": None if grade.score_exact is None else exact_text(grade.score_exact),
        "grade": grade.grade,
        "scale": list(grade.scale),
        "status": str(grade.status),
        "contributions": [_contribution(part, grade.samples.get(part.part)) for part in grade.parts],
        "not_assessable": list(graded.not_assessable),
        "incomplete": list(graded.incomplete),
        "partial_year": graded.partial_year,
        "cap": graded.cap,
        "capped_by": list(graded.capped_by),
        "to_confirm": bool(graded.capped_by),
        "reason_zh": grade.reason_zh,
        "reason_en": grade.reason_en,
    }


def _contribution(part: ToldPart, sample: Fraction | None) -> dict[str, Any]:
    return {
        "part": part.part,
        "of": list(part.of),
        "weight": exact_text(part.weight),
        "value": exact_text(part.value),
        "points": exact_text(part.points),
        "sample": None if sample is None else exact_text(sample),
    }
