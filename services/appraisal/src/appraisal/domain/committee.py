"""A committee's grade: two axes in words, no numbers (D5-05, D5-08, D5-09, X-29)."""

from collections.abc import Mapping
from dataclasses import dataclass

from appraisal.domain.document import parts, texts, word
from appraisal.domain.period import PeriodLength
from common.kernel.documents import Node
from common.kernel.faults import Fault


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its words from the best to the worst, one for each grade, other spellings of them, and how often it is judged."""

    id: str
    words: tuple[str, ...]
    aliases: Mapping[str, str]
    period: PeriodLength

    def step(self, word: str) -> int:
        """How far `word` is from the best one, from 0 on; a `Fault` `unknown_word`."""
        known = self.aliases.get(word, word)
        if known not in self.words:
            raise Fault(("axes", self.id), "unknown_word", f"the words of this axis are {', '.join(self.words)}")
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

        Raises a `Fault`: `unknown_axis`, `axis_missing` (the first one), `unknown_word`.
        """
        for axis in words:
            if axis not in (self.first.id, self.second.id):
                raise Fault(("axes", axis), "unknown_axis", f"the axes are {self.first.id} and {self.second.id}")
        if self.first.id not in words:
            raise Fault(("axes", self.first.id), "axis_missing", "there is no grade without this axis")
        first = self.first.step(words[self.first.id])
        if self.second.id not in words:
            return CommitteeGrade(self.grades[first], proposed=False, provisional=True)
        second = self.second.step(words[self.second.id])
        return CommitteeGrade(self.grades[max(first, second)], proposed=first != second, provisional=False)


def committee_from(part: Node) -> Committee:
    """The committee of a scheme's `committee` object; a `Fault` unless each axis has one word for each grade."""
    part.fields(known=("grades", "axes"))
    rows = parts(part.field("grades"))
    for row in rows:
        row.fields(known=("grade", "en"))
    grades = tuple(row.field("grade").text() for row in rows)
    if not grades or len(set(grades)) != len(grades):
        raise part.field("grades").fault("grades are listed once each, from the best to the worst", "twice" if grades else "required")
    axes = parts(part.field("axes"))
    if len(axes) != 2:
        raise part.field("axes").fault("there are two axes", "two_axes")
    return Committee(
        grades,
        {row.field("grade").text(): row.field("en").text() for row in rows},
        _axis_from(axes[0], len(grades)),
        _axis_from(axes[1], len(grades)),
    )


def _axis_from(part: Node, steps: int) -> Axis:
    part.fields(known=("id", "zh", "words", "aliases", "period"))
    words = texts(part.field("words"))
    if len(words) != steps:
        raise part.field("words").fault(f"an axis has one word for each of the {steps} grades", "words_match")
    aliases = {}
    if "aliases" in part:
        other = part.field("aliases")
        for alias in other.fields():
            aliases[alias] = other.field(alias).text()
            if aliases[alias] not in words:
                raise other.field(alias).fault(f"stands for one of {', '.join(words)}", "unknown_word")
    return Axis(part.field("id").text(), words, aliases, word(part.field("period"), PeriodLength))
