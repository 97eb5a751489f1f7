"""Ratings: what one appraiser says of one appraisee on the rated sheet of a scheme, in revisions (D11-39, X-17). Pure.

A revision is kept as it was handed in. Whether its rater counts is judged when the cycle is graded, by the organisation of its end (X-18).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from appraisal.domain.raters import GroupRatings
from appraisal.domain.scheme import Scheme
from common.kernel.documents import Plain
from common.kernel.errors import Refused
from common.kernel.exact import parse_exact, ratio_text


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a rating: an exact score from 0 to 100, of the whole sheet or the mean of its items, and a remark for nobody else."""

    rating_id: str
    number: int
    score: str
    recorded_at: datetime
    items: Mapping[str, str] = field(default_factory=dict)
    remark: str = ""

    @property
    def exact(self) -> Fraction:
        """The score as a number."""
        return parse_exact(self.score)

    def says_the_same(self, other: "Revision") -> bool:
        """Whether two say the same; when they became known is no part of it."""
        return replace(self, recorded_at=other.recorded_at) == other


@dataclass(frozen=True, slots=True)
class Rating:
    """What one appraiser says of one appraisee in one cycle of one scheme: the highest revision counts, in whatever order they came."""

    id: str
    cycle: str
    scheme: str
    appraisee: str
    appraiser: str
    revisions: tuple[Revision, ...] = ()
    """By number."""

    def revised(self, revision: Revision) -> "Rating | Refused":
        """With one more revision; refused where another content has come under its number. The same content once more changes nothing."""
        same = next((one for one in self.revisions if one.number == revision.number), None)
        if same is not None:
            return self if same.says_the_same(revision) else Refused("one_content_a_revision", field="revision")
        return replace(self, revisions=tuple(sorted((*self.revisions, revision), key=lambda one: one.number)))

    def as_of(self, instant: datetime) -> Revision | None:
        """The revision that counts with what was known at an instant; None when none was."""
        return next((one for one in reversed(self.revisions) if one.recorded_at <= instant), None)

    def revision(self, number: int) -> Revision | None:
        """The revision of that number."""
        return next((one for one in self.revisions if one.number == number), None)


def sheet_score(whole: str | None, items: Mapping[str, str]) -> str | Refused:
    """The exact score of a sheet: the one that was given for the whole, or the mean of its items, which weigh alike (assumed)."""
    if (whole is None) == (not items):
        return Refused("a_score_or_items", field="score")
    scores = {"score": parse_exact(whole)} if whole is not None else {f"items.{name}": parse_exact(score) for name, score in items.items()}
    for where, score in scores.items():
        if not 0 <= score <= 100:
            return Refused("score_from_0_to_100", field=where.partition(".")[0])
    return whole if whole is not None else ratio_text(sum(scores.values(), Fraction(0)) / len(scores))


def sheet_refused(scheme: Scheme, sheet: str | None) -> Refused | None:
    """Why nobody rates on this sheet of a scheme; None where somebody does. Without a name it is the one that is rated."""
    if (rated := scheme.rated_section) is None:
        return Refused("a_scheme_with_raters", field="scheme")
    return None if sheet in (None, rated.id) else Refused("a_rated_sheet_of_the_scheme", was=rated.id, field="sheet")


@dataclass(frozen=True, slots=True)
class Handed:
    """What one group has handed in about one appraisee: how many were asked, and the revision of each rater that counts."""

    asked: int
    given: Mapping[str, Revision]

    @property
    def ratings(self) -> GroupRatings:
        """The scores alone."""
        return GroupRatings(tuple(self.given[rater].exact for rater in sorted(self.given)), assigned=self.asked)


def handed_in(raters: Mapping[str, Sequence[str]], ratings: Mapping[str, Revision]) -> dict[str, Handed]:
    """A sheet by group; who is in no group does not count, whatever was handed in."""
    return {
        group: Handed(len(numbers), {number: ratings[number] for number in numbers if number in ratings})
        for group, numbers in raters.items()
        if numbers
    }


def digested(sheet: Mapping[str, Handed]) -> Plain:
    """A sheet as a grade's digest has it: which revision of which rating, and no score, since few scores are soon guessed.

    A revision never says anything else, so equal names are equal scores.
    """
    return {
        group: {"asked": str(handed.asked), "ratings": sorted(f"{one.rating_id}@{one.number}" for one in handed.given.values())}
        for group, handed in sorted(sheet.items())
    }


def sheet_document(sheet: Mapping[str, Handed]) -> dict[str, Any]:
    """A sheet as it is stored beside the grade that rests on it, and as `sheet_from` reads it; never published."""
    return {
        group: {"asked": handed.asked, "given": {rater: one.number for rater, one in handed.given.items()}}
        for group, handed in sheet.items()
    }


def sheet_from(document: Mapping[str, Any], ratings: Mapping[str, Rating]) -> dict[str, Handed]:
    """A stored sheet with the ratings of the appraisee by rater, which keep all their revisions."""
    return {
        group: Handed(
            handed["asked"],
            {rater: one for rater, number in handed["given"].items() if (one := ratings[rater].revision(number)) is not None},
        )
        for group, handed in document.items()
    }
