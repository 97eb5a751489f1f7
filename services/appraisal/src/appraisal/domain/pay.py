"""Performance pay: the base times the score, and what a failing score costs (D9-07, D9-08, X-14)."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from appraisal.domain.document import flag, percent, word
from common.kernel.documents import Node


class Reading(StrEnum):
    """The three readings of "30 % of the performance bonus is deducted" (X-14)."""

    A = "a"
    """From the bonus that the score earned: base × score/100 × 0.7. The default."""
    B = "b"
    """From the base: base × (score/100 − 0.3), never below 0."""
    C = "c"
    """Of the base, whatever the score: base × 0.7. It pays a failing score of 55 more than the formula would."""


@dataclass(frozen=True, slots=True)
class Pay:
    """What one score is worth: exact money, whether the score failed, and the same under each reading."""

    exact: Fraction
    failed: bool
    base_pay_deducted: bool
    readings: dict[Reading, Fraction]


@dataclass(frozen=True, slots=True)
class PayRule:
    """A scheme's pay rule: a score below `pass_line` fails (exactly 60 does not) and loses `deducted` (0 to 1) by `reading`."""

    pass_line: Fraction
    deducted: Fraction
    reading: Reading
    base_pay_deducted: bool

    def pay(self, base: Fraction, score: Fraction, deciding: Fraction) -> Pay:
        """The pay for an exact `score`; `deciding` is the score as the scheme compares it, the same unless it rounds before banding."""
        earned = base * score / 100
        failed = deciding < self.pass_line
        readings = dict.fromkeys(Reading, earned)
        if failed:
            readings = {
                Reading.A: earned * (1 - self.deducted),
                Reading.B: max(Fraction(0), earned - base * self.deducted),
                Reading.C: base * (1 - self.deducted),
            }
        return Pay(readings[self.reading], failed, failed and self.base_pay_deducted, readings)


def pay_from(part: Node) -> PayRule:
    """The pay rule of a scheme's `pay` object."""
    part.fields(known=("pass_line", "deducted_percent", "reading", "base_pay_deducted"))
    return PayRule(
        pass_line=percent(part.field("pass_line")),
        deducted=percent(part.field("deducted_percent")) / 100,
        reading=word(part.field("reading"), Reading, Reading.A),
        base_pay_deducted=flag(part.field("base_pay_deducted"), default=False),
    )
