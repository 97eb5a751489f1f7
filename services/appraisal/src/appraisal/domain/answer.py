"""How a grade is told to a machine: exact numbers as text, and a digest of what it was computed from."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from appraisal.domain.committee import CommitteeGrade
from appraisal.domain.digest import digest
from appraisal.domain.grade import Graded
from appraisal.domain.indicators import registry_digest
from appraisal.domain.outcomes import Trigger, applying
from appraisal.domain.pay import Pay
from appraisal.domain.raters import GroupRatings
from appraisal.domain.scheme import Scheme
from appraisal.domain.sections import Measured
from appraisal.domain.sums import MOST_BITS, too_precise
from common.kernel.documents import Plain
from common.kernel.exact import ratio_text
from common.kernel.faults import Fault
from common.kernel.money import to_cents


def answer_with_score(graded: Graded, inputs: Mapping[str, object], kinds: Sequence[str], base: Fraction | None) -> dict[str, object]:
    """The answer to a question that has a score; `inputs` are what was asked, parsed, and `kinds` its fields."""
    told: dict[str, object] = {
        "scheme": graded.scheme.reference,
        "score_exact": exact_text(graded.score_exact),
        "score": graded.score,
        "grade": graded.grade,
        "grade_en": _grade_en(graded.scheme, graded.grade),
    }
    if "ratings" in kinds:
        told["weights"] = _texts(graded.weights)
        told["group_means"] = _texts(graded.group_means)
        told["incomplete"] = list(graded.incomplete)
    if "indicators" in kinds:
        told["attainment"] = _texts(graded.attainment)
        told["not_assessable"] = list(graded.not_assessable)
        told["redistributed"] = _texts(graded.redistributed)
    if graded.sections:
        told["sections"] = {
            name: {"weight": exact_text(section.weight), "score": exact_text(section.score)} for name, section in graded.sections.items()
        }
    if graded.capped_by:
        told["capped_by"] = list(graded.capped_by)
        told["to_confirm"] = True
    if "period_scores" in kinds:
        told["partial_year"] = graded.partial_year
    told["contributions"] = contributions_document(graded)
    if base is not None:
        told["pay"] = _pay(graded, base)
    told["digest"] = _question_digest(graded.scheme, {**inputs, "performance_base": base})
    return told


def answer_in_words(scheme: Scheme, result: CommitteeGrade, words: Mapping[str, str], times_failed: int) -> dict[str, object]:
    """The answer to a question about a committee's axes: grade, whether it is only proposed or provisional, and what follows."""
    outcomes = applying(scheme.outcomes, result.grade, trigger=Trigger.CYCLE, times=times_failed)
    return {
        "scheme": scheme.reference,
        "grade": result.grade,
        "grade_en": _grade_en(scheme, result.grade),
        "proposed": result.proposed,
        "provisional": result.provisional,
        "outcomes": [rule.outcome for rule in outcomes],
        "to_confirm": [rule.outcome for rule in outcomes if rule.confirm],
        "digest": _question_digest(scheme, {"axes": words, "times_failed": Fraction(times_failed)}),
    }


def contributions_document(graded: Graded) -> list[dict[str, str]]:
    """The leaves of the score, each with its part, section, weight, value and points; the points sum to the score exactly."""
    return [
        {
            "part": leaf.part,
            **({"section": leaf.section} if leaf.section else {}),
            "weight": exact_text(leaf.weight),
            "value": exact_text(leaf.value),
            "points": exact_text(leaf.points),
        }
        for leaf in graded.contributions
    ]


def exact_text(value: Fraction) -> str:
    """The number as `p/q` in lowest terms; a `Fault` `too_precise` when it would take thousands of digits."""
    if max(abs(value.numerator), value.denominator).bit_length() > MOST_BITS:
        raise too_precise()
    return ratio_text(value)


def _grade_en(scheme: Scheme, grade: str) -> str:
    if scheme.committee is not None:
        return scheme.committee.en[grade]
    band = scheme.scale.named(grade) if scheme.scale is not None else None
    return band.en if band is not None else ""


def _texts(values: Mapping[str, Fraction]) -> dict[str, str]:
    return {name: exact_text(value) for name, value in values.items()}


def _pay(graded: Graded, base: Fraction) -> dict[str, object]:
    rule, scale = graded.scheme.pay, graded.scheme.scale
    if rule is None or scale is None:
        raise Fault(("performance_base",), "no_pay_rule", f"{graded.scheme.reference} has no rule for performance pay")
    pay: Pay = rule.pay(base, graded.score_exact, scale.deciding(graded.score_exact))
    return {
        "exact": exact_text(pay.exact),
        "amount": str(to_cents(pay.exact)),
        "failed": pay.failed,
        "base_pay_deducted": pay.base_pay_deducted,
        "readings": {str(reading): exact_text(value) for reading, value in pay.readings.items()},
    }


def _question_digest(scheme: Scheme, inputs: Mapping[str, object]) -> str:
    """The digest of a calculation: what was asked (its `id` and the order of ratings are no part of it), and the rules."""
    asked = {name: _plain(value) for name, value in inputs.items() if value is not None}
    return digest({"inputs": asked, "scheme": scheme.digest, "registry": registry_digest()})


def _plain(value: object) -> Plain:
    match value:
        case Fraction():
            return exact_text(value)
        case Measured():
            return {"numerator": exact_text(value.numerator), "denominator": exact_text(value.denominator)}
        case GroupRatings():
            missing = max(0, (value.assigned or 0) - len(value.submitted))
            return {"submitted": _sorted(value.submitted), "missing": str(missing)}
        case tuple():
            return [_plain(item) for item in value]
        case Mapping():
            return {str(name): _plain(item) for name, item in value.items() if not isinstance(item, GroupRatings) or item.exists}
        case _:
            return str(value)


def _sorted(scores: Iterable[Fraction]) -> list[str]:
    return [exact_text(score) for score in sorted(scores)]
