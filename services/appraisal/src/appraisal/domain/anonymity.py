"""What of a grade may be told, so that nobody's rating can be read from it or from any of its versions (X-30, ADR 0021). Pure.

Groups with too few raters are told as one sum. Where all raters together are too few, the score itself is not told, since whoever
knows the indicators could subtract them. Each sum that is told is an equation whose unknowns are ratings; a version is told only if
what follows from all equations together still rests on enough raters.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from appraisal.domain.grade import Contribution, Graded
from appraisal.domain.rating import Handed, Rating, sheet_document, sheet_from
from appraisal.domain.sums import total
from common.kernel.exact import parse_exact, ratio_text

Equation = Mapping[str, Fraction]
"""The coefficient of each rating in a sum that is told, by `<rater>@<revision>`."""


@dataclass(frozen=True, slots=True)
class ToldPart:
    """One part of a score as it is told: an indicator, a rater group, or the sum of the groups `of` one section."""

    part: str
    section: str
    weight: Fraction
    points: Fraction
    of: tuple[str, ...] = ()

    @property
    def value(self) -> Fraction:
        """From 0 to 100."""
        return self.points / self.weight


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What the versions of one grade have told of ratings so far: all equations, and the sheet that the last of them rests on."""

    sheet: Mapping[str, Handed]
    equations: tuple[Equation, ...]

    def document(self) -> dict[str, Any]:
        """As it is stored beside the grade, and as `disclosed_from` reads it; never published."""
        rows = [{name: ratio_text(value) for name, value in row.items()} for row in self.equations]
        return {"sheet": sheet_document(self.sheet), "equations": rows}


def disclosed_from(document: Mapping[str, Any], ratings: Mapping[str, Rating]) -> Disclosed:
    """What was stored, with the ratings of the appraisee by rater."""
    rows = tuple({name: parse_exact(value) for name, value in row.items()} for row in document["equations"])
    return Disclosed(sheet_from(document["sheet"], ratings), rows)


def disclosed_with(graded: Graded, sheet: Mapping[str, Handed], before: Disclosed | None) -> Disclosed | None:
    """What is known once this grade is told too; None when it must not be, since something would rest on too few raters."""
    least, raters = graded.scheme.least_raters, _raters(graded)
    if not raters:
        return before or Disclosed({}, ())
    if sum(raters.values()) < least:
        return None
    earlier = before.equations if before is not None else ()
    rows = (*earlier, *(row for row in _equations(graded, sheet) if row not in earlier))
    return Disclosed(sheet, rows) if all(len(_raters_in(row)) >= least for row in _eliminated(rows)) else None


def news(now: Mapping[str, Handed], before: Mapping[str, Handed]) -> int:
    """How many raters say something else in one sheet than in the other."""
    then, later = _said(before), _said(now)
    return sum(1 for rater in {*then, *later} if then.get(rater) != later.get(rater))


def told_parts(graded: Graded, *, told: bool) -> tuple[ToldPart, ...]:
    """The parts of a score, whose points sum to it exactly; without what was rated where the score is not `told`.

    A group without weight adds nothing, and its mean would say something: it is left out.
    """
    sums = {group: one for one in sums_of(_raters(graded), graded.scheme.least_raters) for group in one} if told else {}
    leaves: dict[tuple[str, ...], list[Contribution]] = {}
    for leaf in graded.contributions:
        if leaf.part not in graded.raters:
            leaves[leaf.part,] = [leaf]
        elif leaf.part in sums:
            leaves.setdefault(sums[leaf.part], []).append(leaf)
    return tuple(_told(of, found) for of, found in leaves.items())


def _told(of: tuple[str, ...], leaves: Sequence[Contribution]) -> ToldPart:
    weight, points = total(one.weight for one in leaves), total(one.points for one in leaves)
    section = leaves[0].section
    return ToldPart(of[0], section, weight, points) if len(of) == 1 else ToldPart(section, section, weight, points, of)


def sums_of(raters: Mapping[str, int], least: int) -> tuple[tuple[str, ...], ...]:
    """Which groups are told as one sum: those with too few raters, with the smallest of the others where they are too few together."""
    by_size = sorted(raters, key=lambda group: raters[group])
    summed = [group for group in by_size if raters[group] < least]
    for group in by_size[len(summed) :]:
        if not summed or sum(raters[one] for one in summed) >= least:
            break
        summed.append(group)
    alone = tuple((group,) for group in raters if group not in summed)
    return (tuple(group for group in raters if group in summed), *alone) if summed else alone


def _equations(graded: Graded, sheet: Mapping[str, Handed]) -> Iterator[Equation]:
    leaves = {leaf.part: leaf for leaf in graded.contributions}
    for of in sums_of(_raters(graded), graded.scheme.least_raters):
        yield {
            f"{rater}@{one.number}": leaves[group].weight / len(sheet[group].given)
            for group in of
            for rater, one in sorted(sheet[group].given.items())
        }


def _eliminated(rows: Sequence[Equation]) -> list[Equation]:
    """The equations solved for as many ratings as can be: a rating that follows from them stands alone in one of these."""
    solved: list[tuple[str, dict[str, Fraction]]] = []
    for row in rows:
        left = _without(row, solved)
        if not left:
            continue
        pivot = min(left)
        left = {name: value / left[pivot] for name, value in left.items()}
        solved = [(name, _without(one, [(pivot, left)])) for name, one in solved]
        solved.append((pivot, left))
    return [row for _, row in solved]


def _without(row: Equation, solved: Iterable[tuple[str, Equation]]) -> dict[str, Fraction]:
    left = dict(row)
    for pivot, other in solved:
        if factor := left.get(pivot):
            for name, value in other.items():
                left[name] = left.get(name, Fraction(0)) - factor * value
    return {name: value for name, value in left.items() if value}


def _raters_in(row: Equation) -> set[str]:
    return {name.rpartition("@")[0] for name in row}


def _said(sheet: Mapping[str, Handed]) -> dict[str, tuple[str, int]]:
    return {rater: (group, one.number) for group, handed in sheet.items() for rater, one in handed.given.items()}


def _raters(graded: Graded) -> dict[str, int]:
    """How many have rated in each group that has a weight."""
    return {leaf.part: graded.raters[leaf.part] for leaf in graded.contributions if leaf.part in graded.raters and leaf.weight}
