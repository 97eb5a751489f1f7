"""Rater groups: whose score weighs how much, decided by which groups exist (D11-42, X-17, X-33)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import combinations

from appraisal.domain.document import Part
from appraisal.domain.errors import NotGradable
from appraisal.domain.sums import total


class WhenMissing(StrEnum):
    """What becomes of a group that exists but has handed in nothing: an error, or its weight falls back as if it did not exist."""

    REFUSE = "refuse"
    AS_ABSENT = "as_absent"


class RatersRate(StrEnum):
    """What the group weights are about: one section of the score (X-33, the default), or the whole of it.

    Of the whole means that the superior's share is made of all sections, since the results sheet is the superior's alone;
    the other groups' shares are made of what they rate.
    """

    SECTION = "section"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class GroupRatings:
    """What one group handed in, each score from 0 to 100. `assigned` is how many raters were asked, None when nobody said."""

    submitted: tuple[Fraction, ...]
    assigned: int | None = None

    @property
    def exists(self) -> bool:
        """Whether there is such a group for this appraisee: somebody rated, or was asked to."""
        return bool(self.submitted) or bool(self.assigned)

    @property
    def incomplete(self) -> bool:
        """Whether some, but not all, of those who were asked have rated."""
        return bool(self.submitted) and self.assigned is not None and len(self.submitted) < self.assigned

    @property
    def mean(self) -> Fraction:
        """The exact mean of what was handed in (X-17); ZeroDivisionError when there is nothing."""
        return total(self.submitted) / len(self.submitted)


@dataclass(frozen=True, slots=True)
class Raters:
    """The groups, the one that nobody can do without, and the weights for each set of groups that exists.

    The weights are *substituted*, never renormalised: 40/30/30, then 60/40, then 100 (D11-42).
    """

    groups: tuple[str, ...]
    required: str
    table: Mapping[frozenset[str], Mapping[str, Fraction]]
    when_missing: WhenMissing = WhenMissing.REFUSE
    rate: RatersRate = RatersRate.SECTION

    def judged(self, ratings: Mapping[str, GroupRatings]) -> "Judgement":
        """The weights and means of the groups that count.

        Raises NotGradable: `unknown_group`, `<required>_missing` (`superior_missing`), and `ratings_missing` for a group that
        exists but handed in nothing, unless the scheme says otherwise.
        """
        for group in ratings:
            if group not in self.groups:
                raise NotGradable("unknown_group", f"ratings.{group}", f"this scheme's groups are {', '.join(self.groups)}")
        existing = [group for group in self.groups if group in ratings and ratings[group].exists]
        if self.required not in existing:
            raise NotGradable(f"{self.required}_missing", f"ratings.{self.required}", "nobody can be graded without this group")
        silent = [group for group in existing if not ratings[group].submitted]
        if silent and (self.when_missing is WhenMissing.REFUSE or self.required in silent):
            raise NotGradable("ratings_missing", f"ratings.{silent[0]}", "its raters were asked and none has rated yet")
        counted = [group for group in existing if group not in silent]
        weights = self.table[frozenset(counted)]
        return Judgement(
            weights={group: weights[group] for group in counted},
            means={group: ratings[group].mean for group in counted},
            incomplete=tuple(group for group in counted if ratings[group].incomplete) + tuple(silent),
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the groups said: weights that sum to 1, means from 0 to 100, and the groups of which somebody is still missing."""

    weights: Mapping[str, Fraction]
    means: Mapping[str, Fraction]
    incomplete: tuple[str, ...]


def raters_from(part: Part) -> Raters:
    """The rater groups of a section's `raters` object; BadScheme unless every set of groups with the required one has weights."""
    part.only("groups", "required", "weights", "when_missing", "rate")
    groups = part.texts("groups")
    required = part.text("required")
    if required not in groups:
        raise part.bad("required", "unknown_group", f"must be one of {', '.join(groups)}")
    if len(groups) > 6:
        raise part.bad("groups", "too_many", "at most six groups")
    table: dict[frozenset[str], dict[str, Fraction]] = {}
    for row in part.parts("weights"):
        row.only(*groups)
        weights = {group: row.percent(group) / 100 for group in row.values}
        if sum(weights.values(), Fraction(0)) != 1:
            raise row.bad("", "weights_sum", "the weights of the groups that exist must sum to 100")
        if frozenset(weights) in table:
            raise row.bad("", "twice", "two rows are about the same groups")
        table[frozenset(weights)] = weights
    for existing in _with_required(groups, required):
        if existing not in table:
            missing = " + ".join(group for group in groups if group in existing)
            raise part.bad("weights", "weights_cover", f"no row says what weighs how much when there are only {missing}")
    return Raters(
        groups,
        required,
        table,
        part.word("when_missing", WhenMissing, WhenMissing.REFUSE),
        part.word("rate", RatersRate, RatersRate.SECTION),
    )


def _with_required(groups: tuple[str, ...], required: str) -> Iterator[frozenset[str]]:
    others = [group for group in groups if group != required]
    for size in range(len(others) + 1):
        for chosen in combinations(others, size):
            yield frozenset((required, *chosen))
