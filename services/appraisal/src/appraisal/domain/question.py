"""A question about a grade as it is asked in JSON, and its answer: the shapes of `grade calculate`, without reading or writing.

Whoever asks gives the scheme by name or whole, and exactly one of: `score`, `period_scores`, `axes`, or `indicators` and/or
`ratings`. Every number comes as text or a whole number; answers hold exact numbers as text (`887/10`).
"""

from collections.abc import Callable, Mapping
from fractions import Fraction

from appraisal.domain.answer import answer_in_words, answer_with_score
from appraisal.domain.errors import BadScheme, NotGradable
from appraisal.domain.grade import Graded, grade_period, grade_score, grade_year
from appraisal.domain.raters import GroupRatings
from appraisal.domain.scheme import Scheme
from appraisal.domain.sections import Measured
from common.kernel.exact import NotExact, parse_exact
from common.kernel.known_fields import unknown_field

FindScheme = Callable[[object], Scheme]
"""Finds the scheme that a question names or holds; raises NotGradable `unknown_scheme` or BadScheme."""

_KINDS = ("score", "period_scores", "axes", "indicators", "ratings")
_KNOWN = ("id", "scheme", "post", "performance_base", "times_failed", *_KINDS)
_MOST_SCORES = 1_000
_HIGHEST_BASE = 10**12


def answer(question: Mapping[str, object], find_scheme: FindScheme) -> dict[str, object]:
    """The answer to one question, without its `id`. Raises NotGradable with the code, the field and what was expected."""
    _refuse_unknown(question, _KNOWN, "")
    kinds = [kind for kind in _KINDS if question.get(kind) is not None]
    if not kinds:
        raise NotGradable("bad_question", "", f"needs one of {', '.join(_KINDS)}")
    if len(kinds) > 1 and kinds != ["indicators", "ratings"]:
        raise NotGradable("bad_question", kinds[1], f"cannot be asked together with {kinds[0]}")
    scheme = _scheme(question, find_scheme)
    if question.get("post") is not None and kinds != ["period_scores"]:
        raise NotGradable("bad_question", "post", "belongs to a question about period_scores")
    if kinds == ["axes"]:
        return _answer_in_words(question, scheme)
    base = _base(question.get("performance_base"))
    if base is not None and scheme.pay is None:
        raise NotGradable("no_pay_rule", "performance_base", f"{scheme.reference} has no rule for performance pay")
    if question.get("times_failed") is not None:
        raise NotGradable("bad_question", "times_failed", "belongs to a question about axes")
    graded, inputs = _graded(question, kinds, scheme)
    return answer_with_score(graded, inputs, kinds, base)


def _scheme(question: Mapping[str, object], find_scheme: FindScheme) -> Scheme:
    if question.get("scheme") is None:
        raise NotGradable("unknown_scheme", "scheme", "names no scheme")
    try:
        return find_scheme(question["scheme"])
    except BadScheme as error:
        path = error.field if error.field.startswith("scheme") else f"scheme.{error.field}".rstrip(".")
        raise NotGradable("bad_scheme", path, f"{error.rule}: {error.message}") from error


def _graded(question: Mapping[str, object], kinds: list[str], scheme: Scheme) -> "tuple[Graded, dict[str, object]]":
    if kinds == ["score"]:
        score = _number(question["score"], "score", "bad_score")
        return grade_score(scheme, score), {"score": score}
    post = question.get("post")
    if post is not None and not isinstance(post, str):
        raise NotGradable("unknown_post", "post", "must be text")
    if kinds == ["period_scores"]:
        scores = _scores(question["period_scores"], "period_scores")
        return grade_year(scheme, scores, post), {"period_scores": scores, "post": post or ""}
    indicators = _indicators(question["indicators"]) if "indicators" in kinds else None
    ratings = _ratings(question["ratings"]) if "ratings" in kinds else None
    return grade_period(scheme, indicators, ratings), {"indicators": indicators, "ratings": ratings}


def _answer_in_words(question: Mapping[str, object], scheme: Scheme) -> dict[str, object]:
    if scheme.committee is None:
        raise NotGradable("no_axes", "axes", f"{scheme.reference} grades by score")
    axes = _object(question["axes"], "axes")
    words = {}
    for axis, word in axes.items():
        if word is None:
            continue
        if not isinstance(word, str):
            raise NotGradable("unknown_word", f"axes.{axis}", "must be a word of this axis")
        words[axis] = word
    if question.get("performance_base") is not None:
        raise NotGradable("no_pay_rule", "performance_base", f"{scheme.reference} has no rule for performance pay")
    times = question.get("times_failed")
    times_failed = 1 if times is None else _count(times, "times_failed")
    return answer_in_words(scheme, scheme.committee.grade(words), words, times_failed)


def _indicators(value: object) -> dict[str, Measured]:
    measured = {}
    for name, row in _object(value, "indicators").items():
        where = f"indicators.{name}"
        if row is None:
            continue
        rate = _object(row, where)
        _refuse_unknown(rate, ("numerator", "denominator"), where)
        numerator, denominator = (_number(rate.get(key), f"{where}.{key}", "bad_number") for key in ("numerator", "denominator"))
        measured[name] = Measured(numerator, denominator)
    return measured


def _ratings(value: object) -> dict[str, GroupRatings]:
    return {group: _group(given, f"ratings.{group}") for group, given in _object(value, "ratings").items()}


def _group(value: object, where: str) -> GroupRatings:
    """One group's scores: a list, nothing at all, or `{"assigned": 3, "submitted": […]}`."""
    if value is None:
        return GroupRatings(())
    if isinstance(value, list):
        return GroupRatings(_scores(value, where))
    if not isinstance(value, dict):
        raise NotGradable("bad_ratings", where, 'must be a list of scores or {"assigned": 3, "submitted": [...]}')
    _refuse_unknown(value, ("assigned", "submitted"), where)
    given = value.get("submitted")
    submitted = _scores([] if given is None else given, f"{where}.submitted")
    if value.get("assigned") is None:
        raise NotGradable("bad_count", f"{where}.assigned", "is missing: how many raters were asked")
    assigned = _count(value.get("assigned"), f"{where}.assigned")
    if len(submitted) > assigned:
        raise NotGradable("bad_ratings", f"{where}.submitted", "more raters have rated than were asked")
    return GroupRatings(submitted, assigned)


def _refuse_unknown(given: Mapping[str, object], known: tuple[str, ...], where: str) -> None:
    if found := unknown_field(given, known):
        name, said = found
        raise NotGradable("unknown_field", f"{where}.{name}" if where else name, said)


def _scores(value: object, where: str) -> tuple[Fraction, ...]:
    if not isinstance(value, list):
        raise NotGradable("bad_score", where, "must be a list of scores")
    if len(value) > _MOST_SCORES:
        raise NotGradable("bad_score", where, f"has at most {_MOST_SCORES} scores, not {len(value)}")
    return tuple(_number(score, f"{where}[{index}]", "bad_score") for index, score in enumerate(value))


def _object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise NotGradable("bad_question", where, "must be an object")
    return value


def _number(value: object, where: str, code: str) -> Fraction:
    if value is None:
        raise NotGradable(code, where, 'is missing: a decimal like "83.025" or a ratio like "887/10" is expected')
    try:
        return parse_exact(value)
    except NotExact as error:
        raise NotGradable(code, where, str(error)) from error


def _count(value: object, where: str) -> int:
    number = _number(value, where, "bad_count")
    if number.denominator != 1 or not 0 <= number <= 10_000:
        raise NotGradable("bad_count", where, "must be a whole number from 0 to 10000")
    return int(number)


def _base(value: object) -> Fraction | None:
    if value is None:
        return None
    base = _number(value, "performance_base", "bad_number")
    if not 0 <= base <= _HIGHEST_BASE:
        raise NotGradable("out_of_range", "performance_base", f"must be from 0 to {_HIGHEST_BASE}")
    return base
