"""A question about a grade as it is asked in JSON, and its answer: the shapes of `grade calculate`, without reading or writing.

Whoever asks gives the scheme by name or whole, and exactly one of: `score`, `period_scores`, `axes`, or `indicators` and/or
`ratings`. Every number comes as text or a whole number; answers hold exact numbers as text (`887/10`).
"""

from collections.abc import Callable, Mapping
from fractions import Fraction

from appraisal.domain.answer import answer_in_words, answer_with_score
from appraisal.domain.grade import Graded, grade_period, grade_score, grade_year
from appraisal.domain.raters import GroupRatings
from appraisal.domain.scheme import Scheme
from appraisal.domain.sections import Measured
from common.kernel.documents import Node, by_rule
from common.kernel.faults import Fault

FindScheme = Callable[[object], Scheme]
"""Finds the scheme that a question names or holds; raises a `Fault`: `UNKNOWN` where it names none, else a rule of schemes."""
UNKNOWN = "unknown_scheme"
"""The rule that a name breaks which no scheme has."""

_QUESTION = by_rule("bad_question", fields="must be an object")

_KINDS = ("score", "period_scores", "axes", "indicators", "ratings")
_KNOWN = ("id", "scheme", "post", "performance_base", "times_failed", *_KINDS)
_MOST_SCORES = 1_000
_HIGHEST_BASE = 10**12


def answer(question: Mapping[str, object], find_scheme: FindScheme) -> dict[str, object]:
    """The answer to one question, without its `id`. Raises a `Fault` with the rule (the code), the field and what was expected."""
    asked = Node(question, (), _QUESTION)
    asked.fields(known=_KNOWN)
    kinds = [kind for kind in _KINDS if question.get(kind) is not None]
    if not kinds:
        raise asked.fault(f"needs one of {', '.join(_KINDS)}")
    if len(kinds) > 1 and kinds != ["indicators", "ratings"]:
        raise asked.field(kinds[1]).fault(f"cannot be asked together with {kinds[0]}")
    scheme = _scheme(asked.field("scheme"), find_scheme)
    if question.get("post") is not None and kinds != ["period_scores"]:
        raise asked.field("post").fault("belongs to a question about period_scores")
    if kinds == ["axes"]:
        return _answer_in_words(asked, scheme)
    base = _base(asked.field("performance_base"))
    if base is not None and scheme.pay is None:
        raise _no_pay(asked, scheme)
    if question.get("times_failed") is not None:
        raise asked.field("times_failed").fault("belongs to a question about axes")
    graded, inputs = _graded(asked, kinds, scheme)
    return answer_with_score(graded, inputs, kinds, base)


def _scheme(wanted: Node, find_scheme: FindScheme) -> Scheme:
    if wanted.value is None:
        raise wanted.fault("names no scheme", UNKNOWN)
    try:
        return find_scheme(wanted.value)
    except Fault as fault:
        if fault.rule == UNKNOWN:
            raise
        inside = (step for step in fault.where if step != "")  # a field without a name is told by what holds it
        raise wanted.fault(f"{fault.rule}: {fault.what}", "bad_scheme", *inside) from fault


def _graded(asked: Node, kinds: list[str], scheme: Scheme) -> "tuple[Graded, dict[str, object]]":
    if kinds == ["score"]:
        score = _number(asked.field("score"), "bad_score")
        return grade_score(scheme, score), {"score": score}
    post = asked.field("post")
    if post.value is not None and not isinstance(post.value, str):
        raise post.fault("must be text", "unknown_post")
    if kinds == ["period_scores"]:
        scores = _scores(asked.field("period_scores"))
        return grade_year(scheme, scores, post.value), {"period_scores": scores, "post": post.value or ""}
    indicators = _indicators(asked.field("indicators")) if "indicators" in kinds else None
    ratings = _ratings(asked.field("ratings")) if "ratings" in kinds else None
    return grade_period(scheme, indicators, ratings), {"indicators": indicators, "ratings": ratings}


def _answer_in_words(asked: Node, scheme: Scheme) -> dict[str, object]:
    axes = asked.field("axes")
    if scheme.committee is None:
        raise axes.fault(f"{scheme.reference} grades by score", "no_axes")
    words = {}
    for axis, word in axes.fields().items():
        if word is None:
            continue
        if not isinstance(word, str):
            raise axes.fault("must be a word of this axis", "unknown_word", axis)
        words[axis] = word
    if asked.field("performance_base").value is not None:
        raise _no_pay(asked, scheme)
    times = asked.field("times_failed")
    times_failed = 1 if times.value is None else _count(times)
    return answer_in_words(scheme, scheme.committee.grade(words), words, times_failed)


def _no_pay(asked: Node, scheme: Scheme) -> Fault:
    return asked.field("performance_base").fault(f"{scheme.reference} has no rule for performance pay", "no_pay_rule")


def _indicators(indicators: Node) -> dict[str, Measured]:
    measured = {}
    for name, row in indicators.fields().items():
        if row is None:
            continue
        rate = indicators.field(name)
        rate.fields(known=("numerator", "denominator"))
        numerator, denominator = (_number(rate.field(key), "bad_number") for key in ("numerator", "denominator"))
        measured[name] = Measured(numerator, denominator)
    return measured


def _ratings(ratings: Node) -> dict[str, GroupRatings]:
    return {group: _group(ratings.field(group)) for group in ratings.fields()}


def _group(given: Node) -> GroupRatings:
    """One group's scores: a list, nothing at all, or `{"assigned": 3, "submitted": […]}`."""
    if given.value is None:
        return GroupRatings(())
    if isinstance(given.value, list):
        return GroupRatings(_scores(given))
    if not isinstance(given.value, dict):
        raise given.fault('must be a list of scores or {"assigned": 3, "submitted": [...]}', "bad_ratings")
    given.fields(known=("assigned", "submitted"))
    submitted, assigned = given.field("submitted"), given.field("assigned")
    scores = () if submitted.value is None else _scores(submitted)
    if assigned.value is None:
        raise assigned.fault("is missing: how many raters were asked", "bad_count")
    number = _count(assigned)
    if len(scores) > number:
        raise submitted.fault("more raters have rated than were asked", "bad_ratings")
    return GroupRatings(scores, number)


def _scores(given: Node) -> tuple[Fraction, ...]:
    if not isinstance(given.value, list):
        raise given.fault("must be a list of scores", "bad_score")
    if len(given.value) > _MOST_SCORES:
        raise given.fault(f"has at most {_MOST_SCORES} scores, not {len(given.value)}", "bad_score")
    return tuple(_number(score, "bad_score") for score in given.items())


def _number(given: Node, rule: str) -> Fraction:
    if given.value is None:
        raise given.fault('is missing: a decimal like "83.025" or a ratio like "887/10" is expected', rule)
    return given.number(rule)


def _count(given: Node) -> int:
    number = _number(given, "bad_count")
    if number.denominator != 1 or not 0 <= number <= 10_000:
        raise given.fault("must be a whole number from 0 to 10000", "bad_count")
    return int(number)


def _base(given: Node) -> Fraction | None:
    if given.value is None:
        return None
    base = _number(given, "bad_number")
    if not 0 <= base <= _HIGHEST_BASE:
        raise given.fault(f"must be from 0 to {_HIGHEST_BASE}", "out_of_range")
    return base
