"""Rater groups: whose score weighs how much, decided by which groups exist (D11-42, X-17, X-33)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import combinations

from appraisal.domain.document import parts, percent, texts, word
from appraisal.domain.sums import total
from common.kernel.documents import Node
from common.kernel.faults import Fault


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
    when_missing: WhenMissing
    rate: RatersRate

    def judged(self, ratings: Mapping[str, GroupRatings]) -> "Judgement":
        """The weights and means of the groups that count.

        Raises a `Fault`: `unknown_group`, `<required>_missing` (`superior_missing`), and `ratings_missing` for a group that
        exists but handed in nothing, unless the scheme says otherwise.
        """
        for group in ratings:
            if group not in self.groups:
                raise Fault(("ratings", group), "unknown_group", f"this scheme's groups are {', '.join(self.groups)}")
        existing = [group for group in self.groups if group in ratings and ratings[group].exists]
        if self.required not in existing:
            raise Fault(("ratings", self.required), f"{self.required}_missing", "nobody can be graded without this group")
        silent = [group for group in existing if not ratings[group].submitted]
        if silent and (self.when_missing is WhenMissing.REFUSE or self.required in silent):
            raise Fault(("ratings", silent[0]), "ratings_missing", "its raters were asked and none has rated yet")
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


def raters_from(part: Node) -> Raters:
    """The rater groups of a section's `raters` object; a `Fault` unless every set of groups with the required one has weights."""
    part.fields(known=("groups", "required", "weights", "when_missing", "rate"))
    groups = texts(part.field("groups"))
    required = part.field("required").text()
    if required not in groups:
        raise part.field("required").fault(f"must be one of {', '.join(groups)}", "unknown_group")
    if len(groups) > 6:
        raise part.field("groups").fault("at most six groups", "too_many")
    rate = word(part.field("rate"), RatersRate, RatersRate.SECTION)
    table: dict[frozenset[str], dict[str, Fraction]] = {}
    for row in parts(part.field("weights")):
        row.fields(known=groups)
        weights = {group: percent(row.field(group)) / 100 for group in row.value}
        if sum(weights.values(), Fraction(0)) != 1:
            raise row.fault("the weights of the groups that exist must sum to 100", "weights_sum")
        if rate is RatersRate.WHOLE and weights.get(required) == 0:
            raise row.field(required).fault("must be more than 0: every section is weighed by it", "out_of_range")
        if frozenset(weights) in table:
            raise row.fault("two rows are about the same groups", "twice")
        table[frozenset(weights)] = weights
    for existing in _with_required(groups, required):
        if existing not in table:
            missing = " + ".join(group for group in groups if group in existing)
            raise part.field("weights").fault(f"no row says what weighs how much when there are only {missing}", "weights_cover")
    return Raters(
        groups,
        required,
        table,
        word(part.field("when_missing"), WhenMissing, WhenMissing.REFUSE),
        rate,
    )


def _with_required(groups: tuple[str, ...], required: str) -> Iterator[frozenset[str]]:
    others = [group for group in groups if group != required]
    for size in range(len(others) + 1):
        for chosen in combinations(others, size):
            yield frozenset((required, *chosen))
