"""What a grade leads to by its scheme's rules: recommendations, which a named person confirms where they are harsh (X-28)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from appraisal.domain.document import count, flag, parts, texts, word
from common.kernel.documents import Node


class Trigger(StrEnum):
    """Which result an outcome follows from (X-32): that of each cycle, or the year-end one."""

    CYCLE = "cycle"
    YEAR_END = "year_end"


@dataclass(frozen=True, slots=True)
class OutcomeRule:
    """One outcome: for which grades, from the how manieth time on (`times`), and whether a named person must confirm it."""

    outcome: str
    grades: tuple[str, ...]
    trigger: Trigger
    times: int
    confirm: bool
    source: str

    def applies(self, grade: str, trigger: Trigger, times: int) -> bool:
        """Whether it follows from this grade; `times` counts how often in a row the person had such a grade, this one included."""
        return grade in self.grades and trigger is self.trigger and (self.times == 1 or times >= self.times)


def applying(rules: Iterable[OutcomeRule], grade: str, *, trigger: Trigger, times: int) -> tuple[OutcomeRule, ...]:
    """The rules that follow from a grade, in the scheme's order."""
    return tuple(rule for rule in rules if rule.applies(grade, trigger, times))


def outcomes_from(whole: Node, grades: Sequence[str]) -> tuple[OutcomeRule, ...]:
    """The outcome rules of a scheme; a `Fault` when one is about a grade that the scale does not have."""
    rules = []
    for part in parts(whole.field("outcomes")):
        part.fields(known=("outcome", "grades", "trigger", "times", "confirm", "source"))
        rule = OutcomeRule(
            outcome=part.field("outcome").text(),
            grades=texts(part.field("grades")),
            trigger=word(part.field("trigger"), Trigger, Trigger.CYCLE),
            times=count(part.field("times"), "1"),
            confirm=flag(part.field("confirm"), default=False),
            source=part.field("source").text(""),
        )
        for grade in rule.grades:
            if grade not in grades:
                raise part.field("grades").fault(f"{grade} is no grade of this scheme", "unknown_grade")
        rules.append(rule)
    return tuple(rules)
