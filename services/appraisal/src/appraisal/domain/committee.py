"""A committee's grade: two axes in words, no numbers (D5-05, D5-08, D5-09, X-29)."""

from collections.abc import Mapping
from dataclasses import dataclass

from appraisal.domain.cycle import Period
from appraisal.domain.document import Part
from appraisal.domain.errors import NotGradable


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its words from the best to the worst, one for each grade, other spellings of them, and how often it is judged."""

    id: str
    words: tuple[str, ...]
    aliases: Mapping[str, str]
    period: Period

    def step(self, word: str) -> int:
        """How far `word` is from the best one, from 0 on; NotGradable `unknown_word`."""
        known = self.aliases.get(word, word)
        if known not in self.words:
            raise NotGradable("unknown_word", f"axes.{self.id}", f"the words of this axis are {', '.join(self.words)}")
        return self.words.index(known)


@dataclass(frozen=True, slots=True)
class CommitteeGrade:
    """A grade in words. `proposed`: a mixed pair, which the committee settles. `provisional`: the second axis has no result yet."""

    grade: str
    proposed: bool
    provisional: bool


@dataclass(frozen=True, slots=True)
class Committee:
    """Two axes whose words, step by step, are the grades from the best to the worst: only equal steps are defined by the seed."""

    grades: tuple[str, ...]
    en: Mapping[str, str]
    first: Axis
    second: Axis

    def grade(self, words: Mapping[str, str]) -> CommitteeGrade:
        """The grade of a pair of words by axis; a mixed pair is proposed as the lower one, a missing second axis is provisional.

        Raises NotGradable: `unknown_axis`, `axis_missing` (the first one), `unknown_word`.
        """
        for axis in words:
            if axis not in (self.first.id, self.second.id):
                raise NotGradable("unknown_axis", f"axes.{axis}", f"the axes are {self.first.id} and {self.second.id}")
        if self.first.id not in words:
            raise NotGradable("axis_missing", f"axes.{self.first.id}", "there is no grade without this axis")
        first = self.first.step(words[self.first.id])
        if self.second.id not in words:
            return CommitteeGrade(self.grades[first], proposed=False, provisional=True)
        second = self.second.step(words[self.second.id])
        return CommitteeGrade(self.grades[max(first, second)], proposed=first != second, provisional=False)


def committee_from(part: Part) -> Committee:
    """The committee of a scheme's `committee` object; BadScheme unless each axis has one word for each grade."""
    part.only("grades", "axes")
    rows = part.parts("grades")
    for row in rows:
        row.only("grade", "en")
    grades = tuple(row.text("grade") for row in rows)
    if not grades or len(set(grades)) != len(grades):
        raise part.bad("grades", "twice" if grades else "required", "grades are listed once each, from the best to the worst")
    axes = part.parts("axes")
    if len(axes) != 2:
        raise part.bad("axes", "two_axes", "there are two axes")
    return Committee(
        grades,
        {row.text("grade"): row.text("en") for row in rows},
        _axis_from(axes[0], len(grades)),
        _axis_from(axes[1], len(grades)),
    )


def _axis_from(part: Part, steps: int) -> Axis:
    part.only("id", "zh", "words", "aliases", "period")
    words = part.texts("words")
    if len(words) != steps:
        raise part.bad("words", "words_match", f"an axis has one word for each of the {steps} grades")
    aliases = {}
    if part.has("aliases"):
        other = part.part("aliases")
        for alias in other.values:
            aliases[alias] = other.text(alias)
            if aliases[alias] not in words:
                raise other.bad(alias, "unknown_word", f"stands for one of {', '.join(words)}")
    return Axis(part.text("id"), words, aliases, part.word("period", Period))
